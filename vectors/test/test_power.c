/* SPDX-License-Identifier: MIT
 *
 * Power is lost at every flash operation of an update, inside every erase, in the middle
 * of a write unit: the same manifest brings it to the end, without sending much again.
 */
#include "rows.h"

static sim s;

/* -- one cut, then again -- */

/* The bytes that were sent twice: those of the last erase page, and those not yet
 * written. */
static int is_frugal(const sim_result *first, const sim_result *second) {
    uint32_t most = s.page + 64 + 16;
    if (first->fetches != 1 || second->fetches != 1 || first->n.by[SIM_END] != 0) {
        return 1; /* not one transfer that was cut */
    }
    return first->sent <= second->from + most;
}

static int cut(const sim_case *c, const sim_result *whole, unsigned at) {
    sim_result first, second;
    sim_setup(&s, c);
    s.cut_at = at;
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &first);
    int was_cut = s.dead && first.status == PICOSUIT_E_PLATFORM && first.held[0] <= 1;
    sim_power(&s);
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &second);
    int is_same = second.status == whole->status && second.invoked == whole->invoked &&
                  memcmp(second.held, whole->held, sizeof second.held) == 0 &&
                  memcmp(second.digest, whole->digest, sizeof second.digest) == 0;
    if (was_cut && is_same && s.bad == 0 && is_frugal(&first, &second)) {
        return 1;
    }
    test_expect(0,
                test_name("cut after %u: %s, then %s at %u; sent %u, then %u from %u; %s",
                          at, sim_code_name(first.status), sim_code_name(second.status),
                          (unsigned)second.error.offset, (unsigned)first.sent,
                          (unsigned)second.sent, (unsigned)second.from, s.why),
                __FILE__, __LINE__);
    return 0;
}

/* Operations of the whole update; `whole` is what came of it. */
static unsigned measure(const sim_case *c, sim_result *whole) {
    sim_setup(&s, c);
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, whole);
    return whole->status == PICOSUIT_OK ? s.ops : 0;
}

static void every_cut(const sim_case *c, size_t most) {
    sim_result whole;
    unsigned ops = measure(c, &whole);
    if (ops == 0) {
        return;
    }
    TEST(test_name("test_power_%s_page_%u_erased_%02x%s", c->name, (unsigned)s.page,
                   s.erased, s.tears ? "_torn" : ""));
    int is_good = 1;
    for (unsigned at = 1; is_good && at < ops; at += (unsigned)sim_stride(ops, most)) {
        is_good = cut(c, &whole, at);
    }
    EXPECT(is_good);
}

/* -- another image, or another beginning, in the slot -- */

static void after(const sim_case *first, const sim_case *c, const char *name) {
    sim_result whole, old, r;
    unsigned ops = measure(first, &old);
    measure(c, &whole);
    TEST(test_name("test_power_after_%s", name));
    EXPECT(ops > 0);
    for (unsigned at = 1; at <= ops; at += 7) {
        sim_setup(&s, first);
        s.cut_at = at < ops ? at : 0;
        sim_process(&s, first->procedure[0], SIM_FRAMES, 64, &old);
        s.of = c;
        sim_power(&s);
        sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
        if (r.status != PICOSUIT_OK || s.bad != 0 || r.from != 0 ||
            memcmp(r.digest, whole.digest, sizeof r.digest) != 0) {
            test_expect(0,
                        test_name("after %u: %s from %u; %s", at, sim_code_name(r.status),
                                  (unsigned)r.from, s.why),
                        __FILE__, __LINE__);
            return;
        }
    }
}

/* A begins, B begins and is cut while it erases, A comes again. The rule "image pages,
 * then the manifest page" may cost A one attempt; "the manifest page first" never does.
 */
