// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define BLANK	"\n "
#define NONE	((size_t)-1)

/* What the parser knows while it reads. */
struct parser {
	struct trace *t;
	size_t room;
	unsigned int line;
	u32 mark;
	size_t cmd;		/* the command whose details follow */
	size_t insert;		/* first insert whose access is not known yet */
	u64 fault_iova;		/* of the refused access, told just before the event */
};

static struct ev *add(struct parser *p, enum ev_kind kind)
{
	struct trace *t = p->t;
	struct ev *e;

	if (t->n == p->room) {
		p->room = p->room ? 2 * p->room : 4096;
		t->ev = realloc(t->ev, p->room * sizeof(*t->ev));
		if (!t->ev) {
			perror("trace");
			exit(2);
		}
	}
	e = &t->ev[t->n++];
	*e = (struct ev){
		.kind = kind,
		.line = p->line,
		.mark = p->mark,
		.sid = TRACE_NO_SID,
		.vmid = TRACE_NONE,
		.asid = TRACE_NONE,
	};
	return e;
}

/*
 * Find "KEY=" or "KEY:" in the text, KEY at the beginning of a word, and read the number after it.
 * QEMU's events use both signs, with and without a blank after them.
 */
static bool number(const char *s, const char *key, long long *v)
{
	size_t n = strlen(key);
	const char *at = s;
	char *end;

	while ((at = strstr(at, key))) {
		bool word = at == s || at[-1] == ' ';

		at += n;
		if (!word || (*at != '=' && *at != ':'))
			continue;
		errno = 0;
		*v = (long long)strtoull(at + 1, &end, 0);
		return end != at + 1 && !errno;
	}
	return false;
}

static bool get_u64(const char *s, const char *key, u64 *v)
{
	long long n;

	if (!number(s, key, &n))
		return false;
	*v = n;
	return true;
}

static bool get_u32(const char *s, const char *key, u32 *v)
{
	long long n;

	if (!number(s, key, &n))
		return false;
	*v = n;
	return true;
}

static bool get_int(const char *s, const char *key, int *v)
{
	return get_u32(s, key, (u32 *)v);
}

static bool get_bool(const char *s, const char *key, bool *v)
{
	int n;

	if (!get_int(s, key, &n) || n < 0 || n > 1)
		return false;
	*v = n;
	return true;
}

/* One word, less a prefix that it may have. */
static bool get_word(const char *s, const char *prefix, char op[24])
{
	size_t n;

	if (!strncmp(s, prefix, strlen(prefix)))
		s += strlen(prefix);
	n = strcspn(s, BLANK);
	if (!n || n >= 24)
		return false;
	memcpy(op, s, n);
	op[n] = 0;
	return true;
}

static bool set_op(struct ev *e, const char *op)
{
	snprintf(e->op, sizeof(e->op), "%s", op);
	return true;
}

/*
 * Commands: smmuv3_cmdq_opcode says which, another event says with what. Lines of the plugin can be
 * in between, as CPUs do not stop for the SMMU; other events of the SMMU cannot.
 */
static bool parse_opcode(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_CMD);

	p->cmd = p->t->n - 1;
	return !strncmp(s, "<--- ", 5) && get_word(s + 5, "SMMU_", e->op);
}

static struct ev *current_cmd(struct parser *p)
{
	return p->cmd == NONE ? NULL : &p->t->ev[p->cmd];
}

static bool parse_cmd_done(struct parser *p, const char *s)
{
	(void)s;
	p->cmd = NONE;
	return true;
}

static bool parse_cmd_error(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);

	(void)s;
	if (e)
		e->error = true;
	return e;
}

static bool parse_cmd_sid(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);

	return e && (get_u32(s, "streamid", &e->sid) || get_u32(s, "sid", &e->sid));
}

static bool parse_cmd_sid_range(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);

	return e && get_u32(s, "start", &e->sid) && get_u64(s, "end", &e->val);
}

static bool parse_cmd_vmid(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);

	return e && get_int(s, "vmid", &e->vmid);
}

static bool parse_cmd_asid(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);

	return e && get_int(s, "asid", &e->asid);
}

/* A command for a range comes as several, each a power of two of pages. */
static bool parse_cmd_range(struct parser *p, const char *s)
{
	struct ev *e = current_cmd(p);
	u64 addr, pages;

	if (!e || !get_int(s, "vmid", &e->vmid) || !get_int(s, "asid", &e->asid) ||
	    !get_u64(s, "addr", &addr) || !get_u64(s, "num_pages", &pages))
		return false;
	if (!e->pages)
		e->iova = addr;
	e->pages += pages;
	return true;
}

