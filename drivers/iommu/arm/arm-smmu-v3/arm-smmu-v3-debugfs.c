// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an SMMUv3 does with its VMIDs, for people: a directory for each SMMU under
 * iommu/arm-smmu-v3 in debugfs.
 */

#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/seq_file.h>
#include <linux/string_choices.h>
#include <linux/xarray.h>

#include "arm-smmu-v3.h"

static struct dentry *arm_smmu_debugfs_root;

static void arm_smmu_vmid_show_devices(struct seq_file *s,
				       struct arm_smmu_vmid *vmid)
{
	struct arm_smmu_master_domain *master_domain;
	unsigned long flags;

	if (!vmid->s2)
		return;

	spin_lock_irqsave(&vmid->s2->devices_lock, flags);
	list_for_each_entry(master_domain, &vmid->s2->devices, devices_elm)
		if (arm_smmu_domain_vmid(master_domain->domain) == vmid)
			seq_printf(s, " %s",
				   dev_name(master_domain->master->dev));
	spin_unlock_irqrestore(&vmid->s2->devices_lock, flags);
}

static int arm_smmu_vmids_show(struct seq_file *s, void *unused)
{
	struct arm_smmu_device *smmu = s->private;
	struct arm_smmu_vmid *vmid;
	unsigned long index;

	seq_printf(s, "BTM %s, %u VMID bits\n",
		   str_on_off(smmu->features & ARM_SMMU_FEAT_BTM),
		   smmu->vmid_bits);
	seq_puts(s, " vmid kind    state users vsmmu stage-2 devices\n");

	mutex_lock(&arm_smmu_asid_lock);
	xa_for_each(&smmu->vmids, index, vmid) {
		seq_printf(s, "%5u %-7s %-5s %5u %5s %p", vmid->id,
			   vmid->pin ? "shared" : "private",
			   vmid->dirty ? "dirty" : "ok", vmid->users,
			   str_yes_no(vmid->vsmmu), vmid->s2);
		arm_smmu_vmid_show_devices(s, vmid);
		seq_putc(s, '\n');
	}
	mutex_unlock(&arm_smmu_asid_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arm_smmu_vmids);

static void arm_smmu_debugfs_remove(void *dir)
{
	debugfs_remove(dir);
}

/**
 * arm_smmu_debugfs_add() - Show an SMMU in debugfs until it is unbound
 * @smmu: an SMMU with a registry of VMIDs
 *
 * Nothing depends on it, so there is no failure to report.
 *
 * Return: the directory of the SMMU, for further files, or an ERR_PTR, with which
 * debugfs makes none.
 */
struct dentry *arm_smmu_debugfs_add(struct arm_smmu_device *smmu)
{
	struct dentry *dir;

	dir = debugfs_create_dir(dev_name(smmu->dev), arm_smmu_debugfs_root);
	debugfs_create_file("vmids", 0400, dir, smmu, &arm_smmu_vmids_fops);
	if (devm_add_action_or_reset(smmu->dev, arm_smmu_debugfs_remove, dir))
		return ERR_PTR(-ENOMEM);
	return dir;
}

/**
 * arm_smmu_debugfs_init() - Make the directory of the driver
 *
 * Before the first SMMU is probed.
 */
void arm_smmu_debugfs_init(void)
{
	arm_smmu_debugfs_root = debugfs_create_dir("arm-smmu-v3",
						   iommu_debugfs_dir);
}

/**
 * arm_smmu_debugfs_exit() - Remove the directory of the driver
 *
 * After the last SMMU was unbound.
 */
void arm_smmu_debugfs_exit(void)
{
	debugfs_remove(arm_smmu_debugfs_root);
}
