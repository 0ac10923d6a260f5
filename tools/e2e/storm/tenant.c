// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant of the storm: a guest with one device, two stage-2 tables that map
 * different pages to the same addresses, and up to two vSMMUs on them. All of its
 * state is known here, and so is what a DMA to each address must do.
 */
#include <errno.h>
#include <unistd.h>

#include "mem.h"
#include "tenant.h"
#include "vms.h"

#define CMD_CFGI_CD		0x05ull
#define CMD_SID(sid)		((u64)(sid) << 32)
#define VSID			0x100
#define PEER_VSID		0x101

u64 addr_iova(unsigned int addr)
{
	if (addr < WINDOW)
		return DMA_IOVA + addr * PAGE;
	return GPA_BASE + OFF_PAGE_A + (addr - WINDOW) * PAGE;
}

static bool is_nested(enum where at)
{
	return at == AT_BYPASS || at == AT_TRANS;
}

static unsigned int s2_of(const struct tenant *t, enum where at, unsigned int n)
{
	return is_nested(at) ? t->v[n].s2 : n;
}

static int expect_at(const struct tenant *t, enum where at, unsigned int n,
		     unsigned int addr)
{
	const struct s2 *s2;
	int page;

	if (at == AT_NOTHING)
		return LAND_REFUSED;
	s2 = &t->s2[s2_of(t, at, n)];
	if (addr < WINDOW && at != AT_TRANS) {
		page = s2->win[addr];
	} else {
		/* Stage 1 maps the guest's memory one to one, too */
		page = addr < WINDOW ? t->v[n].map[addr] : (int)addr - WINDOW;
		if (page >= 0)
			page = s2->gpa[page];
	}
	return page < 0 ? LAND_REFUSED : page_id(t->region, page);
}

/* May be asked at any time by another thread, which then finds out by @seq */
int tenant_expect(const struct tenant *t, unsigned int addr)
{
	return expect_at(t, t->at, t->at_n, addr);
}

static void see(struct tenant *t)
{
	int id = tenant_expect(t, t->watch);

	t->seen |= id < 0 ? SEEN_REFUSED : 1u << id % DATA_PAGES;
}

static u32 pt_of(const struct tenant *t, enum where at, unsigned int n)
{
	return at == AT_S2 ? t->s2[n].hwpt :
	       at == AT_BYPASS ? t->v[n].bypass : t->v[n].trans;
}

/*
 * May a DMA in flight be refused? Not between page tables over one stage 2, unless
 * two vSMMUs translate; the number of a stage 2 can be that of another one by now, see
 * op_renew(). From one stage 2 to another only where the STE changes in one store.
 */
static bool breaks(const struct tenant *t, enum where at, unsigned int n)
{
	bool stage1 = t->at == AT_TRANS || at == AT_TRANS;

	if (t->at == AT_NOTHING || at == AT_NOTHING)
		return true;
	if (t->at == AT_TRANS && at == AT_TRANS && t->at_n != n)
		return true;
	if (s2_of(t, t->at, t->at_n) == s2_of(t, at, n) &&
	    !(t->at == AT_S2 && at == AT_S2 && t->pt != pt_of(t, at, n)))
		return false;
	return stage1 || !e2e.lse2;
}

/* From here to end() some address can mean what it did or what it will */
static void begin(struct tenant *t)
{
	see(t);
	__atomic_add_fetch(&t->seq, 1, __ATOMIC_SEQ_CST);
}

static void end(struct tenant *t)
{
	see(t);
	__atomic_add_fetch(&t->seq, 1, __ATOMIC_SEQ_CST);
	t->to = AT_NOTHING;
}

static void begin_attach(struct tenant *t, enum where at, unsigned int n)
{
	if (breaks(t, at, n)) {
		begin(t);
		t->seen |= SEEN_REFUSED;
	} else {
		t->to = at;
		t->to_n = n;
		begin(t);
	}
}

/* With @dev_lock */
static int dma(struct actor *a, struct tenant *t, unsigned int addr)
{
	unsigned int word = t->num * DEV_WORDS + t->slot++ % DEV_WORDS;
	struct dev *d = t->peer && roll(a, 2) ? t->peer : t->d;
	bool ok = testdev_dma(d, addr_iova(addr) + word * 4);
	int at = mem_landed(word, TESTDEV_DATA);

	did(a, OP_DMA, 0);
	return at == LAND_NOWHERE && !ok ? LAND_REFUSED : at;
}

