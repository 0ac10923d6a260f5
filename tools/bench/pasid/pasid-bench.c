// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of a PASID attachment on iommufd's mock device: memory, memory charged
 * to the cgroup, and time for each attach, replace and detach, and for each to be
 * read in debugfs.
 *
 * Under -icount shift=0,sleep=off a nanosecond of the guest's clock is one
 * instruction, so the times are counts and repeat exactly.
 *
 * Prints "<what> <PASIDs> <value>", one a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "iommufd_test.h"

#define CGROUP "/cgroup/bench"

static int fd;

static void die(const char *what)
{
	printf("# %s: %m\nBail out!\n", what);
	exit(EXIT_FAILURE);
}

static int write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);
	int ok;

	if (file < 0)
		return 0;
	ok = write(file, text, strlen(text)) == (ssize_t)strlen(text);
	close(file);
	return ok;
}

/* The number after a word at the start of a line */
static long long read_number(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	size_t len = strlen(word);
	long long value = -1;
	char line[256];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, word, len) &&
		    (line[len] == ' ' || line[len] == ':'))
			value = strtoll(line + len + 1, NULL, 10);
	fclose(file);
	return value;
}

struct memory {
	long long free;
	long long slab;
	long long charged;
};

static struct memory measure(void)
{
	struct memory memory;

	/* Counters are per CPU, and cgroups fold theirs every two seconds */
	sleep(5);
	write_file("/proc/sys/vm/stat_refresh", "1");
	memory.free = read_number("/proc/meminfo", "MemFree") * 1024;
	memory.slab = read_number("/proc/meminfo", "Slab") * 1024;
	memory.charged = read_number(CGROUP "/memory.stat", "slab");
	return memory;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static uint32_t alloc_ioas(void)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(fd, IOMMU_IOAS_ALLOC, &cmd))
		die("IOMMU_IOAS_ALLOC");
	return cmd.out_ioas_id;
}

static uint32_t alloc_device(uint32_t ioas, uint32_t *dev_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = ioas,
		.mock_domain_flags = { .dev_flags = MOCK_FLAGS_DEVICE_PASID },
	};

	if (ioctl(fd, IOMMU_TEST_CMD, &cmd))
		die("mock device");
	*dev_id = cmd.mock_domain_flags.out_idev_id;
	return cmd.mock_domain_flags.out_stdev_id;
}

static uint32_t alloc_hwpt(uint32_t dev_id, uint32_t ioas)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_PASID,
		.dev_id = dev_id,
		.pt_id = ioas,
	};

	if (ioctl(fd, IOMMU_HWPT_ALLOC, &cmd))
		die("IOMMU_HWPT_ALLOC");
	return cmd.out_hwpt_id;
}

static void replace_rid(uint32_t stdev, uint32_t hwpt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = stdev,
		.mock_domain_replace = { .pt_id = hwpt },
	};

	if (ioctl(fd, IOMMU_TEST_CMD, &cmd))
		die("replace of the RID");
}

/* The cost of one call, over num PASIDs of them */
static double run(uint32_t op, uint32_t stdev, uint32_t hwpt, uint32_t num)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = op,
		.id = stdev,
	};
	uint32_t pasid, done = 0;
	int64_t start = now();

	for (pasid = 1; done < num && pasid < 1 << MOCK_PASID_WIDTH; pasid++) {
		/* Fails on purpose */
		if (pasid == IOMMU_TEST_PASID_RESERVED)
			continue;
		cmd.pasid_attach.pasid = pasid;
		cmd.pasid_attach.pt_id = hwpt;
		if (ioctl(fd, IOMMU_TEST_CMD, &cmd))
			die("PASID operation");
		done++;
	}
	return (double)(now() - start) / done;
}

/* Print the cost of reading the PASIDs of the one device, where there is such a file */
static void read_ranges(uint32_t num)
{
	int64_t start = now();
	glob_t found;
	char buf[4096];
	int file;

	if (glob("/sys/kernel/debug/iommu/iommufd/*/pasids", 0, NULL, &found))
		return;
	file = open(found.gl_pathv[0], O_RDONLY);
	if (file < 0)
		die(found.gl_pathv[0]);
	while (read(file, buf, sizeof(buf)) > 0)
		;
	close(file);
	globfree(&found);
	printf("read %u %.1f\n", num, (double)(now() - start) / num);
}

static void bench(uint32_t num)
{
	uint32_t ioas, stdev, dev_id, hwpt[2];
	struct memory before, after;
	double attach;

	fd = open("/dev/iommu", O_RDWR);
	if (fd < 0)
		die("/dev/iommu");
	ioas = alloc_ioas();
	stdev = alloc_device(ioas, &dev_id);
	hwpt[0] = alloc_hwpt(dev_id, ioas);
	hwpt[1] = alloc_hwpt(dev_id, ioas);
	replace_rid(stdev, hwpt[0]);

	before = measure();
	attach = run(IOMMU_TEST_OP_PASID_ATTACH, stdev, hwpt[0], num);
	after = measure();

	printf("free %u %.1f\n", num, (double)(before.free - after.free) / num);
	printf("slab %u %.1f\n", num, (double)(after.slab - before.slab) / num);
	printf("cgroup %u %.1f\n", num,
	       (double)(after.charged - before.charged) / num);
	printf("attach %u %.1f\n", num, attach);
	read_ranges(num);
	printf("replace %u %.1f\n", num,
	       run(IOMMU_TEST_OP_PASID_REPLACE, stdev, hwpt[1], num));
	printf("detach %u %.1f\n", num,
	       run(IOMMU_TEST_OP_PASID_DETACH, stdev, 0, num));
	fflush(stdout);
	close(fd);
}

int main(void)
{
	char pid[16];

	write_file("/cgroup/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!write_file(CGROUP "/cgroup.procs", pid))
		die("cgroup");

	bench(1000);
	bench(100000);
	/* All that there are: PASID 0 is none, and one is reserved */
	bench((1 << MOCK_PASID_WIDTH) - 2);
	return 0;
}
