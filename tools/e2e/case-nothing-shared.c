// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing shared: without a VM, or with BTM off and nothing asked for, the SMMU
 * gets the same commands as from the unpatched kernel. The checker compares the
 * traces of both, step by step.
 */
#include <unistd.h>
#include <sys/mman.h>

#include "e2e.h"

#define MAP_IOVA	0x60000000ul
#define CMD_TLBI_NH_VA	0x12ull

static void at(unsigned int r, unsigned int step)
{
	mark(CASE_NOTHING, ROUND(r, step));
}

static void map(struct guest *g, void *mem)
{
	must(!ioas_map(g->iommufd, g->ioas, mem, 2 * PAGE, MAP_IOVA), "map");
}

/* @flags as vsmmu_init() has them */
static void round_run(unsigned int r, bool with_vm, int flags)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct vsmmu v;
	struct guest g;
	void *mem;

	mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(mem != MAP_FAILED, "memory");
	guest_init(&g, fd, with_vm);
	if (with_vm)
		vm_exec(&g.vm, GUEST_NOP, 0, 0);
	dev_open(d, fd, with_vm ? &g.vm : NULL);

	at(r, STEP_NOTHING_S2_ALLOC);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	at(r, STEP_NOTHING_S2_ATTACH);
	must(!dev_attach(d, s2), "attach to stage 2");
	at(r, STEP_NOTHING_MAP);
	map(&g, mem);
	at(r, STEP_NOTHING_UNMAP);
	must(!ioas_unmap(fd, g.ioas, MAP_IOVA, 2 * PAGE), "unmap");

	at(r, STEP_NOTHING_VIOMMU);
	vsmmu_init(&v, &g, d, s2, &g.s1, flags);
	check(!v.out_flags, "round %u: nothing is reported (%#x)", r,
	      v.out_flags);
	at(r, STEP_NOTHING_BYPASS_ATTACH);
	must(!dev_attach(d, v.bypass), "attach to nested bypass");
	at(r, STEP_NOTHING_TRANS_ATTACH);
	must(!dev_attach(d, v.trans), "attach to nested translate");
	at(r, STEP_NOTHING_TRANS_DMA);
	check(dma_lands(&g, d) == 'A', "round %u: DMA lands", r);
	at(r, STEP_NOTHING_NEST_MAP);
	map(&g, mem);
	at(r, STEP_NOTHING_NEST_UNMAP);
	must(!ioas_unmap(fd, g.ioas, MAP_IOVA, 2 * PAGE), "nested unmap");
	at(r, STEP_NOTHING_CMD);
	must(!viommu_invalidate(fd, v.viommu, CMD_TLBI_NH_VA |
				(u64)GUEST_ASID << 48, DMA_IOVA),
	     "the guest's command");

	at(r, STEP_NOTHING_S2_REATTACH);
	must(!dev_attach(d, s2), "back to stage 2");
	at(r, STEP_NOTHING_DETACH);
	must(!dev_detach(d), "detach");
	at(r, STEP_NOTHING_FREE);
	vsmmu_destroy(&v);
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	mark(CASE_NOTHING, STEP_NOTHING_DONE);
	dev_close(d);
	close(fd);
	if (with_vm)
		vm_close(&g.vm);
	munmap(mem, 2 * PAGE);
	munmap(g.mem, GUEST_SIZE);
}

void case_nothing(void)
{
	round_run(0, false, -1);
	round_run(1, false, 0);
	/* With BTM a VM's vSMMU shares unasked: nothing to compare */
	if (e2e.btm_asked || e2e.kvm < 0)
		return;
	round_run(2, true, -1);
	round_run(3, true, 0);
}
