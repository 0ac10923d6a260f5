// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the VM that a device is bound with, and of the module of its IOMMU's driver
 *
 * They run on iommufd's mock device. The VM is a piece of memory that no code
 * under test may look into.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "iommufd_private.h"
#include "iommufd_test.h"
#include "failslab_test.h"

/* Far more than an unbind takes to get there, far less than it waits for */
#define UNBIND_MS 10000

/**
 * struct device_test - State of one test
 * @ictx: Context without a file
 * @dev: Mock device
 * @idev: Bound device, NULL after unbind
 * @kvm: The VM that it is bound with
 * @cur_kvm: The VM that it is assigned to now
 * @unbound: iommufd_device_unbind() has returned
 * @module: What plays the module of the IOMMU driver
 * @ops: The driver's, which say so
 * @mock_ops: What they replace
 */
struct device_test {
	struct iommufd_ctx ictx;
	struct device *dev;
	struct iommufd_device *idev;
	struct kvm *kvm;
	struct kvm *cur_kvm;
	struct completion unbound;
	struct module *module;
	struct iommu_ops ops;
	const struct iommu_ops *mock_ops;
};

static void device_test_bind(struct kunit *test, struct kvm *kvm)
{
	struct device_test *t = test->priv;
	struct iommufd_device *idev;
	u32 id;

	idev = iommufd_device_bind_kvm(&t->ictx, t->dev, kvm, &t->cur_kvm, &id);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, idev);
	t->idev = idev;
}

static int device_test_init(struct kunit *test)
{
	struct device_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct device *dev;

	if (!t)
		return -ENOMEM;
	test->priv = t;

	xa_init_flags(&t->ictx.objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	xa_init(&t->ictx.groups);
	init_rwsem(&t->ictx.ioas_creation_lock);
	mt_init_flags(&t->ictx.mt_mmap, MT_FLAGS_ALLOC_RANGE);
	init_waitqueue_head(&t->ictx.destroy_wait);
	mutex_init(&t->ictx.sw_msi_lock);
	INIT_LIST_HEAD(&t->ictx.sw_msi_list);
	init_completion(&t->unbound);

	t->kvm = kunit_kzalloc(test, 1, GFP_KERNEL);
	if (!t->kvm)
		return -ENOMEM;
	t->cur_kvm = t->kvm;
	dev = iommufd_selftest_create_mock_dev(&t->ictx, 0);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	t->dev = dev;
	return 0;
}

static void device_test_exit(struct kunit *test)
{
	struct device_test *t = test->priv;

	if (t->idev)
		iommufd_device_unbind(t->idev);
	if (t->mock_ops)
		t->dev->iommu->iommu_dev->ops = t->mock_ops;
	if (t->dev)
		iommufd_selftest_destroy_mock_dev(t->dev);
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->ictx.objects));
	xa_destroy(&t->ictx.objects);
	mtree_destroy(&t->ictx.mt_mmap);
}

static struct kvm *kvm_of(struct device_test *t)
{
	struct kvm *kvm = iommufd_device_lock_kvm(t->idev);

	iommufd_device_unlock_kvm(t->idev);
	return kvm;
}

static void device_test_kvm(struct kunit *test)
{
	struct device_test *t = test->priv;

	device_test_bind(test, t->kvm);
	KUNIT_EXPECT_PTR_EQ(test, t->kvm, kvm_of(t));

	/* The file is taken from the VM, given to another one, given back */
	t->cur_kvm = NULL;
	KUNIT_EXPECT_NULL(test, kvm_of(t));
	t->cur_kvm = (struct kvm *)t;
	KUNIT_EXPECT_NULL(test, kvm_of(t));
	t->cur_kvm = t->kvm;
	KUNIT_EXPECT_PTR_EQ(test, t->kvm, kvm_of(t));
}

/* The file had no VM when it was bound, and is given to one */
static void device_test_no_kvm(struct kunit *test)
{
	struct device_test *t = test->priv;

	device_test_bind(test, NULL);
	KUNIT_EXPECT_NULL(test, kvm_of(t));
}

static int device_test_unbind_fn(void *data)
{
	struct device_test *t = data;

	iommufd_device_unbind(t->idev);
	complete_all(&t->unbound);
	return 0;
}

