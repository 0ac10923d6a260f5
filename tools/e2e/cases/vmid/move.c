// SPDX-License-Identifier: GPL-2.0-only
/*
 * Move: with 8-bit VMIDs on both sides, VM after VM asks for its number, and each
 * time the SMMU has it in use: for stage-2 tables without a VM, one after the
 * other, and for a vSMMU that shares nothing. Each VM must get it. The device
 * that has to give way does DMA all the while and must not notice. Only the trace
 * shows that its number changed.
 *
 * The numbers meet like this only in a boot that has not run a VM yet. Best with
 * -icount: see hammer.c.
 *
 * The same for two functions of one device, which share the number: behind a vSMMU
 * with a vDEVICE each, and with one, and on stage 2.
 */
#include <unistd.h>

#include "case.h"

#define MOVE_STEPS(X)					\
	X(STEP_MOVE_HAMMER,	0x01, "hammer")		\
	X(STEP_MOVE_NESTED,	0x04, "hammer-nested")	\
	X(STEP_MOVE_REMAP,	0x02, "remap")		\
	X(STEP_MOVE_DMA,	0x03, "dma")

E2E_CASE(move, 16, "move", MOVE_STEPS,
	 .needs = NEEDS_KVM_VMID8 | NEEDS_SMMU_VMID8, .devices = 3);

#define MOVE_PAIR_STEPS(X)				\
	X(STEP_MOVE_PAIR_HAMMER, 0x01, "hammer")	\
	X(STEP_MOVE_PAIR_DMA,	0x02, "dma")

E2E_CASE(move_pair, 67, "move-pair", MOVE_PAIR_STEPS,
	 .needs = NEEDS_KVM_VMID8 | NEEDS_SMMU_VMID8 | NEEDS_PAIR, .devices = 1);

/* How the pair is attached */
enum { MOVE_TRANS, MOVE_BYPASS, MOVE_S2, MOVE_PLACES };

#ifdef E2E_INIT
#include "e2e.h"

#define MAX_VMID	255
#define TABLES		64
#define PAUSE_US	300	/* leaves some of the CPU to the VMs */

/* One VM comes, asks and goes. True if it got what it asked for */
static bool one_vm(int fd, struct dev *d, struct guest *mem)
{
	struct vm vm;
	int s2, ret;
	u32 out;

	vm_create(&vm, mem->mem, PAGE);
	dev_open(d, fd, &vm);
	s2 = hwpt_alloc_parent(fd, d->id, mem->ioas);
	must(s2 > 0, "stage 2: %d", s2);
	ret = viommu_ask(fd, d->id, s2, ask_flags(), &out);
	if (ret > 0)
		must(!iommufd_destroy(fd, ret), "destroy the vSMMU");
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	dev_close(d);
	vm_close(&vm);
	return ret > 0 && out == flags_expected();
}

