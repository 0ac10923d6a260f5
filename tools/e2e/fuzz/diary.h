/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls, in a trace buffer of their own: the kernel prints it when it panics, and
 * diary_tell() the last of each thread when it has only warned.
 */
#ifndef E2E_FUZZ_DIARY_H
#define E2E_FUZZ_DIARY_H

#include <stdbool.h>

void diary_open(void);
/* Where the kernel may warn */
void diary_allow(const char *function);
void diary_write(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Has the kernel complained since diary_open()? */
bool diary_complaint(void);
void diary_tell(void);
void diary_close(void);

#endif
