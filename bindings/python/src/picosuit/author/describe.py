# SPDX-License-Identifier: MIT
"""From a readable description to an unsigned envelope. docs/author.md has the format.

The bytes depend on the description and on the contents of the files it names, on nothing else.
Source: draft-ietf-suit-manifest-37 8.2 to 8.4 (members), 7 (templates).

Each section is written by one function below, or taken from the description as it stands there.
Sections of one component look like those of bench/m0/device_envelope.py: image-match after every
fetch, so that a bad payload is found before the update ends, and in validate, so that it is found
at every start.
"""
from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import cbor, envelope, ids, names, script, tables
from .cbor import Tag, Wrap
from .envelope import digest_of
from .files import read_file
from .problem import Problem
from .script import Scope
from .tables import U32_MAX, U64_MAX, Table

COMPONENTS_MAX = 32  # PICOSUIT_MAX_COMPONENTS
STORED_MAX = 65_535  # PICOSUIT_MAX_STORED: where the last member that a device keeps may end
BLOCK_MAX = 192  # room for each of PICOSUIT_MAX_BLOCKS authentication blocks
BLOCKS_MAX = 4
DIGEST_LEN = 36  # bytes of an encoded SUIT_Digest; smaller members are not worth severing

SECTIONS = ("payload-fetch", "install", "validate", "load", "invoke")
SEVERABLE = ("payload-fetch", "install", "text")
MEMBER = {name: number for number, name in names.MEMBERS.items()}
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # [M 8.4.4], BCP 47


@dataclass(frozen=True)
class Variant:
    """What a component shall hold: the image, or that of one slot."""

    slot: int | None
    digest: bytes  # SHA-256
    size: int
    data: bytes | None  # None: only digest and size were given
    file: str | None
    uris: tuple[str, ...]  # tried in turn
    key: str | None  # of the payload in the envelope

    @property
    def image(self) -> dict[int, Any]:
        return {names.P_DIGEST: Wrap([names.SHA256, self.digest]), names.P_SIZE: self.size}


@dataclass
class Component:
    name: str
    id: ids.Identifier
    index: int
    table: Table
    variants: list[Variant] = field(default_factory=list)
    parameters: dict[int, Any] = field(default_factory=dict)
    content: bytes | None = None
    is_keys: bool = False
    is_fetched: bool = True
    is_booted: bool = False
    stage: Component | None = None
    source: Component | None = None  # it is copied from there when the device starts

    @property
    def has_slots(self) -> bool:
        return bool(self.variants) and self.variants[0].slot is not None

    @property
    def is_installed(self) -> bool:
        return self.source is None and self.is_fetched and bool(self.variants)


@dataclass
class Description:
    """All that a description says, checked."""

    table: Table
    sequence: int
    vendor: bytes | Tag | None
    vendor_name: str | None
    classes: list[bytes]
    class_names: list[str]
    devices: list[bytes]
    reference_uri: str | None
    components: list[Component]
    scope: Scope
    text: dict[str, dict[Any, Any]]
    sections: dict[str, list[Any]]  # those that are written out, and "shared"
    severable: tuple[str, ...] | None  # None: text, if that saves bytes
    payloads: dict[str, bytes]
    warnings: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        return self.table.file

    @property
    def has_identity(self) -> bool:
        return self.vendor is not None or bool(self.classes or self.devices)


@dataclass(frozen=True)
class Created:
    """An unsigned envelope, and what it was made from."""

    envelope: bytes
    manifest: bytes
    description: Description
    severable: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the manifest's byte string: what will be signed."""
        return digest_of(cbor.encode(self.manifest))


def create(
    data: bytes, file: str, *, sequence: int | None = None,
    read: Callable[[Path], bytes] | None = None,
) -> Created:  # fmt: skip
    """The envelope of a description.

    data      content of the TOML file
    file      its name; the paths in it are relative to it
    sequence  instead of the description's
    read      reads a payload file, or raises Problem; by default from the disk

    Raises Problem with file, line and key.
    """
    return assemble(_read(tables.read(data, file), sequence, read or read_file))


# -- reading the description -------------------------------------------------------------------


