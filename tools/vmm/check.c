// SPDX-License-Identifier: GPL-2.0-only
/*
 * check [-sbcik] [-e TEXT] [-x TEXT] NAME DIR: what a run of the VMM test has shown in console.log,
 * trace.log and status below DIR, as a KTAP subtest; with a line "# row ..." for the table.
 *
 *	-s	the VMM must get the VM's VMID for the device
 *	-b	and the guest's broadcasts must reach it
 *	-c	the guest must need no command for an unmap
 *	-i	the guest must see IDR0.BTM
 *	-e TEXT	it is no VMM but the example of Documentation/uapi.rst, and must print this
 *	-k	the VMM must be killed, in the middle
 *	-x TEXT	the VMM must not start, and say this
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "marks.h"
#include "trace.h"

#define IDR0_BTM	(1u << 5)
#define MAX_VMIDS	16

/* A set of VMIDs; more than a few would be wrong anyway. */
struct vmids {
	int vmid[MAX_VMIDS];
	unsigned int n;
};

/**
 * struct run - what is known of it
 * @ended: the VMM ended by itself
 * @off: so did the emulator of the host
 * @refused: it gave up at the start, and said why
 * @killed: it was killed
 * @left_known: the kernel tells what is left; the unpatched one does not
 * @left_pins: pins of KVM's VMIDs that are left, as an unsigned number
 * @left_vmids: VMIDs of the SMMU that are left
 * @pins: pins that were taken
 * @splat: the kernel of the host complained
 * @unmaps: how many were counted
 * @lost: DMA before the unmap that did not arrive
 * @stale_of: how many were tried after an unmap
 * @stale: how many of these arrived
 * @before: DMA by a mapping arrived
 * @cleared: and after its PTE was cleared, without an invalidation
 * @after: and after a TLBI of the guest's CPU
 * @done: the guest's driver came to its end without an error
 * @idr0: of the virtual SMMU, as the guest read it
 * @exits: to the VMM during the unmaps
 * @writes: to the virtual SMMU's registers
 * @reads: of the virtual SMMU's registers
 * @commands: to the virtual SMMU
 * @ioctls: IOMMU_HWPT_INVALIDATE
 * @host_commands: to the host's SMMU during the unmaps
 * @host_writes: to its registers
 * @tlbis: by the guest's CPUs during the unmaps
 * @example: what the example got
 * @tlbi: name of the last of them
 * @kvm: VMIDs of the guest's TLBIs
 * @smmu: VMIDs of the nested TLB entries
 */
struct run {
	bool ended, off, splat, refused, killed, left_known;
	unsigned long left_pins, left_vmids, pins;
	unsigned long unmaps, lost, stale_of, stale;
	unsigned long before, cleared, after;
	unsigned long done, idr0;
	unsigned long exits, writes, reads, commands, ioctls;
	unsigned long host_commands, host_writes, tlbis;
	char example[64];
	char tlbi[24];
	struct vmids kvm, smmu;
};

static unsigned int tests, failed;

