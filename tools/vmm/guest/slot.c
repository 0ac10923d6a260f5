// SPDX-License-Identifier: GPL-2.0-only
/*
 * The slot of the first PCIe root port, by hand: the kernel that the test boots has no hotplug
 * driver. What a driver would do at an interrupt of the port is done when the host says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "guest.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define CLASS_BRIDGE	0x0604
#define DISK_TRIES	300	/* a tenth of a second each */

static uint16_t read16(int fd, unsigned int at)
{
	uint8_t b[2] = { 0 };

	if (pread(fd, b, sizeof(b), at) != sizeof(b))
		return 0;
	return b[0] | b[1] << 8;
}

static unsigned int express_capability(int fd)
{
	unsigned int at = read16(fd, PCI_CAPABILITY_LIST) & 0xfc, tries = 48;

	while (at && --tries && (read16(fd, at) & 0xff) != PCI_CAP_ID_EXP)
		at = read16(fd, at) >> 8 & 0xfc;
	return tries ? at : 0;
}

/* The configuration space of the first bridge; its address goes to @name */
static int open_port(char *name, size_t size)
{
	struct dirent **list;
	int i, fd, found = -1;
	int n = scandir(PCI_DEVICES, &list, NULL, alphasort);
	char path[300];

	for (i = 0; i < n && found < 0; i++) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", list[i]->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && read16(fd, PCI_CLASS_DEVICE) == CLASS_BRIDGE) {
			snprintf(name, size, "%.*s", (int)size - 1, list[i]->d_name);
			found = fd;
		} else if (fd >= 0) {
			close(fd);
		}
	}
	return found;
}

/* Power and its indicator, which is what says that a device may be taken out */
static bool set_power(bool on, char *name, size_t size)
{
	uint16_t control = on ? PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON :
				PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF;
	uint8_t b[2] = { control & 0xff, control >> 8 };
	int fd = open_port(name, size);
	unsigned int at;
	bool ok;

	if (fd < 0)
		return false;
	at = express_capability(fd);
	ok = at && pwrite(fd, b, sizeof(b), at + PCI_EXP_SLTCTL) == sizeof(b);
	close(fd);
	return ok;
}

/* There is a disk in it that was not there before */
bool slot_on_job(char *detail)
{
	unsigned int before = count_disks(0, 1), after = before;
	char name[64] = "no port";
	bool ok = set_power(true, name, sizeof(name));

	usleep(200000);
	ok = ok && write_text("/sys/bus/pci/rescan", "1");
	if (ok)
		after = count_disks(before, DISK_TRIES);
	snprintf(detail, DETAIL_SIZE, "%s disks=%u", name, after);
	return after > before;
}

/* What is in it is to be taken out */
bool slot_off_job(char *detail)
{
	char path[400], name[64] = "no port", dir[100];
	struct dirent *e;
	DIR *d;
	int fd;

	fd = open_port(name, sizeof(name));
	if (fd < 0)
		return false;
	close(fd);
	snprintf(dir, sizeof(dir), PCI_DEVICES "/%s", name);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, "0000:", 5) || !strchr(e->d_name, '.'))
			continue;
		snprintf(path, sizeof(path), "%s/%s/remove", dir, e->d_name);
		if (!write_text(path, "1"))
			snprintf(detail, DETAIL_SIZE, "%s", strerror(errno));
	}
	if (d)
		closedir(d);
	return set_power(false, name, sizeof(name));
}
