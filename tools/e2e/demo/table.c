// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables that `make demo` and `make bench` print. Every value is from the console and the trace
 * of the runs given: e2e-table bench|demo DIR, where DIR is the runner's output directory.
 *
 * Ends with 1 if the patched kernel does not show what it promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-steps.h"
#include "case.h"
#include "demo-steps.h"
#include "table.h"

#define MAX_VMS		8
#define TARGET_RATIO	100

enum { BENCH_STEPS(E2E_STEP_NUMBER) };
enum { DEMO_STEPS(E2E_STEP_NUMBER) };

struct vm_row {
	unsigned int sid;
	char before, tlbi, cmd;	/* the page that DMA lands in */
	int kvm_vmid, smmu_vmid;
	size_t commands;	/* that the SMMU took until DMA landed in the new page */
};

struct demo {
	unsigned int vms;
	struct vm_row vm[MAX_VMS];
};

/* The VMID under which the SMMU cached what @sid (any, if TRACE_NO_SID) accessed in a step. */
static int inserted_vmid(const struct trace *t, u32 mark, u32 sid)
{
	size_t first, last;
	const struct ev *e;

	trace_step_find(t, mark, &first, &last);
	for (e = trace_next(t, EV_INSERT, NULL, first, last); e;
	     e = trace_next(t, EV_INSERT, NULL, e - t->ev + 1, last)) {
		if (sid == TRACE_NO_SID || e->sid == sid)
			return e->vmid;
	}
	return TRACE_NONE;
}

static u64 step_pa(const struct trace *t, u32 mark, u32 sid)
{
	size_t first, last;
	const struct ev *e;

	trace_step_find(t, mark, &first, &last);
	for (e = trace_next(t, EV_XLATE, NULL, first, last); e;
	     e = trace_next(t, EV_XLATE, NULL, e - t->ev + 1, last)) {
		if (e->sid == sid)
			return e->pa;
	}
	return 0;
}

static bool tlbis_reach(const struct trace *t, u32 mark, int vmid)
{
	size_t first, last, n = 0;
	const struct ev *e;

	trace_step_find(t, mark, &first, &last);
	for (e = trace_next(t, EV_TLBI, "VAE1IS", first, last); e;
	     e = trace_next(t, EV_TLBI, "VAE1IS", e - t->ev + 1, last), n++) {
		if (!e->to_smmu || e->vmid != vmid)
			return false;
	}
	return n;
}

static void read_bench(const char *dir, int kernel, struct bench *b)
{
	FILE *f = open_console(dir, "bench", kernel);
	size_t first, last;
	struct trace t;
	char line[512];

	*b = (struct bench){ 0 };
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, " # bench tlbi %lu", &b->tlbi);
		sscanf(line, " # bench exit %lu", &b->exit);
		sscanf(line, " # bench ioctl %lu", &b->ioctl);
		sscanf(line, " # bench calls %lu", &b->calls);
		sscanf(line, " # bench load %lu, without a device %lu", &b->load, &b->load_other);
	}
	fclose(f);
	if (!b->tlbi || !b->exit || !b->ioctl || !b->calls || !b->load || !b->load_other)
		die("the benchmark on the %s kernel did not finish", kernel_name[kernel]);

	read_trace(dir, "bench", kernel, &t);
	trace_step_find(&t, MARK(BENCH_NUMBER, STEP_BENCH_IOCTL), &first, &last);
	b->commands = trace_count(&t, EV_CMD, NULL, first, last);
	b->reaches = tlbis_reach(&t, MARK(BENCH_NUMBER, STEP_BENCH_TLBI),
				 inserted_vmid(&t, MARK(BENCH_NUMBER, STEP_BENCH_DMA),
					       TRACE_NO_SID));
	trace_free(&t);
}

/* What an invalidation costs that reaches the device: by itself, or through the host. */
static u64 bench_cost(const struct bench *b)
{
	return b->reaches ? b->tlbi : b->exit + b->ioctl;
}

