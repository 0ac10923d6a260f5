// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SMMU of the storm.
 *
 * At each command, before and after it takes effect, it reads all STEs and CDs that it
 * may see, walks all tables that these name, and keeps what it finds until it is
 * invalidated. An STE or CD may be any mixture of the one that was last synced and the
 * one in memory, in units of 64 bits, or of 128 where the driver relies on that. Then it
 * asks:
 *
 *  - Does each VMID have entries of one stage-2 table and of one guest, and are these
 *    the ones that have the number in the registry (I1, I3)? The same for ASIDs.
 *  - Would an unmap that runs right now invalidate each number under which there are
 *    entries of the table (I4)?
 *  - Would a guest's invalidation that runs right now reach all entries of that guest
 *    (I5)?
 *  - Can a device reach a page that is not mapped any more, or is another table's?
 *  - Does an STE or CD mix what two page tables ask for? Is V=0 where no DMA may be
 *    refused (I11)?
 */

#include <kunit/test-bug.h>

#include "arm-smmu-v3-storm-test.h"

/**
 * st_fail() - Something is wrong
 * @st: the test
 * @fmt: what; the first one counts
 */
void st_fail(struct st *st, const char *fmt, ...)
{
	va_list args;

	if (st->failed)
		return;
	st->failed = true;
	st->kind = fmt;
	va_start(args, fmt);
	vsnprintf(st->why, sizeof(st->why), fmt, args);
	va_end(args);
}

static bool st_is_dirty(struct st *st, u16 id)
{
	const struct arm_smmu_vmid *vmid = vt_find(&st->vt, id);

	return vmid && vmid->dirty;
}

static struct st_table *st_table_of_uid(struct st *st, u32 uid)
{
	struct st_table *s2;

	for (s2 = st->tables; s2 != st->tables + ST_TABLES; s2++)
		if (s2->domain && s2->uid == uid)
			return s2;
	return NULL;
}

static bool st_valid(const struct arm_smmu_ste *ste)
{
	return le64_to_cpu(ste->data[0]) & STRTAB_STE_0_V;
}

static bool st_translates(const struct arm_smmu_ste *ste)
{
	unsigned int cfg = vt_ste_cfg(ste);

	return st_valid(ste) && (cfg == STRTAB_STE_0_CFG_S2_TRANS ||
				 cfg == STRTAB_STE_0_CFG_NESTED);
}

static bool st_is_own_stage1(const struct arm_smmu_ste *ste)
{
	return st_valid(ste) && vt_ste_cfg(ste) == STRTAB_STE_0_CFG_S1_TRANS;
}

/* How many qwords the SMMU reads at once */
static unsigned int st_unit(struct st *st)
{
	return st->vt.smmu.features & ARM_SMMU_FEAT_ATOMIC128 ? 2 : 1;
}

static u64 st_ste_ttb(const struct arm_smmu_ste *ste)
{
	return le64_to_cpu(ste->data[3]) & STRTAB_STE_3_S2TTB_MASK;
}

/* What a guest chooses beside its context pointer */
static u64 st_ste_word1(const struct arm_smmu_ste *ste)
{
	return le64_to_cpu(ste->data[1]) &
	       (STRTAB_STE_1_S1DSS | STRTAB_STE_1_S1CIR | STRTAB_STE_1_S1COR |
		STRTAB_STE_1_S1CSH | STRTAB_STE_1_S1STALLD);
}

/* A page is a device's as long as an unmap of it has not returned */
static bool st_page_is_live(const struct st_table *s2, u32 page)
{
	unsigned int i;

	for (i = 0; i != ST_IPAS; i++)
		if (s2->page[i] == page || s2->leaving[i] == page)
			return true;
	return false;
}

/* The TLB */

static void st_cache(struct st *st, u16 vmid, const struct st_entry *new)
{
	struct st_tlb *tlb = &st->tlb[vmid];
	unsigned int i;

	for (i = 0; i != tlb->n; i++)
		if (!memcmp(&tlb->e[i], new, sizeof(*new)))
			return;
	if (tlb->n == ST_TLB)
		i = tlb->next++ % ST_TLB;
	else
		tlb->n++;
	tlb->e[i] = *new;
	__set_bit(vmid, st->tlb_used);
}

static bool st_in_scope(const struct st_entry *e, const struct st_scope *scope)
{
	return e->asid && (!scope->asid || e->asid == scope->asid) &&
	       (scope->va < 0 || e->addr == scope->va);
}

