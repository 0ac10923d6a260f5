// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the VMIDs of an SMMUv3 when something fails: commands, and the
 * attachment of a group. The SMMU is that of arm-smmu-v3-vmid-test.c, and so is what
 * it asks at each command.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>

#include "arm-smmu-v3-vmid-test.h"
#include "arm-smmu-v3-nomem-test.h"

/* A group of two devices. Device 0 stays out of it. */

/* As __iommu_device_set_domain(), if it must succeed */
static void ve_revert_dev(struct vt *t, unsigned int dev,
			  struct iommu_domain *domain)
{
	struct iommu_domain *from = t->devs[dev].cur;

	if (!vt_attach(t, dev, domain))
		return;
	vt_detach(t, dev);
	KUNIT_EXPECT_PTR_NE(t->test, from, t->devs[dev].cur);
	/* The core does not know what it has come to */
	t->devs[dev].cur = domain;
}

/* As __iommu_group_set_domain_internal() */
static int ve_set_group(struct vt *t, struct iommu_domain *domain)
{
	struct iommu_domain *old = t->devs[1].cur;
	unsigned int dev;
	int ret;

	KUNIT_ASSERT_PTR_EQ(t->test, t->devs[2].cur, old);
	for (dev = 1; dev != VT_DEVS; dev++) {
		ret = vt_attach(t, dev, domain);
		if (ret)
			break;
	}
	if (!ret)
		return 0;
	while (--dev)
		ve_revert_dev(t, dev, old);
	return ret;
}

static void ve_expect_clean(struct vt *t)
{
	unsigned int id;

	for (id = 0; id != VT_VMIDS; id++)
		KUNIT_EXPECT_EQ_MSG(t->test, t->tlb[id].s2ttb, 0ULL,
				    "VMID %u is cached", id);
}

struct ve_group {
	bool shared;
	bool evict;
	const char *desc;
};

static const struct ve_group ve_groups[] = {
	{ false, false, "private" },
	{ false, true, "private, moved" },
	{ true, false, "shared" },
};

KUNIT_ARRAY_PARAM_DESC(ve_group, ve_groups, desc);

/*
 * One vDEVICE of two is moved to another vSMMU. The replacement fails at the second
 * device, and for the first one there is no way back.
 */
static void ve_group_one_moved(struct kunit *test)
{
	const struct ve_group *p = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct iommu_domain *nested_a, *nested_b;
	struct arm_vsmmu *a, *b;
	u16 id;

	vt_need_kvm(t);
	if (p->shared)
		t->smmu.features |= ARM_SMMU_FEAT_BTM;
	a = vt_must_vsmmu(t, s2, p->shared ? &t->vms[0] : NULL,
			  p->shared ? VT_SHARE : 0);
	b = vt_must_vsmmu(t, s2, NULL, 0);
	nested_a = vt_nested(t, a, STRTAB_STE_0_CFG_S1_TRANS);
	nested_b = vt_nested(t, b, STRTAB_STE_0_CFG_S1_TRANS);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, a, NULL), 0);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 2, a, NULL), 0);
	KUNIT_ASSERT_EQ(test, ve_set_group(t, nested_a), 0);

	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, b, NULL), 0);
	KUNIT_EXPECT_NE(test, ve_set_group(t, nested_b), 0);
	vt_expect_users(t, s2, a->vmid->id, 1);
	vt_expect_users(t, s2, b->vmid->id, 0);
	if (p->evict)
		KUNIT_EXPECT_EQ(test, vt_evict(a->vmid), 0);
	id = a->vmid->id;

	/* The first device has no part in it, the second one's goes */
	vt_clear_log(t);
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	vt_expect_users(t, s2, id, 1);
	KUNIT_EXPECT_EQ(test, vt_detach(t, 2), 0);
	vt_expect_users(t, s2, id, 0);
	ve_expect_clean(t);

	vt_free_vsmmu(t, b);
	vt_free_vsmmu(t, a);
	vt_free_s2(t, s2);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 0);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
}