void case_move(void)
{
	struct dev *d = &testdev[0], *direct = &testdev[1];
	struct dev *nested = &testdev[2];
	struct hammer hd = { .d = direct, .iova = DMA_IOVA };
	struct hammer hn = { .d = nested, .iova = DMA_IOVA, .pause = PAUSE_US };
	int fd = iommufd_open(), s2_nested, tables[TABLES], last;
	unsigned int got = 0;
	struct guest gd, gn, mem;
	struct vsmmu v;
	int i;

	guest_init(&gd, fd, false);
	guest_init(&gn, fd, false);
	guest_init(&mem, fd, false);
	dev_open(direct, fd, NULL);
	dev_open(nested, fd, NULL);
	/* The table that moves last: other tables' invalidations are not its own */
	last = ioas_alloc(fd);
	must(!ioas_map(fd, last, gd.mem + OFF_PAGE_A, PAGE, DMA_IOVA) &&
	     !ioas_map(fd, gd.ioas, gd.mem + OFF_PAGE_A, PAGE, DMA_IOVA),
	     "map");

	/* Numbers from the top downward: the vSMMU has the largest one */
	s2_nested = hwpt_alloc_parent(fd, nested->id, gn.ioas);
	must(s2_nested > 0, "stage 2");
	for (i = 0; i < TABLES; i++) {
		tables[i] = hwpt_alloc_parent(fd, direct->id,
					      i ? gd.ioas : (u32)last);
		must(tables[i] > 0, "stage 2 number %d", i);
	}
	vsmmu_init(&v, &gn, nested, s2_nested, &gn.s1, 0);
	must(!dev_attach(nested, v.trans), "attach to nested translate");
	/* KVM's go upward: the next one is that of the last table */
	vm_churn(MAX_VMID - TABLES - 1);

	mark(STEP_MOVE_NESTED);
	hammer_start(&hn, gn.mem + OFF_PAGE_A);
	for (i = TABLES - 1; i >= 0; i--) {
		must(!dev_attach(direct, tables[i]), "attach to stage 2");
		mark(STEP_MOVE_HAMMER);
		hammer_start(&hd, gd.mem + OFF_PAGE_A);
		hammer_wait(&hd, 1);
		got += one_vm(fd, d, &mem);
		hammer_wait(&hd, 2);
		hammer_stop(&hd);
	}
	mark(STEP_MOVE_NESTED);
	got += one_vm(fd, d, &mem);
	hammer_wait(&hn, 2);
	hammer_stop(&hn);
	mark(STEP_MOVE_REMAP);
	check(got == TABLES + 1, "%u of %u VMs get what they ask for", got,
	      TABLES + 1);
	note("the device on stage 2:");
	hammer_check(&hd);
	note("the device behind a vSMMU:");
	hammer_check(&hn);

	/* The host's invalidations and the guest's have to name the new numbers */
	must(dma_lands(&gd, direct) == 'A' && dma_lands(&gn, nested) == 'A',
	     "both are cached");
	must(!ioas_unmap(fd, last, DMA_IOVA, PAGE) &&
	     !ioas_map(fd, last, gd.mem + OFF_PAGE_B, PAGE, DMA_IOVA),
	     "map another page there");
	s1_map(&gn.s1, OFF_PAGE_B);
	must(!viommu_invalidate(fd, v.viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
	mark(STEP_MOVE_DMA);
	check(dma_lands(&gd, direct) == 'B', "unmap works after the move");
	check(dma_lands(&gn, nested) == 'B',
	      "a guest's command works after the move");
	mark(STEP_DONE);
	dev_close(direct);
	dev_close(nested);
	close(fd);
}

#define VSID		0x400
/* A page that can be unmapped by itself */
#define EXTRA_OFF	0x10000000ul
#define EXTRA		(GPA_BASE + EXTRA_OFF)

/* The number that is in use now and was not; 0 on the unpatched kernel */
static unsigned int new_number(const struct usage *was)
{
	static struct usage is;
	unsigned int i;

	usage_read(&is);
	for (i = 1; i <= MAX_VMID; i++)
		if (is.taken[i] && !was->taken[i])
			return i;
	return 0;
}

/* VMs come and ask until one has number @id. Without any, the first will do */
static bool vm_gets(int fd, struct dev *d, struct guest *mem, unsigned int id)
{
	static struct usage u;
	unsigned int i, ahead;

	for (i = 0; i < ALL_VMIDS; i++) {
		if (!one_vm(fd, d, mem))
			return false;
		usage_read(&u);
		if (!id || usage_pinned() == id)
			return true;
		/* KVM's numbers go upward, and begin again */
		ahead = (id + MAX_VMID - usage_pinned()) % MAX_VMID;
		if (ahead > 2 * CHURN_THREADS)
			vm_churn(ahead - 2 * CHURN_THREADS);
	}
	return false;
}

static const char *const move_places[MOVE_PLACES] = {
	"nested translate", "nested bypass with one vDEVICE", "stage 2",
};

static void both_follow(struct guest *g, struct vsmmu *v, struct dev *a,
			struct dev *b, unsigned int place)
{
	const char *where = move_places[place];
	const u64 iova = place == MOVE_TRANS ? DMA_IOVA : EXTRA;
	char hit;

	must(!ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_A, PAGE, EXTRA),
	     "map");
	s1_map(&g->s1, EXTRA_OFF);
	vsmmu_tlbi_all(v);
	must(pair_lands_at(g, a, b, iova) == 'A', "both are cached");
	must(!ioas_unmap(g->iommufd, g->ioas, EXTRA, PAGE) &&
	     !ioas_map(g->iommufd, g->ioas, g->mem + OFF_PAGE_C, PAGE, EXTRA),
	     "another page there");
	hit = pair_lands_at(g, a, b, iova);
	check(hit == 'C', "%s: unmap, DMA of both in %c, expected C", where, hit);
	if (place == MOVE_TRANS) {
		s1_map(&g->s1, OFF_PAGE_B);
		vsmmu_tlbi_all(v);
		hit = pair_lands(g, a, b);
		check(hit == 'B', "%s: the guest's command, DMA of both in %c, expected B",
		      where, hit);
	}
	must(!ioas_unmap(g->iommufd, g->ioas, EXTRA, PAGE), "unmap");
}

static void move_pair(struct guest *g, struct guest *mem, struct dev *a,
		      struct dev *b, unsigned int place)
{
	struct hammer ha = { .d = a, .iova = PAGE_IOVA('A'), .pause = PAUSE_US };
	struct hammer hb = { .d = b, .iova = PAGE_IOVA('B'), .pause = PAUSE_US };
	int fd = g->iommufd, s2, vdev = 0;
	static struct usage was;
	unsigned int id;
	struct vsmmu v;

	usage_read(&was);
	s2 = hwpt_alloc_parent(fd, a->id, g->ioas);
	must(s2 > 0, "stage 2");
	id = new_number(&was);
	vsmmu_init(&v, g, a, s2, &g->s1, 0);
	if (place == MOVE_TRANS) {
		vdev = vdevice_alloc(fd, v.viommu, b->id, VSID);
		must(vdev > 0, "the second vDEVICE: %d", vdev);
	}
	must(!pair_attach(a, b, place == MOVE_TRANS ? v.trans :
				place == MOVE_BYPASS ? v.bypass : (u32)s2),
	     "attach to %s", move_places[place]);

	mark(ROUND(place, STEP_MOVE_PAIR_HAMMER));
	hammer_start(&ha, g->mem + OFF_PAGE_A);
	hammer_start(&hb, g->mem + OFF_PAGE_B);
	hammer_wait(&ha, 1);
	hammer_wait(&hb, 1);
	check(vm_gets(fd, &testdev[0], mem, id), "%s: a VM gets number %u",
	      move_places[place], id);
	hammer_wait(&ha, 2);
	hammer_wait(&hb, 2);
	hammer_stop(&ha);
	hammer_stop(&hb);
	mark(ROUND(place, STEP_MOVE_PAIR_DMA));
	hammer_check(&ha);
	hammer_check(&hb);
	both_follow(g, &v, a, b, place);

	must(!dev_detach(a) && !dev_detach(b), "detach both");
	if (vdev)
		must(!iommufd_destroy(fd, vdev), "destroy the second vDEVICE");
	vsmmu_destroy(&v);
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
}

void case_move_pair(void)
{
	static struct usage before;
	int fd = iommufd_open();
	struct guest g, mem;
	struct dev *a, *b;
	unsigned int i;

	must(devs_pair(&a, &b), "a device with two functions");
	usage_read(&before);
	guest_init(&g, fd, false);
	guest_init(&mem, fd, false);
	dev_open(a, fd, NULL);
	dev_open(b, fd, NULL);
	for (i = 0; i < MOVE_PLACES; i++)
		move_pair(&g, &mem, a, b, i);
	mark(STEP_DONE);
	dev_close(a);
	dev_close(b);
	close(fd);
	usage_check(&before, "all closed");
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* True if what the SMMU cached for one of the devices was under two VMIDs */
static bool moved(const struct span *s, int asid, u64 iova)
{
	const struct ev *e;
	int vmid = NONE;

	for_each_event(e, *s, EV_INSERT)
		if (e->asid == asid && e->iova == iova)
			add_vmid(&vmid, e->vmid);
	return vmid == SEVERAL;
}

void check_move(struct run *r)
{
	unsigned int steps = 0, moves = 0;
	struct span s, all;
	size_t from = 0;

	if (!rule(r, all_steps(r, &all), "move: steps"))
		return;
	while (step_after(r, STEP_MOVE_HAMMER, from, &s)) {
		from = s.last;
		steps++;
		moves += moved(&s, TRACE_NONE, DMA_IOVA);
	}
	rule(r, steps >= 64 && moves == (r->share ? steps : 0),
	     "move: %u of %u stage-2 tables changed their VMIDs", moves, steps);
	rule(r, moved(&all, GUEST_ASID, DMA_IOVA) == r->share,
	     "move: the vSMMU %s its VMID", r->share ? "changed" : "kept");
	rule(r, count(&all, EV_DMA_END) && !count(&all, EV_FAULT),
	     "move: %zu DMAs meanwhile, %zu faults", count(&all, EV_DMA_END),
	     count(&all, EV_FAULT));
	rule(r, step(r, STEP_MOVE_DMA, &s) && walked(&s),
	     "move: the vSMMU's device walks again after the guest's command");
}

/* Of how many pages that is true; each function has one of its own */
static unsigned int pages_moved(const struct span *s, int asid)
{
	const struct ev *e, *other;
	unsigned int pages = 0;

	for_each_event(e, *s, EV_INSERT) {
		for_each_event(other, *s, EV_INSERT)
			if (other->asid == e->asid && other->iova == e->iova)
				break;
		if (other == e && e->asid == asid)
			pages += moved(s, asid, e->iova);
	}
	return pages;
}

void check_move_pair(struct run *r)
{
	unsigned int i, pages, faults = 0;
	struct span s;

	for (i = 0; i < MOVE_PLACES; i++) {
		if (!rule(r, step(r, ROUND(i, STEP_MOVE_PAIR_HAMMER), &s),
			  "move-pair: round %u", i))
			return;
		pages = pages_moved(&s, i == MOVE_TRANS ? GUEST_ASID : TRACE_NONE);
		rule(r, pages == (r->share ? 2 : 0),
		     "move-pair: %u of 2 functions changed their VMIDs", pages);
		faults += count(&s, EV_FAULT);
	}
	rule(r, !faults, "move-pair: %u faults meanwhile", faults);
}
#endif
