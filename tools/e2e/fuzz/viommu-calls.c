// SPDX-License-Identifier: GPL-2.0-only
/* vIOMMUs, vDEVICEs, guests' commands. */
#include <string.h>

#include "calls.h"
#include "guest-memory.h"

#define VSID_BASE	0x100
#define MAX_COMMANDS	200

static void fill_viommu(struct turn *t)
{
	static const u32 flags[] = {
		E2E_SHARE_VMID, E2E_SHARE_VMID, E2E_SHARE_VMID, E2E_SHARE_VMID, 0, 0, 2, 0xffffffff,
	};
	struct iommu_viommu_alloc *viommu = &t->arg.viommu;
	struct e2e_viommu_data smmu = { .flags = flags[choose(t, ARRAY_SIZE(flags))] };
	struct iommu_viommu_selftest mock = { .flags = smmu.flags };
	bool asks;

	choose_ictx(t);
	viommu->dev_id = pick_dev(t);
	viommu->hwpt_id = pick(t, K_PARENT);
	viommu->type = is_mock(t) ? IOMMU_VIOMMU_TYPE_SELFTEST : IOMMU_VIOMMU_TYPE_ARM_SMMUV3;
	if (seldom(t, 16))
		smmu.out_flags = 1;
	mock.out_vm = smmu.out_flags;
	asks = !seldom(t, 6);
	if (is_mock(t))
		viommu->data_uptr = put_data(t, &mock, sizeof(mock));
	else
		viommu->data_uptr = put_data(t, &smmu, sizeof(smmu));
	viommu->data_len = is_mock(t) ? sizeof(mock) : sizeof(smmu);
	if (!asks)
		viommu->data_len = 0;
	if (seldom(t, 20))
		viommu->data_len = choose(t, 40);
	room(t, K_VIOMMU);
}

static void won_viommu(struct turn *t)
{
	learn(t, t->arg.viommu.out_viommu_id);
}

static void fill_vdevice(struct turn *t)
{
	struct iommu_vdevice_alloc *vdev = &t->arg.vdevice;

	choose_ictx(t);
	vdev->viommu_id = pick(t, K_VIOMMU);
	vdev->dev_id = pick_dev(t);
	vdev->virt_id = VSID_BASE + t->dev;
	if (seldom(t, 12))
		vdev->virt_id = choose64(t) >> choose(t, 64);
	room(t, K_VDEVICE);
}

static void won_vdevice(struct turn *t)
{
	learn(t, t->arg.vdevice.out_vdevice_id);
}

static void fill_veventq(struct turn *t)
{
	struct iommu_veventq_alloc *veventq = &t->arg.veventq;

	choose_ictx(t);
	veventq->viommu_id = pick(t, K_VIOMMU);
	veventq->type = seldom(t, 4) ? IOMMU_VEVENTQ_TYPE_SELFTEST : IOMMU_VEVENTQ_TYPE_ARM_SMMUV3;
	veventq->veventq_depth = 1 + choose(t, 8);
	room(t, K_VEVENTQ);
}

static void won_veventq(struct turn *t)
{
	learn(t, t->arg.veventq.out_veventq_id);
	file_put(F_EVENTS, t->arg.veventq.out_veventq_id % NUM_EVENTS,
		 t->arg.veventq.out_veventq_fd);
}

/* What a guest may send. StreamIDs are good if there is a vDEVICE that has them */
static void good_command(struct turn *t, u64 cmd[2], bool may_sid)
{
	static const struct {
		u8 op;
		bool asid;
		bool va;
		bool sid;
	} ops[] = {
		{ 0x10 }, { 0x11, .asid = true }, { 0x12, .asid = true, .va = true },
		{ 0x13, .va = true }, { 0x30 }, { 0x05, .sid = true }, { 0x06, .sid = true },
		{ 0x40, .sid = true },
	};
	u64 sid = VSID_BASE + choose(t, SLOTS), asid = choose(t, 4) ? GUEST_ASID : choose(t, 256);
	u64 page = choose(t, GUEST_SIZE / PAGE) * PAGE;
	u32 which = choose(t, 60);

	which = which < ARRAY_SIZE(ops) && may_sid ? which : which % 5;
	cmd[0] = ops[which].op;
	cmd[1] = ops[which].va ? GPA_BASE + page : 0;
	if (ops[which].asid)
		cmd[0] |= CMD_ASID(asid);
	if (ops[which].sid)
		cmd[0] |= sid << 32;
}

static void choose_commands(struct turn *t, u64 (*cmd)[2], u32 num, u32 bad)
{
	u64 junk[2] = { choose64(t), choose64(t) };
	u32 i;

	for (i = 0; i < num; i++)
		good_command(t, cmd[i], num < 8);
	if (bad >= num)
		return;
	memcpy(cmd[bad], junk, sizeof(junk));
	if (junk[1] & 1)
		cmd[bad][0] = junk[1] >> 8 & 0xff;
}

static void fill_invalidate(struct turn *t)
{
	struct iommu_hwpt_invalidate *inv = &t->arg.inv;
	u64 cmd[MAX_COMMANDS][2];
	u32 viommu, nested, bad, num = 1 + choose(t, 4);
	bool mock;

	choose_ictx(t);
	viommu = pick(t, K_VIOMMU);
	nested = pick(t, K_NESTED);
	mock = t->ictx == MOCK_ICTX;
	if (seldom(t, 16))
		mock = !mock;
	if (seldom(t, 4))
		num = choose(t, MAX_COMMANDS + 1);
	bad = choose(t, MAX_COMMANDS);
	if (!seldom(t, 4))
		bad = num;
	choose_commands(t, cmd, num, bad);
	inv->hwpt_id = mock && num % 2 ? nested : viommu;
	inv->data_type = mock ? IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST :
			 IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3;
	inv->entry_len = sizeof(cmd[0]);
	if (mock)
		inv->entry_len = sizeof(struct iommu_viommu_invalidate_selftest);
	inv->entry_num = num;
	inv->data_uptr = put_data(t, cmd, num * sizeof(cmd[0]));
}

static void fill_info(struct turn *t)
{
	static const u8 none[64];
	struct iommu_hw_info *info = &t->arg.info;

	choose_ictx(t);
	info->dev_id = pick_dev(t);
	info->data_len = choose(t, sizeof(none));
	info->data_uptr = put_data(t, none, sizeof(none));
}

const struct call viommu_calls[] = {
	{ "viommu", 10, IOMMU_VIOMMU_ALLOC, ARG(viommu), fill_viommu, won_viommu },
	{ "vdevice", 16, IOMMU_VDEVICE_ALLOC, ARG(vdevice), fill_vdevice, won_vdevice },
	{ "veventq", 2, IOMMU_VEVENTQ_ALLOC, ARG(veventq), fill_veventq, won_veventq },
	{ "invalidate", 12, IOMMU_HWPT_INVALIDATE, ARG(inv), fill_invalidate },
	{ "hw_info", 1, IOMMU_GET_HW_INFO, ARG(info), fill_info },
	{ }
};