/* No vDEVICE is where it has to be, or both are */
static void ve_group_both_moved(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *a = vt_must_vsmmu(t, s2, NULL, 0);
	struct arm_vsmmu *b = vt_must_vsmmu(t, s2, NULL, 0);
	struct iommu_domain *nested_a, *nested_b;

	nested_a = vt_nested(t, a, STRTAB_STE_0_CFG_S1_TRANS);
	nested_b = vt_nested(t, b, STRTAB_STE_0_CFG_S1_TRANS);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, a, NULL), 0);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 2, a, NULL), 0);
	KUNIT_ASSERT_EQ(test, ve_set_group(t, nested_a), 0);
	vt_clear_log(t);
	KUNIT_EXPECT_NE(test, ve_set_group(t, nested_b), 0);
	KUNIT_EXPECT_EQ(test, t->nr_log, 0);
	vt_expect_users(t, s2, a->vmid->id, 2);

	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, b, NULL), 0);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 2, b, NULL), 0);
	KUNIT_EXPECT_EQ(test, ve_set_group(t, nested_b), 0);
	vt_expect_users(t, s2, a->vmid->id, 0);
	vt_expect_users(t, s2, b->vmid->id, 2);
	KUNIT_EXPECT_EQ(test, vt_evict(a->vmid), 0);
	KUNIT_EXPECT_EQ(test, vt_evict(b->vmid), 0);
	KUNIT_EXPECT_EQ(test, ve_set_group(t, arm_smmu_ops.blocked_domain), 0);
	ve_expect_clean(t);
}

/*
 * From each kind of attachment to each other one, with an allocation failing and
 * all after it. So there is no memory for the way back either.
 */
static void ve_group_nomem(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, 0);
	struct iommu_domain *domains[] = {
		&s2->domain,
		&s2_b->domain,
		vt_nested(t, vsmmu, STRTAB_STE_0_CFG_BYPASS),
		vt_nested(t, vsmmu, STRTAB_STE_0_CFG_S1_TRANS),
	};
	unsigned int from, to, after, failed, half = 0;
	int ret;

	nomem_init(test);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, vsmmu, NULL), 0);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 2, vsmmu, NULL), 0);
	for (from = 0; from != ARRAY_SIZE(domains); from++) {
		for (to = 0; to != ARRAY_SIZE(domains); to++) {
			for (after = 0, failed = 1; failed && from != to; after++) {
				KUNIT_ASSERT_EQ(test,
						ve_set_group(t, domains[from]), 0);
				nomem_start(after);
				ret = ve_set_group(t, domains[to]);
				failed = nomem_stop();
				half += ret && t->nr_log;
				KUNIT_EXPECT_EQ(test, ret,
						ret ? -ENOMEM : 0);
				vt_detach(t, 1);
				vt_detach(t, 2);
				ve_expect_clean(t);
				vt_clear_log(t);
				KUNIT_ASSERT_LT(test, after, 64);
			}
		}
	}
	/* Often the first device had its new domain when the second one failed */
	KUNIT_EXPECT_GT(test, half, ARRAY_SIZE(domains));
}

/* Whose error it is */

struct ve_other {
	enum vt_fault fault;
	struct vt_guest guest;
	unsigned int failed;
};

/* In the middle of what the test does, a guest's batch goes wrong */
static void ve_other_cmds(struct vt *t, const struct vt_cmd *cmd)
{
	struct ve_other *other = t->data;
	unsigned int syncs = t->syncs;

	t->at_cmd = NULL;
	t->fault = other->fault;
	t->fail_at = t->syncs + 1;
	other->guest.num = 1;
	/* It must be the SMMU that fails it */
	if (vt_guest_issue(&other->guest) && t->syncs == syncs + 1)
		other->failed++;
	t->fail_at = 0;
	t->at_cmd = ve_other_cmds;
}

static const enum vt_fault ve_faults[] = { VT_CERROR, VT_TIMEOUT };

static void ve_fault_desc(const enum vt_fault *fault, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s",
		 *fault == VT_CERROR ? "CERROR" : "timeout");
}

KUNIT_ARRAY_PARAM(ve_fault, ve_faults, ve_fault_desc);

