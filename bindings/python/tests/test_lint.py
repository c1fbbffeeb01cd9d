# SPDX-License-Identifier: MIT
"""Each lint: an envelope that has this finding and no other, and one beside it that has none."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from picosuit.author import cbor, describe, envelope, keys, lint, names, profile
from picosuit.author.cbor import Tag, Wrap
from picosuit.author.lint import Capabilities, Previous, Subject
from picosuit.author.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
DEVICE = profile.load(ROOT / "bench/m0/device.toml")
SIGNER = keys.generate(names.ED25519)
VENDOR, CLASS = DEVICE.vendors[0], DEVICE.classes[0]
IMAGE = bytes(range(200))
INDEX, SET, OVERRIDE = names.SET_INDEX, names.SET, names.OVERRIDE
CHECKS = [1, 2, 2, 2]  # vendor, class; record-failure
FETCH, MATCH, COPY, INVOKE = [21, 2], [3, 2], [22, 2], [23, 2]


INSTALL = [OVERRIDE, {21: "#a"}, *FETCH]


def digest(data: bytes = IMAGE) -> dict[int, Any]:
    return {3: Wrap(envelope.digest_value(data)), 14: len(data)}


def info(count: int = 1, kid: bytes | None = b"device-1") -> Wrap:
    """encryption-info for so many recipients."""
    named: dict[int, Any] = {} if kid is None else {4: kid}
    one = [Wrap({1: names.ECDH_ES_A128KW}), named | {-1: {1: 1, -1: 4, -2: bytes(32)}}, bytes(24)]
    return Wrap(Tag(96, [Wrap({1: 24}), {5: bytes(12)}, None, [one] * count]))


@dataclass
class Update:
    """An update of one image; without a change it has no findings."""

    shared: list[Any] = field(default_factory=lambda: [
        OVERRIDE, {1: VENDOR, 2: CLASS} | digest(), *CHECKS])  # fmt: skip
    install: list[Any] | None = field(default_factory=lambda: [*INSTALL])
    validate: list[Any] | None = field(default_factory=lambda: [*MATCH])
    invoke: list[Any] | None = field(default_factory=lambda: [*INVOKE])
    components: list[tuple[bytes, ...]] = field(default_factory=lambda: [(b"\0",)])
    sequence: int = 2
    members: dict[int, Any] = field(default_factory=dict)  # of the manifest, and more of them
    severed: dict[int, bytes] = field(default_factory=dict)
    payloads: dict[str, bytes] = field(default_factory=lambda: {"#a": IMAGE})
    kid: bytes | None = b"root"
    is_signed: bool = True

    def build(self) -> bytes:
        sections = {7: self.validate, 9: self.invoke, 20: self.install}
        manifest: dict[int, Any] = {
            1: 1, 2: self.sequence, 3: Wrap({2: self.components, 4: Wrap(self.shared)})}
        manifest |= {key: Wrap(value) for key, value in sections.items() if value is not None}
        manifest |= self.members
        encoded = cbor.encode(manifest)
        return envelope.build(encoded, [self.block(encoded)] if self.is_signed else [],
                              self.severed, self.payloads)  # fmt: skip

    def block(self, manifest: bytes) -> bytes:
        header: dict[int, Any] = {1: names.ED25519}
        protected = cbor.encode(header | ({} if self.kid is None else {4: self.kid}))
        signed = cbor.encode(envelope.digest_value(cbor.encode(manifest)))
        signature = SIGNER.sign(envelope.to_sign(protected, signed))
        return cbor.encode(Tag(18, [protected, {}, None, signature]))


def subject(update: Update, **more: Any) -> Subject:
    return Subject(envelope.Envelope(update.build()), **({"profile": DEVICE} | more))


def found(update: Update, **more: Any) -> list[lint.Finding]:
    return lint.lint(subject(update, **more))


def uri(text: str) -> Update:
    return Update(install=[OVERRIDE, {21: text}, *FETCH], payloads={})


def two(order: str) -> Update:
    """Two components; their payloads are fetched in this order."""
    install = []
    for n in map(int, order):
        install += [INDEX, n, OVERRIDE, {21: f"#{n}"} | digest(bytes([n])), *FETCH]
    shared = [INDEX, True, OVERRIDE, {1: VENDOR, 2: CLASS}, *CHECKS]
    return Update(shared, install, [INDEX, True, *MATCH], None, [(b"\0",), (b"keys",)],
                  payloads={"#0": b"\0", "#1": b"\1"})  # fmt: skip


def via(copies: list[Any], encryption: Any = None) -> Update:
    """Through the transient component ['t']."""
    to = {22: 1} | ({} if encryption is None else {19: encryption})
    install = [INDEX, 1, OVERRIDE, {21: "#a"}, *FETCH, INDEX, 0, OVERRIDE, to, *copies]
    return Update([INDEX, 0, *Update().shared], install, [INDEX, 0, *MATCH], None,
                  [(b"\0",), (b"t",)])  # fmt: skip


def recipients(count: int, kid: bytes | None = b"device-1") -> Update:
    return via(COPY, info(count, kid))


def without(check: int) -> Update:
    """Vendor (1) or class (2) is not checked in the shared sequence."""
    shared = Update().shared
    at = shared.index(check, 2)
    return Update(shared[:at] + shared[at + 2 :])


def long(count: int) -> Update:
    install = [OVERRIDE, {21: "coap://u.example/".ljust(250, "x")}] * count
    return Update(install=[*install, *INSTALL])


TWO_KEYS = replace(DEVICE, anchors=DEVICE.anchors * 2)
NO_SLOTS = replace(DEVICE, features=DEVICE.features - {"SLOTS"})
BY_SLOT = [15, [Wrap([OVERRIDE, {5: 0}, 5, 0]), Wrap([OVERRIDE, {5: 1}, 5, 0])]]
Change = Callable[[], Update]
ONLY: dict[str, tuple[Change, dict[str, Any], Change, dict[str, Any]]] = {
    "unsigned": (lambda: Update(is_signed=False), {}, Update, {}),
    "kid-missing": (lambda: Update(kid=None), {"profile": TWO_KEYS},
                    lambda: Update(kid=None), {}),
    "vendor-check-missing": (lambda: without(1), {}, Update, {}),
    "class-check-missing": (lambda: without(2), {}, Update, {}),
    "check-not-shared": (lambda: replace(without(2), install=[2, 2, *INSTALL]), {},
                         lambda: Update(install=[2, 2, *INSTALL]), {}),
    "digest-in-set": (lambda: Update([SET, {1: VENDOR, 2: CLASS} | digest(), *CHECKS]), {},
                      lambda: Update([SET, {1: VENDOR, 2: CLASS}, OVERRIDE, digest(), *CHECKS]),
                      {}),
    "digest-without-size": (
        lambda: Update([OVERRIDE, {1: VENDOR, 2: CLASS, 3: digest()[3]}, *CHECKS]), {},
        lambda: Update([OVERRIDE, {1: VENDOR, 2: CLASS, 14: 200}, *CHECKS],
                       [OVERRIDE, {3: digest()[3]}, *INSTALL]), {}),
    "size-unknown": (
        lambda: Update([OVERRIDE, {1: VENDOR, 2: CLASS}, *CHECKS],
                       [OVERRIDE, {21: "coap://u.example/a"}, *FETCH, OVERRIDE, digest()],
                       payloads={}), {},
        lambda: uri("coap://u.example/a"), {}),
    "payload-order": (lambda: two("10"), {}, lambda: two("01"), {}),
    "payload-unused": (lambda: Update(payloads={"#a": IMAGE, "#b": b"1"}), {}, Update, {}),
    "payload-too-large": (
        lambda: Update([OVERRIDE, {1: VENDOR, 2: CLASS} | digest() | {14: 106_497}, *CHECKS]), {},
        lambda: Update([OVERRIDE, {1: VENDOR, 2: CLASS} | digest() | {14: 106_496}, *CHECKS]), {}),
    "sequence-last": (lambda: Update(sequence=2**64 - 1), {},
                      lambda: Update(sequence=2**64 - 2), {}),
    "sequence-old": (lambda: Update(sequence=5), {"previous": Previous(5, "x")},
                     lambda: Update(sequence=5), {"previous": Previous(4, "x")}),
    "sequence-jump": (
        lambda: Update(sequence=lint.STEP + 2), {"previous": Previous(1, "x")},
        lambda: Update(sequence=lint.STEP + 1), {"previous": Previous(1, "x")}),
    "image-not-matched": (lambda: Update(validate=None, invoke=None), {},
                          lambda: Update(invoke=None), {}),
    "image-not-validated": (
        lambda: Update(install=[*INSTALL, *MATCH], validate=None, invoke=None), {},
        lambda: Update(install=[*INSTALL, *MATCH], invoke=None), {}),
    "invoke-not-matched": (
        lambda: Update(validate=None, install=None, payloads={}), {},
        lambda: Update(install=None, payloads={}), {}),
    "transient-not-copied": (lambda: via([]), {}, lambda: via(COPY), {}),
    "encryption-unused": (
        lambda: Update(install=[OVERRIDE, {19: info(), 21: "#a"}, *FETCH]), {},
        lambda: via(COPY, info()), {}),
    "text-in-place": (lambda: Update(members={23: Wrap({"en": {1: "v2"}})}), {},
                      lambda: Update(members={23: envelope.digest_value(bytes(60))},
                                     severed={23: bytes(58)}), {}),
    "severed-small": (lambda: Update(members={23: envelope.digest_value(b"\x41\1")},
                                     severed={23: b"\1"}), {},
                      lambda: Update(members={23: envelope.digest_value(bytes(60))}), {}),
    "uri-credentials": (lambda: uri("http://me:secret@u.example/a"), {},
                        lambda: uri("http://u.example/me:secret/a"), {}),
    "uri-odd": (lambda: uri("http://u.example/a b"), {}, lambda: uri("http://u.example/a%20b"), {}),
    "failure-silent": (lambda: Update(install=[OVERRIDE, {21: "#a"}, 21, 1]), {},
                       lambda: Update(install=[OVERRIDE, {21: "#a"}, 21, 15]), {}),
    "too-many-recipients": (lambda: recipients(4), {"need": 900},
                            lambda: recipients(4), {"need": 832}),
    "envelope-too-large": (lambda: long(4), {}, lambda: long(1), {}),
    "stack-too-small": (Update, {"profile": replace(DEVICE, stack=2095)},
                        Update, {"profile": replace(DEVICE, stack=2096)}),
    "unsupported": (
        lambda: Update(install=[*BY_SLOT, *INSTALL]), {"profile": NO_SLOTS},
        lambda: Update(install=[*BY_SLOT, *INSTALL]), {}),
    "not-followed": (lambda: Update(members={20: envelope.digest_value(b"\1")}), {}, Update, {}),
}  # fmt: skip


def test_what_a_way_leaves_out_is_found() -> None:
    """The core looks only whether the checks are there; a try-each may go past them."""
    either = [15, [Wrap([1, 15, 2, 15]), None]]
    shared = [OVERRIDE, {1: VENDOR, 2: CLASS} | digest(), *either]
    assert {f.name for f in found(Update(shared))} == {
        "vendor-check-missing", "class-check-missing"}  # fmt: skip
    either = [15, [Wrap([OVERRIDE, {5: 0}, 5, 0]), Wrap([OVERRIDE, {5: 1}, 5, 0, *MATCH])]]
    names_ = {f.name for f in found(Update(validate=either, invoke=[23, 2]))}
    assert names_ == {"image-not-matched", "invoke-not-matched"}
    names_ = {f.name for f in found(Update(validate=[15, [Wrap(MATCH), None]], invoke=[23, 2]))}
    assert names_ == {"image-not-matched", "invoke-not-matched"}


def test_each_lint_has_a_case() -> None:
    assert set(ONLY) == set(lint.LINTS)


@pytest.mark.parametrize("name", ONLY)
def test_finding(name: str) -> None:
    bad, bad_facts, good, good_facts = ONLY[name]
    findings = found(bad(), **bad_facts)
    assert {f.name for f in findings} == {name}
    assert all(f.severity == lint.LINTS[name][0] for f in findings)
    length = len(bad().build())
    assert all(0 <= (f.offset or 0) < length for f in findings)
    assert name == "stack-too-small" or all(f.offset for f in findings)
    assert not found(good(), **good_facts)


def test_an_update_without_a_flaw_has_no_findings() -> None:
    assert not found(Update())
    assert not found(Update(), profile=None)


def test_recipients_without_kid() -> None:
    assert {f.name for f in found(recipients(2, None))} == {"kid-missing"}
    assert not found(recipients(1, None))


@pytest.mark.parametrize("text", ["file:///a", "http://localhost/a", "http://127.0.0.1/a", "a.bin",
                                  "#b", "http://[::1/a", "http://u.example/\u00e4"])  # fmt: skip
def test_odd_uris(text: str) -> None:
    assert [f.name for f in found(uri(text))] == ["uri-odd"]


def test_credentials_are_not_repeated() -> None:
    finding, = found(uri("http://me:secret@u.example/a"))
    assert "secret" not in finding.what and "u.example" in finding.what


def test_offsets_are_those_of_what_is_wrong() -> None:
    update = Update(install=[OVERRIDE, {21: "#a"}, 21, 1])
    finding, = found(update)
    parsed = envelope.Envelope(update.build())
    section = parsed.section(20)
    assert section is not None and finding.offset == section.children[2].start
    last = Update(sequence=2**64 - 1)
    finding, = found(last)
    assert finding.offset is not None
    assert last.build()[finding.offset :].startswith(b"\x1b" + b"\xff" * 8)


def test_whoever_may_update_any_device_needs_no_checks() -> None:
    anchor = replace(DEVICE.anchors[0], rights=27)
    assert not found(without(1), profile=replace(DEVICE, anchors=(anchor,)))


def test_images_of_slots_are_told_apart() -> None:
    """The payload of slot 1 stands behind that of slot 0, but no device wants both."""
    def choice(n: int, commands: list[Any]) -> Wrap:
        return Wrap([OVERRIDE, {5: n}, 5, 0, *commands])

    images = [bytes([n]) * 300 for n in (0, 1)]
    own = [choice(n, [OVERRIDE, digest(image)]) for n, image in enumerate(images)]
    shared = [OVERRIDE, {1: VENDOR, 2: CLASS}, *CHECKS, 15, own]
    install = [15, [choice(n, [OVERRIDE, {21: f"#{1 - n}"}]) for n in (0, 1)], *FETCH]
    update = Update(shared, install, payloads={"#0": images[1], "#1": images[0]})
    assert not found(update)


def test_staging_area_needs_no_match_of_its_own() -> None:
    stage = (b"stage",)
    about = replace(DEVICE, components=(*DEVICE.components, profile.Component(stage, 0, 8192)))
    update = via(COPY)
    assert not found(replace(update, components=[(b"\0",), stage]), profile=about)
    names_found = [f.name for f in found(replace(via([]), components=[(b"\0",), stage]),
                                         profile=about)]  # fmt: skip
    assert "image-not-matched" in names_found


def test_what_takes_too_long_is_said() -> None:
    choices = [Wrap([OVERRIDE, {5: n}, 5, 0]) for n in range(40)]
    update = Update(install=[15, choices] * 30 + INSTALL)
    assert "not-followed" in [f.name for f in found(update)]


# -- capabilities --------------------------------------------------------------------------------

FULL = Capabilities("caps.cbor", frozenset(range(64)), frozenset(range(64)),
                    frozenset({-16, -19, -29, -3, 24}))  # fmt: skip


@pytest.mark.parametrize(("caps", "what"), [
    (replace(FULL, commands=FULL.commands - {22}), "directive-copy is not in caps.cbor"),
    (replace(FULL, parameters=FULL.parameters - {19}), "parameter encryption-info is not in"),
    (replace(FULL, algorithms=FULL.algorithms - {-19}), "no signature has an algorithm"),
    (replace(FULL, algorithms=FULL.algorithms - {-29}), "encryption with algorithms"),
    (replace(FULL, algorithms=FULL.algorithms - {24}), "encryption with algorithms"),
])  # fmt: skip
def test_capabilities(caps: Capabilities, what: str) -> None:
    findings = found(via(COPY, info()), capabilities=caps)
    assert {f.name for f in findings} == {"unsupported"} and what in findings[0].what
    assert not found(via(COPY, info()), capabilities=FULL)


def test_capability_report_is_read() -> None:
    data = cbor.encode({1: [[True]], 2: [1, 2], 3: [3], 4: [-16]})
    assert lint.capabilities(data, "x") == Capabilities(
        "x", frozenset({1, 2}), frozenset({3}), frozenset({-16}))
    for bad in (b"", b"\x80", cbor.encode({1: [[True]]}), cbor.encode({2: 1, 3: [], 4: []})):
        with pytest.raises(Problem, match="x: "):
            lint.capabilities(bad, "x")


@pytest.mark.parametrize("switch", ["SEVERED", "INTEGRATED", "ENCRYPTION", "MAC", "SWAP"])
def test_switches_of_the_build(switch: str) -> None:
    about = replace(DEVICE, features=DEVICE.features - {switch})
    update = {
        "SEVERED": Update(members={23: envelope.digest_value(bytes(60))}, severed={23: bytes(58)}),
        "INTEGRATED": Update(), "ENCRYPTION": via(COPY, info()),
        "SWAP": via([31, 2]),
    }.get(switch)  # fmt: skip
    if update is None:  # COSE_Mac0
        data = bytearray(Update().build())
        at = data.index(b"\xd2\x84")  # tag 18, array of 4
        data[at] = 0xD1
        findings = lint.lint(Subject(envelope.Envelope(bytes(data)), about))
    else:
        findings = found(update, profile=about)
    told = [f for f in findings if f.name == "unsupported"]
    assert told and all(f"PICOSUIT_WITH_{switch}" in f.what for f in told)


def test_digest_is_that_of_the_bytes() -> None:
    """The helpers above make what they say: otherwise the cases would mean nothing."""
    parsed = envelope.Envelope(Update().build())
    assert parsed.is_digest_right
    assert hashlib.sha256(IMAGE).digest() in parsed.data


# -- the document ---------------------------------------------------------------------------------

DOC = (ROOT / "docs/author.md").read_text(encoding="utf-8")


def test_document_has_each_lint_with_its_severity() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (error|warning) \| (.+) \|$", DOC, re.MULTILINE)
    assert {name: (severity, meaning) for name, severity, meaning in rows} == lint.LINTS


@pytest.mark.parametrize("name", ["update.toml", "ab.toml", "again.toml"])
def test_what_create_writes_has_no_findings(name: str) -> None:
    text = re.search(rf"^```toml {name}\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
    assert text
    made = describe.create(text[1].encode(), name, read=lambda path: str(path).encode() * 100)
    assert {f.name for f in lint.lint(Subject(envelope.Envelope(made.envelope)))} == {"unsigned"}