static void print_row(const char *what, u64 base, u64 patched)
{
	printf("%-50s %10lu %10lu\n", what, base, patched);
}

static void print_bench(const struct bench b[NR_KERNELS])
{
	u64 ratio = bench_cost(&b[BASE]) / bench_cost(&b[PATCHED]);

	printf("%-50s %10s %10s\n", "Instructions for one invalidation by a guest", "unpatched",
	       "patched");
	print_row("  exit to the VMM and back, one register set", b[BASE].exit, b[PATCHED].exit);
	print_row("  IOMMU_HWPT_INVALIDATE, one command", b[BASE].ioctl, b[PATCHED].ioctl);
	print_row("    commands that the SMMU takes for it", b[BASE].commands / b[BASE].calls,
		  b[PATCHED].commands / b[PATCHED].calls);
	print_row("  through the host, at least: exit + ioctl", b[BASE].exit + b[BASE].ioctl,
		  b[PATCHED].exit + b[PATCHED].ioctl);
	print_row("  the guest's own TLBI and DSB, in a loop", b[BASE].tlbi, b[PATCHED].tlbi);
	printf("%-50s %10s %10s\n", "    does that reach its device?",
	       b[BASE].reaches ? "yes" : "no", b[PATCHED].reaches ? "yes" : "no");
	print_row("An invalidation that reaches the device", bench_cost(&b[BASE]),
		  bench_cost(&b[PATCHED]));
	printf("  %lu times fewer. Instructions, not time: what DSB waits for is not in them.\n",
	       ratio);
	if (ratio < TARGET_RATIO)
		complain("%lu times fewer instructions, the target is %d", ratio, TARGET_RATIO);
}

static void print_load(const struct bench b[NR_KERNELS])
{
	puts("KVM_RUN that only loads the vCPU and puts it");
	print_row("  of a VM with a vSMMU; patched: its VMID is pinned", b[BASE].load,
		  b[PATCHED].load);
	print_row("  of another VM", b[BASE].load_other, b[PATCHED].load_other);
	printf("  Pinned to not pinned on the unpatched kernel: %.4f\n",
	       (double)b[PATCHED].load / b[BASE].load);
	if (b[PATCHED].load > b[BASE].load || b[PATCHED].load_other > b[BASE].load_other)
		complain("a vCPU takes more instructions to load than on the unpatched kernel");
}

static void read_vm(const struct trace *t, unsigned int i, struct vm_row *r)
{
	u64 pa_old = step_pa(t, MARK(DEMO_NUMBER, i << 4 | STEP_DEMO_DMA_OLD), r->sid);
	u64 pa_tlbi = step_pa(t, MARK(DEMO_NUMBER, i << 4 | STEP_DEMO_DMA_TLBI), r->sid);
	bool moved = pa_old != pa_tlbi, stale = r->before == r->tlbi;
	size_t first, last;
	const struct ev *e;

	/* Two witnesses: what the guest found in its memory, and the SMMU. */
	if (!pa_old || moved == stale)
		complain("VM %u: DMA in page %c, then %c, but the SMMU says %#lx, then %#lx", i,
			 r->before, r->tlbi, pa_old, pa_tlbi);

	r->smmu_vmid = inserted_vmid(t, MARK(DEMO_NUMBER, i << 4 | STEP_DEMO_DMA_OLD), r->sid);
	trace_step_find(t, MARK(DEMO_NUMBER, i << 4 | STEP_DEMO_TLBI), &first, &last);
	e = trace_next(t, EV_TLBI, "VAE1IS", first, last);
	r->kvm_vmid = e ? e->vmid : TRACE_NONE;
	if (r->smmu_vmid == TRACE_NONE || r->kvm_vmid == TRACE_NONE)
		die("VM %u: no VMID in the trace", i);

	r->commands = trace_count(t, EV_CMD, NULL, first, last);
	if (!stale)
		return;
	trace_step_find(t, MARK(DEMO_NUMBER, i << 4 | STEP_DEMO_CMD), &first, &last);
	r->commands += trace_count(t, EV_CMD, NULL, first, last);
}

