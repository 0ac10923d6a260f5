// SPDX-License-Identifier: GPL-2.0-only
/*
 * init of a guest that runs the command lines of /list one after the other, then
 * powers off. Their programs are in /tests. The output goes to the second serial
 * port, where no kernel message can break a line of it.
 *
 * test_limit=SECONDS on the kernel's command line ends a program that takes longer.
 * What else is there in the form NAME=VALUE is in the programs' environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define TESTS "/tests"
#define LIST "/list"
#define OUTPUT "/dev/ttyAMA1"
#define MAX_WORDS 32

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

static pid_t start(char **words)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* With what it starts, one group to end */
	setpgid(0, 0);
	execv(words[0], words);
	_exit(127);
}

/* Wait for @pid, which may take @limit seconds if that is not 0. True: it took longer */
static int wait_for(pid_t pid, time_t limit, int *status)
{
	struct timespec tick = { .tv_nsec = 20000000 };
	time_t begin = time(NULL);

	while (!limit || time(NULL) - begin <= limit) {
		if (waitpid(pid, status, limit ? WNOHANG : 0))
			return 0;
		nanosleep(&tick, NULL);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, status, 0);
	return 1;
}

static void run(char **words, time_t limit)
{
	time_t begin = time(NULL);
	int status = -1, late;
	pid_t pid;

	puts("# begin");
	fflush(stdout);
	pid = start(words);
	late = pid > 0 && wait_for(pid, limit, &status);

	if (late)
		printf("# end timeout 0");
	else if (WIFEXITED(status))
		printf("# end exit %d", WEXITSTATUS(status));
	else
		printf("# end signal %d", WTERMSIG(status));
	printf(" after %ld s: %s\n", (long)(time(NULL) - begin), words[0]);
	fflush(stdout);
}

/* The words of @line, in it; how many */
static int split(char *line, char **words)
{
	char *save, *word;
	int n = 0;

	for (word = strtok_r(line, "\n ", &save); word && n < MAX_WORDS - 1;
	     word = strtok_r(NULL, "\n ", &save))
		words[n++] = word;
	words[n] = NULL;
	return n;
}

int main(void)
{
	const char *limit = getenv("test_limit");
	char line[LINE_MAX], *words[MAX_WORDS];
	FILE *list = fopen(LIST, "re");

	mount_all();
	redirect_output();
	/* Some open their own file, by the name that they were started by */
	if (chdir(TESTS))
		perror(TESTS);

	while (list && fgets(line, sizeof(line), list))
		if (split(line, words))
			run(words, limit ? atol(limit) : 0);

	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return EXIT_FAILURE;
}
