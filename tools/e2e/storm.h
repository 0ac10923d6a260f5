/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The storm: many threads do what a host does with VMs and devices, at random, on
 * memory of which every word tells whose it is. See storm.c.
 */
#ifndef E2E_STORM_H
#define E2E_STORM_H

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

/* storm-mem.c */

/* Where a DMA went: the number of a data page (see page_id()), or... */
enum { LAND_REFUSED = -1, LAND_NOWHERE = -2, LAND_MANY = -3 };

#define page_id(region, page)	((int)((region) * DATA_PAGES + (page)))

void mem_init(void);
u8 *mem_region(unsigned int region);
/* In which page is @val at @word in place of the tag? Puts the tag back. */
int mem_landed(unsigned int word, u32 val);
/* The same for edu's pattern, all of which must be there. */
int mem_landed_edu(unsigned int word, const u32 *pattern);
/*
 * Nothing is in flight (but edu's, if @edu_region is not negative: its words of
 * that region are left out). Returns how many words are not what they were.
 */
unsigned int mem_scan(struct actor *a, int edu_region);
void mem_edu_pattern(u32 *pattern);

/* storm-tenant.c */

/**
 * struct s2 - a stage 2 of a tenant
 * @ioas: its IOAS
 * @hwpt: its page table; 0 if the SMMU has no VMID left for it
 * @gpa: for each data page of the guest, which page of its region it is, or -1
 * @win: for each address of the window, which page it is without a stage 1, or -1
 */
struct s2 {
	u32 ioas;
	u32 hwpt;
	int gpa[DATA_PAGES];
	int win[WINDOW];
};

/**
 * struct vsm - a vSMMU of a tenant
 * @viommu: the object; 0 if there is none
 * @bypass: its nested page table with an S1-bypass vSTE
 * @trans: the same with a translating vSTE
 * @s2: the number of the stage 2 that it is on
 * @flags: what the kernel reported
 * @s1: the stage-1 tables
 * @map: for each address of the window, which of the guest's pages it is, or -1
 */
struct vsm {
	u32 viommu;
	u32 bypass;
	u32 trans;
	unsigned int s2;
	u32 flags;
	struct stage1 s1;
	int map[WINDOW];
};

enum where { AT_NOTHING, AT_S2, AT_BYPASS, AT_TRANS };

/**
 * struct tenant - a guest, its device, and what that device's DMA must do
 * @self: the thread that owns all of this
 * @other: the thread that only does DMA
 * @num: number of the tenant
 * @d: its device
 * @has_vm: there is a VM behind it
 * @vm: the VM
 * @fd: its iommufd
 * @own_fd: nobody else uses @fd
 * @region: the memory that the guest has in this life
 * @mem: where that is
 * @s2: stage-2 tables; they map different pages to the same addresses
 * @v: vSMMUs
 * @at: what the device is attached to
 * @at_n: which one of it
 * @pt: the page table that is
 * @to: what it is being attached to, if no DMA may be refused meanwhile
 * @to_n: which one of it
 * @vdevice: the vDEVICE, 0 if there is none
 * @vdev_on: the vSMMU that has it
 * @seq: odd while the meaning of addresses changes
 * @dev_lock: the device's registers; and that it is open
 * @slot: the next words to write to
 * @watch: an address of which @seen...
 * @seen: ...collects the meanings, a bit for each page and one for refusal
 */
struct tenant {
	struct actor self;
	struct actor other;
	unsigned int num;
	struct dev *d;
	bool has_vm;
	struct vm vm;
	int fd;
	bool own_fd;
	unsigned int region;
	u8 *mem;
	struct s2 s2[2];
	struct vsm v[2];
	enum where at;
	unsigned int at_n;
	u32 pt;
	enum where to;
	unsigned int to_n;
	u32 vdevice;
	unsigned int vdev_on;
	unsigned int seq;
	pthread_mutex_t dev_lock;
	unsigned int slot;
	unsigned int watch;
	u32 seen;
};

#define SEEN_REFUSED	(1u << DATA_PAGES)

u64 addr_iova(unsigned int addr);
/* What a DMA to @addr must do now: a page_id() or LAND_REFUSED */
int tenant_expect(const struct tenant *t, unsigned int addr);
void tenant_start(struct tenant *t);
void tenant_end(struct tenant *t);
/* A random operation, with the DMAs that prove it */
void tenant_op(struct tenant *t);
/* One that edu's DMA has to survive, or that changes where it goes */
void tenant_op_in_flight(struct tenant *t);
/* A DMA by the other thread, whatever the tenant is doing */
void tenant_other_dma(struct tenant *t);

/* storm-host.c: everything else that goes on in the host */

void host_start(void);
void *mover_run(void *arg);
void *churn_run(void *arg);
void host_end(void);
/* Moves of a VMID that had devices, as far as looked for. -1: cannot tell */
int host_live_moves(void);
/* VMIDs that the SMMU has in use. -1: cannot tell */
int host_vmids(void);

extern struct actor mover, churn;

/* storm.c */

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
