// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own stage 1: an IOAS that a device is attached to directly. A host at
 * EL1 with VMID 0 is a guest as far as the driver can tell, so what is counted here
 * is what an unmap costs in a guest.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define UNMAP_COST_STEPS(X)				\
	X(STEP_UNMAP_COST_DMA,		0x00, "dma")	\
	X(STEP_UNMAP_COST_UNMAP,	0x01, "unmap")	\
	X(STEP_UNMAP_COST_REFUSED,	0x02, "refused")

/* A round for each size */
E2E_CASE(unmap_cost, 44, "unmap-cost", UNMAP_COST_STEPS, .devices = 1,
	 .refuses = true);

#define OWN_ATTACH_STEPS(X)				\
	X(STEP_OWN_ATTACH_ATTACH,	0x00, "attach")	\
	X(STEP_OWN_ATTACH_DMA,		0x01, "dma")	\
	X(STEP_OWN_ATTACH_UNMAP,	0x02, "unmap")	\
	X(STEP_OWN_ATTACH_REFUSED,	0x03, "refused")

/* Rounds of three: an own table, a stage 2, another own table */
E2E_CASE(own_attach, 45, "own-attach", OWN_ATTACH_STEPS, .devices = 1,
	 .refuses = true);

#define OWN_ORDER_STEPS(X)				\
	X(STEP_OWN_ORDER_RUN,		0x01, "run")

E2E_CASE(own_order, 46, "own-order", OWN_ORDER_STEPS, .devices = 2,
	 .refuses = true);

#define OWN_TABLES_STEPS(X)				\
	X(STEP_OWN_TABLES_RUN,		0x01, "run")

E2E_CASE(own_tables, 66, "own-tables", OWN_TABLES_STEPS, .devices = 2,
	 .refuses = true);

#define UNMAP_SIZES	8
#define UNMAP_TABLE	2	/* a table goes with what is in it */
#define UNMAP_LARGE	5	/* perhaps by ASID, or with tables */
#define OWN_ATTACHES	6
#define ORDER_ROUNDS	600
#define TABLE_ROUNDS	100

#ifdef E2E_INIT
#include "e2e.h"

#define SZ_64K		0x10000ul
#define SZ_32M		0x2000000ul
#define SZ_1G		0x40000000ul
#define IOVA		SZ_1G
#define IOVA_OTHER	(4 * SZ_1G)
#define HOLE		(3 * PAGE)
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define STALE		0xaaaaaaaau
/* A page that all may write: AttrIndx 0, inner shareable, AF, nG */
#define PTE_PAGE	0xf43ull
#define SPRAY		16	/* pages */

static const struct {
	const char *name;
	size_t size;
	bool blocks;	/* of 2 MB, all of them one page of memory */
	bool holes;	/* every other page of it is not mapped */
	bool all;	/* unmap all that there is */
} sizes[UNMAP_SIZES] = {
	{ "4 KB", PAGE },
	{ "64 KB", SZ_64K },
	{ "2 MB of pages", SZ_2M },
	{ "a block of 2 MB", SZ_2M, .blocks = true },
	{ "32 MB of blocks", SZ_32M, .blocks = true },
	{ "1 GB of blocks", SZ_1G, .blocks = true },
	{ "64 KB with holes", SZ_64K, .holes = true },
	{ "all of an IOAS", SZ_32M, .blocks = true, .all = true },
};

static volatile u32 *word(void *mem, size_t off)
{
	return (volatile u32 *)((u8 *)mem + off);
}

