// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor takes requests as the guest of kvm.c does. Its own guest sees the
 * same memory at the same addresses, through a stage 2 of one block. KVM runs that
 * guest under a shadow of it, which has a VMID of its own.
 */
#include <unistd.h>
#include <sys/ioctl.h>

#include "boot.h"
#include "el2.h"
#include "report.h"
#include "s1.h"

#define OFF_STAGE2	0x20000ul
#define GIC_DIST	0x08000000ull
#define GIC_REDIST	0x080a0000ull

#define HCR_VM		(1ull << 0)
#define HCR_RW		(1ull << 31)
#define HCR_E2H		(1ull << 34)
/* 39 bits of IPA from level 1 on, 40 of PA, write-back */
#define VTCR		(1ull << 31 | 2ull << 16 | 3ull << 12 | 1ull << 10 | \
			 1ull << 8 | 1ull << 6 | 25)
/* A block, write-back, shareable, read and write, accessed */
#define S2_BLOCK	(1ull << 10 | 3ull << 8 | 3ull << 6 | 0xfull << 2 | 1)

extern const char el2_code[], el2_code_end[];

/* x3 VTTBR_EL2, x4 VTCR_EL2, x6 HCR_EL2 while the guest runs */
asm(".pushsection .rodata\n"
    "	.balign	2048\n"
    "	.globl	el2_code, el2_code_end\n"
    "el2_code:\n"
    "1:	str	xzr, [x2]\n"
    "	cmp	x0, #1\n"
    "	b.eq	2f\n"
    "	cmp	x0, #2\n"
    "	b.eq	3f\n"
    "	cmp	x0, #3\n"
    "	b.eq	5f\n"
    "	b	1b\n"
    "2:	tlbi	vae1is, x1\n"
    "	b	4f\n"
    "3:	tlbi	alle1is\n"
    "4:	dsb	ish\n"
    "	isb\n"
    "	b	1b\n"
    "5:	mrs	x8, hcr_el2\n"
    "	msr	vttbr_el2, x3\n"
    "	msr	vtcr_el2, x4\n"
    "	adr	x5, el2_vectors\n"
    "	msr	vbar_el2, x5\n"
    "	adr	x5, 7f\n"
    "	msr	elr_el2, x5\n"
    "	mov	x5, #0x3c5\n"	/* EL1h, all masked */
    "	msr	spsr_el2, x5\n"
    "	msr	hcr_el2, x6\n"
    "	isb\n"
    "	eret\n"
    "6:	msr	hcr_el2, x8\n"
    "	isb\n"
    "	b	1b\n"
    /* The guest's guest */
    "7:	tlbi	vmalle1is\n"
    "	dsb	ish\n"
    "	isb\n"
    "	hvc	#0\n"
    "	b	7b\n"
    "	.balign	2048\n"
    "el2_vectors:\n"
    "	.skip	0x400\n"
    "	b	6b\n"		/* synchronous, from AArch64 below */
    "el2_code_end:\n"
    "	.popsection\n");

bool el2_there(void)
{
	return e2e.kvm >= 0 &&
	       ioctl(e2e.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_EL2) > 0;
}

static void gic_set(int gic, u32 group, u64 attr, u64 *val)
{
	struct kvm_device_attr set = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)val,
	};

	must(!ioctl(gic, KVM_SET_DEVICE_ATTR, &set), "GIC: %u, %lu", group, attr);
}

/* No vCPU with an EL2 runs without */
static void gic_create(struct vm *vm)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	u64 dist = GIC_DIST, redist = GIC_REDIST;

	must(!ioctl(vm->fd, KVM_CREATE_DEVICE, &dev), "GIC");
	gic_set(dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
		&dist);
	gic_set(dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
		&redist);
	gic_set(dev.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT,
		NULL);
	close(dev.fd);
}

void el2_create(struct vm *vm, void *mem)
{
	const struct vm_code code = {
		el2_code, el2_code_end, 1 << KVM_ARM_VCPU_HAS_EL2
	};
	u64 *table = (u64 *)((u8 *)mem + OFF_STAGE2);

	table[GPA_BASE >> 30] = GPA_BASE | S2_BLOCK;
	vm_create_with(vm, mem, GUEST_SIZE, &code);
	gic_create(vm);
	vm_set_x(vm, 3, 1ull << 48 | (GPA_BASE + OFF_STAGE2));
	vm_set_x(vm, 4, VTCR);
	vm_set_x(vm, 6, HCR_E2H | HCR_RW | HCR_VM);
}

void el2_exec(struct vm *vm, enum el2_op op, u16 asid, u64 va)
{
	/* Both have their requests in the same registers */
	vm_exec(vm, (enum guest_op)op, asid, va);
}
