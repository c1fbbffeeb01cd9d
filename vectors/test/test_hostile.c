/* SPDX-License-Identifier: MIT
 *
 * Input made to hurt: counts and lengths at the edge of what 16 and 32 bits hold, items
 * that end where the envelope ends, orders that a stream does not expect. Each was once a
 * fault.
 */
#include "rows.h"

static sim s;
static sim_case c;

static void run_all_ways(sim_result *whole) {
    sim_result r;
    sim_run(&s, &c, SIM_WHOLE, 0, whole);
    EXPECT_INT(s.bad, 0);
    sim_run(&s, &c, SIM_FRAMES, 7, &r);
    EXPECT(sim_same(whole, &r));
    sim_run(&s, &c, SIM_OPEN, 0, &r);
    EXPECT_INT(r.status, whole->status);
    EXPECT_INT(r.error.offset, whole->error.offset);
    EXPECT_INT(s.bad, 0);
}

typedef struct {
    const char *name;
    const char *components;
    const char *rest;
    const char *members;
    int procedure;
    int code;
    int32_t label; /* 0: not said */
} item;

static void rows(const item *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const item *x = &list[i];
        row w = {x->name,      x->components, NULL,     x->rest, NULL,
                 x->procedure, x->code,       x->label, -1};
        sim_result r;
        row_case(&c, &w, x->members);
        if (row_is_runnable(&c)) {
            TEST(test_name("test_hostile_%s", x->name));
            run_all_ways(&r);
            sim_run(&s, &c, SIM_WHOLE, 0, &r);
            sim_expect(&s, &c, &r, 0);
        }
    }
}

#define ROWS(list) rows(list, sizeof(list) / sizeof *(list))

/* -- counts and labels -- */

