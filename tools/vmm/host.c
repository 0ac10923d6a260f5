// SPDX-License-Identifier: GPL-2.0-only
/*
 * /init of the emulated host that runs a VMM: hands the test devices to VFIO, lets other VMs take
 * VMIDs, runs the program that /vmm/args names, says what the VMM's trace has between the guest's
 * marks and what the VMM has left behind, and powers the machine off.
 *
 *	vmm.others=N	how many VMs come and go before
 *	vmm.kill=N	kill the VMM in the middle of the guest's Nth unmap
 *	vmm.limit=N	seconds until the VMM is killed
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <linux/kvm.h>

#include "marks.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PCI_DEVICES	"/sys/bus/pci/devices"
#define TESTDEV		0x1b360005u
#define TRACE		"/tmp/trace"
#define PRELOAD		"/vmm/preload.so"
#define TRACEFS		"/sys/kernel/tracing"
#define SMMU_DEBUGFS	"/sys/kernel/debug/iommu/arm-smmu-v3"
#define LEFT_TRIES	50	/* a tenth of a second each */
#define MAX_ARGS	64
#define PAGE		4096
#define GPA_CODE	0x40000000ul
#define GPA_EXIT	0x09000000ul	/* no memory: a store to it leaves */

static char cmdline[2048];

static void say(const char *what)
{
	printf("vmm: %s: %s\n", what, strerror(errno));
}

static unsigned long param(const char *name, unsigned long otherwise)
{
	const char *at = strstr(cmdline, name);

	return at ? strtoul(at + strlen(name), NULL, 0) : otherwise;
}

static size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : n;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (!ok)
		say(path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static unsigned long sysfs_id(const char *bdf, const char *attr)
{
	char path[300], buf[32];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, attr);
	read_file(path, buf, sizeof(buf));
	return strtoul(buf, NULL, 0);
}

static void give_to_vfio(const char *bdf)
{
	char path[300];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	if (write_file(path, "vfio-pci") && write_file("/sys/bus/pci/drivers_probe", bdf))
		printf("vmm: device %s\n", bdf);
}

static void find_devices(void)
{
	struct dirent **list;
	int i, n = scandir(PCI_DEVICES, &list, NULL, alphasort);

	for (i = 0; i < n; i++) {
		const char *bdf = list[i]->d_name;

		if ((sysfs_id(bdf, "vendor") << 16 | sysfs_id(bdf, "device")) == TESTDEV)
			give_to_vfio(bdf);
	}
}

static int set_reg(int vcpu, uint64_t reg, uint64_t val)
{
	struct kvm_one_reg one = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | reg,
		.addr = (uintptr_t)&val,
	};

	return ioctl(vcpu, KVM_SET_ONE_REG, &one);
}

/* One VM whose guest leaves at once: it has had a VMID then. */
static int run_other(int kvm, uint32_t *mem)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GPA_CODE,
		.memory_size = PAGE,
		.userspace_addr = (uintptr_t)mem,
	};
	struct kvm_vcpu_init init;
	int vm, vcpu = -1, ret = -1;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return -1;
	if (!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) &&
	    !ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init))
		vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu >= 0 && !ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) &&
	    !set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.pc), GPA_CODE) &&
	    !set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.regs[2]), GPA_EXIT))
		ret = ioctl(vcpu, KVM_RUN, 0);
	if (vcpu >= 0)
		close(vcpu);
	close(vm);
	return ret;
}

static void run_others(unsigned int count)
{
	uint32_t *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	unsigned int i;

	if (mem == MAP_FAILED || kvm < 0) {
		say("/dev/kvm");
		return;
	}
	mem[0] = 0xf900005f;	/* str xzr, [x2] */
	__builtin___clear_cache((char *)mem, (char *)(mem + 1));
	for (i = 0; i < count && !run_other(kvm, mem); i++)
		;
	printf("vmm: others %u\n", i);
	close(kvm);
	munmap(mem, PAGE);
}

/* One argument on each line */
static void read_args(char *text, char **args)
{
	unsigned int n = 0;
	char *line;

	while ((line = strsep(&text, "\n")) && n < MAX_ARGS - 1) {
		if (*line)
			args[n++] = line;
	}
	args[n] = NULL;
}

