/* SPDX-License-Identifier: MIT
 *
 * Measures picosuit at work, on the storage of the reference device or into a counting
 * sink. Command line (semihosting): `bench MODE ENVELOPE [PAYLOAD]`, the last two names
 * of files. MODE: s slots, t slots declared TRUSTED, c counting sink, m many small
 * components in RAM; then i: the procedure INVOKE afterwards, with the same context;
 * b: candidate, reset, select, confirm, reset, select; the reports.
 *
 * Envelope and payload are read in frames of 64 bytes. Only calls of picosuit_* count,
 * with the callbacks they make: a line `name cycles stack calls` for each step. Reading
 * files, painting the stack and preparing the flash happen outside the count.
 */
#include <string.h>

#include "device_port.h"
#include "nrf51.h"
#include "bench.h"
#include "prim_io.h"
#if PICOSUIT_ED25519_EXPANDED
#include "bench_key.h" /* bench_root: written by bench.py */
#endif

#define FRAME 64u
#define WORK 6144u
#define MANY 32u /* components of mode m, a block each */

enum {
    INIT,
    RECEIVE,
    BEGIN,
    RUN,
    INVOKE,
    CANDIDATE,
    BOOT_INIT,
    SELECT,
    CONFIRM,
    RESELECT,
    REPORT,
    CAPABILITIES,
    BOOT_REPORT,
    STEPS
};
static const char *const step_name[STEPS] = {
    "init",   "receive", "begin",    "run",    "invoke",       "candidate",   "boot_init",
    "select", "confirm", "reselect", "report", "capabilities", "boot_report",
};

/* What is called next. */
enum { FEED, FEED_END, START, PROCEED, PAYLOAD, PAYLOAD_END, DONE };

typedef struct {
    int file;
    uint32_t len, pos; /* of the frame */
    uint8_t data[FRAME];
} source;

static picosuit ctx;
static device dev;
static picosuit_platform platform;
static source envelope, payload;
static uint64_t cycles[STEPS];
static uint32_t stack[STEPS];
static uint32_t calls[STEPS];
static uint32_t overhead; /* cycles that a call of nothing seems to take */
static uint32_t written;  /* bytes that reached the sink */
static uint32_t stored[MANY];
static uint8_t store[MANY][FRAME];
static uint8_t work[WORK];
static int is_many;

/* -- counting -- */

static void note(unsigned step, uint64_t n, uint32_t depth) {
    if (step == INIT || step == BOOT_INIT) {
        cycles[step] = 0; /* the last one counts */
    }
    cycles[step] += n - overhead;
    calls[step]++;
    if (depth > stack[step]) {
        stack[step] = depth;
    }
}

#define TIMED(step, call)                                                                \
    do {                                                                                 \
        uint64_t from;                                                                   \
        (void)stack_since();                                                             \
        from = m0_cycles();                                                              \
        st = (call);                                                                     \
        from = m0_cycles() - from;                                                       \
        note(step, from, stack_since());                                                 \
    } while (0)

static int __attribute__((noinline)) nothing(void) {
    __asm__ volatile("");
    return 0;
}

static void calibrate(void) {
    volatile int st = 0;
    TIMED(INIT, nothing());
    overhead = (uint32_t)cycles[INIT];
    memset(cycles, 0, sizeof cycles);
    memset(stack, 0, sizeof stack);
    memset(calls, 0, sizeof calls);
    (void)st;
}

static void tell(const char *name, uint64_t a, uint64_t b, uint64_t c) {
    semi_write(name);
    semi_write(" ");
    write_number(a);
    semi_write(" ");
    write_number(b);
    semi_write(" ");
    write_number(c);
    semi_write("\n");
}

static void fail_with(const char *what, int st) {
    const picosuit_error *e = picosuit_last_error(&ctx);
    semi_write(what);
    tell(st < 0 ? ": failed -" : ": status ", (uint64_t)(st < 0 ? -st : st), e->offset,
         (uint64_t)(uint32_t)e->platform);
    semi_exit(1);
}

/* -- files -- */

static int open_file(const char *name) {
    struct {
        const char *name;
        uint32_t mode, len;
    } arg = {name, 1, strlen(name)}; /* mode 1: rb */
    int file = semi_call(1, &arg);
    if (file < 0) {
        semi_write(name);
        fail_with(" cannot be opened", file);
    }
    return file;
}

/* The next frame, if this one is used up: 0 at the end of the file. */
static int refill(source *s) {
    struct {
        int file;
        uint8_t *data;
        uint32_t len;
    } arg = {s->file, s->data, FRAME};
    if (s->pos == s->len) {
        s->pos = 0;
        s->len = FRAME - (uint32_t)semi_call(6, &arg);
    }
    return s->len != 0;
}

/* -- sinks: what is written is counted; mode m keeps a block of each component -- */

static int sink_component(void *d, unsigned signer, const uint8_t *id, size_t id_len,
                          uint8_t *handle, uint8_t *kind) {
    (void)d;
    (void)signer;
    *handle = id[2];
    *kind = id[2] == 't' ? PICOSUIT_TRANSIENT
            : is_many    ? PICOSUIT_STORED
                         : PICOSUIT_TRUSTED;
    return id_len == 3 && (id[2] < MANY || id[2] == 't');
}

