/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's VMID allocator, arch/arm64/kvm/vmid.c: vCPUs that are loaded and put on two
 * CPUs, rollovers, pins, and VMs that are created and destroyed.
 * Documentation/design/vmid-model.rst maps it to the code, line by line.
 *
 * Memory is weakly ordered: what a load reads without the lock it may read before
 * the put that precedes it, in any order, as when the put's store is in a buffer; a
 * rollover's relaxed RmWs and the stores under the lock become visible in any
 * order. Each step that others can see is a statement of its own. What they cannot
 * see is in one statement with what follows or precedes.
 */

#define CPUS		2
#ifndef VMS
#define VMS		3
#endif
#ifndef NUMBERS
#define NUMBERS		4	/* 1 to NUMBERS, 6 at most */
#endif
#ifndef GENERATIONS
#define GENERATIONS	3	/* the model ends where another one would begin */
#endif
#ifndef REORDERING
#define REORDERING	CPUS	/* the other CPUs read after the put and at once */
#endif
#ifndef PINNED_VMS
#define PINNED_VMS	VMS	/* only these are ever pinned */
#endif

/* vmid_max_pins() */
#define MAX_PINS	((NUMBERS - CPUS) / 2)
#define PINS		(MAX_PINS + 1)	/* one too many is for a bug */

/* kvm_vmid.id: the generation and the number */
#define NUMBER(id)	((id) & 7)
#define GENERATION(id)	((id) >> 3)
#define ID(g, n)	((g) << 3 | (n))
#define INVALID		ID(1, 0)
#define BIT(n)		(1 << (n))

/* Whose a TLB entry or a pin is: nobody's, a VM's from 1 on, or that of a VM that is gone */
#define NOBODY		0
#define OWNER(v)	((v) + 1)
#define GONE		7

#ifdef BUG_PUT
#define PUT(c)		active_id[c] = INVALID
#else
#define PUT(c)		active_id[c] = (active_id[c] -> INVALID : 0)
#endif
#ifdef BUG_UNPIN
#define UNPIN(n)	map = map & ~BIT(n)
#else
#define UNPIN(n)	skip
#endif
#ifdef BUG_SEED
#define SEED		0
#else
#define SEED		pinned_map
#endif
#ifdef BUG_LIMIT
#define MAY_PIN		(nr_pins <= MAX_PINS)
#else
#define MAY_PIN		(nr_pins < MAX_PINS)
#endif
#ifdef BUG_ORDER
#define LOOKS_BEFORE_PINNED	false
#else
#define LOOKS_BEFORE_PINNED	true
#endif

/* What is read and written without the lock as well */
byte gen = 1;
byte id[VMS];
byte active_id[CPUS];

/* What is under the lock */
bool locked;
byte map, pinned_map, cur_idx = 1, nr_pins;
byte reserved[CPUS];
byte pin_number[PINS], pin_owner[PINS];

/* Who runs where; whose entries the TLBs of CPUs and SMMUs have of each number */
byte runs[CPUS], runs_number[CPUS];
byte tlb[NUMBERS + 1];

/* Which VM's vCPU a CPU is about to load: that VM is not destroyed */
byte next[CPUS];

/* Entries of @owner get into TLBs under number @n */
inline use(owner, n)
{
	assert(n != 0);
	assert(tlb[n] == NOBODY || tlb[n] == owner);
	tlb[n] = owner
}

/* A vCPU of @next[c] runs on CPU @c from here on, under the number of @vmid */
inline enter(c, vmid)
{
	runs[c] = next[c];
	runs_number[c] = NUMBER(vmid);
	next[c] = NOBODY;
	use(runs[c], runs_number[c]);
	assert(runs[1 - c] == NOBODY ||
	       (runs[0] == runs[1]) == (runs_number[0] == runs_number[1]));
	k = 0;
	do
	:: k < PINS ->
		assert(pin_number[k] == 0 ||
		       (pin_owner[k] == runs[c]) == (pin_number[k] == runs_number[c]));
		k++
	:: else -> break
	od;
	k = 0
}

/* The ID of a VM that runs may change its generation, never its number */
inline store_id(v, vmid)
{
	assert(runs[0] != OWNER(v) || runs_number[0] == NUMBER(vmid));
	assert(runs[1] != OWNER(v) || runs_number[1] == NUMBER(vmid));
	id[v] = vmid
}

/* flush_context(): one CPU's active word */
inline take_away(c)
{
	reserved[c] = (active_id[c] -> active_id[c] : reserved[c]);
	active_id[c] = 0;
	map = map | BIT(NUMBER(reserved[c]))
}

