// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for stage-1 page tables on PASIDs
 *
 * The driver runs on an SMMU that exists in memory only, through the operations
 * that the core calls. Its commands are noted in place of being issued, and with
 * each CMD_SYNC the CD as the SMMU would have to read it from then on.
 *
 * At each of them the SMMU can have TLB entries of every page table under every ASID
 * that the CD has combined with it, until the ASID is invalidated. That is any mixture
 * of an old CD and a new one, in units of 64 bits, or of 128 where the driver relies on
 * that. An unmap at that moment has to reach them all, and nobody else may have the
 * ASID.
 */
#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/io-pgtable.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

#include "arm-smmu-v3.h"
#include "arm-smmu-v3-ats-test.h"
#include "arm-smmu-v3-nomem-test.h"

#define PT_LOG 64
#define PT_STEPS 16
#define PT_TLB 8
#define PT_SID 1
#define PT_STREAMS 2
#define PT_PASID 5
/* In another leaf of a two-level CD table */
#define PT_PASID_FAR (3 * CTXDESC_L2_ENTRIES + 7)
#define PT_ASID_BITS 16

/**
 * struct pt_cmd - One command
 * @op: CMDQ_OP_*
 * @id: StreamID of a CFGI_CD, ASID of a TLBI
 * @ssid: SubstreamID of a CFGI_CD
 * @leaf: CFGI_CD of the CD only
 */
struct pt_cmd {
	u8 op;
	u32 id;
	u32 ssid;
	bool leaf;
};

/**
 * struct pt_tlb - What the TLB can have entries of
 * @asid: Their ASID
 * @domain: The page table that they are from
 */
struct pt_tlb {
	u16 asid;
	struct iommu_domain *domain;
};

/**
 * struct pt_test - State of one test
 * @smmu: The driver's view of the SMMU
 * @master: The device, with two streams, allocated as release_device() frees it
 * @streams: Its streams
 * @iommu: What the core keeps for a device
 * @group: Its group
 * @dev: Its struct device
 * @ste: The stream table
 * @domain: Stage-1 domains; the last is the RID's
 * @log: Commands so far, without prefetches
 * @nr_log: Number of them
 * @watch: PASID whose CD is noted at each CMD_SYNC, 0 for none
 * @synced: That CD at the last CMD_SYNC
 * @step: These CDs
 * @nr_steps: Number of them
 * @tlb: TLB entries that there can be, from the CD of @watch
 * @nr_tlb: Number of them
 * @unmapping: Commands are those of pt_unmap()
 * @unmapped: ASIDs that these invalidate
 * @nr_unmapped: Number of them
 * @syncs: CMD_SYNCs since pt_set()
 * @fail_at: Which of these fails, 0 for none
 * @hangs_from: From which on all of them fail, 0 for none
 */
struct pt_test {
	struct arm_smmu_device smmu;
	struct arm_smmu_master *master;
	struct arm_smmu_stream streams[PT_STREAMS];
	struct dev_iommu iommu;
	struct iommu_group *group;
	struct device *dev;
	struct arm_smmu_ste ste[PT_SID + PT_STREAMS];
	struct iommu_domain *domain[3];
	struct pt_cmd log[PT_LOG];
	unsigned int nr_log;
	u32 watch;
	struct arm_smmu_cd synced;
	struct arm_smmu_cd step[PT_STEPS];
	unsigned int nr_steps;
	struct pt_tlb tlb[PT_TLB];
	unsigned int nr_tlb;
	bool unmapping;
	u16 unmapped[PT_TLB];
	unsigned int nr_unmapped;
	unsigned int syncs;
	unsigned int fail_at;
	unsigned int hangs_from;
};

/**
 * struct pt_set - Arguments of set_dev_pasid() or attach_dev()
 * @domain: Domain to attach
 * @dev: Device to attach it to
 * @pasid: PASID, or IOMMU_NO_PASID for the RID
 * @old: Domain that is attached
 * @ret: Result
 */
struct pt_set {
	struct iommu_domain *domain;
	struct device *dev;
	ioasid_t pasid;
	struct iommu_domain *old;
	int ret;
};

static void pt_note(struct pt_test *t, struct pt_cmd cmd)
{
	if (cmd.op != CMDQ_OP_PREFETCH_CFG && t->nr_log < PT_LOG)
		t->log[t->nr_log++] = cmd;
}

static struct pt_cmd pt_decode(const struct arm_smmu_cmd *cmd)
{
	struct pt_cmd ret = { .op = FIELD_GET(CMDQ_0_OP, cmd->data[0]) };

	switch (ret.op) {
	case CMDQ_OP_CFGI_CD:
		ret.id = FIELD_GET(CMDQ_CFGI_0_SID, cmd->data[0]);
		ret.ssid = FIELD_GET(CMDQ_CFGI_0_SSID, cmd->data[0]);
		ret.leaf = FIELD_GET(CMDQ_CFGI_1_LEAF, cmd->data[1]);
		break;
	case CMDQ_OP_TLBI_NH_VA:
	case CMDQ_OP_TLBI_EL2_VA:
	case CMDQ_OP_TLBI_NH_ASID:
	case CMDQ_OP_TLBI_EL2_ASID:
		ret.id = FIELD_GET(CMDQ_TLBI_0_ASID, cmd->data[0]);
		break;
	}
	return ret;
}

static u16 pt_asid(struct iommu_domain *domain)
{
	return to_smmu_domain(domain)->cd.asid;
}

static u16 pt_cd_asid(const struct arm_smmu_cd *cd)
{
	return FIELD_GET(CTXDESC_CD_0_ASID, le64_to_cpu(cd->data[0]));
}

static bool pt_valid(const struct arm_smmu_cd *cd)
{
	return le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_V;
}

static struct arm_smmu_cd pt_target_cd(struct pt_test *t,
				       struct iommu_domain *domain)
{
	struct arm_smmu_cd cd;

	arm_smmu_make_s1_cd(&cd, t->master, to_smmu_domain(domain));
	return cd;
}

/* The ASIDs that an unmap in the page table invalidates now, to t->unmapped */
static void pt_unmap(struct pt_test *t, struct iommu_domain *domain)
{
	t->nr_unmapped = 0;
	t->unmapping = true;
	arm_smmu_domain_inv_range(to_smmu_domain(domain), 0, SZ_4K, SZ_4K, true);
	t->unmapping = false;
}

