// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded before a VMM that allocates its vIOMMUs without data (LD_PRELOAD): asks for the VMID of
 * the VM with each, and says what came back.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/iommufd.h>

int ioctl(int fd, unsigned long request, ...)
{
	/* struct iommu_viommu_arm_smmuv3: flags is 1 (SHARE_VMID), out_flags 0 */
	uint32_t data[2] = { 1, 0 };
	struct iommu_viommu_alloc *alloc;
	va_list ap;
	void *arg;
	long ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((uint32_t)request != IOMMU_VIOMMU_ALLOC)
		return syscall(SYS_ioctl, fd, request, arg);

	alloc = arg;
	alloc->data_len = sizeof(data);
	alloc->data_uptr = (uintptr_t)data;
	ret = syscall(SYS_ioctl, fd, request, arg);
	fprintf(stderr, "vmm: asked ret=%ld out_flags=%#x\n", ret, data[1]);
	return ret;
}
