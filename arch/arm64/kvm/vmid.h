/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of a VMID allocator, for vmid.c and its KUnit suite
 */
#ifndef __ARM64_KVM_VMID_H__
#define __ARM64_KVM_VMID_H__

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/hashtable.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct kvm_vmid;
struct kvm_vmid_pin;
struct user_struct;

/**
 * struct vmid_cpu - What one CPU tells the allocator, and what it keeps for it
 * @active: VMID and generation that this CPU runs, vmid_active_invalid() while it
 *          runs none. Written by the CPU without the lock; a rollover takes it
 *          away and leaves 0.
 * @reserved: @active as the last rollover found it. Under the allocator's lock.
 */
struct vmid_cpu {
	atomic64_t active;
	u64 reserved;
};

/**
 * struct vmid_allocator - A space of VMIDs
 * @bits: width of a VMID, and so where the generation starts in a kvm_vmid
 * @generation: current generation, shifted left by @bits
 * @cpus: the struct vmid_cpu of each possible CPU
 * @nr_cpus: how many there are
 * @flush: removes the entries of all VMIDs from all TLBs. Called at a rollover,
 *         with @lock held and interrupts off.
 * @lock: serialises allocation, rollover and all that has to do with pins
 * @map: VMIDs that are not free in this generation
 * @cur_idx: where the search for a free VMID continues
 * @pinned_map: VMIDs that are not free in the next generation either
 * @nr_pins: number of bits set in @pinned_map
 * @max_pins: what @nr_pins may reach
 * @pins: all pins, by address, so that an unpin too many finds nothing to free
 */
struct vmid_allocator {
	unsigned int bits;
	atomic64_t generation;
	struct vmid_cpu **cpus;
	unsigned int nr_cpus;
	void (*flush)(void);

	/*
	 * The members above are all that a vcpu_load reads when its VMID is of
	 * the current generation: keep the lock out of their cache line.
	 */
	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	unsigned long *map;
	u32 cur_idx;
	unsigned long *pinned_map;
	unsigned int nr_pins;
	unsigned int max_pins;
	DECLARE_HASHTABLE(pins, 6);
};

static inline u64 first_version(const struct vmid_allocator *va)
{
	return 1UL << va->bits;
}

static inline u64 num_user_vmids(const struct vmid_allocator *va)
{
	return first_version(va);
}

static inline u64 vmid2idx(const struct vmid_allocator *va, u64 vmid)
{
	return vmid & GENMASK(va->bits - 1, 0);
}

/*
 * As vmid #0 is always reserved, we will never allocate one
 * as below and can be treated as invalid. This is used to
 * set the active VMID on vCPU schedule out.
 */
static inline u64 vmid_active_invalid(const struct vmid_allocator *va)
{
	return first_version(va);
}

static inline bool vmid_gen_match(const struct vmid_allocator *va, u64 vmid)
{
	return !((vmid ^ atomic64_read(&va->generation)) >> va->bits);
}

#if IS_ENABLED(CONFIG_KVM_ARM64_VMID_KUNIT_TEST)
/**
 * struct vmid_kunit - What the KUnit suite calls, which can be a module
 * @load: as a vcpu_load of @kvm_vmid on the CPU of @vc does; true if it took no lock
 * @put: as a vcpu_put does
 * @pin: see kvm_arm_vmid_pin(), of an allocator and a user of the suite's own
 * @unpin: see kvm_arm_vmid_unpin()
 * @is_pinned_by: see kvm_arm_vmid_is_pinned_by()
 * @destroy: the VM of @kvm_vmid goes
 * @max_pins: how many pins a space of that many bits for that many CPUs allows
 * @init: set up an allocator whose CPUs, lock and flush are
 * @free: free what @init has allocated
 * @host_initialised: whether this host has KVM
 * @host_bits: width of this host's VMIDs
 * @host_destroy: @destroy for this host's own allocator
 */
struct vmid_kunit {
	bool (*load)(struct vmid_allocator *va, struct vmid_cpu *vc,
		     struct kvm_vmid *kvm_vmid);
	void (*put)(struct vmid_allocator *va, struct vmid_cpu *vc);
	struct kvm_vmid_pin *(*pin)(struct vmid_allocator *va,
				    struct kvm_vmid *kvm_vmid,
				    struct user_struct *owner);
	void (*unpin)(struct vmid_allocator *va, struct kvm_vmid_pin *pin);
	bool (*is_pinned_by)(struct vmid_allocator *va, struct kvm_vmid_pin *pin,
			     struct kvm_vmid *kvm_vmid);
	void (*destroy)(struct vmid_allocator *va, struct kvm_vmid *kvm_vmid);
	unsigned int (*max_pins)(unsigned int bits, unsigned int cpus);
	int (*init)(struct vmid_allocator *va, unsigned int bits);
	void (*free)(struct vmid_allocator *va);
	bool (*host_initialised)(void);
	unsigned int *host_bits;
	void (*host_destroy)(struct kvm_vmid *kvm_vmid);
};

extern const struct vmid_kunit vmid_kunit;
#endif

#endif /* __ARM64_KVM_VMID_H__ */
