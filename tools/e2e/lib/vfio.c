// SPDX-License-Identifier: GPL-2.0-only
/* PCI devices through VFIO's character devices, and how to make them do DMA. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/pci_regs.h>

#include "marker.h"
#include "report.h"
#include "sysfs.h"
#include "vfio.h"

/* Registers of iommu-testdev */
#define TD_TRIGGER	0x00
#define TD_IOVA_LO	0x04
#define TD_IOVA_HI	0x08
#define TD_LEN		0x0c
#define TD_RESULT	0x10
#define TD_DOORBELL	0x14
#define TD_ATTRS	0x18
#define TD_GPA_LO	0x1c
#define TD_GPA_HI	0x20
#define TD_ATTRS_NS	0xa	/* non-secure, the attributes are valid */

/* Registers of edu, and its buffer */
#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_CMD		0x98
#define EDU_BUF		0x40000
#define EDU_RUN		1u
#define EDU_TO_MEMORY	2u

struct dev testdev[MAX_DEVS];
unsigned int num_testdevs;
struct dev edu;

static int not_dot(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

void dev_probe(struct dev *d)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", d->bdf);
	sysfs_write(path, "vfio-pci");
	sysfs_write("/sys/bus/pci/drivers_probe", d->bdf);
}

void dev_rebind(const struct dev *d, const char *driver)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", d->bdf);
	must(sysfs_write(path, d->bdf), "unbind %s", d->bdf);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", d->bdf);
	must(sysfs_write(path, driver), "%s for %s", driver, d->bdf);
	must(sysfs_write("/sys/bus/pci/drivers_probe", d->bdf), "bind %s", d->bdf);
}

static void dev_init(struct dev *d, const char *bdf, enum dev_type type)
{
	unsigned int bus, slot, fn;

	snprintf(d->bdf, sizeof(d->bdf), "%s", bdf);
	d->type = type;
	d->fd = -1;
	/* The host bridge passes requester IDs on as StreamIDs */
	if (sscanf(bdf, "%*x:%x:%x.%x", &bus, &slot, &fn) == 3)
		d->sid = bus << 8 | slot << 3 | fn;
	dev_probe(d);
	printf("# dev %s %s sid %#x\n", type == DEV_EDU ? "edu" : "testdev",
	       bdf, d->sid);
}

void vfio_setup(void)
{
	struct dirent **list;
	int i, n = scandir(PCI_DEVICES, &list, NULL, alphasort);
	bool have_marker = false;

	num_testdevs = 0;
	for (i = 0; i < n; i++) {
		const char *bdf = list[i]->d_name;
		u32 id = sysfs_read(bdf, "vendor") << 16 |
			 sysfs_read(bdf, "device");

		if (id == 0x1b360005 && !have_marker) {
			marker_init(bdf);
			have_marker = true;
		} else if (id == 0x1b360005 && num_testdevs < MAX_DEVS) {
			dev_init(&testdev[num_testdevs++], bdf, DEV_TESTDEV);
		} else if (id == 0x123411e8) {
			dev_init(&edu, bdf, DEV_EDU);
		}
	}
}

bool devs_pair(struct dev **a, struct dev **b)
{
	unsigned int i;

	for (i = 1; i < num_testdevs; i++)
		if (testdev[i - 1].sid >> 3 == testdev[i].sid >> 3) {
			*a = &testdev[i - 1];
			*b = &testdev[i];
			return true;
		}
	return false;
}

bool dev_exists(struct dev *d)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", d->bdf);
	return !access(path, F_OK);
}

bool dev_probed(struct dev *d)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", d->bdf);
	return !access(path, F_OK);
}

const char *dev_iommu_driver(const struct dev *d)
{
	static char link[300];
	char path[300], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu/device/driver",
		 d->bdf);
	n = readlink(path, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = '\0';
	slash = strrchr(link, '/');
	return slash ? slash + 1 : link;
}

int devices_remove(void)
{
	struct dirent **list;
	char path[300];
	int i, n, ret = 0;

	marker_unmap();
	n = scandir(PCI_DEVICES, &list, not_dot, alphasort);
	for (i = 0; i < n && !ret; i++) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/remove",
			 list[i]->d_name);
		if (!access(path, W_OK) && !sysfs_write(path, "1"))
			ret = -errno;
	}
	n = scandir(PCI_DEVICES, &list, not_dot, alphasort);
	return ret ?: n;
}

int devices_rescan(void)
{
	return sysfs_write("/sys/bus/pci/rescan", "1") ? 0 : -errno;
}

