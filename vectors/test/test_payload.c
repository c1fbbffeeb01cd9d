/* SPDX-License-Identifier: MIT
 *
 * The way of a payload: a platform that is not ready, that fails, that lies; a source
 * that is lost, too short, too long, or comes back; storage that changes between two
 * passes.
 */
#include "rows.h"

static sim s;

/* -- every vector, with something in the way of every call -- */

static void again_once(const sim_case *c, const sim_result *whole, int how) {
    sim_result r;
    size_t step = sim_stride(whole->n.calls, 300);
    for (unsigned n = 1; n <= whole->n.calls; n += (unsigned)step) {
        sim_setup(&s, c);
        s.again_at = n;
        sim_process(&s, c->procedure[0], how, 0, &r);
        if (!sim_same(whole, &r) || s.bad != 0 || r.agains != 1) {
            test_expect(0,
                        test_name("AGAIN at call %u: %s, %u times; %s", n,
                                  sim_code_name(r.status), r.agains, s.why),
                        __FILE__, __LINE__);
            return;
        }
    }
    EXPECT(whole->n.calls > 0);
}

static void again_each(const sim_case *c, const sim_result *whole, int how) {
    sim_result r;
    sim_setup(&s, c);
    s.again_each = 1;
    sim_process(&s, c->procedure[0], how, 0, &r);
    EXPECT(sim_same(whole, &r));
    EXPECT_INT(s.bad, 0);
    EXPECT_INT(r.agains, whole->n.calls);
}

static void fail_each(const sim_case *c, const sim_result *whole) {
    sim_result r;
    size_t step = sim_stride(whole->n.calls, 300);
    for (unsigned n = 1; n <= whole->n.calls; n += (unsigned)step) {
        sim_setup(&s, c);
        s.fail_at = n;
        sim_process(&s, c->procedure[0], SIM_WHOLE, 0, &r);
        unsigned ends = r.n.by[SIM_END] + (s.failed == SIM_END);
        if (r.status != PICOSUIT_E_PLATFORM || r.error.platform != SIM_FAIL ||
            s.bad != 0 || ends != r.n.by[SIM_BEGIN] ||
            r.n.ends_bad > whole->n.ends_bad + 1) {
            test_expect(0,
                        test_name("failure at call %u: %s, platform %d, %s; %s", n,
                                  sim_code_name(r.status), (int)r.error.platform, s.log,
                                  s.why),
                        __FILE__, __LINE__);
            return;
        }
    }
}

/* The call after the one that failed is the closing one: it may have to wait, too. */
static void fail_then_again(const sim_case *c, const sim_result *whole) {
    sim_result r;
    size_t step = sim_stride(whole->n.calls, 40);
    for (unsigned n = 1; n <= whole->n.calls; n += (unsigned)step) {
        sim_setup(&s, c);
        s.fail_at = n;
        s.again_at = n + 1;
        sim_process(&s, c->procedure[0], SIM_WHOLE, 0, &r);
        EXPECT_INT(r.status, PICOSUIT_E_PLATFORM);
        EXPECT_INT(r.error.platform, SIM_FAIL);
        EXPECT_INT(s.bad, 0);
    }
}

static void every_call(const sim_case *c) {
    sim_result whole;
    sim_setup(&s, c);
    sim_process(&s, c->procedure[0], SIM_WHOLE, 0, &whole);
    if (whole.status != PICOSUIT_OK) {
        return; /* test_receive reports it */
    }
    TEST(test_name("test_payload_again_once_%s", c->name));
    again_once(c, &whole, SIM_WHOLE);
    TEST(test_name("test_payload_again_each_%s", c->name));
    again_each(c, &whole, SIM_WHOLE);
    again_each(c, &whole, SIM_BYTES);
    TEST(test_name("test_payload_fail_%s", c->name));
    fail_each(c, &whole);
    fail_then_again(c, &whole);
    sim_setup(&s, c);
    sim_process(&s, c->procedure[0], SIM_OPEN, 0, &whole);
    TEST(test_name("test_payload_again_open_%s", c->name));
    again_each(c, &whole, SIM_OPEN);
}

