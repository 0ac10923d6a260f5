// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory runs out. Each thing that somebody can ask of the kernel on the way to a
 * shared VMID is tried with its first allocation failing, with its second, and so
 * on, until a try needs no more of them. Whatever fails must say ENOMEM and leave
 * all as it was: VMIDs, pins, and where the devices' DMA lands. When everything is
 * closed, no more objects may be in use than before.
 *
 * For the patched kernel with failslab, 8-bit VMIDs on both sides and slab_debug=
 * for the kmalloc caches, see slabs.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "case.h"

#define FAIL_NTH_STEPS(X)			\
	X(STEP_FAIL_NTH_RUN,	0x01, "run")

E2E_CASE(fail_nth, 20, "fail-nth", FAIL_NTH_STEPS,
	 .needs = NEEDS_SHARE | NEEDS_SMMU_VMID8, .devices = 3,
	 .refuses = true, .unlimited = true);

#define FAIL_NTH_GROUP_STEPS(X)		\
	X(STEP_FAIL_NTH_GROUP_RUN, 0x01, "run")

E2E_CASE(fail_nth_group, 42, "fail-nth-group", FAIL_NTH_GROUP_STEPS,
	 .needs = NEEDS_SHARE | NEEDS_PAIR, .refuses = true, .unlimited = true);

#ifdef E2E_INIT
#include "e2e.h"

#define FAILSLAB	"/sys/kernel/debug/failslab"
#define FAIL_IOMMUFD	"/sys/kernel/debug/fail_iommufd"
#define TIMES		1000000
#define STR2(x)		#x
#define STR(x)		STR2(x)
#define MAX_POINTS	1000
#define NUMBERS		255	/* of 8 bits */
#define VSID		0x100

/**
 * struct trial - something to ask of the kernel
 * @what: for the report
 * @op: asks. 0 or an id, or -errno. NULL: @object is destroyed
 * @undo: takes it back, if there is something; is given what @op returned
 * @object: what is destroyed...
 * @make: ...and makes it again
 * @before: what each try begins with, if anything
 * @points: how many allocations it has, at least
 * @sure: it must not fail for want of memory
 */
struct trial {
	const char *what;
	int (*op)(void);
	void (*undo)(int ret);
	u32 *object;
	int (*make)(void);
	void (*before)(void);
	unsigned int points;
	bool sure;
};

enum failure { NONE, LOOKUP, ALLOCATION };

/* Where the VM's device is attached */
enum place { NOWHERE, S2, OTHER_S2, BYPASS, TRANS, SECOND_TRANS };

static const char *const place_names[] = {
	"nothing", "stage 2", "another stage 2", "nested bypass",
	"nested translate", "nested translate of another vSMMU",
};

/* The page of its guest in which its DMA lands there */
static const char place_page[] = { '!', 'C', 'C', 'C', 'A', 'B' };

/**
 * struct bed - what there is to try with
 * @fd: the iommufd of all
 * @nth: /proc/thread-self/fail-nth
 * @g: a guest with a VM
 * @d: its device
 * @peer: the other function of the same device, and so attached with it; NULL if
 *        there is none
 * @at: where they are attached
 * @s2: stage-2 tables of @g
 * @v: two vSMMUs on the first of them: one shares, one does not
 * @second: stage 1 of @v[1]
 * @vdevice: the vDEVICE of @d, 0 if there is none
 * @peer_vdevice: that of @peer
 * @vdev_on: which vSMMU they belong to
 * @plain: a guest without a VM
 * @p: its device
 * @p_s2: the stage-2 table that @p is attached to
 * @spare: a device that is bound by nobody else
 * @vm_fd: a VM that does nothing
 * @empty: an IOAS without mappings
 * @filler: stage-2 tables that use up the SMMU's VMIDs
 * @fillers: how many there are
 * @rehearse: nothing is to fail yet
 */
