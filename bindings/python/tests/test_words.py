# SPDX-License-Identifier: MIT
"""Envelopes in words: every byte of every vector explained once, and the sentences right."""
from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from picosuit.author import cbor, ids, names, phrases, words
from picosuit.author.cbor import Wrap
from picosuit.author.envelope import Envelope, build, digest_of, digest_value
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
    said = words.at(parsed, match.start)
    assert said.startswith("install, command 3: check that the image in [h'00'] is SHA-256 ")
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
    every = words.Words(envelope(DEMO)).writes()
    writes = [write for write in every if not write.is_transit]
    assert [(w.component, w.uri) for w in every if w.is_transit] == [("t", "#a"), ("t", "#b")]
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


def test_components_with_values_of_their_own_are_told_apart() -> None:
    install = [12, 0, 20, {21: "#a"}, 12, 1, 20, {21: "#b"}, 12, True, 21, 0, 20, {5: 1}, 5, 0]
    data = build(manifest(install, components=[[b"app"], [b"radio"]]))
    texts = [line.text for line in words.describe(Envelope(data))]
    assert "fetch app from #a and radio from #b" in texts
    assert "check that the slot of app and radio is 1" in texts


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
        ([3, 0], "check that the image in app is a digest that is not set"),
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


@pytest.mark.parametrize(
    "commands",
    [
        [20, dict.fromkeys(range(1, 2000), 1)],  # many parameters
        [22, 0, 12, 1, 22, 0, 12, 0],  # data going in circles
        [15, [Wrap([20, {2: bytes(16)}, 2, 0]), Wrap([14, 0])]],  # choices
        [20, {5: 1}, 5, 0, 20, {2: b"x" * 16}, 2, 0],
        [15, [Wrap([32, Wrap([15, [Wrap([3, 0]), None]])]), Wrap([31, 0])]],
    ],
)
def test_hostile_sequences_stay_cheap(commands: list[Any]) -> None:
    """Each for 64 components, and as often as 200 kB allow."""
    components = [[bytes([n])] for n in range(64)]
    start = [12, True, 20, {21: "#a", 22: 1, 3: b"", 14: 1}, 21, 0]
    repeats = min(2000, 200_000 // len(cbor.encode(commands)))
    data = build(manifest(start + commands * repeats, components=components))
    began = time.process_time()
    words.summary(Envelope(data))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("install", "more", "is_complete"),
    [
        ([14, 0], {}, True),
        ([29, 0, 28, 0, 23, 0], {}, True),
        ([-9, 0], {}, False),
        ([34, {0: {21: "#a"}}, 21, 0], {}, False),
        ([14, 0], {15: Wrap([14, 0])}, False),
        ([20, {99: 1}, 14, 0], {}, False),
        ([20, {-1: 1}, 14, 0], {}, False),
        ([12, [0] * 65, 14, 0], {}, False),
        ([12, [0, -1], 14, 0], {}, False),
        ([12, None, 14, 0], {}, False),
        ([12, True, 14, 0], {}, True),
    ],
)
def test_what_is_not_known_makes_a_summary_incomplete(
    install: Any, more: dict[int, Any], is_complete: bool
) -> None:
    members = {1: 1, 2: 1, 3: Wrap({2: [[b"app"]]}), 20: Wrap(install), **more}
    data = words.summary(Envelope(build(cbor.encode(members)))).data
    assert data["complete"] is is_complete


def test_accepted_vectors_are_complete() -> None:
    """But for sections that were taken out."""
    for path in sorted((VECTORS / "suit").glob("*.suit")):
        data = words.summary(envelope(path)).data
        is_gone = any(row["is_right"] is None and row["member"] in ("install", "payload-fetch")
                      for row in data["severed"])  # fmt: skip
        assert data["complete"] is not is_gone, path.name


# What the device of vectors/README.md has, by the names that the words give.
HANDLES = {"[h'00']": 0, "[h'01']": 1, "[h'02']": 2, "stage": 3, "trusted": 5, "keys": 6,
           "denied": 7, "[]": 9, "[h'']": 11, "ab/c": 12, "a/bc": 13,
           **{f"[h'{n:02x}']": n for n in range(32, 64)}}  # fmt: skip


def records() -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for line in (VECTORS / "suit/index.txt").read_text().splitlines():
        key, is_pair, value = line.partition(" = ")
        if is_pair and not line.startswith("#"):
            found[-1][key] = value
        elif found[-1]:
            found.append({})
    return [record for record in found if record]


def test_summary_says_what_the_core_does() -> None:
    """Against the results that the C core must have: components written, and with which digest."""
    said = 0
    for record in records():
        if record["expect"] != "ok" or "update" not in record["procedure"]:
            continue
        parsed = envelope(VECTORS / record["file"])
        slot = f"the slot of [h'00'] is {record.get('slot', '0')}"
        writes: dict[int, set[str | None]] = {}
        for write in words.Words(parsed).writes():
            if write.component in HANDLES and (not write.when or slot in write.when):
                writes.setdefault(HANDLES[write.component], set()).add(write.digest)
        for key, digest in record.items():
            number = int(key.partition(".")[2]) if key.startswith("component.") else -1
            digests = writes.get(number, set())
            if digest == "-":
                assert not digests, record["name"]
            elif number >= 0 and digests - {None} and record.get("writes") != "0":
                wanted = f"SHA-256 {digest}"
                assert wanted in digests or is_staged(parsed, number), record["name"]
                said += wanted in digests
    assert said > 150


