# SPDX-License-Identifier: MIT
"""What sign and encrypt write, on the C core: the plain update and the encrypted one leave a
device with the same contents; the memory foretold is the memory needed."""
from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_encrypt import DATA, DEVICE, GOOD, PLAIN, A, B, image, manifest
from vectorfile import Record, device_keys, device_of, keys, payloads_of, records

import picosuit
from picosuit import Code, Procedure
from picosuit.author import encrypt, names, sign
from picosuit.author import keys as keyfiles
from picosuit.author.cbor import Wrap
from picosuit.author.encrypt import Plain
from picosuit.author.envelope import Envelope, build
from picosuit.author.problem import Problem
from picosuit.author.virtual import Component, Ids, Outcome, VirtualDevice, run_update

STAGE, TRANSIENT = ((b"stage",), (b"t",))


@cache
def vector_key(name: str, alg: int) -> keyfiles.Key:
    """A key of vectors/keys.txt with its secret."""
    record = keys()[name]
    part = "private" if "private" in record else "key"
    return keyfiles.changed(keyfiles.from_secret(alg, record.hex(part)),
                            record["kid"].encode() if "kid" in record else None)  # fmt: skip


SIGNER = vector_key("any", names.ED25519)  # has all rights on the device of the vectors
RECIPIENT = vector_key("device", names.ECDH_ES_A128KW)
KEK = vector_key("kek", names.A128KW)
STRANGER = keyfiles.generate(names.ECDH_ES_A128KW, b"stranger")

# -- Vectors -----------------------------------------------------------------------------------

UPDATES = [r for r in records("suit/index.txt")
           if r["expect"] == "ok" and r["procedure"].startswith("update")
           and not r["name"].startswith(("enc_", "demo_encrypted"))]  # fmt: skip


def encrypted(record: Record, via: tuple[bytes, ...]) -> encrypt.Encrypted | None:
    """None: not a manifest that can be encrypted."""
    files = [Plain(data, uri) for uri, data in payloads_of(record).items()]
    wanted = Envelope.parse(record.data()).manifest_bstr.content
    files = [file for file in files if hashlib.sha256(file.data).digest() in wanted]
    to = [STRANGER.public_half(), RECIPIENT.public_half(), KEK]
    try:
        return encrypt.encrypt(Envelope.parse(record.data()), to, files, via=via)
    except Problem:
        return None


def updated(
    record: Record, data: bytes, payloads: dict[str, bytes], work: int = 4096, split: int = 64
) -> tuple[Outcome, dict[int, bytes | None]]:
    device = device_of(record)
    outcome = run_update(data, device, device_keys(), Procedure.UPDATE, payloads, work, split)
    return outcome, {h: device.content(h) for h in device.components}


@pytest.mark.parametrize("via", [TRANSIENT, STAGE], ids=["transient", "staged"])
def test_vectors_encrypted(via: tuple[bytes, ...]) -> None:
    """Every update of the vectors that can be encrypted leaves the device as the plain one."""
    done = set()
    for record in UPDATES:
        result = encrypted(record, via)
        if result is None:
            continue
        data = sign.sign(result.envelope, SIGNER)
        ciphertexts = {p.uri: p.ciphertext for p in result.payloads if not p.is_inside}
        plain = sign.sign(Envelope.parse(Envelope.parse(record.data()).rebuilt(blocks=[])), SIGNER)
        before, wanted = updated(record, plain, payloads_of(record))
        after, contents = updated(record, data, ciphertexts)
        if before.error is not None:  # it needs a key that has fewer rights
            continue
        assert after.error is None, f"{record}: {after.error}"
        differ = {h for h in wanted if wanted[h] != contents[h]}
        assert differ <= ({3} if via == STAGE else set()), str(record)
        done.add(str(record))
    assert len(done) >= 70 and {"try_ab", "install_severed", "run_nested", "like_ex5"} <= done


def test_work_is_what_the_core_needs() -> None:
    """To the byte: with one less it says how many it wants."""
    count = 0
    for record in UPDATES:
        result = encrypted(record, TRANSIENT)
        if result is None or "work" in record:
            continue
        data = sign.sign(result.envelope, SIGNER)
        ciphertexts = {p.uri: p.ciphertext for p in result.payloads if not p.is_inside}
        outcome, _ = updated(record, data, ciphertexts, result.work)
        if outcome.error is not None and outcome.error.code != Code.E_ROOM:
            continue
        assert outcome.error is None, f"{record}: {outcome.error}"
        short, _ = updated(record, data, ciphertexts, result.work - 1)
        assert short.error is not None and short.error.code == Code.E_ROOM, str(record)
        count += 1
    assert count >= 70


