/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI devices that do DMA on demand. */
#ifndef E2E_LIB_VFIO_H
#define E2E_LIB_VFIO_H

#include <stdbool.h>
#include <stddef.h>

#include "common.h"
#include "kvm.h"

enum dev_type { DEV_TESTDEV, DEV_EDU };

/**
 * struct dev - a PCI device that does DMA on demand
 * @type: which
 * @bdf: its PCI address
 * @sid: its StreamID
 * @fd: its VFIO file, -1 while closed
 * @id: its iommufd id
 * @vm: the VM that knows of it
 * @bar: BAR 0
 * @bar_size: its size
 */
struct dev {
	enum dev_type type;
	char bdf[16];
	u32 sid;
	int fd;
	u32 id;
	struct vm *vm;
	volatile u8 *bar;
	size_t bar_size;
};

#define MAX_DEVS	10
extern struct dev testdev[MAX_DEVS];
extern unsigned int num_testdevs;
extern struct dev edu;

void vfio_setup(void);
/* Two test devices that are functions of one device, hence of one group */
bool devs_pair(struct dev **a, struct dev **b);
/* Hot-unplug every PCI device; let them come back (then vfio_setup() again) */
int devices_remove(void);
int devices_rescan(void);
/* Bind to @iommufd; for @vm, if there is one, KVM is told before. */
void dev_open(struct dev *d, int iommufd, struct vm *vm);
void dev_close(struct dev *d);
/* The same, but that KVM is not told */
void dev_drop(struct dev *d);
/* Let vfio-pci have a device that has no driver */
void dev_probe(struct dev *d);
/* Let another driver have it */
void dev_rebind(const struct dev *d, const char *driver);
/* Is it on the bus, and does vfio-pci have it? */
bool dev_exists(struct dev *d);
bool dev_probed(struct dev *d);
/* Let @eventfd tell when the kernel wants the device back */
void dev_on_request(struct dev *d, int eventfd);
int dev_reset(struct dev *d);
/* The parts of dev_open() that another case tries by themselves */
int dev_file_open(const struct dev *d);
int dev_bind(struct dev *d, int iommufd);
void dev_enable(struct dev *d);
/* 0 or -errno */
int dev_attach(struct dev *d, u32 pt);
/* Both functions of one device. The first call is for the group, the second adds one */
int pair_attach(struct dev *a, struct dev *b, u32 pt);
int dev_attach_pasid(struct dev *d, u32 pt, u32 pasid);
int dev_detach(struct dev *d);
/* The driver of its IOMMU, "" if there is none; in a static buffer */
const char *dev_iommu_driver(const struct dev *d);

#define TESTDEV_DATA	0x12345678u
/* The test device writes TESTDEV_DATA to @iova. True unless the SMMU refused */
bool testdev_dma(struct dev *d, u64 iova);
/* The same once more, with fewer register accesses */
bool testdev_again(struct dev *d);

#define EDU_DELAY_MS	100
void edu_read(struct dev *d, u64 iova, u32 len);
void edu_write_start(struct dev *d, u64 iova, u32 len);
bool edu_busy(struct dev *d);

#endif
