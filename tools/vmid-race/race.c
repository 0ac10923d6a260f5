// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's VMID allocator on two CPUs of this machine: CPU 0 puts and loads a VM
 * back to back, CPU 1 runs VMs that are new, which makes it roll over all the
 * time. Emulated CPUs show no store that a later load overtakes.
 *
 * VMID_C is the allocator's source, VMID_LOCK its lock, and VMID_ACTIVE the
 * per-CPU word that says what a CPU runs.
 */

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include "shim.h"
#include VMID_C

#define COLD_BYTES	(64UL << 20)
#define COLD_STORES	4

long cpu_offset[NR_CPUS];
__thread unsigned int this_cpu;
unsigned long vmid_race_flushes;

extern char __start_percpu[], __stop_percpu[];

static unsigned char *cold;
static unsigned long loads, stale, shared;
static unsigned int watched;
static bool stop;

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static unsigned long rollovers(void)
{
	return __atomic_load_n(&vmid_race_flushes, __ATOMIC_RELAXED);
}

static void run_on(unsigned int cpu)
{
	cpu_set_t all, one;
	unsigned int n, nth = 0;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (n = 0; n < CPU_SETSIZE; n++) {
		if (CPU_ISSET(n, &all) && nth++ == cpu)
			CPU_SET(n, &one);
	}
	sched_setaffinity(0, sizeof(one), &one);
	this_cpu = cpu;
}

static unsigned int number_of(u64 vmid)
{
	return vmid & ((1U << kvm_arm_vmid_bits) - 1);
}

/* The first generation is 1, and so is that of the invalid VMID, whose number is 0 */
static bool is_stale(u64 active)
{
	return number_of(active) && active >> kvm_arm_vmid_bits != rollovers() + 1;
}

/* Ask again under the lock: a rollover may be about to take it away */
static bool active_is_stale(void)
{
	atomic64_t *active = this_cpu_ptr(&VMID_ACTIVE);
	bool ret;

	if (!is_stale(atomic64_read(active)))
		return false;
	raw_spin_lock(&VMID_LOCK);
	ret = is_stale(atomic64_read(active));
	raw_spin_unlock(&VMID_LOCK);
	return ret;
}

/* Go on running it for a while: does CPU 1 get it for another VM? */
static void watch(unsigned int number)
{
	unsigned long end = rollovers() + 8;

	__atomic_store_n(&watched, number, __ATOMIC_RELAXED);
	while (rollovers() < end && !stopped())
		;
	__atomic_store_n(&watched, 0, __ATOMIC_RELAXED);
}

/* As a guest hypervisor does that enters and leaves its guest */
static void *put_and_load(void *unused)
{
	struct kvm_vmid vms[2] = {};
	struct kvm_vmid *vm = vms;
	u64 random = 1;
	int i;

	run_on(0);
	while (!stopped()) {
		/* These miss the caches, and keep the put in the store buffer */
		for (i = 0; i < COLD_STORES; i++) {
			random = random * 6364136223846793005 + 1442695040888963407;
			cold[(random >> 32) % COLD_BYTES] = i;
		}
		kvm_arm_vmid_clear_active();
		vm = &vms[loads++ % 2];
		kvm_arm_vmid_update(vm);

		if (active_is_stale()) {
			stale++;
			watch(number_of(atomic64_read(&vm->id)));
		}
	}
	return unused;
}

static void *roll_over(void *unused)
{
	run_on(1);
	while (!stopped()) {
		struct kvm_vmid vm = {};

		kvm_arm_vmid_update(&vm);
		shared += number_of(atomic64_read(&vm.id)) ==
			  __atomic_load_n(&watched, __ATOMIC_RELAXED);
		kvm_arm_vmid_clear_active();
	}
	return unused;
}

int main(int argc, char **argv)
{
	size_t bytes = __stop_percpu - __start_percpu;
	struct timespec time = { argc > 1 ? atoi(argv[1]) : 10 };
	pthread_t threads[NR_CPUS];
	char *copy = aligned_alloc(4096, 4096);

	cpu_offset[1] = memcpy(copy, __start_percpu, bytes) - (void *)__start_percpu;
	cold = calloc(1, COLD_BYTES);
	memset(cold, 1, COLD_BYTES);
	kvm_arm_vmid_alloc_init();
	pthread_create(&threads[0], NULL, put_and_load, NULL);
	pthread_create(&threads[1], NULL, roll_over, NULL);
	nanosleep(&time, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	printf("%lu stale, %lu times another VM's, %lu loads, %lu rollovers\n",
	       stale, shared, loads, vmid_race_flushes);
	return stale || shared;
}
