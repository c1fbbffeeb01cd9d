/* SPDX-License-Identifier: MIT
 *
 * Flash that keeps to its rules and is broken in all the ways a lost supply breaks it.
 * The hash of its content is kept up to date unit by unit.
 */
#include <stdlib.h>
#include "power.h"

static machine *spare;
uint32_t flash_size;
static uint32_t units;

uint64_t mix64(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed) {
    const uint8_t *d = data;
    uint64_t h = seed ^ len * 0x9e3779b97f4a7c15u;
    uint64_t w = 0;

    for (; len >= 8; len -= 8, d += 8) {
        memcpy(&w, d, 8);
        h = (h ^ w) * 0x9fb21c651e98df25u;
        h ^= h >> 29;
    }
    w = 0;
    memcpy(&w, d, len);
    return mix64(h ^ w);
}

uint64_t hash_ram(void) {
    uint64_t h = hash_bytes(&ram, sizeof ram, m->hash);

    for (int i = 0; i < m->n_regions; i++) { /* as they read at this boot */
        h ^= hash_bytes(m->cell + m->regions[i].at, m->regions[i].len, (uint64_t)i);
    }
    return h;
}

/* -- hash of content -- */

/* An unstable unit counts as part of its region. */
static uint64_t unit_hash(const machine *k, uint32_t u) {
    uint64_t w = 0;

    if (k->unit[u] == UNIT_UNSTABLE) {
        return 0;
    }
    memcpy(&w, k->cell + u * cfg->unit, cfg->unit);
    return mix64(w + (uint64_t)(u + 1) * 0x9e3779b97f4a7c15u + k->unit[u] * 0xabcdef97u);
}

static uint64_t range_hash(const machine *k, uint32_t at, uint32_t len) {
    uint64_t h = 0;

    for (uint32_t u = at / cfg->unit; u < (at + len) / cfg->unit; u++) {
        h ^= unit_hash(k, u);
    }
    return h;
}

static uint64_t region_hash(const machine *k, int i) {
    const region *r = &k->regions[i];
    uint64_t h = hash_bytes(k->old[i], r->len, r->at * 8u + r->kind * 4u + r->way);

    return hash_bytes(r->fresh, sizeof r->fresh, h);
}

/* -- machines -- */

static size_t extra(void) {
    return flash_size + units + MAX_REGIONS * cfg->page;
}

static void place(machine *k) {
    k->cell = (uint8_t *)(k + 1);
    k->unit = k->cell + flash_size;
    for (int i = 0; i < MAX_REGIONS; i++) {
        k->old[i] = k->unit + units + (uint32_t)i * cfg->page;
    }
}

static machine *machine_take(void) {
    machine *k = spare;

    if (k != NULL) {
        spare = k->next;
        return k;
    }
    k = malloc(sizeof *k + extra());
    if (k == NULL) {
        abort();
    }
    return k;
}

/* A part that was never programmed. */
machine *machine_new(void) {
    machine *k = machine_take();

    memset(k, 0, sizeof *k);
    place(k);
    memset(k->cell, cfg->erased, flash_size);
    memset(k->unit, UNIT_ERASED, units);
    k->obs.confirmed = PICOSUIT_NO_SLOT;
    k->obs.keys = 255;
    k->hash = range_hash(k, 0, flash_size);
    return k;
}

machine *machine_clone(void) {
    machine *k = machine_take();
    size_t len = sizeof *k + flash_size + units;

    memcpy(k, m, len);
    place(k);
    for (int i = 0; i < k->n_regions; i++) {
        memcpy(k->old[i], m->old[i], m->regions[i].len);
    }
    return k;
}

void machine_free(machine *k) {
    k->next = spare;
    spare = k;
}

void machine_event(machine *k, unsigned kind, uint32_t at, unsigned way) {
    if (k->n_events < MAX_EVENTS) {
        event *e = &k->events[k->n_events++];
        e->op = kind == EVENT_RESET ? k->points : k->ops;
        e->at = at;
        e->kind = (uint8_t)kind;
        e->way = (uint8_t)way;
        e->pos = k->obs.pos;
        e->pad = 0;
    }
}

