// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices of one VM, on one stage-2 table: both behind one vSMMU, with an
 * ASID each; then one behind it and one on the table itself, which the SMMU has
 * under another VMID. The guest's invalidations reach both, and so do those of
 * an unmap. The number is the vSMMU's until the second device has gone.
 */
#include <unistd.h>

#include "case.h"

#define TWO_DEVICES_STEPS(X)					\
	X(STEP_TWO_DEVICES_DMA,		0x01, "dma")		\
	X(STEP_TWO_DEVICES_TLBI,	0x02, "tlbi")		\
	X(STEP_TWO_DEVICES_CMD,		0x03, "guest-command")	\
	X(STEP_TWO_DEVICES_MAPPED,	0x04, "mapped")		\
	X(STEP_TWO_DEVICES_REMAP,	0x05, "remap")		\
	X(STEP_TWO_DEVICES_ONE,		0x06, "one-goes")	\
	X(STEP_TWO_DEVICES_END,		0x07, "end")

E2E_CASE(two_devices, 27, "two-devices", TWO_DEVICES_STEPS,
	 .needs = NEEDS_KVM, .devices = 2);

#ifdef E2E_INIT
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

	mark(STEP_TWO_DEVICES_DMA);
	check(dma_lands(g, va->d) == 'A' && dma_lands(g, vb->d) == 'B',
	      "each device in its own page");
	mark(STEP_TWO_DEVICES_TLBI);
	s1_map(&g->s1, OFF_PAGE_B);
	s1_map(sb, OFF_PAGE_C);
	vm_exec(&g->vm, GUEST_TLBI_ALL, 0, 0);
	check(dma_lands(g, va->d) == (btm ? 'B' : 'A') &&
	      dma_lands(g, vb->d) == (btm ? 'C' : 'B'),
	      "one TLBI %s", btm ? "is for both" : "is for neither");
	mark(STEP_TWO_DEVICES_CMD);
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
	mark(STEP_TWO_DEVICES_MAPPED);
	must(dma_lands(g, va->d) == 'A' && dma_lands_at(g, b, EXTRA) == 'A',
	     "both are cached");
	mark(STEP_TWO_DEVICES_REMAP);
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
	mark(STEP_TWO_DEVICES_ONE);
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
	guest_end(&g, b, STEP_TWO_DEVICES_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* The VMID under which the SMMU cached for one device */
static int vmid_of(const struct span *s, u32 sid)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		if (e->sid == sid)
			vmid = vmid == NONE || vmid == e->vmid ? e->vmid :
								 SEVERAL;
	return vmid;
}

/* The devices of the first and the last access of a step */
static void both_sids(const struct span *s, u32 *first, u32 *last)
{
	const struct ev *e;

	*first = TRACE_NO_SID;
	*last = TRACE_NO_SID;
	for_each_event(e, *s, EV_XLATE) {
		if (*first == TRACE_NO_SID)
			*first = e->sid;
		*last = e->sid;
	}
}

void check_two_devices(struct run *r)
{
	struct span s[STEP_TWO_DEVICES_END + 1];
	const struct span *remap = &s[STEP_TWO_DEVICES_REMAP];
	bool both;
	u32 a, b;
	int kvm, va, vb;

	if (!steps(r, STEP_TWO_DEVICES_DMA,
		   STEP_TWO_DEVICES_END, s, "two-devices"))
		return;
	both_sids(&s[STEP_TWO_DEVICES_DMA], &a, &b);
	kvm = guest_vmid(&s[STEP_TWO_DEVICES_TLBI]);
	va = vmid_of(&s[STEP_TWO_DEVICES_DMA], a);
	vb = vmid_of(&s[STEP_TWO_DEVICES_DMA], b);
	rule(r, a != b && va > 0 && va == vb && (va == kvm) == r->share,
	     "two-devices: both have VMID %d, the VM has %d", va, kvm);

	va = vmid_of(&s[STEP_TWO_DEVICES_MAPPED], a);
	vb = vmid_of(&s[STEP_TWO_DEVICES_MAPPED], b);
	rule(r, va > 0 && vb > 0 && (va != vb) == r->share,
	     "two-devices: nested %d, stage 2 only %d", va, vb);
	both = commanded(remap, "CMD_TLBI_S2_IPA", va) &&
	       commanded(remap, "CMD_TLBI_S2_IPA", vb);
	rule(r, both, "two-devices: an unmap invalidates under both");
	va = smmu_vmid(&s[STEP_TWO_DEVICES_ONE]);
	rule(r, va > 0 && (va == kvm) == r->share,
	     "two-devices: the one that stays has VMID %d", va);
	nothing_left(r, &s[STEP_TWO_DEVICES_DMA], &s[STEP_TWO_DEVICES_END],
		     "two-devices");
}
#endif
