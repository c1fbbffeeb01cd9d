# SPDX-License-Identifier: MIT
"""What an update makes a device do, counted or planned: the effort that `cost` makes cycles of."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import picosuit
from picosuit.primitives import ed25519_verify

from . import cbor, lint, names
from .cost import Effort
from .envelope import Envelope, to_sign
from .problem import Problem
from .profile import Component as Stored
from .profile import DeviceKey, Profile
from .trace import Assumed, Trace, Visit
from .virtual import Component, Geometry, Ids, Outcome, SwappingDevice, VirtualDevice

# -- the device ---------------------------------------------------------------------------------


class Metered(VirtualDevice):
    """A device that counts what costs time, and holds keys to decrypt with."""

    def __init__(self, profile: Profile, keys: Sequence[DeviceKey], slot: int) -> None:
        super().__init__(
            [Component(c.id, n, c.capacity, c.kind, c.initial, c.signers)
             for n, c in enumerate(profile.components)],
            ids=Ids(profile.vendors, profile.classes, profile.devices, profile.pens), slot=slot,
            floor=None if profile.floor is None else (
                profile.floor, profile.confirmed or bytes(32)),
            geometry=Geometry(profile.flash.page, profile.flash.unit, profile.flash.erased),
        )  # fmt: skip
        self.profile, self.device_keys, self.effort = profile, keys, Effort()
        self.written: dict[int, int] = {}  # bytes by handle
        self.spared = 0  # pages that the port of the profile would not erase
        self._has_key = self._is_encrypted = self._is_hashed = False

    def key(self, purpose: int, n: int, kid: bytes | None) -> picosuit.Key | None:
        if purpose != picosuit.PURPOSE_DECRYPT:
            return None
        fitting = [k for k in self.device_keys if kid is None or k.kid in (None, bytes(kid))]
        if n >= len(fitting):
            return None
        self._has_key = True
        if fitting[n].alg == names.A128KW:
            self.effort.unwraps += 1
        else:
            self.effort.agreements += 1
        return key_of(fitting[n])

    def begin(self, component: int, size: int, id: bytes) -> int:
        have = super().begin(component, size, id)
        one = self.components[component]
        self._is_encrypted, self._has_key = self._has_key, False
        self._is_hashed = not self._is_encrypted or one.kind & ~picosuit.KIND_KEYS == (
            picosuit.TRUSTED)  # fmt: skip
        page, flash = self.geometry.page, self.profile.flash
        if have == 0:
            self.spared += (self._stores[component].manifest_size - flash.manifest_area) // page
            if not flash.is_whole and size != picosuit.UNKNOWN:
                self.spared += -(-one.capacity // page) - -(-size // page)
        return have

    def write(self, component: int, off: int, data: bytes) -> None:
        super().write(component, off, data)
        n = len(data)
        self.written[component] = self.written.get(component, 0) + n
        effort = self.effort
        if self._is_hashed:
            effort.hashed += n
        if self._is_encrypted:
            effort.decrypted += n

    def read(self, component: int, off: int, n: int) -> bytes:
        if self._open in (-1, component):
            self.effort.read += n
        else:
            self.effort.copied += n
        return super().read(component, off, n)


class _Swapping(Metered, SwappingDevice):
    """The same with directive swap, of components that have the same size."""

    def swap(self, component: int, source: int) -> None:
        sizes = {self.components[handle].capacity for handle in (component, source)}
        if len(sizes) > 1 or component == source:
            raise picosuit.Refuse(-1, "components of different sizes, or one with itself")
        super().swap(component, source)


def device_of(profile: Profile, keys: Sequence[DeviceKey], slot: int) -> Metered:
    kind = _Swapping if "SWAP" in profile.features else Metered
    return kind(profile, keys, slot)


def key_of(key: DeviceKey) -> picosuit.Key:
    return picosuit.Key(key.key, key.alg, key.rights, key.id, key.kid)


# -- effort -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What the virtual device answers to the conditions that choose a way."""

    profile: Profile
    slot: int

    @cached_property
    def _values(self) -> Mapping[int, set[bytes]]:
        """Parameters that are equal to what the device says, encoded, by condition."""
        one = self.profile
        vendors = [*one.vendors, *(cbor.Tag(112, pen) for pen in one.pens)]
        return {
            names.SLOT_CHECK: {cbor.encode(self.slot)},
            names.VENDOR_CHECK: set(map(cbor.encode, vendors)),
            names.CLASS_CHECK: set(map(cbor.encode, one.classes)),
            names.DEVICE_CHECK: set(map(cbor.encode, one.devices)),
        }

    def holds(self, assumed: Assumed) -> bool:
        return assumed.value in self._values[assumed.condition]