def _read(top: Table, sequence: int | None, read: Callable[[Path], bytes]) -> Description:
    number = top.int_at("sequence", 0, U64_MAX)
    number = sequence if sequence is not None else top.need("sequence", number)
    if number >= U64_MAX:
        raise top.fail("sequence", f"{number} is not below 2^64 - 1: no update could ever "
                       "follow")  # fmt: skip
    vendor = script.vendor_of(top)
    scope = Scope(read, vendor=vendor)
    _reporting(top.table_at("reporting"), scope)
    uri = top.text_at("reference-uri")
    if uri is not None:
        script.check_uri(top, "reference-uri", uri)
    components = _components(top, scope)
    sections = {key: script.sequence(top, key, scope, is_shared=key == "shared")
                for key in ("shared", *SECTIONS)}  # fmt: skip
    severable = top.texts_at("severable")
    found = Description(
        top, number, vendor, top.data.get("vendor-domain"),
        script.named_ids(top, "class", vendor), list(top.texts_at("class")),
        script.named_ids(top, "device", vendor), uri, components, scope,
        _text(top, components), {k: v for k, v in sections.items() if v is not None},
        tuple(severable) if "severable" in top.data else None,
        _payloads(top.table_at("payloads"), components, scope),
    )  # fmt: skip
    any_device = top.bool_at("any-device", False)
    top.done()
    for name in severable:
        if name not in SEVERABLE:
            raise top.fail("severable", f"{name!r} cannot be severed",
                           "these can: " + ", ".join(SEVERABLE))  # fmt: skip
    _check_identity(top, found, any_device)
    _check_shared(found)
    return found


def _reporting(table: Table, scope: Scope) -> None:
    for key in ("conditions", "slot", "directives"):
        if table.has(key):
            setattr(scope, key, script.policy(table.data[key], table.source, (*table.place, key)))
    table.done()


def _has_checks(commands: list[Any]) -> bool:
    return {names.VENDOR_CHECK, names.CLASS_CHECK} <= {label for label, _ in script.walk(commands)}


def _check_identity(top: Table, found: Description, any_device: bool) -> None:
    """A manifest checks vendor and class, or says that it does not."""
    has_checks = _has_checks(found.sections.get("shared", []))
    has_both = found.vendor is not None and bool(found.classes)
    if any_device:
        if has_checks or has_both:
            raise top.fail("any-device", "but vendor and class are checked", "leave one out")
        found.warnings.append("no vendor and class check: every device that trusts the signer "
                              "takes this update, if the key has the right ANY_DEVICE")  # fmt: skip
    elif not (has_checks or has_both):
        missing = "class" if found.vendor is not None else "vendor-domain"
        raise Problem(f"{missing} is missing", file=found.file, hint="an update names the devices "
                      "it is for by vendor-domain and class")  # fmt: skip


def _check_shared(found: Description) -> None:
    """A shared sequence that is written out is all there is: nothing may get lost."""
    if "shared" not in found.sections:
        return
    for component in found.components:
        for key in ("content", "parameters"):
            if key in component.table.data:
                raise component.table.fail(key, "shared is written out, so this has no effect",
                                           "override it there")  # fmt: skip
    has_image = any(c.variants and c.source is None for c in found.components)
    is_set = any(label == names.OVERRIDE and names.P_DIGEST in argument
                 for section in found.sections.values()
                 for label, argument in script.walk(section))  # fmt: skip
    if has_image and not is_set:
        raise found.table.fail("shared", "it is written out, and sets no image-digest",
                               '{override = {image = "..."}}')  # fmt: skip


def _components(top: Table, scope: Scope) -> list[Component]:
    found: list[Component] = []
    given = top.tables_at("component")
    if not given:
        raise Problem("no [[component]]: nothing to update", file=top.file)
    if len(given) > COMPONENTS_MAX:
        raise given[COMPONENTS_MAX].problem(f"more than {COMPONENTS_MAX} components")
    for index, table in enumerate(given):
        identifier = table.need("id", table.component_at("id"))
        own = table.data["id"]
        default = own if isinstance(own, str) else "/".join(own)
        name = table.text_at("name") or default
        for other in found:
            if other.id == identifier:
                raise table.fail("id", f"{ids.component_text(identifier)} is {other.name}, too")
            if other.name == name:
                raise table.fail("name", f"two components are called {name!r}")
        found.append(Component(name, identifier, index, table))
    scope.components.update({component.name: component.index for component in found})
    keys = _Keys(top)
    for component in found:  # in the order in which a device gets the payloads
        if "stage" in component.table.data:
            _contents(component, found, scope, keys)
    for component in found:
        if "stage" not in component.table.data:
            _contents(component, found, scope, keys)
    _check_places(found)
    return found


