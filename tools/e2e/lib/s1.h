/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's memory and the tables that its device walks. */
#ifndef E2E_LIB_S1_H
#define E2E_LIB_S1_H

#include "common.h"

#define PAGE		4096ul
#define SZ_2M		0x200000ul

#define GPA_BASE	0x40000000ul	/* where the guest's memory is */
#define GUEST_SIZE	SZ_2M

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

#endif
