/* SPDX-License-Identifier: MIT
 *
 * What fuzz targets share: a device in memory that stops the program when a rule is
 * broken, and the loop of a device, with the input in parts that the input itself
 * decides.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picosuit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FUZZ_HANDLES 9
#define FUZZ_CELLS 4096
#define FUZZ_WORK 2048
#define FUZZ_CALLS 100000 /* then it hangs */

#define MUST(cond)                                                                       \
    do {                                                                                 \
        if (!(cond)) {                                                                   \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond);           \
            abort();                                                                     \
        }                                                                                \
    } while (0)

typedef struct {
    picosuit p;
    uint8_t work[FUZZ_WORK];
    uint8_t cell[FUZZ_HANDLES][FUZZ_CELLS];
    uint32_t stored[FUZZ_HANDLES];
    uint32_t random; /* state: decides parts and AGAIN */
    uint32_t open_at;
    uint32_t open_size;
    uint32_t begins;
    uint32_t ends;
    int open;    /* handle, -1: none */
    int armed;   /* begin has answered */
    int again;   /* some calls answer AGAIN */
    int accept;  /* key -9 accepts every signature */
    int ed25519; /* Ed25519 keys are offered, too: exact, but slow */
    int last;    /* a short block was written */
} fuzz_device;

/* How it ended. */
typedef struct {
    int status;
    int is_ready; /* it was authenticated */
    picosuit_error error;
} fuzz_outcome;

static uint32_t fuzz_next(fuzz_device *d) {
    d->random ^= d->random << 13;
    d->random ^= d->random >> 17;
    d->random ^= d->random << 5;
    return d->random;
}

static int fuzz_waits(fuzz_device *d) {
    return d->again && fuzz_next(d) % 8 == 0;
}

/* Test keys of vectors/keys.txt; the last one is for envelopes that nobody signed. */
static const struct {
    const char *key;
    uint16_t key_len;
    int32_t alg;
    uint32_t rights;
    uint16_t id;
} fuzz_keys[] = {
    {"\x3d\x09\x7e\x53\x59\x23\x68\x5b\x39\x99\x4f\x5f\x32\x04\xa5\x51"
     "\xfd\x3a\x4d\xf6\xb2\x3e\x27\x62\x80\x5e\xf9\xc9\x90\xa1\x2f\x6e",
     32, -19, 3, 1},
    {"\xa2\x44\x0d\xab\xd9\xe2\x80\x81\x8f\x3a\xc3\x5f\x6c\x93\x06\xab"
     "\xa6\xc7\x50\x77\x5d\x95\xd8\xbe\xe4\x39\x00\xd5\x44\xd2\x6a\x45",
     32, -19, 27, 3},
    {"\x73\x6f\x50\x49\x46\xe1\x40\x47\x9e\x31\xe0\x62\x4d\x98\xdd\xb3"
     "\xa8\xc8\xf1\x52\x72\xe6\xa9\x72\xfa\x8e\x16\xe4\xb6\x02\x73\xa3",
     32, 5, 3, 5},
    {"\x6f\xcd\xec\x2f\x18\x0e\xba\x6f\x33\xbe\x21\xca\x9a\x67\x02\xc6"
     "\x02\x1a\x4b\x76\x64\xf8\x84\x56\x4d\xfb\x9a\x5d\xae\x79\x25\xc8",
     32, -29, 0, 6},
    {"\x48\xd4\xc2\xf0\x29\x92\x1a\xaf\xc8\x03\x57\x7a\x13\x6d\x9c\x9b", 16, -3, 0, 7},
    {"", 0, -9, 27, 9},
};

static int fuzz_purpose(int32_t alg) {
    return alg == PICOSUIT_ALG_HMAC256 ? PICOSUIT_PURPOSE_MAC
           : alg == PICOSUIT_ALG_ECDH_ES_A128KW || alg == PICOSUIT_ALG_A128KW
               ? PICOSUIT_PURPOSE_DECRYPT
               : PICOSUIT_PURPOSE_VERIFY;
}

