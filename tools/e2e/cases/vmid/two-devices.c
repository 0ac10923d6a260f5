// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices of one VM, on one stage-2 table: both behind one vSMMU, with an
 * ASID each; then one behind it and one on the table itself, which the SMMU has
 * under another VMID. The guest's invalidations reach both, and so do those of
 * an unmap. The number is the vSMMU's until the second device has gone.
 */
#include <unistd.h>

#include "e2e.h"

#define OTHER_ASID	(GUEST_ASID + 1)
/* A page that can be unmapped by itself */
#define EXTRA_OFF	0x10000000ul
#define EXTRA		(GPA_BASE + EXTRA_OFF)

/* Pages change places in both stage 1: A and B become B and C */
static void invalidate_both(struct vsmmu *va, struct vsmmu *vb,
			    struct stage1 *sb)
{
	const bool btm = btm_expected();
	struct guest *g = va->g;

	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_DMA);
	check(dma_lands(g, va->d) == 'A' && dma_lands(g, vb->d) == 'B',
	      "each device in its own page");
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_TLBI);
	s1_map(&g->s1, OFF_PAGE_B);
	s1_map(sb, OFF_PAGE_C);
	vm_exec(&g->vm, GUEST_TLBI_ALL, 0, 0);
	check(dma_lands(g, va->d) == (btm ? 'B' : 'A') &&
	      dma_lands(g, vb->d) == (btm ? 'C' : 'B'),
	      "one TLBI %s", btm ? "is for both" : "is for neither");
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_CMD);
	vsmmu_tlbi_all(va);
	check(dma_lands(g, va->d) == 'B' && dma_lands(g, vb->d) == 'C',
	      "one command is for both");
}

/* The second device goes to the table itself; a page of that is replaced */
static void remap(struct vsmmu *va, struct dev *b)
{
	struct guest *g = va->g;
	int fd = g->iommufd;

	must(!ioas_map(fd, g->ioas, g->mem + OFF_PAGE_A, PAGE, EXTRA), "map");
	s1_map(&g->s1, EXTRA_OFF);
	vsmmu_tlbi_all(va);
	must(!dev_attach(b, va->s2), "attach to stage 2");
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_MAPPED);
	must(dma_lands(g, va->d) == 'A' && dma_lands_at(g, b, EXTRA) == 'A',
	     "both are cached");
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_REMAP);
	must(!ioas_unmap(fd, g->ioas, EXTRA, PAGE), "unmap");
	must(!ioas_map(fd, g->ioas, g->mem + OFF_PAGE_B, PAGE, EXTRA),
	     "map another page there");
	check(dma_lands(g, va->d) == 'B', "unmap: the nested device follows");
	check(dma_lands_at(g, b, EXTRA) == 'B', "unmap: the other one too");
}

static void one_goes(struct vsmmu *va, struct vsmmu *vb)
{
	struct guest *g = va->g;
	static struct usage both, one;

	must(!dev_attach(vb->d, vb->trans), "attach to nested translate");
	usage_read(&both);
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_ONE);
	dev_close(va->d);
	check(dma_lands(g, vb->d) == 'C', "one goes, the other's DMA goes on");
	usage_read(&one);
	check(one.vmids == both.vmids &&
	      one.pins == both.pins, "and so does the VMID");
}

void case_two_devices(void)
{
	struct dev *a = &testdev[0], *b = &testdev[1];
	int fd = iommufd_open(), s2;
	static struct usage before;
	struct vsmmu va, vb;
	struct stage1 sb;
	struct guest g;

	if (num_testdevs < 2)
		skip("two test devices are needed");
	usage_read(&before);
	guest_init(&g, fd, true);
	s1_init(&sb, g.mem, OFF_S1_SECOND, OTHER_ASID);
	s1_map(&sb, OFF_PAGE_B);
	dev_open(a, fd, &g.vm);
	dev_open(b, fd, &g.vm);
	burn_vmids(fd, a, &g);
	s2 = hwpt_alloc_parent(fd, a->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&va, &g, a, s2, &g.s1, ask_flags());
	vsmmu_join(&vb, &va, b, &sb);
	must(!dev_attach(a, va.trans) && !dev_attach(b, vb.trans),
	     "attach both to nested translate");

	invalidate_both(&va, &vb, &sb);
	remap(&va, b);
	one_goes(&va, &vb);
	dev_close(b);
	close(fd);
	vm_close(&g.vm);
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_END);
	usage_check(&before, "both gone");
	mark(CASE_TWO_DEVICES, STEP_TWO_DEVICES_DONE);
}