static bool in_own_region(const struct tenant *t, int got)
{
	return got >= 0 && got / DATA_PAGES == (int)t->region;
}

static void verdict(struct actor *a, const struct tenant *t, unsigned int addr,
		    int want, int got)
{
	if (got == want)
		return;
	bad(a, got == LAND_REFUSED ? BAD_REFUSED :
	       in_own_region(t, got) ? BAD_STALE : BAD_MISDIRECTED,
	    "DMA of device %u to %#llx (attached %d.%u): page %d, must be %d; its region is %u",
	    t->num, (unsigned long long)addr_iova(addr), t->at, t->at_n, got,
	    want, t->region);
}

static void prove(struct tenant *t, unsigned int addr)
{
	int got, want = tenant_expect(t, addr);

	/* edu needs 100 ms for one */
	if (t->d == &edu)
		return;
	pthread_mutex_lock(&t->dev_lock);
	got = dma(&t->self, t, addr);
	pthread_mutex_unlock(&t->dev_lock);
	verdict(&t->self, t, addr, want, got);
}

/*
 * What else than @want it may do if the meaning changed meanwhile: go where it will
 * go after an attach without a break, or, with any other change, anywhere in this guest.
 * The owner writes @to before @seq becomes odd and after it is even again: where @seq is
 * odd and the same before and behind the DMA, what was read between belongs together.
 */
void tenant_other_dma(struct tenant *t)
{
	unsigned int addr = roll(&t->other, ADDRS), seq;
	bool same, hitless, changed;
	int want, will, got;

	if (pthread_mutex_trylock(&t->dev_lock))
		return;
	if (t->d->fd >= 0) {
		seq = __atomic_load_n(&t->seq, __ATOMIC_SEQ_CST);
		want = tenant_expect(t, addr);
		hitless = t->to != AT_NOTHING;
		will = expect_at(t, t->to, t->to_n, addr);
		got = dma(&t->other, t, addr);
		same = seq == __atomic_load_n(&t->seq, __ATOMIC_SEQ_CST);
		changed = seq & 1 || !same;
		if (changed && (same && hitless ? got == will :
				got == LAND_REFUSED || in_own_region(t, got)))
			want = got;
		verdict(&t->other, t, addr, want, got);
	}
	pthread_mutex_unlock(&t->dev_lock);
}

static void map(struct tenant *t, unsigned int n, unsigned int addr)
{
	int page = roll(&t->self, DATA_PAGES);
	struct s2 *s2 = &t->s2[n];

	did(&t->self, OP_MAP,
	    ioas_map(t->fd, s2->ioas, t->mem + OFF_PAGE_A + page * PAGE, PAGE,
		     addr_iova(addr)));
	*(addr < WINDOW ? &s2->win[addr] : &s2->gpa[addr - WINDOW]) = page;
}

static void unmap(struct tenant *t, unsigned int n, unsigned int addr)
{
	struct s2 *s2 = &t->s2[n];

	did(&t->self, OP_UNMAP,
	    ioas_unmap(t->fd, s2->ioas, addr_iova(addr), PAGE));
	*(addr < WINDOW ? &s2->win[addr] : &s2->gpa[addr - WINDOW]) = -1;
}

/* An address whose meaning depends on @addr of the stage 2 */
static unsigned int by_way_of(const struct tenant *t, unsigned int addr)
{
	unsigned int i;

	if (t->at == AT_TRANS)
		for (i = 0; i < WINDOW; i++)
			if (t->v[t->at_n].map[i] + WINDOW == (int)addr)
				return i;
	return addr;
}

/* The host lets an address mean nothing, then another page */
static void op_stage2(struct tenant *t)
{
	unsigned int addr = roll(&t->self, ADDRS), n = roll(&t->self, 2), by;

	if (t->at != AT_NOTHING && roll(&t->self, 4))
		n = s2_of(t, t->at, t->at_n);
	by = by_way_of(t, addr);
	step(&t->self, "stage2", n, addr);
	if ((addr < WINDOW ? t->s2[n].win[addr] :
			     t->s2[n].gpa[addr - WINDOW]) >= 0) {
		if (roll(&t->self, 4)) {
			prove(t, addr);
			prove(t, by);
		}
		begin(t);
		unmap(t, n, addr);
		end(t);
		prove(t, by);
		prove(t, addr);
		if (!roll(&t->self, 3))
			return;
	}
	begin(t);
	map(t, n, addr);
	end(t);
	prove(t, by);
	prove(t, addr);
}

