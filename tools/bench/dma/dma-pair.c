// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mapping by the DMA API costs: a driver for any PCI device, which it does not touch. Its
 * file "cost" in sysfs takes "<bytes> <entries>": with one entry a buffer is mapped by itself, with
 * more a scatter list of that many such buffers is. Then it has what one pair of map and unmap
 * took, what the unmap alone took, in nanoseconds of the clock, and how many unmaps there were.
 *
 * Under -icount a nanosecond is an instruction. A timer tick that falls into a batch adds to it;
 * the cheapest of many batches is one without.
 */
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>

#define BATCHES		20
#define BATCH		16	/* mappings that are there at once */
#define MAX_ENTRIES	64

/**
 * struct pair - the state of one device
 * @dev: the device
 * @sgt: a batch of mappings, all of the same memory
 * @bytes: size of each buffer
 * @entries: buffers in a mapping
 * @pair_ns: what a map and an unmap took
 * @unmap_ns: what an unmap alone took
 * @unmaps: how many there were
 */
struct pair {
	struct device *dev;
	struct sg_table sgt[BATCH];
	unsigned int bytes;
	unsigned int entries;
	u64 pair_ns;
	u64 unmap_ns;
	unsigned int unmaps;
};

static int map(struct pair *p, struct sg_table *sgt)
{
	struct scatterlist *sg = sgt->sgl;

	if (p->entries > 1)
		return dma_map_sgtable(p->dev, sgt, DMA_BIDIRECTIONAL, 0);
	sg_dma_address(sg) = dma_map_page(p->dev, sg_page(sg), 0, p->bytes, DMA_BIDIRECTIONAL);
	return dma_mapping_error(p->dev, sg_dma_address(sg));
}

static void unmap(struct pair *p, struct sg_table *sgt)
{
	if (p->entries > 1)
		dma_unmap_sgtable(p->dev, sgt, DMA_BIDIRECTIONAL, 0);
	else
		dma_unmap_page(p->dev, sg_dma_address(sgt->sgl), p->bytes, DMA_BIDIRECTIONAL);
	p->unmaps++;
}

/* A map and its unmap, again and again */
static int run_pairs(struct pair *p)
{
	u64 start = ktime_get_ns();
	unsigned int i;
	int ret;

	for (i = 0; i < BATCH; i++) {
		ret = map(p, &p->sgt[0]);
		if (ret)
			return ret;
		unmap(p, &p->sgt[0]);
	}
	p->pair_ns = min(p->pair_ns, ktime_get_ns() - start);
	return 0;
}

/* Unmaps in a row */
static int run_unmaps(struct pair *p)
{
	unsigned int i, mapped;
	int ret = 0;
	u64 start;

	for (mapped = 0; mapped < BATCH && !ret; mapped += !ret)
		ret = map(p, &p->sgt[mapped]);
	start = ktime_get_ns();
	for (i = 0; i < mapped; i++)
		unmap(p, &p->sgt[i]);
	if (!ret)
		p->unmap_ns = min(p->unmap_ns, ktime_get_ns() - start);
	return ret;
}

static int run(struct pair *p)
{
	unsigned int i;
	int ret = 0;

	p->pair_ns = U64_MAX;
	p->unmap_ns = U64_MAX;
	p->unmaps = 0;
	for (i = 0; i < BATCHES && !ret; i++)
		ret = run_pairs(p) ?: run_unmaps(p);
	p->pair_ns = div_u64(p->pair_ns, BATCH);
	p->unmap_ns = div_u64(p->unmap_ns, BATCH);
	return ret;
}

/* All mappings of a batch are of the pages in the first one */
static void free_buffers(struct pair *p)
{
	struct scatterlist *sg;
	unsigned int i;

	if (p->sgt[0].sgl)
		for_each_sgtable_sg(&p->sgt[0], sg, i)
			if (sg_page(sg))
				__free_pages(sg_page(sg), get_order(p->bytes));
	for (i = 0; i < BATCH; i++)
		sg_free_table(&p->sgt[i]);
}

static int alloc_buffers(struct pair *p)
{
	struct scatterlist *sg;
	struct page *page;
	unsigned int i, j;

	for (i = 0; i < BATCH; i++)
		if (sg_alloc_table(&p->sgt[i], p->entries, GFP_KERNEL))
			goto err;
	for_each_sgtable_sg(&p->sgt[0], sg, i) {
		page = alloc_pages(GFP_KERNEL, get_order(p->bytes));
		if (!page)
			goto err;
		for (j = 0; j < BATCH; j++)
			sg_set_page(&p->sgt[j].sgl[i], page, p->bytes, 0);
	}
	return 0;

err:
	free_buffers(p);
	return -ENOMEM;
}

static ssize_t cost_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct pair *p = dev_get_drvdata(dev);
	int ret;

	if (sscanf(buf, "%u %u", &p->bytes, &p->entries) != 2 || !p->bytes || !p->entries ||
	    p->entries > MAX_ENTRIES)
		return -EINVAL;
	ret = alloc_buffers(p);
	if (ret)
		return ret;
	ret = run(p);
	free_buffers(p);
	return ret ?: count;
}

static ssize_t cost_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pair *p = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu %llu %u\n", p->pair_ns, p->unmap_ns, p->unmaps);
}
static DEVICE_ATTR_RW(cost);

static struct attribute *pair_attrs[] = {
	&dev_attr_cost.attr,
	NULL
};
ATTRIBUTE_GROUPS(pair);

static int pair_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct pair *p = devm_kzalloc(&pdev->dev, sizeof(*p), GFP_KERNEL);
	int ret;

	if (!p)
		return -ENOMEM;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	p->dev = &pdev->dev;
	pci_set_drvdata(pdev, p);
	return 0;
}

/* None of its own: whoever wants it says so by driver_override */
static const struct pci_device_id pair_ids[] = {
	{ }
};

static struct pci_driver pair_driver = {
	.name = "dma-pair",
	.id_table = pair_ids,
	.probe = pair_probe,
	.dev_groups = pair_groups,
};
module_pci_driver(pair_driver);

MODULE_DESCRIPTION("Cost of a mapping by the DMA API");
MODULE_LICENSE("GPL");
