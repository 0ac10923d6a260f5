// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SMMU has no VMID left. From translate under one vSMMU to translate under
 * another takes one more for a moment: it is refused, and all is as before: the
 * device's DMA, the guest's command and the host's unmap. With one number free it
 * works. The unpatched kernel, for which both vSMMUs are under one number, needs
 * none.
 *
 * For an SMMU with 8-bit VMIDs.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define FULL_STEPS(X)				\
	X(STEP_FULL_ATTACH,	0x01, "attach")	\
	X(STEP_FULL_DMA,	0x02, "dma")	\
	X(STEP_FULL_FREE,	0x03, "free")

E2E_CASE(full, 21, "full", FULL_STEPS, .needs = NEEDS_SMMU_VMID8);

#ifdef E2E_INIT
#include "e2e.h"

#define NUMBERS		255
#define VSID		0x100

/* Returns the last of the stage-2 tables that took all numbers */
static u32 fill(int fd, struct dev *d)
{
	int ioas = ioas_alloc(fd), id, last = 0;
	unsigned int n = 0;

	must(ioas > 0, "IOAS");
	while ((id = hwpt_alloc_parent(fd, d->id, ioas)) > 0 && n++ < NUMBERS)
		last = id;
	check(id == -ENOSPC, "one stage 2 too many: %d, expected %d", id,
	      -ENOSPC);
	must(last, "a stage 2 that takes a number");
	return last;
}

static void as_before(struct guest *g, struct vsmmu *v)
{
	char hit;

	mark(STEP_FULL_DMA);
	hit = dma_lands(g, v->d);
	check(hit == 'A', "DMA in %c, expected A", hit);

	s1_map(&g->s1, OFF_PAGE_C);
	must(!viommu_invalidate(g->iommufd, v->viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	hit = dma_lands(g, v->d);
	check(hit == 'C', "after the guest's command: DMA in %c, expected C",
	      hit);

	must(!ioas_unmap(g->iommufd, g->ioas, GPA_BASE, GUEST_SIZE) &&
	     !ioas_map(g->iommufd, g->ioas, g->mem, OFF_PAGE_C, GPA_BASE) &&
	     !ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_B, PAGE,
		       GPA_BASE + OFF_PAGE_C), "other memory");
	hit = dma_lands(g, v->d);
	check(hit == 'B', "after an unmap: DMA in %c, expected B", hit);
}

void case_full(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2, ret;
	struct stage1 second;
	struct vsmmu v[2];
	struct guest g;
	u32 last;
	char hit;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v[0], &g, d, s2, &g.s1, 0);
	must(!dev_attach(d, v[0].trans), "attach to nested translate");
	must(!iommufd_destroy(fd, v[0].vdevice), "destroy vDEVICE");
	s1_init(&second, g.mem, OFF_S1_SECOND, GUEST_ASID);
	s1_map(&second, OFF_PAGE_A);
	vsmmu_init(&v[1], &g, d, s2, &second, 0);
	last = fill(fd, d);

	mark(STEP_FULL_ATTACH);
	ret = dev_attach(d, v[1].trans);
	if (!e2e.patched) {
		check(!ret, "attach to the other vSMMU: %d", ret);
		mark(STEP_DONE);
		goto out;
	}
	check(ret == -ENOSPC, "attach to the other vSMMU: %d, expected %d", ret,
	      -ENOSPC);
	as_before(&g, &v[0]);

	must(!iommufd_destroy(fd, last), "free a number");
	mark(STEP_FULL_FREE);
	ret = dev_attach(d, v[1].trans);
	check(!ret, "attach with a number free: %d", ret);
	hit = dma_lands(&g, d);
	check(hit == 'A', "DMA in %c, expected A", hit);
	mark(STEP_DONE);
out:
	dev_close(d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_full(struct run *r)
{
	struct span s;
	size_t stes;

	if (!rule(r, step(r, STEP_FULL_ATTACH, &s), "full: step"))
		return;
	stes = trace_count(s.t, EV_CMD, "CMD_CFGI_STE", s.first, s.last);
	rule(r, !stes == r->patched,
	     "full: the attach without a VMID writes %zu STEs", stes);
}
#endif
