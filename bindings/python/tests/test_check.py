# SPDX-License-Identifier: MIT
"""`picosuit check` says what the core does: on the vectors, and on the reference device."""
from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import vectorfile
from clirun import good, refused, run
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from vectorfile import Record, records

import picosuit
from picosuit import Kind, Rights
from picosuit.author import check, cost, profile
from picosuit.author.check import ACCEPTED, REFUSED, UNSEEN, Result

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bench/m0"), str(ROOT / "vectors/make")]

import bench_make  # type: ignore[import-not-found]  # noqa: E402
import device_envelope  # type: ignore[import-not-found]  # noqa: E402

DEVICE = ROOT / "bench/m0/device.toml"
KIB = 1024


# -- the vectors, through a profile of their device ------------------------------------------------


def text_of(identifier: tuple[bytes, ...]) -> str:
    return "[" + ", ".join(f'"hex:{part.hex()}"' for part in identifier) + "]"


@cache
def vector_device() -> profile.Profile:
    """vectors/README.md, written as a profile."""
    kinds: dict[int, str] = {
        Kind.STORED: "stored", Kind.TRUSTED: "trusted", Kind.TRANSIENT: "transient",
        Kind.STORED | Kind.KEYS: "keys"}  # fmt: skip
    lines = [f'vendor-id = "{vectorfile.VENDOR.hex()}"', f'class-id = "{vectorfile.CLASS.hex()}"',
             'device = "device-1"', "[memory]", "work = 4096", "[flash]", "page = 256",
             "[features]", "swap = true"]  # fmt: skip
    for n, (identifier, kind, capacity) in enumerate(vectorfile.PARTS):
        lines += ["[[component]]", f"id = {text_of(identifier)}", f'kind = "{kinds[kind]}"']
        lines += [f"capacity = {capacity}"] if capacity else []
        lines += ["signers = [3]"] if n == vectorfile.DENIED else []
    algorithms = profile.ANCHOR_ALGORITHMS | profile.DEVICE_ALGORITHMS
    for key in vectorfile.device_keys():
        own = key.alg in profile.DEVICE_ALGORITHMS.values()
        alg = next(name for name, number in algorithms.items() if number == key.alg)
        lines += ["[[device-key]]" if own else "[[trust-anchor]]", f"id = {key.id}",
                  f'hex = "{key.key.hex()}"', f'alg = "{alg}"']  # fmt: skip
        lines += [] if key.kid is None else [f'kid = "{key.kid.decode()}"']
        rights = [right.name for right in Rights if key.rights & right]
        lines += [] if own else [f"rights = {rights}"]
    return profile.parse("\n".join(lines).encode(), "vectors.toml")


def device_for(record: Record) -> profile.Profile:
    about = vector_device()
    initial = {(n if n < 14 else n - 18): path for n, path in record.numbered("initial").items()}
    return replace(
        about, write_slot=record.number_at("slot", 0), work=record.number_at("work", 4096),
        pens=(record.hex("pen"),) if "pen" in record else (),
        floor=record.number_at("floor") if "floor" in record else None,
        confirmed=record.hex("floor_digest") if "floor_digest" in record else None,
        components=tuple(replace(one, initial=vectorfile.load(initial[n])) if n in initial else one
                         for n, one in enumerate(about.components)),
    )  # fmt: skip


VECTORS = [record for file in ("suit/index.txt", "refuse/index.txt") for record in records(file)
           if record["procedure"].startswith("update")]  # fmt: skip


@pytest.mark.parametrize("record", VECTORS, ids=str)
def test_verdict_is_that_of_the_index(record: Record) -> None:
    payloads = vectorfile.payloads_of(record)
    found = check.check(record.data(), record["file"], device_for(record), payloads)
    (outcome,) = found.runs
    refusal = outcome.refusal
    if record["procedure"] == "update" and refusal is not None and refusal.during == "boot":
        refusal = None  # the record says nothing about a boot
    if record["expect"] == "ok":
        assert refusal is None and outcome.verdict != UNSEEN
    elif record["expect"] == "E_FETCH":
        assert outcome.verdict == UNSEEN and "was not given" in outcome.unseen[0]
    else:
        assert refusal is not None and refusal.name == record["expect"]
        if "offset" in record:
            assert refusal.offset == record.number_at("offset")


def test_there_are_vectors_of_each_kind() -> None:
    kinds = [record["expect"] == "ok" for record in VECTORS]
    assert kinds.count(True) > 100 and kinds.count(False) > 200


# -- the reference device --------------------------------------------------------------------------


