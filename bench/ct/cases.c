/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <string.h>

#include "picosuit.h"
#include "ct_vectors.h" /* written by ct.py from vectors/ */

#define MOST 256   /* bytes of a message */
#define STORE 1024 /* of a component */

volatile int ct_mutant;

uint8_t secret_key[72]; /* scalar, key, KEK, keying material */
uint8_t secret_nonce[12];
uint8_t secret_aad[MOST];
uint8_t secret_data[MOST + 20] __attribute__((aligned(4)));
uint8_t secret_out[MOST + 4] __attribute__((aligned(4)));
uint8_t secret_device[32]; /* keys of the device that takes envelopes */
uint8_t secret_kek[16];
uint8_t secret_mac[32];
static uint8_t slot[STORE]; /* what was decrypted and written */
const struct ct_array ct_secrets[] = {
    {secret_key, sizeof secret_key},
    {secret_nonce, sizeof secret_nonce},
    {secret_aad, sizeof secret_aad},
    {secret_data, sizeof secret_data},
    {secret_out, sizeof secret_out},
    {secret_device, sizeof secret_device},
    {secret_kek, sizeof secret_kek},
    {secret_mac, sizeof secret_mac},
    {slot, sizeof slot},
    {NULL, 0},
};

static uint8_t plain[MOST]; /* what is expected: not looked at while a case runs */
static uint8_t mac_input[2 * MOST + 64];

static uint32_t kind_of(uint32_t number) {
    return number & 15;
}
static size_t a_of(uint32_t number) {
    return number >> 4 & 0xfff;
}
static size_t b_of(uint32_t number) {
    return number >> 16;
}

/* -- a device: component 3 is for staging, the others are one slot -- */

static uint8_t staged[STORE];
static uint32_t stored[2], resumed;
static picosuit context;
static uint8_t work[1024];

static uint8_t *storage(unsigned component) {
    return component == 3 ? staged : slot;
}

static int on_key(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
                  picosuit_key *out) {
    static const struct {
        const uint8_t *key;
        int purpose;
        int32_t alg;
        uint16_t len;
    } keys[4] = {
        {ct_root, PICOSUIT_PURPOSE_VERIFY, PICOSUIT_ALG_ED25519, 32},
        {secret_mac, PICOSUIT_PURPOSE_MAC, PICOSUIT_ALG_HMAC256, 32},
        {secret_device, PICOSUIT_PURPOSE_DECRYPT, PICOSUIT_ALG_ECDH_ES_A128KW, 32},
        {secret_kek, PICOSUIT_PURPOSE_DECRYPT, PICOSUIT_ALG_A128KW, 16},
    };
    (void)dev;
    (void)kid;
    (void)kid_len;
    for (unsigned i = 0; i < 4; i++) {
        if (keys[i].purpose == purpose && n-- == 0) {
            out->key = keys[i].key;
            out->key_len = keys[i].len;
            out->alg = keys[i].alg;
            out->rights = PICOSUIT_RIGHT_UPDATE;
            out->id = (uint16_t)(i + 1);
            return 1;
        }
    }
    return 0;
}

static int on_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                        uint8_t *handle, uint8_t *kind) {
    (void)dev;
    (void)signer;
    *handle = id_len == 7 ? 3 : id[2] == 't' ? 4 : 0;
    *kind = *handle == 4 ? PICOSUIT_TRANSIENT : PICOSUIT_STORED;
    return 1;
}

static int on_identity(void *dev, unsigned component, int what, unsigned n,
                       uint8_t *buf) {
    (void)dev;
    (void)component;
    if (n > 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, what == PICOSUIT_ID_VENDOR ? ct_vendor : ct_class, 16);
    return 1;
}

static int on_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    (void)dev;
    (void)component;
    (void)procedure;
    *out = 0;
    return 0;
}