/* An error of one tenant's commands makes no number of another one dirty */
static void ve_other_fails(struct kunit *test)
{
	const enum vt_fault *fault = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_other = vt_new_s2(t);
	struct ve_other other = { .fault = *fault, .guest.t = t };
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	other.guest.vsmmu = vt_must_vsmmu(t, s2_other, NULL, 0);
	vt_attach_translate(t, 2, other.guest.vsmmu, NULL);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	vt_guest_cmd(t, 0, CMDQ_OP_CFGI_CD_ALL |
				   FIELD_PREP(CMDQ_CFGI_0_SID, 0x102));

	t->data = &other;
	t->at_cmd = ve_other_cmds;
	KUNIT_EXPECT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->dirty);
	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
	KUNIT_EXPECT_NULL(test, vt_find(t, VT_TOP));
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	t->at_cmd = NULL;
	KUNIT_EXPECT_FALSE(test, s2->s2_cfg.vmid->dirty);
	/* Of the attachment 5, of the move 2, of the detachment 3 */
	KUNIT_EXPECT_GE(test, other.failed, 10);

	/* For itself it has no meaning beyond the answer to the guest */
	KUNIT_EXPECT_FALSE(test, s2_other->s2_cfg.vmid->dirty);
}

/* What becomes of a number whose commands failed */

/* A table that is attached once, and then nothing works any more */
static void ve_leave_dirty(struct vt *t)
{
	struct arm_smmu_domain *s2 = vt_new_s2(t);

	KUNIT_ASSERT_EQ(t->test, vt_attach(t, 1, &s2->domain), 0);
	t->hangs_from = 1;
	KUNIT_ASSERT_EQ(t->test, vt_detach(t, 1), 0);
	vt_free_s2(t, s2);
	t->hangs_from = 0;
	vt_clear_log(t);
}

/* No number is lost for good, however often it happens */
static void ve_lose_none(struct kunit *test)
{
	const enum vt_fault *fault = test->param_value;
	struct vt *t = test->priv;
	unsigned int i;

	t->fault = *fault;
	for (i = 0; i != 300; i++)
		ve_leave_dirty(t);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), VT_TOP);

	for (i = 0; i != VT_TOP; i++) {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vt_alloc(t, NULL));
		vt_clear_log(t);
	}
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vt_alloc(t, NULL)), -ENOSPC);
	ve_expect_clean(t);
	for (i = 1; i <= VT_TOP; i++)
		vt_put(vt_find(t, i));
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 0);
}

/* Leave the private number of a table, or the one that a vSMMU has had, dirty */
static struct arm_smmu_domain *ve_dirty_table(struct vt *t, bool shared)
{
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = NULL;

	if (shared) {
		vsmmu = vt_must_share(t, s2, &t->vms[0]);
		vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	} else {
		KUNIT_ASSERT_EQ(t->test, vt_attach(t, 1, &s2->domain), 0);
	}
	/* The STE stays in the cache, the TLBI is carried out */
	vt_clear_log(t);
	t->fail_at = 1;
	KUNIT_ASSERT_EQ(t->test, vt_detach(t, 1), 0);
	t->fail_at = 0;
	if (vsmmu) {
		t->hangs_from = 1;
		vt_free_vsmmu(t, vsmmu);
		t->hangs_from = 0;
	}
	vt_clear_log(t);
	return s2;
}

struct ve_table {
	enum vt_fault fault;
	bool shared;
	const char *desc;
};

static const struct ve_table ve_tables[] = {
	{ VT_CERROR, false, "CERROR" },
	{ VT_TIMEOUT, false, "timeout" },
	{ VT_CERROR, true, "CERROR, shared" },
	{ VT_TIMEOUT, true, "timeout, shared" },
};

KUNIT_ARRAY_PARAM_DESC(ve_table, ve_tables, desc);

