# SPDX-License-Identifier: MIT
"""A SUIT envelope taken apart, with offsets, and put together again.

Source: draft-ietf-suit-manifest-37 8.2 to 8.4. Taking apart checks the framing and the types of
the members, neither signatures nor commands: `check` lets the C core do that.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from . import cbor, names
from .cbor import ARRAY, BYTES, MAP, TAG, TEXT, UINT, Item, Tag, Wrap
from .problem import Problem

ENVELOPE_HEAD = cbor.head(TAG, names.ENVELOPE_TAG)


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def digest_value(data: bytes) -> list[int | bytes]:
    """SUIT_Digest over bytes. Source: [M 10]."""
    return [names.SHA256, digest_of(data)]


@dataclass(frozen=True)
class Command:
    """One pair of a command sequence."""

    label: Item
    argument: Item

    @property
    def number(self) -> int:
        number = self.label.number
        assert number is not None  # `commands` has checked it
        return number

    @property
    def name(self) -> str:
        return names.name_of(names.COMMANDS, self.number)


def commands(sequence: Item) -> list[Command]:
    """Pairs of a command sequence, which is the array itself, not the byte string."""
    items = sequence.want(ARRAY, "a command sequence").children
    if len(items) < 2 or len(items) % 2:
        raise sequence.fail(f"a command sequence of {len(items)} elements: it is made of pairs")
    for label in items[::2]:
        if label.number is None:
            raise label.fail("the label of a command is no integer")
    return [Command(label, argument) for label, argument in zip(items[::2], items[1::2])]


def nested(command: Command) -> list[Item]:
    """Sequences inside try-each and run-sequence; the nil that may end a try-each is left out."""
    if command.number == names.RUN:
        return [command.argument.want(BYTES, "a sequence to run").inner()]
    if command.number == names.TRY_EACH:
        choices = command.argument.want(ARRAY, "the list of a try-each").children
        return [c.want(BYTES, "a sequence to try").inner() for c in choices if not c.is_null]
    return []


def all_commands(sequence: Item) -> Iterator[Command]:
    """All commands of a sequence, nested ones after the one that holds them."""
    for command in commands(sequence):
        yield command
        for inner in nested(command):
            yield from all_commands(inner)


@dataclass(frozen=True)
class Block:
    """An authentication block: COSE_Sign1, COSE_Mac0, ..."""

    item: Item  # the tag
    kind: str
    protected: bytes  # encoded header map, as it is signed
    header: dict[int, object]  # both header maps together
    signature: bytes  # or MAC tag

    @property
    def alg(self) -> int | None:
        alg = self.header.get(1)
        return alg if isinstance(alg, int) else None

    @property
    def kid(self) -> bytes | None:
        kid = self.header.get(4)
        return kid if isinstance(kid, bytes) else None


class Envelope:
    """One envelope. Items have offsets in `data`; nothing is copied.

    wrapper, manifest_bstr   values of the keys 2 and 3
    digest                   SUIT_Digest that is signed
    blocks                   authentication blocks, as items
    manifest, common         the maps
    members                  severed members, by number: byte strings
    payloads                 integrated payloads, by key: byte strings
    """

    def __init__(self, data: bytes, file: str | None = None) -> None:
        """Raises Problem with offset."""
        self.data, self.file = data, file
        try:
            self._read()
        except Problem as e:
            raise (e.within(file) if file else e) from None

    def _read(self) -> None:
        if not self.data:
            raise Problem("the file is empty", offset=0)
        if not ENVELOPE_HEAD.startswith(self.data[:2]):
            raise Problem("no SUIT envelope: it does not start with tag 107 (d8 6b)", offset=0)
        root = cbor.read(self.data)
        self.map = root.children[0].want(MAP, "the envelope")
        self.members: dict[int, Item] = {}
        self.payloads: dict[str, Item] = {}
        for key, value in self.map.pairs:
            if key.major == TEXT:
                self.payloads[str(key.text)] = value.want(BYTES, "an integrated payload")
            elif key.number in names.ENVELOPE:
                self.members[key.number or 0] = value.want(
                    BYTES, f"member {names.ENVELOPE[key.number or 0]}")
            else:
                raise key.fail(f"unknown envelope member {key.plain()!r}")
        self.wrapper = self._take(names.WRAPPER)
        self.manifest_bstr = self._take(names.MANIFEST)
        self._read_wrapper(self.wrapper.inner().want(ARRAY, "the authentication wrapper"))
        self._read_manifest(self.manifest_bstr.inner().want(MAP, "the manifest"))

    def _take(self, key: int) -> Item:
        if key not in self.members:
            raise self.map.fail(f"the envelope has no {names.ENVELOPE[key]}")
        return self.members.pop(key)

    def _read_wrapper(self, wrapper: Item) -> None:
        if not wrapper.children:
            raise wrapper.fail("the authentication wrapper is empty")
        first, *blocks = (child.want(BYTES, "an element of the authentication wrapper")
                          for child in wrapper.children)  # fmt: skip
        self.digest_bstr = first
        self.digest = first.inner().want(ARRAY, "the digest")
        self.signed_digest = read_digest(self.digest)
        self.blocks = [block.inner().want(TAG, "an authentication block") for block in blocks]

    def _read_manifest(self, manifest: Item) -> None:
        self.manifest = manifest
        version, sequence, common = (manifest.get(key) for key in (1, 2, 3))
        if version is None or version.number != 1:
            raise (version or manifest).fail("manifest-version is not 1")
        if sequence is None or sequence.major != UINT:
            raise (sequence or manifest).fail("no sequence-number")
        if common is None:
            raise manifest.fail("the manifest has no member common")
        self.sequence = sequence.value
        self.common = common.want(BYTES, "common").inner().want(MAP, "common")
        components = self.common.get(2)
        self.components: list[tuple[bytes, ...]] = []
        if components is not None:
            for item in components.want(ARRAY, "the list of components").children:
                parts = item.want(ARRAY, "a component identifier").children
                self.components.append(
                    tuple(part.want(BYTES, "a part of a component identifier").content
                          for part in parts))  # fmt: skip
        for key, _ in manifest.pairs:
            if key.number not in names.MEMBERS:
                raise key.fail(f"unknown manifest member {key.plain()!r}")

    @classmethod
    def parse(cls, data: bytes, file: str | None = None) -> Envelope:
        return cls(data, file)

    # -- what it says ------------------------------------------------------------------------

    @property
    def manifest_digest(self) -> bytes:
        """SHA-256 of the manifest's byte string with its head: what the wrapper must say."""
        return digest_of(self.manifest_bstr.encoded)

    @property
    def is_digest_right(self) -> bool:
        alg, value = self.signed_digest
        return alg == names.SHA256 and value == self.manifest_digest

    def block(self, item: Item) -> Block:
        """An authentication block taken apart. Source: RFC 9052 4.2, 6.2."""
        fields = item.children[0].want(ARRAY, "a COSE structure").children
        if item.value not in (17, 18) or len(fields) != 4:
            raise item.fail(f"{names.name_of(names.COSE_TAGS, item.value)} is not supported as an "
                            "authentication block")  # fmt: skip
        protected = fields[0].want(BYTES, "the protected header")
        header: dict[int, object] = dict(fields[1].want(MAP, "the unprotected header").plain())
        if protected.value:  # what is signed comes before what is not
            header |= protected.inner().want(MAP, "the protected header").plain()
        return Block(item, names.COSE_TAGS[item.value], protected.content, header,
                     fields[3].want(BYTES, "a signature").content)  # fmt: skip

    def severed(self, key: int) -> tuple[int, bytes] | None:
        """Algorithm and digest that stand in the manifest for a severed member; None if the
        member is in place or not there."""
        item = self.manifest.get(key)
        return read_digest(item) if item is not None and item.major == ARRAY else None

    def section(self, key: int) -> Item | None:
        """The command sequence of a section, wherever it stands; None: absent, or severed and
        gone. names.SHARED is the shared sequence."""
        if key == names.SHARED:
            item = self.common.get(4)
        else:
            item = self.manifest.get(key)
            if item is not None and item.major == ARRAY:
                item = self.members.get(key)
        if item is None:
            return None
        name = names.name_of(names.MEMBERS, key)
        return item.want(BYTES, name).inner().want(ARRAY, name)

    # -- putting together --------------------------------------------------------------------

    def rebuilt(
        self, *, manifest: bytes | None = None, blocks: Sequence[bytes] | None = None,
        members: Mapping[int, bytes] | None = None, payloads: Mapping[str, bytes] | None = None,
    ) -> bytes:  # fmt: skip
        """The encoding with other parts; what is not given stays. Another manifest has no
        blocks, unless they are given, too."""
        if blocks is None:
            blocks = [block.encoded for block in self.blocks] if manifest is None else []
        if members is None:
            members = {key: item.content for key, item in self.members.items()}
        if payloads is None:
            payloads = {key: item.content for key, item in self.payloads.items()}
        return build(self.manifest_bstr.content if manifest is None else manifest, blocks,
                     members, payloads)  # fmt: skip


