// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the VMIDs of an SMMUv3.
 *
 * The driver runs on an SMMU that exists in memory only. Its commands end up in
 * vt_issue(), which plays the hardware: it holds on to STEs until a CFGI_STE for
 * them is complete, and to TLB entries until they are invalidated, as long as the
 * architecture allows. It can see every mixture of an old STE and a new one, in units
 * of 64 bits, or of 128 where the driver relies on that. At each command it asks
 * three questions, whatever the test is about:
 *
 *  - Does a VMID name one stage-2 table and one guest's ASIDs, counting all that
 *    the SMMU may still have cached?
 *  - Is each VMID that the SMMU may have entries of in the registry, and the table
 *    that they are from not freed?
 *  - Does an unmap that runs right now invalidate every number that the table may
 *    have entries under?
 *
 * KVM's side is stubbed, so that a test can choose the number of a VM.
 */

#include <kunit/device.h>
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-pgtable.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "arm-smmu-v3-vmid-test.h"
#include "arm-smmu-v3-nomem-test.h"

KUNIT_DEFINE_ACTION_WRAPPER(vt_kfree, kfree, const void *);

/* What KVM would do */

static struct kvm *vt_kvm(struct vt_vm *vm)
{
	return (struct kvm *)vm;
}

static struct kvm_vmid_pin *vt_pin(struct kvm *kvm)
{
	struct vt_vm *vm = (struct vt_vm *)kvm;

	if (!vm)
		return ERR_PTR(-ENODEV);
	if (vm->err)
		return ERR_PTR(vm->err);
	if (vm->unmap)
		vm_munmap((unsigned long)vm->unmap, PAGE_SIZE);
	vm->refs++;
	return &vm->pin;
}

/* The VM can go as soon as nobody holds the lock */
static struct kvm_vmid_pin *vt_pin_locked(struct kvm *kvm)
{
	struct kunit *test = kunit_get_current_test();
	struct vt *t = test->priv;

	KUNIT_EXPECT_TRUE(test, mutex_is_locked(&t->idev.kvm_lock));
	return vt_pin(kvm);
}

/* A device that was bound for a VM, and still belongs to it */
struct iommufd_device *vt_bind(struct iommufd_device *idev, struct vt_vm *vm)
{
	mutex_init(&idev->kvm_lock);
	idev->kvm = vt_kvm(vm);
	idev->cur_kvm = &idev->kvm;
	return idev;
}

static void vt_unpin(struct kvm_vmid_pin *pin)
{
	struct vt_vm *vm = container_of(pin, struct vt_vm, pin);

	KUNIT_EXPECT_GT(kunit_get_current_test(), vm->refs, 0);
	vm->refs--;
}

static bool vt_is_pinned_by(struct kvm_vmid_pin *pin, struct kvm *kvm)
{
	return pin == &((struct vt_vm *)kvm)->pin;
}

static bool vt_has_el2(struct kvm *kvm)
{
	return kvm && ((struct vt_vm *)kvm)->has_el2;
}

/* What the SMMU would do */

u64 vt_ttb(const struct arm_smmu_domain *s2)
{
	return io_pgtable_ops_to_pgtable(s2->pgtbl_ops)
		       ->cfg.arm_lpae_s2_cfg.vttbr &
	       STRTAB_STE_3_S2TTB_MASK;
}

/* Without the lock: the driver can be anywhere when a command is issued */
struct arm_smmu_vmid *vt_find(struct vt *t, u16 id)
{
	return xa_load(&t->smmu.vmids, GENMASK(t->smmu.vmid_bits - 1, 0) - id);
}

/* Context pointers tell the guests apart, see vt_s1ctx() */
static unsigned int vt_guest_of(u64 s1ctx)
{
	return (s1ctx >> 20) - 1;
}

/* The SMMU walks the tables that an STE points to */
static void vt_walk(struct vt *t, const struct arm_smmu_ste *ste)
{
	unsigned int cfg = vt_ste_cfg(ste);
	u16 id = vt_ste_vmid(ste);
	struct vt_tlb *tlb;
	u64 s2ttb;

	if (!(le64_to_cpu(ste->data[0]) & STRTAB_STE_0_V))
		return;
	if (cfg != STRTAB_STE_0_CFG_S2_TRANS && cfg != STRTAB_STE_0_CFG_NESTED)
		return;

	if (!id || id >= VT_VMIDS) {
		KUNIT_FAIL(t->test, "VMID %u in an STE", id);
		return;
	}

	tlb = &t->tlb[id];
	s2ttb = le64_to_cpu(ste->data[3]) & STRTAB_STE_3_S2TTB_MASK;
	if (tlb->s2ttb && tlb->s2ttb != s2ttb)
		KUNIT_FAIL(t->test, "VMID %u names two stage-2 tables", id);
	tlb->s2ttb = s2ttb;

	if (cfg != STRTAB_STE_0_CFG_NESTED)
		return;
	if (tlb->s1ctx &&
	    vt_guest_of(tlb->s1ctx) != vt_guest_of(vt_ste_s1ctx(ste)))
		KUNIT_FAIL(t->test, "VMID %u names two guests' ASIDs", id);
	tlb->s1ctx = vt_ste_s1ctx(ste);
}

/* Whatever the SMMU can see of an STE that it may not have read anew */
static void vt_walk_mixtures(struct vt *t, unsigned int sid)
{
	const unsigned int qwords = ARRAY_SIZE(t->table->data);
	unsigned int unit =
		t->smmu.features & ARM_SMMU_FEAT_ATOMIC128 ? 2 : 1;
	struct arm_smmu_ste view;
	unsigned int mix, i;

	vt_walk(t, &t->table[sid]);
	vt_walk(t, &t->cached[sid]);
	for (mix = 0; !t->failed && mix != BIT(qwords / unit); mix++) {
		for (i = 0; i != qwords; i++)
			view.data[i] = mix & BIT(i / unit) ?
					       t->table[sid].data[i] :
					       t->cached[sid].data[i];
		vt_walk(t, &view);
	}
}

static struct arm_smmu_domain *vt_s2_of(struct vt *t, u64 s2ttb)
{
	unsigned int i;

	for (i = 0; i != VT_S2S; i++)
		if (t->s2s[i] && vt_ttb(t->s2s[i]) == s2ttb)
			return t->s2s[i];
	return NULL;
}

/* The test has one reference */
static bool vt_table_is_freed(struct page *table)
{
	return page_count(table) == 1;
}

/* The stage-2 tables that are not freed */
unsigned int vt_count_tables(struct vt *t)
{
	unsigned int i, n = 0;

	for (i = 0; i != t->nr_tables; i++)
		n += !vt_table_is_freed(t->tables[i]);
	return n;
}

static void vt_check_owner(struct vt *t, u16 id)
{
	struct arm_smmu_vmid *vmid = vt_find(t, id);

	if (vt_table_is_freed(phys_to_page(t->tlb[id].s2ttb)))
		KUNIT_FAIL(t->test, "a table is freed that VMID %u still tags",
			   id);
	if (!vmid)
		KUNIT_FAIL(t->test, "VMID %u given up with its entries in the TLB",
			   id);
	else if (!vmid->dirty && vmid->s2 != vt_s2_of(t, t->tlb[id].s2ttb))
		KUNIT_FAIL(t->test, "VMID %u given to another table", id);
}

void vt_check_unmap(struct vt *t, struct arm_smmu_domain *s2)
{
	unsigned int id;

	bitmap_zero(t->s2_hits, VT_VMIDS);
	bitmap_zero(t->s1_hits, VT_VMIDS);
	t->in_unmap = true;
	arm_smmu_domain_inv_range(s2, SZ_2M, SZ_4K, SZ_4K, true);
	t->in_unmap = false;

	for (id = 0; id != VT_VMIDS; id++) {
		if (t->tlb[id].s2ttb != vt_ttb(s2))
			continue;
		if (!test_bit(id, t->s2_hits))
			KUNIT_FAIL(t->test, "unmap misses VMID %u", id);
		if (t->tlb[id].s1ctx && !test_bit(id, t->s1_hits))
			KUNIT_FAIL(t->test, "unmap misses stage 1 of VMID %u",
				   id);
	}
}

/* Everything that the file comment says is asked at each command */
void vt_check(struct vt *t)
{
	unsigned int i;

	for (i = 0; i != VT_STREAMS; i++)
		vt_walk_mixtures(t, i);
	for (i = 0; i != VT_VMIDS; i++)
		if (t->tlb[i].s2ttb)
			vt_check_owner(t, i);
	for (i = 0; i != VT_S2S; i++)
		if (t->s2s[i])
			vt_check_unmap(t, t->s2s[i]);
}

struct vt_cmd vt_decode(const struct arm_smmu_cmd *cmd)
{
	struct vt_cmd ret = { .op = FIELD_GET(CMDQ_0_OP, cmd->data[0]) };

	switch (ret.op) {
	case CMDQ_OP_CFGI_STE:
	case CMDQ_OP_CFGI_CD:
	case CMDQ_OP_CFGI_CD_ALL:
		ret.arg = FIELD_GET(CMDQ_CFGI_0_SID, cmd->data[0]);
		break;
	case CMDQ_OP_TLBI_S12_VMALL:
	case CMDQ_OP_TLBI_S2_IPA:
	case CMDQ_OP_TLBI_NH_ALL:
	case CMDQ_OP_TLBI_NH_ASID:
	case CMDQ_OP_TLBI_NH_VA:
	case CMDQ_OP_TLBI_NH_VAA:
		ret.arg = FIELD_GET(CMDQ_TLBI_0_VMID, cmd->data[0]);
		break;
	}
	return ret;
}

/* Leaf is 1: the L1 descriptor may stay in the cache */
static void vt_carry_out_l1(struct vt *t, const struct arm_smmu_cmd *cmd)
{
	u32 sid = FIELD_GET(CMDQ_CFGI_0_SID, cmd->data[0]);

	if (FIELD_GET(CMDQ_0_OP, cmd->data[0]) == CMDQ_OP_CFGI_STE &&
	    !(cmd->data[1] & CMDQ_CFGI_1_LEAF))
		t->cached_l1[arm_smmu_strtab_l1_idx(sid)] =
			t->l1tab[arm_smmu_strtab_l1_idx(sid)];
}

static bool vt_out_of_range(struct vt *t, const struct vt_cmd *cmd)
{
	if (cmd->arg < (cmd->op == CMDQ_OP_CFGI_STE ? VT_STREAMS : VT_VMIDS))
		return false;
	KUNIT_FAIL(t->test, "command %#x for %u", cmd->op, cmd->arg);
	return true;
}

static void vt_carry_out(struct vt *t, const struct vt_cmd *cmd)
{
	if (vt_out_of_range(t, cmd))
		return;

	switch (cmd->op) {
	case CMDQ_OP_CFGI_STE:
		t->cached[cmd->arg] = t->table[cmd->arg];
		break;
	case CMDQ_OP_CFGI_ALL:
		memcpy(t->cached, t->table, sizeof(t->cached));
		break;
	case CMDQ_OP_TLBI_S12_VMALL:
		t->tlb[cmd->arg] = (struct vt_tlb){};
		break;
	case CMDQ_OP_TLBI_NH_ALL:
		t->tlb[cmd->arg].s1ctx = 0;
		break;
	}
}

static void vt_unmap_cmd(struct vt *t, const struct vt_cmd *cmd)
{
	if (vt_out_of_range(t, cmd))
		return;

	switch (cmd->op) {
	case CMDQ_OP_TLBI_S2_IPA:
		set_bit(cmd->arg, t->s2_hits);
		break;
	case CMDQ_OP_TLBI_NH_ALL:
		set_bit(cmd->arg, t->s1_hits);
		break;
	}
}

static void vt_log(struct vt *t, struct vt_cmd cmd)
{
	if (cmd.op == CMDQ_OP_PREFETCH_CFG)
		return;
	if (t->nr_log == VT_LOG) {
		KUNIT_FAIL(t->test, "more than %u commands", VT_LOG);
		return;
	}
	t->log[t->nr_log++] = cmd;
}

/* In place of __arm_smmu_cmdq_issue_cmdlist() */
int vt_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
	     struct arm_smmu_cmd *cmds, int n, bool sync)
{
	struct vt *t = kunit_get_current_test()->priv;
	struct vt_cmd cmd;
	int i;

	if (t->l1tab) {
		for (i = 0; i != n; i++)
			vt_carry_out_l1(t, &cmds[i]);
		return 0;
	}

	if (t->in_unmap) {
		for (i = 0; i != n; i++) {
			cmd = vt_decode(&cmds[i]);
			vt_unmap_cmd(t, &cmd);
		}
		return 0;
	}

	for (i = 0; i != n; i++)
		vt_log(t, vt_decode(&cmds[i]));
	/* A prefetch does not matter, and nothing else goes without a sync */
	if (!sync)
		return 0;
	vt_log(t, (struct vt_cmd)VT_SYNC);

	vt_check(t);
	for (i = 0; i != n && t->at_cmd; i++) {
		cmd = vt_decode(&cmds[i]);
		t->at_cmd(t, &cmd);
	}

	if (++t->syncs == t->fail_at ||
	    (t->hangs_from && t->syncs >= t->hangs_from)) {
		t->failed = true;
		return t->fault == VT_TIMEOUT ? -ETIMEDOUT : -EIO;
	}

	for (i = 0; i != n; i++) {
		cmd = vt_decode(&cmds[i]);
		vt_carry_out(t, &cmd);
	}
	vt_check(t);
	return 0;
}

void vt_clear_log(struct vt *t)
{
	t->nr_log = 0;
	t->syncs = 0;
	t->fail_at = 0;
}

