@ SPDX-License-Identifier: MIT
@ Firmware: its own vector table, to which the loader forwards, and the start of C.
#include "device_map.h"
        .syntax unified
        .cpu cortex-m0
        .thumb
        .section .vectors, "a"
        .word   MAP_STACK_TOP
        .word   fw_reset + 1
        .rept   13
        .word   fw_stray + 1
        .endr
        .word   fw_tick                 @ exception 15, SysTick
        .word   fw_stray + 1
        .word   fw_stray + 1
        .word   fw_uart                 @ exception 18, UART0
        .rept   29
        .word   fw_stray + 1
        .endr

        .text
        .balign 4
        .thumb_func
fw_stray:                               @ the watchdog ends this
        b       .

        .balign 4
        .global fw_reset
        .thumb_func
fw_reset:
        ldr     r0, =__data_start
        ldr     r1, =__data_end
        ldr     r2, =__data_load
1:      cmp     r0, r1
        bhs     2f
        ldm     r2!, {r3}
        stm     r0!, {r3}
        b       1b
2:      ldr     r0, =__bss_start
        ldr     r1, =__bss_end
        movs    r3, #0
3:      cmp     r0, r1
        bhs     4f
        stm     r0!, {r3}
        b       3b
4:      bl      fw_main
        b       .
        .pool
