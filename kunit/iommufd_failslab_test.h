/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, for the KUnit suites of iommufd
 */
#ifndef _IOMMUFD_FAILSLAB_TEST_H
#define _IOMMUFD_FAILSLAB_TEST_H

#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/sched.h>

/* A value of the fault injection that only debugfs can change */
static void *failslab_knob(const char *attr, const char *name)
{
	struct dentry *dir = debugfs_lookup(attr, NULL);
	struct dentry *file = NULL;
	void *knob = NULL;

	if (dir)
		file = debugfs_lookup(name, dir);
	if (file)
		knob = d_inode(file)->i_private;
	dput(file);
	dput(dir);
	return knob;
}

/**
 * struct failslab - How allocations are made to fail
 * @nth: 0: all after a number of bytes; 1: only the nth
 * @ignore: Knob: only those that cannot sleep
 * @filter: Knob: only those of this task
 * @verbose: Knob: report failures
 * @iommufd_verbose: The same of iommufd's own, which the nth may hit
 * @probability: Knob: in percent
 * @times: Knob: how often
 * @space: Knob: bytes before the first failure
 */
struct failslab {
	bool nth;
	bool *ignore;
	bool *filter;
	unsigned long *verbose;
	unsigned long *iommufd_verbose;
	unsigned long *probability;
	atomic_t *times;
	atomic_t *space;
};

static bool failslab_init(struct failslab *f)
{
	f->ignore = failslab_knob("failslab", "ignore-gfp-wait");
	f->filter = failslab_knob("failslab", "task-filter");
	f->verbose = failslab_knob("failslab", "verbose");
	f->iommufd_verbose = failslab_knob("fail_iommufd", "verbose");
	f->probability = failslab_knob("failslab", "probability");
	f->times = failslab_knob("failslab", "times");
	f->space = failslab_knob("failslab", "space");
	return f->ignore && f->filter && f->verbose && f->iommufd_verbose &&
	       f->probability && f->times && f->space;
}

static void failslab_start(struct failslab *f, unsigned int n)
{
#ifdef CONFIG_FAULT_INJECTION
	*f->ignore = false;
	*f->verbose = 0;
	*f->iommufd_verbose = 0;
	if (f->nth) {
		current->fail_nth = n;
		return;
	}
	*f->filter = true;
	atomic_set(f->times, -1);
	atomic_set(f->space, (n - 1) * 8);
	current->make_it_fail = 1;
	*f->probability = 100;
#endif
}

static void failslab_stop(struct failslab *f)
{
#ifdef CONFIG_FAULT_INJECTION
	if (f->nth) {
		current->fail_nth = 0;
	} else {
		*f->probability = 0;
		current->make_it_fail = 0;
		atomic_set(f->times, 1);
		atomic_set(f->space, 0);
		*f->filter = false;
	}
	*f->ignore = true;
#endif
}

#endif
