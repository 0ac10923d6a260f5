// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving a private VMID to another number while its streams run.
 *
 * KVM picks the VMID of a VM without knowing which numbers the SMMUs have taken
 * for themselves. If a vSMMU is to share a number that a private VMID has, the
 * private one goes, and with it everything it serves: the devices attached to the
 * stage-2 table directly, and the nested streams of its vSMMU. Their DMA goes on.
 *
 * The stage-2 table stays the same, only its TLB entries change their tag:
 *
 *  1. Let every unmap of the table invalidate both numbers.
 *  2. Write the new number to each STE; one qword changes, so nothing breaks.
 *  3. Flush the TLB of the old number.
 *  4. Let unmaps invalidate the new number only.
 *
 * No invalidation is lost. An unmap clears its PTE, executes the smp_mb() in
 * arm_smmu_domain_inv_range() and then loads the invalidation array:
 *
 *  - If it loads that of step 1, it invalidates both numbers.
 *  - If it loads an earlier one, then the load, and so the clearing of the PTE,
 *    comes before step 1 and hence before the STEs are written: the dma_wmb() in
 *    arm_smmu_write_entry() pairs with that smp_mb(). A walk under the new number
 *    sees the cleared PTE. What is cached under the old number goes by the
 *    unmap's own command, or in step 3.
 *  - If it loads that of step 4, no STE has had the old number since its TLB
 *    entries were flushed.
 *
 * The guest's commands are kept out by vmid_rwsem, see arm_vsmmu_cache_invalidate().
 */

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "arm-smmu-v3.h"

static bool arm_smmu_ste_has_vmid(const struct arm_smmu_ste *ste,
				  const struct arm_smmu_vmid *vmid)
{
	u64 data0 = le64_to_cpu(ste->data[0]);
	unsigned int cfg = FIELD_GET(STRTAB_STE_0_CFG, data0);

	return data0 & STRTAB_STE_0_V &&
	       (cfg == STRTAB_STE_0_CFG_S2_TRANS ||
		cfg == STRTAB_STE_0_CFG_NESTED) &&
	       FIELD_GET(STRTAB_STE_2_S2VMID, le64_to_cpu(ste->data[2])) ==
		       vmid->id;
}

/*
 * Not through arm_smmu_install_ste_for_dev(), whose notes about the device are a
 * part of attaching. A StreamID that occurs twice has the new number already when
 * it comes up again, and an abort STE has none.
 */
static void arm_smmu_master_move_stes(struct arm_smmu_master *master,
				      const struct arm_smmu_vmid *from,
				      const struct arm_smmu_vmid *to)
{
	unsigned int i;

	for (i = 0; i != master->num_streams; i++) {
		u32 sid = master->streams[i].id;
		struct arm_smmu_ste *ste =
			arm_smmu_get_step_for_sid(master->smmu, sid);
		struct arm_smmu_ste target = *ste;

		if (!arm_smmu_ste_has_vmid(ste, from))
			continue;
		arm_smmu_ste_set_vmid(&target, to);
		arm_smmu_write_ste(master, sid, ste, &target);
	}
}

static void arm_smmu_vmid_move_stes(const struct arm_smmu_vmid *from,
				    const struct arm_smmu_vmid *to)
{
	struct arm_smmu_master_domain *master_domain;

	/* All who change the list hold arm_smmu_asid_lock */
	list_for_each_entry(master_domain, &from->s2->devices, devices_elm)
		arm_smmu_master_move_stes(master_domain->master, from, to);
}

static int arm_smmu_vmid_move_locked(struct arm_smmu_vmid *vmid,
				     struct arm_smmu_vmid *to)
{
	int errors = arm_smmu_cmdq_errors(vmid->smmu);
	struct arm_smmu_domain *s2 = vmid->s2;
	struct arm_smmu_invs *old_invs, *both_invs, *new_invs;

	old_invs = rcu_dereference_protected(s2->invs,
					     lockdep_is_held(&arm_smmu_asid_lock));
	both_invs = arm_smmu_invs_renumber(old_invs, vmid, to->id, true);
	if (!both_invs)
		return -ENOMEM;
	new_invs = arm_smmu_invs_renumber(old_invs, vmid, to->id, false);
	if (!new_invs) {
		kfree(both_invs);
		return -ENOMEM;
	}

	rcu_assign_pointer(s2->invs, both_invs);
	kfree_rcu(old_invs, rcu);

	arm_smmu_vmid_move_stes(vmid, to);
	arm_smmu_vmid_flush(vmid);
	arm_smmu_vmid_swap(vmid, to);

	/*
	 * The SMMU may still use an old STE, or what it has cached under the old
	 * number. See arm_smmu_attach_flush_old_tag().
	 */
	if (arm_smmu_cmdq_errors(vmid->smmu) != errors) {
		to->dirty = true;
		kfree(new_invs);
		return -EIO;
	}

	rcu_assign_pointer(s2->invs, new_invs);
	kfree_rcu(both_invs, rcu);
	return 0;
}

/**
 * arm_smmu_vmid_evict() - Move a private VMID to another number
 * @vmid: a VMID in use
 *
 * On success nobody on the SMMU has the number that @vmid had.
 *
 * Costs one STE write, CFGI_STE and CMD_SYNC for each StreamID that has the
 * number, and one TLBI and CMD_SYNC in all.
 *
 * Context: may sleep; the caller holds arm_smmu_asid_lock, which keeps devices from
 *          being attached and detached.
 * Return: 0; -EBUSY if @vmid is a VM's, is dirty, or is known to hardware that takes
 *         commands from a guest directly; -ENOSPC if there is no other number;
 *         -ENOMEM; or -EIO if a command failed. Then @vmid has moved, but its old
 *         number is dirty.
 */
int arm_smmu_vmid_evict(struct arm_smmu_vmid *vmid)
{
	struct arm_vsmmu *vsmmu = vmid->vsmmu;
	struct arm_smmu_vmid *to;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	if (vmid->pin || vmid->dirty)
		return -EBUSY;
	if (vsmmu && vsmmu->core.type != IOMMU_VIOMMU_TYPE_ARM_SMMUV3)
		return -EBUSY;

	to = arm_smmu_vmid_alloc(vmid->smmu, vmid->s2);
	if (IS_ERR(to))
		return PTR_ERR(to);

	if (vsmmu)
		down_write(&vsmmu->vmid_rwsem);
	ret = arm_smmu_vmid_move_locked(vmid, to);
	if (vsmmu)
		up_write(&vsmmu->vmid_rwsem);

	/* It has the old number now, or the new one if nothing was moved */
	arm_smmu_vmid_put(to);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_evict);