static void write_pte(struct vsm *v, unsigned int i, int page)
{
	u64 *tables = (u64 *)(v->s1.mem + v->s1.off);
	u64 leaf = tables[OFF_L3_IDENT / 8 + OFF_PAGE_A / PAGE + page];

	((volatile u64 *)tables)[OFF_L3_DMA / 8 + i] = page < 0 ? 0 : leaf;
	__sync_synchronize();
}

static void command(struct tenant *t, struct vsm *v, u64 cmd0, u64 cmd1)
{
	did(&t->self, OP_COMMAND,
	    viommu_invalidate(t->fd, v->viommu, cmd0, cmd1));
}

static void tlbi(struct tenant *t, enum guest_op op, u64 asid, u64 va)
{
	vm_exec(&t->vm, op, asid, va);
	did(&t->self, OP_TLBI, 0);
}

/* By an instruction where the kernel said that this is enough */
static void invalidate(struct tenant *t, struct vsm *v, unsigned int addr)
{
	unsigned int how = roll(&t->self, 4);
	u64 va = addr_iova(addr);

	if (v->flags & E2E_BTM && roll(&t->self, 5)) {
		tlbi(t, how < 2 ? GUEST_TLBI_VA :
			how < 3 ? GUEST_TLBI_ASID : GUEST_TLBI_ALL,
		     GUEST_ASID, va);
		return;
	}
	if (how < 2)
		command(t, v, CMD_TLBI_NH_VA | CMD_ASID(GUEST_ASID), va);
	else if (how < 3)
		command(t, v, CMD_TLBI_NH_ASID | CMD_ASID(GUEST_ASID), 0);
	else
		command(t, v, CMD_TLBI_NH_ALL, 0);
}

/* The guest lets an address mean another page, or nothing */
static void op_stage1(struct tenant *t)
{
	unsigned int n = roll(&t->self, 2), i = roll(&t->self, WINDOW);
	int page = roll(&t->self, 4) ? (int)roll(&t->self, DATA_PAGES) : -1;
	struct vsm *v;

	if (is_nested(t->at) && roll(&t->self, 8))
		n = t->at_n;
	v = &t->v[n];
	if (!v->viommu)
		return;
	step(&t->self, "stage1", n, i);
	if (roll(&t->self, 4))
		prove(t, i);
	begin(t);
	write_pte(v, i, page);
	invalidate(t, v, i);
	v->map[i] = page;
	end(t);
	prove(t, i);
}

static void op_dma(struct tenant *t)
{
	prove(t, roll(&t->self, ADDRS));
}

/* Invalidations without a reason hurt nobody */
static void op_flush(struct tenant *t)
{
	unsigned int n = roll(&t->self, 2);

	step(&t->self, "flush", n, 0);
	if (t->has_vm && roll(&t->self, 2)) {
		tlbi(t, GUEST_TLBI_VA + roll(&t->self, 3), GUEST_ASID,
		     addr_iova(roll(&t->self, ADDRS)));
		tlbi(t, GUEST_TLBI_ASID, STORM_ASID + t->num, 0);
		return;
	}
	if (t->vdevice && !roll(&t->self, 4))
		command(t, &t->v[t->vdev_on], CMD_CFGI_CD | CMD_SID(VSID), 0);
	else if (t->v[n].viommu)
		command(t, &t->v[n], CMD_TLBI_NH_ALL, 0);
}

static void no_vdevice(struct tenant *t)
{
	if (t->vdevice)
		did(&t->self, OP_VDEVICE, iommufd_destroy(t->fd, t->vdevice));
	if (t->peer_vdevice)
		did(&t->self, OP_VDEVICE,
		    iommufd_destroy(t->fd, t->peer_vdevice));
	t->vdevice = 0;
	t->peer_vdevice = 0;
}