static const item counts[] = {
    {"try_list_of_65537", ONE,
     "20 <<raw'84' 20 {18 'x'} 15 @raw'9a00010001' <<[20 {12 true}]>>>>", "", U,
     PICOSUIT_E_BOUNDS, 15},
    {"try_list_of_65538_with_two", ONE,
     "20 <<raw'84' 20 {18 'x'} 15 @raw'9a00010002' <<[14 0]>> <<[20 {12 true}]>>>>", "",
     U, PICOSUIT_E_BOUNDS, 15},
    {"sequence_of_65538", ONE, "20 <<@raw'9a00010002' 20 {12 true}>>", "", U,
     PICOSUIT_E_SEQUENCE, 0},
    {"sequence_longer_than_it_is", ONE, "20 <<raw'84' 20 {12 true}>>", "", U,
     PICOSUIT_E_BOUNDS, 0},
    {"parameters_more_than_there_are", ONE, "20 <<[20 raw'a3' 12 true]>>", "", U,
     PICOSUIT_E_BOUNDS, 0},
    {"policy_of_64_bits", ONE, "20 <<[3 @raw'1b0000000100000000']>>", "", U,
     PICOSUIT_E_VALUE, 3},
    {"index_of_64_bits", ONE, "20 <<[@12 raw'1b0000000100000000' 3 15]>>", "", U,
     PICOSUIT_E_INDEX, 12},
    {"size_of_64_bits", ONE, "20 <<[20 {@14 raw'1b0000000100000000'} 3 15]>>", "", U,
     PICOSUIT_E_LIMIT, 14},
    {"size_of_32_bits", ONE, "20 <<[20 {14 4294967295 21 \"a\"} @21 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 21},
    {"size_of_32_bits_less_the_tag", ONE, "20 <<[20 {14 4294967280 21 \"a\"} @21 0]>>",
     "", U, PICOSUIT_E_CAPACITY, 21},
#if PICOSUIT_WITH_ENCRYPTION
    {"encryption_as_text", ONE, "20 <<[20 {18 'x' 19 @\"x\"} 18 0]>>", "", U,
     PICOSUIT_E_TYPE, 19},
#endif
    {"digest_as_text", ONE, "20 <<[20 {3 @\"x\"} 18 0]>>", "", U, PICOSUIT_E_TYPE, 3},
    {"soft_failure_by_set_parameters", ONE,
     "7 <<[15 [<<[19 {13 false} @14 15]>> <<[20 {" IS_A "} 3 15]>>]]>>", "", U,
     PICOSUIT_E_CONDITION, 14},
    {"invoke_in_install", ONE, "20 <<[23 0]>>", "", U, 0, 0},
    {"transient_left_over", "[[h'00'] ['t']]",
     "16 <<[12 1 20 {14 100 21 \"a\"} @21 0]>> 20 <<[12 0 20 {" IS_A "} 3 15]>>", "", U,
     PICOSUIT_E_TRANSIENT, 21},
};

/* -- lists -- */

static void long_lists(void) {
    static char text[4096];
    static const int n[3] = {32, 33, 256};
    for (int i = 0; i < 3; i++) {
        item x = {
            NULL, ONE, text, "", U, n[i] > 32 ? PICOSUIT_E_LIMIT : 0, n[i] > 32 ? 12 : 0};
        char *p = text + sprintf(text, "7 <<[20 {" IS_A "} %s12 [", n[i] > 32 ? "@" : "");
        for (int k = 0; k < n[i]; k++) {
            p += sprintf(p, "0 ");
        }
        sprintf(p, "] 3 0]>>");
        x.name = n[i] == 32 ? "list_of_32" : n[i] == 33 ? "list_of_33" : "list_of_256";
        rows(&x, 1);
    }
}

/* -- authentication blocks -- */

static void block(const char *name, const char *blocks, int code) {
    sim_result r;
    row w = {name, ONE, NULL, "7 <<[20 {" IS_A "} 3 15]>>", NULL, U, 0, 0, -1};
    char text[1024];
    TEST(test_name("test_hostile_block_%s", name));
    row_case(&c, &w, "");
    c.blocks = blocks;
    snprintf(text, sizeof text, "{1 1 2 5 3 <<{2 %s}>> %s}", w.components, w.rest);
    sim_envelope(&c, text, "", NULL);
    run_all_ways(&r);
    EXPECT_INT(r.status, code);
}

static void blocks(void) {
    block("label_min_then_any", "<<18([<<{1 -9 -2147483648 0 3 0}>> {} null h'59'])>>",
          PICOSUIT_E_LIMIT);
    block("label_min_first", "<<18([<<{-2147483648 0 1 -9}>> {} null h'59'])>>",
          PICOSUIT_E_LIMIT);
    block("label_in_both_buckets", "<<18([<<{1 -9 3 0}>> {3 0} null h'59'])>>",
          PICOSUIT_E_ORDER);
    block("simple_labels",
          "<<18([<<{1 -9}>> {5 h'0011' -20 h'22' -1 h'33'} null h'59'])>>",
          PICOSUIT_E_ORDER); /* -1 comes before -20 */
    block("simple_labels_in_order",
          "<<18([<<{1 -9}>> {5 h'0011' -1 h'33' -20 h'22'} null h'59'])>>", PICOSUIT_OK);
    block("tag_of_41_bits", "<<1099511627776([<<{1 -9}>> {} null h'59'])>>",
          PICOSUIT_E_LIMIT);
    block("none_of_four_then_five",
          "<<98(1)>> <<98(1)>> <<97(1)>> <<98(1)>> <<18([<<{1 -9}>> {} null h'59'])>>",
          PICOSUIT_E_LIMIT);
    block("three_unknown_one_good",
          "<<98(1)>> <<98(1)>> <<97(1)>> <<18([<<{1 -9}>> {} null h'59'])>>",
          PICOSUIT_OK);
}

/* Unsigned bytes that use up the work buffer, or all that 16 bits can count. */
static void large_wrapper(void) {
    static char text[4096];
    static char pad[80];
    sim_result r;
    row w = {"large", NULL, NULL, "7 <<[12 true 20 {14 1}]>>", NULL, U, 0, 0, -1};
    char *p = text + sprintf(text, "{1 1 2 5 3 <<{2 [");
    TEST("test_hostile_large_wrapper");
    for (int i = 32; i < 64; i++) {
        p += sprintf(p, "[h'%02x'] ", i);
    }
    sprintf(p, "]}>> %s}", w.rest);
    w.components = ONE;
    for (unsigned n = 63900; n < 65600; n += 41) {
        row_case(&c, &w, "");
        snprintf(pad, sizeof pad, "<<18([<<{1 -9}>> {} null h'59'])>> <<98(z(%u))>>", n);
        c.blocks = pad;
        sim_envelope(&c, text, "", NULL);
        for (unsigned work = 65400; work < 67000; work += 1599) {
            c.work = work;
            sim_run(&s, &c, SIM_WHOLE, 0, &r);
            EXPECT(r.status == PICOSUIT_OK || r.status == PICOSUIT_E_ROOM ||
                   r.status == PICOSUIT_E_LIMIT);
            EXPECT(n < 64600 || r.status != PICOSUIT_OK);
            EXPECT(r.status != PICOSUIT_E_ROOM || r.error.label > (int32_t)work);
            EXPECT_INT(s.bad, 0);
        }
    }
}

/* -- severed members -- */

#if PICOSUIT_WITH_SEVERED
static void digest_text(char text[80], const char *item_text) {
    static uint8_t buf[SIM_BUILT];
    uint8_t digest[32];
    char hex[65];
    size_t len = sim_diag(buf, sizeof buf, item_text, NULL);
    picosuit_sha256(digest, buf, len);
    sim_hex(hex, digest, 32);
    snprintf(text, 80, "[-16 h'%s']", hex);
}

static void severed(void) {
    char rest[256], a[80], b[80];
    item x = {"severed_and_empty", ONE, rest, "20 @h''", U, PICOSUIT_E_BOUNDS, 0};
    digest_text(a, "h''");
    snprintf(rest, sizeof rest, "20 %s", a);
    row w = {x.name, ONE, NULL, rest, NULL, U, PICOSUIT_E_BOUNDS, 0, -1};
    sim_result r;
    TEST("test_hostile_severed_and_empty");
    row_case(&c, &w, x.members);
    c.offset++; /* behind the head: where the sequence should be */
    run_all_ways(&r);
    sim_expect(&s, &c, &r, 0);
    digest_text(a, "z(70000)");
    digest_text(b, "<<[14 15]>>");
    x.name = "severed_behind_64_kib";
    x.members = "14 z(70000) 20 @<<[14 15]>>";
    x.code = PICOSUIT_E_LIMIT;
    x.label = 20;
    snprintf(rest, sizeof rest, "14 %s 20 %s", a, b);
    rows(&x, 1);
    x.name = "text_of_70000_behind_install";
    x.members = "20 <<[@14 15]>> 23 z(70000)";
    x.code = PICOSUIT_E_CONDITION;
    x.label = 14;
    snprintf(rest, sizeof rest, "20 %s 23 %s", b, a);
    rows(&x, 1);
}
#endif

/* -- payload members, rewinding and a second procedure -- */

static int to_ready(void) {
    size_t used;
    sim_setup(&s, &c);
    int st = picosuit_init(s.p, &s.platform, &s, s.work, s.work_len);
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used);
        c.floor = used; /* where to go on */
    }
    if (st == PICOSUIT_READY) {
        EXPECT_INT(picosuit_get_info(s.p, &s.info), PICOSUIT_OK);
    }
    s.armed = 1;
    return st;
}

