/* SPDX-License-Identifier: MIT
 *
 * The journal: rules J1 to J10 of docs/boot.md, and every transition. Flash that fails is
 * in test_boot_flash.c, images that must not start in test_boot_image.c, key sets in
 * test_boot_keys.c; power cuts are those of make power.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>

static bootdev d;

/* -- a whole life -- */

/* Slot pages and four commits are what an update may erase (I11). */
static void cycle(unsigned g) {
    char name[4] = "v2";
    TEST(test_name("test_boot_cycle_%u", g));
    bootdev_factory(&d, g, "v1");
    for (int i = 2; i < 6; i++) {
        unsigned old = d.b.running;
        bootdev_quiet(&d);
        name[1] = (char)('0' + i);
        bootdev_install(&d, name);
        EXPECT_INT(d.b.running, old ^ 1u);
        EXPECT_INT(d.b.rec.confirmed, old ^ 1u);
        EXPECT_INT(d.b.rec.floor, i);
        EXPECT_INT(d.b.rec.result, PICOSUIT_RESULT_CONFIRMED);
        EXPECT_INT(d.commits, 4);
        EXPECT_INT(d.erases, d.flash.slot_size / d.flash.page + 4);
        EXPECT_INT(picosuit_boot_slot(&d.b), PICOSUIT_NO_SLOT);
    }
    BOOTDEV_OK(&d);
}

/* -- the journal -- */

/* A record whose next commit needs no signature: slot 0 is on trial and confirms. */
static void trial_record(picosuit_boot_record *rec, uint32_t counter) {
    memset(rec, 0, sizeof *rec);
    rec->counter = counter;
    rec->phase = PICOSUIT_BOOT_TRY;
    rec->tries = 1;
    rec->sequence = 9;
    rec->floor = 4;
    rec->confirmed = 1;
    rec->slot = 0;
    rec->keys = rec->new_keys = 255;
    memset(rec->confirmed_digest, 0x11, 16);
    memset(rec->other_digest, 0x22, 16);
    bootdev_seal(rec);
}

/* Journal pages with these counters, 0: no record. */
static void journal(const uint32_t *counters) {
    picosuit_boot_record rec;
    for (unsigned i = 0; i < d.flash.journal_pages; i++) {
        trial_record(&rec, counters[i]);
        rec.crc ^= counters[i] == 0;
        bootdev_put(&d, i, &rec);
    }
}

/* One commit: it must go to `page`, and leave the others alone. */
static void commit_goes_to(unsigned page, uint32_t counter) {
    picosuit_boot_record rec;
    bootdev_quiet(&d);
    bootdev_save(&d);
    bootdev_wake(&d, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_newest(&d, &rec), page);
    EXPECT_INT(rec.counter, counter);
    EXPECT_INT(rec.phase, PICOSUIT_BOOT_FRESH);
    EXPECT(bootdev_is_record(&rec, &d.b.rec));
    EXPECT_INT(d.erases, 1);
    for (unsigned i = 0; i < d.flash.journal_pages; i++) {
        uint32_t at = d.flash.journal + i * d.flash.page;
        if (i != page) {
            EXPECT_MEM(d.c.cell + at, bootdev_saved.cell + at, d.flash.page);
        }
    }
    BOOTDEV_OK(&d);
}

static void j1(void) {
    static const struct {
        uint32_t counters[3];
        unsigned page;
    } three[] = {{{7, 8, 9}, 0}, {{8, 7, 9}, 1},  {{9, 8, 7}, 2}, {{9, 7, 8}, 1},
                 {{7, 9, 8}, 0}, {{8, 9, 7}, 2},  {{0, 8, 9}, 0}, {{8, 0, 9}, 1},
                 {{8, 9, 0}, 2}, {{9, 0, 8}, 1},  {{0, 9, 0}, 0}, {{9, 0, 0}, 1},
                 {{0, 0, 9}, 0}, {{1, 100, 2}, 0}};
    static const struct {
        uint32_t counters[2];
        unsigned page;
    } two[] = {{{8, 9}, 0}, {{9, 8}, 1}, {{0, 9}, 0}, {{9, 0}, 1}};
    TEST("test_boot_j1_two_newest_stand");
    bootdev_new(&d, 0);
    for (unsigned i = 0; i < sizeof three / sizeof *three; i++) {
        uint32_t most = i == 13 ? 100 : 9;
        journal(three[i].counters);
        commit_goes_to(three[i].page, most + 1);
    }
    TEST("test_boot_j1_newest_stands_of_two_pages");
    bootdev_new(&d, 2);
    for (unsigned i = 0; i < sizeof two / sizeof *two; i++) {
        journal(two[i].counters);
        commit_goes_to(two[i].page, 10);
    }
}

