# SPDX-License-Identifier: MIT
"""`picosuit sever`: less in the envelope, the same signature; and back again."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from picosuit.author import cbor, describe, sever
from picosuit.author.cbor import Tag
from picosuit.author.envelope import Envelope, to_sign
from picosuit.author.problem import Problem
from picosuit.cli import main

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared/vectors/suit"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TEXT = """
sequence = 7
vendor-domain = "arm.com"
class = "sensor"
severable = ["install", "text"]
[[component]]
id = "app"
file = "app.bin"
[[component]]
id = "other"
file = "app.bin"
uri = "coap://a/../b"
inside = true
[text.en]
update-description = "Fixes what was broken"
"""
APP = b"app" * 100


def sign(envelope: bytes) -> bytes:
    e = Envelope(envelope)
    protected = cbor.encode({1: -19})
    signature = KEY.sign(to_sign(protected, e.digest_bstr.content))
    return e.rebuilt(blocks=[cbor.encode(Tag(18, [protected, {}, None, signature]))])


def is_signed(envelope: bytes) -> bool:
    e = Envelope(envelope)
    block = e.block(e.blocks[0])
    try:
        KEY.public_key().verify(block.signature, to_sign(block.protected, e.digest_bstr.content))
    except InvalidSignature:
        return False
    return e.is_digest_right


@pytest.fixture
def update(tmp_path: Path) -> Path:
    made = describe.create(TEXT.encode(), "update.toml", read=lambda path: APP)
    path = tmp_path / "update.suit"
    path.write_bytes(sign(made.envelope))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(*arguments: str | Path, code: int = 0) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == code


def test_draft_severed() -> None:
    """The envelope of example 2 that was published without install and text."""
    path = ROOT / "vectors/describe/ex2.toml"
    e = Envelope(describe.create(path.read_bytes(), str(path)).envelope)
    done = sever.sever(e, sever.severable(e), [])
    signed = Envelope((ROOT / "vectors/suit/draft_ex2_severed.suit").read_bytes())
    assert done.envelope == signed.rebuilt(blocks=[])
    if SHARED.exists():
        assert done.envelope == (SHARED / "manifest-ex2-unsigned-severed.suit").read_bytes()


def test_text(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = update.parent / "less.suit"
    run("sever", update, "--text", "-o", target)
    before, after = update.read_bytes(), target.read_bytes()
    e = Envelope(before)
    assert is_signed(after) and after == e.rebuilt(
        members={20: e.members[20].content})  # all else is as it was
    assert f"text taken out, {len(before):,} -> {len(after):,} bytes" in capsys.readouterr().out


def test_standard_output(update: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    run("sever", update, "--member", "text", "-o", "-")
    assert not Envelope(capsysbinary.readouterr().out).members.keys() - {20}  # no word beside it


def test_all_and_back(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was taken out can be put back: the first envelope, byte for byte."""
    target, parts, whole = (update.parent / name for name in ("less.suit", "parts", "whole.suit"))
    run("--json", "sever", update, "--all", "--extract", parts, "-o", target)
    taken = json.loads(capsys.readouterr().out)
    assert taken["taken_out"] == ["install", "text", "#a", "coap://a/../b"]
    assert names(parts) == ["a", "coap_a_.._b", "install.cbor", "text.cbor"]
    e = Envelope(target.read_bytes())
    assert is_signed(e.data) and not e.members and not e.payloads
    run("sever", target, "-o", whole, "--add", f"install={parts / 'install.cbor'}",
        "--add", f"text={parts / 'text.cbor'}")  # fmt: skip
    run("sever", whole, "-o", whole, "--add", f"#a={parts / 'a'}",
        "--add", f"coap://a/../b={parts / 'coap_a_.._b'}")  # fmt: skip
    assert whole.read_bytes() == update.read_bytes()


