// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs of one vCPU. The guest is a dozen instructions with its MMU off: it leaves
 * by a store to an address without memory, the host puts a request into x0 and
 * x1, and the guest executes it and leaves again.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "boot.h"
#include "kvm.h"
#include "report.h"
#include "s1.h"

#define GPA_EXIT	0x09000000ul	/* no memory: a store to it leaves */

extern const char guest_code[], guest_code_end[];

asm(".pushsection .rodata\n"
    "	.balign	4\n"
    "	.globl	guest_code, guest_code_end\n"
    "guest_code:\n"
    "1:	str	xzr, [x2]\n"
    "	cmp	x0, #1\n"
    "	b.eq	2f\n"
    "	cmp	x0, #2\n"
    "	b.eq	3f\n"
    "	cmp	x0, #3\n"
    "	b.ne	1b\n"
    "	tlbi	vmalle1is\n"
    "	b	4f\n"
    "2:	tlbi	vae1is, x1\n"
    "	b	4f\n"
    "3:	tlbi	aside1is, x1\n"
    "4:	dsb	ish\n"
    "	isb\n"
    "	b	1b\n"
    "guest_code_end:\n"
    "	.popsection\n");

#define CORE_REG(name)	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | \
			 KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

static void set_reg(struct vm *vm, u64 id, u64 val)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&val };

	must(!ioctl(vm->vcpu, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

static u64 get_reg(struct vm *vm, u64 id)
{
	u64 val = 0;
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&val };

	must(!ioctl(vm->vcpu, KVM_GET_ONE_REG, &reg), "KVM_GET_ONE_REG");
	return val;
}

/* ID_AA64MMFR1_EL1.VMIDBits */
unsigned int vm_vmid_bits(struct vm *vm)
{
	u64 mmfr1 = get_reg(vm, ARM64_SYS_REG(3, 0, 0, 7, 1));

	return (mmfr1 >> 4 & 0xf) == 2 ? 16 : 8;
}

static void run(struct vm *vm)
{
	must(!ioctl(vm->vcpu, KVM_RUN, 0), "KVM_RUN");
	must(vm->run->exit_reason == KVM_EXIT_MMIO &&
	     vm->run->mmio.phys_addr == GPA_EXIT,
	     "the guest leaves by its store, not by %u",
	     vm->run->exit_reason);
}

void vm_set_x(struct vm *vm, unsigned int n, u64 val)
{
	set_reg(vm, CORE_REG(regs.regs[0]) + 2 * n, val);
}

void vm_create_with(struct vm *vm, void *mem, size_t size,
		    const struct vm_code *code)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GPA_BASE,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};
	struct kvm_vcpu_init init;

	vm->vfio = -1;
	vm->fd = ioctl(e2e.kvm, KVM_CREATE_VM, 0);
	must(vm->fd >= 0, "KVM_CREATE_VM");
	must(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot), "guest memory");
	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	must(vm->vcpu >= 0, "KVM_CREATE_VCPU");
	must(!ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init), "target");
	init.features[0] |= code->features;
	must(!ioctl(vm->vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");

	vm->run_size = ioctl(e2e.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       vm->vcpu, 0);
	must(vm->run != MAP_FAILED, "kvm_run");

	memcpy((u8 *)mem + OFF_CODE, code->begin, code->end - code->begin);
	__builtin___clear_cache((char *)mem + OFF_CODE,
				(char *)mem + OFF_CODE + PAGE);
	set_reg(vm, CORE_REG(regs.pc), GPA_BASE + OFF_CODE);
	vm_set_x(vm, 2, GPA_EXIT);
}

void vm_create(struct vm *vm, void *mem, size_t size)
{
	const struct vm_code code = { guest_code, guest_code_end, 0 };

	vm_create_with(vm, mem, size, &code);
}

void vm_close(struct vm *vm)
{
	munmap(vm->run, vm->run_size);
	if (vm->vfio >= 0)
		close(vm->vfio);
	vm->vfio = -1;
	close(vm->vcpu);
	close(vm->fd);
}

void vm_exec(struct vm *vm, enum guest_op op, u16 asid, u64 va)
{
	/* The first run only reaches the first exit */
	if (!vm->run->mmio.phys_addr)
		run(vm);
	vm_set_x(vm, 0, op);
	vm_set_x(vm, 1, (u64)asid << 48 | va >> 12);
	run(vm);
}

static void *churn_run(void *arg)
{
	unsigned int count = (uintptr_t)arg;
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct vm vm;

	must(mem != MAP_FAILED, "a page of guest memory");
	while (count--) {
		vm_create(&vm, mem, PAGE);
		vm_exec(&vm, GUEST_TLBI_ALL, 0, 0);
		vm_close(&vm);
	}
	munmap(mem, PAGE);
	return NULL;
}

/* The end of a VM is mostly waiting, so that several threads are quicker */
void vm_churn(unsigned int count)
{
	pthread_t thread[CHURN_THREADS];
	unsigned int i, part;

	for (i = 0; i < CHURN_THREADS; i++) {
		part = (count + i) / CHURN_THREADS;
		must(!pthread_create(&thread[i], NULL, churn_run,
				     (void *)(uintptr_t)part), "a thread");
	}
	for (i = 0; i < CHURN_THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* With KVM's VFIO device there */
int vm_try_add_file(struct vm *vm, int fd)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (uintptr_t)&fd,
	};

	return ioctl(vm->vfio, KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}

void vm_add_file(struct vm *vm, int fd)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_VFIO };

	if (vm->vfio < 0) {
		must(!ioctl(vm->fd, KVM_CREATE_DEVICE, &dev), "KVM-VFIO");
		vm->vfio = dev.fd;
	}
	must(!vm_try_add_file(vm, fd), "VFIO_FILE_ADD");
}

void vm_del_file(struct vm *vm, int fd)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_DEL,
		.addr = (uintptr_t)&fd,
	};

	must(!ioctl(vm->vfio, KVM_SET_DEVICE_ATTR, &attr), "VFIO_FILE_DEL");
}

unsigned int vms_alive(void)
{
	DIR *dir = opendir("/sys/kernel/debug/kvm");
	unsigned int vms = 0;
	struct dirent *ent;

	must(dir, "KVM's debugfs");
	/* A VM's is called by the numbers of a process and of a file */
	while ((ent = readdir(dir)))
		vms += isdigit(ent->d_name[0]) != 0;
	closedir(dir);
	return vms;
}
