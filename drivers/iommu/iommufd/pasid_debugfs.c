// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is attached to the PASIDs of a device, for people to read
 *
 * iommu/iommufd/<device>/pasid_count   PASIDs attached
 * iommu/iommufd/<device>/pasids        ranges of PASIDs that share a page table,
 *                                      with the page table's object ID
 *
 * A device may have 2^20 PASIDs attached. Reading them is done in batches, and
 * is no snapshot where others attach and detach at the same time.
 */
#include <linux/debugfs.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "iommufd_private.h"

static struct dentry *iommufd_debugfs_root;

static int iommufd_pasid_count_show(struct seq_file *s, void *unused)
{
	struct iommufd_device *idev = s->private;
	struct iommufd_pasid_range range = { .last = IOMMU_NO_PASID };
	unsigned long count = 0;

	while (range.last != IOMMU_PASID_INVALID &&
	       iommufd_device_pasid_next_range(idev, range.last + 1, &range)) {
		count += range.last - range.first + 1;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	seq_printf(s, "%lu\n", count);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iommufd_pasid_count);

/*
 * The position is the PASID to look at next, so that a read that goes on with
 * a full buffer finds its place whatever has happened in between.
 */
static void *iommufd_pasids_start(struct seq_file *s, loff_t *pos)
{
	struct iommufd_device *idev = file_inode(s->file)->i_private;
	struct iommufd_pasid_range *range = s->private;

	if (*pos >= IOMMU_PASID_INVALID ||
	    !iommufd_device_pasid_next_range(idev, *pos, range))
		return NULL;
	return range;
}

static void *iommufd_pasids_next(struct seq_file *s, void *v, loff_t *pos)
{
	struct iommufd_pasid_range *range = v;

	*pos = range->last + 1LL;
	return iommufd_pasids_start(s, pos);
}

static void iommufd_pasids_stop(struct seq_file *s, void *v)
{
}

static int iommufd_pasids_show(struct seq_file *s, void *v)
{
	struct iommufd_pasid_range *range = v;

	if (range->first == range->last)
		seq_printf(s, "%u hwpt %u\n", range->first, range->hwpt_id);
	else
		seq_printf(s, "%u-%u hwpt %u\n", range->first, range->last,
			   range->hwpt_id);
	return 0;
}

static const struct seq_operations iommufd_pasids_sops = {
	.start = iommufd_pasids_start,
	.next = iommufd_pasids_next,
	.stop = iommufd_pasids_stop,
	.show = iommufd_pasids_show,
};

static int iommufd_pasids_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &iommufd_pasids_sops,
				sizeof(struct iommufd_pasid_range));
}

static const struct file_operations iommufd_pasids_fops = {
	.owner = THIS_MODULE,
	.open = iommufd_pasids_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

/**
 * iommufd_device_debugfs_add - Show a device in debugfs
 * @idev: Device that has been bound
 *
 * Undone by iommufd_device_debugfs_remove().
 */
void iommufd_device_debugfs_add(struct iommufd_device *idev)
{
	idev->debugfs = debugfs_create_dir(dev_name(idev->dev),
					   iommufd_debugfs_root);
	debugfs_create_file("pasid_count", 0400, idev->debugfs, idev,
			    &iommufd_pasid_count_fops);
	debugfs_create_file("pasids", 0400, idev->debugfs, idev,
			    &iommufd_pasids_fops);
}

/**
 * iommufd_device_debugfs_remove - Remove a device from debugfs
 * @idev: Device that is about to be unbound
 *
 * Waits for readers, so the caller must not hold igroup->lock.
 */
void iommufd_device_debugfs_remove(struct iommufd_device *idev)
{
	debugfs_remove(idev->debugfs);
}

/**
 * iommufd_debugfs_init - Create the directory of the devices
 */
void __init iommufd_debugfs_init(void)
{
	iommufd_debugfs_root = debugfs_create_dir("iommufd", iommu_debugfs_dir);
}

/**
 * iommufd_debugfs_exit - Remove the directory of the devices
 */
void iommufd_debugfs_exit(void)
{
	debugfs_remove(iommufd_debugfs_root);
}
