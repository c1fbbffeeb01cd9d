/* SPDX-License-Identifier: MIT
 *
 * Sections 6 and 7, white box: the field with the representation that was compiled, and
 * X25519. PICOSUIT_FIELD_32 = 1 runs the one of small parts on the host.
 */
#include "test.h"

static void field_is(const fe *a, const uint8_t *want) {
    uint8_t out[32];
    fe_store(out, a);
    EXPECT_MEM(out, want, 32);
}

/* Results go to a new place and onto each argument. */
static void field_vector(vec *v) {
    fe a, b, r, u;
    const uint8_t *x = vec_hex(v, "a", NULL), *y = vec_hex(v, "b", NULL);
    const uint8_t *sum = vec_hex(v, "sum", NULL), *diff = vec_hex(v, "diff", NULL);
    const uint8_t *product = vec_hex(v, "product", NULL);
    const uint8_t *square = vec_hex(v, "square", NULL), *a24 = vec_hex(v, "a24", NULL);
    fe_load(&a, x);
    fe_load(&b, y);
    field_is(&a, x);
    fe_add(&r, &a, &b);
    field_is(&r, sum);
    fe_sub(&r, &r, &b);
    field_is(&r, x);
    fe_sub(&r, &a, &b);
    field_is(&r, diff);
    fe_add(&r, &b, &r);
    field_is(&r, x);
    fe_mul(&r, &a, &b);
    field_is(&r, product);
    r = a;
    fe_mul(&r, &r, &b);
    field_is(&r, product);
    r = b;
    fe_mul(&r, &a, &r);
    field_is(&r, product);
    r = a;
    fe_mul(&r, &r, &r);
    field_is(&r, square);
    fe_sq(&r, &a);
    field_is(&r, square);
    r = a;
    fe_sq(&r, &r);
    field_is(&r, square);
    fe_mul_a24(&r, &a);
    field_is(&r, a24);
    r = a;
    fe_mul_a24(&r, &r);
    field_is(&r, a24);
    fe_pow252(&r, &a, &u);
    field_is(&r, vec_hex(v, "pow252", NULL));
    fe_invert(&r, &a);
    field_is(&r, vec_hex(v, "inv", NULL));
    r = a;
    fe_select(&r, &b, 0);
    field_is(&r, x);
    fe_select(&r, &b, 0xffffffff);
    field_is(&r, y);
}

/* A small generator, for what vectors cannot list. */
static uint32_t field_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Bytes that are likely to carry: runs of ff and 00. */
static void field_fill(uint8_t out[32], uint32_t *state) {
    for (unsigned i = 0; i < 32; i++) {
        uint32_t x = field_random(state);
        out[i] = (x & 0x300) == 0 ? (uint8_t)x : x & 0x400 ? 0xff : 0;
    }
}

/* (a + b) (a - b) = a^2 - b^2 with sums that were never reduced, in long chains. */
static void field_laws(void) {
    uint32_t state = 1;
    TEST("test_field_laws");
    for (unsigned i = 0; i < 3000; i++) {
        fe a, b, s, d, m, q, t;
        uint8_t x[32], y[32], want[32];
        field_fill(x, &state);
        field_fill(y, &state);
        fe_load(&a, x);
        fe_load(&b, y);
        for (unsigned j = 0; j < i % 5; j++) {
            fe_sub(&a, &b, &a);
            fe_add(&b, &b, &b);
        }
        fe_add(&s, &a, &b);
        fe_sub(&d, &a, &b);
        fe_mul(&m, &s, &d);
        fe_sq(&q, &a);
        fe_sq(&t, &b);
        fe_sub(&q, &q, &t);
        fe_store(want, &q);
        field_is(&m, want);
        fe_mul_a24(&m, &m); /* (q a24) - (q - 1) a24 = a24 */
        fe_small(&t, 1);
        fe_sub(&q, &q, &t);
        fe_mul_a24(&q, &q);
        fe_sub(&m, &m, &q);
        fe_mul_a24(&t, &t);
        fe_store(want, &t);
        field_is(&m, want);
    }
}

/* The largest values that functions may be given and may give: bound A of section 6. */
#if PICOSUIT_FIELD_32
#define FIELD_LIMBS 16
#define FIELD_BOUND(i) ((i) < 15 ? 0xffff : 0x8001)
#else
#define FIELD_LIMBS 5
#define FIELD_BOUND(i) (((uint64_t)1 << 51) + 0x1fff)
#endif

/* Fifths of the limbs at their bound, or 0. */
static void field_extreme(fe *a, unsigned fifths) {
    for (unsigned i = 0; i < FIELD_LIMBS; i++) {
        a->v[i] = fifths >> (5 * i / FIELD_LIMBS) & 1 ? FIELD_BOUND(i) : 0;
    }
}

