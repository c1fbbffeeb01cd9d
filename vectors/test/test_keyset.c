/* SPDX-License-Identifier: MIT
 *
 * COSE_KeySet: what is a key set and what is not, against a parser of the test's own.
 */
#include "bootdev.h"

#if PICOSUIT_WITH_BOOT
#include <stdlib.h>

/* -- a parser that goes by CBOR items, not by positions -- */

typedef struct {
    const uint8_t *p;
    size_t left;
    int is_bad;
} reader;

static unsigned rd_head(reader *r, uint64_t *value) {
    unsigned major, low, n = 0;
    *value = 0;
    if (r->left == 0) {
        r->is_bad = 1;
        return 8;
    }
    major = r->p[0] >> 5;
    low = r->p[0] & 31u;
    r->is_bad |= low > 27;
    if (low >= 24 && low <= 27) {
        n = 1u << (low - 24);
    }
    if (r->is_bad || r->left <= n) {
        r->is_bad = 1;
        return 8;
    }
    *value = n == 0 ? low : 0;
    for (unsigned i = 1; i <= n; i++) {
        *value = *value << 8 | r->p[i];
    }
    r->is_bad |= (n == 1 && *value < 24) || (n == 2 && *value < 0x100) ||
                 (n == 4 && *value < 0x10000) || (n == 8 && *value >> 32 == 0);
    r->p += n + 1;
    r->left -= n + 1;
    return major;
}

/* An unsigned or negative integer of at most 31 bits. */
static long long rd_int(reader *r) {
    uint64_t v;
    unsigned major = rd_head(r, &v);
    r->is_bad |= major > 1 || v > 0x7fffffff;
    return r->is_bad ? 0 : major == 1 ? -1 - (long long)v : (long long)v;
}

static const uint8_t *rd_bytes(reader *r, size_t *len) {
    uint64_t v;
    const uint8_t *at;
    r->is_bad |= rd_head(r, &v) != 2 || v > r->left;
    *len = r->is_bad ? 0 : (size_t)v;
    at = r->p;
    r->p += *len;
    r->left -= *len;
    return at;
}

static void rd_must(reader *r, long long want) {
    r->is_bad |= rd_int(r) != want;
}

typedef struct {
    const uint8_t *x, *kid;
    size_t kid_len;
    long long alg, rights;
} one_key;

static void rd_key(reader *r, one_key *k) {
    uint64_t pairs;
    size_t len;
    r->is_bad |= rd_head(r, &pairs) != 5;
    r->is_bad |= pairs != 6;
    rd_must(r, 1);
    rd_must(r, 1);
    rd_must(r, 2);
    k->kid = rd_bytes(r, &k->kid_len);
    r->is_bad |= k->kid_len < 1 || k->kid_len > 23;
    rd_must(r, 3);
    k->alg = rd_int(r);
    r->is_bad |= k->alg != -19 && k->alg != -8;
    rd_must(r, -1);
    rd_must(r, 6);
    rd_must(r, -2);
    k->x = rd_bytes(r, &len);
    r->is_bad |= len != 32;
    rd_must(r, -65537);
    k->rights = rd_int(r);
    r->is_bad |= k->rights < 1 || k->rights > 31;
}

/* Keys in a set: 0 if it is none. *can_update: one of them can bring the next set. */
static unsigned parse(const uint8_t *data, size_t len, one_key *keys, int *can_update) {
    reader r = {data, len, 0};
    uint64_t n;
    *can_update = 0;
    r.is_bad |= rd_head(&r, &n) != 4;
    if (r.is_bad || n < 1 || n > 4) {
        return 0;
    }
    for (unsigned i = 0; i < n && !r.is_bad; i++) {
        rd_key(&r, &keys[i]);
        *can_update |= (keys[i].rights & 9) == 9;
    }
    return r.is_bad || r.left != 0 ? 0 : (unsigned)n;
}

/* Both parsers agree about it. */
static int agrees(const uint8_t *data, size_t len) {
    one_key keys[4];
    picosuit_key key;
    int can_update;
    unsigned n = parse(data, len, keys, &can_update);
    int st = picosuit_keyset_check(data, len);
    int is_same = st == (n > 0 && can_update ? PICOSUIT_OK : PICOSUIT_E_KEYS);
    for (unsigned i = 0; i < n; i++) {
        memset(&key, 0xee, sizeof key);
        is_same &= picosuit_keyset_key(data, len, i, &key) == 1;
        is_same &= key.key == keys[i].x && key.key_len == 32 && key.id == i + 1;
        is_same &= key.alg == keys[i].alg && key.rights == (uint32_t)keys[i].rights;
    }
    if (n > 0) {
        is_same &= picosuit_keyset_key(data, len, n, &key) == 0;
    } else {
        is_same &= picosuit_keyset_key(data, len, 4, &key) == PICOSUIT_E_KEYS;
    }
    return is_same;
}

/* -- tests -- */

