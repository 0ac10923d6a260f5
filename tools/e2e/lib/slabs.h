/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects in use. */
#ifndef E2E_LIB_SLABS_H
#define E2E_LIB_SLABS_H

#include <stdbool.h>

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define MAX_CACHES	64

/**
 * struct slabs - objects in use
 * @total: of all caches: an object that takes the place of another can be larger
 * @num: how many caches
 * @cache: their names, and how many objects of each are in use
 */
struct slabs {
	unsigned long total;
	unsigned int num;
	struct {
		char name[32];
		unsigned long objects;
	} cache[MAX_CACHES];
};

/* Not on a debug kernel: KASAN keeps what is freed, and kmemleak finds what is not */
bool slabs_settle(void);
/* Both wait for objects that are on their way to be freed */
void slabs_read(struct slabs *s);
/* True if there are no more than there were. Else says which caches have changed */
bool slabs_no_more(const struct slabs *was);

#endif
