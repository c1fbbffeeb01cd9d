/* SPDX-License-Identifier: MIT
 *
 * The device under test: a port over bench/m0/device_slots.c, a boot loader, a firmware
 * that confirms or does not, and an operator who offers the current update again after
 * each cut until the device reports it.
 */
#include "power.h"

#define IMAGE 0u
#define KEYS 1u

device_ram ram;

/* Real code otherwise, but for this one call: power_run.py puts it there. */
int power_verify(const uint8_t *sig, const uint8_t *key, const uint8_t *data, size_t len);

static uint8_t set_a[64], set_b[64];
static size_t set_a_len, set_b_len;
#define SETS 3
static uint8_t sets[SETS][512]; /* by vector.set */
static size_t set_len[SETS];
static const char *set_names[SETS] = {"set_ab", "set_b", "set_bc"};

enum { V1W, V2W, V3W, K4W, V5W, V6, V6W, IK5, K5B, V1, BIG1, BIG2, K3, BIG4, VECTORS };
vector vectors[VECTORS + 1] = {
    {.name = "v1w", .image_len = 500, .sequence = 1, .signers = 3},
    {.name = "v2w", .image_len = 500, .sequence = 2, .signers = 3},
    {.name = "v3w", .image_len = 500, .sequence = 3, .signers = 3},
    {.name = "k4w", .set = "set_b", .sequence = 4, .signers = 3},
    {.name = "v5w", .image_len = 500, .sequence = 5, .signers = 3},
    {.name = "v6", .image_len = 500, .sequence = 6, .signers = 1},
    {.name = "v6w", .image_len = 500, .sequence = 6, .signers = 3},
    {.name = "ik5", .set = "set_b", .image_len = 500, .sequence = 5, .signers = 3},
    {.name = "k5b", .set = "set_bc", .sequence = 5, .signers = 2},
    {.name = "v1", .image_len = 500, .sequence = 1, .signers = 1},
    {.name = "big1", .image_len = 6000, .sequence = 1, .signers = 1},
    {.name = "big2", .image_len = 6000, .sequence = 2, .signers = 1},
    {.name = "k3", .set = "set_ab", .sequence = 3, .signers = 1},
    {.name = "big4", .image_len = 6000, .sequence = 4, .signers = 1},
    {.name = NULL},
};

/* Update, trial that fails, key rotation, update. */
const step script_life[] = {
    {ACT_INSTALL, V1W, 0}, {ACT_INSTALL, V2W, 0},
    {ACT_TRIAL, V3W, 0},   {ACT_OFFER, V3W, PICOSUIT_E_REJECTED},
    {ACT_INSTALL, K4W, 0}, {ACT_INSTALL, V5W, 0},
    {ACT_OFFER, V6, 0},    {ACT_OFFER, V1, PICOSUIT_E_ROLLBACK},
    {ACT_END, 0, 0},
};
/* Image and keys in one update; each step without a reset after the one before. */
const step script_both[] = {
    {ACT_INSTALL, V1W, 0}, {ACT_INSTALL, V2W, 0}, {ACT_INSTALL, IK5, 0},
    {ACT_TRIAL, V6W, 0},   {ACT_END, 0, 0},
};
/* Two rotations. */
const step script_keys[] = {
    {ACT_INSTALL, V1W, 0},
    {ACT_INSTALL, K4W, 0},
    {ACT_INSTALL, K5B, 0},
    {ACT_INSTALL, V6W, 0},
    {ACT_OFFER, V1, PICOSUIT_E_ROLLBACK},
    {ACT_END, 0, 0},
};
/* A candidate waits, and before the reset the next update takes its place. */
const step script_replace[] = {
    {ACT_INSTALL, V1W, 0}, {ACT_STAGE, V2W, 0},   {ACT_INSTALL, V3W, 0},
    {ACT_STAGE, K4W, 0},   {ACT_INSTALL, V5W, 0}, {ACT_END, 0, 0},
};
/* From a part that was never programmed. */
const step script_first[] = {
    {ACT_INSTALL, V1W, 0},
    {ACT_INSTALL, V2W, 0},
    {ACT_END, 0, 0},
};
const step script_full[] = {
    {ACT_INSTALL, BIG1, 0},
    {ACT_INSTALL, BIG2, 0},
    {ACT_INSTALL, K3, 0},
    {ACT_TRIAL, BIG4, 0},
    {ACT_OFFER, BIG1, PICOSUIT_E_ROLLBACK},
    {ACT_END, 0, 0},
};
/* Endurance: six updates for each device. */
const step script_fleet[] = {
    {ACT_INSTALL, V1W, 0},
    {ACT_INSTALL, V2W, 0},
    {ACT_INSTALL, V3W, 0},
    {ACT_INSTALL, K4W, 0},
    {ACT_INSTALL, V5W, 0},
    {ACT_TRIAL, V6W, 0},
    {ACT_OFFER, V6W, PICOSUIT_E_REJECTED},
    {ACT_END, 0, 0},
};

