// SPDX-License-Identifier: GPL-2.0-only
/*
 * What IOMMU_VIOMMU_ALLOC answers to each request that it cannot grant. The
 * unpatched kernel ignores the driver data: it always succeeds and never touches
 * out_flags.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "case.h"

#define ERRORS_STEPS(X)				\
	X(STEP_ERRORS_RUN,	0x01, "run")

E2E_CASE(errors, 8, "uapi-errors", ERRORS_STEPS, .devices = 2);

#define WIDTH_STEPS(X)				\
	X(STEP_WIDTH_RUN,	0x01, "run")

E2E_CASE(width, 10, "uapi-width", WIDTH_STEPS,
	 .needs = NEEDS_KVM_VMID16 | NEEDS_SMMU_VMID8);

#define PKVM_STEPS(X)				\
	X(STEP_PKVM_RUN,	0x01, "run")

E2E_CASE(pkvm, 12, "uapi-pkvm", PKVM_STEPS, .needs = NEEDS_PROTECTED);

#ifdef E2E_INIT
#include "e2e.h"

#define UNKNOWN_FLAG	(1u << 31)

/**
 * struct request - one VIOMMU_ALLOC
 * @what: for the report
 * @data: what is sent
 * @len: how much of it, 0 for no data
 * @ret: expected answer of the patched kernel: 0 for success, or -errno
 * @out: expected out_flags afterwards
 */
struct request {
	const char *what;
	struct e2e_viommu_data data;
	u32 len;
	int ret;
	u32 out;
};

/* The id of the vIOMMU, if there is one now, or 0 */
static u32 request(int fd, struct dev *d, u32 s2, const struct request *r)
{
	u8 buf[2 * sizeof(r->data)] = { 0 };
	int expected = e2e.patched ? r->ret : 0;
	u32 out = e2e.patched ? r->out : r->data.out_flags;
	struct e2e_viommu_data *data = (void *)buf;
	int ret;

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

static void without_vm(void)
{
	static const struct request requests[] = {
		{ "no data", {}, 0, 0, 0 },
		{ "nothing asked", {}, ALL, 0, 0 },
		{ "asked without a KVM", ASK, ALL, -ENODEV, 0 },
		{ "unknown flag", { .flags = UNKNOWN_FLAG }, ALL,
		  -EOPNOTSUPP, 0 },
		{ "unknown flag too", { .flags = UNKNOWN_FLAG | 1 }, ALL,
		  -EOPNOTSUPP, 0 },
		{ "out_flags set", { .out_flags = 1 }, ALL, -EINVAL, 1 },
		{ "too short", {}, 4, -EINVAL, 0 },
		{ "too long", {}, 2 * ALL, -EINVAL, 0 },
	};
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2, ret;
	struct e2e_viommu_data data = {};
	struct guest g;
	size_t i;

	guest_init(&g, fd, false);
	dev_open(d, fd, NULL);
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
	dev_close(d);
	close(fd);
}

/* The answer does not fit into read-only memory: an error, and nothing leaks */
static void read_only(int fd, struct dev *d, u32 s2)
{
	const struct request again = {
		"asked after the fault", ASK, ALL, 0, flags_expected()
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
		"first vSMMU", ASK, ALL, 0, flags_expected()
	};
	const struct request second = {
		"second vSMMU on the same stage 2", ASK, ALL, -EBUSY, 0
	};
	const struct request private = {
		"second vSMMU that does not ask", {}, ALL, 0, 0
	};
	const struct request other = {
		"vSMMU on another stage 2", ASK, ALL, -EBUSY, 0
	};
	const struct request other_free = {
		"the other stage 2 once the VMID is free", ASK, ALL, 0,
		flags_expected()
	};
	u32 id = request(fd, d, s2, &first);

	must(id, "the first vSMMU");
	request_once(fd, d, s2, &second);
	request_once(fd, d, s2, &private);
	request_once(fd, d, other_s2, &other);
	must(!iommufd_destroy(fd, id), "destroy the first vSMMU");
	request_once(fd, d, other_s2, &other_free);
}

static void other_vm(int fd, struct dev *d, struct dev *stranger, u32 s2)
{
	const struct request r = { "shared", ASK, ALL, 0, flags_expected() };
	const struct request second = {
		"another VM's vSMMU on the same stage 2", ASK, ALL, -EBUSY, 0
	};
	const struct request unasked = {
		"another VM's vSMMU that does not ask", {}, ALL, 0, 0
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
		"KVM told after the bind", ASK, ALL, -ENODEV, 0
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

/* A VM that asks where the machine as a whole cannot share */
static void cannot_share(const char *why)
{
	const struct request requests[] = {
		{ why, ASK, ALL, -EOPNOTSUPP, 0 },
		{ "not asked", {}, ALL, 0, 0 },
		{ "no data", {}, 0, 0, 0 },
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

/* For an SMMU with 8-bit VMIDs under CPUs with 16 */
void case_width(void)
{
	mark(STEP_WIDTH_RUN);
	cannot_share("VMIDs wider than the SMMU's");
	mark(STEP_DONE);
}

/* For a kernel booted with kvm-arm.mode=protected */
void case_pkvm(void)
{
	mark(STEP_PKVM_RUN);
	cannot_share("protected KVM");
	mark(STEP_DONE);
}
#endif
