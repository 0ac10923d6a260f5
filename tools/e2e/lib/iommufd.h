/* SPDX-License-Identifier: GPL-2.0-only */
/* 0, an id or -errno. Nothing is checked here. */
#ifndef E2E_LIB_IOMMUFD_H
#define E2E_LIB_IOMMUFD_H

#include <stddef.h>

#include "common.h"
#include "uapi.h"

/* A guest's commands, qword 0 */
#define CMD_TLBI_NH_ALL		0x10ull
#define CMD_TLBI_NH_ASID	0x11ull
#define CMD_TLBI_NH_VA		0x12ull
#define CMD_ASID(asid)		((u64)(asid) << 48)

int iommufd_open(void);
int iommufd_destroy(int fd, u32 id);
int ioas_alloc(int fd);
int ioas_map(int fd, u32 ioas, void *mem, size_t size, u64 iova);
int ioas_unmap(int fd, u32 ioas, u64 iova, size_t size);
u64 ioas_last_iova(int fd, u32 ioas);
int hwpt_alloc(int fd, u32 dev, u32 ioas, u32 flags);
int hwpt_alloc_parent(int fd, u32 dev, u32 ioas);
int hwpt_alloc_nested(int fd, u32 dev, u32 viommu, const u64 ste[2]);
int viommu_alloc(int fd, u32 dev, u32 hwpt);
/* With E2E_SHARE_VMID or nothing in @flags; what the kernel reports goes to @out */
int viommu_ask(int fd, u32 dev, u32 hwpt, u32 flags, u32 *out);
int viommu_alloc_data(int fd, u32 dev, u32 hwpt, u32 type, void *data,
		      u32 len);
int vdevice_alloc(int fd, u32 viommu, u32 dev, u64 vsid);
int viommu_invalidate(int fd, u32 viommu, u64 cmd0, u64 cmd1);
int hw_info(int fd, u32 dev, struct iommu_hw_info_arm_smmuv3 *info);

#endif
