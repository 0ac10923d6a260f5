// SPDX-License-Identifier: GPL-2.0-only
/* What the trace of each case must show. */
#include <stdio.h>
#include <string.h>

#include "check.h"

#define CR0		0x20
#define CR0_SMMUEN	(1u << 0)
#define CR2		0x2c
#define CR2_PTM		(1u << 2)
#define DMA_IOVA	0x80000000ull
#define PAGE_MASK	(~0xfffull)
#define DMA_REFUSED	0xdead0002u
#define MAX_VMIDS	65536

bool step(struct run *r, unsigned int cs, unsigned int num, struct span *s)
{
	s->t = &r->t;
	return trace_step(&r->t, MARK(cs, num), &s->first, &s->last);
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

static void add_vmid(int *vmid, int v)
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

/*
 * KVM's own TLBIs are at EL2. Those of a host without VHE are at EL1, but under
 * VMID 0, which no VM has.
 */
static bool by_guest(const struct ev *e)
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

static size_t refused_in(struct run *r, enum e2e_case cs)
{
	struct span s = { .t = &r->t };

	return trace_case(&r->t, cs, &s.first, &s.last) ? count(&s, EV_FAULT) :
							  0;
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
	/* Some cases want some to be, and know which */
	refused -= refused_in(r, CASE_STORM) + refused_in(r, CASE_FAIL_NTH) +
		   refused_in(r, CASE_VIRTIO) + refused_in(r, CASE_BETWEEN) +
		   refused_in(r, CASE_NO_BREAK_S2);
	rule(r, !refused, "boot: no access was refused (%zu were)", refused);
}

static void same_vmid_of(struct run *r, unsigned int dma, unsigned int tlbi,
			 int asid, const char *name)
{
	struct span d, t;
	const struct ev *e;
	bool tagged = false;
	int smmu, kvm;

	if (!rule(r, step(r, CASE_SAME_VMID, dma, &d) &&
		  step(r, CASE_SAME_VMID, tlbi, &t),
		  "same-vmid: %s: steps", name))
		return;
	smmu = smmu_vmid(&d);
	kvm = guest_vmid(&t);
	rule(r, smmu > 0 && kvm > 0, "same-vmid: %s: SMMU %d and KVM %d", name,
	     smmu, kvm);
	rule(r, (smmu == kvm) == r->share, "same-vmid: %s: %s", name,
	     r->share ? "the same VMID" : "different VMIDs");
	for_each_event(e, d, EV_INSERT)
		tagged |= e->asid == asid;
	rule(r, tagged, "same-vmid: %s: the SMMU caches under ASID %d", name,
	     asid);
	for_each_event(e, t, EV_TLBI)
		if (by_guest(e))
			rule(r, e->to_smmu == r->btm,
			     "same-vmid: %s: the TLBI %s the SMMU", name,
			     r->btm ? "reaches" : "does not reach");
}

static void check_same_vmid(struct run *r)
{
	struct span s;
	unsigned int tlbis = 0;
	bool found;

	rule(r, step(r, CASE_SAME_VMID, STEP_SAME_VMID_BURN, &s) &&
	     guest_vmids(&s, NONE, &found, &tlbis) >= 5,
	     "same-vmid: other VMs took numbers before");
	same_vmid_of(r, STEP_SAME_VMID_TRANS_DMA, STEP_SAME_VMID_TRANS_TLBI,
		     GUEST_ASID, "translate");
	same_vmid_of(r, STEP_SAME_VMID_BYPASS_DMA, STEP_SAME_VMID_BYPASS_TLBI,
		     TRACE_NONE, "bypass");
}

static void btm_round(struct run *r, unsigned int round, const char *op,
		      const char *cmd)
{
	struct span s[STEP_BTM_CMD_DMA + 1];
	const struct ev *tlbi;
	unsigned int i;
	u64 old;

	for (i = 0; i <= STEP_BTM_CMD_DMA; i++)
		if (!step(r, CASE_BTM, ROUND(round, i), &s[i])) {
			rule(r, false, "btm: %s: step %u", op, i);
			return;
		}
	for (i = 0; i < STEP_BTM_CMD; i++)
		if (count(&s[i], EV_CMD))
			break;
	rule(r, i == STEP_BTM_CMD,
	     "btm: %s: no SMMU command up to the guest's own", op);

	tlbi = trace_next(&r->t, EV_TLBI, op, s[STEP_BTM_OWN_TLBI].first,
			  s[STEP_BTM_OWN_TLBI].last);
	rule(r, tlbi && by_guest(tlbi) && tlbi->to_smmu == r->btm,
	     "btm: %s: executed by the guest and %s by the SMMU", op,
	     r->btm ? "heard" : "not heard");
	rule(r, guest_vmid(&s[STEP_BTM_OTHER_TLBI]) > 0 &&
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]) > 0 &&
	     guest_vmid(&s[STEP_BTM_OTHER_TLBI]) !=
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]),
	     "btm: %s: the other VM has a VMID of its own", op);

	old = landed(&s[STEP_BTM_DMA_OLD]);
	rule(r, old && landed(&s[STEP_BTM_OTHER_DMA]) == old &&
	     landed(&s[STEP_BTM_WRONG_DMA]) == old,
	     "btm: %s: the old page until its own TLBI", op);
	rule(r, (landed(&s[STEP_BTM_OWN_DMA]) != old) == r->btm,
	     "btm: %s: %s after its own TLBI", op,
	     r->btm ? "the new page" : "still the old page");
	rule(r, !!walked(&s[STEP_BTM_OWN_DMA]) == r->btm,
	     "btm: %s: the SMMU %s after it", op,
	     r->btm ? "walks" : "does not walk");
	rule(r, landed(&s[STEP_BTM_CMD_DMA]) != old,
	     "btm: %s: the new page after the guest's command", op);
	rule(r, smmu_vmid(&s[STEP_BTM_CMD_DMA]) > 0 &&
	     commanded(&s[STEP_BTM_CMD], cmd,
		       smmu_vmid(&s[STEP_BTM_CMD_DMA])),
	     "btm: %s: which names the stream's VMID, and a SYNC", op);
	rule(r, (smmu_vmid(&s[STEP_BTM_CMD_DMA]) ==
		 guest_vmid(&s[STEP_BTM_OWN_TLBI])) == r->share,
	     "btm: %s: the stream's VMID %d is%s the VM's (%d)", op,
	     smmu_vmid(&s[STEP_BTM_CMD_DMA]), r->share ? "" : " not",
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]));
}