/* Of stage 1 if @scope is not NULL, else of stage 2 alone at @ipa, or all if < 0 */
static void st_drop(struct st *st, u16 vmid, const struct st_scope *scope,
		    int ipa)
{
	struct st_tlb *tlb = &st->tlb[vmid];
	unsigned int i, kept = 0;
	bool drop;

	for (i = 0; i != tlb->n; i++) {
		const struct st_entry *e = &tlb->e[i];

		if (scope)
			drop = st_in_scope(e, scope);
		else
			drop = !e->asid && (ipa < 0 || e->addr == ipa);
		if (!drop)
			tlb->e[kept++] = tlb->e[i];
	}
	tlb->n = kept;
	if (!kept)
		__clear_bit(vmid, st->tlb_used);
}

/**
 * st_invalidate_s1() - A TLBI of stage 1
 * @st: the test
 * @vmid: under which VMID
 * @scope: what it is for
 */
void st_invalidate_s1(struct st *st, u16 vmid, const struct st_scope *scope)
{
	st_drop(st, vmid, scope, -1);
}

/**
 * st_expect_gone() - A guest's invalidation has returned
 * @st: the test
 * @guest: the guest
 * @before: its stage 1 when the invalidation began
 * @scope: what it is for
 */
void st_expect_gone(struct st *st, const struct st_guest *guest,
		    const struct st_stage1 *before,
		    const struct st_scope *scope)
{
	const struct st_entry *e;
	unsigned int id;

	/* A dirty VMID is kept, but what a guest has under it is not promised */
	for_each_set_bit(id, st->tlb_used, VT_VMIDS)
		for (e = st->tlb[id].e; e != st->tlb[id].e + st->tlb[id].n; e++)
			if (e->guest == guest->uid && st_in_scope(e, scope) &&
			    e->age < before->map[e->asid - 1][e->addr].age &&
			    !st_is_dirty(st, id))
				st_fail(st, "guest %u invalidates in vain under VMID %u",
					guest->uid, id);
}

/* What STEs the SMMU may see */

static const struct st_hwpt *st_hwpt_of(struct st *st,
					const struct iommu_domain *domain)
{
	const struct st_hwpt *hwpt;

	for (hwpt = st->nested; hwpt != st->nested + ST_NESTED; hwpt++)
		if (domain && hwpt->domain == domain)
			return hwpt;
	return NULL;
}

static u32 st_uid_of_table(struct st *st, const struct iommu_domain *domain)
{
	const struct st_hwpt *hwpt = st_hwpt_of(st, domain);
	const struct st_table *s2;

	if (hwpt)
		return st->tables[st->guests[hwpt->guest].s2].uid;
	for (s2 = st->tables; s2 != st->tables + ST_TABLES; s2++)
		if (domain && s2->domain == domain)
			return s2->uid;
	return 0;
}

/* Is this what @domain asks for, its VMID aside? */
static bool st_is_ste_of(struct st *st, const struct arm_smmu_ste *ste,
			 const struct iommu_domain *domain)
{
	const struct st_hwpt *hwpt = st_hwpt_of(st, domain);
	u32 uid = st_uid_of_table(st, domain);
	const struct st_table *s2 = uid ? st_table_of_uid(st, uid) : NULL;

	if (!s2 || s2->ttb != st_ste_ttb(ste))
		return false;
	if (vt_ste_cfg(ste) == STRTAB_STE_0_CFG_S2_TRANS)
		return true;
	return hwpt &&
	       vt_ste_s1ctx(ste) ==
		       (le64_to_cpu(hwpt->vste.ste[0]) &
			STRTAB_STE_0_S1CTXPTR_MASK) &&
	       st_ste_word1(ste) == le64_to_cpu(hwpt->vste.ste[1]);
}

static unsigned int st_cfg_of(struct st *st, const struct iommu_domain *domain)
{
	const struct st_hwpt *hwpt = st_hwpt_of(st, domain);
	u64 vste0;

	if (domain->type == IOMMU_DOMAIN_BLOCKED)
		return STRTAB_STE_0_CFG_ABORT;
	if (!hwpt)
		return st_is_stage1(domain) ? STRTAB_STE_0_CFG_S1_TRANS :
					      STRTAB_STE_0_CFG_S2_TRANS;
	vste0 = le64_to_cpu(hwpt->vste.ste[0]);
	if (!(vste0 & STRTAB_STE_0_V))
		return STRTAB_STE_0_CFG_ABORT;
	/* With stage 2 below */
	switch (FIELD_GET(STRTAB_STE_0_CFG, vste0)) {
	case STRTAB_STE_0_CFG_S1_TRANS:
		return STRTAB_STE_0_CFG_NESTED;
	case STRTAB_STE_0_CFG_BYPASS:
		return STRTAB_STE_0_CFG_S2_TRANS;
	default:
		return STRTAB_STE_0_CFG_ABORT;
	}
}

