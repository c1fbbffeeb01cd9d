/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "device_slots.h"

#define BLOCK 64u   /* most that is written at once */
#define UNIT_MAX 8u /* largest write unit */
#define ID_LEN 32u  /* identity of the transfer, first in the manifest area */

/* begin and end erase one page per call and answer AGAIN in between, so that the firmware
 * goes on running. */
enum { PHASE_NEW, PHASE_FRESH, PHASE_RESUME, PHASE_DISCARD };

static uint32_t capacity_of(const device_slots *s, unsigned area) {
    const picosuit_flash *f = s->boot->flash;

    if (area == PICOSUIT_AREA_KEYS) {
        return f->page - PICOSUIT_KEYS_SET;
    }
    return f->slot_size - f->manifest_size;
}

/* Programs any length; what the last unit lacks stays erased. */
static int program(const device_slots *s, uint32_t at, const uint8_t *data, size_t len) {
    const picosuit_flash *f = s->boot->flash;
    uint8_t unit[UNIT_MAX];
    size_t whole = len & ~(size_t)(f->unit - 1u); /* a power of two */

    if (whole > 0 && f->write(s->boot->dev, at, data, whole) != 0) {
        return DEVICE_E_FLASH;
    }
    if (whole < len) {
        memset(unit, f->erased, sizeof unit);
        memcpy(unit, data + whole, len - whole);
        if (f->write(s->boot->dev, at + (uint32_t)whole, unit, f->unit) != 0) {
            return DEVICE_E_FLASH;
        }
    }
    return 0;
}

/* Whether [from, to) reads erased: 1, 0, or DEVICE_E_FLASH. Good for finding what was
 * programmed; never a proof that a page may be programmed. */
static int reads_erased(const device_slots *s, uint32_t from, uint32_t to) {
    const picosuit_flash *f = s->boot->flash;
    uint8_t buf[16];

    while (from < to) {
        uint32_t n = to - from < sizeof buf ? to - from : (uint32_t)sizeof buf;

        if (f->read(s->boot->dev, from, buf, n) != 0) {
            return DEVICE_E_FLASH;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (buf[i] != f->erased) {
                return 0;
            }
        }
        from += n;
    }
    return 1;
}

void device_slots_reset(device_slots *s) {
    s->phase = PHASE_NEW;
    s->closed[PICOSUIT_AREA_IMAGE] = 0; /* what is not sealed is fetched again */
    s->closed[PICOSUIT_AREA_KEYS] = 0;
}

int device_slots_size(device_slots *s, unsigned area, uint32_t *stored,
                      uint32_t *capacity) {
    uint32_t off = 0;

    *stored = 0;
    *capacity = capacity_of(s, area);
    if (picosuit_boot_stored(s->boot, area, &off, stored) != PICOSUIT_OK) {
        return DEVICE_E_FLASH;
    }
    if (s->closed[area] != 0 && s->closed_at[area] == off) {
        *stored = s->closed[area]; /* complete, but not sealed yet */
    }
    return 0;
}

int device_slots_read(device_slots *s, unsigned area, uint32_t off, uint8_t *buf,
                      size_t cap) {
    uint32_t limit = capacity_of(s, area);
    uint32_t base = s->boot->flash->slot[picosuit_boot_slot(s->boot) & 1u];
    uint32_t len = 0;

    if (off > limit || cap > limit - off ||
        (area == PICOSUIT_AREA_KEYS &&
         picosuit_boot_stored(s->boot, area, &base, &len) != PICOSUIT_OK)) {
        return DEVICE_E_SLOT;
    }
    return s->boot->flash->read(s->boot->dev, base + off, buf, cap);
}

/* -- begin -- */

/* Erases the next page: AGAIN while there was one, 0 when all are done. Each is erased
 * whatever it reads: one whose erase or last write was cut may read erased today. When
 * resuming from the last page down, so that a cut in between loses no more progress. */
static int erase_step(device_slots *s) {
    const picosuit_flash *f = s->boot->flash;
    uint32_t at = s->low;

    if (s->low >= s->high) {
        return 0;
    }
    if (s->phase == PHASE_RESUME) {
        s->high -= f->page;
        at = s->high;
    } else {
        s->low += f->page;
    }
    return f->erase(s->boot->dev, at) == 0 ? PICOSUIT_AGAIN : DEVICE_E_FLASH;
}

/* Whether the manifest area belongs to an attempt with this identity that was neither
 * closed nor made a candidate: 1, 0, or negative. */
static int is_same_attempt(const device_slots *s, uint32_t area, const uint8_t *id) {
    const picosuit_flash *f = s->boot->flash;
    uint8_t found[ID_LEN];

    if (s->boot->rec.phase == PICOSUIT_BOOT_CAND) {
        return 0; /* starting over withdraws the candidate first */
    }
    if (f->read(s->boot->dev, area, found, sizeof found) != 0) {
        return DEVICE_E_FLASH;
    }
    if (memcmp(found, id, sizeof found) != 0) {
        return 0;
    }
    return reads_erased(s, area + ID_LEN, area + f->manifest_size);
}

