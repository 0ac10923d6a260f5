/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SMMUBTM_TEST_H
#define SMMUBTM_TEST_H

#include <stdbool.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* One line of KTAP */
void result(bool ok, const char *about);

extern const unsigned int num_pending_tests, num_tables_tests;
void test_pending(void);
void test_tables(void);

#endif
