// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with a device behind a vSMMU, for as long as other programs run:
 *
 *	held-vm begin	makes it and leaves it behind
 *	held-vm end	ends it: was all well?
 *
 * Meanwhile the guest changes a mapping of its device's stage 1 several times a second,
 * invalidates it, and looks where DMA lands: by a TLBI if broadcasts reach its device,
 * else by command. Whether they have to, held_vm=btm on the kernel's command line says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "e2e.h"

#define VERDICT	"/tmp/held-vm"		/* a FIFO, what is said at the end */
#define PID	"/tmp/held-vm.pid"
#define PAUSE	500000			/* microseconds between two changes */

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

/* Ends with the guest's device on nested translate, in page A */
static void make(struct guest *g, struct vsmmu *v)
{
	struct dev *d = &testdev[0];
	const char *btm = getenv("held_vm");
	int fd = iommufd_open(), s2;

	guest_init(g, fd, true);
	dev_open(d, fd, &g->vm);
	burn_vmids(fd, d, g);
	s2 = hwpt_alloc_parent(fd, d->id, g->ioas);
	must(s2 > 0, "stage 2");
	vsmmu_init(v, g, d, s2, &g->s1, E2E_SHARE_VMID);
	must(!!(v->out_flags & E2E_BTM) == (btm && !strcmp(btm, "btm")),
	     "broadcasts reach the device: flags %#x", v->out_flags);
	must(!dev_attach(d, v->trans), "attach to nested translate");
	must(dma_lands(g, d) == 'A', "DMA lands in its page");
}

static void invalidate(struct guest *g, struct vsmmu *v)
{
	if (v->out_flags & E2E_BTM)
		vm_exec(&g->vm, GUEST_TLBI_VA, GUEST_ASID, DMA_IOVA);
	else
		vsmmu_tlbi_all(v);
}

static void hold(struct guest *g, struct vsmmu *v)
{
	unsigned int changes = 0, wrong = 0;

	while (!ended) {
		usleep(PAUSE);
		s1_map(&g->s1, ++changes & 1 ? OFF_PAGE_B : OFF_PAGE_A);
		invalidate(g, v);
		wrong += dma_lands(g, v->d) != (changes & 1 ? 'B' : 'A');
	}
	/* What is said from here on, finish() hears */
	must(freopen(VERDICT, "w", stdout), VERDICT);
	check(changes && !wrong, "%u changes of a mapping, %u wrong", changes, wrong);
}

/* The child that stays: tells @ready when the VM is there */
static void stay(int ready)
{
	struct vsmmu v;
	struct guest g;
	FILE *pid;

	setpgid(0, 0);
	signal(SIGTERM, end);
	e2e.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vfio_setup();
	make(&g, &v);
	pid = fopen(PID, "w");
	must(pid && fprintf(pid, "%d\n", getpid()) > 0 && !fclose(pid), PID);
	must(write(ready, "", 1) == 1, "tell that the VM is there");
	close(ready);
	hold(&g, &v);
	report_end();
}

static int begin(void)
{
	int fds[2];
	char c;

	if (mkfifo(VERDICT, 0600) || pipe(fds))
		return 1;
	fflush(stdout);
	if (!fork()) {
		close(fds[0]);
		stay(fds[1]);
	}
	close(fds[1]);
	return read(fds[0], &c, 1) != 1;
}

static int finish(void)
{
	FILE *file = fopen(PID, "r"), *verdict;
	unsigned int passed = 0, failed = 0;
	char line[200];
	int pid;

	if (!file || fscanf(file, "%d", &pid) != 1 || kill(pid, SIGTERM))
		return 1;
	verdict = fopen(VERDICT, "r");
	while (verdict && fgets(line, sizeof(line), verdict)) {
		fputs(line, stdout);
		passed += !!strstr(line, "  ok ");
		failed += !!strstr(line, "not ok ");
	}
	return failed || !passed;
}

int main(int argc, char *argv[])
{
	if (argc == 2 && !strcmp(argv[1], "begin"))
		return begin();
	if (argc == 2 && !strcmp(argv[1], "end"))
		return finish();
	return 2;
}