/* I11: between STEs of these two domains no DMA is refused */
static bool st_is_hitless(struct st *st, const struct iommu_domain *from,
			  const struct iommu_domain *to)
{
	const struct st_hwpt *a = st_hwpt_of(st, from);
	const struct st_hwpt *b = st_hwpt_of(st, to);
	unsigned int from_cfg, to_cfg;

	if (!from || !to)
		return false;
	from_cfg = st_cfg_of(st, from);
	to_cfg = st_cfg_of(st, to);
	if (from_cfg == STRTAB_STE_0_CFG_ABORT ||
	    to_cfg == STRTAB_STE_0_CFG_ABORT)
		return false;
	if (from_cfg != STRTAB_STE_0_CFG_NESTED ||
	    to_cfg != STRTAB_STE_0_CFG_NESTED)
		return st_uid_of_table(st, from) == st_uid_of_table(st, to);
	return a->guest == b->guest &&
	       st->vt.smmu.features & ARM_SMMU_FEAT_ATOMIC128;
}

static void st_walk_s1(struct st *st, u16 vmid, const struct arm_smmu_ste *ste,
		       const struct st_table *s2)
{
	u64 ctx = vt_ste_s1ctx(ste);
	unsigned int cdtab = ctx >> 12 & 0xff, va;
	struct st_guest *g = st_find_guest(st, ctx >> 20);

	if (!g || cdtab >= ST_ASIDS) {
		st_fail(st, "context pointer %#llx of a guest that is gone", ctx);
		return;
	}
	for (va = 0; va != ST_VAS; va++) {
		const struct st_map *map = &g->s1.map[cdtab][va];
		struct st_entry e = {
			.asid = cdtab + 1,
			.addr = va,
			.guest = g->uid,
			.age = map->age,
			.s2 = s2->uid,
		};

		if (!map->ipa)
			continue;
		st_cache(st, vmid, &e);
		e.page = s2->walk[map->ipa - 1];
		if (e.page)
			st_cache(st, vmid, &e);
	}
}

/**
 * st_forget_table() - A stage-2 table is about to be freed
 * @st: the test
 * @s2: the table
 *
 * Behind commands that failed the SMMU can still have an STE that points to it. What it
 * finds there is not played, but its memory may not be anybody else's.
 */
void st_forget_table(struct st *st, const struct st_table *s2)
{
	unsigned int sid;

	for_each_set_bit(sid, st->stale, VT_STREAMS) {
		if (st_ste_ttb(&st->vt.cached[sid]) != s2->ttb)
			continue;
		st->freed[sid] = s2->ttb;
		arm_smmu_make_abort_ste(&st->vt.cached[sid]);
	}
}

static void st_check_freed(struct st *st)
{
	unsigned int sid;

	for (sid = 0; sid != VT_STREAMS; sid++)
		if (!test_bit(sid, st->stale))
			st->freed[sid] = 0;
		else if (st->freed[sid] &&
			 !page_count(phys_to_page(st->freed[sid])))
			st_fail(st, "stream %u can walk a table whose memory is free",
				sid);
}

/* What the SMMU may see of the CD of a stream */

typedef void (*st_cd_fn)(struct st *st, struct st_dev *d, u32 sid,
			 const struct arm_smmu_cd *cd);

static void st_for_cds(struct st *st, struct st_dev *d, u32 sid, st_cd_fn fn)
{
	const struct arm_smmu_cd *table = d->vt.master.cd_table.linear.table;
	const struct arm_smmu_cd *cached = &st->cds[sid];
	const unsigned int qwords = ARRAY_SIZE(table->data);
	struct arm_smmu_cd view;
	unsigned int mix, i;

	/* It is read through an STE, and goes with that one */
	if (!__test_and_set_bit(sid, st->cd_cached))
		st->cds[sid] = *table;
	fn(st, d, sid, table);
	if (!memcmp(table, cached, sizeof(*table)))
		return;
	fn(st, d, sid, cached);
	if (test_bit(sid, st->stale))
		return;
	for (mix = 1; mix != BIT(qwords / st_unit(st)) - 1; mix++) {
		for (i = 0; i != qwords; i++)
			view.data[i] = mix & BIT(i / st_unit(st)) ?
					       table->data[i] :
					       cached->data[i];
		fn(st, d, sid, &view);
	}
}

static u16 st_cd_asid(const struct arm_smmu_cd *cd)
{
	return FIELD_GET(CTXDESC_CD_0_ASID, le64_to_cpu(cd->data[0]));
}

/* Of a table that is gone: taken, and by no other one */
static bool st_asid_is_kept(struct st *st, u16 asid)
{
	const struct st_table *pt;

	for (pt = st->tables + ST_S2S; pt != st->tables + ST_TABLES; pt++)
		if (pt->domain && to_smmu_domain(pt->domain)->cd.asid == asid)
			return false;
	return xa_load(&st->vt.smmu.asid_xa, asid);
}

