/* SPDX-License-Identifier: MIT */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#include "picosuit.h"

#if !PICOSUIT_EXPOSE_PRIMITIVES || !PICOSUIT_WITH_SWAP || !PICOSUIT_ED25519_EXPANDED ||  \
    !PICOSUIT_WITH_BOOT
#error                                                                                   \
    "core and shim: PICOSUIT_EXPOSE_PRIMITIVES, _WITH_SWAP, _ED25519_EXPANDED, _WITH_BOOT"
#endif

#define WORDS 6u         /* of a question: kind, x0..x4 */
#define KEEP_MOST 65536u /* bytes of what was fed whose memory is used again */

/* ---- Bytes */

/* Bytes that grow. */
typedef struct {
    uint8_t *data;
    size_t len;
    size_t cap;
} span;

/* Bytes may be keys: a compiler must not leave this out. */
static void wipe_free(uint8_t *data, size_t len) {
    volatile uint8_t *at = data;

    for (; len > 0; len--) {
        *at++ = 0;
    }
    free(data);
}

/* No realloc: it leaves a copy of what may be a key. */
static int span_add(span *s, const uint8_t *data, size_t len) {
    if (len > s->cap - s->len) {
        size_t cap = s->len > 0 ? (s->len + len) * 2 : len < 256 ? 256 : len;
        uint8_t *grown = cap >= len ? (uint8_t *)malloc(cap) : NULL;

        if (grown == NULL) {
            return 0;
        }
        if (s->len > 0) {
            memcpy(grown, s->data, s->len);
        }
        wipe_free(s->data, s->cap);
        s->data = grown;
        s->cap = cap;
    }
    if (len > 0) {
        memcpy(s->data + s->len, data, len);
        s->len += len;
    }
    return 1;
}

static int span_set(span *s, const uint8_t *data, size_t len) {
    s->len = 0;
    return span_add(s, data, len);
}

static void span_free(span *s) {
    free(s->data);
    memset(s, 0, sizeof *s);
}

static void span_wipe(span *s) {
    wipe_free(s->data, s->cap);
    memset(s, 0, sizeof *s);
}

