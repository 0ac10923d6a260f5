// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "calls.h"
#include "diary.h"
#include "guest-memory.h"
#include "play.h"
#include "process.h"

#define SIGNAL_US	4000	/* between two signals to some thread */
#define LOOK_US		3000
#define HANG_S		40
#define MOCK_FD		907

/**
 * struct round - what the threads of a process begin with
 * @turns: how many calls
 * @thread: them
 * @worker: and what they are
 */
static struct round {
	u32 turns;
	pthread_t thread[THREADS];
	struct worker worker[THREADS];
} round;

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	u32 n;

	put((u32 *)&w->progress->tid, gettid());
	for (n = 0; n < round.turns; n++) {
		put(&w->progress->turns, n + 1);
		turn_play(w, n);
	}
	put(&w->progress->sum, w->sum);
	return NULL;
}

static void interrupted(int sig)
{
	(void)sig;
}

/* System calls are to return when a signal comes */
static void *signal_run(void *arg)
{
	u64 dice = (uintptr_t)arg;

	for (;;) {
		usleep(dice_roll(&dice, SIGNAL_US));
		pthread_kill(round.thread[dice_roll(&dice, THREADS)], SIGUSR1);
	}
	return NULL;
}

/* Some devices are open in both processes, the others in whichever is first */
static void process(unsigned int proc, u64 seed)
{
	struct sigaction act = { .sa_handler = interrupted };
	pthread_t signals;
	unsigned int i;

	sigaction(SIGUSR1, &act, NULL);
	file_put(F_ICTX, OWN_ICTX, iommufd_open());
	areas_init(3 * THREADS);
	areas_start(seed + proc);
	for (i = 0; i < THREADS; i++) {
		struct worker *w = &round.worker[i];

		w->num = proc * THREADS + i;
		w->seed = seed + w->num;
		w->progress = &model->progress[w->num];
		w->arg = area_of(3 * i);
		w->data = area_of(3 * i + 1);
		w->pages = area_of(3 * i + 2);
	}
	for (i = 0; i < THREADS; i++)
		must(!pthread_create(&round.thread[i], NULL, worker_run, &round.worker[i]),
		     "a thread");
	must(!pthread_create(&signals, NULL, signal_run, (void *)(uintptr_t)(seed | 1)),
	     "a thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(round.thread[i], NULL);
	_exit(0);
}

/* Where a thread is that does not come back */
static void tell_stack(pid_t pid, int tid)
{
	char path[64], line[200];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", pid, tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		note("  %s", line);
	}
	if (f)
		fclose(f);
}

/*
 * False if a thread has been at one call for too long. @before, @since: how many it had
 * begun when, of each
 */
static bool all_move(const pid_t pid[PROCS], u32 *before, time_t *since)
{
	time_t now = time(NULL);
	unsigned int w;
	bool move = true;

	for (w = 0; w < WORKERS; w++) {
		u32 turns = look(&model->progress[w].turns);

		if (turns != before[w] || !turns || turns == round.turns || !pid[w / THREADS]) {
			before[w] = turns;
			since[w] = now;
		} else if (now - since[w] > HANG_S * (time_t)e2e.slow) {
			note("thread %u does not come back from its call %u:", w, turns - 1);
			tell_stack(pid[w / THREADS], model->progress[w].tid);
			move = false;
		}
	}
	return move;
}

static u32 turns_of(unsigned int proc)
{
	u32 turns = 0;
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		turns += look(&model->progress[proc * THREADS + i].turns);
	return turns;
}

/* Until both are over. @victim is killed when it has begun so many calls */
static void watch(pid_t pid[PROCS], unsigned int victim, u32 kill_at)
{
	u32 before[WORKERS] = { 0 };
	time_t since[WORKERS] = { 0 };
	unsigned int left = PROCS, i;

	while (left) {
		usleep(LOOK_US);
		if (victim < PROCS && pid[victim] && turns_of(victim) >= kill_at)
			kill(pid[victim], SIGKILL);
		for (i = 0; i < PROCS; i++)
			if (pid[i] && waitpid(pid[i], NULL, WNOHANG) == pid[i]) {
				pid[i] = 0;
				left--;
			}
		if (!all_move(pid, before, since) || diary_complaint())
			break;
	}
	if (!left)
		return;
	note("in this round %u calls so far", turns_of(0) + turns_of(1));
	diary_tell();
	for (i = 0; i < PROCS; i++)
		if (pid[i])
			kill(pid[i], SIGKILL);
	must(false, "the kernel neither complains nor hangs");
}

/* What most calls need */
static void begin_ioas(unsigned int ictx)
{
	int fd = file_at(F_ICTX, ictx), ioas = ioas_alloc(fd);

	must(ioas > 0 && !ioas_map(fd, ioas, guest_mem, GUEST_SIZE, GPA_BASE), "IOAS");
	put(&model->ictx[ictx].id[K_IOAS][0], ioas);
}

/* Of both processes */
static void open_files(void)
{
	int fd = iommufd_open();
	unsigned int i;

	files_init();
	file_put(F_ICTX, SHARED_ICTX, iommufd_open());
	/* A number that no spoilt one is by chance */
	file_put(F_ICTX, MOCK_ICTX, fcntl(fd, F_DUPFD_CLOEXEC, MOCK_FD));
	close(fd);
	begin_ioas(SHARED_ICTX);
	begin_ioas(MOCK_ICTX);
	for (i = 0; i < model_devs(); i++)
		if (i % 3)
			vfio_open(i);
}

void processes_run(u64 seed, u32 turns)
{
	pid_t pid[PROCS];
	u64 dice;
	unsigned int i, victim;
	u32 kill_at;

	dice_seed(&dice, seed);
	victim = dice_roll(&dice, 2 * PROCS);
	kill_at = dice_roll(&dice, THREADS * turns);
	round.turns = turns;
	open_files();
	fflush(stdout);
	for (i = 0; i < PROCS; i++) {
		pid[i] = fork();
		must(pid[i] >= 0, "fork");
		if (!pid[i])
			process(i, seed);
	}
	watch(pid, victim, kill_at);
	files_close_all();
}
