// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host whose IOMMU is a virtio-iommu. Devices are assigned, to a VM or
 * without one, but there is no vSMMU and no PASID, and IOVAs have an end that
 * the device names. Nothing of it depends on the feature: both kernels answer
 * the same. The trace shows what the driver asked of the device.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

/* Two rounds: no VM, and a VM */
#define VIRTIO_STEPS(X)						\
	X(STEP_VIRTIO_ATTACH,	0x00, "attach")			\
	X(STEP_VIRTIO_INSIDE,	0x01, "map-inside")		\
	X(STEP_VIRTIO_OUTSIDE,	0x02, "map-outside")		\
	X(STEP_VIRTIO_REPLACE,	0x03, "replace-refused")	\
	X(STEP_VIRTIO_UNMAP,	0x04, "unmap")			\
	X(STEP_VIRTIO_REFUSED,	0x05, "attach-refused")		\
	X(STEP_VIRTIO_REQUESTS,	0x06, "requests-refused")	\
	X(STEP_VIRTIO_CLOSE,	0x07, "close")

E2E_CASE(virtio_iommu, 31, "virtio-iommu", VIRTIO_STEPS, .refuses = true);

/* Behind the last IOVA, whose aw-bits are in the matrix */
#define APERTURE	(1ul << 36)

#ifdef E2E_INIT
#include "e2e.h"

#define INSIDE		(APERTURE - PAGE)
#define REFUSALS	8

/* What is not there, and the answer to those who ask for it */
static void check_requests(struct dev *d, int fd, u32 ioas, u32 hwpt)
{
	static const struct {
		const char *what;
		u32 flags;
	} page_tables[] = {
		{ "nest parent", IOMMU_HWPT_ALLOC_NEST_PARENT },
		{ "dirty tracking", IOMMU_HWPT_ALLOC_DIRTY_TRACKING },
		{ "page table for PASIDs", IOMMU_HWPT_ALLOC_PASID },
	};
	struct iommu_hw_info_arm_smmuv3 info = { .idr = { 1 } };
	size_t i;
	u32 out;
	int ret;

	for (i = 0; i < ARRAY_SIZE(page_tables); i++) {
		ret = hwpt_alloc(fd, d->id, ioas, page_tables[i].flags);
		check(ret == -EOPNOTSUPP, "%s: %d, expected %d",
		      page_tables[i].what, ret, -EOPNOTSUPP);
	}
	ret = viommu_alloc(fd, d->id, hwpt);
	check(ret == -EOPNOTSUPP, "vIOMMU: %d, expected %d", ret, -EOPNOTSUPP);
	ret = viommu_ask(fd, d->id, hwpt, E2E_SHARE_VMID, &out);
	check(ret == -EOPNOTSUPP && !out,
	      "vIOMMU that asks to share: %d, out_flags %#x, expected %d and 0",
	      ret, out, -EOPNOTSUPP);
	ret = dev_attach_pasid(d, ioas, 1);
	check(ret == -EINVAL, "PASID to an IOAS: %d, expected %d", ret,
	      -EINVAL);
	ret = dev_attach_pasid(d, hwpt, 1);
	check(ret == -EINVAL, "PASID to a page table: %d, expected %d", ret,
	      -EINVAL);
	ret = hw_info(fd, d->id, &info);
	check(!ret && !info.idr[0], "hw_info: %d, nothing of an SMMU (%#x)",
	      ret, info.idr[0]);
}

static void check_lands(struct guest *g, struct dev *d, u64 iova, char page)
{
	pages_clear(g);
	check(testdev_dma(d, iova) && pages_hit(g) == page,
	      "DMA to %#lx lands in page %c", iova, page);
}

static void check_refused_dma(struct guest *g, struct dev *d, u64 iova)
{
	bool done;

	pages_clear(g);
	done = testdev_dma(d, iova);
	check(!done && pages_hit(g) == '-', "DMA to %#lx is refused", iova);
}

static void map_outside(struct guest *g)
{
	int ret;

	ret = ioas_map(g->iommufd, g->ioas, g->mem, PAGE, APERTURE);
	check(ret == -EINVAL, "map behind the end: %d, expected %d", ret,
	      -EINVAL);
	ret = ioas_map(g->iommufd, g->ioas, g->mem, 2 * PAGE, APERTURE - PAGE);
	check(ret == -EINVAL, "map across the end: %d, expected %d", ret,
	      -EINVAL);
}

