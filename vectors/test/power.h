/* SPDX-License-Identifier: MIT */
/* The power-cut rig: real code (section 19 of the core, bench/m0/device_slots.c) on a
 * model of flash that loses power at every operation. docs/boot.md has fault levels,
 * invariants.
 *
 * A cut takes RAM with it, so what follows one depends on flash alone: each operation of
 * a run that is not cut gives birth to its cut children directly (flash copied, the
 * operation half applied), which are explored, to any depth, before the run goes on. */
#ifndef POWER_H
#define POWER_H

#include <stdio.h>
#include <string.h>
#include "picosuit.h"
#include "device_slots.h"

#define MAX_REGIONS 4 /* unstable at the same time */
#define MAX_EVENTS 96
#define VIEWS 3 /* ways an unstable region may read */

/* What a cut leaves of the operation that it hits. */
enum { WAY_NOT, WAY_DONE, WAY_TORN, WAY_HALF, WAYS };
/* What happened to a machine, in order: enough to repeat it. */
enum { EVENT_PROGRAM, EVENT_ERASE, EVENT_RESET, EVENT_VIEW };
/* A unit of flash. Only an erased one may be programmed. */
enum { UNIT_ERASED, UNIT_USED, UNIT_DIRTY, UNIT_UNSTABLE };
/* Why a run is at its end. */
enum { STOP_NO, STOP_DONE, STOP_SEEN, STOP_BAD };
/* How the search goes on at an operation. */
enum { MODE_CUT, MODE_COLLECT, MODE_REPLAY, MODE_RANDOM };

/* Install and confirm; install and never confirm; leave a candidate waiting; offer what
 * is to be refused. */
enum { ACT_INSTALL, ACT_TRIAL, ACT_STAGE, ACT_OFFER, ACT_END };
typedef struct {
    uint8_t act;
    uint8_t vector;
    int8_t code; /* ACT_OFFER: what begin has to say */
} step;

typedef struct {
    const char *name;
    const char *set; /* key set it carries */
    uint8_t digest[32];
    uint8_t data[512];
    uint32_t len;
    uint32_t image_len; /* 0: keys only */
    uint8_t sequence;   /* also the seed of the image */
    uint8_t signers;    /* bit 0: key a, bit 1: key b */
} vector;

typedef struct {
    const char *name; /* the arguments */
    const step *script;
    uint32_t page;
    uint32_t image_pages;
    uint32_t manifest_pages;
    uint8_t unit;
    uint8_t erased;
    uint8_t journal_pages;
    uint8_t level; /* 0..2 */
    uint8_t from;  /* cuts begin at this step */
    uint8_t tries;
    uint8_t journal_only; /* cut only what touches the journal */
    uint8_t resets;       /* plain resets between any two calls, as often as it likes */
    uint8_t no_legal;     /* I10 is not asked */
    uint8_t mode;
} config;

/* What somebody outside knows about the device. Part of the state, so no padding. */
typedef struct {
    uint64_t floor; /* most that a boot, or confirm, has shown */
    uint64_t acked; /* floor when confirm last returned OK */
    uint64_t image; /* sequence number of the newest image that confirm acknowledged */
    uint64_t rejected;
    uint32_t epoch;
    uint8_t has_rejected;
    uint8_t starts;       /* of the image that is not confirmed */
    uint8_t confirmed;    /* slot */
    uint8_t keys;         /* page in force */
    uint8_t pos;          /* step of the script */
    uint8_t journal_cuts; /* that left something unstable */
    uint8_t trial;        /* sequence number of the image on trial */
    uint8_t pad[5];
} observer;

typedef struct {
    uint32_t at;
    uint32_t len;
    uint8_t kind; /* EVENT_PROGRAM, EVENT_ERASE */
    uint8_t way;
    uint8_t id;       /* number at this boot */
    uint8_t fresh[8]; /* what was to be programmed */
} region;

typedef struct {
    uint32_t op;
    uint32_t at;
    uint8_t kind;
    uint8_t way; /* or view */
    uint8_t pos;
    uint8_t pad;
} event;

typedef struct machine machine;
struct machine {
    machine *next; /* in the list of free ones */
    uint64_t hash; /* of flash, unstable regions by what they may be */
    observer obs;
    uint32_t ops;       /* flash operations so far */
    uint32_t points;    /* where a plain reset may come, so far */
    uint32_t boots;     /* in this step since the last cut */
    uint32_t erases;    /* likewise */
    uint32_t view;      /* how unstable regions read at this boot */
    uint32_t touched;   /* bit by region: read at this boot */
    uint32_t transfers; /* that did not end well */
    int depth;          /* cuts still to come */
    int cuts;
    int stop;
    int is_waiting; /* was looked up before it was put off */
    int n_regions;
    int n_events;
    region regions[MAX_REGIONS];
    event events[MAX_EVENTS];
    uint8_t *cell;
    uint8_t *unit;
    uint8_t *old[MAX_REGIONS]; /* what a region held before */
};

/* RAM of the device, at fixed addresses, so that it can be compared between runs. */
typedef struct {
    picosuit_boot b;
    device_slots slots;
    picosuit p;
    uint8_t work[1024];
} device_ram;

extern const config *cfg;
extern picosuit_flash flash;
extern machine *m; /* the one that runs */
extern device_ram ram;
extern uint32_t flash_size;
extern unsigned long long cases, states, updates, ends, violations;
extern int verbose;
extern int quit_at_violation;

/* power_flash.c */
int flash_setup(void);
machine *machine_new(void);
machine *machine_clone(void);
void machine_free(machine *k);
void machine_view(machine *k, uint32_t view);
uint32_t machine_views(const machine *k);
/* An operation, whole or cut. */
void machine_apply(machine *k, unsigned kind, uint32_t at, const uint8_t *data,
                   unsigned way);
void machine_event(machine *k, unsigned kind, uint32_t at, unsigned way);
uint64_t mix64(uint64_t x);
uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
/* The state of m with its RAM; not the address of anything. */
uint64_t hash_ram(void);

/* power_device.c */
extern vector vectors[];
extern const step script_life[], script_both[], script_keys[], script_replace[],
    script_first[], script_full[], script_fleet[];
int device_setup(void);
void device_power_on(void);
const vector *vector_in(unsigned slot, const uint8_t *digest16);
unsigned signers_of_set(unsigned page);

/* power_check.c */
void broken(const char *invariant, const char *what);
void check_boot(int st);
void check_confirmed(void);
void check_operation(unsigned kind, uint32_t at);
void check_end(void);
void check_rejected(const step *s);
void print_events(const machine *k);

/* power.c */
/* A cut (or a mere reset) at this point: explores what follows, then returns. */
void explore_cut(unsigned kind, uint32_t at, const uint8_t *data);
void explore_reset(void);
/* Whether the very same point was explored before: then the run may end here. */
int is_seen_here(void);
int is_legal(uint64_t tuple);
void add_legal(uint64_t tuple);
/* MODE_RANDOM: 0..n-1 */
uint32_t random_below(uint32_t n);
void plan_update(void);

#endif
