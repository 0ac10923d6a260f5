// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables attached to the PASIDs of a device
 *
 * There may be 2^20 PASIDs on each group and most have one device, so what is
 * kept for one is the attach handle, 16 bytes, where the iommu core keeps it:
 * in its array of the group's PASIDs. The handle knows one of the devices, its
 * domain knows the page table. Where more devices of a group attach a PASID,
 * igroup->pasid_others has them. A replace cannot reuse the handle, as the core
 * reads it without a lock, but allocates another.
 *
 * As for the RID, a PASID belongs to the group: the first device to attach
 * programs all the devices of the group that have PASIDs, others that attach
 * the same page table are only noted, and the last one to leave detaches.
 *
 * Locking: igroup->lock protects the handles, igroup->pasid_others and its
 * lists, igroup->num_pasids and igroup->hwpt. It is taken after
 * iommufd_ioas::mutex, where that is held, before iommu_group::mutex, which the
 * core takes for each change of an attachment, and before iommufd_fault::mutex,
 * under which the fault path reads handle->idev. iommufd owns the DMA of the
 * group; what a driver attaches to PASIDs beside it, as for SVA, has another
 * cookie in its domain.
 *
 * Order of a change: all memory is allocated first, the hardware is changed
 * next, and what follows cannot fail.
 */
#include <kunit/visibility.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"

/* PASIDs looked at before other users of the group get a turn */
#define IOMMUFD_PASID_SCAN_BATCH 1024

static_assert(sizeof(struct iommufd_attach_handle) <= 16);

/**
 * struct iommufd_pasid_member - One more device that shares an attachment
 * @next: The next one, or NULL; igroup->pasid_others has the first
 * @idev: The device
 */
struct iommufd_pasid_member {
	struct iommufd_pasid_member *next;
	struct iommufd_device *idev;
};

typedef int (*iommufd_pasid_change_fn)(struct iommufd_device *idev,
				       ioasid_t pasid,
				       struct iommufd_hw_pagetable *hwpt);

static struct iommufd_attach_handle *
iommufd_pasid_handle(struct iommufd_group *igroup, ioasid_t pasid)
{
	struct iommu_attach_handle *handle;

	lockdep_assert_held(&igroup->lock);

	handle = iommu_attach_handle_get(igroup->group, pasid, 0);
	if (IS_ERR(handle) ||
	    handle->domain->cookie_type != IOMMU_COOKIE_IOMMUFD)
		return NULL;
	return to_iommufd_handle(handle);
}

static struct iommufd_hw_pagetable *
iommufd_pasid_hwpt(struct iommufd_attach_handle *handle)
{
	return handle->handle.domain->iommufd_hwpt;
}

static struct iommufd_pasid_member *
iommufd_pasid_find_other(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_pasid_member *other;

	other = xa_load(&idev->igroup->pasid_others, pasid);
	while (other && other->idev != idev)
		other = other->next;
	return other;
}

static bool iommufd_pasid_has_device(struct iommufd_attach_handle *handle,
				     struct iommufd_device *idev,
				     ioasid_t pasid)
{
	return handle->idev == idev || iommufd_pasid_find_other(idev, pasid);
}

static int iommufd_pasid_add_other(struct iommufd_device *idev, ioasid_t pasid)
{
	struct xarray *others = &idev->igroup->pasid_others;
	struct iommufd_pasid_member *other;
	int rc;

	other = kzalloc_obj(*other, GFP_KERNEL_ACCOUNT);
	if (!other)
		return -ENOMEM;
	other->idev = idev;
	other->next = xa_load(others, pasid);

	rc = xa_err(xa_store(others, pasid, other, GFP_KERNEL));
	if (rc)
		kfree(other);
	return rc;
}

static void iommufd_pasid_remove_other(struct iommufd_group *igroup,
				       ioasid_t pasid,
				       struct iommufd_pasid_member *other)
{
	struct iommufd_pasid_member *prev;

	prev = xa_load(&igroup->pasid_others, pasid);
	if (prev != other) {
		while (prev->next != other)
			prev = prev->next;
		prev->next = other->next;
	} else if (other->next) {
		/* The slot is in use, so this allocates nothing */
		WARN_ON(xa_is_err(xa_store(&igroup->pasid_others, pasid,
					   other->next, GFP_KERNEL)));
	} else {
		xa_erase(&igroup->pasid_others, pasid);
	}
	kfree(other);
}

