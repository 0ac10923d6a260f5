// SPDX-License-Identifier: GPL-2.0-only
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "qemu-abi.h"
#include "smmu.h"
#include "tables.h"
#include "tlbi.h"

/* Arm IHI 0070, chapter 6 */
#define IDR0_S1P	(1u << 1)
#define IDR0_TTF_AA64	(2u << 2)
#define IDR0_BTM	(1u << 5)
#define IDR1_SIDSIZE	0x3fu
#define CR2_PTM		(1u << 2)
#define STRTAB_BASE	0x80
#define STRTAB_BASE_CFG	0x88

/* Where -M virt,iommu=smmuv3 has it */
#define SMMU_ADDR	0x09050000ull

/*
 * QEMU keeps the registers in one array of words in this order: IDR0 to IDR5, IIDR, AIDR, CR0 to
 * CR2. Where it lies in the device's structure differs from build to build.
 */
enum { IDR0, IDR1, IDR2, IDR3, IDR4, IDR5, IIDR, AIDR, CR0, CR1, CR2, NR_REGS };

static void *smmu;
static uint32_t *regs;
static uint64_t *strtab_base;
static uint32_t *strtab_cfg;
static bool force;

/* The values that every QEMU since 9.0 gives them; the scan refuses if two places look like it. */
static bool looks_like_id_registers(const uint32_t *r)
{
	const uint32_t idr0 = IDR0_S1P | IDR0_TTF_AA64;

	return (r[IDR0] & idr0) == idr0 &&
	       (r[IDR1] & IDR1_SIDSIZE) == 16 && r[IDR1] >> 16 == 0x0273 &&
	       !r[IDR2] && !r[IDR4] && (r[IDR5] & 0x70) && r[AIDR] <= 4 &&
	       !r[CR0] && !r[CR1] && !(r[CR2] & ~7u);
}

/*
 * Two registers that lie apart from the others: write a number to each, as a CPU would, and look
 * where it appears. Nothing uses them before the SMMU is enabled.
 */
static const char *find_strtab(size_t words)
{
	const uint64_t base = 0x000e2e0123456780, zero = 0;
	const uint32_t cfg = 0x00010249;
	uint32_t *p = smmu;
	size_t i;

	physical_memory_write(SMMU_ADDR + STRTAB_BASE, &base, sizeof(base));
	physical_memory_write(SMMU_ADDR + STRTAB_BASE_CFG, &cfg, sizeof(cfg));
	/* 64-bit members are aligned, and the second follows the first */
	for (i = 0; i + 3 <= words && !strtab_base; i += 2) {
		if (memcmp(p + i, &base, sizeof(base)) || p[i + 2] != cfg)
			continue;
		strtab_base = (uint64_t *)(p + i);
		strtab_cfg = p + i + 2;
	}
	physical_memory_write(SMMU_ADDR + STRTAB_BASE, &zero, sizeof(base));
	physical_memory_write(SMMU_ADDR + STRTAB_BASE_CFG, &zero, sizeof(cfg));
	if (!strtab_base || *strtab_base || *strtab_cfg)
		return "cannot find the SMMU's STRTAB_BASE in this QEMU";
	return NULL;
}

const char *smmu_find(const struct smmu_setup *setup)
{
	size_t i, words;
	const char *err;
	uint32_t *p;

	smmu = object_resolve_path_type("", "arm-smmuv3", NULL);
	if (!smmu)
		return "the machine has not exactly one arm-smmuv3 (-M virt,iommu=smmuv3)";

	/* The object is one heap block: its size bounds the scan. */
	p = smmu;
	words = malloc_usable_size(smmu) / sizeof(*p);
	for (i = 0; i + NR_REGS <= words; i++) {
		if (!looks_like_id_registers(p + i))
			continue;
		if (regs)
			return "two places look like the SMMU's ID registers";
		regs = p + i;
	}
	if (!regs)
		return "cannot find the SMMU's ID registers in this QEMU";
	err = find_strtab(words);
	if (err)
		return err;

	regs[IDR0] = (regs[IDR0] | setup->idr0_set) & ~setup->idr0_clear;
	regs[IDR3] |= setup->idr3_set;
	force = setup->force;
	fprintf(stderr, "smmubtm: IDR0 %#x IDR3 %#x\n", regs[IDR0], regs[IDR3]);
	return NULL;
}

/*
 * IHI 0070, CR2.PTM: "private TLB maintenance". With 0 the SMMU takes part in broadcasts; it can
 * only if IDR0.BTM says that it is able to.
 */
bool smmu_listens(void)
{
	return force || ((regs[IDR0] & IDR0_BTM) && !(regs[CR2] & CR2_PTM));
}

static void read_memory(uint64_t addr, void *buf, size_t len)
{
	physical_memory_read(addr, buf, len);
}

static bool spares(const struct tlbi *t)
{
	const struct strtab tab = { *strtab_base, *strtab_cfg, read_memory };

	return !force && t->asid >= 0 && asid_is_private(&tab, t->vmid, t->asid);
}

/*
 * QEMU's functions take a power of two of pages at an address that is a multiple of it. TG 0 in
 * them means no granule known: pages of 4 KB, entries of any level.
 */
static void invalidate_range(const struct tlbi *t)
{
	uint64_t addr = t->base, left = t->pages;

	while (left) {
		uint64_t n = 1ULL << (63 - __builtin_clzll(left));

		while (addr & ((n << 12) - 1))
			n >>= 1;
		if (t->what == TLBI_IPA)
			smmu_iotlb_inv_ipa(smmu, t->vmid, addr, 0, n, 0);
		else
			smmu_iotlb_inv_iova(smmu, t->asid, t->vmid, addr, 0, n, 0);
		addr += n << 12;
		left -= n;
	}
}

static void invalidate(const struct tlbi *t)
{
	switch (t->what) {
	case TLBI_ALL:
		smmu_iotlb_inv_all(smmu);
		break;
	case TLBI_VMID:
		smmu_iotlb_inv_vmid(smmu, t->vmid);
		break;
	case TLBI_VMID_S1:
		smmu_iotlb_inv_vmid_s1(smmu, t->vmid);
		break;
	case TLBI_ASID:
		smmu_iotlb_inv_asid_vmid(smmu, t->asid, t->vmid);
		break;
	case TLBI_VA:
	case TLBI_VAA:
	case TLBI_IPA:
		invalidate_range(t);
		break;
	}
}

/* Devices use the IOTLB under QEMU's big lock; a vCPU in translated code does not hold it. */
void smmu_invalidate(const struct tlbi *t)
{
	bool held = bql_locked();

	if (!held)
		bql_lock_impl(__FILE__, __LINE__);
	if (!spares(t))
		invalidate(t);
	if (!held)
		bql_unlock();
}
