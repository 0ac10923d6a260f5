// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for stage-1 domains that are invalidated by TLBI instructions.
 *
 * The driver runs on an SMMU that exists in memory only. In place of executing a
 * TLBI the test notes its operand, beside the DSBs and commands, and decodes it
 * by what the Arm ARM says of the fields, not by the macros that made it.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/io-pgtable.h>
#include <linux/pgtable.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>

#include <asm/tlbflush.h>

#include "arm-smmu-v3.h"

#define BT_SID		3
#define BT_LOG		(2 * MAX_DVM_OPS)
/* What a last-level entry of the SMMU's tables maps at most */
#if PUD_SHIFT <= 30
#define BT_BLOCK	PUD_SIZE
#else
#define BT_BLOCK	PMD_SIZE
#endif
#define BT_STEPS	96
#define BT_ROUNDS	1500
#define BT_SMMUS	2

enum bt_kind {
	BT_VAE1IS,
	BT_VALE1IS,
	BT_RVAE1IS,
	BT_RVALE1IS,
	BT_ASIDE1IS,
	BT_DSB,
	BT_CMD_TLBI,
	BT_CMD_CFGI,
	BT_CMD_ATC,
	BT_CMD_SYNC,
};

/**
 * struct bt_ev - What the SMMU is told
 * @kind: by which instruction or command
 * @smmu: a command's SMMU
 * @arg: a TLBI's operand
 */
struct bt_ev {
	enum bt_kind kind;
	unsigned int smmu;
	u64 arg;
};

/**
 * struct bt - One test
 * @smmu: two SMMUs; only the first has a device
 * @master: the device
 * @stream: its stream
 * @iommu: what the core keeps for a device
 * @group: its group
 * @dev: its struct device
 * @ste: the stream table
 * @domain: stage-1 domains: one invalidated by TLBIs, and one by commands
 * @attached: what the device is attached to
 * @log: what the SMMUs were told
 * @nr_log: how often
 * @err: what becomes of commands
 */
struct bt {
	struct arm_smmu_device smmu[BT_SMMUS];
	struct arm_smmu_master *master;
	struct arm_smmu_stream stream;
	struct dev_iommu iommu;
	struct iommu_group *group;
	struct device *dev;
	struct arm_smmu_ste ste[BT_SID + 1];
	struct iommu_domain *domain[2];
	struct iommu_domain *attached;
	struct bt_ev log[BT_LOG];
	unsigned int nr_log;
	int err;
};

static void bt_note(enum bt_kind kind, unsigned int smmu, u64 arg)
{
	struct bt *t = kunit_get_current_test()->priv;

	if (t->nr_log < BT_LOG)
		t->log[t->nr_log] = (struct bt_ev){ kind, smmu, arg };
	t->nr_log++;
}

/* In place of the instructions */

static void bt_vae1is(u64 arg)
{
	bt_note(BT_VAE1IS, 0, arg);
}

static void bt_vale1is(u64 arg)
{
	bt_note(BT_VALE1IS, 0, arg);
}

static void bt_rvae1is(u64 arg)
{
	bt_note(BT_RVAE1IS, 0, arg);
}

static void bt_rvale1is(u64 arg)
{
	bt_note(BT_RVALE1IS, 0, arg);
}

static void bt_aside1is(u64 arg)
{
	bt_note(BT_ASIDE1IS, 0, arg);
}

/* As __flush_tlb_asid_range_nosync(), but for the instructions */
static void bt_tlbi(const struct arm_smmu_inv *inv, unsigned long iova,
		    size_t size, unsigned int granule, bool leaf)
{
	if (leaf)
		__flush_tlb_asid_op(bt_vale1is, bt_rvale1is, bt_aside1is,
				    inv->id, iova, size, granule, inv->pgsize);
	else
		__flush_tlb_asid_op(bt_vae1is, bt_rvae1is, bt_aside1is,
				    inv->id, iova, size, granule, inv->pgsize);
}

static void bt_tlbi_sync(void)
{
	bt_note(BT_DSB, 0, 0);
}

/* In place of __arm_smmu_cmdq_issue_cmdlist() */
static int bt_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
		    struct arm_smmu_cmd *cmds, int n, bool sync)
{
	struct bt *t = kunit_get_current_test()->priv;
	unsigned int s = smmu - t->smmu;
	int i;

