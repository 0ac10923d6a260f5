// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the page tables attached to PASIDs
 *
 * They run on iommufd's mock device. Its page tables get a set_dev_pasid() that
 * notes what each device's hardware would do and can be told to fail, so that
 * every test can compare hardware, bookkeeping and expectation.
 */
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/kthread.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"
#include "iommufd_test.h"
#include "failslab_test.h"

enum {
	/* Two devices with PASIDs and one without, in one group */
	DEV_A,
	DEV_B,
	DEV_NO_PASID,
	NUM_DEVS,
};

enum {
	PT_0,
	PT_1,
	PT_FAULT,
	/* Not PASID compatible */
	PT_RID,
	NUM_HWPTS,
	/* What else a pt_id can be */
	PT_IOAS = NUM_HWPTS,
	PT_DEVICE,
	PT_NONE,
	NUM_PTS,
};

#define NO_PT NUM_PTS

/* The mock device gives PASID 1024 a meaning of its own: stay above it */
#define NUM_PASIDS 64
#define FIRST_PASID 2000
#define PASID_STRIDE 4099

/**
 * struct pasid_test - State of one test
 * @ictx: Context without a file
 * @ioas: IOAS of all page tables
 * @dev: Mock devices
 * @idev: Bound devices, NULL after unbind
 * @hwpt: Page tables
 * @fault: Fault object of PT_FAULT
 * @ops: Domain operations that call pasid_test_set()
 * @mock_ops: What they replace
 * @blocked_ops: The same for the blocked domain
 * @mock_blocked_ops: What they replace
 * @hw: Domain of each device's PASIDs as programmed
 * @calls: Calls of set_dev_pasid()
 * @fail_in: Fail that call from now, 0 for none
 * @fail_rc: Error to fail with
 * @unchecked: PASIDs beyond @hw are used
 * @late: DEV_A raises a fault when it is detached next
 */
struct pasid_test {
	struct iommufd_ctx ictx;
	struct iommufd_ioas *ioas;
	struct device *dev[NUM_DEVS];
	struct iommufd_device *idev[NUM_DEVS];
	struct iommufd_hw_pagetable *hwpt[NUM_HWPTS];
	struct iommufd_fault *fault;
	struct iommu_domain_ops ops;
	const struct iommu_domain_ops *mock_ops;
	struct iommu_domain_ops blocked_ops;
	const struct iommu_domain_ops *mock_blocked_ops;
	struct iommu_domain *hw[NUM_DEVS][NUM_PASIDS];
	unsigned int calls;
	unsigned int fail_in;
	int fail_rc;
	bool unchecked;
	bool late;
};

/* Domain operations carry no context, and KUnit runs one test at a time */
static struct pasid_test *cur;

static ioasid_t pasid_of(unsigned int i)
{
	return FIRST_PASID + i * PASID_STRIDE;
}

#define FAULT_RID NUM_PASIDS

/* A fault of a device on a PASID or its RID, read by userspace or not */
static void raise_fault(struct kunit *test, unsigned int d, unsigned int i,
			bool read)
{
	u32 flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	struct pasid_test *t = test->priv;
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.pasid = pasid_of(i),
				.grpid = i,
				.perm = IOMMU_FAULT_PERM_READ,
				.addr = 0xdead000,
			},
		},
	};
	struct iopf_group *group;

	if (i != FAULT_RID)
		flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	evt.fault.prm.flags = flags;
	KUNIT_ASSERT_EQ(test, 0, iommu_report_device_fault(t->dev[d], &evt));
	if (!read)
		return;

	group = list_last_entry(&t->fault->common.deliver, struct iopf_group,
				node);
	list_del(&group->node);
	KUNIT_ASSERT_EQ(test, 0, xa_alloc(&t->fault->response, &group->cookie,
					  group, xa_limit_32b, GFP_KERNEL));
}

/* The device has not noticed yet that it is being detached */
static void raise_late_fault(struct kunit *test, struct device *dev,
			     unsigned int i)
{
	if (!cur->late || dev != cur->dev[DEV_A])
		return;
	cur->late = false;
	raise_fault(test, DEV_A, i, false);
}

static int pasid_test_block(struct iommu_domain *domain, struct device *dev,
			    struct iommu_domain *old)
{
	raise_late_fault(kunit_get_current_test(), dev, FAULT_RID);
	return cur->mock_blocked_ops->attach_dev(domain, dev, old);
}

static int pasid_test_set(struct iommu_domain *domain, struct device *dev,
			  ioasid_t pasid, struct iommu_domain *old)
{
	struct kunit *test = kunit_get_current_test();
	const struct iommu_domain_ops *ops = cur->mock_ops;
	struct iommu_domain **slot;
	unsigned int d, i;
	int rc;

	for (d = 0; d < NUM_DEVS; d++)
		if (cur->dev[d] == dev)
			break;
	KUNIT_ASSERT_LT(test, d, (unsigned int)DEV_NO_PASID);

	cur->calls++;
	if (cur->fail_in && !--cur->fail_in)
		return cur->fail_rc;

	i = (pasid - FIRST_PASID) / PASID_STRIDE;
	if (domain->type == IOMMU_DOMAIN_BLOCKED) {
		ops = cur->mock_blocked_ops;
		raise_late_fault(test, dev, i);
	}
	rc = ops->set_dev_pasid(domain, dev, pasid, old);
	if (rc || cur->unchecked)
		return rc;

	KUNIT_ASSERT_LT(test, i, (unsigned int)NUM_PASIDS);
	KUNIT_ASSERT_EQ(test, pasid_of(i), pasid);
	slot = &cur->hw[d][i];
	KUNIT_EXPECT_PTR_EQ(test, *slot, old);
	*slot = domain->type == IOMMU_DOMAIN_BLOCKED ? NULL : domain;
	return 0;
}

static u32 pt_id_of(struct pasid_test *t, unsigned int pt)
{
	switch (pt) {
	case PT_IOAS:
		return t->ioas->obj.id;
	case PT_DEVICE:
		return t->idev[DEV_A]->obj.id;
	case PT_NONE:
		return 0xfffff;
	default:
		return t->hwpt[pt]->obj.id;
	}
}

static int attach(struct pasid_test *t, unsigned int d, unsigned int i,
		  unsigned int pt)
{
	u32 pt_id = pt_id_of(t, pt);

	return iommufd_device_attach(t->idev[d], pasid_of(i), &pt_id);
}

static int replace(struct pasid_test *t, unsigned int d, unsigned int i,
		   unsigned int pt)
{
	u32 pt_id = pt_id_of(t, pt);

	return iommufd_device_replace(t->idev[d], pasid_of(i), &pt_id);
}

static void detach(struct pasid_test *t, unsigned int d, unsigned int i)
{
	iommufd_device_detach(t->idev[d], pasid_of(i));
}

