// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storm on the kernel's own stage 1: a thread for each of some devices maps, unmaps,
 * attaches, replaces and detaches at random, and after each of these does the DMA that
 * shows whether it works. All of them share some IOAS, so that each unmap meets the
 * attachments of others. Others read and write disks, whose domain is the DMA API's, with
 * a flush queue or without.
 *
 * Every DMA of a test device must write to the page that the model says and to no other,
 * or be refused; what a disk reads must be what was written.
 *
 *	e2e.ops=N	how many of these operations, by the devices' threads together
 *	e2e.seed=S	each thread's dice come from it
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define STORM_GUEST_STEPS(X)			\
	X(STEP_STORM_GUEST_RUN,	0x01, "run")

E2E_CASE(storm_guest, 64, "storm-guest", STORM_GUEST_STEPS, .devices = 4,
	 .refuses = true, .unlimited = true);

#ifdef E2E_INIT
#include "e2e.h"

#define DEFAULT_OPS	10000
#define WORKERS		4
#define TABLES		3
#define SLOTS		12
#define PAGES		16
#define NEIGHBOURS	6		/* slots that share a table */
#define FAR		0x200000ul
#define IOVA		0x40000000ul
#define NOWHERE		(-1)
#define SCAN_EVERY	512

#define DISK		"/dev/nvme0n1"
#define DISK_THREADS	2
#define DISK_BYTES	0x100000ul	/* of each thread */
#define DISK_PAGES	64
#define DISK_MAX	8		/* pages of one transfer */

/**
 * struct worker - a device, its slots in each table, and its pages
 * @d: the device
 * @num: its number
 * @seed: of its dice
 * @mem: its pages; all 0 but for what a DMA has just written
 * @at: the table that is attached, or NOWHERE
 * @page: which page each slot of each table maps, or NOWHERE
 * @ops: operations so far
 * @dmas: and DMAs among them
 * @stale: DMAs that landed where nothing was mapped any more
 * @lost: that did not where something was
 * @misdirected: that landed in another page
 * @thread: its thread
 */
struct worker {
	struct dev *d;
	unsigned int num;
	unsigned int seed;
	u32 *mem;
	int at;
	int page[TABLES][SLOTS];
	unsigned int ops, dmas;
	unsigned int stale, lost, misdirected;
	pthread_t thread;
};

struct disk {
	unsigned int num;
	unsigned int seed;
	unsigned int reads, wrong;
	pthread_t thread;
};

static struct worker workers[WORKERS];
static int fd, table[TABLES];
static unsigned int quota;
static bool stop;

static unsigned int roll(unsigned int *seed, unsigned int sides)
{
	return rand_r(seed) % sides;
}

static u64 slot_iova(const struct worker *w, unsigned int slot)
{
	const unsigned int n = w->num * SLOTS + slot;

	return slot < NEIGHBOURS ? IOVA + n * PAGE : IOVA + n * FAR;
}

static u32 *page_of(const struct worker *w, int page)
{
	return w->mem + page * (PAGE / 4);
}

/* A DMA of the device to @slot: it must land where the model says */
static void dma(struct worker *w, unsigned int slot)
{
	const int want = w->at == NOWHERE ? NOWHERE : w->page[w->at][slot];
	const unsigned int word = roll(&w->seed, PAGE / 4);
	int page, found = NOWHERE;
	bool ok = testdev_dma(w->d, slot_iova(w, slot) + word * 4);

	w->dmas++;
	for (page = 0; page < PAGES; page++) {
		volatile u32 *at = page_of(w, page) + word;

		if (*at) {
			w->misdirected += page != want && want != NOWHERE;
			found = page;
			*at = 0;
		}
	}
	w->stale += want == NOWHERE && (ok || found != NOWHERE);
	w->lost += want != NOWHERE && (!ok || found == NOWHERE);
}

/* Nobody has written here, whose DMA it may have been */
static void scan(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < PAGES * PAGE / 4; i++) {
		w->misdirected += !!w->mem[i];
		w->mem[i] = 0;
	}
}

static void map_or_unmap(struct worker *w)
{
	const unsigned int t = roll(&w->seed, 3) && w->at != NOWHERE ?
			       (unsigned int)w->at : roll(&w->seed, TABLES);
	const unsigned int slot = roll(&w->seed, SLOTS);
	int *page = &w->page[t][slot];

	if (*page == NOWHERE) {
		*page = roll(&w->seed, PAGES);
		must(!ioas_map(fd, table[t], page_of(w, *page), PAGE, slot_iova(w, slot)),
		     "map");
	} else {
		/* So that there is an entry to be left behind */
		if ((int)t == w->at)
			dma(w, slot);
		must(!ioas_unmap(fd, table[t], slot_iova(w, slot), PAGE), "unmap");
		*page = NOWHERE;
	}
	dma(w, slot);
}