	for (i = 0; i < n; i++) {
		unsigned int op = cmds[i].data[0] & 0xff;

		if (op == CMDQ_OP_ATC_INV)
			bt_note(BT_CMD_ATC, s, 0);
		else if (op >= CMDQ_OP_TLBI_NH_ALL)
			bt_note(BT_CMD_TLBI, s, cmds[i].data[0] >> 48);
		else if (op >= CMDQ_OP_CFGI_STE)
			bt_note(BT_CMD_CFGI, s, 0);
	}
	if (sync)
		bt_note(BT_CMD_SYNC, s, 0);
	return t->err;
}

/* The log as text: T a TLBI, D a DSB, commands with the number of the SMMU */
static const char *bt_text(struct bt *t, char *buf, size_t size)
{
	static const char * const names[] = {
		[BT_VAE1IS] = "T", [BT_VALE1IS] = "T", [BT_RVAE1IS] = "T",
		[BT_RVALE1IS] = "T", [BT_ASIDE1IS] = "T", [BT_DSB] = "D",
		[BT_CMD_TLBI] = "C", [BT_CMD_CFGI] = "F", [BT_CMD_ATC] = "A",
		[BT_CMD_SYNC] = "S",
	};
	unsigned int i;
	size_t len = 0;

	buf[0] = '\0';
	for (i = 0; i < min_t(unsigned int, t->nr_log, BT_LOG); i++) {
		struct bt_ev *ev = &t->log[i];

		len += scnprintf(buf + len, size - len, "%s", names[ev->kind]);
		if (ev->kind > BT_DSB)
			len += scnprintf(buf + len, size - len, "%u", ev->smmu);
	}
	return buf;
}

/* What a TLBI names, by the Arm ARM */

static bool bt_is_tlbi(const struct bt_ev *ev)
{
	return ev->kind <= BT_ASIDE1IS;
}

static bool bt_is_range(const struct bt_ev *ev)
{
	return ev->kind == BT_RVAE1IS || ev->kind == BT_RVALE1IS;
}

/* Not for entries that point to a table */
static bool bt_is_last_level(const struct bt_ev *ev)
{
	return ev->kind == BT_VALE1IS || ev->kind == BT_RVALE1IS;
}

static u16 bt_asid(const struct bt_ev *ev)
{
	return ev->arg >> 48;
}

/* The level that it is for, 0 for any */
static unsigned int bt_ttl(const struct bt_ev *ev)
{
	return bt_is_range(ev) ? ev->arg >> 37 & 3 : ev->arg >> 44 & 15;
}

static u64 bt_first(const struct bt_ev *ev)
{
	if (!bt_is_range(ev))
		return (ev->arg & (BIT_ULL(44) - 1)) << 12;
	return (ev->arg & (BIT_ULL(37) - 1))
	       << (lpa2_is_enabled() ? 16 : PAGE_SHIFT);
}

/* In bytes, if the entries map @stride each */
static u64 bt_size(const struct bt_ev *ev, u64 stride)
{
	u64 num = ev->arg >> 39 & 31, scale = ev->arg >> 44 & 3;

	if (!bt_is_range(ev))
		return stride;
	return (num + 1) << (5 * scale + 1 + PAGE_SHIFT);
}

static bool bt_granule_ok(const struct bt_ev *ev)
{
	return !bt_is_range(ev) ||
	       (ev->arg >> 46 & 3) == (PAGE_SHIFT - 10) / 2;
}

static bool bt_hits(struct bt *t, u64 addr, u64 stride)
{
	unsigned int i;

	for (i = 0; i < t->nr_log; i++) {
		struct bt_ev *ev = &t->log[i];

		if (!bt_is_tlbi(ev))
			continue;
		if (ev->kind == BT_ASIDE1IS ||
		    (addr >= bt_first(ev) &&
		     addr < bt_first(ev) + bt_size(ev, stride)))
			return true;
	}
	return false;
}

/**
 * struct bt_req - What is to be invalidated
 * @asid: in which domain
 * @iova: from where on
 * @num: how many entries
 * @stride: that map so much each
 * @leaf: none points to a table
 * @range: the SMMU has ranges
 */
struct bt_req {
	u16 asid;
	u64 iova;
	u64 num;
	u64 stride;
	bool leaf;
	bool range;
};

static void bt_request(struct bt *t, const struct bt_req *r)
{
	struct arm_smmu_domain *d = to_smmu_domain(t->domain[0]);
	struct arm_smmu_invs *invs = rcu_dereference_protected(d->invs, true);

	invs->inv[0].id = r->asid;
	invs->inv[0].pgsize = r->range ? PAGE_SHIFT : 0;
	t->nr_log = 0;
	arm_smmu_domain_inv_range(d, r->iova, r->num * r->stride, r->stride,
				  r->leaf);
	invs->inv[0].id = d->cd.asid;
}

