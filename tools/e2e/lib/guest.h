/* SPDX-License-Identifier: GPL-2.0-only */
/* Guests and virtual SMMUs, put together from the other parts. */
#ifndef E2E_LIB_GUEST_H
#define E2E_LIB_GUEST_H

#include <stdbool.h>

#include "kvm.h"
#include "s1.h"
#include "usage.h"
#include "vfio.h"

/**
 * struct guest - memory, stage 1, stage 2 and, perhaps, a VM
 * @iommufd: what its objects live in
 * @mem: GUEST_SIZE bytes at GPA_BASE
 * @has_vm: @vm is in use
 * @vm: the VM
 * @ioas: the stage 2's IOAS
 * @s1: stage-1 tables
 */
struct guest {
	int iommufd;
	u8 *mem;
	bool has_vm;
	struct vm vm;
	u32 ioas;
	struct stage1 s1;
};

/**
 * struct vsmmu - a virtual SMMU and one device behind it
 * @g: its guest
 * @d: the device
 * @viommu: the iommufd object
 * @vdevice: the device's vDEVICE
 * @s2: the stage-2 page table it is on
 * @bypass: a nested page table with an S1-bypass vSTE
 * @trans: one with a translating vSTE
 * @out_flags: what the kernel reported
 */
struct vsmmu {
	struct guest *g;
	struct dev *d;
	u32 viommu;
	u32 vdevice;
	u32 s2;
	u32 bypass;
	u32 trans;
	u32 out_flags;
};

void guest_init(struct guest *g, int iommufd, bool with_vm);
/* In memory that processes can share, and that guest_free() gives back */
void guest_init_in(struct guest *g, void *mem, int iommufd, bool with_vm);
void *guest_memory(void);
void guest_free(struct guest *g);
/*
 * The end of a case, whose last but one step is @step: the last device, the iommufd
 * and the VM are closed, and what the kernel has given out is as in @before
 */
void guest_end(struct guest *g, struct dev *d, unsigned int step,
	       const struct usage *before);
/* Ask for nothing (-1: no driver data at all) or for @flags. */
void vsmmu_init(struct vsmmu *v, struct guest *g, struct dev *d, u32 s2,
		struct stage1 *s1, int flags);
/* What a vSMMU that asks to share gets: 0, if one is granted, or -errno */
int vsmmu_insist(struct guest *g, struct dev *d, u32 s2);
/* The guest's command that invalidates all of its stage 1 */
void vsmmu_tlbi_all(struct vsmmu *v);
/* @d is behind the vSMMU of @first too. What vsmmu_leave() takes away again. */
void vsmmu_join(struct vsmmu *v, const struct vsmmu *first, struct dev *d,
		struct stage1 *s1);
void vsmmu_leave(struct vsmmu *v);
void vsmmu_destroy(struct vsmmu *v);

/* Fill pages A to C with a pattern; after a DMA, which of them was hit? */
void pages_clear(struct guest *g);
char pages_hit(struct guest *g);
/* DMA_IOVA by test device @d: 'A', 'B', 'C', '-' (nowhere) or '!' (refused) */
char dma_lands(struct guest *g, struct dev *d);
/* The same to any address, as PAGE_IOVA() */
char dma_lands_at(struct guest *g, struct dev *d, u64 iova);

/* Of two functions: where the DMA of both lands, '?' if that is not the same */
char pair_lands_at(struct guest *g, struct dev *a, struct dev *b, u64 iova);
char pair_lands(struct guest *g, struct dev *a, struct dev *b);

/* Where stage 2, and each stage 1 too, map a page one to one */
#define PAGE_IOVA(c)	(GPA_BASE + OFF_PAGE_A + ((c) - 'A') * PAGE)

/* Let edu write what a test device writes, so that pages_hit() sees it */
void edu_fill(struct guest *g);

/* Give KVM and the SMMU different histories, so that numbers cannot agree. */
void burn_vmids(int iommufd, struct dev *d, struct guest *g);

#endif