void vt_expect_log(struct vt *t, const struct vt_cmd *want, unsigned int n)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(t->test, t->nr_log, n);
	for (i = 0; i < min(n, t->nr_log); i++) {
		KUNIT_EXPECT_EQ_MSG(t->test, t->log[i].op, want[i].op,
				    "command %u", i);
		KUNIT_EXPECT_EQ_MSG(t->test, t->log[i].arg, want[i].arg,
				    "command %u", i);
	}
	vt_clear_log(t);
}

/* What iommufd and the IOMMU core would do */

struct vt_attach {
	struct device *dev;
	struct iommu_domain *new;
	struct iommu_domain *old;
	int ret;
};

static int vt_attach_locked(struct device *dev, void *data)
{
	struct vt_attach *a = data;

	if (dev == a->dev)
		a->ret = a->new->ops->attach_dev(a->new, dev, a->old);
	return 0;
}

int vt_attach(struct vt *t, unsigned int dev, struct iommu_domain *new)
{
	struct vt_attach a = {
		.dev = t->devs[dev].dev,
		.new = new,
		.old = t->devs[dev].cur,
	};

	/* It runs the callback under the group's mutex, as attaching must */
	iommu_group_for_each_dev(t->group, &a, vt_attach_locked);
	if (!a.ret)
		t->devs[dev].cur = new;
	vt_check(t);
	return a.ret;
}

int vt_detach(struct vt *t, unsigned int dev)
{
	return vt_attach(t, dev, arm_smmu_ops.blocked_domain);
}

struct iommu_domain *vt_alloc_s2(struct device *dev)
{
	const u32 flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	struct iommu_domain *domain;

	domain = arm_smmu_ops.domain_alloc_paging_flags(dev, flags, NULL);
	if (!IS_ERR(domain))
		domain->type = IOMMU_DOMAIN_UNMANAGED;
	return domain;
}

struct arm_smmu_domain *vt_new_s2(struct vt *t)
{
	struct iommu_domain *domain;
	unsigned int i;

	for (i = 0; t->s2s[i]; i++)
		KUNIT_ASSERT_LT(t->test, i, VT_S2S - 1);

	domain = vt_alloc_s2(t->devs[0].dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, domain);
	t->s2s[i] = to_smmu_domain(domain);

	KUNIT_ASSERT_LT(t->test, t->nr_tables, VT_TABLES);
	t->tables[t->nr_tables] = phys_to_page(vt_ttb(t->s2s[i]));
	get_page(t->tables[t->nr_tables++]);
	return t->s2s[i];
}

void vt_free_s2(struct vt *t, struct arm_smmu_domain *s2)
{
	unsigned int i;

	for (i = 0; i != VT_S2S; i++)
		if (t->s2s[i] == s2)
			t->s2s[i] = NULL;
	s2->domain.ops->free(&s2->domain);
	vt_check(t);
}

struct arm_vsmmu *vt_alloc_vsmmu(struct vt *t, struct iommu_domain *s2,
				 struct vt_vm *vm, int flags,
				 enum iommu_viommu_type type)
{
	struct iommu_viommu_arm_smmuv3 arg = { .flags = flags };
	struct iommu_user_data data = {
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.uptr = t->user,
		.len = sizeof(arg),
	};
	struct arm_vsmmu *vsmmu;
	int ret;

	KUNIT_ASSERT_EQ(t->test, copy_to_user(t->user, &arg, sizeof(arg)), 0);

	vsmmu = kzalloc_obj(*vsmmu);
	if (!vsmmu)
		return ERR_PTR(-ENOMEM);
	xa_init(&vsmmu->core.vdevs);
	vsmmu->core.type = type;
	vsmmu->core.iommu_dev = &t->smmu.iommu;

	ret = arm_smmu_ops.viommu_init(&vsmmu->core, s2, vt_bind(&t->idev, vm),
				       flags == VT_NO_DATA ? NULL : &data);
	KUNIT_EXPECT_FALSE(t->test, mutex_is_locked(&t->idev.kvm_lock));
	if (ret) {
		/* iommufd does not call an op that was not set */
		KUNIT_EXPECT_NULL(t->test, vsmmu->core.ops);
		kfree(vsmmu);
		return ERR_PTR(ret);
	}
	KUNIT_ASSERT_EQ(t->test, copy_from_user(&arg, t->user, sizeof(arg)), 0);
	t->out_flags = arg.out_flags;
	return vsmmu;
}

static struct arm_vsmmu *vt_new_vsmmu_type(struct vt *t,
					   struct arm_smmu_domain *s2,
					   struct vt_vm *vm, int flags,
					   enum iommu_viommu_type type)
{
	struct arm_vsmmu *vsmmu;

	KUNIT_ASSERT_LT(t->test, t->nr_vsmmus, VT_VSMMUS);
	vsmmu = vt_alloc_vsmmu(t, &s2->domain, vm, flags, type);
	vt_check(t);
	if (!IS_ERR(vsmmu))
		t->vsmmus[t->nr_vsmmus++] = vsmmu;
	return vsmmu;
}

struct arm_vsmmu *vt_new_vsmmu(struct vt *t, struct arm_smmu_domain *s2,
			       struct vt_vm *vm, int flags)
{
	return vt_new_vsmmu_type(t, s2, vm, flags,
				 IOMMU_VIOMMU_TYPE_ARM_SMMUV3);
}

struct arm_vsmmu *vt_must_vsmmu(struct vt *t, struct arm_smmu_domain *s2,
				struct vt_vm *vm, int flags)
{
	struct arm_vsmmu *vsmmu = vt_new_vsmmu(t, s2, vm, flags);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, vsmmu);
	return vsmmu;
}

struct arm_vsmmu *vt_must_share(struct vt *t, struct arm_smmu_domain *s2,
				struct vt_vm *vm)
{
	return vt_must_vsmmu(t, s2, vm, VT_SHARE);
}

void vt_free_vdevice(struct vt_dev *d)
{
	if (d->vdev.viommu)
		xa_erase(&d->vdev.viommu->vdevs, d->vdev.virt_id);
	d->vdev.viommu = NULL;
}

void vt_destroy_vsmmu(struct arm_vsmmu *vsmmu)
{
	vsmmu->core.ops->destroy(&vsmmu->core);
	xa_destroy(&vsmmu->core.vdevs);
	kfree(vsmmu);
}

void vt_free_vsmmu(struct vt *t, struct arm_vsmmu *vsmmu)
{
	unsigned int i;

	for (i = 0; i != VT_DEVS; i++)
		if (t->devs[i].vdev.viommu == &vsmmu->core)
			vt_free_vdevice(&t->devs[i]);
	for (i = 0; i != VT_VSMMUS; i++)
		if (t->vsmmus[i] == vsmmu)
			t->vsmmus[i] = NULL;
	vt_destroy_vsmmu(vsmmu);
	vt_check(t);
}

/* Context pointers tell the guests apart */
static u64 vt_s1ctx(struct vt *t, const struct arm_vsmmu *vsmmu)
{
	u64 i = 0;

	while (t->vsmmus[i] != vsmmu)
		i++;
	return (i + 1) << 20;
}

#define VT_STE_INVALID	UINT_MAX
/* Another CD table, and all else that a guest can choose */
#define VT_S1_OTHER	BIT(12)
#define VT_STE_0_NESTED	FIELD_PREP(STRTAB_STE_0_CFG, STRTAB_STE_0_CFG_NESTED)

struct iommu_domain *vt_alloc_nested(struct vt *t, struct arm_vsmmu *vsmmu,
				     const struct iommu_hwpt_arm_smmuv3 *arg)
{
	struct iommu_user_data data = {
		.type = IOMMU_HWPT_DATA_ARM_SMMUV3,
		.uptr = t->user,
		.len = sizeof(*arg),
	};

	KUNIT_ASSERT_EQ(t->test, copy_to_user(t->user, arg, sizeof(*arg)), 0);
	return vsmmu->core.ops->alloc_domain_nested(&vsmmu->core, 0, &data);
}

static struct iommu_domain *vt_nested_vste(struct vt *t, struct arm_vsmmu *vsmmu,
					   unsigned int cfg, u64 s1)
{
	struct iommu_hwpt_arm_smmuv3 arg = {};
	struct iommu_domain *domain;

	if (cfg != VT_STE_INVALID)
		arg.ste[0] = cpu_to_le64(STRTAB_STE_0_V |
					 FIELD_PREP(STRTAB_STE_0_CFG, cfg));
	if (cfg == STRTAB_STE_0_CFG_S1_TRANS) {
		arg.ste[0] |= cpu_to_le64(vt_s1ctx(t, vsmmu) | s1);
		arg.ste[1] = cpu_to_le64(FIELD_PREP(STRTAB_STE_1_S1CIR, 1) |
					 FIELD_PREP(STRTAB_STE_1_S1COR, 2) |
					 FIELD_PREP(STRTAB_STE_1_S1CSH, 3));
		if (s1)
			arg.ste[1] = cpu_to_le64(FIELD_PREP(STRTAB_STE_1_S1DSS, 1) |
						 FIELD_PREP(STRTAB_STE_1_S1CIR, 2) |
						 FIELD_PREP(STRTAB_STE_1_S1COR, 1) |
						 FIELD_PREP(STRTAB_STE_1_S1CSH, 2) |
						 STRTAB_STE_1_S1STALLD);
	}

	KUNIT_ASSERT_LT(t->test, t->nr_nested, VT_NESTED);
	domain = vt_alloc_nested(t, vsmmu, &arg);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, domain);
	t->nested[t->nr_nested++] = domain;
	return domain;
}

struct iommu_domain *vt_nested(struct vt *t, struct arm_vsmmu *vsmmu,
			       unsigned int cfg)
{
	return vt_nested_vste(t, vsmmu, cfg, 0);
}

static struct iommu_domain *vt_nested_s1(struct vt *t, struct arm_vsmmu *vsmmu,
					 u64 s1)
{
	return vt_nested_vste(t, vsmmu, STRTAB_STE_0_CFG_S1_TRANS, s1);
}

/* A device has one vDEVICE at most */
int vt_alloc_vdevice(struct vt_dev *d, unsigned long virt_id,
		     struct arm_vsmmu *vsmmu, struct vt_vm *vm)
{
	int ret;

	vt_free_vdevice(d);
	d->idev.dev = d->dev;
	d->vdev.idev = vt_bind(&d->idev, vm);
	d->vdev.viommu = &vsmmu->core;
	d->vdev.virt_id = virt_id;
	ret = vsmmu->core.ops->vdevice_init(&d->vdev);
	if (ret) {
		d->vdev.viommu = NULL;
		return ret;
	}
	ret = xa_err(xa_store(&vsmmu->core.vdevs, d->vdev.virt_id, &d->vdev,
			      GFP_KERNEL));
	if (ret)
		d->vdev.viommu = NULL;
	return ret;
}

int vt_vdevice(struct vt *t, unsigned int dev, struct arm_vsmmu *vsmmu,
	       struct vt_vm *vm)
{
	struct vt_dev *d = &t->devs[dev];
	int ret = vt_alloc_vdevice(d, 0x100 + dev, vsmmu, vm);

	KUNIT_EXPECT_FALSE(t->test, mutex_is_locked(&d->idev.kvm_lock));
	return ret;
}

/* Attach a device of a VM to a nested domain that translates */
void vt_attach_translate(struct vt *t, unsigned int dev,
			 struct arm_vsmmu *vsmmu, struct vt_vm *vm)
{
	KUNIT_ASSERT_EQ(t->test, vt_vdevice(t, dev, vsmmu, vm), 0);
	KUNIT_ASSERT_EQ(t->test,
			vt_attach(t, dev,
				  vt_nested(t, vsmmu,
					    STRTAB_STE_0_CFG_S1_TRANS)),
			0);
}

struct arm_smmu_ste *vt_ste(struct vt *t, unsigned int dev)
{
	return &t->table[t->devs[dev].streams[0].id];
}

unsigned int vt_count_vmids(struct vt *t)
{
	struct arm_smmu_vmid *vmid;
	unsigned long index;
	unsigned int n = 0;

	xa_for_each(&t->smmu.vmids, index, vmid)
		n++;
	return n;
}

/* The users of a VMID in the invalidation array of a stage-2 table */
static int vt_inv_users(struct arm_smmu_domain *s2, u8 type, u32 id)
{
	struct arm_smmu_invs *invs = rcu_dereference_protected(s2->invs, true);
	size_t i;

	for (i = 0; i != invs->num_invs; i++)
		if (invs->inv[i].type == type && invs->inv[i].id == id)
			return invs->inv[i].users;
	return 0;
}

void vt_expect_users(struct vt *t, struct arm_smmu_domain *s2, u16 id,
		     int users)
{
	KUNIT_EXPECT_EQ_MSG(t->test, vt_inv_users(s2, INV_TYPE_S2_VMID, id),
			    users, "VMID %u", id);
	KUNIT_EXPECT_EQ_MSG(t->test,
			    vt_inv_users(s2, INV_TYPE_S2_VMID_S1_CLEAR, id),
			    users, "stage 1 of VMID %u", id);
}

struct arm_smmu_vmid *vt_alloc(struct vt *t, struct arm_smmu_domain *s2)
{
	guard(mutex)(&arm_smmu_asid_lock);
	return arm_smmu_vmid_alloc(&t->smmu, s2);
}

static struct arm_smmu_vmid *vt_claim(struct vt *t, struct vt_vm *vm,
				      struct arm_smmu_domain *s2)
{
	struct arm_smmu_vmid *vmid;

	guard(mutex)(&arm_smmu_asid_lock);
	vt_pin(vt_kvm(vm));
	vmid = arm_smmu_vmid_claim(&t->smmu, &vm->pin, s2);
	if (IS_ERR(vmid))
		vt_unpin(&vm->pin);
	return vmid;
}

void vt_put(struct arm_smmu_vmid *vmid)
{
	guard(mutex)(&arm_smmu_asid_lock);
	arm_smmu_vmid_put(vmid);
}

int vt_evict(struct arm_smmu_vmid *vmid)
{
	guard(mutex)(&arm_smmu_asid_lock);
	return arm_smmu_vmid_evict(vmid);
}

