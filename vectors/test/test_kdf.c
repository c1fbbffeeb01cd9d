/* SPDX-License-Identifier: MIT
 *
 * Section 3, white box: HMAC (as the extract step of HKDF) and HKDF.
 */
#include "test.h"

static void kdf_vector(vec *v) {
    uint8_t out[32];
    size_t ikm_len, salt_len, info_len;
    const uint8_t *ikm = vec_hex(v, "ikm", &ikm_len);
    const uint8_t *salt = vec_hex(v, "salt", &salt_len);
    const uint8_t *info = vec_hex(v, "info", &info_len);
    const uint8_t *okm = vec_hex(v, "okm", NULL);
    hmac_sha256(out, salt, salt_len, ikm, ikm_len);
    EXPECT_MEM(out, vec_hex(v, "prk", NULL), 32);
    for (size_t len = 0; len <= 32; len++) {
        memset(out, 0xa5, sizeof out);
        EXPECT_INT(
            picosuit_hkdf_sha256(out, len, salt, salt_len, ikm, ikm_len, info, info_len),
            PICOSUIT_OK);
        EXPECT_MEM(out, okm, len);
        EXPECT(len == 32 || out[len] == 0xa5);
    }
}

static void kdf_refuse(void) {
    static const size_t lens[] = {33, 34, 64, 8160, (size_t)-1};
    uint8_t out[64], want[64];
    memset(out, 0xa5, sizeof out);
    memset(want, 0xa5, sizeof want);
    TEST("refuse_kdf_more_than_one_block");
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        EXPECT_INT(picosuit_hkdf_sha256(out, lens[i], NULL, 0, want, 1, NULL, 0),
                   PICOSUIT_E_CRYPTO);
        EXPECT_MEM(out, want, sizeof out);
    }
}

void suite_kdf(void) {
    vec v;
    for (vec_open(&v, "crypto/hkdf.txt"); vec_next(&v);) {
        TEST(vec_name(&v, "test_kdf_"));
        kdf_vector(&v);
    }
    kdf_refuse();
}