#if PICOSUIT_WITH_INTEGRATED
/* UPDATE reads the first payload, INVOKE runs deeper, then the rest of the envelope
 * comes. */
static void second_procedure(int is_twice) {
    row w = {
        "second",
        TWO,
        NULL,
        "8 <<[12 0 32 <<[32 <<[32 <<[32 <<[20 {12 true}]>>]>>]>>]>>]>> 9 <<[12 0 23 0]>> "
        "20 <<[12 0 20 {21 \"#aaaa\"} 21 0]>>",
        NULL,
        U,
        0,
        0,
        -1};
    size_t used;
    TEST(is_twice ? "test_hostile_payload_key_twice_around_a_procedure"
                  : "test_hostile_payload_keys_around_a_procedure");
    row_case(&c, &w,
             is_twice ? "\"#aaaa\" h'0011' \"#aaaa\" h'2233'"
                      : "\"#aaaa\" h'0011' \"#bbbb\" h'2233'");
    for (int fill = 0; fill < 256; fill += 255) {
        EXPECT_INT(to_ready(), PICOSUIT_READY);
        size_t at = (size_t)c.floor;
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
        EXPECT_INT(picosuit_feed(s.p, c.envelope.data + at, 9, &used), PICOSUIT_OK);
        EXPECT_INT(used, 9);
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_INVOKE), PICOSUIT_OK);
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_OK);
        EXPECT(strcmp(s.log, "b0e0i0") == 0);
        int st =
            picosuit_feed(s.p, c.envelope.data + at + 9, c.envelope.len - at - 9, &used);
        EXPECT_INT(st, is_twice ? PICOSUIT_E_ORDER : PICOSUIT_OK);
    }
}

