// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCG plugin for qemu-system-aarch64 -M virt,iommu=smmuv3: what the emulated SMMUv3 lacks to share
 * a VM's VMID.
 *
 * It sets ID bits of the SMMU, and applies the CPUs' broadcast TLBIs to the SMMU's IOTLB while the
 * SMMU listens (IDR0.BTM is 1 and CR2.PTM is 0). It does as little as hardware may: a TLBI takes
 * effect at a DSB of the CPU that executed it, and one by ASID spares entries of CDs with ASET = 1.
 * It logs each TLBI with the VMID in VTTBR_EL2, or 0 on a machine without EL2: a witness of KVM's
 * VMID that does not pass through the kernel.
 *
 * Arguments:
 *   idr0=MASK     bits to set in IDR0 (0x20: BTM)
 *   idr0clr=MASK  bits to clear in IDR0 (0x40000: VMIDs of 8 bits)
 *   idr3=MASK     bits to set in IDR3 (0x100: FWB)
 *   force=1       the SMMU listens whatever IDR0 and CR2 say
 *   vmid8=1       CPUs that have 16-bit VMIDs claim 8 (a rollover after 255 VMs)
 *   count=1       counts instructions; HINT #0x7e has their number logged ("insns")
 *   log=qemu      one line per TLBI ("tlbi", still pending), and per DSB that completes any for the
 *                 SMMU ("dsb"), into QEMU's log (-d plugin), in order with trace events
 *   log=FILE      the same into a file
 *
 * No instruction is added to the guest or removed from it: counts under -icount do not change.
 * A machine reset gives the SMMU its own ID bits back; run with -no-reboot.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "pending.h"
#include "qemu-abi.h"
#include "smmu.h"
#include "tlbi.h"

#define MAX_CPUS	64
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* MRS Xt, ID_AA64MMFR1_EL1; its VMIDBits, [7:4], are 0 for 8 bits */
#define MRS_MMFR1_MASK	0xffffffe0u
#define MRS_MMFR1	0xd5380720u
#define MMFR1_VMIDBITS	0xf0ull
#define XZR		31

#define PSTATE_NRW	(1u << 4)	/* AArch32 */

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct cpu_regs {
	struct qemu_plugin_register *x[31];
	struct qemu_plugin_register *vttbr, *vtcr, *hcr, *tcr, *cpsr;	/* the first three: EL2 */
};

static struct cpu_regs cpus[MAX_CPUS];
/* TLBIs for the SMMU; each is touched by its own CPU only */
static struct pending pending[MAX_CPUS];
static struct smmu_setup setup;
static bool vmid8, count_on, log_on;
static FILE *log_file;

/* A test bed that is not what it seems is worse than none. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fputs("smmubtm: error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	/* Not exit(): other threads run, and QEMU's atexit handlers expect its main loop. */
	_exit(1);
}

static struct glib_bytes *reg_buf(void)
{
	static __thread struct glib_bytes *buf;

	if (!buf)
		buf = g_byte_array_new();
	return buf;
}

static uint64_t reg_read(struct qemu_plugin_register *reg)
{
	struct glib_bytes *buf = reg_buf();
	uint64_t v = 0;

	g_byte_array_set_size(buf, 0);
	if (!qemu_plugin_read_register(reg, buf))
		die("cannot read a register");
	memcpy(&v, buf->data, buf->len < sizeof(v) ? buf->len : sizeof(v));
	return v;
}

static void reg_write(struct qemu_plugin_register *reg, uint64_t v)
{
	struct glib_bytes *buf = reg_buf();

	g_byte_array_set_size(buf, sizeof(v));
	memcpy(buf->data, &v, sizeof(v));
	if (!qemu_plugin_write_register(reg, buf))
		die("cannot write a register");
}

static void log_line(const char *line)
{
	if (log_file)
		fputs(line, log_file);
	else
		qemu_plugin_outs(line);
}

static void log_tlbi(unsigned int cpu, unsigned int el, const struct tlbi *t, bool to_smmu)
{
	char line[192];

	snprintf(line, sizeof(line),
		 "smmubtm: tlbi cpu=%u el=%u op=%s vmid=%d asid=%d addr=%#lx pages=%lu bcast=%d smmu=%d\n",
		 cpu, el, t->name, t->vmid, t->asid, t->base, t->pages, t->bcast, to_smmu);
	log_line(line);
}

static void log_dsb(unsigned int cpu, unsigned int el, size_t done)
{
	char line[64];

	snprintf(line, sizeof(line), "smmubtm: dsb cpu=%u el=%u done=%zu\n", cpu, el, done);
	log_line(line);
}

static void log_count(unsigned int cpu, void *udata)
{
	char line[64];

	(void)udata;
	snprintf(line, sizeof(line), "smmubtm: insns cpu=%u n=%lu\n", cpu, count_read(cpu));
	if (log_on)
		log_line(line);
}

