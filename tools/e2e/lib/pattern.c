// SPDX-License-Identifier: GPL-2.0-only
#include "pattern.h"

#define GOLDEN_RATIO	2654435761u

static u32 word_at(u32 salt, u64 off)
{
	return (u32)(off >> 2) * GOLDEN_RATIO ^ salt;
}

void pattern_fill(void *buf, size_t size, u32 salt, u64 off)
{
	u32 *word = buf;
	size_t i;

	for (i = 0; i < size / 4; i++)
		word[i] = word_at(salt, off + 4 * i);
}

bool pattern_matches(const void *buf, size_t size, u32 salt, u64 off)
{
	const u32 *word = buf;
	size_t i;

	for (i = 0; i < size / 4; i++)
		if (word[i] != word_at(salt, off + 4 * i))
			return false;
	return true;
}