def reference(**changes: Any) -> profile.Profile:
    return replace(profile.load(DEVICE), **changes)


@cache
def encrypted(is_inside: bool = True) -> bytes:
    data: bytes = bench_make.encrypted(64 * KIB, is_inside=is_inside)[0]
    return data


@cache
def plain() -> bytes:
    data: bytes = bench_make.plain(64 * KIB)[0]
    return data


def checked(data: bytes, about: profile.Profile, **more: Any) -> Result:
    return check.check(data, "x.suit", about, {}, **more)


def test_both_slots_of_an_update() -> None:
    found = checked(encrypted(), reference())
    assert found.verdict == ACCEPTED and not found.findings
    assert [one.slot for one in found.runs] == [0, 1]
    assert (found.sequence, found.signer) == (2, "root")
    for one in found.runs:
        assert one.written == {"[h'00']": 64 * KIB}
        assert (one.erased, one.programmed) == (105, 64 * KIB + 40)  # identity, lengths
        assert one.update is not None and one.boot is not None
    # The payload of slot 0 stands before that of slot 1, and passes by.
    assert found.runs[1].received - found.runs[0].received == 64 * KIB + 16 + 8
    assert found.updates == 2 * 20_000


def test_one_slot_if_the_envelope_does_not_care() -> None:
    found = checked(plain(), reference())
    assert [one.slot for one in found.runs] == [None] and found.verdict == ACCEPTED


def test_work_is_exact() -> None:
    for data in (plain(), encrypted()):
        need = checked(data, reference()).work
        assert checked(data, reference(work=need)).verdict == ACCEPTED
        short = checked(data, reference(work=need - 1))
        assert short.verdict == REFUSED and short.work == need
        assert {one.refusal.name for one in short.runs if one.refusal} == {"E_ROOM"}


def test_ram_is_that_of_the_sizes() -> None:
    """docs/sizes.md adds up context, work and stack for this very update."""
    text = (ROOT / "docs/sizes.md").read_text()
    row = re.search(r"\| plain, manifest of 320 bytes \| 640 \| (\d+) \| (\d+) \| (\d+) \|", text)
    assert row
    update = device_envelope.plain_one(bytes(100), 2, 320).envelope
    for build, ram in (("portable", row[2]), ("asm", row[3])):
        about = reference(processor=profile.Processor(build=build))
        stack = cost.stack(about.processor)
        assert stack == int(ram) - 640 - int(row[1])
        found = checked(update, about)
        assert found.ram == 640 + found.work + stack


def test_only_the_pages_that_are_needed() -> None:
    flash = replace(reference().flash, is_whole=False)
    found = checked(plain(), reference(flash=flash))
    assert found.runs[0].erased == 65
    waits = found.runs[0].flash_seconds
    assert waits == pytest.approx(65 * 22.3e-3 + (64 * KIB + 40) / 4 * 46.3e-6)


def test_pages_of_the_manifest_area() -> None:
    for pages in (0, 2):
        flash = replace(reference().flash, manifest_area=pages * KIB)
        assert checked(plain(), reference(flash=flash)).runs[0].erased == 104 + pages


def test_refusal_in_words() -> None:
    floor = reference(floor=3, confirmed=bytes(32))
    found = checked(plain(), floor)
    refusal = found.runs[0].refusal
    assert found.verdict == REFUSED and refusal is not None
    assert (refusal.name, refusal.during) == ("E_ROLLBACK", "update")
    assert refusal.label_name == "sequence-number"
    assert "sequence number" in refusal.place
    assert [f.name for f in found.findings] == ["sequence-old"]
    assert found.runs[0].update is None


def test_refusal_before_the_manifest_names_the_wrapper() -> None:
    refusal = checked(plain(), reference(anchors=())).runs[0].refusal
    assert refusal is not None and refusal.name == "E_AUTH"
    assert refusal.label_name == "authentication-wrapper" and refusal.section is None


def test_refusal_names_component_section_and_command() -> None:
    small = replace(reference().components[0], capacity=64 * KIB - 1)
    refusal = checked(plain(), reference(components=(small,))).runs[0].refusal
    assert refusal is not None and refusal.name == "E_CAPACITY"
    assert (refusal.section, refusal.component) == ("install", "[h'00']")
    assert refusal.label_name == "directive-fetch" and "fetch" in refusal.place


def test_boot_is_refused_where_the_signer_may_only_update() -> None:
    anchor = replace(reference().anchors[0], rights=1)
    found = checked(plain(), reference(anchors=(anchor,)))
    refusal = found.runs[0].refusal
    assert refusal is not None and (refusal.name, refusal.during) == ("E_RIGHTS", "boot")