static int sink_slot(void *d, unsigned component, int procedure, uint32_t *out) {
    (void)d;
    (void)component;
    (void)procedure;
    *out = 0;
    return 0;
}

static int sink_size(void *d, unsigned component, uint32_t *is, uint32_t *capacity) {
    (void)d;
    *is = component < MANY ? stored[component] : 0;
    *capacity = is_many ? FRAME : 0x7FFFFFFFu;
    return 0;
}

static int sink_read(void *d, unsigned component, uint32_t off, uint8_t *buf,
                     size_t cap) {
    (void)d;
    if (!is_many) {
        return -1;
    }
    memcpy(buf, store[component] + off, cap);
    return 0;
}

static int sink_begin(void *d, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    (void)d;
    (void)size;
    (void)id;
    stored[component] = 0;
    *have = 0;
    return 0;
}

static int sink_write(void *d, unsigned component, uint32_t off, const uint8_t *data,
                      size_t len) {
    (void)d;
    if (is_many) {
        memcpy(store[component] + off, data, len);
    }
    stored[component] += (uint32_t)len;
    written += (uint32_t)len;
    return 0;
}

static int sink_end(void *d, unsigned component, int good) {
    (void)d;
    (void)component;
    return good == 1 ? 0 : -1;
}

static int sink_sequence(void *d, uint64_t *floor, uint8_t *digest) {
    (void)d;
    (void)floor;
    (void)digest;
    return PICOSUIT_NO_FLOOR;
}

/* The running digest answers image-match: nothing is read back. */
static int trusted_component(void *d, unsigned signer, const uint8_t *id, size_t id_len,
                             uint8_t *handle, uint8_t *kind) {
    int st = device_platform.component(d, signer, id, id_len, handle, kind);
    if (st == 1 && *kind == PICOSUIT_STORED) {
        *kind = PICOSUIT_TRUSTED;
    }
    return st;
}

static void take_sink(void) {
    platform.component = sink_component;
    platform.slot = sink_slot;
    platform.size = sink_size;
    platform.read = sink_read;
    platform.begin = sink_begin;
    platform.write = sink_write;
    platform.end = sink_end;
    platform.sequence = sink_sequence;
}

#if PICOSUIT_ED25519_EXPANDED
/* As the port does, but the signer's key is provisioned in its expanded form. */
static int expanded_key(void *d, int purpose, unsigned n, const uint8_t *kid,
                        size_t kid_len, picosuit_key *out) {
    int st = device_platform.key(d, purpose, n, kid, kid_len, out);
    if (st == 1 && purpose == PICOSUIT_PURPOSE_VERIFY &&
        memcmp(out->key, bench_root.byte, out->key_len) == 0) {
        out->key = bench_root.byte;
        out->key_len = PICOSUIT_EXPANDED_LEN;
    }
    return st;
}
#endif

/* The port's log goes nowhere. */
void nrf51_uart_put(int byte) {
    (void)byte;
}

/* -- a transfer -- */

static int call_next(unsigned what, int is_slots) {
    source *s = what == FEED ? &envelope : &payload;
    unsigned step = what == FEED && ctx.procedure == 0 ? RECEIVE : RUN;
    const uint8_t *data = s->data + s->pos;
    size_t left = s->len - s->pos;
    size_t used = 0;
    int st = PICOSUIT_E_STATE;
    switch (what) {
    case FEED: TIMED(step, picosuit_feed(&ctx, data, left, &used)); break;
    case FEED_END: TIMED(RUN, picosuit_feed_end(&ctx)); break;
    case START:
        if (is_slots) {
            TIMED(BEGIN, picosuit_boot_begin(&dev.boot, &ctx));
        } else {
            TIMED(BEGIN, picosuit_begin(&ctx, PICOSUIT_UPDATE));
        }
        break;
    case PROCEED: TIMED(RUN, picosuit_run(&ctx)); break;
    case PAYLOAD: TIMED(RUN, picosuit_payload(&ctx, data, left, &used)); break;
    case PAYLOAD_END: TIMED(RUN, picosuit_payload_end(&ctx, 1)); break;
    default: break;
    }
    s->pos += used;
    return st;
}

static unsigned next_call(unsigned what, int st) {
    picosuit_fetch f;
    switch (st) {
    case PICOSUIT_AGAIN: return what;
    case PICOSUIT_READY: return START;
    case PICOSUIT_OK: return what == START ? PROCEED : DONE;
    case PICOSUIT_FETCH:
        if (picosuit_get_fetch(&ctx, &f) == PICOSUIT_OK &&
            f.where == PICOSUIT_WHERE_URI) {
            return PAYLOAD;
        }
        return FEED;
    case PICOSUIT_MORE: return what == PAYLOAD ? PAYLOAD : FEED;
    default: fail_with("transfer", st); return DONE;
    }
}

