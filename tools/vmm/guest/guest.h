/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /init of the guest. The host sends it jobs, one on a line of the console; it answers with lines
 * that begin with "guest: ", the last of a job with "guest: did".
 */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DETAIL_SIZE	160
#define PARAMETERS	"/sys/module/vmm_guest/parameters/"

/**
 * struct job - something that the guest can be told to do
 * @name: how
 * @run: does it, and writes into @detail what came of it. Returns whether all is well
 */
struct job {
	const char *name;
	bool (*run)(char *detail);
};

bool unmap_job(char *detail);
bool fault_job(char *detail);
bool disk_job(char *detail);
bool check_job(char *detail);
bool load_job(char *detail);
bool gone_job(char *detail);
bool net_job(char *detail);
bool slot_on_job(char *detail);
bool slot_off_job(char *detail);

unsigned int count_disks(unsigned int before, int tries);
void mark(unsigned int window);
bool write_text(const char *path, const char *text);
void repeat_log(void);
unsigned long interrupts_of(const char *name);
bool told_to_stop(void);

#endif
