/* SPDX-License-Identifier: MIT */
/* What crosses the border to another language: integers, byte spans, opaque handles.
 *
 * Nothing here calls out. The platform's callbacks put a question into the handle and
 * answer PICOSUIT_AGAIN, which the core promises to be harmless; the call comes back with
 * PICOSUIT_AGAIN and bind_question has the question; whoever can answer it does so with
 * bind_reply, which repeats the call:
 *
 *     st = bind_run(p);
 *     while (st == PICOSUIT_AGAIN && (n = bind_question(p, buf, cap)) > 0)
 *         st = bind_reply(p, ... the answer to buf ...);
 *
 * AGAIN without a question is the answer that was given: repeat the call itself later.
 * bind_reply repeats a boot call, too. Records wait in the handle; nobody is asked.
 *
 * Spans: data, len are only read during the call, and what is kept is copied before it is
 * looked at, so that nobody can change it between check and use. buf, cap get a packed
 * answer: little-endian, no padding, sizes below. A function that fills one returns the
 * bytes written (more than cap: needed, and nothing was written) or a negative status.
 *
 * A handle, and a boot state with its flash and processor, are used by one thread at a
 * time. There is no other state. Compile with the core, both with the four switches
 * below.
 */
#ifndef PICOSUIT_SHIM_H
#define PICOSUIT_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bind_processor bind_processor; /* a context, its memory and its keys */
typedef struct bind_flash bind_flash;         /* flash in memory, with the rules of NOR */
typedef struct bind_boot bind_boot;           /* boot state over a flash */

#define BIND_E_MEMORY (-1000) /* the machine has no memory left */
#define BIND_UNFIT 1000       /* bind_reply: no such answer; the question stands */

/* Questions: number in the first word, and bit in `mask`: what a device can answer. What
 * it cannot is NULL in the platform table, and the core refuses what needs it.
 * Packed: kind, then five words x0..x4, then bytes: 24 and more. */
#define BIND_KEY 1       /* x purpose, n, kid given; bytes kid */
#define BIND_COMPONENT 2 /* x signer; bytes id */
#define BIND_IDENTITY 3  /* x component, what, n */
#define BIND_SLOT 4      /* x component, procedure */
#define BIND_SIZE 5      /* x component */
#define BIND_READ 6      /* x component, off, n */
#define BIND_BEGIN 7     /* x component, size; bytes id */
#define BIND_WRITE 8     /* x component, off; bytes data */
#define BIND_END 9       /* x component, good */
#define BIND_INVOKE 10   /* x component, args given; bytes args */
#define BIND_SEQUENCE 11
#define BIND_SWAP 12   /* x component, source */
#define BIND_VERIFY 13 /* x alg, rights, id, key_len, len; bytes key, data, sig */
#define BIND_RECORD 14 /* never asked: see bind_record */

/* Packed, in words of 4 bytes where nothing else is said:
 *   error   code, offset, section, label, component, platform
 *   info    sequence (8 bytes), digest (32), envelope_len, rights, signer, components,
 *           sections
 *   fetch   offset, size, passed, where, component, args given, uri_len, args_len; then
 *           uri, args
 *   record  offset, label, code, section, component, policy
 *   key     alg, rights, id; then the key
 *   boot    counter, code, epoch; floor, sequence, rejected (8 bytes each); running,
 *           phase, tries, confirmed, slot, keys, new_keys, result, has_rejected, version,
 *           0, 0 (1 each); digests: confirmed, other, keys, new_keys (16 each)
 *   flash   reads, programs, erases, operations (the two before), breaches, power lost */
#define BIND_QUESTION_LEN 24u
#define BIND_ERROR_LEN 24u
#define BIND_INFO_LEN 60u
#define BIND_FETCH_LEN 32u
#define BIND_RECORD_LEN 24u
#define BIND_KEY_LEN 12u
#define BIND_BOOT_LEN 112u
#define BIND_FLASH_LEN 24u

/* ---- Processor */

/* work_len bytes of work, callbacks by `mask` (1 << BIND_KEY, ...). NULL: no memory. */
bind_processor *bind_processor_new(uint32_t work_len, uint32_t mask);
void bind_processor_free(bind_processor *p);
/* Adds a key to those that are tried before the device is asked; its purpose is that of
 * its algorithm. bind_key_kid gives the last one a kid: it then fits no other. */
