// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs that come and go, so that no VMID is right by chance.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kvm.h>

#include "host.h"

#define PAGE		4096
#define GPA_CODE	0x40000000ul
#define GPA_EXIT	0x09000000ul	/* no memory: a store to it leaves */

static int set_reg(int vcpu, uint64_t reg, uint64_t val)
{
	struct kvm_one_reg one = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | reg,
		.addr = (uintptr_t)&val,
	};

	return ioctl(vcpu, KVM_SET_ONE_REG, &one);
}

/* One VM whose guest leaves at once: it has had a VMID then. */
static int run_other(int kvm, uint32_t *mem)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GPA_CODE,
		.memory_size = PAGE,
		.userspace_addr = (uintptr_t)mem,
	};
	struct kvm_vcpu_init init;
	int vm, vcpu = -1, ret = -1;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return -1;
	if (!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) &&
	    !ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init))
		vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu >= 0 && !ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) &&
	    !set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.pc), GPA_CODE) &&
	    !set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.regs[2]), GPA_EXIT))
		ret = ioctl(vcpu, KVM_RUN, 0);
	if (vcpu >= 0)
		close(vcpu);
	close(vm);
	return ret;
}

static unsigned int run_some(unsigned int count)
{
	uint32_t *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	unsigned int i;

	if (mem == MAP_FAILED || kvm < 0) {
		say_error("/dev/kvm");
		return 0;
	}
	mem[0] = 0xf900005f;	/* str xzr, [x2] */
	__builtin___clear_cache((char *)mem, (char *)(mem + 1));
	for (i = 0; i < count && !run_other(kvm, mem); i++)
		;
	close(kvm);
	munmap(mem, PAGE);
	return i;
}

/** run_others - run VMs one after the other, and say how many */
void run_others(unsigned int count)
{
	printf("vmm: others %u\n", run_some(count));
}

static unsigned long *churned;

/** start_churn - run VMs from now on, beside whatever else runs */
void start_churn(void)
{
	churned = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fflush(stdout);
	if (churned == MAP_FAILED || fork())
		return;
	for (;;)
		__atomic_add_fetch(churned, run_some(16), __ATOMIC_RELAXED);
}

/** churn_count - how many VMs that were */
unsigned long churn_count(void)
{
	return churned ? __atomic_load_n(churned, __ATOMIC_RELAXED) : 0;
}

