/* SPDX-License-Identifier: MIT
 *
 * What a switch removes is refused, never ignored: code, byte and label. Built once for
 * each row of the switch matrix; in the default build the same inputs are accepted.
 */
#include "rows.h"

static sim s;
static sim_case c;

/* Result of a row, or of a record by name; the failure must be at the mark, with this
 * label. */
static void refused(const sim_result *r, int code, long long offset, int32_t label) {
    EXPECT_INT(r->status, code);
    EXPECT_INT(r->error.offset, offset);
    EXPECT_INT(r->error.label, label);
    EXPECT_INT(s.bad, 0);
    EXPECT(s.log[0] == 0);
}

static void run(const char *components, const char *rest, const char *members,
                sim_result *r) {
    row w = {"config", NULL, NULL, NULL, NULL, U, 0, 0, -1};
    w.components = components;
    w.rest = rest;
    row_case(&c, &w, members);
    sim_run(&s, &c, SIM_WHOLE, 0, r);
}

/* An encryption-info with one A128KW recipient, as begin wants it. */
#define INFO                                                                             \
    "<<96([<<{1 24}>> {5 h'000102030405060708090a0b'} null [[h'' {1 -3} z(40)]]])>>"

static void encryption(void) {
    sim_result r;
    const char *rest = "20 <<[12 0 20 {18 z(20) @19 " INFO "} 18 0]>>";
    TEST("test_config_encryption");
    run(TWO, rest, "", &r);
#if PICOSUIT_WITH_ENCRYPTION
    EXPECT_INT(r.status, PICOSUIT_E_DECRYPT);
#else
    refused(&r, PICOSUIT_E_PARAM, c.offset, 19);
#endif
}

/* A Mac0 block that the device's key would verify is no block at all. */
static void mac(void) {
    sim_result r;
    row w = {"mac", ONE, NULL, "", NULL, U, 0, 0, -1};
    TEST("test_config_mac");
    row_case(&c, &w, "");
    c.blocks = "<<17([<<{1 5}>> {} null z(32)])>>";
    sim_envelope(&c, "{1 1 2 5 3 <<{2 " ONE "}>>}", "", NULL);
    c.blocks = NULL;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    refused(&r, PICOSUIT_WITH_MAC ? PICOSUIT_E_AUTH : PICOSUIT_E_ALG, 4, 2);
}

/* SHA-256 of the install member `47 8 2 0e 0f` below. */
static void severed(void) {
    static const uint8_t member[4] = {0x43, 0x82, 0x0e,
                                      0x0f}; /* <<[14 15]>> with its head */
    sim_result r;
    uint8_t digest[32];
    char hex[65], rest[200];
    size_t mark = 0;
    picosuit_sha256(digest, member, sizeof member);
    sim_hex(hex, digest, 32);
    TEST("test_config_severed_and_present");
    snprintf(rest, sizeof rest, "20 [-16 h'%s']", hex);
    run(ONE, rest, "@20 <<[14 15]>>", &r);
    mark = (size_t)c.offset;
#if PICOSUIT_WITH_SEVERED
    EXPECT_INT(r.status, PICOSUIT_E_CONDITION);
    EXPECT_INT(r.error.offset, mark + 3);
#else
    refused(&r, PICOSUIT_E_SEVERED, (long long)mark, 20);
#endif
    TEST("test_config_severed_and_absent");
    snprintf(rest, sizeof rest, "@20 [-16 h'%s']", hex);
    run(ONE, rest, "", &r);
    refused(&r, PICOSUIT_E_SEVERED, c.offset, 20);
    TEST("test_config_severed_text");
    snprintf(rest, sizeof rest, "7 <<[@14 15]>> 23 [-16 h'%s']", hex);
    run(ONE, rest, "", &r);
    refused(&r, PICOSUIT_E_CONDITION, c.offset, 14);
}

