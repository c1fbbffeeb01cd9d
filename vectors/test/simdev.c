/* SPDX-License-Identifier: MIT
 *
 * The simulated device: flash that keeps to its rules, a port that begins and resumes as
 * docs/porting.md says, and the loop of a device. See simdev.h.
 */
#include "simdev.h"
#include "diag.h"
#include "simcase.h"

#define ID_AT 0   /* manifest page: identity of the transfer, 32 bytes */
#define LEN_AT 32 /* then the length of the closed content, 4 bytes */

static const uint8_t vendor_id[16] = {0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                      0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe};
static const uint8_t class_id[16] = {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                     0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45};
/* UUID version 5 of "device-1" in the vendor's name space */
static const uint8_t device_id[16] = {0x86, 0xfb, 0x4d, 0xa0, 0x71, 0xef, 0x58, 0x37,
                                      0xa9, 0x7f, 0x29, 0x2e, 0x42, 0x7c, 0xc7, 0x8f};

/* Handles 32 to 63 are identifiers of one byte, the handle itself. */
static const struct {
    const char *id;
    size_t id_len;
    uint8_t kind;
    uint32_t capacity;
} parts[14] = {
    {"\x81\x41\x00", 3, PICOSUIT_STORED, 8192},
    {"\x81\x41\x01", 3, PICOSUIT_STORED, 8192},
    {"\x81\x41\x02", 3, PICOSUIT_STORED, 8192},
    {"\x81\x45stage", 7, PICOSUIT_STORED, 16384},
    {"\x81\x41t", 3, PICOSUIT_TRANSIENT, 0},
    {"\x81\x47trusted", 9, PICOSUIT_TRUSTED, 8192},
    {"\x81\x44keys", 6, PICOSUIT_STORED | PICOSUIT_KIND_KEYS, 1024},
    {"\x81\x46"
     "denied",
     8, PICOSUIT_STORED, 1024},
    {"\x81\x41u", 3, PICOSUIT_TRANSIENT, 0},
    {"\x80", 1, PICOSUIT_STORED, 1024},
    {"\x84\x43usr\x43"
     "bin\x43"
     "env\x58\x40",
     79, PICOSUIT_STORED, 1024}, /* h'00..3f' */
    {"\x81\x40", 2, PICOSUIT_STORED, 1024},
    {"\x82\x42"
     "ab\x41"
     "c",
     6, PICOSUIT_STORED, 1024},
    {"\x82\x41"
     "a\x42"
     "bc",
     6, PICOSUIT_STORED, 1024},
};

void sim_broken(sim *s, const char *why) {
    if (s->bad++ == 0) {
        snprintf(s->why, sizeof s->why, "%s", why);
    }
}

static void rule(sim *s, int holds, const char *what) {
    if (!holds) {
        sim_broken(s, what);
    }
}

void sim_pattern(uint8_t *buf, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(i * 7 + seed * 31 + (i >> 8));
    }
}

/* -- flash -- */

/* One flash operation; 0 if the power is gone. */
static int tick(sim *s) {
    if (s->dead || (s->cut_at != 0 && s->ops == s->cut_at)) {
        s->dead = 1;
        return 0;
    }
    s->ops++;
    return 1;
}

static uint8_t *torn(sim *s, const sim_flash *f, uint32_t at) {
    return &s->torn[(f->base + at) / SIM_PAGE_MIN];
}

static void clear(sim *s, const sim_flash *f, uint32_t at, uint32_t len) {
    memset(s->cell + f->base + at, s->erased, len);
    memset(s->done + (f->base + at) / SIM_UNIT, 0, len / SIM_UNIT);
}

/* A page is erased in two steps, between which it is half old and of no use. */
static void erase(sim *s, const sim_flash *f, uint32_t at) {
    uint32_t half = s->page / 2;
    if (!tick(s)) {
        return;
    }
    clear(s, f, at, half);
    *torn(s, f, at) = 1;
    if (!tick(s)) {
        return;
    }
    clear(s, f, at + half, s->page - half);
    *torn(s, f, at) = 0;
    s->n.erases++;
}

