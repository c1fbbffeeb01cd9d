/* SPDX-License-Identifier: MIT */
/* UART0 at 115200 8N1, polled; a firmware may add the receive interrupt. */
#include "nrf51.h"

void nrf51_uart_init(void) {
    UART_INTENCLR = 0xFFFFFFFFu;
    UART_PSELTXD = 24;
    UART_PSELRXD = 25;
    UART_BAUDRATE = UART_BAUD_115200;
    UART_ENABLE = 4;
    UART_RXDRDY = 0;
    UART_TXDRDY = 0;
    UART_STARTRX = 1;
    UART_STARTTX = 1;
}

int nrf51_uart_get(void) {
    if (UART_RXDRDY == 0) {
        return -1;
    }
    UART_RXDRDY = 0; /* before the read: the read raises it again if more is waiting */
    return (int)(UART_RXD & 0xFFu);
}

void nrf51_uart_put(int byte) {
    UART_TXDRDY = 0;
    UART_TXD = (uint32_t)byte & 0xFFu;
    while (UART_TXDRDY == 0) {
    }
}
