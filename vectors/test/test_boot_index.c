/* SPDX-License-Identifier: MIT
 *
 * Every envelope for the boot state is authentic under the keys that its record names,
 * and under no other.
 */
#include <stdlib.h>

#include "simdev.h"

static const sim_key *offered;

static int index_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                     size_t kid_len, picosuit_key *out) {
    (void)dev;
    if (purpose != PICOSUIT_PURPOSE_VERIFY || n > 0 || strlen(offered->kid) != kid_len ||
        memcmp(offered->kid, kid, kid_len) != 0) {
        return 0;
    }
    out->key = offered->key;
    out->key_len = (uint16_t)offered->key_len;
    out->alg = offered->alg;
    out->rights = offered->rights;
    out->id = 1;
    return 1;
}

static void record(const vec *v, const char *name) {
    static uint8_t work[64];
    static picosuit p;
    picosuit_platform platform;
    picosuit_info info;
    int is_signer = strstr(vec_get(v, "signers"), name) != NULL;
    size_t len;
    uint8_t *data = file_load(vec_get(v, "file"), &len);
    memset(&platform, 0, sizeof platform);
    memset(&p, 0, sizeof p);
    platform.key = index_key;
    offered = sim_keys_find(name);
    EXPECT_INT(picosuit_init(&p, &platform, NULL, work, sizeof work), PICOSUIT_OK);
    EXPECT_INT(picosuit_open(&p, data, len),
               is_signer ? PICOSUIT_READY : PICOSUIT_E_AUTH);
    if (is_signer && EXPECT_INT(picosuit_get_info(&p, &info), PICOSUIT_OK)) {
        EXPECT(info.sequence == strtoull(vec_get(v, "sequence"), NULL, 10));
        EXPECT_INT(info.rights, offered->rights);
        EXPECT_INT(info.envelope_len, len);
    }
    guard_free(data);
}

void suite_boot_index(void) {
    vec v;
    for (vec_open(&v, "boot/index.txt"); vec_next(&v);) {
        TEST(vec_name(&v, "test_boot_index_"));
        record(&v, "boot-a");
        record(&v, "boot-b");
        record(&v, "boot-c");
    }
}
