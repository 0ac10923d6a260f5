// SPDX-License-Identifier: GPL-2.0-only
/*
 * What dma_map and dma_unmap cost, in instructions, as the driver of tools/bench/dma counts them.
 * Run under -icount. The SMMU's side of it is in the trace.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "case.h"
#include "bench-steps.h"

E2E_CASE(dma_pair, PAIR_NUMBER, "dma-pair", PAIR_STEPS, .devices = 1);

#ifdef E2E_INIT
#include "e2e.h"

static const struct {
	const char *name;
	unsigned int bytes;
	unsigned int entries;
} mappings[PAIR_ROUNDS] = {
	{ "4 KB", 0x1000, 1 },
	{ "64 KB", 0x10000, 1 },
	{ "2 MB", 0x200000, 1 },
	{ "a list of 32", 0x1000, 32 },
};

void case_dma_pair(void)
{
	struct dev *d = &testdev[0];
	char path[300], buf[64];
	unsigned int i;

	dev_rebind(d, "dma-pair");
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/cost", d->bdf);
	for (i = 0; i < PAIR_ROUNDS; i++) {
		unsigned long pair, unmap;
		unsigned int unmaps;
		FILE *f;

		snprintf(buf, sizeof(buf), "%u %u", mappings[i].bytes, mappings[i].entries);
		mark(ROUND(i, STEP_PAIR_RUN));
		must(sysfs_write(path, buf), "%s", mappings[i].name);
		mark(ROUND(i, STEP_PAIR_END));
		f = fopen(path, "r");
		must(f && fscanf(f, "%lu %lu %u", &pair, &unmap, &unmaps) == 3, "%s", path);
		fclose(f);
		note("pair %u map and unmap %lu unmap %lu unmaps %u, %s", i, pair, unmap,
		     unmaps, mappings[i].name);
	}
	dev_rebind(d, "vfio-pci");
	mark(STEP_DONE);
}
#endif
