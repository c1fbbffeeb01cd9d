/* SPDX-License-Identifier: MIT
 *
 * A simulated device, and a driver that takes an envelope through it.
 *
 * The flash of each component has erase pages and write units, plus one manifest page of
 * its own that keeps the identity of the transfer and, once it is closed, the length.
 * Every breach of a rule (a unit programmed twice, bytes out of order, a read of nothing,
 * an effect before the manifest was authenticated, ...) is counted in `bad`: every test
 * expects it to be 0.
 *
 * A callback can answer AGAIN, fail, or lose power; see the fields of `sim`.
 */
#ifndef SIMDEV_H
#define SIMDEV_H

#include "picosuit.h"
#include "test.h"

#define SIM_SLOTS 64     /* components */
#define SIM_CELLS 139264 /* bytes of all of them, with their manifest pages */
#define SIM_PAGE_MIN 128 /* bytes of an erase page: 128, 256, 512 or 1024 */
#define SIM_UNIT 4       /* bytes programmed at once */
#define SIM_FAIL (-77)   /* what a callback that fails answers */
#define SIM_DEAD (-99)   /* what all answer once the power is gone */
#define SIM_HUNG (-999)  /* sim_process: it would never have ended */
#define SIM_PENS 16
#define SIM_TEXT 128
#define SIM_PAYLOADS 8
#define SIM_BUILT 262144 /* bytes of an envelope made from text, at most */

/* Handles that tests name; the others are for long and odd identifiers. */
enum {
    SIM_H0,
    SIM_H1,
    SIM_H2,
    SIM_STAGE,
    SIM_T,
    SIM_TRUSTED,
    SIM_KEYS,
    SIM_DENIED,
    SIM_U
};

/* Callbacks. */
enum {
    SIM_KEY,
    SIM_COMPONENT,
    SIM_IDENTITY,
    SIM_SLOT,
    SIM_SIZE,
    SIM_READ,
    SIM_BEGIN,
    SIM_WRITE,
    SIM_END,
    SIM_INVOKE,
    SIM_SEQUENCE,
    SIM_SWAP,
    SIM_VERIFY,
    SIM_RECORD,
    SIM_CALLS
};

/* Which call reported the end. */
enum { SIM_AT_NONE, SIM_AT_FEED, SIM_AT_BEGIN, SIM_AT_RUN };

/* How an envelope is handed over; `at` is the first part or the frame length. */
enum { SIM_WHOLE, SIM_BYTES, SIM_SPLIT, SIM_FRAMES, SIM_OPEN };

typedef struct {
    unsigned by[SIM_CALLS]; /* calls that did something, by callback */
    unsigned calls;         /* all calls, refused ones too; `record` is not counted */
    unsigned ends_bad;      /* end with good = 0 */
    unsigned erases;        /* pages */
    unsigned programs;      /* write units */
    unsigned bytes;         /* payload bytes written */
} sim_counts;

typedef struct {
    uint32_t base;     /* of its cells: image, then the manifest page */
    uint32_t capacity; /* bytes, a multiple of the page; 0: there is none */
    uint8_t kind;      /* PICOSUIT_STORED ... */
    uint8_t fixed;     /* 1: size() answers PICOSUIT_FIXED */
} sim_flash;

typedef struct {
    uint8_t *data; /* guarded */
    size_t len;
} sim_bytes;

/* One record of an index, ready to run. */
typedef struct {
    char name[SIM_TEXT];
    sim_bytes envelope;
    sim_bytes initial[SIM_SLOTS];    /* data NULL: nothing stored */
    sim_bytes payload[SIM_PAYLOADS]; /* served for uri */
    char uri[SIM_PAYLOADS][256];     /* terminated; the first empty one ends the list */
    uint8_t want[SIM_SLOTS][32];     /* SHA-256 of what a component holds afterwards */
    uint8_t wanted[SIM_SLOTS];       /* 0 not said, 1 `want`, 2 holds nothing */
    uint8_t floor_digest[32];
    uint8_t pen[SIM_PENS]; /* as identity() answers; pen[0] = 0: none */
    char equivalent[SIM_TEXT];
    uint64_t floor;
    size_t work;
    unsigned needs;     /* what it uses, bits as picosuit_features */
    unsigned rights;    /* of the key that sim_verify_any stands for */
    int is_built;       /* by sim_envelope */
    const char *blocks; /* sim_envelope: other authentication blocks, as text */
    int has_floor;
    uint32_t slot;
    int procedure[2]; /* 0: no second one */
    int expect;       /* PICOSUIT_OK or the error code */
    long long offset; /* of the error; this and the following: -1 not said */
    long long section;
    long long writes;  /* write() calls */
    long long invoked; /* handle */
    int has_label;
    int32_t label;
    int stage; /* SIM_AT_*; SIM_AT_NONE: not said */
} sim_case;