static void __attribute__((format(printf, 2, 3))) result(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("    %s %u ", ok ? "ok" : "not ok", ++tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	failed += !ok;
}

static void add_vmid(struct vmids *set, int vmid)
{
	unsigned int i;

	for (i = 0; i < set->n; i++) {
		if (set->vmid[i] == vmid)
			return;
	}
	if (set->n < MAX_VMIDS)
		set->vmid[set->n++] = vmid;
}

/* " name=value" in a line */
static void field(const char *line, const char *name, unsigned long *val)
{
	size_t n = strlen(name);
	const char *at = line;

	while ((at = strstr(at, name))) {
		if (at > line && at[-1] == ' ' && at[n] == '=') {
			*val = strtoul(at + n + 1, NULL, 0);
			return;
		}
		at += n;
	}
}

static void read_window(const char *line, struct run *r)
{
	if (strtoul(line, NULL, 0) != VMM_UNMAP)
		return;
	field(line, "exits", &r->exits);
	field(line, "writes", &r->writes);
	field(line, "reads", &r->reads);
	field(line, "commands", &r->commands);
	field(line, "ioctls", &r->ioctls);
}

/* Lines of the guest's driver and of the host's init */
static void read_line(const char *line, struct run *r)
{
	static const char * const kinds[] = {
		"unmap ", "stale ", "tlbi ", "done ", "window ", "idr0 ", "left ",
	};
	unsigned long ret = 1;
	const char *at;
	size_t i;

	at = strstr(line, "guest: ");
	at = at ? at + strlen("guest: ") : strstr(line, "vmm: ");
	if (!at)
		return;
	if (!strncmp(at, "vmm: ", 5))
		at += 5;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strncmp(at, kinds[i], strlen(kinds[i])))
			break;
	}
	switch (i) {
	case 0:
		field(at, "count", &r->unmaps);
		field(at, "lost", &r->lost);
		break;
	case 1:
		field(at, "count", &r->stale_of);
		field(at, "stale", &r->stale);
		break;
	case 2:
		field(at, "before", &r->before);
		field(at, "cleared", &r->cleared);
		field(at, "after", &r->after);
		break;
	case 3:
		field(at, "ret", &ret);
		r->done = !ret;
		break;
	case 4:
		read_window(at + strlen("window "), r);
		break;
	case 5:
		r->idr0 = strtoul(at + strlen("idr0 "), NULL, 0);
		break;
	case 6:
		r->left_known = true;
		field(at, "pins", &r->left_pins);
		field(at, "vmids", &r->left_vmids);
		field(at, "taken", &r->pins);
		break;
	}
}

static bool is_splat(const char *line)
{
	static const char * const splats[] = {
		"Kernel panic", "BUG:", "WARNING:", "Oops", "Internal error",
	};
	size_t i;

	for (i = 0; i < sizeof(splats) / sizeof(splats[0]); i++) {
		if (strstr(line, splats[i]))
			return true;
	}
	return false;
}

static FILE *open_in(const char *dir, const char *name)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		exit(2);
	}
	return f;
}

/* @refusal is what the VMM says if it gives up, or NULL */
static void read_console(const char *dir, const char *refusal, struct run *r)
{
	FILE *f = open_in(dir, "console.log");
	char line[1024];

	while (fgets(line, sizeof(line), f)) {
		read_line(line, r);
		r->refused |= refusal && strstr(line, refusal);
		sscanf(line, "example: %63s", r->example);
		r->ended |= !strncmp(line, "vmm: end exit=0", strlen("vmm: end exit=0"));
		r->killed |= !strncmp(line, "vmm: end signal=9", strlen("vmm: end signal=9"));
		if (is_splat(line)) {
			r->splat = true;
			printf("    # %s", line);
		}
	}
	fclose(f);

	f = open_in(dir, "status");
	while (fgets(line, sizeof(line), f)) {
		r->off |= !strcmp(line, "rc=0\n");
		printf("    # %s", line);
	}
	fclose(f);
}

static void read_event(const struct ev *e, struct run *r)
{
	bool unmap = e->mark == VMM_MARK(VMM_UNMAP);

	switch (e->kind) {
	case EV_INSERT:
		if (e->asid != TRACE_NONE)
			add_vmid(&r->smmu, e->vmid);
		break;
	case EV_TLBI:
		if (e->el != 1)
			break;
		add_vmid(&r->kvm, e->vmid);
		if (unmap) {
			r->tlbis++;
			snprintf(r->tlbi, sizeof(r->tlbi), "%s", e->op);
		}
		break;
	case EV_CMD:
		r->host_commands += unmap;
		break;
	case EV_MMIO:
		r->host_writes += unmap;
		break;
	default:
		break;
	}
}

/* From the guest's first mark on, no other guest runs */
static void read_events(const char *dir, struct run *r)
{
	char path[4096];
	struct trace t;
	size_t i;

	snprintf(path, sizeof(path), "%s/trace.log", dir);
	if (trace_read(path, &t))
		return;
	for (i = 0; i < t.n; i++) {
		if (t.ev[i].mark)
			read_event(&t.ev[i], r);
	}
	trace_free(&t);
}

/* The one VMID of a set, -1 if there is not exactly one */
static int only(const struct vmids *set)
{
	return set->n == 1 ? set->vmid[0] : -1;
}

