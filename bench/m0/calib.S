@ SPDX-License-Identifier: MIT
@ Code whose cycles follow from the table by hand; the sums stand in calib.c. The empty
@ call is subtracted, so `bx lr` is free; what returns by pop pays the difference.
        .syntax unified
        .cpu cortex-m0
        .thumb

        .macro  function name
        .balign 4
        .global \name
        .type   \name, %function
\name:
        .endm

        .text
        function k_empty
        bx      lr

        function k_nop100
        .rept   100
        nop
        .endr
        bx      lr

        function k_nop2000              @ crosses the 1 KiB pages of QEMU
        .rept   2000
        nop
        .endr
        bx      lr

        function k_alu
        ldr     r0, =1000               @ 2
1:      subs    r0, #1                  @ 1
        bne     1b                      @ 1, taken 3 (M0+: 2)
        bx      lr

        function k_mul
        ldr     r0, =1000               @ 2
        movs    r1, #3                  @ 1
1:      muls    r1, r1, r1              @ 1
        subs    r0, #1
        bne     1b
        bx      lr

        function k_mem
        sub     sp, #16                 @ 1
        movs    r0, #100                @ 1
        movs    r3, #0                  @ 1
1:      ldr     r1, [sp]                @ 2
        str     r1, [sp, #4]            @ 2
        mov     r2, sp                  @ 1
        ldrb    r1, [r2]                @ 2
        strh    r1, [r2, #2]            @ 2
        ldrsb   r1, [r2, r3]            @ 2
        subs    r0, #1                  @ 1
        bne     1b
        add     sp, #16                 @ 1
        bx      lr

        function k_multi
        push    {r4, r5, r6, lr}        @ 1 + 4
        movs    r0, #50                 @ 1
1:      mov     r1, sp                  @ 1
        ldm     r1!, {r2, r3, r4}       @ 1 + 3
        subs    r1, #12                 @ 1
        stm     r1!, {r2, r3}           @ 1 + 2
        push    {r4, r5}                @ 1 + 2
        pop     {r4, r5}                @ 1 + 2
        subs    r0, #1                  @ 1
        bne     1b
        pop     {r4, r5, r6, pc}        @ 4 + 4 (M0+: 3 + 4) in place of bx lr

        function k_call
        push    {r4, lr}                @ 1 + 2
        movs    r4, #20                 @ 1
        ldr     r3, =k_empty            @ 2
1:      bl      k_empty                 @ 4 + 3 (M0+: 3 + 2)
        blx     r3                      @ 3 + 3 (M0+: 2 + 2)
        b       2f                      @ 3 (M0+: 2)
        nop
2:      adr     r0, 3f                  @ 1
        adds    r0, #1                  @ 1
        bx      r0                      @ 3 (M0+: 2)
        .balign 4
3:      adr     r0, 4f                  @ 1
        mov     pc, r0                  @ 3 (M0+: 2)
        .balign 4
4:      subs    r4, #1                  @ 1
        bne     1b
        pop     {r4, pc}                @ 4 + 2 (M0+: 3 + 2)

        function k_system
        mrs     r0, primask             @ 4 (M0+: 3), the same for the next four
        dmb
        dsb
        isb
        msr     primask, r0
        cpsie   i                       @ 1
        uxtb    r0, r0                  @ 1
        rev     r0, r0                  @ 1
        bx      lr

        function k_branch               @ taken and not taken
        movs    r0, #64                 @ 1
        movs    r1, #0                  @ 1
1:      lsrs    r2, r0, #1              @ 1, carry = lowest bit
        bcc     2f                      @ 1, taken 32 times
        adds    r1, #1                  @ 1, 32 times
2:      cmp     r0, #255                @ 1
        beq     3f                      @ 1, never taken
        subs    r0, #1                  @ 1
        bne     1b                      @ 1, taken 63 times
3:      bx      lr
        .pool