/*
 * An unbind waits for the lock of the VM, and takes the VM away before it waits
 * for those who hold the device, as it gives that up.
 */
static void device_test_unbind(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct iommufd_device *idev;
	struct task_struct *task;
	unsigned int ms;

	device_test_bind(test, t->kvm);
	idev = t->idev;
	KUNIT_ASSERT_TRUE(test, iommufd_lock_obj(&idev->obj));

	KUNIT_EXPECT_PTR_EQ(test, t->kvm, iommufd_device_lock_kvm(idev));
	task = kthread_run(device_test_unbind_fn, t, "iommufd-unbind");
	if (!IS_ERR(task)) {
		msleep(100);
		KUNIT_EXPECT_PTR_EQ(test, t->kvm, READ_ONCE(idev->kvm));
	}
	iommufd_device_unlock_kvm(idev);
	if (IS_ERR(task)) {
		iommufd_put_object(&t->ictx, &idev->obj);
		KUNIT_FAIL_AND_ABORT(test, "no thread: %pe", task);
	}

	for (ms = 0; ms < UNBIND_MS && kvm_of(t); ms += 20)
		msleep(20);
	KUNIT_EXPECT_NULL(test, kvm_of(t));
	KUNIT_EXPECT_FALSE(test, completion_done(&t->unbound));

	iommufd_put_object(&t->ictx, &idev->obj);
	KUNIT_EXPECT_NE(test, 0UL,
			wait_for_completion_timeout(&t->unbound,
						    msecs_to_jiffies(UNBIND_MS)));
	wait_for_completion(&t->unbound);
	t->idev = NULL;
}

static unsigned int device_test_timeout_ms(void)
{
	return 20;
}

/* The driver looks into the VM that it is told, if it is told one */
static void device_test_use_kvm(struct kunit *test)
{
	struct device_test *t = test->priv;
	const u8 *kvm = (const u8 *)iommufd_device_lock_kvm(t->idev);

	KUNIT_EXPECT_NULL(test, kvm);
	if (kvm)
		READ_ONCE(*kvm);
	iommufd_device_unlock_kvm(t->idev);
}

/*
 * An ioctl holds the device for longer than the unbind waits. When that returns,
 * the VM is freed, and so is the file that it was told of. Neither the late ioctl
 * nor another one, as the device has stayed, may touch them. KASAN watches.
 */
static void device_test_unbind_late(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct kvm **file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct iommufd_device *idev;
	u32 id;

	KUNIT_ASSERT_NOT_NULL(test, file);
	*file = t->kvm;
	idev = iommufd_device_bind_kvm(&t->ictx, t->dev, t->kvm, file, &id);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, idev);
	t->idev = idev;
	KUNIT_ASSERT_TRUE(test, iommufd_lock_obj(&idev->obj));

	kunit_activate_static_stub(test, iommufd_destroy_timeout_ms,
				   device_test_timeout_ms);
	kunit_warning_suppress(test) {
		iommufd_device_unbind(idev);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	kunit_kfree(test, file);
	kunit_kfree(test, t->kvm);

	device_test_use_kvm(test);
	iommufd_put_object(&t->ictx, &idev->obj);
	device_test_use_kvm(test);

	/* As when the iommufd is closed */
	t->idev = NULL;
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(&t->ictx, NULL, id, 0));
}

#if IS_ENABLED(CONFIG_MODULE_UNLOAD)
static void device_test_set_module(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct iommu_device *iommu_dev = t->dev->iommu->iommu_dev;

	t->module = kunit_kzalloc(test, sizeof(*t->module), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->module);
	/* One for itself, as all that are loaded have */
	atomic_set(&t->module->refcnt, 1);
	KUNIT_ASSERT_EQ(test, 0, module_refcount(t->module));

	t->ops = *iommu_dev->ops;
	t->ops.owner = t->module;
	t->mock_ops = iommu_dev->ops;
	iommu_dev->ops = &t->ops;
}

static int device_test_users(struct device_test *t)
{
	return module_refcount(t->module);
}
#else
static void device_test_set_module(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_MODULE_UNLOAD");
}

