// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of a kernel that invalidates its own stage 1: what mappings by the DMA API and reads
 * of a disk cost at EL1, as measured, and what the measured exits make of that in a guest.
 */
#include <stdlib.h>
#include <string.h>

#include "bench-steps.h"
#include "case.h"
#include "table.h"

#define TARGET_EL1	0.9	/* instructions of an unmap of 4 KB, to the base's */
#define TARGET_GUEST	5	/* how many times fewer in a guest */

enum { PAIR_STEPS(E2E_STEP_NUMBER) };
enum { READS_STEPS(E2E_STEP_NUMBER) };

/* Something that was done so often, and what it took in all */
struct cost {
	char name[32];
	u64 insns;		/* of one, with the map; or of one read */
	u64 unmap_insns;	/* of one unmap; of a read nothing is known of it */
	double commands;	/* that the SMMU took, for one */
	double writes, reads;	/* of its registers, for one */
};

static void count_smmu(struct cost *c, const struct trace *t, u32 mark, unsigned int times)
{
	size_t first, last;

	trace_step_find(t, mark, &first, &last);
	c->commands = (double)trace_count(t, EV_CMD, NULL, first, last) / times;
	c->writes = (double)trace_count(t, EV_MMIO, NULL, first, last) / times;
	c->reads = (double)trace_count(t, EV_READ, NULL, first, last) / times;
}

static double accesses(const struct cost *c)
{
	return c->writes + c->reads;
}

/* Each access of a register is an exit, and a write of the queue's index an ioctl of the VMM */
static double in_guest(double insns, const struct cost *c, const struct bench *b)
{
	return insns + accesses(c) * b->exit + c->writes * b->ioctl;
}

static void read_pairs(const char *dir, const char *entry, int kernel, struct cost c[PAIR_ROUNDS])
{
	FILE *f = open_console(dir, entry, kernel);
	unsigned int i, n = 0, unmaps[PAIR_ROUNDS];
	struct cost row;
	struct trace t;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " # pair %u map and unmap %lu unmap %lu unmaps %u, %31[^\n]", &i,
			   &row.insns, &row.unmap_insns, &unmaps[n % PAIR_ROUNDS], row.name) != 5)
			continue;
		if (i != n || n == PAIR_ROUNDS || !unmaps[n])
			die("mapping %u out of turn", i);
		c[n++] = row;
	}
	fclose(f);
	if (n != PAIR_ROUNDS)
		die("'%s' did not finish", entry);
	read_trace(dir, entry, kernel, &t);
	for (i = 0; i < n; i++)
		count_smmu(&c[i], &t, MARK(PAIR_NUMBER, ROUND(i, STEP_PAIR_RUN)), unmaps[i]);
	trace_free(&t);
}

static void read_reads(const char *dir, int kernel, struct cost *c)
{
	const u32 mark = MARK(READS_NUMBER, STEP_READS_RUN);
	const struct ev *e, *before = NULL;
	size_t first, last;
	u64 best = ~0ull;
	struct trace t;

	*c = (struct cost){ .name = "an NVMe read, 4 KB" };
	read_trace(dir, "disk", kernel, &t);
	trace_step_find(&t, mark, &first, &last);
	for (e = trace_next(&t, EV_INSNS, NULL, first, last); e;
	     e = trace_next(&t, EV_INSNS, NULL, e - t.ev + 1, last)) {
		if (before && e->val - before->val < best)
			best = e->val - before->val;
		before = e;
	}
	if (best == ~0ull)
		die("the reads were not counted");
	c->insns = best / READS_BATCH;
	count_smmu(c, &t, mark, READS);
	trace_free(&t);
}

static void print_head(const char *what)
{
	int k;

	printf("\n%-20s", what);
	for (k = 0; k < NR_KERNELS; k++)
		printf(" | %-33s", k == BASE ? "unpatched" : "patched");
	printf(" |   ratio\n%20s", "");
	for (k = 0; k < NR_KERNELS; k++)
		printf(" | %6s %6s %4s %4s %9s", "insns", "unmap", "cmds", "regs", "in guest");
	printf(" |  EL1  guest\n");
}

