// SPDX-License-Identifier: GPL-2.0-only
/* What the trace of hosts that are described or equipped differently must show. */
#include <string.h>

#include "check.h"

#define MAX_DOMAINS	256
#define MAX_SIDS	65536
#define ROUNDS		2

/* StreamIDs under which translated accesses went through */
static unsigned int streams(const struct span *s)
{
	static bool seen[MAX_SIDS];
	unsigned int n = 0;
	const struct ev *e;

	for_each_event(e, *s, EV_XLATE) {
		if (e->op[0] || e->sid >= MAX_SIDS)
			continue;
		n += !seen[e->sid];
		seen[e->sid] = true;
	}
	return n;
}

/* Several devices, each bound, attached and seen under a StreamID of its own */
void check_acpi(struct run *r)
{
	struct span s = { .t = &r->t };
	unsigned int n;
	bool ok;

	ok = trace_step(&r->t, MARK(CASE_ACPI, STEP_ACPI_RUN), &s.first,
			&s.last);
	if (!rule(r, ok, "acpi: steps"))
		return;
	n = streams(&s);
	rule(r, n > 1 && n == count(&s, EV_DMA),
	     "acpi: %u StreamIDs in %zu DMAs", n, count(&s, EV_DMA));
}

static bool virtio_step(struct run *r, unsigned int round, unsigned int num,
			struct span *s)
{
	s->t = &r->t;
	return trace_step(&r->t, MARK(CASE_VIRTIO, ROUND(round, num)),
			  &s->first, &s->last);
}

/* Accesses of a step that went where no map of the case says */
static unsigned int strays(const struct span *s, size_t begin)
{
	struct span before = { s->t, begin, 0 };
	const struct ev *e, *m;
	unsigned int n = 0;
	u64 off;
	bool ok;

	for_each_event(e, *s, EV_XLATE) {
		before.last = e - s->t->ev;
		ok = false;
		for_each_event(m, before, EV_REQ) {
			off = e->iova - m->iova;
			if (!strcmp(m->op, "MAP") && off < m->pages << 12)
				ok = e->pa == m->pa + off;
		}
		n += !ok;
	}
	return n;
}

static bool lands(struct run *r, unsigned int round, unsigned int num,
		  size_t begin)
{
	struct span s;

	return virtio_step(r, round, num, &s) && count(&s, EV_XLATE) &&
	       !strays(&s, begin);
}

/* The step is there, and the driver asked nothing of the device in it */
static bool quiet(struct run *r, unsigned int round, unsigned int num)
{
	struct span s;

	return virtio_step(r, round, num, &s) && !count(&s, EV_REQ);
}

static void check_steps(struct run *r, unsigned int round, size_t begin)
{
	struct span s;
	bool ok;

	ok = lands(r, round, STEP_VIRTIO_ATTACH, begin) &&
	     lands(r, round, STEP_VIRTIO_INSIDE, begin) &&
	     lands(r, round, STEP_VIRTIO_REPLACE, begin);
	rule(r, ok, "virtio-iommu: round %u: DMA goes where maps say", round);
	ok = quiet(r, round, STEP_VIRTIO_OUTSIDE);
	rule(r, ok, "virtio-iommu: round %u: a refused map asks nothing", round);
	ok = quiet(r, round, STEP_VIRTIO_REPLACE);
	rule(r, ok, "virtio-iommu: round %u: nor a refused replace", round);
	ok = quiet(r, round, STEP_VIRTIO_REQUESTS);
	rule(r, ok, "virtio-iommu: round %u: nor a refused request", round);
	ok = virtio_step(r, round, STEP_VIRTIO_UNMAP, &s) &&
	     count(&s, EV_FAULT) == 1 && !count(&s, EV_XLATE);
	rule(r, ok, "virtio-iommu: round %u: refused after the unmap", round);
}

/* The domains that the virtio-iommu has before event @end */
static void domains(const struct trace *t, size_t end, bool used[MAX_DOMAINS])
{
	struct span s = { t, 0, end };
	const struct ev *e;

	memset(used, 0, MAX_DOMAINS);
	for_each_event(e, s, EV_REQ)
		if (e->val < MAX_DOMAINS)
			used[e->val] = strcmp(e->op, "FREE");
}

/* A domain that an error left behind would shift the numbers of the next round */
static bool same_domains(const struct span round[ROUNDS])
{
	size_t i = round[0].first, j = round[1].first;
	const struct ev *a, *b;

	do {
		a = trace_next(round[0].t, EV_REQ, "ATTACH", i, round[0].last);
		b = trace_next(round[1].t, EV_REQ, "ATTACH", j, round[1].last);
		if (!a || !b)
			return !a && !b;
		i = a - round[0].t->ev + 1;
		j = b - round[1].t->ev + 1;
	} while (a->val == b->val);
	return false;
}

/* Behind the last IOVA that was mapped */
static u64 maps_end(const struct span *s, u64 end)
{
	const struct ev *e;

	for_each_event(e, *s, EV_REQ)
		if (!strcmp(e->op, "MAP") && e->iova + (e->pages << 12) > end)
			end = e->iova + (e->pages << 12);
	return end;
}

void check_virtio_iommu(struct run *r)
{
	bool before[MAX_DOMAINS], after[MAX_DOMAINS];
	size_t from = 0, faults = 0;
	struct span round[ROUNDS];
	unsigned int i;
	u64 end = 0;
	bool ok;

	for (i = 0; i < ROUNDS; i++) {
		ok = virtio_step(r, i, STEP_VIRTIO_ATTACH, &round[i]) &&
		     trace_step_next(&r->t, MARK(CASE_VIRTIO, STEP_VIRTIO_DONE),
				     from, &round[i].last, &from);
		if (!rule(r, ok, "virtio-iommu: round %u: steps", i))
			return;
		check_steps(r, i, round[i].first);
		domains(&r->t, round[i].first, before);
		domains(&r->t, round[i].last, after);
		rule(r, !memcmp(before, after, sizeof(before)),
		     "virtio-iommu: round %u: no domain is left", i);
		faults += count(&round[i], EV_FAULT);
		end = maps_end(&round[i], end);
	}
	rule(r, same_domains(round),
	     "virtio-iommu: both rounds attach to the same domains");
	rule(r, faults == ROUNDS,
	     "virtio-iommu: %zu accesses were refused, expected %u", faults,
	     ROUNDS);
	rule(r, end == VIRTIO_APERTURE,
	     "virtio-iommu: maps end at %#lx, expected %#lx", end,
	     VIRTIO_APERTURE);
}