static bool pt_unmaps(struct pt_test *t, u16 asid)
{
	unsigned int i;

	for (i = 0; i < t->nr_unmapped; i++)
		if (t->unmapped[i] == asid)
			return true;
	return false;
}

static bool pt_may_cache(struct pt_test *t, u16 asid,
			 struct iommu_domain *domain)
{
	unsigned int i;

	for (i = 0; i < t->nr_tlb; i++)
		if (t->tlb[i].asid == asid && t->tlb[i].domain == domain)
			return true;
	return false;
}

/* The SMMU reads the CD and fills the TLB */
static void pt_walk(struct pt_test *t, const struct arm_smmu_cd *cd)
{
	struct arm_smmu_cd target;
	unsigned int d;

	if (!pt_valid(cd))
		return;
	for (d = 0; d < ARRAY_SIZE(t->domain); d++) {
		target = pt_target_cd(t, t->domain[d]);
		if (cd->data[1] != target.data[1] ||
		    pt_may_cache(t, pt_cd_asid(cd), t->domain[d]) ||
		    t->nr_tlb == PT_TLB)
			continue;
		t->tlb[t->nr_tlb++] = (struct pt_tlb){
			.asid = pt_cd_asid(cd),
			.domain = t->domain[d],
		};
	}
}

static unsigned int pt_unit(struct pt_test *t)
{
	return t->smmu.features & ARM_SMMU_FEAT_ATOMIC128 ? 2 : 1;
}

/* All that the SMMU can see of a CD that it may not have read anew */
static void pt_walk_mixtures(struct pt_test *t, const struct arm_smmu_cd *cd)
{
	const unsigned int qwords = ARRAY_SIZE(cd->data);
	struct arm_smmu_cd view;
	unsigned int mix, i;

	for (mix = 0; mix != BIT(qwords / pt_unit(t)); mix++) {
		for (i = 0; i != qwords; i++)
			view.data[i] = mix & BIT(i / pt_unit(t)) ?
					       cd->data[i] :
					       t->synced.data[i];
		pt_walk(t, &view);
	}
}

static void pt_invalidate(struct pt_test *t, u16 asid)
{
	unsigned int i, kept = 0;

	for (i = 0; i < t->nr_tlb; i++)
		if (t->tlb[i].asid != asid)
			t->tlb[kept++] = t->tlb[i];
	t->nr_tlb = kept;
}

static bool pt_asid_in_use(u16 asid)
{
	struct pt_test *t = kunit_get_current_test()->priv;

	return xa_load(&t->smmu.asid_xa, asid);
}

static void pt_check_tlb(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int i, d;

	for (i = 0; i < t->nr_tlb; i++) {
		struct pt_tlb *tlb = &t->tlb[i];

		pt_unmap(t, tlb->domain);
		KUNIT_EXPECT_TRUE_MSG(test, pt_unmaps(t, tlb->asid),
				      "command %u: an unmap misses ASID %u",
				      t->nr_log, tlb->asid);
		KUNIT_EXPECT_TRUE_MSG(test, pt_asid_in_use(tlb->asid),
				      "command %u: ASID %u is free",
				      t->nr_log, tlb->asid);
		for (d = 0; d < ARRAY_SIZE(t->domain); d++)
			if (t->domain[d] != tlb->domain)
				KUNIT_EXPECT_NE_MSG(test, tlb->asid,
						    pt_asid(t->domain[d]),
						    "command %u", t->nr_log);
	}
}

/* After a CMD_SYNC that failed, what was to be invalidated may still be there */
static int pt_sync(struct pt_test *t, const struct pt_cmd *cmds, int n)
{
	int i;

	if (++t->syncs == t->fail_at ||
	    (t->hangs_from && t->syncs >= t->hangs_from))
		return -ETIMEDOUT;
	for (i = 0; i < n; i++)
		if (cmds[i].op == CMDQ_OP_TLBI_NH_ASID ||
		    cmds[i].op == CMDQ_OP_TLBI_EL2_ASID)
			pt_invalidate(t, cmds[i].id);
	return 0;
}

/* In place of __arm_smmu_cmdq_issue_cmdlist() */
static int pt_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
		    struct arm_smmu_cmd *cmds, int n, bool sync)
{
	struct kunit *test = kunit_get_current_test();
	struct pt_cmd decoded[CMDQ_BATCH_ENTRIES];
	struct pt_test *t = test->priv;
	struct arm_smmu_cd *cd;
	int i, ret;

	for (i = 0; i < n; i++)
		decoded[i] = pt_decode(&cmds[i]);
	if (t->unmapping) {
		for (i = 0; i < n && t->nr_unmapped < PT_TLB; i++)
			t->unmapped[t->nr_unmapped++] = decoded[i].id;
		return 0;
	}

	cd = t->watch ? arm_smmu_get_cd_ptr(t->master, t->watch) : NULL;
	if (cd) {
		pt_walk_mixtures(t, cd);
		pt_check_tlb(test);
	}

	for (i = 0; i < n; i++)
		pt_note(t, decoded[i]);
	if (!sync)
		return 0;

	pt_note(t, (struct pt_cmd){ .op = CMDQ_OP_CMD_SYNC });
	ret = pt_sync(t, decoded, n);
	if (!cd)
		return ret;
	t->synced = *cd;
	if (t->nr_steps < PT_STEPS)
		t->step[t->nr_steps++] = *cd;
	return ret;
}

static int pt_set_locked(struct device *dev, void *data)
{
	struct pt_set *s = data;

	if (s->pasid == IOMMU_NO_PASID)
		s->ret = s->domain->ops->attach_dev(s->domain, dev, s->old);
	else
		s->ret = s->domain->ops->set_dev_pasid(s->domain, dev, s->pasid,
						       s->old);
	return 0;
}

static int pt_set(struct kunit *test, ioasid_t pasid,
		  struct iommu_domain *domain, struct iommu_domain *old)
{
	struct pt_test *t = test->priv;
	struct pt_set s = {
		.domain = domain,
		.dev = t->dev,
		.pasid = pasid,
		.old = old,
	};
	struct arm_smmu_cd *cd;

	t->nr_log = 0;
	t->nr_steps = 0;
	t->syncs = 0;
	t->watch = pasid;
	cd = pasid ? arm_smmu_get_cd_ptr(t->master, pasid) : NULL;
	t->synced = cd ? *cd : (struct arm_smmu_cd){};
	/* It runs the callback under the group's mutex, as the core does */
	iommu_group_for_each_dev(t->group, &s, pt_set_locked);
	return s.ret;
}

