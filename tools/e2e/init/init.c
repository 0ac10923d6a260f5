// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of the emulated arm64 host: runs the cases that the command line names,
 * reports in KTAP on the console and powers the machine off.
 *
 *	e2e.cases=a,b,c		which, in this order
 *	e2e.kernel=base|patched	what the kernel is; decides what is expected
 *	e2e.seed=N
 *	e2e.ops=N
 *	e2e.slow=N		N times as long for each case, as on a debug kernel
 *	e2e.gcov=DIR		where gcov's counts go, outside
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "e2e.h"
#include "gcov.h"
#include "host.h"

#define CASE_TIMEOUT	60	/* seconds; TCG on a busy machine is slow */
#define KMEMLEAK_AGE	6	/* seconds; it looks at nothing younger than 5 */

static void in_process(const struct e2e_case *c)
{
	const char *lack = host_lacks(c);

	report_begin(c);
	if (lack)
		skip("%s", lack);
	if (!c->unlimited)
		alarm(CASE_TIMEOUT * e2e.slow);
	c->run();
	report_end();
}

/* 0 passed, 1 failed, -1 skipped */
static int run_case(const struct e2e_case *t, unsigned int num)
{
	const char *verdict = "", *why = "";
	int status;
	pid_t pid;

	printf("    KTAP version 1\n    # Subtest: %s\n", t->name);
	pid = fork();
	if (!pid)
		in_process(t);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		verdict = "not ";
		printf("    # killed by signal %d\n", WTERMSIG(status));
	} else if (WEXITSTATUS(status) == EXIT_SKIPPED) {
		why = " # SKIP";
	} else if (WEXITSTATUS(status)) {
		verdict = "not ";
	}
	printf("%sok %u %s%s\n", verdict, num, t->name, why);
	return *verdict ? 1 : *why ? -1 : 0;
}

static const struct e2e_case *find_case(const char *name)
{
	const struct e2e_case *c;

	for_each_case(c)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

/* The value of @key on the kernel's command line, in a static buffer, or "" */
static const char *cmdline_get(const char *key)
{
	static char buf[512];
	size_t len = strlen(key);
	char line[2048] = "", *word, *save;
	int fd = open("/proc/cmdline", O_RDONLY);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		perror("/proc/cmdline");
	close(fd);
	buf[0] = '\0';
	for (word = strtok_r(line, "\n ", &save); word;
	     word = strtok_r(NULL, "\n ", &save))
		if (!strncmp(word, key, len) && word[len] == '=')
			snprintf(buf, sizeof(buf), "%s", word + len + 1);
	return buf;
}

static void mount_all(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
}

/* The end of a VM waits for RCU several times, and there are hundreds of them */
static void hurry_rcu(void)
{
	int fd = open("/sys/kernel/rcu_expedited", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		perror("# rcu_expedited");
	close(fd);
}

static void console_init(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static void run_cases(void)
{
	char list[512], *name, *save;
	unsigned int num = 0, counts[3] = { 0 };

	snprintf(list, sizeof(list), "%s", cmdline_get("e2e.cases"));
	for (name = strtok_r(list, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		const struct e2e_case *t = find_case(name);

		num++;
		if (t) {
			counts[1 + run_case(t, num)]++;
			continue;
		}
		printf("not ok %u %s\n# no such case\n", num, name);
		counts[2]++;
	}
	printf("1..%u\n# Totals: pass:%u fail:%u skip:%u\n", num, counts[1],
	       counts[2], counts[0]);
}

/*
 * The kernel's line with their number is what fails the run. To be believed, a leak
 * has to look the same in two scans.
 */
static void find_leaks(void)
{
	char line[256];
	FILE *f;
	int i;

	if (!kmemleak_runs())
		return;
	for (i = 0; i < 2; i++) {
		sleep(KMEMLEAK_AGE);
		if (!sysfs_write(KMEMLEAK, "scan"))
			perror("# " KMEMLEAK);
	}
	f = fopen(KMEMLEAK, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		printf("# %s", line);
	fclose(f);
	printf("# kmemleak has looked\n");
}

static void run_test(void)
{
	e2e.patched = !strcmp(cmdline_get("e2e.kernel"), "patched");
	e2e.btm_asked = !strcmp(cmdline_get("arm_smmu_v3.btm"), "1") ||
			!strcmp(cmdline_get("arm_smmu_v3.btm_s1"), "1");
	e2e.own = !strcmp(cmdline_get("e2e.own"), "1");
	e2e.protected = !strcmp(cmdline_get("kvm-arm.mode"), "protected");
	e2e.lse2 = getauxval(AT_HWCAP) & HWCAP_USCAT;
	e2e.seed = strtoul(cmdline_get("e2e.seed"), NULL, 0);
	e2e.ops = strtoul(cmdline_get("e2e.ops"), NULL, 0);
	e2e.slow = strtoul(cmdline_get("e2e.slow"), NULL, 0) ?: 1;
	e2e.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	printf("KTAP version 1\n# e2e kernel=%s btm_asked=%d seed=%u\n",
	       e2e.patched ? "patched" : "base", e2e.btm_asked, e2e.seed);
	modules_load();
	vfio_setup();
	learn_host();
	run_cases();
}

/* Without cases it is there for what the kernel's KUnit suites have leaked */
int main(void)
{
	mount_all();
	console_init();
	hurry_rcu();
	if (*cmdline_get("e2e.cases"))
		run_test();
	find_leaks();
	if (*cmdline_get("e2e.gcov"))
		gcov_save(cmdline_get("e2e.gcov"));

	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
