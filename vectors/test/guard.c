/* SPDX-License-Identifier: MIT
 *
 * Bytes that lie flush against an unreadable page: one too many, read or written, faults
 * at once. Without mmap (or with -DTEST_NO_MMAP) it is plain malloc, and a sanitizer has
 * to find it.
 */
#if !defined(TEST_NO_MMAP) && (defined(__unix__) || defined(__APPLE__))
#define HAS_MMAP 1
#define _DEFAULT_SOURCE 1
#define _DARWIN_C_SOURCE 1
#include <sys/mman.h>
#include <unistd.h>
#else
#define HAS_MMAP 0
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

static uint8_t *block_new(size_t i, size_t len) {
#if HAS_MMAP
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (len + page - 1) / page * page;
    if (slot[i].base == NULL || slot[i].size != body + page) {
        if (slot[i].base != NULL) {
            munmap(slot[i].base, slot[i].size);
        }
        void *base = mmap(NULL, body + page, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (base == MAP_FAILED ||
            mprotect((uint8_t *)base + body, page, PROT_NONE) != 0) {
            no_memory();
        }
        slot[i].base = (uint8_t *)base;
        slot[i].size = body + page;
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
#if !HAS_MMAP
            free(slot[i].base);
            slot[i].base = NULL;
#endif
            return;
        }
    }
}