static void check_btm(struct run *r)
{
	btm_round(r, 0, "VAE1IS", "CMD_TLBI_NH_VA");
	btm_round(r, 1, "ASIDE1IS", "CMD_TLBI_NH_ASID");
	btm_round(r, 2, "VMALLE1IS", "CMD_TLBI_NH_ALL");
}

static void no_alias_round(struct run *r, unsigned int round, const char *name)
{
	struct span a, b, again;
	int va, vb;

	if (!rule(r, step(r, CASE_NO_ALIAS, ROUND(round, STEP_NO_ALIAS_DMA_A),
			  &a) &&
		     step(r, CASE_NO_ALIAS, ROUND(round, STEP_NO_ALIAS_DMA_B),
			  &b) &&
		     step(r, CASE_NO_ALIAS,
			  ROUND(round, STEP_NO_ALIAS_DMA_A_AGAIN), &again),
		  "no-alias: %s: steps", name))
		return;
	va = smmu_vmid(&a);
	vb = smmu_vmid(&b);
	rule(r, landed(&a) && landed(&again) == landed(&a),
	     "no-alias: %s: the first device keeps its page", name);
	if (r->patched) {
		rule(r, va > 0 && vb > 0 && va != vb,
		     "no-alias: %s: VMIDs %d and %d differ", name, va, vb);
		rule(r, landed(&b) && landed(&b) != landed(&a),
		     "no-alias: %s: pages differ", name);
		return;
	}
	rule(r, va > 0 && va == vb && walked(&a) && !walked(&b),
	     "no-alias: %s: the second device hits what the first one cached",
	     name);
	rule(r, landed(&b) == landed(&a), "no-alias: %s: one page for both",
	     name);
}

static void check_no_alias(struct run *r)
{
	no_alias_round(r, 0, "no VM");
	if (r->kvm)
		no_alias_round(r, 1, "a VM");
}

/*
 * DMAs between two writes of an STE that belong to one change: what a change can
 * disturb. Each write is followed by a CFGI_STE; a SYNC without another
 * CFGI_STE behind it, or a prefetch, ends the change.
 */