static void program(sim *s, const sim_flash *f, uint32_t at, const uint8_t *data,
                    uint32_t len) {
    for (uint32_t i = 0; i < len; i += SIM_UNIT) {
        uint32_t n = len - i < SIM_UNIT ? len - i : SIM_UNIT;
        if (!tick(s)) {
            if (s->tears && s->ops == s->cut_at) {
                s->cut_at = 0; /* once: dead already */
                s->done[(f->base + at + i) / SIM_UNIT] = 1;
                memcpy(s->cell + f->base + at + i, data + i, n < 2 ? n : 2);
            }
            return;
        }
        rule(s, s->done[(f->base + at + i) / SIM_UNIT] == 0,
             "a unit was programmed twice");
        rule(s, *torn(s, f, at + i) == 0, "programmed in a half erased page");
        s->done[(f->base + at + i) / SIM_UNIT] = 1;
        memcpy(s->cell + f->base + at + i, data + i, n);
        s->n.programs++;
    }
}

/* -- the port: what a device stores, and how it resumes -- */

static uint32_t closed(sim *s, const sim_flash *f) {
    const uint8_t *m = s->cell + f->base + f->capacity;
    uint32_t len = (uint32_t)m[LEN_AT] | (uint32_t)m[LEN_AT + 1] << 8 |
                   (uint32_t)m[LEN_AT + 2] << 16 | (uint32_t)m[LEN_AT + 3] << 24;
    int is_closed = !*torn(s, f, f->capacity) && len <= f->capacity &&
                    s->done[(f->base + f->capacity + LEN_AT) / SIM_UNIT] != 0;
    return is_closed ? len : 0;
}

uint32_t sim_stored(sim *s, int handle) {
    return closed(s, &s->flash[handle]);
}

static void close_with(sim *s, sim_flash *f, uint32_t len) {
    uint8_t le[4] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16),
                     (uint8_t)(len >> 24)};
    program(s, f, f->capacity + LEN_AT, le, 4);
}

/* Start of the last erase page that holds anything: a port can only look at the bytes. */
static uint32_t last_used(const sim *s, const sim_flash *f) {
    uint32_t at = f->capacity;
    while (at > 0 && s->cell[f->base + at - 1] == s->erased) {
        at--;
    }
    return at == 0 ? 0 : (at - 1) / s->page * s->page;
}

static void erase_from(sim *s, const sim_flash *f, uint32_t at) {
    for (; at < f->capacity; at += s->page) {
        erase(s, f, at);
    }
}

/* What is there may be longer than what comes now, if it came from another source. */
static uint32_t prepare(sim *s, const sim_flash *f, const uint8_t *id, uint32_t size) {
    const uint8_t *m = s->cell + f->base + f->capacity;
    uint32_t have = 0;
    if (last_used(s, f) < size && memcmp(m + ID_AT, id, 32) == 0 &&
        m[LEN_AT] == s->erased && m[LEN_AT + 1] == s->erased &&
        m[LEN_AT + 2] == s->erased && m[LEN_AT + 3] == s->erased) {
        have = last_used(s, f);
        erase_from(s, f, have);
        return have;
    }
    if (s->id_first) {
        erase(s, f, f->capacity);
        erase_from(s, f, 0);
    } else {
        erase_from(s, f, 0);
        erase(s, f, f->capacity);
    }
    program(s, f, f->capacity + ID_AT, id, 32);
    return 0;
}

static void discard(sim *s, sim_flash *f) {
    erase(s, f, f->capacity);
    erase_from(s, f, 0);
}

void sim_store(sim *s, int handle, const uint8_t *data, size_t len) {
    sim_flash *f = &s->flash[handle];
    uint8_t id[32];
    unsigned ops = s->ops, programs = s->n.programs;
    memset(id, 0x5a, sizeof id);
    program(s, f, 0, data, (uint32_t)len);
    program(s, f, f->capacity + ID_AT, id, 32);
    close_with(s, f, (uint32_t)len);
    s->ops = ops;
    s->n.programs = programs;
}

/* -- callbacks -- */

static uint64_t mix(uint64_t h, const void *data, size_t len) {
    const uint8_t *p = (const uint8_t *)data;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) * 0x100000001b3u;
    }
    return h;
}

/* Common to all: what is injected. 0: go on. `a`, `b`, `c` and data make up the question.
 */
static int enter(sim *s, int callback, uint64_t a, uint64_t b, uint64_t c,
                 const void *data, size_t len) {
    uint64_t q[4] = {(uint64_t)callback, a, b, c};
    uint64_t h = mix(mix(0xcbf29ce484222325u, q, sizeof q), data, data ? len : 0) | 1;
    if (s->hook != NULL) {
        s->hook(s, callback);
    }
    if (s->dead) {
        return SIM_DEAD;
    }
    s->n.calls++;
    rule(s, s->asked == 0 || s->asked == h, "another question after AGAIN");
    if (s->n.calls == s->fail_at) {
        s->failed = callback;
        return SIM_FAIL;
    }
    if (s->n.calls == s->again_at || (s->again_each && s->asked == 0)) {
        s->asked = h;
        return PICOSUIT_AGAIN;
    }
    s->asked = 0;
    s->n.by[callback]++;
    return 0;
}