static int fuzz_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                    size_t kid_len, picosuit_key *out) {
    fuzz_device *d = (fuzz_device *)dev;
    (void)kid;
    (void)kid_len;
    if (fuzz_waits(d)) {
        return PICOSUIT_AGAIN;
    }
    for (size_t i = 0; i < sizeof fuzz_keys / sizeof *fuzz_keys; i++) {
        int is_wanted = fuzz_keys[i].alg == -9                     ? d->accept
                        : fuzz_keys[i].alg == PICOSUIT_ALG_ED25519 ? d->ed25519
                                                                   : 1;
        if (is_wanted && fuzz_purpose(fuzz_keys[i].alg) == purpose && n-- == 0) {
            out->key = (const uint8_t *)fuzz_keys[i].key;
            out->key_len = fuzz_keys[i].key_len;
            out->alg = fuzz_keys[i].alg;
            out->rights = fuzz_keys[i].rights;
            out->id = fuzz_keys[i].id;
            return 1;
        }
    }
    return 0;
}

static const char *const fuzz_ids[FUZZ_HANDLES] = {"\x81\x41\x00",
                                                   "\x81\x41\x01",
                                                   "\x81\x41\x02",
                                                   "\x81\x45stage",
                                                   "\x81\x41t",
                                                   "\x81\x47trusted",
                                                   "\x81\x44keys",
                                                   "\x81\x46"
                                                   "denied",
                                                   "\x81\x41u"};

static int fuzz_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                          uint8_t *handle, uint8_t *kind) {
    (void)signer;
    if (fuzz_waits((fuzz_device *)dev)) {
        return PICOSUIT_AGAIN;
    }
    for (uint8_t i = 0; i < FUZZ_HANDLES; i++) {
        size_t n = i < 3 ? 3 : strlen(fuzz_ids[i]);
        if (n == id_len && memcmp(fuzz_ids[i], id, n) == 0) {
            *handle = i;
            *kind = (uint8_t)(i == 4 || i == 8 ? PICOSUIT_TRANSIENT
                              : i == 5         ? PICOSUIT_TRUSTED
                              : i == 6         ? PICOSUIT_STORED | PICOSUIT_KIND_KEYS
                                               : PICOSUIT_STORED);
            return 1;
        }
    }
    return 0;
}

static int fuzz_identity(void *dev, unsigned component, int what, unsigned n,
                         uint8_t *buf) {
    static const uint8_t ids[2][16] = {{0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                        0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe},
                                       {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                        0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45}};
    MUST(component < FUZZ_HANDLES);
    if (fuzz_waits((fuzz_device *)dev)) {
        return PICOSUIT_AGAIN;
    }
    if (n > 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, ids[what - 1], 16);
    return 1;
}

static int fuzz_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    (void)dev;
    (void)procedure;
    MUST(component < FUZZ_HANDLES);
    *out = 0;
    return 0;
}

static int fuzz_is_stored(unsigned component) {
    return component < FUZZ_HANDLES && component != 4 && component != 8;
}

static int fuzz_size(void *dev, unsigned component, uint32_t *stored,
                     uint32_t *capacity) {
    fuzz_device *d = (fuzz_device *)dev;
    MUST(fuzz_is_stored(component));
    *stored = d->stored[component];
    *capacity = FUZZ_CELLS;
    return fuzz_waits(d) ? PICOSUIT_AGAIN : 0;
}

static int fuzz_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                     size_t cap) {
    fuzz_device *d = (fuzz_device *)dev;
    MUST(fuzz_is_stored(component) && d->armed && cap >= 1 && cap <= 64);
    MUST(off <= d->stored[component] && cap <= d->stored[component] - off);
    memcpy(buf, d->cell[component] + off, cap);
    return fuzz_waits(d) ? PICOSUIT_AGAIN : 0;
}

static int fuzz_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    fuzz_device *d = (fuzz_device *)dev;
    (void)id;
    if (fuzz_waits(d)) {
        return PICOSUIT_AGAIN;
    }
    MUST(fuzz_is_stored(component) && d->armed && d->open < 0);
    MUST(size == PICOSUIT_UNKNOWN || size <= FUZZ_CELLS);
    d->open = (int)component;
    d->open_at = 0;
    d->open_size = size;
    d->last = 0;
    d->begins++;
    d->stored[component] = 0;
    *have = 0;
    return 0;
}

static int fuzz_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                      size_t len) {
    fuzz_device *d = (fuzz_device *)dev;
    if (fuzz_waits(d)) {
        return PICOSUIT_AGAIN;
    }
    MUST(d->open == (int)component && off == d->open_at && off % 64 == 0 && !d->last);
    MUST(len >= 1 && len <= 64 && off + len <= FUZZ_CELLS);
    MUST(d->open_size == PICOSUIT_UNKNOWN || off + len <= d->open_size);
    memcpy(d->cell[component] + off, data, len);
    d->open_at += (uint32_t)len;
    d->last = len < 64;
    return 0;
}

