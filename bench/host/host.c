/* SPDX-License-Identifier: MIT
 *
 * The core beside libsodium, in one program. Rounds are interleaved: each times ours,
 * then theirs, or the other way round, so that a slow moment of the machine meets both.
 *
 * What libsodium runs before sodium_init is its portable C: SHA-2 and Ed25519 have
 * nothing else, and the pointers to ChaCha20, Poly1305 and X25519 start at "ref", "donna"
 * and "ref10". sodium_init lets them point to what suits the processor: phase "simd".
 *
 * usage: host ENVELOPE ROUNDS
 * Lines: phase row ours_ns theirs_ns, one for each round; theirs is 0 if there is none.
 */
#define _POSIX_C_SOURCE 200809L
#include "picosuit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE 2000000 /* nanoseconds that one timing should take */
#define KEYS 64       /* signatures, each of another key */
#define MESSAGE 150   /* bytes signed */
#define LARGE 65536
#define SMALL 1024

static uint8_t text[LARGE], sealed[LARGE + 16], sealed_small[SMALL + 16];
static uint8_t key[32], nonce[12], point[32], out[LARGE + 16];
static uint8_t signer[KEYS][32], message[KEYS][MESSAGE], sig[KEYS][64];
static uint8_t envelope[1024], ed25519_key[32];
static size_t envelope_len;
static unsigned turn; /* which of the signatures is next */

static void must(int is_good, const char *what) {
    if (!is_good) {
        fprintf(stderr, "host: %s went wrong\n", what);
        exit(1);
    }
}

/* -- ours and theirs; each does the same work -- */

static void ed25519_ours(void) {
    unsigned i = turn++ % KEYS;
    must(picosuit_ed25519_verify(sig[i], signer[i], message[i], MESSAGE) == 0, "ed25519");
}

static void ed25519_theirs(void) {
    unsigned i = turn++ % KEYS;
    must(crypto_sign_ed25519_verify_detached(sig[i], message[i], MESSAGE, signer[i]) == 0,
         "their ed25519");
}

static void x25519_ours(void) {
    must(picosuit_x25519(out, key, point) == 0, "x25519");
}

static void x25519_theirs(void) {
    must(crypto_scalarmult_curve25519(out, key, point) == 0, "their x25519");
}

static void sha256_ours(void) {
    picosuit_sha256(out, text, LARGE);
}

static void sha256_theirs(void) {
    (void)crypto_hash_sha256(out, text, LARGE);
}

static void sha512_ours(void) {
    picosuit_sha512(out, text, LARGE);
}

static void sha512_theirs(void) {
    (void)crypto_hash_sha512(out, text, LARGE);
}

static void chacha20_ours(void) {
    picosuit_chacha20(out, text, LARGE, key, nonce, 1);
}

static void chacha20_theirs(void) {
    (void)crypto_stream_chacha20_ietf_xor_ic(out, text, LARGE, nonce, 1, key);
}

static void poly1305_ours(void) {
    picosuit_poly1305(out, text, LARGE, key);
}

static void poly1305_theirs(void) {
    (void)crypto_onetimeauth_poly1305(out, text, LARGE, key);
}

static void open_ours(const uint8_t *data, size_t len) {
    must(picosuit_aead_open(out, data, len, key, nonce, text, 16) == 0, "aead");
}

static void open_theirs(const uint8_t *data, size_t len) {
    must(crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, data, len, text, 16,
                                                   nonce, key) == 0,
         "their aead");
}

static void aead_ours(void) {
    open_ours(sealed, sizeof sealed);
}

static void aead_theirs(void) {
    open_theirs(sealed, sizeof sealed);
}

static void aead_1k_ours(void) {
    open_ours(sealed_small, sizeof sealed_small);
}

static void aead_1k_theirs(void) {
    open_theirs(sealed_small, sizeof sealed_small);
}

/* -- a manifest: plain_320.suit up to the fetch of its image -- */

static int dev_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                   picosuit_key *k) {
    (void)kid, (void)kid_len;
    k->key = ed25519_key;
    k->key_len = 32;
    k->alg = *(int32_t *)dev;
    k->rights = PICOSUIT_RIGHT_UPDATE;
    k->id = 1;
    return purpose == PICOSUIT_PURPOSE_VERIFY && n == 0;
}