/* Payloads from a URI, cut at every place. */
static void splits(const sim_case *c) {
    sim_result whole, r;
    size_t len = c->payload[0].len;
    if (c->uri[0][0] == 0) {
        return;
    }
    TEST(test_name("test_payload_split_%s", c->name));
    sim_run(&s, c, SIM_WHOLE, 0, &whole);
    for (size_t at = 1; at < len; at += sim_stride(len, 1500)) {
        sim_run(&s, c, SIM_SPLIT, at, &r);
        if (!sim_same(&whole, &r) || s.bad != 0) {
            test_expect(0,
                        test_name("cut at %u: %s", (unsigned)at, sim_code_name(r.status)),
                        __FILE__, __LINE__);
            return;
        }
    }
    EXPECT(len > 0);
}

/* Two records that must come to the same: a device with staging and one without. */
static void equivalent(const sim_case *c) {
    static sim_case other;
    sim_result a, b;
    if (c->equivalent[0] == 0) {
        return;
    }
    TEST(test_name("test_payload_equivalent_%s", c->name));
    if (!EXPECT(sim_case_find(&other, "suit/index.txt", c->equivalent) ||
                sim_case_find(&other, "refuse/index.txt", c->equivalent))) {
        return;
    }
    sim_run(&s, c, SIM_WHOLE, 0, &a);
    sim_run(&s, &other, SIM_WHOLE, 0, &b);
    EXPECT_INT(a.status, b.status);
    for (int i = 0; i < SIM_SLOTS; i++) {
        if (i != SIM_STAGE) {
            EXPECT_INT(a.held[i], b.held[i]);
            EXPECT_MEM(a.digest[i], b.digest[i], 32);
        }
    }
    sim_case_free(&other);
}

static void vectors(void) {
    static sim_case c;
    vec v;
    for (vec_open(&v, "suit/index.txt"); sim_case_next(&v, &c, 0);) {
        every_call(&c);
        splits(&c);
        equivalent(&c);
    }
    for (vec_open(&v, "refuse/index.txt"); sim_case_next(&v, &c, 0);) {
        equivalent(&c);
    }
}

/* -- one fetch by hand -- */

static const row uri_row = {
    "uri", ONE, NULL, "20 <<[20 {" IS_C " 21 \"c\"} @21 0 3 15]>>", NULL, U, 0, 0, -1};
static sim_case hand;

/* READY, begun, and the URI is wanted. */
static int hand_start(const row *r, const char *members) {
    size_t used;
    row_case(&hand, r, members);
    sim_setup(&s, &hand);
    int st = picosuit_init(s.p, &s.platform, &s, s.work, s.work_len);
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(s.p, hand.envelope.data, hand.envelope.len, &used);
    }
    if (st == PICOSUIT_READY) {
        (void)!picosuit_get_info(s.p, &s.info);
        st = picosuit_begin(s.p, PICOSUIT_UPDATE);
    }
    s.armed = 1;
    return st == PICOSUIT_OK ? picosuit_run(s.p) : st;
}

static void source_lost(void) {
    size_t used;
    TEST("test_payload_source_lost");
    for (size_t n = 0; n <= 300; n++) {
        EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_FETCH);
        EXPECT_INT(picosuit_payload(s.p, hand.payload[2].data, n, &used), PICOSUIT_MORE);
        EXPECT_INT(picosuit_payload_end(s.p, 0), PICOSUIT_E_FETCH);
        const picosuit_error *e = picosuit_last_error(s.p);
        EXPECT(e->offset == hand.offset && e->label == 21 && e->section == 20);
        EXPECT(e->component == 0 && e->platform == (int32_t)n);
        EXPECT(strcmp(s.log, "b0x0") == 0);
        EXPECT_INT(sim_stored(&s, 0), 0);
        EXPECT_INT(s.bad, 0);
    }
}

static void too_short(void) {
    size_t used;
    TEST("test_payload_too_short");
    for (size_t n = 0; n < 300; n++) {
        EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_FETCH);
        EXPECT_INT(picosuit_payload(s.p, hand.payload[2].data, n, &used), PICOSUIT_MORE);
        EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_E_LENGTH);
        EXPECT_INT(picosuit_last_error(s.p)->offset, hand.offset);
        EXPECT_INT(picosuit_last_error(s.p)->platform, n);
        EXPECT(strcmp(s.log, "b0x0") == 0);
    }
}

