/* SPDX-License-Identifier: MIT
 *
 * SUIT_Report and SUIT_Capability_Report, read back by a small reader of their own: the
 * reference, the result and the reason for every vector, accepted or refused.
 */
#include "rows.h"

static sim s;

/* -- a reader of what the report may hold -- */

typedef struct {
    const uint8_t *p;
    size_t left;
    int is_bad;
} reader;

static unsigned rd_head(reader *r, uint32_t *value) {
    unsigned major = 8, low, n;
    *value = 0;
    if (r->left == 0) {
        r->is_bad = 1;
        return major;
    }
    major = r->p[0] >> 5;
    low = r->p[0] & 31u;
    n = low < 24 ? 0 : low < 27 ? 1u << (low - 24) : 99;
    if (r->left < 1 + (size_t)n) {
        r->is_bad = 1;
        return 8;
    }
    *value = n == 0 ? low : 0;
    for (unsigned i = 1; i <= n; i++) {
        *value = *value << 8 | r->p[i];
    }
    r->is_bad |=
        (n == 1 && *value < 24) || (n == 2 && *value < 256) || (n == 4 && *value < 65536);
    r->p += 1 + n;
    r->left -= 1 + (size_t)n;
    return major;
}

/* The next head must be this. */
static void rd_must(reader *r, unsigned major, uint32_t value) {
    uint32_t got;
    r->is_bad |= rd_head(r, &got) != major;
    r->is_bad |= got != value;
}

static int32_t rd_int(reader *r) {
    uint32_t v;
    unsigned major = rd_head(r, &v);
    r->is_bad |= major > 1;
    return major == 1 ? -1 - (int32_t)v : (int32_t)v;
}

static const uint8_t *rd_string(reader *r, unsigned major, uint32_t *len) {
    const uint8_t *at;
    r->is_bad |= rd_head(r, len) != major;
    if (*len > r->left) {
        r->is_bad = 1;
        *len = 0;
    }
    at = r->p;
    r->p += *len;
    r->left -= *len;
    return at;
}

typedef struct {
    int is_true; /* result: it worked */
    int32_t code;
    uint32_t section;
    uint32_t offset;
    uint32_t component;
    uint32_t reason;
    const uint8_t *uri;
    uint32_t uri_len;
    const uint8_t *digest;
    uint32_t digest_len;
} report;

static int rd_report(reader *r, report *out) {
    uint32_t v;
    memset(out, 0, sizeof *out);
    rd_must(r, 5, 3);
    rd_must(r, 0, 3); /* records */
    rd_must(r, 4, 0);
    rd_must(r, 0, 4); /* result */
    unsigned major = rd_head(r, &v);
    out->is_true = major == 7 && v == 21;
    if (!out->is_true) {
        r->is_bad |= major != 5 || v != 3;
        rd_must(r, 0, 5);
        out->code = rd_int(r);
        rd_must(r, 0, 6);
        rd_must(r, 4, 5);
        rd_must(r, 4, 0);
        r->is_bad |= rd_head(r, &out->section) != 0;
        r->is_bad |= rd_head(r, &out->offset) != 0;
        r->is_bad |= rd_head(r, &out->component) != 0;
        rd_must(r, 5, 0);
        rd_must(r, 0, 7);
        r->is_bad |= rd_head(r, &out->reason) != 0;
    }
    rd_must(r, 0, 99);
    rd_must(r, 4, 2);
    out->uri = rd_string(r, 3, &out->uri_len);
    rd_must(r, 4, 2);
    rd_must(r, 1, 15); /* SHA-256 */
    out->digest = rd_string(r, 2, &out->digest_len);
    return !r->is_bad && r->left == 0;
}

/* -- reasons -- */

static const struct {
    int16_t code;
    uint8_t reason;
} reasons[] = {
    {PICOSUIT_E_ROOM, 11},     {PICOSUIT_E_CBOR, 1},        {PICOSUIT_E_TYPE, 1},
    {PICOSUIT_E_ORDER, 1},     {PICOSUIT_E_BOUNDS, 1},      {PICOSUIT_E_TRUNCATED, 1},
    {PICOSUIT_E_TRAILING, 1},  {PICOSUIT_E_LIMIT, 1},       {PICOSUIT_E_VALUE, 1},
    {PICOSUIT_E_TAG, 1},       {PICOSUIT_E_MEMBER, 1},      {PICOSUIT_E_MISSING, 1},
    {PICOSUIT_E_VERSION, 1},   {PICOSUIT_E_SEVERED, 9},     {PICOSUIT_E_COSE, 2},
    {PICOSUIT_E_ALG, 3},       {PICOSUIT_E_AUTH, 4},        {PICOSUIT_E_DIGEST, 4},
    {PICOSUIT_E_RIGHTS, 7},    {PICOSUIT_E_ROLLBACK, 11},   {PICOSUIT_E_COMPAT, 11},
    {PICOSUIT_E_INVOKE, 11},   {PICOSUIT_E_COMPONENT, 6},   {PICOSUIT_E_INDEX, 6},
    {PICOSUIT_E_COMMAND, 5},   {PICOSUIT_E_SHARED, 5},      {PICOSUIT_E_PARAM, 8},
    {PICOSUIT_E_SEQUENCE, 1},  {PICOSUIT_E_SOFT, 8},        {PICOSUIT_E_CONDITION, 10},
    {PICOSUIT_E_TRY, 10},      {PICOSUIT_E_UNSET, 11},      {PICOSUIT_E_TRANSIENT, 11},
    {PICOSUIT_E_STEPS, 11},    {PICOSUIT_E_UNSUPPORTED, 5}, {PICOSUIT_E_FETCH, 11},
    {PICOSUIT_E_LENGTH, 11},   {PICOSUIT_E_DECRYPT, 11},    {PICOSUIT_E_CAPACITY, 11},
    {PICOSUIT_E_PLATFORM, 11},
};

