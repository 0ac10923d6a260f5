/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of libuuid that the kernel's vfio selftests call: a cross compiler comes
 * without the library.
 */
#ifndef SELFTESTS_UUID_UUID_H
#define SELFTESTS_UUID_UUID_H

#include <ctype.h>
#include <stdio.h>

typedef unsigned char uuid_t[16];

/* 0, or -1 if @in is not 8-4-4-4-12 hexadecimal digits */
static inline int uuid_parse(const char *in, uuid_t uu)
{
	unsigned int i;

	for (i = 0; i < sizeof(uuid_t); i++, in += 2) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *in++ != '-')
			return -1;
		if (!isxdigit(in[0]) || !isxdigit(in[1]) ||
		    sscanf(in, "%2hhx", &uu[i]) != 1)
			return -1;
	}
	return *in ? -1 : 0;
}

#endif