static void bt_random(struct rnd_state *rnd, struct bt_req *r)
{
	static const u64 strides[] = { PAGE_SIZE, PMD_SIZE, BT_BLOCK };

	r->asid = prandom_u32_state(rnd);
	r->leaf = prandom_u32_state(rnd) & 1;
	r->range = prandom_u32_state(rnd) & 1;
	/* The driver gives an invalidation of tables the stride of a page */
	r->stride = r->leaf ? strides[prandom_u32_state(rnd) % 3] : PAGE_SIZE;
	/* Any order of magnitude, a bit above the largest that a range holds */
	r->num = 1 + (prandom_u32_state(rnd) >> (10 + prandom_u32_state(rnd) % 22));
	r->iova = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
	r->iova = round_down(r->iova & (BIT_ULL(47) - 1), r->stride);
}

static void bt_check_operands(struct kunit *test, const struct bt_req *r,
			      unsigned int *too_much)
{
	struct bt *t = test->priv;
	u64 end = r->iova + r->num * r->stride;
	unsigned int i;

	KUNIT_ASSERT_LE(test, t->nr_log, BT_LOG);
	KUNIT_ASSERT_GE(test, t->nr_log, 2U);
	KUNIT_EXPECT_EQ(test, BT_DSB, t->log[t->nr_log - 1].kind);
	for (i = 0; i < t->nr_log - 1; i++) {
		struct bt_ev *ev = &t->log[i];

		KUNIT_ASSERT_TRUE(test, bt_is_tlbi(ev));
		KUNIT_EXPECT_EQ(test, r->asid, bt_asid(ev));
		if (ev->kind == BT_ASIDE1IS) {
			KUNIT_EXPECT_EQ(test, 2U, t->nr_log);
			KUNIT_EXPECT_EQ(test, 0ULL, ev->arg << 16);
			(*too_much)++;
			continue;
		}
		KUNIT_EXPECT_EQ(test, r->leaf, bt_is_last_level(ev));
		KUNIT_EXPECT_EQ(test, 0U, bt_ttl(ev));
		KUNIT_EXPECT_TRUE(test, bt_granule_ok(ev));
		KUNIT_EXPECT_TRUE(test, r->range || !bt_is_range(ev));
		if (bt_first(ev) < r->iova ||
		    bt_first(ev) + bt_size(ev, r->stride) > end)
			KUNIT_FAIL(test, "more than is needed: %#llx + %#llx",
				   bt_first(ev), bt_size(ev, r->stride));
	}
}

static void bt_check_coverage(struct kunit *test, const struct bt_req *r,
			      struct rnd_state *rnd)
{
	u64 i, n, entry;

	/* The first, the last, and some or all of the others */
	for (i = 0; i < min(r->num, 64ULL); i++) {
		n = r->num <= 64 ? i : prandom_u32_state(rnd) % r->num;
		if (i < 2)
			n = i ? r->num - 1 : 0;
		entry = r->iova + n * r->stride;
		if (!bt_hits(test->priv, entry, r->stride))
			KUNIT_FAIL(test, "%#llx of %#llx + %llu * %#llx is missed",
				   entry, r->iova, r->num, r->stride);
	}
}

/* Nothing of a range is missed, and nothing beyond it is hit */
static void bt_operands(struct kunit *test)
{
	unsigned int round, too_much = 0;
	struct rnd_state rnd;
	struct bt_req r;

	prandom_seed_state(&rnd, 0xb7);
	for (round = 0; round < BT_ROUNDS; round++) {
		bt_random(&rnd, &r);
		bt_request(test->priv, &r);
		bt_check_operands(test, &r, &too_much);
		bt_check_coverage(test, &r, &rnd);
		/* The others would say the same */
		if (test->status == KUNIT_FAILURE)
			return;
	}
	kunit_info(test, "%u of %u ranges by ASIDE1IS\n", too_much, BT_ROUNDS);
	/* Both happen */
	KUNIT_EXPECT_GT(test, too_much, BT_ROUNDS / 8U);
	KUNIT_EXPECT_LT(test, too_much, BT_ROUNDS * 3U / 4);
}

/* Where a whole ASID becomes cheaper, and what is no range at all */
static const struct bt_limit {
	u64 num;
	u64 stride;
	bool range;
	bool all;
} bt_limits[] = {
	{ 0, PAGE_SIZE, false, true },
	{ 1, PAGE_SIZE, false, false },
	{ MAX_DVM_OPS - 1, PAGE_SIZE, false, false },
	{ MAX_DVM_OPS, PAGE_SIZE, false, true },
	{ MAX_DVM_OPS - 1, PMD_SIZE, false, false },
	{ MAX_DVM_OPS, PMD_SIZE, false, true },
	{ 3, BT_BLOCK, false, false },
	{ 0, PAGE_SIZE, true, true },
	{ 1, PAGE_SIZE, true, false },
	{ MAX_DVM_OPS, PAGE_SIZE, true, false },
	{ 32 << 16, PAGE_SIZE, true, false },
	{ (32 << 16) + 1, PAGE_SIZE, true, true },
	{ SIZE_MAX, 1, false, true },
	{ SIZE_MAX, 1, true, true },
};

