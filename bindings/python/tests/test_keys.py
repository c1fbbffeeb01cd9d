# SPDX-License-Identifier: MIT
"""Key files: both forms, told apart by content; modes; refusals; key sets."""
from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import cbor2
import pytest
from clirun import good, listing, refused
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from picosuit.author import keys, names
from picosuit.author.problem import Problem
from picosuit.cli import keyfiles

ROOT = Path(__file__).resolve().parents[3]
P = 2**255 - 19


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, data: bytes, bits: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(bits)
    return path


# -- What comes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "x25519"])
def test_keygen_pem(tmp_path: Path, kind: str) -> None:
    result = good("--json", "keygen", "--type", kind, tmp_path / "root.pem").data
    private, public = tmp_path / "root.pem", tmp_path / "root.pub"
    assert mode(private) == 0o600
    assert mode(public) & 0o444 == 0o444 & ~os.umask(os.umask(0))
    theirs = pem.load_pem_private_key(private.read_bytes(), None).public_key()
    raw = theirs.public_bytes(pem.Encoding.Raw, pem.PublicFormat.Raw)
    assert pem.load_pem_public_key(public.read_bytes()) == theirs
    assert result["public"] == raw.hex() and result["private"]
    key = keys.load_private(private)
    assert key.public == raw and keys.load_public(public) == key.public_half()


def test_keygen_cose_is_deterministic_cbor(tmp_path: Path) -> None:
    good("keygen", "--cose", "--kid", "root", "--rights", "update,invoke,keys",
         tmp_path / "root.cose")  # fmt: skip
    data = (tmp_path / "root.cose").read_bytes()
    members = cbor2.loads(data)
    assert cbor2.dumps(members, canonical=False) == data
    assert list(members) == [1, 2, 3, -1, -2, -4, -65537]
    assert (members[1], members[2], members[3], members[-1], members[-65537]) == (
        1, b"root", -19, 6, 11)  # fmt: skip
    public = Ed25519PrivateKey.from_private_bytes(members[-4]).public_key().public_bytes_raw()
    assert members[-2] == public
    del members[-4]
    assert (tmp_path / "root.pub").read_bytes() == cbor2.dumps(members)


@pytest.mark.parametrize("kind, alg, size", [("a128kw", -3, 16), ("hmac256", 5, 32)])
def test_keygen_symmetric_has_no_public_half(
    tmp_path: Path, kind: str, alg: int, size: int
) -> None:
    good("keygen", "--type", kind, tmp_path / "k.cose")
    assert list(listing(tmp_path)) == ["k.cose"] and mode(tmp_path / "k.cose") == 0o600
    members = cbor2.loads((tmp_path / "k.cose").read_bytes())
    assert (members[1], members[3], len(members[-1])) == (4, alg, size)
    assert keys.load(tmp_path / "k.cose").thumbprint is None


def test_keygen_keys_differ(tmp_path: Path) -> None:
    for name in "ab":
        good("keygen", tmp_path / f"{name}.pem")
    a, b = (keys.load(tmp_path / f"{name}.pem") for name in "ab")
    assert a.secret != b.secret and a.public != b.public


def test_keygen_never_overwrites_silently(tmp_path: Path) -> None:
    good("keygen", tmp_path / "root.pem")
    before = listing(tmp_path)
    assert "root.pem: exists already (--force replaces it)" in refused(
        "keygen", tmp_path / "root.pem")  # fmt: skip
    (tmp_path / "root.pem").unlink()
    assert "root.pub: exists already" in refused("keygen", tmp_path / "root.pem")
    assert listing(tmp_path) == {"root.pub": before["root.pub"]}
    good("keygen", "--force", tmp_path / "root.pem")
    assert listing(tmp_path)["root.pub"] != before["root.pub"]
    assert mode(tmp_path / "root.pem") == 0o600


def test_keygen_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        good("keygen", tmp_path / "root.pem")
    finally:
        os.umask(old)
    assert mode(tmp_path / "root.pem") == 0o600


def test_passphrase(tmp_path: Path) -> None:
    file = tmp_path / "root.pem"
    env = {"PICOSUIT_PASSPHRASE": "correct horse"}
    good("keygen", "--passphrase", file, env=env)
    assert b"ENCRYPTED" in file.read_bytes()
    assert pem.load_pem_private_key(file.read_bytes(), b"correct horse")
    assert good("--json", "key", "show", file, env=env).data["private"]
    assert "or the passphrase is wrong" in refused(
        "key", "show", file, env={"PICOSUIT_PASSPHRASE": "battery"})  # fmt: skip
    assert "protected by a passphrase (set PICOSUIT_PASSPHRASE)" in refused("key", "show", file)
    assert "the passphrase is empty" in refused(
        "keygen", "--passphrase", tmp_path / "x.pem", env={"PICOSUIT_PASSPHRASE": ""})  # fmt: skip
    assert not (tmp_path / "x.pem").exists()


