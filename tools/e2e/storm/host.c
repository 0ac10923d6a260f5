// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storm's rest of the host. Movers are VMs that ask for their VMID again and
 * again, so that whoever has that number on the SMMU has to leave it. With 8-bit
 * VMIDs on both sides this is steered: KVM gives the movers high numbers, and
 * stage-2 tables without devices, the ballast, take all that are higher. As the
 * SMMU driver gives the highest number that is free, whoever needs one gets a
 * mover's, until the mover asks. Besides, VMs come and go, for KVM to run through
 * its numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "host.h"
#include "vms.h"

#define MOVERS		4
#define FIRST_MOVER	4	/* of the test devices; the one before is the keeper */
#define KEEPER		3
#define NUMBERS		255	/* of 8 bits */
#define BURNED		236	/* VMIDs of KVM before the movers have theirs */
#define FILL_EVERY	2048	/* operations of the mover */
#define RAISE_EVERY	256
#define LOOK_EVERY	16
#define CHURN_PAUSE_US	2000

static struct {
	struct vm vm;
	struct dev *d;
	void *mem;
	u32 hwpt;
	u32 viommu;
	u32 bypass;
	bool attached;
} movers[MOVERS];

static u32 ballast[NUMBERS];
static unsigned int num_ballast;
static int host_fd;
static u32 empty_ioas, page_ioas;
static int live_moves = -1, looks;

/* What debugfs says of each VMID */
struct vmids {
	bool known;
	unsigned int num;
	char shared[65536];
	unsigned char devices[65536];
};

static void vmids_read(struct vmids *v)
{
	FILE *f = smmu_debugfs_open("vmids");
	struct vmid_row row;
	char line[512];

	memset(v, 0, sizeof(*v));
	if (!f)
		return;
	v->known = true;
	while (fgets(line, sizeof(line), f)) {
		if (!vmid_row_parse(line, &row) || row.id > 65535)
			continue;
		v->num++;
		v->shared[row.id] = !strcmp(row.kind, "shared");
		v->devices[row.id] = row.devices;
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
	u32 out;
	int id = viommu_ask(host_fd, movers[m].d->id, movers[m].hwpt,
			    ask_flags(), &out);

	if (id > 0 && out != flags_expected())
		bad(&mover, BAD_ERROR, "a mover's vSMMU reports %#x", out);
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
	vm_exec(&movers[m].vm, GUEST_TLBI_ASID, STORM_ASID + STORM_MOVER + m, 0);
	did(&mover, OP_TLBI, 0);
}

/* True unless the SMMU has no number left */
static bool ballast_add(void)
{
	int id = hwpt_alloc_parent(host_fd, testdev[KEEPER].id, empty_ioas);

	if (id == -ENOSPC || num_ballast == NUMBERS)
		return false;
	if (did(&mover, OP_HWPT, id))
		ballast[num_ballast++] = id;
	return true;
}

static void ballast_remove(void)
{
	did(&mover, OP_HWPT,
	    iommufd_destroy(host_fd, ballast[--num_ballast]));
}

/* For a moment the SMMU has no numbers left */
static void fill(void)
{
	unsigned int count = num_ballast;

	step(&mover, "fill", count, 0);
	while (ballast_add())
		;
	while (num_ballast > count)
		ballast_remove();
}

/* Nobody else takes a number: the ballast goes back to the top */
static void raise_ballast(void)
{
	unsigned int count = num_ballast;

	step(&mover, "raise", count, 0);
	while (num_ballast)
		ballast_remove();
	while (num_ballast < count && ballast_add())
		;
}

/*
 * Most of the time only one of them has its number, so that who has to leave a
 * number takes the next one that a mover asks for.
 */
static void mover_op(void)
{
	unsigned int m = roll(&mover, MOVERS), i;

	/* The others keep their numbers, also across KVM's rollovers */
	if (m == MOVERS - 1 && !roll(&mover, 16)) {
		mover_end(m);
		mover_start(m);
		return;
	}
	for (i = 0; i < MOVERS; i++)
		if (movers[i].viommu && roll(&mover, 8))
			mover_unshare(i);
	if (movers[m].hwpt && !movers[m].viommu)
		mover_share(m);
}

void *mover_run(void *arg)
{
	unsigned int n = 0;

	(void)arg;
	while (!storm_stopped()) {
		storm_enter();
		if (num_ballast && ++n % FILL_EVERY == 0)
			fill();
		mover_op();
		storm_leave();
		if (num_ballast && n % RAISE_EVERY == 0) {
			storm_enter_alone();
			raise_ballast();
			storm_leave();
		}
	}
	return NULL;
}

static void churn_op(void *mem)
{
	struct vm vm;

	vm_create(&vm, mem, PAGE);
	did(&churn, OP_VM, 0);
	vm_exec(&vm, GUEST_TLBI_ASID, STORM_ASID + STORM_CHURN, 0);
	did(&churn, OP_TLBI, 0);
	vm_close(&vm);
	did(&churn, OP_VM, 0);
}

static void *a_page(void)
{
	void *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "memory");
	return mem;
}

void *churn_run(void *arg)
{
	void *mem = a_page();

	(void)arg;
	while (!storm_stopped()) {
		storm_enter();
		churn_op(mem);
		storm_leave();
		usleep(CHURN_PAUSE_US);
	}
	return NULL;
}

void host_start(void)
{
	unsigned int m;
	int id;

	host_fd = iommufd_open();
	dev_open(&testdev[KEEPER], host_fd, NULL);
	id = ioas_alloc(host_fd);
	must(id > 0, "IOAS");
	empty_ioas = id;
	id = ioas_alloc(host_fd);
	must(id > 0, "IOAS");
	page_ioas = id;

	if (e2e.kvm_vmid_bits == 8 && !(e2e.idr0 & IDR0_VMID16)) {
		while (num_ballast < NUMBERS - BURNED - MOVERS && ballast_add())
			;
		vm_churn(BURNED);
	}
	for (m = 0; m < MOVERS; m++) {
		movers[m].mem = a_page();
		movers[m].d = &testdev[FIRST_MOVER + m];
		mover_start(m);
	}
	/* The tenants' VMs begin anew */
	if (num_ballast)
		vm_churn(NUMBERS - BURNED);
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
