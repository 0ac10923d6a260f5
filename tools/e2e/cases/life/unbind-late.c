// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ioctl holds the device for longer than the unbind waits for it, as what it
 * copies lies on a page that nobody fills in. The VM goes with the unbind. So
 * neither that ioctl nor one that comes later, as the device stays, may have it.
 *
 * The limit is 60 s: for a host whose idle time costs nothing (-icount sleep=off).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "case.h"

#define UNBIND_LATE_STEPS(X)	\
	X(STEP_UNBIND_LATE_RUN,	0x01, "run")

E2E_CASE(unbind_late, 34, "unbind-late", UNBIND_LATE_STEPS, .needs = NEEDS_KVM);

#ifdef E2E_INIT
#include "e2e.h"

#define UNBIND_LIMIT	60	/* seconds */
#define FAULT_MS	10000
#define CROWD		8

/**
 * struct late - an IOMMU_VIOMMU_ALLOC that does not come to its end
 * @fd: the iommufd
 * @dev: the device
 * @s2: the stage 2
 * @uffd: tells of the fault and ends it
 * @data: the ioctl's data, on a page of its own
 * @ret: its answer
 * @thread: where it waits
 */
struct late {
	int fd;
	u32 dev;
	u32 s2;
	int uffd;
	struct e2e_viommu_data *data;
	int ret;
	pthread_t thread;
};

static void *late_fn(void *arg)
{
	struct late *l = arg;

	l->ret = viommu_alloc_data(l->fd, l->dev, l->s2,
				   IOMMU_VIOMMU_TYPE_ARM_SMMUV3, l->data,
				   sizeof(*l->data));
	return NULL;
}

static void late_start(struct late *l)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct pollfd pfd = { .events = POLLIN };

	l->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	must(l->uffd >= 0 && !ioctl(l->uffd, UFFDIO_API, &api), "userfaultfd");
	l->data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(l->data != MAP_FAILED, "a page");
	reg.range.start = (uintptr_t)l->data;
	must(!ioctl(l->uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");

	must(!pthread_create(&l->thread, NULL, late_fn, l), "a thread");
	pfd.fd = l->uffd;
	must(poll(&pfd, 1, FAULT_MS) == 1, "the ioctl waits for its data");
}

/* The ioctl's data arrives: it asks to share */
static void late_end(struct late *l)
{
	static union {
		struct e2e_viommu_data data;
		u8 page[PAGE];
	} src __attribute__((aligned(PAGE))) = {
		.data = { .flags = E2E_SHARE_VMID },
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)l->data,
		.src = (uintptr_t)&src,
		.len = PAGE,
	};

	must(!ioctl(l->uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY");
	pthread_join(l->thread, NULL);
}

/* What had the VM's memory is others' now */
static void crowd(struct vm *vm, struct guest *g)
{
	unsigned int i;

	for (i = 0; i < CROWD; i++) {
		vm_create(&vm[i], g->mem, PAGE);
		vm_exec(&vm[i], GUEST_NOP, 0, 0);
	}
}

static void refused(int ret, u32 out, const char *what)
{
	check(ret == -ENODEV, "%s: %d, expected %d", what, ret, -ENODEV);
	check(!out, "%s: out_flags %#x, expected 0", what, out);
}

void case_unbind_late(void)
{
	struct e2e_viommu_data again = { .flags = E2E_SHARE_VMID };
	struct dev *d = &testdev[0];
	struct vm others[CROWD];
	struct guest g;
	struct late l;
	unsigned int i;
	int ret;

	if (!e2e.patched)
		skip("7.3 does not read the data, so its ioctl is not late");
	alarm(4 * UNBIND_LIMIT * e2e.slow);
	mark(STEP_UNBIND_LATE_RUN);
	l.fd = iommufd_open();
	guest_init(&g, l.fd, true);
	dev_open(d, l.fd, &g.vm);
	l.dev = d->id;
	ret = hwpt_alloc_parent(l.fd, d->id, g.ioas);
	must(ret > 0, "stage 2");
	l.s2 = ret;
	vm_exec(&g.vm, GUEST_NOP, 0, 0);
	late_start(&l);

	/* The last reference to the VM is VFIO's, dropped after the unbind */
	expect_warning("iommufd_device_unbind");
	vm_close(&g.vm);
	dev_drop(d);
	crowd(others, &g);
	late_end(&l);
	refused(l.ret, l.data->out_flags, "the ioctl that was late");
	ret = viommu_alloc_data(l.fd, l.dev, l.s2, IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
				&again, sizeof(again));
	refused(ret, again.out_flags, "another one");
	for (i = 0; i < CROWD; i++)
		vm_close(&others[i]);

	/*
	 * The last case of a boot: the device that the unbind has left keeps its
	 * group and page table, in 7.3 too, also when the iommufd is closed.
	 */
	close(l.fd);
	mark(STEP_DONE);
}
#endif
