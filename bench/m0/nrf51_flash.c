/* SPDX-License-Identifier: MIT */
/* Flash through the NVMC. The driver itself keeps invariant I7: no unit that is not
 * erased is programmed (QEMU, like the part, would silently AND the two values), and
 * neither the loader nor what nrf51_flash_protect names is touched. */
#include "nrf51.h"
#include "device_map.h"

typedef uint32_t __attribute__((may_alias)) flash_unit;

nrf51_flash_count nrf51_flash_counts;
static uint32_t flash_protected;
static uint32_t flash_protected_len;

void nrf51_flash_protect(uint32_t base, uint32_t len) {
    flash_protected = base;
    flash_protected_len = len;
}

/* Whether all of it may be erased or programmed: none of the loader, none of what is
 * protected. */
static int is_ours(uint32_t addr, uint32_t len) {
    return addr >= MAP_SLOT_A && addr < MAP_FLASH_END && len <= MAP_FLASH_END - addr &&
           (addr < flash_protected ? flash_protected - addr >= len
                                   : addr - flash_protected >= flash_protected_len);
}

static void flash_mode(uint32_t mode) {
    NVMC_CONFIG = mode;
    while ((NVMC_READY & 1u) == 0) {
    }
}

int nrf51_flash_is_blank(uint32_t addr, uint32_t len) {
    const volatile uint32_t *p = (const volatile uint32_t *)(uintptr_t)addr;
    const volatile uint32_t *end = p + len / 4;
    uint32_t all = 0xFFFFFFFFu;
    do { /* at least a word: a page each time; a loop of this form is a fifth shorter */
        all &= *p++;
    } while (p != end);
    return all == 0xFFFFFFFFu;
}

static int refuse(void) {
    nrf51_flash_counts.refused++;
    return -1;
}

int nrf51_flash_erase(uint32_t page) {
    if (page % MAP_PAGE != 0 || !is_ours(page, MAP_PAGE)) {
        return refuse();
    }
    flash_mode(NVMC_ERASE);
    NVMC_ERASEPAGE = page;
    flash_mode(NVMC_READ_ONLY);
    nrf51_flash_counts.erased++;
    return nrf51_flash_is_blank(page, MAP_PAGE) ? 0 : -1;
}

/* Nonzero if it reads back wrong. The demo cuts the power between words: a call for each.
 */
static uint32_t __attribute__((noinline))
flash_word(volatile uint32_t *p, uint32_t value) {
    *p = value;
    while ((NVMC_READY & 1u) == 0) {
    }
    return *p ^ value;
}

static uint32_t load(const uint8_t *data) {
    if ((uintptr_t)data % 4 == 0) {
        return *(const flash_unit *)(const void *)data;
    }
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
           (uint32_t)data[3] << 24;
}

int nrf51_flash_program(uint32_t addr, const uint8_t *data, size_t len) {
    volatile uint32_t *p = (volatile uint32_t *)(uintptr_t)addr;
    volatile uint32_t *end = p + len / 4;
    int st = 0;
    if ((addr | len) % 4 != 0 || !is_ours(addr, len)) {
        return refuse();
    }
    flash_mode(NVMC_WRITE);
    for (; p != end; p++, data += 4) {
        if (*p != 0xFFFFFFFFu) {
            st = refuse();
            break;
        }
        nrf51_flash_counts.programmed += 4;
        if (flash_word(p, load(data)) != 0) {
            st = -1;
            break;
        }
    }
    flash_mode(NVMC_READ_ONLY);
    return st;
}

int nrf51_flash_program_word(uint32_t addr, uint32_t word) {
    return nrf51_flash_program(addr, (const uint8_t *)&word, 4);
}
