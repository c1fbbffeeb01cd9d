/* SPDX-License-Identifier: MIT */
/* picosuit - secure firmware update for the smallest devices
 *
 * Receives a SUIT envelope (draft-ietf-suit-manifest-37) in pieces of any size, verifies
 * it, runs its commands, decrypts its payloads into flash, and reports. No allocation,
 * no recursion, no blocking. This header is the manual; docs/tutorial.md is the tour.
 *
 * The loop of a device, in words: read some bytes and feed them until READY; look at the
 * info; begin a procedure; run. On FETCH either feed on (where = ENVELOPE) or open the
 * URI and push its bytes as payload (where = URI). On AGAIN come back later with the same
 * call. On OK or a negative number: report and stop.
 *
 * Plaintext of an encrypted payload reaches storage before its tag is known. It is good
 * only after end(good = 1); a port must never boot or keep what end(good = 0) closed.
 */
#ifndef PICOSUIT_H
#define PICOSUIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Feature switches, 0 or 1: off means "refused as unsupported", never "ignored"; no
 *      switch changes the layout of a type (docs/sizes.md has what each one costs) */
#ifndef PICOSUIT_WITH_ENCRYPTION /* encryption-info, X25519, AES key wrap, ChaCha20 */
#define PICOSUIT_WITH_ENCRYPTION 1
#endif
#ifndef PICOSUIT_WITH_MAC /* COSE_Mac0 with HMAC 256/256 */
#define PICOSUIT_WITH_MAC 1
#endif
#ifndef PICOSUIT_WITH_SEVERED /* severable members that stand in the envelope */
#define PICOSUIT_WITH_SEVERED 1
#endif
#ifndef PICOSUIT_WITH_INTEGRATED /* payloads inside the envelope */
#define PICOSUIT_WITH_INTEGRATED 1
#endif
#ifndef PICOSUIT_WITH_SLOTS /* condition component-slot */
#define PICOSUIT_WITH_SLOTS 1
#endif
#ifndef PICOSUIT_WITH_SWAP /* directive swap */
#define PICOSUIT_WITH_SWAP 0
#endif
#ifndef PICOSUIT_WITH_REPORT /* SUIT_Report and capability report */
#define PICOSUIT_WITH_REPORT 1
#endif
#ifndef PICOSUIT_WITH_BOOT /* boot state: journal, key sets, trial, confirm, fall back */
#define PICOSUIT_WITH_BOOT 1
#endif
#ifndef PICOSUIT_WITH_STRINGS /* texts of picosuit_strerror */
#define PICOSUIT_WITH_STRINGS 1
#endif
#ifndef PICOSUIT_ED25519_EXPANDED /* takes expanded keys, too: see picosuit_key */
#define PICOSUIT_ED25519_EXPANDED 0
#endif
#ifndef PICOSUIT_EXPOSE_PRIMITIVES
#define PICOSUIT_EXPOSE_PRIMITIVES 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PICOSUIT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define PICOSUIT_MUST_CHECK
#endif
#define PICOSUIT_VERSION 0x000100u /* major, minor, patch: 8 bits each */
/* ---- Limits; what exceeds one is refused with PICOSUIT_E_LIMIT */
#define PICOSUIT_MAX_BLOCKS 4u      /* authentication blocks in an envelope */
#define PICOSUIT_MAX_PROTECTED 64u  /* bytes of a COSE protected header */
#define PICOSUIT_MAX_COMPONENTS 32u /* components in a manifest */
#define PICOSUIT_MAX_DEPTH 8u       /* nested sequences, the section itself included */
#define PICOSUIT_MAX_URI 255u       /* bytes of a URI or integrated payload key */
#define PICOSUIT_MAX_STEPS 2000u    /* commands executed in one procedure */
#define PICOSUIT_MAX_STORED                                                              \
    65535u /* envelope offset at which the last kept member ends */

/* ---- Status: 0 done, positive "not finished, this is what I need", negative failed for
 *      good. Numbers are stable and never reused. */
#define PICOSUIT_OK 0
#define PICOSUIT_MORE 1  /* give me more bytes */
#define PICOSUIT_READY 2 /* authenticated: look at the info, then begin */
#define PICOSUIT_FETCH 3 /* payload bytes are wanted: picosuit_get_fetch */
#define PICOSUIT_AGAIN 4 /* the platform was not ready: repeat this very call later */
#define PICOSUIT_SAFE 5  /* nothing can be started: safe mode, an update is wanted */

/* use of this library */
#define PICOSUIT_E_STATE (-1) /* call not allowed now, or made from inside a callback */
#define PICOSUIT_E_ARG (-2)   /* NULL with a length, unknown procedure */
#define PICOSUIT_E_ROOM                                                                  \
    (-3) /* work buffer too small; error.label = bytes it needs so                       \
            far (after begin: in all) */
/* encoding (RFC 8949; deterministic encoding only) */
#define PICOSUIT_E_CBOR (-10)      /* malformed, indefinite or not the shortest form */
#define PICOSUIT_E_TYPE (-11)      /* well-formed, but another type is expected here */
#define PICOSUIT_E_ORDER (-12)     /* map key not above the one before it (or twice) */
#define PICOSUIT_E_BOUNDS (-13)    /* item longer than what contains it */
#define PICOSUIT_E_TRUNCATED (-14) /* the envelope ends inside an item */
#define PICOSUIT_E_TRAILING (-15)  /* bytes after the end of an item or of the envelope  \
                                    */
#define PICOSUIT_E_LIMIT (-16)     /* beyond a limit stated above, or a 32-bit value */
#define PICOSUIT_E_VALUE (-17)     /* right type, but not a value allowed here */
/* envelope and manifest members */
#define PICOSUIT_E_TAG (-20)     /* the envelope does not start with tag 107 */
#define PICOSUIT_E_MEMBER (-21)  /* unknown or unsupported member; label = its key */
#define PICOSUIT_E_MISSING (-22) /* required member absent; label = its key */
#define PICOSUIT_E_VERSION (-23) /* manifest-version is not 1 */
#define PICOSUIT_E_SEVERED (-24) /* severed member needed but absent, or not referenced  \
                                  */