static void pt_expect_cmd(struct kunit *test, unsigned int *i,
			  struct pt_cmd want)
{
	struct pt_test *t = test->priv;
	struct pt_cmd *have = &t->log[*i];

	KUNIT_ASSERT_LT(test, *i, t->nr_log);
	KUNIT_EXPECT_EQ_MSG(test, want.op, have->op, "command %u", *i);
	KUNIT_EXPECT_EQ_MSG(test, want.id, have->id, "command %u", *i);
	KUNIT_EXPECT_EQ_MSG(test, want.ssid, have->ssid, "command %u", *i);
	KUNIT_EXPECT_EQ_MSG(test, want.leaf, have->leaf, "command %u", *i);
	(*i)++;
}

static void pt_expect_sync(struct kunit *test, unsigned int *i)
{
	pt_expect_cmd(test, i, (struct pt_cmd){ .op = CMDQ_OP_CMD_SYNC });
}

/* The CD of all streams, as often as the entry writer has to wait for it */
static void pt_expect_cfgi(struct kunit *test, unsigned int *i, u32 ssid,
			   bool leaf, unsigned int times)
{
	struct pt_cmd cmd = {
		.op = CMDQ_OP_CFGI_CD,
		.ssid = ssid,
		.leaf = leaf,
	};
	unsigned int s;

	while (times--) {
		for (s = 0; s < PT_STREAMS; s++) {
			cmd.id = PT_SID + s;
			pt_expect_cmd(test, i, cmd);
		}
		pt_expect_sync(test, i);
	}
}

static void pt_expect_tlbi(struct kunit *test, unsigned int *i, u16 asid)
{
	struct pt_test *t = test->priv;
	struct pt_cmd cmd = {
		.op = t->smmu.features & ARM_SMMU_FEAT_E2H ?
			      CMDQ_OP_TLBI_EL2_ASID : CMDQ_OP_TLBI_NH_ASID,
		.id = asid,
	};

	pt_expect_cmd(test, i, cmd);
	pt_expect_sync(test, i);
}

static void pt_expect_end(struct kunit *test, unsigned int i)
{
	struct pt_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, i, t->nr_log);
}

static void pt_expect_cd(struct kunit *test, const struct arm_smmu_cd *have,
			 struct iommu_domain *domain)
{
	struct arm_smmu_cd want = pt_target_cd(test->priv, domain);

	KUNIT_EXPECT_MEMEQ(test, have, &want, sizeof(want));
	KUNIT_EXPECT_TRUE(test, pt_valid(have));
	KUNIT_EXPECT_EQ(test, pt_asid(domain), pt_cd_asid(have));
}

/* Unmaps of a page table invalidate its ASID if it is attached, and no other */
static void pt_expect_unmaps(struct kunit *test, struct iommu_domain *domain,
			     bool attached)
{
	struct pt_test *t = test->priv;

	pt_unmap(t, domain);
	KUNIT_EXPECT_EQ(test, t->nr_unmapped, attached ? 1U : 0U);
	KUNIT_EXPECT_EQ(test, attached, pt_unmaps(t, pt_asid(domain)));
}

static unsigned int pt_count_asids(void)
{
	struct pt_test *t = kunit_get_current_test()->priv;
	unsigned int num = 0;
	unsigned long asid;
	void *entry;

	xa_for_each(&t->smmu.asid_xa, asid, entry)
		num++;
	return num;
}

/*
 * The commands of a replace, and CDs on the way: the new one at once, or one without V
 * before it. The ASID of the old page table is invalidated by its last PASID.
 */
static void pt_expect_replaced(struct kunit *test, ioasid_t pasid,
			       struct iommu_domain *from,
			       struct iommu_domain *to, bool broken, bool last)
{
	struct pt_test *t = test->priv;
	unsigned int i = 0, step = 0;

	pt_expect_cfgi(test, &i, pasid, true, broken ? 3 : 1);
	if (last)
		pt_expect_tlbi(test, &i, pt_asid(from));
	pt_expect_end(test, i);

	KUNIT_ASSERT_EQ(test, t->nr_steps, (broken ? 3U : 1U) + last);
	if (broken)
		for (; step < 2; step++)
			KUNIT_EXPECT_FALSE(test, pt_valid(&t->step[step]));
	for (; step < t->nr_steps; step++)
		pt_expect_cd(test, &t->step[step], to);
	pt_expect_unmaps(test, from, !last);
	pt_expect_unmaps(test, to, true);
}

/*
 * From no CD to one the V bit is the last thing to be written: until then the
 * SMMU sees none, from then on all of it.
 */
static void pt_attach(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int i = 0;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 2U, t->nr_steps);
	KUNIT_EXPECT_FALSE(test, pt_valid(&t->step[0]));
	KUNIT_EXPECT_EQ(test, t->step[0].data[1], t->step[1].data[1]);
	KUNIT_EXPECT_EQ(test, t->step[0].data[3], t->step[1].data[3]);
	pt_expect_cd(test, &t->step[1], t->domain[0]);

	pt_expect_cfgi(test, &i, PT_PASID, true, 2);
	pt_expect_end(test, i);

	/* A new leaf of a two-level table, if it is one, comes before its CD */
	i = 0;
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID_FAR, t->domain[1], NULL));
	if (t->smmu.features & ARM_SMMU_FEAT_2_LVL_CDTAB)
		pt_expect_cfgi(test, &i, PT_PASID_FAR, false, 1);
	pt_expect_cfgi(test, &i, PT_PASID_FAR, true, 2);
	pt_expect_end(test, i);
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, PT_PASID_FAR),
		     t->domain[1]);

	/* It is written for one PASID only */
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, PT_PASID),
		     t->domain[0]);
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, IOMMU_NO_PASID),
		     t->domain[2]);
}

/*
 * Another page table means another ASID and another TTB0, in two qwords. The SMMU
 * must never combine one old with one new: either would fill the TLB with
 * translations of one page table under the ASID of the other. pt_check_tlb() would
 * find it.
 */
static void pt_replace(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[1],
					t->domain[0]));
	pt_expect_replaced(test, PT_PASID, t->domain[0], t->domain[1], false,
			   true);
	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
}

