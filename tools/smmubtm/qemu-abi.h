/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the plugin uses of QEMU: the TCG plugin interface, version 7, a few of the executable's own
 * functions, and two glib types. Declared here because Debian packages no header of QEMU's, and so
 * that building the plugin needs no glib headers.
 *
 * All functions are weak: one that a QEMU does not have is NULL, and the plugin can say which.
 */
#ifndef SMMUBTM_QEMU_ABI_H
#define SMMUBTM_QEMU_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_EXPORT	__attribute__((visibility("default")))
#define QEMU_PLUGIN_VERSION	7
#define QEMU_WEAK		__attribute__((weak))

/* glib: the public parts of GArray and GByteArray */
struct glib_array {
	char *data;
	unsigned int len;
};

struct glib_bytes {
	uint8_t *data;
	unsigned int len;
};

QEMU_WEAK struct glib_bytes *g_byte_array_new(void);
QEMU_WEAK struct glib_bytes *g_byte_array_set_size(struct glib_bytes *array, unsigned int len);

/* the plugin interface */
struct qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

struct qemu_plugin_reg_descriptor {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
	bool is_readonly;
};

enum qemu_plugin_cb_flags {
	QEMU_PLUGIN_CB_NO_REGS,
	QEMU_PLUGIN_CB_R_REGS,
	QEMU_PLUGIN_CB_RW_REGS,
};

/* One number for each CPU, which instructions add to where they are executed */
struct qemu_plugin_scoreboard;

struct qemu_plugin_u64 {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
};

enum qemu_plugin_op {
	QEMU_PLUGIN_INLINE_ADD_U64,
};

QEMU_WEAK struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t element_size);
QEMU_WEAK uint64_t qemu_plugin_u64_get(struct qemu_plugin_u64 entry, unsigned int vcpu);
QEMU_WEAK void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
								   enum qemu_plugin_op op,
								   struct qemu_plugin_u64 entry,
								   uint64_t imm);
QEMU_WEAK void qemu_plugin_register_vcpu_init_cb(uint64_t id,
						 void (*cb)(unsigned int vcpu, void *udata),
						 void *udata);
QEMU_WEAK void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
						     void (*cb)(struct qemu_plugin_tb *tb,
								void *udata),
						     void *udata);
QEMU_WEAK void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						      void (*cb)(unsigned int vcpu, void *udata),
						      enum qemu_plugin_cb_flags flags,
						      void *udata);
QEMU_WEAK size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
QEMU_WEAK struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
							   size_t idx);
QEMU_WEAK size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len);
QEMU_WEAK struct glib_array *qemu_plugin_get_registers(void);
QEMU_WEAK bool qemu_plugin_read_register(struct qemu_plugin_register *reg, struct glib_bytes *buf);
QEMU_WEAK bool qemu_plugin_write_register(struct qemu_plugin_register *reg, struct glib_bytes *buf);
QEMU_WEAK void qemu_plugin_outs(const char *string);

/*
 * Functions of the executable itself. They are visible to a plugin only if QEMU was built with
 * modules (it then exports its symbols), as distributions build it.
 */
QEMU_WEAK void *object_resolve_path_type(const char *path, const char *type, bool *ambiguous);
QEMU_WEAK void bql_lock_impl(const char *file, int line);
QEMU_WEAK void bql_unlock(void);
QEMU_WEAK bool bql_locked(void);
QEMU_WEAK void physical_memory_read(uint64_t addr, void *buf, uint64_t len);
QEMU_WEAK void physical_memory_write(uint64_t addr, const void *buf, uint64_t len);
QEMU_WEAK void smmu_iotlb_inv_all(void *s);
QEMU_WEAK void smmu_iotlb_inv_vmid(void *s, int vmid);
QEMU_WEAK void smmu_iotlb_inv_vmid_s1(void *s, int vmid);
QEMU_WEAK void smmu_iotlb_inv_asid_vmid(void *s, int asid, int vmid);
QEMU_WEAK void smmu_iotlb_inv_iova(void *s, int asid, int vmid, uint64_t iova, uint8_t tg,
				   uint64_t n, uint8_t ttl);
QEMU_WEAK void smmu_iotlb_inv_ipa(void *s, int vmid, uint64_t ipa, uint8_t tg, uint64_t n,
				  uint8_t ttl);

#endif
