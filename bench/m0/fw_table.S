@ SPDX-License-Identifier: MIT
@ Stands for the tables of a real application: 32-bit words of a linear congruential
@ sequence, 2 KiB in version 1 and 5 KiB in version 2.
        .section .rodata.fw_table, "a"
        .balign 4
        .global fw_table
fw_table:
        .set    x, FW_VERSION * 77777 + 1
        .rept   (FW_VERSION * 3 - 1) * 256
        .set    x, (x * 1664525 + 1013904223) & 0xFFFFFFFF
        .word   x
        .endr
