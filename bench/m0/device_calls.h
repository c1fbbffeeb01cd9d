/* SPDX-License-Identifier: MIT */
/* What firmware may call: a table in the loader at MAP_CALLS. It is all that firmware
 * knows of picosuit. Calls run on the caller's stack: leave 3 KiB; not from interrupts.
 */
#ifndef DEVICE_CALLS_H
#define DEVICE_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include "device_map.h"

typedef struct {
    uint32_t (*version)(void); /* picosuit_version() */
    /* One byte from the UART, or -1: go on with what is unfinished. The loader answers on
     * the UART by itself. */
    int (*poll)(int byte);
    /* The running image is good: without this call it is started DEVICE_TRIES times and
     * then rolled back. May be called at every start; a fallback gets PICOSUIT_E_STATE.
     * 0, or a negative PICOSUIT_E_*. */
    int (*confirm)(void);
    /* SUIT_Report of the last transfer; bytes written, or a negative PICOSUIT_E_*. */
    int (*report)(uint8_t *buf, size_t cap);
    void (*feed_watchdog)(void);
    /* SUIT_Report of what runs and how the last update ended, from journal and flash. */
    int (*boot_report)(uint8_t *buf, size_t cap);
} device_calls;

#define DEVICE_CALLS ((const device_calls *)MAP_CALLS)

/* Answers of poll */
#define DEVICE_IDLE 0    /* nothing to do until the next byte */
#define DEVICE_BUSY 1    /* call again with -1 soon */
#define DEVICE_APP 0x100 /* + first byte of a message for the application */

#endif