static void print_cost(const struct cost c[NR_KERNELS], const struct bench b[NR_KERNELS])
{
	double insns[NR_KERNELS], guest[NR_KERNELS];
	int k;

	printf("%-20s", c[BASE].name);
	for (k = 0; k < NR_KERNELS; k++) {
		insns[k] = c[k].unmap_insns ?: c[k].insns;
		guest[k] = in_guest(insns[k], &c[k], &b[k]);
		printf(" | %6lu ", c[k].insns);
		if (c[k].unmap_insns)
			printf("%6lu", c[k].unmap_insns);
		else
			printf("%6s", "");
		printf(" %4.1f %4.1f %9.0f", c[k].commands, accesses(&c[k]), guest[k]);
	}
	printf(" | %4.2f %6.3f\n", insns[PATCHED] / insns[BASE], guest[PATCHED] / guest[BASE]);
	if (c[PATCHED].commands || accesses(&c[PATCHED]))
		complain("%s: the patched kernel uses the SMMU's queue", c[BASE].name);
}

static void print_pairs(const char *dir, const char *entry, const char *head,
			const struct bench b[NR_KERNELS])
{
	struct cost c[NR_KERNELS][PAIR_ROUNDS], row[NR_KERNELS];
	double el1, guest;
	unsigned int i;
	int k;

	for (k = 0; k < NR_KERNELS; k++)
		read_pairs(dir, entry, k, c[k]);
	print_head(head);
	for (i = 0; i < PAIR_ROUNDS; i++) {
		for (k = 0; k < NR_KERNELS; k++)
			row[k] = c[k][i];
		print_cost(row, b);
	}
	el1 = (double)c[PATCHED][0].unmap_insns / c[BASE][0].unmap_insns;
	guest = in_guest(c[BASE][0].unmap_insns, &c[BASE][0], &b[BASE]) /
		in_guest(c[PATCHED][0].unmap_insns, &c[PATCHED][0], &b[PATCHED]);
	if (el1 > TARGET_EL1)
		complain("an unmap takes %.2f of the instructions, the target is %.1f", el1,
			 TARGET_EL1);
	if (guest < TARGET_GUEST)
		complain("an unmap in a guest takes %.1f times fewer instructions, not %d",
			 guest, TARGET_GUEST);
}

void print_own_bench(const char *dir, const struct bench b[NR_KERNELS])
{
	struct cost reads[NR_KERNELS];
	int k;

	print_pairs(dir, "pair", "dma_map + dma_unmap", b);
	print_pairs(dir, "pair-a72", "the same, no ranges", b);
	for (k = 0; k < NR_KERNELS; k++)
		read_reads(dir, k, &reads[k]);
	print_head("");
	print_cost(reads, b);
	puts("insns, unmap: measured at EL1 on a host, which has no exits; cmds, regs: the SMMU's\n"
	     "commands and register accesses of one unmap, or read. in guest: computed, not\n"
	     "measured: the unmap's (the read's) instructions, the exit measured above for each\n"
	     "register access, and the ioctl for each write. The ratios are of the unmap, or read.");
}

void print_own_demo(const char *dir)
{
	struct cost c[NR_KERNELS];
	int k;

	printf("%-20s | %9s | %9s\n", "NVMe reads of 4 KB", "unpatched", "patched");
	for (k = 0; k < NR_KERNELS; k++)
		read_reads(dir, k, &c[k]);
	printf("%-20s | %9d | %9d\n", "reads", READS, READS);
	printf("%-20s | %9.2f | %9.2f\n", "SMMU commands each", c[BASE].commands,
	       c[PATCHED].commands);
	printf("%-20s | %9.2f | %9.2f\n", "SMMU registers each", accesses(&c[BASE]),
	       accesses(&c[PATCHED]));
	puts("A kernel at EL1, as a guest's is, which unmaps after each read. In a guest each\n"
	     "access of a register is an exit.\n");
	if (c[PATCHED].commands || accesses(&c[PATCHED]))
		complain("the patched kernel uses the SMMU's queue for a read");
}
