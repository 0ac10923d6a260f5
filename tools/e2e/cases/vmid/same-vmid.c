// SPDX-License-Identifier: GPL-2.0-only
/*
 * Same VMID: what the SMMU caches for a VM's device is tagged with the number in
 * that VM's own TLBIs, for translating and for bypassing nested streams. The
 * numbers themselves are only in the trace; here, DMA must land.
 */
#include <string.h>
#include <unistd.h>

#include "case.h"

#define SAME_VMID_STEPS(X)					\
	X(STEP_SAME_VMID_BURN,		0x01, "burn")		\
	X(STEP_SAME_VMID_TRANS_DMA,	0x02, "translate-dma")	\
	X(STEP_SAME_VMID_TRANS_TLBI,	0x03, "translate-tlbi")	\
	X(STEP_SAME_VMID_BYPASS_DMA,	0x04, "bypass-dma")	\
	X(STEP_SAME_VMID_BYPASS_TLBI,	0x05, "bypass-tlbi")

E2E_CASE(same_vmid, 1, "same-vmid", SAME_VMID_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

/* debugfs names the device beside the VMID that it is attached under */
static void check_debugfs(const struct dev *d, const char *kind)
{
	FILE *f = smmu_debugfs_open("vmids");
	struct vmid_row row;
	unsigned int found = 0;
	bool right = false;
	char line[512];

	if (!e2e.patched)
		return;
	must(f, "the VMIDs in debugfs");
	while (fgets(line, sizeof(line), f)) {
		if (!vmid_row_parse(line, &row) || !strstr(row.names, d->bdf))
			continue;
		found++;
		right = !strcmp(row.kind, kind);
	}
	fclose(f);
	check(found == 1 && right, "debugfs has %s under a %s VMID", d->bdf, kind);
}

void case_same_vmid(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	mark(STEP_SAME_VMID_BURN);
	burn_vmids(fd, d, &g);

	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	check_debugfs(d, "private");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	check(v.out_flags == flags_expected(), "reported: %#x, expected %#x",
	      v.out_flags, flags_expected());

	must(!dev_attach(d, v.trans), "attach to nested translate");
	check_debugfs(d, v.out_flags ? "shared" : "private");
	mark(STEP_SAME_VMID_TRANS_DMA);
	check(dma_lands(&g, d) == 'A', "translated DMA lands in its page");
	mark(STEP_SAME_VMID_TRANS_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	must(!dev_attach(d, v.bypass), "attach to nested bypass");
	mark(STEP_SAME_VMID_BYPASS_DMA);
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_B) && pages_hit(&g) == 'B',
	      "bypassing DMA lands in its page");
	mark(STEP_SAME_VMID_BYPASS_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	mark(STEP_DONE);
	must(!dev_attach(d, s2), "back to stage 2");
	vsmmu_destroy(&v);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void same_vmid_of(struct run *r, unsigned int dma, unsigned int tlbi,
			 int asid, const char *name)
{
	struct span d, t;
	const struct ev *e;
	bool tagged = false;
	int smmu, kvm;

	if (!rule(r, step(r, dma, &d) &&
		  step(r, tlbi, &t),
		  "same-vmid: %s: steps", name))
		return;
	smmu = smmu_vmid(&d);
	kvm = guest_vmid(&t);
	rule(r, smmu > 0 && kvm > 0, "same-vmid: %s: SMMU %d and KVM %d", name,
	     smmu, kvm);
	rule(r, (smmu == kvm) == r->share, "same-vmid: %s: %s", name,
	     r->share ? "the same VMID" : "different VMIDs");
	for_each_event(e, d, EV_INSERT)
		tagged |= e->asid == asid;
	rule(r, tagged, "same-vmid: %s: the SMMU caches under ASID %d", name,
	     asid);
	for_each_event(e, t, EV_TLBI)
		if (by_guest(e))
			rule(r, e->to_smmu == r->btm,
			     "same-vmid: %s: the TLBI %s the SMMU", name,
			     r->btm ? "reaches" : "does not reach");
}

void check_same_vmid(struct run *r)
{
	struct span s;
	unsigned int tlbis = 0;
	bool found;

	rule(r, step(r, STEP_SAME_VMID_BURN, &s) &&
	     guest_vmids(&s, NONE, &found, &tlbis) >= 5,
	     "same-vmid: other VMs took numbers before");
	same_vmid_of(r, STEP_SAME_VMID_TRANS_DMA, STEP_SAME_VMID_TRANS_TLBI,
		     GUEST_ASID, "translate");
	same_vmid_of(r, STEP_SAME_VMID_BYPASS_DMA, STEP_SAME_VMID_BYPASS_TLBI,
		     TRACE_NONE, "bypass");
}
#endif
