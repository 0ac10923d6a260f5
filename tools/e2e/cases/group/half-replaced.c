// SPDX-License-Identifier: GPL-2.0-only
/*
 * A replace that fails half way. Two functions of one device, so one group, are on
 * a translating page table of a vSMMU. The vDEVICE of the first one goes to another
 * vSMMU, and the group is to go to a page table of that: the first function can, the
 * second, which has no vDEVICE there, cannot, so the first one goes back, without its
 * vDEVICE. Then the group is detached and the vSMMUs are destroyed. The second
 * function does DMA all along.
 *
 * Their numbers are free now, and the next vSMMUs get them, over other memory, whose
 * guest uses the same ASID and address. What is left of the old one would be hit: a
 * DMA would land in the dead guest's page.
 *
 * The unpatched kernel refuses to take the first one back, blocks it, and warns.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define HALF_STEPS(X)				\
	X(STEP_HALF_BEFORE,	0x01, "before")	\
	X(STEP_HALF_REPLACE,	0x02, "replace")	\
	X(STEP_HALF_BACK,	0x06, "back")	\
	X(STEP_HALF_DETACH,	0x03, "detach")	\
	X(STEP_HALF_AFTER,	0x04, "after")	\
	X(STEP_HALF_END,	0x05, "end")

#define HALF_ROUNDS	40

E2E_CASE(half_replaced, 40, "half-replaced", HALF_STEPS,
	 .needs = NEEDS_PAIR, .refuses = true);

#ifdef E2E_INIT
#include "e2e.h"

#define VSID	0x200

/* Two vSMMUs over one stage 2, each with a page table for the functions' stage 1 */
struct two {
	u32 s2;
	u32 viommu[2];
	u32 trans[2];
};

static u32 get(int id, const char *what)
{
	must(id > 0, "%s: %d", what, id);
	return id;
}

static void two_init(struct two *t, struct guest *g, struct dev *d, u32 flags)
{
	int fd = g->iommufd, i;
	u64 ste[2];
	u32 out;

	t->s2 = get(hwpt_alloc_parent(fd, d->id, g->ioas), "stage 2");
	s1_vste(&g->s1, ste);
	for (i = 0; i < 2; i++) {
		t->viommu[i] = get(viommu_ask(fd, d->id, t->s2, i ? 0 : flags,
					      &out), "vSMMU");
		t->trans[i] = get(hwpt_alloc_nested(fd, d->id, t->viommu[i],
						    ste), "nested translate");
	}
}

static void two_destroy(struct two *t, int fd)
{
	int i;

	for (i = 0; i < 2; i++)
		must(!iommufd_destroy(fd, t->trans[i]) &&
		     !iommufd_destroy(fd, t->viommu[i]), "destroy a vSMMU");
	must(!iommufd_destroy(fd, t->s2), "destroy stage 2");
}

static void both_detach(struct dev *a, struct dev *b)
{
	must(!dev_detach(a) && !dev_detach(b), "detach both");
}

/**
 * struct tally - what came of the rounds
 * @failed: the replace failed
 * @back: DMA of the first function went through afterwards
 * @astray: DMA of the next guest went elsewhere
 */
struct tally {
	unsigned int failed;
	unsigned int back;
	unsigned int astray;
};

static void half_way(struct guest *g, struct dev *a, struct dev *b, u32 flags,
		     struct tally *y)
{
	struct hammer h = { .d = b, .iova = DMA_IOVA };
	int fd = g->iommufd;
	u32 vdev[2];
	struct two t;

	two_init(&t, g, a, flags);
	vdev[0] = get(vdevice_alloc(fd, t.viommu[0], a->id, VSID), "vDEVICE");
	vdev[1] = get(vdevice_alloc(fd, t.viommu[0], b->id, VSID + 1), "vDEVICE");
	must(!pair_attach(a, b, t.trans[0]), "attach to nested translate");
	mark(STEP_HALF_BEFORE);
	must(dma_lands(g, a) == 'A' && dma_lands(g, b) == 'A', "DMA of both");

