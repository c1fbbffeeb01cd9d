/* SPDX-License-Identifier: MIT
 *
 * A plugin for QEMU that counts Cortex-M0 (or M0+) cycles.
 *
 * QEMU runs ARMv6-M code without any notion of time. For each translation block this
 * plugin adds up, once, the documented latencies of its instructions (zero wait states),
 * and charges the sum whenever the block runs, plus the penalty of a conditional branch
 * that was taken. ARMv6-M has no other data-dependent timing, so the sum is exact with
 * respect to the table.
 *
 * Build:  cc -O2 -fPIC -shared -o cycles.so cycles.c
 * Use:    qemu-system-arm -M microbit ... -plugin ./cycles.so,core=m0
 * Options: core=m0|m0plus, mul=N (1 or 32), bl=N and poppc=N (override BL, POP {..,pc}),
 *   hist=FILE (at exit one line per block: address insns cost runs taken), quiet=on,
 *   watch=ADDRESS (hexadecimal, of a function that is entered by BL or BLX; up to eight:
 * at exit a line `watch ADDRESS calls cycles`, with all that the function calls)
 *
 * The guest reads the count through markers, register moves without effect:
 *   mov r9,r9    (0x46c9) stores the cycles so far as 64 bits at its own address + 12
 *   mov r10,r10  (0x46d2) stores the instructions so far there
 * The marker itself is not in the count (see m0_cycles in prim_start.S).
 *
 * Limits: no wait states, no exception entry and exit; a conditional branch to the next
 * instruction counts as not taken; not with -icount, which restarts blocks that touch a
 * device and so charges them twice.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

/* -- timing: ARM DDI 0432C (Cortex-M0), ARM DDI 0484C (Cortex-M0+) -- */

struct timing {
    unsigned alu, mul, mem;
    unsigned multi;              /* LDM, STM, PUSH, POP of n registers: multi + n */
    unsigned pop_pc;             /* POP with pc: pop_pc + n */
    unsigned branch;             /* B, and a conditional branch that is taken */
    unsigned bl, bx, blx, to_pc; /* to_pc: MOV or ADD to pc */
    unsigned system;             /* MRS, MSR, barriers */
    unsigned wait;               /* WFI, WFE */
};
static const struct timing m0 = {1, 1, 2, 1, 4, 3, 4, 3, 3, 3, 4, 2};
static const struct timing m0plus = {1, 1, 2, 1, 3, 2, 3, 2, 2, 2, 3, 2};
static struct timing t;

/* -- what was translated -- */

struct block {
    uint64_t start; /* address of the first instruction */
    uint64_t end;   /* address after the last */
    uint64_t runs, taken;
    struct block *next;
    uint32_t cost, insns; /* with a conditional branch at the end not taken */
    bool is_cond;         /* ends in a conditional branch */
};

struct marker {
    void *slot;          /* where the count goes */
    struct marker *next; /* in the same block */
    uint32_t cost_after; /* charged with the block, but after the marker */
    uint32_t insns_after;
    bool is_insns;
};

struct watch {
    uint64_t at;   /* first instruction of the function */
    uint64_t back; /* where this call of it returns to, 0: it is not running */
    uint64_t from; /* cycles when it was entered */
    uint64_t sum, calls;
};

static struct watch watches[8];
static unsigned watch_n;
static struct block *blocks, *last;
static uint64_t cycles, insns;
static const char *hist;
static bool is_quiet;

/* The length is taken from the encoding: at the end of a page QEMU books the next
 * halfword to the instruction before, so that qemu_plugin_insn_size is wrong there. */
static unsigned insn_len(unsigned w) {
    return w >> 11 >= 0x1d ? 4 : 2;
}

static unsigned ones(unsigned w) {
    return (unsigned)__builtin_popcount(w);
}

static unsigned cost_high_register(unsigned w) {
    switch (w >> 8 & 3) {
    case 1: return t.alu; /* CMP */
    case 3: return w & 0x80 ? t.blx : t.bx;
    default: return (w & 0x87) == 0x87 ? t.to_pc : t.alu; /* ADD, MOV */
    }
}

static unsigned cost_misc(unsigned w) {
    switch (w & 0xfe00) {
    case 0xb400: return t.multi + ones(w & 0x1ff);
    case 0xbc00: return (w & 0x100 ? t.pop_pc : t.multi) + ones(w & 0x1ff);
    default: return w == 0xbf20 || w == 0xbf30 ? t.wait : t.alu;
    }
}

static unsigned cost16(unsigned w) {
    unsigned op = w >> 11;
    if (op == 0x08) {
        return w & 0x400 ? cost_high_register(w) : (w & 0xffc0) == 0x4340 ? t.mul : t.alu;
    }
    return op < 0x08   ? t.alu /* shifts, add, subtract, immediates */
           : op < 0x14 ? t.mem /* load literal, loads and stores */
           : op < 0x16 ? t.alu /* ADR, ADD rd,sp */
           : op < 0x18 ? cost_misc(w)
           : op < 0x1a ? t.multi + ones(w & 0xff)
           : op < 0x1c ? t.alu /* conditional branch, not taken */
                       : t.branch;
}

