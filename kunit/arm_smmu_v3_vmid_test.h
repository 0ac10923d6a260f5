/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An SMMUv3 that exists in memory only, for the KUnit suites about its VMIDs. What it
 * checks at each command is described in arm-smmu-v3-vmid-test.c, where it is.
 */
#ifndef _ARM_SMMU_V3_VMID_TEST_H
#define _ARM_SMMU_V3_VMID_TEST_H

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/kvm_vmid_pin.h>

#include "../../iommufd/iommufd_private.h"
#include "arm-smmu-v3.h"

#define VT_STREAMS	16
#define VT_BITS		8
#define VT_VMIDS	BIT(VT_BITS)
#define VT_TOP		(VT_VMIDS - 1)
#define VT_DEVS		3
#define VT_S2S		3
#define VT_VSMMUS	8
#define VT_NESTED	16
#define VT_VMS		3
#define VT_LOG		256
#define VT_TABLES	512

enum vt_fault {
	VT_CERROR,
	VT_TIMEOUT,
};

/**
 * struct vt_cmd - A command as the SMMU has seen it
 * @op: the opcode
 * @arg: StreamID of a CFGI_STE, VMID of a TLBI
 */
struct vt_cmd {
	u8 op;
	u32 arg;
};

#define VT_CFGI(sid)	{ CMDQ_OP_CFGI_STE, (sid) }
#define VT_VMALL(vmid)	{ CMDQ_OP_TLBI_S12_VMALL, (vmid) }
#define VT_NH_ALL(vmid)	{ CMDQ_OP_TLBI_NH_ALL, (vmid) }
#define VT_CFGI_ALL	{ CMDQ_OP_CFGI_ALL, 0 }
#define VT_SYNC		{ CMDQ_OP_CMD_SYNC, 0 }

/**
 * struct vt_tlb - What the TLB may hold under one VMID
 * @s2ttb: the stage-2 table the entries come from, 0 if there are none
 * @s1ctx: context pointer of the guest whose stage-1 entries these are, or 0
 */
struct vt_tlb {
	u64 s2ttb;
	u64 s1ctx;
};

/**
 * struct vt_vm - A VM
 * @pin: what the driver gets for it
 * @refs: how often
 * @err: or else this error
 * @has_el2: KVM knows that it has EL2
 * @unmap: user memory that goes away when the VM is pinned
 */
struct vt_vm {
	struct kvm_vmid_pin pin;
	int refs;
	int err;
	bool has_el2;
	void __user *unmap;
};

struct vt_dev {
	struct device *dev;
	struct dev_iommu iommu;
	struct arm_smmu_master master;
	struct arm_smmu_stream streams[2];
	struct iommu_domain *cur;
	struct iommufd_device idev;
	struct iommufd_vdevice vdev;
};

/**
 * struct vt - One test
 * @test: the test
 * @smmu: the driver's view of the SMMU
 * @impl_ops: of an SMMU that knows another type of vIOMMU
 * @table: the stream table
 * @cached: the STEs that the SMMU may still use
 * @l1tab: in their place, the first level of a stream table that has two
 * @cached_l1: what the SMMU may still use of that
 * @tlb: the TLB entries that it may still use
 * @group: the devices' group
 * @devs: the devices, each with a StreamID of its own, the first with more
 * @s2s: stage-2 domains, freed at the end
 * @tables: the first page of each stage-2 table that there ever was, held so that no
 *          two are the same
 * @nr_tables: their number
 * @vsmmus: vSMMUs in the order of their creation, NULL once destroyed
 * @nr_vsmmus: how many there ever were
 * @nested: nested domains
 * @nr_nested: how many there ever were
 * @vms: what KVM knows
 * @idev: the device that vSMMUs are allocated through
 * @user: a page of user memory
 * @mm: whose it is
 * @out_flags: the answer to the last request for a vSMMU
 * @in_unmap: the commands are those of vt_check_unmap()
 * @s2_hits: the VMIDs whose stage-2 entries these invalidate
 * @s1_hits: the same for stage 1
 * @log: the commands so far, without prefetches
 * @nr_log: their number
 * @syncs: how many times the driver waited for commands
 * @fail_at: which of these goes wrong, 0 for none
 * @hangs_from: from which on all go wrong, 0 for none
 * @fault: what goes wrong
 * @failed: something has: what is cached is older than one change of an STE
 * @at_cmd: called at each command, before the SMMU carries it out
 * @data: for @at_cmd
 */
struct vt {
	struct kunit *test;
	struct arm_smmu_device smmu;
	struct arm_smmu_impl_ops impl_ops;
	struct arm_smmu_ste table[VT_STREAMS];
	struct arm_smmu_ste cached[VT_STREAMS];
	struct arm_smmu_strtab_l1 *l1tab;
	struct arm_smmu_strtab_l1 cached_l1[2];
	struct vt_tlb tlb[VT_VMIDS];
	struct iommu_group *group;
	struct vt_dev devs[VT_DEVS];
	struct arm_smmu_domain *s2s[VT_S2S];
	struct page *tables[VT_TABLES];
	unsigned int nr_tables;
	struct arm_vsmmu *vsmmus[VT_VSMMUS];
	unsigned int nr_vsmmus;
	struct iommu_domain *nested[VT_NESTED];
	unsigned int nr_nested;
	struct vt_vm vms[VT_VMS];
	struct iommufd_device idev;
	void __user *user;
	struct mm_struct *mm;
	u32 out_flags;
	bool in_unmap;
	DECLARE_BITMAP(s2_hits, VT_VMIDS);
	DECLARE_BITMAP(s1_hits, VT_VMIDS);
	struct vt_cmd log[VT_LOG];
	unsigned int nr_log;
	unsigned int syncs;
	unsigned int fail_at;
	unsigned int hangs_from;
	enum vt_fault fault;
	bool failed;
	void (*at_cmd)(struct vt *t, const struct vt_cmd *cmd);
	void *data;
};

