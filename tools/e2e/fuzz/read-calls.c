// SPDX-License-Identifier: GPL-2.0-only
/* Files that are read: queues of faults and events, and what is in debugfs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "calls.h"

#define IOMMUFD_DEBUGFS	"/sys/kernel/debug/iommu/iommufd"
#define SMMU_DEBUGFS	"/sys/kernel/debug/iommu/arm-smmu-v3"
#define MAX_READ	256

static void fill_events(struct turn *t)
{
	t->dev = file_from(F_EVENTS, choose(t, NUM_EVENTS), NUM_EVENTS);
	t->fd = file_at(F_EVENTS, t->dev);
}

/* The first of a queue has cookie 1, most of the time */
static int run_events(struct turn *t)
{
	static const u8 none[MAX_READ];
	struct iommu_hwpt_page_response answer = { .cookie = choose(t, 5), .code = choose(t, 3) };
	u64 buf = put_data(t, none, sizeof(none));
	ssize_t got = read(t->fd, (void *)(uintptr_t)buf, choose(t, MAX_READ + 1));

	if (got < 0)
		return -errno;
	/* EINVAL: the cookie is nobody's, or it is no queue of faults */
	return write(t->fd, &answer, sizeof(answer)) < 0 && errno != EINVAL ? -errno : 0;
}

static int run_events_close(struct turn *t)
{
	return file_close(F_EVENTS, t->dev) ? 0 : -EBADF;
}

static void fill_debugfs(struct turn *t)
{
	t->dev = choose(t, 64);
}

/* The @n-th directory's file, from anywhere in it */
static int run_debugfs(struct turn *t)
{
	static const char *const files[][2] = {
		{ SMMU_DEBUGFS, "vmids" }, { SMMU_DEBUGFS, "stage1" },
		{ IOMMUFD_DEBUGFS, "pasids" }, { IOMMUFD_DEBUGFS, "pasid_count" },
	};
	u32 which = choose(t, ARRAY_SIZE(files)), size = choose(t, MAX_READ), nth = choose(t, 8);
	DIR *dir = opendir(files[which][0]);
	struct dirent *e = NULL;
	char path[300], buf[MAX_READ];
	int fd;

	for (nth += 2; dir && nth && (e = readdir(dir)); nth--)
		snprintf(path, sizeof(path), "%s/%.200s/%s", files[which][0], e->d_name,
			 files[which][1]);
	if (!dir)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	closedir(dir);
	if (fd < 0)
		return -errno;
	while (read(fd, buf, size + 1) > 0)
		;
	close(fd);
	return 0;
}

const struct call read_calls[] = {
	{ "events", 6, 0, 0, fill_events, NULL, run_events },
	{ "events_close", 1, 0, 0, fill_events, NULL, run_events_close },
	{ "debugfs", 3, 0, 0, fill_debugfs, NULL, run_debugfs },
	{ }
};