static int fuzz_end(void *dev, unsigned component, int good) {
    fuzz_device *d = (fuzz_device *)dev;
    if (fuzz_waits(d)) {
        return PICOSUIT_AGAIN;
    }
    MUST(d->open == (int)component && (good == 0 || good == 1));
    MUST(!good || d->open_size == PICOSUIT_UNKNOWN || d->open_at == d->open_size);
    d->open = -1;
    d->ends++;
    d->stored[component] = good ? d->open_at : 0;
    return 0;
}

static int fuzz_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    fuzz_device *d = (fuzz_device *)dev;
    (void)data;
    (void)len;
    MUST(fuzz_is_stored(component) && d->armed && d->open < 0);
    return fuzz_waits(d) ? PICOSUIT_AGAIN : 0;
}

static int fuzz_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    (void)floor;
    (void)digest;
    return fuzz_waits((fuzz_device *)dev) ? PICOSUIT_AGAIN : PICOSUIT_NO_FLOOR;
}

static int fuzz_swap(void *dev, unsigned component, unsigned source) {
    fuzz_device *d = (fuzz_device *)dev;
    MUST(fuzz_is_stored(component) && fuzz_is_stored(source) && component != source);
    MUST(d->armed && d->open < 0);
    return 0;
}

static int fuzz_verify(void *dev, const picosuit_key *key, const uint8_t *data,
                       size_t len, const uint8_t *sig, size_t sig_len) {
    (void)dev;
    (void)data;
    (void)sig;
    (void)sig_len;
    MUST(key->alg == -9 && len <= 120);
    return PICOSUIT_VERIFIED;
}

static const picosuit_platform fuzz_platform = {
    fuzz_key,      fuzz_component, fuzz_identity, fuzz_slot, fuzz_size,
    fuzz_read,     fuzz_begin,     fuzz_write,    fuzz_end,  fuzz_invoke,
    fuzz_sequence, fuzz_swap,      fuzz_verify,   NULL,
};

/* -- the loop of a device -- */

enum { FUZZ_WHOLE, FUZZ_PARTS, FUZZ_OPEN };

typedef struct {
    fuzz_device *d;
    const uint8_t *data;
    size_t len;
    size_t pos;
    unsigned calls; /* left */
    int how;
    int procedure;
    int rewinds; /* left */
} fuzz_loop;

static int fuzz_feed(fuzz_loop *f, int is_again) {
    size_t n = f->len - f->pos, used = 0;
    int st;
    if (n == 0) {
        return is_again ? picosuit_feed(&f->d->p, NULL, 0, &used)
                        : picosuit_feed_end(&f->d->p);
    }
    if (f->how == FUZZ_PARTS) {
        size_t most = fuzz_next(f->d) % 4 == 0 ? 200 : 12;
        size_t part = fuzz_next(f->d) % most;
        n = part < n ? part : n;
    }
    /* its own memory: a sanitizer sees a byte too many */
    uint8_t *copy = (uint8_t *)malloc(n ? n : 1);
    MUST(copy != NULL);
    memcpy(copy, f->data + f->pos, n);
    st = picosuit_feed(&f->d->p, copy, n, &used);
    free(copy);
    MUST(used <= n && (st != PICOSUIT_MORE || used == n));
    f->pos += used;
    return st;
}

static uint8_t fuzz_byte(uint32_t off) {
    return (uint8_t)(off * 7 + 31 + (off >> 8));
}

/* A payload from nowhere: as long as is wanted, or 200 bytes. */
static int fuzz_payload(fuzz_loop *f, const picosuit_fetch *w) {
    uint32_t end = w->size == PICOSUIT_UNKNOWN ? 200 : w->size, off = w->offset;
    int st = PICOSUIT_MORE;
    end = end < 2 * FUZZ_CELLS ? end : 2 * FUZZ_CELLS;
    while (off < end && (st == PICOSUIT_MORE || st == PICOSUIT_AGAIN)) {
        uint8_t part[200];
        size_t n = f->how == FUZZ_WHOLE ? 200 : 1 + fuzz_next(f->d) % 200, used = 0;
        n = n < end - off ? n : end - off;
        for (uint32_t i = 0; i < n; i++) {
            part[i] = fuzz_byte(off + i);
        }
        st = picosuit_payload(&f->d->p, part, n, &used);
        MUST(used <= n && (st != PICOSUIT_MORE || used == n));
        off += (uint32_t)used;
    }
    while (st == PICOSUIT_MORE || st == PICOSUIT_AGAIN) {
        st = picosuit_payload_end(&f->d->p, 1);
    }
    return st;
}

