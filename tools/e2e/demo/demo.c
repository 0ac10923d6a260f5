// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo: some VMs, each with a device of its own. Each guest lets a page of its device's stage
 * 1 be another page, and invalidates. Here is said where the DMA landed; the VMIDs and commands
 * are in the trace, and demo-table.c puts both together.
 */
#include <unistd.h>

#include "case.h"
#include "demo-steps.h"

E2E_CASE(demo, DEMO_NUMBER, "demo", DEMO_STEPS, .needs = NEEDS_KVM, .devices = 3);

#ifdef E2E_INIT
#include "e2e.h"

#define VMS		3

struct party {
	struct guest g;
	struct vsmmu v;
};

static void set_up(struct party *p, int fd, struct dev *d)
{
	int s2;

	guest_init(&p->g, fd, true);
	dev_open(d, fd, &p->g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, p->g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	/* The unpatched kernel does not look at what is asked for. */
	vsmmu_init(&p->v, &p->g, d, s2, &p->g.s1, ask_flags());
	must(!dev_attach(d, p->v.trans), "attach to nested translate");
}

static void show(struct party *p, unsigned int i)
{
	struct dev *d = p->v.d;
	char before, tlbi, cmd;

	mark(ROUND(i, STEP_DEMO_DMA_OLD));
	before = dma_lands(&p->g, d);
	s1_map(&p->g.s1, OFF_PAGE_B);

	mark(ROUND(i, STEP_DEMO_TLBI));
	vm_exec(&p->g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	mark(ROUND(i, STEP_DEMO_DMA_TLBI));
	tlbi = dma_lands(&p->g, d);

	mark(ROUND(i, STEP_DEMO_CMD));
	must(!viommu_invalidate(p->g.iommufd, p->v.viommu,
				CMD_TLBI_NH_VA | CMD_ASID(GUEST_ASID),
				DMA_IOVA), "the guest's command");
	mark(ROUND(i, STEP_DEMO_DMA_CMD));
	cmd = dma_lands(&p->g, d);

	note("demo vm %u sid %#x dma %c %c %c", i, d->sid, before, tlbi, cmd);
	check(before == 'A' && cmd == 'B',
	      "VM %u: DMA in %c, after the guest's command in %c", i, before,
	      cmd);
}

void case_demo(void)
{
	int fd = iommufd_open();
	struct party p[VMS];
	unsigned int i;

	/* Neither side's next number is the first. */
	vm_churn(5);
	for (i = 0; i < VMS; i++)
		set_up(&p[i], fd, &testdev[i]);
	for (i = 0; i < VMS; i++)
		show(&p[i], i);
	mark(STEP_DONE);

	for (i = 0; i < VMS; i++)
		dev_close(&testdev[i]);
	close(fd);
	for (i = 0; i < VMS; i++)
		vm_close(&p[i].g.vm);
}
#endif
