# SPDX-License-Identifier: MIT
"""Envelopes in words: every byte of every vector explained once, and the sentences right."""
from __future__ import annotations

from pathlib import Path

import pytest
from picosuit.author import cbor, names, words
from picosuit.author.cbor import Wrap
from picosuit.author.envelope import Envelope, build, digest_of
from picosuit.author.problem import Problem

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
DEMO = VECTORS / "suit/demo_encrypted_ab.suit"


def envelope(path: Path) -> Envelope:
    return Envelope(path.read_bytes(), path.name)


def check_lines(data: bytes, found: list[words.Line]) -> None:
    """Each byte belongs to one line, each line is printable and within its parents."""
    assert [line.offset for line in found[1:]] == [line.offset + line.length for line in found[:-1]]
    assert found[0].offset == 0 and found[0].extent == len(data)
    assert found[-1].offset + found[-1].length == len(data)
    ends: list[int] = []
    for line in found:
        assert line.text.isprintable() and line.name.isprintable() and line.label.isprintable()
        assert line.length > 0
        del ends[line.depth :]
        assert not ends or line.offset + line.extent <= ends[-1]
        ends.append(line.offset + line.extent)


@pytest.mark.parametrize("folder", ["suit", "boot"])
def test_every_byte_of_every_vector_is_explained_once(folder: str) -> None:
    files = sorted((VECTORS / folder).glob("*.suit"))
    assert len(files) > 80
    for path in files:
        found = words.describe(envelope(path))
        check_lines(path.read_bytes(), found)
        # Tampered boot vectors aside, nothing is wrong with what a device accepts.
        wrong = [line.text for line in found if line.is_right is False]
        assert not wrong or folder == "boot", path.name


def test_what_is_refused_is_explained_or_a_problem() -> None:
    explained = 0
    for path in sorted((VECTORS / "refuse").glob("*.suit")):
        try:
            parsed = envelope(path)
        except Problem as e:
            assert e.offset is not None, path.name
            continue
        check_lines(path.read_bytes(), words.describe(parsed))
        assert str(words.summary(parsed))
        explained += 1
    assert explained > 700


def test_labels_stand_where_lines_say() -> None:
    """The first byte of a command's line is its label, that of a parameter its number."""
    data = DEMO.read_bytes()
    kinds = ("command", "condition")
    found = [line for line in words.describe(envelope(DEMO)) if line.kind in kinds]
    assert len(found) > 20
    for line in found:
        assert f"({cbor.read(data, line.offset, _item_end(data, line.offset)).number})" in line.name


def _item_end(data: bytes, offset: int) -> int:
    return offset + (2 if data[offset] & 31 == 24 else 1)


def test_place_names_section_command_and_way() -> None:
    parsed = envelope(DEMO)
    section = parsed.section(20)
    assert section is not None
    match = section.children[-2]
    assert match.number == names.IMAGE_MATCH
    assert words.at(parsed, match.start).startswith("install, command 3: check that [h'00'] has ")
    # A byte deep inside: the wrapped key of the second image.
    fetches = [line for line in words.describe(parsed) if "content key" in line.text]
    assert words.at(parsed, fetches[1].offset + 7).startswith(
        "install, command 2, way 2, command 3, way 2, command 5, encryption-info, recipients, "
        "recipient 1, wrapped key: content key, wrapped: ")  # fmt: skip
    assert words.at(parsed, 0).startswith("envelope: SUIT envelope of 2,697 bytes")
    assert words.at(parsed, len(parsed.data)) == "beyond the end, 2,697 bytes"
    assert words.at(parsed, len(parsed.data) - 1).startswith("payload #b: 1,016 bytes")


def test_slots_are_told_apart() -> None:
    """Each image with its own digest and payload, though two sections choose the slot."""
    writes = words.Words(envelope(DEMO)).writes()
    assert [(w.when, w.uri, w.size, w.via, w.how) for w in writes] == [
        (("the slot of [h'00'] is 0",), "#a", 1000, ("t",), "copy"),
        (("the slot of [h'00'] is 1",), "#b", 1000, ("t",), "copy"),
    ]
    first, second = ((VECTORS / f"suit/data/{name}.bin").read_bytes() for name in
                     ("firmware", "other"))  # fmt: skip
    for write, image in zip(writes, (first, second)):
        assert write.digest == f"SHA-256 {digest_of(image).hex()}"
        assert write.encryption[0].recipients == ((names.ECDH_ES_A128KW, b"device-1"),)