void vt_need_kvm(struct vt *t)
{
	if (!IS_ENABLED(CONFIG_ARM64) || !IS_ENABLED(CONFIG_KVM))
		kunit_skip(t->test, "there is no KVM to stub");
}

/* A device with one stream, or with two if @sid2 is not 0 */
void vt_add_dev(struct vt *t, struct vt_dev *d, struct iommu_group *group,
		u32 sid, u32 sid2)
{
	char name[16];

	snprintf(name, sizeof(name), "vmid-test-%u", sid);
	d->dev = kunit_device_register(t->test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, d->dev);

	d->master.smmu = &t->smmu;
	d->master.dev = d->dev;
	d->master.streams = d->streams;
	d->master.num_streams = sid2 ? 2 : 1;
	d->streams[0].id = sid;
	d->streams[1].id = sid2;
	d->master.build_invs = arm_smmu_invs_alloc(8);
	KUNIT_ASSERT_NOT_NULL(t->test, d->master.build_invs);

	d->iommu.priv = &d->master;
	d->iommu.fwspec = kunit_kzalloc(t->test, sizeof(*d->iommu.fwspec),
					GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(t->test, d->iommu.fwspec);
	d->dev->iommu = &d->iommu;
	KUNIT_ASSERT_EQ(t->test, iommu_group_add_device(group, d->dev), 0);
}

void vt_remove_dev(struct vt_dev *d)
{
	iommu_group_remove_device(d->dev);
	d->dev->iommu = NULL;
	kfree(d->master.vmaster);
	kfree(d->master.build_invs);
}

/* The SMMU, KVM and a user; commands and devices are for the suite to add */
void vt_init_smmu(struct kunit *test, struct vt *t)
{
	struct arm_smmu_device *smmu;
	unsigned int i;

	test->priv = t;
	t->test = test;

	t->user = (void __user *)kunit_vm_mmap(test, NULL, 0, PAGE_SIZE,
					       PROT_READ | PROT_WRITE,
					       MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, (unsigned long)t->user, 0UL);
	t->mm = current->mm;

	smmu = &t->smmu;
	smmu->dev = kunit_device_register(test, "vmid-test-smmu");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, smmu->dev);
	smmu->features = ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_TRANS_S2 |
			 ARM_SMMU_FEAT_NESTING | ARM_SMMU_FEAT_S2FWB |
			 ARM_SMMU_FEAT_COHERENCY;
	smmu->vmid_bits = VT_BITS;
	smmu->asid_bits = 16;
	xa_init_flags(&smmu->asid_xa, XA_FLAGS_ALLOC1);
	smmu->oas = 44;
	smmu->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	smmu->strtab_cfg.linear.table = t->table;
	mutex_init(&smmu->streams_mutex);
	KUNIT_ASSERT_EQ(test, arm_smmu_vmids_init(smmu), 0);
	for (i = 0; i != VT_STREAMS; i++) {
		arm_smmu_make_abort_ste(&t->table[i]);
		arm_smmu_make_abort_ste(&t->cached[i]);
	}

	kunit_activate_static_stub(test, kvm_arm_vmid_pin, vt_pin_locked);
	kunit_activate_static_stub(test, kvm_arm_vmid_unpin, vt_unpin);
	kunit_activate_static_stub(test, kvm_arm_vmid_is_pinned_by,
				   vt_is_pinned_by);
	kunit_activate_static_stub(test, arm_vsmmu_vm_has_el2, vt_has_el2);
	for (i = 0; i != VT_VMS; i++)
		t->vms[i].pin = (struct kvm_vmid_pin){
			.vmid = i + 1,
		};
}

int vt_init(struct kunit *test)
{
	unsigned int i;
	struct vt *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	vt_init_smmu(test, t);
	kunit_activate_static_stub(test, __arm_smmu_cmdq_issue_cmdlist,
				   vt_issue);

	t->group = iommu_group_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->group);
	for (i = 0; i != VT_DEVS; i++) {
		vt_add_dev(t, &t->devs[i], t->group, 1 + 4 * i, i ? 0 : 2);
		KUNIT_ASSERT_EQ(test, vt_detach(t, i), 0);
	}
	vt_clear_log(t);
	return 0;
}

/* Undo all, in the order of iommufd, and see that nothing is left */
void vt_exit(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_vmid *vmid;
	unsigned int pinned = 0;
	unsigned long index;
	unsigned int i;

	/* KUnit calls this even if vt_init() did not get far */
	if (!t || IS_ERR_OR_NULL(t->group))
		return;

	t->at_cmd = NULL;
	t->fail_at = 0;
	t->hangs_from = 0;
	t->nr_log = 0;
	for (i = 0; i != VT_DEVS; i++) {
		struct vt_dev *d = &t->devs[i];

		if (!d->cur)
			continue;
		vt_detach(t, i);
		vt_remove_dev(d);
	}
	for (i = 0; i != t->nr_nested; i++)
		t->nested[i]->ops->free(t->nested[i]);
	for (i = 0; i != VT_VSMMUS; i++)
		if (t->vsmmus[i])
			vt_free_vsmmu(t, t->vsmmus[i]);
	for (i = 0; i != VT_S2S; i++)
		if (t->s2s[i])
			vt_free_s2(t, t->s2s[i]);
	iommu_group_put(t->group);

	/* Only what is dirty outlives its users, and a pin only with it */
	xa_for_each(&t->smmu.vmids, index, vmid) {
		KUNIT_EXPECT_TRUE(test, vmid->dirty);
		KUNIT_EXPECT_EQ(test, vmid->users, 0);
		pinned += !!vmid->pin;
	}
	for (i = 0; i != VT_VMS; i++)
		pinned -= t->vms[i].refs;
	KUNIT_EXPECT_EQ(test, pinned, 0);

	/* The SMMU is reset */
	kunit_device_unregister(test, t->smmu.dev);
	for (i = 0; i != VT_VMS; i++)
		KUNIT_EXPECT_EQ(test, t->vms[i].refs, 0);
	KUNIT_EXPECT_EQ(test, vt_count_tables(t), 0);
	for (i = 0; i != t->nr_tables; i++)
		put_page(t->tables[i]);
}

/* The registry */

static const unsigned int vt_widths[] = { 8, 16 };

static void vt_width_desc(const unsigned int *bits, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bits", *bits);
}

KUNIT_ARRAY_PARAM(vt_width, vt_widths, vt_width_desc);

static void vt_registry_private(struct kunit *test)
{
	const unsigned int bits = *(const unsigned int *)test->param_value;
	struct vt *t = test->priv;
	unsigned int top = (1U << bits) - 1;
	struct arm_smmu_vmid *vmid;
	unsigned int i;

	t->smmu.vmid_bits = bits;

	/* All numbers but 0, each once, from the top down */
	for (i = top; i; i--) {
		vmid = vt_alloc(t, NULL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vmid);
		KUNIT_ASSERT_EQ(test, vmid->id, i);
		KUNIT_ASSERT_EQ(test, vmid->users, 1);
	}
	vmid = vt_alloc(t, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vmid), -ENOSPC);

	/* The one that comes back is the one that is given out */
	vt_put(vt_find(t, 3));
	vmid = vt_alloc(t, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vmid);
	KUNIT_EXPECT_EQ(test, vmid->id, 3);

	mutex_lock(&arm_smmu_asid_lock);
	KUNIT_EXPECT_NULL(test, arm_smmu_vmid_find(&t->smmu, 0));
	for (i = 1; i <= top; i++) {
		vmid = arm_smmu_vmid_find(&t->smmu, i);
		if (!vmid || vmid->id != i) {
			KUNIT_FAIL(test, "VMID %u lost", i);
			break;
		}
		arm_smmu_vmid_put(vmid);
	}
	mutex_unlock(&arm_smmu_asid_lock);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->smmu.vmids));

	vmid = vt_alloc(t, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vmid);
	KUNIT_EXPECT_EQ(test, vmid->id, top);
	vt_put(vmid);
}

static void vt_registry_claim(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_vmid *vmid, *other;

	vt_need_kvm(t);
	t->vms[0].pin.vmid = 5;
	vmid = vt_claim(t, &t->vms[0], s2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vmid);
	KUNIT_EXPECT_EQ(test, vmid->id, 5);
	KUNIT_EXPECT_EQ(test, vmid->users, 1);
	KUNIT_EXPECT_PTR_EQ(test, vmid->s2, s2);
	KUNIT_EXPECT_PTR_EQ(test, vt_find(t, 5), vmid);

	/* Busy: a VM's number, a private one */
	t->vms[1].pin.vmid = 5;
	other = vt_claim(t, &t->vms[1], s2);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(other), -EBUSY);
	t->vms[1].pin.vmid = s2->s2_cfg.vmid->id;
	other = vt_claim(t, &t->vms[1], s2);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(other), -EBUSY);
	KUNIT_EXPECT_EQ(test, t->vms[1].refs, 0);

	/* The pin goes with the last user, and only then */
	mutex_lock(&arm_smmu_asid_lock);
	arm_smmu_vmid_get(vmid);
	mutex_unlock(&arm_smmu_asid_lock);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	vt_put(vmid);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	KUNIT_EXPECT_PTR_EQ(test, vt_find(t, 5), vmid);
	vt_put(vmid);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	KUNIT_EXPECT_NULL(test, vt_find(t, 5));
}

/* A private number that KVM's has met is passed over, not given out twice */
static void vt_registry_meet(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_vmid *claimed, *above, *below;

	vt_need_kvm(t);
	t->vms[0].pin.vmid = VT_TOP - 1;
	claimed = vt_claim(t, &t->vms[0], NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, claimed);
	above = vt_alloc(t, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, above);
	below = vt_alloc(t, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, below);
	KUNIT_EXPECT_EQ(test, above->id, VT_TOP);
	KUNIT_EXPECT_EQ(test, below->id, VT_TOP - 2);
	vt_put(below);
	vt_put(above);
	vt_put(claimed);
}

static void vt_registry_dirty(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_vmid *vmid, *other;

	vt_need_kvm(t);
	vmid = vt_claim(t, &t->vms[0], vt_new_s2(t));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vmid);
	vmid->dirty = true;
	t->hangs_from = 1;
	vt_put(vmid);

	KUNIT_EXPECT_PTR_EQ(test, vt_find(t, t->vms[0].pin.vmid), vmid);
	KUNIT_EXPECT_PTR_EQ(test, vmid->s2, t->s2s[0]);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	other = vt_claim(t, &t->vms[0], t->s2s[0]);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(other), -EBUSY);
	/* vt_exit() sees whether the reset of the SMMU drops the pin */
}

static void vt_registry_swap(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_vmid *a = vt_alloc(t, NULL);
	struct arm_smmu_vmid *b = vt_alloc(t, NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	mutex_lock(&arm_smmu_asid_lock);
	arm_smmu_vmid_swap(a, b);
	KUNIT_EXPECT_EQ(test, a->id, VT_TOP - 1);
	KUNIT_EXPECT_EQ(test, b->id, VT_TOP);
	KUNIT_EXPECT_PTR_EQ(test, arm_smmu_vmid_find(&t->smmu, VT_TOP), b);
	KUNIT_EXPECT_PTR_EQ(test, arm_smmu_vmid_find(&t->smmu, VT_TOP - 1), a);
	mutex_unlock(&arm_smmu_asid_lock);
	vt_put(a);
	vt_put(b);
}

static void vt_registry_nomem(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_vmid *private, *shared;
	unsigned int after, failed;

	vt_need_kvm(t);
	nomem_init(test);
	for (after = 0, failed = 1; failed; after++) {
		nomem_start(after);
		private = vt_alloc(t, NULL);
		shared = IS_ERR(private) ? ERR_PTR(-ENOMEM) :
					   vt_claim(t, &t->vms[0], NULL);
		failed = nomem_stop();

		if (IS_ERR(private))
			KUNIT_EXPECT_EQ(test, PTR_ERR(private), -ENOMEM);
		else
			vt_put(private);
		if (IS_ERR(shared))
			KUNIT_EXPECT_EQ(test, PTR_ERR(shared), -ENOMEM);
		else
			vt_put(shared);
		KUNIT_EXPECT_TRUE(test, xa_empty(&t->smmu.vmids));
		KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
		KUNIT_ASSERT_LT(test, after, 64);
	}
	/* At least the two objects and a node of the xarray */
	KUNIT_EXPECT_GT(test, after, 3);
}

/* What is in an STE */

struct vt_vste {
	unsigned int vcfg;
	unsigned int cfg;
	const char *desc;
};

static const struct vt_vste vt_vstes[] = {
	{ STRTAB_STE_0_CFG_S1_TRANS, STRTAB_STE_0_CFG_NESTED, "translate" },
	{ STRTAB_STE_0_CFG_BYPASS, STRTAB_STE_0_CFG_S2_TRANS, "bypass" },
	{ STRTAB_STE_0_CFG_ABORT, STRTAB_STE_0_CFG_ABORT, "abort" },
	{ VT_STE_INVALID, STRTAB_STE_0_CFG_ABORT, "invalid" },
};

KUNIT_ARRAY_PARAM_DESC(vt_vste, vt_vstes, desc);

/* The STE of a direct attachment, in another way than the driver makes it */
static void vt_expect_ste(struct vt *t, const struct arm_smmu_ste *ste,
			  struct arm_smmu_domain *s2, u16 id, unsigned int cfg)
{
	struct arm_smmu_ste want = {};
	struct arm_smmu_master *master = &t->devs[0].master;

	if (cfg == STRTAB_STE_0_CFG_ABORT) {
		want.data[0] = cpu_to_le64(STRTAB_STE_0_V);
	} else {
		arm_smmu_make_s2_domain_ste(&want, master, s2, false);
		KUNIT_EXPECT_EQ(t->test, vt_ste_vmid(&want), 0);
		want.data[2] |= cpu_to_le64(id);
		KUNIT_EXPECT_EQ(t->test, le64_to_cpu(ste->data[3]), vt_ttb(s2));
	}
	if (cfg == STRTAB_STE_0_CFG_NESTED) {
		want.data[0] |= cpu_to_le64(vt_s1ctx(t, t->vsmmus[0]) |
					    VT_STE_0_NESTED);
		want.data[1] |= cpu_to_le64(FIELD_PREP(STRTAB_STE_1_S1CIR, 1) |
					    FIELD_PREP(STRTAB_STE_1_S1COR, 2) |
					    FIELD_PREP(STRTAB_STE_1_S1CSH, 3) |
					    STRTAB_STE_1_MEV);
	}
	KUNIT_EXPECT_EQ(t->test, vt_ste_cfg(ste), cfg);
	KUNIT_EXPECT_MEMEQ(t->test, ste, &want, sizeof(want));
}

static void vt_ste_nested(struct kunit *test)
{
	const struct vt_vste *p = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	t->vms[0].pin.vmid = 0x5a;
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	KUNIT_EXPECT_NE(test, s2->s2_cfg.vmid->id, 0x5a);
	KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, vsmmu, &t->vms[0]), 0);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, vt_nested(t, vsmmu, p->vcfg)), 0);
	vt_expect_ste(t, vt_ste(t, 1), s2, 0x5a, p->cfg);
}

