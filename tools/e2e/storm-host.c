// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storm's rest of the host. Movers are VMs that ask for their VMID again and
 * again, so that whoever has that number on the SMMU has to leave it. With 8-bit
 * VMIDs on both sides this is steered: stage-2 tables without devices, the
 * ballast, take almost all of the SMMU's numbers, and the few that remain
 * are about those that the movers have from KVM. Then VMs come and go, for KVM
 * to run through its numbers.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "storm.h"

#define MOVERS		4
#define FIRST_MOVER	4	/* of the test devices; the one before is the keeper */
#define KEEPER		3
#define BURNED		10	/* VMIDs of KVM before the movers have theirs */
#define FREE_NUMBERS	28	/* that ballast leaves of the SMMU's */
#define MAX_BALLAST	256
#define LOOK_EVERY	64
#define CHURN_PAUSE_US	2000
#define DEBUGFS		"/sys/kernel/debug/iommu/arm-smmu-v3"
#define DEBUGFS_OLD	"/sys/kernel/debug/arm-smmu-v3"

static struct {
	struct vm vm;
	struct dev *d;
	void *mem;
	u32 hwpt;
	u32 viommu;
	u32 bypass;
	bool attached;
} movers[MOVERS];

static u32 ballast[MAX_BALLAST];
static unsigned int num_ballast;
static int host_fd;
static u32 empty_ioas, page_ioas;
static int live_moves = -1, looks;

struct actor mover = { .name = "mover" };
struct actor churn = { .name = "churn" };

/* What debugfs says of each VMID */
struct vmids {
	bool known;
	unsigned int num;
	char shared[65536];
	unsigned char devices[65536];
};

static FILE *vmids_open(void)
{
	static const char *const dirs[] = { DEBUGFS, DEBUGFS_OLD };
	char path[300];
	struct dirent *e;
	FILE *f = NULL;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(dirs) && !f; i++) {
		dir = opendir(dirs[i]);
		while (dir && !f && (e = readdir(dir))) {
			snprintf(path, sizeof(path), "%s/%s/vmids", dirs[i],
				 e->d_name);
			f = fopen(path, "r");
		}
		if (dir)
			closedir(dir);
	}
	return f;
}

static void vmids_read(struct vmids *v)
{
	unsigned int id, users, devices;
	char line[256], kind[16], state[16];
	FILE *f = vmids_open();

	memset(v, 0, sizeof(*v));
	if (!f)
		return;
	v->known = true;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %15s %15s %u %u", &id, kind, state, &users,
			   &devices) != 5 || id > 65535)
			continue;
		v->num++;
		v->shared[id] = !strcmp(kind, "shared");
		v->devices[id] = devices;
	}
	fclose(f);
}

int host_vmids(void)
{
	static struct vmids now;

	vmids_read(&now);
	return now.known ? (int)now.num : -1;
}

int host_live_moves(void)
{
	return live_moves;
}

/* Private numbers with devices that have become a VM's in between */
static void look(const struct vmids *before)
{
	static struct vmids after;
	unsigned int id;

	vmids_read(&after);
	if (!before->known || !after.known)
		return;
	if (!looks++)
		live_moves = 0;
	for (id = 0; id < 65536; id++)
		live_moves += before->devices[id] && !before->shared[id] &&
			      after.shared[id];
}

static void mover_start(unsigned int m)
{
	int id;

	step(&mover, "start", m, 0);
	vm_create(&movers[m].vm, movers[m].mem, PAGE);
	did(&mover, OP_VM, 0);
	vm_exec(&movers[m].vm, GUEST_NOP, 0, 0);
	dev_open(movers[m].d, host_fd, &movers[m].vm);
	movers[m].attached = false;
	id = hwpt_alloc_parent(host_fd, movers[m].d->id, page_ioas);
	if (id != -ENOSPC)
		did(&mover, OP_HWPT, id);
	movers[m].hwpt = id > 0 ? id : 0;
}

static void mover_unshare(unsigned int m)
{
	step(&mover, "unshare", m, 0);
	if (movers[m].bypass) {
		if (movers[m].attached)
			did(&mover, OP_DETACH, dev_detach(movers[m].d));
		movers[m].attached = false;
		did(&mover, OP_HWPT,
		    iommufd_destroy(host_fd, movers[m].bypass));
	}
	did(&mover, OP_VIOMMU, iommufd_destroy(host_fd, movers[m].viommu));
	movers[m].viommu = 0;
	movers[m].bypass = 0;
}

static void mover_end(unsigned int m)
{
	step(&mover, "end", m, 0);
	if (roll(&mover, 2) && movers[m].viommu)
		mover_unshare(m);
	dev_close(movers[m].d);
	movers[m].attached = false;
	if (movers[m].viommu)
		mover_unshare(m);
	if (movers[m].hwpt)
		did(&mover, OP_HWPT,
		    iommufd_destroy(host_fd, movers[m].hwpt));
	vm_close(&movers[m].vm);
	did(&mover, OP_VM, 0);
}

