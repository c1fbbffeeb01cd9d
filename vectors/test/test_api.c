/* SPDX-License-Identifier: MIT
 *
 * The contract of the public functions: states, arguments, ends, room, moving, starting
 * over.
 */
#include "rows.h"

static sim s;
static sim_case c;

static const row plain = {
    "plain",
    TWO,
    NULL,
    "7 <<[12 0 20 {" IS_A "} 3 15]>> 9 <<[12 1 20 {" IS_B "} 3 15 23 0]>> "
    "20 <<[12 0 20 {" IS_A " 21 \"a\"} 21 0 12 1 20 {21 \"c\"} 21 0]>>",
    NULL,
    U,
    0,
    0,
    -1};
#if PICOSUIT_WITH_INTEGRATED
#define PAYLOADS "\"#a\" h'0011' \"#b\" h'223344'"
static const row integrated = {
    "integrated",
    TWO,
    NULL,
    "20 <<[12 1 20 {21 \"#b\"} 21 0 12 0 20 {21 \"#a\"} 21 0]>>",
    NULL,
    U,
    0,
    0,
    -1};
#endif

static int up_to_ready(void) {
    size_t used = 0;
    int st = picosuit_init(s.p, &s.platform, &s, s.work, s.work_len);
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used);
    }
    if (st == PICOSUIT_READY) {
        EXPECT_INT(picosuit_get_info(s.p, &s.info), PICOSUIT_OK);
    }
    return st;
}

static int up_to_fetch(void) {
    int st = up_to_ready();
    if (st == PICOSUIT_READY) {
        st = picosuit_begin(s.p, PICOSUIT_UPDATE);
    }
    s.armed = 1;
    return st == PICOSUIT_OK ? picosuit_run(s.p) : st;
}

/* -- states -- */

enum {
    F_BEGIN = 1,
    F_RUN = 2,
    F_FEED = 4,
    F_PAYLOAD = 8,
    F_FETCH = 16,
    F_INFO = 32,
    F_OPEN = 64
};

/* All functions that are not allowed now say so, and change nothing. */
static void expect_state(int allowed) {
    uint8_t buf[8];
    size_t n = 9;
    picosuit_fetch w;
    picosuit_info info;
    picosuit before = *s.p;
    sim_counts calls = s.n;
    if ((allowed & F_BEGIN) == 0) {
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_INVOKE), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UNINSTALL), PICOSUIT_E_STATE);
    }
    if ((allowed & F_RUN) == 0) {
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_STATE);
    }
    if ((allowed & F_FEED) == 0) {
        EXPECT_INT(picosuit_feed(s.p, buf, 1, &n), PICOSUIT_E_STATE);
        EXPECT_INT(n, 0);
        EXPECT_INT(picosuit_feed_end(s.p), PICOSUIT_E_STATE);
    }
    if ((allowed & F_OPEN) == 0) {
        EXPECT_INT(picosuit_open(s.p, buf, 1), PICOSUIT_E_STATE);
    }
    if ((allowed & F_PAYLOAD) == 0) {
        EXPECT_INT(picosuit_payload(s.p, buf, 1, &n), PICOSUIT_E_STATE);
        EXPECT_INT(n, 0);
        EXPECT_INT(picosuit_payload(s.p, NULL, 0, &n), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_payload_end(s.p, 0), PICOSUIT_E_STATE);
    }
    if ((allowed & F_FETCH) == 0) {
        EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_rewind(s.p), PICOSUIT_E_STATE);
    }
    if ((allowed & F_INFO) == 0) {
        EXPECT_INT(picosuit_get_info(s.p, &info), PICOSUIT_E_STATE);
        EXPECT_INT(picosuit_get_envelope(s.p, 0, buf, sizeof buf, &n), PICOSUIT_E_STATE);
    }
    EXPECT_MEM(s.p, &before, sizeof before);
    EXPECT(memcmp(&calls, &s.n, sizeof calls) == 0);
    EXPECT_INT(picosuit_last_error(s.p)->code, 0);
}