static void st_walk_cd(struct st *st, struct st_dev *d, u32 sid,
		       const struct arm_smmu_cd *cd)
{
	u64 ttb = le64_to_cpu(cd->data[1]) & CTXDESC_CD_1_TTB0_MASK;
	const struct st_table *pt;
	unsigned int i;

	if (!(le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_V))
		return;
	for (pt = st->tables + ST_S2S; pt != st->tables + ST_TABLES; pt++)
		if (pt->domain && pt->ttb == ttb)
			break;
	if (pt == st->tables + ST_TABLES) {
		if (!test_bit(sid, st->stale))
			st_fail(st, "stream %u has a CD of a table that is gone",
				sid);
		else if (!st_asid_is_kept(st, st_cd_asid(cd)))
			st_fail(st, "ASID %u given up with a CD of stream %u",
				st_cd_asid(cd), sid);
		return;
	}
	if (!test_bit(sid, st->stale) && pt->domain != d->cur &&
	    pt->domain != d->next)
		st_fail(st, "stream %u has a CD of no page table of its own", sid);
	for (i = 0; i != ST_IPAS; i++) {
		struct st_entry e = {
			.asid = st_cd_asid(cd),
			.addr = i,
			.s2 = pt->uid,
			.page = pt->walk[i],
		};

		if (e.page)
			st_cache(st, 0, &e);
	}
}

static void st_hit_cd(struct st *st, struct st_dev *d, u32 sid,
		      const struct arm_smmu_cd *cd)
{
	const struct st_tlb *tlb = &st->tlb[0];
	const struct st_entry *e;
	const struct st_table *pt;

	if (!(le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_V))
		return;
	for (e = tlb->e; e != tlb->e + tlb->n; e++) {
		if (e->asid != st_cd_asid(cd))
			continue;
		pt = st_table_of_uid(st, e->s2);
		if (!pt && test_bit(sid, st->stale))
			continue;
		if (!pt || !st_page_is_live(pt, e->page))
			st_fail(st, "stream %u reaches page %u, which is unmapped, by ASID %u",
				sid, e->page, e->asid);
		else if (!test_bit(sid, st->stale) && pt->domain != d->cur &&
			 pt->domain != d->next)
			st_fail(st, "stream %u reaches page %u of another table by ASID %u",
				sid, e->page, e->asid);
	}
}

/* VMID 0 is the host's */
static void st_check_asids(struct st *st)
{
	const struct st_tlb *tlb = &st->tlb[0];
	const struct st_entry *e;
	const struct st_table *pt;

	for (e = tlb->e; e != tlb->e + tlb->n; e++) {
		pt = st_table_of_uid(st, e->s2);
		if (pt && to_smmu_domain(pt->domain)->cd.asid == e->asid)
			continue;
		/* A dirty one keeps its table */
		if (pt || !st_asid_is_kept(st, e->asid))
			st_fail(st, "ASID %u given up with its entries in the TLB",
				e->asid);
	}
}

static void st_walk_view(struct st *st, struct st_dev *d, u32 sid,
			 const struct arm_smmu_ste *ste)
{
	u16 vmid = vt_ste_vmid(ste);
	bool stale = test_bit(sid, st->stale);
	struct st_table *s2;
	unsigned int i;

	if (st_is_own_stage1(ste))
		st_for_cds(st, d, sid, st_walk_cd);
	if (!stale && !st_valid(ste) && st_is_hitless(st, d->cur, d->next))
		st_fail(st, "DMA of stream %u is refused on the way", sid);
	if (!st_translates(ste))
		return;
	if (!vmid || vmid >= VT_VMIDS) {
		st_fail(st, "VMID %u in the STE of stream %u", vmid, sid);
		return;
	}
	if (!stale && !st_is_ste_of(st, ste, d->cur) &&
	    !st_is_ste_of(st, ste, d->next)) {
		st_fail(st, "stream %u has an STE of no page table of its own",
			sid);
		return;
	}
	for (s2 = st->tables; s2 != st->tables + ST_TABLES; s2++)
		if (s2->domain && s2->ttb == st_ste_ttb(ste))
			break;
	if (s2 == st->tables + ST_TABLES) {
		st_fail(st, "stream %u has an STE of a table that is gone", sid);
		return;
	}

	for (i = 0; i != ST_IPAS; i++) {
		struct st_entry e = {
			.addr = i,
			.s2 = s2->uid,
			.page = s2->walk[i],
		};

		if (e.page)
			st_cache(st, vmid, &e);
	}
	if (vt_ste_cfg(ste) != STRTAB_STE_0_CFG_NESTED)
		return;
	if (stale && !st_find_guest(st, vt_ste_s1ctx(ste) >> 20))
		return;
	st_walk_s1(st, vmid, ste, s2);
}