static void vt_ste_direct(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);

	vt_need_kvm(t);
	/* Also with a vSMMU over it that has another number */
	vt_must_share(t, s2_b, &t->vms[0]);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 0, &s2->domain), 0);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2_b->domain), 0);
	vt_expect_ste(t, vt_ste(t, 0), s2, VT_TOP, STRTAB_STE_0_CFG_S2_TRANS);
	vt_expect_ste(t, &t->table[2], s2, VT_TOP, STRTAB_STE_0_CFG_S2_TRANS);
	vt_expect_ste(t, vt_ste(t, 1), s2_b, VT_TOP - 1,
		      STRTAB_STE_0_CFG_S2_TRANS);
}

/* From one STE of a stage-2 table to another */

enum vt_state {
	VT_DIRECT,
	VT_DIRECT_2,
	VT_BYPASS_A,
	VT_TRANSLATE_A,
	VT_TRANSLATE_A2,
	VT_TRANSLATE_B,
};

/**
 * struct vt_transition - From one STE to another
 * @from: the old one
 * @to: the new one
 * @syncs: that it takes in units of 64 and of 128 bits
 * @broken: if it goes by V=0 in these
 * @desc: for KUnit
 */
struct vt_transition {
	enum vt_state from;
	enum vt_state to;
	unsigned int syncs[2];
	bool broken[2];
	const char *desc;
};

/*
 * vSMMU A has the VMID of its VM, B that of the stage-2 table, as has a direct
 * attachment. A change of nothing but S2VMID takes one sync. Switching stage 1 on
 * takes two, for qword 1 and then 0, and switching it off three: MEV goes before,
 * the other bits of qword 1 after. What takes a qword of each half is broken, as in
 * 7.3, and what takes two of one half if 64 bits are the unit.
 */
static const struct vt_transition vt_transitions[] = {
	{ VT_DIRECT, VT_BYPASS_A, { 1, 1 }, {}, "direct to bypass" },
	{ VT_BYPASS_A, VT_DIRECT, { 1, 1 }, {}, "bypass to direct" },
	{ VT_DIRECT, VT_TRANSLATE_A, { 3, 3 }, {}, "direct to translate" },
	{ VT_TRANSLATE_A, VT_DIRECT, { 4, 4 }, {}, "translate to direct" },
	{ VT_DIRECT, VT_TRANSLATE_B, { 2, 2 }, {},
	  "direct to translate, same VMID" },
	{ VT_TRANSLATE_B, VT_DIRECT, { 3, 3 }, {},
	  "translate to direct, same VMID" },
	{ VT_BYPASS_A, VT_TRANSLATE_A, { 2, 2 }, {}, "bypass to translate" },
	{ VT_TRANSLATE_A, VT_BYPASS_A, { 3, 3 }, {}, "translate to bypass" },
	{ VT_BYPASS_A, VT_TRANSLATE_B, { 3, 3 }, {},
	  "bypass to another's translate" },
	{ VT_TRANSLATE_B, VT_BYPASS_A, { 4, 4 }, {},
	  "translate to another's bypass" },
	{ VT_TRANSLATE_A, VT_TRANSLATE_A2, { 3, 1 }, { true, false },
	  "translate to another one of the vSMMU" },
	{ VT_DIRECT, VT_DIRECT_2, { 3, 1 }, { true, false },
	  "direct to another table" },
	{ VT_BYPASS_A, VT_DIRECT_2, { 3, 1 }, { true, false },
	  "bypass to another table" },
	{ VT_TRANSLATE_A, VT_TRANSLATE_B, { 3, 3 }, { true, true },
	  "translate to another's" },
	{ VT_TRANSLATE_B, VT_TRANSLATE_A, { 3, 3 }, { true, true },
	  "and back" },
	{ VT_TRANSLATE_A, VT_DIRECT_2, { 3, 3 }, { true, true },
	  "translate to another table" },
};

KUNIT_ARRAY_PARAM_DESC(vt_transition, vt_transitions, desc);

struct vt_seen {
	struct arm_smmu_ste *ste;
	unsigned int syncs;
	bool broken;
};

/*
 * A guest's stage 1 is cached under that guest's number and no other: the commands
 * and broadcasts of the guest name that one.
 */
static void vt_expect_reached(struct vt *t)
{
	struct arm_vsmmu *vsmmu;
	unsigned int id;

	for (id = 0; id != VT_VMIDS; id++) {
		if (!t->tlb[id].s1ctx)
			continue;
		vsmmu = t->vsmmus[vt_guest_of(t->tlb[id].s1ctx)];
		KUNIT_EXPECT_EQ_MSG(t->test, vsmmu->vmid->id, id,
				    "stage 1 under another number");
	}
}

static void vt_see_ste(struct vt *t, const struct vt_cmd *cmd)
{
	struct vt_seen *seen = t->data;

	vt_expect_reached(t);
	if (cmd->op != CMDQ_OP_CFGI_STE)
		return;
	seen->syncs++;
	if (!(le64_to_cpu(seen->ste->data[0]) & STRTAB_STE_0_V))
		seen->broken = true;
}

static void vt_enter(struct vt *t, enum vt_state state)
{
	struct arm_vsmmu *a = t->vsmmus[0], *b = t->vsmmus[1];
	struct iommu_domain *domain;

	switch (state) {
	case VT_DIRECT:
		domain = &t->s2s[0]->domain;
		break;
	case VT_DIRECT_2:
		domain = &t->s2s[1]->domain;
		break;
	case VT_BYPASS_A:
		domain = vt_nested(t, a, STRTAB_STE_0_CFG_BYPASS);
		break;
	case VT_TRANSLATE_A2:
		KUNIT_ASSERT_EQ(t->test, vt_vdevice(t, 1, a, &t->vms[0]), 0);
		domain = vt_nested_s1(t, a, VT_S1_OTHER);
		break;
	case VT_TRANSLATE_A:
		vt_attach_translate(t, 1, a, &t->vms[0]);
		return;
	case VT_TRANSLATE_B:
		vt_attach_translate(t, 1, b, NULL);
		return;
	}
	KUNIT_ASSERT_EQ(t->test, vt_attach(t, 1, domain), 0);
}

/* Stage-2 table 0 with vSMMUs A and B, and 1 */
static void vt_two_tables(struct vt *t)
{
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *b;

	vt_new_s2(t);
	vt_must_share(t, s2, &t->vms[0]);
	b = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	KUNIT_EXPECT_PTR_EQ(t->test, b->vmid, s2->s2_cfg.vmid);
}

static u16 vt_state_vmid(struct vt *t, enum vt_state state)
{
	switch (state) {
	case VT_BYPASS_A:
	case VT_TRANSLATE_A:
	case VT_TRANSLATE_A2:
		return t->vsmmus[0]->vmid->id;
	case VT_DIRECT_2:
		return t->s2s[1]->s2_cfg.vmid->id;
	default:
		return t->s2s[0]->s2_cfg.vmid->id;
	}
}

static void vt_ste_transition(struct kunit *test)
{
	const struct vt_transition *p = test->param_value;
	struct vt *t = test->priv;
	unsigned int i;

	vt_need_kvm(t);
	vt_two_tables(t);
	for (i = 0; i != 2; i++) {
		struct vt_seen seen = { .ste = vt_ste(t, 1) };

		if (i)
			t->smmu.features |= ARM_SMMU_FEAT_ATOMIC128;
		vt_enter(t, p->from);
		t->data = &seen;
		t->at_cmd = vt_see_ste;
		vt_enter(t, p->to);
		t->at_cmd = NULL;

		KUNIT_EXPECT_EQ(test, seen.broken, p->broken[i]);
		KUNIT_EXPECT_EQ(test, seen.syncs, p->syncs[i]);
		KUNIT_EXPECT_EQ(test, vt_ste_vmid(seen.ste),
				vt_state_vmid(t, p->to));
	}
}

/* arm_smmu_ste_vmid_step() is for STEs of one stage-2 table, and for live ones */
static void vt_ste_no_step(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t), *s2_b = vt_new_s2(t);
	struct arm_smmu_ste direct, nested, other, step;
	struct arm_smmu_vmid vmid = { .id = 5 };

	arm_smmu_make_s2_domain_ste(&direct, &t->devs[0].master, s2, false);
	arm_smmu_ste_set_vmid(&direct, s2->s2_cfg.vmid);
	arm_smmu_make_s2_domain_ste(&nested, &t->devs[0].master, s2, false);
	nested.data[0] |= cpu_to_le64(VT_STE_0_NESTED);
	arm_smmu_ste_set_vmid(&nested, &vmid);
	KUNIT_EXPECT_TRUE(test, arm_smmu_ste_vmid_step(&direct, &nested, &step));
	KUNIT_EXPECT_TRUE(test, arm_smmu_ste_vmid_step(&nested, &direct, &step));

	arm_smmu_make_s2_domain_ste(&other, &t->devs[0].master, s2_b, false);
	arm_smmu_ste_set_vmid(&other, s2_b->s2_cfg.vmid);
	KUNIT_EXPECT_FALSE(test, arm_smmu_ste_vmid_step(&other, &nested, &step));
	KUNIT_EXPECT_FALSE(test, arm_smmu_ste_vmid_step(&nested, &other, &step));

	arm_smmu_make_abort_ste(&other);
	KUNIT_EXPECT_FALSE(test, arm_smmu_ste_vmid_step(&other, &nested, &step));
	other = direct;
	other.data[0] &= ~cpu_to_le64(STRTAB_STE_0_V);
	KUNIT_EXPECT_FALSE(test, arm_smmu_ste_vmid_step(&other, &nested, &step));
}

/* Attaching */

static void vt_attach_commands(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	VT_EXPECT_LOG(t);

	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC);
	vt_expect_users(t, s2, VT_TOP, 1);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);
	VT_EXPECT_LOG(t, VT_CFGI(9), VT_SYNC, VT_CFGI(9), VT_SYNC);
	vt_expect_users(t, s2, VT_TOP, 2);

	/* The other device still uses the number of the table */
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(5),
		      VT_SYNC);
	vt_expect_users(t, s2, VT_TOP, 1);
	vt_expect_users(t, s2, 1, 1);

	KUNIT_ASSERT_EQ(test, vt_detach(t, 2), 0);
	VT_EXPECT_LOG(t, VT_CFGI(9), VT_SYNC, VT_CFGI(9), VT_SYNC,
		      VT_VMALL(VT_TOP), VT_SYNC);
	vt_expect_users(t, s2, VT_TOP, 0);
	vt_expect_users(t, s2, 1, 1);

	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC, VT_VMALL(1),
		      VT_SYNC);
	vt_expect_users(t, s2, 1, 0);

	/* Nothing is left to flush when the owners go */
	vt_free_s2(t, vt_new_s2(t));
	VT_EXPECT_LOG(t);
}

/* I8: a vSMMU that shares nothing makes no difference to the commands */
static void vt_attach_private(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);

	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	vt_clear_log(t);
	vt_attach_translate(t, 1, vsmmu, NULL);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC);
	vt_expect_users(t, s2, VT_TOP, 1);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(5),
		      VT_SYNC);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	VT_EXPECT_LOG(t, VT_CFGI(5), VT_SYNC, VT_CFGI(5), VT_SYNC,
		      VT_VMALL(VT_TOP), VT_SYNC);
}

/* Which commands an unmap takes while two numbers are live */
static void vt_attach_unmap(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 0, &s2->domain), 0);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	vt_check_unmap(t, s2);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->s2_hits, VT_VMIDS), 2);
	KUNIT_EXPECT_TRUE(test, test_bit(VT_TOP, t->s2_hits));
	KUNIT_EXPECT_TRUE(test, test_bit(1, t->s2_hits));

	KUNIT_ASSERT_EQ(test, vt_detach(t, 0), 0);
	vt_check_unmap(t, s2);
	KUNIT_EXPECT_EQ(test, bitmap_weight(t->s2_hits, VT_VMIDS), 1);
	KUNIT_EXPECT_TRUE(test, test_bit(1, t->s2_hits));
}

struct vt_failure {
	enum vt_fault fault;
	unsigned int at;
};

static const struct vt_failure vt_detach_failures[] = {
	{ VT_CERROR, 1 }, { VT_CERROR, 2 }, { VT_CERROR, 3 },
	{ VT_TIMEOUT, 1 }, { VT_TIMEOUT, 2 }, { VT_TIMEOUT, 3 },
};

static void vt_failure_desc(const struct vt_failure *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s at sync %u",
		 p->fault == VT_CERROR ? "CERROR" : "timeout", p->at);
}

