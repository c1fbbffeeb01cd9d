# SPDX-License-Identifier: MIT
"""Device profiles: the one of the reference device against its sources; refusals."""
from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from picosuit.author import keys, names, profile
from picosuit.author.problem import Problem
from picosuit.author.tables import Table

ROOT = Path(__file__).resolve().parents[3]
DEVICE = ROOT / "bench/m0/device.toml"
SMALL = """
vendor-domain = "arm.com"
class = "sensor"
pen = [32473, "32473.129"]
[memory]
work = 1000
[[component]]
id = ["app", "hex:00ff"]
capacity = 8192
[[component]]
id = "t"
kind = "transient"
[[trust-anchor]]
kid = "root"
hex = "3d097e535923685b39994f5f3204a551fd3a4df6b23e2762805ef9c990a12f6e"
"""


def numbers(name: str) -> dict[str, int]:
    """Macros of device_map.h with a plain number."""
    text = (ROOT / "bench/m0" / name).read_text()
    return {key: int(value, 0) for key, value in
            re.findall(r"#define (\w+) (0x[0-9A-Fa-f]+|\d+)\b", text)}  # fmt: skip


def small(text: str = SMALL) -> profile.Profile:
    return profile.parse(text.encode(), "device.toml")


def test_reference_device_is_that_of_the_c_sources() -> None:
    found = profile.load(DEVICE)
    device = numbers("device_map.h")
    image, keys, spool = found.components
    assert image.id == (b"\0",) and image.kind == profile.STORED
    assert image.capacity == device["MAP_IMAGE_MAX"]
    assert found.flash.page == device["MAP_PAGE"] and found.flash.erased == 0xFF
    assert image.capacity + found.flash.manifest_area == device["MAP_SLOT_SIZE"]
    assert keys.id == (b"keys",) and keys.kind == profile.STORED | profile.KEYS
    header = (ROOT / "core/picosuit.h").read_text()
    offsets = dict(re.findall(r"#define PICOSUIT_(KEYS_SET|MANIFEST_ENVELOPE) (\d+)u", header))
    assert keys.capacity == device["MAP_PAGE"] - int(offsets["KEYS_SET"])
    assert found.envelope_max == device["MAP_PAGE"] - int(offsets["MANIFEST_ENVELOPE"])
    assert spool.id == (b"t",) and spool.is_transient
    port = (ROOT / "bench/m0/device_port.c").read_text()
    for name, value in (("vendor", found.vendors), ("class", found.classes),
                        ("uuid", found.devices)):  # fmt: skip
        array = re.search(rf"device_{name}\[16\] = \{{([^}}]+)\}}", port)
        assert array and value == (bytes(int(b, 16) for b in array[1].split(",")),)
    work = re.search(r"#define \w*WORK\w* (\d+)u?", "".join(
        path.read_text() for path in (ROOT / "bench/m0").glob("boot*.[ch]")))  # fmt: skip
    assert work and found.work == int(work[1])
    assert found.stack == device["MAP_STACK_TOP"] - device["MAP_STACK_LOW"]
    text = (ROOT / "vectors/keys.txt").read_text()
    assert f"public = {found.anchors[0].key.hex()}" in text
    assert f"private = {found.device_keys[0].key.hex()}" in text


def test_context_is_that_of_the_sizes() -> None:
    row = re.search(r"\| plain, manifest of 320 bytes \| (\d+) \|",
                    (ROOT / "docs/sizes.md").read_text())  # fmt: skip
    assert row and int(row[1]) == profile.CONTEXT


def test_small_profile_has_defaults() -> None:
    found = small()
    vendor = uuid.uuid5(uuid.NAMESPACE_DNS, "arm.com")
    assert found.name == "device" and found.vendors == (vendor.bytes,)
    assert found.classes == (uuid.uuid5(vendor, "sensor").bytes,)
    assert found.pens == (bytes.fromhex("81fd59"), bytes.fromhex("81fd598101"))
    assert found.components[0].id == (b"app", b"\0\xff")
    assert (found.slots, found.write_slot, found.floor, found.stack) == (1, 0, None, None)
    assert found.anchors[0].rights == 3 and found.anchors[0].id == 1
    assert "SWAP" not in found.features and "MAC" in found.features
    assert found.envelope_max is None


def test_files_are_relative_to_the_profile(tmp_path: Path) -> None:
    (tmp_path / "v1.bin").write_bytes(b"firmware")
    key = keys.from_public(names.ED25519, small().anchors[0].key, b"root", 3)
    (tmp_path / "root.cose").write_bytes(key.cose())
    text = SMALL.replace("capacity = 8192", 'capacity = 8192\ninitial = "v1.bin"')
    text = re.sub('hex = ".*"', 'file = "root.cose"', text)
    (tmp_path / "device.toml").write_text(text)
    found = profile.load(tmp_path / "device.toml")
    assert found.components[0].initial == b"firmware"
    assert found.anchors == small().anchors


