/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call: what chooses its arguments and what its success adds to the model. Choices are
 * by dice that come from the seed, the thread and the number of the call alone: the same
 * seed repeats them, whatever the model has become meanwhile.
 */
#ifndef E2E_FUZZ_TURN_H
#define E2E_FUZZ_TURN_H

#include "area.h"
#include "files.h"
#include "iommufd_test.h"
#include "model.h"

/**
 * struct worker - a thread
 * @num: its number, of both processes
 * @seed: of all its calls
 * @sum: of all that it has chosen
 * @arg: where a structure goes that an ioctl takes
 * @data: and what that points to
 * @pages: what is mapped beside the guest's memory
 * @progress: what others see of it
 */
struct worker {
	unsigned int num;
	u64 seed;
	u32 sum;
	struct area *arg;
	struct area *data;
	struct area *pages;
	struct progress *progress;
};

/**
 * struct turn - one call of a thread
 * @w: the thread
 * @call: which call
 * @dice: what it chooses by
 * @fd: the file that an ioctl is for
 * @op: the ioctl
 * @ictx: the iommufd that its IDs are of
 * @dev: the slot of the device that was chosen last
 * @slot: where in the model a success leaves an ID
 * @gone: the ID that is there already, which it destroys instead
 * @arg_at: where its structure is
 * @arg: its structure
 */
struct turn {
	struct worker *w;
	const struct call *call;
	u64 dice;
	int fd;
	unsigned long op;
	unsigned int ictx;
	unsigned int dev;
	u32 *slot;
	u32 gone;
	enum where arg_at;
	union {
		u32 word[32];
		struct iommu_destroy destroy;
		struct iommu_ioas_alloc ioas_alloc;
		struct iommu_ioas_map map;
		struct iommu_ioas_unmap unmap;
		struct iommu_hwpt_alloc hwpt;
		struct iommu_hw_info info;
		struct iommu_hwpt_invalidate inv;
		struct iommu_fault_alloc fault;
		struct iommu_viommu_alloc viommu;
		struct iommu_vdevice_alloc vdevice;
		struct iommu_veventq_alloc veventq;
		struct iommu_test_cmd test;
		struct vfio_device_bind_iommufd bind;
		struct vfio_device_attach_iommufd_pt attach;
		struct vfio_device_detach_iommufd_pt detach;
	} arg;
};

/**
 * struct call - a kind of call
 * @name: its name
 * @weight: how often, compared with others
 * @op: the ioctl
 * @size: of its structure, which begins with that
 * @fill: chooses file and arguments
 * @won: it has succeeded
 * @run: does something else than an ioctl, and returns 0 or -errno
 */
struct call {
	const char *name;
	unsigned int weight;
	unsigned long op;
	unsigned int size;
	void (*fill)(struct turn *t);
	void (*won)(struct turn *t);
	int (*run)(struct turn *t);
};

/* The size of a structure that an ioctl takes */
#define ARG(member)	sizeof(((struct turn *)NULL)->arg.member)

u32 choose(struct turn *t, u32 sides);
/* One of 64 bits */
u64 choose64(struct turn *t);
/* True once in @n times */
bool seldom(struct turn *t, u32 n);

/* An iommufd: its file to @t->fd, its number to @t->ictx */
void choose_ictx(struct turn *t);
void use_ictx(struct turn *t, unsigned int which);
/* An ID that is none, or of something else, and a number that has been a mistake before */
u32 wrong_id(struct turn *t);
u32 odd_word(u32 num);
/* The ID of an object, which most of the time is there and of that kind */
u32 pick(struct turn *t, enum object kind);
/* Of any device; @t->dev says which */
u32 pick_dev(struct turn *t);
bool is_mock(const struct turn *t);
/*
 * A free slot for a new object of a kind, or one that is not free. What is in that is
 * destroyed instead
 */
void room(struct turn *t, enum object kind);
/* Of @slots from @first on */
void room_among(struct turn *t, enum object kind, unsigned int first, unsigned int slots);
void room_at(struct turn *t, enum object kind, unsigned int slot);
/* For a call's @won: its ID */
void learn(struct turn *t, u32 id);
void forget(u32 *slot, struct ictx *c);
/* There, most of the time */
enum where some_place(struct turn *t);
/* Put what the structure points to where it can be read, most of the time */
u64 put_data(struct turn *t, const void *data, size_t len);

/* The ioctl that has been chosen */
int turn_ioctl(struct turn *t, unsigned int size);

#endif
