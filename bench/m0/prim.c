/* SPDX-License-Identifier: MIT
 *
 * Cycles and stack of the primitives: lines `name cycles stack`, measured twice; `VARIES`
 * if the two differ, `WRONG` if the result is. Messages are the bytes 0, 1, .. modulo
 * 251.
 */
#include <string.h>

#include "picosuit.h"
#include "prim_io.h"
#if PICOSUIT_ED25519_EXPANDED
#include "prim_key.h" /* ed_key, expanded: written by cycles.py */
#endif

/* Key of the seed 00 01 .. 1f, and its signatures of the 55 and 150 first message bytes,
 * made with Python's cryptography. 55 is near the Sig_structure of an envelope, 150 is
 * what figures of other libraries were measured with. */
static const uint8_t ed_key[32] = {
    0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd,
    0x18, 0xe7, 0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5,
    0x0d, 0x5f, 0x1d, 0xdc, 0x86, 0x64, 0x12, 0x55, 0x31, 0xb8,
};
static const uint8_t ed_sig_55[64] = {
    0xdd, 0x67, 0xd2, 0x31, 0x72, 0x86, 0x08, 0x8a, 0xb0, 0x2d, 0x69, 0xdd, 0xf1,
    0x43, 0xed, 0x6b, 0xc9, 0xb3, 0xc9, 0x1a, 0x5a, 0x4a, 0xa7, 0xaf, 0x69, 0x46,
    0xa4, 0x89, 0xfc, 0x2a, 0x12, 0x98, 0xa6, 0x34, 0xd5, 0x56, 0x6b, 0x0c, 0xc7,
    0x58, 0xab, 0x79, 0x7d, 0x94, 0xe4, 0xce, 0xd5, 0xf1, 0x25, 0x11, 0x07, 0xaf,
    0x47, 0x23, 0x04, 0xda, 0xd9, 0x57, 0xe1, 0x09, 0x31, 0x82, 0xea, 0x04,
};
static const uint8_t ed_sig_150[64] = {
    0xac, 0x37, 0x2f, 0xd7, 0xf7, 0x0b, 0xce, 0x71, 0x6d, 0xfb, 0x37, 0x20, 0xdc,
    0x24, 0x85, 0x61, 0x47, 0x5c, 0x3f, 0xcf, 0xa1, 0xb0, 0xe5, 0x72, 0x01, 0xe2,
    0x52, 0x46, 0xd3, 0x29, 0x0c, 0xa7, 0x6d, 0x24, 0xd4, 0x24, 0xbe, 0xd1, 0xc5,
    0xcf, 0x64, 0x07, 0xec, 0x75, 0xfd, 0xc9, 0x7c, 0x0a, 0xbb, 0xec, 0x39, 0x62,
    0xc2, 0xe4, 0x9b, 0x7e, 0x04, 0x7f, 0x3e, 0x5c, 0x2e, 0x18, 0x24, 0x0b,
};
/* AES key wrap of 00 .. 1f under 00 .. 0f, made with Python's cryptography. */
static const uint8_t wrapped[40] = {
    0x0e, 0x78, 0x08, 0xf5, 0x06, 0xf2, 0xc3, 0xe7, 0xaa, 0x6e, 0xda, 0xd7, 0x93, 0xac,
    0x44, 0x95, 0xb0, 0x93, 0xeb, 0x48, 0x2e, 0x5c, 0x7c, 0xa9, 0xc1, 0x70, 0xc9, 0xfa,
    0xa0, 0x7d, 0xc0, 0xcb, 0xbb, 0x87, 0x51, 0x2e, 0x19, 0xfd, 0x40, 0x92,
};
/* Tags of the first message bytes as ciphertext, key 00 .. 1f, nonce 00 .. 0b; likewise.
 */
static const uint8_t aead_tag_64[16] = {
    0xfe, 0xa8, 0x5c, 0x85, 0x1b, 0xa9, 0x08, 0x9c,
    0x42, 0xf0, 0xbc, 0x69, 0xe8, 0x8f, 0x6d, 0x22,
};
static const uint8_t aead_tag_1088[16] = {
    0x8b, 0x6f, 0x9b, 0x2e, 0xd5, 0x3d, 0xec, 0x76,
    0x97, 0xe9, 0x20, 0xf6, 0xc5, 0x22, 0xd9, 0x92,
};