static void bt_limit_desc(const struct bt_limit *l, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%llu entries of %#llx%s", l->num,
		 l->stride, l->range ? ", ranges" : "");
}

KUNIT_ARRAY_PARAM(bt_limit, bt_limits, bt_limit_desc);

static void bt_limit(struct kunit *test)
{
	const struct bt_limit *l = test->param_value;
	const struct bt_req r = {
		.asid = 7,
		.num = l->num,
		.stride = l->stride,
		.leaf = true,
		.range = l->range,
	};
	struct bt *t = test->priv;

	if (l->range && !system_supports_tlb_range())
		kunit_skip(test, "the CPU has no range operations");
	bt_request(t, &r);
	KUNIT_ASSERT_GE(test, t->nr_log, 2U);
	KUNIT_EXPECT_EQ(test, l->all, t->log[0].kind == BT_ASIDE1IS);
	if (l->all)
		KUNIT_EXPECT_EQ(test, 2U, t->nr_log);
	else if (l->range)
		KUNIT_EXPECT_LE(test, t->nr_log, 20U);
}

/* An invalidation array, and the log that it leads to */
static const struct bt_batch {
	const char *text;
	struct {
		enum arm_smmu_inv_type type;
		unsigned int smmu;
		int users;
	} inv[4];
	unsigned int num;
} bt_batches[] = {
	{ "", {}, 0 },
	{ "TD", { { INV_TYPE_S1_TLBI, 0, 1 } }, 1 },
	{ "", { { INV_TYPE_S1_TLBI, 0, 0 } }, 1 },
	{ "C0S0", { { INV_TYPE_S1_ASID, 0, 1 } }, 1 },
	{ "C0S0A0S0", { { INV_TYPE_S1_ASID, 0, 1 }, { INV_TYPE_ATS, 0, 1 } }, 2 },
	{ "TDA0S0", { { INV_TYPE_S1_TLBI, 0, 2 }, { INV_TYPE_ATS, 0, 2 } }, 2 },
	{ "A0S0", { { INV_TYPE_S1_TLBI, 0, 0 }, { INV_TYPE_ATS, 0, 1 } }, 2 },
	{ "TD", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_ATS, 0, 0 } }, 2 },
	{ "TDC0S0A0S0", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_S1_ASID, 0, 1 },
			  { INV_TYPE_ATS, 0, 1 } }, 3 },
	{ "TDA0S0", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_S1_ASID, 0, 0 },
		      { INV_TYPE_ATS, 0, 1 } }, 3 },
	{ "TTD", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_S1_TLBI, 0, 1 } }, 2 },
	{ "TDC1S1", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_S1_ASID, 1, 1 } }, 2 },
	{ "C0S0TD", { { INV_TYPE_S1_ASID, 0, 1 }, { INV_TYPE_S1_TLBI, 1, 1 } }, 2 },
	{ "TDA0S0TDA1S1", { { INV_TYPE_S1_TLBI, 0, 1 }, { INV_TYPE_ATS, 0, 1 },
			    { INV_TYPE_S1_TLBI, 1, 1 }, { INV_TYPE_ATS, 1, 1 } }, 4 },
	{ "C0S0A0S0TDA1S1", { { INV_TYPE_S1_ASID, 0, 1 }, { INV_TYPE_ATS, 0, 1 },
			      { INV_TYPE_S1_TLBI, 1, 1 }, { INV_TYPE_ATS, 1, 1 } }, 4 },
};

static void bt_batch_desc(const struct bt_batch *b, char *desc)
{
	unsigned int i, len = 0;

	len += scnprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s for", b->text);
	for (i = 0; i < b->num; i++)
		len += scnprintf(desc + len, KUNIT_PARAM_DESC_SIZE - len,
				 " %u.%u%s", b->inv[i].smmu, b->inv[i].type,
				 b->inv[i].users ? "" : "x");
}

KUNIT_ARRAY_PARAM(bt_batch, bt_batches, bt_batch_desc);

