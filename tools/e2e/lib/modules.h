/* SPDX-License-Identifier: GPL-2.0-only */
/* Drivers that are modules. All of these return 0 or -errno. */
#ifndef E2E_LIB_MODULES_H
#define E2E_LIB_MODULES_H

/* Load or unload all of them, in order */
int modules_load(void);
int modules_unload(void);
int module_unload(const char *name);
/* How many references there are, -1 if it is not loaded or no module */
int module_users(const char *name);

#endif
