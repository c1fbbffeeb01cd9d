/* SPDX-License-Identifier: MIT
 *
 * The functions of sections 6 to 8 that have assembly, under names of their own: compiled
 * once with and once without it, linked to asm_check.c.
 */
#include "../../core/picosuit.c"

#include "asm_twin.h"

#if PICOSUIT_ASM
#define TWIN(name) asm_##name
#else
#define TWIN(name) c_##name
#endif

#define LIMBS 17 /* of fe_pair, counted from 1 */

#if !PICOSUIT_ASM
typedef struct {
    int16_t a[LIMBS + 1];
    int16_t b[LIMBS + 1];
} fe_pair;

/* One number of the pair, as its assembly computes it. */
static void new_number(int16_t *x, const fe_pair *p, int32_t u, int32_t v, int32_t mod) {
    int32_t c = u * (uint16_t)p->a[1] + v * (uint16_t)p->b[1], over;
    int32_t k = (int32_t)((uint32_t)c * 0x4a1b & 0x7fff); /* c / 19 */
    c = (c - 19 * k) >> 15;
    for (unsigned i = 1; i < LIMBS; i++, c >>= 15) {
        int32_t top = i == LIMBS - 1 ? 0x8000 : 0;
        c += u * ((uint16_t)p->a[i + 1] - top) + v * ((uint16_t)p->b[i + 1] - top);
        x[i] = c & 0x7fff;
    }
    over = c + k + mod >= 0x8000;
    x[1] = (int16_t)(x[1] + 19 * over);
    x[LIMBS] = (int16_t)(c + k + 0x8000 - over * 0x8000);
}

static void fe_pair_step(fe_pair *p, const int32_t m[4], uint32_t mod) {
    fe_pair old = *p;
    new_number(p->a, &old, m[0], m[1], (int32_t)mod);
    new_number(p->b, &old, m[2], m[3], (int32_t)mod);
}
#endif

/* Two factors, |u| + |v| <= 2^15, from 32 bits; all and none of them make 2^15, 0. */
static void factors(int32_t m[2], uint32_t x) {
    int32_t u = (int32_t)((x & 0xffff) % 0x8001), v = (int32_t)((x >> 16) % 0x8001);
    u = x + 1 <= 1 ? 0x8000 : u;
    v = v > 0x8000 - u ? 0x8000 - u : v;
    m[0] = x & 0x40 ? -u : u;
    m[1] = x & 0x400000 ? -v : v;
}

/* A pair from a and b, and from b what is done to it. */
static void pair(fe *r, const fe *a, const fe *b) {
    fe_pair p;
    int32_t m[4];
    memset(&p, 0, sizeof p);
    for (unsigned i = 0; i < 16; i++) {
        p.a[i + 1] = a->v[i] & 0x7fff;
        p.b[i + 1] = b->v[i] & 0x7fff;
    }
    p.a[LIMBS] = (int16_t)(a->v[3] ^ b->v[0]);
    p.b[LIMBS] = (int16_t)(b->v[4] ^ a->v[0]);
    factors(m, b->v[9] | (uint32_t)b->v[12] << 16);
    factors(m + 2, a->v[2] | (uint32_t)b->v[7] << 16);
    fe_pair_step(&p, m, a->v[15] & 1);
    for (unsigned i = 0; i < 16; i++) {
        r->v[i] = (uint16_t)(p.a[i + 1] ^ p.b[i + 1] << 1);
    }
    r->v[0] = (uint16_t)(r->v[0] + 5 * p.a[LIMBS] + 3 * p.b[LIMBS]);
    r->v[15] &= 0x7fff;
}

void TWIN(run)(unsigned op, uint8_t r[32], const uint8_t a[32], const uint8_t b[32]) {
    fe x, y;
    int32_t f;
    uint32_t carry;
    memcpy(x.v, a, 32);
    memcpy(y.v, b, 32);
    switch (op) {
    case OP_MUL: fe_mul(&x, &x, &y); break;
    case OP_MUL_SAME: fe_mul(&x, &x, &x); break;
    case OP_SQ: fe_sq(&x, &x); break;
    case OP_ADD: fe_add(&x, &x, &y); break;
    case OP_SUB: fe_sub(&x, &x, &y); break;
    case OP_SUB_FROM:
        fe_sub(&y, &x, &y);
        x = y;
        break;
    case OP_A24: fe_mul_a24(&x, &x); break;
    case OP_SELECT: fe_select(&x, &y, 0xffffffff); break;
    case OP_SELECT_NOT: fe_select(&x, &y, 0); break;
    case OP_PAIR: pair(&x, &x, &y); break;
    case OP_INVERT:
        fe_invert(&y, &x);
        x = y;
        break;
    case OP_ROW: /* the number of limbs and the factor are from y, too */
        f = y.v[1] & 1 ? -(int32_t)y.v[0] : y.v[0];
        carry = sc_row(x.v, y.v, 1 + y.v[2] % 16u, f);
        x.v[15] ^= (uint16_t)carry;
        break;
    default: break;
    }
    memcpy(r, x.v, 32);
}

void TWIN(canonical)(uint8_t r[32], const uint8_t a[32]) {
    fe x;
    memcpy(x.v, a, 32);
    fe_store(r, &x);
}