/* authenticity */
#define PICOSUIT_E_COSE (-30) /* COSE structure or header not acceptable */
#define PICOSUIT_E_ALG (-31)  /* algorithm not supported */
#define PICOSUIT_E_AUTH (-32) /* no authentication block verifies under a known key */
#define PICOSUIT_E_DIGEST                                                                \
    (-33)                       /* manifest, severed member or payload differs from its  \
                                   digest */
#define PICOSUIT_E_RIGHTS (-34) /* no verified key has the rights for this */
#define PICOSUIT_E_ROLLBACK                                                              \
    (-35) /* sequence number below what the device has confirmed */
#define PICOSUIT_E_KEYS (-36) /* key set malformed, or it would lock the device out */
#define PICOSUIT_E_REJECTED (-37) /* this sequence number was tried and rejected */
#define PICOSUIT_E_TRIAL (-38)    /* the running image is not confirmed, or never was */
/* manifest, found by begin before the first effect */
#define PICOSUIT_E_COMPAT (-40)    /* no vendor and class check in the shared sequence */
#define PICOSUIT_E_COMPONENT (-41) /* component not known to the platform, or twice */
#define PICOSUIT_E_INDEX (-42)     /* component index out of range, or not set first */
#define PICOSUIT_E_COMMAND (-43)   /* command not supported; label = the command */
#define PICOSUIT_E_SHARED (-44)    /* command not allowed in the shared sequence */
#define PICOSUIT_E_PARAM (-45)     /* parameter not supported; label = the parameter */
#define PICOSUIT_E_SEQUENCE                                                              \
    (-46)                     /* sequence or list of sequences with too few elements */
#define PICOSUIT_E_SOFT (-47) /* soft-failure set outside try-each and run-sequence */
/* execution */
#define PICOSUIT_E_CONDITION (-50) /* a condition is false; label = the condition */
#define PICOSUIT_E_TRY (-51)       /* no alternative of a try-each succeeded */
#define PICOSUIT_E_UNSET (-52)     /* directive without a parameter it needs (in label) */
#define PICOSUIT_E_TRANSIENT (-53) /* not possible with a transient component */
#define PICOSUIT_E_STEPS (-54)     /* step budget used up */
#define PICOSUIT_E_UNSUPPORTED (-55) /* the platform has no callback for this command */
#define PICOSUIT_E_INVOKE (-56)      /* the invocation ended and nothing was invoked */
/* payload; error.platform = payload position */
#define PICOSUIT_E_FETCH (-60)    /* the caller could not get the payload */
#define PICOSUIT_E_LENGTH (-61)   /* payload length differs from the size that was set */
#define PICOSUIT_E_DECRYPT (-62)  /* wrong key, wrap or tag: one code for all */
#define PICOSUIT_E_CAPACITY (-63) /* larger than the component can hold */
/* platform and primitives */
#define PICOSUIT_E_PLATFORM (-70) /* a callback failed; error.platform = its answer */
#define PICOSUIT_E_CRYPTO (-80)   /* a primitive refused its input (never in an error) */
/* ---- Procedures, rights, kinds, sections */
#define PICOSUIT_UPDATE 1    /* payload-fetch, install, validate */
#define PICOSUIT_INVOKE 2    /* validate, load, invoke */
#define PICOSUIT_UNINSTALL 4 /* with trust domains only: E_MEMBER for now */

#define PICOSUIT_RIGHT_UPDATE 1u
#define PICOSUIT_RIGHT_INVOKE 2u
#define PICOSUIT_RIGHT_UNINSTALL 4u
#define PICOSUIT_RIGHT_KEYS 8u        /* may write a component of kind KEYS */
#define PICOSUIT_RIGHT_ANY_DEVICE 16u /* manifest needs no vendor and class check */

#define PICOSUIT_PURPOSE_VERIFY 1 /* key(): signatures, ALG_ED25519 and others */
#define PICOSUIT_PURPOSE_MAC 2    /* key(): COSE_Mac0, ALG_HMAC256 */
#define PICOSUIT_PURPOSE_DECRYPT                                                         \
    3 /* key(): recipients, ALG_ECDH_ES_A128KW or ALG_A128KW */

#define PICOSUIT_STORED 0u  /* component kind: image-match reads it back */
#define PICOSUIT_TRUSTED 1u /* the digest computed while writing may answer instead */
#define PICOSUIT_TRANSIENT                                                               \
    2u /* stores nothing: fetch into it is done by the copy from it */
#define PICOSUIT_KIND_KEYS 8u /* added to a kind: writing it needs RIGHT_KEYS */

#define PICOSUIT_ID_VENDOR 1  /* identity(): 16-byte UUID */
#define PICOSUIT_ID_CLASS 2   /* 16-byte UUID */
#define PICOSUIT_ID_DEVICE 24 /* 16-byte UUID */
#define PICOSUIT_ID_PEN                                                                  \
    112 /* vendor as CBOR tag 112 relative OID: buf[0] = its length                      \
           (1..15), then the bytes, rest zero */

#define PICOSUIT_SECTION_SHARED 3u /* error.section, record.section: shared sequence */

#define PICOSUIT_ALG_HMAC256 5
#define PICOSUIT_ALG_A128KW (-3)
#define PICOSUIT_ALG_ED25519 (-19)
#define PICOSUIT_ALG_ECDH_ES_A128KW (-29)
#define PICOSUIT_ALG_EDDSA (-8) /* only if the key says so */

#define PICOSUIT_VERIFIED                                                                \
    0x5afe /* verify(): the signature is good; all else: it is not */
#define PICOSUIT_NO_FLOOR 0x0f10 /* sequence(): nothing was ever confirmed */
#define PICOSUIT_FIXED                                                                   \
    0xffffffffu /* size(): stored length is not recorded (plain memory) */
#define PICOSUIT_UNKNOWN 0xffffffffu /* begin(), get_fetch(): size not known beforehand  \
                                      */

#define PICOSUIT_WHERE_ENVELOPE 1u /* feed on, the payload may be in the envelope */
#define PICOSUIT_WHERE_URI 2u      /* open f.uri and push its bytes from f.offset on */
/* ---- Types */

/* A key the platform holds. It is bound to one algorithm and to what it may authorise.
 * With PICOSUIT_ED25519_EXPANDED = 1 the key of ALG_ED25519 or ALG_EDDSA may also have
 * PICOSUIT_EXPANDED_LEN bytes: the 32 of the key, then a table made from them by
 * vectors/make/expand_key.py, at any address; one that 4 divides is a little faster.
 * The verdict is the same, after half the time on Cortex-M0. The core does not check the
 * table against the key: it is trusted as the key is, and wants the same protection. One
 * that is not the key's verifies none of its signatures. kid, rights, id: as without. */
