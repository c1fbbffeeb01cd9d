/* SPDX-License-Identifier: MIT
 *
 * CBOR from text, so that a test can say what it means. Included by simdev.c only.
 *
 *   12  -3  true  false  null      as they are
 *   h'00ff'  'bytes'  "text"       strings
 *   z(300)                         byte string of 300 zeros
 *   [1, 2]  {3: 4}  18(item)       array, map, tag
 *   << item item >>                byte string that holds the items
 *   raw'1f'                        these bytes, counted as one item
 *   @item                          the offset of this item goes to `mark`
 *
 * Commas and colons are blanks. Heads are the shortest; map keys stay in the order given.
 */
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *at; /* next character */
    uint8_t *buf;
    size_t cap;
    size_t len;
    size_t mark; /* offset of the marked item; SIZE_MAX: none */
} diag;

static void diag_die(const diag *d, const char *what) {
    fprintf(stderr, "diag: %s before: %.40s\n", what, d->at);
    exit(2);
}

static void diag_put(diag *d, const uint8_t *data, size_t len) {
    if (len > d->cap - d->len) {
        diag_die(d, "no room");
    }
    if (len > 0) {
        memcpy(d->buf + d->len, data, len);
    }
    d->len += len;
}

static size_t diag_head(uint8_t head[9], unsigned major, uint64_t value) {
    unsigned bytes = value < 24        ? 0
                     : value < 0x100   ? 1
                     : value < 0x10000 ? 2
                     : value >> 32     ? 8
                                       : 4;
    unsigned low = bytes == 0 ? (unsigned)value : bytes == 1 ? 24u : 0u;
    low = bytes == 2 ? 25u : bytes == 4 ? 26u : bytes == 8 ? 27u : low;
    head[0] = (uint8_t)(major << 5 | low);
    for (unsigned i = 0; i < bytes; i++) {
        head[1 + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
    return 1 + (size_t)bytes;
}

static void diag_put_head(diag *d, unsigned major, uint64_t value) {
    uint8_t head[9];
    size_t n = diag_head(head, major, value);
    diag_put(d, head, n);
}

/* Puts a head in front of what was written since `from`. */
static void diag_wrap(diag *d, size_t from, unsigned major, uint64_t value) {
    uint8_t head[9];
    size_t n = diag_head(head, major, value);
    diag_put(d, head, n);
    memmove(d->buf + from + n, d->buf + from, d->len - from - n);
    memcpy(d->buf + from, head, n);
    if (d->mark != SIZE_MAX && d->mark >= from) {
        d->mark += n;
    }
}

static void diag_skip(diag *d) {
    d->at += strspn(d->at, " \n,:");
}

static int diag_is(diag *d, const char *word) {
    size_t n = strlen(word);
    if (strncmp(d->at, word, n) != 0) {
        return 0;
    }
    d->at += n;
    return 1;
}

static uint64_t diag_digits(diag *d) {
    char *end;
    uint64_t v = strtoull(d->at, &end, 10);
    d->at = end;
    return v;
}

static void diag_hex(diag *d) {
    while (*d->at != 0 && *d->at != '\'') {
        unsigned v;
        if (sscanf(d->at, "%2x", &v) != 1) {
            diag_die(d, "not hexadecimal");
        }
        uint8_t b = (uint8_t)v;
        diag_put(d, &b, 1);
        d->at += 2;
    }
    d->at++;
}

static void diag_text(diag *d, char close) {
    const char *end = strchr(d->at, close);
    if (end == NULL) {
        diag_die(d, "string without end");
        return;
    }
    diag_put(d, (const uint8_t *)d->at, (size_t)(end - d->at));
    d->at = end + 1;
}

static void diag_string(diag *d) {
    size_t from = d->len;
    if (diag_is(d, "z(")) {
        uint64_t n = diag_digits(d);
        const uint8_t zero = 0;
        for (; n > 0; n--) {
            diag_put(d, &zero, 1);
        }
        d->at++;
        diag_wrap(d, from, 2, d->len - from);
    } else if (diag_is(d, "h'")) {
        diag_hex(d);
        diag_wrap(d, from, 2, d->len - from);
    } else if (diag_is(d, "raw'")) {
        diag_hex(d);
    } else if (diag_is(d, "'")) {
        diag_text(d, '\'');
        diag_wrap(d, from, 2, d->len - from);
    } else if (diag_is(d, "\"")) {
        diag_text(d, '"');
        diag_wrap(d, from, 3, d->len - from);
    } else {
        diag_die(d, "unknown item");
    }
}

static void diag_item(diag *d);

/* Items up to the closing word; returns how many. */
static size_t diag_list(diag *d, const char *close) {
    size_t n = 0;
    for (diag_skip(d); *d->at != 0 && !diag_is(d, close); diag_skip(d)) {
        diag_item(d);
        n++;
    }
    return n;
}

static void diag_number(diag *d) {
    int is_negative = diag_is(d, "-");
    uint64_t v = diag_digits(d);
    size_t from = d->len;
    if (diag_is(d, "(")) {
        diag_list(d, ")");
        diag_wrap(d, from, 6, v);
    } else {
        diag_put_head(d, is_negative ? 1 : 0, is_negative ? v - 1 : v);
    }
}

static void diag_plain(diag *d) {
    size_t from = d->len;
    if (strchr("-0123456789", *d->at) != NULL && *d->at != 0) {
        diag_number(d);
    } else if (diag_is(d, "<<")) {
        diag_list(d, ">>");
        diag_wrap(d, from, 2, d->len - from);
    } else if (diag_is(d, "[")) {
        size_t n = diag_list(d, "]");
        diag_wrap(d, from, 4, n);
    } else if (diag_is(d, "{")) {
        size_t n = diag_list(d, "}");
        diag_wrap(d, from, 5, n / 2);
    } else if (diag_is(d, "true")) {
        diag_put_head(d, 7, 21);
    } else if (diag_is(d, "false")) {
        diag_put_head(d, 7, 20);
    } else if (diag_is(d, "null")) {
        diag_put_head(d, 7, 22);
    } else {
        diag_string(d);
    }
}

static void diag_item(diag *d) {
    diag_skip(d);
    size_t from = d->len;
    int is_marked = diag_is(d, "@");
    diag_plain(d);
    if (is_marked) {
        d->mark = from;
    }
}
