/* SPDX-License-Identifier: MIT
 *
 * The boot state over flash that fails without a power cut, says so or not, and under a
 * platform that is not ready: the device starts what is confirmed, forgets nothing, and
 * takes the next update.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>

static bootdev d;

/* -- flash that fails, and says so, or does not; the power stays on -- */

/* The device starts v1, or v2 once it was made the candidate, and takes the update. */
static void is_alive(unsigned old, int has_candidate, int kind) {
    picosuit_boot_record rec;
    bootdev_quiet(&d);
    EXPECT(bootdev_newest(&d, &rec) >= 0 && bootdev_is_record(&d.b.rec, &rec));
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    if (!has_candidate && d.b.rec.phase == PICOSUIT_BOOT_IDLE) {
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.b.rec.floor, 1);
        EXPECT_INT(d.b.rec.has_rejected, 0);
        if (bootdev_update(&d, "v2") != PICOSUIT_OK) {
            /* Bytes in place that flash had said are right: this attempt found them. */
            EXPECT(kind == BOOTDEV_LIE);
            EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
        }
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    }
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    EXPECT_INT(d.b.running, old ^ 1u);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 2);
    BOOTDEV_OK(&d);
}

static const char *const kinds[] = {"not_done", "done", "half_done", "lie"};

static void update_fails(unsigned g, int kind, int stays) {
    picosuit_boot_record rec;
    unsigned old, n, ops;
    TEST(test_name("test_boot_update_flash_%s%s_%u", kinds[kind],
                   stays ? "_for_good" : "", g));
    bootdev_factory(&d, g, "v1");
    old = d.b.running;
    bootdev_save(&d);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    ops = d.ops;
    EXPECT(ops > 10);
    for (n = 1; n <= ops; n++) {
        bootdev_again(&d, old);
        d.fail_at = n;
        d.fail_kind = kind;
        d.fail_on = stays;
        int st = bootdev_update(&d, "v2");
        bootdev_newest(&d, &rec);
        if (st == PICOSUIT_OK) {
            EXPECT_INT(kind, BOOTDEV_LIE); /* in a byte that was written over */
        }
        EXPECT_INT(rec.phase == PICOSUIT_BOOT_CAND,
                   st == PICOSUIT_OK || (kind == BOOTDEV_DONE && n == ops));
        EXPECT(bootdev_is_record(&rec, &d.b.rec));
        is_alive(old, st == PICOSUIT_OK, kind);
    }
}

static void confirm_fails(unsigned g, int kind) {
    picosuit_boot_record was, now;
    unsigned slot;
    TEST(test_name("test_boot_confirm_flash_%s_%u", kinds[kind], g));
    bootdev_factory(&d, g, "v1");
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    slot = d.b.running;
    bootdev_newest(&d, &was);
    bootdev_save(&d);
    for (unsigned n = 1; n <= 2; n++) {
        bootdev_again(&d, slot);
        d.fail_at = n;
        d.fail_kind = kind;
        int st = picosuit_boot_confirm(&d.b);
        int is_in = bootdev_newest(&d, &now) >= 0 && now.phase == PICOSUIT_BOOT_FRESH;
        EXPECT_INT(st == PICOSUIT_OK, kind == BOOTDEV_LIE && n == 1);
        EXPECT_INT(is_in, st == PICOSUIT_OK || (kind == BOOTDEV_DONE && n == 2));
        EXPECT(bootdev_is_record(&d.b.rec, is_in ? &now : &was));
        d.fail_at = 0;
        EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, slot);
        EXPECT_INT(d.b.rec.floor, 2);
    }
    BOOTDEV_OK(&d);
}

/* Flash fails while the loader commits: IDLE after FRESH, TRY, or the rejection. */
static void select_fails(unsigned g, int kind) {
    unsigned slot;
    TEST(test_name("test_boot_select_flash_%s_%u", kinds[kind], g));
    bootdev_factory(&d, g, "v1");
    slot = d.b.running;
    for (int phase = 0; phase < 3; phase++) {
        if (phase == 0) { /* the last try of v2 is over */
            d.flash.tries = 1;
            EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        } else if (phase == 1) { /* v3 waits */
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
        } else { /* v3 was confirmed */
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
            slot = d.b.running;
        }
        bootdev_save(&d);
        for (unsigned n = 1; n <= 2; n++) {
            bootdev_again(&d, slot);
            d.fail_at = n;
            d.fail_kind = kind;
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            if (phase != 1) {
                EXPECT_INT(d.b.running, slot);
            }
            d.fail_at = 0;
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(d.b.rec.phase, phase == 1 && d.flash.tries > d.b.rec.tries - 1u &&
                                              !d.b.rec.has_rejected
                                          ? PICOSUIT_BOOT_TRY
                                          : d.b.rec.phase);
        }
        bootdev_restore(&d);
        bootdev_quiet(&d);
        bootdev_wake(&d, slot);
    }
    BOOTDEV_OK(&d);
}

