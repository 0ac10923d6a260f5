// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the decoder agree with the assembler and the Arm ARM? The encodings here are what
 * aarch64-linux-gnu-as made of the names, with x3 as operand.
 */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "tlbi.h"

#define HCR_FB		(1ull << 9)
#define HCR_HOST	(1ull << 34 | 1ull << 27)	/* E2H, TGE */
#define VTCR_VS		(1ull << 19)
#define TCR_AS		(1ull << 36)
#define TCR_DS		(1ull << 59)

/* VMID 0x1234; 16-bit VMIDs and ASIDs */
#define STATE(_el, _vtcr, _tcr, ...) \
	{ .el = (_el), .vttbr = 0x1234ull << 48, .vtcr = (_vtcr), .tcr = (_tcr), __VA_ARGS__ }
#define EL1(...)	STATE(1, VTCR_VS, TCR_AS, __VA_ARGS__)
#define EL2(...)	STATE(2, VTCR_VS, TCR_AS, __VA_ARGS__)

static const struct {
	const char *about;
	uint32_t insn;
	struct tlbi_cpu cpu;
	bool none;		/* does not concern the EL1&0 regime */
	struct tlbi want;
} tests[] = {
	{ "VMALLE1IS", 0xd508831f, EL1(),
	  .want = { "VMALLE1IS", TLBI_VMID_S1, 0x1234, -1, 0, 0, true } },
	{ "VAE1IS", 0xd5088323, EL1(.xt = 0x0007000000080001),
	  .want = { "VAE1IS", TLBI_VA, 0x1234, 7, 0x80001000, 1, true } },
	{ "VALE1OS", 0xd50881a3, EL1(.xt = 0x0007000000080001),
	  .want = { "VALE1OS", TLBI_VA, 0x1234, 7, 0x80001000, 1, true } },
	{ "VAE1IS of the upper half", 0xd5088323, EL1(.xt = 0x00070fff80000001),
	  .want = { "VAE1IS", TLBI_VA, 0x1234, 7, 0xffffffff80000001 << 12, 1, true } },
	{ "TTL is no address", 0xd5088323, EL1(.xt = 0x0007700000080001),
	  .want = { "VAE1IS", TLBI_VA, 0x1234, 7, 0x80001000, 1, true } },
	{ "VAAE1IS has no ASID", 0xd5088363, EL1(.xt = 0x0007000000080001),
	  .want = { "VAAE1IS", TLBI_VAA, 0x1234, -1, 0x80001000, 1, true } },
	{ "ASIDE1IS", 0xd5088343, EL1(.xt = 0xabcdull << 48),
	  .want = { "ASIDE1IS", TLBI_ASID, 0x1234, 0xabcd, 0, 0, true } },
	{ "8-bit ASID", 0xd5088343, STATE(1, VTCR_VS, 0, .xt = 0xabcdull << 48),
	  .want = { "ASIDE1IS", TLBI_ASID, 0x1234, 0xcd, 0, 0, true } },
	{ "8-bit VMID", 0xd508831f, STATE(1, 0, TCR_AS),
	  .want = { "VMALLE1IS", TLBI_VMID_S1, 0x34, -1, 0, 0, true } },
	{ "local", 0xd508871f, EL1(),
	  .want = { "VMALLE1", TLBI_VMID_S1, 0x1234, -1, 0, 0, false } },
	{ "local under HCR_EL2.FB", 0xd508871f, EL1(.hcr = HCR_FB),
	  .want = { "VMALLE1", TLBI_VMID_S1, 0x1234, -1, 0, 0, true } },
	{ "FB is for EL1 only", 0xd508871f, EL2(.hcr = HCR_FB),
	  .want = { "VMALLE1", TLBI_VMID_S1, 0x1234, -1, 0, 0, false } },
	{ "a VHE host's own", 0xd5088323, EL2(.hcr = HCR_HOST), .none = true },
	{ "EL2 for a guest", 0xd508831f, EL2(.hcr = 1ull << 34),
	  .want = { "VMALLE1IS", TLBI_VMID_S1, 0x1234, -1, 0, 0, true } },
	{ "VAE1ISNXS", 0xd5089323, EL1(.xt = 1),
	  .want = { "VAE1ISNXS", TLBI_VA, 0x1234, 0, 0x1000, 1, true } },
	{ "RVAE1IS, 4 KB, 2 pages", 0xd5088223, EL1(.xt = 0x0007400000080001),
	  .want = { "RVAE1IS", TLBI_VA, 0x1234, 7, 0x80001000, 2, true } },
	{ "RVAE1IS, 4 KB, NUM 3, SCALE 1", 0xd5088223,
	  EL1(.xt = 0x0007400000080001 | 3ull << 39 | 1ull << 44),
	  .want = { "RVAE1IS", TLBI_VA, 0x1234, 7, 0x80001000, 4 << 6, true } },
	{ "RVAE1OS, 16 KB", 0xd5088523, EL1(.xt = 0x0007800000000001),
	  .want = { "RVAE1OS", TLBI_VA, 0x1234, 7, 0x4000, 8, true } },
	{ "RVAAE1IS, 64 KB", 0xd5088263, EL1(.xt = 0x0007c00000000001),
	  .want = { "RVAAE1IS", TLBI_VAA, 0x1234, -1, 0x10000, 32, true } },
	{ "RVAE1IS with 52 bits", 0xd5088223,
	  STATE(1, VTCR_VS, TCR_AS | TCR_DS, .xt = 0x0007400000000001),
	  .want = { "RVAE1IS", TLBI_VA, 0x1234, 7, 0x10000, 2, true } },
	{ "IPAS2E1IS", 0xd50c8023, EL2(.xt = 0x8000000000040001),
	  .want = { "IPAS2E1IS", TLBI_IPA, 0x1234, -1, 0x40001000, 1, true } },
	{ "what is beside the IPA is no address", 0xd50c8023, EL2(.xt = 0xffff0f0000040001),
	  .want = { "IPAS2E1IS", TLBI_IPA, 0x1234, -1, 0x40001000, 1, true } },
	{ "IPAS2E1OS", 0xd50c8403, EL2(.xt = 0x40001),
	  .want = { "IPAS2E1OS", TLBI_IPA, 0x1234, -1, 0x40001000, 1, true } },
	{ "IPAS2E1", 0xd50c8423, EL2(.xt = 0x40001),
	  .want = { "IPAS2E1", TLBI_IPA, 0x1234, -1, 0x40001000, 1, false } },
	{ "RIPAS2E1IS", 0xd50c8043, EL2(.xt = 0x0000400000040001),
	  .want = { "RIPAS2E1IS", TLBI_IPA, 0x1234, -1, 0x40001000, 2, true } },
	{ "VMALLS12E1IS", 0xd50c83df, EL2(),
	  .want = { "VMALLS12E1IS", TLBI_VMID, 0x1234, -1, 0, 0, true } },
	{ "ALLE1OS", 0xd50c819f, EL2(),
	  .want = { "ALLE1OS", TLBI_ALL, -1, -1, 0, 0, true } },
	{ "VAE2IS", 0xd50c8323, EL2(), .none = true },
	{ "ALLE2IS", 0xd50c831f, EL2(), .none = true },
	{ "AT S1E1R", 0xd5087803, EL1(), .none = true },
	{ "DC CIVAC", 0xd50b7e23, EL1(), .none = true },
};

