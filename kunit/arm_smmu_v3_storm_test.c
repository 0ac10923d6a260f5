// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the VMIDs of an SMMUv3: random sequences.
 *
 * A sequence is a list of operations, struct st_op. Each is possible in any state: if
 * what it names is not there, or something holds it, it does nothing. So any part of a
 * list is a list, and one that fails can be made shorter by leaving operations out.
 * Groups are attached through the IOMMU core; the rest are the driver's operations, in
 * an order that iommufd allows.
 *
 * Parameters are arm_smmu_v3_vmid_kunit.storm_seed and .storm_ops.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/dma-mapping.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/prandom.h>
#include <linux/uaccess.h>

#include "../../iommu-priv.h"
#include "arm-smmu-v3-storm-test.h"
#include "arm-smmu-v3-nomem-test.h"

static unsigned int storm_seed = 1;
module_param(storm_seed, uint, 0444);
MODULE_PARM_DESC(storm_seed, "Seed of the first storm");

static unsigned int storm_ops = 100000;
module_param(storm_ops, uint, 0444);
MODULE_PARM_DESC(storm_ops, "How many operations");

/* Operations of one sequence */
#define ST_SEQ		300

/**
 * struct st_desc - An operation's properties
 * @name: as in the source
 * @weight: how often it comes
 * @locked: it can happen while the driver's lock is held
 * @core: it takes a group's mutex
 * @fn: what it does
 */
struct st_desc {
	const char *name;
	unsigned int weight;
	bool locked;
	bool core;
	void (*fn)(struct st *st, const struct st_op *op);
};

/* KVM takes numbers from the bottom, and stage-2 tables from the top */
static const u16 st_vm_numbers[] = { 1, 2, 3, 255, 254, 253, 252, 251 };

static struct st_table *st_s2(struct st *st, u8 n)
{
	return &st->tables[n % ST_S2S];
}

static struct st_table *st_pt(struct st *st, u8 n)
{
	return &st->tables[n % ST_TABLES];
}

static struct st_guest *st_guest(struct st *st, u8 n)
{
	return &st->guests[n % ST_GUESTS];
}

static gfp_t st_gfp(struct st *st)
{
	return st->atomic ? GFP_ATOMIC : GFP_KERNEL;
}

/* Stage-2 tables */

static bool st_is_attached(struct st *st, const struct iommu_domain *domain)
{
	struct st_group *g;
	struct st_dev *d;

	for (g = st->groups; g != st->groups + ST_GROUPS; g++)
		if (g->domain == domain || g->next == domain)
			return true;
	for (d = st->devs; d != st->devs + ST_DEVS; d++)
		if (d->cur == domain || d->next == domain)
			return true;
	return false;
}

static u64 st_ttb(struct iommu_domain *domain)
{
	struct arm_smmu_domain *smmu_domain = to_smmu_domain(domain);
	struct io_pgtable *pgtable;

	if (!st_is_stage1(domain))
		return vt_ttb(smmu_domain);
	pgtable = io_pgtable_ops_to_pgtable(smmu_domain->pgtbl_ops);
	return pgtable->cfg.arm_lpae_s1_cfg.ttbr & CTXDESC_CD_1_TTB0_MASK;
}

static void st_pt_new(struct st *st, const struct st_op *op)
{
	struct st_table *s2 = st_pt(st, op->a);
	struct device *dev = st->devs[0].vt.dev;
	struct iommu_domain *domain;

	if (s2->domain)
		return;
	if (s2 < st->tables + ST_S2S)
		domain = vt_alloc_s2(dev);
	else
		domain = arm_smmu_ops.domain_alloc_paging_flags(dev, 0, NULL);
	if (IS_ERR(domain))
		return;
	domain->owner = &st->ops;
	domain->ops = &st->s2_ops;
	*s2 = (struct st_table){
		.domain = domain,
		.uid = ++st->uid,
		.ttb = st_ttb(domain),
	};
}

static void st_map(struct st *st, const struct st_op *op)
{
	struct st_table *s2 = st_pt(st, op->a);
	unsigned int ipa = op->b % ST_IPAS;
	const int prot = IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE;

	if (!s2->domain || s2->busy || s2->page[ipa])
		return;
	s2->busy = true;
	s2->page[ipa] = ++st->page;
	if (iommu_map(s2->domain, ipa * SZ_4K, (phys_addr_t)st->page * SZ_4K,
		      SZ_4K, prot, st_gfp(st)))
		s2->page[ipa] = 0;
	else
		s2->has_table = true;
	s2->busy = false;
}

static void st_unmap_range(struct st *st, struct st_table *s2, unsigned int first,
			   unsigned int num, size_t size)
{
	bool was_atomic = st->atomic;
	unsigned int i;

	/* Nobody promises anything of an unmap whose command has failed */
	if (st->depth == 1)
		st->fail_cmd = 0;
	s2->busy = true;
	st->atomic = true;
	for (i = first; i != first + num; i++) {
		s2->leaving[i] = s2->page[i];
		s2->page[i] = 0;
	}
	iommu_unmap(s2->domain, first * SZ_4K, size);
	for (i = first; i != first + num; i++)
		s2->leaving[i] = 0;
	st->atomic = was_atomic;
	s2->busy = false;
}

static void st_unmap(struct st *st, const struct st_op *op)
{
	struct st_table *s2 = st_pt(st, op->a);
	unsigned int ipa = op->b % ST_IPAS;

	if (s2->page[ipa] && !s2->busy)
		st_unmap_range(st, s2, ipa, 1, SZ_4K);
}

/* With the table of the last level, so with one command for the whole VMID */
static void st_unmap_all(struct st *st, const struct st_op *op)
{
	struct st_table *s2 = st_pt(st, op->a);

	if (!s2->has_table || s2->busy)
		return;
	st_unmap_range(st, s2, 0, ST_IPAS, SZ_2M);
	s2->has_table = false;
}

