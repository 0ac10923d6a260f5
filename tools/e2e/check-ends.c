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
	if (r->vmid8 && step(r, CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_REUSE, &all))
		all_come_back(r, &all, "close-order");
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
		late += count(&dead, EV_XLATE) + count(&dead, EV_INSERT);
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
	unsigned int i;

	for (i = STEP_KVM_FILE_DEL; i <= STEP_KVM_FILE_END; i++)
		if (!step(r, CASE_KVM_FILE, i, &s[i])) {
			rule(r, false, "kvm-file: step %u", i);
			return;
		}
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
	all = between(&s[STEP_KVM_FILE_DEL], &s[STEP_KVM_FILE_REBIND]);
	rule(r, left_behind(&all) == NONE,
	     "kvm-file: unbound: nothing is left in the SMMU's TLB");
	all = between(&s[STEP_KVM_FILE_REBIND], &s[STEP_KVM_FILE_END]);
	rule(r, left_behind(&all) == NONE,
	     "kvm-file: closed: nothing is left in the SMMU's TLB");
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

static void unplug_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_UNPLUG_END + 1], all;
	const struct ev *e;
	unsigned int i;
	int vmid;
	u32 sid;

	for (i = STEP_UNPLUG_BEFORE; i <= STEP_UNPLUG_END; i++)
		if (!step(r, CASE_UNPLUG, ROUND(round, i), &s[i])) {
			rule(r, false, "unplug: %s: step %u", name, i);
			return;
		}
	all = between(&s[STEP_UNPLUG_BEFORE], &s[STEP_UNPLUG_END]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && (vmid == guest_vmid(&s[STEP_UNPLUG_TLBI])) ==
			    r->share,
	     "unplug: %s: both devices have VMID %d from first to last", name,
	     vmid);
	for (i = STEP_UNPLUG_BEFORE; i <= STEP_UNPLUG_BACK; i++)
		if (smmu_vmid(&s[i]) == NONE)
			break;
	rule(r, i > STEP_UNPLUG_BACK, "unplug: %s: and use it in each step",
	     name);
	e = trace_next(&r->t, EV_XLATE, NULL, s[STEP_UNPLUG_ASKED].first,
		       s[STEP_UNPLUG_ASKED].last);
	sid = e ? e->sid : TRACE_NO_SID;
	rule(r, e && ste_changed(&s[STEP_UNPLUG_GONE], sid) &&
		!accessed(&s[STEP_UNPLUG_GONE], sid),
	     "unplug: %s: the STE of the device that is gone is too", name);
	rule(r, left_behind(&all) == NONE,
	     "unplug: %s: nothing is left in the SMMU's TLB", name);
}

void check_unplug(struct run *r)
{
	struct span s, end, all;
	int vmid;

	unplug_round(r, 0, "unbound");
	unplug_round(r, 1, "removed");
	if (!rule(r, step(r, CASE_UNPLUG, ROUND(2, STEP_UNPLUG_BEFORE), &s) &&
		     step(r, CASE_UNPLUG, ROUND(2, STEP_UNPLUG_END), &end),
		  "unplug: killed: steps"))
		return;
	all = between(&s, &end);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && (vmid == guest_vmid(&all)) == r->share,
	     "unplug: killed: the device had VMID %d", vmid);
	rule(r, left_behind(&all) == NONE,
	     "unplug: killed: nothing is left in the SMMU's TLB");
}

void check_reset(struct run *r)
{
	struct span s[STEP_RESET_END + 1], all;
	unsigned int i;
	int kvm, vmid;

	for (i = STEP_RESET_BEFORE; i <= STEP_RESET_END; i++)
		if (!step(r, CASE_RESET, i, &s[i])) {
			rule(r, false, "reset: step %u", i);
			return;
		}
	kvm = guest_vmid(&s[STEP_RESET_TLBI]);
	all = between(&s[STEP_RESET_BEFORE], &s[STEP_RESET_END]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "reset: all devices have VMID %d, the VM has %d", vmid, kvm);
	rule(r, smmu_vmid(&s[STEP_RESET_AFTER]) == vmid,
	     "reset: the SMMU caches under it afterwards");
	rule(r, !count(&s[STEP_RESET_RESET], EV_CMD),
	     "reset: is no reason for a command to the SMMU");
	rule(r, left_behind(&all) == NONE,
	     "reset: nothing is left in the SMMU's TLB");
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
	for_each_event(e, *s, EV_XLATE) {
		if (*first == TRACE_NO_SID)
			*first = e->sid;
		*last = e->sid;
	}
}

