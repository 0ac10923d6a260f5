// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite for the VMID allocator
 *
 * Each test has an allocator of its own and flushes no TLB. A CPU is a struct
 * vmid_cpu of that allocator and a VM is a struct kvm_vmid: one thread can play
 * all the vCPUs of all the VMs, in any order that it likes, and as many CPUs as
 * it likes.
 */

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/kvm_host.h>
#include <linux/kvm_vmid_pin.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/refcount.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "vmid.h"

#define TEST_ROLLOVERS	3

struct test_cpu {
	struct vmid_cpu vc;
} ____cacheline_aligned_in_smp;

struct vmid_test {
	struct kunit *test;
	struct vmid_allocator va;
	unsigned int nr_cpus;
	struct test_cpu *cpus;
	struct user_struct *user;
};

/* A number space and the CPUs that use it, 0 for those of this machine */
struct test_space {
	unsigned int bits;
	unsigned int cpus;
};

static struct kvm_vmid_pin *vmid_pin(struct vmid_allocator *va,
				     struct kvm_vmid *kvm_vmid,
				     struct user_struct *owner)
{
	return vmid_kunit.pin(va, kvm_vmid, owner);
}

static void vmid_unpin(struct vmid_allocator *va, struct kvm_vmid_pin *pin)
{
	vmid_kunit.unpin(va, pin);
}

static bool vmid_is_pinned_by(struct vmid_allocator *va,
			      struct kvm_vmid_pin *pin,
			      struct kvm_vmid *kvm_vmid)
{
	return vmid_kunit.is_pinned_by(va, pin, kvm_vmid);
}

static void vmid_destroy(struct vmid_allocator *va, struct kvm_vmid *kvm_vmid)
{
	vmid_kunit.destroy(va, kvm_vmid);
}

static unsigned int vmid_max_pins(unsigned int bits, unsigned int cpus)
{
	return vmid_kunit.max_pins(bits, cpus);
}

/* Incremented under the lock of the one allocator that is being tested */
static unsigned int test_flushes;

static void test_flush(void)
{
	test_flushes++;
}

/* Whoever sets a bit for a number that is none sets it in the second half */
static void test_guard_map(struct vmid_test *vt)
{
	unsigned int nr = num_user_vmids(&vt->va);

	bitmap_free(vt->va.map);
	vt->va.map = bitmap_zalloc(2 * nr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(vt->test, vt->va.map);
}

static void test_free_allocator(void *data)
{
	struct vmid_test *vt = data;
	unsigned int nr = num_user_vmids(&vt->va);

	if (vt->va.map)
		KUNIT_EXPECT_EQ(vt->test, 2 * nr,
				find_next_bit(vt->va.map, 2 * nr, nr));
	vmid_kunit.free(&vt->va);
}

/* Somebody who pins VMs */
struct test_user {
	struct kunit *test;
	struct user_struct user;
};

/* All pins are gone: so are their references */
static void test_check_user(void *data)
{
	struct test_user *tu = data;

	KUNIT_EXPECT_EQ(tu->test, tu->user.kvm_vmid_pins, 0);
	KUNIT_EXPECT_EQ(tu->test, refcount_read(&tu->user.__count), 1);
}

static struct user_struct *test_user(struct kunit *test)
{
	struct test_user *tu = kunit_kzalloc(test, sizeof(*tu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tu);
	tu->test = test;
	refcount_set(&tu->user.__count, 1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, test_check_user, tu));
	return &tu->user;
}

static unsigned int test_nr_cpus(unsigned int cpus)
{
	return cpus ?: num_possible_cpus();
}

/* An allocator that can have that many pins */
static struct vmid_test *test_allocator(struct kunit *test, unsigned int bits,
					unsigned int cpus, unsigned int pins)
{
	struct vmid_test *vt;
	struct vmid_allocator *va;
	unsigned int i;

	cpus = test_nr_cpus(cpus);
	if (1U << bits <= cpus + 1)
		kunit_skip(test, "%u CPUs can take all VMIDs of %u bits", cpus, bits);
	if (vmid_max_pins(bits, cpus) < pins)
		kunit_skip(test, "%u CPUs leave less than %u of %u bits to pin",
			   cpus, pins, bits);

	vt = kunit_kzalloc(test, sizeof(*vt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vt);
	vt->test = test;
	vt->nr_cpus = cpus;
	vt->cpus = kunit_kcalloc(test, cpus, sizeof(*vt->cpus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vt->cpus);
	vt->user = test_user(test);

	va = &vt->va;
	raw_spin_lock_init(&va->lock);
	va->flush = test_flush;
	test_flushes = 0;

	va->nr_cpus = cpus;
	va->cpus = kunit_kcalloc(test, cpus, sizeof(*va->cpus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va->cpus);
	for (i = 0; i < cpus; i++)
		va->cpus[i] = &vt->cpus[i].vc;

	KUNIT_ASSERT_EQ(test, 0, vmid_kunit.init(va, bits));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, test_free_allocator, vt));
	test_guard_map(vt);
	return vt;
}

static struct vmid_test *test_allocator_param(struct kunit *test,
					      unsigned int pins)
{
	const struct test_space *space = test->param_value;

	return test_allocator(test, space->bits, space->cpus, pins);
}

/* The fewest bits that leave something to pin: rollovers find little space */
static unsigned int test_tight_bits(unsigned int cpus)
{
	unsigned int bits = 2;

	while (vmid_max_pins(bits, test_nr_cpus(cpus)) < 2)
		bits++;
	return bits;
}

static struct vmid_cpu *test_cpu(struct vmid_test *vt, unsigned int n)
{
	return vt->va.cpus[n];
}

/* As vcpu_load does. Tells whether the lock was not needed. */
static bool test_load(struct vmid_test *vt, unsigned int cpu,
		      struct kvm_vmid *vm)
{
	return vmid_kunit.load(&vt->va, test_cpu(vt, cpu), vm);
}

static void test_put(struct vmid_test *vt, unsigned int cpu)
{
	vmid_kunit.put(&vt->va, test_cpu(vt, cpu));
}

/* The number that VTTBR_EL2 gets while the VM is loaded */
static unsigned int test_vmid(struct vmid_test *vt, struct kvm_vmid *vm)
{
	return vmid2idx(&vt->va, atomic64_read(&vm->id));
}

/* Run a VM that is new, and gone afterwards */
static unsigned int test_run_new(struct vmid_test *vt, unsigned int cpu)
{
	struct kvm_vmid vm = {};

	test_load(vt, cpu, &vm);
	test_put(vt, cpu);
	return test_vmid(vt, &vm);
}

/* Run new VMs until one of them has caused a rollover. None gets @taken. */
static void test_rollover(struct kunit *test, struct vmid_test *vt,
			  unsigned int cpu, unsigned int taken)
{
	unsigned int flushes = test_flushes;
	unsigned int i, vmid;

	for (i = 0; i < 1U << vt->va.bits; i++) {
		vmid = test_run_new(vt, cpu);
		if (vmid == 0 || vmid == taken)
			KUNIT_FAIL_AND_ABORT(test, "a new VM got VMID %u", vmid);
		if (test_flushes != flushes)
			return;
	}
	KUNIT_FAIL_AND_ABORT(test, "no rollover");
}

/*
 * Run new VMs until one of them gets @vmid. That must happen in the generation
 * behind the next rollover, and not before.
 */
static void test_comes_back(struct kunit *test, struct vmid_test *vt,
			    unsigned int vmid)
{
	unsigned int flushes = test_flushes;
	unsigned int i;

	for (i = 0; i < 2U << vt->va.bits; i++) {
		if (test_run_new(vt, 0) == vmid)
			break;
	}
	KUNIT_EXPECT_EQ(test, test_flushes, flushes + 1);
}

static struct kvm_vmid_pin *test_pin(struct kunit *test, struct vmid_test *vt,
				     struct kvm_vmid *vm)
{
	struct kvm_vmid_pin *pin = vmid_pin(&vt->va, vm, vt->user);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pin);
	return pin;
}

static const struct test_space test_spaces[] = {
	{ 8, 0 }, { 8, 1 }, { 8, 252 }, { 8, 254 }, { 8, 300 }, { 16, 0 }, { 16, 300 },
};

static void test_space_desc(const struct test_space *space, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bits, %u CPUs", space->bits,
		 test_nr_cpus(space->cpus));
}

