# SPDX-License-Identifier: MIT
"""Command sequences in words, and the parameters of components: the low level of a description.

A sequence is a list. Its elements are the names of commands that take a reporting policy
("image-match"), or tables with one key: {set-index = "app"}, {override = {uri = "#a"}},
{try = [[...], [...]]}, {run = [...]}, {fetch = ["record-failure"]}. What the core refuses before it
runs anything is refused here, with the place in the description.
Source: draft-ietf-suit-manifest-37 8.4.6 to 8.4.10; section 15 of core/picosuit.c.
"""
from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import cbor, ids, names
from .cbor import Tag, Wrap
from .envelope import digest_of
from .problem import Problem
from .tables import Place, Source, Table

DEPTH_MAX = 8  # PICOSUIT_MAX_DEPTH: nested sequences, the section itself included
URI_MAX = 255  # PICOSUIT_MAX_URI: bytes

NOTHING = "nothing"  # ends a try-each: none of the alternatives need succeed
SHORT = {"set-index": names.SET_INDEX, "try": names.TRY_EACH, "run": names.RUN,
         "override": names.OVERRIDE, "set": names.SET}  # fmt: skip
CONDITIONS = (names.VENDOR_CHECK, names.CLASS_CHECK, names.IMAGE_MATCH, names.SLOT_CHECK,
              names.CONTENT_CHECK, names.ABORT, names.DEVICE_CHECK)  # fmt: skip
DIRECTIVES = (names.WRITE, names.FETCH, names.COPY, names.INVOKE_COMMAND, names.SWAP)
COMMANDS = SHORT | {names.COMMANDS[n].partition("-")[2]: n for n in CONDITIONS + DIRECTIVES}
POLICY = {name: bit for bit, name in names.POLICY.items()}


@dataclass
class Scope:
    """What the values of a description refer to.

    read        content of a payload file
    components  their indices, by name
    vendor      of the whole manifest, for classes and devices that are given by name
    """

    read: Callable[[Path], bytes]
    components: dict[str, int] = field(default_factory=dict)
    vendor: bytes | Tag | None = None
    conditions: int = 2  # reporting policies: record-failure
    slot: int = 0
    directives: int = 2

    def policy_of(self, label: int) -> int:
        if label == names.SLOT_CHECK:
            return self.slot
        return self.conditions if label in CONDITIONS else self.directives


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)


def policy(value: Any, source: Source, place: Place) -> int:
    """A reporting policy: a list of its bits' names, "all" or "none". Source: [M 8.4.7]."""
    if value in ("all", "none"):
        return 15 if value == "all" else 0
    bits = 0
    for name in value if isinstance(value, list) else [value]:
        if not isinstance(name, str) or name not in POLICY:
            raise source.problem(place, f"{name!r} is no part of a reporting policy",
                                 nearest(str(name), [*POLICY, "all", "none"]))  # fmt: skip
        bits |= POLICY[name]
    return bits


# -- values ------------------------------------------------------------------------------------


def some_bytes(table: Table, key: str, scope: Scope) -> bytes | None:
    """Text, "hex:" and hexadecimal digits, or "file:" and a path."""
    text = table.text_at(key)
    if text is None or not text.startswith(("hex:", "file:")):
        return None if text is None else text.encode()
    kind, _, rest = text.partition(":")
    try:
        return bytes.fromhex(rest) if kind == "hex" else scope.read(table.path(rest))
    except ValueError:
        raise table.fail(key, f"{rest!r} is not hexadecimal") from None
    except Problem as e:
        raise table.fail(key, f"{rest}: {e.what}") from None


def image_of(data: bytes) -> dict[int, Any]:
    """Parameters image-digest and image-size of a payload."""
    return {names.P_DIGEST: Wrap([names.SHA256, digest_of(data)]), names.P_SIZE: len(data)}


def payload_file(table: Table, key: str, scope: Scope) -> bytes | None:
    """Content of a payload file, which has a byte at least."""
    path = table.path_at(key)
    if path is None:
        return None
    try:
        data = scope.read(path)
    except Problem as e:
        raise table.fail(key, f"{table.data[key]}: {e.what}") from None
    if not data:
        raise table.fail(key, f"{table.data[key]} is empty")
    return data


def check_uri(table: Table, key: str, uri: str) -> str:
    size = len(uri.encode())
    if not 1 <= size <= URI_MAX:
        raise table.fail(key, f"a URI of {size} bytes; 1 to {URI_MAX} are allowed")
    return uri


