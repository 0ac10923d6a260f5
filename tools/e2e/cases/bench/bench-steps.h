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

/* The DMA API's mappings, a round for each of their sizes */
#define PAIR_NUMBER	61
#define PAIR_ROUNDS	4

#define PAIR_STEPS(X)				\
	X(STEP_PAIR_RUN,	0x00, "run")	\
	X(STEP_PAIR_END,	0x01, "end")

/* Reads of 4 KB from a disk */
#define READS_NUMBER	62
#define READS		256
#define READS_BATCH	8	/* are counted together */

#define READS_STEPS(X)				\
	X(STEP_READS_RUN,	0x01, "run")	\
	X(STEP_READS_END,	0x02, "end")

#endif