/* One read fails: nothing is rejected for it, and nothing that was not checked starts. */
static void reads_fail(void) {
    unsigned old, reads;
    TEST("test_boot_select_read_fails");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_save(&d);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    reads = d.reads;
    EXPECT(reads > 20);
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_again(&d, old);
        d.reads = 0;
        d.read_fail_at = n;
        int st = bootdev_select(&d);
        EXPECT(st == PICOSUIT_OK || n <= 3); /* the journal itself: boot_init says so */
        EXPECT_INT(d.b.rec.has_rejected, 0);
        if (st == PICOSUIT_OK) {
            EXPECT_INT(d.address, d.flash.slot[d.b.running]);
            EXPECT(d.b.running == old || d.b.rec.phase == PICOSUIT_BOOT_TRY);
        }
        d.read_fail_at = 0;
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old ^ 1u);
        BOOTDEV_OK(&d);
    }
    TEST("test_boot_update_read_fails");
    d.flash.floor = 0;
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    bootdev_save(&d);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    reads = d.reads;
    for (unsigned n = 1; n <= reads; n++) {
        bootdev_again(&d, old);
        d.reads = 0;
        d.read_fail_at = n;
        (void)bootdev_update(&d, "v2");
        is_alive(old, d.b.rec.phase == PICOSUIT_BOOT_CAND, 0);
    }
}

/* While nothing can be read, memory must not forget what flash knows: the next commit
 * would write it down. */
static void reads_fail_for_long(void) {
    picosuit_boot_record rec;
    TEST("test_boot_unreadable_journal_loses_no_floor");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
    for (unsigned n = 1; n <= 200; n += 1) {
        bootdev_factory(&d, 0, "v1");
        bootdev_install(&d, "v2");
        EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
        bootdev_quiet(&d);
        d.read_fail_at = n;
        d.read_fail_on = 1;
        int st = bootdev_candidate(&d);
        bootdev_quiet(&d);
        if (st == PICOSUIT_OK) {
            break;
        }
        (void)bootdev_update(&d, "v1");
        bootdev_newest(&d, &rec);
        EXPECT_INT(rec.floor, 2);
        EXPECT(rec.phase != PICOSUIT_BOOT_CAND || rec.sequence > 2);
        BOOTDEV_OK(&d);
    }
}

/* A callback fails once, in the check of candidate or of a boot: that is no verdict about
 * the image, but a start that was tried. */
static void calls_fail(const char *name) {
    picosuit_boot_record rec;
    unsigned old, before, calls;
    TEST(test_name("test_boot_platform_fails_in_candidate_%s", name));
    bootdev_factory(&d, 0, "v1w");
    old = d.b.running;
    bootdev_save(&d);
    EXPECT_INT(bootdev_transfer(&d, name), PICOSUIT_OK);
    before = d.calls;
    EXPECT_INT(bootdev_candidate(&d), PICOSUIT_OK);
    calls = d.calls;
    EXPECT(calls > before + 10);
    for (unsigned n = before + 1; n <= calls; n++) {
        bootdev_again(&d, old);
        d.call_fail_at = n;
        EXPECT_INT(bootdev_update(&d, name), PICOSUIT_E_PLATFORM);
        EXPECT_INT(d.stage, BOOTDEV_AT_CANDIDATE);
        EXPECT_INT(d.commits, 0);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(bootdev_update(&d, name), PICOSUIT_OK);
    }
    TEST(test_name("test_boot_platform_fails_in_select_%s", name));
    bootdev_save(&d);
    bootdev_again(&d, old);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    calls = d.calls;
    bootdev_newest(&d, &rec);
    unsigned slot = rec.slot;
    for (unsigned n = 1; n <= calls; n++) {
        bootdev_again(&d, old);
        d.call_fail_at = n;
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
        EXPECT_INT(d.b.rec.tries, 1);
        EXPECT_INT(d.b.rec.has_rejected, 0);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, slot);
        EXPECT_INT(d.b.rec.tries, 2);
    }
    BOOTDEV_OK(&d);
}

