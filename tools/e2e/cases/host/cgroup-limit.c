// SPDX-License-Identifier: GPL-2.0-only
/*
 * Somebody whose cgroup has no memory left attaches a PASID, and pins pages: first with room
 * enough, then with a little less each time, until it is refused again and again: at one or another
 * of the nodes of the xarrays that they go to. The nodes before it stay, with nothing in them. No
 * kernel may take these for a PASID, or for a pinned page, and warn; the device can be attached to
 * what is for devices without PASIDs only.
 *
 * On iommufd's mock device, as no emulated one has PASIDs. On the unpatched kernel, and without the
 * series on PASIDs, they are charged to nobody, so that attach succeeds. On the unpatched one the
 * pages warn.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/membarrier.h>

#include "case.h"

#define CGROUP_LIMIT_STEPS(X)			\
	X(STEP_CGROUP_LIMIT_RUN, 0x01, "run")

E2E_CASE(cgroup_limit, 68, "cgroup-limit", CGROUP_LIMIT_STEPS, .unlimited = true);

#ifdef E2E_INIT
#include "e2e.h"
#include "iommufd_test.h"

#define CGROUPS		"/cgroup"
#define CGROUP		CGROUPS "/small"
#define ROOM		(3 * PAGE)	/* what is asked for takes a little more than 1 */
#define FILLERS		4096
#define TRIES		400
#define REFUSALS	16
#define AREA		SZ_2M		/* 512 pages: two levels of nodes */
#define PINNED		(AREA / 2)
#define IOVA		0x1000000ul	/* where the mock device's begin */
/* Four levels of nodes */
#define PASID		0x80000

/*
 * syslog(2): what goes to the console, as the OOM killer has thousands of lines to
 * say; so a warning does not get there either
 */
enum { LOG_READ_ALL = 3, LOG_LEVEL = 8 };
enum { LEVEL_ERRORS = 4, LEVEL_ALL = 7 };

/**
 * struct filler - small things that are charged to the cgroup
 * @epoll: each is a file that it watches
 * @event: the same file each time, under another number
 * @used: how many there are
 */
struct filler {
	int epoll;
	int event[FILLERS];
	unsigned int used;
};

static struct filler filler;
static unsigned long limit;
static int limit_fd;

/* By a file that is open, as there may be no memory to open it */
static void set_limit(const char *max)
{
	must(write(limit_fd, max, strlen(max)) > 0, "memory.max");
}

/* From here on there is no more than the limit */
static void limit_begin(void)
{
	char max[32];

	snprintf(max, sizeof(max), "%lu", limit);
	set_limit(max);
}

static void limit_end(void)
{
	set_limit("max");
}

/* What was freed under RCU is free */
static void settle(void)
{
	must(!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0), "membarrier");
	usleep(1000);
}

/* False if there is no memory for it */
static bool filler_add(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	must(filler.used < FILLERS, "enough that takes memory");
	if (epoll_ctl(filler.epoll, EPOLL_CTL_ADD, filler.event[filler.used], &e)) {
		must(errno == ENOMEM, "EPOLL_CTL_ADD");
		return false;
	}
	filler.used++;
	return true;
}

static void filler_init(void)
{
	const struct rlimit files = { FILLERS + 256, FILLERS + 256 };
	unsigned int i;

	must(!setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE");
	filler.epoll = epoll_create1(0);
	filler.event[0] = eventfd(0, 0);
	must(filler.epoll >= 0 && filler.event[0] >= 0, "epoll");
	for (i = 1; i < FILLERS; i++) {
		filler.event[i] = dup(filler.event[0]);
		must(filler.event[i] >= 0, "dup");
	}
}

static void cgroup_init(void)
{
	cpu_set_t cpu;
	char pid[16];

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	must(!sched_setaffinity(0, sizeof(cpu), &cpu), "CPU 0");

	mkdir(CGROUPS, 0755);
	must(!mount("cgroup2", CGROUPS, "cgroup2", 0, NULL) &&
	     sysfs_write(CGROUPS "/cgroup.subtree_control", "+memory") &&
	     !mkdir(CGROUP, 0755), "a cgroup");
	limit_fd = open(CGROUP "/memory.max", O_WRONLY);
	must(limit_fd >= 0, "memory.max");
	snprintf(pid, sizeof(pid), "%d", getpid());
	/* Nobody to be killed: what is asked for is refused then */
	must(sysfs_write("/proc/self/oom_score_adj", "-1000") &&
	     sysfs_write(CGROUP "/cgroup.procs", pid), "to be in the cgroup");
	must(!mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
}

static void cgroup_exit(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	must(sysfs_write(CGROUPS "/cgroup.procs", pid), "to leave the cgroup");
	umount2(CGROUPS, MNT_DETACH);
}

/* Has any function warned since the boot? */
static bool warned(void)
{
	return sysfs_number("/proc/sys/kernel/tainted") & 1 << 9;
}

static void quiet(bool yes)
{
	klogctl(LOG_LEVEL, NULL, yes ? LEVEL_ERRORS : LEVEL_ALL);
}

/* A check, and what the kernel's log still has of it */
static void check_warned(bool expected, const char *what)
{
	static char log[1 << 20];
	char *line;
	int len;

	if (check(warned() == expected, "%s: the kernel %s", what,
		  expected ? "warns" : "does not warn") && !expected)
		return;
	len = klogctl(LOG_READ_ALL, log, sizeof(log) - 1);
	log[len > 0 ? len : 0] = '\0';
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "WARNING:"))
			note("%s", line);
}

