# SPDX-License-Identifier: MIT
"""What a device says about itself: SUIT_Report and SUIT_Capability_Report, read and put in words.

Source: draft-ietf-suit-report 4 to 6; docs/boot.md for key -1, picosuit's boot state. Reading is
strict: a member that is not known, or not of its type, is refused with its offset. The bytes
come from a device, and nothing protects them: what they say is a hint, not a proof.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import picosuit

from . import cbor, ids, names
from .cbor import ARRAY, BYTES, MAP, TEXT, UINT, Item
from .envelope import read_digest
from .ids import Identifier
from .problem import Problem

REASONS = (
    "ok", "CBOR parse error", "COSE structure or header unsupported", "algorithm unsupported",
    "unauthorised: signature, MAC or digest is wrong", "command unsupported",
    "component unsupported", "component not permitted to the signer", "parameter unsupported",
    "severing unsupported", "condition failed", "operation failed", "invoke pending",
)  # fmt: skip
PHASES = ("no journal", "idle", "candidate waits for its first start", "candidate on trial",
          "just confirmed")  # fmt: skip
NONE = 255  # PICOSUIT_NO_SLOT; in an error: no component
_RESULT, _RECORDS, _NONCE, _CAPABILITIES, _REFERENCE, _BOOT = 4, 3, 2, 8, 99, -1
_CAPABILITY_NAMES: dict[int, tuple[str, dict[int, str]]] = {
    2: ("commands", names.COMMANDS), 3: ("parameters", names.PARAMETERS),
    4: ("algorithms", names.ALGORITHMS), 5: ("envelope members", names.ENVELOPE),
    6: ("manifest members", names.MEMBERS), 7: ("members of common", names.COMMON),
    8: ("text keys", names.TEXT_MANIFEST), 9: ("component text keys", names.TEXT_COMPONENT),
    10: ("dependency members", {}),
}  # fmt: skip


def code_name(code: int) -> str:
    """E_AUTH (-32)"""
    try:
        return f"{picosuit.Code(code).name} ({code})"
    except ValueError:
        return f"unknown code {code}"


def section_name(section: int) -> str:
    """Of a command sequence, by its key in the manifest; the shared one has a number of its own."""
    if section == names.SHARED:
        return "shared-sequence"
    return names.name_of(names.MEMBERS, section)


# What the label of an error is, where its code settles that; for others the words at the offset
# say it.
_E = picosuit.Code
_LABELS = (
    (names.COMMANDS, (_E.E_CONDITION, _E.E_TRY, _E.E_COMMAND, _E.E_SHARED, _E.E_INDEX,
                      _E.E_TRANSIENT, _E.E_STEPS, _E.E_UNSUPPORTED, _E.E_FETCH, _E.E_LENGTH,
                      _E.E_DECRYPT, _E.E_CAPACITY, _E.E_PLATFORM)),
    (names.PARAMETERS, (_E.E_UNSET, _E.E_PARAM, _E.E_SOFT)),
    (names.ENVELOPE, (_E.E_AUTH, _E.E_COSE, _E.E_SEVERED)),
    (names.MEMBERS, (_E.E_ROLLBACK, _E.E_VERSION)),
)  # fmt: skip


def label_name(code: int, label: int, section: int) -> str | None:
    """Of the command, parameter or member that an error names; None where the code does not
    settle which of them it is."""
    if code == _E.E_DIGEST:  # of a payload, or of a member
        return (names.COMMANDS if section else names.ENVELOPE).get(label)
    return next((table.get(label) for table, codes in _LABELS if code in codes), None)


# -- data --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A SUIT_Record: where in a manifest something happened."""

    section: int  # manifest key; 0: outside of the sections
    offset: int  # bytes into the section; of the envelope if there is none
    component: int  # index in the manifest
    properties: dict[int, object]  # measured values by parameter


@dataclass(frozen=True)
class Claims:
    """System property claims: what a component holds."""

    component: Identifier
    digest: bytes  # SHA-256; empty if not claimed
    size: int | None
    properties: dict[int, object]  # the others, by parameter


@dataclass(frozen=True)
class Failure:
    """Why the result is not `true`. Code 0: it is not over."""

    code: int
    reason: int  # index into REASONS
    place: Place