def test_thumbprint_is_rfc_9679(tmp_path: Path) -> None:
    """kid, alg and rights do not count: PEM and COSE_Key of a key have the same one."""
    good("keygen", tmp_path / "a.pem")
    good("key", "convert", tmp_path / "a.pem", "-o", tmp_path / "a.cose", "--kid", "x",
         "--rights", "invoke", "--eddsa")  # fmt: skip
    shown = [good("--json", "key", "show", tmp_path / f).data for f in ("a.pem", "a.cose")]
    public = bytes.fromhex(shown[0]["public"])
    wanted = hashlib.sha256(b"\xa3\x01\x01\x20\x06\x21\x58\x20" + public).hexdigest()
    assert [s["thumbprint"] for s in shown] == [wanted, wanted]
    assert (shown[1]["kid"], shown[1]["rights"], shown[1]["alg"]) == ("x", 2, -8)


def test_convert_there_and_back(tmp_path: Path) -> None:
    good("keygen", "--type", "x25519", tmp_path / "d.pem")
    good("key", "convert", tmp_path / "d.pem", "-o", tmp_path / "d.cose")
    good("key", "convert", "--pem", tmp_path / "d.cose", "-o", tmp_path / "d2.pem")
    assert (tmp_path / "d2.pem").read_bytes() == (tmp_path / "d.pem").read_bytes()
    assert mode(tmp_path / "d.cose") == mode(tmp_path / "d2.pem") == 0o600
    good("key", "convert", "--pem", "--public", tmp_path / "d.cose", "-o", tmp_path / "d2.pub")
    assert (tmp_path / "d2.pub").read_bytes() == (tmp_path / "d.pub").read_bytes()


def test_convert_raw(tmp_path: Path) -> None:
    public = keys.generate(names.ECDH_ES_A128KW).public
    assert public is not None
    for content in (public, public.hex().encode() + b"\n"):
        file = write(tmp_path / "raw", content, 0o644)
        good("key", "convert", "--raw", "x25519", file, "-o", tmp_path / "d.pub", "--force",
             "--kid", "hex:00ff")  # fmt: skip
        assert keys.load_public(tmp_path / "d.pub") == keys.Key(-29, public, kid=b"\0\xff")
    secret = write(tmp_path / "kek", bytes(range(16)), 0o644)
    assert "others may use this secret key" in refused(
        "key", "convert", "--raw", "a128kw", secret, "-o", tmp_path / "kek.cose")  # fmt: skip
    secret.chmod(0o600)
    good("key", "convert", "--raw", "a128kw", secret, "-o", tmp_path / "kek.cose")
    assert keys.load(tmp_path / "kek.cose").secret == bytes(range(16))
    write(tmp_path / "raw", public[:31])
    assert "neither 32 bytes nor 64 hexadecimal digits" in refused(
        "key", "convert", "--raw", "x25519", tmp_path / "raw", "-o", tmp_path / "y")  # fmt: skip


def test_show_never_tells_the_secret(tmp_path: Path) -> None:
    for kind in ("ed25519", "x25519", "a128kw", "hmac256"):
        file = tmp_path / f"{kind}.cose"
        good("keygen", "--type", kind, "--cose", file)
        secret = keys.load(file).secret
        assert secret is not None
        for arguments in (["key", "show"], ["--json", "key", "show"]):
            assert secret.hex().encode() not in good(*arguments, file).out
        assert secret.hex() not in repr(keys.load(file))


def numbers(out: bytes) -> bytes:
    return bytes(int(n, 16) for n in re.findall(rb"0x([0-9a-f]{2})\b", out))


def test_c_array(tmp_path: Path) -> None:
    good("keygen", "--type", "x25519", tmp_path / "d.pem")
    key = keys.load(tmp_path / "d.pem")
    out = good("key", "show", tmp_path / "d.pub", "--c-array", "d_public").out
    assert out.startswith(b"static const uint8_t d_public[32] = {\n") and out.endswith(b"};\n")
    assert numbers(out) == key.public
    out = good("key", "show", tmp_path / "d.pem", "--c-array", "d", "--secret").out
    assert numbers(out) == key.secret
    assert "holds a public key, wanted is a private one" in refused(
        "key", "show", tmp_path / "d.pub", "--c-array", "d", "--secret")  # fmt: skip
    assert "is no name in C" in refused("key", "show", tmp_path / "d.pub", "--c-array", "a b")
    assert "secrets are not shown" in refused("key", "show", tmp_path / "d.pem", "--secret")


