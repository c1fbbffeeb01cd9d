/* SPDX-License-Identifier: MIT
 *
 * Key sets on a device: one test for each rule of docs/boot.md (key sets): what is
 * refused beforehand, which set verifies when, what switches it, what is left when
 * journal or pages are lost.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>

static bootdev d;

static void expect_keys(unsigned page, unsigned epoch) {
    EXPECT_INT(d.b.rec.keys, page);
    EXPECT_INT(d.b.rec.epoch, epoch);
    EXPECT_INT(d.b.set, page);
}

static uint32_t key_page(unsigned page) {
    return d.flash.keys + page * d.flash.page;
}

/* Refused by its signature, with no flash work. */
static void refuses(const char *name) {
    unsigned ops = d.ops;
    EXPECT_INT(bootdev_update(&d, name), PICOSUIT_E_AUTH);
    EXPECT_INT(d.stage, BOOTDEV_AT_FEED);
    EXPECT_INT(d.ops, ops);
}

/* -- refused before CAND -- */

static void locks_out(const char *first, const char *name, int code) {
    picosuit_boot_record was, now;
    unsigned running;
    TEST(test_name("test_boot_keys_%s_after_%s_is_refused", name, first));
    bootdev_factory(&d, 0, first);
    running = d.b.running;
    bootdev_newest(&d, &was);
    EXPECT_INT(bootdev_update(&d, name), code);
    EXPECT_INT(d.stage, BOOTDEV_AT_CANDIDATE);
    EXPECT_INT(d.commits, 0);
    bootdev_newest(&d, &now);
    EXPECT_MEM(&now, &was, sizeof was);
    EXPECT_MEM(&d.b.rec, &was, sizeof was);
    expect_keys(BOOTDEV_FACTORY, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, running);
    expect_keys(BOOTDEV_FACTORY, 0);
    EXPECT_INT(d.b.rec.has_rejected, 0);
    bootdev_install(&d, "v6"); /* by the old key */
    BOOTDEV_OK(&d);
}

/* -- rotations that are allowed -- */

static void keys_only(unsigned g) {
    unsigned running;
    picosuit_boot_record rec;
    TEST(test_name("test_boot_keys_only_manifest_%u", g));
    bootdev_factory(&d, g, "v1");
    running = d.b.running;
    refuses("v2b");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    bootdev_newest(&d, &rec);
    EXPECT_INT(rec.phase, PICOSUIT_BOOT_CAND);
    EXPECT_INT(rec.slot, rec.confirmed);
    EXPECT_INT(rec.new_keys, 0);
    EXPECT_INT(rec.keys, BOOTDEV_FACTORY);
    EXPECT_INT(rec.epoch, 0);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, running); /* the same image, under the new set */
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    EXPECT_INT(d.b.rec.epoch, 0);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_FRESH);
    EXPECT_INT(d.b.rec.epoch, 1);
    EXPECT_INT(d.b.rec.floor, 2);
    EXPECT_INT(d.commits, 2);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, running);
    expect_keys(0, 1);
    TEST(test_name("test_boot_keys_added_key_signs_%u", g));
    bootdev_install(&d, "v3b");
    bootdev_install(&d, "v4"); /* and the old one still does */
    EXPECT_INT(d.b.rec.epoch, 1);
    TEST(test_name("test_boot_keys_only_rerun_is_an_equal_number_%u", g));
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

/* ab, then b, then bc, then c: pages take turns, and dropped keys stay dropped. */
static void chain(void) {
    TEST("test_boot_keys_removed_key_is_refused");
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    expect_keys(0, 1);
    bootdev_install(&d, "k4"); /* a takes itself away: v1w is signed by b, too */
    expect_keys(1, 2);
    for (int i = 0; i < 3; i++) {
        refuses("v5");
        refuses("v6");
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    }
    TEST("test_boot_keys_page_takes_turns");
    bootdev_install(&d, "k5b");
    expect_keys(0, 3);
    refuses("v6");
    bootdev_install(&d, "v6b");
    expect_keys(0, 3);
    TEST("test_boot_keys_journal_and_pages_agree");
    picosuit_boot_record rec;
    bootdev_newest(&d, &rec);
    EXPECT_MEM(rec.keys_digest, d.c.cell + key_page(0) + 8, 16);
    BOOTDEV_OK(&d);
}

