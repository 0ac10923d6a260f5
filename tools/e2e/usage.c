// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel has given out and must have back: the SMMU's VMIDs from its table
 * in debugfs, the references to KVM's pins from its tracepoints, and the objects of
 * its slab caches. The last are exact only for caches that are debugged
 * (slab_debug=), as others keep free objects at hand and count them as used.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/membarrier.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "e2e.h"

#define DEBUGFS		"/sys/kernel/debug/iommu/arm-smmu-v3"
#define DEBUGFS_OLD	"/sys/kernel/debug/arm-smmu-v3"
#define TRACEFS		"/sys/kernel/tracing"
#define TRACED_PIN	"kvm_vmid_pin: vmid "
#define TRACED_UNPIN	"kvm_vmid_unpin: vmid "
#define FREE_TRIES	100

static int pins, pipe_fd = -1;
static unsigned int pinned;

FILE *vmids_open(void)
{
	static const char *const dirs[] = { DEBUGFS, DEBUGFS_OLD };
	char path[300];
	struct dirent *e;
	FILE *f = NULL;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(dirs) && !f; i++) {
		dir = opendir(dirs[i]);
		while (dir && !f && (e = readdir(dir))) {
			snprintf(path, sizeof(path), "%s/%s/vmids", dirs[i],
				 e->d_name);
			f = fopen(path, "r");
		}
		if (dir)
			closedir(dir);
	}
	return f;
}

static bool write_file(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	ssize_t len = strlen(val);
	bool ok = fd >= 0 && write(fd, val, len) == len;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* What has been read from the pipe is gone from the trace */
void usage_init(void)
{
	must(!mount("tracefs", TRACEFS, "tracefs", 0, NULL) || errno == EBUSY,
	     "tracefs");
	pipe_fd = open(TRACEFS "/trace_pipe", O_RDONLY | O_NONBLOCK);
	must(pipe_fd >= 0 &&
	     write_file(TRACEFS "/events/kvm/kvm_vmid_pin/enable", "1") &&
	     write_file(TRACEFS "/events/kvm/kvm_vmid_unpin/enable", "1"),
	     "KVM's tracepoints");
}

static void traced(const char *line)
{
	const char *at = strstr(line, TRACED_PIN);

	if (at) {
		pinned = strtoul(at + strlen(TRACED_PIN), NULL, 10);
		pins++;
	} else if (strstr(line, TRACED_UNPIN)) {
		pins--;
	}
}

static void pins_read(void)
{
	static char buf[2 * PAGE];
	size_t have = 0;
	ssize_t got;
	char *end;

	while ((got = read(pipe_fd, buf + have, sizeof(buf) - 1 - have)) > 0) {
		have += got;
		buf[have] = '\0';
		while ((end = strchr(buf, '\n'))) {
			*end++ = '\0';
			traced(buf);
			have -= end - buf;
			memmove(buf, end, have + 1);
		}
	}
	must(errno == EAGAIN && !have, "whole lines in the trace");
}

unsigned int usage_pinned(void)
{
	return pinned;
}

static int cmp_rows(const void *a, const void *b)
{
	return strcmp(a, b);
}

void usage_read(struct usage *u)
{
	char line[256], kind[16], state[16], vsmmu[8];
	unsigned int id, users, devices;
	FILE *f = vmids_open();

	memset(u, 0, sizeof(*u));
	must(f, "the VMIDs in debugfs");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %15s %15s %u %u %7s", &id, kind, state,
			   &users, &devices, vsmmu) != 6)
			continue;
		must(id < MAX_ROWS && u->vmids < MAX_ROWS, "VMID %u", id);
		u->taken[id] = true;
		snprintf(u->row[u->vmids++], sizeof(u->row[0]),
			 "%.7s %.5s %u %u %.3s", kind, state, users, devices,
			 vsmmu);
	}
	fclose(f);
	qsort(u->row, u->vmids, sizeof(u->row[0]), cmp_rows);
	pins_read();
	u->pins = pins;
}

bool usage_same(const struct usage *was, const struct usage *is)
{
	unsigned int i;

	if (was->pins != is->pins)
		note("%d references to pins, were %d", is->pins, was->pins);
	if (was->vmids != is->vmids)
		note("%u VMIDs, were %u", is->vmids, was->vmids);
	for (i = 0; i < was->vmids && i < is->vmids; i++)
		if (strcmp(was->row[i], is->row[i])) {
			note("a VMID is now '%s', was '%s'", is->row[i],
			     was->row[i]);
			return false;
		}
	return was->pins == is->pins && was->vmids == is->vmids;
}

/* The caches that objects without one of their own come from */
static void read_caches(struct slabs *s)
{
	char line[512], name[32];
	unsigned long objects;
	FILE *f = fopen("/proc/slabinfo", "r");

	must(f, "/proc/slabinfo");
	s->num = 0;
	s->total = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %lu", name, &objects) != 2 ||
		    strncmp(name, "kmalloc-", 8))
			continue;
		must(s->num < MAX_CACHES, "room for %s", name);
		snprintf(s->cache[s->num].name, sizeof(s->cache[0].name), "%s",
			 name);
		s->cache[s->num++].objects = objects;
		s->total += objects;
	}
	fclose(f);
	must(s->num, "kmalloc caches");
}

/* Let go of what waits for RCU; kfree_rcu() collects it until memory is called for */
static void let_go(void)
{
	write_file("/proc/sys/vm/drop_caches", "6");
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(2000);
}

static void tell_change(const struct slabs *was, const struct slabs *is)
{
	unsigned int i;

	must(was->num == is->num, "the same caches");
	for (i = 0; i < was->num; i++)
		if (was->cache[i].objects != is->cache[i].objects)
			note("%lu objects in %s, were %lu",
			     is->cache[i].objects, is->cache[i].name,
			     was->cache[i].objects);
}

void slabs_read(struct slabs *s)
{
	unsigned long before;
	unsigned int i = 0;

	read_caches(s);
	do {
		before = s->total;
		let_go();
		read_caches(s);
	} while (s->total != before && i++ < FREE_TRIES);
}

bool slabs_same(const struct slabs *was)
{
	struct slabs is;
	unsigned int i;

	read_caches(&is);
	for (i = 0; is.total > was->total && i < FREE_TRIES; i++) {
		let_go();
		read_caches(&is);
	}
	if (is.total == was->total)
		return true;
	tell_change(was, &is);
	return false;
}
