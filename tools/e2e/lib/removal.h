/* SPDX-License-Identifier: GPL-2.0-only */
/* A device is taken away from its user, and comes back. */
#ifndef E2E_LIB_REMOVAL_H
#define E2E_LIB_REMOVAL_H

#include <pthread.h>
#include <stdbool.h>

#include "vfio.h"

/**
 * struct removal - a write to sysfs that waits until the device is free
 * @path: the file
 * @val: what is written
 * @asked: by this VFIO tells the user
 * @ok: it was written
 * @done: it has returned
 * @thread: who writes
 */
struct removal {
	char path[80];
	const char *val;
	int asked;
	bool ok;
	bool done;
	pthread_t thread;
};

/* @unbind: from its driver, else from the bus. @asked is for dev_on_request() */
void removal_init(struct removal *r, struct dev *d, bool unbind);
/* Until the user is asked to let go */
void removal_start(struct removal *r);
/* The user has let go */
void removal_end(struct removal *r);
/* Back on the bus, and to vfio-pci */
void dev_bring_back(struct dev *d);

#endif
