/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has given out. */
#ifndef E2E_LIB_USAGE_H
#define E2E_LIB_USAGE_H

#include <stdbool.h>
#include <stdio.h>

#define MAX_VMIDS	65536
#define MAX_ROWS	256	/* of the VMIDs of one SMMU */

/**
 * struct usage - VMIDs and pins in use; all 0 on the unpatched kernel
 * @vmids: how many VMIDs the SMMU has in use
 * @row: what debugfs says of each but its number, sorted, so that a move makes no
 *       difference
 * @taken: the numbers
 * @pins: references to pins that KVM has given out since the first usage_read()
 */
struct usage {
	unsigned int vmids;
	char row[MAX_ROWS][32];
	bool taken[MAX_VMIDS];
	int pins;
};

/**
 * struct vmid_row - what debugfs says of a VMID
 * @id: the number
 * @kind: "shared" or "private"
 * @state: "ok" or "dirty"
 * @users: how many users it has
 * @vsmmu: "yes" if a vSMMU has it, else "no"
 * @devices: how many devices are attached under it
 * @names: those devices, each behind a space
 */
struct vmid_row {
	unsigned int id;
	char kind[16];
	char state[16];
	unsigned int users;
	char vsmmu[8];
	unsigned int devices;
	char names[512];
};

/* False if it is not a line of a VMID */
bool vmid_row_parse(const char *line, struct vmid_row *row);
/* A file of the SMMU's in debugfs, NULL if there is none */
FILE *smmu_debugfs_open(const char *name);
void usage_read(struct usage *u);
/* The VMID that was pinned last, as usage_read() found it */
unsigned int usage_pinned(void);
/* True if all but the numbers is as it was. Else says what is not */
bool usage_same(const struct usage *was, const struct usage *is);
/* One check, that all is as it was, the numbers too */
bool usage_check(const struct usage *was, const char *what);

#endif