int flash_setup(void) {
    uint32_t slot = (cfg->image_pages + cfg->manifest_pages) * cfg->page;

    flash.journal = 0;
    flash.journal_pages = cfg->journal_pages;
    flash.keys = cfg->journal_pages * cfg->page;
    flash.slot[0] = flash.keys + 2 * cfg->page;
    flash.slot[1] = flash.slot[0] + slot;
    flash.slot_size = slot;
    flash.manifest_size = cfg->manifest_pages * cfg->page;
    flash.page = cfg->page;
    flash.unit = cfg->unit;
    flash.erased = cfg->erased;
    flash.tries = cfg->tries;
    flash_size = flash.slot[1] + slot;
    units = flash_size / cfg->unit;
    while (spare != NULL) {
        machine *k = spare;
        spare = k->next;
        free(k);
    }
    return flash_size <= 65536;
}

/* -- unstable regions -- */

static uint8_t noise(uint32_t at) {
    return (uint8_t)(mix64(at + 0x5eed0f11u) >> 24);
}

/* What byte i of a region reads in a view. Torn: new, old, or bits of both. Half done:
 * the first half is new, or the second, or bits of both. */
static uint8_t region_byte(const machine *k, int n, uint32_t i, uint32_t view) {
    const region *r = &k->regions[n];
    uint8_t old = k->old[n][i];
    uint8_t fresh = r->kind == EVENT_PROGRAM ? r->fresh[i] : cfg->erased;
    uint8_t mask = 0;

    if (view == 2) {
        mask = noise(r->at + i + (r->way == WAY_HALF ? 77777u : 0));
    } else if (r->way == WAY_TORN) {
        mask = view == 0 ? 0xff : 0;
    } else {
        mask = (i < r->len / 2) == (view == 0) ? 0xff : 0;
    }
    return (uint8_t)(old ^ ((old ^ fresh) & mask));
}

uint32_t machine_views(const machine *k) {
    uint32_t n = 1;

    for (int i = 0; i < k->n_regions; i++) {
        n *= VIEWS;
    }
    return n;
}

void machine_view(machine *k, uint32_t view) {
    k->view = view;
    for (int n = 0; n < k->n_regions; n++, view /= VIEWS) {
        region *r = &k->regions[n];
        for (uint32_t i = 0; i < r->len; i++) {
            k->cell[r->at + i] = region_byte(k, n, i, view % VIEWS);
        }
    }
}

static void region_drop(machine *k, int i) {
    int last = k->n_regions - 1;

    k->hash ^= region_hash(k, i);
    k->regions[i] = k->regions[last];
    memcpy(k->old[i], k->old[last], k->regions[i].len);
    k->n_regions = last;
}

/* Regions in a page are none any more: it is erased, or becomes one as a whole. */
static void regions_clear(machine *k, uint32_t at, uint32_t len) {
    for (int i = k->n_regions; i > 0; i--) {
        if (k->regions[i - 1].at >= at && k->regions[i - 1].at < at + len) {
            region_drop(k, i - 1);
        }
    }
}

static void region_add(machine *k, unsigned kind, uint32_t at, uint32_t len,
                       const uint8_t *data, unsigned way) {
    region *r;

    regions_clear(k, at, len);
    if (k->n_regions == MAX_REGIONS) {
        abort();
    }
    r = &k->regions[k->n_regions];
    memset(r, 0, sizeof *r);
    r->at = at;
    r->len = len;
    r->kind = (uint8_t)kind;
    r->way = (uint8_t)way;
    if (kind == EVENT_PROGRAM) {
        memcpy(r->fresh, data, len);
    }
    memcpy(k->old[k->n_regions], k->cell + at, len);
    memset(k->unit + at / cfg->unit, UNIT_UNSTABLE, len / cfg->unit);
    k->hash ^= region_hash(k, k->n_regions);
    k->n_regions++;
}

