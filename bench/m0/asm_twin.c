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
