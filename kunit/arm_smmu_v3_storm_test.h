/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sequences of what users, guests and KVM can ask of an SMMUv3, and an SMMU in
 * memory that uses all that it may have cached against them.
 *
 * arm-smmu-v3-storm-test.c has the operations and makes, runs and shrinks sequences of
 * them; arm-smmu-v3-storm-smmu-test.c is the SMMU, and says what must hold.
 */
#ifndef _ARM_SMMU_V3_STORM_TEST_H
#define _ARM_SMMU_V3_STORM_TEST_H

#include "arm-smmu-v3-vmid-test.h"

#define ST_GROUPS	3
#define ST_DEVS		4
#define ST_S2S		3
/* Those of stage 1 are behind those of stage 2 */
#define ST_TABLES	5
#define ST_GUESTS	4
#define ST_NESTED	6
#define ST_IPAS		4
#define ST_VAS		2
#define ST_ASIDS	2
#define ST_TLB		48
#define ST_TLBIS	8
#define ST_WHY		160

/**
 * struct st_table - A stage-2 table, or a stage-1 table of the host
 * @domain: what the core calls it, or NULL
 * @uid: never that of another one
 * @ttb: its address, as in an STE or CD
 * @page: the page that is mapped at each address, or 0. Pages are numbered, no number is
 *	used twice, and a page is at the physical address that is its number.
 * @leaving: the page that was there before an unmap that has not returned
 * @walk: what the table in memory says at this moment
 * @has_table: there is a table of the last level, maybe an empty one
 * @busy: somebody is in map or unmap
 */
struct st_table {
	struct iommu_domain *domain;
	u32 uid;
	u64 ttb;
	u32 page[ST_IPAS];
	u32 leaving[ST_IPAS];
	u32 walk[ST_IPAS];
	bool has_table;
	bool busy;
};

/**
 * struct st_map - What a guest has mapped at a VA
 * @ipa: 1 + number of the IPA, 0 for nothing
 * @age: greater than that of anything that was there before
 */
struct st_map {
	u8 ipa;
	u32 age;
};

/**
 * struct st_stage1 - A guest's stage-1 tables
 * @map: by number of the CD table and of the VA. Table i has nothing but CD 0, with
 *	ASID i + 1.
 */
struct st_stage1 {
	struct st_map map[ST_ASIDS][ST_VAS];
};

/**
 * struct st_guest - A guest behind a vSMMU
 * @vsmmu: the vSMMU, or NULL
 * @uid: never that of another one; its context pointers begin with it
 * @s2: number of its stage-2 table
 * @vm: the VM whose VMID it shares, or NULL
 * @hears: the SMMU hears the TLBIs of @vm
 * @s1: its stage 1
 */
struct st_guest {
	struct arm_vsmmu *vsmmu;
	u32 uid;
	unsigned int s2;
	struct vt_vm *vm;
	bool hears;
	struct st_stage1 s1;
};

/**
 * struct st_hwpt - A nested domain
 * @domain: what the core calls it, or NULL
 * @guest: number of the guest
 * @vste: what the guest has asked for
 */
struct st_hwpt {
	struct iommu_domain *domain;
	unsigned int guest;
	struct iommu_hwpt_arm_smmuv3 vste;
};

/**
 * struct st_dev - A device
 * @vt: what iommufd, the core and the driver know of it
 * @group: number of its group
 * @cur: what is attached; the core need not know of it, if it could not go back
 * @next: what is being attached
 */
struct st_dev {
	struct vt_dev vt;
	unsigned int group;
	struct iommu_domain *cur;
	struct iommu_domain *next;
};

/**
 * struct st_group - A group
 * @group: what the core knows
 * @handle: for the core
 * @domain: what the core believes to be attached, or NULL
 * @next: what is being attached
 */
struct st_group {
	struct iommu_group *group;
	struct iommu_attach_handle handle;
	struct iommu_domain *domain;
	struct iommu_domain *next;
};

/**
 * struct st_entry - A TLB entry
 * @asid: the ASID, or 0 for one of stage 2 alone
 * @addr: number of the VA, or of the IPA
 * @guest: uid of the guest, 0 for the host
 * @age: that of the stage-1 mapping
 * @s2: uid of the stage-2 table, or of the host's stage-1 table
 * @page: where it leads to, 0 for nowhere: one of stage 1 alone
 */
struct st_entry {
	u16 asid;
	u8 addr;
	u32 guest;
	u32 age;
	u32 s2;
	u32 page;
};

/**
 * struct st_tlb - The entries under one VMID
 * @n: how many there are
 * @next: the one that goes when there are too many
 * @e: the entries
 */
struct st_tlb {
	unsigned int n;
	unsigned int next;
	struct st_entry e[ST_TLB];
};

/**
 * struct st_scope - What an invalidation of stage 1 is for
 * @asid: an ASID, or 0 for all
 * @va: number of a VA, or -1 for all
 */
struct st_scope {
	unsigned int asid;
	int va;
};