static bool parse_flush(struct parser *p, const char *op, const char *s)
{
	struct ev *e = add(p, EV_FLUSH);
	struct ev *cmd;

	get_int(s, "vmid", &e->vmid);
	get_int(s, "asid", &e->asid);
	get_u64(s, "addr", &e->iova);
	/* TLBI_NH_ASID: its own event has no VMID, the flush that it leads to does. */
	cmd = current_cmd(p);
	if (cmd && cmd->vmid == TRACE_NONE && !strcmp(cmd->op, "CMD_TLBI_NH_ASID"))
		cmd->vmid = e->vmid;
	return set_op(e, op);
}

static bool parse_flush_all(struct parser *p, const char *s)
{
	return parse_flush(p, "ALL", s);
}

static bool parse_flush_vmid(struct parser *p, const char *s)
{
	return parse_flush(p, "VMID", s);
}

static bool parse_flush_vmid_s1(struct parser *p, const char *s)
{
	return parse_flush(p, "VMID_S1", s);
}

static bool parse_flush_asid(struct parser *p, const char *s)
{
	return parse_flush(p, "ASID", s);
}

static bool parse_flush_iova(struct parser *p, const char *s)
{
	return parse_flush(p, "IOVA", s);
}

static bool parse_insert(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_INSERT);

	if (p->insert == NONE)
		p->insert = p->t->n - 1;
	e->pages = 1;
	return get_int(s, "vmid", &e->vmid) && get_int(s, "asid", &e->asid) &&
	       get_u64(s, "addr", &e->iova) && get_int(s, "level", &e->level);
}

/* An insert is part of the access that is told next. */
static void settle_inserts(struct parser *p, u32 sid, u64 pa)
{
	size_t i;

	for (i = p->insert; i < p->t->n; i++) {
		if (p->t->ev[i].kind != EV_INSERT)
			continue;
		p->t->ev[i].sid = sid;
		p->t->ev[i].pa = pa;
	}
	p->insert = NONE;
}

static bool parse_success(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_XLATE);

	if (!get_u32(s, "sid", &e->sid) || !get_u64(s, "iova", &e->iova) ||
	    !get_u64(s, "translated", &e->pa) || !get_u64(s, "stage", &e->val))
		return false;
	settle_inserts(p, e->sid, e->pa);
	return true;
}

static bool parse_untranslated(struct parser *p, const char *op, const char *s)
{
	struct ev *e = add(p, EV_XLATE);

	set_op(e, op);
	if (!get_u32(s, "sid", &e->sid) || !get_u64(s, "iova", &e->iova))
		return false;
	e->pa = e->iova;
	return true;
}

static bool parse_bypass(struct parser *p, const char *s)
{
	return parse_untranslated(p, "BYPASS", s);
}

static bool parse_disabled(struct parser *p, const char *s)
{
	return parse_untranslated(p, "DISABLED", s);
}

static bool parse_abort(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_FAULT);

	set_op(e, "ABORT");
	return get_u32(s, "sid", &e->sid) && get_u64(s, "iova", &e->iova);
}

static bool parse_event(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_FAULT);

	e->iova = p->fault_iova;
	p->fault_iova = 0;
	if (!get_word(s, "SMMU_EVT_", e->op) || !get_u32(s, "sid", &e->sid))
		return false;
	settle_inserts(p, e->sid, 0);
	return true;
}

static bool parse_mmio(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_MMIO);

	return get_u64(s, "addr", &e->iova) && get_u64(s, "val", &e->val);
}

static bool parse_mmio_read(struct parser *p, const char *s)
{
	return get_u64(s, "addr", &add(p, EV_READ)->iova);
}

static bool parse_request(struct parser *p, const char *op, const char *s)
{
	struct ev *e = add(p, EV_REQ);

	return set_op(e, op) && get_u64(s, "domain", &e->val);
}

static bool parse_virtio_attach(struct parser *p, const char *s)
{
	return parse_request(p, "ATTACH", s) &&
	       get_u32(s, "endpoint", &p->t->ev[p->t->n - 1].sid);
}

static bool parse_range(struct ev *e, const char *s)
{
	u64 end;

	if (!get_u64(s, "virt_start", &e->iova) || !get_u64(s, "virt_end", &end))
		return false;
	e->pages = (end - e->iova + 1) / 4096;
	return true;
}

static bool parse_virtio_map(struct parser *p, const char *s)
{
	struct ev *e;

	if (!parse_request(p, "MAP", s))
		return false;
	e = &p->t->ev[p->t->n - 1];
	return parse_range(e, s) && get_u64(s, "phys_start", &e->pa);
}

static bool parse_virtio_unmap(struct parser *p, const char *s)
{
	return parse_request(p, "UNMAP", s) && parse_range(&p->t->ev[p->t->n - 1], s);
}

