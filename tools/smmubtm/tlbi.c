// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <stdio.h>

#include "tlbi.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1ULL << (n))
#define FIELD(v, hi, lo)	(((v) >> (lo)) & (BIT((hi) - (lo) + 1) - 1))

#define HCR_FB		BIT(9)	/* broadcast the local TLBIs of EL1 */
#define HCR_TGE		BIT(27)
#define HCR_E2H		BIT(34)
#define VTCR_VS		BIT(19)	/* VMIDs have 16 bits */
#define VTCR_DS		BIT(32)	/* 52-bit addresses (LPA2), stage 2 */
#define TCR_AS		BIT(36)	/* ASIDs have 16 bits */
#define TCR_DS		BIT(59)	/* 52-bit addresses (LPA2), stage 1 */

#define ENC(op1, crm, op2)	((op1) << 7 | (crm) << 3 | (op2))

enum { LOCAL, IS, OS, NR_SHARE };

static const char * const share_suffix[NR_SHARE] = { "", "IS", "OS" };

/*
 * Left out: the EL2 and EL3 regimes (VAE2, ALLE3 and so on). They match SMMU entries of StreamWorld
 * EL2 or EL3 only, which the emulated SMMU does not have (IDR0.Hyp is 0, no secure side).
 */
static const struct tlbi_op {
	const char *name;
	enum tlbi_what what;
	bool range;
	unsigned short enc[NR_SHARE];
} ops[] = {
	/*			     range   local	   IS		 OS	*/
	{ "VMALLE1",	TLBI_VMID_S1, false, { ENC(0, 7, 0), ENC(0, 3, 0), ENC(0, 1, 0) } },
	{ "VAE1",	TLBI_VA,      false, { ENC(0, 7, 1), ENC(0, 3, 1), ENC(0, 1, 1) } },
	{ "ASIDE1",	TLBI_ASID,    false, { ENC(0, 7, 2), ENC(0, 3, 2), ENC(0, 1, 2) } },
	{ "VAAE1",	TLBI_VAA,     false, { ENC(0, 7, 3), ENC(0, 3, 3), ENC(0, 1, 3) } },
	{ "VALE1",	TLBI_VA,      false, { ENC(0, 7, 5), ENC(0, 3, 5), ENC(0, 1, 5) } },
	{ "VAALE1",	TLBI_VAA,     false, { ENC(0, 7, 7), ENC(0, 3, 7), ENC(0, 1, 7) } },
	{ "RVAE1",	TLBI_VA,      true,  { ENC(0, 6, 1), ENC(0, 2, 1), ENC(0, 5, 1) } },
	{ "RVAAE1",	TLBI_VAA,     true,  { ENC(0, 6, 3), ENC(0, 2, 3), ENC(0, 5, 3) } },
	{ "RVALE1",	TLBI_VA,      true,  { ENC(0, 6, 5), ENC(0, 2, 5), ENC(0, 5, 5) } },
	{ "RVAALE1",	TLBI_VAA,     true,  { ENC(0, 6, 7), ENC(0, 2, 7), ENC(0, 5, 7) } },
	{ "ALLE1",	TLBI_ALL,     false, { ENC(4, 7, 4), ENC(4, 3, 4), ENC(4, 1, 4) } },
	{ "VMALLS12E1",	TLBI_VMID,    false, { ENC(4, 7, 6), ENC(4, 3, 6), ENC(4, 1, 6) } },
	{ "IPAS2E1",	TLBI_IPA,     false, { ENC(4, 4, 1), ENC(4, 0, 1), ENC(4, 4, 0) } },
	{ "IPAS2LE1",	TLBI_IPA,     false, { ENC(4, 4, 5), ENC(4, 0, 5), ENC(4, 4, 4) } },
	{ "RIPAS2E1",	TLBI_IPA,     true,  { ENC(4, 4, 2), ENC(4, 0, 2), ENC(4, 4, 3) } },
	{ "RIPAS2LE1",	TLBI_IPA,     true,  { ENC(4, 4, 6), ENC(4, 0, 6), ENC(4, 4, 7) } },
};

