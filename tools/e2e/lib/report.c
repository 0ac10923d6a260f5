// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "marker.h"
#include "report.h"

/* Of the case that runs in this process */
static const struct e2e_case *current;
static unsigned int checks, failed;

void report_begin(const struct e2e_case *c)
{
	current = c;
}

void note(const char *fmt, ...)
{
	va_list ap;

	printf("    # ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void expect_warning(const char *function)
{
	note("expected warning: %s", function);
}

static bool vcheck(bool ok, const char *fmt, va_list ap)
{
	printf("    %sok %u - ", ok ? "" : "not ", ++checks);
	vprintf(fmt, ap);
	putchar('\n');
	if (!ok)
		failed++;
	return ok;
}

bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcheck(ok, fmt, ap);
	va_end(ap);
	return ok;
}

void report_end(void)
{
	printf("    1..%u\n", checks);
	fflush(stdout);
	/* The kernel closes what is open: devices, VMs, page tables */
	_exit(failed ? EXIT_FAILED : 0);
}

void must(bool ok, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	if (ok)
		return;
	va_start(ap, fmt);
	vcheck(false, fmt, ap);
	va_end(ap);
	note("the case stops here (errno %d, %s)", err, strerror(err));
	report_end();
}

void skip(const char *fmt, ...)
{
	va_list ap;

	printf("    1..0 # SKIP ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

/* A step of a round has the round in its upper half */
static const char *step_name(unsigned int step)
{
	const struct e2e_step *s;
	unsigned int pass;

	if (step == STEP_DONE)
		return "done";
	for (pass = 0; pass < 2; pass++)
		for (s = current->steps; s->name; s++)
			if (s->num == (pass ? step & 0xf : step))
				return s->name;
	return "?";
}

void mark(unsigned int step)
{
	const u32 val = MARK(current->number, step);

	printf("    # mark %x %s.%s\n", val, current->name, step_name(step));
	marker_write(val);
}
