// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one invalidation by a guest costs, and loading its vCPU, in instructions of
 * the machine.
 *
 * Run under -icount shift=0: the clock advances by 1 ns with each instruction, whoever executes it,
 * so an interval is a count that repeats to the digit. A timer tick that falls into a batch adds to
 * it; the cheapest of many batches is one without.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "case.h"
#include "bench-steps.h"

E2E_CASE(bench, BENCH_NUMBER, "bench", BENCH_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

#define GPA_EXIT	0x09000000ul	/* no memory: a store to it leaves the guest */
#define OFF_BENCH	0x8000ul	/* where the code is, in guest memory */
#define BATCHES		20
#define FEW		100		/* invalidations in the shorter run of the guest */
#define MANY		1100		/* and in the longer */
#define CALLS		50		/* system calls in a batch */

extern const char bench_code[], bench_code_end[];

/*
 * What an arm64 kernel does to invalidate a page, in a loop: order the store to the table before
 * it, invalidate, wait. x0 counts, x1 is the operand of TLBI.
 */
asm(".pushsection .rodata\n"
    "	.balign	4\n"
    "	.globl	bench_code, bench_code_end\n"
    "bench_code:\n"
    "1:	str	xzr, [x2]\n"
    "	cbz	x0, 1b\n"
    "2:	dsb	ishst\n"
    "	tlbi	vae1is, x1\n"
    "	dsb	ish\n"
    "	add	x1, x1, #1\n"
    "	subs	x0, x0, #1\n"
    "	b.ne	2b\n"
    "	b	1b\n"
    "bench_code_end:\n"
    "	.popsection\n");

#define CORE_REG(name)	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | \
			 KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

static bool set_reg(struct vm *vm, u64 id, u64 val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&val };

	return !ioctl(vm->vcpu, KVM_SET_ONE_REG, &reg);
}

static u64 now(void)
{
	u64 t;

	asm volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(t) : : "memory");
	return t;
}

/* Ticks of the counter to instructions, 1 ns each. */
static u64 instructions(u64 ticks)
{
	u64 hz;

	asm volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return ticks * 1000000000ull / hz;
}

/* The guest makes @n invalidations between one exit and the next. */
static u64 guest_run(struct vm *vm, u64 n)
{
	u64 t;

	must(set_reg(vm, CORE_REG(regs.regs[0]), n), "x0");
	must(set_reg(vm, CORE_REG(regs.regs[1]),
		     (u64)GUEST_ASID << 48 | DMA_IOVA >> 12), "x1");
	t = now();
	if (ioctl(vm->vcpu, KVM_RUN, 0))
		must(false, "KVM_RUN");
	return now() - t;
}

/* What the exit costs is in both runs and cancels out. */
static u64 cost_tlbi(struct vm *vm)
{
	u64 few = ~0ull, many = ~0ull, t;
	int i;

	for (i = 0; i < BATCHES; i++) {
		t = guest_run(vm, FEW);
		few = t < few ? t : few;
		t = guest_run(vm, MANY);
		many = t < many ? t : many;
	}
	return instructions(many - few) / (MANY - FEW);
}

/* A trapped write to the command queue's PROD: out to the VMM, which answers it, and in again. */
static u64 cost_exit(struct vm *vm)
{
	u64 best = ~0ull, t;
	int i, j;

	for (i = 0; i < BATCHES; i++) {
		t = now();
		for (j = 0; j < CALLS; j++) {
			if (!set_reg(vm, CORE_REG(regs.regs[0]), 0) ||
			    ioctl(vm->vcpu, KVM_RUN, 0))
				must(false, "KVM_RUN");
		}
		t = now() - t;
		best = t < best ? t : best;
	}
	return instructions(best) / CALLS;
}

static u64 cost_ioctl(struct vsmmu *v)
{
	u64 best = ~0ull, t;
	int i, j;

	for (i = 0; i < BATCHES; i++) {
		t = now();
		for (j = 0; j < CALLS; j++) {
			if (viommu_invalidate(v->g->iommufd, v->viommu,
					      CMD_TLBI_NH_VA |
					      CMD_ASID(GUEST_ASID), DMA_IOVA))
				must(false, "IOMMU_HWPT_INVALIDATE");
		}
		t = now() - t;
		best = t < best ? t : best;
	}
	return instructions(best) / CALLS;
}

/* One KVM_RUN that goes no further than loading the vCPU and putting it */
static u64 load(struct vm *vm)
{
	u64 t;
	int ret;

	vm->run->immediate_exit = 1;
	t = now();
	ret = ioctl(vm->vcpu, KVM_RUN, 0);
	t = now() - t;
	vm->run->immediate_exit = 0;
	if (ret != -1 || errno != EINTR)
		must(false, "KVM_RUN with immediate_exit: %d", ret);
	return t;
}

/* Two VMs take turns on the CPU, so that each load is that of another VMID */
static void cost_load(struct vm *vm[2], u64 cost[2])
{
	u64 t;
	int i;

	cost[0] = ~0ull;
	cost[1] = ~0ull;
	for (i = 0; i < 2 * BATCHES * CALLS; i++) {
		t = load(vm[i & 1]);
		cost[i & 1] = t < cost[i & 1] ? t : cost[i & 1];
	}
	cost[0] = instructions(cost[0]);
	cost[1] = instructions(cost[1]);
}

void case_bench(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct guest g, other;
	struct vsmmu v;
	u64 loads[2];

	guest_init(&g, fd, true);
	guest_init(&other, fd, true);
	vm_exec(&other.vm, GUEST_NOP, 0, 0);
	dev_open(d, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");

	memcpy(g.mem + OFF_BENCH, bench_code, bench_code_end - bench_code);
	__builtin___clear_cache((char *)g.mem + OFF_BENCH,
				(char *)g.mem + OFF_BENCH + PAGE);
	must(set_reg(&g.vm, CORE_REG(regs.pc), GPA_BASE + OFF_BENCH) &&
	     set_reg(&g.vm, CORE_REG(regs.regs[2]), GPA_EXIT), "registers");
	guest_run(&g.vm, 0);

	/* Shows in the trace which VMID the device has. */
	mark(STEP_BENCH_DMA);
	must(dma_lands(&g, d) == 'A', "DMA");

	mark(STEP_BENCH_TLBI);
	note("bench tlbi %lu", cost_tlbi(&g.vm));
	mark(STEP_BENCH_EXIT);
	note("bench exit %lu", cost_exit(&g.vm));
	mark(STEP_BENCH_IOCTL);
	note("bench ioctl %lu", cost_ioctl(&v));
	mark(STEP_BENCH_LOAD);
	cost_load((struct vm *[]){ &g.vm, &other.vm }, loads);
	note("bench load %lu, without a device %lu", loads[0], loads[1]);
	mark(STEP_DONE);
	note("bench calls %d", BATCHES * CALLS);

	dev_close(d);
	close(fd);
	vm_close(&g.vm);
	vm_close(&other.vm);
}
#endif
