// SPDX-License-Identifier: GPL-2.0-only
#include "dice.h"

void dice_seed(u64 *dice, u64 seed)
{
	*dice = seed * 0x9e3779b97f4a7c15ull + 1;
	dice_roll(dice, 2);
}

/* xorshift64* */
u32 dice_roll(u64 *dice, u32 sides)
{
	*dice ^= *dice >> 12;
	*dice ^= *dice << 25;
	*dice ^= *dice >> 27;
	return (*dice * 0x2545f4914f6cdd1dull >> 32) % sides;
}
