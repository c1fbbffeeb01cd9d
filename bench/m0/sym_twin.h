/* SPDX-License-Identifier: MIT
 *
 * The block functions of one build of the core, for sym_check.c. */
#ifndef SYM_TWIN_H
#define SYM_TWIN_H

#include "picosuit.h"

typedef struct {
    void (*sha256)(uint32_t s[8], const uint8_t *data);
    void (*sha512)(uint64_t s[8], const uint8_t *data);
    void (*chacha)(const picosuit_aead_ctx *a, uint32_t counter, uint8_t *buf,
                   size_t len);
    void (*poly)(picosuit_aead_ctx *a, const uint8_t *data, size_t n, uint32_t bit);
    void (*update)(picosuit_aead_ctx *a, const uint8_t *data, size_t len);
    void (*decrypt)(const uint8_t key[16], uint8_t block[16]); /* AES-128 */
} sym_twin;

extern const sym_twin sym_asm;
extern const sym_twin sym_c;

#endif