@dataclass(frozen=True)
class BootState:
    """What picosuit's journal says; docs/boot.md, "Boot report"."""

    phase: int  # index into PHASES
    slot: int  # that runs, NONE if nothing
    tries: int  # starts of the candidate
    floor: int  # highest confirmed sequence number
    epoch: int  # of the key set in force
    candidate: int | None  # its sequence number
    rejected: int | None  # last rejected sequence number


@dataclass(frozen=True)
class Capabilities:
    """A SUIT_Capability_Report."""

    components: list[tuple[Identifier, bool]]  # True: and all whose identifier begins so
    labels: dict[int, list[int]]  # by key: 2 commands, 3 parameters, 4 algorithms, ...


@dataclass(frozen=True)
class Report:
    """A SUIT_Report. digest: SHA-256 of the manifest; empty if the device has none."""

    uri: str
    digest: bytes
    nonce: bytes | None
    records: list[Place | Claims]
    failure: Failure | None
    capabilities: Capabilities | None
    boot: BootState | None


# -- reading -----------------------------------------------------------------------------------

T = TypeVar("T")


def read(data: bytes, file: str | None = None) -> Report | Capabilities:
    """Either report, told apart by the reference, which only a SUIT_Report has. Raises Problem."""
    try:
        item = cbor.read(data).want(MAP, "the report")
        return _report(item) if item.get(_REFERENCE) is not None else _capabilities(item)
    except Problem as e:
        raise (e.within(file) if file else e) from None


def read_report(data: bytes, file: str | None = None) -> Report:
    """Of a transfer or of the boot state. Raises Problem."""
    report = read(data, file)
    if not isinstance(report, Report):
        raise Problem("a capability report, not a SUIT_Report", file=file, offset=0)
    return report


def _report(item: Item) -> Report:
    fields = _fields(item, "the report",
                     (_NONCE, _RECORDS, _RESULT, _CAPABILITIES, _REFERENCE, _BOOT))  # fmt: skip
    uri, digest = _array(_need(item, fields, _REFERENCE, "reference"), "the reference", 2)
    records = _need(item, fields, _RECORDS, "list of records")
    return Report(
        uri=str(uri.want(TEXT, "the reference URI").text),
        digest=_digest(digest),
        nonce=_maybe(fields.get(_NONCE), lambda i: i.want(BYTES, "the nonce").content),
        records=[_place(i) if i.major == ARRAY else _claims(i)
                 for i in records.want(ARRAY, "the list of records").children],
        failure=_failure(_need(item, fields, _RESULT, "result")),
        capabilities=_maybe(fields.get(_CAPABILITIES), _capabilities),
        boot=_maybe(fields.get(_BOOT), _boot),
    )  # fmt: skip


def _maybe(item: Item | None, reader: Callable[[Item], T]) -> T | None:
    return None if item is None else reader(item)


def _fields(item: Item, what: str, known: tuple[int, ...]) -> dict[int, Item]:
    fields: dict[int, Item] = {}
    for key, value in item.want(MAP, what).pairs:
        number = key.number
        if number not in known:
            raise key.fail(f"{what} has an unknown member {key.plain()!r}")
        assert number is not None
        fields[number] = value
    return fields


def _need(item: Item, fields: dict[int, Item], key: int, what: str) -> Item:
    if key not in fields:
        raise item.fail(f"no {what} (key {key})")
    return fields[key]


def _array(item: Item, what: str, length: int) -> tuple[Item, ...]:
    if len(item.want(ARRAY, what).children) != length:
        raise item.fail(f"{what} has {len(item.children)} elements, not {length}")
    return item.children


def _uint(item: Item, what: str) -> int:
    return item.want(UINT, what).value


def _int(item: Item, what: str) -> int:
    number = item.number
    if number is None:
        raise item.fail(f"{what} is no integer")
    return number


def _digest(item: Item) -> bytes:
    """SHA-256, plain or in a byte string; with no bytes where the device has none."""
    item = item.inner() if item.major == BYTES else item
    alg, value = _array(item, "a digest", 2)
    if value.major == BYTES and not value.value:
        return b""
    found, digest = read_digest(item)
    if found != names.SHA256:
        raise alg.fail(f"a digest of algorithm {found}, not SHA-256")
    return digest