static void states(void) {
    size_t used;
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    TEST("test_api_state_zeroed");
    expect_state(0);
    TEST("test_api_state_empty");
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    expect_state(F_FEED | F_OPEN);
    TEST("test_api_state_receiving");
    EXPECT_INT(picosuit_feed(s.p, c.envelope.data, 20, &used), PICOSUIT_MORE);
    expect_state(F_FEED);
    TEST("test_api_state_ready");
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    expect_state(F_BEGIN | F_FEED | F_INFO);
    EXPECT_INT(picosuit_begin(s.p, 3), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_begin(s.p, 0), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_begin(s.p, -1), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_feed(s.p, NULL, 0, &used), PICOSUIT_READY);
    EXPECT_INT(picosuit_feed_end(s.p), PICOSUIT_READY);
    TEST("test_api_state_fetching");
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    expect_state(F_RUN | F_FEED | F_PAYLOAD | F_FETCH | F_INFO);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
    TEST("test_api_state_done");
    EXPECT_INT(picosuit_payload(s.p, c.payload[2].data, 300, &used), PICOSUIT_MORE);
    EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_OK);
    expect_state(F_BEGIN | F_RUN | F_FEED | F_INFO);
    EXPECT_INT(picosuit_feed_end(s.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_OK);
    TEST("test_api_state_opened");
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT_INT(picosuit_open(s.p, c.envelope.data, c.envelope.len), PICOSUIT_READY);
    expect_state(F_BEGIN | F_INFO);
    EXPECT_INT(s.bad, 0);
}

static void uninstall(void) {
    TEST("test_api_uninstall_is_not_supported");
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UNINSTALL), PICOSUIT_E_MEMBER);
    EXPECT_INT(picosuit_last_error(s.p)->label, 24);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_MEMBER);
}

static void arguments(void) {
    size_t used = 9;
    uint8_t b[1] = {0};
    TEST("test_api_arguments");
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    EXPECT_INT(picosuit_init(NULL, &s.platform, &s, s.work, 1), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_init(s.p, NULL, &s, s.work, 1), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, NULL, 1), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_init(s.p, &s.platform, NULL, NULL, 0), PICOSUIT_OK);
    EXPECT_INT(picosuit_feed(s.p, NULL, 1, &used), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_feed(s.p, b, 1, NULL), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_payload(s.p, NULL, 1, &used), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_payload(s.p, b, 1, NULL), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_open(s.p, NULL, 0), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_open(s.p, NULL, 1), PICOSUIT_E_ARG);
    EXPECT_INT(picosuit_last_error(s.p)->code, 0);
    EXPECT_INT(picosuit_feed(s.p, NULL, 0, &used), PICOSUIT_MORE);
    EXPECT_INT(used, 0);
    EXPECT_INT(picosuit_feed(NULL, b, 1, &used), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_run(NULL), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_begin(NULL, PICOSUIT_UPDATE), PICOSUIT_E_STATE);
}

/* -- calls from inside a callback -- */

static unsigned inside_n;

static void inside(sim *d, int callback) {
    uint8_t b[1] = {0};
    size_t n = 9;
    (void)callback;
    inside_n++;
    EXPECT_INT(picosuit_feed(d->p, b, 1, &n), PICOSUIT_E_STATE);
    EXPECT_INT(n, 0);
    EXPECT_INT(picosuit_feed_end(d->p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_open(d->p, b, 1), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_begin(d->p, PICOSUIT_UPDATE), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_run(d->p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_payload(d->p, b, 1, &n), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_payload_end(d->p, 0), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_rewind(d->p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_init(d->p, &d->platform, d, d->work, d->work_len),
               PICOSUIT_E_STATE);
}

static void from_inside(void) {
    sim_result a, b;
    TEST("test_api_call_from_inside_a_callback");
    row_case(&c, &plain, "");
    sim_run(&s, &c, SIM_WHOLE, 0, &a);
    s.hook = inside;
    inside_n = 0;
    sim_run(&s, &c, SIM_WHOLE, 0, &b);
    s.hook = NULL;
    EXPECT_INT(a.status, PICOSUIT_OK);
    EXPECT(sim_same(&a, &b));
    EXPECT_INT(inside_n, a.n.calls);
    EXPECT_INT(s.bad, 0);
}

/* -- starting over -- */

static void start_over(void) {
    size_t used;
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    TEST("test_api_init_closes_once");
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_payload(s.p, c.payload[2].data, 100, &used), PICOSUIT_MORE);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT(strcmp(s.log, "b1x1") == 0);
    EXPECT_INT(sim_stored(&s, 1), 0);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT(strcmp(s.log, "b1x1") == 0);
    TEST("test_api_init_waits_for_end");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    s.again_at = s.n.calls + 1;
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_AGAIN);
    EXPECT(strcmp(s.log, "b1") == 0);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT(strcmp(s.log, "b1x1") == 0);
    TEST("test_api_init_ends_an_error");
    sim_setup(&s, &c);
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT_INT(picosuit_feed(s.p, (const uint8_t *)"\x00", 1, &used), PICOSUIT_E_TAG);
    EXPECT_INT(picosuit_last_error(s.p)->code, PICOSUIT_E_TAG);
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_last_error(s.p)->code, 0);
    EXPECT_INT(s.bad, 0);
}