# -- Key sets ----------------------------------------------------------------------------------


def public_of(tmp_path: Path, name: str, *options: str) -> Path:
    good("keygen", tmp_path / f"{name}.pem", *options)
    return tmp_path / f"{name}.pub"


def test_key_set_is_what_the_reference_device_has(tmp_path: Path) -> None:
    """Byte for byte the factory set that bench/m0/device_keys.py writes for the key root."""
    text = (ROOT / "vectors/keys.txt").read_text()
    public = re.search(r"name = root\n(?:.*\n)*?public = (.*)\n", text)
    assert public is not None
    write(tmp_path / "root.hex", public[1].encode())
    good("key", "convert", "--raw", "ed25519", tmp_path / "root.hex", "-o", tmp_path / "r.pub")
    good("key", "set", "-o", tmp_path / "set", "--key", "root", "update,invoke,keys",
         tmp_path / "r.pub")  # fmt: skip
    header = subprocess.run(
        [sys.executable, ROOT / "bench/m0/device_keys.py", ROOT / "vectors/keys.txt"],
        check=True, capture_output=True).stdout  # fmt: skip
    factory = numbers(header.split(b"};")[0].partition(b"{")[2])
    assert (tmp_path / "set").read_bytes() == factory
    assert numbers(good("key", "show", tmp_path / "set", "--c-array", "f").out) == factory
    (shown,) = good("--json", "key", "show", tmp_path / "set").data["keys"]
    assert (shown["kid"], shown["rights"], shown["public"]) == ("root", 11, public[1])


def test_key_set_of_four_from_files(tmp_path: Path) -> None:
    files = [public_of(tmp_path, n, "--cose", "--kid", n, "--rights", "31") for n in "abcd"]
    good("key", "set", "-o", tmp_path / "set", *files)
    found = keys.read_key_set((tmp_path / "set").read_bytes())
    assert [key.kid for key in found] == [b"a", b"b", b"c", b"d"]
    assert cbor2.loads((tmp_path / "set").read_bytes()) == [
        cbor2.loads(file.read_bytes()) for file in files]  # fmt: skip


SETS = {
    "a key set of 0 keys": [],
    "a key set of 5 keys": ["a 11", "b 1", "c 1", "d 1", "e 1"],
    "no key of the set has the rights update and keys": ["a 1", "b 8"],
    "two keys of the set have the same kid": ["a 11", "a 11 b"],
    "a key is in the set twice": ["a 11 a", "b 11 a"],
    "has a kid of 24 bytes": ["a" * 24 + " 11"],
    "no right 'root'": ["a root"],
    "no right '32'": ["a 32"],
}


@pytest.mark.parametrize("what", SETS)
def test_key_set_refused(tmp_path: Path, what: str) -> None:
    arguments: list[str | Path] = []
    for words in (line.split() for line in SETS[what]):
        name = words[-1][:8] if len(words) > 2 else words[0][:8]
        file = tmp_path / f"{name}.pub"
        if not file.exists():
            public_of(tmp_path, name)
        arguments += ["--key", words[0], words[1], file]
    before = listing(tmp_path)
    assert what in refused("key", "set", "-o", tmp_path / "set", *arguments)
    assert listing(tmp_path) == before


def test_key_set_refuses_other_keys(tmp_path: Path) -> None:
    good("keygen", "--type", "x25519", tmp_path / "d.pem")
    for file, what in ((tmp_path / "d.pub", "a key set has Ed25519 keys"),
                       (tmp_path / "d.pem", "holds a private key")):  # fmt: skip
        assert what in refused("key", "set", "-o", tmp_path / "s", "--key", "a", "11", file)
    public = public_of(tmp_path, "b")
    assert "kid of 0 bytes" in refused("key", "set", "-o", tmp_path / "s", public)


# -- Refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_secret_that_others_may_use_is_refused(tmp_path: Path, bits: int) -> None:
    good("keygen", "--cose", tmp_path / "c.cose")
    good("keygen", tmp_path / "k.pem")
    for file in (tmp_path / "c.cose", tmp_path / "k.pem"):
        file.chmod(bits)
        assert f"its mode is {bits:04o} (chmod 600, or --insecure-permissions)" in refused(
            "key", "show", file)  # fmt: skip
        good("key", "show", file, "--insecure-permissions")
    good("key", "show", tmp_path / "k.pub")