#define PICOSUIT_EXPANDED_LEN 1568u /* another format will have another length */
typedef struct {
    const uint8_t *key; /* public key, or secret: X25519 scalar, KEK; valid until the next
                           callback or the end of the call that asked */
    int32_t alg;        /* PICOSUIT_ALG_*, or what `verify` understands (ES256 -7, ...) */
    uint32_t rights;    /* PICOSUIT_RIGHT_* */
    uint16_t key_len;   /* bytes */
    uint16_t id;        /* the platform's number of this key, given back as `signer` */
} picosuit_key;
/* The first failure: it sticks until picosuit_init. */
typedef struct {
    uint32_t offset;   /* byte in the envelope, see "Where an error is" below */
    int32_t label;     /* command, parameter or member; E_ROOM: bytes needed */
    int32_t platform;  /* E_PLATFORM: callback's answer; payload errors: position */
    int16_t code;      /* PICOSUIT_E_*, 0 = none */
    uint8_t section;   /* manifest key of the section (3 = shared sequence), 0 = none */
    uint8_t component; /* component index in the manifest, 255 = none */
} picosuit_error;
/* Where an error is. Offsets count from the first byte of the envelope, for severed
 * members too; decided when the last byte of an item's head arrives, so splits do not
 * matter. malformed, unexpected type, beyond its container, out of order: first byte of
 * the item's head (for order: of the second key) required member missing: first byte of
 * the item in its place, or the end of the map truncated: number of bytes received;
 * trailing: first byte too many no block verifies (AUTH, ALG): first byte of key 2's
 * value manifest or severed digest wrong, rights, COMPAT: head of that byte string (key
 * 3's) floor: the sequence number; static check, condition, directive: the command label
 *   parameter unknown, unsupported, of a forbidden value: its key
 *   payload tag, wrap, length, source: label of the write, copy or fetch that runs */

/* What FETCH wants. Pointers are valid until the next call with the same context. */
typedef struct {
    const uint8_t *uri;  /* uri_len bytes, not terminated */
    const uint8_t *args; /* fetch-arguments, args_len bytes, NULL if not set */
    uint32_t offset;     /* first payload byte wanted now; > 0 after an interruption */
    uint32_t size;       /* bytes of the whole payload on the wire, or PICOSUIT_UNKNOWN */
    uint32_t passed;     /* 0, or envelope offset from which payload members went by:
                            if it can be sent again, picosuit_rewind finds them */
    uint16_t uri_len;    /* 1..PICOSUIT_MAX_URI */
    uint16_t args_len;
    uint8_t where;     /* PICOSUIT_WHERE_* */
    uint8_t component; /* index in the manifest of the component that will be written */
    uint16_t reserved; /* 0 */
} picosuit_fetch;
/* What was authenticated. */
typedef struct {
    uint64_t sequence;     /* manifest sequence number */
    uint8_t digest[32];    /* SHA-256 of the manifest byte string, head included */
    uint32_t envelope_len; /* bytes that picosuit_get_envelope delivers */
    uint32_t rights;       /* union of the rights of the keys that verified */
    uint16_t signer; /* id of the chosen key after begin; before: of the first verified */
    uint8_t components; /* number of components */
    uint8_t sections;   /* bits 0..4: validate, load, invoke, payload-fetch, install */
    uint32_t reserved;  /* 0 */
} picosuit_info;
/* One event for the port's log: a command with a reporting policy. */
typedef struct {
    uint32_t offset;   /* bytes into the section at which the command label stands */
    int32_t label;     /* command */
    int32_t code;      /* 0 done, or PICOSUIT_E_* */
    uint8_t section;   /* manifest key of the section; 3 = shared sequence */
    uint8_t component; /* component index in the manifest */
    uint8_t policy;    /* the command's reporting policy, 0..15 */
    uint8_t reserved;  /* 0 */
} picosuit_record;
/* The platform: facts, never verdicts. Each callback returns 0 or the documented positive
 * answer; PICOSUIT_AGAIN means "nothing happened, ask me the same again"; a negative
 * number stops everything and appears in error.platform. A callback must not call back
 * into the same context. Pointers given to it live only during the call. `component` is
 * the handle that `component` gave. A missing (NULL) callback refuses what needs it. */
