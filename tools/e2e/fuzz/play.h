/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef E2E_FUZZ_PLAY_H
#define E2E_FUZZ_PLAY_H

#include "turn.h"

void calls_init(void);
/* All of a call, number @n of the thread */
void turn_play(struct worker *w, u32 n);
/* How the calls of all processes went. Returns how many kinds never succeeded */
unsigned int calls_report(void);

#endif