static void bt_set_inv(struct bt *t, struct arm_smmu_inv *inv,
		       enum arm_smmu_inv_type type, unsigned int smmu,
		       int users)
{
	*inv = (struct arm_smmu_inv){
		.smmu = &t->smmu[smmu],
		.type = type,
		.id = type == INV_TYPE_ATS ? BT_SID : 1,
		.size_opcode = type == INV_TYPE_ATS ? CMDQ_OP_ATC_INV :
						      CMDQ_OP_TLBI_NH_VA,
		.nsize_opcode = type == INV_TYPE_ATS ? CMDQ_OP_ATC_INV :
						       CMDQ_OP_TLBI_NH_ASID,
		.users = users,
	};
}

/* One DSB for each batch of TLBIs and none without, before any ATC_INV */
static void bt_batch(struct kunit *test)
{
	const struct bt_batch *b = test->param_value;
	struct bt *t = test->priv;
	struct arm_smmu_domain *d = to_smmu_domain(t->domain[0]);
	struct arm_smmu_invs *was, *invs = arm_smmu_invs_alloc(b->num);
	char text[64];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, invs);
	for (i = 0; i < b->num; i++) {
		bt_set_inv(t, &invs->inv[i], b->inv[i].type, b->inv[i].smmu,
			   b->inv[i].users);
		invs->has_ats |= b->inv[i].type == INV_TYPE_ATS;
	}
	was = rcu_replace_pointer(d->invs, invs, true);
	t->nr_log = 0;
	arm_smmu_domain_inv_range(d, SZ_2M, PAGE_SIZE, PAGE_SIZE, true);
	KUNIT_EXPECT_STREQ(test, b->text, bt_text(t, text, sizeof(text)));
	t->nr_log = 0;
	arm_smmu_domain_inv_range(d, 0, 0, 0, false);
	KUNIT_EXPECT_STREQ(test, b->text, bt_text(t, text, sizeof(text)));
	rcu_assign_pointer(d->invs, was);
	kfree(invs);
}

/* An array that holds both kinds: TLBIs first, on each SMMU */
static void bt_merge(struct kunit *test)
{
	static const enum arm_smmu_inv_type types[] = {
		INV_TYPE_ATS, INV_TYPE_S1_ASID, INV_TYPE_S1_TLBI,
	};
	struct arm_smmu_invs *one = arm_smmu_invs_alloc(1);
	struct arm_smmu_invs *invs = arm_smmu_invs_alloc(0);
	struct bt *t = test->priv;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_ASSERT_NOT_NULL(test, invs);
	for (i = 0; i < 6; i++) {
		struct arm_smmu_invs *more;

		bt_set_inv(t, &one->inv[0], types[i / 2], i % 2, 0);
		more = arm_smmu_invs_merge(invs, one);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, more);
		kfree(invs);
		invs = more;
	}
	KUNIT_ASSERT_EQ(test, (size_t)6, invs->num_invs);
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_EQ(test, types[2 - i % 3], invs->inv[i].type);
		KUNIT_EXPECT_PTR_EQ(test, &t->smmu[i / 3], invs->inv[i].smmu);
	}
	kfree(invs);
	kfree(one);
}

static bool bt_repeats(void)
{
	return true;
}

/* Which SMMUs can listen at all */
static void bt_listen(struct kunit *test)
{
	struct bt *t = test->priv;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bool in_idr = i & 1, no_erratum = i & 2, repeats = i & 4;
		const char *why_not;

		if (repeats)
			kunit_activate_static_stub(test,
						   arm_smmu_erratum_repeat_tlbi_cfgi,
						   bt_repeats);
		t->smmu[1].features = no_erratum ? ARM_SMMU_FEAT_BTM : 0;
		why_not = arm_smmu_device_btm_why_not(&t->smmu[1], in_idr);
		KUNIT_EXPECT_EQ_MSG(test, !why_not,
				    in_idr && no_erratum && !repeats,
				    "combination %u", i);
	}
}

/* Whose own stage 1 can do with it: every combination of what counts */
static void bt_device(struct kunit *test)
{
	struct bt *t = test->priv;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		bool listens = i & 1, coherent = i & 2, hyp = i & 4, e2h = i & 8;
		const char *why_not;

		t->smmu[1].features =
			(listens ? ARM_SMMU_FEAT_BTM : 0) |
			(coherent ? ARM_SMMU_FEAT_COHERENCY : 0) |
			(hyp ? ARM_SMMU_FEAT_E2H : 0) | ARM_SMMU_FEAT_TRANS_S1;
		why_not = arm_smmu_device_btm_s1_why_not(&t->smmu[1], e2h);
		KUNIT_EXPECT_EQ_MSG(test, !why_not,
				    listens && coherent && hyp == e2h,
				    "combination %u", i);
	}
}

