/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tables of `make demo` and `make bench` are made of. */
#ifndef E2E_TABLE_H
#define E2E_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "trace.h"

enum { BASE, PATCHED, NR_KERNELS };

/* A guest's invalidation, and loading a vCPU, in instructions. */
struct bench {
	u64 tlbi, exit, ioctl, calls;
	u64 load;		/* of a VM with a vSMMU: pinned, if the kernel can */
	u64 load_other;		/* of another VM */
	u64 commands;		/* that the SMMU took for @calls ioctls */
	bool reaches;		/* the TLBI reached the SMMU under the device's VMID */
};

/* logs.c */
extern const char * const kernel_name[NR_KERNELS];
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The patched kernel does not show what it promises */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool complained(void);
FILE *open_console(const char *dir, const char *entry, int kernel);
void read_trace(const char *dir, const char *entry, int kernel, struct trace *t);
void trace_step_find(const struct trace *t, u32 mark, size_t *first, size_t *last);

/* own.c */
void print_own_bench(const char *dir, const struct bench b[NR_KERNELS]);
void print_own_demo(const char *dir);

#endif
