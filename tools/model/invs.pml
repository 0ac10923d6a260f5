/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SMMUv3 driver's invalidation arrays against its entry writes. One of these is
 * defined: MOVE, a VMID moves while its stage 2 is unmapped; GUEST, it moves while the
 * guest unmaps its stage 1 by command; ATTACH, a domain is attached and detached;
 * REPLACE, it is replaced by another one; BROADCAST, a stage 1 behind which a device
 * has a cache is unmapped by broadcast, and attached and detached; JOIN, a device with
 * a cache is attached to a domain that another device has, while it is unmapped.
 * Documentation/design/invs-model.rst maps it to the code.
 *
 * Memory is weakly ordered: each CPU's stores wait in a buffer, from which they get to
 * memory in any order until a barrier waits for them, and loads do not wait for stores.
 * The SMMU reads memory when it likes, keeps what it has read as long as it likes, and
 * walks in two steps, between which anything can happen.
 */

#ifndef UNMAPS
#define UNMAPS	2	/* of each table */
#endif

#ifdef REPLACE
#define TABLES	2
#else
#define TABLES	1
#endif

/* Numbers are 1 and 2: VMIDs, or ASIDs in BROADCAST. An array is a set of them. */
#define NONE	0
#define BIT(n)	(1 << (n))

/* An entry, STE or CD: table and number in one word, 0 for one that does not translate */
#define ENTRY(t, n)	((t) << 2 | (n))
#define TABLE(e)	((e) >> 2)
#define NUMBER(e)	((e) & 3)

/* What the CPUs share and the SMMU reads */
bool pte[TABLES];		/* is the page mapped? */
byte entry;
byte invs[TABLES];

/* What is not yet there, of who unmaps and who writes the entry: 255 for nothing */
#define NOTHING		255
byte late_pte[TABLES] = NOTHING;
byte late_entry = NOTHING;
byte late_invs[TABLES] = NOTHING;
#define WRITER_DRAINED	(late_entry == NOTHING && late_invs[0] == NOTHING && \
			 late_invs[TABLES - 1] == NOTHING)

#ifdef BUG_SETTLE
#define KEEPS_OUT	false
#else
#define KEEPS_OUT	true
#endif

/* GUEST: arm_smmu_vmid.id and .moving, the guest's command in its critical section */
byte number = 1;
bool moving;
byte late_number = NOTHING, late_moving = NOTHING;
bool locked;

/* Somebody is in an RCU read-side critical section that an array or a number was read in */
bool reads;

/* The SMMU: its copy of the entry, its TLB by number, its walk */
#define TLB_EMPTY	0
#define TLB_OF(t)	((t) + 1)
byte cached_entry;
byte tlb[3];
bool walks;
byte walk_number, walk_result;

/* A device's cache, ATC. In JOIN number 2 in an array stands for it. */
byte atc;
bool joined;

/* What has been promised: the page of a table is gone, a number is somebody else's */
bool gone[TABLES];
bool given_away[3];

inline store(where, late, value)
{
	d_step { late == NOTHING -> late = value }
}

/* Any store that waits gets to memory */
proctype buffers()
{
	do
	:: d_step { late_pte[0] != NOTHING -> pte[0] = late_pte[0]; late_pte[0] = NOTHING }
	:: d_step { late_invs[0] != NOTHING -> invs[0] = late_invs[0]; late_invs[0] = NOTHING }
#if TABLES > 1
	:: d_step { late_pte[1] != NOTHING -> pte[1] = late_pte[1]; late_pte[1] = NOTHING }
	:: d_step { late_invs[1] != NOTHING -> invs[1] = late_invs[1]; late_invs[1] = NOTHING }
#endif
#ifdef GUEST
	:: d_step { late_number != NOTHING -> number = late_number; late_number = NOTHING }
	:: d_step { late_moving != NOTHING -> moving = late_moving; late_moving = NOTHING }
#endif
	:: d_step { late_entry != NOTHING -> entry = late_entry; late_entry = NOTHING }
	od
}

/* Something is translated by what @by has of a table */
inline translate(by)
{
	assert(!gone[by - 1])
}

