// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolation: two VMs and a third stage 2 without a VM, a device each, all with
 * the same IOVA. Whatever the numbers are and however DMA interleaves, each
 * lands in its own guest's page.
 *
 * No VMIDs are burned here: low numbers on both sides are what makes a kernel
 * that does not keep them apart fail. The third device goes through many stage-2
 * tables, allocated first, so that one of them meets a VM's number if it can.
 */
#include <unistd.h>

#include "case.h"

#define ISOLATION_STEPS(X)			\
	X(STEP_ISOLATION_DMA,	0x01, "dma")

E2E_CASE(isolation, 5, "isolation", ISOLATION_STEPS,
	 .needs = NEEDS_KVM, .devices = 3);

#ifdef E2E_INIT
#include "e2e.h"

#define TABLES	48

struct party {
	struct guest g;
	struct dev *d;
	int s2;
	struct vsmmu v;
};

static void party_init(struct party *p, int fd, struct dev *d, bool with_vm)
{
	guest_init(&p->g, fd, with_vm);
	p->d = d;
	dev_open(d, fd, with_vm ? &p->g.vm : NULL);
	if (!with_vm)
		return;
	vm_exec(&p->g.vm, GUEST_NOP, 0, 0);
	p->s2 = hwpt_alloc_parent(fd, d->id, p->g.ioas);
	must(p->s2 > 0, "stage 2");
	vsmmu_init(&p->v, &p->g, d, p->s2, &p->g.s1, ask_flags());
}

/* Everyone's device writes to @iova; how many went elsewhere? */
static unsigned int interleave(struct party p[3], u64 iova)
{
	unsigned int i, j, bad = 0;

	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++)
			pages_clear(&p[j].g);
		if (!testdev_dma(p[i].d, iova))
			bad++;
		for (j = 0; j < 3; j++)
			bad += pages_hit(&p[j].g) != (i == j ? 'A' : '-');
	}
	return bad;
}

static void all_to(struct party p[2], bool translate)
{
	int i;

	for (i = 0; i < 2; i++)
		must(!dev_attach(p[i].d, translate ? p[i].v.trans :
						     p[i].v.bypass),
		     "attach to nested");
}

void case_isolation(void)
{
	unsigned int i, bad_trans = 0, bad_bypass = 0;
	int fd = iommufd_open(), s2[TABLES];
	struct party p[3];

	party_init(&p[2], fd, &testdev[2], false);
	must(!ioas_map(fd, p[2].g.ioas, p[2].g.mem + OFF_PAGE_A, PAGE,
		       DMA_IOVA), "map the common IOVA");
	for (i = 0; i < TABLES; i++) {
		s2[i] = hwpt_alloc_parent(fd, p[2].d->id, p[2].g.ioas);
		must(s2[i] > 0, "stage 2 number %u", i);
	}
	for (i = 0; i < 2; i++)
		party_init(&p[i], fd, &testdev[i], true);

	mark(STEP_ISOLATION_DMA);
	for (i = 0; i < TABLES; i++) {
		must(!dev_attach(p[2].d, s2[i]), "attach the third device");
		all_to(p, true);
		bad_trans += interleave(p, DMA_IOVA);
		all_to(p, false);
		bad_bypass += interleave(p, GPA_BASE + OFF_PAGE_A);
		vm_exec(&p[i & 1].g.vm, GUEST_TLBI_ALL, 0, 0);
		bad_bypass += interleave(p, GPA_BASE + OFF_PAGE_A);
	}
	mark(STEP_DONE);
	check(!bad_trans, "translated: each in its own page (%u astray)",
	      bad_trans);
	check(!bad_bypass, "bypassing: each in its own page (%u astray)",
	      bad_bypass);

	for (i = 0; i < 3; i++)
		dev_close(p[i].d);
	close(fd);
	for (i = 0; i < 2; i++)
		vm_close(&p[i].g.vm);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* Which StreamID a VMID or a page belongs to */
struct owner {
	u64 key;
	u32 sid;
};

static bool owned(struct owner *o, unsigned int *n, unsigned int max, u64 key,
		  u32 sid)
{
	unsigned int i;

	for (i = 0; i < *n; i++)
		if (o[i].key == key)
			return o[i].sid == sid;
	if (*n == max)
		return false;
	o[(*n)++] = (struct owner){ key, sid };
	return true;
}

void check_isolation(struct run *r)
{
	unsigned int pages = 0, vmids = 0, bad_pages = 0, bad_vmids = 0;
	struct owner page[16], vmid[128];
	const struct ev *e;
	struct span s;

	if (!rule(r, step(r, STEP_ISOLATION_DMA, &s),
		  "isolation: step"))
		return;
	for_each_event(e, s, EV_XLATE)
		bad_pages += !owned(page, &pages, 16, e->pa & PAGE_MASK,
				    e->sid);
	for_each_event(e, s, EV_INSERT)
		bad_vmids += !owned(vmid, &vmids, 128, e->vmid, e->sid);
	rule(r, pages == 3 && !bad_pages,
	     "isolation: %u pages, %u accesses to another device's", pages,
	     bad_pages);
	rule(r, vmids >= 3 && !bad_vmids,
	     "isolation: %u VMIDs, %u inserts under another device's", vmids,
	     bad_vmids);
}
#endif