/* Finds the last image page that holds anything: it may end in a torn unit. Pages behind
 * it that read erased may hold one, too, or content that happens to read erased; so the
 * transfer goes on at that page, and it and all behind it are erased. 1: so planned; 0:
 * not possible; or negative. */
static int plan_resume(device_slots *s, uint32_t size, const uint8_t *id) {
    const picosuit_flash *f = s->boot->flash;
    uint32_t end = s->base + capacity_of(s, PICOSUIT_AREA_IMAGE);
    uint32_t last = end - f->page;
    int st = is_same_attempt(s, end, id);

    if (st != 1) {
        return st;
    }
    for (; last > s->base; last -= f->page) {
        st = reads_erased(s, last, last + f->page);
        if (st < 0) {
            return st;
        }
        if (st == 0) {
            break;
        }
    }
    if (last - s->base >= size) {
        return 0; /* it was another source of the same manifest, and a longer one */
    }
    s->phase = PHASE_RESUME;
    s->low = last;
    s->high = end;
    s->len = last - s->base;
    return 1;
}

/* Chooses between resuming and starting over. Starting over erases the manifest area
 * first: were it the last, a power cut in between would leave the identity of an earlier
 * attempt with pages that are no longer its own. */
static int plan(device_slots *s, uint32_t size, const uint8_t *id) {
    uint32_t len = 0;
    int st = picosuit_boot_stored(s->boot, s->area, &s->base, &len);

    if (st == PICOSUIT_OK && s->area == PICOSUIT_AREA_IMAGE) {
        st = plan_resume(s, size, id);
        if (st == 1) {
            return 0;
        }
    }
    if (st != 0) {
        return DEVICE_E_FLASH;
    }
    st = picosuit_boot_prepare(s->boot, s->area, &s->base);
    if (st != PICOSUIT_OK) {
        return st;
    }
    s->phase = PHASE_FRESH;
    s->len = 0;
    s->low = s->base;
    s->high = s->base; /* the key-set page is erased */
    if (s->area == PICOSUIT_AREA_IMAGE) {
        s->high += capacity_of(s, s->area);
    }
    return PICOSUIT_AGAIN;
}

static int begin_step(device_slots *s, uint32_t size, const uint8_t *id) {
    int st = 0;

    if (s->phase == PHASE_NEW) {
        st = plan(s, size, id);
    }
    if (st == 0) {
        st = erase_step(s);
    }
    if (st == 0 && s->phase == PHASE_FRESH && s->area == PICOSUIT_AREA_IMAGE) {
        st = program(s, s->high, id, ID_LEN);
    }
    return st;
}

int device_slots_begin(device_slots *s, unsigned area, uint32_t size, const uint8_t *id,
                       uint32_t *have) {
    const picosuit_boot *b = s->boot;
    int st = DEVICE_E_SLOT;

    if ((b->rec.phase == PICOSUIT_BOOT_TRY && b->running < 2) ||
        area > PICOSUIT_AREA_KEYS ||
        (area == PICOSUIT_AREA_IMAGE && (b->slot > 1 || b->slot == b->running))) {
        return st;
    }
    s->area = (uint8_t)area;
    s->closed[area] = 0;
    st = begin_step(s, size, id);
    if (st != PICOSUIT_AGAIN) {
        s->phase = PHASE_NEW;
        *have = s->len;
    }
    return st;
}

/* -- write, end -- */

int device_slots_write(device_slots *s, unsigned area, uint32_t off, const uint8_t *data,
                       size_t len) {
    uint32_t limit = capacity_of(s, area);

    if (area != s->area || off != s->len || off > limit || len > limit - off) {
        return DEVICE_E_SLOT;
    }
    s->len = off + (uint32_t)len; /* also when it fails: end(0) then erases this page */
    return program(s, s->base + off, data, len);
}

/* The manifest area goes first: otherwise, after a cut, the next begin would resume into
 * what is known to be bad. */
static int discard(device_slots *s) {
    const picosuit_flash *f = s->boot->flash;
    int st = 0;

    if (s->phase != PHASE_DISCARD) {
        s->closed[s->area] = 0;
        s->phase = PHASE_DISCARD;
        st = picosuit_boot_prepare(s->boot, s->area, &s->base);
        s->low = s->base;
        s->high = s->base;
        if (s->area == PICOSUIT_AREA_IMAGE) {
            s->high += (s->len + f->page - 1) / f->page * f->page;
        }
        return st == PICOSUIT_OK ? PICOSUIT_AGAIN : st;
    }
    return erase_step(s);
}

int device_slots_end(device_slots *s, unsigned area, int good) {
    int st = DEVICE_E_SLOT;

    if (area != s->area) {
        return st;
    }
    if (good == 1) {
        s->closed[area] = s->len;
        s->closed_at[area] = s->base;
        return 0;
    }
    st = discard(s);
    if (st != PICOSUIT_AGAIN) {
        s->phase = PHASE_NEW;
        s->len = 0;
    }
    return st;
}
