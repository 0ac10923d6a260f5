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

static bool is_cfgi(const struct ev *e)
{
	return !strncmp(e->op, "CMD_CFGI_", 9);
}

/*
 * The base replaces a page table in three writes of the entry, with V=0 on the way,
 * each behind a CFGI and a SYNC. The patched kernel needs one, on CPUs with FEAT_LSE2.
 */
static size_t skip_writes(const struct trace *t, size_t from, size_t last)
{
	const struct ev *cfgi, *sync, *again;
	size_t at = from;

	cfgi = next_cmd(t, &at, last);
	sync = next_cmd(t, &at, last);
	again = next_cmd(t, &at, last);
	if (!again || !is_cfgi(cfgi) || strcmp(sync->op, "CMD_SYNC") ||
	    strcmp(cfgi->op, again->op) || cfgi->sid != again->sid)
		return from;
	return skip_writes(t, (size_t)(again - t->ev), last);
}

/*
 * True if the commands of both ranges are the same, but for writes of an entry that
 * the second does not need
 */
static bool same_commands(const struct trace *a, size_t ai, size_t al,
			  const struct trace *b, size_t bi, size_t bl,
			  bool replace)
{
	const struct ev *ea, *eb;
	char ta[128], tb[128];

	do {
		if (replace)
			ai = skip_writes(a, ai, al);
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

static size_t count_like(const struct trace *t, size_t from, size_t last,
			 const char *what)
{
	const struct ev *e;
	char text[128];
	size_t n = 0;

	while ((e = next_cmd(t, &from, last))) {
		describe(e, text, sizeof(text));
		n += !strcmp(text, what);
	}
	return n;
}

/*
 * True if both ranges have the same commands, in whatever order, and in the second
 * nothing that is cached of entries goes after what is cached by them
 */
static bool same_but_cleared_first(const struct trace *a, size_t ai, size_t al,
				   const struct trace *b, size_t bi, size_t bl)
{
	const size_t from = bi;
	const struct ev *e;
	bool flushed = false;
	char text[128];

	if (trace_count(a, EV_CMD, NULL, ai, al) != trace_count(b, EV_CMD, NULL, bi, bl))
		return false;
	while ((e = next_cmd(b, &bi, bl))) {
		describe(e, text, sizeof(text));
		if (count_like(a, ai, al, text) != count_like(b, from, bl, text) ||
		    (flushed && is_cfgi(e))) {
			printf("# step %#x: patched has %s (line %u)\n", MARK_STEP(e->mark),
			       text, e->line);
			return false;
		}
		flushed |= !strncmp(e->op, "CMD_TLBI_", 9);
	}
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

static bool is_one_of(const unsigned int *s, unsigned int step)
{
	for (; s && *s != STEP_DONE; s++)
		if (*s == step)
			return true;
	return false;
}

static void compare_step(struct comparison *c, const struct trace *a,
			 const struct trace *b, u32 mark, const struct e2e_case *e)
{
	const unsigned int step = MARK_STEP(mark);
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
	if (is_one_of(e->clears, step))
		c->differ += !same_but_cleared_first(a, ai, al, b, bi, bl);
	else
		c->differ += !same_commands(a, ai, al, b, bi, bl,
					    is_one_of(e->replaces, step));
}

/* Adds to @compared if the case is there at all */
static bool compare_case(const struct e2e_case *e, const struct trace *a,
			 const struct trace *b, unsigned int *compared)
{
	struct comparison c = { 0 };
	unsigned int step;

	for (step = 0; step < STEP_DONE; step++)
		compare_step(&c, a, b, MARK(e->number, step), e);
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
