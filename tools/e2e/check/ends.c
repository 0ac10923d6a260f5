// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the trace must show where things end: a VMID that the SMMU has cached under
 * is invalidated before whoever had it has gone, and is nobody else's until then.
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

/*
 * A VMID that the SMMU cached under, without a TLBI of all of it and a SYNC
 * since. A broadcast does not count: it is no promise that any will follow.
 */
static int left_behind(const struct span *s)
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

static bool cached_under(const struct span *s, int vmid)
{
	const struct ev *e;

	for_each_event(e, *s, EV_INSERT)
		if (e->vmid == vmid)
			return true;
	return false;
}

/* The next occurrence of a step after event @from */
static bool step_after(struct run *r, unsigned int mark, size_t from,
		       struct span *s)
{
	s->t = &r->t;
	return trace_step_next(&r->t, mark, from, &s->first, &s->last);
}

/* Everything between the beginning of one step and that of another */
static struct span between(const struct span *a, const struct span *b)
{
	return (struct span){ a->t, a->first, b->first };
}

/* From the beginning of @first to that of @end: see left_behind() */
static void nothing_left(struct run *r, const struct span *first,
			 const struct span *end, const char *name)
{
	struct span all = between(first, end);
	int vmid = left_behind(&all);

	rule(r, vmid == NONE, "%s: nothing is left in the SMMU's TLB (%d)",
	     name, vmid);
}

/* The steps @first to @last of a case or a round */
static bool steps(struct run *r, unsigned int cs, unsigned int first,
		  unsigned int last, struct span *s, const char *name)
{
	unsigned int i;

	for (i = first; i <= last; i++)
		if (!step(r, cs, i, &s[i & 0xf]))
			return rule(r, false, "%s: step %#x", name, i);
	return true;
}

/* All 255, if no VM is pinned, less those that a rollover hides */
static void all_come_back(struct run *r, const struct span *churn,
			  const char *name)
{
	unsigned int distinct, tlbis;
	bool found;

	distinct = guest_vmids(churn, NONE, &found, &tlbis);
	rule(r, distinct > 255 - CHURN_THREADS,
	     "%s: in the end VMs get %u different VMIDs", name, distinct);
}

/*
 * Of the first order, in which the vSMMU is there after the VM and the device:
 * its number is given to nobody while KVM goes through all of them.
 */
static void close_order_churn(struct run *r, int kvm)
{
	unsigned int distinct, tlbis;
	bool taken;
	struct span s;

	if (!rule(r, step(r, CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_CHURN, &s),
		  "close-order: churn"))
		return;
	distinct = guest_vmids(&s, kvm, &taken, &tlbis);
	rule(r, taken == !r->share && distinct >= 255 - CHURN_THREADS,
	     "close-order: with only the vSMMU left, VMs get %u VMIDs, its own%s among them",
	     distinct, taken ? "" : " not");
}

void check_close_order(struct run *r)
{
	unsigned int orders = 0, with_dma = 0, tagged = 0, left = 0;
	struct span dma, tlbi, close, end, all;
	size_t from = 0;
	int kvm;

#define CLOSE_ORDER(s)	MARK(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_##s)
	while (step_after(r, CLOSE_ORDER(DMA), from, &dma) &&
	       step_after(r, CLOSE_ORDER(TLBI), dma.last, &tlbi) &&
	       step_after(r, CLOSE_ORDER(CLOSE), tlbi.last, &close) &&
	       step_after(r, CLOSE_ORDER(END), close.last, &end)) {
		from = end.last;
		kvm = guest_vmid(&tlbi);
		if (r->vmid8 && !orders)
			close_order_churn(r, kvm);
		orders++;
		if (smmu_vmid(&close) != NONE) {
			with_dma++;
			tagged += smmu_vmid(&close) == kvm;
		}
		all = between(&dma, &end);
		left += left_behind(&all) != NONE || smmu_vmid(&dma) == NONE;
	}
#undef CLOSE_ORDER
	rule(r, orders == 24 && with_dma == 18,
	     "close-order: %u orders, DMA between the closes of %u", orders,
	     with_dma);
	rule(r, (tagged == with_dma) == r->share,
	     "close-order: in %u of them under the VM's VMID", tagged);
	rule(r, !left, "close-order: %u end with entries in the SMMU's TLB",
	     left);
}

