# SPDX-License-Identifier: MIT
"""A small update, made with cbor2 and cryptography, and a device that keeps it in memory."""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import picosuit

SECRET = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"tests of the facade").digest())
KEY = picosuit.Key(SECRET.public_key().public_bytes_raw(), picosuit.ALG_ED25519, id=7)
VENDOR, CLASS = bytes(range(16)), bytes(range(16, 32))
URI = "coap://example.com/image"
IMAGE = bytes(i * 7 & 0xFF for i in range(1000))


def encode(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def commands(*items: Any) -> bytes:
    return encode(list(items))


def sign(manifest: bytes, alg: int = picosuit.ALG_ED25519) -> bytes:
    """The wrapper of a manifest; algorithms other than Ed25519 "sign" by repeating the message."""
    digest = encode([-16, hashlib.sha256(encode(manifest)).digest()])
    protected = encode({1: alg})
    message = encode(["Signature1", protected, b"", digest])
    sig = SECRET.sign(message) if alg == picosuit.ALG_ED25519 else message[::-1]
    return encode([digest, encode(cbor2.CBORTag(18, [protected, {}, None, sig]))])


def update(
    image: bytes = IMAGE,
    *,
    alg: int = picosuit.ALG_ED25519,
    policy: int = 0,
    integrated: bool = False,
) -> bytes:
    """Fetches an image, matches it, invokes it."""
    uri = "#i" if integrated else URI
    parameters = {1: VENDOR, 2: CLASS, 3: encode([-16, hashlib.sha256(image).digest()]),
                  14: len(image)}  # fmt: skip
    shared = commands(20, parameters, 1, policy, 2, policy)
    manifest = {
        1: 1,
        2: 5,
        3: encode({2: [[b"\0"]], 4: shared}),
        7: commands(3, policy),
        9: commands(23, policy),
        20: commands(20, {21: uri}, 21, policy),
    }
    content = encode(manifest)
    members: dict[Any, Any] = {2: sign(content, alg), 3: content}
    if integrated:
        members[uri] = image
    return encode(cbor2.CBORTag(107, members))


class Memory(picosuit.Device):
    """One component, in memory. `log` has what was asked."""

    def __init__(self, stored: bytes = b"") -> None:
        self.content = bytearray(stored)
        self.stored = len(stored)
        self.log: list[str] = []
        self.records: list[picosuit.Record] = []
        self.args: bytes | None = b"never"

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        self.log.append(f"component {signer}")
        return (3, picosuit.STORED) if id == b"\x81\x41\x00" else None

    def identity(self, component: int, what: int, n: int) -> bytes | None:
        assert component == 3
        if n > 0:
            return None
        return {picosuit.ID_VENDOR: VENDOR, picosuit.ID_CLASS: CLASS}.get(picosuit.Identity(what))

    def size(self, component: int) -> tuple[int, int]:
        return self.stored, 1 << 24

    def read(self, component: int, off: int, n: int) -> bytes:
        return bytes(self.content[off : off + n])

    def begin(self, component: int, size: int, id: bytes) -> int:
        self.log.append(f"begin {size}")
        assert len(id) == 32
        self.content = bytearray()
        self.stored = 0
        return 0

    def write(self, component: int, off: int, data: bytes) -> None:
        self.content[off : off + len(data)] = data

    def end(self, component: int, good: bool) -> None:
        self.log.append(f"end {good}")
        self.stored = len(self.content) if good else 0

    def invoke(self, component: int, args: bytes | None) -> None:
        self.log.append("invoke")
        self.args = args

    def sequence(self) -> tuple[int, bytes] | None:
        return None

    def record(self, record: picosuit.Record) -> None:
        self.records.append(record)


def install(
    processor: picosuit.Processor, envelope: bytes, image: bytes = IMAGE
) -> picosuit.Status:
    """The whole update."""
    assert processor.open(envelope) == picosuit.READY
    assert processor.begin(picosuit.UPDATE) == picosuit.OK
    assert processor.run() == picosuit.FETCH
    assert processor.payload(image) == (picosuit.MORE, len(image))
    return processor.payload_end()
