// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host whose IOMMU is a virtio-iommu. Devices are assigned, to a VM or
 * without one, but there is no vSMMU and no PASID, and IOVAs have an end that
 * the device names. Nothing of it depends on the feature: both kernels answer
 * the same. The trace shows what the driver asked of the device.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "e2e.h"

#define APERTURE	VIRTIO_APERTURE
#define INSIDE		(APERTURE - PAGE)
#define REFUSALS	8

/* What is not there, and the answer to those who ask for it */
static void check_requests(struct dev *d, int fd, u32 ioas, u32 hwpt)
{
	static const struct {
		const char *what;
		u32 flags;
	} page_tables[] = {
		{ "nest parent", IOMMU_HWPT_ALLOC_NEST_PARENT },
		{ "dirty tracking", IOMMU_HWPT_ALLOC_DIRTY_TRACKING },
		{ "page table for PASIDs", IOMMU_HWPT_ALLOC_PASID },
	};
	struct e2e_viommu_data data = { .flags = E2E_SHARE_VMID };
	struct iommu_hw_info_arm_smmuv3 info = { .idr = { 1 } };
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(page_tables); i++) {
		ret = hwpt_alloc(fd, d->id, ioas, page_tables[i].flags);
		check(ret == -EOPNOTSUPP, "%s: %d, expected %d",
		      page_tables[i].what, ret, -EOPNOTSUPP);
	}
	ret = viommu_alloc(fd, d->id, hwpt);
	check(ret == -EOPNOTSUPP, "vIOMMU: %d, expected %d", ret, -EOPNOTSUPP);
	ret = viommu_alloc_data(fd, d->id, hwpt, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				&data, sizeof(data));
	check(ret == -EOPNOTSUPP && !data.out_flags,
	      "vIOMMU that asks to share: %d, out_flags %#x, expected %d and 0",
	      ret, data.out_flags, -EOPNOTSUPP);
	ret = dev_attach_pasid(d, ioas, 1);
	check(ret == -EINVAL, "PASID to an IOAS: %d, expected %d", ret,
	      -EINVAL);
	ret = dev_attach_pasid(d, hwpt, 1);
	check(ret == -EINVAL, "PASID to a page table: %d, expected %d", ret,
	      -EINVAL);
	ret = hw_info(fd, d->id, &info);
	check(!ret && !info.idr[0], "hw_info: %d, nothing of an SMMU (%#x)",
	      ret, info.idr[0]);
}

static void check_lands(struct guest *g, struct dev *d, u64 iova, char page)
{
	pages_clear(g);
	check(testdev_dma(d, iova) && pages_hit(g) == page,
	      "DMA to %#lx lands in page %c", iova, page);
}

static void check_refused_dma(struct guest *g, struct dev *d, u64 iova)
{
	bool done;

	pages_clear(g);
	done = testdev_dma(d, iova);
	check(!done && pages_hit(g) == '-', "DMA to %#lx is refused", iova);
}

static void map_outside(struct guest *g)
{
	int ret;

	ret = ioas_map(g->iommufd, g->ioas, g->mem, PAGE, APERTURE);
	check(ret == -EINVAL, "map behind the end: %d, expected %d", ret,
	      -EINVAL);
	ret = ioas_map(g->iommufd, g->ioas, g->mem, 2 * PAGE, APERTURE - PAGE);
	check(ret == -EINVAL, "map across the end: %d, expected %d", ret,
	      -EINVAL);
}

/* An IOAS that has no end yet, and a page behind the end in it */
static u32 ioas_outside(struct guest *g)
{
	int ioas = ioas_alloc(g->iommufd);

	must(ioas > 0, "IOAS");
	must(!ioas_map(g->iommufd, ioas, g->mem, PAGE, APERTURE),
	     "map behind the end before a device is there");
	return ioas;
}