static int is_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len) {
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static uint8_t *put(uint8_t *at, uint64_t value, unsigned n) {
    for (; n > 0; n--) {
        *at++ = (uint8_t)value;
        value >>= 8;
    }
    return at;
}

static uint8_t *put_words(uint8_t *at, const uint32_t *word, unsigned n) {
    for (; n > 0; n--) {
        at = put(at, *word++, 4);
    }
    return at;
}

static uint32_t word_of(const span *s, unsigned i) {
    const uint8_t *at = s->data + 4 * (size_t)i;

    return (uint32_t)(at[0] | at[1] << 8 | at[2] << 16) | (uint32_t)at[3] << 24;
}

/* A packed answer: bytes written, or needed. */
static int32_t pack(uint8_t *buf, size_t cap, const uint8_t *data, size_t len) {
    if (len <= cap && len > 0) {
        memcpy(buf, data, len);
    }
    return (int32_t)len;
}

/* The same after a function of the core, which says how many. */
static int32_t packed(int st, size_t len) {
    return st == PICOSUIT_OK || st == PICOSUIT_E_ROOM ? (int32_t)len : st;
}

/* ---- Handles */

/* What is asked of the device. */
enum { IDLE, ASKED, ANSWERED };

/* The call that is under way, so that bind_reply can repeat it. */
enum {
    CALL_NONE,
    CALL_RESET,
    CALL_FEED,
    CALL_FEED_END,
    CALL_OPEN,
    CALL_BEGIN,
    CALL_RUN,
    CALL_PAYLOAD,
    CALL_PAYLOAD_END,
    CALL_SELECT,
    CALL_BOOT_BEGIN,
    CALL_CANDIDATE
};

typedef struct {
    picosuit_key key;
    uint8_t *data; /* key, then kid */
    size_t kid_len;
    int has_kid;
    int purpose;
} entry;

struct bind_processor {
    picosuit core;
    picosuit_platform platform;
    uint8_t *work;
    uint32_t work_len;
    uint32_t work_used;
    uint32_t mask; /* what the device can answer */
    entry *keys;
    size_t key_n;

    int call;        /* CALL_* */
    int argument;    /* procedure, good */
    bind_boot *boot; /* of a boot call */
    span in;         /* feed, payload: all that was given */
    size_t in_pos;   /* and how much of it was taken */
    span envelope;   /* open */
    int has_envelope;

    int phase;  /* IDLE, ASKED, ANSWERED */
    span made;  /* the question being made */
    span asked; /* the one that waits, or was answered */
    int answer; /* what the callback returns */
    uint32_t a; /* and gives out */
    uint32_t b;
    uint32_t c;
    span data;
    /* A call that is repeated after verify was answered asks for its key again: the same
     * answer then, or the two questions would take turns for ever. */
    int is_pinned;
    span key_asked;
    span key_data;
    picosuit_key key;

    span records;
    size_t record_pos; /* taken so far */
};

struct bind_flash {
    uint8_t *cell;
    uint8_t *done; /* byte was programmed since its page was erased */
    uint32_t size;
    uint32_t page;
    uint32_t unit;
    uint32_t erased;
    uint32_t users; /* who made it, and each boot state */
    uint32_t reads;
    uint32_t programs;
    uint32_t erases;
    uint32_t breaches;
    uint32_t cut; /* operations until power is lost, 0: never */
    int is_lost;
};

struct bind_boot {
    picosuit_boot core;
    picosuit_flash geometry;
    bind_flash *flash;
    uint32_t users; /* who made it, and a call under way */
    span factory;
    span component;
    int is_asking; /* inside a boot call that waits for an answer */
    uint8_t set;   /* picosuit_boot.set as the callback saw it: the core takes the
                      candidate's back whenever it returns */
};

/* ---- Questions */

static int ask_make(bind_processor *p, uint32_t kind, uint32_t x0, uint32_t x1,
                    uint32_t x2, const uint8_t *data, size_t len) {
    uint32_t word[WORDS] = {kind, x0, x1, x2, 0, 0};
    uint8_t head[BIND_QUESTION_LEN];

    (void)put_words(head, word, WORDS);
    return span_set(&p->made, head, sizeof head) && span_add(&p->made, data, len);
}

/* What was made: the answer if it has one, else it waits for it. */
static int ask_made(bind_processor *p) {
    span other = p->asked;
    int is_answered = p->phase == ANSWERED;

    p->phase = IDLE;
    if (is_answered && is_equal(p->made.data, p->made.len, other.data, other.len)) {
        return p->answer;
    }
    p->asked = p->made;
    p->made = other;
    p->phase = ASKED;
    if (p->boot != NULL) {
        p->boot->is_asking = 1;
        p->boot->set = p->boot->core.set;
    }
    return PICOSUIT_AGAIN;
}

static int ask(bind_processor *p, uint32_t kind, uint32_t x0, uint32_t x1, uint32_t x2,
               const uint8_t *data, size_t len) {
    return ask_make(p, kind, x0, x1, x2, data, len) ? ask_made(p) : BIND_E_MEMORY;
}

static int purpose_of(int32_t alg) {
    switch (alg) {
    case PICOSUIT_ALG_HMAC256: return PICOSUIT_PURPOSE_MAC;
    case PICOSUIT_ALG_A128KW:
    case PICOSUIT_ALG_ECDH_ES_A128KW: return PICOSUIT_PURPOSE_DECRYPT;
    default: return PICOSUIT_PURPOSE_VERIFY;
    }
}

/* The *n-th key of the table that fits; *n less the number of those that do. */
static const entry *key_find(const bind_processor *p, int purpose, unsigned *n,
                             const uint8_t *kid, size_t kid_len) {
    for (size_t i = 0; i < p->key_n; i++) {
        const entry *e = &p->keys[i];
        int fits = kid == NULL || !e->has_kid ||
                   is_equal(e->data + e->key.key_len, e->kid_len, kid, kid_len);

        if (fits && e->purpose == purpose && (*n)-- == 0) {
            return e;
        }
    }
    return NULL;
}

/* Keeps the key that was answered, until another one is asked for. */
static int key_keep(bind_processor *p) {
    span made = p->made;

    if (!span_set(&p->key_data, p->data.data, p->data.len)) {
        return BIND_E_MEMORY;
    }
    p->made = p->key_asked;
    p->key_asked = made;
    p->key.key = p->key_data.data;
    p->key.key_len = (uint16_t)p->key_data.len;
    p->key.alg = (int32_t)p->a;
    p->key.rights = p->b;
    p->key.id = (uint16_t)p->c;
    return 1;
}

static int on_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                  picosuit_key *out) {
    bind_processor *p = (bind_processor *)dev;
    const entry *e = key_find(p, purpose, &n, kid, kid_len);
    int st = 1;

    if (e != NULL) {
        *out = e->key;
        return st;
    }
    if ((p->mask >> BIND_KEY & 1u) == 0) {
        return 0;
    }
    if (!ask_make(p, BIND_KEY, (uint32_t)purpose, n, kid != NULL, kid, kid_len)) {
        return BIND_E_MEMORY;
    }
    if (!p->is_pinned ||
        !is_equal(p->made.data, p->made.len, p->key_asked.data, p->key_asked.len)) {
        st = ask_made(p);
        st = st == 1 ? key_keep(p) : st;
    }
    if (st == 1) {
        *out = p->key;
    }
    return st;
}

static int on_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                        uint8_t *handle, uint8_t *kind) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_COMPONENT, signer, 0, 0, id, id_len);

    if (st == 1) {
        *handle = (uint8_t)p->a;
        *kind = (uint8_t)p->b;
    }
    return st;
}

static int on_identity(void *dev, unsigned component, int what, unsigned n,
                       uint8_t *buf) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_IDENTITY, component, (uint32_t)what, n, NULL, 0);

    if (st == 1) {
        memcpy(buf, p->data.data, 16);
    }
    return st;
}

static int on_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_SLOT, component, (uint32_t)procedure, 0, NULL, 0);

    if (st == PICOSUIT_OK) {
        *out = p->a;
    }
    return st;
}

static int on_size(void *dev, unsigned component, uint32_t *stored, uint32_t *capacity) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_SIZE, component, 0, 0, NULL, 0);

    if (st == PICOSUIT_OK) {
        *stored = p->a;
        *capacity = p->b;
    }
    return st;
}

static int on_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                   size_t cap) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_READ, component, off, (uint32_t)cap, NULL, 0);

    if (st == PICOSUIT_OK) {
        memcpy(buf, p->data.data, cap);
    }
    return st;
}

static int on_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                    uint32_t *have) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_BEGIN, component, size, 0, id, 32);

    if (st == PICOSUIT_OK) {
        *have = p->a;
    }
    return st;
}

static int on_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                    size_t len) {
    return ask((bind_processor *)dev, BIND_WRITE, component, off, 0, data, len);
}

