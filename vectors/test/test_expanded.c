/* SPDX-License-Identifier: MIT
 *
 * Section 8, white box: verification under an expanded key says what verification under
 * the key says, for every key and signature. Tables are made here a second time, by other
 * means than make/expand_key.py has; vectors say that both are the same.
 */
#include <stdlib.h>

#include "test.h"

#if PICOSUIT_ED25519_EXPANDED

typedef struct {
    fe x, y;
} expanded_point;

/* The affine sum, or difference. */
static void expanded_add(expanded_point *r, const expanded_point *a,
                         const expanded_point *b, int is_minus) {
    static const uint8_t d[32] = {0xa3, 0x78, 0x59, 0x13, 0xca, 0x4d, 0xeb, 0x75,
                                  0xab, 0xd8, 0x41, 0x41, 0x4d, 0x0a, 0x70, 0x00,
                                  0x98, 0xe8, 0x79, 0x77, 0x79, 0x40, 0xc7, 0x8c,
                                  0x73, 0xfe, 0x6f, 0x2b, 0xee, 0x6c, 0x03, 0x52};
    fe one, bx, xy, yx, xx, yy, k, t;
    fe_small(&one, 1);
    fe_small(&bx, 0);
    if (is_minus) {
        fe_sub(&bx, &bx, &b->x);
    } else {
        fe_add(&bx, &bx, &b->x);
    }
    fe_mul(&xy, &a->x, &b->y);
    fe_mul(&yx, &a->y, &bx);
    fe_mul(&xx, &a->x, &bx);
    fe_mul(&yy, &a->y, &b->y);
    fe_load(&t, d);
    fe_mul(&k, &xx, &yy);
    fe_mul(&k, &k, &t);
    fe_add(&xy, &xy, &yx);
    fe_add(&yy, &yy, &xx);
    fe_add(&t, &one, &k);
    fe_invert(&bx, &t);
    fe_mul(&r->x, &xy, &bx);
    fe_sub(&t, &one, &k);
    fe_invert(&bx, &t);
    fe_mul(&r->y, &yy, &bx);
}

static void expanded_entry(uint8_t out[96], const expanded_point *p) {
    static const uint8_t d2[32] = {0x59, 0xf1, 0xb2, 0x26, 0x94, 0x9b, 0xd6, 0xeb,
                                   0x56, 0xb1, 0x83, 0x82, 0x9a, 0x14, 0xe0, 0x00,
                                   0x30, 0xd1, 0xf3, 0xee, 0xf2, 0x80, 0x8e, 0x19,
                                   0xe7, 0xfc, 0xdf, 0x56, 0xdc, 0xd9, 0x06, 0x24};
    fe t, u;
    fe_add(&t, &p->y, &p->x);
    fe_store(out, &t);
    fe_sub(&t, &p->y, &p->x);
    fe_store(out + 32, &t);
    fe_load(&u, d2);
    fe_mul(&t, &p->x, &p->y);
    fe_mul(&t, &t, &u);
    fe_store(out + 64, &t);
}

/* The expanded key; 0 for a key that is refused. */
static int expanded_make(uint8_t blob[PICOSUIT_EXPANDED_LEN], const uint8_t key[32]) {
    expanded_point tooth[5], entry[16];
    ge p, q;
    fe t;
    fe spare[2];
    if (!ge_load(&p, key, 0, spare)) {
        return 0;
    }
    q = p;
    ge_double(&q, 0);
    ge_double(&q, 0);
    if (fe_is_zero(&q.x) != 0) { /* 4 A has order 1 or 2 */
        return 0;
    }
    for (unsigned j = 0; j < 5; j++) {
        fe_invert(&t, &p.z);
        fe_mul(&tooth[j].x, &p.x, &t);
        fe_mul(&tooth[j].y, &p.y, &t);
        for (unsigned i = 0; i < 51; i++) {
            ge_double(&p, 1);
        }
    }
    entry[0] = tooth[4];
    for (unsigned j = 4, n = 1; j-- > 0;
         n *= 2) { /* the bits of the index from the top */
        for (unsigned i = n; i-- > 0;) {
            expanded_point whole = entry[i];
            expanded_add(&entry[2 * i + 1], &whole, &tooth[j], 0);
            expanded_add(&entry[2 * i], &whole, &tooth[j], 1);
        }
    }
    memcpy(blob, key, 32);
    for (unsigned i = 0; i < 16; i++) {
        expanded_entry(blob + 32 + 96 * i, &entry[i]);
    }
    return 1;
}

