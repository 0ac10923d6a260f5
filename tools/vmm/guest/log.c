// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's kernel has said: its driver of the test device, its SMMU driver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/klog.h>

#include "guest.h"

#define READ_CLEAR	4	/* of syslog(2) */
#define FAULT_TRIES	20	/* a tenth of a second each */

static char text[1 << 18];

/* The refused DMA of the driver's last run, and whether the SMMU has told of it */
static unsigned long long refused;
static char event[DETAIL_SIZE];

/* "event: F_TRANSLATION client: 0000:00:02.0 sid: 0x10 ssid: 0 iova: 0x... ipa: 0" */
static void read_event(const char *line)
{
	const char *at = strstr(line, "event: "), *iova = strstr(line, "iova: ");

	if (refused && at && iova && strtoull(iova + strlen("iova: "), NULL, 0) == refused)
		snprintf(event, sizeof(event), "%.*s", (int)strcspn(at, "\n"), at);
}

static void read_refused(const char *line)
{
	if (sscanf(line, "refused iova=%llx", &refused) == 1)
		event[0] = '\0';
}

/* The driver's lines, and those of the SMMU's that are not faults */
void repeat_log(void)
{
	int n = klogctl(READ_CLEAR, text, sizeof(text) - 1);
	char *line, *rest = text, *at;

	text[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		at = strstr(line, "vmm: ");
		if (at) {
			printf("guest: %s\n", at + strlen("vmm: "));
			read_refused(at + strlen("vmm: "));
		} else if (strstr(line, "arm-smmu-v3") && !strncmp(line, "<3>", 3)) {
			read_event(line);
		} else if (strstr(line, "arm-smmu-v3")) {
			printf("guest: # %s\n", line);
		}
	}
}

/*
 * Does the guest's SMMU tell of a DMA that is refused? Its driver says only ten in five seconds, so
 * this comes before other refusals.
 */
bool fault_job(char *detail)
{
	int tries;

	if (!write_text(PARAMETERS "fault", "1"))
		snprintf(event, sizeof(event), "no device");
	repeat_log();
	for (tries = FAULT_TRIES; tries && refused && !event[0]; tries--) {
		usleep(100000);
		repeat_log();
	}
	snprintf(detail, DETAIL_SIZE, "%.*s", DETAIL_SIZE - 1, event[0] ? event : "no event");
	return refused && event[0];
}