void check_kill(struct run *r)
{
	unsigned int kills = 0, tagged = 0, left = 0, late = 0;
	struct span run, dead, all;
	size_t from = 0;

	while (step_after(r, MARK(CASE_KILL, STEP_KILL_RUN), from, &run) &&
	       step_after(r, MARK(CASE_KILL, STEP_KILL_DEAD), run.last, &dead)) {
		from = dead.last;
		kills++;
		tagged += cached_under(&run, guest_vmid(&run));
		left += left_behind(&run) != NONE;
		late += count(&dead, EV_XLATE) + count(&dead, EV_FAULT);
	}
	rule(r, kills == 6, "kill: %u kills", kills);
	if (r->share)
		rule(r, tagged == kills,
		     "kill: in %u of them DMA under the VM's VMID", tagged);
	rule(r, !left, "kill: %u leave entries in the SMMU's TLB", left);
	rule(r, !late, "kill: %u accesses of the dead", late);
	if (r->vmid8 && step(r, CASE_KILL, STEP_KILL_REUSE, &all))
		all_come_back(r, &all, "kill");
}

void check_kvm_file(struct run *r)
{
	struct span s[STEP_KVM_FILE_END + 1], all;
	int own, other, vmid;

	if (!steps(r, CASE_KVM_FILE, STEP_KVM_FILE_DEL, STEP_KVM_FILE_END, s,
		   "kvm-file"))
		return;
	own = guest_vmid(&s[STEP_KVM_FILE_OWN_TLBI]);
	other = guest_vmid(&s[STEP_KVM_FILE_OTHER_TLBI]);
	rule(r, own > 0 && other > 0 && own != other,
	     "kvm-file: the VMs have %d and %d", own, other);
	all = between(&s[STEP_KVM_FILE_DEL], &s[STEP_KVM_FILE_UNBIND]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && (vmid == own) == r->share,
	     "kvm-file: the device has %d until it is unbound", vmid);
	vmid = smmu_vmid(&s[STEP_KVM_FILE_REBIND]);
	rule(r, vmid > 0 && (vmid == other) == r->share,
	     "kvm-file: and %d when it is bound for the other VM", vmid);
	nothing_left(r, &s[STEP_KVM_FILE_DEL], &s[STEP_KVM_FILE_REBIND],
		     "kvm-file: unbound");
	nothing_left(r, &s[STEP_KVM_FILE_REBIND], &s[STEP_KVM_FILE_END],
		     "kvm-file: closed");
}

/* A CFGI_STE of @sid, and a SYNC after it */
static bool ste_changed(const struct span *s, u32 sid)
{
	const struct ev *e;
	bool found = false;

	for_each_event(e, *s, EV_CMD) {
		found |= !strcmp(e->op, "CMD_CFGI_STE") && e->sid == sid;
		if (found && !strcmp(e->op, "CMD_SYNC"))
			return true;
	}
	return false;
}

static bool accessed(const struct span *s, u32 sid)
{
	const struct ev *e;

	for_each_event(e, *s, EV_XLATE)
		if (e->sid == sid)
			return true;
	return false;
}

/* The STE of the device that does DMA when its user is asked */
static void ste_gone(struct run *r, const struct span *asked,
		     const struct span *gone, const char *name)
{
	const struct ev *e = trace_next(&r->t, EV_XLATE, NULL, asked->first,
					asked->last);
	bool ok = e && ste_changed(gone, e->sid) && !accessed(gone, e->sid);

	rule(r, ok, "%s: the STE of the device that is gone is too", name);
}

