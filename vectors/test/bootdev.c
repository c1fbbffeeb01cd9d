/* SPDX-License-Identifier: MIT */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdio.h>
#include <stdlib.h>

#include "../../bench/m0/device_slots.c"

#define ENVELOPES 96
#define SETS 24
#define ROUNDS 20000 /* calls, then it hangs */

/* -- vectors -- */

static bootdev_envelope envelopes[ENVELOPES];
static size_t envelope_n;
static struct {
    char name[40];
    const uint8_t *data;
    size_t len;
} sets[SETS];
static size_t set_n;

static const uint8_t *set_of(const char *file, size_t *len) {
    for (size_t i = 0; i < set_n; i++) {
        if (strcmp(sets[i].name, file) == 0) {
            *len = sets[i].len;
            return sets[i].data;
        }
    }
    snprintf(sets[set_n].name, sizeof sets[set_n].name, "%s", file);
    sets[set_n].data = file_load(file, &sets[set_n].len);
    *len = sets[set_n].len;
    return sets[set_n++].data;
}

const uint8_t *bootdev_set(const char *name, size_t *len) {
    char file[40];
    snprintf(file, sizeof file, "boot/set_%s.cbor", name);
    return set_of(file, len);
}

static const uint8_t *image_of(const char *text, size_t *len) {
    static uint8_t buf[8192];
    char *rest;
    *len = strtoul(text, &rest, 10);
    unsigned long seed = strtoul(rest, NULL, 10);
    for (size_t i = 0; i < *len && i < sizeof buf; i++) {
        buf[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13);
    }
    return guard_copy(buf, *len);
}

static void load_index(void) {
    vec v;
    for (vec_open(&v, "boot/index.txt"); vec_next(&v) && envelope_n < ENVELOPES;) {
        bootdev_envelope *e = &envelopes[envelope_n++];
        snprintf(e->name, sizeof e->name, "%s", vec_get(&v, "name"));
        e->data = file_load(vec_get(&v, "file"), &e->len);
        e->sequence = strtoull(vec_get(&v, "sequence"), NULL, 10);
        if (vec_has(&v, "image")) {
            e->image = image_of(vec_get(&v, "image"), &e->image_len);
        }
        if (vec_has(&v, "keys")) {
            e->keys = set_of(vec_get(&v, "keys"), &e->keys_len);
        }
    }
}

const bootdev_envelope *bootdev_find(const char *name) {
    if (envelope_n == 0) {
        load_index();
    }
    for (size_t i = 0; i < envelope_n; i++) {
        if (strcmp(envelopes[i].name, name) == 0) {
            return &envelopes[i];
        }
    }
    fprintf(stderr, "no envelope %s in boot/index.txt\n", name);
    exit(2);
}

/* -- rules -- */

void bootdev_broken(bootdev *d, const char *why) {
    if (d->bad++ == 0) {
        snprintf(d->why, sizeof d->why, "%s (operation %u)", why, d->ops);
    }
}

static void rule(bootdev *d, int holds, const char *why) {
    if (!holds) {
        bootdev_broken(d, why);
    }
}

void bootdev_expect(bootdev *d, const char *file, int line) {
    test_expect(d->bad == 0, d->bad == 0 ? "no rule is broken" : d->why, file, line);
}

/* -- journal records, by a CRC of its own -- */

static uint32_t crc32(const uint8_t *data, size_t len) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static uint32_t record_crc(const picosuit_boot_record *rec) {
    return crc32((const uint8_t *)rec, offsetof(picosuit_boot_record, crc));
}

void bootdev_seal(picosuit_boot_record *rec) {
    rec->version = 1;
    rec->crc = record_crc(rec);
}

unsigned bootdev_journal_pages(const bootdev *d) {
    return d->flash.journal_pages;
}

/* 0, 1, or none. */
static int is_page(uint8_t value) {
    return value < 2 || value == 255;
}

int bootdev_record(const bootdev *d, unsigned page, picosuit_boot_record *rec) {
    memcpy(rec, d->c.cell + d->flash.journal + page * d->flash.page, sizeof *rec);
    return rec->version == 1 && rec->crc == record_crc(rec) && rec->counter > 0 &&
           rec->phase >= PICOSUIT_BOOT_IDLE && rec->phase <= PICOSUIT_BOOT_FRESH &&
           rec->slot < 2 && is_page(rec->confirmed) && is_page(rec->keys) &&
           is_page(rec->new_keys);
}

