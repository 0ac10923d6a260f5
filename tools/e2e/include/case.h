/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a case is declared. A case is a file that both programs are built from: init
 * has its half that runs (E2E_INIT), the checker the half that judges the trace
 * (E2E_CHECK). Both find all cases in a section of the program.
 */
#ifndef E2E_CASE_H
#define E2E_CASE_H

#include <stdbool.h>

#include "common.h"

/* What a case can need of the host; it is skipped where that is not there */
enum {
	NEEDS_KVM		= 1 << 0,
	NEEDS_KVM_VMID8		= 1 << 1,
	NEEDS_KVM_VMID16	= 1 << 2,
	NEEDS_SMMU_VMID8	= 1 << 3,
	NEEDS_SHARE		= 1 << 4,
	NEEDS_PROTECTED		= 1 << 5,
	NEEDS_EDU		= 1 << 6,
	NEEDS_PAIR		= 1 << 7,
	NEEDS_EL2		= 1 << 8,
	NEEDS_DISKS		= 1 << 9,
	NEEDS_NICS		= 1 << 10,
};

/**
 * struct e2e_step - a step of a case
 * @num: the number that its marker has; in a case that repeats itself, see ROUND()
 * @name: for the console
 *
 * A step lasts from its marker to the next marker. Only one actor works in a step,
 * so a rule can say "every insert of this step is from that device".
 */
struct e2e_step {
	unsigned int num;
	const char *name;
};

struct run;

/**
 * struct e2e_case - a case
 * @number: tells the markers of the cases apart; the linker refuses one twice
 * @name: what the matrix calls it
 * @steps: its steps, up to one without a name
 * @needs: NEEDS_... bits
 * @devices: how many test devices it needs
 * @refuses: it makes the SMMU refuse accesses: its own rules look at them (EV_FAULT)
 * @compared: the commands of its steps have to be the unpatched kernel's
 * @replaces: if @compared, steps in which a page table is replaced, which may take
 *            fewer writes, up to STEP_DONE
 * @clears: if @compared, steps in which the CD of a page table that goes is cleared
 *          before its ASID is flushed, not after, up to STEP_DONE
 * @unlimited: the runner's time limit is the only one
 * @run: runs it. In init
 * @rules: judges its trace; NULL if init sees all. In the checker
 */
struct e2e_case {
	unsigned int number;
	const char *name;
	const struct e2e_step *steps;
	unsigned int needs;
	unsigned int devices;
	bool refuses;
	bool compared;
	const unsigned int *replaces;
	const unsigned int *clears;
	bool unlimited;
	void (*run)(void);
	void (*rules)(struct run *r);
};

#define STEP_DONE	0xffu	/* ends each case */

/* Steps of round @r (0, 1, 2...) of a case that repeats itself */
#define ROUND(r, step)	((r) << 4 | (step))

/* Steps are a list of X(symbol, number, name) */
#define E2E_STEP_NUMBER(sym, num, name)	sym = (num),
#define E2E_STEP_ROW(sym, num, name)	{ num, name },

#ifdef E2E_INIT
#define E2E_HALF_DECLARE(id)	void case_##id(void)
#define E2E_HALF(id)		.run = case_##id
#endif
#ifdef E2E_CHECK
/* Weak, as not every case has rules */
#define E2E_HALF_DECLARE(id)	void check_##id(struct run *r) __attribute__((weak))
#define E2E_HALF(id)		.rules = check_##id
#endif

#define E2E_ONLY(num)		E2E_ONLY_(num)
#define E2E_ONLY_(num)		const char e2e_case_number_##num

/**
 * E2E_CASE() - declare a case
 * @id: case_id() runs it, check_id() has its rules
 * @num: its number, which no other case has
 * @label: its name
 * @list: the list of its steps
 *
 * What else struct e2e_case has may follow, as in ".devices = 2".
 */
#define E2E_CASE(id, num, label, list, ...)					\
	E2E_HALF_DECLARE(id);							\
	enum { list(E2E_STEP_NUMBER) };						\
	static const struct e2e_step id##_steps[] = { list(E2E_STEP_ROW) { } };	\
	static const struct e2e_case id##_case = {				\
		.number = (num), .name = (label), .steps = id##_steps,		\
		E2E_HALF(id), ##__VA_ARGS__					\
	};									\
	static const struct e2e_case *const id##_entry				\
		__attribute__((used, section("e2e_cases"))) = &id##_case;	\
	E2E_ONLY(num)

/* The section's borders, by the linker */
extern const struct e2e_case *const __start_e2e_cases[];
extern const struct e2e_case *const __stop_e2e_cases[];

#define for_each_case(c)							\
	for (const struct e2e_case *const *e2e_entry = __start_e2e_cases;	\
	     e2e_entry < __stop_e2e_cases && ((c) = *e2e_entry); e2e_entry++)

#endif
