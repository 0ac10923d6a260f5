// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/mman.h>

#include "guest-memory.h"

u8 *guest_mem;

extern const char fuzz_code[], fuzz_code_end[];

/* Invalidates its stage 1 and leaves by a store to where no memory is */
asm(".pushsection .rodata\n"
    "	.balign	4\n"
    "	.globl	fuzz_code, fuzz_code_end\n"
    "fuzz_code:\n"
    "1:	tlbi	vmalle1is\n"
    "	dsb	ish\n"
    "	isb\n"
    "	mov	x0, #0x09000000\n"
    "	str	xzr, [x0]\n"
    "	b	1b\n"
    "fuzz_code_end:\n"
    "	.popsection\n");

void guest_memory_init(void)
{
	struct stage1 s1;

	guest_mem = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	must(guest_mem != MAP_FAILED, "guest memory");
	s1_init(&s1, guest_mem, 0, GUEST_ASID);
	s1_map(&s1, OFF_PAGE_A);
	s1_init(&s1, guest_mem, OFF_S1_SECOND, GUEST_ASID);
	s1_map(&s1, OFF_PAGE_B);
	memcpy(guest_mem + OFF_FUZZ_CODE, fuzz_code, fuzz_code_end - fuzz_code);
	__builtin___clear_cache((char *)guest_mem + OFF_FUZZ_CODE,
				(char *)guest_mem + OFF_FUZZ_CODE + PAGE);
}
