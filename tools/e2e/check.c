// SPDX-License-Identifier: GPL-2.0-only
/*
 * Judge what init cannot see: which VMIDs the CPUs and the SMMU used and which
 * commands the SMMU got.
 *
 *	check -k base|patched console.log trace.log
 *		the rules of the cases that ran, in KTAP
 *	check -c base-trace.log patched-trace.log
 *		the commands of the case nothing-shared, step by step
 *
 * 0: all is well, 1: a rule is broken, 2: the logs cannot be judged.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define IDR0_BTM	(1u << 5)
#define IDR0_VMID16	(1u << 18)

static const struct {
	enum e2e_case num;
	const char *name;
} cases[] = {
#define X(sym, num, name, fn)	{ num, name },
	E2E_CASES(X)
#undef X
};

#define NUM_CASES	(sizeof(cases) / sizeof(cases[0]))

/**
 * struct console - what the checker believes of the console
 * @btm_asked: the kernel's parameter
 * @passed: cases that init reported as passed, a bit for each number
 * @idr0: the SMMU's IDR0 as VFIO's user saw it, 0 without an SMMU
 * @protected: protected KVM, from the command line too
 * @icount: QEMU runs with -icount, from there too
 * @kvm_bits: the CPUs' VMID bits as a VM sees them, 0 without KVM
 * @lse2: the CPUs have FEAT_LSE2
 * @end: init got to its end
 */
struct console {
	bool btm_asked;
	bool protected;
	bool icount;
	unsigned long long passed;
	unsigned int idr0;
	unsigned int kvm_bits;
	unsigned int lse2;
	bool end;
};

bool rule(struct run *r, bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u ", ok ? "" : "not ", ++r->rules);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!ok)
		r->failed++;
	return ok;
}

