/* SPDX-License-Identifier: MIT */
/* nRF51 registers, as far as the port uses them (nRF51 reference manual). */
#ifndef NRF51_H
#define NRF51_H

#include <stddef.h>
#include <stdint.h>

#define NRF51_REG(addr) (*(volatile uint32_t *)(uintptr_t)(addr))

/* UART0, interrupt 2; the micro:bit's USB side is wired to pins 24 and 25 */
#define UART_STARTRX NRF51_REG(0x40002000)
#define UART_STARTTX NRF51_REG(0x40002008)
#define UART_RXDRDY NRF51_REG(0x40002108)
#define UART_TXDRDY NRF51_REG(0x4000211C)
#define UART_INTENSET NRF51_REG(0x40002304)
#define UART_INTENCLR NRF51_REG(0x40002308)
#define UART_ENABLE NRF51_REG(0x40002500)
#define UART_PSELTXD NRF51_REG(0x4000250C)
#define UART_PSELRXD NRF51_REG(0x40002514)
#define UART_RXD NRF51_REG(0x40002518)
#define UART_TXD NRF51_REG(0x4000251C)
#define UART_BAUDRATE NRF51_REG(0x40002524)
#define UART_IRQ 2
#define UART_INT_RXDRDY (1u << 2)
#define UART_BAUD_115200 0x01D7E000u

/* NVMC, flash controller */
#define NVMC_READY NRF51_REG(0x4001E400)
#define NVMC_CONFIG NRF51_REG(0x4001E504)
#define NVMC_ERASEPAGE NRF51_REG(0x4001E508)
#define NVMC_READ_ONLY 0u
#define NVMC_WRITE 1u
#define NVMC_ERASE 2u

/* TIMER2, interrupt 10: 16 bits */
#define TIMER2_START NRF51_REG(0x4000A000)
#define TIMER2_STOP NRF51_REG(0x4000A004)
#define TIMER2_CLEAR NRF51_REG(0x4000A00C)
#define TIMER2_COMPARE0 NRF51_REG(0x4000A140)
#define TIMER2_SHORTS NRF51_REG(0x4000A200)
#define TIMER2_INTENSET NRF51_REG(0x4000A304)
#define TIMER2_BITMODE NRF51_REG(0x4000A508)
#define TIMER2_PRESCALER NRF51_REG(0x4000A510)
#define TIMER2_CC0 NRF51_REG(0x4000A540)
#define TIMER2_IRQ 10

/* WDT, the real watchdog: it cannot be stopped but by a reset */
#define WDT_START NRF51_REG(0x40010000)
#define WDT_CRV NRF51_REG(0x40010504)
#define WDT_RREN NRF51_REG(0x40010508)
#define WDT_CONFIG NRF51_REG(0x4001050C)
#define WDT_RR0 NRF51_REG(0x40010600)
#define WDT_RELOAD 0x6E524635u

/* Cortex-M0 */
#define SYST_CSR NRF51_REG(0xE000E010)
#define SYST_RVR NRF51_REG(0xE000E014)
#define SYST_CVR NRF51_REG(0xE000E018)
#define NVIC_ISER NRF51_REG(0xE000E100)
#define NVIC_ICER NRF51_REG(0xE000E180)
#define NVIC_ICPR NRF51_REG(0xE000E280)
#define SCB_AIRCR NRF51_REG(0xE000ED0C)
#define SCB_AIRCR_RESET 0x05FA0004u

/* -- nrf51_uart.c -- */
void nrf51_uart_init(void);
int nrf51_uart_get(void); /* a byte, or -1 */
void nrf51_uart_put(int byte);

/* -- nrf51_flash.c -- */

/* Flash work since the reset, for the tables of the demo. */
typedef struct {
    uint32_t programmed; /* bytes, whole words */
    uint32_t erased;     /* pages */
    uint32_t refused;    /* operations the driver did not do */
} nrf51_flash_count;

extern nrf51_flash_count nrf51_flash_counts;

/* No page of [base, base + len) is erased or programmed from now on. */
void nrf51_flash_protect(uint32_t base, uint32_t len);
/* 0, or -1: not a page, not ours to erase, or not blank afterwards. */
int nrf51_flash_erase(uint32_t page);
/* Programs whole words. 0, or -1: not ours to program, a word is not erased (nothing is
 * programmed from there on), or reads back wrong. */
int nrf51_flash_program(uint32_t addr, const uint8_t *data, size_t len);
int nrf51_flash_program_word(uint32_t addr, uint32_t word);
int nrf51_flash_is_blank(uint32_t addr, uint32_t len);

/* -- nrf51_system.c -- */
void nrf51_reset(void);
void nrf51_watchdog_start(void);
void nrf51_watchdog_feed(void);

#endif
