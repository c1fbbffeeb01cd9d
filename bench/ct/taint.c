/* SPDX-License-Identifier: MIT
 *
 * Runs the machine code of an ARMv6-M image and follows its secrets.
 *
 * A byte, a register or a flag is public or secret; what is computed from a secret is
 * secret. As long as no branch and no address is, the trace of addresses is the same for
 * every value of the secrets. What is not constant time is found where it happens:
 *
 *   branch       a conditional branch on a secret flag; both ways are followed
 *   load, store  at a secret address
 *   jump         to a secret address
 *
 * The image calls ct_mark (mark.S) before and after what is looked at. At the first
 * marker the contents of all symbols named secret_* become secret, at the second a way
 * ends.
 *
 * Use:  taint IMAGE COVER CASE[:MUTANT]...   calls ct_run(CASE, 0) with ct_mutant =
 * MUTANT Prints  trace CASE HASH WAYS             one line for each way to the second
 * marker find CASE KIND PC < PC < .. NAME  where, and from which secret by which
 * functions stop CASE PC WHY                 the interpreter could not go on: a failure
 * and writes to COVER the addresses of the instructions that ran between the markers,
 * with `s` if a secret was an operand of one.
 *
 * The hash is FNV-1a over the addresses of instructions and data, as trace.c makes it.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLASH_LEN 0x40000u
#define RAM_BASE 0x20000000u
#define RAM_LEN 0x4000u
#define RETURN 0xfffffff0u /* address to which ct_run returns */
#define STEPS 50000000u    /* instructions of one case */
#define WAYS 40u           /* ways of one case */
#define HOPS 6             /* functions that are remembered of a secret's path */
#define MARKER 0x46dbu     /* mov r11, r11 */
#define PUBLISH 0x46e4u    /* mov r12, r12: r1 bytes at r0 are public from now on */
#define FLAG_N 0
#define FLAG_Z 1
#define FLAG_C 2
#define FLAG_V 3

/* -- the image -- */

static uint8_t flash[FLASH_LEN];
static uint16_t home[FLASH_LEN / 2]; /* function of each halfword, index of symbol[] */
static uint8_t seen[FLASH_LEN / 2];  /* 1 ran, 2 on a secret */
static uint8_t told[FLASH_LEN / 2];  /* a finding was printed for this case */

struct symbol {
    char name[64];
    uint32_t at, len;
};
static struct symbol symbol[4096];
static unsigned symbols;
static uint8_t ram_image[RAM_LEN];

/* -- secrets: where they come from, interned -- */

struct path {
    uint32_t hop[HOPS]; /* first instruction in each function on the way */
    uint16_t from;      /* symbol */
    uint16_t hops;
};
static struct path path[65535]; /* 0 is "known" */
static unsigned paths = 1;

/* -- the state of a way -- */

struct word {
    uint32_t v;
    uint32_t t; /* 0: public; else the path of the secret */
};
struct state {
    struct word r[16];
    struct word flag[4];
    uint64_t hash;
    uint8_t ram[RAM_LEN];
    uint16_t ram_t[RAM_LEN];
};
static struct state m;
static struct state *waiting[WAYS];
static unsigned waiting_n, ways, marks, steps;
static unsigned current; /* case */
static uint32_t pc;      /* of the instruction that runs */
static int is_over;      /* this way */
static int is_secret;    /* this instruction had a secret operand */

static void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("taint: ", stderr);
    vfprintf(stderr, format, list);
    fputs("\n", stderr);
    va_end(list);
    exit(2);
}

static void stop(const char *why) {
    printf("stop %u %08x %s\n", current, pc, why);
    is_over = 1;
}

static struct word known(uint32_t v) {
    struct word w = {v, 0};
    return w;
}

/* The path of what the running instruction computes from a secret on path t. */
static uint32_t carry_on(uint32_t t) {
    struct path p = path[t];
    uint16_t here = home[pc / 2];
    is_secret = 1;
    if (p.hops == HOPS || (p.hops > 0 && home[p.hop[p.hops - 1] / 2] == here)) {
        return t;
    }
    p.hop[p.hops++] = pc;
    for (unsigned i = paths; i-- > 1;) {
        if (memcmp(&path[i], &p, sizeof p) == 0) {
            return i;
        }
    }
    if (paths == 65535) {
        return t;
    }
    path[paths] = p;
    return paths++;
}

