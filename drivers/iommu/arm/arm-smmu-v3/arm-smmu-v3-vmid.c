// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMIDs of an SMMUv3: who has which number.
 *
 * Each SMMU has one registry, an xarray of struct arm_smmu_vmid. A number is in it
 * from before the first STE carries it until the TLB is known to be clear of it,
 * so it never names two stage-2 tables at a time (IHI 0070 3.17.6). If a command
 * fails, that can be long after the last user has gone.
 *
 * There are two kinds of number. A private one is picked here, and only the SMMU
 * knows it; it can change, see arm-smmu-v3-vmid-move.c. A shared one was picked by
 * KVM, which keeps it for its VM while there is a pin on it. KVM hands out numbers
 * from 1 upward, so private ones are taken from the top of the space downward, and
 * the two rarely want the same.
 */

#include <linux/device.h>
#include <linux/kvm_vmid_pin.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <kunit/visibility.h>

#include "arm-smmu-v3.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* A dirty VMID without users */
#define ARM_SMMU_VMID_LEFT	XA_MARK_1

/*
 * The xarray allocates the lowest free index, private VMIDs come from the top:
 * the index of a VMID is its distance from the largest one. Index 2^bits - 1 is
 * VMID 0, which STEs without a stage 2 use; it is never taken.
 */
static unsigned long arm_smmu_vmid_index(struct arm_smmu_device *smmu, u16 id)
{
	return GENMASK(smmu->vmid_bits - 1, 0) - id;
}

#ifdef CONFIG_ARM_SMMU_V3_IOMMUFD
/**
 * arm_smmu_vmid_find() - Look a VMID up in the registry
 * @smmu: the SMMU
 * @id: the number
 *
 * Context: the caller holds arm_smmu_asid_lock.
 * Return: the VMID, or NULL if nobody on @smmu uses the number.
 */
struct arm_smmu_vmid *arm_smmu_vmid_find(struct arm_smmu_device *smmu, u16 id)
{
	lockdep_assert_held(&arm_smmu_asid_lock);
	return xa_load(&smmu->vmids, arm_smmu_vmid_index(smmu, id));
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_find);
#endif

/**
 * arm_smmu_vmid_clean() - Make up for the commands that left a VMID dirty
 * @vmid: a VMID, with users or without
 *
 * Context: as arm_smmu_clean_tag(); the caller holds arm_smmu_asid_lock.
 * Return: 0 if @vmid is not dirty, or not any more; or the error of a command.
 */
int arm_smmu_vmid_clean(struct arm_smmu_vmid *vmid)
{
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	if (!vmid->dirty)
		return 0;

	ret = arm_smmu_clean_tag(vmid->smmu,
				 arm_smmu_make_cmd_tlbi(CMDQ_OP_TLBI_S12_VMALL,
							0, vmid->id));
	if (ret)
		return ret;

	vmid->dirty = false;
	return 0;
}

static struct arm_smmu_vmid *arm_smmu_vmid_new(struct arm_smmu_device *smmu,
					       struct arm_smmu_domain *s2)
{
	struct arm_smmu_vmid *vmid;

	vmid = kzalloc_obj(*vmid, GFP_KERNEL_ACCOUNT);
	if (!vmid)
		return NULL;

	vmid->smmu = smmu;
	vmid->s2 = s2;
	vmid->users = 1;
	return vmid;
}

/* @vmid is in the registry: until it is erased it keeps its table */
static void arm_smmu_vmid_claimed(struct arm_smmu_vmid *vmid)
{
	if (vmid->s2)
		vmid->s2->s2_cfg.num_vmids++;
	trace_arm_smmu_vmid_claim(vmid);
}

/*
 * The SMMU has nothing left under the number. A table whose domain is gone goes
 * with the last of its numbers.
 */
static void arm_smmu_vmid_free(struct arm_smmu_vmid *vmid)
{
	struct arm_smmu_domain *s2 = vmid->s2;

	if (s2 && !--s2->s2_cfg.num_vmids && s2->s2_cfg.kept)
		arm_smmu_domain_free_unused(s2);
	if (vmid->pin)
		kvm_arm_vmid_unpin(vmid->pin);
	kfree(vmid);
}

