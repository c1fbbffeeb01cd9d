/* SPDX-License-Identifier: MIT */
/* Flash through the NVMC. The driver itself keeps invariant I7: no unit that is not
 * erased is programmed (QEMU, like the part, would silently AND the two values), and
 * neither the loader nor what nrf51_flash_protect names is touched. */
#include "nrf51.h"
#include "device_map.h"

nrf51_flash_count nrf51_flash_counts;
static uint32_t flash_protected;
static uint32_t flash_protected_len;

void nrf51_flash_protect(uint32_t base, uint32_t len) {
    flash_protected = base;
    flash_protected_len = len;
}

static int is_ours(uint32_t addr) {
    return addr >= MAP_SLOT_A && addr < MAP_FLASH_END &&
           addr - flash_protected >= flash_protected_len;
}

static void flash_mode(uint32_t mode) {
    NVMC_CONFIG = mode;
    while ((NVMC_READY & 1u) == 0) {
    }
}

int nrf51_flash_is_blank(uint32_t addr, uint32_t len) {
    const volatile uint32_t *p = (const volatile uint32_t *)(uintptr_t)addr;
    for (uint32_t i = 0; i < len / 4; i++) {
        if (p[i] != 0xFFFFFFFFu) {
            return 0;
        }
    }
    return 1;
}

int nrf51_flash_erase(uint32_t page) {
    if (page % MAP_PAGE != 0 || !is_ours(page)) {
        nrf51_flash_counts.refused++;
        return -1;
    }
    flash_mode(NVMC_ERASE);
    NVMC_ERASEPAGE = page;
    flash_mode(NVMC_READ_ONLY);
    nrf51_flash_counts.erased++;
    return nrf51_flash_is_blank(page, MAP_PAGE) ? 0 : -1;
}

int nrf51_flash_program_word(uint32_t addr, uint32_t word) {
    volatile uint32_t *p = (volatile uint32_t *)(uintptr_t)addr;
    if (addr % 4 != 0 || !is_ours(addr) || *p != 0xFFFFFFFFu) {
        nrf51_flash_counts.refused++;
        return -1;
    }
    flash_mode(NVMC_WRITE);
    *p = word;
    flash_mode(NVMC_READ_ONLY);
    nrf51_flash_counts.programmed += 4;
    return *p == word ? 0 : -1;
}

int nrf51_flash_program(uint32_t addr, const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i += 4) {
        uint32_t word = 0xFFFFFFFFu;
        for (size_t k = i; k < len && k < i + 4; k++) {
            word &= ~(0xFFu << (8 * (k - i))) | (uint32_t)data[k] << (8 * (k - i));
        }
        if (nrf51_flash_program_word(addr + (uint32_t)i, word) != 0) {
            return -1;
        }
    }
    return 0;
}
