// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM: its process, its guest's console, its monitor (QMP).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "host.h"

#define PRELOAD		"/vmm/preload.so"
#define MAX_ARGS	96
#define MONITOR_MS	300000

void vm_trace_path(const struct vm *vm, char *path, size_t size)
{
	snprintf(path, size, "/tmp/trace%u", vm->no);
}

/* One argument on each line */
static void read_args(char *text, char **args)
{
	unsigned int n = 0;
	char *line;

	while ((line = strsep(&text, "\n")) && n < MAX_ARGS - 1) {
		if (*line)
			args[n++] = line;
	}
	args[n] = NULL;
}

/* Whose instructions are counted, and all of them */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		say_error("sched_setaffinity");
}

static void __attribute__((noreturn)) exec_vmm(const struct vm *vm, unsigned int limit, int in,
					       int out)
{
	static char text[8192];
	char *args[MAX_ARGS];
	char path[32];

	snprintf(path, sizeof(path), "/vmm/args%u", vm->no);
	read_file(path, text, sizeof(text));
	read_args(text, args);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	if (!param("vmm.trace=", 1))
		stay_on_one_cpu();
	alarm(limit);	/* survives the exec */
	if (!access(PRELOAD, F_OK))
		setenv("LD_PRELOAD", PRELOAD, 1);
	if (args[0])
		execv(args[0], args);
	dprintf(STDERR_FILENO, "vmm: %s: %s\n", args[0] ? args[0] : path, strerror(errno));
	_exit(127);
}

/* Open for both directions, so that none of the sides waits for the other */
static int make_fifo(const struct vm *vm, const char *suffix)
{
	char path[40];

	snprintf(path, sizeof(path), "/tmp/monitor%u.%s", vm->no, suffix);
	unlink(path);
	if (mkfifo(path, 0600))
		return -1;
	return open(path, O_RDWR | O_CLOEXEC);
}

static bool make_monitor(struct vm *vm)
{
	vm->monitor_in = make_fifo(vm, "in");
	vm->monitor_out = make_fifo(vm, "out");
	vm->monitor_ready = false;
	return vm->monitor_in >= 0 && vm->monitor_out >= 0;
}

static void close_monitor(struct vm *vm)
{
	if (vm->monitor_in >= 0)
		close(vm->monitor_in);
	if (vm->monitor_out >= 0)
		close(vm->monitor_out);
}

/**
 * vm_start - start its VMM
 * @vm: the VM, without a process
 * @limit: after so many seconds it is killed
 *
 * Return: whether there is a process
 */
bool vm_start(struct vm *vm, unsigned int limit)
{
	int in[2], out[2];

	if (!make_monitor(vm))
		goto fail_monitor;
	if (pipe2(in, O_CLOEXEC))
		goto fail_monitor;
	if (pipe2(out, O_CLOEXEC))
		goto fail_in;
	printf("vmm: begin %u\n", vm->no);
	fflush(stdout);
	vm->pid = fork();
	if (!vm->pid)
		exec_vmm(vm, limit, in[0], out[1]);
	if (vm->pid < 0)
		goto fail_out;
	close(in[0]);
	close(out[1]);
	vm->in = in[1];
	vm->out = out[0];
	vm->len = 0;
	vm->loading = false;
	return true;

fail_out:
	vm->pid = 0;
	close(out[0]);
	close(out[1]);
fail_in:
	close(in[0]);
	close(in[1]);
fail_monitor:
	say_error("a VMM");
	close_monitor(vm);
	return false;
}

/* "guest: did NAME ok WORDS" */
static void read_answer(struct vm *vm, const char *at)
{
	char verdict[16] = "";
	int words = 0;

	vm->answered = true;
	sscanf(at, "guest: did %*s %15s %n", verdict, &words);
	vm->ok = !strcmp(verdict, "ok");
	snprintf(vm->answer, sizeof(vm->answer), "%.400s", words ? at + words : at);
}

/* The console of the first is repeated as it is, for the checker. */
static void read_line(struct vm *vm)
{
	const char *at;

	vm->line[strcspn(vm->line, "\r")] = '\0';
	if (vm->no == 1)
		printf("%s\n", vm->line);
	else
		printf("%u: %s\n", vm->no, vm->line);
	at = strstr(vm->line, "guest: ");
	if (!at)
		return;
	vm->ready += !strcmp(at, "guest: ready");
	vm->loading |= !strcmp(at, "guest: loading");
	if (!strncmp(at, "guest: did ", strlen("guest: did ")))
		read_answer(vm, at);
}

