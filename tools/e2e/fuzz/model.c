// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/mman.h>

#include "model.h"

struct model *model;

unsigned int model_slots(enum object kind)
{
	static const unsigned int slots[NUM_KINDS] = {
		[K_IOAS] = 4, [K_HWPT] = 6, [K_PARENT] = 4, [K_NESTED] = 10, [K_VIOMMU] = 4,
		[K_VDEVICE] = 10, [K_FAULTQ] = 3, [K_VEVENTQ] = 3,
		[K_DEV] = SLOTS, [K_STDEV] = SLOTS,
	};

	return slots[kind];
}

void model_init(void)
{
	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	must(model != MAP_FAILED, "memory of both processes");
}

void model_clear(unsigned int ictx)
{
	memset(&model->ictx[ictx], 0, sizeof(model->ictx[0]));
}

void model_clear_all(void)
{
	memset(model->ictx, 0, sizeof(model->ictx));
	memset(model->dev_ictx, 0, sizeof(model->dev_ictx));
	memset(model->dev_file, 0, sizeof(model->dev_file));
	memset(model->progress, 0, sizeof(model->progress));
}

unsigned int model_devs(void)
{
	return (num_testdevs < MAX_VFIO ? num_testdevs : MAX_VFIO - 1) + !!edu.bdf[0];
}

struct dev *model_dev(unsigned int num)
{
	return edu.bdf[0] && num == model_devs() - 1 ? &edu : &testdev[num];
}
