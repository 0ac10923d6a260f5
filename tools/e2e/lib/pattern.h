/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes that tell where they belong. */
#ifndef E2E_LIB_PATTERN_H
#define E2E_LIB_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "common.h"

/* @size bytes, a multiple of 4, for the place @off of what @salt stands for */
void pattern_fill(void *buf, size_t size, u32 salt, u64 off);
bool pattern_matches(const void *buf, size_t size, u32 salt, u64 off);

#endif