static void second_procedure(void) {
    size_t used;
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    TEST("test_api_second_procedure");
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_INVOKE), PICOSUIT_OK);
    s.armed = 1;
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_OK);
    EXPECT(strcmp(s.log, "i1") == 0);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_payload(s.p, c.payload[2].data, 300, &used), PICOSUIT_MORE);
    EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_OK);
    EXPECT(strcmp(s.log, "i1b1e1") == 0);
    EXPECT_INT(s.bad, 0);
}

static const row two_steps = {
    "two_steps", ONE, NULL, "9 <<[3 15 23 0]>> 16 <<[20 {" IS_A "} 3 15]>>", NULL, U,
    0,           0,   -1};

static void parameters_are_cleared(void) {
    TEST("test_api_parameters_are_cleared_between_procedures");
    row_case(&c, &two_steps, "");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    s.armed = 1;
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_INVOKE), PICOSUIT_OK);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_CONDITION);
    EXPECT_INT(picosuit_last_error(s.p)->label, 3);
    EXPECT_INT(picosuit_last_error(s.p)->section, 9);
}

static void other_procedure_while_waiting(void) {
    TEST("test_api_begin_waits_for_the_same_procedure");
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    s.again_at = s.n.calls + 1;
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_AGAIN);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_INVOKE), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_STATE);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    EXPECT_INT(s.bad, 0);
}

/* -- get_envelope: what a device stores, and boots from -- */

static void stored_envelope(void) {
    static uint8_t whole[2048], part[2048];
    static sim_case kept;
    size_t len, n, at;
    sim_result r;
    TEST("test_api_get_envelope");
    row_case(&c, &plain, "\"#pay\" h'00112233'");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_get_envelope(s.p, 0, whole, sizeof whole, &len), PICOSUIT_OK);
    EXPECT_INT(len, s.info.envelope_len);
    EXPECT_INT(len, c.envelope.len - 10);
    EXPECT_INT(whole[2], 0xa2);
    EXPECT_MEM(whole + 3, c.envelope.data + 3, len - 3);
    for (size_t step = 1; step < 70; step += 3) {
        for (at = 0; at < len; at += n) {
            uint8_t *exact = guard_alloc(step);
            EXPECT_INT(picosuit_get_envelope(s.p, (uint32_t)at, exact, step, &n),
                       PICOSUIT_OK);
            EXPECT(n == (step < len - at ? step : len - at));
            memcpy(part + at, exact, n);
            guard_free(exact);
            n = n > 0 ? n : len;
        }
        EXPECT_MEM(part, whole, len);
    }
    EXPECT_INT(picosuit_get_envelope(s.p, (uint32_t)len, part, 9, &n), PICOSUIT_OK);
    EXPECT_INT(n, 0);
    EXPECT_INT(picosuit_get_envelope(s.p, 0xffffffffu, part, 9, &n), PICOSUIT_OK);
    EXPECT_INT(n, 0);
    EXPECT_INT(picosuit_get_envelope(s.p, 0, NULL, 0, &n), PICOSUIT_OK);
    EXPECT_INT(n, 0);
    TEST("test_api_get_envelope_opens_again");
    row_case(&kept, &plain, "");
    EXPECT_INT(kept.envelope.len, len);
    EXPECT_MEM(kept.envelope.data, whole, len);
    kept.procedure[0] = PICOSUIT_INVOKE;
    sim_run(&s, &kept, SIM_OPEN, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(r.invoked, 1);
    sim_case_free(&kept);
}

