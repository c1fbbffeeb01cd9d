# SPDX-License-Identifier: MIT
"""An envelope in plain English: as a tree of lines that covers every byte, and as a summary.

Nothing that `Envelope` parses is too odd for this: what has no name keeps its number, what is
malformed deeper down becomes one line that says so.
"""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import ids, names
from .cbor import ARRAY, BYTES, KINDS, MAP, TAG, TEXT, Item
from .envelope import Command, Envelope, commands, digest_of, read_digest
from .phrases import (
    Phrases,
    algorithm,
    bytes_text,
    count,
    diagnostic,
    identifier,
    joined,
    recipient,
    recipient_text,
    safe,
    size,
)
from .problem import Problem

SECTION_WORDS = {
    names.SHARED: "what every section starts with", 16: "fetch payloads into staging areas",
    20: "put the update in place", 7: "check what is installed", 8: "load what is to be started",
    9: "start what is installed", 15: "fetch other manifests", 18: "check before installing",
    24: "remove what was installed",
}  # fmt: skip

IDENTITIES_MAX = 64  # of each kind that a summary names: who signs must know for whom

# -- The tree ------------------------------------------------------------------------------------


@dataclass
class Node:
    """start, stop  bytes of its own; its children follow, without a gap
    label        where one is, in a path: "install", "command 3"
    text         the sentence
    name         name and number in the draft, or ""
    kind         frame, command, condition, parameter, value, payload, signature, bad
    is_right     outcome of a check that belongs here; None: nothing to check
    """

    start: int
    stop: int
    label: str
    text: str
    name: str = ""
    kind: str = "value"
    is_right: bool | None = None
    children: list[Node] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Behind the last byte of all that it holds."""
        return self.children[-1].end if self.children else self.stop

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True)
class Line:
    """One line of the tree. It stands for data[offset : offset + length]; no two lines overlap
    and none is missing. `extent` counts the lines below it, too."""

    depth: int
    offset: int
    text: str
    length: int
    extent: int
    label: str
    name: str
    kind: str
    is_right: bool | None


def lines(root: Node) -> list[Line]:
    return [Line(depth, node.start, node.text, node.stop - node.start, node.end - node.start,
                 node.label, node.name, node.kind, node.is_right)
            for depth, node in root.walk()]  # fmt: skip


def describe(envelope: Envelope) -> list[Line]:
    return lines(Words(envelope).root)


def at(envelope: Envelope, offset: int) -> str:
    """What stands at a byte: "install, command 2: fetch app from #a (34,768 bytes)"."""
    return place(describe(envelope), offset)


def place(tree: Sequence[Line], offset: int) -> str:
    """The same, of lines that are there already."""
    n = bisect_right([line.offset for line in tree], max(offset, 0)) - 1
    line = tree[n]
    if not 0 <= offset < line.offset + line.length:
        return f"beyond the end, {size(tree[0].extent)}"
    path, depth = [line.label], line.depth
    for before in reversed(tree[:n]):
        if 0 < before.depth < depth:
            depth = before.depth
            if before.label not in ("manifest", "common"):
                path.append(before.label)
    where = ", ".join(reversed(path))
    return line.text if line.text.startswith(where) else f"{where}: {line.text}"


def generic(item: Item, label: str, kind: str = "value", start: int | None = None) -> Node:
    """Any item; what has more than a few elements in lines of their own."""
    start = item.start if start is None else start
    text = diagnostic(item)
    if not item.children or len(text) < 70 and "..." not in text:
        return Node(start, item.end, label, f"{label}: {text}", kind=kind)
    what = f"tag {item.value}" if item.major == TAG else f"{KINDS[item.major]} of {item.value}"
    node = Node(start, item.body, label, f"{label}: {what}", kind=kind)
    if item.major == MAP:
        node.children = [generic(value, diagnostic(key), kind, key.start)
                         for key, value in item.pairs]  # fmt: skip
    else:
        node.children = [generic(child, str(n), kind) for n, child in enumerate(item.children)]
    return node


def bad(start: int, stop: int, label: str, problem: Problem) -> Node:
    where = "" if problem.offset is None else f" at byte {problem.offset}"
    return Node(start, stop, label, f"{label}: cannot be read{where}: {safe(problem.what)}",
                kind="bad", is_right=False)  # fmt: skip


class Words(Phrases):
    """The same, and the tree."""

    @cached_property
    def root(self) -> Node:
        return self._envelope()

    # -- envelope --------------------------------------------------------------------------

    def _envelope(self) -> Node:
        envelope = self.envelope
        parts = envelope.map.value
        root = Node(0, envelope.map.body, "envelope",
                    f"SUIT envelope of {size(len(envelope.data))}: {count(parts, 'member')}",
                    f"tag {names.ENVELOPE_TAG}", "frame")  # fmt: skip
        for key, value in envelope.map.pairs:
            if key.major == TEXT:
                root.children.append(self._payload(key, value))
            elif key.number == names.WRAPPER:
                root.children.append(self._wrapper(key, value))
            elif key.number == names.MANIFEST:
                root.children.append(self._manifest(key, value))
            else:
                root.children.append(self._severed(key, value))
        return root

    def _payload(self, key: Item, value: Item) -> Node:
        name = safe(str(key.text))
        digest = digest_of(value.content).hex()
        return Node(key.start, value.end, f"payload {name}",
                    f"payload {name}: {size(value.value)}, SHA-256 {digest}",
                    "integrated-payload", "payload")  # fmt: skip

    def _wrapper(self, key: Item, value: Item) -> Node:
        envelope = self.envelope
        wrapper = value.inner()
        blocks = envelope.blocks
        signed = count(len(blocks), "signature") if blocks else "not signed"
        node = Node(key.start, wrapper.body, "authentication wrapper",
                    f"authentication wrapper: {signed}",
                    "authentication-wrapper (2)", "frame")  # fmt: skip
        first, *rest = wrapper.children
        alg, digest = envelope.signed_digest
        right: bool | None = None
        says = "not checked"
        if alg == names.SHA256:
            right = envelope.is_digest_right
            says = "right" if right else "WRONG: of another manifest"
        node.children.append(
            Node(first.start, first.end, "digest",
                 f"digest of the manifest, which is signed: {algorithm(alg)} "
                 f"{digest.hex()} [{says}]", "digest", "signature", right))  # fmt: skip
        for n, (outer, block) in enumerate(zip(rest, blocks), 1):
            node.children.append(self._block(n, outer, block))
        return node

    def _block(self, n: int, outer: Item, block: Item) -> Node:
        label = f"signature {n}"
        kind = names.name_of(names.COSE_TAGS, block.value)
        if block.value not in (17, 18):
            return generic(block, f"{label}, {kind}, which no device here takes", "signature",
                           outer.start)  # fmt: skip
        try:
            parsed = self.envelope.block(block)
        except Problem as e:
            return bad(outer.start, outer.end, label, e)
        protected, unprotected, payload, signature = block.children[0].children
        kid = "" if parsed.kid is None else f" by {bytes_text(parsed.kid)}"
        node = Node(outer.start, block.children[0].body, label,
                    f"{label}: {algorithm(parsed.alg)}{kid}", kind, "signature")  # fmt: skip
        what = "MAC tag" if block.value == 17 else "signature"
        node.children = [
            _header(protected, "protected header"), _header(unprotected, "unprotected header"),
            Node(payload.start, payload.end, "payload", "payload: detached, it is the digest above")
            if payload.is_null
            else Node(payload.start, payload.end, "payload",
                      f"payload: attached, which is refused: {diagnostic(payload)}", kind="bad",
                      is_right=False),
            Node(signature.start, signature.end, what,
                 f"{what}: {bytes_text(signature.content)}", what,
                 "signature"),
        ]  # fmt: skip
        return node

    def _severed(self, key: Item, value: Item) -> Node:
        """A member of the envelope whose digest is in the manifest."""
        number = key.number or 0
        right, says = severed_state(self.envelope, number)
        node = self._member(number, key.start, value)
        node.text = f"{node.text} [{says}]"
        node.is_right = right if node.is_right is not False else False
        return node

    # -- manifest --------------------------------------------------------------------------

    def _manifest(self, key: Item, value: Item) -> Node:
        manifest = self.envelope.manifest
        node = Node(key.start, manifest.body, "manifest",
                    f"manifest of {size(value.value)}, all of it signed", "manifest (3)",
                    "frame")  # fmt: skip
        for number, item in ((k.number or 0, (k, v)) for k, v in manifest.pairs):
            node.children.append(self._manifest_member(number, *item))
        return node

    def _manifest_member(self, number: int, key: Item, value: Item) -> Node:
        name = f"{names.name_of(names.MEMBERS, number)} ({number})"

        def leaf(label: str, text: str) -> Node:
            return Node(key.start, value.end, label, f"{label}: {text}", name)

        if number == 1:
            return leaf("manifest version", str(value.number))
        if number == 2:
            return leaf("sequence number", f"{self.envelope.sequence:,}")
        if number == 3:
            return self._common(key, value)
        if number == 4 and value.major == TEXT:
            return leaf("reference URI", safe(str(value.text)))
        if number in names.SEVERABLE and value.major == ARRAY:
            return self._reference(number, key, value, name)
        if number == 5:
            return leaf("component for the manifest itself", diagnostic(value))
        if number == 6:
            return leaf("version that is set", diagnostic(value))
        return self._member(number, key.start, value)

    def _reference(self, number: int, key: Item, value: Item, name: str) -> Node:
        """A member that was made severable: its digest."""
        label = names.name_of(names.MEMBERS, number)
        try:
            alg, digest = read_digest(value)
        except Problem as e:
            return bad(key.start, value.end, label, e)
        right, says = severed_state(self.envelope, number)
        return Node(key.start, value.end, label,
                    f"{label}: outside the manifest, {algorithm(alg)} {digest.hex()} [{says}]",
                    name, "frame", right)  # fmt: skip

    def _common(self, key: Item, value: Item) -> Node:
        node = Node(key.start, self.envelope.common.body, "common", "common to all sections",
                    "common (3)", "frame")  # fmt: skip
        for inner, item in self.envelope.common.pairs:
            if inner.number == 2:
                node.children.append(self._components(inner, item))
            elif inner.number == 4:
                node.children.append(self._sequence(names.SHARED, inner.start, item))
            else:
                label = names.name_of(names.COMMON, inner.number or 0)
                node.children.append(generic(item, label, start=inner.start))
        return node

    def _components(self, key: Item, value: Item) -> Node:
        total = count(len(value.children), "component")
        node = Node(key.start, value.body, "components", f"{total} of the device",
                    "components (2)", "frame")  # fmt: skip
        for n, item in enumerate(value.children):
            full = ids.component_text(self.envelope.components[n])
            short = self.component(n)
            also = "" if short == full else f" {safe(full)}"
            node.children.append(
                Node(item.start, item.end, f"component {n}", f"component {n}: {short}{also}")
            )
        return node

    def _member(self, number: int, start: int, value: Item) -> Node:
        """A member in place, or severed and still there."""
        name = names.name_of(names.MEMBERS, number)
        if number in SECTION_WORDS:
            return self._sequence(number, start, value)
        if number == 23:
            try:
                return self._text(start, value)
            except Problem:
                pass  # the device does not look at it: any bytes do
        if value.major == BYTES:
            return Node(start, value.end, name,
                        f"{name}: {size(value.value)} {bytes_text(value.content)}",
                        f"{name} ({number})")  # fmt: skip
        return generic(value, name, start=start)

    def _text(self, start: int, value: Item) -> Node:
        languages = value.want(BYTES, "text").inner().want(MAP, "text")
        many = joined((safe(str(k.text), 40) for k, _ in languages.pairs), "and") if (
            languages.pairs) else "no languages"  # fmt: skip
        node = Node(
            start, languages.body, "text", f"texts for people: {many}", "text (23)", "frame"
        )
        for language, entries in languages.pairs:
            node.children.append(self._language(language, entries))
        return node

    def _language(self, language: Item, entries: Item) -> Node:
        label = safe(str(language.text), 40)
        if entries.major != MAP:
            return generic(entries, label, start=language.start)
        node = Node(language.start, entries.body, label, f"in language {label}")
        for key, value in entries.pairs:
            if key.major == ARRAY and value.major == MAP:
                node.children.append(_component_text(key, value))
            else:
                node.children.append(_text_line(names.TEXT_MANIFEST, key, value))
        return node

    # -- commands --------------------------------------------------------------------------

    def _sequence(self, number: int, start: int, value: Item) -> Node:
        name = {names.SHARED: "shared sequence"}.get(number, names.name_of(names.MEMBERS, number))
        key = 4 if number == names.SHARED else number
        try:
            sequence = value.want(BYTES, name).inner()
            found = commands(sequence)
        except Problem as e:
            return bad(start, value.end, name, e)
        node = Node(start, sequence.body, name,
                    f"{name}: {SECTION_WORDS[number]}, {count(len(found), 'command')}",
                    f"{names.name_of(names.MEMBERS, number) if key != 4 else 'shared-sequence'} "
                    f"({key})", "frame")  # fmt: skip
        node.children = self._commands(found)
        return node

    def _commands(self, found: Sequence[Command]) -> list[Node]:
        return [self._command(n, command) for n, command in enumerate(found, 1)]

    def _command(self, n: int, command: Command) -> Node:
        argument, number = command.argument, command.number
        label = f"command {n}"
        kind = "condition" if command.name.startswith("condition-") else "command"
        name = f"{command.name} ({number})" if number in names.COMMANDS else f"command {number}"
        node = Node(command.label.start, argument.end, label, "", name, kind)
        try:
            if number in (names.OVERRIDE, names.SET):
                node.children = self._parameters(command)
                node.stop = argument.body
            elif number == names.TRY_EACH:
                choices = argument.want(ARRAY, "the list of a try-each").children
                node.children = [self._choice(k, c) for k, c in enumerate(choices, 1)]
                node.stop = argument.body
            elif number == names.RUN:
                sequence = argument.want(BYTES, "a sequence to run").inner()
                node.children = self._commands(commands(sequence))
                node.stop = sequence.body
            node.text = self.sentence(command)
        except Problem as e:
            return bad(node.start, argument.end, label, e)
        return node

    def _choice(self, n: int, choice: Item) -> Node:
        label = f"way {n}"
        if choice.is_null:
            return Node(choice.start, choice.end, label, "or else: go on as if one had succeeded",
                        "nil")  # fmt: skip
        try:
            sequence = choice.want(BYTES, "a sequence to try").inner()
            found = commands(sequence)
        except Problem as e:
            return bad(choice.start, choice.end, label, e)
        node = Node(choice.start, sequence.body, label, f"{label}:", kind="frame")
        node.children = self._commands(found)
        return node

    def _parameters(self, command: Command) -> list[Node]:
        nodes = []
        for key, value in command.argument.want(MAP, "the argument").pairs:
            number = key.number
            known = names.PARAMETERS.get(number) if number is not None else None
            label = known or f"parameter {diagnostic(key)}"
            name = f"parameter {number}" if known else ""
            try:
                text = self.parameter(number, value)
            except Problem as e:
                nodes.append(bad(key.start, value.end, label, e))
                continue
            node = Node(key.start, value.end, label, f"{label}: {text}", name, "parameter")
            if number == names.P_ENCRYPTION:
                node.stop, node.children = encrypt_nodes(value)
            nodes.append(node)
        return nodes


def is_severable(envelope: Envelope, number: int) -> bool:
    """A member that is in the envelope, or has a digest in the manifest."""
    item = envelope.manifest.get(number)
    return number in envelope.members or item is not None and item.major == ARRAY


def severed_state(envelope: Envelope, number: int) -> tuple[bool | None, str]:
    """Whether a severed member is what the manifest says: in a word, and in words."""
    item = envelope.members.get(number)
    try:
        reference = envelope.severed(number)
    except Problem:
        return False, "its digest in the manifest is malformed"
    if reference is None:
        return False, "the manifest has no digest of it, so nothing protects it"
    if item is None:
        return None, "severed: taken out of the envelope"
    alg, digest = reference
    if alg != names.SHA256:
        return None, f"{algorithm(alg)}: not checked"
    if digest == digest_of(item.encoded):
        return True, "digest right"
    return False, "digest WRONG: not what the manifest says"


def _header(item: Item, label: str) -> Node:
    """A header map of COSE, in a byte string or not."""
    try:
        inner = item.inner() if item.major == BYTES and item.value else item
        pairs = inner.pairs if inner.major == MAP else ()
        texts = [f"{names.name_of(names.COSE_HEADERS, k.number)} {_header_value(k, v)}"
                 if k.number is not None else f"{diagnostic(k)} {diagnostic(v)}"
                 for k, v in pairs]  # fmt: skip
    except Problem as e:
        return bad(item.start, item.end, label, e)
    return Node(item.start, item.end, label, f"{label}: {', '.join(texts) or 'empty'}")


def _header_value(key: Item, value: Item) -> str:
    if key.number == 1 and value.number is not None:
        return f"{algorithm(value.number)} ({value.number})"
    if key.number == -1 and value.major == MAP:
        curve, x = value.get(-1), value.get(-2)
        if curve is not None and curve.number in names.CURVES and x is not None:
            return f"{names.CURVES[curve.number]} {diagnostic(x)}"
    return diagnostic(value)


def encrypt_nodes(value: Item) -> tuple[int, list[Node]]:
    """Where the head of an encryption-info ends, and its parts. It has been read before."""
    fields = value.inner().children[0].children
    recipients = fields[3]
    many = Node(recipients.start, recipients.body, "recipients",
                count(len(recipients.children), "recipient"), kind="frame")  # fmt: skip
    for n, item in enumerate(recipients.children, 1):
        parts = item.children
        whom = recipient_text(*recipient(item))
        one = Node(item.start, item.body, f"recipient {n}", f"recipient {n}: {whom}")
        one.children = [
            _header(parts[0], "protected header"), _header(parts[1], "unprotected header"),
            Node(parts[2].start, parts[2].end, "wrapped key",
                 f"content key, wrapped: {diagnostic(parts[2])}"),
        ]  # fmt: skip
        many.children.append(one)
    return value.inner().children[0].body, [
        _header(fields[0], "protected header"), _header(fields[1], "unprotected header"),
        Node(fields[2].start, fields[2].end, "ciphertext",
             "ciphertext: detached, it is the payload" if fields[2].is_null
             else f"ciphertext: {diagnostic(fields[2])}"),
        many,
    ]  # fmt: skip


def _component_text(key: Item, value: Item) -> Node:
    parts = tuple(part.content for part in key.children if part.major == BYTES)
    name = identifier(parts) if len(parts) == len(key.children) else diagnostic(key)
    node = Node(key.start, value.body, name, f"about {name}")
    node.children = [_text_line(names.TEXT_COMPONENT, k, v) for k, v in value.pairs]
    return node


def _text_line(table: dict[int, str], key: Item, value: Item) -> Node:
    number = key.number
    name = diagnostic(key) if number is None else names.name_of(table, number).replace("-", " ")
    text = safe(str(value.text)) if value.major == TEXT else diagnostic(value)
    return Node(key.start, value.end, name, f"{name}: {text}")


# -- The summary ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """data  for --json; rows  the same for people: a heading, and a line for it"""

    data: dict[str, Any]
    rows: list[tuple[str, str]]

    def __str__(self) -> str:
        return "\n".join(f"{heading:12}{text}" for heading, text in self.rows)

    def __rich__(self) -> Any:
        from rich.text import Text

        rows = (Text.assemble((f"{heading:12}", "bold"), text) for heading, text in self.rows)
        return Text("\n").join(rows)


def summary(envelope: Envelope) -> Summary:
    """What whoever signs or installs this agrees to."""
    words = Words(envelope, peeks=False)  # nobody signs the payloads that are there today
    sequence, uri = envelope.sequence, envelope.manifest.get(4)
    alg, digest = envelope.signed_digest
    manifest_size = len(envelope.manifest_bstr.content)
    writes, loads, starts = words.writes(), words.writes("invoke"), words.starts()
    signers = [_signer(envelope, block) for block in envelope.blocks]
    whom = {what: words.identities(number) for what, number in (
        ("vendor", names.VENDOR_CHECK), ("class", names.CLASS_CHECK),
        ("device", names.DEVICE_CHECK))}  # fmt: skip
    severed = [(names.MEMBERS[key], *severed_state(envelope, key)) for key in names.SEVERABLE
               if is_severable(envelope, key)]  # fmt: skip
    payloads = [(safe(key), item.value, digest_of(item.content).hex())
                for key, item in envelope.payloads.items()]  # fmt: skip
    reference = str(uri.text) if uri is not None and uri.major == TEXT else None
    data = {
        "sequence": sequence, "digest": digest, "digest_algorithm": algorithm(alg),
        "digest_right": envelope.is_digest_right, "envelope_size": len(envelope.data),
        "manifest_size": manifest_size, "reference_uri": reference,
        "components": [words.component(n) for n in range(len(envelope.components))],
        "for": whom, "writes": [write.data for write in writes],
        "loads": [write.data for write in loads], "starts": starts,
        "signers": [signer for signer, _ in signers],
        "severed": [{"member": name, "is_right": right, "state": says}
                    for name, right, says in severed],
        "payloads": [{"key": key, "size": n, "sha256": value} for key, n, value in payloads],
        "complete": words.is_complete,
    }  # fmt: skip
    is_wrong = alg == names.SHA256 and not envelope.is_digest_right
    wrong = ", which is NOT its digest" if is_wrong else ""
    signed = f"{size(manifest_size)}, {algorithm(alg)} {digest.hex()}{wrong}"
    rows = [("update", f"number {sequence:,}"), ("manifest", signed)]
    rows += [("for", f"{what} {joined(values, most=IDENTITIES_MAX)}")
             for what, values in whom.items() if values]  # fmt: skip
    if not any(whom.values()):
        rows.append(("for", "any device: it checks neither vendor nor class"))
    for heading, stored in (("writes", writes), ("loads", loads)):
        for write in (write for write in stored if not write.is_transit):
            rows += [(heading, write.what), ("", write.whence)]
    if not writes:
        rows.append(("writes", "nothing" if words.is_complete else "nothing that could be seen"))
    rows += [("starts", text) for text in starts]
    rows += [("signed", text) for _, text in signers] or [("signed", "by nobody")]
    rows += [("severable", f"{name}: {says}") for name, _, says in severed]
    rows += [("payload", f"{key}: {size(n)}, SHA-256 {value}") for key, n, value in payloads]
    if reference is not None:
        rows.append(("reference", safe(reference)))
    if not words.is_complete:
        why = "something is missing, malformed, not known here, or has too many ways to follow"
        rows.append(("incomplete", why))
    return Summary(data, rows)


def _signer(envelope: Envelope, item: Item) -> tuple[dict[str, Any], str]:
    kind = names.name_of(names.COSE_TAGS, item.value)
    try:
        block = envelope.block(item)
    except Problem as e:
        return {"kind": kind, "algorithm": None, "kid": None}, safe(e.what)
    by = "" if block.kid is None else f", claims to be by {bytes_text(block.kid)}"
    return ({"kind": kind, "algorithm": algorithm(block.alg), "kid": block.kid},
            f"{algorithm(block.alg)}{by}")  # fmt: skip