static void run(unsigned int r, bool with_vm)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), hwpt, ret, i;
	struct guest g;
	u32 outside;
	u64 last;

	guest_init(&g, fd, with_vm);
	outside = ioas_outside(&g);

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_ATTACH));
	dev_open(d, fd, with_vm ? &g.vm : NULL);
	hwpt = hwpt_alloc(fd, d->id, g.ioas, 0);
	must(hwpt > 0, "page table: %d", hwpt);
	ret = dev_attach(d, hwpt);
	must(!ret, "attach: %d", ret);
	last = ioas_last_iova(fd, g.ioas);
	check(last == APERTURE - 1, "IOVAs end at %#lx, expected %#lx", last,
	      APERTURE - 1);
	check_lands(&g, d, GPA_BASE + OFF_PAGE_A, 'A');

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_INSIDE));
	ret = ioas_map(fd, g.ioas, g.mem + OFF_PAGE_B, PAGE, INSIDE);
	check(!ret, "map of the last page: %d", ret);
	check_lands(&g, d, INSIDE, 'B');
	must(!ioas_unmap(fd, g.ioas, INSIDE, PAGE), "unmap of the last page");

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_OUTSIDE));
	map_outside(&g);

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_REPLACE));
	ret = dev_attach(d, outside);
	check(ret == -EADDRINUSE, "replace, mapped behind the end: %d, expected %d",
	      ret, -EADDRINUSE);
	check_lands(&g, d, GPA_BASE + OFF_PAGE_C, 'C');

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_UNMAP));
	must(!ioas_unmap(fd, g.ioas, GPA_BASE, GUEST_SIZE), "unmap");
	check_refused_dma(&g, d, GPA_BASE + OFF_PAGE_A);

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_REFUSED));
	must(!dev_detach(d), "detach");
	for (i = 0; i < REFUSALS; i++) {
		ret = dev_attach(d, outside);
		check(ret == -EADDRINUSE,
		      "attach, mapped behind the end: %d, expected %d", ret,
		      -EADDRINUSE);
	}

	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_REQUESTS));
	check_requests(d, fd, g.ioas, hwpt);

	/* What an error left behind would use these */
	mark(CASE_VIRTIO, ROUND(r, STEP_VIRTIO_CLOSE));
	check(!iommufd_destroy(fd, hwpt), "the page table is destroyed");
	check(!iommufd_destroy(fd, g.ioas), "its IOAS is destroyed");
	must(!ioas_unmap(fd, outside, APERTURE, PAGE), "unmap behind the end");
	ret = dev_attach(d, outside);
	check(!ret, "attach, nothing mapped behind the end: %d", ret);
	must(!dev_detach(d), "detach");
	check(!iommufd_destroy(fd, outside), "the other IOAS is destroyed");
	dev_close(d);
	close(fd);
	if (with_vm)
		vm_close(&g.vm);
	munmap(g.mem, GUEST_SIZE);
	mark(CASE_VIRTIO, STEP_VIRTIO_DONE);
}

void case_virtio_iommu(void)
{
	const char *driver = dev_iommu_driver(&testdev[0]);

	must(!strcmp(driver, "virtio_iommu"), "the IOMMU's driver is '%s'",
	     driver);
	run(0, false);
	run(1, true);
}

#define DRIVER	"/sys/bus/virtio/drivers/virtio_iommu"

/*
 * The last case of a boot: the driver is unbound, and a page table is left, whose
 * pages are unmapped and which is destroyed then. The unpatched kernel uses freed
 * memory, so it is spared.
 */
void case_virtio_gone(void)
{
	struct dev *d = &testdev[0];
	struct dirent *e = NULL;
	int fd = iommufd_open(), hwpt;
	struct guest g;
	char name[sizeof(e->d_name)];
	DIR *dir;

	if (!e2e.patched)
		skip("a fault of 7.3");
	mark(CASE_VIRTIO_GONE, STEP_VIRTIO_GONE_RUN);
	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	hwpt = hwpt_alloc(fd, d->id, g.ioas, 0);
	must(hwpt > 0, "page table: %d", hwpt);
	must(!dev_attach(d, hwpt), "attach");
	dev_close(d);

	dir = opendir(DRIVER);
	while (dir && (e = readdir(dir)) && strncmp(e->d_name, "virtio", 6))
		;
	must(e, "the IOMMU");
	snprintf(name, sizeof(name), "%s", e->d_name);
	closedir(dir);
	check(sysfs_write(DRIVER "/unbind", name), "%s is unbound", name);
	check(!ioas_unmap(fd, g.ioas, GPA_BASE, GUEST_SIZE), "unmap");
	check(!iommufd_destroy(fd, hwpt), "the page table is destroyed");
	close(fd);
	mark(CASE_VIRTIO_GONE, STEP_VIRTIO_GONE_DONE);
}
