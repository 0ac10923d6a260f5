// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things end in every order: the VM first, the vIOMMU first, and a VM that is
 * gone altogether while a device still works under its number.
 */
#include <unistd.h>

#include "case.h"

#define LIFETIMES_STEPS(X)						\
	X(STEP_LIFETIMES_VM_FIRST,	0x01, "vm-closed-first")	\
	X(STEP_LIFETIMES_VM_FIRST_DMA,	0x02, "vm-closed-first-dma")	\
	X(STEP_LIFETIMES_VIOMMU_FIRST,	0x03, "viommu-destroyed-first")	\
	X(STEP_LIFETIMES_VIOMMU_AGAIN,	0x04, "viommu-again")

E2E_CASE(lifetimes, 9, "lifetimes", LIFETIMES_STEPS, .needs = NEEDS_KVM);

#define ORPHAN_STEPS(X)				\
	X(STEP_ORPHAN_TLBI,	0x01, "tlbi")	\
	X(STEP_ORPHAN_UNBIND,	0x02, "unbind")	\
	X(STEP_ORPHAN_CHURN,	0x03, "churn")	\
	X(STEP_ORPHAN_DMA,	0x04, "dma")	\
	X(STEP_ORPHAN_CLOSE,	0x05, "close")	\
	X(STEP_ORPHAN_REUSE,	0x06, "reuse")

E2E_CASE(orphan, 13, "orphan", ORPHAN_STEPS, .needs = NEEDS_KVM, .devices = 2);

#ifdef E2E_INIT
#include "e2e.h"

static void vm_first(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");
	must(dma_lands(&g, d) == 'A', "DMA before");

	mark(STEP_LIFETIMES_VM_FIRST);
	vm_close(&g.vm);
	mark(STEP_LIFETIMES_VM_FIRST_DMA);
	check(dma_lands(&g, d) == 'A', "VM closed first: DMA goes on");
	dev_close(d);
	/* Now the VM is gone, the vSMMU still there */
	vm_churn(2);
	check(!iommufd_destroy(fd, v.trans) && !iommufd_destroy(fd, v.bypass) &&
	      !iommufd_destroy(fd, v.viommu), "the vSMMU is destroyed");
	close(fd);
}

static void viommu_first(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	u32 out;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	out = v.out_flags;
	must(!dev_attach(d, v.trans), "attach to nested translate");
	must(dma_lands(&g, d) == 'A', "DMA before");

	mark(STEP_LIFETIMES_VIOMMU_FIRST);
	must(!dev_attach(d, s2), "attach to stage 2");
	vsmmu_destroy(&v);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_B) && pages_hit(&g) == 'B',
	      "vIOMMU destroyed first: DMA by stage 2 goes on");

	mark(STEP_LIFETIMES_VIOMMU_AGAIN);
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	check(v.out_flags == out, "another vSMMU of the VM: %#x, was %#x",
	      v.out_flags, out);
	must(!dev_attach(d, v.trans), "attach to nested translate");
	check(dma_lands(&g, d) == 'A', "DMA through the other vSMMU");
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);
	mark(STEP_DONE);

	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}

void case_lifetimes(void)
{
	vm_first();
	viommu_first();
}

/*
 * Best with 8-bit VMIDs. Device B, bound without a KVM, is behind the vSMMU that
 * device A was bound for. A and the VM go; B's stream keeps the VM's number, so
 * no VM may get it, until B has gone too. Whether it comes back, and only after
 * a TLBI, is in the trace.
 */
void case_orphan(void)
{
	struct dev *a = &testdev[0], *b = &testdev[1];
	const bool roll = e2e.kvm_vmid_bits == 8;
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;

	guest_init(&g, fd, true);
	dev_open(a, fd, &g.vm);
	dev_open(b, fd, NULL);
	burn_vmids(fd, a, &g);
	s2 = hwpt_alloc_parent(fd, a->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, a, s2, &g.s1, ask_flags());
	must(!dev_attach(a, v.trans), "attach A to nested translate");
	must(!dev_attach(b, v.bypass), "attach B to nested bypass");
	mark(STEP_ORPHAN_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	mark(STEP_ORPHAN_UNBIND);
	dev_close(a);
	vm_close(&g.vm);
	mark(STEP_ORPHAN_CHURN);
	vm_churn(roll ? 300 : 20);
	mark(STEP_ORPHAN_DMA);
	pages_clear(&g);
	check(testdev_dma(b, GPA_BASE + OFF_PAGE_C) && pages_hit(&g) == 'C',
	      "DMA of the device that is left");

	mark(STEP_ORPHAN_CLOSE);
	dev_close(b);
	close(fd);
	mark(STEP_ORPHAN_REUSE);
	vm_churn(roll ? 260 : 20);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_lifetimes(struct run *r)
{
	struct span dma, end, again;
	int kvm;

	if (!rule(r, step(r, STEP_LIFETIMES_VM_FIRST_DMA, &dma) &&
		  step(r, STEP_LIFETIMES_VIOMMU_FIRST, &end) &&
		  step(r, STEP_LIFETIMES_VIOMMU_AGAIN, &again),
		  "lifetimes: steps"))
		return;
	rule(r, count(&dma, EV_XLATE), "lifetimes: DMA after the VM's files");
	kvm = guest_vmid(&end);
	rule(r, kvm > 0 && guest_vmid(&again) == kvm,
	     "lifetimes: the VM keeps its VMID %d", kvm);
	if (!r->share)
		return;
	rule(r, commanded(&end, "CMD_TLBI_S12_VMALL", kvm),
	     "lifetimes: the SMMU forgets VMID %d when its vSMMU ends", kvm);
	rule(r, smmu_vmid(&again) == kvm,
	     "lifetimes: the next vSMMU has the VM's VMID again");
}

void check_orphan(struct run *r)
{
	unsigned int i, distinct, tlbis, ignored;
	struct span s[STEP_ORPHAN_REUSE + 1];
	bool taken, back;
	int kvm;

	for (i = STEP_ORPHAN_TLBI; i <= STEP_ORPHAN_REUSE; i++)
		if (!step(r, i, &s[i])) {
			rule(r, false, "orphan: step %u", i);
			return;
		}
	kvm = guest_vmid(&s[STEP_ORPHAN_TLBI]);
	distinct = guest_vmids(&s[STEP_ORPHAN_CHURN], kvm, &taken, &tlbis);
	guest_vmids(&s[STEP_ORPHAN_REUSE], kvm, &back, &ignored);
	rule(r, kvm > 0, "orphan: the VM had VMID %d", kvm);
	rule(r, !r->vmid8 || distinct < tlbis,
	     "orphan: %u VMs had %u numbers", tlbis, distinct);
	rule(r, taken == (r->vmid8 && !r->share),
	     "orphan: the dead VM's number was%s given to another VM",
	     taken ? "" : " not");
	if (!r->share)
		return;
	rule(r, smmu_vmid(&s[STEP_ORPHAN_DMA]) == kvm,
	     "orphan: the device that is left is still under it");
	rule(r, commanded(&s[STEP_ORPHAN_CLOSE], "CMD_TLBI_S12_VMALL", kvm),
	     "orphan: the SMMU forgets it when the device has gone");
	rule(r, back == r->vmid8, "orphan: afterwards it %s",
	     r->vmid8 ? "comes back" : "is not needed");
}
#endif
