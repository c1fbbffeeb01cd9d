/* SPDX-License-Identifier: MIT
 *
 * The envelopes that the drafts (and libcsuit) publish, through the `verify` callback:
 * P-256 by OpenSSL. Each has its verdict here, with code, byte and label.
 *
 * The images of the core examples were never published (their digests are 0011...,
 * 0123...), so the examples as they are end at image-match. To see them run to the end,
 * the digests are replaced by those of images that we make, and the published key signs
 * again.
 *
 * Needs libcrypto and ../shared/vectors/suit; see the target test-drafts.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#include "picosuit.h"
#include "test.h"

#define FOLDER "../../shared/vectors/suit/"

/* -- keys.json: published example keys -- */

static const char *const anchor[3] = {
    "8496811aae0baaabd26157189eecda26beaa8bf11b6f3fe6e2b5659c85dbc0ad",  /* x */
    "3b1f2a4b6c098131c0a36dacd1d78bd381dcdfb09c052db33991db7338b4a896",  /* y */
    "0296588d909418b339d150420a3612b57fb4f631a69f224fae90cb4f3fe18973"}; /* d */
static const char *const authority[3] = {
    "0e908aa8f066db1f084e0c3652c63952bd99f2a5bdb22f9e01367aad03aba68b",
    "77da1bd8ac4f0cb490ba210648bf79ab164d49ad3551d71d314b2749ee42d29a", NULL};
#define HMAC_KEY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define ES256 (-7)
#define ESP256 (-9)

static EVP_PKEY *p256(const char *const xy[3]) {
    uint8_t point[65] = {4};
    BIGNUM *n = NULL, *d = NULL;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    for (int i = 0; i < 2; i++) {
        BN_hex2bn(&n, xy[i]);
        BN_bn2binpad(n, point + 1 + 32 * i, 32);
    }
    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
    if (xy[2] != NULL) {
        BN_hex2bn(&d, xy[2]);
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d);
    }
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
    EVP_PKEY_fromdata_init(ctx);
    EVP_PKEY_fromdata(ctx, &key, xy[2] != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                      params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(d);
    return key;
}

static EVP_PKEY *keys[2]; /* anchor, authority */

/* -- a device with large components -- */

#define CELLS 131072
#define IDS 8

static struct {
    picosuit p;
    uint8_t work[4096];
    uint8_t cell[IDS][CELLS];
    uint32_t stored[IDS];
    uint8_t id[IDS][64];
    size_t id_len[IDS];
    unsigned id_n;
    uint32_t slot;
    int open;
    int invoked;
    unsigned writes;
} dev;

static int cb_key(void *d, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                  picosuit_key *out) {
    static const int32_t algs[4] = {ES256, ESP256, ES256, ESP256};
    static const uint8_t none[1] = {0};
    (void)d;
    (void)kid;
    (void)kid_len;
    if (purpose == PICOSUIT_PURPOSE_MAC && n == 0) {
        out->key = (const uint8_t *)HMAC_KEY;
        out->key_len = 32;
        out->alg = PICOSUIT_ALG_HMAC256;
    } else if (purpose == PICOSUIT_PURPOSE_VERIFY && n < 4) {
        out->key = none;
        out->key_len = 1;
        out->alg = algs[n];
    } else {
        return 0;
    }
    out->rights =
        PICOSUIT_RIGHT_UPDATE | PICOSUIT_RIGHT_INVOKE | PICOSUIT_RIGHT_ANY_DEVICE;
    out->id = (uint16_t)(1 + n / 2);
    return 1;
}

/* Each identifier is known, in order of appearance. */
static int cb_component(void *d, unsigned signer, const uint8_t *id, size_t id_len,
                        uint8_t *handle, uint8_t *kind) {
    (void)d;
    (void)signer;
    for (unsigned i = 0; i < dev.id_n; i++) {
        if (dev.id_len[i] == id_len && memcmp(dev.id[i], id, id_len) == 0) {
            *handle = (uint8_t)i;
            *kind = PICOSUIT_STORED;
            return 1;
        }
    }
    if (dev.id_n == IDS || id_len > sizeof dev.id[0]) {
        return 0;
    }
    memcpy(dev.id[dev.id_n], id, id_len);
    dev.id_len[dev.id_n] = id_len;
    *handle = (uint8_t)dev.id_n++;
    *kind = PICOSUIT_STORED;
    return 1;
}

