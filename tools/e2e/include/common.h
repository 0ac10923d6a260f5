/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What init, which runs the cases, and the checker, which reads what they left in
 * the trace, agree on.
 */
#ifndef E2E_COMMON_H
#define E2E_COMMON_H

#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What init writes to the marker device's length register */
#define MARK_TAG	0xe2eu
#define MARK(case_no, step_no)	(MARK_TAG << 20 | (case_no) << 8 | (step_no))
#define MARK_IS(val)	((u32)(val) >> 20 == MARK_TAG)
#define MARK_CASE(val)	((val) >> 8 & 0xfffu)
#define MARK_STEP(val)	((val) & 0xffu)

/* A guest's ASID, and the IOVA that moves from page to page of its memory */
#define GUEST_ASID	7
#define DMA_IOVA	0x80000000ul

/*
 * Threads of vm_churn(). At a rollover each but one can have a VM that has not
 * executed its TLBI yet: the number that it had before is not seen.
 */
#define CHURN_THREADS	4

/* The result of a DMA that did not go through */
#define TESTDEV_REFUSED	0xdead0002u

/* Of an SMMU's IDR0 */
#define IDR0_BTM	(1u << 5)
#define IDR0_VMID16	(1u << 18)

#endif
