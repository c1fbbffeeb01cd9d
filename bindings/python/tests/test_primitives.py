# SPDX-License-Identifier: MIT
"""The primitives against hashlib and cryptography, on inputs of many lengths. Published vectors and
the odd cases are in test_vectors.py."""

from __future__ import annotations

import array
import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, poly1305
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from picosuit import PrimitiveError, primitives

LENGTHS = [*range(70), 111, 112, 113, 127, 128, 129, 255, 256, 1000, 4097]


@pytest.fixture
def rng() -> random.Random:
    return random.Random(5)


@pytest.mark.parametrize("n", LENGTHS)
def test_hashes(n: int, rng: random.Random) -> None:
    data = rng.randbytes(n)
    assert primitives.sha256(data) == hashlib.sha256(data).digest()
    assert primitives.sha512(data) == hashlib.sha512(data).digest()


@pytest.mark.parametrize("n", LENGTHS)
def test_chacha20_poly1305(n: int, rng: random.Random) -> None:
    key, nonce, aad, plain = (rng.randbytes(k) for k in (32, 12, n % 37, n))
    sealed = ChaCha20Poly1305(key).encrypt(nonce, plain, aad)
    assert primitives.aead_open(key, nonce, sealed, aad) == plain
    for at in {0, n // 2, n, n + 15}:
        bad = bytearray(sealed)
        bad[at] ^= 1 << at % 8
        with pytest.raises(PrimitiveError, match="E_CRYPTO"):
            primitives.aead_open(key, nonce, bad, aad)
    counter = rng.randrange(1 << 31)
    cipher = Cipher(algorithms.ChaCha20(key, counter.to_bytes(4, "little") + nonce), None)
    assert primitives.chacha20(key, nonce, counter, plain) == cipher.encryptor().update(plain)
    assert primitives.poly1305(key, plain) == poly1305.Poly1305.generate_tag(key, plain)


@pytest.mark.parametrize("n", LENGTHS[::7])
def test_ed25519(n: int, rng: random.Random) -> None:
    secret = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    key, data = secret.public_key().public_bytes_raw(), rng.randbytes(n)
    sig = secret.sign(data)
    assert primitives.ed25519_verify(key, data, sig)
    assert not primitives.ed25519_verify(key, data + b"\0", sig)
    assert not primitives.ed25519_verify(key, data, sig[:32] + bytes([sig[32] ^ 1]) + sig[33:])


def test_x25519(rng: random.Random) -> None:
    for _ in range(20):
        mine, other = rng.randbytes(32), rng.randbytes(32)
        point = X25519PrivateKey.from_private_bytes(other).public_key().public_bytes_raw()
        ours = primitives.x25519(mine, point)
        theirs = X25519PrivateKey.from_private_bytes(mine).exchange(
            X25519PublicKey.from_public_bytes(point)
        )
        assert ours == theirs
    with pytest.raises(PrimitiveError):
        primitives.x25519(rng.randbytes(32), bytes(32))


@pytest.mark.parametrize("n", range(1, 33))
def test_hkdf(n: int, rng: random.Random) -> None:
    ikm, salt, info = (rng.randbytes(k) for k in (32, n % 5 * 13, n))
    theirs = HKDF(hashes.SHA256(), n, salt, info).derive(ikm)
    assert primitives.hkdf_sha256(ikm, salt=salt, info=info, length=n) == theirs


@pytest.mark.parametrize("n", range(16, 65, 8))
def test_aes_unwrap(n: int, rng: random.Random) -> None:
    kek, key = rng.randbytes(16), rng.randbytes(n)
    wrapped = aes_key_wrap(kek, key)
    assert primitives.aes128_unwrap(kek, wrapped) == key
    with pytest.raises(PrimitiveError):
        primitives.aes128_unwrap(kek, bytes([wrapped[0] ^ 1]) + wrapped[1:])


def test_any_bytes_like() -> None:
    data = b"0123456789"
    want = hashlib.sha256(data).digest()
    kinds: list[Any] = [bytearray(data), memoryview(b"<" + data)[1:], array.array("B", data)]
    for kind in kinds:
        assert primitives.sha256(kind) == want
    for wrong in ("text", 5, None, memoryview(data)[::2]):
        with pytest.raises((TypeError, BufferError)):
            primitives.sha256(wrong)  # type: ignore[arg-type]


B32, B16, B12 = bytes(32), bytes(16), bytes(12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: primitives.ed25519_verify(bytes(31), b"", bytes(64)),
        lambda: primitives.ed25519_verify(B32, b"", bytes(63)),
        lambda: primitives.ed25519_verify(bytes(1567), b"", bytes(64)),
        lambda: primitives.x25519(bytes(33), B32),
        lambda: primitives.x25519(B32, bytes(31)),
        lambda: primitives.hkdf_sha256(B32, length=0),
        lambda: primitives.hkdf_sha256(B32, length=-1),
        lambda: primitives.hkdf_sha256(B32, length=33),
        lambda: primitives.aes128_unwrap(bytes(15), bytes(24)),
        lambda: primitives.aes128_unwrap(B16, bytes(16)),
        lambda: primitives.aes128_unwrap(B16, bytes(25)),
        lambda: primitives.aes128_unwrap(B16, bytes(80)),
        lambda: primitives.aes128_unwrap(B16, b""),
        lambda: primitives.chacha20(B16, B12, 0, b""),
        lambda: primitives.chacha20(B32, bytes(8), 0, b""),
        lambda: primitives.poly1305(B16, b""),
        lambda: primitives.aead_open(B16, B12, bytes(16)),
        lambda: primitives.aead_open(B32, B16, bytes(16)),
        lambda: primitives.aead_open(B32, B12, bytes(15)),
    ],
)
def test_wrong_lengths(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="bytes|length"):
        call()


@pytest.mark.parametrize("counter", [-1, 1 << 32])
def test_counter_has_32_bits(counter: int) -> None:
    with pytest.raises(OverflowError):
        primitives.chacha20(B32, B12, counter, b"data")