/**
 * struct vt_guest - A guest's request, or what else a thread is to do
 * @t: the test
 * @vsmmu: whose guest it is
 * @evict: a VMID to move instead
 * @task: its thread, until it runs
 * @done: for a thread
 * @num: how many commands there are, and then how many are complete
 * @ret: the result
 * @started: it has said something
 */
struct vt_guest {
	struct vt *t;
	struct arm_vsmmu *vsmmu;
	struct arm_smmu_vmid *evict;
	struct task_struct *task;
	struct completion done;
	unsigned int num;
	int ret;
	bool started;
};

/* For vt_new_vsmmu(): no data, as from a VMM that knows of none; or these flags */
#define VT_NO_DATA	(-1)
#define VT_SHARE	IOMMU_VIOMMU_ARM_SMMUV3_SHARE_VMID

static inline unsigned int vt_ste_cfg(const struct arm_smmu_ste *ste)
{
	return FIELD_GET(STRTAB_STE_0_CFG, le64_to_cpu(ste->data[0]));
}

static inline u16 vt_ste_vmid(const struct arm_smmu_ste *ste)
{
	return FIELD_GET(STRTAB_STE_2_S2VMID, le64_to_cpu(ste->data[2]));
}

static inline u64 vt_ste_s1ctx(const struct arm_smmu_ste *ste)
{
	return le64_to_cpu(ste->data[0]) & STRTAB_STE_0_S1CTXPTR_MASK;
}

/* For suites that have an SMMU of their own kind */
void vt_init_smmu(struct kunit *test, struct vt *t);
void vt_add_dev(struct vt *t, struct vt_dev *d, struct iommu_group *group,
		u32 sid, u32 sid2);
void vt_remove_dev(struct vt_dev *d);
struct iommufd_device *vt_bind(struct iommufd_device *idev, struct vt_vm *vm);
struct iommu_domain *vt_alloc_s2(struct device *dev);
struct arm_vsmmu *vt_alloc_vsmmu(struct vt *t, struct iommu_domain *s2,
				 struct vt_vm *vm, int flags,
				 enum iommu_viommu_type type);
void vt_destroy_vsmmu(struct arm_vsmmu *vsmmu);
struct iommu_domain *vt_alloc_nested(struct vt *t, struct arm_vsmmu *vsmmu,
				     const struct iommu_hwpt_arm_smmuv3 *arg);
int vt_alloc_vdevice(struct vt_dev *d, unsigned long virt_id,
		     struct arm_vsmmu *vsmmu, struct vt_vm *vm);
void vt_free_vdevice(struct vt_dev *d);
u64 vt_ttb(const struct arm_smmu_domain *s2);
struct vt_cmd vt_decode(const struct arm_smmu_cmd *cmd);

/* The SMMU of these suites, and what iommufd and the IOMMU core do */
void vt_check(struct vt *t);
void vt_check_unmap(struct vt *t, struct arm_smmu_domain *s2);
int vt_issue(struct arm_smmu_device *smmu, struct arm_smmu_cmdq *cmdq,
	     struct arm_smmu_cmd *cmds, int n, bool sync);
void vt_clear_log(struct vt *t);
int vt_attach(struct vt *t, unsigned int dev, struct iommu_domain *new);
int vt_detach(struct vt *t, unsigned int dev);
struct arm_smmu_domain *vt_new_s2(struct vt *t);
void vt_free_s2(struct vt *t, struct arm_smmu_domain *s2);
unsigned int vt_count_tables(struct vt *t);
struct arm_vsmmu *vt_new_vsmmu(struct vt *t, struct arm_smmu_domain *s2,
			       struct vt_vm *vm, int flags);
struct arm_vsmmu *vt_must_vsmmu(struct vt *t, struct arm_smmu_domain *s2,
				struct vt_vm *vm, int flags);
struct arm_vsmmu *vt_must_share(struct vt *t, struct arm_smmu_domain *s2,
				struct vt_vm *vm);
void vt_free_vsmmu(struct vt *t, struct arm_vsmmu *vsmmu);
struct iommu_domain *vt_nested(struct vt *t, struct arm_vsmmu *vsmmu,
			       unsigned int cfg);
int vt_vdevice(struct vt *t, unsigned int dev, struct arm_vsmmu *vsmmu,
	       struct vt_vm *vm);
void vt_attach_translate(struct vt *t, unsigned int dev,
			 struct arm_vsmmu *vsmmu, struct vt_vm *vm);
struct arm_smmu_ste *vt_ste(struct vt *t, unsigned int dev);
unsigned int vt_count_vmids(struct vt *t);
void vt_expect_users(struct vt *t, struct arm_smmu_domain *s2, u16 id,
		     int users);
struct arm_smmu_vmid *vt_find(struct vt *t, u16 id);
struct arm_smmu_vmid *vt_alloc(struct vt *t, struct arm_smmu_domain *s2);
void vt_put(struct arm_smmu_vmid *vmid);
int vt_evict(struct arm_smmu_vmid *vmid);
void vt_need_kvm(struct vt *t);
int vt_init(struct kunit *test);
void vt_exit(struct kunit *test);
int vt_guest_issue(struct vt_guest *guest);
void vt_guest_cmd(struct vt *t, unsigned int i, u64 cmd);
void vt_expect_log(struct vt *t, const struct vt_cmd *want, unsigned int n);

#define VT_EXPECT_LOG(t, cmds...)                                              \
	do {                                                                   \
		static const struct vt_cmd want[] = { cmds };                  \
		vt_expect_log(t, want, ARRAY_SIZE(want));                      \
	} while (0)

#endif
