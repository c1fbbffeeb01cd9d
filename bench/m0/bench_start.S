@ SPDX-License-Identifier: MIT
@ What bench.c needs beyond prim_start.S. ARMv6-M.
        .syntax unified
        .cpu cortex-m0
        .thumb
        .text

@ int semi_call(int op, const void *arg)
        .balign 4
        .global semi_call
        .type   semi_call, %function
semi_call:
        bkpt    0xab
        bx      lr

@ uint32_t stack_since(void): from the end of the data up to the first word that is not
@ paint; from there to the stack pointer it paints anew.
        .balign 4
        .global stack_since
        .type   stack_since, %function
stack_since:
        ldr     r0, =bss_end
        ldr     r2, =0xa5c35a3c
        mov     r3, sp
1:      cmp     r0, r3
        bhs     2f
        ldm     r0!, {r1}
        cmp     r1, r2
        beq     1b
        subs    r0, #4
2:      subs    r1, r3, r0
3:      cmp     r0, r3
        bhs     4f
        stm     r0!, {r2}
        b       3b
4:      mov     r0, r1
        bx      lr
        .pool
