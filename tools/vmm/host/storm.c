// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O all the time, in a guest that is reset, crashes, loses and gets a disk, and whose VMM is
 * killed at random moments. After each the disks are looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "storm.h"

#define SECOND_DISK	"4"	/* its slot on the host's bus */

enum act { RESET, KILL, REBOOT, CRASH, PLUG, NR_ACTS };

static const char * const names[] = {
	[RESET] = "resets", [KILL] = "kills", [REBOOT] = "reboots", [CRASH] = "crashes",
	[PLUG] = "plugs",
};

static unsigned int done[NR_ACTS], loads;
static unsigned long io;
static bool plugged;

static bool must(const char *text)
{
	char detail[1024];
	const char *at;

	if (!step(text, detail, sizeof(detail))) {
		printf("vmm: storm: %s FAILED %s\n", text, detail);
		return false;
	}
	at = strstr(detail, "steps=");
	if (at)
		io += strtoul(at + strlen("steps="), NULL, 10);
	return true;
}

static bool act(enum act what)
{
	switch (what) {
	case RESET:
		return must("reset") && must("check");
	case KILL:
		plugged = false;
		return must("kill") && must("again") && must("check");
	case REBOOT:
		return must("stop") && must("reboot") && must("check");
	case CRASH:
		return must("stop") && must("crash") && must("check");
	case PLUG:
		plugged = !plugged;
		return must(plugged ? "plug:" SECOND_DISK : "unplug:" SECOND_DISK);
	default:
		return false;
	}
}

/**
 * storm - see above
 * @seconds: for how long
 * @detail: buffer for what was done
 * @size: of it
 *
 * Return: whether all was well
 */
bool storm(unsigned long seconds, char *detail, size_t size)
{
	unsigned long long end = now_ms() + seconds * 1000;
	bool ok = true, loaded = false;
	enum act what;
	char ms[32];
	size_t i;

	while (ok && now_ms() < end) {
		if (!loaded) {
			ok = must("start:load");
			loads++;
		}
		snprintf(ms, sizeof(ms), "sleep:%ld", 100 + random() % 3000);
		ok = ok && must(ms);
		what = random() % NR_ACTS;
		ok = ok && act(what);
		/* It goes on while a disk comes or goes */
		loaded = what == PLUG;
		done[what] += ok;
	}
	if (loaded)
		ok &= must("stop");
	snprintf(detail, size, "loads=%u io=%lu", loads, io);
	for (i = 0; i < NR_ACTS; i++)
		snprintf(detail + strlen(detail), size - strlen(detail), " %s=%u", names[i],
			 done[i]);
	return ok;
}