class _Keys:
    """Names for payloads in the envelope: #a, #b, ... They stand in the envelope in this order,
    which is the order in which a device fetches them, so it needs no second pass."""

    def __init__(self, top: Table) -> None:
        self.count, self.taken = 0, set(top.table_at("payloads").data)
        for component in top.tables_at("component"):
            slots = component.data.get("slots", [])
            for table in [component.data, *(slots if isinstance(slots, list) else [])]:
                uris = table.get("uri", []) if isinstance(table, dict) else []
                self.taken |= {str(uri) for uri in (uris if isinstance(uris, list) else [uris])}

    def next(self) -> str:
        while True:
            self.count += 1
            n, name = self.count, ""
            while n > 0:
                n, digit = divmod(n - 1, 26)
                name = chr(ord("a") + digit) + name
            if f"#{name}" not in self.taken:
                return f"#{name}"


def _contents(component: Component, found: list[Component], scope: Scope, keys: _Keys) -> None:
    table = component.table
    kind = table.choice_at("kind", ("image", "keys"))
    component.is_keys = kind == "keys"
    component.is_booted = table.bool_at("boot", False)
    component.is_fetched = table.bool_at("fetch", True)
    component.content = script.some_bytes(table, "content", scope)
    component.stage = _other(table, "stage", component, found)
    component.source = _other(table, "load-from", component, found)
    component.parameters = script.parameters(table.table_at("parameters"), scope, is_nested=False)
    is_bare = component.source is not None or not component.is_fetched
    if table.has("slots"):
        component.variants = _slots(component, scope, keys, is_bare)
    else:
        variant = _variant(table, None, scope, keys, is_bare)
        component.variants = [] if variant is None else [variant]
    table.done()
    _check_component(component)


def _other(
    table: Table, key: str, component: Component, found: list[Component]
) -> Component | None:
    name = table.text_at(key)
    if name is None:
        return None
    for other in found:
        if other.name == name:
            if other is component:
                raise table.fail(key, "the component itself")
            return other
    raise table.fail(key, f"no component is called {name!r}",
                     script.nearest(name, [other.name for other in found]))  # fmt: skip


def _slots(component: Component, scope: Scope, keys: _Keys, is_bare: bool) -> list[Variant]:
    """One image per slot: a list of files, or of tables."""
    table = component.table
    given = table.data["slots"]
    if not isinstance(given, list) or len(given) < 2:
        raise table.fail("slots", "not a list of two or more", 'slots = ["a.bin", "b.bin"]')
    for key in ("file", "digest", "size", "uri"):
        if table.has(key):
            raise table.fail(key, "beside slots, each slot has its own",
                             f"slots = [{{{key} = ...}}, ...]")  # fmt: skip
    inside = table.get("inside", bool, "true or false")
    found: list[Variant] = []
    for n, value in enumerate(given):
        one = table.inner({"file": value} if isinstance(value, str) else value, "slots", n)
        number = one.int_at("slot")
        if inside is not None:
            one.data.setdefault("inside", inside)
        variant = _variant(one, n if number is None else number, scope, keys, is_bare)
        if variant is None:
            raise one.problem("neither file nor digest")
        if variant.slot in [other.slot for other in found]:
            raise one.fail("slot", f"slot {variant.slot} twice")
        one.done()
        found.append(variant)
    return found


def _variant(
    table: Table, slot: int | None, scope: Scope, keys: _Keys, is_bare: bool
) -> Variant | None:
    """From file, or digest and size; uri; inside. is_bare: it is not fetched."""
    data = script.payload_file(table, "file", scope)
    digest, size = table.hex_at("digest", 32), table.int_at("size", 1)
    uris = [script.check_uri(table, "uri", uri) for uri in table.texts_at("uri")]
    inside = table.get("inside", bool, "true or false")
    if len(set(uris)) < len(uris):
        raise table.fail("uri", "the same URI twice")
    if data is not None:
        for name in ("digest", "size"):
            if table.has(name):
                raise table.fail(name, "beside file, which has its own")
        digest, size = hashlib.sha256(data).digest(), len(data)
        if size > U32_MAX:
            raise table.fail("file", f"{size} bytes; at most {U32_MAX} are allowed")
    if digest is None:
        for name in ("size", "uri", "inside"):
            if table.has(name):
                raise table.fail(name, "but neither file nor digest")
        return None
    size = table.need("size", size)
    key = _key(table, uris, inside, is_bare, data is not None, keys)
    if key is not None and key not in uris:
        uris.insert(0, key)
    return Variant(slot, digest, size, data, table.text_at("file"), tuple(uris), key)


