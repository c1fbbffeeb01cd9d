/* SPDX-License-Identifier: MIT
 *
 * Each routine in assembly against its twin in C: random inputs, among them words of all
 * zeros, all ones and single bits, with edges of its own. Prints a line for each, ends
 * with the number of routines that differ.
 */
#include <string.h>

#include "prim_io.h"
#include "sym_twin.h"

#ifndef SYM_RUNS
#define SYM_RUNS 100000
#endif

static uint32_t seed[4] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a};

/* xoshiro128, public: period 2^128 - 1 */
static uint32_t next(void) {
    uint32_t t = seed[1] << 9, r = seed[0] + seed[3];
    seed[2] ^= seed[0];
    seed[3] ^= seed[1];
    seed[1] ^= seed[2];
    seed[0] ^= seed[3];
    seed[2] ^= t;
    seed[3] = seed[3] << 11 | seed[3] >> 21;
    return r;
}

/* Random words; in one run of four half of them are edges, and one in 64 is uniform. */
static void fill(void *out, size_t words, uint32_t run) {
    uint32_t *w = (uint32_t *)out;
    uint32_t all = run % 128 ? 0xffffffff : 0;
    for (size_t i = 0; i < words; i++) {
        uint32_t x = next(), kind = next();
        if (run % 64 == 0) {
            x = all;
        } else if (run % 4 == 0) {
            x = kind & 8   ? x
                : kind & 4 ? 0
                : kind & 2 ? 0xffffffff
                : kind & 1 ? (uint32_t)1 << (x & 31)
                           : ~((uint32_t)1 << (x & 31));
        }
        w[i] = x;
    }
}

static uint32_t buf[3][64];

static int check_sha256(uint32_t run) {
    uint32_t a[8], b[8];
    uint8_t *data = (uint8_t *)buf[0] + (run & 3); /* any alignment */
    fill(a, 8, run);
    fill(buf[0], 17, run / 4);
    memcpy(b, a, sizeof a);
    sym_asm.sha256(a, data);
    sym_c.sha256(b, data);
    return memcmp(a, b, sizeof a);
}

static int check_sha512(uint32_t run) {
    uint64_t a[8], b[8];
    fill(a, 16, run);
    fill(buf[0], 32, run / 4);
    memcpy(b, a, sizeof a);
    sym_asm.sha512(a, (uint8_t *)buf[0]);
    sym_c.sha512(b, (uint8_t *)buf[0]);
    return memcmp(a, b, sizeof a);
}

/* Each length and alignment; what lies around the data stays. */
static int check_chacha20(uint32_t run) {
    picosuit_aead_ctx a;
    size_t off = run & 3, len = run % 3 ? 64 : next() % 65;
    uint32_t counter;
    fill(&a, sizeof a / 4, run);
    fill(&counter, 1, run);
    fill(buf[0], 20, run / 4);
    memcpy(buf[1], buf[0], sizeof buf[0]);
    sym_asm.chacha(&a, counter, (uint8_t *)buf[0] + off, len);
    sym_c.chacha(&a, counter, (uint8_t *)buf[1] + off, len);
    return memcmp(buf[0], buf[1], sizeof buf[0]);
}

/* h mod 2^130 - 5: representations of the twins differ. */
static void reduce(uint32_t h[5]) {
    for (int i = 0; i < 3; i++) { /* h stays below 2^133: twice for the carry of 5 */
        uint64_t c = (uint64_t)(h[4] >> 2) * 5;
        uint32_t t[5];
        h[4] &= 3;
        for (int j = 0; j < 5; j++) {
            c += h[j];
            h[j] = (uint32_t)c;
            c >>= 32;
        }
        c = 5;
        for (int j = 0; j < 5; j++) {
            c += h[j];
            t[j] = (uint32_t)c;
            c >>= 32;
        }
        if (t[4] >> 2) { /* h + 5 reaches 2^130: h - p is h + 5 - 2^130 */
            memcpy(h, t, sizeof t);
            h[4] -= 4;
        }
    }
}

static int check_poly1305(uint32_t run) {
    picosuit_aead_ctx a, b;
    size_t n = 1 + run % 4, len = next() % 80;
    fill(&a, sizeof a / 4, run);
    a.h[4] &= 3;
    a.r[0] &= 0x0fffffff;
    for (int i = 1; i < 4; i++) {
        a.r[i] &= 0x0ffffffc;
    }
    a.len = next() & 15;
    b = a;
    fill(buf[0], 24, run / 4);
    sym_asm.poly(&a, (uint8_t *)buf[0], n, run / 2 & 1);
    sym_c.poly(&b, (uint8_t *)buf[0], n, run / 2 & 1);
    sym_asm.update(&a, (uint8_t *)buf[0] + (run / 8 & 3), len); /* on from its own h */
    sym_c.update(&b, (uint8_t *)buf[0] + (run / 8 & 3), len);
    if (a.h[4] > 4 || b.h[4] > 4) { /* what poly_tag and the loops rely on */
        return 1;
    }
    reduce(a.h);
    reduce(b.h);
    return memcmp(a.h, b.h, sizeof a.h) | memcmp(a.buf, b.buf, a.len & 15) |
           (a.len != b.len);
}

/* The key schedule and one block; the loop around them is the same code. */
static int check_aes128(uint32_t run) {
    uint32_t kek[4], a[4], b[4];
    fill(kek, 4, run);
    fill(a, 4, run / 4);
    memcpy(b, a, sizeof a);
    sym_asm.decrypt((uint8_t *)kek, (uint8_t *)a);
    sym_c.decrypt((uint8_t *)kek, (uint8_t *)b);
    return memcmp(a, b, sizeof a);
}

static const struct {
    const char *name;
    int (*check)(uint32_t run);
} row[] = {
    {"sha256", check_sha256},     {"sha512", check_sha512}, {"chacha20", check_chacha20},
    {"poly1305", check_poly1305}, {"aes128", check_aes128},
};

int main(void) {
    int wrong = 0;
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        uint32_t run = 0;
        while (run < SYM_RUNS && row[i].check(run) == 0) {
            run++;
        }
        semi_write(row[i].name);
        semi_write(run < SYM_RUNS ? " DIFFERS in run " : " equal, runs: ");
        write_number(run);
        semi_write("\n");
        wrong += run < SYM_RUNS;
    }
    return wrong;
}
