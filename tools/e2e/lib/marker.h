/* SPDX-License-Identifier: GPL-2.0-only */
/* A device that is only written to, so that QEMU's trace tells where a case is. */
#ifndef E2E_LIB_MARKER_H
#define E2E_LIB_MARKER_H

#include "common.h"

void marker_init(const char *bdf);
void marker_write(u32 val);
/* The device is about to be removed */
void marker_unmap(void);

#endif