	must(!iommufd_destroy(fd, vdev[0]), "destroy the first vDEVICE");
	vdev[0] = get(vdevice_alloc(fd, t.viommu[1], a->id, VSID), "vDEVICE");
	hammer_start(&h, g->mem + OFF_PAGE_A);
	hammer_wait(&h, 2);
	mark(STEP_HALF_REPLACE);
	y->failed += dev_attach(a, t.trans[1]) < 0;
	hammer_wait(&h, 2);
	mark(STEP_HALF_BACK);
	/* So that the SMMU has to look it up again */
	must(!viommu_invalidate(fd, t.viommu[0], CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	y->back += testdev_dma(a, DMA_IOVA);
	hammer_wait(&h, 2);
	mark(STEP_HALF_DETACH);
	both_detach(a, b);
	hammer_wait(&h, 2);
	must(!iommufd_destroy(fd, vdev[0]) && !iommufd_destroy(fd, vdev[1]),
	     "destroy the vDEVICEs");
	two_destroy(&t, fd);
	hammer_stop(&h);
}

static void after(struct guest *g, struct guest *dead, struct dev *a,
		  struct dev *b, struct tally *y)
{
	struct dev *dev[2] = { a, b };
	int fd = g->iommufd, i, j;
	bool astray = false;
	u32 vdev[2];
	struct two t;

	two_init(&t, g, a, 0);
	mark(STEP_HALF_AFTER);
	for (i = 0; i < 2; i++) {
		for (j = 0; j < 2; j++)
			vdev[j] = get(vdevice_alloc(fd, t.viommu[i], dev[j]->id,
						    VSID + j), "vDEVICE");
		must(!pair_attach(a, b, t.trans[i]), "attach to nested translate");
		for (j = 0; j < 2; j++) {
			pages_clear(dead);
			astray |= dma_lands(g, dev[j]) != 'A' ||
				  pages_hit(dead) != '-';
		}
		both_detach(a, b);
		for (j = 0; j < 2; j++)
			must(!iommufd_destroy(fd, vdev[j]), "destroy a vDEVICE");
	}
	two_destroy(&t, fd);
	y->astray += astray;
}

static void rounds(struct guest *old, struct guest *new, struct dev *a,
		   struct dev *b, u32 flags)
{
	const char *kind = flags ? "shared" : "private";
	struct tally y = { };
	unsigned int i, back;

	for (i = 0; i < HALF_ROUNDS / 2; i++) {
		half_way(old, a, b, flags, &y);
		after(new, old, a, b, &y);
	}
	back = e2e.patched ? i : 0;
	check(y.failed == i, "%s: the second function cannot follow (%u of %u)",
	      kind, y.failed, i);
	check(y.back == back, "%s: the first one is back in %u of %u, expected %u",
	      kind, y.back, i, back);
	check(!y.astray, "%s: in %u of %u rounds DMA of the next guest goes astray",
	      kind, y.astray, i);
}

void case_half_replaced(void)
{
	const bool with_vm = e2e.kvm >= 0;
	struct guest old, new;
	int fd = iommufd_open();
	static struct usage before;
	struct dev *a, *b;

	must(devs_pair(&a, &b), "a device with two functions");
	/* 7.3 warns of that, and of the entry that is not in the array, inlined or not */
	if (!e2e.patched) {
		allow_warning("__iommu_group_set_domain_internal");
		allow_warning("arm_smmu_invs_unref");
		allow_warning("arm_smmu_install_old_domain_invs");
	}
	usage_read(&before);
	guest_init(&old, fd, with_vm);
	guest_init(&new, fd, false);
	dev_open(a, fd, with_vm ? &old.vm : NULL);
	dev_open(b, fd, with_vm ? &old.vm : NULL);
	rounds(&old, &new, a, b, 0);
	if (share_expected())
		rounds(&old, &new, a, b, ask_flags());
	mark(STEP_HALF_END);
	dev_close(a);
	dev_close(b);
	close(fd);
	if (with_vm)
		vm_close(&old.vm);
	usage_check(&before, "all closed");
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_half_replaced(struct run *r)
{
	unsigned int rounds = 0, left = 0, back = 0;
	struct span before, there, after, all;
	size_t from = 0;

	while (step_after(r, STEP_HALF_BEFORE, from, &before) &&
	       step_after(r, STEP_HALF_BACK, before.last, &there) &&
	       step_after(r, STEP_HALF_AFTER, there.last, &after)) {
		from = after.last;
		rounds++;
		back += smmu_vmid(&there) == smmu_vmid(&before);
		all = between(&before, &after);
		left += left_behind(&all) != NONE;
	}
	rule(r, rounds == (r->share ? HALF_ROUNDS : HALF_ROUNDS / 2),
	     "half-replaced: %u rounds", rounds);
	rule(r, back == rounds, "half-replaced: in %u all is under the first vSMMU's VMID",
	     back);
	rule(r, !left, "half-replaced: %u leave entries in the SMMU's TLB", left);
}
#endif
