/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "device_port.h"
#include "device_keys.h" /* generated: test keys */
#include "device_text.h"
#include "nrf51.h"

#define IMAGE 0u /* component [h'00'] */
#define SPOOL 1u /* component ['t'], transient */

/* begin and end erase one page per call and answer AGAIN in between, so that the firmware
 * goes on running. */
enum { PHASE_NEW, PHASE_FRESH, PHASE_RESUME, PHASE_DISCARD };

static const uint8_t device_vendor[16] = {0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                          0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe};
static const uint8_t device_class[16] = {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                         0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45};
/* UUIDv5(vendor, "device-1") */
static const uint8_t device_uuid[16] = {0x86, 0xfb, 0x4d, 0xa0, 0x71, 0xef, 0x58, 0x37,
                                        0xa9, 0x7f, 0x29, 0x2e, 0x42, 0x7c, 0xc7, 0x8f};

/* -- slots and their manifest pages -- */

uint32_t device_slot_base(unsigned slot) {
    return slot == 0 ? MAP_SLOT_A : MAP_SLOT_B;
}

static uint32_t manifest_page(unsigned slot) {
    return device_slot_base(slot) + MAP_IMAGE_MAX;
}

static const uint8_t *flash_at(uint32_t addr) {
    return (const uint8_t *)(uintptr_t)addr;
}

static uint32_t flash_word(uint32_t addr) {
    return NRF51_REG(addr);
}

/* Bytes of the image, if one is complete in the slot. */
static uint32_t image_len(unsigned slot) {
    uint32_t page = manifest_page(slot);
    uint32_t len = flash_word(page + MAN_LEN);
    if (len > MAP_IMAGE_MAX || flash_word(page + MAN_LEN_INV) != ~len) {
        len = 0;
    }
    return len;
}

const uint8_t *device_envelope(unsigned slot, uint32_t *len) {
    uint32_t page = manifest_page(slot);
    *len = flash_word(page + MAN_ENV_LEN);
    if (*len > MAN_ENV_MAX || image_len(slot) == 0) {
        *len = 0;
    }
    return flash_at(page + MAN_ENV);
}

unsigned device_target(const device *d) {
    return d->running == 0 ? 1 : 0;
}

void device_select(device *d, unsigned slot) {
    d->slot = (uint8_t)slot;
    d->phase = PHASE_NEW;
    d->is_begun = 0;
    d->is_invoked = 0;
}

/* -- manifests with wrong tags: the port's own page ------------------------------------
 * A magic word, then entries: 32 bytes of manifest digest and three words, one of which
 * is programmed per failure. */

#define TAG_MAGIC 0x47415431u
#define TAG_TRIES 3u
#define TAG_ENTRY (32u + 4u * TAG_TRIES)
#define TAG_FIRST (MAP_PORT + 4u)
#define TAG_LAST (MAP_PORT + MAP_PAGE - TAG_ENTRY)

/* Entry of a manifest; the first blank one if it has none; 0 if the page is full. */
static uint32_t tag_entry(const uint8_t *id) {
    uint32_t entry;
    if (flash_word(MAP_PORT) != TAG_MAGIC) {
        return 0;
    }
    for (entry = TAG_FIRST; entry <= TAG_LAST; entry += TAG_ENTRY) {
        if (memcmp(flash_at(entry), id, 32) == 0 ||
            nrf51_flash_is_blank(entry, TAG_ENTRY)) {
            return entry;
        }
    }
    return 0;
}

static int tag_is_refused(const uint8_t *id) {
    uint32_t entry = tag_entry(id);
    return entry != 0 && flash_word(entry + TAG_ENTRY - 4) != 0xFFFFFFFFu;
}

