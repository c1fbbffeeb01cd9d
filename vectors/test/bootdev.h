/* SPDX-License-Identifier: MIT
 *
 * A device with two slots, a journal and key-set pages in a flash of memory, around the
 * boot state of the core and the slots of bench/m0/device_slots.c.
 *
 * The flash keeps rules of its own: a unit is programmed once between two erases, no page
 * of the running or the confirmed slot, of the key set in force or of the two newest
 * journal records (the newest one of two pages) is erased, and no record lowers the floor
 * or moves it, the key epoch or the confirmed slot but in FRESH. Every breach is counted
 * in `bad`: every test expects it to be 0.
 */
#ifndef BOOTDEV_H
#define BOOTDEV_H

#include "picosuit.h"
#include "test.h"

#if PICOSUIT_WITH_BOOT
#include "../../bench/m0/device_slots.h"

#define BOOTDEV_CELLS 65536  /* bytes of flash */
#define BOOTDEV_WORK 2048    /* bytes of work */
#define BOOTDEV_FAIL (-7)    /* what flash that fails answers */
#define BOOTDEV_HUNG (-999)  /* it would never have ended */
#define BOOTDEV_GEOMETRIES 7 /* 0: pages of 256 bytes, three for the journal */

/* Callbacks of the platform, for again_at and `by`. */
enum {
    BOOTDEV_KEY,
    BOOTDEV_COMPONENT,
    BOOTDEV_IDENTITY,
    BOOTDEV_SLOT,
    BOOTDEV_SIZE,
    BOOTDEV_READ,
    BOOTDEV_BEGIN,
    BOOTDEV_WRITE,
    BOOTDEV_END,
    BOOTDEV_INVOKE,
    BOOTDEV_SEQUENCE,
    BOOTDEV_CALLS
};

#define BOOTDEV_OTHER 2u /* handle of ['x'], which is neither image nor keys */

/* How a flash operation goes wrong. */
enum {
    BOOTDEV_NOT_DONE, /* nothing happened, and it says so */
    BOOTDEV_DONE,     /* done, but it says that it was not */
    BOOTDEV_HALF,     /* half done, and it says so */
    BOOTDEV_LIE,      /* one bit is wrong, and it says that all is well */
    BOOTDEV_KINDS
};

/* Which call of an update reported the end. */
enum { BOOTDEV_AT_FEED = 1, BOOTDEV_AT_BEGIN, BOOTDEV_AT_RUN, BOOTDEV_AT_CANDIDATE };

/* An envelope of boot/index.txt, with what it fetches. */
typedef struct {
    char name[24];
    const uint8_t *data;
    size_t len;
    const uint8_t *image;
    size_t image_len;
    const uint8_t *keys;
    size_t keys_len;
    uint64_t sequence;
} bootdev_envelope;

/* What outlives a reset. */
typedef struct {
    uint8_t cell[BOOTDEV_CELLS];
    uint8_t done[BOOTDEV_CELLS]; /* byte was programmed since its page was erased */
} bootdev_cells;

typedef struct {
    picosuit_flash flash;
    picosuit_platform platform;
    picosuit_boot b;
    picosuit p;
    device_slots slots;
    uint8_t work[BOOTDEV_WORK];
    size_t work_len; /* of `work` that is given */
    bootdev_cells c;
    uint32_t size;     /* bytes of flash */
    uint32_t image_at; /* capacity of an image */
    const bootdev_envelope *sent;
    uint32_t address;  /* picosuit_boot_address after select */
    int stage;         /* BOOTDEV_AT_* of the last update */
    int invoked;       /* handle, -1: nothing */
    uint8_t other[64]; /* content of the component ['x'], in memory */
    uint32_t other_len;

    /* What is injected. Operations and calls count from 1; 0: never. */
    unsigned fail_at;      /* this operation (erase, write) goes wrong */
    int fail_kind;         /* BOOTDEV_NOT_DONE ... */
    int fail_on;           /* all after it, too */
    unsigned read_fail_at; /* this read says that it failed */
    int read_fail_on;      /* all after it, too */
    unsigned again_at;     /* this call of the platform answers AGAIN */
    unsigned flip_at;      /* one bit of this read is wrong */
    unsigned flip_where;   /* in this eighth of it */
    unsigned call_fail_at; /* this call of the platform fails */
    int again_each;        /* every call answers AGAIN first */
    int is_lost;           /* a key-set page was: another set may come into force */
    int as_loader;         /* the firmware goes on with the loader's boot state */

    /* What was seen. */
    unsigned ops, erases, writes, reads; /* of flash; ops = erases + writes */
    unsigned calls, agains;              /* of the platform */
    unsigned by[BOOTDEV_CALLS];
    unsigned asked;
    unsigned commits; /* journal records that became valid */
    unsigned bad;
    char why[128];
} bootdev;

/* -- a device -- */

void bootdev_new(bootdev *d,
                 unsigned geometry); /* flash erased, factory set a, 3 tries */
/* Reset: the loader selects, the firmware starts. What select said; d->b then knows what
 * runs. */
int bootdev_boot(bootdev *d);
void bootdev_wake(bootdev *d, unsigned running); /* the firmware alone */
int bootdev_select(bootdev *d);                  /* the loader alone */
/* An envelope, by name, up to the end of UPDATE; then the candidate. */
int bootdev_transfer(bootdev *d, const char *name);
int bootdev_candidate(bootdev *d);
int bootdev_update(bootdev *d, const char *name); /* both */
/* Update, boot, confirm, boot: all must succeed. */
void bootdev_install(bootdev *d, const char *name);
void bootdev_factory(bootdev *d, unsigned geometry, const char *name); /* new, install */
const bootdev_envelope *bootdev_find(const char *name);
const uint8_t *bootdev_set(const char *name, size_t *len); /* boot/set_<name>.cbor */

/* -- its flash, kept for several tries -- */

#define BOOTDEV_FACTORY 255 /* page of the factory set, and of no new set */

extern bootdev_cells bootdev_saved;
void bootdev_save(const bootdev *d);
void bootdev_restore(bootdev *d); /* the cells alone */
/* The flash as it was saved, the firmware of a slot just started, nothing injected. */
void bootdev_again(bootdev *d, unsigned running);
int bootdev_is_record(const picosuit_boot_record *a, const picosuit_boot_record *b);

/* -- its flash -- */

unsigned bootdev_journal_pages(const bootdev *d);
uint32_t bootdev_manifest(const bootdev *d,
                          unsigned slot); /* offset of its manifest area */
/* The record of a journal page; 0 if it is not valid, by a CRC of the test's own. */
int bootdev_record(const bootdev *d, unsigned page, picosuit_boot_record *rec);
int bootdev_newest(const bootdev *d, picosuit_boot_record *rec); /* page, -1: none */
void bootdev_seal(picosuit_boot_record *rec);                    /* version and CRC */
void bootdev_put(bootdev *d, unsigned page, const picosuit_boot_record *rec);
void bootdev_erase(bootdev *d, uint32_t off, uint32_t len); /* whole pages, uncounted */
void bootdev_broken(bootdev *d, const char *why);
void bootdev_quiet(bootdev *d); /* counts and what is injected: 0 */
/* Expects that no rule was broken. */
#define BOOTDEV_OK(d) bootdev_expect(d, __FILE__, __LINE__)
void bootdev_expect(bootdev *d, const char *file, int line);

#endif
#endif