static void too_long(void) {
    static const uint8_t more[2] = {0};
    size_t used;
    TEST("test_payload_too_long");
    EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_payload(s.p, hand.payload[2].data, 300, &used), PICOSUIT_MORE);
    EXPECT_INT(used, 300);
    EXPECT_INT(picosuit_payload(s.p, more, 1, &used), PICOSUIT_E_LENGTH);
    EXPECT_INT(picosuit_last_error(s.p)->offset, hand.offset);
    EXPECT_INT(picosuit_last_error(s.p)->platform, 300);
    EXPECT(strcmp(s.log, "b0x0") == 0);
    EXPECT_INT(s.bad, 0);
}

static const row endless_row = {
    "endless", "[['keys']]", NULL, "20 <<[20 {21 \"c\"} @21 0]>>", NULL, U, 0, 0, -1};

static void size_not_set(void) {
    static uint8_t block[64];
    size_t used;
    picosuit_fetch w;
    int st = PICOSUIT_MORE;
    TEST("test_payload_beyond_capacity_without_size");
    EXPECT_INT(hand_start(&endless_row, ""), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT_INT(w.size, PICOSUIT_UNKNOWN);
    for (int i = 0; i < 18 && st == PICOSUIT_MORE; i++) {
        st = picosuit_payload(s.p, block, 64, &used);
    }
    EXPECT_INT(st, PICOSUIT_E_CAPACITY);
    EXPECT_INT(s.n.by[SIM_WRITE], 16);
    EXPECT_INT(picosuit_last_error(s.p)->offset, hand.offset);
    EXPECT(strcmp(s.log, "b6x6") == 0);
    EXPECT_INT(s.bad, 0);
}

static void reconnect(void) {
    size_t used, at = 0;
    picosuit_fetch w;
    TEST("test_payload_reconnect");
    EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT(w.offset == 0 && w.size == 300 && w.uri_len == 1 && w.uri[0] == 'c');
    EXPECT(w.args == NULL && w.args_len == 0 && w.where == PICOSUIT_WHERE_URI);
    EXPECT(w.component == 0 && w.passed == 0 && w.reserved == 0);
    for (size_t n = 1; at < 300; n = n % 23 + 1) {
        n = n < 300 - at ? n : 300 - at;
        EXPECT_INT(picosuit_payload(s.p, hand.payload[2].data + at, n, &used),
                   PICOSUIT_MORE);
        at += n;
        EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
        EXPECT_INT(w.offset, at);
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
    }
    EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_OK);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_E_STATE);
    EXPECT_INT(s.n.by[SIM_WRITE], 5);
    EXPECT_INT(s.bad, 0);
}

/* AGAIN from write while bytes are pushed: what was not taken is given again. */
static void again_in_the_middle(void) {
    size_t used, at = 0;
    int st = PICOSUIT_E_STATE;
    unsigned agains = 0;
    TEST("test_payload_again_takes_no_byte_twice");
    EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_FETCH);
    s.again_each = 1;
    for (int i = 0; i < 40 && at < 300; i++) {
        st = picosuit_payload(s.p, hand.payload[2].data + at, 300 - at, &used);
        at += used;
        agains += st == PICOSUIT_AGAIN;
        EXPECT(st == PICOSUIT_AGAIN || used > 0);
    }
    EXPECT_INT(at, 300);
    EXPECT(agains >= 4);
    for (int i = 0; i < 40 && (st == PICOSUIT_MORE || st == PICOSUIT_AGAIN); i++) {
        st = picosuit_payload_end(s.p, 1);
    }
    EXPECT_INT(st, PICOSUIT_OK);
    EXPECT_INT(s.n.by[SIM_WRITE], 5);
    EXPECT_INT(s.bad, 0);
}

static const row args_row = {
    "args", ONE, NULL, "20 <<[20 {21 \"c\" 25 h'010203'} 21 0 20 {25 h'' 21 \"b\"}]>>",
    NULL,   U,   0,    0,
    -1};

static void arguments(void) {
    picosuit_fetch w;
    row r = args_row;
    TEST("test_payload_fetch_arguments");
    r.rest = "20 <<[20 {21 \"c\" 25 h'010203'} 21 0]>>";
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT(w.args_len == 3 && memcmp(w.args, "\1\2\3", 3) == 0);
    r.rest = "20 <<[20 {21 \"c\" 25 h''} 21 0]>>";
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT(w.args_len == 0 && w.args != NULL);
}

/* -- a platform that lies -- */

static uint32_t lie;

