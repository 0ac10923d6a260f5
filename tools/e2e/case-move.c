// SPDX-License-Identifier: GPL-2.0-only
/*
 * Move: with 8-bit VMIDs, VM after VM asks for its number, so that sooner or
 * later it is the one that a stage 2 without a VM has, and the one that the VM's
 * own stage 2 has. Each must get it, and the other table's device does DMA all
 * the while and must not notice. Only the trace shows that numbers moved.
 */
#include <unistd.h>

#include "e2e.h"

#define VMS		256

/* One VM comes, asks and goes. 0 or what VIOMMU_ALLOC said */
static int one_vm(int fd, struct dev *d, struct guest *mem)
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
	if (ret > 0) {
		if (data.out_flags != flags_expected())
			note("reported: %#x", data.out_flags);
		iommufd_destroy(fd, ret);
		ret = 0;
	}
	iommufd_destroy(fd, s2);
	dev_close(d);
	vm_close(&vm);
	return ret;
}

void case_move(void)
{
	struct dev *d = &testdev[0], *other = &testdev[1];
	struct hammer h = { .d = other, .iova = DMA_IOVA, .pause = 100 };
	unsigned int i, refused = 0;
	int fd = iommufd_open(), s2;
	struct guest g, mem;

	if (e2e.kvm_vmid_bits != 8)
		skip("the CPUs' VMIDs do not meet the SMMU's own");
	if (num_testdevs < 2)
		skip("two test devices are needed");
	guest_init(&g, fd, false);
	guest_init(&mem, fd, false);
	dev_open(other, fd, NULL);
	s2 = hwpt_alloc_parent(fd, other->id, g.ioas);
	must(s2 > 0, "stage 2");
	must(!ioas_map(fd, g.ioas, g.mem + OFF_PAGE_A, PAGE, DMA_IOVA), "map");
	must(!dev_attach(other, s2), "attach to stage 2");

	mark(CASE_MOVE, STEP_MOVE_HAMMER);
	hammer_start(&h, g.mem + OFF_PAGE_A);
	for (i = 0; i < VMS; i++)
		refused += !!one_vm(fd, d, &mem);
	hammer_stop(&h);
	mark(CASE_MOVE, STEP_MOVE_REMAP);
	check(!refused, "%u VMs get their numbers (%u did not)", VMS, refused);
	hammer_check(&h);

	/* Its invalidations must have moved too */
	must(!ioas_unmap(fd, g.ioas, DMA_IOVA, PAGE) &&
	     !ioas_map(fd, g.ioas, g.mem + OFF_PAGE_B, PAGE, DMA_IOVA),
	     "map another page there");
	mark(CASE_MOVE, STEP_MOVE_DMA);
	check(dma_lands(&g, other) == 'B', "an unmap after the move works");
	mark(CASE_MOVE, STEP_MOVE_DONE);
	dev_close(other);
	close(fd);
}
