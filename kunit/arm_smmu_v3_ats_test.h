/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ATS for the KUnit suites. A device with it has to be a PCI device; its entry in a
 * domain's array of what is invalidated has not.
 */
#ifndef _ARM_SMMU_V3_ATS_TEST_H
#define _ARM_SMMU_V3_ATS_TEST_H

#include <kunit/test.h>
#include "arm-smmu-v3.h"

static void add_ats(struct kunit *test, struct iommu_domain *domain, u32 sid,
		    ioasid_t ssid)
{
	struct arm_smmu_domain *d = to_smmu_domain(domain);
	struct arm_smmu_invs *one = arm_smmu_invs_alloc(1), *more;
	struct arm_smmu_invs *invs = rcu_dereference_protected(d->invs, true);

	KUNIT_ASSERT_NOT_NULL(test, one);
	one->inv[0] = (struct arm_smmu_inv){
		.smmu = d->smmu,
		.type = INV_TYPE_ATS,
		.id = sid,
		.ssid = ssid,
		.size_opcode = CMDQ_OP_ATC_INV,
		.nsize_opcode = CMDQ_OP_ATC_INV,
	};
	one->has_ats = true;
	more = arm_smmu_invs_merge(invs, one);
	kfree(one);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, more);
	KUNIT_ASSERT_TRUE(test, more->has_ats);
	rcu_assign_pointer(d->invs, more);
	kfree_rcu(invs, rcu);
}

#endif
