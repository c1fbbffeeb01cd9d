@ SPDX-License-Identifier: MIT
@ Boot loader: vectors, call table, RAM fill, start of C and of firmware. ARMv6-M only.
#include "device_map.h"
        .syntax unified
        .cpu cortex-m0
        .thumb

@ Cortex-M0 has no VTOR, so these 48 vectors are the only ones. All but reset and the
@ watchdog's timer go to the table whose address is in the word at MAP_FORWARD.
        .section .vectors, "a"
        .global boot_vectors
boot_vectors:
        .word   MAP_STACK_TOP
        .word   boot_reset + 1
        .rept   24
        .word   boot_forward + 1
        .endr
        .word   nrf51_watchdog_tick     @ exception 26, TIMER2
        .rept   21
        .word   boot_forward + 1
        .endr
        .if     . - boot_vectors - MAP_CALLS
        .error  "call table is not at MAP_CALLS"
        .endif
@ The call table, see device_calls in device_calls.h.
        .word   boot_call_version
        .word   boot_call_poll
        .word   boot_call_confirm
        .word   boot_call_report
        .word   boot_call_feed_watchdog
        .word   boot_call_boot_report

        .text
        .balign 4
        .thumb_func
boot_forward:
        mrs     r0, ipsr
        lsls    r0, r0, #26             @ six bits are the exception number
        lsrs    r0, r0, #24             @ times four
        ldr     r1, =MAP_FORWARD
        ldr     r1, [r1]
        ldr     r2, =MAP_SLOT_A         @ a wild word must not be followed
        cmp     r1, r2
        beq     1f
        ldr     r2, =MAP_SLOT_B
        cmp     r1, r2
        bne     boot_stray
1:      ldr     r0, [r1, r0]
        bx      r0
@ An exception nobody asked for while the loader itself runs: start over.
boot_stray:
        ldr     r0, =0xE000ED0C
        ldr     r1, =0x05FA0004
        str     r1, [r0]
        b       .

@ Fills all RAM first, also what lies beyond our 8 KiB: a reset under QEMU keeps RAM, and
@ nothing may profit from it. What still holds the fill later was never used.
        .balign 4
        .global boot_reset
        .thumb_func
boot_reset:
        ldr     r0, =MAP_RAM
        ldr     r1, =MAP_RAM_REAL
        ldr     r2, =MAP_FILL_SEED
        ldr     r3, =MAP_FILL_MUL
1:      mov     r4, r0
        eors    r4, r2
        muls    r4, r3, r4
        stm     r0!, {r4}
        cmp     r0, r1
        blo     1b
        ldr     r0, =__data_start
        ldr     r1, =__data_end
        ldr     r2, =__data_load
2:      cmp     r0, r1
        bhs     3f
        ldm     r2!, {r3}
        stm     r0!, {r3}
        b       2b
3:      ldr     r0, =__bss_start
        ldr     r1, =__bss_end
        movs    r3, #0
4:      cmp     r0, r1
        bhs     5f
        stm     r0!, {r3}
        b       4b
5:      bl      boot_main
        b       .
        .pool

@ void boot_enter(uint32_t table): firmware gets its stack pointer and runs.
        .balign 4
        .global boot_enter
        .thumb_func
boot_enter:
        ldr     r1, =MAP_FORWARD
        str     r0, [r1]
        ldr     r1, [r0]
        ldr     r2, [r0, #4]
        msr     msp, r1
        bx      r2
        .pool
