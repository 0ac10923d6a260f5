/* SPDX-License-Identifier: GPL-2.0-only */
/* All that a case can build on. */
#ifndef E2E_LIB_E2E_H
#define E2E_LIB_E2E_H

#include "boot.h"
#include "dice.h"
#include "el2.h"
#include "guest.h"
#include "hammer.h"
#include "iommufd.h"
#include "kvm.h"
#include "modules.h"
#include "pattern.h"
#include "removal.h"
#include "report.h"
#include "s1.h"
#include "slabs.h"
#include "sysfs.h"
#include "uapi.h"
#include "usage.h"
#include "vfio.h"

#endif
