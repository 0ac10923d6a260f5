/* SPDX-License-Identifier: GPL-2.0-only */
/* DMA without end. */
#ifndef E2E_LIB_HAMMER_H
#define E2E_LIB_HAMMER_H

#include <pthread.h>
#include <stdbool.h>

#include "vfio.h"

/**
 * struct hammer - a thread that makes a test device do DMA
 * @d: the device
 * @iova: where it writes to
 * @pause: microseconds between two DMAs, 0 for the usual few
 * @word: where that must arrive
 * @done: DMAs so far
 * @refused: by the SMMU
 * @lost: neither refused nor arrived
 * @stop: tells the thread to end
 * @thread: the thread
 */
struct hammer {
	struct dev *d;
	u64 iova;
	unsigned int pause;
	volatile u32 *word;
	unsigned int done;
	unsigned int refused;
	unsigned int lost;
	bool stop;
	pthread_t thread;
};

void hammer_start(struct hammer *h, void *word);
/* Until @count more DMAs are done, at least one of them begun after the call */
void hammer_wait(struct hammer *h, unsigned int count);
void hammer_stop(struct hammer *h);
/* The two checks: nothing refused, nothing lost */
void hammer_check(const struct hammer *h);

#endif