int32_t bind_key(bind_processor *p, int32_t alg, uint32_t rights, uint32_t id,
                 const uint8_t *data, size_t len);
int32_t bind_key_kid(bind_processor *p, const uint8_t *data, size_t len);

/* The calls of picosuit.h; each returns its status, or BIND_E_MEMORY. */
int32_t bind_reset(bind_processor *p); /* picosuit_init */
int32_t bind_feed(bind_processor *p, const uint8_t *data, size_t len);
int32_t bind_feed_end(bind_processor *p);
int32_t bind_open(bind_processor *p, const uint8_t *data, size_t len);
int32_t bind_begin(bind_processor *p, int32_t procedure);
int32_t bind_run(bind_processor *p);
int32_t bind_payload(bind_processor *p, const uint8_t *data, size_t len);
int32_t bind_payload_end(bind_processor *p, int32_t good);
int32_t bind_rewind(bind_processor *p);
int64_t bind_used(const bind_processor *p); /* bytes that feed or payload has taken */

/* The question that the call waits for; 0: none. */
int32_t bind_question(const bind_processor *p, uint8_t *buf, size_t cap);
/* Answers it and repeats the call. st: what the callback returns (0, its positive answer,
 * PICOSUIT_AGAIN, negative); a, b, c, data: what it gives out:
 *   KEY 1       a alg, b rights, c id; data the key
 *   COMPONENT 1 a handle, b kind            IDENTITY 1  data: 16 bytes
 *   SLOT 0      a slot                      SIZE 0      a stored, b capacity
 *   READ 0      data: n bytes               BEGIN 0     a have
 *   SEQUENCE 0  a, b: floor, low and high word; data: digest, 32 bytes
 * Returns  the call's status; BIND_UNFIT; PICOSUIT_E_STATE if nothing was asked */
int32_t bind_reply(bind_processor *p, int32_t st, uint32_t a, uint32_t b, uint32_t c,
                   const uint8_t *data, size_t len);
/* 1 if what follows the reply may take long: keys are asked for before signatures. */
int32_t bind_is_long(const bind_processor *p);

int32_t bind_error(const bind_processor *p, uint8_t *buf, size_t cap);
int32_t bind_info(const bind_processor *p, uint8_t *buf, size_t cap);
int32_t bind_fetch(const bind_processor *p, uint8_t *buf, size_t cap);
int32_t bind_envelope(const bind_processor *p, uint32_t off, uint8_t *buf, size_t cap);
int32_t bind_report(const bind_processor *p, uint8_t *buf, size_t cap);
int32_t bind_record(bind_processor *p, uint8_t *buf, size_t cap); /* takes one; 0: none */
uint32_t
bind_work_used(const bind_processor *p); /* most bytes of work that were needed */

int32_t bind_capabilities(uint8_t *buf, size_t cap);
const char *bind_strerror(int32_t code);
uint32_t bind_version(void);
uint32_t bind_features(void);

/* ---- Flash and boot state */

/* `size` bytes, all erased. NULL: no memory, or not such a flash: pages of 128 bytes or
 * more that divide size, units of 1, 2, 4 or 8, erased 0x00 or 0xff. */
bind_flash *bind_flash_new(uint32_t size, uint32_t page, uint32_t unit, uint32_t erased);
void bind_flash_free(
    bind_flash *f); /* stays until the last boot state over it is freed */
/* 0; negative: not done. A unit programmed twice between two erases, one that is none, a
 * page that is none, and what lies outside count as breaches. */
int32_t bind_flash_read(bind_flash *f, uint32_t off, uint8_t *buf, size_t cap);
int32_t bind_flash_write(bind_flash *f, uint32_t off, const uint8_t *data, size_t len);
int32_t bind_flash_erase(bind_flash *f, uint32_t off);
/* The n-th operation (program, erase) from now is half done, then power is lost: all else
 * fails until it comes back. 0: never. */
void bind_flash_cut(bind_flash *f, uint32_t n);
void bind_flash_power(bind_flash *f);
/* Cells without rules, counts and power. Those that are set to a value which is not
 * erased count as programmed. 0; PICOSUIT_E_ARG: outside. */
