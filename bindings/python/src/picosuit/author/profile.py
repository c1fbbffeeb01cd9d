# SPDX-License-Identifier: MIT
"""Device profiles: what a tool on the author's machine must know about a device. In TOML.

docs/author.md has every key. `check` builds a virtual device from one, `encrypt` asks it for the
room there is for a manifest, `push` for what is worth sending.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ids, keys, names, tables
from .files import read_file
from .problem import Problem
from .tables import U32_MAX, U64_MAX, Table

STORED, TRUSTED, TRANSIENT, KEYS = 0, 1, 2, 8  # PICOSUIT_STORED ..., _KIND_KEYS
KINDS = {"stored": STORED, "trusted": TRUSTED, "transient": TRANSIENT, "keys": STORED | KEYS}
ANCHOR_ALGORITHMS = {"Ed25519": names.ED25519, "EdDSA": names.EDDSA,
                     "HMAC 256/256": names.HMAC256}  # fmt: skip
DEVICE_ALGORITHMS = {"ECDH-ES+A128KW": names.ECDH_ES_A128KW, "A128KW": names.A128KW}
KEY_LEN = {names.ED25519: 32, names.EDDSA: 32, names.HMAC256: 32, names.ECDH_ES_A128KW: 32,
           names.A128KW: 16}  # fmt: skip
RIGHTS = {name.lower().replace("_", "-"): bit for bit, name in names.RIGHTS.items()}
# Switches PICOSUIT_WITH_..., and whether they are on by default.
FEATURES = {"ENCRYPTION": True, "MAC": True, "SEVERED": True, "INTEGRATED": True, "SLOTS": True,
            "SWAP": False, "REPORT": True}  # fmt: skip
BUILDS = ("asm", "whole", "expanded", "portable")  # of bench/counts.csv
CORES = ("m0", "m0plus")
WORK_MAX = 1 << 20  # bytes: no envelope needs more than 66,500
MANIFEST_ENVELOPE = 48  # PICOSUIT_MANIFEST_ENVELOPE: where it begins in that area
CONTEXT = 640  # sizeof(picosuit) on a 32-bit part; tests compare it with docs/sizes.md


@dataclass(frozen=True)
class Component:
    """Something that an update can write or start."""

    id: ids.Identifier
    kind: int = STORED
    capacity: int = 0  # bytes: of one slot, where there are slots
    initial: bytes | None = None  # what it holds beforehand
    signers: frozenset[int] | None = None  # numbers of the keys that may use it; None: all

    @property
    def is_transient(self) -> bool:
        return self.kind & ~KEYS == TRANSIENT


@dataclass(frozen=True)
class DeviceKey:
    """A key that the device holds. `key`: public, or secret (HMAC, KEK, X25519 scalar)."""

    key: bytes
    alg: int
    rights: int
    id: int  # the platform's number of it
    kid: bytes | None = None
    name: str = ""  # for people: the kid, the file, or the place


@dataclass(frozen=True)
class Flash:
    page: int = 1024  # bytes of an erase page
    unit: int = 4  # bytes that are programmed at once
    erased: int = 0xFF  # value of an erased byte
    is_whole: bool = True  # starting over erases all of a component, not only what is needed
    manifest_area: int = 0  # bytes behind the image, erased with it; 0: no boot state
    erase_ms: float | None = None  # of a page
    program_us: float | None = None  # of a unit
    cycles: int | None = None  # erases that a page endures


@dataclass(frozen=True)
class Processor:
    core: str = "m0"
    build: str = "asm"
    mhz: float = 16.0


@dataclass(frozen=True)
class Profile:
    """A device, as seen from outside."""

    file: str
    name: str
    vendors: tuple[bytes, ...]  # UUIDs
    classes: tuple[bytes, ...]
    devices: tuple[bytes, ...]
    pens: tuple[bytes, ...]  # vendors as relative OIDs, content of CBOR tag 112
    components: tuple[Component, ...]
    slots: int  # of each component that is not transient; 1: no choice
    write_slot: int  # which of them `begin` would write
    anchors: tuple[DeviceKey, ...]  # what authenticates
    device_keys: tuple[DeviceKey, ...]  # what decrypts
    work: int  # bytes of the work buffer
    stack: int | None  # bytes there are for the core's calls
    floor: int | None  # sequence number confirmed last; None: nothing ever was
    confirmed: bytes | None  # digest of that manifest
    sequence_step: int | None  # the most that a sequence number may jump
    features: frozenset[str]  # switches of the build that are on
    flash: Flash
    processor: Processor

    @property
    def envelope_max(self) -> int | None:
        """Bytes that the manifest area has for the stored envelope; None: no such area."""
        area = self.flash.manifest_area
        return area - MANIFEST_ENVELOPE if area else None

    def component(self, identifier: ids.Identifier) -> Component | None:
        return next((c for c in self.components if c.id == identifier), None)


def load(path: str | Path) -> Profile:
    """The profile in a file. Raises Problem with file and line."""
    file = str(path)
    return parse(read_file(path, tables.SIZE_MAX), file)


def parse(data: bytes, file: str) -> Profile:
    """The same from bytes; paths in it are relative to `file`."""
    top = tables.read(data, file)
    name = top.text_at("name") or Path(file).stem
    vendors, classes, devices, pens = _identity(top)
    anchors = _keys(top, "trust-anchor", ANCHOR_ALGORITHMS, 1)
    device_keys = _keys(top, "device-key", DEVICE_ALGORITHMS, len(anchors) + 1)
    slots, write_slot = _slots(top.table_at("slots"))
    flash = _flash(top.table_at("flash"))
    components = tuple(_component(table, anchors) for table in top.tables_at("component"))
    _distinct(top, components)
    memory = top.table_at("memory")
    work, stack = memory.int_at("work", 1, WORK_MAX), memory.int_at("stack", 1)
    memory.done()
    state = top.table_at("sequence")
    floor = state.int_at("floor", 0, U64_MAX)
    confirmed, step = state.hex_at("digest", 32), state.int_at("step", 1, U64_MAX)
    state.done()
    if confirmed is not None and floor is None:
        raise state.fail("digest", "a digest without floor", "it is that of the floor's manifest")
    profile = Profile(
        file, name, vendors, classes, devices, pens, components, slots, write_slot, anchors,
        device_keys, memory.need("work", work), stack, floor, confirmed, step, _features(top),
        flash, _processor(top.table_at("processor")),
    )  # fmt: skip
    top.done()
    return profile


# -- identity -----------------------------------------------------------------------------------


def _identity(top: Table) -> tuple[tuple[bytes, ...], ...]:
    """UUIDs of vendor, class and device, and PENs; each may be several."""
    vendors = [ids.vendor(domain) for domain in top.texts_at("vendor-domain")]
    vendors += top.list_at("vendor-id", ids.read_uuid)
    pens = top.list_at("pen", ids.read_pen)
    found = [tuple(vendors)]
    for key in ("class", "device"):
        texts = top.texts_at(key)
        if texts and not vendors:
            raise top.fail(key, "a name needs a vendor", f"vendor-domain, or give {key}-id")
        values = [ids.class_of(vendors[0], text) for text in texts]
        found.append((*values, *top.list_at(f"{key}-id", ids.read_uuid)))
    return (*found, tuple(pens))


# -- keys ---------------------------------------------------------------------------------------


def _keys(top: Table, key: str, algorithms: dict[str, int], first: int) -> tuple[DeviceKey, ...]:
    """[[trust-anchor]] or [[device-key]]; they are numbered from `first` on, unless they say
    otherwise. A file with a key set gives several trust anchors."""
    found: list[DeviceKey] = []
    for table in top.tables_at(key):
        name, kid_text = table.choice_at("alg", algorithms), table.text_at("kid")
        alg = next(iter(algorithms.values())) if name is None else algorithms[name]
        kid = None if kid_text is None else keys.read_kid(kid_text)
        rights = table.list_at("rights", _right) if key == "trust-anchor" else []
        if key == "trust-anchor" and table.has("rights") and not rights:
            raise table.fail("rights", "an empty list: this key could do nothing")
        number = table.int_at("id", 1, 0xFFFF)
        data, path = table.hex_at("hex", KEY_LEN[alg]), table.path_at("file")
        if (data is None) == (path is None):
            raise Problem(f"{table.name}: either file or hex", file=top.file, line=table.header)
        if path is not None:
            given = _key_file(path, [alg] if name else list(algorithms.values()))
        else:
            given = [keys.Key(alg, data, data)]
        if len(given) > 1 and (kid or number):
            raise table.fail("kid" if kid else "id", "the file holds several keys")
        for one in given:
            named, value = kid or one.kid, one.public if one.alg in keys.SIGNS else one.secret
            assert value is not None
            found.append(DeviceKey(
                value, one.alg, _rights(rights, one.rights, key), number or first + len(found),
                named, _key_name(named, path, f"{key} {len(found) + 1}")))
            if found[-1].id in [other.id for other in found[:-1]]:
                raise Problem(f"{table.name}: another {key} has the number {found[-1].id}",
                              file=top.file, line=table.header, hint="id = ...")  # fmt: skip
        table.done()
    return tuple(found)


def _key_name(kid: bytes | None, path: Path | None, place: str) -> str:
    """For people: the kid, else the file, else where it stands in the profile."""
    if kid is not None:
        return keys.kid_text(kid)
    return place if path is None else path.name


def _right(value: Any, where: str) -> int:
    """The bit of update, invoke, ...; capitals are good, too: the header writes them so."""
    bit = RIGHTS.get(value.lower().replace("_", "-")) if isinstance(value, str) else None
    if bit is None:
        raise Problem(f"{where}: {value!r} is not one of {', '.join(RIGHTS)}")
    return bit


def _rights(given: list[int], own: int | None, key: str) -> int:
    """Of the profile, else of the key file, else to update and to start."""
    if key == "device-key":
        return 0
    default = RIGHTS["update"] | RIGHTS["invoke"]
    return sum(set(given)) or (default if own is None else own)


def _key_file(path: Path, algorithms: list[int]) -> list[keys.Key]:
    """The key or the keys in a file; signers' public, others secret."""
    loaded = keys.load_any(path)
    given = loaded if isinstance(loaded, list) else [loaded]
    for one in given:
        if one.alg not in algorithms:
            raise Problem(f"holds a key for {one.name}", file=str(path))
        if one.alg in keys.SIGNS and one.secret is not None:
            raise Problem("holds a private key, wanted is a public one", file=str(path),
                          hint="picosuit key convert --public")  # fmt: skip
        if one.alg not in keys.SIGNS and one.secret is None:
            raise Problem("holds a public key, wanted is the secret one", file=str(path))
    return given


