/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLBIs that a CPU has executed and no DSB of it has completed yet (Arm ARM DDI 0487, "TLB
 * maintenance": completion). Knows nothing of QEMU.
 */
#ifndef SMMUBTM_PENDING_H
#define SMMUBTM_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tlbi.h"

/**
 * struct pending - the TLBIs of one CPU
 * @t: in the order of execution
 * @n: how many
 * @room: how many fit
 */
struct pending {
	struct tlbi *t;
	size_t n, room;
};

/**
 * dsb_known - is @insn a DSB that can complete a broadcast TLBI?
 *
 * One for stores or loads only cannot. One of the Non-shareable domain cannot by itself; it can
 * under HCR_EL2.BSU, which pending_complete() looks at.
 */
bool dsb_known(uint32_t insn);

/** pending_add - the CPU executes @t; false: no memory */
bool pending_add(struct pending *p, const struct tlbi *t);

/**
 * pending_complete - the CPU executes a DSB
 * @p: its TLBIs; those that are complete are taken out
 * @insn: instruction for which dsb_known() is true
 * @el: PSTATE.EL
 * @hcr: HCR_EL2
 * @apply: called for each that is complete, in the order of execution
 *
 * Return: how many were.
 */
size_t pending_complete(struct pending *p, uint32_t insn, unsigned int el, uint64_t hcr,
			void (*apply)(const struct tlbi *t));

#endif