static void note(sim *s, char what, unsigned component) {
    size_t n = strlen(s->log);
    if (n + 3 < sizeof s->log) {
        s->log[n] = what;
        s->log[n + 1] = (char)('0' + component);
        s->log[n + 2] = 0;
    }
}

static void effect(sim *s, unsigned component) {
    rule(s, s->armed, "an effect before begin has answered");
    rule(s, component < SIM_SLOTS && (int)component != s->running,
         "an effect on what must not be touched");
}

static sim_flash *storage(sim *s, unsigned component) {
    rule(s, component < SIM_SLOTS, "unknown handle");
    sim_flash *f = &s->flash[component < SIM_SLOTS ? component : 0];
    rule(s, f->kind != PICOSUIT_TRANSIENT, "storage of a transient component");
    return f;
}

static int fits(int32_t alg, int purpose) {
    if (alg == PICOSUIT_ALG_HMAC256) {
        return purpose == PICOSUIT_PURPOSE_MAC;
    }
    if (alg == PICOSUIT_ALG_ECDH_ES_A128KW || alg == PICOSUIT_ALG_A128KW) {
        return purpose == PICOSUIT_PURPOSE_DECRYPT;
    }
    return purpose == PICOSUIT_PURPOSE_VERIFY;
}

static int is_kid(const sim_key *k, const uint8_t *kid, size_t kid_len) {
    return kid == NULL || k->kid == NULL ||
           (strlen(k->kid) == kid_len && memcmp(k->kid, kid, kid_len) == 0);
}

static int cb_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                  picosuit_key *out) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_KEY, (uint64_t)purpose, n, 0, kid, kid_len);
    if (st != 0) {
        return st;
    }
    rule(s, kid != NULL || kid_len == 0, "no kid, but a length");
    for (size_t i = 0; i < key_n; i++) {
        const sim_key *k = &keys[i];
        int is_here =
            k->id != 0 && (k->alg != -9 || s->platform.verify == sim_verify_any);
        if (is_here && fits(k->alg, purpose) && is_kid(k, kid, kid_len) && n-- == 0) {
            out->key = k->key;
            out->key_len = (uint16_t)k->key_len;
            out->alg = k->alg;
            out->rights = k->alg == -9 ? s->of->rights : k->rights;
            out->id = k->id;
            return 1;
        }
    }
    return 0;
}

static uint8_t handle_of(const uint8_t *id, size_t id_len) {
    for (uint8_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t n = i == 10 ? id_len - 64 : id_len;
        int is_tail = 1;
        for (size_t j = n; j < id_len; j++) {
            is_tail &= id[j] == j - n;
        }
        if (parts[i].id_len == id_len && memcmp(parts[i].id, id, n) == 0 && is_tail) {
            return i;
        }
    }
    int is_one =
        id_len == 3 && id[0] == 0x81 && id[1] == 0x41 && id[2] >= 32 && id[2] < 64;
    return is_one ? id[2] : SIM_SLOTS;
}

static int cb_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                        uint8_t *handle, uint8_t *kind) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_COMPONENT, signer, 0, 0, id, id_len);
    if (st != 0) {
        return st;
    }
    *handle = handle_of(id, id_len);
    if (*handle == SIM_SLOTS) {
        return 0;
    }
    *kind = s->flash[*handle].kind;
    return *handle == SIM_DENIED && signer != 3 ? PICOSUIT_E_RIGHTS : 1;
}

static int cb_identity(void *dev, unsigned component, int what, unsigned n,
                       uint8_t *buf) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_IDENTITY, component, (uint64_t)what, n, NULL, 0);
    const uint8_t *from = what == PICOSUIT_ID_VENDOR   ? vendor_id
                          : what == PICOSUIT_ID_CLASS  ? class_id
                          : what == PICOSUIT_ID_DEVICE ? device_id
                          : s->of->pen[0]              ? s->of->pen
                                                       : NULL;
    rule(s, component < SIM_SLOTS, "unknown handle");
    if (st != 0 || from == NULL || n > 0) {
        return st;
    }
    memcpy(buf, from, 16);
    return 1;
}

static int cb_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_SLOT, component, (uint64_t)procedure, 0, NULL, 0);
    rule(s, component < SIM_SLOTS, "unknown handle");
    if (st == 0) {
        *out = s->of->slot;
    }
    return st;
}