static int rid_attach(struct pasid_test *t, unsigned int d, unsigned int pt)
{
	u32 pt_id = pt_id_of(t, pt);

	return iommufd_device_attach(t->idev[d], IOMMU_NO_PASID, &pt_id);
}

static int rid_replace(struct pasid_test *t, unsigned int d, unsigned int pt)
{
	u32 pt_id = pt_id_of(t, pt);

	return iommufd_device_replace(t->idev[d], IOMMU_NO_PASID, &pt_id);
}

static struct iommufd_attach_handle *handle_of(struct pasid_test *t,
					       unsigned int i)
{
	struct iommu_attach_handle *handle;

	handle = iommu_attach_handle_get(t->idev[DEV_A]->igroup->group,
					 pasid_of(i), 0);
	return IS_ERR(handle) ? NULL : to_iommufd_handle(handle);
}

/* The PASID has this page table, and this device stands for the group */
static void expect_pasid(struct kunit *test, unsigned int i, unsigned int pt,
			 unsigned int d)
{
	struct iommufd_attach_handle *handle = handle_of(cur, i);
	struct iommu_domain *domain = NULL;

	if (pt == NO_PT) {
		KUNIT_EXPECT_NULL(test, handle);
	} else {
		domain = cur->hwpt[pt]->domain;
		KUNIT_ASSERT_NOT_NULL(test, handle);
		KUNIT_EXPECT_PTR_EQ(test, handle->handle.domain, domain);
		KUNIT_EXPECT_PTR_EQ(test, handle->idev, cur->idev[d]);
	}
	KUNIT_EXPECT_PTR_EQ(test, cur->hw[DEV_A][i], domain);
	KUNIT_EXPECT_PTR_EQ(test, cur->hw[DEV_B][i], domain);
}

static unsigned int users(struct iommufd_object *obj)
{
	return refcount_read(&obj->users);
}

static void pasid_test_bind(struct kunit *test, unsigned int d)
{
	unsigned long flags = MOCK_FLAGS_DEVICE_GROUP;
	struct pasid_test *t = test->priv;
	u32 id;

	if (d != DEV_NO_PASID)
		flags |= MOCK_FLAGS_DEVICE_PASID;
	t->dev[d] = iommufd_selftest_create_mock_dev(&t->ictx, flags);
	if (IS_ERR(t->dev[d])) {
		t->dev[d] = NULL;
		KUNIT_FAIL_AND_ABORT(test, "no mock device");
	}
	t->idev[d] = iommufd_device_bind(&t->ictx, t->dev[d], &id);
	if (IS_ERR(t->idev[d])) {
		int rc = PTR_ERR(t->idev[d]);

		t->idev[d] = NULL;
		KUNIT_FAIL_AND_ABORT(test, "bind: %d", rc);
	}
}

static void pasid_test_alloc_fault(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct iommufd_fault *fault;

	fault = __iommufd_object_alloc(&t->ictx, fault, IOMMUFD_OBJ_FAULT,
				       common.obj);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fault);
	xa_init_flags(&fault->response, XA_FLAGS_ALLOC1);
	mutex_init(&fault->mutex);
	spin_lock_init(&fault->common.lock);
	INIT_LIST_HEAD(&fault->common.deliver);
	init_waitqueue_head(&fault->common.wait_queue);
	iommufd_object_finalize(&t->ictx, &fault->common.obj);
	t->fault = fault;
}

static void pasid_test_alloc_hwpt(struct kunit *test, unsigned int pt)
{
	struct pasid_test *t = test->priv;
	struct iommufd_hwpt_paging *hwpt_paging;
	struct iommufd_hw_pagetable *hwpt;
	u32 flags = pt == PT_RID ? 0 : IOMMU_HWPT_ALLOC_PASID;

	mutex_lock(&t->ioas->mutex);
	hwpt_paging = iommufd_hwpt_paging_alloc(&t->ictx, t->ioas,
						t->idev[DEV_A], flags, false,
						NULL);
	if (!IS_ERR(hwpt_paging))
		iommufd_object_finalize(&t->ictx, &hwpt_paging->common.obj);
	mutex_unlock(&t->ioas->mutex);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hwpt_paging);

	hwpt = &hwpt_paging->common;
	t->hwpt[pt] = hwpt;
	if (pt == PT_FAULT) {
		hwpt->fault = t->fault;
		refcount_inc(&t->fault->common.obj.users);
		/* The mock device refuses it where there are no faults */
		if (IS_ENABLED(CONFIG_IOMMU_IOPF))
			hwpt->domain->iopf_handler = iommufd_fault_iopf_handler;
	}
	t->mock_ops = hwpt->domain->ops;
	t->ops = *hwpt->domain->ops;
	t->ops.set_dev_pasid = pasid_test_set;
	hwpt->domain->ops = &t->ops;
}

static int pasid_test_init(struct kunit *test)
{
	struct pasid_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct iommu_domain *blocked;
	unsigned int i;

	if (!t)
		return -ENOMEM;
	test->priv = t;
	cur = t;

	init_rwsem(&t->ictx.ioas_creation_lock);
	xa_init_flags(&t->ictx.objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init(&t->ictx.groups);
	mt_init_flags(&t->ictx.mt_mmap, MT_FLAGS_ALLOC_RANGE);
	init_waitqueue_head(&t->ictx.destroy_wait);
	mutex_init(&t->ictx.sw_msi_lock);
	INIT_LIST_HEAD(&t->ictx.sw_msi_list);

	for (i = 0; i < NUM_DEVS; i++)
		pasid_test_bind(test, i);

	t->ioas = iommufd_ioas_alloc(&t->ictx);
	if (IS_ERR(t->ioas)) {
		t->ioas = NULL;
		return -ENOMEM;
	}
	iommufd_object_finalize(&t->ictx, &t->ioas->obj);
	pasid_test_alloc_fault(test);
	for (i = 0; i < NUM_HWPTS; i++)
		pasid_test_alloc_hwpt(test, i);

	blocked = dev_iommu_ops(t->dev[DEV_A])->blocked_domain;
	t->mock_blocked_ops = blocked->ops;
	t->blocked_ops = *blocked->ops;
	t->blocked_ops.attach_dev = pasid_test_block;
	t->blocked_ops.set_dev_pasid = pasid_test_set;
	blocked->ops = &t->blocked_ops;
	return 0;
}

static void pasid_test_destroy(struct kunit *test, struct iommufd_object *obj)
{
	struct pasid_test *t = test->priv;

	/* -EBUSY: a user has leaked */
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_object_remove(&t->ictx, NULL, obj->id, 0));
}