/* Where the kernel is at EL2, it is there that the ASIDs are invalidated */
static void pt_replace_e2h(struct kunit *test)
{
	struct pt_test *t = test->priv;

	t->smmu.features |= ARM_SMMU_FEAT_E2H;
	pt_replace(test);
}

/* A page table that another PASID has keeps its ASID, and its TLB entries */
static void pt_replace_shared(struct kunit *test)
{
	struct pt_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID + 1, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[1],
					t->domain[0]));
	pt_expect_replaced(test, PT_PASID, t->domain[0], t->domain[1], false,
			   false);

	/* The last one invalidates */
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID + 1, t->domain[1],
					t->domain[0]));
	pt_expect_replaced(test, PT_PASID + 1, t->domain[0], t->domain[1],
			   false, true);
}

static struct io_pgtable_cfg *pt_cfg(struct iommu_domain *domain)
{
	return &io_pgtable_ops_to_pgtable(to_smmu_domain(domain)->pgtbl_ops)->cfg;
}

static void pt_narrow(struct pt_test *t)
{
	t->smmu.features &= ~ARM_SMMU_FEAT_ATOMIC128;
}

static void pt_other_tcr(struct pt_test *t)
{
	pt_cfg(t->domain[1])->arm_lpae_s1_cfg.tcr.tsz++;
}

static void pt_other_dirty(struct pt_test *t)
{
	pt_cfg(t->domain[1])->quirks |= IO_PGTABLE_QUIRK_ARM_HD;
}

static void pt_other_mair(struct pt_test *t)
{
	pt_cfg(t->domain[1])->arm_lpae_s1_cfg.mair ^= 0xff;
}

/**
 * struct pt_way - What can be special about a replace
 * @name: For KUnit
 * @arrange: Makes it so
 * @broken: The CD has to go by V=0, as in 7.3
 */
struct pt_way {
	const char *name;
	void (*arrange)(struct pt_test *t);
	bool broken;
};

static const struct pt_way pt_ways[] = {
	{ "units of 64 bits", pt_narrow, true },
	{ "another MAIR", pt_other_mair, true },
	{ "another T0SZ", pt_other_tcr, false },
	{ "dirty tracking", pt_other_dirty, false },
};

KUNIT_ARRAY_PARAM_DESC(pt_way, pt_ways, name);

static void pt_replace_ways(struct kunit *test)
{
	const struct pt_way *p = test->param_value;
	struct pt_test *t = test->priv;

	p->arrange(t);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[1],
					t->domain[0]));
	pt_expect_replaced(test, PT_PASID, t->domain[0], t->domain[1],
			   p->broken, true);
}

/* The page table of the RID is replaced in one store as well */
static void pt_replace_rid(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int i = 0;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID, t->domain[0],
					t->domain[2]));
	pt_expect_cfgi(test, &i, IOMMU_NO_PASID, true, 1);
	pt_expect_tlbi(test, &i, pt_asid(t->domain[2]));
	pt_expect_end(test, i);
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, IOMMU_NO_PASID),
		     t->domain[0]);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID, t->domain[2],
					t->domain[0]));
}

/*
 * The RID goes to bypass while PASIDs are in use. The CD that it had is the one of
 * PASID 0 as well: it has to be gone when its ASID is flushed.
 */
static void pt_rid_bypass(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct arm_smmu_domain *rid = to_smmu_domain(t->domain[2]);
	unsigned int i, at, syncs, tlbi = 0;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID,
					arm_smmu_ops.identity_domain,
					t->domain[2]));
	syncs = t->syncs;
	for (i = 0; i < t->nr_log; i++) {
		if (t->log[i].op == CMDQ_OP_TLBI_NH_ASID)
			tlbi = i;
		if (tlbi)
			KUNIT_EXPECT_NE_MSG(test, t->log[i].op, CMDQ_OP_CFGI_CD,
					    "command %u", i);
	}
	KUNIT_EXPECT_GT(test, tlbi, 0U);
	KUNIT_EXPECT_FALSE(test,
			   pt_valid(arm_smmu_get_cd_ptr(t->master,
							IOMMU_NO_PASID)));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID, t->domain[2],
					arm_smmu_ops.identity_domain));

	/* An error of any of these commands leaves the ASID dirty */
	for (at = 1; at <= syncs; at++) {
		t->fail_at = at;
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID,
						arm_smmu_ops.identity_domain,
						t->domain[2]));
		t->fail_at = 0;
		KUNIT_EXPECT_TRUE_MSG(test, rid->cd.dirty, "CMD_SYNC %u", at);
		rid->cd.dirty = false;
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID,
						t->domain[2],
						arm_smmu_ops.identity_domain));
	}
}

/* An allocation that fails leaves the old page table, or the new one, and no more */
static void pt_replace_nomem(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int after, failed, enomem = 0;
	int ret;

	nomem_init(test);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	for (after = 0, failed = 1; failed; after++) {
		nomem_start(after);
		ret = pt_set(test, PT_PASID, t->domain[1], t->domain[0]);
		failed = nomem_stop();
		if (!ret) {
			pt_expect_replaced(test, PT_PASID, t->domain[0],
					   t->domain[1], false, true);
			KUNIT_ASSERT_EQ(test, 0,
					pt_set(test, PT_PASID, t->domain[0],
					       t->domain[1]));
			continue;
		}
		enomem++;
		KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
		pt_expect_end(test, 0);
		pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, PT_PASID),
			     t->domain[0]);
		pt_expect_unmaps(test, t->domain[0], true);
		pt_expect_unmaps(test, t->domain[1], false);
	}
	/* The array and the note that the domain has of its device */
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		KUNIT_EXPECT_GE(test, enomem, 2U); /* and kmemleak's own */
	else
		KUNIT_EXPECT_EQ(test, enomem, 2U);
}

/* Of the same page table nothing changes: no step, no command */
static void pt_replace_same(struct kunit *test)
{
	struct pt_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0],
					t->domain[0]));
	pt_expect_end(test, 0);
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, PT_PASID),
		     t->domain[0]);
}

static void pt_detach(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct arm_smmu_cd none = {};
	unsigned int i = 0;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID,
					arm_smmu_ops.blocked_domain,
					t->domain[0]));
	KUNIT_ASSERT_GE(test, t->nr_steps, 2U);
	KUNIT_EXPECT_FALSE(test, pt_valid(&t->step[0]));
	KUNIT_EXPECT_MEMEQ(test, &t->step[1], &none, sizeof(none));

	pt_expect_cfgi(test, &i, PT_PASID, true, 2);
	pt_expect_tlbi(test, &i, pt_asid(t->domain[0]));
	pt_expect_end(test, i);
}