static void attach(struct worker *w)
{
	const unsigned int slot = roll(&w->seed, SLOTS);
	const int to = roll(&w->seed, 8) ? (int)roll(&w->seed, TABLES) : NOWHERE;

	dma(w, slot);
	if (to != NOWHERE)
		must(!dev_attach(w->d, table[to]), "attach");
	else if (w->at != NOWHERE)
		must(!dev_detach(w->d), "detach");
	w->at = to;
	dma(w, slot);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->ops + w->dmas < quota) {
		if (roll(&w->seed, 12))
			map_or_unmap(w);
		else
			attach(w);
		if (++w->ops % SCAN_EVERY == 0)
			scan(w);
	}
	return NULL;
}

/* A transfer at a time, to and from pages that are others each time */
static void *use_disk(void *arg)
{
	const size_t words = DISK_BYTES / PAGE;
	struct disk *k = arg;
	u32 written[DISK_BYTES / PAGE] = { 0 };
	int file = open_soon(DISK, O_RDWR | O_DIRECT);
	u8 *mem = mmap(NULL, DISK_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(file >= 0 && mem != MAP_FAILED, "open %s", DISK);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		const unsigned int n = 1 + roll(&k->seed, DISK_MAX);
		const unsigned int at = roll(&k->seed, words - n);
		u8 *buf = mem + roll(&k->seed, DISK_PAGES - n) * PAGE;
		const off_t off = k->num * DISK_BYTES + at * PAGE;
		const ssize_t size = n * PAGE;
		unsigned int i;

		if (roll(&k->seed, 2)) {
			for (i = 0; i < n; i++) {
				written[at + i] = rand_r(&k->seed) | 1;
				pattern_fill(buf + i * PAGE, PAGE, written[at + i], 0);
			}
			must(pwrite(file, buf, size, off) == size, "write");
			continue;
		}
		memset(buf, 0xa5, size);
		must(pread(file, buf, size, off) == size, "read");
		for (i = 0; i < n; i++)
			k->wrong += written[at + i] &&
				    !pattern_matches(buf + i * PAGE, PAGE, written[at + i], 0);
		k->reads++;
	}
	munmap(mem, DISK_PAGES * PAGE);
	close(file);
	return NULL;
}

static void worker_start(unsigned int i)
{
	struct worker *w = &workers[i];

	w->num = i;
	w->d = &testdev[i];
	w->seed = e2e.seed * WORKERS + i + 1;
	w->at = NOWHERE;
	memset(w->page, 0xff, sizeof(w->page));
	w->mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	must(w->mem != MAP_FAILED, "memory");
	dev_open(w->d, fd, NULL);
}

void case_storm_guest(void)
{
	struct disk disks[DISK_THREADS] = { 0 };
	unsigned int i, ops = 0, dmas = 0, stale = 0, lost = 0, misdirected = 0;
	unsigned int reads = 0, wrong = 0;
	bool has_disk = !access("/sys/class/nvme/nvme0", F_OK);

	fd = iommufd_open();
	quota = (e2e.ops ?: DEFAULT_OPS) / WORKERS;
	for (i = 0; i < TABLES; i++) {
		table[i] = ioas_alloc(fd);
		must(table[i] > 0, "IOAS");
	}
	for (i = 0; i < WORKERS; i++)
		worker_start(i);

	mark(STEP_STORM_GUEST_RUN);
	for (i = 0; i < WORKERS; i++)
		must(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		     "a thread");
	for (i = 0; has_disk && i < DISK_THREADS; i++) {
		disks[i].num = i;
		disks[i].seed = e2e.seed + i;
		must(!pthread_create(&disks[i].thread, NULL, use_disk, &disks[i]),
		     "a thread");
	}
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; has_disk && i < DISK_THREADS; i++)
		pthread_join(disks[i].thread, NULL);
	mark(STEP_DONE);

	for (i = 0; i < WORKERS; i++) {
		scan(&workers[i]);
		ops += workers[i].ops + workers[i].dmas;
		dmas += workers[i].dmas;
		stale += workers[i].stale;
		lost += workers[i].lost;
		misdirected += workers[i].misdirected;
	}
	for (i = 0; i < DISK_THREADS; i++) {
		reads += disks[i].reads;
		wrong += disks[i].wrong;
	}
	note("%u operations, %u of them DMAs; %u reads of a disk", ops, dmas, reads);
	check(!stale, "%u stale", stale);
	check(!lost, "%u lost", lost);
	check(!misdirected, "%u misdirected", misdirected);
	check(!wrong, "%u reads wrong", wrong);
	for (i = 0; i < WORKERS; i++)
		dev_close(workers[i].d);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* Attachments are cleared by commands, and unmaps by what the table is invalidated by */
void check_storm_guest(struct run *r)
{
	const struct ev *e;
	size_t by_va = 0;
	struct span s;

	if (!rule(r, step(r, STEP_STORM_GUEST_RUN, &s), "storm-guest: it ran"))
		return;
	for_each_event(e, s, EV_CMD)
		by_va += !strcmp(e->op, "CMD_TLBI_NH_VA");
	if (r->own)
		rule(r, !by_va && own_tlbis(&s, "VALE1IS"),
		     "storm-guest: unmaps by %zu TLBIs and %zu commands",
		     own_tlbis(&s, "VALE1IS"), by_va);
	else
		rule(r, by_va && !own_tlbis(&s, "1IS"), "storm-guest: unmaps by %zu commands",
		     by_va);
}
#endif
