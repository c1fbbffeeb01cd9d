/* SPDX-License-Identifier: MIT
 * bench_start.S, for bench.c. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>

int semi_call(int op, const void *arg); /* semihosting */
/* Bytes below the caller's stack pointer that were written since the last call, which
 * painted them. */
uint32_t stack_since(void);

#endif