/**
 * enum st_opcode - What can happen
 * @ST_PT_NEW: page table a is made
 * @ST_PT_FREE: and unmapped and freed
 * @ST_MAP: table a: a new page at IPA b
 * @ST_UNMAP: table a: nothing at IPA b
 * @ST_UNMAP_ALL: table a: nothing anywhere
 * @ST_VM_NEW: VM a is made, with number b of st_vm_numbers
 * @ST_VM_END: VM a ends; its pin may stay
 * @ST_ROLLOVER: VM a has another number, if it is not pinned
 * @ST_VSMMU_NEW: guest a gets a vSMMU over table b, for VM c - 1, whose VMID it asks for
 *	if c is odd
 * @ST_VSMMU_FREE: and loses it, its nested domains before
 * @ST_NESTED_NEW: nested domain a for guest b with vSTE c
 * @ST_NESTED_FREE: and without
 * @ST_VDEV_NEW: device a gets its vDEVICE with guest b; an earlier one goes
 * @ST_VDEV_FREE: and goes
 * @ST_ATTACH: group a is attached to domain b, or replaced
 * @ST_DETACH: group a is detached
 * @ST_GUEST_MAP: guest a: VA b leads to IPA c - 1
 * @ST_GUEST_CMD: guest a invalidates VA b by command c
 * @ST_GUEST_TLBI: guest a invalidates VA b by TLBI c
 * @ST_FAIL_CMD: the b-th list of commands of the next operation fails, and if c is odd
 *	all others after it; in the middle of one, that of the next guest in there
 * @ST_FAIL_MEM: no memory after b allocations of the next operation
 * @ST_BTM_S1: stage-1 tables that are made from now on are invalidated by TLBI, or not
 * @ST_LSE2: entries are written in units of 128 bits, or not
 * @ST_OPS: how many there are
 */
enum st_opcode {
	ST_PT_NEW,
	ST_PT_FREE,
	ST_MAP,
	ST_UNMAP,
	ST_UNMAP_ALL,
	ST_VM_NEW,
	ST_VM_END,
	ST_ROLLOVER,
	ST_VSMMU_NEW,
	ST_VSMMU_FREE,
	ST_NESTED_NEW,
	ST_NESTED_FREE,
	ST_VDEV_NEW,
	ST_VDEV_FREE,
	ST_ATTACH,
	ST_DETACH,
	ST_GUEST_MAP,
	ST_GUEST_CMD,
	ST_GUEST_TLBI,
	ST_FAIL_CMD,
	ST_FAIL_MEM,
	ST_BTM_S1,
	ST_LSE2,
	ST_OPS,
};

/**
 * struct st_tlbi - A TLBI of the host's stage 1
 * @asid: the ASID
 * @iova: the first address
 * @size: how much
 */
struct st_tlbi {
	u16 asid;
	unsigned long iova;
	size_t size;
};

/**
 * struct st_op - An operation
 * @op: which, see enum st_opcode
 * @a: whom it is for
 * @b: depends on @op
 * @c: depends on @op
 * @at: if not 0, it takes place in the middle of the next one that has 0 here, at the
 *	so manyth moment: before or after a command, or before a device is attached
 */
struct st_op {
	u8 op;
	u8 a;
	u8 b;
	u8 c;
	u8 at;
};

/**
 * struct st - One test
 * @vt: the SMMU as the driver sees it, KVM, a user
 * @ops: what the core calls
 * @s2_ops: for stage-2 tables
 * @nested_ops: for nested domains
 * @driver_nested_ops: what @nested_ops stands for
 * @blocked_ops: for @blocked
 * @blocked: the blocked domain
 * @groups: the groups
 * @devs: the devices
 * @tables: the page tables
 * @guests: the guests
 * @nested: the nested domains
 * @vm_alive: the VMs that there are
 * @tlb: the TLB, by VMID
 * @tlb_used: the VMIDs that have entries
 * @cds: the CDs that the SMMU may still use, by stream
 * @cd_cached: the streams of which it has one
 * @stale: the streams whose last CFGI_STE or CFGI_CD failed
 * @freed: the table that the cached STE of such a stream points to, if its domain is gone
 * @uid: the last one
 * @age: the last one
 * @page: the last one
 * @in_unmap: the commands are those of the question what an unmap would invalidate
 * @s2_hits: the VMIDs whose stage-2 entries these invalidate
 * @s1_hits: the same for stage 1
 * @asid_hits: the ASIDs of the host that these invalidate
 * @tlbis: the TLBIs that no DSB has completed
 * @nr_tlbis: how many
 * @inner: operations that are to take place in the middle of the next one
 * @nr_inner: how many
 * @moment: how many moments there were since the operation began
 * @depth: how many operations are under way
 * @atomic: no sleeping: the operation has read-locked RCU
 * @fail_cmd: the so manyth list of commands fails, 0 for none
 * @hang: and all that follow
 * @fail_inner: the next one of a guest in the middle of another operation fails
 * @inner_op: which operation that is
 * @fail_mem: 1 + how many allocations succeed before all fail, 0 if none fails
 * @injected: one has failed in this operation
 * @may_dirty: one has failed that a VMID can become dirty by
 * @dirty: VMIDs that were dirty after the last operation
 * @shared: VMIDs that were a VM's
 * @asids: how many ASIDs others had before
 * @warnings: warnings of the core that are expected: it could not go back
 * @suppressed: what counts warnings
 * @asking: the guest whose command the SMMU has
 * @other: another thread
 * @other_begin: it has something to do
 * @other_op: what; ST_OPS to end
 * @other_busy: and has not said that it is done
 * @other_began: it has begun
 * @other_parks: it has a command for the SMMU
 * @other_goes: which it can have now
 * @other_done: it has done it
 * @others: how many there were
 * @done: operations that took place, inner ones too
 * @failed: something is wrong
 * @kind: what kind of thing
 * @why: what
 */
