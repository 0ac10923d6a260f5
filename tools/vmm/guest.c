// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of the guest: loads the driver of the test device, repeats what it has said, and powers the
 * VM off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define READ_ALL	3	/* of syslog(2) */

static char text[1 << 18];

static void load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, params, 0))
		printf("guest: %s: %s\n", path, strerror(errno));
}

/* The driver's lines, and those of the SMMU's that are not faults */
static void repeat_log(void)
{
	int n = klogctl(READ_ALL, text, sizeof(text) - 1);
	char *line, *rest = text, *at;

	text[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		at = strstr(line, "vmm: ");
		if (at)
			printf("guest: %s\n", at + strlen("vmm: "));
		else if (strstr(line, "arm-smmu-v3") && strncmp(line, "<3>", 3))
			printf("guest: # %s\n", line);
	}
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	printf("guest: begin\n");
	load("/vmm-guest.ko", "");
	repeat_log();
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