static int dev_component(void *dev, unsigned signed_by, const uint8_t *id, size_t id_len,
                         uint8_t *handle, uint8_t *kind) {
    (void)dev, (void)signed_by, (void)id, (void)id_len;
    *handle = 0;
    *kind = PICOSUIT_STORED;
    return 1;
}

/* vendor: fa6b4a53-...; class: 1492af14-... */
static int dev_identity(void *dev, unsigned component, int what, unsigned n,
                        uint8_t *buf) {
    static const uint8_t id[2][16] = {{0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                       0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe},
                                      {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                       0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45}};
    (void)dev, (void)component;
    if (n > 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, id[what == PICOSUIT_ID_CLASS], 16);
    return 1;
}

static int dev_slot(void *dev, unsigned component, int procedure, uint32_t *slot) {
    (void)dev, (void)component, (void)procedure;
    *slot = 1; /* the second alternative: the longer way */
    return 0;
}

static int dev_size(void *dev, unsigned component, uint32_t *stored, uint32_t *capacity) {
    (void)dev, (void)component;
    *stored = 0;
    *capacity = LARGE;
    return 0;
}

static int dev_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                    size_t cap) {
    (void)dev, (void)component, (void)off;
    memset(buf, 0, cap);
    return 0;
}

static int dev_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                     uint32_t *have) {
    (void)dev, (void)component, (void)size, (void)id;
    *have = 0;
    return 0;
}

static int dev_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                     size_t len) {
    (void)dev, (void)component, (void)off, (void)data, (void)len;
    return 0;
}

static int dev_end(void *dev, unsigned component, int good) {
    (void)dev, (void)component, (void)good;
    return 0;
}

static int dev_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    (void)dev, (void)floor, (void)digest;
    return PICOSUIT_NO_FLOOR;
}

/* Stands for the signature of a build that leaves it to somebody else. */
static int dev_verify(void *dev, const picosuit_key *k, const uint8_t *data, size_t len,
                      const uint8_t *s, size_t s_len) {
    (void)dev, (void)k, (void)data, (void)len, (void)s;
    return s_len == 64 ? PICOSUIT_VERIFIED : 0;
}

static const picosuit_platform device = {
    dev_key,   dev_component, dev_identity, dev_slot,     dev_size, dev_read,   dev_begin,
    dev_write, dev_end,       NULL,         dev_sequence, NULL,     dev_verify, NULL,
};

/* From the first byte of an envelope to FETCH: received, authenticated, parsed, all its
 * sequences checked, conditions and the A/B choice executed, the component begun. */
static void process(int32_t alg) {
    static picosuit p;
    static uint8_t work[PICOSUIT_WORK(160, 400, 1, 4)];
    size_t used = 0, more = 0;
    int st = picosuit_init(&p, &device, &alg, work, sizeof work);
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(&p, envelope, envelope_len, &used);
    }
    if (st == PICOSUIT_READY && used < envelope_len) {
        st = picosuit_feed(&p, envelope + used, envelope_len - used, &more);
    }
    must(st == PICOSUIT_READY && used + more == envelope_len, "feed");
    must(picosuit_begin(&p, PICOSUIT_UPDATE) == PICOSUIT_OK, "begin");
    must(picosuit_run(&p) == PICOSUIT_FETCH, "run");
}

#define ALG_AT                                                                           \
    0x34 /* offset of the algorithm in the protected header of plain_320.suit */
#define ALG_ED25519 (-19)
#define ALG_ESP256 (-9)

/* The signature excluded: the block names an algorithm that is the platform's, not ours,
 * and the platform answers at once. All else is the same: the digest of the manifest, the
 * protected header, the Sig_structure, the choice of the key. */
static void manifest(void) {
    envelope[ALG_AT] = 0x20 | (-1 - ALG_ESP256);
    process(ALG_ESP256);
}

static void manifest_signed(void) {
    envelope[ALG_AT] = 0x20 | (-1 - ALG_ED25519);
    process(ALG_ED25519);
}

/* -- timing -- */

typedef struct {
    const char *name;
    void (*run[2])(void); /* ours, theirs or NULL */
    unsigned repeat;      /* in a slice */
} row;

