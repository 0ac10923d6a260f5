// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last case of a boot: the driver of a virtio-iommu is unbound, and a page table is left, whose
 * pages are unmapped and which is destroyed then. The unpatched kernel uses freed memory, so it is
 * spared.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

#define VIRTIO_GONE_STEPS(X)			\
	X(STEP_VIRTIO_GONE_RUN,	0x01, "run")

E2E_CASE(virtio_gone, 48, "virtio-gone", VIRTIO_GONE_STEPS);

#ifdef E2E_INIT
#include "e2e.h"

#define DRIVER	"/sys/bus/virtio/drivers/virtio_iommu"

/* The name of the device that the driver is bound to, in @name */
static bool find_device(char *name, size_t size)
{
	DIR *dir = opendir(DRIVER);
	struct dirent *e;

	if (!dir)
		return false;
	while ((e = readdir(dir)) && strncmp(e->d_name, "virtio", 6))
		;
	if (e)
		snprintf(name, size, "%s", e->d_name);
	closedir(dir);
	return e;
}

void case_virtio_gone(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), hwpt;
	struct guest g;
	char name[256];

	if (!e2e.patched)
		skip("a fault of 7.3");
	mark(STEP_VIRTIO_GONE_RUN);
	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	hwpt = hwpt_alloc(fd, d->id, g.ioas, 0);
	must(hwpt > 0, "page table: %d", hwpt);
	must(!dev_attach(d, hwpt), "attach");
	dev_close(d);

	must(find_device(name, sizeof(name)), "the IOMMU");
	check(sysfs_write(DRIVER "/unbind", name), "%s is unbound", name);
	check(!ioas_unmap(fd, g.ioas, GPA_BASE, GUEST_SIZE), "unmap");
	check(!iommufd_destroy(fd, hwpt), "the page table is destroyed");
	close(fd);
	mark(STEP_DONE);
}
#endif
