// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which VM a device is for is settled when it is bound. KVM's VFIO device forgets
 * its file, another VM adds it, it is given back, KVM's VFIO device is closed, and
 * the VM is: none of this, while it is behind a vSMMU, changes anything for that
 * vSMMU, but one more gets the VM's number only while the file is the VM's. Nor
 * does it help to bind the device once more, through a file that no VM knows.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define KVM_FILE_STEPS(X)					\
	X(STEP_KVM_FILE_DEL,		0x01, "file-del")	\
	X(STEP_KVM_FILE_ADD,		0x02, "file-add")	\
	X(STEP_KVM_FILE_OTHER_TLBI,	0x03, "other-vm-tlbi")	\
	X(STEP_KVM_FILE_OWN_TLBI,	0x04, "own-tlbi")	\
	X(STEP_KVM_FILE_BACK,		0x05, "file-given-back")	\
	X(STEP_KVM_FILE_CLOSED,		0x06, "vm-closed")	\
	X(STEP_KVM_FILE_UNBIND,		0x07, "unbind")		\
	X(STEP_KVM_FILE_REBIND,		0x08, "rebind")		\
	X(STEP_KVM_FILE_END,		0x09, "end")

E2E_CASE(kvm_file, 24, "kvm-file", KVM_FILE_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

#define CROWD	8

/* One more vSMMU for the same device asks for the VM's number */
static void ask(struct vsmmu *v, const char *when, int expected)
{
	int ret = vsmmu_insist(v->g, v->d, v->s2);

	if (!e2e.patched)
		expected = 0;
	check(ret == expected, "%s: a vSMMU that asks to share: %d, expected %d",
	      when, ret, expected);
}

/* The stage 1 changes, and @vm invalidates */
static void change(struct guest *g, struct vm *vm, u64 page)
{
	s1_map(&g->s1, page);
	vm_exec(vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
}

/*
 * All that is left of the VM is what VFIO holds. Others are created, that would
 * have its memory, and be taken for it, if it had gone.
 */
static void only_vfio_holds(struct vsmmu *v)
{
	struct guest *g = v->g;
	struct vm vm[CROWD];
	unsigned int i, vms;

	vms = vms_alive();
	vm_close(&g->vm);
	/* A bind that the base refuses takes the reference that the first one has */
	check(vms_alive() == vms - !e2e.patched,
	      "its VM is closed: %u VMs, of %u", vms_alive(), vms);
	for (i = 0; i < CROWD; i++) {
		vm_create(&vm[i], g->mem, PAGE);
		vm_exec(&vm[i], GUEST_NOP, 0, 0);
	}
	mark(STEP_KVM_FILE_CLOSED);
	ask(v, "its VM is closed", -ENODEV);
	check(dma_lands(g, v->d) == 'B', "its VM is closed: DMA goes on");
	for (i = 0; i < CROWD; i++)
		vm_close(&vm[i]);
}

/* Through another file, of which no VM knows */
static void bind_again(const struct dev *d, int iommufd)
{
	struct dev other = *d;
	int ret;

	other.fd = dev_file_open(d);
	must(other.fd >= 0, "%s: another VFIO device file", d->bdf);
	ret = dev_bind(&other, iommufd);
	close(other.fd);
	check(ret == -EINVAL, "bound through another file: %d, expected %d",
	      ret, -EINVAL);
}

static void while_bound(struct vsmmu *v, struct vm *other)
{
	struct guest *g = v->g;
	struct dev *d = v->d;
	char hit;

	mark(STEP_KVM_FILE_DEL);
	ask(v, "the file is the VM's", insist_expected());
	bind_again(d, g->iommufd);
	ask(v, "the device is still bound for the VM", insist_expected());
	vm_del_file(&g->vm, d->fd);
	check(dma_lands(g, d) == 'A', "deleted: DMA goes on");
	ask(v, "deleted", -ENODEV);
	mark(STEP_KVM_FILE_ADD);
	vm_add_file(other, d->fd);
	d->vm = other;
	check(dma_lands_at(g, d, PAGE_IOVA('C')) == 'C',
	      "added to another VM: DMA goes on");
	ask(v, "added to another VM", -ENODEV);
	bind_again(d, g->iommufd);

	mark(STEP_KVM_FILE_OTHER_TLBI);
	change(g, other, OFF_PAGE_B);
	check(dma_lands(g, d) == 'A', "not the other VM's TLBI...");
	mark(STEP_KVM_FILE_OWN_TLBI);
	change(g, &g->vm, OFF_PAGE_B);
	hit = dma_lands(g, d);
	check(hit == (btm_expected() ? 'B' : 'A'),
	      "...but its own is obeyed: DMA in %c, expected %c", hit,
	      btm_expected() ? 'B' : 'A');

	vsmmu_tlbi_all(v);
	check(dma_lands(g, d) == 'B', "so is its command");
	mark(STEP_KVM_FILE_BACK);
	vm_del_file(other, d->fd);
	vm_add_file(&g->vm, d->fd);
	ask(v, "given back", insist_expected());
	close(g->vm.vfio);
	g->vm.vfio = -1;
	ask(v, "KVM's VFIO device is closed", -ENODEV);
	vm_add_file(other, d->fd);
	only_vfio_holds(v);
}

void case_kvm_file(void)
{
	struct dev *d = &testdev[0];
	static struct usage before;
	int fd = iommufd_open(), s2;
	struct guest g, other;
	struct vsmmu v;

	usage_read(&before);
	guest_init(&g, fd, true);
	guest_init(&other, fd, true);
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");
	while_bound(&v, &other.vm);

	mark(STEP_KVM_FILE_UNBIND);
	dev_close(d);
	vsmmu_destroy(&v);
	mark(STEP_KVM_FILE_REBIND);
	dev_open(d, fd, &other.vm);
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	must(!dev_attach(d, v.trans), "attach to nested translate");
	check(dma_lands(&g, d) == 'B', "bound for the other VM: DMA");

	guest_end(&other, d, STEP_KVM_FILE_END, &before);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_kvm_file(struct run *r)
{
	struct span s[STEP_KVM_FILE_END + 1], all;
	int own, other, vmid;

	if (!steps(r, STEP_KVM_FILE_DEL, STEP_KVM_FILE_END, s,
		   "kvm-file"))
		return;
	own = guest_vmid(&s[STEP_KVM_FILE_OWN_TLBI]);
	other = guest_vmid(&s[STEP_KVM_FILE_OTHER_TLBI]);
	rule(r, own > 0 && other > 0 && own != other,
	     "kvm-file: the VMs have %d and %d", own, other);
	all = between(&s[STEP_KVM_FILE_DEL], &s[STEP_KVM_FILE_UNBIND]);
	vmid = smmu_vmid(&all);
	rule(r, vmid > 0 && (vmid == own) == r->share,
	     "kvm-file: the device has %d until it is unbound", vmid);
	vmid = smmu_vmid(&s[STEP_KVM_FILE_REBIND]);
	rule(r, vmid > 0 && (vmid == other) == r->share,
	     "kvm-file: and %d when it is bound for the other VM", vmid);
	nothing_left(r, &s[STEP_KVM_FILE_DEL], &s[STEP_KVM_FILE_REBIND],
		     "kvm-file: unbound");
	nothing_left(r, &s[STEP_KVM_FILE_REBIND], &s[STEP_KVM_FILE_END],
		     "kvm-file: closed");
}
#endif
