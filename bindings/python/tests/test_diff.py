# SPDX-License-Identifier: MIT
"""picosuit diff: by meaning, the same both ways, nothing for what is equal."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import clirun
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picosuit.author import cbor, cose, keys, names, sign
from picosuit.author.cbor import Wrap
from picosuit.author.diff import Change, Difference, diff
from picosuit.author.envelope import Envelope, build, digest_of
from picosuit.author.problem import Problem

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
SUIT = sorted((VECTORS / "suit").glob("*.suit"))
KEY = keys.generate(names.ED25519)


def envelope(name: str) -> Envelope:
    return Envelope((VECTORS / f"suit/{name}.suit").read_bytes(), name)


def both(a: Envelope, b: Envelope) -> Difference:
    """The difference, after a look from the other side."""
    found, back = diff(a, b), diff(b, a)
    turned = [change.swapped() for change in back.changes]
    assert sorted(map(repr, found.changes)) == sorted(map(repr, turned))
    assert sorted(found.notes) == sorted(back.notes)
    return found


def areas(found: Difference) -> list[str]:
    return list(dict.fromkeys(change.area for change in found.changes))


def make(install: Any, *, sequence: int = 1, **more: Any) -> Envelope:
    common = {2: more.get("components", [[b"app"], [b"t"]])}
    members: dict[int, Any] = {1: 1, 2: sequence, 3: Wrap(common), 20: Wrap(install)}
    members |= more.get("members", {})
    return Envelope(build(cbor.encode(members), payloads=more.get("payloads")))


def test_equal_envelopes_do_not_differ() -> None:
    for path in SUIT:
        data = path.read_bytes()
        found = diff(Envelope(data), Envelope(bytes(bytearray(data))))
        assert found.is_same and found.notes == [], path.name


def test_the_same_both_ways() -> None:
    small = [path for path in SUIT if path.stat().st_size < 6000]
    for one, other in zip(small, small[1:] + small[:1]):
        found = both(Envelope(one.read_bytes()), Envelope(other.read_bytes()))
        assert found.changes or found.notes, (one.name, other.name)


def test_signed_again_means_the_same() -> None:
    """Only a signature is another: no difference, but it is said."""
    plain = envelope("fetch_integrated")
    unsigned = Envelope(plain.rebuilt(blocks=[]))
    one, other = (Envelope(sign.sign(unsigned, keys.generate(names.ED25519))) for _ in "ab")
    found = both(one, other)
    assert found.is_same
    assert found.notes == ["the manifest is the same, byte for byte; the signatures are not"]
    found = both(unsigned, one)
    assert found.changes == [Change("signatures", "", None, "COSE_Sign1, Ed25519")]


def test_encrypted_again_means_the_same() -> None:
    """Another content key for the same device and plaintext."""
    device = keys.generate(names.ECDH_ES_A128KW, kid=b"device-1")
    image = bytes(500)

    def encrypted(*recipients: keys.Key) -> Envelope:
        sealed = cose.seal(image)
        digest = Wrap([names.SHA256, digest_of(image)])
        install = [12, 1, 20, {21: "#a"}, 21, 2, 12, 0,
                   20, {3: digest, 14: 500, 19: sealed.info(list(recipients)), 22: 1},
                   22, 2, 3, 15]  # fmt: skip
        return make(install, payloads={"#a": sealed.ciphertext})

    one, other = encrypted(device), encrypted(device)
    found = both(one, other)
    assert found.is_same
    assert found.notes == [
        "the manifests differ in bytes, not in meaning: another digest is signed",
        "encrypted again: #a",
    ]
    more = encrypted(device, keys.generate(names.ECDH_ES_A128KW, kid=b"device-2"))
    found = both(one, more)
    assert areas(found) == ["stored", "install"]
    assert "'device-1' (ECDH-ES+A128KW) and 'device-2'" in str(found.changes[1].b)


def test_severed_members() -> None:
    found = both(envelope("draft_ex2"), envelope("draft_ex2_severed"))
    gone = "severed: taken out of the envelope"
    assert found.changes == [
        Change("severable members", "install", "digest right", gone),
        Change("severable members", "text", "digest right", gone),
    ]


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        ([20, {21: "#a"}, 21, 2], [20, {21: "#b"}, 21, 2],
         Change("install", "command 1", "uri: #a", "uri: #b")),
        ([14, 0], [14, 0, 14, 0], Change("install", "command 2", None, "fail here")),
        ([14, 0], [14, 2], Change("install", "command 1", "fail here",
                                  "fail here [record failure]")),
        ([12, 0, 14, 0], [12, 1, 14, 0], Change("install", "command 1", "for app:", "for t:")),
        ([15, [Wrap([6, 0]), Wrap([14, 0])]], [15, [Wrap([6, 0]), Wrap([6, 0])]],
         Change("install", "command 1, way 2, command 1", "fail here",
                "check that the content in app is content that is not set")),
        ([15, [Wrap([6, 0]), Wrap([14, 0])]], [15, [Wrap([6, 0]), Wrap([14, 0]), None]],
         Change("install", "command 1, way 3", None, "go on if none succeeds")),
        ([-9, "a"], [-9, "b"], Change("install", "command 1", 'custom command -9 with "a"',
                                      'custom command -9 with "b"')),
        ([20, {18: b"1" * 50}, 14, 0], [20, {18: b"1" * 49 + b"2"}, 14, 0],
         Change("install", "command 1", *["content: h'" + "31" * 20 + "...' (50 bytes)"] * 2)),
    ],
)  # fmt: skip
def test_commands(a: Any, b: Any, change: Change) -> None:
    found = both(make(a), make(b))
    assert change in found.changes
    assert [one for one in found.changes if one.area == "install"] == [change]


def test_members_and_payloads() -> None:
    install = [20, {21: "#a"}, 21, 2]
    one = make(install, payloads={"#a": b"1"}, members={4: "http://a"})
    other = make(install, sequence=2, payloads={"#a": b"2", "#b": b""}, members={4: "http://b"},
                 components=[[b"app"], [b"u"]])  # fmt: skip
    found = both(one, other)
    assert areas(found) == ["manifest", "components", "payloads"]
    by_place = {change.place: (change.a, change.b) for change in found.changes if change.place}
    assert by_place["sequence number"] == ("1", "2")
    assert by_place["reference URI"] == ("http://a", "http://b")
    assert by_place["#b"][0] is None and str(by_place["#b"][1]).startswith("0 bytes, SHA-256 e3b0")
    assert Change("components", "", "t", None) in found.changes


def test_text_in_languages() -> None:
    def texts(entry: str, key: str = "en") -> Envelope:
        about = {1: entry, cbor.Raw(cbor.encode([b"app"])): {6: entry}}
        return make([14, 0], members={23: Wrap({key: about})})

    found = both(texts("one"), texts("two"))
    assert found.changes == [
        Change("text", "en, manifest-description", "one", "two"),
        Change("text", "en, app, component-version", "one", "two"),
    ]
    # A control character is not the text that shows it.
    assert not both(texts("\x1b"), texts("\\x1b")).is_same
    assert not both(texts("a" * 5000 + "b"), texts("a" * 5000 + "c")).is_same


def test_another_manifest_in_the_wrapper() -> None:
    plain = envelope("fetch_integrated")
    bad = bytearray(plain.data)
    bad[plain.digest.end - 1] ^= 1
    found = both(plain, Envelope(bytes(bad)))
    assert found.changes == [
        Change("manifest", "digest", None, "WRONG: the wrapper has that of another manifest")
    ]


def test_long_sequences_stay_cheap() -> None:
    one, other = make([14, 0] * 2000), make([14, 2] * 2000)
    assert [change.a for change in both(one, other).changes] == ["2,000 lines"]
    assert len(both(one, make([14, 0] * 2000 + [14, 2])).changes) == 1


def test_command_line(tmp_path: Path) -> None:
    one, other = VECTORS / "suit/fetch_uri.suit", VECTORS / "suit/fetch_integrated.suit"
    result = clirun.run("diff", one, one)
    assert (result.status, result.out) == (0, b"the same bytes\n")
    result = clirun.run("diff", one, other)
    assert result.status == 1
    assert b"    - uri: http://example.com/file.bin\n    + uri: #fw\n" in result.out
    result = clirun.run("--json", "diff", one, other)
    assert result.status == 1 and not result.data["same"]
    assert {"area", "place", "a", "b"} == set(result.data["changes"][0])
    bad = tmp_path / "bad"
    bad.write_bytes(one.read_bytes()[:-1])
    for pair in ((one, bad), (bad, one)):
        assert f"{bad}: byte " in clirun.refused("diff", *pair)
    assert "no-file: " in clirun.refused("diff", one, tmp_path / "no-file")


def test_nothing_raw_reaches_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07[red]\u202e"
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(make([20, {21: evil}, 21, 0], payloads={evil: b""}, members={
        4: evil, 23: Wrap({evil: {1: evil}})}).data)  # fmt: skip
    other.write_bytes(make([14, 0]).data)
    for pair in ((one, other), (other, one)):
        text = clirun.run("diff", *pair).out.decode()
        assert text.replace("\n", "").isprintable() and "[red]" in text


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_one_changed_byte_never_crashes_and_never_hides(data: st.DataObject) -> None:
    """Whatever byte is changed: refused, a difference, or a note that says why there is none."""
    path = data.draw(st.sampled_from([path for path in SUIT if path.stat().st_size < 3000]))
    original = path.read_bytes()
    changed = bytearray(original)
    offset = data.draw(st.integers(0, len(original) - 1))
    changed[offset] ^= data.draw(st.integers(1, 255))
    try:
        other = Envelope(bytes(changed))
    except Problem:
        return
    found = both(Envelope(original), other)
    assert found.changes or found.notes
    text = str(found.data)
    assert all(c.isprintable() for c in text)