static int reason_of(int code) {
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].code == code) {
            return reasons[i].reason;
        }
    }
    return -1;
}

static int get(report *out, uint8_t *buf, size_t cap, size_t *len) {
    int st = picosuit_report(s.p, buf, cap, len);
    reader r = {buf, *len, 0};
    return EXPECT_INT(st, PICOSUIT_OK) && EXPECT(rd_report(&r, out));
}

static void check_error(const report *rep, const sim_result *r) {
    const picosuit_error *e = &r->error;
    EXPECT_INT(rep->is_true, 0);
    EXPECT_INT(rep->code, e->code);
    EXPECT_INT(rep->reason, reason_of(e->code));
    EXPECT_INT(rep->component, e->component == 255 ? 0 : e->component);
    if (rep->section == 0) { /* found outside of sections: byte of the envelope */
        EXPECT_INT(rep->offset, e->offset);
        EXPECT(e->section == 0 || e->code > PICOSUIT_E_TAG);
    } else {
        EXPECT_INT(rep->section, e->section);
        EXPECT(rep->offset < e->offset);
    }
}

static void one(const sim_case *c) {
    static uint8_t buf[600];
    sim_result r;
    report rep;
    size_t len, more;
    TEST(test_name("test_report_%s", c->name));
    sim_run(&s, c, SIM_WHOLE, 0, &r);
    if (!get(&rep, buf, sizeof buf, &len)) {
        return;
    }
    EXPECT(len < 200 || (len < 440 && rep.uri_len > 50));
    if (r.status == PICOSUIT_OK) {
        EXPECT_INT(rep.is_true, 1);
        EXPECT_MEM(rep.digest, s.info.digest, 32);
    } else {
        check_error(&rep, &r);
    }
    EXPECT(rep.digest_len == 32 || rep.digest_len == 0);
    EXPECT(rep.digest_len == 32 || r.stage == SIM_AT_FEED);
    uint8_t *exact = guard_alloc(len);
    EXPECT_INT(picosuit_report(s.p, exact, len, &more), PICOSUIT_OK);
    EXPECT_MEM(exact, buf, len);
    for (size_t cap = 0; cap < len; cap += 7) {
        EXPECT_INT(picosuit_report(s.p, exact + len - cap, cap, &more), PICOSUIT_E_ROOM);
        EXPECT_INT(more, len);
    }
    guard_free(exact);
}

static const row uri_row = {"uri",
                            ONE,
                            NULL,
                            "4 \"coap://x/ref\" 7 <<[20 {" IS_A "} 3 15]>> 9 <<[14 0]>> "
                            "20 <<[20 {" IS_C " 21 \"c\"} 21 0]>>",
                            NULL,
                            U,
                            0,
                            0,
                            -1};

/* Before, in the middle, and at the end. */
static void life(void) {
    static sim_case c;
    static uint8_t buf[200];
    size_t len, used;
    report rep;
    TEST("test_report_at_any_time");
    row_case(&c, &uri_row, "");
    sim_setup(&s, &c);
    EXPECT_INT(picosuit_report(s.p, buf, sizeof buf, &len), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT(get(&rep, buf, sizeof buf, &len) && !rep.is_true);
    EXPECT(rep.digest_len == 0 && rep.uri_len == 0 && rep.code == 0 && rep.reason == 0);
    EXPECT_INT(picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used),
               PICOSUIT_READY);
    EXPECT(get(&rep, buf, sizeof buf, &len) && !rep.is_true);
    EXPECT(rep.uri_len == 12 && memcmp(rep.uri, "coap://x/ref", 12) == 0);
    EXPECT(rep.digest_len == 32 && rep.code == 0 && rep.reason == 0);
    (void)!picosuit_get_info(s.p, &s.info);
    EXPECT_MEM(rep.digest, s.info.digest, 32);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    s.armed = 1;
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
    EXPECT(get(&rep, buf, sizeof buf, &len) && !rep.is_true && rep.reason == 0);
    EXPECT_INT(rep.section, 20);
    EXPECT_INT(picosuit_payload_end(s.p, 0), PICOSUIT_E_FETCH);
    EXPECT(get(&rep, buf, sizeof buf, &len) && rep.code == PICOSUIT_E_FETCH);
    EXPECT_INT(rep.section, 20);
    sim_case_free(&c);
}

