/* SPDX-License-Identifier: GPL-2.0-only */
/* What this boot is, and what the feature's documents promise for it. */
#ifndef E2E_LIB_BOOT_H
#define E2E_LIB_BOOT_H

#include <stdbool.h>

#include "common.h"

/**
 * struct e2e - what this boot offers
 * @patched: e2e.kernel=patched: the kernel has the feature
 * @btm_asked: arm_smmu_v3.btm=1 is on the command line, or btm_s1, which implies it
 * @own: e2e.own=1: what the kernel needs to invalidate its own stage 1 by broadcast is
 *       there, and it was asked to
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
	bool own;
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
/* Does the kernel invalidate its own stage 1 by broadcast? */
bool own_expected(void);
/* The flags of a vSMMU that asks to share where that is possible */
u32 ask_flags(void);
/* What one gets that insists where the number, if it can be shared at all, is taken */
int insist_expected(void);

#endif
