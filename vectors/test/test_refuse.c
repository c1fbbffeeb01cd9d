/* SPDX-License-Identifier: MIT
 *
 * Every vector that must be refused: by its code and at its byte, however it arrives; the
 * slot in progress is closed as bad once, and nothing else is written.
 */
#include "splits.h"

static sim s, before;

static void expect_harmless(const sim_case *c, const sim_result *r) {
    unsigned begun = r->n.by[SIM_BEGIN], ended = r->n.by[SIM_END];
    EXPECT_INT(ended, begun);
    EXPECT(r->n.ends_bad <= begun);
    EXPECT(s.bad == 0);
    EXPECT(sim_same_flash(&before, &s));
    EXPECT_INT(r->invoked, c->invoked >= 0 ? c->invoked : -1);
    if (r->stage != SIM_AT_RUN) {
        EXPECT_INT(begun + r->n.by[SIM_READ] + r->n.by[SIM_INVOKE], 0);
    }
}

/* After the failure of a command that fills a component, that component holds nothing. */
static void expect_spoiled(const sim_result *r) {
    int code = r->status;
    if (code == PICOSUIT_E_LENGTH || code == PICOSUIT_E_DECRYPT ||
        code == PICOSUIT_E_FETCH) {
        EXPECT(r->n.ends_bad <= 1);
    }
    if (r->n.ends_bad == 1 && s.spoiled >= 0) {
        EXPECT_INT(sim_stored(&s, s.spoiled), 0);
    }
}

static void refuse(const sim_case *c) {
    sim_result whole, r;
    TEST(c->name);
    EXPECT(c->expect < 0 && c->offset >= 0);
    sim_setup(&s, c);
    before = s;
    sim_run(&s, c, SIM_WHOLE, 0, &whole);
    expect_harmless(c, &whole);
    expect_spoiled(&whole);
    if (!sim_expect(&s, c, &whole, 0)) {
        return;
    }
    splits_run(&s, c, &whole);
    if (c->expect != PICOSUIT_E_ROOM) {
        TEST(test_name("%s_open", c->name));
        sim_run(&s, c, SIM_OPEN, 0, &r);
        sim_expect(&s, c, &r, 1);
        expect_harmless(c, &r);
    }
}

void suite_refuse(void) {
    static sim_case c;
    vec v;
    unsigned n = 0;
    sim_new(&s);
    for (vec_open(&v, "refuse/index.txt"); sim_case_next(&v, &c, 0); n++) {
        refuse(&c);
    }
    CHECK("test_refuse_at_least_120", n >= 120 || picosuit_features() != 0x1df);
    guard_free(s.work);
}
