// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for writing STEs and CDs in units of 64 and of 128 bits
 *
 * The SMMU reads an entry in units, in any order and at any time (IHI 0070 3.21.3),
 * and can keep each of them until the next sync. So between two syncs it can see
 * every mixture of the units before and after. Whatever it sees has to be the old
 * entry or the new one, as far as it looks at the bits, or has V=0.
 */
#include <kunit/test.h>
#include <linux/cpufeature.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>

#include "arm-smmu-v3.h"

/* The others are never used */
#define ET_QWORDS	4
#define ET_SIZE		8

/**
 * struct et_entry - An STE or a CD
 * @name: what it is
 * @data: its qwords that are not 0
 */
struct et_entry {
	const char *name;
	u64 data[ET_QWORDS];
};

/**
 * struct et_writer - An entry on its way from one to another
 * @writer: the driver's writer
 * @test: the test
 * @valid: the V bit of qword 0
 * @desc: the way
 * @init: what it was
 * @target: what it is to become
 * @synced: what it was at the last sync
 * @entry: what is in memory
 * @syncs: number of syncs
 * @broken: the SMMU can have seen it with V=0
 */
struct et_writer {
	struct arm_smmu_entry_writer writer;
	struct kunit *test;
	u64 valid;
	char desc[80];
	__le64 init[ET_SIZE];
	__le64 target[ET_SIZE];
	__le64 synced[ET_SIZE];
	__le64 entry[ET_SIZE] __aligned(16);
	unsigned int syncs;
	bool broken;
};

static bool et_looks_like(struct et_writer *w, const __le64 *view,
			  const __le64 *other)
{
	__le64 safe[ET_SIZE] = {};
	__le64 used[ET_SIZE] = {};
	unsigned int i;

	w->writer.ops->get_used(view, used);
	if (w->writer.ops->get_update_safe)
		w->writer.ops->get_update_safe(view, other, safe);
	for (i = 0; i != ET_SIZE; i++)
		if ((view[i] ^ other[i]) & used[i] & ~safe[i])
			return false;
	return true;
}

static void et_look(struct et_writer *w, const __le64 *view)
{
	if (!(le64_to_cpu(view[0]) & w->valid)) {
		w->broken = true;
		return;
	}
	KUNIT_EXPECT_TRUE_MSG(w->test,
			      et_looks_like(w, view, w->init) ||
			      et_looks_like(w, view, w->target),
			      "%s: %#llx %#llx %#llx %#llx after %u syncs",
			      w->desc, le64_to_cpu(view[0]),
			      le64_to_cpu(view[1]), le64_to_cpu(view[2]),
			      le64_to_cpu(view[3]), w->syncs);
}

static void et_sync(struct arm_smmu_entry_writer *writer)
{
	struct et_writer *w = container_of(writer, struct et_writer, writer);
	unsigned int unit = writer->atomic128 ? 2 : 1;
	unsigned int mix, i;
	__le64 view[ET_SIZE];

	for (mix = 0; mix != BIT(ET_QWORDS / unit); mix++) {
		for (i = 0; i != ET_SIZE; i++)
			view[i] = mix & BIT(i / unit) ? w->entry[i] :
							w->synced[i];
		et_look(w, view);
	}
	memcpy(w->synced, w->entry, sizeof(w->synced));
	w->syncs++;
}

static const struct arm_smmu_entry_writer_ops et_ste_ops = {
	.sync = et_sync,
	.get_used = arm_smmu_get_ste_used,
	.get_update_safe = arm_smmu_get_ste_update_safe,
};

static const struct arm_smmu_entry_writer_ops et_cd_ops = {
	.sync = et_sync,
	.get_used = arm_smmu_get_cd_used,
};

#define ET_CFG(cfg)	(STRTAB_STE_0_V | FIELD_PREP_CONST(STRTAB_STE_0_CFG, \
						STRTAB_STE_0_CFG_##cfg))
