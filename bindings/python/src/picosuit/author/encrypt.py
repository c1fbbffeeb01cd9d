# SPDX-License-Identifier: MIT
"""Encrypts what an update fetches: for devices, and again for other devices.

A plain manifest fetches into a component. The encrypted one fetches into a component on the way
(`via`), transient on a device that decrypts as bytes arrive, and copies from there:

    override {uri}           ->  override {encryption-info, source-component: via}
                                 set-component-index via, override {uri}, and back
    fetch                    ->  set-component-index via, fetch, and back, copy

Commands move, nothing is guessed: at the end both manifests are followed on every way through
them, and must put the same images in the same places. A manifest that is encrypted already keeps
its commands and gets new encryption-infos.

Source: draft-ietf-suit-firmware-encryption 4 to 6; core/picosuit.c, sections 12 and 14.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import cbor, cose, ids, names
from .cbor import ARRAY, BYTES, MAP, SIMPLE, UINT, Item, Raw, Wrap
from .envelope import (
    Command,
    Envelope,
    all_commands,
    build,
    check_digests,
    commands,
    digest_of,
    digest_value,
    nested,
    read_digest,
)
from .keys import Key, kid_text
from .problem import Problem
from .trace import MOVES, Origin, Trace, Visit

VIA: ids.Identifier = (b"t",)
COMPONENTS_MAX = 32  # PICOSUIT_MAX_COMPONENTS
SEQUENCE_MAX = 2**64 - 2  # the number above could never be followed by another
COMPONENT_SIZE, FRAME_SIZE = 28, 14  # PICOSUIT_COMPONENT_SIZE, PICOSUIT_FRAME_SIZE
ELSEWHERE = (15, 18, 24)  # sequences of extensions that the core refuses


@dataclass(frozen=True)
class Plain:
    """The content of a file that may be a payload; `uri` if the user says which."""

    data: bytes = field(repr=False)
    file: str
    uri: str | None = None


@dataclass(frozen=True)
class Payload:
    uri: str
    plain: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    is_inside: bool  # in the envelope


@dataclass(frozen=True)
class Encrypted:
    """envelope    without signature
    payloads    by URI, in the order in which they are first fetched
    recipients  and the bytes that each adds to the manifest, all payloads together
    work        bytes of work buffer that a device needs, with one signature
    notes       what the author should know
    """

    envelope: Envelope
    payloads: tuple[Payload, ...]
    recipients: tuple[tuple[Key, int], ...]
    work: int
    notes: tuple[str, ...]


@dataclass
class _Want:
    """What a URI has to hold."""

    digest: bytes
    size: int
    uri: Item


def encrypt(
    envelope: Envelope, recipients: Sequence[Key], files: Iterable[Plain] = (), *,
    via: ids.Identifier | None = None, sequence: int | None = None, signer_kid: bytes | None = None,
) -> Encrypted:  # fmt: skip
    """An unsigned envelope whose payloads only the recipients can read.

    recipients  X25519 public keys, A128KW keys; kid: how the device finds its own
    files       payloads that are not in the envelope, or (if it is encrypted) all of them
    via         identifier of the component that ciphertext goes through, ['t'] by default; an
                envelope that is encrypted already has one
    sequence    number of the new manifest; must be higher than that of an envelope which is
                signed or encrypted, and is by default one higher
    signer_kid  kid that the signature will have, for `work`

    Raises Problem.
    """
    try:
        return _Job(envelope, recipients, tuple(files), via).run(sequence, signer_kid)
    except Problem as e:
        raise e.within(envelope.file or "the envelope") from None


class _Job:
    def __init__(
        self, envelope: Envelope, recipients: Sequence[Key], files: tuple[Plain, ...],
        via: ids.Identifier | None,
    ) -> None:  # fmt: skip
        check_recipients(recipients)
        check_digests(envelope)
        self.envelope, self.recipients, self.via = envelope, recipients, via or VIA
        self.sections = dict(_sections(envelope))
        self.is_again = is_encrypted(envelope)
        if self.is_again and via is not None:
            raise envelope.manifest.fail("the manifest is encrypted already: its payloads go "
                                         "through the components they went through")  # fmt: skip
        self.visits = _visits(envelope)
        wants = self._wants_again() if self.is_again else self._wants()
        self.wants = _by_uri(wants)
        self._check_fetched()
        self.plains = _find(self.wants, envelope, files, self.is_again)
        self.sealed = {want.digest: cose.seal(self.plains[want.digest])
                       for want in self.wants.values()}  # fmt: skip
        self.infos = {digest: s.info(recipients) for digest, s in self.sealed.items()}

    def run(self, sequence: int | None, signer_kid: bytes | None) -> Encrypted:
        number = self._number(sequence)
        manifest, members = self._again(number) if self.is_again else self._rewritten(number)
        inside = {key: item.content for key, item in self.envelope.payloads.items()}
        payloads = []
        for uri, want in self.wants.items():
            ciphertext = self.sealed[want.digest].ciphertext
            payloads.append(Payload(uri, self.plains[want.digest], ciphertext, uri in inside))
            if uri in inside:
                inside[uri] = ciphertext
        new = Envelope.parse(build(manifest, (), members, inside))
        self._check(new)
        infos = sum(1 for _ in _infos(_sections(new)))
        costs = tuple((key, infos * len(cose.recipient(bytes(32), key)))
                      for key in self.recipients)  # fmt: skip
        return Encrypted(new, tuple(payloads), costs, work_needed(new, signer_kid),
                         tuple(self._notes()))  # fmt: skip

    # -- what there is ---------------------------------------------------------------------

    def _infos(self) -> Iterator[Item]:
        return _infos(self.sections.items())

    def _wants(self) -> Iterator[_Want]:
        """Of a plain manifest: what is fetched."""
        found = [visit for visit in self.visits if visit.command.number == names.FETCH]
        if not found:
            raise self.envelope.manifest.fail("nothing is fetched: there is nothing to encrypt")
        for visit in found:
            uri = visit.get(names.P_URI)
            if uri is None or uri.text is None:
                raise visit.command.label.fail("a fetch whose uri is not set")
            yield _want(visit, uri)

    def _check_fetched(self) -> None:
        """A payload in the envelope that nobody asks for is refused."""
        wanted = {item.text for v in self.visits if v.command.number == names.FETCH
                  and (item := v.get(names.P_URI)) is not None}  # fmt: skip
        for key, value in self.envelope.payloads.items():
            if key not in wanted:
                raise value.fail(f"nothing fetches the payload {key!r}: it would stay readable",
                                 "picosuit sever removes it")  # fmt: skip

    def _wants_again(self) -> Iterator[_Want]:
        """Of an encrypted manifest: what is decrypted by a copy, and which info says how."""
        self.replaced: dict[int, bytes] = {}  # encryption-infos, by offset: digest of the image
        for visit in self.visits:
            info = visit.get(names.P_ENCRYPTION)
            if info is None or visit.command.number not in (names.COPY, names.WRITE):
                continue
            origin = visit.content.get(-1 if visit.source is None else visit.source, Origin())
            if visit.command.number == names.WRITE or origin.uri is None or origin.encryption:
                raise visit.command.label.fail(
                    "what is decrypted here was not fetched: it cannot be encrypted again")
            stated = visit.get(names.P_DIGEST, visit.source)
            if stated is not None:
                raise stated.fail("the digest of ciphertext, which will be another")
            want = _want(visit, origin.uri)
            if self.replaced.setdefault(info.start, want.digest) != want.digest:
                raise info.fail("this encryption-info is used for two images")
            yield want
        for info in self._infos():
            if info.start not in self.replaced:
                raise info.fail("nothing uses this encryption-info")

    def _number(self, sequence: int | None) -> int:
        """A plain draft may keep its number: nobody has seen it. Two manifests that differ never
        have the same, or devices that have one refuse the other."""
        old = self.envelope.sequence
        is_known = self.is_again or bool(self.envelope.blocks)
        lowest = old + 1 if is_known else old
        number = lowest if sequence is None else sequence
        if number < lowest:
            why = "is encrypted" if self.is_again else "is signed" if is_known else "has it already"
            raise Problem(f"sequence number {number} is too low: the manifest {why}, and has "
                          f"{old}", hint=f"{lowest} or more")  # fmt: skip
        if number > SEQUENCE_MAX:
            raise Problem(f"sequence number {number} could never be followed by another")
        return number

    def _notes(self) -> Iterator[str]:
        for visit in self.visits:
            if visit.command.number in (names.WRITE, names.CONTENT_CHECK):
                yield f"content that stands in the manifest ({visit.command.name}) stays readable"
                break
        if self.is_again and any(
            visit.command.number == names.FETCH and (uri := visit.get(names.P_URI)) is not None
            and uri.text not in self.wants for visit in self.visits
        ):  # fmt: skip
            yield "what the manifest fetches without decrypting it stays readable"
        unnamed = sum(key.kid is None for key in self.recipients)
        if unnamed and len(self.recipients) > 1:
            yield "recipients without kid: a device tries its key on each of them"

    # -- the new manifest ------------------------------------------------------------------

    def _rewritten(self, number: int) -> tuple[bytes, dict[int, bytes]]:
        old = self.envelope.components
        if self.envelope.common.get(1) is not None:
            raise self.envelope.common.fail("a manifest with dependencies cannot be rewritten")
        for key in ELSEWHERE:
            if (item := self.envelope.manifest.get(key)) is not None:
                raise item.fail(f"{names.MEMBERS[key]} cannot be rewritten")
        components = old if self.via in old else [*old, self.via]
        if len(components) > COMPONENTS_MAX:
            raise self.envelope.common.fail(f"has {len(old)} components, there is no room for "
                                            f"{ids.component_text(self.via)}")  # fmt: skip
        infos = {uri: self.infos[want.digest] for uri, want in self.wants.items()}
        writer = _Rewriter(len(old), len(components), components.index(self.via), infos)
        sections = {key: cbor.encode(writer.section(item)) for key, item in self.sections.items()}
        return self._manifest(number, sections, components)

    def _again(self, number: int) -> tuple[bytes, dict[int, bytes]]:
        new = {offset: self.infos[digest] for offset, digest in self.replaced.items()}
        sections = {key: cbor.encode(_substituted(item, new))
                    for key, item in self.sections.items()}  # fmt: skip
        return self._manifest(number, sections, self.envelope.components)

    def _manifest(
        self, number: int, sections: dict[int, bytes], components: Sequence[ids.Identifier]
    ) -> tuple[bytes, dict[int, bytes]]:
        """The encoded manifest, and the severed members beside it."""
        manifest: dict[int, Any] = {key.number or 0: Raw(value.encoded)
                                    for key, value in self.envelope.manifest.pairs}  # fmt: skip
        common: dict[int, Any] = {key.number or 0: Raw(value.encoded)
                                  for key, value in self.envelope.common.pairs}  # fmt: skip
        members = {key: item.content for key, item in self.envelope.members.items()}
        for key, content in sections.items():
            if key == names.SHARED:
                common[4] = content
            elif key in members:
                members[key] = content
                manifest[key] = digest_value(cbor.encode(content))
            else:
                manifest[key] = content
        common[2] = [list(component) for component in components]
        manifest[2], manifest[3] = number, Wrap(common)
        return cbor.encode(manifest), members

    # -- and whether it does the same ------------------------------------------------------

    def _check(self, new: Envelope) -> None:
        """The same images come into the same components, from the same URIs, on the same ways;
        and each that was to be encrypted is decrypted once."""
        before, after = (_effects(e, self.via if not self.is_again else None)
                         for e in (self.envelope, new))  # fmt: skip
        for effect, visit in before.items():
            if effect not in after:
                raise visit.command.label.fail(
                    "this would not do the same in the encrypted manifest",
                    "set the uri of one component before each fetch")  # fmt: skip
        if len(after) != len(before):
            raise self.envelope.manifest.fail("the encrypted manifest would do more than this one")
        for visit in _visits(new):
            if visit.command.number not in (names.WRITE, names.COPY, names.SWAP):
                continue
            origin = visit.result
            uri = "" if origin.uri is None else str(origin.uri.text)
            wanted = [self.infos[self.wants[uri].digest]] if uri in self.wants else []
            if [item.content for item in origin.encryption] != wanted:
                raise self.envelope.manifest.fail(
                    f"the payload {uri!r} would not be decrypted once, by its own key" if wanted
                    else "what was not encrypted would be decrypted: a component is written and "
                    "fetched into")  # fmt: skip


def check_recipients(recipients: Sequence[Key]) -> None:
    """Raises Problem for none, for keys of other kinds, and for a kid or key given twice."""
    if not recipients:
        raise Problem("no recipient", hint="--to, --to-kek")
    for key in recipients:
        cose.recipient(bytes(32), key)
    kids = [key.kid for key in recipients if key.kid is not None]
    for kid in kids:
        if kids.count(kid) > 1:
            raise Problem(f"two recipients have the kid {kid_text(kid)}")
    if len({(key.alg, key.public, key.secret) for key in recipients}) < len(recipients):
        raise Problem("a recipient is given twice")


# -- Reading -----------------------------------------------------------------------------------


def _sections(envelope: Envelope) -> Iterator[tuple[int, Item]]:
    """The command sequences, severed ones included."""
    for key in (names.SHARED, *names.SECTIONS):
        sequence = envelope.section(key)
        if sequence is not None:
            yield key, sequence
        elif key != names.SHARED and envelope.manifest.get(key) is not None:
            raise envelope.manifest.fail(f"{names.MEMBERS[key]} is severed, and not there")


def _infos(sections: Iterable[tuple[int, Item]]) -> Iterator[Item]:
    """All values of encryption-info."""
    for _, sequence in sections:
        for command in all_commands(sequence):
            if command.number in (names.SET, names.OVERRIDE):
                info = command.argument.want(MAP, "a map of parameters").get(names.P_ENCRYPTION)
                if info is not None:
                    yield info


def is_encrypted(envelope: Envelope) -> bool:
    """Whether anything in it is decrypted. Raises Problem for a malformed sequence."""
    return bool(list(_infos(_sections(envelope))))


def _visits(envelope: Envelope) -> list[Visit]:
    trace = Trace(envelope, peeks=False)  # the plain payloads will not be there
    if not trace.is_complete:
        raise envelope.manifest.fail("the manifest cannot be followed: it has too many ways, or a "
                                     "command that is not known here")  # fmt: skip
    return trace.visits


def _want(visit: Visit, uri: Item) -> _Want:
    """What a component must hold afterwards: that is what is encrypted."""
    digest, size = visit.get(names.P_DIGEST), visit.get(names.P_SIZE)
    if digest is None or size is None:
        name = "image-digest" if digest is None else "image-size"
        raise visit.command.label.fail(f"{name} of component {visit.component} is not set",
                                       "payloads are found by their digest, and a device needs "
                                       "the size")  # fmt: skip
    alg, value = read_digest(digest.want(BYTES, "image-digest").inner())
    if alg != names.SHA256:
        raise digest.fail(f"{names.name_of(names.ALGORITHMS, alg)} is no digest that devices take")
    return _Want(value, size.want(UINT, "image-size").value, uri)


def _by_uri(wants: Iterator[_Want]) -> dict[str, _Want]:
    found: dict[str, _Want] = {}
    for want in wants:
        uri = str(want.uri.text)
        if found.setdefault(uri, want).digest != want.digest:
            raise want.uri.fail(f"{uri!r} would have to be two different payloads")
    return found


def _find(
    wants: Mapping[str, _Want], envelope: Envelope, files: tuple[Plain, ...], is_again: bool
) -> dict[bytes, bytes]:
    """Plaintexts by digest: from the envelope, unless they are ciphertext there, and files."""
    found = {digest_of(file.data): file.data for file in files}
    if not is_again:
        found |= {digest_of(item.content): item.content for item in envelope.payloads.values()}
    for file in files:
        digest = digest_of(file.data)
        if file.uri is not None and file.uri not in wants:
            raise Problem(f"no payload has the URI {file.uri!r}", file=file.file,
                          hint=", ".join(wants))  # fmt: skip
        wanted = [want.digest for uri, want in wants.items() if file.uri in (None, uri)]
        if digest not in wanted:
            what = f"not what image-digest says of {file.uri!r}" if file.uri else (
                "no image of this manifest")  # fmt: skip
            raise Problem(f"{what}: its SHA-256 is {digest.hex()}", file=file.file)
    for uri, want in wants.items():
        inside = None if is_again else envelope.payloads.get(uri)
        if inside is not None and digest_of(inside.content) != want.digest:
            raise inside.fail(f"the payload {uri!r} is not what image-digest says: SHA-256 "
                              f"{want.digest.hex()}")  # fmt: skip
        data = found.get(want.digest)
        if data is None:
            raise want.uri.fail(f"the payload {uri!r} is not there in plain; its SHA-256 is "
                                f"{want.digest.hex()}", "--payload FILE")  # fmt: skip
        if not data:
            raise want.uri.fail(f"the payload {uri!r} is empty")
        if len(data) != want.size:
            raise want.uri.fail(f"the payload {uri!r} has {len(data)} bytes, image-size is "
                                f"{want.size}")  # fmt: skip
    return found


# -- Writing -----------------------------------------------------------------------------------

Selection = tuple[int, ...]


class _Out:
    """A command sequence being written. The index is set when the next command wants others.

    at     the components that are selected in it, None if that depends
    known  encryption-infos that are set for certain, by component
    """

    def __init__(self, at: Selection | None, known: Mapping[int, bytes], count: int) -> None:
        self.at, self.known, self.count, self.has_moved = at, dict(known), count, False
        self.items: list[Any] = []

    def select(self, selected: Selection) -> None:
        if selected != self.at:
            everything = selected == tuple(range(self.count)) and self.count > 1
            index = selected[0] if len(selected) == 1 else True if everything else list(selected)
            self.items += [names.SET_INDEX, index]
            self.at, self.has_moved = selected, True

    def add(self, selected: Selection, label: int, argument: Any) -> None:
        self.select(selected)
        self.items += [label, argument]


class _Rewriter:
    """was, count  components before and now
    via         index of the one that ciphertext goes through
    infos       encryption-infos by URI
    """

    def __init__(self, was: int, count: int, via: int, infos: Mapping[str, bytes]) -> None:
        self.was, self.count, self.via, self.infos = was, count, via, infos

    def section(self, sequence: Item) -> list[Any]:
        return self._sequence(sequence, None, (0,) if self.was == 1 else None, {}).items

    def _sequence(
        self, sequence: Item, at: Selection | None, selected: Selection | None,
        known: Mapping[int, bytes],
    ) -> _Out:  # fmt: skip
        out = _Out(at, known, self.count)
        for command in commands(sequence):
            number = command.number
            if number == names.SET_INDEX:
                selected = self._selection(command.argument)
                continue
            if selected is None:
                raise command.label.fail("a component must be selected first")
            if number in (names.TRY_EACH, names.RUN):
                self._nest(out, command, selected)
            elif number in (names.SET, names.OVERRIDE):
                self._parameters(out, command, selected)
            elif number == names.FETCH:
                self._check_one(command.label, selected)
                out.add((self.via,), names.FETCH, Raw(command.argument.encoded))
                out.add(selected, names.COPY, Raw(command.argument.encoded))
            else:
                out.add(selected, number, Raw(command.argument.encoded))
        if not out.items and selected is not None:
            out.at = None
            out.select(selected)  # it did nothing else
        return out

    def _selection(self, argument: Item) -> Selection:
        chosen = [argument] if argument.major != ARRAY else list(argument.children)
        if argument.major == SIMPLE and argument.value == 21:
            return tuple(range(self.was))
        numbers = tuple(item.number for item in chosen)
        if not numbers or any(n is None or not 0 <= n < self.was for n in numbers):
            raise argument.fail("not the index of a component")
        return tuple(n for n in numbers if n is not None)

    def _check_one(self, where: Item, selected: Selection) -> None:
        if len(selected) > 1:
            raise where.fail("works on several components at once: select one")
        if selected[0] == self.via:
            raise where.fail("fetches into the component that ciphertext is to go through",
                             "choose another by --via")  # fmt: skip

    def _nest(self, out: _Out, command: Command, selected: Selection) -> None:
        choices = nested(command)
        found = [pair for choice in choices for pair in self._uris(choice, selected)]
        infos = {self.infos.get(uri) for _, uri in found}
        if len(found) > 1 and len(infos) == 1 and {where for where, _ in found} == {selected}:
            self._set_info(out, names.OVERRIDE, selected, {}, found[0][1])  # once for all of them
        inner = [self._sequence(choice, selected, selected, out.known) for choice in choices]
        wrapped: list[Any] = [Wrap(one.items) for one in inner]
        if command.number == names.TRY_EACH and command.argument.children[-1].is_null:
            wrapped.append(None)
        out.add(selected, command.number,
                wrapped if command.number == names.TRY_EACH else wrapped[0])  # fmt: skip
        out.known = {n: info for n, info in out.known.items()
                     if all(one.known.get(n) == info for one in inner)}  # fmt: skip
        if any(one.has_moved for one in inner):
            out.at = None  # drafts do not say whose index counts now

    def _uris(self, sequence: Item, selected: Selection) -> Iterator[tuple[Selection, str]]:
        """The uris that a sequence sets, and for what."""
        for command in commands(sequence):
            if command.number == names.SET_INDEX:
                selected = self._selection(command.argument)
            elif command.number in (names.SET, names.OVERRIDE):
                uri = command.argument.want(MAP, "a map of parameters").get(names.P_URI)
                if uri is not None:
                    yield selected, str(uri.text)
            for choice in nested(command):
                yield from self._uris(choice, selected)

    def _set_info(
        self, out: _Out, label: int, selected: Selection, given: dict[int, Any], uri: str
    ) -> None:
        """Sets `given`, and how what comes from the uri is decrypted, unless that is set."""
        info = self.infos.get(uri)
        if info is not None and out.known.get(selected[0]) != info:
            given = given | {names.P_ENCRYPTION: info, names.P_SOURCE: self.via}
            if label == names.OVERRIDE:
                out.known[selected[0]] = info
        if given:
            out.add(selected, label, given)

    def _parameters(self, out: _Out, command: Command, selected: Selection) -> None:
        argument = command.argument.want(MAP, "a map of parameters")
        given: dict[int, Any] = {key.number or 0: Raw(value.encoded)
                                 for key, value in argument.pairs}  # fmt: skip
        uri = argument.get(names.P_URI)
        source = {label: given.pop(label) for label in (names.P_URI, names.P_FETCH_ARGS)
                  if label in given}  # fmt: skip
        if names.P_SOURCE in given:
            out.known = {n: info for n, info in out.known.items() if n not in selected}
        if not source:
            out.add(selected, command.number, given)
            return
        self._check_one(command.label, selected)
        if uri is not None and str(uri.text) not in self.infos:
            raise uri.fail("no fetch uses this uri")
        self._set_info(out, command.number, selected, given, "" if uri is None else str(uri.text))
        out.add((self.via,), command.number, source)


def _substituted(sequence: Item, new: Mapping[int, bytes]) -> list[Any]:
    """The sequence with other values for the parameters at these offsets."""
    items: list[Any] = []
    for command in commands(sequence):
        argument: Any = Raw(command.argument.encoded)
        if command.number in (names.SET, names.OVERRIDE):
            argument = {key.number or 0: new.get(value.start, Raw(value.encoded))
                        for key, value in command.argument.pairs}  # fmt: skip
        elif command.number in (names.TRY_EACH, names.RUN):
            inner: list[Any] = [Wrap(_substituted(one, new)) for one in nested(command)]
            if command.number == names.TRY_EACH and command.argument.children[-1].is_null:
                inner.append(None)
            argument = inner if command.number == names.TRY_EACH else inner[0]
        items += [command.number, argument]
    return items


# -- Comparing ---------------------------------------------------------------------------------


def _effects(envelope: Envelope, via: ids.Identifier | None) -> dict[tuple[object, ...], Visit]:
    """What is put where, on which way; fetches into `via` are only part of that."""

    def name(index: int) -> ids.Identifier:
        return envelope.components[index] if index < len(envelope.components) else ()

    found: dict[tuple[object, ...], Visit] = {}
    for visit in _visits(envelope):
        number, where = visit.command.number, name(visit.component)
        if number not in MOVES or (number == names.FETCH and where == via):
            continue
        origin = visit.result
        is_through = number == names.COPY and name(visit.source or 0) == via
        facts = (visit.get(names.P_DIGEST), visit.get(names.P_SIZE), visit.get(names.P_SLOT),
                 visit.get(names.P_FETCH_ARGS, visit.source if is_through else None))  # fmt: skip
        through = tuple(name(c) for c in origin.via if name(c) != via)
        effect = (
            visit.procedure, visit.section, where, through, number == names.SWAP,
            None if origin.uri is None else origin.uri.encoded,
            None if origin.literal is None else origin.literal.encoded,
            tuple(None if item is None else item.encoded for item in facts), visit.when,
        )  # fmt: skip
        found.setdefault(effect, visit)
    return found


# -- Memory ------------------------------------------------------------------------------------


def work_needed(envelope: Envelope, signer_kid: bytes | None = None) -> int:
    """Bytes of work buffer for an update received in pieces: PICOSUIT_WORK. An unsigned
    envelope counts with one signature."""
    wrapper = envelope.wrapper.value
    if not envelope.blocks:
        header = cose.protected_header(names.ED25519, signer_kid)
        block = cbor.encode(cose.block(names.ED25519, header, bytes(64)))
        wrapper += len(block)  # the array keeps its head of one byte
    kept = sum(len(envelope.members[key].content) for key in (16, 20) if key in envelope.members)
    depth = max((_depth(s) for k, s in _sections(envelope) if k in (names.SHARED, *names.UPDATE)),
                default=1)  # fmt: skip
    keys = sorted(len(key.encode()) for key in envelope.payloads)
    return (wrapper + envelope.manifest_bstr.value + kept
            + len(envelope.components) * COMPONENT_SIZE + depth * FRAME_SIZE
            + (keys[-2] if len(keys) > 1 else 0))  # fmt: skip


def _depth(sequence: Item) -> int:
    return 1 + max((_depth(inner) for command in commands(sequence) for inner in nested(command)),
                   default=0)  # fmt: skip
