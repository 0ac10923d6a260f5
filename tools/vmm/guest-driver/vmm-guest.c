// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver of QEMU's iommu-testdev in the guest of the VMM test: what becomes of DMA that goes by
 * the DMA API. It tells by lines of the kernel log that begin with "vmm:".
 *
 * A window is what happens between two marks. Both the QEMU that is the VMM, which emulates the
 * configuration space, and the one that emulates the device have them in their traces.
 */
#define pr_fmt(fmt) "vmm: " fmt

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/string.h>
#include <asm/tlbflush.h>

#include "../marks.h"

/* Registers of iommu-testdev, and what it writes */
#define TD_TRIGGER	0x00
#define TD_IOVA_LO	0x04
#define TD_IOVA_HI	0x08
#define TD_LEN		0x0c
#define TD_RESULT	0x10
#define TD_DOORBELL	0x14
#define TD_ATTRS	0x18
#define TD_GPA_LO	0x1c
#define TD_GPA_HI	0x20
#define TD_ATTRS_NS	0xa	/* non-secure, the attributes are valid */
#define TD_DMA_VALUE	0x12345678

struct td {
	struct pci_dev *pdev;
	void __iomem *bar;
	struct page *page;
	dma_addr_t iova;
};

/* The one device there is, and who uses it */
static struct td *only_td;
static DEFINE_MUTEX(td_lock);

static void mark(struct td *td, u8 window)
{
	if (window == VMM_NONE)
		VMM_COUNT();
	writel(VMM_MARK(window), td->bar + TD_LEN);
	pci_write_config_byte(td->pdev, PCI_INTERRUPT_LINE, window);
	if (window != VMM_NONE)
		VMM_COUNT();
}

/* The device writes one word; returns whether it has landed in the page. */
static bool dma_lands(struct td *td)
{
	u32 *word = page_address(td->page);

	memset(word, 0, PAGE_SIZE);
	/* Before the device writes there */
	wmb();
	writel(lower_32_bits(td->iova), td->bar + TD_IOVA_LO);
	writel(upper_32_bits(td->iova), td->bar + TD_IOVA_HI);
	writel(sizeof(*word), td->bar + TD_LEN);
	writel(TD_ATTRS_NS, td->bar + TD_ATTRS);
	/* Where it reads back, past the SMMU: any RAM of the host will do */
	writel(0x40000000, td->bar + TD_GPA_LO);
	writel(0, td->bar + TD_GPA_HI);
	writel(1, td->bar + TD_DOORBELL);
	readl(td->bar + TD_TRIGGER);
	return READ_ONCE(*word) == TD_DMA_VALUE;
}

static int td_map(struct td *td)
{
	td->page = alloc_page(GFP_KERNEL);
	if (!td->page)
		return -ENOMEM;

	td->iova = dma_map_page(&td->pdev->dev, td->page, 0, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(&td->pdev->dev, td->iova)) {
		__free_page(td->page);
		return -ENOMEM;
	}
	return 0;
}

static void td_unmap(struct td *td)
{
	dma_unmap_page(&td->pdev->dev, td->iova, PAGE_SIZE, DMA_FROM_DEVICE);
}

/* What an unmap costs: no DMA is refused in this one, as a fault has a cost of its own. */
static int count_unmaps(struct td *td, unsigned int count)
{
	unsigned int i, lost = 0;
	int ret;

	for (i = 0; i < count; i++) {
		ret = td_map(td);
		if (ret)
			return ret;
		lost += !dma_lands(td);
		mark(td, VMM_UNMAP);
		td_unmap(td);
		mark(td, VMM_NONE);
		__free_page(td->page);
	}
	pr_info("unmap count=%u lost=%u\n", count, lost);
	return 0;
}

/* What an unmap does */
static int try_unmaps(struct td *td, unsigned int count)
{
	unsigned int i, lost = 0, stale = 0;
	int ret;

	for (i = 0; i < count; i++) {
		ret = td_map(td);
		if (ret)
			return ret;
		lost += !dma_lands(td);
		td_unmap(td);
		stale += dma_lands(td);
		__free_page(td->page);
	}
	pr_info("stale count=%u lost=%u stale=%u\n", count, lost, stale);
	return 0;
}

/*
 * Does a TLBI of this CPU reach the device? Clear the PTE behind the driver's back, and let nothing
 * but the TLBI invalidate it. By address for all ASIDs: that one reaches CDs with ASET = 1 too.
 */
