/* SPDX-License-Identifier: MIT
 *
 * The tests on ARMv6-M under QEMU: start, arguments and exit by semihosting, and the
 * pages of guard.c. m0_run.py starts the image.
 *
 * A Cortex-M3 executes what is compiled for ARMv6-M and has a memory protection unit: the
 * arena is closed, and a fault opens the piece of a block that was asked for, as long as
 * there are regions; what no block owns stays closed. It traps unaligned words as a
 * Cortex-M0 does. On a Cortex-M0 there is no such unit, and no byte is guarded.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#ifdef TEST_M0
#include "test.h"
#endif

#define REG(address) (*(volatile uint32_t *)(address))
#define CPUID REG(0xE000ED00) /* bits 4-15: C20 is a Cortex-M0, C23 a Cortex-M3 */
#define CCR REG(0xE000ED14)
#define SHCSR REG(0xE000ED24)
#define CFSR REG(0xE000ED28)
#define MMFAR REG(0xE000ED34)
#define MPU_TYPE REG(0xE000ED90)
#define MPU_CTRL REG(0xE000ED94)
#define MPU_RNR REG(0xE000ED98)
#define MPU_RBAR REG(0xE000ED9C)
#define MPU_RASR REG(0xE000EDA0)

#define ARENA 0x20000000u
#define PAGES 4096u
#define REGIONS 256u
#define SYS_GET_CMDLINE 0x15
#define SYS_EXIT_EXTENDED 0x20

extern char __bss_start__[], __bss_end__[], m0_stack_top[];
extern void initialise_monitor_handles(void);
extern void __libc_init_array(void);
extern int main(int argc, char **argv);
extern int putenv(char *string);
void _init(void);
void m0_reset(void);
void m0_fault(uint32_t *frame);

#define CLOSED 0xffff
static uint16_t owner[PAGES]; /* number of a block; CLOSED: behind one; 0: free */
static struct {
    uint32_t from, to; /* pages that this region opens; none: from == to */
} region[REGIONS];
static uint32_t region_n, region_next;
static uint16_t block_n;

/* -- pages -- */

/* Opens pages from..to, a power of two of them and aligned to it, or none. */
static void region_set(uint32_t i, uint32_t from, uint32_t to) {
    uint32_t size = 9; /* a region has 2^(size + 1) bytes */
    while (2u << size < (to - from) * GUARD_PAGE) {
        size++;
    }
    region[i].from = from;
    region[i].to = to;
    MPU_RNR = i;
    MPU_RASR = 0;
    MPU_RBAR = ARENA + from * GUARD_PAGE;
    if (to > from) {
        MPU_RASR = 0x03010001u | size << 1; /* read and write, normal memory */
    }
}

/* Region 0 closes the arena; a region of a higher number has precedence. */
static void pages_start(void) {
    if ((CPUID >> 4 & 0xfff) != 0xc23) {
        return;
    }
    region_n = MPU_TYPE >> 8 & 0xff;
    region_next = 1;
    MPU_RNR = 0;
    MPU_RBAR = ARENA;
    MPU_RASR = 0x00010001u | 21u << 1; /* 4 MiB, no access */
    MPU_CTRL = 5;                      /* on, and the default map for the rest */
    SHCSR |= 1u << 16;                 /* MemManage is a fault of its own */
    CCR |= 1u << 3;                    /* unaligned accesses fault */
}

/* Opens the largest aligned piece of the block around a page. 0: nobody's. */
static int page_open(uint32_t page) {
    uint32_t from = page, to = page + 1;
    if (page >= PAGES || owner[page] == 0 || owner[page] == CLOSED) {
        return 0;
    }
    for (uint32_t n = 2; n <= PAGES; n *= 2) {
        uint32_t first = page & ~(n - 1), same = 0;
        while (same < n && owner[first + same] == owner[page]) {
            same++;
        }
        if (same < n) {
            break;
        }
        from = first;
        to = first + n;
    }
    region_set(region_next, from, to);
    region_next = region_next + 1 < region_n ? region_next + 1 : 1;
    return 1;
}

