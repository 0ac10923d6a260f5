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

#include "e2e.h"

#define HAMMER_ROUNDS	100
#define DELAYED_ROUNDS	4
#define EDU_LEN		256
#define TURNS		60
#define CMD_TLBI_NH_ALL	0x10ull

static void hammered(struct guest *g, struct dev *d, const u32 states[3])
{
	struct hammer h = { .d = d, .iova = GPA_BASE + OFF_PAGE_A };
	unsigned int i, bad = 0;

	mark(CASE_NO_BREAK, STEP_NO_BREAK_HAMMER);
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

	mark(CASE_NO_BREAK, STEP_NO_BREAK_DELAYED);
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
	mark(CASE_NO_BREAK, STEP_NO_BREAK_DONE);

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
	mark(CASE_NO_BREAK, STEP_NO_BREAK_DONE);

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
 * From translate under one vSMMU of a stage 2 to translate under another and back. No
 * STE between them keeps the guests apart, so DMA in flight may be refused; what is not
 * is in the right page. An address that only both stage 1 know means the same page at
 * first. Then it means two, under one ASID: nothing of the other vSMMU's may be left,
 * not even for a moment.
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

	mark(CASE_BETWEEN, STEP_BETWEEN_HAMMER);
	hammer_start(&h, g.mem + OFF_PAGE_A);
	for (i = 0; i < HAMMER_ROUNDS; i++) {
		bad += !go_to(&v[!(i & 1)], &v[i & 1]);
		hammer_wait(&h, 2);
	}
	hammer_stop(&h);
	mark(CASE_BETWEEN, STEP_BETWEEN_TURNS);
	check(!bad, "every change succeeds (%u failed)", bad);
	note("%u of %u DMAs are refused", h.refused, h.done);
	check(!h.lost, "every DMA arrives or is refused (%u did not)", h.lost);

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
	/* The unpatched kernel gives both one VMID: an alias */
	check(!!astray == !e2e.patched, "%u of %u DMAs go by the other stage 1",
	      astray, TURNS);
	mark(CASE_BETWEEN, STEP_BETWEEN_DONE);
	dev_close(d);
	close(fd);
}