KUNIT_ARRAY_PARAM(vmid_space, test_spaces, test_space_desc);

/* Every number but 0 is given out once, and only then is there a rollover */
static void vmid_test_alloc(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 0);
	unsigned int nr = 1U << vt->va.bits;
	unsigned long *seen = kunit_kcalloc(test, BITS_TO_LONGS(nr),
					    sizeof(long), GFP_KERNEL);
	unsigned int i, vmid;

	KUNIT_ASSERT_NOT_NULL(test, seen);

	for (i = 1; i < nr; i++) {
		vmid = test_run_new(vt, 0);
		KUNIT_ASSERT_LT(test, vmid, nr);
		KUNIT_ASSERT_NE(test, vmid, 0);
		KUNIT_ASSERT_FALSE(test, __test_and_set_bit(vmid, seen));
	}
	KUNIT_EXPECT_TRUE(test, test_bit(nr - 1, seen));
	KUNIT_EXPECT_EQ(test, test_flushes, 0);

	vmid = test_run_new(vt, 0);
	KUNIT_EXPECT_EQ(test, test_flushes, 1);
	KUNIT_EXPECT_NE(test, vmid, 0);
}

/* vCPUs that run across rollovers keep their numbers, and nobody gets 0 */
static void vmid_test_run_across_rollover(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 0);
	unsigned int nr = vt->nr_cpus - 1;
	struct kvm_vmid *vms;
	unsigned int *vmids;
	unsigned int i, j;

	if (vt->nr_cpus < 2)
		kunit_skip(test, "needs two CPUs");

	vms = kunit_kcalloc(test, nr, sizeof(*vms), GFP_KERNEL);
	vmids = kunit_kcalloc(test, nr, sizeof(*vmids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vms);
	KUNIT_ASSERT_NOT_NULL(test, vmids);

	/* Not the first numbers, which the search comes to first */
	for (i = 0; i < 10; i++)
		test_run_new(vt, nr);
	for (i = 0; i < nr; i++) {
		test_load(vt, i, &vms[i]);
		vmids[i] = test_vmid(vt, &vms[i]);
	}

	/* The VMs do not ask again: a CPU's reserved VMID is all there is */
	for (j = 0; j < TEST_ROLLOVERS; j++)
		test_rollover(test, vt, nr, vmids[j % nr]);

	/* They do on another CPU, where another vCPU of theirs is loaded */
	for (j = 0; j < TEST_ROLLOVERS; j++) {
		for (i = 0; i < nr; i++) {
			test_load(vt, nr, &vms[i]);
			KUNIT_EXPECT_EQ(test, test_vmid(vt, &vms[i]), vmids[i]);
			test_put(vt, nr);
		}
		test_rollover(test, vt, nr, vmids[j % nr]);
	}
}

/* After a rollover each CPU's next load takes the lock, also behind a put */
static void vmid_test_put_after_rollover(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 0);
	struct kvm_vmid vm = {}, next = {};

	if (vt->nr_cpus < 2)
		kunit_skip(test, "needs two CPUs");

	test_load(vt, 0, &vm);
	KUNIT_EXPECT_TRUE(test, test_load(vt, 0, &vm));
	test_put(vt, 0);
	KUNIT_EXPECT_TRUE(test, test_load(vt, 0, &vm));

	test_rollover(test, vt, 1, test_vmid(vt, &vm));
	test_load(vt, 1, &next);
	test_put(vt, 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&test_cpu(vt, 0)->active), 0);
	KUNIT_EXPECT_FALSE(test, test_load(vt, 0, &next));
	test_put(vt, 0);
	KUNIT_EXPECT_TRUE(test, test_load(vt, 0, &next));
}

/* Where every CPU runs a VM at a rollover, nothing marks 0 as taken */
static void vmid_test_zero(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 0);
	struct kvm_vmid *vms;
	unsigned int i, n;

	vms = kunit_kcalloc(test, vt->nr_cpus, sizeof(*vms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vms);

	for (n = 0; n < TEST_ROLLOVERS << vt->va.bits; n++) {
		/* Another VM takes the CPU over without a put */
		i = n % vt->nr_cpus;
		atomic64_set(&vms[i].id, 0);
		test_load(vt, i, &vms[i]);
		KUNIT_ASSERT_NE(test, test_vmid(vt, &vms[i]), 0);
	}
	KUNIT_EXPECT_GE(test, test_flushes, TEST_ROLLOVERS);
}

struct test_limit {
	unsigned int bits;
	unsigned int cpus;
	unsigned int pins;
};

