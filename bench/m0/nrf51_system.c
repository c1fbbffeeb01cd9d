/* SPDX-License-Identifier: MIT */
/* Reset and watchdog. QEMU has no nRF51 watchdog, so TIMER2, whose interrupt stays with
 * the loader, does its work there; on the part both run and the earlier one wins. */
#include "nrf51.h"

#define WATCHDOG_TICKS 4u /* of about two seconds */

static volatile uint32_t watchdog_ticks;

void nrf51_reset(void) {
    SCB_AIRCR = SCB_AIRCR_RESET;
    for (;;) {
    }
}

void nrf51_watchdog_start(void) {
    WDT_CRV = 10u * 32768u;
    WDT_RREN = 1;
    WDT_CONFIG = 1;
    WDT_START = 1;
    watchdog_ticks = 0;
    TIMER2_STOP = 1;
    TIMER2_CLEAR = 1;
    TIMER2_BITMODE = 0;
    TIMER2_PRESCALER = 9; /* 31,250 Hz */
    TIMER2_CC0 = 62500;
    TIMER2_SHORTS = 1; /* compare clears */
    TIMER2_INTENSET = 1u << 16;
    TIMER2_START = 1;
    NVIC_ISER = 1u << TIMER2_IRQ;
}

void nrf51_watchdog_feed(void) {
    watchdog_ticks = 0;
    WDT_RR0 = WDT_RELOAD;
}

/* Exception 26 of the loader's table; not forwarded. */
void nrf51_watchdog_tick(void) {
    TIMER2_COMPARE0 = 0;
    watchdog_ticks++;
    if (watchdog_ticks >= WATCHDOG_TICKS) {
        nrf51_reset();
    }
}