static int on_size(void *dev, unsigned component, uint32_t *len, uint32_t *capacity) {
    (void)dev;
    *len = stored[component == 3];
    *capacity = STORE;
    return 0;
}

static int on_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                   size_t cap) {
    (void)dev;
    memcpy(buf, storage(component) + off, cap);
    return 0;
}

static int on_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                    uint32_t *have) {
    (void)dev;
    (void)size;
    (void)id;
    *have = component == 3 ? 0 : resumed;
    stored[component == 3] = 0;
    return 0;
}

static int on_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                    size_t len) {
    (void)dev;
    memcpy(storage(component) + off, data, len);
    ct_publish(storage(component) + off, len);
    stored[component == 3] = off + (uint32_t)len;
    return 0;
}

static int on_end(void *dev, unsigned component, int good) {
    (void)dev;
    if (!good) {
        stored[component == 3] = 0;
    }
    return 0;
}

static int on_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    (void)dev;
    (void)floor;
    (void)digest;
    return PICOSUIT_NO_FLOOR;
}

static const picosuit_platform platform = {
    on_key,   on_component, on_identity, on_slot,     on_size, on_read, on_begin,
    on_write, on_end,       NULL,        on_sequence, NULL,    NULL,    NULL,
};

/* One envelope, in frames of 64 bytes as a device gets them. */
static int update(const struct ct_envelope *e) {
    size_t at = 0, used = 0;
    int st = picosuit_init(&context, &platform, NULL, work, sizeof work);
    while (st >= 0 && at < e->len) {
        size_t n = e->len - at < 64 ? e->len - at : 64;
        st = picosuit_feed(&context, e->data + at, n, &used);
        at += used;
        if (st == PICOSUIT_READY) {
            st = picosuit_begin(&context, PICOSUIT_UPDATE);
            st = st == PICOSUIT_OK ? picosuit_run(&context) : st;
        }
    }
    return st;
}

/* -- inputs -- */

static uint32_t random_state;

static void fill(uint8_t *p, size_t n) {
    for (; n > 0; n--, p++) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 17;
        random_state ^= random_state << 5;
        *p = (uint8_t)(random_state >> 11);
    }
}

/* mac_input at off: the bytes, and zeroes up to a multiple of 16 */
static size_t put_padded(size_t off, const uint8_t *data, size_t len) {
    memcpy(mac_input + off, data, len);
    memset(mac_input + off + len, 0, 16);
    return (off + len + 15) & ~(size_t)15;
}

/* Seals `plain` to data [RFC8439 2.8]. */
static void seal(uint8_t *data, size_t len, size_t aad_len) {
    uint8_t once[32] = {0}, lengths[16] = {0};
    size_t n;
    picosuit_chacha20(once, once, sizeof once, secret_key, secret_nonce, 0);
    picosuit_chacha20(data, plain, len, secret_key, secret_nonce, 1);
    n = put_padded(0, secret_aad, aad_len);
    n = put_padded(n, data, len);
    lengths[0] = (uint8_t)aad_len;
    lengths[1] = (uint8_t)(aad_len >> 8);
    lengths[8] = (uint8_t)len;
    lengths[9] = (uint8_t)(len >> 8);
    n = put_padded(n, lengths, sizeof lengths);
    picosuit_poly1305(data + len, mac_input, n, once);
}

static void prepare_suit(uint32_t number, uint32_t seed) {
    resumed = 0;
    memset(stored, 0, sizeof stored);
    memset(&context, 0, sizeof context);
    memset(work, 0, sizeof work);
    if (seed == 0) {
        memcpy(secret_device, ct_device, sizeof secret_device);
        memcpy(secret_kek, ct_kek, sizeof secret_kek);
        memcpy(secret_mac, ct_mac, sizeof secret_mac);
    }
    if (b_of(number) > 0 && seed == 0) { /* the plaintext of an earlier attempt */
        (void)update(&ct_envelope[a_of(number)]);
        memset(stored, 0, sizeof stored);
        memset(&context, 0, sizeof context);
    }
    resumed = (uint32_t)b_of(number);
}