static const struct test_limit test_limits[] = {
	{  8, 1, 127 }, {  8, 8, 123 }, {  8, 128, 63 }, {  8, 252, 1 },
	{  8, 253, 1 }, {  8, 254, 0 }, {  8, 255, 0 }, {  8, 256, 0 },
	{  8, 4096, 0 }, { 16, 1, 32767 }, { 16, 512, 32511 },
	{ 16, 65533, 1 }, { 16, 65534, 0 }, { 16, 65536, 0 }, { 16, UINT_MAX, 0 },
};

static void test_limit_desc(const struct test_limit *limit, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bits, %u CPUs", limit->bits,
		 limit->cpus);
}

KUNIT_ARRAY_PARAM(vmid_limit, test_limits, test_limit_desc);

static void vmid_test_max_pins(struct kunit *test)
{
	const struct test_limit *limit = test->param_value;

	KUNIT_EXPECT_EQ(test, vmid_max_pins(limit->bits, limit->cpus),
			limit->pins);
}

static const unsigned int test_cpus[] = { 0, 1, 300 };

static void test_cpus_desc(const unsigned int *cpus, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u CPUs", test_nr_cpus(*cpus));
}

KUNIT_ARRAY_PARAM(vmid_cpus, test_cpus, test_cpus_desc);

/*
 * With all pins taken and each CPU holding on to a number of its own, every
 * rollover still finds one. The CPUs run VMs that are not pinned.
 */
static void vmid_test_limit(struct kunit *test)
{
	unsigned int cpus = *(const unsigned int *)test->param_value;
	struct vmid_test *vt = test_allocator(test, test_tight_bits(cpus), cpus, 2);
	unsigned int nr = vt->va.max_pins;
	struct kvm_vmid *vms, one_more = {};
	struct kvm_vmid_pin **pins;
	unsigned int i, j, n;

	pins = kunit_kcalloc(test, nr, sizeof(*pins), GFP_KERNEL);
	vms = kunit_kcalloc(test, nr + vt->nr_cpus, sizeof(*vms), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pins);
	KUNIT_ASSERT_NOT_NULL(test, vms);

	/* Each pin is of another user: none of them has more than are left */
	for (i = 0; i < nr; i++) {
		vt->user = test_user(test);
		pins[i] = test_pin(test, vt, &vms[i]);
	}

	vt->user = test_user(test);
	KUNIT_ASSERT_EQ(test, PTR_ERR(vmid_pin(&vt->va, &one_more, vt->user)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic64_read(&one_more.id), 0);
	KUNIT_EXPECT_NULL(test, one_more.pin);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, nr);

	/* What is pinned can be pinned again */
	KUNIT_EXPECT_PTR_EQ(test, test_pin(test, vt, &vms[0]), pins[0]);
	vmid_unpin(&vt->va, pins[0]);

	for (n = 0; n < TEST_ROLLOVERS << vt->va.bits; n++) {
		struct kvm_vmid *vm = &vms[nr + n % vt->nr_cpus];

		atomic64_set(&vm->id, 0);
		test_load(vt, n % vt->nr_cpus, vm);
		KUNIT_ASSERT_LT(test, test_vmid(vt, vm), 1U << vt->va.bits);
		for (j = 0; j < nr; j++)
			KUNIT_ASSERT_NE(test, test_vmid(vt, vm), pins[j]->vmid);
	}
	KUNIT_EXPECT_GE(test, test_flushes, TEST_ROLLOVERS);

	vmid_unpin(&vt->va, pins[0]);
	pins[0] = test_pin(test, vt, &one_more);
	for (i = 0; i < nr; i++)
		vmid_unpin(&vt->va, pins[i]);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 0);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(vt->va.pinned_map,
					     num_user_vmids(&vt->va)));
}

/* Pin VMs that die at once, as often as that works. Returns how often. */
static unsigned int test_take_all(struct vmid_test *vt, struct user_struct *user,
				  struct kvm_vmid_pin **pins)
{
	unsigned int nr = 0;

	for (;;) {
		struct kvm_vmid vm = {};
		struct kvm_vmid_pin *pin = vmid_pin(&vt->va, &vm, user);

		vmid_destroy(&vt->va, &vm);
		if (IS_ERR(pin))
			return PTR_ERR(pin) == -ENOSPC ? nr : UINT_MAX;
		pins[nr++] = pin;
	}
}

static void test_give_all(struct vmid_test *vt, struct kvm_vmid_pin **pins,
			  unsigned int nr)
{
	while (nr--)
		vmid_unpin(&vt->va, pins[nr]);
}

/* A user takes half of what the users before have left, and never the last pin */
static void vmid_test_tenants(struct kunit *test)
{
	struct vmid_test *vt = test_allocator(test, 8, 8, 123);
	struct user_struct *users[4];
	struct kvm_vmid_pin **pins[4], *pin;
	static const unsigned int expected[4] = { 62, 31, 15, 8 };
	struct kvm_vmid vm = {};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		users[i] = test_user(test);
		pins[i] = kunit_kcalloc(test, 123, sizeof(*pins[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, pins[i]);
	}
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_EQ(test, expected[i],
				test_take_all(vt, users[i], pins[i]));
		KUNIT_EXPECT_EQ(test, users[i]->kvm_vmid_pins, expected[i]);
	}
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 62 + 31 + 15 + 8);

	/* One is given back, and can be had again, by another one as well */
	vmid_unpin(&vt->va, pins[3][7]);
	vt->user = users[3];
	pins[3][7] = test_pin(test, vt, &vm);
	KUNIT_EXPECT_PTR_EQ(test, vmid_pin(&vt->va, &vm, users[0]), pins[3][7]);
	KUNIT_EXPECT_EQ(test, users[0]->kvm_vmid_pins, 62);

	/* It is charged until it is gone, whoever gives back the last reference */
	vmid_unpin(&vt->va, pins[3][7]);
	KUNIT_EXPECT_EQ(test, users[3]->kvm_vmid_pins, 8);
	test_give_all(vt, pins[3], 8);
	KUNIT_EXPECT_EQ(test, users[3]->kvm_vmid_pins, 0);

	/* The second one has the limit of the first, once the first has gone */
	test_give_all(vt, pins[0], 62);
	test_give_all(vt, pins[1], 31);
	test_give_all(vt, pins[2], 15);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 0);
	pin = test_pin(test, vt, &vm);
	KUNIT_EXPECT_EQ(test, 61, test_take_all(vt, users[1], pins[1]));
	vmid_unpin(&vt->va, pin);
	KUNIT_EXPECT_EQ(test, 1, test_take_all(vt, users[1], &pins[1][61]));
	test_give_all(vt, pins[1], 62);
}