@dataclass
class Plan:
    """What the commands of a procedure come to on a device, without running them."""

    trace: Trace
    facts: Facts
    procedure: str

    @cached_property
    def visits(self) -> list[Visit]:
        return [v for v in self.trace.visits if v.procedure == self.procedure
                and all(map(self.facts.holds, v.when))]  # fmt: skip

    @property
    def matched(self) -> int:
        """Bytes that image-match reads, where sizes are stated."""
        return sum(size.value for v in self.visits if v.command.number == names.IMAGE_MATCH
                   and (size := v.get(names.P_SIZE)) is not None)  # fmt: skip


def signature_tries(envelope: Envelope, profile: Profile) -> Effort:
    """Checks until a key fits, for each block, in the order in which a port offers its keys."""
    effort = Effort()
    digest = envelope.digest_bstr.content
    for item in envelope.blocks:
        try:
            block = envelope.block(item)
        except Problem:
            continue
        keys = [k for k in profile.anchors if k.alg == block.alg
                and (block.kid is None or k.kid in (None, block.kid))]  # fmt: skip
        if block.alg == names.HMAC256:
            effort.macs += len(keys[:1])
            continue
        for key in keys:
            effort.signatures += 1
            signed = to_sign(block.protected, digest)
            if len(block.signature) == 64 and ed25519_verify(key.key, signed, block.signature):
                break
    return effort


def fixed_effort(plan: Plan) -> Effort:
    """What does not depend on payloads: receive, parse, commands."""
    envelope = plan.trace.envelope
    count = len(envelope.components)
    effort = signature_tries(envelope, plan.facts.profile)
    effort.procedures, effort.commands = 1, len(plan.visits)
    effort.components, effort.pairs = count, count * (count - 1) // 2
    if plan.procedure == "update":
        effort.kept = len(envelope.data) - sum(p.end - p.start for p in envelope.payloads.values())
    else:
        effort.kept = lint.stored_len(envelope)
    return effort


def update_effort(plan: Plan, device: Metered, outcome: Outcome) -> Effort:
    """Of an update that was run to its end."""
    effort = fixed_effort(plan) + device.effort
    effort.fed = _fed(plan) + outcome.rewinds * len(plan.trace.envelope.data)
    effort.given = outcome.sent
    effort.programmed = outcome.counters.programs * device.geometry.unit
    effort.erased = outcome.counters.erases - device.spared
    return effort


def _fed(plan: Plan) -> int:
    """Bytes from the first payload to the end of the last one that is wanted."""
    envelope = plan.trace.envelope
    wanted = [envelope.payloads[str(uri.text)] for v in plan.visits
              if v.command.number == names.FETCH and (uri := v.get(names.P_URI)) is not None
              and str(uri.text) in envelope.payloads]  # fmt: skip
    if not wanted:
        return 0
    first = min(item.start for item in envelope.payloads.values())
    return max(item.end for item in wanted) - first


def planned_effort(plan: Plan) -> Effort:
    """Of an update that could not be run to its end, from the sizes in the manifest."""
    effort, envelope = fixed_effort(plan), plan.trace.envelope
    effort.fed, effort.read = _fed(plan), plan.matched
    copies = {v.source: v for v in reversed(plan.visits) if v.command.number == names.COPY}
    for visit in plan.visits:
        number, size = visit.command.number, visit.get(names.P_SIZE)
        uri = visit.get(names.P_URI) if number == names.FETCH else None
        if uri is not None and str(uri.text) not in envelope.payloads:
            size = size or copies.get(visit.component, visit).get(names.P_SIZE)
            effort.given += size.value if size is not None else 0
        found = plan.facts.profile.component(envelope.components[visit.component])
        if number in lint.EFFECTS and found is not None and not found.is_transient:
            length = size.value if size is not None else 0
            is_encrypted = number != names.FETCH and visit.get(names.P_ENCRYPTION) is not None
            effort += _stored(plan.facts.profile, found, length, is_encrypted)
    return effort


def _stored(profile: Profile, into: Stored, length: int, is_encrypted: bool) -> Effort:
    """Of bytes that come into a component."""
    flash = profile.flash
    pages = -(-(into.capacity if flash.is_whole else length) // flash.page)
    effort = Effort(programmed=length, erased=pages + flash.manifest_area // flash.page)
    if is_encrypted:
        effort.agreements, effort.decrypted = 1, length
    else:
        effort.hashed = length
    return effort
