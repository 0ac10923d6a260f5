// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with an EL2, i.e. a hypervisor with a guest of its own. KVM runs that guest
 * under a shadow of the hypervisor's stage 2, which has another VMID than the VM.
 * A vSMMU can have the VM's number, but nobody is told that broadcasts reach it, as
 * those of the inner guest do not.
 *
 * KVM runs out of numbers while the shadow is alive: the vSMMU's stays, the shadow
 * gets another one, and no other VM ever has the vSMMU's.
 *
 * For a host with kvm-arm.mode=nested and 8-bit VMIDs.
 */
#include <unistd.h>

#include "case.h"

#define EL2_STEPS(X)						\
	X(STEP_EL2_DMA,			0x01, "dma")		\
	X(STEP_EL2_INNER,		0x02, "inner-tlbi")	\
	X(STEP_EL2_OUTER,		0x03, "outer-tlbi")	\
	X(STEP_EL2_CMD,			0x04, "guest-command")	\
	X(STEP_EL2_CHURN,		0x05, "churn")		\
	X(STEP_EL2_DMA_AFTER,		0x06, "dma-after")	\
	X(STEP_EL2_INNER_AFTER,		0x07, "inner-tlbi-after")\
	X(STEP_EL2_END,			0x08, "end")

E2E_CASE(el2, 43, "el2", EL2_STEPS, .needs = NEEDS_EL2 | NEEDS_KVM_VMID8);

#define EL2_CHURN	300

#ifdef E2E_INIT
#include "e2e.h"

void case_el2(void)
{
	const u32 flags = flags_expected() & E2E_VMID_SHARED;
	struct dev *d = &testdev[0];
	static struct usage before;
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	char hit;

	usage_read(&before);
	guest_init(&g, fd, false);
	el2_create(&g.vm, g.mem);
	g.has_vm = true;
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	check(v.out_flags == flags, "reported: %#x, expected %#x", v.out_flags,
	      flags);
	must(!dev_attach(d, v.trans), "attach to nested translate");

	mark(STEP_EL2_DMA);
	check(dma_lands(&g, d) == 'A', "DMA");
	mark(STEP_EL2_INNER);
	s1_map(&g.s1, OFF_PAGE_B);
	el2_exec(&g.vm, EL2_RUN_GUEST, 0, 0);
	hit = dma_lands(&g, d);
	check(hit == 'A', "the inner guest's TLBI: DMA in %c, expected A", hit);
	mark(STEP_EL2_OUTER);
	el2_exec(&g.vm, EL2_TLBI_VA, GUEST_ASID, DMA_IOVA);
	el2_exec(&g.vm, EL2_TLBI_ALL, 0, 0);
	hit = dma_lands(&g, d);
	check(hit == 'A' || hit == 'B', "the hypervisor's TLBIs: DMA in %c", hit);
	mark(STEP_EL2_CMD);
	vsmmu_tlbi_all(&v);
	hit = dma_lands(&g, d);
	check(hit == 'B', "the guest's command: DMA in %c, expected B", hit);

	mark(STEP_EL2_CHURN);
	vm_churn(EL2_CHURN);
	mark(STEP_EL2_DMA_AFTER);
	check(dma_lands_at(&g, d, PAGE_IOVA('C')) == 'C',
	      "DMA to a new address after the rollover");
	mark(STEP_EL2_INNER_AFTER);
	el2_exec(&g.vm, EL2_RUN_GUEST, 0, 0);
	check(dma_lands(&g, d) == 'B', "DMA after the rollover");
	guest_end(&g, d, STEP_EL2_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_el2(struct run *r)
{
	unsigned int distinct, tlbis;
	struct span s[STEP_EL2_END + 1];
	int smmu, inner, inner_after;
	bool taken;

	if (!steps(r, STEP_EL2_DMA, STEP_EL2_END, s, "el2"))
		return;
	smmu = smmu_vmid(&s[STEP_EL2_DMA]);
	inner = guest_vmid(&s[STEP_EL2_INNER]);
	inner_after = guest_vmid(&s[STEP_EL2_INNER_AFTER]);
	rule(r, smmu > 0 && inner > 0 && smmu != inner,
	     "el2: the device has VMID %d, the inner guest %d", smmu, inner);
	distinct = guest_vmids(&s[STEP_EL2_CHURN], smmu, &taken, &tlbis);
	rule(r, tlbis >= EL2_CHURN && distinct < tlbis,
	     "el2: %u VMs had %u numbers: there was a rollover", tlbis, distinct);
	rule(r, smmu_vmid(&s[STEP_EL2_DMA_AFTER]) == smmu,
	     "el2: the device's VMID was %d and is %d", smmu,
	     smmu_vmid(&s[STEP_EL2_DMA_AFTER]));
	if (!r->share)
		return;
	rule(r, !taken, "el2: no other VM ever had it");
	rule(r, inner_after > 0 && inner_after != smmu,
	     "el2: nor has the inner guest, which has %d now", inner_after);
	nothing_left(r, &s[STEP_EL2_DMA], &s[STEP_EL2_END], "el2");
}
#endif
