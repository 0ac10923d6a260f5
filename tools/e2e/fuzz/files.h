/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of this process. Any thread may close one that another one uses. */
#ifndef E2E_FUZZ_FILES_H
#define E2E_FUZZ_FILES_H

#include "model.h"

/* In the same slot, a VM, its vCPU and its VFIO device */
enum file { F_ICTX, F_DEV, F_VM, F_VCPU, F_KVM_VFIO, F_EVENTS, NUM_FILES };

#define NUM_VMS		4
#define NUM_EVENTS	6

void files_init(void);
/* -1: there is none */
int file_at(enum file kind, unsigned int slot);
/* The first of @slots from @from on in which there is one */
unsigned int file_from(enum file kind, unsigned int from, unsigned int slots);
/* Closes @fd if there is one already */
void file_put(enum file kind, unsigned int slot, int fd);
/* False if there is none */
bool file_close(enum file kind, unsigned int slot);
void files_close_all(void);

#endif