KUNIT_ARRAY_PARAM(vt_detach_failure, vt_detach_failures, vt_failure_desc);

/* I3: a command fails while the last STE with a VMID goes away */
static void vt_detach_fails(struct kunit *test)
{
	const struct vt_failure *p = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);

	for (i = 1; i <= 2; i++) {
		vt_clear_log(t);
		t->fail_at = p->at;
		t->fault = p->fault;
		KUNIT_ASSERT_EQ(test, vt_detach(t, i), 0);
		KUNIT_EXPECT_EQ(test, t->syncs, 3);
	}
	KUNIT_EXPECT_TRUE(test, vsmmu->vmid->dirty);
	KUNIT_EXPECT_TRUE(test, s2->s2_cfg.vmid->dirty);
	vt_expect_users(t, s2, 1, 1);
	vt_expect_users(t, s2, VT_TOP, 1);

	/* Commands that succeed later do not tell what became of the others */
	vt_clear_log(t);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 2), 0);
	KUNIT_EXPECT_TRUE(test, s2->s2_cfg.vmid->dirty);
	vt_expect_users(t, s2, VT_TOP, 1);

	/* While the queue hangs neither the VM nor another vSMMU gets them */
	t->hangs_from = 1;
	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(vt_new_vsmmu(t, s2, &t->vms[0],
						     VT_SHARE)),
			-EBUSY);
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP - 1);
	t->hangs_from = 0;
	vt_attach_translate(t, 1, vsmmu, NULL);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);

	/* Nor another table */
	t->hangs_from = 1;
	vt_free_s2(t, s2);
	s2 = vt_new_s2(t);
	t->hangs_from = 0;
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->id, VT_TOP - 1);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 3);
}

/* A command of attaching that fails does no harm to a number that is not left */
static void vt_attach_fails(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);

	t->fail_at = 1;
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	KUNIT_EXPECT_FALSE(test, s2->s2_cfg.vmid->dirty);
	vt_clear_log(t);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_expect_users(t, s2, VT_TOP, 0);
	KUNIT_EXPECT_FALSE(test, s2->s2_cfg.vmid->dirty);
}

/* Which VMID a vSMMU gets */

/* Another guest's stage-1 entries must be gone when its VMID is handed on */
static void vt_choose_after_another(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);

	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);
	vt_attach_translate(t, 1, vsmmu, NULL);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);
	vt_clear_log(t);

	/* The direct attachment has kept the number from being flushed */
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	VT_EXPECT_LOG(t, VT_NH_ALL(VT_TOP), VT_SYNC);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	vt_free_vsmmu(t, vsmmu);

	/* No guest since */
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	VT_EXPECT_LOG(t);
	vt_attach_translate(t, 1, vsmmu, NULL);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 2), 0);
	vt_free_vsmmu(t, vsmmu);
	vt_clear_log(t);

	/* The last detach has flushed everything */
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	VT_EXPECT_LOG(t);
	vt_attach_translate(t, 1, vsmmu, NULL);
}

/* If they cannot be flushed, the next guest gets another number */
static void vt_choose_flush_fails(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);

	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);
	vt_attach_translate(t, 1, vsmmu, NULL);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);
	vt_clear_log(t);
	t->fail_at = 1;
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP - 1);
	vt_attach_translate(t, 1, vsmmu, NULL);
	KUNIT_ASSERT_EQ(test, vt_detach(t, 1), 0);
	vt_free_vsmmu(t, vsmmu);
	vt_clear_log(t);

	/* And the one after that not before they are */
	vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	VT_EXPECT_LOG(t, VT_NH_ALL(VT_TOP), VT_SYNC);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	vt_attach_translate(t, 1, vsmmu, NULL);
}

static void vt_choose_second(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *a, *b;

	a = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	b = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	KUNIT_EXPECT_PTR_EQ(test, a->vmid, s2->s2_cfg.vmid);
	KUNIT_EXPECT_EQ(test, a->vmid->users, 2);
	KUNIT_EXPECT_NE(test, b->vmid->id, a->vmid->id);
	KUNIT_EXPECT_PTR_EQ(test, b->vmid->s2, s2);
	KUNIT_EXPECT_EQ(test, b->vmid->users, 1);
	vt_attach_translate(t, 1, a, NULL);
	vt_attach_translate(t, 2, b, NULL);
	vt_expect_users(t, s2, VT_TOP, 1);
	vt_expect_users(t, s2, VT_TOP - 1, 1);
}

static void vt_choose_share(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, 1);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->users, 1);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid->s2, s2);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid->vsmmu, vsmmu);
	KUNIT_EXPECT_PTR_EQ(test, s2->s2_cfg.shared, vsmmu->vmid);
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->id, VT_TOP);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	KUNIT_EXPECT_EQ(test, t->out_flags,
			IOMMU_VIOMMU_ARM_SMMUV3_VMID_SHARED);

	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_NULL(test, s2->s2_cfg.shared);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	KUNIT_EXPECT_NULL(test, vt_find(t, 1));

	/* The other way round: the next VM, and the same number again */
	vsmmu = vt_must_share(t, s2, &t->vms[1]);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, 2);
	vt_free_vsmmu(t, vsmmu);
	vt_must_share(t, s2, &t->vms[0]);
}

/* Not asked for: as in 7.3, whether the SMMU listens or not */
static void vt_choose_unasked(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	static const int flags[] = { 0, VT_NO_DATA };
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vt_need_kvm(t);
	for (i = 0; i != 2 * ARRAY_SIZE(flags); i++) {
		if (i == ARRAY_SIZE(flags))
			t->smmu.features |= ARM_SMMU_FEAT_BTM;
		vsmmu = vt_must_vsmmu(t, s2, &t->vms[0],
				      flags[i % ARRAY_SIZE(flags)]);
		KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
		KUNIT_EXPECT_NULL(test, s2->s2_cfg.shared);
		KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
		KUNIT_EXPECT_EQ(test, t->out_flags, 0);
		/* It serves whichever VM's devices there are */
		KUNIT_EXPECT_EQ(test, vt_vdevice(t, 1, vsmmu, &t->vms[1]), 0);
		vt_free_vsmmu(t, vsmmu);
	}
}

/* Broadcasts are reported where the SMMU listens, for a VM that has one VMID */
static void vt_choose_btm(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vt_need_kvm(t);
	for (i = 0; i != 4; i++) {
		const bool btm = i & 1, el2 = i & 2;

		t->smmu.features &= ~ARM_SMMU_FEAT_BTM;
		if (btm)
			t->smmu.features |= ARM_SMMU_FEAT_BTM;
		t->vms[0].has_el2 = el2;
		vsmmu = vt_must_share(t, s2, &t->vms[0]);
		KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, 1);
		KUNIT_EXPECT_EQ(test, t->out_flags,
				IOMMU_VIOMMU_ARM_SMMUV3_VMID_SHARED |
					(btm && !el2 ?
						 IOMMU_VIOMMU_ARM_SMMUV3_BTM :
						 0));
		vt_free_vsmmu(t, vsmmu);
	}
}

/* What a VMM can know before it allocates anything */
static void vt_hw_info(struct kunit *test)
{
	struct vt *t = test->priv;
	struct iommu_hw_info_arm_smmuv3 *info;
	enum iommu_hw_info_type type;
	unsigned int i;
	u32 len;

	t->smmu.base = (void __force __iomem *)kunit_kzalloc(test, SZ_4K,
							     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)t->smmu.base);
	/* Raw, and no answer: the SMMU need not listen */
	writel_relaxed(IDR0_BTM, t->smmu.base + ARM_SMMU_IDR0);
	for (i = 0; i != 2; i++) {
		if (i)
			t->smmu.features |= ARM_SMMU_FEAT_BTM;
		type = IOMMU_HW_INFO_TYPE_DEFAULT;
		info = arm_smmu_ops.hw_info(t->devs[0].dev, &len, &type);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, info);
		KUNIT_EXPECT_EQ(test, type, IOMMU_HW_INFO_TYPE_ARM_SMMUV3);
		KUNIT_EXPECT_EQ(test, len, sizeof(*info));
		KUNIT_EXPECT_EQ(test, info->idr[0], IDR0_BTM);
		KUNIT_EXPECT_EQ(test, info->flags & IOMMU_HW_INFO_ARM_SMMUV3_BTM,
				i ? IOMMU_HW_INFO_ARM_SMMUV3_BTM : 0);
		kfree(info);
	}
}

/* Asked for: @err. Not asked for: a private one. */
static void vt_expect_refused(struct vt *t, struct arm_smmu_domain *s2,
			      struct vt_vm *vm, int err)
{
	struct arm_smmu_vmid *shared = s2->s2_cfg.shared;
	unsigned int vmids = vt_count_vmids(t);
	int refs = vm ? vm->refs : 0;
	struct arm_vsmmu *vsmmu;

	vsmmu = vt_new_vsmmu(t, s2, vm, VT_SHARE);
	KUNIT_EXPECT_EQ(t->test, PTR_ERR_OR_ZERO(vsmmu), err);
	KUNIT_EXPECT_EQ(t->test, vt_count_vmids(t), vmids);
	KUNIT_EXPECT_EQ(t->test, vm ? vm->refs : 0, refs);
	KUNIT_EXPECT_PTR_EQ(t->test, s2->s2_cfg.shared, shared);

	vsmmu = vt_must_vsmmu(t, s2, vm, 0);
	KUNIT_EXPECT_NULL(t->test, vsmmu->vmid->pin);
	KUNIT_EXPECT_EQ(t->test, t->out_flags, 0);
	vt_free_vsmmu(t, vsmmu);
	KUNIT_EXPECT_EQ(t->test, vt_count_vmids(t), vmids);
	KUNIT_EXPECT_EQ(t->test, vm ? vm->refs : 0, refs);
}

static void vt_refuse_no_kvm(struct kunit *test)
{
	struct vt *t = test->priv;

	vt_need_kvm(t);
	vt_expect_refused(t, vt_new_s2(t), NULL, -ENODEV);
}

static void vt_refuse_by_kvm(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);

	vt_need_kvm(t);
	t->vms[0].err = -EPERM;
	vt_expect_refused(t, s2, &t->vms[0], -EPERM);
	t->vms[0].err = -ENOSPC;
	vt_expect_refused(t, s2, &t->vms[0], -ENOSPC);
	t->vms[0].err = -ENOMEM;
	vt_expect_refused(t, s2, &t->vms[0], -ENOMEM);
}

/* I6: the number counts, not how many bits KVM's have */
static void vt_refuse_width(struct kunit *test)
{
	static const u16 fits[] = { 1, 0x5a, VT_TOP - 1 };
	static const u16 wide[] = { VT_TOP + 1, 0x105, 0x1ff, 0x8000, 0xffff };
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vt_need_kvm(t);
	for (i = 0; i != ARRAY_SIZE(fits); i++) {
		t->vms[0].pin.vmid = fits[i];
		vsmmu = vt_must_share(t, s2, &t->vms[0]);
		KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, fits[i]);
		vt_free_vsmmu(t, vsmmu);
	}
	for (i = 0; i != ARRAY_SIZE(wide); i++) {
		t->vms[0].pin.vmid = wide[i];
		vt_expect_refused(t, s2, &t->vms[0], -ERANGE);
	}
}

/* The VM's number serves another stage-2 table, or another vSMMU */
static void vt_refuse_taken(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);

	vt_need_kvm(t);
	vt_must_share(t, s2, &t->vms[0]);
	vt_expect_refused(t, s2_b, &t->vms[0], -EBUSY);
	vt_expect_refused(t, s2, &t->vms[0], -EBUSY);
	/* One stage-2 table is shared with one VM */
	vt_expect_refused(t, s2, &t->vms[1], -EBUSY);
	vt_must_share(t, s2_b, &t->vms[1]);
}

static void vt_refuse_dirty(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);

	vt_need_kvm(t);
	s2_b->s2_cfg.vmid->dirty = true;
	t->hangs_from = 1;
	t->vms[0].pin.vmid = s2_b->s2_cfg.vmid->id;
	vt_expect_refused(t, s2, &t->vms[0], -EBUSY);
	vt_free_s2(t, s2_b);
	vt_expect_refused(t, s2, &t->vms[0], -EBUSY);
}

static void vt_tegra_destroy(struct iommufd_viommu *viommu)
{
	arm_vsmmu_put_vmid(container_of(viommu, struct arm_vsmmu, core));
}

static const struct iommufd_viommu_ops vt_tegra_viommu_ops = {
	.destroy = vt_tegra_destroy,
};

static int vt_tegra_init(struct arm_vsmmu *vsmmu,
			 const struct iommu_user_data *user_data)
{
	vsmmu->core.ops = &vt_tegra_viommu_ops;
	return 0;
}

static int vt_tegra_init_fails(struct arm_vsmmu *vsmmu,
			       const struct iommu_user_data *user_data)
{
	return -ENXIO;
}

/* Hardware that takes commands from a guest knows the number */
static void vt_refuse_tegra(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);
	unsigned int users = s2_b->s2_cfg.vmid->users;
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	t->smmu.impl_ops = &t->impl_ops;
	t->impl_ops.vsmmu_init = vt_tegra_init_fails;
	vsmmu = vt_new_vsmmu_type(t, s2_b, &t->vms[0], VT_NO_DATA,
				  IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vsmmu), -ENXIO);
	KUNIT_EXPECT_EQ(test, s2_b->s2_cfg.vmid->users, users);
	KUNIT_EXPECT_NULL(test, s2_b->s2_cfg.vmid->vsmmu);

	t->impl_ops.vsmmu_init = vt_tegra_init;
	vsmmu = vt_new_vsmmu_type(t, s2_b, &t->vms[0], VT_NO_DATA,
				  IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vsmmu);
	KUNIT_EXPECT_NULL(test, vsmmu->vmid->pin);

	t->vms[0].pin.vmid = vsmmu->vmid->id;
	vt_expect_refused(t, s2, &t->vms[0], -EBUSY);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, t->vms[0].pin.vmid);

	/* Once it is off, the number can move */
	vt_free_vsmmu(t, vsmmu);
	vt_must_share(t, s2, &t->vms[0]);
}

