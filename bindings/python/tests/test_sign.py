# SPDX-License-Identifier: MIT
"""Signing: three ways to the same bytes, and what no way signs."""
from __future__ import annotations

import hmac
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import cbor2
import pytest
from clirun import good, listing, refused, run
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from picosuit.author import cbor, cose, keys, names, sign
from picosuit.author.cbor import Raw, Tag, Wrap
from picosuit.author.envelope import Envelope, digest_value
from picosuit.author.problem import Problem

VECTORS = Path(__file__).resolve().parents[3] / "vectors/suit"
SIGNED = (VECTORS / "try_ab.suit").read_bytes()
UNSIGNED = Envelope.parse(SIGNED).rebuilt(blocks=[])
SEVERED = (VECTORS / "all_severed.suit").read_bytes()


class Bench:
    """A folder with a key and an unsigned envelope."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = keys.generate(names.ED25519)
        self.private, self.public = self.file("root.pem", self.key.pem()), self.file(
            "root.pub", self.key.public_half().pem())
        self.private.chmod(0o600)
        self.envelope = self.file("in.suit", UNSIGNED)
        self.out = folder / "out.suit"

    def file(self, name: str, data: bytes) -> Path:
        (self.folder / name).write_bytes(data)
        return self.folder / name

    def other(self, name: str, key: keys.Key) -> Path:
        path = self.file(name, key.cose())
        path.chmod(0o600)
        return path

    def sign(self, *arguments: str | Path, **more: Any) -> Envelope:
        good("sign", more.pop("envelope", self.envelope), "-o", self.out, *arguments, **more)
        return Envelope.parse(self.out.read_bytes())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def script(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


# -- What comes out ----------------------------------------------------------------------------


def checked(envelope: Envelope, n: int, public: bytes) -> dict[int, Any]:
    """The n-th block verified with other CBOR and the bare library; its protected header."""
    wrapper = cbor2.loads(cbor2.loads(envelope.data).value[2])
    block = cbor2.loads(wrapper[1 + n])
    protected, unprotected, payload, signature = block.value
    assert (block.tag, unprotected, payload) == (18, {}, None)
    message = cbor2.dumps(["Signature1", protected, b"", wrapper[0]])
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    header: dict[int, Any] = cbor2.loads(protected)
    return header


def test_with_a_key_file(bench: Bench) -> None:
    envelope = bench.sign("--key", bench.private)
    assert bench.key.public is not None
    assert checked(envelope, 0, bench.key.public) == {1: -19}
    assert len(envelope.blocks) == 1
    assert envelope.rebuilt(blocks=[]) == UNSIGNED


def test_is_deterministic(bench: Bench) -> None:
    first = bench.sign("--key", bench.private).data
    assert bench.sign("--key", bench.private).data == first


@pytest.mark.parametrize("alg", [names.ED25519, names.EDDSA])
def test_algorithm_and_kid_are_those_of_the_key(bench: Bench, alg: int) -> None:
    key = keys.generate(alg, b"root-1")
    envelope = bench.sign("--key", bench.other("k.cose", key))
    assert key.public is not None
    assert checked(envelope, 0, key.public) == {1: alg, 4: b"root-1"}
    envelope = bench.sign("--key", bench.folder / "k.cose", "--kid", "hex:0102")
    assert checked(envelope, 0, key.public) == {1: alg, 4: b"\1\2"}


def test_several_signers_add_blocks(bench: Bench) -> None:
    more = [keys.generate(names.ED25519, b"%d" % n) for n in range(3)]
    files = [bench.other(f"{n}.cose", key) for n, key in enumerate(more)]
    bench.sign("--key", bench.private)
    envelope = bench.sign(*(x for file in files for x in ("--key", file)), envelope=bench.out)
    for n, key in enumerate([bench.key, *more]):
        assert key.public is not None
        checked(envelope, n, key.public)
    assert len(envelope.blocks) == 4


def test_mac(bench: Bench) -> None:
    key = keys.generate(names.HMAC256, b"mac")
    envelope = bench.sign("--key", bench.other("mac.cose", key))
    block = cbor2.loads(cbor2.loads(cbor2.loads(envelope.data).value[2])[1])
    digest = envelope.digest.encoded
    assert key.secret is not None and block.tag == 17
    message = cbor2.dumps(["MAC0", block.value[0], b"", digest])
    assert block.value[3] == hmac.digest(key.secret, message, "sha256")


def test_with_a_command(bench: Bench) -> None:
    """The same bytes as with the file: an external signer that holds the key."""
    assert bench.key.secret is not None
    code = ("import sys; from cryptography.hazmat.primitives.asymmetric.ed25519 import *; "
            f"k = Ed25519PrivateKey.from_private_bytes(bytes.fromhex('{bench.key.secret.hex()}'));"
            " sys.stdout.buffer.write(k.sign(sys.stdin.buffer.read()))")  # fmt: skip
    data = bench.sign("--public", bench.public, "--command", script(code)).data
    assert data == bench.sign("--key", bench.private).data


@pytest.mark.parametrize("kid", [(), ("--kid", "offline")])
def test_in_two_steps(bench: Bench, kid: tuple[str, ...]) -> None:
    tbs = bench.folder / "tbs.bin"
    good("sign", bench.envelope, "--public", bench.public, "--export", tbs, *kid)
    text = (bench.folder / "tbs.bin.txt").read_text()
    envelope = Envelope.parse(UNSIGNED)
    assert bench.key.thumbprint is not None
    for part in (envelope.manifest_digest.hex(), bench.key.thumbprint.hex(), "update      number 1",
                 "needs       a key with the right update",
                 "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"):  # fmt: skip
        assert part in text
    signature = bench.file("sig.bin", bench.key.sign(tbs.read_bytes()))
    data = bench.sign("--public", bench.public, "--import", signature, *kid).data
    assert data == bench.sign("--key", bench.private, *kid).data


def test_standard_output(bench: Bench) -> None:
    """The envelope, or the bytes to sign, and nothing else; the words go beside it."""
    out = good("sign", bench.envelope, "-o", "-", "--key", bench.private).out
    assert out == bench.sign("--key", bench.private).data
    result = good("sign", bench.envelope, "--public", bench.public, "--export", "-")
    assert result.out == sign.request(Envelope.parse(UNSIGNED), bench.key).message
    assert "update      number 1" in result.err and not (bench.folder / "-.txt").exists()


def test_shows_what_is_signed(bench: Bench) -> None:
    result = run("sign", bench.envelope, "-o", bench.out, "--key", bench.private)
    for part in ("update      number 1", "1,000 bytes", "from #fw",
                 "needs       a key with the right update", "[uri-odd]"):  # fmt: skip
        assert part in result.err, part
    data = good("--json", "sign", bench.envelope, "-o", bench.out, "--key", bench.private).data
    assert data["signed"]["sequence"] == 1 and data["signed"]["needs"] == ["update"]
    assert data["blocks"] == 1
    assert [found["name"] for found in data["signed"]["findings"]] == ["uri-odd"]
    assert data["signers"][0]["public"] == (bench.key.public or b"").hex()


@pytest.mark.parametrize("vector, needs", [
    ("auth_any_device", ["update", "any-device"]), ("like_ex0", ["invoke"]),
    ("update_then_invoke", ["update", "invoke"]), ("no_sections", ["update"]),
])  # fmt: skip
def test_rights_needed(vector: str, needs: list[str]) -> None:
    data = (VECTORS / f"{vector}.suit").read_bytes()
    assert sign.rights_needed(Envelope.parse(data)) == needs


def test_signed_content_is_the_only_thing_read(bench: Bench) -> None:
    """One reading: a file that changes meanwhile changes nothing."""
    code = f"import pathlib; pathlib.Path({str(bench.envelope)!r}).write_bytes(b'x'); print(end='')"
    said = bench_refuse(bench, "--public", bench.public, "--command", script(code))
    assert "wrote 0 bytes" in said
    assert bench.envelope.read_bytes() == b"x"


# -- Refusals ----------------------------------------------------------------------------------


def bench_refuse(bench: Bench, *arguments: str | Path, envelope: bytes | None = None) -> str:
    """The last line; nothing was written."""
    if envelope is not None:
        bench.envelope.write_bytes(envelope)
    before = set(listing(bench.folder))
    result = run("sign", bench.envelope, "-o", bench.out, *arguments)
    assert result.status == 2 and result.out == b""
    assert set(listing(bench.folder)) == before
    line = result.err.splitlines()[-1]
    assert line.startswith("picosuit: ")
    return line


def with_wrapper(*elements: object) -> bytes:
    """The unsigned envelope with another wrapper."""
    members = {2: Wrap(list(elements)), 3: Raw(Envelope.parse(UNSIGNED).manifest_bstr.encoded)}
    return cbor.encode(Tag(107, members))


def five() -> bytes:
    envelope = Envelope.parse(UNSIGNED)
    for _ in range(4):
        envelope = Envelope.parse(sign.sign(envelope, keys.generate(names.ED25519)))
    return envelope.data


def severed(change: bytes) -> bytes:
    """The text member with another last byte, or a member that no digest speaks of."""
    envelope = Envelope.parse(SEVERED)
    members = {key: item.content for key, item in envelope.members.items()}
    members[23] = members[23][:-1] + change
    return envelope.rebuilt(members=members)


OTHER_DIGEST = cbor.encode(digest_value(b"another manifest"))
RIGHT_DIGEST = Envelope.parse(UNSIGNED).digest_bstr.content
ENVELOPES = {
    "empty": (b"", "byte 0: the file is empty"),
    "truncated": (UNSIGNED[:-1], "but only"),
    "no envelope": (b"\x00", "no SUIT envelope"),
    "bomb": (b"\xd8\x6b" + b"\x81" * 9999, "CBOR nested deeper than 48"),
    "digest of another manifest": (with_wrapper(OTHER_DIGEST), "is not that of the manifest"),
    "digest sha-512": (with_wrapper(cbor.encode([-44, bytes(64)])), "is not that of the manifest"),
    "four blocks": (five(), "has 4 authentication blocks, devices take 4"),
    "severed member changed": (severed(b"\x7f"), "the digest of text in the manifest is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelope_refused(bench: Bench, name: str) -> None:
    data, what = ENVELOPES[name]
    said = bench_refuse(bench, "--key", bench.private, envelope=data)
    assert what in said and str(bench.envelope) in said, said
    bench.envelope.write_bytes(data)
    assert what in refused("sign", bench.envelope, "--public", bench.public, "--export",
                           bench.folder / "tbs")  # fmt: skip


def test_member_without_digest(bench: Bench) -> None:
    data = Envelope.parse(UNSIGNED).rebuilt(members={23: cbor.encode({})})
    said = bench_refuse(bench, "--key", bench.private, envelope=data)
    assert "text stands in the envelope, but the manifest has no digest of it" in said


def test_five_signers_at_once(bench: Bench) -> None:
    files = [bench.other(f"{n}.cose", keys.generate(names.ED25519)) for n in range(5)]
    assert "has 4 authentication blocks" in bench_refuse(
        bench, *(x for file in files for x in ("--key", file)))  # fmt: skip


def test_twice_by_the_same_key(bench: Bench) -> None:
    bench.sign("--key", bench.private, "--kid", "a")
    said = bench_refuse(bench, "--key", bench.private, "--kid", "b",
                        envelope=bench.out.read_bytes())  # fmt: skip
    assert "this key has signed the envelope already (a)" in said


KEYS = {
    "x25519": (keys.generate(names.ECDH_ES_A128KW).cose(), "X25519 is no key to sign with"),
    "kek": (keys.generate(names.A128KW).cose(), "A128KW is no key to sign with"),
    "public": (keys.generate(names.ED25519).public_half().cose(), "wanted is a private one"),
    "noise": (b"\xff" * 40, "neither PEM nor a COSE_Key"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_key_refused(bench: Bench, name: str) -> None:
    data, what = KEYS[name]
    file = bench.file("k", data)
    file.chmod(0o600)
    assert what in bench_refuse(bench, "--key", file)


def test_key_that_others_may_read(bench: Bench) -> None:
    bench.private.chmod(0o644)
    assert "others may use this secret key: its mode is 0644" in bench_refuse(
        bench, "--key", bench.private)  # fmt: skip
    bench.sign("--key", bench.private, "--insecure-permissions")


def test_kid_of_58_bytes_at_most(bench: Bench) -> None:
    """PICOSUIT_MAX_PROTECTED"""
    bench.sign("--key", bench.private, "--kid", "k" * 58)
    said = bench_refuse(bench, "--key", bench.private, "--kid", "k" * 59)
    assert "a protected header of 65 bytes; devices take 64" in said


COMMANDS = {
    "nothing": ("pass", "wrote 0 bytes; a raw Ed25519 signature has 64"),
    "63 bytes": ("print('x' * 63, end='')", "wrote 63 bytes"),
    "65 bytes": ("print('x' * 64)", "wrote 65 bytes"),
    "much": ("print('x' * 100_000)", "wrote 4096 bytes or more"),
    "wrong": ("print('x' * 64, end='')", "the signature does not verify under the public key"),
    "fails": ("import sys; print('no\\ntoken\\x1b[2J', file=sys.stderr); sys.exit(3)",
              "failed with status 3 (it says: no token\\x1b[2J)"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_command_refused(bench: Bench, name: str) -> None:
    code, what = COMMANDS[name]
    said = bench_refuse(bench, "--public", bench.public, "--command", script(code))
    assert what in said, said


@pytest.mark.parametrize("program, what", [
    ("/nonexistent/signer -x", "cannot start /nonexistent/signer: No such file"),
    ("", "one of --key"), ("  ", "the command is empty"),
    ("echo 'open", "cannot be split into words: No closing quotation"),
])  # fmt: skip
def test_command_not_there(bench: Bench, program: str, what: str) -> None:
    assert what in bench_refuse(bench, "--public", bench.public, "--command", program)


def test_command_that_hangs(bench: Bench) -> None:
    """It is not waited for, nor is a child that it leaves behind with its streams open."""
    pid = bench.file("pid", b"")
    said = bench_refuse(
        bench, "--public", bench.public, "--timeout", "1", "--command",
        shlex.join(["sh", "-c", f"sleep 600 & echo $! >{shlex.quote(str(pid))}; sleep 600"]),
    )  # fmt: skip
    assert "did not end in 1 s (--timeout)" in said
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it was still there


def test_command_does_not_go_through_a_shell(bench: Bench) -> None:
    code = "import sys; sys.exit(' '.join(sys.argv[1:]))"
    said = bench_refuse(bench, "--public", bench.public, "--command",
                        script(code) + " '$HOME' ';' '|' x")  # fmt: skip
    assert "(it says: $HOME ; | x)" in said


def test_imported_signature_refused(bench: Bench) -> None:
    asked = sign.request(Envelope.parse(UNSIGNED), bench.key)
    right = bench.key.sign(asked.message)
    for data, what in (
        (right[:-1], "has 63 bytes"), (right + b"\n", "has 65 bytes"),
        (right[:-1] + bytes([right[-1] ^ 1]), "does not verify"),
        (keys.generate(names.ED25519).sign(asked.message), "does not verify"),
    ):  # fmt: skip
        file = bench.file("sig", data)
        assert what in bench_refuse(bench, "--public", bench.public, "--import", file)
    file = bench.file("sig", right)
    assert "does not verify" in bench_refuse(
        bench, "--public", bench.public, "--import", file, "--kid", "k")  # fmt: skip
    assert "holds a private key, wanted is a public one" in bench_refuse(
        bench, "--public", bench.private, "--import", file)  # fmt: skip


@pytest.mark.parametrize("arguments, what", [
    ([], "one of --key, --command, --export and --import is needed"),
    (["--key", "k", "--import", "s"], "not --key and --import"),
    (["--command", "c"], "--public is needed with --command"),
    (["--key", "k", "--public", "p"], "--public does not go with --key"),
    (["--public", "p", "--export", "t"], "-o does not go with --export"),
    (["--key", "k", "--key", "l", "--kid", "x"], "--kid goes with one key"),
])  # fmt: skip
def test_ways_exclude_each_other(bench: Bench, arguments: list[str], what: str) -> None:
    assert what in bench_refuse(bench, *arguments)


def test_any_changed_byte_of_the_block_is_noticed(bench: Bench) -> None:
    """What `signed` would check, at every byte of signature and message."""
    asked = sign.request(Envelope.parse(UNSIGNED), bench.key)
    right = bench.key.sign(asked.message)
    for n in range(64):
        with pytest.raises(Problem, match="does not verify"):
            sign.signed(asked, right[:n] + bytes([right[n] ^ 0x80]) + right[n + 1 :])
    assert len(asked.message) == 55 and cose.BLOCKS_MAX == 4