/* Where DMA of the stream can land */
static void st_hit_view(struct st *st, struct st_dev *d, u32 sid,
			const struct arm_smmu_ste *ste)
{
	bool nested = vt_ste_cfg(ste) == STRTAB_STE_0_CFG_NESTED;
	bool stale = test_bit(sid, st->stale);
	u16 vmid = vt_ste_vmid(ste);
	struct st_tlb *tlb = &st->tlb[vmid % VT_VMIDS];
	struct st_entry *e;
	struct st_table *s2;

	if (st_is_own_stage1(ste))
		st_for_cds(st, d, sid, st_hit_cd);
	if (!st_translates(ste))
		return;
	for (e = tlb->e; e != tlb->e + tlb->n; e++) {
		if (!e->page || (e->asid && !nested))
			continue;
		s2 = st_table_of_uid(st, e->s2);
		if (!s2 && stale)
			continue;
		if (!s2 || !st_page_is_live(s2, e->page))
			st_fail(st, "stream %u reaches page %u, which is unmapped, by VMID %u",
				sid, e->page, vmid);
		else if (!stale && e->s2 != st_uid_of_table(st, d->cur) &&
			 e->s2 != st_uid_of_table(st, d->next))
			st_fail(st, "stream %u reaches page %u of another table by VMID %u",
				sid, e->page, vmid);
	}
}

typedef void (*st_view_fn)(struct st *st, struct st_dev *d, u32 sid,
			   const struct arm_smmu_ste *ste);

static void st_for_views(struct st *st, struct st_dev *d, u32 sid,
			 st_view_fn fn)
{
	const struct arm_smmu_ste *table = &st->vt.table[sid];
	const struct arm_smmu_ste *cached = &st->vt.cached[sid];
	const unsigned int qwords = ARRAY_SIZE(table->data);
	const unsigned int unit = st_unit(st);
	struct arm_smmu_ste view;
	unsigned int mix, i;

	fn(st, d, sid, table);
	if (!memcmp(table, cached, sizeof(*table)))
		return;
	fn(st, d, sid, cached);
	/* What is cached is older than one change */
	if (test_bit(sid, st->stale))
		return;
	for (mix = 1; mix != BIT(qwords / unit) - 1; mix++) {
		for (i = 0; i != qwords; i++)
			view.data[i] = mix & BIT(i / unit) ? table->data[i] :
							     cached->data[i];
		fn(st, d, sid, &view);
	}
}

static void st_for_streams(struct st *st, st_view_fn fn)
{
	struct st_dev *d;
	unsigned int i;

	for (d = st->devs; d != st->devs + ST_DEVS; d++)
		for (i = 0; i != d->vt.master.num_streams; i++)
			st_for_views(st, d, d->vt.streams[i].id, fn);
}

/* The questions */

/**
 * st_note_shared() - An operation has taken place
 * @st: the test
 *
 * Remember which numbers are VMs'. One that is dirty is so until its pin goes.
 */
void st_note_shared(struct st *st)
{
	const struct arm_smmu_vmid *vmid;
	const struct st_guest *g;
	unsigned int id;

	for (g = st->guests; g != st->guests + ST_GUESTS; g++)
		if (g->vsmmu && g->vm)
			__set_bit(g->vsmmu->vmid->id, st->shared);
	for_each_set_bit(id, st->shared, VT_VMIDS) {
		vmid = vt_find(&st->vt, id);
		if (!vmid || (!vmid->pin && !vmid->dirty))
			__clear_bit(id, st->shared);
	}
}

static void st_check_guest_entry(struct st *st, u16 id,
				 const struct arm_smmu_vmid *vmid, u32 uid)
{
	const struct st_guest *g = st_find_guest(st, uid);

	if (vmid->dirty || st->injected)
		return;
	if (!g) {
		/* It is flushed before the next guest takes the number */
		if (vmid->vsmmu || !vmid->s1_used)
			st_fail(st, "VMID %u has entries of guest %u, which is gone",
				id, uid);
		return;
	}
	if (g->vsmmu->vmid->id != id && !g->vsmmu->vmid->moving)
		st_fail(st, "guest %u does not reach its entries under VMID %u",
			uid, id);
}

