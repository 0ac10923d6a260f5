// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for SVA domains that have the ASID of their mm.
 *
 * The driver runs on SMMUs that exist in memory only, with mms and an ASID allocator
 * that are the kernel's own. What an SMMU is told is noted as one letter each.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mmu_context.h>
#include <linux/mmu_notifier.h>
#include <linux/prandom.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/tlbflush.h>

#include "arm-smmu-v3.h"
#include "arm-smmu-v3-ats-test.h"
#include "arm-smmu-v3-nomem-test.h"

#define SV_SID		3
#define SV_PASID	5
#define SV_LOG		64
#define SV_SMMUS	2
#define SV_MMS		24
#define SV_PRIVATE	120
#define SV_STEPS	20000

/**
 * struct sv - One test
 * @smmu: two SMMUs
 * @master: a device behind each; only the first is ever attached
 * @stream: its stream
 * @iommu: what the core keeps for a device
 * @group: the group of the first
 * @dev: their struct devices
 * @ste: the stream table
 * @rid: what the first is attached to without a PASID
 * @log: what the SMMUs were told: a TLBI, a DSB; the commands TLBI (C), CFGI, ATC_INV
 *       and SYNC
 * @nr_log: how often
 * @asid: the ASID in the last TLBI or command TLBI
 * @hangs: each SYNC fails
 * @joins: a domain that a device with ATS joins at the next DSB
 * @other: a thread that is to run in the middle of the next CFGI
 */
struct sv {
	struct arm_smmu_device smmu[SV_SMMUS];
	struct arm_smmu_master *master[SV_SMMUS];
	struct arm_smmu_stream stream;
	struct dev_iommu iommu[SV_SMMUS];
	struct iommu_group *group;
	struct device *dev[SV_SMMUS];
	struct arm_smmu_ste ste[SV_SID + 1];
	struct iommu_domain *rid;
	char log[SV_LOG + 1];
	unsigned int nr_log;
	u16 asid;
	bool hangs;
	struct iommu_domain *joins;
	struct sv_thread *other;
};

/**
 * struct sv_thread - Somebody else
 * @test: the test
 * @mm: an mm that is to exit
 * @limit: milliseconds that a reader stays if it is not told to leave
 * @leave: it is told
 * @left: it has left
 * @started: it runs
 * @done: it has ended
 */
struct sv_thread {
	struct kunit *test;
	struct mm_struct *mm;
	unsigned int limit;
	bool leave;
	bool left;
	struct completion started;
	struct completion done;
};

static void sv_start(struct kunit *test, struct sv_thread *other,
		     int (*fn)(void *))
{
	other->test = test;
	init_completion(&other->started);
	init_completion(&other->done);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kthread_run(fn, other, "sva-test"));
	wait_for_completion(&other->started);
}

static int sv_exit_thread(void *data)
{
	struct sv_thread *other = data;

	current->kunit_test = other->test;
	complete(&other->started);
	mmput(other->mm);
	complete(&other->done);
	return 0;
}

/* An unmap that has loaded an array and takes its time */
static int sv_reader_thread(void *data)
{
	struct sv_thread *other = data;
	unsigned int ms;

	rcu_read_lock();
	complete(&other->started);
	for (ms = 0; ms != other->limit && !READ_ONCE(other->leave); ms++)
		mdelay(1);
	WRITE_ONCE(other->left, true);
	rcu_read_unlock();
	complete(&other->done);
	return 0;
}

static void sv_note(char what)
{
	struct sv *t = kunit_get_current_test()->priv;

	if (t->nr_log < SV_LOG)
		t->log[t->nr_log++] = what;
	t->log[t->nr_log] = '\0';
}

/* In place of arm_smmu_inv_tlbi() */
static void sv_tlbi(const struct arm_smmu_inv *inv, unsigned long iova,
		    size_t size, unsigned int granule, bool leaf)
{
	struct sv *t = kunit_get_current_test()->priv;

	sv_note(size ? 't' : 'T');
	t->asid = inv->id;
}

static void sv_add_ats(struct kunit *test, struct iommu_domain *domain)
{
	add_ats(test, domain, SV_SID, SV_PASID);
	to_smmu_domain(domain)->smmu->features |= ARM_SMMU_FEAT_ATS;
}

/* In place of arm_smmu_tlbi_sync() */
static void sv_tlbi_sync(void)
{
	struct kunit *test = kunit_get_current_test();
	struct sv *t = test->priv;
	struct iommu_domain *domain = t->joins;

	sv_note('D');
	t->joins = NULL;
	if (domain)
		sv_add_ats(test, domain);
}

static void sv_let_other_run(struct sv *t)
{
	struct sv_thread *other = t->other;

	t->other = NULL;
	if (!other)
		return;
	sv_start(kunit_get_current_test(), other, sv_exit_thread);
	/* It has to wait for the lock, or writes the CD now */
	mdelay(100);
}

/* In place of __arm_smmu_cmdq_issue_cmdlist() */
static int sv_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
		    struct arm_smmu_cmd *cmds, int n, bool sync)
{
	struct sv *t = kunit_get_current_test()->priv;
	int i;

