@ SPDX-License-Identifier: MIT
@ uint64_t ct_mark(void): where a trace begins and ends. The move is the marker that
@ taint.c and trace.c look for; trace.c stores the hash of the trace so far twelve bytes
@ further on.
        .syntax unified
        .cpu cortex-m0
        .thumb
        .text
        .balign 4
        .global ct_mark
        .type   ct_mark, %function
ct_mark:
        mov     r11, r11
        adr     r0, 1f
        ldr     r1, [r0, #4]
        ldr     r0, [r0]
        bx      lr
        nop
1:      .word   0, 0
        .size   ct_mark, . - ct_mark

@ int ct_run(uint32_t number, uint32_t seed): ct_case with the stack pointer always the
@ same, so that traces of taint.c and of QEMU can be compared.
        .balign 4
        .global ct_run
        .type   ct_run, %function
ct_run: push    {r4, lr}
        mov     r4, sp
        ldr     r3, =stack_top - 512    @ below what main uses
        mov     sp, r3
        bl      ct_case
        mov     sp, r4
        pop     {r4, pc}
        .pool
        .size   ct_run, . - ct_run

@ void ct_publish(const void *data, size_t len): no secret any more, to taint.c
        .balign 4
        .global ct_publish
        .type   ct_publish, %function
ct_publish:
        mov     r12, r12
        bx      lr
        .size   ct_publish, . - ct_publish
