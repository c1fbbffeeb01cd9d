# SPDX-License-Identifier: MIT
"""The envelopes of the demo, and where in them an error must be reported.

Built with vectors/make/suit.py, which knows nothing of core/. All updates carry one image per
slot; the device chooses by component-slot in a try-each.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "vectors" / "make"))

import suit  # noqa: E402
from suit import CLASS, DEVICE, IDENTITY, ROOT, Key, Wrap, cbor, find  # noqa: E402

SLOTS = "ab"
VENDOR_CHECK, CLASS_CHECK, MATCH, SLOT, INDEX, TRY, SET, FETCH, COPY, INVOKE = (
    1, 2, 3, 5, 12, 15, 20, 21, 22, 23,
)  # fmt: skip
ON_FAILURE = 2  # reporting policy


@dataclass(frozen=True)
class Update:
    """An envelope and what belongs to it."""

    envelope: bytes
    images: tuple[bytes, bytes]  # plaintext, by slot
    sequence: int
    shared: list[Any]
    install: list[Any]
    payloads: dict[str, bytes]  # what the server has, by URI
    is_encrypted: bool

    @property
    def manifest(self) -> bytes:
        """Content of key 3."""
        return self.envelope[find(self.envelope, "3/<") : find(self.envelope, "3/$")]

    @property
    def digest(self) -> bytes:
        return bytes(suit.digest_of_bstr(self.manifest)[1])

    @property
    def stored(self) -> bytes:
        """The severed envelope that the device keeps: tag, wrapper and manifest."""
        wrapper = self.envelope[find(self.envelope, "@2") : find(self.envelope, "3/$")]
        return suit.head(6, 107) + suit.head(5, 2) + wrapper

    @property
    def wrapper_len(self) -> int:
        return find(self.envelope, "2/$") - find(self.envelope, "2/<")

    # -- offsets ---------------------------------------------------------------------------

    def at_shared(self, label: int) -> int:
        return find(self.envelope, f"3/3/4/[{command(self.shared, label)}]")

    def at_install(self, label: int) -> int:
        return find(self.envelope, f"3/20/[{command(self.install, label)}]")

    def at_sequence(self) -> int:
        return find(self.envelope, "3/2")

    def at_wrapper(self) -> int:
        return find(self.envelope, "2")

    def at_manifest(self) -> int:
        return find(self.envelope, "3")

    def payload_at(self, slot: int) -> int:
        return find(self.envelope, f"#{SLOTS[slot]}/<")


def command(sequence: list[Any], label: int) -> int:
    """Index of the first command with this label."""
    return next(i for i in range(0, len(sequence), 2) if sequence[i] == label)


def by_slot(alternatives: list[list[Any]]) -> list[Any]:
    """A try-each that takes the alternative of the slot."""
    return [
        TRY,
        [Wrap([SET, {5: n}, SLOT, 0, *commands]) for n, commands in enumerate(alternatives)],
    ]


def image_of_slot(images: tuple[bytes, bytes], class_id: bytes) -> list[Any]:
    return [
        SET, {**IDENTITY, 2: class_id},
        VENDOR_CHECK, ON_FAILURE, CLASS_CHECK, ON_FAILURE,
        *by_slot([[SET, suit.image(image)] for image in images]),
    ]  # fmt: skip


def sign(digest: bytes, key: Key) -> Wrap:
    """An authentication block; with the kid in the protected header if the key has one."""
    header = {1: key.alg} if key.kid is None else {1: key.alg, 4: key.kid}
    return Wrap(suit.sign1(digest, key, header))


def seal(manifest: Any, signers: Sequence[Key], payloads: dict[str, bytes]) -> bytes:
    """Envelope with a block by each signer."""
    return suit.envelope(
        manifest, members=payloads, blocks=lambda digest: [sign(digest, key) for key in signers]
    )


def keys_only(keys: Sequence[Key], sequence: int, signer: Key) -> Update:
    """A new key set, every key with all rights, and no image."""
    rights = 11  # UPDATE, INVOKE, KEYS
    data = cbor([
        {1: 1, 2: key.kid, 3: key.alg, -1: 6, -2: key.public, -65537: rights} for key in keys
    ])
    shared = suit.with_image(data)
    install = [SET, {21: "#k"}, FETCH, ON_FAILURE, MATCH, ON_FAILURE]
    manifest = suit.manifest(
        shared, components=((b"keys",),), sequence=sequence, install=install,
        validate=[MATCH, ON_FAILURE],
    )  # fmt: skip
    envelope = seal(manifest, [signer], {"#k": data})
    return Update(envelope, (data, data), sequence, shared, install, {}, False)


def plain(
    images: tuple[bytes, bytes], sequence: int, signers: Sequence[Key] = (ROOT,)
) -> Update:
    """Signed, not encrypted, payloads inside."""
    shared = image_of_slot(images, CLASS)
    install = [*by_slot([[SET, {21: f"#{s}"}] for s in SLOTS]), FETCH, ON_FAILURE]
    install += [MATCH, ON_FAILURE]
    manifest = suit.manifest(
        shared, sequence=sequence, validate=[MATCH, ON_FAILURE], invoke=[INVOKE, ON_FAILURE],
        install=install, reference_uri=f"coap://u.example/{sequence}",
    )  # fmt: skip
    payloads = {f"#{s}": images[n] for n, s in enumerate(SLOTS)}
    envelope = seal(manifest, signers, payloads)
    return Update(envelope, images, sequence, shared, install, {}, False)


def plain_one(image: bytes, sequence: int, manifest_len: int) -> Update:
    """One image, no choice of slot; the reference URI makes the manifest as long as asked."""
    shared = suit.with_image(image)
    install = [SET, {21: "#a"}, FETCH, ON_FAILURE]
    uri = "coap://u.example/"
    while True:
        manifest = suit.manifest(
            shared, sequence=sequence, validate=[MATCH, ON_FAILURE],
            invoke=[INVOKE, ON_FAILURE], install=install, reference_uri=uri,
        )  # fmt: skip
        short = manifest_len - len(cbor(manifest))
        if short <= 0:
            break
        uri += "x" * max(1, short - 2)
    envelope = suit.envelope(manifest, members={"#a": image})
    return Update(envelope, (image, image), sequence, shared, install, {}, False)


def encrypted(
    images: tuple[bytes, bytes], sequence: int, name: str, *, is_inside: bool = True,
    class_id: bytes = CLASS, key: Key = DEVICE, signer: Key = ROOT,
) -> Update:  # fmt: skip
    """Encrypted to one device, through the transient component ['t']; payloads inside, or
    on a server. `name` makes content keys and initial vectors."""
    where = "#" if is_inside else "coap://u.example/2"
    names = [f"{name} {s}" for s in SLOTS]

    def info(name: str) -> Wrap:
        recipient = suit.ecdh_recipient(suit.cek_of(name), key, DEVICE.kid, seed=name)
        return Wrap(suit.encryption_info(name, [recipient]))

    shared = [INDEX, 0, *image_of_slot(images, class_id)]
    install = [
        INDEX, 0,
        *by_slot([
            [SET, {19: info(names[n]), 22: 1}, INDEX, 1, SET, {21: where + s}]
            for n, s in enumerate(SLOTS)
        ]),
        INDEX, 1, FETCH, ON_FAILURE,
        INDEX, 0, COPY, ON_FAILURE, MATCH, ON_FAILURE,
    ]  # fmt: skip
    manifest = suit.manifest(
        shared, components=((b"\0",), (b"t",)), sequence=sequence,
        validate=[INDEX, 0, MATCH, ON_FAILURE], invoke=[INDEX, 0, INVOKE, ON_FAILURE],
        install=install, reference_uri=f"coap://u.example/{sequence}",
    )  # fmt: skip
    payloads = {where + s: suit.encrypt(images[n], names[n]) for n, s in enumerate(SLOTS)}
    envelope = seal(manifest, [signer], payloads if is_inside else {})
    return Update(
        envelope, images, sequence, shared, install, {} if is_inside else payloads, True
    )
