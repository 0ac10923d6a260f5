// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function is reset under a nested page table, with DMA before and after it and
 * with DMA under way. Devices of a root bus cannot be reset, those of a bus of
 * their own can, by a reset of that bus.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define RESET_STEPS(X)					\
	X(STEP_RESET_BEFORE,	0x01, "before")		\
	X(STEP_RESET_CANNOT,	0x02, "cannot")		\
	X(STEP_RESET_RESET,	0x03, "reset")		\
	X(STEP_RESET_AFTER,	0x04, "after")		\
	X(STEP_RESET_TLBI,	0x05, "tlbi")		\
	X(STEP_RESET_UNDER_WAY,	0x06, "under-way")	\
	X(STEP_RESET_END,	0x07, "end")

E2E_CASE(reset, 26, "reset", RESET_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

static struct dev *dev_on_own_bus(void)
{
	unsigned int i;

	for (i = 0; i < num_testdevs; i++)
		if (testdev[i].sid >> 8)
			return &testdev[i];
	return NULL;
}

/* A new page each time, and the one that a TLBI lets the device look up anew */
static void works_after(struct guest *g, struct dev *d, u64 page)
{
	mark(STEP_RESET_AFTER);
	check(dma_lands(g, d) == 'A', "DMA to the old page");
	check(dma_lands_at(g, d, PAGE_IOVA('B')) == 'B', "DMA to a new page");
	mark(STEP_RESET_TLBI);
	s1_map(&g->s1, page);
	vm_exec(&g->vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	check(dma_lands(g, d) == (btm_expected() ? 'C' : 'A'),
	      "the VM's TLBI %s", btm_expected() ? "reaches it" : "does not");
}

static void cannot(struct dev *d)
{
	int ret;

	mark(STEP_RESET_CANNOT);
	ret = dev_reset(d);
	check(ret == -EINVAL, "a device of the root bus: %d, expected %d", ret,
	      -EINVAL);
}

/* Started 100 ms before it reaches memory */
static char edu_lands(struct guest *g, bool reset)
{
	pages_clear(g);
	edu_write_start(&edu, PAGE_IOVA('B'), sizeof(u32));
	must(edu_busy(&edu), "DMA is under way");
	if (reset)
		check(!dev_reset(&edu), "reset with DMA under way");
	usleep(EDU_DELAY_MS * 1200);
	return pages_hit(g);
}

static void under_way(struct guest *g)
{
	char hit;

	edu_fill(g);
	check(edu_lands(g, false) == 'B', "DMA that takes its time");
	mark(STEP_RESET_UNDER_WAY);
	hit = edu_lands(g, true);
	check(hit == '-' || hit == 'B', "it arrives or is lost: in %c", hit);
	check(edu_lands(g, false) == 'B', "DMA afterwards");
}

void case_reset(void)
{
	struct dev *a = &testdev[0], *d = dev_on_own_bus();
	int fd = iommufd_open(), s2;
	struct vsmmu va, vd, ve;
	static struct usage before;
	struct guest g;

	must(d && edu.sid >> 8, "two devices on buses of their own");
	usage_read(&before);
	guest_init(&g, fd, true);
	dev_open(a, fd, &g.vm);
	dev_open(d, fd, &g.vm);
	dev_open(&edu, fd, &g.vm);
	burn_vmids(fd, a, &g);
	s2 = hwpt_alloc_parent(fd, a->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&va, &g, a, s2, &g.s1, ask_flags());
	vsmmu_join(&vd, &va, d, &g.s1);
	vsmmu_join(&ve, &va, &edu, &g.s1);
	must(!dev_attach(a, va.trans) && !dev_attach(d, vd.trans) &&
	     !dev_attach(&edu, ve.trans), "attach to nested translate");

	mark(STEP_RESET_BEFORE);
	must(dma_lands(&g, a) == 'A' && dma_lands(&g, d) == 'A', "DMA of both");
	cannot(a);
	check(dma_lands(&g, a) == 'A', "its DMA goes on");
	mark(STEP_RESET_RESET);
	check(!dev_reset(d), "a device of a bus of its own is reset");
	works_after(&g, d, OFF_PAGE_C);
	under_way(&g);

	dev_close(a);
	dev_close(&edu);
	guest_end(&g, d, STEP_RESET_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_reset(struct run *r)
{
	struct span s[STEP_RESET_END + 1], all;
	int kvm, vmid;

	if (!steps(r, STEP_RESET_BEFORE, STEP_RESET_END, s,
		   "reset"))
		return;
	kvm = guest_vmid(&s[STEP_RESET_TLBI]);
	all = between(&s[STEP_RESET_BEFORE], &s[STEP_RESET_END]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "reset: all devices have VMID %d, the VM has %d", vmid, kvm);
	rule(r, smmu_vmid(&s[STEP_RESET_AFTER]) == vmid,
	     "reset: the SMMU caches under it afterwards");
	rule(r, !count(&s[STEP_RESET_RESET], EV_CMD),
	     "reset: is no reason for a command to the SMMU");
	nothing_left(r, &s[STEP_RESET_BEFORE], &s[STEP_RESET_END], "reset");
}
#endif
