// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "marker.h"
#include "sysfs.h"

#define MARKER_SIZE	4096
#define TD_LEN		0x0c	/* a register of iommu-testdev */

static char marker_bdf[16];
static volatile u32 *marker;

void marker_init(const char *bdf)
{
	char path[300];

	snprintf(marker_bdf, sizeof(marker_bdf), "%s", bdf);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/enable", bdf);
	sysfs_write(path, "1");
}

/* Each case for itself: a mapping does not survive that the device is removed */
static void marker_map(void)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource0", marker_bdf);
	fd = open(path, O_RDWR | O_SYNC);
	marker = mmap(NULL, MARKER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (marker == MAP_FAILED) {
		marker = NULL;
		printf("# no marker device: %s\n", strerror(errno));
	}
	close(fd);
}

void marker_write(u32 val)
{
	if (!marker)
		marker_map();
	if (marker)
		marker[TD_LEN / 4] = val;
}

void marker_unmap(void)
{
	if (marker)
		munmap((void *)marker, MARKER_SIZE);
	marker = NULL;
}
