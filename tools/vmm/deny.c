// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded before a VMM (LD_PRELOAD): while there is a file /tmp/deny, no vIOMMU gets the VMID of its
 * VM, as if the host had none left to pin.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/iommufd.h>

int ioctl(int fd, unsigned long request, ...)
{
	struct iommu_viommu_alloc *alloc;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	alloc = arg;
	if ((uint32_t)request == IOMMU_VIOMMU_ALLOC && alloc->data_len &&
	    !access("/tmp/deny", F_OK)) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_ioctl, fd, request, arg);
}
