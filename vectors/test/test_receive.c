/* SPDX-License-Identifier: MIT
 *
 * Every vector that works: in one piece, byte by byte, cut at every place, and from
 * memory.
 */
#include "splits.h"

static sim s;

static void receive(const sim_case *c) {
    sim_result whole, r;
    TEST(test_name("test_receive_%s", c->name));
    sim_run(&s, c, SIM_WHOLE, 0, &whole);
    if (!sim_expect(&s, c, &whole, 0)) {
        return;
    }
    splits_run(&s, c, &whole);
    if (c->expect != PICOSUIT_E_ROOM) { /* in memory, less work is needed */
        TEST(test_name("test_receive_open_%s", c->name));
        sim_run(&s, c, SIM_OPEN, 0, &r);
        sim_expect(&s, c, &r, 1);
        s.moves = 1;
        sim_run(&s, c, SIM_OPEN, 0, &r);
        sim_expect(&s, c, &r, 1);
        s.moves = 0;
    }
}

void suite_receive(void) {
    static sim_case c;
    vec v;
    sim_new(&s);
    for (vec_open(&v, "suit/index.txt"); sim_case_next(&v, &c, 0);) {
        receive(&c);
    }
    guard_free(s.work);
}
