// SPDX-License-Identifier: GPL-2.0-only
/*
 * What IOMMU_VIOMMU_ALLOC answers to each request that it cannot grant. The
 * unpatched kernel ignores the driver data: it always succeeds and never touches
 * out_flags.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "case.h"

#define ERRORS_STEPS(X)				\
	X(STEP_ERRORS_RUN,	0x01, "run")

E2E_CASE(errors, 8, "uapi-errors", ERRORS_STEPS, .devices = 2);

#define WIDTH_STEPS(X)						\
	X(STEP_WIDTH_RUN,		0x01, "run")			\
	X(STEP_WIDTH_LARGE_TLBI,	0x02, "large-vmid-tlbi")	\
	X(STEP_WIDTH_DMA,		0x03, "dma")			\
	X(STEP_WIDTH_TLBI,		0x04, "tlbi")

E2E_CASE(width, 10, "uapi-width", WIDTH_STEPS,
	 .needs = NEEDS_KVM_VMID16 | NEEDS_SMMU_VMID8);

#define PKVM_STEPS(X)				\
	X(STEP_PKVM_RUN,	0x01, "run")

E2E_CASE(pkvm, 12, "uapi-pkvm", PKVM_STEPS, .needs = NEEDS_PROTECTED);

/* An SMMU with 8-bit VMIDs has this many */
#define SMMU8_VMIDS	256

#ifdef E2E_INIT
#include "e2e.h"

#define UNKNOWN_FLAG	(1u << 31)

/**
 * struct request - one VIOMMU_ALLOC
 * @what: for the report
 * @data: what is sent
 * @len: how much of it, 0 for no data
 * @rest: what each byte behind it is
 * @ret: expected answer of the patched kernel: 0 for success, or -errno
 * @out: expected out_flags afterwards
 */
struct request {
	const char *what;
	struct e2e_viommu_data data;
	u32 len;
	u8 rest;
	int ret;
	u32 out;
};

/* The id of the vIOMMU, if there is one now, or 0 */
static u32 request(int fd, struct dev *d, u32 s2, const struct request *r)
{
	u8 buf[2 * sizeof(r->data)];
	int expected = e2e.patched ? r->ret : 0;
	u32 out = e2e.patched ? r->out : r->data.out_flags;
	struct e2e_viommu_data *data = (void *)buf;
	int ret;

	memset(buf, r->rest, sizeof(buf));
	*data = r->data;
	ret = viommu_alloc_data(fd, d->id, s2, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				data, r->len);
	if (expected)
		check(ret == expected, "%s: %d, expected %d", r->what, ret,
		      expected);
	else
		check(ret > 0, "%s: %d, expected success", r->what, ret);
	check(data->out_flags == out, "%s: out_flags %#x, expected %#x",
	      r->what, data->out_flags, out);
	return ret > 0 ? ret : 0;
}

static void request_once(int fd, struct dev *d, u32 s2,
			 const struct request *r)
{
	u32 id = request(fd, d, s2, r);

	if (id)
		check(!iommufd_destroy(fd, id), "%s: destroyed", r->what);
}

#define ALL		sizeof(struct e2e_viommu_data)
#define ASK		{ .flags = E2E_SHARE_VMID }

/* What the VMM can know before there is a VM */
static void listens(int fd, struct dev *d)
{
	const bool btm = e2e.patched && e2e.btm_asked && e2e.idr0 & IDR0_BTM;
	struct iommu_hw_info_arm_smmuv3 info = { 0 };

	must(!hw_info(fd, d->id, &info), "hw_info");
	check(!!(info.flags & E2E_HW_BTM) == btm,
	      "the SMMU listens to broadcasts: flags %#x, expected %d",
	      info.flags, btm);
}

/* The answer to an attach does not fit into read-only memory: it is undone */
static void read_only_attach(int fd, struct dev *d, u32 ioas)
{
	int pt = hwpt_alloc(fd, d->id, ioas, 0), ret;
	struct vfio_device_attach_iommufd_pt *cmd;

	must(pt > 0, "page table");
	cmd = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(cmd != MAP_FAILED, "memory");
	cmd->argsz = sizeof(*cmd);
	cmd->pt_id = pt;
	must(!mprotect(cmd, PAGE, PROT_READ), "mprotect");
	ret = ioctl(d->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, cmd) < 0 ? -errno : 0;
	check(ret == -EFAULT, "read-only answer to an attach: %d, expected %d", ret, -EFAULT);
	check(!iommufd_destroy(fd, pt), "the page table is not in use");
	munmap(cmd, PAGE);
}