/* An IOAS that has no end yet, and a page behind the end in it */
static u32 ioas_outside(struct guest *g)
{
	int ioas = ioas_alloc(g->iommufd);

	must(ioas > 0, "IOAS");
	must(!ioas_map(g->iommufd, ioas, g->mem, PAGE, APERTURE),
	     "map behind the end before a device is there");
	return ioas;
}

static void run(unsigned int r, bool with_vm)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), hwpt, ret, i;
	struct guest g;
	u32 outside;
	u64 last;

	guest_init(&g, fd, with_vm);
	outside = ioas_outside(&g);

	mark(ROUND(r, STEP_VIRTIO_ATTACH));
	dev_open(d, fd, with_vm ? &g.vm : NULL);
	hwpt = hwpt_alloc(fd, d->id, g.ioas, 0);
	must(hwpt > 0, "page table: %d", hwpt);
	ret = dev_attach(d, hwpt);
	must(!ret, "attach: %d", ret);
	last = ioas_last_iova(fd, g.ioas);
	check(last == APERTURE - 1, "IOVAs end at %#lx, expected %#lx", last,
	      APERTURE - 1);
	check_lands(&g, d, GPA_BASE + OFF_PAGE_A, 'A');

	mark(ROUND(r, STEP_VIRTIO_INSIDE));
	ret = ioas_map(fd, g.ioas, g.mem + OFF_PAGE_B, PAGE, INSIDE);
	check(!ret, "map of the last page: %d", ret);
	check_lands(&g, d, INSIDE, 'B');
	must(!ioas_unmap(fd, g.ioas, INSIDE, PAGE), "unmap of the last page");

	mark(ROUND(r, STEP_VIRTIO_OUTSIDE));
	map_outside(&g);

	mark(ROUND(r, STEP_VIRTIO_REPLACE));
	ret = dev_attach(d, outside);
	check(ret == -EADDRINUSE, "replace, mapped behind the end: %d, expected %d",
	      ret, -EADDRINUSE);
	check_lands(&g, d, GPA_BASE + OFF_PAGE_C, 'C');

	mark(ROUND(r, STEP_VIRTIO_UNMAP));
	must(!ioas_unmap(fd, g.ioas, GPA_BASE, GUEST_SIZE), "unmap");
	check_refused_dma(&g, d, GPA_BASE + OFF_PAGE_A);

	mark(ROUND(r, STEP_VIRTIO_REFUSED));
	must(!dev_detach(d), "detach");
	for (i = 0; i < REFUSALS; i++) {
		ret = dev_attach(d, outside);
		check(ret == -EADDRINUSE,
		      "attach, mapped behind the end: %d, expected %d", ret,
		      -EADDRINUSE);
	}

	mark(ROUND(r, STEP_VIRTIO_REQUESTS));
	check_requests(d, fd, g.ioas, hwpt);

	/* What an error left behind would use these */
	mark(ROUND(r, STEP_VIRTIO_CLOSE));
	check(!iommufd_destroy(fd, hwpt), "the page table is destroyed");
	check(!iommufd_destroy(fd, g.ioas), "its IOAS is destroyed");
	must(!ioas_unmap(fd, outside, APERTURE, PAGE), "unmap behind the end");
	ret = dev_attach(d, outside);
	check(!ret, "attach, nothing mapped behind the end: %d", ret);
	must(!dev_detach(d), "detach");
	check(!iommufd_destroy(fd, outside), "the other IOAS is destroyed");
	dev_close(d);
	close(fd);
	if (with_vm)
		vm_close(&g.vm);
	munmap(g.mem, GUEST_SIZE);
	mark(STEP_DONE);
}