/* flush_context(), the flush. CPUs that run and devices of pins fill the TLBs again. */
inline flush()
{
	k = 0;
	do
	:: k <= NUMBERS -> tlb[k] = NOBODY; k++
	:: else -> break
	od;
	k = 0;
	do
	:: k < PINS ->
		tlb[pin_number[k]] = pin_owner[k];
		k++
	:: else -> break
	od;
	tlb[runs_number[0]] = runs[0];
	tlb[runs_number[1]] = runs[1];
	tlb[0] = NOBODY;
	k = 0
}

/* new_vmid(): the next free number, in @n */
inline find(first)
{
	n = first;
	do
	:: n <= NUMBERS && (map & BIT(n)) -> n++
	:: else -> break
	od
}

inline check_update_reserved(v)
{
	if
	:: reserved[0] == id[v] -> reserved[0] = new; got = true
	:: else
	fi;
	if
	:: reserved[1] == id[v] -> reserved[1] = new; got = true
	:: else
	fi
}

inline check_pinned(v)
{
	k = 0;
	do
	:: k < PINS -> got = got || pin_owner[k] == OWNER(v); k++
	:: else -> break
	od;
	k = 0
}

/* new_vmid() without a rollover: in @new is an ID, or 0 if there is no free number */
inline new_vmid(v)
{
	got = false;
	new = ID(gen, NUMBER(id[v]));
	if
	:: id[v] ->
		if
		:: LOOKS_BEFORE_PINNED -> check_update_reserved(v)
		:: else
		fi;
		if
		:: !got -> check_pinned(v)
		:: else
		fi;
		if
		:: !got && !LOOKS_BEFORE_PINNED -> check_update_reserved(v)
		:: else
		fi;
		if
		:: !got && !(map & BIT(NUMBER(new))) ->
			map = map | BIT(NUMBER(new));
			got = true
		:: else
		fi
	:: else
	fi;
	if
	:: got
	:: else ->
		find(cur_idx);
		if
		:: n <= NUMBERS -> take(gen)
		:: else -> new = 0
		fi;
		n = 0
	fi;
	got = false
}

/* new_vmid(), set_vmid */
inline take(generation)
{
	map = map | BIT(n);
	cur_idx = n;
	new = ID(generation, n)
}

/* new_vmid(), out of VMIDs: what others see of it is in any order */
inline roll_over()
{
	gen < GENERATIONS;
	if
	:: atomic { map = SEED; gen++ };
	   d_step { take_away(0) };
	   d_step { take_away(1); flush() }
	:: d_step { map = SEED; take_away(0) };
	   gen++;
	   d_step { take_away(1); flush() }
	:: d_step { map = SEED; take_away(1) };
	   gen++;
	   d_step { take_away(0); flush() }
	:: d_step { map = SEED; take_away(0) };
	   d_step { take_away(1) };
	   atomic { gen++; d_step { flush() } }
	fi;
	d_step {
		find(1);
		assert(n <= NUMBERS);
		take(gen);
		n = 0
	}
}

#ifdef BUG_PUT
#define WORD_IS_GOOD(c)	true	/* that it leads to worse is to be seen */
#else
#define WORD_IS_GOOD(c)	(active_id[c] == 0 || active_id[c] == INVALID || \
			 GENERATION(active_id[c]) == gen)
#endif

/* With the lock, an active word is 0, invalid, or of the current generation */
inline lock()
{
	!locked;
	locked = true;
	assert(WORD_IS_GOOD(0) && WORD_IS_GOOD(1))
}

/* The VM's ID if it is of this generation, else a new one, or 0 for a rollover */
inline get_vmid(v)
{
	if
	:: GENERATION(id[v]) == gen -> new = id[v]
	:: else -> d_step { new_vmid(v) }
	fi
}

/* vmid_gen_match() */
#define CURRENT(id, gen)	(GENERATION(id) == gen -> id : 0)

#define NONE		0	/* has read nothing */
#define SEEN_GEN	1	/* @seen is the generation */
#define SEEN_ID		2	/* @seen is the ID */
#define READY		3	/* @seen is the ID if the two match, else 0 */

/* kvm_arch_vcpu_load() of a VM */
inline choose(c)
{
	if
	:: next[c] = OWNER(0)
	:: next[c] = OWNER(1)
#if VMS > 2
	:: next[c] = OWNER(2)
#endif
	fi
}