static void j2(void) {
    static const uint32_t counters[3] = {8, 9, 0};
    TEST("test_boot_j2_erased_looking_page_is_erased");
    for (unsigned g = 0; g < 2; g++) {
        bootdev_new(&d, g);
        journal(counters);
        bootdev_erase(&d, d.flash.journal + 2 * d.flash.page, d.flash.page);
        memset(d.c.done + d.flash.journal + 2 * d.flash.page, 1, d.flash.page);
        commit_goes_to(2, 10); /* else the model says: programmed a unit twice */
    }
}

static void j3(void) {
    static const uint32_t counters[3] = {7, 8, 9};
    picosuit_boot_record rec;
    TEST("test_boot_j3_one_record_in_a_page");
    for (unsigned g = 0; g < BOOTDEV_GEOMETRIES; g++) {
        bootdev_new(&d, g);
        journal(counters);
        bootdev_wake(&d, 0);
        EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
        uint32_t at = d.flash.journal + (uint32_t)bootdev_newest(&d, &rec) * d.flash.page;
        for (uint32_t i = sizeof rec; i < d.flash.page; i++) {
            EXPECT(!d.c.done[at + i] && d.c.cell[at + i] == d.flash.erased);
        }
        BOOTDEV_OK(&d);
    }
}

/* Floor, confirmed slot, its digest and the key epoch. */
static int is_same_past(const picosuit_boot_record *a, const picosuit_boot_record *b) {
    return a->floor == b->floor && a->confirmed == b->confirmed && a->keys == b->keys &&
           a->epoch == b->epoch &&
           memcmp(a->confirmed_digest, b->confirmed_digest, 16) == 0;
}

static void j4(void) {
    picosuit_boot_record was, now;
    TEST("test_boot_j4_only_confirm_moves_the_floor");
    bootdev_factory(&d, 0, "v1");
    bootdev_newest(&d, &was);
    EXPECT_INT(bootdev_update(&d, "ik2"), PICOSUIT_OK);
    for (int i = 0; i < 3; i++) {
        bootdev_newest(&d, &now);
        EXPECT(is_same_past(&was, &now));
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    }
    bootdev_newest(&d, &now);
    EXPECT(is_same_past(&was, &now) && now.phase == PICOSUIT_BOOT_TRY);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    bootdev_newest(&d, &now);
    EXPECT_INT(now.phase, PICOSUIT_BOOT_FRESH);
    EXPECT_INT(now.floor, 2);
    EXPECT_INT(now.epoch, 1);
    EXPECT_INT(now.keys, 0);
    EXPECT_INT(now.confirmed, was.confirmed ^ 1);
    EXPECT_MEM(now.other_digest, was.confirmed_digest, 16);
    BOOTDEV_OK(&d);
}

static void j5(void) {
    picosuit_boot_record rec;
    unsigned old;
    TEST("test_boot_j5_try_is_committed_before_the_start");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    for (unsigned k = 1; k <= 3; k++) {
        bootdev_quiet(&d);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old ^ 1u);
        bootdev_newest(&d, &rec);
        EXPECT_INT(rec.phase, PICOSUIT_BOOT_TRY);
        EXPECT_INT(rec.tries, k);
        EXPECT_INT(d.commits, 1);
    }
    TEST("test_boot_j5_no_commit_no_start");
    for (unsigned at = 1; at <= 2; at++) {
        for (int kind = 0; kind < BOOTDEV_KINDS; kind++) {
            bootdev_factory(&d, 0, "v1");
            EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
            bootdev_quiet(&d);
            d.fail_at = at;
            d.fail_kind = kind;
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            int is_done =
                kind == BOOTDEV_LIE && at == 1; /* erasing it: mended by write */
            EXPECT_INT(d.b.running, is_done ? old ^ 1u : old);
            bootdev_quiet(&d);
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(d.b.running, old ^ 1u);
        }
    }
}

