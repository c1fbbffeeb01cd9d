/* SPDX-License-Identifier: MIT
 *
 * Section 8, white box: scalars, digits, tables, and signatures: right, wrong, and at the
 * edges of the policy.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static void ed25519_scalars(void) {
    vec v;
    uint8_t out[32];
    for (vec_open(&v, "crypto/scalar.txt"); vec_next(&v);) {
        const uint8_t *x = vec_hex(&v, "x", NULL);
        TEST(vec_name(&v, "test_ed25519_scalar_"));
        sc_reduce(out, x);
        EXPECT_MEM(out, vec_hex(&v, "reduced", NULL), 32);
        EXPECT(sc_is_reduced(x) == (vec_int(&v, "below") ? 0xffffffff : 0));
        EXPECT(sc_is_reduced(out) == 0xffffffff);
    }
}

/* The digits of a scalar add up to it again; they are odd, small enough and far enough
 * apart. The sum is kept modulo 2^256 in bytes. */
static void ed25519_digits_of(const uint8_t s[32], int32_t width) {
    sc_digits d = {s, 253, -1, 0};
    uint8_t sum[32] = {0};
    int32_t last = 1000;
    for (int32_t i = 253; i >= 0; i--) {
        int32_t digit = sc_digit(&d, i, width), c = digit;
        for (unsigned j = 0; j < 32; j++) { /* sum = 2 sum + digit */
            c += 2 * sum[j];
            sum[j] = (uint8_t)(c & 0xff);
            c = c < 0 ? -1 : c / 256;
        }
        if (digit != 0) {
            EXPECT((digit & 1) == 1 && digit < 1 << (width - 1) &&
                   -digit < 1 << (width - 1));
            EXPECT(i < last);
            last = i;
        }
    }
    EXPECT_MEM(sum, s, 32);
}

static void ed25519_digits(void) {
    vec v;
    uint8_t s[32];
    for (int32_t width = 4; width <= 5; width++) {
        TEST(width == 4 ? "test_ed25519_digits_4" : "test_ed25519_digits_5");
        for (vec_open(&v, "crypto/scalar.txt"); vec_next(&v);) {
            ed25519_digits_of(vec_hex(&v, "reduced", NULL), width);
        }
        for (unsigned i = 0; i < 4096; i++) { /* all short ones, at both ends */
            memset(s, 0, sizeof s);
            s[0] = (uint8_t)i;
            s[1] = (uint8_t)(i >> 8);
            ed25519_digits_of(s, width);
            s[31] = (uint8_t)(i >> 7);
            s[30] = (uint8_t)(i << 1);
            ed25519_digits_of(s, width);
        }
    }
}

/* Canonical encodings of points, and of points only; small orders known as such. No right
 * signature tells all of these apart: nobody knows a private key for p + 3. */
static void ed25519_points(void) {
    vec v;
    for (vec_open(&v, "crypto/ed25519_point.txt"); vec_next(&v);) {
        ge p, q;
        fe table[4 * 4];
        uint8_t out[32], key[32];
        int is_good = vec_has(&v, "x");
        memcpy(key, vec_hex(&v, "key", NULL), 32);
        TEST(vec_name(&v, is_good ? "test_ed25519_point_" : "refuse_ed25519_point_"));
        EXPECT_INT(ge_load_negative(&p, key), is_good);
        if (!is_good) {
            continue;
        }
        fe_store(out, &p.x);
        EXPECT_MEM(out, vec_hex(&v, "x", NULL), 32);
        fe_store(out, &p.y);
        EXPECT_MEM(out, vec_hex(&v, "y", NULL), 32);
        ge_store(out, &p); /* -A has the other sign, unless x = 0 */
        key[31] = (uint8_t)(key[31] ^ (fe_is_zero(&p.x) ? 0 : 0x80));
        EXPECT_MEM(out, key, 32);
        q = p;
        EXPECT(ge_table(table, &q) == (vec_int(&v, "small") ? 0 : 1));
        q = p;
        EXPECT(ge_is_small(&q) == (vec_int(&v, "small") ? 0xffffffff : 0));
        ge_double(&p, 0);
        ge_double(&p, 0);
        ge_double(&p, 0);
        EXPECT(fe_is_zero(&p.x) == (vec_int(&v, "small") ? 0xffffffff : 0));
    }
}

