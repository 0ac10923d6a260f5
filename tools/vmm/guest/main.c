// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../marks.h"
#include "guest.h"

/* Those that the kernel does not have built in */
static void load_drivers(void)
{
	static const char * const modules[] = { "/nvme-core.ko", "/nvme.ko", "/vmm-guest.ko" };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modules); i++) {
		fd = open(modules[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (syscall(SYS_finit_module, fd, "", 0))
			printf("guest: %s: %s\n", modules[i], strerror(errno));
		close(fd);
	}
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

void mark(unsigned int window)
{
	static int fd = -1;
	char text[16];
	int n;

	if (fd < 0)
		fd = open(PARAMETERS "mark", O_WRONLY);
	n = snprintf(text, sizeof(text), "%u", window);
	/* Without the test device there is nobody to tell */
	if (pwrite(fd, text, n, 0) != n && errno != ENODEV)
		printf("guest: mark: %s\n", strerror(errno));
}

bool unmap_job(char *detail)
{
	bool ok = write_text(PARAMETERS "run", "100");

	if (!ok)
		snprintf(detail, DETAIL_SIZE, "error=%s", strerror(errno));
	repeat_log();
	return ok;
}

/* The VM begins again; the host hears that by the next "ready" */
static bool reboot_job(char *detail)
{
	reboot(RB_AUTOBOOT);
	snprintf(detail, DETAIL_SIZE, "error=%s", strerror(errno));
	return false;
}

/* The end of init is a panic, which the checker has to expect */
static bool crash_job(char *detail)
{
	printf("guest: crashes\n");
	exit(1);
}

static bool off_job(char *detail)
{
	reboot(RB_POWER_OFF);
	snprintf(detail, DETAIL_SIZE, "error=%s", strerror(errno));
	return false;
}

static const struct job jobs[] = {
	{ "unmap", unmap_job },
	{ "fault", fault_job },
	{ "disk", disk_job },
	{ "check", check_job },
	{ "load", load_job },
	{ "gone", gone_job },
	{ "net", net_job },
	{ "slot-on", slot_on_job },
	{ "slot-off", slot_off_job },
	{ "reboot", reboot_job },
	{ "crash", crash_job },
	{ "off", off_job },
};

static void do_job(const char *name)
{
	char detail[DETAIL_SIZE] = "no such job";
	bool ok = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		if (!strcmp(jobs[i].name, name)) {
			detail[0] = '\0';
			ok = jobs[i].run(detail);
		}
	}
	printf("guest: did %s %s %s\n", name, ok ? "ok" : "FAILED", detail);
}

/* A job that has no end by itself ends when the host says anything */
bool told_to_stop(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char line[64];

	return poll(&p, 1, 0) > 0 && fgets(line, sizeof(line), stdin);
}

/* The answers are not to be mixed with what they answer */
static void echo_off(void)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &t))
		return;
	t.c_lflag &= ~ECHO;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

int main(void)
{
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	echo_off();
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	load_drivers();
	repeat_log();
	printf("guest: ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (*line)
			do_job(line);
	}
	return 1;
}
