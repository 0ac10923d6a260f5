/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest does between two marks. A mark is a write of a byte to the interrupt line of the
 * device's configuration space, which the VMM and the host's KVM trace, and one of VMM_MARK() to
 * the length register of the device, which the emulator of the host traces
 * (tools/e2e/check/trace.h reads it). Inside of what the marks enclose, VMM_COUNT has the plugin
 * around the host log how many instructions this CPU has executed.
 */
#ifndef VMM_MARKS_H
#define VMM_MARKS_H

#define VMM_NONE	0x10	/* nothing of interest */
#define VMM_UNMAP	0x11	/* dma_unmap_page(), once */
#define VMM_TLBI	0x12	/* a PTE is cleared: DMA, a TLBI by hand, DMA */
#define VMM_READ	0x13	/* a read of 4 KB from the NVMe disk, once */
#define VMM_WINDOWS	0x14

#define VMM_COUNT()	asm volatile("hint #0x7e" : : : "memory")

#define VMM_MARK(window)	(0xe2eu << 20 | (window))

#endif
