// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that are not ours, on the DMA API's domains: disks, an NVMe and a virtio one,
 * that are written and read with O_DIRECT. Every byte is looked at; what it costs the
 * SMMU is in the trace.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define IO_OPS		64	/* of each step */
#define LARGE		0x20000ul

#define IO_STEPS(X)				\
	X(STEP_IO_WRITE,	0x00, "write")	\
	X(STEP_IO_READ,		0x01, "read")	\
	X(STEP_IO_END,		0x02, "end")

/* A round for each disk and size */
E2E_CASE(io, 60, "io", IO_STEPS, .needs = NEEDS_DISKS);

#define IO_ROUNDS	5

static const struct {
	const char *name;
	const char *path;
	size_t size;
	bool back;	/* after the disk has left the bus and come back */
} rounds[IO_ROUNDS] = {
	{ "NVMe", "/dev/nvme0n1", 0x1000 },
	{ "NVMe, large", "/dev/nvme0n1", LARGE },
	{ "virtio", "/dev/vda", 0x1000 },
	{ "virtio, large", "/dev/vda", LARGE },
	{ "NVMe after a replug", "/dev/nvme0n1", 0x1000, .back = true },
};

#ifdef E2E_INIT
#include "e2e.h"

#define NVME_PCI	"/sys/block/nvme0n1/device/device"
#define BUFFERS		16	/* so that an address is another page's the next time */

/* The disk leaves the bus with its domain and comes back to another one */
static void replug(void)
{
	char path[300], *pci = realpath(NVME_PCI, NULL);

	must(pci, NVME_PCI);
	snprintf(path, sizeof(path), "%s/remove", pci);
	must(sysfs_write(path, "1") && access(pci, F_OK), "remove %s", pci);
	must(!devices_rescan() && !access(pci, F_OK), "%s is back", pci);
	free(pci);
}

/* Writes and as many reads, each from and to memory of its own */
static void disk(unsigned int round)
{
	const char *path = rounds[round].path;
	const size_t size = rounds[round].size;
	u8 *buf = mmap(NULL, BUFFERS * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i, bad = 0;
	int fd;

	fd = open_soon(path, O_RDWR | O_DIRECT);
	must(fd >= 0 && buf != MAP_FAILED, "open %s", path);

	mark(ROUND(round, STEP_IO_WRITE));
	for (i = 0; i < IO_OPS; i++) {
		u8 *b = buf + i % BUFFERS * size;

		pattern_fill(b, size, round, i * size);
		must(pwrite(fd, b, size, i * size) == (ssize_t)size, "write %u", i);
	}
	mark(ROUND(round, STEP_IO_READ));
	for (i = 0; i < IO_OPS; i++) {
		/* The other way through them: not where it was written from */
		u8 *b = buf + (BUFFERS - 1 - i % BUFFERS) * size;

		memset(b, 0xa5, size);
		must(pread(fd, b, size, i * size) == (ssize_t)size, "read %u", i);
		bad += !pattern_matches(b, size, round, i * size);
	}
	mark(ROUND(round, STEP_IO_END));
	check(!bad, "%s: every byte of %u reads (wrong: %u)", rounds[round].name, IO_OPS,
	      bad);
	close(fd);
	munmap(buf, BUFFERS * size);
}

void case_io(void)
{
	unsigned int i;

	for (i = 0; i < IO_ROUNDS; i++) {
		if (rounds[i].back)
			replug();
		disk(i);
	}
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_io(struct run *r)
{
	unsigned int i;

	for (i = 0; i < IO_ROUNDS; i++) {
		struct span s[3];

		if (!steps(r, ROUND(i, STEP_IO_WRITE), ROUND(i, STEP_IO_END), s, "io"))
			continue;
		check_driver(r, &s[STEP_IO_WRITE], rounds[i].name, 1, IO_OPS);
		check_driver(r, &s[STEP_IO_READ], rounds[i].name, 1, IO_OPS);
	}
}
#endif
