// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens to the VMs, step by step: "disk,reboot,check". A step is one of those below, or a
 * job of the guests (guest/main.c). With '!' before it, it must fail. Each is told by a line of its
 * own, "vmm: step".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "storm.h"

#define ANSWER_MS	600000
#define PLUGGED		"\"driver\": \"vfio-pci\", \"iommufd\": \"f0\", \"bus\": \"rp\""

static struct vm *vms;
static unsigned int count;
static unsigned int limit;

/* Until all have answered, unless one that has not ends or begins again */
static bool wait_answers(char *detail, size_t size)
{
	unsigned long long end = now_ms() + ANSWER_MS;
	unsigned int before[MAX_VMS], i, left;
	bool ok = true;

	for (i = 0; i < count; i++)
		before[i] = vms[i].ready;
	do {
		vm_poll(vms, count, 100);
		for (i = 0, left = 0; i < count; i++)
			left += vms[i].pid && !vms[i].answered && vms[i].ready == before[i];
	} while (left && now_ms() < end);
	for (i = 0; i < count; i++)
		ok &= vms[i].answered && vms[i].ok;
	snprintf(detail, size, "%s", vms[0].answered ? vms[0].answer : "no answer");
	if (count > 1 && vms[1].answered)
		snprintf(detail + strlen(detail), size - strlen(detail), "/ %s", vms[1].answer);
	return ok;
}

/* Until all guests are ready once more than @before */
static bool wait_ready(const unsigned int *before)
{
	unsigned long long end = now_ms() + ANSWER_MS;
	unsigned int i, left;

	do {
		if (!vm_poll(vms, count, 100))
			return false;
		for (i = 0, left = 0; i < count; i++)
			left += vms[i].ready == before[i];
	} while (left && now_ms() < end);
	return !left;
}

static bool tell_all(const char *job, char *detail, size_t size)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!vm_tell(&vms[i], job)) {
			snprintf(detail, size, "no VM");
			return false;
		}
	}
	return true;
}

static bool do_job(const char *job, char *detail, size_t size)
{
	return tell_all(job, detail, size) && wait_answers(detail, size);
}

/* The guests begin again by themselves */
static bool do_restart(const char *job, char *detail, size_t size)
{
	unsigned int before[MAX_VMS], i;

	for (i = 0; i < count; i++)
		before[i] = vms[i].ready;
	return tell_all(job, detail, size) && wait_ready(before);
}

/* A job for the guest in between, which may have a load running: that goes on afterwards */
static bool do_asked(const char *job, char *detail, size_t size)
{
	bool loading = vms[0].loading;
	bool ok = !loading || do_job("stop", detail, size);

	ok = ok && do_job(job, detail, size);
	return ok && (!loading || tell_all("load", detail, size));
}

static bool start_step(const char *job, char *detail, size_t size)
{
	return tell_all(job, detail, size);
}

static bool stop_step(const char *arg, char *detail, size_t size)
{
	return do_job("stop", detail, size);
}

static bool sleep_step(const char *ms, char *detail, size_t size)
{
	unsigned long long end = now_ms() + strtoul(ms, NULL, 0);

	while (now_ms() < end && vm_poll(vms, count, 20))
		;
	snprintf(detail, size, "ms=%s", ms);
	return true;
}

/* Until so many other VMs have come and gone since the beginning */
static bool churned_step(const char *n, char *detail, size_t size)
{
	unsigned long long end = now_ms() + ANSWER_MS;
	unsigned long until = strtoul(n, NULL, 0);

	while (churn_count() < until && now_ms() < end && vm_poll(vms, count, 20))
		;
	snprintf(detail, size, "vms=%lu", churn_count());
	return churn_count() >= until;
}

/* Wait for the beginning of the first guest's Nth unmap */
static bool until_step(const char *n, char *detail, size_t size)
{
	unsigned long long end = now_ms() + ANSWER_MS;
	unsigned long left = strtoul(n, NULL, 0);
	char path[32], line[512];
	FILE *f;

	vm_trace_path(&vms[0], path, sizeof(path));
	f = fopen(path, "r");
	if (!f)
		return false;
	while (left && now_ms() < end) {
		while (left && fgets(line, sizeof(line), f))
			left -= !!strstr(line, "@0x3c, 0x11,");
		clearerr(f);
		vm_poll(vms, count, 1);
	}
	fclose(f);
	snprintf(detail, size, "unmaps=%s", n);
	return !left;
}

static bool kill_step(const char *arg, char *detail, size_t size)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		vm_kill(&vms[i]);
	return true;
}