void device_tag_failed(const device *d) {
    uint32_t entry = tag_entry(d->id);
    if (!d->is_begun) {
        return; /* a wrong key or wrap: no flash work was done for it */
    }
    if (entry == 0) {
        entry = TAG_FIRST;
        if (nrf51_flash_erase(MAP_PORT) != 0 ||
            nrf51_flash_program_word(MAP_PORT, TAG_MAGIC) != 0) {
            return;
        }
    }
    if (nrf51_flash_is_blank(entry, 32)) {
        (void)nrf51_flash_program(entry, d->id, 32);
    }
    for (uint32_t i = 0; i < TAG_TRIES; i++) {
        if (flash_word(entry + 32 + 4 * i) == 0xFFFFFFFFu) {
            (void)nrf51_flash_program_word(entry + 32 + 4 * i, 0);
            return;
        }
    }
}

/* -- facts -- */

static int port_key(void *dev, int purpose, unsigned n, const uint8_t *kid,
                    size_t kid_len, picosuit_key *out) {
    static const char device_kid[] = "device-1";
    (void)dev;
    if (n != 0) {
        return 0;
    }
    out->key_len = 32;
    if (purpose == PICOSUIT_PURPOSE_VERIFY) {
        out->key = device_key_root;
        out->alg = PICOSUIT_ALG_ED25519;
        out->rights = PICOSUIT_RIGHT_UPDATE | PICOSUIT_RIGHT_INVOKE;
        out->id = 1;
        return 1;
    }
    if (purpose == PICOSUIT_PURPOSE_DECRYPT &&
        (kid == NULL || (kid_len == 8 && memcmp(kid, device_kid, 8) == 0))) {
        out->key = device_key_device;
        out->alg = PICOSUIT_ALG_ECDH_ES_A128KW;
        out->rights = 0;
        out->id = 6;
        return 1;
    }
    return 0;
}

static int port_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                          uint8_t *handle, uint8_t *kind) {
    (void)dev;
    (void)signer; /* there is one, and it may write both */
    if (id_len != 3 || id[0] != 0x81 || id[1] != 0x41) {
        return 0;
    }
    if (id[2] == 0) {
        *handle = IMAGE;
        *kind = PICOSUIT_STORED;
        return 1;
    }
    if (id[2] == 't') {
        *handle = SPOOL;
        *kind = PICOSUIT_TRANSIENT;
        return 1;
    }
    return 0;
}

static int port_identity(void *dev, unsigned component, int what, unsigned n,
                         uint8_t *buf) {
    const uint8_t *id = NULL;
    (void)dev;
    (void)component;
    switch (what) {
    case PICOSUIT_ID_VENDOR: id = device_vendor; break;
    case PICOSUIT_ID_CLASS: id = device_class; break;
    case PICOSUIT_ID_DEVICE: id = device_uuid; break;
    default: break;
    }
    if (n != 0 || id == NULL) {
        return 0;
    }
    memcpy(buf, id, 16);
    return 1;
}

static int port_slot(void *dev, unsigned component, int procedure, uint32_t *out) {
    const device *d = dev;
    (void)component;
    (void)procedure; /* device_select knew it */
    *out = d->slot;
    return 0;
}

static int port_size(void *dev, unsigned component, uint32_t *stored,
                     uint32_t *capacity) {
    const device *d = dev;
    *stored = component == IMAGE ? image_len(d->slot) : 0;
    *capacity = component == IMAGE ? MAP_IMAGE_MAX : 0;
    return 0;
}

static int port_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                     size_t cap) {
    const device *d = dev;
    if (component != IMAGE || off > MAP_IMAGE_MAX || cap > MAP_IMAGE_MAX - off) {
        return DEVICE_E_SLOT;
    }
    memcpy(buf, flash_at(device_slot_base(d->slot) + off), cap);
    return 0;
}

static int port_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    const device *d = dev;
    if (d->running == DEVICE_NO_SLOT) {
        return PICOSUIT_NO_FLOOR;
    }
    *floor = d->floor;
    memcpy(digest, d->digest, 32);
    return 0;
}

/* -- effects -- */

static void erase_from(device *d, uint32_t start, uint32_t end) {
    d->at = start;
    d->end = end;
}

/* Erases the next page. AGAIN while there was one, 0 when all are done. Pages behind the
 * image are only erased if they hold something; all others always are. */
