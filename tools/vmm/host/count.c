// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens between the guest's marks: by the VMM's trace, and by that of the host's KVM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../marks.h"
#include "host.h"

/* What the VMM traces, and under which name it is counted */
static const struct {
	const char *event;
	const char *name;
} counted[] = {
	{ "kvm_run_exit ", "exits" },
	{ "smmuv3_write_mmio ", "writes" },
	{ "smmuv3_read_mmio ", "reads" },
	{ "smmuv3_cmdq_opcode ", "commands" },
	{ "iommufd_backend_invalidate_cache ", "ioctls" },
	{ "kvm_vm_ioctl ", "ioctls-vm" },
	{ "kvm_device_ioctl ", "ioctls-device" },
};

static unsigned long counts[VMM_WINDOWS][ARRAY_SIZE(counted) + 1];

/* "vfio_pci_write_config (0000:00:02.0, @0x3c, 0x11, len=0x1)": is it a mark, and which? */
static bool is_mark(const char *line, unsigned int *window)
{
	const char *at = strstr(line, "vfio_pci_write_config ");

	at = at ? strstr(at, "@0x3c, ") : NULL;
	if (!at)
		return false;
	*window = strtoul(at + strlen("@0x3c, "), NULL, 0);
	return *window >= VMM_NONE && *window < VMM_WINDOWS;
}

static void count_line(const char *line, unsigned int window)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counted); i++) {
		if (strstr(line, counted[i].event))
			counts[window][i]++;
	}
}

static void say_id(const char *line)
{
	static bool said;

	if (said || !strstr(line, "smmuv3_read_mmio addr: 0x0 "))
		return;
	said = true;
	printf("vmm: idr0 %#lx\n", strtoul(strstr(line, "val:") + 4, NULL, 0));
}

/**
 * say_trace - say what a VMM has traced between the marks
 * @vm: the VM
 */
void say_trace(const struct vm *vm)
{
	unsigned int now = VMM_NONE, next;
	char path[32], line[512];
	FILE *f;
	size_t i;

	vm_trace_path(vm, path, sizeof(path));
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		say_id(line);
		if (is_mark(line, &next)) {
			/* The mark that ends a window is an exit of its own */
			counts[now][0] -= now != VMM_NONE;
			now = next;
			counts[now][ARRAY_SIZE(counted)]++;
		} else {
			count_line(line, now);
		}
	}
	fclose(f);
	for (now = VMM_NONE + 1; now < VMM_WINDOWS; now++) {
		printf("vmm: window %#x times=%lu", now, counts[now][ARRAY_SIZE(counted)]);
		for (i = 0; i < ARRAY_SIZE(counted); i++)
			printf(" %s=%lu", counted[i].name, counts[now][i]);
		putchar('\n');
	}
}

/* Exits of the guest, by the class in ESR_EL2 */
static const struct {
	const char *event;
	const char *name;
} exits[] = {
	{ "kvm_exit: IRQ", "irq" },
	{ "(WFx)", "wfx" },
	{ "(DABT_LOW)", "dabt" },
	{ "(SYS64)", "sysreg" },
	{ "kvm_exit: ", "other" },
	{ "kvm_userspace_exit: ", "vmm" },
};

enum { DABT = 2, VMM = ARRAY_SIZE(exits) - 1 };

/* kvm_mmio of a mark: the interrupt line of 00:02.0, in the guest's configuration space */
#define MARK_GPA	0x1003cul
#define ECAM_MASK	0xffffffful

static bool is_exit_mark(const char *line, unsigned int *window)
{
	const char *at = strstr(line, "mmio write len 1 gpa 0x");
	unsigned long gpa, val;

	if (!at || sscanf(at, "mmio write len 1 gpa 0x%lx val 0x%lx", &gpa, &val) != 2)
		return false;
	*window = val;
	return (gpa & ECAM_MASK) == MARK_GPA && val >= VMM_NONE && val < VMM_WINDOWS;
}

/** count_exits - let the kernel trace the exits of guests from now on */
void count_exits(void)
{
	static const char dir[] = TRACEFS "/instances/exits";
	static const char * const events[] = { "kvm_exit", "kvm_mmio", "kvm_userspace_exit" };
	char path[128];
	size_t i;

	if (mkdir(dir, 0700)) {
		say_error(dir);
		return;
	}
	snprintf(path, sizeof(path), "%s/buffer_size_kb", dir);
	write_file(path, "32768");
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(path, sizeof(path), "%s/events/kvm/%s/enable", dir, events[i]);
		write_file(path, "1");
	}
}

/** say_exits - say what it has traced between the marks */
void say_exits(void)
{
	static unsigned long n[VMM_WINDOWS][ARRAY_SIZE(exits)], times[VMM_WINDOWS];
	FILE *f = fopen(TRACEFS "/instances/exits/trace", "r");
	unsigned int now = VMM_NONE, next;
	char line[512];
	size_t i;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (is_exit_mark(line, &next)) {
			/* The exit of the mark at the end, and that to the VMM of the first */
			n[now][DABT] -= now != VMM_NONE;
			n[next][VMM] -= next != VMM_NONE;
			now = next;
			times[now]++;
			continue;
		}
		for (i = 0; i < ARRAY_SIZE(exits) && !strstr(line, exits[i].event); i++)
			;
		if (i < ARRAY_SIZE(exits))
			n[now][i]++;
	}
	fclose(f);
	for (now = VMM_NONE + 1; now < VMM_WINDOWS; now++) {
		printf("vmm: exits %#x times=%lu", now, times[now]);
		for (i = 0; i < ARRAY_SIZE(exits); i++)
			printf(" %s=%lu", exits[i].name, n[now][i]);
		putchar('\n');
	}
}