int dev_file_open(const struct dev *d)
{
	char path[300];
	struct dirent *e;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", d->bdf);
	dir = opendir(path);
	while (dir && fd < 0 && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* Let the device decode its BAR and be a bus master, as a VMM does for a guest */
static void enable(struct dev *d)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	u16 cmd = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	must(!ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), "config space");
	must(pwrite(d->fd, &cmd, 2, info.offset + PCI_COMMAND) == 2, "command");
}

static void map_bar(struct dev *d)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};

	must(!ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info), "BAR 0");
	d->bar_size = info.size;
	d->bar = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      d->fd, info.offset);
	must(d->bar != MAP_FAILED, "mmap of BAR 0");
}

void dev_enable(struct dev *d)
{
	enable(d);
	map_bar(d);
}

int dev_bind(struct dev *d, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};

	if (ioctl(d->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) < 0)
		return -errno;
	d->id = bind.out_devid;
	return 0;
}

void dev_open(struct dev *d, int iommufd, struct vm *vm)
{
	d->fd = dev_file_open(d);
	must(d->fd >= 0, "%s: VFIO device file", d->bdf);
	d->vm = vm;
	if (vm)
		vm_add_file(vm, d->fd);
	must(!dev_bind(d, iommufd), "%s: bind", d->bdf);
	dev_enable(d);
}

void dev_drop(struct dev *d)
{
	munmap((void *)d->bar, d->bar_size);
	close(d->fd);
	d->fd = -1;
}

void dev_close(struct dev *d)
{
	/* KVM's reference would keep the device bound */
	if (d->vm && d->vm->vfio >= 0)
		vm_del_file(d->vm, d->fd);
	dev_drop(d);
}

int dev_reset(struct dev *d)
{
	return ioctl(d->fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

void dev_on_request(struct dev *d, int eventfd)
{
	struct {
		struct vfio_irq_set set;
		int fd;
	} irqs = {
		.set = {
			.argsz = sizeof(irqs),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_REQ_IRQ_INDEX,
			.count = 1,
		},
		.fd = eventfd,
	};

	must(!ioctl(d->fd, VFIO_DEVICE_SET_IRQS, &irqs), "request eventfd");
}

int dev_attach(struct dev *d, u32 pt)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt,
	};

	if (ioctl(d->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd) < 0)
		return -errno;
	return 0;
}

int pair_attach(struct dev *a, struct dev *b, u32 pt)
{
	return dev_attach(a, pt) ?: dev_attach(b, pt);
}

int dev_attach_pasid(struct dev *d, u32 pt, u32 pasid)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pt_id = pt,
		.pasid = pasid,
	};

	if (ioctl(d->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd) < 0)
		return -errno;
	return 0;
}

int dev_detach(struct dev *d)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	if (ioctl(d->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd) < 0)
		return -errno;
	return 0;
}

static void wr32(struct dev *d, u32 reg, u32 val)
{
	*(volatile u32 *)(d->bar + reg) = val;
}

static u32 rd32(struct dev *d, u32 reg)
{
	return *(volatile u32 *)(d->bar + reg);
}

static void wr64(struct dev *d, u32 reg, u64 val)
{
	*(volatile u64 *)(d->bar + reg) = val;
}

bool testdev_dma(struct dev *d, u64 iova)
{
	wr32(d, TD_IOVA_LO, iova);
	wr32(d, TD_IOVA_HI, iova >> 32);
	wr32(d, TD_LEN, 4);
	wr32(d, TD_ATTRS, TD_ATTRS_NS);
	/* Where it reads back, past the SMMU: not of interest, any RAM will do */
	wr32(d, TD_GPA_LO, 0x40000000);
	wr32(d, TD_GPA_HI, 0);
	return testdev_again(d);
}

bool testdev_again(struct dev *d)
{
	wr32(d, TD_DOORBELL, 1);
	__sync_synchronize();
	rd32(d, TD_TRIGGER);
	__sync_synchronize();
	return rd32(d, TD_RESULT) != TESTDEV_REFUSED;
}

bool edu_busy(struct dev *d)
{
	return rd32(d, EDU_CMD) & EDU_RUN;
}

static void edu_dma(struct dev *d, u64 src, u64 dst, u32 len, u32 dir)
{
	wr64(d, EDU_SRC, src);
	wr64(d, EDU_DST, dst);
	wr64(d, EDU_COUNT, len);
	__sync_synchronize();
	wr64(d, EDU_CMD, EDU_RUN | dir);
}

void edu_read(struct dev *d, u64 iova, u32 len)
{
	edu_dma(d, iova, EDU_BUF, len, 0);
	while (edu_busy(d))
		usleep(1000);
}

void edu_write_start(struct dev *d, u64 iova, u32 len)
{
	edu_dma(d, EDU_BUF, iova, len, EDU_TO_MEMORY);
}