/* What a test leaves attached is detached: then nothing may be left over */
static void pasid_test_exit(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int d, i;

	for (d = 0; d < NUM_DEVS; d++) {
		if (!t->idev[d])
			continue;
		for (i = 0; i < NUM_PASIDS; i++)
			detach(t, d, i);
		iommufd_device_detach(t->idev[d], IOMMU_NO_PASID);
		iommufd_device_unbind(t->idev[d]);
	}
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->ictx.groups));

	if (t->mock_blocked_ops)
		dev_iommu_ops(t->dev[DEV_A])->blocked_domain->ops =
			t->mock_blocked_ops;
	for (d = 0; d < NUM_DEVS; d++)
		if (t->dev[d])
			iommufd_selftest_destroy_mock_dev(t->dev[d]);

	for (i = 0; i < NUM_HWPTS; i++) {
		if (!t->hwpt[i])
			continue;
		t->hwpt[i]->domain->ops = t->mock_ops;
		pasid_test_destroy(test, &t->hwpt[i]->obj);
	}
	if (t->fault)
		pasid_test_destroy(test, &t->fault->common.obj);
	if (t->ioas)
		pasid_test_destroy(test, &t->ioas->obj);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->ictx.objects));
	xa_destroy(&t->ictx.objects);
	mtree_destroy(&t->ictx.mt_mmap);
	cur = NULL;
}

static void pasid_test_attach(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	/* Detach of what is not attached */
	detach(t, DEV_A, 0);
	KUNIT_EXPECT_EQ(test, 0U, t->calls);

	KUNIT_EXPECT_EQ(test, -ENOENT, attach(t, DEV_A, 0, PT_NONE));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_A, 0, PT_DEVICE));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_A, 0, PT_IOAS));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_A, 0, PT_RID));
	KUNIT_EXPECT_EQ(test, 0U, t->calls);
	expect_pasid(test, 0, NO_PT, 0);

	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, 2U, t->calls);
	expect_pasid(test, 0, PT_0, DEV_A);

	/* Attached on the same device comes first, whichever page table */
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_A, 0, PT_1));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_A, 0, PT_RID));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_A, 0, PT_IOAS));
	KUNIT_EXPECT_EQ(test, -ENOENT, attach(t, DEV_A, 0, PT_NONE));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_A, 0, PT_DEVICE));

	/* Another PASID has nothing to do with it */
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_A, 1, PT_1));
	expect_pasid(test, 1, PT_1, DEV_A);
	KUNIT_EXPECT_EQ(test, 4U, t->calls);

	detach(t, DEV_A, 0);
	expect_pasid(test, 0, NO_PT, 0);
	expect_pasid(test, 1, PT_1, DEV_A);
	KUNIT_EXPECT_EQ(test, 6U, t->calls);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_1]->obj));
}

static void pasid_test_replace(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_A, 0, PT_0));
	KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
	t->calls = 0;

	KUNIT_EXPECT_EQ(test, -ENOENT, replace(t, DEV_A, 0, PT_NONE));
	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_A, 0, PT_DEVICE));
	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_A, 0, PT_IOAS));
	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_A, 0, PT_RID));
	/* Not attached on that device */
	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_B, 0, PT_1));
	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, 0U, t->calls);
	expect_pasid(test, 0, PT_0, DEV_A);

	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_A, 0, PT_1));
	KUNIT_EXPECT_EQ(test, 2U, t->calls);
	expect_pasid(test, 0, PT_1, DEV_A);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_1]->obj));
}

static void pasid_test_group(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int b_users = users(&t->idev[DEV_B]->obj);

	KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
	t->calls = 0;

	/* Others follow the first, and only on its page table */
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_B, 0, PT_1));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_B, 0, PT_IOAS));
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_B, 0, PT_0));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_B, 0, PT_0));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_B, 0, PT_1));
	KUNIT_EXPECT_EQ(test, 0U, t->calls);
	KUNIT_EXPECT_EQ(test, 3U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, b_users + 1, users(&t->idev[DEV_B]->obj));

	/* One replaces for all, and is the one that the handle names */
	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_B, 0, PT_1));
	KUNIT_EXPECT_EQ(test, 2U, t->calls);
	expect_pasid(test, 0, PT_1, DEV_B);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, 3U, users(&t->hwpt[PT_1]->obj));
	KUNIT_EXPECT_EQ(test, -EBUSY, attach(t, DEV_A, 0, PT_1));

	/* It leaves, twice: the other one stays, and the handle is its own */
	detach(t, DEV_B, 0);
	detach(t, DEV_B, 0);
	KUNIT_EXPECT_EQ(test, 2U, t->calls);
	expect_pasid(test, 0, PT_1, DEV_A);
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_1]->obj));
	KUNIT_EXPECT_EQ(test, b_users, users(&t->idev[DEV_B]->obj));
	KUNIT_EXPECT_EQ(test, -EINVAL, replace(t, DEV_B, 0, PT_0));

	detach(t, DEV_A, 0);
	KUNIT_EXPECT_EQ(test, 4U, t->calls);
	expect_pasid(test, 0, NO_PT, 0);
}

/* A device without PASIDs programs those of its group that have them */
static void pasid_test_mixed(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_NO_PASID, 0, PT_0));
	expect_pasid(test, 0, PT_0, DEV_NO_PASID);
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_B, 0, PT_0));
	KUNIT_EXPECT_EQ(test, 2U, t->calls);

	/* All three orders of leaving, in the end */
	detach(t, DEV_NO_PASID, 0);
	KUNIT_EXPECT_NOT_NULL(test, handle_of(t, 0));
	KUNIT_EXPECT_PTR_NE(test, handle_of(t, 0)->idev, t->idev[DEV_NO_PASID]);
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_NO_PASID, 0, PT_0));
	detach(t, DEV_A, 0);
	detach(t, DEV_B, 0);
	expect_pasid(test, 0, PT_0, DEV_NO_PASID);
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_0]->obj));
	detach(t, DEV_NO_PASID, 0);
	expect_pasid(test, 0, NO_PT, 0);
}

/* Without another device in the group there is nothing to program */
static void pasid_test_no_pasid(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	u32 id0 = pt_id_of(t, PT_0), id1 = pt_id_of(t, PT_1), dev_id;
	struct iommufd_device *idev;
	struct device *dev;

	dev = iommufd_selftest_create_mock_dev(&t->ictx, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	idev = iommufd_device_bind(&t->ictx, dev, &dev_id);
	if (IS_ERR(idev)) {
		iommufd_selftest_destroy_mock_dev(dev);
		KUNIT_FAIL_AND_ABORT(test, "bind: %pe", idev);
	}

	KUNIT_EXPECT_EQ(test, 0, iommufd_device_attach(idev, FIRST_PASID, &id0));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommufd_device_attach(idev, FIRST_PASID, &id1));
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, 0, iommufd_device_replace(idev, FIRST_PASID, &id1));
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_1]->obj));
	iommufd_device_detach(idev, FIRST_PASID);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_1]->obj));
	KUNIT_EXPECT_EQ(test, 0U, t->calls);

	iommufd_device_unbind(idev);
	iommufd_selftest_destroy_mock_dev(dev);
}