static void st_pt_free(struct st *st, const struct st_op *op)
{
	struct st_table *s2 = st_pt(st, op->a);
	struct iommu_domain *domain = s2->domain;
	unsigned int i;

	if (!domain || s2->busy || st_is_attached(st, domain))
		return;
	for (i = 0; i != ST_GUESTS; i++)
		if (st->guests[i].vsmmu && &st->tables[st->guests[i].s2] == s2)
			return;
	st_unmap_all(st, op);
	s2->domain = NULL;
	st_forget_table(st, s2);
	arm_smmu_ops.default_domain_ops->free(domain);
}

/* VMs */

static bool st_number_is_taken(struct st *st, u16 number)
{
	unsigned int i;

	for (i = 0; i != VT_VMS; i++)
		if ((st->vm_alive[i] || st->vt.vms[i].refs) &&
		    st->vt.vms[i].pin.vmid == number)
			return true;
	return false;
}

static void st_number_vm(struct st *st, unsigned int vm, u8 n)
{
	u16 number = st_vm_numbers[n % ARRAY_SIZE(st_vm_numbers)];

	if (st->vt.vms[vm].refs || st_number_is_taken(st, number))
		return;
	st->vt.vms[vm].pin.vmid = number;
	st->vm_alive[vm] = true;
}

static void st_vm_new(struct st *st, const struct st_op *op)
{
	unsigned int vm = op->a % VT_VMS;

	if (!st->vm_alive[vm])
		st_number_vm(st, vm, op->b);
}

static void st_vm_end(struct st *st, const struct st_op *op)
{
	st->vm_alive[op->a % VT_VMS] = false;
}

static void st_rollover(struct st *st, const struct st_op *op)
{
	unsigned int vm = op->a % VT_VMS;

	if (st->vm_alive[vm])
		st_number_vm(st, vm, op->b);
}

/* Guests */

static void st_vsmmu_new(struct st *st, const struct st_op *op)
{
	struct st_guest *g = st_guest(st, op->a);
	unsigned int vm = op->c / 2 % VT_VMS;
	struct st_table *s2 = st_s2(st, op->b);
	bool share = op->c & 1;
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	if (g->vsmmu || !s2->domain || (share && !st->vm_alive[vm]))
		return;
	vsmmu = vt_alloc_vsmmu(&st->vt, s2->domain,
			       share ? &st->vt.vms[vm] : NULL,
			       share ? VT_SHARE : 0,
			       IOMMU_VIOMMU_TYPE_ARM_SMMUV3);
	if (IS_ERR(vsmmu))
		return;
	*g = (struct st_guest){
		.vsmmu = vsmmu,
		.uid = ++st->uid,
		.s2 = s2 - st->tables,
		.vm = share ? &st->vt.vms[vm] : NULL,
		.hears = st->vt.out_flags & IOMMU_VIOMMU_ARM_SMMUV3_BTM,
	};
	for (i = 0; i != ST_ASIDS * ST_VAS; i++)
		g->s1.map[i / ST_VAS][i % ST_VAS] = (struct st_map){
			.ipa = 1 + i % ST_IPAS,
			.age = ++st->age,
		};
}

static void st_nested_free(struct st *st, const struct st_op *op)
{
	struct st_hwpt *hwpt = &st->nested[op->a % ST_NESTED];

	if (!hwpt->domain || st_is_attached(st, hwpt->domain))
		return;
	hwpt->domain->ops->free(hwpt->domain);
	hwpt->domain = NULL;
}

static void st_vdev_free_of(struct st_dev *d)
{
	vt_free_vdevice(&d->vt);
}

static void st_vsmmu_free(struct st *st, const struct st_op *op)
{
	struct st_guest *g = st_guest(st, op->a);
	struct arm_vsmmu *vsmmu = g->vsmmu;
	unsigned int i;

	if (!vsmmu)
		return;
	for (i = 0; i != ST_NESTED; i++)
		if (st->nested[i].domain && &st->guests[st->nested[i].guest] == g)
			st_nested_free(st, &(struct st_op){ .a = i });
	for (i = 0; i != ST_NESTED; i++)
		if (st->nested[i].domain && &st->guests[st->nested[i].guest] == g)
			return;
	for (i = 0; i != ST_DEVS; i++)
		if (st->devs[i].vt.vdev.viommu == &vsmmu->core)
			st_vdev_free_of(&st->devs[i]);
	g->vsmmu = NULL;
	vt_destroy_vsmmu(vsmmu);
}

/* The lower two bits say which vSTE, the others what is in its second word */
static void st_make_vste(struct st_guest *g, u8 c,
			 struct iommu_hwpt_arm_smmuv3 *vste)
{
	unsigned int cfg = STRTAB_STE_0_CFG_ABORT;
	u64 word0 = STRTAB_STE_0_V, word1 = 0;

	if (c == 3)
		return;
	if ((c & 3) == 2)
		cfg = STRTAB_STE_0_CFG_BYPASS;
	if ((c & 3) < 2) {
		cfg = STRTAB_STE_0_CFG_S1_TRANS;
		word0 |= st_s1ctx(g->uid, c & 1);
		word1 = FIELD_PREP(STRTAB_STE_1_S1DSS, (c >> 2) % 3) |
			FIELD_PREP(STRTAB_STE_1_S1CIR, c >> 4 & 1) |
			FIELD_PREP(STRTAB_STE_1_S1COR, c >> 5 & 1) |
			FIELD_PREP(STRTAB_STE_1_S1CSH, c >> 6 & 1 ? 3 : 0) |
			FIELD_PREP(STRTAB_STE_1_S1STALLD, c >> 7);
	}
	word0 |= FIELD_PREP(STRTAB_STE_0_CFG, cfg);
	vste->ste[0] = cpu_to_le64(word0);
	vste->ste[1] = cpu_to_le64(word1);
}

