// SPDX-License-Identifier: GPL-2.0-only
/* What the I/O of a kernel's driver, on a domain of the DMA API, costs the SMMU. */
#include "check.h"

#define MAX_DEVICES	4

/**
 * struct accesses - what devices did in a step
 * @sid: the StreamIDs of those that did anything
 * @devices: how many these are, MAX_DEVICES + 1 if more than that
 * @translated: accesses that went through stage 1 and no more
 * @others: that went another way
 */
struct accesses {
	u32 sid[MAX_DEVICES];
	unsigned int devices;
	size_t translated;
	size_t others;
};

static void add_device(struct accesses *a, u32 sid)
{
	unsigned int i;

	for (i = 0; i < a->devices && i < MAX_DEVICES; i++)
		if (a->sid[i] == sid)
			return;
	if (a->devices < MAX_DEVICES)
		a->sid[a->devices] = sid;
	if (a->devices <= MAX_DEVICES)
		a->devices++;
}

static void read_accesses(const struct span *s, struct accesses *a)
{
	const struct ev *e;

	*a = (struct accesses){ 0 };
	for_each_event(e, *s, EV_XLATE) {
		add_device(a, e->sid);
		if (e->val == 1)
			a->translated++;
		else
			a->others++;
	}
}

void check_driver(struct run *r, const struct span *s, const char *name,
		  unsigned int devices, unsigned int ops)
{
	const size_t cmds = count(s, EV_CMD), regs = count(s, EV_MMIO) + count(s, EV_READ);
	const size_t leaf = own_tlbis(s, "VALE1IS");
	const char *what = r->c->name;
	struct accesses a;

	read_accesses(s, &a);
	rule(r, a.devices == devices && a.translated >= devices * ops && !a.others,
	     "%s: %s: %u of %u devices, through stage 1 (%zu, others %zu)", what, name,
	     a.devices, devices, a.translated, a.others);
	if (r->own)
		rule(r, !cmds && !regs,
		     "%s: %s: %u: 0 commands and 0 register accesses (%zu, %zu)", what, name,
		     ops, cmds, regs);
	if (r->own && !r->lazy)
		rule(r, leaf >= ops, "%s: %s: %u: TLBIs by address (%zu)", what, name, ops,
		     leaf);
	/* The CPUs' own page tables go as well, but have not as much to invalidate */
	if (!r->own)
		rule(r, own_tlbis(s, "1IS") < ops, "%s: %s: not by TLBI (%zu)", what, name,
		     own_tlbis(s, "1IS"));
	if (!r->own && !r->lazy)
		rule(r, cmds >= 2 * ops && regs >= 2 * ops,
		     "%s: %s: %u: at least 2 commands and 2 accesses each (%zu, %zu)", what,
		     name, ops, cmds, regs);
}