static void pasid_test_rid(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, rid_attach(t, DEV_A, PT_RID));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, -EINVAL, attach(t, DEV_B, 0, PT_0));
	expect_pasid(test, 0, NO_PT, 0);

	KUNIT_ASSERT_EQ(test, 0, rid_replace(t, DEV_A, PT_0));
	KUNIT_EXPECT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
	KUNIT_EXPECT_EQ(test, -EINVAL, rid_replace(t, DEV_A, PT_RID));
	KUNIT_EXPECT_EQ(test, -EINVAL, rid_replace(t, DEV_A, PT_IOAS));
	KUNIT_EXPECT_EQ(test, 0, rid_replace(t, DEV_A, PT_1));
	iommufd_device_detach(t->idev[DEV_A], IOMMU_NO_PASID);
	KUNIT_EXPECT_EQ(test, -EINVAL, rid_attach(t, DEV_A, PT_RID));
	expect_pasid(test, 0, PT_0, DEV_A);

	detach(t, DEV_A, 0);
	KUNIT_EXPECT_EQ(test, 0, rid_attach(t, DEV_A, PT_RID));
	KUNIT_EXPECT_EQ(test, -EBUSY, rid_attach(t, DEV_A, PT_0));
	KUNIT_EXPECT_EQ(test, -EBUSY, rid_attach(t, DEV_A, PT_RID));
	KUNIT_EXPECT_EQ(test, -EINVAL, rid_attach(t, DEV_B, PT_0));
	KUNIT_EXPECT_EQ(test, 0, rid_attach(t, DEV_B, PT_RID));
	KUNIT_EXPECT_EQ(test, 3U, users(&t->hwpt[PT_RID]->obj));
}

static void pasid_test_driver_error(struct kunit *test)
{
	static const int errors[] = { -EIO, -EBUSY, -EINVAL, -ENOMEM };
	struct pasid_test *t = test->priv;
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		/* The first device of the group fails, then the second */
		for (at = 1; at <= 2; at++) {
			t->fail_rc = errors[i];

			t->fail_in = at;
			KUNIT_EXPECT_EQ(test, errors[i],
					attach(t, DEV_A, 0, PT_0));
			expect_pasid(test, 0, NO_PT, 0);
			KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));

			KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 0, PT_0));
			KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_B, 0, PT_0));
			t->fail_in = at;
			KUNIT_EXPECT_EQ(test, errors[i],
					replace(t, DEV_A, 0, PT_1));
			expect_pasid(test, 0, PT_0, DEV_A);
			KUNIT_EXPECT_EQ(test, 3U, users(&t->hwpt[PT_0]->obj));
			KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_1]->obj));
			detach(t, DEV_A, 0);
			detach(t, DEV_B, 0);
		}
	}
}

static int alloc_attach_first(struct pasid_test *t)
{
	return attach(t, DEV_A, 0, PT_0);
}

static int alloc_attach_other(struct pasid_test *t)
{
	return attach(t, DEV_B, 1, PT_0);
}

static int alloc_replace(struct pasid_test *t)
{
	return replace(t, DEV_A, 1, PT_1);
}

static void pasid_test_alloc_failure(struct kunit *test)
{
	static const struct {
		int (*fn)(struct pasid_test *t);
		/* Allocations that the operation needs at least */
		unsigned int min_failures;
	} ops[] = {
		{ alloc_attach_first, 3 },
		{ alloc_attach_other, 3 },
		{ alloc_replace, 1 },
	};
	struct pasid_test *t = test->priv;
	unsigned int a_users, i, n, failures;
	struct failslab f = {};
	int rc;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !failslab_init(&f))
		kunit_skip(test, "needs CONFIG_FAILSLAB and its debugfs files");

	do {
		KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 1, PT_0));
		a_users = users(&t->idev[DEV_A]->obj);

		for (i = 0; i < ARRAY_SIZE(ops); i++) {
			failures = 0;
			for (n = 1; n < 1000; n++) {
				failslab_start(&f, n);
				rc = ops[i].fn(t);
				failslab_stop(&f);
				if (!rc)
					break;

				failures++;
				/* The nth may be the look-up of the object */
				if (!f.nth || rc != -ENOENT)
					KUNIT_ASSERT_EQ(test, -ENOMEM, rc);
				expect_pasid(test, 0, NO_PT, 0);
				expect_pasid(test, 1, PT_0, DEV_A);
				KUNIT_ASSERT_EQ(test, 2U,
						users(&t->hwpt[PT_0]->obj));
				KUNIT_ASSERT_EQ(test, 1U,
						users(&t->hwpt[PT_1]->obj));
				KUNIT_ASSERT_EQ(test, a_users,
						users(&t->idev[DEV_A]->obj));
			}
			KUNIT_EXPECT_EQ(test, 0, rc);
			/*
			 * The xarray tries again where one allocation fails, so
			 * only lasting failures reach all points.
			 */
			KUNIT_EXPECT_GE(test, failures,
					f.nth ? 1 : ops[i].min_failures);

			detach(t, DEV_A, 0);
			detach(t, DEV_B, 1);
			if (ops[i].fn == alloc_replace)
				KUNIT_EXPECT_EQ(test, 0,
						replace(t, DEV_A, 1, PT_0));
		}
		detach(t, DEV_A, 1);
		f.nth = !f.nth;
	} while (f.nth);
}

static void rebind(struct kunit *test, unsigned int d)
{
	struct pasid_test *t = test->priv;
	u32 id;

	t->idev[d] = iommufd_device_bind(&t->ictx, t->dev[d], &id);
	if (IS_ERR(t->idev[d])) {
		int rc = PTR_ERR(t->idev[d]);

		t->idev[d] = NULL;
		KUNIT_FAIL_AND_ABORT(test, "bind again: %d", rc);
	}
}

