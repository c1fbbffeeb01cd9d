/* SPDX-License-Identifier: MIT */
#include "device_text.h"
#include "nrf51.h"

void text(const char *s) {
    for (; *s != 0; s++) {
        nrf51_uart_put(*s);
    }
}

static void text_unsigned(uint32_t n) {
    char digits[11];
    char *p = digits + 10;
    *p = 0;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    text(p);
}

void text_number(int32_t n) {
    if (n < 0) {
        text("-");
        text_unsigned(0u - (uint32_t)n);
    } else {
        text_unsigned((uint32_t)n);
    }
}

void text_hex(uint32_t n) {
    for (int i = 28; i >= 0; i -= 4) {
        nrf51_uart_put("0123456789abcdef"[n >> i & 15]);
    }
}

void text_number64(uint64_t n) {
    if (n >> 32 != 0) {
        text("0x");
        text_hex((uint32_t)(n >> 32));
        text_hex((uint32_t)n);
    } else {
        text_unsigned((uint32_t)n);
    }
}
