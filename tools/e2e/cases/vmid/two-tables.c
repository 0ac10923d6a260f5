// SPDX-License-Identifier: GPL-2.0-only
/*
 * One VM with a stage-2 table for each of its two devices, and a vSMMU over each.
 * At most one of them has the VM's number: the other is private, or refused if
 * it insists, in either order. The tables map different memory at the same
 * addresses; were the numbers the same, the second device would hit what the
 * first one has cached.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define TWO_TABLES_STEPS(X)					\
	X(STEP_TWO_TABLES_DMA_FIRST,	0x01, "dma-first")	\
	X(STEP_TWO_TABLES_DMA_SECOND,	0x02, "dma-second")	\
	X(STEP_TWO_TABLES_DMA_AGAIN,	0x03, "dma-again")	\
	X(STEP_TWO_TABLES_TLBI,		0x04, "tlbi")		\
	X(STEP_TWO_TABLES_DMA_TLBI,	0x05, "dma-after-tlbi")	\
	X(STEP_TWO_TABLES_END,		0x06, "end")

E2E_CASE(two_tables, 29, "two-tables", TWO_TABLES_STEPS,
	 .needs = NEEDS_KVM, .devices = 2);

#ifdef E2E_INIT
#include "e2e.h"

/* A device in its own memory, and not in the other's */
static bool keeps_apart(struct vsmmu *v, struct vsmmu *other, char page)
{
	pages_clear(other->g);
	return dma_lands(v->g, v->d) == page && pages_hit(other->g) == '-';
}

static void dma(unsigned int r, struct vsmmu *a, struct vsmmu *b)
{
	mark(ROUND(r, STEP_TWO_TABLES_DMA_FIRST));
	check(keeps_apart(a, b, 'A'), "the first device in its own memory");
	mark(ROUND(r, STEP_TWO_TABLES_DMA_SECOND));
	check(keeps_apart(b, a, 'A'), "the second device in its own memory");
	mark(ROUND(r, STEP_TWO_TABLES_DMA_AGAIN));
	check(keeps_apart(a, b, 'A'), "the first one is where it was");
}

/* @vm invalidates; the first device obeys if it can, the second one does not */
static void invalidate(unsigned int r, struct vsmmu *a, struct vsmmu *b,
		       struct vm *vm)
{
	const char expected = btm_expected() ? 'B' : 'A';

	s1_map(&a->g->s1, OFF_PAGE_B);
	s1_map(&b->g->s1, OFF_PAGE_B);
	mark(ROUND(r, STEP_TWO_TABLES_TLBI));
	vm_exec(vm, GUEST_TLBI_ALL, 0, 0);
	mark(ROUND(r, STEP_TWO_TABLES_DMA_TLBI));
	check(keeps_apart(a, b, expected), "after the VM's TLBI the first in %c",
	      expected);
	check(keeps_apart(b, a, 'A'), "and the second still in A");
	vsmmu_tlbi_all(b);
	check(keeps_apart(b, a, 'B'), "after its command in B");
}

static void in_order(unsigned int r, struct guest *ga, struct dev *a,
		     struct guest *gb, struct dev *b, struct vm *vm)
{
	int sa, sb, ret, fd = ga->iommufd;
	struct vsmmu va, vb;

	s1_map(&ga->s1, OFF_PAGE_A);
	s1_map(&gb->s1, OFF_PAGE_A);
	sa = hwpt_alloc_parent(fd, a->id, ga->ioas);
	sb = hwpt_alloc_parent(fd, b->id, gb->ioas);
	must(sa > 0 && sb > 0, "two stage 2");
	vsmmu_init(&va, ga, a, sa, &ga->s1, ask_flags());
	check(va.out_flags == flags_expected(), "the first one: %#x, expected %#x",
	      va.out_flags, flags_expected());
	ret = vsmmu_insist(gb, b, sb);
	check(ret == insist_expected(), "the second one insists: %d, expected %d", ret,
	      insist_expected());
	vsmmu_init(&vb, gb, b, sb, &gb->s1, 0);
	check(!vb.out_flags, "the second one: %#x, expected 0", vb.out_flags);
	must(!dev_attach(a, va.trans) && !dev_attach(b, vb.trans),
	     "attach both to nested translate");
	dma(r, &va, &vb);
	invalidate(r, &va, &vb, vm);
	must(!dev_detach(a) && !dev_detach(b), "detach both");
	vsmmu_destroy(&va);
	vsmmu_destroy(&vb);
	must(!iommufd_destroy(fd, sa) && !iommufd_destroy(fd, sb),
	     "destroy both stage 2");
}

void case_two_tables(void)
{
	struct dev *a = &testdev[0], *b = &testdev[1];
	static struct usage before;
	int fd = iommufd_open();
	struct guest ga, gb;

	usage_read(&before);
	guest_init(&ga, fd, true);
	guest_init(&gb, fd, false);
	dev_open(a, fd, &ga.vm);
	dev_open(b, fd, &ga.vm);
	burn_vmids(fd, a, &ga);
	in_order(0, &ga, a, &gb, b, &ga.vm);
	in_order(1, &gb, b, &ga, a, &ga.vm);
	dev_close(b);
	guest_end(&ga, a, STEP_TWO_TABLES_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void two_tables_round(struct run *r, unsigned int round,
			     const char *name)
{
	struct span s[STEP_TWO_TABLES_DMA_TLBI + 1];
	const struct span *dma = &s[STEP_TWO_TABLES_DMA_FIRST];
	const struct span *dma2 = &s[STEP_TWO_TABLES_DMA_SECOND];
	const struct span *again = &s[STEP_TWO_TABLES_DMA_AGAIN];
	int first, second, kvm;

	if (!steps(r, ROUND(round, STEP_TWO_TABLES_DMA_FIRST),
		   ROUND(round, STEP_TWO_TABLES_DMA_TLBI), s, name))
		return;
	first = smmu_vmid(dma);
	second = smmu_vmid(dma2);
	kvm = guest_vmid(&s[STEP_TWO_TABLES_TLBI]);
	rule(r, kvm > 0 && first > 0 && (first == kvm) == r->share,
	     "%s: the first has VMID %d, the VM %d", name, first, kvm);
	rule(r, second > 0 && second != first && second != kvm,
	     "%s: the second has VMID %d", name, second);
	rule(r, landed(dma) && landed(dma) != landed(dma2),
	     "%s: a page each", name);
	rule(r, landed(again) == landed(dma), "%s: the first keeps its page",
	     name);
}

void check_two_tables(struct run *r)
{
	two_tables_round(r, 0, "two-tables: one first");
	two_tables_round(r, 1, "two-tables: the other first");
	nothing_left_at(r, STEP_TWO_TABLES_DMA_FIRST, STEP_TWO_TABLES_END, "two-tables");
}
#endif