static void transfer(int is_slots) {
    unsigned what = FEED;
    int st;
    do {
        TIMED(INIT, picosuit_init(&ctx, &platform, &dev, work, sizeof work));
    } while (st == PICOSUIT_AGAIN);
    if (st != PICOSUIT_OK) {
        fail_with("init", st);
    }
    device_reset(&dev);
    while (what != DONE) {
        if (what == FEED && !refill(&envelope)) {
            what = FEED_END;
        } else if (what == PAYLOAD && !refill(&payload)) {
            what = PAYLOAD_END;
        }
        what = next_call(what, call_next(what, is_slots));
    }
}

static void invoke(void) {
    int st;
    TIMED(INVOKE, picosuit_begin(&ctx, PICOSUIT_INVOKE));
    if (st == PICOSUIT_OK) {
        do {
            TIMED(INVOKE, picosuit_run(&ctx));
        } while (st == PICOSUIT_AGAIN);
    }
    if (st != PICOSUIT_OK) {
        fail_with("invoke", st);
    }
}

/* -- the boot state -- */

static void start(unsigned step) {
    int st;
    TIMED(BOOT_INIT,
          picosuit_boot_init(&dev.boot, &device_flash, NULL, PICOSUIT_NO_SLOT));
    if (st != PICOSUIT_OK) {
        fail_with("boot_init", st);
    }
    dev.slots.boot = &dev.boot;
    if (step == STEPS) {
        return;
    }
    TIMED(INIT, picosuit_init(&ctx, &platform, &dev, work, sizeof work));
    do {
        TIMED(step, picosuit_boot_select(&dev.boot, &ctx));
    } while (st == PICOSUIT_AGAIN);
    if (st != PICOSUIT_OK || picosuit_boot_address(&dev.boot, &ctx) != MAP_SLOT_A) {
        fail_with("select", st);
    }
}

static void report(void) {
    static uint8_t buf[256];
    size_t len = 0;
    int st;
    TIMED(REPORT, picosuit_report(&ctx, buf, sizeof buf, &len));
    if (st == PICOSUIT_OK) {
        TIMED(CAPABILITIES, picosuit_capabilities(buf, sizeof buf, &len));
    }
    if (st == PICOSUIT_OK) {
        TIMED(BOOT_REPORT, picosuit_boot_report(&dev.boot, buf, sizeof buf, &len));
    }
    if (st != PICOSUIT_OK) {
        fail_with("report", st);
    }
}

static void boot(void) {
    int st;
    do {
        TIMED(CANDIDATE, picosuit_boot_candidate(&dev.boot, &ctx));
    } while (st == PICOSUIT_AGAIN);
    if (st != PICOSUIT_OK) {
        fail_with("candidate", st);
    }
    start(SELECT);
    TIMED(CONFIRM, picosuit_boot_confirm(&dev.boot));
    if (st != PICOSUIT_OK) {
        fail_with("confirm", st);
    }
    start(RESELECT);
    report();
}

/* All flash erased, but for the image in slot B: most of this program lies there. Not by
 * the driver: what that takes in an update is told. */
static void prepare(void) {
    uint32_t page = MAP_SLOT_A;
    nrf51_flash_protect(MAP_SLOT_B, MAP_IMAGE_MAX);
    NVMC_CONFIG = NVMC_ERASE;
    for (; page < MAP_FLASH_END; page += MAP_PAGE) {
        if (page - MAP_SLOT_B >= MAP_IMAGE_MAX) {
            NVMC_ERASEPAGE = page;
        }
    }
    NVMC_CONFIG = NVMC_READ_ONLY;
}

static char *next_word(char **at) {
    char *word = *at;
    while (**at != 0 && **at != ' ') {
        (*at)++;
    }
    if (**at != 0) {
        *(*at)++ = 0;
    }
    return word;
}

int main(void) {
    static char line[256];
    struct {
        char *line;
        uint32_t len;
    } arg = {line, sizeof line};
    char *at = line;
    const char *mode;
    if (semi_call(0x15, &arg) != 0) {
        fail_with("no command line", -1);
    }
    (void)next_word(&at);
    mode = next_word(&at);
    envelope.file = open_file(next_word(&at));
    if (*at != 0) {
        payload.file = open_file(next_word(&at));
    }
    prepare();
    platform = device_platform;
    if (mode[0] == 't') {
        platform.component = trusted_component;
    } else if (mode[0] != 's') {
        is_many = mode[0] == 'm';
        take_sink();
    }
#if PICOSUIT_ED25519_EXPANDED
    platform.key = expanded_key;
#endif
    calibrate();
    start(STEPS);
    transfer(mode[0] == 's' || mode[0] == 't');
    tell("counts", nrf51_flash_counts.programmed + written, nrf51_flash_counts.erased, 0);
    if (mode[1] == 'i') {
        invoke();
    } else if (mode[1] == 'b') {
        boot();
    }
    for (unsigned i = 0; i < STEPS; i++) {
        if (calls[i] != 0) {
            tell(step_name[i], cycles[i], stack[i], calls[i]);
        }
    }
    return 0;
}