/* The RID can have a page table that is not for PASIDs, the group another owner */
static void expect_free_group(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int d;
	int rc;

	KUNIT_EXPECT_EQ(test, 0, rid_attach(t, DEV_A, PT_RID));
	iommufd_device_detach(t->idev[DEV_A], IOMMU_NO_PASID);
	kunit_warning_suppress(test) {
		for (d = 0; d < NUM_DEVS; d++) {
			iommufd_device_unbind(t->idev[d]);
			t->idev[d] = NULL;
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	rc = iommu_device_claim_dma_owner(t->dev[DEV_A], test);
	KUNIT_EXPECT_EQ(test, 0, rc);
	if (!rc)
		iommu_device_release_dma_owner(t->dev[DEV_A]);
	for (d = 0; d < NUM_DEVS; d++)
		rebind(test, d);
}

/*
 * An attach that finds memory for some of the nodes on the way to the PASID
 * leaves them, in the core's array where the device is the first, else in the
 * igroup's. Nothing else is attached then, so nothing is.
 */
static void pasid_test_no_entries(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int n, left = 0;
	struct failslab f = {};
	int rc;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !failslab_init(&f))
		kunit_skip(test, "needs CONFIG_FAILSLAB and its debugfs files");

	for (n = 1; n < 1000; n++) {
		failslab_start(&f, n);
		rc = attach(t, DEV_A, 1, PT_0);
		failslab_stop(&f);
		if (!rc)
			break;
		KUNIT_ASSERT_EQ(test, -ENOMEM, rc);
		expect_free_group(test);
	}
	KUNIT_EXPECT_EQ(test, 0, rc);
	/* The handle and two nodes, else no node was left alone */
	KUNIT_EXPECT_GT(test, n, 3U);
	detach(t, DEV_A, 1);

	for (n = 1; n < 1000; n++) {
		KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 1, PT_0));
		failslab_start(&f, n);
		rc = attach(t, DEV_B, 1, PT_0);
		failslab_stop(&f);
		detach(t, DEV_A, 1);
		if (!rc)
			break;
		KUNIT_ASSERT_EQ(test, -ENOMEM, rc);
		if (!xa_empty(&t->idev[DEV_A]->igroup->pasid_others))
			left++;
		expect_free_group(test);
	}
	KUNIT_EXPECT_EQ(test, 0, rc);
	KUNIT_EXPECT_GT(test, left, 0U);
}

/*
 * The same for an attach without iommufd, in a group that nobody has claimed and that
 * goes then. The node stays with it, or is lost, which kmemleak sees.
 */
static void pasid_test_group_goes(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct iommu_domain *domain;
	struct failslab f = {};
	struct device *dev;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !failslab_init(&f))
		kunit_skip(test, "needs CONFIG_FAILSLAB and its debugfs files");

	dev = iommufd_selftest_create_mock_dev(&t->ictx, MOCK_FLAGS_DEVICE_PASID);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	domain = iommu_paging_domain_alloc(dev);
	if (IS_ERR(domain)) {
		iommufd_selftest_destroy_mock_dev(dev);
		KUNIT_FAIL_AND_ABORT(test, "no domain: %pe", domain);
	}

	/* 792 bytes, which is one node of several */
	failslab_start(&f, 100);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_attach_device_pasid(domain, dev, pasid_of(1),
						  NULL));
	failslab_stop(&f);
	iommu_domain_free(domain);
	iommufd_selftest_destroy_mock_dev(dev);
}

static unsigned int num_faults(struct pasid_test *t)
{
	struct iopf_group *group;
	unsigned long index;
	unsigned int n;

	n = list_count_nodes(&t->fault->common.deliver);
	xa_for_each(&t->fault->response, index, group)
		n++;
	return n;
}

static void pasid_test_faults(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int i, d;

	if (!IS_ENABLED(CONFIG_IOMMU_IOPF))
		kunit_skip(test, "needs CONFIG_IOMMU_IOPF");

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, i, PT_FAULT));
		KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_B, i, PT_FAULT));
		for (d = DEV_A; d <= DEV_B; d++) {
			raise_fault(test, d, i, false);
			raise_fault(test, d, i, true);
		}
	}
	KUNIT_EXPECT_EQ(test, 8U, num_faults(t));

	/* A device leaves: those of the others wait on */
	detach(t, DEV_A, 0);
	KUNIT_EXPECT_EQ(test, 6U, num_faults(t));
	expect_pasid(test, 0, PT_FAULT, DEV_B);

	/* Those of the PASID are answered, and no others */
	detach(t, DEV_B, 0);
	KUNIT_EXPECT_EQ(test, 4U, num_faults(t));
	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_B, 1, PT_FAULT));
	KUNIT_EXPECT_EQ(test, 4U, num_faults(t));
	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_B, 1, PT_0));
	KUNIT_EXPECT_EQ(test, 0U, num_faults(t));

	KUNIT_EXPECT_EQ(test, 0, replace(t, DEV_A, 1, PT_FAULT));
	raise_fault(test, DEV_B, 1, false);
	KUNIT_EXPECT_EQ(test, 1U, num_faults(t));
	detach(t, DEV_A, 1);
	KUNIT_EXPECT_EQ(test, 1U, num_faults(t));
	detach(t, DEV_B, 1);
	KUNIT_EXPECT_EQ(test, 0U, num_faults(t));
}

/* A device leaves, and its memory is freed, while faults of it wait */
static void pasid_test_fault_removed(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int d, i;

	if (!IS_ENABLED(CONFIG_IOMMU_IOPF))
		kunit_skip(test, "needs CONFIG_IOMMU_IOPF");

	for (d = DEV_A; d <= DEV_B; d++) {
		KUNIT_ASSERT_EQ(test, 0, attach(t, d, 0, PT_FAULT));
		KUNIT_ASSERT_EQ(test, 0, rid_attach(t, d, PT_FAULT));
		for (i = 0; i < 2; i++) {
			raise_fault(test, d, 0, i);
			raise_fault(test, d, FAULT_RID, i);
		}
	}
	KUNIT_EXPECT_EQ(test, 8U, num_faults(t));

	detach(t, DEV_B, 0);
	KUNIT_EXPECT_EQ(test, 6U, num_faults(t));
	iommufd_device_detach(t->idev[DEV_B], IOMMU_NO_PASID);
	KUNIT_EXPECT_EQ(test, 4U, num_faults(t));

	/* The group is still attached */
	for (i = 0; i < 2; i++) {
		raise_fault(test, DEV_B, 0, i);
		raise_fault(test, DEV_B, FAULT_RID, i);
	}
	KUNIT_EXPECT_EQ(test, 8U, num_faults(t));
	iommufd_device_unbind(t->idev[DEV_B]);
	t->idev[DEV_B] = NULL;
	KUNIT_EXPECT_EQ(test, 4U, num_faults(t));

	/* What still pointed to it would be used when the others are answered */
	iommufd_selftest_destroy_mock_dev(t->dev[DEV_B]);
	t->dev[DEV_B] = NULL;
}

/* A device can raise faults for as long as its hardware has the page table */
static void pasid_test_fault_late(struct kunit *test)
{
	struct pasid_test *t = test->priv;

	if (!IS_ENABLED(CONFIG_IOMMU_IOPF))
		kunit_skip(test, "needs CONFIG_IOMMU_IOPF");

	KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 0, PT_FAULT));
	KUNIT_ASSERT_EQ(test, 0, rid_attach(t, DEV_A, PT_FAULT));

	t->late = true;
	detach(t, DEV_A, 0);
	KUNIT_EXPECT_FALSE(test, t->late);
	KUNIT_EXPECT_EQ(test, 0U, num_faults(t));

	t->late = true;
	iommufd_device_detach(t->idev[DEV_A], IOMMU_NO_PASID);
	KUNIT_EXPECT_FALSE(test, t->late);
	KUNIT_EXPECT_EQ(test, 0U, num_faults(t));
}

