# SPDX-License-Identifier: MIT
"""What the core accepts, read a second time by cbor2 and pyca/cryptography alone.

Nothing here comes from the core or from the author's tool but what is compared: `Info`, the
severed envelope, the identifiers that the device was asked for, and what it holds in the end.
Sources: draft-ietf-suit-manifest-37, draft-ietf-suit-firmware-encryption, RFC 9052, RFC 9053.
"""
from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from test_vectors import Watched, boot_device, boot_payloads, signer
from vectorfile import Record, device_keys, device_of, payloads_of, records

from picosuit import Info, Key, Procedure
from picosuit.author.virtual import Outcome, VirtualDevice, run_update

WRAPPER, MANIFEST = 2, 3
SECTIONS = (7, 8, 9, 16, 20)  # validate, load, invoke, payload-fetch, install: bits of Info
SEVERABLE = (14, 16, 20, 23)
IMAGE_MATCH, TRY_EACH, RUN = 3, 15, 32
OVERRIDE, SET = 20, 19
DIGEST, SIZE, CONTENT, ENCRYPTION = 3, 14, 18, 19
SHA256, ED25519, EDDSA, HMAC256, A128KW, ECDH_ES_A128KW = -16, -19, -8, 5, -3, -29


@dataclass
class Read:
    """An envelope as the oracle reads it."""

    digest: bytes  # SHA-256 of the manifest
    signers: list[Key]  # in the order of their blocks
    sequence: int
    components: list[bytes]  # encoded identifiers
    sections: int
    severed: bytes  # the envelope without what can be severed, and without payloads
    commands: set[int] = field(default_factory=set)
    parameters: list[tuple[int, Any]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)  # in the envelope

    def values(self, parameter: int) -> Iterator[Any]:
        return (value for number, value in self.parameters if number == parameter)


def sha256_digest(encoded: Any) -> bytes:
    """SUIT_Digest, encoded or not."""
    alg, value = cbor2.loads(encoded) if isinstance(encoded, bytes) else encoded
    assert alg == SHA256
    assert isinstance(value, bytes) and len(value) == 32
    return value


def of_bstr(content: bytes) -> bytes:
    """The digest of a member is over the byte string with its head."""
    return hashlib.sha256(cbor2.dumps(content)).digest()


def verifies(block: bytes, digest: bytes, key: Key) -> bool:
    tag = cbor2.loads(block)
    protected, unprotected, payload, signature = tag.value
    header = cbor2.loads(protected) if protected else {}
    kid = header.get(4, unprotected.get(4))
    if payload is not None or header.get(1) != key.alg:
        return False
    if kid is not None and key.kid is not None and kid != key.kid:
        return False
    context = {18: "Signature1", 17: "MAC0"}.get(tag.tag)
    signed = cbor2.dumps([context, protected, b"", digest])
    if tag.tag == 17 and key.alg == HMAC256:
        return hmac.compare_digest(signature, hmac.digest(key.key, signed, "sha256"))
    if tag.tag != 18 or key.alg not in (ED25519, EDDSA):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def walk(found: Read, sequence: bytes) -> None:
    """Commands and parameters of a sequence, and of those inside it."""
    items = cbor2.loads(sequence)
    assert len(items) % 2 == 0
    for command, argument in zip(items[::2], items[1::2], strict=True):
        found.commands.add(command)
        if command in (OVERRIDE, SET):
            found.parameters += argument.items()
        elif command == TRY_EACH:
            for alternative in argument:
                if alternative is not None:
                    walk(found, alternative)
        elif command == RUN:
            walk(found, argument)