static void image_and_keys(void) {
    unsigned old;
    TEST("test_boot_keys_image_and_keys");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "ik5"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old ^ 1u);
    EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
    bootdev_save(&d);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.epoch, 1);
    EXPECT_INT(d.b.rec.floor, 5);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_keys(0, 1);
    refuses("v6");
    bootdev_install(&d, "ik6");
    expect_keys(1, 2);
    EXPECT_INT(d.commits, 8);
    TEST("test_boot_keys_fallback_that_no_longer_verifies_is_none");
    bootdev_again(&d, old ^ 1u);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old ^ 1u]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE); /* v1 is signed by a alone */
    refuses("v6");
    bootdev_install(&d, "v6b");
    TEST("test_boot_keys_fallback_that_still_verifies");
    bootdev_factory(&d, 0, "v1w");
    old = d.b.running;
    bootdev_install(&d, "ik5");
    d.c.cell[d.flash.slot[old ^ 1u]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    expect_keys(0, 1);
    refuses("v6");
    BOOTDEV_OK(&d);
}

static void not_confirmed(void) {
    unsigned old;
    TEST("test_boot_keys_old_key_until_confirm");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "ik5"), PICOSUIT_OK);
    bootdev_save(&d);
    EXPECT_INT(bootdev_update(&d, "v6"), PICOSUIT_OK); /* CAND: the set is withdrawn */
    EXPECT_INT(d.b.rec.new_keys, BOOTDEV_FACTORY);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 6);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.epoch, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_keys(BOOTDEV_FACTORY, 0);
    refuses("v3b");
    TEST("test_boot_keys_new_key_not_before_confirm");
    bootdev_again(&d, old);
    refuses("v6b");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v6b"), PICOSUIT_E_TRIAL); /* on trial with its image */
    EXPECT_INT(bootdev_update(&d, "v6"), PICOSUIT_E_AUTH);
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_keys_rolled_back_with_the_image");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.new_keys, BOOTDEV_FACTORY);
    expect_keys(BOOTDEV_FACTORY, 0);
    refuses("v6b");
    bootdev_install(&d, "v6");
    TEST("test_boot_keys_only_rolled_back");
    bootdev_factory(&d, 0, "v1");
    d.flash.tries = 1;
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d.b.rec.rejected, 2);
    expect_keys(BOOTDEV_FACTORY, 0);
    refuses("v3b");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_E_REJECTED);
    bootdev_install(&d, "k3");
    expect_keys(0, 1);
    BOOTDEV_OK(&d);
}

/* The fallback is still there after keys alone have changed. */
static void fallback_stays(void) {
    unsigned running;
    TEST("test_boot_keys_only_leaves_the_fallback");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    running = d.b.running;
    bootdev_install(&d, "k3");
    d.c.cell[d.flash.slot[running]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, running ^ 1u);
    expect_keys(0, 1);
    TEST("test_boot_keys_only_waits_and_the_image_is_damaged");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    running = d.b.running;
    EXPECT_INT(bootdev_update(&d, "k3"), PICOSUIT_OK);
    d.c.cell[d.flash.slot[running]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, running ^ 1u);
    expect_keys(BOOTDEV_FACTORY, 0);
    TEST("test_boot_keys_rerun_of_the_image_after_keys");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "k2");
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_OK); /* it is what runs */
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(d.b.rec.floor, 2);
    BOOTDEV_OK(&d);
}

/* -- rights in a set -- */

static void rights(void) {
    TEST("test_boot_keys_right_to_update_taken_away");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "k2_invoke_b");
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_E_RIGHTS);
    EXPECT_INT(d.stage, BOOTDEV_AT_BEGIN);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(bootdev_update(&d, "k3"), PICOSUIT_E_RIGHTS);
    EXPECT_INT(d.ops, 0);
    bootdev_install(&d, "v3b");
    TEST("test_boot_keys_four");
    bootdev_factory(&d, 2, "v1");
    bootdev_install(&d, "k2abcd");
    bootdev_install(&d, "v3cb");
    bootdev_install(&d, "k4b");
    expect_keys(1, 2);
    TEST("test_boot_keys_that_fill_the_page");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "k2page");
    expect_keys(0, 1);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_install(&d, "k3ac");
    expect_keys(1, 2);
    TEST("test_boot_keys_too_many_for_the_page");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2abcd"), PICOSUIT_E_CAPACITY);
    EXPECT_INT(d.commits, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_keys(BOOTDEV_FACTORY, 0);
    BOOTDEV_OK(&d);
}