typedef struct {
    /* The n-th (0..) candidate key for a purpose. kid NULL: the sender gave none.
     * Returns 1 and *out filled, or 0 when there are no more. */
    int (*key)(void *dev, int purpose, unsigned n, const uint8_t *kid, size_t kid_len,
               picosuit_key *out);
    /* Handle (0..254) and kind of a component; id is its encoded identifier (CBOR array
     * of byte strings); signer is picosuit_key.id. Returns 1 known, 0 unknown,
     * PICOSUIT_E_RIGHTS not for this signer. */
    int (*component)(void *dev, unsigned signer, const uint8_t *id, size_t id_len,
                     uint8_t *handle, uint8_t *kind);
    /* The n-th (0..) identifier the device asserts for a component; what = PICOSUIT_ID_*.
     * Returns 1 and buf filled (16 bytes), or 0 when there are no more. */
    int (*identity)(void *dev, unsigned component, int what, unsigned n, uint8_t *buf);
    /* UPDATE: the slot `begin` will write (never the running or the confirmed one);
     * INVOKE: the slot whose manifest was opened; constant within a procedure. Returns 0.
     */
    int (*slot)(void *dev, unsigned component, int procedure, uint32_t *out);
    /* Bytes stored (0: nothing complete; PICOSUIT_FIXED: not recorded) and the most that
     * fits. Returns 0. */
    int (*size)(void *dev, unsigned component, uint32_t *stored, uint32_t *capacity);
    /* Reads cap stored bytes (1..64) at off. Returns 0. */
    int (*read)(void *dev, unsigned component, uint32_t off, uint8_t *buf, size_t cap);
    /* Prepares a component for `size` bytes (or PICOSUIT_UNKNOWN), or resumes: id is the
     * manifest digest (32 bytes); *have = bytes that are there from an attempt with the
     * same id, a multiple of 64 (docs/porting.md has the rules for flash). Returns 0. */
    int (*begin)(void *dev, unsigned component, uint32_t size, const uint8_t *id,
                 uint32_t *have);
    /* Programs bytes in order; off is a multiple of 64, len is 64 but for the last. */
    int (*write)(void *dev, unsigned component, uint32_t off, const uint8_t *data,
                 size_t len);
    /* Closes what begin opened. good = 0: what was written must not be used. */
    int (*end)(void *dev, unsigned component, int good);
    /* Transfers control with invoke-args (may be NULL, 0). May not return. Returns 0. */
    int (*invoke)(void *dev, unsigned component, const uint8_t *data, size_t len);
    /* Highest confirmed sequence number and the digest of that manifest (32 bytes).
     * Returns 0, or PICOSUIT_NO_FLOOR when nothing was ever confirmed. */
    int (*sequence)(void *dev, uint64_t *floor, uint8_t *digest);
    /* Optional: exchanges two components, resumable after a power cut. Returns 0. */
    int (*swap)(void *dev, unsigned component, unsigned source);
    /* Optional: algorithms this library lacks. data is the COSE Sig_structure. Returns
     * PICOSUIT_VERIFIED if sig is good under key; 0 if not. */
    int (*verify)(void *dev, const picosuit_key *key, const uint8_t *data, size_t len,
                  const uint8_t *sig, size_t sig_len);
    /* Optional: takes one record. Its answer is ignored. */
    int (*record)(void *dev, const picosuit_record *record);
} picosuit_platform;
/* SHA-256 in progress (FIPS 180-4). */
typedef struct {
    uint64_t len;    /* bytes hashed so far */
    uint32_t h[8];   /* chaining value */
    uint8_t buf[64]; /* bytes of the block being filled: len % 64 of them */
} picosuit_sha256_ctx;
/* ChaCha20-Poly1305 in progress (RFC 8439). */
typedef struct {
    uint32_t key[8];   /* ChaCha20 key */
    uint32_t nonce[3]; /* ChaCha20 nonce */
    uint32_t r[4];     /* Poly1305 multiplier, clamped */
    uint32_t h[5];     /* Poly1305 accumulator */
    uint32_t s[4];     /* Poly1305 final addend */
    uint32_t aad_len;  /* bytes */
    uint32_t len;      /* ciphertext bytes absorbed */
    uint8_t buf[16];   /* partial block: len % 16 of them */
} picosuit_aead_ctx;
/* What is being read: the one reader of the processor. */
typedef struct {
    const uint8_t *data;
    uint32_t pos;   /* next byte */
    uint32_t end;   /* end of the innermost container, pos <= end */
    uint32_t head;  /* where the last head began */
    uint32_t val;   /* argument of the last head, low 32 bits */
    uint32_t hi;    /* high 32 bits */
    uint32_t delta; /* envelope offset of data[0] (modulo 2^32) */
} picosuit_reader;
/* A sequence being executed. All positions count from the first byte of the envelope, or
 * of what is kept of it in work. */
typedef struct {
    uint8_t at;      /* which of the selected components is current */
    uint8_t flags;   /* how components are selected; what kind of sequence it is */
    uint16_t pos;    /* label of the current command */
    uint16_t end;    /* end of the sequence */
    uint16_t index;  /* component, or position of the array of selected ones */
    uint16_t preset; /* component that was selected when it was entered */
    uint16_t alt;    /* try-each: the next alternative */
    uint16_t alts;   /* alternatives left, nil included */
} picosuit_frame;
/* The processor: visible so that it can be placed, hands off. It holds no pointer into
 * itself that outlives a call, so it may be moved, or kept through deep sleep
 * (picosuit_relocate sets the outer pointers again). All bytes zero before the first
 * picosuit_init. Small and often used members come first, where Thumb-1 loads and stores
 * reach them: bytes in the first 32, half-words in the first 64, words below 128. */
