/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SMMU's stream table and what it leads to (Arm IHI 0070, chapters 3.3 and 5), as far as it
 * takes to know CD.ASET. Knows nothing of QEMU.
 */
#ifndef SMMUBTM_TABLES_H
#define SMMUBTM_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct strtab - a stream table
 * @base: STRTAB_BASE
 * @cfg: STRTAB_BASE_CFG
 * @read: reads physical memory
 */
struct strtab {
	uint64_t base;
	uint32_t cfg;
	void (*read)(uint64_t addr, void *buf, size_t len);
};

/**
 * asid_is_private - is an ASID out of the set that broadcasts by ASID have to reach?
 * @tab: the stream table
 * @vmid: the VMID that it lives in
 * @asid: the ASID
 *
 * CDs of SubstreamIDs other than 0 are not looked at: the emulated SMMU has none.
 *
 * Return: true if a valid CD has it, and all that do have ASET = 1.
 */
bool asid_is_private(const struct strtab *tab, uint16_t vmid, uint16_t asid);

#endif
