// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is taken away under a nested page table: by unbinding its driver, by
 * removing it from the bus, and by removing it while its user does not answer and
 * is killed. VFIO waits for the user, and DMA goes on until that lets go. Another
 * device behind the same vSMMU stays. Then the device comes back.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "case.h"

/* Three rounds: unbound, removed, removed and killed */
#define UNPLUG_STEPS(X)				\
	X(STEP_UNPLUG_BEFORE,	0x01, "before")	\
	X(STEP_UNPLUG_ASKED,	0x02, "asked")	\
	X(STEP_UNPLUG_GONE,	0x03, "gone")	\
	X(STEP_UNPLUG_BACK,	0x04, "back")	\
	X(STEP_UNPLUG_TLBI,	0x05, "tlbi")	\
	X(STEP_UNPLUG_END,	0x06, "end")

E2E_CASE(unplug, 25, "unplug", UNPLUG_STEPS, .needs = NEEDS_KVM, .devices = 2);

#ifdef E2E_INIT
#include "e2e.h"

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

	mark(ROUND(r, STEP_UNPLUG_BEFORE));
	must(!dev_attach(a, va.trans) && !dev_attach(b, vb.trans),
	     "attach both to nested translate");
	must(dma_lands(&g, a) == 'A' && dma_lands(&g, b) == 'A', "DMA of both");
	vm_exec(&g.vm, GUEST_NOP, 0, 0);
	mark(ROUND(r, STEP_UNPLUG_ASKED));
	removal_start(&removal);
	check(dma_lands_at(&g, a, PAGE_IOVA('B')) == 'B',
	      "until then its DMA goes on");
	mark(ROUND(r, STEP_UNPLUG_GONE));
	dev_close(a);
	removal_end(&removal);
	check(dev_exists(a) == unbind && !dev_probed(a), "it is gone");
	check(dma_lands_at(&g, b, PAGE_IOVA('C')) == 'C',
	      "the other device's DMA goes on");
	vsmmu_leave(&va);

	dev_bring_back(a);
	dev_open(a, fd, &g.vm);
	vsmmu_join(&va, &va, a, &g.s1);
	mark(ROUND(r, STEP_UNPLUG_BACK));
	must(!dev_attach(a, va.trans), "attach to nested translate");
	check(dma_lands_at(&g, a, PAGE_IOVA('A')) == 'A', "DMA when it is back");
	mark(ROUND(r, STEP_UNPLUG_TLBI));
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
	mark(ROUND(r, STEP_UNPLUG_BEFORE));
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
	dev_bring_back(d);
	guest_free(&g);
}

void case_unplug(void)
{
	static struct usage before;

	usage_read(&before);
	note("its driver is unbound:");
	answered(0, true);
	mark(ROUND(0, STEP_UNPLUG_END));
	usage_check(&before, "unbound");
	note("it is removed:");
	answered(1, false);
	mark(ROUND(1, STEP_UNPLUG_END));
	usage_check(&before, "removed");
	note("it is removed from a user that does not answer:");
	unanswered(2);
	mark(ROUND(2, STEP_UNPLUG_END));
	usage_check(&before, "removed and killed");
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* A CFGI_STE of @sid, and a SYNC after it */
static bool ste_changed(const struct span *s, u32 sid)
{
	const struct ev *e;
	bool found = false;

	for_each_event(e, *s, EV_CMD) {
		found |= !strcmp(e->op, "CMD_CFGI_STE") && e->sid == sid;
		if (found && !strcmp(e->op, "CMD_SYNC"))
			return true;
	}
	return false;
}

static bool accessed(const struct span *s, u32 sid)
{
	const struct ev *e;

	for_each_event(e, *s, EV_XLATE)
		if (e->sid == sid)
			return true;
	return false;
}

/* The STE of the device that does DMA when its user is asked */
static void ste_gone(struct run *r, const struct span *asked,
		     const struct span *gone, const char *name)
{
	const struct ev *e = trace_next(&r->t, EV_XLATE, NULL, asked->first,
					asked->last);
	bool ok = e && ste_changed(gone, e->sid) && !accessed(gone, e->sid);

	rule(r, ok, "%s: the STE of the device that is gone is too", name);
}

static void unplug_round(struct run *r, unsigned int round, const char *name)
{
	struct span s[STEP_UNPLUG_END + 1], all;
	unsigned int i, used = 0;
	int vmid, kvm;

	if (!steps(r, ROUND(round, STEP_UNPLUG_BEFORE),
		   ROUND(round, STEP_UNPLUG_END), s, name))
		return;
	all = between(&s[STEP_UNPLUG_BEFORE], &s[STEP_UNPLUG_END]);
	vmid = smmu_vmid(&all);
	kvm = guest_vmid(&s[STEP_UNPLUG_TLBI]);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "%s: both devices have VMID %d from first to last, the VM %d",
	     name, vmid, kvm);
	for (i = STEP_UNPLUG_BEFORE; i <= STEP_UNPLUG_BACK; i++)
		used += smmu_vmid(&s[i]) == vmid;
	rule(r, used == STEP_UNPLUG_BACK, "%s: in each of %u steps", name,
	     used);
	ste_gone(r, &s[STEP_UNPLUG_ASKED], &s[STEP_UNPLUG_GONE], name);
	nothing_left(r, &s[STEP_UNPLUG_BEFORE], &s[STEP_UNPLUG_END], name);
}

void check_unplug(struct run *r)
{
	struct span first, end, all;
	int vmid, kvm;
	bool found;

	unplug_round(r, 0, "unplug: unbound");
	unplug_round(r, 1, "unplug: removed");
	found = step(r, ROUND(2, STEP_UNPLUG_BEFORE), &first) &&
		step(r, ROUND(2, STEP_UNPLUG_END), &end);
	if (!rule(r, found, "unplug: killed: steps"))
		return;
	all = between(&first, &end);
	vmid = smmu_vmid(&all);
	kvm = guest_vmid(&all);
	rule(r, vmid > 0 && kvm > 0 && (vmid == kvm) == r->share,
	     "unplug: killed: the device had VMID %d, the VM %d", vmid, kvm);
	nothing_left(r, &first, &end, "unplug: killed");
}
#endif
