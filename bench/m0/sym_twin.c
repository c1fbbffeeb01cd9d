/* SPDX-License-Identifier: MIT
 *
 * The core with its block functions in a table; compiled with and without PICOSUIT_ASM,
 * and nothing but the table stays visible, so that both link into one image.
 */
#include "../../core/picosuit.c"

#include "sym_twin.h"

#if PICOSUIT_ASM
#define SYM_TABLE sym_asm
#else
#define SYM_TABLE sym_c
#endif

/* Calls from here do not let the compiler change parameters. */
static void twin_poly(picosuit_aead_ctx *a, const uint8_t *data, size_t n, uint32_t bit) {
    poly_blocks(a, data, n, bit);
}

static void twin_aes(const uint8_t key[16], uint8_t block[16]) {
    uint32_t k[AES_KEYS];
    aes_keys(k, key);
    aes_decrypt(k, block);
}

const sym_twin SYM_TABLE = {
    sha256_block, sha512_block, chacha_xor, twin_poly, poly_update, twin_aes,
};
