// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "run.h"
#include "trace.h"

/* Where GICv3's ITS has its doorbell for the host, as the SMMU driver maps it for guests */
#define MSI_BASE	0x8000000ul
#define MSI_SIZE	0x100000ul
#define BOTH_STAGES	3

static void add_vmid(struct vmids *set, int vmid)
{
	unsigned int i;

	for (i = 0; i < set->n; i++) {
		if (set->vmid[i] == vmid)
			return;
	}
	if (set->n < MAX_VMIDS)
		set->vmid[set->n++] = vmid;
}

const char *field_text(const char *line, const char *name)
{
	size_t n = strlen(name);
	const char *at = line;

	while ((at = strstr(at, name))) {
		if ((at == line || at[-1] == ' ') && at[n] == '=')
			return at + n + 1;
		at += n;
	}
	return NULL;
}

/* " name=value" in a line */
void field(const char *line, const char *name, unsigned long *val)
{
	const char *text = field_text(line, name);

	if (text)
		*val = strtoul(text, NULL, 0);
}

static struct window *window_of(const char *line, struct run *r)
{
	unsigned long no = strtoul(line, NULL, 0);

	return no < ARRAY_SIZE(r->window) ? &r->window[no] : &r->window[0];
}

/* What the VMM has traced */
static void read_window(const char *line, struct window *w)
{
	unsigned long device = 0;

	field(line, "times", &w->times);
	field(line, "exits", &w->exits);
	field(line, "writes", &w->writes);
	field(line, "reads", &w->reads);
	field(line, "commands", &w->commands);
	field(line, "ioctls", &w->ioctls);
	field(line, "ioctls-vm", &w->vm_ioctls);
	field(line, "ioctls-device", &device);
	w->ioctls += w->vm_ioctls + device;
}

/* What KVM has traced */
static void read_exits(const char *line, struct window *w)
{
	field(line, "irq", &w->irq);
	field(line, "wfx", &w->wfx);
	field(line, "dabt", &w->dabt);
	field(line, "sysreg", &w->sysreg);
	field(line, "other", &w->other);
}

/* "NAME ok DETAIL" */
static void read_step(const char *line, struct run *r)
{
	struct result_line *s = &r->step[r->steps];
	char verdict[16] = "";
	int at = 0;

	if (r->steps == MAX_STEPS || sscanf(line, "%63s %15s %n", s->name, verdict, &at) < 2)
		return;
	s->ok = !strcmp(verdict, "ok");
	snprintf(s->detail, sizeof(s->detail), "%.*s", (int)strcspn(line + at, "\n"), line + at);
	r->steps++;
}

/* Lines of the guest's driver and of the host's init */
static void read_line(const char *line, struct run *r)
{
	static const char * const kinds[] = {
		"unmap ", "stale ", "tlbi ", "done ", "window ", "idr0 ", "left ", "exits ",
		"step ",
	};
	unsigned long ret = 1;
	const char *at;
	size_t i;

	at = strstr(line, "guest: ");
	if (at && !strncmp(at, "guest: wrong", strlen("guest: wrong")))
		r->wrong++;
	at = at ? at + strlen("guest: ") : strstr(line, "vmm: ");
	if (!at)
		return;
	if (!strncmp(at, "vmm: ", 5))
		at += 5;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strncmp(at, kinds[i], strlen(kinds[i])))
			break;
	}
	switch (i) {
	case 0:
		field(at, "count", &r->unmaps);
		field(at, "lost", &r->lost);
		break;
	case 1:
		field(at, "count", &r->stale_of);
		field(at, "stale", &r->stale);
		break;
	case 2:
		field(at, "before", &r->before);
		field(at, "cleared", &r->cleared);
		field(at, "after", &r->after);
		break;
	case 3:
		field(at, "ret", &ret);
		r->done = !ret;
		break;
	case 4:
		read_window(at + strlen("window "), window_of(at + strlen("window "), r));
		break;
	case 5:
		r->idr0 = strtoul(at + strlen("idr0 "), NULL, 0);
		break;
	case 6:
		r->left_known = true;
		field(at, "pins", &r->left_pins);
		field(at, "vmids", &r->left_vmids);
		field(at, "taken", &r->pins);
		break;
	case 7:
		read_exits(at + strlen("exits "), window_of(at + strlen("exits "), r));
		break;
	case 8:
		read_step(at + strlen("step "), r);
		break;
	}
}

/* Once in a guest that was told to crash, the panic of it */
static bool is_splat(const char *line, struct run *r)
{
	static const char * const splats[] = {
		"Kernel panic", "BUG:", "WARNING:", "Oops", "Internal error",
	};
	size_t i;

	if (!strcmp(line, "guest: crashes\n"))
		r->crashes = true;
	if (r->crashes && strstr(line, "Kernel panic")) {
		r->crashes = false;
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(splats); i++) {
		if (strstr(line, splats[i]))
			return true;
	}
	return false;
}