/* Memory in which each 2 MB are the same 2 MB, if @blocks */
static void *memory(size_t size, bool blocks)
{
	u8 *mem = mmap(NULL, size + SZ_2M, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t off;
	int fd;

	must(mem != MAP_FAILED, "%zu bytes of memory", size);
	mem += -(uintptr_t)mem & (SZ_2M - 1);
	if (!blocks) {
		madvise(mem, size, MADV_NOHUGEPAGE);
		return mem;
	}
	must(sysfs_write(NR_HUGEPAGES, "4"), "huge pages");
	fd = memfd_create("block", MFD_HUGETLB);
	must(fd >= 0 && !ftruncate(fd, SZ_2M), "a huge page");
	for (off = 0; off < size; off += SZ_2M)
		must(mmap(mem + off, SZ_2M, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, fd, 0) == mem + off,
		     "the huge page at %zu", off);
	close(fd);
	return mem;
}

static bool lands(struct dev *d, void *mem, size_t off)
{
	*word(mem, off) = 0;
	return testdev_dma(d, IOVA + off) && *word(mem, off) == TESTDEV_DATA;
}

static bool refused(struct dev *d, void *mem, size_t off)
{
	*word(mem, off) = STALE;
	return !testdev_dma(d, IOVA + off) && *word(mem, off) == STALE;
}

/* The kernel reads the event queue when it likes */
static void events_settle(void)
{
	usleep(20000);
}

static void unmap_size(int fd, u32 ioas, struct dev *d, unsigned int i)
{
	size_t step = sizes[i].holes ? PAGE + HOLE : sizes[i].size, off;
	const size_t last = sizes[i].size - step, mid = last / 2 / step * step;
	void *mem = memory(sizes[i].size, sizes[i].blocks);
	const size_t end = sizes[i].holes ? last : sizes[i].size - PAGE;
	const size_t middle = sizes[i].holes ? mid : sizes[i].size / 2;

	for (off = 0; off < sizes[i].size; off += step)
		must(!ioas_map(fd, ioas, (u8 *)mem + off,
			       sizes[i].holes ? PAGE : sizes[i].size, IOVA + off),
		     "%s: map", sizes[i].name);

	mark(ROUND(i, STEP_UNMAP_COST_DMA));
	check(lands(d, mem, 0) && lands(d, mem, middle) && lands(d, mem, end),
	      "%s: DMA to the first page, the middle and the last", sizes[i].name);

	mark(ROUND(i, STEP_UNMAP_COST_UNMAP));
	must(!ioas_unmap(fd, ioas, sizes[i].all ? 0 : IOVA,
			 sizes[i].all ? (size_t)-1 : sizes[i].size),
	     "%s: unmap", sizes[i].name);

	mark(ROUND(i, STEP_UNMAP_COST_REFUSED));
	check(refused(d, mem, 0) && refused(d, mem, middle) &&
	      refused(d, mem, end), "%s: none of them after the unmap",
	      sizes[i].name);
	events_settle();
	munmap(mem, sizes[i].size);
}

/* debugfs tells what the kernel believes; the trace has to agree */
static void check_debugfs(const struct dev *d)
{
	FILE *f = smmu_debugfs_open("stage1");
	char line[128], want[64];
	bool found = false;

	if (!e2e.patched)
		return;
	must(f, "stage1 in debugfs");
	snprintf(want, sizeof(want), "%s", own_expected() ? " broadcast " : " command ");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, d->bdf))
			found = strstr(line, want);
	fclose(f);
	check(found, "debugfs has %s with%s", d->bdf, want);
}

/* Nothing has to leave the CPU for an unmap, whatever is unmapped */
void case_unmap_cost(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), ioas = ioas_alloc(fd);
	unsigned int i;

	must(ioas > 0, "IOAS");
	dev_open(d, fd, NULL);
	must(!dev_attach(d, ioas), "attach to the IOAS");
	check_debugfs(d);
	for (i = 0; i < UNMAP_SIZES; i++)
		unmap_size(fd, ioas, d, i);
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}

/*
 * Replace between page tables of both kinds: own ones, which TLBIs invalidate, and a
 * stage 2, which commands do. Each is unmapped under the device, and is full again
 * before it is attached the next time.
 */
void case_own_attach(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), ioas[2], parent, pt[3];
	void *mem[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		mem[i] = memory(SZ_64K, false);
		ioas[i] = ioas_alloc(fd);
		must(ioas[i] > 0, "IOAS");
		must(!ioas_map(fd, ioas[i], mem[i], SZ_64K, IOVA), "map");
	}
	dev_open(d, fd, NULL);
	parent = hwpt_alloc_parent(fd, d->id, ioas[1]);
	must(parent > 0, "stage 2");
	pt[0] = ioas[0];
	pt[1] = parent;
	pt[2] = ioas[1];

	for (i = 0; i < OWN_ATTACHES; i++) {
		unsigned int m = i % 3 ? 1 : 0;

		mark(ROUND(i, STEP_OWN_ATTACH_ATTACH));
		must(!dev_attach(d, pt[i % 3]), "attach %u", i);
		mark(ROUND(i, STEP_OWN_ATTACH_DMA));
		*word(mem[!m], 0) = STALE;
		check(lands(d, mem[m], 0) && *word(mem[!m], 0) == STALE,
		      "attach %u: DMA in its own memory", i);
		mark(ROUND(i, STEP_OWN_ATTACH_UNMAP));
		must(!ioas_unmap(fd, ioas[m], IOVA, SZ_64K), "unmap");
		mark(ROUND(i, STEP_OWN_ATTACH_REFUSED));
		check(refused(d, mem[m], 0) && refused(d, mem[m], SZ_64K - PAGE),
		      "attach %u: none after the unmap", i);
		events_settle();
		must(!ioas_map(fd, ioas[m], mem[m], SZ_64K, IOVA), "map");
	}
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}