/* -- what is left when flash is lost -- */

static void lost(void) {
    unsigned running;
    TEST("test_boot_keys_journal_lost_highest_epoch_counts");
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    bootdev_install(&d, "k4");
    running = d.b.running;
    bootdev_save(&d);
    bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_keys(1, 2);
    bootdev_quiet(&d);
    refuses("v5");
    bootdev_install(&d, "v5b");
    expect_keys(1, 2);
    bootdev_install(&d, "ik6");
    expect_keys(0, 3);
    TEST("test_boot_keys_journal_lost_newest_page_damaged");
    bootdev_again(&d, running);
    bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
    d.c.cell[key_page(1) + 60] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_keys(0, 1);
    TEST("test_boot_keys_journal_and_both_pages_lost");
    bootdev_again(&d, running);
    bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
    d.c.cell[key_page(0) + 60] ^= 1;
    d.c.cell[key_page(1) + 60] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_keys(BOOTDEV_FACTORY, 0);
    refuses("v5b");
    bootdev_install(&d, "v5");
    TEST("test_boot_keys_both_pages_lost_factory_set");
    bootdev_again(&d, running);
    bootdev_erase(&d, d.flash.keys, 2 * d.flash.page);
    d.is_lost = 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK); /* v1w is signed by a, too */
    EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
    EXPECT_INT(d.b.rec.epoch, 2); /* it never falls */
    EXPECT_INT(d.b.rec.floor, 4);
    bootdev_install(&d, "v5");
    EXPECT_INT(d.b.rec.epoch, 2);
    BOOTDEV_OK(&d);
}

/* Every byte of a sealed page: it counts whole or not at all. */
static void damaged_page(void) {
    unsigned running, n = 0;
    uint32_t len;
    TEST("test_boot_keys_any_change_invalidates_a_page");
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    running = d.b.running;
    bootdev_save(&d);
    memcpy(&len, d.c.cell + key_page(0) + 4, 4);
    EXPECT(len > 50 && len < 200);
    for (uint32_t i = 0; i < PICOSUIT_KEYS_SET + len; i++) {
        bootdev_again(&d, running);
        bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
        d.c.cell[key_page(0) + i] ^= (uint8_t)(1u << i % 8);
        bootdev_wake(&d, PICOSUIT_NO_SLOT);
        n += d.b.rec.keys == BOOTDEV_FACTORY && d.b.rec.epoch == 0;
    }
    EXPECT_INT(n, PICOSUIT_KEYS_SET + len);
    TEST("test_boot_keys_sealed_page_that_is_no_set");
    uint8_t head[40];
    memset(head, 0xff, 4);
    memset(head + 4, 0, 4);
    picosuit_sha256(head + 8, head, 8);
    bootdev_new(&d, 0);
    memcpy(d.c.cell + key_page(0), head, sizeof head);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    expect_keys(BOOTDEV_FACTORY, 0);
    bootdev_install(&d, "v1w");
    bootdev_install(&d, "k3");
    running = d.b.running;
    bootdev_save(&d);
    TEST("test_boot_keys_another_valid_page_is_not_the_one_in_force");
    bootdev_again(&d, running);
    bootdev_install(&d, "k4");
    memcpy(d.c.cell + key_page(1), bootdev_saved.cell + key_page(0), d.flash.page);
    d.is_lost = 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK); /* the set of epoch 1, whole, twice */
    EXPECT_INT(d.b.rec.epoch, 2);
    BOOTDEV_OK(&d);
}

/* The candidate's page is damaged while the candidate waits, or is on trial: the set
 * never comes into force, and the device can be updated. */
