// SPDX-License-Identifier: GPL-2.0-only
/*
 * init of a guest that runs every program of /tests in the order of their
 * names, then powers off. Their output goes to the second serial port, where
 * no kernel message can break a line of it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define TESTS "/tests"
#define OUTPUT "/dev/ttyAMA1"

static const struct {
	const char *type;
	const char *dir;
} mounts[] = {
	{ "devtmpfs", "/dev" },
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "debugfs", "/sys/kernel/debug" },
	{ "tmpfs", "/tmp" },
	{ "cgroup2", "/cgroup" },
};

static void mount_all(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0,
			  NULL) && errno != EBUSY)
			fprintf(stderr, "init: mount %s: %m\n", mounts[i].dir);
	}
}

static void redirect_output(void)
{
	struct termios tio;
	int fd = open(OUTPUT, O_RDWR | O_NOCTTY);

	if (fd < 0) {
		fprintf(stderr, "init: " OUTPUT ": %m\n");
		return;
	}
	if (!tcgetattr(fd, &tio)) {
		cfmakeraw(&tio);
		tcsetattr(fd, TCSANOW, &tio);
	}
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void run(const char *name)
{
	char path[PATH_MAX];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), TESTS "/%s", name);
	printf("# begin %s\n", name);
	fflush(stdout);

	pid = fork();
	if (!pid) {
		execl(path, name, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	if (WIFEXITED(status))
		printf("# end %s exit %d\n", name, WEXITSTATUS(status));
	else
		printf("# end %s signal %d\n", name, WTERMSIG(status));
	fflush(stdout);
}

static int is_test(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	struct dirent **tests;
	int n, i;

	mount_all();
	redirect_output();

	n = scandir(TESTS, &tests, is_test, alphasort);
	for (i = 0; i < n; i++)
		run(tests[i]->d_name);

	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return EXIT_FAILURE;
}
