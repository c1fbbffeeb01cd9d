/* SPDX-License-Identifier: MIT */
/* Boot loader: asks the boot state which slot to start, says why, and starts it. If
 * nothing may be started it stays in safe mode and serves the UART: that is how the first
 * firmware arrives, and how a device comes back of which nothing was left. */
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
int boot_call_boot_report(uint8_t *buf, size_t cap);

boot_state boot;

/* The flash driver leaves the slots alone that must not be lost: the running one, and
 * during a trial the confirmed one as well (they lie one behind the other). In safe mode
 * none is protected: an update must find room, and goes where the boot state says. */
static void protect(void) {
    const picosuit_boot *b = &boot.dev.boot;
    if (b->running >= 2) {
        nrf51_flash_protect(0, 0);
    } else if (b->rec.phase == PICOSUIT_BOOT_TRY) {
        nrf51_flash_protect(MAP_SLOT_A, 2u * MAP_SLOT_SIZE);
    } else {
        nrf51_flash_protect(device_flash.slot[b->running], MAP_SLOT_SIZE);
    }
}

/* What became of the candidate, and which image is started in its place. */
static void say_choice(unsigned phase_before) {
    const picosuit_boot *b = &boot.dev.boot;
    if (phase_before != PICOSUIT_BOOT_IDLE && b->rec.phase == PICOSUIT_BOOT_IDLE &&
        b->rec.result == PICOSUIT_RESULT_REJECTED) {
        text("[boot] rolled back: sequence ");
        text_number64(b->rec.rejected);
        text(b->rec.code == PICOSUIT_E_TRIAL ? ", never confirmed: "
                                             : ", check failed: ");
        text_code(b->rec.code);
        text("\r\n");
    }
    if (b->rec.phase == PICOSUIT_BOOT_TRY && b->running == b->rec.slot) {
        text("[boot] candidate, try ");
        text_number(b->rec.tries);
        text(" of ");
        text_number(DEVICE_TRIES);
        text("\r\n");
    } else if (b->running != b->rec.confirmed && b->running < 2) {
        text("[boot] fallback: the confirmed slot fails its check\r\n");
    }
}

static void start_firmware(void) {
    picosuit_info info;
    uint32_t table = PICOSUIT_NO_ADDRESS;
    if (picosuit_get_info(&boot.ctx, &info) == PICOSUIT_OK) {
        text(boot.dev.boot.running == 0 ? "[boot] slot A" : "[boot] slot B");
        text(": starting sequence ");
        text_number64(info.sequence);
        text("\r\n");
    }
    nrf51_watchdog_start();
    table = picosuit_boot_address(&boot.dev.boot, &boot.ctx);
    if (table != PICOSUIT_NO_ADDRESS) {
        boot_enter(table);
    }
    nrf51_reset(); /* the decision does not stand up to being asked again */
}

static int choose(void) {
    int st = picosuit_boot_init(&boot.dev.boot, &device_flash, NULL, PICOSUIT_NO_SLOT);
    unsigned phase = boot.dev.boot.rec.phase;
    boot.dev.slots.boot = &boot.dev.boot;
    if (st == PICOSUIT_OK) {
        do {
            st = picosuit_init(&boot.ctx, &device_platform, &boot.dev, boot.work,
                               BOOT_WORK);
        } while (st == PICOSUIT_AGAIN);
    }
    if (st == PICOSUIT_OK) {
        do {
            st = picosuit_boot_select(&boot.dev.boot, &boot.ctx);
        } while (st == PICOSUIT_AGAIN);
        say_choice(phase);
        protect();
    }
    return st;
}

void boot_main(void) {
    int st = PICOSUIT_SAFE;
    nrf51_uart_init();
    text("[boot] picosuit reference device, test keys only\r\n");
    st = choose();
    if (st == PICOSUIT_OK) {
        start_firmware();
    }
    text("[boot] safe mode: ");
    if (st != PICOSUIT_SAFE) {
        text_code(st);
    } else if (boot.dev.boot.rec.phase == PICOSUIT_BOOT_NONE) {
        text("no journal");
    } else {
        text("no slot passes its check");
    }
    text(", waiting for an update\r\n");
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
    const picosuit_boot_record *r = &boot.dev.boot.rec;
    int is_trial = r->phase == PICOSUIT_BOOT_TRY;
    int st = picosuit_boot_confirm(&boot.dev.boot);
    if (st == PICOSUIT_OK && is_trial) {
        protect();
        text("[boot] confirmed: floor ");
        text_number64(r->floor);
        text(", key epoch ");
        text_number((int32_t)r->epoch);
        text("\r\n");
    }
    return st;
}

int boot_call_report(uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_report(&boot.ctx, buf, cap, &len);
    return st == PICOSUIT_OK ? (int)len : st;
}

void boot_call_feed_watchdog(void) {
    nrf51_watchdog_feed();
}

int boot_call_boot_report(uint8_t *buf, size_t cap) {
    size_t len = 0;
    int st = picosuit_boot_report(&boot.dev.boot, buf, cap, &len);
    return st == PICOSUIT_OK ? (int)len : st;
}