def is_staged(parsed: Envelope, number: int) -> bool:
    """A ciphertext, or what was only tried before: its digest is said of something else."""
    return any(w.is_transit and HANDLES.get(w.component) == number
               for w in words.Words(parsed).writes())  # fmt: skip


def test_the_digest_that_is_checked_is_the_one_shown() -> None:
    """Whoever signs must not be shown a digest that is replaced before the check."""
    one, other = ([names.SHA256, bytes([n]) * 32] for n in (1, 2))
    install = [20, {3: Wrap(one), 14: 10, 21: "#a"}, 21, 0, 20, {3: Wrap(other), 14: 20}, 3, 0]
    write, = words.Words(Envelope(build(manifest(install)))).writes()
    assert (write.digest, write.size, write.is_checked) == (f"SHA-256 {'02' * 32}", 20, True)
    write, = words.Words(Envelope(build(manifest(install[:-2])))).writes()
    assert not write.is_checked and "never checked" in write.what
    # A check whose failure is caught is none.
    install = [*install[:-2], 15, [Wrap([3, 0]), None]]
    write, = words.Words(Envelope(build(manifest(install)))).writes()
    assert not write.is_checked


def written(install: list[Any], payloads: dict[str, bytes] | None = None) -> phrases.Write:
    parsed = Envelope(build(manifest(install), payloads=payloads))
    summary = words.summary(parsed)
    write, = words.Words(parsed, peeks=False).writes()
    assert ("writes", write.what) in summary.rows
    return write


def test_all_digests_that_may_pass_are_shown() -> None:
    """Another payload under the same name takes another way; nobody signs the payloads."""
    good, evil = digest_value(b"good"), [names.SHA256, b"\2" * 32]
    install = [20, {3: Wrap(good), 14: 4, 21: "#a"}, 21, 0,
               15, [Wrap([20, {3: Wrap(good)}, 3, 0]), Wrap([20, {3: Wrap(evil)}, 3, 0])]]
    for payloads in ({}, {"#a": b"good"}):
        write = written(install, payloads)
        assert write.is_checked
        assert write.digest == f"SHA-256 {digest_of(b'good').hex()} or SHA-256 {'02' * 32}"


def test_a_check_that_a_way_leaves_out_is_none() -> None:
    either = [15, [Wrap([20, {5: 0}, 5, 0]), Wrap([20, {5: 1}, 5, 0, 3, 0])]]
    write = written([20, {3: Wrap(digest_value(b"good")), 14: 4, 21: "#a"}, 21, 0, *either])
    assert not write.is_checked and "not always checked" in write.what


def test_identity_that_a_way_leaves_out_is_said() -> None:
    install = [20, {1: b"v" * 16, 2: b"c" * 16}, 1, 0, 15, [Wrap([2, 0]), None]]
    data = words.summary(Envelope(build(manifest(install)))).data
    vendor, klass = str(uuid.UUID(bytes=b"v" * 16)), str(uuid.UUID(bytes=b"c" * 16))
    assert data["for"] == {"vendor": [vendor], "class": [klass, "any other"], "device": []}


def test_all_classes_are_named() -> None:
    classes = [bytes([n]) * 16 for n in range(7)]
    choice = [15, [Wrap([20, {2: one}, 2, 0]) for one in classes]]
    rows = words.summary(Envelope(build(manifest([20, {1: b"v" * 16}, 1, 0, *choice])))).rows
    named = " ".join(text for heading, text in rows if heading == "for")
    assert all(str(uuid.UUID(bytes=one)) in named for one in classes)


def test_arguments_of_what_is_started_are_shown() -> None:
    parsed = Envelope(build(manifest([20, {23: b"insecure"}, 23, 0])))
    assert words.Words(parsed).starts() == ["app with arguments 'insecure' (8 bytes)"]


def test_a_name_cannot_look_like_two() -> None:
    assert ids.component_text((b"a', 'b",)) != ids.component_text((b"a", b"b"))
    assert "', '" not in phrases.bytes_text(b"dev-1', 'dev-2")


def test_whose_signature_it_is_only_the_signer_can_claim() -> None:
    """What is signed comes before what is not, and nothing of it has been verified."""
    block = cbor.Tag(18, [cbor.encode({1: -19, 4: b"root"}), {4: b"other"}, None, bytes(64)])
    summary = words.summary(Envelope(build(manifest([14, 0]), [cbor.encode(block)])))
    assert ("signed", "Ed25519, claims to be by 'root'") in summary.rows


def test_swap_writes_both() -> None:
    writes = words.Words(envelope(VECTORS / "suit/swap.suit")).writes()
    assert [(w.component, w.via) for w in writes] == [
        ("[h'00']", ("[h'01']",)), ("[h'01']", ("[h'00']",)),
    ]  # fmt: skip