static void vdevice_on(struct tenant *t, unsigned int n)
{
	int id;

	if (t->vdevice && t->vdev_on == n)
		return;
	no_vdevice(t);
	id = vdevice_alloc(t->fd, t->v[n].viommu, t->d->id, VSID);
	if (did(&t->self, OP_VDEVICE, id))
		t->vdevice = id;
	t->vdev_on = n;
	if (!t->peer)
		return;
	id = vdevice_alloc(t->fd, t->v[n].viommu, t->peer->id, PEER_VSID);
	if (did(&t->self, OP_VDEVICE, id))
		t->peer_vdevice = id;
}

static void attach(struct tenant *t, enum where at, unsigned int n)
{
	u32 pt = pt_of(t, at, n);

	step(&t->self, "attach", at, n);
	begin_attach(t, at, n);
	if (at == AT_TRANS)
		vdevice_on(t, n);
	if (did(&t->self, OP_ATTACH, dev_attach(t->d, pt))) {
		t->at = at;
		t->at_n = n;
		t->pt = pt;
	}
	end(t);
	/* What another stage 1 had there may still be in the TLB */
	prove(t, roll(&t->self, WINDOW));
	prove(t, roll(&t->self, WINDOW));
	prove(t, roll(&t->self, ADDRS));
}

static void detach(struct tenant *t)
{
	step(&t->self, "detach", 0, 0);
	begin(t);
	t->seen |= SEEN_REFUSED;
	did(&t->self, OP_DETACH, dev_detach(t->d));
	t->at = AT_NOTHING;
	end(t);
	prove(t, roll(&t->self, ADDRS));
}

/* Over any stage 2, or over that which the device is on, where it is on one */
static void attach_somewhere(struct tenant *t, bool same_s2)
{
	unsigned int n = roll(&t->self, 2);
	enum where at = AT_S2 + roll(&t->self, 4);

	if (at > AT_TRANS)
		at = AT_TRANS;
	if (at == AT_S2 ? !t->s2[n].hwpt : !t->v[n].viommu)
		return;
	if (same_s2 && t->at != AT_NOTHING && breaks(t, at, n))
		return;
	attach(t, at, n);
}

static void op_attach(struct tenant *t)
{
	attach_somewhere(t, false);
}

static void op_detach(struct tenant *t)
{
	if (t->at != AT_NOTHING)
		detach(t);
}

/* Go to a stage 2 other than @not, or to nothing */
static void leave(struct tenant *t, unsigned int not)
{
	unsigned int n = roll(&t->self, 2);

	if (t->s2[n].hwpt && n != not && roll(&t->self, 4))
		attach(t, AT_S2, n);
	else
		detach(t);
}

/* With the device open or not: its vDEVICE goes when it is closed */
static void vsm_free(struct tenant *t, unsigned int n)
{
	struct vsm *v = &t->v[n];

	step(&t->self, "vsmmu free", n, 0);
	did(&t->self, OP_HWPT, iommufd_destroy(t->fd, v->trans));
	did(&t->self, OP_HWPT, iommufd_destroy(t->fd, v->bypass));
	if (t->vdev_on == n)
		no_vdevice(t);
	did(&t->self, OP_VIOMMU, iommufd_destroy(t->fd, v->viommu));
	v->viommu = 0;
	v->flags = 0;
}

static int ask(struct tenant *t, unsigned int n, u32 *flags)
{
	unsigned int how = roll(&t->self, 4);
	struct vsm *v = &t->v[n];
	u32 hwpt = t->s2[v->s2].hwpt;
	u32 asked = 0;
	int id;

	step(&t->self, "vsmmu", n, how);
	if (!how)
		return viommu_alloc(t->fd, t->d->id, hwpt);
	if (how > 1 && t->has_vm)
		asked = ask_flags();
	id = viommu_ask(t->fd, t->d->id, hwpt, asked, flags);
	if (id > 0 && *flags != (asked ? flags_expected() : 0))
		bad(&t->self, BAD_ERROR, "a vSMMU reports %#x, asked %#x",
		    *flags, asked);
	if (id == -EBUSY && asked && t->v[!n].viommu && t->v[!n].flags)
		return -ENOSPC;
	if (id > 0 && asked)
		did(&t->self, OP_SHARE, 0);
	return id;
}