/**
 * arm_smmu_vmid_release() - Give up a number
 * @vmid: a VMID without users, freed on success
 *
 * Context: as arm_smmu_vmid_clean().
 * Return: 0, or the error of a command: the number is still taken.
 */
int arm_smmu_vmid_release(struct arm_smmu_vmid *vmid)
{
	struct arm_smmu_device *smmu = vmid->smmu;
	int ret = arm_smmu_vmid_clean(vmid);

	if (ret)
		return ret;

	trace_arm_smmu_vmid_release(vmid);
	xa_erase(&smmu->vmids, arm_smmu_vmid_index(smmu, vmid->id));
	arm_smmu_vmid_free(vmid);
	return 0;
}

/* Of the numbers that nobody uses but that are dirty, try to give up one */
static int arm_smmu_vmid_reclaim(struct arm_smmu_device *smmu)
{
	unsigned long index = 0;
	struct arm_smmu_vmid *vmid;

	vmid = xa_find(&smmu->vmids, &index, ULONG_MAX, ARM_SMMU_VMID_LEFT);
	return vmid ? arm_smmu_vmid_release(vmid) : -ENOSPC;
}

/**
 * arm_smmu_vmid_alloc() - Take a private VMID
 * @smmu: the SMMU it is for
 * @s2: the stage-2 table that it will tag
 *
 * When there is no other number, the commands that have left one dirty are made up
 * for; one number for each request, as a queue that hangs costs a second.
 *
 * Context: may sleep; the caller holds arm_smmu_asid_lock.
 * Return: a VMID with one user, or ERR_PTR: -ENOMEM, or -ENOSPC when all numbers
 *         of @smmu are in use.
 */
struct arm_smmu_vmid *arm_smmu_vmid_alloc(struct arm_smmu_device *smmu,
					  struct arm_smmu_domain *s2)
{
	const u32 vmid_0 = arm_smmu_vmid_index(smmu, 0);
	const struct xa_limit limit = XA_LIMIT(0, vmid_0 - 1);
	struct arm_smmu_vmid *vmid;
	u32 index;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	vmid = arm_smmu_vmid_new(smmu, s2);
	if (!vmid)
		return ERR_PTR(-ENOMEM);

	ret = xa_alloc(&smmu->vmids, &index, vmid, limit, GFP_KERNEL_ACCOUNT);
	if (ret == -EBUSY && !arm_smmu_vmid_reclaim(smmu))
		ret = xa_alloc(&smmu->vmids, &index, vmid, limit,
			       GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(vmid);
		return ERR_PTR(ret == -EBUSY ? -ENOSPC : ret);
	}

	vmid->id = vmid_0 - index;
	arm_smmu_vmid_claimed(vmid);
	return vmid;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_alloc);

#ifdef CONFIG_ARM_SMMU_V3_IOMMUFD
/**
 * arm_smmu_vmid_claim() - Take the VMID of a VM
 * @smmu: the SMMU to use it on
 * @pin: the pin of the VM, with a number that fits the VMIDs of @smmu
 * @s2: the stage-2 table that it will tag
 *
 * On success the VMID owns the reference on @pin that the caller had.
 *
 * Context: may sleep; the caller holds arm_smmu_asid_lock.
 * Return: a VMID with one user, or ERR_PTR: -ENOMEM, or -EBUSY when somebody on
 *         @smmu has the number.
 */
struct arm_smmu_vmid *arm_smmu_vmid_claim(struct arm_smmu_device *smmu,
					  struct kvm_vmid_pin *pin,
					  struct arm_smmu_domain *s2)
{
	struct arm_smmu_vmid *vmid;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	vmid = arm_smmu_vmid_new(smmu, s2);
	if (!vmid)
		return ERR_PTR(-ENOMEM);

	vmid->id = pin->vmid;
	vmid->pin = pin;
	ret = xa_insert(&smmu->vmids, arm_smmu_vmid_index(smmu, vmid->id), vmid,
			GFP_KERNEL_ACCOUNT);
	if (ret) {
		kfree(vmid);
		return ERR_PTR(ret);
	}

	arm_smmu_vmid_claimed(vmid);
	return vmid;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_claim);

/**
 * arm_smmu_vmid_get() - Take a reference on a VMID
 * @vmid: a VMID with at least one user
 *
 * Context: the caller holds arm_smmu_asid_lock.
 */
