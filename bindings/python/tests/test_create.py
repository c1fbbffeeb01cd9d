# SPDX-License-Identifier: MIT
"""`picosuit create`: the draft's own manifests, what a description can say, what it may not."""
from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from picosuit.author import cbor, describe, ids, keys, names
from picosuit.author.cbor import Tag
from picosuit.author.envelope import Envelope, digest_value
from picosuit.author.problem import Problem
from picosuit.cli import main

ROOT = Path(__file__).resolve().parents[3]
DRAFT = ROOT / "vectors/describe"
SHARED = ROOT.parent / "shared/vectors/suit"

# draft-ietf-suit-manifest-37, Appendix B: SHA-256 of each manifest in its byte string. The same as
# in vectors/make/draft.py, which builds them in another way.
PUBLISHED = (
    "6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af",
    "1f2e7acca0dc2786f2fe4eb947f50873a6a3cfaa98866c5b02e621f42074daf2",
    "6a5197ed8f9dccf733d1c89a359441708e070b4c6dcb9a1c2c82c6165f609b90",
    "f6d44a62ec906b392500c242e78e908e9cc5057f3f04104a06a8566200da2ee0",
    "5b5f6586b1e6cdf19ee479a5adabf206581000bd584b0832a9bdaf4f72cdbdd6",
    "15ce60f77657e4531dc329155f8b0ed78f94bdc6d165b2665473693dcc34f470",
)


def draft(number: int) -> describe.Created:
    path = DRAFT / f"ex{number}.toml"
    return describe.create(path.read_bytes(), str(path))


@pytest.mark.parametrize("number", range(6))
def test_draft_manifest(number: int) -> None:
    made = draft(number)
    assert made.digest.hex() == PUBLISHED[number]
    signed = Envelope((ROOT / f"vectors/suit/draft_ex{number}.suit").read_bytes())
    assert made.envelope == signed.rebuilt(blocks=[])


@pytest.mark.skipif(not SHARED.exists(), reason="the draft's files are not here")
@pytest.mark.parametrize("number", range(6))
def test_draft_envelope(number: int) -> None:
    made = draft(number)
    if number == 2:  # unsigned it was only published without its severable members
        signed = Envelope((SHARED / "manifest-ex2-esp256.suit").read_bytes())
        assert made.envelope == signed.rebuilt(blocks=[])
    else:
        assert made.envelope == (SHARED / f"manifest-ex{number}-unsigned.suit").read_bytes()


def test_demo_manifest(tmp_path: Path) -> None:
    """The plain A/B update of the demo: bench/m0/device_envelope.py builds the same."""
    for name in "ab":
        (tmp_path / f"{name}.bin").write_bytes(name.encode() * 1000)
    text = b"""
        sequence = 2
        vendor-domain = "arm.com"
        class-id = "1492af14-2569-5e48-bf42-9b2d51f2ab45"
        reference-uri = "coap://u.example/2"
        [[component]]
        id = "hex:00"
        slots = ["a.bin", "b.bin"]
        boot = true
    """
    made = describe.create(text, str(tmp_path / "update.toml"))
    assert len(made.manifest) == 238
    assert hashlib.sha256(made.manifest).hexdigest() == (
        "d76a126ca26a1a3003fdeaf24a4f87021a86437d0dac36147e3ed681f878cd85")


# -- what a description can say ----------------------------------------------------------------

VENDOR = ids.vendor("arm.com")
CLASS = ids.class_of(VENDOR, "sensor")
FILES = {"app.bin": b"app" * 100, "b.bin": b"bee" * 120, "c.bin": b"c", "empty.bin": b""}
HEAD = 'sequence = 7\nvendor-domain = "arm.com"\nclass = "sensor"\n'
APP = '[[component]]\nid = "app"\nfile = "app.bin"\n'
OTHER = '[[component]]\nid = ["other", "hex:00ff"]\nname = "other"\n'


KEYS = keys.key_set([keys.generate(names.ED25519, b"boot-1", 11)])


def made(text: str, **more: Any) -> describe.Created:
    files = FILES | {"keys.cbor": KEYS}

    def read(path: Path) -> bytes:
        if path.name not in files:
            raise Problem("No such file or directory", file=str(path))
        return files[path.name]

    return describe.create(text.encode(), "update.toml", read=read, **more)


def manifest(text: str) -> dict[Any, Any]:
    """The manifest that a description gives, wrapped members opened."""
    encoded = made(text).manifest
    found: dict[Any, Any] = cbor.read(encoded).plain()
    for number in (3, *names.SECTIONS, 23):
        if isinstance(found.get(number), bytes):
            found[number] = cbor.read(found[number]).plain()
    if 4 in found[3]:
        found[3][4] = cbor.read(found[3][4]).plain()
    return found


def image(name: str) -> dict[int, Any]:
    data = FILES[name]
    return {3: cbor.encode(digest_value(data)), 14: len(data)}


