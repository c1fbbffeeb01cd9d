/* SPDX-License-Identifier: MIT
 *
 * Envelopes on a device that holds its Ed25519 keys expanded: each of them ends as it
 * does with the keys alone. Without PICOSUIT_ED25519_EXPANDED such a key is none.
 */
#include "simdev.h"

#define KEY_LEN PICOSUIT_EXPANDED_LEN

static sim s;
static sim_case c;

static uint8_t
    *blob[2]; /* of the keys `root` and `eddsa`, flush with unreadable memory */
static const uint8_t *given; /* what the device holds in place of root, or NULL */
static size_t given_len;
static unsigned replaced;

static void blobs_load(void) {
    vec v;
    for (vec_open(&v, "crypto/ed25519_expanded.txt"); vec_next(&v);) {
        const char *name = vec_get(&v, "name");
        int i = strcmp(name, "root") == 0 ? 0 : strcmp(name, "eddsa") == 0 ? 1 : -1;
        if (i >= 0) {
            blob[i] = guard_copy(vec_hex(&v, "blob", NULL), KEY_LEN);
        }
    }
}

/* A port with expanded keys: the ones it has, and those of others as they are. */
static int expanded_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                        size_t kid_len, picosuit_key *out) {
    int st = sim_platform.key(dev, purpose, n, kid, kid_len, out);
    for (int i = 0; i < 2 && st == 1 && purpose == PICOSUIT_PURPOSE_VERIFY; i++) {
        if (out->key_len == 32 && memcmp(out->key, blob[i], 32) == 0) {
            out->key = i == 0 && given != NULL ? given : blob[i];
            out->key_len =
                (uint16_t)(i == 0 && given != NULL ? given_len : (size_t)KEY_LEN);
            replaced++;
            break;
        }
    }
    return st;
}

static int run_given(const uint8_t *key, size_t len) {
    sim_result r;
    given = key;
    given_len = len;
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    given = NULL;
    EXPECT_INT(s.bad, 0);
    return r.status;
}

/* Every record of an index; those that need a key without a table are none the worse. */
static void records(const char *index) {
    vec v;
    sim_result r;
    for (vec_open(&v, index); sim_case_next(&v, &c, 0);) {
        TEST(test_name("test_expanded_%s", c.name));
        sim_run(&s, &c, SIM_WHOLE, 0, &r);
        sim_expect(&s, &c, &r, 0);
        EXPECT_INT(s.bad, 0);
    }
}

/* The only signer is root. */
static void lengths(int want) {
    static const unsigned wrong[] = {
        0, 1, 31, 33, 64, KEY_LEN / 2, KEY_LEN - 1, KEY_LEN + 1, KEY_LEN + 32, 65535};
    TEST(want == PICOSUIT_OK ? "test_expanded_key" : "refuse_expanded_key");
    EXPECT_INT(run_given(blob[0], KEY_LEN), want);
    TEST("test_expanded_key_in_32_bytes");
    EXPECT_INT(run_given(blob[0], 32), PICOSUIT_OK);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        TEST(test_name("refuse_expanded_key_of_%u", wrong[i]));
        EXPECT_INT(run_given(blob[0], wrong[i]), PICOSUIT_E_AUTH);
    }
}

#if PICOSUIT_ED25519_EXPANDED
static void places(void) {
    uint8_t *room = guard_alloc(KEY_LEN + 4);
    for (unsigned i = 0; i < 4; i++) {
        TEST(test_name("test_expanded_key_at_%u", i));
        memcpy(room + i, blob[0], KEY_LEN);
        EXPECT_INT(run_given(room + i, KEY_LEN), PICOSUIT_OK);
    }
    TEST("refuse_expanded_table_of_another_key");
    memcpy(room, blob[1], KEY_LEN);
    memcpy(room, blob[0], 32);
    EXPECT_INT(run_given(room, KEY_LEN), PICOSUIT_E_AUTH);
    TEST("refuse_expanded_key_of_another_table");
    memcpy(room, blob[0], KEY_LEN);
    memcpy(room, blob[1], 32);
    EXPECT_INT(run_given(room, KEY_LEN), PICOSUIT_E_AUTH);
    TEST("refuse_expanded_key_erased");
    for (unsigned fill = 0; fill < 256; fill += 255) {
        memset(room + 32, (int)fill, KEY_LEN - 32);
        memcpy(room, blob[0], 32);
        EXPECT_INT(run_given(room, KEY_LEN), PICOSUIT_E_AUTH);
        memset(room, (int)fill, 32);
        EXPECT_INT(run_given(room, KEY_LEN), PICOSUIT_E_AUTH);
    }
    guard_free(room);
}
#endif

void suite_expanded_envelope(void) {
    sim_new(&s);
    blobs_load();
    if (!CHECK("test_expanded_blobs", blob[0] != NULL && blob[1] != NULL)) {
        return;
    }
    s.platform.key = expanded_key;
    if (sim_case_find(&c, "suit/index.txt", "no_sections")) {
        lengths(PICOSUIT_ED25519_EXPANDED ? PICOSUIT_OK : PICOSUIT_E_AUTH);
#if PICOSUIT_ED25519_EXPANDED
        places();
#endif
        sim_case_free(&c);
    }
#if PICOSUIT_ED25519_EXPANDED
    records("suit/index.txt");
    records("refuse/index.txt");
#else
    (void)records;
#endif
    CHECK("test_expanded_was_asked", replaced > 0);
    guard_free(blob[0]);
    guard_free(blob[1]);
    guard_free(s.work);
}