static int begin_lies(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    int st = sim_platform.begin(dev, component, size, id, have);
    *have = lie;
    return st;
}

static void begin_with_nonsense(void) {
    static const uint32_t lies[] = {1, 63, 65, 320, 0xffffffc0u, 0xffffffffu};
    TEST("test_payload_begin_answers_nonsense");
    s.platform.begin = begin_lies;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        lie = lies[i];
        EXPECT_INT(hand_start(&uri_row, ""), PICOSUIT_E_PLATFORM);
        EXPECT_INT(picosuit_last_error(s.p)->platform, (int32_t)lie);
        EXPECT_INT(picosuit_last_error(s.p)->offset, hand.offset);
        EXPECT(strcmp(s.log, "b0x0") == 0);
    }
    s.platform.begin = sim_platform.begin;
}

static int answers_nine(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                        size_t cap) {
    (void)dev;
    (void)component;
    (void)off;
    memset(buf, 0, cap);
    return 9;
}

static const row match_row = {"lie", ONE, NULL, "7 <<[20 {" IS_A "} @3 15]>>", NULL, U,
                              0,     0,   -1};

static void undocumented_answer(void) {
    TEST("test_payload_undocumented_answer");
    s.platform.read = answers_nine;
    EXPECT_INT(hand_start(&match_row, ""), PICOSUIT_E_PLATFORM);
    EXPECT_INT(picosuit_last_error(s.p)->platform, 9);
    EXPECT_INT(picosuit_last_error(s.p)->label, 3);
    EXPECT_INT(picosuit_last_error(s.p)->offset, hand.offset);
    s.platform.read = sim_platform.read;
}

/* Plain memory: the stored length is not recorded. */
static void fixed_storage(void) {
    row r = match_row;
    TEST("test_payload_fixed_storage");
    s.flash[0].fixed = 1;
    EXPECT_INT(hand_start(&match_row, ""), PICOSUIT_OK);
    r.rest = "7 <<[20 {3 " SUM_A " 14 99} @3 15]>>";
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_E_CONDITION);
    r.rest = "7 <<[20 {3 " SUM_A " 14 8193} @3 15]>>";
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_E_CONDITION);
    EXPECT_INT(s.bad, 0);
    r.rest = "20 <<[12 1 20 {" IS_A " 22 0} 22 0 3 15]>>";
    r.components = TWO;
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_OK);
    EXPECT_INT(sim_stored(&s, 1), 100);
    r.rest = "20 <<[12 1 20 {22 0} 22 0]>>"; /* all of it: 8192 bytes */
    EXPECT_INT(hand_start(&r, ""), PICOSUIT_E_LENGTH);
    EXPECT_INT(s.bad, 0);
    s.flash[0].fixed = 0;
}

/* -- callbacks that are not there -- */

static void without(const char *name, const char *rest, size_t member, int code,
                    int procedure) {
    row r = {name, TWO, NULL, rest, NULL, procedure, code, 0, -1};
    static const char none[sizeof(void (*)(void))];
    sim_result got;
    TEST(test_name("test_payload_without_%s", name));
    memcpy((char *)&s.platform + member, none, sizeof none);
    row_case(&hand, &r, "");
    sim_run(&s, &hand, SIM_WHOLE, 0, &got);
    sim_expect(&s, &hand, &got, 0);
    EXPECT(s.log[0] == 0);
    s.platform = sim_platform;
}

