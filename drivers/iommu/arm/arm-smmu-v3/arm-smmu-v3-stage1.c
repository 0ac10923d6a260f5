// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the stage-1 domains of an SMMUv3 are invalidated, for people: a list in
 * debugfs, and a tracepoint.
 */

#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>
#include <linux/xarray.h>
#include <kunit/visibility.h>

#include "arm-smmu-v3.h"

#define CREATE_TRACE_POINTS
#include "trace_stage1.h"

#ifdef CONFIG_IOMMU_DEBUGFS
static void arm_smmu_show_devices(struct seq_file *s,
				  struct arm_smmu_domain *smmu_domain)
{
	struct arm_smmu_master_domain *master_domain;
	unsigned long flags;

	spin_lock_irqsave(&smmu_domain->devices_lock, flags);
	list_for_each_entry(master_domain, &smmu_domain->devices, devices_elm)
		seq_printf(s, "%5u %-9s %7u %s\n", smmu_domain->cd.asid,
			   smmu_domain->use_tlbi ? "broadcast" : "command",
			   master_domain->ssid,
			   dev_name(master_domain->master->dev));
	spin_unlock_irqrestore(&smmu_domain->devices_lock, flags);
}

/*
 * A domain leaves the xarray under arm_smmu_asid_lock before it is freed. What stays
 * for a dirty ASID has no devices.
 */
VISIBLE_IF_KUNIT int arm_smmu_stage1_show(struct seq_file *s, void *unused)
{
	struct arm_smmu_device *smmu = s->private;
	struct arm_smmu_domain *smmu_domain;
	unsigned long asid;

	seq_printf(s, "own stage 1 by %s\n",
		   smmu->features & ARM_SMMU_FEAT_BTM_S1 ? "broadcast" :
							   "command");
	seq_puts(s, " asid by          pasid device\n");

	mutex_lock(&arm_smmu_asid_lock);
	xa_for_each(&smmu->asid_xa, asid, smmu_domain)
		arm_smmu_show_devices(s, smmu_domain);
	mutex_unlock(&arm_smmu_asid_lock);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(arm_smmu_stage1_show);
DEFINE_SHOW_ATTRIBUTE(arm_smmu_stage1);

/**
 * arm_smmu_stage1_debugfs_add() - Show the stage-1 domains of an SMMU in debugfs
 * @smmu: the SMMU
 * @dir: its directory
 */
void arm_smmu_stage1_debugfs_add(struct arm_smmu_device *smmu,
				 struct dentry *dir)
{
	debugfs_create_file("stage1", 0400, dir, smmu, &arm_smmu_stage1_fops);
}
#endif
