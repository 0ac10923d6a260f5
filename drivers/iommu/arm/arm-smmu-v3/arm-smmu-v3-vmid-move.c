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
 * The guest's commands are kept out, see arm_vsmmu_hold_vmid(): those that have
 * been converted with the old number are complete before the first STE is written,
 * and all others wait for the move. If a command of it fails they go on waiting, see
 * arm_smmu_vmid_settle().
 */

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "arm-smmu-v3.h"

/* VMID 0 is nobody's, and it is what an STE without stage 2 has */
static bool arm_smmu_ste_has_vmid(const struct arm_smmu_ste *ste,
				  const struct arm_smmu_vmid *vmid)
{
	return FIELD_GET(STRTAB_STE_2_S2VMID, le64_to_cpu(ste->data[2])) ==
	       vmid->id;
}

/*
 * Not through arm_smmu_install_ste_for_dev(), whose notes about the device are a
 * part of attaching.
 */
static int arm_smmu_master_move_stes(struct arm_smmu_master *master,
				     const struct arm_smmu_vmid *from,
				     const struct arm_smmu_vmid *to)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i != master->num_streams; i++) {
		u32 sid = master->streams[i].id;
		struct arm_smmu_ste *ste =
			arm_smmu_get_step_for_sid(master->smmu, sid);
		struct arm_smmu_ste target = *ste;

		if (!arm_smmu_ste_has_vmid(ste, from))
			continue;
		arm_smmu_ste_set_vmid(&target, to);
		ret = arm_smmu_write_ste(master, sid, ste, &target) ?: ret;
	}
	return ret;
}

static int arm_smmu_vmid_move_stes(const struct arm_smmu_vmid *from,
				   const struct arm_smmu_vmid *to)
{
	struct arm_smmu_master_domain *cur;
	int ret = 0;

	/* All who change the list hold arm_smmu_asid_lock */
	list_for_each_entry(cur, &from->s2->devices, devices_elm)
		ret = arm_smmu_master_move_stes(cur->master, from, to) ?: ret;
	return ret;
}

static int arm_smmu_vmid_move_locked(struct arm_smmu_vmid *vmid,
				     struct arm_smmu_vmid *to)
{
	struct arm_smmu_domain *s2 = vmid->s2;
	struct arm_smmu_invs *old_invs, *both_invs, *new_invs;
	int err;

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

	err = arm_smmu_vmid_move_stes(vmid, to);
	err = arm_smmu_vmid_flush(vmid) ?: err;
	arm_smmu_vmid_swap(vmid, to);

	/*
	 * The SMMU may still use an old STE, or what it has cached under the old
	 * number. See arm_smmu_attach_flush_old_tag().
	 */
	to->dirty = err;
	if (arm_smmu_vmid_clean(to)) {
		kfree(new_invs);
		return 0;
	}

	rcu_assign_pointer(s2->invs, new_invs);
	kfree_rcu(both_invs, rcu);
	return 0;
}

/**
 * arm_smmu_vmid_settle() - Let the guest's commands in after a move
 * @vmid: a VMID, moved or not
 *
 * If a command of the move has failed, the SMMU may still use the STEs and TLB entries
 * of the number that @vmid has had. The commands of its guest have the new one only:
 * they would complete, and not reach what they are for. So make up for it first.
 *
 * Context: as arm_smmu_vmid_clean().
 * Return: 0, or the error of a command: @vmid is still moving.
 */
int arm_smmu_vmid_settle(struct arm_smmu_vmid *vmid)
{
	struct arm_smmu_vmid *left;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	if (!vmid->moving)
		return 0;

	left = arm_smmu_vmid_find(vmid->smmu, vmid->left_id);
	if (left) {
		ret = left->users ? arm_smmu_vmid_clean(left) :
				    arm_smmu_vmid_release(left);
		if (ret)
			return ret;
	}

	/* Who sees it false sees the number. See arm_vsmmu_hold_vmid(). */
	smp_store_release(&vmid->moving, false);
	return 0;
}

/**
 * arm_smmu_vmid_evict() - Move a private VMID to another number
 * @vmid: a VMID in the registry
 *
 * Afterwards nobody on the SMMU has the number that @vmid had, unless a command
 * failed: then the number is dirty, and arm_smmu_vmid_claim() still finds it taken.
 * A @vmid without users, which is dirty, does not move but goes.
 *
 * Costs one STE write, CFGI_STE and CMD_SYNC for each StreamID that has the
 * number, one TLBI and CMD_SYNC in all, and a CMD_SYNC before.
 *
 * Context: may sleep; the caller holds arm_smmu_asid_lock, which keeps devices from
 *          being attached and detached.
 * Return: 0; -EBUSY if @vmid is a VM's, cannot be cleaned, or is known to hardware that takes
 *         commands from a guest directly, or if the SMMU carries out none; -ENOSPC if
 *         there is no other number; or -ENOMEM.
 */
int arm_smmu_vmid_evict(struct arm_smmu_vmid *vmid)
{
	struct arm_vsmmu *vsmmu = vmid->vsmmu;
	struct arm_smmu_vmid *to;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	if (!vmid->users)
		return arm_smmu_vmid_release(vmid) ? -EBUSY : 0;
	if (vmid->pin || arm_smmu_vmid_clean(vmid) || arm_smmu_vmid_settle(vmid))
		return -EBUSY;
	if (vsmmu && vsmmu->core.type != IOMMU_VIOMMU_TYPE_ARM_SMMUV3)
		return -EBUSY;

	/* If the queue hangs, wait for it here and not once for each StreamID */
	if (arm_smmu_cmdq_issue_cmdlist(vmid->smmu, &vmid->smmu->cmdq, NULL, 0,
					true))
		return -EBUSY;

	to = arm_smmu_vmid_alloc(vmid->smmu, vmid->s2);
	if (IS_ERR(to))
		return PTR_ERR(to);

	if (vsmmu) {
		WRITE_ONCE(vmid->moving, true);
		synchronize_rcu();
	}
	ret = arm_smmu_vmid_move_locked(vmid, to);

	/* It has the old number now, or the new one if nothing was moved */
	vmid->left_id = to->id;
	if (!arm_smmu_vmid_put(to))
		arm_smmu_vmid_settle(vmid);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_evict);
