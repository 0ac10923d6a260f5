// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing shared: without a VM, or with nothing asked for, BTM on or off, the SMMU
 * gets the same commands as from the unpatched kernel, for page tables of both
 * stages and unmaps of many sizes. The checker compares the traces of both, step
 * by step.
 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define NOTHING_STEPS(X)						\
	X(STEP_NOTHING_S2_ALLOC,	0x01, "s2-alloc")		\
	X(STEP_NOTHING_S2_ATTACH,	0x02, "s2-attach")		\
	X(STEP_NOTHING_MAP,		0x03, "map")			\
	X(STEP_NOTHING_UNMAP,		0x04, "unmap")			\
	X(STEP_NOTHING_VIOMMU,		0x05, "viommu-alloc")		\
	X(STEP_NOTHING_BYPASS_ATTACH,	0x06, "bypass-attach")		\
	X(STEP_NOTHING_TRANS_ATTACH,	0x07, "translate-attach")	\
	X(STEP_NOTHING_TRANS_DMA,	0x08, "translate-dma")		\
	X(STEP_NOTHING_NEST_MAP,	0x09, "nested-map")		\
	X(STEP_NOTHING_NEST_UNMAP,	0x0a, "nested-unmap")		\
	X(STEP_NOTHING_CMD,		0x0b, "guest-command")		\
	X(STEP_NOTHING_S2_REATTACH,	0x0c, "s2-reattach")		\
	X(STEP_NOTHING_DETACH,		0x0d, "detach")			\
	X(STEP_NOTHING_FREE,		0x0e, "free")			\
	/* Unmaps of many sizes: a step each, NOTHING_SIZES */		\
	X(STEP_NOTHING_S2_SIZES,	0x40, "s2-sizes")		\
	X(STEP_NOTHING_NESTED_SIZES,	0x50, "nested-sizes")		\
	X(STEP_NOTHING_S1_SIZES,	0x60, "s1-sizes")		\
	X(STEP_NOTHING_S1_ATTACH,	0x70, "s1-attach")		\
	X(STEP_NOTHING_S1_REPLACE,	0x71, "s1-replace")		\
	X(STEP_NOTHING_S1_TO_S2,	0x72, "s1-to-s2")		\
	X(STEP_NOTHING_S2_REPLACE,	0x73, "s2-replace")		\
	X(STEP_NOTHING_NESTED_TO_S1,	0x74, "nested-to-s1")		\
	X(STEP_NOTHING_S1_DETACH,	0x75, "s1-detach")		\
	X(STEP_NOTHING_S1_SECOND,	0x76, "s1-second-device")	\
	X(STEP_NOTHING_S1_LAST,		0x77, "s1-last-device")

static const unsigned int nothing_replaces[3];
static const unsigned int nothing_clears[3];

E2E_CASE(nothing, 7, "nothing-shared", NOTHING_STEPS,
	 .devices = 2, .compared = true, .replaces = nothing_replaces,
	 .clears = nothing_clears);

static const unsigned int nothing_replaces[3] = {
	STEP_NOTHING_S1_REPLACE, STEP_NOTHING_S2_REPLACE, STEP_DONE
};

static const unsigned int nothing_clears[3] = {
	STEP_NOTHING_S1_DETACH, STEP_NOTHING_S1_LAST, STEP_DONE
};

#define NOTHING_SIZES	16

#ifdef E2E_INIT
#include "e2e.h"

#define MAP_IOVA	0x60000000ul
#define HUGE_SIZE	(2 * SZ_2M)

static void at(unsigned int r, unsigned int step)
{
	mark(ROUND(r, step));
}

static void map(struct guest *g, void *mem)
{
	must(!ioas_map(g->iommufd, g->ioas, mem, 2 * PAGE, MAP_IOVA), "map");
}