#define ET_S1(cir, cor, csh)						     \
			(FIELD_PREP_CONST(STRTAB_STE_1_S1CIR, cir) |	     \
			 FIELD_PREP_CONST(STRTAB_STE_1_S1COR, cor) |	     \
			 FIELD_PREP_CONST(STRTAB_STE_1_S1CSH, csh))
#define ET_S2(vmid, t0sz) (STRTAB_STE_2_S2AA64 | STRTAB_STE_2_S2PTW |	     \
			   STRTAB_STE_2_S2R |				     \
			   FIELD_PREP_CONST(STRTAB_STE_2_VTCR, t0sz) |	     \
			   FIELD_PREP_CONST(STRTAB_STE_2_S2VMID, vmid))
#define ET_BYPASS_DSS	FIELD_PREP_CONST(STRTAB_STE_1_S1DSS,		     \
					 STRTAB_STE_1_S1DSS_BYPASS)
#define ET_SSID0_DSS	FIELD_PREP_CONST(STRTAB_STE_1_S1DSS,		     \
					 STRTAB_STE_1_S1DSS_SSID0)

enum {
	ET_STE_ABORT,
	ET_STE_BYPASS,
	ET_STE_S1,
	ET_STE_S2_A,
	ET_STE_S2_B,
	ET_STE_S2_FWB,
	ET_STE_NEST_A,
	ET_STE_NEST_A_DSS,
	ET_STE_NEST_A_CACHE,
	ET_STE_NEST_A_STALLD,
	ET_STE_NEST_OTHER,
	ET_STE_NONE,
};

static const struct et_entry et_stes[] = {
	[ET_STE_ABORT] = { "abort", { ET_CFG(ABORT) } },
	[ET_STE_BYPASS] = { "bypass", { ET_CFG(BYPASS) } },
	[ET_STE_S1] = { "stage 1", { ET_CFG(S1_TRANS) | 0x1000000,
				     ET_S1(1, 1, 3) | ET_SSID0_DSS } },
	[ET_STE_S2_A] = { "stage 2 A",
			  { ET_CFG(S2_TRANS), 0, ET_S2(7, 24), 0x2000000 } },
	[ET_STE_S2_B] = { "stage 2 B",
			  { ET_CFG(S2_TRANS), 0, ET_S2(8, 20), 0x3000000 } },
	[ET_STE_S2_FWB] = { "stage 2 with FWB",
			    { ET_CFG(S2_TRANS), STRTAB_STE_1_S2FWB,
			      ET_S2(9, 20), 0x4000000 } },
	[ET_STE_NEST_A] = { "nested on A",
			    { ET_CFG(NESTED) | 0x5000000,
			      ET_S1(1, 1, 3) | ET_SSID0_DSS, ET_S2(7, 24),
			      0x2000000 } },
	[ET_STE_NEST_A_DSS] = { "nested on A, S1DSS",
				{ ET_CFG(NESTED) | 0x6000000,
				  ET_S1(1, 1, 3) | ET_BYPASS_DSS, ET_S2(7, 24),
				  0x2000000 } },
	[ET_STE_NEST_A_CACHE] = { "nested on A, S1CIR, S1COR, S1CSH",
				  { ET_CFG(NESTED) | 0x6000000,
				    ET_S1(2, 2, 2) | ET_SSID0_DSS, ET_S2(7, 24),
				    0x2000000 } },
	[ET_STE_NEST_A_STALLD] = { "nested on A, S1STALLD",
				   { ET_CFG(NESTED) | 0x6000000,
				     ET_S1(1, 1, 3) | ET_SSID0_DSS |
					     STRTAB_STE_1_S1STALLD,
				     ET_S2(7, 24), 0x2000000 } },
	[ET_STE_NEST_OTHER] = { "nested on A, another VMID",
				{ ET_CFG(NESTED) | 0x6000000,
				  ET_S1(1, 1, 3) | ET_SSID0_DSS, ET_S2(10, 24),
				  0x2000000 } },
	[ET_STE_NONE] = { "no STE" },
};

