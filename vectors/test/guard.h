/* SPDX-License-Identifier: MIT
 *
 * Where guard.c has its pages from without mmap: m0_start.c.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>
#include <stdint.h>

#define GUARD_PAGE 1024u

/* body bytes, a multiple of GUARD_PAGE, and an unreadable page behind; NULL: no memory.
 */
void *guard_map(size_t body);
void guard_unmap(void *base, size_t size); /* size: the page behind included */

#endif
