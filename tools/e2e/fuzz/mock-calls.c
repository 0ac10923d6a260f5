// SPDX-License-Identifier: GPL-2.0-only
/* iommufd's mock device, which has PASIDs and faults that wait. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "calls.h"

/* Some apart from the others, so that their array has levels; 1024 is not replaced at once */
static const u32 pasids[] = { 1, 2, 3, 4, 1024, 5000, 0xfffff, 0 };

static u32 some_pasid(struct turn *t)
{
	return pasids[choose(t, ARRAY_SIZE(pasids))];
}

static void test(struct turn *t, u32 op)
{
	use_ictx(t, MOCK_ICTX);
	t->arg.test.op = op;
}

static void fill_mock(struct turn *t)
{
	struct iommu_test_cmd *cmd = &t->arg.test;

	test(t, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS);
	cmd->id = pick(t, K_IOAS);
	cmd->mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID;
	if (seldom(t, 2))
		cmd->mock_domain_flags.dev_flags |= MOCK_FLAGS_DEVICE_GROUP;
	if (seldom(t, 8))
		cmd->mock_domain_flags.dev_flags ^= 1u << choose(t, 4);
	cmd->mock_domain_flags.vm = choose(t, MOCK_VM_NUM + 1);
	room_among(t, K_STDEV, MAX_VFIO, SLOTS - MAX_VFIO);
	t->dev = t->slot - model->ictx[t->ictx].id[K_STDEV];
	t->gone = 0;
}

/* Its driver warns if there are PASIDs when it goes */
static int mock_end(struct turn *t, u32 id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd), .op = IOMMU_TEST_OP_PASID_DETACH, .id = id,
	};

	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pasids); i++) {
		cmd.pasid_detach.pasid = pasids[i];
		if (pasids[i] && ioctl(t->fd, IOMMU_TEST_CMD, &cmd) && errno == ENOENT)
			break;
	}
	forget(t->slot, &model->ictx[t->ictx]);
	memset(&t->arg, 0, sizeof(t->arg));
	return iommufd_destroy(t->fd, id);
}

static int run_mock(struct turn *t)
{
	bool ends = seldom(t, 3);
	u32 id = look(t->slot);

	if (id && !ends)
		return -EBUSY;
	return id ? mock_end(t, id) : turn_ioctl(t, sizeof(t->arg.test));
}

static void won_mock(struct turn *t)
{
	learn(t, t->arg.test.mock_domain_flags.out_stdev_id);
	t->slot = &model->ictx[t->ictx].id[K_DEV][t->dev];
	put(t->slot, t->arg.test.mock_domain_flags.out_idev_id);
}

static u32 pick_stdev(struct turn *t)
{
	u32 from = choose(t, SLOTS), odd = choose(t, 0xffff), i, id = 0;
	const struct ictx *c = &model->ictx[t->ictx];

	for (i = 0; i < SLOTS && !id; i++)
		id = look(&c->id[K_STDEV][(from + i) % SLOTS]);
	return odd % 40 ? id : odd;
}

static u32 pick_pt(struct turn *t)
{
	const u32 pt[] = {
		pick(t, K_NESTED), pick(t, K_HWPT), pick(t, K_HWPT), pick(t, K_HWPT),
		pick(t, K_HWPT), pick(t, K_PARENT), pick(t, K_IOAS),
	};

	return pt[choose(t, ARRAY_SIZE(pt))];
}

static void fill_replace(struct turn *t)
{
	test(t, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE);
	t->arg.test.id = pick_stdev(t);
	t->arg.test.mock_domain_replace.pt_id = pick_pt(t);
}

static void fill_pasid_attach(struct turn *t)
{
	test(t, IOMMU_TEST_OP_PASID_ATTACH);
	t->arg.test.id = pick_stdev(t);
	t->arg.test.pasid_attach.pt_id = pick_pt(t);
	t->arg.test.pasid_attach.pasid = some_pasid(t);
}

static void fill_pasid_replace(struct turn *t)
{
	fill_pasid_attach(t);
	t->arg.test.op = IOMMU_TEST_OP_PASID_REPLACE;
}

static void fill_pasid_detach(struct turn *t)
{
	test(t, IOMMU_TEST_OP_PASID_DETACH);
	t->arg.test.id = pick_stdev(t);
	t->arg.test.pasid_detach.pasid = some_pasid(t);
}

static void fill_iopf(struct turn *t)
{
	struct iommu_test_cmd *cmd = &t->arg.test;

	test(t, IOMMU_TEST_OP_TRIGGER_IOPF);
	cmd->trigger_iopf.dev_id = pick_dev(t);
	cmd->trigger_iopf.pasid = some_pasid(t);
	if (seldom(t, 3))
		cmd->trigger_iopf.pasid = ~0u;
	cmd->trigger_iopf.grpid = choose(t, 4);
	cmd->trigger_iopf.perm = choose(t, 4);
	cmd->trigger_iopf.addr = GPA_BASE;
}

static void fill_vevent(struct turn *t)
{
	test(t, IOMMU_TEST_OP_TRIGGER_VEVENT);
	t->arg.test.trigger_vevent.dev_id = pick_dev(t);
}

static void fill_set_vm(struct turn *t)
{
	test(t, IOMMU_TEST_OP_DEV_SET_VM);
	t->arg.test.id = pick_stdev(t);
	t->arg.test.dev_set_vm.vm = choose(t, MOCK_VM_NUM + 1);
}

#define TEST(name, weight, fill, ...)	\
	{ name, weight, IOMMU_TEST_CMD, sizeof(struct iommu_test_cmd), fill, ##__VA_ARGS__ }

const struct call mock_calls[] = {
	TEST("mock", 6, fill_mock, won_mock, run_mock),
	TEST("mock_replace", 5, fill_replace),
	TEST("mock_pasid", 10, fill_pasid_attach),
	TEST("mock_pasid_repl", 4, fill_pasid_replace),
	TEST("mock_pasid_detach", 5, fill_pasid_detach),
	TEST("mock_iopf", 10, fill_iopf),
	TEST("mock_vevent", 1, fill_vevent),
	TEST("mock_set_vm", 1, fill_set_vm),
	{ }
};
