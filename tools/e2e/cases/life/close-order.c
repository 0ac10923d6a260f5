// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files are closed in every order: the VM's, that through which KVM knows of the
 * device, the device's and iommufd's. The device is behind a vSMMU, and for as
 * long as it can be reached its DMA goes on. Nothing is left afterwards: with 8-bit
 * VMIDs, case kill, which runs later, sees all numbers come back.
 */
#include <unistd.h>

#include "case.h"

/* Once for each order */
#define CLOSE_ORDER_STEPS(X)					\
	X(STEP_CLOSE_ORDER_DMA,		0x01, "dma")		\
	X(STEP_CLOSE_ORDER_TLBI,	0x02, "tlbi")		\
	X(STEP_CLOSE_ORDER_CLOSE,	0x03, "close")		\
	X(STEP_CLOSE_ORDER_CHURN,	0x04, "churn")		\
	X(STEP_CLOSE_ORDER_LAST,	0x05, "last-close")	\
	X(STEP_CLOSE_ORDER_END,		0x06, "end")

E2E_CASE(close_order, 22, "close-order", CLOSE_ORDER_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
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

	mark(STEP_CLOSE_ORDER_DMA);
	must(!dev_attach(d, s2), "attach to stage 2");
	must(dma_lands_at(g, d, PAGE_IOVA('A')) == 'A', "DMA by stage 2");
	must(!dev_attach(d, v->trans), "attach to nested translate");
	mark(STEP_CLOSE_ORDER_TLBI);
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

	mark(STEP_CLOSE_ORDER_CLOSE);
	for (i = 0; i < NUM_ENDS; i++) {
		if (churn && i == NUM_ENDS - 1) {
			mark(STEP_CLOSE_ORDER_CHURN);
			vm_churn(ALL_VMIDS);
			mark(STEP_CLOSE_ORDER_LAST);
		}
		end_one(order[i], &g, kvm_vfio, d);
		name[i] = end_name[order[i]];
		/* Each time to a page that the SMMU has to look for */
		if (d->fd >= 0)
			bad += dma_lands_at(&g, d, PAGE_IOVA('A' + i)) != 'A' + i;
	}
	name[i] = '\0';
	mark(STEP_CLOSE_ORDER_END);
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
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/*
 * Of the first order, in which the vSMMU is there after the VM and the device:
 * its number is given to nobody while KVM goes through all of them.
 */
static void close_order_churn(struct run *r, int kvm)
{
	unsigned int distinct, tlbis;
	bool taken;
	struct span s;

	if (!rule(r, step(r, STEP_CLOSE_ORDER_CHURN, &s),
		  "close-order: churn"))
		return;
	distinct = guest_vmids(&s, kvm, &taken, &tlbis);
	rule(r, taken == !r->share && distinct >= 255 - CHURN_THREADS,
	     "close-order: with only the vSMMU left, VMs get %u VMIDs, its own%s among them",
	     distinct, taken ? "" : " not");
}

void check_close_order(struct run *r)
{
	unsigned int orders = 0, with_dma = 0, tagged = 0, left = 0;
	struct span dma, tlbi, close, end, all;
	size_t from = 0;
	int kvm;

	while (step_after(r, STEP_CLOSE_ORDER_DMA, from, &dma) &&
	       step_after(r, STEP_CLOSE_ORDER_TLBI, dma.last, &tlbi) &&
	       step_after(r, STEP_CLOSE_ORDER_CLOSE, tlbi.last, &close) &&
	       step_after(r, STEP_CLOSE_ORDER_END, close.last, &end)) {
		from = end.last;
		kvm = guest_vmid(&tlbi);
		if (r->vmid8 && !orders)
			close_order_churn(r, kvm);
		orders++;
		if (smmu_vmid(&close) != NONE) {
			with_dma++;
			tagged += smmu_vmid(&close) == kvm;
		}
		all = between(&dma, &end);
		left += left_behind(&all) != NONE || smmu_vmid(&dma) == NONE;
	}
	rule(r, orders == 24 && with_dma == 18,
	     "close-order: %u orders, DMA between the closes of %u", orders,
	     with_dma);
	rule(r, (tagged == with_dma) == r->share,
	     "close-order: in %u of them under the VM's VMID", tagged);
	rule(r, !left, "close-order: %u end with entries in the SMMU's TLB",
	     left);
}
#endif