/* At the free, each command of the cleaning fails, and then none */
static void ve_table_is_kept(struct kunit *test)
{
	const struct ve_table *p = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2;
	unsigned int at;

	vt_need_kvm(t);
	t->fault = p->fault;
	for (at = 1; at <= 3; at++) {
		s2 = ve_dirty_table(t, p->shared);
		KUNIT_EXPECT_EQ(test, vt_count_tables(t), 1);
		t->fail_at = at;
		vt_free_s2(t, s2);
		KUNIT_EXPECT_EQ(test, vt_count_tables(t), at == 3 ? 0 : 1);
		KUNIT_EXPECT_EQ(test, t->syncs, min(at, 2));
		KUNIT_EXPECT_EQ(test, vt_count_vmids(t), at == 3 ? 0 : 1);

		/* The next table that is freed takes it along */
		vt_clear_log(t);
		vt_free_s2(t, vt_new_s2(t));
		KUNIT_EXPECT_EQ(test, t->syncs, at == 3 ? 0 : 2);
		KUNIT_EXPECT_EQ(test, vt_count_tables(t), 0);
		KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 0);
		KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
		vt_check(t);
	}
}

/* It goes with the last of its numbers, however that one is given up */
static void ve_table_two_numbers(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2;
	u16 id;

	vt_need_kvm(t);
	t->fault = VT_TIMEOUT;
	s2 = ve_dirty_table(t, true);
	id = s2->s2_cfg.vmid->id;
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	t->hangs_from = 1;
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_free_s2(t, s2);
	t->hangs_from = 0;
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 2);
	KUNIT_EXPECT_EQ(test, vt_count_tables(t), 1);

	KUNIT_EXPECT_EQ(test, vt_evict(vt_find(t, 1)), 0);
	KUNIT_EXPECT_EQ(test, vt_count_tables(t), 1);
	KUNIT_EXPECT_EQ(test, vt_evict(vt_find(t, id)), 0);
	KUNIT_EXPECT_EQ(test, vt_count_tables(t), 0);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 0);
}

/* A queue that hangs is waited for once for each request */
static void ve_hang_once(struct kunit *test)
{
	struct vt *t = test->priv;
	unsigned int i;

	vt_need_kvm(t);
	for (i = 0; i != VT_TOP; i++)
		ve_leave_dirty(t);
	t->fault = VT_TIMEOUT;
	t->hangs_from = 1;
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vt_alloc(t, NULL)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
	KUNIT_EXPECT_EQ(test, vt_evict(vt_find(t, 7)), -EBUSY);
	KUNIT_EXPECT_EQ(test, t->syncs, 2);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), VT_TOP);

	t->hangs_from = 0;
	vt_clear_log(t);
	KUNIT_EXPECT_EQ(test, vt_evict(vt_find(t, 7)), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 2);
	KUNIT_EXPECT_NULL(test, vt_find(t, 7));
}

/* The last user tries again: what could not be done then can be done now */
static void ve_clean_at_put(struct kunit *test)
{
	const enum vt_fault *fault = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;
	unsigned int at;

	vt_need_kvm(t);
	for (at = 1; at <= 3; at++) {
		vsmmu = vt_must_share(t, s2, &t->vms[0]);
		vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
		vt_clear_log(t);
		t->fault = *fault;
		t->fail_at = at;
		KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
		KUNIT_EXPECT_TRUE(test, vsmmu->vmid->dirty);
		vt_clear_log(t);
		vt_free_vsmmu(t, vsmmu);
		VT_EXPECT_LOG(t, VT_CFGI_ALL, VT_SYNC, VT_VMALL(1), VT_SYNC);
		KUNIT_EXPECT_NULL(test, vt_find(t, 1));
		KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	}
}