static size_t iommufd_pasid_count_devices(struct iommufd_group *igroup,
					  ioasid_t pasid)
{
	struct iommufd_pasid_member *other;
	size_t count = 1;

	other = xa_load(&igroup->pasid_others, pasid);
	for (; other; other = other->next)
		count++;
	return count;
}

static int iommufd_pasid_check(struct iommufd_device *idev,
			       struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hw_pagetable *rid_hwpt = idev->igroup->hwpt;

	if (!hwpt || !hwpt->pasid_compat)
		return -EINVAL;
	if (rid_hwpt && !rid_hwpt->pasid_compat)
		return -EINVAL;
	if (!iommufd_hwpt_compatible_device(hwpt, idev))
		return -EINVAL;
	return 0;
}

static int iommufd_pasid_attach_first(struct iommufd_device *idev,
				      ioasid_t pasid,
				      struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_attach_handle *handle;
	int rc;

	rc = iommufd_pasid_check(idev, hwpt);
	if (rc)
		return rc;

	handle = kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;
	handle->idev = idev;

	rc = iommu_attach_device_pasid(hwpt->domain, idev->dev, pasid,
				       &handle->handle);
	if (rc) {
		kfree(handle);
		return rc;
	}
	idev->igroup->num_pasids++;
	return 0;
}

static int iommufd_pasid_attach_other(struct iommufd_attach_handle *handle,
				      struct iommufd_device *idev,
				      ioasid_t pasid,
				      struct iommufd_hw_pagetable *hwpt)
{
	if (iommufd_pasid_has_device(handle, idev, pasid))
		return -EBUSY;
	if (iommufd_pasid_hwpt(handle) != hwpt)
		return -EINVAL;
	return iommufd_pasid_add_other(idev, pasid);
}

static int iommufd_pasid_do_attach(struct iommufd_device *idev, ioasid_t pasid,
				   struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_attach_handle *handle;
	int rc;

	guard(mutex)(&idev->igroup->lock);

	handle = iommufd_pasid_handle(idev->igroup, pasid);
	if (handle)
		rc = iommufd_pasid_attach_other(handle, idev, pasid, hwpt);
	else
		rc = iommufd_pasid_attach_first(idev, pasid, hwpt);
	if (rc)
		return rc;

	refcount_inc(&hwpt->obj.users);
	/* Catches a driver that destroys a device with an attachment */
	refcount_inc(&idev->obj.users);
	return 0;
}

static int iommufd_pasid_do_replace(struct iommufd_device *idev, ioasid_t pasid,
				    struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_attach_handle *old, *new;
	struct iommufd_hw_pagetable *old_hwpt;
	struct iommufd_pasid_member *other;
	size_t num_devices;
	int rc;

	guard(mutex)(&idev->igroup->lock);

	old = iommufd_pasid_handle(idev->igroup, pasid);
	if (!old || !iommufd_pasid_has_device(old, idev, pasid))
		return -EINVAL;
	old_hwpt = iommufd_pasid_hwpt(old);
	if (old_hwpt == hwpt)
		return 0;

	rc = iommufd_pasid_check(idev, hwpt);
	if (rc)
		return rc;

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->idev = idev;

	rc = iommu_replace_device_pasid(hwpt->domain, idev->dev, pasid,
					&new->handle);
	if (rc) {
		kfree(new);
		return rc;
	}

	/* @idev asked, so it stands in the handle, and who did so takes its place */
	other = iommufd_pasid_find_other(idev, pasid);
	if (other)
		other->idev = old->idev;

	num_devices = iommufd_pasid_count_devices(idev->igroup, pasid);
	refcount_add(num_devices, &hwpt->obj.users);

	/* Faults in flight name the old handle, so it goes after them */
	iommufd_auto_response_faults(old_hwpt, old, NULL);
	WARN_ON(refcount_sub_and_test(num_devices, &old_hwpt->obj.users));
	kfree(old);
	return 0;
}