static void integrated(void) {
    sim_result r;
    const char *rest = "20 <<[20 {21 \"#a\"} @21 0]>>";
    TEST("test_config_integrated");
    run(ONE, rest, "\"#a\" h'0102'", &r);
#if PICOSUIT_WITH_INTEGRATED
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(sim_stored(&s, 0), 2);
#else
    EXPECT_INT(r.status, PICOSUIT_E_FETCH);
    EXPECT_INT(r.error.offset, c.offset);
    EXPECT_INT(r.error.label, 21);
#endif
    TEST("test_config_integrated_by_uri");
    run(ONE, "20 <<[20 {21 \"c\"} 21 0]>>", "\"#a\" h'0102'", &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    TEST("test_config_integrated_order_is_checked");
    run(ONE, "20 <<[20 {21 \"c\"} 21 0]>>", "\"#b\" h'0102' @\"#a\" h'0102'", &r);
    EXPECT_INT(r.status, PICOSUIT_E_ORDER);
    EXPECT_INT(r.error.offset, c.offset);
}

static void slots(void) {
    sim_result r;
    TEST("test_config_slot_parameter");
    run(ONE, "7 <<[20 {@5 1}  5 15]>>", "", &r);
#if PICOSUIT_WITH_SLOTS
    EXPECT_INT(r.status, PICOSUIT_OK);
#else
    refused(&r, PICOSUIT_E_PARAM, c.offset, 5);
#endif
    TEST("test_config_slot_condition");
    run(ONE, "7 <<[@5 15]>>", "", &r);
    refused(&r, PICOSUIT_WITH_SLOTS ? PICOSUIT_E_CONDITION : PICOSUIT_E_COMMAND, c.offset,
            5);
}

static void swap(void) {
    sim_result r;
    TEST("test_config_swap");
    run(TWO, "20 <<[12 0 20 {22 1} @31 0]>>", "", &r);
#if PICOSUIT_WITH_SWAP
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT(strcmp(s.log, "s0") == 0);
#else
    refused(&r, PICOSUIT_E_COMMAND, c.offset, 31);
#endif
}

static void report(void) {
    uint8_t buf[200];
    size_t len = 9;
    sim_result r;
    TEST("test_config_report");
    run(ONE, "7 <<[20 {14 1} 20 {14 2}]>>", "", &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    int want = PICOSUIT_WITH_REPORT ? PICOSUIT_OK : PICOSUIT_E_UNSUPPORTED;
    EXPECT_INT(picosuit_report(s.p, buf, sizeof buf, &len), want);
    EXPECT(PICOSUIT_WITH_REPORT || len == 0);
    EXPECT_INT(picosuit_capabilities(buf, sizeof buf, &len), want);
    EXPECT(PICOSUIT_WITH_REPORT || len == 0);
}

/* The boot state is all there, or nothing of it is. */
static void boot(void) {
    TEST("test_config_boot");
    EXPECT_INT(picosuit_features() >> 7 & 1, PICOSUIT_WITH_BOOT);
#if PICOSUIT_WITH_BOOT
    static const uint8_t none[1] = {0x80};
    uint8_t buf[64];
    size_t len = 9;
    picosuit_boot b;
    memset(&b, 0, sizeof b);
    EXPECT_INT(picosuit_keyset_check(none, sizeof none), PICOSUIT_E_KEYS);
    EXPECT_INT(picosuit_boot_slot(&b), 0);
    TEST("test_config_boot_report");
#if !PICOSUIT_WITH_REPORT
    EXPECT_INT(picosuit_boot_report(&b, buf, sizeof buf, &len), PICOSUIT_E_UNSUPPORTED);
    EXPECT_INT(len, 0);
#else
    picosuit_flash flash;
    memset(&flash, 0, sizeof flash);
    b.flash = &flash;
    b.running = PICOSUIT_NO_SLOT;
    EXPECT_INT(picosuit_boot_report(&b, buf, 0, &len), PICOSUIT_E_ROOM);
    EXPECT(len > 0 && len <= sizeof buf);
#endif
#endif
    TEST("test_config_boot_codes");
    EXPECT_INT(PICOSUIT_SAFE, 5);
    EXPECT_INT(PICOSUIT_E_KEYS, -36);
    EXPECT_INT(PICOSUIT_E_REJECTED, -37);
    EXPECT_INT(PICOSUIT_E_TRIAL, -38);
}

static void strings(void) {
    TEST("test_config_strings");
    EXPECT_INT(picosuit_strerror(PICOSUIT_E_AUTH)[0] != 0, PICOSUIT_WITH_STRINGS);
}

/* No switch changes the layout of a type. */
static void layout(void) {
    TEST("test_config_layout");
    EXPECT_INT(sizeof(picosuit_platform), 14 * sizeof(void (*)(void)));
    EXPECT_INT(sizeof(picosuit_key), sizeof(void *) == 8 ? 24 : 16);
    EXPECT_INT(sizeof(picosuit_error), 16);
    EXPECT(sizeof(picosuit_info) == 52 ||
           sizeof(picosuit_info) == 56); /* align of uint64_t */
    EXPECT_INT(sizeof(picosuit_record), 16);
    EXPECT_INT(sizeof(picosuit_boot_record), 112);
    EXPECT(sizeof(picosuit_boot) <= 160 || sizeof(void *) == 8);
}

void suite_config(void) {
    sim_new(&s);
    encryption();
    mac();
    severed();
    integrated();
    slots();
    swap();
    report();
    boot();
    strings();
    layout();
    sim_case_free(&c);
    guard_free(s.work);
}