static void without_vm(void)
{
	static const struct request requests[] = {
		{ "no data", {}, 0, 0, 0, 0 },
		{ "nothing asked", {}, ALL, 0, 0, 0 },
		{ "asked without a KVM", ASK, ALL, 0, -ENODEV, 0 },
		{ "unknown flag", { .flags = UNKNOWN_FLAG }, ALL, 0,
		  -EOPNOTSUPP, 0 },
		{ "unknown flag too", { .flags = UNKNOWN_FLAG | 1 }, ALL, 0,
		  -EOPNOTSUPP, 0 },
		{ "out_flags set", { .out_flags = 1 }, ALL, 0, -EINVAL, 1 },
		{ "too short", {}, 4, 0, -EINVAL, 0 },
		{ "longer, and the rest is 0", {}, 2 * ALL, 0, -EINVAL, 0 },
		{ "longer, and the rest is not", {}, 2 * ALL, 1, -EINVAL, 0 },
	};
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2, ret;
	struct e2e_viommu_data data = {};
	struct guest g;
	size_t i;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
	listens(fd, d);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		request_once(fd, d, s2, &requests[i]);

	ret = viommu_alloc_data(fd, d->id, s2, IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV,
				&data, sizeof(data));
	check(ret == -EOPNOTSUPP, "type of another SMMU: %d, expected %d", ret,
	      -EOPNOTSUPP);
	ret = viommu_alloc_data(fd, d->id, s2, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				NULL, sizeof(data));
	if (e2e.patched)
		check(ret == -EFAULT, "no memory there: %d, expected %d", ret,
		      -EFAULT);
	read_only_attach(fd, d, g.ioas);
	dev_close(d);
	close(fd);
}

/* The answer does not fit into read-only memory: an error, and nothing leaks */
static void read_only(int fd, struct dev *d, u32 s2)
{
	const struct request again = {
		"asked after the fault", ASK, ALL, 0, 0, flags_expected()
	};
	struct e2e_viommu_data *data;
	int ret;

	data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(data != MAP_FAILED, "memory");
	data->flags = E2E_SHARE_VMID;
	must(!mprotect(data, PAGE, PROT_READ), "mprotect");
	ret = viommu_alloc_data(fd, d->id, s2, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				data, sizeof(*data));
	if (e2e.patched)
		check(ret == -EFAULT, "read-only answer: %d, expected %d", ret,
		      -EFAULT);
	else
		must(ret > 0 && !iommufd_destroy(fd, ret), "no answer");
	request_once(fd, d, s2, &again);
	munmap(data, PAGE);
}

static void busy(int fd, struct dev *d, u32 s2, u32 other_s2)
{
	const struct request first = {
		"first vSMMU", ASK, ALL, 0, 0, flags_expected()
	};
	const struct request second = {
		"second vSMMU on the same stage 2", ASK, ALL, 0, -EBUSY, 0
	};
	const struct request unasked = {
		"first vSMMU that does not ask", {}, ALL, 0, 0, 0
	};
	const struct request no_data = {
		"first vSMMU without data", {}, 0, 0, 0, 0
	};
	const struct request private = {
		"second vSMMU that does not ask", {}, ALL, 0, 0, 0
	};
	const struct request other = {
		"vSMMU on another stage 2", ASK, ALL, 0, -EBUSY, 0
	};
	const struct request other_free = {
		"the other stage 2 once the VMID is free", ASK, ALL, 0, 0,
		flags_expected()
	};
	u32 id;

	/* Never unasked, with BTM neither */
	request_once(fd, d, s2, &unasked);
	request_once(fd, d, s2, &no_data);
	id = request(fd, d, s2, &first);
	must(id, "the first vSMMU");
	request_once(fd, d, s2, &second);
	request_once(fd, d, s2, &private);
	request_once(fd, d, other_s2, &other);
	must(!iommufd_destroy(fd, id), "destroy the first vSMMU");
	request_once(fd, d, other_s2, &other_free);
}

static void other_vm(int fd, struct dev *d, struct dev *stranger, u32 s2)
{
	const struct request r = { "shared", ASK, ALL, 0, 0, flags_expected() };
	const struct request second = {
		"another VM's vSMMU on the same stage 2", ASK, ALL, 0, -EBUSY, 0
	};
	const struct request unasked = {
		"another VM's vSMMU that does not ask", {}, ALL, 0, 0, 0
	};
	u32 id = request(fd, d, s2, &r);
	int ret;

	must(id, "the vSMMU");
	ret = vdevice_alloc(fd, id, stranger->id, 0x300);
	if (e2e.patched)
		check(ret == -EINVAL,
		      "vDEVICE of another VM's device: %d, expected %d", ret,
		      -EINVAL);
	else
		check(ret > 0, "vDEVICE of another VM's device: %d", ret);
	if (ret > 0)
		iommufd_destroy(fd, ret);
	request_once(fd, stranger, s2, &second);
	request_once(fd, stranger, s2, &unasked);
	check(!iommufd_destroy(fd, id), "the vSMMU is destroyed");
}

