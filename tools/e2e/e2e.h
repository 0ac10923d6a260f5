/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of the end-to-end test share. */
#ifndef E2E_E2E_H
#define E2E_E2E_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cases.h"
#include "uapi.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096ul
#define SZ_2M		0x200000ul

/* init.c */

/**
 * struct e2e - what this boot offers
 * @patched: e2e.kernel=patched: the kernel has the feature
 * @btm_asked: arm_smmu_v3.btm=1 is on the command line
 * @protected: kvm-arm.mode=protected is there too
 * @idr0: IDR0 of the SMMU, 0 without one
 * @kvm: /dev/kvm, -1 without KVM
 * @kvm_vmid_bits: width of the CPUs' VMIDs, as a VM sees it; 0 without KVM
 * @lse2: all CPUs have FEAT_LSE2
 * @seed: e2e.seed=N, varies what a case may choose freely
 * @ops: e2e.ops=N, how much of it a case that has no end by itself does
 * @slow: e2e.slow=N, how many times slower the kernel is
 */
struct e2e {
	bool patched;
	bool btm_asked;
	bool protected;
	u32 idr0;
	int kvm;
	unsigned int kvm_vmid_bits;
	bool lse2;
	unsigned int seed;
	unsigned int ops;
	unsigned int slow;
};

extern struct e2e e2e;

/*
 * What the feature's documents promise for this boot: can a VM's vSMMU have the
 * VM's VMID, do broadcasts reach it then, and which out_flags say so?
 */
bool share_expected(void);
bool btm_expected(void);
u32 flags_expected(void);
/* The flags of a vSMMU that asks to share where that is possible */
u32 ask_flags(void);

/* A step begins: tell the console and, through the marker device, the trace. */
void mark(enum e2e_case cs, unsigned int step);

