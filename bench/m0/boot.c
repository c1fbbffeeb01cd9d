/* SPDX-License-Identifier: MIT */
/* Boot loader. Without a journal (the next step) it decides like this: the stored
 * envelope of each slot is opened where it lies in flash; the higher sequence number is
 * tried first; what passes the whole INVOKE procedure (signature, conditions, digest over
 * flash) is started, and its sequence number is the floor. If none passes, the loader
 * stays and serves the UART: that is how the first firmware arrives. */
#include <string.h>
#include "boot.h"
#include "device_calls.h"
#include "device_text.h"
#include "nrf51.h"

void boot_enter(uint32_t table);
void boot_main(void);
uint32_t boot_call_version(void);
int boot_call_poll(int byte);
int boot_call_confirm(void);
int boot_call_report(uint8_t *buf, size_t cap);
void boot_call_feed_watchdog(void);

boot_state boot;

static int open_slot(unsigned slot, picosuit_info *info) {
    uint32_t len = 0;
    const uint8_t *envelope = device_envelope(slot, &len);
    int st = PICOSUIT_E_STATE;
    if (len == 0) {
        return st;
    }
    do {
        st = picosuit_init(&boot.ctx, &device_platform, &boot.dev, boot.work, BOOT_WORK);
    } while (st == PICOSUIT_AGAIN);
    device_select(&boot.dev, slot);
    if (st == PICOSUIT_OK) {
        do {
            st = picosuit_open(&boot.ctx, envelope, len);
        } while (st == PICOSUIT_AGAIN);
    }
    if (st == PICOSUIT_READY) {
        st = picosuit_get_info(&boot.ctx, info);
    }
    return st;
}

static int run_slot(void) {
    int st = PICOSUIT_E_STATE;
    do {
        st = picosuit_begin(&boot.ctx, PICOSUIT_INVOKE);
    } while (st == PICOSUIT_AGAIN);
    if (st == PICOSUIT_OK) {
        do {
            st = picosuit_run(&boot.ctx);
        } while (st == PICOSUIT_AGAIN);
    }
    if (st == PICOSUIT_OK && !boot.dev.is_invoked) {
        st = PICOSUIT_E_STATE; /* a manifest that starts nothing */
    }
    return st;
}

static void slot_says(unsigned slot, const char *what) {
    text(slot == 0 ? "[boot] slot A: " : "[boot] slot B: ");
    text(what);
}

/* Opens the slot and runs it; if it passes, starts it and does not return. */
static void try_slot(unsigned slot) {
    picosuit_info info;
    uint32_t table = device_slot_base(slot);
    if (open_slot(slot, &info) != PICOSUIT_OK || run_slot() != PICOSUIT_OK) {
        slot_says(slot, "");
        text_verdict(&boot.ctx, "not started: ");
        return;
    }
    boot.dev.floor = info.sequence;
    memcpy(boot.dev.digest, info.digest, 32);
    boot.dev.running = (uint8_t)slot;
    nrf51_flash_protect(table, MAP_SLOT_SIZE);
    slot_says(slot, "starting sequence ");
    text_number64(info.sequence);
    text("\r\n");
    nrf51_watchdog_start();
    boot_enter(table);
}

void boot_main(void) {
    picosuit_info info;
    uint64_t sequence[2] = {0, 0};
    int is_good[2] = {0, 0};
    unsigned first = 0;
    nrf51_uart_init();
    boot.dev.running = DEVICE_NO_SLOT;
    text("[boot] picosuit reference device, test keys only\r\n");
    for (unsigned slot = 0; slot < 2; slot++) {
        int st = open_slot(slot, &info);
        if (st == PICOSUIT_OK) {
            is_good[slot] = 1;
            sequence[slot] = info.sequence;
        } else if (st == PICOSUIT_E_STATE) {
            slot_says(slot, "no envelope\r\n");
        } else {
            slot_says(slot, "");
            text_verdict(&boot.ctx, "not opened: ");
        }
    }
    first = is_good[1] && (!is_good[0] || sequence[1] > sequence[0]);
    for (unsigned i = 0; i < 2; i++) {
        if (is_good[first ^ i]) {
            try_slot(first ^ i);
        }
    }
    text("[boot] nothing to start, waiting for an update\r\n");
    for (;;) {
        (void)serve_poll(nrf51_uart_get());
        nrf51_watchdog_feed(); /* it may run on from before the reset */
    }
}

/* -- the call table -- */

uint32_t boot_call_version(void) {
    return picosuit_version();
}

int boot_call_poll(int byte) {
    return serve_poll(byte);
}

int boot_call_confirm(void) {
    return PICOSUIT_OK;
}

int boot_call_report(uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_report(&boot.ctx, buf, cap, &len);
    return st == PICOSUIT_OK ? (int)len : st;
}

void boot_call_feed_watchdog(void) {
    nrf51_watchdog_feed();
}
