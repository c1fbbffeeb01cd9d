/* SPDX-License-Identifier: MIT
 *
 * Section 8, white box: scalars, digits, tables, and signatures: right, wrong, and at the
 * edges of the policy.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

static void ed25519_bytes(uint8_t *out, const uint16_t *limbs, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        out[2 * i] = (uint8_t)limbs[i];
        out[2 * i + 1] = (uint8_t)(limbs[i] >> 8);
    }
}

/* r = x mod L */
static void ed25519_reduce(uint16_t r[16], const uint8_t x[64]) {
    uint16_t wide[33];
    sc_load(wide, x, 32);
    wide[32] = 0;
    sc_reduce(wide);
    memcpy(r, wide, 32);
}

static void ed25519_scalars(void) {
    vec v;
    uint8_t out[32];
    uint16_t r[16];
    for (vec_open(&v, "crypto/scalar.txt"); vec_next(&v);) {
        const uint8_t *x = vec_hex(&v, "x", NULL);
        TEST(vec_name(&v, "test_ed25519_scalar_"));
        ed25519_reduce(r, x);
        EXPECT(sc_is_reduced(r) == 0xffffffff);
        ed25519_bytes(out, r, 16);
        EXPECT_MEM(out, vec_hex(&v, "reduced", NULL), 32);
        sc_load(r, x, 16);
        EXPECT(sc_is_reduced(r) == (vec_int(&v, "below") ? 0xffffffff : 0));
    }
}

/* The digits of a scalar add up to it again; they are odd, small enough and far enough
 * apart. The sum is kept modulo 2^256 in bytes. */
static void ed25519_digits_of(const uint8_t s[32], unsigned size) {
    ge_term t;
    uint16_t scalar[17] = {0};
    uint8_t sum[32] = {0};
    unsigned last = 1000, width = 8 - size;
    sc_load(scalar + 1, s, 16);
    ge_set(&t, scalar, 16, NULL, size);
    for (unsigned i = 16 + 255; i >= 16; i--) {
        int32_t digit = 0, c;
        if (t.at == i) {
            digit = t.is_negative ? -1 - 2 * t.half : 1 + 2 * t.half;
            EXPECT(t.half < 1u << (width - 2));
            EXPECT(i + width <= last + width && t.next + 1u <= i && t.next + width >= i);
            last = t.next;
            ge_next(&t);
            EXPECT(t.at <= last);
        }
        c = digit;
        for (unsigned j = 0; j < 32; j++) { /* sum = 2 sum + digit */
            c += 2 * sum[j];
            sum[j] = (uint8_t)(c & 0xff);
            c = c < 0 ? -1 : c / 256;
        }
    }
    EXPECT(t.at < 16);
    EXPECT_MEM(sum, s, 32);
}

static void ed25519_digits(void) {
    vec v;
    uint8_t s[32];
    for (unsigned size = 3; size <= 4; size++) {
        TEST(size == 4 ? "test_ed25519_digits_4" : "test_ed25519_digits_5");
        for (vec_open(&v, "crypto/scalar.txt"); vec_next(&v);) {
            ed25519_digits_of(vec_hex(&v, "reduced", NULL), size);
        }
        for (unsigned i = 0; i < 4096; i++) { /* all short ones, at both ends */
            memset(s, 0, sizeof s);
            s[0] = (uint8_t)i;
            s[1] = (uint8_t)(i >> 8);
            ed25519_digits_of(s, size);
            s[31] = (uint8_t)(i >> 7);
            s[30] = (uint8_t)(i << 1);
            ed25519_digits_of(s, size);
        }
    }
}

/* The canonical encoding [RFC8032 5.1.2]. */
static void ed25519_encode(uint8_t b[32], const ge *p) {
    fe t, inverse;
    unsigned sign;
    fe_invert(&inverse, &p->z);
    fe_mul(&t, &p->x, &inverse);
    fe_store(b, &t);
    sign = b[0] & 1u;
    fe_mul(&t, &p->y, &inverse);
    fe_store(b, &t);
    b[31] = (uint8_t)(b[31] | sign << 7);
}

/* Canonical encodings of points, and of points only; small orders known as such. No right
 * signature tells all of these apart: nobody knows a private key for p + 3. */