/* AGAIN while a payload of the envelope is closed; then the envelope comes again. */
static void rewind_while_closing(void) {
    row w = {
        "rewind", TWO, NULL, "20 <<[12 0 20 {21 \"#a\"} 21 0 12 1 20 {21 \"#b\"} 21 0]>>",
        NULL,     U,   0,    0,
        -1};
    size_t used;
    int st = PICOSUIT_MORE;
    TEST("test_hostile_rewind_while_closing");
    row_case(&c, &w, "\"#a\" h'00112233445566778899' \"#b\" h'0102030405'");
    for (unsigned n = 1; n < 12 && st != PICOSUIT_OK; n++) {
        EXPECT_INT(to_ready(), PICOSUIT_READY);
        size_t at = (size_t)c.floor;
        EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_FETCH);
        s.again_at = s.n.calls + n;
        st = picosuit_feed(s.p, c.envelope.data + at, c.envelope.len - at, &used);
        at = picosuit_rewind(s.p) == PICOSUIT_OK ? 0 : at + used;
        s.asked = 0;
        for (int i = 0; i < 9 && st > 0; i++) {
            st = picosuit_feed(s.p, c.envelope.data + at, c.envelope.len - at, &used);
            at += used;
        }
        EXPECT_INT(st, PICOSUIT_OK);
        EXPECT_INT(sim_stored(&s, 0), 10);
        EXPECT_INT(sim_stored(&s, 1), 5);
        EXPECT_INT(s.bad, 0);
        st = s.again_at > s.n.calls ? PICOSUIT_OK : PICOSUIT_MORE;
    }
}
#endif

/* -- the first bytes -- */

static void first_bytes(void) {
    static const struct {
        const char *bytes;
        int code;
    } firsts[] = {
        {"db000000000000006b", PICOSUIT_E_CBOR},
        {"d86ba2", PICOSUIT_E_TRUNCATED},
        {"d9006b", PICOSUIT_E_CBOR},
        {"da0000006b", PICOSUIT_E_CBOR},
        {"d86c", PICOSUIT_E_TAG},
        {"a2", PICOSUIT_E_TAG},
        {"00", PICOSUIT_E_TAG},
        {"40", PICOSUIT_E_TAG},
        {"80", PICOSUIT_E_TAG},
        {"f6", PICOSUIT_E_TAG},
        {"1f", PICOSUIT_E_TAG},
        {"df", PICOSUIT_E_CBOR},
        {"d86b81", PICOSUIT_E_TYPE},
        {"d86bbf", PICOSUIT_E_CBOR},
        {"d86ba0", PICOSUIT_E_MISSING},
        {"d86bd86b", PICOSUIT_E_TYPE},
    };
    row w = {"first", ONE, NULL, "", NULL, U, 0, 0, -1};
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        uint8_t buf[16];
        char text[40];
        sim_result r;
        TEST(test_name("test_hostile_first_bytes_%s", firsts[i].bytes));
        row_case(&c, &w, "");
        snprintf(text, sizeof text, "raw'%s'", firsts[i].bytes);
        guard_free(c.envelope.data);
        c.envelope.len = sim_diag(buf, sizeof buf, text, NULL);
        c.envelope.data = guard_copy(buf, c.envelope.len);
        run_all_ways(&r);
        EXPECT_INT(r.status, firsts[i].code);
        EXPECT_INT(r.error.offset, firsts[i].code == PICOSUIT_E_TAG      ? 0
                                   : strncmp(firsts[i].bytes, "d86b", 4) ? 0
                                   : firsts[i].code == PICOSUIT_E_TYPE   ? 2
                                   : firsts[i].code == PICOSUIT_E_CBOR   ? 2
                                                                         : 3);
    }
}

/* Every value of the first byte, every pair with the tag: refused, never a fault. */
static void all_first_bytes(void) {
    uint8_t buf[9];
    size_t used;
    row w = {"first", ONE, NULL, "", NULL, U, 0, 0, -1};
    TEST("test_hostile_all_first_bytes");
    row_case(&c, &w, "");
    for (unsigned i = 0; i < 256; i++) {
        memset(buf, 0xff, sizeof buf);
        buf[0] = (uint8_t)i;
        sim_setup(&s, &c);
        EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
        EXPECT(picosuit_feed(s.p, buf, sizeof buf, &used) < 0);
        EXPECT_INT(picosuit_last_error(s.p)->offset, 0);
    }
}

/* -- rights -- */