static int on_end(void *dev, unsigned component, int good) {
    return ask((bind_processor *)dev, BIND_END, component, good == 1, 0, NULL, 0);
}

static int on_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    return ask((bind_processor *)dev, BIND_INVOKE, component, data != NULL, 0, data, len);
}

static int on_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    bind_processor *p = (bind_processor *)dev;
    int st = ask(p, BIND_SEQUENCE, 0, 0, 0, NULL, 0);

    if (st == PICOSUIT_OK) {
        *floor = (uint64_t)p->b << 32 | p->a;
        memcpy(digest, p->data.data, 32);
    }
    return st;
}

static int on_swap(void *dev, unsigned component, unsigned source) {
    return ask((bind_processor *)dev, BIND_SWAP, component, source, 0, NULL, 0);
}

static int on_verify(void *dev, const picosuit_key *key, const uint8_t *data, size_t len,
                     const uint8_t *sig, size_t sig_len) {
    bind_processor *p = (bind_processor *)dev;
    uint8_t *at;
    int st;

    if (!ask_make(p, BIND_VERIFY, (uint32_t)key->alg, key->rights, key->id, key->key,
                  key->key_len) ||
        !span_add(&p->made, data, len) || !span_add(&p->made, sig, sig_len)) {
        return BIND_E_MEMORY;
    }
    at = put(p->made.data + 16, key->key_len, 4);
    (void)put(at, len, 4);
    st = ask_made(p);
    p->is_pinned = p->phase == ASKED;
    return st;
}

static int on_record(void *dev, const picosuit_record *record) {
    bind_processor *p = (bind_processor *)dev;
    uint32_t word[WORDS] = {record->offset,         (uint32_t)record->label,
                            (uint32_t)record->code, record->section,
                            record->component,      record->policy};
    uint8_t packed_record[BIND_RECORD_LEN];

    (void)put_words(packed_record, word, WORDS);
    return span_add(&p->records, packed_record, sizeof packed_record) ? 0 : BIND_E_MEMORY;
}

/* ---- Calls */

static void boot_release(bind_boot *b) {
    if (b != NULL && --b->users == 0) {
        bind_flash_free(b->flash);
        span_free(&b->factory);
        span_free(&b->component);
        free(b);
    }
}

/* The call is over, or was given up for another one. */
static void call_leave(bind_processor *p) {
    p->call = CALL_NONE;
    p->phase = IDLE;
    p->is_pinned = 0;
    if (p->boot != NULL) {
        p->boot->is_asking = 0;
        boot_release(p->boot);
        p->boot = NULL;
    }
}

/* Work that is in use now, as the core counts it for E_ROOM: the parts of the envelope,
 * the tables, and the last payload key if another one may follow. */
static void call_measure(bind_processor *p) {
    const picosuit *c = &p->core;
    uint32_t n = c->key_pos;

    if (c->data == NULL && c->members > 1) {
        n += c->key_len;
    }
    if (n <= p->work_len && n > p->work_used) {
        p->work_used = n;
    }
}

static int call_feed(bind_processor *p) {
    const uint8_t *data = p->in.len > 0 ? p->in.data + p->in_pos : NULL;
    size_t len = p->in.len - p->in_pos;
    size_t used = 0;
    int st = p->call == CALL_FEED ? picosuit_feed(&p->core, data, len, &used)
                                  : picosuit_payload(&p->core, data, len, &used);

    p->in_pos += used;
    return st;
}

static int call_once(bind_processor *p) {
    picosuit *c = &p->core;

    switch (p->call) {
    case CALL_RESET: return picosuit_init(c, &p->platform, p, p->work, p->work_len);
    case CALL_FEED:
    case CALL_PAYLOAD: return call_feed(p);
    case CALL_FEED_END: return picosuit_feed_end(c);
    case CALL_OPEN:
        return picosuit_open(c,
                             p->envelope.len > 0 ? p->envelope.data : (const uint8_t *)"",
                             p->envelope.len);
    case CALL_BEGIN: return picosuit_begin(c, p->argument);
    case CALL_RUN: return picosuit_run(c);
    case CALL_PAYLOAD_END: return picosuit_payload_end(c, p->argument);
    case CALL_SELECT: return picosuit_boot_select(&p->boot->core, c);
    case CALL_BOOT_BEGIN: return picosuit_boot_begin(&p->boot->core, c);
    case CALL_CANDIDATE: return picosuit_boot_candidate(&p->boot->core, c);
    default: return PICOSUIT_E_STATE;
    }
}

/* The call, once more; a question that was answered AGAIN is asked no more. */
static int32_t call_repeat(bind_processor *p) {
    int call = p->call;
    int st = call_once(p);

    call_measure(p);
    if (st != PICOSUIT_AGAIN || p->phase != ASKED) {
        call_leave(p);
        if (p->in.cap > KEEP_MOST) {
            span_free(&p->in);
        }
    }
    if (call == CALL_RESET && st == PICOSUIT_OK) {
        p->envelope.len = 0;
        p->has_envelope = 0;
        p->work_used = 0;
    }
    return st;
}

static int32_t call_start(bind_processor *p, int call, int argument, bind_boot *boot) {
    call_leave(p);
    p->call = call;
    p->argument = argument;
    p->boot = boot;
    if (boot != NULL) {
        boot->users++;
    }
    return call_repeat(p);
}

static int32_t call_bytes(bind_processor *p, int call, const uint8_t *data, size_t len) {
    p->in_pos = 0;
    if (!span_set(&p->in, data, len)) {
        return BIND_E_MEMORY;
    }
    return call_start(p, call, 0, NULL);
}

