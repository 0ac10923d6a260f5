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
 * @smmu: the IOMMU is an SMMU
 * @btm: and lets the SMMU hear broadcast TLBIs: it was asked to, and IDR0 allows
 * @share: a VM's VMID fits the SMMU, so that a vSMMU can have it
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
	bool patched;
	bool smmu;
	bool btm;
	bool share;
	bool kvm;
	bool vmid8;
	bool lse2;
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

/* check-rules.c: what can be asked of a step */

#define GUEST_ASID	7
#define NONE		(-1)	/* no event with a VMID */
#define SEVERAL		(-2)	/* more than one VMID */

bool step(struct run *r, unsigned int cs, unsigned int num, struct span *s);
size_t count(const struct span *s, enum ev_kind kind);
/* Translations by the guest's stage 1 that were cached; tables are fetched too */
size_t walked(const struct span *s);
/* The VMID under which the SMMU cached translations */
int smmu_vmid(const struct span *s);
/* The VMID under which a guest executed TLBIs */
int guest_vmid(const struct span *s);
/* How many VMIDs guests used, and whether @vmid is one of them */
unsigned int guest_vmids(const struct span *s, int vmid, bool *found,
			 unsigned int *tlbis);
/* The page that the last access of a step went to, 0 if there was none */
u64 landed(const struct span *s);
/* A command of name @op under @vmid, with a SYNC after it */
bool commanded(const struct span *s, const char *op, int vmid);
/* KVM has run out of VMIDs: it flushes all of them */
bool is_rollover(const struct ev *e);

/* Rules that hold for every boot */
void check_boot(struct run *r);
void check_storm(struct run *r);
void check_acpi(struct run *r);
void check_virtio_iommu(struct run *r);

/* check-ends.c */
void check_close_order(struct run *r);
void check_kill(struct run *r);
void check_kvm_file(struct run *r);
void check_unplug(struct run *r);
void check_reset(struct run *r);
void check_two_devices(struct run *r);
void check_two_vms(struct run *r);
void check_two_tables(struct run *r);

#endif