proctype smmu()
{
	do
	/* It reads an entry, drops its copy */
	:: d_step { cached_entry == NONE && entry != NONE -> cached_entry = entry }
	:: d_step { cached_entry != NONE -> cached_entry = NONE }
	/* A walk reads the PTE, and later fills the TLB */
	:: d_step {
		cached_entry != NONE && !walks && tlb[NUMBER(cached_entry)] == TLB_EMPTY &&
		pte[TABLE(cached_entry)] ->
		walks = true;
		walk_number = NUMBER(cached_entry);
		walk_result = TLB_OF(TABLE(cached_entry))
	   }
	:: d_step {
		walks ->
		assert(!given_away[walk_number]);
		tlb[walk_number] = walk_result;
		walks = false;
		walk_number = 0;
		walk_result = 0
	   }
	/* DMA. An entry with a number uses what is cached under it, whoever walked */
	:: d_step {
		cached_entry != NONE && tlb[NUMBER(cached_entry)] != TLB_EMPTY ->
		assert(tlb[NUMBER(cached_entry)] == TLB_OF(TABLE(cached_entry)));
#ifdef BROADCAST
		atc = tlb[NUMBER(cached_entry)]
#else
		translate(tlb[NUMBER(cached_entry)])
#endif
	   }
#ifdef JOIN
	/* The device that has joined asks, and hits what the other one has walked */
	:: d_step { joined && tlb[1] != TLB_EMPTY && atc == TLB_EMPTY -> atc = tlb[1] }
#endif
#if defined(BROADCAST) || defined(JOIN)
	:: d_step { atc != TLB_EMPTY -> translate(atc) }
#endif
	od
}

/* TLBI and CMD_SYNC: walks that have begun are over before the CMD_SYNC is */
inline invalidate(n)
{
	d_step {
		tlb[n] = TLB_EMPTY;
		if
		:: walks && walk_number == n -> walks = false; walk_number = 0; walk_result = 0
		:: else
		fi
	}
}

/* CFGI and CMD_SYNC */
inline forget_entry()
{
	cached_entry = NONE
}

/* TLBIs, the dsb() that completes them, ATC_INV and its CMD_SYNC */
inline broadcast(t)
{
	if
	:: loaded == NONE
	:: else ->
#ifdef BUG_ATC
		d_step { atc = TLB_EMPTY };
		invalidate(1)
#else
#ifdef BUG_DSB
		d_step { atc = TLB_EMPTY; gone[t] = true };
		invalidate(1)
#else
		invalidate(1);
		d_step { atc = TLB_EMPTY }
#endif
#endif
	fi
}

/*
 * arm_vsmmu_hold_vmid() to rcu_read_unlock(). It waits for a move; what a move that
 * failed has left it makes up for, or fails itself: then the guest is told nothing.
 */
inline guest_command()
{
	loaded = NONE;
	do
#ifdef BUG_FLAG
	:: atomic { true -> reads = true; break }
#else
	:: atomic { !moving -> reads = true; break }
#endif
	:: d_step {
		moving && !locked ->
		forget_entry();
		invalidate(1);
		late_moving = false
	   };
	   late_moving == NOTHING
	:: d_step { moving && !locked } ->
	   goto failed
	od;
	loaded = number;
	invalidate(loaded);
	reads = false;
failed:	skip
}

#ifdef GUEST
#define COMPLETE(loaded)	((loaded) != NONE)
#else
#define COMPLETE(loaded)	true
#endif

/* arm_smmu_domain_inv_range(), or a guest; and a page that is mapped again */
proctype unmapper(byte t)
{
	byte loaded, rounds;

	do
	:: rounds < UNMAPS ->
		rounds++;
		store(pte[t], late_pte[t], false);
#ifdef BUG_MB
		skip;
#else
		late_pte[t] == NOTHING;	/* smp_mb(), or dsb() */
#endif
#ifdef JOIN
		reads = true;
#endif
		loaded = invs[t];
#if defined(BROADCAST)
		broadcast(t);
#elif defined(GUEST)
		guest_command();
#elif defined(JOIN)
		invalidate(1);
		if
		:: loaded & BIT(2) -> atc = TLB_EMPTY
		:: else
		fi;
		reads = false;
#else
		if
		:: loaded & BIT(1) -> invalidate(1)
		:: else
		fi;
		if
		:: loaded & BIT(2) -> invalidate(2)
		:: else
		fi;
#endif
		gone[t] = (COMPLETE(loaded) -> true : false);
		/* Somebody maps the page again: nothing is invalidated for that */
		late_pte[t] == NOTHING;
		gone[t] = false;
		store(pte[t], late_pte[t], true);
		late_pte[t] == NOTHING;
		loaded = 0
	:: else -> break
	od
}

inline publish(t, set)
{
	d_step { late_invs[t] == NOTHING -> late_invs[t] = set }
}