static void good(vec *v, const uint8_t *data, size_t len) {
    picosuit_key key;
    char field[16];
    unsigned n = 0;
    EXPECT_INT(picosuit_keyset_check(data, len), PICOSUIT_OK);
    for (; picosuit_keyset_key(data, len, n, &key) == 1; n++) {
        EXPECT(key.key >= data && key.key + 32 <= data + len);
        EXPECT_INT(key.key_len, 32);
        EXPECT_INT(key.id, n + 1);
        field[0] = 'x', field[1] = '.', field[2] = (char)('0' + n), field[3] = 0;
        EXPECT_MEM(key.key, vec_hex(v, field, NULL), 32);
        memcpy(field, "alg.", 4), field[4] = (char)('0' + n), field[5] = 0;
        EXPECT_INT(key.alg, vec_int(v, field));
        memcpy(field, "rights.", 7), field[7] = (char)('0' + n), field[8] = 0;
        EXPECT_INT(key.rights, vec_int(v, field));
    }
    EXPECT_INT(n, data[0] & 7);
    for (unsigned i = n; i < 10; i++) {
        EXPECT_INT(picosuit_keyset_key(data, len, i, &key), 0);
    }
    EXPECT_INT(picosuit_keyset_key(data, len, 0x10000u, &key), 0);
    EXPECT_INT(picosuit_keyset_key(data, len, 0xffffffffu, &key), 0);
}

static void table(void) {
    vec v;
    unsigned good_n = 0, bad_n = 0;
    for (vec_open(&v, "boot/keysets.txt"); vec_next(&v);) {
        size_t len;
        const uint8_t *data = vec_hex(&v, "set", &len);
        TEST(vec_name(&v, "test_keyset_"));
        if (strcmp(vec_get(&v, "expect"), "ok") == 0) {
            good(&v, data, len);
            good_n++;
        } else {
            EXPECT_INT(picosuit_keyset_check(data, len), PICOSUIT_E_KEYS);
            bad_n++;
        }
        EXPECT(agrees(data, len));
    }
    TEST("test_keyset_table_is_there");
    EXPECT(good_n >= 16 && bad_n >= 60);
    TEST("test_keyset_nothing");
    EXPECT_INT(picosuit_keyset_check(NULL, 0), PICOSUIT_E_KEYS);
    picosuit_key key;
    EXPECT_INT(picosuit_keyset_key(NULL, 0, 0, &key), PICOSUIT_E_KEYS);
}

/* Flush against an unreadable page: one byte too many faults. */
static void truncations(const char *name) {
    size_t len;
    const uint8_t *set = bootdev_set(name, &len);
    picosuit_key key;
    TEST(test_name("test_keyset_truncated_%s", name));
    for (size_t n = 0; n < len; n++) {
        const uint8_t *part = guard_copy(set, n);
        EXPECT_INT(picosuit_keyset_check(part, n), PICOSUIT_E_KEYS);
        EXPECT(agrees(part, n));
        EXPECT_INT(picosuit_keyset_key(part, n, 9, &key), PICOSUIT_E_KEYS);
        guard_free(part);
    }
    TEST(test_name("test_keyset_more_behind_%s", name));
    for (unsigned v = 0; v < 256; v++) {
        uint8_t *more = guard_alloc(len + 1);
        memcpy(more, set, len);
        more[len] = (uint8_t)v;
        EXPECT_INT(picosuit_keyset_check(more, len + 1), PICOSUIT_E_KEYS);
        guard_free(more);
    }
}

static void changes(const char *name) {
    size_t len;
    const uint8_t *set = bootdev_set(name, &len);
    uint8_t *copy = guard_alloc(len);
    unsigned bad = 0, valid = 0;
    memcpy(copy, set, len);
    TEST(test_name("test_keyset_single_byte_changes_%s", name));
    for (size_t at = 0; at < len; at++) {
        for (unsigned v = 0; v < 256; v++) {
            copy[at] = (uint8_t)v;
            if (!agrees(copy, len)) {
                bad++;
                test_expect(0, test_name("byte %u = %02x", (unsigned)at, v), __FILE__,
                            __LINE__);
            }
            valid += picosuit_keyset_check(copy, len) == PICOSUIT_OK;
        }
        copy[at] = set[at];
    }
    EXPECT_INT(bad, 0);
    EXPECT(valid > 32 * 255); /* x may be anything */
    guard_free(copy);
}

/* Two bytes at once, by chance: heads and lengths that fit each other. */
static void pairs(const char *name) {
    size_t len;
    const uint8_t *set = bootdev_set(name, &len);
    uint8_t *copy = guard_alloc(len);
    uint32_t random = 1;
    unsigned bad = 0;
    TEST(test_name("test_keyset_changes_by_chance_%s", name));
    for (unsigned n = 0; n < 200000; n++) {
        memcpy(copy, set, len);
        for (unsigned k = 0; k < 2; k++) {
            random = random * 1664525u + 1013904223u;
            copy[(random >> 16) % len] = (uint8_t)(random >> 8);
        }
        bad += !agrees(copy, len);
    }
    EXPECT_INT(bad, 0);
    guard_free(copy);
}

void suite_keyset(void) {
    table();
    truncations("a");
    truncations("abcd");
    changes("a");
    changes("ab");
    changes("abcd");
    pairs("ab");
}
#else
void suite_keyset(void) {
} /* test_config */
#endif