static row rows[] = {
    {"ed25519", {ed25519_ours, ed25519_theirs}, 0},
    {"x25519", {x25519_ours, x25519_theirs}, 0},
    {"sha256", {sha256_ours, sha256_theirs}, 0},
    {"sha512", {sha512_ours, sha512_theirs}, 0},
    {"chacha20", {chacha20_ours, chacha20_theirs}, 0},
    {"poly1305", {poly1305_ours, poly1305_theirs}, 0},
    {"aead", {aead_ours, aead_theirs}, 0},
    {"aead_1k", {aead_1k_ours, aead_1k_theirs}, 0},
    {"manifest", {manifest, NULL}, 0},
    {"manifest_signed", {manifest_signed, NULL}, 0},
};

/* Nanoseconds of one call; processor time of this thread, since others may run, too. */
static double timed(void (*run)(void), unsigned repeat) {
    struct timespec from, to;
    must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from) == 0, "clock");
    for (unsigned i = 0; i < repeat; i++) {
        run();
    }
    must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to) == 0, "clock");
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 +
            (double)(to.tv_nsec - from.tv_nsec)) /
           repeat;
}

static void phase(const char *name, unsigned rounds, int is_all) {
    for (unsigned r = 0; r <= rounds; r++) { /* round 0 warms up */
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            row *w = &rows[i];
            double ns[2] = {0, 0};
            if (w->run[1] == NULL && !is_all) {
                continue;
            }
            if (w->repeat == 0) {
                (void)timed(w->run[0], 100); /* the first calls are slower */
                w->repeat = 1 + (unsigned)(SLICE / timed(w->run[0], 10));
            }
            for (unsigned j = 0; j < 2; j++) {
                unsigned who = (r + j) % 2;
                ns[who] = w->run[who] ? timed(w->run[who], w->repeat) : 0;
            }
            if (r > 0) {
                printf("%s %s %.1f %.1f\n", name, w->name, ns[0], ns[1]);
            }
        }
    }
}

/* Both sides take the same inputs and give the same outputs. */
static void compare(void) {
    static uint8_t mine[LARGE + 16];
    for (size_t i = 0; i + 2 < sizeof rows / sizeof rows[0]; i++) {
        memset(out, 0, sizeof out);
        rows[i].run[0]();
        memcpy(mine, out, sizeof out);
        memset(out, 0, sizeof out);
        rows[i].run[1]();
        must(memcmp(mine, out, sizeof out) == 0, rows[i].name);
    }
}

static void fill(uint8_t *buf, size_t len, uint32_t seed) {
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        buf[i] = (uint8_t)(seed >> 24);
    }
}

static void prepare(const char *name) {
    uint8_t secret[64];
    FILE *f = fopen(name, "rb");
    must(f != NULL, name);
    envelope_len = fread(envelope, 1, sizeof envelope, f);
    (void)fclose(f);
    must(envelope_len > ALG_AT && envelope[ALG_AT] == (0x20 | (-1 - ALG_ED25519)), name);
    fill(text, sizeof text, 1);
    fill(key, sizeof key, 2);
    fill(nonce, sizeof nonce, 3);
    fill(point, sizeof point, 4);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, text, LARGE, text, 16,
                                                    NULL, nonce, key);
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(sealed_small, NULL, text, SMALL, text,
                                                    16, NULL, nonce, key);
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t seed[32];
        fill(seed, sizeof seed, 100 + i);
        fill(message[i], MESSAGE, 200 + i);
        (void)crypto_sign_ed25519_seed_keypair(signer[i], secret, seed);
        (void)crypto_sign_ed25519_detached(sig[i], NULL, message[i], MESSAGE, secret);
    }
    /* the key "root" of vectors/keys.txt */
    must(sodium_hex2bin(ed25519_key, 32,
                        "3d097e535923685b39994f5f3204a551"
                        "fd3a4df6b23e2762805ef9c990a12f6e",
                        64, NULL, NULL, NULL) == 0,
         "key");
}

int main(int argc, char **argv) {
    must(argc == 3, "usage: host ENVELOPE ROUNDS:");
    prepare(argv[1]);
    compare();
    phase("portable", (unsigned)atoi(argv[2]), 1);
    must(sodium_init() == 0, "sodium_init");
    compare();
    phase("simd", (unsigned)atoi(argv[2]), 0);
    printf("libsodium %s\n", sodium_version_string());
    return 0;
}
