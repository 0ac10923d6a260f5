/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that repeat with their seed. */
#ifndef E2E_LIB_DICE_H
#define E2E_LIB_DICE_H

#include "common.h"

void dice_seed(u64 *dice, u64 seed);
/* 0 to @sides - 1 */
u32 dice_roll(u64 *dice, u32 sides);

#endif
