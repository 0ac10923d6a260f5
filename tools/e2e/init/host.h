/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef E2E_INIT_HOST_H
#define E2E_INIT_HOST_H

#include "case.h"

/* Fill in @e2e what only a device and a VM can tell about the host */
void learn_host(void);
/* What the host lacks for @c, NULL if it has all */
const char *host_lacks(const struct e2e_case *c);

#endif
