// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that keeps a test device busy and looks at what became of each DMA.
 *
 * It runs on the CPU of the thread that started it, with a real-time priority and
 * short sleeps: the timer's interrupt puts DMA between any two instructions of
 * what the other thread does in the kernel. Under -icount that happens in
 * every third change or so, however busy the machine is.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "boot.h"
#include "hammer.h"
#include "report.h"

#define PAUSE_US	5
#define SPIN_MAX	10000

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
		/* A thread that never sleeps is throttled, and all changes fall in that time */
		usleep((h->pause ?: PAUSE_US) * e2e.slow);
	}
	return NULL;
}

void hammer_start(struct hammer *h, void *word)
{
	const struct sched_param prio = { .sched_priority = 1 };
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	must(!sched_setaffinity(0, sizeof(cpu), &cpu), "CPU 0");
	h->stop = false;
	h->word = word;
	must(!pthread_create(&h->thread, NULL, run, h), "a thread");
	must(!pthread_setschedparam(h->thread, SCHED_FIFO, &prio), "priority");
}

void hammer_wait(struct hammer *h, unsigned int count)
{
	unsigned int start = __atomic_load_n(&h->done, __ATOMIC_RELAXED);
	volatile unsigned int spin = random() % SPIN_MAX;

	while (__atomic_load_n(&h->done, __ATOMIC_RELAXED) - start < count)
		usleep(50);
	/* Not always the same time after a DMA */
	while (spin--)
		;
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