static uint8_t msg[1088];
static uint8_t out[1088];
static uint8_t sealed_64[64 + 16];
static uint8_t sealed_1088[1088 + 16];
static int st;

#define ED25519(n)                                                                       \
    static void run_ed25519_##n(void) {                                                  \
        st = picosuit_ed25519_verify(ed_sig_##n, ed_key, msg, n);                        \
    }
ED25519(55)
ED25519(150)

#if PICOSUIT_ED25519_EXPANDED
static void run_ed25519_expanded(void) {
    st = picosuit_ed25519_verify_expanded(ed_sig_150, ed_expanded.byte, msg, 150);
}
#endif

static void run_x25519(void) {
    static const uint8_t nine[32] = {9};
    st = picosuit_x25519(out, msg, nine);
}

static void run_aes_unwrap_40(void) {
    st = picosuit_aes128_unwrap(out, msg, wrapped, sizeof wrapped);
}

static void run_hkdf_32(void) {
    st = picosuit_hkdf_sha256(out, 32, NULL, 0, msg, 32, msg, 64);
}

#define PER_BYTE(name, n, call)                                                          \
    static void run_##name##_##n(void) {                                                 \
        call;                                                                            \
        st = 0;                                                                          \
    }
#define TWO_SIZES(name, call_64, call_1088)                                              \
    PER_BYTE(name, 64, call_64)                                                          \
    PER_BYTE(name, 1088, call_1088)
TWO_SIZES(sha256, picosuit_sha256(out, msg, 64), picosuit_sha256(out, msg, 1088))
TWO_SIZES(sha512, picosuit_sha512(out, msg, 64), picosuit_sha512(out, msg, 1088))
TWO_SIZES(chacha20, picosuit_chacha20(out, out, 64, msg, msg, 1),
          picosuit_chacha20(out, out, 1088, msg, msg, 1))
TWO_SIZES(poly1305, picosuit_poly1305(out, msg, 64, msg),
          picosuit_poly1305(out, msg, 1088, msg))

#define AEAD(n)                                                                          \
    static void run_aead_##n(void) {                                                     \
        st = picosuit_aead_open(out, sealed_##n, sizeof sealed_##n, msg, msg, NULL, 0);  \
    }
AEAD(64)
AEAD(1088)

#define ROW(name)                                                                        \
    { #name, run_##name }
static const struct {
    const char *name;
    void (*run)(void);
} row[] = {
    ROW(ed25519_55),       ROW(ed25519_150), ROW(x25519),        ROW(aes_unwrap_40),
    ROW(hkdf_32),          ROW(sha256_64),   ROW(sha256_1088),   ROW(sha512_64),
    ROW(sha512_1088),      ROW(chacha20_64), ROW(chacha20_1088), ROW(poly1305_64),
    ROW(poly1305_1088),    ROW(aead_64),     ROW(aead_1088),
#if PICOSUIT_ED25519_EXPANDED
    ROW(ed25519_expanded),
#endif
};

int main(void) {
    int wrong = 0;
    for (unsigned i = 0; i < sizeof msg; i++) {
        msg[i] = (uint8_t)(i % 251);
    }
    memcpy(sealed_64, msg, 64);
    memcpy(sealed_64 + 64, aead_tag_64, 16);
    memcpy(sealed_1088, msg, 1088);
    memcpy(sealed_1088 + 1088, aead_tag_1088, 16);
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        uint64_t n = time_of(row[i].run);
        uint32_t stack = stack_used(row[i].run);
        semi_write(row[i].name);
        semi_write(" ");
        write_number(n);
        semi_write(" ");
        write_number(stack);
        semi_write(time_of(row[i].run) != n ? " VARIES" : "");
        semi_write(st != PICOSUIT_OK ? " WRONG\n" : "\n");
        wrong += st != PICOSUIT_OK;
    }
    return wrong;
}