#define ET_CD_0(asid)	(CTXDESC_CD_0_V | CTXDESC_CD_0_AA64 |		     \
			 CTXDESC_CD_0_TCR_EPD1 | CTXDESC_CD_0_R |	     \
			 CTXDESC_CD_0_A | CTXDESC_CD_0_ASET |		     \
			 FIELD_PREP_CONST(CTXDESC_CD_0_ASID, asid))
#define ET_CD(asid)	(ET_CD_0(asid) |				     \
			 FIELD_PREP_CONST(CTXDESC_CD_0_TCR_T0SZ, 16))

enum {
	ET_CD_A,
	ET_CD_B,
	ET_CD_DIRTY,
	ET_CD_MAIR,
	ET_CD_EPD0,
	ET_CD_NONE,
};

static const struct et_entry et_cds[] = {
	[ET_CD_A] = { "CD A", { ET_CD(1), 0x1000000, 0, 0xff } },
	[ET_CD_B] = { "CD B", { ET_CD(2), 0x2000000, 0, 0xff } },
	[ET_CD_DIRTY] = { "CD with dirty tracking",
			  { ET_CD(3) | CTXDESC_CD_0_TCR_HA |
			    CTXDESC_CD_0_TCR_HD, 0x3000000, 0, 0xff } },
	[ET_CD_MAIR] = { "CD with another MAIR",
			 { ET_CD(4), 0x4000000, 0, 0xf0 } },
	[ET_CD_EPD0] = { "CD A without its table",
			 { ET_CD_0(1) | CTXDESC_CD_0_TCR_EPD0, 0, 0, 0xff } },
	[ET_CD_NONE] = { "no CD" },
};

static void et_load(__le64 *entry, const struct et_entry *from)
{
	unsigned int i;

	memset(entry, 0, ET_SIZE * sizeof(*entry));
	for (i = 0; i != ET_QWORDS; i++)
		entry[i] = cpu_to_le64(from->data[i]);
}

static struct et_writer *et_write(struct kunit *test,
				  const struct arm_smmu_entry_writer_ops *ops,
				  const struct et_entry *from,
				  const struct et_entry *to, bool atomic128)
{
	struct et_writer *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->writer.ops = ops;
	w->writer.atomic128 = atomic128;
	w->test = test;
	w->valid = ops == &et_ste_ops ? STRTAB_STE_0_V : CTXDESC_CD_0_V;
	snprintf(w->desc, sizeof(w->desc), "%s to %s by %u bits", from->name,
		 to->name, atomic128 ? 128 : 64);
	et_load(w->init, from);
	et_load(w->target, to);
	et_load(w->synced, from);
	et_load(w->entry, from);
	arm_smmu_write_entry(&w->writer, w->entry, w->target);
	KUNIT_EXPECT_MEMEQ_MSG(test, w->entry, w->target, sizeof(w->target),
			       "%s", w->desc);
	KUNIT_EXPECT_MEMEQ_MSG(test, w->synced, w->target, sizeof(w->target),
			       "%s: a store without a sync", w->desc);
	return w;
}

/**
 * struct et_way - From one entry to another
 * @from: index of the old entry
 * @to: index of the new one
 * @syncs: syncs that it takes in units of 64 and of 128 bits
 * @broken: it has to have V=0 on the way, in units of 64 and of 128 bits
 */
struct et_way {
	unsigned int from;
	unsigned int to;
	unsigned int syncs[2];
	bool broken[2];
};