/**
 * struct leaver - A thread in which DEV_A leaves
 * @t: The test
 * @rid: The RID, else the first PASID
 * @started: It runs
 * @done: It has left
 */
struct leaver {
	struct pasid_test *t;
	bool rid;
	struct completion started;
	struct completion done;
};

static int leave_fn(void *data)
{
	struct leaver *l = data;

	complete(&l->started);
	if (l->rid)
		iommufd_device_detach(l->t->idev[DEV_A], IOMMU_NO_PASID);
	else
		detach(l->t, DEV_A, 0);
	complete(&l->done);
	return 0;
}

static void expect_leaver_waits(struct kunit *test, bool rid)
{
	struct pasid_test *t = test->priv;
	struct leaver l = { .t = t, .rid = rid };
	struct iommu_group *group = t->idev[DEV_A]->igroup->group;
	ioasid_t pasid = rid ? IOMMU_NO_PASID : pasid_of(0);
	struct iommufd_attach_handle *handle;
	struct task_struct *task;

	handle = to_iommufd_handle(iommu_attach_handle_get(group, pasid, 0));
	KUNIT_ASSERT_PTR_EQ(test, handle->idev, t->idev[DEV_A]);
	init_completion(&l.started);
	init_completion(&l.done);

	mutex_lock(&t->fault->mutex);
	task = kthread_run(leave_fn, &l, "iommufd-leave");
	if (!IS_ERR(task)) {
		wait_for_completion(&l.started);
		msleep(100);
		KUNIT_EXPECT_FALSE(test, completion_done(&l.done));
		KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(handle->idev),
				    t->idev[DEV_A]);
	}
	mutex_unlock(&t->fault->mutex);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wait_for_completion(&l.done);
	KUNIT_EXPECT_PTR_EQ(test, handle->idev, t->idev[DEV_B]);
}

/* Who reads faults uses the device in the handle: it stays until they are done */
static void pasid_test_fault_reader(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	unsigned int d;

	if (!IS_ENABLED(CONFIG_IOMMU_IOPF))
		kunit_skip(test, "needs CONFIG_IOMMU_IOPF");

	for (d = DEV_A; d <= DEV_B; d++) {
		KUNIT_ASSERT_EQ(test, 0, attach(t, d, 0, PT_FAULT));
		KUNIT_ASSERT_EQ(test, 0, rid_attach(t, d, PT_FAULT));
	}
	expect_leaver_waits(test, false);
	expect_leaver_waits(test, true);
}

static int unbind_fn(void *data)
{
	struct leaver *l = data;

	iommufd_device_unbind(l->t->idev[DEV_A]);
	complete(&l->done);
	return 0;
}

/* Who is alone in the group has no fault to wait for, whoever reads those of others */
static void pasid_test_fault_alone(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct leaver l = { .t = t };
	struct task_struct *task;
	bool in_time = false;
	unsigned int d;

	for (d = DEV_B; d < NUM_DEVS; d++) {
		iommufd_device_unbind(t->idev[d]);
		t->idev[d] = NULL;
	}
	init_completion(&l.done);

	mutex_lock(&t->fault->mutex);
	task = kthread_run(unbind_fn, &l, "iommufd-unbind");
	if (!IS_ERR(task))
		in_time = wait_for_completion_timeout(&l.done, 5 * HZ);
	mutex_unlock(&t->fault->mutex);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	if (!in_time)
		wait_for_completion(&l.done);
	KUNIT_EXPECT_TRUE(test, in_time);
	t->idev[DEV_A] = NULL;
}

static void pasid_test_unbind(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct iommufd_device *idev = t->idev[DEV_B];
	u32 id = idev->obj.id;
	unsigned int i;

	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_B, i, PT_0));
	KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 1, PT_0));
	KUNIT_ASSERT_EQ(test, 0, attach(t, DEV_A, 4, PT_1));

	t->idev[DEV_B] = NULL;
	kunit_warning_suppress(test) {
		iommufd_device_unbind(idev);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	KUNIT_EXPECT_NULL(test, xa_load(&t->ictx.objects, id));
	for (i = 0; i < 4; i++)
		expect_pasid(test, i, i == 1 ? PT_0 : NO_PT, DEV_A);
	expect_pasid(test, 4, PT_1, DEV_A);
	KUNIT_EXPECT_EQ(test, 2U, users(&t->hwpt[PT_0]->obj));

	/* Without PASIDs there is nothing to warn about */
	idev = t->idev[DEV_NO_PASID];
	t->idev[DEV_NO_PASID] = NULL;
	kunit_warning_suppress(test) {
		iommufd_device_unbind(idev);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
}

static void pasid_test_noiommu(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct iommufd_group igroup = {};
	struct iommufd_device idev = {
		.ictx = &t->ictx,
		.igroup = &igroup,
	};
	u32 pt_id = pt_id_of(t, PT_0);

	mutex_init(&igroup.lock);
	xa_init(&igroup.pasid_others);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommufd_device_pasid_attach(&idev, 1, &pt_id));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommufd_device_pasid_replace(&idev, 1, &pt_id));
	iommufd_device_pasid_detach(&idev, 1);
	KUNIT_EXPECT_EQ(test, 0U, igroup.num_pasids);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	mutex_destroy(&igroup.lock);
}

#if IS_ENABLED(CONFIG_PCI_IOV) && IS_ENABLED(CONFIG_PCI_ATS) && IS_ENABLED(CONFIG_PCI_PRI)
/* A virtual function shares the PRI of its physical one: no faults for it */
static void pasid_test_fault_vf(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	u32 fault_id = pt_id_of(t, PT_FAULT), id0 = pt_id_of(t, PT_0);
	struct pci_dev *vf = kunit_kzalloc(test, sizeof(*vf), GFP_KERNEL);
	struct pci_dev *pf = kunit_kzalloc(test, sizeof(*pf), GFP_KERNEL);
	struct iommufd_group igroup = { .group = t->idev[DEV_A]->igroup->group };
	struct iommufd_device idev = {
		.ictx = &t->ictx,
		.igroup = &igroup,
	};

	KUNIT_ASSERT_NOT_NULL(test, vf);
	KUNIT_ASSERT_NOT_NULL(test, pf);
	mutex_init(&igroup.lock);
	xa_init(&igroup.pasid_others);
	idev.dev = &vf->dev;
	vf->dev.bus = &pci_bus_type;
	vf->is_virtfn = 1;
	vf->physfn = pf;
	pf->pri_cap = 0x100;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommufd_device_pasid_attach(&idev, 1, &fault_id));
	/* This one goes on to the core, for which the device has no group */
	KUNIT_EXPECT_EQ(test, -ENODEV,
			iommufd_device_pasid_attach(&idev, 1, &id0));
	pf->pri_cap = 0;
	KUNIT_EXPECT_EQ(test, -ENODEV,
			iommufd_device_pasid_attach(&idev, 1, &fault_id));
	KUNIT_EXPECT_EQ(test, 0U, igroup.num_pasids);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_FAULT]->obj));
	mutex_destroy(&igroup.lock);
}
#else
static void pasid_test_fault_vf(struct kunit *test)
{
	kunit_skip(test, "needs PCI with SR-IOV, ATS and PRI");
}
#endif