/* ---- Processor */

bind_processor *bind_processor_new(uint32_t work_len, uint32_t mask) {
    static const picosuit_platform all = {
        on_key,   on_component, on_identity, on_slot,     on_size, on_read,   on_begin,
        on_write, on_end,       on_invoke,   on_sequence, on_swap, on_verify, on_record};
    bind_processor *p = (bind_processor *)calloc(1, sizeof *p);

    if (p == NULL) {
        return NULL;
    }
    p->work = (uint8_t *)malloc(work_len > 0 ? work_len : 1);
    p->work_len = work_len;
    p->mask = mask;
    p->platform.key = all.key; /* answers from the table, too */
#define CALLBACK(bit, name) p->platform.name = (mask >> (bit)&1u) != 0 ? all.name : NULL
    CALLBACK(BIND_COMPONENT, component);
    CALLBACK(BIND_IDENTITY, identity);
    CALLBACK(BIND_SLOT, slot);
    CALLBACK(BIND_SIZE, size);
    CALLBACK(BIND_READ, read);
    CALLBACK(BIND_BEGIN, begin);
    CALLBACK(BIND_WRITE, write);
    CALLBACK(BIND_END, end);
    CALLBACK(BIND_INVOKE, invoke);
    CALLBACK(BIND_SEQUENCE, sequence);
    CALLBACK(BIND_SWAP, swap);
    CALLBACK(BIND_VERIFY, verify);
    CALLBACK(BIND_RECORD, record);
#undef CALLBACK
    if (p->work == NULL || bind_reset(p) != PICOSUIT_OK) {
        bind_processor_free(p);
        return NULL;
    }
    return p;
}

void bind_processor_free(bind_processor *p) {
    if (p == NULL) {
        return;
    }
    call_leave(p);
    for (size_t i = 0; i < p->key_n; i++) {
        wipe_free(p->keys[i].data, p->keys[i].key.key_len);
    }
    free(p->keys);
    free(p->work);
    span_free(&p->in);
    span_free(&p->envelope);
    span_wipe(&p->made);
    span_wipe(&p->asked);
    span_wipe(&p->data);
    span_wipe(&p->key_asked);
    span_wipe(&p->key_data);
    span_free(&p->records);
    wipe_free((uint8_t *)p, sizeof *p); /* the core's block and cipher, too */
}

int32_t bind_key(bind_processor *p, int32_t alg, uint32_t rights, uint32_t id,
                 const uint8_t *data, size_t len) {
    entry *keys;
    entry *e;

    if (len == 0 || len > 0xffff || id > 0xffff) {
        return PICOSUIT_E_ARG;
    }
    keys = (entry *)realloc(p->keys, (p->key_n + 1) * sizeof *keys);
    if (keys == NULL) {
        return BIND_E_MEMORY;
    }
    p->keys = keys;
    e = &keys[p->key_n];
    memset(e, 0, sizeof *e);
    e->data = (uint8_t *)malloc(len);
    if (e->data == NULL) {
        return BIND_E_MEMORY;
    }
    memcpy(e->data, data, len);
    e->key.key = e->data;
    e->key.key_len = (uint16_t)len;
    e->key.alg = alg;
    e->key.rights = rights;
    e->key.id = (uint16_t)id;
    e->purpose = purpose_of(alg);
    p->key_n++;
    return PICOSUIT_OK;
}

int32_t bind_key_kid(bind_processor *p, const uint8_t *data, size_t len) {
    entry *e;
    uint8_t *grown;

    if (p->key_n == 0) {
        return PICOSUIT_E_STATE;
    }
    e = &p->keys[p->key_n - 1];
    grown = (uint8_t *)malloc(e->key.key_len + len);
    if (grown == NULL) {
        return BIND_E_MEMORY;
    }
    memcpy(grown, e->data, e->key.key_len);
    wipe_free(e->data, e->key.key_len);
    if (len > 0) {
        memcpy(grown + e->key.key_len, data, len);
    }
    e->data = grown;
    e->key.key = grown;
    e->kid_len = len;
    e->has_kid = 1;
    return PICOSUIT_OK;
}

int32_t bind_reset(bind_processor *p) {
    return call_start(p, CALL_RESET, 0, NULL);
}

int32_t bind_feed(bind_processor *p, const uint8_t *data, size_t len) {
    return call_bytes(p, CALL_FEED, data, len);
}

int32_t bind_feed_end(bind_processor *p) {
    return call_start(p, CALL_FEED_END, 0, NULL);
}

/* The copy stays until the context is started over: while the core holds it, no other
 * envelope takes its place. */
int32_t bind_open(bind_processor *p, const uint8_t *data, size_t len) {
    int is_first = !p->has_envelope;
    int32_t st;

    if (is_first && !span_set(&p->envelope, data, len)) {
        return BIND_E_MEMORY;
    }
    if (!is_equal(p->envelope.data, p->envelope.len, data, len)) {
        st = picosuit_last_error(&p->core)->code;
        return st != 0 ? st : PICOSUIT_E_STATE;
    }
    p->has_envelope = 1;
    st = call_start(p, CALL_OPEN, 0, NULL);
    if (is_first && (st == PICOSUIT_E_STATE || st == PICOSUIT_E_ARG)) {
        p->has_envelope = 0; /* the core did not take it */
    }
    return st;
}

int32_t bind_begin(bind_processor *p, int32_t procedure) {
    return call_start(p, CALL_BEGIN, procedure, NULL);
}

int32_t bind_run(bind_processor *p) {
    return call_start(p, CALL_RUN, 0, NULL);
}

