/* SPDX-License-Identifier: MIT
 *
 * The image that boots is the image that was verified: whatever changes in a slot, or is
 * missing in a manifest, it is not started, and the device goes back as J9 says.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>

static bootdev d;

/* -- one byte of a slot changes -- */

static const struct {
    const char *name;
    int from; /* of the image area, or (below 0) of the end of the slot, or (see area) */
    int area; /* 1: counts from the manifest area */
    int to;   /* first byte behind the class; 0: end of the slot */
    int code; /* of a candidate's rejection; OK: it does not matter */
} classes[] = {
    {"image", 0, 0, 500, PICOSUIT_E_CONDITION},
    {"behind_the_image", 500, 0, 512, PICOSUIT_E_TRAILING},
    {"identity", 0, 1, 32, PICOSUIT_OK},
    {"lengths", 32, 1, 48, PICOSUIT_E_TRUNCATED},
    {"tag_and_digest", 48, 1, 54, 1},
    {"protected_header", 98, 1, 110, 1},
    {"signature", 120, 1, 170, PICOSUIT_E_AUTH},
    {"manifest", 180, 1, 303, 1},
    {"behind_the_envelope", 303, 1, 0, PICOSUIT_E_TRAILING},
};

/* v1 confirmed and running, v2 waits or was confirmed. */
static unsigned prepare(unsigned g, int is_confirmed) {
    unsigned old;
    bootdev_factory(&d, g, "v1");
    old = d.b.running;
    if (is_confirmed) {
        bootdev_install(&d, "v2");
    } else {
        EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    }
    bootdev_save(&d);
    return old;
}

/* Place of byte i of a class in the slot, PICOSUIT_NO_ADDRESS: beyond its end. */
static uint32_t place(unsigned c, unsigned slot, uint32_t i) {
    uint32_t start = classes[c].area ? bootdev_manifest(&d, slot) : d.flash.slot[slot];
    uint32_t end = classes[c].to ? start + (uint32_t)classes[c].to
                                 : bootdev_manifest(&d, slot) + d.flash.manifest_size;
    uint32_t at = start + (uint32_t)classes[c].from + i;
    return at < end ? at : PICOSUIT_NO_ADDRESS;
}

static void candidate_changes(unsigned g, unsigned c, uint32_t step) {
    unsigned old = prepare(g, 0);
    TEST(test_name("test_boot_image_candidate_%s_%u", classes[c].name, g));
    for (uint32_t i = 0, at; (at = place(c, old ^ 1u, i)) != PICOSUIT_NO_ADDRESS;
         i += step) {
        bootdev_again(&d, PICOSUIT_NO_SLOT);
        d.c.cell[at] ^= (uint8_t)(1u << i % 8);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        if (classes[c].code == PICOSUIT_OK) {
            EXPECT_INT(d.b.running, old ^ 1u);
            continue;
        }
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
        EXPECT_INT(d.b.rec.has_rejected, 1);
        EXPECT_INT(d.b.rec.rejected, 2);
        EXPECT_INT(d.b.rec.floor, 1);
        EXPECT(classes[c].code == 1 ? d.b.rec.code < 0 : d.b.rec.code == classes[c].code);
    }
    BOOTDEV_OK(&d);
}

static void confirmed_changes(unsigned g, unsigned c, uint32_t step) {
    unsigned old = prepare(g, 1);
    TEST(test_name("test_boot_image_confirmed_%s_%u", classes[c].name, g));
    for (uint32_t i = 0, at; (at = place(c, old ^ 1u, i)) != PICOSUIT_NO_ADDRESS;
         i += step) {
        bootdev_again(&d, PICOSUIT_NO_SLOT);
        d.c.cell[at] ^= (uint8_t)(1u << i % 8);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        if (classes[c].code == PICOSUIT_OK) {
            EXPECT_INT(d.b.running, old ^ 1u);
            continue;
        }
        EXPECT_INT(d.b.running, old); /* the fallback, and the journal stays as it is */
        EXPECT_INT(d.b.rec.confirmed, old ^ 1u);
        EXPECT_INT(d.b.rec.floor, 2);
        EXPECT_INT(d.b.rec.has_rejected, 0);
        EXPECT_INT(d.ops, 0);
        at = place(c, old, i);
        d.c.cell[at] ^= (uint8_t)(1u << i % 8);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE); /* both */
        EXPECT_INT(d.address, PICOSUIT_NO_ADDRESS);
        EXPECT_INT(d.ops, 0);
    }
    BOOTDEV_OK(&d);
}