/* v, a secret if a or b is */
static struct word of(struct word a, struct word b, uint32_t v) {
    struct word w = {v, 0};
    if (a.t || b.t) {
        w.t = carry_on(a.t ? a.t : b.t);
    }
    return w;
}

static void find(const char *kind, uint32_t t) {
    const struct path *p = &path[t];
    if (told[pc / 2]) {
        return;
    }
    told[pc / 2] = 1;
    printf("find %u %s %08x", current, kind, pc);
    for (unsigned i = p->hops; i-- > 0;) {
        printf(" < %08x", p->hop[i]);
    }
    printf(" %s\n", symbol[p->from].name);
}

static void note(uint64_t x) {
    m.hash = (m.hash ^ x) * 0x100000001b3u;
}

/* -- memory -- */

static struct word load(struct word at, unsigned len) {
    struct word w = {0, 0};
    if (at.t) {
        find("load", at.t);
    }
    note(at.v | (uint64_t)1 << 32);
    if (at.v % len != 0) {
        stop("unaligned load");
    } else if (at.v < FLASH_LEN) {
        for (unsigned i = 0; i < len; i++) {
            w.v |= (uint32_t)flash[at.v + i] << 8 * i;
        }
    } else if (at.v - RAM_BASE < RAM_LEN) {
        for (unsigned i = len; i-- > 0;) {
            w.v |= (uint32_t)m.ram[at.v - RAM_BASE + i] << 8 * i;
            w.t = m.ram_t[at.v - RAM_BASE + i] ? m.ram_t[at.v - RAM_BASE + i] : w.t;
        }
    } else {
        stop("load outside of memory");
    }
    return of(w, at, w.v);
}

static void store(struct word at, unsigned len, struct word w) {
    if (at.t) {
        find("store", at.t);
    }
    note(at.v | (uint64_t)3 << 32);
    if (at.v % len != 0 || at.v - RAM_BASE >= RAM_LEN) {
        stop("store outside of RAM");
        return;
    }
    is_secret |= w.t != 0;
    for (unsigned i = 0; i < len; i++) {
        m.ram[at.v - RAM_BASE + i] = (uint8_t)(w.v >> 8 * i);
        m.ram_t[at.v - RAM_BASE + i] = (uint16_t)w.t;
    }
}

/* -- registers and flags -- */

static struct word get(unsigned n) {
    return n == 15 ? known(pc + 4) : m.r[n];
}

static void jump(struct word to) {
    if (to.t) {
        find("jump", to.t);
    }
    m.r[15] = known(to.v & ~1u);
}

static struct word set_nz(struct word w) {
    m.flag[FLAG_N] = w;
    m.flag[FLAG_N].v = w.v >> 31;
    m.flag[FLAG_Z] = w;
    m.flag[FLAG_Z].v = w.v == 0;
    return w;
}

/* a + b + c with all flags; of_inverse says that b was inverted: a - b. */
static struct word sum(struct word a, struct word b, struct word c) {
    uint64_t wide = (uint64_t)a.v + b.v + c.v;
    uint32_t v = (uint32_t)wide;
    struct word any = of(of(a, b, 0), c, v);
    m.flag[FLAG_C] = of(any, any, (uint32_t)(wide >> 32));
    m.flag[FLAG_V] = of(any, any, (~(a.v ^ b.v) & (a.v ^ v)) >> 31);
    return set_nz(any);
}

static struct word inverse(struct word a) {
    a.v = ~a.v;
    return a;
}

/* kind: 0 LSL, 1 LSR, 2 ASR, 3 ROR; n as in a register */
static struct word shift(unsigned kind, struct word a, struct word n) {
    unsigned by = n.v & 0xff;
    uint32_t sign = a.v >> 31 ? 0xffffffffu : 0, v = a.v, c = 0;
    if (by == 0 && n.t == 0) {
        return set_nz(a);
    }
    if (kind == 3) {
        by &= 31;
        v = by ? a.v >> by | a.v << (32 - by) : a.v;
        c = v >> 31;
    } else if (kind == 0) {
        v = by < 32 ? a.v << by : 0;
        c = by <= 32 ? (uint32_t)((uint64_t)a.v << by >> 32) & 1 : 0;
    } else {
        uint64_t wide = (uint64_t)(kind == 2 ? sign : 0) << 32 | a.v;
        by = by < 33 ? by : 33;
        v = (uint32_t)(wide >> (by < 32 ? by : 32));
        v = by < 32 ? v : (uint32_t)(wide >> 32);
        c = (uint32_t)(wide >> (by == 0 ? 0 : by - 1)) & 1;
    }
    m.flag[FLAG_C] = by == 0 ? of(n, m.flag[FLAG_C], m.flag[FLAG_C].v) : of(n, a, c);
    return set_nz(of(n, a, v));
}

