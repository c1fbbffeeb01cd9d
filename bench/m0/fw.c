/* SPDX-License-Identifier: MIT */
/* The firmware of the reference device in several versions (-DFW_VERSION), linked for
 * slot A or B (-DFW_SLOT). It knows nothing of picosuit: bytes from the UART go to the
 * loader's call table, and what comes back tells whether the application is meant.
 *
 * It confirms itself once it has seen its timer tick, as a product does after the self
 * test of its own. Two bad versions (-DFW_KIND) do not get there: one never confirms, the
 * other hangs at once. */
#include "device_calls.h"
#include "device_text.h"
#include "nrf51.h"

#define FW_GOOD 0
#define FW_NEVER_CONFIRMS 1
#define FW_HANGS 2

#define FW_STRING2(x) #x
#define FW_STRING(x) FW_STRING2(x)
#if FW_SLOT == 0
#define FW_SAYS "[fw v" FW_STRING(FW_NAME) "/A] "
#else
#define FW_SAYS "[fw v" FW_STRING(FW_NAME) "/B] "
#endif

#define RING 128u

extern const uint8_t __image_start[];
extern const uint8_t __image_end[];

void fw_main(void);
void fw_tick(void);
void fw_uart(void);

static volatile uint32_t ticks; /* of 10 ms */
static volatile uint32_t ring_in;
static uint32_t ring_out;
static uint8_t ring[RING];

void fw_tick(void) {
    ticks++;
}

void fw_uart(void) {
    int byte;
    while ((byte = nrf51_uart_get()) >= 0) {
        if (ring_in - ring_out < RING) {
            ring[ring_in % RING] = (uint8_t)byte;
            ring_in++;
        }
    }
}

static int next_byte(void) {
    int byte = -1;
    if (ring_in != ring_out) {
        byte = ring[ring_out % RING];
        ring_out++;
    }
    return byte;
}

/* CRC-32 of the running image: two versions and slots differ, and so does a bad flash. */
static uint32_t image_crc(void) {
    uint32_t crc = 0xFFFFFFFFu;
    for (const uint8_t *p = __image_start; p < __image_end; p++) {
        crc ^= *p;
        for (unsigned i = 0; i < 8; i++) {
            crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0);
        }
    }
    return ~crc;
}

static void say_number(const char *what, uint32_t n) {
    text(what);
    text_number((int32_t)n);
}

static void heartbeat(void) {
    text(FW_SAYS "heartbeat: ticks ");
    text_number((int32_t)ticks);
    text(", image ");
    text_number((int32_t)(__image_end - __image_start));
    text(" bytes, crc ");
    text_hex(image_crc());
#if FW_VERSION >= 2
    say_number(", picosuit ", DEVICE_CALLS->version() >> 8);
#endif
    text("\r\n");
}

#if FW_VERSION >= 2
/* What version 2 adds: its reports, in hexadecimal. */
static void report(const char *what, int (*get)(uint8_t *buf, size_t cap)) {
    uint8_t buf[256];
    int len = get(buf, sizeof buf);
    text(what);
    if (len < 0) {
        text_number(len);
    }
    for (int i = 0; i < len; i++) {
        nrf51_uart_put("0123456789abcdef"[buf[i] >> 4]);
        nrf51_uart_put("0123456789abcdef"[buf[i] & 15]);
    }
    text("\r\n");
}
#endif

static void hang(void) {
    text(FW_SAYS "hanging, the watchdog will have to help\r\n");
    for (;;) {
    }
}

/* The self test: time passes. Nothing is confirmed before it has. */
static void confirm(void) {
    static int is_done;
    if (FW_KIND == FW_GOOD && !is_done && ticks > 0) {
        is_done = 1;
        say_number(FW_SAYS "confirm: ", (uint32_t)DEVICE_CALLS->confirm());
        text("\r\n");
    }
}

static void message(int what) {
    switch (what) {
    case 'h': heartbeat(); break;
    case 'x': hang(); break;
#if FW_VERSION >= 2
    case 'r': report(FW_SAYS "report: ", DEVICE_CALLS->report); break;
    case 'b': report(FW_SAYS "boot report: ", DEVICE_CALLS->boot_report); break;
#endif
    default: text(FW_SAYS "what?\r\n"); break;
    }
}

void fw_main(void) {
    int event = DEVICE_IDLE;
    SYST_RVR = 160000 - 1; /* 16 MHz */
    SYST_CVR = 0;
    SYST_CSR = 7;
    text(FW_SAYS "running\r\n");
    if (FW_KIND == FW_HANGS) {
        hang();
    }
    UART_INTENSET = UART_INT_RXDRDY;
    NVIC_ISER = 1u << UART_IRQ;
    for (;;) {
        event = DEVICE_CALLS->poll(event == DEVICE_BUSY ? -1 : next_byte());
        if (event >= DEVICE_APP) {
            message(event - DEVICE_APP);
        }
        confirm();
        DEVICE_CALLS->feed_watchdog();
    }
}