def _key(
    table: Table, uris: list[str], inside: bool | None, is_bare: bool, has_data: bool, keys: _Keys
) -> str | None:
    """Key of the payload in the envelope; None if it does not travel there."""
    if is_bare:
        for name in ("uri", "inside"):
            if table.has(name):
                raise table.fail(name, "but the payload is not fetched")
        return None
    marked = [uri for uri in uris if uri.startswith("#")]
    if len(marked) > 1 or (marked and inside is False):
        raise table.fail("uri", "a payload stands in the envelope once, under one key with #"
                         if len(marked) > 1 else "a key with #, but inside = false")  # fmt: skip
    is_inside = bool(marked) or (not uris if inside is None else inside)
    if is_inside and not has_data:
        raise table.fail("digest", "a payload in the envelope needs its file",
                         "or a uri to get it from")  # fmt: skip
    if not is_inside:
        if not uris:
            raise table.fail("inside", "false, and no uri to get the payload from")
        return None
    return marked[0] if marked else uris[0] if uris else keys.next()


def _check_component(component: Component) -> None:
    table = component.table
    if component.is_booted and not component.variants and component.source is None:
        raise table.fail("boot", "but it has no payload, so nothing says what may be started")
    if component.content is not None and (component.variants or component.source):
        raise table.fail("content", "beside a payload", "a component holds one of them")
    for label in component.parameters:
        name = names.PARAMETERS[label]
        if label in (names.P_VENDOR, names.P_CLASS, names.P_DEVICE):
            raise table.fail("parameters", f"{name} stands at the top of the description")
        is_image = label in (names.P_DIGEST, names.P_SIZE, names.P_URI, names.P_SLOT)
        if (component.variants and is_image) or (
            component.content is not None and label == names.P_CONTENT):  # fmt: skip
            raise table.fail("parameters", f"{name} is set by the payload, too")
    if component.is_keys:
        if component.is_booted or component.has_slots or component.source is not None:
            key = next(k for k in ("boot", "slots", "load-from") if k in table.data)
            raise table.fail(key, "not for a key set")
        for variant in component.variants:
            if variant.data is not None:
                _check_keys(table, variant.data)


def _check_keys(table: Table, data: bytes) -> None:
    from . import keys  # loads cryptography, and few updates carry keys

    try:
        keys.read_key_set(data)
    except Problem as e:
        raise table.fail("file", f"no key set: {e}", "picosuit key set makes one") from None


def _check_places(found: list[Component]) -> None:
    """Staging and loading: from where there is something, to where nothing else goes."""
    stages: dict[str, str] = {}
    for component in found:
        table, stage, source = component.table, component.stage, component.source
        if stage is not None:
            if not component.is_installed:
                raise table.fail("stage", "but nothing is fetched")
            if stage.variants or stage.source or stage.content is not None:
                raise table.fail("stage", f"{stage.name} has a content of its own")
            if stage.name in stages:
                raise table.fail("stage", f"{stages[stage.name]} is staged there, too")
            stages[stage.name] = component.name
        if source is not None:
            if component.has_slots or source.has_slots:
                raise table.fail("load-from", "one image per slot is not loaded",
                                 "write load = [...] for that")  # fmt: skip
            if not (component.variants or (source.variants and source.source is None)):
                raise table.fail("load-from", f"{source.name} has no payload")


def _payloads(table: Table, components: list[Component], scope: Scope) -> dict[str, bytes]:
    """Contents of integrated payloads, by key: those of components, then [payloads]."""
    found: dict[str, bytes] = {}
    for component in components:
        for variant in component.variants:
            if variant.key is None or variant.data is None:
                continue
            if found.setdefault(variant.key, variant.data) != variant.data:
                raise component.table.fail("uri", f"{variant.key!r} is another payload, too")
    for key in table.data:
        data = script.payload_file(table, key, scope)
        assert data is not None
        if key in found:
            raise table.fail(key, "a component's payload has this key")
        found[script.check_uri(table, key, key)] = data
    return found


def _text(top: Table, components: list[Component]) -> dict[str, dict[Any, Any]]:
    """[text.LANGUAGE], [text.LANGUAGE.component.NAME]"""
    table = top.table_at("text")
    found: dict[str, dict[Any, Any]] = {}
    for language in table.data:
        if not LANGUAGE.fullmatch(language):
            raise table.fail(language, "not a language tag", "en, de-CH: BCP 47")
        own = table.table_at(language)
        entries: dict[Any, Any] = _texts(own, names.TEXT_MANIFEST)
        named = own.table_at("component")
        own.done()
        for component in components:
            if component.name in named.data:
                inner = named.table_at(component.name)
                entries[component.id] = _texts(inner, names.TEXT_COMPONENT)
                inner.done()
                if not entries[component.id]:
                    raise named.fail(component.name, "no text")
            else:
                named.has(component.name)
        named.done()
        if not entries:
            raise table.fail(language, "no text")
        found[language] = entries
    return found


