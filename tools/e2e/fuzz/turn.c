// SPDX-License-Identifier: GPL-2.0-only
/* What the kinds of calls are made of. */
#include <errno.h>
#include <sys/ioctl.h>

#include "turn.h"

static const u32 odd_words[] = {
	0, 1, 2, 3, 4, 7, 8, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
};

u32 odd_word(u32 num)
{
	return odd_words[num % ARRAY_SIZE(odd_words)];
}

u32 choose(struct turn *t, u32 sides)
{
	u32 got = dice_roll(&t->dice, sides);

	t->w->sum = t->w->sum * 31 + got;
	return got;
}

u64 choose64(struct turn *t)
{
	u64 high = choose(t, 0xffffffff);

	return high << 32 | choose(t, 0xffffffff);
}

bool seldom(struct turn *t, u32 n)
{
	return !choose(t, n);
}

void choose_ictx(struct turn *t)
{
	static const u8 which[] = {
		SHARED_ICTX, SHARED_ICTX, SHARED_ICTX, SHARED_ICTX, OWN_ICTX, MOCK_ICTX, MOCK_ICTX,
	};

	use_ictx(t, which[choose(t, ARRAY_SIZE(which))]);
}

void use_ictx(struct turn *t, unsigned int which)
{
	t->fd = file_at(F_ICTX, which);
	t->ictx = which == OWN_ICTX ? OWN_ICTX + t->w->num / THREADS : which;
}

static u32 live_id(const struct ictx *c, enum object kind, unsigned int from)
{
	unsigned int i, slots = model_slots(kind);
	u32 id = 0;

	for (i = 0; i < slots && !id; i++)
		id = look(&c->id[kind][(from + i) % slots]);
	return id;
}

u32 wrong_id(struct turn *t)
{
	const struct ictx *c = &model->ictx[t->ictx];
	u32 how = choose(t, 4), any = choose(t, 0xffffffff);

	switch (how) {
	case 0:
		return live_id(c, any % NUM_KINDS, any >> 8 & 0xff);
	case 1:
		return look(&c->freed[any % FREED]);
	case 2:
		return any % 64;
	default:
		return odd_word(any);
	}
}

u32 pick(struct turn *t, enum object kind)
{
	const struct ictx *c = &model->ictx[t->ictx];
	u32 from = choose(t, model_slots(kind));

	return seldom(t, 40) ? wrong_id(t) : live_id(c, kind, from);
}

u32 pick_dev(struct turn *t)
{
	const struct ictx *c = &model->ictx[t->ictx];
	unsigned int i;
	u32 id = 0;

	t->dev = choose(t, SLOTS);
	if (seldom(t, 40))
		return wrong_id(t);
	for (i = 0; i < SLOTS && !id; i++) {
		t->dev = (t->dev + !!i) % SLOTS;
		id = look(&c->id[K_DEV][t->dev]);
	}
	return id;
}

bool is_mock(const struct turn *t)
{
	return t->dev >= MAX_VFIO;
}

void room_at(struct turn *t, enum object kind, unsigned int slot)
{
	t->slot = &model->ictx[t->ictx].id[kind][slot];
	t->gone = look(t->slot);
}

void room_among(struct turn *t, enum object kind, unsigned int first, unsigned int slots)
{
	unsigned int at = choose(t, slots), i;
	bool here = seldom(t, 6);

	for (i = 0; i < slots; i++) {
		room_at(t, kind, first + (at + i) % slots);
		if (here || !t->gone)
			return;
	}
}

void room(struct turn *t, enum object kind)
{
	room_among(t, kind, 0, model_slots(kind));
}

void learn(struct turn *t, u32 id)
{
	u32 none = 0;

	/* What does not get in stays until its iommufd is closed */
	__atomic_compare_exchange_n(t->slot, &none, id, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void forget(u32 *slot, struct ictx *c)
{
	u32 id = __atomic_exchange_n(slot, 0, __ATOMIC_RELAXED);

	if (id)
		put(&c->freed[__atomic_fetch_add(&c->num_freed, 1, __ATOMIC_RELAXED) % FREED], id);
}

enum where some_place(struct turn *t)
{
	u32 n = choose(t, 256);

	if (n < 16)
		return PLACE_LATE;
	if (n < 32)
		return PLACE_HALF_LATE;
	if (n < 42)
		return PLACE_READ_ONLY;
	return n < 42 + NUM_PLACES ? (enum where)(n - 42) : PLACE_THERE;
}

u64 put_data(struct turn *t, const void *data, size_t len)
{
	return area_put(t->w->data, some_place(t), data, len);
}

int turn_ioctl(struct turn *t, unsigned int size)
{
	u64 at = area_put(t->w->arg, t->arg_at, &t->arg, size);
	int ret = ioctl(t->fd, t->op, at) < 0 ? -errno : 0;

	if (!ret)
		area_get(t->w->arg, t->arg_at, &t->arg, size);
	return ret;
}