/* -- what is offered -- */

static uint8_t image_byte(const vector *v, uint32_t i) {
    return (uint8_t)(v->sequence * 31u + i * 7u + (i >> 8) * 13u);
}

static const uint8_t *set_of(const vector *v, size_t *len) {
    for (int i = 0; i < SETS; i++) {
        if (strcmp(v->set, set_names[i]) == 0) {
            *len = set_len[i];
            return sets[i];
        }
    }
    *len = 0;
    return NULL;
}

static size_t read_file(const char *name, const char *end, uint8_t *buf, size_t cap) {
    char path[128];
    size_t len = 0;
    FILE *f;

    snprintf(path, sizeof path, "vectors/boot/%s%s", name, end);
    f = fopen(path, "rb");
    if (f != NULL) {
        len = fread(buf, 1, cap, f);
        fclose(f);
    }
    if (len == 0 || len == cap) {
        printf("power: cannot read %s\n", path);
        len = 0;
    }
    return len;
}

/* -- signatures: checked once by the real code, then remembered -- */

static struct {
    uint64_t key;
    int is_good;
} memo[4096];
static unsigned long long verifications;

int power_verify(const uint8_t *sig, const uint8_t *key, const uint8_t *data,
                 size_t len) {
    uint64_t h = hash_bytes(data, len, hash_bytes(sig, 64, hash_bytes(key, 32, 1)));
    uint32_t i = (uint32_t)(h % 4096u);

    while (memo[i].key != 0 && memo[i].key != h) {
        i = (i + 1) % 4096u;
    }
    if (memo[i].key == 0) {
        memo[i].key = h;
        memo[i].is_good = picosuit_ed25519_verify(sig, key, data, len);
        if (++verifications > 4000) {
            broken("rig", "too many signatures");
        }
    }
    return memo[i].is_good;
}

/* -- the port -- */

static const uint8_t vendor_id[16] = {0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                      0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe};
static const uint8_t class_id[16] = {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                     0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45};

static int port_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                    size_t kid_len, picosuit_key *out) {
    (void)dev;
    return picosuit_boot_key(&ram.b, purpose, n, kid, kid_len, out);
}

static int port_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                          uint8_t *handle, uint8_t *kind) {
    (void)dev;
    (void)signer;
    if (id_len == 3 && memcmp(id, "\x81\x41\x00", 3) == 0) {
        *handle = IMAGE;
        *kind = PICOSUIT_STORED;
        return 1;
    }
    if (id_len == 6 && memcmp(id, "\x81\x44keys", 6) == 0) {
        *handle = KEYS;
        *kind = PICOSUIT_STORED | PICOSUIT_KIND_KEYS;
        return 1;
    }
    return 0;
}

static int port_identity(void *dev, unsigned component, int what, unsigned n,
                         uint8_t *buf) {
    (void)dev;
    (void)component;
    if (n != 0 || (what != PICOSUIT_ID_VENDOR && what != PICOSUIT_ID_CLASS)) {
        return 0;
    }
    memcpy(buf, what == PICOSUIT_ID_VENDOR ? vendor_id : class_id, 16);
    return 1;
}

static int port_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    (void)dev;
    (void)component;
    (void)procedure;
    *out = picosuit_boot_slot(&ram.b);
    return 0;
}

static int port_size(void *dev, unsigned component, uint32_t *stored,
                     uint32_t *capacity) {
    (void)dev;
    return device_slots_size(&ram.slots, component, stored, capacity);
}

static int port_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                     size_t cap) {
    (void)dev;
    return device_slots_read(&ram.slots, component, off, buf, cap);
}

