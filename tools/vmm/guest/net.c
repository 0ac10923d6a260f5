// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two network cards that see each other's frames: each sends to the other one, and what arrives is
 * compared byte by byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../block.h"
#include "guest.h"

#define ETHERTYPE	0x88b5	/* for local experiments */
#define FRAMES		200
#define FRAME_SIZE	(ETH_HLEN + 1200)
#define UP_TRIES	300	/* a tenth of a second each */
#define WAIT_MS		5000

struct frame {
	struct ethhdr head;
	uint8_t data[FRAME_SIZE - ETH_HLEN];
} __attribute__((packed));

static int open_card(const char *name)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE),
	};
	struct ifreq req = { 0 };
	int fd, tries = UP_TRIES;

	fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));
	if (fd < 0)
		return -1;
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFINDEX, &req))
		goto fail;
	to.sll_ifindex = req.ifr_ifindex;
	req.ifr_flags = IFF_UP | IFF_PROMISC;
	if (ioctl(fd, SIOCSIFFLAGS, &req) || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		goto fail;
	while (!ioctl(fd, SIOCGIFFLAGS, &req) && !(req.ifr_flags & IFF_RUNNING) && --tries)
		usleep(100000);
	if (tries)
		return fd;
	errno = ENETDOWN;
fail:
	close(fd);
	return -1;
}

static void fill_frame(struct frame *f, unsigned int card, unsigned int no)
{
	size_t i;

	memset(f->head.h_dest, 0xff, ETH_ALEN);
	memcpy(f->head.h_source, (uint8_t[]){ 2, 0, 0, 0, 0, card }, ETH_ALEN);
	f->head.h_proto = htons(ETHERTYPE);
	for (i = 0; i < sizeof(f->data); i++)
		f->data[i] = block_word(card, no, 0, i);
}

/* Returns 0 if it has arrived as it was sent, 1 if not so, -1 if not at all */
static int send_one(int from, int to, unsigned int card, unsigned int no)
{
	struct pollfd p = { .fd = to, .events = POLLIN };
	struct frame out, in;

	fill_frame(&out, card, no);
	if (send(from, &out, sizeof(out), 0) != sizeof(out))
		return -1;
	/* A socket also gets what its own card sends */
	do {
		if (poll(&p, 1, WAIT_MS) <= 0)
			return -1;
		if (recv(to, &in, sizeof(in), 0) != sizeof(in))
			return 1;
	} while (in.head.h_source[5] != card);
	return memcmp(&in, &out, sizeof(in)) ? 1 : 0;
}

bool net_job(char *detail)
{
	unsigned long interrupts = interrupts_of("eth");
	unsigned int i, bad = 0, lost = 0;
	int a, b, ret;

	a = open_card("eth0");
	b = open_card("eth1");
	if (a < 0 || b < 0) {
		snprintf(detail, DETAIL_SIZE, "%s: %s", a < 0 ? "eth0" : "eth1", strerror(errno));
		return false;
	}
	for (i = 0; i < FRAMES && !lost; i++) {
		ret = i % 2 ? send_one(a, b, 0, i) : send_one(b, a, 1, i);
		bad += ret > 0;
		lost += ret < 0;
	}
	close(a);
	close(b);
	snprintf(detail, DETAIL_SIZE, "frames=%u bytes=%zu bad=%u lost=%u interrupts=%lu", i,
		 i * sizeof(struct frame), bad, lost, interrupts_of("eth") - interrupts);
	return !bad && !lost;
}
