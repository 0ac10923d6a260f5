// SPDX-License-Identifier: GPL-2.0-only
/*
 * Broadcast TLB maintenance: the guest lets a leaf of its device's stage 1 point
 * at another page. The device follows after the guest's own TLBI and not before:
 * not after another VM's TLBI, nor after one for another address or ASID. Where
 * BTM is off it follows only after the guest's command.
 */
#include <unistd.h>

#include "case.h"

/* Three rounds, one for each kind of TLBI */
#define BTM_STEPS(X)						\
	X(STEP_BTM_DMA_OLD,	0x00, "dma-old")		\
	X(STEP_BTM_OTHER_TLBI,	0x01, "other-vm-tlbi")		\
	X(STEP_BTM_OTHER_DMA,	0x02, "other-vm-dma")		\
	X(STEP_BTM_WRONG_TLBI,	0x03, "wrong-asid-tlbi")	\
	X(STEP_BTM_WRONG_DMA,	0x04, "wrong-asid-dma")		\
	X(STEP_BTM_OWN_TLBI,	0x05, "own-tlbi")		\
	X(STEP_BTM_OWN_DMA,	0x06, "own-dma")		\
	X(STEP_BTM_CMD,		0x07, "guest-command")		\
	X(STEP_BTM_CMD_DMA,	0x08, "guest-command-dma")

E2E_CASE(btm, 2, "btm", BTM_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

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

	mark(ROUND(r, STEP_BTM_DMA_OLD));
	must(dma_lands(&b->g, d) == old, "%s: DMA to the old page", name);
	s1_map(&b->g.s1, new == 'A' ? OFF_PAGE_A : OFF_PAGE_B);

	mark(ROUND(r, STEP_BTM_OTHER_TLBI));
	vm_exec(&b->other.vm, rounds[r].tlbi, GUEST_ASID, DMA_IOVA);
	mark(ROUND(r, STEP_BTM_OTHER_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == old, "%s of another VM: DMA in %c, expected %c", name,
	      hit, old);

	mark(ROUND(r, STEP_BTM_WRONG_TLBI));
	if (rounds[r].tlbi == GUEST_TLBI_VA)
		vm_exec(&b->g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA + PAGE);
	else
		vm_exec(&b->g.vm, GUEST_TLBI_ASID, GUEST_ASID + 1, 0);
	mark(ROUND(r, STEP_BTM_WRONG_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == old, "%s of something else: DMA in %c, expected %c", name,
	      hit, old);

	mark(ROUND(r, STEP_BTM_OWN_TLBI));
	vm_exec(&b->g.vm, rounds[r].tlbi, GUEST_ASID, DMA_IOVA);
	mark(ROUND(r, STEP_BTM_OWN_DMA));
	hit = dma_lands(&b->g, d);
	check(hit == (btm_expected() ? new : old),
	      "%s of the VM itself: DMA in %c, expected %c", name, hit,
	      btm_expected() ? new : old);

	mark(ROUND(r, STEP_BTM_CMD));
	must(!viommu_invalidate(b->g.iommufd, b->v.viommu, rounds[r].cmd[0],
				rounds[r].cmd[1]), "the guest's command");
	mark(ROUND(r, STEP_BTM_CMD_DMA));
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

	mark(STEP_DONE);
	dev_close(d);
	close(fd);
	vm_close(&b.g.vm);
	vm_close(&b.other.vm);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

static void btm_round(struct run *r, unsigned int round, const char *op,
		      const char *cmd)
{
	struct span s[STEP_BTM_CMD_DMA + 1];
	const struct ev *tlbi;
	unsigned int i;
	u64 old;

	for (i = 0; i <= STEP_BTM_CMD_DMA; i++)
		if (!step(r, ROUND(round, i), &s[i])) {
			rule(r, false, "btm: %s: step %u", op, i);
			return;
		}
	for (i = 0; i < STEP_BTM_CMD; i++)
		if (count(&s[i], EV_CMD))
			break;
	rule(r, i == STEP_BTM_CMD,
	     "btm: %s: no SMMU command up to the guest's own", op);

	tlbi = trace_next(&r->t, EV_TLBI, op, s[STEP_BTM_OWN_TLBI].first,
			  s[STEP_BTM_OWN_TLBI].last);
	rule(r, tlbi && by_guest(tlbi) && tlbi->to_smmu == r->btm,
	     "btm: %s: executed by the guest and %s by the SMMU", op,
	     r->btm ? "heard" : "not heard");
	rule(r, guest_vmid(&s[STEP_BTM_OTHER_TLBI]) > 0 &&
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]) > 0 &&
	     guest_vmid(&s[STEP_BTM_OTHER_TLBI]) !=
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]),
	     "btm: %s: the other VM has a VMID of its own", op);

	old = landed(&s[STEP_BTM_DMA_OLD]);
	rule(r, old && landed(&s[STEP_BTM_OTHER_DMA]) == old &&
	     landed(&s[STEP_BTM_WRONG_DMA]) == old,
	     "btm: %s: the old page until its own TLBI", op);
	rule(r, (landed(&s[STEP_BTM_OWN_DMA]) != old) == r->btm,
	     "btm: %s: %s after its own TLBI", op,
	     r->btm ? "the new page" : "still the old page");
	rule(r, !!walked(&s[STEP_BTM_OWN_DMA]) == r->btm,
	     "btm: %s: the SMMU %s after it", op,
	     r->btm ? "walks" : "does not walk");
	rule(r, landed(&s[STEP_BTM_CMD_DMA]) != old,
	     "btm: %s: the new page after the guest's command", op);
	rule(r, smmu_vmid(&s[STEP_BTM_CMD_DMA]) > 0 &&
	     commanded(&s[STEP_BTM_CMD], cmd,
		       smmu_vmid(&s[STEP_BTM_CMD_DMA])),
	     "btm: %s: which names the stream's VMID, and a SYNC", op);
	rule(r, (smmu_vmid(&s[STEP_BTM_CMD_DMA]) ==
		 guest_vmid(&s[STEP_BTM_OWN_TLBI])) == r->share,
	     "btm: %s: the stream's VMID %d is%s the VM's (%d)", op,
	     smmu_vmid(&s[STEP_BTM_CMD_DMA]), r->share ? "" : " not",
	     guest_vmid(&s[STEP_BTM_OWN_TLBI]));
}

void check_btm(struct run *r)
{
	btm_round(r, 0, "VAE1IS", "CMD_TLBI_NH_VA");
	btm_round(r, 1, "ASIDE1IS", "CMD_TLBI_NH_ASID");
	btm_round(r, 2, "VMALLE1IS", "CMD_TLBI_NH_ALL");
}
#endif
