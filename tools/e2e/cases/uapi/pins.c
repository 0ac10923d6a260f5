// SPDX-License-Identifier: GPL-2.0-only
/*
 * All pins are taken: a user makes a VM, lets its vSMMU share, kills the VM and
 * keeps the vSMMU, as often as that works, and then another user. Each gets half of
 * what is left. Other VMs must do as well as before, but that they cannot share: the
 * trace shows how often KVM runs out of VMIDs.
 *
 * For CPUs with 8-bit VMIDs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define PINS_STEPS(X)				\
	X(STEP_PINS_RUN,	0x01, "run")

E2E_CASE(pins, 11, "uapi-pins", PINS_STEPS,
	 .needs = NEEDS_KVM_VMID8, .devices = 2);

#define RATE_STEPS(X)						\
	X(STEP_RATE_FREE,	0x01, "churn-without-pins")	\
	X(STEP_RATE_TAKEN,	0x02, "churn-with-all-pins")

E2E_CASE(rate, 30, "rollover-rate", RATE_STEPS,
	 .needs = NEEDS_KVM_VMID8, .devices = 2, .unlimited = true);

#ifdef E2E_INIT
#include "e2e.h"

#define ENTRIES_8_BIT	256
#define CHURN_FREE	520	/* KVM runs out of VMIDs twice */
#define CHURN_TAKEN	390	/* and three times */

/* The VM and the device stay if there is no pin for it. Returns the vSMMU */
static int pin_one(int fd, struct dev *d, struct guest *mem, struct vm *vm)
{
	int s2, id;
	u32 out;

	vm_create(vm, mem->mem, PAGE);
	dev_open(d, fd, vm);
	s2 = hwpt_alloc_parent(fd, d->id, mem->ioas);
	must(s2 > 0, "stage 2: %d", s2);
	id = viommu_ask(fd, d->id, s2, E2E_SHARE_VMID, &out);
	if (id < 0) {
		/* An SMMU with 8 bits has none to spare */
		must(!iommufd_destroy(fd, s2), "destroy the stage 2");
		return id;
	}
	dev_close(d);
	vm_close(vm);
	return id;
}

/* It is told that it cannot share, or shares nothing */
static void other_vm(int fd, struct dev *d)
{
	struct guest g;
	struct vsmmu v;
	u32 out;
	int s2, id;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2: %d", s2);
	id = viommu_ask(fd, d->id, s2, E2E_SHARE_VMID, &out);
	check(id == -ENOSPC && !out, "another VM asks: %d, expected %d", id,
	      -ENOSPC);
	vsmmu_init(&v, &g, d, s2, &g.s1, 0);
	check(!v.out_flags, "it does not ask: %#x is reported", v.out_flags);
	must(!dev_attach(d, v.trans), "attach to nested translate");
	check(dma_lands(&g, d) == 'A', "DMA of its device");
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);
	dev_close(d);
	vm_close(&g.vm);
}

/* The user whom KVM charges for a pin; what it may do stays that of root */
static void become(uid_t user)
{
	must(!setresuid(user, 0, 0), "become user %u: %d", user, errno);
}

static void take_all(bool churn)
{
	const unsigned int limit = (ENTRIES_8_BIT - 1 -
				    sysconf(_SC_NPROCESSORS_CONF)) / 2;
	struct dev *d = &testdev[0], *other = &testdev[1];
	unsigned int pins, mine = 0, user = 0, max = e2e.patched ? ENTRIES_8_BIT : 10;
	int fd = iommufd_open(), ret = 0;
	u32 last = 0;
	struct guest mem;
	struct vm vm;

	guest_init(&mem, fd, false);
	if (churn) {
		mark(STEP_RATE_FREE);
		vm_churn(CHURN_FREE);
	}
	for (pins = 0; pins < max; pins++, mine++) {
		ret = pin_one(fd, d, &mem, &vm);
		if (ret < 0 && mine) {
			check(mine == (limit - pins + mine + 1) / 2,
			      "user %u has %u pins of %u, not half of what was left",
			      user, mine, pins);
			dev_close(d);
			vm_close(&vm);
			become(++user);
			mine = 0;
			ret = pin_one(fd, d, &mem, &vm);
		}
		if (ret < 0)
			break;
		last = ret;
	}
	if (!e2e.patched) {
		check(pins == max, "nothing is pinned, nothing runs out");
		return;
	}
	must(last && d->fd >= 0, "some pins, then none: %u", pins);
	check(ret == -ENOSPC, "out of pins: %d, expected %d", ret, -ENOSPC);
	check(pins == limit, "%u VMs could pin, expected %u", pins, limit);
	dev_close(d);
	vm_close(&vm);

	if (churn) {
		mark(STEP_RATE_TAKEN);
		vm_churn(CHURN_TAKEN);
		mark(STEP_DONE);
	}
	other_vm(fd, other);
	must(!iommufd_destroy(fd, last), "one is given back");
	ret = pin_one(fd, d, &mem, &vm);
	check(ret > 0, "asked after one was given back: %d", ret);
	become(0);
	close(fd);
}

void case_pins(void)
{
	mark(STEP_PINS_RUN);
	take_all(false);
	mark(STEP_DONE);
}

/* Besides, many VMs run before and then */
void case_rate(void)
{
	take_all(e2e.patched);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/*
 * How many VMs, each of which executes one TLBI, KVM has VMIDs for between one
 * rollover and the next: the fewest of a step, 0 if there is only one rollover.
 */
static unsigned int vms_per_rollover(const struct span *s)
{
	unsigned int vms = 0, least = 0, rollovers = 0;
	const struct ev *e;

	for_each_event(e, *s, EV_TLBI) {
		vms += by_guest(e);
		if (!is_rollover(e))
			continue;
		if (rollovers++ && (!least || vms < least))
			least = vms;
		vms = 0;
	}
	return least;
}

/* I7: with as many pins as there can be, about twice as many rollovers */
void check_rate(struct run *r)
{
	unsigned int free, taken, used, tlbis;
	struct span s;
	bool found;

	if (!r->share)
		return;
	if (!rule(r, step(r, STEP_RATE_FREE, &s), "rollover-rate: steps"))
		return;
	free = vms_per_rollover(&s);
	if (!rule(r, step(r, STEP_RATE_TAKEN, &s), "rollover-rate: steps"))
		return;
	taken = vms_per_rollover(&s);
	used = guest_vmids(&s, NONE, &found, &tlbis);
	rule(r, free && taken && 2 * taken + 2 * CHURN_THREADS >= free,
	     "rollover-rate: a rollover every %u VMs, with all pins taken every %u",
	     free, taken);
	rule(r, used <= taken + 2 * CHURN_THREADS,
	     "rollover-rate: then %u VMs use %u VMIDs", tlbis, used);
}
#endif