static const struct et_way et_ste_ways[] = {
	/* S2VMID and VTCR in qword 2, S2TTB in qword 3 */
	{ ET_STE_S2_A, ET_STE_S2_B, { 3, 1 }, { true, false } },
	{ ET_STE_S2_B, ET_STE_S2_A, { 3, 1 }, { true, false } },
	/* S1ContextPtr in qword 0, the rest of stage 1 in qword 1 */
	{ ET_STE_NEST_A, ET_STE_NEST_A_DSS, { 3, 1 }, { true, false } },
	{ ET_STE_NEST_A, ET_STE_NEST_A_CACHE, { 3, 1 }, { true, false } },
	{ ET_STE_NEST_A_STALLD, ET_STE_NEST_A, { 3, 1 }, { true, false } },
	/* Stage 1 on and off: one qword, where 64 bits are enough */
	{ ET_STE_S2_A, ET_STE_NEST_A, { 2, 2 }, { false, false } },
	{ ET_STE_NEST_A, ET_STE_S2_A, { 2, 2 }, { false, false } },
	{ ET_STE_BYPASS, ET_STE_S1, { 2, 2 }, { false, false } },
	{ ET_STE_BYPASS, ET_STE_S2_A, { 2, 2 }, { false, false } },
	{ ET_STE_S2_A, ET_STE_ABORT, { 2, 2 }, { false, false } },
	{ ET_STE_ABORT, ET_STE_NEST_A, { 2, 2 }, { false, false } },
	{ ET_STE_NONE, ET_STE_S2_A, { 2, 2 }, { true, true } },
	/* Of both pairs */
	{ ET_STE_NEST_A, ET_STE_NEST_OTHER, { 3, 3 }, { true, true } },
	{ ET_STE_S2_A, ET_STE_NEST_OTHER, { 3, 3 }, { true, true } },
	{ ET_STE_S1, ET_STE_S2_A, { 3, 3 }, { true, true } },
	{ ET_STE_S2_A, ET_STE_S2_FWB, { 3, 3 }, { true, true } },
	{ ET_STE_S2_B, ET_STE_NEST_A, { 3, 3 }, { true, true } },
};

static const struct et_way et_cd_ways[] = {
	/* ASID in qword 0, TTB0 in qword 1 */
	{ ET_CD_A, ET_CD_B, { 3, 1 }, { true, false } },
	{ ET_CD_B, ET_CD_DIRTY, { 3, 1 }, { true, false } },
	{ ET_CD_DIRTY, ET_CD_A, { 3, 1 }, { true, false } },
	/* MAIR in qword 3 */
	{ ET_CD_A, ET_CD_MAIR, { 3, 3 }, { true, true } },
	/* The exit of an mm */
	{ ET_CD_A, ET_CD_EPD0, { 2, 2 }, { false, false } },
	{ ET_CD_NONE, ET_CD_A, { 2, 2 }, { true, true } },
	{ ET_CD_A, ET_CD_NONE, { 2, 2 }, { true, true } },
};

static void et_go(struct kunit *test,
		  const struct arm_smmu_entry_writer_ops *ops,
		  const struct et_entry *entries, const struct et_way *way)
{
	struct et_writer *w;
	unsigned int i;

	for (i = 0; i != 2; i++) {
		w = et_write(test, ops, &entries[way->from], &entries[way->to],
			     i);
		KUNIT_EXPECT_EQ_MSG(test, w->broken, way->broken[i], "%s",
				    w->desc);
		KUNIT_EXPECT_EQ_MSG(test, w->syncs, way->syncs[i], "%s",
				    w->desc);
	}
}

static void et_ste_change(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(et_ste_ways); i++)
		et_go(test, &et_ste_ops, et_stes, &et_ste_ways[i]);
}

static void et_cd_change(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(et_cd_ways); i++)
		et_go(test, &et_cd_ops, et_cds, &et_cd_ways[i]);
}

/* 128 bits never break what 64 bits do not, and never take more syncs */
static void et_compare(struct kunit *test,
		       const struct arm_smmu_entry_writer_ops *ops,
		       const struct et_entry *from, const struct et_entry *to)
{
	struct et_writer *narrow = et_write(test, ops, from, to, false);
	struct et_writer *wide = et_write(test, ops, from, to, true);

	KUNIT_EXPECT_LE_MSG(test, wide->broken, narrow->broken, "%s",
			    wide->desc);
	KUNIT_EXPECT_LE_MSG(test, wide->syncs, narrow->syncs, "%s", wide->desc);
	if (wide->broken == narrow->broken)
		KUNIT_EXPECT_EQ_MSG(test, wide->syncs, narrow->syncs, "%s",
				    wide->desc);
}

