/* SPDX-License-Identifier: MIT
 * What the measuring images share: prim_start.S and prim_io.c. */
#ifndef PRIM_IO_H
#define PRIM_IO_H

#include <stdint.h>

uint64_t m0_cycles(void);              /* cycles so far, counted by cycles.c */
uint32_t stack_used(void (*fn)(void)); /* bytes that fn wrote below its caller's stack */
void semi_write(const char *text);
void semi_exit(int status) __attribute__((noreturn));
void write_number(uint64_t n);      /* decimal, below 10^10 */
uint64_t time_of(void (*fn)(void)); /* cycles of fn, without the call */

#endif