int bootdev_newest(const bootdev *d, picosuit_boot_record *rec) {
    picosuit_boot_record one;
    int found = -1;
    memset(rec, 0, sizeof *rec);
    for (unsigned i = 0; i < d->flash.journal_pages; i++) {
        if (bootdev_record(d, i, &one) && (found < 0 || one.counter > rec->counter)) {
            *rec = one;
            found = (int)i;
        }
    }
    return found;
}

void bootdev_put(bootdev *d, unsigned page, const picosuit_boot_record *rec) {
    uint32_t off = d->flash.journal + page * d->flash.page;
    bootdev_erase(d, off, d->flash.page);
    memcpy(d->c.cell + off, rec, sizeof *rec);
    memset(d->c.done + off, 1, sizeof *rec);
}

/* Valid records newer than that of a page. */
static unsigned newer_than(const bootdev *d, unsigned page) {
    picosuit_boot_record one, other;
    unsigned n = 0;
    if (!bootdev_record(d, page, &one)) {
        return 9;
    }
    for (unsigned i = 0; i < d->flash.journal_pages; i++) {
        n += i != page && bootdev_record(d, i, &other) && other.counter > one.counter;
    }
    return n;
}

/* -- flash -- */

static int within(uint32_t off, uint32_t start, uint32_t len) {
    return off >= start && off - start < len;
}

void bootdev_erase(bootdev *d, uint32_t off, uint32_t len) {
    memset(d->c.cell + off, d->flash.erased, len);
    memset(d->c.done + off, 0, len);
}

uint32_t bootdev_manifest(const bootdev *d, unsigned slot) {
    return d->flash.slot[slot] + d->flash.slot_size - d->flash.manifest_size;
}

static int goes_wrong(bootdev *d) {
    d->ops++;
    return d->fail_at != 0 &&
           (d->ops == d->fail_at || (d->fail_on && d->ops > d->fail_at));
}

static int model_read(void *dev, uint32_t off, uint8_t *buf, size_t cap) {
    bootdev *d = (bootdev *)dev;
    d->reads++;
    if (off > d->size || cap > d->size - off) {
        bootdev_broken(d, "read outside the flash");
        return BOOTDEV_FAIL;
    }
    if (d->read_fail_at != 0 && (d->reads == d->read_fail_at ||
                                 (d->read_fail_on && d->reads > d->read_fail_at))) {
        return BOOTDEV_FAIL;
    }
    memcpy(buf, d->c.cell + off, cap);
    if (d->reads == d->flip_at && cap > 0) {
        buf[cap * d->flip_where / 8] ^= 0x04;
    }
    return 0;
}

static void may_erase(bootdev *d, uint32_t off) {
    const picosuit_flash *f = &d->flash;
    picosuit_boot_record now;
    int page = bootdev_newest(d, &now);
    unsigned other;
    if (within(off, f->journal, f->journal_pages * f->page)) {
        rule(d, newer_than(d, (off - f->journal) / f->page) + 1u >= f->journal_pages,
             "erased a journal page that is needed");
    }
    if (page < 0) {
        return;
    }
    for (unsigned slot = 0; slot < 2; slot++) {
        if (within(off, f->slot[slot], f->slot_size)) {
            other = slot ^ 1u;
            rule(d, d->b.running != slot, "erased the running slot");
            rule(d, now.confirmed != slot || d->b.running == other,
                 "erased the confirmed slot");
        }
    }
    rule(d, now.keys > 1 || !within(off, f->keys + now.keys * f->page, f->page),
         "erased the key set in force");
}