/* All that fails here is that there is no VMID left */
static void vsm_alloc(struct tenant *t, unsigned int n)
{
	struct vsm *v = &t->v[n];
	unsigned int i;
	u64 ste[2];
	int id;

	v->s2 = roll(&t->self, 2);
	if (!t->s2[v->s2].hwpt)
		return;
	v->flags = 0;
	id = ask(t, n, &v->flags);
	if (id == -ENOSPC || !did(&t->self, OP_VIOMMU, id))
		return;

	/* No TLBI after that: a new vSMMU has nothing in its TLB */
	s1_init(&v->s1, t->mem, n * OFF_S1_SECOND, GUEST_ASID);
	for (i = 0; i < WINDOW; i++) {
		v->map[i] = (int)roll(&t->self, DATA_PAGES + 2) - 2;
		if (v->map[i] < 0)
			v->map[i] = -1;
		write_pte(v, i, v->map[i]);
	}
	v->viommu = id;
	s1_vste_bypass(ste);
	id = hwpt_alloc_nested(t->fd, t->d->id, v->viommu, ste);
	did(&t->self, OP_HWPT, id);
	v->bypass = id;
	s1_vste(&v->s1, ste);
	id = hwpt_alloc_nested(t->fd, t->d->id, v->viommu, ste);
	did(&t->self, OP_HWPT, id);
	v->trans = id;
}

static void vsm_replace(struct tenant *t, unsigned int n)
{
	if (t->v[n].viommu) {
		if (is_nested(t->at) && t->at_n == n)
			leave(t, 2);
		vsm_free(t, n);
	}
	vsm_alloc(t, n);
}

static void op_vsm(struct tenant *t)
{
	unsigned int n = roll(&t->self, 2);

	vsm_replace(t, n);
	if (t->v[n].viommu)
		attach(t, AT_TRANS, n);
}

static bool has_vsm(const struct tenant *t, unsigned int s2)
{
	return (t->v[0].viommu && t->v[0].s2 == s2) ||
	       (t->v[1].viommu && t->v[1].s2 == s2);
}

static void s2_alloc(struct tenant *t, unsigned int n)
{
	int id = hwpt_alloc_parent(t->fd, t->d->id, t->s2[n].ioas);

	step(&t->self, "s2", n, id);
	if (id != -ENOSPC)
		did(&t->self, OP_HWPT, id);
	t->s2[n].hwpt = id > 0 ? id : 0;
}

static void op_s2(struct tenant *t)
{
	unsigned int n = roll(&t->self, 2), i;

	if (t->s2[n].hwpt) {
		if (t->at != AT_NOTHING && s2_of(t, t->at, t->at_n) == n)
			leave(t, n);
		for (i = 0; i < 2; i++)
			if (t->v[i].viommu && t->v[i].s2 == n)
				vsm_free(t, i);
		step(&t->self, "s2 free", n, 0);
		did(&t->self, OP_HWPT,
		    iommufd_destroy(t->fd, t->s2[n].hwpt));
	}
	s2_alloc(t, n);
}

/* Another page table with the same content takes over: a VMID comes, one goes */
static void op_renew(struct tenant *t)
{
	unsigned int n = t->at_n;
	u32 old;

	if (t->at != AT_S2 || has_vsm(t, n))
		return;
	old = t->s2[n].hwpt;
	s2_alloc(t, n);
	if (!t->s2[n].hwpt) {
		t->s2[n].hwpt = old;
		return;
	}
	attach(t, AT_S2, n);
	did(&t->self, OP_HWPT, iommufd_destroy(t->fd, old));
}

static void maps_init(struct tenant *t, unsigned int n)
{
	struct s2 *s2 = &t->s2[n];
	unsigned int addr;
	int id;

	id = ioas_alloc(t->fd);
	must(id > 0, "IOAS");
	s2->ioas = id;
	did(&t->self, OP_MAP,
	    ioas_map(t->fd, s2->ioas, t->mem, OFF_PAGE_A, GPA_BASE));
	for (addr = 0; addr < WINDOW; addr++)
		s2->win[addr] = -1;
	for (addr = 0; addr < ADDRS; addr++)
		if (addr >= WINDOW || addr & 1)
			map(t, n, addr);
}

