@ SPDX-License-Identifier: MIT
@ Start-up of the measuring images, and the guest's side of cycles.c. ARMv6-M.
        .syntax unified
        .cpu cortex-m0
        .thumb

        .macro  function name
        .balign 4
        .global \name
        .type   \name, %function
\name:
        .endm

        .section .vectors, "a"
        .word   stack_top
        .word   reset + 1
        .rept   46
        .word   fault + 1
        .endr

        .text
        function reset
        ldr     r0, =data_start         @ initialised data from flash
        ldr     r1, =data_end
        ldr     r2, =data_load
1:      cmp     r0, r1
        bhs     2f
        ldm     r2!, {r3}
        stm     r0!, {r3}
        b       1b
2:      ldr     r0, =bss_start          @ the rest of the data is zero
        ldr     r1, =bss_end
        movs    r3, #0
3:      cmp     r0, r1
        bhs     4f
        stm     r0!, {r3}
        b       3b
4:      bl      main
        bl      semi_exit
        .pool

        function fault
        movs    r0, #99
        bl      semi_exit

@ uint64_t m0_cycles(void): the move is the marker at which cycles.c stores the count,
@ twelve bytes further on.
        function m0_cycles
        mov     r9, r9
        adr     r0, 1f
        ldr     r1, [r0, #4]
        ldr     r0, [r0]
        bx      lr
        nop
1:      .word   0, 0

@ void semi_write(const char *text): semihosting SYS_WRITE0
        function semi_write
        mov     r1, r0
        movs    r0, #4
        bkpt    0xab
        bx      lr

@ void semi_exit(int status): SYS_EXIT_EXTENDED; QEMU exits with the status
        function semi_exit
        sub     sp, #8
        str     r0, [sp, #4]
        ldr     r0, =0x20026            @ ADP_Stopped_ApplicationExit
        str     r0, [sp]
        mov     r1, sp
        movs    r0, #0x20
        bkpt    0xab
        b       .
        .pool

@ uint32_t stack_used(void (*fn)(void)): paints from the end of the data to the stack
@ pointer, calls fn, returns how far below the stack pointer it wrote; all ones: too far.
        function stack_used
        push    {r4, r5, r6, lr}
        mov     r4, sp
        ldr     r5, =bss_end
        ldr     r6, =0xa5c35a3c
        mov     r1, r5
1:      stm     r1!, {r6}
        cmp     r1, r4
        blo     1b
        blx     r0
        mov     r1, r5
2:      ldm     r1!, {r2}
        cmp     r2, r6
        beq     2b
        subs    r1, #4
        subs    r0, r4, r1
        cmp     r1, r5
        bne     3f
        movs    r0, #0
        mvns    r0, r0
3:      pop     {r4, r5, r6, pc}
        .pool
