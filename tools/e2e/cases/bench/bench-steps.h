/* SPDX-License-Identifier: GPL-2.0-only */
/* In a file of their own, as the program that prints the tables has to know them. */
#ifndef E2E_BENCH_STEPS_H
#define E2E_BENCH_STEPS_H

#define BENCH_NUMBER	14

#define BENCH_STEPS(X)				\
	X(STEP_BENCH_DMA,	0x01, "dma")	\
	X(STEP_BENCH_TLBI,	0x02, "tlbi")	\
	X(STEP_BENCH_EXIT,	0x03, "exit")	\
	X(STEP_BENCH_IOCTL,	0x04, "ioctl")	\
	X(STEP_BENCH_LOAD,	0x05, "load")

#endif
