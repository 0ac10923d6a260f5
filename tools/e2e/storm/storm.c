// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storm: three VMs with a device each, and edu, whose DMA comes 100 ms after it is
 * asked for. A thread for each of them, at random, attaches, replaces and detaches
 * page tables, maps and unmaps, changes the guest's stage 1 and invalidates as a
 * guest does, makes and destroys vSMMUs that share their VM's VMID or do not, and
 * lets the VM die and another one come. A second thread for each device does
 * DMA all the time. Others move the VMIDs of all of these and make KVM run through
 * its own: see host.c.
 *
 * Where a device has two functions it is one VM's: both are attached as one group, and
 * do DMA by turns.
 *
 * After each unmap and each completed invalidation a DMA shows that it works. Every
 * DMA must write to its word of the page that the model says (tenant.c), and
 * to no other page of all the memory that anybody has or had (mem.c). At
 * quiet points all of that memory is looked at.
 *
 *	e2e.ops=N	how many ioctls, DMAs and TLBIs, of the VMs' threads together
 *	e2e.seed=S	each thread's dice come from it
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "case.h"
#include "vms.h"

#define STORM_STEPS(X)				\
	X(STEP_STORM_RUN,	0x01, "run")

E2E_CASE(storm, 19, "storm", STORM_STEPS,
	 .needs = NEEDS_KVM | NEEDS_EDU, .devices = 8,
	 .refuses = true, .unlimited = true);

#ifdef E2E_INIT
#include "host.h"
#include "mem.h"
#include "tenant.h"

#define DEFAULT_OPS	20000
#define QUIET_POINTS	20	/* of each VM's thread */
#define OTHER_PAUSE_US	300
#define PAIR_TENANT	2	/* whose device has two functions, if there is one */

static struct tenant tenants[TENANTS];
static unsigned int scans, quota;

/* Nobody is inside an operation: look at all memory */
static void quiet_point(struct actor *a)
{
	storm_enter_alone();
	mem_scan(a, storm.edu_region);
	scans++;
	storm_leave();
}

static void *tenant_run(void *arg)
{
	unsigned int next = quota / QUIET_POINTS;
	struct tenant *t = arg;

	while (t->self.total < quota) {
		storm_enter();
		tenant_op(t);
		storm_leave();
		if (t->self.total >= next) {
			quiet_point(&t->self);
			next += quota / QUIET_POINTS + 1;
		}
	}
	return NULL;
}

static void *other_run(void *arg)
{
	struct tenant *t = arg;

	while (!storm_stopped()) {
		storm_enter();
		tenant_other_dma(t);
		storm_leave();
		usleep(roll(&t->other, OTHER_PAUSE_US));
	}
	return NULL;
}

static void edu_verdict(struct tenant *t, int got)
{
	bool own = got >= 0 && got / DATA_PAGES == (int)t->region;
	u32 bit = got == LAND_NOWHERE ? SEEN_REFUSED :
		  own ? 1u << got % DATA_PAGES : 0;

	did(&t->self, OP_LATE_DMA, 0);
	if (bit & t->seen)
		return;
	bad(&t->self, got == LAND_NOWHERE ? BAD_REFUSED :
		      own ? BAD_STALE : BAD_MISDIRECTED,
	    "delayed DMA to %#llx: page %d; it meant the pages %#x meanwhile",
	    (unsigned long long)addr_iova(t->watch), got, t->seen);
}

/* One DMA, and what happens between the command and its effect */
static void edu_round(struct tenant *t, const u32 *pattern)
{
	unsigned int word = VM_TENANTS * DEV_WORDS +
			    t->slot++ % (DEV_WORDS / EDU_WORDS) * EDU_WORDS;
	bool calm = roll(&t->self, 2);
	int id;

	storm_enter();
	t->watch = roll(&t->self, ADDRS);
	id = tenant_expect(t, t->watch);
	t->seen = id < 0 ? SEEN_REFUSED : 1u << id % DATA_PAGES;
	storm.edu_region = t->region;
	edu_write_start(t->d, addr_iova(t->watch) + word * 4, EDU_WORDS * 4);
	storm_leave();
	while (edu_busy(t->d)) {
		storm_enter();
		/* Half of them while only the VMID changes under them */
		if (!calm)
			tenant_op_in_flight(t);
		storm_leave();
		usleep(roll(&t->self, 3000));
	}
	storm_enter();
	edu_verdict(t, mem_landed_edu(word, pattern));
	storm.edu_region = -1;
	if (calm)
		tenant_op(t);
	storm_leave();
}

