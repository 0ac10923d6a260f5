/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints of the SMMUv3 driver's stage-1 domains */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM arm_smmu_v3

#if !defined(_ARM_SMMU_V3_TRACE_STAGE1_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ARM_SMMU_V3_TRACE_STAGE1_H

#include <linux/tracepoint.h>

#include "arm-smmu-v3.h"

/* A device is about to be attached to a stage-1 domain, its own or that of an mm */
TRACE_EVENT(arm_smmu_stage1_attach,
	    TP_PROTO(const struct device *dev, u32 pasid,
		     const struct arm_smmu_domain *smmu_domain),
	    TP_ARGS(dev, pasid, smmu_domain),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, pasid)
			     __field(u16, asid)
			     __field(bool, broadcast)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->pasid = pasid;
			   __entry->asid = smmu_domain->cd.asid;
			   __entry->broadcast = smmu_domain->use_tlbi;
	    ),
	    TP_printk("%s pasid %u asid %u by %s", __get_str(dev),
		      __entry->pasid, __entry->asid,
		      __entry->broadcast ? "broadcast" : "command")
);

#endif /* _ARM_SMMU_V3_TRACE_STAGE1_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_stage1
#include <trace/define_trace.h>
