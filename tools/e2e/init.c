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
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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

#define CASE_TIMEOUT	60	/* seconds; TCG on a busy machine is slow */
#define KMEMLEAK_AGE	6	/* seconds; it looks at nothing younger than 5 */

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 4 };

struct e2e e2e;

static const struct test_case {
	enum e2e_case num;
	const char *name;
	void (*fn)(void);
} cases[] = {
#define X(sym, num, name, fn)	{ num, name, case_##fn },
	E2E_CASES(X)
#undef X
};

static const struct {
	enum e2e_case cs;
	unsigned int step;
	const char *name;
} steps[] = {
#define X(cs, sym, num, name)	{ CASE_##cs, num, name },
	E2E_STEPS(X)
#undef X
};

/* Of the case that runs in this process */
static unsigned int checks, failed;

bool share_expected(void)
{
	unsigned int smmu_bits = e2e.idr0 & IDR0_VMID16 ? 16 : 8;

	return e2e.patched && e2e.idr0 && !e2e.protected && e2e.kvm_vmid_bits &&
	       e2e.kvm_vmid_bits <= smmu_bits;
}

bool btm_expected(void)
{
	return share_expected() && e2e.btm_asked && (e2e.idr0 & IDR0_BTM);
}

u32 flags_expected(void)
{
	if (!share_expected())
		return 0;
	return E2E_VMID_SHARED | (btm_expected() ? E2E_BTM : 0);
}

u32 ask_flags(void)
{
	return share_expected() || !e2e.patched ? E2E_SHARE_VMID : 0;
}

void note(const char *fmt, ...)
{
	va_list ap;

	printf("    # ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static bool vcheck(bool ok, const char *fmt, va_list ap)
{
	printf("    %sok %u - ", ok ? "" : "not ", ++checks);
	vprintf(fmt, ap);
	putchar('\n');
	if (!ok)
		failed++;
	return ok;
}

bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcheck(ok, fmt, ap);
	va_end(ap);
	return ok;
}

static void finish_case(void)
{
	printf("    1..%u\n", checks);
	fflush(stdout);
	/* The kernel closes what is open: devices, VMs, page tables */
	_exit(failed ? EXIT_FAILED : 0);
}

void must(bool ok, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	if (ok)
		return;
	va_start(ap, fmt);
	vcheck(false, fmt, ap);
	va_end(ap);
	note("the case stops here (errno %d, %s)", err, strerror(err));
	finish_case();
}

void skip(const char *fmt, ...)
{
	va_list ap;

	printf("    1..0 # SKIP ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	_exit(EXIT_SKIPPED);
}

static const char *step_name(enum e2e_case cs, unsigned int step)
{
	unsigned int i, pass;

	/* A step of a round has the round in its upper half */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < ARRAY_SIZE(steps); i++)
			if (steps[i].cs == cs &&
			    steps[i].step == (pass ? step & 0xf : step))
				return steps[i].name;
	return "?";
}

void mark(enum e2e_case cs, unsigned int step)
{
	unsigned int i;

	for (i = 0; cases[i].num != cs; i++)
		;
	printf("    # mark %x %s.%s\n", MARK(cs, step), cases[i].name,
	       step_name(cs, step));
	marker_write(MARK(cs, step));
}

/* 0 passed, 1 failed, -1 skipped */
static int run_case(const struct test_case *t, unsigned int num)
{
	const char *verdict = "", *why = "";
	int status;
	pid_t pid;

	printf("    KTAP version 1\n    # Subtest: %s\n", t->name);
	pid = fork();
	if (!pid) {
		alarm(CASE_TIMEOUT * e2e.slow);
		t->fn();
		finish_case();
	}
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

static const struct test_case *find_case(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!strcmp(cases[i].name, name))
			return &cases[i];
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
		const struct test_case *t = find_case(name);

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

/* In a process of its own, which leaves nothing open and may fail */
static void learn_host(void)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds)) {
		perror("# pipe");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		host_probe();
		_exit(write(fds[1], &e2e, sizeof(e2e)) != sizeof(e2e));
	}
	close(fds[1]);
	if (read(fds[0], &e2e, sizeof(e2e)) != sizeof(e2e))
		printf("# the host could not be probed\n");
	close(fds[0]);
	waitpid(pid, NULL, 0);
	printf("# host idr0 %#x kvm_vmid_bits %u lse2 %d\n", e2e.idr0,
	       e2e.kvm_vmid_bits, e2e.lse2);
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

	if (access(KMEMLEAK, W_OK))
		return;
	for (i = 0; i < 2; i++) {
		sleep(KMEMLEAK_AGE);
		if (!sysfs_write(KMEMLEAK, "scan"))
			perror("# " KMEMLEAK);
	}
	f = fopen(KMEMLEAK, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("# %s", line);
	if (f)
		fclose(f);
}

int main(void)
{
	mount_all();
	console_init();
	hurry_rcu();

	e2e.patched = !strcmp(cmdline_get("e2e.kernel"), "patched");
	e2e.btm_asked = !strcmp(cmdline_get("arm_smmu_v3.btm"), "1");
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
	find_leaks();

	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