def wrap(*commands: Any) -> bytes:
    return cbor.encode(list(commands))


IDENTITY = {1: VENDOR, 2: CLASS}


def test_plain() -> None:
    found = manifest(HEAD + APP + "boot = true")
    assert found == {
        1: 1, 2: 7, 3: {2: [[b"app"]], 4: [20, IDENTITY | image("app.bin"), 1, 2, 2, 2]},
        7: [3, 2], 9: [23, 2], 20: [20, {21: "#a"}, 21, 2, 3, 2],
    }  # fmt: skip
    envelope = Envelope(made(HEAD + APP).envelope)
    assert envelope.is_digest_right and not envelope.blocks and not envelope.members
    assert {k: v.content for k, v in envelope.payloads.items()} == {"#a": FILES["app.bin"]}


def test_identity() -> None:
    own = uuid.UUID(bytes=CLASS)
    for text in (f'vendor-id = "{uuid.UUID(bytes=VENDOR)}"\nclass-id = "{own}"\n',
                 f'vendor-domain = "arm.com"\nclass-id = ["{own}"]\n'):  # fmt: skip
        assert made("sequence = 7\n" + text + APP).envelope == made(HEAD + APP).envelope
    pen = manifest(f'sequence = 7\npen = 32473\nclass-id = "{own}"\n' + APP)
    assert pen[3][4][1][1] == Tag(112, bytes.fromhex("81fd59"))
    several = manifest('sequence = 7\nvendor-domain = "arm.com"\nclass = ["sensor", "meter"]\n'
                       'device = "1"\n' + APP)[3][4]  # fmt: skip
    assert several == [
        20, {1: VENDOR, 24: ids.class_of(VENDOR, "1")} | image("app.bin"), 1, 2,
        15, [wrap(20, {2: CLASS}, 2, 2), wrap(20, {2: ids.class_of(VENDOR, "meter")}, 2, 2)],
        24, 2,
    ]  # fmt: skip


def test_any_device() -> None:
    text = "sequence = 7\nany-device = true\n" + APP
    assert manifest(text)[3][4] == [20, image("app.bin")]
    assert "ANY_DEVICE" in made(text).description.warnings[0]


def test_slots_and_sources() -> None:
    text = HEAD + """
        [[component]]
        id = "app"
        [[component.slots]]
        file = "app.bin"
        uri = ["coap://a/x", "#x"]
        [[component.slots]]
        slot = 4
        file = "b.bin"
        uri = "coap://a/y"
        inside = true
    """
    found = manifest(text)

    def source(uri: str) -> bytes:
        return wrap(20, {21: uri}, 21, 2, 3, 2)

    assert found[3][4][-2:] == [15, [wrap(20, {5: 0}, 5, 0, 20, image("app.bin")),
                                     wrap(20, {5: 4}, 5, 0, 20, image("b.bin"))]]  # fmt: skip
    assert found[20] == [15, [
        wrap(20, {5: 0}, 5, 0, 15, [source("coap://a/x"), source("#x")]),
        wrap(20, {5: 4}, 5, 0, 20, {21: "coap://a/y"}, 21, 2, 3, 2),
    ]]  # fmt: skip
    payloads = Envelope(made(text).envelope).payloads
    assert {k: v.content for k, v in payloads.items()} == {
        "#x": FILES["app.bin"], "coap://a/y": FILES["b.bin"]}  # fmt: skip


def test_two_components() -> None:
    found = manifest(HEAD + APP + "boot = true\n" + OTHER + 'file = "b.bin"\nuri = "coap://a/b"')
    assert found[3] == {
        2: [[b"app"], [b"other", b"\0\xff"]],
        4: [12, 0, 20, IDENTITY | image("app.bin"), 1, 2, 2, 2, 12, 1, 20, image("b.bin")],
    }
    assert found[20] == [12, 0, 20, {21: "#a"}, 21, 2, 3, 2,
                         12, 1, 20, {21: "coap://a/b"}, 21, 2, 3, 2]  # fmt: skip
    assert found[7] == [12, 1, 3, 2, 12, 0, 3, 2]  # what is started was matched last
    assert found[9] == [12, 0, 23, 2]


def test_stage_and_load() -> None:
    found = manifest(HEAD + """
        [[component]]
        id = "app"
        slots = ["app.bin", "b.bin"]
        stage = "store"
        [[component]]
        id = "store"
        [[component]]
        id = "data"
        file = "c.bin"
        [[component]]
        id = "ram"
        load-from = "data"
        boot = true
    """)
    assert found[16] == [12, 0, 15, [
        wrap(20, {5: 0}, 5, 0, 12, 1, 20, image("app.bin") | {21: "#a"}),
        wrap(20, {5: 1}, 5, 0, 12, 1, 20, image("b.bin") | {21: "#b"}),
    ], 12, 1, 21, 2, 3, 2]  # fmt: skip
    assert found[20] == [12, 0, 20, {22: 1}, 22, 2, 3, 2, 12, 2, 20, {21: "#c"}, 21, 2, 3, 2]
    assert found[7] == [12, 0, 3, 2, 12, 2, 3, 2]
    assert found[8] == [12, 3, 20, image("c.bin") | {22: 2}, 22, 2, 3, 2]
    assert found[9] == [12, 3, 23, 2]