/* The same VM comes again, or another table has been left with its number */
static void ve_clean_at_claim(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b;
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	t->hangs_from = 1;
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(vt_new_vsmmu(t, s2, &t->vms[0],
						     VT_SHARE)),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	t->hangs_from = 0;
	vt_clear_log(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	VT_EXPECT_LOG(t, VT_CFGI_ALL, VT_SYNC, VT_VMALL(1), VT_SYNC);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);

	/* A table that is still there, with a device */
	s2_b = vt_new_s2(t);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 0, &s2_b->domain), 0);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2_b->domain), 0);
	vt_clear_log(t);
	t->fail_at = 1;
	KUNIT_ASSERT_EQ(test, vt_detach(t, 2), 0);
	KUNIT_EXPECT_TRUE(test, s2_b->s2_cfg.vmid->dirty);
	t->vms[1].pin.vmid = s2_b->s2_cfg.vmid->id;
	vt_must_share(t, vt_new_s2(t), &t->vms[1]);
	KUNIT_EXPECT_NE(test, s2_b->s2_cfg.vmid->id, t->vms[1].pin.vmid);
	KUNIT_EXPECT_FALSE(test, s2_b->s2_cfg.vmid->dirty);
	KUNIT_EXPECT_EQ(test, vt_detach(t, 0), 0);
	vt_check(t);
}

/* A table's own number, for the next guest over it */
static void ve_clean_at_next_guest(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, 0);

	vt_attach_translate(t, 1, vsmmu, NULL);
	vt_clear_log(t);
	t->fail_at = 1;
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_TRUE(test, s2->s2_cfg.vmid->dirty);
	vsmmu = vt_must_vsmmu(t, s2, NULL, 0);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->dirty);
	vt_attach_translate(t, 1, vsmmu, NULL);

	/* What an earlier failure has left in the array does not keep it */
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	ve_expect_clean(t);
}

/* A command of a move fails, once: in the end the number is free */
static void ve_move_fails_once(struct kunit *test)
{
	const enum vt_fault *fault = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	unsigned int at;
	u16 id;

	KUNIT_ASSERT_EQ(test, vt_attach(t, 0, &s2->domain), 0);
	/* The first is before the move */
	for (at = 2; at <= 4; at++) {
		id = s2->s2_cfg.vmid->id;
		vt_clear_log(t);
		t->fault = *fault;
		t->fail_at = at;
		KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
		KUNIT_EXPECT_EQ(test, t->syncs, 6);
		KUNIT_EXPECT_NULL(test, vt_find(t, id));
		vt_expect_users(t, s2, id, 0);
		vt_expect_users(t, s2, s2->s2_cfg.vmid->id, 1);
	}
}

/*
 * Nothing works any more from somewhere in a move on. The SMMU may use the old number,
 * so a command of the guest is not complete before that is clean.
 */
static void ve_move_then_guest(struct kunit *test)
{
	const enum vt_fault *fault = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct vt_guest guest = { .t = t };
	unsigned int from, i;

	guest.vsmmu = vt_must_vsmmu(t, s2, NULL, 0);
	vt_attach_translate(t, 1, guest.vsmmu, NULL);
	vt_guest_cmd(t, 0, CMDQ_OP_TLBI_NH_ALL);
	t->fault = *fault;
	/* The first is before the move; of STE and TLB each has its own */
	for (from = 2; from <= 3; from++) {
		u16 id = guest.vsmmu->vmid->id;
		const struct vt_cmd settled[] = {
			VT_CFGI_ALL, VT_SYNC, VT_VMALL(id), VT_SYNC,
			VT_NH_ALL(from == 2 ? VT_TOP - 1 : VT_TOP), VT_SYNC,
		};

		vt_clear_log(t);
		t->hangs_from = from;
		KUNIT_EXPECT_EQ(test, vt_evict(guest.vsmmu->vmid), 0);
		KUNIT_EXPECT_NE(test, guest.vsmmu->vmid->id, id);
		KUNIT_EXPECT_NOT_NULL(test, vt_find(t, id));

		vt_clear_log(t);
		t->hangs_from = 1;
		guest.num = 1;
		KUNIT_EXPECT_NE(test, vt_guest_issue(&guest), 0);
		KUNIT_EXPECT_EQ(test, guest.num, 0);
		for (i = 0; i < t->nr_log; i++)
			KUNIT_EXPECT_NE(test, t->log[i].op, CMDQ_OP_TLBI_NH_ALL);
		KUNIT_EXPECT_EQ(test, vt_evict(guest.vsmmu->vmid), -EBUSY);

		/* Nor does it move again, when the queue runs but the TLBI fails */
		t->hangs_from = 0;
		vt_clear_log(t);
		t->fail_at = 2;
		KUNIT_EXPECT_EQ(test, vt_evict(guest.vsmmu->vmid), -EBUSY);
		KUNIT_EXPECT_NOT_NULL(test, vt_find(t, id));
		vt_clear_log(t);
		guest.num = 1;
		KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), 0);
		vt_expect_log(t, settled, ARRAY_SIZE(settled));
		KUNIT_EXPECT_NULL(test, vt_find(t, id));

		vt_clear_log(t);
		KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), 0);
		KUNIT_EXPECT_EQ(test, t->syncs, 1);
	}
}

