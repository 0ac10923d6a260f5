// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storm: three VMs with a device each, and edu, whose DMA comes 100 ms after it is
 * asked for. A thread for each of them, at random, attaches, replaces and detaches
 * page tables, maps and unmaps, changes the guest's stage 1 and invalidates as a
 * guest does, makes and destroys vSMMUs that share their VM's VMID or do not, and
 * lets the VM die and another one come. A second thread for each device does
 * DMA all the time. Others move the VMIDs of all of these and make KVM run through
 * its own: see storm-host.c.
 *
 * After each unmap and each completed invalidation a DMA shows that it works. Every
 * DMA must write to its word of the page that the model says (storm-tenant.c), and
 * to no other page of all the memory that anybody has or had (storm-mem.c). At
 * quiet points all of that memory is looked at.
 *
 *	e2e.ops=N	how many ioctls, DMAs and TLBIs, of the VMs' threads together
 *	e2e.seed=S	each thread's dice come from it
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

#define DEFAULT_OPS	20000
#define QUIET_POINTS	20	/* of each VM's thread */
#define MAX_TOLD	8
#define OTHER_PAUSE_US	300
#define TEST_DEVICES	8

struct storm storm = { .edu_region = -1 };

static struct tenant tenants[TENANTS];
static unsigned int bad_count[NUM_BAD], told, scans, quota;
static pthread_mutex_t tell_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const op_names[] = {
#define X(sym, name)	name,
	STORM_OPS(X)
#undef X
};

static const char *const bad_names[] = {
	"misdirected", "stale", "refused", "error",
};

static void dice_init(struct actor *a, unsigned int num)
{
	a->dice = ((u64)e2e.seed << 8 | num) * 0x9e3779b97f4a7c15ull + 1;
	roll(a, 2);
}

/* xorshift64* */
u32 roll(struct actor *a, u32 sides)
{
	a->dice ^= a->dice >> 12;
	a->dice ^= a->dice << 25;
	a->dice ^= a->dice >> 27;
	return (a->dice * 0x2545f4914f6cdd1dull >> 32) % sides;
}

void step(struct actor *a, const char *what, int x, int y)
{
	unsigned int i = a->step++ % STEPS;

	a->steps[i].what = what;
	a->steps[i].a = x;
	a->steps[i].b = y;
}

static void tell_steps(const struct actor *a)
{
	unsigned int i = a->step > STEPS ? a->step - STEPS : 0;

	printf("    #   %s, step %u, after:", a->name, a->step);
	for (; i < a->step; i++)
		printf(" %s(%d,%d)", a->steps[i % STEPS].what,
		       a->steps[i % STEPS].a, a->steps[i % STEPS].b);
	putchar('\n');
}

void bad(struct actor *a, enum storm_bad kind, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&tell_lock);
	bad_count[kind]++;
	if (told++ < MAX_TOLD) {
		printf("    # %s, at operation %u of %s: ", bad_names[kind],
		       a->total, a->name);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
		tell_steps(a);
		tell_steps(&mover);
	}
	pthread_mutex_unlock(&tell_lock);
}

bool did(struct actor *a, enum storm_op op, int ret)
{
	a->ops[op]++;
	a->total++;
	if (ret >= 0)
		return true;
	bad(a, BAD_ERROR, "%s returned %d (%s)", op_names[op], ret,
	    strerror(-ret));
	return false;
}

void storm_enter(void)
{
	pthread_rwlock_rdlock(&storm.run);
}

void storm_enter_alone(void)
{
	pthread_rwlock_wrlock(&storm.run);
}

void storm_leave(void)
{
	pthread_rwlock_unlock(&storm.run);
}

bool storm_stopped(void)
{
	return __atomic_load_n(&storm.stop, __ATOMIC_RELAXED);
}

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
	const int prefer = PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
	pthread_rwlockattr_t attr;
	unsigned int i;
	int fd;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, prefer);
	pthread_rwlock_init(&storm.run, &attr);
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
			 " %s %u", op_names[i], ops[i]);
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
			      "there is one of each kind, also %s", op_names[i]);
	for (i = 0; i < NUM_BAD; i++)
		check(!bad_count[i], "%s: %u", bad_names[i], bad_count[i]);
	if (share_expected() && !(e2e.idr0 & IDR0_VMID16) &&
	    host_live_moves() >= 0)
		check(host_live_moves(), "VMIDs of devices are moved");
	vmids = host_vmids();
	check(vmids <= 0, "no VMID is left behind (%d)", vmids);
}

void case_storm(void)
{
	struct timespec from, to;

	if (e2e.kvm < 0)
		skip("no KVM");
	if (num_testdevs < TEST_DEVICES || !edu.bdf[0])
		skip("%u test devices and edu are needed", TEST_DEVICES);
	/* The runner has a time limit */
	alarm(0);
	quota = (e2e.ops ?: DEFAULT_OPS) / VM_TENANTS + 1;
	mark(CASE_STORM, STEP_STORM_RUN);
	clock_gettime(CLOCK_MONOTONIC, &from);
	init();
	run();
	clock_gettime(CLOCK_MONOTONIC, &to);
	mark(CASE_STORM, STEP_STORM_DONE);
	report(to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
}