def test_notes(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("sever", update, "-o", update.parent / "x", "--member", "install", "--payload", "#a",
        "--payload", "coap://a/../b")  # fmt: skip
    notes = capsys.readouterr().err.splitlines()
    assert [note[:22] for note in notes] == ["note: without install ", "note: #a is nowhere el"]


REFUSED = [
    ((), "nothing to take out"),
    (("--member", "validate"), "validate cannot be severed (these can: "),
    (("--member", "payload-fetch"), "it has no payload-fetch"),
    (("--payload", "#b"), "no payload has the key '#b' (it has: #a, coap://a/../b)"),
    (("--text", "--add", "text=x"), "--add takes nothing out"),
    (("--add", "text"), "--add text: not NAME=FILE"),
    (("--add", "text=no"), "no: No such file"),
    (("--add", "text=app.bin"), "text does not match its digest in the manifest"),
    (("--add", "validate=app.bin"), "the manifest fetches nothing from 'validate'"),
    (("--add", "payload-fetch=app.bin"), "the manifest has no digest of payload-fetch"),
    (("--add", "#b=app.bin"), "the manifest fetches nothing from '#b' (it fetches: #a, coap"),
    (("--add", "#a=update.suit"), "the content for '#a' matches no image-digest"),
]


@pytest.mark.parametrize("arguments, what", REFUSED)
def test_refuse(
    update: Path, arguments: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(update.parent)
    Path("app.bin").write_bytes(APP)
    before = names(Path())
    extract = () if "--add" in arguments else ("--extract", "parts")
    run("sever", "update.suit", "-o", "out.suit", *extract, *arguments, code=2)
    printed, complaint = capsys.readouterr()
    assert printed == "" and complaint.count("\n") == 1 and what in complaint
    assert names(Path()) == before


def test_refuse_in_place() -> None:
    text = TEXT.replace('["install", "text"]', "[]")
    e = Envelope(describe.create(text.encode(), "x", read=lambda path: APP).envelope, "x")
    with pytest.raises(Problem, match="text stands in the manifest and is signed") as caught:
        sever.sever(e, ["text"], [])
    assert e.data[caught.value.offset or 0] == 0x58  # the head of its byte string


def test_refuse_twice(update: Path) -> None:
    e = Envelope(update.read_bytes())
    less = Envelope(sever.sever(e, ["text"], []).envelope)
    with pytest.raises(Problem, match="text is severed already"):
        sever.sever(less, ["text"], [])


@pytest.mark.parametrize("member, what", [
    (20, "install does not match its digest"), (23, "text does not match its digest"),
])  # fmt: skip
def test_refuse_changed_member(update: Path, member: int, what: str) -> None:
    e = Envelope(update.read_bytes())
    data = bytearray(e.data)
    data[e.members[member].end - 1] ^= 1
    changed = Envelope(bytes(data))
    with pytest.raises(Problem, match=what) as caught:
        sever.sever(changed, sever.severable(changed), [])
    assert caught.value.offset == e.members[member].start


def test_refuse_changed_manifest(update: Path) -> None:
    e = Envelope(update.read_bytes())
    data = bytearray(e.data)
    sequence = e.manifest.get(2)
    assert sequence is not None
    data[sequence.start] ^= 1
    with pytest.raises(Problem, match="the envelope was changed"):
        sever.sever(Envelope(bytes(data)), ["text"], [])


def test_hostile_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key is anything that a stranger wrote: it names no file outside the folder."""
    e = Envelope(describe.create(TEXT.encode(), "x", read=lambda path: APP).envelope)
    for keys, found in ((["../../x", "..", "/etc/passwd"], ["etc_passwd", "payload", "x"]),
                        (["a/b", "a\\b"], None)):  # fmt: skip
        path, parts = tmp_path / "in.suit", tmp_path / "parts"
        path.write_bytes(e.rebuilt(payloads=dict.fromkeys(keys, b"x")))
        run("sever", path, "-o", tmp_path / "o", "--extract", parts,
            *(f"--payload={key}" for key in keys), code=0 if found else 2)  # fmt: skip
        if found:
            assert names(parts) == found
    assert "two of them would be called" in capsys.readouterr().err