/* -- instructions -- */

static void data_processing(unsigned w) {
    unsigned d = w & 7;
    struct word a = m.r[d], b = m.r[w >> 3 & 7], one = known(1);
    switch (w >> 6 & 15) {
    case 0: m.r[d] = set_nz(of(a, b, a.v & b.v)); break;
    case 1: m.r[d] = set_nz(of(a, b, a.v ^ b.v)); break;
    case 2: m.r[d] = shift(0, a, b); break;
    case 3: m.r[d] = shift(1, a, b); break;
    case 4: m.r[d] = shift(2, a, b); break;
    case 5: m.r[d] = sum(a, b, m.flag[FLAG_C]); break;
    case 6: m.r[d] = sum(a, inverse(b), m.flag[FLAG_C]); break;
    case 7: m.r[d] = shift(3, a, b); break;
    case 8: set_nz(of(a, b, a.v & b.v)); break;
    case 9: m.r[d] = sum(known(0), inverse(b), one); break;
    case 10: sum(a, inverse(b), one); break;
    case 11: sum(a, b, known(0)); break;
    case 12: m.r[d] = set_nz(of(a, b, a.v | b.v)); break;
    case 13: m.r[d] = set_nz(of(a, b, a.v * b.v)); break;
    case 14: m.r[d] = set_nz(of(a, b, a.v & ~b.v)); break;
    default: m.r[d] = set_nz(of(b, b, ~b.v)); break;
    }
}

static void high_register(unsigned w) {
    unsigned d = (w & 7) | (w >> 4 & 8);
    struct word b = get(w >> 3 & 15), a = get(d), v = of(b, b, b.v);
    switch (w >> 8 & 3) {
    case 0: v = of(a, b, a.v + b.v); break;
    case 1: sum(a, inverse(b), known(1)); return;
    case 2: break;
    default:
        if (w & 0x80) {
            m.r[14] = known((pc + 2) | 1);
        }
        jump(b);
        return;
    }
    if (d == 15) {
        jump(v);
    } else {
        m.r[d] = v;
    }
}

static void load_store(unsigned w) {
    unsigned t = w & 7, op = w >> 11, n = w >> 6 & 31;
    struct word base = m.r[w >> 3 & 7], off = m.r[w >> 6 & 7];
    if (op == 9) {
        m.r[w >> 8 & 7] = load(known(((pc + 4) & ~3u) + 4 * (w & 0xff)), 4);
    } else if (op < 12) { /* register offset */
        static const uint8_t len[8] = {4, 2, 1, 1, 4, 2, 1, 2};
        unsigned kind = w >> 9 & 7;
        struct word at = of(base, off, base.v + off.v);
        if (kind < 3) {
            store(at, len[kind], m.r[t]);
        } else {
            struct word v = load(at, len[kind]);
            v.v = kind == 3   ? (uint32_t)(int8_t)v.v
                  : kind == 7 ? (uint32_t)(int16_t)v.v
                              : v.v;
            m.r[t] = v;
        }
    } else {
        unsigned len = op < 14 ? 4 : op < 16 ? 1 : op < 18 ? 2 : 4;
        struct word at = of(base, base, base.v + n * len);
        if (op >= 18) {
            t = w >> 8 & 7;
            at = of(m.r[13], m.r[13], m.r[13].v + 4 * (w & 0xff));
        }
        if (op & 1) {
            m.r[t] = load(at, len);
        } else {
            store(at, len, m.r[t]);
        }
    }
}

/* Registers of a list, upwards from an address, which is returned behind the last. */
static struct word multiple(unsigned list, struct word at, int is_load) {
    for (unsigned i = 0; i < 16 && !is_over; i++) {
        if (list >> i & 1) {
            if (!is_load) {
                store(at, 4, m.r[i]);
            } else if (i == 15) {
                jump(load(at, 4));
            } else {
                m.r[i] = load(at, 4);
            }
            at.v += 4;
        }
    }
    return at;
}

