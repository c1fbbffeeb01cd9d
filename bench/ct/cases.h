/* SPDX-License-Identifier: MIT
 *
 * What the checks of constant time run, on the target and on the host: each primitive,
 * and envelopes through the processor. All that may depend on a secret lies in the arrays
 * secret_*, and so do nonces, points, salts and ciphertexts, although these are public:
 * only lengths, alignment and the envelopes are known.
 */
#ifndef CASES_H
#define CASES_H

#include <stddef.h>
#include <stdint.h>

/* A case is kind | a << 4 | b << 16. */
enum {
    CT_X25519,
    CT_UNWRAP,   /* a: bytes */
    CT_CHACHA20, /* a: bytes, b: alignment */
    CT_POLY1305, /* a: bytes, b: alignment */
    CT_AEAD,     /* a: bytes of plaintext, b: alignment | bytes of additional data << 2 */
    CT_SHORT,    /* a: bytes, no room for a tag */
    CT_HKDF,     /* a: bytes of salt, b: bytes of output */
    CT_SHA256,   /* a: bytes, b: alignment */
    CT_SUIT,     /* a: number of an envelope, b: bytes that are there already */
};

struct ct_array {
    uint8_t *data;
    size_t len;
};
extern const struct ct_array ct_secrets[]; /* the last one is empty */
extern volatile int ct_mutant;             /* number of the flaw to run, 0: none */

/* Inputs from a seed. 0 is for the vectors and for what succeeds, an even one for right
 * tags, an odd one for tags that are wrong from byte seed / 2 % 16 on. */
void ct_prepare(uint32_t number, uint32_t seed);

/* The case itself: its status, and what it answers to other keys than the right ones. */
int ct_do(uint32_t number);

/* Whether ct_do was right to answer st. Reads secrets and results. */
int ct_is_right(uint32_t number, uint32_t seed, int st);

/* What the platform was given to store: plaintext is the platform's from then on. */
void ct_publish(const void *data, size_t len);

#endif
