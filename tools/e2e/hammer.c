// SPDX-License-Identifier: GPL-2.0-only
/* A thread that keeps a test device busy and looks at what became of each DMA. */
#include <unistd.h>

#include "e2e.h"

static void *run(void *arg)
{
	struct hammer *h = arg;

	testdev_dma(h->d, h->iova);
	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED)) {
		*h->word = 0;
		if (!testdev_again(h->d))
			h->refused++;
		else if (*h->word != TESTDEV_DATA)
			h->lost++;
		__atomic_add_fetch(&h->done, 1, __ATOMIC_RELAXED);
		if (h->pause)
			usleep(h->pause);
	}
	return NULL;
}

void hammer_start(struct hammer *h, void *word)
{
	h->word = word;
	must(!pthread_create(&h->thread, NULL, run, h), "a thread");
}

void hammer_wait(struct hammer *h, unsigned int count)
{
	unsigned int start = __atomic_load_n(&h->done, __ATOMIC_RELAXED);

	while (__atomic_load_n(&h->done, __ATOMIC_RELAXED) - start < count)
		usleep(50);
}

void hammer_stop(struct hammer *h)
{
	__atomic_store_n(&h->stop, true, __ATOMIC_RELAXED);
	pthread_join(h->thread, NULL);
}

void hammer_check(const struct hammer *h)
{
	check(!h->refused, "none of %u DMAs is refused (%u were)", h->done,
	      h->refused);
	check(!h->lost, "every DMA arrives (%u did not)", h->lost);
}