def test_key_files_say_more(tmp_path: Path) -> None:
    pair = [keys.generate(names.ED25519, kid, rights) for kid, rights in ((b"a", 11), (b"b", 1))]
    (tmp_path / "set.cose").write_bytes(keys.key_set(pair))
    (tmp_path / "own.cose").write_bytes(keys.generate(names.A128KW, b"kek").cose())
    (tmp_path / "own.cose").chmod(0o600)
    text = re.sub('kid = "root"\nhex = ".*"', 'file = "set.cose"', SMALL)
    (tmp_path / "device.toml").write_text(text + "[[device-key]]\nfile = 'own.cose'\n"
                                          "alg = 'A128KW'\n")  # fmt: skip
    found = profile.load(tmp_path / "device.toml")
    assert [(a.kid, a.rights, a.id) for a in found.anchors] == [(b"a", 11, 1), (b"b", 1, 2)]
    assert [(k.alg, k.kid, k.id) for k in found.device_keys] == [(names.A128KW, b"kek", 3)]


def test_refuse_keys_of_the_wrong_kind(tmp_path: Path) -> None:
    signer = keys.generate(names.ED25519, b"a", 3)
    (tmp_path / "private.cose").write_bytes(signer.cose())
    (tmp_path / "private.cose").chmod(0o600)
    (tmp_path / "public.cose").write_bytes(keys.generate(names.ECDH_ES_A128KW).public_half().cose())
    (tmp_path / "set.cose").write_bytes(keys.key_set([keys.generate(names.ED25519, kid, 11)
                                                      for kid in (b"a", b"b")]))  # fmt: skip
    for file, table, what in (
        ("private.cose", "trust-anchor", "private.cose: holds a private key, wanted is a public"),
        ("public.cose", "device-key", "public.cose: holds a public key, wanted is the secret"),
        ("public.cose", "trust-anchor", "holds a key for X25519"),
        ("set.cose", "trust-anchor]]\nkid = 'x'\n#[[", "the file holds several keys"),
    ):  # fmt: skip
        (tmp_path / "device.toml").write_text(f"{SMALL}[[{table}]]\nfile = '{file}'\n")
        with pytest.raises(Problem, match=what):
            profile.load(tmp_path / "device.toml")


def test_signers_are_kids_or_numbers() -> None:
    text = SMALL.replace("capacity = 8192", 'capacity = 8192\nsigners = ["root"]')
    assert small(text).components[0].signers == frozenset({1})
    assert small(text.replace('"root"]', "1]")).components[0].signers == frozenset({1})
    assert small(text.replace('["root"]', "[]")).components[0].signers == frozenset()
    assert small().components[0].signers is None


REFUSED = [  # what is replaced, by what, the line, what is said
    ("work = 1000", "wrok = 1000", 6, "memory: wrok: unknown key (did you mean work?)"),
    ("work = 1000", "", 5, "memory: work is missing"),
    ("work = 1000", "work = 0", 6, "memory: work: 0 is not in 1..1048576"),
    ("work = 1000", "work = true", 6, "memory: work: not an integer"),
    ("[memory]", "[memroy]\nwork = 1\n[memory]", 5,
     "memroy: unknown key (did you mean memory?)"),
    ("pen = [", "pen = [-1, ", 4, "pen: -1 is not a private enterprise number"),
    ("pen = [", "pen = [true, ", 4, "pen: True is not a private enterprise number"),
    ("pen = [", 'pen = ["1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16", ', 4,
     "pen: longer than 15 bytes as a relative OID"),
    ('vendor-domain = "arm.com"', "", 3,
     "class: a name needs a vendor (vendor-domain, or give class-id)"),
    ('vendor-domain = "arm.com"', 'vendor-id = "abc"', 2, "vendor-id: 'abc' is not a UUID"),
    ('vendor-domain = "arm.com"', "vendor-domain = 7", 2, "vendor-domain: not a text"),
    ('"hex:00ff"', '"hex:0"', 8, "component 1: id: 'hex:0' is not hexadecimal"),
    ('id = ["app", "hex:00ff"]', "", 7, "component 1: id is missing"),
    ("capacity = 8192", "", 7, "component 1: capacity is missing"),
    ("capacity = 8192", "capacity = 1\nkind = 'file'", 10,
     "component 1: kind: 'file' is not one of stored, trusted, transient, keys"),
    ("capacity = 8192", "capacity = 1\nsigners = ['nobody']", 10,
     "component 1: signers: no trust anchor is called 'nobody'"),
    ('kind = "transient"', 'kind = "transient"\ncapacity = 1', 13,
     "component 2: capacity: a transient component stores nothing"),
    ('id = "t"', 'id = ["app", "hex:00ff"]', None,
     "component 2: ['app', h'00ff'] is there twice"),
    ('hex = "3d', 'hex = "', 15, "trust-anchor 1: hex: 31 bytes, not 32"),
    ('hex = "3d', 'hex = "xy', 15, "trust-anchor 1: hex: not hexadecimal digits"),
    ('hex = "', 'file = "a"\nhex = "', 13, "trust-anchor 1: either file or hex"),
    ('kid = "root"', 'rights = []', 14,
     "trust-anchor 1: rights: an empty list: this key could do nothing"),
    ('kid = "root"', 'rights = ["ALL"]', 14,
     "trust-anchor 1: rights: 'ALL' is not one of update, invoke, uninstall, keys, any-device"),
    ('kid = "root"', 'alg = "RSA"', 14,
     "trust-anchor 1: alg: 'RSA' is not one of Ed25519, EdDSA, HMAC 256/256"),
    ("[memory]", "[slots]\ncount = 2\nwrite = 2\n[memory]", 7,
     "slots: write: 2 is not in 0..1"),
    ("[memory]", "[flash]\npage = 1000\n[memory]", 6,
     "flash: page: 1000 is not a multiple of 64 bytes"),
    ("[memory]", "[flash]\nunit = 3\n[memory]", 6, "flash: unit: 3 is not 1, 2, 4, ... 64"),
    ("[memory]", "[flash]\nerased = 1\n[memory]", 6, "flash: erased: 1 is neither 0 nor 255"),
    ("[memory]", "[flash]\nmanifest-area = 1000\n[memory]", 6,
     "flash: manifest-area: not whole pages of 1024 bytes"),
    ("[memory]", "[flash]\nerase-ms = -1\n[memory]", 6,
     "flash: erase-ms: -1 is not in 0..1e+06"),
    ("[memory]", '[processor]\ncore = "m7"\n[memory]', 6,
     "processor: core: 'm7' is not one of m0, m0plus"),
    ("[memory]", "[features]\nmac = 1\n[memory]", 6, "features: mac: not true or false"),
    ("[memory]", "[sequence]\ndigest = '%s'\n[memory]" % ("00" * 32), 6,
     "sequence: digest: a digest without floor (it is that of the floor's manifest)"),
    ("[memory]", "[sequence]\nfloor = 18446744073709551616\n[memory]", 6,
     "sequence: floor: 18446744073709551616 is not in 0..18446744073709551615"),
    ("[memory]", "[[flash]]\n[memory]", 5, "flash: not a table"),
    ("[memory]", "memory", 5, "not TOML: Expected '=' after a key in a key/value pair"),
    ("[memory]", "x = " + "[" * 9000 + "\n[memory]", None, "nested too deeply"),
    ("work = 1000", "work = " + "9" * 9000, None, "not TOML: "),
]  # fmt: skip


