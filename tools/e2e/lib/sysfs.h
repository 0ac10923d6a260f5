/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef E2E_LIB_SYSFS_H
#define E2E_LIB_SYSFS_H

#include <stdbool.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"

bool sysfs_write(const char *path, const char *val);
/* The number in a file, 0 if it cannot be read */
unsigned long sysfs_number(const char *path);
/* As open(), for what may take up to ten seconds to be there */
int open_soon(const char *path, int flags);
/* An attribute of a PCI device, 0 if it cannot be read */
unsigned long sysfs_read(const char *bdf, const char *attr);

#endif
