/* SPDX-License-Identifier: MIT */
#include "device_frame.h"
#include "nrf51.h"

static uint16_t crc_byte(uint16_t crc, uint8_t byte) {
    uint32_t c = crc ^ (uint32_t)byte << 8;
    for (unsigned i = 0; i < 8; i++) {
        c = c << 1 ^ ((c & 0x8000u) != 0 ? 0x1021u : 0);
    }
    return (uint16_t)c;
}

int device_frame_push(device_frame *f, uint8_t byte) {
    uint8_t at = f->state;
    if (at == 0) {
        f->state = byte == FRAME_START;
        f->crc = 0xFFFF;
        return 0;
    }
    f->state++;
    f->crc = crc_byte(f->crc, byte);
    switch (at) {
    case 1: f->type = byte; return 0;
    case 2: f->seq = byte; return 0;
    case 3:
        f->len = byte;
        if (byte > FRAME_MAX) {
            f->state = 0;
            return -1;
        }
        return 0;
    default: break;
    }
    f->data[at - 4] = byte;
    if (at - 4 < f->len + 1) {
        return 0;
    }
    f->state = 0;
    return f->crc == 0 ? 1 : -1; /* CRC over data and its CRC, high byte first */
}

static uint16_t send_byte(uint16_t crc, uint8_t byte) {
    nrf51_uart_put(byte);
    return crc_byte(crc, byte);
}

void device_frame_send(uint8_t type, uint8_t seq, const uint8_t *data, size_t len) {
    uint16_t crc = 0xFFFF;
    nrf51_uart_put(FRAME_START);
    crc = send_byte(crc, type);
    crc = send_byte(crc, seq);
    crc = send_byte(crc, (uint8_t)len);
    for (size_t i = 0; i < len; i++) {
        crc = send_byte(crc, data[i]);
    }
    nrf51_uart_put(crc >> 8);
    nrf51_uart_put(crc & 0xFF);
}