/**
 * struct pasid_model - What the state should be
 * @pt: Page table of each PASID
 * @members: Bitmap of the devices that have attached each PASID
 * @faults: How many of each device and PASID wait for an answer
 * @rid: Page table of the RID
 */
struct pasid_model {
	unsigned int pt[NUM_PASIDS];
	unsigned int members[NUM_PASIDS];
	unsigned int faults[NUM_DEVS][NUM_PASIDS];
	unsigned int rid;
};

static int model_check_pt(struct pasid_model *m, unsigned int pt)
{
	return pt < PT_RID && m->rid != PT_RID ? 0 : -EINVAL;
}

static int model_attach(struct pasid_model *m, unsigned int d, unsigned int i,
			unsigned int pt)
{
	int rc = 0;

	if (pt == PT_NONE)
		return -ENOENT;
	if (pt == PT_DEVICE)
		return -EINVAL;
	if (m->members[i] & BIT(d))
		return -EBUSY;
	if (!m->members[i])
		rc = model_check_pt(m, pt);
	else if (m->pt[i] != pt)
		rc = -EINVAL;
	if (rc)
		return rc;
	m->members[i] |= BIT(d);
	m->pt[i] = pt;
	return 0;
}

static void model_answer(struct pasid_model *m, unsigned int i)
{
	unsigned int d;

	for (d = 0; d < NUM_DEVS; d++)
		m->faults[d][i] = 0;
}

static int model_replace(struct pasid_model *m, unsigned int d, unsigned int i,
			 unsigned int pt)
{
	int rc;

	if (pt == PT_NONE)
		return -ENOENT;
	if (pt == PT_DEVICE || !(m->members[i] & BIT(d)))
		return -EINVAL;
	if (m->pt[i] == pt)
		return 0;
	rc = model_check_pt(m, pt);
	if (rc)
		return rc;
	m->pt[i] = pt;
	model_answer(m, i);
	return 0;
}

static void model_detach(struct pasid_model *m, unsigned int d, unsigned int i)
{
	if (!(m->members[i] & BIT(d)))
		return;
	m->members[i] &= ~BIT(d);
	m->faults[d][i] = 0;
	if (m->members[i])
		return;
	m->pt[i] = NO_PT;
	model_answer(m, i);
}

static int model_rid_replace(struct pasid_model *m, unsigned int pt)
{
	unsigned int i;

	for (i = 0; pt == PT_RID && i < NUM_PASIDS; i++)
		if (m->members[i])
			return -EINVAL;
	m->rid = pt;
	return 0;
}

static void model_compare(struct kunit *test, struct pasid_model *m)
{
	unsigned int expected[NUM_HWPTS] = { 1, 1, 1, 1 };
	struct iommufd_attach_handle *handle;
	struct pasid_test *t = test->priv;
	struct iommu_domain *domain;
	unsigned int d, i, pt, faults = 0;

	expected[m->rid]++;
	for (i = 0; i < NUM_PASIDS; i++) {
		for (d = 0; d < NUM_DEVS; d++)
			faults += m->faults[d][i];
		handle = handle_of(t, i);
		domain = NULL;
		if (m->members[i]) {
			domain = t->hwpt[m->pt[i]]->domain;
			expected[m->pt[i]] += hweight32(m->members[i]);
			KUNIT_ASSERT_NOT_NULL(test, handle);
			KUNIT_ASSERT_PTR_EQ(test, handle->handle.domain, domain);
			for (d = 0; d < NUM_DEVS; d++)
				if (handle->idev == t->idev[d])
					break;
			KUNIT_ASSERT_TRUE(test, m->members[i] & BIT(d));
		} else {
			KUNIT_ASSERT_NULL(test, handle);
		}
		KUNIT_ASSERT_PTR_EQ(test, t->hw[DEV_A][i], domain);
		KUNIT_ASSERT_PTR_EQ(test, t->hw[DEV_B][i], domain);
	}
	for (pt = 0; pt < NUM_HWPTS; pt++)
		KUNIT_ASSERT_EQ(test, expected[pt], users(&t->hwpt[pt]->obj));
	KUNIT_ASSERT_EQ(test, faults, num_faults(t));
}

/* A device of the group raises a fault, whether it has attached the PASID or not */
static void random_fault(struct kunit *test, struct pasid_model *m,
			 unsigned int d, unsigned int i, bool read)
{
	if (!IS_ENABLED(CONFIG_IOMMU_IOPF) || d == DEV_NO_PASID ||
	    m->pt[i] != PT_FAULT)
		return;
	raise_fault(test, d, i, read);
	m->faults[d][i]++;
}

/* A device leaves while faults of it wait, and is there again */
static void random_leave(struct kunit *test, struct pasid_model *m)
{
	struct pasid_test *t = test->priv;
	unsigned int i;

	for (i = 0; i < NUM_PASIDS; i++) {
		model_detach(m, DEV_B, i);
		detach(t, DEV_B, i);
		m->faults[DEV_B][i] = 0;
	}
	iommufd_device_unbind(t->idev[DEV_B]);
	t->idev[DEV_B] = NULL;
	model_compare(test, m);
	rebind(test, DEV_B);
}

static void pasid_test_random(struct kunit *test)
{
	struct pasid_test *t = test->priv;
	struct pasid_model *m;
	struct rnd_state rnd;
	unsigned int step;
	unsigned int d, i, pt, op;
	int rc, expected;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < NUM_PASIDS; i++)
		m->pt[i] = NO_PT;
	m->rid = PT_0;
	KUNIT_ASSERT_EQ(test, 0, rid_attach(t, DEV_A, PT_0));

	prandom_seed_state(&rnd, 20);
	for (step = 0; step < 30000; step++) {
		op = prandom_u32_state(&rnd) % 1000;
		d = prandom_u32_state(&rnd) % NUM_DEVS;
		i = prandom_u32_state(&rnd) % NUM_PASIDS;
		pt = prandom_u32_state(&rnd) % NUM_PTS;

		rc = 0;
		expected = 0;
		if (op < 370) {
			expected = model_attach(m, d, i, pt);
			rc = attach(t, d, i, pt);
		} else if (op < 600) {
			expected = model_replace(m, d, i, pt);
			rc = replace(t, d, i, pt);
		} else if (op < 890) {
			model_detach(m, d, i);
			detach(t, d, i);
		} else if (op < 967) {
			random_fault(test, m, d, i, pt & 1);
		} else if (op < 970) {
			random_leave(test, m);
		} else if (op < 999) {
			pt %= NUM_HWPTS;
			expected = model_rid_replace(m, pt);
			rc = rid_replace(t, DEV_A, pt);
		} else {
			/* Else the RID seldom finds no PASID attached */
			for (i = 0; i < NUM_PASIDS * NUM_DEVS; i++) {
				model_detach(m, i % NUM_DEVS, i / NUM_DEVS);
				detach(t, i % NUM_DEVS, i / NUM_DEVS);
			}
		}
		KUNIT_ASSERT_EQ_MSG(test, expected, rc,
				    "step %u op %u dev %u pasid %u pt %u", step,
				    op, d, i, pt);
		if (!(step % 16))
			model_compare(test, m);
	}
	model_compare(test, m);
}

