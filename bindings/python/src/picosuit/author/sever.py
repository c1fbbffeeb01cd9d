# SPDX-License-Identifier: MIT
"""Takes severable members and integrated payloads out of an envelope, and puts them back.

The signature covers digests of the members, so it stays good. Source: draft-ietf-suit-manifest-37
5.4, 5.5, 8.6.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from . import cbor, names
from .envelope import Envelope, all_commands, digest_of
from .problem import Problem


@dataclass(frozen=True)
class Severed:
    """An envelope with less in it, and what was taken out of it.

    members   contents by name: text, install, ...
    payloads  contents by key
    """

    envelope: bytes
    members: dict[str, bytes]
    payloads: dict[str, bytes]


def severable(e: Envelope) -> list[str]:
    """Names of the members that are in the envelope and can be taken out."""
    return [names.ENVELOPE[key] for key in sorted(e.members)]


def sever(e: Envelope, members: Collection[str], payloads: Collection[str]) -> Severed:
    """Takes out members by name and payloads by key. Raises Problem for what is not there, for
    what stands in the manifest itself, and for an envelope that was changed."""
    _check_digest(e)
    taken = {name: _member(e, name) for name in members}
    for key in payloads:
        if key not in e.payloads:
            raise Problem(f"no payload has the key {key!r}", file=e.file,
                          hint="it has: " + (", ".join(e.payloads) or "none"))  # fmt: skip
    rest = {key: item.content for key, item in e.members.items()
            if names.ENVELOPE[key] not in taken}  # fmt: skip
    kept = {key: item.content for key, item in e.payloads.items() if key not in payloads}
    return Severed(e.rebuilt(members=rest, payloads=kept), taken,
                   {key: e.payloads[key].content for key in payloads})  # fmt: skip


def _check_digest(e: Envelope) -> None:
    if not e.is_digest_right:
        raise Problem("the manifest does not match its digest: the envelope was changed",
                      file=e.file, offset=e.digest.start)  # fmt: skip


def _member(e: Envelope, name: str) -> bytes:
    """Content of a severable member that is in the envelope and is what the manifest says."""
    number = {known: key for key, known in names.ENVELOPE.items()}.get(name)
    if number not in names.SEVERABLE:
        can = ", ".join(names.ENVELOPE[n] for n in names.SEVERABLE)
        raise Problem(f"{name} cannot be severed", file=e.file, hint=f"these can: {can}")
    item, place = e.members.get(number), e.manifest.get(number)
    if item is None:
        if place is not None and place.major == cbor.BYTES:
            raise Problem(f"{name} stands in the manifest and is signed with it",
                          file=e.file, offset=place.start,
                          hint=f'create with severable = ["{name}"]')  # fmt: skip
        raise Problem(f"{name} is severed already" if place is not None else f"it has no {name}",
                      file=e.file)  # fmt: skip
    _check_member(e, number, item.content)
    return item.content


def _check_member(e: Envelope, number: int, content: bytes) -> None:
    expected = e.severed(number)
    if expected != (names.SHA256, digest_of(cbor.encode(content))):
        item = e.members.get(number)
        raise Problem(f"{names.ENVELOPE[number]} does not match its digest in the manifest",
                      file=e.file, offset=item.start if item is not None else None)  # fmt: skip


def restore(e: Envelope, contents: Mapping[str, bytes]) -> bytes:
    """Puts members (by name) or payloads (by key) back. A member must match its digest in the
    manifest, a payload one of the image-digests; what is encrypted has no digest to match."""
    _check_digest(e)
    members = {key: item.content for key, item in e.members.items()}
    payloads = {key: item.content for key, item in e.payloads.items()}
    numbers = {names.ENVELOPE[key]: key for key in names.SEVERABLE}
    for name, content in contents.items():
        if name in numbers:
            number = numbers[name]
            if e.severed(number) is None:
                raise Problem(f"the manifest has no digest of {name}", file=e.file)
            _check_member(e, number, content)
            members[number] = content
        else:
            _check_payload(e, name, content)
            payloads[name] = content
    return e.rebuilt(members=members, payloads=payloads)


def _check_payload(e: Envelope, key: str, content: bytes) -> None:
    """Its key is a URI of the manifest, its digest one that is expected. Sequences that are
    severed and gone cannot be looked at."""
    digests, uris, is_encrypted = set(), set(), False
    for section in (names.SHARED, *names.SECTIONS):
        sequence = e.section(section)
        for command in all_commands(sequence) if sequence is not None else ():
            if command.number not in (names.SET, names.OVERRIDE):
                continue
            values = command.argument.want(cbor.MAP, "parameters")
            uri, digest = values.get(names.P_URI), values.get(names.P_DIGEST)
            is_encrypted |= values.get(names.P_ENCRYPTION) is not None
            if uri is not None:
                uris.add(uri.text)
            if digest is not None:
                digests.add(digest.want(cbor.BYTES, "image-digest").inner().children[1].content)
    if key not in uris:
        found = ", ".join(sorted(map(str, uris))) or "nothing"
        raise Problem(f"the manifest fetches nothing from {key!r}", file=e.file,
                      hint=f"it fetches: {found}")  # fmt: skip
    if digest_of(content) not in digests and not is_encrypted:
        raise Problem(f"the content for {key!r} matches no image-digest of the manifest",
                      file=e.file)  # fmt: skip
