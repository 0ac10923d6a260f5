/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that runs out, for the KUnit suites. should_failslab() is there to be told
 * so, and a kprobe can do it to this task alone.
 */
#ifndef _ARM_SMMU_V3_NOMEM_TEST_H
#define _ARM_SMMU_V3_NOMEM_TEST_H

#include <kunit/test.h>
#include <linux/error-injection.h>
#include <linux/kprobes.h>
#include <linux/sched.h>

#if !defined(MODULE) && IS_ENABLED(CONFIG_FAILSLAB) && \
	IS_ENABLED(CONFIG_FUNCTION_ERROR_INJECTION)
#define NOMEM_AVAILABLE	1

static struct task_struct *nomem_task;
static unsigned int nomem_after, nomem_failed;

static int nomem_handler(struct kprobe *p, struct pt_regs *regs)
{
	if (current != nomem_task)
		return 0;
	if (nomem_after) {
		nomem_after--;
		return 0;
	}
	nomem_failed++;
	regs_set_return_value(regs, -ENOMEM);
	override_function_with_return(regs);
	return 1;
}
NOKPROBE_SYMBOL(nomem_handler);

static struct kprobe nomem_probe = {
	.symbol_name = "should_failslab",
	.pre_handler = nomem_handler,
};

static void nomem_unregister(void *unused)
{
	unregister_kprobe(&nomem_probe);
}

static void nomem_init(struct kunit *test)
{
	/* What an earlier test has left */
	nomem_probe.addr = NULL;
	nomem_probe.flags = 0;
	KUNIT_ASSERT_EQ(test, register_kprobe(&nomem_probe), 0);
	KUNIT_ASSERT_EQ(test,
			kunit_add_action_or_reset(test, nomem_unregister,
						  NULL),
			0);
}

static void nomem_start(unsigned int after)
{
	nomem_after = after;
	nomem_failed = 0;
	WRITE_ONCE(nomem_task, current);
}

/* How many allocations failed */
static unsigned int nomem_stop(void)
{
	WRITE_ONCE(nomem_task, NULL);
	return nomem_failed;
}
#else
#define NOMEM_AVAILABLE	0

static void nomem_init(struct kunit *test)
{
	kunit_skip(test, "needs FAILSLAB and FUNCTION_ERROR_INJECTION");
}

static void nomem_start(unsigned int after)
{
}

static unsigned int nomem_stop(void)
{
	return 0;
}
#endif

#endif
