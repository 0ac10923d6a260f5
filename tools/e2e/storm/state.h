/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the storm share: limits, actors, their dice, and verdicts. */
#ifndef E2E_STORM_STATE_H
#define E2E_STORM_STATE_H

#include <pthread.h>

#include "e2e.h"

#define VM_TENANTS	3	/* each with a VM and a test device */
#define TENANTS		(VM_TENANTS + 1)	/* and edu's, without a VM */
#define DATA_PAGES	16	/* of a tenant, the targets of DMA */
#define WINDOW		8	/* addresses that move from page to page */
#define ADDRS		(WINDOW + DATA_PAGES)
#define REGION_SIZE	(OFF_PAGE_A + DATA_PAGES * PAGE)
#define REGIONS		(2 * TENANTS)
#define PAGE_WORDS	(PAGE / 4)
#define DEV_WORDS	(PAGE_WORDS / TENANTS)
#define EDU_WORDS	16

/* X(symbol, name): what is counted. Each is an ioctl, a DMA or a TLBI. */
#define STORM_OPS(X)		\
	X(DMA, "dma")		\
	X(LATE_DMA, "late-dma")	\
	X(MAP, "map")		\
	X(UNMAP, "unmap")	\
	X(TLBI, "tlbi")		\
	X(COMMAND, "command")	\
	X(ATTACH, "attach")	\
	X(DETACH, "detach")	\
	X(HWPT, "hwpt")		\
	X(VIOMMU, "viommu")	\
	X(SHARE, "share")	\
	X(VDEVICE, "vdevice")	\
	X(VM, "vm")

enum storm_op {
#define X(sym, name)	OP_##sym,
	STORM_OPS(X)
#undef X
	NUM_OPS
};

/* How a DMA or a call can go wrong */
enum storm_bad {
	BAD_MISDIRECTED,	/* into memory that is not the tenant's, or unknown */
	BAD_STALE,		/* into a page that the address does not mean any more */
	BAD_REFUSED,		/* although the address means a page */
	BAD_ERROR,		/* a call failed that must not */
	NUM_BAD
};

#define STEPS	16

/**
 * struct actor - a thread: its dice and its diary
 * @name: for messages
 * @dice: state of its random numbers, which come from the seed alone
 * @ops: how many of each kind it has done
 * @total: of all kinds
 * @steps: what it did last, for messages
 * @step: how many steps it did
 */
struct actor {
	char name[16];
	u64 dice;
	unsigned int ops[NUM_OPS];
	unsigned int total;
	struct {
		const char *what;
		int a, b;
	} steps[STEPS];
	unsigned int step;
};

u32 roll(struct actor *a, u32 sides);
void step(struct actor *a, const char *what, int x, int y);
/* @op was done and returned @ret. True unless that is an error, which is bad. */
bool did(struct actor *a, enum storm_op op, int ret);
void bad(struct actor *a, enum storm_bad kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* How often that was */
unsigned int bad_count(enum storm_bad kind);
const char *bad_name(enum storm_bad kind);
const char *op_name(enum storm_op op);
void dice_init(struct actor *a, unsigned int num);
void storm_init(void);

/* Those that are no tenant's, see host.c */
extern struct actor mover, churn;

/**
 * struct storm - what the threads share
 * @run: held for reading by whoever does something, for writing at a quiet point
 * @stop: the tenants have done what they had to
 * @edu_region: where edu's DMA is going, -1: none is in flight
 */
struct storm {
	pthread_rwlock_t run;
	bool stop;
	int edu_region;
};

extern struct storm storm;

void storm_enter(void);
void storm_enter_alone(void);
void storm_leave(void);
bool storm_stopped(void);

#endif