/* An SMMU that needs each TLBI and CFGI twice */

static bool ve_repeats(void)
{
	return true;
}

static void ve_erratum_repeat(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	unsigned int at;

	kunit_activate_static_stub(test, arm_smmu_erratum_repeat_tlbi_cfgi,
				   ve_repeats);
	/* An illegal command does not keep the others of its list from being repeated */
	t->fault = VT_CERROR;
	for (at = 1; at <= 4; at++) {
		KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
		vt_clear_log(t);
		t->fail_at = at;
		KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
		KUNIT_EXPECT_EQ(test, t->nr_log, 12);
		KUNIT_EXPECT_EQ(test, t->syncs, 6);
		KUNIT_EXPECT_TRUE(test, s2->s2_cfg.vmid->dirty);
		s2->s2_cfg.vmid->dirty = false;
	}
	/* But a queue that hangs is not waited for again */
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	vt_clear_log(t);
	t->fault = VT_TIMEOUT;
	t->fail_at = 1;
	KUNIT_EXPECT_EQ(test, vt_detach(t, 1), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 5);
	KUNIT_EXPECT_TRUE(test, s2->s2_cfg.vmid->dirty);
}

/* The real command queue, with a thread that plays the SMMU */

/* The driver takes no queue with fewer entries than a long has bits */
#define VE_SHIFT	7
#define VE_ILLEGAL	0xbad
#define VE_ATC_STUCK	0xa7c

struct ve_queue {
	struct arm_smmu_cmdq cmdq;
	struct arm_smmu_device *smmu;
	u32 regs[2];
	unsigned int skipped;
	bool stuck;
	struct task_struct *thread;
};

static bool ve_wants_msi(u64 cmd)
{
	return FIELD_GET(CMDQ_0_OP, cmd) == CMDQ_OP_CMD_SYNC &&
	       FIELD_GET(CMDQ_SYNC_0_CS, cmd) == CMDQ_SYNC_0_CS_IRQ;
}

/* Carry out one command; returns false if the SMMU would wait */
static bool ve_consume(struct ve_queue *q, u32 *cons)
{
	__le64 *ent = q->cmdq.q.base;
	u64 arg;

	ent += (*cons & (BIT(VE_SHIFT) - 1)) * CMDQ_ENT_DWORDS;
	arg = le64_to_cpu(READ_ONCE(ent[1]));
	if (arg == VE_ATC_STUCK && READ_ONCE(q->stuck))
		return false;
	if (arg == VE_ILLEGAL) {
		WRITE_ONCE(q->regs[1],
			   *cons | FIELD_PREP(CMDQ_CONS_ERR,
					      CMDQ_ERR_CERROR_ILL_IDX));
		__arm_smmu_cmdq_skip_err(q->smmu, &q->cmdq);
		q->skipped++;
		/* As writel() to GERRORN, upon which the SMMU goes on */
		wmb();
		return true;
	}
	*cons = (*cons + 1) & (BIT(VE_SHIFT + 1) - 1);
	/* What the commands did is seen before their completion */
	smp_store_release(&q->regs[1], *cons);
	if (ve_wants_msi(le64_to_cpu(ent[0])))
		WRITE_ONCE(*(u32 *)ent, 0);
	return true;
}

static int ve_smmu_thread(void *data)
{
	struct ve_queue *q = data;
	u32 cons = 0;

	while (!kthread_should_stop()) {
		/* The commands are read after that */
		u32 prod = smp_load_acquire(&q->regs[0]);

		if (prod == cons || !ve_consume(q, &cons))
			cond_resched();
	}
	return 0;
}

