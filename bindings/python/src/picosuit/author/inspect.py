# SPDX-License-Identifier: MIT
"""A file explained: the tree of its bytes, and what can be checked without a device.

Envelopes, and what stands in them: a manifest, an encryption-info. Anything else is refused by
the name of what it seems to be.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import cbor, names
from .cbor import ARRAY, BYTES, MAP, TAG, TEXT, UINT, Item
from .cose import is_signer
from .envelope import Envelope, build, digest_of, read_digest, to_sign
from .keys import Key
from .phrases import algorithm, encryption, joined, safe, size
from .problem import Problem
from .trace import Visit
from .words import Line, Node, Words, encrypt_nodes, is_severable, lines, severed_state, summary

MANIFEST_TAG = 1070
AEAD_TAG_LEN = 16  # bytes that a ciphertext is longer than its plaintext
HEX_MAX = 256  # bytes shown of one line


@dataclass(frozen=True)
class Check:
    """is_right  None: it cannot be told here"""

    offset: int
    text: str
    is_right: bool | None


@dataclass(frozen=True)
class Inspection:
    """kind  envelope, manifest or encryption-info; `envelope` is None for the other two"""

    kind: str
    data: bytes
    lines: list[Line]
    checks: list[Check]
    envelope: Envelope | None = None

    @property
    def wrong(self) -> list[str]:
        """What is not right, in words."""
        found = [check.text for check in self.checks if check.is_right is False]
        return found + [line.text for line in self.lines if line.kind == "bad"]

    def bytes_of(self, line: Line) -> bytes:
        return self.data[line.offset : line.offset + line.length]

    def as_data(self, with_hex: bool = False) -> dict[str, Any]:
        tree = []
        for line in self.lines:
            row = dict(vars(line))
            if with_hex:
                row["hex"] = self.bytes_of(line).hex()
            tree.append(row)
        short = None if self.envelope is None else summary(self.envelope).data
        return {"kind": self.kind, "size": len(self.data), "wrong": self.wrong,
                "summary": short, "checks": [vars(check) for check in self.checks],
                "tree": tree}  # fmt: skip


def inspect(
    data: bytes, file: str | None = None, keys: Sequence[tuple[str, Key]] = ()
) -> Inspection:
    """Raises Problem for what is neither of these, with the offset where reading ended.

    keys  under which signatures are checked, each with a name for people
    """
    try:
        envelope = Envelope(data, file)
    except Problem as e:
        other = _other(data, e)
        if other is None:
            raise
        return other
    words = Words(envelope)
    checks = [*_digests(envelope), *_payloads(words), *_signatures(envelope, keys)]
    return Inspection("envelope", data, lines(words.root), checks, envelope)


# -- Checks --------------------------------------------------------------------------------------


def _digests(envelope: Envelope) -> Iterator[Check]:
    """That of the manifest, and of what was severed from it."""
    alg, _ = envelope.signed_digest
    start = envelope.digest_bstr.start
    if alg != names.SHA256:
        yield Check(start, f"the manifest's digest is {algorithm(alg)}: not checked", None)
    else:
        state = "right" if envelope.is_digest_right else "WRONG: signed was another manifest"
        yield Check(start, f"the manifest's digest is {state}", envelope.is_digest_right)
    for key in names.SEVERABLE:
        if is_severable(envelope, key):
            right, says = severed_state(envelope, key)
            item = envelope.members.get(key) or envelope.manifest.get(key)
            offset = item.start if item is not None else start
            yield Check(offset, f"{names.MEMBERS[key]}: {says}", right)


def _payloads(words: Words) -> Iterator[Check]:
    """Integrated payloads against the digests that end an update if they do not match."""
    used: set[str] = set()
    seen: dict[str, Check] = {}
    for visit in words.trace.visits:
        uri = visit.get(names.P_URI)
        if visit.command.number == names.FETCH and uri is not None and uri.major == TEXT:
            used.add(str(uri.text))
        if visit.command.number == names.IMAGE_MATCH and visit.is_final:
            for check in _matched(words, visit):
                seen.setdefault(check.text, check)
    yield from seen.values()
    for key, item in words.envelope.payloads.items():
        if key not in used and words.is_complete:
            yield Check(item.start, f"payload {safe(key)}: nothing fetches it", None)


def _matched(words: Words, visit: Visit) -> Iterator[Check]:
    origin = visit.content.get(visit.component)
    if origin is None or origin.uri is None or origin.uri.major != TEXT:
        return
    payload = words.envelope.payloads.get(str(origin.uri.text))
    digest, image_size = visit.get(names.P_DIGEST), visit.get(names.P_SIZE)
    if payload is None or digest is None:
        return
    name = f"payload {safe(str(origin.uri.text))}"
    want = image_size.value if image_size is not None and image_size.major == UINT else None
    if origin.encryption:
        yield _encrypted(name, payload, want, origin.encryption)
        return
    try:
        alg, value = read_digest(digest.want(BYTES, "a digest").inner())
    except Problem as e:
        yield Check(payload.start, f"{name}: its digest is malformed: {safe(e.what)}", False)
        return
    where = words.component(visit.component)
    if want is not None and want != payload.value:
        yield Check(payload.start, f"{name}: {size(payload.value)}, but {where} is to have "
                    f"{size(want)}", False)  # fmt: skip
    elif alg != names.SHA256:
        yield Check(payload.start, f"{name}: {algorithm(alg)} is not checked", None)
    elif value == digest_of(payload.content):
        yield Check(payload.start, f"{name}: digest right for {where}", True)
    else:
        yield Check(payload.start, f"{name}: digest WRONG for {where}", False)


def _encrypted(name: str, payload: Item, want: int | None, infos: Sequence[Item]) -> Check:
    """Only the length of a ciphertext can be held against what is to come out of it."""
    try:
        tags = [AEAD_TAG_LEN if encryption(info).is_aead else 0 for info in infos]
    except Problem as e:
        return Check(payload.start, f"{name}: its encryption-info: {safe(e.what)}", False)
    if want is not None and payload.value != want + sum(tags):
        return Check(payload.start, f"{name}: {size(payload.value)}, but encrypted {size(want)} "
                     f"have {size(want + sum(tags))}", False)  # fmt: skip
    return Check(payload.start, f"{name}: encrypted, its digest shows on the device only", None)


def _signatures(envelope: Envelope, keys: Sequence[tuple[str, Key]]) -> Iterator[Check]:
    for name, key in keys:
        if not is_signer(key):
            raise Problem(f"{key.name} signs nothing", file=name)
    good = False
    digest = envelope.digest_bstr.content
    for n, item in enumerate(envelope.blocks, 1):
        try:
            block = envelope.block(item)
        except Problem:
            continue  # the tree says what it is
        context = "MAC0" if item.value == 17 else "Signature1"
        message = to_sign(block.protected, digest, context)
        by = [name for name, key in keys
              if key.alg == block.alg and key.verifies(block.signature, message)]  # fmt: skip
        if by:
            good = True
            yield Check(item.start, f"signature {n}: right, by {safe(joined(by))}", True)
        else:
            why = "by none of the keys given" if keys else "not checked, no key given (--key)"
            yield Check(item.start, f"signature {n}: {why}", None)
    if keys and not good:
        yield Check(envelope.wrapper.start, "no signature is right under a key given", False)


# -- Other files ---------------------------------------------------------------------------------


def _other(data: bytes, problem: Problem) -> Inspection | None:
    """What stands in envelopes is explained. For anything else the Problem is given a hint."""
    if data.startswith(b"-----BEGIN "):
        problem.hint = "this is a PEM file: picosuit key show"
    try:
        item = cbor.read(data)
    except Problem:
        return None
    if item.major == TAG and item.value == names.ENVELOPE_TAG:
        return None
    inner = item.children[0] if item.major == TAG and item.value == MANIFEST_TAG else item
    is_manifest = inner.major == MAP and _is_kind(inner, 2, UINT) and _is_kind(inner, 3, BYTES)
    if is_manifest and inner.get(1) is not None:
        return _manifest(data, inner)
    if item.major == TAG and item.value == 96:
        return _encryption_info(data)
    problem.hint = _hint(item) or problem.hint
    return None


def _is_kind(item: Item, key: int, major: int) -> bool:
    value = item.get(key)
    return value is not None and value.major == major


def _hint(item: Item) -> str | None:
    if item.major == MAP and _is_kind(item, 2, BYTES) and _is_kind(item, 3, BYTES):
        return "an envelope without its tag: d8 6b belongs in front of it"
    first = item.children[0] if item.major == ARRAY and item.children else item
    if first.major == MAP and _is_kind(first, 1, UINT) and first.get(-1) is not None:
        what = "a COSE_KeySet" if item.major == ARRAY else "a COSE_Key"
        return f"this seems to be {what}: picosuit key show"
    if item.major == MAP and (item.get(4) is not None or item.get(99) is not None):
        return "this seems to be a SUIT_Report: picosuit report"
    if item.major == TAG and item.value in names.COSE_TAGS:
        return f"this is a {names.COSE_TAGS[item.value]}"
    return None


def _manifest(data: bytes, manifest: Item) -> Inspection:
    """A manifest alone, as it stands in an envelope made for it."""
    try:
        envelope = Envelope(build(manifest.encoded))
    except Problem as e:
        raise Problem(f"a manifest, but {e.what}", offset=None if e.offset is None else
                      e.offset - _shift(manifest)) from None  # fmt: skip
    node = next(child for child in Words(envelope).root.children if child.label == "manifest")
    found = lines(node)
    shift = envelope.manifest.start - manifest.start
    tree = [replace(line, offset=line.offset - shift) for line in found[1:]]
    digest = digest_of(cbor.encode(manifest.encoded)).hex()
    length = size(len(manifest.encoded))
    text = f"SUIT manifest of {length}, no envelope; its digest: SHA-256 {digest}"
    top = replace(found[0], offset=0, length=manifest.body, extent=len(data), text=text)
    return Inspection("manifest", data, [top, *tree], [])


def _shift(manifest: Item) -> int:
    """By how much a manifest moves when `build` puts it into an envelope."""
    whole = build(manifest.encoded)
    return len(whole) - len(manifest.encoded) - manifest.start


def _encryption_info(data: bytes) -> Inspection:
    wrapped = cbor.read(cbor.encode(data))
    text = encryption(wrapped).text
    stop, children = encrypt_nodes(wrapped)
    root = Node(wrapped.body, stop, "encryption-info", f"encryption-info: {text}",
                "COSE_Encrypt (96)", "frame", children=children)  # fmt: skip
    tree = [replace(line, offset=line.offset - wrapped.body) for line in lines(root)]
    return Inspection("encryption-info", data, tree, [])