typedef struct {
    int status; /* of the call that ended it */
    int stage;  /* SIM_AT_* */
    picosuit_error error;
    uint8_t held[SIM_SLOTS]; /* 1: complete content, `digest` says which */
    uint8_t digest[SIM_SLOTS][32];
    sim_counts n;
    int invoked;      /* handle, -1: nothing */
    unsigned agains;  /* PICOSUIT_AGAIN seen */
    unsigned fetches; /* URIs opened */
    unsigned rewinds; /* envelopes sent again */
    uint32_t sent;    /* bytes given to picosuit_payload and taken */
    uint32_t from;    /* offset of the last URI opened */
} sim_result;

/* A context in the middle of an envelope, to start from more than once. */
typedef struct {
    picosuit p;
    uint8_t *work; /* guarded */
    size_t at;     /* bytes fed */
} sim_snapshot;

typedef struct sim sim;
struct sim {
    picosuit *p; /* one of the two below */
    picosuit context[2];
    picosuit_platform platform; /* a test may take callbacks away */
    picosuit_info info;         /* when READY was seen */
    uint8_t *work;              /* guarded */
    size_t work_len;
    uint8_t *memory; /* guarded: the envelope given to picosuit_open; NULL: fed */
    size_t memory_len;
    sim_flash flash[SIM_SLOTS];
    uint8_t cell[SIM_CELLS];
    uint8_t done[SIM_CELLS / SIM_UNIT];     /* unit was programmed */
    uint8_t torn[SIM_CELLS / SIM_PAGE_MIN]; /* page was erased by half */
    const sim_case *of;                     /* facts: slot, floor, pen, payloads */
    const sim_snapshot
        *from;      /* contexts begin here, not at the first byte; NULL: at that */
    uint32_t page;  /* erase page, bytes */
    uint8_t erased; /* value of an erased cell */
    int id_first;   /* begin erases the manifest page before the image, not after it */
    int running;    /* handle that must never be touched, -1: none */

    /* A component between begin and end. */
    int open;          /* handle, -1: none */
    uint32_t open_at;  /* next byte expected */
    uint32_t open_len; /* announced, or PICOSUIT_UNKNOWN */
    int open_last;     /* 1: a short block has passed */

    /* What is injected. Calls and flash operations count from 1; 0: never. */
    unsigned again_at; /* this call answers AGAIN */
    int again_each;    /* every call answers AGAIN first */
    unsigned fail_at;  /* this call fails with SIM_FAIL */
    unsigned cut_at;   /* power is lost after so many flash operations */
    int tears;         /* and leaves half of a write unit, if it was programming one */
    unsigned flip_at;  /* one bit of this read is wrong */
    int zero_feeds;    /* a call with no bytes before each call with some */
    int moves;         /* context and work move after each call */
    void (*hook)(sim *s, int callback); /* runs inside each callback */

    /* What was seen. */
    sim_counts n;
    unsigned ops;     /* flash operations: a unit programmed, half of a page erased */
    int failed;       /* callback that was made to fail, -1: none */
    int dead;         /* power was lost */
    int armed;        /* begin has answered: effects are allowed */
    uint64_t touched; /* bit for each component that was begun or swapped */
    int spoiled;      /* handle of the last end with good = 0, -1: none */
    int invoked;      /* handle, -1: nothing */
    size_t args_len;  /* of invoke-args */
    uint8_t args[64];
    unsigned bad;       /* rules broken */
    char why[SIM_TEXT]; /* the first of them */
    char log[SIM_TEXT]; /* b begin, e end good, x end bad, i invoke, s swap; then the
                           handle */
    uint64_t asked;     /* question that was answered AGAIN; 0: none */
    picosuit_record record[64];
    unsigned record_n;
};

