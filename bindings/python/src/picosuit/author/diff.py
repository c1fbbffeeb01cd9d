# SPDX-License-Identifier: MIT
"""What differs between two envelopes, by meaning.

Commands are compared wherever their section stands, components by name and not by number,
encrypted payloads by what comes out of them. What an author cannot mean, because it is random or
follows from the rest (signatures, initial vectors, wrapped keys, ciphertexts), makes no
difference; it is told as a note.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from . import names
from .cbor import ARRAY, BYTES, MAP, TEXT, Item
from .envelope import Command, Envelope, commands, digest_of
from .phrases import (
    Write,
    algorithm,
    bytes_text,
    diagnostic,
    encryption,
    identifier,
    joined,
    safe,
    size,
)
from .problem import Problem
from .words import Words, is_severable, severed_state

ENTRIES_MAX = 3000  # of one section, beyond their common beginning and end, that are matched up


@dataclass(frozen=True)
class Change:
    """area   what it belongs to: "install", "payloads"
    place  where in it, or ""
    a, b   the two sides in words; None: there is no such thing on that side
    """

    area: str
    place: str
    a: str | None
    b: str | None

    def swapped(self) -> Change:
        return replace(self, a=self.b, b=self.a)


@dataclass(frozen=True)
class Difference:
    """notes: what differs in bytes, but not in meaning."""

    changes: list[Change]
    notes: list[str]

    @property
    def is_same(self) -> bool:
        return not self.changes

    @property
    def data(self) -> dict[str, Any]:
        return {"same": self.is_same, "changes": [vars(change) for change in self.changes],
                "notes": self.notes}  # fmt: skip


def diff(a: Envelope, b: Envelope) -> Difference:
    if a.data == b.data:
        return Difference([], [])
    sides = _Side(a, b), _Side(b, a)
    changes = [
        *_map("manifest", *(side.scalars() for side in sides)),
        *_components(*sides),
        *_map("for", *(side.whom() for side in sides)),
        *_map("stored", *(side.stored() for side in sides)),
        *_map("severable members", *(side.severed() for side in sides)),
    ]
    for section in (names.SHARED, 15, 16, 18, 20, 7, 8, 9, 24):
        area = "shared sequence" if section == names.SHARED else names.MEMBERS[section]
        changes += _sequence(area, *(side.entries(section) for side in sides))
    changes += _map("payloads", *(side.payloads() for side in sides))
    changes += _map("text", *(side.texts() for side in sides))
    changes += _counted("signatures", *(side.signers() for side in sides))
    return Difference(changes, _notes(a, b, sides, bool(changes)))


def _notes(a: Envelope, b: Envelope, sides: tuple[_Side, _Side], differs: bool) -> list[str]:
    found = []
    if a.manifest_bstr.content == b.manifest_bstr.content:
        blocks = [[item.encoded for item in e.blocks] for e in (a, b)]
        if blocks[0] != blocks[1]:
            found.append("the manifest is the same, byte for byte; the signatures are not")
    elif not differs:
        found.append("the manifests differ in bytes, not in meaning: another digest is signed")
    ciphers = [{key: digest_of(e.payloads[key].content) for key in side.ciphertexts}
               for e, side in zip((a, b), sides)]  # fmt: skip
    again = [key for key in ciphers[0] if ciphers[0][key] != ciphers[1].get(key, ciphers[0][key])]
    if again:
        found.append(f"encrypted again: {joined((safe(key) for key in again), 'and')}")
    if not differs and not found:
        found.append("the bytes differ, the meaning does not")
    return found


# -- One side ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """key decides what is the same; text is shown, place says where it stands."""

    key: Hashable
    place: str
    text: str


class _Side:
    """whole  the envelope with members that only the other one still has: what was taken out
    is the same if its digest is"""

    def __init__(self, envelope: Envelope, other: Envelope) -> None:
        self.envelope = envelope
        self.whole = _completed(envelope, other)
        self.words = Words(self.whole)
        self.words.known = {}  # names of UUIDs come from texts, which are compared themselves
        self.writes = [(write, procedure) for procedure in ("update", "invoke")
                       for write in self.words.writes(procedure)
                       if not write.is_transit]  # fmt: skip

    @property
    def ciphertexts(self) -> set[str]:
        """Keys of integrated payloads that are decrypted on their way."""
        return {w.uri for w, _ in self.writes
                if w.encryption and w.uri in self.envelope.payloads}  # fmt: skip

    def scalars(self) -> dict[str, str]:
        envelope = self.envelope
        found = {"sequence number": f"{envelope.sequence:,}"}
        for number, name in ((4, "reference URI"), (5, "component of the manifest"),
                             (6, "version that is set")):  # fmt: skip
            item = envelope.manifest.get(number)
            if item is not None:
                text = item.text
                found[name] = _exact(item) if text is None else _exact_text(text)
        dependencies = envelope.common.get(1)
        if dependencies is not None:
            found["dependencies"] = _exact(dependencies)
        if envelope.signed_digest[0] != names.SHA256:
            found["digest"] = f"{algorithm(envelope.signed_digest[0])}, not checked"
        elif not envelope.is_digest_right:
            found["digest"] = "WRONG: the wrapper has that of another manifest"
        return found

    def whom(self) -> dict[str, str]:
        conditions = {"vendor": names.VENDOR_CHECK, "class": names.CLASS_CHECK,
                      "device": names.DEVICE_CHECK}  # fmt: skip
        found = {what: self.words.identities(number) for what, number in conditions.items()}
        return {what: joined(sorted(ids)) for what, ids in found.items() if ids}

    def stored(self) -> dict[str, str]:
        """What is written or loaded: for each component and choice, size, digest and source."""
        found: dict[str, list[str]] = {}
        for write, procedure in self.writes:
            place = write.component if procedure == "update" else f"{write.component}, loaded"
            if write.when:
                place += f", where {joined(write.when)}"
            found.setdefault(place, []).append(_stored_text(write))
        return {place: "; ".join(texts) for place, texts in found.items()}

    def severed(self) -> dict[str, str]:
        """How severable members stand: in words without their digests."""
        found = {}
        for key in names.SEVERABLE:
            if is_severable(self.envelope, key):
                found[names.MEMBERS[key]] = severed_state(self.envelope, key)[1]
            elif self.envelope.manifest.get(key) is not None:
                found[names.MEMBERS[key]] = "in the manifest"
        return found

    def payloads(self) -> dict[str, str]:
        """A ciphertext only counts by its length: it is another one each time."""
        return {_exact_text(key): f"{size(item.value)}, encrypted" if key in self.ciphertexts
                else f"{size(item.value)}, SHA-256 {digest_of(item.content).hex()}"
                for key, item in self.envelope.payloads.items()}  # fmt: skip

    def _member(self, key: int) -> Item | None:
        """A member in place, or severed and still there."""
        item = self.whole.manifest.get(key)
        return self.whole.members.get(key) if item is None or item.major == ARRAY else item

    def texts(self) -> dict[str, str]:
        """Texts for people by language, component and kind; and the software identifier."""
        found = {}
        coswid, item = self._member(14), self._member(23)
        if coswid is not None:
            found["coswid"] = f"SHA-256 {digest_of(coswid.content).hex()}"
        if item is None:
            return found
        try:
            languages = item.inner().want(MAP, "text").pairs
        except Problem:
            return {**found, "text": f"SHA-256 {digest_of(item.content).hex()}"}
        for language, entries in languages:
            for key, value in entries.pairs:
                for place, text in _text_of(key, value):
                    found[f"{diagnostic(language)[1:-1]}, {place}"] = text
        return found

    def signers(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for item in self.envelope.blocks:
            kind = names.name_of(names.COSE_TAGS, item.value)
            try:
                block = self.envelope.block(item)
            except Problem:
                found[kind] += 1
            else:
                by = "" if block.kid is None else f" by {bytes_text(block.kid)}"
                found[f"{kind}, {algorithm(block.alg)}{by}"] += 1
        return found

    # -- commands --------------------------------------------------------------------------

    def entries(self, section: int) -> list[_Entry]:
        item = self.whole.common.get(4) if section == names.SHARED else self._member(section)
        if item is None:
            return []
        try:
            return list(self._flat(item.want(BYTES, "the section").inner(), ""))
        except Problem as e:
            return [_bad(item, "", e)]

    def _flat(self, sequence: Item, where: str) -> Iterator[_Entry]:
        """Lines of a sequence, those of inner ones after the line that holds them."""
        depth = where.count(",")
        for n, command in enumerate(commands(sequence), 1):
            place = f"{where}command {n}"
            argument, number = command.argument, command.number
            if number in (names.SET, names.OVERRIDE) and argument.major == MAP:
                yield _Entry((depth, number), place, command.name)
                for key, value in argument.pairs:
                    yield self._parameter(depth, place, key, value)
            elif number == names.TRY_EACH and argument.major == ARRAY:
                yield _Entry((depth, number), place, self.words.act(command))
                for k, choice in enumerate(argument.children, 1):
                    yield from self._inner(choice, f"{place}, way {k}", depth)
            elif number == names.RUN:
                yield _Entry((depth, number), place, "run a sequence")
                yield from self._inner(argument, place, depth)
            else:
                yield _Entry((depth, number, self._meant(command)), place, self._text(command))

    def _inner(self, item: Item, place: str, depth: int) -> Iterator[_Entry]:
        if item.is_null:
            yield _Entry((depth, "nil"), place, "go on if none succeeds")
            return
        yield _Entry((depth, "way"), place, "a way")
        try:
            yield from self._flat(item.want(BYTES, "a sequence").inner(), f"{place}, ")
        except Problem as e:
            yield _bad(item, place, e)

    def _meant(self, command: Command) -> Hashable:
        """Argument, with components by name."""
        if command.number == names.SET_INDEX:
            return self.words.act(command)
        return command.argument.encoded

    def _text(self, command: Command) -> str:
        try:
            return self.words.sentence(command)
        except Problem as e:
            return f"{command.name}: {safe(e.what)}"

    def _parameter(self, depth: int, place: str, key: Item, value: Item) -> _Entry:
        number = key.number
        label = names.name_of(names.PARAMETERS, number) if number is not None else diagnostic(key)
        meant: Hashable = value.encoded
        try:
            text = self.words.parameter(number, value)
            if number == names.P_ENCRYPTION:
                found = encryption(value)
                meant = found
            elif number == names.P_SOURCE:
                meant = text
            elif number == names.P_URI and value.major == TEXT:
                text = _exact_text(str(value.text))
        except Problem as e:
            text = safe(e.what)
        return _Entry((depth, key.encoded, meant), place, f"{label}: {text}")


def _completed(envelope: Envelope, other: Envelope) -> Envelope:
    members = {key: item.content for key, item in envelope.members.items()}
    for key, item in other.members.items():
        try:
            is_the_same = envelope.severed(key) is not None and (
                envelope.severed(key) == other.severed(key))  # fmt: skip
        except Problem:
            continue
        if is_the_same and key not in members and severed_state(other, key)[0]:
            members[key] = item.content
    if len(members) == len(envelope.members):
        return envelope
    return Envelope(envelope.rebuilt(members=members), envelope.file)


def _bad(item: Item, place: str, problem: Problem) -> _Entry:
    return _Entry(item.encoded, place, f"cannot be read: {safe(problem.what)}")


def _stored_text(write: Write) -> str:
    """Without the length of a ciphertext, which follows from that of the plaintext."""
    if write.encryption and write.uri is not None:
        write = replace(write, source=write.uri)
    return f"{replace(write, when=()).what.partition(': ')[2]}, {write.whence}"


def _text_of(key: Item, value: Item) -> Iterator[tuple[str, str]]:
    if key.major == ARRAY and value.major == MAP:
        parts = tuple(part.content for part in key.children)
        for inner, text in value.pairs:
            yield (f"{identifier(parts)}, {_name(names.TEXT_COMPONENT, inner)}", _shown(text))
    else:
        yield _name(names.TEXT_MANIFEST, key), _shown(value)


def _name(table: dict[int, str], key: Item) -> str:
    return diagnostic(key) if key.number is None else names.name_of(table, key.number)


def _shown(value: Item) -> str:
    return _exact(value) if value.text is None else _exact_text(value.text)


def _exact_text(text: str) -> str:
    """Printable, and two are the same only if the texts are."""
    shown = safe(text, 2000)
    return shown if shown == text else f"{shown} (SHA-256 {digest_of(text.encode()).hex()[:16]})"


def _exact(item: Item) -> str:
    shown = diagnostic(item)
    return f"{shown} (SHA-256 {digest_of(item.encoded).hex()[:16]})" if "..." in shown else shown


# -- Comparing -----------------------------------------------------------------------------------


def _map(area: str, a: Mapping[str, str], b: Mapping[str, str]) -> list[Change]:
    """By key: what is missing on one side, or has another value."""
    keys = [*a, *(key for key in b if key not in a)]
    return [Change(area, key, a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key)]


def _components(a: _Side, b: _Side) -> list[Change]:
    first, second = ([identifier(parts) for parts in side.envelope.components] for side in (a, b))
    found = _counted("components", Counter(first), Counter(second))
    if not found and first != second:
        found = [Change("components", "order", ", ".join(first), ", ".join(second))]
    return found


def _counted(area: str, a: Counter[str], b: Counter[str]) -> list[Change]:
    found = [Change(area, "", name, None) for name in (a - b).elements()]
    return found + [Change(area, "", None, name) for name in (b - a).elements()]


def _sequence(area: str, a: Sequence[_Entry], b: Sequence[_Entry]) -> list[Change]:
    """Lines that are only in one, and those that took another's place. The other way round it
    is the same: the matcher always gets the two in the same order."""
    first, second = [e.key for e in a], [e.key for e in b]
    if first == second:
        return []
    if repr(first) > repr(second):
        return [change.swapped() for change in _sequence(area, b, a)]
    start = 0
    while start < min(len(a), len(b)) and first[start] == second[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and first[-1 - end] == second[-1 - end]:
        end += 1
    a, b = a[start : len(a) - end], b[start : len(b) - end]
    if len(a) + len(b) > ENTRIES_MAX:
        return [Change(area, "", f"{len(a):,} lines", f"{len(b):,} other lines")]
    matcher = SequenceMatcher(None, [e.key for e in a], [e.key for e in b], autojunk=False)
    found = []
    for what, i, j, k, m in matcher.get_opcodes():
        if what != "equal":
            found += _replaced(area, a[i:j], b[k:m])
    return found


def _replaced(area: str, a: Sequence[_Entry], b: Sequence[_Entry]) -> list[Change]:
    """Pairs as far as they go; the rest was added or removed."""
    paired = min(len(a), len(b)) if len(a) == len(b) else 0
    found = [Change(area, one.place, one.text, other.text) for one, other in zip(a, b) if paired]
    found += [Change(area, one.place, one.text, None) for one in a[paired:]]
    return found + [Change(area, one.place, None, one.text) for one in b[paired:]]