/**
 * vm_reap - wait for its end, and say how that was
 * @vm: the VM, whose VMM has ended or will
 */
void vm_reap(struct vm *vm)
{
	int status;

	if (waitpid(vm->pid, &status, 0) < 0)
		say_error("waitpid");
	else if (WIFSIGNALED(status))
		printf("\nvmm: end %u signal=%d\n", vm->no, WTERMSIG(status));
	else
		printf("\nvmm: end %u exit=%d\n", vm->no, WEXITSTATUS(status));
	close(vm->in);
	close(vm->out);
	close_monitor(vm);
	vm->pid = 0;
}

static void read_console(struct vm *vm)
{
	char buf[512];
	ssize_t n = read(vm->out, buf, sizeof(buf));
	ssize_t i;

	if (n <= 0) {
		vm_reap(vm);
		return;
	}
	for (i = 0; i < n; i++) {
		if (buf[i] == '\n' || vm->len == sizeof(vm->line) - 1) {
			vm->line[vm->len] = '\0';
			vm->len = 0;
			read_line(vm);
		}
		if (buf[i] != '\n')
			vm->line[vm->len++] = buf[i];
	}
}

/**
 * vm_poll - read what they say
 * @vms: the VMs
 * @n: how many
 * @timeout_ms: how long to wait for it
 *
 * Return: whether any of them still runs
 */
bool vm_poll(struct vm *vms, unsigned int n, int timeout_ms)
{
	struct pollfd p[MAX_VMS];
	unsigned int i, k = 0;
	struct vm *of[MAX_VMS];

	for (i = 0; i < n; i++) {
		if (!vms[i].pid)
			continue;
		p[k] = (struct pollfd){ .fd = vms[i].out, .events = POLLIN };
		of[k++] = &vms[i];
	}
	if (!k || poll(p, k, timeout_ms) <= 0)
		return k;
	for (i = 0; i < k; i++) {
		if (p[i].revents)
			read_console(of[i]);
	}
	return true;
}

/** vm_tell - give its guest a job */
bool vm_tell(struct vm *vm, const char *job)
{
	vm->answered = false;
	vm->loading = false;
	return vm->pid && dprintf(vm->in, "%s\n", job) > 0;
}

/** vm_kill - as with kill -9 */
void vm_kill(struct vm *vm)
{
	if (!vm->pid)
		return;
	kill(vm->pid, SIGKILL);
	vm_reap(vm);
}

/* Read up to a line that has one of these texts */
static bool read_reply(int fd, const char *a, const char *b, char *reply, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	char c;

	for (;;) {
		if (poll(&p, 1, MONITOR_MS) <= 0 || read(fd, &c, 1) != 1)
			return false;
		if (c != '\n') {
			if (len < size - 1)
				reply[len++] = c;
			continue;
		}
		reply[len] = '\0';
		if (strstr(reply, a) || strstr(reply, b))
			return true;
		len = 0;
	}
}

/**
 * vm_monitor - let its VMM execute a command
 * @vm: the VM
 * @command: the command, without braces around it
 * @reply: buffer for the reply
 * @size: of it
 *
 * Return: whether it succeeded
 */
bool vm_monitor(struct vm *vm, const char *command, char *reply, size_t size)
{
	int in = vm->monitor_in, out = vm->monitor_out;

	snprintf(reply, size, "no monitor");
	if (!vm->pid)
		return false;
	if (!vm->monitor_ready) {
		vm->monitor_ready = read_reply(out, "\"QMP\"", "\"QMP\"", reply, size) &&
			dprintf(in, "{\"execute\": \"qmp_capabilities\"}\n") > 0 &&
			read_reply(out, "\"return\"", "\"error\"", reply, size);
		if (!vm->monitor_ready)
			return false;
	}
	return dprintf(in, "{%s}\n", command) > 0 &&
	       read_reply(out, "\"return\"", "\"error\"", reply, size) &&
	       strstr(reply, "\"return\"");
}

/** vm_event - wait for what its monitor tells by itself */
bool vm_event(struct vm *vm, const char *name, char *reply, size_t size)
{
	return read_reply(vm->monitor_out, name, name, reply, size);
}
