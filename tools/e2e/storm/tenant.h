/* SPDX-License-Identifier: GPL-2.0-only */
/* Tenants: VMs with a device, at random. */
#ifndef E2E_STORM_TENANT_H
#define E2E_STORM_TENANT_H

#include "state.h"

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
 * @peer: the other function of that, which is attached with it; or NULL
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
 * @peer_vdevice: that of @peer
 * @vdev_on: the vSMMU that has them
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
	struct dev *peer;
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
	u32 peer_vdevice;
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

#endif
