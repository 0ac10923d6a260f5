// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

unsigned long sysfs_number(const char *path)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = '\0';
	close(fd);
	return strtoul(buf, NULL, 0);
}

unsigned long sysfs_read(const char *bdf, const char *attr)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, attr);
	return sysfs_number(path);
}

bool sysfs_write(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, val, strlen(val)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

int open_soon(const char *path, int flags)
{
	unsigned int i;
	int fd;

	for (i = 0; i < 1000; i++) {
		fd = open(path, flags | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	return -1;
}