/* Moves a thread from CPU to CPU, wherever it is */
struct mover {
	pthread_t thread;
	pid_t target;
	bool stop;
	unsigned int moves;
};

static void *move(void *arg)
{
	struct mover *m = arg;
	cpu_set_t cpu;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED)) {
		CPU_ZERO(&cpu);
		CPU_SET(m->moves++ & 1, &cpu);
		sched_setaffinity(m->target, sizeof(cpu), &cpu);
		usleep(random() % 200);
	}
	return NULL;
}

/* DMA by a second device into the same page, without end */
struct stream {
	pthread_t thread;
	struct dev *d;
	bool stop;
	unsigned int done;
};

static void *stream(void *arg)
{
	struct stream *s = arg;

	testdev_dma(s->d, IOVA);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		testdev_again(s->d);
		__atomic_add_fetch(&s->done, 1, __ATOMIC_RELEASE);
		usleep(20);
	}
	return NULL;
}

static void stream_wait(struct stream *s)
{
	unsigned int start = __atomic_load_n(&s->done, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) - start < 2)
		usleep(10);
}

/*
 * A thread unmaps while it is moved between CPUs, and while a device writes to what it
 * unmaps. When the unmap has returned, nothing is written there any more.
 */
void case_own_order(void)
{
	int fd = iommufd_open(), ioas = ioas_alloc(fd);
	struct stream s = { .d = &testdev[1] };
	unsigned int i, stale = 0, lost = 0;
	struct mover m = { .target = gettid() };
	struct dev *d = &testdev[0];
	void *mem = memory(PAGE, false);

	must(ioas > 0, "IOAS");
	dev_open(d, fd, NULL);
	dev_open(s.d, fd, NULL);
	must(!dev_attach(d, ioas) && !dev_attach(s.d, ioas), "attach both");

	mark(STEP_OWN_ORDER_RUN);
	must(!pthread_create(&s.thread, NULL, stream, &s), "a thread");
	must(!pthread_create(&m.thread, NULL, move, &m), "a thread");
	for (i = 0; i < ORDER_ROUNDS; i++) {
		must(!ioas_map(fd, ioas, mem, PAGE, IOVA), "map");
		lost += !lands(d, mem, 0x800);
		must(!ioas_unmap(fd, ioas, IOVA, PAGE), "unmap");
		*word(mem, 0) = STALE;
		stale += !refused(d, mem, 0x800);
		if (i % 16)
			continue;
		stream_wait(&s);
		stale += *word(mem, 0) != STALE;
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_RELAXED);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(m.thread, NULL);
	pthread_join(s.thread, NULL);
	mark(STEP_DONE);
	note("%u unmaps, %u moves, %u DMAs of the other device", i, m.moves, s.done);
	check(!lost, "every DMA arrives while mapped (%u did not)", lost);
	check(!stale, "none after an unmap (%u did)", stale);
	dev_close(d);
	dev_close(s.d);
	close(fd);
}

/* Where a page of this process is in memory */
static u64 pa_of(const void *page)
{
	u64 entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	must(pread(fd, &entry, 8, (uintptr_t)page / PAGE * 8) == 8 && entry >> 63,
	     "pagemap");
	close(fd);
	return (entry & ((1ull << 55) - 1)) * PAGE;
}

/*
 * Pages of the kernel, as page tables are, full of entries that map @pa: in a pipe. One
 * that was a table a moment ago is likely among them.
 */
static void spray(int fds[2], u64 pa)
{
	u64 entry[PAGE / 8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(entry); i++)
		entry[i] = pa | PTE_PAGE;
	must(!pipe(fds) && fcntl(fds[1], F_SETPIPE_SZ, SPRAY * PAGE) > 0, "pipe");
	for (i = 0; i < SPRAY; i++)
		must(write(fds[1], entry, PAGE) == PAGE, "fill the pipe");
}

/*
 * A table goes with all its entries, is free and soon something else, while another device
 * makes the SMMU walk it. No access ends where its new contents point to.
 */
