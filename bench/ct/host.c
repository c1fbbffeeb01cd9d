/* SPDX-License-Identifier: MIT
 *
 * The plan on the host, under valgrind's memcheck: secrets are marked as undefined, so
 * that every branch and address that depends on one is reported. An argument, a digit,
 * chooses the row of that number (mutants); without one all run. x86 with Linux, and no C
 * library: what a static one does before main would be reported, too, and a dynamic one
 * needs symbols that are often stripped.
 */
#include "cases.h"
#include "ct_plan.h" /* ct_plan: {number, mutant, seeds}, up to {0, 0, 0} */

#include <valgrind/memcheck.h>

/* Valgrind reads the symbols of a file only if a data segment of it is mapped. */
__attribute__((used)) static volatile int data_segment = 1;

__attribute__((used, noreturn)) void host_main(const uintptr_t *args);

#ifdef __x86_64__
__asm__(
    ".text\n .globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call host_main");
#else
__asm__(".text\n .globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n"
        "push %eax\n call host_main");
#endif

static long call(long number, long a, const void *b, size_t c) {
#ifdef __x86_64__
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(a), "c"(b), "d"(c) : "memory");
#endif
    return number;
}
#ifdef __x86_64__
enum { CALL_WRITE = 1, CALL_EXIT = 60 };
#else
enum { CALL_WRITE = 4, CALL_EXIT = 1 };
#endif

/* Nothing is published here: memcheck follows the plaintext through the storage, too. */
void ct_publish(const void *data, size_t len) {
    (void)data;
    (void)len;
}

static int run(uint32_t number, uint32_t seed) {
    int st;
    ct_prepare(number, seed);
    for (const struct ct_array *s = ct_secrets; s->data != NULL; s++) {
        (void)VALGRIND_MAKE_MEM_UNDEFINED(s->data, s->len);
    }
    st = ct_do(number);
    for (const struct ct_array *s = ct_secrets; s->data != NULL; s++) {
        (void)VALGRIND_MAKE_MEM_DEFINED(s->data, s->len);
    }
    (void)VALGRIND_MAKE_MEM_DEFINED(&st, sizeof st);
    return ct_is_right(number, seed, st);
}

/* Status 1: not under valgrind. 2: a wrong result, whose case is named. */
void host_main(const uintptr_t *args) {
    const char *only = args[0] > 1 ? (const char *)args[2] : NULL;
    int status = RUNNING_ON_VALGRIND ? 0 : 1;
    for (unsigned i = 0; ct_plan[i].seeds > 0; i++) {
        if (only != NULL && (unsigned)(*only - '1') != i) {
            continue;
        }
        ct_mutant = only != NULL ? ct_plan[i].mutant : 0;
        for (uint32_t seed = 0; seed < 2; seed++) {
            if (!run(ct_plan[i].number, seed) && only == NULL) {
                static const char hex[] = "0123456789abcdef";
                char text[] = "case 00000000 is wrong\n";
                for (unsigned k = 0; k < 8; k++) {
                    text[5 + k] = hex[ct_plan[i].number >> (28 - 4 * k) & 15];
                }
                (void)call(CALL_WRITE, 1, text, sizeof text - 1);
                status = 2;
            }
        }
    }
    for (;;) {
        (void)call(CALL_EXIT, status, NULL, 0);
    }
}