static int cb_size(void *dev, unsigned component, uint32_t *stored, uint32_t *capacity) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_SIZE, component, 0, 0, NULL, 0);
    const sim_flash *f = storage(s, component);
    if (st == 0) {
        *stored = f->fixed ? PICOSUIT_FIXED : closed(s, f);
        *capacity = f->capacity;
    }
    return st;
}

static int cb_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                   size_t cap) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_READ, component, off, cap, NULL, 0);
    const sim_flash *f = storage(s, component);
    uint32_t end = s->open == (int)component ? s->open_at
                   : f->fixed                ? f->capacity
                                             : closed(s, f);
    rule(s, cap >= 1 && cap <= 64, "a read of nothing or of more than 64 bytes");
    if (off > end || cap > end - off) {
        sim_broken(s, "a read of what is not stored");
        return SIM_FAIL;
    }
    if (st == 0) {
        memcpy(buf, s->cell + f->base + off, cap);
        if (s->flip_at != 0 && s->n.by[SIM_READ] == s->flip_at) {
            buf[cap / 2] ^= 0x10;
        }
    }
    return st;
}

static int cb_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                    uint32_t *have) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_BEGIN, component, size, 0, id, 32);
    sim_flash *f = storage(s, component);
    if (st != 0) {
        return st;
    }
    effect(s, component);
    rule(s, s->open < 0, "begin while a component is open");
    rule(s, size == PICOSUIT_UNKNOWN || size <= f->capacity, "begin beyond the capacity");
    rule(s, memcmp(id, s->info.digest, 32) == 0, "begin with another id than the digest");
    note(s, 'b', component);
    *have = prepare(s, f, id, size);
    s->open = (int)component;
    s->touched |= (uint64_t)1 << component;
    s->open_at = *have;
    s->open_len = size;
    s->open_last = 0;
    return s->dead ? SIM_DEAD : 0;
}

static int cb_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                    size_t len) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_WRITE, component, off, len, data, len);
    sim_flash *f = storage(s, component);
    if (st != 0) {
        return st;
    }
    effect(s, component);
    rule(s, s->open == (int)component, "a write to what is not open");
    rule(s, off == s->open_at && off % 64 == 0, "a write out of order");
    rule(s, len >= 1 && len <= 64 && !s->open_last, "a block that is not 64 bytes");
    if (off > f->capacity || len > f->capacity - off) {
        sim_broken(s, "a write beyond the capacity");
        return SIM_FAIL;
    }
    rule(s, s->open_len == PICOSUIT_UNKNOWN || off + len <= s->open_len,
         "a write beyond the announced size");
    s->open_at = off + (uint32_t)len;
    s->open_last = len < 64;
    s->n.bytes += (unsigned)len;
    program(s, f, off, data, (uint32_t)len);
    return s->dead ? SIM_DEAD : 0;
}

static int cb_end(void *dev, unsigned component, int good) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_END, component, (uint64_t)good, 0, NULL, 0);
    sim_flash *f = storage(s, component);
    if (st != 0) {
        return st;
    }
    effect(s, component);
    rule(s, s->open == (int)component, "end of what is not open");
    rule(s, good == 0 || good == 1, "end with neither 0 nor 1");
    rule(s, !good || s->open_len == PICOSUIT_UNKNOWN || s->open_at == s->open_len,
         "closed before it was complete");
    note(s, good ? 'e' : 'x', component);
    s->open = -1;
    s->n.ends_bad += good == 0;
    if (good) {
        close_with(s, f, s->open_at);
    } else {
        s->spoiled = (int)component;
        discard(s, f);
    }
    return s->dead ? SIM_DEAD : 0;
}

static int cb_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_INVOKE, component, len, 0, data, len);
    rule(s, data != NULL || len == 0, "no arguments, but a length");
    if (st == 0) {
        rule(s, s->armed && component < SIM_SLOTS, "invoke before begin has answered");
        rule(s, s->open < 0, "invoke while a component is open");
        note(s, 'i', component);
        s->invoked = (int)component;
        s->args_len = len;
        memcpy(s->args, data != NULL ? data : s->args, len < 64 ? len : 64);
    }
    return st;
}

static int cb_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_SEQUENCE, 0, 0, 0, NULL, 0);
    if (st != 0 || !s->of->has_floor) {
        return st != 0 ? st : PICOSUIT_NO_FLOOR;
    }
    *floor = s->of->floor;
    memcpy(digest, s->of->floor_digest, 32);
    return 0;
}