/* Where only one VMID can be pinned anybody can have it; where none, nobody */
static void vmid_test_few_pins(struct kunit *test)
{
	struct vmid_test *one = test_allocator(test, 8, 252, 1);
	struct vmid_test *none = test_allocator(test, 8, 254, 0);
	struct user_struct *other = test_user(test);
	struct kvm_vmid vm = {}, other_vm = {};
	struct kvm_vmid_pin *pin = test_pin(test, one, &vm);

	KUNIT_EXPECT_EQ(test, PTR_ERR(vmid_pin(&one->va, &other_vm, other)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, PTR_ERR(vmid_pin(&one->va, &other_vm, one->user)), -ENOSPC);
	vmid_unpin(&one->va, pin);
	pin = vmid_pin(&one->va, &other_vm, other);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pin);
	KUNIT_EXPECT_EQ(test, PTR_ERR(vmid_pin(&one->va, &vm, one->user)), -ENOSPC);
	vmid_unpin(&one->va, pin);

	atomic64_set(&vm.id, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(vmid_pin(&none->va, &vm, none->user)), -ENOSPC);
	KUNIT_EXPECT_EQ(test, atomic64_read(&vm.id), 0);
	KUNIT_EXPECT_NULL(test, vm.pin);
}

/* A VM that has never run has its number from the pin on */
static void vmid_test_pin_never_run(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);

	KUNIT_EXPECT_NE(test, pin->vmid, 0);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), pin->vmid);

	test_rollover(test, vt, 0, pin->vmid);
	test_load(vt, 0, &vm);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), pin->vmid);
	vmid_unpin(&vt->va, pin);
}

/* Pinning a VM that has run does not change its number */
static void vmid_test_pin_has_run(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin;
	unsigned int vmid;

	test_run_new(vt, 0);
	test_load(vt, 0, &vm);
	test_put(vt, 0);
	vmid = test_vmid(vt, &vm);

	pin = test_pin(test, vt, &vm);
	KUNIT_EXPECT_EQ(test, pin->vmid, vmid);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), vmid);
	vmid_unpin(&vt->va, pin);
}

/* A VM that slept while its number went to another is not pinned under that */
static void vmid_test_pin_stale(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin;
	unsigned int vmid;

	test_load(vt, 0, &vm);
	test_put(vt, 0);
	vmid = test_vmid(vt, &vm);
	test_comes_back(test, vt, vmid);

	pin = test_pin(test, vt, &vm);
	KUNIT_EXPECT_NE(test, pin->vmid, vmid);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), pin->vmid);
	vmid_unpin(&vt->va, pin);
}

/* A living VM keeps its pinned number over rollovers that it sleeps through */
static void vmid_test_pinned_across_rollover(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);
	unsigned int i;

	for (i = 0; i < TEST_ROLLOVERS; i++)
		test_rollover(test, vt, 0, pin->vmid);

	for (i = 0; i < TEST_ROLLOVERS; i++) {
		test_load(vt, 0, &vm);
		KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), pin->vmid);
		test_put(vt, 0);
		test_rollover(test, vt, 0, pin->vmid);
	}
	vmid_unpin(&vt->va, pin);
}

/* Only the first load on each CPU after a rollover takes the lock */
static void vmid_test_pinned_fast_path(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);
	unsigned int cpu, i, n;

	for (i = 0; i < TEST_ROLLOVERS; i++) {
		test_rollover(test, vt, 0, pin->vmid);
		for (cpu = 0; cpu < vt->nr_cpus; cpu++) {
			test_load(vt, cpu, &vm);
			test_put(vt, cpu);
			for (n = 0; n < 10; n++) {
				KUNIT_EXPECT_TRUE(test, test_load(vt, cpu, &vm));
				test_put(vt, cpu);
			}
		}
	}
	vmid_unpin(&vt->va, pin);
}

/* The number outlives the VM, and comes back behind a flush */
static void vmid_test_vm_dies_first(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid *vm = kzalloc_obj(*vm);
	struct kvm_vmid_pin *pin;
	unsigned int i, vmid;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	pin = test_pin(test, vt, vm);
	vmid = pin->vmid;
	test_load(vt, 0, vm);
	test_put(vt, 0);
	vmid_destroy(&vt->va, vm);
	kfree(vm);

	for (i = 0; i < TEST_ROLLOVERS; i++)
		test_rollover(test, vt, 0, vmid);

	vmid_unpin(&vt->va, pin);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 0);
	test_comes_back(test, vt, vmid);
}

/* A VM that lives on after the unpin is as if it had never been pinned */
static void vmid_test_unpin_living(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);
	unsigned int vmid = pin->vmid;
	unsigned int flushes = test_flushes;

	vmid_unpin(&vt->va, pin);
	KUNIT_EXPECT_NULL(test, vm.pin);

	/* It still has its number, so no other VM has */
	test_load(vt, 0, &vm);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), vmid);
	KUNIT_EXPECT_EQ(test, test_flushes, flushes);
	test_put(vt, 0);

	/* Until it is asleep at a rollover, and another VM comes first */
	test_comes_back(test, vt, vmid);
	test_load(vt, 0, &vm);
	KUNIT_EXPECT_NE(test, test_vmid(vt, &vm), vmid);
}

/* One pin a VM, and as many unpins as pins */
static void vmid_test_repeat_pin(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 3);
	struct kvm_vmid vm = {}, other = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);
	struct kvm_vmid_pin *other_pin = test_pin(test, vt, &other);

	KUNIT_EXPECT_PTR_EQ(test, test_pin(test, vt, &vm), pin);
	KUNIT_EXPECT_PTR_NE(test, other_pin, pin);
	KUNIT_EXPECT_NE(test, other_pin->vmid, pin->vmid);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 2);

	KUNIT_EXPECT_TRUE(test, vmid_is_pinned_by(&vt->va, pin, &vm));
	KUNIT_EXPECT_FALSE(test, vmid_is_pinned_by(&vt->va, pin, &other));
	KUNIT_EXPECT_FALSE(test, vmid_is_pinned_by(&vt->va, other_pin, &vm));

	vmid_unpin(&vt->va, pin);
	KUNIT_EXPECT_TRUE(test, vmid_is_pinned_by(&vt->va, pin, &vm));
	test_rollover(test, vt, 0, pin->vmid);

	/* A VM that is destroyed is that of no pin, whatever comes there next */
	vmid_destroy(&vt->va, &vm);
	KUNIT_EXPECT_FALSE(test, vmid_is_pinned_by(&vt->va, pin, &vm));
	atomic64_set(&vm.id, 0);
	KUNIT_EXPECT_FALSE(test, vmid_is_pinned_by(&vt->va, pin, &vm));

	vmid_unpin(&vt->va, pin);
	vmid_unpin(&vt->va, other_pin);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 0);
}