def _place(item: Item) -> Place:
    manifest, section, offset, component, properties = _array(item, "a record", 5)
    if manifest.want(ARRAY, "the manifest of a record").children:
        raise manifest.fail("a record of a dependency: this tool knows none")
    return Place(
        _uint(section, "the section of a record"), _uint(offset, "the offset of a record"),
        _uint(component, "the component of a record"), _properties(properties),
    )  # fmt: skip


def _properties(item: Item) -> dict[int, object]:
    return {_int(key, "a parameter"): value.plain()
            for key, value in item.want(MAP, "properties").pairs}  # fmt: skip


def _claims(item: Item) -> Claims:
    fields = {_int(key, "a parameter"): value
              for key, value in item.want(MAP, "claims or a record").pairs}  # fmt: skip
    identifier = _identifier(_need(item, fields, 0, "component identifier in claims"))
    return Claims(
        identifier,
        _digest(fields[names.P_DIGEST]) if names.P_DIGEST in fields else b"",
        _maybe(fields.get(names.P_SIZE), lambda i: _uint(i, "the size of an image")),
        {key: value.plain() for key, value in fields.items()
         if key not in (0, names.P_DIGEST, names.P_SIZE)},
    )  # fmt: skip


def _identifier(item: Item) -> Identifier:
    return tuple(part.want(BYTES, "a part of a component identifier").content
                 for part in item.want(ARRAY, "a component identifier").children)  # fmt: skip


def _failure(item: Item) -> Failure | None:
    if item.major == cbor.SIMPLE and item.plain() is True:
        return None
    fields = _fields(item, "the result", (5, 6, 7))
    reason = _need(item, fields, 7, "reason")
    if _uint(reason, "the reason") >= len(REASONS):
        raise reason.fail(f"reason {reason.value}: the draft has 0 to {len(REASONS) - 1}")
    return Failure(
        _int(_need(item, fields, 5, "code"), "the code"), reason.value,
        _place(_need(item, fields, 6, "record of the result")),
    )  # fmt: skip


def _boot(item: Item) -> BootState:
    *numbers, candidate, rejected = _array(item, "the boot state", 7)
    phase, slot, tries, floor, epoch = (_uint(i, "a number of the boot state") for i in numbers)
    if phase >= len(PHASES):
        raise item.children[0].fail(f"phase {phase} of the boot state is not known")
    last = (None if i.is_null else _uint(i, "a sequence number") for i in (candidate, rejected))
    return BootState(phase, slot, tries, floor, epoch, *last)


def _capabilities(item: Item) -> Capabilities:
    fields = _fields(item, "the capability report", (1, *_CAPABILITY_NAMES))
    components: list[tuple[Identifier, bool]] = []
    for i in _need(item, fields, 1, "components").want(ARRAY, "components").children:
        parts = list(i.want(ARRAY, "a component").children)
        is_prefix = bool(parts) and parts[-1].major == cbor.SIMPLE and parts[-1].plain() is True
        parts = parts[:-1] if is_prefix else parts
        identifier = tuple(p.want(BYTES, "a part of a component identifier").content for p in parts)
        components.append((identifier, is_prefix))
    for key in (2, 3, 4):
        _need(item, fields, key, _CAPABILITY_NAMES[key][0])
    labels = {
        key: [_int(i, "a capability") for i in fields[key].want(ARRAY, "capabilities").children]
        for key in _CAPABILITY_NAMES if key in fields
    }  # fmt: skip
    return Capabilities(components, labels)


# -- as data -----------------------------------------------------------------------------------


def as_data(report: Report | Capabilities) -> dict[str, object]:
    """For --json: numbers, and beside them their names."""
    if isinstance(report, Capabilities):
        return _capabilities_data(report)
    failure = report.failure
    data: dict[str, object] = {
        "reference": {"uri": report.uri, "digest": report.digest},
        "records": [_record_data(record) for record in report.records],
        "result": True if failure is None else {
            "code": failure.code, "name": code_name(failure.code), "reason": failure.reason,
            "reason_text": REASONS[failure.reason], "record": _record_data(failure.place)},
    }  # fmt: skip
    if report.nonce is not None:
        data["nonce"] = report.nonce
    if report.capabilities is not None:
        data["capabilities"] = _capabilities_data(report.capabilities)
    if report.boot is not None:
        data["boot"] = vars(report.boot) | {"phase_text": PHASES[report.boot.phase]}
    return data


