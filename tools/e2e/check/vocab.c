// SPDX-License-Identifier: GPL-2.0-only
/* What a rule can ask of a trace. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define MAX_VMIDS	65536

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

bool step(struct run *r, unsigned int num, struct span *s)
{
	return step_after(r, num, 0, s);
}

bool step_after(struct run *r, unsigned int num, size_t from, struct span *s)
{
	s->t = &r->t;
	return trace_step_next(&r->t, MARK(r->c->number, num), from, &s->first,
			       &s->last);
}

bool steps(struct run *r, unsigned int first, unsigned int last, struct span *s,
	   const char *name)
{
	unsigned int i;

	for (i = first; i <= last; i++)
		if (!step(r, i, &s[i & 0xf]))
			return rule(r, false, "%s: step %#x", name, i);
	return true;
}

bool all_steps(struct run *r, struct span *s)
{
	s->t = &r->t;
	return trace_case(&r->t, r->c->number, &s->first, &s->last);
}

struct span between(const struct span *a, const struct span *b)
{
	return (struct span){ a->t, a->first, b->first };
}

size_t count(const struct span *s, enum ev_kind kind)
{
	return trace_count(s->t, kind, NULL, s->first, s->last);
}

size_t walked(const struct span *s)
{
	const struct ev *e;
	size_t n = 0;

	for_each_event(e, *s, EV_INSERT)
		n += e->asid == GUEST_ASID;
	return n;
}

void add_vmid(int *vmid, int v)
{
	if (*vmid == NONE)
		*vmid = v;
	else if (*vmid != v)
		*vmid = SEVERAL;
}

int smmu_vmid(const struct span *s)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		add_vmid(&vmid, e->vmid);
	return vmid;
}

bool by_guest(const struct ev *e)
{
	return e->kind == EV_TLBI && e->el == 1 && e->vmid > 0;
}

bool is_rollover(const struct ev *e)
{
	return e->kind == EV_TLBI && e->el == 2 && !strcmp(e->op, "ALLE1IS");
}

int guest_vmid(const struct span *s)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_TLBI)
		if (by_guest(e))
			add_vmid(&vmid, e->vmid);
	return vmid;
}

size_t own_tlbis(const struct span *s, const char *op)
{
	const struct ev *e;
	size_t n = 0;

	for_each_event(e, *s, EV_TLBI)
		n += e->to_smmu && e->el == 1 && !e->vmid && strstr(e->op, op);
	return n;
}

u64 landed(const struct span *s)
{
	const struct ev *e;
	u64 pa = 0;

	for_each_event(e, *s, EV_XLATE)
		pa = e->pa & PAGE_MASK;
	return pa;
}

unsigned int guest_vmids(const struct span *s, int vmid, bool *found,
			 unsigned int *tlbis)
{
	static bool seen[MAX_VMIDS];
	unsigned int n = 0;
	const struct ev *e;

	memset(seen, 0, sizeof(seen));
	*tlbis = 0;
	for_each_event(e, *s, EV_TLBI) {
		if (!by_guest(e) || e->vmid >= MAX_VMIDS)
			continue;
		(*tlbis)++;
		n += !seen[e->vmid];
		seen[e->vmid] = true;
	}
	*found = vmid >= 0 && vmid < MAX_VMIDS && seen[vmid];
	return n;
}

bool commanded(const struct span *s, const char *op, int vmid)
{
	const struct ev *e;
	bool found = false;

	for_each_event(e, *s, EV_CMD) {
		if (!strcmp(e->op, op) && e->vmid == vmid)
			found = true;
		if (found && !strcmp(e->op, "CMD_SYNC"))
			return true;
	}
	return false;
}