void arm_smmu_vmid_get(struct arm_smmu_vmid *vmid)
{
	lockdep_assert_held(&arm_smmu_asid_lock);
	vmid->users++;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_get);

/**
 * arm_smmu_vmid_swap() - Exchange the numbers of two VMIDs
 * @a: a VMID
 * @b: another one on the same SMMU
 *
 * Context: the caller holds arm_smmu_asid_lock, and sees to the STEs and TLB entries
 *          that carry the numbers.
 */
void arm_smmu_vmid_swap(struct arm_smmu_vmid *a, struct arm_smmu_vmid *b)
{
	struct arm_smmu_device *smmu = a->smmu;

	lockdep_assert_held(&arm_smmu_asid_lock);

	/* Both indices are in use, so the stores need no memory */
	swap(a->id, b->id);
	xa_store(&smmu->vmids, arm_smmu_vmid_index(smmu, a->id), a, 0);
	xa_store(&smmu->vmids, arm_smmu_vmid_index(smmu, b->id), b, 0);
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_swap);
#endif

/**
 * arm_smmu_vmid_put() - Drop a reference on a VMID
 * @vmid: the VMID; not to be used any more
 *
 * No STE carries the number any more when its last user goes: the flush at the
 * last detach, see arm_smmu_install_old_domain_invs(), has cleared the TLB of it.
 * Only then may the number, or the pin on it, be given up. A dirty number stays in
 * the registry, and pinned, until it is clean or the SMMU is reset.
 *
 * Context: the caller holds arm_smmu_asid_lock.
 * Return: 0, or the error of a command that has kept the number.
 */
int arm_smmu_vmid_put(struct arm_smmu_vmid *vmid)
{
	struct arm_smmu_device *smmu = vmid->smmu;
	int ret;

	lockdep_assert_held(&arm_smmu_asid_lock);

	if (--vmid->users)
		return 0;

	ret = arm_smmu_vmid_release(vmid);
	if (ret)
		xa_set_mark(&smmu->vmids, arm_smmu_vmid_index(smmu, vmid->id),
			    ARM_SMMU_VMID_LEFT);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmid_put);

/**
 * arm_smmu_vmid_put_s2() - Drop the VMID of a stage-2 domain that is being freed
 * @s2: the domain, which no device is attached to and no vSMMU is over
 *
 * The SMMU may go on walking the table under each number of it that is dirty, by an
 * STE or a part of the table that it has cached. So the table is kept as long as one
 * of them is in the registry. What removes them from it is arm_smmu_vmid_clean(): no
 * walk under the number is under way, nor begins, once its CMD_SYNCs have completed
 * (IHI 0070 3.21.1, 3.21.3).
 *
 * If this number causes no error, one that an earlier failure has left is tried
 * again, so that no memory is kept for good once the SMMU answers.
 *
 * Context: as arm_smmu_vmid_clean().
 * Return: true if the caller has to free the table; false if the last of the numbers
 *         will take it along.
 */
bool arm_smmu_vmid_put_s2(struct arm_smmu_domain *s2)
{
	if (!arm_smmu_vmid_put(s2->s2_cfg.vmid))
		arm_smmu_vmid_reclaim(s2->smmu);

	s2->s2_cfg.vmid = NULL;
	s2->s2_cfg.kept = s2->s2_cfg.num_vmids;
	return !s2->s2_cfg.kept;
}

/* Runs after the SMMU was disabled: what is still here is dirty */
static void arm_smmu_vmids_destroy(void *data)
{
	struct arm_smmu_device *smmu = data;
	struct arm_smmu_vmid *vmid;
	unsigned long index;

	xa_for_each(&smmu->vmids, index, vmid) {
		WARN_ON(vmid->users);
		arm_smmu_vmid_free(vmid);
	}
	xa_destroy(&smmu->vmids);
}

/**
 * arm_smmu_vmids_init() - Set up the registry of an SMMU
 * @smmu: an SMMU whose vmid_bits are known
 *
 * Return: 0 or -ENOMEM.
 */
int arm_smmu_vmids_init(struct arm_smmu_device *smmu)
{
	xa_init_flags(&smmu->vmids, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	return devm_add_action_or_reset(smmu->dev, arm_smmu_vmids_destroy, smmu);
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_vmids_init);
