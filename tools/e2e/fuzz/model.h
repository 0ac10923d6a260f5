/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is, as far as the calls have told: memory of both processes. Nothing locks
 * it, and a process may be killed at any time, so it is only mostly true.
 */
#ifndef E2E_FUZZ_MODEL_H
#define E2E_FUZZ_MODEL_H

#include <stdbool.h>

#include "e2e.h"

#define PROCS		2
#define THREADS		4	/* of each */
#define WORKERS		(PROCS * THREADS)

/* iommufds: one of both processes, one of each, and one of both for mock devices */
#define MOCK_ICTX	0
#define SHARED_ICTX	1
#define OWN_ICTX	2
#define ICTXS		(OWN_ICTX + PROCS)
#define SLOTS		12
#define MAX_VFIO	9	/* slots of VFIO devices; mock devices are behind them */
#define FREED		16
#define MAX_CALLS	64
#define MAX_ERRNO	160

enum object {
	K_IOAS, K_HWPT, K_PARENT, K_NESTED, K_VIOMMU, K_VDEVICE, K_FAULTQ, K_VEVENTQ,
	K_DEV, K_STDEV, NUM_KINDS
};

/**
 * struct ictx - the objects of an iommufd
 * @id: their IDs, 0 where there is none. Of a device, in the slot that is the device's
 * @freed: IDs that were destroyed
 * @num_freed: how many so far
 */
struct ictx {
	u32 id[NUM_KINDS][SLOTS];
	u32 freed[FREED];
	u32 num_freed;
};

/**
 * struct progress - how far a thread is
 * @tid: who it is
 * @turns: calls that it has begun
 * @sum: of all that it has chosen, once it is through
 */
struct progress {
	int tid;
	u32 turns;
	u32 sum;
};

/**
 * struct model - all that is shared
 * @ictx: the iommufds'
 * @dev_ictx: to which of them a VFIO device was bound last
 * @dev_file: by which file of it. Files have numbers
 * @files: the last of those
 * @progress: of each thread
 * @answers: of the calls of each kind, by errno
 * @late: page faults that were answered late
 */
struct model {
	struct ictx ictx[ICTXS];
	u32 dev_ictx[MAX_VFIO];
	u32 dev_file[MAX_VFIO];
	u32 files;
	struct progress progress[WORKERS];
	u32 answers[MAX_CALLS][MAX_ERRNO];
	u32 late;
};

extern struct model *model;

/* Slots that are used of a kind */
unsigned int model_slots(enum object kind);
void model_init(void);
/* Nothing is left of an iommufd */
void model_clear(unsigned int ictx);
void model_clear_all(void);
/* The VFIO devices: test devices and edu */
struct dev *model_dev(unsigned int num);
unsigned int model_devs(void);

static inline u32 look(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void put(u32 *p, u32 val)
{
	__atomic_store_n(p, val, __ATOMIC_RELAXED);
}

static inline void count_one(u32 *p)
{
	__atomic_add_fetch(p, 1, __ATOMIC_RELAXED);
}

#endif