/* An unpin too many warns, and changes nothing */
static void vmid_test_double_unpin(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 3);
	struct kvm_vmid vm = {}, other = {};
	struct kvm_vmid_pin *pin = test_pin(test, vt, &vm);
	struct kvm_vmid_pin *other_pin = test_pin(test, vt, &other);

	vmid_unpin(&vt->va, pin);
	kunit_warning_suppress(test) {
		vmid_unpin(&vt->va, pin);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 1);
	KUNIT_EXPECT_PTR_EQ(test, other.pin, other_pin);
	KUNIT_EXPECT_TRUE(test, test_bit(other_pin->vmid, vt->va.pinned_map));
	vmid_unpin(&vt->va, other_pin);
}

/*
 * A vCPU has been running since before a rollover when its VM is pinned: the
 * number that gets pinned is the one that it runs with.
 */
static void vmid_test_pin_reserved(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin;
	unsigned int i, vmid;

	if (vt->nr_cpus < 2)
		kunit_skip(test, "needs two CPUs");

	for (i = 0; i < 10; i++)
		test_run_new(vt, 1);
	test_load(vt, 0, &vm);
	vmid = test_vmid(vt, &vm);
	test_rollover(test, vt, 1, vmid);

	pin = test_pin(test, vt, &vm);
	KUNIT_EXPECT_EQ(test, pin->vmid, vmid);

	for (i = 0; i < TEST_ROLLOVERS; i++) {
		test_rollover(test, vt, 1, vmid);
		test_load(vt, 1, &vm);
		KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), vmid);
		test_put(vt, 1);
	}
	vmid_unpin(&vt->va, pin);
}

/*
 * A vCPU runs on CPU 0 from before the first rollover to the end. Its VM is
 * pinned in between, and when the pin is gone CPU 0 still has a VMID that the
 * VM recognises as its own.
 */
static void vmid_test_reserved_before_pinned(struct kunit *test)
{
	struct vmid_test *vt = test_allocator_param(test, 1);
	struct kvm_vmid vm = {};
	struct kvm_vmid_pin *pin;
	unsigned int vmid;

	if (vt->nr_cpus < 2)
		kunit_skip(test, "needs two CPUs");

	pin = test_pin(test, vt, &vm);
	vmid = pin->vmid;
	test_load(vt, 0, &vm);
	test_rollover(test, vt, 1, vmid);

	test_load(vt, 1, &vm);
	test_put(vt, 1);
	vmid_unpin(&vt->va, pin);
	test_rollover(test, vt, 1, vmid);

	test_load(vt, 1, &vm);
	KUNIT_EXPECT_EQ(test, test_vmid(vt, &vm), vmid);
}

/* What the exported functions do on this host, where a VM is only its VMID */
static void vmid_test_exported(struct kunit *test)
{
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	struct kvm_vmid_pin *pin;

	KUNIT_ASSERT_NOT_NULL(test, kvm);
	KUNIT_EXPECT_EQ(test, PTR_ERR(kvm_arm_vmid_pin(NULL)), -ENODEV);

	KUNIT_EXPECT_FALSE(test, kvm_arm_vm_has_el2(NULL));
	KUNIT_EXPECT_FALSE(test, kvm_arm_vm_has_el2(kvm));
	set_bit(KVM_ARM_VCPU_HAS_EL2, kvm->arch.vcpu_features);
	KUNIT_EXPECT_TRUE(test, kvm_arm_vm_has_el2(kvm));

	pin = kvm_arm_vmid_pin(kvm);
	if (!vmid_kunit.host_initialised()) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(pin), -ENODEV);
		return;
	}
	if (is_protected_kvm_enabled()) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(pin), -EPERM);
		return;
	}

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pin);
	KUNIT_EXPECT_NE(test, pin->vmid, 0);
	KUNIT_EXPECT_TRUE(test, kvm_arm_vmid_is_pinned_by(pin, kvm));
	KUNIT_EXPECT_FALSE(test, kvm_arm_vmid_is_pinned_by(pin, NULL));
	KUNIT_EXPECT_PTR_EQ(test, kvm_arm_vmid_pin(kvm), pin);
	kvm_arm_vmid_unpin(pin);
	KUNIT_EXPECT_TRUE(test, kvm_arm_vmid_is_pinned_by(pin, kvm));
	vmid_kunit.host_destroy(&kvm->arch.mmu.vmid);
	KUNIT_EXPECT_FALSE(test, kvm_arm_vmid_is_pinned_by(pin, kvm));
	kvm_arm_vmid_unpin(pin);
}

#define MODEL_CPUS	8
#define MODEL_VMS	24
#define MODEL_PINS	64
#define MODEL_USERS	3
#define MODEL_STEPS	50000

/* A reference to a pin; @serial is that of the VM, which may be gone */
struct model_ref {
	struct kvm_vmid_pin *pin;
	unsigned int serial;
	unsigned int user;
};

struct model_cpu {
	struct model_vm *vm;
	unsigned int vmid;
};

struct model_vm {
	struct kvm_vmid vmid;
	unsigned int serial;
	unsigned int loaded;
};

/*
 * All that there is to know of VMIDs, in plain terms: @tlb says whose entries
 * the TLBs can hold under a number since the last flush, 0 for nobody's. Those
 * of a VM that runs, and of devices of a VM that is pinned, are refilled at
 * once. A number that is given to a VM must not have entries of another.
 */
struct model {
	struct vmid_test *vt;
	struct rnd_state rnd;
	unsigned int flushes;
	unsigned int serial;
	unsigned int nr_refs;
	unsigned int *tlb;
	struct model_cpu *cpus;
	struct user_struct *users[MODEL_USERS];
	struct model_vm vms[MODEL_VMS];
	struct model_ref refs[MODEL_PINS];
};

static unsigned int model_rnd(struct model *m, unsigned int ceil)
{
	return prandom_u32_state(&m->rnd) % ceil;
}

static struct model_ref *model_find_ref(struct model *m, unsigned int serial)
{
	unsigned int i;

	for (i = 0; i < m->nr_refs; i++) {
		if (m->refs[i].serial == serial)
			return &m->refs[i];
	}
	return NULL;
}

