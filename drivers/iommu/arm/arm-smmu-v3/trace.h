/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints of the SMMUv3 driver */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM arm_smmu_v3

#if !defined(_ARM_SMMU_V3_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ARM_SMMU_V3_TRACE_H

#include <linux/tracepoint.h>

#include "arm-smmu-v3.h"

DECLARE_EVENT_CLASS(arm_smmu_vmid,
		    TP_PROTO(const struct arm_smmu_vmid *vmid),
		    TP_ARGS(vmid),
		    TP_STRUCT__entry(__string(smmu, dev_name(vmid->smmu->dev))
				     __field(u16, id)
				     __field(bool, shared)
		    ),
		    TP_fast_assign(__assign_str(smmu);
				   __entry->id = vmid->id;
				   __entry->shared = vmid->pin;
		    ),
		    TP_printk("%s vmid %u %s", __get_str(smmu), __entry->id,
			      __entry->shared ? "shared" : "private")
);

/* A VMID enters the registry of its SMMU */
DEFINE_EVENT(arm_smmu_vmid, arm_smmu_vmid_claim,
	     TP_PROTO(const struct arm_smmu_vmid *vmid),
	     TP_ARGS(vmid)
);

/* It leaves the registry, its last user being gone */
DEFINE_EVENT(arm_smmu_vmid, arm_smmu_vmid_release,
	     TP_PROTO(const struct arm_smmu_vmid *vmid),
	     TP_ARGS(vmid)
);

#endif /* _ARM_SMMU_V3_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
