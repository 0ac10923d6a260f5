/* SPDX-License-Identifier: GPL-2.0-only */
/* What the checker's main function calls besides the cases' rules. */
#ifndef E2E_CHECK_JUDGE_H
#define E2E_CHECK_JUDGE_H

struct run;

/* Rules that hold for every boot */
void check_boot(struct run *r);
/* 0: the same in both traces, 1: not, 2: they cannot be read */
int compare_commands(const char *base, const char *patched);

#endif