def check_digests(envelope: Envelope) -> None:
    """The wrapper's digest is the manifest's, and what stands beside the manifest is what the
    manifest says: else people would be shown something else than what is signed."""
    if not envelope.is_digest_right:
        raise envelope.digest.fail("the digest in the authentication wrapper is not that of the "
                                   "manifest", "the manifest was changed afterwards")  # fmt: skip
    for number, item in envelope.members.items():
        name = names.ENVELOPE[number]
        severed = envelope.severed(number)
        if severed is None:
            raise item.fail(f"{name} stands in the envelope, but the manifest has no digest of it")
        if severed != (names.SHA256, digest_of(item.encoded)):
            raise item.fail(f"the digest of {name} in the manifest is not that of the member")


def read_digest(item: Item) -> tuple[int, bytes]:
    """Algorithm and value of a SUIT_Digest. Source: [M 10]."""
    fields = item.want(ARRAY, "a digest").children
    if len(fields) != 2 or fields[0].number is None or fields[1].major != BYTES:
        raise item.fail("a digest is not made of algorithm and bytes")
    alg, value = fields[0].number, fields[1].content
    if len(value) != names.DIGEST_LEN.get(alg, len(value)):
        name = names.name_of(names.ALGORITHMS, alg)
        raise item.fail(f"a digest of {len(value)} bytes is not {name}")
    return alg, value


def build(
    manifest: bytes, blocks: Sequence[bytes] = (), members: Mapping[int, bytes] | None = None,
    payloads: Mapping[str, bytes] | None = None,
) -> bytes:  # fmt: skip
    """Encodes an envelope.

    manifest   encoded manifest map
    blocks     encoded, tagged authentication blocks; none: an unsigned envelope
    members    encoded severed members, by number
    payloads   contents of integrated payloads, by key
    """
    digest = cbor.encode(digest_value(cbor.encode(manifest)))
    wrapper = [digest, *blocks]  # each becomes a byte string
    pairs: dict[int | str, object] = {names.WRAPPER: Wrap(wrapper), names.MANIFEST: manifest}
    pairs.update((members or {}).items())
    pairs.update((payloads or {}).items())
    return cbor.encode(Tag(names.ENVELOPE_TAG, pairs))


def to_sign(protected: bytes, digest: bytes, context: str = "Signature1") -> bytes:
    """Sig_structure or MAC_structure over an encoded SUIT_Digest. Source: RFC 9052 4.4, 6.3."""
    return cbor.encode([context, protected, b"", digest])