# -- the rest -----------------------------------------------------------------------------------


def _slots(table: Table) -> tuple[int, int]:
    count = table.int_at("count", 1, 255) or 1
    write = table.int_at("write", 0, count - 1) or 0
    table.done()
    return count, write


def _flash(table: Table) -> Flash:
    default = Flash()
    page, unit = table.int_at("page", 64), table.int_at("unit", 1, 64)
    erased, whole = table.int_at("erased", 0, 255), table.choice_at("erases", ("all", "needed"))
    area = table.int_at("manifest-area", 0)
    flash = Flash(
        page or default.page, unit or default.unit, default.erased if erased is None else erased,
        whole != "needed", area or 0, table.number_at("erase-ms", 0, 1e6),
        table.number_at("program-us", 0, 1e9), table.int_at("endurance", 1),
    )  # fmt: skip
    if flash.page % 64:
        raise table.fail("page", f"{flash.page} is not a multiple of 64 bytes")
    if 64 % flash.unit:
        raise table.fail("unit", f"{flash.unit} is not 1, 2, 4, ... 64")
    if flash.erased not in (0, 255):
        raise table.fail("erased", f"{flash.erased} is neither 0 nor 255")
    if flash.manifest_area % flash.page:
        raise table.fail("manifest-area", f"not whole pages of {flash.page} bytes")
    table.done()
    return flash


