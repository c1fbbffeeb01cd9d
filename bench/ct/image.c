/* SPDX-License-Identifier: MIT
 *
 * The image of both checks on ARMv6-M. taint.c calls ct_run; under QEMU main runs the
 * plan that ct.py wrote, each case with several seeds: lines `number mutant seed hash
 * status`.
 */
#include "cases.h"
#include "prim_io.h"
#include "ct_plan.h" /* ct_plan: {number, mutant, seeds}, up to {0, 0, 0} */

uint64_t ct_mark(void);
int ct_run(uint32_t number, uint32_t seed);
int ct_case(uint32_t number, uint32_t seed);

static uint64_t hash;

int ct_case(uint32_t number, uint32_t seed) {
    int st;
    ct_prepare(number, seed);
    (void)ct_mark();
    st = ct_do(number);
    hash = ct_mark();
    return st;
}

static void write_hex(uint64_t x) {
    for (int i = 60; i >= 0; i -= 4) {
        char digit[2] = {"0123456789abcdef"[x >> i & 15], 0};
        semi_write(digit);
    }
}

int main(void) {
    int wrong = 0;
    for (unsigned i = 0; ct_plan[i].seeds > 0; i++) {
        for (uint32_t seed = 0; seed < ct_plan[i].seeds; seed++) {
            int st, is_right;
            ct_mutant = ct_plan[i].mutant;
            st = ct_run(ct_plan[i].number, seed);
            ct_mutant = 0;
            is_right = ct_is_right(ct_plan[i].number, seed, st);
            write_number(ct_plan[i].number);
            semi_write(" ");
            write_number((uint64_t)ct_plan[i].mutant);
            semi_write(" ");
            write_number(seed);
            semi_write(" ");
            write_hex(hash);
            semi_write(" ");
            write_number((uint64_t)(st < 0 ? -st : st));
            semi_write(is_right ? "\n" : " WRONG\n");
            wrong |= !is_right;
        }
    }
    return wrong;
}
