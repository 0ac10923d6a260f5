/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules' vocabulary: what a rule can ask of the trace of a boot. */
#ifndef E2E_CHECK_H
#define E2E_CHECK_H

#include <stdbool.h>

#include "case.h"
#include "trace.h"

/**
 * struct run - one boot, as its logs tell it
 * @t: the trace
 * @c: the case whose rules are evaluated
 * @patched: the kernel has the feature
 * @smmu: the IOMMU is an SMMU
 * @btm: and lets the SMMU hear broadcast TLBIs: it was asked to, and IDR0 allows
 * @own: the kernel invalidates its own stage 1 by TLBIs
 * @lazy: the DMA API's domains have flush queues
 * @share: a vSMMU that asks for it can have its VM's VMID
 * @kvm: VMs could be run
 * @vmid8: the CPUs have 8-bit VMIDs, so that a few hundred VMs roll over
 * @lse2: the CPUs have FEAT_LSE2
 * @icount: time is counted in instructions, so that timers do not depend on the
 *          machine that the emulator runs on
 * @rules: how many rules were evaluated
 * @failed: how many of them were broken
 */
struct run {
	struct trace t;
	const struct e2e_case *c;
	bool patched;
	bool smmu;
	bool btm;
	bool own;
	bool lazy;
	bool share;
	bool kvm;
	bool vmid8;
	bool lse2;
	bool icount;
	unsigned int rules;
	unsigned int failed;
};

/**
 * struct span - a range of events, as of a step
 * @t: the trace
 * @first: index of the first one
 * @last: behind the last one
 */
struct span {
	const struct trace *t;
	size_t first;
	size_t last;
};

#define for_each_event(e, s, k)						\
	for (e = trace_next((s).t, k, NULL, (s).first, (s).last); e;	\
	     e = trace_next((s).t, k, NULL, e - (s).t->ev + 1, (s).last))

#define NONE		(-1)	/* no event with a VMID */
#define SEVERAL		(-2)	/* more than one VMID */

#define PAGE_MASK	(~0xfffull)

/* One line of KTAP */
bool rule(struct run *r, bool ok, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* vocab.c: steps of the case */

/* The first occurrence of a step, and the next one after event @from */
bool step(struct run *r, unsigned int num, struct span *s);
bool step_after(struct run *r, unsigned int num, size_t from, struct span *s);
/* The steps @first to @last, or those of a round, to @s by their numbers */
bool steps(struct run *r, unsigned int first, unsigned int last, struct span *s,
	   const char *name);
/* From the first step to the last */
bool all_steps(struct run *r, struct span *s);
/* Everything between the beginning of one step and that of another */
struct span between(const struct span *a, const struct span *b);

/* vocab.c: what is in a step */

size_t count(const struct span *s, enum ev_kind kind);
/* Translations by the guest's stage 1 that were cached; tables are fetched too */
size_t walked(const struct span *s);
/* @vmid, which is NONE at first, becomes @v, or SEVERAL */
void add_vmid(int *vmid, int v);
/* The VMID under which the SMMU cached translations */
int smmu_vmid(const struct span *s);
/*
 * A TLBI by a guest. KVM's own are at EL2. Those of a host without VHE are at EL1,
 * but under VMID 0, which no VM has.
 */
bool by_guest(const struct ev *e);
/* The VMID under which a guest executed TLBIs */
int guest_vmid(const struct span *s);
/* How many VMIDs guests used, and whether @vmid is one of them */
unsigned int guest_vmids(const struct span *s, int vmid, bool *found,
			 unsigned int *tlbis);
/* TLBIs of the kernel's own stage 1 at EL1 whose name has @op in it */
size_t own_tlbis(const struct span *s, const char *op);
/* The page that the last access of a step went to, 0 if there was none */
u64 landed(const struct span *s);
/* A command of name @op under @vmid, with a SYNC after it */
bool commanded(const struct span *s, const char *op, int vmid);
/* KVM has run out of VMIDs: it flushes all of them */
bool is_rollover(const struct ev *e);

/* driver.c */

/*
 * The rules of a step in which a kernel's driver does @ops of I/O, each of which maps
 * and unmaps something, with this many devices
 */
void check_driver(struct run *r, const struct span *s, const char *name,
		  unsigned int devices, unsigned int ops);

/* tlb.c: what is left in the SMMU's TLB */

/*
 * A VMID that the SMMU cached under, without a TLBI of all of it and a SYNC
 * since; or NONE. A broadcast does not count: it is no promise that any will follow.
 */
int left_behind(const struct span *s);
bool cached_under(const struct span *s, int vmid);
/* The rule that between the beginning of @first and that of @end nothing is */
void nothing_left(struct run *r, const struct span *first,
		  const struct span *end, const char *name);
/* The same of steps */
void nothing_left_at(struct run *r, unsigned int first, unsigned int end,
		     const char *name);

#endif