static void st_nested_new(struct st *st, const struct st_op *op)
{
	struct st_hwpt *hwpt = &st->nested[op->a % ST_NESTED];
	struct st_guest *g = st_guest(st, op->b);
	struct iommu_hwpt_arm_smmuv3 vste = {};
	struct iommu_domain *domain;

	if (hwpt->domain || !g->vsmmu)
		return;
	st_make_vste(g, op->c, &vste);
	domain = vt_alloc_nested(&st->vt, g->vsmmu, &vste);
	if (IS_ERR(domain))
		return;
	domain->owner = &st->ops;
	st->driver_nested_ops = domain->ops;
	st->nested_ops.free = domain->ops->free;
	domain->ops = &st->nested_ops;
	*hwpt = (struct st_hwpt){
		.domain = domain,
		.guest = g - st->guests,
		.vste = vste,
	};
}

static void st_vdev_new(struct st *st, const struct st_op *op)
{
	struct st_dev *d = &st->devs[op->a % ST_DEVS];
	struct st_guest *g = st_guest(st, op->b);

	if (g->vsmmu)
		vt_alloc_vdevice(&d->vt, 0x100 + op->a % ST_DEVS, g->vsmmu,
				 g->vm);
}

static void st_vdev_free(struct st *st, const struct st_op *op)
{
	st_vdev_free_of(&st->devs[op->a % ST_DEVS]);
}

static void st_guest_map(struct st *st, const struct st_op *op)
{
	struct st_guest *g = st_guest(st, op->a);
	struct st_map *map = &g->s1.map[op->b / 2 % ST_ASIDS][op->b % ST_VAS];

	if (!g->vsmmu)
		return;
	map->ipa = op->c % (ST_IPAS + 1);
	map->age = ++st->age;
}

static const u8 st_guest_cmds[] = {
	CMDQ_OP_TLBI_NH_VA,
	CMDQ_OP_TLBI_NH_VAA,
	CMDQ_OP_TLBI_NH_ASID,
	CMDQ_OP_TLBI_NH_ALL,
	CMDQ_OP_TLBI_NSNH_ALL,
};

static void st_guest_scope(const struct st_op *op, struct st_scope *scope)
{
	u8 cmd = st_guest_cmds[op->c % ARRAY_SIZE(st_guest_cmds)];

	*scope = (struct st_scope){ .va = -1 };
	if (cmd == CMDQ_OP_TLBI_NH_VA || cmd == CMDQ_OP_TLBI_NH_ASID)
		scope->asid = op->b / 2 % ST_ASIDS + 1;
	if (cmd == CMDQ_OP_TLBI_NH_VA || cmd == CMDQ_OP_TLBI_NH_VAA)
		scope->va = op->b % ST_VAS;
}

static void st_guest_cmd(struct st *st, const struct st_op *op)
{
	struct st_guest *g = st_guest(st, op->a);
	struct vt_guest request = { .t = &st->vt, .vsmmu = g->vsmmu, .num = 1 };
	const struct st_stage1 before = g->s1;
	const bool other = st_is_other(st);
	bool was_atomic = st->atomic;
	struct st_scope scope;
	u64 cmd[2] = {};

	if (!g->vsmmu || (st->atomic && !other))
		return;
	st_guest_scope(op, &scope);
	cmd[0] = st_guest_cmds[op->c % ARRAY_SIZE(st_guest_cmds)];
	if (scope.asid)
		cmd[0] |= FIELD_PREP(CMDQ_TLBI_0_ASID, scope.asid);
	if (scope.va >= 0)
		cmd[1] = scope.va * SZ_4K;
	if (copy_to_user(st->vt.user, cmd, sizeof(cmd)))
		return;
	if (other) {
		if (!vt_guest_issue(&request))
			st_expect_gone(st, g, &before, &scope);
		return;
	}
	st->atomic = true;
	/* Until st_issue() has done it */
	if (st->depth == 1)
		WRITE_ONCE(st->asking, g);
	if (!vt_guest_issue(&request))
		st_expect_gone(st, g, &before, &scope);
	if (st->depth == 1)
		WRITE_ONCE(st->asking, NULL);
	st->atomic = was_atomic;
}

static void st_guest_tlbi(struct st *st, const struct st_op *op)
{
	struct st_guest *g = st_guest(st, op->a);
	struct st_scope scope;

	if (!g->vsmmu || !g->hears || !st->vm_alive[g->vm - st->vt.vms])
		return;
	st_guest_scope(op, &scope);
	st_check(st);
	st_invalidate_s1(st, g->vm->pin.vmid, &scope);
	st_expect_gone(st, g, &g->s1, &scope);
}

/* Attaching */

static struct st_dev *st_dev_of(struct st *st, struct device *dev)
{
	struct st_dev *d = st->devs;

	while (d->vt.dev != dev)
		d++;
	return d;
}

static int st_attach_dev(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	struct iommu_domain *blocked = arm_smmu_ops.blocked_domain;
	struct st *st = to_st(kunit_get_current_test());
	const struct iommu_domain_ops *ops;
	struct st_dev *d = st_dev_of(st, dev);
	const struct iommu_domain *was = d->cur;
	int ret;

	d->next = domain;
	st_moment(st, true);
	ops = domain->type == IOMMU_DOMAIN_NESTED ?
		      st->driver_nested_ops :
		      arm_smmu_ops.default_domain_ops;
	if (domain->type == IOMMU_DOMAIN_BLOCKED)
		ret = blocked->ops->attach_dev(blocked, dev, old);
	else
		ret = ops->attach_dev(domain, dev, old);
	if (!ret)
		d->cur = domain;
	d->next = NULL;
	/* Back to what the others of the group have not left: the core warns */
	if (ret && st->groups[d->group].domain == domain && was != domain)
		st->warnings++;
	return ret;
}

static struct iommu_domain *st_domain(struct st *st, u8 n)
{
	n %= ST_TABLES + ST_NESTED;
	return n < ST_TABLES ? st->tables[n].domain :
			       st->nested[n - ST_TABLES].domain;
}

