/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything else that goes on in the host. */
#ifndef E2E_STORM_HOST_H
#define E2E_STORM_HOST_H

#include "state.h"

void host_start(void);
void *mover_run(void *arg);
void *churn_run(void *arg);
void host_end(void);
/* Moves of a VMID that had devices, as far as looked for. -1: cannot tell */
int host_live_moves(void);
/* VMIDs that the SMMU has in use. -1: cannot tell */
int host_vmids(void);

#endif