static FILE *open_in(const char *dir, const char *name, const char *mode)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	if (!f && strcmp(mode, "rb")) {
		perror(path);
		exit(2);
	}
	return f;
}

/**
 * read_console - read what host and guests have said
 * @dir: where it is
 * @refusal: what the VMM says if it gives up, or NULL
 * @text: something else that is looked for, or NULL
 * @r: where it goes
 */
void read_console(const char *dir, const char *refusal, const char *text, struct run *r)
{
	FILE *f = open_in(dir, "console.log", "r");
	char line[2048];

	while (fgets(line, sizeof(line), f)) {
		read_line(line, r);
		r->refused |= refusal && strstr(line, refusal);
		r->said |= text && strstr(line, text);
		sscanf(line, "example: %63s", r->example);
		if (!strncmp(line, "vmm: end 1 ", strlen("vmm: end 1 "))) {
			r->ended = !!strstr(line, "exit=0");
			r->killed |= !!strstr(line, "signal=9");
		}
		if (is_splat(line, r)) {
			r->splat = true;
			printf("    # %s", line);
		}
	}
	fclose(f);

	f = open_in(dir, "status", "r");
	while (fgets(line, sizeof(line), f)) {
		r->off |= !strcmp(line, "rc=0\n");
		printf("    # %s", line);
	}
	fclose(f);
}

/* The first of two in a window begins. The VMM is kept on one CPU. */
static void count_insns(const struct ev *e, struct window *w)
{
	unsigned long n = e->val - w->insns_at;

	if (!w->insns_at) {
		w->insns_at = e->val;
		w->insns_cpu = e->cpu;
		return;
	}
	w->insns_at = 0;
	if (e->cpu == w->insns_cpu && (!w->insns || n < w->insns))
		w->insns = n;
}

static void read_event(const struct ev *e, struct run *r)
{
	unsigned int no = e->mark & 0xff;
	struct window *w = &r->window[no < ARRAY_SIZE(r->window) ? no : 0];

	switch (e->kind) {
	case EV_INSERT:
		if (e->asid != TRACE_NONE)
			add_vmid(&r->smmu, e->vmid);
		break;
	case EV_TLBI:
		if (e->el != 1)
			break;
		add_vmid(&r->kvm, e->vmid);
		w->tlbis++;
		snprintf(w->tlbi, sizeof(w->tlbi), "%s", e->op);
		break;
	case EV_CMD:
		w->host_commands++;
		break;
	case EV_MMIO:
		w->host_writes++;
		break;
	case EV_INSNS:
		count_insns(e, w);
		break;
	case EV_XLATE:
		if (e->val == BOTH_STAGES && e->iova >= MSI_BASE &&
		    e->iova < MSI_BASE + MSI_SIZE && e->sid < MAX_SIDS)
			r->msis[e->sid]++;
		break;
	case EV_FAULT:
		if (r->faults < MAX_FAULTS)
			r->fault[r->faults] = e->iova;
		r->faults++;
		break;
	default:
		break;
	}
}

/**
 * read_events - read what the emulator of the host has traced
 * @dir: where it is
 * @r: where it goes
 *
 * From the guest's first mark on, no other guest executes a TLBI.
 */
void read_events(const char *dir, struct run *r)
{
	char path[4096];
	struct trace t;
	size_t i;

	snprintf(path, sizeof(path), "%s/trace.log", dir);
	if (trace_read(path, &t))
		return;
	for (i = 0; i < t.n; i++) {
		if (t.ev[i].mark || t.ev[i].kind == EV_XLATE || t.ev[i].kind == EV_FAULT)
			read_event(&t.ev[i], r);
	}
	trace_free(&t);
}

/**
 * read_disk - look at a disk as the guests have left it
 * @dir: where it is
 * @no: its number
 * @written: how many of its blocks have been written
 * @bad: how many are not what was written there
 *
 * Return: whether there is such a disk
 */
bool read_disk(const char *dir, unsigned int no, unsigned int *written, unsigned int *bad)
{
	struct block b;
	int64_t generation;
	char name[32];
	unsigned int i;
	FILE *f;

	snprintf(name, sizeof(name), "disk%u.img", no);
	f = open_in(dir, name, "rb");
	if (!f)
		return false;
	*written = 0;
	*bad = 0;
	for (i = 0; fread(&b, sizeof(b), 1, f) == 1; i++) {
		generation = block_generation(&b, no, i);
		*written += generation > 0;
		*bad += generation < 0;
	}
	fclose(f);
	return true;
}
