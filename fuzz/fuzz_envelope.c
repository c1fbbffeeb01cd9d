/* SPDX-License-Identifier: MIT
 *
 * Raw bytes into the receiver, three times: whole, in parts with a platform that is often
 * not ready, and from memory. The outcome must be the same, and nothing may happen before
 * begin.
 *
 * Then once more below the signature: the manifest digest (and those of severed members)
 * are put right and an authentication block is added that this device accepts, so that a
 * change of any byte of the manifest reaches the checks and the interpreter.
 */
#include "fuzz.h"

/* -- SHA-256 of our own, FIPS 180-4: the library's is not public in this build -- */

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t rotr(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static void sha_block(uint32_t h[8], const uint8_t *p) {
    uint32_t w[64], v[8];
    for (unsigned i = 0; i < 64; i++) {
        if (i < 16) {
            w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
                   (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
        } else {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) +
                   (rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
        }
    }
    memcpy(v, h, sizeof v);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
        uint32_t s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

static void sha(uint8_t out[32], const uint8_t *data, size_t len) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint8_t tail[128] = {0};
    size_t full = len / 64 * 64, rest = len - full, end = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < full; i += 64) {
        sha_block(h, data + i);
    }
    if (rest > 0) {
        memcpy(tail, data + full, rest);
    }
    tail[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++) {
        tail[end - 1 - i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
    }
    for (size_t i = 0; i < end; i += 64) {
        sha_block(h, tail + i);
    }
    for (unsigned i = 0; i < 32; i++) {
        out[i] = (uint8_t)(h[i / 4] >> 8 * (3 - i % 4));
    }
}

/* -- signing again -- */

typedef struct {
    const uint8_t *data;
    size_t at; /* next byte */
    size_t end;
} bytes;

/* A CBOR head: major type, 9 at the end or if it is none of ours. */
static unsigned head(bytes *b, size_t *value) {
    unsigned major, n;
    if (b->at >= b->end) {
        return 9;
    }
    major = b->data[b->at] >> 5;
    *value = b->data[b->at++] & 31u;
    n = *value < 24 ? 0 : *value < 27 ? 1u << (*value - 24) : 9;
    if (n == 9 || n > b->end - b->at) {
        return 9;
    }
    *value = n > 0 ? 0 : *value;
    while (n-- > 0) {
        *value = *value << 8 | b->data[b->at++];
    }
    return major;
}

/* A member with a byte string as value: where it begins, and the byte behind it. */
static int member(bytes *b, unsigned *key_major, size_t *key, size_t *from,
                  size_t *body) {
    size_t len;
    *key_major = head(b, key);
    if (*key_major == 3 && *key <= b->end - b->at) {
        b->at += *key;
    } else if (*key_major > 1) {
        return 0;
    }
    *from = b->at;
    if (head(b, &len) != 2 || len > b->end - b->at) {
        return 0;
    }
    *body = b->at;
    b->at += len;
    return 1;
}

/* In the manifest, `key [-16, h'...']`: the digest of a severed member is put right. */
static void patch(uint8_t *manifest, size_t len, size_t key, const uint8_t digest[32]) {
    for (size_t i = 0; key < 24 && i + 37 <= len; i++) {
        if (manifest[i] == key && memcmp(manifest + i + 1, "\x82\x2f\x58\x20", 4) == 0) {
            memcpy(manifest + i + 5, digest, 32);
            return;
        }
    }
}

/* Wrapper of one COSE_Sign1 block, alg -9, signature h'59'; the digest comes at
 * WRAPPER_DIGEST. */
static const uint8_t wrapper[52] = {0x58, 0x32, 0x82, 0x58, 0x24, 0x82, 0x2f, 0x58, 0x20};
static const uint8_t block[11] = {0x4a, 0xd2, 0x84, 0x43, 0xa1, 0x01,
                                  0x28, 0xa0, 0xf6, 0x41, 0x59};
#define WRAPPER_DIGEST 9

/* Length of the envelope signed again in `out`, or 0 if it is too far from one. */
static size_t sign(uint8_t *out, size_t cap, const uint8_t *data, size_t len) {
    bytes b = {data, 2, len};
    size_t pairs, key, from, body, man_from, man_end, at;
    unsigned major;
    uint8_t digest[32], *manifest;
    if (len < 3 || len > cap - sizeof wrapper - 1 || head(&b, &pairs) != 5 ||
        !member(&b, &major, &key, &from, &body) || major != 0 || key != 2 ||
        !member(&b, &major, &key, &man_from, &body) || major != 0 || key != 3) {
        return 0;
    }
    man_end = b.at;
    at = from;
    memcpy(out, data, at);
    memcpy(out + at, wrapper, sizeof wrapper);
    memcpy(out + at + sizeof wrapper - sizeof block, block, sizeof block);
    at += sizeof wrapper;
    out[at++] = 3;
    manifest = out + at;
    memcpy(manifest, data + man_from, len - man_from);
    while (member(&b, &major, &key, &from, &body)) {
        if (major == 0) {
            sha(digest, data + from, b.at - from);
            patch(manifest, man_end - man_from, key, digest);
        }
    }
    sha(out + at - 1 - sizeof wrapper + WRAPPER_DIGEST, manifest, man_end - man_from);
    return at + len - man_from;
}

/* -- the target -- */

static int same(const fuzz_outcome *a, const fuzz_outcome *b) {
    return a->status == b->status && a->is_ready == b->is_ready &&
           memcmp(&a->error, &b->error, sizeof a->error) == 0;
}

static void all_ways(fuzz_device *d, const uint8_t *data, size_t len, uint32_t seed) {
    int procedure = seed % 4 == 0 ? PICOSUIT_INVOKE : PICOSUIT_UPDATE;
    fuzz_outcome whole, parts, open;
    d->random = seed | 1;
    d->again = 0;
    whole = fuzz_run(d, data, len, FUZZ_WHOLE, procedure);
    d->again = 1;
    parts = fuzz_run(d, data, len, FUZZ_PARTS, procedure);
    MUST(same(&whole, &parts));
    d->again = 0;
    uint8_t *copy = (uint8_t *)malloc(len ? len : 1);
    MUST(copy != NULL);
    memcpy(copy, data, len);
    open = fuzz_run(d, copy, len, FUZZ_OPEN, procedure);
    free(copy);
    /* from memory all members are seen at once, and less work is needed */
    if (!whole.is_ready && whole.status != PICOSUIT_E_ROOM) {
        MUST(same(&whole, &open));
    }
    MUST(whole.is_ready || open.is_ready == 0 || whole.status == PICOSUIT_E_ROOM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static fuzz_device d;
    static uint8_t again[8192];
    uint32_t seed = 2166136261u;
    size_t n;
    for (size_t i = 0; i < len; i++) {
        seed = (seed ^ data[i]) * 16777619u;
    }
    d.accept = 0;
    d.ed25519 = seed % 8 == 0; /* the others end at the signature, soon */
    all_ways(&d, data, len, seed);
    d.ed25519 = 0;
    n = sign(again, sizeof again, data, len);
    if (n > 0) {
        d.accept = 1;
        all_ways(&d, again, n, seed);
    }
    return 0;
}
