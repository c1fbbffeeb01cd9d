/* SPDX-License-Identifier: MIT
 *
 * Section 2, white box: SHA-256 and SHA-512 whole, byte by byte, and at each two-way
 * split.
 */
#include "test.h"

/* All of data, cut at `cut`, or into single bytes. */
static void sha2_hash(uint8_t out[64], int is_512, const uint8_t *data, size_t len,
                      size_t cut, int is_single) {
    picosuit_sha256_ctx a;
    sha512_ctx b;
    sha256_init(&a);
    sha512_init(&b);
    for (size_t i = 0; i < len;) {
        size_t n = is_single ? 1 : i < cut ? cut : len - i;
        if (is_512) {
            sha512_update(&b, data + i, n);
        } else {
            sha256_update(&a, data + i, n);
        }
        i += n;
    }
    if (is_512) {
        sha512_final(&b, out);
    } else {
        sha256_final(&a, out);
    }
}

static void sha2_splits(vec *v, int is_512, const uint8_t *data, size_t len) {
    const uint8_t *want = vec_hex(v, is_512 ? "sha512" : "sha256", NULL);
    size_t size = is_512 ? 64 : 32;
    uint8_t out[64];
    sha2_hash(out, is_512, data, len, 0, 1);
    EXPECT_MEM(out, want, size);
    for (size_t cut = 0; cut <= len; cut++) {
        sha2_hash(out, is_512, data, len, cut, 0);
        EXPECT_MEM(out, want, size);
    }
}

static void sha2_repeated(vec *v, long long repeat) {
    picosuit_sha256_ctx a;
    sha512_ctx b;
    uint8_t out[64];
    size_t len;
    const uint8_t *data = vec_hex(v, "data", &len);
    sha256_init(&a);
    sha512_init(&b);
    for (long long i = 0; i < repeat; i++) {
        sha256_update(&a, data, len);
        sha512_update(&b, data, len);
    }
    sha256_final(&a, out);
    EXPECT_MEM(out, vec_hex(v, "sha256", NULL), 32);
    sha512_final(&b, out);
    EXPECT_MEM(out, vec_hex(v, "sha512", NULL), 64);
}

/* The bit count beyond 32 bits, which no short vector reaches: the length is set, and the
 * padding block must hold it. */
static void sha2_long(void) {
    picosuit_sha256_ctx a;
    sha512_ctx b;
    uint8_t out[64];
    const uint8_t want[8] = {0, 0, 0x09, 0x1a, 0x2b, 0x3c, 0x4d, 0x00};
    TEST("test_sha2_length_above_32_bits");
    sha256_init(&a);
    a.len = UINT64_C(0x0123456789a0);
    sha256_final(&a, out);
    EXPECT_MEM(a.buf + 56, want, 8);
    sha512_init(&b);
    b.len = UINT64_C(0x012345678980);
    sha512_final(&b, out);
    EXPECT(b.buf[120] == 0 && b.buf[122] == 0x09 && b.buf[126] == 0x4c &&
           b.buf[127] == 0);
}

void suite_sha2(void) {
    vec v;
    uint8_t out[64];
    for (vec_open(&v, "crypto/sha2.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "data", &len);
        TEST(vec_name(&v, "test_sha2_"));
        if (vec_int(&v, "repeat") > 1) {
            sha2_repeated(&v, vec_int(&v, "repeat"));
            continue;
        }
        picosuit_sha256(out, data, len);
        EXPECT_MEM(out, vec_hex(&v, "sha256", NULL), 32);
        picosuit_sha512(out, data, len);
        EXPECT_MEM(out, vec_hex(&v, "sha512", NULL), 64);
        sha2_splits(&v, 0, data, len);
        sha2_splits(&v, 1, data, len);
    }
    sha2_long();
}