/* Those of one user, or of all of them for MODEL_USERS */
static unsigned int model_nr_pins(struct model *m, unsigned int user)
{
	unsigned int i, nr = 0;

	for (i = 0; i < m->nr_refs; i++) {
		if (user == MODEL_USERS || m->refs[i].user == user)
			nr += model_find_ref(m, m->refs[i].serial) == &m->refs[i];
	}
	return nr;
}

static void model_see_flush(struct model *m)
{
	unsigned int i;

	if (m->flushes == test_flushes)
		return;
	m->flushes = test_flushes;

	memset(m->tlb, 0, sizeof(*m->tlb) << m->vt->va.bits);
	for (i = 0; i < m->vt->nr_cpus; i++) {
		if (m->cpus[i].vm)
			m->tlb[m->cpus[i].vmid] = m->cpus[i].vm->serial;
	}
	for (i = 0; i < m->nr_refs; i++)
		m->tlb[m->refs[i].pin->vmid] = m->refs[i].serial;
}

/* @vm has got @vmid, for a CPU or for its devices */
static void model_use(struct kunit *test, struct model *m, struct model_vm *vm,
		      unsigned int vmid)
{
	struct model_ref *ref = model_find_ref(m, vm->serial);

	model_see_flush(m);

	KUNIT_ASSERT_NE(test, vmid, 0);
	KUNIT_ASSERT_LT(test, vmid, 1U << m->vt->va.bits);
	if (m->tlb[vmid] && m->tlb[vmid] != vm->serial)
		KUNIT_FAIL_AND_ABORT(test, "VMID %u has entries of another VM",
				     vmid);
	if (ref)
		KUNIT_ASSERT_EQ(test, vmid, ref->pin->vmid);
	m->tlb[vmid] = vm->serial;
}

static void model_load(struct kunit *test, struct model *m)
{
	struct model_vm *vm = &m->vms[model_rnd(m, MODEL_VMS)];
	unsigned int cpu = model_rnd(m, m->vt->nr_cpus);

	if (m->cpus[cpu].vm)
		return;

	test_load(m->vt, cpu, &vm->vmid);
	model_use(test, m, vm, test_vmid(m->vt, &vm->vmid));
	m->cpus[cpu].vm = vm;
	m->cpus[cpu].vmid = test_vmid(m->vt, &vm->vmid);
	vm->loaded++;
}

static void model_put(struct model *m, unsigned int cpu)
{
	if (!m->cpus[cpu].vm)
		return;

	test_put(m->vt, cpu);
	m->cpus[cpu].vm->loaded--;
	m->cpus[cpu].vm = NULL;
}

static void model_pin(struct kunit *test, struct model *m)
{
	struct model_vm *vm = &m->vms[model_rnd(m, MODEL_VMS)];
	struct model_ref *ref = model_find_ref(m, vm->serial);
	unsigned int user = model_rnd(m, MODEL_USERS);
	struct kvm_vmid_pin *pin;

	if (m->nr_refs == MODEL_PINS)
		return;

	pin = vmid_pin(&m->vt->va, &vm->vmid, m->users[user]);
	if (!ref && model_nr_pins(m, user) + model_nr_pins(m, MODEL_USERS) >=
	    m->vt->va.max_pins) {
		KUNIT_ASSERT_EQ(test, PTR_ERR(pin), -ENOSPC);
		return;
	}
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pin);
	if (ref)
		KUNIT_ASSERT_PTR_EQ(test, pin, ref->pin);
	KUNIT_ASSERT_EQ(test, pin->vmid, test_vmid(m->vt, &vm->vmid));
	model_use(test, m, vm, pin->vmid);
	m->refs[m->nr_refs++] = (struct model_ref){ pin, vm->serial,
						    ref ? ref->user : user };
}

static void model_unpin(struct model *m)
{
	struct model_ref *ref;

	if (!m->nr_refs)
		return;

	ref = &m->refs[model_rnd(m, m->nr_refs)];
	vmid_unpin(&m->vt->va, ref->pin);
	*ref = m->refs[--m->nr_refs];
}

/* Destroy a VM, and create the next one in its place */
static void model_renew(struct model *m, struct model_vm *vm)
{
	if (vm->loaded)
		return;

	vmid_destroy(&m->vt->va, &vm->vmid);
	atomic64_set(&vm->vmid.id, 0);
	vm->serial = ++m->serial;
}

static void model_check(struct kunit *test, struct model *m)
{
	unsigned int i, j;

	for (i = 0; i < m->vt->nr_cpus; i++) {
		if (!m->cpus[i].vm)
			continue;
		KUNIT_ASSERT_EQ(test, m->cpus[i].vmid,
				test_vmid(m->vt, &m->cpus[i].vm->vmid));
		for (j = 0; j < i; j++) {
			if (m->cpus[j].vm)
				KUNIT_ASSERT_EQ(test,
						m->cpus[i].vm == m->cpus[j].vm,
						m->cpus[i].vmid == m->cpus[j].vmid);
		}
	}
	KUNIT_ASSERT_EQ(test, m->vt->va.nr_pins, model_nr_pins(m, MODEL_USERS));
	for (i = 0; i < MODEL_USERS; i++)
		KUNIT_ASSERT_EQ(test, m->users[i]->kvm_vmid_pins, model_nr_pins(m, i));
}

/* @bits are on top of the fewest possible */
static const struct test_space model_spaces[] = {
	{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 0, 300 },
};

static void model_desc(const struct test_space *space, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bits to spare, %u CPUs",
		 space->bits, test_nr_cpus(space->cpus));
}

KUNIT_ARRAY_PARAM(vmid_model, model_spaces, model_desc);

