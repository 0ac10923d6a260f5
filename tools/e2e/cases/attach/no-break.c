// SPDX-License-Identifier: GPL-2.0-only
/*
 * No break: a device's DMA is not disturbed while its attachment goes from
 * stage 2 to nested bypass, to nested translate, and back. The address means the
 * same memory in each of these states, so every single DMA must arrive.
 *
 * Best with -icount (and e2e.icount=1): see hammer.c.
 */
#include <string.h>
#include <unistd.h>

#include "case.h"

#define NO_BREAK_STEPS(X)					\
	X(STEP_NO_BREAK_HAMMER,		0x01, "hammer")		\
	X(STEP_NO_BREAK_DELAYED,	0x02, "delayed")

E2E_CASE(no_break, 4, "no-break", NO_BREAK_STEPS, .needs = NEEDS_KVM);

#define BETWEEN_STEPS(X)			\
	X(STEP_BETWEEN_HAMMER,	0x01, "hammer")	\
	X(STEP_BETWEEN_TURNS,	0x02, "turns")

E2E_CASE(no_break_between, 18, "no-break-between", BETWEEN_STEPS);

#ifdef E2E_INIT
#include "e2e.h"

#define HAMMER_ROUNDS	100
#define DELAYED_ROUNDS	4
#define EDU_LEN		256
#define TURNS		60

static void hammered(struct guest *g, struct dev *d, const u32 states[3])
{
	struct hammer h = { .d = d, .iova = GPA_BASE + OFF_PAGE_A };
	unsigned int i, bad = 0;

	mark(STEP_NO_BREAK_HAMMER);
	hammer_start(&h, g->mem + OFF_PAGE_A);
	for (i = 0; i < HAMMER_ROUNDS * 3; i++) {
		bad += !!dev_attach(d, states[i % 3]);
		hammer_wait(&h, 2);
	}
	hammer_stop(&h);

	check(!bad, "every attach succeeds (%u of %u failed)", bad,
	      HAMMER_ROUNDS * 3);
	hammer_check(&h);
}

/* Changes go on from the command to the device until its DMA, 100 ms later */
static void delayed(struct guest *g, const u32 states[3])
{
	u8 *src = g->mem + OFF_PAGE_B, *dst = g->mem + OFF_PAGE_C;
	unsigned int i, changes = 0, bad = 0, lost = 0;

	mark(STEP_NO_BREAK_DELAYED);
	for (i = 0; i < EDU_LEN; i++)
		src[i] = i ^ 0x5a;
	edu_read(&edu, GPA_BASE + OFF_PAGE_B, EDU_LEN);
	for (i = 0; i < DELAYED_ROUNDS; i++) {
		memset(dst, 0, EDU_LEN);
		edu_write_start(&edu, GPA_BASE + OFF_PAGE_C, EDU_LEN);
		while (edu_busy(&edu)) {
			bad += !!dev_attach(&edu, states[changes++ % 3]);
			usleep(500);
		}
		lost += !!memcmp(src, dst, EDU_LEN);
	}
	note("%u changes around %u delayed DMAs", changes, DELAYED_ROUNDS);
	check(changes >= DELAYED_ROUNDS * 3 && !bad,
	      "every attach succeeds (%u of %u failed)", bad, changes);
	check(!lost, "every delayed DMA arrives (%u did not)", lost);
}

void case_no_break(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2, ret;
	u32 states[3], edu_states[3];
	struct vsmmu v;
	struct guest g;
	u64 ste[2];

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	states[0] = v.bypass;
	states[1] = v.trans;
	states[2] = s2;
	hammered(&g, d, states);
	mark(STEP_DONE);

	if (!edu.bdf[0]) {
		note("no edu device, nothing is delayed");
		return;
	}
	/* edu is a second device behind the same vSMMU */
	dev_open(&edu, fd, &g.vm);
	must(vdevice_alloc(fd, v.viommu, edu.id, 0x200) > 0, "edu's vDEVICE");
	must(!dev_attach(&edu, s2), "attach edu to stage 2");
	s1_vste_bypass(ste);
	ret = hwpt_alloc_nested(fd, edu.id, v.viommu, ste);
	must(ret > 0, "edu's nested bypass");
	edu_states[0] = ret;
	s1_vste(&g.s1, ste);
	ret = hwpt_alloc_nested(fd, edu.id, v.viommu, ste);
	must(ret > 0, "edu's nested translate");
	edu_states[1] = ret;
	edu_states[2] = s2;
	delayed(&g, edu_states);
	mark(STEP_DONE);

	dev_close(&edu);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}

/* True if it worked. A device has one vDEVICE, so that goes first */
static bool go_to(struct vsmmu *from, struct vsmmu *to)
{
	int fd = from->g->iommufd, ret;

	if (iommufd_destroy(fd, from->vdevice))
		return false;
	ret = vdevice_alloc(fd, to->viommu, to->d->id, 0x100);
	if (ret < 0)
		return false;
	to->vdevice = ret;
	return !dev_attach(to->d, to->trans);
}