static void st_check_owner(struct st *st, u16 id)
{
	const struct arm_smmu_vmid *vmid = vt_find(&st->vt, id);
	const struct st_tlb *tlb = &st->tlb[id];
	const struct st_entry *e;
	const struct st_table *s2;
	u32 guest = 0;

	if (!id) {
		st_check_asids(st);
		return;
	}
	if (!vmid) {
		st_fail(st, "VMID %u given up with its entries in the TLB", id);
		return;
	}
	if (test_bit(id, st->shared) && !vmid->pin)
		st_fail(st, "the pin of VMID %u given up with its entries in the TLB",
			id);
	for (e = tlb->e; e != tlb->e + tlb->n; e++) {
		s2 = st_table_of_uid(st, e->s2);
		if (e->s2 != tlb->e->s2)
			st_fail(st, "VMID %u names two stage-2 tables", id);
		if (!vmid->dirty &&
		    (!s2 || to_smmu_domain(s2->domain) != vmid->s2))
			st_fail(st, "VMID %u given to another table", id);
		if (!e->asid)
			continue;
		if (guest && e->guest != guest)
			st_fail(st, "VMID %u names two guests' ASIDs", id);
		if (e->guest != guest)
			st_check_guest_entry(st, id, vmid, e->guest);
		guest = e->guest;
	}
}

static void st_check_unmap(struct st *st, struct st_table *s2)
{
	const struct st_entry *e;
	unsigned int id;

	bitmap_zero(st->s2_hits, VT_VMIDS);
	bitmap_zero(st->s1_hits, VT_VMIDS);
	bitmap_zero(st->asid_hits, VT_VMIDS);
	st->in_unmap = true;
	arm_smmu_domain_inv_range(to_smmu_domain(s2->domain), SZ_2M, SZ_4K,
				  SZ_4K, true);
	st->in_unmap = false;

	for_each_set_bit(id, st->tlb_used, VT_VMIDS) {
		for (e = st->tlb[id].e; e != st->tlb[id].e + st->tlb[id].n; e++) {
			if (e->s2 != s2->uid)
				continue;
			if (id == 0 && !test_bit(e->asid, st->asid_hits))
				st_fail(st, "unmap misses ASID %u", e->asid);
			if (id > 0 && !test_bit(id, e->asid ? st->s1_hits : st->s2_hits))
				st_fail(st, "unmap misses %s of VMID %u",
					e->asid ? "stage 1" : "stage 2", id);
		}
	}
}

static void st_walk_tables(struct st *st)
{
	struct st_table *s2;
	unsigned int i;

	for (s2 = st->tables; s2 != st->tables + ST_TABLES; s2++)
		for (i = 0; s2->domain && i != ST_IPAS; i++)
			s2->walk[i] = s2->domain->ops->iova_to_phys(s2->domain,
								    i * SZ_4K) /
				      SZ_4K;
}

/**
 * st_check() - Read and walk all there is, and ask what must hold at any moment
 * @st: the test
 */
void st_check(struct st *st)
{
	struct st_table *s2;
	unsigned int id;

	if (st->failed)
		return;
	st_walk_tables(st);
	st_for_streams(st, st_walk_view);
	st_check_freed(st);
	for_each_set_bit(id, st->tlb_used, VT_VMIDS)
		st_check_owner(st, id);
	st_for_streams(st, st_hit_view);
	for (s2 = st->tables; s2 != st->tables + ST_TABLES; s2++)
		if (s2->domain)
			st_check_unmap(st, s2);
}

static u16 st_vmid_of(struct st *st, const struct iommu_domain *domain)
{
	const struct st_hwpt *hwpt = st_hwpt_of(st, domain);

	if (hwpt)
		return st->guests[hwpt->guest].vsmmu->vmid->id;
	return to_smmu_domain((struct iommu_domain *)domain)->s2_cfg.vmid->id;
}

static void st_check_stream(struct st *st, struct st_dev *d, u32 sid,
			    const struct arm_smmu_ste *ste)
{
	unsigned int cfg = st_cfg_of(st, d->cur);

	if (test_bit(sid, st->stale))
		return;
	if (!st_valid(ste) || vt_ste_cfg(ste) != cfg)
		st_fail(st, "stream %u has Config %u, not %u", sid,
			vt_ste_cfg(ste), cfg);
	else if (cfg != STRTAB_STE_0_CFG_ABORT &&
		 cfg != STRTAB_STE_0_CFG_S1_TRANS &&
		 vt_ste_vmid(ste) != st_vmid_of(st, d->cur))
		st_fail(st, "stream %u has VMID %u, not %u", sid,
			vt_ste_vmid(ste), st_vmid_of(st, d->cur));
}

static void st_check_shared(struct st *st)
{
	const struct st_guest *g;

	for (g = st->guests; g != st->guests + ST_GUESTS; g++)
		if (g->vsmmu && g->vm && g->vsmmu->vmid->pin != &g->vm->pin)
			st_fail(st, "guest %u shares a VMID without a pin",
				g->uid);
}