static unsigned int dma_inside(const struct span *s)
{
	unsigned int n = 0, since = 0;
	bool inside = false;
	size_t i;

	for (i = s->first; i < s->last; i++) {
		const struct ev *e = &s->t->ev[i];

		if (e->kind == EV_DMA_END) {
			since++;
		} else if (e->kind == EV_CMD && !strcmp(e->op, "CMD_CFGI_STE")) {
			n += inside ? since : 0;
			inside = true;
			since = 0;
		} else if (e->kind == EV_CMD && strcmp(e->op, "CMD_SYNC")) {
			inside = false;
		}
	}
	return n;
}

static void check_no_break(struct run *r)
{
	unsigned int refused = 0, bypassed = 0, vmids = 0;
	bool stage2 = false, nested = false;
	struct span s, all = { .t = &r->t };
	int first = NONE;
	const struct ev *e;

	if (!rule(r, step(r, CASE_NO_BREAK, STEP_NO_BREAK_HAMMER, &s) &&
		  trace_case(&r->t, CASE_NO_BREAK, &all.first, &all.last),
		  "no-break: steps"))
		return;
	for_each_event(e, s, EV_INSERT) {
		stage2 |= e->asid == TRACE_NONE;
		nested |= e->asid == GUEST_ASID;
		if (first == NONE)
			first = e->vmid;
		else if (e->vmid != first)
			vmids = 2;
	}
	rule(r, stage2 && nested, "no-break: both kinds of STE were live");
	rule(r, (vmids == 2) == r->share, "no-break: %s",
	     r->share ? "with a VMID each" : "with one VMID");
	for_each_event(e, all, EV_DMA_END)
		refused += e->val == DMA_REFUSED;
	for_each_event(e, all, EV_XLATE)
		bypassed += e->op[0] != '\0';
	/* Else it is a matter of luck, and of how busy the machine is */
	if (r->icount && r->share)
		rule(r, dma_inside(&s) >= 10,
		     "no-break: %u of %zu DMAs fell between the writes of a change",
		     dma_inside(&s), count(&s, EV_DMA_END));
	rule(r, !refused && !count(&all, EV_FAULT),
	     "no-break: no DMA refused (%u), no fault (%zu)", refused,
	     count(&all, EV_FAULT));
	rule(r, !bypassed, "no-break: no DMA past the tables (%u)", bypassed);
}

/* One write of the STE for each change, or three with V=0 on the way */
static void check_no_break_s2(struct run *r)
{
	unsigned int writes = r->patched && r->lse2 ? 1 : 3;
	struct span s;
	size_t stes;

	if (!rule(r, step(r, CASE_NO_BREAK_S2, STEP_NO_BREAK_S2_HAMMER, &s),
		  "no-break-stage-2: step"))
		return;
	stes = trace_count(s.t, EV_CMD, "CMD_CFGI_STE", s.first, s.last);
	rule(r, stes == writes * NO_BREAK_S2_ROUNDS,
	     "no-break-stage-2: %zu writes of the STE in %u changes, expected %u each",
	     stes, NO_BREAK_S2_ROUNDS, writes);
	rule(r, !count(&s, EV_FAULT) == (writes == 1),
	     "no-break-stage-2: %zu accesses refused, expected %s",
	     count(&s, EV_FAULT), writes == 1 ? "none" : "some");
}

/* Which StreamID a VMID or a page belongs to */
struct owner {
	u64 key;
	u32 sid;
};

static bool owned(struct owner *o, unsigned int *n, unsigned int max, u64 key,
		  u32 sid)
{
	unsigned int i;

	for (i = 0; i < *n; i++)
		if (o[i].key == key)
			return o[i].sid == sid;
	if (*n == max)
		return false;
	o[(*n)++] = (struct owner){ key, sid };
	return true;
}

static void check_isolation(struct run *r)
{
	unsigned int pages = 0, vmids = 0, bad_pages = 0, bad_vmids = 0;
	struct owner page[16], vmid[128];
	const struct ev *e;
	struct span s;

	if (!rule(r, step(r, CASE_ISOLATION, STEP_ISOLATION_DMA, &s),
		  "isolation: step"))
		return;
	for_each_event(e, s, EV_XLATE)
		bad_pages += !owned(page, &pages, 16, e->pa & PAGE_MASK,
				    e->sid);
	for_each_event(e, s, EV_INSERT)
		bad_vmids += !owned(vmid, &vmids, 128, e->vmid, e->sid);
	rule(r, pages == 3 && !bad_pages,
	     "isolation: %u pages, %u accesses to another device's", pages,
	     bad_pages);
	rule(r, vmids >= 3 && !bad_vmids,
	     "isolation: %u VMIDs, %u inserts under another device's", vmids,
	     bad_vmids);
}

