// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KUnit suites are modules, and so is KUnit. A suite runs when its module is
 * loaded and leaves its results in debugfs; those in a driver's module have run when
 * init loaded that.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "case.h"

#define SUITES_STEPS(X)				\
	X(STEP_SUITES_RUN,	0x01, "run")

E2E_CASE(suites, 90, "suites", SUITES_STEPS, .unlimited = true);

#ifdef E2E_INIT
#include "e2e.h"

#define RESULTS	"/sys/kernel/debug/kunit"

static bool is_suite(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static unsigned int suites_there(void)
{
	DIR *dir = opendir(RESULTS);
	struct dirent *entry;
	unsigned int n = 0;

	while (dir && (entry = readdir(dir)))
		n += is_suite(entry);
	if (dir)
		closedir(dir);
	return n;
}

static void load_suites(void)
{
	unsigned int i, there, n;
	char file[NAME_MAX + 1];
	int ret;

	for (i = 0; modules_suite(i, file, sizeof(file)); i++) {
		there = suites_there();
		ret = modules_load_suite(file);
		n = suites_there() - there;
		check(!ret && n, "%s: %d, %u suites", file, ret, n);
	}
	must(i, "there are modules with suites");
}

/* Its last line is the verdict of the suite; what failed is above it, indented */
static void judge(const char *suite)
{
	unsigned int passed = 0, failed = 0, skipped = 0;
	char path[PATH_MAX], line[256];
	bool ok = false;
	FILE *f;

	snprintf(path, sizeof(path), RESULTS "/%s/results", suite);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "ok ", 3)) {
			ok = true;
		} else if (strstr(line, "    not ok ") == line) {
			failed++;
			note("%s: %s", suite, line);
		} else if (strstr(line, "    ok ") == line) {
			if (strstr(line, "# SKIP"))
				skipped++;
			else
				passed++;
		}
	}
	if (f)
		fclose(f);
	check(ok && passed && !failed, "suite %s: %u passed, %u failed, %u skipped",
	      suite, passed, failed, skipped);
}

void case_suites(void)
{
	struct dirent *entry;
	DIR *dir;

	mark(STEP_SUITES_RUN);
	check(suites_there(), "suites in the drivers' modules");
	check(modules_are_ours(), "the modules are those built outside the tree");
	load_suites();
	dir = opendir(RESULTS);
	must(dir, RESULTS);
	while ((entry = readdir(dir)))
		if (is_suite(entry))
			judge(entry->d_name);
	closedir(dir);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_suites(struct run *r)
{
	struct span s;

	rule(r, step(r, STEP_SUITES_RUN, &s), "suites: step");
}
#endif
