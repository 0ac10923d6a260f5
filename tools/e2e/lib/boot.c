// SPDX-License-Identifier: GPL-2.0-only
/* What the feature's documents promise for this boot. */
#include <errno.h>

#include "boot.h"
#include "uapi.h"

struct e2e e2e;

bool share_expected(void)
{
	return e2e.patched && e2e.idr0 && !e2e.protected && e2e.kvm_vmid_bits;
}

bool btm_expected(void)
{
	return share_expected() && e2e.btm_asked && (e2e.idr0 & IDR0_BTM);
}

bool own_expected(void)
{
	return e2e.patched && e2e.own && (e2e.idr0 & IDR0_BTM);
}

u32 flags_expected(void)
{
	if (!share_expected())
		return 0;
	return E2E_VMID_SHARED | (btm_expected() ? E2E_BTM : 0);
}

u32 ask_flags(void)
{
	return share_expected() || !e2e.patched ? E2E_SHARE_VMID : 0;
}

int insist_expected(void)
{
	if (!e2e.patched)
		return 0;
	if (share_expected())
		return -EBUSY;
	return e2e.protected ? -EPERM : -ENODEV;
}