/* @flags as vsmmu_init() has them */
static void round_run(unsigned int r, bool with_vm, int flags)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	void *mem;

	mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(mem != MAP_FAILED, "memory");
	guest_init(&g, fd, with_vm);
	if (with_vm)
		vm_exec(&g.vm, GUEST_NOP, 0, 0);
	dev_open(d, fd, with_vm ? &g.vm : NULL);

	at(r, STEP_NOTHING_S2_ALLOC);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	at(r, STEP_NOTHING_S2_ATTACH);
	must(!dev_attach(d, s2), "attach to stage 2");
	at(r, STEP_NOTHING_MAP);
	map(&g, mem);
	at(r, STEP_NOTHING_UNMAP);
	must(!ioas_unmap(fd, g.ioas, MAP_IOVA, 2 * PAGE), "unmap");

	at(r, STEP_NOTHING_VIOMMU);
	vsmmu_init(&v, &g, d, s2, &g.s1, flags);
	check(!v.out_flags, "round %u: nothing is reported (%#x)", r,
	      v.out_flags);
	at(r, STEP_NOTHING_BYPASS_ATTACH);
	must(!dev_attach(d, v.bypass), "attach to nested bypass");
	at(r, STEP_NOTHING_TRANS_ATTACH);
	must(!dev_attach(d, v.trans), "attach to nested translate");
	at(r, STEP_NOTHING_TRANS_DMA);
	check(dma_lands(&g, d) == 'A', "round %u: DMA lands", r);
	at(r, STEP_NOTHING_NEST_MAP);
	map(&g, mem);
	at(r, STEP_NOTHING_NEST_UNMAP);
	must(!ioas_unmap(fd, g.ioas, MAP_IOVA, 2 * PAGE), "nested unmap");
	at(r, STEP_NOTHING_CMD);
	must(!viommu_invalidate(fd, v.viommu, CMD_TLBI_NH_VA |
				(u64)GUEST_ASID << 48, DMA_IOVA),
	     "the guest's command");

	at(r, STEP_NOTHING_S2_REATTACH);
	must(!dev_attach(d, s2), "back to stage 2");
	at(r, STEP_NOTHING_DETACH);
	must(!dev_detach(d), "detach");
	at(r, STEP_NOTHING_FREE);
	vsmmu_destroy(&v);
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
	if (with_vm)
		vm_close(&g.vm);
	munmap(mem, 2 * PAGE);
	munmap(g.mem, GUEST_SIZE);
}

/* Huge pages, so that what is contiguous is so on both kernels */
static u8 *huge_memory(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	void *mem;

	must(fd >= 0 && write(fd, "2", 1) == 1, "huge pages");
	close(fd);
	mem = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	must(mem != MAP_FAILED, "memory of huge pages");
	return mem;
}

/*
 * Pages, blocks, and what begins or ends within a block; then two mappings by one
 * unmap, and all that there is by one.
 */
static void unmap_sizes(struct guest *g, u32 ioas, u8 *mem, unsigned int step)
{
	static const struct {
		unsigned int at, pages;
	} sizes[] = {
		{ 0, 1 }, { 3, 1 }, { 0, 2 }, { 1, 3 }, { 0, 16 }, { 7, 17 },
		{ 0, 511 }, { 0, 512 }, { 1, 512 }, { 0, 513 }, { 500, 24 },
		{ 512, 512 }, { 0, 1024 }, { 5, 1015 },
	};
	int fd = g->iommufd;
	unsigned int i;

	static_assert(ARRAY_SIZE(sizes) + 2 == NOTHING_SIZES, "steps");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 off = sizes[i].at * PAGE, len = sizes[i].pages * PAGE;

		mark(step + i);
		must(!ioas_map(fd, ioas, mem + off, len, MAP_IOVA + off) &&
		     !ioas_unmap(fd, ioas, MAP_IOVA + off, len),
		     "%u pages at page %u", sizes[i].pages, sizes[i].at);
	}
	mark(step + i++);
	must(!ioas_map(fd, ioas, mem, SZ_2M, MAP_IOVA) &&
	     !ioas_map(fd, ioas, mem + SZ_2M, 3 * PAGE, MAP_IOVA + SZ_2M) &&
	     !ioas_unmap(fd, ioas, MAP_IOVA, SZ_2M + 3 * PAGE), "two mappings");
	mark(step + i);
	must(!ioas_map(fd, ioas, mem + PAGE, PAGE, MAP_IOVA) &&
	     !ioas_map(fd, ioas, mem + SZ_2M, SZ_2M, MAP_IOVA + SZ_2M) &&
	     !ioas_unmap(fd, ioas, 0, ~0ull), "all mappings");
}