	for (i = 0; i < n; i++) {
		unsigned int op = cmds[i].data[0] & 0xff;

		if (op == CMDQ_OP_ATC_INV) {
			sv_note('A');
		} else if (op >= CMDQ_OP_TLBI_NH_ALL) {
			sv_note('C');
			t->asid = cmds[i].data[0] >> 48;
		} else if (op >= CMDQ_OP_CFGI_STE) {
			sv_note('F');
			sv_let_other_run(t);
		}
	}
	if (sync)
		sv_note('S');
	return sync && t->hangs ? -ETIMEDOUT : 0;
}

static void sv_clear(struct sv *t)
{
	t->nr_log = 0;
	t->log[0] = '\0';
	t->asid = 0;
}

/* mms */

static struct mm_struct *sv_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	return mm;
}

/* The ASID that EL0 has on the CPUs */
static u16 sv_mm_asid(struct mm_struct *mm)
{
	return ASID(mm) | (arm64_kernel_unmapped_at_el0() ? 1 : 0);
}

/* Let the ASID allocator find that the mm has this ASID, and a pin that stays */
static void sv_set_asid(struct mm_struct *mm, u16 asid)
{
	atomic64_set(&mm->context.id, asid);
	refcount_set(&mm->context.pinned, 1);
}

static unsigned int sv_pins(struct mm_struct *mm)
{
	return refcount_read(&mm->context.pinned);
}

/* Domains, as the core handles them */

static struct iommu_domain *sv_try_bind(struct sv *t, unsigned int smmu,
					struct mm_struct *mm)
{
	struct iommu_domain *domain;

	domain = arm_smmu_ops.domain_alloc_sva(t->dev[smmu], mm);
	if (IS_ERR(domain))
		return domain;
	mmgrab(mm);
	domain->mm = mm;
	domain->cookie_type = IOMMU_COOKIE_SVA;
	return domain;
}

static struct iommu_domain *sv_bind(struct kunit *test, unsigned int smmu,
				    struct mm_struct *mm)
{
	struct iommu_domain *domain = sv_try_bind(test->priv, smmu, mm);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	return domain;
}

static struct iommu_domain *sv_private(struct sv *t, unsigned int smmu)
{
	return arm_smmu_ops.domain_alloc_paging_flags(t->dev[smmu], 0, NULL);
}

static u16 sv_asid(struct iommu_domain *domain)
{
	return to_smmu_domain(domain)->cd.asid;
}

static bool sv_shared(struct iommu_domain *domain)
{
	return to_smmu_domain(domain)->use_tlbi;
}

static void sv_expect_shared(struct kunit *test, struct iommu_domain *domain,
			     struct mm_struct *mm, bool shared)
{
	KUNIT_EXPECT_EQ(test, shared, sv_shared(domain));
	/* If not then the ASID says nothing: that of an mm without a pin can be equal */
	if (shared)
		KUNIT_EXPECT_EQ(test, sv_mm_asid(mm), sv_asid(domain));
}

static unsigned int sv_count_asids(struct sv *t, unsigned int smmu)
{
	unsigned long asid;
	unsigned int n = 0;
	void *entry;

	xa_for_each(&t->smmu[smmu].asid_xa, asid, entry)
		n++;
	return n;
}

/**
 * struct sv_set - Arguments of attach_dev() or set_dev_pasid()
 * @domain: to attach
 * @pasid: where
 * @old: what is attached there
 */
struct sv_set {
	struct iommu_domain *domain;
	ioasid_t pasid;
	struct iommu_domain *old;
};

static int sv_set_locked(struct device *dev, void *data)
{
	struct sv_set *s = data;

	if (s->pasid == IOMMU_NO_PASID)
		return s->domain->ops->attach_dev(s->domain, dev, s->old);
	return s->domain->ops->set_dev_pasid(s->domain, dev, s->pasid, s->old);
}

static void sv_set(struct kunit *test, ioasid_t pasid,
		   struct iommu_domain *domain, struct iommu_domain *old)
{
	struct sv *t = test->priv;
	struct sv_set s = { domain, pasid, old };

	sv_clear(t);
	KUNIT_ASSERT_EQ(test, 0,
			iommu_group_for_each_dev(t->group, &s, sv_set_locked));
}

static void sv_detach(struct kunit *test, ioasid_t pasid,
		      struct iommu_domain *domain)
{
	sv_set(test, pasid, arm_smmu_ops.blocked_domain, domain);
}

static u64 sv_cd(struct sv *t, ioasid_t pasid)
{
	return le64_to_cpu(arm_smmu_get_cd_ptr(t->master[0], pasid)->data[0]);
}

static phys_addr_t sv_cd_ttb(struct sv *t, ioasid_t pasid)
{
	return le64_to_cpu(arm_smmu_get_cd_ptr(t->master[0], pasid)->data[1]);
}

static u16 sv_cd_asid(struct sv *t, ioasid_t pasid)
{
	return sv_cd(t, pasid) >> 48;
}

/* Tests */