def test_stage_by_several_sources() -> None:
    found = manifest(HEAD + """
        [[component]]
        id = "app"
        stage = "store"
        inside = true
        slots = [{ file = "app.bin", uri = ["coap://x", "coap://y"] }, "b.bin"]
        [[component]]
        id = "store"
    """)
    assert found[16] == [12, 0, 15, [
        wrap(20, {5: 0}, 5, 0, 12, 1, 20, image("app.bin"),
             15, [wrap(20, {21: f"coap://{host}"}, 21, 2, 3, 2) for host in "xy"]),
        wrap(20, {5: 1}, 5, 0, 12, 1, 20, image("b.bin"), 20, {21: "#a"}, 21, 2, 3, 2),
    ]]  # fmt: skip


def test_content_and_parameters() -> None:
    found = manifest(HEAD + """
        [[component]]
        id = "led"
        content = "hex:0102"
        [[component]]
        id = "app"
        file = "app.bin"
        boot = true
        parameters = { invoke-args = "now", strict-order = false, fetch-arguments = "file:c.bin" }
    """)
    assert found[3][4] == [
        12, 0, 20, IDENTITY | {18: b"\1\2"}, 1, 2, 2, 2,
        12, 1, 20, image("app.bin") | {12: False, 23: b"now", 25: b"c"},
    ]  # fmt: skip
    assert found[20][:6] == [12, 0, 18, 2, 6, 2] and found[7] == [12, 0, 6, 2, 12, 1, 3, 2]


def test_keys() -> None:
    keys = '[[component]]\nid = "keys"\nkind = "keys"\nfile = "keys.cbor"\n'
    assert manifest(HEAD + keys)[7] == [3, 2]
    # docs/boot.md: beside an image a key set is compared in install, not at every start.
    assert manifest(HEAD + APP + keys)[7] == [12, 0, 3, 2]


def test_reporting() -> None:
    found = manifest(
        HEAD + 'reporting = { conditions = "all", directives = ["sysinfo-failure"] }\n' + APP)
    assert found[20] == [20, {21: "#a"}, 21, 8, 3, 15] and found[3][4][2:] == [1, 15, 2, 15]


TEXT = """
[text.en]
update-description = "Fixes"
[text.de-CH]
update-description = "Behebt, was im März klemmte"
[text.de-CH.component.app]
component-version = "1.2"
"""


def test_text() -> None:
    text = made(HEAD + APP + TEXT)
    content = Envelope(text.envelope).members[23].content
    assert cbor.read(content).plain() == {
        "en": {2: "Fixes"},
        "de-CH": {2: "Behebt, was im März klemmte", (b"app",): {6: "1.2"}},
    }
    assert cbor.read(text.manifest).plain()[23] == digest_value(cbor.encode(content))
    inside = manifest(HEAD + "severable = []\n" + APP + TEXT)
    assert inside[23] == cbor.read(content).plain()
    short = HEAD + APP + '[text.en]\nupdate-description = "x"'
    assert 23 not in Envelope(made(short).envelope).members  # a digest would be larger


def test_severable() -> None:
    plain = manifest(HEAD + APP)
    text = made(HEAD + 'severable = ["install"]\n' + APP)
    content = cbor.encode(plain[20])
    assert Envelope(text.envelope).members[20].content == content
    assert cbor.read(text.manifest).plain()[20] == digest_value(cbor.encode(content))


def test_commands() -> None:
    """Every command and every parameter, written out."""
    found = manifest(HEAD + """
        install = [
            { set-index = true },
            { set-index = ["other", 0] },
            { set-index = "app" },
            { set = { vendor-domain = "x.org", class = "y", device = "z", uri = "#no" } },
            { override = { image = "app.bin", component-slot = 3, strict-order = true } },
            { override = { content = "text", encryption-info = "hex:d86080", uri = "#a" } },
            { override = { source-component = "other", invoke-args = "hex:", class = "meter" } },
            { override = { fetch-arguments = "hex:ff" } },
            { run = [{ override = { soft-failure = true } }, "abort"] },
            { try = [["abort"], [{ image-match = "none" }, "swap"], "nothing"] },
            "vendor-identifier", "class-identifier", "device-identifier", "component-slot",
            "check-content", "write", "fetch", "copy", "invoke", "swap",
        ]
        payloads = { "#a" = "app.bin" }
    """ + '[[component]]\nid = "app"\n' + OTHER)  # fmt: skip
    vendor = ids.vendor("x.org")
    assert found[20] == [
        12, True, 12, [1, 0], 12, 0,
        19, {1: vendor, 2: ids.class_of(vendor, "y"), 21: "#no", 24: ids.class_of(vendor, "z")},
        20, image("app.bin") | {5: 3, 12: True},
        20, {18: b"text", 19: bytes.fromhex("d86080"), 21: "#a"},
        20, {2: ids.class_of(VENDOR, "meter"), 22: 1, 23: b""}, 20, {25: b"\xff"},
        32, wrap(20, {13: True}, 14, 2), 15, [wrap(14, 2), wrap(3, 0, 31, 2), None],
        1, 2, 2, 2, 24, 2, 5, 0, 6, 2, 18, 2, 21, 2, 22, 2, 23, 2, 31, 2,
    ]  # fmt: skip
    assert found[3][4] == [12, 0, 20, IDENTITY, 1, 2, 2, 2] and 7 not in found