int32_t bind_flash_peek(const bind_flash *f, uint32_t off, uint8_t *buf, size_t cap);
int32_t bind_flash_poke(bind_flash *f, uint32_t off, const uint8_t *data, size_t len);
int32_t bind_flash_counts(const bind_flash *f, uint8_t *buf, size_t cap);

/* Geometry as picosuit_flash has it; NULL: no memory, or areas that are not whole pages
 * inside the flash. */
bind_boot *bind_boot_new(bind_flash *f, uint32_t slot_0, uint32_t slot_1,
                         uint32_t slot_size, uint32_t manifest_size, uint32_t journal,
                         uint32_t journal_pages, uint32_t keys, uint32_t tries,
                         uint32_t floor);
void bind_boot_free(bind_boot *b);
int32_t bind_boot_factory(bind_boot *b, const uint8_t *data, size_t len);
int32_t bind_boot_component(bind_boot *b, const uint8_t *data, size_t len);
int32_t bind_boot_init(bind_boot *b, uint32_t running); /* first, and after each reset */
int32_t bind_boot_select(bind_boot *b, bind_processor *p);
uint32_t bind_boot_address(const bind_boot *b, const bind_processor *p);
int32_t bind_boot_begin(bind_boot *b, bind_processor *p);
int64_t bind_boot_prepare(bind_boot *b, uint32_t area); /* flash offset, or negative */
int32_t bind_boot_candidate(bind_boot *b, bind_processor *p);
int32_t bind_boot_confirm(bind_boot *b);
/* For the device's answers. While a boot call waits for one, they say what it would have
 * heard inside its callback: the candidate's key set, too. */
int32_t bind_boot_key(bind_boot *b, int32_t purpose, uint32_t n, int32_t has_kid,
                      const uint8_t *data, size_t len, uint8_t *buf, size_t cap);
/* 40: floor (8 bytes), digest; 0: PICOSUIT_NO_FLOOR */
int32_t bind_boot_sequence(const bind_boot *b, uint8_t *buf, size_t cap);
uint32_t bind_boot_slot(const bind_boot *b);
/* 8: off, len */
int32_t bind_boot_stored(bind_boot *b, uint32_t area, uint8_t *buf, size_t cap);
int32_t bind_boot_record(const bind_boot *b, uint8_t *buf, size_t cap);
int32_t bind_boot_report(const bind_boot *b, uint8_t *buf, size_t cap);

int32_t bind_keyset_check(const uint8_t *data, size_t len);
/* The n-th key, BIND_KEY_LEN and more; 0: there are no more. */
int32_t bind_keyset_key(const uint8_t *data, size_t len, uint32_t n, uint8_t *buf,
                        size_t cap);

/* ---- Primitives. PICOSUIT_OK, PICOSUIT_E_CRYPTO, or PICOSUIT_E_ARG for a wrong length;
 * buf has exactly the length of the result. */
int32_t bind_sha256(const uint8_t *data, size_t len, uint8_t *buf, size_t cap);
int32_t bind_sha512(const uint8_t *data, size_t len, uint8_t *buf, size_t cap);
int32_t bind_ed25519_verify(const uint8_t *sig, size_t sig_len, const uint8_t *key,
                            size_t key_len, const uint8_t *data, size_t len);
int32_t bind_x25519(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                    uint8_t *buf, size_t cap);
int32_t bind_hkdf_sha256(const uint8_t *salt, size_t salt_len, const uint8_t *key,
                         size_t key_len, const uint8_t *data, size_t len, uint8_t *buf,
                         size_t cap);
int32_t bind_aes128_unwrap(const uint8_t *key, size_t key_len, const uint8_t *data,
                           size_t len, uint8_t *buf, size_t cap);
int32_t bind_chacha20(const uint8_t *key, size_t key_len, const uint8_t *nonce,
                      size_t nonce_len, uint32_t counter, const uint8_t *data, size_t len,
                      uint8_t *buf, size_t cap);
int32_t bind_poly1305(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
                      uint8_t *buf, size_t cap);
int32_t bind_aead_open(const uint8_t *key, size_t key_len, const uint8_t *nonce,
                       size_t nonce_len, const uint8_t *aad, size_t aad_len,
                       const uint8_t *data, size_t len, uint8_t *buf, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
