/* SPDX-License-Identifier: MIT */
#include "prim_io.h"

/* By subtraction, so that no division of the compiler's library enters the image. */
void write_number(uint64_t n) {
    static const uint32_t unit[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                    10000,      1000,      100,      10,      1};
    int is_begun = 0;
    for (unsigned i = 0; i < sizeof unit / sizeof *unit; i++) {
        char digit[2] = "0";
        for (; n >= unit[i]; n -= unit[i]) {
            digit[0]++;
        }
        is_begun |= digit[0] != '0' || unit[i] == 1;
        if (is_begun) {
            semi_write(digit);
        }
    }
}

static void nothing(void) {
}

static uint64_t __attribute__((noinline)) time_with_call(void (*fn)(void)) {
    uint64_t from = m0_cycles();
    fn();
    return m0_cycles() - from;
}

uint64_t time_of(void (*fn)(void)) {
    return time_with_call(fn) - time_with_call(nothing);
}
