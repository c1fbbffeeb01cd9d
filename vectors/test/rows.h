/* SPDX-License-Identifier: MIT
 *
 * Manifests made from a few words, for tests that are tables.
 *
 * The device of a row holds A in component 0, B in 1 and C in 2; the URIs "a", "b" and
 * "c" give the same contents.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdio.h>

#include "simdev.h"

#define SUM_A                                                                            \
    "<<[-16 h'bf332c69c164c8c06e333f5c4b3ee5072c9de334d2f9fbbdc4cc01dcfc685d45']>>"
#define SUM_B                                                                            \
    "<<[-16 h'3b04dfacc96619600e0a8749b05719b366c1f058ab5786ceaa8d2833c7212dfd']>>"
#define SUM_C                                                                            \
    "<<[-16 h'9ebeb31e12b687e6275237f26c39d3e3179d2362260141b4f41171b20ef03358']>>"
#define IS_A "3 " SUM_A " 14 100"
#define IS_B "3 " SUM_B " 14 200"
#define IS_C "3 " SUM_C " 14 300"
#define VENDOR "1 h'fa6b4a53d5ad5fdfbe9de663e4d41ffe'"
#define CLASS "2 h'1492af1425695e48bf429b2d51f2ab45'"
#define DEVICE "24 h'86fb4da071ef5837a97f292e427cc78f'"
#define OTHER "h'00112233445566778899aabbccddeeff'"
#define ONE "[[h'00']]"
#define TWO "[[h'00'] [h'01']]"
#define THREE "[[h'00'] [h'01'] [h'02']]"

typedef struct {
    const char *name;
    const char *components; /* identifiers */
    const char *shared;     /* sequence, NULL: none */
    const char *rest;       /* members behind common; @ marks where the error is */
    const char *log;        /* effects, as sim.log; NULL: not said */
    int procedure;
    int code;
    int32_t label;
    int writes; /* -1: not said */
} row;

#define U PICOSUIT_UPDATE
#define I PICOSUIT_INVOKE

static void row_payloads(sim_case *c) {
    static uint8_t buf[300];
    static const char *const uri[3] = {"a", "b", "c"};
    for (unsigned i = 0; i < 3; i++) {
        size_t len = 100 + 100 * (size_t)i;
        sim_pattern(buf, len, i + 1);
        c->initial[i].data = guard_copy(buf, len);
        c->initial[i].len = len;
        sim_case_serve(c, uri[i], buf, len);
    }
}

/* What a row uses, bits as picosuit_features: component-slot, swap. */
static unsigned row_needs(const char *text) {
    static const char *const slot[] = {" 5 15", "@5 15", "{5 "};
    unsigned needs = strstr(text, "31 0") != NULL ? 32 : 0;
    for (int i = 0; i < 3; i++) {
        needs |= strstr(text, slot[i]) != NULL ? 16u : 0u;
    }
    return needs;
}

/* Makes `c` from a row. */
static void row_case(sim_case *c, const row *r, const char *members) {
    static char text[8192];
    size_t mark = SIZE_MAX;
    sim_case_free(c);
    snprintf(c->name, sizeof c->name, "%s", r->name);
    row_payloads(c);
    snprintf(text, sizeof text, "{1 1 2 5 3 <<{2 %s %s %s %s}>> %s}", r->components,
             r->shared ? "4 <<" : "", r->shared ? r->shared : "", r->shared ? ">>" : "",
             r->rest);
    sim_envelope(c, text, members, &mark);
    c->procedure[0] = r->procedure;
    c->expect = r->code;
    c->offset = mark == SIZE_MAX ? -1 : (long long)mark;
    c->has_label = r->label != 0;
    c->label = r->label;
    c->writes = r->writes;
    c->slot = 1;
    c->needs = row_needs(text);
}

static inline int row_is_runnable(const sim_case *c) {
    return (c->needs & ~picosuit_features()) == 0;
}

#endif