/* Which SMMUs: every combination of what counts */
static void sv_predicate(struct kunit *test)
{
	struct sv *t = test->priv;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bool btm_s1 = i & 1, range = i & 2, cpu_range = i & 4;

		t->smmu[1].features =
			(btm_s1 ? ARM_SMMU_FEAT_BTM_S1 : ARM_SMMU_FEAT_BTM) |
			(range ? ARM_SMMU_FEAT_RANGE_INV : 0);
		KUNIT_EXPECT_EQ_MSG(test, btm_s1 && (range || !cpu_range),
				    arm_smmu_sva_can_share_asid(&t->smmu[1],
								cpu_range),
				    "combination %u", i);
	}
}

/* What a domain and its CD have, and what is left afterwards */
static void sv_attach(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain;
	unsigned int i;

	/* With the second run btm_s1 is off: as in 7.3 */
	for (i = 0; i < 2; i++) {
		bool shared = !i;

		if (!shared)
			t->smmu[0].features &= ~ARM_SMMU_FEAT_BTM_S1;
		domain = sv_bind(test, 0, mm);
		sv_expect_shared(test, domain, mm, shared);
		KUNIT_EXPECT_EQ(test, shared ? 1 : 0, sv_pins(mm));
		sv_set(test, SV_PASID, domain, NULL);
		KUNIT_EXPECT_EQ(test, sv_asid(domain), sv_cd_asid(t, SV_PASID));
		KUNIT_EXPECT_EQ(test, !shared,
				!!(sv_cd(t, SV_PASID) & CTXDESC_CD_0_ASET));
		KUNIT_EXPECT_EQ(test, virt_to_phys(mm->pgd),
				sv_cd_ttb(t, SV_PASID));
		/* A second device: another PASID does for it */
		sv_set(test, SV_PASID + 1, domain, NULL);
		KUNIT_EXPECT_EQ(test, sv_cd(t, SV_PASID), sv_cd(t, SV_PASID + 1));
		sv_detach(test, SV_PASID + 1, domain);
		KUNIT_EXPECT_NULL(test, strchr(t->log, 'C'));

		/* The last one is invalidated by command, whatever the kind */
		sv_detach(test, SV_PASID, domain);
		KUNIT_EXPECT_STREQ(test, "CS", t->log + t->nr_log - 2);
		KUNIT_EXPECT_NULL(test, strpbrk(t->log, "TtD"));
		KUNIT_EXPECT_EQ(test, sv_asid(domain), t->asid);
		KUNIT_EXPECT_EQ(test, 2U, sv_count_asids(t, 0));
		iommu_domain_free(domain);
		KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
		KUNIT_EXPECT_EQ(test, 1U, sv_count_asids(t, 0));
	}
	mmput(mm);
}

static const struct sv_flush {
	const char *desc;
	bool shared;
	bool ats;
	const char *all;
	const char *range;
} sv_flushes[] = {
	{ "shared", true, false, "", "" },
	{ "shared, ATS", true, true, "DAS", "DAS" },
	{ "private", false, false, "CS", "CS" },
	{ "private, ATS", false, true, "CSAS", "CSAS" },
};

KUNIT_ARRAY_PARAM_DESC(sv_flush, sv_flushes, desc);

/*
 * What arm64's flushes for an mm, which execute TLBIs themselves, ask of the
 * notifier. ATC_INV is behind a DSB or the SYNC of the commands.
 */
static void sv_notifier(struct kunit *test)
{
	const struct sv_flush *f = test->param_value;
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct vm_area_struct vma = { .vm_mm = mm };
	struct iommu_domain *domain;

	if (!f->shared)
		t->smmu[0].features &= ~ARM_SMMU_FEAT_BTM_S1;
	domain = sv_bind(test, 0, mm);
	sv_expect_shared(test, domain, mm, f->shared);
	sv_set(test, SV_PASID, domain, NULL);
	if (f->ats)
		sv_add_ats(test, domain);

	sv_clear(t);
	flush_tlb_mm(mm);
	KUNIT_EXPECT_STREQ(test, f->all, t->log);
	sv_clear(t);
	flush_tlb_range(&vma, SZ_2M, SZ_2M + PAGE_SIZE);
	KUNIT_EXPECT_STREQ(test, f->range, t->log);
	/* One of a batch, whose DSB comes later */
	sv_clear(t);
	__flush_tlb_page(&vma, SZ_2M, TLBF_NOSYNC);
	KUNIT_EXPECT_STREQ(test, f->range, t->log);

	sv_detach(test, SV_PASID, domain);
	iommu_domain_free(domain);
	mmput(mm);
}

/* A device that could have asked before the DSB is told behind it */
static void sv_join(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain = sv_bind(test, 0, mm);

	sv_set(test, SV_PASID, domain, NULL);
	t->smmu[0].features |= ARM_SMMU_FEAT_ATS;
	t->joins = domain;
	sv_clear(t);
	flush_tlb_mm(mm);
	KUNIT_EXPECT_STREQ(test, "DAS", t->log);

	sv_detach(test, SV_PASID, domain);
	iommu_domain_free(domain);
	mmput(mm);
}

/*
 * The mm exits while a device still has it: nothing is translated any more, and the
 * ASID is nobody else's until the domain is gone.
 */
