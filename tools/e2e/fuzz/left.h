/* SPDX-License-Identifier: GPL-2.0-only */
/* What is left when all is closed. */
#ifndef E2E_FUZZ_LEFT_H
#define E2E_FUZZ_LEFT_H

#include <stdbool.h>

#include "usage.h"

/**
 * struct left - what there was before
 * @usage: VMIDs and their pins
 * @pages: pinned ones
 * @vms: VMs
 */
struct left {
	struct usage usage;
	long pages;
	unsigned int vms;
};

void left_read(struct left *l);
/* Is it the same now? Says what is not */
bool left_nothing(const struct left *was);

#endif
