// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of Documentation/uapi.rst in their order, for one device: example BDF. vsmmu_alloc() is
 * that page's example, taken from it when this is built. Prints "example: " and what it got.
 */
#include "example.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <linux/vfio.h>

static int must(int ret, const char *what)
{
	if (ret < 0) {
		printf("example: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return ret;
}

/* The VM, with a vCPU, so that the kernel knows whether it has EL2; and KVM's VFIO device */
static int kvm_vfio_device(void)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	struct kvm_vcpu_init init;
	int kvm, vm, vcpu;

	kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
	vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	must(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	must(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	must(ioctl(vm, KVM_CREATE_DEVICE, &create), "KVM_CREATE_DEVICE");
	return create.fd;
}

static int open_cdev(const char *bdf)
{
	char path[300];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (!strncmp(e->d_name, "vfio", 4)) {
			snprintf(path, sizeof(path), "/dev/vfio/devices/%.64s", e->d_name);
			return must(open(path, O_RDWR), path);
		}
	}
	errno = ENODEV;
	return must(-1, path);
}

static void give_to_kvm(int kvm_vfio, int cdev)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (uintptr_t)&cdev,
	};

	must(ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &attr), "KVM_DEV_VFIO_FILE_ADD");
}

static uint32_t bind_device(int cdev, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};

	must(ioctl(cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "VFIO_DEVICE_BIND_IOMMUFD");
	return bind.out_devid;
}

/* Does the physical SMMU obey broadcasts? */
static bool smmu_listens(int iommufd, uint32_t dev_id)
{
	struct iommu_hw_info_arm_smmuv3 info = { 0 };
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = dev_id,
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	must(ioctl(iommufd, IOMMU_GET_HW_INFO, &cmd), "IOMMU_GET_HW_INFO");
	return cmd.out_data_type == IOMMU_HW_INFO_TYPE_ARM_SMMUV3 &&
	       info.flags & HW_INFO_BTM;
}

static uint32_t nest_parent(int iommufd, uint32_t dev_id)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = dev_id,
	};

	must(ioctl(iommufd, IOMMU_IOAS_ALLOC, &ioas), "IOMMU_IOAS_ALLOC");
	hwpt.pt_id = ioas.out_ioas_id;
	must(ioctl(iommufd, IOMMU_HWPT_ALLOC, &hwpt), "IOMMU_HWPT_ALLOC");
	return hwpt.out_hwpt_id;
}

int main(int argc, char **argv)
{
	int cdev, iommufd, ret = -1;
	uint32_t dev_id, hwpt_id;
	struct vsmmu v = { 0 };
	bool listens;

	if (argc != 2) {
		fprintf(stderr, "usage: %s BDF\n", argv[0]);
		return 2;
	}
	cdev = open_cdev(argv[1]);
	iommufd = must(open("/dev/iommu", O_RDWR), "/dev/iommu");
	give_to_kvm(kvm_vfio_device(), cdev);
	dev_id = bind_device(cdev, iommufd);
	hwpt_id = nest_parent(iommufd, dev_id);

	/* Share where it is of use, carry on where it is not possible. */
	listens = smmu_listens(iommufd, dev_id);
	if (listens)
		ret = vsmmu_alloc(iommufd, dev_id, hwpt_id, true, &v);
	if (ret)
		ret = vsmmu_alloc(iommufd, dev_id, hwpt_id, false, &v);
	errno = -ret;
	must(ret, "IOMMU_VIOMMU_ALLOC");
	printf("example: listens=%d,shared=%d,btm=%d\n", listens, v.vmid_shared, v.btm);

	return 0;
}
