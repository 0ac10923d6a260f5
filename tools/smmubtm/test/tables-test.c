// SPDX-License-Identifier: GPL-2.0-only
/* Is CD.ASET found, through stream tables of both formats and through stage 2? */
#include <stdio.h>
#include <string.h>

#include "tables.h"
#include "test.h"

#define SIZE	0x10000
#define VMID	5
#define ASID	0x1234

#define STE_S1		(1ull | 5ull << 1)
#define STE_S2		(1ull | 6ull << 1)
#define STE_NESTED	(1ull | 7ull << 1)
#define STE_INVALID	(5ull << 1)
#define STE_BYPASS	(1ull | 4ull << 1)
#define CD(aset)	(1ull << 31 | (uint64_t)(aset) << 47 | (uint64_t)ASID << 48)

enum { STRTAB = 0x0, L2 = 0x2000, CD_A = 0x4000, CD_B = 0x4040, S2 = 0x8000 };

static uint8_t mem[SIZE];

static void mem_read(uint64_t addr, void *buf, size_t len)
{
	memset(buf, 0, len);
	if (addr + len <= SIZE)
		memcpy(buf, mem + addr, len);
}

static void put(uint64_t addr, uint64_t v)
{
	memcpy(mem + addr, &v, sizeof(v));
}

static void put_ste(uint64_t addr, uint64_t q0, uint16_t vmid, uint64_t cd)
{
	put(addr, q0 | cd);
	/* S2T0SZ 25: 39 bits of address from level 1 (SL0 1) */
	put(addr + 16, vmid | 25ull << 32 | 1ull << 38);
	put(addr + 24, S2);
}

/* IPA 0x40000000 + x is x: by a table, by another, by a page */
static void put_s2(bool block)
{
	put(S2 + 8, (S2 + 0x1000) | 3);
	put(S2 + 0x1000, block ? 1 : (S2 + 0x2000) | 3);
	put(S2 + 0x2000 + 8 * (CD_A >> 12), CD_A | 3);
}

static const struct {
	const char *about;
	uint64_t ste[2], cd[2];
	uint16_t vmid[2];
	bool block;
	bool private;
} tests[] = {
	{ "no STE", .private = false },
	{ "ASET 1", { STE_S1 }, { CD(1) }, { VMID }, .private = true },
	{ "ASET 0", { STE_S1 }, { CD(0) }, { VMID }, .private = false },
	{ "two of ASET 1", { STE_S1, STE_S1 }, { CD(1), CD(1) }, { VMID, VMID }, .private = true },
	{ "one of ASET 0 is enough", { STE_S1, STE_S1 }, { CD(1), CD(0) }, { VMID, VMID },
	  .private = false },
	{ "one of ASET 0 under another VMID is not", { STE_S1, STE_S1 }, { CD(1), CD(0) },
	  { VMID, VMID + 1 }, .private = true },
	{ "another VMID alone", { STE_S1 }, { CD(1) }, { VMID + 1 }, .private = false },
	{ "a CD that is not valid", { STE_S1 }, { CD(1) & ~(1ull << 31) }, { VMID },
	  .private = false },
	{ "another ASID", { STE_S1 }, { CD(1) ^ 1ull << 63 }, { VMID }, .private = false },
	{ "an STE that is not valid", { STE_INVALID }, { CD(1) }, { VMID }, .private = false },
	{ "no stage 1", { STE_S2 }, { CD(1) }, { VMID }, .private = false },
	{ "bypass", { STE_BYPASS }, { CD(1) }, { VMID }, .private = false },
	{ "nested, pages", { STE_NESTED | 0x40000000 }, { CD(1) }, { VMID }, .private = true },
	{ "nested, a block", { STE_NESTED | 0x40000000 }, { CD(1) }, { VMID }, .block = true,
	  .private = true },
	{ "nested, ASET 0", { STE_NESTED | 0x40000000 }, { CD(0) }, { VMID }, .private = false },
	{ "nested, not mapped", { STE_NESTED | 0x80000000 }, { CD(1) }, { VMID },
	  .private = false },
};

const unsigned int num_tables_tests = 2 * ARRAY_SIZE(tests);

static void test_one(size_t i, bool two_levels)
{
	/* 16 streams of a linear table, or 2^4 second levels of 2^4 */
	const struct strtab tab = { STRTAB, two_levels ? 1 << 16 | 4 << 6 | 8 : 4, mem_read };
	const uint64_t stes = two_levels ? L2 : STRTAB;
	char about[64];

	memset(mem, 0, SIZE);
	if (two_levels)
		put(STRTAB + 8 * 3, L2 | 5);
	put_ste(stes + 64 * 2, tests[i].ste[0], tests[i].vmid[0], CD_A);
	put_ste(stes + 64 * 15, tests[i].ste[1], tests[i].vmid[1], CD_B);
	put(CD_A, tests[i].cd[0]);
	put(CD_B, tests[i].cd[1]);
	put_s2(tests[i].block);
	snprintf(about, sizeof(about), "%s: %s", two_levels ? "2 levels" : "linear",
		 tests[i].about);
	result(asid_is_private(&tab, VMID, ASID) == tests[i].private, about);
}

void test_tables(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		test_one(i, false);
		test_one(i, true);
	}
}