static int port_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    (void)dev;
    return device_slots_begin(&ram.slots, component, size, id, have);
}

static int port_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                      size_t len) {
    (void)dev;
    return device_slots_write(&ram.slots, component, off, data, len);
}

static int port_end(void *dev, unsigned component, int good) {
    (void)dev;
    return device_slots_end(&ram.slots, component, good);
}

static int port_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    (void)dev;
    (void)data;
    (void)len;
    return component == IMAGE ? 0 : -1;
}

static int port_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    (void)dev;
    return picosuit_boot_sequence(&ram.b, floor, digest);
}

static const picosuit_platform platform = {
    .key = port_key,
    .component = port_component,
    .identity = port_identity,
    .slot = port_slot,
    .size = port_size,
    .read = port_read,
    .begin = port_begin,
    .write = port_write,
    .end = port_end,
    .invoke = port_invoke,
    .sequence = port_sequence,
};

/* -- a boot -- */

static int start_p(void) {
    int st = PICOSUIT_AGAIN;

    while (st == PICOSUIT_AGAIN) {
        st = picosuit_init(&ram.p, &platform, &ram, ram.work, sizeof ram.work);
    }
    return st;
}

static int boot(void) {
    int st = PICOSUIT_E_STATE;

    memset(&ram, 0, sizeof ram);
    ram.slots.boot = &ram.b;
    m->boots++;
    if (picosuit_boot_init(&ram.b, &flash, &ram, PICOSUIT_NO_SLOT) != PICOSUIT_OK ||
        start_p() != PICOSUIT_OK) {
        return st;
    }
    do {
        st = picosuit_boot_select(&ram.b, &ram.p);
    } while (st == PICOSUIT_AGAIN && m->stop == STOP_NO);
    return st;
}

/* -- an update -- */

/* The bytes of the payload that is wanted: up to 64 of them, from off on. */
static size_t payload_block(const vector *v, int is_keys, uint32_t off, uint8_t *buf) {
    size_t total = v->image_len, len;
    const uint8_t *set = is_keys ? set_of(v, &total) : NULL;

    len = total - off < 64 ? total - off : 64;
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = set != NULL ? set[off + i] : image_byte(v, off + i);
    }
    return len;
}

/* Endurance: now and then the connection is lost, for this time or for good. */
static int is_lost(int *st) {
    if (cfg->mode != MODE_RANDOM || random_below(60) != 0) {
        return 0;
    }
    *st = random_below(2) ? PICOSUIT_E_FETCH : picosuit_payload_end(&ram.p, 0);
    return 1;
}

/* Gives bytes of a payload up to its end, as many as are wanted. */
static int push(const vector *v, const picosuit_fetch *f) {
    uint8_t buf[64];
    uint32_t off = f->offset;
    int is_keys = f->uri[0] == 'k';
    size_t len, used;
    int st = PICOSUIT_MORE;

    while ((len = payload_block(v, is_keys, off, buf)) > 0) {
        st = picosuit_payload(&ram.p, buf, len, &used);
        off += (uint32_t)used;
        if (m->stop != STOP_NO || (st != PICOSUIT_MORE && st != PICOSUIT_AGAIN)) {
            return st;
        }
        if (st == PICOSUIT_MORE && is_seen_here()) {
            m->stop = STOP_SEEN;
            return st;
        }
        explore_reset();
        if (is_lost(&st)) {
            return st;
        }
    }
    return picosuit_payload_end(&ram.p, 1);
}

static int serve(const vector *v, int st) {
    picosuit_fetch f;

    while (m->stop == STOP_NO) {
        if (st == PICOSUIT_FETCH) {
            st = picosuit_get_fetch(&ram.p, &f);
            if (st == PICOSUIT_OK) {
                st = push(v, &f);
            }
        } else if (st == PICOSUIT_AGAIN) {
            st = picosuit_run(&ram.p);
        } else {
            break;
        }
    }
    return st;
}

/* Up to the answer of begin. */
static int offer(const vector *v) {
    size_t used = 0;
    int st = PICOSUIT_E_STATE;

    device_slots_reset(&ram.slots);
    ram.b.set = ram.b.rec.keys;
    if (start_p() != PICOSUIT_OK) {
        return st;
    }
    st = picosuit_feed(&ram.p, v->data, v->len, &used);
    if (st == PICOSUIT_READY) {
        st = picosuit_boot_begin(&ram.b, &ram.p);
    }
    return st;
}