static void j6(void) {
    picosuit_boot_record fresh, idle, want;
    TEST("test_boot_j6_fresh_is_copied_first");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    int page = bootdev_newest(&d, &fresh);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT(bootdev_newest(&d, &idle) != page);
    want = fresh;
    want.phase = PICOSUIT_BOOT_IDLE;
    want.counter++;
    bootdev_seal(&want);
    EXPECT_MEM(&idle, &want, sizeof want);
    EXPECT_INT(d.ops, 2);
    EXPECT_INT(d.commits, 1);
    EXPECT(bootdev_record(&d, (unsigned)page, &want) && bootdev_is_record(&want, &fresh));
    TEST("test_boot_j6_idle_is_not_copied");
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

static void j7(void) {
    picosuit_boot_record rec;
    unsigned old;
    TEST("test_boot_j7_transfer_makes_nothing_bootable");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    bootdev_save(&d);
    EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(d.commits, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.commits, 0);
    TEST("test_boot_j7_sealed_slot_without_a_record");
    bootdev_again(&d, old);
    bootdev_newest(&d, &rec);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    uint32_t at = d.flash.journal, len = d.flash.journal_pages * d.flash.page;
    memcpy(d.c.cell + at, bootdev_saved.cell + at,
           len); /* all of v2, and the journal before */
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_j7_nothing_running_is_written");
    bootdev_again(&d, old);
    d.b.slot = (uint8_t)old;
    EXPECT_INT(picosuit_boot_prepare(&d.b, PICOSUIT_AREA_IMAGE, &at), PICOSUIT_E_STATE);
    d.b.slot = PICOSUIT_NO_SLOT;
    EXPECT_INT(picosuit_boot_prepare(&d.b, PICOSUIT_AREA_IMAGE, &at), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

/* An update is over, and its slot changes before it becomes the candidate. */
static void j8(void) {
    picosuit_boot_record was, now;
    unsigned old;
    TEST("test_boot_j8_digest_over_flash_before_cand");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    bootdev_save(&d);
    bootdev_newest(&d, &was);
    for (uint32_t at = 0; at < 500; at += 71) {
        bootdev_again(&d, old);
        EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
        d.c.cell[d.flash.slot[old ^ 1u] + at] ^= 0x40;
        EXPECT_INT(bootdev_candidate(&d), PICOSUIT_E_CONDITION);
        EXPECT_INT(d.commits, 0);
        bootdev_newest(&d, &now);
        EXPECT(bootdev_is_record(&was, &now) && bootdev_is_record(&was, &d.b.rec));
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.b.rec.has_rejected, 0); /* a transfer that failed rejects nothing */
        EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    }
    BOOTDEV_OK(&d);
}

static void j10(void) {
    TEST("test_boot_j10_no_journal_is_safe_mode");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_NONE);
    EXPECT_INT(d.address, PICOSUIT_NO_ADDRESS);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    TEST("test_boot_j10_factory_floor");
    d.flash.floor = 3;
    bootdev_save(&d);
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(d.ops, 0);
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    bootdev_install(&d, "v4");
    TEST("test_boot_factory_floor_equal_to_the_confirmed");
    bootdev_factory(&d, 0, "v2");
    d.flash.floor = 2;
    EXPECT_INT(bootdev_update(&d, "v2x"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_j10_no_floor_accepts_0");
    bootdev_new(&d, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    bootdev_install(&d, "v0");
    EXPECT_INT(bootdev_update(&d, "v0"), PICOSUIT_OK); /* a re-run */
    BOOTDEV_OK(&d);
}

/* -- records that are damaged, odd, or at the end of their range -- */

static void damage(void) {
    picosuit_boot_record was, second;
    TEST("test_boot_newest_record_wins");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    int page = bootdev_newest(&d, &was);
    uint32_t at = d.flash.journal + (uint32_t)page * d.flash.page;
    EXPECT(bootdev_is_record(&d.b.rec, &was));
    d.c.cell[at] ^= 1;
    bootdev_newest(&d, &second);
    EXPECT_INT(second.counter, was.counter - 1);
    d.c.cell[at] ^= 1;
    bootdev_save(&d);
    TEST("test_boot_any_flipped_bit_invalidates_a_record");
    for (unsigned bit = 0; bit < 8 * sizeof was; bit++) {
        d.c.cell[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        bootdev_wake(&d, 1);
        EXPECT(bootdev_is_record(&d.b.rec, &second));
        d.c.cell[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    TEST("test_boot_damaged_newest_the_one_before_counts");
    d.c.cell[at + 40] ^= 0x10;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, was.confirmed);
    EXPECT_INT(d.b.rec.floor, 2); /* FRESH said it, too: J6 */
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    TEST("test_boot_all_records_damaged_is_safe_mode");
    bootdev_again(&d, 0);
    for (uint32_t i = 0; i < 3; i++) {
        d.c.cell[d.flash.journal + i * d.flash.page + 40] ^= 0x10;
    }
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_NONE);
    bootdev_install(&d, "v1"); /* the factory floor: nothing better is known */
    TEST("test_boot_pages_of_one_value_hold_no_record");
    for (unsigned v = 0; v < 256; v++) {
        memset(d.c.cell + d.flash.journal, (int)v, 3 * d.flash.page);
        bootdev_wake(&d, 1);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_NONE);
        EXPECT_INT(d.b.rec.confirmed, PICOSUIT_NO_SLOT);
        EXPECT_INT(d.b.rec.floor, 0);
    }
}

static void odd(void) {
    picosuit_boot_record was, rec;
    TEST("test_boot_other_version_is_no_record");
    bootdev_factory(&d, 0, "v1");
    int page = bootdev_newest(&d, &was);
    for (unsigned v = 0; v < 256; v++) {
        rec = was;
        rec.counter++;
        bootdev_seal(&rec);
        rec.version = (uint8_t)v;
        /* seal() sets version 1: the CRC of the others is taken from a copy of it */
        uint32_t crc = 0xffffffffu;
        const uint8_t *p = (const uint8_t *)&rec;
        for (size_t i = 0; i < offsetof(picosuit_boot_record, crc); i++) {
            crc ^= p[i];
            for (int k = 0; k < 8; k++) {
                crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
            }
        }
        rec.crc = ~crc;
        bootdev_put(&d, ((unsigned)page + 1) % 3, &rec);
        bootdev_wake(&d, 0);
        EXPECT_INT(d.b.rec.counter, was.counter + (v == 1));
    }
    TEST("test_boot_last_counter_is_never_followed_by_a_lower_one");
    trial_record(&rec, 0xfffffffeu);
    bootdev_put(&d, 0, &rec);
    rec.counter++;
    bootdev_seal(&rec);
    bootdev_put(&d, 1, &rec);
    bootdev_erase(&d, d.flash.journal + 2 * d.flash.page, d.flash.page);
    bootdev_quiet(&d);
    bootdev_wake(&d, 0);
    int st = picosuit_boot_confirm(&d.b);
    rec = d.b.rec;
    bootdev_wake(&d, 0);
    EXPECT(bootdev_is_record(&rec, &d.b.rec)); /* memory and flash agree ... */
    EXPECT_INT(st == PICOSUIT_OK,
               rec.phase == PICOSUIT_BOOT_FRESH); /* ... and it knows */
}

/* -- transitions -- */

static void trial(unsigned tries) {
    picosuit_boot_record was;
    unsigned starts = 0, old;
    TEST(test_name("test_boot_rejected_after_%u_tries", tries));
    bootdev_factory(&d, 0, "v1");
    d.flash.tries = (uint8_t)tries;
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_newest(&d, &was);
    EXPECT_INT(was.phase, PICOSUIT_BOOT_CAND);
    EXPECT_INT(was.sequence, 2);
    EXPECT_INT(was.tries, 0);
    while (starts <= tries && bootdev_boot(&d) == PICOSUIT_OK && d.b.running != old) {
        starts++;
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
        EXPECT_INT(d.b.rec.tries, starts);
    }
    EXPECT_INT(starts, tries);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d.b.rec.confirmed, old);
    EXPECT_INT(d.b.rec.floor, 1);
    EXPECT_INT(d.b.rec.has_rejected, 1);
    EXPECT_INT(d.b.rec.rejected, 2);
    EXPECT_INT(d.b.rec.result, PICOSUIT_RESULT_REJECTED);
    EXPECT_INT(d.b.rec.code, PICOSUIT_E_TRIAL);
    for (unsigned commits = 2; commits-- > 0;) { /* a copy (J6), then nothing */
        bootdev_quiet(&d);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.commits, commits);
        EXPECT_INT(d.ops, 2 * commits);
    }
    BOOTDEV_OK(&d);
}

static void rejected(void) {
    static const char *const names[] = {"v2", "v2x", "v2w"};
    TEST("test_boot_rejected_is_not_installed_again");
    bootdev_factory(&d, 0, "v1");
    d.flash.tries = 1;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.has_rejected, 1);
    for (unsigned i = 0; i < 3; i++) {
        bootdev_quiet(&d);
        EXPECT_INT(bootdev_update(&d, names[i]), PICOSUIT_E_REJECTED);
        EXPECT_INT(d.stage, BOOTDEV_AT_BEGIN);
        EXPECT_INT(d.ops, 0);
        EXPECT_INT(d.by[BOOTDEV_BEGIN], 0);
        const picosuit_error *e = picosuit_last_error(&d.p);
        EXPECT_INT(e->code, PICOSUIT_E_REJECTED);
        EXPECT_INT(d.sent->data[e->offset], 2); /* the sequence number */
    }
    TEST("test_boot_rejected_is_no_fallback");
    bootdev_save(&d);
    d.c.cell[d.flash.slot[d.b.running]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    bootdev_again(&d, 0);
    TEST("test_boot_after_a_rejection_the_next_one_is_installed");
    bootdev_install(&d, "v3");
    EXPECT_INT(d.b.rec.has_rejected, 1);
    EXPECT_INT(d.b.rec.rejected, 2);
    BOOTDEV_OK(&d);
}

static void refused(void) {
    static const char *const older[] = {"v1", "v2x", "v0", "k2", "v2b"};
    uint32_t off;
    TEST("test_boot_trial_refuses_updates");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_E_TRIAL);
    EXPECT_INT(d.stage, BOOTDEV_AT_BEGIN);
    EXPECT_INT(d.sent->data[picosuit_last_error(&d.p)->offset], 3); /* its number */
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_boot_prepare(&d.b, PICOSUIT_AREA_IMAGE, &off), PICOSUIT_E_TRIAL);
    EXPECT_INT(picosuit_boot_prepare(&d.b, PICOSUIT_AREA_KEYS, &off), PICOSUIT_E_TRIAL);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
    TEST("test_boot_lower_and_equal_numbers_are_refused");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 2);
    for (unsigned i = 0; i < 4; i++) {
        bootdev_quiet(&d);
        EXPECT_INT(bootdev_update(&d, older[i]), PICOSUIT_E_ROLLBACK);
        EXPECT_INT(d.stage, BOOTDEV_AT_BEGIN);
        EXPECT_INT(d.ops, 0);
    }
    TEST("test_boot_unknown_signer_is_refused");
    EXPECT_INT(bootdev_update(&d, older[4]), PICOSUIT_E_AUTH);
    EXPECT_INT(d.stage, BOOTDEV_AT_FEED);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

