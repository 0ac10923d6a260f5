// SPDX-License-Identifier: GPL-2.0-only
/* iommufd's ioctls, one function each. They return what the kernel returned. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "iommufd.h"
#include "report.h"
#include "uapi.h"

static int xioctl(int fd, unsigned long op, void *arg)
{
	return ioctl(fd, op, arg) < 0 ? -errno : 0;
}

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	must(fd >= 0, "open /dev/iommu");
	return fd;
}

int iommufd_destroy(int fd, u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return xioctl(fd, IOMMU_DESTROY, &cmd);
}

int ioas_alloc(int fd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int ret = xioctl(fd, IOMMU_IOAS_ALLOC, &cmd);

	return ret ?: (int)cmd.out_ioas_id;
}

int ioas_map(int fd, u32 ioas, void *mem, size_t size, u64 iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)mem,
		.length = size,
		.iova = iova,
	};

	return xioctl(fd, IOMMU_IOAS_MAP, &cmd);
}

int ioas_unmap(int fd, u32 ioas, u64 iova, size_t size)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = size,
	};

	return xioctl(fd, IOMMU_IOAS_UNMAP, &cmd);
}

/* The last IOVA that @ioas may map, or 0 */
u64 ioas_last_iova(int fd, u32 ioas)
{
	struct iommu_iova_range range[16];
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = ARRAY_SIZE(range),
		.allowed_iovas = (uintptr_t)range,
	};

	if (xioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd) || !cmd.num_iovas)
		return 0;
	return range[cmd.num_iovas - 1].last;
}

int hwpt_alloc(int fd, u32 dev, u32 ioas, u32 flags)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev,
		.pt_id = ioas,
	};
	int ret = xioctl(fd, IOMMU_HWPT_ALLOC, &cmd);

	return ret ?: (int)cmd.out_hwpt_id;
}

int hwpt_alloc_parent(int fd, u32 dev, u32 ioas)
{
	return hwpt_alloc(fd, dev, ioas, IOMMU_HWPT_ALLOC_NEST_PARENT);
}

int hwpt_alloc_nested(int fd, u32 dev, u32 viommu, const u64 ste[2])
{
	struct iommu_hwpt_arm_smmuv3 data = { .ste = { ste[0], ste[1] } };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = dev,
		.pt_id = viommu,
		.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	int ret = xioctl(fd, IOMMU_HWPT_ALLOC, &cmd);

	return ret ?: (int)cmd.out_hwpt_id;
}

int viommu_alloc_data(int fd, u32 dev, u32 hwpt, u32 type, void *data, u32 len)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = type,
		.dev_id = dev,
		.hwpt_id = hwpt,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};
	int ret = xioctl(fd, IOMMU_VIOMMU_ALLOC, &cmd);

	return ret ?: (int)cmd.out_viommu_id;
}

int viommu_ask(int fd, u32 dev, u32 hwpt, u32 flags, u32 *out)
{
	struct e2e_viommu_data data = { .flags = flags };
	int ret = viommu_alloc_data(fd, dev, hwpt, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				    &data, sizeof(data));

	*out = data.out_flags;
	return ret;
}

int viommu_alloc(int fd, u32 dev, u32 hwpt)
{
	return viommu_alloc_data(fd, dev, hwpt, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				 NULL, 0);
}

int vdevice_alloc(int fd, u32 viommu, u32 dev, u64 vsid)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu,
		.dev_id = dev,
		.virt_id = vsid,
	};
	int ret = xioctl(fd, IOMMU_VDEVICE_ALLOC, &cmd);

	return ret ?: (int)cmd.out_vdevice_id;
}

int viommu_invalidate(int fd, u32 viommu, u64 cmd0, u64 cmd1)
{
	struct iommu_viommu_arm_smmuv3_invalidate inv = {
		.cmd = { cmd0, cmd1 },
	};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = viommu,
		.data_uptr = (uintptr_t)&inv,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = sizeof(inv),
		.entry_num = 1,
	};

	return xioctl(fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

int hw_info(int fd, u32 dev, struct iommu_hw_info_arm_smmuv3 *info)
{
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev,
		.data_len = sizeof(*info),
		.data_uptr = (uintptr_t)info,
	};

	return xioctl(fd, IOMMU_GET_HW_INFO, &cmd);
}
