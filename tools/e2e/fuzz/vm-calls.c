// SPDX-License-Identifier: GPL-2.0-only
/* VMs, and KVM's VFIO devices. */
#include <errno.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "calls.h"
#include "guest-memory.h"

#define REG_PC	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
		 KVM_REG_ARM_CORE_REG(regs.pc))

/* One that is there, if there is any */
static void choose_vm(struct turn *t)
{
	t->dev = file_from(F_VCPU, choose(t, NUM_VMS), NUM_VMS);
}

static void fill_new(struct turn *t)
{
	t->dev = choose(t, NUM_VMS);
}

static int vcpu_new(int vm)
{
	u64 pc = GPA_BASE + OFF_FUZZ_CODE;
	struct kvm_one_reg reg = { .id = REG_PC, .addr = (uintptr_t)&pc };
	struct kvm_vcpu_init init;
	int vcpu;

	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return -errno;
	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) || ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) ||
	    ioctl(vcpu, KVM_SET_ONE_REG, &reg)) {
		close(vcpu);
		return -EIO;
	}
	return vcpu;
}

/* A VM, its vCPU and its VFIO device, or -errno and nothing */
static int vm_make(int *vm, int *vcpu, int *vfio)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GPA_BASE,
		.memory_size = GUEST_SIZE,
		.userspace_addr = (uintptr_t)guest_mem,
	};
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_VFIO };

	*vm = ioctl(e2e.kvm, KVM_CREATE_VM, 0);
	if (*vm < 0)
		return -errno;
	*vcpu = ioctl(*vm, KVM_SET_USER_MEMORY_REGION, &slot) ? -errno : vcpu_new(*vm);
	if (*vcpu >= 0 && !ioctl(*vm, KVM_CREATE_DEVICE, &dev)) {
		*vfio = dev.fd;
		return 0;
	}
	if (*vcpu >= 0)
		close(*vcpu);
	close(*vm);
	return -EIO;
}

static int run_vm_new(struct turn *t)
{
	int vm, vcpu, vfio, ret;

	if (file_at(F_VM, t->dev) >= 0)
		return -EBUSY;
	ret = vm_make(&vm, &vcpu, &vfio);
	if (ret)
		return ret;
	file_put(F_KVM_VFIO, t->dev, vfio);
	file_put(F_VCPU, t->dev, vcpu);
	file_put(F_VM, t->dev, vm);
	return 0;
}

/* Its three files in one order or another, and not always all */
static int run_vm_close(struct turn *t)
{
	static const enum file order[][3] = {
		{ F_VM, F_VCPU, F_KVM_VFIO }, { F_KVM_VFIO, F_VCPU, F_VM },
		{ F_VCPU, F_KVM_VFIO, F_VM }, { F_VM, F_KVM_VFIO, F_VCPU },
	};
	u32 which = choose(t, ARRAY_SIZE(order)), num = 1 + choose(t, 3), i;
	bool any = false;

	for (i = 0; i < num; i++)
		any |= file_close(order[which][i], t->dev);
	return any ? 0 : -EBADF;
}

static int run_vcpu(struct turn *t)
{
	return ioctl(file_at(F_VCPU, t->dev), KVM_RUN, 0) < 0 ? -errno : 0;
}

static int set_file(struct turn *t, u64 attr_num)
{
	u32 dev = file_from(F_DEV, choose(t, model_devs()), model_devs()), odd = choose(t, 32);
	int fd = file_at(F_DEV, dev);
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = attr_num,
		.addr = put_data(t, &fd, sizeof(fd)),
	};

	if (!odd)
		attr.attr = choose(t, 8);
	if (odd == 1)
		attr.group = choose(t, 8);
	return ioctl(file_at(F_KVM_VFIO, t->dev), KVM_SET_DEVICE_ATTR, &attr) < 0 ? -errno : 0;
}

void vm_add(unsigned int vm, int dev)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = KVM_DEV_VFIO_FILE_ADD,
		.addr = (uintptr_t)&dev,
	};

	ioctl(file_at(F_KVM_VFIO, file_from(F_KVM_VFIO, vm, NUM_VMS)), KVM_SET_DEVICE_ATTR, &attr);
}

static int run_file_add(struct turn *t)
{
	return set_file(t, KVM_DEV_VFIO_FILE_ADD);
}

static int run_file_del(struct turn *t)
{
	return set_file(t, KVM_DEV_VFIO_FILE_DEL);
}

/* One that comes and goes: KVM runs out of VMIDs */
static int run_churn(struct turn *t)
{
	int vm, vcpu, vfio, ret = vm_make(&vm, &vcpu, &vfio);

	(void)t;
	if (ret)
		return ret;
	ret = ioctl(vcpu, KVM_RUN, 0) < 0 ? -errno : 0;
	close(vfio);
	close(vcpu);
	close(vm);
	return ret;
}

const struct call vm_calls[] = {
	{ "vm_new", 6, 0, 0, fill_new, NULL, run_vm_new },
	{ "vm_close", 3, 0, 0, choose_vm, NULL, run_vm_close },
	{ "vcpu_run", 8, 0, 0, choose_vm, NULL, run_vcpu },
	{ "vm_churn", 4, 0, 0, choose_vm, NULL, run_churn },
	{ "file_add", 10, 0, 0, choose_vm, NULL, run_file_add },
	{ "file_del", 3, 0, 0, choose_vm, NULL, run_file_del },
	{ }
};
