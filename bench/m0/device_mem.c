/* SPDX-License-Identifier: MIT */
/* The C library's functions on memory that the loader needs: words where both ends are
 * aligned, else bytes. Those of newlib take 300 bytes more. device.mk keeps the compiler
 * from making calls to themselves out of them. */
#include <stdint.h>
#include <string.h>

typedef uint32_t __attribute__((may_alias)) word;

/* Upwards, so `to` may lie below `from` in the same memory: memmove relies on it, and
 * nothing is `restrict`. */
void *memcpy(void *to, const void *from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0) {
        for (; n >= 16; n -= 16) {
            ((word *)t)[0] = ((const word *)f)[0];
            ((word *)t)[1] = ((const word *)f)[1];
            ((word *)t)[2] = ((const word *)f)[2];
            ((word *)t)[3] = ((const word *)f)[3];
            t += 16;
            f += 16;
        }
    }
    for (; n >= 4; n -= 4) {
        t[0] = f[0];
        t[1] = f[1];
        t[2] = f[2];
        t[3] = f[3];
        t += 4;
        f += 4;
    }
    for (; n > 0; n--) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t <= f) {
        return memcpy(to, from, n);
    }
    while (n > 0) {
        n--;
        t[n] = f[n];
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