static void exchange(sim *s, const sim_flash *a, const sim_flash *b) {
    for (uint32_t i = 0; i < a->capacity + s->page; i++) {
        uint8_t cell = s->cell[a->base + i], done = s->done[(a->base + i) / SIM_UNIT];
        s->cell[a->base + i] = s->cell[b->base + i];
        s->cell[b->base + i] = cell;
        if (i % SIM_UNIT == 0) {
            s->done[(a->base + i) / SIM_UNIT] = s->done[(b->base + i) / SIM_UNIT];
            s->done[(b->base + i) / SIM_UNIT] = done;
        }
    }
}

static int cb_swap(void *dev, unsigned component, unsigned source) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_SWAP, component, source, 0, NULL, 0);
    sim_flash *a = storage(s, component), *b = storage(s, source);
    if (st == 0) {
        effect(s, component);
        effect(s, source);
        rule(s, component != source && s->open < 0, "swap with itself, or while open");
        rule(s, a->capacity == b->capacity, "swap of different sizes");
        note(s, 's', component);
        s->touched |= (uint64_t)1 << component | (uint64_t)1 << source;
        exchange(s, a, b);
    }
    return st;
}

static int cb_record(void *dev, const picosuit_record *record) {
    sim *s = (sim *)dev;
    if (s->record_n < sizeof s->record / sizeof *s->record) {
        s->record[s->record_n++] = *record;
    }
    return SIM_FAIL; /* must be ignored */
}

int sim_verify_any(void *dev, const picosuit_key *key, const uint8_t *data, size_t len,
                   const uint8_t *sig, size_t sig_len) {
    sim *s = (sim *)dev;
    int st = enter(s, SIM_VERIFY, key->id, sig_len, 0, data, len);
    return st != 0 ? st
                   : (sig_len == 1 && sig[0] == 0x59 ? PICOSUIT_VERIFIED : PICOSUIT_OK);
}

const picosuit_platform sim_platform = {
    cb_key,   cb_component, cb_identity, cb_slot,     cb_size, cb_read, cb_begin,
    cb_write, cb_end,       cb_invoke,   cb_sequence, cb_swap, NULL,    cb_record,
};

/* -- life of the device -- */

int sim_same_flash(const sim *a, const sim *b) {
    for (int i = 0; i < SIM_SLOTS; i++) {
        const sim_flash *f = &a->flash[i];
        uint32_t len = f->capacity + a->page;
        if (f->capacity > 0 && (b->touched >> i & 1u) == 0 &&
            (memcmp(a->cell + f->base, b->cell + f->base, len) != 0 ||
             memcmp(a->done + f->base / SIM_UNIT, b->done + f->base / SIM_UNIT,
                    len / SIM_UNIT))) {
            return 0;
        }
    }
    return 1;
}

void sim_power(sim *s) {
    guard_free(s->memory);
    s->memory = NULL;
    s->p = &s->context[0];
    memset(s->context, 0, sizeof s->context);
    if (s->work == NULL || s->work_len != s->of->work) {
        guard_free(s->work);
        s->work_len = s->of->work;
        s->work = guard_alloc(s->work_len);
    }
    memset(s->work, 0xA5, s->work_len);
    s->again_at = s->fail_at = s->cut_at = s->flip_at = 0;
    s->dead = s->again_each = s->armed = 0;
    s->ops = 0;
    s->asked = 0;
    s->open = -1;
    s->record_n = 0;
}

/* Places the components; again when the page has changed. */
void sim_layout(sim *s) {
    uint32_t base = 0;
    for (int i = 0; i < SIM_SLOTS; i++) {
        sim_flash *f = &s->flash[i];
        int is_part = i < (int)(sizeof parts / sizeof *parts);
        f->base = base;
        f->capacity = is_part ? parts[i].capacity : i >= 32 ? 1024 : 0;
        f->kind = is_part ? parts[i].kind : PICOSUIT_STORED;
        f->fixed = 0;
        base += f->capacity > 0 ? f->capacity + s->page : 0;
    }
    rule(s, base <= SIM_CELLS, "too much flash");
}

void sim_new(sim *s) {
    memset(s, 0, sizeof *s);
    s->platform = sim_platform;
    s->page = 256;
    s->erased = 0xFF;
    s->running = -1;
    sim_layout(s);
}

