/* SPDX-License-Identifier: MIT */
/* Names of codes, commands and sections for the person at the other end of the UART. */
#include <string.h>
#include "boot.h"
#include "device_text.h"

/* Each table is a list of numbers and one string with all the names, in the same order.
 */
/* clang-format off */
#define CODES(X)                                                                       \
    X(-1, "STATE") X(-2, "ARG") X(-3, "ROOM") X(-10, "CBOR") X(-11, "TYPE")            \
    X(-12, "ORDER") X(-13, "BOUNDS") X(-14, "TRUNCATED") X(-15, "TRAILING")            \
    X(-16, "LIMIT") X(-17, "VALUE") X(-20, "TAG") X(-21, "MEMBER") X(-22, "MISSING")   \
    X(-23, "VERSION") X(-24, "SEVERED") X(-30, "COSE") X(-31, "ALG") X(-32, "AUTH")    \
    X(-33, "DIGEST") X(-34, "RIGHTS") X(-35, "ROLLBACK") X(-36, "KEYS")                \
    X(-37, "REJECTED") X(-38, "TRIAL") X(-40, "COMPAT") X(-41, "COMPONENT")            \
    X(-42, "INDEX") X(-43, "COMMAND") X(-44, "SHARED") X(-45, "PARAM")                 \
    X(-46, "SEQUENCE") X(-47, "SOFT") X(-50, "CONDITION") X(-51, "TRY")                \
    X(-52, "UNSET") X(-53, "TRANSIENT") X(-54, "STEPS") X(-55, "UNSUPPORTED")          \
    X(-56, "INVOKE") X(-60, "FETCH") X(-61, "LENGTH") X(-62, "DECRYPT")                \
    X(-63, "CAPACITY") X(-70, "PLATFORM")
#define LABELS(X)                                                                      \
    X(1, "vendor-identifier") X(2, "class-identifier") X(3, "image-match")             \
    X(5, "component-slot") X(6, "check-content") X(12, "component-index")              \
    X(14, "abort") X(15, "try-each") X(18, "write") X(20, "override-params")           \
    X(21, "fetch") X(22, "copy") X(23, "invoke") X(24, "device-identifier")            \
    X(32, "run-sequence")
#define SECTIONS(X)                                                                    \
    X(3, "shared-sequence") X(7, "validate") X(8, "load") X(9, "invoke")               \
    X(16, "payload-fetch") X(20, "install")
/* clang-format on */

#define NUMBER(number, name) number,
#define NAME(number, name) name "\0"

static const int8_t code_numbers[] = {CODES(NUMBER)};
static const char code_names[] = CODES(NAME);
static const int8_t label_numbers[] = {LABELS(NUMBER)};
static const char label_names[] = LABELS(NAME);
static const int8_t section_numbers[] = {SECTIONS(NUMBER)};
static const char section_names[] = SECTIONS(NAME);

static void text_name(const int8_t *numbers, const char *names, unsigned n,
                      int32_t number) {
    unsigned i = 0;
    while (i < n && numbers[i] != number) {
        names += strlen(names) + 1;
        i++;
    }
    text(i < n ? names : "?");
}

#define TEXT_NAME(table, number)                                                         \
    text_name(table##_numbers, table##_names, sizeof table##_numbers, number)

/* Does the label of this code name a command? */
static int is_command(int code) {
    return code == PICOSUIT_E_CONDITION || code == PICOSUIT_E_TRY ||
           code == PICOSUIT_E_COMMAND || code == PICOSUIT_E_SHARED ||
           code == PICOSUIT_E_TRANSIENT || code <= PICOSUIT_E_FETCH;
}

void text_code(int code) {
    text("E_");
    TEXT_NAME(code, code);
    text(" (");
    text_number(code);
    text(")");
}

/* Where in the manifest: class-identifier in shared-sequence, component 0 */
static void text_place(const picosuit_error *e) {
    if (is_command(e->code)) {
        TEXT_NAME(label, e->label);
        text(" in ");
    } else if (e->label != 0) {
        text("label ");
        text_number(e->label);
        text(" in ");
    }
    TEXT_NAME(section, e->section);
    if (e->component != 255) {
        text(", component ");
        text_number(e->component);
    }
}

/* refused: E_CONDITION (-50) at 412: class-identifier in shared-sequence, component 0 */
void text_verdict(const picosuit *p, int st, const char *what) {
    const picosuit_error *e = picosuit_last_error(p);
    text(what);
    text_code(st);
    if (e->code == st) { /* else it is the boot state that says no, not the envelope */
        text(" at ");
        text_number((int32_t)e->offset);
        if (e->section != 0) {
            text(": ");
            text_place(e);
        }
        if (e->platform != 0) {
            text(", platform ");
            text_number(e->platform);
        }
    }
    text("\r\n");
}