void case_own_tables(void)
{
	int fd = iommufd_open(), ioas = ioas_alloc(fd), fds[2];
	unsigned int i, stale = 0, lost = 0, astray = 0;
	struct stream s = { .d = &testdev[1] };
	void *mem = memory(SZ_2M, false), *other = memory(PAGE, false);
	struct dev *d = &testdev[0];

	memset(other, 0, PAGE);
	must(!mlock(other, PAGE) && ioas > 0, "IOAS");
	dev_open(d, fd, NULL);
	dev_open(s.d, fd, NULL);
	must(!dev_attach(d, ioas) && !dev_attach(s.d, ioas), "attach both");

	mark(STEP_OWN_TABLES_RUN);
	must(!pthread_create(&s.thread, NULL, stream, &s), "a thread");
	for (i = 0; i < TABLE_ROUNDS; i++) {
		size_t off = random() % (SZ_2M / PAGE) * PAGE + 0x800;

		must(!ioas_map(fd, ioas, mem, SZ_2M, IOVA), "map");
		lost += !lands(d, mem, off);
		must(!ioas_unmap(fd, ioas, IOVA, SZ_2M), "unmap");
		spray(fds, pa_of(other));
		stale += !refused(d, mem, off);
		stream_wait(&s);
		astray += *word(other, 0) || *word(other, 0x800);
		close(fds[0]);
		close(fds[1]);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(s.thread, NULL);
	mark(STEP_DONE);
	note("%u tables, %u DMAs of the other device", i, s.done);
	check(!lost, "every DMA arrives while mapped (%u did not)", lost);
	check(!stale, "none after an unmap (%u did)", stale);
	check(!astray, "none where a freed table points to (%u did)", astray);
	dev_close(d);
	dev_close(s.d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

#define MAX_CPUS	8

/* The ASID under which the SMMU caches, SEVERAL if there are several */
static int smmu_asid(const struct span *s)
{
	const struct ev *e;
	int asid = NONE;

	for_each_event(e, *s, EV_INSERT)
		asid = asid == NONE || asid == e->asid ? e->asid : SEVERAL;
	return asid;
}

static bool is_own_tlbi(const struct ev *e, int asid)
{
	return e->kind == EV_TLBI && e->to_smmu && e->el == 1 && !e->vmid &&
	       e->asid == asid;
}

static size_t asid_tlbis(const struct span *s, int asid)
{
	const struct ev *e;
	size_t n = 0;

	for_each_event(e, *s, EV_TLBI)
		n += is_own_tlbi(e, asid);
	return n;
}

/* Every TLBI of the ASID is followed by a DSB of its CPU */
static bool all_complete(const struct span *s, int asid)
{
	bool pending[MAX_CPUS] = { false };
	size_t i;

	for (i = s->first; i < s->last; i++) {
		const struct ev *e = &s->t->ev[i];

		if (e->cpu >= MAX_CPUS)
			return false;
		if (is_own_tlbi(e, asid))
			pending[e->cpu] = true;
		else if (e->kind == EV_DSB)
			pending[e->cpu] = false;
	}
	for (i = 0; i < MAX_CPUS; i++)
		if (pending[i])
			return false;
	return true;
}

/* TLBIs that are for the last level only, or the others */
static size_t tlbis_of_level(const struct span *s, int asid, bool last)
{
	const struct ev *e;
	size_t n = 0;

	for_each_event(e, *s, EV_TLBI)
		n += is_own_tlbi(e, asid) && !!strstr(e->op, "VALE1IS") == last;
	return n;
}

static size_t accesses(const struct span *s)
{
	return count(s, EV_MMIO) + count(s, EV_READ);
}

/* An unmap of a table whose entries have @asid, and DMA after it */
static void check_unmap(struct run *r, const char *name, unsigned int round,
			bool by_tlbi, int asid, const struct span *unmap,
			const struct span *after)
{
	const size_t cmds = count(unmap, EV_CMD), regs = accesses(unmap);
	const size_t tlbis = asid_tlbis(unmap, asid);

	if (by_tlbi) {
		rule(r, !cmds && !regs,
		     "%s: %u: 0 commands and 0 register accesses (%zu, %zu)", name,
		     round, cmds, regs);
		rule(r, tlbis && all_complete(unmap, asid),
		     "%s: %u: TLBIs of ASID %d (%zu), and a DSB after them", name,
		     round, asid, tlbis);
	} else {
		rule(r, cmds >= 2 && regs >= 2,
		     "%s: %u: at least 2 commands and 2 register accesses (%zu, %zu)",
		     name, round, cmds, regs);
		rule(r, asid < 0 || !tlbis, "%s: %u: no TLBI of ASID %d (%zu)", name,
		     round, asid, tlbis);
	}
	rule(r, count(after, EV_FAULT) && !count(after, EV_INSERT),
	     "%s: %u: DMA is refused after it", name, round);
}

/* A table went in one round only; the SMMU may have cached the way to it */
static void check_level(struct run *r, unsigned int round, int asid,
			const struct span *unmap)
{
	size_t others = tlbis_of_level(unmap, asid, false);

	if (round == UNMAP_TABLE)
		rule(r, others, "unmap-cost: %u: not by VALE1IS alone", round);
	else if (round != UNMAP_LARGE)
		rule(r, !others, "unmap-cost: %u: by VALE1IS or RVALE1IS alone", round);
}

void check_unmap_cost(struct run *r)
{
	unsigned int i;

	for (i = 0; i < UNMAP_SIZES; i++) {
		struct span s[3];

		if (!steps(r, ROUND(i, STEP_UNMAP_COST_DMA),
			   ROUND(i, STEP_UNMAP_COST_REFUSED), s, "unmap-cost"))
			continue;
		rule(r, smmu_asid(&s[0]) > 0 && smmu_vmid(&s[0]) == 0,
		     "unmap-cost: %u: the SMMU caches under VMID 0 and one ASID, %d", i,
		     smmu_asid(&s[0]));
		check_unmap(r, "unmap-cost", i, r->own, smmu_asid(&s[0]), &s[1], &s[2]);
		if (r->own)
			check_level(r, i, smmu_asid(&s[0]), &s[1]);
	}
}

/* A stage 2 is invalidated by commands on any kernel, an own table by what it can */
void check_own_attach(struct run *r)
{
	int last_asid = NONE;
	unsigned int i;

	for (i = 0; i < OWN_ATTACHES; i++) {
		const bool stage2 = i % 3 == 1;
		struct span s[4];
		int asid;

		if (!steps(r, ROUND(i, STEP_OWN_ATTACH_ATTACH),
			   ROUND(i, STEP_OWN_ATTACH_REFUSED), s, "own-attach"))
			continue;
		asid = smmu_asid(&s[STEP_OWN_ATTACH_DMA]);
		rule(r, stage2 ? asid == TRACE_NONE : asid > 0,
		     "own-attach: %u: ASID %d", i, asid);
		/* What the table before it has left goes by a command, always */
		if (last_asid > 0)
			rule(r, commanded(&s[STEP_OWN_ATTACH_ATTACH],
					  "CMD_TLBI_NH_ASID", 0),
			     "own-attach: %u: ASID %d cleared by a command", i,
			     last_asid);
		check_unmap(r, "own-attach", i, r->own && !stage2, asid,
			    &s[STEP_OWN_ATTACH_UNMAP], &s[STEP_OWN_ATTACH_REFUSED]);
		last_asid = asid;
	}
}

/* Of thousands of unmaps none needs a command */
void check_own_order(struct run *r)
{
	const struct ev *e;
	size_t tlbis = 0, cpus[2] = { 0 };
	struct span s;
	int asid;

	if (!rule(r, step(r, STEP_OWN_ORDER_RUN, &s),
		  "own-order: it ran"))
		return;
	asid = smmu_asid(&s);
	rule(r, asid > 0, "own-order: one ASID, %d", asid);
	for_each_event(e, s, EV_TLBI)
		if (is_own_tlbi(e, asid)) {
			tlbis++;
			cpus[e->cpu & 1]++;
		}
	if (!r->own) {
		/* A process can have the same ASID, but has not as much to invalidate */
		rule(r, tlbis < ORDER_ROUNDS && count(&s, EV_CMD) >= ORDER_ROUNDS,
		     "own-order: by command (%zu, %zu TLBIs)", count(&s, EV_CMD), tlbis);
		return;
	}
	rule(r, tlbis >= ORDER_ROUNDS && !count(&s, EV_CMD),
	     "own-order: %zu TLBIs and %zu commands", tlbis, count(&s, EV_CMD));
	rule(r, cpus[0] && cpus[1], "own-order: on both CPUs (%zu and %zu)", cpus[0],
	     cpus[1]);
	rule(r, all_complete(&s, asid), "own-order: a DSB after each");
}

/* A table that goes takes more than its leaf entries with it */
void check_own_tables(struct run *r)
{
	struct span s;
	int asid;

	if (!rule(r, step(r, STEP_OWN_TABLES_RUN, &s), "own-tables: it ran"))
		return;
	asid = smmu_asid(&s);
	if (!r->own) {
		/* As in own-order */
		rule(r, asid_tlbis(&s, asid) < TABLE_ROUNDS && count(&s, EV_CMD),
		     "own-tables: by command");
		return;
	}
	rule(r, tlbis_of_level(&s, asid, false) >= TABLE_ROUNDS && !count(&s, EV_CMD),
	     "own-tables: %zu TLBIs of more than leaf entries, %zu commands",
	     tlbis_of_level(&s, asid, false), count(&s, EV_CMD));
	rule(r, all_complete(&s, asid), "own-tables: a DSB after each");
}
#endif