void sim_setup(sim *s, const sim_case *c) {
    sim_keys_load();
    s->of = c;
    if (c->is_built || s->platform.verify == sim_verify_any) {
        s->platform.verify = c->is_built ? sim_verify_any : NULL;
    }
    s->invoked = s->spoiled = s->failed = -1;
    s->bad = 0;
    s->touched = 0;
    s->log[0] = 0;
    memset(&s->n, 0, sizeof s->n);
    sim_power(s);
    memset(s->cell, s->erased, sizeof s->cell);
    memset(s->done, 0, sizeof s->done);
    memset(s->torn, 0, sizeof s->torn);
    for (int i = 0; i < SIM_SLOTS; i++) {
        if (c->initial[i].data != NULL) {
            sim_store(s, i, c->initial[i].data, c->initial[i].len);
        }
    }
}

/* -- the loop of a device -- */

#define CHUNK 65536   /* bytes given at once, at most */
#define LAPS 2000000u /* calls, after which it hangs */

static uint8_t *chunk_end(const uint8_t *data, size_t len) {
    static uint8_t *chunk;
    chunk = chunk != NULL ? chunk : guard_alloc(CHUNK);
    if (len > 0) {
        memcpy(chunk + CHUNK - len, data, len);
    }
    return chunk + CHUNK - len;
}

/* Another place for everything, as after deep sleep; the old one is overwritten. */
static void move(sim *s) {
    picosuit *old = s->p;
    uint8_t *work = guard_copy(s->work, s->work_len);
    s->p = &s->context[s->p == &s->context[0]];
    memcpy(s->p, old, sizeof *s->p);
    memset(old, 0xEE, sizeof *old);
    memset(s->work, 0xEE, s->work_len);
    guard_free(s->work);
    s->work = work;
    if (s->memory != NULL) {
        uint8_t *memory = guard_copy(s->memory, s->memory_len);
        memset(s->memory, 0xEE, s->memory_len);
        guard_free(s->memory);
        s->memory = memory;
    }
    picosuit_relocate(s->p, &s->platform, s, s->work, s->memory);
}

/* The envelope, or a payload, on its way in. */
typedef struct {
    sim *s;
    sim_result *r;
    const uint8_t *data;
    size_t len;
    size_t pos;
    size_t at;
    unsigned laps;   /* left */
    unsigned missed; /* 1 + components closed when the envelope was sent again */
    int how;
    int procedure;
} feeder;

static size_t part(const feeder *f) {
    size_t left = f->len - f->pos;
    size_t n = f->how == SIM_BYTES                     ? 1
               : f->how == SIM_FRAMES                  ? f->at
               : f->how == SIM_SPLIT && f->pos < f->at ? f->at - f->pos
                                                       : left;
    n = n < left ? n : left;
    return n < CHUNK ? n : CHUNK;
}

/* After each call: counts AGAIN, moves; 1: repeat it. */
static int repeat(feeder *f, int st) {
    sim *s = f->s;
    f->laps -= f->laps > 0;
    f->r->agains += st == PICOSUIT_AGAIN;
    if (s->moves) {
        move(s);
    }
    return st == PICOSUIT_AGAIN && f->laps > 0;
}

static int give(feeder *f, int (*call)(picosuit *, const uint8_t *, size_t, size_t *)) {
    sim *s = f->s;
    size_t n = part(f), used = 0;
    int st;
    do {
        uint8_t *data = chunk_end(f->data + f->pos, n);
        if (s->zero_feeds && n > 0) {
            size_t none = 9;
            st = call(s->p, NULL, 0, &none);
            rule(s, none == 0 && st >= 0, "a call with no bytes took some, or failed");
        }
        used = SIZE_MAX;
        st = call(s->p, data, n, &used);
        rule(s, used <= n, "more bytes taken than given");
        used = used <= n ? used : n;
        rule(s, st != PICOSUIT_MORE || used == n, "MORE with bytes left");
        memset(data, 0xA5, n);
        f->pos += used;
        n -= used;
    } while (repeat(f, st));
    return st;
}

static int feed(feeder *f) {
    int st;
    if (f->pos < f->len) {
        return give(f, picosuit_feed);
    }
    do {
        st = picosuit_feed_end(f->s->p);
    } while (repeat(f, st));
    rule(f->s, st != PICOSUIT_MORE, "feed_end wants more");
    return st;
}

static int begin_and_run(feeder *f) {
    sim *s = f->s;
    int st = picosuit_get_info(s->p, &s->info);
    rule(s, st == PICOSUIT_OK, "READY without info");
    if (f->how != SIM_OPEN && f->pos < f->len) { /* payloads follow, or too many bytes */
        st = give(f, picosuit_feed);
        if (st != PICOSUIT_READY) {
            return st;
        }
    }
    f->r->stage = SIM_AT_BEGIN;
    do {
        st = picosuit_begin(s->p, f->procedure);
    } while (repeat(f, st));
    if (st != PICOSUIT_OK) {
        return st;
    }
    s->armed = 1;
    f->r->stage = SIM_AT_RUN;
    do {
        st = picosuit_run(s->p);
    } while (repeat(f, st));
    return st;
}

