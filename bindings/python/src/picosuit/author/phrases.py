# SPDX-License-Identifier: MIT
"""Words for what stands in an envelope: values, parameters, commands, and what is written where.

Every text that comes from the file is made printable and short.
"""
from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from . import cbor, ids, names
from .cbor import ARRAY, BYTES, MAP, TAG, TEXT, UINT, Item
from .envelope import Command, Envelope, commands, read_digest
from .problem import Problem, escaped
from .trace import IDENTITY, MOVES, Assumed, Origin, Trace, Visit, moved, unique

TEXT_MAX = 160  # characters of a value from the file; the rest is counted
BYTES_MAX = 20  # bytes of a byte string that are shown
LIST_MAX = 4  # alternatives that are named in a sentence

# -- Texts -------------------------------------------------------------------------------------


def safe(text: str, limit: int = TEXT_MAX) -> str:
    """Printable characters only, and not too many."""
    shown = escaped(text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text):,} characters)"


def size(n: int) -> str:
    return f"{n:,} byte" if n == 1 else f"{n:,} bytes"


def count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def bytes_text(data: bytes) -> str:
    """h'0102', shortened; as text, too, where it is one."""
    if len(data) > BYTES_MAX:
        return f"h'{data[:BYTES_MAX].hex()}...' ({size(len(data))})"
    return ids.literal(data)


def diagnostic(item: Item) -> str:
    """Diagnostic notation of an item, shortened. Source: RFC 8949 8."""
    parts = 0

    def text(one: Item) -> str:
        nonlocal parts
        parts += 1
        if parts > 40:
            return "..."
        if one.major == BYTES:
            return bytes_text(one.content)
        if one.major == TEXT:
            return f'"{safe(str(one.text), 60)}"'
        if one.major == ARRAY:
            return "[" + ", ".join(text(child) for child in one.children[:41]) + "]"
        if one.major == MAP:
            return "{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in one.pairs[:41]) + "}"
        if one.major == TAG:
            return f"{one.value}({text(one.children[0])})"
        simple = {20: "false", 21: "true"}.get(one.value, "null")
        return simple if one.number is None else str(one.number)

    return safe(text(item))


def joined(texts: Iterable[str], word: str = "or", most: int = LIST_MAX) -> str:
    """a, b or c; each once. Of more than `most` the last are counted, not named."""
    shown = unique(texts) or ["nothing"]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} more"]
    return f" {word} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def identifier(parts: tuple[bytes, ...]) -> str:
    """usr/bin/env where that is clear, else ['usr', h'00']."""
    plain = parts and all(p and all(c in b"-_." or chr(c).isalnum() and c < 128 for c in p)
                          for p in parts)  # fmt: skip
    text = "/".join(p.decode() for p in parts) if plain else ids.component_text(parts)
    return safe(text)


def algorithm(number: int | None) -> str:
    if number is None:
        return "no algorithm"
    known = names.ALGORITHMS.get(number)
    return known or f"algorithm {number}"


def policy_text(item: Item) -> str:
    """In words what a reporting policy asks for; it never changes what is done."""
    if item.major != UINT:
        return f"malformed reporting policy {diagnostic(item)}"
    bits = item.value
    texts = [
        f"{what} {_which(bits & a, bits & b)}"
        for what, a, b in (("record", 1, 2), ("system information on", 4, 8))
        if bits & (a | b)
    ]
    if bits >> 4:
        texts.append(f"unknown bits {bits & ~15:#x}")
    return ", ".join(texts)


def _which(success: int, failure: int) -> str:
    return "both" if success and failure else "success" if success else "failure"


def pen_text(item: Item) -> str:
    """Private enterprise number: tag 112 on a relative object identifier. Source: RFC 9090."""
    number = 0
    for byte in item.children[0].content[:10]:
        number = number << 7 | byte & 127
    return f"private enterprise number {number}"