def test_signatures_that_are_tried_cost_time() -> None:
    about = reference()
    stranger = replace(about.anchors[0], key=bytes(range(32)), kid=None, id=9)
    one, two = (checked(plain(), reference(anchors=anchors)).runs[0].update
                for anchors in (about.anchors, (stranger, *about.anchors)))  # fmt: skip
    assert one is not None and two is not None
    assert two.parts["signatures"] == 2 * one.parts["signatures"]


def test_payload_that_was_not_given_is_named() -> None:
    found = checked(encrypted(False), reference())
    assert found.verdict == UNSEEN
    assert [one.unseen for one in found.runs] == [
        ("payload 'coap://u.example/2a' was not given",),
        ("payload 'coap://u.example/2b' was not given",)]  # fmt: skip
    assert all(one.update and one.boot for one in found.runs)


def test_without_key_as_far_as_it_can_be_seen() -> None:
    about = reference()
    blind = checked(encrypted(), replace(about, device_keys=()))
    assert blind.verdict == UNSEEN and "no key of the device" in blind.runs[0].unseen[0]
    seen = checked(encrypted(), replace(about, device_keys=()), device_keys=about.device_keys)
    assert seen.verdict == ACCEPTED
    for a, b in zip(blind.runs, seen.runs, strict=True):
        assert a.update and b.update and a.boot and b.boot
        assert a.update.cycles == pytest.approx(b.update.cycles, rel=0.01)
        assert a.boot.cycles == pytest.approx(b.boot.cycles, rel=0.01)


def test_a_wrong_key_is_a_refusal() -> None:
    wrong = replace(reference().device_keys[0], key=bytes(range(32)))
    found = checked(encrypted(), reference(device_keys=(wrong,)))
    refusal = found.runs[0].refusal
    assert refusal is not None and refusal.name == "E_DECRYPT"


def test_what_could_be_seen_of_the_boot_is_refused() -> None:
    """Not decrypted, but the rights for INVOKE are missing all the same."""
    anchor = replace(reference().anchors[0], rights=1)
    found = checked(encrypted(), reference(anchors=(anchor,), device_keys=()))
    refusal = found.runs[0].refusal
    assert refusal is not None and (refusal.name, refusal.during) == ("E_RIGHTS", "boot")