int32_t bind_payload(bind_processor *p, const uint8_t *data, size_t len) {
    return call_bytes(p, CALL_PAYLOAD, data, len);
}

int32_t bind_payload_end(bind_processor *p, int32_t good) {
    return call_start(p, CALL_PAYLOAD_END, good != 0, NULL);
}

int32_t bind_rewind(bind_processor *p) {
    call_leave(p);
    return picosuit_rewind(&p->core);
}

int64_t bind_used(const bind_processor *p) {
    return (int64_t)p->in_pos;
}

int32_t bind_question(const bind_processor *p, uint8_t *buf, size_t cap) {
    return p->phase == ASKED ? pack(buf, cap, p->asked.data, p->asked.len) : 0;
}

/* Whether an answer has the shape that its question wants. */
static int is_fit(const bind_processor *p, int32_t st, uint32_t a, uint32_t b, uint32_t c,
                  size_t len) {
    uint32_t kind = word_of(&p->asked, 0);

    if (kind == BIND_KEY && st == 1) {
        return len > 0 && len <= 0xffff && c <= 0xffff;
    }
    if (kind == BIND_COMPONENT && st == 1) {
        return len == 0 && a < 255 && b <= 255;
    }
    if (kind == BIND_IDENTITY && st == 1) {
        return len == 16;
    }
    if (kind == BIND_READ && st == PICOSUIT_OK) {
        return len == word_of(&p->asked, 3);
    }
    return len == (kind == BIND_SEQUENCE && st == PICOSUIT_OK ? 32 : 0);
}

int32_t bind_reply(bind_processor *p, int32_t st, uint32_t a, uint32_t b, uint32_t c,
                   const uint8_t *data, size_t len) {
    if (p->phase != ASKED) {
        return PICOSUIT_E_STATE;
    }
    if (!is_fit(p, st, a, b, c, len)) {
        return BIND_UNFIT;
    }
    if (!span_set(&p->data, data, len)) {
        return BIND_E_MEMORY;
    }
    p->answer = st;
    p->a = a;
    p->b = b;
    p->c = c;
    p->phase = ANSWERED;
    return call_repeat(p);
}

int32_t bind_is_long(const bind_processor *p) {
    uint32_t kind = p->phase == ASKED ? word_of(&p->asked, 0) : 0;

    return kind == BIND_KEY || kind == BIND_VERIFY;
}

int32_t bind_error(const bind_processor *p, uint8_t *buf, size_t cap) {
    const picosuit_error *e = picosuit_last_error(&p->core);
    uint32_t word[] = {(uint32_t)e->code,  e->offset,    e->section,
                       (uint32_t)e->label, e->component, (uint32_t)e->platform};
    uint8_t out[BIND_ERROR_LEN];

    (void)put_words(out, word, 6);
    return pack(buf, cap, out, sizeof out);
}

int32_t bind_info(const bind_processor *p, uint8_t *buf, size_t cap) {
    picosuit_info info;
    uint8_t out[BIND_INFO_LEN];
    int st = picosuit_get_info(&p->core, &info);
    uint32_t word[] = {info.envelope_len, info.rights, info.signer, info.components,
                       info.sections};

    if (st != PICOSUIT_OK) {
        return st;
    }
    memcpy(put(out, info.sequence, 8), info.digest, 32);
    (void)put_words(out + 40, word, 5);
    return pack(buf, cap, out, sizeof out);
}

int32_t bind_fetch(const bind_processor *p, uint8_t *buf, size_t cap) {
    picosuit_fetch f;
    int st = picosuit_get_fetch(&p->core, &f);
    uint32_t word[] = {f.offset,    f.size,         f.passed,  f.where,
                       f.component, f.args != NULL, f.uri_len, f.args_len};
    size_t len = BIND_FETCH_LEN + (size_t)f.uri_len + f.args_len;

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (len <= cap) {
        (void)put_words(buf, word, 8);
        memcpy(buf + BIND_FETCH_LEN, f.uri, f.uri_len);
        if (f.args_len > 0) {
            memcpy(buf + BIND_FETCH_LEN + f.uri_len, f.args, f.args_len);
        }
    }
    return (int32_t)len;
}

int32_t bind_envelope(const bind_processor *p, uint32_t off, uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_get_envelope(&p->core, off, buf, cap, &len);

    return packed(st, len);
}

int32_t bind_report(const bind_processor *p, uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_report(&p->core, buf, cap, &len);

    return packed(st, len);
}

int32_t bind_record(bind_processor *p, uint8_t *buf, size_t cap) {
    if (p->record_pos == p->records.len) {
        p->record_pos = 0;
        p->records.len = 0;
        return 0;
    }
    if (cap >= BIND_RECORD_LEN) {
        memcpy(buf, p->records.data + p->record_pos, BIND_RECORD_LEN);
        p->record_pos += BIND_RECORD_LEN;
    }
    return (int32_t)BIND_RECORD_LEN;
}

uint32_t bind_work_used(const bind_processor *p) {
    return p->work_used;
}

int32_t bind_capabilities(uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_capabilities(buf, cap, &len);

    return packed(st, len);
}

const char *bind_strerror(int32_t code) {
    return picosuit_strerror(code);
}

uint32_t bind_version(void) {
    return picosuit_version();
}

uint32_t bind_features(void) {
    return picosuit_features();
}

/* ---- Flash */

#define FLASH_BREACH (-7) /* a rule was broken, nothing was done */
#define FLASH_LOST (-99)  /* there is no power */