typedef struct {
    uint8_t component; /* index the command works on, 255: none */
    uint8_t phase;     /* progress inside it */
    uint8_t member;    /* current envelope member */
    uint8_t state;     /* life cycle */
    uint8_t sub;       /* progress inside a phase */
    uint8_t pay_flags;
    uint8_t want;       /* where payload bytes come from */
    uint8_t block_n;    /* bytes in block */
    uint8_t rx_state;   /* receiver */
    uint8_t depth;      /* nested sequences, 0: no section is entered */
    uint8_t components; /* number of components */
    uint8_t procedure;  /* PICOSUIT_UPDATE or _INVOKE */
    uint8_t section;    /* its manifest key, 3: shared sequence, 0: none */
    uint8_t chosen;     /* which of them authorises the procedure */
    uint8_t rx_sink;    /* what happens to content */
    uint8_t sections;   /* bit for each section that is there, and 5: shared sequence */
    uint8_t signers;    /* number of verified keys */
    uint8_t key_len;    /* payload key: its length, order, equality with the wanted */
    uint8_t key_order;
    uint8_t key_match;
    uint8_t started;    /* the command was counted */
    uint8_t handle;     /* of `component` */
    uint8_t kind;       /* of `component` */
    uint8_t trusted;    /* component `running` answers for, 255: none */
    uint8_t busy;       /* inside a call */
    uint8_t matched;     /* component that passed image-match and was not written since */
    uint8_t rx_skip;    /* only payloads are looked for */
    uint8_t place;      /* next sequence of the procedure, 0..6 */
    uint8_t depth_max;  /* most that the procedure can use */
    uint8_t open;       /* handle between begin and end, 255: none */
    picosuit_frame f;   /* sequence being executed */
    uint16_t used;      /* bytes of work in use by envelope parts */
    uint16_t key_pos;   /* where payload keys are kept in work */
    uint16_t fetch_uri; /* fetch being served: its uri value */
    uint16_t wrap_pos;  /* authentication wrapper */
    uint16_t wrap_len;
    uint16_t man_pos; /* manifest */
    uint16_t man_len;
    uint16_t body_pos;   /* where the current member is kept */
    uint16_t members;    /* pairs of the envelope map still to come */
    uint16_t fetch_args; /* its fetch-arguments value, 0: none */
    picosuit_reader r;
    uint32_t step_off; /* progress inside the command being executed */
    uint32_t pay_off;  /* wire bytes taken so far */
    uint32_t pay_size; /* plaintext bytes expected, or PICOSUIT_UNKNOWN */
    uint32_t rx_off;   /* envelope bytes consumed */
    uint32_t rx_left;  /* content bytes of the item still to come */
    uint32_t at;       /* offset an error of the current command would get */
    int32_t label;     /* and its label */
    const picosuit_platform *platform;
    const uint8_t *data; /* open: the envelope; feed: NULL */
    void *dev;
    uint8_t *work;        /* caller's buffer */
    uint32_t rx_head;     /* offset of the head being read */
    uint32_t work_len;    /* bytes */
    uint32_t magic;       /* tells an initialised context from zeroes */
    uint32_t verified;    /* 32-bit pattern: authenticated */
    uint32_t data_len;    /* open: bytes of the envelope */
    uint32_t rx_key;      /* offset of the last whole payload key */
    uint32_t passed;      /* offset of the first payload key passed by, 0: none */
    uint32_t limit;       /* bytes the component can hold; bytes being compared */
    uint32_t trusted_len; /* bytes `running` covers */
    uint32_t written;     /* a bit for each component that the procedure may write */
    picosuit_error error;
    uint64_t sequence; /* manifest sequence number */
    picosuit_sha256_ctx sha;
    union {
        picosuit_aead_ctx aead; /* payload being decrypted */
        uint8_t msg[120];       /* Sig_structure being checked */
    } u;
    uint8_t block[64];   /* payload bytes on the way to write; bytes read back; secrets */
    uint8_t digest[32];  /* manifest digest, authentic once `verified` says so */
    uint8_t running[32]; /* digest computed while writing */
    uint8_t tag[16];     /* tag received */
    uint16_t signer[4];  /* ids of the keys that verified */
    uint8_t rights[4];   /* their rights */
    uint16_t sec_pos[8]; /* sections and severable members, as man_members has them */
    uint16_t sec_len[6]; /* bytes */
    uint16_t sec_delta[2]; /* severed payload-fetch, install: offset - position; 0: not */
    uint16_t man_base;     /* envelope offset of the manifest's content */
    uint16_t seq_pos;      /* sequence number */
    uint16_t uri_pos;      /* reference-uri, 0: none */
    uint16_t steps;        /* budget left */
    uint16_t comp_pos;     /* first component identifier */
    uint8_t head[9];       /* item head being collected */
    uint8_t policy;      /* reporting policy of the command, until its record was given */
    uint8_t pay_source;  /* handle of the component copied from */
    uint8_t has_digest;  /* digest was received */
    uint8_t ending;      /* payload_end said AGAIN: it may be repeated */
    uint8_t need;        /* rights the procedure needs */
    uint8_t has_invoked; /* pattern: invoke was called, of what image-match had found */
    uint8_t searched;    /* the whole envelope was searched for the current uri */
    uint8_t head_n;     /* its bytes so far */
    uint8_t reserved;    /* 0 */
} picosuit;
/* Bytes of work: wrapper and manifest are content lengths; add kept severed sequences and
 * the longest payload key (if there are several) to `manifest`; depth counts nested
 * sequences, the section included. For picosuit_open wrapper and manifest are 0. */
#define PICOSUIT_COMPONENT_SIZE 28u
#define PICOSUIT_FRAME_SIZE 14u
#define PICOSUIT_WORK(wrapper, manifest, components, depth)                              \
    ((wrapper) + (manifest) + (components)*PICOSUIT_COMPONENT_SIZE +                     \
     (depth)*PICOSUIT_FRAME_SIZE)

/* ---- Boot state: which of two slots starts; docs/boot.md has the states drawn
 *
 * Two equal slots, run in place; a journal of two or three pages, each one full snapshot;
 * two pages for key sets. The journal only selects: at every boot the stored envelope of
 * the slot goes through INVOKE (signature, conditions, image-match over flash).
 *
 *   boot loader: boot_init, picosuit_init, boot_select; OK: jump to boot_address
 *   update:      boot_begin in place of picosuit_begin; after OK of the procedure:
 *                boot_candidate; then reset
 *   firmware:    boot_confirm when it knows that it works
 *
 * Callbacks of the platform answer from here: key (picosuit_boot_key), sequence
 * (picosuit_boot_sequence), slot (picosuit_boot_slot), size and read of the image and of
 * the key set (picosuit_boot_stored); begin calls picosuit_boot_prepare before it touches
 * flash. invoke only notes that the image is to start: the jump follows boot_address. */
#define PICOSUIT_NO_SLOT 255u
#define PICOSUIT_NO_ADDRESS 0xffffffffu /* picosuit_boot_address: do not start anything */
#define PICOSUIT_AREA_IMAGE 0u /* the slot that the image component stands for */
#define PICOSUIT_AREA_KEYS 1u  /* the key-set page: the set being installed, or in use */

#define PICOSUIT_BOOT_NONE 0u /* no journal: safe mode until an update was confirmed */
#define PICOSUIT_BOOT_IDLE 1u
#define PICOSUIT_BOOT_CAND 2u  /* installed, will be tried */
#define PICOSUIT_BOOT_TRY 3u   /* being tried, not confirmed */
#define PICOSUIT_BOOT_FRESH 4u /* confirmed, not booted since */

#define PICOSUIT_RESULT_NONE 0u
#define PICOSUIT_RESULT_CONFIRMED 1u
#define PICOSUIT_RESULT_REJECTED 2u

/* Flash, as the boot state sees it: constants of the device. Offsets are bytes, as given
 * to the three functions; areas begin and end at erase pages.
 * Manifest area, at the end of a slot: 0 identity of the transfer, the port's (32 bytes),
 * 32 image length, ~length, envelope length, ~length (4 bytes each), 48 stored envelope.
 * Key-set page: 0 epoch, length (4 bytes each), SHA-256 of set, epoch and length (32), 40
 * COSE_KeySet. All numbers in the device's own byte order. */
