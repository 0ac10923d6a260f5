// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of the kernel's slab caches that are in use. Exact only for caches that are
 * debugged (slab_debug=), as others keep free objects at hand and count them as used.
 */
#include <string.h>
#include <unistd.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "e2e.h"

#define FREE_TRIES	100

/* The caches that objects without one of their own come from */
static void read_caches(struct slabs *s)
{
	char line[512], name[32];
	unsigned long objects;
	FILE *f = fopen("/proc/slabinfo", "r");

	must(f, "/proc/slabinfo");
	s->num = 0;
	s->total = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %lu", name, &objects) != 2 ||
		    strncmp(name, "kmalloc-", 8))
			continue;
		must(s->num < MAX_CACHES, "room for %s", name);
		snprintf(s->cache[s->num].name, sizeof(s->cache[0].name), "%s",
			 name);
		s->cache[s->num++].objects = objects;
		s->total += objects;
	}
	fclose(f);
	must(s->num, "kmalloc caches");
}

/* Let go of what waits for RCU; kfree_rcu() collects it until memory is called for */
static void let_go(void)
{
	sysfs_write("/proc/sys/vm/drop_caches", "6");
	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(2000);
}

static void tell_change(const struct slabs *was, const struct slabs *is)
{
	unsigned int i;

	must(was->num == is->num, "the same caches");
	for (i = 0; i < was->num; i++)
		if (was->cache[i].objects != is->cache[i].objects)
			note("%lu objects in %s, were %lu",
			     is->cache[i].objects, is->cache[i].name,
			     was->cache[i].objects);
}

void slabs_read(struct slabs *s)
{
	unsigned long before;
	unsigned int i = 0;

	read_caches(s);
	do {
		before = s->total;
		let_go();
		read_caches(s);
	} while (s->total != before && i++ < FREE_TRIES);
}

bool slabs_same(const struct slabs *was)
{
	struct slabs is;
	unsigned int i;

	read_caches(&is);
	for (i = 0; is.total > was->total && i < FREE_TRIES; i++) {
		let_go();
		read_caches(&is);
	}
	if (is.total == was->total)
		return true;
	tell_change(was, &is);
	return false;
}