static int erase_step(device *d) {
    while (d->at < d->end && d->at >= d->image_end &&
           nrf51_flash_is_blank(d->at, MAP_PAGE)) {
        d->at += MAP_PAGE;
    }
    if (d->at == d->end) {
        return 0;
    }
    if (nrf51_flash_erase(d->at) != 0) {
        return DEVICE_E_FLASH;
    }
    d->at += MAP_PAGE;
    return PICOSUIT_AGAIN;
}

/* The last page of the slot that holds anything, 0 if none does. It may hold a torn unit,
 * so resuming erases it and starts there. */
static uint32_t last_page(uint32_t base) {
    for (uint32_t page = base + MAP_IMAGE_MAX; page > base; page -= MAP_PAGE) {
        if (!nrf51_flash_is_blank(page - MAP_PAGE, MAP_PAGE)) {
            return page - MAP_PAGE;
        }
    }
    return 0;
}

/* Can an earlier attempt be gone on with? The same identity, nothing closed since, and no
 * more in the slot than fits this image: then it was another one of the same manifest. */
static int is_resumable(const device *d, const uint8_t *id, uint32_t size) {
    uint32_t base = device_slot_base(d->slot);
    uint32_t page = manifest_page(d->slot);
    uint32_t last = last_page(base);
    return memcmp(flash_at(page + MAN_ID), id, 32) == 0 &&
           nrf51_flash_is_blank(page + MAN_LEN, MAP_PAGE - MAN_LEN) &&
           (last == 0 || last - base < size);
}

/* Chooses between resuming and starting over. Starting over erases the manifest page
 * first: were it the last, a power cut in between would leave the identity of an earlier
 * attempt with pages that are no longer its own. */
static int begin_plan(device *d, uint32_t size, const uint8_t *id) {
    uint32_t base = device_slot_base(d->slot);
    uint32_t page = manifest_page(d->slot);
    uint32_t last = last_page(base);
    if (d->slot == d->running) {
        return DEVICE_E_SLOT;
    }
    if (tag_is_refused(id)) {
        return DEVICE_E_TRIES;
    }
    if (size > MAP_IMAGE_MAX) {
        size = MAP_IMAGE_MAX; /* unknown; more is refused by the core */
    }
    d->image_end = base + (size + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;
    if (is_resumable(d, id, size)) {
        d->phase = PHASE_RESUME;
        erase_from(d, last == 0 ? base : last, d->image_end);
        d->len = d->at - base;
        return 0;
    }
    d->phase = PHASE_FRESH;
    d->len = 0;
    erase_from(d, base, page);
    return nrf51_flash_erase(page) == 0 ? PICOSUIT_AGAIN : DEVICE_E_FLASH;
}

static int port_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    device *d = dev;
    int st = DEVICE_E_SLOT;
    if (component != IMAGE) {
        return st;
    }
    if (d->phase == PHASE_NEW) {
        st = begin_plan(d, size, id);
        if (st != 0) {
            return st;
        }
    }
    st = erase_step(d);
    if (st != 0) {
        return st;
    }
    if (d->phase == PHASE_FRESH &&
        nrf51_flash_program(manifest_page(d->slot) + MAN_ID, id, 32) != 0) {
        return DEVICE_E_FLASH;
    }
    d->phase = PHASE_NEW;
    d->is_begun = 1;
    memcpy(d->id, id, 32);
    *have = d->len;
    return 0;
}

static int port_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                      size_t len) {
    device *d = dev;
    if (component != IMAGE || off != d->len || len > MAP_IMAGE_MAX - off) {
        return DEVICE_E_SLOT;
    }
    if (nrf51_flash_program(device_slot_base(d->slot) + off, data, len) != 0) {
        return DEVICE_E_FLASH;
    }
    d->len = off + (uint32_t)len;
    return 0;
}

static int program_len(device *d, uint32_t len) {
    uint32_t page = manifest_page(d->slot);
    if (nrf51_flash_program_word(page + MAN_LEN, len) != 0 ||
        nrf51_flash_program_word(page + MAN_LEN_INV, ~len) != 0) {
        return DEVICE_E_FLASH;
    }
    return 0;
}