static void st_attach(struct st *st, const struct st_op *op)
{
	struct st_group *g = &st->groups[op->a % ST_GROUPS];
	struct iommu_domain *domain = st_domain(st, op->b);
	int ret;

	if (!domain)
		return;
	g->next = domain;
	if (g->domain)
		ret = iommu_replace_group_handle(g->group, domain, &g->handle);
	else
		ret = iommu_attach_group_handle(domain, g->group, &g->handle);
	g->next = NULL;
	if (!ret)
		g->domain = domain;
}

static void st_detach(struct st *st, const struct st_op *op)
{
	struct st_group *g = &st->groups[op->a % ST_GROUPS];

	if (!g->domain)
		return;
	iommu_detach_group_handle(g->domain, g->group);
	g->domain = NULL;
}

/* What comes before another operation */

static void st_fail_cmd(struct st *st, const struct st_op *op)
{
	if (st->depth == 1) {
		st->fail_cmd = op->b;
		st->hang = op->c & 1;
	} else {
		st->fail_inner = true;
	}
}

static void st_fail_mem(struct st *st, const struct st_op *op)
{
	st->fail_mem = op->b + 1;
}

static void st_btm_s1(struct st *st, const struct st_op *op)
{
	st->vt.smmu.features ^= ARM_SMMU_FEAT_BTM_S1;
}

static void st_lse2(struct st *st, const struct st_op *op)
{
	st->vt.smmu.features ^= ARM_SMMU_FEAT_ATOMIC128;
}

#define ST_DESC(nr, often, ...) { .name = #nr, .weight = (often), __VA_ARGS__ }

static const struct st_desc st_descs[ST_OPS] = {
	[ST_PT_NEW] = ST_DESC(ST_PT_NEW, 6, .fn = st_pt_new),
	[ST_PT_FREE] = ST_DESC(ST_PT_FREE, 3, .fn = st_pt_free),
	[ST_MAP] = ST_DESC(ST_MAP, 12, .locked = true, .fn = st_map),
	[ST_UNMAP] = ST_DESC(ST_UNMAP, 10, .locked = true, .fn = st_unmap),
	[ST_UNMAP_ALL] = ST_DESC(ST_UNMAP_ALL, 3, .locked = true, .fn = st_unmap_all),
	[ST_VM_NEW] = ST_DESC(ST_VM_NEW, 8, .fn = st_vm_new),
	[ST_VM_END] = ST_DESC(ST_VM_END, 5, .locked = true, .fn = st_vm_end),
	[ST_ROLLOVER] = ST_DESC(ST_ROLLOVER, 5, .fn = st_rollover),
	[ST_VSMMU_NEW] = ST_DESC(ST_VSMMU_NEW, 14, .fn = st_vsmmu_new),
	[ST_VSMMU_FREE] = ST_DESC(ST_VSMMU_FREE, 8, .fn = st_vsmmu_free),
	[ST_NESTED_NEW] = ST_DESC(ST_NESTED_NEW, 10, .fn = st_nested_new),
	[ST_NESTED_FREE] = ST_DESC(ST_NESTED_FREE, 5, .fn = st_nested_free),
	[ST_VDEV_NEW] = ST_DESC(ST_VDEV_NEW, 10, .fn = st_vdev_new),
	[ST_VDEV_FREE] = ST_DESC(ST_VDEV_FREE, 2, .fn = st_vdev_free),
	[ST_ATTACH] = ST_DESC(ST_ATTACH, 24, .core = true, .fn = st_attach),
	[ST_DETACH] = ST_DESC(ST_DETACH, 5, .core = true, .fn = st_detach),
	[ST_GUEST_MAP] = ST_DESC(ST_GUEST_MAP, 12, .locked = true, .fn = st_guest_map),
	[ST_GUEST_CMD] = ST_DESC(ST_GUEST_CMD, 10, .locked = true, .fn = st_guest_cmd),
	[ST_GUEST_TLBI] = ST_DESC(ST_GUEST_TLBI, 6, .locked = true, .fn = st_guest_tlbi),
	[ST_FAIL_CMD] = ST_DESC(ST_FAIL_CMD, 0, .locked = true, .fn = st_fail_cmd),
	[ST_FAIL_MEM] = ST_DESC(ST_FAIL_MEM, 0, .fn = st_fail_mem),
	[ST_BTM_S1] = ST_DESC(ST_BTM_S1, 2, .fn = st_btm_s1),
	[ST_LSE2] = ST_DESC(ST_LSE2, 2, .fn = st_lse2),
};

static bool st_is_setting(const struct st_op *op)
{
	return op->op == ST_FAIL_CMD || op->op == ST_FAIL_MEM;
}

/* What has to wait for the operation that is under way is another thread's */

static int st_other_thread(void *data)
{
	struct st *st = data;

	current->kunit_test = st->vt.test;
	kthread_use_mm(st->vt.mm);
	wait_for_completion(&st->other_begin);
	while (st->other_op.op != ST_OPS) {
		WRITE_ONCE(st->other_began, true);
		st_descs[st->other_op.op].fn(st, &st->other_op);
		complete(&st->other_done);
		wait_for_completion(&st->other_begin);
	}
	kthread_unuse_mm(st->vt.mm);
	return 0;
}

static void st_stop_other(void *data)
{
	struct st *st = data;

	st->other_op.op = ST_OPS;
	complete(&st->other_begin);
	kthread_stop_put(st->other);
}

static void st_make_other(struct st *st)
{
	init_completion(&st->other_begin);
	init_completion(&st->other_done);
	st->other = kthread_run(st_other_thread, st, "storm");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(st->vt.test, st->other);
	get_task_struct(st->other);
	KUNIT_ASSERT_EQ(st->vt.test,
			kunit_add_action_or_reset(st->vt.test, st_stop_other,
						  st),
			0);
}

/* It has started, and is done, waits, or wants the SMMU to do something */
static bool st_other_rests(struct st *st)
{
	return completion_done(&st->other_done) || READ_ONCE(st->other_parks) ||
	       (READ_ONCE(st->other_began) && !task_is_running(st->other));
}

