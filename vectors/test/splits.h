/* SPDX-License-Identifier: MIT
 *
 * One envelope in every way it can arrive: the outcome must be the same.
 */
#ifndef SPLITS_H
#define SPLITS_H

#include "simdev.h"

static void splits_same(const sim *s, const char *how, size_t at, const sim_result *want,
                        const sim_result *got) {
    if (!sim_same(want, got) || s->bad != 0) {
        test_expect(0,
                    test_name("%s at %u: %s at %u, not %s at %u; %s", how, (unsigned)at,
                              sim_code_name(got->status), (unsigned)got->error.offset,
                              sim_code_name(want->status), (unsigned)want->error.offset,
                              s->bad ? s->why : "rules kept"),
                    __FILE__, __LINE__);
    } else {
        EXPECT(1);
    }
}

/* Two parts, cut at every byte. Behind the authentication wrapper most of them share one
 * context that was fed up to there, so that a signature is not verified a thousand times:
 * three parts. Where not all are tried, `turn` says which. */
static void splits_cut(sim *s, const sim_case *c, const sim_result *whole, size_t turn) {
    static sim_snapshot snap;
    sim_result r;
    size_t end = sim_wrapper_end(c), len = c->envelope.len;
    int is_shared = end > 0 && sim_snapshot_take(s, c, end + 1, &snap);
    size_t step = sim_stride(len, len < 1200 ? 1200 : 300);
    for (size_t at = 1 + turn % step; at < len; at += step) {
        s->from = is_shared && at > end + 1 && at % 16 != 0 ? &snap : NULL;
        sim_run(s, c, SIM_SPLIT, at, &r);
        splits_same(s, s->from != NULL ? "cut behind the wrapper and" : "cut", at, whole,
                    &r);
    }
    s->from = NULL;
}

/* `whole` is what came of the envelope given in one piece. */
static void splits_run(sim *s, const sim_case *c, const sim_result *whole) {
    static const size_t frames[] = {2, 3, 7, 9, 63, 64, 65, 100};
    static size_t turn; /* each envelope has its own sample */
    size_t less = sim_quick() > 1 ? sim_quick() : 1;
    sim_result r;
    turn++;
    sim_run(s, c, SIM_BYTES, 0, &r);
    splits_same(s, "byte by byte", 0, whole, &r);
    s->zero_feeds = s->moves = 1;
    sim_run(s, c, SIM_BYTES, 0, &r);
    splits_same(s, "byte by byte, moving", 0, whole, &r);
    s->zero_feeds = s->moves = 0;
    for (size_t i = turn % less; i < sizeof frames / sizeof *frames; i += less) {
        sim_run(s, c, SIM_FRAMES, frames[i], &r);
        splits_same(s, "in frames", frames[i], whole, &r);
    }
    splits_cut(s, c, whole, turn);
}

#endif
