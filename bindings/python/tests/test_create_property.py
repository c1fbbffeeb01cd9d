# SPDX-License-Identifier: MIT
"""Whatever `create` accepts, the C core accepts on a matching device, and ends with the right
contents in the right places; and no byte of what is signed can be another one."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_sever import KEY, sign

import picosuit
from picosuit import Kind, Procedure, Status
from picosuit.author import describe, ids, keys, names, script, virtual
from picosuit.author.envelope import Envelope, all_commands
from picosuit.author.problem import Problem
from picosuit.author.virtual import Component, Ids, VirtualDevice

PUBLIC = KEY.public_key().public_bytes_raw()
ROOT = picosuit.Key(PUBLIC, names.ED25519, 1 | 2 | 8 | 16, 1)  # every right but UNINSTALL
KEY_SET = keys.key_set([keys.changed(keys.from_public(names.ED25519, PUBLIC), b"root", 11, None)])
CAPACITY = 8192
SLOTS = 3

DRAW = st.DrawFn
SIZES = st.sampled_from([1, 63, 64, 65, 1000, 5000])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=60)
POLICY = st.sampled_from(["all", "none", ["record-success"], ["record-failure", "sysinfo-success"]])


@dataclass
class World:
    """A description, and the device and the servers that go with it."""

    top: list[tuple[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    initial: dict[int, bytes] = field(default_factory=dict)
    held: list[dict[int, bytes] | None] = field(default_factory=list)  # by slot, in the end
    kinds: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    slot: int = 0
    is_one_pass: bool = True  # all payloads in the envelope, under the names that create gives
    booted: int | None = None

    @property
    def toml(self) -> str:
        """Every JSON value here is a TOML value, but tables."""
        lines = [f"{key} = {toml(value)}" for key, value in self.top]
        for table in self.tables:
            lines += ["[[component]]", *(f"{key} = {toml(value)}" for key, value in table.items())]
        return "\n".join(lines + self.text) + "\n"

    def device(self) -> VirtualDevice:
        vendor = ids.vendor("example.com")
        have = Ids((ids.vendor("other"), vendor), (bytes(16), ids.class_of(vendor, "b")),
                   (ids.class_of(vendor, "device-1"),))  # fmt: skip
        return VirtualDevice(
            [Component(ids.component(table["id"], "id"), n, CAPACITY, self.kinds[n],
                       self.initial.get(n)) for n, table in enumerate(self.tables)],
            ids=have, slot=self.slot,
        )  # fmt: skip


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def payload(draw: DRAW, world: World, *, fetched: bool = True) -> dict[str, Any]:
    """Keys file and uri of a payload, its bytes in world.files."""
    number = len(world.files)
    data = f"payload {number} ".encode() * 600
    data = data[: draw(SIZES)]
    data = bytes([number]) + data[1:]
    world.files[f"{number}.bin"] = data
    found: dict[str, Any] = {"file": f"{number}.bin"}
    if not fetched:
        return found
    uris = [f"coap://host/{number}/{n}" + "x" * draw(st.sampled_from([0, 200]))
            for n in range(draw(st.integers(0, 3)))]  # fmt: skip
    for uri in uris[:-1]:  # other bytes of the same length: the next source is taken
        world.served[uri] = data if draw(st.booleans()) else bytes(byte ^ 1 for byte in data)
    for uri in uris[-1:]:
        world.served[uri] = data
    if draw(st.booleans()) and uris:
        uris.insert(0, f"#{'abc'[draw(st.integers(0, 2))]}{number}")
    elif draw(st.booleans()) and uris:
        found["inside"] = True
    if uris:
        world.is_one_pass = False  # a device looks through the envelope before it asks a server
        found["uri"] = uris if len(uris) > 1 or draw(st.booleans()) else uris[0]
    return found


def place(draw: DRAW, world: World, kind: int = Kind.STORED) -> dict[str, Any]:
    """A new component."""
    number = len(world.tables)
    parts = [f"hex:{part.hex()}" for part in draw(st.lists(st.binary(max_size=6), max_size=2))]
    world.tables.append({"id": [*parts, f"c{number}"], "name": f"the {number}"})
    world.kinds.append(kind)
    world.held.append(None)
    return world.tables[-1]


def component(draw: DRAW, world: World) -> None:
    what = draw(st.sampled_from(["image", "slots", "present", "content", "staged", "staged slots",
                                 "loaded", "keys"]))  # fmt: skip
    kind: int = Kind.STORED | Kind.KEYS if what == "keys" else Kind.STORED
    if what == "image" and draw(st.booleans()):
        kind = Kind.TRUSTED
    number = len(world.tables)
    table = place(draw, world, kind)
    held: dict[int, bytes] = {}
    if what.endswith("slots"):
        numbers = draw(st.permutations(range(SLOTS)))
        table["slots"] = [payload(draw, world) | {"slot": n} for n in numbers]
        held = {one["slot"]: world.files[one["file"]] for one in table["slots"]}
    elif what == "content":
        table["content"] = draw(st.sampled_from(["on", "hex:", "hex:00ff", "x" * 200]))
        text = table["content"]
        data = bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
        held = dict.fromkeys(range(SLOTS), data)
    elif what == "keys":
        world.files["keys.cbor"] = KEY_SET
        table |= {"kind": "keys", "file": "keys.cbor"}
        held = dict.fromkeys(range(SLOTS), KEY_SET)
    else:
        table |= payload(draw, world, fetched=what != "present")
        held = dict.fromkeys(range(SLOTS), world.files[table["file"]])
    world.held[number] = held
    if what == "present":
        table["fetch"] = False
        world.initial[number] = held[0]
    if what.startswith("staged"):
        table["stage"] = f"the {number + 1}"
        place(draw, world)
        world.held[number + 1] = held
    if what == "loaded":
        loaded = place(draw, world)
        loaded["load-from"] = f"the {number}"
    bootable = {"content": None, "keys": None, "loaded": number + 1}.get(what, number)
    if world.booted is None and bootable is not None and draw(st.booleans()):
        world.booted = bootable
        world.tables[bootable]["boot"] = True


@st.composite
def worlds(draw: DRAW) -> World:
    world = World(slot=draw(st.integers(0, SLOTS - 1)))
    world.top.append(("sequence", draw(st.integers(0, 2**64 - 2))))
    if draw(st.integers(0, 9)) == 0:
        world.top.append(("any-device", True))
    else:
        classes = draw(st.sampled_from(["b", ["a", "b"], ["b", "c", "d"]]))
        world.top += [("vendor-domain", "example.com"), ("class", classes)]
        if draw(st.booleans()):
            world.top.append(("device", draw(st.sampled_from(["device-1", ["x", "device-1"]]))))
    if draw(st.booleans()):
        world.top.append(("reference-uri", "coap://" + "u" * draw(st.sampled_from([1, 248]))))
    if draw(st.booleans()):
        world.top.append(("reporting", {
            key: draw(POLICY) for key in ("conditions", "slot", "directives")}))  # fmt: skip
    for _ in range(draw(st.integers(1, 4))):
        component(draw, world)
    for language in draw(st.lists(st.sampled_from(["en", "de-CH", "zh-Hant"]), unique=True)):
        world.text += [f"[text.{language}]", f"update-description = {toml(draw(WORDS))}",
                       f'[text.{language}.component."the 0"]',
                       f"component-version = {toml(draw(WORDS))}"]  # fmt: skip
    can = ["text"] if world.text else []
    can += ["install"] if any("fetch" not in t and len(t) > 2 for t in world.tables) else []
    can += ["payload-fetch"] if any("stage" in t for t in world.tables) else []
    severable = draw(st.lists(st.sampled_from(can), unique=True)) if can else []
    if draw(st.booleans()):
        world.top.append(("severable", severable))
    return world


def create(world: World) -> bytes:
    made = describe.create(world.toml.encode(), "x.toml",
                           read=lambda path: world.files.get(path.name, b"x"))  # fmt: skip
    return sign(made.envelope)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from([virtual.WHOLE, virtual.OPEN, 64, 37]))
def test_core_accepts_what_create_accepts(world: World, split: int) -> None:
    device = world.device()
    envelope = create(world)
    done = virtual.run_update(envelope, device, [ROOT], Procedure.UPDATE, world.served, 8192, split)
    assert done.status == Status.OK, (done.error, world.toml)
    for number, held in enumerate(world.held):
        if held is not None:
            want = held[world.slot]
            assert device.content(number) == (want or None), world.toml
    assert not (world.is_one_pass and done.rewinds)
    if world.booted is None:
        return
    assert done.envelope is not None
    started = virtual.run_update(done.envelope, device, [ROOT], Procedure.INVOKE, {}, 8192, split)
    assert started.status == Status.OK, (started.error, world.toml)
    assert started.invoked == world.booted
    source = world.tables[world.booted].get("load-from")
    if source is not None:
        assert device.content(world.booted) == device.content(world.booted - 1)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_core_refuses_another_byte(world: World, data: st.DataObject) -> None:
    """Wrapper, manifest, severable members: any byte of them."""
    envelope = create(world)
    e = Envelope(envelope)
    end = max(item.end for item in [e.manifest_bstr, *e.members.values()])
    at = data.draw(st.integers(0, end - 1))
    changed = bytearray(envelope)
    changed[at] ^= data.draw(st.integers(1, 255))
    device = world.device()
    done = virtual.run_update(bytes(changed), device, [ROOT], Procedure.UPDATE, world.served, 8192)
    assert done.status != Status.OK, (at, world.toml)
    if e.wrapper.start <= at < e.manifest_bstr.end:  # before it is only the number of members
        assert done.counters.writes == done.counters.begins == 0


VALUES = st.recursive(
    st.one_of(st.integers(-1, 300), st.booleans(), WORDS, st.floats(0, 1), st.sampled_from(
        ["#a", "hex:zz", "file:x", "the 0", "all", "nothing", "image-match", "fetch", "x" * 300])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["override", "set", "try", "run", "set-index", "uri", "image", "size",
                         "soft-failure", "source-component", "file", "slot", "digest"]),
        inner, max_size=2),
    max_leaves=6,
)  # fmt: skip
KEYS_AT_TOP = ["sequence", "vendor-id", "pen", "class", "class-id", "device", "any-device",
               "reference-uri", "severable", "reporting", "payloads", "shared", "payload-fetch",
               "install", "validate", "load", "invoke", "text", "component", "clas"]  # fmt: skip
KEYS_OF_COMPONENT = ["id", "name", "file", "digest", "size", "uri", "inside", "slots", "boot",
                     "fetch", "kind", "content", "stage", "load-from", "parameters"]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(worlds(), st.data())
def test_a_bad_description_is_a_problem(world: World, data: st.DataObject) -> None:
    """Any value of any type, for any key: an envelope that can be read, or one line."""
    def read(path: Path) -> bytes:
        return world.files.get(path.name, b"x")

    for _ in range(data.draw(st.integers(1, 3))):
        value = data.draw(VALUES)
        if data.draw(st.booleans()):
            key = data.draw(st.sampled_from(KEYS_AT_TOP))
            world.top = [*(pair for pair in world.top if pair[0] != key), (key, value)]
        else:
            table = world.tables[data.draw(st.integers(0, len(world.tables) - 1))]
            table[data.draw(st.sampled_from(KEYS_OF_COMPONENT))] = value
    try:
        made = describe.create(world.toml.encode(), "x.toml", read=read)
    except Problem as problem:
        assert str(problem).startswith("x.toml: ") and "\n" not in str(problem)
    else:
        e = Envelope(made.envelope)
        for section in (names.SHARED, *names.SECTIONS):
            sequence = e.section(section)
            assert sequence is None or list(all_commands(sequence))


PARAMETERS = st.fixed_dictionaries({}, optional={
    "uri": st.sampled_from(["coap://x", "#a", "x" * 255]), "image": st.just("0.bin"),
    "image-size": st.integers(0, 2**32 - 1), "component-slot": st.integers(0, 3),
    "soft-failure": st.booleans(), "strict-order": st.booleans(), "class": st.just("b"),
    "vendor-domain": st.just("example.com"), "device": st.just("device-1"),
    "source-component": st.integers(0, 2), "content": st.just("x"), "invoke-args": st.just(""),
    "fetch-arguments": st.just("hex:00"),
}).map(lambda values: values or {"uri": "#a"})  # fmt: skip
NO_DIGEST = PARAMETERS.map(lambda values: {k: v for k, v in values.items() if k != "image"}
                           or {"uri": "#a"})  # fmt: skip
COMMANDS = st.recursive(
    st.sampled_from(sorted(script.COMMANDS.keys() - script.SHORT.keys())) | st.one_of(
        st.fixed_dictionaries({"set-index": st.sampled_from([0, 1, 2, True, [1, 0], "the 0"])}),
        st.fixed_dictionaries({"override": PARAMETERS}), st.fixed_dictionaries({"set": NO_DIGEST}),
        st.fixed_dictionaries({"image-match": POLICY})),
    lambda inner: st.fixed_dictionaries({"run": st.lists(inner, min_size=1, max_size=3)})
    | st.fixed_dictionaries({"try": st.lists(st.lists(inner, min_size=1, max_size=2), min_size=2,
                                             max_size=3)}),
    max_leaves=8,
)  # fmt: skip
SECTIONS = st.sampled_from(["payload-fetch", "install", "validate", "load", "invoke"])
SEQUENCES = st.dictionaries(SECTIONS, st.lists(COMMANDS, min_size=1, max_size=4), max_size=3)
CONDITIONS = st.sampled_from(["vendor-identifier", "class-identifier", "image-match"])
SHARED = st.lists(st.fixed_dictionaries({"override": PARAMETERS}) | CONDITIONS, max_size=3)


@settings(max_examples=300, deadline=None)
@given(worlds(), SEQUENCES, SHARED, st.sampled_from([Procedure.UPDATE, Procedure.INVOKE]))
def test_core_starts_what_create_accepts(
    world: World, sections: dict[str, list[Any]], shared: list[Any], procedure: Procedure
) -> None:
    """Sequences as somebody may write them: what the core would refuse before it does anything
    is refused by `create`. What they do then is another matter."""
    for name, commands in [*sections.items(), *([("shared", shared)] if shared else [])]:
        index = [{"set-index": 0}] if len(world.tables) > 1 else []
        world.top.append((name, index + commands))
    world.top = [pair for pair in world.top if pair[0] != "severable"]
    try:
        envelope = create(world)
    except Problem:
        return
    done = virtual.run_update(envelope, world.device(), [ROOT], procedure, world.served, 8192)
    assert done.stage == "run", (done.error, world.toml)
