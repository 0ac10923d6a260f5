// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page table that was allocated for a device behind another kind of IOMMU: iommufd's
 * mock device, in the same iommufd. It cannot be attached to a device behind the SMMU,
 * neither first nor in place of another one, and DMA goes where it went.
 *
 * Not for the unpatched kernel, which replaces: the mock's driver then takes what the
 * SMMU's keeps of the device for its own.
 */
#include <errno.h>
#include <unistd.h>
#include <sys/ioctl.h>

#include "case.h"

#define OTHER_DRIVER_STEPS(X)			\
	X(STEP_OTHER_DRIVER_TRY, 0x01, "try")

E2E_CASE(other_driver, 70, "other-driver", OTHER_DRIVER_STEPS, .devices = 1);

#ifdef E2E_INIT
#include "e2e.h"
#include "iommufd_test.h"

/* A page table of the mock device's, which is attached to @ioas */
static u32 mock_table(int fd, u32 ioas)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas,
	};
	int id;

	must(!ioctl(fd, IOMMU_TEST_CMD, &cmd), "a mock device");
	id = hwpt_alloc(fd, cmd.mock_domain.out_idev_id, ioas, 0);
	must(id > 0, "a page table of the mock device: %d", id);
	return id;
}

void case_other_driver(void)
{
	int fd = iommufd_open(), ioas = ioas_alloc(fd), ret;
	struct dev *d = &testdev[0];
	struct guest g;
	u32 theirs;

	if (!e2e.patched)
		skip("7.3 replaces, and runs into the wrong driver");
	must(ioas > 0, "IOAS");
	guest_init(&g, fd, false);
	must(!ioas_map(fd, g.ioas, g.mem + OFF_PAGE_A, PAGE, DMA_IOVA), "map");
	theirs = mock_table(fd, ioas);
	dev_open(d, fd, NULL);
	mark(STEP_OTHER_DRIVER_TRY);
	ret = dev_attach(d, theirs);
	check(ret == -EINVAL, "the first attach: %d", ret);
	must(!dev_attach(d, g.ioas), "attach to one of its own");
	check(dma_lands(&g, d) == 'A', "DMA lands");
	ret = dev_attach(d, theirs);
	check(ret == -EINVAL, "in place of it: %d", ret);
	check(dma_lands(&g, d) == 'A', "DMA lands where it did");
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
	guest_free(&g);
}
#endif
