// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel holds for devices, by its own account: the VMIDs of the SMMU,
 * which debugfs lists, and the references on KVM's pins, which are the difference
 * of two tracepoints. The unpatched kernel has neither.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <glob.h>
#include <sys/mount.h>

#include "e2e.h"

#define VMIDS		"/sys/kernel/debug/arm-smmu-v3/*/vmids"
#define TRACEFS		"/sys/kernel/tracing"
#define TRACE_PIN	TRACEFS "/events/kvm/kvm_vmid_pin/enable"
#define TRACE_UNPIN	TRACEFS "/events/kvm/kvm_vmid_unpin/enable"

static void count_pins(void)
{
	static bool counting;

	if (counting)
		return;
	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	must(sysfs_write(TRACE_PIN, "1") && sysfs_write(TRACE_UNPIN, "1"),
	     "tracepoints of KVM's pins");
	counting = true;
}

/* Since the tracepoints were enabled */
static int pins(void)
{
	char line[256];
	int pins = 0;
	FILE *f;

	f = fopen(TRACEFS "/trace", "r");
	must(f, TRACEFS "/trace");
	while (fgets(line, sizeof(line), f))
		pins += !!strstr(line, "kvm_vmid_pin: ") -
			!!strstr(line, "kvm_vmid_unpin: ");
	fclose(f);
	return pins;
}

static void read_vmids(char *buf, size_t size)
{
	ssize_t len, got = 0;
	glob_t g;
	int fd;

	must(!glob(VMIDS, 0, NULL, &g) && g.gl_pathc == 1, VMIDS);
	fd = open(g.gl_pathv[0], O_RDONLY);
	must(fd >= 0, "%s", g.gl_pathv[0]);
	while ((len = read(fd, buf + got, size - 1 - got)) > 0)
		got += len;
	buf[got] = '\0';
	close(fd);
	globfree(&g);
}

void holdings_read(struct holdings *h)
{
	memset(h, 0, sizeof(*h));
	if (!e2e.patched)
		return;
	count_pins();
	read_vmids(h->vmids, sizeof(h->vmids));
	h->pins = pins();
}

unsigned int holdings_vmids(const struct holdings *h)
{
	unsigned int lines = 0;
	const char *s;

	for (s = h->vmids; (s = strchr(s, '\n')); s++)
		lines++;
	/* Less the two of the heading */
	return lines > 2 ? lines - 2 : 0;
}

static bool same(const struct holdings *a, const struct holdings *b)
{
	return a->pins == b->pins && !strcmp(a->vmids, b->vmids);
}

bool holdings_check(const struct holdings *before, const char *what)
{
	struct holdings now;
	char *line, *save;

	if (!e2e.patched)
		return true;
	holdings_read(&now);
	if (check(same(before, &now), "%s: VMIDs and pins are as before", what))
		return true;
	note("pins: %d, before %d; VMIDs:", now.pins, before->pins);
	for (line = strtok_r(now.vmids, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		note("  %s", line);
	return false;
}