def test_shared_gets_checks() -> None:
    text = HEAD + 'shared = [{ override = { image = "c.bin" } }]\n' + APP
    assert manifest(text)[3][4] == [20, IDENTITY, 1, 2, 2, 2, 20, image("c.bin")]


def test_nothing_to_do() -> None:
    assert "does nothing" in made(HEAD + '[[component]]\nid = "app"').description.warnings[0]


def test_payload_that_nothing_fetches() -> None:
    text = HEAD + 'install = [{ override = { uri = "#x" } }, "fetch"]\n' + APP
    assert made(text).description.warnings == ["nothing fetches the payload #a"]


def test_keys_of_payloads_in_order_of_fetch() -> None:
    """A device that gets the envelope as a stream needs one pass."""
    text = HEAD + "".join(f'[[component]]\nid = "{n}"\nfile = "c.bin"\n' for n in range(30))
    text = text.replace('id = "0"', 'id = "0"\nuri = "#b"')
    keys = ["#b", "#a", *(f"#{chr(c)}" for c in range(ord("c"), ord("z") + 1)), "#aa", "#ab",
            "#ac", "#ad"]  # fmt: skip
    assert manifest(text)[20] == [x for n, key in enumerate(keys)
                                  for x in (12, n, 20, {21: key}, 21, 2, 3, 2)]  # fmt: skip


# -- what it may not ---------------------------------------------------------------------------