static void reverse(unsigned w) {
    struct word b = m.r[w >> 3 & 7];
    uint32_t v = b.v, half = (v >> 8 & 0xff00ffu) | (v << 8 & 0xff00ff00u);
    switch (w >> 6 & 3) {
    case 0: v = half >> 16 | half << 16; break;
    case 1: v = half; break;
    default: v = (uint32_t)(int16_t)(v << 8 | (v >> 8 & 0xff)); break;
    }
    m.r[w & 7] = of(b, b, v);
}

static void extend(unsigned w) {
    struct word b = m.r[w >> 3 & 7];
    uint32_t v = b.v;
    switch (w >> 6 & 3) {
    case 0: v = (uint32_t)(int16_t)v; break;
    case 1: v = (uint32_t)(int8_t)v; break;
    case 2: v = (uint16_t)v; break;
    default: v = (uint8_t)v; break;
    }
    m.r[w & 7] = of(b, b, v);
}

static void misc(unsigned w) {
    unsigned list = w & 0xff;
    if ((w & 0xff00) == 0xb000) {
        m.r[13].v += w & 0x80 ? 0u - 4 * (w & 0x7f) : 4 * (w & 0x7f);
    } else if ((w & 0xff00) == 0xb200) {
        extend(w);
    } else if ((w & 0xff00) == 0xba00) {
        reverse(w);
    } else if ((w & 0xfe00) == 0xb400) {
        list |= w & 0x100 ? 1u << 14 : 0;
        m.r[13].v -= 4 * (unsigned)__builtin_popcount(list);
        (void)multiple(list, m.r[13], 0);
    } else if ((w & 0xfe00) == 0xbc00) {
        list |= w & 0x100 ? 1u << 15 : 0;
        m.r[13] = multiple(list, m.r[13], 1);
    } else if (w != 0xbf00) {
        stop("instruction without a meaning here");
    }
}

static void load_store_multiple(unsigned w) {
    unsigned n = w >> 8 & 7, list = w & 0xff;
    int is_load = w >> 11 & 1;
    struct word end = multiple(list, m.r[n], is_load);
    if (!is_load || !(list >> n & 1)) {
        m.r[n] = end;
    }
}

static struct state *copy_of_state(void) {
    struct state *s = (struct state *)malloc(sizeof *s);
    if (s == NULL) {
        die("out of memory");
    }
    *s = m;
    return s;
}

/* The flag word that decides a condition: v is 1 if it holds. */
static struct word condition(unsigned kind) {
    struct word n = m.flag[FLAG_N], z = m.flag[FLAG_Z], c = m.flag[FLAG_C];
    struct word v = m.flag[FLAG_V];
    switch (kind) {
    case 0: return z;
    case 1: return c;
    case 2: return n;
    case 3: return v;
    case 4: return of(c, z, c.v & !z.v);
    case 5: return of(n, v, n.v == v.v);
    default: return of(z, of(n, v, 0), !z.v & (n.v == v.v));
    }
}

static void branch_if(unsigned w) {
    unsigned kind = w >> 8 & 15;
    uint32_t to = pc + 4 + 2 * (uint32_t)(int8_t)w;
    struct word if_true = condition(kind >> 1);
    int is_taken = if_true.v != (kind & 1);
    if (kind > 13) {
        stop("SVC or undefined instruction");
        return;
    }
    if (if_true.t) {
        is_secret = 1;
        find("branch", if_true.t);
        if (ways + waiting_n < WAYS) {
            struct state *other = copy_of_state();
            other->r[15] = known(is_taken ? pc + 2 : to);
            waiting[waiting_n++] = other;
        }
    }
    if (is_taken) {
        m.r[15] = known(to);
    }
}

static void long_instruction(unsigned w, unsigned x) {
    uint32_t s = w >> 10 & 1, i1 = ~((x >> 13) ^ s) & 1, i2 = ~((x >> 11) ^ s) & 1;
    uint32_t off = (w & 0x3ff) << 12 | (x & 0x7ff) << 1 | i1 << 23 | i2 << 22;
    m.r[15] = known(pc + 4);
    if ((x & 0xd000) == 0xd000) {
        m.r[14] = known((pc + 4) | 1);
        m.r[15] = known(pc + 4 + (s ? off | 0xff000000u : off));
    } else if ((w & 0xfff0) != 0xf3b0) { /* barriers do nothing here */
        stop("system instruction");
    }
}

