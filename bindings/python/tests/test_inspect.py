# SPDX-License-Identifier: MIT
"""picosuit inspect: what is checked, what is refused, and nothing raw to a terminal."""
from __future__ import annotations

import json
import time
from pathlib import Path

import clirun
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picosuit.author import cbor, keys, names
from picosuit.author.cbor import Raw, Tag, Wrap
from picosuit.author.envelope import Envelope, build
from picosuit.author.inspect import Inspection, inspect
from picosuit.author.problem import Problem

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
DEMO = VECTORS / "suit/demo_encrypted_ab.suit"
ROOT_KEY = bytes.fromhex("3d097e535923685b39994f5f3204a551fd3a4df6b23e2762805ef9c990a12f6e")
ROOT = keys.Key(names.ED25519, ROOT_KEY)
STRANGER = keys.generate(names.ED25519)


def run(*arguments: str) -> tuple[int, str, str]:
    """Status, standard output, standard error of the command."""
    result = clirun.run(*arguments)
    return result.status, result.out.decode(), result.err


def checks(found: Inspection) -> dict[str, bool | None]:
    return {check.text: check.is_right for check in found.checks}


def test_signature_under_the_right_key() -> None:
    found = inspect(DEMO.read_bytes(), keys=[("stranger", STRANGER), ("root", ROOT)])
    assert checks(found)["signature 1: right, by root"] is True
    assert found.wrong == []


def test_signature_under_other_keys() -> None:
    found = inspect(DEMO.read_bytes(), keys=[("stranger", STRANGER)])
    assert found.wrong == ["no signature is right under a key given"]
    with pytest.raises(Problem, match="device.pem: X25519 signs nothing"):
        inspect(DEMO.read_bytes(), keys=[("device.pem", keys.generate(names.ECDH_ES_A128KW))])


def test_signature_is_over_the_digest() -> None:
    """One bit of the signature, or of the digest, and it is not right any more."""
    data = DEMO.read_bytes()
    envelope = Envelope(data)
    signature = envelope.blocks[0].children[0].children[3]
    for offset in (signature.end - 1, envelope.digest.end - 1):
        bad = bytearray(data)
        bad[offset] ^= 1
        found = inspect(bytes(bad), keys=[("root", ROOT)])
        assert "no signature is right under a key given" in found.wrong


def test_changed_manifest_and_payload_are_found() -> None:
    data = (VECTORS / "suit/fetch_integrated.suit").read_bytes()
    envelope = Envelope(data)
    assert inspect(data).wrong == []
    assert checks(inspect(data))["payload #fw: digest right for [h'00']"] is True
    for item, text in (
        (envelope.payloads["#fw"], "payload #fw: digest WRONG for [h'00']"),
        (envelope.digest, "the manifest's digest is WRONG: signed was another manifest"),
    ):
        bad = bytearray(data)
        bad[item.end - 1] ^= 1
        assert inspect(bytes(bad)).wrong == [text]


def test_payload_of_another_size_is_found() -> None:
    envelope = Envelope((VECTORS / "suit/fetch_integrated.suit").read_bytes())
    found = inspect(envelope.rebuilt(payloads={"#fw": b"short", "#other": b"x"}))
    assert found.wrong == ["payload #fw: 5 bytes, but [h'00'] is to have 1,000 bytes"]
    assert checks(found)["payload #other: nothing fetches it"] is None


def test_encrypted_payload_has_the_length_it_must_have() -> None:
    envelope = Envelope(DEMO.read_bytes())
    payloads = {key: item.content for key, item in envelope.payloads.items()}
    payloads["#b"] += b"\0"
    assert inspect(envelope.rebuilt(payloads=payloads)).wrong == [
        "payload #b: 1,017 bytes, but encrypted 1,000 bytes have 1,016 bytes"
    ]


