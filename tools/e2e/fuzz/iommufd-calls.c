// SPDX-License-Identifier: GPL-2.0-only
/* I/O address spaces and what goes into them; objects go. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "calls.h"
#include "guest-memory.h"

#define MAX_PAGES	16

static void fill_ioas_alloc(struct turn *t)
{
	choose_ictx(t);
	room(t, K_IOAS);
}

static void won_ioas_alloc(struct turn *t)
{
	learn(t, t->arg.ioas_alloc.out_ioas_id);
}

/* A part of the guest's memory, one time in three all of it */
static void choose_range(struct turn *t, u64 *off, u64 *len)
{
	u32 all = choose(t, 3), at = choose(t, GUEST_SIZE / PAGE), pages = choose(t, MAX_PAGES);

	*off = all ? at * PAGE : 0;
	*len = all ? (pages + 1) * PAGE : GUEST_SIZE;
	if (*off + *len > GUEST_SIZE)
		*len = GUEST_SIZE - *off;
}

static void fill_map(struct turn *t)
{
	struct iommu_ioas_map *map = &t->arg.map;
	u64 off, len;

	choose_ictx(t);
	map->ioas_id = pick(t, K_IOAS);
	choose_range(t, &off, &len);
	map->flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
		     IOMMU_IOAS_MAP_READABLE;
	if (seldom(t, 8))
		map->flags &= ~(1u << choose(t, 3));
	map->user_va = (uintptr_t)guest_mem + off;
	map->length = len;
	map->iova = GPA_BASE + off;
	if (seldom(t, 8))
		map->iova = choose64(t) >> choose(t, 64) & ~(PAGE - 1);
	/* Pages of the thread's own: one that is there, a late one, none, a read-only one */
	if (seldom(t, 6)) {
		map->user_va = (uintptr_t)t->w->pages->mem + choose(t, 4) * PAGE;
		map->length = (1 + choose(t, 3)) * PAGE;
	}
}

static void fill_unmap(struct turn *t)
{
	struct iommu_ioas_unmap *unmap = &t->arg.unmap;
	u64 off, len;

	choose_ictx(t);
	unmap->ioas_id = pick(t, K_IOAS);
	choose_range(t, &off, &len);
	unmap->iova = GPA_BASE + off;
	unmap->length = len;
	if (seldom(t, 3)) {
		unmap->iova = 0;
		unmap->length = ~0ull;
	}
}

static void fill_destroy(struct turn *t)
{
	enum object kind = choose(t, K_STDEV);

	choose_ictx(t);
	/* A bound VFIO device is not the user's to destroy: -EBUSY */
	room_at(t, kind, choose(t, model_slots(kind)));
	t->arg.destroy.id = pick(t, K_IOAS);
}

/* Most of what there is goes at once: else what is old keeps what is new from being made */
static int run_sweep(struct turn *t)
{
	static const enum object kinds[] = {
		K_NESTED, K_VDEVICE, K_VEVENTQ, K_VIOMMU,
	};
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	struct ictx *c = &model->ictx[t->ictx];
	unsigned int i, slot;
	u32 id;

	for (i = 0; i < model_devs(); i++)
		ioctl(file_at(F_DEV, i), VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		for (slot = 0; slot < model_slots(kinds[i]); slot++) {
			id = look(&c->id[kinds[i]][slot]);
			if (id && !iommufd_destroy(t->fd, id))
				forget(&c->id[kinds[i]][slot], c);
		}
	return 0;
}

/* Of each process one comes and goes. Devices may be bound to it */
static void fill_reopen(struct turn *t)
{
	use_ictx(t, OWN_ICTX);
}

static int run_reopen(struct turn *t)
{
	int fd;

	if (choose(t, 16))
		return -EAGAIN;
	file_close(F_ICTX, OWN_ICTX);
	model_clear(t->ictx);
	fd = open_soon("/dev/iommu", O_RDWR);
	if (fd < 0)
		return -errno;
	file_put(F_ICTX, OWN_ICTX, fd);
	return 0;
}

const struct call iommufd_calls[] = {
	{ "ioas_alloc", 6, IOMMU_IOAS_ALLOC, ARG(ioas_alloc), fill_ioas_alloc, won_ioas_alloc },
	{ "map", 12, IOMMU_IOAS_MAP, ARG(map), fill_map },
	{ "unmap", 6, IOMMU_IOAS_UNMAP, ARG(unmap), fill_unmap },
	{ "destroy", 6, IOMMU_DESTROY, ARG(destroy), fill_destroy },
	{ "sweep", 1, 0, 0, choose_ictx, NULL, run_sweep },
	{ "reopen", 1, 0, 0, fill_reopen, NULL, run_reopen },
	{ }
};
