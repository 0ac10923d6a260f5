/* SPDX-License-Identifier: GPL-2.0-only */
/* The storm's memory, of which every word tells whose it is. */
#ifndef E2E_STORM_MEM_H
#define E2E_STORM_MEM_H

#include "state.h"

/* Where a DMA went: the number of a data page (see page_id()), or... */
enum { LAND_REFUSED = -1, LAND_NOWHERE = -2, LAND_MANY = -3 };

#define page_id(region, page)	((int)((region) * DATA_PAGES + (page)))

void mem_init(void);
u8 *mem_region(unsigned int region);
/* In which page is @val at @word in place of the tag? Puts the tag back. */
int mem_landed(unsigned int word, u32 val);
/* The same for edu's pattern, all of which must be there. */
int mem_landed_edu(unsigned int word, const u32 *pattern);
/*
 * Nothing is in flight (but edu's, if @edu_region is not negative: its words of
 * that region are left out). Returns how many words are not what they were.
 */
unsigned int mem_scan(struct actor *a, int edu_region);
void mem_edu_pattern(u32 *pattern);

#endif
