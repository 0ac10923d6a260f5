/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AArch64's TLBI instructions (Arm ARM DDI 0487): what one names, given the state of the CPU that
 * executes it. Knows nothing of QEMU.
 */
#ifndef SMMUBTM_TLBI_H
#define SMMUBTM_TLBI_H

#include <stdbool.h>
#include <stdint.h>

/* SYS #op1, Cn, Cm, #op2, Xt, with Cn 8 (TLBI) or 9 (TLBI ...NXS, FEAT_XS) */
#define TLBI_INSN_MASK	0xfff8e000u
#define TLBI_INSN	0xd5088000u

/**
 * enum tlbi_what - what is invalidated, in the EL1&0 translation regime
 * @TLBI_ALL: everything, all VMIDs (ALLE1)
 * @TLBI_VMID: stage 1 and 2 of the current VMID (VMALLS12E1)
 * @TLBI_VMID_S1: stage 1 of the current VMID (VMALLE1)
 * @TLBI_ASID: one ASID in the current VMID
 * @TLBI_VA: addresses of one ASID in the current VMID
 * @TLBI_VAA: addresses, any ASID, in the current VMID
 * @TLBI_IPA: stage 2 only, of the current VMID, by intermediate physical address
 */
enum tlbi_what {
	TLBI_ALL,
	TLBI_VMID,
	TLBI_VMID_S1,
	TLBI_ASID,
	TLBI_VA,
	TLBI_VAA,
	TLBI_IPA,
};

/**
 * struct tlbi_cpu - the state that gives a TLBI its meaning
 * @el: PSTATE.EL
 * @hcr: HCR_EL2
 * @vttbr: VTTBR_EL2
 * @vtcr: VTCR_EL2
 * @tcr: TCR_EL1
 * @xt: the instruction's operand
 */
struct tlbi_cpu {
	unsigned int el;
	uint64_t hcr, vttbr, vtcr, tcr, xt;
};

/**
 * struct tlbi - what a TLBI names
 * @name: as in "VAE1IS"
 * @what: kind
 * @vmid: the VMID it works in, -1 for TLBI_ALL
 * @asid: ASID, or -1
 * @base: first address, if it names addresses
 * @pages: how many pages of 4 KB from @base
 * @bcast: it reaches other observers in the shareability domain
 * @outer: that domain is the outer one
 * @nxs: a DSB with nXS waits for it too
 */
struct tlbi {
	char name[24];
	enum tlbi_what what;
	int vmid, asid;
	uint64_t base, pages;
	bool bcast, outer, nxs;
};

/** tlbi_known - is @insn a TLBI of the EL1&0 regime (at EL2, depending on HCR_EL2, of EL2&0)? */
bool tlbi_known(uint32_t insn);

/** tlbi_operand - number of @insn's operand register; 31: none */
static inline unsigned int tlbi_operand(uint32_t insn)
{
	return insn & 31;
}

/**
 * tlbi_decode - what @insn names
 * @insn: instruction for which tlbi_known() is true
 * @cpu: state before it executes
 * @t: filled in
 *
 * Return: false if it does not concern the EL1&0 regime.
 */
bool tlbi_decode(uint32_t insn, const struct tlbi_cpu *cpu, struct tlbi *t);

#endif