static void immediate(unsigned w) {
    unsigned d = w >> 8 & 7;
    struct word n = known(w & 0xff);
    switch (w >> 11 & 3) {
    case 0: m.r[d] = set_nz(n); break;
    case 1: sum(m.r[d], inverse(n), known(1)); break;
    case 2: m.r[d] = sum(m.r[d], n, known(0)); break;
    default: m.r[d] = sum(m.r[d], inverse(n), known(1)); break;
    }
}

static void shift_add(unsigned w) {
    unsigned kind = w >> 11, n = w >> 6 & 31;
    struct word a = m.r[w >> 3 & 7];
    struct word b = w & 0x400 ? known(w >> 6 & 7) : m.r[w >> 6 & 7];
    if (kind < 3) {
        m.r[w & 7] = shift(kind, a, known(n == 0 && kind > 0 ? 32 : n));
    } else {
        m.r[w & 7] = w & 0x200 ? sum(a, inverse(b), known(1)) : sum(a, b, known(0));
    }
}

static void execute(unsigned w) {
    unsigned op = w >> 11;
    if (op < 4) {
        shift_add(w);
    } else if (op < 8) {
        immediate(w);
    } else if (op == 8) {
        (w & 0x400 ? high_register : data_processing)(w);
    } else if (op < 20) {
        load_store(w);
    } else if (op < 22) {
        struct word base = op == 20 ? known((pc + 4) & ~3u) : m.r[13];
        m.r[w >> 8 & 7] = of(base, base, base.v + 4 * (w & 0xff));
    } else if (op < 24) {
        misc(w);
    } else if (op < 26) {
        load_store_multiple(w);
    } else if (op < 28) {
        branch_if(w);
    } else {
        m.r[15] = known(pc + 4 + 2 * ((w & 0x3ff) | (w & 0x400 ? 0xfffffc00u : 0)));
    }
}

/* -- ways -- */

static void hide_secrets(void) {
    for (unsigned i = 0; i < symbols; i++) {
        if (strncmp(symbol[i].name, "secret_", 7) == 0 && symbol[i].at >= RAM_BASE) {
            memset(&path[paths], 0, sizeof *path);
            path[paths].from = (uint16_t)i;
            for (uint32_t k = 0; k < symbol[i].len; k++) {
                m.ram_t[symbol[i].at - RAM_BASE + k] = (uint16_t)paths;
            }
            paths++;
        }
    }
}

/* ct_mark: the first begins, the second ends the way. */
static void on_marker(void) {
    if (marks++ == 0) {
        hide_secrets();
        m.hash = 0xcbf29ce484222325u;
    } else {
        printf("trace %u %016llx %u\n", current, (unsigned long long)m.hash, ways);
        is_over = 1;
    }
}

static void step(void) {
    pc = m.r[15].v;
    if (pc >= FLASH_LEN - 4) {
        stop(pc == (RETURN & ~1u) ? "no second marker" : "left the code");
        return;
    }
    unsigned w = flash[pc] | (unsigned)flash[pc + 1] << 8;
    m.r[15] = known(pc + 2);
    if (w == MARKER) {
        on_marker();
        return;
    }
    if (w == PUBLISH) {
        for (uint32_t i = 0; i < m.r[1].v; i++) {
            m.ram_t[m.r[0].v - RAM_BASE + i] = 0;
        }
    }
    is_secret = 0;
    note(pc);
    if (w >> 11 >= 0x1d) {
        long_instruction(w, flash[pc + 2] | (unsigned)flash[pc + 3] << 8);
    } else {
        execute(w);
    }
    seen[pc / 2] |= (uint8_t)(marks == 0 ? 0 : is_secret ? 3 : 1);
}

static void follow(void) {
    is_over = 0;
    ways++;
    while (!is_over) {
        step();
        if (++steps >= STEPS) {
            stop("does not end");
        }
    }
}

static const struct symbol *lookup(const char *name) {
    for (unsigned i = 0; i < symbols; i++) {
        if (strcmp(symbol[i].name, name) == 0) {
            return &symbol[i];
        }
    }
    die("no symbol %s", name);
    return NULL;
}