#define PICOSUIT_MANIFEST_LEN 32u
#define PICOSUIT_MANIFEST_ENVELOPE 48u
#define PICOSUIT_KEYS_SET 40u
typedef struct {
    /* Reads cap bytes. Programs len bytes; off and len are multiples of `unit`, the units
     * are erased. Erases one page. Each returns 0 when it is done, and it was verified by
     * reading back; else a negative number: the caller stops and keeps its state. */
    int (*read)(void *dev, uint32_t off, uint8_t *buf, size_t cap);
    int (*write)(void *dev, uint32_t off, const uint8_t *data, size_t len);
    int (*erase)(void *dev, uint32_t off);
    uint8_t unit;             /* bytes programmed at once: 1, 2, 4 or 8 */
    uint8_t erased;           /* value of an erased byte: 0xff or 0x00 */
    uint8_t tries;            /* times that a candidate is started, 1..255 */
    uint8_t journal_pages;    /* 2 or 3 */
    uint16_t factory_len;     /* bytes */
    uint16_t component_len;   /* bytes */
    uint32_t page;            /* bytes of an erase page, 128 or more */
    uint32_t slot[2];         /* first byte of each slot */
    uint32_t slot_size;       /* bytes: image, then the manifest area */
    uint32_t manifest_size;   /* bytes of the manifest area */
    uint32_t journal;         /* first journal page */
    uint32_t keys;            /* first of two key-set pages */
    uint32_t floor;           /* sequence number below which nothing is ever accepted */
    const uint8_t *factory;   /* COSE_KeySet used while no key-set page is valid */
    const uint8_t *component; /* encoded identifier of the image, for the report */
} picosuit_flash;
/* A journal record, in flash and in memory. */
typedef struct {
    uint8_t version;              /* 1: of this layout */
    uint8_t phase;                /* PICOSUIT_BOOT_* */
    uint8_t tries;                /* starts of the candidate so far */
    uint8_t confirmed;            /* slot, or PICOSUIT_NO_SLOT */
    uint8_t slot;                 /* of the candidate; confirmed one: only keys change */
    uint8_t keys;                 /* page of the key set in force, 0 or 1; 255: factory */
    uint8_t new_keys;             /* of the candidate's; 255: keys stay */
    uint8_t result;               /* PICOSUIT_RESULT_*: how the last update ended */
    int16_t code;                 /* why it was rejected: PICOSUIT_E_* */
    uint8_t has_rejected;         /* 1: `rejected` counts */
    uint8_t reserved;             /* 0 */
    uint32_t counter;             /* plus 1 with each record; the highest valid wins */
    uint64_t floor;               /* highest confirmed sequence number */
    uint64_t sequence;            /* of the candidate, in CAND and TRY */
    uint64_t rejected;            /* last rejected sequence number, if has_rejected */
    uint8_t confirmed_digest[16]; /* manifest of the confirmed slot, first half */
    uint8_t other_digest[16];     /* of the other slot: candidate or fallback; 0: none */
    uint8_t keys_digest[16];      /* of the key set in force, first half */
    uint8_t new_keys_digest[16];  /* of the candidate's */
    uint32_t epoch;               /* key epoch: of the key set in force; factory: 0 */
    uint32_t crc;                 /* CRC-32 (IEEE 802.3) of all before it */
} picosuit_boot_record;
/* The boot state: 160 bytes, hands off but for reading rec and running. */
typedef struct {
    uint8_t running; /* slot that was started at this boot, or PICOSUIT_NO_SLOT */
    uint8_t slot;    /* slot that the image component stands for now */
    uint8_t set;     /* page of the key set that verifies now; 255: factory */
    uint8_t flags;   /* progress of select and candidate */
    uint32_t bootable;        /* pattern: the slot passed all checks at this boot */
    picosuit_boot_record rec; /* the newest one; phase NONE: there is none */
    const picosuit_flash *flash;
    void *dev;
    uint8_t x[32]; /* public key handed out last */
} picosuit_boot;
/* ---- Functions, in the order a program calls them */

/* picosuit_init - start, or start over
 * Also the only way out of an error. A component left open is closed with end(good = 0).
 *   p               out     context; all zero before its first use
 *   platform        in      callbacks, must outlive the context
 *   dev             in      first argument of every callback
 *   work, work_len  in      caller's memory, see PICOSUIT_WORK; belongs to p until OK
 * Returns  PICOSUIT_OK, _AGAIN (from end); PICOSUIT_E_ARG
 */
PICOSUIT_MUST_CHECK int picosuit_init(picosuit *p, const picosuit_platform *platform,
                                      void *dev, uint8_t *work, size_t work_len);
/* picosuit_relocate - new addresses after sleep or a copy; everything else goes on
 *   work, data      in      same content as before; data only after picosuit_open
 */
void picosuit_relocate(picosuit *p, const picosuit_platform *platform, void *dev,
                       uint8_t *work, const uint8_t *data);
/* picosuit_feed - take the next bytes of an envelope
 * Signature first, then the manifest's digest, then parsing. During a FETCH from the
 * envelope it feeds the payload and goes on running the procedure.
 *   data, len  in      any split, 1 byte is fine; data may be NULL if len is 0
 *   used       out     bytes taken, 0..len; fewer than len only with READY, FETCH, AGAIN
 * Returns  PICOSUIT_MORE, _READY, _FETCH, _AGAIN, _OK (procedure done); any error
 * Source   [M 8.2], [M 8.3]
 */
PICOSUIT_MUST_CHECK int picosuit_feed(picosuit *p, const uint8_t *data, size_t len,
                                      size_t *used);
/* picosuit_feed_end - no more bytes will come
 * Returns  what picosuit_feed returned last, if the envelope is complete;
 *          PICOSUIT_E_TRUNCATED at the number of bytes received
 */
PICOSUIT_MUST_CHECK int picosuit_feed_end(picosuit *p);
/* picosuit_open - the same for a whole envelope in memory that nobody can change
 * data must stay there, unchanged, until the procedure is over. Nothing is copied;
 * payload members are found in any order.
 * Returns  PICOSUIT_READY, _AGAIN (call again with the same arguments); any error of feed
 */
PICOSUIT_MUST_CHECK int picosuit_open(picosuit *p, const uint8_t *data, size_t len);
/* picosuit_get_envelope - bytes of the severed envelope: tag, wrapper, manifest
 * What a port stores with the image and boots from. From READY on, also after OK.
 *   off        in      first byte wanted
 *   buf, cap   out     memory for them
 *   len        out     bytes delivered: min(cap, envelope_len - off)
 * Returns  PICOSUIT_OK; PICOSUIT_E_STATE
 */
PICOSUIT_MUST_CHECK int picosuit_get_envelope(const picosuit *p, uint32_t off,
                                              uint8_t *buf, size_t cap, size_t *len);
