/* SPDX-License-Identifier: GPL-2.0-only */
/* What check.c, which reads the logs, and check-rules.c, which judges, share. */
#ifndef E2E_CHECK_H
#define E2E_CHECK_H

#include <stdbool.h>

#include "trace.h"
#include "cases.h"

/**
 * struct run - one boot, as its logs tell it
 * @t: the trace
 * @patched: the kernel has the feature
 * @btm: and lets the SMMU hear broadcast TLBIs: it was asked to, and IDR0 allows
 * @share: a VM's VMID fits the SMMU, so that a vSMMU can have it
 * @kvm: VMs could be run
 * @vmid8: the CPUs have 8-bit VMIDs, so that a few hundred VMs roll over
 * @icount: time is counted in instructions, so that timers do not depend on the
 *          machine that the emulator runs on
 * @rules: how many rules were evaluated
 * @failed: how many of them were broken
 */
struct run {
	struct trace t;
	bool patched;
	bool btm;
	bool share;
	bool kvm;
	bool vmid8;
	bool icount;
	unsigned int rules;
	unsigned int failed;
};

/* A range of events: a step */
struct span {
	const struct trace *t;
	size_t first, last;
};

#define for_each_event(e, s, k)						\
	for (e = trace_next((s).t, k, NULL, (s).first, (s).last); e;	\
	     e = trace_next((s).t, k, NULL, e - (s).t->ev + 1, (s).last))

bool rule(struct run *r, bool ok, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * struct rules - the rules of a case
 * @num: the case
 * @fn: evaluates them
 */
struct rules {
	enum e2e_case num;
	void (*fn)(struct run *r);
};

extern const struct rules all_rules[];
extern const unsigned int num_rules;

/* Rules that hold for every boot */
void check_boot(struct run *r);
void check_storm(struct run *r);

#endif
