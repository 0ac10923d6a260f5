// SPDX-License-Identifier: GPL-2.0-only
#include "tables.h"

#define BIT(n)			(1ULL << (n))
#define FIELD(v, hi, lo)	(((v) >> (lo)) & (BIT((hi) - (lo) + 1) - 1))
#define ADDR(v, lo)		((v) & (BIT(52) - 1) & ~(BIT(lo) - 1))

#define CFG_LOG2SIZE(c)		FIELD(c, 5, 0)
#define CFG_SPLIT(c)		FIELD(c, 10, 6)
#define CFG_2LVL(c)		FIELD(c, 17, 16)
#define L1_SPAN(d)		FIELD(d, 4, 0)
#define MAX_LOG2SIZE		20	/* what is read at a TLBI has a limit */

#define STE_V			BIT(0)
#define STE_CFG(q0)		FIELD(q0, 3, 1)
#define STE_CFG_S1		1	/* of the three bits: stage 1 translates */
#define STE_CFG_S2		2	/* and stage 2 */
#define STE_CFG_ON		4
#define STE_S1FMT(q0)		FIELD(q0, 5, 4)
#define STE_S1CDMAX(q0)		FIELD(q0, 63, 59)
#define STE_VMID(q2)		FIELD(q2, 15, 0)
#define STE_S2T0SZ(q2)		FIELD(q2, 37, 32)
#define STE_S2SL0(q2)		FIELD(q2, 39, 38)

#define CD_V			BIT(31)
#define CD_ASET			BIT(47)
#define CD_ASID(q0)		FIELD(q0, 63, 48)

enum { UNKNOWN, SHARED, PRIVATE };

static uint64_t read64(const struct strtab *tab, uint64_t addr)
{
	uint64_t v = 0;

	tab->read(addr, &v, sizeof(v));
	return v;
}

/* Stage 2 of a nested STE, granule of 4 KB: the tables of a guest are in its own memory */
static bool s2_translate(const struct strtab *tab, const uint64_t *ste, uint64_t *addr)
{
	unsigned int level = 2 - STE_S2SL0(ste[2]), bits = 64 - STE_S2T0SZ(ste[2]);
	uint64_t table = ADDR(ste[3], 4);

	for (;; level++) {
		unsigned int shift = 12 + 9 * (3 - level);
		uint64_t desc;

		if (bits <= shift || level > 3)
			return false;
		/* The first table may be several, one behind the other */
		desc = read64(tab, table + 8 * FIELD(*addr, bits - 1, shift));
		if (!(desc & 1))
			return false;
		if (level == 3 || !(desc & 2)) {
			*addr = ADDR(desc, shift) | (*addr & (BIT(shift) - 1));
			return true;
		}
		table = ADDR(desc, 12);
		bits = shift;
	}
}

static int ste_aset(const struct strtab *tab, const uint64_t *ste, uint16_t vmid, uint16_t asid)
{
	unsigned int cfg = STE_CFG(ste[0]);
	uint64_t addr = ADDR(ste[0], 6), cd;

	if (!(ste[0] & STE_V) || (cfg & (STE_CFG_ON | STE_CFG_S1)) != (STE_CFG_ON | STE_CFG_S1) ||
	    STE_VMID(ste[2]) != vmid)
		return UNKNOWN;
	if ((cfg & STE_CFG_S2) && !s2_translate(tab, ste, &addr))
		return UNKNOWN;
	if (STE_S1CDMAX(ste[0]) && STE_S1FMT(ste[0])) {
		addr = ADDR(read64(tab, addr), 12);
		if ((cfg & STE_CFG_S2) && !s2_translate(tab, ste, &addr))
			return UNKNOWN;
	}
	cd = read64(tab, addr);
	if (!(cd & CD_V) || CD_ASID(cd) != asid)
		return UNKNOWN;
	return cd & CD_ASET ? PRIVATE : SHARED;
}

/* What the STEs of a linear table, or of a second level, say together */
static int stes_aset(const struct strtab *tab, uint64_t addr, unsigned int log2num, uint16_t vmid,
		     uint16_t asid)
{
	int found = UNKNOWN;
	uint64_t i;

	for (i = 0; i < BIT(log2num); i++) {
		uint64_t ste[8];
		int aset;

		tab->read(addr + i * sizeof(ste), ste, sizeof(ste));
		aset = ste_aset(tab, ste, vmid, asid);
		if (aset == SHARED)
			return SHARED;
		if (aset != UNKNOWN)
			found = aset;
	}
	return found;
}

bool asid_is_private(const struct strtab *tab, uint16_t vmid, uint16_t asid)
{
	unsigned int log2size = CFG_LOG2SIZE(tab->cfg), split = CFG_SPLIT(tab->cfg);
	uint64_t base = ADDR(tab->base, 6), i;
	int found = UNKNOWN;

	if (log2size > MAX_LOG2SIZE)
		log2size = MAX_LOG2SIZE;
	if (!CFG_2LVL(tab->cfg))
		return stes_aset(tab, base, log2size, vmid, asid) == PRIVATE;

	for (i = 0; log2size > split && i < BIT(log2size - split); i++) {
		uint64_t l1 = read64(tab, base + 8 * i);
		int aset;

		if (!L1_SPAN(l1))
			continue;
		aset = stes_aset(tab, ADDR(l1, 6), L1_SPAN(l1) - 1, vmid, asid);
		if (aset == SHARED)
			return false;
		if (aset != UNKNOWN)
			found = aset;
	}
	return found == PRIVATE;
}
