// SPDX-License-Identifier: GPL-2.0-only
/* Page tables, and the queue of their faults. */
#include "calls.h"
#include "guest-memory.h"

/* A vSTE may have these bits, see STRTAB_STE_*_NESTING_ALLOWED in the driver */
#define STE0_ALLOWED	0xfffffffffffffull
#define STE1_ALLOWED	0x00000000380000ffull

static void fill_hwpt(struct turn *t)
{
	static const u32 flags[] = {
		0, IOMMU_HWPT_ALLOC_PASID, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, IOMMU_HWPT_ALLOC_PASID,
		IOMMU_HWPT_FAULT_ID_VALID, IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID,
	};
	struct iommu_hwpt_alloc *hwpt = &t->arg.hwpt;

	choose_ictx(t);
	hwpt->dev_id = pick_dev(t);
	hwpt->pt_id = pick(t, K_IOAS);
	hwpt->flags = flags[choose(t, ARRAY_SIZE(flags))];
	hwpt->fault_id = pick(t, K_FAULTQ);
	if (!(hwpt->flags & IOMMU_HWPT_FAULT_ID_VALID))
		hwpt->fault_id = 0;
	if (!seldom(t, 4) && t->ictx == MOCK_ICTX)
		hwpt->flags |= IOMMU_HWPT_ALLOC_PASID;
	room(t, K_HWPT);
}

static void fill_parent(struct turn *t)
{
	struct iommu_hwpt_alloc *hwpt = &t->arg.hwpt;

	choose_ictx(t);
	hwpt->dev_id = pick_dev(t);
	hwpt->pt_id = pick(t, K_IOAS);
	hwpt->flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	if (seldom(t, 16))
		hwpt->flags |= 1u << choose(t, 4);
	room(t, K_PARENT);
}

/* Most translate by the guest's tables or bypass. Else any that is legal, and some not */
static void choose_vste(struct turn *t, u64 ste[2])
{
	struct stage1 s1 = { .mem = guest_mem, .off = choose(t, 2) ? OFF_S1_SECOND : 0 };
	u32 how = choose(t, 16);
	u64 a = choose64(t), b = choose64(t);

	if (how < 9)
		s1_vste(&s1, ste);
	else
		s1_vste_bypass(ste);
	if (how == 0)
		ste[0] = 0;
	if (how == 1)
		ste[0] &= ~(7ull << 1);
	if (how == 2)
		ste[0] ^= a & STE0_ALLOWED;
	if (how >= 2 && how < 5)
		ste[1] = b & STE1_ALLOWED;
	if (how == 14)
		ste[1] = b & STE1_ALLOWED & ~(3ull << 28);
	if (how == 15) {
		ste[0] = a;
		ste[1] = b;
	}
}

static void fill_nested(struct turn *t)
{
	struct iommu_hwpt_alloc *hwpt = &t->arg.hwpt;
	u64 ste[2];
	u32 viommu, parent, fault;
	bool on_parent;

	choose_ictx(t);
	hwpt->dev_id = pick_dev(t);
	viommu = pick(t, K_VIOMMU);
	parent = pick(t, K_PARENT);
	fault = pick(t, K_FAULTQ);
	on_parent = seldom(t, 4);
	hwpt->pt_id = is_mock(t) && on_parent ? parent : viommu;
	choose_vste(t, ste);
	hwpt->data_type = is_mock(t) ? IOMMU_HWPT_DATA_SELFTEST : IOMMU_HWPT_DATA_ARM_SMMUV3;
	hwpt->data_len = is_mock(t) ? sizeof(struct iommu_hwpt_selftest) : sizeof(ste);
	hwpt->data_uptr = put_data(t, &ste, sizeof(ste));
	if (seldom(t, 6)) {
		hwpt->flags = IOMMU_HWPT_FAULT_ID_VALID;
		hwpt->fault_id = fault;
	}
	if (!choose(t, 6) || t->ictx == MOCK_ICTX)
		hwpt->flags |= IOMMU_HWPT_ALLOC_PASID;
	if (seldom(t, 20))
		hwpt->data_len = choose(t, 64);
	room(t, K_NESTED);
}

static void won_hwpt(struct turn *t)
{
	learn(t, t->arg.hwpt.out_hwpt_id);
}

static void fill_fault(struct turn *t)
{
	choose_ictx(t);
	room(t, K_FAULTQ);
}

static void won_fault(struct turn *t)
{
	learn(t, t->arg.fault.out_fault_id);
	file_put(F_EVENTS, t->arg.fault.out_fault_id % NUM_EVENTS, t->arg.fault.out_fault_fd);
}

const struct call hwpt_calls[] = {
	{ "hwpt", 6, IOMMU_HWPT_ALLOC, ARG(hwpt), fill_hwpt, won_hwpt },
	{ "parent", 8, IOMMU_HWPT_ALLOC, ARG(hwpt), fill_parent, won_hwpt },
	{ "nested", 16, IOMMU_HWPT_ALLOC, ARG(hwpt), fill_nested, won_hwpt },
	{ "fault_queue", 2, IOMMU_FAULT_QUEUE_ALLOC, ARG(fault), fill_fault, won_fault },
	{ }
};