/* picosuit_get_info - what was authenticated, before deciding to act. From READY on.
 * Returns  PICOSUIT_OK; PICOSUIT_E_STATE
 */
PICOSUIT_MUST_CHECK int picosuit_get_info(const picosuit *p, picosuit_info *info);
/* picosuit_begin - choose a procedure
 * Checks the rights, every sequence of the procedure (all alternatives), the components
 * and the sequence number. Touches nothing. A second procedure may follow after OK.
 *   procedure  in      PICOSUIT_UPDATE or PICOSUIT_INVOKE
 * Returns  PICOSUIT_OK, _AGAIN; PICOSUIT_E_RIGHTS, _E_COMPAT, _E_ROLLBACK, _E_SEVERED,
 *          _E_COMMAND, _E_PARAM and the other static errors, _E_ROOM, _E_PLATFORM
 * Source   [M 6.2], [M 8.4.5]
 */
PICOSUIT_MUST_CHECK int picosuit_begin(picosuit *p, int procedure);
/* picosuit_run - execute until done, until payload bytes are wanted, or until the
 * platform was not ready
 * Returns  PICOSUIT_OK (done), _FETCH, _AGAIN; any error of execution
 * Source   [M 6.4]
 */
PICOSUIT_MUST_CHECK int picosuit_run(picosuit *p);
/* picosuit_get_fetch - what FETCH wants, and from which offset. After a lost connection
 * it tells where to go on.
 * Returns  PICOSUIT_OK; PICOSUIT_E_STATE when nothing is wanted
 */
PICOSUIT_MUST_CHECK int picosuit_get_fetch(const picosuit *p, picosuit_fetch *fetch);
/* picosuit_payload - the next payload bytes, any split (where = URI)
 *   used       out     bytes taken; fewer than len only with AGAIN
 * Returns  PICOSUIT_MORE, _AGAIN; PICOSUIT_E_LENGTH, _E_CAPACITY, _E_PLATFORM, _E_STATE
 */
PICOSUIT_MUST_CHECK int picosuit_payload(picosuit *p, const uint8_t *data, size_t len,
                                         size_t *used);
/* picosuit_payload_end - all bytes were given (good = 1), or the source is lost for good
 * (good = 0). Closes the component and goes on running.
 * Returns  as picosuit_run; PICOSUIT_E_FETCH, _E_LENGTH, _E_DECRYPT
 */
PICOSUIT_MUST_CHECK int picosuit_payload_end(picosuit *p, int good);
/* picosuit_rewind - the envelope will be sent again from its first byte; only payload
 * members are looked for. Allowed while FETCH is pending.
 * Returns  PICOSUIT_OK; PICOSUIT_E_STATE
 */
PICOSUIT_MUST_CHECK int picosuit_rewind(picosuit *p);
/* picosuit_last_error - the error that sticks; code 0 if there is none. Valid as p is. */
const picosuit_error *picosuit_last_error(const picosuit *p);
/* picosuit_report - SUIT_Report as CBOR, at any time
 *   buf, cap   out     200 bytes are enough without a long reference-uri
 *   len        out     bytes written
 * Returns  PICOSUIT_OK; PICOSUIT_E_ROOM (len = bytes needed); PICOSUIT_E_UNSUPPORTED
 * Source   draft-ietf-suit-report
 */
PICOSUIT_MUST_CHECK int picosuit_report(const picosuit *p, uint8_t *buf, size_t cap,
                                        size_t *len);
/* picosuit_capabilities - SUIT_Capability_Report of what was compiled in; as report */
PICOSUIT_MUST_CHECK int picosuit_capabilities(uint8_t *buf, size_t cap, size_t *len);
/* picosuit_strerror - short English text of a status; "" without PICOSUIT_WITH_STRINGS */
const char *picosuit_strerror(int code);
/* picosuit_version - PICOSUIT_VERSION of the object code */
uint32_t picosuit_version(void);
/* picosuit_features - bits: 0 ENCRYPTION 1 MAC 2 SEVERED 3 INTEGRATED 4 SLOTS 5 SWAP
 * 6 REPORT 7 BOOT 8 STRINGS */
uint32_t picosuit_features(void);

/* ---- Boot state, in the order a device calls it (PICOSUIT_WITH_BOOT) */
#if PICOSUIT_WITH_BOOT
/* picosuit_boot_init - read the journal
 *   flash    in      geometry and functions; must outlive b
 *   dev      in      first argument of the three functions
 *   running  in      slot this code runs from; boot loader: PICOSUIT_NO_SLOT
 * Returns  PICOSUIT_OK, also without a journal (rec.phase is NONE then);
 *          PICOSUIT_E_PLATFORM when flash cannot be read
 */
PICOSUIT_MUST_CHECK int picosuit_boot_init(picosuit_boot *b, const picosuit_flash *flash,
                                           void *dev, unsigned running);
/* picosuit_boot_select - find the slot to start now, and check it
 * Candidate (counted as a try beforehand), else the confirmed slot, else the fallback:
 * the first whose stored envelope passes INVOKE, with its digest as the journal has it,
 * image-match of what it invokes, and nothing behind image and envelope in the slot. A
 * candidate that fails or was tried often enough is rejected.
 *   p        in/out  just initialised, and nobody else's until the answer is not AGAIN;
 *                    afterwards it holds the envelope of the slot
 * Returns  PICOSUIT_OK: jump to picosuit_boot_address; PICOSUIT_SAFE: nothing starts,
 *          serve updates; PICOSUIT_AGAIN
 * Cost     one signature, the image hashed once, for each slot tried; at most two commits
 */
PICOSUIT_MUST_CHECK int picosuit_boot_select(picosuit_boot *b, picosuit *p);
/* picosuit_boot_address - first byte of the slot that passed, or PICOSUIT_NO_ADDRESS
 * Asks every pattern again: the last thing before the jump. */
uint32_t picosuit_boot_address(const picosuit_boot *b, const picosuit *p);
/* picosuit_boot_begin - picosuit_begin(p, PICOSUIT_UPDATE) under the rules of the journal
 * What is confirmed and runs, or waits for its first boot, is done at once: no flash work
 * Returns  as that; PICOSUIT_E_TRIAL, _E_REJECTED at the sequence number
 */
