// SPDX-License-Identifier: GPL-2.0-only
/*
 * check [-sbcikm] [-n MIN:MAX] [-e TEXT] [-x TEXT] [-l TEXT] [-S STEPS] NAME DIR: what a run of the
 * VMM test has shown in the files below DIR (run.h), as a KTAP subtest; with lines "# row ...",
 * "# unmap ...", "# read ..." and "# cost ..." for the tables.
 *
 *	-s	the VMM must get the VM's VMID for the device
 *	-b	and the guest's broadcasts must reach it
 *	-c	the guest must need no command for an unmap
 *	-i	the guest must see IDR0.BTM
 *	-m	a second virtual SMMU must not get the VMID, which the first one has
 *	-k	the VMM must be killed, and not be started again
 *	-n MIN:MAX	nothing is traced inside the host; so many instructions for an unmap
 *	-e TEXT	it is no VMM but the example of Documentation/uapi.rst, and must print this
 *	-x TEXT	the VMM must not start, and say this
 *	-l TEXT	a line of the console must have this
 *	-S STEPS what must have been done, in this order, each with success
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "run.h"

#define IDR0_BTM	(1u << 5)
#define SID_NVME	(3 << 3)	/* where it is on the host's bus */
#define SID_CARD	(5 << 3)
#define SID_CARD2	(6 << 3)
#define MAX_DISKS	2

/**
 * struct expected - what has to be, see above
 * @share: -s
 * @btm: -b
 * @quiet: -c
 * @idr: -i
 * @mixed: -m
 * @killed: -k
 * @min: -n
 * @max: -n, 0 if it is traced
 * @example: -e
 * @refusal: -x
 * @text: -l
 * @steps: -S
 */
struct expected {
	bool share, btm, quiet, idr, mixed, killed;
	unsigned long min, max;
	const char *example, *refusal, *text;
	char *steps;
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

/* The one VMID of a set, -1 if there is not exactly one */
static int only(const struct vmids *set)
{
	return set->n == 1 ? set->vmid[0] : -1;
}

static bool has_vmid(const struct vmids *set, int vmid)
{
	unsigned int i;

	for (i = 0; i < set->n; i++) {
		if (set->vmid[i] == vmid)
			return true;
	}
	return false;
}

/* How many of a set are in the other */
static unsigned int common(const struct vmids *a, const struct vmids *b)
{
	unsigned int i, n = 0;

	for (i = 0; i < a->n; i++)
		n += has_vmid(b, a->vmid[i]);
	return n;
}

static const char *set_text(const struct vmids *set, char *buf, size_t size)
{
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < set->n; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), i ? ",%d" : "%d", set->vmid[i]);
	return buf;
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

/* Interrupts of devices come by writes that both stages translate, at least one for each */
static void judge_interrupts(const struct run *r, const struct result_line *s)
{
	bool disk = !strcmp(s->name, "disk");
	unsigned long interrupts = 0, msis;

	if (!disk && strcmp(s->name, "net"))
		return;
	field(s->detail, "interrupts", &interrupts);
	msis = disk ? r->msis[SID_NVME] : r->msis[SID_CARD] + r->msis[SID_CARD2];
	result(interrupts && msis >= interrupts,
	       "%s: %lu interrupts, %lu writes to the doorbell through both stages", s->name,
	       interrupts, msis);
}

/* What the guest's event queue told is what the host's SMMU had refused */
static void judge_fault(const struct run *r, const struct result_line *s)
{
	const char *at = strstr(s->detail, "iova: ");
	unsigned long long iova;
	bool found = false;
	unsigned int i;

	if (strcmp(s->name, "fault"))
		return;
	iova = at ? strtoull(at + strlen("iova: "), NULL, 0) : 0;
	for (i = 0; i < r->faults && i < MAX_FAULTS; i++)
		found |= r->fault[i] == iova;
	result(at && found && strstr(s->detail, "F_TRANSLATION"),
	       "fault: the guest is told of %#llx, which the host's SMMU had refused", iova);
}