static int cb_identity(void *d, unsigned component, int what, unsigned n, uint8_t *buf) {
    static const uint8_t ids[2][16] = {{0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                        0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe},
                                       {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                        0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45}};
    (void)d;
    (void)component;
    if (n > 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, ids[what - 1], 16);
    return 1;
}

static int cb_slot(void *d, unsigned component, int procedure, uint32_t *out) {
    (void)d;
    (void)component;
    (void)procedure;
    *out = dev.slot;
    return 0;
}

static int cb_size(void *d, unsigned component, uint32_t *stored, uint32_t *capacity) {
    (void)d;
    *stored = dev.stored[component];
    *capacity = CELLS;
    return 0;
}

static int cb_read(void *d, unsigned component, uint32_t off, uint8_t *buf, size_t cap) {
    (void)d;
    memcpy(buf, dev.cell[component] + off, cap);
    return 0;
}

static int cb_begin(void *d, unsigned component, uint32_t size, const uint8_t *id,
                    uint32_t *have) {
    (void)d;
    (void)size;
    (void)id;
    dev.open = (int)component;
    dev.stored[component] = 0;
    *have = 0;
    return 0;
}

static int cb_write(void *d, unsigned component, uint32_t off, const uint8_t *data,
                    size_t len) {
    (void)d;
    memcpy(dev.cell[component] + off, data, len);
    dev.stored[component] = off + (uint32_t)len;
    dev.writes++;
    return 0;
}

static int cb_end(void *d, unsigned component, int good) {
    (void)d;
    dev.open = -1;
    dev.stored[component] = good ? dev.stored[component] : 0;
    return 0;
}

static int cb_invoke(void *d, unsigned component, const uint8_t *data, size_t len) {
    (void)d;
    (void)data;
    (void)len;
    dev.invoked = (int)component;
    return 0;
}

static int cb_sequence(void *d, uint64_t *floor, uint8_t *digest) {
    (void)d;
    (void)floor;
    (void)digest;
    return PICOSUIT_NO_FLOOR;
}

/* r and s of 32 bytes each, as COSE has them, to the DER form. */
static int cb_verify(void *d, const picosuit_key *key, const uint8_t *data, size_t len,
                     const uint8_t *sig, size_t sig_len) {
    uint8_t *der = NULL;
    int st = 0;
    (void)d;
    if (sig_len != 64) {
        return 0;
    }
    ECDSA_SIG *rs = ECDSA_SIG_new();
    ECDSA_SIG_set0(rs, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
    int der_len = i2d_ECDSA_SIG(rs, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, keys[key->id - 1]) == 1 &&
        EVP_DigestVerify(ctx, der, (size_t)der_len, data, len) == 1) {
        st = PICOSUIT_VERIFIED;
    }
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ECDSA_SIG_free(rs);
    return st;
}

static const picosuit_platform platform = {
    cb_key,   cb_component, cb_identity, cb_slot,     cb_size, cb_read,   cb_begin,
    cb_write, cb_end,       cb_invoke,   cb_sequence, NULL,    cb_verify, NULL,
};

/* -- images: two of the sizes that the examples name -- */

static uint8_t image_byte(size_t off) {
    return (uint8_t)(off * 5 + (off >> 8) + (off >> 16));
}

#define IMAGE 34768u /* bytes of the image that the examples name first */

static int serve(int st) {
    while (st == PICOSUIT_FETCH) {
        picosuit_fetch w;
        uint8_t part[64];
        size_t used, n;
        uint32_t size;
        if (picosuit_get_fetch(&dev.p, &w) != PICOSUIT_OK ||
            w.where != PICOSUIT_WHERE_URI) {
            return -999;
        }
        size = w.size == PICOSUIT_UNKNOWN ? IMAGE : w.size;
        for (uint32_t off = 0; off < size; off += (uint32_t)n) {
            n = size - off < 64 ? size - off : 64;
            for (size_t i = 0; i < n; i++) {
                part[i] = image_byte(off + i);
            }
            st = picosuit_payload(&dev.p, part, n, &used);
            if (st != PICOSUIT_MORE || used != n) {
                return st;
            }
        }
        st = picosuit_payload_end(&dev.p, 1);
    }
    return st;
}

static int start(const uint8_t *data, size_t len) {
    size_t used;
    dev.open = dev.invoked = -1;
    dev.writes = 0;
    memset(&dev.p, 0, sizeof dev.p);
    int st = picosuit_init(&dev.p, &platform, NULL, dev.work, sizeof dev.work);
    return st == PICOSUIT_OK ? picosuit_feed(&dev.p, data, len, &used) : st;
}

