/* SPDX-License-Identifier: MIT
 *
 * The boot state under attack: signed envelopes at the wrong time and in the wrong order,
 * records that nobody would write, reads that fail once, calls that do not belong
 * together.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>

static bootdev d;

static int is_waiting(uint64_t sequence) {
    picosuit_boot_record rec;
    return bootdev_newest(&d, &rec) >= 0 && rec.phase == PICOSUIT_BOOT_CAND &&
           rec.sequence == sequence;
}

/* -- while a candidate waits -- */

static void waiting(void) {
    static const char *const older[] = {"v2", "v3", "k3", "v2w", "other_only"};
    unsigned old;
    TEST("test_boot_hostile_failed_update_leaves_the_waiting_keys");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "ik2"), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "other_only"), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    EXPECT(is_waiting(2));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.epoch, 1);
    TEST("test_boot_hostile_older_envelope_withdraws_nothing");
    bootdev_factory(&d, 0, "v1w");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "k4"), PICOSUIT_OK);
    bootdev_save(&d);
    for (unsigned i = 0; i < sizeof older / sizeof *older; i++) {
        bootdev_again(&d, old);
        EXPECT(bootdev_update(&d, older[i]) < 0);
        EXPECT_INT(d.ops, 0);
        EXPECT(is_waiting(4));
    }
    BOOTDEV_OK(&d);
}

/* -- records that no commit writes -- */

/* Everything an attacker can write but for the key pages: a set of his own where a page
 * number out of range points, an image signed by its key, a record that names both. */
static void planted_keys(unsigned g, unsigned number) {
    picosuit_boot_record rec;
    const bootdev_envelope *e = bootdev_find("v3c");
    size_t len;
    const uint8_t *set = bootdev_set("c", &len);
    uint32_t head[4];
    uint8_t sealed[400], digest[32];
    TEST(test_name("test_boot_hostile_key_page_%u_of_a_record_%u", number, g));
    bootdev_factory(&d, g, "v1");
    bootdev_install(&d, "k2");
    bootdev_newest(&d, &rec);
    head[0] = 9;
    head[1] = (uint32_t)len;
    memcpy(sealed, set, len);
    memcpy(sealed + len, head, 8);
    picosuit_sha256(digest, sealed, len + 8);
    uint32_t at = d.flash.keys + number * d.flash.page;
    if (at + d.flash.page > d.size) {
        at = d.flash.keys; /* outside the flash: nothing to plant there */
    } else {
        memcpy(d.c.cell + at, head, 8);
        memcpy(d.c.cell + at + 8, digest, 32);
        memcpy(d.c.cell + at + 40, set, len);
    }
    memcpy(d.c.cell + d.flash.slot[1], e->image, e->image_len);
    memset(d.c.cell + d.flash.slot[1] + 500, d.flash.erased, d.flash.slot_size - 500);
    at = bootdev_manifest(&d, 1);
    head[0] = 500;
    head[1] = ~head[0];
    head[2] = (uint32_t)e->len;
    head[3] = ~head[2];
    memcpy(d.c.cell + at + 32, head, 16);
    memcpy(d.c.cell + at + 48, e->data, e->len);
    for (size_t from = 0; from + 3 < e->len; from++) {
        if (memcmp(e->data + from, "\x03\x58", 2) == 0 &&
            from + 3 + e->data[from + 2] == e->len) {
            picosuit_sha256(digest, e->data + from + 1, e->len - from - 1);
        }
    }
    rec.counter++;
    rec.confirmed = 1;
    memcpy(rec.confirmed_digest, digest, 16);
    memset(rec.other_digest, 0, 16);
    for (int is_new = 0; is_new < 2; is_new++) {
        rec.keys = (uint8_t)(is_new ? 0 : number);
        rec.new_keys = (uint8_t)(is_new ? number : 255);
        rec.phase = is_new ? PICOSUIT_BOOT_CAND : PICOSUIT_BOOT_IDLE;
        rec.slot = 1;
        rec.sequence = 3;
        for (unsigned i = 0; i < d.flash.journal_pages; i++) {
            rec.counter++;
            bootdev_seal(&rec);
            bootdev_put(&d, i, &rec);
        }
        EXPECT_INT(bootdev_select(&d), PICOSUIT_SAFE);
        EXPECT_INT(d.address, PICOSUIT_NO_ADDRESS);
    }
    BOOTDEV_OK(&d);
}

/* Each byte of a record takes odd values, with a right CRC: no memory error, nothing
 * starts that the stored envelope does not carry, and the device takes an update. */