def test_again_for_another_device() -> None:
    """Vectors that are encrypted to device-1, made anew for the holder of the KEK."""
    done = 0
    for record in records("suit/index.txt"):
        if not record["name"].startswith(("enc_", "demo_encrypted")) or record["expect"] != "ok":
            continue
        envelope = Envelope.parse(record.data())
        files = [file for file in DATA
                 if hashlib.sha256(file.data).digest() in envelope.manifest_bstr.content]
        try:
            result = encrypt.encrypt(envelope, [KEK], files)
        except Problem:
            continue
        data = sign.sign(result.envelope, SIGNER)
        ciphertexts = {p.uri: p.ciphertext for p in result.payloads if not p.is_inside}
        for key, is_good in ((KEK, True), (RECIPIENT, False)):
            assert key.secret is not None
            there = picosuit.Key(key.secret, key.alg, 0, 7, key.kid)
            device = device_of(record)
            outcome = run_update(data, device, [*device_keys()[:5], there], Procedure.UPDATE,
                                 ciphertexts, split=64)  # fmt: skip
            if is_good:
                assert outcome.error is None, f"{record}: {outcome.error}"
                for handle, digest in record.numbered("component").items():
                    held = device.digest(handle)
                    assert handle == 3 or (held.hex() if held else "-") == digest
            elif outcome.counters.begins:
                assert outcome.error is not None and outcome.error.code == Code.E_DECRYPT
        done += 1
    assert done >= 60


# -- Signing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("alg, kid", [
    (names.ED25519, None), (names.ED25519, b"k"), (names.EDDSA, None), (names.ED25519, b"k" * 58),
    (names.HMAC256, None), (names.HMAC256, b"mac"),
])  # fmt: skip
def test_core_accepts_the_signature(alg: int, kid: bytes | None) -> None:
    key = keyfiles.generate(alg, kid)
    data = sign.sign(Envelope.parse(PLAIN), key)
    there = picosuit.Key(key.public or key.secret or b"", alg, 3, 9, kid)
    info = picosuit.verify(data, [there])
    assert (info.signer, info.sequence) == (9, 2)
    other = keyfiles.generate(alg, kid)
    with pytest.raises(picosuit.AuthenticityError):
        picosuit.verify(data, [picosuit.Key(other.public or other.secret or b"", alg, 3, 9, kid)])


def test_core_counts_four_signers_and_no_fifth() -> None:
    signers = [keyfiles.generate(names.ED25519) for _ in range(4)]
    envelope = Envelope.parse(PLAIN)
    for key in signers:
        envelope = Envelope.parse(sign.sign(envelope, key))
    for n, key in enumerate(signers):
        assert picosuit.verify(envelope.data, [
            picosuit.Key(key.public or b"", key.alg, 3, n)]).signer == n  # fmt: skip
    extra = [*(b.encoded for b in envelope.blocks), envelope.blocks[0].encoded]
    with pytest.raises(picosuit.Error) as e:
        picosuit.verify(envelope.rebuilt(blocks=extra), [])
    assert e.value.code == Code.E_LIMIT


def test_core_takes_the_key_set() -> None:
    made = [keyfiles.generate(alg, kid, rights).public_half() for alg, kid, rights in (
        (names.ED25519, b"k", 11), (names.EDDSA, b"k" * 23, 31), (names.ED25519, b"c", 1),
    )]  # fmt: skip
    read = picosuit.keyset(keyfiles.key_set(made))
    assert [(key.key, key.alg, key.rights) for key in read] == [
        (key.public, key.alg, key.rights) for key in made]  # fmt: skip


# -- Any manifest ------------------------------------------------------------------------------

IDS = Ids((bytes(16),), (bytes(range(16)),))
URIS = ("#a", "#b")