static void expect_ranges(struct kunit *test, unsigned int d,
			  const struct iommufd_pasid_range *ranges,
			  unsigned int num)
{
	struct iommufd_device *idev = cur->idev[d];
	struct iommufd_pasid_range range;
	ioasid_t start = 0;
	unsigned int i;
	bool found;

	for (i = 0; i < num; i++) {
		found = iommufd_device_pasid_next_range(idev, start, &range);
		KUNIT_ASSERT_TRUE(test, found);
		KUNIT_EXPECT_EQ(test, ranges[i].first, range.first);
		KUNIT_EXPECT_EQ(test, ranges[i].last, range.last);
		KUNIT_EXPECT_EQ(test, ranges[i].hwpt_id, range.hwpt_id);
		start = range.last + 1;
	}
	found = iommufd_device_pasid_next_range(idev, start, &range);
	KUNIT_EXPECT_FALSE(test, found);
}

/* Others of the group get a turn after every 1024 PASIDs, found or not */
static void expect_batches(struct kunit *test, unsigned int d,
			   ioasid_t first, ioasid_t end)
{
	struct iommufd_device *idev = cur->idev[d];
	struct iommufd_pasid_range range;
	unsigned long pasid = first, before;
	unsigned int batches = 0;
	bool found = false, more;

	do {
		before = pasid;
		more = iommufd_pasid_scan(idev, &pasid, &range, &found);
		KUNIT_ASSERT_LE(test, pasid - before, 1024UL);
		KUNIT_ASSERT_FALSE(test, mutex_is_locked(&idev->igroup->lock));
		batches++;
	} while (more);
	KUNIT_EXPECT_EQ(test, DIV_ROUND_UP(end - first, 1024), batches);
}

static void pasid_test_full(struct kunit *test)
{
	const ioasid_t first = FIRST_PASID, end = 1 << MOCK_PASID_WIDTH;
	struct pasid_test *t = test->priv;
	u32 id0 = pt_id_of(t, PT_0), id1 = pt_id_of(t, PT_1);
	struct iommufd_device *a = t->idev[DEV_A];
	struct iommufd_device *b = t->idev[DEV_B];
	const struct iommufd_pasid_range all[] = {
		{ first, end - 1, id0 },
	};
	const struct iommufd_pasid_range split[] = {
		{ first, first, id0 },
		{ first + 1, first + 1, id1 },
		{ first + 2, end / 2 - 1, id0 },
		{ end / 2 + 1, end - 1, id0 },
	};
	const struct iommufd_pasid_range shared[] = {
		{ first + 1, first + 1, id1 },
		{ first + 3, first + 4, id0 },
	};
	ioasid_t pasid;

	t->unchecked = true;
	for (pasid = first; pasid < end; pasid++) {
		if (iommufd_device_attach(a, pasid, &id0))
			break;
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, end, pasid);
	/* The device has no such PASID */
	KUNIT_EXPECT_EQ(test, -EINVAL, iommufd_device_attach(a, end, &id0));
	KUNIT_EXPECT_EQ(test, end - first + 1, users(&t->hwpt[PT_0]->obj));
	expect_ranges(test, DEV_A, all, ARRAY_SIZE(all));
	expect_ranges(test, DEV_B, NULL, 0);
	expect_batches(test, DEV_A, first, end);
	expect_batches(test, DEV_B, first, end);

	KUNIT_EXPECT_EQ(test, 0, iommufd_device_replace(a, first + 1, &id1));
	iommufd_device_detach(a, end / 2);
	expect_ranges(test, DEV_A, split, ARRAY_SIZE(split));

	KUNIT_EXPECT_EQ(test, 0, iommufd_device_attach(b, first + 4, &id0));
	KUNIT_EXPECT_EQ(test, 0, iommufd_device_attach(b, first + 3, &id0));
	KUNIT_EXPECT_EQ(test, 0, iommufd_device_attach(b, first + 1, &id1));
	expect_ranges(test, DEV_B, shared, ARRAY_SIZE(shared));
	expect_ranges(test, DEV_A, split, ARRAY_SIZE(split));
	for (pasid = first + 1; pasid < first + 5; pasid++)
		iommufd_device_detach(b, pasid);

	for (pasid = first; pasid < end; pasid += 64)
		if (iommufd_device_replace(a, pasid, &id1))
			break;
	KUNIT_EXPECT_GE(test, pasid, end);

	for (pasid = first; pasid < end; pasid++) {
		iommufd_device_detach(a, pasid);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_0]->obj));
	expect_ranges(test, DEV_A, NULL, 0);
	KUNIT_EXPECT_EQ(test, 1U, users(&t->hwpt[PT_1]->obj));
	t->unchecked = false;
}

static struct kunit_case pasid_test_cases[] = {
	KUNIT_CASE(pasid_test_attach),
	KUNIT_CASE(pasid_test_replace),
	KUNIT_CASE(pasid_test_group),
	KUNIT_CASE(pasid_test_mixed),
	KUNIT_CASE(pasid_test_no_pasid),
	KUNIT_CASE(pasid_test_rid),
	KUNIT_CASE(pasid_test_driver_error),
	KUNIT_CASE(pasid_test_alloc_failure),
	KUNIT_CASE(pasid_test_no_entries),
	KUNIT_CASE(pasid_test_group_goes),
	KUNIT_CASE(pasid_test_faults),
	KUNIT_CASE(pasid_test_fault_removed),
	KUNIT_CASE(pasid_test_fault_late),
	KUNIT_CASE(pasid_test_fault_reader),
	KUNIT_CASE(pasid_test_fault_alone),
	KUNIT_CASE(pasid_test_unbind),
	KUNIT_CASE(pasid_test_noiommu),
	KUNIT_CASE(pasid_test_fault_vf),
	KUNIT_CASE_SLOW(pasid_test_random),
	KUNIT_CASE_SLOW(pasid_test_full),
	{}
};

static struct kunit_suite pasid_test_suite = {
	.name = "iommufd_pasid",
	.init = pasid_test_init,
	.exit = pasid_test_exit,
	.test_cases = pasid_test_cases,
};

kunit_test_suite(pasid_test_suite);