static struct ve_queue *ve_start_queue(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_queue *eq;
	struct ve_queue *q;

	if (num_online_cpus() < 2)
		kunit_skip(test, "the driver polls the SMMU with interrupts off");

	q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	q->smmu = &t->smmu;
	eq = &q->cmdq.q;
	eq->llq.max_n_shift = VE_SHIFT;
	eq->ent_dwords = CMDQ_ENT_DWORDS;
	eq->base = kunit_kcalloc(test, BIT(VE_SHIFT),
				 sizeof(struct arm_smmu_cmd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, eq->base);
	eq->prod_reg = (u32 __force __iomem *)&q->regs[0];
	eq->cons_reg = (u32 __force __iomem *)&q->regs[1];
	KUNIT_ASSERT_EQ(test, arm_smmu_cmdq_init(&t->smmu, &q->cmdq), 0);

	q->thread = kthread_create(ve_smmu_thread, q, "vmid-test-smmu");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, q->thread);
	kthread_bind(q->thread, cpumask_last(cpu_online_mask));
	wake_up_process(q->thread);
	return q;
}

static void ve_stop_queue(struct ve_queue *q)
{
	kthread_stop(q->thread);
}

#define VE_LISTS	400
#define VE_LIST_MAX	5

struct ve_issuer {
	struct ve_queue *q;
	struct completion done;
	struct rnd_state rnd;
	unsigned int illegal;
	unsigned int mistakes;
};

/* Lists of commands, every 16th of them with an illegal one somewhere */
static int ve_issuer_thread(void *data)
{
	struct arm_smmu_cmd cmds[VE_LIST_MAX];
	struct ve_issuer *is = data;
	struct ve_queue *q = is->q;
	unsigned int i, n, cmd, bad;
	bool sync;
	int ret;

	for (i = 0; i != VE_LISTS; i++) {
		memset(cmds, 0, sizeof(cmds));
		n = 1 + prandom_u32_state(&is->rnd) % VE_LIST_MAX;
		bad = prandom_u32_state(&is->rnd) % (16 * n);
		/* Without a CMD_SYNC nobody asks, and nobody else is to be told */
		sync = prandom_u32_state(&is->rnd) % 4;
		for (cmd = 0; cmd != n; cmd++)
			cmds[cmd].data[0] = CMDQ_OP_TLBI_S12_VMALL;
		if (bad < n) {
			cmds[bad].data[1] = VE_ILLEGAL;
			is->illegal++;
		}
		ret = __arm_smmu_cmdq_issue_cmdlist(q->smmu, &q->cmdq, cmds, n,
						    sync);
		/* Where the machine is busy the SMMU's thread can be late */
		if (ret != -ETIMEDOUT)
			is->mistakes += ret != (sync && bad < n ? -EIO : 0);
	}
	complete(&is->done);
	return 0;
}

static const bool ve_msis[] = { false, true };

static void ve_msi_desc(const bool *msi, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s",
		 *msi ? "MSI" : "index register");
}

KUNIT_ARRAY_PARAM(ve_msi, ve_msis, ve_msi_desc);

/* Each issuer is told of its own illegal commands, and of no others */
static void ve_queue_own_errors(struct kunit *test)
{
	const bool *msi = test->param_value;
	struct vt *t = test->priv;
	struct ve_issuer *is;
	struct ve_queue *q;
	unsigned int cpu, i = 0, n, illegal = 0;
	struct task_struct *task;

	if (*msi)
		t->smmu.options |= ARM_SMMU_OPT_MSIPOLL;
	q = ve_start_queue(test);
	n = num_online_cpus() - 1;
	is = kunit_kcalloc(test, n, sizeof(*is), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, is);
	for_each_online_cpu(cpu) {
		if (i == n)
			break;
		is[i].q = q;
		init_completion(&is[i].done);
		prandom_seed_state(&is[i].rnd, 1 + i);
		task = kthread_create(ve_issuer_thread, &is[i], "vmid-test-cmds");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
		kthread_bind(task, cpu);
		wake_up_process(task);
		i++;
	}
	for (i = 0; i != n; i++) {
		wait_for_completion(&is[i].done);
		KUNIT_EXPECT_EQ(test, is[i].mistakes, 0);
		KUNIT_EXPECT_GT(test, is[i].illegal, 0);
		illegal += is[i].illegal;
	}
	/* Those without a CMD_SYNC may not have been looked at yet */
	while (READ_ONCE(q->regs[0]) != (READ_ONCE(q->regs[1]) & ~CMDQ_CONS_ERR))
		msleep(20);
	ve_stop_queue(q);
	KUNIT_EXPECT_EQ(test, q->skipped, illegal);
}