static void same_after_done(const sim_case *record) {
    uint8_t a[64], b[64];
    size_t n, m;
    sim_result r;
    TEST(test_name("test_api_get_envelope_%s", record->name));
    sim_run(&s, record, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT(s.info.envelope_len <= record->envelope.len);
    for (uint32_t at = 0; at < s.info.envelope_len; at += 64) {
        EXPECT_INT(picosuit_get_envelope(s.p, at, a, 64, &n), PICOSUIT_OK);
        m = record->envelope.len - at < 64 ? record->envelope.len - at : 64;
        memcpy(b, record->envelope.data + at, m);
        b[2] = at == 0 ? 0xa2 : b[2];
        EXPECT(n <= m);
        EXPECT_MEM(a, b, n);
    }
}

/* -- ends: too early, too late -- */

static void truncate(const sim_case *record, size_t most) {
    static sim_case cut;
    sim_result r;
    TEST(test_name("test_api_truncated_%s", record->name));
    for (size_t len = 0; len < record->envelope.len;
         len += sim_stride(record->envelope.len, most)) {
        for (int how = SIM_WHOLE; how <= SIM_OPEN; how += SIM_OPEN) {
            cut = *record;
            cut.envelope.data = guard_copy(record->envelope.data, len);
            cut.envelope.len = len;
            sim_run(&s, &cut, how, 0, &r);
            guard_free(cut.envelope.data);
            if (r.status != PICOSUIT_E_TRUNCATED || r.error.offset != len || s.bad != 0 ||
                r.n.by[SIM_BEGIN] != r.n.by[SIM_END]) {
                test_expect(0,
                            test_name("cut to %u: %s at %u; %s", (unsigned)len,
                                      sim_code_name(r.status), (unsigned)r.error.offset,
                                      s.why),
                            __FILE__, __LINE__);
                return;
            }
        }
    }
    EXPECT(1);
}

static void trail(const sim_case *record) {
    static sim_case longer;
    sim_result r;
    TEST(test_name("test_api_trailing_%s", record->name));
    for (int how = SIM_WHOLE; how <= SIM_OPEN; how++) {
        longer = *record;
        longer.envelope.data = guard_alloc(record->envelope.len + 1);
        memcpy(longer.envelope.data, record->envelope.data, record->envelope.len);
        longer.envelope.data[record->envelope.len] = 0;
        longer.envelope.len++;
        sim_run(&s, &longer, how, 64, &r);
        guard_free(longer.envelope.data);
        EXPECT_INT(r.status, PICOSUIT_E_TRAILING);
        EXPECT_INT(r.error.offset, record->envelope.len);
        EXPECT_INT(s.bad, 0);
    }
}

static void ends(void) {
    static sim_case record;
    vec v;
    size_t n = 0;
    for (vec_open(&v, "suit/index.txt"); sim_case_next(&v, &record, 0);) {
        if (record.expect == PICOSUIT_OK) {
            truncate(&record, n++ < 4 ? 1200 : 40);
            trail(&record);
            same_after_done(&record);
        }
    }
}

/* -- keys of the envelope that do not fit 31 bits, from another -- */

static void wide_keys(void) {
    static const struct {
        const char *name;
        const char *bytes;
        int code, offset;
    } rows[] = {
        {"2_plus_2_31", "raw'd86b' raw'a2' raw'1a80000002' 'x' 3 'x'", PICOSUIT_E_MISSING,
         3},
        {"2_plus_2_32", "raw'd86b' raw'a2' raw'1b0000000100000002' 'x'",
         PICOSUIT_E_MEMBER, 3},
        {"minus_2_31", "raw'd86b' raw'a2' raw'3a80000001' 'x' 3 'x'", PICOSUIT_E_MISSING,
         3},
    };
    static uint8_t buf[64];
    size_t used;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = sim_diag(buf, sizeof buf, rows[i].bytes, NULL);
        TEST(test_name("test_api_wide_key_%s", rows[i].name));
        row_case(&c, &plain, "");
        sim_setup(&s, &c);
        EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
        EXPECT_INT(picosuit_feed(s.p, buf, len, &used), rows[i].code);
        EXPECT_INT(picosuit_last_error(s.p)->offset, rows[i].offset);
    }
    TEST("test_api_wide_key_of_a_member");
    row_case(&c, &plain, "@raw'1a80000014' 'x'");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_E_MEMBER);
    EXPECT_INT(picosuit_last_error(s.p)->offset, c.offset);
}

