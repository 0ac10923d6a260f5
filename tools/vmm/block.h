/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blocks of the test disks. Each word of a block follows from the disk, the number of the block and
 * how often it was written, so that one that is torn, old, or another's, is seen by looking at it.
 * A block of zeroes was never written.
 */
#ifndef VMM_BLOCK_H
#define VMM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE	4096
#define BLOCK_WORDS	(BLOCK_SIZE / sizeof(uint64_t))
#define BLOCK_COUNT	1024		/* of a disk */
#define BLOCK_MAGIC	0x766d6d00u

struct block {
	uint64_t word[BLOCK_WORDS];
};

static inline uint64_t block_word(uint64_t disk, uint64_t no, uint64_t generation, uint64_t i)
{
	uint64_t x = disk << 56 ^ no << 40 ^ generation << 12 ^ i;

	/* Any mixing will do that has no short period: splitmix64 */
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline void block_fill(struct block *b, uint32_t disk, uint32_t no, uint32_t generation)
{
	uint64_t i;

	b->word[0] = (uint64_t)BLOCK_MAGIC << 32 | disk;
	b->word[1] = (uint64_t)no << 32 | generation;
	for (i = 2; i < BLOCK_WORDS; i++)
		b->word[i] = block_word(disk, no, generation, i);
}

/* How often it was written, 0 if never; -1 if it is not a block of this place */
static inline int64_t block_generation(const struct block *b, uint32_t disk, uint32_t no)
{
	static const struct block zero;
	uint32_t generation = b->word[1];
	uint64_t i;

	if (!memcmp(b, &zero, sizeof(zero)))
		return 0;
	if (b->word[0] != ((uint64_t)BLOCK_MAGIC << 32 | disk) || b->word[1] >> 32 != no)
		return -1;
	for (i = 2; i < BLOCK_WORDS; i++) {
		if (b->word[i] != block_word(disk, no, generation, i))
			return -1;
	}
	return generation;
}

#endif