static struct iommu_domain *pt_new_domain(struct pt_test *t)
{
	return arm_smmu_ops.domain_alloc_paging_flags(t->dev,
						      IOMMU_HWPT_ALLOC_PASID,
						      NULL);
}

/*
 * A PASID, or the RID, gets another page table, and a command fails: that of the CD, of
 * which there may be two, or the TLBI. The SMMU may still use the ASID that it had.
 */
static void pt_expect_dirty(struct kunit *test, ioasid_t pasid,
			    struct iommu_domain *old, struct iommu_domain *new)
{
	struct arm_smmu_domain *had = to_smmu_domain(old);
	struct pt_test *t = test->priv;
	unsigned int at, syncs;

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid, new, old));
	syncs = t->syncs;
	KUNIT_EXPECT_GE(test, syncs, 2U);
	KUNIT_EXPECT_FALSE(test, had->cd.dirty);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid, old, new));

	for (at = 1; at <= syncs; at++) {
		t->fail_at = at;
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid, new, old));
		t->fail_at = 0;
		KUNIT_EXPECT_TRUE_MSG(test, had->cd.dirty, "CMD_SYNC %u", at);
		had->cd.dirty = false;
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid, old, new));
	}
}

static void pt_replace_fails(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct iommu_domain *new = pt_new_domain(t);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, new);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	pt_expect_dirty(test, PT_PASID, t->domain[0], new);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID,
					arm_smmu_ops.blocked_domain,
					t->domain[0]));
	pt_expect_dirty(test, IOMMU_NO_PASID, t->domain[2], new);
	new->ops->free(new);
}

/* Attach a new page table and detach it, at which a CMD_SYNC or all fail */
static struct iommu_domain *pt_dirty_domain(struct kunit *test,
					    unsigned int fail_at)
{
	struct pt_test *t = test->priv;
	struct iommu_domain *domain = pt_new_domain(t);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, domain, NULL));
	t->fail_at = fail_at;
	t->hangs_from = !fail_at;
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID,
					arm_smmu_ops.blocked_domain, domain));
	t->fail_at = 0;
	KUNIT_EXPECT_TRUE(test, to_smmu_domain(domain)->cd.dirty);
	return domain;
}

/* After a command that failed, the ASID is cleaned when its page table is freed */
static void pt_dirty_asid(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	struct iommu_domain *domain;
	unsigned int n, i;
	u16 asid;

	/* Twice for the CD, and the TLBI; and again with streams of EL2-E2H */
	for (n = 0; n < 6; n++) {
		if (n == 3)
			t->smmu.features |= ARM_SMMU_FEAT_E2H;
		domain = pt_dirty_domain(test, n % 3 + 1);
		asid = pt_asid(domain);
		KUNIT_EXPECT_EQ(test, 3U, t->syncs);
		/* What the SMMU may still use is reached by an unmap */
		pt_expect_unmaps(test, domain, true);

		i = 0;
		t->nr_log = 0;
		domain->ops->free(domain);
		pt_expect_cmd(test, &i,
			      (struct pt_cmd){ .op = CMDQ_OP_CFGI_ALL });
		pt_expect_sync(test, &i);
		pt_expect_tlbi(test, &i, asid);
		pt_expect_end(test, i);
		KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	}
}

/*
 * The CFGI_CD of so many streams need two lists of commands. An error of the first is
 * an error.
 */
static void pt_dirty_many_streams(struct kunit *test)
{
	const unsigned int num = CMDQ_BATCH_ENTRIES + 6;
	struct pt_test *t = test->priv;
	struct arm_smmu_stream *streams;
	struct iommu_domain *domain;
	unsigned int at, i;

	streams = kunit_kcalloc(test, num, sizeof(*streams), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, streams);
	for (i = 0; i < num; i++)
		streams[i].id = PT_SID + i;
	t->master->streams = streams;
	t->master->num_streams = num;

	/* Twice two for the CD, and the TLBI */
	for (at = 1; at <= 5; at++) {
		domain = pt_dirty_domain(test, at);
		KUNIT_EXPECT_EQ(test, 5U, t->syncs);
		domain->ops->free(domain);
	}
	t->master->streams = t->streams;
	t->master->num_streams = PT_STREAMS;
}

/* After an STE that failed, release_device() frees the CD tables if CFGI_ALL works */
static void pt_cd_tables_stay(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int i = 0;

	t->nr_log = 0;
	KUNIT_EXPECT_TRUE(test, arm_smmu_can_free_cd_tables(t->master));
	KUNIT_EXPECT_EQ(test, 0U, t->nr_log);

	/* The STE comes first */
	t->fail_at = 1;
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID,
					arm_smmu_ops.identity_domain,
					t->domain[2]));
	t->fail_at = 0;
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID, t->domain[2],
					arm_smmu_ops.identity_domain));

	t->hangs_from = 1;
	KUNIT_EXPECT_FALSE(test, arm_smmu_can_free_cd_tables(t->master));
	t->hangs_from = 0;
	t->nr_log = 0;
	KUNIT_EXPECT_TRUE(test, arm_smmu_can_free_cd_tables(t->master));
	pt_expect_cmd(test, &i, (struct pt_cmd){ .op = CMDQ_OP_CFGI_ALL });
	pt_expect_sync(test, &i);
	pt_expect_end(test, i);
}

