# SPDX-License-Identifier: MIT
"""COSE, as far as envelopes have it: authentication blocks and encryption-info.

Written as the core reads it (core/picosuit.c, section 12): one algorithm each way, the kid of a
signer in the protected header, detached payloads.
Sources: RFC 9052 4.2, 5.1, 6.2; RFC 9053 6.2, 6.4; draft-ietf-suit-firmware-encryption 6.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from . import cbor, names
from .cbor import Tag
from .envelope import to_sign
from .keys import CRV, KTY, OKP, SIGNS, X25519_CURVE, Key, X
from .problem import Problem

SIGN1, MAC0, ENCRYPT = 18, 17, 96
PROTECTED_MAX = 64  # PICOSUIT_MAX_PROTECTED
BLOCKS_MAX = 4  # PICOSUIT_MAX_BLOCKS
H_ALG, H_KID, H_IV, H_EPHEMERAL = 1, 4, 5, -1
TAG_LEN = 16  # bytes that a ciphertext is longer than its plaintext

# -- Authentication blocks ---------------------------------------------------------------------


def protected_header(alg: int, kid: bytes | None) -> bytes:
    """Protected header of a block, encoded."""
    header = cbor.encode({H_ALG: alg} if kid is None else {H_ALG: alg, H_KID: kid})
    if len(header) > PROTECTED_MAX:
        raise Problem(f"a kid of {len(kid or b'')} bytes makes a protected header of "
                      f"{len(header)} bytes; devices take {PROTECTED_MAX}")  # fmt: skip
    return header


def message(alg: int, protected: bytes, digest: bytes) -> bytes:
    """What is signed: Sig_structure or MAC_structure over an encoded SUIT_Digest."""
    return to_sign(protected, digest, "MAC0" if alg == names.HMAC256 else "Signature1")


def block(alg: int, protected: bytes, value: bytes) -> bytes:
    """COSE_Sign1 or COSE_Mac0 with detached payload, tagged."""
    return cbor.encode(Tag(MAC0 if alg == names.HMAC256 else SIGN1, [protected, {}, None, value]))


# -- Encryption --------------------------------------------------------------------------------

CONTENT_PROTECTED = cbor.encode({H_ALG: names.CHACHA20_POLY1305})
AGREE_PROTECTED = cbor.encode({H_ALG: names.ECDH_ES_A128KW})
AAD = cbor.encode(["Encrypt", CONTENT_PROTECTED, b""])
# Of the key that wraps; draft-ietf-suit-firmware-encryption 6.2.3 fixes its last element.
KDF_CONTEXT = cbor.encode([names.A128KW, [None] * 3, [None] * 3,
                           [128, AGREE_PROTECTED, b"SUIT Payload Encryption"]])  # fmt: skip


@dataclass(frozen=True)
class Sealed:
    """A payload under a content key of its own."""

    ciphertext: bytes  # tag included
    iv: bytes
    content_key: bytes = field(repr=False)

    def info(self, recipients: Sequence[Key]) -> bytes:
        """Encryption-info for recipients, fresh: COSE_Encrypt, tagged."""
        wrapped = [cbor.Raw(recipient(self.content_key, key)) for key in recipients]
        return cbor.encode(Tag(ENCRYPT, [CONTENT_PROTECTED, {H_IV: self.iv}, None, wrapped]))


def seal(plain: bytes) -> Sealed:
    """Content key and initial vector are used for this one payload and come from the operating
    system."""
    key, iv = os.urandom(32), os.urandom(12)
    return Sealed(ChaCha20Poly1305(key).encrypt(iv, plain, AAD), iv, key)


def recipient(content_key: bytes, key: Key) -> bytes:
    """COSE_recipient for a device's X25519 key, or for a key-encryption key."""
    header: dict[int, object] = {} if key.kid is None else {H_KID: key.kid}
    if key.alg == names.A128KW:
        assert key.secret is not None
        return cbor.encode(
            [b"", {H_ALG: names.A128KW, **header}, aes_key_wrap(key.secret, content_key)])
    if key.alg != names.ECDH_ES_A128KW or key.public is None:
        raise Problem(f"{key.name} is no key to encrypt to; X25519 and A128KW are")
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(key.public))
    kek = HKDF(hashes.SHA256(), 16, None, KDF_CONTEXT).derive(shared)
    point = ephemeral.public_key().public_bytes_raw()
    header[H_EPHEMERAL] = {KTY: OKP, CRV: X25519_CURVE, X: point}
    return cbor.encode([AGREE_PROTECTED, header, aes_key_wrap(kek, content_key)])


def is_signer(key: Key) -> bool:
    return key.alg in SIGNS or key.alg == names.HMAC256