static int try_tlbi(struct td *td)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&td->pdev->dev);
	struct iommu_iotlb_gather gather;
	bool before, cleared, after;
	phys_addr_t pa;
	int ret;

	if (!domain || !iommu_is_dma_domain(domain))
		return -ENODEV;
	ret = td_map(td);
	if (ret)
		return ret;

	pa = page_to_phys(td->page);
	before = dma_lands(td);
	iommu_iotlb_gather_init(&gather);
	iommu_unmap_fast(domain, td->iova, PAGE_SIZE, &gather);
	mark(td, VMM_TLBI);
	cleared = dma_lands(td);
	dsb(ishst);
	__tlbi(vaale1is, td->iova >> 12 & GENMASK_ULL(43, 0));
	dsb(ish);
	after = dma_lands(td);
	mark(td, VMM_NONE);

	ret = iommu_map(domain, td->iova, pa, PAGE_SIZE, IOMMU_WRITE, GFP_KERNEL);
	if (ret)
		return ret;
	td_unmap(td);
	__free_page(td->page);
	pr_info("tlbi before=%d cleared=%d after=%d\n", before, cleared, after);
	return 0;
}

/* One DMA that is refused, and where to */
static int try_fault(struct td *td)
{
	bool landed;
	int ret;

	ret = td_map(td);
	if (ret)
		return ret;
	td_unmap(td);
	/* Before the SMMU driver tells of it, for whoever compares the two */
	pr_info("refused iova=%#llx\n", td->iova);
	landed = dma_lands(td);
	__free_page(td->page);
	return landed ? -EIO : 0;
}

/* Parameter "run": do it all, with so many unmaps */
static int set_run(const char *val, const struct kernel_param *kp)
{
	unsigned int count;
	int ret;

	ret = kstrtouint(val, 0, &count);
	if (ret)
		return ret;

	guard(mutex)(&td_lock);
	if (!only_td)
		return -ENODEV;
	ret = count_unmaps(only_td, count);
	if (!ret)
		ret = try_tlbi(only_td);
	if (!ret)
		ret = try_unmaps(only_td, count);
	pr_info("done %s ret=%d\n", pci_name(only_td->pdev), ret);
	return ret;
}

/* Parameter "fault": what is written does not matter */
static int set_fault(const char *val, const struct kernel_param *kp)
{
	guard(mutex)(&td_lock);
	return only_td ? try_fault(only_td) : -ENODEV;
}

/* Parameter "mark": begin a window */
static int set_mark(const char *val, const struct kernel_param *kp)
{
	u8 window;
	int ret;

	ret = kstrtou8(val, 0, &window);
	if (ret)
		return ret;

	guard(mutex)(&td_lock);
	if (!only_td)
		return -ENODEV;
	mark(only_td, window);
	return 0;
}

static const struct kernel_param_ops run_ops = { .set = set_run };
static const struct kernel_param_ops fault_ops = { .set = set_fault };
static const struct kernel_param_ops mark_ops = { .set = set_mark };

module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "map, DMA and unmap so many pages");
module_param_cb(fault, &fault_ops, NULL, 0200);
MODULE_PARM_DESC(fault, "DMA to a page that is not mapped");
module_param_cb(mark, &mark_ops, NULL, 0200);
MODULE_PARM_DESC(mark, "begin a window");

static int td_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct td *td;
	int ret;

	td = devm_kzalloc(&pdev->dev, sizeof(*td), GFP_KERNEL);
	if (!td)
		return -ENOMEM;
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	td->pdev = pdev;
	td->bar = pcim_iomap(pdev, 0, 0);
	if (!td->bar)
		return -ENOMEM;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	pci_set_master(pdev);

	guard(mutex)(&td_lock);
	if (only_td)
		return -EBUSY;
	only_td = td;
	return 0;
}

static void td_remove(struct pci_dev *pdev)
{
	guard(mutex)(&td_lock);
	only_td = NULL;
}

static const struct pci_device_id td_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT, 0x0005) },
	{ }
};
MODULE_DEVICE_TABLE(pci, td_ids);

static struct pci_driver td_driver = {
	.name = "vmm-guest",
	.id_table = td_ids,
	.probe = td_probe,
	.remove = td_remove,
};
module_pci_driver(td_driver);

MODULE_DESCRIPTION("DMA of a guest behind a virtual SMMU");
MODULE_LICENSE("GPL");