/* A candidate that was started already, and then changes. */
static void trial_changes(void) {
    unsigned old = prepare(0, 0);
    TEST("test_boot_image_changes_in_try");
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old ^ 1u);
    d.c.cell[d.flash.slot[old ^ 1u] + 7] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d.b.rec.code, PICOSUIT_E_CONDITION);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_E_REJECTED);
    bootdev_install(&d, "v3");
    TEST("test_boot_image_candidate_and_confirmed_change");
    bootdev_again(&d, PICOSUIT_NO_SLOT);
    d.c.cell[d.flash.slot[0] + 7] ^= 1;
    d.c.cell[d.flash.slot[1] + 7] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(d.b.rec.floor, 1);
    BOOTDEV_OK(&d);
}

/* -- from a fallback, or from nothing, forward again -- */

static void fallback(void) {
    unsigned old;
    TEST("test_boot_fallback_takes_the_next_update");
    old = prepare(0, 1);
    d.c.cell[d.flash.slot[old ^ 1u]] ^= 1;
    bootdev_save(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_E_STATE); /* v2 is the confirmed */
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(d.ops, 0);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.confirmed, old); /* the other one is no more */
    EXPECT_INT(d.b.rec.floor, 2);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.sequence, 3);
    EXPECT_INT(picosuit_boot_confirm(&d.b), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.floor, 3);
    TEST("test_boot_fallback_comes_back_after_a_trial");
    bootdev_restore(&d);
    d.flash.tries = 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old ^ 1u);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.floor, 2);
    TEST("test_boot_fallback_repairs_the_confirmed");
    bootdev_restore(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    bootdev_install(&d, "v2"); /* its number is the floor: a re-run */
    EXPECT_INT(d.b.running, old ^ 1u);
    TEST("test_boot_fallback_survives_an_abandoned_update");
    bootdev_restore(&d);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_transfer(&d, "v3"), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    BOOTDEV_OK(&d);
}

static void safe(void) {
    TEST("test_boot_safe_mode_with_a_journal_keeps_the_floor");
    (void)prepare(0, 1);
    d.c.cell[d.flash.slot[0]] ^= 1;
    d.c.cell[d.flash.slot[1]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    EXPECT_INT(d.b.running, PICOSUIT_NO_SLOT);
    bootdev_quiet(&d);
    EXPECT_INT(bootdev_update(&d, "v1"), PICOSUIT_E_ROLLBACK);
    EXPECT_INT(d.ops, 0);
    bootdev_install(&d, "v2");
    TEST("test_boot_safe_mode_takes_a_new_one");
    bootdev_restore(&d);
    d.c.cell[d.flash.slot[0]] ^= 1;
    d.c.cell[d.flash.slot[1]] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    bootdev_install(&d, "v3");
    EXPECT_INT(d.b.rec.floor, 3);
    TEST("test_boot_everything_destroyed");
    memset(d.c.cell, 0xa5, d.size);
    memset(d.c.done, 1, d.size);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE);
    bootdev_install(&d, "v1");
    BOOTDEV_OK(&d);
}

/* What stands behind the image stays there if the transfer finds its work done. */
static void mended(void) {
    unsigned old;
    TEST("test_boot_image_tail_is_mended_by_the_next_attempt");
    bootdev_factory(&d, 0, "v1");
    old = d.b.running;
    EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
    d.c.cell[d.flash.slot[old ^ 1u] + 505] ^= 1;
    EXPECT_INT(bootdev_candidate(&d), PICOSUIT_E_TRAILING);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.rec.has_rejected, 0);
    EXPECT_INT(bootdev_update(&d, "v2"), PICOSUIT_OK);
    BOOTDEV_OK(&d);
}

/* -- manifests that must not be booted: found before they are the candidate -- */

