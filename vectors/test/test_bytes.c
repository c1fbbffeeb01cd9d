/* SPDX-License-Identifier: MIT
 *
 * Section 1, white box: loads, stores, comparison, wiping.
 */
#include "test.h"

static void bytes_order(void) {
    const uint8_t in[5] = {0xf1, 0x02, 0x83, 0x04, 0x95};
    uint8_t out[6] = {0xaa, 0, 0, 0, 0, 0xbb};
    const uint8_t *p = guard_copy(in, 5);
#if !PICOSUIT_ASM /* m0_run.py names the test as left out */
    CHECK("test_bytes_load32be", b_load32be(p) == 0xf1028304);
    EXPECT(b_load32be(p + 1) == 0x02830495);
#endif
    CHECK("test_bytes_load32le", b_load32le(p) == 0x048302f1);
    EXPECT(b_load32le(p + 1) == 0x95048302);
    guard_free(p);
    TEST("test_bytes_store32be");
    b_store32be(out + 1, 0xf1028304);
    EXPECT_MEM(out + 1, in, 4);
    EXPECT(out[0] == 0xaa && out[5] == 0xbb);
    TEST("test_bytes_store32le");
    b_store32le(out + 1, 0x048302f1);
    EXPECT_MEM(out + 1, in, 4);
    EXPECT(out[0] == 0xaa && out[5] == 0xbb);
    TEST("test_bytes_rotr32");
    for (unsigned n = 1; n < 32; n++) {
        EXPECT(b_rotr32(0x80000001u, n) == (0x80000001u >> n | 0x80000001u << (32 - n)));
    }
}

static void bytes_equal(void) {
    uint8_t a[33], b[33];
    for (unsigned i = 0; i < sizeof a; i++) {
        a[i] = b[i] = (uint8_t)(i * 37);
    }
    CHECK("test_bytes_equal_empty", ct_equal(a, b, 0) == 0xffffffff);
    TEST("test_bytes_equal_lengths");
    for (size_t len = 1; len <= sizeof a; len++) {
        EXPECT(ct_equal(a, b, len) == 0xffffffff);
    }
    TEST("test_bytes_equal_each_bit");
    for (unsigned i = 0; i < 8 * sizeof a; i++) {
        b[i / 8] = (uint8_t)(b[i / 8] ^ 1u << i % 8);
        EXPECT(ct_equal(a, b, sizeof a) == 0);
        EXPECT(ct_equal(a, b, i / 8) == 0xffffffff);
        b[i / 8] = a[i / 8];
    }
    TEST("test_bytes_equal_all_differences");
    for (unsigned x = 1; x < 256; x++) {
        b[7] = (uint8_t)(a[7] ^ x);
        EXPECT(ct_equal(a, b, sizeof a) == 0);
    }
}

static void bytes_wipe(void) {
    TEST("test_bytes_wipe_exactly");
    for (size_t len = 0; len < 20; len++) {
        for (size_t at = 0; at < 5; at++) {
            uint8_t buf[32], want[32];
            memset(buf, 0x5a, sizeof buf);
            memset(want, 0x5a, sizeof want);
            memset(want + at, 0, len);
            wipe(buf + at, len);
            EXPECT_MEM(buf, want, sizeof buf);
        }
    }
}

void suite_bytes(void) {
    bytes_order();
    bytes_equal();
    bytes_wipe();
}