static void trial_page(int boots) {
    unsigned running;
    TEST(test_name("test_boot_keys_trial_page_damaged_%d", boots));
    bootdev_factory(&d, 0, "v1");
    running = d.b.running;
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    for (int i = 0; i < boots; i++) {
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    }
    bootdev_save(&d);
    for (uint32_t at = 0; at < PICOSUIT_KEYS_SET + 115; at += 9) {
        bootdev_again(&d, running);
        d.c.cell[key_page(0) + at] ^= 0x20;
        for (int i = 0; i < 5; i++) {
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(d.b.running, running);
        }
        EXPECT_INT(d.b.rec.keys, BOOTDEV_FACTORY);
        EXPECT_INT(d.b.rec.epoch, 0);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
        EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    }
    BOOTDEV_OK(&d);
}

/* Another set stands in the candidate's page, whole and sealed. */
static void other_page(void) {
    static bootdev_cells other;
    unsigned running;
    TEST("test_boot_keys_other_sealed_page_is_not_the_candidate");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2ac"), PICOSUIT_OK);
    other = d.c;
    for (int boots = 0; boots < 2; boots++) {
        bootdev_factory(&d, 0, "v1");
        running = d.b.running;
        EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
        if (boots > 0) {
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        }
        memcpy(d.c.cell + key_page(0), other.cell + key_page(0), d.flash.page);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, running);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
        EXPECT_INT(d.b.rec.code, PICOSUIT_E_KEYS);
        expect_keys(BOOTDEV_FACTORY, 0);
    }
    BOOTDEV_OK(&d);
}

/* A manifest may match the key set, too; then it is bound to it. */
static void bound(void) {
    TEST("test_boot_keys_that_the_image_is_bound_to");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "matches_first");
    expect_keys(0, 1);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_update(&d, "k3ac"), PICOSUIT_E_CONDITION);
    EXPECT_INT(d.stage, BOOTDEV_AT_CANDIDATE);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    expect_keys(0, 1);
    bootdev_install(&d, "v4");
    bootdev_install(&d, "v5");
    BOOTDEV_OK(&d);
}

/* Keys for no image: nothing could be booted with them. */
static void no_image(void) {
    TEST("test_boot_keys_only_without_an_image");
    bootdev_new(&d, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_E_STATE);
    EXPECT_INT(d.commits, 0);
    expect_keys(BOOTDEV_FACTORY, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    bootdev_install(&d, "ik2"); /* both at once are welcome */
    expect_keys(0, 1);
    BOOTDEV_OK(&d);
}

/* A keys-only candidate that was passed over at this boot is not what runs. */
static void passed_over(void) {
    unsigned reads;
    TEST("test_boot_keys_confirm_needs_a_start_under_them");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "k2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    bootdev_save(&d);
    d.as_loader = 1;
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    reads = d.reads;
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_again(&d, PICOSUIT_NO_SLOT);
        d.reads = 0;
        d.read_fail_at = n;
        if (bootdev_boot(&d) != PICOSUIT_OK || d.b.set == 0) {
            continue; /* started under the new set */
        }
        bootdev_quiet(&d);
        EXPECT(d.b.rec.phase == PICOSUIT_BOOT_IDLE ||
               picosuit_boot_confirm(&d.b) == PICOSUIT_E_STATE);
    }
    d.as_loader = 0;
    BOOTDEV_OK(&d);
}

/* The key page holds something the port did not erase. */
static void not_blank(void) {
    TEST("test_boot_keys_page_that_is_not_blank_is_not_sealed");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_transfer(&d, "k2"), PICOSUIT_OK);
    d.c.cell[key_page(0) + 12] ^= 1;
    EXPECT(bootdev_candidate(&d) < 0);
    EXPECT_INT(d.commits, 0);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_install(&d, "k2");
    BOOTDEV_OK(&d);
}

/* -- picosuit_boot_key -- */

static int key_of(unsigned n, const char *kid, picosuit_key *key) {
    memset(key, 0, sizeof *key);
    return picosuit_boot_key(&d.b, PICOSUIT_PURPOSE_VERIFY, n, (const uint8_t *)kid,
                             kid == NULL ? 0 : strlen(kid), key);
}