static void reruns(void) {
    picosuit_boot_record was, now;
    TEST("test_boot_rerun_of_the_confirmed_does_nothing");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    bootdev_newest(&d, &was);
    bootdev_quiet(&d);
    for (int i = 0; i < 3; i++) {
        EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    }
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(d.by[BOOTDEV_BEGIN], 0);
    EXPECT(bootdev_is_record(&was, &d.b.rec));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_newest(&d, &now) >= 0 && bootdev_is_record(&was, &now), 1);
    TEST("test_boot_rerun_after_confirm_before_the_boot");
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_FRESH);
    TEST("test_boot_rerun_of_the_confirmed_while_another_waits");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_save(&d);
    EXPECT_INT(bootdev_update(&d, "v4"), PICOSUIT_OK);
    bootdev_newest(&d, &was);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    bootdev_newest(&d, &now);
    EXPECT(bootdev_is_record(&was, &now));
    bootdev_again(&d, d.b.running);
    TEST("test_boot_rerun_of_the_waiting_does_nothing");
    EXPECT_INT(bootdev_update(&d, "v4"), PICOSUIT_OK);
    bootdev_newest(&d, &was);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v4"), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    EXPECT_INT(d.b.rec.sequence, 4);
    BOOTDEV_OK(&d);
}

static void waiting(void) {
    unsigned old;
    picosuit_boot_record rec;
    TEST("test_boot_newer_update_replaces_the_waiting");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_save(&d);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(d.commits, 2); /* withdrawn, then the new one */
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 3);
    EXPECT_INT(d.b.running, old ^ 1u);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 3);
    TEST("test_boot_withdrawn_when_the_newer_transfer_begins");
    bootdev_again(&d, old);
    EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
    bootdev_newest(&d, &rec);
    EXPECT_INT(rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(rec.has_rejected, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK); /* it may come again */
    TEST("test_boot_older_update_does_not_replace_the_waiting");
    bootdev_again(&d, old);
    EXPECT_INT(bootdev_update(&d, "v4"), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_E_ROLLBACK); /* above the floor */
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 4);
    TEST("test_boot_waiting_stays_if_the_newer_is_refused");
    bootdev_again(&d, old);
    EXPECT_INT(bootdev_update(&d, "v1b"), PICOSUIT_E_AUTH);
    EXPECT_INT(bootdev_update(&d, "v0"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 2);
    BOOTDEV_OK(&d);
}