void check_two_devices(struct run *r)
{
	struct span s[STEP_TWO_DEVICES_END + 1], all;
	u32 a = TRACE_NO_SID, b = TRACE_NO_SID;
	int kvm, va, vb;
	unsigned int i;

	for (i = STEP_TWO_DEVICES_DMA; i <= STEP_TWO_DEVICES_END; i++)
		if (!step(r, CASE_TWO_DEVICES, i, &s[i])) {
			rule(r, false, "two-devices: step %u", i);
			return;
		}
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
	rule(r, commanded(&s[STEP_TWO_DEVICES_REMAP], "CMD_TLBI_S2_IPA", va) &&
		commanded(&s[STEP_TWO_DEVICES_REMAP], "CMD_TLBI_S2_IPA", vb),
	     "two-devices: an unmap invalidates under both");
	rule(r, (smmu_vmid(&s[STEP_TWO_DEVICES_ONE]) == kvm) == r->share,
	     "two-devices: the one that stays has VMID %d",
	     smmu_vmid(&s[STEP_TWO_DEVICES_ONE]));
	all = between(&s[STEP_TWO_DEVICES_DMA], &s[STEP_TWO_DEVICES_END]);
	rule(r, left_behind(&all) == NONE,
	     "two-devices: nothing is left in the SMMU's TLB");
}

static void two_vms_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_TWO_VMS_TLBI_SECOND + 1];
	int first, second, vm_first, vm_second;
	unsigned int i;

	for (i = STEP_TWO_VMS_DMA_FIRST; i <= STEP_TWO_VMS_TLBI_SECOND; i++)
		if (!step(r, CASE_TWO_VMS, ROUND(round, i), &s[i])) {
			rule(r, false, "two-vms: %s: step %u", name, i);
			return;
		}
	first = smmu_vmid(&s[STEP_TWO_VMS_DMA_FIRST]);
	second = smmu_vmid(&s[STEP_TWO_VMS_DMA_SECOND]);
	vm_first = guest_vmid(&s[STEP_TWO_VMS_TLBI_FIRST]);
	vm_second = guest_vmid(&s[STEP_TWO_VMS_TLBI_SECOND]);
	rule(r, first > 0 && vm_first > 0 && vm_second > 0 &&
		(first == vm_first) == r->share,
	     "two-vms: %s: %d and %d, the first device has %d", name, vm_first,
	     vm_second, first);
	if (!r->patched) {
		rule(r, !walked(&s[STEP_TWO_VMS_DMA_SECOND]) &&
			landed(&s[STEP_TWO_VMS_DMA_SECOND]) ==
			landed(&s[STEP_TWO_VMS_DMA_FIRST]),
		     "two-vms: %s: the second hits what the first has cached",
		     name);
		return;
	}
	rule(r, second > 0 && second != first && second != vm_second,
	     "two-vms: %s: the second device has neither VM's, but %d", name,
	     second);
}

void check_two_vms(struct run *r)
{
	struct span first, end, all;

	two_vms_round(r, 0, "one first");
	two_vms_round(r, 1, "the other first");
	if (!rule(r, step(r, CASE_TWO_VMS, ROUND(0, STEP_TWO_VMS_DMA_FIRST),
			  &first) &&
		     step(r, CASE_TWO_VMS, STEP_TWO_VMS_END, &end),
		  "two-vms: steps"))
		return;
	all = between(&first, &end);
	rule(r, left_behind(&all) == NONE,
	     "two-vms: nothing is left in the SMMU's TLB");
}

static void two_tables_round(struct run *r, unsigned int round,
			     const char *name)
{
	struct span s[STEP_TWO_TABLES_DMA_TLBI + 1];
	int first, second, kvm;
	unsigned int i;

	for (i = STEP_TWO_TABLES_DMA_FIRST; i <= STEP_TWO_TABLES_DMA_TLBI; i++)
		if (!step(r, CASE_TWO_TABLES, ROUND(round, i), &s[i])) {
			rule(r, false, "two-tables: %s: step %u", name, i);
			return;
		}
	first = smmu_vmid(&s[STEP_TWO_TABLES_DMA_FIRST]);
	second = smmu_vmid(&s[STEP_TWO_TABLES_DMA_SECOND]);
	kvm = guest_vmid(&s[STEP_TWO_TABLES_TLBI]);
	rule(r, kvm > 0 && first > 0 && (first == kvm) == r->share,
	     "two-tables: %s: the first has VMID %d, the VM %d", name, first,
	     kvm);
	rule(r, second > 0 && second != first && second != kvm,
	     "two-tables: %s: the second has VMID %d", name, second);
	rule(r, landed(&s[STEP_TWO_TABLES_DMA_FIRST]) &&
		landed(&s[STEP_TWO_TABLES_DMA_FIRST]) !=
		landed(&s[STEP_TWO_TABLES_DMA_SECOND]) &&
		landed(&s[STEP_TWO_TABLES_DMA_FIRST]) ==
		landed(&s[STEP_TWO_TABLES_DMA_AGAIN]),
	     "two-tables: %s: a page each", name);
}

void check_two_tables(struct run *r)
{
	struct span first, end, all;

	two_tables_round(r, 0, "one first");
	two_tables_round(r, 1, "the other first");
	if (!rule(r, step(r, CASE_TWO_TABLES,
			  ROUND(0, STEP_TWO_TABLES_DMA_FIRST), &first) &&
		     step(r, CASE_TWO_TABLES, STEP_TWO_TABLES_END, &end),
		  "two-tables: steps"))
		return;
	all = between(&first, &end);
	rule(r, left_behind(&all) == NONE,
	     "two-tables: nothing is left in the SMMU's TLB");
}