static int model_erase(void *dev, uint32_t off) {
    bootdev *d = (bootdev *)dev;
    uint32_t page = d->flash.page;
    d->erases++;
    if (off % page != 0 || off >= d->size) {
        bootdev_broken(d, "erased what is no page");
        return BOOTDEV_FAIL;
    }
    may_erase(d, off);
    if (!goes_wrong(d)) {
        bootdev_erase(d, off, page);
        return 0;
    }
    switch (d->fail_kind) {
    case BOOTDEV_DONE: bootdev_erase(d, off, page); break;
    case BOOTDEV_HALF: bootdev_erase(d, off, page / 2); break;
    case BOOTDEV_LIE:
        bootdev_erase(d, off, page);
        d->c.cell[off + page - 1] ^= 1;
        return 0;
    default: break;
    }
    return BOOTDEV_FAIL;
}

static void model_program(bootdev *d, uint32_t off, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        rule(d, !d->c.done[off + i], "programmed a unit twice");
    }
    memcpy(d->c.cell + off, data, len);
    memset(d->c.done + off, 1, len);
}

/* A record became valid: what may change in it. */
static void judge_commit(bootdev *d, const picosuit_boot_record *was, int had,
                         const picosuit_boot_record *now) {
    int is_fresh = now->phase == PICOSUIT_BOOT_FRESH;
    d->commits++;
    if (!had) {
        return;
    }
    rule(d, now->counter > was->counter, "a record without a higher counter");
    rule(d, now->floor >= was->floor, "the floor fell");
    rule(d, now->epoch >= was->epoch, "the key epoch fell");
    rule(d, now->floor == was->floor || is_fresh, "the floor rose without confirm");
    rule(d,
         (now->epoch == was->epoch && now->keys == was->keys) || is_fresh || d->is_lost,
         "the keys were switched without confirm");
    rule(d,
         now->confirmed == was->confirmed || is_fresh ||
             (now->phase == PICOSUIT_BOOT_CAND && d->b.running == now->confirmed),
         "another confirmed slot without confirm");
}

static int model_write(void *dev, uint32_t off, const uint8_t *data, size_t len) {
    bootdev *d = (bootdev *)dev;
    picosuit_boot_record was, now;
    int had = bootdev_newest(d, &was);
    d->writes++;
    if (off > d->size || len > d->size - off || len == 0 || off % d->flash.unit != 0 ||
        len % d->flash.unit != 0) {
        bootdev_broken(d, "programmed what are no units");
        return BOOTDEV_FAIL;
    }
    if (goes_wrong(d)) {
        size_t part = d->fail_kind == BOOTDEV_NOT_DONE ? 0
                      : d->fail_kind == BOOTDEV_HALF   ? len / 2
                                                       : len;
        model_program(d, off, data, part);
        if (d->fail_kind != BOOTDEV_LIE) {
            return BOOTDEV_FAIL;
        }
        d->c.cell[off + len / 2] ^= 0x10;
    } else {
        model_program(d, off, data, len);
    }
    if (bootdev_newest(d, &now) != had) {
        judge_commit(d, &was, had >= 0, &now);
    }
    return 0;
}

/* -- platform -- */

static int enter(bootdev *d, int callback, unsigned what) {
    unsigned question = 1u + (unsigned)callback + 16u * what;
    d->calls++;
    rule(d, d->asked == 0 || d->asked == question, "another question after AGAIN");
    if (d->calls == d->again_at || (d->again_each && d->asked == 0)) {
        d->asked = question;
        d->agains++;
        return PICOSUIT_AGAIN;
    }
    d->asked = 0;
    d->by[callback]++;
    return d->calls == d->call_fail_at ? BOOTDEV_FAIL : 0;
}

static int cb_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                  picosuit_key *out) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_KEY, n);
    return st != 0 ? st : picosuit_boot_key(&d->b, purpose, n, kid, kid_len, out);
}

static int cb_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                        uint8_t *handle, uint8_t *kind) {
    static const uint8_t keys[] = {0x81, 0x44, 'k', 'e', 'y', 's'};
    static const uint8_t image[] = {0x81, 0x41, 0x00}, other[] = {0x81, 0x41, 'x'};
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_COMPONENT, (unsigned)id_len);
    (void)signer;
    if (st != 0) {
        return st;
    }
    *kind = PICOSUIT_STORED;
    if (id_len == sizeof image && memcmp(id, image, id_len) == 0) {
        *handle = PICOSUIT_AREA_IMAGE;
        return 1;
    }
    if (id_len == sizeof other && memcmp(id, other, id_len) == 0) {
        *handle = BOOTDEV_OTHER;
        return 1;
    }
    if (id_len == sizeof keys && memcmp(id, keys, id_len) == 0) {
        *handle = PICOSUIT_AREA_KEYS;
        *kind |= PICOSUIT_KIND_KEYS;
        return 1;
    }
    return 0;
}