LONG = "coap://" + "x" * 249
REFUSED = [
    # description, line, place, what
    ("", None, "", "sequence is missing"),
    ("sequence = 1", None, "", "no [[component]]: nothing to update"),
    ("sequence = 1\nsequence = 2", 2, "", "not TOML: Cannot overwrite a value"),
    ("sequence = ", 1, "", "not TOML: Invalid value"),
    ("a = " + "[" * 5000, None, "", "nested too deeply"),
    (f"sequence = {2**64 - 1}\n" + APP, 1, "sequence", "no update could ever follow"),
    (f"sequence = {2**64}\n" + APP, 1, "sequence", f"{2**64} is not in 0..{2**64 - 1}"),
    ("sequence = -1\n" + APP, 1, "sequence", "-1 is not in 0"),
    ("sequence = 1.5\n" + APP, 1, "sequence", "not an integer"),
    ("sequence = true\n" + APP, 1, "sequence", "not an integer"),
    ("sequence = 1\n" + APP, None, "", "vendor-domain is missing"),
    ('sequence = 1\nvendor-domain = "a"\n' + APP, None, "", "class is missing"),
    ('sequence = 1\nclass = "a"\n' + APP, 2, "class", "the name of a class needs a vendor"),
    (HEAD + 'class-id = "x"\n' + APP, 4, "class-id", "'x' is not a UUID"),
    (HEAD + 'device = ["a", "b", "a"]\n' + APP, 4, "device", "the same device twice"),
    (HEAD + 'vendor-id = "x"\n' + APP, 4, "vendor-id", "the vendor is given twice"),
    ('sequence = 1\nvendor-id = []\n' + APP, 2, "vendor-id", "0 vendors, not one"),
    ('sequence = 1\npen = [1, 2]\n' + APP, 2, "pen", "2 vendors, not one"),
    ('sequence = 1\nvendor-domain = ""\n' + APP, 2, "vendor-domain", "empty"),
    ('sequence = 1\nvendor-domain = "a"\nclass = ""\n' + APP, 3, "class", "empty"),
    (HEAD + "component = [1]", 4, "component", "not a list of tables"),
    (HEAD + "any-device = true\n" + APP, 4, "any-device", "but vendor and class are checked"),
    (HEAD + 'clas = "x"\n' + APP, 4, "clas", "unknown key (did you mean class?)"),
    (HEAD + f'reference-uri = "{LONG}"\n' + APP, 4, "reference-uri", "a URI of 256 bytes"),
    (HEAD + 'severable = ["validate"]\n' + APP, 4, "severable", "'validate' cannot be severed"),
    (HEAD + 'severable = ["text"]\n' + APP, 4, "severable", "there is no text"),
    (HEAD + 'reporting = { slot = "some" }\n' + APP, 4, "reporting: slot", "'some' is no part of"),
    (HEAD + 'reporting = { slots = "all" }\n' + APP, 4, "reporting: slots", "did you mean slot?"),
    (HEAD + "[component]\nid = 1", 4, "component", "not a list of tables"),
    (HEAD + "[[component]]\nid = 1", 5, "component 1: id", "a component identifier is a list"),
    (HEAD + '[[component]]\nid = "hex:0"', 5, "component 1: id", "is not hexadecimal"),
    (HEAD + '[[component]]\nname = "x"', 4, "component 1", "id is missing"),
    (HEAD + APP + APP, 8, "component 2: id", "['app'] is app, too"),
    (HEAD + APP + OTHER + 'id = "x"', 10, "", "not TOML: Cannot overwrite a value"),
    (HEAD + APP + OTHER.replace('"other"\n', '"app"\n'), 9, "component 2: name",
     "two components are called 'app'"),
    (HEAD + "".join(f'[[component]]\nid = "{n}"\n' for n in range(33)), 68, "component 33",
     "more than 32 components"),
    (HEAD + APP + 'flie = "x"', 7, "component 1: flie", "unknown key (did you mean file?)"),
    (HEAD + APP.replace("app.bin", "no.bin"), 6, "component 1: file", "no.bin: No such file"),
    (HEAD + APP.replace("app.bin", "empty.bin"), 6, "component 1: file", "empty.bin is empty"),
    (HEAD + APP + 'digest = "00"', 7, "component 1: digest", "1 bytes, not 32"),
    (HEAD + APP + "size = 1", 7, "component 1: size", "beside file"),
    (HEAD + '[[component]]\nid = "a"\nuri = "x"', 6, "component 1: uri", "neither file nor digest"),
    (HEAD + f'[[component]]\nid = "a"\ndigest = "{"0" * 64}"\nuri = "x"', 4, "component 1",
     "size is missing"),
    (HEAD + f'[[component]]\nid = "a"\ndigest = "{"0" * 64}"\nsize = 1', 6, "component 1: digest",
     "a payload in the envelope needs its file"),
    (HEAD + APP + 'uri = ""', 7, "component 1: uri", "a URI of 0 bytes"),
    (HEAD + APP + f'uri = ["a", "{LONG}"]', 7, "component 1: uri", "a URI of 256 bytes"),
    (HEAD + APP + 'uri = ["a", "a"]', 7, "component 1: uri", "the same URI twice"),
    (HEAD + APP + 'uri = ["#a", "#b"]', 7, "component 1: uri", "once, under one key"),
    (HEAD + APP + 'uri = "#a"\ninside = false', 7, "component 1: uri", "but inside = false"),
    (HEAD + APP + "inside = false", 7, "component 1: inside", "no uri to get the payload from"),
    (HEAD + APP + 'fetch = false\nuri = "x"', 8, "component 1: uri", "the payload is not fetched"),
    (HEAD + APP + 'slots = ["a", "b"]', 6, "component 1: file", "beside slots"),
    (HEAD + '[[component]]\nid = "a"\nslots = ["c.bin"]', 6, "component 1: slots",
     "not a list of two or more"),
    (HEAD + '[[component]]\nid = "a"\nslots = ["c.bin", 1]', 6, "component 1: slots 2",
     "not a table"),
    (HEAD + '[[component]]\nid = "a"\nslots = [\n"c.bin",\n{ slot = 0, file = "b.bin" }]', 8,
     "component 1: slots 2: slot", "slot 0 twice"),
    (HEAD + '[[component]]\nid = "a"\nslots = ["c.bin", { fil = "c.bin" }]', 6,
     "component 1: slots 2", "neither file nor digest"),
    (HEAD + APP + OTHER + 'file = "b.bin"\nuri = "#a"\n' + '[payloads]\n"#a" = "c.bin"', 13,
     "payloads: #a", "a component's payload has this key"),
    (HEAD + APP + 'uri = "#a"\n' + OTHER + 'file = "b.bin"\nuri = "#a"', 12, "component 2: uri",
     "'#a' is another payload, too"),
    (HEAD + '[[component]]\nid = "a"\nboot = true', 6, "component 1: boot", "it has no payload"),
    (HEAD + APP + 'boot = "yes"', 7, "component 1: boot", "not true or false"),
    (HEAD + APP + 'kind = "key"', 7, "component 1: kind", "'key' is not one of image, keys"),
    (HEAD + APP + 'kind = "keys"', 6, "component 1: file", "no key set: byte 2: 298 bytes follow"),
    (HEAD + '[[component]]\nid = "k"\nkind = "keys"\nfile = "keys.cbor"\nboot = true', 8,
     "component 1: boot", "not for a key set"),
    (HEAD + APP + 'content = "x"', 7, "component 1: content", "beside a payload"),
    (HEAD + APP + 'stage = "app"', 7, "component 1: stage", "the component itself"),
    (HEAD + APP + 'stage = "othr"\n' + OTHER, 7, "component 1: stage", "did you mean other?"),
    (HEAD + APP + 'stage = "other"\n' + OTHER + 'file = "b.bin"', 7, "component 1: stage",
     "other has a content of its own"),
    (HEAD + APP + 'stage = "x"\n' + OTHER + 'file = "b.bin"\nstage = "x"\n[[component]]\nid = "x"',
     12, "component 2: stage", "app is staged there, too"),
    (HEAD + APP + 'content = "hex:0"', 7, "component 1: content", "'0' is not hexadecimal"),
    (HEAD + APP + OTHER + 'stage = "app"', 10, "component 2: stage", "but nothing is fetched"),
    (HEAD + '[[component]]\nid = "a"\nload-from = "other"\n' + OTHER, 6, "component 1: load-from",
     "other has no payload"),
    (HEAD + '[[component]]\nid = "a"\nload-from = "other"\n' + OTHER
     + 'slots = ["b.bin", "c.bin"]', 6, "component 1: load-from",
     "one image per slot is not loaded"),
    (HEAD + APP + 'parameters = { uri = "x" }', 7, "component 1: parameters",
     "uri is set by the payload, too"),
    (HEAD + APP + 'parameters = { class = "x" }', 7, "component 1: parameters",
     "class-identifier stands at the top"),
    (HEAD + APP + "parameters = { soft-failure = true }", 7,
     "component 1: parameters: soft-failure", "only be set inside try and run"),
    (HEAD + APP + "parameters = { invoke-arg = 1 }", 7, "component 1: parameters: invoke-arg",
     "did you mean invoke-args?"),
    (HEAD + APP + '[text.en]\nmanifest-descripton = "x"', 8, "text: en: manifest-descripton",
     "did you mean manifest-description?"),
    (HEAD + APP + '[text.englishlanguage]\nupdate-description = "x"', 7, "text: englishlanguage",
     "not a language tag"),
    (HEAD + APP + "[text.en]", 7, "text: en", "no text"),
    (HEAD + APP + '[text.en.component.ap]\nmodel-name = "x"', 7, "text: en: component: ap",
     "did you mean app?"),
    (HEAD + APP + "[text.en.component.app]", 7, "text: en: component: app", "no text"),
    (HEAD + APP + "[text.en.component.app]\nmodel-name = 1", 8,
     "text: en: component: app: model-name", "not a text"),
    # sequences
    (HEAD + "install = []\n" + APP, 4, "install", "not a list of commands"),
    (HEAD + 'install = "fetch"\n' + APP, 4, "install", "not a list of commands"),
    (HEAD + 'install = [\n"fetch",\n"ftech",\n]\n' + APP, 6, "install 2", "did you mean fetch?"),
    (HEAD + 'install = ["unlink"]\n' + APP, 4, "install 1", "picosuit does not support unlink"),
    (HEAD + "install = [1]\n" + APP, 4, "install 1", "neither the name of a command"),
    (HEAD + 'install = ["try"]\n' + APP, 4, "install 1", "try needs an argument"),
    (HEAD + 'install = [{ try = "fetch" }]\n' + APP, 4, "install 1: try",
     "not a list of sequences"),
    (HEAD + 'install = [{ override = { class = ["a", "b"] } }]\n' + APP, 4,
     "install 1: override: class", "a parameter is one class"),
    (HEAD + 'install = [{ try = [["fetch"]] }]\n' + APP, 4, "install 1: try",
     "fewer than two alternatives"),
    (HEAD + 'install = [{ try = [["fetch"], "nothing"] }]\n' + APP, 4, "install 1: try",
     "fewer than two alternatives"),
    (HEAD + 'install = [{ try = [["fetch"], []] }]\n' + APP, 4, "install 1: try 2",
     "not a list of commands"),
    (HEAD + "install = [{ override = {} }]\n" + APP, 4, "install 1: override", "not a table of"),
    (HEAD + 'install = [{ override = { soft-failure = true } }]\n' + APP, 4,
     "install 1: override: soft-failure", "only be set inside"),
    (HEAD + f'install = [{{ run = [{{ override = {{ uri = "{LONG}" }} }}] }}]\n' + APP, 4,
     "install 1: run 1: override: uri", "a URI of 256 bytes"),
    (HEAD + 'install = [{ override = { image = "app.bin", image-size = 3 } }]\n' + APP, 4,
     "install 1: override: image-size", "given twice"),
    (HEAD + 'install = [{ set = { image = "app.bin" } }]\n' + APP, 4, "install 1: set: image",
     "a digest that set gives can be overruled"),
    (HEAD + 'install = [{ override = { source-component = 1 } }]\n' + APP, 4,
     "install 1: override: source-component", "1 is no component"),
    (HEAD + 'install = [{ override = { encryption-info = "hex:80" } }]\n' + APP, 4,
     "install 1: override: encryption-info", "no COSE_Encrypt: byte 0: the tag is not 96"),
    (HEAD + 'install = [{ fetch = ["record"] }]\n' + APP, 4, "install 1: fetch",
     "'record' is no part of a reporting policy"),
    (HEAD + 'install = [{ set-index = 1 }]\n' + APP, 4, "install 1: set-index",
     "1 is no component"),
    (HEAD + 'install = [{ set-index = false }]\n' + APP, 4, "install 1: set-index",
     "False is no component"),
    (HEAD + 'install = [{ set-index = [] }]\n' + APP, 4, "install 1: set-index", "selects nothing"),
    (HEAD + 'install = ["fetch"]\n' + APP + OTHER, 4, "install 1", "no component is selected"),
    (HEAD + "install = " + "[{ run = " * 8 + '["fetch"]' + "}]" * 8 + "\n" + APP, 4,
     "install 1" + ": run 1" * 7 + ": run", "nested deeper than 8"),
    (HEAD + 'shared = ["fetch"]\n' + APP, 4, "shared 1", "not allowed in the shared sequence"),
    (HEAD + 'shared = [{ set = { uri = "x" } }]\n' + APP, 4, "shared 1",
     "not allowed in the shared"),
    (HEAD + 'shared = ["abort"]\n' + APP + 'parameters = { uri = "x" }\nfetch = false', 8,
     "component 1: parameters", "uri is set by the payload, too"),
    (HEAD + 'shared = ["abort"]\n' + OTHER + "parameters = { invoke-args = 'x' }", 8,
     "component 1: parameters", "shared is written out"),
    (HEAD + 'shared = ["abort"]\n' + APP, 4, "shared",
     "it is written out, and sets no image-digest"),
    (HEAD + "severable = []\n" + APP + f'[text.en]\nmodel = 1\nmanifest-json-source = "{"x" * 9}"',
     9, "text: en: model", "unknown key"),
    (HEAD + "severable = []\n" + APP + f'[text.en]\nmanifest-json-source = "{"x" * 66000}"',
     None, "", "manifest and severable sequences have 66"),
]  # fmt: skip