/* -- room -- */

static void room(const row *r, const char *members, int how, const char *name) {
    size_t work = 0;
    sim_result got;
    TEST(test_name("test_api_room_%s", name));
    row_case(&c, r, members);
    for (int i = 0; i < 8; i++) {
        c.work = work;
        sim_run(&s, &c, how, 0, &got);
        EXPECT_INT(s.bad, 0);
        if (got.status != PICOSUIT_E_ROOM) {
            break;
        }
        EXPECT(got.error.label > (int32_t)work);
        EXPECT_INT(got.n.by[SIM_BEGIN], 0);
        work = (size_t)got.error.label;
    }
    EXPECT_INT(got.status, PICOSUIT_OK);
    EXPECT(work > 0);
    c.work = work - 1;
    sim_run(&s, &c, how, 0, &got);
    EXPECT_INT(got.status, PICOSUIT_E_ROOM);
    EXPECT_INT(got.error.label, work);
}

static void rooms(void) {
    room(&plain, "", SIM_WHOLE, "feed");
    room(&plain, "", SIM_BYTES, "feed_bytes");
    room(&plain, "", SIM_OPEN, "open");
#if PICOSUIT_WITH_INTEGRATED
    room(&integrated, PAYLOADS, SIM_WHOLE, "payload_keys");
    room(&integrated, PAYLOADS, SIM_OPEN, "payload_keys_open");
#endif
    TEST("test_api_room_macro");
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    /* the envelope is d8 6b a2 02 58 LL wrapper 03 58 LL manifest */
    size_t wrapper = c.envelope.data[5], manifest = c.envelope.len - wrapper - 9;
    EXPECT(manifest < 256);
    c.work = PICOSUIT_WORK(wrapper, manifest, 2u, 1u);
    sim_result got;
    sim_run(&s, &c, SIM_WHOLE, 0, &got);
    EXPECT_INT(got.status, PICOSUIT_OK);
}

/* -- rewind -- */

#if PICOSUIT_WITH_INTEGRATED
static void rewinds(void) {
    sim_result r;
    TEST("test_api_rewind_finds_what_passed");
    row_case(&c, &integrated, "\"#a\" h'0011' \"#b\" h'223344'");
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(r.rewinds, 1);
    EXPECT(strcmp(s.log, "b1e1b0e0") == 0);
    EXPECT_INT(sim_stored(&s, 0), 2);
    EXPECT_INT(sim_stored(&s, 1), 3);
    EXPECT_INT(s.bad, 0);
    sim_run(&s, &c, SIM_BYTES, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(r.rewinds, 1);
    TEST("test_api_open_needs_no_rewind");
    sim_run(&s, &c, SIM_OPEN, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(r.rewinds, 0);
    TEST("test_api_rewind_then_uri_again");
    row_case(&c, &integrated, "\"#a\" h'0011' \"#c\" h'223344'");
    sim_case_serve(&c, "#b", (const uint8_t *)"abc", 3);
    sim_setup(&s, &c);
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT(strcmp(s.log, "b1e1b0e0") == 0);
}

/* The source changes in the middle of a payload: the bytes that are there stay. */
static void rewind_in_the_middle(void) {
    picosuit_fetch w;
    size_t used, last;
    int st = PICOSUIT_E_STATE;
    TEST("test_api_rewind_in_the_middle");
    row_case(&c, &integrated, "\"#a\" h'0011' \"#b\" h'223344'");
    last = c.envelope.len - 1;
    sim_setup(&s, &c);
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_rewind(s.p), PICOSUIT_OK);
    for (size_t at = 0; at < last; at++) {
        st = picosuit_feed(s.p, c.envelope.data + at, 1, &used);
        EXPECT(used == 1 && (st == PICOSUIT_MORE || st == PICOSUIT_FETCH));
    }
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT(w.where == PICOSUIT_WHERE_ENVELOPE && w.offset == 2 && w.size == 3);
    EXPECT_INT(picosuit_rewind(s.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_get_fetch(s.p, &w), PICOSUIT_OK);
    EXPECT(w.where == PICOSUIT_WHERE_ENVELOPE && w.offset == 2 && w.size == 3);
    for (size_t at = 0; at <= last; at++) {
        st = picosuit_feed(s.p, c.envelope.data + at, 1, &used);
    }
    EXPECT_INT(st, PICOSUIT_FETCH); /* #a passed by */
    EXPECT(strcmp(s.log, "b1e1b0") == 0 || strcmp(s.log, "b1e1") == 0);
    EXPECT_INT(sim_stored(&s, 1), 3);
    EXPECT_INT(s.bad, 0);
}

/* A URI is being pushed; then the envelope is offered instead. */
static void rewind_from_a_uri(void) {
    size_t used;
    TEST("test_api_rewind_from_a_uri");
    row_case(&c, &integrated, "\"#a\" h'0011' \"#c\" h'223344'");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_fetch(), PICOSUIT_FETCH);
    EXPECT_INT(picosuit_rewind(s.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used),
               PICOSUIT_FETCH);
    EXPECT_INT(picosuit_payload(s.p, (const uint8_t *)"ab", 2, &used), PICOSUIT_MORE);
    EXPECT_INT(picosuit_rewind(s.p), PICOSUIT_OK);
    EXPECT_INT(picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used),
               PICOSUIT_FETCH);
    EXPECT_INT(picosuit_payload(s.p, (const uint8_t *)"c", 1, &used), PICOSUIT_MORE);
    EXPECT_INT(picosuit_payload_end(s.p, 1), PICOSUIT_FETCH);
    EXPECT_INT(sim_stored(&s, 1), 3);
    EXPECT_INT(s.bad, 0);
}
#endif