static void third(const sim_case *a, const sim_case *b, int id_first) {
    sim_result r;
    unsigned ops, lost = 0;
    s.id_first = id_first;
    TEST(test_name("test_power_back_to_the_first_%s",
                   id_first ? "id_first" : "image_first"));
    ops = measure(b, &r);
    for (unsigned at = 1; at < ops; at++) {
        sim_setup(&s, a);
        s.cut_at = 60 + at % 40;
        sim_process(&s, a->procedure[0], SIM_FRAMES, 64, &r);
        s.of = b;
        sim_power(&s);
        s.cut_at = at;
        sim_process(&s, b->procedure[0], SIM_FRAMES, 64, &r);
        s.of = a;
        sim_power(&s);
        sim_process(&s, a->procedure[0], SIM_FRAMES, 64, &r);
        if (r.status != PICOSUIT_OK) {
            lost++;
            EXPECT_INT(sim_stored(&s, SIM_KEYS), 0);
            sim_power(&s);
            sim_process(&s, a->procedure[0], SIM_FRAMES, 64, &r);
        }
        EXPECT_INT(r.status, PICOSUIT_OK);
        EXPECT_INT(s.bad, 0);
    }
    EXPECT(!id_first || lost == 0);
    s.id_first = 0;
}

/* -- two cuts in one update, all pairs -- */

static void two_cuts(const sim_case *c) {
    sim_result whole, r;
    unsigned ops = measure(c, &whole);
    unsigned step = (unsigned)sim_stride(ops, 400);
    TEST(test_name("test_power_two_cuts_%s", c->name));
    for (unsigned first = 1; first < ops; first += step) {
        int is_over = 0;
        for (unsigned second = 1; !is_over; second += step) {
            sim_setup(&s, c);
            s.cut_at = first;
            sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
            sim_power(&s);
            s.cut_at = second;
            sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
            is_over = !s.dead;
            sim_power(&s);
            sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
            if (r.status != PICOSUIT_OK || s.bad != 0 ||
                memcmp(r.digest, whole.digest, sizeof r.digest) != 0) {
                test_expect(0,
                            test_name("cut after %u and %u: %s; %s", first, second,
                                      sim_code_name(r.status), s.why),
                            __FILE__, __LINE__);
                return;
            }
        }
    }
    EXPECT(ops > 0);
}

/* -- a platform that waits, or fails, while an update is resumed -- */

static void resume_half(const sim_case *c, unsigned ops) {
    sim_result r;
    sim_setup(&s, c);
    s.cut_at = ops - 40;
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
    sim_power(&s);
    memset(&s.n, 0, sizeof s.n);
    s.log[0] = 0;
}

static void resume_injected(const sim_case *c) {
    sim_result whole, plain, r;
    unsigned ops = measure(c, &whole);
    if (!EXPECT(ops > 100)) {
        return;
    }
    TEST(test_name("test_power_resume_again_%s", c->name));
    resume_half(c, ops);
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &plain);
    EXPECT(plain.status == PICOSUIT_OK && plain.n.by[SIM_READ] > 0);
    for (unsigned n = 1; n <= plain.n.calls; n++) {
        resume_half(c, ops);
        s.again_at = n;
        sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
        EXPECT(sim_same(&plain, &r) && s.bad == 0 && r.agains == 1);
    }
    resume_half(c, ops);
    s.again_each = 1;
    sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
    EXPECT(sim_same(&plain, &r) && s.bad == 0);
    TEST(test_name("test_power_resume_fail_%s", c->name));
    for (unsigned n = 1; n <= plain.n.calls; n++) {
        resume_half(c, ops);
        s.fail_at = n;
        sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
        EXPECT(r.status == PICOSUIT_E_PLATFORM && s.bad == 0);
        EXPECT_INT(r.n.by[SIM_END] + (s.failed == SIM_END), r.n.by[SIM_BEGIN]);
        sim_power(&s);
        sim_process(&s, c->procedure[0], SIM_FRAMES, 64, &r);
        EXPECT(r.status == PICOSUIT_OK && s.bad == 0);
        EXPECT(memcmp(r.digest, whole.digest, sizeof r.digest) == 0);
    }
}

/* -- manifests of this test: component 'keys' has 1024 bytes -- */

