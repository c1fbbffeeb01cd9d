# SPDX-License-Identifier: MIT
"""Findings about an envelope: what a device would take and an author should not have written.

Each finding has a name that stays the same (docs/author.md has a table), a severity, a byte offset
and a sentence. The rules look at what the commands would do, on every way through them.
Sources: draft-ietf-suit-manifest-37, RFC 9124, docs/choices.md.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import cbor, cost, ids, names
from .cbor import ARRAY, BYTES, MAP, TEXT, Item
from .envelope import Command, Envelope, all_commands
from .phrases import encryption
from .problem import Problem
from .profile import FEATURES, Component, Profile
from .trace import Assumed, Trace, Visit

ERROR, WARNING = "error", "warning"
SEQUENCE_MAX = (1 << 64) - 1
STEP = 1000  # a sequence number may jump so far: `picosuit create --max-step`
DIGEST_SIZE = 36  # bytes of a severed digest in the manifest, less its key
VISITS_MAX = 2000  # rules that compare commands with each other end here
RECORD_FAILURE = 2  # reporting policy
ANY_DEVICE = 16  # right
EFFECTS = (names.WRITE, names.FETCH, names.COPY)

# Name: severity, what it means and why it matters.
LINTS: dict[str, tuple[str, str]] = {
    "unsigned": (ERROR, "There is no authentication block, so no device takes it."),
    "kid-missing": (WARNING, ("The device has several keys, or the payload several recipients, and "
                    "nothing says which one to try: each wrong one costs a signature check or a "
                    "key agreement.")),
    "vendor-check-missing": (ERROR, ("The shared sequence does not check the vendor; only a key "
                             "with the right ANY_DEVICE may sign that.")),
    "class-check-missing": (ERROR, "The same for the class of device."),
    "check-not-shared": (ERROR, ("Vendor or class is checked, but not in the shared sequence: "
                         "what stands before the check, and other sections, are for everybody.")),
    "digest-in-set": (ERROR, ("A digest in set-parameters is ignored if one was set before; it "
                      "belongs into override-parameters [M 7].")),
    "digest-without-size": (WARNING, ("A digest without size: how many bytes it covers is left to "
                            "what the device has recorded.")),
    "size-unknown": (WARNING, ("A payload from a URI has no size: whoever serves it can send until "
                     "the component is full.")),
    "payload-order": (WARNING, ("An integrated payload is wanted after one that stands behind it: "
                      "who streams the envelope has to send it again from its first byte.")),
    "payload-unused": (WARNING, "No command fetches this integrated payload."),
    "payload-too-large": (ERROR, "An image is larger than its component on the device."),
    "sequence-last": (ERROR, "Sequence number 2^64-1: no update could ever follow."),
    "sequence-old": (ERROR, "The sequence number is not above the one before."),
    "sequence-jump": (ERROR, ("The sequence number jumps too far above the one before: the numbers "
                      "in between are lost for ever.")),
    "image-not-matched": (ERROR, "What is written is never compared with a digest in the update."),
    "image-not-validated": (WARNING, ("The section validate does not compare what the update has "
                            "written, so a boot would not notice damage.")),
    "invoke-not-matched": (ERROR, ("A component is started and not compared with its digest in the "
                           "same procedure; the boot state does not start it.")),
    "transient-not-copied": (ERROR, ("A payload is fetched into a transient component, and nothing "
                             "copies it from there.")),
    "encryption-unused": (ERROR, ("An encryption-info that no copy or write uses: ciphertext would "
                          "be stored as it is.")),
    "text-in-place": (WARNING, ("The text for people stands in the manifest, so every device has "
                      "to keep it in its work buffer.")),
    "severed-small": (WARNING, "A severed member is smaller than the digest that stands for it."),
    "uri-credentials": (ERROR, ("A URI has a user name or password in it: manifests are not "
                        "secret.")),
    "uri-odd": (WARNING, "A URI that is none, or is only good on one machine."),
    "failure-silent": (WARNING, ("A command that can end the procedure has a reporting policy that "
                       "does not record its failure.")),
    "too-many-recipients": (ERROR, ("With its recipients the manifest does not fit into the work "
                            "buffer of the device.")),
    "envelope-too-large": (ERROR, ("Wrapper and manifest are larger than the area in which the "
                           "device keeps them with the image.")),
    "stack-too-small": (
        ERROR,
        "The profile has less stack than the core's deepest call needs, callbacks not counted.",
    ),
    "unsupported": (ERROR, ("The device's build or capability report lacks something that the "
                    "envelope uses.")),
    "not-followed": (WARNING, ("The commands could not be followed on every way, so other findings "
                     "may be missing.")),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    name: str  # one of LINTS
    what: str
    offset: int | None = None
    hint: str | None = None

    @property
    def severity(self) -> str:
        return LINTS[self.name][0]


@dataclass(frozen=True)
class Previous:
    """The update before this one."""

    sequence: int
    name: str  # where it comes from: a file, or "the floor"


@dataclass(frozen=True)
class Capabilities:
    """What a SUIT_Capability_Report says is there. Source: draft-ietf-suit-report."""

    name: str
    commands: frozenset[int]
    parameters: frozenset[int]
    algorithms: frozenset[int]


@dataclass
class Subject:
    """What the rules look at."""

    envelope: Envelope
    profile: Profile | None = None
    previous: Previous | None = None
    capabilities: Capabilities | None = None
    need: int | None = None  # bytes of work that the envelope needs on a device
    trace: Trace = field(init=False)
    pairs: list[Visit] = field(init=False)  # for rules that compare commands with each other

    def __post_init__(self) -> None:
        self.trace = Trace(self.envelope, peeks=False)  # payloads are not signed
        seen: dict[tuple[int, int, str, tuple[Assumed, ...]], Visit] = {}
        for visit in self.trace.visits:
            if visit.command.number in (*EFFECTS, names.IMAGE_MATCH, names.INVOKE_COMMAND):
                key = (visit.command.label.start, visit.component, visit.procedure, visit.when)
                seen.setdefault(key, visit)
        self.pairs = list(seen.values())[:VISITS_MAX]
        self.copies: dict[int | None, list[tuple[int, Visit]]] = {}
        self.matches: dict[tuple[int, str], list[tuple[int, Visit]]] = {}
        for n, visit in enumerate(self.pairs):
            if visit.command.number == names.COPY:
                self.copies.setdefault(visit.source, []).append((n, visit))
            elif visit.command.number == names.IMAGE_MATCH:
                self.matches.setdefault((visit.component, visit.procedure), []).append((n, visit))
        self.is_complete = self.trace.is_complete and len(seen) <= VISITS_MAX

    def component(self, index: int) -> str:
        """['app'], for people."""
        found = self.envelope.components
        return ids.component_text(found[index]) if index < len(found) else f"component {index}"

    def on_device(self, index: int) -> Component | None:
        found = self.envelope.components
        if self.profile is None or index >= len(found):
            return None
        return self.profile.component(found[index])

    def is_transient(self, index: int) -> bool:
        """Whether the device stores nothing in it; without a profile: whether anything is copied
        from it."""
        on_device = self.on_device(index)
        return index in self.copies if on_device is None else on_device.is_transient

    def copies_after(self, at: int) -> list[Visit]:
        """From the component that pairs[at] writes, later on the same way."""
        visit = self.pairs[at]
        return [copy for n, copy in self.copies.get(visit.component, ()) if n > at
                and copy.procedure == visit.procedure
                and together(visit.when, copy.when)]  # fmt: skip

    def commands(self) -> Iterator[tuple[int, Command]]:
        """All commands with their section, whether they are ever reached or not."""
        for key in (names.SHARED, *names.SECTIONS):
            try:
                section = self.envelope.section(key)
                for command in () if section is None else all_commands(section):
                    yield key, command
            except Problem:
                continue  # the core refuses it, and says where

    def parameters(self) -> Iterator[tuple[Command, Item, Item]]:
        """All parameters that are set: command, key, value."""
        for _, command in self.commands():
            if command.number in (names.SET, names.OVERRIDE) and command.argument.major == MAP:
                for key, value in command.argument.pairs:
                    yield command, key, value


Rule = Callable[[Subject], Iterator[Finding]]


def lint(subject: Subject) -> list[Finding]:
    """All findings, errors first, then by offset."""
    found: dict[tuple[str, int | None], Finding] = {}
    for rule in RULES:
        for finding in rule(subject):
            found.setdefault((finding.name, finding.offset), finding)
    return sorted(found.values(), key=lambda f: (f.severity != ERROR, f.offset or 0))


def together(earlier: tuple[Assumed, ...], later: tuple[Assumed, ...]) -> bool:
    """Whether a way that was at `earlier` can be at `later`: what it assumed only grows."""
    return later[: len(earlier)] == earlier


# -- envelope -----------------------------------------------------------------------------------


def signatures(subject: Subject) -> Iterator[Finding]:
    envelope, profile = subject.envelope, subject.profile
    if not envelope.blocks:
        yield Finding("unsigned", "nobody has signed this envelope", envelope.wrapper.start,
                      "picosuit sign")  # fmt: skip
    for item in envelope.blocks:
        try:
            block = envelope.block(item)
        except Problem:
            continue
        keys = [] if profile is None else [k for k in profile.anchors if k.alg == block.alg]
        if block.kid is None and len(keys) > 1:
            yield Finding("kid-missing", f"a signature without kid, the device tries up to "
                          f"{len(keys)} keys", item.start)  # fmt: skip


def severed(subject: Subject) -> Iterator[Finding]:
    envelope = subject.envelope
    text = envelope.manifest.get(23)
    if text is not None and text.major == BYTES:
        yield Finding("text-in-place", f"the text of {text.value:,} bytes is part of the manifest",
                      text.start, "make it severable")  # fmt: skip
    for key, member in envelope.members.items():
        if key in names.SEVERABLE and member.end - member.start < DIGEST_SIZE:
            name = names.name_of(names.ENVELOPE, key)
            yield Finding("severed-small", f"{name} has {member.value} bytes, the digest in its "
                          f"place {DIGEST_SIZE}", member.start)  # fmt: skip


def area(subject: Subject) -> Iterator[Finding]:
    if subject.profile is None or subject.profile.envelope_max is None:
        return
    envelope, room = subject.envelope, subject.profile.envelope_max
    need = stored_len(envelope)
    if need > room:
        yield Finding("envelope-too-large", f"{need:,} bytes are stored with the image, the "
                      f"manifest area has {room:,}", envelope.manifest_bstr.start)  # fmt: skip


def stack(subject: Subject) -> Iterator[Finding]:
    profile = subject.profile
    if profile is None or profile.stack is None:
        return
    need = cost.stack(profile.processor)
    if need > profile.stack:
        yield Finding("stack-too-small", f"{need:,} bytes of stack are needed, the device has "
                      f"{profile.stack:,}")  # fmt: skip


def stored_len(envelope: Envelope) -> int:
    """Bytes of the severed envelope: tag, map of two, wrapper and manifest with their keys."""
    wrapper, manifest = envelope.wrapper, envelope.manifest_bstr
    return 3 + 2 + wrapper.end - wrapper.start + manifest.end - manifest.start


def sequence(subject: Subject) -> Iterator[Finding]:
    item = subject.envelope.manifest.get(2)
    assert item is not None  # Envelope has checked it
    number, before = item.value, subject.previous
    if number == SEQUENCE_MAX:
        yield Finding("sequence-last", "sequence number 2^64-1, the last there is", item.start)
    if before is None:
        return
    step = (subject.profile and subject.profile.sequence_step) or STEP
    if number <= before.sequence:
        yield Finding("sequence-old", f"sequence number {number:,} after {before.sequence:,} "
                      f"({before.name})", item.start)  # fmt: skip
    elif number - before.sequence > step:
        yield Finding(
            "sequence-jump", f"sequence number {number:,} after {before.sequence:,} "
            f"({before.name}), the step is at most {step:,}", item.start,
            "if it is meant: [sequence] step in the profile")  # fmt: skip


# -- compatibility ------------------------------------------------------------------------------


def compatibility(subject: Subject) -> Iterator[Finding]:
    checks = {names.VENDOR_CHECK: "vendor", names.CLASS_CHECK: "class"}
    if subject.profile and any(key.rights & ANY_DEVICE for key in subject.profile.anchors):
        return  # whoever has that right may leave them out; of others the core asks for them
    shared = {command.number: command for key, command in subject.commands()
              if key == names.SHARED}  # fmt: skip
    for number, word in checks.items():
        if number in shared:
            if any(not way.has(number) for ways in subject.trace.ends.values() for way in ways):
                yield Finding(f"{word}-check-missing", f"the {word} of the device is not checked "
                              "on every way", shared[number].label.start)  # fmt: skip
            continue
        elsewhere = [c for _, c in subject.commands() if c.number == number]
        if elsewhere:
            yield Finding("check-not-shared", f"the {word} is checked, but not in the shared "
                          "sequence", elsewhere[0].label.start)  # fmt: skip
        else:
            item = subject.envelope.common.get(4) or subject.envelope.common
            yield Finding(f"{word}-check-missing", f"the {word} of the device is never checked",
                          item.start)  # fmt: skip


def supported(subject: Subject) -> Iterator[Finding]:
    """Switches of the build, then the capability report."""
    envelope, profile, caps = subject.envelope, subject.profile, subject.capabilities
    lacking = frozenset(FEATURES) - profile.features if profile is not None else frozenset()
    for item, switch, what in _features(subject):
        if switch in lacking:
            yield Finding("unsupported", f"{what}, and the build has no "
                          f"PICOSUIT_WITH_{switch}", item.start)  # fmt: skip
    if caps is None:
        return
    for _, command in subject.commands():
        if command.number not in caps.commands:
            yield Finding("unsupported", f"{command.name} is not in {caps.name}",
                          command.label.start)  # fmt: skip
    for _, key, _ in subject.parameters():
        if key.number is not None and key.number not in caps.parameters:
            name = names.name_of(names.PARAMETERS, key.number)
            yield Finding("unsupported", f"parameter {name} is not in {caps.name}", key.start)
    known = [block for block in envelope.blocks if _algorithm(envelope, block) in caps.algorithms]
    if envelope.blocks and not known:
        yield Finding("unsupported", f"no signature has an algorithm that is in {caps.name}",
                      envelope.blocks[0].start)  # fmt: skip
    for item in _encryptions(subject):
        try:
            info = encryption(item)
        except Problem:
            continue
        if info.cipher not in caps.algorithms or not any(
            alg in caps.algorithms for alg, _ in info.recipients
        ):
            yield Finding("unsupported", f"encryption with algorithms that are not in {caps.name}",
                          item.start)  # fmt: skip


def _features(subject: Subject) -> Iterator[tuple[Item, str, str]]:
    envelope = subject.envelope
    for member in envelope.members.values():
        yield member, "SEVERED", "a severed member"
    for payload in envelope.payloads.values():
        yield payload, "INTEGRATED", "a payload inside the envelope"
    for _, command in subject.commands():
        if command.number in (names.SLOT_CHECK, names.SWAP):
            switch = "SLOTS" if command.number == names.SLOT_CHECK else "SWAP"
            yield command.label, switch, command.name
    for item in _encryptions(subject):
        yield item, "ENCRYPTION", "an encrypted payload"
    for block in envelope.blocks:
        if block.value == 17:
            yield block, "MAC", "COSE_Mac0"


def _algorithm(envelope: Envelope, block: Item) -> int | None:
    try:
        return envelope.block(block).alg
    except Problem:
        return None


def _encryptions(subject: Subject) -> Iterator[Item]:
    for _, key, value in subject.parameters():
        if key.number == names.P_ENCRYPTION:
            yield value


# -- parameters ---------------------------------------------------------------------------------


def digests(subject: Subject) -> Iterator[Finding]:
    for command, key, _ in subject.parameters():
        if command.number == names.SET and key.number == names.P_DIGEST:
            yield Finding("digest-in-set", "image-digest in set-parameters", key.start,
                          "use override-parameters")  # fmt: skip
    for visit in subject.pairs:
        digest = visit.get(names.P_DIGEST)
        if (visit.command.number == names.IMAGE_MATCH and digest is not None
                and visit.get(names.P_SIZE) is None):  # fmt: skip
            name = subject.component(visit.component)
            yield Finding("digest-without-size", f"image-digest of {name} and no image-size",
                          digest.start)  # fmt: skip


def uris(subject: Subject) -> Iterator[Finding]:
    reference = subject.envelope.manifest.get(4)
    items = [value for _, key, value in subject.parameters() if key.number == names.P_URI]
    for item in [*items, *([reference] if reference is not None else [])]:
        if item.major != TEXT:
            continue
        uri = str(item.text)
        parts = _split(uri)
        if parts is not None and "@" in parts[1]:
            yield Finding("uri-credentials", f"{parts[0]} URI with credentials for "
                          f"{parts[1].rpartition('@')[2]}", item.start)  # fmt: skip
        elif uri not in subject.envelope.payloads and (odd := _odd(uri, parts)):
            yield Finding("uri-odd", f"{uri[:80]!r} {odd}", item.start)


def _split(uri: str) -> tuple[str, str, str] | None:
    """Scheme, authority with credentials, host; None: cannot be taken apart."""
    try:
        parts = urlsplit(uri)
        return parts.scheme, parts.netloc, parts.hostname or ""
    except ValueError:
        return None


def _odd(uri: str, parts: tuple[str, str, str] | None) -> str | None:
    if parts is None or not re.fullmatch(r"[!-~]+", uri):
        return "is no URI"
    scheme, _, host = parts
    if uri.startswith("#"):
        return "is the name of a payload that is not in the envelope"
    if not scheme:
        return "is relative: to what?"
    if scheme == "file" or host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host):
        return "is only good on one machine"
    return None


def recipients(subject: Subject) -> Iterator[Finding]:
    work = subject.profile.work if subject.profile is not None else None
    total = count = 0
    for item in _encryptions(subject):
        try:
            info = encryption(item)
        except Problem:
            continue
        without = [kid for _, kid in info.recipients if kid is None]
        if without and len(info.recipients) > 1:
            yield Finding("kid-missing", f"{len(without)} of {len(info.recipients)} recipients "
                          "have no kid", item.start)  # fmt: skip
        array = item.inner().children[0].children[3]
        total, count = total + array.end - array.body, count + len(array.children)
    short = 0 if work is None or subject.need is None else subject.need - work
    if short > 0 and count > 1 and total >= short:
        yield Finding(
            "too-many-recipients", f"{subject.need:,} bytes of work are needed, the device has "
            f"{work:,}; {count} recipients take {total:,}", next(_encryptions(subject)).start,
            f"leave out {-(-short * count // total)}, or make several updates")  # fmt: skip


def policies(subject: Subject) -> Iterator[Finding]:
    for visit in subject.trace.visits:
        command = visit.command
        if (visit.is_final and command.number not in (*names.WITH_ARGUMENT, names.SLOT_CHECK)
                and command.argument.number is not None
                and not command.argument.number & RECORD_FAILURE):  # fmt: skip
            yield Finding("failure-silent", f"{command.name} does not record its failure",
                          command.label.start, "reporting policy 2")  # fmt: skip


# -- payloads -----------------------------------------------------------------------------------


def order(subject: Subject) -> Iterator[Finding]:
    """On each way the integrated payloads must be wanted in the order in which they stand."""
    envelope = subject.envelope
    fetches = [(visit, envelope.payloads[uri].start) for visit in subject.pairs
               if visit.command.number == names.FETCH and visit.procedure == "update"
               and (uri := _uri(visit)) in envelope.payloads]  # fmt: skip
    for n, (visit, start) in enumerate(fetches):
        if any(start < before and together(other.when, visit.when)
               for other, before in fetches[:n]):  # fmt: skip
            yield Finding("payload-order", f"{_uri(visit)!r} is fetched after a payload that "
                          "stands behind it", visit.command.label.start,
                          "payloads stand in the order of their keys: length, then bytes")
    if subject.is_complete:
        wanted = {_uri(visit) for visit in subject.pairs}
        for key, value in envelope.payloads.items():
            if key not in wanted:
                yield Finding("payload-unused", f"nothing fetches payload {key[:80]!r} of "
                              f"{value.value:,} bytes", value.start, "picosuit sever")  # fmt: skip


def _uri(visit: Visit) -> str:
    item = visit.get(names.P_URI) if visit.command.number == names.FETCH else None
    return str(item.text) if item is not None and item.major == TEXT else ""


def sizes(subject: Subject) -> Iterator[Finding]:
    for n, visit in enumerate(subject.pairs):
        if visit.command.number not in EFFECTS:
            continue
        item, on_device = visit.get(names.P_SIZE), subject.on_device(visit.component)
        if (item is not None and on_device is not None and not on_device.is_transient
                and item.value > on_device.capacity):  # fmt: skip
            yield Finding("payload-too-large", f"{item.value:,} bytes for "
                          f"{subject.component(visit.component)}, which holds "
                          f"{on_device.capacity:,}", item.start)  # fmt: skip
        if visit.command.number == names.FETCH and (uri := _uri(visit)) and (
            uri not in subject.envelope.payloads and not _has_size(subject, n)):  # fmt: skip
            yield Finding("size-unknown", f"{uri[:80]!r} is fetched into "
                          f"{subject.component(visit.component)}, of any size",
                          visit.command.label.start, "set image-size")  # fmt: skip


def _has_size(subject: Subject, at: int) -> bool:
    """Of what is fetched, or of what it is copied to."""
    fetch = subject.pairs[at]
    if not subject.is_transient(fetch.component):
        return fetch.get(names.P_SIZE) is not None
    return any(copy.get(names.P_SIZE) is not None for copy in subject.copies_after(at))


def matches(subject: Subject) -> Iterator[Finding]:
    """What is written is compared in the update, and what is started at a boot."""
    for n, visit in enumerate(subject.pairs):
        number, name = visit.command.number, subject.component(visit.component)
        mine = subject.matches.get((visit.component, visit.procedure), [])
        if number == names.INVOKE_COMMAND:
            if any(one.looked is None for one in subject.trace.by_command[visit.command.label.start]
                   if (one.procedure, one.component) == (visit.procedure, visit.component)):
                yield Finding("invoke-not-matched", f"{name} is started without image-match",
                              visit.command.label.start, "put it into validate")  # fmt: skip
        elif number in EFFECTS and visit.procedure == "update":
            later = [m for at, m in mine if at > n and together(visit.when, m.when)]
            yield from _compared(subject, n, name, later)


def _compared(subject: Subject, n: int, name: str, later: list[Visit]) -> Iterator[Finding]:
    """pairs[n] writes something; these are the image-matches behind it on the same way."""
    visit, has_copy = subject.pairs[n], bool(subject.copies_after(n))
    at = visit.command.label.start
    if visit.command.number == names.FETCH and subject.is_transient(visit.component):
        if not has_copy:
            yield Finding("transient-not-copied", f"{name} is transient, and nothing is copied "
                          "from it", at)  # fmt: skip
    elif has_copy:
        return  # a staging area: what is copied from it is compared
    elif not later or None in subject.trace.looks(visit, visit.component, visit.result):
        ways = " on every way" if later else ""
        yield Finding("image-not-matched",
                      f"{name} is written and not compared with its digest{ways}",
                      at, "image-match in install and validate")  # fmt: skip
    elif not any(match.section == 7 for match in later):
        yield Finding("image-not-validated", f"{name} is compared in the update, not in validate",
                      at, "image-match in validate")  # fmt: skip


def encryptions(subject: Subject) -> Iterator[Finding]:
    if not subject.is_complete:
        return
    used = {item.start for v in subject.pairs if v.command.number in (names.COPY, names.WRITE)
            and (item := v.get(names.P_ENCRYPTION)) is not None}  # fmt: skip
    for item in _encryptions(subject):
        if item.start not in used:
            yield Finding("encryption-unused", "nothing decrypts with this encryption-info",
                          item.start, "copy from the component that is fetched")  # fmt: skip


def followed(subject: Subject) -> Iterator[Finding]:
    if not subject.is_complete:
        yield Finding("not-followed", "too many ways, a section that is not there, or a command "
                      "that is not known", subject.envelope.manifest.start)  # fmt: skip


RULES: tuple[Rule, ...] = (
    signatures, compatibility, sequence, digests, sizes, order, matches, encryptions, recipients,
    severed, area, stack, uris, policies, supported, followed,
)  # fmt: skip


def capabilities(data: bytes, name: str) -> Capabilities:
    """A SUIT_Capability_Report: 1 components, 2 commands, 3 parameters, 4 algorithms."""
    try:
        report = cbor.read(data).want(MAP, "a capability report")
        lists = []
        for key, what in ((2, "commands"), (3, "parameters"), (4, "algorithms")):
            item = report.get(key)
            if item is None:
                raise report.fail(f"a capability report without {what}")
            numbers = [child.number for child in item.want(ARRAY, what).children]
            lists.append(frozenset(n for n in numbers if n is not None))
    except Problem as e:
        raise e.within(name) from None
    return Capabilities(name, *lists)