/*
 * The same from one vSMMU of a stage 2 to another and back. An address that only
 * both stage 1 know means the same page at first. Then it means two, under one
 * ASID: nothing of the other vSMMU's may be left, not even for a moment.
 */
void case_no_break_between(void)
{
	struct hammer h = { .d = &testdev[0], .iova = DMA_IOVA };
	unsigned int i, bad = 0, astray = 0;
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct stage1 second;
	struct vsmmu v[2];
	struct guest g;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v[0], &g, d, s2, &g.s1, 0);
	must(!iommufd_destroy(fd, v[0].vdevice), "destroy vDEVICE");
	s1_init(&second, g.mem, OFF_S1_SECOND, GUEST_ASID);
	s1_map(&second, OFF_PAGE_A);
	vsmmu_init(&v[1], &g, d, s2, &second, 0);
	must(!dev_attach(d, v[1].trans), "attach to nested translate");

	mark(STEP_BETWEEN_HAMMER);
	hammer_start(&h, g.mem + OFF_PAGE_A);
	for (i = 0; i < HAMMER_ROUNDS; i++) {
		bad += !go_to(&v[!(i & 1)], &v[i & 1]);
		hammer_wait(&h, 2);
	}
	hammer_stop(&h);
	mark(STEP_BETWEEN_TURNS);
	check(!bad, "every change succeeds (%u failed)", bad);
	hammer_check(&h);

	s1_map(&second, OFF_PAGE_B);
	must(!viommu_invalidate(fd, v[1].viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	for (i = 0; i < TURNS; i++) {
		hammer_start(&h, g.mem + OFF_PAGE_A);
		hammer_wait(&h, 1);
		must(go_to(&v[!(i & 1)], &v[i & 1]), "change %u", i);
		hammer_stop(&h);
		astray += dma_lands(&g, d) != (i & 1 ? 'B' : 'A');
	}
	check(!h.refused, "none of them is refused (%u were)", h.refused);
	/* The unpatched kernel gives both one VMID: an alias */
	check(!!astray == !e2e.patched, "%u of %u DMAs go by the other stage 1",
	      astray, TURNS);
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/*
 * DMAs between two writes of an STE that belong to one change: what a change can
 * disturb. Each write is followed by a CFGI_STE; a SYNC without another
 * CFGI_STE behind it, or a prefetch, ends the change.
 */
static unsigned int dma_inside(const struct span *s)
{
	unsigned int n = 0, since = 0;
	bool inside = false;
	size_t i;

	for (i = s->first; i < s->last; i++) {
		const struct ev *e = &s->t->ev[i];

		if (e->kind == EV_DMA_END) {
			since++;
		} else if (e->kind == EV_CMD && !strcmp(e->op, "CMD_CFGI_STE")) {
			n += inside ? since : 0;
			inside = true;
			since = 0;
		} else if (e->kind == EV_CMD && strcmp(e->op, "CMD_SYNC")) {
			inside = false;
		}
	}
	return n;
}

void check_no_break(struct run *r)
{
	unsigned int refused = 0, bypassed = 0, vmids = 0;
	bool stage2 = false, nested = false;
	struct span s, all;
	int first = NONE;
	const struct ev *e;

	if (!rule(r, step(r, STEP_NO_BREAK_HAMMER, &s) && all_steps(r, &all),
		  "no-break: steps"))
		return;
	for_each_event(e, s, EV_INSERT) {
		stage2 |= e->asid == TRACE_NONE;
		nested |= e->asid == GUEST_ASID;
		if (first == NONE)
			first = e->vmid;
		else if (e->vmid != first)
			vmids = 2;
	}
	rule(r, stage2 && nested, "no-break: both kinds of STE were live");
	rule(r, (vmids == 2) == r->share, "no-break: %s",
	     r->share ? "with a VMID each" : "with one VMID");
	for_each_event(e, all, EV_DMA_END)
		refused += e->val == TESTDEV_REFUSED;
	for_each_event(e, all, EV_XLATE)
		bypassed += e->op[0] != '\0';
	/* Else it is a matter of luck, and of how busy the machine is */
	if (r->icount && r->share)
		rule(r, dma_inside(&s) >= 10,
		     "no-break: %u of %zu DMAs fell between the writes of a change",
		     dma_inside(&s), count(&s, EV_DMA_END));
	rule(r, !refused && !count(&all, EV_FAULT),
	     "no-break: no DMA refused (%u), no fault (%zu)", refused,
	     count(&all, EV_FAULT));
	rule(r, !bypassed, "no-break: no DMA past the tables (%u)", bypassed);
}
#endif
