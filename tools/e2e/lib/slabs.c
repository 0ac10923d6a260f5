// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of the kernel's kmalloc caches that are in use, by who allocated them. For
 * caches that are debugged and remember that (slab_debug=U): others keep free objects
 * at hand and count them as used.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "slabs.h"
#include "sysfs.h"

#define SLABS	"/sys/kernel/debug/slab"
#define TICK_US	500000
#define STILL	13	/* ticks */
#define CALLERS	4	/* to be told */

/*
 * Workqueues start and end workers as the machine's load demands, whatever is tested:
 * each has a few objects, its thread's among them, which kthreadd allocates.
 */
static bool is_worker(const char *caller)
{
	return !strncmp(caller, "create_worker+", 14) || !strncmp(caller, "kthreadd+", 9);
}

static unsigned int hash_of(unsigned int hash, const char *s)
{
	while (*s)
		hash = hash * 31 + (unsigned char)*s++;
	return hash;
}

static void add_caller(struct slab_site *site, unsigned int nth, const char *caller)
{
	size_t len = strlen(site->callers);

	site->hash = hash_of(site->hash, caller);
	if (nth < CALLERS)
		snprintf(site->callers + len, sizeof(site->callers) - len, "%s%.*s",
			 nth ? " < " : "", (int)strcspn(caller, "+"), caller);
}

/* The callers are on lines of their own, and end with an empty one. False if a worker's */
static bool read_callers(FILE *f, struct slab_site *site)
{
	char line[512], caller[256];
	unsigned int nth = 0;
	bool ours = true;

	site->hash = 0;
	site->callers[0] = '\0';
	while (fgets(line, sizeof(line), f) && sscanf(line, "%255s", caller) == 1) {
		if (is_worker(caller))
			ours = false;
		add_caller(site, nth++, caller);
	}
	must(nth, "slab_debug=U");
	return ours;
}

static void read_cache(struct slabs *s, const char *cache)
{
	char path[PATH_MAX], line[512];
	struct slab_site *site;
	FILE *f;

	snprintf(path, sizeof(path), SLABS "/%s/alloc_traces", cache);
	f = fopen(path, "r");
	must(f, "%s", path);
	while (fgets(line, sizeof(line), f)) {
		must(s->num < MAX_SITES, "room for all who allocate");
		site = &s->site[s->num];
		if (sscanf(line, "%lu %47[^+ ]", &site->objects, site->by) != 2)
			continue;
		snprintf(site->cache, sizeof(site->cache), "%s", cache);
		if (!read_callers(f, site))
			continue;
		s->total += site->objects;
		s->num++;
	}
	fclose(f);
}

static void read_all(struct slabs *s)
{
	struct dirent *e;
	DIR *d = opendir(SLABS);

	must(d, SLABS);
	s->num = 0;
	s->total = 0;
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, "kmalloc-", 8))
			read_cache(s, e->d_name);
	closedir(d);
	must(s->num, "kmalloc caches");
}

static unsigned long objects_of(const struct slabs *s, const struct slab_site *like)
{
	unsigned int i;

	for (i = 0; i < s->num; i++)
		if (s->site[i].hash == like->hash && !strcmp(s->site[i].cache, like->cache))
			return s->site[i].objects;
	return 0;
}

static void tell_more(const struct slabs *was, const struct slabs *is)
{
	const struct slab_site *site;
	unsigned long before;

	for (site = is->site; site < is->site + is->num; site++) {
		before = objects_of(was, site);
		if (site->objects > before)
			note("%lu objects in %s, were %lu: %s", site->objects,
			     site->cache, before, site->callers);
	}
}

bool kmemleak_runs(void)
{
	return sysfs_write(KMEMLEAK, "stack=on");
}

bool slabs_settle(void)
{
	return !kmemleak_runs();
}

/* kfree_rcu() collects for up to 5 s before it waits for RCU and frees */
void slabs_read(struct slabs *s)
{
	unsigned long before = 0;
	unsigned int still = 0;

	while (still < STILL) {
		read_all(s);
		still = s->total == before ? still + 1 : 0;
		before = s->total;
		usleep(TICK_US);
	}
}

bool slabs_no_more(const struct slabs *was)
{
	static struct slabs is;

	slabs_read(&is);
	if (is.total <= was->total)
		return true;
	tell_more(was, &is);
	return false;
}

static bool has_word(const char *name, const char *const *words)
{
	while (*words && !strstr(name, *words))
		words++;
	return *words;
}

static unsigned long objects_by(const struct slabs *s, const char *name)
{
	unsigned long objects = 0;
	unsigned int i;

	for (i = 0; i < s->num; i++)
		if (!strcmp(s->site[i].by, name))
			objects += s->site[i].objects;
	return objects;
}

static const char *more_by(const struct slabs *was, const struct slabs *is,
			   const char *const *words)
{
	unsigned int i;

	for (i = 0; i < is->num; i++) {
		const char *name = is->site[i].by;

		if (has_word(name, words) && objects_by(is, name) > objects_by(was, name))
			return name;
	}
	return NULL;
}

bool slabs_no_more_by(const struct slabs *was, const char *const *words)
{
	static struct slabs is;
	const char *name = NULL;
	unsigned int tick;

	for (tick = 0; tick < STILL; tick++) {
		read_all(&is);
		name = more_by(was, &is, words);
		if (!name)
			return true;
		usleep(TICK_US);
	}
	note("%lu objects by %s, were %lu", objects_by(&is, name), name, objects_by(was, name));
	return false;
}