/* -- the rest -- */

static void numbers(void) {
    TEST("test_api_strerror");
    for (int code = -90; code <= 6; code++) {
        const char *text = picosuit_strerror(code);
        int is_known = strcmp(sim_code_name(code), "?") != 0 ||
                       (code >= 0 && code <= 4) || code == PICOSUIT_E_CRYPTO;
        EXPECT(text != NULL);
        EXPECT(!PICOSUIT_WITH_STRINGS || !is_known || strlen(text) > 1);
        EXPECT(PICOSUIT_WITH_STRINGS || *text == 0);
    }
    CHECK("test_api_version", picosuit_version() == PICOSUIT_VERSION);
    TEST("test_api_features");
    EXPECT_INT(picosuit_features(),
               PICOSUIT_WITH_ENCRYPTION << 0 | PICOSUIT_WITH_MAC << 1 |
                   PICOSUIT_WITH_SEVERED << 2 | PICOSUIT_WITH_INTEGRATED << 3 |
                   PICOSUIT_WITH_SLOTS << 4 | PICOSUIT_WITH_SWAP << 5 |
                   PICOSUIT_WITH_REPORT << 6 | PICOSUIT_WITH_BOOT << 7 |
                   PICOSUIT_WITH_STRINGS << 8);
    TEST("test_api_sizes");
    EXPECT_INT(sizeof(picosuit_error), 16);
    EXPECT_INT(sizeof(picosuit_record), 16);
    EXPECT(sizeof(picosuit) <= 640 + 8 * sizeof(void *));
}

static void info(void) {
    picosuit_info i;
    TEST("test_api_info");
    row_case(&c, &plain, "");
    sim_setup(&s, &c);
    EXPECT_INT(up_to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_get_info(s.p, &i), PICOSUIT_OK);
    EXPECT(i.sequence == 5 && i.signer == 9 && i.rights == 27 && i.components == 2);
    EXPECT_INT(i.sections, 1 | 4 | 16);
}

void suite_api(void) {
    sim_new(&s);
    states();
    uninstall();
    arguments();
    from_inside();
    start_over();
    second_procedure();
    parameters_are_cleared();
    other_procedure_while_waiting();
    stored_envelope();
    wide_keys();
    rooms();
#if PICOSUIT_WITH_INTEGRATED
    rewinds();
    rewind_in_the_middle();
    rewind_from_a_uri();
#endif
    info();
    numbers();
    ends();
    sim_case_free(&c);
    guard_free(s.work);
}
