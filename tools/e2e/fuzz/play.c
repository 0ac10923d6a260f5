// SPDX-License-Identifier: GPL-2.0-only
/* Which call is made, what is wrong with it, how it went. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "diary.h"
#include "play.h"

#define SPOIL		12	/* one of so many calls has a field that is wrong */
#define FAIL_ALLOC	10	/* in one of so many an allocation fails */
#define MAX_NTH		30
#define DIARY_WORDS	12
#define MANY		200	/* of these one has to succeed */

static const struct call *const tables[] = {
	iommufd_calls, hwpt_calls, viommu_calls, vfio_calls, vm_calls, mock_calls, read_calls,
};

static const struct call *calls[MAX_CALLS];
static unsigned int num_calls, all_weights, call_destroy;

void calls_init(void)
{
	const struct call *c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (c = tables[i]; c->name; c++) {
			must(num_calls < MAX_CALLS, "room for %s", c->name);
			if (c->op == IOMMU_DESTROY)
				call_destroy = num_calls;
			calls[num_calls++] = c;
			all_weights += c->weight;
		}
}

/* The call becomes another one */
static void destroy_instead(struct turn *t)
{
	memset(&t->arg, 0, sizeof(t->arg));
	t->arg.destroy.size = sizeof(t->arg.destroy);
	t->arg.destroy.id = t->gone;
	t->op = IOMMU_DESTROY;
}

/* One field of the structure gets another value */
static void spoil(struct turn *t, unsigned int size)
{
	u32 how = choose(t, 8), at = choose(t, 32), val = choose(t, 0xffffffff), *word;
	u32 id = wrong_id(t);

	if (size < sizeof(u32))
		return;
	word = &t->arg.word[at % (size / sizeof(u32))];
	switch (how) {
	case 0:		/* the size */
		t->arg.word[0] = val % 4 ? odd_word(val) : size + 8;
		break;
	case 1:
	case 2:
		*word ^= 1u << val % 32;
		break;
	case 3:
	case 4:
		*word = id;
		break;
	case 5:
		*word = val;
		break;
	default:
		*word = odd_word(val);
	}
}

static void tell(const struct turn *t, u32 n, unsigned int size)
{
	char words[DIARY_WORDS * 9 + 1] = "";
	unsigned int i, at = 0;

	for (i = 0; i < DIARY_WORDS && i < size / sizeof(u32); i++)
		at += snprintf(words + at, sizeof(words) - at, " %x", t->arg.word[i]);
	diary_write("thread %u call %u %s%s fd %d%s", t->w->num, n, t->call->name,
		    t->gone ? " destroys" : "", t->fd, words);
}

/* The @nth allocation from now on fails, 0: none */
static void fail_alloc(unsigned int nth)
{
	static __thread int fd = -2;
	char buf[8];

	if (fd == -2)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, buf, snprintf(buf, sizeof(buf), "%u", nth), 0) < 0)
		return;
}

static const struct call *choose_call(struct turn *t, unsigned int *num)
{
	u32 at = choose(t, all_weights);

	for (*num = 0; at >= calls[*num]->weight; (*num)++)
		at -= calls[*num]->weight;
	return calls[*num];
}

void turn_play(struct worker *w, u32 n)
{
	struct turn t = { .w = w, .fd = -1 };
	unsigned int num, size, nth;
	bool spoilt, starved;
	int ret;

	dice_seed(&t.dice, w->seed ^ (u64)n << 32);
	t.call = choose_call(&t, &num);
	spoilt = seldom(&t, SPOIL);
	starved = seldom(&t, FAIL_ALLOC);
	/* Most calls have few */
	nth = 1 + choose(&t, MAX_NTH);
	nth = 1 + choose(&t, nth);
	t.arg_at = some_place(&t);

	t.op = t.call->op;
	t.arg.word[0] = t.call->size;
	t.call->fill(&t);
	if (t.gone) {
		destroy_instead(&t);
		num = call_destroy;
	}
	size = t.gone ? sizeof(t.arg.destroy) : t.call->size;
	if (spoilt)
		spoil(&t, size);
	tell(&t, n, size);
	if (starved)
		fail_alloc(nth);
	ret = t.call->run && !t.gone ? t.call->run(&t) : turn_ioctl(&t, size);
	if (starved)
		fail_alloc(0);

	count_one(&model->answers[num][-ret < MAX_ERRNO ? -ret : MAX_ERRNO - 1]);
	if (ret)
		return;
	if (t.gone)
		forget(t.slot, &model->ictx[t.ictx]);
	else if (t.call->won)
		t.call->won(&t);
}

/* How often it was made, succeeded, and failed how */
static u32 tell_answers(unsigned int call)
{
	const u32 *answers = model->answers[call];
	unsigned int err, at = 0;
	char line[300] = "";
	u32 total = 0;

	for (err = 0; err < MAX_ERRNO; err++) {
		total += answers[err];
		if (err && answers[err] && at < sizeof(line))
			at += snprintf(line + at, sizeof(line) - at, " %s %u",
				       strerrorname_np(err) ?: "?", answers[err]);
	}
	note("%-17s %6u, %6u succeed%s", calls[call]->name, total, answers[0], line);
	return total;
}

unsigned int calls_report(void)
{
	unsigned int i, never = 0;
	u32 total = 0;

	for (i = 0; i < num_calls; i++) {
		u32 made = tell_answers(i);

		total += made;
		if (made < MANY || model->answers[i][0])
			continue;
		note("%s has never succeeded", calls[i]->name);
		never++;
	}
	note("%u calls, %u page faults late", total, model->late);
	return never;
}