/* Who the VM is was settled when the device was bound */
static void too_late(int fd, struct dev *d, struct guest *g)
{
	const struct request r = {
		"KVM told after the bind", ASK, ALL, 0, -ENODEV, 0
	};
	int s2;

	dev_open(d, fd, NULL);
	vm_add_file(&g->vm, d->fd);
	d->vm = &g->vm;
	s2 = hwpt_alloc_parent(fd, d->id, g->ioas);
	must(s2 > 0, "stage 2");
	request_once(fd, d, s2, &r);
	must(!iommufd_destroy(fd, s2), "destroy stage 2");
	dev_close(d);
}

static void with_vm(void)
{
	struct dev *d = &testdev[0], *stranger = &testdev[1];
	int fd = iommufd_open(), s2, other_s2;
	struct guest g, other;

	guest_init(&g, fd, true);
	guest_init(&other, fd, true);
	too_late(fd, d, &g);
	dev_open(d, fd, &g.vm);
	dev_open(stranger, fd, &other.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	other_s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0 && other_s2 > 0, "two stage 2");

	busy(fd, d, s2, other_s2);
	read_only(fd, d, s2);
	other_vm(fd, d, stranger, s2);

	dev_close(d);
	dev_close(stranger);
	close(fd);
	vm_close(&g.vm);
	vm_close(&other.vm);
}

void case_errors(void)
{
	mark(STEP_ERRORS_RUN);
	without_vm();
	if (e2e.kvm >= 0)
		with_vm();
	mark(STEP_DONE);
}

/* A VM that asks and cannot share */
static void cannot_share(const char *why, int err)
{
	const struct request requests[] = {
		{ why, ASK, ALL, 0, err, 0 },
		{ "not asked", {}, ALL, 0, 0, 0 },
		{ "no data", {}, 0, 0, 0, 0 },
	};
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct guest g;
	size_t i;

	guest_init(&g, fd, true);
	dev_open(d, fd, &g.vm);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		request_once(fd, d, s2, &requests[i]);
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
}

/* A VM with a number that fits, while another one has a larger one */
static void small_number(void)
{
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2;
	struct guest g, large;
	struct vsmmu v;
	char hit;

	guest_init(&g, fd, true);
	guest_init(&large, fd, true);
	dev_open(d, fd, &g.vm);
	burn_vmids(fd, d, &g);
	vm_exec(&g.vm, GUEST_NOP, 0, 0);
	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(&v, &g, d, s2, &g.s1, ask_flags());
	check(v.out_flags == flags_expected(), "a small number: %#x, expected %#x",
	      v.out_flags, flags_expected());
	must(!dev_attach(d, v.trans), "attach to nested translate");
	vm_churn(SMMU8_VMIDS);

	mark(STEP_WIDTH_LARGE_TLBI);
	vm_exec(&large.vm, GUEST_TLBI_ALL, 0, 0);
	mark(STEP_WIDTH_DMA);
	must(dma_lands(&g, d) == 'A', "DMA lands");
	s1_map(&g.s1, OFF_PAGE_B);
	mark(STEP_WIDTH_TLBI);
	vm_exec(&g.vm, GUEST_TLBI_ALL, 0, 0);
	hit = dma_lands(&g, d);
	check(hit == (btm_expected() ? 'B' : 'A'),
	      "after the VM's TLBI: DMA in %c, expected %c", hit,
	      btm_expected() ? 'B' : 'A');
	dev_close(d);
	close(fd);
	vm_close(&g.vm);
	vm_close(&large.vm);
}

/*
 * For an SMMU with 8-bit VMIDs under CPUs with 16. Afterwards no VM of the boot has
 * a number that fits.
 */
void case_width(void)
{
	mark(STEP_WIDTH_RUN);
	small_number();
	cannot_share("a number too large for the SMMU", -ERANGE);
	mark(STEP_DONE);
}

/* For a kernel booted with kvm-arm.mode=protected */
void case_pkvm(void)
{
	mark(STEP_PKVM_RUN);
	cannot_share("protected KVM", -EPERM);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

/* The VM's number fits an SMMU with 8 bits, that of the other one does not */
void check_width(struct run *r)
{
	int smmu, small, large;
	struct span d, t, l;
	bool found, ok;

	found = step(r, STEP_WIDTH_LARGE_TLBI, &l) &&
		step(r, STEP_WIDTH_DMA, &d) && step(r, STEP_WIDTH_TLBI, &t);
	if (!rule(r, found, "uapi-width: steps"))
		return;
	smmu = smmu_vmid(&d);
	small = guest_vmid(&t);
	large = guest_vmid(&l);
	rule(r, large >= SMMU8_VMIDS, "uapi-width: the other VM has VMID %d", large);
	ok = smmu > 0 && small > 0 && small < SMMU8_VMIDS &&
	     (smmu == small) == r->share;
	rule(r, ok, "uapi-width: SMMU %d and KVM %d", smmu, small);
}
#endif