#define WITHOUT(member, rest, code, procedure)                                           \
    without(#member, rest, offsetof(picosuit_platform, member), code, procedure)

static void missing_callbacks(void) {
    const char *fetch = "20 <<[12 0 20 {" IS_C " 21 \"c\"} @21 0]>>";
    WITHOUT(begin, fetch, PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(write, fetch, PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(end, fetch, PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(read, "7 <<[12 0 20 {" IS_A "} @3 15]>>", PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(size, "7 <<[12 0 20 {" IS_A "} @3 15]>>", PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(invoke, "9 <<[12 0 @23 0]>>", PICOSUIT_E_UNSUPPORTED, I);
    WITHOUT(identity, "7 <<[12 0 20 {" VENDOR "} @1 15]>>", PICOSUIT_E_CONDITION, U);
    WITHOUT(component, "7 <<[12 0 14 15]>>", PICOSUIT_E_COMPONENT, U);
    WITHOUT(sequence, "7 <<[12 0 14 15]>>", PICOSUIT_E_UNSUPPORTED, U);
    WITHOUT(key, "7 <<[12 0 14 15]>>", PICOSUIT_E_AUTH, U);
    WITHOUT(record, "7 <<[12 0 @14 15]>>", PICOSUIT_E_CONDITION, U);
#if PICOSUIT_WITH_SLOTS
    WITHOUT(slot, "7 <<[12 0 20 {5 1} @5 15]>>", PICOSUIT_E_UNSUPPORTED, U);
#endif
#if PICOSUIT_WITH_SWAP
    WITHOUT(swap, "20 <<[12 0 20 {22 1} @31 0]>>", PICOSUIT_E_UNSUPPORTED, U);
#endif
}

/* -- storage that changes -- */

/* Each read in turn gives one wrong bit: what is wrong is never kept. Ciphertext that
 * changes before the first pass leaves the destination untouched; between the passes, it
 * is closed as bad. */
static void flip(const sim_case *c) {
    sim_result whole, r;
    unsigned refused = 0, untouched = 0, spoiled = 0;
    sim_run(&s, c, SIM_WHOLE, 0, &whole);
    for (unsigned n = 1; n <= whole.n.by[SIM_READ]; n++) {
        sim_setup(&s, c);
        s.flip_at = n;
        sim_process(&s, c->procedure[0], SIM_WHOLE, 0, &r);
        int is_touched = (int)(s.touched & 1u);
        EXPECT(r.status == PICOSUIT_OK || r.status == PICOSUIT_E_DECRYPT ||
               r.status == PICOSUIT_E_CONDITION || r.status == PICOSUIT_E_TRY);
        EXPECT_INT(s.bad, 0);
        EXPECT_INT(r.n.by[SIM_BEGIN], r.n.by[SIM_END]);
        EXPECT(r.status != PICOSUIT_OK ||
               memcmp(r.digest, whole.digest, 3 * sizeof r.digest[0]) == 0);
        EXPECT(r.status != PICOSUIT_E_DECRYPT || !is_touched || sim_stored(&s, 0) == 0);
        refused += r.status != PICOSUIT_OK;
        untouched += r.status == PICOSUIT_E_DECRYPT && !is_touched;
        spoiled += r.status == PICOSUIT_E_DECRYPT && is_touched;
    }
    EXPECT(whole.n.by[SIM_READ] == 0 || refused > 0 || whole.n.by[SIM_WRITE] > 0);
    if (strcmp(c->name, "enc_copy_stored") == 0) {
        EXPECT(untouched > 0 && untouched == spoiled);
    }
}

static void flips(void) {
    static sim_case c;
    vec v;
    for (vec_open(&v, "suit/index.txt"); sim_case_next(&v, &c, 0);) {
        if ((strstr(c.name, "copy") != NULL || strstr(c.name, "stage") != NULL) &&
            strstr(c.name, "unset") == NULL) {
            TEST(test_name("test_payload_flip_%s", c.name));
            flip(&c);
        }
    }
}

/* -- trusted storage -- */

static const row trusted_row = {
    "trusted", "[['trusted']]",
    NULL,      "7 <<[3 15]>> 20 <<[20 {" IS_C " 21 \"c\"} 21 0 3 15]>>",
    "b5e5",    U,
    0,         0,
    5};

static void trusted(void) {
    static sim_case c;
    sim_result r;
    row_case(&c, &trusted_row, "");
    TEST("test_payload_trusted_is_not_read_back");
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    sim_expect(&s, &c, &r, 0);
    EXPECT_INT(r.n.by[SIM_READ], 0);
    TEST("test_payload_stored_is_read_back");
    s.flash[SIM_TRUSTED].kind = PICOSUIT_STORED;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    sim_expect(&s, &c, &r, 0);
    EXPECT_INT(r.n.by[SIM_READ], 10);
    s.flash[SIM_TRUSTED].kind = PICOSUIT_TRUSTED;
    sim_case_free(&c);
}

void suite_payload(void) {
    sim_new(&s);
    vectors();
    source_lost();
    too_short();
    too_long();
    size_not_set();
    reconnect();
    again_in_the_middle();
    arguments();
    begin_with_nonsense();
    undocumented_answer();
    fixed_storage();
    missing_callbacks();
    flips();
    trusted();
    sim_case_free(&hand);
    guard_free(s.work);
}