static void read_demo(const char *dir, int kernel, struct demo *d)
{
	FILE *f = open_console(dir, "demo", kernel);
	struct trace t;
	char line[512];
	unsigned int i;

	*d = (struct demo){ 0 };
	while (fgets(line, sizeof(line), f)) {
		struct vm_row r = { 0 };

		if (sscanf(line, " # demo vm %u sid %x dma %c %c %c", &i, &r.sid, &r.before,
			   &r.tlbi, &r.cmd) != 5)
			continue;
		if (i != d->vms || i == MAX_VMS)
			die("VM %u out of turn", i);
		d->vm[d->vms++] = r;
	}
	fclose(f);
	if (!d->vms)
		die("the demo on the %s kernel did not finish", kernel_name[kernel]);

	read_trace(dir, "demo", kernel, &t);
	for (i = 0; i < d->vms; i++)
		read_vm(&t, i, &d->vm[i]);
	trace_free(&t);
}

static void print_vm(const struct vm_row *r, const struct bench *b)
{
	bool stale = r->tlbi == r->before;
	u64 cost = stale ? b->exit + b->ioctl : b->tlbi;

	printf(" | %4d %5d %4c  %c %-7s %4zu %5lu", r->kvm_vmid, r->smmu_vmid, r->before, r->tlbi,
	       stale ? "(stale)" : "", r->commands, cost);
}

static void print_demo(const struct demo d[NR_KERNELS], const struct bench b[NR_KERNELS])
{
	unsigned int i;
	int k;

	if (d[BASE].vms != d[PATCHED].vms)
		die("the runs have not the same number of VMs");

	printf("%9s | %-37s | %s\n", "", "unpatched", "patched");
	printf("%9s", "");
	for (k = 0; k < NR_KERNELS; k++)
		printf(" | %10s  %-14s %4s %5s", "VMID of", "DMA lands in", "SMMU", "insns");
	printf("\n%9s", "VM device");
	for (k = 0; k < NR_KERNELS; k++)
		printf(" | %4s %5s %4s  %-9s %4s %5s", "KVM", "SMMU", "old", "then", "cmds",
		       "each");
	putchar('\n');
	for (i = 0; i < d[BASE].vms; i++) {
		const struct vm_row *r = &d[PATCHED].vm[i];

		printf("%2u %#6x", i, r->sid);
		for (k = 0; k < NR_KERNELS; k++)
			print_vm(&d[k].vm[i], &b[k]);
		putchar('\n');
		if (r->kvm_vmid != r->smmu_vmid || r->tlbi != r->cmd || r->commands)
			complain("VM %u: the guest's TLBI does not reach its device by itself", i);
	}
	puts("KVM's VMID: in VTTBR_EL2 at the guest's TLBI; the SMMU's: in the entries it caches.\n"
	     "The guest maps page A, then B; then: after its TLBI. cmds: until DMA lands in B.\n"
	     "insns: executed for one guest invalidation that reaches the device (-icount).\n");
}

int main(int argc, char **argv)
{
	struct bench b[NR_KERNELS];
	struct demo d[NR_KERNELS];
	bool demo = argc == 3 && !strcmp(argv[1], "demo");
	int k;

	if (!demo && !(argc == 3 && !strcmp(argv[1], "bench")))
		die("usage: e2e-table demo|bench DIR");

	for (k = 0; k < NR_KERNELS; k++) {
		read_bench(argv[2], k, &b[k]);
		if (demo)
			read_demo(argv[2], k, &d[k]);
	}
	if (demo) {
		print_demo(d, b);
		print_own_demo(argv[2]);
	}
	print_bench(b);
	print_load(b);
	if (!demo)
		print_own_bench(argv[2], b);
	return complained();
}
