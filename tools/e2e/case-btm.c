// SPDX-License-Identifier: GPL-2.0-only
/*
 * Broadcast TLB maintenance: the guest lets a leaf of its device's stage 1 point
 * at another page. The device follows after the guest's own TLBI and not before:
 * not after another VM's TLBI, nor after one for another address or ASID. Where
 * BTM is off it follows only after the guest's command.
 */
#include <unistd.h>

#include "e2e.h"

#define CMD_TLBI_NH_ALL		0x10ull
#define CMD_TLBI_NH_ASID	0x11ull
#define CMD_TLBI_NH_VA		0x12ull
#define CMD_ASID(asid)		((u64)(asid) << 48)

static const struct {
	enum guest_op tlbi;
	const char *name;
	u64 cmd[2];
} rounds[] = {
	{ GUEST_TLBI_VA, "VAE1IS",
	  { CMD_TLBI_NH_VA | CMD_ASID(GUEST_ASID), DMA_IOVA } },
	{ GUEST_TLBI_ASID, "ASIDE1IS",
	  { CMD_TLBI_NH_ASID | CMD_ASID(GUEST_ASID), 0 } },
	{ GUEST_TLBI_ALL, "VMALLE1IS",
	  { CMD_TLBI_NH_ALL, 0 } },
};

struct btm {
	struct guest g;
	struct guest other;
	struct vsmmu v;
};

static void round_run(struct btm *b, unsigned int r)
{
	const char old = r & 1 ? 'B' : 'A', new = r & 1 ? 'A' : 'B';
	const char *name = rounds[r].name;
	struct dev *d = b->v.d;
	char hit;

	mark(CASE_BTM, ROUND(r, STEP_BTM_DMA_OLD));
	must(dma_lands(&b->g, d) == old, "%s: DMA to the old page", name);
	s1_map(&b->g.s1, new == 'A' ? OFF_PAGE_A : OFF_PAGE_B);

	mark(CASE_BTM, ROUND(r, STEP_BTM_OTHER_TLBI));
	vm_exec(&b->other.vm, rounds[r].tlbi, GUEST_ASID, DMA_IOVA);
	mark(CASE_BTM, ROUND(r, STEP_BTM_OTHER_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == old, "%s of another VM: DMA in %c, expected %c", name,
	      hit, old);

	mark(CASE_BTM, ROUND(r, STEP_BTM_WRONG_TLBI));
	if (rounds[r].tlbi == GUEST_TLBI_VA)
		vm_exec(&b->g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA + PAGE);
	else
		vm_exec(&b->g.vm, GUEST_TLBI_ASID, GUEST_ASID + 1, 0);
	mark(CASE_BTM, ROUND(r, STEP_BTM_WRONG_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == old, "%s of something else: DMA in %c, expected %c", name,
	      hit, old);

	mark(CASE_BTM, ROUND(r, STEP_BTM_OWN_TLBI));
	vm_exec(&b->g.vm, rounds[r].tlbi, GUEST_ASID, DMA_IOVA);
	mark(CASE_BTM, ROUND(r, STEP_BTM_OWN_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == (btm_expected() ? new : old),
	      "%s of the VM itself: DMA in %c, expected %c", name, hit,
	      btm_expected() ? new : old);

	mark(CASE_BTM, ROUND(r, STEP_BTM_CMD));
	must(!viommu_invalidate(b->g.iommufd, b->v.viommu, rounds[r].cmd[0],
				rounds[r].cmd[1]), "the guest's command");
	mark(CASE_BTM, ROUND(r, STEP_BTM_CMD_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == new, "%s as a command: DMA in %c, expected %c", name, hit,
	      new);
}

/* The vSMMU asks, with BTM or without: an equal VMID alone must not be enough. */
void case_btm(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct btm b;
	unsigned int r;

	guest_init(&b.g, fd, true);
	guest_init(&b.other, fd, true);
	dev_open(d, fd, &b.g.vm);
	burn_vmids(fd, d, &b.g);
	s2 = hwpt_alloc_parent(fd, d->id, b.g.ioas);
	must(s2 > 0, "stage 2");
	must(!dev_attach(d, s2), "attach to stage 2");
	vsmmu_init(&b.v, &b.g, d, s2, &b.g.s1, ask_flags());
	check(b.v.out_flags == flags_expected(), "reported: %#x, expected %#x",
	      b.v.out_flags, flags_expected());
	must(!dev_attach(d, b.v.trans), "attach to nested translate");

	for (r = 0; r < ARRAY_SIZE(rounds); r++)
		round_run(&b, r);

	mark(CASE_BTM, STEP_BTM_DONE);
	dev_close(d);
	close(fd);
	vm_close(&b.g.vm);
	vm_close(&b.other.vm);
}