def _texts(table: Table, known: dict[int, str]) -> dict[Any, Any]:
    found = {number: table.text_at(name) for number, name in known.items()}
    return {number: value for number, value in found.items() if value is not None}


# -- writing the sections ----------------------------------------------------------------------


class _Section(list[Any]):
    """A command sequence under construction: label, argument, label, ..."""

    def __init__(self, d: Description) -> None:
        super().__init__()
        self.scope, self.has_several, self.at = d.scope, len(d.components) > 1, -1

    def select(self, component: Component) -> None:
        if self.has_several and self.at != component.index:
            self += [names.SET_INDEX, component.index]
            self.at = component.index

    def set(self, parameters: dict[int, Any]) -> None:
        if parameters:
            self.extend([names.OVERRIDE, parameters])

    def do(self, *labels: int) -> None:
        for label in labels:
            self.extend([label, self.scope.policy_of(label)])

    def either(self, alternatives: list[_Section]) -> None:
        """One alternative stands without a try-each, whose form needs two."""
        if len(alternatives) == 1:
            self.extend(alternatives[0])
        else:
            self.extend([names.TRY_EACH, [Wrap(list(one)) for one in alternatives]])


def _identity(d: Description, section: _Section, more: dict[int, Any]) -> None:
    """Vendor, class and device, checked before anything else. `more` saves a command."""
    ids_ = {names.P_VENDOR: d.vendor} if d.vendor is not None else {}
    lists = ((names.P_CLASS, names.CLASS_CHECK, d.classes),
             (names.P_DEVICE, names.DEVICE_CHECK, d.devices))  # fmt: skip
    ids_ |= {label: values[0] for label, _, values in lists if len(values) == 1}
    section.set(ids_ | more)
    if d.vendor is not None:
        section.do(names.VENDOR_CHECK)
    for label, check, values in lists:
        alternatives = []
        for value in values:
            one = _Section(d)
            one.set({label: value} if len(values) > 1 else {})
            one.do(check)
            alternatives.append(one)
        if alternatives:
            section.either(alternatives)


def _by_slot(
    d: Description, section: _Section, component: Component,
    rest: Callable[[_Section, Variant], None],
) -> None:  # fmt: skip
    """`rest` for the variant of the slot, or for the only one."""
    alternatives = []
    for variant in component.variants:
        one = _Section(d)
        one.at = section.at
        if variant.slot is not None:
            one.set({names.P_SLOT: variant.slot})
            one.do(names.SLOT_CHECK)
        rest(one, variant)
        alternatives.append(one)
    section.either(alternatives)


def _shared(d: Description) -> _Section:
    section = _Section(d)
    for component in d.components:
        own = dict(component.parameters)
        if component.content is not None:
            own[names.P_CONTENT] = component.content
        if component.variants and not component.has_slots and component.source is None:
            own |= component.variants[0].image
        if component.index == 0 or own or component.has_slots:
            section.select(component)
        if component.index == 0:
            _identity(d, section, own)
        else:
            section.set(own)
        if component.has_slots:
            _by_slot(d, section, component, lambda one, variant: one.set(variant.image))
    return section


def _fetch(d: Description, section: _Section, component: Component, target: Component) -> None:
    """The payload of a component into a target: itself, or where it is staged."""
    is_staged = target is not component
    is_plain = all(len(variant.uris) == 1 for variant in component.variants)

    def get(one: _Section, variant: Variant) -> None:
        if is_staged:
            one.select(target)
            one.set(variant.image)
        sources = []
        for uri in variant.uris:
            source = _Section(d)
            source.set({names.P_URI: uri})
            source.do(names.FETCH, names.IMAGE_MATCH)
            sources.append(source)
        one.either(sources)

    def point(one: _Section, variant: Variant) -> None:
        if is_staged:
            one.select(target)
        one.set((variant.image if is_staged else {}) | {names.P_URI: variant.uris[0]})

    section.select(component if component.has_slots else target)
    _by_slot(d, section, component, point if is_plain else get)
    if is_plain:
        section.select(target)
        section.do(names.FETCH, names.IMAGE_MATCH)


