/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The numbers that init writes to the marker device and that the checker looks
 * for in QEMU's trace. Both programs are built from this table.
 *
 * A step lasts from its marker to the next marker. Only one actor works in a
 * step, so a rule can say "every insert of this step is from that device".
 */
#ifndef E2E_CASES_H
#define E2E_CASES_H

/* The checker has it from trace.h */
#ifndef MARK
#define MARK(case_no, step_no)	(0xe2eu << 20 | (case_no) << 8 | (step_no))
#endif

/*
 * X(symbol, number, name, function): init calls case_function()
 *
 * What an entry of the matrix must offer is said at each case's function; a
 * case that finds something missing reports a skip.
 */
#define E2E_CASES(X)						\
	X(SAME_VMID,	 1, "same-vmid",	same_vmid)	\
	X(BTM,		 2, "btm",		btm)	\
	X(NO_ALIAS,	 3, "no-alias",		no_alias)	\
	X(NO_BREAK,	 4, "no-break",		no_break)	\
	X(ISOLATION,	 5, "isolation",	isolation)	\
	X(ROLLOVER,	 6, "rollover",		rollover)	\
	X(NOTHING,	 7, "nothing-shared",	nothing)	\
	X(ERRORS,	 8, "uapi-errors",	errors)	\
	X(LIFETIMES,	 9, "lifetimes",	lifetimes)	\
	X(WIDTH,	10, "uapi-width",	width)	\
	X(PINS,		11, "uapi-pins",	pins)	\
	X(PKVM,		12, "uapi-pkvm",	pkvm)	\
	X(ORPHAN,	13, "orphan",		orphan)	\
	X(BENCH,	14, "bench",		bench)	\
	X(DEMO,		15, "demo",		demo)	\
	X(MOVE,		16, "move",		move)	\
	X(NO_FWB,	17, "no-fwb",		no_fwb)		\
	X(BETWEEN,	18, "no-break-between",	no_break_between) \
	X(STORM,	19, "storm",		storm)		\
	X(CLOSE_ORDER,	22, "close-order",	close_order)	\
	X(KILL,		23, "kill",		kill)		\
	X(KVM_FILE,	24, "kvm-file",		kvm_file)	\
	X(UNPLUG,	25, "unplug",		unplug)		\
	X(RESET,	26, "reset",		reset)		\
	X(TWO_DEVICES,	27, "two-devices",	two_devices)	\
	X(TWO_VMS,	28, "two-vms",		two_vms)	\
	X(TWO_TABLES,	29, "two-tables",	two_tables)	\
	X(FAIL_NTH,	20, "fail-nth",		fail_nth)	\
	X(FULL,		21, "full",		full)		\
	X(RATE,		30, "rollover-rate",	rate)	\
	X(VIRTIO,	31, "virtio-iommu",	virtio_iommu)	\
	X(MODULES,	33, "modules",		modules)	\
	X(UNBIND_LATE,	34, "unbind-late",	unbind_late)	\
	X(VIRTIO_GONE,	35, "virtio-gone",	virtio_gone)	\
	X(ACPI,		32, "acpi",		acpi)

enum e2e_case {
#define X(sym, num, name, fn)	CASE_##sym = num,
	E2E_CASES(X)
#undef X
};

