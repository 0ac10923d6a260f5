/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a run of the VMM test has left: console.log, trace.log, status, disk*.img.
 */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "marks.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_VMIDS	16
#define MAX_STEPS	48
#define MAX_SIDS	64
#define MAX_FAULTS	256

/* A set of VMIDs; more than a few would be wrong anyway. */
struct vmids {
	int vmid[MAX_VMIDS];
	unsigned int n;
};

/**
 * struct window - what happened between the guest's marks, all times together
 * @times: how often there was such a window
 * @exits: to the VMM
 * @writes: to the virtual SMMU's registers
 * @reads: of the virtual SMMU's registers
 * @commands: to the virtual SMMU
 * @ioctls: of the VMM but KVM_RUN: invalidations, others of the VM and of its devices
 * @vm_ioctls: those of the VM among them: an interrupt of the console, which may come at any time
 * @irq: exits of the guest because of an interrupt of the host's
 * @wfx: because it waits
 * @dabt: because of an access to what is no memory
 * @sysreg: because of a system register
 * @other: for another reason
 * @host_commands: to the host's SMMU
 * @host_writes: to its registers
 * @tlbis: by the guest's CPUs
 * @tlbi: name of the last of them
 * @insns: instructions of the CPU, the host's in between among them: of the cheapest time, 0 if
 *	they were not counted
 * @insns_cpu: the CPU of the host that was the guest's when such a time began
 * @insns_at: how many that one had executed
 */
struct window {
	unsigned long times, exits, writes, reads, commands, ioctls, vm_ioctls;
	unsigned long irq, wfx, dabt, sysreg, other;
	unsigned long host_commands, host_writes, tlbis;
	char tlbi[24];
	unsigned long insns, insns_at;
	unsigned int insns_cpu;
};

/**
 * struct result_line - "vmm: step NAME ok DETAIL"
 * @name: of the step
 * @ok: its verdict
 * @detail: the rest
 */
struct result_line {
	char name[64];
	bool ok;
	char detail[256];
};

/**
 * struct run - what is known of it
 * @ended: the VMM ended by itself
 * @off: so did the emulator of the host
 * @refused: it gave up at the start, and said why
 * @said: the console has the text that was asked for
 * @killed: it was killed
 * @left_known: the kernel tells what is left; the unpatched one does not
 * @left_pins: pins of KVM's VMIDs that are left, as an unsigned number
 * @left_vmids: VMIDs of the SMMU that are left
 * @pins: pins that were taken
 * @splat: the kernel of the host complained, or of a guest without being told to
 * @crashes: a guest was told to, and has not yet
 * @wrong: blocks of a disk that a guest has seen wrong
 * @unmaps: how many were counted
 * @lost: DMA before the unmap that did not arrive
 * @stale_of: how many were tried after an unmap
 * @stale: how many of these arrived
 * @before: DMA by a mapping arrived
 * @cleared: and after its PTE was cleared, without an invalidation
 * @after: and after a TLBI of the guest's CPU
 * @done: the guest's driver came to its end without an error
 * @idr0: of the virtual SMMU, as the guest read it
 * @window: what happened between marks
 * @example: what the example got
 * @kvm: VMIDs of the guest's TLBIs
 * @smmu: VMIDs of the nested TLB entries
 * @msis: by StreamID, writes to the doorbell of interrupts that both stages translated
 * @fault: IOVAs of the first accesses that the SMMU refused
 * @faults: how many it refused
 * @step: what was done
 * @steps: how many that are
 */
struct run {
	bool ended, off, splat, crashes, refused, said, killed, left_known;
	unsigned long left_pins, left_vmids, pins, wrong;
	unsigned long unmaps, lost, stale_of, stale;
	unsigned long before, cleared, after;
	unsigned long done, idr0;
	struct window window[VMM_WINDOWS];
	char example[64];
	struct vmids kvm, smmu;
	unsigned long msis[MAX_SIDS];
	unsigned long long fault[MAX_FAULTS];
	unsigned int faults;
	struct result_line step[MAX_STEPS];
	unsigned int steps;
};

/* The text behind "name=" in a line, or NULL */
const char *field_text(const char *line, const char *name);
void field(const char *line, const char *name, unsigned long *val);
void read_console(const char *dir, const char *refusal, const char *text, struct run *r);
void read_events(const char *dir, struct run *r);
bool read_disk(const char *dir, unsigned int no, unsigned int *written, unsigned int *bad);

#endif
