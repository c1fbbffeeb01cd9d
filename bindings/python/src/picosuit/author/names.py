# SPDX-License-Identifier: MIT
"""Numbers and their names: the words of the drafts' CDDL, without the prefix `suit-`.

Sources: draft-ietf-suit-manifest-37 11, draft-ietf-suit-trust-domains-12,
draft-ietf-suit-update-management-14, draft-ietf-suit-report, RFC 9052, RFC 9053, RFC 9864.
"""
from __future__ import annotations

ENVELOPE_TAG = 107

# Members of envelope and manifest have the same numbers.
WRAPPER, MANIFEST = 2, 3
ENVELOPE = {
    2: "authentication-wrapper", 3: "manifest", 14: "coswid", 15: "dependency-resolution",
    16: "payload-fetch", 18: "candidate-verification", 20: "install", 23: "text",
}  # fmt: skip
MEMBERS = {
    1: "manifest-version", 2: "sequence-number", 3: "common", 4: "reference-uri",
    5: "manifest-component-id", 6: "set-version", 7: "validate", 8: "load", 9: "invoke",
    14: "coswid", 15: "dependency-resolution", 16: "payload-fetch", 18: "candidate-verification",
    20: "install", 23: "text", 24: "uninstall",
}  # fmt: skip
COMMON = {1: "dependencies", 2: "components", 4: "shared-sequence"}
SEVERABLE = (14, 15, 16, 18, 20, 23)
SECTIONS = (16, 20, 7, 8, 9)  # command sequences, in the order of the procedures
SHARED = 3  # PICOSUIT_SECTION_SHARED: how errors and records name the shared sequence
UPDATE = (16, 20, 7)
INVOKE = (7, 8, 9)

COMMANDS = {
    1: "condition-vendor-identifier", 2: "condition-class-identifier", 3: "condition-image-match",
    4: "condition-use-before", 5: "condition-component-slot", 6: "condition-check-content",
    7: "condition-dependency-integrity", 8: "condition-is-dependency",
    11: "directive-process-dependency", 12: "directive-set-component-index",
    14: "condition-abort", 15: "directive-try-each", 18: "directive-write",
    19: "directive-set-parameters", 20: "directive-override-parameters", 21: "directive-fetch",
    22: "directive-copy", 23: "directive-invoke", 24: "condition-device-identifier",
    25: "condition-image-not-match", 26: "condition-minimum-battery",
    27: "condition-update-authorized", 28: "condition-version", 29: "directive-wait",
    31: "directive-swap", 32: "directive-run-sequence", 33: "directive-unlink",
    34: "directive-override-multiple", 35: "directive-copy-params",
}  # fmt: skip
VENDOR_CHECK, CLASS_CHECK, IMAGE_MATCH, SLOT_CHECK, CONTENT_CHECK = 1, 2, 3, 5, 6
SET_INDEX, ABORT, TRY_EACH, WRITE, SET, OVERRIDE = 12, 14, 15, 18, 19, 20
FETCH, COPY, INVOKE_COMMAND, DEVICE_CHECK, SWAP, RUN = 21, 22, 23, 24, 31, 32
# Commands whose argument is not a reporting policy.
WITH_ARGUMENT = (SET_INDEX, TRY_EACH, SET, OVERRIDE, RUN)

PARAMETERS = {
    1: "vendor-identifier", 2: "class-identifier", 3: "image-digest", 4: "use-before",
    5: "component-slot", 12: "strict-order", 13: "soft-failure", 14: "image-size", 18: "content",
    19: "encryption-info", 21: "uri", 22: "source-component", 23: "invoke-args",
    24: "device-identifier", 25: "fetch-arguments", 26: "minimum-battery",
    27: "update-priority", 28: "version", 29: "wait-info",
}  # fmt: skip
P_VENDOR, P_CLASS, P_DIGEST, P_SLOT, P_STRICT, P_SOFT, P_SIZE = 1, 2, 3, 5, 12, 13, 14
P_CONTENT, P_ENCRYPTION, P_URI, P_SOURCE, P_ARGS, P_DEVICE, P_FETCH_ARGS = (
    18, 19, 21, 22, 23, 24, 25)  # fmt: skip

# Bits of a reporting policy.
POLICY = {1: "record-success", 2: "record-failure", 4: "sysinfo-success", 8: "sysinfo-failure"}

TEXT_MANIFEST = {1: "manifest-description", 2: "update-description", 3: "manifest-json-source",
                 4: "manifest-yaml-source"}  # fmt: skip
TEXT_COMPONENT = {
    1: "vendor-name", 2: "model-name", 3: "vendor-domain", 4: "model-info",
    5: "component-description", 6: "component-version", 7: "component-version-required",
    8: "current-version",
}  # fmt: skip

SHA256, EDDSA, ED25519, A128KW, ECDH_ES_A128KW, HMAC256, CHACHA20_POLY1305 = (
    -16, -8, -19, -3, -29, 5, 24)  # fmt: skip
ALGORITHMS = {
    -3: "A128KW", -4: "A192KW", -5: "A256KW", -6: "direct", -7: "ES256", -8: "EdDSA",
    -9: "ESP256", -16: "SHA-256", -18: "SHAKE128", -19: "Ed25519", -29: "ECDH-ES+A128KW",
    -31: "ECDH-ES+A256KW", -35: "ES384", -36: "ES512", -43: "SHA-384", -44: "SHA-512",
    -45: "SHAKE256", -46: "HSS-LMS", -53: "Ed448", -65534: "A128CTR", -65532: "A256CTR",
    1: "A128GCM", 2: "A192GCM", 3: "A256GCM", 4: "HMAC 256/64", 5: "HMAC 256/256",
    6: "HMAC 384/384", 7: "HMAC 512/512", 24: "ChaCha20/Poly1305",
}  # fmt: skip
DIGEST_LEN = {-16: 32, -18: 32, -43: 48, -44: 64, -45: 64}
COSE_TAGS = {16: "COSE_Encrypt0", 17: "COSE_Mac0", 18: "COSE_Sign1", 96: "COSE_Encrypt",
             97: "COSE_Mac", 98: "COSE_Sign"}  # fmt: skip
COSE_HEADERS = {1: "alg", 2: "crit", 3: "content type", 4: "kid", 5: "IV", 6: "partial IV",
                -1: "ephemeral key", -2: "static key", -20: "salt"}  # fmt: skip
COSE_KEY = {1: "kty", 2: "kid", 3: "alg", 4: "key_ops", 5: "base IV", -1: "crv", -2: "x",
            -3: "y", -4: "d", -65537: "rights"}  # fmt: skip
CURVES = {1: "P-256", 4: "X25519", 6: "Ed25519"}
RIGHTS = {1: "UPDATE", 2: "INVOKE", 4: "UNINSTALL", 8: "KEYS", 16: "ANY_DEVICE"}


def name_of(table: dict[int, str], number: int) -> str:
    """The name, or the number itself where it has none."""
    return table.get(number, str(number))


def number_of(table: dict[int, str], name: str) -> int | None:
    """The number of a name; prefixes `condition-` and `directive-` may be left out."""
    for number, known in table.items():
        if name in (known, known.partition("-")[2] if known[:9] in ("condition", "directive")
                    else known):  # fmt: skip
            return number
    return None