static int process(const uint8_t *data, size_t len, int procedure) {
    int st = start(data, len);
    if (st == PICOSUIT_MORE) {
        st = picosuit_feed_end(&dev.p);
    }
    if (st == PICOSUIT_READY) {
        st = picosuit_begin(&dev.p, procedure);
    }
    return st == PICOSUIT_OK ? serve(picosuit_run(&dev.p)) : st;
}

static void forget(void) {
    memset(dev.stored, 0, sizeof dev.stored);
    dev.id_n = 0;
    dev.slot = 0;
}

/* -- as they were published -- */

typedef struct {
    const char *file;
    int procedure;
    int code;
    uint32_t offset;
    int32_t label;
    unsigned writes;
} verdict;

#define U PICOSUIT_UPDATE
#define I PICOSUIT_INVOKE

static const verdict verdicts[] = {
    {"manifest-ex0-unsigned.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex0-unsigned.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex0-es256.suit", U, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"manifest-ex0-es256.suit", I, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"manifest-ex1-unsigned.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex1-unsigned.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex1-es256.suit", U, PICOSUIT_E_CONDITION, 270, 3, 544},
    {"manifest-ex1-es256.suit", I, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"manifest-ex2-unsigned-severed.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex2-unsigned-severed.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex2-es256-severed.suit", U, PICOSUIT_E_SEVERED, 259, 20, 0},
    {"manifest-ex2-es256-severed.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"manifest-ex2-es256.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"manifest-ex2-es256.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"manifest-ex3-unsigned.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex3-unsigned.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex3-es256.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"manifest-ex3-es256.suit", I, PICOSUIT_E_CONDITION, 300, 3, 0},
    {"manifest-ex4-unsigned.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex4-unsigned.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex4-es256.suit", U, PICOSUIT_E_CONDITION, 388, 3, 544},
    {"manifest-ex4-es256.suit", I, PICOSUIT_E_CONDITION, 241, 3, 0},
    {"manifest-ex5-unsigned.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex5-unsigned.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex5-es256.suit", U, PICOSUIT_E_CONDITION, 341, 3, 544},
    {"manifest-ex5-es256.suit", I, PICOSUIT_E_CONDITION, 287, 3, 0},
    {"manifest-ex0-esp256-badsig.suit", U, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex0-esp256-badsig.suit", I, PICOSUIT_E_AUTH, 4, 2, 0},
    {"manifest-ex1-esp256.suit", U, PICOSUIT_E_CONDITION, 270, 3, 544},
    {"manifest-ex1-esp256.suit", I, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"manifest-ex2-esp256-severed.suit", U, PICOSUIT_E_SEVERED, 259, 20, 0},
    {"manifest-ex2-esp256-severed.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"manifest-ex2-esp256.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"manifest-ex2-esp256.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"manifest-ex3-esp256.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"manifest-ex3-esp256.suit", I, PICOSUIT_E_CONDITION, 300, 3, 0},
    {"manifest-ex4-esp256.suit", U, PICOSUIT_E_CONDITION, 388, 3, 544},
    {"manifest-ex4-esp256.suit", I, PICOSUIT_E_CONDITION, 241, 3, 0},
    {"manifest-ex5-esp256.suit", U, PICOSUIT_E_CONDITION, 341, 3, 544},
    {"manifest-ex5-esp256.suit", I, PICOSUIT_E_CONDITION, 287, 3, 0},
    {"trust-domains-example0_dependent.suit", U, PICOSUIT_E_MEMBER, 138, 5, 0},
    {"trust-domains-example0_dependent.suit", I, PICOSUIT_E_MEMBER, 138, 5, 0},
    {"trust-domains-example1_process.suit", U, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"trust-domains-example1_process.suit", I, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"trust-domains-example2_integrated.suit", U, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"trust-domains-example2_integrated.suit", I, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"fwenc-aes-kw-content.suit", U, PICOSUIT_E_ALG, 177, 19, 0},
    {"fwenc-aes-kw-content.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"fwenc-aes-kw.suit", U, PICOSUIT_E_ALG, 201, 19, 0},
    {"fwenc-aes-kw.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"fwenc-aes-kw-slot.suit", U, PICOSUIT_E_ALG, 166, 19, 0},
    {"fwenc-aes-kw-slot.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"fwenc-es-ecdh-content.suit", U, PICOSUIT_E_ALG, 211, 19, 0},
    {"fwenc-es-ecdh-content.suit", I, PICOSUIT_E_INVOKE, 122, 23, 0},
    {"fwenc-es-ecdh-dependency.suit", U, PICOSUIT_E_MEMBER, 134, 1, 0},
    {"fwenc-es-ecdh-dependency.suit", I, PICOSUIT_E_MEMBER, 134, 1, 0},
    {"libcsuit/suit_manifest_exp0.suit", U, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"libcsuit/suit_manifest_exp0.suit", I, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"libcsuit/suit_manifest_exp1.suit", U, PICOSUIT_E_CONDITION, 270, 3, 544},
    {"libcsuit/suit_manifest_exp1.suit", I, PICOSUIT_E_CONDITION, 230, 3, 0},
    {"libcsuit/suit_manifest_exp2A.suit", U, PICOSUIT_E_SEVERED, 259, 20, 0},
    {"libcsuit/suit_manifest_exp2A.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"libcsuit/suit_manifest_exp2B.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"libcsuit/suit_manifest_exp2B.suit", I, PICOSUIT_E_CONDITION, 252, 3, 0},
    {"libcsuit/suit_manifest_exp3.suit", U, PICOSUIT_E_CONDITION, 394, 3, 544},
    {"libcsuit/suit_manifest_exp3.suit", I, PICOSUIT_E_CONDITION, 300, 3, 0},
    {"libcsuit/suit_manifest_exp4.suit", U, PICOSUIT_E_CONDITION, 388, 3, 544},
    {"libcsuit/suit_manifest_exp4.suit", I, PICOSUIT_E_CONDITION, 241, 3, 0},
    {"libcsuit/suit_manifest_exp5.suit", U, PICOSUIT_E_CONDITION, 341, 3, 544},
    {"libcsuit/suit_manifest_exp5.suit", I, PICOSUIT_E_CONDITION, 287, 3, 0},
    {"libcsuit/suit_manifest_expS0.suit", U, PICOSUIT_E_MEMBER, 138, 5, 0},
    {"libcsuit/suit_manifest_expS0.suit", I, PICOSUIT_E_MEMBER, 138, 5, 0},
    {"libcsuit/suit_manifest_expS2.suit", U, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"libcsuit/suit_manifest_expS2.suit", I, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"libcsuit/suit_manifest_expS3.suit", U, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"libcsuit/suit_manifest_expS3.suit", I, PICOSUIT_E_MEMBER, 133, 1, 0},
    {"libcsuit/suit_manifest_expAW.suit", U, PICOSUIT_E_ALG, 177, 19, 0},
    {"libcsuit/suit_manifest_expAW.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"libcsuit/suit_manifest_expAF.suit", U, PICOSUIT_E_ALG, 201, 19, 0},
    {"libcsuit/suit_manifest_expAF.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"libcsuit/suit_manifest_expAFS.suit", U, PICOSUIT_E_ALG, 166, 19, 0},
    {"libcsuit/suit_manifest_expAFS.suit", I, PICOSUIT_E_INVOKE, 90, 23, 0},
    {"libcsuit/suit_manifest_expEW.suit", U, PICOSUIT_E_ALG, 211, 19, 0},
    {"libcsuit/suit_manifest_expEW.suit", I, PICOSUIT_E_INVOKE, 122, 23, 0},
    {"libcsuit/suit_manifest_expED.suit", U, PICOSUIT_E_MEMBER, 134, 1, 0},
    {"libcsuit/suit_manifest_expED.suit", I, PICOSUIT_E_MEMBER, 134, 1, 0},
    {"libcsuit/suit_manifest_expU0.suit", U, PICOSUIT_E_PARAM, 148, 4, 0},
    {"libcsuit/suit_manifest_expU0.suit", I, PICOSUIT_E_INVOKE, 122, 23, 0},
    {"libcsuit/suit_manifest_expU1.suit", U, PICOSUIT_E_COMMAND, 144, 34, 0},
    {"libcsuit/suit_manifest_expU1.suit", I, PICOSUIT_E_INVOKE, 122, 23, 0},
    {"libcsuit/suit_manifest_expU2.suit", U, PICOSUIT_E_MEMBER, 238, 6, 0},
    {"libcsuit/suit_manifest_expU2.suit", I, PICOSUIT_E_MEMBER, 238, 6, 0},
    {"libcsuit/suit_manifest_expU3.suit", U, PICOSUIT_E_PARAM, 288, 30, 0},
    {"libcsuit/suit_manifest_expU3.suit", I, PICOSUIT_E_INVOKE, 122, 23, 0},
    {"libcsuit/suit_manifest_expU.suit", U, PICOSUIT_E_MEMBER, 265, 5, 0},
    {"libcsuit/suit_manifest_expU.suit", I, PICOSUIT_E_MEMBER, 265, 5, 0},
    {"libcsuit/suit_manifest_expI.suit", U, PICOSUIT_E_MEMBER, 264, 5, 0},
    {"libcsuit/suit_manifest_expI.suit", I, PICOSUIT_E_MEMBER, 264, 5, 0},
    {"libcsuit/suit_manifest_expD.suit", U, PICOSUIT_E_MEMBER, 134, 1, 0},
    {"libcsuit/suit_manifest_expD.suit", I, PICOSUIT_E_MEMBER, 134, 1, 0},
};

/* An envelope without the tag is refused; the rest of its verdict is for the tag put
 * back. */
static uint8_t *with_tag(const char *file, size_t *len) {
    uint8_t *bytes = file_load(test_name(FOLDER "%s", file), len);
    if (bytes != NULL && bytes[0] != 0xd8) {
        uint8_t *longer = guard_alloc(*len + 2);
        forget();
        EXPECT_INT(process(bytes, *len, PICOSUIT_UPDATE), PICOSUIT_E_TAG);
        EXPECT_INT(picosuit_last_error(&dev.p)->offset, 0);
        longer[0] = 0xd8;
        longer[1] = 107;
        memcpy(longer + 2, bytes, *len);
        *len += 2;
        guard_free(bytes);
        return longer;
    }
    return bytes;
}

static void as_published(const verdict *v) {
    const char *name =
        strrchr(v->file, '/') != NULL ? strrchr(v->file, '/') + 1 : v->file;
    TEST(test_name("test_drafts_%s_%s", name, v->procedure == U ? "update" : "invoke"));
    size_t len;
    uint8_t *data = with_tag(v->file, &len);
    forget();
    EXPECT_INT(process(data, len, v->procedure), v->code);
    const picosuit_error *e = picosuit_last_error(&dev.p);
    EXPECT_INT(e->code, v->code);
    EXPECT_INT(e->offset, v->offset);
    EXPECT_INT(e->label, v->label);
    EXPECT_INT(dev.writes, v->writes);
    EXPECT_INT(dev.open, -1);
    guard_free(data);
}

/* -- with images that exist, signed again -- */

#define DIGEST_AT 13 /* in the wrapper: d8 6b aN 02 58 73 82 58 24 82 2f 58 20 */
#define PROTECTED 49 /* 43 a1 01 26 */
#define SIGNATURE 57 /* r and s */
#define MANIFEST 122 /* 03 before it */

static void sha256_of_image(uint8_t out[32], uint32_t size) {
    uint8_t *image = guard_alloc(size);
    for (uint32_t i = 0; i < size; i++) {
        image[i] = image_byte(i);
    }
    picosuit_sha256(out, image, size);
    guard_free(image);
}

/* After a digest: `0e` and the size of the image; without it, it is the first image. */
static uint32_t size_behind(const uint8_t *at) {
    if (at[0] != 0x0e) {
        return IMAGE;
    }
    EXPECT(at[1] == 0x19 || at[1] == 0x1a);
    return at[1] == 0x19 ? (uint32_t)at[2] << 8 | at[3]
                         : (uint32_t)at[3] << 16 | (uint32_t)at[4] << 8 | at[5];
}

static void put_digests(uint8_t *data, size_t len) {
    static const uint8_t known[2][8] = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77},
                                        {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}};
    for (size_t i = MANIFEST; i + 40 < len; i++) {
        if (memcmp(data + i, known[0], 8) == 0 || memcmp(data + i, known[1], 8) == 0) {
            sha256_of_image(data + i, size_behind(data + i + 32));
            i += 32;
        }
    }
}

static void sign(uint8_t *data) {
    uint8_t message[55] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
    uint8_t der[80];
    const uint8_t *p = der;
    size_t der_len = sizeof der, head = data[MANIFEST] == 0x58 ? 2 : 3;
    size_t content = head == 2 ? data[MANIFEST + 1]
                               : (size_t)data[MANIFEST + 1] << 8 | data[MANIFEST + 2];
    picosuit_sha256(data + DIGEST_AT, data + MANIFEST, head + content);
    memcpy(message + 12, data + PROTECTED, 4);
    memcpy(message + 16, "\x40\x58\x24\x82\x2f\x58\x20", 7);
    memcpy(message + 23, data + DIGEST_AT, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EXPECT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, keys[0]) == 1);
    EXPECT(EVP_DigestSign(ctx, der, &der_len, message, sizeof message) == 1);
    ECDSA_SIG *rs = d2i_ECDSA_SIG(NULL, &p, (long)der_len);
    if (EXPECT(rs != NULL)) {
        BN_bn2binpad(ECDSA_SIG_get0_r(rs), data + SIGNATURE, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(rs), data + SIGNATURE + 32, 32);
    }
    ECDSA_SIG_free(rs);
    EVP_MD_CTX_free(ctx);
}

typedef struct {
    const char *file;
    uint32_t slot;
    int is_stored; /* the image is there before */
    int update;    /* status of the update procedure */
    unsigned writes;
    int invoke;  /* status of the invocation */
    int invoked; /* handle that it starts, -1: none */
} example;

static void store_image(uint32_t size) {
    forget();
    dev.id_n = 1;
    dev.id_len[0] = 3;
    memcpy(dev.id[0], "\x81\x41\x00", 3);
    for (uint32_t i = 0; i < size; i++) {
        dev.cell[0][i] = image_byte(i);
    }
    dev.stored[0] = size;
}

static void to_the_end(const example *x) {
    TEST(test_name("test_drafts_to_the_end_%s_slot_%u", x->file, (unsigned)x->slot));
    size_t len;
    uint8_t *data = file_load(test_name(FOLDER "%s", x->file), &len);
    if (data == NULL) {
        return;
    }
    put_digests(data, len);
    sign(data);
    forget();
    if (x->is_stored) {
        store_image(34768);
    }
    dev.slot = x->slot;
    EXPECT_INT(process(data, len, PICOSUIT_UPDATE), x->update);
    EXPECT_INT(dev.writes, x->writes);
    EXPECT_INT(process(data, len, PICOSUIT_INVOKE), x->invoke);
    EXPECT_INT(dev.invoked, x->invoked);
    guard_free(data);
}

static const example examples[] = {
    {"manifest-ex0-es256.suit", 0, 1, PICOSUIT_OK, 0, PICOSUIT_OK, 0},
    {"manifest-ex1-es256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_E_INVOKE, -1},
    {"manifest-ex2-es256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_OK, 0},
    {"manifest-ex2-es256-severed.suit", 0, 1, PICOSUIT_E_SEVERED, 0, PICOSUIT_OK, 0},
    {"manifest-ex3-es256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_E_INVOKE, -1},
    {"manifest-ex3-es256.suit", 1, 0, PICOSUIT_OK, 1201, PICOSUIT_E_INVOKE, -1},
    /* load copies 34768 bytes to where 76834 of another digest are expected */
    {"manifest-ex4-es256.suit", 0, 0, PICOSUIT_OK, 1088, PICOSUIT_E_LENGTH, -1},
    {"manifest-ex5-es256.suit", 0, 0, PICOSUIT_OK, 1745, PICOSUIT_OK, 0},
    {"libcsuit/suit_manifest_exp0.suit", 0, 1, PICOSUIT_OK, 0, PICOSUIT_OK, 0},
    {"manifest-ex1-esp256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_E_INVOKE, -1},
    {"manifest-ex2-esp256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_OK, 0},
    {"manifest-ex2-esp256-severed.suit", 0, 1, PICOSUIT_E_SEVERED, 0, PICOSUIT_OK, 0},
    {"manifest-ex3-esp256.suit", 0, 0, PICOSUIT_OK, 544, PICOSUIT_E_INVOKE, -1},
    {"manifest-ex3-esp256.suit", 1, 0, PICOSUIT_OK, 1201, PICOSUIT_E_INVOKE, -1},
    /* load copies 34768 bytes to where 76834 of another digest are expected */
    {"manifest-ex4-esp256.suit", 0, 0, PICOSUIT_OK, 1088, PICOSUIT_E_LENGTH, -1},
    {"manifest-ex5-esp256.suit", 0, 0, PICOSUIT_OK, 1745, PICOSUIT_OK, 0},
};

void suite_drafts(void) {
    if (!file_exists(FOLDER "index.json")) {
        TEST("test_drafts");
        test_skip("the published envelopes are not at ../shared/vectors/suit");
        return;
    }
    keys[0] = p256(anchor);
    keys[1] = p256(authority);
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        as_published(&verdicts[i]);
    }
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        to_the_end(&examples[i]);
    }
    EVP_PKEY_free(keys[0]);
    EVP_PKEY_free(keys[1]);
}