/* A word of the pattern at a time is nothing that a guest could not do */
static void edu_load(struct tenant *t, const u32 *pattern)
{
	int at;

	while (t->at == AT_NOTHING)
		tenant_op(t);
	at = tenant_expect(t, WINDOW);
	must(at >= 0, "edu can read");
	memcpy(t->mem + OFF_PAGE_A + at % DATA_PAGES * PAGE +
	       VM_TENANTS * DEV_WORDS * 4, pattern, EDU_WORDS * 4);
	edu_read(t->d, addr_iova(WINDOW) + VM_TENANTS * DEV_WORDS * 4,
		 EDU_WORDS * 4);
	must(mem_landed_edu(VM_TENANTS * DEV_WORDS, pattern) == at,
	     "edu has its pattern");
}

static void *edu_run(void *arg)
{
	struct tenant *t = arg;
	u32 pattern[EDU_WORDS];

	mem_edu_pattern(pattern);
	storm_enter();
	edu_load(t, pattern);
	storm_leave();
	while (!storm_stopped())
		edu_round(t, pattern);
	return NULL;
}

static void tenant_init(unsigned int i, int fd)
{
	struct tenant *t = &tenants[i];

	t->num = i;
	t->has_vm = i < VM_TENANTS;
	t->d = t->has_vm ? &testdev[i] : &edu;
	if (i == PAIR_TENANT)
		devs_pair(&t->d, &t->peer);
	t->fd = fd;
	t->own_fd = i >= 2;
	t->region = 2 * i;
	pthread_mutex_init(&t->dev_lock, NULL);
	snprintf(t->self.name, sizeof(t->self.name), "tenant-%u", i);
	snprintf(t->other.name, sizeof(t->other.name), "dma-%u", i);
	dice_init(&t->self, 2 * i);
	dice_init(&t->other, 2 * i + 1);
	tenant_start(t);
}

static void init(void)
{
	unsigned int i;
	int fd;

	storm_init();
	dice_init(&mover, 2 * TENANTS);
	dice_init(&churn, 2 * TENANTS + 1);
	mem_init();
	host_start();
	/* The first two VMs have one iommufd */
	fd = iommufd_open();
	for (i = 0; i < TENANTS; i++)
		tenant_init(i, i < 2 ? fd : iommufd_open());
}

static void run(void)
{
	pthread_t thread[2 * TENANTS + 2];
	unsigned int i, n = 0, first;

	for (i = 0; i < VM_TENANTS; i++)
		must(!pthread_create(&thread[n++], NULL, tenant_run,
				     &tenants[i]), "a thread");
	first = n;
	for (i = 0; i < VM_TENANTS; i++)
		must(!pthread_create(&thread[n++], NULL, other_run,
				     &tenants[i]), "a thread");
	must(!pthread_create(&thread[n++], NULL, edu_run, &tenants[VM_TENANTS]) &&
	     !pthread_create(&thread[n++], NULL, mover_run, NULL) &&
	     !pthread_create(&thread[n++], NULL, churn_run, NULL), "a thread");
	for (i = 0; i < n; i++) {
		if (i == first)
			__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
	}
	quiet_point(&mover);
	for (i = 0; i < TENANTS; i++)
		tenant_end(&tenants[i]);
	host_end();
	quiet_point(&mover);
	for (i = 0; i < TENANTS; i++)
		if (i != 1)
			close(tenants[i].fd);
}

static void add(unsigned int *ops, const struct actor *a)
{
	unsigned int i;

	for (i = 0; i < NUM_OPS; i++)
		ops[i] += a->ops[i];
}

static void report(double seconds)
{
	unsigned int ops[NUM_OPS] = { 0 }, i, total = 0, driven = 0;
	char line[400] = "";
	int vmids;

	for (i = 0; i < TENANTS; i++) {
		add(ops, &tenants[i].self);
		add(ops, &tenants[i].other);
		if (i < VM_TENANTS)
			driven += tenants[i].self.total;
	}
	add(ops, &mover);
	add(ops, &churn);
	for (i = 0; i < NUM_OPS; i++) {
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
			 " %s %u", op_name(i), ops[i]);
		total += ops[i];
	}
	note("%u operations in %.1f s:%s", total, seconds, line);
	note("%u quiet points; moves of VMIDs with devices, in one of 16 requests: %d",
	     scans, host_live_moves());

	check(driven >= quota * VM_TENANTS,
	      "the VMs' threads do %u operations, with seed %u", driven,
	      e2e.seed);
	for (i = 0; i < NUM_OPS; i++)
		if (!ops[i])
			check(i == OP_SHARE && !share_expected(),
			      "there is one of each kind, also %s", op_name(i));
	for (i = 0; i < NUM_BAD; i++)
		check(!bad_count(i), "%s: %u", bad_name(i), bad_count(i));
	if (share_expected() && !(e2e.idr0 & IDR0_VMID16) &&
	    host_live_moves() >= 0)
		check(host_live_moves(), "VMIDs of devices are moved");
	vmids = host_vmids();
	check(vmids <= 0, "no VMID is left behind (%d)", vmids);
}