static int transfer(const vector *v) {
    int st = offer(v);

    if (st == PICOSUIT_OK) {
        st = serve(v, picosuit_run(&ram.p));
    }
    if (st == PICOSUIT_OK && m->stop == STOP_NO) {
        explore_reset();
        do {
            st = picosuit_boot_candidate(&ram.b, &ram.p);
        } while (st == PICOSUIT_AGAIN && m->stop == STOP_NO);
        explore_reset();
    }
    return st;
}

/* -- the operator, and the firmware -- */

static void next_step(void) {
    m->obs.pos++;
    m->obs.starts = 0;
    m->boots = 0;
    m->erases = 0;
    m->cuts = 0;
    plan_update();
}

static int is_reached(const step *s) {
    const picosuit_boot_record *r = &ram.b.rec;
    uint8_t sequence = vectors[s->vector].sequence;
    int is_rejected = r->has_rejected && r->rejected == sequence;

    if (r->phase == PICOSUIT_BOOT_CAND || r->phase == PICOSUIT_BOOT_TRY) {
        return s->act == ACT_STAGE && r->sequence == sequence;
    }
    if ((vectors[s->vector].signers & signers_of_set(r->keys)) == 0) {
        return 1; /* the keys before it were never confirmed: nobody can install it */
    }
    if (is_rejected) {
        check_rejected(s);
    }
    return is_rejected || (s->act != ACT_TRIAL && r->floor >= sequence);
}

/* The image on trial runs. 1: go on without a reset. */
static int on_trial(const step *s) {
    uint32_t ops = m->ops;
    int st;

    if (s->act == ACT_TRIAL) {
        if (offer(&vectors[s->vector]) != PICOSUIT_E_TRIAL || m->ops != ops) {
            broken("I7", "an update was not refused while an image is on trial");
        }
        return 0;
    }
    explore_reset();
    st = picosuit_boot_confirm(&ram.b);
    explore_reset();
    if (m->stop != STOP_NO) {
        return 0;
    }
    if (st != PICOSUIT_OK) {
        broken("I9", "confirm failed");
        return 0;
    }
    check_confirmed();
    return m->stop == STOP_NO && cfg->script == script_both;
}

/* Nothing may be touched for an offer that is refused. */
static void check_offer(const step *s) {
    const vector *v = &vectors[s->vector];
    uint32_t ops = m->ops;
    int want = s->code;
    int st = offer(v);

    if ((v->signers & signers_of_set(ram.b.rec.keys)) == 0) {
        want = PICOSUIT_E_AUTH;
    } else if (want == PICOSUIT_E_ROLLBACK &&
               memcmp(v->digest, ram.b.rec.confirmed_digest, 16) == 0) {
        want = PICOSUIT_OK; /* it is the confirmed one: a re-run */
    }
    if (st != want || m->ops != ops) {
        broken("I8", "an update that has to be refused was not");
    }
}

/* One update of the script. 1: the next step may follow without a reset. */
static int update(const step *s) {
    const picosuit_boot_record *r = &ram.b.rec;
    int st;

    if (r->phase == PICOSUIT_BOOT_CAND && r->sequence == vectors[s->vector].sequence) {
        return 0;
    }
    st = transfer(&vectors[s->vector]);
    if (st != PICOSUIT_OK && m->stop == STOP_NO) {
        m->transfers++;
        if (cfg->level < 2 && cfg->mode != MODE_RANDOM) {
            broken("I9", picosuit_strerror(st));
        }
    }
    return st == PICOSUIT_OK && s->act == ACT_STAGE;
}

/* One step of the script. 1: the next one may follow without a reset. */
static int act(const step *s) {
    switch (s->act) {
    case ACT_END:
        check_end();
        m->stop = m->stop == STOP_NO ? STOP_DONE : m->stop;
        return 0;
    case ACT_OFFER:
        check_offer(s);
        next_step();
        return 1;
    default: break;
    }
    if (ram.b.rec.phase == PICOSUIT_BOOT_TRY) {
        return on_trial(s);
    }
    if (is_reached(s)) {
        updates++;
        next_step();
        return 1;
    }
    return update(s);
}

