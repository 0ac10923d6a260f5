// SPDX-License-Identifier: GPL-2.0-only
/*
 * Detach: the DMA of a device that user space takes off its page table is refused, and
 * nothing that the SMMU cached for it is left; attached again, it arrives again. On
 * both kernels.
 */
#include <unistd.h>

#include "case.h"

#define DETACH_STEPS(X)					\
	X(STEP_DETACH_FIRST_DMA,	0x01, "first-dma")	\
	X(STEP_DETACH_DETACH,		0x02, "detach")		\
	X(STEP_DETACH_REFUSED_DMA,	0x03, "refused-dma")	\
	X(STEP_DETACH_ATTACH,		0x04, "attach")		\
	X(STEP_DETACH_AGAIN_DMA,	0x05, "again-dma")

E2E_CASE(detach, 73, "detach", DETACH_STEPS, .devices = 1, .refuses = true);

#ifdef E2E_INIT
#include "e2e.h"

void case_detach(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct guest g;
	bool through;
	char hit;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");

	mark(STEP_DETACH_FIRST_DMA);
	check(dma_lands_at(&g, d, PAGE_IOVA('A')) == 'A',
	      "attached: DMA lands in its page");

	mark(STEP_DETACH_DETACH);
	check(!dev_detach(d), "detach");

	mark(STEP_DETACH_REFUSED_DMA);
	pages_clear(&g);
	through = testdev_dma(d, PAGE_IOVA('A'));
	hit = pages_hit(&g);
	check(!through, "detached: DMA is refused");
	check(hit == '-', "detached: DMA in %c, expected -", hit);

	mark(STEP_DETACH_ATTACH);
	must(!dev_attach(d, s2), "attach to stage 2 again");

	mark(STEP_DETACH_AGAIN_DMA);
	check(dma_lands_at(&g, d, PAGE_IOVA('A')) == 'A',
	      "attached again: DMA lands in its page");

	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* The one access of a step, and the device that it is from, came through */
static u32 detach_arrived(struct run *r, const struct span *s, const char *name)
{
	u32 sid = TRACE_NO_SID;
	const struct ev *e;

	for_each_event(e, *s, EV_XLATE)
		sid = e->sid;
	rule(r, count(s, EV_DMA) == 1 && landed(s) && !count(s, EV_FAULT),
	     "detach: %s: DMA arrives", name);
	rule(r, smmu_vmid(s) > 0, "detach: %s: the SMMU caches under VMID %d",
	     name, smmu_vmid(s));
	return sid;
}

void check_detach(struct run *r)
{
	struct span first, detach, refused, again;
	const struct ev *e;
	bool ours = true;
	u32 sid;

	if (!rule(r, step(r, STEP_DETACH_FIRST_DMA, &first) &&
		  step(r, STEP_DETACH_DETACH, &detach) &&
		  step(r, STEP_DETACH_REFUSED_DMA, &refused) &&
		  step(r, STEP_DETACH_AGAIN_DMA, &again),
		  "detach: steps"))
		return;

	sid = detach_arrived(r, &first, "attached");
	nothing_left(r, &first, &refused, "detach: detached");

	for_each_event(e, refused, EV_FAULT)
		ours &= e->sid == sid;
	rule(r, count(&refused, EV_DMA) == 1 && count(&refused, EV_FAULT) == 1 && ours,
	     "detach: detached: the SMMU refuses the device's access");
	rule(r, !landed(&refused) && !count(&refused, EV_INSERT),
	     "detach: detached: nothing is translated or cached");

	rule(r, detach_arrived(r, &again, "attached again") == sid &&
	     landed(&again) == landed(&first),
	     "detach: attached again: to the same page");
}
#endif
