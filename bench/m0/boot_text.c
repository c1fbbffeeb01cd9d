/* SPDX-License-Identifier: MIT */
/* Names of codes, commands and sections for the person at the other end of the UART. */
#include "boot.h"
#include "device_text.h"

typedef struct {
    int8_t number;
    char name[19];
} name;

static const name codes[] = {
    {-1, "STATE"},     {-2, "ARG"},        {-3, "ROOM"},       {-10, "CBOR"},
    {-11, "TYPE"},     {-12, "ORDER"},     {-13, "BOUNDS"},    {-14, "TRUNCATED"},
    {-15, "TRAILING"}, {-16, "LIMIT"},     {-17, "VALUE"},     {-20, "TAG"},
    {-21, "MEMBER"},   {-22, "MISSING"},   {-23, "VERSION"},   {-24, "SEVERED"},
    {-30, "COSE"},     {-31, "ALG"},       {-32, "AUTH"},      {-33, "DIGEST"},
    {-34, "RIGHTS"},   {-35, "ROLLBACK"},  {-40, "COMPAT"},    {-41, "COMPONENT"},
    {-42, "INDEX"},    {-43, "COMMAND"},   {-44, "SHARED"},    {-45, "PARAM"},
    {-46, "SEQUENCE"}, {-47, "SOFT"},      {-50, "CONDITION"}, {-51, "TRY"},
    {-52, "UNSET"},    {-53, "TRANSIENT"}, {-54, "STEPS"},     {-55, "UNSUPPORTED"},
    {-60, "FETCH"},    {-61, "LENGTH"},    {-62, "DECRYPT"},   {-63, "CAPACITY"},
    {-56, "INVOKE"},   {-70, "PLATFORM"},
};

static const name labels[] = {
    {1, "vendor-identifier"},
    {2, "class-identifier"},
    {3, "image-match"},
    {5, "component-slot"},
    {6, "check-content"},
    {12, "component-index"},
    {14, "abort"},
    {15, "try-each"},
    {18, "write"},
    {20, "override-params"},
    {21, "fetch"},
    {22, "copy"},
    {23, "invoke"},
    {24, "device-identifier"},
    {32, "run-sequence"},
};

static const name sections[] = {
    {3, "shared-sequence"}, {7, "validate"},       {8, "load"},
    {9, "invoke"},          {16, "payload-fetch"}, {20, "install"},
};

static const char *name_of(const name *table, unsigned n, int32_t number) {
    for (unsigned i = 0; i < n; i++) {
        if (table[i].number == number) {
            return table[i].name;
        }
    }
    return "?";
}

#define NAME(table, number) name_of(table, sizeof table / sizeof table[0], number)

/* Does the label of this code name a command? */
static int is_command(int code) {
    return code == PICOSUIT_E_CONDITION || code == PICOSUIT_E_TRY ||
           code == PICOSUIT_E_COMMAND || code == PICOSUIT_E_SHARED ||
           code == PICOSUIT_E_TRANSIENT || code <= PICOSUIT_E_FETCH;
}

/* refused: E_CONDITION (-50) at 412: class-identifier in shared-sequence, component 0:
 * ... */
void text_verdict(const picosuit *p, const char *what) {
    const picosuit_error *e = picosuit_last_error(p);
    text(what);
    text("E_");
    text(NAME(codes, e->code));
    text(" (");
    text_number(e->code);
    text(") at ");
    text_number((int32_t)e->offset);
    text(": ");
    if (e->section != 0) {
        if (is_command(e->code)) {
            text(NAME(labels, e->label));
            text(" in ");
        } else if (e->label != 0) {
            text("label ");
            text_number(e->label);
            text(" in ");
        }
        text(NAME(sections, e->section));
        if (e->component != 255) {
            text(", component ");
            text_number(e->component);
        }
        text(": ");
    }
    text(picosuit_strerror(e->code));
    if (e->platform != 0) {
        text(", platform ");
        text_number(e->platform);
    }
    text("\r\n");
}