static void st_check_pins(struct st *st)
{
	struct arm_smmu_vmid *vmid;
	int refs[VT_VMS] = {};
	unsigned long index;
	unsigned int i;

	xa_for_each(&st->vt.smmu.vmids, index, vmid) {
		for (i = 0; i != VT_VMS; i++)
			if (vmid->pin == &st->vt.vms[i].pin)
				refs[i]++;
		if (vmid->pin && vmid->pin->vmid != vmid->id)
			st_fail(st, "VMID %u has the pin of %u", vmid->id,
				vmid->pin->vmid);
	}
	for (i = 0; i != VT_VMS; i++)
		if (refs[i] != st->vt.vms[i].refs)
			st_fail(st, "VM %u has %d references to its pin, not %d",
				i, st->vt.vms[i].refs, refs[i]);
}

/* A VMID becomes dirty by commands that were for it, and by no others */
static void st_check_dirty(struct st *st)
{
	struct arm_smmu_vmid *vmid;
	DECLARE_BITMAP(dirty, VT_VMIDS);
	unsigned long index;

	bitmap_zero(dirty, VT_VMIDS);
	xa_for_each(&st->vt.smmu.vmids, index, vmid)
		if (vmid->dirty)
			__set_bit(vmid->id, dirty);
	if (!st->may_dirty && !bitmap_subset(dirty, st->dirty, VT_VMIDS))
		st_fail(st, "a VMID is dirty, and nothing has failed");
	bitmap_copy(st->dirty, dirty, VT_VMIDS);
	st->may_dirty = false;
}

/**
 * st_check_idle() - Ask what must hold when no operation is under way
 * @st: the test
 */
void st_check_idle(struct st *st)
{
	st->injected = false;
	st_check(st);
	if (st->failed)
		return;
	st_for_streams(st, st_check_stream);
	st_check_shared(st);
	st_check_pins(st);
	st_check_dirty(st);
}

/* Commands */

static void st_unmap_cmd(struct st *st, const struct vt_cmd *cmd,
			 const struct arm_smmu_cmd *raw)
{
	switch (cmd->op) {
	case CMDQ_OP_TLBI_NH_VA:
	case CMDQ_OP_TLBI_NH_ASID:
		__set_bit(FIELD_GET(CMDQ_TLBI_0_ASID, raw->data[0]) % VT_VMIDS,
			  st->asid_hits);
		break;
	case CMDQ_OP_TLBI_S12_VMALL:
		__set_bit(cmd->arg, st->s2_hits);
		__set_bit(cmd->arg, st->s1_hits);
		break;
	case CMDQ_OP_TLBI_S2_IPA:
		__set_bit(cmd->arg, st->s2_hits);
		break;
	case CMDQ_OP_TLBI_NH_ALL:
		__set_bit(cmd->arg, st->s1_hits);
		break;
	}
}

static void st_carry_out(struct st *st, const struct arm_smmu_cmd *raw)
{
	static const struct st_scope all = { .va = -1 };
	struct vt_cmd cmd = vt_decode(raw);
	u64 addr = raw->data[1] & CMDQ_TLBI_1_VA_MASK;
	struct st_scope scope = {
		.asid = FIELD_GET(CMDQ_TLBI_0_ASID, raw->data[0]),
		.va = addr / SZ_4K,
	};

	switch (cmd.op) {
	case CMDQ_OP_CFGI_STE:
		st->vt.cached[cmd.arg] = st->vt.table[cmd.arg];
		__clear_bit(cmd.arg, st->stale);
		__clear_bit(cmd.arg, st->cd_cached);
		break;
	case CMDQ_OP_CFGI_CD:
		__clear_bit(cmd.arg, st->cd_cached);
		break;
	case CMDQ_OP_CFGI_ALL:
		memcpy(st->vt.cached, st->vt.table, sizeof(st->vt.table));
		bitmap_zero(st->stale, VT_STREAMS);
		bitmap_zero(st->cd_cached, VT_STREAMS);
		break;
	case CMDQ_OP_TLBI_S12_VMALL:
		st_drop(st, cmd.arg, &all, -1);
		st_drop(st, cmd.arg, NULL, -1);
		break;
	case CMDQ_OP_TLBI_S2_IPA:
		st_drop(st, cmd.arg, NULL, addr / SZ_4K);
		break;
	case CMDQ_OP_TLBI_NH_ALL:
		st_drop(st, cmd.arg, &all, -1);
		break;
	case CMDQ_OP_TLBI_NH_ASID:
		scope.va = -1;
		st_drop(st, cmd.arg, &scope, -1);
		break;
	case CMDQ_OP_TLBI_NH_VAA:
		scope.asid = 0;
		fallthrough;
	case CMDQ_OP_TLBI_NH_VA:
		st_drop(st, cmd.arg, &scope, -1);
		break;
	}
}