void *guard_map(size_t body) {
    uint32_t n = (uint32_t)(body / GUARD_PAGE), at = 0, run = 0;
    while (run <= n && at < PAGES) {
        run = owner[at++] == 0 ? run + 1 : 0;
    }
    if (run <= n) {
        return NULL;
    }
    block_n = block_n + 1 < CLOSED ? (uint16_t)(block_n + 1) : 1;
    owner[--at] = CLOSED;
    for (uint32_t i = at - n; i < at; i++) {
        owner[i] = block_n;
    }
    return (void *)(ARENA + (at - n) * GUARD_PAGE);
}

void guard_unmap(void *base, size_t size) {
    uint32_t from = ((uint32_t)base - ARENA) / GUARD_PAGE;
    uint32_t to = from + (uint32_t)(size / GUARD_PAGE);
    for (uint32_t i = from; i < to; i++) {
        owner[i] = 0;
    }
    for (uint32_t i = 1; i < region_n; i++) {
        if (region[i].from < to && region[i].to > from) {
            region_set(i, 0, 0);
        }
    }
}

/* -- start and end -- */

static uint32_t semihost(uint32_t what, void *with) {
    register uint32_t r0 __asm__("r0") = what;
    register void *r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void _exit(int status) {
    uint32_t block[2] = {0x20026, (uint32_t)status}; /* ADP_Stopped_ApplicationExit */
    for (;;) {
        semihost(SYS_EXIT_EXTENDED, block);
    }
}

/* A fault of the tests is what it is on a host; main.c names the test. */
static void fault_raise(uint32_t pc, uint32_t address) {
    printf("fault at instruction %08lx, address %08lx\n", (unsigned long)pc,
           (unsigned long)address);
    raise(SIGSEGV);
    _exit(99);
}

/* frame: r0-r3, r12, lr, pc, psr. */
void m0_fault(uint32_t *frame) {
    uint32_t address = CFSR & 0x80 ? MMFAR : 0;
    if (address >= ARENA && page_open((address - ARENA) / GUARD_PAGE)) {
        CFSR = 0xff;
        return;
    }
    frame[0] = frame[6];
    frame[1] = address;
    frame[6] = (uint32_t)fault_raise & ~1u;
    frame[7] = 1u << 24;
}

__asm__(".section .m0_vectors, \"a\"\n"
        "    .word m0_stack_top, m0_reset\n"
        "    .rept 14\n"
        "    .word m0_trap\n"
        "    .endr\n"
        "    .text\n"
        "    .thumb_func\n"
        "m0_trap:\n"
        "    mov r0, sp\n"
        "    ldr r1, =m0_fault\n"
        "    bx r1\n"
        "    .pool\n");

#ifdef TEST_M0
/* What must be found: m0_run.py asks for each. */
static void break_by(const char *how) {
    uint8_t *p = guard_alloc(7);
    test_open(test_name("m0_%s", how));
    if (strcmp(how, "read") == 0) {
        test_expect(p[7] == 0, how, __FILE__, __LINE__);
    } else if (strcmp(how, "write") == 0) {
        p[7] = 0;
    } else if (strcmp(how, "unaligned") == 0) {
        test_expect(REG(p) == 0, how, __FILE__, __LINE__);
    } else {
        test_expect(0, how, __FILE__, __LINE__);
    }
}
#endif

/* __libc_init_array wants it. */
void _init(void) {
}

/* Words of the command line; the first ones with a `=` are the environment. */
void m0_reset(void) {
    static char line[1024], *argv[64];
    uint32_t block[2] = {(uint32_t)line, sizeof line};
    int argc = 0;
    char *word;
    memset(__bss_start__, 0, (size_t)(__bss_end__ - __bss_start__));
    pages_start();
    initialise_monitor_handles();
    __libc_init_array();
    semihost(SYS_GET_CMDLINE, block);
    for (word = strtok(line, " "); word != NULL && argc < 63; word = strtok(NULL, " ")) {
        if (argc == 0 && strchr(word, '=') != NULL) {
            putenv(word);
        } else {
            argv[argc++] = word;
        }
    }
#ifdef TEST_M0
    if (getenv("M0_BREAK") != NULL) {
        break_by(getenv("M0_BREAK"));
    }
#endif
    exit(main(argc, argv));
}