/* Page tables of both stages, one device and two, each way from one to another */
static void tables_run(void)
{
	struct dev *d = &testdev[0], *other = &testdev[1];
	int fd = iommufd_open(), s2, other_s2, ioas[2], i;
	u8 *mem = huge_memory();
	struct vsmmu v;
	struct guest g;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	dev_open(other, fd, NULL);
	for (i = 0; i < 2; i++) {
		ioas[i] = ioas_alloc(fd);
		must(ioas[i] > 0, "IOAS");
	}
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	other_s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0 && other_s2 > 0, "two stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, -1);

	mark(STEP_NOTHING_S1_ATTACH);
	must(!dev_attach(d, ioas[0]), "attach to stage 1");
	unmap_sizes(&g, ioas[0], mem, STEP_NOTHING_S1_SIZES);
	mark(STEP_NOTHING_S1_SECOND);
	must(!dev_attach(other, ioas[0]), "attach the other device");
	mark(STEP_NOTHING_S1_REPLACE);
	must(!dev_attach(d, ioas[1]), "to another stage 1");
	mark(STEP_NOTHING_S1_LAST);
	must(!dev_detach(other), "detach the other device");
	mark(STEP_NOTHING_S1_TO_S2);
	must(!dev_attach(d, s2), "from stage 1 to stage 2");
	mark(STEP_NOTHING_S2_REPLACE);
	must(!dev_attach(d, other_s2) && !dev_attach(d, s2),
	     "from stage 2 to another and back");
	unmap_sizes(&g, g.ioas, mem, STEP_NOTHING_S2_SIZES);
	must(!ioas_map(fd, g.ioas, g.mem, GUEST_SIZE, GPA_BASE),
	     "the guest's memory");
	must(!dev_attach(d, v.trans), "attach to nested translate");
	unmap_sizes(&g, g.ioas, mem, STEP_NOTHING_NESTED_SIZES);
	mark(STEP_NOTHING_NESTED_TO_S1);
	must(!dev_attach(d, ioas[0]), "from nested to stage 1");
	mark(STEP_NOTHING_S1_DETACH);
	must(!dev_detach(d), "detach");
	mark(STEP_DONE);

	dev_close(d);
	dev_close(other);
	close(fd);
	munmap(mem, HUGE_SIZE);
	munmap(g.mem, GUEST_SIZE);
}

void case_nothing(void)
{
	tables_run();
	round_run(0, false, -1);
	round_run(1, false, 0);
	if (e2e.kvm < 0)
		return;
	round_run(2, true, -1);
	round_run(3, true, 0);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* In each of the steps from @num on there is a TLBI */
static bool invalidates(struct run *r, unsigned int num)
{
	struct span s;
	unsigned int i;
	const struct ev *e;
	bool found;

	for (i = 0; i < NOTHING_SIZES; i++) {
		if (!step(r, num + i, &s))
			return false;
		found = false;
		for_each_event(e, s, EV_CMD)
			found |= !strncmp(e->op, "CMD_TLBI_", 9);
		if (!found)
			return false;
	}
	return true;
}

void check_nothing(struct run *r)
{
	unsigned int round, rounds = 0;
	struct span s;

	for (round = 0; round < 4; round++) {
		if (!step(r, ROUND(round, STEP_NOTHING_UNMAP), &s))
			continue;
		rounds++;
		rule(r, trace_count(&r->t, EV_CMD, "CMD_TLBI_S2_IPA", s.first,
				    s.last),
		     "nothing-shared: round %u: unmap invalidates", round);
		rule(r, step(r, ROUND(round, STEP_NOTHING_TRANS_ATTACH), &s) &&
		     trace_count(&r->t, EV_CMD, "CMD_CFGI_STE", s.first,
				 s.last),
		     "nothing-shared: round %u: attach invalidates", round);
	}
	rule(r, rounds >= 2, "nothing-shared: %u rounds", rounds);
	rule(r, invalidates(r, STEP_NOTHING_S1_SIZES),
	     "nothing-shared: each unmap of a stage 1 invalidates");
	rule(r, invalidates(r, STEP_NOTHING_S2_SIZES),
	     "nothing-shared: each unmap of a stage 2 invalidates");
	rule(r, invalidates(r, STEP_NOTHING_NESTED_SIZES),
	     "nothing-shared: each unmap of a nest parent invalidates");
}
#endif
