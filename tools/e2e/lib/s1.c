// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's stage 1 for its device: one CD, and tables of 4 KiB granule and 39
 * address bits that map all guest memory one to one and DMA_IOVA to one page.
 */
#include <string.h>

#include "s1.h"

/* Stream table entry, qword 0 */
#define STE_V			(1ull << 0)
#define STE_CFG_BYPASS		(4ull << 1)
#define STE_CFG_S1		(5ull << 1)

/* Context descriptor, qword 0 */
#define CD_T0SZ(bits)		(64ull - (bits))
#define CD_IRGN_WBWA		(1ull << 8)
#define CD_ORGN_WBWA		(1ull << 10)
#define CD_SH_INNER		(3ull << 12)
#define CD_EPD1			(1ull << 30)
#define CD_V			(1ull << 31)
#define CD_IPS_40BIT		(2ull << 32)
#define CD_AA64			(1ull << 41)
#define CD_R			(1ull << 45)
#define CD_A			(1ull << 46)
#define CD_ASID(asid)		((u64)(asid) << 48)
/* qword 3: attribute 0 is normal write-back memory */
#define CD_MAIR			0xffull

#define PTE_TABLE		3ull
#define PTE_PAGE		3ull
#define PTE_AP_EL0		(1ull << 6)
#define PTE_SH_INNER		(3ull << 8)
#define PTE_AF			(1ull << 10)
#define PTE_NG			(1ull << 11)
#define PTE_LEAF		(PTE_PAGE | PTE_AP_EL0 | PTE_SH_INNER | \
				 PTE_AF | PTE_NG)

static u64 *at(struct stage1 *s1, u64 off)
{
	return (u64 *)(s1->mem + s1->off + off);
}

static u64 gpa(const struct stage1 *s1, u64 off)
{
	return GPA_BASE + s1->off + off;
}

static unsigned int index_of(u64 va, unsigned int level)
{
	return va >> (12 + 9 * (3 - level)) & 511;
}

void s1_init(struct stage1 *s1, void *mem, u64 off, u16 asid)
{
	unsigned int i;
	u64 *cd;

	s1->mem = mem;
	s1->off = off;
	memset(s1->mem + off + OFF_CD, 0, S1_SIZE - OFF_CD);

	cd = at(s1, OFF_CD);
	cd[1] = gpa(s1, OFF_L1);
	cd[3] = CD_MAIR;
	/* ASET is 0: by-ASID broadcasts need not reach an ASID set apart by it */
	cd[0] = CD_T0SZ(39) | CD_IRGN_WBWA | CD_ORGN_WBWA | CD_SH_INNER |
		CD_EPD1 | CD_V | CD_IPS_40BIT | CD_AA64 | CD_R | CD_A |
		CD_ASID(asid);

	at(s1, OFF_L1)[index_of(GPA_BASE, 1)] =
		gpa(s1, OFF_L2_IDENT) | PTE_TABLE;
	at(s1, OFF_L2_IDENT)[index_of(GPA_BASE, 2)] =
		gpa(s1, OFF_L3_IDENT) | PTE_TABLE;
	for (i = 0; i < 512; i++)
		at(s1, OFF_L3_IDENT)[i] = (GPA_BASE + i * PAGE) | PTE_LEAF;

	at(s1, OFF_L1)[index_of(DMA_IOVA, 1)] = gpa(s1, OFF_L2_DMA) | PTE_TABLE;
	at(s1, OFF_L2_DMA)[index_of(DMA_IOVA, 2)] =
		gpa(s1, OFF_L3_DMA) | PTE_TABLE;
}

void s1_map(struct stage1 *s1, u64 page_off)
{
	volatile u64 *pte = at(s1, OFF_L3_DMA) + index_of(DMA_IOVA, 3);

	*pte = (GPA_BASE + page_off) | PTE_LEAF;
	__sync_synchronize();
}

void s1_vste(const struct stage1 *s1, u64 ste[2])
{
	ste[0] = STE_V | STE_CFG_S1 | gpa(s1, OFF_CD);
	ste[1] = 0;
}

void s1_vste_bypass(u64 ste[2])
{
	ste[0] = STE_V | STE_CFG_BYPASS;
	ste[1] = 0;
}