static bool again_step(const char *arg, char *detail, size_t size)
{
	unsigned int before[MAX_VMS], i;
	bool ok = true;

	for (i = 0; i < count; i++) {
		before[i] = vms[i].ready;
		ok &= vms[i].pid || vm_start(&vms[i], limit);
	}
	return ok && wait_ready(before);
}

/* Into the root port of the first VM's guest, which has to look there */
static bool plug_step(const char *slot, char *detail, size_t size)
{
	char device[100], command[300];

	snprintf(device, sizeof(device), "\"host\": \"0000:00:%02lx.0\", \"id\": \"d%s\"",
		 strtoul(slot, NULL, 16), slot);
	snprintf(command, sizeof(command),
		 "\"execute\": \"device_add\", \"arguments\": {%s, %s}", PLUGGED, device);
	if (!vm_monitor(&vms[0], command, detail, size))
		return false;
	return do_asked("slot-on", detail, size);
}

/* The guest lets go of it, and so then does the VMM */
static bool unplug_step(const char *slot, char *detail, size_t size)
{
	char command[100];

	snprintf(command, sizeof(command),
		 "\"execute\": \"device_del\", \"arguments\": {\"id\": \"d%s\"}", slot);
	if (!vm_monitor(&vms[0], command, detail, size))
		return false;
	return do_asked("slot-off", detail, size) &&
	       vm_event(&vms[0], "DEVICE_DELETED", detail, size);
}

/* From now on the kernel has no VMID to share (deny.c), until the next time */
static bool deny_step(const char *arg, char *detail, size_t size)
{
	static const char path[] = "/tmp/deny";
	FILE *f;

	if (!access(path, F_OK))
		return !unlink(path);
	f = fopen(path, "w");
	return f && !fclose(f);
}

static bool reset_step(const char *arg, char *detail, size_t size)
{
	unsigned int before[MAX_VMS], i;
	bool ok = true;

	for (i = 0; i < count; i++) {
		before[i] = vms[i].ready;
		ok &= vm_monitor(&vms[i], "\"execute\": \"system_reset\"", detail, size);
	}
	return ok && wait_ready(before);
}

static bool storm_step(const char *seconds, char *detail, size_t size)
{
	return storm(strtoul(seconds, NULL, 0), detail, size);
}

static const struct {
	const char *name;
	bool (*run)(const char *arg, char *detail, size_t size);
} steps[] = {
	{ "start", start_step },
	{ "stop", stop_step },
	{ "sleep", sleep_step },
	{ "until", until_step },
	{ "churned", churned_step },
	{ "kill", kill_step },
	{ "again", again_step },
	{ "plug", plug_step },
	{ "unplug", unplug_step },
	{ "deny", deny_step },
	{ "reset", reset_step },
	{ "storm", storm_step },
};

/**
 * step - do one
 * @text: what
 * @detail: buffer for what came of it
 * @size: of it
 *
 * Return: whether all is well
 */
bool step(const char *text, char *detail, size_t size)
{
	size_t n = strcspn(text, ":"), i;
	const char *arg = text[n] ? text + n + 1 : "";

	detail[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (strlen(steps[i].name) == n && !strncmp(steps[i].name, text, n))
			return steps[i].run(arg, detail, size);
	}
	if (!strcmp(text, "reboot") || !strcmp(text, "crash"))
		return do_restart(text, detail, size);
	return do_job(text, detail, size);
}

static void do_step(const char *text)
{
	bool fails = *text == '!', ok;
	char detail[1024];

	ok = step(text + fails, detail, sizeof(detail)) != fails;
	printf("vmm: step %s %s %s\n", text, ok ? "ok" : "FAILED", detail);
}

/* Those that have not been killed power themselves off; what runs no guest has ended already. */
static void end_all(void)
{
	unsigned long long end = now_ms() + ANSWER_MS;
	unsigned int i;

	for (i = 0; i < count; i++)
		vm_tell(&vms[i], "off");
	while (vm_poll(vms, count, 100) && now_ms() < end)
		;
	for (i = 0; i < count; i++)
		vm_kill(&vms[i]);
}

/**
 * run_steps - start the VMs and do something with them
 * @of: the VMs
 * @n: how many
 * @text: what, with commas between
 * @seconds: after so many a VMM is killed
 */
void run_steps(struct vm *of, unsigned int n, char *text, unsigned int seconds)
{
	char detail[64];
	char *one;

	vms = of;
	count = n;
	limit = seconds;
	if (!again_step("", detail, sizeof(detail))) {
		end_all();
		return;
	}
	if (param("vmm.trace=", 1))
		count_exits();
	while ((one = strsep(&text, ","))) {
		if (*one)
			do_step(one);
	}
	end_all();
}