static void confirms(void) {
    unsigned old;
    TEST("test_boot_confirm_without_a_journal");
    bootdev_new(&d, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    bootdev_wake(&d, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_confirm_is_idempotent");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK); /* IDLE */
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK); /* CAND: v1 is confirmed */
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_CAND);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_save(&d);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK); /* FRESH */
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_confirm_by_another_slot");
    bootdev_again(&d, old);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    TEST("test_boot_confirm_of_a_number_below_the_floor");
    bootdev_again(&d, old ^ 1u);
    d.b.rec.floor = 77; /* cannot be: but it must not fall */
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 77);
    BOOTDEV_OK(&d);
}

static void large_numbers(void) {
    TEST("test_boot_numbers_of_64_bits");
    bootdev_factory(&d, 0, "v63");
    EXPECT(d.b.rec.floor == UINT64_MAX - 1);
    EXPECT_INT(bootdev_update(&d, "v6"), PICOSUIT_E_ROLLBACK);
    bootdev_install(&d, "v64");
    EXPECT(d.b.rec.floor == UINT64_MAX);
    EXPECT_INT(bootdev_update(&d, "v63"), PICOSUIT_E_ROLLBACK);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v64"), PICOSUIT_OK);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

/* The slot's content is right already: another number, the same image. */
static void same_image(void) {
    TEST("test_boot_same_image_under_another_number");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_install(&d, "v3same");
    EXPECT_INT(d.b.rec.floor, 3);
    TEST("test_boot_identity_after_a_resumed_transfer");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
    bootdev_wake(&d, d.b.running);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_MEM(d.c.cell + bootdev_manifest(&d, d.b.running ^ 1u), d.b.rec.other_digest,
               16);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    TEST("test_boot_image_that_ends_as_if_erased");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v3last");
    BOOTDEV_OK(&d);
}

static void limits(void) {
    TEST("test_boot_envelope_that_fills_the_manifest_area");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "area");
    TEST("test_boot_envelope_larger_than_the_manifest_area");
    static const char *const names[] = {"area_more", "long"};
    for (unsigned i = 0; i < 2; i++) {
        bootdev_factory(&d, 0, "v1");
        EXPECT_INT(bootdev_update(&d, names[i]), PICOSUIT_E_LIMIT);
        EXPECT_INT(d.commits, 0);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
        bootdev_install(&d, "v2");
    }
    bootdev_factory(&d, 2, "v1");
    bootdev_install(&d, "long");
    TEST("test_boot_image_that_fills_the_slot");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "slot");
    TEST("test_boot_image_larger_than_the_slot");
    EXPECT_INT(bootdev_update(&d, "big3"), PICOSUIT_E_CAPACITY);
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "slot_more"), PICOSUIT_E_CAPACITY);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

