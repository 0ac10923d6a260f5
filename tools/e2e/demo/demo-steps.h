/* SPDX-License-Identifier: GPL-2.0-only */
/* In a file of their own, as the program that prints the tables has to know them. */
#ifndef E2E_DEMO_STEPS_H
#define E2E_DEMO_STEPS_H

#define DEMO_NUMBER	15

/* One round for each VM */
#define DEMO_STEPS(X)						\
	X(STEP_DEMO_DMA_OLD,	0x00, "dma-old")		\
	X(STEP_DEMO_TLBI,	0x01, "tlbi")			\
	X(STEP_DEMO_DMA_TLBI,	0x02, "dma-after-tlbi")		\
	X(STEP_DEMO_CMD,	0x03, "guest-command")		\
	X(STEP_DEMO_DMA_CMD,	0x04, "dma-after-command")

#endif