/* Whatever happens in whichever order, compared with the model at each step */
static void vmid_test_model(struct kunit *test)
{
	const struct test_space *space = test->param_value;
	unsigned int bits = space->bits + test_tight_bits(space->cpus);
	struct vmid_test *vt = test_allocator(test, bits, space->cpus, 2);
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->vt = vt;
	vt->nr_cpus = min(vt->nr_cpus, MODEL_CPUS);
	m->tlb = kunit_kcalloc(test, 1U << bits, sizeof(*m->tlb), GFP_KERNEL);
	m->cpus = kunit_kcalloc(test, vt->nr_cpus, sizeof(*m->cpus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->tlb);
	KUNIT_ASSERT_NOT_NULL(test, m->cpus);
	prandom_seed_state(&m->rnd, bits);
	for (i = 0; i < MODEL_VMS; i++)
		m->vms[i].serial = ++m->serial;
	for (i = 0; i < MODEL_USERS; i++)
		m->users[i] = test_user(test);

	for (i = 0; i < MODEL_STEPS; i++) {
		switch (model_rnd(m, 16)) {
		case 0 ... 6:
			model_load(test, m);
			break;
		case 7 ... 11:
			model_put(m, model_rnd(m, vt->nr_cpus));
			break;
		case 12:
			model_pin(test, m);
			break;
		case 13:
			model_unpin(m);
			break;
		default:
			model_renew(m, &m->vms[model_rnd(m, MODEL_VMS)]);
		}
		model_check(test, m);
	}
	KUNIT_EXPECT_GE(test, test_flushes, TEST_ROLLOVERS);

	while (m->nr_refs)
		model_unpin(m);
}

#define RACE_VMS	8
#define RACE_PINS	4
#define RACE_THREADS	8

struct race_vm {
	struct kvm_vmid vmid;
	unsigned int serial;
	/* The pinned number, while there certainly is a pin */
	unsigned int pinned;
};

/*
 * @claims has for each number who uses it, the VM's serial number in the upper
 * half and how many times in the lower. It is claimed after it was got from the
 * allocator and released before it is given back, so what overlaps here
 * overlaps there.
 */
struct race {
	struct vmid_test *vt;
	atomic64_t *claims;
	atomic_t serial;
	struct race_vm vms[RACE_VMS];
};

struct race_cpu {
	struct race *race;
	unsigned int cpu;
	struct task_struct *task;
	struct rnd_state rnd;
	unsigned long clashes;
	unsigned long moves;
	unsigned long slow;
	unsigned long fast;
};

static bool race_claim(struct race *race, unsigned int vmid, u64 serial)
{
	atomic64_t *claim = &race->claims[vmid];
	s64 old = atomic64_read(claim);

	do {
		if (old && old >> 32 != serial)
			return false;
	} while (!atomic64_try_cmpxchg(claim, &old, (serial << 32 | (u32)old) + 1));
	return true;
}

static void race_release(struct race *race, unsigned int vmid)
{
	atomic64_t *claim = &race->claims[vmid];
	s64 old = atomic64_read(claim);

	while (!atomic64_try_cmpxchg(claim, &old, (u32)old == 1 ? 0 : old - 1))
		;
}

/* Now and then for so long that rollovers pass over it */
static void race_stay(struct race_cpu *rc)
{
	bool stay = prandom_u32_state(&rc->rnd) % 4 == 0;
	u64 end = ktime_get_ns() + (stay ? NSEC_PER_MSEC : NSEC_PER_USEC);
	unsigned int flushes = READ_ONCE(test_flushes);

	while (ktime_get_ns() < end && READ_ONCE(test_flushes) < flushes + 2)
		cpu_relax();
}

static void race_run(struct race_cpu *rc, struct race_vm *vm)
{
	struct race *race = rc->race;
	struct vmid_test *vt = race->vt;
	unsigned int vmid, pinned;

	if (test_load(vt, rc->cpu, &vm->vmid))
		rc->fast++;
	else
		rc->slow++;

	vmid = test_vmid(vt, &vm->vmid);
	if (race_claim(race, vmid, vm->serial)) {
		race_stay(rc);
		pinned = READ_ONCE(vm->pinned);
		if (pinned && pinned != vmid)
			rc->moves++;
		if (test_vmid(vt, &vm->vmid) != vmid)
			rc->moves++;
		race_release(race, vmid);
	} else {
		rc->clashes++;
	}

	test_put(vt, rc->cpu);
}

/* A CPU that runs VMs that all CPUs run, and VMs of its own that come and go */
static int race_thread(void *data)
{
	struct race_cpu *rc = data;
	struct race_vm own = {};

	while (!kthread_should_stop()) {
		unsigned int i = prandom_u32_state(&rc->rnd) % (2 * RACE_VMS);

		if (i == RACE_VMS || !own.serial) {
			atomic64_set(&own.vmid.id, 0);
			own.serial = atomic_inc_return(&rc->race->serial);
		}
		race_run(rc, i < RACE_VMS ? &rc->race->vms[i] : &own);
		cond_resched();
	}
	return 0;
}

/* Pin VMs, some of which die at once, and unpin them in some order */
static void race_pins(struct kunit *test, struct race *race)
{
	struct vmid_allocator *va = &race->vt->va;
	struct {
		struct kvm_vmid_pin *pin;
		struct race_vm *vm;
	} slots[RACE_PINS] = {};
	unsigned long end = jiffies + HZ;
	unsigned int pins = 0, clashes = 0;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 1);
	while (time_before(jiffies, end)) {
		struct race_vm dying = {}, *vm = &dying;
		struct kvm_vmid_pin *pin;

		i = prandom_u32_state(&rnd) % RACE_PINS;
		pin = slots[i].pin;
		if (pin) {
			if (slots[i].vm)
				WRITE_ONCE(slots[i].vm->pinned, 0);
			race_release(race, pin->vmid);
			vmid_unpin(va, pin);
			slots[i].pin = NULL;
			continue;
		}

		/* One slot, one VM: @pinned goes with the last reference */
		if (prandom_u32_state(&rnd) % 2)
			vm = &race->vms[i];
		else
			vm->serial = atomic_inc_return(&race->serial);
		pin = vmid_pin(va, &vm->vmid, race->vt->user);
		if (!IS_ERR(pin)) {
			pins++;
			if (!race_claim(race, pin->vmid, vm->serial)) {
				clashes++;
				vmid_unpin(va, pin);
			} else {
				slots[i].pin = pin;
				slots[i].vm = vm == &dying ? NULL : vm;
			}
		}
		if (vm == &dying)
			vmid_destroy(va, &dying.vmid);
		else if (slots[i].pin)
			WRITE_ONCE(vm->pinned, pin->vmid);
		cond_resched();
	}

	for (i = 0; i < RACE_PINS; i++) {
		if (!slots[i].pin)
			continue;
		if (slots[i].vm)
			WRITE_ONCE(slots[i].vm->pinned, 0);
		race_release(race, slots[i].pin->vmid);
		vmid_unpin(va, slots[i].pin);
	}
	KUNIT_EXPECT_EQ(test, clashes, 0);
	KUNIT_EXPECT_GT(test, pins, 0);
}

/*
 * CPUs load and put VMs through rollovers while VMs are being pinned: no number
 * is active for two VMs at once, and none moves under a vCPU or a device.
 */