static void expanded_tables(void) {
    vec v;
    uint8_t blob[PICOSUIT_EXPANDED_LEN];
    for (vec_open(&v, "crypto/ed25519_expanded.txt"); vec_next(&v);) {
        int is_good = vec_has(&v, "blob");
        TEST(vec_name(&v, is_good ? "test_expanded_key_" : "refuse_expanded_key_"));
        size_t len;
        const uint8_t *key = vec_hex(&v, "key", NULL), *sig = vec_hex(&v, "sig", NULL);
        const uint8_t *data = vec_hex(&v, "data", &len);
        EXPECT_INT(expanded_make(blob, key), is_good);
        EXPECT_INT(picosuit_ed25519_verify(sig, key, data, len),
                   is_good ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
        if (is_good) {
            EXPECT_INT(picosuit_ed25519_verify_expanded(sig, blob, data, len),
                       PICOSUIT_OK);
            const uint8_t *want = vec_hex(&v, "blob", &len);
            EXPECT_INT(len, sizeof blob);
            EXPECT_MEM(blob, want, sizeof blob);
            if (strcmp(vec_get(&v, "name"), "base") == 0) {
                TEST("test_expanded_base");
                for (unsigned i = 0; i < 48; i++) {
                    uint8_t b[32];
                    fe_store(b, &ge_base_comb[i]);
                    EXPECT_MEM(b, want + 32 + 32 * i, 32);
                }
            }
        }
    }
}

/* Both verdicts are the same; a key without a table must be refused in itself. Returns
 * the verdict. */
static int expanded_same(const uint8_t *sig, const uint8_t *key, const uint8_t *data,
                         size_t len) {
    uint8_t *blob = guard_alloc(PICOSUIT_EXPANDED_LEN);
    int st = picosuit_ed25519_verify(sig, key, data, len);
    if (expanded_make(blob, key)) {
        EXPECT_INT(picosuit_ed25519_verify_expanded(sig, blob, data, len), st);
    } else {
        EXPECT_INT(st, PICOSUIT_E_CRYPTO);
    }
    guard_free(blob);
    return st;
}

static void expanded_vectors(void) {
    static const char *const files[] = {"crypto/ed25519.txt", "crypto/ed25519_edge.txt"};
    vec v;
    for (unsigned f = 0; f < 2; f++) {
        for (vec_open(&v, files[f]); vec_next(&v);) {
            size_t len;
            const uint8_t *data = vec_hex(&v, "data", &len);
            int is_good = f == 0 || vec_int(&v, "accept") != 0;
            TEST(vec_name(&v, is_good ? "test_expanded_" : "refuse_expanded_"));
            EXPECT_INT(expanded_same(vec_hex(&v, "sig", NULL), vec_hex(&v, "key", NULL),
                                     data, len),
                       is_good ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
        }
    }
}

static uint32_t expanded_state = 1;

static uint32_t expanded_random(void) {
    expanded_state = expanded_state * 1664525 + 1013904223;
    return expanded_state >> 8;
}

static void expanded_reduce(uint8_t out[32], const uint8_t x[64]) {
    uint16_t r[16];
    ed25519_reduce(r, x);
    ed25519_bytes(out, r, 16);
}

/* One scalar in three is at an end of the range or has few bits. */
static void expanded_scalar(uint8_t out[32]) {
    uint8_t wide[64] = {0};
    uint32_t kind = expanded_random() % 12;
    if (kind == 0) {
        wide[0] = (uint8_t)(expanded_random() % 4);
    } else if (kind == 1) { /* L - 1 .. L - 3, or 2^252 */
        static const uint8_t l[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                      0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                      0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0x10};
        memcpy(wide, l, 32);
        wide[0] = (uint8_t)(wide[0] - 1 - expanded_random() % 3);
        if (expanded_random() % 4 == 0) {
            memset(wide, 0, 31);
        }
    } else if (kind == 2) { /* around the ends of teeth: 51, 102, 153, 204 */
        uint32_t bit = 51 * (1 + expanded_random() % 4) + expanded_random() % 3 - 1;
        wide[bit / 8] = (uint8_t)(1u << bit % 8);
        wide[0] = (uint8_t)(wide[0] | (expanded_random() & 1));
    } else {
        for (unsigned i = 0; i < 64; i++) {
            wide[i] = (uint8_t)expanded_random();
        }
    }
    expanded_reduce(out, wide);
}

/* out = a b + c mod L */
static void expanded_multiply(uint8_t out[32], const uint8_t a[32], const uint8_t b[32],
                              const uint8_t c[32]) {
    uint8_t z[64] = {0};
    memcpy(z, c, 32);
    for (unsigned i = 0; i < 32; i++) {
        uint32_t carry = 0;
        for (unsigned j = 0; i + j < 64; j++) {
            carry += z[i + j] + (uint32_t)a[i] * (j < 32 ? b[j] : 0);
            z[i + j] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    expanded_reduce(out, z);
}

/* The encoding of s B + n T, T of order 8. */
static void expanded_encode(uint8_t out[32], const uint8_t s[32], unsigned n) {
    uint16_t limbs[16];
    sc_load(limbs, s, 16);
    ed25519_torsion(out, limbs, n);
}

static int expanded_is_zero(const uint8_t s[32]) {
    static const uint8_t zero[32] = {0};
    return memcmp(s, zero, 32) == 0;
}

/* A signature S B = R + k A + (m + k n) T, so its verdict is known; then with one bit
 * changed. Returns how many were accepted. */
static unsigned expanded_sign(const uint8_t *blob, const uint8_t a[32], unsigned n) {
    static const uint8_t minus_one[32] = {0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                          0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                          0,    0,    0,    0,    0,    0,    0,    0,
                                          0,    0,    0,    0,    0,    0,    0,    0x10};
    uint8_t k[32], r[32], sig[64];
    uint16_t limbs[2][16]; /* S and k */
    unsigned m = expanded_random() % 3 == 0 ? expanded_random() % 8 : 0;
    int is_good;
    expanded_scalar(k);
    expanded_scalar(sig + 32);
    expanded_multiply(r, k, minus_one, k); /* 0 */
    expanded_multiply(r, k, a, r);
    expanded_multiply(r, r, minus_one, sig + 32); /* S - k a */
    if (expanded_random() % 2 == 0) {             /* the one whose torsion fits */
        m = (8 - k[0] * n % 8) % 8;
    }
    expanded_encode(sig, r, m);
    is_good = (m + k[0] * n) % 8 == 0 && !expanded_is_zero(r);
    for (unsigned i = 0; i < 2; i++) {
        int st;
        sc_load(limbs[0], sig + 32, 16);
        sc_load(limbs[1], k, 16);
        if (sc_is_reduced(limbs[0]) != 0) {
            st = ed25519_core(sig, blob, limbs[0], limbs[1], 0);
            EXPECT(i == 1 || st == (is_good ? PICOSUIT_OK : PICOSUIT_E_CRYPTO));
            EXPECT_INT(ed25519_check_expanded(sig, blob, limbs[0], limbs[1]), st);
        }
        sig[expanded_random() % 64] ^= (uint8_t)(1u << expanded_random() % 8);
    }
    return is_good ? 1 : 0;
}

/* `make test-core SUITES=expanded EXPANDED_TWINS=100000` tries as many. */
static void expanded_twins(void) {
    const char *asked = getenv("EXPANDED_TWINS");
    unsigned many = asked != NULL ? (unsigned)atoi(asked) : 4000, good = 0;
    uint8_t blob[PICOSUIT_EXPANDED_LEN], a[32], key[32];
    unsigned n = 0;
    if (getenv("TEST_QUICK") != NULL && asked == NULL) {
        many = 400;
    }
    TEST("test_expanded_as_the_key");
    memset(a, 0, sizeof a);
    for (unsigned i = 0; i < many; i++) {
        if (i % 16 == 0) {
            n = expanded_random() % 2 == 0 ? 0 : expanded_random() % 8;
            do {
                expanded_scalar(a);
            } while (expanded_is_zero(a));
            expanded_encode(key, a, n);
            EXPECT_INT(expanded_make(blob, key), 1);
        }
        good += expanded_sign(blob, a, n);
    }
    CHECK("test_expanded_accepts_many", good > many / 3 && good < many);
}

/* A signature of 150 bytes, key of the seed 00 01 .. 1f. */
static const char *const expanded_signed[] = {"crypto/ed25519.txt", "150_bytes"};

/* Each entry of the table that a signature needs: without it there is no verdict but no.
 * Entries that it does not need, it does not need. */
static void expanded_wrong_table(void) {
    vec v;
    uint8_t good[PICOSUIT_EXPANDED_LEN];
    uint16_t k[16], a[16];
    const uint8_t *sig, *data;
    uint32_t used = 0;
    size_t len;
    vec_open(&v, expanded_signed[0]);
    while (vec_next(&v) && strcmp(vec_get(&v, "name"), expanded_signed[1]) != 0) {
    }
    sig = vec_hex(&v, "sig", NULL);
    data = vec_hex(&v, "data", &len);
    TEST("refuse_expanded_wrong_table");
    EXPECT_INT(expanded_make(good, vec_hex(&v, "key", NULL)), 1);
    EXPECT_INT(picosuit_ed25519_verify_expanded(sig, good, data, len), PICOSUIT_OK);
    ed25519_hash(k, sig, good, data, len);
    if (sc_sign(a, k)) {
        used |= 1u << 15;
    }
    for (unsigned i = 0; i < 51; i++) {
        int32_t d = sc_column(a, i);
        EXPECT((d & 1) == 1 && d >= -31 && d <= 31);
        used |= 1u << (d < 0 ? -d : d) / 2;
    }
    for (unsigned i = 0; i < 8 * PICOSUIT_EXPANDED_LEN; i += 7) {
        unsigned entry = i < 256 ? 16 : (i / 8 - 32) / 96;
        good[i / 8] = (uint8_t)(good[i / 8] ^ 1u << i % 8);
        if (i % 256 == 255) { /* the top bit of a coordinate is not read */
            EXPECT_INT(i < 256, 0);
        } else {
            EXPECT_INT(picosuit_ed25519_verify_expanded(sig, good, data, len),
                       entry == 16 || (used >> entry & 1) != 0 ? PICOSUIT_E_CRYPTO
                                                               : PICOSUIT_OK);
        }
        good[i / 8] = (uint8_t)(good[i / 8] ^ 1u << i % 8);
    }
    while (vec_next(&v)) {
    }
}

/* Flash that was never written, and the table of another key. */
static void expanded_no_table(void) {
    vec v;
    uint8_t blob[PICOSUIT_EXPANDED_LEN], other[PICOSUIT_EXPANDED_LEN];
    uint8_t room[PICOSUIT_EXPANDED_LEN + 3], zero[64] = {0};
    memset(other, 0, sizeof other);
    for (vec_open(&v, "crypto/ed25519.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        const uint8_t *sig = vec_hex(&v, "sig", NULL);
        TEST(vec_name(&v, "refuse_expanded_no_table_"));
        EXPECT_INT(expanded_make(blob, vec_hex(&v, "key", NULL)), 1);
        EXPECT_INT(picosuit_ed25519_verify_expanded(sig, blob, data, len), PICOSUIT_OK);
        for (unsigned i = 0; i < 4; i++) { /* at any address */
            memcpy(room + i, blob, sizeof blob);
            EXPECT_INT(picosuit_ed25519_verify_expanded(sig, room + i, data, len),
                       PICOSUIT_OK);
        }
        memcpy(other, blob, 32);
        EXPECT_INT(picosuit_ed25519_verify_expanded(sig, other, data, len),
                   PICOSUIT_E_CRYPTO);
        memcpy(other + 32, blob + 32, sizeof other - 32);
        for (unsigned fill = 0; fill < 256; fill += 255) {
            memset(blob + 32, (int)fill, sizeof blob - 32);
            EXPECT_INT(picosuit_ed25519_verify_expanded(sig, blob, data, len),
                       PICOSUIT_E_CRYPTO);
            EXPECT_INT(picosuit_ed25519_verify_expanded(zero, blob, data, len),
                       PICOSUIT_E_CRYPTO);
            zero[0] ^= 1; /* the neutral element */
        }
    }
}

void suite_expanded(void) {
    expanded_tables();
    expanded_vectors();
    expanded_twins();
    expanded_wrong_table();
    expanded_no_table();
}
#else
/* Without the switch the length of an expanded key is a wrong length: see the tests of
 * envelopes. */
void suite_expanded(void) {
    CHECK("test_expanded_is_off", PICOSUIT_EXPANDED_LEN != 32);
}
#endif
