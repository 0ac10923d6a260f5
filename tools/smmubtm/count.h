/* SPDX-License-Identifier: GPL-2.0-only */
/* How many instructions each CPU has executed. */
#ifndef SMMUBTM_COUNT_H
#define SMMUBTM_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu-abi.h"

/* HINT #0x7e, which is a NOP: a program asks by it for a line with the number */
#define COUNT_HINT	0xd5032fdfu

/* Before the first CPU runs. False if QEMU has no memory */
bool count_start(void);
/* Count this instruction whenever it is executed */
void count_insn(struct qemu_plugin_insn *in);
uint64_t count_read(unsigned int cpu);

#endif
