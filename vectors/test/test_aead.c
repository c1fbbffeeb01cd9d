/* SPDX-License-Identifier: MIT
 *
 * Section 4, white box: ChaCha20, Poly1305, their AEAD whole and in steps.
 */
#include "test.h"

static void aead_chacha20(void) {
    vec v;
    for (vec_open(&v, "crypto/chacha20.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        const uint8_t *key = vec_hex(&v, "key", NULL),
                      *nonce = vec_hex(&v, "nonce", NULL);
        uint32_t counter = (uint32_t)vec_int(&v, "counter");
        TEST(vec_name(&v, "test_aead_chacha20_"));
        for (size_t n = 0; n <= len; n++) { /* each length, so each ragged end */
            uint8_t *out = guard_alloc(n);
            const uint8_t *in = guard_copy(data, n);
            picosuit_chacha20(out, in, n, key, nonce, counter);
            EXPECT_MEM(out, vec_hex(&v, "out", NULL), n);
            picosuit_chacha20(out, out, n, key, nonce, counter); /* in place, back */
            EXPECT_MEM(out, data, n);
            guard_free(out);
            guard_free(in);
        }
    }
}

static void aead_poly1305(void) {
    vec v;
    uint8_t tag[16];
    for (vec_open(&v, "crypto/poly1305.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        TEST(vec_name(&v, "test_aead_poly1305_"));
        picosuit_poly1305(tag, data, len, vec_hex(&v, "key", NULL));
        EXPECT_MEM(tag, vec_hex(&v, "tag", NULL), 16);
    }
    for (vec_open(&v, "crypto/poly1305_key.txt"); vec_next(&v);) {
        picosuit_aead_ctx a;
        uint8_t once[32] = {0};
        TEST(vec_name(&v, "test_aead_once_"));
        chacha_key(&a, vec_hex(&v, "key", NULL), vec_hex(&v, "nonce", NULL));
        chacha_xor(&a, 0, once, sizeof once);
        EXPECT_MEM(once, vec_hex(&v, "once", NULL), 32);
    }
}

/* The sum of two limbs of all ones, again and again, against the definition: with r = 1
 * and s = 0 the tag is the sum of the blocks mod 2^130 - 5, mod 2^128. */
static void aead_poly1305_sums(void) {
    uint8_t data[16 * 20], key[32] = {1}, tag[16];
    memset(data, 0xff, sizeof data);
    TEST("test_aead_poly1305_sum_of_ones");
    for (unsigned n = 1; n <= 20; n++) {
        /* n (2^129 - 1): every two of them are 2^130 - 2 = 3 */
        uint8_t want[16];
        memset(want, n % 2 ? 0xff : 0, sizeof want);
        if (n % 2) { /* 3 (n / 2) + 2^129 - 1; modulo 2^128: minus 1 */
            unsigned low = 3 * (n / 2);
            if (low > 0) {
                memset(want, 0, sizeof want);
                want[0] = (uint8_t)(low - 1);
            }
        } else {
            want[0] = (uint8_t)(3 * (n / 2));
        }
        picosuit_poly1305(tag, data, 16 * (size_t)n, key);
        EXPECT_MEM(tag, want, 16);
    }
}

/* h += c in 17 limbs of 8 bits; returns what is above bit 130, and takes it off. */
static uint32_t aead_carry(uint32_t h[17], uint32_t c) {
    for (unsigned i = 0; i < 17; i++) {
        c += h[i];
        h[i] = c & 0xff;
        c >>= 8;
    }
    c = 64 * c + (h[16] >> 2);
    h[16] &= 3;
    return c;
}

/* h = h r mod 2^130 - 5, as by hand; 2^136 = 2^6 2^130 = 320. */
static void aead_multiply(uint32_t h[17], const uint32_t r[17]) {
    uint32_t z[17] = {0}, c;
    for (unsigned i = 0; i < 17; i++) {
        for (unsigned j = 0; j < 17; j++) {
            z[i] += h[j] * (j <= i ? r[i - j] : 320 * r[i + 17 - j]);
        }
    }
    c = aead_carry(z, 0);
    c = aead_carry(z, 5 * c);
    (void)aead_carry(z, 5 * c);
    memcpy(h, z, sizeof z);
}

/* The definition [RFC8439 2.5] for whole blocks. */
static void aead_define(uint8_t tag[16], const uint8_t *data, size_t n,
                        const uint8_t key[32]) {
    uint32_t h[17] = {0}, r[17] = {0}, t[17], c = 0;
    for (unsigned i = 0; i < 16; i++) {
        r[i] = key[i] & (i % 4 == 3 ? 15u : i % 4 == 0 && i > 0 ? 252u : 255u);
    }
    for (; n > 0; n--, data += 16) {
        for (unsigned i = 0; i < 17; i++) {
            h[i] += i < 16 ? data[i] : 1;
        }
        aead_multiply(h, r);
    }
    memcpy(t, h, sizeof t);
    if (aead_carry(t, 5) > 0) { /* h was 2^130 - 5 or more */
        memcpy(h, t, sizeof h);
    }
    for (unsigned i = 0; i < 16; i++, c >>= 8) {
        c += h[i] + key[16 + i];
        tag[i] = (uint8_t)c;
    }
}

/* Bytes that are likely to carry, one to nine blocks at once. */
static void aead_poly1305_definition(void) {
    uint32_t state = 5;
    TEST("test_aead_poly1305_definition");
    for (unsigned n = 0; n < 3000; n++) {
        uint8_t key[32], data[16 * 9], tag[16], want[16];
        size_t blocks = 1 + n % 9;
        for (unsigned i = 0; i < sizeof key + sizeof data; i++) {
            uint32_t x;
            state = state * 1664525 + 1013904223;
            x = (state >> 24 & 7) == 0 ? state >> 16 : state >> 27 & 3 ? 255 : 0;
            *(i < sizeof key ? key + i : data + (i - sizeof key)) = (uint8_t)x;
        }
        picosuit_poly1305(tag, data, 16 * blocks, key);
        aead_define(want, data, blocks, key);
        EXPECT_MEM(tag, want, 16);
    }
}

typedef struct {
    const uint8_t *key, *nonce, *aad, *plain, *data;
    size_t aad_len, plain_len, len;
} aead_case;

static void aead_read(aead_case *c, vec *v) {
    c->key = vec_hex(v, "key", NULL);
    c->nonce = vec_hex(v, "nonce", NULL);
    c->aad = vec_hex(v, "aad", &c->aad_len);
    c->plain = vec_hex(v, "plain", &c->plain_len);
    c->data = vec_hex(v, "data", &c->len);
}

static int aead_try(uint8_t *out, const aead_case *c, const uint8_t *data, size_t len) {
    return picosuit_aead_open(out, data, len, c->key, c->nonce, c->aad, c->aad_len);
}

/* Every split of the ciphertext; blocks decrypted backwards. */
static void aead_steps(const aead_case *c) {
    for (size_t cut = 0; cut <= c->plain_len; cut++) {
        picosuit_aead_ctx a;
        uint8_t tag[16], block[64];
        aead_init(&a, c->key, c->nonce, c->aad, c->aad_len);
        aead_auth(&a, c->data, cut);
        for (size_t i = (c->plain_len + 63) / 64; cut % 16 == 0 && i-- > 0;) {
            size_t n = c->plain_len - 64 * i < 64 ? c->plain_len - 64 * i : 64;
            memcpy(block, c->data + 64 * i, n);
            aead_xor(&a, block, n, (uint32_t)(64 * i));
            EXPECT_MEM(block, c->plain + 64 * i, n);
        }
        aead_auth(&a, c->data + cut, c->plain_len - cut);
        aead_tag(&a, tag);
        EXPECT_MEM(tag, c->data + c->plain_len, 16);
    }
}

static void aead_single_bytes(const aead_case *c) {
    picosuit_aead_ctx a;
    uint8_t tag[16];
    aead_init(&a, c->key, c->nonce, c->aad, c->aad_len);
    for (size_t i = 0; i < c->plain_len; i++) {
        aead_auth(&a, c->data + i, 1);
        aead_auth(&a, c->data + i, 0);
    }
    aead_tag(&a, tag);
    EXPECT_MEM(tag, c->data + c->plain_len, 16);
}

/* Each bit of data, and one bit of everything else: refused, and nothing written. */
static void aead_refuse(const aead_case *c) {
    uint8_t *bad = guard_copy(c->data, c->len), *out = guard_alloc(c->plain_len);
    uint8_t *untouched = guard_copy(out, c->plain_len), *other;
    aead_case d = *c;
    for (size_t i = 0; i < 8 * c->len; i++) {
        bad[i / 8] = (uint8_t)(bad[i / 8] ^ 1u << i % 8);
        EXPECT_INT(aead_try(out, c, bad, c->len), PICOSUIT_E_CRYPTO);
        bad[i / 8] = c->data[i / 8];
    }
    for (size_t len = 0; len < c->len; len++) {
        EXPECT_INT(aead_try(out, c, c->data, len), PICOSUIT_E_CRYPTO);
    }
    other = guard_copy(c->key, 32);
    other[31] ^= 0x80;
    d.key = other;
    EXPECT_INT(aead_try(out, &d, c->data, c->len), PICOSUIT_E_CRYPTO);
    guard_free(other);
    d.key = c->key;
    other = guard_copy(c->nonce, 12);
    other[11] ^= 1;
    d.nonce = other;
    EXPECT_INT(aead_try(out, &d, c->data, c->len), PICOSUIT_E_CRYPTO);
    guard_free(other);
    d.nonce = c->nonce;
    if (c->aad_len > 0) {
        d.aad_len--;
        EXPECT_INT(aead_try(out, &d, c->data, c->len), PICOSUIT_E_CRYPTO);
    }
    EXPECT_MEM(out, untouched, c->plain_len);
    guard_free(bad);
    guard_free(out);
    guard_free(untouched);
}

void suite_aead(void) {
    vec v;
    aead_chacha20();
    aead_poly1305();
    aead_poly1305_sums();
    aead_poly1305_definition();
    for (vec_open(&v, "crypto/aead.txt"); vec_next(&v);) {
        aead_case c;
        uint8_t *out;
        aead_read(&c, &v);
        out = guard_alloc(c.plain_len);
        TEST(vec_name(&v, "test_aead_"));
        EXPECT_INT(aead_try(out, &c, c.data, c.len), PICOSUIT_OK);
        EXPECT_MEM(out, c.plain, c.plain_len);
        aead_steps(&c);
        aead_single_bytes(&c);
        TEST(vec_name(&v, "refuse_aead_changed_"));
        aead_refuse(&c);
        guard_free(out);
    }
}