def test_sentences_of_the_draft_examples() -> None:
    texts = [line.text for line in words.describe(envelope(VECTORS / "suit/draft_ex4.suit"))]
    assert "fetch [h'02'] from http://example.com/file.bin [record failure]" in texts
    assert "copy [h'02'] to [h'00'] [record failure]" in texts
    assert "start [h'01'] [record failure]" in texts
    texts = [line.text for line in words.describe(envelope(VECTORS / "suit/draft_ex3.suit"))]
    assert "try each of 2 ways until one succeeds" in texts
    assert (
        "fetch [h'00'] from http://example.com/file1.bin (34,768 bytes) or "
        "http://example.com/file2.bin (76,834 bytes) [record failure]" in texts
    )


def test_summary_tells_all_that_is_agreed_to() -> None:
    summary = words.summary(envelope(VECTORS / "suit/draft_ex2_severed.suit"))
    assert summary.data["sequence"] == 2 and summary.data["digest_right"]
    assert summary.data["for"]["class"] == ["1492af14-2569-5e48-bf42-9b2d51f2ab45"]
    states = {row["member"]: row["is_right"] for row in summary.data["severed"]}
    assert states == {"install": None, "text": None}
    assert not summary.data["complete"] and summary.data["writes"] == []
    assert "severable   install: severed: taken out of the envelope" in str(summary)


def manifest(install: object, components: list[list[bytes]] | None = None, **more: object) -> bytes:
    common = {2: components or [[b"app"]]}
    return cbor.encode({1: 1, 2: 1, 3: Wrap(common), 20: Wrap(install)})


def describe(install: object, **more: object) -> list[words.Line]:
    data = build(manifest(install))
    found = words.describe(Envelope(data))
    check_lines(data, found)
    return found


@pytest.mark.parametrize(
    ("install", "text"),
    [
        ([-7, b"\1"], "custom command -7 with h'01'"),
        ([99, 0], "unknown command 99 with 0"),
        ([33, 2], "unlink of app [record failure]"),
        ([28, 15], "check: version of app [record both, system information on both]"),
        ([20, {-3: "x"}], 'parameter -3: "x"'),
        ([20, {999: {1: 2}}], "parameter 999: {1: 2}"),
        ([20, {1: cbor.Tag(112, b"\x81\x01")}], "vendor-identifier: private enterprise number 129"),
        ([20, 7], "command 1: cannot be read at byte 66: the argument is an unsigned integer"),
        ([12, True], "for every component:"),
        ([12, 5], "for component 5:"),
        ([12, []], "for each of nothing:"),
        ([21, 2], "fetch app from a URI that is not set [record failure]"),
        ([22, 0], "copy a source that is not set to app"),
        ([3, 0], "check that app has a digest that is not set"),
        ([14, 256], "fail here [unknown bits 0x100]"),
        ([20, {18: b"hello"}, 18, 0], "write 'hello' (5 bytes) to app"),
        ([15, [Wrap([14, 0]), None]], "try each of 1 ways until one succeeds; go on if none does"),
        ([15, [b"\xff", None]], "way 1: cannot be read at byte"),
        ([32, Wrap([14, 0])], "run 1 command as a sequence of their own"),
        ([20, {21: "http://a/\x1b[31m\u202e"}], r"uri: http://a/\x1b[31m\u202e"),
        (["x", 0], "install: cannot be read at byte"),
        ([1], "install: cannot be read at byte"),
    ],
)
def test_odd_commands_have_words(install: object, text: str) -> None:
    texts = [line.text for line in describe(install)]
    assert any(text in one for one in texts), texts


def test_many_ways_stay_bounded() -> None:
    """Twenty choices in a row are a million ways; a few are followed, and it says so."""
    choice = [Wrap([20, {5: 0}, 5, 0]), Wrap([20, {5: 1}, 6, 0]), Wrap([20, {5: 2}, 6, 0])]
    data = build(manifest([word for _ in range(20) for word in (15, choice)]))
    parsed = Envelope(data)
    found = words.Words(parsed)
    assert not found.trace.is_complete
    assert len(found.trace.visits) <= 20_000
    check_lines(data, words.lines(found.root))
    assert "incomplete" in str(words.summary(parsed))
