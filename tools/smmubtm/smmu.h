/* SPDX-License-Identifier: GPL-2.0-only */
/* The emulated SMMUv3, from inside QEMU. */
#ifndef SMMUBTM_SMMU_H
#define SMMUBTM_SMMU_H

#include <stdbool.h>
#include <stdint.h>

struct tlbi;

/**
 * struct smmu_setup - what to change in the SMMU's identity
 * @idr0_set: bits to set in IDR0
 * @idr0_clear: bits to clear in IDR0
 * @idr3_set: bits to set in IDR3
 * @force: let broadcasts in whatever IDR0.BTM and CR2.PTM say
 */
struct smmu_setup {
	uint32_t idr0_set, idr0_clear, idr3_set;
	bool force;
};

/**
 * smmu_find - find the machine's SMMU and change its ID registers
 * @setup: the change
 *
 * To be called after the machine was reset and before the guest's first instruction.
 *
 * Return: NULL, or what went wrong.
 */
const char *smmu_find(const struct smmu_setup *setup);

/** smmu_listens - does the SMMU take part in broadcast TLB maintenance now? */
bool smmu_listens(void);

/**
 * smmu_invalidate - do to the SMMU's IOTLB what a broadcast TLBI does, once it is complete
 *
 * One that names an ASID does nothing to the entries of CDs with ASET = 1: it need not (IHI 0070,
 * 3.17), and who relies on it should notice. An entry does not keep ASET here, so that of the CDs
 * is taken that have the ASID now; without any, the entry goes.
 */
void smmu_invalidate(const struct tlbi *t);

#endif
