// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which DSB completes which TLBI? The encodings are what aarch64-linux-gnu-as made of the names.
 */
#include <stdio.h>
#include <string.h>

#include "pending.h"
#include "test.h"

#define DSB_SY		0xd5033f9f
#define DSB_ST		0xd5033e9f
#define DSB_LD		0xd5033d9f
#define DSB_ISH		0xd5033b9f
#define DSB_ISHST	0xd5033a9f
#define DSB_NSH		0xd503379f
#define DSB_NSHST	0xd503369f
#define DSB_OSH		0xd503339f
#define DSB_ISH_NXS	0xd5033a3f
#define DSB_SY_NXS	0xd5033e3f
#define DMB_ISH		0xd5033bbf
#define ISB		0xd5033fdf

#define HCR_BSU_IS	(1ull << 10)

static const struct {
	const char *about;
	uint32_t insn;
	bool known;
	unsigned int el;
	uint64_t hcr;
	const char *left;	/* of TLBIs "i" (IS), "o" (OS), "x" (IS nXS), in order */
} dsbs[] = {
	{ "DSB SY", DSB_SY, true, 1, 0, "" },
	{ "DSB OSH", DSB_OSH, true, 1, 0, "" },
	{ "DSB ISH leaves what is Outer Shareable", DSB_ISH, true, 1, 0, "o" },
	{ "DSB NSH leaves all", DSB_NSH, true, 1, 0, "iox" },
	{ "DSB NSH under HCR_EL2.BSU", DSB_NSH, true, 1, HCR_BSU_IS, "o" },
	{ "BSU is for EL1 and EL0", DSB_NSH, true, 2, HCR_BSU_IS, "iox" },
	{ "DSB ISH nXS waits for nXS only", DSB_ISH_NXS, true, 1, 0, "io" },
	{ "DSB SY nXS", DSB_SY_NXS, true, 1, 0, "io" },
	{ "DSB ISHST is for stores", DSB_ISHST, false },
	{ "DSB ST", DSB_ST, false },
	{ "DSB LD", DSB_LD, false },
	{ "DSB NSHST", DSB_NSHST, false },
	{ "DMB ISH", DMB_ISH, false },
	{ "ISB", ISB, false },
};

#define ORDER_TESTS	3

const unsigned int num_pending_tests = ARRAY_SIZE(dsbs) + ORDER_TESTS;

static char applied[8];

static void apply(const struct tlbi *t)
{
	strncat(applied, t->name, sizeof(applied) - strlen(applied) - 1);
}

static void add(struct pending *p, const char *name)
{
	struct tlbi t = { .bcast = true, .outer = *name == 'o', .nxs = *name == 'x' };

	snprintf(t.name, sizeof(t.name), "%s", name);
	if (!pending_add(p, &t))
		puts("# no memory");
}

static bool left_is(const struct pending *p, const char *want)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (!want[i] || p->t[i].name[0] != want[i])
			return false;
	return !want[i];
}

static void test_order(void)
{
	struct pending a = { 0 }, b = { 0 };
	size_t i;

	applied[0] = '\0';
	add(&a, "1");
	add(&a, "2");
	add(&b, "3");
	result(!applied[0], "a TLBI alone does nothing");
	pending_complete(&a, DSB_ISH, 1, 0, apply);
	result(!strcmp(applied, "12") && b.n == 1, "a DSB completes its own CPU's, in order");
	for (i = 0; i < 1000; i++)
		add(&b, "4");
	result(pending_complete(&b, DSB_ISH, 1, 0, apply) == 1001 && !b.n, "any number of TLBIs");
}

void test_pending(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dsbs); i++) {
		struct pending p = { 0 };
		bool ok = dsb_known(dsbs[i].insn) == dsbs[i].known;
		size_t done = 0;

		applied[0] = '\0';
		add(&p, "i");
		add(&p, "o");
		add(&p, "x");
		if (ok && dsbs[i].known) {
			done = pending_complete(&p, dsbs[i].insn, dsbs[i].el, dsbs[i].hcr, apply);
			ok = left_is(&p, dsbs[i].left) && done == 3 - p.n &&
			     strlen(applied) == done;
		}
		result(ok, dsbs[i].about);
	}
	test_order();
}
