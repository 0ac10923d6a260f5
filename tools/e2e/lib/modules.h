/* SPDX-License-Identifier: GPL-2.0-only */
/* Drivers that are modules, and KUnit suites. An int is 0 or -errno. */
#ifndef E2E_LIB_MODULES_H
#define E2E_LIB_MODULES_H

#include <stdbool.h>
#include <stddef.h>

/* Load or unload all of them, in order */
int modules_load(void);
int modules_unload(void);
int module_unload(const char *name);
/* How many references there are, -1 if it is not loaded or no module */
int module_users(const char *name);

/* The file of the @n-th module that is for tests only; false if there are fewer */
bool modules_suite(unsigned int n, char *file, size_t size);
int modules_load_suite(const char *file);
/* A module has been loaded that was built outside the kernel's tree */
bool modules_are_ours(void);

#endif
