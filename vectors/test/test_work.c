/* SPDX-License-Identifier: MIT
 *
 * How much work buffer an update needs: E_ROOM says it, that much is enough, and one byte
 * less is not. With WORK_CSV in the environment the figures go there, for
 * bench/targets.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "simdev.h"

#define ROUNDS 16 /* E_ROOM knows what the bytes so far need, so it takes a few */

static sim device;

static int run_with(sim_case *c, size_t work, sim_result *r) {
    c->work = work;
    sim_run(&device, c, SIM_FRAMES, 64, r);
    return r->status;
}

/* Bytes of work for one record, 0 if it never ends well. */
static size_t work_of(sim_case *c) {
    size_t work = 1;
    sim_result r;
    for (int i = 0; i < ROUNDS && run_with(c, work, &r) == PICOSUIT_E_ROOM; i++) {
        if (!EXPECT(r.error.label > (int32_t)work)) {
            return 0;
        }
        work = (size_t)r.error.label;
    }
    return EXPECT_INT(r.status, PICOSUIT_OK) ? work : 0;
}

static void measure(const char *record, const char *figure) {
    static sim_case c;
    sim_result r;
    if (!sim_case_find(&c, "suit/index.txt", record) ||
        (c.needs & ~picosuit_features()) != 0) {
        return;
    }
    TEST(test_name("test_%s_is_enough", figure));
    size_t work = work_of(&c);
    TEST(test_name("test_%s_less_is_refused", figure));
    EXPECT_INT(run_with(&c, work - 1, &r), PICOSUIT_E_ROOM);
    EXPECT_INT(r.error.label, work);
    FILE *f = getenv("WORK_CSV") ? fopen(getenv("WORK_CSV"), "a") : NULL;
    if (f != NULL) {
        fprintf(f, "%s,%u\n", figure, (unsigned)work);
        fclose(f);
    }
    sim_case_free(&c);
}

void suite_work(void) {
    sim_new(&device);
    measure("plain_320", "work_plain");
    measure("demo_ab", "work_demo_ab");
}