static void run_case(unsigned number, unsigned mutant) {
    memset(&m, 0, sizeof m);
    memcpy(m.ram, ram_image, RAM_LEN);
    m.ram[lookup("ct_mutant")->at - RAM_BASE] = (uint8_t)mutant;
    m.r[0] = known(number);
    m.r[13] = known(RAM_BASE + RAM_LEN);
    m.r[14] = known(RETURN | 1);
    m.r[15] = known(lookup("ct_run")->at & ~1u);
    current = number;
    printf("case %u\n", number);
    paths = 1;
    ways = marks = steps = 0;
    memset(told, 0, sizeof told);
    follow();
    while (waiting_n > 0) {
        m = *waiting[--waiting_n];
        free(waiting[waiting_n]);
        follow();
    }
    if (ways >= WAYS) {
        stop("more ways than are followed");
    }
}

/* -- ELF -- */

static uint8_t *file;
static size_t file_len;

static uint32_t u32(size_t at) {
    if (at + 4 > file_len) {
        die("the image is truncated");
    }
    return file[at] | (uint32_t)file[at + 1] << 8 | (uint32_t)file[at + 2] << 16 |
           (uint32_t)file[at + 3] << 24;
}

static uint32_t u16(size_t at) {
    return u32(at) & 0xffff;
}

static void read_file(const char *name) {
    FILE *f = fopen(name, "rb");
    long n;
    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) <= 0) {
        die("cannot read %s", name);
        return;
    }
    rewind(f);
    file_len = (size_t)n;
    file = (uint8_t *)malloc(file_len);
    if (file == NULL || fread(file, 1, file_len, f) != file_len) {
        die("cannot read %s", name);
    }
    fclose(f);
}

/* Segments where the code expects them: the start-up code does not run. */
static void load_segments(void) {
    for (unsigned i = 0; i < u16(44); i++) {
        size_t h = u32(28) + 32 * (size_t)i;
        uint32_t off = u32(h + 4), at = u32(h + 8), len = u32(h + 16);
        uint8_t *to = at < FLASH_LEN ? flash + at : ram_image + (at - RAM_BASE);
        uint32_t room = at < FLASH_LEN ? FLASH_LEN - at : RAM_BASE + RAM_LEN - at;
        if (u32(h) == 1 && len > 0) {
            if (len > room || off + len > file_len) {
                die("a segment does not fit");
            }
            memcpy(to, file + off, len);
        }
    }
}

static void add_symbol(size_t at, size_t names) {
    struct symbol *s = &symbol[symbols];
    unsigned kind = u32(at + 12) & 15;
    s->at = u32(at + 4);
    s->len = u32(at + 8);
    snprintf(s->name, sizeof s->name, "%s", (const char *)file + names + u32(at));
    if ((kind == 1 || kind == 2 || kind == 0) && s->name[0] != '$' && s->name[0] != 0) {
        for (uint32_t a = s->at & ~1u; kind == 2 && a < s->at + s->len && a < FLASH_LEN;
             a += 2) {
            home[a / 2] = (uint16_t)symbols;
        }
        if (++symbols == sizeof symbol / sizeof *symbol) {
            die("too many symbols");
        }
    }
}

static void load_symbols(void) {
    uint32_t sections = u32(32);
    for (unsigned i = 0; i < u16(48); i++) {
        size_t h = sections + 40 * (size_t)i;
        if (u32(h + 4) == 2) { /* SHT_SYMTAB, linked to its names */
            uint32_t names = u32(sections + 40 * (size_t)u32(h + 24) + 16);
            for (uint32_t k = 0; k < u32(h + 20); k += 16) {
                add_symbol(u32(h + 16) + k, names);
            }
        }
    }
}

int main(int argc, char **argv) {
    FILE *cover;
    if (argc < 4) {
        die("use: taint IMAGE COVER CASE[:MUTANT]...");
    }
    read_file(argv[1]);
    load_segments();
    load_symbols();
    for (int i = 3; i < argc; i++) {
        const char *mutant = strchr(argv[i], ':');
        run_case((unsigned)atoi(argv[i]), mutant ? (unsigned)atoi(mutant + 1) : 0);
    }
    cover = fopen(argv[2], "w");
    if (cover == NULL) {
        die("cannot write %s", argv[2]);
        return 2;
    }
    for (unsigned i = 0; i < FLASH_LEN / 2; i++) {
        if (seen[i]) {
            fprintf(cover, "%x%s\n", 2 * i, seen[i] & 2 ? " s" : "");
        }
    }
    return fclose(cover) == 0 ? 0 : 2;
}