static void rights(void) {
    static const struct {
        const char *name, *components, *rest;
        unsigned rights;
        int procedure, code;
    } list[] = {
        {"update_may_not_invoke", ONE, "20 <<[23 0]>>", 17, U, PICOSUIT_E_RIGHTS},
        {"update_and_invoke", ONE, "20 <<[23 0]>>", 19, U, PICOSUIT_OK},
        {"invoke_of_an_updater", ONE, "9 <<[23 0]>>", 17, I, PICOSUIT_E_RIGHTS},
        {"update_of_an_invoker", ONE, "7 <<[20 {12 true}]>>", 18, U, PICOSUIT_E_RIGHTS},
        {"keys_written_at_load", "[[h'00'] ['keys']]",
         "8 <<[12 1 20 {18 'x'} 18 0]>> 9 <<[12 0 23 0]>>", 19, I, PICOSUIT_E_RIGHTS},
        {"keys_read", "[[h'00'] ['keys']]",
         "7 <<[12 1 15 [<<[3 15]>> <<[6 15]>> null]]>>", 17, U, PICOSUIT_OK},
        {"keys_fetched", "[['keys']]", "20 <<[20 {21 \"a\"} 21 0]>>", 17, U,
         PICOSUIT_E_RIGHTS},
        {"keys_fetched_with_the_right", "[['keys']]", "20 <<[20 {21 \"a\"} 21 0]>>", 25,
         U, PICOSUIT_OK},
        {"no_class_check", ONE, "7 <<[20 {12 true}]>>", 3, U, PICOSUIT_E_COMPAT},
        {"nothing_allowed", ONE, "7 <<[20 {12 true}]>>", 0, U, PICOSUIT_E_RIGHTS},
        {"denied_component", "[['denied']]", "7 <<[20 {12 true}]>>", 27, U,
         PICOSUIT_E_RIGHTS},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        row w = {list[i].name,
                 list[i].components,
                 NULL,
                 list[i].rest,
                 NULL,
                 list[i].procedure,
                 0,
                 0,
                 -1};
        sim_result r;
        TEST(test_name("test_hostile_rights_%s", list[i].name));
        row_case(&c, &w, "");
        c.rights = list[i].rights;
        run_all_ways(&r);
        EXPECT_INT(r.status, list[i].code);
        if (list[i].code != PICOSUIT_OK) {
            EXPECT_INT(r.stage, SIM_AT_BEGIN);
            EXPECT_INT(r.error.label, 0);
            EXPECT_INT(c.envelope.data[r.error.offset - 1], 3);
            EXPECT_INT(c.envelope.data[r.error.offset] >> 5, 2);
        }
    }
}

/* -- records of commands that fail outside of run -- */

static void failing_records(void) {
    static const char *const rest[] = {
        "20 <<[20 {" IS_B " 21 \"nowhere\"} @21 2]>>",
        "20 <<[20 {14 99 21 \"a\"} @21 2]>>",
        "20 <<[20 {14 101 21 \"a\"} @21 2]>>",
        "20 <<[20 {14 8193 21 \"a\"} @21 2]>>",
    };
    for (unsigned i = 0; i < 4; i++) {
        row w = {"record", ONE, NULL, rest[i], NULL, U, 0, 0, -1};
        sim_result r;
        TEST(test_name("test_hostile_record_of_a_failed_fetch_%u", i));
        row_case(&c, &w, "");
        sim_run(&s, &c, SIM_WHOLE, 0, &r);
        EXPECT_INT(s.record_n, 1);
        EXPECT_INT(s.record[0].code, r.status);
        EXPECT(s.record[0].label == 21 && s.record[0].section == 20 &&
               s.record[0].policy == 2);
        EXPECT(r.status < 0 && r.error.offset == (uint32_t)c.offset);
    }
}

/* -- trusted storage whose length is not recorded -- */

static void trusted_length(void) {
    row w = {"trusted", "[['trusted']]",
             NULL,      "20 <<[20 {21 \"b\"} 21 0 20 {3 " SUM_B " 14 100} @3 15]>>",
             NULL,      U,
             0,         0,
             -1};
    sim_result r;
    TEST("test_hostile_trusted_digest_of_another_length");
    row_case(&c, &w, "");
    s.flash[SIM_TRUSTED].fixed = 1;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    s.flash[SIM_TRUSTED].fixed = 0;
    EXPECT_INT(r.status, PICOSUIT_E_CONDITION);
    EXPECT_INT(r.error.offset, c.offset);
}

/* -- an item that ends where the envelope ends -- */

static void last_bytes(void) {
    static const char *const infos[] = {"h'd8608440a0'", "h'd86084'",
                                        "h'd8608444a1011818a1054c'", "h'd860'", "h''"};
    for (unsigned i = 0; i < sizeof infos / sizeof *infos; i++) {
        char rest[128];
        row w = {"last", ONE, NULL, rest, NULL, U, 0, 0, -1};
        sim_result r;
        TEST(test_name("test_hostile_encryption_info_at_the_end_%u", i));
        snprintf(rest, sizeof rest, "20 <<[18 0 20 {18 'x' 19 %s}]>>", infos[i]);
        row_case(&c, &w, "");
        run_all_ways(&r);
        EXPECT(r.status == PICOSUIT_E_COSE || r.status == PICOSUIT_E_BOUNDS ||
               r.status ==
                   (PICOSUIT_WITH_ENCRYPTION ? PICOSUIT_E_COSE : PICOSUIT_E_PARAM));
        EXPECT_INT(r.stage, SIM_AT_BEGIN);
        EXPECT_INT(r.error.label, 19);
    }
}