/* All names, as the assembler has them. */
static const struct {
	uint32_t insn;
	const char *name;
} names[] = {
	{ 0xd508871f, "VMALLE1" },
	{ 0xd508831f, "VMALLE1IS" },
	{ 0xd508811f, "VMALLE1OS" },
	{ 0xd5088723, "VAE1" },
	{ 0xd5088323, "VAE1IS" },
	{ 0xd5088123, "VAE1OS" },
	{ 0xd5088743, "ASIDE1" },
	{ 0xd5088343, "ASIDE1IS" },
	{ 0xd5088143, "ASIDE1OS" },
	{ 0xd5088763, "VAAE1" },
	{ 0xd5088363, "VAAE1IS" },
	{ 0xd5088163, "VAAE1OS" },
	{ 0xd50887a3, "VALE1" },
	{ 0xd50883a3, "VALE1IS" },
	{ 0xd50881a3, "VALE1OS" },
	{ 0xd50887e3, "VAALE1" },
	{ 0xd50883e3, "VAALE1IS" },
	{ 0xd50881e3, "VAALE1OS" },
	{ 0xd5088623, "RVAE1" },
	{ 0xd5088223, "RVAE1IS" },
	{ 0xd5088523, "RVAE1OS" },
	{ 0xd5088663, "RVAAE1" },
	{ 0xd5088263, "RVAAE1IS" },
	{ 0xd5088563, "RVAAE1OS" },
	{ 0xd50886a3, "RVALE1" },
	{ 0xd50882a3, "RVALE1IS" },
	{ 0xd50885a3, "RVALE1OS" },
	{ 0xd50886e3, "RVAALE1" },
	{ 0xd50882e3, "RVAALE1IS" },
	{ 0xd50885e3, "RVAALE1OS" },
	{ 0xd50c879f, "ALLE1" },
	{ 0xd50c839f, "ALLE1IS" },
	{ 0xd50c819f, "ALLE1OS" },
	{ 0xd50c87df, "VMALLS12E1" },
	{ 0xd50c83df, "VMALLS12E1IS" },
	{ 0xd50c81df, "VMALLS12E1OS" },
	{ 0xd50c8423, "IPAS2E1" },
	{ 0xd50c8023, "IPAS2E1IS" },
	{ 0xd50c8403, "IPAS2E1OS" },
	{ 0xd50c84a3, "IPAS2LE1" },
	{ 0xd50c80a3, "IPAS2LE1IS" },
	{ 0xd50c8483, "IPAS2LE1OS" },
	{ 0xd50c8443, "RIPAS2E1" },
	{ 0xd50c8043, "RIPAS2E1IS" },
	{ 0xd50c8463, "RIPAS2E1OS" },
	{ 0xd50c84c3, "RIPAS2LE1" },
	{ 0xd50c80c3, "RIPAS2LE1IS" },
	{ 0xd50c84e3, "RIPAS2LE1OS" },
};