static int mover_ask(unsigned int m)
{
	struct e2e_viommu_data data = { .flags = ask_flags() };
	int id;

	id = viommu_alloc_data(host_fd, movers[m].d->id, movers[m].hwpt,
			       IOMMU_VIOMMU_TYPE_ARM_SMMUV3, &data,
			       sizeof(data));
	if (id > 0 && data.out_flags != flags_expected())
		bad(&mover, BAD_ERROR, "a mover's vSMMU reports %#x",
		    data.out_flags);
	return id;
}

static void mover_share(unsigned int m)
{
	static struct vmids before;
	bool watch = !roll(&mover, LOOK_EVERY);
	u64 ste[2];
	int id;

	step(&mover, "share", m, 0);
	if (watch)
		vmids_read(&before);
	id = mover_ask(m);
	/* No number to move the holder to */
	if (id == -ENOSPC || !did(&mover, OP_VIOMMU, id))
		return;
	did(&mover, OP_SHARE, 0);
	movers[m].viommu = id;
	if (watch)
		look(&before);
	if (roll(&mover, 4))
		return;

	/* Now and then there are STEs with that number, too */
	s1_vste_bypass(ste);
	id = hwpt_alloc_nested(host_fd, movers[m].d->id, movers[m].viommu, ste);
	if (!did(&mover, OP_HWPT, id))
		return;
	movers[m].bypass = id;
	movers[m].attached = did(&mover, OP_ATTACH,
				 dev_attach(movers[m].d, id));
	vm_exec(&movers[m].vm, GUEST_TLBI_ALL, 0, 0);
	did(&mover, OP_TLBI, 0);
}

static void mover_op(void)
{
	unsigned int m = roll(&mover, MOVERS);

	if (!roll(&mover, 256)) {
		mover_end(m);
		mover_start(m);
	} else if (movers[m].viommu) {
		mover_unshare(m);
	} else if (movers[m].hwpt) {
		mover_share(m);
	}
}

void *mover_run(void *arg)
{
	(void)arg;
	while (!storm_stopped()) {
		storm_enter();
		mover_op();
		storm_leave();
	}
	return NULL;
}

/* True unless the SMMU has no number left */
static bool ballast_add(void)
{
	int id = hwpt_alloc_parent(host_fd, testdev[KEEPER].id, empty_ioas);

	if (id == -ENOSPC)
		return false;
	if (did(&churn, OP_HWPT, id))
		ballast[num_ballast++] = id;
	return true;
}

static void ballast_remove(void)
{
	unsigned int i = roll(&churn, num_ballast);

	did(&churn, OP_HWPT, iommufd_destroy(host_fd, ballast[i]));
	ballast[i] = ballast[--num_ballast];
}

static void churn_op(void)
{
	unsigned int dice = roll(&churn, 8);

	step(&churn, "churn", dice, num_ballast);
	if (dice < 5) {
		vm_churn(1);
		did(&churn, OP_VM, 0);
		did(&churn, OP_TLBI, 0);
		did(&churn, OP_VM, 0);
	} else if (num_ballast) {
		/* The new one takes the highest number that is free */
		ballast_remove();
		ballast_add();
	}
}

void *churn_run(void *arg)
{
	(void)arg;
	while (!storm_stopped()) {
		storm_enter();
		churn_op();
		storm_leave();
		usleep(CHURN_PAUSE_US);
	}
	return NULL;
}

static void *a_page(void)
{
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "memory");
	return mem;
}

void host_start(void)
{
	unsigned int m, want = 0;
	int id;

	host_fd = iommufd_open();
	dev_open(&testdev[KEEPER], host_fd, NULL);
	id = ioas_alloc(host_fd);
	must(id > 0, "IOAS");
	empty_ioas = id;
	id = ioas_alloc(host_fd);
	must(id > 0, "IOAS");
	page_ioas = id;

	/* Both sides have 255: let what KVM gives be among what is left */
	if (e2e.kvm_vmid_bits == 8 && !(e2e.idr0 & IDR0_VMID16))
		want = 255 - FREE_NUMBERS;
	while (num_ballast < want && ballast_add())
		;
	must(num_ballast == want, "%u of %u numbers taken", num_ballast, want);
	vm_churn(BURNED);
	for (m = 0; m < MOVERS; m++) {
		movers[m].mem = a_page();
		movers[m].d = &testdev[FIRST_MOVER + m];
		mover_start(m);
	}
}

void host_end(void)
{
	unsigned int m;

	for (m = 0; m < MOVERS; m++)
		mover_end(m);
	while (num_ballast)
		ballast_remove();
	dev_close(&testdev[KEEPER]);
	close(host_fd);
}