bind_flash *bind_flash_new(uint32_t size, uint32_t page, uint32_t unit, uint32_t erased) {
    bind_flash *f;

    if (page < 128 || page % 8 != 0 || size == 0 || size % page != 0 || unit == 0 ||
        unit > 8 || (unit & (unit - 1)) != 0 || (erased != 0 && erased != 0xff)) {
        return NULL;
    }
    f = (bind_flash *)calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->users = 1;
    f->size = size;
    f->page = page;
    f->unit = unit;
    f->erased = erased;
    f->cell = (uint8_t *)malloc(size);
    f->done = (uint8_t *)calloc(size, 1);
    if (f->cell == NULL || f->done == NULL) {
        bind_flash_free(f);
        return NULL;
    }
    memset(f->cell, (int)erased, size);
    return f;
}

void bind_flash_free(bind_flash *f) {
    if (f != NULL && --f->users == 0) {
        free(f->cell);
        free(f->done);
        free(f);
    }
}

static int is_inside(const bind_flash *f, uint32_t off, size_t len) {
    return off <= f->size && len <= f->size - off;
}

static int32_t flash_breach(bind_flash *f) {
    f->breaches++;
    return FLASH_BREACH;
}

/* Counts an operation of `len` bytes: how many of them are done. */
static size_t flash_operate(bind_flash *f, size_t len) {
    if (f->cut > 0 && --f->cut == 0) {
        f->is_lost = 1;
        return len / 2;
    }
    return len;
}

int32_t bind_flash_read(bind_flash *f, uint32_t off, uint8_t *buf, size_t cap) {
    if (f->is_lost) {
        return FLASH_LOST;
    }
    f->reads++;
    if (!is_inside(f, off, cap)) {
        return flash_breach(f);
    }
    if (cap > 0) {
        memcpy(buf, f->cell + off, cap);
    }
    return 0;
}

int32_t bind_flash_write(bind_flash *f, uint32_t off, const uint8_t *data, size_t len) {
    int is_good = 1;
    size_t n;

    if (f->is_lost) {
        return FLASH_LOST;
    }
    if (!is_inside(f, off, len) || len == 0 || off % f->unit != 0 || len % f->unit != 0) {
        return flash_breach(f);
    }
    f->programs++;
    n = flash_operate(f, len);
    for (size_t i = 0; i < n; i++) {
        uint8_t *cell = f->cell + off + i;

        is_good &= !f->done[off + i];
        f->done[off + i] = 1;
        *cell = (uint8_t)(f->erased != 0 ? *cell & data[i] : *cell | data[i]);
    }
    if (!is_good) {
        return flash_breach(f);
    }
    return f->is_lost ? FLASH_LOST : 0;
}

int32_t bind_flash_erase(bind_flash *f, uint32_t off) {
    size_t n;

    if (f->is_lost) {
        return FLASH_LOST;
    }
    if (off >= f->size || off % f->page != 0) {
        return flash_breach(f);
    }
    f->erases++;
    n = flash_operate(f, f->page);
    memset(f->cell + off, (int)f->erased, n);
    memset(f->done + off, 0, n);
    return f->is_lost ? FLASH_LOST : 0;
}

void bind_flash_cut(bind_flash *f, uint32_t n) {
    f->cut = n;
}

void bind_flash_power(bind_flash *f) {
    f->is_lost = 0;
    f->cut = 0;
}

int32_t bind_flash_peek(const bind_flash *f, uint32_t off, uint8_t *buf, size_t cap) {
    if (!is_inside(f, off, cap)) {
        return PICOSUIT_E_ARG;
    }
    if (cap > 0) {
        memcpy(buf, f->cell + off, cap);
    }
    return PICOSUIT_OK;
}

int32_t bind_flash_poke(bind_flash *f, uint32_t off, const uint8_t *data, size_t len) {
    if (!is_inside(f, off, len)) {
        return PICOSUIT_E_ARG;
    }
    for (size_t i = 0; i < len; i++) {
        f->cell[off + i] = data[i];
        f->done[off + i] = data[i] != f->erased;
    }
    return PICOSUIT_OK;
}

int32_t bind_flash_counts(const bind_flash *f, uint8_t *buf, size_t cap) {
    uint32_t word[] = {f->reads,    f->programs,    f->erases, f->programs + f->erases,
                       f->breaches, f->is_lost != 0};
    uint8_t out[BIND_FLASH_LEN];

    (void)put_words(out, word, 6);
    return pack(buf, cap, out, sizeof out);
}

/* ---- Boot state */

static int boot_flash_read(void *dev, uint32_t off, uint8_t *buf, size_t cap) {
    return bind_flash_read((bind_flash *)dev, off, buf, cap);
}

static int boot_flash_write(void *dev, uint32_t off, const uint8_t *data, size_t len) {
    return bind_flash_write((bind_flash *)dev, off, data, len);
}

static int boot_flash_erase(void *dev, uint32_t off) {
    return bind_flash_erase((bind_flash *)dev, off);
}

static int is_area(const bind_flash *f, uint32_t off, uint64_t len) {
    return off % f->page == 0 && len % f->page == 0 && len > 0 && off <= f->size &&
           len <= f->size - off;
}