def vendor_of(table: Table) -> bytes | Tag | None:
    """From vendor-domain, vendor-id or pen."""
    domain, own, pen = table.text_at("vendor-domain"), table.has("vendor-id"), table.has("pen")
    if (domain is not None) + own + pen > 1:
        raise table.fail("pen" if pen else "vendor-id", "the vendor is given twice")
    for key, read in (("vendor-id", ids.read_uuid), ("pen", ids.read_pen)):
        found = table.list_at(key, read)
        if len(found) == 1:
            return Tag(112, found[0]) if key == "pen" else found[0]
        if key in table.data:
            raise table.fail(key, f"{len(found)} vendors, not one")
    if domain == "":
        raise table.fail("vendor-domain", "empty")
    return None if domain is None else ids.vendor(domain)


def named_ids(table: Table, what: str, vendor: bytes | Tag | None) -> list[bytes]:
    """UUIDs of classes or devices: by name, which needs the vendor's UUID, or as they are."""
    found = [*table.texts_at(what)]
    if found and not isinstance(vendor, bytes):
        raise table.fail(what, f"the name of a {what} needs a vendor",
                         f"give vendor-domain or vendor-id, or {what}-id")  # fmt: skip
    if "" in found:
        raise table.fail(what, "empty")
    assert isinstance(vendor, bytes) or not found
    values = [ids.class_of(vendor, name) for name in found if isinstance(vendor, bytes)]
    values += table.list_at(f"{what}-id", ids.read_uuid)
    if len(set(values)) < len(values):
        raise table.fail(what if found else f"{what}-id", f"the same {what} twice")
    return values


def parameters(table: Table, scope: Scope, *, is_nested: bool = True) -> dict[int, Any]:
    """Every parameter that the table has. Refuses unknown keys."""
    found: dict[int, Any] = {}

    def take(label: int, value: Any) -> None:
        if value is not None:
            found[label] = value

    vendor = vendor_of(table)
    take(names.P_VENDOR, vendor)
    for what, label in (("class", names.P_CLASS), ("device", names.P_DEVICE)):
        values = named_ids(table, what, vendor or scope.vendor)
        if len(values) > 1:
            raise table.fail(what, f"a parameter is one {what}", "several: {try = [...]}")
        take(label, values[0] if values else None)
    data, digest = payload_file(table, "image", scope), table.hex_at("image-digest", 32)
    size = table.int_at("image-size")
    if data is not None:
        if digest is not None or size is not None:
            key = "image-digest" if digest is not None else "image-size"
            raise table.fail(key, "given twice: image has digest and size")
        found |= image_of(data)
    take(names.P_DIGEST, None if digest is None else Wrap([names.SHA256, digest]))
    take(names.P_SIZE, size)
    take(names.P_SLOT, table.int_at("component-slot"))
    for key, label in (("strict-order", names.P_STRICT), ("soft-failure", names.P_SOFT)):
        take(label, table.get(key, bool, "true or false"))
    if names.P_SOFT in found and not is_nested:
        raise table.fail("soft-failure", "it can only be set inside try and run")
    for key, label in (("content", names.P_CONTENT), ("encryption-info", names.P_ENCRYPTION),
                       ("invoke-args", names.P_ARGS),
                       ("fetch-arguments", names.P_FETCH_ARGS)):  # fmt: skip
        take(label, some_bytes(table, key, scope))
    if names.P_ENCRYPTION in found:
        _check_encryption(table, found[names.P_ENCRYPTION])
    uri = table.text_at("uri")
    take(names.P_URI, None if uri is None else check_uri(table, "uri", uri))
    if table.has("source-component"):
        take(names.P_SOURCE, _index(table.data["source-component"], table.source,
                                    (*table.place, "source-component"), scope))  # fmt: skip
    table.done()
    return found


def _check_encryption(table: Table, data: bytes) -> None:
    try:
        item = cbor.read(data)
        if item.major != cbor.TAG or item.value != 96:
            raise item.fail("the tag is not 96")
    except Problem as e:
        raise table.fail("encryption-info", f"no COSE_Encrypt: {e}") from None


def _index(value: Any, source: Source, place: Place, scope: Scope) -> int:
    """Index of a component that is given by its name or its number."""
    if isinstance(value, str) and value in scope.components:
        return scope.components[value]
    if isinstance(value, int) and not isinstance(value, bool) and (
        0 <= value < len(scope.components)):  # fmt: skip
        return value
    raise source.problem(place, f"{value!r} is no component",
                         nearest(str(value), scope.components))  # fmt: skip


# -- sequences ---------------------------------------------------------------------------------