typedef struct {
    const char *name;
    int32_t alg;
    uint32_t rights;
    uint16_t id;        /* 0: not on the device */
    const uint8_t *key; /* public key, or the secret of mac, device and kek */
    size_t key_len;
    const char *kid; /* NULL: none */
} sim_key;

/* -- the device -- */

extern const picosuit_platform sim_platform; /* everything but `verify` */
void sim_new(sim *s);                        /* once, before all else */
void sim_layout(sim *s);                     /* after another page size was set */
void sim_keys_load(void);                    /* vectors/keys.txt; sim_setup calls it */
const sim_key *sim_keys_find(const char *name);
void sim_setup(sim *s, const sim_case *c); /* factory state, initial contents stored */
void sim_power(sim *s);                    /* context lost, flash kept */
void sim_store(sim *s, int handle, const uint8_t *data, size_t len);
uint32_t sim_stored(sim *s, int handle); /* length closed, 0: nothing complete */
void sim_broken(sim *s, const char *why);
void sim_pattern(uint8_t *buf, size_t len, unsigned seed);
int sim_same_flash(const sim *a, const sim *b); /* but for what b has touched */
/* picosuit_platform.verify: algorithm -9 with key id 9 signs by repeating the digest. */
int sim_verify_any(void *dev, const picosuit_key *key, const uint8_t *data, size_t len,
                   const uint8_t *sig, size_t sig_len);

/* -- the driver -- */

void sim_process(sim *s, int procedure, int how, size_t at,
                 sim_result *r); /* one of them */
void sim_run(sim *s, const sim_case *c, int how, size_t at,
             sim_result *r); /* setup, all */

/* The context after one call with the first `len` bytes. Returns 1 if more was wanted. */
int sim_snapshot_take(sim *s, const sim_case *c, size_t len, sim_snapshot *snap);
/* Bytes up to the end of the authentication wrapper; 0 if it is not there. */
size_t sim_wrapper_end(const sim_case *c);

/* TEST_QUICK=n; without it 1 on a 32-bit machine, else 0: try everything. */
size_t sim_quick(void);
/* Step through n places so that not much more than `most` are visited; a thirtieth of
 * them where a sanitizer or a 32-bit machine makes signatures slow, with TEST_QUICK=n a
 * thirtieth of an nth. */
size_t sim_stride(size_t n, size_t most);

/* -- records -- */

/* 0 at the end of the index. Records that need what is compiled out are passed over,
 * unless `all` is set. `c` is all zero before its first use. */
int sim_case_next(vec *v, sim_case *c, int all);
int sim_case_find(sim_case *c, const char *index, const char *name);
void sim_case_new(sim_case *c); /* nothing in it but the defaults */
void sim_case_free(sim_case *c);
void sim_case_serve(sim_case *c, const char *uri, const uint8_t *data, size_t len);
int sim_code(const char *name); /* PICOSUIT_<name>, "ok" is 0 */
const char *sim_code_name(int code);
/* Expectations of a record. Returns 1 if all hold. `is_open`: picosuit_open was used. */
int sim_expect(const sim *s, const sim_case *c, const sim_result *r, int is_open);
int sim_same(const sim_result *a, const sim_result *b); /* outcome and error */

/* -- envelopes from text: CBOR diagnostic notation, see diag.h -- */

void sim_hex(char *text, const uint8_t *data, size_t len); /* 2 * len + 1 characters */
size_t sim_diag(uint8_t *buf, size_t cap, const char *text, size_t *mark);
/* A manifest and further envelope members, signed so that sim_verify_any accepts it.
 * `mark` (may be NULL) is the envelope offset of the item that follows an @ in either
 * text. */
void sim_envelope(sim_case *c, const char *manifest, const char *members, size_t *mark);

#endif
