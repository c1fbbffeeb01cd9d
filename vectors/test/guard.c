/* SPDX-License-Identifier: MIT
 *
 * Bytes that lie flush against an unreadable page: one too many, read or written, faults
 * at once. On ARMv6-M (-DTEST_M0) m0_start.c has such pages. Without mmap (or with
 * -DTEST_NO_MMAP) it is plain malloc, and a sanitizer has to find it.
 */
#if defined(TEST_M0)
#include "guard.h"
#define HAS_PAGES 1
#elif !defined(TEST_NO_MMAP) && (defined(__unix__) || defined(__APPLE__))
#define HAS_PAGES 1
#define _DEFAULT_SOURCE 1
#define _DARWIN_C_SOURCE 1
#include <sys/mman.h>
#include <unistd.h>
#define GUARD_PAGE ((size_t)sysconf(_SC_PAGESIZE))
#else
#define HAS_PAGES 0
#endif

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define SLOTS 4096 /* live blocks at most */

static struct {
    uint8_t *data; /* what the caller holds; NULL: free */
    uint8_t *base; /* what the system gave */
    size_t size;   /* bytes at base, the unreadable page included */
} slot[SLOTS];
static size_t top; /* slots at and above were never used */

static void no_memory(void) {
    fprintf(stderr, "guard: out of memory or of slots\n");
    exit(2);
}

#if HAS_PAGES && !defined(TEST_M0)
static void *guard_map(size_t body) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *base = mmap(NULL, body + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect((uint8_t *)base + body, page, PROT_NONE) != 0) {
        return NULL;
    }
    return base;
}

static void guard_unmap(void *base, size_t size) {
    munmap(base, size);
}
#endif

static uint8_t *block_new(size_t i, size_t len) {
#if HAS_PAGES
    size_t page = GUARD_PAGE;
    size_t body = (len + page - 1) / page * page;
    if (slot[i].base == NULL || slot[i].size != body + page) {
        if (slot[i].base != NULL) {
            guard_unmap(slot[i].base, slot[i].size);
        }
        slot[i].base = (uint8_t *)guard_map(body);
        slot[i].size = body + page;
        if (slot[i].base == NULL) {
            no_memory();
        }
    }
    return slot[i].base + body - len;
#else
    free(slot[i].base);
    slot[i].base = (uint8_t *)malloc(len ? len : 1);
    if (slot[i].base == NULL) {
        no_memory();
    }
    return slot[i].base;
#endif
}

uint8_t *guard_alloc(size_t len) {
    size_t i = 0;
    while (i < top && slot[i].data != NULL) {
        i++;
    }
    if (i == SLOTS) {
        no_memory();
    }
    top = i == top ? top + 1 : top;
    slot[i].data = block_new(i, len);
    memset(slot[i].data, 0xA5, len);
    return slot[i].data;
}

uint8_t *guard_copy(const void *data, size_t len) {
    uint8_t *p = guard_alloc(len);
    if (len > 0) {
        memcpy(p, data, len);
    }
    return p;
}

void guard_free(const void *data) {
    for (size_t i = top; data != NULL && i-- > 0;) {
        if (slot[i].data == data) {
            slot[i].data = NULL;
#if !HAS_PAGES
            free(slot[i].base);
            slot[i].base = NULL;
#endif
            return;
        }
    }
}
