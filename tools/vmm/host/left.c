// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VMMs have left behind: pins of KVM's VMIDs, and VMIDs that the SMMU has in use.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define SMMU_DEBUGFS	"/sys/kernel/debug/iommu/arm-smmu-v3"
#define LEFT_TRIES	50	/* a tenth of a second each */

/* Lines of a file that have a text; -1 if there is no such file */
static int count_lines(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, text);
	fclose(f);
	return n;
}

/* How many VMIDs the SMMU has in use; -1 without the series */
int count_vmids(void)
{
	DIR *dir = opendir(SMMU_DEBUGFS);
	struct dirent *e;
	char path[300];
	int n = -1;

	while (dir && n < 0 && (e = readdir(dir))) {
		snprintf(path, sizeof(path), SMMU_DEBUGFS "/%.64s/vmids", e->d_name);
		n = count_lines(path, "\n");
	}
	if (dir)
		closedir(dir);
	return n;
}

/* The pins of KVM's VMIDs that were taken and not given back */
static int count_pins(void)
{
	return count_lines(TRACEFS "/trace", " kvm_vmid_pin: ") -
	       count_lines(TRACEFS "/trace", " kvm_vmid_unpin: ");
}

void watch_pins(void)
{
	if (count_vmids() < 0)
		return;
	write_file(TRACEFS "/events/kvm/kvm_vmid_pin/enable", "1");
	write_file(TRACEFS "/events/kvm/kvm_vmid_unpin/enable", "1");
}

/* The end of a VM takes a moment after that of its process */
void say_left(int vmids_before)
{
	int tries = LEFT_TRIES, pins, vmids;

	if (vmids_before < 0)
		return;
	do {
		usleep(100000);
		pins = count_pins();
		vmids = count_vmids() - vmids_before;
	} while ((pins || vmids) && --tries);
	printf("vmm: left pins=%d vmids=%d of pins taken=%d\n", pins, vmids,
	       count_lines(TRACEFS "/trace", " kvm_vmid_pin: "));
}