static const sim_bytes *served(const sim_case *c, const picosuit_fetch *w) {
    for (size_t i = 0; i < SIM_PAYLOADS && c->uri[i][0] != 0; i++) {
        if (strlen(c->uri[i]) == w->uri_len &&
            memcmp(c->uri[i], w->uri, w->uri_len) == 0) {
            return &c->payload[i];
        }
    }
    return NULL;
}

static int payload(feeder *f, const picosuit_fetch *w) {
    sim *s = f->s;
    const sim_bytes *b = served(s->of, w);
    feeder one = *f;
    int st = PICOSUIT_MORE;
    if (b == NULL && w->passed != 0 && f->how != SIM_OPEN &&
        f->missed != s->n.by[SIM_END] + 1) {
        f->missed = s->n.by[SIM_END] + 1; /* once for each payload */
        rule(s, picosuit_rewind(s->p) == PICOSUIT_OK,
             "rewind refused while FETCH is pending");
        f->pos = 0;
        f->r->rewinds++;
        return feed(f);
    }
    if (b != NULL) {
        one.data = b->data;
        one.len = b->len;
        one.pos = w->offset <= b->len ? w->offset : b->len;
        rule(s, w->offset <= b->len, "an offset behind the payload");
        f->r->fetches++;
        f->r->from = w->offset;
        while (st == PICOSUIT_MORE && one.pos < one.len) {
            size_t from = one.pos;
            st = give(&one, picosuit_payload);
            f->r->sent += (uint32_t)(one.pos - from);
        }
    }
    if (st == PICOSUIT_MORE) {
        do {
            st = picosuit_payload_end(s->p, b != NULL);
        } while (repeat(f, st));
    }
    f->laps = one.laps < f->laps ? one.laps : f->laps;
    return st;
}

static int serve(feeder *f) {
    sim *s = f->s;
    picosuit_fetch w;
    memset(&w, 0xEE, sizeof w);
    if (picosuit_get_fetch(s->p, &w) != PICOSUIT_OK) {
        sim_broken(s, "FETCH, but nothing is wanted");
        return SIM_HUNG;
    }
    rule(s, w.uri_len >= 1 && w.uri_len <= PICOSUIT_MAX_URI && w.reserved == 0,
         "a fetch that cannot be");
    rule(s, w.component < s->info.components, "a fetch into no component");
    rule(s, (w.args == NULL) == (w.args_len == 0) || w.args != NULL, "fetch-arguments");
    if (w.where == PICOSUIT_WHERE_ENVELOPE) {
        rule(s, f->how != SIM_OPEN, "an envelope in memory is asked for again");
        return feed(f);
    }
    rule(s, w.where == PICOSUIT_WHERE_URI, "a fetch from nowhere");
    return payload(f, &w);
}

static int step(feeder *f, int st) {
    switch (st) {
    case PICOSUIT_MORE: return feed(f);
    case PICOSUIT_READY: return begin_and_run(f);
    case PICOSUIT_FETCH: return serve(f);
    default: sim_broken(f->s, "a status that cannot be"); return SIM_HUNG;
    }
}

/* The procedure is over: the rest of the envelope must still be one. */
static int rest(feeder *f) {
    int st = PICOSUIT_OK;
    while (f->how != SIM_OPEN && st == PICOSUIT_OK && f->pos < f->len) {
        st = give(f, picosuit_feed);
    }
    return f->how != SIM_OPEN && st == PICOSUIT_OK ? picosuit_feed_end(f->s->p) : st;
}

static int start(feeder *f) {
    sim *s = f->s;
    int st;
    f->r->stage = SIM_AT_FEED;
    if (s->from != NULL) {
        memcpy(s->p, &s->from->p, sizeof *s->p);
        memcpy(s->work, s->from->work, s->work_len);
        picosuit_relocate(s->p, &s->platform, s, s->work, NULL);
        f->pos = s->from->at;
        return PICOSUIT_MORE;
    }
    do {
        st = picosuit_init(s->p, &s->platform, s, s->work, s->work_len);
    } while (repeat(f, st));
    if (st != PICOSUIT_OK || f->how != SIM_OPEN) {
        return st != PICOSUIT_OK ? st : PICOSUIT_MORE;
    }
    s->memory = guard_copy(f->data, f->len);
    s->memory_len = f->len;
    do {
        st = picosuit_open(s->p, s->memory, s->memory_len);
    } while (repeat(f, st));
    return st;
}