static const struct {
    const char *name;
    int stage;
    int code;
} manifests[] = {
    {"no_match", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"match_late", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"match_caught", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"no_invoke_section", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_INVOKE},
    {"no_invoke", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_INVOKE},
    {"no_device", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_CONDITION},
    {"empty", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_STATE},
    {"load_writes", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_PLATFORM},
    {"load_fetches", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_PLATFORM},
    {"other_only", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_STATE},
    {"invokes_keys", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"starts_keys", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"matches_keys", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
    {"matches_both", BOOTDEV_AT_CANDIDATE, PICOSUIT_E_DIGEST},
};

static void unbootable(void) {
    picosuit_boot_record was, now;
    unsigned old;
    for (unsigned i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        TEST(test_name("test_boot_manifest_%s_is_refused", manifests[i].name));
        bootdev_factory(&d, 0, "v1");
        old = d.b.running;
        bootdev_newest(&d, &was);
        EXPECT_INT(bootdev_update(&d, manifests[i].name), manifests[i].code);
        EXPECT_INT(d.stage, manifests[i].stage);
        EXPECT_INT(picosuit_boot_address(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
        bootdev_newest(&d, &now);
        EXPECT_MEM(&now, &was, sizeof was);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, old);
        EXPECT_INT(d.b.rec.has_rejected, 0);
        bootdev_install(&d, "v2");
        BOOTDEV_OK(&d);
    }
}

/* The same manifests, put into a slot by somebody who can write flash and a journal. */
static void planted(void) {
    for (unsigned i = 0; i < sizeof manifests / sizeof *manifests; i++) {
        picosuit_boot_record rec;
        const bootdev_envelope *e = bootdev_find(manifests[i].name);
        uint32_t head[4];
        uint8_t digest[32];
        TEST(test_name("test_boot_manifest_%s_is_not_started", manifests[i].name));
        bootdev_factory(&d, 0, "v1");
        int page = bootdev_newest(&d, &rec);
        unsigned other = d.b.running ^ 1u;
        uint32_t area = bootdev_manifest(&d, other);
        head[0] = (uint32_t)e->image_len;
        head[1] = ~head[0];
        head[2] = (uint32_t)e->len;
        head[3] = ~head[2];
        bootdev_erase(&d, d.flash.slot[other], d.flash.slot_size);
        memcpy(d.c.cell + d.flash.slot[other], e->image, e->image_len);
        memcpy(d.c.cell + area + 32, head, 16);
        memcpy(d.c.cell + area + 48, e->data, e->len);
        for (size_t from = 0; from + 3 < e->len;
             from++) { /* key 3: the manifest's bytes */
            if (memcmp(e->data + from, "\x03\x58", 2) == 0 &&
                from + 3 + e->data[from + 2] == e->len) {
                picosuit_sha256(digest, e->data + from + 1, e->len - from - 1);
            }
        }
        rec.counter++;
        rec.phase = PICOSUIT_BOOT_CAND;
        rec.slot = (uint8_t)other;
        rec.sequence = 2;
        memcpy(rec.other_digest, digest, 16);
        bootdev_seal(&rec);
        bootdev_put(&d, ((unsigned)page + 1) % 3, &rec);
        bootdev_quiet(&d);
        EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
        EXPECT_INT(d.b.running, other ^ 1u);
        if (manifests[i].code == PICOSUIT_E_PLATFORM) {
            continue; /* the port refused to write: no verdict about the image */
        }
        EXPECT_INT(d.b.rec.has_rejected, 1);
        EXPECT(d.b.rec.code < 0 && d.b.rec.code != PICOSUIT_E_AUTH &&
               d.b.rec.code != PICOSUIT_E_TRUNCATED);
        BOOTDEV_OK(&d);
    }
}

static void bootable(void) {
    static const char *const names[] = {"match_in_invoke", "match_in_load",
                                        "size_unset",      "v2w",
                                        "load_mends",      "other_too"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        TEST(test_name("test_boot_manifest_%s_is_started", names[i]));
        bootdev_factory(&d, 0, "v1");
        bootdev_install(&d, names[i]);
        EXPECT_INT(d.invoked, -1); /* the firmware has a context of its own */
        BOOTDEV_OK(&d);
    }
    TEST("test_boot_manifest_for_the_other_slot_is_refused");
    bootdev_factory(&d, 0, "v1");
    int st = bootdev_update(&d, d.b.running == 0 ? "slot_0" : "slot_1");
    EXPECT_INT(st, PICOSUIT_WITH_SLOTS ? PICOSUIT_E_CONDITION : PICOSUIT_E_PARAM);
    EXPECT_INT(d.stage, BOOTDEV_AT_CANDIDATE);
    TEST("test_boot_manifest_for_its_slot_is_started");
    if (PICOSUIT_WITH_SLOTS) {
        bootdev_install(&d, d.b.running == 0 ? "slot_1" : "slot_0");
    }
    BOOTDEV_OK(&d);
}

/* A slot whose content was signed, too: it is not what the journal means. */
static void other_image(void) {
    static bootdev_cells other;
    picosuit_boot_record rec;
    unsigned old;
    TEST("test_boot_other_signed_image_is_not_started");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_update(&d, "v3"), PICOSUIT_OK);
    other = d.c;
    old = prepare(0, 1);
    EXPECT_INT(d.b.running, old ^ 1u);
    uint32_t at = d.flash.slot[old ^ 1u];
    memcpy(d.c.cell + at, other.cell + at, d.flash.slot_size);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    bootdev_restore(&d);
    memcpy(d.c.cell + d.flash.slot[old], bootdev_saved.cell + at, d.flash.slot_size);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old ^ 1u); /* the fallback is not looked at */
    d.c.cell[at] ^= 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_SAFE); /* v2 is not the fallback: v1 was */
    TEST("test_boot_other_signed_image_is_no_candidate");
    (void)prepare(0, 0);
    memcpy(d.c.cell + at, other.cell + at, d.flash.slot_size);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.code, PICOSUIT_E_DIGEST);
    bootdev_newest(&d, &rec);
    EXPECT_INT(rec.phase, PICOSUIT_BOOT_IDLE);
    BOOTDEV_OK(&d);
}

