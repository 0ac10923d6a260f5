/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's memory, of which VMs run and to which DMA goes; of both processes. */
#ifndef E2E_FUZZ_GUEST_MEMORY_H
#define E2E_FUZZ_GUEST_MEMORY_H

#include "e2e.h"

#define OFF_FUZZ_CODE	0x80000

extern u8 *guest_mem;

void guest_memory_init(void);

#endif