def test_severed_members_against_the_manifest() -> None:
    envelope = Envelope((VECTORS / "suit/draft_ex2.suit").read_bytes())
    members = {key: item.content for key, item in envelope.members.items()}
    assert inspect(envelope.rebuilt(members={})).wrong == []
    members[20] = members[20].replace(b"file.bin", b"evil.bin")
    assert inspect(envelope.rebuilt(members=members)).wrong == [
        "install: digest WRONG: not what the manifest says"
    ]
    members = {14: b"\xa0"}  # the manifest does not know it
    assert inspect(envelope.rebuilt(members=members)).wrong == [
        "coswid: the manifest has no digest of it, so nothing protects it"
    ]


def test_nothing_is_wrong_with_what_devices_accept() -> None:
    keys_of_vectors = [("root", ROOT)]
    for path in sorted((VECTORS / "suit").glob("*.suit")):
        assert inspect(path.read_bytes()).wrong == [], path.name
        if path.name.startswith(("draft", "like", "demo")):
            assert inspect(path.read_bytes(), keys=keys_of_vectors).wrong == [], path.name


def test_refusals_are_explained_or_one_line() -> None:
    """Every hostile vector: no traceback, nothing slow, nothing raw."""
    paths = sorted((VECTORS / "refuse").glob("*.suit"))
    assert len(paths) > 900
    refused = 0
    for path in paths:
        began = time.process_time()
        status, out, err = run("inspect", str(path))
        assert time.process_time() - began < 1, path.name
        assert out.replace("\n", "").isprintable(), path.name
        if status == 2:
            refused += 1
            assert out == "" and err.count("\n") == 1 and f"{path}: byte " in err, path.name
        else:
            assert out and err == "", path.name
    assert 200 < refused < 300


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "byte 0: the file is empty"),
        (b"\xd8\x6b" + b"\x81" * 100_000, "CBOR nested deeper than 48"),
        (b"\xd8\x6b\xa2\x02" + b"\x9b" + b"\xff" * 8, "byte 4: array with"),
        (b"\xd8\x6b\xbb" + b"\xff" * 8, "byte 2: map with"),
        (b"\x1b[2J\x1b[31mhello", "byte 0: no SUIT envelope"),
        (b"-----BEGIN PRIVATE KEY-----\n", "(this is a PEM file: picosuit key show)"),
        (cbor.encode({1: 1, -1: 6, -2: b""}), "(this seems to be a COSE_Key: picosuit key show)"),
        (cbor.encode([{1: 1, -1: 6}]), "(this seems to be a COSE_KeySet: picosuit key show)"),
        (cbor.encode({2: b"", 3: [], 4: True}), "(this seems to be a SUIT_Report: "),
        (cbor.encode({2: b"", 3: b""}), "(an envelope without its tag: d8 6b belongs in front"),
        (cbor.encode(Tag(18, [])), "(this is a COSE_Sign1)"),
        (cbor.encode({1: 2, 2: 1, 3: b"\xa0"}), "a manifest, but manifest-version is not 1"),
    ],
)
def test_other_files_are_named(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    status, out, err = run("inspect", str(path))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert text in err and err[:-1].isprintable()


def test_a_manifest_alone_has_its_own_offsets() -> None:
    whole = Envelope(DEMO.read_bytes())
    for before in (b"", b"\xd9\x04\x2e"):  # tag 1070, or not
        data = before + whole.manifest.encoded
        found = inspect(data)
        assert found.kind == "manifest"
        assert sum(line.length for line in found.lines) == len(data)
        install = next(line for line in found.lines if line.label == "install")
        assert data[install.offset] == 20
        assert whole.manifest_digest.hex() in found.lines[0].text


def test_an_encryption_info_alone() -> None:
    envelope = Envelope(DEMO.read_bytes())
    data = next(
        envelope.data[line.offset + 3 : line.offset + line.extent]
        for line in inspect(envelope.data).lines
        if line.label == "encryption-info"
    )
    found = inspect(data)
    assert found.kind == "encryption-info"
    assert sum(line.length for line in found.lines) == len(data)
    assert "'device-1' (ECDH-ES+A128KW)" in found.lines[0].text


def test_json_is_the_whole_tree() -> None:
    status, out, _ = run("--json", "inspect", "--hex", str(DEMO))
    data = json.loads(out)
    assert status == 0 and data["kind"] == "envelope" and data["wrong"] == []
    assert bytes.fromhex("".join(line["hex"] for line in data["tree"])) == DEMO.read_bytes()
    assert data["summary"]["sequence"] == 2
    assert [write["when"] for write in data["summary"]["writes"] if not write["transit"]] == [
        ["the slot of [h'00'] is 0"], ["the slot of [h'00'] is 1"],
    ]  # fmt: skip


def test_text_output() -> None:
    _, out, _ = run("inspect", str(DEMO))
    rows = out.splitlines()
    assert rows[0].startswith("000000    2697 SUIT envelope of 2,697 bytes: 4 members")
    assert "\x1b" not in out
    _, out, _ = run("--color", "inspect", str(DEMO))
    assert "\x1b[" in out
    _, out, _ = run("inspect", "--hex", str(DEMO))
    assert out.splitlines()[1].strip() == "d8 6b a4"
    assert "... 766 bytes more" in out


def test_at_explains_an_offset() -> None:
    status, out, _ = run("inspect", "--at", "0x28b", str(DEMO))
    assert status == 0
    assert out.startswith("install, command 3: check that the image in [h'00'] is SHA-256 ")
    status, _, err = run("inspect", "--at", "2697", str(DEMO))
    assert status == 2 and "there is no byte 2697, only 2697 bytes" in err
    status, _, err = run("inspect", "--at", "many", str(DEMO))
    assert status == 2 and "'many' is no number" in err


def test_summary_and_status(tmp_path: Path) -> None:
    status, out, _ = run("inspect", "--summary", str(DEMO))
    assert status == 0 and "where the slot of [h'00'] is 1: 1,000 bytes, SHA-256 4649" in out
    bad = bytearray(DEMO.read_bytes())
    bad[Envelope(bytes(bad)).digest.end - 1] ^= 1
    path = tmp_path / "bad.suit"
    path.write_bytes(bad)
    status, out, _ = run("inspect", "--summary", str(path))
    assert status == 1 and "which is NOT its digest" in out


def test_key_files(tmp_path: Path) -> None:
    pem, cose = tmp_path / "root.pem", tmp_path / "root.cose"
    pem.write_bytes(ROOT.pem())
    cose.write_bytes(ROOT.cose())
    for path in (pem, cose):
        status, out, _ = run("inspect", "--key", str(path), str(DEMO))
        assert status == 0 and f"signature 1: right, by {path}" in out
    pem.write_bytes(STRANGER.public_half().pem())
    status, out, _ = run("inspect", "--key", str(pem), str(DEMO))
    assert status == 1 and "no signature is right under a key given" in out


def test_hostile_texts_never_reach_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x9b31m[red]\r\u202etxt\u2028"
    manifest = cbor.encode({
        1: 1, 2: 1, 3: Wrap({2: [[evil.encode()]]}), 4: evil,
        20: Wrap([20, {21: evil, 18: evil.encode()}, 21, 0]),
        23: Wrap({evil: {1: evil, Raw(cbor.encode([evil.encode()])): {1: evil}}}),
    })  # fmt: skip
    path = tmp_path / "evil.suit"
    path.write_bytes(build(manifest, payloads={evil: b"x"}))
    for options in ([], ["--hex"], ["--summary"], ["--at", "90"]):
        _, out, err = run("--color", "inspect", *options, str(path))
        _, plain, _ = run("inspect", *options, str(path))
        assert plain.replace("\n", "").isprintable() and "\x07" not in out + err
    assert "[red]" in run("inspect", str(path))[1]  # text, not markup


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_changed_byte_never_crashes(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(SMALL)).read_bytes()
    changed = bytearray(original)
    offset = data.draw(st.integers(0, len(original) - 1))
    changed[offset] ^= data.draw(st.integers(1, 255))
    try:
        found = inspect(bytes(changed))
    except Problem as e:
        assert e.offset is None or 0 <= e.offset <= len(changed)
        return
    assert sum(line.length for line in found.lines) == len(changed)
    assert found.as_data(with_hex=True)


SMALL = [path for path in sorted((VECTORS / "suit").glob("*.suit")) if path.stat().st_size < 3000]