/* No ASID is lost for good, and a queue that hangs is waited for once a request */
static void pt_lose_no_asid(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	struct iommu_domain **domain;
	unsigned int i, n;
	u16 asid;

	domain = kunit_kcalloc(test, BIT(8), sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	t->smmu.asid_bits = 8;
	for (i = 0; i < 300; i++) {
		domain[0] = pt_dirty_domain(test, 0);
		asid = pt_asid(domain[0]);
		t->syncs = 0;
		domain[0]->ops->free(domain[0]);
		KUNIT_EXPECT_EQ(test, 1U, t->syncs);
		KUNIT_EXPECT_TRUE(test, pt_asid_in_use(asid));
		t->hangs_from = 0;
	}
	KUNIT_EXPECT_EQ(test, 255U, pt_count_asids());

	t->hangs_from = 1;
	t->syncs = 0;
	KUNIT_EXPECT_EQ(test, -EBUSY, PTR_ERR_OR_ZERO(pt_new_domain(t)));
	KUNIT_EXPECT_EQ(test, 1U, t->syncs);
	t->hangs_from = 0;

	for (n = 0; n < BIT(8); n++) {
		domain[n] = pt_new_domain(t);
		if (IS_ERR(domain[n]))
			break;
	}
	KUNIT_EXPECT_EQ(test, 255U, asids + n);
	while (n--)
		domain[n]->ops->free(domain[n]);
	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());

	/* With the SMMU goes what it has left */
	domain[0] = pt_dirty_domain(test, 0);
	domain[0]->ops->free(domain[0]);
	t->hangs_from = 0;
	KUNIT_EXPECT_EQ(test, asids + 1, pt_count_asids());
	arm_smmu_asids_destroy(&t->smmu);
	KUNIT_EXPECT_EQ(test, 0U, pt_count_asids());
}

static struct page *pt_table_page(struct iommu_domain *domain)
{
	return phys_to_page(pt_cfg(domain)->arm_lpae_s1_cfg.ttbr);
}

/* A page table is there as long as the SMMU may walk it */
static void pt_table_is_kept(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	struct iommu_domain *domain;
	struct page *page;
	unsigned int at;

	for (at = 1; at <= 3; at++) {
		domain = pt_dirty_domain(test, 1);
		page = pt_table_page(domain);
		get_page(page);
		t->syncs = 0;
		t->fail_at = at;
		domain->ops->free(domain);
		t->fail_at = 0;
		KUNIT_EXPECT_EQ(test, t->syncs, min(at, 2U));
		KUNIT_EXPECT_EQ(test, page_count(page), at == 3 ? 1 : 2);

		/* The next one that is freed takes it along */
		domain = pt_new_domain(t);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
		domain->ops->free(domain);
		KUNIT_EXPECT_EQ(test, t->syncs, at == 3 ? 2U : 2U + min(at, 2U));
		KUNIT_EXPECT_EQ(test, page_count(page), 1);
		KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
		put_page(page);
	}

	/* Or the SMMU, when it goes */
	domain = pt_dirty_domain(test, 0);
	page = pt_table_page(domain);
	get_page(page);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	t->syncs = 0;
	arm_smmu_asids_destroy(&t->smmu);
	KUNIT_EXPECT_EQ(test, t->syncs, 0U);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
	t->hangs_from = 0;
}

/* As iommu_sva_domain_alloc() */
static struct iommu_domain *pt_sva_domain(struct kunit *test,
					  struct mm_struct *mm)
{
	struct pt_test *t = test->priv;
	struct iommu_domain *domain;

	t->smmu.features |= ARM_SMMU_FEAT_SVA;
	domain = arm_smmu_ops.domain_alloc_sva(t->dev, mm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->mm = mm;
	return domain;
}

/* Attach an mm, and detach it while the SMMU hangs: the ASID, which is left dirty */
static u16 pt_leave_mm(struct kunit *test, struct mm_struct *mm)
{
	struct iommu_domain *domain = pt_sva_domain(test, mm);
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	u16 asid = pt_asid(domain);

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, domain, NULL));
	t->hangs_from = 1;
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID,
					arm_smmu_ops.blocked_domain, domain));
	domain->ops->free(domain);
	t->hangs_from = 0;
	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	return asid;
}

/*
 * The mm goes while the device is attached. Of the commands one fails, or all from
 * it on: the CD and the TLBI, and then the two that make up for them.
 */
static void pt_mm_goes(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	unsigned int at, hangs, i;
	struct iommu_domain *domain;
	struct mm_struct *mm;
	bool dirty;
	u16 asid;

	for (at = 0; at <= 7; at++) {
		hangs = at > 3 ? at - 3 : 0;
		dirty = hangs && hangs <= 3;
		mm = mm_alloc();
		KUNIT_ASSERT_NOT_NULL(test, mm);
		mmgrab(mm);
		domain = pt_sva_domain(test, mm);
		asid = pt_asid(domain);
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, domain, NULL));

		i = 0;
		t->nr_log = 0;
		t->syncs = 0;
		t->fail_at = hangs ? 0 : at;
		t->hangs_from = hangs;
		mmput(mm);
		t->fail_at = 0;
		t->hangs_from = 0;
		pt_expect_cfgi(test, &i, PT_PASID, true, 2);
		pt_expect_tlbi(test, &i, asid);
		if (at && hangs <= 3) {
			pt_expect_cmd(test, &i,
				      (struct pt_cmd){ .op = CMDQ_OP_CFGI_ALL });
			pt_expect_sync(test, &i);
			if (!hangs)
				pt_expect_tlbi(test, &i, asid);
		}
		pt_expect_end(test, i);
		KUNIT_EXPECT_EQ(test, to_smmu_domain(domain)->cd.dirty, dirty);

		KUNIT_ASSERT_EQ(test, 0,
				pt_set(test, PT_PASID,
				       arm_smmu_ops.blocked_domain, domain));
		/* The pgd is there until the ASID is clean */
		t->hangs_from = dirty;
		t->syncs = 0;
		domain->ops->free(domain);
		mmu_notifier_synchronize();
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count),
				dirty ? 2 : 1);
		t->hangs_from = 0;
		/* Any other domain takes along what was left */
		domain = pt_new_domain(t);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
		domain->ops->free(domain);
		mmu_notifier_synchronize();
		KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);
		mmdrop(mm);
		KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	}
}

/* The mm goes and the TLBI fails; the ATC_INV behind it, which does not, is no comfort */
static void pt_mm_goes_ats(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct mm_struct *mm = mm_alloc();
	struct iommu_domain *domain;
	unsigned int i = 0;
	u16 asid;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	domain = pt_sva_domain(test, mm);
	asid = pt_asid(domain);
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, domain, NULL));
	add_ats(test, domain, 0, PT_PASID);

	t->nr_log = 0;
	t->syncs = 0;
	t->fail_at = 3;
	mmput(mm);
	t->fail_at = 0;
	pt_expect_cfgi(test, &i, PT_PASID, true, 2);
	pt_expect_tlbi(test, &i, asid);
	KUNIT_EXPECT_EQ(test, CMDQ_OP_ATC_INV, t->log[i].op);
	i++;
	pt_expect_sync(test, &i);
	pt_expect_cmd(test, &i, (struct pt_cmd){ .op = CMDQ_OP_CFGI_ALL });
	pt_expect_sync(test, &i);
	pt_expect_tlbi(test, &i, asid);
	pt_expect_end(test, i);
	KUNIT_EXPECT_FALSE(test, to_smmu_domain(domain)->cd.dirty);

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID,
					arm_smmu_ops.blocked_domain, domain));
	domain->ops->free(domain);
	mmu_notifier_synchronize();
}

