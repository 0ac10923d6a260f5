// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two functions of one device: one group with two StreamIDs, which are attached,
 * replaced and detached together, whichever of them is asked. Behind one vSMMU the
 * guest's invalidations and an unmap are for both; a vDEVICE each is needed to
 * translate, none to bypass. With one only, an attach fails, and neither of them
 * is left attached. Nothing is left in the end.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define TWO_FUNCTIONS_STEPS(X)					\
	X(STEP_TWO_FUNCTIONS_ONE,	0x01, "one-vdevice")	\
	X(STEP_TWO_FUNCTIONS_DMA,	0x02, "dma")		\
	X(STEP_TWO_FUNCTIONS_TLBI,	0x03, "tlbi")		\
	X(STEP_TWO_FUNCTIONS_CMD,	0x04, "guest-command")	\
	X(STEP_TWO_FUNCTIONS_UNMAP,	0x05, "unmap")		\
	X(STEP_TWO_FUNCTIONS_REPLACE,	0x06, "replace")	\
	X(STEP_TWO_FUNCTIONS_FIRST,	0x07, "first-detached")	\
	X(STEP_TWO_FUNCTIONS_SECOND,	0x08, "second-detached") \
	X(STEP_TWO_FUNCTIONS_END,	0x09, "end")

E2E_CASE(two_functions, 41, "two-functions", TWO_FUNCTIONS_STEPS,
	 .needs = NEEDS_KVM | NEEDS_PAIR, .refuses = true);

#ifdef E2E_INIT
#include "e2e.h"

#define ROUNDS		30
#define VSID		0x300
/* A page that can be unmapped by itself */
#define EXTRA_OFF	0x10000000ul
#define EXTRA		(GPA_BASE + EXTRA_OFF)

static void map_extra(struct guest *g)
{
	ioas_unmap(g->iommufd, g->ioas, EXTRA, PAGE);
	must(!ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_A, PAGE, EXTRA),
	     "map");
}

/* After another page has taken the place of A */
static char extra_lands(struct guest *g, struct dev *a, struct dev *b, u64 iova)
{
	must(!ioas_unmap(g->iommufd, g->ioas, EXTRA, PAGE) &&
	     !ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_C, PAGE, EXTRA),
	     "another page there");
	return pair_lands_at(g, a, b, iova);
}

/* Only the first function has a vDEVICE */
static void one_vdevice(struct guest *g, struct vsmmu *v, struct dev *a,
			struct dev *b)
{
	static struct usage before, after;
	char hit;
	int ret;

	map_extra(g);
	mark(STEP_TWO_FUNCTIONS_ONE);
	must(!pair_attach(a, b, v->bypass), "attach to nested bypass");
	check(dma_lands_at(g, a, PAGE_IOVA('A')) == 'A' &&
	      dma_lands_at(g, b, PAGE_IOVA('B')) == 'B',
	      "nested bypass needs no vDEVICE");
	must(pair_lands_at(g, a, b, EXTRA) == 'A', "both are cached");
	hit = extra_lands(g, a, b, EXTRA);
	check(hit == 'C', "unmap, one vDEVICE: DMA of both in %c, expected C", hit);
	map_extra(g);
	ret = dev_attach(a, v->trans);
	check(ret == -ENOENT, "replace, one has no vDEVICE: %d, expected %d",
	      ret, -ENOENT);
	check(dma_lands_at(g, a, PAGE_IOVA('C')) == 'C' &&
	      dma_lands_at(g, b, PAGE_IOVA('C')) == 'C', "both are where they were");
	must(!dev_detach(a) && !dev_detach(b), "detach both");

	usage_read(&before);
	ret = dev_attach(a, v->trans);
	check(ret == -ENOENT, "attach, one has no vDEVICE: %d, expected %d", ret,
	      -ENOENT);
	check(pair_lands(g, a, b) == '!', "neither of them is attached");
	usage_read(&after);
	check(usage_same(&before, &after), "nothing is left of the attach");
}

static void invalidate(struct guest *g, struct vsmmu *v, struct dev *a,
		       struct dev *b)
{
	const char after = btm_expected() ? 'B' : 'A';
	char hit;

