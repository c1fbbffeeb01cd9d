@ SPDX-License-Identifier: MIT
@ Stands for the tables of a real application: 32-bit words of a linear congruential
@ sequence, of 2, 5, 1 and 4 KiB in versions 1 to 4.
        .section .rodata.fw_table, "a"
        .balign 4
        .global fw_table
fw_table:
        .set    x, FW_VERSION * 77777 + 1
        .rept   (FW_VERSION * 3 - 1) % 7 * 256
        .set    x, (x * 1664525 + 1013904223) & 0xFFFFFFFF
        .word   x
        .endr