static void check_rollover(struct run *r)
{
	struct span s[STEP_ROLLOVER_DMA_NEW + 1];
	unsigned int i, distinct, tlbis;
	int kvm, kvm_after, smmu, smmu_after;
	bool taken;

	for (i = STEP_ROLLOVER_DMA_BEFORE; i <= STEP_ROLLOVER_DMA_NEW; i++)
		if (!step(r, CASE_ROLLOVER, i, &s[i])) {
			rule(r, false, "rollover: step %u", i);
			return;
		}
	smmu = smmu_vmid(&s[STEP_ROLLOVER_DMA_BEFORE]);
	smmu_after = smmu_vmid(&s[STEP_ROLLOVER_DMA_AFTER]);
	kvm = guest_vmid(&s[STEP_ROLLOVER_TLBI_BEFORE]);
	kvm_after = guest_vmid(&s[STEP_ROLLOVER_TLBI_AFTER]);
	distinct = guest_vmids(&s[STEP_ROLLOVER_CHURN], kvm, &taken, &tlbis);

	rule(r, tlbis >= 300 && distinct < tlbis,
	     "rollover: %u VMs had %u numbers: there was a rollover", tlbis,
	     distinct);
	rule(r, smmu > 0 && smmu_after == smmu,
	     "rollover: the SMMU's VMID was %d and is %d", smmu, smmu_after);
	rule(r, kvm > 0 && (kvm_after == kvm) == r->share,
	     "rollover: the VM's VMID was %d and is %d", kvm, kvm_after);
	if (!r->share)
		return;
	rule(r, smmu == kvm, "rollover: it is the same for both");
	rule(r, !taken, "rollover: no other VM ever had it");
	rule(r, !!walked(&s[STEP_ROLLOVER_DMA_NEW]) == r->btm,
	     "rollover: the TLBI afterwards %s the device",
	     r->btm ? "reaches" : "does not reach");
}

/* In each of the steps from @num on there is a TLBI */
static bool invalidates(struct run *r, unsigned int num)
{
	struct span s;
	unsigned int i;
	const struct ev *e;
	bool found;

	for (i = 0; i < NOTHING_SIZES; i++) {
		if (!step(r, CASE_NOTHING, num + i, &s))
			return false;
		found = false;
		for_each_event(e, s, EV_CMD)
			found |= !strncmp(e->op, "CMD_TLBI_", 9);
		if (!found)
			return false;
	}
	return true;
}

static void check_nothing(struct run *r)
{
	unsigned int round, rounds = 0;
	struct span s;

	for (round = 0; round < 4; round++) {
		if (!step(r, CASE_NOTHING, ROUND(round, STEP_NOTHING_UNMAP),
			  &s))
			continue;
		rounds++;
		rule(r, trace_count(&r->t, EV_CMD, "CMD_TLBI_S2_IPA", s.first,
				    s.last),
		     "nothing-shared: round %u: unmap invalidates", round);
		rule(r, step(r, CASE_NOTHING,
			     ROUND(round, STEP_NOTHING_TRANS_ATTACH), &s) &&
			trace_count(&r->t, EV_CMD, "CMD_CFGI_STE", s.first,
				    s.last),
		     "nothing-shared: round %u: attach invalidates", round);
	}
	rule(r, rounds >= 2, "nothing-shared: %u rounds", rounds);
	rule(r, invalidates(r, STEP_NOTHING_S1_SIZES),
	     "nothing-shared: each unmap of a stage 1 invalidates");
	rule(r, invalidates(r, STEP_NOTHING_S2_SIZES),
	     "nothing-shared: each unmap of a stage 2 invalidates");
	rule(r, invalidates(r, STEP_NOTHING_NESTED_SIZES),
	     "nothing-shared: each unmap of a nest parent invalidates");
}