/* Which domains */
static const struct bt_can {
	const char *desc;
	bool smmu;
	unsigned long pgsizes;
	u32 asid;
	unsigned int cpu_bits, smmu_bits;
	bool can;
} bt_cans[] = {
	{ "yes", true, PAGE_SIZE | PMD_SIZE, 1, 16, 16, true },
	{ "not this SMMU", false, PAGE_SIZE | PMD_SIZE, 1, 16, 16, false },
	{ "smaller granule", true, PAGE_SIZE / 4 | PMD_SIZE, 1, 16, 16, false },
	{ "larger granule", true, PAGE_SIZE * 4, 1, 16, 16, false },
	{ "last ASID", true, PAGE_SIZE, 0xffff, 16, 16, true },
	{ "last of 8 bits", true, PAGE_SIZE, 0xff, 8, 8, true },
	{ "too large for the CPU", true, PAGE_SIZE, 0x100, 8, 16, false },
	{ "too large for the SMMU", true, PAGE_SIZE, 0x100, 16, 8, false },
	{ "fits the CPU's 8 bits", true, PAGE_SIZE, 0xff, 8, 16, true },
	{ "fits the SMMU's 8 bits", true, PAGE_SIZE, 0xff, 16, 8, true },
};

KUNIT_ARRAY_PARAM_DESC(bt_can, bt_cans, desc);

static void bt_domain(struct kunit *test)
{
	const struct bt_can *c = test->param_value;
	struct bt *t = test->priv;

	t->smmu[1].features = c->smmu ? ARM_SMMU_FEAT_BTM_S1 : ARM_SMMU_FEAT_BTM;
	t->smmu[1].asid_bits = c->smmu_bits;
	KUNIT_EXPECT_EQ(test, c->can,
			arm_smmu_domain_can_tlbi(&t->smmu[1], c->pgsizes,
						 c->asid, c->cpu_bits));
}

/* From here on with the device */

static struct iommu_domain *bt_other(struct bt *t)
{
	return t->attached == t->domain[0] ? t->domain[1] : t->domain[0];
}

static int bt_replace_locked(struct device *dev, void *data)
{
	struct bt *t = data;
	struct iommu_domain *domain = bt_other(t);

	return domain->ops->attach_dev(domain, dev, t->attached);
}

/* Attach the device to the other of the two domains */
static struct arm_smmu_domain *bt_replace(struct kunit *test)
{
	struct bt *t = test->priv;

	t->nr_log = 0;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_group_for_each_dev(t->group, t,
						 bt_replace_locked));
	t->attached = bt_other(t);
	return to_smmu_domain(t->attached);
}

static bool bt_cd_aset(struct bt *t)
{
	return le64_to_cpu(arm_smmu_get_cd_ptr(t->master, 0)->data[0]) &
	       CTXDESC_CD_0_ASET;
}

static const char *bt_unmap_text(struct bt *t, struct iommu_domain *domain,
				 char *buf, size_t size)
{
	t->nr_log = 0;
	arm_smmu_domain_inv_range(to_smmu_domain(domain), SZ_2M, PAGE_SIZE,
				  PAGE_SIZE, true);
	return bt_text(t, buf, size);
}

/*
 * Between domains of both kinds. Whatever the kind, what a domain has left is
 * cleared by a command, and an unmap reaches the domain that is attached only.
 */
static void bt_attach(struct kunit *test)
{
	struct bt *t = test->priv;
	char text[64];
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, to_smmu_domain(t->domain[0])->use_tlbi);
	KUNIT_EXPECT_FALSE(test, to_smmu_domain(t->domain[1])->use_tlbi);
	for (i = 0; i < 4; i++) {
		struct iommu_domain *old = t->attached;
		struct arm_smmu_domain *new = bt_replace(test);
		struct bt_ev *last = &t->log[t->nr_log - 2];

		KUNIT_ASSERT_GE(test, t->nr_log, 2U);
		KUNIT_EXPECT_EQ(test, BT_CMD_TLBI, last->kind);
		KUNIT_EXPECT_EQ(test, to_smmu_domain(old)->cd.asid, last->arg);
		KUNIT_EXPECT_EQ(test, BT_CMD_SYNC, last[1].kind);
		KUNIT_EXPECT_NULL(test, strpbrk(bt_text(t, text, sizeof(text)),
						"TD"));
		KUNIT_EXPECT_EQ(test, !new->use_tlbi, bt_cd_aset(t));
		KUNIT_EXPECT_STREQ(test, new->use_tlbi ? "TD" : "C0S0",
				   bt_unmap_text(t, t->attached, text,
						 sizeof(text)));
		if (new->use_tlbi)
			KUNIT_EXPECT_EQ(test, new->cd.asid, bt_asid(&t->log[0]));
		KUNIT_EXPECT_STREQ(test, "",
				   bt_unmap_text(t, old, text, sizeof(text)));
	}
}