struct st {
	struct vt vt;
	struct iommu_ops ops;
	struct iommu_domain_ops s2_ops;
	struct iommu_domain_ops nested_ops;
	const struct iommu_domain_ops *driver_nested_ops;
	struct iommu_domain_ops blocked_ops;
	struct iommu_domain blocked;
	struct st_group groups[ST_GROUPS];
	struct st_dev devs[ST_DEVS];
	struct st_table tables[ST_TABLES];
	struct st_guest guests[ST_GUESTS];
	struct st_hwpt nested[ST_NESTED];
	bool vm_alive[VT_VMS];
	struct st_tlb tlb[VT_VMIDS];
	DECLARE_BITMAP(tlb_used, VT_VMIDS);
	struct arm_smmu_cd cds[VT_STREAMS];
	DECLARE_BITMAP(cd_cached, VT_STREAMS);
	DECLARE_BITMAP(stale, VT_STREAMS);
	u64 freed[VT_STREAMS];
	u32 uid;
	u32 age;
	u32 page;
	bool in_unmap;
	DECLARE_BITMAP(s2_hits, VT_VMIDS);
	DECLARE_BITMAP(s1_hits, VT_VMIDS);
	DECLARE_BITMAP(asid_hits, VT_VMIDS);
	struct st_tlbi tlbis[ST_TLBIS];
	unsigned int nr_tlbis;
	const struct st_op *inner;
	unsigned int nr_inner;
	unsigned int moment;
	unsigned int depth;
	bool atomic;
	unsigned int fail_cmd;
	bool hang;
	bool fail_inner;
	u8 inner_op;
	unsigned int fail_mem;
	bool injected;
	bool may_dirty;
	DECLARE_BITMAP(dirty, VT_VMIDS);
	DECLARE_BITMAP(shared, VT_VMIDS);
	int asids;
	int warnings;
	struct kunit_suppressed_warning *suppressed;
	const struct st_guest *asking;
	struct task_struct *other;
	struct completion other_begin;
	struct st_op other_op;
	bool other_busy;
	bool other_began;
	bool other_parks;
	bool other_goes;
	struct completion other_done;
	unsigned long others;
	unsigned long done;
	bool failed;
	const char *kind;
	char why[ST_WHY];
};

static inline struct st *to_st(struct kunit *test)
{
	return container_of((struct vt *)test->priv, struct st, vt);
}

/* The context pointer of a guest's CD table */
static inline u64 st_s1ctx(u32 guest, unsigned int cdtab)
{
	return (u64)guest << 20 | cdtab << 12;
}

static inline struct st_guest *st_find_guest(struct st *st, u32 uid)
{
	struct st_guest *g;

	for (g = st->guests; g != st->guests + ST_GUESTS; g++)
		if (g->vsmmu && g->uid == uid)
			return g;
	return NULL;
}

__printf(2, 3) void st_fail(struct st *st, const char *fmt, ...);
void st_check(struct st *st);
void st_check_idle(struct st *st);
void st_note_shared(struct st *st);
void st_forget_table(struct st *st, const struct st_table *s2);
void st_invalidate_s1(struct st *st, u16 vmid, const struct st_scope *scope);
void st_expect_gone(struct st *st, const struct st_guest *guest,
		    const struct st_stage1 *before,
		    const struct st_scope *scope);
int st_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
	     struct arm_smmu_cmd *cmds, int n, bool sync);
void st_tlbi(const struct arm_smmu_inv *inv, unsigned long iova, size_t size,
	     unsigned int granule, bool leaf);
void st_tlbi_sync(void);
void st_park(struct st *st);

static inline bool st_is_stage1(const struct iommu_domain *domain)
{
	return domain && domain->type & __IOMMU_DOMAIN_PAGING &&
	       to_smmu_domain((struct iommu_domain *)domain)->stage ==
		       ARM_SMMU_DOMAIN_S1;
}

static inline bool st_is_other(const struct st *st)
{
	return st->other == current;
}

void st_moment(struct st *st, bool in_attach);

#endif
