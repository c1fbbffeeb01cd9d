/* SPDX-License-Identifier: MIT
 *
 * Runs the suites and counts. usage: all [-d vector_folder] [-v] [suite...]
 * Prints failures and skips only, with -v every test; the last line is `N passed, N
 * failed`. With COUNTS=FILE it writes how many records of each text file were run.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#ifndef VECTORS_DIR
#define VECTORS_DIR "vectors"
#endif

#define MAX_SHOWN 3 /* failures printed for one test */

static const char *root = VECTORS_DIR;
static char **names; /* every test name so far */
static size_t passed, failed, skipped, name_n, name_cap;
static unsigned expect_n;   /* expectations of the open test */
static unsigned expect_all; /* of all tests */
static unsigned bad_n;      /* of them, failed */
static int is_open, is_skip, is_verbose;

static void *grow(void *old, size_t bytes) {
    void *p = realloc(old, bytes);
    if (p == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return p;
}

static const char *open_name(void) {
    return is_open ? names[name_n - 1] : "(no test open)";
}

static void complain(const char *file, int line, const char *fmt, ...) {
    va_list ap;
    if (bad_n++ < MAX_SHOWN) {
        printf("FAIL %s: %s:%d: ", open_name(), file, line);
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
        printf("\n");
    }
}

static void test_close(void) {
    if (is_open && !is_skip && expect_n == 0) {
        complain("harness", 0, "nothing was checked");
    }
    if (bad_n > MAX_SHOWN) {
        printf("FAIL %s: and %u more\n", open_name(), bad_n - MAX_SHOWN);
    }
    if (bad_n > 0) {
        failed++;
    } else if (is_skip) {
        skipped++;
    } else if (is_open) {
        passed++;
        if (is_verbose) {
            printf("PASS %s\n", open_name());
        }
    }
    expect_n = bad_n = 0;
    is_open = is_skip = 0;
}

void test_open(const char *name) {
    test_close();
    int is_new = 1;
    for (size_t i = 0; i < name_n; i++) {
        is_new &= strcmp(names[i], name) != 0;
    }
    if (name_n == name_cap) {
        name_cap = name_cap ? 2 * name_cap : 256;
        names = (char **)grow(names, name_cap * sizeof *names);
    }
    names[name_n] = (char *)grow(NULL, strlen(name) + 1);
    strcpy(names[name_n++], name);
    is_open = 1;
    if (!is_new) {
        complain("harness", 0, "this name was used before");
    }
}

const char *test_name(const char *fmt, ...) {
    static char buf[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    return buf;
}

void test_skip(const char *reason) {
    is_skip = 1;
    printf("SKIP %s: %s\n", open_name(), reason);
    if (getenv("CI") != NULL) {
        bad_n++;
    }
}

int test_expect(int is_ok, const char *what, const char *file, int line) {
    expect_n++;
    expect_all++;
    if (!is_ok) {
        complain(file, line, "%s", what);
    }
    return is_ok;
}

int test_int(long long got, long long want, const char *what, const char *file,
             int line) {
    expect_n++;
    expect_all++;
    if (got != want) {
        complain(file, line, "%s is %lld, expected %lld", what, got, want);
    }
    return got == want;
}

int test_mem(const void *got, const void *want, size_t len, const char *what,
             const char *file, int line) {
    const uint8_t *g = (const uint8_t *)got, *w = (const uint8_t *)want;
    size_t i = 0;
    expect_n++;
    expect_all++;
    while (i < len && g[i] == w[i]) {
        i++;
    }
    if (i < len) {
        complain(file, line, "%s differs at byte %u of %u: %02x, expected %02x", what,
                 (unsigned)i, (unsigned)len, g[i], w[i]);
    }
    return i == len;
}

/* -- files -- */

const char *file_path(const char *name) {
    static char buf[1024];
    snprintf(buf, sizeof buf, "%s/%s", root, name);
    return buf;
}

int file_exists(const char *name) {
    FILE *f = fopen(file_path(name), "rb");
    if (f != NULL) {
        fclose(f);
    }
    return f != NULL;
}

static uint8_t *slurp(const char *name, size_t *len) {
    FILE *f = fopen(file_path(name), "rb");
    uint8_t *p = NULL;
    size_t n = 0, cap = 0, got = 1;
    *len = 0;
    if (f == NULL) {
        complain(file_path(name), 0, "%s", strerror(errno));
        return NULL;
    }
    while (got > 0) {
        if (n + 1 >= cap) { /* one byte is kept for vec_next's closing zero */
            p = (uint8_t *)grow(p, cap = cap ? 2 * cap : 4096);
        }
        got = fread(p + n, 1, cap - n - 1, f);
        n += got;
    }
    fclose(f);
    *len = n;
    return p;
}

uint8_t *file_load(const char *name, size_t *len) {
    size_t n;
    uint8_t *all = slurp(name, &n), *p = all ? guard_copy(all, n) : NULL;
    free(all);
    if (len != NULL) {
        *len = n;
    }
    return p;
}

/* -- text vectors -- */

static struct {
    char *path;
    uint8_t *ran; /* by record, 0 or 1 */
    unsigned n;   /* records seen */
} counts[64];

/* The record was read; if something was expected since, it was run. */
static void count(const vec *v) {
    size_t i = 0;
    while (counts[i].path != NULL && strcmp(counts[i].path, v->path) != 0) {
        i++;
    }
    if (i + 1 == sizeof counts / sizeof *counts) {
        complain(v->path, 0, "more text files than can be counted");
        return;
    }
    if (counts[i].path == NULL) {
        counts[i].path = (char *)grow(NULL, strlen(v->path) + 1);
        strcpy(counts[i].path, v->path);
    }
    for (; counts[i].n < v->record; counts[i].n++) {
        counts[i].ran = (uint8_t *)grow(counts[i].ran, counts[i].n + 1);
        counts[i].ran[counts[i].n] = 0;
    }
    counts[i].ran[v->record - 1] |= expect_all != v->before;
}

static void counts_close(const char *name) {
    FILE *f = name != NULL ? fopen(name, "w") : NULL;
    if (name != NULL && f == NULL) {
        printf("FAIL COUNTS: %s: %s\n", name, strerror(errno));
        failed++;
    }
    for (size_t i = 0; counts[i].path != NULL; i++) {
        unsigned ran = 0;
        for (unsigned n = 0; n < counts[i].n; n++) {
            ran += counts[i].ran[n];
        }
        if (f != NULL) {
            fprintf(f, "%s %u\n", counts[i].path, ran);
        }
        free(counts[i].path);
        free(counts[i].ran);
    }
    if (f != NULL) {
        fclose(f);
    }
}

static void record_free(vec *v) {
    if (v->line_n > 0) {
        count(v);
    }
    while (v->bytes_n > 0) {
        guard_free(v->bytes[--v->bytes_n]);
    }
    v->line_n = 0;
}

int vec_open(vec *v, const char *path) {
    memset(v, 0, sizeof *v);
    v->path = path;
    v->text = slurp(path, &v->text_len);
    return v->text != NULL;
}

/* One line without its end and outer blanks; NULL at the end of the file. */
static char *line_next(vec *v) {
    size_t from = v->pos, to;
    if (v->pos >= v->text_len) {
        return NULL;
    }
    while (v->pos < v->text_len && v->text[v->pos] != '\n') {
        v->pos++;
    }
    to = v->pos++;
    while (from < to && strchr(" \t", v->text[from]) != NULL) {
        from++;
    }
    while (to > from && strchr(" \t\r", v->text[to - 1]) != NULL) {
        to--;
    }
    v->text[to] = 0;
    return (char *)v->text + from;
}

/* Cuts `key = value` at the equals sign: the line becomes key, 0, value, 0. */
static void line_add(vec *v, char *line) {
    char *eq = strchr(line, '=');
    if (eq == NULL) {
        complain(v->path, (int)v->record, "record has a line without '=': %s", line);
        return;
    }
    v->line = (char **)grow(v->line, (v->line_n + 2) * sizeof *v->line);
    v->line[v->line_n++] = line;
    for (char *end = eq; end > line && (end[-1] == ' ' || end[-1] == '\t'); end--) {
        end[-1] = 0;
    }
    *eq++ = 0;
    v->line[v->line_n++] = eq + strspn(eq, " \t");
}

int vec_next(vec *v) {
    char *line;
    record_free(v);
    v->record++;
    while (v->text != NULL && (line = line_next(v)) != NULL) {
        if (*line == 0 && v->line_n > 0) {
            v->before = expect_all;
            return 1;
        }
        if (*line != 0 && *line != '#') {
            line_add(v, line);
        }
    }
    if (v->line_n > 0) {
        v->before = expect_all;
        return 1;
    }
    if (v->record == 1 && v->text != NULL) {
        complain(v->path, 0, "holds no record");
    }
    free(v->text);
    free(v->line);
    free(v->bytes);
    memset(v, 0, sizeof *v);
    return 0;
}

static const char *find(const vec *v, const char *key) {
    for (size_t i = 0; i < v->line_n; i += 2) {
        if (strcmp(v->line[i], key) == 0) {
            return v->line[i + 1];
        }
    }
    return NULL;
}

int vec_has(const vec *v, const char *key) {
    return find(v, key) != NULL;
}

const char *vec_get(const vec *v, const char *key) {
    const char *value = find(v, key);
    if (value == NULL) {
        complain(v->path, (int)v->record, "record has no %s", key);
        return "";
    }
    return value;
}

static int nibble(char c) {
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) & 15 : -1;
}

const uint8_t *vec_hex(vec *v, const char *key, size_t *len) {
    const char *s = vec_get(v, key);
    size_t n = strlen(s) / 2;
    uint8_t *out = guard_alloc(n);
    int is_ok = strlen(s) % 2 == 0;
    for (size_t i = 0; i < n; i++) {
        int hi = nibble(s[2 * i]), lo = nibble(s[2 * i + 1]);
        is_ok &= hi >= 0 && lo >= 0;
        out[i] = (uint8_t)((unsigned)hi << 4 | (unsigned)lo);
    }
    if (!is_ok) {
        complain(v->path, (int)v->record, "%s is not hexadecimal", key);
    }
    v->bytes = (uint8_t **)grow(v->bytes, (v->bytes_n + 1) * sizeof *v->bytes);
    v->bytes[v->bytes_n++] = out;
    if (len != NULL) {
        *len = n;
    }
    return out;
}

long long vec_int(const vec *v, const char *key) {
    const char *s = vec_get(v, key);
    char *end;
    long long n = strtoll(s, &end, 0);
    if (*s == 0 || *end != 0) {
        complain(v->path, (int)v->record, "%s is not a number: %s", key, s);
    }
    return n;
}

const char *vec_name(const vec *v, const char *prefix) {
    return test_name("%s%s", prefix, vec_get(v, "name"));
}

/* -- the program -- */

static const struct {
    const char *name;
    void (*run)(void);
} suites[] = {
#define SUITE(name) {#name, suite_##name},
#include "suites.h"
#undef SUITE
    {NULL, NULL},
};

static void on_fault(int sig) {
    signal(sig, SIG_DFL);
    printf("FAIL %s: signal %d\n", open_name(), sig);
    fflush(stdout);
    raise(sig);
}

static int is_wanted(const char *name, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return 1;
        }
    }
    return argc == 0;
}

int main(int argc, char **argv) {
    argc--;
    argv++;
    if (argc >= 2 && strcmp(argv[0], "-d") == 0) {
        root = argv[1];
        argc -= 2;
        argv += 2;
    }
    if (argc >= 1 && strcmp(argv[0], "-v") == 0) {
        is_verbose = 1;
        argc--;
        argv++;
    }
    if (getenv("TEST_SANITIZED") == NULL) { /* sanitizers report faults better */
        signal(SIGSEGV, on_fault);
        signal(SIGFPE, on_fault);
    }
    for (int i = 0; suites[i].name != NULL; i++) {
        if (is_wanted(suites[i].name, argc, argv)) {
            suites[i].run();
            test_close();
        }
    }
    while (name_n > 0) {
        free(names[--name_n]);
    }
    free(names);
    counts_close(getenv("COUNTS"));
    if (skipped > 0) {
        printf("%u skipped\n", (unsigned)skipped);
    }
    printf("%u passed, %u failed\n", (unsigned)passed, (unsigned)failed);
    return failed > 0 || passed == 0;
}