static int cb_identity(void *dev, unsigned component, int what, unsigned n,
                       uint8_t *buf) {
    static const uint8_t id[2][16] = {{0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                       0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe},
                                      {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                       0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45}};
    int st = enter((bootdev *)dev, BOOTDEV_IDENTITY, (unsigned)what);
    (void)component;
    if (st != 0) {
        return st;
    }
    if (n != 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, id[what == PICOSUIT_ID_CLASS], 16);
    return 1;
}

static int cb_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_SLOT, component);
    (void)component;
    (void)procedure;
    *out = picosuit_boot_slot(&d->b);
    return st;
}

static int cb_size(void *dev, unsigned component, uint32_t *stored, uint32_t *capacity) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_SIZE, component);
    if (st == 0 && component == BOOTDEV_OTHER) {
        *stored = d->other_len;
        *capacity = sizeof d->other;
        return 0;
    }
    return st != 0 ? st : device_slots_size(&d->slots, component, stored, capacity);
}

static int cb_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                   size_t cap) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_READ, component + 2u * off);
    if (st == 0 && component == BOOTDEV_OTHER) {
        memcpy(buf, d->other + off, cap);
        return 0;
    }
    return st != 0 ? st : device_slots_read(&d->slots, component, off, buf, cap);
}

static int cb_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                    uint32_t *have) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_BEGIN, component);
    if (st == 0 && component == BOOTDEV_OTHER) {
        *have = 0;
        return 0;
    }
    return st != 0 ? st : device_slots_begin(&d->slots, component, size, id, have);
}

static int cb_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                    size_t len) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_WRITE, component + 2u * off);
    if (st == 0 && component == BOOTDEV_OTHER) {
        memcpy(d->other + off, data, len);
        d->other_len = (uint32_t)(off + len);
        return 0;
    }
    return st != 0 ? st : device_slots_write(&d->slots, component, off, data, len);
}

static int cb_end(void *dev, unsigned component, int good) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_END, component);
    if (st == 0 && component == BOOTDEV_OTHER) {
        return 0;
    }
    return st != 0 ? st : device_slots_end(&d->slots, component, good);
}

static int cb_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_INVOKE, component);
    (void)data;
    (void)len;
    if (st == 0) {
        d->invoked = (int)component;
    }
    return st;
}

static int cb_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    bootdev *d = (bootdev *)dev;
    int st = enter(d, BOOTDEV_SEQUENCE, 0);
    return st != 0 ? st : picosuit_boot_sequence(&d->b, floor, digest);
}

/* -- a device -- */

/* Slots of the first one begin at offset 0, where the journal of the others is. */
static const struct {
    uint16_t page;
    uint8_t unit, erased, journal_pages, image_pages, manifest_pages, slots_first;
} geometries[BOOTDEV_GEOMETRIES] = {
    {256, 4, 0xff, 3, 2, 2, 1},  {256, 8, 0x00, 3, 2, 2, 0},  {1024, 4, 0xff, 2, 1, 1, 0},
    {1024, 1, 0x00, 3, 1, 1, 1}, {4096, 2, 0xff, 3, 1, 1, 0}, {4096, 8, 0xff, 2, 1, 1, 1},
    {256, 2, 0x00, 2, 2, 2, 0},
};

static void place(bootdev *d, unsigned g) {
    picosuit_flash *f = &d->flash;
    uint32_t page = geometries[g].page, at = 0;
    uint32_t pages = geometries[g].image_pages + geometries[g].manifest_pages + 0u;
    f->slot_size = pages * page;
    f->manifest_size = geometries[g].manifest_pages * page;
    f->journal_pages = geometries[g].journal_pages;
    if (!geometries[g].slots_first) {
        f->journal = 0;
        f->keys = f->journal_pages * page;
        at = f->keys + 2 * page;
    }
    f->slot[0] = at;
    f->slot[1] = at + f->slot_size;
    at += 2 * f->slot_size;
    if (geometries[g].slots_first) {
        f->journal = at;
        f->keys = at + f->journal_pages * page;
        at = f->keys + 2 * page;
    }
    d->size = at;
}

