// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "files.h"

static int files[NUM_FILES][SLOTS];

void files_init(void)
{
	unsigned int kind, slot;

	for (kind = 0; kind < NUM_FILES; kind++)
		for (slot = 0; slot < SLOTS; slot++)
			files[kind][slot] = -1;
}

int file_at(enum file kind, unsigned int slot)
{
	return __atomic_load_n(&files[kind][slot], __ATOMIC_RELAXED);
}

unsigned int file_from(enum file kind, unsigned int from, unsigned int slots)
{
	unsigned int i;

	for (i = 0; i < slots && file_at(kind, (from + i) % slots) < 0; i++)
		;
	return (from + i) % slots;
}

void file_put(enum file kind, unsigned int slot, int fd)
{
	int none = -1;

	if (!__atomic_compare_exchange_n(&files[kind][slot], &none, fd, false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		close(fd);
}

bool file_close(enum file kind, unsigned int slot)
{
	int fd = __atomic_exchange_n(&files[kind][slot], -1, __ATOMIC_RELAXED);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void files_close_all(void)
{
	unsigned int kind, slot;

	for (kind = 0; kind < NUM_FILES; kind++)
		for (slot = 0; slot < SLOTS; slot++)
			file_close(kind, slot);
}
