// SPDX-License-Identifier: GPL-2.0-only
/*
 * No break between two stage-2 tables: the VMID and the table of an STE change at once
 * where the CPUs have FEAT_LSE2, so no DMA is refused. Where they have not, some is,
 * as by the unpatched kernel. After each change DMA goes by the new table.
 *
 * Best with -icount (and e2e.icount=1): see hammer.c.
 */
#include <unistd.h>

#include "case.h"

#define NO_BREAK_S2_STEPS(X)				\
	X(STEP_NO_BREAK_S2_HAMMER,	0x01, "hammer")	\
	X(STEP_NO_BREAK_S2_TURNS,	0x02, "turns")

E2E_CASE(no_break_s2, 35, "no-break-stage-2", NO_BREAK_S2_STEPS, .refuses = true);

/* Changes in the first step */
#define NO_BREAK_S2_ROUNDS	200u

#ifdef E2E_INIT
#include "e2e.h"

#define TURNS	60
#define IOVA	(GPA_BASE + OFF_PAGE_A)

static bool lands(struct guest *g, struct dev *d, u64 page_off)
{
	volatile u32 *word = (u32 *)(g->mem + page_off);

	*word = 0;
	return testdev_dma(d, IOVA) && *word == TESTDEV_DATA;
}

void case_no_break_s2(void)
{
	bool hitless = e2e.patched && e2e.lse2;
	struct hammer h = { .d = &testdev[0], .iova = IOVA };
	unsigned int i, bad = 0, astray = 0;
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), other, s2[2];
	struct guest g;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	for (i = 0; i < 2; i++) {
		s2[i] = hwpt_alloc_parent(fd, d->id, g.ioas);
		must(s2[i] > 0, "stage 2");
	}
	must(!dev_attach(d, s2[1]), "attach to stage 2");

	mark(STEP_NO_BREAK_S2_HAMMER);
	hammer_start(&h, g.mem + OFF_PAGE_A);
	for (i = 0; i < NO_BREAK_S2_ROUNDS; i++) {
		bad += !!dev_attach(d, s2[i % 2]);
		hammer_wait(&h, 2);
	}
	hammer_stop(&h);
	mark(STEP_NO_BREAK_S2_TURNS);
	check(!bad, "every change succeeds (%u failed)", bad);
	check(!h.lost, "every DMA arrives or is refused (%u did not)", h.lost);
	check(!h.refused == hitless, "%u of %u DMAs are refused, expected %s",
	      h.refused, h.done, hitless ? "none" : "some");

	other = ioas_alloc(fd);
	must(other > 0 && !ioas_map(fd, other, g.mem + OFF_PAGE_B, PAGE, IOVA),
	     "other memory");
	must(!dev_attach(d, s2[0]), "attach to stage 2");
	must(!iommufd_destroy(fd, s2[1]), "destroy stage 2");
	s2[1] = hwpt_alloc_parent(fd, d->id, other);
	must(s2[1] > 0, "another stage 2");
	for (i = 0; i < TURNS; i++) {
		must(!dev_attach(d, s2[i % 2]), "change %u", i);
		astray += !lands(&g, d, i % 2 ? OFF_PAGE_B : OFF_PAGE_A);
	}
	check(!astray, "%u of %u DMAs go by the other table", astray, TURNS);
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* One write of the STE for each change, or three with V=0 on the way */
void check_no_break_s2(struct run *r)
{
	unsigned int writes = r->patched && r->lse2 ? 1 : 3;
	struct span s;
	size_t stes;

	if (!rule(r, step(r, STEP_NO_BREAK_S2_HAMMER, &s), "no-break-stage-2: step"))
		return;
	stes = trace_count(s.t, EV_CMD, "CMD_CFGI_STE", s.first, s.last);
	rule(r, stes == writes * NO_BREAK_S2_ROUNDS,
	     "no-break-stage-2: %zu writes of the STE in %u changes, expected %u each",
	     stes, NO_BREAK_S2_ROUNDS, writes);
	rule(r, !count(&s, EV_FAULT) == (writes == 1),
	     "no-break-stage-2: %zu accesses refused, expected %s",
	     count(&s, EV_FAULT), writes == 1 ? "none" : "some");
}
#endif
