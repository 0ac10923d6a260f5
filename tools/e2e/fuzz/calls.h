/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of calls. A table ends with one without a name. */
#ifndef E2E_FUZZ_CALLS_H
#define E2E_FUZZ_CALLS_H

#include "turn.h"

extern const struct call iommufd_calls[], hwpt_calls[], viommu_calls[], vfio_calls[],
	vm_calls[], mock_calls[], read_calls[];

/* The file of a device, for the calls of this process */
int vfio_open(unsigned int dev);
/* A VM learns of such a file, if there is a VM */
void vm_add(unsigned int vm, int dev);

#endif
