/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef E2E_LIB_SYSFS_H
#define E2E_LIB_SYSFS_H

#include <stdbool.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"

bool sysfs_write(const char *path, const char *val);
/* An attribute of a PCI device, 0 if it cannot be read */
unsigned long sysfs_read(const char *bdf, const char *attr);

#endif
