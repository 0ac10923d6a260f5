// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host whose IOMMU is a virtio-iommu, which is told of mappings only if a device is
 * attached. Two threads: a device is attached to a page table while a mapping of this is
 * removed, or added; and two devices come and go at once. Then the device has to reach what is
 * mapped and nothing else. The unpatched kernel is asked too, but not judged: it may be lucky.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "case.h"

#define VIRTIO_RACE_STEPS(X)				\
	X(STEP_VIRTIO_RACE_UNMAP,	0x01, "unmap")	\
	X(STEP_VIRTIO_RACE_COUNT,	0x02, "count")	\
	X(STEP_VIRTIO_RACE_AFTER,	0x03, "after")	\
	X(STEP_VIRTIO_RACE_MAP,		0x04, "map")

E2E_CASE(virtio_race, 74, "virtio-race", VIRTIO_RACE_STEPS, .devices = 2, .refuses = true);

#define UNMAPS		200

#ifdef E2E_INIT
#include "e2e.h"

#define ATTACHES	500
/* What is replayed before the page that is removed */
#define PAGES		16
#define PAGES_IOVA	(GPA_BASE + 2 * GUEST_SIZE)
#define LAST_IOVA	(PAGES_IOVA + PAGES * PAGE)

struct attacher {
	struct dev *d;
	u32 hwpt;
	unsigned int rounds;
	bool stays;
	bool failed;
	pthread_t thread;
};

static void *attach(void *arg)
{
	struct attacher *a = arg;
	unsigned int i;

	for (i = 0; i < a->rounds; i++) {
		a->failed |= dev_attach(a->d, a->hwpt);
		if (!a->stays)
			a->failed |= dev_detach(a->d);
	}
	return NULL;
}

static void attacher_start(struct attacher *a)
{
	must(!pthread_create(&a->thread, NULL, attach, a), "a thread");
}

static bool attacher_join(struct attacher *a)
{
	pthread_join(a->thread, NULL);
	return !a->failed;
}

static bool hits(struct guest *g, struct dev *d, u64 iova, char page)
{
	bool done;

	pages_clear(g);
	done = testdev_dma(d, iova);
	return page == '-' ? !done && pages_hit(g) == '-' : done && pages_hit(g) == page;
}

static bool unmap_beside_attach(struct guest *g, struct dev *d, u32 hwpt)
{
	struct attacher a = { .d = d, .hwpt = hwpt, .rounds = 1, .stays = true };
	bool ok;

	must(!ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_C, PAGE, LAST_IOVA), "map");
	attacher_start(&a);
	usleep(rand() % 1000);
	ok = !ioas_unmap(g->iommufd, g->ioas, LAST_IOVA, PAGE);
	ok &= attacher_join(&a);
	ok = ok && hits(g, d, LAST_IOVA, '-');
	return !dev_detach(d) && ok;
}

static bool map_beside_attach(struct guest *g, struct dev *d, u32 hwpt)
{
	struct attacher a = { .d = d, .hwpt = hwpt, .rounds = 1, .stays = true };
	bool ok;

	attacher_start(&a);
	usleep(rand() % 1000);
	ok = !ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_C, PAGE, LAST_IOVA);
	ok &= attacher_join(&a);
	ok = ok && hits(g, d, LAST_IOVA, 'C');
	ok &= !dev_detach(d);
	must(!ioas_unmap(g->iommufd, g->ioas, LAST_IOVA, PAGE), "unmap");
	return ok;
}

static void map_pages(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		must(!ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_B, PAGE,
			       PAGES_IOVA + i * PAGE), "map of page %u", i);
}

/* Not what holds for the unpatched kernel */
static void judge(bool ok, const char *what, unsigned int n)
{
	if (e2e.patched)
		check(ok, "%s (%u)", what, n);
	else
		note("%s: %s (%u)", what, ok ? "yes" : "no", n);
}

void case_virtio_race(void)
{
	struct attacher both[2] = {};
	int fd = iommufd_open(), hwpt;
	unsigned int i, reached = 0, lost = 0;
	struct guest g;
	bool ok;

	guest_init(&g, fd, false);
	for (i = 0; i < 2; i++)
		dev_open(&testdev[i], fd, NULL);
	hwpt = hwpt_alloc(fd, testdev[0].id, g.ioas, 0);
	must(hwpt > 0, "page table: %d", hwpt);
	map_pages(&g);

	mark(STEP_VIRTIO_RACE_UNMAP);
	for (i = 0; i < UNMAPS; i++)
		reached += !unmap_beside_attach(&g, &testdev[0], hwpt);
	judge(!reached, "what is unmapped while a device is attached is out of reach", reached);

	mark(STEP_VIRTIO_RACE_MAP);
	for (i = 0; i < UNMAPS; i++)
		lost += !map_beside_attach(&g, &testdev[0], hwpt);
	judge(!lost, "what is mapped while a device is attached is in reach", lost);

	mark(STEP_VIRTIO_RACE_COUNT);
	for (i = 0; i < 2; i++) {
		both[i] = (struct attacher){ &testdev[i], hwpt, ATTACHES };
		attacher_start(&both[i]);
	}
	for (i = 0; i < 2; i++)
		judge(attacher_join(&both[i]), "a device comes and goes beside another", ATTACHES);

	mark(STEP_VIRTIO_RACE_AFTER);
	ok = !dev_attach(&testdev[0], hwpt) && hits(&g, &testdev[0], GPA_BASE + OFF_PAGE_A, 'A');
	judge(ok, "the first device that is attached after that has the mappings", ATTACHES);
	must(!ioas_unmap(fd, g.ioas, GPA_BASE, GUEST_SIZE), "unmap");
	ok = hits(&g, &testdev[0], GPA_BASE + OFF_PAGE_A, '-');
	judge(ok, "and not what is unmapped", ATTACHES);

	judge(!dev_detach(&testdev[0]), "it is detached", 0);
	judge(!iommufd_destroy(fd, hwpt), "the page table is destroyed", 0);
	for (i = 0; i < 2; i++)
		dev_close(&testdev[i]);
	close(fd);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_virtio_race(struct run *r)
{
	unsigned int refused, others;
	struct span s;

	if (!rule(r, step(r, STEP_VIRTIO_RACE_UNMAP, &s), "virtio-race: steps") || !r->patched)
		return;
	refused = count(&s, EV_FAULT);
	others = count(&s, EV_XLATE);
	rule(r, refused == UNMAPS && !others,
	     "virtio-race: %u accesses to what was unmapped were refused and %u not, of %u",
	     refused, others, UNMAPS);
}
#endif