void case_virtio_iommu(void)
{
	const char *driver = dev_iommu_driver(&testdev[0]);

	must(!strcmp(driver, "virtio_iommu"), "the IOMMU's driver is '%s'",
	     driver);
	run(0, false);
	run(1, true);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

#define MAX_DOMAINS	256
#define ROUNDS		2

static bool virtio_step(struct run *r, unsigned int round, unsigned int num,
			struct span *s)
{
	return step(r, ROUND(round, num), s);
}

/* Accesses of a step that went where no map of the case says */
static unsigned int strays(const struct span *s, size_t begin)
{
	struct span before = { s->t, begin, 0 };
	const struct ev *e, *m;
	unsigned int n = 0;
	u64 off;
	bool ok;

	for_each_event(e, *s, EV_XLATE) {
		before.last = e - s->t->ev;
		ok = false;
		for_each_event(m, before, EV_REQ) {
			off = e->iova - m->iova;
			if (!strcmp(m->op, "MAP") && off < m->pages << 12)
				ok = e->pa == m->pa + off;
		}
		n += !ok;
	}
	return n;
}

static bool lands(struct run *r, unsigned int round, unsigned int num,
		  size_t begin)
{
	struct span s;

	return virtio_step(r, round, num, &s) && count(&s, EV_XLATE) &&
	       !strays(&s, begin);
}

/* The step is there, and the driver asked nothing of the device in it */
static bool quiet(struct run *r, unsigned int round, unsigned int num)
{
	struct span s;

	return virtio_step(r, round, num, &s) && !count(&s, EV_REQ);
}

static void check_steps(struct run *r, unsigned int round, size_t begin)
{
	struct span s;
	bool ok;

	ok = lands(r, round, STEP_VIRTIO_ATTACH, begin) &&
	     lands(r, round, STEP_VIRTIO_INSIDE, begin) &&
	     lands(r, round, STEP_VIRTIO_REPLACE, begin);
	rule(r, ok, "virtio-iommu: round %u: DMA goes where maps say", round);
	ok = quiet(r, round, STEP_VIRTIO_OUTSIDE);
	rule(r, ok, "virtio-iommu: round %u: a refused map asks nothing", round);
	ok = quiet(r, round, STEP_VIRTIO_REPLACE);
	rule(r, ok, "virtio-iommu: round %u: nor a refused replace", round);
	ok = quiet(r, round, STEP_VIRTIO_REQUESTS);
	rule(r, ok, "virtio-iommu: round %u: nor a refused request", round);
	ok = virtio_step(r, round, STEP_VIRTIO_UNMAP, &s) &&
	     count(&s, EV_FAULT) == 1 && !count(&s, EV_XLATE);
	rule(r, ok, "virtio-iommu: round %u: refused after the unmap", round);
}

/* The domains that the virtio-iommu has before event @end */
static void domains(const struct trace *t, size_t end, bool used[MAX_DOMAINS])
{
	struct span s = { t, 0, end };
	const struct ev *e;

	memset(used, 0, MAX_DOMAINS);
	for_each_event(e, s, EV_REQ)
		if (e->val < MAX_DOMAINS)
			used[e->val] = strcmp(e->op, "FREE");
}

/* A domain that an error left behind would shift the numbers of the next round */
static bool same_domains(const struct span round[ROUNDS])
{
	size_t i = round[0].first, j = round[1].first;
	const struct ev *a, *b;

	do {
		a = trace_next(round[0].t, EV_REQ, "ATTACH", i, round[0].last);
		b = trace_next(round[1].t, EV_REQ, "ATTACH", j, round[1].last);
		if (!a || !b)
			return !a && !b;
		i = a - round[0].t->ev + 1;
		j = b - round[1].t->ev + 1;
	} while (a->val == b->val);
	return false;
}

/* Behind the last IOVA that was mapped */
static u64 maps_end(const struct span *s, u64 end)
{
	const struct ev *e;

	for_each_event(e, *s, EV_REQ)
		if (!strcmp(e->op, "MAP") && e->iova + (e->pages << 12) > end)
			end = e->iova + (e->pages << 12);
	return end;
}

void check_virtio_iommu(struct run *r)
{
	bool before[MAX_DOMAINS], after[MAX_DOMAINS];
	size_t from = 0, faults = 0;
	struct span round[ROUNDS], done;
	unsigned int i;
	u64 end = 0;
	bool ok;

	for (i = 0; i < ROUNDS; i++) {
		ok = virtio_step(r, i, STEP_VIRTIO_ATTACH, &round[i]) &&
		     step_after(r, STEP_DONE, from, &done);
		if (!rule(r, ok, "virtio-iommu: round %u: steps", i))
			return;
		round[i] = between(&round[i], &done);
		from = done.last;
		check_steps(r, i, round[i].first);
		domains(&r->t, round[i].first, before);
		domains(&r->t, round[i].last, after);
		rule(r, !memcmp(before, after, sizeof(before)),
		     "virtio-iommu: round %u: no domain is left", i);
		faults += count(&round[i], EV_FAULT);
		end = maps_end(&round[i], end);
	}
	rule(r, same_domains(round),
	     "virtio-iommu: both rounds attach to the same domains");
	rule(r, faults == ROUNDS,
	     "virtio-iommu: %zu accesses were refused, expected %u", faults,
	     ROUNDS);
	rule(r, end == APERTURE,
	     "virtio-iommu: maps end at %#lx, expected %#lx", end,
	     APERTURE);
}
#endif