static void unplug_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_UNPLUG_END + 1], all;
	unsigned int i, used = 0;
	int vmid, kvm;

	if (!steps(r, CASE_UNPLUG, ROUND(round, STEP_UNPLUG_BEFORE),
		   ROUND(round, STEP_UNPLUG_END), s, name))
		return;
	all = between(&s[STEP_UNPLUG_BEFORE], &s[STEP_UNPLUG_END]);
	vmid = smmu_vmid(&all);
	kvm = guest_vmid(&s[STEP_UNPLUG_TLBI]);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "%s: both devices have VMID %d from first to last, the VM %d",
	     name, vmid, kvm);
	for (i = STEP_UNPLUG_BEFORE; i <= STEP_UNPLUG_BACK; i++)
		used += smmu_vmid(&s[i]) == vmid;
	rule(r, used == STEP_UNPLUG_BACK, "%s: in each of %u steps", name,
	     used);
	ste_gone(r, &s[STEP_UNPLUG_ASKED], &s[STEP_UNPLUG_GONE], name);
	nothing_left(r, &s[STEP_UNPLUG_BEFORE], &s[STEP_UNPLUG_END], name);
}

void check_unplug(struct run *r)
{
	struct span first, end, all;
	int vmid, kvm;
	bool found;

	unplug_round(r, 0, "unplug: unbound");
	unplug_round(r, 1, "unplug: removed");
	found = step(r, CASE_UNPLUG, ROUND(2, STEP_UNPLUG_BEFORE), &first) &&
		step(r, CASE_UNPLUG, ROUND(2, STEP_UNPLUG_END), &end);
	if (!rule(r, found, "unplug: killed: steps"))
		return;
	all = between(&first, &end);
	vmid = smmu_vmid(&all);
	kvm = guest_vmid(&all);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "unplug: killed: the device had VMID %d, the VM %d", vmid, kvm);
	nothing_left(r, &first, &end, "unplug: killed");
}

void check_reset(struct run *r)
{
	struct span s[STEP_RESET_END + 1], all;
	int kvm, vmid;

	if (!steps(r, CASE_RESET, STEP_RESET_BEFORE, STEP_RESET_END, s,
		   "reset"))
		return;
	kvm = guest_vmid(&s[STEP_RESET_TLBI]);
	all = between(&s[STEP_RESET_BEFORE], &s[STEP_RESET_END]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "reset: all devices have VMID %d, the VM has %d", vmid, kvm);
	rule(r, smmu_vmid(&s[STEP_RESET_AFTER]) == vmid,
	     "reset: the SMMU caches under it afterwards");
	rule(r, !count(&s[STEP_RESET_RESET], EV_CMD),
	     "reset: is no reason for a command to the SMMU");
	nothing_left(r, &s[STEP_RESET_BEFORE], &s[STEP_RESET_END], "reset");
}

/* The VMID under which the SMMU cached for one device */
static int vmid_of(const struct span *s, u32 sid)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		if (e->sid == sid)
			vmid = vmid == NONE || vmid == e->vmid ? e->vmid :
								 SEVERAL;
	return vmid;
}

/* The devices of the first and the last access of a step */
static void both_sids(const struct span *s, u32 *first, u32 *last)
{
	const struct ev *e;

	*first = TRACE_NO_SID;
	*last = TRACE_NO_SID;
	for_each_event(e, *s, EV_XLATE) {
		if (*first == TRACE_NO_SID)
			*first = e->sid;
		*last = e->sid;
	}
}

void check_two_devices(struct run *r)
{
	struct span s[STEP_TWO_DEVICES_END + 1];
	const struct span *remap = &s[STEP_TWO_DEVICES_REMAP];
	bool both;
	u32 a, b;
	int kvm, va, vb;

	if (!steps(r, CASE_TWO_DEVICES, STEP_TWO_DEVICES_DMA,
		   STEP_TWO_DEVICES_END, s, "two-devices"))
		return;
	both_sids(&s[STEP_TWO_DEVICES_DMA], &a, &b);
	kvm = guest_vmid(&s[STEP_TWO_DEVICES_TLBI]);
	va = vmid_of(&s[STEP_TWO_DEVICES_DMA], a);
	vb = vmid_of(&s[STEP_TWO_DEVICES_DMA], b);
	rule(r, a != b && va > 0 && va == vb && (va == kvm) == r->share,
	     "two-devices: both have VMID %d, the VM has %d", va, kvm);

	va = vmid_of(&s[STEP_TWO_DEVICES_MAPPED], a);
	vb = vmid_of(&s[STEP_TWO_DEVICES_MAPPED], b);
	rule(r, va > 0 && vb > 0 && (va != vb) == r->share,
	     "two-devices: nested %d, stage 2 only %d", va, vb);
	both = commanded(remap, "CMD_TLBI_S2_IPA", va) &&
	       commanded(remap, "CMD_TLBI_S2_IPA", vb);
	rule(r, both, "two-devices: an unmap invalidates under both");
	va = smmu_vmid(&s[STEP_TWO_DEVICES_ONE]);
	rule(r, va > 0 && (va == kvm) == r->share,
	     "two-devices: the one that stays has VMID %d", va);
	nothing_left(r, &s[STEP_TWO_DEVICES_DMA], &s[STEP_TWO_DEVICES_END],
		     "two-devices");
}