/* X(case, step, number, name) */
#define E2E_STEPS(X)							\
	X(SAME_VMID, BURN,		0x01, "burn")			\
	X(SAME_VMID, TRANS_DMA,		0x02, "translate-dma")		\
	X(SAME_VMID, TRANS_TLBI,	0x03, "translate-tlbi")		\
	X(SAME_VMID, BYPASS_DMA,	0x04, "bypass-dma")		\
	X(SAME_VMID, BYPASS_TLBI,	0x05, "bypass-tlbi")		\
	X(SAME_VMID, DONE,		0xff, "done")			\
	/* Three rounds, one for each kind of TLBI: BTM_ROUND() */	\
	X(BTM, DMA_OLD,			0x00, "dma-old")		\
	X(BTM, OTHER_TLBI,		0x01, "other-vm-tlbi")		\
	X(BTM, OTHER_DMA,		0x02, "other-vm-dma")		\
	X(BTM, WRONG_TLBI,		0x03, "wrong-asid-tlbi")	\
	X(BTM, WRONG_DMA,		0x04, "wrong-asid-dma")		\
	X(BTM, OWN_TLBI,		0x05, "own-tlbi")		\
	X(BTM, OWN_DMA,			0x06, "own-dma")		\
	X(BTM, CMD,			0x07, "guest-command")		\
	X(BTM, CMD_DMA,			0x08, "guest-command-dma")	\
	X(BTM, DONE,			0xff, "done")			\
	/* Two rounds: no VM, and a VM that asks to share */		\
	X(NO_ALIAS, DMA_A,		0x01, "dma-a")			\
	X(NO_ALIAS, DMA_B,		0x02, "dma-b")			\
	X(NO_ALIAS, DMA_A_AGAIN,	0x03, "dma-a-again")		\
	X(NO_ALIAS, DONE,		0xff, "done")			\
	X(NO_BREAK, HAMMER,		0x01, "hammer")			\
	X(NO_BREAK, DELAYED,		0x02, "delayed")		\
	X(NO_BREAK, DONE,		0xff, "done")			\
	X(ISOLATION, DMA,		0x01, "dma")			\
	X(ISOLATION, DONE,		0xff, "done")			\
	X(ROLLOVER, DMA_BEFORE,		0x01, "dma-before")		\
	X(ROLLOVER, TLBI_BEFORE,	0x02, "tlbi-before")		\
	X(ROLLOVER, CHURN,		0x03, "churn")			\
	X(ROLLOVER, DMA_AFTER,		0x04, "dma-after")		\
	X(ROLLOVER, TLBI_AFTER,		0x05, "tlbi-after")		\
	X(ROLLOVER, DMA_NEW,		0x06, "dma-new")		\
	X(ROLLOVER, DONE,		0xff, "done")			\
	X(NOTHING, S2_ALLOC,		0x01, "s2-alloc")		\
	X(NOTHING, S2_ATTACH,		0x02, "s2-attach")		\
	X(NOTHING, MAP,			0x03, "map")			\
	X(NOTHING, UNMAP,		0x04, "unmap")			\
	X(NOTHING, VIOMMU,		0x05, "viommu-alloc")		\
	X(NOTHING, BYPASS_ATTACH,	0x06, "bypass-attach")		\
	X(NOTHING, TRANS_ATTACH,	0x07, "translate-attach")	\
	X(NOTHING, TRANS_DMA,		0x08, "translate-dma")		\
	X(NOTHING, NEST_MAP,		0x09, "nested-map")		\
	X(NOTHING, NEST_UNMAP,		0x0a, "nested-unmap")		\
	X(NOTHING, CMD,			0x0b, "guest-command")		\
	X(NOTHING, S2_REATTACH,		0x0c, "s2-reattach")		\
	X(NOTHING, DETACH,		0x0d, "detach")			\
	X(NOTHING, FREE,		0x0e, "free")			\
	/* Unmaps of many sizes: a step each, NOTHING_SIZES */ \
	X(NOTHING, S2_SIZES,		0x40, "s2-sizes")		\
	X(NOTHING, NESTED_SIZES,	0x50, "nested-sizes")		\
	X(NOTHING, S1_SIZES,		0x60, "s1-sizes")		\
	X(NOTHING, S1_ATTACH,		0x70, "s1-attach")		\
	X(NOTHING, S1_REPLACE,		0x71, "s1-replace")		\
	X(NOTHING, S1_TO_S2,		0x72, "s1-to-s2")		\
	X(NOTHING, S2_REPLACE,		0x73, "s2-replace")		\
	X(NOTHING, NESTED_TO_S1,	0x74, "nested-to-s1")		\
	X(NOTHING, S1_DETACH,		0x75, "s1-detach")		\
	X(NOTHING, S1_SECOND,		0x76, "s1-second-device")	\
	X(NOTHING, S1_LAST,		0x77, "s1-last-device")		\
	X(NOTHING, DONE,		0xff, "done")			\
	X(ERRORS, RUN,			0x01, "run")			\
	X(ERRORS, DONE,			0xff, "done")			\
	X(LIFETIMES, VM_FIRST,		0x01, "vm-closed-first")	\
	X(LIFETIMES, VM_FIRST_DMA,	0x02, "vm-closed-first-dma")	\
	X(LIFETIMES, VIOMMU_FIRST,	0x03, "viommu-destroyed-first")	\
	X(LIFETIMES, VIOMMU_AGAIN,	0x04, "viommu-again")		\
	X(LIFETIMES, DONE,		0xff, "done")			\
	X(ORPHAN, TLBI,			0x01, "tlbi")			\
	X(ORPHAN, UNBIND,		0x02, "unbind")			\
	X(ORPHAN, CHURN,		0x03, "churn")			\
	X(ORPHAN, DMA,			0x04, "dma")			\
	X(ORPHAN, CLOSE,		0x05, "close")			\
	X(ORPHAN, REUSE,		0x06, "reuse")			\
	X(ORPHAN, DONE,			0xff, "done")			\
	X(BETWEEN, HAMMER,		0x01, "hammer")			\
	X(BETWEEN, TURNS,		0x02, "turns")			\
	X(BETWEEN, DONE,		0xff, "done")			\
	X(MOVE, HAMMER,			0x01, "hammer")			\
	X(MOVE, NESTED,			0x04, "hammer-nested")		\
	X(MOVE, REMAP,			0x02, "remap")			\
	X(MOVE, DMA,			0x03, "dma")			\
	X(MOVE, DONE,			0xff, "done")			\
	X(WIDTH, RUN,			0x01, "run")			\
	X(WIDTH, DONE,			0xff, "done")			\
	X(PINS, RUN,			0x01, "run")			\
	X(PINS, DONE,			0xff, "done")			\
	X(PKVM, RUN,			0x01, "run")			\
	X(PKVM, DONE,			0xff, "done")			\
	X(BENCH, DMA,			0x01, "dma")			\
	X(BENCH, TLBI,			0x02, "tlbi")			\
	X(BENCH, EXIT,			0x03, "exit")			\
	X(BENCH, IOCTL,			0x04, "ioctl")			\
	X(BENCH, LOAD,			0x05, "load")			\
	X(BENCH, DONE,			0xff, "done")			\
	/* One round for each VM */					\
	X(DEMO, DMA_OLD,		0x00, "dma-old")		\
	X(DEMO, TLBI,			0x01, "tlbi")			\
	X(DEMO, DMA_TLBI,		0x02, "dma-after-tlbi")		\
	X(DEMO, CMD,			0x03, "guest-command")		\
	X(DEMO, DMA_CMD,		0x04, "dma-after-command")	\
	X(DEMO, DONE,			0xff, "done")			\
	X(NO_FWB, RUN,			0x01, "run")			\
	X(NO_FWB, DONE,			0xff, "done")			\
	X(STORM, RUN,			0x01, "run")			\
	X(STORM, DONE,			0xff, "done")			\
	X(ACPI, RUN,			0x01, "run")			\
	X(ACPI, DONE,			0xff, "done")			\
	/* Once for each order */					\
	X(CLOSE_ORDER, DMA,		0x01, "dma")			\
	X(CLOSE_ORDER, TLBI,		0x02, "tlbi")			\
	X(CLOSE_ORDER, CLOSE,		0x03, "close")			\
	X(CLOSE_ORDER, CHURN,		0x04, "churn")			\
	X(CLOSE_ORDER, LAST,		0x05, "last-close")		\
	X(CLOSE_ORDER, END,		0x06, "end")			\
	X(CLOSE_ORDER, DONE,		0xff, "done")			\
	/* Once for each kill */					\
	X(KILL, RUN,			0x01, "run")			\
	X(KILL, DEAD,			0x02, "dead")			\
	X(KILL, END,			0x03, "end")			\
	X(KILL, REUSE,			0x04, "reuse")			\
	X(KILL, DONE,			0xff, "done")			\
	X(KVM_FILE, DEL,		0x01, "file-del")		\
	X(KVM_FILE, ADD,		0x02, "file-add")		\
	X(KVM_FILE, OTHER_TLBI,		0x03, "other-vm-tlbi")		\
	X(KVM_FILE, OWN_TLBI,		0x04, "own-tlbi")		\
	X(KVM_FILE, BACK,		0x05, "file-given-back")	\
	X(KVM_FILE, CLOSED,		0x06, "vm-closed")		\
	X(KVM_FILE, UNBIND,		0x07, "unbind")			\
	X(KVM_FILE, REBIND,		0x08, "rebind")			\
	X(KVM_FILE, END,		0x09, "end")			\
	X(KVM_FILE, DONE,		0xff, "done")			\
	X(UNBIND_LATE, RUN,		0x01, "run")			\
	X(UNBIND_LATE, DONE,		0xff, "done")			\
	/* Three rounds: unbound, removed, removed and killed */	\
	X(UNPLUG, BEFORE,		0x01, "before")			\
	X(UNPLUG, ASKED,		0x02, "asked")			\
	X(UNPLUG, GONE,			0x03, "gone")			\
	X(UNPLUG, BACK,			0x04, "back")			\
	X(UNPLUG, TLBI,			0x05, "tlbi")			\
	X(UNPLUG, END,			0x06, "end")			\
	X(UNPLUG, DONE,			0xff, "done")			\
	X(RESET, BEFORE,		0x01, "before")			\
	X(RESET, CANNOT,		0x02, "cannot")			\
	X(RESET, RESET,			0x03, "reset")			\
	X(RESET, AFTER,			0x04, "after")			\
	X(RESET, TLBI,			0x05, "tlbi")			\
	X(RESET, UNDER_WAY,		0x06, "under-way")		\
	X(RESET, END,			0x07, "end")			\
	X(RESET, DONE,			0xff, "done")			\
	X(TWO_DEVICES, DMA,		0x01, "dma")			\
	X(TWO_DEVICES, TLBI,		0x02, "tlbi")			\
	X(TWO_DEVICES, CMD,		0x03, "guest-command")		\
	X(TWO_DEVICES, MAPPED,		0x04, "mapped")			\
	X(TWO_DEVICES, REMAP,		0x05, "remap")			\
	X(TWO_DEVICES, ONE,		0x06, "one-goes")		\
	X(TWO_DEVICES, END,		0x07, "end")			\
	X(TWO_DEVICES, DONE,		0xff, "done")			\
	/* Two rounds each: one comes first, then the other */		\
	X(TWO_VMS, DMA_FIRST,		0x01, "dma-first")		\
	X(TWO_VMS, DMA_SECOND,		0x02, "dma-second")		\
	X(TWO_VMS, TLBI_FIRST,		0x03, "tlbi-first")		\
	X(TWO_VMS, TLBI_SECOND,		0x04, "tlbi-second")		\
	X(TWO_VMS, END,			0x05, "end")			\
	X(TWO_VMS, DONE,		0xff, "done")			\
	X(TWO_TABLES, DMA_FIRST,	0x01, "dma-first")		\
	X(TWO_TABLES, DMA_SECOND,	0x02, "dma-second")		\
	X(TWO_TABLES, DMA_AGAIN,	0x03, "dma-again")		\
	X(TWO_TABLES, TLBI,		0x04, "tlbi")			\
	X(TWO_TABLES, DMA_TLBI,		0x05, "dma-after-tlbi")		\
	X(TWO_TABLES, END,		0x06, "end")			\
	X(TWO_TABLES, DONE,		0xff, "done")			\
	X(FAIL_NTH, RUN,		0x01, "run")			\
	X(FAIL_NTH, DONE,		0xff, "done")			\
	X(RATE, FREE,			0x01, "churn-without-pins")	\
	X(RATE, TAKEN,			0x02, "churn-with-all-pins")	\
	X(RATE, DONE,			0xff, "done")			\
	X(FULL, ATTACH,			0x01, "attach")			\
	X(FULL, DMA,			0x02, "dma")			\
	X(FULL, FREE,			0x03, "free")			\
	X(FULL, DONE,			0xff, "done")			\
	/* Two rounds: no VM, and a VM */				\
	X(VIRTIO, ATTACH,		0x00, "attach")			\
	X(VIRTIO, INSIDE,		0x01, "map-inside")		\
	X(VIRTIO, OUTSIDE,		0x02, "map-outside")		\
	X(VIRTIO, REPLACE,		0x03, "replace-refused")	\
	X(VIRTIO, UNMAP,		0x04, "unmap")			\
	X(VIRTIO, REFUSED,		0x05, "attach-refused")		\
	X(VIRTIO, REQUESTS,		0x06, "requests-refused")	\
	X(VIRTIO, CLOSE,		0x07, "close")			\
	X(VIRTIO, DONE,			0xff, "done")			\
	X(VIRTIO_GONE, RUN,		0x01, "run")			\
	X(VIRTIO_GONE, DONE,		0xff, "done")			\
	X(MODULES, DMA,			0x01, "dma")			\
	X(MODULES, TLBI,		0x02, "tlbi")			\
	X(MODULES, RELOAD,		0x03, "reload")			\
	X(MODULES, DMA_AGAIN,		0x04, "dma-again")		\
	X(MODULES, TLBI_AGAIN,		0x05, "tlbi-again")		\
	X(MODULES, RELOAD_AGAIN,	0x06, "reload-again")		\
	X(MODULES, DONE,		0xff, "done")

enum e2e_step {
#define X(cs, sym, num, name)	STEP_##cs##_##sym = num,
	E2E_STEPS(X)
#undef X
};

/*
 * VMs of a storm tell who they are by the ASID of a TLBI: this and the number of a
 * tenant, STORM_MOVER and that of a mover, or STORM_CHURN.
 */
#define STORM_ASID	0x40
#define STORM_MOVER	8
#define STORM_CHURN	15
#define STORM_VMS	16

/*
 * Threads of vm_churn(). At a rollover each but one can have a VM that has not
 * executed its TLBI yet: the number that it had before is not seen.
 */
#define CHURN_THREADS	4

#define NOTHING_SIZES	16

/* Behind the last IOVA of the virtio-iommu, whose aw-bits are in the matrix */
#define VIRTIO_APERTURE	(1ul << 36)

/* Steps of round @r (0, 1, 2) of a case that repeats itself */
#define ROUND(r, step)		((r) << 4 | (step))

#endif