struct ve_one {
	struct ve_queue *q;
	struct completion done;
	u64 arg;
	int ret;
};

static int ve_one_thread(void *data)
{
	struct ve_one *one = data;
	struct arm_smmu_cmd cmd = { { CMDQ_OP_ATC_INV, one->arg } };

	one->ret = __arm_smmu_cmdq_issue_cmdlist(one->q->smmu, &one->q->cmdq,
						 &cmd, 1, true);
	complete(&one->done);
	return 0;
}

/* Issue one command on the first CPU, where the stub for the test does not apply */
static int ve_issue_one(struct kunit *test, struct ve_queue *q, u64 arg)
{
	struct ve_one one = { .q = q, .arg = arg };
	struct task_struct *task;

	init_completion(&one.done);
	task = kthread_create(ve_one_thread, &one, "vmid-test-cmd");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, cpumask_first(cpu_online_mask));
	wake_up_process(task);
	wait_for_completion(&one.done);
	return one.ret;
}

/* A device that does not answer costs who waits for it a second, and nobody later */
static void ve_queue_atc_timeout(struct kunit *test)
{
	struct ve_queue *q = ve_start_queue(test);

	q->stuck = true;
	KUNIT_EXPECT_EQ(test, ve_issue_one(test, q, VE_ATC_STUCK), -ETIMEDOUT);
	WRITE_ONCE(q->stuck, false);
	KUNIT_EXPECT_EQ(test, ve_issue_one(test, q, 0), 0);
	KUNIT_EXPECT_EQ(test, ve_issue_one(test, q, VE_ILLEGAL), -EIO);
	KUNIT_EXPECT_EQ(test, ve_issue_one(test, q, 0), 0);
	ve_stop_queue(q);
	KUNIT_EXPECT_EQ(test, q->skipped, 1);
}

static struct kunit_case ve_cases[] = {
	KUNIT_CASE_PARAM(ve_group_one_moved, ve_group_gen_params),
	KUNIT_CASE(ve_group_both_moved),
	KUNIT_CASE(ve_group_nomem),
	KUNIT_CASE_PARAM(ve_other_fails, ve_fault_gen_params),
	KUNIT_CASE_PARAM(ve_lose_none, ve_fault_gen_params),
	KUNIT_CASE_PARAM(ve_table_is_kept, ve_table_gen_params),
	KUNIT_CASE(ve_table_two_numbers),
	KUNIT_CASE(ve_hang_once),
	KUNIT_CASE_PARAM(ve_clean_at_put, ve_fault_gen_params),
	KUNIT_CASE(ve_clean_at_claim),
	KUNIT_CASE(ve_clean_at_next_guest),
	KUNIT_CASE_PARAM(ve_move_fails_once, ve_fault_gen_params),
	KUNIT_CASE_PARAM(ve_move_then_guest, ve_fault_gen_params),
	KUNIT_CASE(ve_erratum_repeat),
	KUNIT_CASE_PARAM_ATTR(ve_queue_own_errors, ve_msi_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_SLOW(ve_queue_atc_timeout),
	{},
};

static struct kunit_suite ve_suite = {
	.name = "arm-smmu-v3-vmid-errors",
	.init = vt_init,
	.exit = vt_exit,
	.test_cases = ve_cases,
};

kunit_test_suite(ve_suite);