/* The length of the stored envelope is wrong, with its inverse. */
static void envelope_length(int more, int code) {
    uint32_t head[4];
    unsigned old = prepare(0, 0);
    TEST(test_name("test_boot_stored_envelope_length_%s_%d", more < 0 ? "less" : "more",
                   more < 0 ? -more : more));
    uint32_t at = bootdev_manifest(&d, old ^ 1u) + PICOSUIT_MANIFEST_LEN;
    memcpy(head, d.c.cell + at, sizeof head);
    head[2] = more == 0 ? 0 : head[2] + (uint32_t)more;
    head[3] = ~head[2];
    memcpy(d.c.cell + at, head, sizeof head);
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, old);
    EXPECT_INT(d.b.rec.code, code);
    BOOTDEV_OK(&d);
}

/* A load section may not touch flash of the boot state, neither in a check nor at a boot.
 */
static void load_writes(void) {
    unsigned slot;
    TEST("test_boot_load_section_does_not_mend_the_slot");
    bootdev_factory(&d, 0, "v1");
    bootdev_install(&d, "load_mends");
    slot = d.b.running;
    bootdev_quiet(&d);
    d.c.cell[d.flash.slot[slot] + 3] ^= 4;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(d.b.running, slot ^ 1u);
    EXPECT_INT(d.ops, 0);
    BOOTDEV_OK(&d);
}

/* -- the last question before the jump -- */

static uint32_t address_of(const picosuit_boot *b, const picosuit *p) {
    return picosuit_boot_address(b, p);
}

