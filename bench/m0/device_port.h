/* SPDX-License-Identifier: MIT */
/* The port: picosuit's platform table over nRF51 flash, two slots, one signer. */
#ifndef DEVICE_PORT_H
#define DEVICE_PORT_H

#include "picosuit.h"
#include "device_map.h"

#define DEVICE_NO_SLOT 2u

/* Answers of begin, write and end that stop an update (error.platform). */
#define DEVICE_E_FLASH (-1) /* flash did not do what it was told, or is not ours */
#define DEVICE_E_SLOT (-2)  /* the running slot, or not a slot at all */
#define DEVICE_E_TRIES (-3) /* this manifest's payload had a wrong tag three times */

typedef struct {
    uint64_t floor;     /* sequence number of what runs */
    uint8_t digest[32]; /* its manifest digest */
    uint8_t id[32];     /* manifest digest of what begin opened last */
    uint32_t at;        /* next page to erase */
    uint32_t end;       /* end of the pages to erase */
    uint32_t image_end; /* end of the pages of the image being written */
    uint32_t len;       /* image bytes in place */
    uint8_t running;    /* slot that runs, or DEVICE_NO_SLOT: then there is no floor */
    uint8_t slot;       /* slot that component 0 stands for */
    uint8_t phase;      /* of begin and end, which erase a page per call */
    uint8_t is_begun;   /* begin was answered in this transfer */
    uint8_t is_invoked; /* invoke was called */
    uint8_t reserved[3];
} device;

extern const picosuit_platform device_platform;

uint32_t device_slot_base(unsigned slot);
/* Before a transfer, or before the envelope of a slot is opened. */
void device_select(device *d, unsigned slot);
/* Slot an update goes to: never the running one, which is the confirmed one. */
unsigned device_target(const device *d);
/* The stored envelope of a slot; 0 bytes if there is none. */
const uint8_t *device_envelope(unsigned slot, uint32_t *len);
/* Stores the envelope of a finished update: from now on the slot boots. Returns 0 or
 * DEVICE_E_*. */
int device_store(device *d, const picosuit *p);
/* A payload had a wrong tag: counted against its manifest. */
void device_tag_failed(const device *d);

#endif