static bool st_in_range(struct st *st, const struct vt_cmd *cmd)
{
	const bool cfgi = cmd->op == CMDQ_OP_CFGI_STE ||
			  cmd->op == CMDQ_OP_CFGI_CD;

	if (cmd->arg < (cfgi ? VT_STREAMS : VT_VMIDS))
		return true;
	st_fail(st, "command %#x for %u", cmd->op, cmd->arg);
	return false;
}

/* What a list of commands that failed was to do may not be done */
static void st_note_failure(struct st *st, const struct arm_smmu_cmd *cmds,
			    int n)
{
	struct vt_cmd cmd;
	int i;

	/* For a guest it has no meaning beyond the answer */
	if (st->depth != 1)
		return;
	st->injected = true;
	st->may_dirty = true;
	for (i = 0; i != n; i++) {
		cmd = vt_decode(&cmds[i]);
		if (cmd.op == CMDQ_OP_CFGI_STE || cmd.op == CMDQ_OP_CFGI_CD)
			__set_bit(cmd.arg, st->stale);
	}
}

/**
 * st_tlbi() - In place of arm_smmu_inv_tlbi()
 * @inv: what the driver has in the array for it
 * @iova: the first address
 * @size: how much
 * @granule: not looked at
 * @leaf: not looked at
 *
 * Nothing goes before the next DSB.
 */
void st_tlbi(const struct arm_smmu_inv *inv, unsigned long iova, size_t size,
	     unsigned int granule, bool leaf)
{
	struct st *st = to_st(kunit_get_current_test());

	if (st->in_unmap) {
		__set_bit(inv->id % VT_VMIDS, st->asid_hits);
		return;
	}
	if (st->nr_tlbis == ST_TLBIS) {
		st_fail(st, "%u TLBIs without a DSB", ST_TLBIS);
		return;
	}
	st->tlbis[st->nr_tlbis++] = (struct st_tlbi){
		.asid = inv->id,
		.iova = iova,
		.size = size,
	};
}

/**
 * st_tlbi_sync() - In place of arm_smmu_tlbi_sync()
 */
void st_tlbi_sync(void)
{
	struct st *st = to_st(kunit_get_current_test());
	const struct st_tlbi *tlbi;
	struct st_scope scope;
	unsigned int i;

	if (st->in_unmap)
		return;
	st_check(st);
	for (tlbi = st->tlbis; tlbi != st->tlbis + st->nr_tlbis; tlbi++) {
		for (i = 0; i != ST_IPAS; i++) {
			scope = (struct st_scope){ .asid = tlbi->asid, .va = i };
			if (i * SZ_4K >= tlbi->iova &&
			    i * SZ_4K < tlbi->iova + tlbi->size)
				st_drop(st, 0, &scope, -1);
		}
	}
	st->nr_tlbis = 0;
	st_check(st);
	st_moment(st, false);
}

static bool st_fails(struct st *st)
{
	bool fails;

	if (st->depth != 1) {
		fails = st->fail_inner && st->inner_op == ST_GUEST_CMD;
		st->fail_inner &= !fails;
		return fails;
	}
	if (!st->fail_cmd || --st->fail_cmd)
		return false;
	st->fail_cmd = st->hang;
	return true;
}

/**
 * st_issue() - In place of __arm_smmu_cmdq_issue_cmdlist()
 * @smmu: the SMMU
 * @cmdq: not looked at
 * @cmds: the commands
 * @n: their number
 * @sync: wait for them
 *
 * Return: 0, or -EIO for the one that is to fail.
 */
int st_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
	     struct arm_smmu_cmd *cmds, int n, bool sync)
{
	struct st *st = to_st(kunit_get_current_test());
	struct vt_cmd cmd;
	int i, ret = 0;

	for (i = 0; i != n; i++) {
		cmd = vt_decode(&cmds[i]);
		if (!st_in_range(st, &cmd))
			return -EIO;
		if (st->in_unmap)
			st_unmap_cmd(st, &cmd, &cmds[i]);
	}
	/* A prefetch does not matter, and nothing else goes without a sync */
	if (st->in_unmap || !sync)
		return 0;

	if (st_is_other(st))
		st_park(st);
	st_check(st);
	st_moment(st, false);
	if (st_fails(st)) {
		st_note_failure(st, cmds, n);
		ret = -EIO;
	} else {
		for (i = 0; i != n; i++)
			st_carry_out(st, &cmds[i]);
		st_check(st);
		st_moment(st, false);
	}
	/* From here on a move need not wait for this guest */
	if (st->depth == 1)
		WRITE_ONCE(st->asking, NULL);
	return ret;
}