static int device_test_users(struct device_test *t)
{
	return 0;
}
#endif

static struct iommufd_hwpt_paging *
device_test_alloc_hwpt(struct device_test *t, struct iommufd_ioas *ioas)
{
	struct iommufd_hwpt_paging *hwpt;

	guard(mutex)(&ioas->mutex);
	hwpt = iommufd_hwpt_paging_alloc(&t->ictx, ioas, t->idev,
					 IOMMU_HWPT_ALLOC_NEST_PARENT, false,
					 NULL);
	if (!IS_ERR(hwpt))
		iommufd_object_finalize(&t->ictx, &hwpt->common.obj);
	return hwpt;
}

/* As an ioctl does, but nobody gets the answer */
static int device_test_alloc_viommu(struct device_test *t, u32 hwpt_id,
				    struct iommufd_object **obj)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST,
		.dev_id = t->idev->obj.id,
		.hwpt_id = hwpt_id,
	};
	struct iommufd_ucmd ucmd = {
		.ictx = &t->ictx,
		.cmd = &cmd,
	};
	int rc = iommufd_viommu_alloc_ioctl(&ucmd);

	if (!ucmd.new_obj)
		return rc;
	if (rc)
		iommufd_object_abort_and_destroy(&t->ictx, ucmd.new_obj);
	else
		iommufd_object_finalize(&t->ictx, ucmd.new_obj);
	*obj = ucmd.new_obj;
	return rc;
}

/*
 * A page table and a vIOMMU hold the module of the driver, for as long as there are
 * such, and not if they cannot be had.
 */
static void device_test_module(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct iommufd_hwpt_paging *hwpt;
	struct failslab f = { .nth = true };
	struct iommufd_object *viommu;
	struct iommufd_ioas *ioas;
	unsigned int n;
	int rc;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION) || !failslab_init(&f))
		kunit_skip(test, "needs CONFIG_FAILSLAB and its debugfs files");

	device_test_bind(test, t->kvm);
	device_test_set_module(test);
	ioas = iommufd_ioas_alloc(&t->ictx);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ioas);
	iommufd_object_finalize(&t->ictx, &ioas->obj);

	for (n = 1; n < 100; n++) {
		failslab_start(&f, n);
		hwpt = device_test_alloc_hwpt(t, ioas);
		failslab_stop(&f);
		if (!IS_ERR(hwpt))
			break;
		KUNIT_EXPECT_EQ(test, 0, device_test_users(t));
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hwpt);
	KUNIT_EXPECT_GT(test, n, 1U);
	KUNIT_EXPECT_EQ(test, 1, device_test_users(t));

	for (n = 1; n < 100; n++) {
		failslab_start(&f, n);
		rc = device_test_alloc_viommu(t, hwpt->common.obj.id, &viommu);
		failslab_stop(&f);
		if (!rc)
			break;
		KUNIT_EXPECT_EQ(test, 1, device_test_users(t));
	}
	KUNIT_EXPECT_EQ(test, 0, rc);
	KUNIT_EXPECT_GT(test, n, 1U);
	if (!rc) {
		KUNIT_EXPECT_EQ(test, 2, device_test_users(t));
		KUNIT_EXPECT_EQ(test, 0,
				iommufd_object_remove(&t->ictx, NULL,
						      viommu->id, 0));
	}
	KUNIT_EXPECT_EQ(test, 1, device_test_users(t));
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_object_remove(&t->ictx, NULL,
					      hwpt->common.obj.id, 0));
	KUNIT_EXPECT_EQ(test, 0, device_test_users(t));
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_object_remove(&t->ictx, NULL, ioas->obj.id, 0));
}

static struct kunit_case device_test_cases[] = {
	KUNIT_CASE(device_test_kvm),
	KUNIT_CASE(device_test_no_kvm),
	KUNIT_CASE(device_test_unbind),
	KUNIT_CASE(device_test_unbind_late),
	KUNIT_CASE(device_test_module),
	{}
};

static struct kunit_suite device_test_suite = {
	.name = "iommufd_device",
	.init = device_test_init,
	.exit = device_test_exit,
	.test_cases = device_test_cases,
};

kunit_test_suite(device_test_suite);