static void vt_refuse_request(struct kunit *test)
{
	static const size_t sizes[] = { 4, 7, 9, 12, 16, PAGE_SIZE };
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct iommu_viommu_arm_smmuv3 arg = { .out_flags = 1 };
	struct iommu_user_data data = {
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.uptr = t->user,
		.len = sizeof(arg),
	};
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vsmmu = vt_new_vsmmu(t, s2, &t->vms[0], 2);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vsmmu), -EOPNOTSUPP);

	vsmmu = kunit_kzalloc(test, sizeof(*vsmmu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vsmmu);
	vsmmu->core.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
	vsmmu->core.iommu_dev = &t->smmu.iommu;
	KUNIT_ASSERT_EQ(test, copy_to_user(t->user, &arg, sizeof(arg)), 0);
	KUNIT_EXPECT_EQ(test,
			arm_smmu_ops.viommu_init(&vsmmu->core, &s2->domain,
						 vt_bind(&t->idev, NULL), &data),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->users, 1);

	/* Larger than what is known, with nothing in the rest; and smaller */
	arg.out_flags = 0;
	KUNIT_ASSERT_EQ(test, clear_user(t->user, PAGE_SIZE), 0);
	for (i = 0; i != ARRAY_SIZE(sizes); i++) {
		data.len = sizes[i];
		KUNIT_EXPECT_EQ(test,
				arm_smmu_ops.viommu_init(&vsmmu->core,
							 &s2->domain, NULL,
							 &data),
				-EINVAL);
	}
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->users, 1);

	/* The answer cannot be written */
	vt_need_kvm(t);
	arg.flags = VT_SHARE;
	data.len = sizeof(arg);
	data.uptr = (void __user *)kunit_vm_mmap(test, NULL, 0, PAGE_SIZE,
						 PROT_READ | PROT_WRITE,
						 MAP_ANONYMOUS | MAP_PRIVATE,
						 0);
	KUNIT_ASSERT_NOT_NULL(test, (__force void *)data.uptr);
	KUNIT_ASSERT_EQ(test, copy_to_user(data.uptr, &arg, sizeof(arg)), 0);
	t->vms[0].unmap = data.uptr;
	KUNIT_EXPECT_EQ(test,
			arm_smmu_ops.viommu_init(&vsmmu->core, &s2->domain,
						 vt_bind(&t->idev, &t->vms[0]),
						 &data),
			-EFAULT);
	KUNIT_EXPECT_NULL(test, vsmmu->core.ops);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	KUNIT_EXPECT_NULL(test, s2->s2_cfg.shared);
	KUNIT_EXPECT_NULL(test, vt_find(t, 1));
}

static void vt_choose_nomem(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *s2_b = vt_new_s2(t);
	struct iommu_user_data data = {
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.uptr = t->user,
		.len = sizeof(struct iommu_viommu_arm_smmuv3),
	};
	struct iommu_viommu_arm_smmuv3 arg = { .flags = VT_SHARE };
	unsigned int after, failed, enomem = 0;
	struct arm_vsmmu *vsmmu;
	int ret;

	vt_need_kvm(t);
	nomem_init(test);
	vsmmu = kunit_kzalloc(test, sizeof(*vsmmu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vsmmu);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2_b->domain), 0);
	KUNIT_ASSERT_EQ(test, copy_to_user(t->user, &arg, sizeof(arg)), 0);
	vsmmu->core.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
	vsmmu->core.iommu_dev = &t->smmu.iommu;
	/* The number has to be moved out of the way first */
	t->vms[0].pin.vmid = s2_b->s2_cfg.vmid->id;

	for (after = 0, failed = 1; failed; after++) {
		nomem_start(after);
		ret = arm_smmu_ops.viommu_init(&vsmmu->core, &s2->domain,
					       vt_bind(&t->idev, &t->vms[0]),
					       &data);
		failed = nomem_stop();
		vt_check(t);
		if (!ret)
			break;
		enomem++;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 2);
		KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
		KUNIT_EXPECT_NULL(test, s2->s2_cfg.shared);
		KUNIT_EXPECT_NULL(test, vsmmu->core.ops);
		KUNIT_ASSERT_LT(test, after, 64);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* Two objects, two arrays */
	KUNIT_EXPECT_GE(test, enomem, 4);
	if (!ret)
		vsmmu->core.ops->destroy(&vsmmu->core);
}

static void vt_vdevice_of_other_vm(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *shared, *private;

	vt_need_kvm(t);
	shared = vt_must_share(t, s2, &t->vms[0]);
	private = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	KUNIT_EXPECT_EQ(test, vt_vdevice(t, 1, shared, &t->vms[1]), -EINVAL);
	KUNIT_EXPECT_EQ(test, vt_vdevice(t, 1, shared, &t->vms[0]), 0);
	/* Bound without KVM; and nothing is shared by the other vSMMU */
	KUNIT_EXPECT_EQ(test, vt_vdevice(t, 1, shared, NULL), 0);
	KUNIT_EXPECT_EQ(test, vt_vdevice(t, 1, private, &t->vms[1]), 0);
	/* A vSID stands for one StreamID */
	KUNIT_EXPECT_EQ(test, vt_vdevice(t, 0, private, NULL), -EOPNOTSUPP);
}

/* Moving */

static void vt_set_inv(struct arm_smmu_invs *invs, unsigned int i,
		       struct arm_smmu_device *smmu, u8 type, u32 id, int users)
{
	invs->inv[i] = (struct arm_smmu_inv){
		.smmu = smmu,
		.type = type,
		.id = id,
		.size_opcode = 0x10 + type,
		.nsize_opcode = 0x20 + type,
		.pgsize = 12 + type,
		.users = users,
	};
}

static void vt_renumber(struct kunit *test)
{
	struct arm_smmu_device *smmus =
		kunit_kcalloc(test, 2, sizeof(*smmus), GFP_KERNEL);
	struct arm_smmu_invs *invs = arm_smmu_invs_alloc(6);
	struct arm_smmu_invs *want = arm_smmu_invs_alloc(8);
	struct arm_smmu_vmid vmid = { .smmu = smmus, .id = 7 };
	struct arm_smmu_invs *got;
	unsigned int keep, i;

	KUNIT_ASSERT_NOT_NULL(test, smmus);
	KUNIT_ASSERT_NOT_NULL(test, invs);
	KUNIT_ASSERT_NOT_NULL(test, want);
	kunit_add_action(test, vt_kfree, invs);
	kunit_add_action(test, vt_kfree, want);

	vt_set_inv(invs, 0, &smmus[0], INV_TYPE_S2_VMID, 7, 3);
	vt_set_inv(invs, 1, &smmus[0], INV_TYPE_S2_VMID, 9, 0);
	vt_set_inv(invs, 2, &smmus[0], INV_TYPE_S2_VMID, 200, 2);
	vt_set_inv(invs, 3, &smmus[0], INV_TYPE_S2_VMID_S1_CLEAR, 7, 1);
	vt_set_inv(invs, 4, &smmus[0], INV_TYPE_ATS_FULL, 7, 4);
	vt_set_inv(invs, 5, &smmus[1], INV_TYPE_S2_VMID, 7, 5);
	invs->num_trashes = 1;
	invs->has_ats = true;

	for (keep = 0; keep != 2; keep++) {
		unsigned int n = 0;

		if (keep)
			vt_set_inv(want, n++, &smmus[0], INV_TYPE_S2_VMID, 7, 3);
		vt_set_inv(want, n++, &smmus[0], INV_TYPE_S2_VMID, 200, 2);
		vt_set_inv(want, n++, &smmus[0], INV_TYPE_S2_VMID, 250, 3);
		if (keep)
			vt_set_inv(want, n++, &smmus[0],
				   INV_TYPE_S2_VMID_S1_CLEAR, 7, 1);
		vt_set_inv(want, n++, &smmus[0], INV_TYPE_S2_VMID_S1_CLEAR, 250,
			   1);
		vt_set_inv(want, n++, &smmus[0], INV_TYPE_ATS_FULL, 7, 4);
		vt_set_inv(want, n++, &smmus[1], INV_TYPE_S2_VMID, 7, 5);

		got = arm_smmu_invs_renumber(invs, &vmid, 250, keep);
		KUNIT_ASSERT_NOT_NULL(test, got);
		KUNIT_EXPECT_EQ(test, got->num_invs, n);
		KUNIT_EXPECT_EQ(test, got->num_trashes, 0);
		KUNIT_EXPECT_TRUE(test, got->has_ats);
		if (got->num_invs == n)
			KUNIT_EXPECT_MEMEQ(test, got->inv, want->inv,
					   n * sizeof(want->inv[0]));
		kfree(got);
	}

	invs->num_invs = 4;
	invs->has_ats = false;
	got = arm_smmu_invs_renumber(invs, &vmid, 250, true);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_FALSE(test, got->has_ats);
	kfree(got);

	/* A number that was dirty can be there twice */
	for (i = 0; i != 4; i++)
		vt_set_inv(invs, i, &smmus[0],
			   i < 2 ? INV_TYPE_S2_VMID : INV_TYPE_S2_VMID_S1_CLEAR,
			   7, 1);
	invs->num_trashes = 0;
	got = arm_smmu_invs_renumber(invs, &vmid, 250, true);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_EQ(test, got->num_invs, 8);
	KUNIT_EXPECT_GE(test, got->max_invs, got->num_invs);
	kfree(got);
}

/*
 * Everything that can be attached under one number: device 0 directly, with two
 * StreamIDs, 1 to a nested domain that translates, 2 to one that aborts.
 */
static struct arm_vsmmu *vt_attach_all(struct vt *t, struct arm_smmu_domain *s2)
{
	struct arm_vsmmu *vsmmu = vt_must_vsmmu(t, s2, NULL, VT_NO_DATA);
	struct iommu_domain *domain;

	KUNIT_ASSERT_PTR_EQ(t->test, vsmmu->vmid, s2->s2_cfg.vmid);
	KUNIT_ASSERT_EQ(t->test, vt_attach(t, 0, &s2->domain), 0);
	vt_attach_translate(t, 1, vsmmu, NULL);
	domain = vt_nested(t, vsmmu, STRTAB_STE_0_CFG_ABORT);
	KUNIT_ASSERT_EQ(t->test, vt_attach(t, 2, domain), 0);
	vt_clear_log(t);
	return vsmmu;
}

struct vt_watch {
	struct arm_smmu_domain *s2;
	u16 from, to;
	unsigned int cmds;
};

static void vt_see_both(struct vt *t, const struct vt_cmd *cmd)
{
	struct vt_watch *watch = t->data;

	watch->cmds++;
	vt_expect_users(t, watch->s2, watch->from, 3);
	vt_expect_users(t, watch->s2, watch->to, 3);
	/* Neither number is for others meanwhile */
	KUNIT_EXPECT_NOT_NULL(t->test, vt_find(t, watch->from));
	KUNIT_EXPECT_NOT_NULL(t->test, vt_find(t, watch->to));
}

static void vt_expect_moved(struct vt *t, const struct arm_smmu_ste *before,
			    u16 to)
{
	struct arm_smmu_ste want;
	unsigned int i;

	for (i = 0; i != VT_STREAMS; i++) {
		want = before[i];
		if (i == 1 || i == 2 || i == 5) {
			want.data[2] &= ~cpu_to_le64(STRTAB_STE_2_S2VMID);
			want.data[2] |= cpu_to_le64(to);
		}
		KUNIT_EXPECT_MEMEQ(t->test, &t->table[i], &want, sizeof(want));
	}
}

static void vt_move(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_ste before[VT_STREAMS];
	struct vt_watch watch = { .s2 = s2, .from = VT_TOP, .to = VT_TOP - 1 };
	struct arm_vsmmu *vsmmu = vt_attach_all(t, s2);

	vt_expect_users(t, s2, VT_TOP, 3);
	memcpy(before, t->table, sizeof(before));
	t->data = &watch;
	t->at_cmd = vt_see_both;
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
	t->at_cmd = NULL;

	VT_EXPECT_LOG(t, VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(1), VT_SYNC,
		      VT_CFGI(2), VT_SYNC, VT_VMALL(VT_TOP), VT_SYNC);
	KUNIT_EXPECT_EQ(test, watch.cmds, 4);
	vt_check(t);
	vt_expect_moved(t, before, VT_TOP - 1);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP - 1);
	KUNIT_EXPECT_PTR_EQ(test, vsmmu->vmid, s2->s2_cfg.vmid);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->dirty);
	KUNIT_EXPECT_PTR_EQ(test, vt_find(t, VT_TOP - 1), vsmmu->vmid);
	KUNIT_EXPECT_NULL(test, vt_find(t, VT_TOP));
	vt_expect_users(t, s2, VT_TOP, 0);
	vt_expect_users(t, s2, VT_TOP - 1, 3);

	/* Attaching and detaching go on where the move has left them */
	vt_detach(t, 0);
	vt_detach(t, 1);
	vt_expect_users(t, s2, VT_TOP - 1, 1);
	vt_clear_log(t);
	vt_detach(t, 2);
	vt_expect_users(t, s2, VT_TOP - 1, 0);
	VT_EXPECT_LOG(t, VT_VMALL(VT_TOP - 1), VT_SYNC);
}

