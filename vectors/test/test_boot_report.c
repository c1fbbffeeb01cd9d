/* SPDX-License-Identifier: MIT
 *
 * The boot report, byte for byte, in every phase; made from journal and flash alone.
 */
#include "bootdev.h"
#include "simdev.h"

#if PICOSUIT_WITH_BOOT && PICOSUIT_WITH_REPORT
#include <stdio.h>

static bootdev d;

#define IDENTIFIER "0 [h'00']"
#define PENDING "{5 0 6 [[] 0 0 0 {}] 7 12}"

/* SHA-256 of the manifest with its head: what stands behind key 3. */
static void manifest_digest(const bootdev_envelope *e, uint8_t out[32]) {
    for (size_t at = 0; at + 3 < e->len; at++) {
        if (e->data[at] == 3 && e->data[at + 1] == 0x58 &&
            at + 3 + e->data[at + 2] == e->len) {
            picosuit_sha256(out, e->data + at + 1, e->len - at - 1);
        }
    }
}

/* The report must be this; with any less room it is refused, and says how much it needs.
 * `name`: what runs, NULL: nothing; `result` and `state` as text. */
static void expect_report(const char *name, const char *result, const char *state) {
    static char text[1024];
    static uint8_t want[512], got[512];
    char image[65] = "", manifest[65] = "";
    uint8_t sum[32];
    size_t want_len, len = 999;
    int n = snprintf(text, sizeof text, "{3 [");
    if (name != NULL) {
        const bootdev_envelope *e = bootdev_find(name);
        picosuit_sha256(sum, e->image, e->image_len);
        sim_hex(image, sum, 32);
        manifest_digest(e, sum);
        sim_hex(manifest, sum, 32);
        n += snprintf(text + n, sizeof text - (size_t)n,
                      "{" IDENTIFIER " 3 <<[-16 h'%s']>> 14 %u}", image,
                      (unsigned)e->image_len);
    }
    snprintf(text + n, sizeof text - (size_t)n, "] 4 %s 99 [\"\" [-16 h'%s']] -1 [%s]}",
             result, manifest, state);
    want_len = sim_diag(want, sizeof want, text, NULL);
    unsigned ops = d.ops;
    EXPECT_INT(picosuit_boot_report(&d.b, got, sizeof got, &len), PICOSUIT_OK);
    EXPECT_INT(len, want_len);
    EXPECT_MEM(got, want, want_len);
    for (size_t cap = 0; cap <= want_len; cap++) {
        uint8_t *buf = guard_alloc(cap);
        len = 999;
        EXPECT_INT(picosuit_boot_report(&d.b, buf, cap, &len),
                   cap == want_len ? PICOSUIT_OK : PICOSUIT_E_ROOM);
        EXPECT_INT(len, want_len);
        guard_free(buf);
    }
    EXPECT_INT(d.ops, ops);
}

static void life(unsigned g) {
    TEST(test_name("test_boot_report_without_a_journal_%u", g));
    bootdev_new(&d, g);
    expect_report(NULL, "true", "0 255 0 0 0 null null");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_report(NULL, "true", "0 255 0 0 0 null null");
    TEST(test_name("test_boot_report_first_candidate_%u", g));
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_OK);
    expect_report(NULL, PENDING, "2 255 0 0 0 1 null");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", PENDING, "3 0 1 0 0 1 null");
    TEST(test_name("test_boot_report_fresh_%u", g));
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    expect_report("v1", "true", "4 0 0 1 0 null null");
    TEST(test_name("test_boot_report_idle_%u", g));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "true", "1 0 0 1 0 null null");
    TEST(test_name("test_boot_report_cand_%u", g));
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    expect_report("v1", PENDING, "2 0 0 1 0 2 null");
    TEST(test_name("test_boot_report_try_%u", g));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v2", PENDING, "3 1 1 1 0 2 null");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v2", PENDING, "3 1 2 1 0 2 null");
    TEST(test_name("test_boot_report_rejected_by_its_tries_%u", g));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "{5 -38 6 [[] 0 0 0 {}] 7 11}", "1 0 0 1 0 null 2");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "{5 -38 6 [[] 0 0 0 {}] 7 11}", "1 0 0 1 0 null 2");
    TEST(test_name("test_boot_report_rejected_by_its_digest_%u", g));
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    expect_report("v1", PENDING, "2 0 0 1 0 3 2");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    d.c.cell[d.flash.slot[1]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "{5 -50 6 [[] 0 0 0 {}] 7 10}", "1 0 0 1 0 null 3");
    TEST(test_name("test_boot_report_after_a_success_%u", g));
    bootdev_install(&d, "ik5");
    expect_report("ik5", "true", "1 1 0 5 1 null 3");
    BOOTDEV_OK(&d);
}

