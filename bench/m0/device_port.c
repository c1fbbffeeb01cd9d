/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "device_port.h"
#include "device_keys.h" /* generated: test keys */
#include "device_text.h"
#include "nrf51.h"

#define IMAGE PICOSUIT_AREA_IMAGE /* component [h'00'] */
#define KEYS PICOSUIT_AREA_KEYS   /* component ['keys'] */
#define SPOOL 2u                  /* component ['t'], transient */

static const uint8_t device_image[3] = {0x81, 0x41, 0x00};
static const uint8_t device_keys[6] = {0x81, 0x44, 'k', 'e', 'y', 's'};
static const uint8_t device_vendor[16] = {0xfa, 0x6b, 0x4a, 0x53, 0xd5, 0xad, 0x5f, 0xdf,
                                          0xbe, 0x9d, 0xe6, 0x63, 0xe4, 0xd4, 0x1f, 0xfe};
static const uint8_t device_class[16] = {0x14, 0x92, 0xaf, 0x14, 0x25, 0x69, 0x5e, 0x48,
                                         0xbf, 0x42, 0x9b, 0x2d, 0x51, 0xf2, 0xab, 0x45};
/* UUIDv5(vendor, "device-1") */
static const uint8_t device_uuid[16] = {0x86, 0xfb, 0x4d, 0xa0, 0x71, 0xef, 0x58, 0x37,
                                        0xa9, 0x7f, 0x29, 0x2e, 0x42, 0x7c, 0xc7, 0x8f};

/* -- flash, as the boot state and the slots use it -- */

static const uint8_t *flash_at(uint32_t addr) {
    return (const uint8_t *)(uintptr_t)addr;
}

static uint32_t flash_word(uint32_t addr) {
    return NRF51_REG(addr);
}

static int flash_read(void *dev, uint32_t off, uint8_t *buf, size_t cap) {
    (void)dev;
    memcpy(buf, flash_at(off), cap);
    return 0;
}

static int flash_write(void *dev, uint32_t off, const uint8_t *data, size_t len) {
    (void)dev;
    return nrf51_flash_program(off, data, len);
}

static int flash_erase(void *dev, uint32_t off) {
    (void)dev;
    return nrf51_flash_erase(off);
}

const picosuit_flash device_flash = {
    flash_read,
    flash_write,
    flash_erase,
    4, /* bytes programmed at once */
    0xFF,
    DEVICE_TRIES,
    3, /* journal pages */
    sizeof device_factory,
    sizeof device_image,
    MAP_PAGE,
    {MAP_SLOT_A, MAP_SLOT_B},
    MAP_SLOT_SIZE,
    MAP_PAGE, /* manifest area */
    MAP_JOURNAL,
    MAP_KEYS,
    0, /* floor: the first sequence number may be any */
    device_factory,
    device_image,
};

void device_reset(device *d) {
    device_slots_reset(&d->slots);
    d->is_begun = 0;
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
    device *d = dev;
    if (purpose == PICOSUIT_PURPOSE_VERIFY) {
        return picosuit_boot_key(&d->boot, purpose, n, kid, kid_len, out);
    }
    if (purpose == PICOSUIT_PURPOSE_DECRYPT && n == 0 &&
        (kid == NULL || (kid_len == 8 && memcmp(kid, device_kid, 8) == 0))) {
        out->key = device_key_device;
        out->key_len = 32;
        out->alg = PICOSUIT_ALG_ECDH_ES_A128KW;
        out->rights = 0;
        out->id = 6;
        return 1;
    }
    return 0;
}

static int port_component(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                          uint8_t *handle, uint8_t *kind) {
    static const uint8_t spool[3] = {0x81, 0x41, 't'};
    (void)dev;
    (void)signer; /* the key set says who may write keys; all may write the rest */
    if (id_len == sizeof device_image && memcmp(id, device_image, id_len) == 0) {
        *handle = IMAGE;
        *kind = PICOSUIT_STORED;
        return 1;
    }
    if (id_len == sizeof device_keys && memcmp(id, device_keys, id_len) == 0) {
        *handle = KEYS;
        *kind = PICOSUIT_STORED | PICOSUIT_KIND_KEYS;
        return 1;
    }
    if (id_len == sizeof spool && memcmp(id, spool, id_len) == 0) {
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
    (void)procedure; /* the boot state knows it */
    *out = picosuit_boot_slot(&d->boot);
    return 0;
}

static int port_size(void *dev, unsigned component, uint32_t *stored,
                     uint32_t *capacity) {
    device *d = dev;
    if (component == SPOOL) {
        *stored = 0;
        *capacity = 0;
        return 0;
    }
    return device_slots_size(&d->slots, component, stored, capacity);
}

static int port_read(void *dev, unsigned component, uint32_t off, uint8_t *buf,
                     size_t cap) {
    device *d = dev;
    if (component == SPOOL) {
        return DEVICE_E_COMPONENT;
    }
    return device_slots_read(&d->slots, component, off, buf, cap);
}

static int port_sequence(void *dev, uint64_t *floor, uint8_t *digest) {
    const device *d = dev;
    return picosuit_boot_sequence(&d->boot, floor, digest);
}

/* -- effects: begin and end erase one page per call and answer AGAIN in between, so that
 * the firmware goes on running -- */

static int port_begin(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                      uint32_t *have) {
    device *d = dev;
    int st = DEVICE_E_COMPONENT;
    if (component == SPOOL) {
        return st;
    }
    if (tag_is_refused(id)) {
        return DEVICE_E_TRIES;
    }
    st = device_slots_begin(&d->slots, component, size, id, have);
    if (st == 0) {
        d->is_begun = 1;
        memcpy(d->id, id, 32);
    }
    return st;
}

static int port_write(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                      size_t len) {
    device *d = dev;
    if (component == SPOOL) {
        return DEVICE_E_COMPONENT;
    }
    return device_slots_write(&d->slots, component, off, data, len);
}

static int port_end(void *dev, unsigned component, int good) {
    device *d = dev;
    if (component == SPOOL) {
        return DEVICE_E_COMPONENT;
    }
    return device_slots_end(&d->slots, component, good);
}

static int port_invoke(void *dev, unsigned component, const uint8_t *data, size_t len) {
    (void)dev;
    (void)data;
    (void)len;
    /* The loader jumps when all of the procedure is over: picosuit_boot_address. */
    return component == IMAGE ? 0 : DEVICE_E_COMPONENT;
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

const picosuit_platform device_platform = {
    port_key,      port_component, port_identity, port_slot,   port_size,
    port_read,     port_begin,     port_write,    port_end,    port_invoke,
    port_sequence, NULL,           NULL,          port_record,
};