static void sv_exit_mm(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain = sv_bind(test, 0, mm);
	u16 asid = sv_asid(domain);
	char *tlbi;

	sv_set(test, SV_PASID, domain, NULL);
	sv_set(test, SV_PASID + 1, domain, NULL);
	sv_add_ats(test, domain);
	sv_clear(t);
	/* Not the last reference to the struct, which the notifier has */
	mmput(mm);
	tlbi = strchr(t->log, 'T');
	KUNIT_ASSERT_NOT_NULL(test, tlbi);
	KUNIT_EXPECT_STREQ(test, "TDAS", tlbi);
	/* No CD is written behind it */
	KUNIT_EXPECT_TRUE(test, tlbi > strrchr(t->log, 'F'));
	KUNIT_EXPECT_EQ(test, asid, t->asid);
	KUNIT_EXPECT_EQ(test, (u64)CTXDESC_CD_0_TCR_EPD0,
			sv_cd(t, SV_PASID) & (CTXDESC_CD_0_TCR_EPD0 |
					      CTXDESC_CD_0_ASET));
	KUNIT_EXPECT_EQ(test, asid, sv_cd_asid(t, SV_PASID));
	KUNIT_EXPECT_EQ(test, sv_cd(t, SV_PASID), sv_cd(t, SV_PASID + 1));
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	KUNIT_EXPECT_PTR_EQ(test, (void *)to_smmu_domain(domain),
			    xa_load(&t->smmu[0].asid_xa, asid));

	sv_detach(test, SV_PASID + 1, domain);
	sv_detach(test, SV_PASID, domain);
	KUNIT_EXPECT_STREQ(test, "CS", t->log + t->nr_log - 2);
	KUNIT_EXPECT_EQ(test, asid, t->asid);
	mmgrab(mm);
	iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
	KUNIT_EXPECT_NULL(test, xa_load(&t->smmu[0].asid_xa, asid));
	mmdrop(mm);
}

/* The mm exits while the CD is cleared and the device still has the domain */
static void sv_exit_at_detach(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain = sv_bind(test, 0, mm);
	unsigned int used = t->master[0]->cd_table.used_ssids;
	struct sv_thread exits = { .mm = mm };

	sv_set(test, SV_PASID, domain, NULL);
	t->other = &exits;
	sv_detach(test, SV_PASID, domain);
	KUNIT_ASSERT_NULL(test, t->other);
	wait_for_completion(&exits.done);

	KUNIT_EXPECT_FALSE(test, sv_cd(t, SV_PASID) & CTXDESC_CD_0_V);
	KUNIT_EXPECT_EQ(test, used, t->master[0]->cd_table.used_ssids);
	iommu_domain_free(domain);
}

static void sv_install(struct kunit *test, bool ats, bool others)
{
	const bool waits = ats && others;
	struct sv_thread reader = { .limit = waits ? 100 : 5000 };
	struct arm_smmu_invs *invs = arm_smmu_invs_alloc(others);
	struct arm_smmu_invs __rcu *ptr = RCU_INITIALIZER(invs);
	struct arm_smmu_attach_state state = {
		.ats_enabled = ats,
		.new_domain_invst = {
			.invs_ptr = &ptr,
			.old_invs = invs,
			.new_invs = arm_smmu_invs_alloc(1),
		},
	};

	KUNIT_ASSERT_NOT_NULL(test, invs);
	KUNIT_ASSERT_NOT_NULL(test, state.new_domain_invst.new_invs);
	sv_start(test, &reader, sv_reader_thread);
	arm_smmu_install_new_domain_invs(&state);
	KUNIT_EXPECT_EQ_MSG(test, waits, READ_ONCE(reader.left),
			    "ATS %u, others %u", ats, others);
	WRITE_ONCE(reader.leave, true);
	wait_for_completion(&reader.done);
	kfree(state.new_domain_invst.new_invs);
}

/*
 * Who has loaded the array of before is waited for if it concerns an ATC and there is
 * something in the TLB that this could be filled from.
 */
static void sv_join_waits(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i != 4; i++)
		sv_install(test, i & 1, i & 2);
}

/*
 * Commands fail while the domain goes: the SMMU may still use the number, so it stays
 * pinned. Who has it next gets it on this SMMU when it is clean.
 */
static void sv_dirty(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain = sv_bind(test, 0, mm);
	u16 asid = sv_asid(domain);

	sv_set(test, SV_PASID, domain, NULL);
	t->hangs = true;
	sv_detach(test, SV_PASID, domain);
	iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	KUNIT_EXPECT_NOT_NULL(test, xa_load(&t->smmu[0].asid_xa, asid));

	domain = sv_bind(test, 0, mm);
	sv_expect_shared(test, domain, mm, false);
	iommu_domain_free(domain);
	/* Nothing is wrong with the other SMMU */
	domain = sv_bind(test, 1, mm);
	sv_expect_shared(test, domain, mm, true);
	iommu_domain_free(domain);

	t->hangs = false;
	sv_clear(t);
	domain = sv_bind(test, 0, mm);
	KUNIT_EXPECT_NOT_NULL(test, strchr(t->log, 'C'));
	KUNIT_EXPECT_EQ(test, asid, t->asid);
	sv_expect_shared(test, domain, mm, true);
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
	mmput(mm);
}