void bootdev_new(bootdev *d, unsigned geometry) {
    static const uint8_t component[] = {0x81, 0x41, 0x00};
    size_t len;
    memset(d, 0, sizeof *d);
    d->flash.read = model_read;
    d->flash.write = model_write;
    d->flash.erase = model_erase;
    d->flash.factory = bootdev_set("a", &len);
    d->flash.factory_len = (uint16_t)len;
    d->flash.component = component;
    d->flash.component_len = sizeof component;
    d->flash.page = geometries[geometry].page;
    d->flash.unit = geometries[geometry].unit;
    d->flash.erased = geometries[geometry].erased;
    d->flash.tries = 3;
    place(d, geometry);
    d->platform.key = cb_key;
    d->platform.component = cb_component;
    d->platform.identity = cb_identity;
    d->platform.slot = cb_slot;
    d->platform.size = cb_size;
    d->platform.read = cb_read;
    d->platform.begin = cb_begin;
    d->platform.write = cb_write;
    d->platform.end = cb_end;
    d->platform.invoke = cb_invoke;
    d->platform.sequence = cb_sequence;
    d->work_len = sizeof d->work;
    d->address = PICOSUIT_NO_ADDRESS;
    bootdev_erase(d, 0, d->size);
    bootdev_wake(d, PICOSUIT_NO_SLOT);
}

void bootdev_quiet(bootdev *d) {
    d->fail_at = d->read_fail_at = d->again_at = d->call_fail_at = d->flip_at = 0;
    d->fail_kind = d->fail_on = d->read_fail_on = d->again_each = 0;
    d->ops = d->erases = d->writes = d->reads = d->calls = d->agains = d->commits = 0;
    memset(d->by, 0, sizeof d->by);
    d->asked = 0;
}

bootdev_cells bootdev_saved;

void bootdev_save(const bootdev *d) {
    bootdev_saved = d->c;
}

void bootdev_restore(bootdev *d) {
    d->c = bootdev_saved;
}

void bootdev_again(bootdev *d, unsigned running) {
    bootdev_restore(d);
    bootdev_quiet(d);
    bootdev_wake(d, running);
}

