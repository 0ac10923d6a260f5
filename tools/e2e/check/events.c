// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a plot is drawn of: the events of one case, a line each.
 *
 *	e2e-events console.log trace.log CASE [FIRST [MAX]]
 *
 * From step number FIRST of the case on (1 is the first, -1 the last one), at most MAX places.
 *
 *	PLACE step NAME
 *	PLACE uses SID VMID		the SMMU begins to cache the device's accesses under it
 *	PLACE clean SID VMID		all of that VMID has been dropped
 *	PLACE landed SID PAGE COUNT	DMA arrived; a page is the number of its first appearance
 *	PLACE refused SID COUNT		DMA did not
 *	PLACE tlbi VMID OP heard|unheard
 *	PLACE command OP SID VMID	- if there is none in it
 *	PLACE rollover			KVM has run out of VMIDs, and begins again
 *
 * A trace has an order and no time, so a place is a number in that order. DMAs of a device with
 * the same outcome share a place until something else happens than DMA.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define MAX_DEVICES	32
#define MAX_PAGES	64
#define MAX_STEPS	256	/* MARK_STEP() */

enum happening { STEP, USES, CLEAN, LANDED, REFUSED, TLBI, COMMAND, ROLLOVER };

/* An event as it is printed; what else it has is in the trace's */
struct place {
	enum happening what;
	unsigned int at;
	unsigned int count;
	unsigned int page;
	int vmid;
	u32 sid;
	const struct ev *e;
};

struct device {
	u32 sid;
	int vmid;		/* that its entries have, or TRACE_NONE */
	unsigned int pages;
	u64 page[MAX_PAGES];
	size_t dma;		/* its last DMA, while nothing else has happened */
	bool dma_is_last;
};

struct events {
	unsigned int number;	/* of the case */
	char step[MAX_STEPS][32];
	struct place *place;
	size_t n, room;
	unsigned int at;
	struct device device[MAX_DEVICES];
	unsigned int devices;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "e2e-events: %s\n", what);
	exit(2);
}

/* Marks on the console have the names of the steps, "# mark e2e00205 btm.own-tlbi" */
static void read_names(struct events *ev, const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[512], c[32], s[32];
	unsigned int mark;

	if (!f) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " # mark %x %31[^.].%31s", &mark, c, s) != 3 || strcmp(c, name))
			continue;
		ev->number = MARK_CASE(mark);
		snprintf(ev->step[MARK_STEP(mark)], sizeof(ev->step[0]), "%s", s);
	}
	fclose(f);
	if (!ev->number)
		die("the console has no such case");
}

static struct device *device_of(struct events *ev, u32 sid)
{
	struct device *d;
	unsigned int i;

	for (i = 0; i < ev->devices; i++)
		if (ev->device[i].sid == sid)
			return &ev->device[i];
	if (ev->devices == MAX_DEVICES)
		die("too many devices");
	d = &ev->device[ev->devices++];
	*d = (struct device){ .sid = sid, .vmid = TRACE_NONE };
	return d;
}

static struct place *add(struct events *ev, enum happening what, const struct ev *e)
{
	unsigned int i;

	if (ev->n == ev->room) {
		ev->room = ev->room ? 2 * ev->room : 4096;
		ev->place = realloc(ev->place, ev->room * sizeof(*ev->place));
		if (!ev->place)
			die("no memory");
	}
	if (what != LANDED && what != REFUSED)
		for (i = 0; i < ev->devices; i++)
			ev->device[i].dma_is_last = false;
	ev->place[ev->n] = (struct place){
		.what = what, .at = ++ev->at, .count = 1, .sid = e->sid, .vmid = e->vmid, .e = e,
	};
	return &ev->place[ev->n++];
}

static unsigned int page_of(struct device *d, u64 pa)
{
	unsigned int i;

	pa &= ~0xfffull;
	for (i = 0; i < d->pages; i++)
		if (d->page[i] == pa)
			return i;
	if (d->pages == MAX_PAGES)
		die("too many pages");
	d->page[d->pages++] = pa;
	return i;
}

static void dma(struct events *ev, enum happening what, const struct ev *e)
{
	struct device *d = device_of(ev, e->sid);
	unsigned int page = what == LANDED ? page_of(d, e->pa) : 0;
	struct place *p = &ev->place[d->dma];

	if (d->dma_is_last && p->what == what && p->page == page) {
		p->count++;
		return;
	}
	d->dma = ev->n;
	d->dma_is_last = true;
	add(ev, what, e)->page = page;
}

static void insert(struct events *ev, const struct ev *e)
{
	struct device *d = device_of(ev, e->sid);

	if (d->vmid == e->vmid)
		return;
	d->vmid = e->vmid;
	add(ev, USES, e);
}