/* One mm on two SMMUs, and twice on one */
static void sv_smmus(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *domain[3];

	domain[0] = sv_bind(test, 0, mm);
	domain[1] = sv_bind(test, 1, mm);
	domain[2] = sv_bind(test, 0, mm);
	sv_expect_shared(test, domain[0], mm, true);
	sv_expect_shared(test, domain[1], mm, true);
	sv_expect_shared(test, domain[2], mm, false);
	KUNIT_EXPECT_EQ(test, 2U, sv_pins(mm));
	iommu_domain_free(domain[0]);
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	iommu_domain_free(domain[2]);
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	iommu_domain_free(domain[1]);
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
	KUNIT_EXPECT_EQ(test, 1U, sv_count_asids(t, 0));
	KUNIT_EXPECT_EQ(test, 0U, sv_count_asids(t, 1));
	mmput(mm);
}

/* A private domain has the number first, or comes later, with 8-bit ASIDs */
static void sv_collide(struct kunit *test)
{
	struct sv *t = test->priv;
	struct mm_struct *mm = sv_mm(test);
	struct iommu_domain *private[2], *domain, **more;
	unsigned int i, n;

	more = kunit_kcalloc(test, BIT(8), sizeof(*more), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, more);
	t->smmu[0].asid_bits = 8;
	for (i = 0; i < 2; i++) {
		private[i] = sv_private(t, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, private[i]);
		/* While there are others they stay away from those of the first mms */
		KUNIT_EXPECT_EQ(test, 128 + i, sv_asid(private[i]));
	}
	/* The second is odd, as it has to be with KPTI */
	sv_set_asid(mm, sv_asid(private[1]));
	domain = sv_bind(test, 0, mm);
	KUNIT_EXPECT_FALSE(test, sv_shared(domain));
	KUNIT_EXPECT_NE(test, sv_mm_asid(mm), sv_asid(domain));
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	sv_set(test, SV_PASID, domain, NULL);
	KUNIT_EXPECT_TRUE(test, sv_cd(t, SV_PASID) & CTXDESC_CD_0_ASET);
	sv_clear(t);
	flush_tlb_mm(mm);
	KUNIT_EXPECT_STREQ(test, "CS", t->log);
	KUNIT_EXPECT_EQ(test, sv_asid(domain), t->asid);
	sv_detach(test, SV_PASID, domain);
	iommu_domain_free(domain);
	for (i = 0; i < 2; i++)
		iommu_domain_free(private[i]);

	domain = sv_bind(test, 0, mm);
	sv_expect_shared(test, domain, mm, true);
	KUNIT_EXPECT_EQ(test, 2U, sv_pins(mm));
	for (n = 0; n < BIT(8); n++) {
		more[n] = sv_private(t, 0);
		if (IS_ERR(more[n]))
			break;
		KUNIT_EXPECT_NE(test, sv_asid(more[n]), sv_asid(domain));
	}
	/* All 255 but the mm's; that of the RID is larger */
	KUNIT_EXPECT_EQ(test, 254U, n);
	for (i = 0; i < n; i++)
		iommu_domain_free(more[i]);
	iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm));
	mmput(mm);
}

/* The ASID allocator's limit: as many pins as it gives, and none for one more mm */
static void sv_shortage(struct kunit *test)
{
	struct mm_struct *mm = sv_mm(test), *filler;
	struct iommu_domain *domain;
	unsigned long i, n;

	/* It looks at the context only */
	filler = vzalloc(array_size(BIT(16), sizeof(*filler)));
	KUNIT_ASSERT_NOT_NULL(test, filler);
	for (n = 0; n < BIT(16); n++)
		if (!arm64_mm_context_get(&filler[n]))
			break;
	kunit_info(test, "%lu pins\n", n);
	KUNIT_EXPECT_GT(test, n, 0UL);
	KUNIT_EXPECT_LT(test, n, BIT(16) - num_possible_cpus());

	domain = sv_bind(test, 0, mm);
	KUNIT_EXPECT_FALSE(test, sv_shared(domain));
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
	iommu_domain_free(domain);

	arm64_mm_context_put(&filler[0]);
	domain = sv_bind(test, 0, mm);
	sv_expect_shared(test, domain, mm, true);
	/* That was the last one */
	KUNIT_EXPECT_EQ(test, 0UL, arm64_mm_context_get(&filler[0]));
	iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm));
	KUNIT_EXPECT_NE(test, 0UL, arm64_mm_context_get(&filler[0]));

	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, 1U, sv_pins(&filler[i]));
		arm64_mm_context_put(&filler[i]);
	}
	mmput(mm);
	vfree(filler);
}

/* Bind with each allocation failing in turn, then with none */
static struct iommu_domain *sv_nomem_bind(struct kunit *test,
					  struct mm_struct *mm)
{
	struct sv *t = test->priv;
	unsigned int i, failed, pins = sv_pins(mm);
	unsigned int asids = sv_count_asids(t, 0);
	struct iommu_domain *domain;