/*
 * Who waits for a mutex may do so without sleeping, as long as its owner runs. So how
 * long this looks is no verdict. What the other one does too early, st_park() sees.
 */
static void st_start_other(struct st *st, const struct st_op *op)
{
	ktime_t end;

	if (st->other_busy)
		return;
	st->other_busy = true;
	st->other_op = *op;
	st->other_began = false;
	st->other_goes = false;
	st->other_parks = false;
	reinit_completion(&st->other_done);
	complete(&st->other_begin);
	end = ktime_add_ms(ktime_get(), 1);
	while (!st_other_rests(st) && ktime_before(ktime_get(), end))
		cpu_relax();
	st->others++;
}

/* A guest that has to wait for a move, or a move that has to wait for a guest */
static bool st_is_for_other(struct st *st, const struct st_op *op)
{
	const struct st_guest *g;

	if (op->op == ST_VSMMU_NEW)
		return st->asking;
	g = st_guest(st, op->a);
	return op->op == ST_GUEST_CMD && g->vsmmu && !st->atomic &&
	       g->vsmmu->vmid->moving;
}

static void st_join_other(struct st *st)
{
	if (!st->other_busy)
		return;
	st->depth = 2;
	st->fail_inner = false;
	WRITE_ONCE(st->other_goes, true);
	if (!wait_for_completion_timeout(&st->other_done, 30 * HZ))
		KUNIT_FAIL_AND_ABORT(st->vt.test, "%s waits for ever",
				     st_descs[st->other_op.op].name);
	st->other_busy = false;
	st->done++;
}

/**
 * st_park() - The other thread has a command for the SMMU
 * @st: the test
 *
 * The operation that it was started in comes to its end first, so that what the SMMU
 * does has an order. Whoever had to wait does not get here before.
 */
void st_park(struct st *st)
{
	const struct st_guest *g = READ_ONCE(st->asking);

	if (!READ_ONCE(st->other_goes)) {
		if (st->other_op.op == ST_GUEST_CMD) {
			g = st_guest(st, st->other_op.a);
			if (READ_ONCE(g->vsmmu->vmid->moving))
				st_fail(st, "guest %u did not wait for a move",
					g->uid);
		} else if (g && READ_ONCE(g->vsmmu->vmid->moving)) {
			st_fail(st, "a move did not wait for guest %u", g->uid);
		}
	}
	WRITE_ONCE(st->other_parks, true);
	while (!READ_ONCE(st->other_goes))
		cpu_relax();
}

/**
 * st_moment() - Something else happens now, if it is time for it
 * @st: the test
 * @in_attach: a device is about to be attached; else the driver's lock may be held
 */
void st_moment(struct st *st, bool in_attach)
{
	bool was_atomic = st->atomic;
	const struct st_op *op;

	if (st->depth != 1 || st->failed)
		return;
	st->moment++;
	st->depth++;
	for (op = st->inner; op != st->inner + st->nr_inner; op++) {
		const struct st_desc *desc = &st_descs[op->op];

		if (op->at != st->moment || desc->core ||
		    op->op == ST_FAIL_MEM || op->op == ST_LSE2)
			continue;
		if (st_is_for_other(st, op)) {
			st_start_other(st, op);
			continue;
		}
		if (!desc->locked && !in_attach)
			continue;
		st->inner_op = op->op;
		desc->fn(st, op);
		st_note_shared(st);
		st->done++;
	}
	st->atomic = was_atomic;
	st->depth--;
}

static void st_do(struct st *st, const struct st_op *op,
		  const struct st_op *inner, unsigned int nr_inner)
{
	const bool nomem = st->fail_mem;

	st->inner = inner;
	st->nr_inner = nr_inner;
	st->moment = 0;
	st->depth = 1;
	if (nomem)
		nomem_start(st->fail_mem - 1);
	st_descs[op->op].fn(st, op);
	if (nomem)
		nomem_stop();
	st_join_other(st);
	st_note_shared(st);
	st->depth = 0;
	st->done++;
	if (st_is_setting(op))
		return;
	st->fail_cmd = 0;
	st->fail_mem = 0;
	st->hang = false;
	st->fail_inner = false;
	st_check_idle(st);
	if (kunit_suppressed_warning_count(st->suppressed) != st->warnings)
		st_fail(st, "%d warnings, not %d",
			kunit_suppressed_warning_count(st->suppressed),
			st->warnings);
}

static void st_do_each(struct st *st, unsigned int num, u8 opcode)
{
	struct st_op op = { .op = opcode };

	for (; op.a != num; op.a++)
		st_do(st, &op, NULL, 0);
}

static int st_count_asids(struct st *st)
{
	unsigned long asid;
	int n = 0;
	void *p;

	xa_for_each(&st->vt.smmu.asid_xa, asid, p)
		n++;
	return n;
}

/* The SMMU is reset: what was dirty is clean, and nothing is cached */
static void st_end_asids(struct st *st)
{
	memcpy(st->vt.cached, st->vt.table, sizeof(st->vt.table));
	bitmap_zero(st->stale, VT_STREAMS);
	bitmap_zero(st->cd_cached, VT_STREAMS);
	arm_smmu_asids_destroy(&st->vt.smmu);
	if (st_count_asids(st) != st->asids)
		st_fail(st, "%d ASIDs are left", st_count_asids(st) - st->asids);
	memset(&st->tlb[0], 0, sizeof(st->tlb[0]));
	__clear_bit(0, st->tlb_used);
}

