// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two network cards that see each other's frames and nothing else. Each sends to the
 * other one; every byte that arrives is looked at, and what it costs the SMMU.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "case.h"

#define FRAMES		64	/* of each step */

#define NET_STEPS(X)				\
	X(STEP_NET_SEND,	0x00, "send")	\
	X(STEP_NET_END,		0x01, "end")

/* A round for each direction */
E2E_CASE(net, 69, "net", NET_STEPS, .needs = NEEDS_NICS);

#define NET_ROUNDS	2

#ifdef E2E_INIT
#include "e2e.h"

#define ETHERTYPE	0x88b5	/* for local experiments */
#define WAIT_MS		5000
#define TICK_US		10000
#define UP_TICKS	3000

struct frame {
	struct ethhdr head;
	u8 data[ETH_DATA_LEN];
} __attribute__((packed));

static void card_set(int fd, struct ifreq *req, short flags)
{
	req->ifr_flags = flags;
	must(!ioctl(fd, SIOCSIFFLAGS, req), "%s: flags %x", req->ifr_name, flags);
}

/* Has the card a link? */
static bool card_runs(int fd, struct ifreq *req)
{
	must(!ioctl(fd, SIOCGIFFLAGS, req), "flags of %s", req->ifr_name);
	return req->ifr_flags & IFF_RUNNING;
}

static int card_open(struct ifreq *req, const char *name)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));
	unsigned int tick;

	snprintf(req->ifr_name, sizeof(req->ifr_name), "%s", name);
	must(fd >= 0 && !ioctl(fd, SIOCGIFINDEX, req), "%s", name);
	at.sll_ifindex = req->ifr_ifindex;
	card_set(fd, req, IFF_UP | IFF_PROMISC);
	must(!bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind to %s", name);
	for (tick = 0; tick < UP_TICKS && !card_runs(fd, req); tick++)
		usleep(TICK_US);
	must(tick < UP_TICKS, "%s has a link", name);
	return fd;
}

/* Its rings go, so that nothing of it is in the traces of other cases */
static void card_close(int fd, struct ifreq *req)
{
	card_set(fd, req, 0);
	close(fd);
}

static void frame_fill(struct frame *f, unsigned int from, unsigned int nth)
{
	memset(f->head.h_dest, 0xff, ETH_ALEN);
	memset(f->head.h_source, 0, ETH_ALEN);
	f->head.h_source[0] = 2;
	f->head.h_source[ETH_ALEN - 1] = from;
	f->head.h_proto = htons(ETHERTYPE);
	pattern_fill(f->data, sizeof(f->data), from, nth * sizeof(f->data));
}

/* True if the frame arrives as it was sent */
static bool frame_goes(int from, int to, unsigned int round, unsigned int nth)
{
	struct pollfd p = { .fd = to, .events = POLLIN };
	struct frame out, in;

	frame_fill(&out, round, nth);
	must(send(from, &out, sizeof(out), 0) == sizeof(out), "send frame %u", nth);
	/* A socket also gets what its own card sends */
	do {
		must(poll(&p, 1, WAIT_MS) == 1, "frame %u arrives", nth);
		if (recv(to, &in, sizeof(in), 0) != sizeof(in))
			return false;
	} while (in.head.h_source[ETH_ALEN - 1] != round);
	return !memcmp(&in, &out, sizeof(in));
}

void case_net(void)
{
	struct ifreq req[NET_ROUNDS] = { 0 };
	unsigned int round, i, bad;
	int fd[NET_ROUNDS];

	fd[0] = card_open(&req[0], "eth0");
	fd[1] = card_open(&req[1], "eth1");
	for (round = 0; round < NET_ROUNDS; round++) {
		mark(ROUND(round, STEP_NET_SEND));
		for (i = 0, bad = 0; i < FRAMES; i++)
			bad += !frame_goes(fd[round], fd[!round], round, i);
		mark(ROUND(round, STEP_NET_END));
		check(!bad, "from eth%u: every byte of %u frames (wrong: %u)", round, FRAMES,
		      bad);
	}
	card_close(fd[0], &req[0]);
	card_close(fd[1], &req[1]);
	mark(STEP_DONE);
}
#endif

#ifdef E2E_CHECK
#include "check.h"

void check_net(struct run *r)
{
	struct span s[2];
	unsigned int i;

	for (i = 0; i < NET_ROUNDS; i++) {
		if (!steps(r, ROUND(i, STEP_NET_SEND), ROUND(i, STEP_NET_END), s, "net"))
			continue;
		/* What one reads and what the other one writes */
		check_driver(r, &s[STEP_NET_SEND], i ? "from eth1" : "from eth0", 2, FRAMES);
	}
}
#endif
