/* SPDX-License-Identifier: MIT
 *
 * Field operations in assembly against their C twins: all pairs of edge values, then
 * random ones, a third of them with words of all zeroes and all ones. Prints a line for
 * each operation: name, comparisons, cycles of the assembly.
 */
#include <string.h>

#include "asm_twin.h"
#include "prim_io.h"

#ifndef ASM_CHECK_N
#define ASM_CHECK_N 100000
#endif
#define EDGES 21

static const char *const name[OP_N] = {"mul",        "mul_same", "sq",     "add",
                                       "sub",        "sub_from", "a24",    "select",
                                       "select_not", "pair",     "invert", "row"};
static uint32_t edge[EDGES][8];
static uint32_t state[4] = {1, 2, 3, 4};

static uint32_t next(void) { /* xorshift128 */
    uint32_t t = state[3] ^ state[3] << 11, s = state[0];
    state[3] = state[2];
    state[2] = state[1];
    state[1] = s;
    t ^= t >> 8;
    state[0] = t ^ s ^ s >> 19;
    return state[0];
}

/* k * 2^255 + low: with low = -19 + i this is p + i, and so on. */
static void make(unsigned at, uint32_t top, int32_t low) {
    for (unsigned i = 1; i < 8; i++) {
        edge[at][i] = low < 0 ? 0xffffffff : 0;
    }
    edge[at][0] = (uint32_t)low;
    edge[at][7] += top;
}

static void make_edges(void) {
    static const uint32_t half = 0x80000000;
    for (unsigned i = 0; i < 3; i++) {
        make(i, 0, (int32_t)i);                       /* 0, 1, 2 */
        make(3 + i, half, (int32_t)i - 20);           /* p - 1, p, p + 1 */
        make(6 + i, half, (int32_t)i - 1);            /* 2^255 - 1 .. 2^255 + 1 */
        make(9 + i, 0, (int32_t)i - 39);              /* 2 p - 1 .. 2 p + 1 */
        make(12 + i, 0, -(int32_t)i - 1);             /* 2^256 - 1 .. */
        make(15 + i, half + 0x1ffff, (int32_t)i - 1); /* around bound A */
    }
    memset(edge[18], 0xff, 16); /* halves and alternating words */
    memset(edge[19] + 4, 0xff, 16);
    for (unsigned i = 0; i < 8; i += 2) {
        edge[20][i] = 0xffffffff;
    }
}

static void random_words(uint32_t x[8]) {
    uint32_t kind = next(), ones = next(), zeroes = next();
    for (unsigned i = 0; i < 8; i++) {
        x[i] = next();
        if (kind % 3 == 0 && (ones >> i & 1)) {
            x[i] = zeroes >> i & 1 ? 0 : 0xffffffff;
        }
    }
}

/* Sums and fe_invert take bound A only: v[15] <= 0x8001. */
static int takes(unsigned op, const uint32_t x[8]) {
    return op < OP_ADD || (op >= OP_A24 && op != OP_INVERT) || x[7] < 0x80020000;
}

static unsigned differs(unsigned op, const uint32_t a[8], const uint32_t b[8]) {
    uint32_t x[8], y[8], u[8], v[8];
    asm_run(op, (uint8_t *)x, (const uint8_t *)a, (const uint8_t *)b);
    c_run(op, (uint8_t *)y, (const uint8_t *)a, (const uint8_t *)b);
    if (op == OP_ROW || op == OP_PAIR) { /* all of it, not modulo p */
        return memcmp(x, y, 32) != 0;
    }
    asm_canonical((uint8_t *)u, (const uint8_t *)x);
    c_canonical((uint8_t *)v, (const uint8_t *)y);
    return (op < OP_SELECT && x[7] >= 0x80020000) || memcmp(u, v, 32) != 0;
}

static unsigned now;
static void run_now(void) {
    uint32_t r[8];
    asm_run(now, (uint8_t *)r, (const uint8_t *)edge[4], (const uint8_t *)edge[20]);
}

int main(void) {
    unsigned wrong = 0;
    uint64_t empty;
    make_edges();
    now = OP_N;
    empty = time_of(run_now);
    for (unsigned op = 0; op < OP_N; op++) {
        unsigned bad = 0, n = 0;
        uint32_t a[8], b[8];
        for (unsigned i = 0; i < EDGES * EDGES; i++) {
            if (takes(op, edge[i / EDGES]) && takes(op, edge[i % EDGES])) {
                bad += differs(op, edge[i / EDGES], edge[i % EDGES]);
                n++;
            }
        }
        for (unsigned i = 0; i < (op == OP_INVERT ? ASM_CHECK_N / 100 : ASM_CHECK_N);
             i++, n++) {
            random_words(a);
            random_words(b);
            if (!takes(op, a) || !takes(op, b)) {
                a[7] &= 0x7fffffff;
                b[7] &= 0x7fffffff;
            }
            bad += differs(op, a, b);
        }
        now = op;
        semi_write(name[op]);
        semi_write(" ");
        write_number(n);
        semi_write(" ");
        write_number(time_of(run_now) - empty);
        semi_write(bad ? " DIFFER\n" : "\n");
        wrong += bad;
    }
    return wrong != 0;
}