static int test_cmd(int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(fd, IOMMU_TEST_CMD, cmd) ? -errno : 0;
}

/**
 * struct trial - something to ask of the kernel
 * @what: for the report
 * @make: what it needs
 * @ask: 0 or -errno
 * @after: what is left can be used; @ret is what @ask returned. True if so
 */
struct trial {
	const char *what;
	void (*make)(int fd, u32 ioas);
	int (*ask)(int fd);
	bool (*after)(int fd, u32 ioas, int ret);
};

/* A PASID is attached */

static u32 mock, mock_pt;

static int mock_attach(int fd, u32 pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = mock,
		.mock_domain_replace = { .pt_id = pt },
	};

	return test_cmd(fd, &cmd);
}

static void pasid_make(int fd, u32 ioas)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = ioas,
		.mock_domain_flags = { .dev_flags = MOCK_FLAGS_DEVICE_PASID },
	};
	int pt;

	must(!test_cmd(fd, &cmd), "a mock device");
	mock = cmd.mock_domain_flags.out_stdev_id;
	pt = hwpt_alloc(fd, cmd.mock_domain_flags.out_idev_id, ioas,
			IOMMU_HWPT_ALLOC_PASID);
	must(pt > 0 && !mock_attach(fd, pt), "a page table for PASIDs: %d", pt);
	mock_pt = pt;
}

static int pasid_ask(int fd)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_ATTACH,
		.id = mock,
		.pasid_attach = { .pasid = PASID, .pt_id = mock_pt },
	};

	return test_cmd(fd, &cmd);
}

/* The RID can be attached to what PASIDs cannot; the device can go */
static bool pasid_after(int fd, u32 ioas, int ret)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_DETACH,
		.id = mock,
		.pasid_detach = { .pasid = PASID },
	};
	bool ok;

	if (!ret)
		must(!test_cmd(fd, &cmd), "detach the PASID");
	ok = !mock_attach(fd, ioas);
	must(!iommufd_destroy(fd, mock_pt) && !iommufd_destroy(fd, mock),
	     "destroy the page table and the device");
	return ok;
}

/* Pages are pinned for somebody in the kernel */

static int pins_fd;
static u8 *area;

static void pins_make(int fd, u32 ioas)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = ioas,
		.create_access = {
			.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
		},
	};

	must(!ioas_map(fd, ioas, area, AREA, IOVA) && !test_cmd(fd, &cmd),
	     "an access");
	pins_fd = cmd.create_access.out_access_fd;
}

static int pins_ask(int fd)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = pins_fd,
		.access_pages = { .iova = IOVA + PINNED, .length = PAGE },
	};

	return test_cmd(fd, &cmd);
}

/* What is pinned goes with its file */
static bool pins_after(int fd, u32 ioas, int ret)
{
	(void)ret;
	close(pins_fd);
	return !ioas_unmap(fd, ioas, IOVA, AREA);
}

/* The series that charges PASIDs shows them too. It is not there on 7.2. */
static bool pasids_charged(void)
{
	return !access("/sys/kernel/debug/iommu/iommufd", F_OK);
}

static void try(const struct trial *t, int fd, u32 ioas)
{
	unsigned int i, granted = 0, refused = 0, wrong = 0, unusable = 0;
	const bool charged = t->ask != pasid_ask || pasids_charged();
	unsigned int full = 0;
	int ret;

	/* So that what comes and goes has been there once */
	t->make(fd, ioas);
	must(!t->ask(fd) && t->after(fd, ioas, 0), "%s", t->what);
	/* With what it needs; and what a CPU has charged in advance goes first */
	t->make(fd, ioas);
	limit = sysfs_number(CGROUP "/memory.current");
	limit_begin();
	while (filler_add())
		;
	limit_end();
	must(t->after(fd, ioas, -ENOMEM), "%s", t->what);
	limit += ROOM;
	for (i = 0; i < TRIES && refused < REFUSALS && (charged || full < REFUSALS); i++) {
		t->make(fd, ioas);
		settle();
		limit_begin();
		ret = t->ask(fd);
		/* Once there is no room, where it ends varies by itself */
		if (!ret)
			full += !filler_add();
		limit_end();
		granted += !ret;
		refused += ret == -ENOMEM;
		wrong += ret && ret != -ENOMEM;
		unusable += !t->after(fd, ioas, ret);
	}
	note("%s: granted %u times, refused %u times", t->what, granted, refused);
	check(!wrong && !unusable, "%s: %u wrong answers, %u times something is left",
	      t->what, wrong, unusable);
	if (charged)
		check(granted && refused == REFUSALS,
		      "%s: refused once there is no room", t->what);
	else
		check(granted && !refused, "%s: charged to nobody", t->what);
}

void case_cgroup_limit(void)
{
	static const struct trial pasid = {
		"a PASID", pasid_make, pasid_ask, pasid_after,
	}, pins = {
		"a pinned page", pins_make, pins_ask, pins_after,
	};
	int fd = iommufd_open(), ioas = ioas_alloc(fd);

	must(!warned() && ioas > 0, "nobody has warned yet");
	if (!e2e.patched)
		allow_warning("iopt_release_pages");
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	must(area != MAP_FAILED, "memory");
	filler_init();
	mark(STEP_CGROUP_LIMIT_RUN);
	quiet(true);
	cgroup_init();
	try(&pasid, fd, ioas);
	check_warned(false, pasid.what);
	try(&pins, fd, ioas);
	close(fd);
	check_warned(!e2e.patched, pins.what);
	cgroup_exit();
	quiet(false);
	mark(STEP_DONE);
}
#endif
