// SPDX-License-Identifier: GPL-2.0-only
/*
 * No alias inside a VM: two vSMMUs over one stage 2 use the same ASID and the
 * same IOVA for different pages. Linux 7.3 gives both one VMID, and the second
 * device's DMA lands where the first one's went.
 */
#include <unistd.h>

#include "case.h"

/* Two rounds: no VM, and a VM that asks to share */
#define NO_ALIAS_STEPS(X)					\
	X(STEP_NO_ALIAS_DMA_A,		0x01, "dma-a")		\
	X(STEP_NO_ALIAS_DMA_B,		0x02, "dma-b")		\
	X(STEP_NO_ALIAS_DMA_A_AGAIN,	0x03, "dma-a-again")

E2E_CASE(no_alias, 3, "no-alias", NO_ALIAS_STEPS, .devices = 2);

#ifdef E2E_INIT
#include "e2e.h"

static void round_run(unsigned int r, bool with_vm)
{
	const char *what = with_vm ? "a VM" : "no VM";
	struct dev *da = &testdev[0], *db = &testdev[1];
	const char expected = e2e.patched ? 'B' : 'A';
	int fd = iommufd_open(), s2;
	struct stage1 second;
	struct vsmmu va, vb;
	struct guest g;
	char hit;

	guest_init(&g, fd, with_vm);
	s1_init(&second, g.mem, OFF_S1_SECOND, GUEST_ASID);
	s1_map(&second, OFF_PAGE_B);
	dev_open(da, fd, with_vm ? &g.vm : NULL);
	dev_open(db, fd, with_vm ? &g.vm : NULL);
	s2 = hwpt_alloc_parent(fd, da->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&va, &g, da, s2, &g.s1, with_vm ? ask_flags() : 0);
	vsmmu_init(&vb, &g, db, s2, &second, 0);
	check(!vb.out_flags, "%s: the second vSMMU shares nothing (%#x)", what,
	      vb.out_flags);
	must(!dev_attach(da, va.trans) && !dev_attach(db, vb.trans),
	     "attach both to nested translate");

	mark(ROUND(r, STEP_NO_ALIAS_DMA_A));
	check(dma_lands(&g, da) == 'A', "%s: the first vSMMU's DMA in A", what);
	mark(ROUND(r, STEP_NO_ALIAS_DMA_B));
	hit = dma_lands(&g, db);
	check(hit == expected, "%s: the second vSMMU's DMA in %c, expected %c",
	      what, hit, expected);
	mark(ROUND(r, STEP_NO_ALIAS_DMA_A_AGAIN));
	check(dma_lands(&g, da) == 'A', "%s: the first's is still in A", what);

	mark(STEP_DONE);
	dev_close(da);
	dev_close(db);
	close(fd);
	if (with_vm)
		vm_close(&g.vm);
}

void case_no_alias(void)
{
	round_run(0, false);
	if (e2e.kvm >= 0)
		round_run(1, true);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void no_alias_round(struct run *r, unsigned int round, const char *name)
{
	struct span a, b, again;
	int va, vb;

	if (!rule(r, step(r, ROUND(round, STEP_NO_ALIAS_DMA_A), &a) &&
		  step(r, ROUND(round, STEP_NO_ALIAS_DMA_B), &b) &&
		  step(r, ROUND(round, STEP_NO_ALIAS_DMA_A_AGAIN), &again),
		  "no-alias: %s: steps", name))
		return;
	va = smmu_vmid(&a);
	vb = smmu_vmid(&b);
	rule(r, landed(&a) && landed(&again) == landed(&a),
	     "no-alias: %s: the first device keeps its page", name);
	if (r->patched) {
		rule(r, va > 0 && vb > 0 && va != vb,
		     "no-alias: %s: VMIDs %d and %d differ", name, va, vb);
		rule(r, landed(&b) && landed(&b) != landed(&a),
		     "no-alias: %s: pages differ", name);
		return;
	}
	rule(r, va > 0 && va == vb && walked(&a) && !walked(&b),
	     "no-alias: %s: the second device hits what the first one cached",
	     name);
	rule(r, landed(&b) == landed(&a), "no-alias: %s: one page for both",
	     name);
}

void check_no_alias(struct run *r)
{
	no_alias_round(r, 0, "no VM");
	if (r->kvm)
		no_alias_round(r, 1, "a VM");
}
#endif
