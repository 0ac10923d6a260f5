// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe disks: what was written is read back, past the page cache. See block.h for what is on them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../block.h"
#include "../marks.h"
#include "guest.h"

#define MAX_DISKS	4
#define COUNTED		100	/* reads that are counted */
#define PER_WRITE	16	/* blocks; with a PRP list, which is DMA too */
#define TRIES		150	/* a tenth of a second each: for a disk to come or go */

struct disk {
	int fd;
	unsigned int no;	/* that of its serial, "vmm0" */
	uint32_t generation[BLOCK_COUNT];
};

static struct disk disks[MAX_DISKS];
static unsigned int count;
static struct block *buf;	/* PER_WRITE of them */

static bool read_number(unsigned int nvme, unsigned int *no)
{
	char path[64], text[32];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/nvme%un1/device/serial", nvme);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(text, sizeof(text), f) && sscanf(text, "vmm%u", no) == 1;
	fclose(f);
	return ok;
}

static void open_disk(unsigned int nvme)
{
	struct disk *d = &disks[count];
	char path[32];

	if (!read_number(nvme, &d->no))
		return;
	snprintf(path, sizeof(path), "/dev/nvme%un1", nvme);
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd >= 0)
		count++;
}

static void close_disks(void)
{
	while (count)
		close(disks[--count].fd);
}

/* All that are there; false if there is none */
static bool open_disks(void)
{
	unsigned int i;

	if (!buf && posix_memalign((void **)&buf, BLOCK_SIZE, PER_WRITE * BLOCK_SIZE))
		return false;
	close_disks();
	for (i = 0; i < MAX_DISKS; i++)
		open_disk(i);
	return count;
}

static bool wait_for_disks(void)
{
	int tries = TRIES;

	while (!open_disks() && --tries)
		usleep(100000);
	return count;
}

/* Wait until there are more than @before; how many there are then */
unsigned int count_disks(unsigned int before, int tries)
{
	unsigned int n;

	do {
		open_disks();
		n = count;
		close_disks();
	} while (n <= before && --tries > 0 && !usleep(100000));
	return n;
}

/* @n blocks from @no on, each once more than before */
static bool write_blocks(struct disk *d, unsigned int no, unsigned int n)
{
	ssize_t size = n * BLOCK_SIZE;
	unsigned int i;

	for (i = 0; i < n; i++)
		block_fill(&buf[i], d->no, no + i, d->generation[no + i] + 1);
	if (pwrite(d->fd, buf, size, (off_t)no * BLOCK_SIZE) != size)
		return false;
	for (i = 0; i < n; i++)
		d->generation[no + i]++;
	return true;
}

/*
 * How many of them are wrong; -1 if they cannot be read. With @any, whatever was once written there
 * will do.
 */
static int read_blocks(struct disk *d, unsigned int no, unsigned int n, bool any)
{
	ssize_t size = n * BLOCK_SIZE;
	unsigned int i, bad = 0;
	int64_t generation;

	memset(buf, 0xa5, size);
	if (pread(d->fd, buf, size, (off_t)no * BLOCK_SIZE) != size)
		return -1;
	for (i = 0; i < n; i++) {
		generation = block_generation(&buf[i], d->no, no + i);
		if (generation >= 0 && any) {
			d->generation[no + i] = generation;
		} else if (generation != d->generation[no + i]) {
			printf("guest: wrong disk=%u block=%u generation=%lld, not %u\n", d->no,
			       no + i, (long long)generation, d->generation[no + i]);
			bad++;
		}
	}
	return bad;
}

/* What is on a disk, block by block consistent in itself; how many are not, -1 if unreadable */
static int learn_disk(struct disk *d)
{
	unsigned int no;
	int n, bad = 0;

	for (no = 0; no < BLOCK_COUNT; no += PER_WRITE) {
		n = read_blocks(d, no, PER_WRITE, true);
		if (n < 0)
			return -1;
		bad += n;
	}
	return bad;
}

/* All of it written and read back, then single blocks of which each read is counted */
static bool try_disk(struct disk *d, int *bad)
{
	unsigned int i;
	int n;

	*bad = learn_disk(d);
	for (i = 0; i < BLOCK_COUNT && *bad >= 0; i += PER_WRITE) {
		if (!write_blocks(d, i, PER_WRITE))
			return false;
	}
	for (i = 0; i < BLOCK_COUNT && *bad >= 0; i += PER_WRITE) {
		n = read_blocks(d, i, PER_WRITE, false);
		if (n < 0)
			return false;
		*bad += n;
	}
	for (i = 0; i < COUNTED && *bad >= 0; i++) {
		mark(VMM_READ);
		n = read_blocks(d, i * 7 % BLOCK_COUNT, 1, false);
		mark(VMM_NONE);
		if (n < 0)
			return false;
		*bad += n;
	}
	return *bad >= 0;
}

bool disk_job(char *detail)
{
	unsigned long interrupts = interrupts_of("nvme");
	unsigned int i;
	int bad = 0, n;
	bool ok;

	ok = wait_for_disks();
	for (i = 0; i < count && ok; i++) {
		ok = try_disk(&disks[i], &n);
		bad += n;
	}
	snprintf(detail, DETAIL_SIZE, "disks=%u blocks=%u bad=%d interrupts=%lu error=%d", count,
		 BLOCK_COUNT, bad, interrupts_of("nvme") - interrupts, ok ? 0 : errno);
	close_disks();
	return ok && !bad;
}

bool check_job(char *detail)
{
	unsigned int i;
	int bad = 0, n;
	bool ok;

	ok = wait_for_disks();
	for (i = 0; i < count && ok; i++) {
		n = learn_disk(&disks[i]);
		ok = n >= 0;
		bad += n;
	}
	snprintf(detail, DETAIL_SIZE, "disks=%u bad=%d", count, bad);
	close_disks();
	return ok && !bad;
}

/* No disk is left but the one that cannot be removed */
bool gone_job(char *detail)
{
	int tries = TRIES;

	do {
		open_disks();
	} while (count > 1 && --tries && !usleep(100000));
	snprintf(detail, DETAIL_SIZE, "disks=%u", count);
	close_disks();
	return tries;
}

/* One step of the load; a disk that goes away in the middle is not wrong */
static int load_disk(struct disk *d, unsigned int *errors)
{
	unsigned int no = random() % (BLOCK_COUNT - PER_WRITE), n = 1 + random() % PER_WRITE;
	int bad;

	if (random() % 2 && !write_blocks(d, no, n)) {
		(*errors)++;
		return 0;
	}
	bad = read_blocks(d, no, n, false);
	*errors += bad < 0;
	return bad < 0 ? 0 : bad;
}

/* Reads and writes on all disks until the host says a word */
bool load_job(char *detail)
{
	unsigned int i, errors = 0, steps = 0, before = 0;
	int bad = 0, n;

	printf("guest: loading\n");
	while (!told_to_stop()) {
		if (!steps || errors != before || !(steps % 64)) {
			before = errors;
			open_disks();
			for (i = 0; i < count; i++) {
				n = learn_disk(&disks[i]);
				errors += n < 0;
				bad += n < 0 ? 0 : n;
			}
		}
		for (i = 0; i < count; i++)
			bad += load_disk(&disks[i], &errors);
		steps++;
		if (!count)
			usleep(10000);
	}
	snprintf(detail, DETAIL_SIZE, "steps=%u disks=%u bad=%d errors=%u", steps, count, bad,
		 errors);
	close_disks();
	return !bad;
}
