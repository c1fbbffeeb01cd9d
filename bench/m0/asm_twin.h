/* SPDX-License-Identifier: MIT
 *
 * Both variants of the field operations on 32 bytes, the representation itself; results
 * may be different representations of one number.
 */
#ifndef ASM_TWIN_H
#define ASM_TWIN_H
#include <stdint.h>

enum {
    OP_MUL,
    OP_MUL_SAME,
    OP_SQ,
    OP_ADD,
    OP_SUB,
    OP_SUB_FROM,
    OP_A24,
    OP_SELECT,
    OP_SELECT_NOT,
    OP_PAIR,
    OP_INVERT,
    OP_ROW,
    OP_N
};

void asm_run(unsigned op, uint8_t r[32], const uint8_t a[32], const uint8_t b[32]);
void c_run(unsigned op, uint8_t r[32], const uint8_t a[32], const uint8_t b[32]);
void asm_canonical(uint8_t r[32], const uint8_t a[32]);
void c_canonical(uint8_t r[32], const uint8_t a[32]);
#endif
