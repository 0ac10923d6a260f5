/* SPDX-License-Identifier: GPL-2.0-only */
/* The processes that call, and their threads. */
#ifndef E2E_FUZZ_PROCESS_H
#define E2E_FUZZ_PROCESS_H

#include "model.h"

/* Both have the same files at first. @turns: of each thread */
void processes_run(u64 seed, u32 turns);

#endif