PICOSUIT_MUST_CHECK int picosuit_boot_begin(picosuit_boot *b, picosuit *p);
/* picosuit_boot_prepare - before flash of an area is erased or programmed, in `begin`
 * Withdraws a candidate that waits for its first boot; erases the manifest area of the
 * slot, or the key-set page. The port then erases the image pages.
 *   area     in      PICOSUIT_AREA_*
 *   off      out     flash offset of the area's first payload byte
 * Returns  PICOSUIT_OK; PICOSUIT_E_TRIAL, _E_STATE (no slot to write), _E_PLATFORM
 */
PICOSUIT_MUST_CHECK int picosuit_boot_prepare(picosuit_boot *b, unsigned area,
                                              uint32_t *off);
/* picosuit_boot_candidate - an update is done: store its envelope, check all as a boot
 * does, with the new keys if it brings any, and only then make it the candidate
 *   p        in/out  procedure UPDATE done; afterwards it holds what will be booted
 * Returns  PICOSUIT_OK: started by the next reset (nothing is written if it is what is
 *          confirmed, or waits already); PICOSUIT_AGAIN; PICOSUIT_E_STATE, _E_TRIAL,
 *          _E_REJECTED, _E_KEYS, _E_LIMIT (envelope larger than the manifest area),
 *          _E_PLATFORM; any error of the check
 */
PICOSUIT_MUST_CHECK int picosuit_boot_candidate(picosuit_boot *b, picosuit *p);
/* picosuit_boot_confirm - the running image is good: the only writer of floor and epoch
 * Returns  PICOSUIT_OK: committed, or it was; PICOSUIT_E_STATE (not the running image's
 *          trial), _E_PLATFORM (not committed)
 */
PICOSUIT_MUST_CHECK int picosuit_boot_confirm(picosuit_boot *b);
/* For the platform's `key`: keys of the set that verifies now, for PURPOSE_VERIFY. */
int picosuit_boot_key(picosuit_boot *b, int purpose, unsigned n, const uint8_t *kid,
                      size_t kid_len, picosuit_key *out);
/* For `sequence`. */
int picosuit_boot_sequence(const picosuit_boot *b, uint64_t *floor, uint8_t *digest);
/* For `slot`, `read`, `size`: the slot that the image component stands for now. */
unsigned picosuit_boot_slot(const picosuit_boot *b);
/* For `size` and `read`: offset of an area's first byte and the length recorded there, 0
 * if nothing complete is. What `end` has closed since the reset is the port's to know. */
int picosuit_boot_stored(const picosuit_boot *b, unsigned area, uint32_t *off,
                         uint32_t *len);
/* picosuit_boot_report - what runs and how the last update ended, as a SUIT_Report
 * Made from journal and flash alone; the running image is hashed for it.
 * Returns  PICOSUIT_OK; PICOSUIT_E_ROOM (len = bytes needed), _E_PLATFORM
 * Source   draft-ietf-suit-report; docs/boot.md has the members
 */
PICOSUIT_MUST_CHECK int picosuit_boot_report(const picosuit_boot *b, uint8_t *buf,
                                             size_t cap, size_t *len);
/* picosuit_keyset_check - COSE_KeySet of 1..4 Ed25519 keys, each {1 kty, 2 kid, 3 alg,
 * -1 crv, -2 x, -65537 rights}, one of them with the rights UPDATE and KEYS
 * Returns  PICOSUIT_OK; PICOSUIT_E_KEYS
 */
PICOSUIT_MUST_CHECK int picosuit_keyset_check(const uint8_t *data, size_t len);
/* picosuit_keyset_key - the n-th key; key->key points into data, key->id is n + 1
 * Returns  1; 0 when there are no more; PICOSUIT_E_KEYS
 */
int picosuit_keyset_key(const uint8_t *data, size_t len, unsigned n, picosuit_key *key);
#endif

/* ---- Primitives, for boot loaders, tests and tools; may change with any version */
#if PICOSUIT_EXPOSE_PRIMITIVES
/* Lengths in bytes. int: PICOSUIT_OK, or PICOSUIT_E_CRYPTO and nothing usable in out. */
void picosuit_sha256(uint8_t out[32], const uint8_t *data, size_t len); /* FIPS 180-4 */
void picosuit_sha512(uint8_t out[64], const uint8_t *data, size_t len);
/* RFC 8032 5.1.7, strict: S < L, canonical A and R of large order, no cofactor. */
PICOSUIT_MUST_CHECK int picosuit_ed25519_verify(const uint8_t sig[64],
                                                const uint8_t key[32],
                                                const uint8_t *data, size_t len);
#if PICOSUIT_ED25519_EXPANDED
/* The same under an expanded key. */
PICOSUIT_MUST_CHECK int
picosuit_ed25519_verify_expanded(const uint8_t sig[64],
                                 const uint8_t key[PICOSUIT_EXPANDED_LEN],
                                 const uint8_t *data, size_t len);
#endif
/* RFC 7748; an all-zero result is refused. */
PICOSUIT_MUST_CHECK int picosuit_x25519(uint8_t out[32], const uint8_t scalar[32],
                                        const uint8_t point[32]);
/* RFC 5869; out_len at most 32. */
PICOSUIT_MUST_CHECK int picosuit_hkdf_sha256(uint8_t *out, size_t out_len,
                                             const uint8_t *salt, size_t salt_len,
                                             const uint8_t *ikm, size_t ikm_len,
                                             const uint8_t *info, size_t info_len);
/* RFC 3394; len 24..72, a multiple of 8; writes len - 8. */
PICOSUIT_MUST_CHECK int picosuit_aes128_unwrap(uint8_t *out, const uint8_t kek[16],
                                               const uint8_t *data, size_t len);
/* RFC 8439. */
void picosuit_chacha20(uint8_t *out, const uint8_t *data, size_t len,
                       const uint8_t key[32], const uint8_t nonce[12], uint32_t counter);
void picosuit_poly1305(uint8_t tag[16], const uint8_t *data, size_t len,
                       const uint8_t key[32]);
/* data is ciphertext, then tag; writes len - 16 bytes only if the tag is right. */
PICOSUIT_MUST_CHECK int picosuit_aead_open(uint8_t *out, const uint8_t *data, size_t len,
                                           const uint8_t key[32], const uint8_t nonce[12],
                                           const uint8_t *aad, size_t aad_len);
#endif

#ifdef __cplusplus
}
#endif
#endif