/* Only what drops all of a VMID: QEMU does not trace each drop of a single address */
static void flush(struct events *ev, const struct ev *e)
{
	bool all = !strcmp(e->op, "ALL");
	struct device *d;
	struct place *p;
	unsigned int i;

	if (!all && strcmp(e->op, "VMID"))
		return;
	for (i = 0; i < ev->devices; i++) {
		d = &ev->device[i];
		if (d->vmid == TRACE_NONE || (!all && d->vmid != e->vmid))
			continue;
		p = add(ev, CLEAN, e);
		p->sid = d->sid;
		p->vmid = d->vmid;
		d->vmid = TRACE_NONE;
	}
}

/* KVM's own are at EL2; those of a host without VHE at EL1, but under VMID 0 */
static void tlbi(struct events *ev, const struct ev *e)
{
	if (e->el == 2 && !strcmp(e->op, "ALLE1IS"))
		add(ev, ROLLOVER, e);
	else if (e->el == 1 && e->vmid > 0)
		add(ev, TLBI, e);
}

static void event(struct events *ev, const struct ev *e)
{
	switch (e->kind) {
	case EV_MARK:
		add(ev, STEP, e);
		break;
	case EV_INSERT:
		insert(ev, e);
		break;
	case EV_FLUSH:
		flush(ev, e);
		break;
	case EV_XLATE:
		dma(ev, LANDED, e);
		break;
	case EV_FAULT:
		dma(ev, REFUSED, e);
		break;
	case EV_TLBI:
		tlbi(ev, e);
		break;
	case EV_CMD:
		add(ev, COMMAND, e);
		break;
	default:
		break;
	}
}

static void print(const struct events *ev, const struct place *p)
{
	const struct ev *e = p->e;

	printf("%u ", p->at);
	switch (p->what) {
	case STEP:
		printf("step %s\n", ev->step[MARK_STEP(e->val)]);
		break;
	case USES:
		printf("uses %#x %d\n", p->sid, p->vmid);
		break;
	case CLEAN:
		printf("clean %#x %d\n", p->sid, p->vmid);
		break;
	case LANDED:
		printf("landed %#x %u %u\n", p->sid, p->page, p->count);
		break;
	case REFUSED:
		printf("refused %#x %u\n", p->sid, p->count);
		break;
	case TLBI:
		printf("tlbi %d %s %s\n", p->vmid, e->op, e->to_smmu ? "heard" : "unheard");
		break;
	case COMMAND:
		printf("command %s ", e->op);
		printf(p->sid == TRACE_NO_SID ? "- " : "%#x ", p->sid);
		printf(p->vmid == TRACE_NONE ? "-\n" : "%d\n", p->vmid);
		break;
	case ROLLOVER:
		printf("rollover\n");
		break;
	}
}

/* Index of step number @first, which counts from the end if it is negative */
static size_t find_step(const struct events *ev, int first)
{
	int steps = 0, n = 0;
	size_t i;

	for (i = 0; i < ev->n; i++)
		steps += ev->place[i].what == STEP;
	if (first < 0)
		first += steps + 1;
	for (i = 0; i < ev->n; i++)
		if (ev->place[i].what == STEP && ++n == first)
			return i;
	die("the trace has no such step");
}

/* What each device had when the first one of those printed happened */
static void print_before(const struct events *ev, size_t first)
{
	const struct place *p, *last;
	unsigned int i;

	for (i = 0; i < ev->devices; i++) {
		last = NULL;
		for (p = ev->place; p < ev->place + first; p++)
			if ((p->what == USES || p->what == CLEAN) && p->sid == ev->device[i].sid)
				last = p;
		if (last && last->what == USES)
			printf("%u uses %#x %d\n", ev->place[first].at, last->sid, last->vmid);
	}
}

int main(int argc, char **argv)
{
	static struct events ev;
	size_t first, last, i;
	unsigned int max = 0;
	struct trace t;

	if (argc < 4 || argc > 6) {
		fprintf(stderr, "usage: e2e-events console.log trace.log CASE [FIRST [MAX]]\n");
		return 2;
	}
	read_names(&ev, argv[1], argv[3]);
	if (trace_read(argv[2], &t))
		return 2;
	if (!trace_case(&t, ev.number, &first, &last))
		die("the trace has no such case");
	/* Behind its last mark there is nothing that belongs to the case */
	while (t.ev[last - 1].kind != EV_MARK)
		last--;
	for (i = first; i < last; i++)
		event(&ev, &t.ev[i]);

	first = find_step(&ev, argc > 4 ? atoi(argv[4]) : 1);
	if (argc > 5)
		max = atoi(argv[5]);
	print_before(&ev, first);
	for (i = first; i < ev.n; i++)
		if (!max || ev.place[i].at < ev.place[first].at + max)
			print(&ev, &ev.place[i]);
	free(ev.place);
	trace_free(&t);
	return 0;
}