	for (i = 0;; i++) {
		nomem_start(i);
		domain = sv_try_bind(t, 0, mm);
		failed = nomem_stop();
		if (!failed)
			break;
		/* kmemleak allocates as well, and can do without */
		if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && !IS_ERR(domain))
			iommu_domain_free(domain);
		else
			KUNIT_ASSERT_TRUE(test, IS_ERR(domain));
		KUNIT_EXPECT_EQ(test, pins, sv_pins(mm));
		KUNIT_EXPECT_EQ(test, asids, sv_count_asids(t, 0));
	}
	/* The domain, its array, and a node for the ASID or the notifier's memory */
	KUNIT_EXPECT_GE(test, i, 3U);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	sv_expect_shared(test, domain, mm, true);
	KUNIT_EXPECT_EQ(test, pins + 1, sv_pins(mm));
	return domain;
}

/* Whatever allocation fails: nothing stays pinned, and no number taken */
static void sv_nomem(struct kunit *test)
{
	struct mm_struct *mm[2] = { sv_mm(test), sv_mm(test) };
	struct iommu_domain *domain[2];

	nomem_init(test);
	domain[0] = sv_nomem_bind(test, mm[0]);
	/* There is a node for its neighbour, so that the notifier's memory is next */
	sv_set_asid(mm[1], sv_asid(domain[0]) ^ 2);
	domain[1] = sv_nomem_bind(test, mm[1]);
	iommu_domain_free(domain[1]);
	iommu_domain_free(domain[0]);
	KUNIT_EXPECT_EQ(test, 0U, sv_pins(mm[0]));
	KUNIT_EXPECT_EQ(test, 1U, sv_pins(mm[1]));
	mmput(mm[1]);
	mmput(mm[0]);
}

/**
 * struct sv_model - The number space of an SMMU with 8-bit ASIDs
 * @mm: mms whose ASIDs are pinned
 * @bound: the domain of each, if there is one
 * @private: private domains
 */
struct sv_model {
	struct mm_struct *mm[SV_MMS];
	struct iommu_domain *bound[SV_MMS];
	struct iommu_domain *private[SV_PRIVATE];
};

/* Who has the number? */
static unsigned int sv_model_owners(struct sv_model *m, u16 asid)
{
	unsigned int i, n = 0;

	for (i = 0; i < SV_MMS; i++)
		n += m->bound[i] && sv_asid(m->bound[i]) == asid;
	for (i = 0; i < SV_PRIVATE; i++)
		n += m->private[i] && sv_asid(m->private[i]) == asid;
	return n;
}

/* No two mms that are pinned have one ASID; that is the ASID allocator's part */
static void sv_model_new_asid(struct sv_model *m, struct rnd_state *rnd,
			      unsigned int i)
{
	unsigned int j;
	u16 asid;

	do {
		asid = 2 + prandom_u32_state(rnd) % 254;
		if (arm64_kernel_unmapped_at_el0())
			asid |= 1;
		for (j = 0; j < SV_MMS; j++)
			if (j != i && sv_mm_asid(m->mm[j]) == asid)
				break;
	} while (j < SV_MMS);
	sv_set_asid(m->mm[i], asid);
}

static void sv_model_mm(struct kunit *test, struct sv_model *m,
			struct rnd_state *rnd, unsigned int *shared)
{
	unsigned int i = prandom_u32_state(rnd) % SV_MMS;
	bool free;

	if (m->bound[i]) {
		iommu_domain_free(m->bound[i]);
		m->bound[i] = NULL;
		KUNIT_EXPECT_EQ(test, 1U, sv_pins(m->mm[i]));
		return;
	}
	sv_model_new_asid(m, rnd, i);
	free = !sv_model_owners(m, sv_mm_asid(m->mm[i]));
	m->bound[i] = sv_bind(test, 0, m->mm[i]);
	KUNIT_EXPECT_EQ(test, free, sv_shared(m->bound[i]));
	KUNIT_EXPECT_EQ(test, free ? 2U : 1U, sv_pins(m->mm[i]));
	KUNIT_EXPECT_EQ(test, free,
			sv_asid(m->bound[i]) == sv_mm_asid(m->mm[i]));
	KUNIT_EXPECT_EQ(test, 1U, sv_model_owners(m, sv_asid(m->bound[i])));
	shared[free]++;
}

static void sv_model_private(struct kunit *test, struct sv_model *m,
			     struct rnd_state *rnd)
{
	unsigned int i = prandom_u32_state(rnd) % SV_PRIVATE;

	if (m->private[i]) {
		iommu_domain_free(m->private[i]);
		m->private[i] = NULL;
		return;
	}
	m->private[i] = sv_private(test->priv, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->private[i]);
	KUNIT_EXPECT_EQ(test, 1U, sv_model_owners(m, sv_asid(m->private[i])));
}