static uint64_t reg_read_if_any(struct qemu_plugin_register *reg)
{
	return reg ? reg_read(reg) : 0;
}

/* Runs before the instruction does: what the guest has to do before a TLBI is done. */
static void on_tlbi(unsigned int cpu, void *udata)
{
	const struct cpu_regs *r = &cpus[cpu];
	uint32_t insn = (uintptr_t)udata;
	uint64_t pstate = reg_read(r->cpsr);
	struct tlbi_cpu state = {
		.el = pstate >> 2 & 3,
		.hcr = reg_read_if_any(r->hcr),
		.vttbr = reg_read_if_any(r->vttbr),
		.vtcr = reg_read_if_any(r->vtcr),
		.tcr = reg_read(r->tcr),
	};
	struct tlbi t;
	bool to_smmu;

	if (pstate & PSTATE_NRW)
		return;
	if (tlbi_operand(insn) != XZR)
		state.xt = reg_read(r->x[tlbi_operand(insn)]);
	if (!tlbi_decode(insn, &state, &t))
		return;

	to_smmu = t.bcast && smmu_listens();
	if (log_on)
		log_tlbi(cpu, state.el, &t, to_smmu);
	if (to_smmu && !pending_add(&pending[cpu], &t))
		die("no memory for a TLBI");
}

/* Before the instruction too: what comes after it finds the entries gone. */
static void on_dsb(unsigned int cpu, void *udata)
{
	const struct cpu_regs *r = &cpus[cpu];
	unsigned int el;
	size_t done;

	if (!pending[cpu].n)
		return;
	el = reg_read(r->cpsr) >> 2 & 3;
	done = pending_complete(&pending[cpu], (uintptr_t)udata, el, reg_read_if_any(r->hcr),
				smmu_invalidate);
	if (done && log_on)
		log_dsb(cpu, el, done);
}

/* Runs before the instruction after the MRS: Xt holds what the MRS read. */
static void hide_vmid16(unsigned int cpu, void *udata)
{
	struct qemu_plugin_register *xt = cpus[cpu].x[(uintptr_t)udata];

	reg_write(xt, reg_read(xt) & ~MMFR1_VMIDBITS);
}

static void watch_mmfr1(struct qemu_plugin_tb *tb, size_t next, uint32_t insn)
{
	unsigned int rt = insn & 31;

	if ((insn & MRS_MMFR1_MASK) != MRS_MMFR1 || rt == XZR)
		return;
	if (next == qemu_plugin_tb_n_insns(tb))
		die("vmid8: a read of ID_AA64MMFR1_EL1 is the last of its page");
	qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, next), hide_vmid16,
					       QEMU_PLUGIN_CB_RW_REGS, (void *)(uintptr_t)rt);
}

static void find_smmu(void)
{
	const char *err = smmu_find(&setup);

	if (err)
		die("%s", err);
}