/* A report from inside invoke says that the outcome is not known yet. */
static uint32_t pending;

static void report_inside(sim *d, int callback) {
    static uint8_t buf[200];
    size_t len;
    report rep;
    if (callback == SIM_INVOKE &&
        picosuit_report(d->p, buf, sizeof buf, &len) == PICOSUIT_OK) {
        reader r = {buf, len, 0};
        pending = rd_report(&r, &rep) && !rep.is_true ? rep.reason : 99;
    }
}

static void invoke_pending(void) {
    static const row r = {"pending", ONE, NULL, "9 <<[23 0]>>", "i0", I, 0, 0, 0};
    static sim_case c;
    sim_result got;
    TEST("test_report_invoke_pending");
    row_case(&c, &r, "");
    s.hook = report_inside;
    sim_run(&s, &c, SIM_WHOLE, 0, &got);
    s.hook = NULL;
    EXPECT_INT(got.status, PICOSUIT_OK);
    EXPECT_INT(pending, 12);
    sim_case_free(&c);
}

/* -- capabilities -- */

static size_t rd_list(reader *r, int32_t *list, size_t cap) {
    uint32_t n;
    r->is_bad |= rd_head(r, &n) != 4 || n > cap;
    for (uint32_t i = 0; i < n && !r->is_bad; i++) {
        list[i] = rd_int(r);
    }
    return r->is_bad ? 0 : n;
}

static int has(const int32_t *list, size_t n, int32_t label) {
    for (size_t i = 0; i < n; i++) {
        if (list[i] == label) {
            return 1;
        }
    }
    return 0;
}

static void capabilities(void) {
    static const int32_t commands[] = {1,  2,  3,  6,  12, 14, 15, 18,
                                       19, 20, 21, 22, 23, 24, 32};
    static const int32_t parameters[] = {1, 2, 3, 12, 13, 14, 18, 21, 22, 23, 24, 25};
    uint8_t buf[200];
    int32_t list[40];
    size_t len, n;
    TEST("test_report_capabilities");
    EXPECT_INT(picosuit_capabilities(buf, sizeof buf, &len), PICOSUIT_OK);
    EXPECT(len < 200);
    reader r = {buf, len, 0};
    rd_must(&r, 5, 4);
    rd_must(&r, 0, 1);
    rd_must(&r, 4, 1);
    rd_must(&r, 4, 1);
    rd_must(&r, 7, 21);
    rd_must(&r, 0, 2);
    n = rd_list(&r, list, 40);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        EXPECT(has(list, n, commands[i]));
    }
    EXPECT_INT(has(list, n, 5), PICOSUIT_WITH_SLOTS);
    EXPECT_INT(has(list, n, 31), PICOSUIT_WITH_SWAP);
    EXPECT_INT(n, 15 + PICOSUIT_WITH_SLOTS + PICOSUIT_WITH_SWAP);
    rd_must(&r, 0, 3);
    n = rd_list(&r, list, 40);
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        EXPECT(has(list, n, parameters[i]));
    }
    EXPECT_INT(has(list, n, 19), PICOSUIT_WITH_ENCRYPTION);
    EXPECT_INT(has(list, n, 5), PICOSUIT_WITH_SLOTS);
    EXPECT_INT(n, 12 + PICOSUIT_WITH_ENCRYPTION + PICOSUIT_WITH_SLOTS);
    rd_must(&r, 0, 4);
    n = rd_list(&r, list, 40);
    EXPECT(has(list, n, -16) && has(list, n, -19));
    EXPECT_INT(has(list, n, 5), PICOSUIT_WITH_MAC);
    EXPECT_INT(has(list, n, 24) && has(list, n, -29) && has(list, n, -3),
               PICOSUIT_WITH_ENCRYPTION);
    EXPECT(!r.is_bad && r.left == 0);
    EXPECT_INT(picosuit_capabilities(buf, len - 1, &n), PICOSUIT_E_ROOM);
    EXPECT_INT(n, len);
}

void suite_report(void) {
    static const char *const indices[] = {"suit/index.txt", "refuse/index.txt"};
    static sim_case c;
    vec v;
    if (!PICOSUIT_WITH_REPORT) {
        return; /* test_config */
    }
    sim_new(&s);
    for (int i = 0; i < 2; i++) {
        for (vec_open(&v, indices[i]); sim_case_next(&v, &c, 0);) {
            one(&c);
        }
    }
    life();
    invoke_pending();
    capabilities();
    guard_free(s.work);
}