/* -- encryption-info that cannot be ours, and one that could -- */

#if PICOSUIT_WITH_ENCRYPTION
#define HEAD "[<<{1 24}>> {5 h'000102030405060708090a0b'} null "
#define POINT                                                                            \
    "{1 1 -1 4 -2 h'0900000000000000000000000000000000000000000000000000000000000000'}"

static void recipients(void) {
    static const struct {
        const char *name, *list;
        int code; /* of begin, or of run */
    } rows[] = {
        {"kw", "[h'' {1 -3} z(40)]", PICOSUIT_E_DECRYPT},
        {"kw_protected_alg", "[<<{1 -3}>> {} z(40)]", PICOSUIT_E_COSE},
        {"kw_protected_other", "[<<{3 0}>> {1 -3} z(40)]", PICOSUIT_E_COSE},
        {"kw_protected_empty_map", "[<<{}>> {1 -3} z(40)]", PICOSUIT_E_DECRYPT},
        {"kw_without_alg", "[h'' {} z(40)]", PICOSUIT_E_COSE},
        {"kw_of_39_bytes", "[h'' {1 -3} z(39)]", PICOSUIT_E_VALUE},
        {"ecdh", "[<<{1 -29}>> {-1 " POINT "} z(40)]", PICOSUIT_E_DECRYPT},
        {"ecdh_without_point", "[<<{1 -29}>> {} z(40)]", PICOSUIT_E_COSE},
        {"ecdh_unprotected_alg", "[h'' {1 -29 -1 " POINT "} z(40)]", PICOSUIT_E_COSE},
        {"ecdh_more_protected", "[<<{1 -29 3 0}>> {-1 " POINT "} z(40)]",
         PICOSUIT_E_COSE},
        {"ecdh_of_zero", "[<<{1 -29}>> {-1 {1 1 -1 4 -2 z(32)}} z(40)]",
         PICOSUIT_E_DECRYPT},
        {"ecdh_short_point", "[<<{1 -29}>> {-1 {1 1 -1 4 -2 z(31)}} z(40)]",
         PICOSUIT_E_ALG},
        {"ecdh_p256", "[<<{1 -29}>> {-1 {1 2 -1 1 -2 z(32) -3 z(32)}} z(40)]",
         PICOSUIT_E_ALG},
        {"ecdh_p256_then_kw",
         "[<<{1 -29}>> {-1 {1 2 -1 1 -2 z(32) -3 z(32)}} z(40)] [h'' {1 -3} z(40)]",
         PICOSUIT_E_DECRYPT},
        {"unknown_alg", "[h'' {1 -5} z(40)]", PICOSUIT_E_ALG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static char rest[1024];
        row w = {rows[i].name, ONE, NULL, rest, NULL, U, 0, 0, -1};
        sim_result r;
        TEST(test_name("test_hostile_recipient_%s", rows[i].name));
        snprintf(rest, sizeof rest,
                 "20 <<[20 {18 z(20) 19 <<96(" HEAD "[%s]])>>} 18 0]>>", rows[i].list);
        row_case(&c, &w, "");
        run_all_ways(&r);
        EXPECT_INT(r.status, rows[i].code);
        EXPECT_INT(r.stage, r.status == PICOSUIT_E_DECRYPT ? SIM_AT_RUN : SIM_AT_BEGIN);
        EXPECT(s.log[0] == 0);
    }
}

/* Keys of a length that their algorithm does not have are no keys. */
static int short_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                     size_t kid_len, picosuit_key *out) {
    int st = sim_platform.key(dev, purpose, n, kid, kid_len, out);
    if (st == 1 && purpose == PICOSUIT_PURPOSE_DECRYPT) {
        out->key_len--;
    }
    return st;
}

static void short_keys(void) {
    static const char *const names[] = {"enc_transient_ecdh", "enc_transient_kw"};
    for (int i = 0; i < 2; i++) {
        static sim_case record;
        sim_result r;
        TEST(test_name("test_hostile_short_key_%s", names[i]));
        if (!EXPECT(sim_case_find(&record, "suit/index.txt", names[i]))) {
            continue;
        }
        if ((record.needs & ~picosuit_features()) == 0) {
            sim_run(&s, &record, SIM_WHOLE, 0, &r);
            EXPECT_INT(r.status, PICOSUIT_OK);
            s.platform.key = short_key;
            sim_run(&s, &record, SIM_WHOLE, 0, &r);
            s.platform.key = sim_platform.key;
            EXPECT_INT(r.status, PICOSUIT_E_DECRYPT);
        }
        sim_case_free(&record);
    }
}
#endif