static struct bed {
	int fd;
	int nth;
	struct guest g;
	struct dev *d;
	struct dev *peer;
	enum place at;
	u32 s2[2];
	struct vsmmu v[2];
	struct stage1 second;
	u32 vdevice;
	u32 peer_vdevice;
	unsigned int vdev_on;
	struct guest plain;
	struct dev *p;
	u32 p_s2;
	struct dev *spare;
	int vm_fd;
	u32 empty;
	u32 filler[NUMBERS];
	bool rehearse;
	unsigned int fillers;
} b;

static void arm(unsigned int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", n);

	must(pwrite(b.nth, buf, len, 0) == len, "fail-nth");
}

/*
 * What was made to fail since arm()? iommufd has a hook of its own besides: an
 * object is not there any more when it is looked up.
 */
static enum failure disarm(void)
{
	static unsigned int left = TIMES;
	unsigned int n, was = left;
	char buf[16] = "";

	must(pread(b.nth, buf, sizeof(buf) - 1, 0) > 0, "fail-nth");
	n = strtoul(buf, NULL, 10);
	arm(0);
	if (n)
		return NONE;
	left = sysfs_number(FAILSLAB "/times");
	return left == was ? LOOKUP : ALLOCATION;
}

/* Is @ret an answer to that? */
static bool answers(enum failure failure, int ret)
{
	return failure == ALLOCATION ? ret == -ENOMEM :
	       failure == LOOKUP && (ret == -ENOENT || ret == -EINVAL);
}

static bool dma_ok(void)
{
	char want = place_page[b.at], d = want, peer = want, p = 'A';

	if (b.d->fd >= 0)
		d = dma_lands(&b.g, b.d);
	if (b.peer)
		peer = dma_lands(&b.g, b.peer);
	if (b.p_s2)
		p = dma_lands(&b.plain, b.p);
	if (d != want || peer != want || p != 'A')
		note("DMA in %c, %c and %c, expected twice %c and A", d, peer, p,
		     want);
	return d == want && peer == want && p == 'A';
}

/**
 * struct tally - what came of a trial
 * @failures: allocations whose failure made it fail
 * @survived: allocations whose failure did not
 * @wrong: answers that must not be
 * @changed: afterwards something was not as before
 */
struct tally {
	unsigned int failures;
	unsigned int survived;
	unsigned int wrong;
	bool changed;
};

static void judge(const struct trial *t, struct tally *y, unsigned int n,
		  enum failure failure, int ret)
{
	if (failure == ALLOCATION && ret < 0)
		y->failures++;
	else if (failure == ALLOCATION)
		y->survived++;
	if (ret < 0 && (!answers(failure, ret) ||
			(t->sure && failure == ALLOCATION))) {
		note("allocation %u fails: %d", n, ret);
		y->wrong++;
	}
}

static void make_again(const struct trial *t)
{
	int id = t->make();

	must(id > 0, "what is to be destroyed: %d", id);
	*t->object = id;
}

static void take_back(const struct trial *t, int ret)
{
	if (t->object)
		make_again(t);
	else if (t->undo)
		t->undo(ret);
}

static void fail_each(const struct trial *t, struct tally *y)
{
	enum failure failure = ALLOCATION;
	static struct usage was, is;
	unsigned int n;
	int ret;

	memset(y, 0, sizeof(*y));
	if (t->before)
		t->before();
	usage_read(&was);
	for (n = b.rehearse ? MAX_POINTS - 1 : 1;
	     failure && n < MAX_POINTS && !y->changed; n++) {
		if (t->before)
			t->before();
		arm(n);
		ret = t->op ? t->op() : iommufd_destroy(b.fd, *t->object);
		failure = disarm();
		if (ret >= 0)
			take_back(t, ret);
		judge(t, y, n, failure, ret);
		usage_read(&is);
		y->changed = !dma_ok() || !usage_same(&was, &is);
		if (y->changed)
			note("so after allocation %u failed: %d", n, ret);
	}
}