def _record_data(record: Place | Claims) -> dict[str, object]:
    properties = _named(record.properties)
    if isinstance(record, Place):
        return {"section": record.section, "offset": record.offset,
                "component": record.component, "properties": properties}  # fmt: skip
    data: dict[str, object] = {"component": ids.component_text(record.component)}
    if record.digest:
        data["digest"] = record.digest
    if record.size is not None:
        data["size"] = record.size
    return data | properties


def _named(properties: dict[int, object]) -> dict[str, object]:
    return {names.name_of(names.PARAMETERS, k): _jsonable(v) for k, v in properties.items()}


def _jsonable(value: object) -> object:
    """Keys of maps may be bytes or lists, which JSON does not have."""
    if isinstance(value, dict):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_jsonable(v) for v in value]
    return str(value) if isinstance(value, cbor.Tag) else value


def _capabilities_data(report: Capabilities) -> dict[str, object]:
    data: dict[str, object] = {"components": [_component(*c) for c in report.components]}
    for key, numbers in report.labels.items():
        what, table = _CAPABILITY_NAMES[key]
        data[what] = [names.name_of(table, number) for number in numbers]
    return data


def _component(identifier: Identifier, is_prefix: bool) -> str:
    return ids.component_text(identifier) + " and all below" * is_prefix


# -- in words ----------------------------------------------------------------------------------


def in_words(report: Report | Capabilities) -> list[tuple[str, str]]:
    """Rows of a title and a text."""
    if isinstance(report, Capabilities):
        return [(what, ", ".join(map(str, values)) if isinstance(values, list) else str(values))
                for what, values in _capabilities_data(report).items()]  # fmt: skip
    rows = [("manifest", _manifest(report))] if report.uri or report.digest else []
    if report.boot is not None:
        rows += _boot_words(report.boot)
    rows.append(("last update" if report.boot is not None else "result", _result(report)))
    if report.failure is not None and report.failure.code != 0:
        if report.failure.place.section or report.failure.place.offset:
            rows.append(("where", _where(report.failure.place)))
        rows.append(("reason", REASONS[report.failure.reason]))
    rows += [("record" if isinstance(record, Place) else "image", _record(record))
             for record in report.records]  # fmt: skip
    if report.nonce is not None:
        rows.append(("nonce", report.nonce.hex()))
    return rows + (in_words(report.capabilities) if report.capabilities is not None else [])


def _manifest(report: Report) -> str:
    parts = [report.uri, f"SHA-256 {report.digest.hex()}" if report.digest else ""]
    return ", ".join(part for part in parts if part)


def _result(report: Report) -> str:
    failure = report.failure
    if failure is None:
        return "done" if report.boot is None else "none, or confirmed"
    if failure.code == 0:
        return "not over" + f", {REASONS[failure.reason]}" * (failure.reason != 0)
    text = picosuit.strerror(failure.code)
    verb = "refused" if report.boot is None else "rejected"
    return f"{verb}: {code_name(failure.code)}, {text}"


def _where(place: Place) -> str:
    if place.section == 0:
        return f"byte {place.offset} of the envelope"
    return f"byte {place.offset} of {section_name(place.section)}, component {place.component}"


def _record(record: Place | Claims) -> str:
    more = "".join(f", {name} {value}" for name, value in _named(record.properties).items())
    if isinstance(record, Place):
        return _where(record) + more
    size = "" if record.size is None else f", {record.size} bytes"
    digest = f", SHA-256 {record.digest.hex()}" if record.digest else ""
    return ids.component_text(record.component) + size + digest + more


def _boot_words(boot: BootState) -> list[tuple[str, str]]:
    runs = "nothing, safe mode" if boot.slot == NONE else f"slot {boot.slot}"
    state = PHASES[boot.phase]
    if boot.candidate is not None:
        state += f": sequence number {boot.candidate}"
    if boot.tries:
        state += f", started {'once' if boot.tries == 1 else f'{boot.tries} times'}"
    if boot.rejected is not None:
        state += f"; rejected before: sequence number {boot.rejected}"
    return [
        ("runs", runs),
        ("state", state),
        ("accepts", f"sequence numbers from {boot.floor} on; key set {boot.epoch}"),
    ]