static void ed25519_points(void) {
    vec v;
    for (vec_open(&v, "crypto/ed25519_point.txt"); vec_next(&v);) {
        ge p, q;
        fe table[GE_TABLE];
        uint8_t out[32], key[32];
        int is_good = vec_has(&v, "x"), is_small = is_good && vec_int(&v, "small");
        memcpy(key, vec_hex(&v, "key", NULL), 32);
        TEST(vec_name(&v, is_good ? "test_ed25519_point_" : "refuse_ed25519_point_"));
        EXPECT_INT(ge_load(&p, key, 1, table) && ge_begin(table, &p),
                   is_good && !is_small);
        if (!is_good) {
            continue;
        }
        EXPECT_INT(ge_load(&p, key, 1, table), 1);
        EXPECT_INT(ge_load(&q, key, 0, table), 1);
        ed25519_encode(out, &q);
        EXPECT_MEM(out, key, 32);
        fe_store(out, &p.x);
        EXPECT_MEM(out, vec_hex(&v, "x", NULL), 32);
        fe_store(out, &p.y);
        EXPECT_MEM(out, vec_hex(&v, "y", NULL), 32);
        ed25519_encode(out, &p); /* -A has the other sign, unless x = 0 */
        key[31] = (uint8_t)(key[31] ^ (fe_is_zero(&p.x) ? 0 : 0x80));
        EXPECT_MEM(out, key, 32);
        q = p;
        EXPECT_INT(ge_begin(table, &q), !is_small);
        q = p;
        EXPECT_INT(ge_table(table, &q), !is_small);
        ge_double(&p, 0);
        ge_double(&p, 0);
        ge_double(&p, 0);
        EXPECT(fe_is_zero(&p.x) == (is_small ? 0xffffffff : 0));
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

/* -- twins: the core's way to a verdict, the classic one, and what must come out -- */

static void ed25519_random(uint16_t r[16], uint32_t *state) {
    uint8_t wide[64];
    for (unsigned i = 0; i < 64; i++) {
        *state = *state * 1664525 + 1013904223;
        wide[i] = (uint8_t)(*state >> 24);
    }
    ed25519_reduce(r, wide);
}

/* r = a b + c mod L */
static void ed25519_multiply_add(uint16_t r[16], const uint16_t a[16],
                                 const uint16_t b[16], const uint16_t c[16]) {
    uint16_t x[33] = {0};
    memcpy(x, c, 32);
    for (unsigned i = 0; i < 16; i++) {
        uint32_t carry = sc_row(x + i, b, 16, a[i]);
        for (unsigned j = i + 16; carry != 0; j++) {
            carry += x[j];
            x[j] = (uint16_t)carry;
            carry >>= 16;
        }
    }
    sc_reduce(x);
    memcpy(r, x, 32);
}

/* p = s B - k A, A in w->a, both scalars whole. */
static void ed25519_whole(ge_work *w, const uint16_t s[16], const uint16_t k[16]) {
    uint16_t a[17] = {0}, b[17] = {0};
    memcpy(a + 1, k, 32);
    memcpy(b + 1, s, 32);
    ge_set(&w->t[0], a, 16, w->a, 4);
    ge_set(&w->t[1], b, 16, ge_base, 3);
    ge_combine(&w->p, w->t, 2);
}

/* The classic verdict: is R, byte for byte, what S B - k A encodes to? */
static int ed25519_classic(const uint8_t r[32], const uint8_t key[32],
                           const uint16_t s[16], const uint16_t k[16]) {
    ge_work w;
    uint8_t b[32];
    if (!ge_load(&w.p, key, 1, w.a) || !ge_table(w.a, &w.p)) {
        return PICOSUIT_E_CRYPTO;
    }
    ed25519_whole(&w, s, k);
    ed25519_encode(b, &w.p);
    for (unsigned i = 0; i < 3; i++) {
        ge_double(&w.p, 0);
    }
    return memcmp(b, r, 32) == 0 && fe_is_zero(&w.p.x) == 0 ? PICOSUIT_OK
                                                            : PICOSUIT_E_CRYPTO;
}

/* As ed25519_verify does it, for a hash that is given; with c = 1 if is_whole. */
static int ed25519_core(const uint8_t *r, const uint8_t *key, const uint16_t s[16],
                        const uint16_t k[16], int is_whole) {
    sc_scalars h;
    memset(&h, 0, sizeof h);
    h.c[0] = 1;
    memcpy(h.k, k, sizeof h.k);
    memcpy(h.s, s, 32);
#if SC_HALVES
    if (!is_whole) {
        sc_halve(&h);
    }
    sc_split(&h);
#endif
    (void)is_whole;
    return ed25519_check(r, key, &h);
}

/* s B + n T, T of order 8. */
static void ed25519_torsion(uint8_t out[32], const uint16_t s[16], unsigned n) {
    static const uint8_t order_8[32] = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
                                        0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
                                        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
                                        0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
    static const uint16_t zero[16] = {0};
    ge_work w;
    ge p;
    fe t[3];
    EXPECT_INT(ge_load(&p, order_8, 0, w.a), 1);
    ge_cache(t, &p);
    ed25519_whole(&w, s, zero);
    ed25519_encode(out, &w.p);
    EXPECT_INT(ge_load(&p, out, 0, w.a), 1);
    for (unsigned i = 0; i < n; i++) {
        ge_add(&p, t, 0, 1, 1);
    }
    ed25519_encode(out, &p);
}

static const uint16_t ed25519_minus_one[16] = {
    0xd3ec, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de,
    0,      0,      0,      0,      0,      0,      0,      0x1000};
static const uint16_t ed25519_nought[16] = {0};

/* One k in four is a byte times a power of 256, or its negative: vectors of unusual
 * lengths. */
static void ed25519_pick(uint16_t k[16], unsigned i, uint32_t *state) {
    uint8_t x[64] = {0};
    ed25519_random(k, state);
    if (i % 4 == 1) {
        x[i / 8 % 32] = (uint8_t)(*state >> 16);
        ed25519_reduce(k, x);
        if (i & 4) {
            ed25519_multiply_add(k, k, ed25519_minus_one, ed25519_nought);
        }
    }
}

#if SC_HALVES
/* c is odd, and c k = d modulo 8 L: modulo L and modulo 8. Returns 0 if there is no c but
 * 1, k being long. */
static int ed25519_halves_of(const uint16_t k[16]) {
    sc_scalars h;
    uint16_t c[16] = {0}, d[16], sum;
    memset(&h, 0, sizeof h);
    memcpy(h.k, k, sizeof h.k);
    h.c[0] = 1;
    sc_halve(&h);
    EXPECT((h.c[0] & 1) == 1);
    memcpy(c, h.c, sizeof h.c);
    if (memcmp(h.k + 8, ed25519_nought, 16) != 0) {
        EXPECT_MEM((const uint8_t *)h.k, (const uint8_t *)k, 32);
        EXPECT(h.c[0] == 1 && memcmp(h.c + 1, ed25519_nought, 18) == 0 &&
               h.is_minus == 0);
        return 0;
    }
    EXPECT(c[9] == 0);
    ed25519_multiply_add(d, c, k, ed25519_nought);
    if (h.is_minus) {
        ed25519_multiply_add(d, d, ed25519_minus_one, ed25519_nought);
    }
    EXPECT_MEM((const uint8_t *)d, (const uint8_t *)h.k, 32);
    sum = (uint16_t)((uint32_t)c[0] * k[0] + (h.is_minus ? h.k[0] : 0u - h.k[0]));
    EXPECT_INT(sum % 8, 0);
    return 1;
}
#endif

/* Keys and R with parts of small order: half-size scalars, whole ones, and the classic
 * way give one verdict, and it is known: S B = R + k A + (m + k n) T. `make test-core
 * SUITES=ed25519 ED25519_TWINS=100000` tries as many. */
static void ed25519_twins(void) {
    const char *asked = getenv("ED25519_TWINS");
    unsigned many = asked != NULL ? (unsigned)atoi(asked) : 400;
    unsigned good = 0, whole = 0;
    uint32_t state = 7;
    TEST("test_ed25519_halves_as_whole");
    for (unsigned i = 0; i < many; i++) {
        uint8_t r[32], key[32];
        uint16_t a[16], b[16], k[16], s[16];
        unsigned m = i % 3 == 0 ? 0 : state >> 13 & 7, n = state >> 20 & 7;
        int st;
        ed25519_random(a, &state);
        ed25519_random(b, &state);
        ed25519_pick(k, i, &state);
        ed25519_torsion(key, a, n);
        ed25519_torsion(r, b, m);
        ed25519_multiply_add(s, k, a, b);
        if (i % 16 == 15) {
            r[state >> 27] = (uint8_t)(r[state >> 27] ^ 1u << (state >> 9 & 7));
        } else if (i % 16 == 7) {
            s[state >> 29] = (uint16_t)(s[state >> 29] ^ 1u << (state >> 9 & 15));
        }
        st = ed25519_core(r, key, s, k, 0);
        EXPECT_INT(ed25519_core(r, key, s, k, 1), st);
        EXPECT_INT(ed25519_classic(r, key, s, k), st);
        if (i % 8 != 7) {
            EXPECT_INT(st, (m + k[0] * n) % 8 == 0 ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
        }
        good += st == PICOSUIT_OK;
#if SC_HALVES
        whole += !ed25519_halves_of(k);
#endif
    }
    CHECK("test_ed25519_halves_are_used", good > many / 10 && whole < many / 10);
    if (asked != NULL) {
        printf("%u signatures, %u accepted, %u without a short odd vector\n", many, good,
               whole);
    }
}

/* The product of this k and of the odd c that sc_halve finds is - 2^128 modulo 8 L: a bit
 * more than all others have. Without it the key would not count. */
static void ed25519_longest(void) {
    static const uint16_t k[16] = {0x42c8, 0xcb92, 0x076d, 0x8eaa, 0x147d, 0xd89d,
                                   0x092f, 0x2370, 0xa95b, 0xd9f7, 0x80fd, 0x2d50,
                                   0x0c77, 0x5090, 0x6a04, 0x014d};
    uint8_t r[32], key[32];
    uint16_t a[16], b[16], s[16];
    uint32_t state = 11;
    ed25519_random(a, &state);
    ed25519_random(b, &state);
    ed25519_torsion(key, a, 0);
    ed25519_torsion(r, b, 0);
    ed25519_multiply_add(s, k, a, b);
    TEST("test_ed25519_halves_of_129_bits");
    EXPECT_INT(ed25519_core(r, key, s, k, 0), PICOSUIT_OK);
    TEST("refuse_ed25519_halves_of_129_bits");
    EXPECT_INT(ed25519_core(r, key, b, k, 0), PICOSUIT_E_CRYPTO); /* b B = R */
}

/* What is left where a sum was not computed is no 0, as it is after skipped instructions:
 * nothing added, or Z = 0. */
static void ed25519_nothing(void) {
    static const uint16_t one[16] = {1};
    uint8_t base[32];
    ge_work w;
    ed25519_torsion(base, one, 0);
    EXPECT_INT(ge_load(&w.p, base, 1, w.a), 1);
    EXPECT_INT(ge_table(w.a, &w.p), 1);
    TEST("test_ed25519_sum_is_0");
    ed25519_whole(&w, one, one);
    EXPECT(ge_is_zero(&w.p) == 0xffffffff && fe_is_zero(&w.p.y) == 0xffffffff);
    TEST("refuse_ed25519_sum_is_a_point");
    ed25519_whole(&w, one, ed25519_minus_one);
    EXPECT(ge_is_zero(&w.p) == 0);
    TEST("refuse_ed25519_sum_of_nothing");
    ed25519_whole(&w, ed25519_nought, ed25519_nought);
    EXPECT(ge_is_zero(&w.p) == 0);
    TEST("refuse_ed25519_sum_without_z");
    memset(&w.p, 0, sizeof w.p);
    EXPECT(ge_is_zero(&w.p) == 0);
}

void suite_ed25519(void) {
    vec v;
    unsigned accepted = 0;
    ed25519_scalars();
    ed25519_digits();
    ed25519_points();
    ed25519_base();
    ed25519_twins();
    ed25519_longest();
    ed25519_nothing();
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
