/* SPDX-License-Identifier: MIT */
/* Text for people on the UART. No printf: it would cost more than the loader. */
#ifndef DEVICE_TEXT_H
#define DEVICE_TEXT_H

#include <stdint.h>

void text(const char *s);
void text_number(int32_t n);
void text_hex(uint32_t n);
void text_number64(uint64_t n); /* hexadecimal above 32 bits */

#endif
