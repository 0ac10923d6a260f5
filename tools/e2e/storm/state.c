// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "state.h"

#define MAX_TOLD	8

struct storm storm = { .edu_region = -1 };
struct actor mover = { .name = "mover" };
struct actor churn = { .name = "churn" };

static unsigned int bad_counts[NUM_BAD], told;
static pthread_mutex_t tell_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const op_names[] = {
#define X(sym, name)	name,
	STORM_OPS(X)
#undef X
};

static const char *const bad_names[] = {
	"misdirected", "stale", "refused", "error",
};

void dice_init(struct actor *a, unsigned int num)
{
	dice_seed(&a->dice, (u64)e2e.seed << 8 | num);
}

u32 roll(struct actor *a, u32 sides)
{
	return dice_roll(&a->dice, sides);
}

void step(struct actor *a, const char *what, int x, int y)
{
	unsigned int i = a->step++ % STEPS;

	a->steps[i].what = what;
	a->steps[i].a = x;
	a->steps[i].b = y;
}

static void tell_steps(const struct actor *a)
{
	unsigned int i = a->step > STEPS ? a->step - STEPS : 0;

	printf("    #   %s, step %u, after:", a->name, a->step);
	for (; i < a->step; i++)
		printf(" %s(%d,%d)", a->steps[i % STEPS].what,
		       a->steps[i % STEPS].a, a->steps[i % STEPS].b);
	putchar('\n');
}

void bad(struct actor *a, enum storm_bad kind, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&tell_lock);
	bad_counts[kind]++;
	if (told++ < MAX_TOLD) {
		printf("    # %s, at operation %u of %s: ", bad_names[kind],
		       a->total, a->name);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
		tell_steps(a);
		tell_steps(&mover);
	}
	pthread_mutex_unlock(&tell_lock);
}

bool did(struct actor *a, enum storm_op op, int ret)
{
	a->ops[op]++;
	a->total++;
	if (ret >= 0)
		return true;
	bad(a, BAD_ERROR, "%s returned %d (%s)", op_names[op], ret,
	    strerror(-ret));
	return false;
}

void storm_enter(void)
{
	pthread_rwlock_rdlock(&storm.run);
}

void storm_enter_alone(void)
{
	pthread_rwlock_wrlock(&storm.run);
}

void storm_leave(void)
{
	pthread_rwlock_unlock(&storm.run);
}

bool storm_stopped(void)
{
	return __atomic_load_n(&storm.stop, __ATOMIC_RELAXED);
}

unsigned int bad_count(enum storm_bad kind)
{
	return bad_counts[kind];
}

const char *bad_name(enum storm_bad kind)
{
	return bad_names[kind];
}

const char *op_name(enum storm_op op)
{
	return op_names[op];
}

void storm_init(void)
{
	const int prefer = PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, prefer);
	pthread_rwlock_init(&storm.run, &attr);
}