static void odd_records(void) {
    static const uint8_t values[] = {0, 1,  2,   3,   4,   5,   6,  7,
                                     8, 77, 127, 128, 200, 254, 255};
    picosuit_boot_record was, rec;
    unsigned bad = 0;
    TEST("test_boot_hostile_odd_records");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "k2");
    bootdev_newest(&d, &was);
    bootdev_save(&d);
    for (size_t at = 1; at < 16; at++) { /* phase to counter */
        for (unsigned i = 0; i < sizeof values; i++) {
            bootdev_restore(&d);
            rec = was;
            ((uint8_t *)&rec)[at] = values[i];
            rec.counter +=
                1 + (at >= offsetof(picosuit_boot_record, counter) ? 0x100u : 0);
            for (unsigned k = 0; k < 3; k++) {
                rec.counter++;
                bootdev_seal(&rec);
                bootdev_put(&d, k, &rec);
            }
            int st = bootdev_select(&d);
            bad += st != PICOSUIT_OK && st != PICOSUIT_SAFE;
            bad += st == PICOSUIT_OK && d.address != d.flash.slot[0];
            bad += st == PICOSUIT_SAFE && d.address != PICOSUIT_NO_ADDRESS;
        }
    }
    EXPECT_INT(bad, 0);
    EXPECT_INT(d.bad, 0);
    bootdev_quiet(&d);
    d.bad = 0; /* who writes such a record has broken the rules already */
}

/* -- reads that fail, or checks that wait, between the old keys and the new -- */

static void old_keys(void) {
    unsigned running, reads;
    picosuit_boot_record was, now;
    TEST("test_boot_hostile_read_failure_brings_no_key_back");
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    bootdev_install(&d, "k4"); /* a is gone */
    running = d.b.running;
    bootdev_newest(&d, &was);
    bootdev_save(&d);
    bootdev_again(&d, running);
    d.reads = 0;
    EXPECT_INT(picosuit_boot_init(&d.b, &d.flash, &d, running), PICOSUIT_OK);
    reads = d.reads;
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_restore(&d);
        bootdev_quiet(&d);
        d.reads = 0;
        d.read_fail_at = n;
        EXPECT_INT(picosuit_boot_init(&d.b, &d.flash, &d, running), PICOSUIT_E_PLATFORM);
        EXPECT(bootdev_update(&d, "k5") < 0); /* set ab, signed by a */
        EXPECT_INT(d.ops, 0);
        bootdev_newest(&d, &now);
        EXPECT_MEM(&was, &now, sizeof was);
    }
    TEST("test_boot_hostile_abandoned_check_lets_no_new_key_in");
    bootdev_factory(&d, 0, "v1w");
    EXPECT_INT(bootdev_transfer(&d, "k2"), PICOSUIT_OK);
    d.again_at = d.calls + 5;
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_AGAIN);
    unsigned ops = d.ops;
    EXPECT(bootdev_update(&d, "v3b") < 0);
    EXPECT_INT(d.ops, ops);
    EXPECT(bootdev_update(&d, "k4b") < 0);
    EXPECT_INT(d.ops, ops);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_install(&d, "v2");
    BOOTDEV_OK(&d);
}

static void keys_without_digest(void) {
    TEST("test_boot_hostile_keys_without_a_digest");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2_no_digest"), PICOSUIT_E_KEYS);
    EXPECT_INT(d.commits, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
    TEST("test_boot_hostile_no_factory_set");
    bootdev_new(&d, 0);
    d.flash.factory = NULL;
    d.flash.factory_len = 0;
    bootdev_wake(&d, PICOSUIT_NO_SLOT);
    picosuit_key key;
    EXPECT_INT(picosuit_boot_key(&d.b, PICOSUIT_PURPOSE_VERIFY, 0, NULL, 0, &key), 0);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_E_AUTH);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

/* The check of the confirmed image is disturbed once: it is not given up for that. */
static void disturbed(void) {
    unsigned running, reads, other = 0;
    TEST("test_boot_hostile_one_failed_read_starts_no_older_image");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    running = d.b.running;
    bootdev_save(&d);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    reads = d.reads;
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_again(&d, running);
        d.reads = 0;
        d.read_fail_at = n;
        int st = bootdev_select(&d); /* E_PLATFORM of boot_init: the loader starts over */
        other += st == PICOSUIT_OK && d.b.running != running;
    }
    EXPECT_INT(other, 0);
    BOOTDEV_OK(&d);
}

/* One bit of one read is wrong, once, at the boot after a revocation was confirmed, or a
 * boot later: floor, epoch and keys stand. */
