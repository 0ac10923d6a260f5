// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of the host that guests get: VFIO has them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host.h"

/* iommu-testdev, the NVMe controller, the network card */
static const unsigned long ids[] = { 0x1b360005, 0x1b360010, 0x808610d3 };

static unsigned long sysfs_id(const char *bdf, const char *attr)
{
	char path[300], buf[32];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, attr);
	read_file(path, buf, sizeof(buf));
	return strtoul(buf, NULL, 0);
}

/* A driver of the host may have been faster */
static void give_to_vfio(const char *bdf)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	if (!write_file(path, "vfio-pci"))
		return;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver/unbind", bdf);
	if (!access(path, F_OK) && !write_file(path, bdf))
		return;
	if (write_file("/sys/bus/pci/drivers_probe", bdf))
		printf("vmm: device %s\n", bdf);
}

void find_devices(void)
{
	struct dirent **list;
	int i, n = scandir(PCI_DEVICES, &list, NULL, alphasort);
	unsigned long id;
	size_t k;

	for (i = 0; i < n; i++) {
		const char *bdf = list[i]->d_name;

		id = sysfs_id(bdf, "vendor") << 16 | sysfs_id(bdf, "device");
		for (k = 0; k < ARRAY_SIZE(ids); k++) {
			if (id == ids[k])
				give_to_vfio(bdf);
		}
	}
}
