/* SPDX-License-Identifier: MIT
 *
 * Section 5: AES-128 key unwrap.
 */
#include "picosuit.h"
#include "test.h"

/* Each bit flipped, another key: refused, and out wiped to its last byte. */
static void aeskw_refuse(const uint8_t *kek, const uint8_t *data, size_t len) {
    uint8_t *bad = guard_copy(data, len), *out = guard_alloc(len - 8), *other;
    uint8_t zero[64] = {0};
    for (size_t i = 0; i < 8 * len; i++) {
        bad[i / 8] = (uint8_t)(bad[i / 8] ^ 1u << i % 8);
        memset(out, 0xa5, len - 8);
        EXPECT_INT(picosuit_aes128_unwrap(out, kek, bad, len), PICOSUIT_E_CRYPTO);
        EXPECT_MEM(out, zero, len - 8);
        bad[i / 8] = data[i / 8];
    }
    other = guard_copy(kek, 16);
    other[0] ^= 1;
    EXPECT_INT(picosuit_aes128_unwrap(out, other, data, len), PICOSUIT_E_CRYPTO);
    EXPECT_MEM(out, zero, len - 8);
    guard_free(other);
    guard_free(bad);
    guard_free(out);
}

static void aeskw_lengths(void) {
    uint8_t data[96] = {0}, out[96], want[96];
    memset(out, 0xa5, sizeof out);
    memset(want, 0xa5, sizeof want);
    TEST("refuse_aeskw_lengths");
    for (size_t len = 0; len <= sizeof data; len++) {
        if (len < 24 || len > 72 || len % 8 != 0) {
            EXPECT_INT(picosuit_aes128_unwrap(out, data, data, len), PICOSUIT_E_CRYPTO);
            EXPECT_MEM(out, want, sizeof out);
        }
    }
}

void suite_aeskw(void) {
    vec v;
    for (vec_open(&v, "crypto/aeskw.txt"); vec_next(&v);) {
        size_t len, key_len;
        const uint8_t *kek = vec_hex(&v, "kek", NULL), *data = vec_hex(&v, "data", &len);
        const uint8_t *key = vec_hex(&v, "key", &key_len);
        uint8_t *out = guard_alloc(key_len), *both;
        TEST(vec_name(&v, "test_aeskw_"));
        EXPECT_INT((long long)len, (long long)key_len + 8);
        EXPECT_INT(picosuit_aes128_unwrap(out, kek, data, len), PICOSUIT_OK);
        EXPECT_MEM(out, key, key_len);
        both = guard_copy(data, len); /* in place */
        EXPECT_INT(picosuit_aes128_unwrap(both, kek, both, len), PICOSUIT_OK);
        EXPECT_MEM(both, key, key_len);
        guard_free(both);
        both = guard_copy(data, len);
        EXPECT_INT(picosuit_aes128_unwrap(both + 8, kek, both, len), PICOSUIT_OK);
        EXPECT_MEM(both + 8, key, key_len);
        guard_free(both);
        guard_free(out);
        TEST(vec_name(&v, "refuse_aeskw_changed_"));
        aeskw_refuse(kek, data, len);
    }
    aeskw_lengths();
}