/* Leave nothing behind, in the order of iommufd */
static void st_end(struct st *st)
{
	struct arm_smmu_device *smmu = &st->vt.smmu;
	struct arm_smmu_vmid *vmid;
	unsigned long index;

	st_do_each(st, ST_GROUPS, ST_DETACH);
	st_do_each(st, ST_GUESTS, ST_VSMMU_FREE);
	st_do_each(st, ST_TABLES, ST_PT_FREE);
	st_do_each(st, VT_VMS, ST_VM_END);

	/* Only what is dirty is left, and can be cleaned now */
	st->depth = 1;
	st->may_dirty = true;
	mutex_lock(&arm_smmu_asid_lock);
	xa_for_each(&smmu->vmids, index, vmid)
		if (vmid->users || !vmid->dirty || arm_smmu_vmid_evict(vmid))
			st_fail(st, "VMID %u is left", vmid->id);
	mutex_unlock(&arm_smmu_asid_lock);
	st_end_asids(st);
	st->depth = 0;
	st_check_idle(st);
	if (!bitmap_empty(st->tlb_used, VT_VMIDS))
		st_fail(st, "entries of VMID %lu are left",
			find_first_bit(st->tlb_used, VT_VMIDS));
}

/* After a failure the next sequence has to begin as the first one did */
static void st_reset(struct st *st)
{
	struct arm_smmu_device *smmu = &st->vt.smmu;
	struct arm_smmu_vmid *vmid;
	unsigned long index;

	xa_for_each(&smmu->vmids, index, vmid)
		kfree(vmid);
	xa_destroy(&smmu->vmids);
	memset(st->tlb, 0, sizeof(st->tlb));
	bitmap_zero(st->tlb_used, VT_VMIDS);
	bitmap_zero(st->stale, VT_STREAMS);
	memset(st->freed, 0, sizeof(st->freed));
	bitmap_zero(st->cd_cached, VT_STREAMS);
	bitmap_zero(st->dirty, VT_VMIDS);
	bitmap_zero(st->shared, VT_VMIDS);
	st->may_dirty = false;
	memcpy(st->vt.cached, st->vt.table, sizeof(st->vt.table));
	memset(st->tables, 0, sizeof(st->tables));
	memset(st->guests, 0, sizeof(st->guests));
	memset(st->nested, 0, sizeof(st->nested));
	memset(st->vm_alive, 0, sizeof(st->vm_alive));
	for (index = 0; index != VT_VMS; index++)
		st->vt.vms[index].refs = 0;
	smmu->features &= ~(ARM_SMMU_FEAT_ATOMIC128 | ARM_SMMU_FEAT_BTM_S1);
	st->asking = NULL;
	st->nr_tlbis = 0;
	st->fail_cmd = 0;
	st->fail_mem = 0;
	st->uid = 0;
	st->age = 0;
	st->page = 0;
	st->failed = false;
	st->warnings = kunit_suppressed_warning_count(st->suppressed);
}

/**
 * st_run() - Run a sequence
 * @st: the test
 * @ops: its operations
 * @num: their number
 *
 * Return: how many operations it takes to fail, or 0 if it does not.
 */
static unsigned int st_run(struct st *st, const struct st_op *ops,
			   unsigned int num)
{
	unsigned int i, inner = 0, failed_at = 0;

	st_reset(st);
	for (i = 0; i != num && !st->failed; i++) {
		if (ops[i].at)
			continue;
		st_do(st, &ops[i], &ops[inner], i - inner);
		if (!st_is_setting(&ops[i]))
			inner = i + 1;
	}
	if (st->failed)
		failed_at = i;
	st_end(st);
	if (st->failed && !failed_at)
		failed_at = num;
	return failed_at;
}

/* Making, shrinking and printing sequences */

static u8 st_pick(struct rnd_state *rnd)
{
	unsigned int i, sum = 0, n;

	for (i = 0; i != ST_OPS; i++)
		sum += st_descs[i].weight;
	n = prandom_u32_state(rnd) % sum;
	for (i = 0; n >= st_descs[i].weight; i++)
		n -= st_descs[i].weight;
	return i;
}

/*
 * A nested domain is mostly for the guest of its number; tables 0 and 1 are in favour,
 * and so are nested domains and those that translate.
 */
static u8 st_make_b(u8 opcode, u8 a, u8 b)
{
	switch (opcode) {
	case ST_NESTED_NEW:
		return b % 4 ? a % ST_NESTED % ST_GUESTS : b;
	case ST_VSMMU_NEW:
		return b % 4 ? b % 4 / 2 : b;
	case ST_ATTACH:
		return b & 1 ? ST_TABLES + b / 2 % ST_NESTED : b;
	default:
		return b;
	}
}

static struct st_op st_make_op(struct rnd_state *rnd, u8 opcode)
{
	u32 bits = prandom_u32_state(rnd);
	u8 a = bits >> 8 & 0xf;
	struct st_op op = {
		.op = opcode,
		.a = a,
		.b = st_make_b(opcode, a, bits >> 16 & 0xf),
		/* Second words are often the same */
		.c = bits & 1 ? bits >> 24 : bits >> 24 & 3,
	};

	if (opcode == ST_NESTED_NEW && bits & 2)
		op.c &= ~2;
	return op;
}

static struct st_op *st_make_first(struct rnd_state *rnd, struct st_op *op)
{
	static const struct st_op first[] = {
		{ ST_PT_NEW, 0 }, { ST_PT_NEW, 1 },
		{ ST_MAP, 0, 0 }, { ST_MAP, 0, 1 }, { ST_MAP, 0, 2 },
		{ ST_MAP, 1, 1 }, { ST_MAP, 1, 2 }, { ST_MAP, 1, 3 },
		{ ST_BTM_S1 }, { ST_PT_NEW, 3 }, { ST_MAP, 3, 0 },
		{ ST_VM_NEW, 0 }, { ST_VM_NEW, 1 }, { ST_VM_NEW, 2 },
		{ ST_VSMMU_NEW, 0 }, { ST_VSMMU_NEW, 1 }, { ST_VSMMU_NEW, 2 },
		{ ST_NESTED_NEW, 0 }, { ST_NESTED_NEW, 1 },
		{ ST_NESTED_NEW, 2 }, { ST_NESTED_NEW, 4 },
		{ ST_VDEV_NEW, 1 }, { ST_VDEV_NEW, 2 }, { ST_VDEV_NEW, 3 },
	};
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(first); i++, op++) {
		*op = st_make_op(rnd, first[i].op);
		op->a = first[i].a;
		op->b = op->op == ST_MAP ? first[i].b :
					   st_make_b(op->op, op->a, op->b);
	}
	return op;
}