def leaf(component: int) -> list[list[Any]]:
    """Steps of a sequence that works on a component, each with its index."""
    at, own, other = [12, component], URIS[component], URIS[1 - component]
    return [
        [*at, 20, {21: own}], [*at, 20, {21: own, 23: b"x"}], [*at, 19, {21: own}],
        [*at, 20, {21: own, 25: b"x"}], [*at, 21, 2], [*at, 21, 2, 3, 15], [*at, 3, 15],
        [*at, 20, {21: own}, 21, 2, 3, 15], [12, True, 20, {23: b"y"}],
        [12, [1, 0], 20, {23: b"z"}], [*at, 20, {5: component}, 5, 5], [*at, 14, 15],
        [*at, 20, {21: other}], [*at, 20, image((A, B)[component])], [*at, 20, {22: 1 - component}],
    ]  # fmt: skip


def sequences(depth: int = 2) -> st.SearchStrategy[list[Any]]:
    one = st.integers(0, 1).flatmap(lambda c: st.sampled_from(leaf(c)))
    if depth:
        inner = sequences(depth - 1)
        tries = st.tuples(st.integers(0, 1), st.lists(inner, min_size=2, max_size=3), st.booleans())
        one |= tries.map(lambda t: [12, t[0], 15, [*map(Wrap, t[1]), *([None] if t[2] else [])]])
        one |= st.tuples(st.integers(0, 1), inner).map(lambda t: [12, t[0], 32, Wrap(t[1])])
    return st.lists(one, min_size=1, max_size=5).map(
        lambda parts: list(chain(*parts)))


def on_device(data: bytes, slot: int, via: list[Component]) -> tuple[Outcome, list[bytes | None]]:
    device = VirtualDevice([Component((b"\0",), 0, 1024), Component((b"\1",), 1, 1024), *via],
                           ids=IDS, slot=slot)  # fmt: skip
    outcome = run_update(data, device, [
        picosuit.Key(SIGNER.public or b"", SIGNER.alg, 27, 1),
        picosuit.Key(DEVICE.secret or b"", DEVICE.alg, 0, 2, DEVICE.kid)], work=60_000)  # fmt: skip
    return outcome, [device.content(0), device.content(1)]


def compare(install: list[Any]) -> bool:
    """Whether it could be encrypted; then plain and encrypted must do the same on the core."""
    plain = Envelope.parse(manifest(install))
    try:
        new = encrypt.encrypt(plain, [DEVICE.public_half()]).envelope
    except Problem as e:
        assert e.offset is not None or "nothing is fetched" in e.what
        return False
    signed = [sign.sign(envelope, SIGNER) for envelope in (plain, new)]
    transient = [Component((b"t",), 7, 0, picosuit.Kind.TRANSIENT)]
    for slot in (0, 1):
        (a, before), (b, after) = (on_device(data, slot, transient) for data in signed)
        if a.error is None:
            assert b.error is None, (b.error, slot)
            assert after == before
        else:
            assert b.error is not None, (a.error, slot)
    return True


def test_shapes() -> None:
    assert all(compare(install) for install in GOOD.values())


@settings(max_examples=60, deadline=None)
@given(sequences())
def test_encrypted_manifest_does_what_the_plain_one_does(install: list[Any]) -> None:
    """Both payloads are fetched at the end, so that only the way there is in question."""
    assume(compare([*install, 12, 0, 20, {21: "#a"}, 21, 2, 3, 15,
                    12, 1, 20, {21: "#b"}, 21, 2, 3, 15]))  # fmt: skip


SMALL = [e for e in (Envelope.parse(r.data()) for r in records("suit/index.txt")
                     if r["expect"] == "ok") if len(e.data) < 3000]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SMALL), st.data())
def test_hostile_manifests_end_in_a_problem(envelope: Envelope, choice: st.DataObject) -> None:
    """A changed byte, under a digest that is right: nothing but Problem comes out."""
    content = bytearray(envelope.manifest_bstr.content)
    for _ in range(choice.draw(st.integers(1, 2))):
        at = choice.draw(st.integers(0, len(content) - 1))
        content[at] = choice.draw(st.sampled_from((0x00, 0x40, 0x80, 0xA0, 0xF5, 0xF6))
                                  | st.integers(0, 255))  # fmt: skip
    files = [p for p in DATA if hashlib.sha256(p.data).digest() in content]
    members = {key: item.content for key, item in envelope.members.items()}
    payloads = {key: item.content for key, item in envelope.payloads.items()}
    data = build(bytes(content), (), members, payloads)
    for use in (lambda e: sign.sign(e, SIGNER), sign.shown,
                lambda e: encrypt.encrypt(e, [RECIPIENT.public_half()], files)):  # fmt: skip
        with suppress(Problem):
            use(Envelope.parse(data))