void ct_prepare(uint32_t number, uint32_t seed) {
    size_t a = a_of(number), b = b_of(number);
    uint8_t *data = secret_data + (b & 3);
    random_state = 0x9e3779b9u * (seed + 1);
    for (unsigned i = 0; ct_secrets[i].data != NULL; i++) {
        fill(ct_secrets[i].data, ct_secrets[i].len);
    }
    switch (kind_of(number)) {
    case CT_AEAD:
        fill(plain, a);
        seal(data, a, b >> 2);
        for (size_t i = seed / 2 % 16; seed % 2 == 1 && i < 16; i++) {
            data[a + i] ^= (uint8_t)(seed * 7 % 255 + 1);
        }
        break;
    case CT_UNWRAP:
        for (unsigned i = 0; seed == 0 && i < sizeof ct_wraps / sizeof *ct_wraps; i++) {
            if (ct_wraps[i].len == a) {
                memcpy(secret_key, ct_wraps[i].kek, 16);
                memcpy(secret_data, ct_wraps[i].data, a);
                memcpy(plain, ct_wraps[i].key, a - 8);
            }
        }
        break;
    case CT_SUIT: prepare_suit(number, seed); break;
    default: break;
    }
}

int ct_do(uint32_t number) {
    size_t a = a_of(number), b = b_of(number);
    uint8_t *data = secret_data + (b & 3), *out = secret_out + (b & 3);
    switch (kind_of(number)) {
    case CT_X25519: return picosuit_x25519(secret_out, secret_key, secret_data);
    case CT_UNWRAP: return picosuit_aes128_unwrap(secret_out, secret_key, data, a);
    case CT_CHACHA20:
        picosuit_chacha20(out, data, a, secret_key, secret_nonce, 1);
        return PICOSUIT_OK;
    case CT_POLY1305:
        picosuit_poly1305(secret_out, data, a, secret_key);
        return PICOSUIT_OK;
    case CT_AEAD:
        return picosuit_aead_open(out, data, a + 16, secret_key, secret_nonce, secret_aad,
                                  b >> 2);
    case CT_SHORT:
        return picosuit_aead_open(out, data, a, secret_key, secret_nonce, secret_aad, 0);
    case CT_HKDF:
        return picosuit_hkdf_sha256(secret_out, b, secret_data, a, secret_key, 32,
                                    secret_aad, 42);
    case CT_SHA256: picosuit_sha256(secret_out, data, a); return PICOSUIT_OK;
    default: return update(&ct_envelope[a]);
    }
}

int ct_is_right(uint32_t number, uint32_t seed, int st) {
    size_t a = a_of(number), b = b_of(number);
    uint8_t digest[32];
    switch (kind_of(number)) {
    case CT_UNWRAP:
        return seed == 0 && a % 8 == 0 && a >= 24 && a <= 72
                   ? st == PICOSUIT_OK && memcmp(secret_out, plain, a - 8) == 0
                   : st == PICOSUIT_E_CRYPTO;
    case CT_AEAD:
        return seed % 2 == 0
                   ? st == PICOSUIT_OK && memcmp(secret_out + (b & 3), plain, a) == 0
                   : st == PICOSUIT_E_CRYPTO;
    case CT_SHORT: return st == PICOSUIT_E_CRYPTO;
    case CT_HKDF: return st == (b <= 32 ? PICOSUIT_OK : PICOSUIT_E_CRYPTO);
    case CT_SUIT:
        if (seed > 0) {
            return st == PICOSUIT_E_DECRYPT || st == PICOSUIT_E_AUTH;
        }
        picosuit_sha256(digest, slot, stored[0]);
        return st == PICOSUIT_OK && memcmp(digest, ct_envelope[a].digest, 32) == 0;
    default: return st == PICOSUIT_OK;
    }
}
