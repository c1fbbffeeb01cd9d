# SPDX-License-Identifier: MIT
"""Every record of vectors/ that the public interface reaches, as the C tests run it.

Which files those are, and why four others are for C alone, is in vectors/counts.txt.
"""
from __future__ import annotations

from dataclasses import replace

import cbor2
import pytest
from twoslots import IMAGE_LEN, SLOT, TwoSlots
from vectorfile import (
    Record,
    code_of,
    device_keys,
    device_of,
    key,
    keys,
    load,
    payloads_of,
    records,
)

import picosuit
from picosuit import Error, Key, Kind, Phase, Procedure, Status, primitives
from picosuit.author.virtual import (
    OPEN,
    WHOLE,
    Component,
    Ids,
    Outcome,
    SwappingDevice,
    VirtualDevice,
    run_update,
)

WAYS = {"whole": WHOLE, "by bytes": 1, "in frames of 64": 64, "open": OPEN}
STAGE = 3  # handle of what staged ciphertext is fetched into
INDICES = ("suit/index.txt", "refuse/index.txt")


class Watched(SwappingDevice):
    """Notes which components an effect was asked for."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.touched: set[int] = set()

    def begin(self, component: int, size: int, id: bytes) -> int:
        self.touched.add(component)
        return super().begin(component, size, id)

    def swap(self, component: int, source: int) -> None:
        self.touched |= {component, source}
        super().swap(component, source)


class Waiting(Watched):
    """Answers AGAIN to every question before it answers it."""

    asked: object = None

    def _wait(self, *question: object) -> None:
        if self.asked is None:
            self.asked = question
            raise picosuit.Again
        assert self.asked == question, "another question after AGAIN"
        self.asked = None


def _waiting(name: str) -> object:
    def method(self: Waiting, *arguments: object) -> object:
        self._wait(name, *(bytes(a) if isinstance(a, memoryview) else a for a in arguments))
        return getattr(Watched, name)(self, *arguments)

    return method


for _name in ("component", "identity", "slot", "size", "sequence", "read", "begin", "write", "end",
              "invoke", "swap"):  # fmt: skip
    setattr(Waiting, _name, _waiting(_name))


def run(record: Record, split: int, of: type[Watched] = Watched) -> tuple[Outcome, Watched]:
    """All procedures of a record, the second after a reset."""
    device = device_of(record, of)
    assert isinstance(device, Watched)
    for name in record["procedure"].split(","):
        outcome = run_update(
            record.data(), device, device_keys(), Procedure[name.upper()], payloads_of(record),
            record.number_at("work", 4096), split)  # fmt: skip
        if outcome.error:
            break
        device.power()
    return outcome, device


def expect_error(record: Record, outcome: Outcome, split: int) -> None:
    error = outcome.error
    assert error is not None
    assert error.name == record["expect"]
    if "offset" in record:
        assert error.offset == record.number_at("offset")
    if "label" in record:
        assert (error.label or 0) == record.number_at("label")
    if "section" in record:
        assert (error.section or 0) == record.number_at("section")
    if "stage" in record and split != OPEN:
        assert outcome.stage == record["stage"]


def expect_result(record: Record, outcome: Outcome, device: Watched) -> None:
    for handle, digest in record.numbered("component").items():
        held = device.digest(handle)
        assert (held.hex() if held else "-") == digest
    if "writes" in record:
        assert outcome.counters.writes == record.number_at("writes")
    if "invoked" in record:
        assert outcome.invoked == record.number_at("invoked")


def expect_harmless(record: Record, outcome: Outcome, device: Watched) -> None:
    """Nothing but what was begun has changed; what was begun is closed."""
    counters = outcome.counters
    assert counters.begins == counters.ends_good + counters.ends_bad
    before = device_of(record)
    for handle in device.components.keys() - device.touched:
        assert device.content(handle) == before.content(handle)
    if "writes" in record:
        assert counters.writes == record.number_at("writes")
    assert outcome.invoked == (record.number_at("invoked") if "invoked" in record else None)
    if outcome.stage != "run":
        assert counters.begins + counters.reads + len(counters.invoked) == 0


def expect(record: Record, outcome: Outcome, device: Watched, split: int) -> None:
    assert outcome.status == code_of(record), outcome.error
    if outcome.error:
        expect_error(record, outcome, split)
        expect_harmless(record, outcome, device)
    else:
        expect_result(record, outcome, device)


def find(name: str) -> Record:
    return next(record for index in INDICES for record in records(index) if str(record) == name)


@pytest.mark.parametrize("record", [r for index in INDICES for r in records(index)], ids=str)
def test_envelope(record: Record) -> None:
    whole = None
    for how, split in WAYS.items():
        if split == OPEN and record["expect"] == "E_ROOM":
            continue  # in memory, less work is needed
        outcome, device = run(record, split)
        try:
            expect(record, outcome, device, split)
        except AssertionError as wrong:
            wrong.add_note(how)
            raise
        if whole is None:
            whole = outcome, device
        if split != OPEN:  # which sees at once that an envelope is cut off
            assert outcome.counters.writes == whole[0].counters.writes
    if "equivalent" in record:
        assert whole is not None
        other, device = run(find(record["equivalent"]), WHOLE)
        assert other.status == whole[0].status
        for handle in device.components.keys() - {STAGE}:
            assert device.content(handle) == whole[1].content(handle)
    record.ran()


@pytest.mark.parametrize("record", records("suit/index.txt"), ids=str)
def test_envelope_on_a_device_that_is_never_ready_at_once(record: Record) -> None:
    for split in (WHOLE, OPEN):
        if split == OPEN and record["expect"] == "E_ROOM":
            continue
        outcome, device = run(record, split, Waiting)
        expect(record, outcome, device, split)
    assert outcome.agains > 0 or outcome.stage != "run"


# -- boot/ ---------------------------------------------------------------------------------------

SIGNERS = ("boot-a", "boot-b", "boot-c")
IMAGE, KEY_SET, OTHER = 0, 1, 2


def signer(name: str) -> Key:
    return key(keys()[name], id=1 + SIGNERS.index(name))


def boot_payloads(record: Record) -> dict[str, bytes]:
    """What the URIs "i" and "k" give."""
    found = {}
    if "image" in record:
        length, seed = map(int, record["image"].split())
        found["i"] = bytes(seed * 31 + i * 7 + (i >> 8) * 13 & 0xFF for i in range(length))
    if "keys" in record:
        found["k"] = record.data("keys")
    return found


def boot_device() -> VirtualDevice:
    vectors = device_of(records("boot/index.txt")[0])
    return VirtualDevice(
        [Component((b"\0",), IMAGE, 8192), Component((b"x",), OTHER, 64),
         Component((b"keys",), KEY_SET, 1024, Kind.STORED | Kind.KEYS)],
        ids=Ids(vectors.ids.vendor, vectors.ids.class_))  # fmt: skip


# Refused before it is made the candidate, as in test_boot_image.c and test_boot_keys.c: what a
# boot would not start, key sets that no longer start what runs, and key sets that are none.
NOT_BOOTED = {
    "no_match": "E_DIGEST", "match_late": "E_DIGEST", "match_caught": "E_DIGEST",
    "no_invoke_section": "E_INVOKE", "no_invoke": "E_INVOKE", "no_device": "E_CONDITION",
    "slot_0": "E_CONDITION", "empty": "E_STATE", "load_writes": "E_PLATFORM",
    "load_fetches": "E_PLATFORM", "other_only": "E_STATE", "invokes_keys": "E_DIGEST",
    "starts_keys": "E_DIGEST", "matches_keys": "E_DIGEST", "matches_both": "E_DIGEST",
    "k4": "E_AUTH", "k4w": "E_AUTH", "k4b": "E_AUTH", "k5b": "E_AUTH", "k6c": "E_AUTH",
    "ik3": "E_AUTH", "k2_update_b": "E_RIGHTS", "k2_no_update": "E_KEYS", "k2_no_keys": "E_KEYS",
    "k2_split_rights": "E_KEYS", "k2_invoke_only": "E_KEYS", "k2_broken": "E_KEYS",
    "k2_no_digest": "E_KEYS", "ik2_no_keys": "E_KEYS",
}  # fmt: skip


def boot_record(name: str) -> Record:
    return next(record for record in records("boot/index.txt") if str(record) == name)


def running(record: Record) -> TwoSlots:
    """A device that runs this, confirmed, and knows the keys a, b and c."""
    device = TwoSlots(load("boot/set_abc.cbor"))
    assert device.reset() == Status.SAFE
    device.install(record.data(), boot_payloads(record))
    return device


def keys_in_force(device: TwoSlots) -> list[bytes]:
    answers = (device.boot.key(picosuit.PURPOSE_VERIFY, n, None) for n in range(5))
    return [one.key for one in answers if one]


def expect_boot_state(record: Record) -> None:
    """The update on a device with two slots that runs v1 in slot 0: it is booted and confirmed, or
    refused before that, and v1 runs on."""
    if record.number_at("sequence") <= 1:
        assert running(record).boot.record.floor == record.number_at("sequence")
        return
    device = running(boot_record("v1"))
    before = device.boot.record
    if str(record) in NOT_BOOTED:
        with pytest.raises(Error) as caught:
            device.update(record.data(), boot_payloads(record))
        assert (caught.value.name, device.stage) == (NOT_BOOTED[str(record)], "candidate")
        assert replace(device.boot.record, slot=before.slot) == before
        assert device.reset() == Status.OK
        assert device.boot.record.running == 0
        assert not device.boot.record.has_rejected
    else:
        device.install(record.data(), boot_payloads(record))
        after = device.boot.record
        assert (after.phase, after.floor) == (Phase.IDLE, record.number_at("sequence"))
        assert after.running == (1 if "image" in record else 0)
        assert after.epoch == (1 if "keys" in record else 0)
        if "keys" in record:
            wanted = [one.key for one in picosuit.keyset(record.data("keys"))]
            assert keys_in_force(device) == wanted
    assert device.flash.counts.breaches == 0


@pytest.mark.parametrize("record", records("boot/index.txt"), ids=str)
def test_boot_envelope(record: Record) -> None:
    """Authentic under the keys that the record names, and under no other; the update that it is
    brings what it fetches; and the boot state starts it, or keeps what runs."""
    for name in SIGNERS:
        if name not in record["signers"].split():
            with pytest.raises(picosuit.AuthenticityError) as caught:
                picosuit.verify(record.data(), [signer(name)])
            assert caught.value.name == "E_AUTH"
            continue
        info = picosuit.verify(record.data(), [signer(name)])
        assert info.sequence == record.number_at("sequence")
        assert info.signer == signer(name).id
        assert info.rights == signer(name).rights
        assert info.envelope_len == len(record.data())
    device, payloads = boot_device(), boot_payloads(record)
    outcome = run_update(record.data(), device, [signer(n) for n in record["signers"].split()],
                         Procedure.UPDATE, payloads)  # fmt: skip
    assert outcome.error is None
    assert set(outcome.fetched) <= payloads.keys()
    assert device.content(IMAGE) == (payloads["i"] or None if "i" in outcome.fetched else None)
    assert device.content(KEY_SET) == payloads.get("k")
    assert device.content(OTHER) == (b"settings" if str(record).startswith("other_") else None)
    expect_boot_state(record)
    record.ran()


def test_boot_state_starts_no_slot_that_changed() -> None:
    """One bit, anywhere in image or stored envelope of the confirmed slot: the fallback starts. In
    both slots: nothing does."""
    device = running(boot_record("v1"))
    device.install(boot_record("v2").data(), boot_payloads(boot_record("v2")))
    cells = device.flash.dump()
    envelope = IMAGE_LEN + picosuit.MANIFEST_ENVELOPE
    places = [*range(0, 500, 9), *range(envelope, envelope + len(boot_record("v2").data()), 5)]
    for at in places:
        device.flash.load(0, cells)
        device.flash.load(SLOT + at, bytes([cells[SLOT + at] ^ 1 << at % 8]))
        assert device.reset() == Status.OK
        assert device.boot.record.running == 0
        device.flash.load(at, bytes([cells[at] ^ 1 << at % 8]))
        assert device.reset() == Status.SAFE
        assert device.boot.record.floor == 2


@pytest.mark.parametrize("record", records("boot/keysets.txt"), ids=str)
def test_keyset(record: Record) -> None:
    data = record.hex("set")
    if record["expect"] != "ok":
        with pytest.raises(Error) as caught:
            picosuit.keyset(data)
        assert caught.value.name == record["expect"] == "E_KEYS"
    else:
        found = picosuit.keyset(data)
        assert [k.id for k in found] == list(range(1, len(cbor2.loads(data)) + 1))
        for n, one in enumerate(found):
            assert one.key == record.hex(f"x.{n}")
            assert one.alg == record.number_at(f"alg.{n}")
            assert one.rights == record.number_at(f"rights.{n}")
        for cut in range(len(data)):
            with pytest.raises(Error, match="E_KEYS"):
                picosuit.keyset(data[:cut])
        with pytest.raises(Error, match="E_KEYS"):
            picosuit.keyset(data + b"\0")
    record.ran()


# -- crypto/ -------------------------------------------------------------------------------------


def flips(data: bytes, step: int = 1) -> list[bytes]:
    """One bit changed, every `step` bits."""
    return [bytes(b ^ (1 << i % 8 if n == i // 8 else 0) for n, b in enumerate(data))
            for i in range(0, 8 * len(data), step)]  # fmt: skip


@pytest.mark.parametrize("record", records("crypto/sha2.txt"), ids=str)
def test_sha2(record: Record) -> None:
    data = record.hex("data") * record.number_at("repeat")
    assert primitives.sha256(data) == record.hex("sha256")
    assert primitives.sha512(data) == record.hex("sha512")
    record.ran()


@pytest.mark.parametrize("record", records("crypto/hkdf.txt"), ids=str)
def test_hkdf(record: Record) -> None:
    salt, ikm, info = record.hex("salt"), record.hex("ikm"), record.hex("info")
    for n in range(1, 33):
        okm = primitives.hkdf_sha256(ikm, salt=salt, info=info, length=n)
        assert okm == record.hex("okm")[:n]
    record.ran()


@pytest.mark.parametrize("record", records("crypto/aeskw.txt"), ids=str)
def test_aeskw(record: Record) -> None:
    kek, data = record.hex("kek"), record.hex("data")
    assert primitives.aes128_unwrap(kek, data) == record.hex("key")
    for bad in flips(data, 7):
        with pytest.raises(picosuit.PrimitiveError):
            primitives.aes128_unwrap(kek, bad)
    record.ran()


@pytest.mark.parametrize("record", records("crypto/chacha20.txt"), ids=str)
def test_chacha20(record: Record) -> None:
    secret, nonce, counter = record.hex("key"), record.hex("nonce"), record.number_at("counter")
    for n in range(len(record.hex("data")) + 1):
        out = primitives.chacha20(secret, nonce, counter, record.hex("data")[:n])
        assert out == record.hex("out")[:n]
        assert primitives.chacha20(secret, nonce, counter, out) == record.hex("data")[:n]
    record.ran()


@pytest.mark.parametrize("record", records("crypto/poly1305.txt"), ids=str)
def test_poly1305(record: Record) -> None:
    assert primitives.poly1305(record.hex("key"), record.hex("data")) == record.hex("tag")
    record.ran()


@pytest.mark.parametrize("record", records("crypto/poly1305_key.txt"), ids=str)
def test_poly1305_key(record: Record) -> None:
    """[RFC8439 2.6]: the first 32 bytes of block 0. And it is what authenticates in the AEAD."""
    secret, nonce, once = record.hex("key"), record.hex("nonce"), record.hex("once")
    assert primitives.chacha20(secret, nonce, 0, bytes(32)) == once
    tag = primitives.poly1305(once, bytes(16))  # of no text and no additional data
    assert primitives.aead_open(secret, nonce, tag) == b""
    record.ran()


@pytest.mark.parametrize("record", records("crypto/aead.txt"), ids=str)
def test_aead(record: Record) -> None:
    secret, nonce = record.hex("key"), record.hex("nonce")
    aad, data = record.hex("aad"), record.hex("data")
    assert primitives.aead_open(secret, nonce, data, aad) == record.hex("plain")
    for bad in flips(data, 11):
        with pytest.raises(picosuit.PrimitiveError):
            primitives.aead_open(secret, nonce, bad, aad)
    for bad in flips(aad, 11):
        with pytest.raises(picosuit.PrimitiveError):
            primitives.aead_open(secret, nonce, data, bad)
    record.ran()


@pytest.mark.parametrize("record", records("crypto/x25519.txt"), ids=str)
def test_x25519(record: Record) -> None:
    scalar, point = record.hex("scalar"), record.hex("point")
    if "out" not in record:
        with pytest.raises(picosuit.PrimitiveError):
            primitives.x25519(scalar, point)
    else:
        for _ in range(record.number_at("repeat", 1)):
            scalar, point = primitives.x25519(scalar, point), scalar
        assert scalar == record.hex("out")
    record.ran()


@pytest.mark.parametrize("record", records("crypto/ed25519.txt"), ids=str)
def test_ed25519(record: Record) -> None:
    public, data, sig = record.hex("key"), record.hex("data"), record.hex("sig")
    assert primitives.ed25519_verify(public, data, sig) is True
    for bad in flips(sig, 17):
        assert primitives.ed25519_verify(public, data, bad) is False
    for bad in flips(public, 17):
        assert primitives.ed25519_verify(bad, data, sig) is False
    assert primitives.ed25519_verify(public, data + b"\0", sig) is False
    record.ran()


@pytest.mark.parametrize("record", records("crypto/ed25519_edge.txt"), ids=str)
def test_ed25519_edge(record: Record) -> None:
    is_good = primitives.ed25519_verify(record.hex("key"), record.hex("data"), record.hex("sig"))
    assert is_good is bool(record.number_at("accept"))
    record.ran()


@pytest.mark.parametrize("record", records("crypto/ed25519_expanded.txt"), ids=str)
def test_ed25519_expanded(record: Record) -> None:
    """A key with a table says what the key says; with the table of another one it says no."""
    data, sig = record.hex("data"), record.hex("sig")
    assert primitives.ed25519_verify(record.hex("key"), data, sig) is ("blob" in record)
    if "blob" in record:
        blob = record.hex("blob")
        assert primitives.ed25519_verify(blob, data, sig) is True
        assert primitives.ed25519_verify(blob, data + b"\0", sig) is False
        # 8 divides k here, so that keys that differ in small order take each other's tables.
        others = (r.hex("blob") for r in records(record.path) if str(r) in ("root", "base"))
        for table in (other[32:] for other in others if other != blob):
            assert primitives.ed25519_verify(blob[:32] + table, data, sig) is False
    record.ran()


def test_every_file_is_run() -> None:
    """What counts.txt leaves to C alone is all that has no test here."""
    here = {mark.args[1][0].path
            for test in globals().values() for mark in getattr(test, "pytestmark", ())
            if mark.name == "parametrize"} | set(INDICES)  # fmt: skip
    assert here == {r["file"] for r in records("counts.txt") if "only" not in r}


def test_files_that_are_named_are_there() -> None:
    for index in (*INDICES, "boot/index.txt"):
        assert all(load(record["file"]) for record in records(index) if record["file"])