static void check_lifetimes(struct run *r)
{
	struct span dma, end, again;
	int kvm;

	if (!rule(r, step(r, CASE_LIFETIMES, STEP_LIFETIMES_VM_FIRST_DMA,
			  &dma) &&
		     step(r, CASE_LIFETIMES, STEP_LIFETIMES_VIOMMU_FIRST,
			  &end) &&
		     step(r, CASE_LIFETIMES, STEP_LIFETIMES_VIOMMU_AGAIN,
			  &again),
		  "lifetimes: steps"))
		return;
	rule(r, count(&dma, EV_XLATE), "lifetimes: DMA after the VM's files");
	kvm = guest_vmid(&end);
	rule(r, kvm > 0 && guest_vmid(&again) == kvm,
	     "lifetimes: the VM keeps its VMID %d", kvm);
	if (!r->share)
		return;
	rule(r, commanded(&end, "CMD_TLBI_S12_VMALL", kvm),
	     "lifetimes: the SMMU forgets VMID %d when its vSMMU ends", kvm);
	rule(r, smmu_vmid(&again) == kvm,
	     "lifetimes: the next vSMMU has the VM's VMID again");
}

static void check_orphan(struct run *r)
{
	unsigned int i, distinct, tlbis, ignored;
	struct span s[STEP_ORPHAN_REUSE + 1];
	bool taken, back;
	int kvm;

	for (i = STEP_ORPHAN_TLBI; i <= STEP_ORPHAN_REUSE; i++)
		if (!step(r, CASE_ORPHAN, i, &s[i])) {
			rule(r, false, "orphan: step %u", i);
			return;
		}
	kvm = guest_vmid(&s[STEP_ORPHAN_TLBI]);
	distinct = guest_vmids(&s[STEP_ORPHAN_CHURN], kvm, &taken, &tlbis);
	guest_vmids(&s[STEP_ORPHAN_REUSE], kvm, &back, &ignored);
	rule(r, kvm > 0, "orphan: the VM had VMID %d", kvm);
	rule(r, !r->vmid8 || distinct < tlbis,
	     "orphan: %u VMs had %u numbers", tlbis, distinct);
	rule(r, taken == (r->vmid8 && !r->share),
	     "orphan: the dead VM's number was%s given to another VM",
	     taken ? "" : " not");
	if (!r->share)
		return;
	rule(r, smmu_vmid(&s[STEP_ORPHAN_DMA]) == kvm,
	     "orphan: the device that is left is still under it");
	rule(r, commanded(&s[STEP_ORPHAN_CLOSE], "CMD_TLBI_S12_VMALL", kvm),
	     "orphan: the SMMU forgets it when the device has gone");
	rule(r, back == r->vmid8, "orphan: afterwards it %s",
	     r->vmid8 ? "comes back" : "is not needed");
}

/* True if what the SMMU cached for one of the devices was under two VMIDs */
static bool moved(const struct span *s, int asid)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		if (e->asid == asid && e->iova == DMA_IOVA)
			add_vmid(&vmid, e->vmid);
	return vmid == SEVERAL;
}

static void check_move(struct run *r)
{
	unsigned int steps = 0, moves = 0;
	struct span s, all = { .t = &r->t };
	size_t from = 0;

	if (!rule(r, trace_case(&r->t, CASE_MOVE, &all.first, &all.last),
		  "move: steps"))
		return;
	s.t = &r->t;
	while (trace_step_next(&r->t, MARK(CASE_MOVE, STEP_MOVE_HAMMER), from,
			       &s.first, &s.last)) {
		from = s.last;
		steps++;
		moves += moved(&s, TRACE_NONE);
	}
	rule(r, steps >= 64 && moves == (r->share ? steps : 0),
	     "move: %u of %u stage-2 tables changed their VMIDs", moves, steps);
	rule(r, moved(&all, GUEST_ASID) == r->share,
	     "move: the vSMMU %s its VMID", r->share ? "changed" : "kept");
	rule(r, count(&all, EV_DMA_END) && !count(&all, EV_FAULT),
	     "move: %zu DMAs meanwhile, %zu faults", count(&all, EV_DMA_END),
	     count(&all, EV_FAULT));
	rule(r, step(r, CASE_MOVE, STEP_MOVE_DMA, &s) && walked(&s),
	     "move: the vSMMU's device walks again after the guest's command");
}

static void modules_use(struct run *r, unsigned int dma, unsigned int tlbi,
			const char *name)
{
	const struct ev *e;
	struct span d, t;
	int smmu, kvm;
	bool found;

	found = step(r, CASE_MODULES, dma, &d) && step(r, CASE_MODULES, tlbi, &t);
	if (!rule(r, found, "modules: %s: steps", name))
		return;
	smmu = smmu_vmid(&d);
	kvm = guest_vmid(&t);
	rule(r, smmu > 0 && kvm > 0 && (smmu == kvm) == r->share,
	     "modules: %s: SMMU %d and KVM %d", name, smmu, kvm);
	for_each_event(e, t, EV_TLBI)
		if (by_guest(e))
			rule(r, e->to_smmu == r->btm,
			     "modules: %s: the TLBI %s the SMMU", name,
			     r->btm ? "reaches" : "does not reach");
}

