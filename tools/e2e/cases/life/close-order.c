// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files are closed in every order: the VM's, that through which KVM knows of the
 * device, the device's and iommufd's. The device is behind a vSMMU, and for as
 * long as it can be reached its DMA goes on. Nothing is left afterwards: with 8-bit
 * VMIDs, case kill, which runs later, sees all numbers come back.
 */
#include <unistd.h>

#include "e2e.h"

enum end { END_VM, END_KVM_VFIO, END_DEV, END_IOMMUFD, NUM_ENDS };

#define NUM_ORDERS	24	/* NUM_ENDS! */

static const char end_name[] = "VKDI";

/* The @n-th order of all */
static void nth_order(unsigned int n, enum end order[NUM_ENDS])
{
	enum end rest[NUM_ENDS] = {
		END_VM, END_KVM_VFIO, END_DEV, END_IOMMUFD
	};
	unsigned int i, j, pick;

	for (i = 0; i < NUM_ENDS; i++) {
		pick = n % (NUM_ENDS - i);
		n /= NUM_ENDS - i;
		order[i] = rest[pick];
		for (j = pick; j < NUM_ENDS - i - 1; j++)
			rest[j] = rest[j + 1];
	}
}

static void end_one(enum end end, struct guest *g, int kvm_vfio, struct dev *d)
{
	switch (end) {
	case END_VM:
		vm_close(&g->vm);
		break;
	case END_KVM_VFIO:
		close(kvm_vfio);
		break;
	case END_DEV:
		dev_drop(d);
		break;
	default:
		close(g->iommufd);
	}
}

/* A guest whose device does DMA by stage 2, then behind a vSMMU */
static void begin(struct guest *g, struct vsmmu *v, struct dev *d)
{
	int s2;

	guest_init(g, iommufd_open(), true);
	dev_open(d, g->iommufd, &g->vm);
	s2 = hwpt_alloc_parent(g->iommufd, d->id, g->ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(v, g, d, s2, &g->s1, ask_flags());

	mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_DMA);
	must(!dev_attach(d, s2), "attach to stage 2");
	must(dma_lands_at(g, d, PAGE_IOVA('A')) == 'A', "DMA by stage 2");
	must(!dev_attach(d, v->trans), "attach to nested translate");
	mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_TLBI);
	vm_exec(&g->vm, GUEST_TLBI_ALL, 0, 0);
}

static void one_order(struct dev *d, const enum end order[NUM_ENDS], bool churn)
{
	static struct usage before;
	unsigned int i, bad = 0;
	char name[NUM_ENDS + 1];
	struct guest g;
	struct vsmmu v;
	int kvm_vfio;

	usage_read(&before);
	begin(&g, &v, d);
	kvm_vfio = g.vm.vfio;
	/* vm_close() leaves it to us */
	g.vm.vfio = -1;

	mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_CLOSE);
	for (i = 0; i < NUM_ENDS; i++) {
		if (churn && i == NUM_ENDS - 1) {
			mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_CHURN);
			vm_churn(ALL_VMIDS);
			mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_LAST);
		}
		end_one(order[i], &g, kvm_vfio, d);
		name[i] = end_name[order[i]];
		/* Each time to a page that the SMMU has to look for */
		if (d->fd >= 0)
			bad += dma_lands_at(&g, d, PAGE_IOVA('A' + i)) != 'A' + i;
	}
	name[i] = '\0';
	mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_END);
	check(!bad, "%s: DMA goes on (%u astray)", name, bad);
	usage_check(&before, name);
	guest_free(&g);
}

void case_close_order(void)
{
	const bool roll = e2e.kvm_vmid_bits == 8;
	struct dev *d = &testdev[0];
	enum end order[NUM_ENDS];
	unsigned int n;

	for (n = 0; n < NUM_ORDERS; n++) {
		nth_order(n, order);
		one_order(d, order, roll && !n);
	}
	mark(CASE_CLOSE_ORDER, STEP_CLOSE_ORDER_DONE);
}