static unsigned cost(const uint8_t *d) {
    unsigned w = d[0] | (unsigned)d[1] << 8;
    if (insn_len(w) == 2) {
        return cost16(w);
    }
    return (d[3] & 0xd0) == 0xd0 ? t.bl : t.system;
}

static bool is_cond(unsigned w) {
    return w >> 12 == 0xd && (w >> 8 & 15) < 14;
}

/* -- what runs -- */

static void on_watch(struct watch *w, const struct block *b) {
    if (w->back == 0 && b->start == w->at && last) {
        w->back = last->end;
        w->from = cycles;
        w->calls++;
    } else if (w->back != 0 && b->start == w->back) {
        w->sum += cycles - w->from;
        w->back = 0;
    }
}

static void on_block(unsigned vcpu, void *arg) {
    struct block *b = (struct block *)arg;
    (void)vcpu;
    if (last && last->is_cond && b->start != last->end) {
        cycles += t.branch - t.alu;
        last->taken++;
    }
    for (unsigned i = 0; i < watch_n; i++) {
        on_watch(&watches[i], b);
    }
    cycles += b->cost;
    insns += b->insns;
    b->runs++;
    last = b;
}

static void on_marker(unsigned vcpu, void *arg) {
    const struct marker *m = (const struct marker *)arg;
    uint64_t n = m->is_insns ? insns - m->insns_after : cycles - m->cost_after;
    (void)vcpu;
    for (int i = 0; i < 8; i++) {
        ((uint8_t *)m->slot)[i] = (uint8_t)(n >> 8 * i);
    }
}

static void *zeroed(size_t size) {
    void *p = calloc(1, size);
    if (p == NULL) {
        fprintf(stderr, "cycles: out of memory\n");
        exit(2);
    }
    return p;
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb) {
    struct block *b = (struct block *)zeroed(sizeof *b);
    struct marker *marks = NULL;
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *in = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *d = (const uint8_t *)qemu_plugin_insn_data(in);
        unsigned w = d[0] | (unsigned)d[1] << 8;
        if (i == 0) {
            b->start = qemu_plugin_insn_vaddr(in);
        }
        if (w == 0x46c9 || w == 0x46d2) {
            struct marker *m = (struct marker *)zeroed(sizeof *m);
            m->is_insns = w == 0x46d2;
            m->slot = (uint8_t *)qemu_plugin_insn_haddr(in) + 12;
            m->cost_after = b->cost; /* before it; turned round below */
            m->insns_after = b->insns;
            m->next = marks;
            marks = m;
            qemu_plugin_register_vcpu_insn_exec_cb(in, on_marker, 0, m);
        }
        b->cost += cost(d);
        b->insns++;
        b->is_cond = is_cond(w);
        b->end = qemu_plugin_insn_vaddr(in) + insn_len(w);
    }
    for (; marks; marks = marks->next) {
        marks->cost_after = b->cost - marks->cost_after;
        marks->insns_after = b->insns - marks->insns_after;
    }
    b->next = blocks;
    blocks = b;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, b);
}

static void at_end(uint64_t id, void *arg) {
    FILE *f = hist ? fopen(hist, "w") : NULL;
    (void)id;
    (void)arg;
    if (!is_quiet) {
        fprintf(stderr, "cycles: %llu cycles, %llu instructions\n",
                (unsigned long long)cycles, (unsigned long long)insns);
    }
    for (unsigned i = 0; i < watch_n; i++) {
        const struct watch *w = &watches[i];
        fprintf(stderr, "watch %llx %llu %llu%s\n", (unsigned long long)w->at,
                (unsigned long long)w->calls, (unsigned long long)w->sum,
                w->back != 0 ? " OPEN" : "");
    }
    for (struct block *b = blocks; f && b; b = b->next) {
        fprintf(f, "%08llx %u %u %llu %llu\n", (unsigned long long)b->start, b->insns,
                b->cost, (unsigned long long)b->runs, (unsigned long long)b->taken);
    }
    if (f) {
        fclose(f);
    }
}

static int option(const char *arg) {
    const char *value = strchr(arg, '=');
    size_t n = value ? (size_t)(value++ - arg) : 0;
    if (n == 4 && !memcmp(arg, "core", n)) {
        t = strcmp(value, "m0plus") ? m0 : m0plus;
        return strcmp(value, "m0") && strcmp(value, "m0plus");
    }
    unsigned *field = n == 3 && !memcmp(arg, "mul", n)     ? &t.mul
                      : n == 2 && !memcmp(arg, "bl", n)    ? &t.bl
                      : n == 5 && !memcmp(arg, "poppc", n) ? &t.pop_pc
                                                           : NULL;
    if (field) {
        *field = (unsigned)atoi(value);
    } else if (n == 4 && !memcmp(arg, "hist", n)) {
        hist = strdup(value);
    } else if (n == 5 && !memcmp(arg, "quiet", n)) {
        is_quiet = !strcmp(value, "on");
    } else if (n == 5 && !memcmp(arg, "watch", n) &&
               watch_n < sizeof watches / sizeof *watches) {
        watches[watch_n++].at = strtoull(value, NULL, 16);
    } else {
        return 1;
    }
    return 0;
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    t = m0;
    for (int i = 0; i < argc; i++) { /* core= first: it sets all of t */
        if (option(argv[i])) {
            fprintf(stderr, "cycles: bad option %s\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}