static void try(const struct trial *t)
{
	struct tally y;

	fail_each(t, &y);
	if (b.rehearse)
		return;
	check(!y.wrong && y.failures + y.survived >= t->points,
	      "%s: %u allocations fail it, %u do not, %u wrong answers",
	      t->what, y.failures, y.survived, y.wrong);
	check(!y.changed, "%s: nothing is left of it", t->what);
}

/* VMs and binding */

static int op_create_vm(void)
{
	int fd = ioctl(e2e.kvm, KVM_CREATE_VM, 0);

	return fd < 0 ? -errno : fd;
}

static void undo_close(int fd)
{
	close(fd);
}

static int op_close_vm(void)
{
	close(b.vm_fd);
	return 0;
}

static void undo_close_vm(int ret)
{
	(void)ret;
	b.vm_fd = ioctl(e2e.kvm, KVM_CREATE_VM, 0);
	must(b.vm_fd >= 0, "KVM_CREATE_VM");
}

static int op_add_file(void)
{
	return vm_try_add_file(&b.g.vm, b.spare->fd);
}

static void undo_add_file(int ret)
{
	(void)ret;
	vm_del_file(&b.g.vm, b.spare->fd);
}

static void spare_open(void)
{
	b.spare->fd = dev_file_open(b.spare);
	must(b.spare->fd >= 0, "VFIO device file");
}

static int op_bind(void)
{
	return dev_bind(b.spare, b.fd);
}

static void undo_bind(int ret)
{
	(void)ret;
	vm_del_file(&b.g.vm, b.spare->fd);
	close(b.spare->fd);
	spare_open();
	vm_add_file(&b.g.vm, b.spare->fd);
}

/*
 * The file of a device that is bound and attached. For a host with
 * iommu.passthrough=1: back to a default domain that translates takes memory, and
 * where there is none the core of the IOMMU drivers can but warn.
 */
static int op_close(void)
{
	close(b.spare->fd);
	b.spare->fd = -1;
	return 0;
}

static void undo_close_dev(int ret)
{
	(void)ret;
	spare_open();
	must(!dev_bind(b.spare, b.fd) && !dev_attach(b.spare, b.p_s2),
	     "bind and attach");
}

static void try_vm(void)
{
	static const struct trial create = {
		"create a VM", op_create_vm, undo_close, .points = 5
	}, close_vm = {
		"close a VM", op_close_vm, undo_close_vm, .sure = true
	}, add = {
		"tell KVM of a device", op_add_file, undo_add_file, .points = 1
	}, bind = {
		"bind for a VM", op_bind, undo_bind, .points = 1
	}, close_dev = {
		"close a device", op_close, undo_close_dev, .sure = true
	};

	try(&create);
	undo_close_vm(0);
	try(&close_vm);
	close(b.vm_fd);

	spare_open();
	try(&add);
	vm_add_file(&b.g.vm, b.spare->fd);
	try(&bind);
	vm_del_file(&b.g.vm, b.spare->fd);

	must(!dev_bind(b.spare, b.fd) && !dev_attach(b.spare, b.p_s2),
	     "bind and attach");
	try(&close_dev);
	close(b.spare->fd);
}

/* vSMMUs */

static int ask(const struct dev *d, u32 s2, u32 flags)
{
	u32 out;
	int id = viommu_ask(b.fd, d->id, s2, flags, &out);

	if (id > 0 && flags && out != flags_expected())
		return -EPROTO;
	return id;
}

static void undo_object(int id)
{
	must(!iommufd_destroy(b.fd, id), "destroy what there is now");
}

static int op_share(void)
{
	return ask(b.d, b.s2[0], ask_flags());
}

static int op_private(void)
{
	return ask(b.p, b.p_s2, 0);
}

static int op_vdevice(void)
{
	return vdevice_alloc(b.fd, b.v[0].viommu, b.d->id, VSID);
}

static int op_bypass(void)
{
	u64 ste[2];

	s1_vste_bypass(ste);
	return hwpt_alloc_nested(b.fd, b.d->id, b.v[0].viommu, ste);
}

