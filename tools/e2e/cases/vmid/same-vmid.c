// SPDX-License-Identifier: GPL-2.0-only
/*
 * Same VMID: what the SMMU caches for a VM's device is tagged with the number in
 * that VM's own TLBIs, for translating and for bypassing nested streams. The
 * numbers themselves are only in the trace; here, DMA must land.
 */
#include <unistd.h>

#include "e2e.h"

void case_same_vmid(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	mark(CASE_SAME_VMID, STEP_SAME_VMID_BURN);
	burn_vmids(fd, d, &g);

	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	check(v.out_flags == flags_expected(), "reported: %#x, expected %#x",
	      v.out_flags, flags_expected());

	must(!dev_attach(d, v.trans), "attach to nested translate");
	mark(CASE_SAME_VMID, STEP_SAME_VMID_TRANS_DMA);
	check(dma_lands(&g, d) == 'A', "translated DMA lands in its page");
	mark(CASE_SAME_VMID, STEP_SAME_VMID_TRANS_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	must(!dev_attach(d, v.bypass), "attach to nested bypass");
	mark(CASE_SAME_VMID, STEP_SAME_VMID_BYPASS_DMA);
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_B) && pages_hit(&g) == 'B',
	      "bypassing DMA lands in its page");
	mark(CASE_SAME_VMID, STEP_SAME_VMID_BYPASS_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	mark(CASE_SAME_VMID, STEP_SAME_VMID_DONE);
	must(!dev_attach(d, s2), "back to stage 2");
	vsmmu_destroy(&v);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}
