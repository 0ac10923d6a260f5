// SPDX-License-Identifier: GPL-2.0-only
/*
 * Move: with 8-bit VMIDs on both sides, VM after VM asks for its number, and each
 * time the SMMU has it in use: for stage-2 tables without a VM, one after the
 * other, and for a vSMMU that shares nothing. Each VM must get it. The device
 * that has to give way does DMA all the while and must not notice. Only the trace
 * shows that its number changed.
 *
 * The numbers meet like this only in a boot that has not run a VM yet. Best with
 * -icount: see hammer.c.
 */
#include <unistd.h>

#include "case.h"

#define MOVE_STEPS(X)					\
	X(STEP_MOVE_HAMMER,	0x01, "hammer")		\
	X(STEP_MOVE_NESTED,	0x04, "hammer-nested")	\
	X(STEP_MOVE_REMAP,	0x02, "remap")		\
	X(STEP_MOVE_DMA,	0x03, "dma")

E2E_CASE(move, 16, "move", MOVE_STEPS,
	 .needs = NEEDS_KVM_VMID8 | NEEDS_SMMU_VMID8, .devices = 3);

#ifdef E2E_INIT
#include "e2e.h"

#define MAX_VMID	255
#define TABLES		64
#define PAUSE_US	300	/* leaves some of the CPU to the VMs */

/* One VM comes, asks and goes. True if it got what it asked for */
static bool one_vm(int fd, struct dev *d, struct guest *mem)
{
	struct vm vm;
	int s2, ret;
	u32 out;

	vm_create(&vm, mem->mem, PAGE);
	dev_open(d, fd, &vm);
	s2 = hwpt_alloc_parent(fd, d->id, mem->ioas);
	must(s2 > 0, "stage 2: %d", s2);
	ret = viommu_ask(fd, d->id, s2, ask_flags(), &out);
	if (ret > 0)
		must(!iommufd_destroy(fd, ret), "destroy the vSMMU");
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	dev_close(d);
	vm_close(&vm);
	return ret > 0 && out == flags_expected();
}

void case_move(void)
{
	struct dev *d = &testdev[0], *direct = &testdev[1];
	struct dev *nested = &testdev[2];
	struct hammer hd = { .d = direct, .iova = DMA_IOVA };
	struct hammer hn = { .d = nested, .iova = DMA_IOVA, .pause = PAUSE_US };
	int fd = iommufd_open(), s2_nested, tables[TABLES], last;
	unsigned int got = 0;
	struct guest gd, gn, mem;
	struct vsmmu v;
	int i;

	guest_init(&gd, fd, false);
	guest_init(&gn, fd, false);
	guest_init(&mem, fd, false);
	dev_open(direct, fd, NULL);
	dev_open(nested, fd, NULL);
	/* The table that moves last: other tables' invalidations are not its own */
	last = ioas_alloc(fd);
	must(!ioas_map(fd, last, gd.mem + OFF_PAGE_A, PAGE, DMA_IOVA) &&
	     !ioas_map(fd, gd.ioas, gd.mem + OFF_PAGE_A, PAGE, DMA_IOVA),
	     "map");

	/* Numbers from the top downward: the vSMMU has the largest one */
	s2_nested = hwpt_alloc_parent(fd, nested->id, gn.ioas);
	must(s2_nested > 0, "stage 2");
	for (i = 0; i < TABLES; i++) {
		tables[i] = hwpt_alloc_parent(fd, direct->id,
					      i ? gd.ioas : (u32)last);
		must(tables[i] > 0, "stage 2 number %d", i);
	}
	vsmmu_init(&v, &gn, nested, s2_nested, &gn.s1, 0);
	must(!dev_attach(nested, v.trans), "attach to nested translate");
	/* KVM's go upward: the next one is that of the last table */
	vm_churn(MAX_VMID - TABLES - 1);

	mark(STEP_MOVE_NESTED);
	hammer_start(&hn, gn.mem + OFF_PAGE_A);
	for (i = TABLES - 1; i >= 0; i--) {
		must(!dev_attach(direct, tables[i]), "attach to stage 2");
		mark(STEP_MOVE_HAMMER);
		hammer_start(&hd, gd.mem + OFF_PAGE_A);
		hammer_wait(&hd, 1);
		got += one_vm(fd, d, &mem);
		hammer_wait(&hd, 2);
		hammer_stop(&hd);
	}
	mark(STEP_MOVE_NESTED);
	got += one_vm(fd, d, &mem);
	hammer_wait(&hn, 2);
	hammer_stop(&hn);
	mark(STEP_MOVE_REMAP);
	check(got == TABLES + 1, "%u of %u VMs get what they ask for", got,
	      TABLES + 1);
	note("the device on stage 2:");
	hammer_check(&hd);
	note("the device behind a vSMMU:");
	hammer_check(&hn);

	/* The host's invalidations and the guest's have to name the new numbers */
	must(dma_lands(&gd, direct) == 'A' && dma_lands(&gn, nested) == 'A',
	     "both are cached");
	must(!ioas_unmap(fd, last, DMA_IOVA, PAGE) &&
	     !ioas_map(fd, last, gd.mem + OFF_PAGE_B, PAGE, DMA_IOVA),
	     "map another page there");
	s1_map(&gn.s1, OFF_PAGE_B);
	must(!viommu_invalidate(fd, v.viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	mark(STEP_MOVE_DMA);
	check(dma_lands(&gd, direct) == 'B', "unmap works after the move");
	check(dma_lands(&gn, nested) == 'B',
	      "a guest's command works after the move");
	mark(STEP_DONE);
	dev_close(direct);
	dev_close(nested);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* True if what the SMMU cached for one of the devices was under two VMIDs */
static bool moved(const struct span *s, int asid)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		if (e->asid == asid && e->iova == DMA_IOVA)
			add_vmid(&vmid, e->vmid);
	return vmid == SEVERAL;
}

void check_move(struct run *r)
{
	unsigned int steps = 0, moves = 0;
	struct span s, all;
	size_t from = 0;

	if (!rule(r, all_steps(r, &all), "move: steps"))
		return;
	while (step_after(r, STEP_MOVE_HAMMER, from, &s)) {
		from = s.last;
		steps++;
		moves += moved(&s, TRACE_NONE);
	}
	rule(r, steps >= 64 && moves == (r->share ? steps : 0),
	     "move: %u of %u stage-2 tables changed their VMIDs", moves, steps);
	rule(r, moved(&all, GUEST_ASID) == r->share,
	     "move: the vSMMU %s its VMID", r->share ? "changed" : "kept");
	rule(r, count(&all, EV_DMA_END) && !count(&all, EV_FAULT),
	     "move: %zu DMAs meanwhile, %zu faults", count(&all, EV_DMA_END),
	     count(&all, EV_FAULT));
	rule(r, step(r, STEP_MOVE_DMA, &s) && walked(&s),
	     "move: the vSMMU's device walks again after the guest's command");
}
#endif