def _payload_fetch(d: Description) -> _Section:
    section = _Section(d)
    for component in d.components:
        if component.stage is not None:
            _fetch(d, section, component, component.stage)
    return section


def _install(d: Description) -> _Section:
    section = _Section(d)
    for component in d.components:
        if component.stage is not None:
            section.select(component)
            section.set({names.P_SOURCE: component.stage.index})
            section.do(names.COPY, names.IMAGE_MATCH)
        elif component.content is not None:
            section.select(component)
            section.do(names.WRITE, names.CONTENT_CHECK)
        elif component.is_installed:
            _fetch(d, section, component, component)
    return section


def _validate(d: Description) -> _Section:
    """What is started comes last: a loader starts what was matched last. A key set beside it is
    compared in install alone, since it changes with the next rotation. Source: docs/boot.md."""
    section = _Section(d)
    for component in sorted(d.components, key=lambda c: c.is_booted):
        if component.source is not None or (component.is_keys and len(d.components) > 1):
            continue
        if component.variants or component.content is not None:
            section.select(component)
            section.do(names.IMAGE_MATCH if component.variants else names.CONTENT_CHECK)
    return section


def _load(d: Description) -> _Section:
    section = _Section(d)
    for component in d.components:
        source = component.source
        if source is not None:
            image = (component.variants or source.variants)[0].image
            section.select(component)
            section.set(image | {names.P_SOURCE: source.index})
            section.do(names.COPY, names.IMAGE_MATCH)
    return section


def _invoke(d: Description) -> _Section:
    section = _Section(d)
    for component in d.components:
        if component.is_booted:
            section.select(component)
            section.do(names.INVOKE_COMMAND)
    return section


GENERATED = {"shared": _shared, "payload-fetch": _payload_fetch, "install": _install,
             "validate": _validate, "load": _load, "invoke": _invoke}  # fmt: skip


def _sections(d: Description) -> Iterator[tuple[str, list[Any]]]:
    """Those that have a command. A shared sequence that is written out gets vendor and class
    check put before it, unless it has them."""
    for name, generate in GENERATED.items():
        section: list[Any] = d.sections.get(name) or generate(d)
        is_own = name == "shared" and name in d.sections
        if is_own and d.has_identity and not _has_checks(section):
            first = _Section(d)
            first.select(d.components[0])
            _identity(d, first, {})
            section = [*first, *section]
        if section:
            yield name, list(section)


def _warn(d: Description, sections: dict[str, list[Any]]) -> None:
    if not sections.keys() - {"shared"}:
        d.warnings.append("no component has a payload: the update does nothing")
    fetched = {argument.get(names.P_URI) for section in sections.values()
               for label, argument in script.walk(section)
               if label in (names.SET, names.OVERRIDE)}  # fmt: skip
    for key in d.payloads:
        if key not in fetched:
            d.warnings.append(f"nothing fetches the payload {key}")


def assemble(d: Description) -> Created:
    """Manifest and envelope."""
    sections = dict(_sections(d))
    _warn(d, sections)
    common: dict[int, Any] = {2: [list(component.id) for component in d.components]}
    if "shared" in sections:
        common[4] = Wrap(sections.pop("shared"))
    manifest: dict[int, Any] = {1: 1, 2: d.sequence, 3: Wrap(common)}
    if d.reference_uri is not None:
        manifest[4] = d.reference_uri
    members = {name: cbor.encode(section) for name, section in sections.items()}
    if d.text:
        members["text"] = cbor.encode(d.text)
    severable = d.severable
    if severable is None:
        severable = ("text",) if len(members.get("text", b"")) > DIGEST_LEN else ()
    for name in severable:
        if name not in members:
            raise d.table.fail("severable", f"there is no {name}")
    severed = {MEMBER[name]: members[name] for name in severable}
    for name, content in members.items():
        digest = envelope.digest_value(cbor.encode(content))
        manifest[MEMBER[name]] = digest if name in severable else content
    encoded = cbor.encode(manifest)
    kept = len(envelope.build(encoded, (), {k: v for k, v in severed.items()
                                            if k != MEMBER["text"]}))  # fmt: skip
    room = STORED_MAX - BLOCKS_MAX * BLOCK_MAX
    if kept > room:
        raise Problem(f"manifest and severable sequences have {kept} bytes; at most {room} fit",
                      file=d.file)  # fmt: skip
    data = envelope.build(encoded, (), severed, d.payloads)
    return Created(data, encoded, d, severable)