static void ed25519_base_point(const fe point[3], vec *v) {
    uint8_t out[32];
    fe_store(out, &point[0]);
    EXPECT_MEM(out, vec_hex(v, "sum", NULL), 32);
    fe_store(out, &point[1]);
    EXPECT_MEM(out, vec_hex(v, "diff", NULL), 32);
    fe_store(out, &point[2]);
    EXPECT_MEM(out, vec_hex(v, "t2d", NULL), 32);
}

/* Eight multiples of B, then eight of 2^128 B. */
static void ed25519_base(void) {
    vec v;
    unsigned i = 0;
    for (vec_open(&v, "crypto/ed25519_base.txt"); vec_next(&v); i++) {
        TEST(vec_name(&v, "test_ed25519_base_"));
        if (i < 8) {
            ed25519_base_point(&ge_base[3 * i], &v);
        }
#if SC_HALVES
        if (i >= 8) {
            ed25519_base_point(&ge_base_high[3 * i - 24], &v);
        }
#endif
        EXPECT(i < 16);
    }
    CHECK("test_ed25519_base_complete", i == 16);
}

/* Each bit of signature and key, every fifth of the message, a longer and a shorter one.
 */
static void ed25519_refuse(const uint8_t *sig, const uint8_t *key, const uint8_t *data,
                           size_t len) {
    uint8_t *s = guard_copy(sig, 64), *k = guard_copy(key, 32), *d;
    for (unsigned i = 0; i < 512; i++) {
        s[i / 8] = (uint8_t)(s[i / 8] ^ 1u << i % 8);
        EXPECT_INT(picosuit_ed25519_verify(s, key, data, len), PICOSUIT_E_CRYPTO);
        s[i / 8] = sig[i / 8];
    }
    for (unsigned i = 0; i < 256; i++) {
        k[i / 8] = (uint8_t)(k[i / 8] ^ 1u << i % 8);
        EXPECT_INT(picosuit_ed25519_verify(sig, k, data, len), PICOSUIT_E_CRYPTO);
        k[i / 8] = key[i / 8];
    }
    d = guard_copy(data, len);
    for (size_t i = 0; i < 8 * len; i += 5) {
        d[i / 8] = (uint8_t)(d[i / 8] ^ 1u << i % 8);
        EXPECT_INT(picosuit_ed25519_verify(sig, key, d, len), PICOSUIT_E_CRYPTO);
        d[i / 8] = data[i / 8];
    }
    guard_free(d);
    d = guard_alloc(len + 1);
    memcpy(d, data, len);
    d[len] = 0;
    EXPECT_INT(picosuit_ed25519_verify(sig, key, d, len + 1), PICOSUIT_E_CRYPTO);
    if (len > 0) {
        EXPECT_INT(picosuit_ed25519_verify(sig, key, d, len - 1), PICOSUIT_E_CRYPTO);
    }
    guard_free(d);
    guard_free(s);
    guard_free(k);
}

#if SC_HALVES
static void ed25519_random(uint8_t out[32], uint32_t *state) {
    uint8_t wide[64];
    for (unsigned i = 0; i < 64; i++) {
        *state = *state * 1664525 + 1013904223;
        wide[i] = (uint8_t)(*state >> 24);
    }
    sc_reduce(out, wide);
}

/* -s B + n T, T of order 8. */
static void ed25519_torsion(uint8_t out[32], const uint8_t s[32], unsigned n) {
    static const uint8_t order_8[32] = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
                                        0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
                                        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
                                        0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
    static const uint8_t zero[32] = {0};
    ge_work w;
    ge p;
    fe t[4];
    EXPECT_INT(ge_load_negative(&p, order_8), 1);
    ge_cache(t, &p);
    memset(&w, 0, sizeof w);
    ge_combine(&w, s, zero);
    ge_store(out, &w.p);
    EXPECT_INT(ge_load_negative(&p, out), 1);
    for (unsigned i = 0; i < n; i++) {
        ge_add(&p, t, 0, 0, 1);
    }
    ge_store(out, &p);
}

