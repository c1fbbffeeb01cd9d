# SPDX-License-Identifier: MIT
"""What a device would do with an envelope: the C core runs it on a virtual device.

The update, for each slot that may be written, then the procedure INVOKE as a boot runs it, over
what the update has stored. Verdict and error come from the core, memory is what it asked for, flash
work is what the virtual device was made to do, time is an estimate (`cost`).
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import picosuit
from picosuit import Code, Procedure

from . import cost, ids, lint, meter, names, words
from . import report as reports
from .cost import Effort, Estimate
from .envelope import Envelope
from .lint import ERROR, Finding
from .meter import Facts, Metered, Plan
from .problem import Problem
from .profile import CONTEXT, DeviceKey, Profile
from .trace import Trace
from .virtual import OPEN, WHOLE, Outcome, Payloads, VirtualDevice, run_update

ACCEPTED, REFUSED, UNSEEN = "accepted", "refused", "accepted as far as it can be seen"
PLENTY = 1 << 17  # bytes of work: more than any envelope needs
INVOKE_SECTION = 1 << 2  # Info.sections


# -- results ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """Where and why the core has stopped. place: what stands at the offset."""

    code: int
    name: str
    words: str
    offset: int
    section: str | None
    component: str | None
    label: int | None
    label_name: str | None  # of the command, parameter or member
    platform: int
    place: str
    during: str  # "update" or "boot"


@dataclass(frozen=True)
class Run:
    """One device state: the update into one slot, and the boot behind it.

    verdict      ACCEPTED, REFUSED or UNSEEN
    slot         that was written; None: the envelope does not care
    unseen       what could not be checked, and why; empty unless UNSEEN
    work         bytes of the work buffer that the core asked for
    received     bytes: envelope and payloads
    written      payload bytes; by component
    erased       flash pages
    programmed   flash bytes
    update, boot estimated time; None: not done. Plans where the verdict is UNSEEN
    flash_seconds  waiting for the flash; None: the profile has no times
    """

    verdict: str
    slot: int | None
    refusal: Refusal | None
    unseen: tuple[str, ...]
    work: int
    received: int
    written: Mapping[str, int]
    erased: int
    programmed: int
    update: Estimate | None
    boot: Estimate | None
    flash_seconds: float | None


@dataclass(frozen=True)
class Result:
    """sequence, digest  of the manifest; None: it was not authenticated
    signer           the trust anchor whose rights count
    work             bytes that the core needs, the most of all runs
    stack            bytes of its deepest call, callbacks not counted
    updates          how many such updates the flash endures; None: not known
    """

    profile: Profile
    sequence: int | None
    digest: bytes | None
    signer: str | None
    runs: tuple[Run, ...]
    work: int
    stack: int
    updates: int | None
    findings: tuple[Finding, ...]
    places: Mapping[int, str] = field(default_factory=dict)  # words at the findings' offsets

    @property
    def verdict(self) -> str:
        """The worst of the runs."""
        verdicts = [run.verdict for run in self.runs]
        return next((v for v in (REFUSED, UNSEEN) if v in verdicts), ACCEPTED)

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == ERROR for finding in self.findings)

    @property
    def ram(self) -> int:
        """Bytes: context, work, stack."""
        return CONTEXT + self.work + self.stack


# -- running ------------------------------------------------------------------------------------


@dataclass
class Checker:
    """One envelope, one profile.

    subject   the envelope as the rules of `lint` see it; None: this tool cannot read it, but the
              core still says what it makes of it
    payloads  what URIs give
    devices   gets each device that is made: its counters say how far it is
    """

    data: bytes
    subject: lint.Subject | None
    profile: Profile
    payloads: Payloads
    device_keys: Sequence[DeviceKey]
    devices: list[VirtualDevice]
    missing: list[str] = field(default_factory=list)
    info: picosuit.Info | None = None

    @property
    def envelope(self) -> Envelope | None:
        return None if self.subject is None else self.subject.envelope

    @cached_property
    def tree(self) -> list[words.Line]:
        """The envelope in words."""
        return [] if self.envelope is None else words.describe(self.envelope)

    @cached_property
    def trace(self) -> Trace:
        """What the commands would do with the payloads that are there."""
        assert self.envelope is not None
        return Trace(self.envelope)

    def payload(self, uri: str) -> bytes | None:
        found = self.payloads(uri) if callable(self.payloads) else self.payloads.get(uri)
        if found is None and uri not in self.missing:
            self.missing.append(uri)
        return found

    def slots(self) -> list[int | None]:
        """Slots that may be written; None: it makes no difference."""
        if self.subject is None or self.profile.slots == 1:
            return [None]
        commands = self.subject.commands()
        has_choice = any(command.number == names.SLOT_CHECK for _, command in commands)
        return list(range(self.profile.slots)) if has_choice else [None]

    def run(self, slot: int | None) -> Run:
        self.missing.clear()
        at = self.profile.write_slot if slot is None else slot
        device = meter.device_of(self.profile, self.device_keys, at)
        self.devices.append(device)
        outcome = self._go(device, self.data, Procedure.UPDATE, WHOLE)
        work = outcome.work
        if outcome.status == Code.E_ROOM:
            work = self._need(at, outcome)
        self.info = outcome.info or self.info
        refusal, unseen = self._refusal(outcome, "update"), self._unseen(outcome)
        if unseen:
            refusal = self._boot_begins()
        effort = self._effort(device, outcome, at, bool(unseen))
        boot = None
        if refusal is None and self._has_invoke(outcome):
            boot = self._boot_effort(at, 0)
            if not unseen:
                before = device.effort.read
                again = self._go(device, outcome.envelope or b"", Procedure.INVOKE, OPEN)
                work, refusal = max(work, again.work), self._refusal(again, "boot")
                boot = self._boot_effort(at, device.effort.read - before)
        verdict = REFUSED if refusal is not None else UNSEEN if unseen else ACCEPTED
        flash = self.profile.flash
        waits = None
        if flash.erase_ms is not None and flash.program_us is not None:
            waits = (effort.erased * flash.erase_ms / 1e3
                     + effort.programmed / flash.unit * flash.program_us / 1e6)  # fmt: skip
        return Run(
            verdict, slot, refusal, () if refusal else unseen, work,
            effort.kept + effort.fed + effort.given,
            {ids.component_text(device.components[n].identifier): size
             for n, size in device.written.items()},
            effort.erased, effort.programmed,
            cost.estimate(effort, self.profile.processor) if (self.envelope is not None
            and refusal is None) or unseen else None,
            None if boot is None or refusal is not None else boot, waits,
        )  # fmt: skip

    def _go(self, device: VirtualDevice, data: bytes, procedure: Procedure, split: int,
            work: int = 0) -> Outcome:  # fmt: skip
        return run_update(data, device, [meter.key_of(k) for k in self.profile.anchors], procedure,
                          self.payload, work or self.profile.work, split)  # fmt: skip

    def _need(self, slot: int, outcome: Outcome) -> int:
        """Bytes of work that the update would have needed."""
        device = meter.device_of(self.profile, self.device_keys, slot)
        again = self._go(device, self.data, Procedure.UPDATE, WHOLE, PLENTY)
        asked = outcome.error.label if outcome.error is not None else 0
        return max(again.work, asked or 0)

    def _has_invoke(self, outcome: Outcome) -> bool:
        return outcome.info is not None and bool(outcome.info.sections & INVOKE_SECTION)

    def _unseen(self, outcome: Outcome) -> tuple[str, ...]:
        """What was missing here, not on the device; empty if the refusal is real."""
        if outcome.status == Code.E_FETCH and self.missing:
            return tuple(f"payload {uri!r} was not given" for uri in self.missing)
        if outcome.status == Code.E_DECRYPT and not self.device_keys:
            return ("the payload was not decrypted: no key of the device was given",)
        return ()

    def _boot_begins(self) -> Refusal | None:
        """The static checks of INVOKE, which need no payload."""
        if self.envelope is None or self.envelope.manifest.get(9) is None:
            return None
        device = meter.device_of(self.profile, self.device_keys, self.profile.write_slot)
        keys = [meter.key_of(k) for k in self.profile.anchors]
        with picosuit.Processor(device, keys=keys, work=self.profile.work) as processor:
            try:
                processor.open(self.data)
                processor.begin(Procedure.INVOKE)
            except picosuit.Error as error:
                return self._words(error, "boot")
        return None

    # -- estimates --

    def _effort(self, device: Metered, outcome: Outcome, slot: int, is_planned: bool) -> Effort:
        if self.subject is None:
            return Effort(erased=outcome.counters.erases)
        plan = Plan(self.trace, Facts(self.profile, slot), "update")
        if is_planned:
            return meter.planned_effort(plan)
        return meter.update_effort(plan, device, outcome)

    def _boot_effort(self, slot: int, read: int) -> Estimate | None:
        if self.subject is None:
            return None
        plan = Plan(self.trace, Facts(self.profile, slot), "invoke")
        effort = meter.fixed_effort(plan)
        effort.read = read or plan.matched
        return cost.estimate(effort, self.profile.processor)

    # -- words --

    def _refusal(self, outcome: Outcome, during: str) -> Refusal | None:
        return None if outcome.error is None else self._words(outcome.error, during)

    def _words(self, error: picosuit.Error, during: str) -> Refusal:
        envelope, component = self.envelope, error.component
        place = words.place(self.tree, error.offset) if self.tree else ""
        named = None
        if component is not None and envelope is not None and component < len(envelope.components):
            named = ids.component_text(envelope.components[component])
        section = reports.section_name(error.section) if error.section else None
        label = reports.label_name(error.code, error.label or 0, error.section or 0)
        return Refusal(error.code, error.name, picosuit.strerror(error.code), error.offset, section,
                       named, error.label, label, error.platform, place, during)


def check(
    data: bytes, file: str, profile: Profile, payloads: Payloads, *,
    device_keys: Sequence[DeviceKey] = (), previous: lint.Previous | None = None,
    capabilities: lint.Capabilities | None = None, devices: list[VirtualDevice] | None = None,
) -> Result:  # fmt: skip
    """Runs an envelope on the device of a profile, and lints it. `devices`: see Checker."""
    floor = None if profile.floor is None else lint.Previous(profile.floor, "the floor")
    try:
        subject = lint.Subject(Envelope(data, file), profile, previous or floor, capabilities)
    except Problem:
        subject = None
    checker = Checker(data, subject, profile, payloads, (*profile.device_keys, *device_keys),
                      [] if devices is None else devices)  # fmt: skip
    runs = tuple(checker.run(slot) for slot in checker.slots())
    need, info = max(run.work for run in runs), checker.info
    findings: list[Finding] = []
    places: dict[int, str] = {}
    if subject is not None:
        subject.need = need
        findings = lint.lint(subject)
        places = {f.offset: words.place(checker.tree, f.offset)
                  for f in findings if f.offset is not None}  # fmt: skip
    signer = None
    if info is not None:
        signer = next((k.name for k in profile.anchors if k.id == info.signer), None)
    return Result(
        profile, info.sequence if info is not None else None,
        info.digest if info is not None else None, signer, runs, need,
        cost.stack(profile.processor), _updates(profile, runs), tuple(findings), places,
    )  # fmt: skip


def _updates(profile: Profile, runs: Sequence[Run]) -> int | None:
    """Each update erases a page once, and writes to each slot in turn."""
    is_writing = any(run.erased for run in runs)
    return profile.flash.cycles * profile.slots if profile.flash.cycles and is_writing else None


def as_data(result: Result) -> dict[str, Any]:
    """For --json."""
    profile = result.profile
    return {
        "verdict": result.verdict, "profile": profile.name, "sequence": result.sequence,
        "digest": result.digest, "signer": result.signer,
        "memory": {"context": CONTEXT, "work": result.work, "work_available": profile.work,
                   "stack": result.stack, "stack_available": profile.stack, "ram": result.ram},
        "updates_endured": result.updates,
        "runs": [_run_data(run) for run in result.runs],
        "findings": [{"name": f.name, "severity": f.severity, "what": f.what, "offset": f.offset,
                      "place": result.places.get(f.offset or -1), "hint": f.hint}
                     for f in result.findings],
    }  # fmt: skip


def _run_data(run: Run) -> dict[str, Any]:
    def time(estimate: Estimate | None) -> dict[str, Any] | None:
        if estimate is None:
            return None
        return {"cycles": estimate.cycles, "seconds": round(estimate.seconds, 4),
                "parts": dict(estimate.parts)}  # fmt: skip

    refusal = None if run.refusal is None else dict(vars(run.refusal))
    return {
        "slot": run.slot, "verdict": run.verdict, "refusal": refusal,
        "not_checked": list(run.unseen), "work": run.work, "received": run.received,
        "written": dict(run.written), "pages_erased": run.erased,
        "bytes_programmed": run.programmed, "update": time(run.update), "boot": time(run.boot),
        "flash_seconds": run.flash_seconds,
    }  # fmt: skip

