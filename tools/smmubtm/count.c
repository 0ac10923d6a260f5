// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions, and not the time of -icount: that also passes while a CPU waits, as for a disk
 * that QEMU serves in its own time.
 */
#include "count.h"

static struct qemu_plugin_u64 executed;

bool count_start(void)
{
	executed.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	return executed.score;
}

void count_insn(struct qemu_plugin_insn *in)
{
	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(in, QEMU_PLUGIN_INLINE_ADD_U64,
							    executed, 1);
}

uint64_t count_read(unsigned int cpu)
{
	return qemu_plugin_u64_get(executed, cpu);
}