class _Builder:
    def __init__(self, source: Source, scope: Scope, is_shared: bool) -> None:
        self.source, self.scope, self.is_shared = source, scope, is_shared
        self.fail = source.problem

    def sequence(self, value: Any, place: Place, is_selected: bool, depth: int) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self.fail(place, "not a list of commands", "an empty sequence is left out")
        if depth > DEPTH_MAX:
            raise self.fail(place, f"sequences nested deeper than {DEPTH_MAX}")
        found: list[Any] = []
        for n, element in enumerate(value):
            here = (*place, n)
            label, name, argument = self.command(element, here)
            if label == names.SET_INDEX:
                is_selected = True
            elif not is_selected:
                raise self.fail(here, "no component is selected", "with several components a "
                                'sequence begins with {set-index = "..."}')  # fmt: skip
            found += [label, self.argument(label, argument, (*here, name), depth)]
        return found

    def command(self, element: Any, place: Place) -> tuple[int, str, Any]:
        """Label, name and argument; the argument is None where the default policy holds."""
        name, argument = element, None
        if isinstance(element, dict) and len(element) == 1:
            [(name, argument)] = element.items()
        if not isinstance(name, str):
            raise self.fail(place, "neither the name of a command nor a table with one key",
                            '"fetch", {override = {uri = "#a"}}')  # fmt: skip
        label = COMMANDS.get(name)
        if label is None:
            is_known = names.number_of(names.COMMANDS, name) is not None
            what = f"picosuit does not support {name}" if is_known else (
                f"no command is called {name!r}")  # fmt: skip
            raise self.fail(place, what, nearest(name, COMMANDS))
        if argument is None and label in names.WITH_ARGUMENT:
            raise self.fail(place, f"{name} needs an argument", f"{{{name} = ...}}")
        if self.is_shared and label in (*DIRECTIVES, names.SET):
            raise self.fail(place, f"{name} is not allowed in the shared sequence",
                            "it runs before every section, and only sets parameters")  # fmt: skip
        return label, name, argument

    def argument(self, label: int, value: Any, place: Place, depth: int) -> Any:
        if label == names.SET_INDEX:
            return self.index(value, place)
        if label == names.TRY_EACH:
            return self.choices(value, place, depth)
        if label == names.RUN:
            return Wrap(self.sequence(value, place, True, depth + 1))
        if label in (names.OVERRIDE, names.SET):
            return self.override(label, value, place, depth)
        if value is None:
            return self.scope.policy_of(label)
        return policy(value, self.source, place)

    def index(self, value: Any, place: Place) -> Any:
        if value is True:
            return True
        if not isinstance(value, list):
            return _index(value, self.source, place, self.scope)
        if not value:
            raise self.fail(place, "an empty list selects nothing")
        return [_index(one, self.source, place, self.scope) for one in value]

    def choices(self, value: Any, place: Place, depth: int) -> list[Any]:
        if not isinstance(value, list):
            raise self.fail(place, "not a list of sequences")
        has_end = value[-1:] == [NOTHING]
        found: list[Any] = [
            Wrap(self.sequence(choice, (*place, n), True, depth + 1))
            for n, choice in enumerate(value[:-1] if has_end else value)
        ]
        if len(found) < 2:
            raise self.fail(place, "fewer than two alternatives", "one alone: {run = [...]}")
        return [*found, None] if has_end else found

    def override(self, label: int, value: Any, place: Place, depth: int) -> dict[int, Any]:
        if not isinstance(value, dict) or not value:
            raise self.fail(place, "not a table of parameters")
        table = Table(value, self.source, place)
        found = parameters(table, self.scope, is_nested=depth > 1)
        if label == names.SET and names.P_DIGEST in found:
            key = "image-digest" if "image-digest" in value else "image"
            raise table.fail(key, "a digest that set gives can be overruled", "use override")
        return found


def sequence(table: Table, key: str, scope: Scope, *, is_shared: bool = False) -> list[Any] | None:
    """The sequence under a key of a table, as a flat list; None if it is not there."""
    if not table.has(key):
        return None
    return _Builder(table.source, scope, is_shared).sequence(
        table.data[key], (*table.place, key), len(scope.components) == 1, 1)


def walk(commands: list[Any]) -> Iterator[tuple[int, Any]]:
    """Label and argument of all commands of a sequence made here, nested ones included."""
    for label, argument in zip(commands[::2], commands[1::2], strict=True):
        yield label, argument
        if label in (names.TRY_EACH, names.RUN):
            for inner in argument if label == names.TRY_EACH else [argument]:
                if inner is not None:
                    yield from walk(inner.value)
