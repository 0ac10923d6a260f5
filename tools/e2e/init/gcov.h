/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef E2E_INIT_GCOV_H
#define E2E_INIT_GCOV_H

void gcov_save(const char *dir);

#endif