/* From power-on to the next reset. */
void device_power_on(void) {
    int st = boot();

    if (m->stop != STOP_NO) {
        return;
    }
    check_boot(st);
    do {
        explore_reset();
    } while (m->stop == STOP_NO && act(&cfg->script[m->obs.pos]));
}

/* -- set-up -- */

/* Rights of which keys are in a page (255: factory)? Bit 0: key a, bit 1: key b. */
unsigned signers_of_set(unsigned page) {
    picosuit_key key;
    const uint8_t *set = flash.factory;
    size_t len = flash.factory_len;
    unsigned bits = 0;

    if (page < 2) {
        uint32_t n = 0;
        memcpy(&n, m->cell + flash.keys + page * flash.page + 4, 4);
        len = n < 512 ? n : 0;
        set = m->cell + flash.keys + page * flash.page + PICOSUIT_KEYS_SET;
    }
    for (unsigned n = 0; picosuit_keyset_key(set, len, n, &key) == 1; n++) {
        bits |= memcmp(key.key, set_a + set_a_len - 38, 32) == 0 ? 1u : 0;
        bits |= memcmp(key.key, set_b + set_b_len - 38, 32) == 0 ? 2u : 0;
    }
    return bits;
}

static int vector_load(vector *v) {
    picosuit_info info;
    size_t used = 0;

    v->len = (uint32_t)read_file(v->name, ".suit", v->data, sizeof v->data);
    if (v->len == 0 || start_p() != PICOSUIT_OK ||
        picosuit_feed(&ram.p, v->data, v->len, &used) != PICOSUIT_READY ||
        picosuit_get_info(&ram.p, &info) != PICOSUIT_OK || info.sequence != v->sequence) {
        printf("power: %s is not what it should be\n", v->name);
        return 0;
    }
    memcpy(v->digest, info.digest, 32);
    return 1;
}

int device_setup(void) {
    set_a_len = read_file("set_a", ".cbor", set_a, sizeof set_a);
    set_b_len = read_file("set_b", ".cbor", set_b, sizeof set_b);
    for (int i = 0; i < SETS; i++) {
        set_len[i] = read_file(set_names[i], ".cbor", sets[i], sizeof sets[i]);
    }
    if (set_a_len == 0 || set_b_len == 0 || set_len[0] == 0) {
        return 0;
    }
    flash.factory = sets[0]; /* both keys, so that all envelopes can be looked at */
    flash.factory_len = (uint16_t)set_len[0];
    flash.component = (const uint8_t *)"\x81\x41\x00";
    flash.component_len = 3;
    memset(&ram, 0, sizeof ram);
    ram.b.flash = &flash;
    ram.b.set = 255;
    for (vector *v = vectors; v->name != NULL; v++) {
        if (!vector_load(v)) {
            return 0;
        }
    }
    flash.factory = set_a;
    flash.factory_len = (uint16_t)set_a_len;
    return 1;
}

/* Whether a slot holds all of a vector, as it reads now. */
static int slot_holds(unsigned slot, const vector *v) {
    const uint8_t *at = m->cell + flash.slot[slot & 1u];
    const uint8_t *area = at + flash.slot_size - flash.manifest_size;

    for (uint32_t i = 0; i < flash.slot_size - flash.manifest_size; i++) {
        if (at[i] != (i < v->image_len ? image_byte(v, i) : cfg->erased)) {
            return 0;
        }
    }
    for (uint32_t i = PICOSUIT_MANIFEST_ENVELOPE; i < flash.manifest_size; i++) {
        uint32_t n = i - PICOSUIT_MANIFEST_ENVELOPE;
        if (area[i] != (n < v->len ? v->data[n] : cfg->erased)) {
            return 0;
        }
    }
    return 1;
}

/* What is in a slot, if all of it is there and it has this digest. Some envelopes have
 * the same manifest and other signatures. */
const vector *vector_in(unsigned slot, const uint8_t *digest16) {
    for (const vector *v = vectors; v->name != NULL; v++) {
        if (v->image_len != 0 && memcmp(v->digest, digest16, 16) == 0 &&
            slot_holds(slot, v)) {
            return v;
        }
    }
    return NULL;
}