/* Wait until the guest has begun its Nth unmap; false if the VMM has ended before */
static bool wait_for_unmap(pid_t pid, unsigned long n)
{
	char line[512];
	FILE *f = NULL;
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT);
		if (info.si_pid)
			return false;
		f = f ? f : fopen(TRACE, "r");
		while (f && fgets(line, sizeof(line), f)) {
			if (strstr(line, "@0x3c, 0x11,") && !--n) {
				fclose(f);
				return true;
			}
		}
		if (f)
			clearerr(f);
		usleep(1000);
	}
}

static void run_vmm(unsigned int limit, unsigned long kill_at)
{
	static char text[8192];
	static char *args[MAX_ARGS];
	int status;
	pid_t pid;

	read_file("/vmm/args", text, sizeof(text));
	read_args(text, args);
	printf("vmm: begin\n");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(limit);	/* survives the exec */
		if (!access(PRELOAD, F_OK))
			setenv("LD_PRELOAD", PRELOAD, 1);
		execv(args[0], args);
		say(args[0] ? args[0] : "/vmm/args");
		_exit(127);
	}
	if (pid > 0 && kill_at && wait_for_unmap(pid, kill_at))
		kill(pid, SIGKILL);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		say("fork");
	else if (WIFSIGNALED(status))
		printf("\nvmm: end signal=%d\n", WTERMSIG(status));
	else
		printf("\nvmm: end exit=%d\n", WEXITSTATUS(status));
}

/* Lines of a file that have a text; -1 if there is no such file */
static int count_lines(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, text);
	fclose(f);
	return n;
}

/* How many VMIDs the SMMU has in use; -1 without the series */
static int count_vmids(void)
{
	DIR *dir = opendir(SMMU_DEBUGFS);
	struct dirent *e;
	char path[300];
	int n = -1;

	while (dir && n < 0 && (e = readdir(dir))) {
		snprintf(path, sizeof(path), SMMU_DEBUGFS "/%.64s/vmids", e->d_name);
		n = count_lines(path, "\n");
	}
	if (dir)
		closedir(dir);
	return n;
}

/* The pins of KVM's VMIDs that were taken and not given back */
static int count_pins(void)
{
	return count_lines(TRACEFS "/trace", " kvm_vmid_pin: ") -
	       count_lines(TRACEFS "/trace", " kvm_vmid_unpin: ");
}

static void watch_pins(void)
{
	if (count_vmids() < 0)
		return;
	mount("trace", TRACEFS, "tracefs", 0, NULL);
	write_file(TRACEFS "/events/kvm/kvm_vmid_pin/enable", "1");
	write_file(TRACEFS "/events/kvm/kvm_vmid_unpin/enable", "1");
}

/* The end of a VM takes a moment after that of its process */
static void say_left(int vmids_before)
{
	int tries = LEFT_TRIES, pins, vmids;

	if (vmids_before < 0)
		return;
	do {
		usleep(100000);
		pins = count_pins();
		vmids = count_vmids() - vmids_before;
	} while ((pins || vmids) && --tries);
	printf("vmm: left pins=%d vmids=%d of pins taken=%d\n", pins, vmids,
	       count_lines(TRACEFS "/trace", " kvm_vmid_pin: "));
}

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

static void read_trace(void)
{
	FILE *f = fopen(TRACE, "r");
	unsigned int now = VMM_NONE, next;
	char line[512];
	size_t i;

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

int main(void)
{
	int vmids;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/tmp", 0755);
	mkdir("/dev", 0755);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) || mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL) || mount("tmp", "/tmp", "tmpfs", 0, NULL) ||
	    mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL))
		say("mount");
	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	if (access("/dev/iommu", F_OK))
		printf("vmm: the host's kernel has no IOMMUFD\n");

	find_devices();
	run_others(param("vmm.others=", 37));
	vmids = count_vmids();
	watch_pins();
	run_vmm(param("vmm.limit=", 100), param("vmm.kill=", 0));
	read_trace();
	say_left(vmids);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