static void console_line(struct console *c, const char *s)
{
	unsigned int i, num;
	const char *at;
	char name[32];

	if (strstr(s, "Kernel command line:")) {
		c->btm_asked = strstr(s, " arm_smmu_v3.btm=1");
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
	for (i = 0; i < NUM_CASES; i++)
		if (!strcmp(name, cases[i].name))
			c->passed |= 1ull << cases[i].num;
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

static int judge(bool patched, const char *console, const char *trace)
{
	struct run r = { .patched = patched };
	struct console c = { 0 };
	size_t first, last;
	unsigned int i;

	if (console_read(console, &c) || trace_read(trace, &r.t))
		return 2;
	r.icount = c.icount;
	r.lse2 = c.lse2;
	r.smmu = c.idr0;
	r.btm = patched && c.btm_asked && (c.idr0 & IDR0_BTM);
	r.kvm = c.kvm_bits;
	r.vmid8 = c.kvm_bits == 8;
	r.share = patched && r.smmu && r.kvm && !c.protected &&
		  c.kvm_bits <= (c.idr0 & IDR0_VMID16 ? 16 : 8);

	printf("KTAP version 1\n");
	rule(&r, c.end, "console: init came to its end");
	check_boot(&r);
	/* A case that passed without a trace has shown half of it */
	for (i = 0; i < NUM_CASES; i++)
		if (c.passed & 1ull << cases[i].num)
			rule(&r, trace_case(&r.t, cases[i].num, &first, &last),
			     "%s: is in the trace", cases[i].name);
	for (i = 0; i < num_rules; i++)
		if (c.passed & 1ull << all_rules[i].num)
			all_rules[i].fn(&r);
	printf("1..%u\n", r.rules);
	trace_free(&r.t);
	return r.failed ? 1 : 0;
}

/* A command with its numbers of VMIDs left out */
static void describe(const struct ev *e, char *buf, size_t size)
{
	snprintf(buf, size, "%s sid %#x asid %d iova %#llx pages %llu", e->op,
		 e->sid, e->asid, (unsigned long long)e->iova,
		 (unsigned long long)e->pages);
}

static const struct ev *next_cmd(const struct trace *t, size_t *from,
				 size_t last)
{
	const struct ev *e = trace_next(t, EV_CMD, NULL, *from, last);

	*from = e ? (size_t)(e - t->ev) + 1 : last;
	return e;
}

static bool is_cfgi(const struct ev *e)
{
	return !strncmp(e->op, "CMD_CFGI_", 9);
}

/*
 * The base replaces a page table in three writes of the entry, with V=0 on the way,
 * each behind a CFGI and a SYNC. The patched kernel needs one, on CPUs with FEAT_LSE2.
 */
static size_t skip_writes(const struct trace *t, size_t from, size_t last)
{
	const struct ev *cfgi, *sync, *again;
	size_t at = from;

	cfgi = next_cmd(t, &at, last);
	sync = next_cmd(t, &at, last);
	again = next_cmd(t, &at, last);
	if (!again || !is_cfgi(cfgi) || strcmp(sync->op, "CMD_SYNC") ||
	    strcmp(cfgi->op, again->op) || cfgi->sid != again->sid)
		return from;
	return skip_writes(t, (size_t)(again - t->ev), last);
}

/*
 * True if the commands of both ranges are the same, but for writes of an entry that
 * the second does not need
 */
static bool same_commands(const struct trace *a, size_t ai, size_t al,
			  const struct trace *b, size_t bi, size_t bl,
			  bool replace)
{
	const struct ev *ea, *eb;
	char ta[128], tb[128];

	do {
		if (replace)
			ai = skip_writes(a, ai, al);
		ea = next_cmd(a, &ai, al);
		eb = next_cmd(b, &bi, bl);
		snprintf(ta, sizeof(ta), "nothing");
		snprintf(tb, sizeof(tb), "nothing");
		if (ea)
			describe(ea, ta, sizeof(ta));
		if (eb)
			describe(eb, tb, sizeof(tb));
		if (strcmp(ta, tb)) {
			printf("# step %#x: base has %s (line %u), patched has %s (line %u)\n",
			       MARK_STEP(ea ? ea->mark : eb->mark), ta,
			       ea ? ea->line : 0, tb, eb ? eb->line : 0);
			return false;
		}
	} while (ea);
	return true;
}

static int compare(const char *base, const char *patched)
{
	unsigned int step, steps = 0, commands = 0, differ = 0;
	size_t ai, al, bi, bl;
	struct trace a, b;
	bool in_a, in_b;

	if (trace_read(base, &a) || trace_read(patched, &b))
		return 2;
	for (step = 0; step < STEP_NOTHING_DONE; step++) {
		in_a = trace_step(&a, MARK(CASE_NOTHING, step), &ai, &al);
		in_b = trace_step(&b, MARK(CASE_NOTHING, step), &bi, &bl);
		if (!in_a && !in_b)
			continue;
		steps++;
		if (in_a != in_b) {
			printf("# step %#x is in one trace only\n", step);
			differ++;
			continue;
		}
		commands += trace_count(&a, EV_CMD, NULL, ai, al);
		differ += !same_commands(&a, ai, al, &b, bi, bl,
					 step == STEP_NOTHING_S1_REPLACE ||
					 step == STEP_NOTHING_S2_REPLACE);
	}
	trace_free(&a);
	trace_free(&b);
	printf("# nothing-shared: %u steps, %u commands, %u steps differ\n",
	       steps, commands, differ);
	if (!steps || !commands) {
		fprintf(stderr, "the case nothing-shared is not in the traces\n");
		return 2;
	}
	return differ ? 1 : 0;
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
		return compare(argv[2], argv[3]);
	if (argc != 5 || strcmp(argv[1], "-k"))
		return usage();
	if (!strcmp(argv[2], "patched"))
		return judge(true, argv[3], argv[4]);
	if (!strcmp(argv[2], "base"))
		return judge(false, argv[3], argv[4]);
	return usage();
}
