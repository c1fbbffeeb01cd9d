/* SPDX-License-Identifier: MIT */
/* The port: picosuit's platform table over nRF51 flash with two slots and key sets. */
#ifndef DEVICE_PORT_H
#define DEVICE_PORT_H

#include "picosuit.h"
#include "device_map.h"
#include "device_slots.h"

#define DEVICE_TRIES 3u /* times that a candidate is started */

/* Answer of begin that stops an update (error.platform): this manifest's payload had a
 * wrong tag three times. Those of device_slots.c are told there. */
#define DEVICE_E_TRIES (-3)
#define DEVICE_E_COMPONENT (-4) /* not for this component */

typedef struct {
    picosuit_boot boot;
    device_slots slots;
    uint8_t id[32];   /* manifest digest of what begin opened last */
    uint8_t is_begun; /* begin was answered in this transfer */
    uint8_t reserved[3];
} device;

extern const picosuit_platform device_platform;
extern const picosuit_flash device_flash;

/* Before a transfer. */
void device_reset(device *d);
/* A payload had a wrong tag: counted against its manifest. */
void device_tag_failed(const device *d);

#endif