static void bt_map(struct kunit *test, u64 iova, size_t pgsize, size_t num)
{
	struct bt *t = test->priv;
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, 0,
			t->domain[0]->ops->map_pages(t->domain[0], iova, 0,
						     pgsize, num, IOMMU_READ,
						     GFP_KERNEL, &mapped));
	KUNIT_ASSERT_EQ(test, pgsize * num, mapped);
}

/* Keep the first batch of the log. For a table the page table asks twice. */
static void bt_cut(struct bt *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_log; i++)
		if (t->log[i].kind == BT_DSB)
			t->nr_log = i + 1;
}

/* What an unmap through the page table asks for */
static void bt_unmap(struct kunit *test, u64 iova, size_t size, u64 stride,
		     bool leaf)
{
	const struct bt_req r = {
		.asid = to_smmu_domain(((struct bt *)test->priv)->domain[0])->cd.asid,
		.iova = iova,
		.num = size / stride,
		.stride = stride,
		.leaf = leaf,
		.range = true,
	};
	unsigned int too_much = 0;
	struct bt *t = test->priv;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, iova);
	t->nr_log = 0;
	KUNIT_EXPECT_EQ(test, size, iommu_unmap(t->domain[0], iova, size));
	if (!leaf)
		bt_cut(t);
	bt_check_operands(test, &r, &too_much);
	bt_check_coverage(test, &r, &rnd);
}

static void bt_pgtable(struct kunit *test)
{
	struct bt *t = test->priv;
	char text[64];

	bt_map(test, PUD_SIZE, PAGE_SIZE, 20);
	bt_unmap(test, PUD_SIZE + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, true);
	bt_unmap(test, PUD_SIZE + 2 * PAGE_SIZE, 17 * PAGE_SIZE, PAGE_SIZE, true);
	bt_map(test, PUD_SIZE + PMD_SIZE, PMD_SIZE, 3);
	bt_unmap(test, PUD_SIZE + PMD_SIZE, 3 * PMD_SIZE, PMD_SIZE, true);
	/* A table goes: everything under it, and the walk to it */
	bt_map(test, 2 * PUD_SIZE, PAGE_SIZE, PTRS_PER_PTE);
	bt_unmap(test, 2 * PUD_SIZE, PMD_SIZE, PAGE_SIZE, false);

	t->nr_log = 0;
	t->domain[0]->ops->flush_iotlb_all(t->domain[0]);
	KUNIT_EXPECT_STREQ(test, "TD", bt_text(t, text, sizeof(text)));
	KUNIT_EXPECT_EQ(test, BT_ASIDE1IS, t->log[0].kind);
}

static struct iommu_domain *bt_domain_alloc(struct kunit *test, bool use_tlbi)
{
	struct bt *t = test->priv;
	struct iommu_domain *domain;
	u32 features = t->smmu[0].features;

	if (!use_tlbi)
		t->smmu[0].features &= ~ARM_SMMU_FEAT_BTM_S1;
	domain = arm_smmu_ops.domain_alloc_paging_flags(t->dev, 0, NULL);
	t->smmu[0].features = features;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	return domain;
}

#ifdef CONFIG_IOMMU_DEBUGFS
/* What is shown, while the domain of a dirty ASID waits for the SMMU */
static void bt_show_dirty(struct kunit *test)
{
	struct bt *t = test->priv;
	struct arm_smmu_domain *attached = bt_replace(test);
	struct iommu_domain *left = bt_domain_alloc(test, false);
	unsigned int asid = to_smmu_domain(left)->cd.asid;
	struct seq_file s = { .private = &t->smmu[0], .size = PAGE_SIZE };
	char want[128];

	s.buf = kunit_kzalloc(test, s.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s.buf);
	to_smmu_domain(left)->cd.dirty = true;
	t->err = -ETIMEDOUT;
	left->ops->free(left);
	t->err = 0;
	KUNIT_ASSERT_PTR_EQ(test, xa_load(&t->smmu[0].asid_xa, asid),
			    to_smmu_domain(left));

	snprintf(want, sizeof(want),
		 "own stage 1 by broadcast\n asid by          pasid device\n%5u %-9s %7u %s\n",
		 attached->cd.asid, attached->use_tlbi ? "broadcast" : "command",
		 0, dev_name(t->dev));
	KUNIT_EXPECT_EQ(test, arm_smmu_stage1_show(&s, NULL), 0);
	KUNIT_EXPECT_STREQ(test, s.buf, want);
	arm_smmu_asids_destroy(&t->smmu[0]);
	KUNIT_EXPECT_NULL(test, xa_load(&t->smmu[0].asid_xa, asid));
}
#endif