proctype cpu(byte c)
{
	byte at = NONE, seen;
	byte n, new, k;
	bool got, other;

	do
	/* vmid_clear_active() */
	:: atomic {
		runs[c] ->
		runs[c] = NOBODY;
		runs_number[c] = 0;
		PUT(c)
	   }
	/* vmid_update_fast(): both reads, in any order, be it before the put */
	:: atomic {
		at == NONE && c < REORDERING ->
		at = SEEN_GEN;
		seen = gen
	   }
	:: atomic {
		at == SEEN_GEN ->
		choose(c);
		at = READY;
		seen = CURRENT(id[next[c] - 1], seen)
	   }
	/* An ID of a passed generation matches nothing that is read later */
	:: atomic {
		at == NONE && c < REORDERING ->
		choose(c);
		seen = CURRENT(id[next[c] - 1], gen);
		at = (seen -> SEEN_ID : READY)
	   }
	:: d_step {
		at == SEEN_ID ->
		at = READY;
		seen = CURRENT(seen, gen)
	   }
	:: atomic {
		at == NONE && c >= REORDERING && !runs[c] ->
		choose(c);
		at = READY;
		seen = CURRENT(id[next[c] - 1], gen)
	   }
	/* Its cmpxchg */
	:: d_step {
		at == READY && !runs[c] && seen && active_id[c] ->
		at = NONE;
		active_id[c] = seen;
		enter(c, seen);
		seen = 0
	   }
	/* vmid_update_slow() */
	:: atomic {
		at == READY && !runs[c] && !(seen && active_id[c]) && !locked ->
		at = NONE;
		seen = 0;
		lock();
		get_vmid(next[c] - 1)
	   };
	   if
	   :: new == 0 -> roll_over()
	   :: else
	   fi;
	   if
	   :: atomic {
		d_step { store_id(next[c] - 1, new) };
		other = true
	      }
	   :: active_id[c] = new
	   fi;
	   d_step {
		if
		:: other -> active_id[c] = new
		:: else -> store_id(next[c] - 1, new)
		fi;
		other = false;
		locked = false;
		enter(c, new);
		new = 0
	   }
	od
}

/* vmid_pin_first(), the commit */
inline commit_pin(v)
{
	store_id(v, new);
	n = NUMBER(new);
	use(OWNER(v), n);
	k = 0;
	do
	:: pin_number[k] -> k++
	:: else -> break
	od;
	pin_number[k] = n;
	pin_owner[k] = OWNER(v);
	pinned_map = pinned_map | BIT(n);
	nr_pins++;
	locked = false;
	new = 0;
	n = 0;
	k = 0
}

/* vmid_pin() of a VM that is not pinned yet, where that is allowed */
inline pin(v)
{
	d_step {
		!locked && MAY_PIN && !got ->
		check_pinned(v)
	}
	if
	:: got -> got = false
	:: else ->
		atomic {
			lock();
			get_vmid(v)
		};
		if
		:: new == 0 -> roll_over()
		:: else
		fi;
		d_step { commit_pin(v) }
	fi
}

/* vmid_unpin(), the last reference: the devices have left the number */
inline unpin(p)
{
	d_step {
		!locked && pin_number[p] ->
		pinned_map = pinned_map & ~BIT(pin_number[p]);
		UNPIN(pin_number[p]);
		pin_number[p] = 0;
		pin_owner[p] = NOBODY;
		nr_pins--
	}
}

/* vmid_destroy(), and another VM in the memory of the one that is gone */
inline destroy(v)
{
	d_step {
		!locked && id[v] && runs[0] != OWNER(v) && runs[1] != OWNER(v) &&
		next[0] != OWNER(v) && next[1] != OWNER(v) ->
		id[v] = 0;
		k = 0;
		do
		:: k < PINS ->
			pin_owner[k] = (pin_owner[k] == OWNER(v) -> GONE : pin_owner[k]);
			k++
		:: else -> break
		od;
		k = 1;
		do
		:: k <= NUMBERS ->
			tlb[k] = (tlb[k] == OWNER(v) -> GONE : tlb[k]);
			k++
		:: else -> break
		od;
		k = 0
	}
}

/* Who pins VMs for devices, and creates and destroys VMs */
proctype vmm()
{
	byte n, new, k;
	bool got;

	do
	:: pin(0)
#if PINNED_VMS > 1
	:: pin(1)
#endif
#if PINNED_VMS > 2
	:: pin(2)
#endif
	:: unpin(0)
#if defined(BUG_LIMIT) || NUMBERS > 5
	:: unpin(1)
#endif
	:: destroy(0)
	:: destroy(1)
#if VMS > 2
	:: destroy(2)
#endif
	od
}

init
{
	atomic {
		run cpu(0);
		run cpu(1);
		run vmm()
	}
}