/* The driver switches the SMMU off when it goes, and again before it switches it on */
static void modules_reload(struct run *r, unsigned int num, const char *name)
{
	unsigned int off = 0, on = 0;
	const struct ev *e;
	struct span s;

	if (!rule(r, step(r, CASE_MODULES, num, &s), "modules: %s: step", name))
		return;
	for_each_event(e, s, EV_MMIO) {
		if (e->iova != CR0)
			continue;
		if (e->val & CR0_SMMUEN)
			on++;
		else if (!on)
			off++;
	}
	rule(r, off >= 2 && on, "modules: %s: the SMMU is off, and on again", name);
}

static void check_modules(struct run *r)
{
	modules_use(r, STEP_MODULES_DMA, STEP_MODULES_TLBI, "at first");
	modules_reload(r, STEP_MODULES_RELOAD, "reload");
	modules_use(r, STEP_MODULES_DMA_AGAIN, STEP_MODULES_TLBI_AGAIN, "again");
	modules_reload(r, STEP_MODULES_RELOAD_AGAIN, "reload again");
}

/*
 * How many VMs, each of which executes one TLBI, KVM has VMIDs for between one
 * rollover and the next: the fewest of a step, 0 if there is only one rollover.
 */
static unsigned int vms_per_rollover(const struct span *s)
{
	unsigned int vms = 0, least = 0, rollovers = 0;
	const struct ev *e;

	for_each_event(e, *s, EV_TLBI) {
		vms += by_guest(e);
		if (!is_rollover(e))
			continue;
		if (rollovers++ && (!least || vms < least))
			least = vms;
		vms = 0;
	}
	return least;
}

/* I7: with as many pins as there can be, about twice as many rollovers */
static void check_rate(struct run *r)
{
	unsigned int free, taken, used, tlbis;
	struct span s;
	bool found;

	if (!r->share)
		return;
	if (!rule(r, step(r, CASE_RATE, STEP_RATE_FREE, &s), "rollover-rate: steps"))
		return;
	free = vms_per_rollover(&s);
	if (!rule(r, step(r, CASE_RATE, STEP_RATE_TAKEN, &s), "rollover-rate: steps"))
		return;
	taken = vms_per_rollover(&s);
	used = guest_vmids(&s, NONE, &found, &tlbis);
	rule(r, free && taken && 2 * taken + 2 * CHURN_THREADS >= free,
	     "rollover-rate: a rollover every %u VMs, with all pins taken every %u",
	     free, taken);
	rule(r, used <= taken + 2 * CHURN_THREADS,
	     "rollover-rate: then %u VMs use %u VMIDs", tlbis, used);
}

/*
 * Of the others the verdict is what the kernel answered, which init knows. That
 * no access was refused is checked for the whole boot.
 */
const struct rules all_rules[] = {
	{ CASE_SAME_VMID, check_same_vmid },
	{ CASE_BTM, check_btm },
	{ CASE_NO_ALIAS, check_no_alias },
	{ CASE_NO_BREAK, check_no_break },
	{ CASE_NO_BREAK_S2, check_no_break_s2 },
	{ CASE_ISOLATION, check_isolation },
	{ CASE_ROLLOVER, check_rollover },
	{ CASE_NOTHING, check_nothing },
	{ CASE_LIFETIMES, check_lifetimes },
	{ CASE_ORPHAN, check_orphan },
	{ CASE_MOVE, check_move },
	{ CASE_STORM, check_storm },
	{ CASE_CLOSE_ORDER, check_close_order },
	{ CASE_KILL, check_kill },
	{ CASE_KVM_FILE, check_kvm_file },
	{ CASE_UNPLUG, check_unplug },
	{ CASE_RESET, check_reset },
	{ CASE_TWO_DEVICES, check_two_devices },
	{ CASE_TWO_VMS, check_two_vms },
	{ CASE_TWO_TABLES, check_two_tables },
	{ CASE_RATE, check_rate },
	{ CASE_ACPI, check_acpi },
	{ CASE_VIRTIO, check_virtio_iommu },
	{ CASE_MODULES, check_modules },
};

const unsigned int num_rules = sizeof(all_rules) / sizeof(all_rules[0]);
