/* SPDX-License-Identifier: MIT
 *
 * Two builds of the core in one image: half-size scalars with assembly, and the equation
 * itself in C. Each signature of a file gets the same verdict from both, and the one that
 * m0_twins.py knows. usage: twins file first count
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int halves_verify(const uint8_t sig[64], const uint8_t key[32], const uint8_t *data,
                  size_t len);
int whole_verify(const uint8_t sig[64], const uint8_t key[32], const uint8_t *data,
                 size_t len);

#define RECORD 101 /* key, signature, message of 4 bytes, 1 if it is right */

int main(int argc, char **argv) {
    uint8_t r[RECORD];
    unsigned n = 0, good = 0, bad = 0;
    FILE *f = argc == 4 ? fopen(argv[1], "rb") : NULL;
    if (f == NULL || fseek(f, atol(argv[2]) * RECORD, SEEK_SET) != 0) {
        return 2;
    }
    while (n < (unsigned)atol(argv[3]) && fread(r, sizeof r, 1, f) == 1) {
        int one = halves_verify(r + 32, r, r + 96, 4) == 0;
        int two = whole_verify(r + 32, r, r + 96, 4) == 0;
        if (one != two || one != r[100]) {
            printf("record %u: halves %d, whole %d, expected %d\n",
                   (unsigned)atol(argv[2]) + n, one, two, r[100]);
            bad++;
        }
        good += (unsigned)one;
        n++;
    }
    printf("%u signatures, %u accepted, %u differ\n", n, good, bad);
    return bad > 0 || n != (unsigned)atol(argv[3]);
}
