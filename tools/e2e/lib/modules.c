// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that are modules: /modules/order names them, each behind those that it
 * needs, and /modules/suites what is for tests only. There is neither such a file nor
 * anything to do if they are built in.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "modules.h"
#include "report.h"

#define MODULES		"/modules"
#define MAX_MODULES	32
#define NAME_SIZE	64

#define TAINT_OOT_MODULE	(1ul << 12)

/* As the kernel calls it: "arm-smmu-v3.ko" is "arm_smmu_v3" */
static void module_name(const char *file, char *name)
{
	char *c;

	snprintf(name, NAME_SIZE, "%.*s", (int)strcspn(file, "."), file);
	for (c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

static unsigned int list_read(const char *list, char file[][NAME_SIZE])
{
	FILE *f = fopen(list, "r");
	unsigned int n = 0;

	if (!f)
		return 0;
	while (n < MAX_MODULES && fscanf(f, "%63s", file[n]) == 1)
		n++;
	fclose(f);
	return n;
}

/* Its words of the kernel's command line, which are lost on a module otherwise */
static void params_read(const char *name, char *params, size_t size)
{
	FILE *f = fopen("/proc/cmdline", "r");
	size_t len = strlen(name), at = 0;
	char word[512];

	params[0] = '\0';
	while (f && fscanf(f, "%511s", word) == 1)
		if (!strncmp(word, name, len) && word[len] == '.')
			at += snprintf(params + at, size - at, "%s ",
				       word + len + 1);
	if (f)
		fclose(f);
}

static int load(const char *file)
{
	char path[128], name[NAME_SIZE], params[1024];
	int fd, ret = 0;

	snprintf(path, sizeof(path), MODULES "/%.*s", NAME_SIZE - 1, file);
	module_name(file, name);
	params_read(name, params, sizeof(params));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, params, 0))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	printf("# module %s %s: %d\n", name, params, ret);
	return ret;
}

int modules_load(void)
{
	char file[MAX_MODULES][NAME_SIZE];
	unsigned int i, n = list_read(MODULES "/order", file);
	int ret = 0;

	for (i = 0; i < n && !ret; i++)
		ret = load(file[i]);
	return ret;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int modules_unload(void)
{
	char file[MAX_MODULES][NAME_SIZE], name[NAME_SIZE];
	unsigned int n = list_read(MODULES "/order", file);
	int ret = 0;

	while (n-- && !ret) {
		module_name(file[n], name);
		ret = module_unload(name);
		if (ret)
			note("%s: %d", name, ret);
	}
	return ret;
}

int module_users(const char *name)
{
	char path[128];
	int users = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &users) != 1)
		users = -1;
	fclose(f);
	return users;
}

bool modules_suite(unsigned int n, char *suite, size_t size)
{
	char file[MAX_MODULES][NAME_SIZE];

	if (n >= list_read(MODULES "/suites", file))
		return false;
	snprintf(suite, size, "%s", file[n]);
	return true;
}

int modules_load_suite(const char *file)
{
	return load(file);
}

bool modules_are_ours(void)
{
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long taint = 0;

	if (!f)
		return false;
	if (fscanf(f, "%lu", &taint) != 1)
		taint = 0;
	fclose(f);
	return taint & TAINT_OOT_MODULE;
}
