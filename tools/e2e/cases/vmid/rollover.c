// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rollover: with 8-bit VMIDs, 300 VMs come and go while a vSMMU shares its VM's
 * number. The number must not move and nobody else may have it; the trace shows
 * both. On the unpatched kernel the VM moves and the SMMU does not know.
 */
#include <unistd.h>

#include "case.h"

#define ROLLOVER_STEPS(X)					\
	X(STEP_ROLLOVER_DMA_BEFORE,	0x01, "dma-before")	\
	X(STEP_ROLLOVER_TLBI_BEFORE,	0x02, "tlbi-before")	\
	X(STEP_ROLLOVER_CHURN,		0x03, "churn")		\
	X(STEP_ROLLOVER_DMA_AFTER,	0x04, "dma-after")	\
	X(STEP_ROLLOVER_TLBI_AFTER,	0x05, "tlbi-after")	\
	X(STEP_ROLLOVER_DMA_NEW,	0x06, "dma-new")

E2E_CASE(rollover, 6, "rollover", ROLLOVER_STEPS, .needs = NEEDS_KVM_VMID8);

#ifdef E2E_INIT
#include "e2e.h"

#define CHURN	300

void case_rollover(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	char hit;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");

	mark(STEP_ROLLOVER_DMA_BEFORE);
	check(dma_lands(&g, d) == 'A', "DMA before the rollover");
	mark(STEP_ROLLOVER_TLBI_BEFORE);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	mark(STEP_ROLLOVER_CHURN);
	vm_churn(CHURN);

	/* The second address is new to the SMMU: its insert shows the VMID */
	mark(STEP_ROLLOVER_DMA_AFTER);
	check(dma_lands(&g, d) == 'A', "DMA after the rollover");
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_C) && pages_hit(&g) == 'C',
	      "DMA to a new address after the rollover");

	mark(STEP_ROLLOVER_TLBI_AFTER);
	s1_map(&g.s1, OFF_PAGE_B);
	vm_exec(&g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	mark(STEP_ROLLOVER_DMA_NEW);
	hit = dma_lands(&g, d);
	check(hit == (btm_expected() ? 'B' : 'A'),
	      "TLBI after the rollover: DMA in %c, expected %c", hit,
	      btm_expected() ? 'B' : 'A');

	mark(STEP_DONE);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_rollover(struct run *r)
{
	struct span s[STEP_ROLLOVER_DMA_NEW + 1];
	unsigned int i, distinct, tlbis;
	int kvm, kvm_after, smmu, smmu_after;
	bool taken;

	for (i = STEP_ROLLOVER_DMA_BEFORE; i <= STEP_ROLLOVER_DMA_NEW; i++)
		if (!step(r, i, &s[i])) {
			rule(r, false, "rollover: step %u", i);
			return;
		}
	smmu = smmu_vmid(&s[STEP_ROLLOVER_DMA_BEFORE]);
	smmu_after = smmu_vmid(&s[STEP_ROLLOVER_DMA_AFTER]);
	kvm = guest_vmid(&s[STEP_ROLLOVER_TLBI_BEFORE]);
	kvm_after = guest_vmid(&s[STEP_ROLLOVER_TLBI_AFTER]);
	distinct = guest_vmids(&s[STEP_ROLLOVER_CHURN], kvm, &taken, &tlbis);

	rule(r, tlbis >= 300 && distinct < tlbis,
	     "rollover: %u VMs had %u numbers: there was a rollover", tlbis,
	     distinct);
	rule(r, smmu > 0 && smmu_after == smmu,
	     "rollover: the SMMU's VMID was %d and is %d", smmu, smmu_after);
	rule(r, kvm > 0 && (kvm_after == kvm) == r->share,
	     "rollover: the VM's VMID was %d and is %d", kvm, kvm_after);
	if (!r->share)
		return;
	rule(r, smmu == kvm, "rollover: it is the same for both");
	rule(r, !taken, "rollover: no other VM ever had it");
	rule(r, !!walked(&s[STEP_ROLLOVER_DMA_NEW]) == r->btm,
	     "rollover: the TLBI afterwards %s the device",
	     r->btm ? "reaches" : "does not reach");
}
#endif
