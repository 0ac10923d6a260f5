// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device whose file comes from its VFIO group, as VMMs that know no cdevs get it, with an iommufd
 * in place of the container. KVM is told of the group's file; the device's holds the VM from its
 * first open to its last close, whatever becomes of the group's meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "case.h"

#define GROUP_FILE_STEPS(X)					\
	X(STEP_GROUP_FILE_DMA,		0x01, "dma")		\
	X(STEP_GROUP_FILE_CLOSED,	0x02, "vm-closed")	\
	X(STEP_GROUP_FILE_END,		0x03, "end")

E2E_CASE(group_file, 72, "group-file", GROUP_FILE_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

static int group_open(const struct dev *d)
{
	char path[300], link[300] = "", *number;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", d->bdf);
	must(readlink(path, link, sizeof(link) - 1) > 0, "%s", path);
	number = strrchr(link, '/');
	must(number, "a group's number in %s", link);
	snprintf(path, sizeof(path), "/dev/vfio%s", number);
	return open_soon(path, O_RDWR | O_CLOEXEC);
}

/* What a device gets that is opened by its group */
static void set_compat_ioas(int fd, u32 ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	must(!ioctl(fd, IOMMU_VFIO_IOAS, &cmd), "the IOAS for groups");
}

static void clear_compat_ioas(int fd)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_CLEAR,
	};

	must(!ioctl(fd, IOMMU_VFIO_IOAS, &cmd), "no IOAS for groups");
}

static int device_file(int group, const struct dev *d)
{
	return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, d->bdf);
}

static void while_open(struct guest *g, struct dev *d, int group)
{
	unsigned int vms = vms_alive();
	int second;

	mark(STEP_GROUP_FILE_DMA);
	check(dma_lands_at(g, d, PAGE_IOVA('B')) == 'B', "DMA in the page that is mapped there");
	second = device_file(group, d);
	check(second >= 0, "a second file of the device");
	vm_del_file(&g->vm, group);
	vm_close(&g->vm);
	mark(STEP_GROUP_FILE_CLOSED);
	check(vms_alive() == vms, "the VM is closed: %u VMs, of %u", vms_alive(), vms);
	close(second);
	check(vms_alive() == vms, "so is one of two files: %u VMs, of %u", vms_alive(), vms);
	check(dma_lands_at(g, d, PAGE_IOVA('C')) == 'C', "DMA goes on");
	dev_drop(d);
	check(vms_alive() == vms - 1, "so is the other: %u VMs, of %u", vms_alive(), vms);
}

void case_group_file(void)
{
	struct dev *d = &testdev[0];
	static struct usage before;
	int fd = iommufd_open(), group = group_open(d);
	struct guest g;

	usage_read(&before);
	guest_init(&g, fd, true);
	set_compat_ioas(fd, g.ioas);
	must(group >= 0, "the group's file");
	must(!ioctl(group, VFIO_GROUP_SET_CONTAINER, &fd), "an iommufd as container");
	vm_add_file(&g.vm, group);
	d->fd = device_file(group, d);
	must(d->fd >= 0, "a file of the device: %d", errno);
	dev_enable(d);
	while_open(&g, d, group);

	must(!ioctl(group, VFIO_GROUP_UNSET_CONTAINER), "no container");
	close(group);
	clear_compat_ioas(fd);
	close(fd);
	mark(STEP_GROUP_FILE_END);
	usage_check(&before, "all is closed");
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_group_file(struct run *r)
{
	struct span s[STEP_GROUP_FILE_END + 1];
	u64 b, c;

	if (!steps(r, STEP_GROUP_FILE_DMA, STEP_GROUP_FILE_END, s, "group-file"))
		return;
	b = landed(&s[STEP_GROUP_FILE_DMA]);
	c = landed(&s[STEP_GROUP_FILE_CLOSED]);
	rule(r, b && c && b != c, "group-file: DMA went to %#llx, then to %#llx",
	     (unsigned long long)b, (unsigned long long)c);
}
#endif