/* -- a platform that never stops -- */

static int endless_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                       size_t kid_len, picosuit_key *out) {
    int is_wanted = purpose == PICOSUIT_PURPOSE_DECRYPT || s.p->state == 1;
    if (!is_wanted || sim_platform.key(dev, purpose, n, kid, kid_len, out) == 0) {
        static const uint8_t none[32];
        out->key = none;
        out->key_len = purpose == PICOSUIT_PURPOSE_DECRYPT ? 16 : 32;
        out->alg = purpose == PICOSUIT_PURPOSE_DECRYPT ? PICOSUIT_ALG_A128KW : -19;
    }
    return 1;
}

static int endless_identity(void *dev, unsigned component, int what, unsigned n,
                            uint8_t *buf) {
    (void)dev;
    (void)component;
    (void)what;
    memset(buf, (int)n, 16);
    return 1;
}

static void endless(void) {
    row w = {"endless", ONE, NULL, "7 <<[20 {" VENDOR "} @1 15]>>", NULL, U, 0, 0, -1};
    sim_result r;
    TEST("test_hostile_identities_without_end");
    row_case(&c, &w, "");
    s.platform.identity = endless_identity;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    s.platform.identity = sim_platform.identity;
    EXPECT_INT(r.status, PICOSUIT_E_LIMIT);
    EXPECT_INT(r.error.offset, c.offset);
    TEST("test_hostile_keys_without_end");
    c.blocks = "<<18([<<{1 -19}>> {} null z(64)])>>";
    sim_envelope(&c, "{1 1 2 5 3 <<{2 " ONE "}>>}", "", NULL);
    s.platform.key = endless_key;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    s.platform.key = sim_platform.key;
    EXPECT_INT(r.status, PICOSUIT_E_LIMIT);
    EXPECT_INT(r.error.offset, 4);
#if PICOSUIT_WITH_ENCRYPTION
    TEST("test_hostile_content_keys_without_end");
    w.rest = "20 <<[20 {18 z(20) 19 <<96(" HEAD "[[h'' {1 -3} z(40)]]])>>} @18 0]>>";
    row_case(&c, &w, "");
    s.platform.key = endless_key;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    s.platform.key = sim_platform.key;
    EXPECT_INT(r.status, PICOSUIT_E_LIMIT);
    EXPECT_INT(r.error.offset, c.offset);
    EXPECT(s.log[0] == 0);
#endif
}

/* -- a context that was disturbed after the signature was verified -- */

static void disturbed(void) {
    row fetch = {
        "disturbed", "[['keys']]", NULL, "20 <<[20 {21 \"a\"} @21 0]>>", NULL, U, 0, 0,
        -1};
    row invoke = {"disturbed", ONE, NULL, "9 <<[@23 0]>>", NULL, I, 0, 0, -1};
    TEST("test_hostile_verified_pattern_is_looked_at_again");
    for (int i = 0; i < 2; i++) {
        row_case(&c, i == 0 ? &fetch : &invoke, "");
        EXPECT_INT(to_ready(), PICOSUIT_READY);
        EXPECT_INT(picosuit_begin(s.p, c.procedure[0]), PICOSUIT_OK);
        s.p->verified ^= 1;
        EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_AUTH);
        EXPECT_INT(picosuit_last_error(s.p)->offset, c.offset);
        EXPECT(s.log[0] == 0);
    }
    TEST("test_hostile_rights_are_looked_at_again");
    row_case(&c, &fetch, "");
    EXPECT_INT(to_ready(), PICOSUIT_READY);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    memset(s.p->rights, 0, sizeof s.p->rights);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_E_RIGHTS);
    EXPECT_INT(picosuit_last_error(s.p)->offset, c.offset);
    EXPECT(s.log[0] == 0);
}

/* -- sizes at the end of 32 bits, where a copy starts -- */