static void judge_steps(const struct run *r, char *steps)
{
	unsigned int i = 0;
	char *name;

	while ((name = strsep(&steps, ","))) {
		const struct result_line *s = i < r->steps ? &r->step[i] : NULL;

		i++;
		if (!s || strcmp(s->name, name)) {
			result(false, "step: %s, which was not done", name);
			return;
		}
		result(s->ok, "step: %s %s", s->name, s->detail);
		judge_interrupts(r, s);
		judge_fault(r, s);
	}
	result(i == r->steps, "step: no other");
	result(!r->wrong, "guest: %lu blocks were wrong when read", r->wrong);
}

static void judge_disks(const char *dir)
{
	unsigned int no, written, bad;

	for (no = 0; no < MAX_DISKS; no++) {
		if (!read_disk(dir, no, &written, &bad) || !(written + bad))
			continue;
		result(!bad, "disk: of %u blocks written to disk %u, %u are wrong", written, no,
		       bad);
	}
}

static void judge_vmids(const struct run *r, bool share, bool mixed)
{
	unsigned int both = common(&r->kvm, &r->smmu);
	char kvm[80], smmu[80];
	bool ok;

	if (mixed)
		ok = both == r->kvm.n && r->smmu.n == both + 1;
	else if (share)
		ok = both == r->kvm.n && r->smmu.n == both;
	else
		ok = !both;
	set_text(&r->kvm, kvm, sizeof(kvm));
	set_text(&r->smmu, smmu, sizeof(smmu));
	result(r->kvm.n && r->smmu.n && ok, "vmid: devices run under %s, VMs under %s", smmu, kvm);
}

static void judge_dma(const struct run *r, const struct expected *e)
{
	result(r->done, "guest: its driver comes to the end");
	result(r->unmaps && !r->lost, "guest: %lu of %lu DMA writes lost", r->lost, r->unmaps);
	result(r->stale_of && !r->stale, "guest: %lu of %lu DMA writes after an unmap stale",
	       r->stale, r->stale_of);
	result(r->before && r->cleared, "guest: a PTE without an invalidation stays cached");
	result(r->after == !e->btm, "guest: its TLBI %s the device",
	       e->btm ? "reaches" : "does not reach");
}

static void judge_unmaps(const struct run *r, const struct expected *e)
{
	const struct window *w = &r->window[VMM_UNMAP];

	result(!!(r->idr0 & IDR0_BTM) == e->idr, "idr0: %#lx of the virtual SMMU has BTM %d",
	       r->idr0, e->idr);
	if (e->quiet) {
		result(w->times && !w->commands && !w->writes && !w->reads &&
		       w->ioctls == w->vm_ioctls && !w->host_commands,
		       "unmap: no command and no register access");
		result(w->tlbis >= w->times, "unmap: %lu %s", w->tlbis, w->tlbi);
	} else {
		result(w->times && w->commands >= 2 * w->times && w->ioctls >= w->times &&
		       w->host_commands >= 2 * w->times,
		       "unmap: by command, %lu of the guest", w->commands);
	}
}

/* A read of the disk has an unmap in it */
static void judge_insns(const char *name, const struct run *r, const struct expected *e)
{
	unsigned long unmap = r->window[VMM_UNMAP].insns, read = r->window[VMM_READ].insns;

	result(unmap >= e->min && unmap <= e->max, "unmap: %lu instructions, %lu to %lu", unmap,
	       e->min, e->max);
	result(read > unmap, "read: %lu instructions", read);
	printf("# cost %-12s | %7lu | %7lu\n", name, unmap, read);
}

static double each(const struct window *w, unsigned long n)
{
	return w->times ? (double)n / w->times : 0;
}