int bootdev_is_record(const picosuit_boot_record *a, const picosuit_boot_record *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static int init_processor(bootdev *d) {
    int st;
    do {
        st = picosuit_init(&d->p, &d->platform, d, d->work, d->work_len);
    } while (st == PICOSUIT_AGAIN);
    return st;
}

/* What is in memory is lost. */
static void lose_memory(bootdev *d) {
    memset(&d->b, 0x5a, sizeof d->b);
    memset(&d->p, 0, sizeof d->p);
    memset(&d->slots, 0, sizeof d->slots);
    d->slots.boot = &d->b;
    d->asked = 0;
    d->invoked = -1;
}

void bootdev_wake(bootdev *d, unsigned running) {
    lose_memory(d);
    if (picosuit_boot_init(&d->b, &d->flash, d, running) != PICOSUIT_OK) {
        bootdev_broken(d, "boot_init");
    }
}

int bootdev_select(bootdev *d) {
    int st = PICOSUIT_E_PLATFORM;
    lose_memory(d);
    d->address = PICOSUIT_NO_ADDRESS;
    if (picosuit_boot_init(&d->b, &d->flash, d, PICOSUIT_NO_SLOT) != PICOSUIT_OK ||
        init_processor(d) != PICOSUIT_OK) {
        return st;
    }
    for (unsigned n = 0; n < ROUNDS; n++) {
        st = picosuit_boot_select(&d->b, &d->p);
        if (st != PICOSUIT_AGAIN) {
            d->address = picosuit_boot_address(&d->b, &d->p);
            return st;
        }
    }
    return BOOTDEV_HUNG;
}

int bootdev_boot(bootdev *d) {
    int st = bootdev_select(d);
    unsigned slot = PICOSUIT_NO_SLOT;
    for (unsigned i = 0; i < 2; i++) {
        slot = st == PICOSUIT_OK && d->address == d->flash.slot[i] ? i : slot;
    }
    rule(d, (st == PICOSUIT_OK) == (slot != PICOSUIT_NO_SLOT), "address and status");
    rule(d, d->b.running == slot, "running and address");
    if (slot != PICOSUIT_NO_SLOT && !d->as_loader) {
        bootdev_wake(d, slot);
    }
    return st;
}

/* Gives what is fetched; then the procedure goes on. */
static int serve(bootdev *d) {
    const uint8_t *data = NULL;
    size_t len = 0, used;
    picosuit_fetch f;
    int st = picosuit_get_fetch(&d->p, &f);
    if (st != PICOSUIT_OK || f.where != PICOSUIT_WHERE_URI || f.uri_len != 1) {
        return BOOTDEV_HUNG;
    }
    data = f.uri[0] == 'i' ? d->sent->image : d->sent->keys;
    len = f.uri[0] == 'i' ? d->sent->image_len : d->sent->keys_len;
    for (size_t at = f.offset; at < len; at += used) {
        st = picosuit_payload(&d->p, data + at, len - at, &used);
        if (st != PICOSUIT_MORE && st != PICOSUIT_AGAIN) {
            return st;
        }
    }
    do {
        st = picosuit_payload_end(&d->p, 1);
    } while (st == PICOSUIT_AGAIN);
    return st;
}

static int feed(bootdev *d) {
    size_t used = 0, at = 0;
    int st = PICOSUIT_MORE;
    while (st == PICOSUIT_MORE || st == PICOSUIT_AGAIN) {
        st = picosuit_feed(&d->p, d->sent->data + at, d->sent->len - at, &used);
        at += used;
        if (st == PICOSUIT_MORE && at == d->sent->len) {
            return BOOTDEV_HUNG;
        }
    }
    return st;
}

int bootdev_transfer(bootdev *d, const char *name) {
    int st;
    d->sent = bootdev_find(name);
    d->stage = BOOTDEV_AT_FEED;
    d->asked = 0; /* whatever was under way is given up */
    device_slots_reset(&d->slots);
    st = init_processor(d);
    if (st == PICOSUIT_OK) {
        st = feed(d);
    }
    if (st != PICOSUIT_READY) {
        return st;
    }
    d->stage = BOOTDEV_AT_BEGIN;
    do {
        st = picosuit_boot_begin(&d->b, &d->p);
    } while (st == PICOSUIT_AGAIN);
    if (st != PICOSUIT_OK) {
        return st;
    }
    d->stage = BOOTDEV_AT_RUN;
    st = PICOSUIT_AGAIN;
    while (st == PICOSUIT_AGAIN || st == PICOSUIT_FETCH) {
        st = st == PICOSUIT_FETCH ? serve(d) : picosuit_run(&d->p);
    }
    return st;
}

int bootdev_candidate(bootdev *d) {
    int st = BOOTDEV_HUNG;
    d->stage = BOOTDEV_AT_CANDIDATE;
    for (unsigned n = 0; n < ROUNDS; n++) {
        st = picosuit_boot_candidate(&d->b, &d->p);
        if (st != PICOSUIT_AGAIN) {
            return st;
        }
    }
    return BOOTDEV_HUNG;
}

int bootdev_update(bootdev *d, const char *name) {
    int st = bootdev_transfer(d, name);
    return st == PICOSUIT_OK ? bootdev_candidate(d) : st;
}

void bootdev_install(bootdev *d, const char *name) {
    EXPECT_INT(bootdev_update(d, name), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(d), PICOSUIT_OK);
    EXPECT_INT(picosuit_boot_confirm(&d->b), PICOSUIT_OK);
    EXPECT_INT(bootdev_boot(d), PICOSUIT_OK);
    EXPECT_INT(d->b.rec.phase, PICOSUIT_BOOT_IDLE);
    EXPECT_INT(d->b.rec.floor, d->sent->sequence);
}

void bootdev_factory(bootdev *d, unsigned geometry, const char *name) {
    bootdev_new(d, geometry);
    EXPECT_INT(bootdev_boot(d), PICOSUIT_SAFE);
    bootdev_install(d, name);
    bootdev_quiet(d);
}
#endif