static int op_trans(void)
{
	u64 ste[2];

	s1_vste(&b.g.s1, ste);
	return hwpt_alloc_nested(b.fd, b.d->id, b.v[0].viommu, ste);
}

static int op_s2(void)
{
	return hwpt_alloc_parent(b.fd, b.p->id, b.empty);
}

static int op_command(void)
{
	return viommu_invalidate(b.fd, b.v[0].viommu, CMD_TLBI_NH_ALL, 0);
}

static void no_vdevice(void)
{
	if (b.vdevice)
		undo_object(b.vdevice);
	if (b.peer_vdevice)
		undo_object(b.peer_vdevice);
	b.vdevice = 0;
	b.peer_vdevice = 0;
}

static void vdevice_on(unsigned int n)
{
	int id;

	if (b.vdevice && b.vdev_on == n)
		return;
	no_vdevice();
	id = vdevice_alloc(b.fd, b.v[n].viommu, b.d->id, VSID);
	must(id > 0, "vDEVICE: %d", id);
	b.vdevice = id;
	b.vdev_on = n;
	if (!b.peer)
		return;
	id = vdevice_alloc(b.fd, b.v[n].viommu, b.peer->id, VSID + 1);
	must(id > 0, "vDEVICE: %d", id);
	b.peer_vdevice = id;
}

static void vsmmus_init(void)
{
	vsmmu_init(&b.v[0], &b.g, b.d, b.s2[0], &b.g.s1, ask_flags());
	must(b.v[0].out_flags == flags_expected(), "the first vSMMU shares");
	undo_object(b.v[0].vdevice);
	vsmmu_init(&b.v[1], &b.g, b.d, b.s2[0], &b.second, 0);
	b.vdevice = b.v[1].vdevice;
	b.vdev_on = 1;
	no_vdevice();
}

static void try_vsmmus(void)
{
	static const struct trial share = {
		"a vSMMU that shares", op_share, undo_object, .points = 3
	}, private = {
		"a private vSMMU", op_private, undo_object, .points = 1
	}, second = {
		"a second vSMMU", op_private, undo_object, .points = 2
	}, vdevice = {
		"a vDEVICE", op_vdevice, undo_object, .points = 2
	}, bypass = {
		"a nested bypass page table", op_bypass, undo_object, .points = 2
	}, trans = {
		"a nested translate page table", op_trans, undo_object, .points = 2
	}, s2 = {
		"a stage-2 page table", op_s2, undo_object, .points = 2
	};
	int first;

	try(&share);
	try(&private);
	first = op_private();
	must(first > 0, "a private vSMMU");
	try(&second);
	undo_object(first);
	try(&s2);

	vsmmus_init();
	try(&vdevice);
	try(&bypass);
	try(&trans);
}

/* Attachments */

static enum place from, to;

static int go_to(enum place place)
{
	int ret = place == NOWHERE ? dev_detach(b.d) :
		  dev_attach(b.d, place == S2 ? b.s2[0] :
				  place == OTHER_S2 ? b.s2[1] :
				  place == BYPASS ? b.v[0].bypass :
				  place == TRANS ? b.v[0].trans : b.v[1].trans);

	if (!ret)
		b.at = place;
	return ret;
}

static int op_attach(void)
{
	return go_to(to);
}

static void vdevice_for(enum place place)
{
	if (place == TRANS || place == SECOND_TRANS)
		vdevice_on(place == SECOND_TRANS);
}

static void undo_attach(int ret)
{
	(void)ret;
	must(dma_ok(), "DMA after the change");
	vdevice_for(from);
	must(!go_to(from), "go back to %s", place_names[from]);
	vdevice_for(to);
}

static void try_attach(enum place x, enum place y, unsigned int points)
{
	char what[100];
	const struct trial t = {
		what, op_attach, undo_attach,
		.points = points, .sure = y == NOWHERE
	};

	snprintf(what, sizeof(what), "from %s to %s", place_names[x],
		 place_names[y]);
	from = x;
	to = y;
	if (b.at != from) {
		vdevice_for(from);
		must(!go_to(from), "go to %s", place_names[from]);
	}
	vdevice_for(to);
	try(&t);
}