/* The first failure sticks: every call repeats it and nothing else happens. */
static void sticks(sim *s, const sim_result *r) {
    sim_counts n = s->n;
    size_t used = 9;
    int st = r->status;
    int same = picosuit_run(s->p) == st;
    same &= picosuit_begin(s->p, PICOSUIT_UPDATE) == st;
    same &= picosuit_feed(s->p, NULL, 0, &used) == st && used == 0;
    same &= picosuit_feed_end(s->p) == st;
    same &= picosuit_open(s->p, (const uint8_t *)"", 0) == st;
    same &= picosuit_payload(s->p, NULL, 0, &used) == st && used == 0;
    same &= picosuit_payload_end(s->p, 1) == st;
    same &= picosuit_rewind(s->p) == st;
    rule(s, same, "the error does not stick");
    rule(s, memcmp(&n, &s->n, sizeof n) == 0, "a callback after the error");
    rule(s, memcmp(picosuit_last_error(s->p), &r->error, sizeof r->error) == 0,
         "the error changed");
    rule(s, r->error.code == st, "the error has another code than the status");
}

void sim_process(sim *s, int procedure, int how, size_t at, sim_result *r) {
    feeder f = {s,   r,        s->of->envelope.data, s->of->envelope.len, 0, at, LAPS, 0,
                how, procedure};
    int st;
    memset(r, 0, sizeof *r);
    s->armed = 0;
    st = start(&f);
    while (st > 0 && f.laps > 0) {
        st = step(&f, st);
        st = st == PICOSUIT_OK ? rest(&f) : st;
    }
    r->status = st > 0 ? SIM_HUNG : st;
    rule(s, st <= 0, "it never ends");
    r->error = *picosuit_last_error(s->p);
    rule(s, s->open < 0 || s->dead || st > 0 || s->failed == SIM_END,
         "a component was left open");
    if (st < 0 && st != SIM_HUNG) {
        sticks(s, r);
    } else {
        rule(s, r->error.code == 0, "an error without a failure");
    }
    r->n = s->n;
    r->invoked = s->invoked;
    for (int i = 0; i < SIM_SLOTS; i++) {
        uint32_t len = s->flash[i].capacity == 0 ? 0 : sim_stored(s, i);
        r->held[i] = len > 0;
        if (len > 0) {
            picosuit_sha256(r->digest[i], s->cell + s->flash[i].base, len);
        }
    }
}

int sim_snapshot_take(sim *s, const sim_case *c, size_t len, sim_snapshot *snap) {
    size_t used = 0;
    int st;
    sim_setup(s, c);
    st = picosuit_init(s->p, &s->platform, s, s->work, s->work_len);
    if (st == PICOSUIT_OK && len <= CHUNK) {
        st = picosuit_feed(s->p, chunk_end(c->envelope.data, len), len, &used);
    }
    guard_free(snap->work);
    snap->work = guard_copy(s->work, s->work_len);
    snap->p = *s->p;
    snap->at = used;
    return st == PICOSUIT_MORE && s->bad == 0;
}

size_t sim_wrapper_end(const sim_case *c) {
    const uint8_t *d = c->envelope.data;
    size_t n = c->envelope.len;
    int is_short = n > 6 && d[0] == 0xd8 && d[3] == 2 && d[4] == 0x58;
    int is_long = n > 7 && d[0] == 0xd8 && d[3] == 2 && d[4] == 0x59;
    size_t end = is_short ? 6u + d[5] : is_long ? 7u + ((size_t)d[5] << 8 | d[6]) : n;
    return end < n ? end : 0;
}

size_t sim_quick(void) {
    const char *quick = getenv("TEST_QUICK");
    int n = quick != NULL ? atoi(quick) : 0;
    return n > 1 ? (size_t)n : quick != NULL || sizeof(void *) < 8;
}

size_t sim_stride(size_t n, size_t most) {
    size_t quick = sim_quick();
    most = quick > 0 ? 1 + most / (30 * quick) : most;
    return n <= most ? 1 : 1 + n / most;
}

void sim_run(sim *s, const sim_case *c, int how, size_t at, sim_result *r) {
    sim_setup(s, c);
    sim_process(s, c->procedure[0], how, at, r);
    if (r->status == PICOSUIT_OK && c->procedure[1] != 0) {
        sim_power(s);
        sim_process(s, c->procedure[1], how, at, r);
    }
}
