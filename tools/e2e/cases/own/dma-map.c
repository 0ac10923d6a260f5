// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA API's domain, through the kernel's own dma_map_benchmark: a driver that maps
 * and unmaps for a device for as long as it is told to. iommufd's domains never have a
 * flush queue; this one has with iommu.strict=0. Under -icount its times are counts of
 * instructions.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "case.h"

#define DMA_MAP_STEPS(X)			\
	X(STEP_DMA_MAP_RUN,	0x00, "run")	\
	X(STEP_DMA_MAP_END,	0x01, "end")

/* A round for each kind of mapping */
E2E_CASE(dma_map, 47, "dma-map", DMA_MAP_STEPS, .devices = 1);

#define DMA_MAP_ROUNDS	3

#ifdef E2E_INIT
#include <linux/map_benchmark.h>

#include "e2e.h"

#define BENCHMARK	"/sys/kernel/debug/dma_map_benchmark"

static const struct {
	const char *name;
	unsigned int mode;
	unsigned int granule;
} rounds[DMA_MAP_ROUNDS] = {
	{ "4 KB", DMA_MAP_BENCH_SINGLE_MODE, 1 },
	{ "64 KB", DMA_MAP_BENCH_SINGLE_MODE, 16 },
	{ "a scatter list of 32", DMA_MAP_BENCH_SG_MODE, 32 },
};

void case_dma_map(void)
{
	struct dev *d = &testdev[0];
	unsigned int i;
	int fd;

	dev_rebind(d, "dma_map_benchmark");
	fd = open(BENCHMARK, O_RDWR);
	must(fd >= 0, BENCHMARK);
	for (i = 0; i < DMA_MAP_ROUNDS; i++) {
		struct map_benchmark b = {
			.threads = 1,
			.seconds = 1,
			.node = -1,
			.dma_bits = 32,
			.dma_dir = DMA_MAP_BIDIRECTIONAL,
			.granule = rounds[i].granule,
			.map_mode = rounds[i].mode,
		};

		mark(ROUND(i, STEP_DMA_MAP_RUN));
		check(!ioctl(fd, DMA_MAP_BENCHMARK, &b), "%s (errno %d)",
		      rounds[i].name, errno);
		mark(ROUND(i, STEP_DMA_MAP_END));
		note("%s: map %llu, unmap %llu, in 100 ns", rounds[i].name,
		     (unsigned long long)b.avg_map_100ns,
		     (unsigned long long)b.avg_unmap_100ns);
	}
	close(fd);
	dev_rebind(d, "vfio-pci");
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_dma_map(struct run *r)
{
	unsigned int i;

	for (i = 0; i < DMA_MAP_ROUNDS; i++) {
		size_t cmds, regs, leaf;
		struct span s[2];

		if (!steps(r, ROUND(i, STEP_DMA_MAP_RUN), ROUND(i, STEP_DMA_MAP_END), s,
			   "dma-map"))
			continue;
		cmds = count(&s[0], EV_CMD);
		regs = count(&s[0], EV_MMIO) + count(&s[0], EV_READ);
		leaf = own_tlbis(&s[0], "VALE1IS");
		if (!r->own) {
			rule(r, cmds && regs, "dma-map: %u: by command (%zu, %zu)", i,
			     cmds, regs);
			continue;
		}
		rule(r, !cmds && !regs,
		     "dma-map: %u: 0 commands and 0 register accesses (%zu, %zu)", i,
		     cmds, regs);
		if (r->lazy)
			rule(r, own_tlbis(&s[0], "ASIDE1IS"),
			     "dma-map: %u: whole ASIDs, %zu times, for the flush queue", i,
			     own_tlbis(&s[0], "ASIDE1IS"));
		else
			rule(r, leaf >= 100, "dma-map: %u: %zu TLBIs by address", i, leaf);
	}
}
#endif
