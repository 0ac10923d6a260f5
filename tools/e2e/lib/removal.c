// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "removal.h"
#include "report.h"
#include "sysfs.h"

#define PCI		"/sys/bus/pci"
#define ASK_MS		5000

static void *remove_run(void *arg)
{
	struct removal *r = arg;

	r->ok = sysfs_write(r->path, r->val);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

void removal_init(struct removal *r, struct dev *d, bool unbind)
{
	*r = (struct removal){ .val = unbind ? d->bdf : "1" };
	snprintf(r->path, sizeof(r->path), PCI_DEVICES "/%s/%s", d->bdf,
		 unbind ? "driver/unbind" : "remove");
	r->asked = eventfd(0, 0);
	must(r->asked >= 0, "eventfd");
}

void removal_start(struct removal *r)
{
	struct pollfd p = { .fd = r->asked, .events = POLLIN };

	must(!pthread_create(&r->thread, NULL, remove_run, r), "a thread");
	check(poll(&p, 1, ASK_MS) == 1, "the user is asked to let go");
	check(!__atomic_load_n(&r->done, __ATOMIC_ACQUIRE),
	      "the removal waits for that");
}

void removal_end(struct removal *r)
{
	pthread_join(r->thread, NULL);
	close(r->asked);
	check(r->ok, "the removal is done");
}

void dev_bring_back(struct dev *d)
{
	if (!dev_exists(d))
		must(sysfs_write(PCI "/rescan", "1") && dev_exists(d),
		     "found again");
	dev_probe(d);
	must(dev_probed(d), "vfio-pci has it again");
}
