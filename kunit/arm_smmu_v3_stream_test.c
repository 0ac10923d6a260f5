// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for the StreamIDs of the devices behind an SMMUv3
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/iommu.h>

#include "arm-smmu-v3.h"

#define SD_DEVS		3
#define SD_IDS		4
#define SD_STREAMS	16

/**
 * struct sd_dev - A device
 * @dev: its struct device
 * @iommu: what the core keeps for it
 * @master: what the driver keeps for it
 */
struct sd_dev {
	struct device *dev;
	struct dev_iommu iommu;
	struct arm_smmu_master master;
};

struct sd_test {
	struct arm_smmu_device smmu;
	struct sd_dev devs[SD_DEVS];
};

static int sd_insert(struct kunit *test, unsigned int n, const u32 *ids,
		     unsigned int num_ids)
{
	struct sd_test *t = test->priv;
	struct sd_dev *d = &t->devs[n];

	memcpy(d->iommu.fwspec->ids, ids, num_ids * sizeof(*ids));
	d->iommu.fwspec->num_ids = num_ids;
	return arm_smmu_insert_master(&t->smmu, &d->master);
}

/* The StreamIDs that the SMMU knows, in order, and whose they are */
static void sd_expect(struct kunit *test, const u32 *ids,
		      const unsigned int *devs, unsigned int num)
{
	struct sd_test *t = test->priv;
	struct arm_smmu_stream *stream;
	unsigned int i = 0;
	struct rb_node *node;

	for (node = rb_first(&t->smmu.streams); node; node = rb_next(node)) {
		KUNIT_ASSERT_LT(test, i, num);
		stream = rb_entry(node, struct arm_smmu_stream, node);
		KUNIT_EXPECT_EQ(test, stream->id, ids[i]);
		KUNIT_EXPECT_PTR_EQ(test, stream->master,
				    &t->devs[devs[i]].master);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, num);
}

#define SD_EXPECT(test, num, ids, devs)					     \
	sd_expect(test, (const u32[])ids, (const unsigned int[])devs, num)
#define SD(...)		{ __VA_ARGS__ }
#define SD_INSERT(test, n, num, ids)					     \
	sd_insert(test, n, (const u32[])ids, num)

/* A device behind a PCI bridge goes, and takes nobody else's StreamIDs with it */
static void sd_remove_twice(struct kunit *test)
{
	struct sd_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, SD_INSERT(test, 0, 2, SD(7, 2)));
	KUNIT_ASSERT_EQ(test, 0, SD_INSERT(test, 1, 4, SD(5, 3, 5, 5)));
	SD_EXPECT(test, 4, SD(2, 3, 5, 7), SD(0, 1, 1, 0));
	KUNIT_EXPECT_EQ(test, t->devs[1].master.num_streams, 2U);

	arm_smmu_remove_master(&t->devs[1].master);
	SD_EXPECT(test, 2, SD(2, 7), SD(0, 0));

	/* Also one that has nothing but the one StreamID */
	KUNIT_ASSERT_EQ(test, 0, SD_INSERT(test, 1, 2, SD(3, 3)));
	KUNIT_EXPECT_EQ(test, t->devs[1].master.num_streams, 1U);
	arm_smmu_remove_master(&t->devs[1].master);
	SD_EXPECT(test, 2, SD(2, 7), SD(0, 0));

	arm_smmu_remove_master(&t->devs[0].master);
	SD_EXPECT(test, 0, SD(0), SD(0));
}

/* The same for a device that is refused, for another's StreamID or one too large */
static void sd_refuse_twice(struct kunit *test)
{
	struct sd_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, 0, SD_INSERT(test, 0, 1, SD(7)));
	KUNIT_ASSERT_EQ(test, 0, SD_INSERT(test, 1, 2, SD(1, 9)));
	KUNIT_EXPECT_EQ(test, -ENODEV, SD_INSERT(test, 2, 4, SD(3, 7, 3, 3)));
	SD_EXPECT(test, 3, SD(1, 7, 9), SD(1, 0, 1));
	KUNIT_EXPECT_EQ(test, -ERANGE,
			SD_INSERT(test, 2, 3, SD(3, 3, SD_STREAMS)));
	SD_EXPECT(test, 3, SD(1, 7, 9), SD(1, 0, 1));

	arm_smmu_remove_master(&t->devs[1].master);
	arm_smmu_remove_master(&t->devs[0].master);
	SD_EXPECT(test, 0, SD(0), SD(0));
}

static int sd_init(struct kunit *test)
{
	struct sd_test *t;
	unsigned int i;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->smmu.streams = RB_ROOT;
	t->smmu.strtab_cfg.linear.num_ents = SD_STREAMS;
	mutex_init(&t->smmu.streams_mutex);

	for (i = 0; i != SD_DEVS; i++) {
		struct sd_dev *d = &t->devs[i];
		char name[16];

		snprintf(name, sizeof(name), "stream-test-%u", i);
		d->dev = kunit_device_register(test, name);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d->dev);
		d->iommu.fwspec =
			kunit_kzalloc(test, struct_size(d->iommu.fwspec, ids,
							SD_IDS), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, d->iommu.fwspec);
		d->dev->iommu = &d->iommu;
		d->master.dev = d->dev;
		d->master.smmu = &t->smmu;
	}
	return 0;
}

static void sd_exit(struct kunit *test)
{
	struct sd_test *t = test->priv;
	unsigned int i;

	for (i = 0; t && i != SD_DEVS; i++)
		if (t->devs[i].dev)
			t->devs[i].dev->iommu = NULL;
}

static struct kunit_case sd_cases[] = {
	KUNIT_CASE(sd_remove_twice),
	KUNIT_CASE(sd_refuse_twice),
	{}
};

static struct kunit_suite sd_suite = {
	.name = "arm-smmu-v3-stream",
	.init = sd_init,
	.exit = sd_exit,
	.test_cases = sd_cases,
};

kunit_test_suite(sd_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the StreamIDs of an SMMUv3");
MODULE_LICENSE("GPL");
