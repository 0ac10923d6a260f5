// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is removed from the bus under a page table that is invalidated by broadcast, and
 * comes back to it; another one stays attached. An unmap is for those that are there.
 */
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define OWN_UNPLUG_STEPS(X)				\
	X(STEP_OWN_UNPLUG_BEFORE,	0x00, "before")	\
	X(STEP_OWN_UNPLUG_ASKED,	0x01, "asked")	\
	X(STEP_OWN_UNPLUG_GONE,		0x02, "gone")	\
	X(STEP_OWN_UNPLUG_UNMAP,	0x03, "unmap")	\
	X(STEP_OWN_UNPLUG_BACK,		0x04, "back")	\
	X(STEP_OWN_UNPLUG_UNMAP_BOTH,	0x05, "unmap-both") \
	X(STEP_OWN_UNPLUG_END,		0x06, "end")

E2E_CASE(own_unplug, 65, "own-unplug", OWN_UNPLUG_STEPS, .devices = 2, .refuses = true);

#ifdef E2E_INIT
#include "e2e.h"

#define IOVA	0x40000000ul

static bool lands(struct dev *d, volatile u32 *mem)
{
	*mem = 0;
	return testdev_dma(d, IOVA) && *mem == TESTDEV_DATA;
}

static bool refused(struct dev *d, volatile u32 *mem)
{
	*mem = 0;
	return !testdev_dma(d, IOVA) && !*mem;
}

void case_own_unplug(void)
{
	struct dev *a = &testdev[0], *b = &testdev[1];
	int fd = iommufd_open(), ioas = ioas_alloc(fd);
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct removal removal;

	must(ioas > 0 && mem != MAP_FAILED, "IOAS");
	dev_open(a, fd, NULL);
	dev_open(b, fd, NULL);
	removal_init(&removal, a, false);
	dev_on_request(a, removal.asked);

	mark(STEP_OWN_UNPLUG_BEFORE);
	must(!dev_attach(a, ioas) && !dev_attach(b, ioas), "attach both");
	must(!ioas_map(fd, ioas, mem, PAGE, IOVA), "map");
	check(lands(a, mem) && lands(b, mem), "DMA of both");
	mark(STEP_OWN_UNPLUG_ASKED);
	removal_start(&removal);
	check(lands(a, mem), "until it is let go, its DMA goes on");
	mark(STEP_OWN_UNPLUG_GONE);
	dev_close(a);
	removal_end(&removal);
	check(!dev_exists(a), "it is gone");
	check(lands(b, mem), "the other device's DMA goes on");

	mark(STEP_OWN_UNPLUG_UNMAP);
	must(!ioas_unmap(fd, ioas, IOVA, PAGE), "unmap");
	mark(STEP_OWN_UNPLUG_BACK);
	check(refused(b, mem), "and is refused after an unmap");
	dev_bring_back(a);
	dev_open(a, fd, NULL);
	must(!dev_attach(a, ioas), "attach");
	must(!ioas_map(fd, ioas, mem, PAGE, IOVA), "map");
	check(lands(a, mem) && lands(b, mem), "DMA of both when it is back");
	mark(STEP_OWN_UNPLUG_UNMAP_BOTH);
	must(!ioas_unmap(fd, ioas, IOVA, PAGE), "unmap");
	mark(STEP_OWN_UNPLUG_END);
	check(refused(a, mem) && refused(b, mem), "none of both after an unmap");

	mark(STEP_DONE);
	dev_close(a);
	dev_close(b);
	close(fd);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void check_own_unmap(struct run *r, const struct span *s, const char *when)
{
	const size_t cmds = count(s, EV_CMD), regs = count(s, EV_MMIO) + count(s, EV_READ);
	const size_t tlbis = own_tlbis(s, "VALE1IS");

	if (r->own)
		rule(r, !cmds && !regs && tlbis,
		     "own-unplug: %s: unmap by %zu TLBIs (%zu commands, %zu accesses)",
		     when, tlbis, cmds, regs);
	else
		rule(r, cmds >= 2 && !tlbis, "own-unplug: %s: unmap by %zu commands", when,
		     cmds);
}

void check_own_unplug(struct run *r)
{
	struct span s[STEP_OWN_UNPLUG_END + 1];

	if (!steps(r, STEP_OWN_UNPLUG_BEFORE, STEP_OWN_UNPLUG_END, s, "own-unplug"))
		return;
	check_own_unmap(r, &s[STEP_OWN_UNPLUG_UNMAP], "while it is gone");
	check_own_unmap(r, &s[STEP_OWN_UNPLUG_UNMAP_BOTH], "when it is back");
}
#endif