/* From 1 to @max, and more often a small one */
static u8 st_make_small(struct rnd_state *rnd, unsigned int max)
{
	u32 bits = prandom_u32_state(rnd);

	return 1 + (bits >> 1) % (bits & 1 ? 3 : max);
}

/* One that fails, or takes place in the middle of the next one, or neither */
static void st_make_setting(struct rnd_state *rnd, struct st_op *op)
{
	u32 bits = prandom_u32_state(rnd);

	if (bits % 4 == 0) {
		op->at = st_make_small(rnd, 12);
	} else if (bits % 16 == 1) {
		op->op = ST_FAIL_CMD;
		op->b = st_make_small(rnd, 8);
		op->at = bits & BIT(16) ? st_make_small(rnd, 4) : 0;
	} else if (bits % 16 == 2) {
		op->op = ST_FAIL_MEM;
		op->b = st_make_small(rnd, 8) - 1;
	}
}

/* What often has to be there before @next for something to be of interest */
static bool st_make_before(struct rnd_state *rnd, const struct st_op *next,
			   struct st_op *op)
{
	u32 bits = prandom_u32_state(rnd);
	u8 pt = next->b % (ST_TABLES + ST_NESTED);

	if (bits & 1 && next->op != ST_ATTACH)
		return false;
	switch (next->op) {
	case ST_ATTACH:
		/* A vDEVICE, or a guest that speaks meanwhile and may be refused */
		if (pt >= ST_TABLES && bits & 3) {
			*op = (struct st_op){
				.op = ST_VDEV_NEW,
				.a = next->a % ST_GROUPS == 2 ? 3 :
								1 + (bits >> 2 & 1),
				.b = (pt - ST_TABLES) % ST_GUESTS,
			};
			return true;
		}
		*op = st_make_op(rnd, bits & 4 ? ST_GUEST_CMD : ST_FAIL_CMD);
		op->at = st_make_small(rnd, 6);
		return true;
	case ST_VSMMU_NEW:
		/* A guest that speaks when a number moves */
		*op = st_make_op(rnd, ST_GUEST_CMD);
		op->at = st_make_small(rnd, 6);
		return true;
	case ST_GUEST_CMD:
		/* A number that moves when a guest speaks */
		*op = st_make_op(rnd, ST_VSMMU_NEW);
		op->at = 1 + (bits >> 1 & 1);
		return true;
	case ST_VSMMU_FREE:
	case ST_PT_FREE:
	case ST_DETACH:
		/* Commands that fail when a number is given up */
		*op = (struct st_op){
			.op = ST_FAIL_CMD,
			.b = st_make_small(rnd, 4),
			.c = bits >> 1 & 1,
		};
		return true;
	default:
		return false;
	}
}

/* Something to begin with, and then anything */
static void st_make(struct rnd_state *rnd, struct st_op *ops)
{
	struct st_op *op = st_make_first(rnd, ops);
	struct st_op next;
	unsigned int i;

	while (op != ops + ST_SEQ) {
		next = st_make_op(rnd, st_pick(rnd));
		st_make_setting(rnd, &next);
		for (i = 0; i != 2 && !next.at && op != ops + ST_SEQ; i++)
			op += st_make_before(rnd, &next, op);
		if (op != ops + ST_SEQ)
			*op++ = next;
	}
}

/* Leave @size operations out, at each place where it fails in the same way without */
static unsigned int st_leave_out(struct st *st, struct st_op *ops,
				 struct st_op *tried, unsigned int num,
				 unsigned int size)
{
	const char *kind = st->kind;
	unsigned int from = 0, left, failed_at;

	while (from < num) {
		left = min(size, num - from);
		memcpy(tried, ops, from * sizeof(*ops));
		memcpy(tried + from, ops + from + left,
		       (num - from - left) * sizeof(*ops));
		failed_at = st_run(st, tried, num - left);
		cond_resched();
		if (failed_at && st->kind == kind) {
			num = failed_at;
			memcpy(ops, tried, num * sizeof(*ops));
		} else {
			from += left;
		}
	}
	st->kind = kind;
	return num;
}

static unsigned int st_shrink(struct st *st, struct st_op *ops,
			      unsigned int num)
{
	struct st_op *tried = kmalloc_array(num, sizeof(*tried), GFP_KERNEL);
	unsigned int size = num / 2, was;

	while (tried && size) {
		was = num;
		num = st_leave_out(st, ops, tried, num, size);
		/* At the end as long as anything can go */
		size = size > 1 ? size / 2 : num != was;
	}
	kfree(tried);
	return num;
}

static void st_print(struct kunit *test, const struct st_op *ops,
		     unsigned int num)
{
	const struct st_op *op;

	for (op = ops; op != ops + num; op++)
		kunit_info(test, "\t{ %s, %u, %u, %u, %u },\n",
			   st_descs[op->op].name, op->a, op->b, op->c, op->at);
}

static void st_add_group(struct st *st, unsigned int group, unsigned int dev,
			 u32 sid, u32 sid2)
{
	struct st_group *g = &st->groups[group];
	struct st_dev *d = &st->devs[dev];

	if (!g->group) {
		g->group = iommu_group_alloc();
		KUNIT_ASSERT_NOT_ERR_OR_NULL(st->vt.test, g->group);
	}
	vt_add_dev(&st->vt, &d->vt, g->group, sid, sid2);
	d->vt.iommu.iommu_dev = &st->vt.smmu.iommu;
	d->group = group;
	d->cur = &st->blocked;
}