/* -- operations, whole and cut -- */

/* Torn or half done for good (L1). */
static void spoil(machine *k, unsigned kind, uint32_t at, uint32_t len,
                  const uint8_t *data, unsigned way) {
    for (uint32_t i = 0; i < len; i++) {
        uint8_t fresh = kind == EVENT_PROGRAM ? data[i] : cfg->erased;
        uint8_t mask = i < len / 2 ? 0xff : 0;
        if (way == WAY_TORN) {
            mask = noise(at + i + fresh);
        }
        k->cell[at + i] ^= (uint8_t)((k->cell[at + i] ^ fresh) & mask);
    }
    memset(k->unit + at / cfg->unit, UNIT_DIRTY, len / cfg->unit);
}

static void finish(machine *k, unsigned kind, uint32_t at, uint32_t len,
                   const uint8_t *data) {
    if (kind == EVENT_PROGRAM) {
        memcpy(k->cell + at, data, len);
    } else {
        regions_clear(k, at, len);
        memset(k->cell + at, cfg->erased, len);
    }
    memset(k->unit + at / cfg->unit, kind == EVENT_PROGRAM ? UNIT_USED : UNIT_ERASED,
           len / cfg->unit);
}

void machine_apply(machine *k, unsigned kind, uint32_t at, const uint8_t *data,
                   unsigned way) {
    uint32_t len = kind == EVENT_PROGRAM ? cfg->unit : cfg->page;

    if (way == WAY_NOT) {
        return;
    }
    k->hash ^= range_hash(k, at, len);
    if (way == WAY_DONE) {
        finish(k, kind, at, len, data);
    } else if (cfg->level == 2) {
        region_add(k, kind, at, len, data, way);
        k->obs.journal_cuts += at < flash.keys;
    } else {
        spoil(k, kind, at, len, data, way);
    }
    k->hash ^= range_hash(k, at, len);
}

static int operate(unsigned kind, uint32_t at, const uint8_t *data) {
    check_operation(kind, at);
    if (m->stop == STOP_NO) {
        explore_cut(kind, at, data);
    }
    if (m->stop != STOP_NO) {
        return -1;
    }
    m->ops++;
    m->erases += kind == EVENT_ERASE;
    machine_apply(m, kind, at, data, WAY_DONE);
    return 0;
}

/* -- what the device calls -- */

static int flash_read(void *dev, uint32_t off, uint8_t *buf, size_t cap) {
    (void)dev;
    if (off > flash_size || cap > flash_size - off) {
        broken("I7", "reads outside of flash");
        return -1;
    }
    for (int i = 0; i < m->n_regions; i++) {
        const region *r = &m->regions[i];
        if (off < r->at + r->len && r->at < off + cap) {
            m->touched |= 1u << r->id;
        }
    }
    memcpy(buf, m->cell + off, cap);
    return m->stop == STOP_NO ? 0 : -1;
}

static int flash_write(void *dev, uint32_t off, const uint8_t *data, size_t len) {
    (void)dev;
    if (off > flash_size || len > flash_size - off || off % cfg->unit != 0 ||
        len % cfg->unit != 0 || len == 0) {
        broken("I7", "programs outside of flash or part of a unit");
        return -1;
    }
    for (uint32_t i = 0; i < len; i += cfg->unit) {
        if (operate(EVENT_PROGRAM, off + i, data + i) != 0) {
            return -1;
        }
    }
    return 0;
}

static int flash_erase(void *dev, uint32_t off) {
    (void)dev;
    if (off >= flash_size || off % cfg->page != 0) {
        broken("I7", "erases outside of flash or part of a page");
        return -1;
    }
    return operate(EVENT_ERASE, off, NULL);
}

picosuit_flash flash = {.read = flash_read, .write = flash_write, .erase = flash_erase};
