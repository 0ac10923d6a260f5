// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SMMU that cannot force write-back nests nothing: a guest could bypass the caches. There is no
 * vSMMU then, shared or not, and a stage 2 alone works.
 */
#include <errno.h>
#include <unistd.h>

#include "case.h"

#define NO_FWB_STEPS(X)				\
	X(STEP_NO_FWB_RUN,	0x01, "run")

E2E_CASE(no_fwb, 17, "no-fwb", NO_FWB_STEPS);

#ifdef E2E_INIT
#include "e2e.h"

#define IDR3_FWB	(1u << 8)

void case_no_fwb(void)
{
	struct iommu_hw_info_arm_smmuv3 info = { 0 };
	struct dev *d = &testdev[0];
	int fd = iommufd_open(), s2, ret;
	struct guest g;
	u32 out;

	guest_init(&g, fd, e2e.kvm >= 0);
	dev_open(d, fd, g.has_vm ? &g.vm : NULL);
	must(!hw_info(fd, d->id, &info), "hw_info");
	if (info.idr[3] & IDR3_FWB)
		skip("the SMMU has FWB");

	s2 = hwpt_alloc_parent(fd, d->id, g.ioas);
	must(s2 > 0, "stage 2");
	mark(STEP_NO_FWB_RUN);
	ret = viommu_alloc(fd, d->id, s2);
	check(ret == -EOPNOTSUPP, "no data: %d, expected %d", ret, -EOPNOTSUPP);
	ret = viommu_ask(fd, d->id, s2, E2E_SHARE_VMID, &out);
	check(ret == -EOPNOTSUPP, "asked: %d, expected %d", ret, -EOPNOTSUPP);
	check(!out, "asked: out_flags %#x, expected none", out);

	must(!dev_attach(d, s2), "attach to stage 2");
	check(testdev_dma(d, GPA_BASE + OFF_PAGE_A) && pages_hit(&g) == 'A',
	      "stage 2 alone: DMA lands in page A");
	mark(STEP_DONE);
	dev_close(d);
	close(fd);
}
#endif
