/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins on the VMIDs that KVM gives to VMs, for IOMMUs that translate under them
 */
#ifndef __LINUX_KVM_VMID_PIN_H
#define __LINUX_KVM_VMID_PIN_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kconfig.h>
#include <linux/types.h>

struct kvm;

/**
 * struct kvm_vmid_pin - A VMID that KVM does not give to another VM
 * @vmid: the VMID
 *
 * Refcounted, and read-only to its users. The number is reserved as long as a
 * reference exists, also when the VM is destroyed first. A living VM keeps it
 * for its canonical stage 2, that is the one that kvm->arch.mmu describes. A
 * guest hypervisor's guests run under other VMIDs, and those are not pinned.
 */
struct kvm_vmid_pin {
	u16 vmid;
};

#if defined(CONFIG_ARM64) && IS_ENABLED(CONFIG_KVM)
struct kvm_vmid_pin *kvm_arm_vmid_pin(struct kvm *kvm);
void kvm_arm_vmid_unpin(struct kvm_vmid_pin *pin);
bool kvm_arm_vmid_is_pinned_by(struct kvm_vmid_pin *pin, struct kvm *kvm);
bool kvm_arm_vm_has_el2(struct kvm *kvm);
#else
static inline struct kvm_vmid_pin *kvm_arm_vmid_pin(struct kvm *kvm)
{
	return ERR_PTR(-ENODEV);
}

static inline void kvm_arm_vmid_unpin(struct kvm_vmid_pin *pin)
{
}

static inline bool kvm_arm_vmid_is_pinned_by(struct kvm_vmid_pin *pin,
					     struct kvm *kvm)
{
	return false;
}

static inline bool kvm_arm_vm_has_el2(struct kvm *kvm)
{
	return false;
}
#endif

#endif /* __LINUX_KVM_VMID_PIN_H */
