// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reads of 4 KB from an NVMe disk cost. How many instructions is in the trace as well: the
 * time of -icount passes while the CPU waits for the disk, the plugin's count does not. How often
 * the CPU wakes up meanwhile depends on how fast QEMU is, so the cheapest batch counts.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"
#include "bench-steps.h"

E2E_CASE(reads, READS_NUMBER, "nvme-reads", READS_STEPS, .needs = NEEDS_DISKS);

#ifdef E2E_INIT
#include "e2e.h"

#define DISK	"/dev/nvme0n1"
#define WARM_UP	64

/* The plugin logs what this CPU has executed so far, see smmubtm/count.h */
static void log_count(void)
{
	asm volatile("hint #0x7e" : : : "memory");
}

static void read_blocks(int fd, void *buf, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		must(pread(fd, buf, PAGE, i * PAGE) == PAGE, "read %u", i);
}

void case_reads(void)
{
	void *buf = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int fd = open_soon(DISK, O_RDONLY | O_DIRECT);
	unsigned int i;

	must(fd >= 0 && buf != MAP_FAILED, "open %s", DISK);
	read_blocks(fd, buf, WARM_UP);
	mark(STEP_READS_RUN);
	log_count();
	for (i = 0; i < READS / READS_BATCH; i++) {
		read_blocks(fd, buf, READS_BATCH);
		log_count();
	}
	mark(STEP_READS_END);
	close(fd);
	mark(STEP_DONE);
}
#endif
