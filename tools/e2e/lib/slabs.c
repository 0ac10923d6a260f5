// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of the kernel's slab caches that are in use. Exact only for caches that are
 * debugged (slab_debug=), as others keep free objects at hand and count them as used.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "slabs.h"

#define TICK_US	100000
#define STILL	65	/* ticks */

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

bool slabs_settle(void)
{
	return access(KMEMLEAK, F_OK) != 0;
}

/* kfree_rcu() collects for up to 5 s before it waits for RCU and frees */
void slabs_read(struct slabs *s)
{
	unsigned long before = 0;
	unsigned int still = 0;

	while (still < STILL) {
		read_caches(s);
		still = s->total == before ? still + 1 : 0;
		before = s->total;
		usleep(TICK_US);
	}
}

bool slabs_no_more(const struct slabs *was)
{
	struct slabs is;

	slabs_read(&is);
	if (is.total <= was->total)
		return true;
	tell_change(was, &is);
	return false;
}