/* dma_wmb() before an entry is written, and what the CPU does before a command */
inline barrier()
{
	WRITER_DRAINED
}

inline write_entry(e)
{
	d_step { late_entry == NOTHING -> late_entry = e }
}

inline give_away(n)
{
	d_step {
		assert(tlb[n] == TLB_EMPTY);
		assert(cached_entry == NONE || NUMBER(cached_entry) != n);
		given_away[n] = true
	}
}

#if defined(MOVE) || defined(GUEST)
/* arm_smmu_vmid_evict(), from number 1 to 2 */
inline keep_guest_out()
{
#ifdef GUEST
	locked = true;
	moving = true;
#ifndef BUG_RCU
	!reads;
#endif
#endif
	skip
}

/* Not if the SMMU may still use the old number: the flag stays */
inline let_guest_in()
{
#ifdef GUEST
	d_step { late_number = 2 };
#ifndef BUG_RELEASE
	late_number == NOTHING;
#endif
	if
	:: failed && KEEPS_OUT
	:: else ->
		d_step { late_moving = false };
		late_moving == NOTHING
	fi;
	late_number == NOTHING;
	locked = false;
#endif
	skip
}

/* arm_smmu_vmid_move_locked() */
proctype writer()
{
	bool failed;

	keep_guest_out();
#ifndef BUG_BOTH
	publish(0, BIT(1) | BIT(2));
#endif
#ifndef BUG_WMB
	barrier();
#endif
	write_entry(ENTRY(0, 2));
	barrier();
#ifdef BUG_EARLY
	publish(0, BIT(2));
	barrier();
#endif
	if
	:: skip ->
#ifndef BUG_CFGI
		forget_entry();
#endif
#ifndef BUG_FLUSH
		invalidate(1);
#endif
		skip
	/* A command fails, and so do those that would make up for it */
	:: failed = true
	fi;
	let_guest_in();
#ifdef BUG_DIRTY
	failed = false;
#endif
	if
	:: failed
	:: else ->
		publish(0, BIT(2));
		barrier();
		give_away(1)
	fi
}
#endif

#if defined(ATTACH) || defined(BROADCAST)
/* arm_smmu_attach_prepare() to arm_smmu_attach_commit(), and the way back */
proctype writer()
{
#ifdef BUG_LATE
	write_entry(ENTRY(0, 1));
	barrier();
	publish(0, BIT(1));
#else
	publish(0, BIT(1));
#ifndef BUG_WMB
	barrier();
#endif
	write_entry(ENTRY(0, 1));
#endif
	barrier();

	/* Detach */
#ifdef BUG_EARLY
	publish(0, NONE);
	barrier();
#endif
	write_entry(NONE);
	barrier();
#ifndef BUG_CFGI
	forget_entry();
#endif
#ifndef BUG_FLUSH
	invalidate(1);
#endif
#ifdef BROADCAST
	d_step { atc = TLB_EMPTY };
#endif
	publish(0, NONE);
	barrier();
	give_away(1)
}
#endif

#ifdef REPLACE
/* From table 0 and number 1 to table 1 and number 2, by one store of 128 bits */
proctype writer()
{
	publish(1, BIT(2));
#ifndef BUG_WMB
	barrier();
#endif
#ifdef BUG_UNIT
	/* Of two stores the SMMU may see either first */
	if
	:: write_entry(ENTRY(0, 2))
	:: write_entry(ENTRY(1, 1))
	fi;
	barrier();
#endif
	write_entry(ENTRY(1, 2));
	barrier();
#ifdef BUG_EARLY
	publish(0, NONE);
	barrier();
#endif
#ifndef BUG_CFGI
	forget_entry();
#endif
#ifndef BUG_FLUSH
	invalidate(1);
#endif
	publish(0, NONE);
	barrier();
	give_away(1)
}
#endif

#ifdef JOIN
/* arm_smmu_install_new_domain_invs(), and the entry of the device that joins */
proctype writer()
{
	publish(0, BIT(1) | BIT(2));
	barrier();
#ifndef BUG_JOIN
	!reads;
#endif
	joined = true
}
#endif

init
{
	atomic {
		pte[0] = true;
#ifdef REPLACE
		pte[1] = true;
#endif
#if defined(MOVE) || defined(GUEST) || defined(REPLACE) || defined(JOIN)
		entry = ENTRY(0, 1);
		invs[0] = BIT(1);
#endif
		run buffers();
		run smmu();
		run unmapper(0);
#ifdef REPLACE
		run unmapper(1);
#endif
		run writer()
	}
}
