/* SPDX-License-Identifier: MIT */
/* The C library's functions on memory that the loader needs, byte by byte: those of
 * newlib are faster and cost 400 bytes more, which 40 KiB do not have. device.mk keeps
 * the compiler from making calls to themselves out of them. */
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    return memmove(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t <= f) {
        for (size_t i = 0; i < n; i++) {
            t[i] = f[i];
        }
    } else {
        while (n > 0) {
            n--;
            t[n] = f[n];
        }
    }
    return to;
}

void *memset(void *to, int value, size_t n) {
    unsigned char *t = to;
    for (size_t i = 0; i < n; i++) {
        t[i] = (unsigned char)value;
    }
    return to;
}