/* One line of KTAP. A case goes on after a failed check... */
bool check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ...but not after something that the rest of the case stands on. */
void must(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* modules.c: drivers that are modules. All of them return 0 or -errno */

/* Load or unload all of them, in order */
int modules_load(void);
int modules_unload(void);
int module_unload(const char *name);
/* How many references there are, -1 if it is not loaded or no module */
int module_users(const char *name);

/* kvm.c: a VM of one vCPU that executes TLBIs on request */

enum guest_op {
	GUEST_NOP,
	GUEST_TLBI_VA,		/* VAE1IS */
	GUEST_TLBI_ASID,	/* ASIDE1IS */
	GUEST_TLBI_ALL,		/* VMALLE1IS */
};

/**
 * struct vm - a VM
 * @fd: the VM
 * @vcpu: its only vCPU
 * @vfio: KVM's VFIO device, through which it learns of assigned devices; -1 if
 *        there is none, or once the VM is closed
 * @run: the vCPU's shared page
 * @run_size: size of @run
 */
struct vm {
	int fd;
	int vcpu;
	int vfio;
	struct kvm_run *run;
	size_t run_size;
};

void vm_create(struct vm *vm, void *mem, size_t size);
unsigned int vm_vmid_bits(struct vm *vm);
void vm_close(struct vm *vm);
/* The guest executes @op, DSB and ISB, and leaves again. */
void vm_exec(struct vm *vm, enum guest_op op, u16 asid, u64 va);
/* VMs that come and go, each of which shows its VMID by a TLBI */
void vm_churn(unsigned int count);
/* So many that, with 8-bit VMIDs, each number is given to one if it is free */
#define ALL_VMIDS	270
void vm_add_file(struct vm *vm, int fd);
int vm_try_add_file(struct vm *vm, int fd);
void vm_del_file(struct vm *vm, int fd);

/* s1.c: a guest's memory and the tables that its device walks */

#define GPA_BASE	0x40000000ul	/* where the guest's memory is */
#define GUEST_SIZE	SZ_2M
#define DMA_IOVA	0x80000000ul	/* the IOVA that moves from page to page */
#define GUEST_ASID	7

/* Offsets in guest memory */
enum {
	OFF_CODE	= 0x0000,
	OFF_CD		= 0x1000,
	OFF_L1		= 0x2000,
	OFF_L2_IDENT	= 0x3000,
	OFF_L3_IDENT	= 0x4000,
	OFF_L2_DMA	= 0x5000,
	OFF_L3_DMA	= 0x6000,
	S1_SIZE		= 0x7000,
	OFF_S1_SECOND	= 0x10000,	/* another set of tables */
	OFF_PAGE_A	= 0x40000,
	OFF_PAGE_B	= 0x41000,
	OFF_PAGE_C	= 0x42000,
};

/**
 * struct stage1 - a stage 1 in guest memory
 * @mem: the guest's memory
 * @off: where in it the tables are
 */
struct stage1 {
	u8 *mem;
	u64 off;
};

void s1_init(struct stage1 *s1, void *mem, u64 off, u16 asid);
/* Let DMA_IOVA be the page at @page_off. No TLBI: that is the caller's test. */
void s1_map(struct stage1 *s1, u64 page_off);
void s1_vste(const struct stage1 *s1, u64 ste[2]);
void s1_vste_bypass(u64 ste[2]);

/* iommufd.c: 0, an id or -errno. Nothing is checked here. */

int iommufd_open(void);
int iommufd_destroy(int fd, u32 id);
int ioas_alloc(int fd);
int ioas_map(int fd, u32 ioas, void *mem, size_t size, u64 iova);
int ioas_unmap(int fd, u32 ioas, u64 iova, size_t size);
u64 ioas_last_iova(int fd, u32 ioas);
int hwpt_alloc(int fd, u32 dev, u32 ioas, u32 flags);
int hwpt_alloc_parent(int fd, u32 dev, u32 ioas);
int hwpt_alloc_nested(int fd, u32 dev, u32 viommu, const u64 ste[2]);
int viommu_alloc(int fd, u32 dev, u32 hwpt);
int viommu_alloc_data(int fd, u32 dev, u32 hwpt, u32 type, void *data,
		      u32 len);
int vdevice_alloc(int fd, u32 viommu, u32 dev, u64 vsid);
int viommu_invalidate(int fd, u32 viommu, u64 cmd0, u64 cmd1);
int hw_info(int fd, u32 dev, struct iommu_hw_info_arm_smmuv3 *info);

/* vfio.c: devices */

bool sysfs_write(const char *path, const char *val);

enum dev_type { DEV_TESTDEV, DEV_EDU };

/**
 * struct dev - a PCI device that does DMA on demand
 * @type: which
 * @bdf: its PCI address
 * @sid: its StreamID
 * @fd: its VFIO file, -1 while closed
 * @id: its iommufd id
 * @vm: the VM that knows of it
 * @bar: BAR 0
 * @bar_size: its size
 */
struct dev {
	enum dev_type type;
	char bdf[16];
	u32 sid;
	int fd;
	u32 id;
	struct vm *vm;
	volatile u8 *bar;
	size_t bar_size;
};

#define MAX_DEVS	8
extern struct dev testdev[MAX_DEVS];
extern unsigned int num_testdevs;
extern struct dev edu;

void vfio_setup(void);
/* Hot-unplug every PCI device; let them come back (then vfio_setup() again) */
int devices_remove(void);
int devices_rescan(void);
void marker_write(u32 val);
/* Bind to @iommufd; for @vm, if there is one, KVM is told before. */
void dev_open(struct dev *d, int iommufd, struct vm *vm);
void dev_close(struct dev *d);
/* The same, but that KVM is not told */
void dev_drop(struct dev *d);
/* Let vfio-pci have a device that has no driver */
void dev_probe(struct dev *d);
/* Is it on the bus, and does vfio-pci have it? */
bool dev_exists(struct dev *d);
bool dev_probed(struct dev *d);
/* Let @eventfd tell when the kernel wants the device back */
void dev_on_request(struct dev *d, int eventfd);
int dev_reset(struct dev *d);
/* The parts of dev_open() that another case tries by themselves */
int dev_file_open(const struct dev *d);
int dev_bind(struct dev *d, int iommufd);
int dev_attach(struct dev *d, u32 pt);
int dev_attach_pasid(struct dev *d, u32 pt, u32 pasid);
int dev_detach(struct dev *d);
/* The driver of its IOMMU, "" if there is none; in a static buffer */
const char *dev_iommu_driver(const struct dev *d);

#define TESTDEV_DATA	0x12345678u
#define TESTDEV_REFUSED	0xdead0002u
/* The test device writes TESTDEV_DATA to @iova. True unless the SMMU refused */
bool testdev_dma(struct dev *d, u64 iova);
/* The same once more, with fewer register accesses */
bool testdev_again(struct dev *d);

#define EDU_DELAY_MS	100
void edu_read(struct dev *d, u64 iova, u32 len);
void edu_write_start(struct dev *d, u64 iova, u32 len);
bool edu_busy(struct dev *d);

/* hammer.c: DMA without end */

/**
 * struct hammer - a thread that makes a test device do DMA
 * @d: the device
 * @iova: where it writes to
 * @pause: microseconds between two DMAs, 0 for the usual few
 * @word: where that must arrive
 * @done: DMAs so far
 * @refused: by the SMMU
 * @lost: neither refused nor arrived
 * @stop: tells the thread to end
 * @thread: the thread
 */
struct hammer {
	struct dev *d;
	u64 iova;
	unsigned int pause;
	volatile u32 *word;
	unsigned int done;
	unsigned int refused;
	unsigned int lost;
	bool stop;
	pthread_t thread;
};

void hammer_start(struct hammer *h, void *word);
/* Until @count more DMAs are done, at least one of them begun after the call */
void hammer_wait(struct hammer *h, unsigned int count);
void hammer_stop(struct hammer *h);
/* The two checks: nothing refused, nothing lost */
void hammer_check(const struct hammer *h);

/* usage.c: what the kernel has given out */

#define MAX_VMIDS	65536
#define MAX_ROWS	256	/* of the VMIDs of one SMMU */

/**
 * struct usage - VMIDs and pins in use; all 0 on the unpatched kernel
 * @vmids: how many VMIDs the SMMU has in use
 * @row: what debugfs says of each but its number, sorted, so that a move makes no
 *       difference
 * @taken: the numbers
 * @pins: references to pins that KVM has given out since the first usage_read()
 */
struct usage {
	unsigned int vmids;
	char row[MAX_ROWS][32];
	bool taken[MAX_VMIDS];
	int pins;
};

/* The SMMU's table of VMIDs in debugfs, NULL if there is none */
FILE *vmids_open(void);
void usage_read(struct usage *u);
/* The VMID that was pinned last, as usage_read() found it */
unsigned int usage_pinned(void);
/* True if all but the numbers is as it was. Else says what is not */
bool usage_same(const struct usage *was, const struct usage *is);
/* One check, that all is as it was, the numbers too */
bool usage_check(const struct usage *was, const char *what);

/* slabs.c: objects in use */

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define MAX_CACHES	64

/**
 * struct slabs - objects in use
 * @total: of all caches: an object that takes the place of another can be larger
 * @num: how many caches
 * @cache: their names, and how many objects of each are in use
 */
struct slabs {
	unsigned long total;
	unsigned int num;
	struct {
		char name[32];
		unsigned long objects;
	} cache[MAX_CACHES];
};

/* Not on a debug kernel: KASAN keeps what is freed, and kmemleak finds what is not */
bool slabs_settle(void);
/* Both wait for objects that are on their way to be freed */
void slabs_read(struct slabs *s);
/* True if there are no more than there were. Else says which caches have changed */
bool slabs_no_more(const struct slabs *was);

/* guest.c: the parts above put together */

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

/* Fill in what only a device and a VM can tell about the host. */
void host_probe(void);

void guest_init(struct guest *g, int iommufd, bool with_vm);
/* In memory that processes can share, and that guest_free() gives back */
void guest_init_in(struct guest *g, void *mem, int iommufd, bool with_vm);
void *guest_memory(void);
void guest_free(struct guest *g);
/* Ask for nothing (-1: no driver data at all) or for @flags. */
void vsmmu_init(struct vsmmu *v, struct guest *g, struct dev *d, u32 s2,
		struct stage1 *s1, int flags);
/* What a vSMMU that asks to share gets: 0, if one is granted, or -errno */
int vsmmu_insist(struct guest *g, struct dev *d, u32 s2);
/* What it is to get where the number, if it can be shared at all, is taken */
int insist_expected(void);
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

/* Where stage 2, and each stage 1 too, map a page one to one */
#define PAGE_IOVA(c)	(GPA_BASE + OFF_PAGE_A + ((c) - 'A') * PAGE)

/* Let edu write what a test device writes, so that pages_hit() sees it */
void edu_fill(struct guest *g);

/* Give KVM and the SMMU different histories, so that numbers cannot agree. */
void burn_vmids(int iommufd, struct dev *d, struct guest *g);

#define X(sym, num, name, fn)	void case_##fn(void);
E2E_CASES(X)
#undef X

#endif