@pytest.mark.parametrize("text, line, place, what", REFUSED)
def test_refuse(
    text: str, line: int | None, place: str, what: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One line with file, line and key; exit status 2; no file is left."""
    for name, data in (FILES | {"keys.cbor": KEYS}).items():
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "update.toml"
    path.write_text(text)
    before = set(tmp_path.iterdir())
    with pytest.raises(SystemExit) as caught:
        main(["create", str(path), "-o", str(tmp_path / "out.suit")])
    printed, complaint = capsys.readouterr()
    assert caught.value.code == 2 and printed == "" and complaint.count("\n") == 1
    where = "".join((f"line {line}: " * (line is not None), f"{place}: " * bool(place)))
    assert complaint.startswith(f"picosuit: {path}: {where}") and what in complaint
    assert (": line " in complaint) == (line is not None)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("data, what", [
    (b"a = 1\n\xff", "byte 6: not UTF-8"), (b"#" * (1 << 20) + b"\n", "larger than 1048576 bytes"),
])  # fmt: skip
def test_refuse_bytes(data: bytes, what: str) -> None:
    with pytest.raises(Problem) as caught:
        describe.create(data, "x.toml")
    assert str(caught.value).startswith("x.toml: ") and what in str(caught.value)


def test_refuse_huge() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 1 << 32

    with pytest.raises(Problem, match="file: 4294967296 bytes; at most 4294967295"):
        describe.create((HEAD + APP).encode(), "x.toml", read=lambda path: Huge(b"x"))


def test_lines_are_not_worth_everything() -> None:
    """A file in which it is slow to find a line is refused all the same, and soon."""
    text = 'clas = """' + "x\n" * 100_000 + '"""\n' + HEAD + APP
    with pytest.raises(Problem, match=r"x\.toml: clas: unknown key") as caught:
        describe.create(text.encode(), "x.toml", read=lambda path: b"x")
    assert caught.value.line is None


# -- the command -------------------------------------------------------------------------------


def run(*arguments: str | Path | int, code: int = 0) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == code


@pytest.fixture
def update(tmp_path: Path) -> Path:
    (tmp_path / "app.bin").write_bytes(FILES["app.bin"])
    path = tmp_path / "update.toml"
    path.write_text(HEAD + APP + "boot = true\n" + TEXT, encoding="utf-8")
    return path


def test_command(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("create", update)
    data = update.with_suffix(".suit").read_bytes()
    digest = Envelope(data).manifest_digest.hex()
    assert capsys.readouterr().out == f"""\
{update.with_suffix(".suit")}: update 7, {len(data):,} bytes, not signed yet
  for       arm.com, class sensor
  installs  ['app']: 300 bytes of app.bin from #a in the envelope
  boots     ['app']
  text      de-CH, en (severable)
  manifest  {len(Envelope(data).manifest_bstr.content)} bytes, SHA-256 {digest}
"""
    run("--json", "create", update, "-o", update.parent / "x.suit", "--sequence", "8")
    found = json.loads(capsys.readouterr().out)
    assert found["sequence"] == 8 and found["components"][0]["id"] == [b"app".hex()]
    assert found["payloads"] == {"#a": 300} and found["severable"] == ["text"]
    assert Envelope((update.parent / "x.suit").read_bytes()).sequence == 8


def test_words(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    update.write_text(HEAD + """
        severable = ["install"]
        device-id = "00000000-0000-0000-0000-000000000001"
        [[component]]
        id = "app"
        file = "app.bin"
        fetch = false
        [[component]]
        id = "ram"
        load-from = "app"
        [[component]]
        id = "ram2"
        name = "other"
        load-from = "app"
        file = "app.bin"
        boot = true
        [[component]]
        id = "led"
        content = "on"
    """)
    run("create", update)
    assert capsys.readouterr().out.splitlines()[1:-1] == [
        "  for       arm.com, class sensor, device 00000000-0000-0000-0000-000000000001",
        "  checks    ['app']: 300 bytes of app.bin",
        "  loads     ['ram'] from app",
        "  loads     ['ram2'] (other): 300 bytes of app.bin",
        "  boots     ['ram2'] (other)",
        "  writes    ['led']: 2 bytes",
        "  severable install",
    ]
    identity = f'vendor-domain = "a", class-id = "{uuid.UUID(bytes=CLASS)}", image = "app.bin"'
    update.write_text(f"sequence = 1\nshared = [{{ override = {{ {identity} }} }},\n"
                      '"vendor-identifier", "class-identifier"]\n' + APP)  # fmt: skip
    run("create", update)
    assert "  for       whom the shared sequence names\n" in capsys.readouterr().out


def test_nothing_for_a_terminal(update: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A description may come from a stranger: its texts cannot move the cursor."""
    update.write_text(HEAD + APP + 'name = "x\\u001b[2J\\u202e"\nuri = "#\\u001b]0;"\n'
                      + OTHER + '[payloads]\n"#\\u0007[red]" = "app.bin"\n')  # fmt: skip
    run("create", update)
    printed, notes = capsys.readouterr()
    assert "(x\\x1b[2J\\u202e)" in printed and "from #\\x1b]0; in" in printed
    assert notes == "warning: nothing fetches the payload #\\x07[red]\n"


@pytest.mark.parametrize("number, what", [
    (7, "sequence number 7 is not above 7"), (6, "6 is not above 7"),
    (1008, "sequence number 1008 is 1001 above 7"), (2**64 - 1, "no update could ever follow"),
    (8, None), (1007, None),
])  # fmt: skip
def test_previous(
    update: Path, number: int, what: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock-out by a high number, of ../shared/threats.md: fast-forward."""
    run("create", update)
    old, new = update.with_suffix(".suit"), update.parent / "new.suit"
    run("create", update, "-o", new, "--sequence", number, "--previous", old, code=2 if what else 0)
    assert (what or "") in capsys.readouterr().err and new.exists() == (what is None)
    if what and "1001" in what:
        run("create", update, "-o", new, "--sequence", number, "--previous", old,
            "--max-step", "1001")  # fmt: skip


def test_standard_streams(
    update: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The envelope alone, also with --json."""
    run("create", update)
    capsysbinary.readouterr()
    monkeypatch.chdir(update.parent)
    for more in ((), ("--json",)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(update.read_bytes())))
        run(*more, "create", "-", "-o", "-")
        assert capsysbinary.readouterr().out == update.with_suffix(".suit").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(update.read_bytes())))
    run("create", "-", code=2)
    assert b"from standard input needs -o FILE" in capsysbinary.readouterr().err


def test_output_is_not_the_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "update.suit"
    path.write_text(HEAD + '[[component]]\nid = "a"\n')
    run("create", path, code=2)
    assert "is an input: it would be overwritten" in capsys.readouterr().err


def test_same_bytes_everywhere(update: Path, tmp_path: Path) -> None:
    """Locale, time zone, folder, hash seed: none of them is in the bytes."""
    found = set()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for seed, (locale, zone, folder, name) in enumerate((
        ("C", "UTC", tmp_path, "update.toml"), ("tr_TR.UTF-8", "Asia/Kathmandu", elsewhere, update),
        ("C.UTF-8", "America/St_Johns", elsewhere, "../update.toml"),
    )):  # fmt: skip
        environment = os.environ | {"LC_ALL": locale, "TZ": zone, "PYTHONHASHSEED": str(seed),
                                    "PYTHONUTF8": "0"}  # fmt: skip
        made = subprocess.run(
            [sys.executable, "-m", "picosuit.cli", "create", str(name), "-o", "-"],
            cwd=folder, env=environment, capture_output=True, check=True,
        )  # fmt: skip
        found.add(made.stdout)
    assert len(found) == 1 and Envelope(found.pop()).sequence == 7
