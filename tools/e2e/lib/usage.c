// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel has given out and must have back: the SMMU's VMIDs, from its table
 * in debugfs, and the references to KVM's pins, from the tracepoints of those. The
 * unpatched kernel has neither.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>

#include "boot.h"
#include "report.h"
#include "sysfs.h"
#include "usage.h"

#define DEBUGFS		"/sys/kernel/debug/iommu/arm-smmu-v3"
#define TRACEFS		"/sys/kernel/tracing"
#define TRACED_PIN	"kvm_vmid_pin: vmid "
#define TRACED_UNPIN	"kvm_vmid_unpin: vmid "

static int pins, pipe_fd = -1;
static unsigned int pinned;

FILE *smmu_debugfs_open(const char *name)
{
	DIR *dir = opendir(DEBUGFS);
	char path[300];
	struct dirent *e;
	FILE *f = NULL;

	while (dir && !f && (e = readdir(dir))) {
		snprintf(path, sizeof(path), DEBUGFS "/%.200s/%s", e->d_name,
			 name);
		f = fopen(path, "r");
	}
	if (dir)
		closedir(dir);
	return f;
}

/* What has been read from the pipe is gone from the trace */
static void pins_trace(void)
{
	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	pipe_fd = open(TRACEFS "/trace_pipe", O_RDONLY | O_NONBLOCK);
	must(pipe_fd >= 0 &&
	     sysfs_write(TRACEFS "/events/kvm/kvm_vmid_pin/enable", "1") &&
	     sysfs_write(TRACEFS "/events/kvm/kvm_vmid_unpin/enable", "1"),
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
	const bool first = pipe_fd < 0;
	static char buf[2 * BUFSIZ];
	size_t have = 0;
	ssize_t got;
	char *end;

	if (first)
		pins_trace();
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
	/* What another case has left in the trace */
	if (first)
		pins = 0;
}

unsigned int usage_pinned(void)
{
	return pinned;
}

bool vmid_row_parse(const char *line, struct vmid_row *row)
{
	int names = 0;

	if (sscanf(line, "%u %15s %15s %u %7s %*s%n", &row->id, row->kind,
		   row->state, &row->users, row->vsmmu, &names) != 5 || !names)
		return false;
	snprintf(row->names, sizeof(row->names), "%s", line + names);
	row->devices = 0;
	for (names = 0; row->names[names]; names++)
		row->devices += row->names[names] == ' ';
	return true;
}

static int cmp_rows(const void *a, const void *b)
{
	return strcmp(a, b);
}

void usage_read(struct usage *u)
{
	struct vmid_row row;
	char line[512];
	FILE *f;

	memset(u, 0, sizeof(*u));
	if (!e2e.patched)
		return;
	f = smmu_debugfs_open("vmids");
	must(f, "the VMIDs in debugfs");
	while (fgets(line, sizeof(line), f)) {
		if (!vmid_row_parse(line, &row))
			continue;
		must(row.id < MAX_VMIDS && u->vmids < MAX_ROWS, "VMID %u", row.id);
		u->taken[row.id] = true;
		snprintf(u->row[u->vmids++], sizeof(u->row[0]),
			 "%.7s %.5s %u %u %.3s", row.kind, row.state, row.users,
			 row.devices, row.vsmmu);
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

bool usage_check(const struct usage *was, const char *what)
{
	static struct usage is;
	bool same;

	if (!e2e.patched)
		return true;
	usage_read(&is);
	same = usage_same(was, &is) &&
	       !memcmp(was->taken, is.taken, sizeof(is.taken));
	return check(same, "%s: VMIDs and pins are as before", what);
}
