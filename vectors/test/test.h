/* SPDX-License-Identifier: MIT
 *
 * The test harness. One file `test_<name>.c` defines one suite, `void
 * suite_<name>(void)`; the Makefile finds the files and lists the suites, so there is
 * nothing to register.
 *
 *     void suite_sha2(void) {
 *         vec v;
 *         CHECK("test_sha2_empty", memcmp(got, want, 32) == 0);    // a test of one line
 *         for (vec_open(&v, "crypto/sha256.txt"); vec_next(&v);) { // a test per record
 *             size_t len;
 *             const uint8_t *data = vec_hex(&v, "data", &len);
 *             TEST(vec_name(&v, "test_sha2_"));           // prefix + value of `name`
 *             picosuit_sha256(out, data, len);
 *             EXPECT_MEM(out, vec_hex(&v, "digest", NULL), 32);
 *         }
 *     }
 *
 * A test passes when it made at least one EXPECT and none failed; a name is used once.
 *
 * White-box tests see the static functions of the core: add `#include "test_<name>.c"`
 * to white.c, the one file that compiles core/picosuit.c, PICOSUIT_EXPOSE_PRIMITIVES=1.
 * White-box files must also compile as C++17, include nothing but test.h and standard
 * headers, and name their statics apart from the core's. All other files link to the
 * public functions and to the primitives.
 */
#ifndef TEST_H
#define TEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- tests and expectations -- */

#define TEST(name) test_open(name)
#define CHECK(name, cond) (test_open(name), EXPECT(cond))
#define EXPECT(cond) test_expect((cond) != 0, #cond, __FILE__, __LINE__)
#define EXPECT_INT(got, want)                                                            \
    test_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define EXPECT_MEM(got, want, len) test_mem(got, want, len, #got, __FILE__, __LINE__)

void test_open(const char *name); /* ends the test before it, begins the next */
/* Builds a name, valid until the next call. */
const char *test_name(const char *fmt, ...);
/* The open test cannot run here: counted, and a failure if CI is set. */
void test_skip(const char *reason);
/* These return 1 if all is as expected, else 0. */
int test_expect(int is_ok, const char *what, const char *file, int line);
int test_int(long long got, long long want, const char *what, const char *file, int line);
int test_mem(const void *got, const void *want, size_t len, const char *what,
             const char *file, int line);

/* -- memory that ends at an unreadable page; len 0 is allowed -- */

uint8_t *guard_alloc(size_t len); /* len bytes of 0xA5 */
uint8_t *guard_copy(const void *data, size_t len);
void guard_free(const void *data); /* what one of these, or file_load, gave */

/* -- files; names count from the vector folder (VECTORS_DIR, or -d of the program) -- */

const char *file_path(const char *name); /* valid until the next call */
int file_exists(const char *name);
/* The whole file as a guarded copy; missing: NULL and a failure. */
uint8_t *file_load(const char *name, size_t *len);

/* -- text vectors: records of `key = value` lines, empty lines between, # comments -- */

typedef struct {
    const char *path; /* as given to vec_open */
    uint8_t *text;    /* the file */
    char **line;      /* the record's lines, key and value cut apart at '=' */
    uint8_t **bytes;  /* what vec_hex returned for this record */
    size_t pos;       /* next byte of text */
    size_t text_len;  /* bytes */
    size_t line_n;    /* lines in the record */
    size_t bytes_n;   /* entries of bytes */
    unsigned record;  /* number of the record, from 1 */
    unsigned before;  /* expectations that were there when it was read */
} vec;

int vec_open(vec *v, const char *path); /* missing: 0 and a failed test */
int vec_next(vec *v); /* next record; at the end it closes the file and returns 0 */
int vec_has(const vec *v, const char *key);
/* The value of a key as text, as guarded bytes (until vec_next), as a number (decimal or
 * 0x), and `name` behind a prefix as test_name. Missing: a failed test and "", 0. */
const char *vec_get(const vec *v, const char *key);
const uint8_t *vec_hex(vec *v, const char *key, size_t *len);
long long vec_int(const vec *v, const char *key);
const char *vec_name(const vec *v, const char *prefix);
/* With COUNTS=FILE in the environment the program writes, for each text file, how many of
 * its records were run: those behind which something was expected before the next one. */

/* -- the suites: a list that the Makefile writes from the names of the files -- */

#define SUITE(name) void suite_##name(void);
#include "suites.h"
#undef SUITE

#ifdef __cplusplus
}
#endif

#endif