# -- Encryption ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encryption:
    """A COSE_Encrypt in short: algorithm, and of each recipient algorithm and kid."""

    cipher: int | None
    recipients: tuple[tuple[int | None, bytes | None], ...]

    @property
    def text(self) -> str:
        whom = joined((recipient_text(alg, kid) for alg, kid in self.recipients), "and")
        return f"{algorithm(self.cipher)}, for {whom}"

    @property
    def is_aead(self) -> bool:
        return self.cipher in (1, 2, 3, names.CHACHA20_POLY1305)


def recipient_text(alg: int | None, kid: bytes | None) -> str:
    return f"{'a device' if kid is None else bytes_text(kid)} ({algorithm(alg)})"


def encryption(item: Item) -> Encryption:
    """Of the parameter encryption-info, the byte string. Raises Problem."""
    outer = item.want(BYTES, "encryption-info").inner()
    fields = outer.children[0].want(ARRAY, "COSE_Encrypt").children if outer.children else ()
    if outer.major != TAG or outer.value != 96 or len(fields) != 4:
        raise outer.fail("encryption-info is no COSE_Encrypt")
    recipients = fields[3].want(ARRAY, "the list of recipients").children
    if not recipients:
        raise fields[3].fail("no recipients")
    cipher = headers(*fields[:2]).get(1)
    whom = tuple(map(recipient, recipients))
    return Encryption(cipher if isinstance(cipher, int) else None, whom)


def recipient(item: Item) -> tuple[int | None, bytes | None]:
    """Algorithm and kid. Raises Problem."""
    parts = item.want(ARRAY, "a recipient").children
    if len(parts) != 3:
        raise item.fail(f"a recipient of {len(parts)} elements")
    header = headers(*parts[:2])
    alg, kid = header.get(1), header.get(4)
    return alg if isinstance(alg, int) else None, kid if isinstance(kid, bytes) else None


def headers(protected: Item, unprotected: Item) -> dict[Any, Any]:
    header: dict[Any, Any] = dict(unprotected.want(MAP, "the unprotected header").plain())
    if protected.want(BYTES, "the protected header").value:
        header |= protected.inner().want(MAP, "the protected header").plain()
    return header