/* One of a device's StreamIDs has no number, for it is blocked: the other one moves */
static void vt_move_one_of_two(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_ste abort;

	vt_attach_all(t, s2);
	arm_smmu_make_abort_ste(&abort);
	t->table[1] = abort;
	t->cached[1] = abort;
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
	VT_EXPECT_LOG(t, VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(2), VT_SYNC,
		      VT_VMALL(VT_TOP), VT_SYNC);
	KUNIT_EXPECT_MEMEQ(test, &t->table[1], &abort, sizeof(abort));
	KUNIT_EXPECT_EQ(test, vt_ste_vmid(&t->table[2]), VT_TOP - 1);
	KUNIT_EXPECT_EQ(test, vt_ste_vmid(&t->table[5]), VT_TOP - 1);
}

/* A StreamID that is the number, in the entry of a device's own TLB */
static void vt_move_ats(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_invs *ats = arm_smmu_invs_alloc(1);
	struct arm_smmu_invs *old = rcu_dereference_protected(s2->invs, true);
	struct arm_smmu_invs *new;

	KUNIT_ASSERT_NOT_NULL(test, ats);
	kunit_add_action(test, vt_kfree, ats);
	vt_set_inv(ats, 0, &t->smmu, INV_TYPE_ATS_FULL, VT_TOP, 0);
	ats->inv[0].size_opcode = CMDQ_OP_ATC_INV;
	ats->inv[0].nsize_opcode = CMDQ_OP_ATC_INV;
	new = arm_smmu_invs_merge(old, ats);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, new);
	rcu_assign_pointer(s2->invs, new);
	kfree_rcu(old, rcu);

	vt_attach_all(t, s2);
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
	new = rcu_dereference_protected(s2->invs, true);
	KUNIT_EXPECT_EQ(test, new->num_invs, 3);
	KUNIT_EXPECT_TRUE(test, new->has_ats);
	KUNIT_EXPECT_EQ(test, vt_inv_users(s2, INV_TYPE_ATS_FULL, VT_TOP), 1);
	vt_expect_users(t, s2, VT_TOP - 1, 3);
}

/* As it happens: the number that KVM chose is that of the sharer's own table */
static void vt_move_own(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;

	vt_need_kvm(t);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 1, &s2->domain), 0);
	KUNIT_ASSERT_EQ(test, vt_attach(t, 2, &s2->domain), 0);
	vt_clear_log(t);
	t->vms[0].pin.vmid = VT_TOP;
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	VT_EXPECT_LOG(t, VT_SYNC, VT_CFGI(9), VT_SYNC, VT_CFGI(5), VT_SYNC,
		      VT_VMALL(VT_TOP), VT_SYNC);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP);
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->id, VT_TOP - 1);
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 1);
	vt_attach_translate(t, 1, vsmmu, &t->vms[0]);
	vt_expect_users(t, s2, VT_TOP, 1);
	vt_expect_users(t, s2, VT_TOP - 1, 1);
}

/* Another table's, with its vSMMU; and that of one that nothing is attached to */
static void vt_move_other(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *idle = vt_new_s2(t);
	struct arm_smmu_domain *mine = vt_new_s2(t);

	vt_need_kvm(t);
	vt_attach_all(t, s2);
	t->vms[0].pin.vmid = s2->s2_cfg.vmid->id;
	vt_must_share(t, mine, &t->vms[0]);
	KUNIT_EXPECT_EQ(test, s2->s2_cfg.vmid->id, VT_TOP - 3);
	vt_clear_log(t);

	t->vms[1].pin.vmid = idle->s2_cfg.vmid->id;
	vt_must_share(t, idle, &t->vms[1]);
	VT_EXPECT_LOG(t, VT_SYNC, VT_VMALL(VT_TOP - 1), VT_SYNC);
	KUNIT_EXPECT_EQ(test, idle->s2_cfg.vmid->id, VT_TOP - 4);
}

static void vt_move_refused(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_vsmmu *vsmmu;
	unsigned int i;

	vt_need_kvm(t);
	vsmmu = vt_must_share(t, s2, &t->vms[0]);
	KUNIT_EXPECT_EQ(test, vt_evict(vsmmu->vmid), -EBUSY);
	s2->s2_cfg.vmid->dirty = true;
	t->hangs_from = 1;
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), -EBUSY);
	t->hangs_from = 0;
	s2->s2_cfg.vmid->dirty = false;
	vt_clear_log(t);

	/* No other number is left */
	for (i = vt_count_vmids(t); i != VT_TOP; i++)
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vt_alloc(t, s2));
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), -ENOSPC);
	VT_EXPECT_LOG(t, VT_SYNC);
	for (i = VT_TOP - 1; i; i--)
		if (i != vsmmu->vmid->id)
			vt_put(vt_find(t, i));
}

static void vt_move_nomem(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_vmid *vmid = s2->s2_cfg.vmid;
	struct arm_smmu_ste before[VT_STREAMS];
	unsigned int after, failed, enomem = 0;
	struct arm_smmu_invs *invs;
	int ret;

	nomem_init(test);
	vt_attach_all(t, s2);
	memcpy(before, t->table, sizeof(before));
	invs = rcu_dereference_protected(s2->invs, true);
	for (after = 0, failed = 1; failed; after++) {
		nomem_start(after);
		ret = vt_evict(vmid);
		failed = nomem_stop();
		if (!ret)
			break;
		enomem++;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		KUNIT_EXPECT_EQ(test, vmid->id, VT_TOP);
		KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 1);
		KUNIT_EXPECT_MEMEQ(test, t->table, before, sizeof(before));
		KUNIT_EXPECT_PTR_EQ(test,
				    rcu_dereference_protected(s2->invs, true),
				    invs);
		VT_EXPECT_LOG(t, VT_SYNC);
		KUNIT_ASSERT_LT(test, after, 64);
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	/* The object, two arrays */
	KUNIT_EXPECT_GE(test, enomem, 3);
	KUNIT_EXPECT_EQ(test, vmid->id, VT_TOP - 1);
}

static const struct vt_failure vt_move_failures[] = {
	{ VT_CERROR, 2 }, { VT_CERROR, 3 }, { VT_CERROR, 4 }, { VT_CERROR, 5 },
	{ VT_TIMEOUT, 2 }, { VT_TIMEOUT, 3 }, { VT_TIMEOUT, 4 },
	{ VT_TIMEOUT, 5 },
};

KUNIT_ARRAY_PARAM(vt_move_failure, vt_move_failures, vt_failure_desc);

static void vt_move_fails(struct kunit *test)
{
	const struct vt_failure *p = test->param_value;
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_domain *mine = vt_new_s2(t);
	struct arm_smmu_ste before[VT_STREAMS];
	struct arm_vsmmu *vsmmu = vt_attach_all(t, s2);

	vt_need_kvm(t);
	memcpy(before, t->table, sizeof(before));
	t->vms[0].pin.vmid = VT_TOP;
	t->hangs_from = p->at;
	t->fault = p->fault;
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(vt_new_vsmmu(t, mine, &t->vms[0],
						     VT_SHARE)),
			-EBUSY);
	/* One before the move, four for it, two attempts to clean the number */
	KUNIT_EXPECT_EQ(test, t->syncs, 7);
	vt_clear_log(t);
	t->hangs_from = 1;

	/* All have the new number, but the old one may be in use yet */
	KUNIT_EXPECT_EQ(test, t->vms[0].refs, 0);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP - 2);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->dirty);
	vt_expect_moved(t, before, VT_TOP - 2);
	vt_expect_users(t, s2, VT_TOP, 3);
	vt_expect_users(t, s2, VT_TOP - 2, 3);
	KUNIT_ASSERT_NOT_NULL(test, vt_find(t, VT_TOP));
	KUNIT_EXPECT_TRUE(test, vt_find(t, VT_TOP)->dirty);

	/* And nobody gets it, now or when the devices are gone */
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(vt_new_vsmmu(t, mine, &t->vms[0],
						     VT_SHARE)),
			-EBUSY);
	/* Nor does the new one go before the old one is clean */
	KUNIT_EXPECT_EQ(test, vt_evict(vsmmu->vmid), -EBUSY);
	t->hangs_from = 0;
	vt_expect_users(t, s2, VT_TOP, 3);
	vt_expect_users(t, s2, VT_TOP - 2, 3);
	vt_detach(t, 0);
	vt_detach(t, 1);
	vt_detach(t, 2);
	vt_expect_users(t, s2, VT_TOP, 3);
	vt_expect_users(t, s2, VT_TOP - 2, 0);
	vt_free_vsmmu(t, vsmmu);
	t->hangs_from = 1;
	vt_free_s2(t, s2);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR_OR_ZERO(vt_new_vsmmu(t, mine, &t->vms[0],
						     VT_SHARE)),
			-EBUSY);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 2);
}

/* The next device that can be moved does not make up for one that could not */
static void vt_move_one_fails(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	unsigned int at;

	vt_attach_all(t, s2);
	for (at = 2; at <= 4; at++) {
		u16 id = s2->s2_cfg.vmid->id;
		const struct vt_cmd cleaned[] = {
			VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(1), VT_SYNC,
			VT_CFGI(2), VT_SYNC, VT_VMALL(id), VT_SYNC,
			VT_CFGI_ALL, VT_SYNC, VT_VMALL(id), VT_SYNC,
		};

		t->fail_at = at;
		KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
		vt_expect_log(t, cleaned, ARRAY_SIZE(cleaned));
		KUNIT_EXPECT_NULL(test, vt_find(t, id));
	}
}

/* A queue that hangs before a move is waited for once, and nothing moves */
static void vt_move_hangs(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct arm_smmu_ste before[VT_STREAMS];
	struct arm_vsmmu *vsmmu = vt_attach_all(t, s2);

	memcpy(before, t->table, sizeof(before));
	t->fault = VT_TIMEOUT;
	t->hangs_from = 1;
	KUNIT_EXPECT_EQ(test, vt_evict(vsmmu->vmid), -EBUSY);
	VT_EXPECT_LOG(t, VT_SYNC);
	KUNIT_EXPECT_EQ(test, vsmmu->vmid->id, VT_TOP);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->moving);
	KUNIT_EXPECT_FALSE(test, vsmmu->vmid->dirty);
	KUNIT_EXPECT_EQ(test, vt_count_vmids(t), 1);
	KUNIT_EXPECT_MEMEQ(test, t->table, before, sizeof(before));
	vt_expect_users(t, s2, VT_TOP, 3);
}

/*
 * A device of two StreamIDs is the first below an L1 descriptor: the one without an
 * L2 table can be cached, and only a CFGI_STE that is not for the leaf removes it.
 */
static void vt_stream_new_l2(struct kunit *test)
{
	struct vt *t = test->priv;
	const struct arm_smmu_strtab_cfg linear = t->smmu.strtab_cfg;
	struct arm_smmu_strtab_l2 *l2ptrs[2] = {};
	struct arm_smmu_strtab_l1 l1tab[2] = {};
	struct arm_smmu_master master = { .smmu = &t->smmu };
	struct dev_iommu iommu = {};

	KUNIT_ASSERT_EQ(test,
			dma_coerce_mask_and_coherent(t->smmu.dev,
						     DMA_BIT_MASK(64)),
			0);
	master.dev = kunit_device_register(test, "vmid-test-l2");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, master.dev);
	iommu.fwspec = kunit_kzalloc(test, struct_size(iommu.fwspec, ids, 2),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu.fwspec);
	iommu.fwspec->num_ids = 2;
	iommu.fwspec->ids[0] = STRTAB_NUM_L2_STES + 7;
	iommu.fwspec->ids[1] = STRTAB_NUM_L2_STES + 8;
	master.dev->iommu = &iommu;

	t->smmu.features |= ARM_SMMU_FEAT_2_LVL_STRTAB;
	t->smmu.strtab_cfg.l2.l1tab = l1tab;
	t->smmu.strtab_cfg.l2.l2ptrs = l2ptrs;
	t->smmu.strtab_cfg.l2.num_l1_ents = ARRAY_SIZE(l1tab);
	t->l1tab = l1tab;
	KUNIT_EXPECT_EQ(test, arm_smmu_insert_master(&t->smmu, &master), 0);
	t->l1tab = NULL;
	KUNIT_EXPECT_EQ(test, l1tab[0].l2ptr, 0);
	KUNIT_EXPECT_NE(test, l1tab[1].l2ptr, 0);
	KUNIT_EXPECT_EQ(test, t->cached_l1[1].l2ptr, l1tab[1].l2ptr);

	arm_smmu_remove_master(&master);
	master.dev->iommu = NULL;
	t->smmu.features &= ~ARM_SMMU_FEAT_2_LVL_STRTAB;
	t->smmu.strtab_cfg = linear;
}

/* The commands of a guest */

int vt_guest_issue(struct vt_guest *guest)
{
	struct iommu_user_data_array array = {
		.type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.uptr = guest->t->user,
		.entry_len = sizeof(struct iommu_viommu_arm_smmuv3_invalidate),
		.entry_num = guest->num,
	};
	struct iommufd_viommu *viommu = &guest->vsmmu->core;
	int ret = viommu->ops->cache_invalidate(viommu, &array);

	guest->num = array.entry_num;
	return ret;
}

void vt_guest_cmd(struct vt *t, unsigned int i, u64 cmd)
{
	struct iommu_viommu_arm_smmuv3_invalidate arg = {
		.cmd = { cpu_to_le64(cmd) },
	};

	KUNIT_ASSERT_EQ(t->test,
			copy_to_user(t->user + i * sizeof(arg), &arg,
				     sizeof(arg)),
			0);
}

static int vt_guest_thread(void *data)
{
	struct vt_guest *guest = data;

	current->kunit_test = guest->t->test;
	if (guest->evict) {
		guest->ret = vt_evict(guest->evict);
	} else {
		kthread_use_mm(guest->t->mm);
		guest->ret = vt_guest_issue(guest);
		kthread_unuse_mm(guest->t->mm);
	}
	complete(&guest->done);
	return 0;
}

static void vt_guest_prepare(struct vt *t, struct vt_guest *guest)
{
	init_completion(&guest->done);
	guest->task = kthread_create(vt_guest_thread, guest, "vmid-test-guest");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(t->test, guest->task);
}

