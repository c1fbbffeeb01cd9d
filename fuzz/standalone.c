/* SPDX-License-Identifier: MIT
 *
 * Runs a fuzz target with any compiler: replays files and folders, then changes them
 * blindly. usage: target [-t seconds] [-n runs] [-s seed] file or folder... An input that
 * stops the program is written to crash-<seed>-<run>.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define LONGEST 8192 /* bytes of an input that is changed */

typedef struct {
    uint8_t *data;
    size_t len;
} input;

static input *corpus;
static size_t corpus_n;
static uint8_t now[LONGEST]; /* the input being run */
static size_t now_len;
static uint64_t state, seed = 1;
static unsigned long run_n;

static void save(void) {
    char name[64];
    snprintf(name, sizeof name, "crash-%lu-%lu", (unsigned long)seed, run_n);
    FILE *f = fopen(name, "wb");
    if (f != NULL) {
        fwrite(now, 1, now_len, f);
        fclose(f);
        fprintf(stderr, "input of %lu bytes written to %s\n", (unsigned long)now_len,
                name);
    }
}

static void on_signal(int sig) {
    signal(sig, SIG_DFL);
    save();
    raise(sig);
}

#if defined(__GNUC__)
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
#endif

static void catch_all(void) {
    static const int signals[] = {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGALRM};
#if defined(__GNUC__)
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save);
        signal(SIGABRT, on_signal);
        signal(SIGALRM, on_signal);
        return;
    }
#endif
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        signal(signals[i], on_signal);
    }
}

static void run(const uint8_t *data, size_t len) {
    uint8_t *exact = (uint8_t *)malloc(len ? len : 1);
    if (exact == NULL) {
        exit(2);
    }
    if (len > 0) {
        memcpy(exact, data, len);
    }
    now_len = len < LONGEST ? len : LONGEST;
    memmove(now, exact, now_len);
    run_n++;
    alarm(20); /* one input must not take so long */
    LLVMFuzzerTestOneInput(exact, len);
    alarm(0);
    free(exact);
}

/* -- corpus -- */

static void load_file(const char *path) {
    FILE *f = fopen(path, "rb");
    static uint8_t buf[1 << 20];
    size_t len;
    if (f == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    len = fread(buf, 1, sizeof buf, f);
    fclose(f);
    corpus = (input *)realloc(corpus, (corpus_n + 1) * sizeof *corpus);
    corpus[corpus_n].data = (uint8_t *)malloc(len ? len : 1);
    memcpy(corpus[corpus_n].data, buf, len);
    corpus[corpus_n++].len = len;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load(const char *path);

/* In the order of names, so that a seed means the same everywhere. */
static void load_folder(const char *path) {
    DIR *dir = opendir(path);
    struct dirent *e;
    char **names = NULL;
    size_t n = 0;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] != '.') {
            size_t len = strlen(path) + strlen(e->d_name) + 2;
            names = (char **)realloc(names, (n + 1) * sizeof *names);
            names[n] = (char *)malloc(len);
            snprintf(names[n++], len, "%s/%s", path, e->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (n > 0) {
        qsort(names, n, sizeof *names, by_name);
    }
    for (size_t i = 0; i < n; i++) {
        load(names[i]);
        free(names[i]);
    }
    free(names);
}

static void load(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        load_folder(path);
    } else {
        load_file(path);
    }
}

/* -- blind changes -- */

static uint32_t random32(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static size_t below(size_t n) {
    return n == 0 ? 0 : random32() % n;
}

/* Heads and labels that mean something to this format. */
static const uint8_t interesting[] = {
    0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x0c, 0x0e, 0x0f, 0x12, 0x13,
    0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x20, 0x40,
    0x58, 0x59, 0x5f, 0x60, 0x78, 0x80, 0x81, 0x82, 0x83, 0x84, 0x98,
    0x9f, 0xa0, 0xa1, 0xb8, 0xbf, 0xd2, 0xd8, 0xf4, 0xf5, 0xf6, 0xff};

static size_t change(uint8_t *buf, size_t len) {
    size_t at = below(len), n = 1 + below(8), other = below(len);
    switch (random32() % 8) {
    case 0: /* one bit */
        if (len > 0) {
            buf[at] ^= (uint8_t)(1u << random32() % 8);
        }
        return len;
    case 1: /* any byte */
        if (len > 0) {
            buf[at] = (uint8_t)random32();
        }
        return len;
    case 2:
    case 3: /* a byte that means something */
        if (len > 0) {
            buf[at] = interesting[below(sizeof interesting)];
        }
        return len;
    case 4: /* a little more or less */
        if (len > 0) {
            buf[at] = (uint8_t)(buf[at] + random32() % 7 - 3);
        }
        return len;
    case 5: /* bytes go */
        n = n < len - at ? n : len - at;
        memmove(buf + at, buf + at + n, len - at - n);
        return len - n;
    case 6: /* bytes come twice */
        n = n < len - other ? n : len - other;
        if (len + n > LONGEST) {
            return len;
        }
        memmove(buf + at + n, buf + at, len - at);
        memmove(buf + at, buf + (other < at ? other : at + n < len ? at + n : at), n);
        return len + n;
    default: /* the end goes */ return random32() % 8 == 0 ? at : len;
    }
}

static void mutate_once(void) {
    static uint8_t buf[LONGEST];
    const input *from = &corpus[below(corpus_n)];
    size_t len = from->len < LONGEST ? from->len : LONGEST;
    memcpy(buf, from->data, len);
    if (random32() % 8 == 0) { /* head of one, tail of another */
        const input *other = &corpus[below(corpus_n)];
        size_t cut = below(len), rest = other->len < LONGEST ? other->len : LONGEST;
        if (cut < rest) {
            memcpy(buf + cut, other->data + cut, rest - cut);
            len = rest;
        }
    }
    for (size_t n = 1 + below(4); n > 0; n--) {
        len = change(buf, len);
    }
    run(buf, len);
}

int main(int argc, char **argv) {
    unsigned long seconds = 0, runs = 0;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        unsigned long v = strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "-t") == 0 || strcmp(argv[i], "-seconds") == 0) {
            seconds = v;
        } else if (strcmp(argv[i], "-n") == 0) {
            runs = v;
        } else if (strcmp(argv[i], "-s") == 0 || strcmp(argv[i], "-seed") == 0) {
            seed = v;
        } else {
            fprintf(stderr,
                    "usage: %s [-t seconds] [-n runs] [-s seed] file or folder...\n",
                    *argv);
            return 2;
        }
    }
    for (; i < argc; i++) {
        load(argv[i]);
    }
    state = seed * 0x9e3779b97f4a7c15u + 1;
    catch_all();
    for (size_t k = 0; k < corpus_n; k++) {
        run(corpus[k].data, corpus[k].len);
    }
    unsigned long replayed = run_n;
    time_t end = time(NULL) + (time_t)seconds;
    while (corpus_n > 0 &&
           (run_n - replayed < runs || (seconds > 0 && time(NULL) < end))) {
        mutate_once();
    }
    printf("%lu files replayed, %lu inputs made from them (seed %lu)\n", replayed,
           run_n - replayed, (unsigned long)seed);
    return corpus_n == 0;
}
