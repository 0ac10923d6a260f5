// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two VMs, a device each, in one iommufd and over one stage-2 table. The table is
 * tagged with the number of one VM; the other VM's vSMMU has a private one, or is
 * refused if it insists, in either order. So the devices, whose guests use the
 * same ASID and IOVA, keep apart, and each listens to its own guest. Linux 7.3
 * gives both vSMMUs the number of the table, and the second device lands in the
 * first one's page.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

/* Two rounds each: one comes first, then the other */
#define TWO_VMS_STEPS(X)					\
	X(STEP_TWO_VMS_DMA_FIRST,	0x01, "dma-first")	\
	X(STEP_TWO_VMS_DMA_SECOND,	0x02, "dma-second")	\
	X(STEP_TWO_VMS_TLBI_FIRST,	0x03, "tlbi-first")	\
	X(STEP_TWO_VMS_TLBI_SECOND,	0x04, "tlbi-second")	\
	X(STEP_TWO_VMS_END,		0x05, "end")

E2E_CASE(two_vms, 28, "two-vms", TWO_VMS_STEPS,
	 .needs = NEEDS_KVM, .devices = 2);

#ifdef E2E_INIT
#include "e2e.h"

/* One VM and its device; all share an iommufd and memory */
struct side {
	struct guest *g;
	struct vm vm;
	struct dev *d;
	struct stage1 s1;
	struct vsmmu v;
};

/* The stage 1 of a side changes; its device after @vm's TLBI */
static char after_tlbi(struct side *s, struct side *by, u64 page)
{
	s1_map(&s->s1, page);
	vm_exec(&by->vm, GUEST_TLBI_ALL, 0, 0);
	return dma_lands(s->g, s->d);
}

/* @a comes first: its vSMMU can have its VM's number, that of @b cannot */
static void in_order(unsigned int r, struct side *a, struct side *b, int s2)
{
	const char first = 'A', second = e2e.patched ? 'B' : 'A';
	struct guest *g = a->g;
	char hit;
	int ret;

	s1_map(&a->s1, OFF_PAGE_A);
	s1_map(&b->s1, OFF_PAGE_B);
	vsmmu_init(&a->v, g, a->d, s2, &a->s1, ask_flags());
	check(a->v.out_flags == flags_expected(), "the first VM: %#x, expected %#x",
	      a->v.out_flags, flags_expected());
	ret = vsmmu_insist(g, b->d, s2);
	check(ret == insist_expected(), "the second VM insists: %d, expected %d", ret,
	      insist_expected());
	vsmmu_init(&b->v, g, b->d, s2, &b->s1, 0);
	check(!b->v.out_flags, "the second VM: %#x, expected 0",
	      b->v.out_flags);
	must(!dev_attach(a->d, a->v.trans) && !dev_attach(b->d, b->v.trans),
	     "attach both to nested translate");

	mark(ROUND(r, STEP_TWO_VMS_DMA_FIRST));
	check(dma_lands(g, a->d) == first, "the first VM's DMA in A");
	mark(ROUND(r, STEP_TWO_VMS_DMA_SECOND));
	hit = dma_lands(g, b->d);
	check(hit == second, "the second VM's DMA in %c, expected %c", hit,
	      second);
	mark(ROUND(r, STEP_TWO_VMS_TLBI_FIRST));
	hit = after_tlbi(b, a, OFF_PAGE_C);
	check(hit == second, "not by the first VM's TLBI: DMA in %c", hit);
	mark(ROUND(r, STEP_TWO_VMS_TLBI_SECOND));
	hit = after_tlbi(b, b, OFF_PAGE_C);
	check(hit == second, "nor by its own: DMA in %c", hit);
	vsmmu_tlbi_all(&b->v);
	hit = dma_lands(g, b->d);
	check(hit == 'C', "but by its command: DMA in %c, expected C", hit);

	must(!dev_detach(a->d) && !dev_detach(b->d), "detach both");
	vsmmu_destroy(&a->v);
	vsmmu_destroy(&b->v);
}

static void side_init(struct side *s, struct guest *g, struct dev *d, u64 off)
{
	s->g = g;
	s->d = d;
	s1_init(&s->s1, g->mem, off, GUEST_ASID);
	vm_create(&s->vm, g->mem, GUEST_SIZE);
	dev_open(d, g->iommufd, &s->vm);
}

void case_two_vms(void)
{
	static struct usage before;
	struct side one, two;
	struct guest g;
	int s2;

	usage_read(&before);
	guest_init(&g, iommufd_open(), false);
	side_init(&one, &g, &testdev[0], 0);
	side_init(&two, &g, &testdev[1], OFF_S1_SECOND);
	burn_vmids(g.iommufd, one.d, &g);
	s2 = hwpt_alloc_parent(g.iommufd, one.d->id, g.ioas);
	must(s2 > 0, "stage 2");

	in_order(0, &one, &two, s2);
	in_order(1, &two, &one, s2);
	dev_close(one.d);
	dev_close(two.d);
	close(g.iommufd);
	vm_close(&one.vm);
	vm_close(&two.vm);
	mark(STEP_TWO_VMS_END);
	usage_check(&before, "both VMs gone");
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void two_vms_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_TWO_VMS_TLBI_SECOND + 1];
	const struct span *dma = &s[STEP_TWO_VMS_DMA_FIRST];
	const struct span *dma2 = &s[STEP_TWO_VMS_DMA_SECOND];
	int first, second, vm, vm2;
	bool hit;

	if (!steps(r, ROUND(round, STEP_TWO_VMS_DMA_FIRST),
		   ROUND(round, STEP_TWO_VMS_TLBI_SECOND), s, name))
		return;
	first = smmu_vmid(dma);
	second = smmu_vmid(dma2);
	vm = guest_vmid(&s[STEP_TWO_VMS_TLBI_FIRST]);
	vm2 = guest_vmid(&s[STEP_TWO_VMS_TLBI_SECOND]);
	rule(r, first > 0 && vm > 0 && vm2 > 0 && (first == vm) == r->share,
	     "%s: VMs %d and %d, the first device %d", name, vm, vm2, first);
	if (r->patched) {
		rule(r, second > 0 && second != first && second != vm2,
		     "%s: the second device has neither, but %d", name, second);
		return;
	}
	hit = !walked(dma2) && landed(dma2) == landed(dma);
	rule(r, hit, "%s: the second hits what the first has cached", name);
}

void check_two_vms(struct run *r)
{
	two_vms_round(r, 0, "two-vms: one first");
	two_vms_round(r, 1, "two-vms: the other first");
	nothing_left_at(r, STEP_TWO_VMS_DMA_FIRST, STEP_TWO_VMS_END, "two-vms");
}
#endif
