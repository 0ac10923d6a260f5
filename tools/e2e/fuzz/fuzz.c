// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls at random: two processes of four threads each call iommufd, VFIO, KVM and its
 * VFIO device, and read debugfs. IDs come from a model of what there is, so that most
 * calls are legal; in some a field is wrong, memory is not there or comes late, an
 * allocation fails. Signals interrupt them, and in every other round one process is
 * killed. What a call is chosen by comes from the seed, the round, the thread and the
 * call's number, so the same seed repeats it.
 *
 * After each round, when all is closed, nothing is left, and a guest that is made then
 * gets its VMID, its DMA and its TLBI.
 *
 *	e2e.ops=N	how many calls, of all threads together
 *	e2e.seed=S
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "case.h"

#define FUZZ_STEPS(X)				\
	X(STEP_FUZZ_ROUND,	0x01, "round")	\
	X(STEP_FUZZ_CLOSED,	0x02, "closed")	\
	X(STEP_FUZZ_FRESH,	0x03, "fresh")

E2E_CASE(fuzz, 71, "fuzz", FUZZ_STEPS, .needs = NEEDS_KVM, .devices = 3, .refuses = true,
	 .unlimited = true);

#ifdef E2E_INIT
#include "diary.h"
#include "guest-memory.h"
#include "left.h"
#include "play.h"
#include "process.h"

#define DEFAULT_OPS	19200
#define TURNS		600	/* of each thread in a round */
#define REHEARSALS	2	/* rounds, before objects are counted */

/* Each device in turn, but functions of one, which would need a vDEVICE each */
static struct dev *some_device(unsigned int num)
{
	struct dev *d, *a = NULL, *b = NULL;

	devs_pair(&a, &b);
	do {
		d = &testdev[num++ % num_testdevs];
	} while (d == a || d == b);
	return d;
}

static void fresh_guest(unsigned int num)
{
	struct dev *d = some_device(num);
	struct guest g;
	struct vsmmu v;
	char first, stale, then;
	int s2;

	guest_init(&g, iommufd_open(), true);
	dev_open(d, g.iommufd, &g.vm);
	s2 = hwpt_alloc_parent(g.iommufd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach");
	mark(STEP_FUZZ_FRESH);
	first = dma_lands(&g, d);
	s1_map(&g.s1, OFF_PAGE_B);
	stale = dma_lands(&g, d);
	vm_exec(&g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	if (!btm_expected())
		vsmmu_tlbi_all(&v);
	then = dma_lands(&g, d);
	mark(STEP_DONE);
	dev_close(d);
	close(g.iommufd);
	vm_close(&g.vm);
	guest_free(&g);
	must(first == 'A' && then == 'B',
	     "DMA of a fresh guest in A, then in B (%c, %c before the TLBI, %c)", first, stale,
	     then);
}

/* To compare with another run of the seed. 0: was killed */
static void tell_choices(unsigned int num)
{
	char sums[WORKERS * 9 + 1];
	unsigned int w, at = 0;

	for (w = 0; w < WORKERS; w++)
		at += snprintf(sums + at, sizeof(sums) - at, " %x", model->progress[w].sum);
	note("round %u, choices%s", num, sums);
}

static void one_round(unsigned int num, const struct left *before)
{
	model_clear_all();
	mark(STEP_FUZZ_ROUND);
	processes_run((u64)e2e.seed << 32 | num << 8, TURNS);
	tell_choices(num);
	mark(STEP_FUZZ_CLOSED);
	if (left_nothing(before)) {
		fresh_guest(num);
		return;
	}
	diary_tell();
	must(false, "nothing is left of round %u", num);
}

void case_fuzz(void)
{
	unsigned int rounds = ((e2e.ops ?: DEFAULT_OPS) - 1) / (TURNS * WORKERS) + 1, i;
	static const char *const ours[] = {
		"iommu", "iopt", "smmu", "mock", "vfio", "kvm", "vmid", NULL
	};
	static struct left before;
	static struct slabs slabs;
	struct timespec from, to;

	note("seed %u, %u rounds", e2e.seed, rounds);
	calls_init();
	model_init();
	guest_memory_init();
	sysfs_write("/sys/kernel/debug/failslab/verbose", "0");
	sysfs_write("/sys/kernel/debug/fail_iommufd/verbose", "0");
	sysfs_write("/sys/kernel/debug/failslab/times", "1000000000");
	diary_open();
	/* The driver of the mock device lets it go with PASIDs attached */
	diary_allow("iommufd_device_pasid_detach_all");
	/* Faults of one that joins a group with PASIDs find the handles of those */
	diary_allow("iommu_report_device_fault");
	fresh_guest(0);
	left_read(&before);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < rounds; i++) {
		if (i == REHEARSALS && slabs_settle())
			slabs_read(&slabs);
		one_round(i, &before);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	diary_close();
	check(true, "%u rounds in %ld s", rounds, to.tv_sec - from.tv_sec);
	if (slabs.num)
		check(slabs_no_more_by(&slabs, ours), "no more objects than after %u rounds",
		      REHEARSALS);
	check(!calls_report(), "each call has succeeded");
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_fuzz(struct run *r)
{
	unsigned int guests = 0, own = 0;
	struct span fresh;
	size_t from = 0;

	while (step_after(r, STEP_FUZZ_FRESH, from, &fresh)) {
		from = fresh.last;
		guests++;
		own += smmu_vmid(&fresh) == guest_vmid(&fresh);
	}
	rule(r, guests, "fuzz: %u fresh guests", guests);
	if (r->share)
		rule(r, own == guests, "fuzz: DMA of %u under their VMs' VMIDs", own);
}
#endif