static void st_begin(struct kunit *test, struct st *st)
{
	unsigned int i;

	vt_init_smmu(test, &st->vt);
	vt_need_kvm(&st->vt);
	/* Without it no allocation fails, but all else happens */
	if (NOMEM_AVAILABLE)
		nomem_init(test);
	st->vt.smmu.features |= ARM_SMMU_FEAT_BTM;
	KUNIT_ASSERT_EQ(test,
			dma_coerce_mask_and_coherent(st->vt.smmu.dev,
						     DMA_BIT_MASK(64)),
			0);
	/* The hits of an unmap are noted by number */
	st->vt.smmu.asid_bits = VT_BITS;
	st->asids = st_count_asids(st);
	kunit_activate_static_stub(test, __arm_smmu_cmdq_issue_cmdlist, st_issue);
	kunit_activate_static_stub(test, arm_smmu_inv_tlbi, st_tlbi);
	kunit_activate_static_stub(test, arm_smmu_tlbi_sync, st_tlbi_sync);

	st->ops = arm_smmu_ops;
	st->ops.blocked_domain = &st->blocked;
	st->s2_ops = *arm_smmu_ops.default_domain_ops;
	st->s2_ops.attach_dev = st_attach_dev;
	st->nested_ops.attach_dev = st_attach_dev;
	st->blocked_ops.attach_dev = st_attach_dev;
	st->blocked.type = IOMMU_DOMAIN_BLOCKED;
	st->blocked.ops = &st->blocked_ops;
	st->blocked.owner = &st->ops;
	st->vt.smmu.iommu.ops = &st->ops;

	/* One device with two streams, a group of two, one alone */
	st_add_group(st, 0, 0, 3, 4);
	st_add_group(st, 1, 1, 1, 0);
	st_add_group(st, 1, 2, 5, 0);
	st_add_group(st, 2, 3, 7, 0);
	for (i = 0; i != ST_GROUPS; i++)
		KUNIT_ASSERT_EQ(test,
				iommu_group_claim_dma_owner(st->groups[i].group,
							    st),
				0);
}

/* As arm_smmu_free_cd_tables() */
static void st_free_cd(struct arm_smmu_master *master)
{
	struct arm_smmu_ctx_desc_cfg *cd_table = &master->cd_table;

	if (cd_table->linear.table)
		dma_free_coherent(master->smmu->dev, sizeof(struct arm_smmu_cd),
				  cd_table->linear.table, cd_table->cdtab_dma);
}

/* The groups have no default domain to return to: the core warns of each */
static void st_finish(struct st *st)
{
	unsigned int i;

	for (i = 0; i != ST_GROUPS; i++)
		iommu_group_release_dma_owner(st->groups[i].group);
	for (i = 0; i != ST_DEVS; i++) {
		st_free_cd(&st->devs[i].vt.master);
		st->devs[i].vt.iommu.iommu_dev = NULL;
		vt_remove_dev(&st->devs[i].vt);
	}
	for (i = 0; i != ST_GROUPS; i++)
		iommu_group_put(st->groups[i].group);
	kunit_end_suppress_warning(st->vt.test, st->suppressed);
	kunit_device_unregister(st->vt.test, st->vt.smmu.dev);
}

static void st_storm_from(struct st *st, unsigned int first)
{
	struct kunit *test = st->vt.test;
	unsigned int seed, num;
	struct rnd_state rnd;
	struct st_op *ops;

	ops = kunit_kmalloc_array(test, ST_SEQ, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	for (seed = first; st->done < storm_ops; seed++) {
		prandom_seed_state(&rnd, seed);
		st_make(&rnd, ops);
		num = st_run(st, ops, ST_SEQ);
		cond_resched();
		if (!num)
			continue;
		kunit_info(test, "seed %u, operation %u: %s\n", seed, num,
			   st->why);
		num = st_shrink(st, ops, num);
		st_run(st, ops, num);
		st_print(test, ops, num);
		KUNIT_FAIL(test, "seed %u, in %u operations: %s", seed, num,
			   st->why);
		return;
	}
	kunit_info(test, "%lu operations, seeds %u to %u; %lu had to wait\n",
		   st->done, first, seed - 1, st->others);
}

static struct st *st_start(struct kunit *test)
{
	struct st *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, st);
	st_begin(test, st);
	st_make_other(st);
	/* Of this task only, so it is not for init and exit */
	st->suppressed = kunit_start_suppress_warning(test);
	KUNIT_ASSERT_NOT_NULL(test, st->suppressed);
	return st;
}

static void st_storm(struct kunit *test)
{
	struct st *st = st_start(test);

	st_storm_from(st, storm_seed);
	st_finish(st);
}

/**
 * struct st_found - A sequence that has found something
 * @desc: what
 * @num: number of operations
 * @ops: the operations
 */
struct st_found {
	const char *desc;
	unsigned int num;
	struct st_op ops[12];
};

static const struct st_found st_founds[] = {
	{
		/* What is not in the array at a detach is somebody else's */
		.desc = "a group that cannot go back",
		.num = 7,
		.ops = {
			{ ST_PT_NEW, 0, 0, 141, 0 },
			{ ST_PT_NEW, 1, 5, 69, 0 },
			{ ST_VSMMU_NEW, 0, 3, 70, 0 },
			{ ST_ATTACH, 1, 1, 231, 0 },
			{ ST_NESTED_NEW, 2, 0, 211, 0 },
			{ ST_FAIL_MEM, 0, 3, 0, 0 },
			{ ST_ATTACH, 1, 7, 206, 0 },
		},
	},
};

KUNIT_ARRAY_PARAM_DESC(st_found, st_founds, desc);

static void st_again(struct kunit *test)
{
	const struct st_found *found = test->param_value;
	struct st *st = st_start(test);

	if (st_run(st, found->ops, found->num))
		KUNIT_FAIL(test, "%s", st->why);
	st_finish(st);
}

static struct kunit_case st_cases[] = {
	KUNIT_CASE_PARAM(st_again, st_found_gen_params),
	KUNIT_CASE_SLOW(st_storm),
	{},
};

static struct kunit_suite st_suite = {
	.name = "arm-smmu-v3-storm",
	.test_cases = st_cases,
};

kunit_test_suite(st_suite);

MODULE_IMPORT_NS("IOMMUFD_INTERNAL");