static void with_keys(void) {
    TEST("test_boot_report_key_epoch");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    expect_report("v1", PENDING, "2 0 0 1 0 2 null");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", PENDING, "3 0 1 1 0 2 null");
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "true", "1 0 0 2 1 null null");
}

static void fallbacks(void) {
    static uint8_t before[512], after[512];
    size_t len, more;
    TEST("test_boot_report_fallback_is_what_runs");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    d.c.cell[d.flash.slot[1]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_report("v1", "true", "1 0 0 2 0 null null");
    TEST("test_boot_report_measures_the_image");
    EXPECT_INT(picosuit_boot_report(&d.b, before, sizeof before, &len), PICOSUIT_OK);
    d.c.cell[d.flash.slot[0] + 499] ^= 1;
    EXPECT_INT(picosuit_boot_report(&d.b, after, sizeof after, &more), PICOSUIT_OK);
    EXPECT_INT(more, len);
    EXPECT(memcmp(before, after, len) != 0);
    TEST("test_boot_report_safe_mode_after_a_life");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_report(NULL, "true", "1 255 0 2 0 null null");
    TEST("test_boot_report_running_slot_without_a_manifest");
    bootdev_factory(&d, 0, "v1");
    d.c.cell[bootdev_manifest(&d, 0) + 33] ^= 1; /* the length of the image */
    EXPECT_INT(picosuit_boot_report(&d.b, before, sizeof before, &len), PICOSUIT_OK);
    static const uint8_t none[] = {0xa4, 0x03, 0x80, 0x04, 0xf5}; /* {3: [], 4: true */
    EXPECT(len > sizeof none);
    EXPECT_MEM(before, none, sizeof none);
    TEST("test_boot_report_large_numbers");
    bootdev_factory(&d, 0, "v64");
    expect_report("v64", "true", "1 0 0 18446744073709551615 0 null null");
}

static void unreadable(void) {
    uint8_t buf[300];
    size_t len = 9;
    unsigned bad = 0, reads;
    TEST("test_boot_report_flash_cannot_be_read");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(picosuit_boot_report(&d.b, buf, sizeof buf, &len), PICOSUIT_OK);
    reads = d.reads;
    EXPECT(reads > 3);
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_quiet(&d);
        d.read_fail_at = n;
        bad += picosuit_boot_report(&d.b, buf, sizeof buf, &len) != PICOSUIT_E_PLATFORM;
    }
    EXPECT_INT(bad, 0);
    TEST("test_boot_report_without_identity");
    bootdev_quiet(&d);
    d.c.cell[bootdev_manifest(&d, 0)] ^= 1;
    EXPECT_INT(picosuit_boot_report(&d.b, buf, sizeof buf, &len), PICOSUIT_OK);
    static const uint8_t tail[] = {0x18, 0x63, 0x82, 0x60, 0x82, 0x2f, 0x40, 0x20};
    int found = 0;
    for (size_t i = 0; i + sizeof tail <= len; i++) {
        found |= memcmp(buf + i, tail, sizeof tail) == 0;
    }
    EXPECT(found); /* no digest: none is known */
}

void suite_boot_report(void) {
    life(0);
    life(2);
    life(4);
    with_keys();
    fallbacks();
    unreadable();
}
#else
void suite_boot_report(void) {
} /* test_config */
#endif
