// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the trace of a storm must show. Each of its devices has stage-2 tables of
 * its own, so that a VMID that two of them use is used by two tables.
 */
#include <string.h>

#include "check.h"

#define NUM_VMIDS	65536
#define MAX_STREAMS	16

/**
 * struct streams - which VMIDs each device has used
 * @sid: the StreamIDs
 * @last: the VMID of the last entry of each
 * @num: how many StreamIDs
 * @changes: how often the next entry of one had another VMID
 */
struct streams {
	u32 sid[MAX_STREAMS];
	int last[MAX_STREAMS];
	unsigned int num;
	unsigned int changes;
};

static void note_stream(struct streams *s, const struct ev *e)
{
	unsigned int i;

	for (i = 0; i < s->num && s->sid[i] != e->sid; i++)
		;
	if (i == MAX_STREAMS)
		return;
	if (i == s->num) {
		s->sid[s->num++] = e->sid;
		s->last[i] = e->vmid;
	}
	s->changes += s->last[i] != e->vmid;
	s->last[i] = e->vmid;
}

/* Entries whose VMID has entries of another device in the TLB */
static unsigned int aliases(struct run *r, const struct span *s)
{
	static u32 owner[NUM_VMIDS];
	unsigned int found = 0, i;
	const struct ev *e;

	for (i = 0; i < NUM_VMIDS; i++)
		owner[i] = TRACE_NO_SID;
	for (e = r->t.ev + s->first; e < r->t.ev + s->last; e++) {
		if (e->kind == EV_FLUSH && !strcmp(e->op, "ALL"))
			for (i = 0; i < NUM_VMIDS; i++)
				owner[i] = TRACE_NO_SID;
		if (e->kind == EV_FLUSH && !strcmp(e->op, "VMID"))
			owner[e->vmid & 0xffff] = TRACE_NO_SID;
		if (e->kind != EV_INSERT || e->vmid < 0 ||
		    e->sid == TRACE_NO_SID)
			continue;
		if (owner[e->vmid] != TRACE_NO_SID && owner[e->vmid] != e->sid)
			found++;
		owner[e->vmid] = e->sid;
	}
	return found;
}

/* Until KVM's next rollover a VMID is one VM's, which tells who it is */
static unsigned int two_vms(const struct span *s)
{
	static int vms[NUM_VMIDS];
	unsigned int found = 0;
	const struct ev *e;
	int vm;

	memset(vms, 0xff, sizeof(vms));
	for_each_event(e, *s, EV_TLBI) {
		if (is_rollover(e))
			memset(vms, 0xff, sizeof(vms));
		vm = e->asid - STORM_ASID;
		if (e->el != 1 || e->vmid < 0 || vm < 0 || vm >= STORM_VMS)
			continue;
		found += vms[e->vmid] >= 0 && vms[e->vmid] != vm;
		vms[e->vmid] = vm;
	}
	return found;
}

void check_storm(struct run *r)
{
	unsigned int inserts = 0, zero = 0, shared = 0, rollovers = 0, alias, two;
	static bool guests[NUM_VMIDS];
	struct streams streams = { 0 };
	const struct ev *e;
	struct span s;

	s.t = &r->t;
	if (!rule(r, trace_case(&r->t, CASE_STORM, &s.first, &s.last),
		  "storm: steps"))
		return;
	for_each_event(e, s, EV_TLBI) {
		if (e->el == 1 && e->vmid > 0)
			guests[e->vmid] = true;
		rollovers += is_rollover(e);
	}
	for_each_event(e, s, EV_INSERT) {
		inserts++;
		zero += e->vmid == 0;
		if (e->vmid >= 0)
			shared += e->asid == GUEST_ASID && guests[e->vmid];
		if (e->sid != TRACE_NO_SID)
			note_stream(&streams, e);
	}
	rule(r, inserts && !zero, "storm: %u of %u entries have VMID 0", zero,
	     inserts);
	alias = aliases(r, &s);
	rule(r, !alias, "storm: %u times two devices have one VMID", alias);
	two = two_vms(&s);
	rule(r, !two, "storm: %u times two VMs have one VMID", two);
	rule(r, streams.num >= 4 && streams.changes,
	     "storm: %u devices change their VMIDs %u times", streams.num,
	     streams.changes);
	if (r->share)
		rule(r, shared, "storm: %u entries under VMIDs that guests use",
		     shared);
	if (r->vmid8)
		rule(r, rollovers, "storm: KVM runs out of VMIDs %u times",
		     rollovers);
}
