// SPDX-License-Identifier: GPL-2.0-only
/* Rules that hold for every boot. */
#include "check.h"
#include "judge.h"

#define CR2		0x2c
#define CR2_PTM		(1u << 2)

/* Cases that want accesses to be refused, and know which */
static size_t refused_by_cases(struct run *r)
{
	const struct e2e_case *c;
	struct span s = { .t = &r->t };
	size_t n = 0;

	for_each_case(c)
		if (c->refuses &&
		    trace_case(&r->t, c->number, &s.first, &s.last))
			n += count(&s, EV_FAULT);
	return n;
}

static void check_ptm(struct run *r, const struct span *s)
{
	const struct ev *e;
	int ptm = -1;

	for_each_event(e, *s, EV_MMIO)
		if (e->iova == CR2)
			ptm = !!(e->val & CR2_PTM);
	if (r->smmu)
		rule(r, ptm == !r->btm, "boot: CR2.PTM is %d, expected %d", ptm,
		     !r->btm);
	else
		rule(r, !count(s, EV_MMIO) && !count(s, EV_CMD),
		     "boot: there is no SMMU");
}

void check_boot(struct run *r)
{
	struct span s = { &r->t, 0, r->t.n };
	size_t refused = count(&s, EV_FAULT);

	check_ptm(r, &s);
	refused -= refused_by_cases(r);
	rule(r, !refused, "boot: no access was refused unasked (%zu were)", refused);
}