#define KEYS "[['keys']]"

static const row small[] = {
    {"plain", KEYS, NULL,
     "7 <<[20 {" IS_C "} 3 15]>> 20 <<[20 {" IS_C " 21 \"c\"} 21 0 3 15]>>", NULL, U, 0,
     0, -1},
    {"other", KEYS, NULL,
     "7 <<[20 {" IS_B "} 3 15]>> 20 <<[20 {" IS_B " 21 \"b\"} 21 0 3 15]>>", NULL, U, 0,
     0, -1},
    {"without_size", KEYS, NULL, "20 <<[20 {21 \"c\"} 21 0 20 {" IS_C "} 3 15]>>", NULL,
     U, 0, 0, -1},
    {"copied", "[['keys'] [h'02']]", NULL, "20 <<[12 0 20 {" IS_C " 22 1} 22 0 3 15]>>",
     NULL, U, 0, 0, -1},
    {"written", KEYS, NULL, "20 <<[20 {18 z(200)} 18 0 6 15]>>", NULL, U, 0, 0, -1},
    {"two_in_turn", "[['keys'] ['denied']]", NULL,
     "20 <<[12 0 20 {" IS_C " 21 \"c\"} 21 0 12 1 20 {" IS_B
     " 21 \"b\"} 21 0 12 true 3 15]>>",
     NULL, U, 0, 0, -1},
    {"second_source", KEYS, NULL,
     "20 <<[20 {" IS_C "} 15 [<<[20 {14 200 21 \"b\"} 21 0 3 15]>> "
     "<<[20 {14 300 21 \"c\"} 21 0 3 15]>>]]>>",
     NULL, U, 0, 0, -1},
};

#define SMALL (sizeof small / sizeof *small)

static void small_updates(void) {
    static const uint32_t pages[] = {128, 256, 512, 1024};
    static sim_case c;
    for (size_t i = 0; i < SMALL; i++) {
        if (strstr(small[i].components, "denied") != NULL) {
            continue; /* not for the key of rows */
        }
        for (size_t p = 0; p < 4; p++) {
            s.page = pages[p];
            sim_layout(&s);
            row_case(&c, &small[i], "");
            for (int variant = 0; variant < 3; variant++) {
                s.erased = variant == 1 ? 0 : 0xFF;
                s.tears = variant == 2;
                every_cut(&c, 2000);
            }
            s.erased = 0xFF;
            s.tears = 0;
        }
    }
    s.page = 128;
    sim_layout(&s);
    for (size_t i = 0; i < SMALL; i++) {
        if (strstr(small[i].components, "denied") == NULL) {
            row_case(&c, &small[i], "");
            two_cuts(&c);
        }
    }
    sim_case_free(&c);
}

static void other_contents(void) {
    static sim_case a, b;
    s.page = 128;
    sim_layout(&s);
    row_case(&a, &small[1], "");
    row_case(&b, &small[0], "");
    after(&a, &b, "another_update");
    after(&b, &a, "a_longer_update");
    third(&b, &a, 0);
    third(&b, &a, 1);
    sim_case_free(&a);
    sim_case_free(&b);
}

/* Every vector that writes, with real signatures and decryption. */
static void vectors(void) {
    static sim_case c;
    vec v;
    unsigned encrypted = 0;
    s.page = 256;
    sim_layout(&s);
    for (vec_open(&v, "suit/index.txt"); sim_case_next(&v, &c, 0);) {
        int is_encrypted = strncmp(c.name, "enc_", 4) == 0;
        int is_whole = strcmp(c.name, "fetch_uri") == 0 || (is_encrypted && !encrypted++);
        if (c.expect == PICOSUIT_OK && c.writes != 0) {
            every_cut(&c, is_whole ? 1200 : is_encrypted ? 60 : 30);
            if (is_whole) {
                resume_injected(&c);
            }
        }
    }
}

void suite_power(void) {
    sim_new(&s);
    small_updates();
    other_contents();
    vectors();
    guard_free(s.work);
}