def test_numbers_of_keys_differ() -> None:
    """Components say by number who may write them."""
    second = f'[[trust-anchor]]\nhex = "{"ab" * 32}"\nid = 1\n'
    with pytest.raises(Problem, match="another trust-anchor has the number 1"):
        small(SMALL + second)
    assert len(small(SMALL + second.replace("id = 1", "id = 2")).anchors) == 2


@pytest.mark.parametrize(("old", "new", "line", "what"), REFUSED)
def test_refuse(old: str, new: str, line: int | None, what: str) -> None:
    assert old in SMALL
    with pytest.raises(Problem) as caught:
        small(SMALL.replace(old, new))
    assert caught.value.file == "device.toml" and caught.value.line == line
    assert what in str(caught.value)


def test_refuse_secrets_are_not_shown() -> None:
    with pytest.raises(Problem) as caught:
        small(SMALL + '[[device-key]]\nhex = "00112233445566778899aabbccddeefg"\n')
    assert "0011" not in str(caught.value)


@pytest.mark.parametrize(("data", "what"), [
    (b"\xff", "not UTF-8"), (b"", "nothing could be written"),
    (b" " * (1 << 20) + b" ", "larger than"),
])  # fmt: skip
def test_refuse_bytes(data: bytes, what: str) -> None:
    with pytest.raises(Problem, match=what):
        profile.parse(data, "device.toml")


def test_refuse_files_that_are_not_there_or_too_large(tmp_path: Path) -> None:
    (tmp_path / "v1.bin").write_bytes(bytes(8193))
    (tmp_path / "device.toml").write_text(
        SMALL.replace("capacity = 8192", 'capacity = 8192\ninitial = "v1.bin"'))  # fmt: skip
    with pytest.raises(Problem, match=r"v1\.bin: larger than 8192 bytes"):
        profile.load(tmp_path / "device.toml")
    for text in (SMALL.replace("capacity = 8192", 'capacity = 1\ninitial = "no.bin"'),
                 re.sub('hex = ".*"', 'file = "no.hex"', SMALL)):  # fmt: skip
        (tmp_path / "device.toml").write_text(text)
        with pytest.raises(Problem, match=r"no\.(bin|hex): No such file"):
            profile.load(tmp_path / "device.toml")
    with pytest.raises(Problem, match=r"nothing\.toml: No such file"):
        profile.load(tmp_path / "nothing.toml")


def test_document_names_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/author.md, "Device profiles"."""
    asked: set[str] = set()
    has = Table.has

    def spy(table: Table, key: str) -> bool:
        asked.add(key)
        return has(table, key)

    monkeypatch.setattr(Table, "has", spy)
    small(SMALL + "[[device-key]]\nhex = '" + "00" * 32 + "'\n")
    text = (ROOT / "docs/author.md").read_text(encoding="utf-8")
    chapter = text[text.index("## Device profiles") : text.index("## How good the estimate is")]
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", chapter))))
    assert len(asked) > 40 and asked <= named