/* The mm goes when a detach has left the ASID dirty, and no CD is left to be written */
static void pt_mm_goes_dirty(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	struct mm_struct *mm = mm_alloc();
	struct iommu_domain *domain;
	unsigned int i = 0;
	u16 asid;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mmgrab(mm);
	asid = pt_leave_mm(test, mm);
	KUNIT_EXPECT_EQ(test, asids + 1, pt_count_asids());

	t->nr_log = 0;
	mmput(mm);
	pt_expect_tlbi(test, &i, asid);
	pt_expect_cmd(test, &i, (struct pt_cmd){ .op = CMDQ_OP_CFGI_ALL });
	pt_expect_sync(test, &i);
	pt_expect_tlbi(test, &i, asid);
	pt_expect_end(test, i);

	domain = pt_new_domain(t);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);
	mmdrop(mm);
}

/* Of the CDs of an mm that goes, the first is not written; the second, which is, no comfort */
static void pt_mm_goes_two(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct mm_struct *mm = mm_alloc();
	struct iommu_domain *domain;
	unsigned int i, cleaned = 0;
	ioasid_t pasid;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	domain = pt_sva_domain(test, mm);
	for (pasid = PT_PASID; pasid <= PT_PASID + 1; pasid++)
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid, domain, NULL));

	t->nr_log = 0;
	t->syncs = 0;
	t->fail_at = 1;
	mmput(mm);
	t->fail_at = 0;
	for (i = 0; i < t->nr_log; i++)
		cleaned += t->log[i].op == CMDQ_OP_CFGI_ALL;
	KUNIT_EXPECT_EQ(test, cleaned, 1);
	KUNIT_EXPECT_FALSE(test, to_smmu_domain(domain)->cd.dirty);

	for (pasid = PT_PASID; pasid <= PT_PASID + 1; pasid++)
		KUNIT_ASSERT_EQ(test, 0, pt_set(test, pasid,
						arm_smmu_ops.blocked_domain,
						domain));
	domain->ops->free(domain);
	mmu_notifier_synchronize();
}

/* What an mm unmaps goes on to reach an ASID that was left dirty */
static void pt_mm_stays(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();
	struct iommu_domain *domain;
	struct mm_struct *mm;
	u16 asid;

	/* The call below would not link */
	if (IS_MODULE(CONFIG_ARM_SMMU_V3_KUNIT_TEST)) {
		kunit_skip(test, "a module cannot flush an mm");
		return;
	}
	mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, mm);
	asid = pt_leave_mm(test, mm);
	KUNIT_EXPECT_EQ(test, asids + 1, pt_count_asids());

	t->nr_unmapped = 0;
	t->unmapping = true;
	mmu_notifier_arch_invalidate_secondary_tlbs(mm, 0, PAGE_SIZE);
	t->unmapping = false;
	KUNIT_EXPECT_TRUE(test, pt_unmaps(t, asid));

	/* The next domain that is freed takes it along */
	domain = pt_new_domain(t);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, atomic_read(&mm->mm_count), 1);
	mmput(mm);
}

/* A page table of another SMMU is refused before anything is written */
static void pt_refuse(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct arm_smmu_device other = {};

	to_smmu_domain(t->domain[0])->smmu = &other;
	KUNIT_EXPECT_EQ(test, -EINVAL, pt_set(test, PT_PASID, t->domain[0],
					      NULL));
	to_smmu_domain(t->domain[0])->smmu = &t->smmu;
	pt_expect_end(test, 0);
}

/* The page table is one that enforces cache coherency, which the device cannot do */
static void pt_refuse_coherency(struct kunit *test)
{
	struct pt_test *t = test->priv;
	unsigned int asids = pt_count_asids();

	KUNIT_ASSERT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[0], NULL));
	KUNIT_ASSERT_TRUE(test, t->domain[1]->ops->enforce_cache_coherency(t->domain[1]));
	KUNIT_EXPECT_EQ(test, -EINVAL, pt_set(test, PT_PASID + 1, t->domain[1],
					      NULL));
	pt_expect_end(test, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, pt_set(test, PT_PASID, t->domain[1],
					      t->domain[0]));
	pt_expect_end(test, 0);

	KUNIT_EXPECT_EQ(test, asids, pt_count_asids());
	pt_expect_cd(test, arm_smmu_get_cd_ptr(t->master, PT_PASID),
		     t->domain[0]);
	pt_expect_unmaps(test, t->domain[0], true);
	pt_expect_unmaps(test, t->domain[1], false);
	/* Those that have it may not become coherent either */
	KUNIT_EXPECT_FALSE(test, t->domain[0]->ops->enforce_cache_coherency(t->domain[0]));

	t->iommu.fwspec->flags = IOMMU_FWSPEC_PCI_RC_CANWBS;
	KUNIT_EXPECT_EQ(test, 0, pt_set(test, PT_PASID, t->domain[1],
					t->domain[0]));
}