static void two_vms_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_TWO_VMS_TLBI_SECOND + 1];
	const struct span *dma = &s[STEP_TWO_VMS_DMA_FIRST];
	const struct span *dma2 = &s[STEP_TWO_VMS_DMA_SECOND];
	int first, second, vm, vm2;
	bool hit;

	if (!steps(r, CASE_TWO_VMS, ROUND(round, STEP_TWO_VMS_DMA_FIRST),
		   ROUND(round, STEP_TWO_VMS_TLBI_SECOND), s, name))
		return;
	first = smmu_vmid(dma);
	second = smmu_vmid(dma2);
	vm = guest_vmid(&s[STEP_TWO_VMS_TLBI_FIRST]);
	vm2 = guest_vmid(&s[STEP_TWO_VMS_TLBI_SECOND]);
	rule(r, first > 0 && vm > 0 && vm2 > 0 && (first == vm) == r->share,
	     "%s: VMs %d and %d, the first device %d", name, vm, vm2, first);
	if (r->patched) {
		rule(r, second > 0 && second != first && second != vm2,
		     "%s: the second device has neither, but %d", name, second);
		return;
	}
	hit = !walked(dma2) && landed(dma2) == landed(dma);
	rule(r, hit, "%s: the second hits what the first has cached", name);
}

void check_two_vms(struct run *r)
{
	struct span first, end;
	bool found;

	two_vms_round(r, 0, "two-vms: one first");
	two_vms_round(r, 1, "two-vms: the other first");
	found = step(r, CASE_TWO_VMS, STEP_TWO_VMS_DMA_FIRST, &first) &&
		step(r, CASE_TWO_VMS, STEP_TWO_VMS_END, &end);
	if (rule(r, found, "two-vms: steps"))
		nothing_left(r, &first, &end, "two-vms");
}

static void two_tables_round(struct run *r, unsigned int round,
			     const char *name)
{
	struct span s[STEP_TWO_TABLES_DMA_TLBI + 1];
	const struct span *dma = &s[STEP_TWO_TABLES_DMA_FIRST];
	const struct span *dma2 = &s[STEP_TWO_TABLES_DMA_SECOND];
	const struct span *again = &s[STEP_TWO_TABLES_DMA_AGAIN];
	int first, second, kvm;

	if (!steps(r, CASE_TWO_TABLES, ROUND(round, STEP_TWO_TABLES_DMA_FIRST),
		   ROUND(round, STEP_TWO_TABLES_DMA_TLBI), s, name))
		return;
	first = smmu_vmid(dma);
	second = smmu_vmid(dma2);
	kvm = guest_vmid(&s[STEP_TWO_TABLES_TLBI]);
	rule(r, kvm > 0 && first > 0 && (first == kvm) == r->share,
	     "%s: the first has VMID %d, the VM %d", name, first, kvm);
	rule(r, second > 0 && second != first && second != kvm,
	     "%s: the second has VMID %d", name, second);
	rule(r, landed(dma) && landed(dma) != landed(dma2),
	     "%s: a page each", name);
	rule(r, landed(again) == landed(dma), "%s: the first keeps its page",
	     name);
}

void check_two_tables(struct run *r)
{
	struct span first, end;
	bool found;

	two_tables_round(r, 0, "two-tables: one first");
	two_tables_round(r, 1, "two-tables: the other first");
	found = step(r, CASE_TWO_TABLES, STEP_TWO_TABLES_DMA_FIRST, &first) &&
		step(r, CASE_TWO_TABLES, STEP_TWO_TABLES_END, &end);
	if (rule(r, found, "two-tables: steps"))
		nothing_left(r, &first, &end, "two-tables");
}
