# SPDX-License-Identifier: MIT
"""The primitives of the core, for tests, tools and comparisons. Any contiguous bytes-like object
goes in, bytes come out. A wrong length is a ValueError; PrimitiveError means "no".

They are those of the device: constant time where secrets are, sized for a Cortex-M0. The GIL is
released. To encrypt or sign, take a library for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _raw as raw
from .codes import Code
from .errors import raise_plain

if TYPE_CHECKING:
    from typing_extensions import Buffer


def _done(st: int, lengths: str) -> None:
    if st == Code.E_ARG:
        raise ValueError(lengths)
    raise_plain(st)


def sha256(data: Buffer) -> bytes:
    """SHA-256, 32 bytes (FIPS 180-4)."""
    out = bytearray(32)
    _done(raw.bind_sha256(data, out), "")
    return bytes(out)


def sha512(data: Buffer) -> bytes:
    """SHA-512, 64 bytes (FIPS 180-4)."""
    out = bytearray(64)
    _done(raw.bind_sha512(data, out), "")
    return bytes(out)


def ed25519_verify(key: Buffer, data: Buffer, sig: Buffer) -> bool:
    """Whether sig (64 bytes) is the signature of data under key (32 bytes; or 1568, expanded).

    RFC 8032 5.1.7, strict: S < L, canonical A and R of large order, no cofactor.
    """
    st = raw.bind_ed25519_verify(sig, key, data)
    if st == Code.E_CRYPTO:
        return False
    _done(st, "a signature has 64 bytes, a key 32 or 1568")
    return True


def x25519(scalar: Buffer, point: Buffer) -> bytes:
    """The shared secret, 32 bytes, of a scalar and a point of 32 bytes (RFC 7748). PrimitiveError
    if it is all zero."""
    out = bytearray(32)
    _done(raw.bind_x25519(scalar, point, out), "scalar and point have 32 bytes each")
    return bytes(out)


def hkdf_sha256(ikm: Buffer, *, salt: Buffer = b"", info: Buffer = b"", length: int = 32) -> bytes:
    """Key of `length` bytes, 1..32, from input key material (RFC 5869)."""
    out = bytearray(max(length, 0))
    _done(raw.bind_hkdf_sha256(salt, ikm, info, out), f"length is 1..32, not {length}")
    return bytes(out)


def aes128_unwrap(kek: Buffer, data: Buffer) -> bytes:
    """The key that was wrapped: 8 bytes fewer than data, which has 24..72, a multiple of 8
    (RFC 3394). PrimitiveError if it was not wrapped with kek (16 bytes)."""
    out = bytearray(max(memoryview(data).nbytes - 8, 0))
    _done(
        raw.bind_aes128_unwrap(kek, data, out),
        "a key encryption key has 16 bytes, a wrapped key 24..72, a multiple of 8",
    )
    return bytes(out)


def chacha20(key: Buffer, nonce: Buffer, counter: int, data: Buffer) -> bytes:
    """data, en- or decrypted from block `counter` on; key 32, nonce 12 bytes (RFC 8439 2.4)."""
    out = bytearray(memoryview(data).nbytes)
    _done(raw.bind_chacha20(key, nonce, counter, data, out), "a key has 32 bytes, a nonce 12")
    return bytes(out)


def poly1305(key: Buffer, data: Buffer) -> bytes:
    """Tag, 16 bytes, of data under a one-time key of 32 bytes (RFC 8439 2.5)."""
    out = bytearray(16)
    _done(raw.bind_poly1305(key, data, out), "a key has 32 bytes")
    return bytes(out)


def aead_open(key: Buffer, nonce: Buffer, data: Buffer, aad: Buffer = b"") -> bytes:
    """Plaintext of ChaCha20-Poly1305: data is ciphertext, then tag (16 bytes); key 32, nonce 12
    bytes (RFC 8439 2.8). PrimitiveError if the tag is wrong."""
    out = bytearray(max(memoryview(data).nbytes - 16, 0))
    _done(
        raw.bind_aead_open(key, nonce, aad, data, out),
        "a key has 32 bytes, a nonce 12, data 16 or more",
    )
    return bytes(out)
