/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that calls point to: a page that is there, behind it one that is filled in late,
 * by userfaultfd, one that cannot be accessed, and one that can only be read.
 */
#ifndef E2E_FUZZ_AREA_H
#define E2E_FUZZ_AREA_H

#include <stddef.h>

#include "common.h"

enum where { PLACE_THERE, PLACE_LATE, PLACE_HALF_LATE, PLACE_READ_ONLY, PLACE_HALF_BAD,
	     PLACE_BAD, PLACE_NULL, PLACE_KERNEL, NUM_PLACES };

/**
 * struct area - such memory
 * @mem: the four pages
 * @shadow: what the late one is filled in with
 * @writable: the last one, where it can be written
 */
struct area {
	u8 *mem;
	u8 *shadow;
	u8 *writable;
};

/* Of this process; @num of them */
void areas_init(unsigned int num);
/* The thread that fills in, for as long as the process lives */
void areas_start(u64 seed);
struct area *area_of(unsigned int num);
/* Put @len bytes, a page at most, to @place. Returns their address */
u64 area_put(struct area *a, enum where place, const void *src, size_t len);
/* And what has become of them */
void area_get(const struct area *a, enum where place, void *dst, size_t len);

#endif
