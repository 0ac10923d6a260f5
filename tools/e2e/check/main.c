// SPDX-License-Identifier: GPL-2.0-only
/*
 * Judge what init cannot see: which VMIDs the CPUs and the SMMU used and which
 * commands the SMMU got.
 *
 *	check -k base|patched console.log trace.log
 *		the rules of the cases that ran, in KTAP
 *	check -c base-trace.log patched-trace.log
 *		the commands of the cases that are compared, step by step
 *
 * 0: all is well, 1: a rule is broken, 2: the logs cannot be judged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "judge.h"

#define MAX_CASES	0x1000	/* MARK_CASE() */

/**
 * struct console - what the checker believes of the console
 * @btm_asked: the kernel's parameter
 * @passed: the cases that init reported as passed, by their numbers
 * @idr0: the SMMU's IDR0 as VFIO's user saw it, 0 without an SMMU
 * @own: e2e.own=1: the kernel can invalidate its own stage 1 by broadcast, and
 *       was asked to; from the command line too
 * @lazy: iommu.strict=0, from there too
 * @protected: protected KVM, from there too
 * @icount: QEMU runs with -icount, from there too
 * @kvm_bits: the CPUs' VMID bits as a VM sees them, 0 without KVM
 * @lse2: the CPUs have FEAT_LSE2
 * @end: init got to its end
 */
struct console {
	bool btm_asked;
	bool own;
	bool lazy;
	bool protected;
	bool icount;
	bool passed[MAX_CASES];
	unsigned int idr0;
	unsigned int kvm_bits;
	unsigned int lse2;
	bool end;
};

static void console_line(struct console *c, const char *s)
{
	const struct e2e_case *e;
	unsigned int num;
	const char *at;
	char name[32];

	if (strstr(s, "Kernel command line:")) {
		/* The second implies the first */
		c->btm_asked = strstr(s, " arm_smmu_v3.btm=1") ||
			       strstr(s, " arm_smmu_v3.btm_s1=1");
		c->own = strstr(s, " e2e.own=1");
		c->lazy = strstr(s, " iommu.strict=0");
		c->icount = strstr(s, " e2e.icount=1");
		c->protected = strstr(s, " kvm-arm.mode=protected");
	}
	at = strstr(s, "# host ");
	if (at)
		sscanf(at, "# host idr0 %x kvm_vmid_bits %u lse2 %u", &c->idr0,
		       &c->kvm_bits, &c->lse2);
	if (!strncmp(s, "# Totals:", 9))
		c->end = true;
	if (sscanf(s, "ok %u %31s", &num, name) != 2 || strstr(s, "# SKIP"))
		return;
	for_each_case(e)
		if (!strcmp(name, e->name))
			c->passed[e->number] = true;
}

static int console_read(const char *path, struct console *c)
{
	FILE *f = fopen(path, "r");
	size_t size = 0;
	char *s = NULL;

	if (!f) {
		perror(path);
		return -1;
	}
	while (getline(&s, &size, f) >= 0)
		console_line(c, s);
	free(s);
	fclose(f);
	return 0;
}

static void judge_cases(struct run *r, const struct console *c)
{
	const struct e2e_case *e;
	struct span s;

	/* A case that passed without a trace has shown half of it */
	for_each_case(e) {
		r->c = e;
		if (c->passed[e->number])
			rule(r, all_steps(r, &s), "%s: is in the trace", e->name);
	}
	for_each_case(e) {
		r->c = e;
		if (c->passed[e->number] && e->rules)
			e->rules(r);
	}
}

static int judge(bool patched, const char *console, const char *trace)
{
	struct run r = { .patched = patched };
	struct console c = { 0 };

	if (console_read(console, &c) || trace_read(trace, &r.t))
		return 2;
	r.icount = c.icount;
	r.lse2 = c.lse2;
	r.smmu = c.idr0;
	r.btm = patched && c.btm_asked && (c.idr0 & IDR0_BTM);
	r.own = r.btm && c.own;
	r.lazy = c.lazy;
	r.kvm = c.kvm_bits;
	r.vmid8 = c.kvm_bits == 8;
	r.share = patched && r.smmu && r.kvm && !c.protected;

	printf("KTAP version 1\n");
	rule(&r, c.end, "console: init came to its end");
	check_boot(&r);
	judge_cases(&r, &c);
	printf("1..%u\n", r.rules);
	trace_free(&r.t);
	return r.failed ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: check -k base|patched console.log trace.log\n"
			"       check -c base-trace.log patched-trace.log\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-c"))
		return compare_commands(argv[2], argv[3]);
	if (argc != 5 || strcmp(argv[1], "-k"))
		return usage();
	if (!strcmp(argv[2], "patched"))
		return judge(true, argv[3], argv[4]);
	if (!strcmp(argv[2], "base"))
		return judge(false, argv[3], argv[4]);
	return usage();
}