/* It fails at every boot: the candidate's tries are used up, and updates go on. */
static void calls_fail_for_good(void) {
    unsigned old;
    TEST("test_boot_candidate_that_cannot_be_checked_ends");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    for (int i = 0; i < 4; i++) {
        d.call_fail_at = i < 3 ? d.calls + 1 : 0;
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
    }
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d.b.rec.rejected, 2);
    bootdev_install(&d, "v3");
    BOOTDEV_OK(&d);
}

/* Neither confirmed nor counted: a candidate never starts as if it were the fallback. */
static void no_fallback(void) {
    unsigned old;
    TEST("test_boot_candidate_is_no_fallback");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old]] ^= 1;
    bootdev_save(&d);
    for (unsigned n = 1; n <= 2; n++) {
        bootdev_again(&d, old);
        d.fail_at = n;
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
        d.fail_at = 0;
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old ^ 1u);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_TRY);
    }
    TEST("test_boot_fallback_while_keys_wait");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "v2");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "k3"), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old]] ^= 1;
    bootdev_quiet(&d);
    d.fail_at = 1;
    d.fail_on = 1; /* not even the rejection is written */
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old ^ 1u);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_CAND);
    BOOTDEV_OK(&d);
}

/* The waiting candidate cannot be withdrawn: nothing of its slot is touched. */
static void withdrawal_fails(void) {
    picosuit_boot_record was, now;
    unsigned old;
    TEST("test_boot_withdrawal_fails");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    bootdev_newest(&d, &was);
    bootdev_save(&d);
    for (unsigned n = 1; n <= 2; n++) {
        for (int kind = 0; kind < BOOTDEV_KINDS; kind++) {
            bootdev_again(&d, old);
            d.fail_at = n;
            d.fail_kind = kind;
            int st = bootdev_update(&d, "v3");
            int is_in = bootdev_newest(&d, &now) >= 0 && now.counter != was.counter;
            if (kind == BOOTDEV_LIE && n == 1) {
                EXPECT_INT(st, PICOSUIT_OK); /* the write has covered it */
                continue;
            }
            EXPECT_INT(st, PICOSUIT_E_PLATFORM);
            EXPECT_INT(is_in, kind == BOOTDEV_DONE && n == 2);
            EXPECT(bootdev_is_record(&now, &d.b.rec));
            EXPECT_MEM(d.c.cell + d.flash.slot[old ^ 1u],
                       bootdev_saved.cell + d.flash.slot[old ^ 1u], d.flash.slot_size);
            EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
            EXPECT_INT(d.b.running, is_in ? old : old ^ 1u);
        }
    }
    BOOTDEV_OK(&d);
}

/* The journal, or the key sets, cannot be read at first: nobody is trusted for it. Key a
 * was taken away on this device; the factory set has it. */
static void init_fails(void) {
    picosuit_boot_record was, now;
    uint64_t floor;
    uint8_t digest[32];
    unsigned running, reads;
    bootdev_factory(&d, 0, "v1w");
    bootdev_install(&d, "k3");
    bootdev_install(&d, "k4");
    running = d.b.running;
    bootdev_newest(&d, &was);
    for (int has_journal = 0; has_journal < 2; has_journal++) {
        TEST(test_name("test_boot_init_read_fails_%s_journal",
                       has_journal ? "with" : "no"));
        if (has_journal) {
            bootdev_restore(&d);
        } else {
            bootdev_save(&d);
            bootdev_erase(&d, d.flash.journal, 3 * d.flash.page);
        }
        bootdev_quiet(&d);
        EXPECT_INT(picosuit_boot_init(&d.b, &d.flash, &d, running), PICOSUIT_OK);
        reads = d.reads;
        EXPECT(reads > 5);
        for (unsigned n = 1; n <= reads; n++) {
            bootdev_quiet(&d);
            d.read_fail_at = n;
            d.reads = 0;
            int st = picosuit_boot_init(&d.b, &d.flash, &d, running);
            if (st == PICOSUIT_OK) { /* it was read once more */
                EXPECT(!has_journal && d.b.rec.keys == 1 && d.b.rec.epoch == 2);
                continue;
            }
            EXPECT_INT(st, PICOSUIT_E_PLATFORM);
            EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_NONE);
            EXPECT(picosuit_boot_sequence(&d.b, &floor, digest) < 0);
            EXPECT_INT(d.ops, 0);
            EXPECT(bootdev_update(&d, "v5") < 0); /* by a */
            EXPECT_INT(d.commits, 0);
        }
        if (has_journal) {
            EXPECT(bootdev_newest(&d, &now) >= 0 && bootdev_is_record(&was, &now));
            EXPECT_INT(bootdev_update(&d, "v5b"), PICOSUIT_OK);
        }
    }
    BOOTDEV_OK(&d);
}

