/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_STORM_H
#define VMM_STORM_H

#include <stdbool.h>
#include <stddef.h>

/* steps.c */
bool step(const char *text, char *detail, size_t size);

/* storm.c */
bool storm(unsigned long seconds, char *detail, size_t size);

#endif