/* No number has two owners, ever, and an mm has its own if nobody else has */
static void sv_numbers(struct kunit *test)
{
	struct sv_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i, shared[2] = {};
	struct sv *t = test->priv;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	t->smmu[0].asid_bits = 8;
	prandom_seed_state(&rnd, 0x5a);
	for (i = 0; i < SV_MMS; i++)
		m->mm[i] = sv_mm(test);
	for (i = 0; i < SV_STEPS && test->status != KUNIT_FAILURE; i++) {
		if (prandom_u32_state(&rnd) & 1)
			sv_model_mm(test, m, &rnd, shared);
		else
			sv_model_private(test, m, &rnd);
	}
	kunit_info(test, "of %u mms %u have their ASID\n",
		   shared[0] + shared[1], shared[1]);
	KUNIT_EXPECT_GT(test, shared[0], 100U);
	KUNIT_EXPECT_GT(test, shared[1], 100U);

	for (i = 0; i < SV_PRIVATE; i++)
		if (m->private[i])
			iommu_domain_free(m->private[i]);
	for (i = 0; i < SV_MMS; i++) {
		if (m->bound[i])
			iommu_domain_free(m->bound[i]);
		KUNIT_EXPECT_EQ(test, 1U, sv_pins(m->mm[i]));
		mmput(m->mm[i]);
	}
	KUNIT_EXPECT_EQ(test, 1U, sv_count_asids(t, 0));
}

/*
 * Local flushes. Another CPU stands for the device: it has an entry for the page,
 * which a TLBI that is not broadcast leaves to it.
 */

/**
 * struct sv_reader - Reads the page twice on another CPU
 * @mm: in which
 * @addr: where
 * @val: what it has read
 * @ret: of the reads
 * @step: 1: it has read once; 2: it may go on
 * @done: it has read twice
 */
struct sv_reader {
	struct mm_struct *mm;
	u32 __user *addr;
	u32 val[2];
	int ret;
	int step;
	struct completion done;
};

static int sv_read(void *data)
{
	struct sv_reader *r = data;

	kthread_use_mm(r->mm);
	/* A switch of the mm would drop the entry */
	preempt_disable();
	pagefault_disable();
	r->ret = __get_user(r->val[0], r->addr);
	/* Pairs with the load in sv_local() */
	smp_store_release(&r->step, 1);
	smp_cond_load_acquire(&r->step, VAL == 2);
	r->ret |= __get_user(r->val[1], r->addr);
	pagefault_enable();
	preempt_enable();
	kthread_unuse_mm(r->mm);
	complete(&r->done);
	return 0;
}

/* Change *@data and the PTE for each other */
static int sv_swap_pte(pte_t *ptep, unsigned long addr, void *data)
{
	pte_t *pte = data, old = __ptep_get(ptep);

	__set_pte(ptep, *pte);
	*pte = old;
	return 0;
}

static int sv_get_pte(pte_t *ptep, unsigned long addr, void *data)
{
	*(pte_t *)data = __ptep_get(ptep);
	return 0;
}

static void sv_local(struct kunit *test)
{
	int cpu = cpumask_any_but(cpu_online_mask, 0);
	unsigned long page;
	struct vm_area_struct vma = {};
	struct sv_reader r = {};
	struct task_struct *task;
	u32 __user *user;
	pte_t pte;

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	page = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0UL, page);
	user = (u32 __user *)page;
	KUNIT_ASSERT_EQ(test, 0, put_user(1, user));
	KUNIT_ASSERT_EQ(test, 0, put_user(2, user + PAGE_SIZE / sizeof(*user)));
	KUNIT_ASSERT_EQ(test, 0, set_cpus_allowed_ptr(current, cpumask_of(0)));

	r.mm = current->mm;
	vma.vm_mm = r.mm;
	r.addr = user;
	init_completion(&r.done);
	KUNIT_ASSERT_NE(test, 0UL, arm64_mm_context_get(r.mm));
	task = kthread_create(sv_read, &r, "sv_read");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_bind(task, cpu);
	wake_up_process(task);

	smp_cond_load_acquire(&r.step, VAL == 1);
	apply_to_page_range(r.mm, page + PAGE_SIZE, PAGE_SIZE, sv_get_pte, &pte);
	apply_to_page_range(r.mm, page, PAGE_SIZE, sv_swap_pte, &pte);
	flush_tlb_fix_spurious_fault(&vma, page, NULL);
	/* Pairs with the load in sv_read(): what follows there is behind the flush */
	smp_store_release(&r.step, 2);
	wait_for_completion(&r.done);
	apply_to_page_range(r.mm, page, PAGE_SIZE, sv_swap_pte, &pte);
	flush_tlb_page(&vma, page);
	arm64_mm_context_put(r.mm);
	set_cpus_allowed_ptr(current, cpu_possible_mask);

	KUNIT_EXPECT_EQ(test, 0, r.ret);
	KUNIT_EXPECT_EQ(test, 1U, r.val[0]);
	KUNIT_EXPECT_EQ(test, 2U, r.val[1]);
}