static bool parse_virtio_free(struct parser *p, const char *s)
{
	return parse_request(p, "FREE", s);
}

static bool parse_virtio_success(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_XLATE);

	return sscanf(s, "%lx -> %lx for sid=%u", &e->iova, &e->pa, &e->sid) == 3;
}

static bool parse_virtio_fault(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_FAULT);

	return set_op(e, "VIRTIO") && get_u32(s, "endpoint", &e->sid);
}

static bool parse_testdev_write(struct parser *p, const char *s)
{
	u64 addr, val;

	if (!get_u64(s, "addr", &addr) || !get_u64(s, "value", &val))
		return false;
	if (addr == 0x0c && MARK_IS(val)) {
		p->mark = val;
		add(p, EV_MARK)->val = val;
	}
	return true;
}

static bool parse_dma(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_DMA);

	return get_u64(s, "gva", &e->iova) && get_u64(s, "len", &e->pages);
}

static bool parse_dma_result(struct parser *p, const char *s)
{
	struct ev *e = add(p, EV_DMA_END);

	return get_u64(s, "result", &e->val);
}

static bool parse_plugin(struct parser *p, const char *s)
{
	const char *op;
	struct ev *e;

	if (!strncmp(s, "dsb ", 4)) {
		e = add(p, EV_DSB);
		return get_u32(s, "cpu", &e->cpu) && get_u32(s, "el", &e->el) &&
		       get_u64(s, "done", &e->val);
	}
	if (!strncmp(s, "insns ", 6)) {
		e = add(p, EV_INSNS);
		return get_u32(s, "cpu", &e->cpu) && get_u64(s, "n", &e->val);
	}
	if (strncmp(s, "tlbi ", 5))
		return true;
	e = add(p, EV_TLBI);
	op = strstr(s, " op=");
	return op && get_word(op + 4, "", e->op) && get_u32(s, "cpu", &e->cpu) &&
	       get_u32(s, "el", &e->el) && get_int(s, "vmid", &e->vmid) &&
	       get_int(s, "asid", &e->asid) && get_u64(s, "addr", &e->iova) &&
	       get_u64(s, "pages", &e->pages) && get_bool(s, "bcast", &e->bcast) &&
	       get_bool(s, "smmu", &e->to_smmu);
}

static const struct {
	const char *name;
	bool (*parse)(struct parser *p, const char *s);
} events[] = {
	{ "smmubtm:", parse_plugin },
	{ "smmuv3_cmdq_opcode", parse_opcode },
	{ "smmuv3_cmdq_consume", parse_cmd_done },
	{ "smmuv3_cmdq_consume_out", parse_cmd_done },
	{ "smmuv3_cmdq_consume_error", parse_cmd_error },
	{ "smmuv3_cmdq_cfgi_ste", parse_cmd_sid },
	{ "smmuv3_cmdq_cfgi_ste_range", parse_cmd_sid_range },
	{ "smmuv3_cmdq_cfgi_cd", parse_cmd_sid },
	{ "smmuv3_cmdq_tlbi_nh", parse_cmd_vmid },
	{ "smmuv3_cmdq_tlbi_nh_asid", parse_cmd_asid },
	{ "smmuv3_cmdq_tlbi_s12_vmid", parse_cmd_vmid },
	{ "smmuv3_range_inval", parse_cmd_range },
	{ "smmu_iotlb_inv_all", parse_flush_all },
	{ "smmu_iotlb_inv_vmid", parse_flush_vmid },
	{ "smmu_iotlb_inv_vmid_s1", parse_flush_vmid_s1 },
	{ "smmu_iotlb_inv_asid_vmid", parse_flush_asid },
	{ "smmu_iotlb_inv_iova", parse_flush_iova },
	{ "smmu_iotlb_insert", parse_insert },
	{ "smmuv3_translate_success", parse_success },
	{ "smmuv3_translate_bypass", parse_bypass },
	{ "smmuv3_translate_disable", parse_disabled },
	{ "smmuv3_translate_abort", parse_abort },
	{ "smmuv3_propagate_event", parse_event },
	{ "smmuv3_write_mmio", parse_mmio },
	{ "smmuv3_read_mmio", parse_mmio_read },
	{ "virtio_iommu_attach", parse_virtio_attach },
	{ "virtio_iommu_map", parse_virtio_map },
	{ "virtio_iommu_unmap", parse_virtio_unmap },
	{ "virtio_iommu_put_domain", parse_virtio_free },
	{ "virtio_iommu_translate_out", parse_virtio_success },
	{ "virtio_iommu_report_fault", parse_virtio_fault },
	{ "iommu_testdev_mmio_write", parse_testdev_write },
	{ "iommu_testdev_dma_write", parse_dma },
	{ "iommu_testdev_dma_result", parse_dma_result },
};