bind_boot *bind_boot_new(bind_flash *f, uint32_t slot_0, uint32_t slot_1,
                         uint32_t slot_size, uint32_t manifest_size, uint32_t journal,
                         uint32_t journal_pages, uint32_t keys, uint32_t tries,
                         uint32_t floor) {
    bind_boot *b;
    picosuit_flash *g;

    if (!is_area(f, slot_0, slot_size) || !is_area(f, slot_1, slot_size) ||
        !is_area(f, keys, 2ull * f->page) || journal_pages < 2 || journal_pages > 3 ||
        !is_area(f, journal, (uint64_t)journal_pages * f->page) || tries == 0 ||
        tries > 255 || manifest_size == 0 || manifest_size % f->page != 0 ||
        manifest_size >= slot_size) {
        return NULL;
    }
    b = (bind_boot *)calloc(1, sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->users = 1;
    b->flash = f;
    f->users++;
    g = &b->geometry;
    g->read = boot_flash_read;
    g->write = boot_flash_write;
    g->erase = boot_flash_erase;
    g->unit = (uint8_t)f->unit;
    g->erased = (uint8_t)f->erased;
    g->tries = (uint8_t)tries;
    g->journal_pages = (uint8_t)journal_pages;
    g->page = f->page;
    g->slot[0] = slot_0;
    g->slot[1] = slot_1;
    g->slot_size = slot_size;
    g->manifest_size = manifest_size;
    g->journal = journal;
    g->keys = keys;
    g->floor = floor;
    (void)bind_boot_init(b, PICOSUIT_NO_SLOT); /* defined, until it is called again */
    return b;
}

void bind_boot_free(bind_boot *b) {
    boot_release(b);
}

int32_t bind_boot_factory(bind_boot *b, const uint8_t *data, size_t len) {
    if (len > 0xffff) {
        return PICOSUIT_E_ARG;
    }
    if (!span_set(&b->factory, data, len)) {
        return BIND_E_MEMORY;
    }
    b->geometry.factory = len > 0 ? b->factory.data : NULL;
    b->geometry.factory_len = (uint16_t)len;
    return PICOSUIT_OK;
}

int32_t bind_boot_component(bind_boot *b, const uint8_t *data, size_t len) {
    if (len > 0xffff) {
        return PICOSUIT_E_ARG;
    }
    if (!span_set(&b->component, data, len)) {
        return BIND_E_MEMORY;
    }
    b->geometry.component = b->component.data;
    b->geometry.component_len = (uint16_t)len;
    return PICOSUIT_OK;
}

int32_t bind_boot_init(bind_boot *b, uint32_t running) {
    b->is_asking = 0;
    return picosuit_boot_init(&b->core, &b->geometry, b->flash, running);
}

int32_t bind_boot_select(bind_boot *b, bind_processor *p) {
    return call_start(p, CALL_SELECT, 0, b);
}

uint32_t bind_boot_address(const bind_boot *b, const bind_processor *p) {
    return picosuit_boot_address(&b->core, &p->core);
}

int32_t bind_boot_begin(bind_boot *b, bind_processor *p) {
    return call_start(p, CALL_BOOT_BEGIN, 0, b);
}

int64_t bind_boot_prepare(bind_boot *b, uint32_t area) {
    uint32_t off = 0;
    int st = picosuit_boot_prepare(&b->core, area, &off);

    return st == PICOSUIT_OK ? (int64_t)off : st;
}

int32_t bind_boot_candidate(bind_boot *b, bind_processor *p) {
    return call_start(p, CALL_CANDIDATE, 0, b);
}

int32_t bind_boot_confirm(bind_boot *b) {
    return picosuit_boot_confirm(&b->core);
}

static uint8_t boot_set(bind_boot *b) {
    uint8_t set = b->core.set;

    if (b->is_asking) {
        b->core.set = b->set;
    }
    return set;
}

static int32_t key_pack(const picosuit_key *key, uint8_t *buf, size_t cap) {
    uint32_t word[] = {(uint32_t)key->alg, key->rights, key->id};
    size_t len = (size_t)BIND_KEY_LEN + key->key_len;

    if (len <= cap) {
        memcpy(put_words(buf, word, 3), key->key, key->key_len);
    }
    return (int32_t)len;
}

int32_t bind_boot_key(bind_boot *b, int32_t purpose, uint32_t n, int32_t has_kid,
                      const uint8_t *data, size_t len, uint8_t *buf, size_t cap) {
    uint8_t set = boot_set(b);
    picosuit_key key;
    int st;

    memset(&key, 0, sizeof key);
    /* a kid of no bytes is one, and fits no key */
    st = picosuit_boot_key(&b->core, purpose, n,
                           !has_kid  ? NULL
                           : len > 0 ? data
                                     : (const uint8_t *)"",
                           len, &key);
    b->core.set = set;
    return st == 1 ? key_pack(&key, buf, cap) : st;
}

int32_t bind_boot_sequence(const bind_boot *b, uint8_t *buf, size_t cap) {
    uint64_t floor = 0;
    uint8_t out[40];
    int st;

    memset(out, 0, sizeof out);
    st = picosuit_boot_sequence(&b->core, &floor, out + 8);
    (void)put(out, floor, 8);
    if (st == PICOSUIT_NO_FLOOR) {
        return 0;
    }
    return st == PICOSUIT_OK ? pack(buf, cap, out, sizeof out) : st;
}

uint32_t bind_boot_slot(const bind_boot *b) {
    return picosuit_boot_slot(&b->core);
}

int32_t bind_boot_stored(bind_boot *b, uint32_t area, uint8_t *buf, size_t cap) {
    uint8_t set = boot_set(b);
    uint32_t word[2] = {0, 0};
    uint8_t out[8];
    int st = picosuit_boot_stored(&b->core, area, &word[0], &word[1]);

    b->core.set = set;
    (void)put_words(out, word, 2);
    return st == PICOSUIT_OK ? pack(buf, cap, out, sizeof out) : st;
}

int32_t bind_boot_record(const bind_boot *b, uint8_t *buf, size_t cap) {
    const picosuit_boot_record *r = &b->core.rec;
    uint8_t byte[] = {b->core.running, r->phase,   r->tries,    r->confirmed,
                      r->slot,         r->keys,    r->new_keys, r->result,
                      r->has_rejected, r->version, 0,           0};
    uint32_t word[] = {r->counter, (uint32_t)r->code, r->epoch};
    uint8_t out[BIND_BOOT_LEN];
    uint8_t *at = put_words(out, word, 3);

    at = put(at, r->floor, 8);
    at = put(at, r->sequence, 8);
    at = put(at, r->rejected, 8);
    memcpy(at, byte, sizeof byte);
    at += sizeof byte;
    memcpy(at, r->confirmed_digest, 16);
    memcpy(at + 16, r->other_digest, 16);
    memcpy(at + 32, r->keys_digest, 16);
    memcpy(at + 48, r->new_keys_digest, 16);
    return pack(buf, cap, out, sizeof out);
}

int32_t bind_boot_report(const bind_boot *b, uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_boot_report(&b->core, buf, cap, &len);

    return packed(st, len);
}

int32_t bind_keyset_check(const uint8_t *data, size_t len) {
    return picosuit_keyset_check(data, len);
}

int32_t bind_keyset_key(const uint8_t *data, size_t len, uint32_t n, uint8_t *buf,
                        size_t cap) {
    picosuit_key key;
    int st = picosuit_keyset_key(data, len, n, &key);

    return st == 1 ? key_pack(&key, buf, cap) : st;
}

/* ---- Primitives */

int32_t bind_sha256(const uint8_t *data, size_t len, uint8_t *buf, size_t cap) {
    if (cap != 32) {
        return PICOSUIT_E_ARG;
    }
    picosuit_sha256(buf, data, len);
    return PICOSUIT_OK;
}

int32_t bind_sha512(const uint8_t *data, size_t len, uint8_t *buf, size_t cap) {
    if (cap != 64) {
        return PICOSUIT_E_ARG;
    }
    picosuit_sha512(buf, data, len);
    return PICOSUIT_OK;
}

/* Signature and key are read more than once: they are copied first. */
int32_t bind_ed25519_verify(const uint8_t *sig, size_t sig_len, const uint8_t *key,
                            size_t key_len, const uint8_t *data, size_t len) {
    uint8_t own_sig[64];
    uint8_t own_key[PICOSUIT_EXPANDED_LEN];

    if (sig_len != 64 || (key_len != 32 && key_len != sizeof own_key)) {
        return PICOSUIT_E_ARG;
    }
    memcpy(own_sig, sig, 64);
    memcpy(own_key, key, key_len);
    return key_len == 32 ? picosuit_ed25519_verify(own_sig, own_key, data, len)
                         : picosuit_ed25519_verify_expanded(own_sig, own_key, data, len);
}

int32_t bind_x25519(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                    uint8_t *buf, size_t cap) {
    if (key_len != 32 || len != 32 || cap != 32) {
        return PICOSUIT_E_ARG;
    }
    return picosuit_x25519(buf, key, data);
}

int32_t bind_hkdf_sha256(const uint8_t *salt, size_t salt_len, const uint8_t *key,
                         size_t key_len, const uint8_t *data, size_t len, uint8_t *buf,
                         size_t cap) {
    if (cap == 0 || cap > 32) {
        return PICOSUIT_E_ARG;
    }
    return picosuit_hkdf_sha256(buf, cap, salt, salt_len, key, key_len, data, len);
}

int32_t bind_aes128_unwrap(const uint8_t *key, size_t key_len, const uint8_t *data,
                           size_t len, uint8_t *buf, size_t cap) {
    if (key_len != 16 || len < 24 || len > 72 || len % 8 != 0 || cap != len - 8) {
        return PICOSUIT_E_ARG;
    }
    return picosuit_aes128_unwrap(buf, key, data, len);
}

int32_t bind_chacha20(const uint8_t *key, size_t key_len, const uint8_t *nonce,
                      size_t nonce_len, uint32_t counter, const uint8_t *data, size_t len,
                      uint8_t *buf, size_t cap) {
    if (key_len != 32 || nonce_len != 12 || cap != len) {
        return PICOSUIT_E_ARG;
    }
    picosuit_chacha20(buf, data, len, key, nonce, counter);
    return PICOSUIT_OK;
}

int32_t bind_poly1305(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                      uint8_t *buf, size_t cap) {
    if (key_len != 32 || cap != 16) {
        return PICOSUIT_E_ARG;
    }
    picosuit_poly1305(buf, data, len, key);
    return PICOSUIT_OK;
}

/* What is authenticated is what is decrypted: the ciphertext is copied first. */
int32_t bind_aead_open(const uint8_t *key, size_t key_len, const uint8_t *nonce,
                       size_t nonce_len, const uint8_t *aad, size_t aad_len,
                       const uint8_t *data, size_t len, uint8_t *buf, size_t cap) {
    uint8_t *own;
    int st = PICOSUIT_E_CRYPTO;

    if (key_len != 32 || nonce_len != 12 || len < 16 || cap != len - 16) {
        return PICOSUIT_E_ARG;
    }
    own = (uint8_t *)malloc(len);
    if (own == NULL) {
        return BIND_E_MEMORY;
    }
    memcpy(own, data, len);
    st = picosuit_aead_open(buf, own, len, key, nonce, aad, aad_len);
    free(own);
    return st;
}
