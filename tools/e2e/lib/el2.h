/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM whose vCPU has an EL2: a hypervisor of a few instructions, and its guest. */
#ifndef E2E_LIB_EL2_H
#define E2E_LIB_EL2_H

#include <stdbool.h>

#include "kvm.h"

enum el2_op {
	EL2_NOP,
	EL2_TLBI_VA,		/* VAE1IS, by the hypervisor */
	EL2_TLBI_ALL,		/* ALLE1IS, by the hypervisor */
	EL2_RUN_GUEST,		/* which executes VMALLE1IS and calls the hypervisor */
};

/* Can KVM have such VMs? */
bool el2_there(void);
/* In GUEST_SIZE bytes of memory */
void el2_create(struct vm *vm, void *mem);
/* As vm_exec() */
void el2_exec(struct vm *vm, enum el2_op op, u16 asid, u64 va);

#endif
