/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel headers, with what an unpatched tree's lack. */
#ifndef E2E_UAPI_H
#define E2E_UAPI_H

#include <stddef.h>
#include <linux/types.h>
#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>

/*
 * The driver data of IOMMU_VIOMMU_ALLOC as this test sends it. Names of its
 * own, so that the same source builds against headers with and without it.
 */
struct e2e_viommu_data {
	__u32 flags;
	__u32 out_flags;
};

#define E2E_SHARE_VMID	(1u << 0)	/* IOMMU_VIOMMU_ARM_SMMUV3_SHARE_VMID */
#define E2E_VMID_SHARED	(1u << 0)	/* IOMMU_VIOMMU_ARM_SMMUV3_VMID_SHARED */
#define E2E_BTM		(1u << 1)	/* IOMMU_VIOMMU_ARM_SMMUV3_BTM */
#define E2E_HW_BTM	(1u << 1)	/* IOMMU_HW_INFO_ARM_SMMUV3_BTM */

#ifdef E2E_CHECK_UAPI
_Static_assert(sizeof(struct e2e_viommu_data) ==
	       sizeof(struct iommu_viommu_arm_smmuv3), "size");
_Static_assert(offsetof(struct e2e_viommu_data, out_flags) ==
	       offsetof(struct iommu_viommu_arm_smmuv3, out_flags), "layout");
_Static_assert(E2E_SHARE_VMID == IOMMU_VIOMMU_ARM_SMMUV3_SHARE_VMID, "flag");
_Static_assert(E2E_VMID_SHARED == IOMMU_VIOMMU_ARM_SMMUV3_VMID_SHARED, "flag");
_Static_assert(E2E_BTM == IOMMU_VIOMMU_ARM_SMMUV3_BTM, "flag");
_Static_assert(E2E_HW_BTM == IOMMU_HW_INFO_ARM_SMMUV3_BTM, "flag");
#endif

#endif
