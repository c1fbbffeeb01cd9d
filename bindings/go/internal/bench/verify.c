/* SPDX-License-Identifier: MIT
 *
 * picosuit_open as a C program calls it, with one key and no device. The core is the one
 * of internal/raw, linked into the same program.
 */
#include "verify.h"

#include <string.h>
#include <time.h>

#include "../raw/picosuit.h"

typedef struct {
    picosuit_key key;
} device;

static int one_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                   picosuit_key *out) {
    (void)kid;
    (void)kid_len;
    *out = ((device *)dev)->key;
    return purpose == PICOSUIT_PURPOSE_VERIFY && n == 0;
}

/* Nanoseconds of `rounds` verifications, or -1 if one was not READY. */
int64_t bench_verify(const uint8_t *data, size_t len, const uint8_t *key, int rounds) {
    static uint8_t work[4096];
    static const picosuit_platform platform = {one_key};
    picosuit p;
    picosuit_info info;
    struct timespec from, to;
    device d;

    memset(&d, 0, sizeof d);
    d.key.key = key;
    d.key.key_len = 32;
    d.key.alg = PICOSUIT_ALG_ED25519;
    d.key.rights = PICOSUIT_RIGHT_UPDATE;
    d.key.id = 1;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < rounds; i++) {
        memset(&p, 0, sizeof p);
        if (picosuit_init(&p, &platform, &d, work, sizeof work) != PICOSUIT_OK ||
            picosuit_open(&p, data, len) != PICOSUIT_READY ||
            picosuit_get_info(&p, &info) != PICOSUIT_OK) {
            return -1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (to.tv_sec - from.tv_sec) * (int64_t)1000000000 + (to.tv_nsec - from.tv_nsec);
}