def read(data: bytes, keys: Iterable[Key]) -> Read:
    tag = cbor2.loads(data)
    assert tag.tag == 107
    members: dict[Any, bytes] = tag.value
    digest_bytes, *blocks = cbor2.loads(members[WRAPPER])
    digest = sha256_digest(digest_bytes)
    assert of_bstr(members[MANIFEST]) == digest
    signers = [key for block in blocks for key in keys if verifies(block, digest_bytes, key)]
    manifest = cbor2.loads(members[MANIFEST])
    assert manifest[1] == 1
    common = cbor2.loads(manifest[3])
    kept = {number: members[number] for number in (WRAPPER, MANIFEST)}
    found = Read(
        digest, signers, manifest[2], [cbor2.dumps(one) for one in common.get(2, [])],
        sum(1 << bit for bit, number in enumerate(SECTIONS)
            if isinstance(manifest.get(number), bytes) or {number} <= manifest.keys() & members),
        cbor2.dumps(cbor2.CBORTag(107, kept)))  # fmt: skip
    for number in SEVERABLE:
        if isinstance(manifest.get(number), list) and number in members:
            assert of_bstr(members[number]) == sha256_digest(manifest[number])
    if 4 in common:
        walk(found, common[4])
    for number in SECTIONS:
        sequence = manifest.get(number)
        sequence = members.get(number) if isinstance(sequence, list) else sequence
        if sequence is not None:
            walk(found, sequence)
    found.payloads = [value for key, value in members.items() if isinstance(key, str)]
    return found


# -- decryption ----------------------------------------------------------------------------------


def content_keys(recipients: list[Any], keys: Iterable[Key]) -> Iterator[bytes]:
    """What the device's secrets unwrap."""
    nobody = [None, None, None]
    for protected, unprotected, wrapped, *_ in recipients:
        header = dict(unprotected) | (cbor2.loads(protected) if protected else {})
        for key in keys:
            kek = key.key
            if header.get(1) != key.alg:
                continue
            if key.alg == ECDH_ES_A128KW:
                point = X25519PublicKey.from_public_bytes(header[-1][-2])
                shared = X25519PrivateKey.from_private_bytes(key.key).exchange(point)
                info = cbor2.dumps([A128KW, nobody, nobody,
                                    [128, protected, b"SUIT Payload Encryption"]])  # fmt: skip
                kek = HKDF(hashes.SHA256(), 16, header.get(-20), info).derive(shared)
            with contextlib.suppress(InvalidUnwrap):
                yield aes_key_unwrap(kek, wrapped)


def decrypt(encryption_info: bytes, data: bytes, keys: Iterable[Key]) -> bytes | None:
    tag = cbor2.loads(encryption_info)
    assert tag.tag == 96
    protected, unprotected, payload, recipients = tag.value
    assert payload is None
    aad = cbor2.dumps(["Encrypt", protected, b""])
    for key in content_keys(recipients, [k for k in keys if k.alg in (A128KW, ECDH_ES_A128KW)]):
        try:
            return ChaCha20Poly1305(key).decrypt(unprotected[5], data, aad)
        except InvalidTag:
            pass
    return None


# -- comparison ----------------------------------------------------------------------------------