# -- What is stored -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """Something that an update stores, on the ways that `when` names.

    how         fetch, copy, write or swap
    size        that the component is to have, None if it is not said; `digest` likewise
    is_checked  on every way an image-match has looked at it: `digest` names all that pass
    is_transit  only to make something else of it
    """

    section: str
    component: str
    how: str
    source: str
    uri: str | None
    size: int | None
    digest: str | None
    is_checked: bool
    encryption: tuple[Encryption, ...]
    via: tuple[str, ...]
    when: tuple[str, ...] = ()
    is_transit: bool = False
    is_partly: bool = False  # on some ways it is checked, on others not

    @property
    def what(self) -> str:
        """Into which component, how much, with which digest."""
        where = f", where {joined(self.when)}" if self.when else ""
        parts = ["size not said" if self.size is None else size(self.size)]
        if self.digest is not None:
            parts.append(self.digest if self.is_checked else
                         f"{self.digest}, {'not always' if self.is_partly else 'never'} checked")
        elif self.how != "write":
            parts.append("no digest")
        return f"{self.component}{where}: {', '.join(parts)}"

    @property
    def whence(self) -> str:
        """From where, through what, encrypted to whom."""
        through = f", through {joined(self.via, 'and')}" if self.via else ""
        decrypted = "".join(f", decrypted ({one.text})" for one in self.encryption)
        return f"from {self.source}{through}{decrypted}"

    @property
    def data(self) -> dict[str, Any]:
        whom = [{"cipher": algorithm(e.cipher),
                 "recipients": [{"algorithm": algorithm(a), "kid": kid} for a, kid in e.recipients]}
                for e in self.encryption]  # fmt: skip
        return {"section": self.section, "component": self.component, "how": self.how,
                "source": self.source, "uri": self.uri, "size": self.size, "digest": self.digest,
                "checked": self.is_checked, "encrypted": whom, "via": list(self.via),
                "transit": self.is_transit, "when": list(self.when)}  # fmt: skip


# -- Commands ------------------------------------------------------------------------------------


class Phrases:
    """Sentences about one envelope.

    trace  what the commands would do; `peeks` is explained there
    """

    def __init__(self, envelope: Envelope, *, peeks: bool = True) -> None:
        self.envelope = envelope
        self.trace = Trace(envelope, peeks=peeks)

    @property
    def is_complete(self) -> bool:
        """Nothing that the envelope does is left out here: sections of other drafts are."""
        others = (15, 18, 24)
        return self.trace.is_complete and not any(map(self.envelope.manifest.get, others))

    # -- names of things -------------------------------------------------------------------

    def component(self, index: int | None) -> str:
        if index is not None and 0 <= index < len(self.envelope.components):
            return identifier(self.envelope.components[index])
        return f"component {index}"

    @cached_property
    def known(self) -> dict[bytes, str]:
        """Names of UUIDs that the text member tells: of vendors by domain, of classes by model."""
        found: dict[bytes, str] = {}
        for _, entries in self.texts:
            for vendors in (entries.get(3), entries.get(1)):
                if vendors:
                    vendor = ids.vendor(vendors)
                    found[vendor] = safe(vendors, 60)
                    if entries.get(2):
                        found[ids.class_of(vendor, entries[2])] = safe(entries[2], 60)
        return found

    @cached_property
    def texts(self) -> list[tuple[str, dict[int, str]]]:
        """Texts of components: language and component, then texts by number."""
        found = []
        try:
            item = self.envelope.manifest.get(23)
            item = self.envelope.members.get(23) if item is None or item.major == ARRAY else item
            languages = item.inner().pairs if item is not None and item.major == BYTES else ()
            for language, entries in languages:
                for key, value in entries.pairs if entries.major == MAP else ():
                    if key.major == ARRAY and value.major == MAP:
                        found.append((f"{language.text}", {
                            k.number: v.text for k, v in value.pairs
                            if k.number is not None and v.text is not None}))  # fmt: skip
        except Problem:
            pass
        return found

    def id_text(self, item: Item) -> str:
        """A vendor, class or device identifier."""
        if item.major == TAG and item.value == 112 and item.children[0].major == BYTES:
            return pen_text(item)
        if item.major != BYTES or item.value != 16:
            return diagnostic(item)
        name = self.known.get(item.content)
        return f"{uuid.UUID(bytes=item.content)}" + (f" ({name})" if name else "")

    def digest_text(self, item: Item, *, short: bool = False) -> str:
        """Of a byte string that wraps a digest."""
        alg, value = read_digest(item.want(BYTES, "a digest").inner())
        return f"{algorithm(alg)} {value[:4].hex() + '...' if short else value.hex()}"

    def payload_text(self, uri: Item | None, image_size: Item | None = None) -> str:
        """A URI, and what is known of what it gives."""
        if uri is None:
            return "a URI that is not set"
        if uri.major != TEXT:
            return diagnostic(uri)
        text = safe(str(uri.text))
        payload = self.envelope.payloads.get(str(uri.text))
        if payload is not None:
            return f"{text} ({size(payload.value)}, integrated)"
        if image_size is not None and image_size.major == UINT:
            return f"{text} ({size(image_size.value)})"
        return text

    # -- parameters and commands

    def parameter(self, number: int | None, value: Item) -> str:
        """Value of a parameter in words. Raises Problem where it is malformed."""
        if number in (names.P_VENDOR, names.P_CLASS, names.P_DEVICE):
            return self.id_text(value)
        if number == names.P_DIGEST:
            return self.digest_text(value)
        if number == names.P_SIZE and value.major == UINT:
            return size(value.value)
        if number == names.P_URI and value.major == TEXT:
            return self.payload_text(value)
        if number == names.P_SOURCE:
            return self.component(value.number)
        if number == names.P_ENCRYPTION:
            return encryption(value).text
        if number in (names.P_CONTENT, names.P_ARGS, names.P_FETCH_ARGS) and value.major == BYTES:
            text = bytes_text(value.content)
            return f"{text} ({size(value.value)})" if value.value <= BYTES_MAX else text
        return diagnostic(value)

    def sentence(self, command: Command) -> str:
        """A command in words, with what the trace knows of it, and its reporting policy."""
        text, number = self.act(command), command.number
        if number not in names.COMMANDS or number in (*names.WITH_ARGUMENT, *_OTHER_ARGUMENT):
            return text
        policy = policy_text(command.argument)
        return f"{text} [{policy}]" if policy else text

    def act(self, command: Command) -> str:
        """The same without the policy."""
        visits = self.trace.by_command.get(command.label.start, [])
        return _SENTENCES.get(command.number, Phrases._other)(self, command, visits)

    def target(self, visits: Sequence[Visit]) -> str:
        """The component or components that a command is for: all of them, one after the other."""
        return joined((self.component(v.component) for v in visits), "and") if visits else (
            "the chosen component")  # fmt: skip

    def paired(
        self, visits: Sequence[Visit], text: Callable[[Visit], str], none: str,
        shape: str = "{what} {text}",
    ) -> str:  # fmt: skip
        """Each component with what belongs to it, where that depends on the way: "app from #a
        or #b and radio from #c". Components of which the same is said are named together."""
        if not visits:
            return shape.format(what="the chosen component", text=none)
        by_component: dict[int, list[str]] = {}
        for visit in visits:
            by_component.setdefault(visit.component, []).append(text(visit))
        groups: dict[str, list[str]] = {}
        for component, texts in by_component.items():
            groups.setdefault(joined(texts), []).append(self.component(component))
        return joined((shape.format(what=joined(whom, "and"), text=one)
                       for one, whom in groups.items()), "and")  # fmt: skip

    def image_text(self, visit: Visit) -> str:
        """Digest and size that a component is to have."""
        digest, image_size = visit.get(names.P_DIGEST), visit.get(names.P_SIZE)
        if digest is None:
            return "a digest that is not set"
        try:
            text = self.digest_text(digest, short=True)
        except Problem:
            text = diagnostic(digest)
        sized = image_size is not None and image_size.major == UINT
        return f"{text} ({size(image_size.value)})" if image_size is not None and sized else text

    def cipher_text(self, visits: Sequence[Visit]) -> str:
        infos = [info for v in visits if (info := v.get(names.P_ENCRYPTION)) is not None]
        if not infos:
            return ""
        try:
            return f", decrypting it ({joined(encryption(info).text for info in infos)})"
        except Problem:
            return ", decrypting it"

    # -- what an update does ---------------------------------------------------------------

    def writes(self, procedure: str = "update") -> list[Write]:
        """What a procedure stores, each once, with the ways it is for."""
        found: dict[Write, list[tuple[str, ...]]] = {}
        ways: dict[tuple[str, ...], None] = {}
        for visit in self.trace.visits:
            number = visit.command.number
            if number not in MOVES or visit.procedure != procedure:
                continue
            when = tuple(map(self.assumed, visit.when))
            ways[when] = None
            changed = [visit.component]
            if number == names.SWAP and visit.source is not None:
                changed.append(visit.source)
            for component in changed:
                found.setdefault(self._write_of(visit, component), []).append(when)
        through = {name for write in found if write.how != "swap" for name in write.via}
        return [
            replace(
                write, is_transit=write.component in through and write.how != "swap",
                when=() if set(when) == set(ways) else tuple(
                    unique(" and ".join(one) for one in when if one)),
            )
            for write, when in found.items()
        ]  # fmt: skip

    def _write_of(self, visit: Visit, component: int) -> Write:
        """Digests and size are those that are checked afterwards: what was set before might be
        something else. Without a check they are those set before, and `is_checked` tells."""
        number = visit.command.number
        origin = moved(number, visit.params, visit.content, visit.component).get(
            component, Origin())  # fmt: skip
        found = self.trace.looks(visit, component, origin)
        checks = [check for check in found if check is not None]
        looks = checks or [visit]
        sizes = [look.get(names.P_SIZE, component) for look in looks]
        digests = [item for look in looks
                   if (item := look.get(names.P_DIGEST, component)) is not None]
        if origin.literal is not None:
            source = self.parameter(names.P_CONTENT, origin.literal)
        elif origin.uri is not None:
            source = self.payload_text(origin.uri)
        else:
            source = "a URI that is not set" if number == names.FETCH else "what was there before"
        try:
            value = " or ".join(unique(map(self.digest_text, digests))) or None
            infos = tuple(encryption(info) for info in origin.encryption)
        except Problem:
            value, infos = None, ()
        written = None
        if origin.literal is not None and not infos:
            written = origin.literal.value
        else:
            lengths = [item.value for item in sizes if item is not None and item.major == UINT]
            if len(lengths) == len(sizes) and len(set(lengths)) == 1:
                written = lengths[0]
        is_checked = value is not None and bool(checks)
        return Write(
            names.MEMBERS[visit.section], self.component(component),
            visit.command.name.removeprefix("directive-"), source,
            safe(str(origin.uri.text)) if origin.uri is not None else None, written, value,
            is_checked and len(checks) == len(found), infos,
            tuple(self.component(c) for c in origin.via), is_partly=is_checked,
        )  # fmt: skip

    def starts(self) -> list[str]:
        """What is started, and with which arguments."""
        found = []
        for visit in self.trace.visits:
            if visit.command.number == names.INVOKE_COMMAND:
                given = visit.get(names.P_ARGS)
                found.append(self.component(visit.component) + (
                    "" if given is None
                    else f" with arguments {self.parameter(names.P_ARGS, given)}"))
        return unique(found)

    def identities(self, condition: int) -> list[str]:
        """Vendors, classes or devices that are checked for."""
        items = [visit.get(IDENTITY[condition]) for visit in self.trace.visits
                 if visit.command.number == condition]  # fmt: skip
        found = unique(self.id_text(item) for item in items if item is not None)
        is_passed_by = any(not way.has(condition) for ways in self.trace.ends.values()
                           for way in ways)  # fmt: skip
        return [*found, "any other"] if found and is_passed_by else found

    def assumed(self, assumed: Assumed) -> str:
        value = cbor.read(assumed.value)
        what = names.PARAMETERS[IDENTITY[assumed.condition]].removesuffix("-identifier")
        if assumed.condition == names.SLOT_CHECK:
            return f"the slot of {self.component(assumed.component)} is {diagnostic(value)}"
        return f"the {what} is {self.id_text(value)}"

    # -- sentences -------------------------------------------------------------------------

    def _identity(self, command: Command, visits: Sequence[Visit]) -> str:
        what = command.name.removeprefix("condition-").removesuffix("-identifier")
        parameter = IDENTITY[command.number]

        def one(visit: Visit) -> str:
            item = visit.get(parameter)
            return "one that is not set" if item is None else self.id_text(item)

        pairs = self.paired(visits, one, "the one set", "of {what} is {text}")
        return f"check that the {what} {pairs}"

    def _slot(self, command: Command, visits: Sequence[Visit]) -> str:
        def one(visit: Visit) -> str:
            item = visit.get(names.P_SLOT)
            return "one that is not set" if item is None else diagnostic(item)

        pairs = self.paired(visits, one, "the one set", "of {what} is {text}")
        return f"check that the slot {pairs}"

    def _match(self, command: Command, visits: Sequence[Visit]) -> str:
        pairs = self.paired(visits, self.image_text, "the digest set", "in {what} is {text}")
        return f"check that the image {pairs}"

    def _content(self, command: Command, visits: Sequence[Visit]) -> str:
        pairs = self.paired(visits, self._literal, "the content set", "in {what} is {text}")
        return f"check that the content {pairs}"

    def _literal(self, visit: Visit) -> str:
        item = visit.get(names.P_CONTENT)
        return "content that is not set" if item is None else self.parameter(names.P_CONTENT, item)

    def _abort(self, command: Command, visits: Sequence[Visit]) -> str:
        return "fail here"

    def _set_index(self, command: Command, visits: Sequence[Visit]) -> str:
        argument = command.argument
        if argument.major == UINT:
            return f"for {self.component(argument.value)}:"
        if argument.major == ARRAY and all(c.major == UINT for c in argument.children):
            chosen = (self.component(child.value) for child in argument.children)
            return f"for each of {joined(chosen, 'and')}:"
        return "for every component:" if argument.value == 21 else f"for {diagnostic(argument)}:"

    def _try_each(self, command: Command, visits: Sequence[Visit]) -> str:
        choices = command.argument.want(ARRAY, "the list of a try-each").children
        has_nil = bool(choices) and choices[-1].is_null
        text = f"try each of {len(choices) - has_nil} ways until one succeeds"
        return f"{text}; go on if none does" if has_nil else text

    def _run(self, command: Command, visits: Sequence[Visit]) -> str:
        found = commands(command.argument.want(BYTES, "a sequence to run").inner())
        return f"run {count(len(found), 'command')} as a sequence of their own"

    def _set(self, command: Command, visits: Sequence[Visit]) -> str:
        weak = ", unless it has them already," if command.number == names.SET else ""
        return f"give {self.target(visits)}{weak} {count(command.argument.value, 'parameter')}"

    def _write(self, command: Command, visits: Sequence[Visit]) -> str:
        pairs = self.paired(visits, self._literal, "the content set", "{text} to {what}")
        return f"write {pairs}{self.cipher_text(visits)}"

    def _fetch(self, command: Command, visits: Sequence[Visit]) -> str:
        def one(visit: Visit) -> str:
            return self.payload_text(visit.get(names.P_URI), visit.get(names.P_SIZE))

        return f"fetch {self.paired(visits, one, 'the URI set', '{what} from {text}')}"

    def _copy(self, command: Command, visits: Sequence[Visit]) -> str:
        pairs = self.paired(visits, self._source, "the source set", "{text} to {what}")
        return f"copy {pairs}{self.cipher_text(visits)}"

    def _source(self, visit: Visit) -> str:
        return "a source that is not set" if visit.source is None else self.component(visit.source)

    def _swap(self, command: Command, visits: Sequence[Visit]) -> str:
        pairs = self.paired(visits, self._source, "the source set", "{what} with {text}")
        return f"exchange {pairs}"

    def _invoke(self, command: Command, visits: Sequence[Visit]) -> str:
        infos = [v.get(names.P_ARGS) for v in visits]
        arguments = [bytes_text(i.content) for i in infos if i is not None and i.major == BYTES]
        given = f" with arguments {joined(arguments)}" if arguments else ""
        return f"start {self.target(visits)}{given}"

    def _other(self, command: Command, visits: Sequence[Visit]) -> str:
        """A command of another draft, or a custom one: its name, or its number."""
        known = names.COMMANDS.get(command.number)
        if known is None:
            what = "custom" if command.number < 0 else "unknown"
            return f"{what} command {command.number} with {diagnostic(command.argument)}"
        verb, _, rest = known.partition("-")
        rest = rest.replace("-", " ")
        of = f" of {self.target(visits)}" if visits else ""
        text = f"check: {rest}{of}" if verb == "condition" else f"{rest}{of}"
        shown = command.number in _OTHER_ARGUMENT
        return f"{text} {diagnostic(command.argument)}" if shown else text


_OTHER_ARGUMENT = (34, 35)  # override-multiple, copy-params: no reporting policy either
_SENTENCES: dict[int, Callable[[Phrases, Command, Sequence[Visit]], str]] = {
    names.VENDOR_CHECK: Phrases._identity, names.CLASS_CHECK: Phrases._identity,
    names.DEVICE_CHECK: Phrases._identity, names.SLOT_CHECK: Phrases._slot,
    names.IMAGE_MATCH: Phrases._match, names.CONTENT_CHECK: Phrases._content,
    names.ABORT: Phrases._abort, names.SET_INDEX: Phrases._set_index,
    names.TRY_EACH: Phrases._try_each, names.RUN: Phrases._run, names.SET: Phrases._set,
    names.OVERRIDE: Phrases._set, names.WRITE: Phrases._write, names.FETCH: Phrases._fetch,
    names.COPY: Phrases._copy, names.SWAP: Phrases._swap, names.INVOKE_COMMAND: Phrases._invoke,
}  # fmt: skip
