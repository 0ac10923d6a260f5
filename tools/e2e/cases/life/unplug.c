// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is taken away under a nested page table: by unbinding its driver, by
 * removing it from the bus, and by removing it while its user does not answer and
 * is killed. VFIO waits for the user, and DMA goes on until that lets go. Another
 * device behind the same vSMMU stays. Then the device comes back.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "e2e.h"

#define PCI		"/sys/bus/pci"
#define PCI_DEVICES	PCI "/devices"
#define ASK_MS		5000

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

static void *remove_run(void *arg)
{
	struct removal *r = arg;

	r->ok = sysfs_write(r->path, r->val);
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void removal_init(struct removal *r, struct dev *d, bool unbind)
{
	*r = (struct removal){ .val = unbind ? d->bdf : "1" };
	snprintf(r->path, sizeof(r->path), PCI_DEVICES "/%s/%s", d->bdf,
		 unbind ? "driver/unbind" : "remove");
	r->asked = eventfd(0, 0);
	must(r->asked >= 0, "eventfd");
}

/* Until the user is asked to let go */
static void removal_start(struct removal *r)
{
	struct pollfd p = { .fd = r->asked, .events = POLLIN };

	must(!pthread_create(&r->thread, NULL, remove_run, r), "a thread");
	check(poll(&p, 1, ASK_MS) == 1, "the user is asked to let go");
	check(!__atomic_load_n(&r->done, __ATOMIC_ACQUIRE),
	      "the removal waits for that");
}

static void removal_end(struct removal *r)
{
	pthread_join(r->thread, NULL);
	close(r->asked);
	check(r->ok, "the removal is done");
}

static void bring_back(struct dev *d)
{
	if (!dev_exists(d))
		must(sysfs_write(PCI "/rescan", "1") && dev_exists(d),
		     "found again");
	dev_probe(d);
	must(dev_probed(d), "vfio-pci has it again");
}

/* The device that goes is @a; @b is behind the same vSMMU and stays */
static void answered(unsigned int r, bool unbind)
{
	struct dev *a = &testdev[0], *b = &testdev[1];
	struct removal removal;
	struct vsmmu va, vb;
	struct guest g;
	int fd = iommufd_open(), s2;

	guest_init(&g, fd, true);
	dev_open(a, fd, &g.vm);
	dev_open(b, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, a->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&va, &g, a, s2, &g.s1, ask_flags());
	vsmmu_join(&vb, &va, b, &g.s1);
	removal_init(&removal, a, unbind);
	dev_on_request(a, removal.asked);

	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_BEFORE));
	must(!dev_attach(a, va.trans) && !dev_attach(b, vb.trans),
	     "attach both to nested translate");
	must(dma_lands(&g, a) == 'A' && dma_lands(&g, b) == 'A', "DMA of both");
	vm_exec(&g.vm, GUEST_NOP, 0, 0);
	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_ASKED));
	removal_start(&removal);
	check(dma_lands_at(&g, a, PAGE_IOVA('B')) == 'B',
	      "until then its DMA goes on");
	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_GONE));
	dev_close(a);
	removal_end(&removal);
	check(dev_exists(a) == unbind && !dev_probed(a), "it is gone");
	check(dma_lands_at(&g, b, PAGE_IOVA('C')) == 'C',
	      "the other device's DMA goes on");
	vsmmu_leave(&va);

	bring_back(a);
	dev_open(a, fd, &g.vm);
	vsmmu_join(&va, &va, a, &g.s1);
	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_BACK));
	must(!dev_attach(a, va.trans), "attach to nested translate");
	check(dma_lands_at(&g, a, PAGE_IOVA('A')) == 'A', "DMA when it is back");
	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_TLBI));
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);

	dev_close(a);
	dev_close(b);
	close(fd);
	vm_close(&g.vm);
	guest_free(&g);
}

/* A user that is asked and does nothing. @ready: becomes readable */
static void silent_user(struct guest *g, int asked, int ready)
{
	struct dev *d = &testdev[0];
	struct vsmmu v;
	int s2;

	guest_init_in(g, g->mem, iommufd_open(), true);
	dev_open(d, g->iommufd, &g->vm);
	dev_on_request(d, asked);
	s2 = hwpt_alloc_parent(g->iommufd, d->id, g->ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, g, d, s2, &g->s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");
	must(dma_lands(g, d) == 'A', "DMA");
	vm_exec(&g->vm, GUEST_TLBI_ALL, 0, 0);
	must(write(ready, "r", 1) == 1, "tell");
	for (;;)
		pause();
}

static void unanswered(unsigned int r)
{
	struct guest g = { .mem = guest_memory() };
	struct dev *d = &testdev[0];
	struct removal removal;
	int ready[2], status;
	pid_t pid;
	char c;

	removal_init(&removal, d, false);
	must(!pipe(ready), "pipe");
	mark(CASE_UNPLUG, ROUND(r, STEP_UNPLUG_BEFORE));
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid)
		silent_user(&g, removal.asked, ready[1]);
	close(ready[1]);
	must(read(ready[0], &c, 1) == 1, "the user is there");
	close(ready[0]);
	removal_start(&removal);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	removal_end(&removal);
	check(!dev_exists(d), "it is gone when its user is killed");
	bring_back(d);
	guest_free(&g);
}

void case_unplug(void)
{
	static struct usage before;

	if (e2e.kvm < 0)
		skip("no KVM");
	if (num_testdevs < 2)
		skip("two test devices are needed");
	usage_read(&before);
	note("its driver is unbound:");
	answered(0, true);
	mark(CASE_UNPLUG, ROUND(0, STEP_UNPLUG_END));
	usage_check(&before, "unbound");
	note("it is removed:");
	answered(1, false);
	mark(CASE_UNPLUG, ROUND(1, STEP_UNPLUG_END));
	usage_check(&before, "removed");
	note("it is removed from a user that does not answer:");
	unanswered(2);
	mark(CASE_UNPLUG, ROUND(2, STEP_UNPLUG_END));
	usage_check(&before, "removed and killed");
	mark(CASE_UNPLUG, STEP_UNPLUG_DONE);
}