static void field_is_bounded(const fe *a, const fe *want) {
    uint8_t bytes[32];
    for (unsigned i = 0; i < FIELD_LIMBS; i++) {
        EXPECT(a->v[i] <= FIELD_BOUND(i));
    }
    fe_store(bytes, want);
    field_is(a, bytes);
}

/* Operations on them give what they give on the same values reduced, within the bound. */
static void field_bounds(void) {
    TEST("test_field_bounds");
    for (unsigned n = 0; n < 32 * 32; n++) {
        fe a, b, x, y, r, want;
        uint8_t bytes[32];
        field_extreme(&a, n / 32);
        field_extreme(&b, n % 32);
        fe_store(bytes, &a);
        fe_load(&x, bytes);
        fe_store(bytes, &b);
        fe_load(&y, bytes);
        fe_add(&r, &a, &b);
        fe_add(&want, &x, &y);
        field_is_bounded(&r, &want);
        fe_sub(&r, &a, &b);
        fe_sub(&want, &x, &y);
        field_is_bounded(&r, &want);
        fe_mul(&r, &a, &b);
        fe_mul(&want, &x, &y);
        field_is_bounded(&r, &want);
        fe_sq(&r, &a);
        fe_mul(&want, &x, &x);
        field_is_bounded(&r, &want);
        fe_mul_a24(&r, &a);
        fe_mul_a24(&want, &x);
        field_is_bounded(&r, &want);
    }
}

/* Not reduced inputs: p .. 2^255 - 1 are 0 .. 18, and bit 255 does not count. */
static void field_load(void) {
    uint8_t b[32], want[32] = {0};
    fe a;
    memset(b, 0xff, sizeof b);
    TEST("test_field_load_above_p");
    for (unsigned i = 0; i < 19; i++) {
        b[0] = (uint8_t)(0xed + i);
        want[0] = (uint8_t)i;
        for (unsigned bit = 0; bit < 2; bit++) {
            b[31] = bit ? 0xff : 0x7f;
            fe_load(&a, b);
            field_is(&a, want);
            EXPECT(fe_is_zero(&a) == (i == 0 ? 0xffffffff : 0));
        }
    }
    CHECK("test_field_small", (fe_small(&a, 0xffff), fe_store(b, &a), b[0] == 0xff));
    EXPECT(b[1] == 0xff && b[2] == 0 && b[31] == 0);
}

static void field_x25519(void) {
    vec v;
    uint8_t zero[32] = {0};
    for (vec_open(&v, "crypto/x25519.txt"); vec_next(&v);) {
        long long repeat = vec_has(&v, "repeat") ? vec_int(&v, "repeat") : 1;
        uint8_t scalar[32], point[32], out[32];
        int is_good = vec_has(&v, "out");
        TEST(vec_name(&v, is_good ? "test_x25519_" : "refuse_x25519_"));
        memcpy(scalar, vec_hex(&v, "scalar", NULL), 32);
        memcpy(point, vec_hex(&v, "point", NULL), 32);
        for (long long i = 0; i < repeat; i++) {
            memset(out, 0xa5, sizeof out);
            EXPECT_INT(picosuit_x25519(out, scalar, point),
                       is_good ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
            memcpy(point, scalar, 32);
            memcpy(scalar, out, 32);
        }
        EXPECT_MEM(out, is_good ? vec_hex(&v, "out", NULL) : zero, 32);
    }
}

/* Bits of the scalar that clamping sets do not count; result in place of an argument. */
static void field_x25519_clamp(void) {
    uint8_t scalar[32], point[32] = {9}, out[32], want[32];
    for (unsigned i = 0; i < 32; i++) {
        scalar[i] = (uint8_t)(17 * i + 3);
    }
    TEST("test_x25519_clamp");
    EXPECT_INT(picosuit_x25519(want, scalar, point), PICOSUIT_OK);
    for (unsigned i = 0; i < 32; i++) {
        static const unsigned bits[5] = {0, 1, 2, 254, 255};
        uint8_t other[32];
        memcpy(other, scalar, 32);
        for (unsigned j = 0; j < 5; j++) {
            unsigned mask = 1u << bits[j] % 8, old = other[bits[j] / 8];
            other[bits[j] / 8] = (uint8_t)(i >> j & 1 ? old | mask : old & ~mask);
        }
        EXPECT_INT(picosuit_x25519(out, other, point), PICOSUIT_OK);
        EXPECT_MEM(out, want, 32);
    }
    EXPECT_INT(picosuit_x25519(point, scalar, point), PICOSUIT_OK);
    EXPECT_MEM(point, want, 32);
}

void suite_field(void) {
    vec v;
    for (vec_open(&v, "crypto/field.txt"); vec_next(&v);) {
        TEST(vec_name(&v, "test_field_"));
        field_vector(&v);
    }
    field_laws();
    field_bounds();
    field_load();
    field_x25519();
    field_x25519_clamp();
}
