/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one boot of the emulated host left in its trace: QEMU's trace events and the lines of the
 * smmubtm plugin, in the order in which they happened.
 *
 * Two independent witnesses are in it. The plugin's lines (EV_TLBI) come from the CPU: they show
 * the VMID in VTTBR_EL2, i.e. KVM's. QEMU's events come from the SMMU: they show the VMID that it
 * took from the STE (EV_INSERT) or from a command (EV_CMD). No kernel print is involved.
 */
#ifndef E2E_TRACE_H
#define E2E_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "common.h"

#define TRACE_NONE	(-1)	/* of vmid and asid: the event has none */
#define TRACE_NO_SID	(~0u)	/* of sid: the event has none, or it is not known */

/**
 * enum ev_kind - what happened
 * @EV_MARK: init began the step @ev.mark
 * @EV_INSERT: the SMMU cached a translation: vmid, asid (TRACE_NONE: stage 2 only), iova, level;
 *             sid and pa are those of the EV_XLATE that it was made for
 * @EV_CMD: the SMMU took a command from its queue: op, and what applies of sid, vmid, asid, iova,
 *          pages, val (CFGI_STE_RANGE: the last StreamID; CFGI_ALL too)
 * @EV_MMIO: the CPU wrote an SMMU register: iova is its offset, val what was written
 * @EV_READ: the CPU read one: iova is its offset
 * @EV_DSB: a CPU executed a DSB that completed TLBIs for the SMMU: cpu, el, val is their number
 * @EV_INSNS: a program asked how many instructions its CPU has executed: cpu, val
 * @EV_TLBI: a CPU executed a TLBI: cpu, el, op (as in "VAE1IS"), vmid, asid, iova, pages, bcast,
 *           to_smmu
 * @EV_XLATE: a device's access was translated: sid, iova, pa, val (stages: 1, 2, 3 both); or passed
 *            untranslated (op "BYPASS": the STE says so, "DISABLED": the SMMU is off)
 * @EV_FAULT: an access was refused: sid, op is the event's name as in "F_TRANSLATION", or "ABORT",
 *            iova if it is known
 * @EV_DMA: a DMA device began a write: iova, pages is its length in bytes
 * @EV_DMA_END: it ended: val is its result register
 * @EV_FLUSH: what was dropped from the SMMU's IOTLB, whatever was the reason (command or
 *            broadcast): op "ALL", "VMID", "VMID_S1", "ASID", "IOVA"; vmid, asid, iova
 * @EV_REQ: what the driver asked of a virtio-iommu: op "ATTACH", "MAP", "UNMAP", val is the domain;
 *          sid, or iova, pa, pages; or op "FREE": the domain's last device left it
 */
enum ev_kind {
	EV_MARK,
	EV_INSERT,
	EV_CMD,
	EV_MMIO,
	EV_READ,
	EV_DSB,
	EV_INSNS,
	EV_TLBI,
	EV_XLATE,
	EV_FAULT,
	EV_DMA,
	EV_DMA_END,
	EV_FLUSH,
	EV_REQ,
};

/**
 * struct ev - one event
 * @kind: what happened; says which other fields have a meaning
 * @line: line number in the trace file
 * @mark: the marker that was current, 0 before the first
 * @sid: StreamID, or TRACE_NO_SID
 * @vmid: VMID, or TRACE_NONE
 * @asid: ASID, or TRACE_NONE
 * @iova: address (IPA for stage-2 invalidations), or register offset
 * @pa: output address
 * @pages: pages of a range operation, else 1
 * @level: of an EV_INSERT, the level of the table that held the leaf
 * @cpu: number of the CPU
 * @el: exception level it was at
 * @bcast: the TLBI was broadcast: Inner or Outer Shareable, or local made so by HCR_EL2.FB
 * @to_smmu: the SMMU listens to the TLBI (IDR0.BTM && !CR2.PTM); see the EV_DSB that follows
 * @error: the SMMU refused the command
 * @op: name
 * @val: value
 */
struct ev {
	enum ev_kind kind;
	unsigned int line;
	u32 mark;
	u32 sid;
	int vmid, asid;
	u64 iova, pa, pages;
	int level;
	unsigned int cpu, el;
	bool bcast, to_smmu, error;
	char op[24];
	u64 val;
};

/**
 * struct trace - all events of a boot
 * @ev: the events
 * @n: how many
 */
struct trace {
	struct ev *ev;
	size_t n;
};

/**
 * trace_read - read a trace file
 * @path: file written by QEMU's -D
 * @t: where the events go
 *
 * Return: 0; or -1 with a line on stderr: the file cannot be read, has no event at all, or a line
 * of a known event does not have the known format (its name and line number are printed).
 */
int trace_read(const char *path, struct trace *t);

/** trace_free - give back what trace_read() took */
void trace_free(struct trace *t);

/**
 * trace_step - the events of one step
 * @t: the trace
 * @mark: MARK(case, step)
 * @first: index of the first event after the marker
 * @last: index one past the last event before the next marker (or the end)
 *
 * If a step was marked more than once this is its first occurrence; trace_step_next() finds more.
 *
 * Return: true if the marker is in the trace.
 */
bool trace_step(const struct trace *t, u32 mark, size_t *first, size_t *last);

/** trace_step_next - like trace_step(), searching from index @from on */
bool trace_step_next(const struct trace *t, u32 mark, size_t from, size_t *first, size_t *last);

/** trace_case - events of all steps of one case: from its first marker to another case's marker */
bool trace_case(const struct trace *t, unsigned int case_no, size_t *first, size_t *last);

/**
 * trace_next - find an event
 * @t: the trace
 * @kind: what is sought
 * @op: only events of this name, or NULL for any
 * @from: index to begin with
 * @last: index to stop before
 *
 * Loop: for (e = trace_next(t, EV_CMD, NULL, first, last); e;
 *            e = trace_next(t, EV_CMD, NULL, e - t->ev + 1, last))
 *
 * Return: the event or NULL.
 */
const struct ev *trace_next(const struct trace *t, enum ev_kind kind, const char *op, size_t from,
			    size_t last);

/** trace_count - how many events of a kind (and name, if @op is not NULL) are in [@from, @last) */
size_t trace_count(const struct trace *t, enum ev_kind kind, const char *op, size_t from,
		   size_t last);

/** trace_kind_name - "INSERT" and so on, for messages */
const char *trace_kind_name(enum ev_kind kind);

/** trace_print - one line that shows an event, for messages */
void trace_print(const struct ev *e, char *buf, size_t size);

#endif