static const item large[] = {
    {"copy_of_32_bits", TWO, "20 <<[12 0 20 {14 4294967295 22 1} @22 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 22},
    {"copy_of_a_transient_of_32_bits", "[[h'00'] ['t']]",
     "20 <<[12 1 20 {14 100 21 \"a\"} 21 0 12 0 20 {14 4294967295 22 1} @22 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 22},
    {"write_of_32_bits", ONE, "20 <<[20 {14 4294967295 18 'x'} @18 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 18},
};

static void large_memory(void) {
    row w = {"memory", ONE, NULL, "7 <<[20 {" IS_A "} 3 15]>>", NULL, U, 0, 0, -1};
    size_t used;
    TEST("test_hostile_work_of_16_mib");
    row_case(&c, &w, "");
    sim_setup(&s, &c);
    /* said to be large: what is not needed is not touched */
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, 0x7fffffff), PICOSUIT_OK);
    EXPECT_INT(picosuit_feed(s.p, c.envelope.data, c.envelope.len, &used),
               PICOSUIT_READY);
    EXPECT_INT(picosuit_begin(s.p, PICOSUIT_UPDATE), PICOSUIT_OK);
    EXPECT_INT(picosuit_run(s.p), PICOSUIT_OK);
    TEST("test_hostile_map_of_65536");
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT_INT(
        picosuit_feed(s.p, (const uint8_t *)"\xd8\x6b\xba\x00\x01\x00\x00", 7, &used),
        PICOSUIT_E_LIMIT);
    EXPECT_INT(picosuit_last_error(s.p)->offset, 2);
#if SIZE_MAX > 0xffffffffu
    TEST("test_hostile_open_of_4_gib");
    EXPECT_INT(picosuit_init(s.p, &s.platform, &s, s.work, s.work_len), PICOSUIT_OK);
    EXPECT_INT(picosuit_open(s.p, c.envelope.data, (size_t)1 << 32), PICOSUIT_E_ARG);
#endif
}

static void fixed_content(void) {
    row w = {"fixed", "[['keys']]", NULL, "7 <<[20 {18 z(1025)} @6 15]>>", NULL, U, 0, 0,
             -1};
    sim_result r;
    TEST("test_hostile_content_longer_than_fixed_storage");
    row_case(&c, &w, "");
    s.flash[SIM_KEYS].fixed = 1;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_E_CONDITION);
    EXPECT_INT(r.error.offset, c.offset);
    TEST("test_hostile_fixed_storage_needs_a_size");
    w.components = ONE;
    w.rest = "7 <<[20 {3 " SUM_A "} @3 15]>>";
    row_case(&c, &w, "");
    s.flash[0].fixed = 1;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_E_CONDITION);
    EXPECT_INT(r.n.by[SIM_READ], 0);
    s.flash[0].fixed = s.flash[SIM_KEYS].fixed = 0;
}

/* -- two components that were spoiled -- */

static const item spoiled[] = {
    {"first_spoiled", TWO,
     "20 <<[12 0 20 {3 " SUM_B " 14 300 21 \"c\"} @21 0 12 1 20 {21 \"a\"} 21 0]>>", "",
     U, PICOSUIT_E_DIGEST, 21},
    {"second_spoiled", TWO,
     "20 <<[12 0 20 {21 \"a\"} 21 0 12 1 20 {3 " SUM_C " 14 200 21 \"b\"} @21 0]>>", "",
     U, PICOSUIT_E_DIGEST, 21},
    {"first_spoiled_second_mended", TWO,
     "20 <<[12 0 20 {3 " SUM_B " 14 300 21 \"c\"} @21 0 12 1 20 {3 " SUM_A
     " 14 200 21 \"b\"} 21 0 "
     "20 {14 100 21 \"a\"} 21 0]>>",
     "", U, PICOSUIT_E_DIGEST, 21},
    {"spoiled_by_copy", TWO, "20 <<[12 0 20 {3 " SUM_C " 22 1} @22 0]>>", "", U,
     PICOSUIT_E_DIGEST, 22},
    {"spoiled_and_nothing_said", TWO, "20 <<[12 0 20 {21 \"c\"} 21 0]>>", "", U, 0, 0},
};

void suite_hostile(void) {
    sim_new(&s);
    ROWS(counts);
    long_lists();
    blocks();
    large_wrapper();
#if PICOSUIT_WITH_SEVERED
    severed();
#endif
#if PICOSUIT_WITH_INTEGRATED
    second_procedure(0);
    second_procedure(1);
    rewind_while_closing();
#endif
    first_bytes();
    all_first_bytes();
    rights();
    failing_records();
    trusted_length();
    last_bytes();
    ROWS(spoiled);
    ROWS(large);
    large_memory();
    fixed_content();
#if PICOSUIT_WITH_ENCRYPTION
    recipients();
    short_keys();
#endif
    endless();
    disturbed();
    sim_case_free(&c);
    guard_free(s.work);
}
