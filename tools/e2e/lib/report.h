/* SPDX-License-Identifier: GPL-2.0-only */
/* What a case says: lines of KTAP on the console, and where it is. */
#ifndef E2E_LIB_REPORT_H
#define E2E_LIB_REPORT_H

#include <stdbool.h>

#include "case.h"

/* How the process of a case ends, if it is not passed */
enum { EXIT_FAILED = 1, EXIT_SKIPPED = 4 };

/* From here on this process runs @c */
void report_begin(const struct e2e_case *c);
/* It is over: says how many checks there were, and ends the process */
__attribute__((noreturn)) void report_end(void);

/* A step begins: tell the console and, through the marker device, the trace. */
void mark(unsigned int step);

/* One line of KTAP. A case goes on after a failed check... */
bool check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ...but not after something that the rest of the case stands on. */
void must(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The kernel is going to warn in @function, once: that fails nothing */
void expect_warning(const char *function);
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
