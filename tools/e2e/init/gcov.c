// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a kernel with CONFIG_GCOV_KERNEL has counted leaves the machine by semihosting: the emulator
 * writes files for whoever executes HLT #0xf000.
 */
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gcov.h"

#define GCOV_DIR	"/sys/kernel/debug/gcov"

/* Of Arm's semihosting */
#define SYS_OPEN	0x01
#define SYS_CLOSE	0x02
#define SYS_WRITE	0x05
#define MODE_WB		5

/* @block has what the operation takes */
static long semihost(long op, const uintptr_t *block)
{
	register long x0 asm("x0") = op;
	register const uintptr_t *x1 asm("x1") = block;

	asm volatile("hlt #0xf000" : "+r" (x0) : "r" (x1) : "memory");
	return x0;
}

/* Returns a handle, or -1 */
static long create_outside(const char *path)
{
	const uintptr_t block[] = { (uintptr_t)path, MODE_WB, strlen(path) };

	return semihost(SYS_OPEN, block);
}

static bool write_outside(long handle, const char *data, size_t size)
{
	const uintptr_t block[] = { handle, (uintptr_t)data, size };

	return !semihost(SYS_WRITE, block);
}

static void close_outside(long handle)
{
	const uintptr_t block[] = { handle };

	semihost(SYS_CLOSE, block);
}

static bool copy_out(int fd, long handle)
{
	/* Semihosting cannot wait for a page of it: the read has touched them all */
	static char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (!write_outside(handle, buf, n))
			return false;
	}
	return !n;
}

/* A "/" in the name is a "#" outside, as with gcov's option -p */
static void name_outside(char *name, size_t size, const char *dir, const char *path)
{
	char *at;

	snprintf(name, size, "%s/%s", dir, path);
	for (at = name + strlen(dir) + 1; *at; at++) {
		if (*at == '/')
			*at = '#';
	}
}

static bool save_file(const char *dir, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char name[PATH_MAX];
	bool ok = false;
	long handle;

	if (fd < 0)
		return false;
	name_outside(name, sizeof(name), dir, path + strlen(GCOV_DIR));
	handle = create_outside(name);
	if (handle >= 0) {
		ok = copy_out(fd, handle);
		close_outside(handle);
	}
	close(fd);
	return ok;
}

static bool is_counts(const FTSENT *e)
{
	return e->fts_info == FTS_F && e->fts_namelen > 5 &&
	       !strcmp(e->fts_name + e->fts_namelen - 5, ".gcda");
}

/**
 * gcov_save - give the counts to the machine around this one
 * @dir: a directory of that, in which each object of the kernel gets a file
 */
void gcov_save(const char *dir)
{
	char * const roots[] = { GCOV_DIR, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	if (!tree) {
		perror("# " GCOV_DIR);
		return;
	}
	while ((e = fts_read(tree))) {
		if (is_counts(e) && !save_file(dir, e->fts_path))
			printf("# gcov: cannot save %s\n", e->fts_path);
	}
	fts_close(tree);
}