def _processor(table: Table) -> Processor:
    core, build = table.choice_at("core", CORES), table.choice_at("build", BUILDS)
    mhz = table.number_at("mhz", 0.001, 10_000)
    table.done()
    default = Processor()
    return Processor(core or default.core, build or default.build, mhz or default.mhz)


def _features(top: Table) -> frozenset[str]:
    """[features]: switches of the build, mac = false."""
    table = top.table_at("features")
    on = {name for name, default in FEATURES.items() if table.bool_at(name.lower(), default)}
    table.done()
    return frozenset(on)


def _component(table: Table, anchors: Iterable[DeviceKey]) -> Component:
    identifier = table.need("id", table.component_at("id"))
    kind = KINDS[table.choice_at("kind", KINDS) or "stored"]
    capacity, path = table.int_at("capacity", 1, U32_MAX - 1), table.path_at("initial")
    signers = table.list_at("signers", lambda value, where: _signer(value, where, anchors))
    has_signers = "signers" in table.data
    table.done()
    if kind == TRANSIENT:
        if capacity is not None or path is not None:
            key = "capacity" if capacity is not None else "initial"
            raise table.fail(key, "a transient component stores nothing")
        return Component(identifier, kind, 0, None, frozenset(signers) if has_signers else None)
    size = table.need("capacity", capacity)
    initial = None if path is None else read_file(path, size)
    return Component(identifier, kind, size, initial, frozenset(signers) if has_signers else None)


def _signer(value: Any, where: str, anchors: Iterable[DeviceKey]) -> int:
    """Number of the trust anchor with this kid, or with this number."""
    for anchor in anchors:
        if (value == anchor.id and not isinstance(value, bool)) or (
            isinstance(value, str) and value.encode() == anchor.kid):  # fmt: skip
            return anchor.id
    raise Problem(f"{where}: no trust anchor is called {value!r}")


def _distinct(top: Table, components: tuple[Component, ...]) -> None:
    seen: set[ids.Identifier] = set()
    for n, component in enumerate(components):
        if component.id in seen:
            raise Problem(f"component {n + 1}: {ids.component_text(component.id)} is there "
                          "twice", file=top.file)  # fmt: skip
        seen.add(component.id)
    if not components:
        raise Problem("no [[component]]: nothing could be written", file=top.file)
    if len(components) > 255:
        raise Problem(f"{len(components)} components, a device has 255 handles", file=top.file)