static void callback(void) {
    picosuit_key key, want;
    size_t len;
    const uint8_t *abc = bootdev_set("abc", &len);
    TEST("test_boot_key_without_a_kid_offers_all");
    bootdev_new(&d, 0);
    d.flash.factory = abc;
    d.flash.factory_len = (uint16_t)len;
    bootdev_wake(&d, PICOSUIT_NO_SLOT);
    for (unsigned n = 0; n < 3; n++) {
        EXPECT_INT(key_of(n, NULL, &key), 1);
        EXPECT_INT(picosuit_keyset_key(abc, len, n, &want), 1);
        EXPECT_MEM(key.key, want.key, 32);
        EXPECT_INT(key.id, n + 1);
        EXPECT_INT(key.rights, 11);
        EXPECT_INT(key.alg, PICOSUIT_ALG_ED25519);
        EXPECT_INT(key.key_len, 32);
    }
    EXPECT_INT(key_of(3, NULL, &key), 0);
    EXPECT_INT(key_of(99, NULL, &key), 0);
    TEST("test_boot_key_with_a_kid_offers_that_one");
    EXPECT_INT(key_of(0, "boot-b", &key), 1);
    EXPECT_INT(key.id, 2);
    EXPECT_INT(key_of(1, "boot-b", &key), 0);
    EXPECT_INT(key_of(0, "boot-", &key), 0);
    EXPECT_INT(key_of(0, "boot-bb", &key), 0);
    EXPECT_INT(key_of(0, "boot-d", &key), 0);
    EXPECT_INT(key_of(0, "", &key), 0);
    TEST("test_boot_key_for_other_purposes_is_none");
    EXPECT_INT(picosuit_boot_key(&d.b, PICOSUIT_PURPOSE_MAC, 0, NULL, 0, &key), 0);
    EXPECT_INT(picosuit_boot_key(&d.b, PICOSUIT_PURPOSE_DECRYPT, 0, NULL, 0, &key), 0);
    TEST("test_boot_key_from_a_page");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "k2");
    EXPECT_INT(key_of(1, NULL, &key), 1);
    EXPECT_INT(key.id, 2);
    EXPECT_INT(picosuit_keyset_key(bootdev_set("ab", &len), len, 1, &want), 1);
    EXPECT_MEM(key.key, want.key, 32);
    EXPECT_INT(key_of(2, NULL, &key), 0);
    d.reads = 0;
    d.read_fail_at = 1;
    EXPECT(key_of(0, NULL, &key) < 0);
    TEST("test_boot_key_of_a_broken_factory_set");
    bootdev_new(&d, 0);
    d.flash.factory_len--;
    bootdev_wake(&d, PICOSUIT_NO_SLOT);
    EXPECT(key_of(0, NULL, &key) <= 0);
    d.flash.factory_len = 0;
    EXPECT(key_of(0, NULL, &key) <= 0);
}

void suite_boot_keys(void) {
    locks_out("v1", "k2_no_update", PICOSUIT_E_KEYS);
    locks_out("v1", "k2_no_keys", PICOSUIT_E_KEYS);
    locks_out("v1", "k2_split_rights", PICOSUIT_E_KEYS);
    locks_out("v1", "k2_invoke_only", PICOSUIT_E_KEYS);
    locks_out("v1", "k2_broken", PICOSUIT_E_KEYS);
    locks_out("v1", "ik2_no_keys", PICOSUIT_E_KEYS);
    locks_out("v1", "k2_update_b", PICOSUIT_E_RIGHTS);
    locks_out("v1", "k4", PICOSUIT_E_AUTH); /* v1 is signed by a only, the set is b */
    locks_out("v1", "ik3", PICOSUIT_E_AUTH);
    keys_only(0);
    keys_only(2);
    keys_only(5);
    chain();
    image_and_keys();
    not_confirmed();
    fallback_stays();
    rights();
    lost();
    damaged_page();
    trial_page(0);
    trial_page(1);
    other_page();
    bound();
    no_image();
    passed_over();
    not_blank();
    callback();
}
#else
void suite_boot_keys(void) {
} /* test_config */
#endif
