// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that ACPI describes: the IOMMU and each device's StreamID are from
 * IORT, or from VIOT if it is a virtio-iommu, and there is no device tree to
 * have them from. What else works on such a host is told by the other cases.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define ACPI_STEPS(X)				\
	X(STEP_ACPI_RUN,	0x01, "run")

E2E_CASE(acpi, 32, "acpi", ACPI_STEPS);

#ifdef E2E_INIT
#include "e2e.h"

#define TABLES		"/sys/firmware/acpi/tables/"
#define DEVICE_TREE	"/proc/device-tree/compatible"

static const struct {
	const char *driver;
	const char *table;
} iommus[] = {
	{ "arm-smmu-v3", "IORT" },
	{ "virtio_iommu", "VIOT" },
};

static void check_table(const char *driver)
{
	char path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(iommus); i++) {
		if (strcmp(driver, iommus[i].driver))
			continue;
		snprintf(path, sizeof(path), TABLES "%s", iommus[i].table);
		check(!access(path, R_OK), "%s is there, for %s", path, driver);
		return;
	}
	check(false, "the IOMMU's driver is '%s'", driver);
}

static void check_dma(struct dev *d)
{
	int fd = iommufd_open(), ret;
	struct guest g;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	ret = dev_attach(d, g.ioas);
	check(!ret, "%s: attach: %d", d->bdf, ret);
	pages_clear(&g);
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_A) && pages_hit(&g) == 'A',
	      "%s: DMA lands in page A", d->bdf);
	dev_close(d);
	close(fd);
	munmap(g.mem, GUEST_SIZE);
}

void case_acpi(void)
{
	unsigned int i;

	check(access(DEVICE_TREE, F_OK), "no device tree describes a machine");
	check_table(dev_iommu_driver(&testdev[0]));

	mark(STEP_ACPI_RUN);
	for (i = 0; i < num_testdevs; i++)
		check_dma(&testdev[i]);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

#define MAX_SIDS	65536

/* StreamIDs under which translated accesses went through */
static unsigned int streams(const struct span *s)
{
	static bool seen[MAX_SIDS];
	unsigned int n = 0;
	const struct ev *e;

	for_each_event(e, *s, EV_XLATE) {
		if (e->op[0] || e->sid >= MAX_SIDS)
			continue;
		n += !seen[e->sid];
		seen[e->sid] = true;
	}
	return n;
}

/* Several devices, each bound, attached and seen under a StreamID of its own */
void check_acpi(struct run *r)
{
	struct span s;
	unsigned int n;

	if (!rule(r, step(r, STEP_ACPI_RUN, &s), "acpi: steps"))
		return;
	n = streams(&s);
	rule(r, n > 1 && n == count(&s, EV_DMA),
	     "acpi: %u StreamIDs in %zu DMAs", n, count(&s, EV_DMA));
}
#endif