static void et_all_ways(struct kunit *test)
{
	unsigned int from, to;

	for (from = 0; from != ARRAY_SIZE(et_stes); from++)
		for (to = 0; to != ARRAY_SIZE(et_stes); to++)
			et_compare(test, &et_ste_ops, &et_stes[from],
				   &et_stes[to]);
	for (from = 0; from != ARRAY_SIZE(et_cds); from++)
		for (to = 0; to != ARRAY_SIZE(et_cds); to++)
			et_compare(test, &et_cd_ops, &et_cds[from],
				   &et_cds[to]);
}

/* How often a CD is replaced below another CPU's eyes */
#define ET_TURNS	300000

/**
 * struct et_reader - Another CPU that looks at a CD
 * @taken: written by that CPU, to take the cache line away from the writer
 * @cd: its first two qwords are in the same line
 * @reads: how often it has read them
 * @torn: how often they did not belong together
 */
struct et_reader {
	u64 taken[4];
	__le64 cd[ET_SIZE];
	unsigned long reads;
	unsigned long torn;
};

/* As the SMMU reads: LDP of an aligned pair is single-copy atomic, too */
static int et_read(void *data)
{
	struct et_pair { __le64 qword[2]; };
	struct et_reader *r = data;
	u64 asid, ttb;
	u64 low, high;

	while (!kthread_should_stop()) {
		WRITE_ONCE(r->taken[0], r->reads);
		asm volatile("ldp %0, %1, %2"
			     : "=r" (low), "=r" (high)
			     : "Q" (*(const struct et_pair *)r->cd));
		asid = FIELD_GET(CTXDESC_CD_0_ASID, le64_to_cpu((__force __le64)low));
		ttb = le64_to_cpu((__force __le64)high) & CTXDESC_CD_1_TTB0_MASK;
		r->torn += ttb != et_cds[asid == 1 ? ET_CD_A : ET_CD_B].data[1];
		WRITE_ONCE(r->reads, r->reads + 1);
		cond_resched();
	}
	return 0;
}

static void et_no_sync(struct arm_smmu_entry_writer *writer)
{
}

/* The two qwords are one store: a reader of 128 bits never sees one without the other */
static void et_one_store(struct kunit *test)
{
	static const struct arm_smmu_entry_writer_ops ops = {
		.sync = et_no_sync,
		.get_used = arm_smmu_get_cd_used,
	};
	struct arm_smmu_entry_writer writer = { .ops = &ops, .atomic128 = true };
	struct et_reader *reader;
	__le64 target[2][ET_SIZE];
	struct task_struct *task;
	unsigned int i;

	if (!cpu_have_named_feature(USCAT) || num_online_cpus() < 2)
		kunit_skip(test, "needs FEAT_LSE2 and two CPUs");

	/* Of that size kmalloc() aligns to cache lines */
	reader = kunit_kzalloc(test, roundup_pow_of_two(sizeof(*reader)),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reader);
	et_load(target[0], &et_cds[ET_CD_A]);
	et_load(target[1], &et_cds[ET_CD_B]);
	et_load(reader->cd, &et_cds[ET_CD_A]);
	task = kthread_run(et_read, reader, "entry-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	while (!READ_ONCE(reader->reads))
		cond_resched();

	for (i = 0; i != ET_TURNS; i++) {
		arm_smmu_write_entry(&writer, reader->cd, target[i % 2]);
		cond_resched();
	}
	kthread_stop(task);
	kunit_info(test, "%lu reads\n", reader->reads);
	KUNIT_EXPECT_EQ(test, reader->torn, 0UL);
}

static struct kunit_case et_cases[] = {
	KUNIT_CASE(et_ste_change),
	KUNIT_CASE(et_cd_change),
	KUNIT_CASE(et_all_ways),
	KUNIT_CASE(et_one_store),
	{}
};

static struct kunit_suite et_suite = {
	.name = "arm-smmu-v3-entry",
	.test_cases = et_cases,
};

kunit_test_suite(et_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for writing entries of an SMMUv3");
MODULE_LICENSE("GPL");