/* Its first memory, or that of the life before the last */
void tenant_start(struct tenant *t)
{
	unsigned int n;

	pthread_mutex_lock(&t->dev_lock);
	step(&t->self, "start", t->region, 0);
	t->mem = mem_region(t->region);
	if (t->has_vm) {
		vm_create(&t->vm, t->mem, REGION_SIZE);
		did(&t->self, OP_VM, 0);
	}
	begin(t);
	dev_open(t->d, t->fd, t->has_vm ? &t->vm : NULL);
	if (t->peer)
		dev_open(t->peer, t->fd, t->has_vm ? &t->vm : NULL);
	for (n = 0; n < 2; n++) {
		maps_init(t, n);
		s2_alloc(t, n);
	}
	end(t);
	pthread_mutex_unlock(&t->dev_lock);
	vsm_alloc(t, 0);
	attach_somewhere(t, false);
}

static void objects_free(struct tenant *t)
{
	unsigned int n;

	for (n = 0; n < 2; n++)
		if (t->v[n].viommu)
			vsm_free(t, n);
	for (n = 0; n < 2; n++) {
		if (t->s2[n].hwpt)
			did(&t->self, OP_HWPT,
			    iommufd_destroy(t->fd, t->s2[n].hwpt));
		did(&t->self, OP_HWPT,
		    iommufd_destroy(t->fd, t->s2[n].ioas));
		t->s2[n].hwpt = 0;
	}
}

/* The device, the VM and the objects in any order that there is */
void tenant_end(struct tenant *t)
{
	unsigned int how = roll(&t->self, 4), n;

	step(&t->self, "end", how, 0);
	pthread_mutex_lock(&t->dev_lock);
	begin(t);
	if (how == 0 && t->at != AT_NOTHING) {
		did(&t->self, OP_DETACH, dev_detach(t->d));
		t->at = AT_NOTHING;
	}
	if (how == 1 && t->has_vm)
		vm_close(&t->vm);
	dev_close(t->d);
	if (t->peer)
		dev_close(t->peer);
	t->at = AT_NOTHING;
	t->vdevice = 0;
	t->peer_vdevice = 0;
	if (how == 2 && t->has_vm)
		vm_close(&t->vm);
	if (how && t->own_fd) {
		close(t->fd);
		t->fd = iommufd_open();
		for (n = 0; n < 2; n++) {
			t->v[n].viommu = 0;
			t->v[n].flags = 0;
			t->s2[n].hwpt = 0;
		}
	} else {
		objects_free(t);
	}
	if ((how == 0 || how == 3) && t->has_vm)
		vm_close(&t->vm);
	did(&t->self, OP_VM, 0);
	end(t);
	pthread_mutex_unlock(&t->dev_lock);
}

/* The VM dies, and another one comes with other memory */
static void op_death(struct tenant *t)
{
	tenant_end(t);
	t->region ^= 1;
	tenant_start(t);
}

static const struct {
	unsigned int weight;
	void (*fn)(struct tenant *t);
} kinds[] = {
	{ 300, op_dma },
	{ 250, op_stage2 },
	{ 300, op_stage1 },
	{ 60, op_flush },
	{ 100, op_attach },
	{ 8, op_detach },
	{ 20, op_vsm },
	{ 10, op_s2 },
	{ 60, op_renew },
	{ 2, op_death },
};

#define TOTAL_WEIGHT	(300 + 250 + 300 + 60 + 100 + 8 + 20 + 10 + 60 + 2)

void tenant_op(struct tenant *t)
{
	u32 dice = roll(&t->self, TOTAL_WEIGHT), i;

	/* Nothing is to be seen of a device that is attached to nothing */
	if (t->at == AT_NOTHING && roll(&t->self, 2)) {
		attach_somewhere(t, false);
		return;
	}
	for (i = 0; dice >= kinds[i].weight; i++)
		dice -= kinds[i].weight;
	kinds[i].fn(t);
}

void tenant_op_in_flight(struct tenant *t)
{
	switch (roll(&t->self, 8)) {
	case 0:
		op_stage2(t);
		break;
	case 1:
		op_stage1(t);
		break;
	case 2:
		if (!roll(&t->self, 8))
			op_vsm(t);
		break;
	case 3:
		if (!roll(&t->self, 8))
			op_attach(t);
		break;
	default:
		attach_somewhere(t, true);
	}
}
