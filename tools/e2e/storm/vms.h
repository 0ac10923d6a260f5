/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs of a storm tell who they are by the ASID of a TLBI: this and the number of a
 * tenant, STORM_MOVER and that of a mover, or STORM_CHURN.
 */
#ifndef E2E_STORM_VMS_H
#define E2E_STORM_VMS_H

#define STORM_ASID	0x40
#define STORM_MOVER	8
#define STORM_CHURN	15
#define STORM_VMS	16

#endif
