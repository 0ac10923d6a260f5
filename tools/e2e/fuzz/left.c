// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "e2e.h"
#include "left.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define WAIT_MS		2000	/* for what is freed behind RCU */

/* Each CPU counts for itself, until this file is read */
static void add_up_counts(void)
{
	char buf[64];
	FILE *f = fopen("/proc/sys/vm/stat_refresh", "r");

	must(f, "stat_refresh");
	while (fgets(buf, sizeof(buf), f))
		;
	fclose(f);
}

static long pages_pinned(void)
{
	long num, acquired = 0, released = 0;
	char line[128];
	FILE *f;

	add_up_counts();
	f = fopen("/proc/vmstat", "r");
	must(f, "vmstat");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &num) == 1)
			acquired = num;
		if (sscanf(line, "nr_foll_pin_released %ld", &num) == 1)
			released = num;
	}
	fclose(f);
	return acquired - released;
}

/* Each has a directory */
static unsigned int vms_there(void)
{
	DIR *dir = opendir(KVM_DEBUGFS);
	unsigned int num = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		num += e->d_name[0] != '.' && e->d_type == DT_DIR;
	if (dir)
		closedir(dir);
	return num;
}

void left_read(struct left *l)
{
	usage_read(&l->usage);
	l->pages = pages_pinned();
	l->vms = vms_there();
}

bool left_nothing(const struct left *was)
{
	static struct left is;
	unsigned int ms;

	for (ms = 0; ms < WAIT_MS; ms += 10) {
		left_read(&is);
		if (is.pages == was->pages && is.vms == was->vms)
			break;
		usleep(10000);
	}
	if (is.pages != was->pages)
		note("%ld pages are pinned, were %ld", is.pages, was->pages);
	if (is.vms != was->vms)
		note("%u VMs, were %u", is.vms, was->vms);
	return usage_same(&was->usage, &is.usage) && is.pages == was->pages && is.vms == was->vms;
}