static int bt_init(struct kunit *test)
{
	struct arm_smmu_device *smmu;
	struct bt *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;

	smmu = &t->smmu[0];
	smmu->dev = kunit_device_register(test, "btm-test-smmu");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, smmu->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(smmu->dev,
						     DMA_BIT_MASK(64)));
	smmu->features = ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_COHERENCY |
			 ARM_SMMU_FEAT_RANGE_INV | ARM_SMMU_FEAT_BTM |
			 ARM_SMMU_FEAT_BTM_S1;
	smmu->asid_bits = 16;
	xa_init_flags(&smmu->asid_xa, XA_FLAGS_ALLOC1);
	smmu->oas = 48;
	smmu->pgsize_bitmap = PAGE_SIZE | PMD_SIZE | BT_BLOCK;
	smmu->strtab_cfg.linear.table = t->ste;
	mutex_init(&smmu->streams_mutex);
	kunit_activate_static_stub(test, __arm_smmu_cmdq_issue_cmdlist,
				   bt_issue);
	kunit_activate_static_stub(test, arm_smmu_inv_tlbi, bt_tlbi);
	kunit_activate_static_stub(test, arm_smmu_tlbi_sync, bt_tlbi_sync);

	t->dev = kunit_device_register(test, "btm-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev);
	t->master = kzalloc_obj(*t->master);
	KUNIT_ASSERT_NOT_NULL(test, t->master);
	t->iommu.priv = t->master;
	t->iommu.fwspec = kunit_kzalloc(test, sizeof(*t->iommu.fwspec),
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->iommu.fwspec);
	t->dev->iommu = &t->iommu;

	t->stream.id = BT_SID;
	arm_smmu_make_abort_ste(&t->ste[BT_SID]);
	t->master->smmu = smmu;
	t->master->dev = t->dev;
	t->master->streams = &t->stream;
	t->master->num_streams = 1;
	t->master->build_invs = arm_smmu_invs_alloc(4);
	KUNIT_ASSERT_NOT_NULL(test, t->master->build_invs);

	t->group = iommu_group_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->group);
	KUNIT_ASSERT_EQ(test, 0, iommu_group_add_device(t->group, t->dev));

	t->domain[1] = bt_domain_alloc(test, false);
	t->domain[0] = bt_domain_alloc(test, true);
	t->attached = arm_smmu_ops.blocked_domain;
	bt_replace(test);
	return 0;
}

static int bt_detach_locked(struct device *dev, void *data)
{
	struct iommu_domain *blocked = arm_smmu_ops.blocked_domain;

	return blocked->ops->attach_dev(blocked, dev, data);
}

static void bt_exit(struct kunit *test)
{
	struct bt *t = test->priv;
	unsigned int i;

	if (!t || !t->domain[0] || !t->domain[1])
		return;

	iommu_group_for_each_dev(t->group, t->attached, bt_detach_locked);
	iommu_group_remove_device(t->dev);
	/* These are not those of arm_smmu_insert_master() */
	t->master->streams = NULL;
	kfree(t->master->build_invs);
	arm_smmu_ops.release_device(t->dev);
	iommu_group_put(t->group);
	t->dev->iommu = NULL;
	for (i = 0; i < ARRAY_SIZE(t->domain); i++)
		t->domain[i]->ops->free(t->domain[i]);
}

static struct kunit_case bt_cases[] = {
	KUNIT_CASE(bt_operands),
	KUNIT_CASE_PARAM(bt_limit, bt_limit_gen_params),
	KUNIT_CASE_PARAM(bt_batch, bt_batch_gen_params),
	KUNIT_CASE(bt_merge),
	KUNIT_CASE(bt_listen),
	KUNIT_CASE(bt_device),
	KUNIT_CASE_PARAM(bt_domain, bt_can_gen_params),
	KUNIT_CASE(bt_attach),
	KUNIT_CASE(bt_pgtable),
#ifdef CONFIG_IOMMU_DEBUGFS
	KUNIT_CASE(bt_show_dirty),
#endif
	{}
};

static struct kunit_suite bt_suite = {
	.name = "arm-smmu-v3-btm",
	.init = bt_init,
	.exit = bt_exit,
	.test_cases = bt_cases,
};

kunit_test_suite(bt_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for broadcast TLB invalidation of an SMMUv3");
MODULE_LICENSE("GPL");