static void judge_ends(const struct run *r, bool ends)
{
	result(r->ended == ends && r->off, "host: the VMM %s, and the host powers off",
	       ends ? "ends" : "does not end by itself");
	result(!r->splat, "host: no panic, BUG or WARNING");
}

/* @share: a pin must have been taken */
static void judge_left(const struct run *r, bool share)
{
	if (!r->left_known && !share)
		return;
	result(r->left_known && !r->left_pins && !r->left_vmids && !!r->pins == share,
	       "host: of %lu pins and of the SMMU's VMIDs none is left", r->pins);
}

static void judge(const struct run *r, bool share, bool btm, bool quiet, bool idr)
{
	int kvm = only(&r->kvm), smmu = only(&r->smmu);

	result(r->done, "guest: its driver comes to the end");
	result(r->unmaps && !r->lost, "guest: %lu of %lu DMA writes lost", r->lost, r->unmaps);
	result(r->stale_of && !r->stale, "guest: %lu of %lu DMA writes after an unmap stale",
	       r->stale, r->stale_of);
	result(r->before && r->cleared, "guest: a PTE without an invalidation stays cached");
	result(r->after == !btm, "guest: its TLBI %s the device",
	       btm ? "reaches" : "does not reach");
	result(kvm > 0 && smmu > 0 && (kvm == smmu) == share,
	       "vmid: %d of the device is %sthe VM's, %d", smmu, share ? "" : "not ", kvm);
	result(!!(r->idr0 & IDR0_BTM) == idr, "idr0: %#lx of the virtual SMMU has BTM %d", r->idr0,
	       idr);
	if (quiet) {
		result(!r->commands && !r->writes && !r->reads && !r->ioctls && !r->host_commands,
		       "unmap: no command and no register access");
		result(r->tlbis >= r->unmaps, "unmap: %lu %s", r->tlbis, r->tlbi);
	} else {
		result(r->commands >= 2 * r->unmaps && r->ioctls >= r->unmaps &&
		       r->host_commands >= 2 * r->unmaps,
		       "unmap: by command, %lu of the guest", r->commands);
	}
}

static double each(const struct run *r, unsigned long n)
{
	return r->unmaps ? (double)n / r->unmaps : 0;
}

static void row(const char *name, const struct run *r)
{
	printf("# row %-12s | %5d %5d | %-7s %4lu %5lu ", name, only(&r->kvm), only(&r->smmu),
	       r->after ? "lands" : "refused", r->lost, r->stale);
	printf("| %5.2f %5.2f %5.2f %5.2f ", each(r, r->exits), each(r, r->writes + r->reads),
	       each(r, r->commands), each(r, r->ioctls));
	printf("| %5.2f %5.2f | %5.2f %s\n", each(r, r->host_commands), each(r, r->host_writes),
	       each(r, r->tlbis), r->tlbi);
}

int main(int argc, char **argv)
{
	bool share = false, btm = false, quiet = false, idr = false, killed = false;
	const char *example = NULL, *refusal = NULL;
	static struct run r;
	int opt;

	while ((opt = getopt(argc, argv, "sbcike:x:")) != -1) {
		share |= opt == 's';
		btm |= opt == 'b';
		quiet |= opt == 'c';
		idr |= opt == 'i';
		killed |= opt == 'k';
		if (opt == 'e')
			example = optarg;
		if (opt == 'x')
			refusal = optarg;
		if (opt == '?')
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: %s [-sbcik] [-e TEXT] [-x TEXT] NAME DIR\n", argv[0]);
		return 2;
	}
	printf("    KTAP version 1\n    # Subtest: %s\n", argv[optind]);
	read_console(argv[optind + 1], refusal, &r);
	judge_ends(&r, !refusal && !killed);
	if (killed) {
		result(r.killed, "vmm: killed in the middle of an unmap");
		judge_left(&r, share);
	} else if (refusal) {
		result(r.refused, "vmm: %s", refusal);
	} else if (example) {
		result(!strcmp(r.example, example), "example: got %s", r.example);
	} else {
		read_events(argv[optind + 1], &r);
		judge(&r, share, btm, quiet, idr);
		judge_left(&r, share);
		row(argv[optind], &r);
	}
	printf("    1..%u\n", tests);
	return failed > 0;
}