static const struct tlbi_op *find_op(uint32_t insn, int *share)
{
	unsigned int enc = ENC(FIELD(insn, 18, 16), FIELD(insn, 11, 8), FIELD(insn, 7, 5));
	size_t i;

	if ((insn & TLBI_INSN_MASK) != TLBI_INSN)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		for (*share = 0; *share < NR_SHARE; (*share)++)
			if (ops[i].enc[*share] == enc)
				return &ops[i];
	}
	return NULL;
}

bool tlbi_known(uint32_t insn)
{
	int share;

	return find_op(insn, &share);
}

static uint64_t sign_extend(uint64_t v, unsigned int top_bit)
{
	unsigned int shift = 63 - top_bit;

	return (int64_t)(v << shift) >> shift;
}

/*
 * Xt of a range operation: TG [47:46] is the granule (1: 4 KB, 2: 16 KB, 3: 64 KB), SCALE [45:44]
 * and NUM [43:39] the size, BaseADDR [36:0] counts granules; or 64 KB whatever the granule, if
 * addresses have 52 bits (DS). TG 0 is reserved; taken as 4 KB.
 */
static void decode_range(struct tlbi *t, uint64_t xt, bool ds)
{
	unsigned int tg = FIELD(xt, 47, 46);
	unsigned int shift = tg ? 10 + 2 * tg : 12;
	uint64_t base = FIELD(xt, 36, 0);

	if (t->what != TLBI_IPA)
		base = sign_extend(base, 36);
	t->base = base << (ds ? 16 : shift);
	t->pages = (FIELD(xt, 43, 39) + 1) << (5 * FIELD(xt, 45, 44) + 1);
	t->pages <<= shift - 12;
}

static void decode_address(struct tlbi *t, uint64_t xt)
{
	if (t->what == TLBI_IPA)
		t->base = FIELD(xt, 39, 0) << 12;
	else
		t->base = sign_extend(FIELD(xt, 43, 0), 43) << 12;
	t->pages = 1;
}

bool tlbi_decode(uint32_t insn, const struct tlbi_cpu *cpu, struct tlbi *t)
{
	bool stage1_op = !FIELD(insn, 18, 16);
	const struct tlbi_op *op;
	int share;

	op = find_op(insn, &share);
	if (!op)
		return false;

	/* A VHE host's own TLBIs: the EL1 names mean its EL2&0 regime, which has no VMID. */
	if (stage1_op && cpu->el == 2 && (cpu->hcr & HCR_E2H) && (cpu->hcr & HCR_TGE))
		return false;

	t->nxs = FIELD(insn, 15, 12) == 9;
	snprintf(t->name, sizeof(t->name), "%s%s%s", op->name, share_suffix[share],
		 t->nxs ? "NXS" : "");
	t->what = op->what;
	t->outer = share == OS;
	t->bcast = share != LOCAL || (stage1_op && cpu->el == 1 && (cpu->hcr & HCR_FB));
	t->base = 0;
	t->pages = 0;
	t->asid = -1;

	/*
	 * The upper half of a VMID or ASID does not take part while its size is 8 bits. At EL2, and
	 * also for a non-VHE host at EL1 (whose VTTBR_EL2 holds VMID 0), the VMID is VTTBR_EL2's.
	 */
	t->vmid = -1;
	if (op->what != TLBI_ALL)
		t->vmid = FIELD(cpu->vttbr, 63, 48) & (cpu->vtcr & VTCR_VS ? 0xffff : 0xff);
	if (op->what == TLBI_ASID || op->what == TLBI_VA)
		t->asid = FIELD(cpu->xt, 63, 48) & (cpu->tcr & TCR_AS ? 0xffff : 0xff);

	if (op->range)
		decode_range(t, cpu->xt, op->what == TLBI_IPA ? cpu->vtcr & VTCR_DS :
								 cpu->tcr & TCR_DS);
	else if (op->what == TLBI_VA || op->what == TLBI_VAA || op->what == TLBI_IPA)
		decode_address(t, cpu->xt);
	return true;
}