static const uint8_t ed25519_minus_one[32] = {
    0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* One k in four is a byte times a power of 256, or its negative: vectors of unusual
 * lengths. */
static void ed25519_pick(uint8_t k[32], unsigned i, uint32_t *state) {
    uint8_t x[64] = {0};
    ed25519_random(k, state);
    if (i % 4 == 1) {
        x[i / 8 % 32] = (uint8_t)(*state >> 16);
        sc_reduce(k, x);
        if (i & 4) {
            sc_mul(k, k, ed25519_minus_one);
        }
    }
}

/* Keys and R with parts of small order: half-size scalars and the equation itself give
 * one verdict. `make test-core SUITES=ed25519 ED25519_TWINS=100000` tries as many. It is
 * known, too: S B = R + k A + (m + k n) T. */
static void ed25519_twins(void) {
    const char *asked = getenv("ED25519_TWINS");
    unsigned many = asked != NULL ? (unsigned)atoi(asked) : 400;
    unsigned good = 0, whole = 0;
    uint32_t state = 7;
    TEST("test_ed25519_halves_as_whole");
    for (unsigned i = 0; i < many; i++) {
        uint8_t a[32], r[32], k[32], sig[64], key[32], wide[64] = {0};
        unsigned m = i % 3 == 0 ? 0 : state >> 13 & 7, n = state >> 20 & 7;
        uint32_t c = 0;
        int st;
        ed25519_random(a, &state);
        ed25519_random(r, &state);
        ed25519_pick(k, i, &state);
        ed25519_torsion(key, a, n);
        ed25519_torsion(sig, r, m);
        sc_mul(wide, k, a);
        for (unsigned j = 0; j < 32; j++) {
            c += (uint32_t)wide[j] + r[j];
            wide[j] = (uint8_t)c;
            c >>= 8;
        }
        sc_reduce(r, wide);
        sc_mul(sig + 32, r, ed25519_minus_one);
        if (i % 16 == 15) {
            sig[state >> 26] = (uint8_t)(sig[state >> 26] ^ 1u << (state >> 9 & 7));
            if (sc_is_reduced(sig + 32) == 0) {
                continue;
            }
        }
        st = ed25519_check_halves(sig, key, k);
        if (st == PICOSUIT_MORE) {
            whole++;
            st = ed25519_check(sig, key, k);
        }
        EXPECT_INT(ed25519_check(sig, key, k), st);
        if (i % 16 != 15) {
            EXPECT_INT(ed25519_check(sig, key, k),
                       (m + k[0] * n) % 8 == 0 ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
        }
        good += st == PICOSUIT_OK;
    }
    CHECK("test_ed25519_halves_are_used", good > many / 10 && whole < many / 10);
    if (asked != NULL) {
        printf("%u signatures, %u accepted, %u without a short odd vector\n", many, good,
               whole);
    }
}
#endif

void suite_ed25519(void) {
    vec v;
    unsigned accepted = 0;
    ed25519_scalars();
    ed25519_digits();
    ed25519_points();
    ed25519_base();
#if SC_HALVES
    ed25519_twins();
#endif
    for (vec_open(&v, "crypto/ed25519.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        const uint8_t *key = vec_hex(&v, "key", NULL), *sig = vec_hex(&v, "sig", NULL);
        TEST(vec_name(&v, "test_ed25519_"));
        EXPECT_INT(picosuit_ed25519_verify(sig, key, data, len), PICOSUIT_OK);
        if (len <= 64) {
            TEST(vec_name(&v, "refuse_ed25519_changed_"));
            ed25519_refuse(sig, key, data, len);
        }
    }
    for (vec_open(&v, "crypto/ed25519_edge.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        int is_good = (int)vec_int(&v, "accept");
        TEST(vec_name(&v, is_good ? "test_ed25519_edge_" : "refuse_ed25519_edge_"));
        EXPECT_INT(picosuit_ed25519_verify(vec_hex(&v, "sig", NULL),
                                           vec_hex(&v, "key", NULL), data, len),
                   is_good ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
        accepted += is_good && memcmp(vec_get(&v, "name"), "speccheck_", 10) == 0;
    }
    CHECK("test_ed25519_speccheck_accepts_one", accepted == 1);
}
