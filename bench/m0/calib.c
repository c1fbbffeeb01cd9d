/* SPDX-License-Identifier: MIT
 *
 * Checks the cycle counter: each piece of calib.S must take what the table says, on the
 * core that cycles.c was told to be. Prints `name cycles`, then ` M0`, ` M0+`, or `
 * WRONG`.
 */
#include "prim_io.h"

#define TAKEN(n, extra) ((n) * (extra)) /* taken branches cost 2 more on M0, 1 on M0+ */

#define ALL(X)                                                                           \
    X(k_empty, 0, 0)                                                                     \
    X(k_nop100, 100, 100)                                                                \
    X(k_nop2000, 2000, 2000)                                                             \
    X(k_alu, 2 + 1000 * 2 + TAKEN(999, 2), 2 + 1000 * 2 + TAKEN(999, 1))                 \
    X(k_mul, 3 + 1000 * 3 + TAKEN(999, 2), 3 + 1000 * 3 + TAKEN(999, 1))                 \
    X(k_mem, 4 + 100 * 13 + TAKEN(99, 2), 4 + 100 * 13 + TAKEN(99, 1))                   \
    X(k_multi, 6 + 50 * 17 + TAKEN(49, 2) + 8 - 3, 6 + 50 * 17 + TAKEN(49, 1) + 7 - 2)   \
    X(k_call, 6 + 20 * 27 + TAKEN(19, 2) + 6 - 3, 6 + 20 * 20 + TAKEN(19, 1) + 5 - 2)    \
    X(k_system, 5 * 4 + 3, 5 * 3 + 3)                                                    \
    X(k_branch, 2 + 64 * 6 + 32 + TAKEN(95, 2), 2 + 64 * 6 + 32 + TAKEN(95, 1))

#define DECLARE(name, on_m0, on_m0plus) void name(void);
ALL(DECLARE)

static int is_wrong(const char *name, void (*fn)(void), uint64_t on_m0,
                    uint64_t on_m0plus) {
    uint64_t n = time_of(fn);
    semi_write(name);
    semi_write(" ");
    write_number(n);
    semi_write(n == on_m0 ? " M0" : "");
    semi_write(n == on_m0plus ? " M0+" : "");
    semi_write(n != on_m0 && n != on_m0plus ? " WRONG\n" : "\n");
    return n != on_m0 && n != on_m0plus;
}

int main(void) {
    int wrong = 0;
#define CHECK(name, on_m0, on_m0plus) wrong += is_wrong(#name, name, on_m0, on_m0plus);
    ALL(CHECK)
    return wrong;
}