static void try_attachments(void)
{
	static const struct trial command = {
		"a guest's command", op_command, .sure = true
	};

	try_attach(NOWHERE, S2, 2);
	try_attach(NOWHERE, TRANS, 2);
	try_attach(S2, OTHER_S2, 2);
	try_attach(S2, BYPASS, 2);
	try_attach(BYPASS, TRANS, 3);
	try_attach(TRANS, SECOND_TRANS, 4);
	try_attach(SECOND_TRANS, TRANS, 4);
	try(&command);
	try_attach(TRANS, BYPASS, 2);
	try_attach(TRANS, S2, 2);
	try_attach(S2, TRANS, 3);
	try_attach(TRANS, OTHER_S2, 2);
	try_attach(TRANS, NOWHERE, 0);
	try_attach(S2, NOWHERE, 0);
	if (b.at != NOWHERE)
		must(!go_to(NOWHERE), "detach");
}

/* Ends */

/* A vSMMU with nothing on it */
static u32 bare;

static int op_s2_again(void)
{
	return hwpt_alloc_parent(b.fd, b.d->id, b.g.ioas);
}

static void vsmmus_destroy(void)
{
	unsigned int i;

	no_vdevice();
	for (i = 0; i < 2; i++) {
		undo_object(b.v[i].trans);
		undo_object(b.v[i].bypass);
		undo_object(b.v[i].viommu);
	}
}

static void try_ends(void)
{
	static const struct trial trans = {
		"destroy a nested page table",
		.object = &b.v[0].trans, .make = op_trans, .sure = true
	}, vdevice = {
		"destroy a vDEVICE",
		.object = &b.vdevice, .make = op_vdevice, .sure = true
	}, viommu = {
		"destroy a vSMMU that shares",
		.object = &bare, .make = op_share, .sure = true
	}, s2 = {
		"destroy a stage 2",
		.object = &b.s2[1], .make = op_s2_again, .sure = true
	};

	try(&trans);
	vdevice_on(0);
	try(&vdevice);
	vsmmus_destroy();
	make_again(&viommu);
	try(&viommu);
	undo_object(bare);
	try(&s2);
}

/*
 * A VMID that moves. All of the SMMU's numbers are in use but one, and the VM's own
 * is that of the stage 2 which the plain device is attached to.
 */

static bool filler_add(void)
{
	int id = op_s2();

	must(id > 0 || id == -ENOSPC, "stage 2: %d", id);
	if (id > 0)
		b.filler[b.fillers++] = id;
	return id > 0;
}

/* The next stage 2 gets the number that the VM has */
static void plain_takes(void)
{
	u32 old = b.p_s2;
	int id = hwpt_alloc_parent(b.fd, b.p->id, b.plain.ioas);

	must(id > 0 && !dev_attach(b.p, id), "stage 2: %d", id);
	b.p_s2 = id;
	undo_object(old);
}

static void fill(void)
{
	static struct usage u;
	unsigned int i, above = 0;

	usage_read(&u);
	for (i = usage_pinned() + 1; i <= NUMBERS; i++)
		above += !u.taken[i];
	while (above--)
		must(filler_add(), "a number above the VM's");
	plain_takes();
	while (filler_add())
		;
	undo_object(b.filler[--b.fillers]);
	usage_read(&u);
	must(u.vmids == NUMBERS - 1 && u.taken[usage_pinned()],
	     "all numbers but one are in use");
}

/* The only number that is free may be the VM's, as the last try moved its holder */
static void hold_vm_number(void)
{
	static struct usage u;

	usage_read(&u);
	if (!u.taken[usage_pinned()])
		plain_takes();
}

