// SPDX-License-Identifier: GPL-2.0-only
/*
 * Move: with 8-bit VMIDs on both sides, VM after VM asks for its number, so that sooner or
 * later it is one that the SMMU uses: for a stage 2 without a VM, for a vSMMU
 * that shares nothing, and for the stage 2 of the VM that asks. Each VM must get
 * it. The devices that have to give way do DMA all the while and must not
 * notice. Only the trace shows that their numbers changed.
 */
#include <unistd.h>

#include "e2e.h"

#define VMS		256
#define PAUSE_US	300	/* leaves some of the CPU to the VMs */
#define CMD_TLBI_NH_ALL	0x10ull

/* One VM comes, asks and goes. True if it got what it asked for */
static bool one_vm(int fd, struct dev *d, struct guest *mem)
{
	struct e2e_viommu_data data = { .flags = ask_flags() };
	struct vm vm;
	int s2, ret;

	vm_create(&vm, mem->mem, PAGE);
	dev_open(d, fd, &vm);
	s2 = hwpt_alloc_parent(fd, d->id, mem->ioas);
	must(s2 > 0, "stage 2: %d", s2);
	ret = viommu_alloc_data(fd, d->id, s2, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				&data, sizeof(data));
	if (ret > 0)
		must(!iommufd_destroy(fd, ret), "destroy the vSMMU");
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	dev_close(d);
	vm_close(&vm);
	return ret > 0 && data.out_flags == flags_expected();
}

void case_move(void)
{
	struct dev *d = &testdev[0], *direct = &testdev[1];
	struct dev *nested = &testdev[2];
	struct hammer h[2] = {
		{ .d = direct, .iova = DMA_IOVA, .pause = PAUSE_US },
		{ .d = nested, .iova = DMA_IOVA, .pause = PAUSE_US },
	};
	int fd = iommufd_open(), s2_direct, s2_nested;
	struct guest g[2], mem;
	unsigned int i, got = 0;
	struct vsmmu v;

	if (e2e.kvm_vmid_bits != 8 || e2e.idr0 & IDR0_VMID16)
		skip("the CPUs' VMIDs do not meet the SMMU's own");
	if (num_testdevs < 3)
		skip("three test devices are needed");
	guest_init(&g[0], fd, false);
	guest_init(&g[1], fd, false);
	guest_init(&mem, fd, false);
	dev_open(direct, fd, NULL);
	dev_open(nested, fd, NULL);
	s2_direct = hwpt_alloc_parent(fd, direct->id, g[0].ioas);
	s2_nested = hwpt_alloc_parent(fd, nested->id, g[1].ioas);
	must(s2_direct > 0 && s2_nested > 0, "two stage 2");
	must(!ioas_map(fd, g[0].ioas, g[0].mem + OFF_PAGE_A, PAGE, DMA_IOVA),
	     "map");
	must(!dev_attach(direct, s2_direct), "attach to stage 2");
	vsmmu_init(&v, &g[1], nested, s2_nested, &g[1].s1, 0);
	must(!dev_attach(nested, v.trans), "attach to nested translate");

	mark(CASE_MOVE, STEP_MOVE_HAMMER);
	for (i = 0; i < 2; i++)
		hammer_start(&h[i], g[i].mem + OFF_PAGE_A);
	for (i = 0; i < VMS; i++)
		got += one_vm(fd, d, &mem);
	for (i = 0; i < 2; i++)
		hammer_stop(&h[i]);
	mark(CASE_MOVE, STEP_MOVE_REMAP);
	check(got == VMS, "%u of %u VMs get what they ask for", got, VMS);
	note("the device on stage 2:");
	hammer_check(&h[0]);
	note("the device behind a vSMMU:");
	hammer_check(&h[1]);

	/* The host's invalidations and the guest's have to name the new numbers */
	must(!ioas_unmap(fd, g[0].ioas, DMA_IOVA, PAGE) &&
	     !ioas_map(fd, g[0].ioas, g[0].mem + OFF_PAGE_B, PAGE, DMA_IOVA),
	     "map another page there");
	s1_map(&g[1].s1, OFF_PAGE_B);
	must(!viommu_invalidate(fd, v.viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	mark(CASE_MOVE, STEP_MOVE_DMA);
	check(dma_lands(&g[0], direct) == 'B', "unmap works after the move");
	check(dma_lands(&g[1], nested) == 'B',
	      "a guest's command works after the move");
	mark(CASE_MOVE, STEP_MOVE_DONE);
	dev_close(direct);
	dev_close(nested);
	close(fd);
}