class Asked(Watched):
    """Notes the identifiers it was asked for."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.asked: list[bytes] = []

    def component(self, signer: int, id: bytes) -> tuple[int, int] | None:
        self.asked.append(bytes(id))
        return super().component(signer, id)


def compare_info(found: Read, info: Info, is_begun: bool) -> None:
    assert info.sequence == found.sequence
    assert info.digest == found.digest
    assert info.components == len(found.components)
    assert info.sections == found.sections
    assert info.envelope_len == len(found.severed)
    assert found.signers, "the oracle verifies no block"
    rights = 0
    for key in found.signers:
        rights |= key.rights
    assert info.rights == rights
    ids = [key.id for key in found.signers]
    assert info.signer in ids if is_begun else info.signer == ids[0]


def compare_contents(found: Read, device: VirtualDevice, before: VirtualDevice,
                     fetched: Iterable[bytes], keys: Iterable[Key]) -> None:  # fmt: skip
    """Each component that has changed holds something that the manifest speaks of: what was
    fetched, in the envelope, written, held by another one, or the plaintext of one of these; and
    where images are matched at all, with a digest and a size that are in the manifest."""
    held = {handle: before.content(handle) for handle in before.components}
    sources = {*fetched, *found.payloads, *found.values(CONTENT), *held.values(), None}
    keys = list(keys)
    for info in found.values(ENCRYPTION):
        sources |= {decrypt(info, data, keys) for data in list(sources) if data}
    digests = {sha256_digest(value) for value in found.values(DIGEST)}
    sizes = set(found.values(SIZE))
    for handle in device.components:
        content = device.content(handle)
        if content == held[handle] or content is None:
            continue
        assert content in sources
        if IMAGE_MATCH in found.commands and sizes and hashlib.sha256(content).digest() in digests:
            assert len(content) in sizes


def compare(record: Record, device: Any, before: VirtualDevice, outcome: Outcome,
            fetched: Iterable[bytes], keys: Iterable[Key]) -> Read:  # fmt: skip
    found = read(record.data(), keys)
    assert outcome.info is not None
    compare_info(found, outcome.info, outcome.stage != "begin")
    assert outcome.envelope == found.severed
    compare_contents(found, device, before, fetched, keys)
    return found


ACCEPTED = [record for record in records("suit/index.txt") if record["expect"] == "ok"]


@pytest.mark.parametrize("record", ACCEPTED, ids=str)
def test_accepted_envelope(record: Record) -> None:
    device, payloads = device_of(record, Asked), payloads_of(record)
    assert isinstance(device, Asked)
    for procedure in record["procedure"].split(","):
        outcome = run_update(record.data(), device, device_keys(), Procedure[procedure.upper()],
                             payloads, record.number_at("work", 4096))  # fmt: skip
        found = compare(record, device, device_of(record), outcome, payloads.values(),
                        device_keys())
        fetched = [*found.payloads, *(payloads[uri] for uri in outcome.fetched)]
        # Asked in the manifest's order; again from the first one for the next signer.
        asked = device.asked
        assert asked[-len(found.components):] == found.components
        assert all(asked[i] == found.components[0] or asked[i - 1] in found.components
                   for i in range(len(asked)))  # fmt: skip
        device.asked.clear()
    digests = {sha256_digest(value) for value in found.values(DIGEST)}
    for handle, digest in record.numbered("component").items():
        content = device.content(handle)
        assert device.digest(handle) == (bytes.fromhex(digest) if digest != "-" else None)
        if handle in device.touched and content in fetched and IMAGE_MATCH in found.commands:
            staged = any(decrypt(info, content, device_keys())
                         for info in found.values(ENCRYPTION))  # fmt: skip
            assert staged or device.digest(handle) in digests


@pytest.mark.parametrize("record", records("boot/index.txt"), ids=str)
def test_boot_envelope(record: Record) -> None:
    keys = [signer(name) for name in record["signers"].split()]
    device, payloads = boot_device(), boot_payloads(record)
    outcome = run_update(record.data(), device, keys, Procedure.UPDATE, payloads)
    found = compare(record, device, boot_device(), outcome, payloads.values(), keys)
    assert found.sequence == record.number_at("sequence")
    assert [key.id for key in found.signers] == [key.id for key in keys]
    images = {hashlib.sha256(payloads[uri]).digest() for uri in outcome.fetched}
    digests = {sha256_digest(value) for value in found.values(DIGEST)}
    assert images <= digests or "no image-digest for them" in record["source"]


def test_oracle_is_strict() -> None:
    """It does not verify what was changed, and does not decrypt what was changed."""
    record = next(r for r in ACCEPTED if str(r) == "fetch_uri")
    data = bytearray(record.data())
    at = data.index(b"\x58\x40") + 2  # the signature
    data[at] ^= 1
    assert read(bytes(data), device_keys()).signers == []
    record = next(r for r in ACCEPTED if "payload.0" in r and str(r).startswith("enc_"))
    found = read(record.data(), device_keys())
    info, ciphertext = next(found.values(ENCRYPTION)), next(iter(payloads_of(record).values()))
    assert decrypt(info, ciphertext, device_keys()) is not None
    assert decrypt(info, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), device_keys()) is None
