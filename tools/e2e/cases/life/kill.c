// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process is killed with everything open: the VM, a device whose DMA never
 * pauses, one whose DMA is under way for 100 ms, an attachment that changes and a
 * pin that comes and goes all the time. Nothing of it is left when it has gone,
 * and no DMA arrives.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "case.h"

/* Once for each kill */
#define KILL_STEPS(X)				\
	X(STEP_KILL_RUN,	0x01, "run")	\
	X(STEP_KILL_DEAD,	0x02, "dead")	\
	X(STEP_KILL_END,	0x03, "end")	\
	X(STEP_KILL_REUSE,	0x04, "reuse")

E2E_CASE(kill, 23, "kill", KILL_STEPS, .needs = NEEDS_KVM | NEEDS_EDU);

#ifdef E2E_INIT
#include "e2e.h"

#define KILLS		6
#define TURNS		2	/* before the signal comes */
#define KILL_WITHIN_US	20000	/* after these */
#define START_MS	15000

/* A pin that is taken and given back, and a vSMMU or none, without end */
static void *insist_run(void *arg)
{
	struct vsmmu *v = arg;

	for (;;)
		vsmmu_insist(v->g, v->d, v->s2);
	return NULL;
}

/* The process that is killed. @turns: how far it is */
static void victim(void *mem, unsigned int *turns)
{
	struct dev *d = &testdev[0];
	struct hammer h = { .d = d, .iova = PAGE_IOVA('A') };
	struct vsmmu v, ve;
	pthread_t thread;
	struct guest g;
	int s2;

	guest_init_in(&g, mem, iommufd_open(), true);
	dev_open(d, g.iommufd, &g.vm);
	dev_open(&edu, g.iommufd, &g.vm);
	s2 = hwpt_alloc_parent(g.iommufd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	vsmmu_join(&ve, &v, &edu, &g.s1);
	must(!dev_attach(d, v.trans) && !dev_attach(&edu, ve.trans),
	     "attach to nested translate");
	edu_fill(&g);
	hammer_start(&h, g.mem + OFF_PAGE_A);
	must(!pthread_create(&thread, NULL, insist_run, &v), "a thread");
	for (;;) {
		if (!edu_busy(&edu))
			edu_write_start(&edu, PAGE_IOVA('B'), sizeof(u32));
		must(!dev_attach(d, s2), "attach to stage 2");
		vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);
		must(!dev_attach(d, v.trans), "attach to nested translate");
		vsmmu_tlbi_all(&v);
		__atomic_add_fetch(turns, 1, __ATOMIC_RELAXED);
	}
}

static void wait_for_turns(unsigned int *turns)
{
	int ms;

	for (ms = 0; ms < START_MS; ms++) {
		if (__atomic_load_n(turns, __ATOMIC_RELAXED) >= TURNS)
			return;
		usleep(1000);
	}
}

static void kill_one(struct guest *g, unsigned int *turns)
{
	int status;
	pid_t pid;

	*turns = 0;
	mark(STEP_KILL_RUN);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid)
		victim(g->mem, turns);
	wait_for_turns(turns);
	usleep(random() % KILL_WITHIN_US);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	mark(STEP_KILL_DEAD);
	pages_clear(g);
	must(WIFSIGNALED(status) && *turns >= TURNS,
	     "killed in the middle of things, after %u turns", *turns);
	usleep(EDU_DELAY_MS * 1200);
	check(pages_hit(g) == '-', "killed after %u turns: no DMA (in %c)",
	      *turns, pages_hit(g));
	mark(STEP_KILL_END);
}

void case_kill(void)
{
	struct guest g = { .mem = guest_memory() };
	static struct usage before;
	unsigned int *turns, n;

	turns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(turns != MAP_FAILED, "memory");
	srandom(e2e.seed);
	usage_read(&before);
	for (n = 0; n < KILLS; n++) {
		kill_one(&g, turns);
		usage_check(&before, "killed");
	}
	mark(STEP_KILL_REUSE);
	if (e2e.kvm_vmid_bits == 8)
		vm_churn(ALL_VMIDS);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* All 255, if no VM is pinned, less those that a rollover hides */
static void all_come_back(struct run *r, const struct span *churn,
			  const char *name)
{
	unsigned int distinct, tlbis;
	bool found;

	distinct = guest_vmids(churn, NONE, &found, &tlbis);
	rule(r, distinct > 255 - CHURN_THREADS,
	     "%s: in the end VMs get %u different VMIDs", name, distinct);
}

void check_kill(struct run *r)
{
	unsigned int kills = 0, tagged = 0, left = 0, late = 0;
	struct span run, dead, all;
	size_t from = 0;

	while (step_after(r, STEP_KILL_RUN, from, &run) &&
	       step_after(r, STEP_KILL_DEAD, run.last, &dead)) {
		from = dead.last;
		kills++;
		tagged += cached_under(&run, guest_vmid(&run));
		left += left_behind(&run) != NONE;
		late += count(&dead, EV_XLATE) + count(&dead, EV_FAULT);
	}
	rule(r, kills == 6, "kill: %u kills", kills);
	if (r->share)
		rule(r, tagged == kills,
		     "kill: in %u of them DMA under the VM's VMID", tagged);
	rule(r, !left, "kill: %u leave entries in the SMMU's TLB", left);
	rule(r, !late, "kill: %u accesses of the dead", late);
	if (r->vmid8 && step(r, STEP_KILL_REUSE, &all))
		all_come_back(r, &all, "kill");
}
#endif
