// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "diary.h"
#include "model.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/fuzz"
#define ON_OOPS		"/proc/sys/kernel/ftrace_dump_on_oops"
#define KB_EACH_CPU	"16"	/* some 50 calls of each thread */
#define TOLD		16	/* calls of each thread */
#define MAX_ALLOWED	2

/* syslog(2): devices that come and go have much to say */
enum { LOG_LEVEL = 8 };
enum { LEVEL_WARNINGS = 5, LEVEL_ALL = 7 };

static int marker = -1, kmsg = -1;
static const char *allowed[MAX_ALLOWED];
static unsigned int num_allowed;

void diary_open(void)
{
	mount("tracefs", TRACEFS, "tracefs", 0, NULL);
	must(!mkdir(INSTANCE, 0755) && sysfs_write(INSTANCE "/buffer_size_kb", KB_EACH_CPU) &&
	     sysfs_write(ON_OOPS, "fuzz"), "a trace buffer of its own");
	marker = open(INSTANCE "/trace_marker", O_WRONLY | O_CLOEXEC);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	klogctl(LOG_LEVEL, NULL, LEVEL_WARNINGS);
	must(marker >= 0 && kmsg >= 0 && lseek(kmsg, 0, SEEK_END) >= 0, "the kernel's log");
}

void diary_close(void)
{
	klogctl(LOG_LEVEL, NULL, LEVEL_ALL);
	close(marker);
	close(kmsg);
	sysfs_write(ON_OOPS, "0");
	rmdir(INSTANCE);
}

void diary_write(const char *fmt, ...)
{
	char line[400];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (write(marker, line, len < (int)sizeof(line) ? len : (int)sizeof(line) - 1) < 0)
		return;
}

void diary_allow(const char *function)
{
	must(num_allowed < MAX_ALLOWED, "room for %s", function);
	allow_warning(function);
	allowed[num_allowed++] = function;
}

static bool complains(const char *record)
{
	static const char *const words[] = { "WARNING:", "BUG", "UBSAN:", "refcount_t:" };
	unsigned int i;

	for (i = 0; i < num_allowed; i++)
		if (strstr(record, allowed[i]))
			return false;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(record, words[i]))
			return true;
	return false;
}

bool diary_complaint(void)
{
	char record[1024];
	bool found = false;
	ssize_t got;

	/* One record each time. EPIPE: some have been overwritten meanwhile */
	while ((got = read(kmsg, record, sizeof(record) - 1)) > 0 || (got < 0 && errno == EPIPE)) {
		record[got > 0 ? got : 0] = '\0';
		found |= complains(record);
	}
	return found;
}

void diary_tell(void)
{
	static char last[WORKERS][TOLD][500];
	static unsigned int num[WORKERS];
	unsigned int i, n, w;
	char line[500], *at;
	FILE *f;

	f = fopen(INSTANCE "/trace", "r");
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, "thread ");
		if (at && sscanf(at, "thread %u", &w) == 1 && w < WORKERS)
			snprintf(last[w][num[w]++ % TOLD], sizeof(line), "%s", at);
	}
	if (f)
		fclose(f);
	for (w = 0; w < WORKERS; w++) {
		/* As the kernel calls it */
		note("thread %u is %d", w, model->progress[w].tid);
		for (i = 0; i < TOLD && i < num[w]; i++) {
			n = (num[w] > TOLD ? num[w] + i : i) % TOLD;
			last[w][n][strcspn(last[w][n], "\n")] = '\0';
			note("%s", last[w][n]);
		}
	}
}
