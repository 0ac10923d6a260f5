// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* Of the first CPU, there is no other: those with a text in their line of /proc/interrupts */
unsigned long interrupts_of(const char *name)
{
	FILE *f = fopen("/proc/interrupts", "r");
	unsigned long n = 0;
	char line[256];
	char *at;

	while (f && fgets(line, sizeof(line), f)) {
		at = strchr(line, ':');
		if (at && strstr(at, name))
			n += strtoul(at + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return n;
}