/* A loader that serves updates in safe mode may ask again without a reset. */
static void select_twice(void) {
    TEST("test_boot_select_twice");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    for (int i = 0; i < 5; i++) {
        EXPECT_INT(picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len), PICOSUIT_OK);
        EXPECT_INT(picosuit_boot_select(&d.b, &d.p), PICOSUIT_OK);
        EXPECT_INT(picosuit_boot_address(&d.b, &d.p), d.flash.slot[0]);
    }
    TEST("test_boot_select_after_an_update_in_safe_mode");
    bootdev_new(&d, 0);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_SAFE);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_OK);
    EXPECT_INT(picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_select(&d.b, &d.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_address(&d.b, &d.p), d.flash.slot[0]);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    BOOTDEV_OK(&d);
}

void suite_boot(void) {
    static const unsigned tries[] = {1, 2, 3, 255};
    for (unsigned g = 0; g < BOOTDEV_GEOMETRIES; g++) {
        cycle(g);
    }
    j1();
    j2();
    j3();
    j4();
    j5();
    j6();
    j7();
    j8();
    j10();
    damage();
    odd();
    for (int i = 0; i < 4; i++) {
        trial(tries[i]);
    }
    rejected();
    refused();
    reruns();
    waiting();
    confirms();
    large_numbers();
    same_image();
    limits();
    select_twice();
}
#else
void suite_boot(void) {
} /* test_config */
#endif
