/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /init of the emulated host that runs VMMs.
 *
 *	vmm.others=N	how many VMs come and go before
 *	vmm.churn=1	and go on doing so all the time
 *	vmm.do=STEPS	what happens, see steps.c
 *	vmm.limit=N	seconds until the VMMs are killed
 *	vmm.trace=0	KVM's exits are not traced, and all threads of a VMM are on one CPU
 *	vmm.seed=N	of what happens at random
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PCI_DEVICES	"/sys/bus/pci/devices"
#define TRACEFS		"/sys/kernel/tracing"
#define MAX_VMS		2

/**
 * struct vm - a VMM and its guest
 * @no: number of the VM; /vmm/args<no> is what is run
 * @pid: the process, 0 if there is none
 * @in: the guest's console, to write to
 * @out: the same, to read from
 * @monitor_in: the VMM's monitor (QMP), to write to
 * @monitor_out: the same, to read from
 * @monitor_ready: it has been greeted
 * @line: what was read of a line
 * @len: how much that is
 * @ready: how often the guest has begun to listen
 * @loading: it has begun a load, which ends when it is told anything
 * @answered: the last job has been answered
 * @ok: with success
 * @answer: and with these words
 */
struct vm {
	unsigned int no;
	pid_t pid;
	int in, out, monitor_in, monitor_out;
	bool monitor_ready;
	char line[1024];
	size_t len;
	unsigned int ready;
	bool loading, answered, ok;
	char answer[512];
};

/* main.c */
void say_error(const char *what);
unsigned long param(const char *name, unsigned long otherwise);
bool param_text(const char *name, char *buf, size_t size);
size_t read_file(const char *path, char *buf, size_t size);
bool write_file(const char *path, const char *text);
unsigned long long now_ms(void);

/* devices.c */
void find_devices(void);

/* others.c */
void run_others(unsigned int count);
void start_churn(void);
unsigned long churn_count(void);

/* vm.c */
void vm_trace_path(const struct vm *vm, char *path, size_t size);
bool vm_start(struct vm *vm, unsigned int limit);
bool vm_poll(struct vm *vms, unsigned int n, int timeout_ms);
bool vm_tell(struct vm *vm, const char *job);
bool vm_monitor(struct vm *vm, const char *command, char *reply, size_t size);
bool vm_event(struct vm *vm, const char *name, char *reply, size_t size);
void vm_kill(struct vm *vm);
void vm_reap(struct vm *vm);

/* steps.c */
void run_steps(struct vm *vms, unsigned int n, char *steps, unsigned int limit);

/* count.c */
void count_exits(void);
void say_exits(void);
void say_trace(const struct vm *vm);

/* left.c */
int count_vmids(void);
void watch_pins(void);
void say_left(int vmids_before);

#endif