/* Start the other side in the middle of this one, and see it wait */
static void vt_start_other(struct vt *t, const struct vt_cmd *cmd)
{
	struct vt_guest *guest = t->data;

	if (!guest->task)
		return;
	wake_up_process(guest->task);
	guest->task = NULL;
	/* Guest commands are issued in an RCU read-side critical section */
	mdelay(100);
	KUNIT_EXPECT_FALSE(t->test, completion_done(&guest->done));
}

/* Guest commands wait for a move, and then name the new number */
static void vt_guest_waits(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct vt_guest guest = { .t = t, .num = 2 };

	guest.vsmmu = vt_attach_all(t, s2);
	vt_guest_prepare(t, &guest);
	vt_guest_cmd(t, 0, CMDQ_OP_TLBI_NSNH_ALL);
	vt_guest_cmd(t, 1, CMDQ_OP_TLBI_NH_ASID);
	t->data = &guest;
	t->at_cmd = vt_start_other;
	KUNIT_EXPECT_EQ(test, vt_evict(s2->s2_cfg.vmid), 0);
	wait_for_completion(&guest.done);
	t->at_cmd = NULL;

	KUNIT_EXPECT_EQ(test, guest.ret, 0);
	KUNIT_EXPECT_EQ(test, guest.num, 2);
	VT_EXPECT_LOG(t, VT_SYNC, VT_CFGI(5), VT_SYNC, VT_CFGI(1), VT_SYNC,
		      VT_CFGI(2), VT_SYNC, VT_VMALL(VT_TOP), VT_SYNC,
		      VT_NH_ALL(VT_TOP - 1),
		      { CMDQ_OP_TLBI_NH_ASID, VT_TOP - 1 }, VT_SYNC);
}

/* A move waits for the guest commands that have the old number */
static void vt_guest_is_awaited(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct vt_guest guest = { .t = t, .num = 1 };
	struct vt_guest mover = { .t = t, .evict = s2->s2_cfg.vmid };

	guest.vsmmu = vt_attach_all(t, s2);
	vt_guest_prepare(t, &mover);
	vt_guest_cmd(t, 0, CMDQ_OP_TLBI_NH_ALL);
	t->data = &mover;
	t->at_cmd = vt_start_other;
	KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), 0);
	wait_for_completion(&mover.done);
	t->at_cmd = NULL;

	KUNIT_EXPECT_EQ(test, mover.ret, 0);
	VT_EXPECT_LOG(t, VT_NH_ALL(VT_TOP), VT_SYNC, VT_SYNC, VT_CFGI(5),
		      VT_SYNC, VT_CFGI(1), VT_SYNC, VT_CFGI(2), VT_SYNC,
		      VT_VMALL(VT_TOP), VT_SYNC);
}

/* At each command of the host, both guests say TLBI: by command and by broadcast */
static void vt_guests_say(struct vt *t, const struct vt_cmd *cmd)
{
	struct vt_guest *guest = t->data;
	unsigned int i, first;

	t->at_cmd = NULL;
	for (i = 0; i != 2; i++) {
		vt_expect_reached(t);
		guest->vsmmu = t->vsmmus[i];
		guest->num = 1;
		first = t->nr_log;
		KUNIT_EXPECT_EQ(t->test, vt_guest_issue(guest), 0);
		KUNIT_ASSERT_EQ(t->test, t->nr_log, first + 2);
		KUNIT_EXPECT_EQ(t->test, t->log[first].op, CMDQ_OP_TLBI_NH_ALL);
		KUNIT_EXPECT_EQ(t->test, t->log[first].arg,
				guest->vsmmu->vmid->id);
	}
	/* What a VMALLE1IS of the VM removes; it can be cached again at once */
	t->tlb[t->vms[0].pin.vmid].s1ctx = 0;
	vt_check(t);
	vt_expect_reached(t);
	guest->started = true;
	t->at_cmd = vt_guests_say;
}

/*
 * From translate under one vSMMU to translate under the other: a guest's command and
 * its broadcast are complete when they return, whichever writes they come between.
 */
static void vt_guest_between(struct kunit *test)
{
	struct vt *t = test->priv;
	struct vt_guest guest = { .t = t };
	struct iommu_domain *domain[2];
	unsigned int i;

	vt_need_kvm(t);
	vt_two_tables(t);
	for (i = 0; i != 2; i++)
		domain[i] = vt_nested(t, t->vsmmus[i], STRTAB_STE_0_CFG_S1_TRANS);
	vt_guest_cmd(t, 0, CMDQ_OP_TLBI_NH_ALL);
	t->data = &guest;
	for (i = 0; i != 6; i++) {
		if (i == 3)
			t->smmu.features |= ARM_SMMU_FEAT_ATOMIC128;
		KUNIT_ASSERT_EQ(test, vt_vdevice(t, 1, t->vsmmus[i % 2], NULL), 0);
		t->at_cmd = vt_guests_say;
		KUNIT_ASSERT_EQ(test, vt_attach(t, 1, domain[i % 2]), 0);
		t->at_cmd = NULL;
		vt_clear_log(t);
	}
	KUNIT_EXPECT_TRUE(test, guest.started);
}

/* The VMID of a command is the vSMMU's, whatever the guest says */
static void vt_guest_commands(struct kunit *test)
{
	struct vt *t = test->priv;
	struct arm_smmu_domain *s2 = vt_new_s2(t);
	struct vt_guest guest = { .t = t };

	vt_need_kvm(t);
	guest.vsmmu = vt_must_share(t, s2, &t->vms[0]);
	vt_attach_translate(t, 1, guest.vsmmu, &t->vms[0]);
	vt_clear_log(t);

	vt_guest_cmd(t, 0, CMDQ_OP_TLBI_NSNH_ALL);
	vt_guest_cmd(t, 1,
		     CMDQ_OP_TLBI_NH_ALL | FIELD_PREP(CMDQ_TLBI_0_VMID, 0xff));
	vt_guest_cmd(t, 2, CMDQ_OP_TLBI_NH_VA | FIELD_PREP(CMDQ_TLBI_0_VMID, 9));
	vt_guest_cmd(t, 3, CMDQ_OP_TLBI_NH_VAA);
	vt_guest_cmd(t, 4, CMDQ_OP_CFGI_CD_ALL |
				   FIELD_PREP(CMDQ_CFGI_0_SID, 0x101));
	guest.num = 5;
	KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), 0);
	KUNIT_EXPECT_EQ(test, guest.num, 5);
	VT_EXPECT_LOG(t, VT_NH_ALL(1), VT_NH_ALL(1),
		      { CMDQ_OP_TLBI_NH_VA, 1 }, { CMDQ_OP_TLBI_NH_VAA, 1 },
		      { CMDQ_OP_CFGI_CD_ALL, 5 }, VT_SYNC);

	/* Those of a batch that timed out are not complete, nor of one with a CERROR */
	guest.num = 2;
	t->fail_at = 1;
	t->fault = VT_TIMEOUT;
	KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, guest.num, 0);
	vt_clear_log(t);
	guest.num = 2;
	t->fail_at = 1;
	t->fault = VT_CERROR;
	KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), -EIO);
	KUNIT_EXPECT_EQ(test, guest.num, 0);
}

#define VT_BATCH	(CMDQ_BATCH_ENTRIES - 1)
#define VT_ALL_LEGAL	UINT_MAX

/* @num commands, of which one is illegal: what is issued, and told to be? */
static void vt_guest_batch(struct vt_guest *guest, unsigned int num,
			   unsigned int illegal)
{
	struct vt *t = guest->t;
	unsigned int whole = num, i;

	for (i = 0; i != num; i++)
		vt_guest_cmd(t, i, CMDQ_OP_TLBI_NH_ASID);
	if (illegal != VT_ALL_LEGAL) {
		vt_guest_cmd(t, illegal, CMDQ_OP_TLBI_S12_VMALL);
		whole = rounddown(illegal, VT_BATCH);
	}
	guest->num = num;
	vt_clear_log(t);
	KUNIT_EXPECT_EQ_MSG(t->test, vt_guest_issue(guest),
			    illegal == VT_ALL_LEGAL ? 0 : -EIO,
			    "number %u of %u", illegal, num);
	KUNIT_EXPECT_EQ_MSG(t->test, guest->num, whole, "number %u of %u",
			    illegal, num);
	KUNIT_EXPECT_EQ_MSG(t->test, t->syncs, DIV_ROUND_UP(whole, VT_BATCH),
			    "number %u of %u", illegal, num);
	KUNIT_EXPECT_EQ_MSG(t->test, t->nr_log, whole + t->syncs,
			    "number %u of %u", illegal, num);
}

/* An illegal command fails its batch, wherever it is, and no other one */
static void vt_guest_batches(struct kunit *test)
{
	static const unsigned int nums[] = {
		1, 2, 62, VT_BATCH, VT_BATCH + 1, VT_BATCH + 2, 2 * VT_BATCH,
		2 * VT_BATCH + 1, 130,
	};
	struct vt *t = test->priv;
	struct vt_guest guest = { .t = t };
	unsigned int i, begin, last;
	unsigned long addr;

	guest.vsmmu = vt_must_vsmmu(t, vt_new_s2(t), NULL, VT_NO_DATA);
	for (i = 0; i != ARRAY_SIZE(nums); i++) {
		vt_guest_batch(&guest, nums[i], VT_ALL_LEGAL);
		for (begin = 0; begin < nums[i]; begin += VT_BATCH) {
			last = min(begin + VT_BATCH, nums[i]) - 1;
			vt_guest_batch(&guest, nums[i], begin);
			vt_guest_batch(&guest, nums[i], (begin + last) / 2);
			vt_guest_batch(&guest, nums[i], last);
		}
	}

	/* A batch that times out is not counted, the ones before it are */
	for (i = 0; i != 3; i++) {
		vt_guest_batch(&guest, 130, VT_ALL_LEGAL);
		vt_clear_log(t);
		t->fail_at = i + 1;
		t->fault = VT_TIMEOUT;
		KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, guest.num, i * VT_BATCH);
		KUNIT_EXPECT_EQ(test, t->syncs, i + 1);
	}

	/* Nor is one that cannot be read: memory ends behind its first command */
	addr = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0UL);
	KUNIT_ASSERT_EQ(test, vm_munmap(addr + PAGE_SIZE, PAGE_SIZE), 0);
	t->user = (void __user *)(addr + PAGE_SIZE -
				  (VT_BATCH + 1) * sizeof(struct arm_smmu_cmd));
	vt_guest_batch(&guest, VT_BATCH + 1, VT_ALL_LEGAL);
	vt_clear_log(t);
	guest.num = VT_BATCH + 2;
	KUNIT_EXPECT_EQ(test, vt_guest_issue(&guest), -EFAULT);
	KUNIT_EXPECT_EQ(test, guest.num, VT_BATCH);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
}

static struct kunit_case vt_cases[] = {
	KUNIT_CASE_PARAM(vt_registry_private, vt_width_gen_params),
	KUNIT_CASE(vt_registry_claim),
	KUNIT_CASE(vt_registry_meet),
	KUNIT_CASE(vt_registry_dirty),
	KUNIT_CASE(vt_registry_swap),
	KUNIT_CASE(vt_registry_nomem),
	KUNIT_CASE_PARAM(vt_ste_nested, vt_vste_gen_params),
	KUNIT_CASE(vt_ste_direct),
	KUNIT_CASE_PARAM(vt_ste_transition, vt_transition_gen_params),
	KUNIT_CASE(vt_ste_no_step),
	KUNIT_CASE(vt_attach_commands),
	KUNIT_CASE(vt_attach_private),
	KUNIT_CASE(vt_attach_unmap),
	KUNIT_CASE_PARAM(vt_detach_fails, vt_detach_failure_gen_params),
	KUNIT_CASE(vt_attach_fails),
	KUNIT_CASE(vt_choose_after_another),
	KUNIT_CASE(vt_choose_flush_fails),
	KUNIT_CASE(vt_choose_second),
	KUNIT_CASE(vt_choose_share),
	KUNIT_CASE(vt_choose_unasked),
	KUNIT_CASE(vt_choose_btm),
	KUNIT_CASE(vt_hw_info),
	KUNIT_CASE(vt_choose_nomem),
	KUNIT_CASE(vt_refuse_no_kvm),
	KUNIT_CASE(vt_refuse_by_kvm),
	KUNIT_CASE(vt_refuse_width),
	KUNIT_CASE(vt_refuse_taken),
	KUNIT_CASE(vt_refuse_dirty),
	KUNIT_CASE(vt_refuse_tegra),
	KUNIT_CASE(vt_refuse_request),
	KUNIT_CASE(vt_vdevice_of_other_vm),
	KUNIT_CASE(vt_renumber),
	KUNIT_CASE(vt_move),
	KUNIT_CASE(vt_move_one_of_two),
	KUNIT_CASE(vt_move_ats),
	KUNIT_CASE(vt_move_own),
	KUNIT_CASE(vt_move_other),
	KUNIT_CASE(vt_move_refused),
	KUNIT_CASE(vt_move_nomem),
	KUNIT_CASE_PARAM(vt_move_fails, vt_move_failure_gen_params),
	KUNIT_CASE(vt_move_one_fails),
	KUNIT_CASE(vt_move_hangs),
	KUNIT_CASE(vt_stream_new_l2),
	KUNIT_CASE(vt_guest_waits),
	KUNIT_CASE(vt_guest_is_awaited),
	KUNIT_CASE(vt_guest_between),
	KUNIT_CASE(vt_guest_commands),
	KUNIT_CASE(vt_guest_batches),
	{},
};

static struct kunit_suite vt_suite = {
	.name = "arm-smmu-v3-vmid",
	.init = vt_init,
	.exit = vt_exit,
	.test_cases = vt_cases,
};

kunit_test_suite(vt_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the VMIDs of an SMMUv3");
MODULE_LICENSE("GPL");
