// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "pending.h"

/* DSB: CRm is the shareability domain, [3:2], and the types of access, [1:0] */
#define DSB_MASK	0xfffff0ffu
#define DSB		0xd503309fu
#define DSB_NXS_MASK	0xfffff3ffu
#define DSB_NXS		0xd503323fu
#define CRM(insn)	((insn) >> 8 & 15)
#define TYPES_ALL	3u

/* Domains: those of CRm, ordered by reach */
enum domain { NSH, ISH, OSH, SY };

#define HCR_BSU(hcr)	((hcr) >> 10 & 3)	/* at EL1 and EL0: the least domain of a barrier */

static bool is_nxs(uint32_t insn)
{
	return (insn & DSB_NXS_MASK) == DSB_NXS;
}

bool dsb_known(uint32_t insn)
{
	/* The types of DSB nXS are always all */
	return is_nxs(insn) || ((insn & DSB_MASK) == DSB && (CRM(insn) & 3) == TYPES_ALL);
}

static enum domain domain_of(uint32_t insn, unsigned int el, uint64_t hcr)
{
	static const enum domain of_crm[] = { OSH, NSH, ISH, SY };
	enum domain d = of_crm[CRM(insn) >> 2];

	/* BSU has the same order: no effect, ISH, OSH, SY */
	if (el < 2 && d < HCR_BSU(hcr))
		d = HCR_BSU(hcr);
	return d;
}

bool pending_add(struct pending *p, const struct tlbi *t)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct tlbi *more = realloc(p->t, room * sizeof(*more));

		if (!more)
			return false;
		p->t = more;
		p->room = room;
	}
	p->t[p->n++] = *t;
	return true;
}

size_t pending_complete(struct pending *p, uint32_t insn, unsigned int el, uint64_t hcr,
			void (*apply)(const struct tlbi *t))
{
	enum domain d = domain_of(insn, el, hcr);
	size_t i, left = 0, done;

	for (i = 0; i < p->n; i++) {
		const struct tlbi *t = &p->t[i];

		/* DSB nXS need not wait for a TLBI without nXS */
		if (d < (t->outer ? OSH : ISH) || (is_nxs(insn) && !t->nxs))
			p->t[left++] = *t;
		else
			apply(t);
	}
	done = p->n - left;
	p->n = left;
	return done;
}