static void try_move(void)
{
	static const struct trial move = {
		"a vSMMU that shares a number in use", op_share, undo_object,
		.points = 5, .before = hold_vm_number
	};

	/* Which number is it? */
	undo_object(op_share());
	fill();
	try(&move);
	while (b.fillers)
		undo_object(b.filler[--b.fillers]);
}

static void faults_init(void)
{
	/* Not a line for each failure, and a backtrace */
	must(sysfs_write(FAILSLAB "/ignore-gfp-wait", "N") &&
	     sysfs_write(FAILSLAB "/verbose", "0") &&
	     sysfs_write(FAIL_IOMMUFD "/verbose", "0") &&
	     sysfs_write(FAILSLAB "/times", STR(TIMES)), FAILSLAB);
	b.nth = open("/proc/thread-self/fail-nth", O_RDWR);
	must(b.nth >= 0, "fail-nth");
}

static void bed_init(void)
{
	int id, i;

	b.p = &testdev[1];
	b.spare = &testdev[2];
	b.fd = iommufd_open();
	guest_init(&b.g, b.fd, true);
	guest_init(&b.plain, b.fd, false);
	s1_init(&b.second, b.g.mem, OFF_S1_SECOND, GUEST_ASID);
	s1_map(&b.second, OFF_PAGE_B);
	must(!ioas_map(b.fd, b.g.ioas, b.g.mem + OFF_PAGE_C, PAGE, DMA_IOVA) &&
	     !ioas_map(b.fd, b.plain.ioas, b.plain.mem + OFF_PAGE_A, PAGE,
		       DMA_IOVA), "map");
	dev_open(b.d, b.fd, &b.g.vm);
	if (b.peer)
		dev_open(b.peer, b.fd, &b.g.vm);
	dev_open(b.p, b.fd, NULL);
	id = ioas_alloc(b.fd);
	must(id > 0, "IOAS");
	b.empty = id;
	for (i = 0; i < 2; i++) {
		id = op_s2_again();
		must(id > 0, "stage 2");
		b.s2[i] = id;
	}
	id = hwpt_alloc_parent(b.fd, b.p->id, b.plain.ioas);
	must(id > 0 && !dev_attach(b.p, id), "attach the plain device");
	b.p_s2 = id;
}

static void bed_free(void)
{
	mark(STEP_DONE);
	dev_close(b.d);
	if (b.peer)
		dev_close(b.peer);
	dev_close(b.p);
	close(b.fd);
	vm_close(&b.g.vm);
	guest_free(&b.g);
	guest_free(&b.plain);
	b.at = NOWHERE;
}

static void try_all(void)
{
	bed_init();
	mark(STEP_FAIL_NTH_RUN);
	try_vm();
	try_vsmmus();
	try_attachments();
	try_ends();
	try_move();
	bed_free();
}

void case_fail_nth(void)
{
	static struct usage u;
	static struct slabs slabs;

	b.d = &testdev[0];
	usage_read(&u);
	faults_init();
	/* What is left of the first time can be of use from then on */
	b.rehearse = true;
	try_all();
	if (slabs_settle())
		slabs_read(&slabs);
	b.rehearse = false;
	try_all();
	usage_read(&u);
	if (slabs_settle())
		check(slabs_no_more(&slabs), "no more objects in use than before");
	check(!u.vmids && !u.pins, "%u VMIDs and %d references to pins are left",
	      u.vmids, u.pins);
}

static void try_group(void)
{
	bed_init();
	mark(STEP_FAIL_NTH_GROUP_RUN);
	vsmmus_init();
	try_attachments();
	vsmmus_destroy();
	bed_free();
}

/*
 * Attachments of a group of two functions: what fails for the second of them is
 * taken back for the first.
 */
void case_fail_nth_group(void)
{
	static struct usage before;

	must(devs_pair(&b.d, &b.peer), "a device with two functions");
	usage_read(&before);
	faults_init();
	b.rehearse = true;
	try_group();
	b.rehearse = false;
	try_group();
	usage_check(&before, "all closed");
}
#endif