/* What one more PASID costs in this driver, besides its share of a CD table */
static void pt_memory(struct kunit *test)
{
	struct arm_smmu_master_domain *master_domain;
	size_t size;

	master_domain = kunit_kzalloc(test, sizeof(*master_domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, master_domain);
	size = ksize(master_domain);
	kunit_info(test,
		   "bytes per PASID: CD %zu, master_domain %zu in %zu; with ATS an arm_smmu_inv for each stream, %zu\n",
		   sizeof(struct arm_smmu_cd), sizeof(*master_domain), size,
		   sizeof(struct arm_smmu_inv));
	KUNIT_EXPECT_LE(test, size, (size_t)64);
}

static int pt_init(struct kunit *test, unsigned long features)
{
	struct arm_smmu_device *smmu;
	unsigned int i;
	struct pt_test *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;

	smmu = &t->smmu;
	smmu->dev = kunit_device_register(test, "pasid-test-smmu");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, smmu->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(smmu->dev,
						     DMA_BIT_MASK(64)));
	smmu->features = ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_COHERENCY |
			 ARM_SMMU_FEAT_ATOMIC128 | features;
	smmu->asid_bits = PT_ASID_BITS;
	xa_init_flags(&smmu->asid_xa, XA_FLAGS_ALLOC1);
	smmu->oas = 48;
	smmu->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	smmu->strtab_cfg.linear.table = t->ste;
	mutex_init(&smmu->streams_mutex);
	kunit_activate_static_stub(test, __arm_smmu_cmdq_issue_cmdlist,
				   pt_issue);

	t->dev = kunit_device_register(test, "pasid-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev);
	t->master = kzalloc_obj(*t->master);
	KUNIT_ASSERT_NOT_NULL(test, t->master);
	t->iommu.priv = t->master;
	t->iommu.fwspec = kunit_kzalloc(test, sizeof(*t->iommu.fwspec),
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->iommu.fwspec);
	t->dev->iommu = &t->iommu;

	t->master->smmu = smmu;
	t->master->dev = t->dev;
	t->master->ssid_bits = 12;
	t->master->streams = t->streams;
	t->master->num_streams = PT_STREAMS;
	for (i = 0; i < PT_STREAMS; i++) {
		t->streams[i].id = PT_SID + i;
		arm_smmu_make_abort_ste(&t->ste[PT_SID + i]);
	}
	t->master->build_invs = arm_smmu_invs_alloc(8);
	KUNIT_ASSERT_NOT_NULL(test, t->master->build_invs);

	t->group = iommu_group_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->group);
	KUNIT_ASSERT_EQ(test, 0, iommu_group_add_device(t->group, t->dev));

	for (i = 0; i < ARRAY_SIZE(t->domain); i++) {
		struct iommu_domain *domain;

		domain = arm_smmu_ops.domain_alloc_paging_flags(t->dev,
				IOMMU_HWPT_ALLOC_PASID, NULL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
		t->domain[i] = domain;
	}
	KUNIT_ASSERT_EQ(test, 0, pt_set(test, IOMMU_NO_PASID, t->domain[2],
					arm_smmu_ops.blocked_domain));
	/*
	 * There is always one more PASID in use: with the last the driver asks
	 * the core for the RID's domain, and this group has no core behind it.
	 */
	t->master->cd_table.used_ssids++;
	return 0;
}

static int pt_init_linear(struct kunit *test)
{
	return pt_init(test, 0);
}

static int pt_init_two_level(struct kunit *test)
{
	return pt_init(test, ARM_SMMU_FEAT_2_LVL_CDTAB);
}

static void pt_exit(struct kunit *test)
{
	static const u32 pasids[] = { PT_PASID, PT_PASID + 1, PT_PASID_FAR };
	struct pt_test *t = test->priv;
	struct arm_smmu_cd *cd;
	struct arm_smmu_cd target;
	unsigned int i, d;

	if (!t || !t->domain[2])
		return;

	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		cd = arm_smmu_get_cd_ptr(t->master, pasids[i]);
		for (d = 0; cd && d < ARRAY_SIZE(t->domain); d++) {
			target = pt_target_cd(t, t->domain[d]);
			if (memcmp(cd, &target, sizeof(target)))
				continue;
			pt_set(test, pasids[i], arm_smmu_ops.blocked_domain,
			       t->domain[d]);
		}
	}
	t->master->cd_table.used_ssids--;
	KUNIT_EXPECT_EQ(test, 0U, t->master->cd_table.used_ssids);
	pt_set(test, IOMMU_NO_PASID, arm_smmu_ops.blocked_domain, t->domain[2]);
	iommu_group_remove_device(t->dev);

	/* These are not those of arm_smmu_insert_master() */
	t->master->streams = NULL;
	kfree(t->master->build_invs);
	arm_smmu_ops.release_device(t->dev);
	iommu_group_put(t->group);
	t->dev->iommu = NULL;

	for (i = 0; i < ARRAY_SIZE(t->domain); i++) {
		KUNIT_EXPECT_TRUE(test,
				  list_empty(&to_smmu_domain(t->domain[i])->devices));
		t->domain[i]->ops->free(t->domain[i]);
	}
}

static struct kunit_case pt_cases[] = {
	KUNIT_CASE(pt_attach),
	KUNIT_CASE(pt_replace),
	KUNIT_CASE(pt_replace_e2h),
	KUNIT_CASE(pt_replace_shared),
	KUNIT_CASE_PARAM(pt_replace_ways, pt_way_gen_params),
	KUNIT_CASE(pt_replace_rid),
	KUNIT_CASE(pt_rid_bypass),
	KUNIT_CASE(pt_replace_fails),
	KUNIT_CASE(pt_replace_nomem),
	KUNIT_CASE(pt_replace_same),
	KUNIT_CASE(pt_detach),
	KUNIT_CASE(pt_dirty_asid),
	KUNIT_CASE(pt_dirty_many_streams),
	KUNIT_CASE(pt_cd_tables_stay),
	KUNIT_CASE(pt_lose_no_asid),
	KUNIT_CASE(pt_table_is_kept),
	KUNIT_CASE(pt_mm_goes),
	KUNIT_CASE(pt_mm_goes_ats),
	KUNIT_CASE(pt_mm_goes_two),
	KUNIT_CASE(pt_mm_goes_dirty),
	KUNIT_CASE(pt_mm_stays),
	KUNIT_CASE(pt_refuse),
	KUNIT_CASE(pt_refuse_coherency),
	KUNIT_CASE(pt_memory),
	{}
};

static struct kunit_suite pt_linear_suite = {
	.name = "arm-smmu-v3-pasid-linear",
	.init = pt_init_linear,
	.exit = pt_exit,
	.test_cases = pt_cases,
};

static struct kunit_case pt_two_level_cases[] = {
	KUNIT_CASE(pt_attach),
	KUNIT_CASE(pt_replace),
	KUNIT_CASE(pt_detach),
	{}
};

static struct kunit_suite pt_two_level_suite = {
	.name = "arm-smmu-v3-pasid-two-level",
	.init = pt_init_two_level,
	.exit = pt_exit,
	.test_cases = pt_two_level_cases,
};

kunit_test_suites(&pt_linear_suite, &pt_two_level_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for stage-1 page tables on PASIDs of an SMMUv3");
MODULE_LICENSE("GPL");
