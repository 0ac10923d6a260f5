// SPDX-License-Identifier: GPL-2.0-only
/* What the host is, and whether that is what a case needs. */
#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "e2e.h"
#include "host.h"

static void host_probe(void)
{
	/* An IOMMU of another kind leaves it as it is */
	struct iommu_hw_info_arm_smmuv3 info = {};
	int fd = iommufd_open();
	struct vm vm;
	void *mem;

	dev_open(&testdev[0], fd, NULL);
	must(!hw_info(fd, testdev[0].id, &info), "GET_HW_INFO");
	e2e.idr0 = info.idr[0];
	if (e2e.kvm < 0)
		return;
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(mem != MAP_FAILED, "memory");
	vm_create(&vm, mem, PAGE);
	e2e.kvm_vmid_bits = vm_vmid_bits(&vm);
}

/* In a process of its own, which leaves nothing open and may fail */
void learn_host(void)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds)) {
		perror("# pipe");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		host_probe();
		_exit(write(fds[1], &e2e, sizeof(e2e)) != sizeof(e2e));
	}
	close(fds[1]);
	if (read(fds[0], &e2e, sizeof(e2e)) != sizeof(e2e))
		printf("# the host could not be probed\n");
	close(fds[0]);
	waitpid(pid, NULL, 0);
	printf("# host idr0 %#x kvm_vmid_bits %u lse2 %d\n", e2e.idr0,
	       e2e.kvm_vmid_bits, e2e.lse2);
}

static bool smmu_vmid8(void)
{
	return e2e.idr0 && !(e2e.idr0 & IDR0_VMID16);
}

const char *host_lacks(const struct e2e_case *c)
{
	static char devices[40];
	struct dev *a, *b;
	const struct {
		unsigned int need;
		bool there;
		const char *why;
	} needs[] = {
		{ NEEDS_KVM, e2e.kvm >= 0, "no KVM" },
		{ NEEDS_KVM_VMID8, e2e.kvm_vmid_bits == 8,
		  "the CPUs' VMIDs do not run out" },
		{ NEEDS_KVM_VMID16, e2e.kvm_vmid_bits == 16,
		  "the CPUs have no 16-bit VMIDs" },
		{ NEEDS_SMMU_VMID8, smmu_vmid8(),
		  "the SMMU's VMIDs do not run out" },
		{ NEEDS_SHARE, share_expected(), "no vSMMU can share" },
		{ NEEDS_PROTECTED, e2e.protected, "KVM is not protected" },
		{ NEEDS_EDU, edu.bdf[0], "there is no edu" },
		{ NEEDS_EL2, el2_there(), "no VM can have an EL2" },
		{ NEEDS_DISKS, !access("/sys/class/nvme/nvme0", F_OK),
		  "there are no disks" },
		{ NEEDS_NICS, !access("/sys/class/net/eth1", F_OK),
		  "there are no network cards" },
		{ NEEDS_PAIR, devs_pair(&a, &b),
		  "no test device has two functions" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if (c->needs & needs[i].need && !needs[i].there)
			return needs[i].why;
	if (num_testdevs >= c->devices)
		return NULL;
	snprintf(devices, sizeof(devices), "%u test devices are needed",
		 c->devices);
	return devices;
}
