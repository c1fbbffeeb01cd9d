/* SPDX-License-Identifier: MIT */
/* Two image slots and the key-set page as components, over any flash that picosuit's boot
 * state can use: size, read, begin, write and end of the platform table. No MCU in it;
 * the power-cut tests run this very file. docs/porting.md has the rules. */
#ifndef DEVICE_SLOTS_H
#define DEVICE_SLOTS_H

#include "picosuit.h"

#define DEVICE_E_FLASH (-1) /* flash did not do what it was told, or is not ours */
#define DEVICE_E_SLOT (-2)  /* the running slot, or not a slot at all */

/* All zero after a reset, but for boot. Areas are PICOSUIT_AREA_*. */
typedef struct {
    picosuit_boot *boot;
    uint32_t closed[2]; /* by area: length that end(1) closed since the reset, 0: none */
    uint32_t closed_at[2]; /* and the flash offset it stands at */
    uint32_t base;         /* flash offset of the first payload byte of what is open */
    uint32_t len;          /* payload bytes in place */
    uint32_t low;          /* pages still to be erased: from here */
    uint32_t high;         /* to here */
    uint8_t area;          /* what is open */
    uint8_t phase;         /* of begin and end, which erase a page per call */
    uint8_t reserved[2];   /* 0 */
} device_slots;

/* Before a transfer: forgets a begin or end that said AGAIN and was not asked again. */
void device_slots_reset(device_slots *s);
/* The callbacks, by area. `id` is the manifest digest. 0, PICOSUIT_AGAIN, or negative:
 * DEVICE_E_*, or what picosuit_boot_prepare said. */
int device_slots_size(device_slots *s, unsigned area, uint32_t *stored,
                      uint32_t *capacity);
int device_slots_read(device_slots *s, unsigned area, uint32_t off, uint8_t *buf,
                      size_t cap);
int device_slots_begin(device_slots *s, unsigned area, uint32_t size, const uint8_t *id,
                       uint32_t *have);
int device_slots_write(device_slots *s, unsigned area, uint32_t off, const uint8_t *data,
                       size_t len);
int device_slots_end(device_slots *s, unsigned area, int good);

#endif