static int iommufd_pasid_change(struct iommufd_device *idev, ioasid_t pasid,
				u32 pt_id, iommufd_pasid_change_fn change)
{
	struct iommufd_hw_pagetable *hwpt = NULL;
	struct iommufd_object *pt_obj;
	int rc = -EINVAL;

	pt_obj = iommufd_get_object(idev->ictx, pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt_obj))
		return PTR_ERR(pt_obj);

	/* Without an IOMMU there is nothing that could tell PASIDs apart */
	if (!idev->igroup->group)
		goto out_put;

	switch (pt_obj->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
	case IOMMUFD_OBJ_HWPT_PAGING:
		hwpt = container_of(pt_obj, struct iommufd_hw_pagetable, obj);
		break;
	case IOMMUFD_OBJ_IOAS:
		/*
		 * No automatic page table is PASID compatible, so there is none
		 * to look for, but the state of the PASID decides on the error.
		 */
		break;
	default:
		goto out_put;
	}

	rc = change(idev, pasid, hwpt);
out_put:
	iommufd_put_object(idev->ictx, pt_obj);
	return rc;
}

/**
 * iommufd_device_pasid_attach - Attach a page table to a PASID of a device
 * @idev: Device to attach
 * @pasid: PASID to attach, not IOMMU_NO_PASID
 * @pt_id: Object ID of an IOMMUFD_OBJ_HWPT_PAGING or IOMMUFD_OBJ_HWPT_NESTED
 *         that was allocated with IOMMU_HWPT_ALLOC_PASID. Unchanged on return.
 *
 * Once this completes the device can do DMA with @pasid. It is undone by
 * iommufd_device_pasid_detach(). The PASID belongs to the whole group: all its
 * devices that have PASIDs are programmed, and another device of the group may
 * attach only the same page table. A device without PASIDs may attach one too;
 * that changes the other devices of its group, if they have PASIDs, else
 * nothing but what is noted here.
 *
 * The memory that the attachment needs is charged to the caller's cgroup.
 *
 * Context: Process context, may sleep. Takes igroup->lock.
 * Return: 0, or
 * * -ENOENT: There is no object @pt_id.
 * * -EBUSY: The device has a page table attached to @pasid, whichever; or a
 *   device of the group is being reset.
 * * -EINVAL: Another device of the group has another page table attached to
 *   @pasid; the page table is not PASID compatible, as that of an IOAS never
 *   is, or the RID's is not; @pt_id is not a page table; the page table reports
 *   faults and the device cannot; @pasid is beyond what a device of the group
 *   has; the page table is of another IOMMU; or the device has no IOMMU.
 * * -EOPNOTSUPP: The IOMMU has no PASIDs.
 * * -ENOMEM: Out of memory.
 * * Other errors are the IOMMU driver's.
 *
 * After an error nothing has changed.
 */
int iommufd_device_pasid_attach(struct iommufd_device *idev, ioasid_t pasid,
				u32 *pt_id)
{
	return iommufd_pasid_change(idev, pasid, *pt_id,
				    iommufd_pasid_do_attach);
}

/**
 * iommufd_device_pasid_replace - Change the page table of a PASID
 * @idev: Device that has attached @pasid
 * @pasid: PASID to change, not IOMMU_NO_PASID
 * @pt_id: As for iommufd_device_pasid_attach()
 *
 * Changes the page table for all devices of the group that have attached
 * @pasid. A driver may do so without a moment in which DMA finds neither. Faults
 * that wait for a response on the old page table are answered as invalid.
 * Replacing a page table by itself does nothing.
 *
 * Context: Process context, may sleep. Takes igroup->lock.
 * Return: 0, or
 * * -EINVAL: The device has nothing attached to @pasid, or one of the reasons
 *   of iommufd_device_pasid_attach().
 * * Other errors as for iommufd_device_pasid_attach(); -EBUSY is a reset only.
 *
 * After an error the old page table is attached as before.
 */
int iommufd_device_pasid_replace(struct iommufd_device *idev, ioasid_t pasid,
				 u32 *pt_id)
{
	return iommufd_pasid_change(idev, pasid, *pt_id,
				    iommufd_pasid_do_replace);
}

/**
 * iommufd_device_pasid_detach - Undo iommufd_device_pasid_attach()
 * @idev: Device to detach
 * @pasid: PASID to detach, not IOMMU_NO_PASID
 *
 * DMA with @pasid is blocked when the last device of the group has detached
 * it. Faults of the device that wait for a response are answered as invalid.
 * Nothing happens if this device has nothing attached to @pasid.
 *
 * Context: Process context, may sleep. Takes igroup->lock.
 */
