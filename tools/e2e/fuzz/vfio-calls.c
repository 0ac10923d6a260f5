// SPDX-License-Identifier: GPL-2.0-only
/* Devices of VFIO: opened, bound, attached, made to do DMA, closed. */
#include <errno.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <linux/pci_regs.h>

#include "calls.h"
#include "guest-memory.h"

/* Registers of iommu-testdev */
#define TD_TRIGGER	0x00
#define TD_IOVA_LO	0x04
#define TD_IOVA_HI	0x08
#define TD_LEN		0x0c
#define TD_DOORBELL	0x14
#define TD_ATTRS	0x18
#define TD_ATTRS_NS	0xa

/* The numbers of the device files of this process */
static u32 number[MAX_VFIO];

/*
 * A device that this process has open, and that it is bound by this file, if @bound, or
 * by none; if there is such a one
 */
static void choose_dev(struct turn *t, bool bound)
{
	unsigned int from = choose(t, model_devs()), at, i;
	bool any = seldom(t, 12);
	u32 file;

	t->dev = file_from(F_DEV, from, model_devs());
	for (i = 0; i < model_devs() && !any; i++) {
		at = (from + i) % model_devs();
		file = look(&model->dev_file[at]);
		if (file_at(F_DEV, at) < 0 || (bound ? file != look(&number[at]) : file))
			continue;
		t->dev = at;
		break;
	}
	t->fd = file_at(F_DEV, t->dev);
	t->ictx = look(&model->dev_ictx[t->dev]);
}

static void choose_bound(struct turn *t)
{
	choose_dev(t, true);
}

static void fill_open(struct turn *t)
{
	t->dev = choose(t, model_devs());
	t->fd = file_at(F_DEV, t->dev);
}

int vfio_open(unsigned int dev)
{
	int fd = dev_file_open(model_dev(dev));

	if (fd < 0)
		return -errno;
	put(&number[dev], __atomic_add_fetch(&model->files, 1, __ATOMIC_RELAXED));
	file_put(F_DEV, dev, fd);
	return 0;
}

static int run_open(struct turn *t)
{
	return t->fd < 0 ? vfio_open(t->dev) : -EBUSY;
}

static int run_close(struct turn *t)
{
	struct ictx *c = &model->ictx[t->ictx];

	if (!file_close(F_DEV, t->dev))
		return -EBADF;
	if (look(&model->dev_file[t->dev]) != look(&number[t->dev]))
		return 0;
	put(&model->dev_file[t->dev], 0);
	forget(&c->id[K_DEV][t->dev], c);
	return 0;
}

/*
 * Not to the mock devices' iommufd: TRIGGER_VEVENT takes any device for one of those, and
 * writes to what is behind it.
 */
static void fill_bind(struct turn *t)
{
	int dev;

	choose_dev(t, false);
	dev = t->fd;
	use_ictx(t, choose(t, 4) ? SHARED_ICTX : OWN_ICTX);
	t->arg.bind.iommufd = t->fd;
	t->fd = dev;
}

/* Most of the time as a VMM does: what is told behind the bind is the VM of the next one */
static int run_bind(struct turn *t)
{
	u32 vm = choose(t, NUM_VMS + 1);

	if (vm < NUM_VMS)
		vm_add(vm, t->fd);
	return turn_ioctl(t, t->call->size);
}

/* Let it decode its BAR and be a bus master */
static void enable(int fd)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	u16 cmd = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (!ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) &&
	    pwrite(fd, &cmd, sizeof(cmd), info.offset + PCI_COMMAND) < 0)
		return;
}

static void won_bind(struct turn *t)
{
	put(&model->dev_ictx[t->dev], t->ictx);
	put(&model->dev_file[t->dev], look(&number[t->dev]));
	t->slot = &model->ictx[t->ictx].id[K_DEV][t->dev];
	learn(t, t->arg.bind.out_devid);
	enable(t->fd);
}

static u32 pick_pt(struct turn *t)
{
	const u32 pt[] = {
		pick(t, K_NESTED), pick(t, K_NESTED), pick(t, K_NESTED), pick(t, K_PARENT),
		pick(t, K_PARENT), pick(t, K_HWPT), pick(t, K_IOAS),
	};

	return pt[choose(t, ARRAY_SIZE(pt))];
}

static void fill_attach(struct turn *t)
{
	choose_bound(t);
	t->arg.attach.pt_id = pick_pt(t);
}

/* Most to where memory is mapped, by stage 1 or by stage 2 alone */
static void fill_dma(struct turn *t)
{
	u32 page = choose(t, GUEST_SIZE / PAGE), where = choose(t, 4);
	u64 iova = GPA_BASE + OFF_PAGE_A + page % 4 * PAGE;

	choose_bound(t);
	if (!where)
		iova = DMA_IOVA;
	if (where == 1)
		iova = GPA_BASE + page * PAGE;
	/* Neither code nor tables of the guest: what they become is another fuzzer's */
	if (iova >= GPA_BASE && iova < GPA_BASE + OFF_PAGE_A)
		iova = GPA_BASE + OFF_PAGE_C;
	t->arg.word[0] = iova;
	t->arg.word[1] = iova >> 32;
}

static int run_dma(struct turn *t)
{
	const u32 regs[][2] = {
		{ TD_IOVA_LO, t->arg.word[0] }, { TD_IOVA_HI, t->arg.word[1] },
		{ TD_LEN, sizeof(u32) }, { TD_ATTRS, TD_ATTRS_NS }, { TD_DOORBELL, 1 },
	};
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	unsigned int i;
	u32 val;

	if (model_dev(t->dev)->type != DEV_TESTDEV ||
	    ioctl(t->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return -ENODEV;
	for (i = 0; i < ARRAY_SIZE(regs); i++)
		if (pwrite(t->fd, &regs[i][1], sizeof(u32), info.offset + regs[i][0]) < 0)
			return -errno;
	return pread(t->fd, &val, sizeof(val), info.offset + TD_TRIGGER) < 0 ? -errno : 0;
}

const struct call vfio_calls[] = {
	{ "open", 4, 0, 0, fill_open, NULL, run_open },
	{ "close", 2, 0, 0, choose_bound, NULL, run_close },
	{ "bind", 6, VFIO_DEVICE_BIND_IOMMUFD, ARG(bind), fill_bind, won_bind, run_bind },
	{ "attach", 28, VFIO_DEVICE_ATTACH_IOMMUFD_PT, ARG(attach), fill_attach },
	{ "detach", 6, VFIO_DEVICE_DETACH_IOMMUFD_PT, ARG(detach), choose_bound },
	{ "dma", 16, 0, 0, fill_dma, NULL, run_dma },
	{ }
};