static int port_end(void *dev, unsigned component, int good) {
    device *d = dev;
    int st = DEVICE_E_SLOT;
    if (component != IMAGE) {
        return st;
    }
    if (good == 1) {
        return program_len(d, d->len);
    }
    if (d->phase != PHASE_DISCARD) { /* the manifest page first, then what was written */
        d->phase = PHASE_DISCARD;
        if (nrf51_flash_erase(manifest_page(d->slot)) != 0) {
            return DEVICE_E_FLASH;
        }
        erase_from(d, device_slot_base(d->slot), d->image_end);
    }
    st = erase_step(d);
    if (st == 0) {
        d->phase = PHASE_NEW;
        d->len = 0;
    }
    return st;
}

static int port_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    device *d = dev;
    (void)data;
    (void)len;
    if (component != IMAGE) {
        return DEVICE_E_SLOT;
    }
    d->is_invoked = 1; /* the loader jumps when the procedure is over */
    return 0;
}

static int port_record(void *dev, const picosuit_record *record) {
    (void)dev;
    if ((record->policy & (record->code == 0 ? 1u : 2u)) == 0) {
        return 0; /* not asked for */
    }
    text("[log] section ");
    text_number(record->section);
    text(" +");
    text_number((int32_t)record->offset);
    text(": command ");
    text_number(record->label);
    text(", component ");
    text_number(record->component);
    text(record->code == 0 ? ", done\r\n" : ", failed\r\n");
    return 0;
}

/* Is the envelope in the manifest page, whole? With is_program: put it there. */
static int store_envelope(const picosuit *p, uint32_t page, uint32_t total,
                          int is_program) {
    uint8_t buf[64];
    size_t len = 0;
    for (uint32_t off = 0; off < total; off += (uint32_t)len) {
        uint32_t at = page + MAN_ENV + off;
        if (picosuit_get_envelope(p, off, buf, sizeof buf, &len) != PICOSUIT_OK ||
            len == 0) {
            return DEVICE_E_SLOT;
        }
        if (is_program && nrf51_flash_program(at, buf, len) != 0) {
            return DEVICE_E_FLASH;
        }
        if (memcmp(flash_at(at), buf, len) != 0) {
            return DEVICE_E_FLASH;
        }
    }
    if (is_program && nrf51_flash_program_word(page + MAN_ENV_LEN, total) != 0) {
        return DEVICE_E_FLASH;
    }
    return flash_word(page + MAN_ENV_LEN) == total ? 0 : DEVICE_E_FLASH;
}

int device_store(device *d, const picosuit *p) {
    picosuit_info info;
    uint32_t page = manifest_page(d->slot);
    uint32_t len = image_len(d->slot);
    int is_same = 0;
    if (picosuit_get_info(p, &info) != PICOSUIT_OK || info.envelope_len > MAN_ENV_MAX ||
        len == 0 || d->slot == d->running) {
        return DEVICE_E_SLOT;
    }
    is_same = memcmp(flash_at(page + MAN_ID), info.digest, 32) == 0;
    if (is_same && store_envelope(p, page, info.envelope_len, 0) == 0) {
        return 0; /* a re-run with nothing to do */
    }
    if (!is_same || !nrf51_flash_is_blank(page + MAN_ENV_LEN, MAP_PAGE - MAN_ENV_LEN)) {
        /* The image was in place already, under another manifest or before a power cut.
         */
        if (nrf51_flash_erase(page) != 0 ||
            nrf51_flash_program(page + MAN_ID, info.digest, 32) != 0 ||
            program_len(d, len) != 0) {
            return DEVICE_E_FLASH;
        }
    }
    return store_envelope(p, page, info.envelope_len, 1);
}

const picosuit_platform device_platform = {
    port_key,      port_component, port_identity, port_slot,   port_size,
    port_read,     port_begin,     port_write,    port_end,    port_invoke,
    port_sequence, NULL,           NULL,          port_record,
};