static void on_translate(struct qemu_plugin_tb *tb, void *udata)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)udata;
	/* At the first one the machine is reset, and no CPU has read an ID register yet. */
	pthread_once(&once, find_smmu);

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
		uint32_t insn;

		if (qemu_plugin_insn_data(in, &insn, sizeof(insn)) != sizeof(insn))
			continue;
		if (count_on)
			count_insn(in);
		if (count_on && insn == COUNT_HINT)
			qemu_plugin_register_vcpu_insn_exec_cb(in, log_count,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		if (vmid8)
			watch_mmfr1(tb, i + 1, insn);
		if (tlbi_known(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(in, on_tlbi, QEMU_PLUGIN_CB_R_REGS,
							       (void *)(uintptr_t)insn);
		else if (dsb_known(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(in, on_dsb, QEMU_PLUGIN_CB_R_REGS,
							       (void *)(uintptr_t)insn);
	}
}

static void keep_register(struct cpu_regs *r, const struct qemu_plugin_reg_descriptor *d)
{
	unsigned int n;
	char end;

	if (sscanf(d->name, "x%u%c", &n, &end) == 1 && n < 31)
		r->x[n] = d->handle;
	else if (!strcmp(d->name, "VTTBR_EL2"))
		r->vttbr = d->handle;
	else if (!strcmp(d->name, "VTCR_EL2"))
		r->vtcr = d->handle;
	else if (!strcmp(d->name, "HCR_EL2"))
		r->hcr = d->handle;
	else if (!strcmp(d->name, "TCR_EL1"))
		r->tcr = d->handle;
	else if (!strcmp(d->name, "cpsr"))
		r->cpsr = d->handle;
}

static void on_cpu(unsigned int cpu, void *udata)
{
	struct qemu_plugin_reg_descriptor *d;
	struct cpu_regs *r;
	struct glib_array *list;
	unsigned int i;

	(void)udata;
	if (cpu >= MAX_CPUS)
		die("more than %d CPUs", MAX_CPUS);

	r = &cpus[cpu];
	list = qemu_plugin_get_registers();
	d = (struct qemu_plugin_reg_descriptor *)list->data;
	for (i = 0; i < list->len; i++)
		keep_register(r, &d[i]);

	if (r->hcr && (!r->vttbr || !r->vtcr))
		die("the CPU shows some of the EL2 registers only");
	if (!r->cpsr || !r->tcr)
		die("the CPU shows no cpsr or TCR_EL1");
	for (i = 0; i < 31; i++) {
		if (!r->x[i])
			die("the CPU shows no x%u", i);
	}
}

static const char *missing_symbol(void)
{
#define NEED(f)	{ #f, (void *)(f) }
	static const struct {
		const char *name;
		void *addr;
	} need[] = {
		NEED(g_byte_array_new),
		NEED(g_byte_array_set_size),
		NEED(qemu_plugin_register_vcpu_init_cb),
		NEED(qemu_plugin_register_vcpu_tb_trans_cb),
		NEED(qemu_plugin_register_vcpu_insn_exec_cb),
		NEED(qemu_plugin_scoreboard_new),
		NEED(qemu_plugin_u64_get),
		NEED(qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu),
		NEED(qemu_plugin_tb_n_insns),
		NEED(qemu_plugin_tb_get_insn),
		NEED(qemu_plugin_insn_data),
		NEED(qemu_plugin_get_registers),
		NEED(qemu_plugin_read_register),
		NEED(qemu_plugin_write_register),
		NEED(qemu_plugin_outs),
		NEED(object_resolve_path_type),
		NEED(bql_lock_impl),
		NEED(bql_unlock),
		NEED(bql_locked),
		NEED(physical_memory_read),
		NEED(physical_memory_write),
		NEED(smmu_iotlb_inv_all),
		NEED(smmu_iotlb_inv_vmid),
		NEED(smmu_iotlb_inv_vmid_s1),
		NEED(smmu_iotlb_inv_asid_vmid),
		NEED(smmu_iotlb_inv_iova),
		NEED(smmu_iotlb_inv_ipa),
	};
#undef NEED
	size_t i;

	for (i = 0; i < ARRAY_SIZE(need); i++) {
		if (!need[i].addr)
			return need[i].name;
	}
	return NULL;
}

static bool parse_mask(const char *s, uint32_t *mask)
{
	unsigned long v;
	char *end;

	v = strtoul(s, &end, 0);
	if (end == s || *end || v > UINT32_MAX)
		return false;
	*mask = v;
	return true;
}

/* QEMU itself turns an option without a value into "=on". */
static bool parse_bool(const char *s, bool *b)
{
	*b = !strcmp(s, "1") || !strcmp(s, "on");
	return *b || !strcmp(s, "0") || !strcmp(s, "off");
}

static bool parse_log(const char *s)
{
	log_on = true;
	if (!strcmp(s, "qemu"))
		return true;
	log_file = fopen(s, "w");
	if (!log_file) {
		perror(s);
		return false;
	}
	setvbuf(log_file, NULL, _IOLBF, 0);
	return true;
}

static bool parse_arg(const char *arg)
{
	const char *val = strchr(arg, '=');
	size_t n = val ? val - arg : 0;

	if (!val++)
		return false;
	if (n == 4 && !strncmp(arg, "idr0", n))
		return parse_mask(val, &setup.idr0_set);
	if (n == 7 && !strncmp(arg, "idr0clr", n))
		return parse_mask(val, &setup.idr0_clear);
	if (n == 4 && !strncmp(arg, "idr3", n))
		return parse_mask(val, &setup.idr3_set);
	if (n == 5 && !strncmp(arg, "force", n))
		return parse_bool(val, &setup.force);
	if (n == 5 && !strncmp(arg, "vmid8", n))
		return parse_bool(val, &vmid8);
	if (n == 5 && !strncmp(arg, "count", n))
		return parse_bool(val, &count_on);
	if (n == 3 && !strncmp(arg, "log", n))
		return parse_log(val);
	return false;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc,
					   char **argv)
{
	const char *missing = missing_symbol();
	int i;

	(void)info;
	if (missing) {
		fprintf(stderr, "smmubtm: error: this QEMU has no %s for a plugin", missing);
		fputs(" (needed: 11.1, built with plugins and modules)\n", stderr);
		return -1;
	}
	for (i = 0; i < argc; i++) {
		if (!parse_arg(argv[i])) {
			fprintf(stderr, "smmubtm: error: bad argument '%s'\n", argv[i]);
			return -1;
		}
	}
	if (count_on && !count_start()) {
		fputs("smmubtm: error: no memory to count in\n", stderr);
		return -1;
	}
	qemu_plugin_register_vcpu_init_cb(id, on_cpu, NULL);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
	return 0;
}