def test_a_changed_payload_is_refused() -> None:
    data = bytearray(plain())
    data[-1] ^= 1
    found = checked(bytes(data), reference())
    assert found.verdict == REFUSED and not found.findings


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("check")
    (path / "plain.suit").write_bytes(plain())
    (path / "inside.suit").write_bytes(encrypted())
    (path / "uri.suit").write_bytes(encrypted(False))
    (path / "2a").write_bytes(bench_make.encrypted(64 * KIB, is_inside=False)[1])
    text = DEVICE.read_text()
    (path / "blind.toml").write_text(text[: text.index("# With its private key")])
    own = X25519PrivateKey.from_private_bytes(reference().device_keys[0].key)
    (path / "device.pem").write_bytes(own.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # fmt: skip
    (path / "device.pem").chmod(0o600)
    return path


def test_command_accepts(folder: Path) -> None:
    result = good("check", folder / "plain.suit", "--profile", DEVICE)
    text = result.out.decode()
    assert "on reference device: accepted" in text and "signed by root" in text
    assert "cycles" in text and "bytes of RAM" in text
    assert good("check", folder / "plain.suit", "--profile", DEVICE, "--strict").status == 0


def test_command_as_data(folder: Path) -> None:
    data = good("--json", "check", folder / "inside.suit", "--profile", DEVICE).data
    assert data["verdict"] == "accepted" and data["findings"] == []
    assert data["memory"]["work"] <= data["memory"]["work_available"] == 832
    assert [one["slot"] for one in data["runs"]] == [0, 1]
    assert sum(data["runs"][0]["update"]["parts"].values()) == data["runs"][0]["update"]["cycles"]


def test_command_refused_is_status_1(folder: Path) -> None:
    result = run("--json", "check", folder / "plain.suit", "--profile", DEVICE, "--previous", "2")
    assert result.status == 1 and result.data["verdict"] == "accepted"
    finding, = result.data["findings"]
    assert finding["name"] == "sequence-old" and "sequence number" in finding["place"]
    text = DEVICE.read_text() + "[sequence]\nfloor = 9\n"
    (folder / "floor.toml").write_text(text)
    result = run("check", folder / "plain.suit", "--profile", folder / "floor.toml")
    assert result.status == 1
    assert re.search(r"E_ROLLBACK at byte \d+: ", result.out.decode())


def test_command_previous_is_a_file_or_a_number(folder: Path) -> None:
    for previous in ("1", folder / "plain.suit"):
        result = run("--json", "check", folder / "plain.suit", "--profile", DEVICE, "--previous",
                     previous)  # fmt: skip
        assert result.status == (0 if previous == "1" else 1)


def test_command_unseen_is_accepted_unless_strict(folder: Path) -> None:
    line = ("check", folder / "uri.suit", "--profile", DEVICE)
    data = good("--json", *line).data
    assert data["verdict"] == "accepted as far as it can be seen"
    assert data["runs"][0]["not_checked"] == ["payload 'coap://u.example/2a' was not given"]
    assert run(*line, "--strict").status == 1
    payload = f"coap://u.example/2a={folder / '2a'}"
    for more in (("--payload", payload), ("--payload-dir", folder)):
        data = good("--json", *line, *more).data
        assert [one["verdict"] for one in data["runs"]] == [ACCEPTED, UNSEEN]


def test_command_device_key(folder: Path) -> None:
    line = ("--json", "check", folder / "inside.suit", "--profile", folder / "blind.toml")
    assert good(*line).data["verdict"] == UNSEEN
    assert good(*line, "--device-key", folder / "device.pem").data["verdict"] == ACCEPTED


def test_command_capabilities(folder: Path) -> None:
    (folder / "caps.cbor").write_bytes(picosuit.capabilities())
    line = ("check", folder / "inside.suit", "--profile", DEVICE, "--capabilities")
    good(*line, folder / "caps.cbor")
    assert "plain.suit: byte 0: a capability report is a tag" in refused(
        *line, folder / "plain.suit")  # fmt: skip


HOSTILE = {
    "nothing": b"", "nesting": b"\xd8\x6b\xa2" + b"\x81" * 100_000, "text": b"hello",
    "twice": b"\xd8\x6b\xa2\x02\x41\x00\x02\x41\x00", "truncated": None,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_command_hostile_envelope_is_bad_input(folder: Path, name: str) -> None:
    data = HOSTILE[name]
    (folder / name).write_bytes(plain()[:500] if data is None else data)
    line = refused("check", folder / name, "--profile", DEVICE)
    assert str(folder / name) in line and "byte" in line
    assert "the device answers E_" in line


@pytest.mark.parametrize(("arguments", "what"), [
    (["--payload", "x"], "--payload x: not URI=FILE"),
    (["--payload", "x=/nowhere"], "/nowhere: No such file"),
    (["--previous", "99999999999999999999"], "a sequence number has 64 bits"),
    (["--previous", "/nowhere"], "/nowhere: No such file"),
    (["--device-key", "/nowhere"], "/nowhere: No such file"),
    (["--capabilities", "/nowhere"], "/nowhere: No such file"),
    (["--payload-dir", "/nowhere"], "does not exist"),
])  # fmt: skip
def test_command_refuse_options(folder: Path, arguments: list[str], what: str) -> None:
    assert what in refused("check", folder / "plain.suit", "--profile", DEVICE, *arguments)


def test_command_refuse_profiles(folder: Path) -> None:
    (folder / "bad.toml").write_text(DEVICE.read_text().replace("work =", "wrok ="))
    line = refused("check", folder / "plain.suit", "--profile", folder / "bad.toml")
    assert "did you mean work?" in line and "line 15" in line
    assert "No such file" in refused("check", folder / "plain.suit", "--profile", "/nowhere")


def test_every_prefix_is_refused_without_a_crash(folder: Path) -> None:
    data = plain()[:460]
    for length in range(1, len(data), 7):
        found = checked(data[:length], reference())
        assert found.verdict == REFUSED and found.runs[0].refusal is not None


def test_swap_that_a_device_cannot_do_is_its_answer() -> None:
    """Exchanged are components of the same size; of others the device refuses."""
    record = next(record for record in VECTORS if str(record) == "swap")
    about = device_for(record)
    smaller = tuple(replace(one, capacity=one.capacity - 64) if one.id == (b"\1",) else one
                    for one in about.components)  # fmt: skip
    found = check.check(record.data(), "x", replace(about, components=smaller),
                        vectorfile.payloads_of(record))  # fmt: skip
    refusal = found.runs[0].refusal
    assert refusal is not None and (refusal.name, refusal.platform) == ("E_PLATFORM", -1)
