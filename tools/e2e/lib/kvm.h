/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of one vCPU that executes TLBIs on request. */
#ifndef E2E_LIB_KVM_H
#define E2E_LIB_KVM_H

#include <stddef.h>

#include "common.h"
#include "uapi.h"

enum guest_op {
	GUEST_NOP,
	GUEST_TLBI_VA,		/* VAE1IS */
	GUEST_TLBI_ASID,	/* ASIDE1IS */
	GUEST_TLBI_ALL,		/* VMALLE1IS */
};

/**
 * struct vm - a VM
 * @fd: the VM
 * @vcpu: its only vCPU
 * @vfio: KVM's VFIO device, through which it learns of assigned devices; -1 if
 *        there is none, or once the VM is closed
 * @run: the vCPU's shared page
 * @run_size: size of @run
 */
struct vm {
	int fd;
	int vcpu;
	int vfio;
	struct kvm_run *run;
	size_t run_size;
};

/* What a vCPU begins with, at the beginning of the guest's memory, and as what */
struct vm_code {
	const char *begin;
	const char *end;
	u32 features;
};

void vm_create(struct vm *vm, void *mem, size_t size);
void vm_create_with(struct vm *vm, void *mem, size_t size,
		    const struct vm_code *code);
void vm_set_x(struct vm *vm, unsigned int n, u64 val);
unsigned int vm_vmid_bits(struct vm *vm);
void vm_close(struct vm *vm);
/* VMs that KVM has, also of those that are closed and held by others */
unsigned int vms_alive(void);
/* The guest executes @op, DSB and ISB, and leaves again. */
void vm_exec(struct vm *vm, enum guest_op op, u16 asid, u64 va);
/* VMs that come and go, each of which shows its VMID by a TLBI */
void vm_churn(unsigned int count);
/* So many that, with 8-bit VMIDs, each number is given to one if it is free */
#define ALL_VMIDS	270
void vm_add_file(struct vm *vm, int fd);
int vm_try_add_file(struct vm *vm, int fd);
void vm_del_file(struct vm *vm, int fd);

#endif
