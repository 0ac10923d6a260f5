// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rollover: with 8-bit VMIDs, 300 VMs come and go while a vSMMU shares its VM's
 * number. The number must not move and nobody else may have it; the trace shows
 * both. On the unpatched kernel the VM moves and the SMMU does not know.
 */
#include <unistd.h>

#include "e2e.h"

#define CHURN	300

void case_rollover(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	char hit;

	if (e2e.kvm_vmid_bits != 8)
		skip("the CPUs' VMIDs do not roll over");
	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");

	mark(CASE_ROLLOVER, STEP_ROLLOVER_DMA_BEFORE);
	check(dma_lands(&g, d) == 'A', "DMA before the rollover");
	mark(CASE_ROLLOVER, STEP_ROLLOVER_TLBI_BEFORE);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	mark(CASE_ROLLOVER, STEP_ROLLOVER_CHURN);
	vm_churn(CHURN);

	/* The second address is new to the SMMU: its insert shows the VMID */
	mark(CASE_ROLLOVER, STEP_ROLLOVER_DMA_AFTER);
	check(dma_lands(&g, d) == 'A', "DMA after the rollover");
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_C) && pages_hit(&g) == 'C',
	      "DMA to a new address after the rollover");

	mark(CASE_ROLLOVER, STEP_ROLLOVER_TLBI_AFTER);
	s1_map(&g.s1, OFF_PAGE_B);
	vm_exec(&g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	mark(CASE_ROLLOVER, STEP_ROLLOVER_DMA_NEW);
	hit = dma_lands(&g, d);
	check(hit == (btm_expected() ? 'B' : 'A'),
	      "TLBI after the rollover: DMA in %c, expected %c", hit,
	      btm_expected() ? 'B' : 'A');

	mark(CASE_ROLLOVER, STEP_ROLLOVER_DONE);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}