static void flipped(int is_fresh) {
    picosuit_boot_record rec;
    unsigned running, reads, bad = 0;
    TEST(test_name("test_boot_hostile_one_flipped_bit_%s", is_fresh ? "fresh" : "idle"));
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    EXPECT_INT(bootdev_update(&d, "k4"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    if (!is_fresh) {
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    }
    running = d.b.running;
    bootdev_save(&d);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    reads = d.reads;
    for (unsigned n = 1; n <= reads; n++) {
        for (unsigned where = 0; where < 8; where++) {
            bootdev_again(&d, running);
            d.reads = 0;
            d.flip_at = n;
            d.flip_where = where;
            (void)bootdev_select(&d);
            d.flip_at = 0;
            for (int i = 0; i < 2; i++) {
                int st = bootdev_boot(&d);
                bad += st != PICOSUIT_OK || d.b.running != running;
            }
            bootdev_newest(&d, &rec);
            bad += rec.floor != 4 || rec.epoch != 2 || rec.keys != 1 || rec.has_rejected;
        }
    }
    EXPECT_INT(bad, 0);
    d.bad = 0; /* a misread record may be taken for an invalid one: the newest stands */
}

/* -- calls -- */

static void confirms(void) {
    unsigned slot;
    TEST("test_boot_hostile_confirm_after_a_failure");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "ik2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    slot = d.b.running;
    bootdev_save(&d);
    for (unsigned n = 1; n <= 2; n++) {
        bootdev_again(&d, slot);
        d.fail_at = n;
        EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_PLATFORM);
        EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
        EXPECT_INT(d.b.rec.epoch, 1);
        EXPECT_INT(d.b.rec.floor, 2);
    }
    TEST("test_boot_hostile_confirm_by_the_fallback");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    d.c.cell[d.flash.slot[d.b.running]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    BOOTDEV_OK(&d);
}

static void page_changes(void) {
    TEST("test_boot_keys_page_changes_before_confirm");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    d.c.cell[d.flash.keys + 100] ^= 1;
    EXPECT(picosuit_boot_confirm(&d.b) < 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
    EXPECT_INT(d.b.rec.epoch, 0);
    BOOTDEV_OK(&d);
}

static int begin_plainly(const char *name) {
    size_t used;
    const bootdev_envelope *e = bootdev_find(name);
    int st = picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len);
    d.sent = e;
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(&d.p, e->data, e->len, &used);
    }
    return st == PICOSUIT_READY ? picosuit_begin(&d.p, PICOSUIT_UPDATE) : st;
}

/* picosuit_begin in place of picosuit_boot_begin: the rules of the journal hold. */
static void mixed(void) {
    int st;
    TEST("test_boot_hostile_plain_begin_below_the_floor");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK); /* a re-run */
    st = begin_plainly("v1");
    EXPECT(st == PICOSUIT_E_ROLLBACK ||
           picosuit_boot_candidate(&d.b, &d.p) == PICOSUIT_E_STATE);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    TEST("test_boot_hostile_plain_begin_leaves_the_running_slot");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    st = begin_plainly("k4");
    EXPECT(st < 0 || picosuit_boot_candidate(&d.b, &d.p) < 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

/* Once more in the same boot, when it waits already or has just failed. */
static void same_boot(void) {
    unsigned old;
    TEST("test_boot_keys_only_offered_again_while_they_wait");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.epoch, 1);
    TEST("test_boot_image_tail_is_mended_in_the_same_boot");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old ^ 1u] + 505] ^= 1;
    EXPECT_INT(bootdev_candidate(&d), PICOSUIT_E_TRAILING);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

/* Safe mode with a trial that cannot be checked: updates are taken. */
static void safe_trial(void) {
    unsigned old;
    TEST("test_boot_hostile_safe_mode_in_a_trial");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old]] ^= 1;
    bootdev_quiet(&d);
    d.call_fail_at = 1; /* a key for the candidate's signature */
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    d.call_fail_at = 0;
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 3);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

/* The operator sends keys, and must not get a rollback of the image with them. */
static void keys_beside_a_fallback(void) {
    unsigned broken;
    TEST("test_boot_hostile_keys_alone_while_the_fallback_runs");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    broken = d.b.running;
    d.c.cell[d.flash.slot[broken] + 10] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, broken ^ 1u);
    EXPECT_INT(bootdev_update(&d, "k3"), PICOSUIT_E_STATE);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d.b.rec.confirmed, broken);
    EXPECT_INT(d.b.rec.epoch, 0);
    bootdev_install(&d, "v2"); /* repaired first, then the keys */
    EXPECT_INT(bootdev_update(&d, "k3"), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

void suite_boot_hostile(void) {
    keys_beside_a_fallback();
    safe_trial();
    same_boot();
    waiting();
    for (unsigned g = 0; g < 3; g++) {
        static const unsigned numbers[] = {2, 3, 4, 6, 128, 254};
        for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            planted_keys(g, numbers[i]);
        }
    }
    odd_records();
    old_keys();
    keys_without_digest();
    disturbed();
    flipped(0);
    flipped(1);
    confirms();
    page_changes();
    mixed();
}
#else
void suite_boot_hostile(void) {
} /* test_config */
#endif