static void vmid_test_race(struct kunit *test)
{
	struct vmid_test *vt = test_allocator(test, test_tight_bits(0) + 1, 0, 2);
	struct race *race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	unsigned int i, nr = min(vt->nr_cpus, RACE_THREADS);
	struct race_cpu *cpus, sum = {};

	cpus = kunit_kcalloc(test, nr, sizeof(*cpus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race);
	KUNIT_ASSERT_NOT_NULL(test, cpus);
	race->claims = kunit_kcalloc(test, 1U << vt->va.bits,
				     sizeof(*race->claims), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->claims);
	race->vt = vt;
	for (i = 0; i < RACE_VMS; i++)
		race->vms[i].serial = atomic_inc_return(&race->serial);

	for (i = 0; i < nr; i++) {
		cpus[i].race = race;
		cpus[i].cpu = i;
		prandom_seed_state(&cpus[i].rnd, i);
		cpus[i].task = kthread_run(race_thread, &cpus[i], "vmid_test/%u", i);
		if (IS_ERR(cpus[i].task))
			break;
	}

	if (i == nr)
		race_pins(test, race);
	else
		KUNIT_FAIL(test, "no thread for CPU %u", i);

	while (i--) {
		kthread_stop(cpus[i].task);
		sum.clashes += cpus[i].clashes;
		sum.moves += cpus[i].moves;
		sum.slow += cpus[i].slow;
		sum.fast += cpus[i].fast;
	}

	kunit_info(test, "%u CPUs, %lu fast loads, %lu slow, %u rollovers\n",
		   nr, sum.fast, sum.slow, test_flushes);
	KUNIT_EXPECT_EQ(test, sum.clashes, 0);
	KUNIT_EXPECT_EQ(test, sum.moves, 0);
	KUNIT_EXPECT_GT(test, sum.fast, 0);
	KUNIT_EXPECT_GE(test, test_flushes, TEST_ROLLOVERS);
	KUNIT_EXPECT_EQ(test, vt->va.nr_pins, 0);
}

#define PUT_MS		2000
#define PUT_COLD_BYTES	SZ_16M
#define PUT_COLD_STORES	4

struct put_race {
	struct vmid_test *vt;
	u8 *cold;
	unsigned long loads;
	unsigned long stale;
};

/* What a CPU runs is nothing, or of the current generation */
static bool put_is_stale(struct vmid_allocator *va, struct vmid_cpu *vc)
{
	u64 active = atomic64_read(&vc->active);

	return active && active != vmid_active_invalid(va) &&
	       !vmid_gen_match(va, active);
}

/* Without the lock, a rollover may be about to take it away */
static bool put_is_stale_locked(struct vmid_allocator *va, struct vmid_cpu *vc)
{
	unsigned long flags;
	bool stale;

	raw_spin_lock_irqsave(&va->lock, flags);
	stale = put_is_stale(va, vc);
	raw_spin_unlock_irqrestore(&va->lock, flags);
	return stale;
}

/* Puts and loads one VM after the other, as when a guest enters its guest */
static int put_thread(void *data)
{
	struct put_race *race = data;
	struct vmid_test *vt = race->vt;
	struct kvm_vmid vms[2] = {};
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 1);
	while (!kthread_should_stop()) {
		preempt_disable();
		/* These miss the caches and keep the put in the store buffer */
		for (i = 0; i < PUT_COLD_STORES; i++)
			WRITE_ONCE(race->cold[prandom_u32_state(&rnd) % PUT_COLD_BYTES], i);
		test_put(vt, 0);
		test_load(vt, 0, &vms[race->loads++ % 2]);
		if (put_is_stale(&vt->va, test_cpu(vt, 0)))
			race->stale += put_is_stale_locked(&vt->va, test_cpu(vt, 0));
		preempt_enable();
		cond_resched();
	}
	return 0;
}

/*
 * A put does not undo what a rollover on another CPU does at the same time. To
 * see it fail takes two CPUs that let a load overtake a store.
 */
static void vmid_test_put_race(struct kunit *test)
{
	struct vmid_test *vt = test_allocator(test, 2, 2, 0);
	struct put_race race = { .vt = vt };
	struct task_struct *task;
	unsigned long end;

	race.cold = kvzalloc(PUT_COLD_BYTES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race.cold);
	task = kthread_run(put_thread, &race, "vmid_test/put");
	if (IS_ERR(task)) {
		kvfree(race.cold);
		KUNIT_FAIL_AND_ABORT(test, "no thread");
	}

	end = jiffies + msecs_to_jiffies(PUT_MS);
	while (time_before(jiffies, end)) {
		test_run_new(vt, 1);
		cond_resched();
	}
	kthread_stop(task);
	kvfree(race.cold);

	kunit_info(test, "%lu loads, %u rollovers\n", race.loads, test_flushes);
	KUNIT_EXPECT_EQ(test, race.stale, 0);
	KUNIT_EXPECT_GT(test, race.loads, 0);
	KUNIT_EXPECT_GE(test, test_flushes, TEST_ROLLOVERS);
}

static struct kunit_case vmid_test_cases[] = {
	KUNIT_CASE_PARAM(vmid_test_alloc, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_run_across_rollover, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_put_after_rollover, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_zero, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_max_pins, vmid_limit_gen_params),
	KUNIT_CASE_PARAM(vmid_test_limit, vmid_cpus_gen_params),
	KUNIT_CASE(vmid_test_tenants),
	KUNIT_CASE(vmid_test_few_pins),
	KUNIT_CASE_PARAM(vmid_test_pin_never_run, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_pin_has_run, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_pin_stale, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_pinned_across_rollover, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_pinned_fast_path, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_vm_dies_first, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_unpin_living, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_repeat_pin, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_double_unpin, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_pin_reserved, vmid_space_gen_params),
	KUNIT_CASE_PARAM(vmid_test_reserved_before_pinned, vmid_space_gen_params),
	KUNIT_CASE(vmid_test_exported),
	KUNIT_CASE_PARAM(vmid_test_model, vmid_model_gen_params),
	KUNIT_CASE_SLOW(vmid_test_race),
	KUNIT_CASE_SLOW(vmid_test_put_race),
	{}
};

static struct kunit_suite vmid_test_suite = {
	.name = "kvm_arm64_vmid",
	.test_cases = vmid_test_cases,
};

kunit_test_suite(vmid_test_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the VMID allocator of KVM/arm64");
MODULE_LICENSE("GPL");