void case_storm(void)
{
	struct timespec from, to;

	quota = (e2e.ops ?: DEFAULT_OPS) / VM_TENANTS + 1;
	mark(STEP_STORM_RUN);
	clock_gettime(CLOCK_MONOTONIC, &from);
	init();
	run();
	clock_gettime(CLOCK_MONOTONIC, &to);
	mark(STEP_DONE);
	report(to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

#define NUM_VMIDS	65536
#define MAX_STREAMS	16

/**
 * struct streams - which VMIDs each device has used
 * @sid: the StreamIDs
 * @last: the VMID of the last entry of each
 * @num: how many StreamIDs
 * @changes: how often the next entry of one had another VMID
 */
struct streams {
	u32 sid[MAX_STREAMS];
	int last[MAX_STREAMS];
	unsigned int num;
	unsigned int changes;
};

static void note_stream(struct streams *s, const struct ev *e)
{
	unsigned int i;

	for (i = 0; i < s->num && s->sid[i] != e->sid; i++)
		;
	if (i == MAX_STREAMS)
		return;
	if (i == s->num) {
		s->sid[s->num++] = e->sid;
		s->last[i] = e->vmid;
	}
	s->changes += s->last[i] != e->vmid;
	s->last[i] = e->vmid;
}

/* Entries whose VMID has entries of another device in the TLB */
static unsigned int aliases(struct run *r, const struct span *s)
{
	static u32 owner[NUM_VMIDS];
	unsigned int found = 0, i;
	const struct ev *e;

	for (i = 0; i < NUM_VMIDS; i++)
		owner[i] = TRACE_NO_SID;
	for (e = r->t.ev + s->first; e < r->t.ev + s->last; e++) {
		if (e->kind == EV_FLUSH && !strcmp(e->op, "ALL"))
			for (i = 0; i < NUM_VMIDS; i++)
				owner[i] = TRACE_NO_SID;
		if (e->kind == EV_FLUSH && !strcmp(e->op, "VMID"))
			owner[e->vmid & 0xffff] = TRACE_NO_SID;
		if (e->kind != EV_INSERT || e->vmid < 0 ||
		    e->sid == TRACE_NO_SID)
			continue;
		/* Functions of one device are attached together */
		if (owner[e->vmid] != TRACE_NO_SID &&
		    owner[e->vmid] >> 3 != e->sid >> 3)
			found++;
		owner[e->vmid] = e->sid;
	}
	return found;
}

/* Until KVM's next rollover a VMID is one VM's, which tells who it is */
static unsigned int two_vms(const struct span *s)
{
	static int vms[NUM_VMIDS];
	unsigned int found = 0;
	const struct ev *e;
	int vm;

	memset(vms, 0xff, sizeof(vms));
	for_each_event(e, *s, EV_TLBI) {
		if (is_rollover(e))
			memset(vms, 0xff, sizeof(vms));
		vm = e->asid - STORM_ASID;
		if (e->el != 1 || e->vmid < 0 || vm < 0 || vm >= STORM_VMS)
			continue;
		found += vms[e->vmid] >= 0 && vms[e->vmid] != vm;
		vms[e->vmid] = vm;
	}
	return found;
}

void check_storm(struct run *r)
{
	unsigned int inserts = 0, zero = 0, shared = 0, rollovers = 0, alias, two;
	static bool guests[NUM_VMIDS];
	struct streams streams = { 0 };
	const struct ev *e;
	struct span s;

	if (!rule(r, all_steps(r, &s), "storm: steps"))
		return;
	for_each_event(e, s, EV_TLBI) {
		if (e->el == 1 && e->vmid > 0)
			guests[e->vmid] = true;
		rollovers += is_rollover(e);
	}
	for_each_event(e, s, EV_INSERT) {
		inserts++;
		zero += e->vmid == 0;
		if (e->vmid >= 0)
			shared += e->asid == GUEST_ASID && guests[e->vmid];
		if (e->sid != TRACE_NO_SID)
			note_stream(&streams, e);
	}
	rule(r, inserts && !zero, "storm: %u of %u entries have VMID 0", zero,
	     inserts);
	alias = aliases(r, &s);
	rule(r, !alias, "storm: %u times two devices have one VMID", alias);
	two = two_vms(&s);
	rule(r, !two, "storm: %u times two VMs have one VMID", two);
	rule(r, streams.num >= 4 && streams.changes,
	     "storm: %u devices change their VMIDs %u times", streams.num,
	     streams.changes);
	if (r->share)
		rule(r, shared, "storm: %u entries under VMIDs that guests use",
		     shared);
	if (r->vmid8)
		rule(r, rollovers, "storm: KVM runs out of VMIDs %u times",
		     rollovers);
}
#endif
