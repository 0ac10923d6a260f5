// SPDX-License-Identifier: GPL-2.0-only
/*
 * The drivers are modules. A device holds that of its IOMMU, so the SMMU's can be
 * unloaded only after every device behind it has been removed. What userspace has
 * made with it stays behind then: a vSMMU, a bare page table. Each of them has to
 * hold the module, for its ops are in there.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define MODULES_STEPS(X)					\
	X(STEP_MODULES_DMA,		0x01, "dma")		\
	X(STEP_MODULES_TLBI,		0x02, "tlbi")		\
	X(STEP_MODULES_RELOAD,		0x03, "reload")		\
	X(STEP_MODULES_DMA_AGAIN,	0x04, "dma-again")	\
	X(STEP_MODULES_TLBI_AGAIN,	0x05, "tlbi-again")	\
	X(STEP_MODULES_RELOAD_AGAIN,	0x06, "reload-again")

E2E_CASE(modules, 33, "modules", MODULES_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

#define SMMU	"arm_smmu_v3"

struct used {
	struct guest g;
	struct vsmmu v;
	int fd;
	u32 s2;
};

/* Nested attach with the VM's VMID, a DMA, and one after the guest's own TLBI */
static void use(struct used *u, unsigned int dma, unsigned int tlbi)
{
	struct dev *d = &testdev[0];
	char hit, want;
	int s2;

	u->fd = iommufd_open();
	guest_init(&u->g, u->fd, true);
	dev_open(d, u->fd, &u->g.vm);
	vm_churn(5);
	s2 = hwpt_alloc_parent(u->fd, d->id, u->g.ioas);
	must(s2 > 0, "stage 2");
	u->s2 = s2;
	vsmmu_init(&u->v, &u->g, d, s2, &u->g.s1, ask_flags());
	check(u->v.out_flags == flags_expected(), "reported: %#x, expected %#x",
	      u->v.out_flags, flags_expected());
	must(!dev_attach(d, u->v.trans), "attach to nested translate");

	mark(dma);
	check(dma_lands(&u->g, d) == 'A', "DMA by the guest's stage 1");
	s1_map(&u->g.s1, OFF_PAGE_B);
	mark(tlbi);
	vm_exec(&u->g.vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	hit = dma_lands(&u->g, d);
	want = btm_expected() ? 'B' : 'A';
	check(hit == want, "DMA after the guest's TLBI: in %c, expected %c",
	      hit, want);
}

static void check_refused(const char *why)
{
	int ret = module_unload(SMMU);

	check(ret == -EAGAIN, "unload while there is %s: %d", why, ret);
}

static void check_users(int want, const char *who)
{
	int users = module_users(SMMU);

	check(users == want, "users of the module: %s, %d of %d", who, users,
	      want);
}

/* The objects go one by one, each of them the last one that the driver has */
static void leave_slowly(struct used *u)
{
	check_refused("an attached device");
	dev_close(&testdev[0]);
	check_refused("a device");
	must(!devices_remove(), "every device behind the SMMU is removed");
	check_users(2, "a vSMMU and its page table");
	check_refused("a vSMMU");
	/* Its vDEVICE went with the device */
	must(!iommufd_destroy(u->fd, u->v.trans) &&
	     !iommufd_destroy(u->fd, u->v.bypass) &&
	     !iommufd_destroy(u->fd, u->v.viommu), "the vSMMU is destroyed");
	check_users(1, "a page table");
	check_refused("a page table");
	must(!iommufd_destroy(u->fd, u->s2), "the page table is destroyed");
	check_users(0, "nothing");
	close(u->fd);
}

static void leave_at_once(struct used *u)
{
	dev_close(&testdev[0]);
	must(!devices_remove(), "every device behind the SMMU is removed");
	check_refused("a vSMMU");
	close(u->fd);
	check_users(0, "nothing");
}

static void reload(void)
{
	int ret = modules_unload();

	must(!ret && module_users(SMMU) < 0, "unload: %d", ret);
	ret = modules_load();
	must(!ret, "load again: %d", ret);
	must(!devices_rescan(), "the devices are there again");
	vfio_setup();
}

/* The VM lives through it all, and its number is its own again */
static void vm_after(struct used *u)
{
	vm_exec(&u->g.vm, GUEST_TLBI_ALL, 0, 0);
	vm_close(&u->g.vm);
}

void case_modules(void)
{
	static struct used first, second;

	if (module_users(SMMU) < 0)
		skip("the SMMU's driver is no module");
	check(modules_are_ours(), "the modules are those built outside the tree");
	use(&first, STEP_MODULES_DMA, STEP_MODULES_TLBI);
	mark(STEP_MODULES_RELOAD);
	leave_slowly(&first);
	reload();
	vm_after(&first);

	use(&second, STEP_MODULES_DMA_AGAIN, STEP_MODULES_TLBI_AGAIN);
	mark(STEP_MODULES_RELOAD_AGAIN);
	vm_close(&second.g.vm);
	leave_at_once(&second);
	reload();
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

#define CR0		0x20
#define CR0_SMMUEN	(1u << 0)

static void modules_use(struct run *r, unsigned int dma, unsigned int tlbi,
			const char *name)
{
	const struct ev *e;
	struct span d, t;
	int smmu, kvm;
	bool found;

	found = step(r, dma, &d) && step(r, tlbi, &t);
	if (!rule(r, found, "modules: %s: steps", name))
		return;
	smmu = smmu_vmid(&d);
	kvm = guest_vmid(&t);
	rule(r, smmu > 0 && kvm > 0 && (smmu == kvm) == r->share,
	     "modules: %s: SMMU %d and KVM %d", name, smmu, kvm);
	for_each_event(e, t, EV_TLBI)
		if (by_guest(e))
			rule(r, e->to_smmu == r->btm,
			     "modules: %s: the TLBI %s the SMMU", name,
			     r->btm ? "reaches" : "does not reach");
}

/* The driver switches the SMMU off when it goes, and again before it switches it on */
static void modules_reload(struct run *r, unsigned int num, const char *name)
{
	unsigned int off = 0, on = 0;
	const struct ev *e;
	struct span s;

	if (!rule(r, step(r, num, &s), "modules: %s: step", name))
		return;
	for_each_event(e, s, EV_MMIO) {
		if (e->iova != CR0)
			continue;
		if (e->val & CR0_SMMUEN)
			on++;
		else if (!on)
			off++;
	}
	rule(r, off >= 2 && on, "modules: %s: the SMMU is off, and on again", name);
}

void check_modules(struct run *r)
{
	modules_use(r, STEP_MODULES_DMA, STEP_MODULES_TLBI, "at first");
	modules_reload(r, STEP_MODULES_RELOAD, "reload");
	modules_use(r, STEP_MODULES_DMA_AGAIN, STEP_MODULES_TLBI_AGAIN, "again");
	modules_reload(r, STEP_MODULES_RELOAD_AGAIN, "reload again");
}
#endif