static bool same(const struct tlbi *a, const struct tlbi *b)
{
	return !strcmp(a->name, b->name) && a->what == b->what && a->vmid == b->vmid &&
	       a->asid == b->asid && a->base == b->base && a->pages == b->pages &&
	       a->bcast == b->bcast && a->nxs == !!strstr(a->name, "NXS");
}

static unsigned int count, failed;

void result(bool ok, const char *about)
{
	failed += !ok;
	printf("%sok %u %s\n", ok ? "" : "not ", ++count, about);
}

static void test_name(uint32_t insn, const char *name)
{
	const struct tlbi_cpu cpu = EL2();
	struct tlbi t;
	bool ok = tlbi_decode(insn, &cpu, &t) && !strcmp(t.name, name);

	result(ok && t.bcast == (strstr(name, "IS") || strstr(name, "OS")) &&
	       t.outer == !!strstr(name, "OS"), name);
}

int main(void)
{
	unsigned int i;

	printf("KTAP version 1\n1..%zu\n", ARRAY_SIZE(tests) + ARRAY_SIZE(names) +
	       num_pending_tests + num_tables_tests);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		struct tlbi t = { 0 };
		bool got = tlbi_decode(tests[i].insn, &tests[i].cpu, &t);
		bool ok = tests[i].none ? !got : got && same(&t, &tests[i].want);

		if (!ok)
			printf("# got %d %s what %d vmid %d asid %d base %#lx pages %lu bcast %d\n",
			       got, t.name, t.what, t.vmid, t.asid, t.base, t.pages, t.bcast);
		result(ok, tests[i].about);
	}
	for (i = 0; i < ARRAY_SIZE(names); i++)
		test_name(names[i].insn, names[i].name);
	test_pending();
	test_tables();
	printf("# Totals: pass:%u fail:%u skip:0\n", count - failed, failed);
	return failed ? 1 : 0;
}
