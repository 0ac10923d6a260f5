/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What arch/arm64/kvm/vmid.c takes from the kernel, for userspace. The headers
 * that it includes are empty; bits, lists and errors are those of tools/include.
 * An atomic operation has the memory order that its name says and no more.
 */
#ifndef VMID_RACE_SHIM_H
#define VMID_RACE_SHIM_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#define NR_CPUS				2
#define num_possible_cpus()		NR_CPUS
#define for_each_possible_cpu(cpu)	for ((cpu) = 0; (cpu) < NR_CPUS; (cpu)++)

/* As in the kernel, a section for CPU 0 and a copy of it for each other CPU */
extern long cpu_offset[NR_CPUS];
extern __thread unsigned int this_cpu;

#define __percpu
#define DEFINE_PER_CPU(type, name)	__attribute__((section("percpu"))) type name
#define per_cpu_ptr(p, cpu)		((typeof(p))((char *)(p) + cpu_offset[cpu]))
#define per_cpu(var, cpu)		(*per_cpu_ptr(&(var), cpu))
#define this_cpu_ptr(p)			per_cpu_ptr(p, this_cpu)

typedef struct {
	s64 counter;
} atomic64_t;

static inline s64 atomic64_read(const atomic64_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic64_set(atomic64_t *v, s64 i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline s64 atomic64_xchg_relaxed(atomic64_t *v, s64 i)
{
	return __atomic_exchange_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline s64 atomic64_add_return_relaxed(s64 i, atomic64_t *v)
{
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_RELAXED);
}

static inline s64 atomic64_cmpxchg_relaxed(atomic64_t *v, s64 old, s64 new)
{
	__atomic_compare_exchange_n(&v->counter, &old, new, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return old;
}

typedef struct {
	int locked;
} raw_spinlock_t;

#define __RAW_SPIN_LOCK_UNLOCKED(name)	{ 0 }
#define DEFINE_RAW_SPINLOCK(name)	raw_spinlock_t name

static inline void raw_spin_lock(raw_spinlock_t *lock)
{
	while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED))
			;
	}
}

static inline void raw_spin_unlock(raw_spinlock_t *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

#define raw_spin_lock_irqsave(lock, flags)	((flags) = 0, raw_spin_lock(lock))
#define raw_spin_unlock_irqrestore(lock, flags)	((void)(flags), raw_spin_unlock(lock))

struct kvm_vmid {
	atomic64_t id;
	struct kvm_vmid_pin *pin;
};

struct kvm {
	struct {
		unsigned long vcpu_features[1];
		struct {
			struct kvm_vmid vmid;
		} mmu;
	} arch;
};

extern unsigned int kvm_arm_vmid_bits;

/* One number more than VMID 0 and a number for each CPU: rollovers are frequent */
#define kvm_get_vmid_bits()		2
#define kvm_call_hyp(call)		vmid_race_flushes++

extern unsigned long vmid_race_flushes;

/* Pins are not played, only compiled */
struct kvm_vmid_pin {
	u16 vmid;
	u8 bits;
};

struct user_struct {
	unsigned int kvm_vmid_pins;
};

#define current_user()			NULL
#define get_uid(user)			(user)
#define free_uid(user)
#define KVM_ARM_VCPU_HAS_EL2		7
#define bitmap_zalloc(bits, gfp)	calloc(BITS_TO_LONGS(bits), sizeof(long))
#define __free(name)
#define no_free_ptr(p)			(p)
#define kfree(p)			free(p)
#define is_kvm_arm_initialised()	false
#define is_protected_kvm_enabled()	false
#define trace_kvm_vmid_pin(...)
#define trace_kvm_vmid_unpin(...)
#define KUNIT_STATIC_STUB_REDIRECT(...)

#define WARN(condition, ...)		((void)(condition))
#define WARN_ON(condition)		WARN(condition)
#define lockdep_assert_held(lock)
#define ____cacheline_aligned_in_smp	__attribute__((aligned(64)))
#define __ro_after_init
#define __init
#define IS_ENABLED(CONFIG_option)	0

#endif /* VMID_RACE_SHIM_H */
