// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storm's memory. Each word of it that no guest uses holds a tag that names its
 * page. A device writes a constant, but only it writes to its words of a page,
 * and the offset in a page passes through all translation: a word without its tag
 * tells which device was there, and its page tells where it should not have been.
 *
 * Memory of a guest that is gone stays here, and is looked at like the rest.
 */
#include <string.h>
#include <sys/mman.h>

#include "mem.h"

#define PATTERN	0xed000000u

static u8 *regions[REGIONS];

static u32 tag(unsigned int region, u64 off)
{
	return 0x57000000 | region << 12 | off / PAGE;
}

static volatile u32 *data_word(unsigned int region, unsigned int page,
			       unsigned int word)
{
	return (u32 *)(regions[region] + OFF_PAGE_A + page * PAGE) + word;
}

static u32 data_tag(unsigned int region, unsigned int page)
{
	return tag(region, OFF_PAGE_A + page * PAGE);
}

void mem_init(void)
{
	unsigned int r;
	u64 off;

	for (r = 0; r < REGIONS; r++) {
		regions[r] = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		must(regions[r] != MAP_FAILED, "memory");
		for (off = 0; off < REGION_SIZE; off += 4)
			*(u32 *)(regions[r] + off) = tag(r, off);
	}
}

u8 *mem_region(unsigned int region)
{
	return regions[region];
}

int mem_landed(unsigned int word, u32 val)
{
	unsigned int r, p;
	int found = LAND_NOWHERE;

	__sync_synchronize();
	for (r = 0; r < REGIONS; r++)
		for (p = 0; p < DATA_PAGES; p++) {
			volatile u32 *w = data_word(r, p, word);

			if (*w == data_tag(r, p))
				continue;
			found = found == LAND_NOWHERE && *w == val ?
				page_id(r, p) : LAND_MANY;
			*w = data_tag(r, p);
		}
	return found;
}

void mem_edu_pattern(u32 *pattern)
{
	unsigned int i;

	for (i = 0; i < EDU_WORDS; i++)
		pattern[i] = PATTERN + i;
}

int mem_landed_edu(unsigned int word, const u32 *pattern)
{
	int at, found = LAND_NOWHERE;
	unsigned int i;

	for (i = 0; i < EDU_WORDS; i++) {
		at = mem_landed(word + i, pattern[i]);
		if (i && at != found)
			return LAND_MANY;
		found = at;
	}
	return found;
}

/* Code and tables, which have values of their own */
static bool is_guests(u64 off)
{
	return off < S1_SIZE ||
	       (off >= OFF_S1_SECOND && off < OFF_S1_SECOND + S1_SIZE);
}

static bool is_good(unsigned int region, u64 off, u32 val)
{
	if (is_guests(off))
		return val != TESTDEV_DATA && (val & ~0xffu) != PATTERN;
	return val == tag(region, off);
}

static bool is_edus(u64 off)
{
	return off >= OFF_PAGE_A &&
	       off % PAGE / 4 / DEV_WORDS == VM_TENANTS;
}

unsigned int mem_scan(struct actor *a, int edu_region)
{
	unsigned int r, wrong = 0;
	u64 off;
	u32 val;

	__sync_synchronize();
	for (r = 0; r < REGIONS; r++)
		for (off = 0; off < REGION_SIZE; off += 4) {
			val = *(volatile u32 *)(regions[r] + off);
			if (is_good(r, off, val) ||
			    ((int)r == edu_region && is_edus(off)))
				continue;
			bad(a, BAD_MISDIRECTED,
			    "region %u offset %#llx is %#x, device %llu's",
			    r, (unsigned long long)off, val,
			    (unsigned long long)(off % PAGE / 4 / DEV_WORDS));
			if (!is_guests(off))
				*(u32 *)(regions[r] + off) = tag(r, off);
			wrong++;
		}
	return wrong;
}