static void sv_init_smmu(struct kunit *test, unsigned int i)
{
	struct sv *t = test->priv;
	struct arm_smmu_device *smmu = &t->smmu[i];

	smmu->dev = kunit_device_register(test, i ? "sva-test-smmu1" :
						    "sva-test-smmu0");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, smmu->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(smmu->dev,
						     DMA_BIT_MASK(64)));
	smmu->features = ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_COHERENCY |
			 ARM_SMMU_FEAT_RANGE_INV | ARM_SMMU_FEAT_SVA |
			 ARM_SMMU_FEAT_BTM | ARM_SMMU_FEAT_BTM_S1;
	smmu->asid_bits = 16;
	xa_init_flags(&smmu->asid_xa, XA_FLAGS_ALLOC1);
	smmu->oas = 48;
	smmu->pgsize_bitmap = PAGE_SIZE | PMD_SIZE | PUD_SIZE;
	smmu->strtab_cfg.linear.table = t->ste;
	mutex_init(&smmu->streams_mutex);
}

static void sv_init_device(struct kunit *test, unsigned int i)
{
	struct sv *t = test->priv;

	t->dev[i] = kunit_device_register(test, i ? "sva-test1" : "sva-test0");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->dev[i]);
	t->master[i] = kzalloc_obj(*t->master[i]);
	KUNIT_ASSERT_NOT_NULL(test, t->master[i]);
	t->master[i]->smmu = &t->smmu[i];
	t->master[i]->dev = t->dev[i];
	t->iommu[i].priv = t->master[i];
	t->iommu[i].fwspec = kunit_kzalloc(test, sizeof(*t->iommu[i].fwspec),
					   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->iommu[i].fwspec);
	t->dev[i]->iommu = &t->iommu[i];
}

static int sv_init(struct kunit *test)
{
	struct sv *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	kunit_activate_static_stub(test, __arm_smmu_cmdq_issue_cmdlist,
				   sv_issue);
	kunit_activate_static_stub(test, arm_smmu_inv_tlbi, sv_tlbi);
	kunit_activate_static_stub(test, arm_smmu_tlbi_sync, sv_tlbi_sync);
	for (i = 0; i < SV_SMMUS; i++) {
		sv_init_smmu(test, i);
		sv_init_device(test, i);
	}

	t->stream.id = SV_SID;
	arm_smmu_make_abort_ste(&t->ste[SV_SID]);
	t->master[0]->ssid_bits = 4;
	t->master[0]->streams = &t->stream;
	t->master[0]->num_streams = 1;
	t->master[0]->build_invs = arm_smmu_invs_alloc(4);
	KUNIT_ASSERT_NOT_NULL(test, t->master[0]->build_invs);
	t->group = iommu_group_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->group);
	KUNIT_ASSERT_EQ(test, 0, iommu_group_add_device(t->group, t->dev[0]));

	t->rid = arm_smmu_ops.domain_alloc_paging_flags(t->dev[0],
							IOMMU_HWPT_ALLOC_PASID,
							NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->rid);
	sv_set(test, IOMMU_NO_PASID, t->rid, arm_smmu_ops.blocked_domain);
	/* One more PASID, see arm-smmu-v3-pasid-test.c */
	t->master[0]->cd_table.used_ssids++;
	return 0;
}

static void sv_exit(struct kunit *test)
{
	struct sv *t = test->priv;

	if (!t || IS_ERR_OR_NULL(t->rid))
		return;
	t->master[0]->cd_table.used_ssids--;
	KUNIT_EXPECT_EQ(test, 0U, t->master[0]->cd_table.used_ssids);
	sv_detach(test, IOMMU_NO_PASID, t->rid);
	iommu_group_remove_device(t->dev[0]);
	/* These are not those of arm_smmu_insert_master() */
	t->master[0]->streams = NULL;
	kfree(t->master[0]->build_invs);
	arm_smmu_ops.release_device(t->dev[0]);
	iommu_group_put(t->group);
	t->dev[0]->iommu = NULL;
	t->dev[1]->iommu = NULL;
	kfree(t->master[1]);
	iommu_domain_free(t->rid);
	/* The notifiers' memory is freed later */
	mmu_notifier_synchronize();
	KUNIT_EXPECT_EQ(test, 0U, sv_count_asids(t, 0));
	KUNIT_EXPECT_EQ(test, 0U, sv_count_asids(t, 1));
}

static struct kunit_case sv_cases[] = {
	KUNIT_CASE(sv_predicate),
	KUNIT_CASE(sv_attach),
	KUNIT_CASE_PARAM(sv_notifier, sv_flush_gen_params),
	KUNIT_CASE(sv_join),
	KUNIT_CASE(sv_exit_mm),
	KUNIT_CASE(sv_exit_at_detach),
	KUNIT_CASE(sv_join_waits),
	KUNIT_CASE(sv_dirty),
	KUNIT_CASE(sv_smmus),
	KUNIT_CASE(sv_collide),
	KUNIT_CASE(sv_shortage),
	KUNIT_CASE(sv_nomem),
	KUNIT_CASE(sv_numbers),
	KUNIT_CASE(sv_local),
	{}
};

static struct kunit_suite sv_suite = {
	.name = "arm-smmu-v3-sva",
	.init = sv_init,
	.exit = sv_exit,
	.test_cases = sv_cases,
};

kunit_test_suite(sv_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for SVA domains of an SMMUv3 with the ASID of the mm");
MODULE_LICENSE("GPL");