static int fuzz_fetch(fuzz_loop *f) {
    picosuit_fetch w;
    MUST(picosuit_get_fetch(&f->d->p, &w) == PICOSUIT_OK);
    MUST(w.uri_len >= 1 && w.uri_len <= PICOSUIT_MAX_URI);
    if (w.where == PICOSUIT_WHERE_ENVELOPE) {
        return fuzz_feed(f, 0);
    }
    MUST(w.where == PICOSUIT_WHERE_URI);
    if (f->how != FUZZ_OPEN && w.passed != 0 && f->rewinds-- > 0) {
        f->pos = 0;
        MUST(picosuit_rewind(&f->d->p) == PICOSUIT_OK);
        return PICOSUIT_FETCH;
    }
    return fuzz_payload(f, &w);
}

static int fuzz_ready(fuzz_loop *f, fuzz_outcome *out) {
    fuzz_device *d = f->d;
    picosuit_info info;
    uint8_t part[64];
    size_t n;
    int st;
    out->is_ready = 1;
    MUST(picosuit_get_info(&d->p, &info) == PICOSUIT_OK);
    MUST(info.envelope_len <= f->len && info.components <= PICOSUIT_MAX_COMPONENTS);
    MUST(picosuit_get_envelope(&d->p, 3, part, sizeof part, &n) == PICOSUIT_OK);
    MUST(memcmp(part, f->data + 3, n) == 0 || f->data[2] > 0xb7);
    if (f->how != FUZZ_OPEN && f->pos < f->len) { /* what follows are payloads */
        size_t used = 0;
        st = picosuit_feed(&d->p, f->data + f->pos, f->len - f->pos, &used);
        if (st != PICOSUIT_READY) {
            return st;
        }
        MUST(used == 0);
    }
    do {
        st = picosuit_begin(&d->p, f->procedure);
    } while (st == PICOSUIT_AGAIN);
    if (st != PICOSUIT_OK) {
        return st;
    }
    d->armed = 1;
    return picosuit_run(&d->p);
}

static int fuzz_step(fuzz_loop *f, int st, fuzz_outcome *out) {
    switch (st) {
    case PICOSUIT_MORE: return fuzz_feed(f, 0);
    case PICOSUIT_READY: return fuzz_ready(f, out);
    case PICOSUIT_FETCH: return fuzz_fetch(f);
    default:
        MUST(st == PICOSUIT_AGAIN);
        return f->how == FUZZ_OPEN && !out->is_ready
                   ? picosuit_open(&f->d->p, f->data, f->len)
               : f->d->armed ? picosuit_run(&f->d->p)
                             : fuzz_feed(f, 1);
    }
}

/* One envelope through the device. */
static fuzz_outcome fuzz_run(fuzz_device *d, const uint8_t *data, size_t len, int how,
                             int procedure) {
    fuzz_loop f = {d, data, len, 0, FUZZ_CALLS, how, procedure, 3};
    fuzz_outcome out;
    uint8_t report[600];
    size_t n;
    int st;
    memset(&out, 0, sizeof out);
    memset(&d->p, 0, sizeof d->p);
    memset(d->stored, 0, sizeof d->stored);
    d->begins = d->ends = 0;
    d->open = -1;
    d->armed = 0;
    MUST(picosuit_init(&d->p, &fuzz_platform, d, d->work, FUZZ_WORK) == PICOSUIT_OK);
    st = how == FUZZ_OPEN ? picosuit_open(&d->p, data, len) : PICOSUIT_MORE;
    while (st > 0 || (st == PICOSUIT_OK && how != FUZZ_OPEN && f.pos < len)) {
        MUST(f.calls-- > 0); /* after OK: the rest must still be an envelope */
        st = st > 0 ? fuzz_step(&f, st, &out) : fuzz_feed(&f, 0);
    }
    st = st == PICOSUIT_OK && how != FUZZ_OPEN ? picosuit_feed_end(&d->p) : st;
    out.status = st;
    out.error = *picosuit_last_error(&d->p);
    MUST(out.error.code == st && out.error.offset <= len);
    MUST(d->open < 0 && d->begins == d->ends);
    MUST(st == PICOSUIT_OK || picosuit_run(&d->p) == st);
    st = picosuit_report(&d->p, report, sizeof report, &n);
    MUST(st == PICOSUIT_OK || st == PICOSUIT_E_UNSUPPORTED);
    return out;
}

#endif
