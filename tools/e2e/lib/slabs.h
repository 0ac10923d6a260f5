/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects in use. */
#ifndef E2E_LIB_SLABS_H
#define E2E_LIB_SLABS_H

#include <stdbool.h>

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define MAX_SITES	2048

/**
 * struct slabs - objects in use
 * @total: of all sites: an object that takes the place of another can be another's
 * @num: how many sites
 * @site: who allocated them: the cache, who called the allocator, the innermost callers,
 *        a hash of all callers, and how many are in use
 */
struct slabs {
	unsigned long total;
	unsigned int num;
	struct slab_site {
		char cache[24];
		char by[48];
		char callers[200];
		unsigned int hash;
		unsigned long objects;
	} site[MAX_SITES];
};

/* It takes a setting that it has anyway, if it has not been told to be off */
bool kmemleak_runs(void);
/* Not on a debug kernel: KASAN keeps what is freed, and kmemleak finds what is not */
bool slabs_settle(void);
/* Both wait for objects that are on their way to be freed */
void slabs_read(struct slabs *s);
/* True if there are no more than there were. Else says of which sites there are more */
bool slabs_no_more(const struct slabs *was);
/*
 * True if none of those whose name has one of @words in it, and that call the allocator,
 * has more than it had: what others have freed hides nothing. Of parts of the kernel of
 * which nothing is in use. @words ends with NULL
 */
bool slabs_no_more_by(const struct slabs *was, const char *const *words);

#endif
