// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "area.h"
#include "model.h"

#define STRIDE		(4 * PAGE)
#define LATE_US		3000
#define VERY_LATE_US	60000
#define MAX_AREAS	(3 * THREADS)

static struct area areas[MAX_AREAS];
static u8 *all, *shadows;
static unsigned int num_areas;
static int uffd;

struct area *area_of(unsigned int num)
{
	return &areas[num];
}

static void late_page(u8 *page)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	must(!ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
}

static void *map_pages(size_t size, int prot, int flags)
{
	void *mem = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "pages");
	return mem;
}

static void read_only_page(struct area *a)
{
	a->writable = map_pages(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	/* With an old size of 0 it is there twice */
	must(mremap(a->writable, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, a->mem + 3 * PAGE) !=
	     MAP_FAILED && !mprotect(a->mem + 3 * PAGE, PAGE, PROT_READ), "a page to read");
}

void areas_init(unsigned int num)
{
	struct uffdio_api api = { .api = UFFD_API };
	unsigned int i;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	must(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api), "userfaultfd");
	num_areas = num;
	all = map_pages(num * STRIDE, PROT_NONE, MAP_PRIVATE);
	shadows = map_pages(num * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (i = 0; i < num; i++) {
		areas[i].mem = all + i * STRIDE;
		areas[i].shadow = shadows + i * PAGE;
		must(!mprotect(areas[i].mem, 2 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
		late_page(areas[i].mem + PAGE);
		read_only_page(&areas[i]);
	}
}

static void fill_in(u64 addr, u64 *dice)
{
	struct uffdio_copy copy = {
		.dst = addr & ~(PAGE - 1),
		.src = (uintptr_t)shadows + (addr - (uintptr_t)all) / STRIDE * PAGE,
		.len = PAGE,
	};

	usleep(dice_roll(dice, dice_roll(dice, 32) ? LATE_US : VERY_LATE_US));
	/* Who wanted it may have gone meanwhile */
	if (!ioctl(uffd, UFFDIO_COPY, &copy))
		count_one(&model->late);
}

static void *fill_in_run(void *arg)
{
	struct pollfd pfd = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	u64 dice = (uintptr_t)arg;

	for (;;) {
		poll(&pfd, 1, -1);
		if (read(uffd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			fill_in(msg.arg.pagefault.address, &dice);
	}
	return NULL;
}

void areas_start(u64 seed)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, fill_in_run, (void *)(uintptr_t)(seed | 1)),
	     "a thread");
}

static u8 *address(const struct area *a, enum where place, size_t len)
{
	const size_t half = len / 16 * 8;

	switch (place) {
	case PLACE_LATE:
		return a->mem + PAGE;
	case PLACE_HALF_LATE:
		return a->mem + PAGE - half;
	case PLACE_READ_ONLY:
		return a->mem + 3 * PAGE;
	case PLACE_HALF_BAD:
		return a->mem + 2 * PAGE - half;
	case PLACE_BAD:
		return a->mem + 2 * PAGE;
	case PLACE_NULL:
		return NULL;
	case PLACE_KERNEL:
		return (u8 *)0xffff800080000000ul;
	default:
		return a->mem;
	}
}

/* How many of @len bytes at @at are in the page number @page of the area */
static size_t in_page(const struct area *a, unsigned int page, const u8 *at, size_t len)
{
	const u8 *from = a->mem + page * PAGE;

	if (at < from || at >= from + PAGE)
		return 0;
	return at + len > from + PAGE ? (size_t)(from + PAGE - at) : len;
}

u64 area_put(struct area *a, enum where place, const void *src, size_t len)
{
	u8 *at = address(a, place, len);
	size_t now = in_page(a, 0, at, len);

	if (place >= PLACE_BAD)
		return (uintptr_t)at;
	if (place == PLACE_READ_ONLY) {
		memcpy(a->writable, src, len);
		return (uintptr_t)at;
	}
	memcpy(at, src, now);
	if (now == len)
		return (uintptr_t)at;
	madvise(a->mem + PAGE, PAGE, MADV_DONTNEED);
	memcpy(a->shadow + (at + now - a->mem - PAGE), src + now,
	       in_page(a, 1, at + now, len - now));
	return (uintptr_t)at;
}

void area_get(const struct area *a, enum where place, void *dst, size_t len)
{
	if (place <= PLACE_HALF_LATE)
		memcpy(dst, address(a, place, len), len);
}