	mark(STEP_TWO_FUNCTIONS_DMA);
	check(pair_lands(g, a, b) == 'A', "DMA of both");
	mark(STEP_TWO_FUNCTIONS_TLBI);
	s1_map(&g->s1, OFF_PAGE_B);
	vm_exec(&g->vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	hit = pair_lands(g, a, b);
	check(hit == after, "the VM's TLBI: DMA of both in %c, expected %c", hit,
	      after);
	mark(STEP_TWO_FUNCTIONS_CMD);
	vsmmu_tlbi_all(v);
	hit = pair_lands(g, a, b);
	check(hit == 'B', "the guest's command: DMA of both in %c, expected B",
	      hit);

	s1_map(&g->s1, EXTRA_OFF);
	vsmmu_tlbi_all(v);
	must(pair_lands(g, a, b) == 'A', "both are cached");
	mark(STEP_TWO_FUNCTIONS_UNMAP);
	hit = extra_lands(g, a, b, DMA_IOVA);
	check(hit == 'C', "unmap: DMA of both in %c, expected C", hit);
}

/* Either of them is asked. Not a single DMA of the second is disturbed */
static void replace(struct guest *g, struct vsmmu *v, struct dev *a,
		    struct dev *b)
{
	const u32 states[3] = { v->bypass, v->s2, v->trans };
	struct hammer h = { .d = b, .iova = PAGE_IOVA('A') };
	unsigned int i, bad = 0;

	mark(STEP_TWO_FUNCTIONS_REPLACE);
	hammer_start(&h, g->mem + OFF_PAGE_A);
	for (i = 0; i < ROUNDS; i++) {
		bad += !!dev_attach(i % 2 ? a : b, states[i % 3]);
		hammer_wait(&h, 2);
	}
	hammer_stop(&h);
	check(!bad, "every replace succeeds (%u of %u failed)", bad, ROUNDS);
	hammer_check(&h);
}

static void detach(struct guest *g, struct dev *a, struct dev *b)
{
	mark(STEP_TWO_FUNCTIONS_FIRST);
	must(!dev_detach(a), "detach the first");
	check(pair_lands(g, a, b) == 'C', "one detached: DMA of both goes on");
	mark(STEP_TWO_FUNCTIONS_SECOND);
	must(!dev_detach(b), "detach the second");
	check(pair_lands(g, a, b) == '!', "both detached: DMA of both is refused");
}

void case_two_functions(void)
{
	static struct usage before;
	int fd = iommufd_open(), s2, vdev;
	struct dev *a, *b;
	struct vsmmu v;
	struct guest g;

	must(devs_pair(&a, &b), "a device with two functions");
	usage_read(&before);
	guest_init(&g, fd, true);
	dev_open(a, fd, &g.vm);
	dev_open(b, fd, &g.vm);
	burn_vmids(fd, a, &g);
	s2 = hwpt_alloc_parent(fd, a->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, a, s2, &g.s1, ask_flags());

	one_vdevice(&g, &v, a, b);
	vdev = vdevice_alloc(fd, v.viommu, b->id, VSID);
	must(vdev > 0, "the second vDEVICE: %d", vdev);
	must(!pair_attach(a, b, v.trans), "attach to nested translate");
	invalidate(&g, &v, a, b);
	replace(&g, &v, a, b);
	detach(&g, a, b);
	dev_close(b);
	guest_end(&g, a, STEP_TWO_FUNCTIONS_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* The VMID under which the SMMU cached for either function, if it did for both */
static int vmid_of_both(const struct span *s)
{
	const struct ev *e;
	u32 sid[2] = { TRACE_NO_SID, TRACE_NO_SID };
	int vmid = NONE;

	for_each_event(e, *s, EV_XLATE) {
		if (sid[0] == TRACE_NO_SID)
			sid[0] = e->sid;
		else if (e->sid != sid[0])
			sid[1] = e->sid;
	}
	if (sid[1] != (sid[0] ^ 1))
		return NONE;
	for_each_event(e, *s, EV_INSERT)
		add_vmid(&vmid, e->vmid);
	return vmid;
}

void check_two_functions(struct run *r)
{
	struct span s[STEP_TWO_FUNCTIONS_END + 1];
	int vmid, kvm, one;

	if (!steps(r, STEP_TWO_FUNCTIONS_ONE, STEP_TWO_FUNCTIONS_END, s,
		   "two-functions"))
		return;
	vmid = vmid_of_both(&s[STEP_TWO_FUNCTIONS_DMA]);
	kvm = guest_vmid(&s[STEP_TWO_FUNCTIONS_TLBI]);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "two-functions: both have VMID %d, the VM has %d", vmid, kvm);
	one = vmid_of_both(&s[STEP_TWO_FUNCTIONS_ONE]);
	rule(r, one == vmid, "two-functions: and %d with one vDEVICE", one);
	rule(r, !count(&s[STEP_TWO_FUNCTIONS_REPLACE], EV_FAULT),
	     "two-functions: no access is refused over the replaces");
	rule(r, count(&s[STEP_TWO_FUNCTIONS_SECOND], EV_FAULT) == 2,
	     "two-functions: one of each is when both are detached");
	nothing_left(r, &s[STEP_TWO_FUNCTIONS_ONE], &s[STEP_TWO_FUNCTIONS_END],
		     "two-functions");
}
#endif
