// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "host.h"

static char cmdline[2048];

void say_error(const char *what)
{
	printf("vmm: %s: %s\n", what, strerror(errno));
}

unsigned long param(const char *name, unsigned long otherwise)
{
	const char *at = strstr(cmdline, name);

	return at ? strtoul(at + strlen(name), NULL, 0) : otherwise;
}

bool param_text(const char *name, char *buf, size_t size)
{
	const char *at = strstr(cmdline, name);

	if (!at)
		return false;
	at += strlen(name);
	snprintf(buf, size, "%.*s", (int)strcspn(at, "\n "), at);
	return true;
}

size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : n;
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (!ok)
		say_error(path);
	if (fd >= 0)
		close(fd);
	return ok;
}

unsigned long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/tmp", 0755);
	mkdir("/dev", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) || mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL) || mount("tmp", "/tmp", "tmpfs", 0, NULL) ||
	    mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL) ||
	    mount("trace", TRACEFS, "tracefs", 0, NULL))
		say_error("mount");
}

int main(void)
{
	static struct vm vms[MAX_VMS];
	unsigned int n;
	char steps[512] = "";
	char path[32];
	int vmids;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	mount_all();
	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	if (access("/dev/iommu", F_OK))
		printf("vmm: the host's kernel has no IOMMUFD\n");

	find_devices();
	run_others(param("vmm.others=", 40));
	if (param("vmm.churn=", 0))
		start_churn();
	vmids = count_vmids();
	watch_pins();
	for (n = 0; n < MAX_VMS; n++) {
		vms[n].no = n + 1;
		snprintf(path, sizeof(path), "/vmm/args%u", n + 1);
		if (access(path, F_OK))
			break;
	}
	param_text("vmm.do=", steps, sizeof(steps));
	srandom(param("vmm.seed=", 1));
	run_steps(vms, n, steps, param("vmm.limit=", 100));
	if (n)
		say_trace(&vms[0]);
	say_exits();
	say_left(vmids);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
