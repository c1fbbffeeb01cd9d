/* SPDX-License-Identifier: MIT
 *
 * All that the core needs from a C library, so that it links alone (-ffreestanding
 * -nostdlib and libgcc). Proves that nothing else is asked for; not counted in its size.
 */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n) {
    unsigned char *t = (unsigned char *)to;
    const unsigned char *f = (const unsigned char *)from;
    while (n-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    unsigned char *t = (unsigned char *)to;
    const unsigned char *f = (const unsigned char *)from;
    if (t < f) {
        return memcpy(to, from, n);
    }
    while (n-- > 0) {
        t[n] = f[n];
    }
    return to;
}

void *memset(void *to, int value, size_t n) {
    unsigned char *t = (unsigned char *)to;
    while (n-- > 0) {
        *t++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = (const unsigned char *)a;
    const unsigned char *y = (const unsigned char *)b;
    for (; n > 0; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

void _start(void);
void _start(void) {
    for (;;) {
    }
}
