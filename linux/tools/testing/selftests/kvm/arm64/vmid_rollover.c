// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMIDs across rollovers, as far as userspace sees them
 *
 * Every VM has a page of its own at the same address, and has to read what is in it,
 * whoever has or had its VMID. Stage 1 is off, so that nothing but the VMID tells the
 * TLB entries of two VMs apart.
 *
 * There are more VMs than 8-bit VMIDs, so each time that all of them have run VMIDs
 * have rolled over. They run in random order, for two VMs that wrongly have one VMID
 * to meet on a CPU. One after the other is replaced by a new one, which takes a VMID
 * that was not in use; that makes 16-bit VMIDs roll over.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kvm_util.h>
#include <processor.h>
#include <test_util.h>

#define CODE_GPA	0x100000
#define DATA_GPA	0x200000
#define MMIO_GPA	0x300000	/* in no memslot */

#define NR_VMS		300	/* of all workers */
#define NR_RUNS		32	/* for each VM that is replaced */
#define MAX_WORKERS	100

/* Tells the host what is in the page, over and over: x1 is DATA_GPA, x2 MMIO_GPA */
static const u32 guest_code[] = {
	0xf9400020,		/* ldr	x0, [x1] */
	0xf9000040,		/* str	x0, [x2] */
	0x17fffffe,		/* b	.-8 */
};

struct test_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	u64 secret;
};

static void vm_add_page(struct kvm_vm *vm, gpa_t gpa, u32 slot, const void *data,
			size_t len)
{
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, gpa, slot,
				    vm_calc_num_guest_pages(vm->mode, getpagesize()),
				    0);
	memcpy(addr_gpa2hva(vm, gpa), data, len);
}

static void test_vm_create(struct test_vm *t, u64 secret)
{
	struct kvm_vcpu_init init;

	t->secret = secret;
	t->vm = vm_create_barebones();
	vm_add_page(t->vm, CODE_GPA, 0, guest_code, sizeof(guest_code));
	vm_add_page(t->vm, DATA_GPA, 1, &secret, sizeof(secret));

	t->vcpu = __vm_vcpu_add(t->vm, 0);
	kvm_get_default_vcpu_target(t->vm, &init);
	vcpu_ioctl(t->vcpu, KVM_ARM_VCPU_INIT, &init);
	vcpu_set_reg(t->vcpu, ARM64_CORE_REG(regs.pc), CODE_GPA);
	vcpu_set_reg(t->vcpu, ARM64_CORE_REG(regs.regs[1]), DATA_GPA);
	vcpu_set_reg(t->vcpu, ARM64_CORE_REG(regs.regs[2]), MMIO_GPA);
}

static void test_vm_run(struct test_vm *t)
{
	struct kvm_run *run = t->vcpu->run;
	u64 seen;

	vcpu_run(t->vcpu);
	TEST_ASSERT(run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write &&
		    run->mmio.phys_addr == MMIO_GPA && run->mmio.len == sizeof(seen),
		    "Unexpected exit %u (%s)", run->exit_reason,
		    exit_reason_str(run->exit_reason));
	memcpy(&seen, run->mmio.data, sizeof(seen));
	TEST_ASSERT(seen == t->secret, "VM 0x%lx reads 0x%lx", t->secret, seen);
}

static void worker(unsigned int nr, unsigned int nr_vms, unsigned long nr_new)
{
	struct kvm_random_state rng = new_kvm_random_state(kvm_random_seed + nr);
	struct test_vm *vms = calloc(nr_vms, sizeof(*vms)), *t;
	/* Unlike that of any other VM of any worker */
	u64 secret = (u64)(nr + 1) << 32;
	unsigned long i, run;

	TEST_ASSERT(vms, "calloc() failed");
	kvm_set_files_rlimit(2 * nr_vms);
	for (i = 0; i < nr_vms; i++)
		test_vm_create(&vms[i], secret++);

	for (i = 0; i < nr_new; i++) {
		t = &vms[kvm_random_u32(&rng) % nr_vms];
		kvm_vm_free(t->vm);
		test_vm_create(t, secret++);
		for (run = 0; run < NR_RUNS; run++)
			test_vm_run(&vms[kvm_random_u32(&rng) % nr_vms]);
	}

	for (i = 0; i < nr_vms; i++)
		kvm_vm_free(vms[i].vm);
	free(vms);
}

static unsigned int kvm_vmid_bits(void)
{
	struct test_vm t;
	u64 mmfr1;

	test_vm_create(&t, 0);
	mmfr1 = vcpu_get_reg(t.vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64MMFR1_EL1));
	kvm_vm_free(t.vm);
	return mmfr1 & GENMASK(7, 4) /* VMIDBits */ ? 16 : 8;
}

static void help(const char *name)
{
	printf("usage: %s [-r ROLLOVERS] [-w WORKERS]\n"
	       "  -r  how often as many VMs are made as there are VMIDs (default: 1)\n"
	       "  -w  processes (default: two for each CPU, %d at most)\n",
	       name, MAX_WORKERS);
}

int main(int argc, char *argv[])
{
	unsigned int bits = kvm_vmid_bits(), nr_workers, failed = 0, i;
	unsigned long rollovers = 1, nr_new;
	int opt, status;
	pid_t pid;

	nr_workers = min(2 * sysconf(_SC_NPROCESSORS_ONLN), (long)MAX_WORKERS);
	while ((opt = getopt(argc, argv, "hr:w:")) != -1) {
		switch (opt) {
		case 'r':
			rollovers = atoi_positive("Number of rollovers", optarg);
			break;
		case 'w':
			nr_workers = min(atoi_positive("Number of workers", optarg),
					 (u32)MAX_WORKERS);
			break;
		default:
			help(argv[0]);
			exit(opt == 'h' ? 0 : 1);
		}
	}

	nr_new = DIV_ROUND_UP(rollovers << bits, nr_workers);
	pr_info("%u-bit VMIDs, %u workers\n", bits, nr_workers);
	fflush(stdout);

	/* Processes, as the library is not made for threads that create VMs */
	for (i = 0; i < nr_workers; i++) {
		pid = fork();
		TEST_ASSERT(pid >= 0, "fork() failed: %m");
		if (!pid) {
			worker(i, DIV_ROUND_UP(NR_VMS, nr_workers), nr_new);
			_exit(0);
		}
	}
	for (i = 0; i < nr_workers; i++) {
		TEST_ASSERT(wait(&status) > 0, "wait() failed: %m");
		failed += !WIFEXITED(status) || WEXITSTATUS(status);
	}
	TEST_ASSERT(!failed, "%u of %u workers failed", failed, nr_workers);
	return 0;
}
