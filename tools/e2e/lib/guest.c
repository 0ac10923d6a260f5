// SPDX-License-Identifier: GPL-2.0-only
/* Guests and virtual SMMUs, put together the way a VMM does. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "boot.h"
#include "guest.h"
#include "iommufd.h"
#include "report.h"

#define VSID_BASE	0x100

void *guest_memory(void)
{
	void *mem = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "guest memory");
	return mem;
}

void guest_init(struct guest *g, int iommufd, bool with_vm)
{
	guest_init_in(g, guest_memory(), iommufd, with_vm);
}

void guest_init_in(struct guest *g, void *mem, int iommufd, bool with_vm)
{
	int ioas;

	if (with_vm && e2e.kvm < 0)
		skip("no KVM");
	memset(g, 0, sizeof(*g));
	g->iommufd = iommufd;
	g->mem = mem;
	s1_init(&g->s1, g->mem, 0, GUEST_ASID);
	s1_map(&g->s1, OFF_PAGE_A);

	g->has_vm = with_vm;
	if (with_vm)
		vm_create(&g->vm, g->mem, GUEST_SIZE);

	ioas = ioas_alloc(iommufd);
	must(ioas > 0, "IOAS");
	g->ioas = ioas;
	must(!ioas_map(iommufd, g->ioas, g->mem, GUEST_SIZE, GPA_BASE),
	     "guest memory in the IOAS");
}

void guest_free(struct guest *g)
{
	munmap(g->mem, GUEST_SIZE);
}

void guest_end(struct guest *g, struct dev *d, unsigned int step,
	       const struct usage *before)
{
	dev_close(d);
	close(g->iommufd);
	vm_close(&g->vm);
	mark(step);
	usage_check(before, "all closed");
	mark(STEP_DONE);
}

/* A vDEVICE and the nested page tables of a device behind @v */
static void add_device(struct vsmmu *v, struct dev *d, struct stage1 *s1)
{
	int fd = v->g->iommufd, ret;
	u64 ste[2];

	v->d = d;
	ret = vdevice_alloc(fd, v->viommu, d->id, VSID_BASE + d->sid);
	must(ret > 0, "VDEVICE_ALLOC: %d", ret);
	v->vdevice = ret;

	s1_vste_bypass(ste);
	ret = hwpt_alloc_nested(fd, d->id, v->viommu, ste);
	must(ret > 0, "nested bypass page table: %d", ret);
	v->bypass = ret;

	s1_vste(s1, ste);
	ret = hwpt_alloc_nested(fd, d->id, v->viommu, ste);
	must(ret > 0, "nested translate page table: %d", ret);
	v->trans = ret;
}

void vsmmu_init(struct vsmmu *v, struct guest *g, struct dev *d, u32 s2,
		struct stage1 *s1, int flags)
{
	int ret;

	memset(v, 0, sizeof(*v));
	v->g = g;
	v->s2 = s2;

	if (flags < 0)
		ret = viommu_alloc(g->iommufd, d->id, s2);
	else
		ret = viommu_ask(g->iommufd, d->id, s2, flags, &v->out_flags);
	must(ret > 0, "VIOMMU_ALLOC, flags %d: %d", flags, ret);
	v->viommu = ret;
	add_device(v, d, s1);
}

void vsmmu_join(struct vsmmu *v, const struct vsmmu *first, struct dev *d,
		struct stage1 *s1)
{
	*v = *first;
	add_device(v, d, s1);
}

int vsmmu_insist(struct guest *g, struct dev *d, u32 s2)
{
	u32 out;
	int ret = viommu_ask(g->iommufd, d->id, s2, E2E_SHARE_VMID, &out);

	if (ret < 0)
		return ret;
	must(!iommufd_destroy(g->iommufd, ret), "destroy the vIOMMU");
	return 0;
}

void vsmmu_tlbi_all(struct vsmmu *v)
{
	must(!viommu_invalidate(v->g->iommufd, v->viommu, CMD_TLBI_NH_ALL, 0),
	     "the guest's command");
}

void vsmmu_leave(struct vsmmu *v)
{
	int fd = v->g->iommufd, ret;

	must(!iommufd_destroy(fd, v->trans), "destroy nested translate");
	must(!iommufd_destroy(fd, v->bypass), "destroy nested bypass");
	/* It went with its device if that is closed */
	ret = iommufd_destroy(fd, v->vdevice);
	must(ret == (v->d->fd < 0 ? -ENOENT : 0), "destroy vDEVICE: %d", ret);
}

void vsmmu_destroy(struct vsmmu *v)
{
	vsmmu_leave(v);
	must(!iommufd_destroy(v->g->iommufd, v->viommu), "destroy vIOMMU");
}

static volatile u32 *page(struct guest *g, char name)
{
	return (u32 *)(g->mem + OFF_PAGE_A + (name - 'A') * PAGE);
}

void pages_clear(struct guest *g)
{
	char c;

	for (c = 'A'; c <= 'C'; c++)
		*page(g, c) = 0xeeeeeee0 | (c - 'A');
	__sync_synchronize();
}

char pages_hit(struct guest *g)
{
	char c, hit = '-';

	__sync_synchronize();
	for (c = 'A'; c <= 'C'; c++)
		if (*page(g, c) == TESTDEV_DATA)
			hit = c;
	return hit;
}

char dma_lands_at(struct guest *g, struct dev *d, u64 iova)
{
	pages_clear(g);
	if (!testdev_dma(d, iova))
		return '!';
	return pages_hit(g);
}

char dma_lands(struct guest *g, struct dev *d)
{
	return dma_lands_at(g, d, DMA_IOVA);
}

char pair_lands_at(struct guest *g, struct dev *a, struct dev *b, u64 iova)
{
	char first = dma_lands_at(g, a, iova);

	return first == dma_lands_at(g, b, iova) ? first : '?';
}

char pair_lands(struct guest *g, struct dev *a, struct dev *b)
{
	return pair_lands_at(g, a, b, DMA_IOVA);
}

void edu_fill(struct guest *g)
{
	*page(g, 'C') = TESTDEV_DATA;
	edu_read(&edu, PAGE_IOVA('C'), sizeof(u32));
}

void burn_vmids(int iommufd, struct dev *d, struct guest *g)
{
	int i;

	vm_churn(5);
	for (i = 0; i < 3; i++)
		must(hwpt_alloc_parent(iommufd, d->id, g->ioas) > 0,
		     "a stage 2 that takes a VMID");
}