/* -- a platform that is not ready -- */

static void again_each(const char *name, unsigned g) {
    picosuit_boot_record want, got;
    unsigned running, ops;
    TEST(test_name("test_boot_again_each_%s", name));
    bootdev_factory(&d, g, "v1w");
    running = d.b.running;
    bootdev_save(&d);
    EXPECT_INT(bootdev_update(&d, name), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    ops = d.ops;
    bootdev_newest(&d, &want);
    bootdev_again(&d, running);
    d.again_each = 1;
    EXPECT_INT(bootdev_update(&d, name), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT(d.agains > 40 && d.agains * 2 == d.calls);
    EXPECT_INT(d.ops, ops);
    bootdev_newest(&d, &got);
    EXPECT(bootdev_is_record(&want, &got));
    BOOTDEV_OK(&d);
}

static void again_once(const char *name) {
    picosuit_boot_record want, got;
    unsigned running, before, calls;
    TEST(test_name("test_boot_again_once_%s", name));
    bootdev_factory(&d, 0, "v1w");
    running = d.b.running;
    EXPECT_INT(bootdev_transfer(&d, name), PICOSUIT_OK);
    before = d.calls;
    EXPECT_INT(bootdev_candidate(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    calls = d.calls - before;
    EXPECT(calls > 10);
    bootdev_newest(&d, &want);
    for (unsigned n = 1; n <= calls; n++) {
        bootdev_factory(&d, 0, "v1w");
        EXPECT_INT(bootdev_transfer(&d, name), PICOSUIT_OK);
        d.again_at = d.calls + n;
        EXPECT_INT(bootdev_candidate(&d), PICOSUIT_OK);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.agains, 1);
        bootdev_newest(&d, &got);
        EXPECT(bootdev_is_record(&want, &got));
    }
    EXPECT_INT(d.b.running, running ^ (want.slot != want.confirmed));
    BOOTDEV_OK(&d);
}

/* A check that said AGAIN is given up: the next update starts from what flash says. */
static void abandoned(void) {
    TEST("test_boot_abandoned_candidate");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
    for (unsigned n = 0; n < 3; n++) {
        d.again_at = d.calls + 4 + n;
        EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_AGAIN);
    }
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 2);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 2);
    TEST("test_boot_candidate_without_an_update");
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_quiet(&d);
    EXPECT_INT(picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_boot_begin(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(d.calls, 0);
    memset(&d.p, 0, sizeof d.p);
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_boot_select(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(bootdev_update(&d, "v2b"), PICOSUIT_E_AUTH);
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    TEST("test_boot_candidate_after_an_invocation");
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_candidate(&d.b, &d.p), PICOSUIT_E_STATE);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

void suite_boot_flash(void) {
    for (int kind = 0; kind < BOOTDEV_KINDS; kind++) {
        for (unsigned g = 0; g < 3; g++) {
            update_fails(g, kind, 0);
            confirm_fails(g, kind);
            select_fails(g, kind);
        }
        if (kind != BOOTDEV_LIE) {
            update_fails(0, kind, 1);
        }
    }
    reads_fail();
    reads_fail_for_long();
    again_each("v2", 0);
    again_each("ik5", 1);
    again_each("k3", 2);
    again_once("v2");
    again_once("ik2");
    again_once("k2");
    abandoned();
    calls_fail("v2");
    calls_fail("ik5");
    calls_fail("k2");
    calls_fail_for_good();
    no_fallback();
    withdrawal_fails();
    init_fails();
}
#else
void suite_boot_flash(void) {
} /* test_config */
#endif
