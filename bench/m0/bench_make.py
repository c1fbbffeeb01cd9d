# SPDX-License-Identifier: MIT
"""The envelopes that bench.py measures, built with vectors/make/suit.py from fixed keys.

Images are the output of SHAKE-256. The update manifests have one image-match, in validate;
`is_twice` puts a second one into install."""
from __future__ import annotations

import hashlib
from typing import Any

import device_envelope as demo
import suit
from device_envelope import COPY, FETCH, INDEX, INVOKE, MATCH, ON_FAILURE, SET, SLOTS
from suit import CLASS, DEVICE, IDENTITY, ROOT, Wrap, cbor

URI = "coap://u.example/2"


def image(size: int, name: str = "a") -> bytes:
    return hashlib.shake_256(f"picosuit bench {name}".encode()).digest(size)


def padded(build: Any, length: int | None) -> Any:
    """build(reference URI) with a URI that makes the manifest as long as asked."""
    uri = "coap://u.example/"
    manifest = build(uri)
    while length and len(cbor(manifest)) < length:
        uri += "x" * max(1, length - len(cbor(manifest)) - 3)
        manifest = build(uri)
    if length and len(cbor(manifest)) != length:
        raise ValueError(f"no manifest of {length} bytes")
    return manifest


def plain(
    size: int, *, length: int | None = 320, is_inside: bool = True, is_twice: bool = False
) -> tuple[bytes, bytes, int]:
    """(envelope, payload by URI, bytes of the manifest): one image, no choice of slot."""
    data = image(size)
    where = "#a" if is_inside else URI + "a"
    install = [SET, {21: where}, FETCH, ON_FAILURE, *[MATCH, ON_FAILURE] * is_twice]
    manifest = padded(lambda uri: suit.manifest(
        suit.with_image(data), sequence=2, validate=[MATCH, ON_FAILURE],
        invoke=[INVOKE, ON_FAILURE], install=install, reference_uri=uri), length)
    envelope = demo.seal(manifest, [ROOT], {where: data} if is_inside else {})
    return envelope, b"" if is_inside else data, len(cbor(manifest))


def encrypted(
    size: int, *, is_inside: bool = True, is_twice: bool = False
) -> tuple[bytes, bytes, int]:
    """The same for the encrypted A/B update of the demo, through ['t']; slot A is taken."""
    images = (image(size), image(size, "b"))
    where = "#" if is_inside else URI

    def info(name: str) -> Wrap:
        recipient = suit.ecdh_recipient(suit.cek_of(name), DEVICE, DEVICE.kid, seed=name)
        return Wrap(suit.encryption_info(name, [recipient]))

    shared = [INDEX, 0, *demo.image_of_slot(images, CLASS)]
    install = [
        INDEX, 0,
        *demo.by_slot([
            [SET, {19: info(f"bench {s}"), 22: 1}, INDEX, 1, SET, {21: where + s}] for s in SLOTS
        ]),
        INDEX, 1, FETCH, ON_FAILURE, INDEX, 0, COPY, ON_FAILURE,
        *[MATCH, ON_FAILURE] * is_twice,
    ]  # fmt: skip
    manifest = suit.manifest(
        shared, components=((b"\0",), (b"t",)), sequence=2,
        validate=[INDEX, 0, MATCH, ON_FAILURE], invoke=[INDEX, 0, INVOKE, ON_FAILURE],
        install=install, reference_uri="coap://u.example/2",
    )  # fmt: skip
    payloads = {where + s: suit.encrypt(images[n], f"bench {s}") for n, s in enumerate(SLOTS)}
    envelope = demo.seal(manifest, [ROOT], payloads if is_inside else {})
    payload = b"" if is_inside else payloads[where + "a"]
    return envelope, payload, len(cbor(manifest))


def commands(count: int) -> tuple[bytes, bytes, int]:
    """An image of 1 KiB, and so many commands of 64 bytes more in install."""
    data = image(1024)
    more = [SET, {21: "coap://u.example/".ljust(59, "x")}] * count
    manifest = suit.manifest(
        suit.with_image(data), sequence=2, validate=[MATCH, ON_FAILURE],
        invoke=[INVOKE, ON_FAILURE], install=[*more, SET, {21: URI}, FETCH, ON_FAILURE],
    )  # fmt: skip
    return demo.seal(manifest, [ROOT], {}), data, len(cbor(manifest))


def components(count: int) -> tuple[bytes, bytes, int]:
    """As many components with a block of 64 bytes each: set, fetched, and checked."""
    blocks = [image(64, str(n)) for n in range(count)]
    shared = [INDEX, True, SET, IDENTITY, *suit.COMPATIBLE]
    install = []
    for n, block in enumerate(blocks):
        shared += [INDEX, n, SET, suit.image(block)]
        install += [INDEX, n, SET, {21: f"#{n:02}"}, FETCH, ON_FAILURE]
    manifest = suit.manifest(
        shared, components=[(bytes([n]),) for n in range(count)], sequence=2, install=install,
        validate=[INDEX, True, MATCH, ON_FAILURE],
    )  # fmt: skip
    members = {f"#{n:02}": block for n, block in enumerate(blocks)}
    return demo.seal(manifest, [ROOT], members), b"", len(cbor(manifest))
