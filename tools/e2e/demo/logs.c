// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdlib.h>

#include "table.h"

const char * const kernel_name[NR_KERNELS] = { "base", "patched" };

static bool bad;

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("e2e-table: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	bad = true;
	fputs("NOT AS EXPECTED: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

FILE *open_console(const char *dir, const char *entry, int kernel)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.%s/console.log", dir, entry, kernel_name[kernel]);
	f = fopen(path, "r");
	if (!f)
		die("no run of '%s' on the %s kernel (%s)", entry, kernel_name[kernel], path);
	return f;
}

void read_trace(const char *dir, const char *entry, int kernel, struct trace *t)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.%s/trace.log", dir, entry, kernel_name[kernel]);
	if (trace_read(path, t))
		exit(2);
}

void trace_step_find(const struct trace *t, u32 mark, size_t *first, size_t *last)
{
	if (!trace_step(t, mark, first, last))
		die("step %u.%u is not in the trace", MARK_CASE(mark), MARK_STEP(mark));
}

bool complained(void)
{
	return bad;
}