def spki(key: object) -> bytes:
    return key.public_key().public_bytes(  # type: ignore[attr-defined, no-any-return]
        pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)  # fmt: skip


ED = keys.generate(names.ED25519, b"kid", 3)
COSE = cbor2.loads(ED.cose())
PUBLIC = cbor2.loads(ED.public_half().cose())
PEM_PRIVATE, PEM_PUBLIC = ED.pem(), ED.public_half().pem()


def cose(**change: object) -> bytes:
    """The public COSE_Key with members changed; None takes one out."""
    labels = {"kty": 1, "kid": 2, "alg": 3, "crv": -1, "x": -2, "d": -4, "rights": -65537,
              "ops": 4}  # fmt: skip
    members = dict(PUBLIC)
    for name, value in change.items():
        members[labels[name]] = value
    pairs = sorted((cbor2.dumps(k), cbor2.dumps(v)) for k, v in members.items() if v is not None)
    return bytes([0xA0 + len(pairs)]) + b"".join(itertools.chain(*pairs))


def y(value: int, sign: int = 0) -> bytes:
    return (value | sign << 255).to_bytes(32, "little")


HOSTILE = {
    "empty": (b"", "the file is empty"),
    "noise": (b"\xff\xfe\x00" * 20, "neither PEM nor a COSE_Key"),
    "bare bytes": (bytes(range(0x20, 0x40)), "neither PEM nor a COSE_Key"),
    "huge": (b"-----BEGIN PUBLIC KEY-----\n" + b"A" * (1 << 16), "larger than 65536 bytes"),
    "pem without end": (PEM_PUBLIC[:-20], "cannot be decoded"),
    "pem cut": (PEM_PRIVATE[:60] + b"\n-----END PRIVATE KEY-----\n", "cannot be decoded"),
    "pem not base64": (PEM_PUBLIC.replace(b"MC", b"M*"), "cannot be decoded"),
    "pem twice": (PEM_PUBLIC + PEM_PUBLIC, "PEM holds 2 things"),
    "pem certificate": (PEM_PUBLIC.replace(b"PUBLIC KEY", b"CERTIFICATE"),
                        "PEM holds CERTIFICATE, wanted is one PUBLIC KEY"),
    "pem control characters": (PEM_PUBLIC.replace(b"PUBLIC", b"\x1b[2JX"), "PEM holds \\x1b[2JX"),
    "pem endless label": (b"-----BEGIN " * 5000, "PEM holds 2500 things"),
    "pem rsa": (spki(rsa.generate_private_key(65537, 2048)), "a key of type RSA"),
    "pem p256": (spki(ec.generate_private_key(ec.SECP256R1())), "a key of type EC;"),
    "pem ed448": (spki(ed448.Ed448PrivateKey.generate()), "a key of type Ed448"),
    "cose truncated": (ED.cose()[:-3], "byte "),
    "cose trailing": (ED.cose() + b"\0", "1 bytes follow"),
    "cose duplicate": (b"\xa3\x01\x01\x20\x06\x20\x06", "map key twice"),
    "cose order": (b"\xa2\x20\x06\x01\x01", "map key out of order"),
    "cose indefinite": (b"\xbf\x01\x01\xff", "indefinite length"),
    "cose bomb": (b"\xa1" * 5000, "CBOR nested deeper than 48"),
    "cose claims much": (b"\xbb" + b"\x7f" * 8, "only 0 bytes are left"),
    "cose key set": (b"\x81\xa0", "neither OKP"),
    "cose empty": (b"\xa0", "neither OKP (1) nor symmetric (4)"),
    "cose ec2": (cose(kty=2), "neither OKP (1) nor symmetric (4)"),
    "cose text label": (b"\xa2\x01\x01\x61a\x01", "a COSE_Key member without a number"),
    "cose key_ops": (cose(ops=[1]), "COSE_Key member key_ops is not supported"),
    "cose ed448": (cose(crv=7), "the curve is neither"),
    "cose alg": (cose(alg=-7), "algorithm ES256 does not fit the curve"),
    "cose alg of the other curve": (cose(alg=-29), "algorithm ECDH-ES+A128KW does not fit"),
    "cose kid": (cose(kid="text"), "kid is a text, not a byte string"),
    "cose rights 0": (cose(rights=0), "rights are not a number from 1 to 31"),
    "cose rights 32": (cose(rights=32), "rights are not a number from 1 to 31"),
    "cose rights text": (cose(rights="all"), "rights are not a number from 1 to 31"),
    "cose short x": (cose(x=bytes(31)), "a public key of 31 bytes"),
    "cose no x": (cose(x=None), "neither x nor d"),
    "cose short d": (cose(d=bytes(31)), "a private key of 31 bytes"),
    "cose x of another": (cose(d=bytes(32)), "x is not the public half of d"),
    "kek without alg": (cbor2.dumps({1: 4, -1: bytes(16)}), "and says so"),
    "kek of 32": (cbor2.dumps({1: 4, 3: -3, -1: bytes(32)}), "a key of 32 bytes for A128KW"),
    "kek without k": (cbor2.dumps({1: 4, 3: -3}), "no member k"),
    "hmac of 16": (cbor2.dumps({1: 4, 3: 5, -1: bytes(16)}), "it has 32"),
    "y 0": (cose(x=y(0)), "small order"),
    "y 1": (cose(x=y(1)), "small order"),
    "y 1 signed": (cose(x=y(1, 1)), "small order"),
    "y -1": (cose(x=y(P - 1)), "small order"),
    "y of order 8": (cose(x=bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")), "small order"),
    "y = p": (cose(x=y(P)), "not canonical"),
    "y not on the curve": (cose(x=y(2)), "not a point of the curve"),
    "x25519 0": (cose(x=y(0), crv=4, alg=-29), "X25519 point of small order"),
    "x25519 p + 1": (cose(x=y(P + 1), crv=4, alg=-29), "X25519 point of small order"),
    "x25519 order 8": (cose(x=bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), crv=4, alg=-29),
        "X25519 point of small order"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_key_file(tmp_path: Path, name: str) -> None:
    data, what = HOSTILE[name]
    file = write(tmp_path / "key", data)
    said = refused("key", "show", file)
    assert said.startswith(f"{file}: ") and what in said, said


def test_point_check_agrees_with_the_library() -> None:
    """Of random y, about half are points; a real key always is."""
    count = 0
    for n in range(64):
        try:
            keys.from_public(names.ED25519, hashlib.sha256(bytes([n])).digest()[:31] + b"\x3f")
            count += 1
        except Problem as e:
            assert "not a point" in str(e)
        keys.from_public(names.ED25519, keys.generate(names.ED25519).public or b"")
    assert 16 < count < 48


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refused("key", "show", tmp_path / "none")
    assert "Is a directory" in refused("key", "show", tmp_path)
    assert "No such file" in refused("keygen", tmp_path / "none" / "k.pem")


def test_standard_input() -> None:
    assert good("--json", "key", "show", "-", stdin=PEM_PUBLIC).data["public"] == COSE[-2].hex()


def test_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key and nothing else."""
    monkeypatch.chdir(tmp_path)
    assert "needs --public FILE" in refused("keygen", "-")
    key = keys.parse(good("keygen", "-", "--public", "k.pub").out)
    file = write(tmp_path / "k.pem", key.pem())
    assert keys.parse(good("key", "convert", file, "--public", "-o", "-").out) == key.public_half()
    assert key.secret is not None and set(listing(tmp_path)) == {"k.pem", "k.pub"}


def test_passphrase_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda text, **_: f"to {text}")
    monkeypatch.delenv("PICOSUIT_PASSPHRASE", raising=False)
    assert keyfiles.ask("k.pem")() == b"to Passphrase of k.pem"
    assert keyfiles.new_passphrase("k.pem") == b"to Passphrase for k.pem"


@pytest.mark.parametrize("arguments, what", [
    (["--kid", "a"], "PEM has no place for kid"),
    (["--rights", "update"], "PEM has no place for kid"),
    (["--type", "eddsa"], "PEM has no place for kid"),
    (["--cose", "--passphrase"], "COSE_Key has no passphrase"),
    (["--kid", "hex:zz", "--cose"], "is not hexadecimal"),
    (["--kid", "", "--cose"], "the kid is empty"),
    (["--public", "k.pem"], "both halves would go to the same file"),
])  # fmt: skip
def test_keygen_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert what in refused("keygen", "k.pem", *arguments)
    assert listing(tmp_path) == {}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([PEM_PRIVATE, PEM_PUBLIC, ED.cose(), keys.generate(names.A128KW).cose(),
                        cose(crv=4, alg=-29)]), st.data())  # fmt: skip
def test_any_changed_byte_is_read_or_refused(data: bytes, choice: st.DataObject) -> None:
    """Nothing but Problem comes out, and what is accepted means the same when written again."""
    at = choice.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([choice.draw(st.integers(0, 255))]) + data[at + 1 :]
    cut = choice.draw(st.sampled_from([changed, changed[:at], changed[at:]]))
    try:
        key = keys.parse(cut)
    except Problem:
        return
    assert keys.parse(key.cose()) == key