void iommufd_device_pasid_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_attach_handle *handle;
	struct iommufd_pasid_member *other;
	struct iommufd_hw_pagetable *hwpt;

	if (!igroup->group)
		return;

	guard(mutex)(&igroup->lock);

	handle = iommufd_pasid_handle(igroup, pasid);
	if (!handle)
		return;

	hwpt = iommufd_pasid_hwpt(handle);
	if (handle->idev != idev) {
		other = iommufd_pasid_find_other(idev, pasid);
		if (!other)
			return;
	} else {
		other = xa_load(&igroup->pasid_others, pasid);
		if (other)
			iommufd_attach_handle_move(hwpt, handle, other->idev);
	}

	if (other) {
		iommufd_pasid_remove_other(igroup, pasid, other);
		iommufd_auto_response_faults(hwpt, handle, idev->dev);
	} else {
		iommu_detach_device_pasid(hwpt->domain, idev->dev, pasid);
		igroup->num_pasids--;
		iommufd_auto_response_faults(hwpt, handle, NULL);
		kfree(handle);
	}

	/* Never an automatic page table, which would have to be destroyed */
	refcount_dec(&hwpt->obj.users);
	refcount_dec(&idev->obj.users);
}

/* Returns true if the batch ended at *pasid, before the end of the range */
VISIBLE_IF_KUNIT
bool iommufd_pasid_scan(struct iommufd_device *idev, unsigned long *pasid,
			struct iommufd_pasid_range *range, bool *found)
{
	struct iommufd_group *igroup = idev->igroup;
	unsigned int batch = IOMMUFD_PASID_SCAN_BATCH;
	struct iommufd_attach_handle *handle;
	struct iommu_attach_handle *next;
	u32 hwpt_id;

	guard(mutex)(&igroup->lock);

	for (; (next = iommu_attach_handle_next(igroup->group, pasid));
	     (*pasid)++) {
		if (!batch--)
			return true;
		if (next->domain->cookie_type != IOMMU_COOKIE_IOMMUFD)
			continue;
		handle = to_iommufd_handle(next);
		hwpt_id = iommufd_pasid_hwpt(handle)->obj.id;
		if (*found && (*pasid != range->last + 1UL ||
			       hwpt_id != range->hwpt_id))
			return false;
		if (!iommufd_pasid_has_device(handle, idev, *pasid)) {
			if (*found)
				return false;
			continue;
		}
		if (!*found)
			range->first = *pasid;
		range->last = *pasid;
		range->hwpt_id = hwpt_id;
		*found = true;
	}
	return false;
}

/**
 * iommufd_device_pasid_next_range - Find the PASIDs that a device has attached
 * @idev: Device to look at
 * @start: First PASID to look at
 * @range: Output of the first PASIDs in a row that share a page table
 *
 * The group is not locked throughout: at 2^20 PASIDs others would have to wait
 * for long. A range may combine what was there at different times.
 *
 * Context: Process context, may sleep. Takes igroup->lock.
 * Return: True if there is a PASID at @start or after it.
 */
bool iommufd_device_pasid_next_range(struct iommufd_device *idev,
				     ioasid_t start,
				     struct iommufd_pasid_range *range)
{
	unsigned long pasid = max(start, IOMMU_NO_PASID + 1);
	bool found = false;

	/* Without an IOMMU there are none */
	if (!idev->igroup->group)
		return false;

	while (iommufd_pasid_scan(idev, &pasid, range, &found))
		cond_resched();
	return found;
}

/**
 * iommufd_device_pasid_detach_all - Detach what a driver has left attached
 * @idev: Device that is about to be unbound
 *
 * Each attachment holds a user of the object. Left in place they would fail
 * the destruction and leave a device that its driver believes gone, with DMA
 * to the page tables going on.
 *
 * Context: Process context, may sleep. Takes igroup->lock. The caller ensures
 * that nobody attaches PASIDs to @idev at the same time.
 */
void iommufd_device_pasid_detach_all(struct iommufd_device *idev)
{
	struct iommufd_pasid_range range;
	ioasid_t pasid;

	if (!iommufd_device_pasid_next_range(idev, 0, &range))
		return;

	dev_WARN(idev->dev, "unbound with PASIDs attached\n");
	do {
		for (pasid = range.first;; pasid++) {
			iommufd_device_pasid_detach(idev, pasid);
			cond_resched();
			if (pasid == range.last)
				break;
		}
	} while (range.last != IOMMU_PASID_INVALID &&
		 iommufd_device_pasid_next_range(idev, range.last + 1, &range));
}