static bool parse_line(struct parser *p, const char *s)
{
	size_t n = strcspn(s, BLANK), i;
	const char *failed;

	/* Not a trace event: what -d guest_errors says of an access just before it is refused. */
	failed = strstr(s, " translation failed for iova=");
	if (failed)
		return get_u64(failed, "iova", &p->fault_iova);

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (strlen(events[i].name) == n && !strncmp(events[i].name, s, n))
			return events[i].parse(p, s[n] == ' ' ? s + n + 1 : s + n);
	}
	return true;
}

int trace_read(const char *path, struct trace *t)
{
	struct parser p = { .t = t, .cmd = NONE, .insert = NONE };
	size_t size = 0;
	char *s = NULL;
	int ret = 0;
	FILE *f;

	*t = (struct trace){ 0 };
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		return -1;
	}
	while (!ret && getline(&s, &size, f) >= 0) {
		p.line++;
		if (!parse_line(&p, s)) {
			fprintf(stderr, "%s:%u: not in the format known: %s", path, p.line, s);
			ret = -1;
		}
	}
	if (!ret && ferror(f)) {
		perror(path);
		ret = -1;
	}
	if (!ret && !t->n) {
		fprintf(stderr, "%s: no trace event in it\n", path);
		ret = -1;
	}
	free(s);
	fclose(f);
	if (ret)
		trace_free(t);
	return ret;
}

void trace_free(struct trace *t)
{
	free(t->ev);
	*t = (struct trace){ 0 };
}

bool trace_step_next(const struct trace *t, u32 mark, size_t from, size_t *first, size_t *last)
{
	size_t i = from;

	while (i < t->n && !(t->ev[i].kind == EV_MARK && t->ev[i].mark == mark))
		i++;
	if (i == t->n)
		return false;
	*first = ++i;
	while (i < t->n && t->ev[i].kind != EV_MARK)
		i++;
	*last = i;
	return true;
}

bool trace_step(const struct trace *t, u32 mark, size_t *first, size_t *last)
{
	return trace_step_next(t, mark, 0, first, last);
}

bool trace_case(const struct trace *t, unsigned int case_no, size_t *first, size_t *last)
{
	size_t i = 0;

	while (i < t->n && !(t->ev[i].kind == EV_MARK && MARK_CASE(t->ev[i].mark) == case_no))
		i++;
	if (i == t->n)
		return false;
	*first = i;
	while (i < t->n && MARK_CASE(t->ev[i].mark) == case_no)
		i++;
	*last = i;
	return true;
}

const struct ev *trace_next(const struct trace *t, enum ev_kind kind, const char *op, size_t from,
			    size_t last)
{
	size_t i;

	for (i = from; i < last && i < t->n; i++) {
		if (t->ev[i].kind == kind && (!op || !strcmp(t->ev[i].op, op)))
			return &t->ev[i];
	}
	return NULL;
}

size_t trace_count(const struct trace *t, enum ev_kind kind, const char *op, size_t from,
		   size_t last)
{
	const struct ev *e;
	size_t n = 0;

	for (e = trace_next(t, kind, op, from, last); e;
	     e = trace_next(t, kind, op, e - t->ev + 1, last))
		n++;
	return n;
}

const char *trace_kind_name(enum ev_kind kind)
{
	static const char * const names[] = {
		[EV_MARK] = "MARK",
		[EV_INSERT] = "INSERT",
		[EV_CMD] = "CMD",
		[EV_MMIO] = "MMIO",
		[EV_READ] = "READ",
		[EV_DSB] = "DSB",
		[EV_INSNS] = "INSNS",
		[EV_TLBI] = "TLBI",
		[EV_XLATE] = "XLATE",
		[EV_FAULT] = "FAULT",
		[EV_DMA] = "DMA",
		[EV_DMA_END] = "DMA_END",
		[EV_FLUSH] = "FLUSH",
		[EV_REQ] = "REQ",
	};

	return names[kind];
}

void trace_print(const struct ev *e, char *buf, size_t size)
{
	char sid[16] = "-";

	if (e->sid != TRACE_NO_SID)
		snprintf(sid, sizeof(sid), "%#x", e->sid);
	snprintf(buf, size,
		 "%u: %s %s step %u.%u sid %s vmid %d asid %d iova %#lx pa %#lx pages %lu val %#lx%s%s",
		 e->line, trace_kind_name(e->kind), e->op, MARK_CASE(e->mark), MARK_STEP(e->mark),
		 sid, e->vmid, e->asid, e->iova, e->pa, e->pages, e->val,
		 e->to_smmu ? " to SMMU" : "", e->error ? " ERROR" : "");
}
