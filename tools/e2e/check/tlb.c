// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be left in the SMMU's TLB: a VMID that it has cached under has to be
 * invalidated before whoever had it has gone.
 */
#include <string.h>

#include "check.h"

#define MAX_USED	64

/**
 * struct used - a VMID that the SMMU has cached under
 * @vmid: the number
 * @state: whether entries can be left: yes; until the SYNC; no
 */
struct used {
	int vmid;
	enum { CACHED, COMMANDED, CLEAN } state;
};

static struct used *find_used(struct used *u, unsigned int n, int vmid)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (u[i].vmid == vmid)
			return &u[i];
	return NULL;
}

static void note_insert(struct used *u, unsigned int *n, int vmid)
{
	struct used *found = find_used(u, *n, vmid);

	if (!found && *n < MAX_USED) {
		found = &u[(*n)++];
		found->vmid = vmid;
	}
	if (found)
		found->state = CACHED;
}

static void note_command(struct used *u, unsigned int n, const struct ev *e)
{
	struct used *found;
	unsigned int i;

	if (!strcmp(e->op, "CMD_TLBI_S12_VMALL")) {
		found = find_used(u, n, e->vmid);
		if (found)
			found->state = COMMANDED;
	}
	if (strcmp(e->op, "CMD_SYNC"))
		return;
	for (i = 0; i < n; i++)
		if (u[i].state == COMMANDED)
			u[i].state = CLEAN;
}

int left_behind(const struct span *s)
{
	struct used u[MAX_USED];
	const struct ev *e;
	unsigned int i, n = 0;

	for (e = s->t->ev + s->first; e < s->t->ev + s->last; e++) {
		if (e->kind == EV_INSERT)
			note_insert(u, &n, e->vmid);
		else if (e->kind == EV_CMD)
			note_command(u, n, e);
	}
	for (i = 0; i < n; i++)
		if (u[i].state != CLEAN)
			return u[i].vmid;
	return n < MAX_USED ? NONE : SEVERAL;
}

bool cached_under(const struct span *s, int vmid)
{
	const struct ev *e;

	for_each_event(e, *s, EV_INSERT)
		if (e->vmid == vmid)
			return true;
	return false;
}

void nothing_left(struct run *r, const struct span *first,
		  const struct span *end, const char *name)
{
	struct span all = between(first, end);
	int vmid = left_behind(&all);

	rule(r, vmid == NONE, "%s: nothing is left in the SMMU's TLB (%d)",
	     name, vmid);
}

void nothing_left_at(struct run *r, unsigned int first, unsigned int end,
		     const char *name)
{
	struct span a, b;

	if (rule(r, step(r, first, &a) && step(r, end, &b), "%s: steps", name))
		nothing_left(r, &a, &b, name);
}