/* "read" is of the disk, and the same for an unmap is in a line of its own */
static void costs(const char *name, const char *what, const struct window *w)
{
	if (!w->times)
		return;
	printf("# %s %-12s | %5.2f %5.2f %5.2f %5.2f %5.2f ", what, name, each(w, w->irq),
	       each(w, w->wfx), each(w, w->dabt), each(w, w->sysreg), each(w, w->other));
	printf("| %5.2f %5.2f %5.2f %5.2f ", each(w, w->exits), each(w, w->writes + w->reads),
	       each(w, w->commands), each(w, w->ioctls));
	printf("| %5.2f %5.2f | %5.2f %s\n", each(w, w->host_commands), each(w, w->host_writes),
	       each(w, w->tlbis), w->tlbi);
}

static void row(const char *name, const struct run *r)
{
	const struct window *w = &r->window[VMM_UNMAP];

	printf("# row %-12s | %5d %5d | %-7s %4lu %5lu ", name, only(&r->kvm), only(&r->smmu),
	       r->after ? "lands" : "refused", r->lost, r->stale);
	printf("| %5.2f %5.2f %5.2f %5.2f ", each(w, w->exits), each(w, w->writes + w->reads),
	       each(w, w->commands), each(w, w->ioctls));
	printf("| %5.2f %5.2f | %5.2f %s\n", each(w, w->host_commands), each(w, w->host_writes),
	       each(w, w->tlbis), w->tlbi);
}

static void judge_guest(const char *name, const char *dir, const struct expected *e, struct run *r)
{
	bool unmaps = e->steps && strstr(e->steps, "unmap") && !e->killed;

	read_events(dir, r);
	if (e->steps)
		judge_steps(r, e->steps);
	judge_disks(dir);
	if (unmaps) {
		judge_dma(r, e);
		judge_vmids(r, e->share, e->mixed);
	}
	if (e->max) {
		judge_insns(name, r, e);
	} else if (unmaps) {
		judge_unmaps(r, e);
		row(name, r);
	}
	costs(name, "unmap", &r->window[VMM_UNMAP]);
	costs(name, "read", &r->window[VMM_READ]);
	judge_left(r, e->share);
}

static bool read_options(int argc, char **argv, struct expected *e)
{
	int opt;

	while ((opt = getopt(argc, argv, "sbcikmn:e:x:l:S:")) != -1) {
		e->share |= opt == 's';
		e->btm |= opt == 'b';
		e->quiet |= opt == 'c';
		e->idr |= opt == 'i';
		e->mixed |= opt == 'm';
		e->killed |= opt == 'k';
		if (opt == 'n' && sscanf(optarg, "%lu:%lu", &e->min, &e->max) != 2)
			return false;
		if (opt == 'e')
			e->example = optarg;
		if (opt == 'x')
			e->refusal = optarg;
		if (opt == 'l')
			e->text = optarg;
		if (opt == 'S')
			e->steps = optarg;
		if (opt == '?')
			return false;
	}
	return argc - optind == 2;
}

int main(int argc, char **argv)
{
	struct expected e = { 0 };
	const char *name, *dir;
	static struct run r;

	if (!read_options(argc, argv, &e)) {
		fprintf(stderr,
			"usage: %s [-sbcikm] [-n MIN:MAX] [-e|-x|-l TEXT] [-S STEPS] NAME DIR\n",
			argv[0]);
		return 2;
	}
	name = argv[optind];
	dir = argv[optind + 1];
	printf("    KTAP version 1\n    # Subtest: %s\n", name);
	read_console(dir, e.refusal, e.text, &r);
	judge_ends(&r, !e.refusal && !e.killed);
	if (e.text)
		result(r.said, "console: %s", e.text);
	if (e.killed)
		result(r.killed, "vmm: killed in the middle of an unmap");
	if (e.refusal)
		result(r.refused, "vmm: %s", e.refusal);
	else if (e.example)
		result(!strcmp(r.example, e.example), "example: got %s", r.example);
	else
		judge_guest(name, dir, &e, &r);
	printf("    1..%u\n", tests);
	return failed > 0;
}
