/* SPDX-License-Identifier: MIT
 *
 * The one file of the test program that compiles the core, so that the test files
 * included here see its static functions; every other test file links to its public ones.
 * The Makefile reads the include lines and does not compile those files on their own.
 */
#ifndef PICOSUIT_EXPOSE_PRIMITIVES
#define PICOSUIT_EXPOSE_PRIMITIVES 1
#endif
#include "../../core/picosuit.c"

#include "test.h"
#include "test_bytes.c"
#include "test_sha2.c"
#include "test_kdf.c"
#include "test_aead.c"
#include "test_field.c"
#include "test_ed25519.c"
#include "test_expanded.c"
