/* SPDX-License-Identifier: MIT
 *
 * Plugin interface of QEMU 7.2 (version 1), as far as the plugins here use it: restated
 * because Debian ships no header for it. Later versions change qemu_plugin_insn_data.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void exec_fn(unsigned vcpu, void *arg);
typedef void mem_fn(unsigned vcpu, uint32_t info, uint64_t at, void *arg);
typedef void block_fn(uint64_t id, struct qemu_plugin_tb *block);
typedef void exit_fn(uint64_t id, void *arg);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, block_fn *fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, exec_fn *fn,
                                          int regs, void *arg);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_fn *fn,
                                            int regs, void *arg);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_fn *fn, int regs,
                                      int loads_and_stores, void *arg);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_fn *fn, void *arg);
bool qemu_plugin_mem_is_store(uint32_t info);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block,
                                                 size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);

/* What QEMU looks for in a plugin. */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int
qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

#endif