/* Every single bit of what says "bootable" and "verified". */
static void patterns(void) {
    static picosuit p;
    picosuit_boot b;
    unsigned n = 0;
    TEST("test_boot_address_asks_every_pattern");
    bootdev_factory(&d, 0, "v1");
    EXPECT_INT(bootdev_select(&d), PICOSUIT_OK);
    EXPECT_INT(address_of(&d.b, &d.p), d.flash.slot[d.b.running]);
    for (unsigned bit = 0; bit < 32; bit++) {
        b = d.b;
        b.bootable ^= 1u << bit;
        n += address_of(&b, &d.p) == PICOSUIT_NO_ADDRESS;
        p = d.p;
        p.verified ^= 1u << bit;
        n += address_of(&d.b, &p) == PICOSUIT_NO_ADDRESS;
    }
    EXPECT_INT(n, 64);
    n = 0;
    for (unsigned v = 0; v < 256; v++) {
        b = d.b;
        b.running = (uint8_t)v;
        n += v == d.b.running || address_of(&b, &d.p) == PICOSUIT_NO_ADDRESS;
        p = d.p;
        p.state = (uint8_t)v;
        n += v == d.p.state || address_of(&d.b, &p) == PICOSUIT_NO_ADDRESS;
        p = d.p;
        p.procedure = (uint8_t)v;
        n += v == d.p.procedure || address_of(&d.b, &p) == PICOSUIT_NO_ADDRESS;
        p = d.p;
        p.has_invoked = (uint8_t)v;
        n += v == d.p.has_invoked || address_of(&d.b, &p) == PICOSUIT_NO_ADDRESS;
    }
    EXPECT_INT(n, 4 * 256);
    b = d.b;
    b.bootable = 0;
    EXPECT_INT(address_of(&b, &d.p), PICOSUIT_NO_ADDRESS);
    b.bootable = 0xffffffffu;
    EXPECT_INT(address_of(&b, &d.p), PICOSUIT_NO_ADDRESS);
    b.bootable = 1;
    EXPECT_INT(address_of(&b, &d.p), PICOSUIT_NO_ADDRESS);
}

/* At no other time is there anything to start. */
static void no_address(void) {
    unsigned bad = 0;
    TEST("test_boot_address_before_select");
    bootdev_factory(&d, 0, "v1");
    bootdev_wake(&d, PICOSUIT_NO_SLOT);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
    (void)!picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
    TEST("test_boot_address_in_the_middle_of_select");
    d.again_each = 1;
    while (picosuit_boot_select(&d.b, &d.p) == PICOSUIT_AGAIN) {
        bad += address_of(&d.b, &d.p) != PICOSUIT_NO_ADDRESS;
    }
    EXPECT_INT(bad, 0);
    EXPECT_INT(address_of(&d.b, &d.p), d.flash.slot[0]);
    TEST("test_boot_address_after_init");
    (void)!picosuit_init(&d.p, &d.platform, &d, d.work, d.work_len);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
    TEST("test_boot_address_after_an_update");
    d.again_each = 0;
    d.as_loader = 1;
    EXPECT_INT(bootdev_boot(&d), PICOSUIT_OK);
    EXPECT_INT(bootdev_transfer(&d, "v2"), PICOSUIT_OK);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
    EXPECT_INT(bootdev_candidate(&d), PICOSUIT_OK);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
    TEST("test_boot_address_in_safe_mode");
    bootdev_new(&d, 0);
    EXPECT_INT(bootdev_select(&d), PICOSUIT_SAFE);
    EXPECT_INT(address_of(&d.b, &d.p), PICOSUIT_NO_ADDRESS);
}

void suite_boot_image(void) {
    for (unsigned c = 0; c < sizeof classes / sizeof *classes; c++) {
        candidate_changes(0, c, classes[c].from == 0 && !classes[c].area ? 31 : 5);
        confirmed_changes(1, c, classes[c].from == 0 && !classes[c].area ? 31 : 5);
    }
    confirmed_changes(2, 0, 97);
    candidate_changes(2, 8, 97);
    trial_changes();
    fallback();
    safe();
    mended();
    unbootable();
    planted();
    bootable();
    other_image();
    envelope_length(1, PICOSUIT_E_TRAILING);
    envelope_length(100, PICOSUIT_E_TRAILING);
    envelope_length(-1, PICOSUIT_E_TRUNCATED);
    envelope_length(-200, PICOSUIT_E_TRUNCATED);
    envelope_length(0, PICOSUIT_E_TRUNCATED);
    envelope_length(1000, PICOSUIT_E_TRUNCATED);
    load_writes();
    patterns();
    no_address();
}
#else
void suite_boot_image(void) {
} /* test_config */
#endif
