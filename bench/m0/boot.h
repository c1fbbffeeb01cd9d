/* SPDX-License-Identifier: MIT */
/* Boot loader: what its parts share. */
#ifndef BOOT_H
#define BOOT_H

#include "device_port.h"

/* The encrypted A/B update of the demo fits: see PICOSUIT_WORK and README.md. */
#define BOOT_WORK 832u

typedef struct {
    picosuit ctx;
    device dev;
    uint8_t work[BOOT_WORK];
} boot_state;

extern boot_state boot;

/* -- boot_serve.c: updates over the UART -- */
int serve_poll(int byte);

/* -- boot_text.c -- */
void text_code(int code); /* E_TRIAL (-38) */
/* Why this call failed, one line. */
void text_verdict(const picosuit *p, int st, const char *what);

#endif
