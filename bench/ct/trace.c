/* SPDX-License-Identifier: MIT
 *
 * A plugin for QEMU that hashes what code does, so that two runs can be compared: FNV-1a
 * over the address of each instruction, and of each load (+ 2^32) and store (+ 3 * 2^32).
 *
 * The guest reads and restarts the hash by the marker mov r11, r11 (mark.S), which is not
 * in it.
 *
 * Build:  cc -O2 -fPIC -shared -o trace.so trace.c
 */
#include "../m0/plugin.h"

#define LOADS_AND_STORES 3
#define BASIS 0xcbf29ce484222325u

static uint64_t hash = BASIS;

static void note(uint64_t x) {
    hash = (hash ^ x) * 0x100000001b3u;
}

static void on_instruction(unsigned vcpu, void *pc) {
    (void)vcpu;
    note((uintptr_t)pc);
}

static void on_memory(unsigned vcpu, uint32_t info, uint64_t at, void *arg) {
    (void)vcpu;
    (void)arg;
    note(at | (uint64_t)(qemu_plugin_mem_is_store(info) ? 3 : 1) << 32);
}

static void on_marker(unsigned vcpu, void *slot) {
    (void)vcpu;
    for (int i = 0; i < 8; i++) {
        ((uint8_t *)slot)[i] = (uint8_t)(hash >> 8 * i);
    }
    hash = BASIS;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *d = (const uint8_t *)qemu_plugin_insn_data(in);
        if ((d[0] | d[1] << 8) == 0x46db) {
            void *slot = (uint8_t *)qemu_plugin_insn_haddr(in) + 12;
            qemu_plugin_register_vcpu_insn_exec_cb(in, on_marker, 0, slot);
        } else {
            void *pc = (void *)(uintptr_t)qemu_plugin_insn_vaddr(in);
            qemu_plugin_register_vcpu_insn_exec_cb(in, on_instruction, 0, pc);
            qemu_plugin_register_vcpu_mem_cb(in, on_memory, 0, LOADS_AND_STORES, NULL);
        }
    }
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
