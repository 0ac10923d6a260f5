// SPDX-License-Identifier: GPL-2.0-only
/* The commands that both kernels gave for the same thing. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "judge.h"

/* A command with its numbers of VMIDs left out */
static void describe(const struct ev *e, char *buf, size_t size)
{
	snprintf(buf, size, "%s sid %#x asid %d iova %#llx pages %llu", e->op,
		 e->sid, e->asid, (unsigned long long)e->iova,
		 (unsigned long long)e->pages);
}

static const struct ev *next_cmd(const struct trace *t, size_t *from,
				 size_t last)
{
	const struct ev *e = trace_next(t, EV_CMD, NULL, *from, last);

	*from = e ? (size_t)(e - t->ev) + 1 : last;
	return e;
}

/* True if the commands of both ranges are the same */
static bool same_commands(const struct trace *a, size_t ai, size_t al,
			  const struct trace *b, size_t bi, size_t bl)
{
	const struct ev *ea, *eb;
	char ta[128], tb[128];

	do {
		ea = next_cmd(a, &ai, al);
		eb = next_cmd(b, &bi, bl);
		snprintf(ta, sizeof(ta), "nothing");
		snprintf(tb, sizeof(tb), "nothing");
		if (ea)
			describe(ea, ta, sizeof(ta));
		if (eb)
			describe(eb, tb, sizeof(tb));
		if (strcmp(ta, tb)) {
			printf("# step %#x: base has %s (line %u), patched has %s (line %u)\n",
			       MARK_STEP(ea ? ea->mark : eb->mark), ta,
			       ea ? ea->line : 0, tb, eb ? eb->line : 0);
			return false;
		}
	} while (ea);
	return true;
}

/**
 * struct comparison - what came of it
 * @steps: steps that were compared
 * @commands: in those of the base
 * @differ: steps that are not the same
 */
struct comparison {
	unsigned int steps;
	unsigned int commands;
	unsigned int differ;
};

static void compare_step(struct comparison *c, const struct trace *a,
			 const struct trace *b, u32 mark)
{
	size_t ai, al, bi, bl;
	bool in_a = trace_step(a, mark, &ai, &al);
	bool in_b = trace_step(b, mark, &bi, &bl);

	if (!in_a && !in_b)
		return;
	c->steps++;
	if (in_a != in_b) {
		printf("# step %#x is in one trace only\n", MARK_STEP(mark));
		c->differ++;
		return;
	}
	c->commands += trace_count(a, EV_CMD, NULL, ai, al);
	c->differ += !same_commands(a, ai, al, b, bi, bl);
}

/* Adds to @compared if the case is there at all */
static bool compare_case(const struct e2e_case *e, const struct trace *a,
			 const struct trace *b, unsigned int *compared)
{
	struct comparison c = { 0 };
	unsigned int step;

	for (step = 0; step < STEP_DONE; step++)
		compare_step(&c, a, b, MARK(e->number, step));
	if (c.steps)
		printf("# %s: %u steps, %u commands, %u steps differ\n", e->name,
		       c.steps, c.commands, c.differ);
	*compared += c.commands;
	return !c.differ;
}

int compare_commands(const char *base, const char *patched)
{
	const struct e2e_case *e;
	unsigned int compared = 0;
	struct trace a, b;
	bool same = true;

	if (trace_read(base, &a) || trace_read(patched, &b))
		return 2;
	for_each_case(e)
		if (e->compared)
			same &= compare_case(e, &a, &b, &compared);
	trace_free(&a);
	trace_free(&b);
	if (!compared) {
		fprintf(stderr, "no case that is compared is in the traces\n");
		return 2;
	}
	return same ? 0 : 1;
}
