# SPDX-License-Identifier: MIT
"""Authentication blocks for envelopes: by a key, by an external command, or in two steps.

All ways go through a `Request`, made from one reading of the envelope, and through `signed`,
which writes nothing that does not verify.
Sources: [M 8.3], RFC 9052 4.4; limits of the core.
"""
from __future__ import annotations

import shlex
import subprocess
import tempfile
from dataclasses import dataclass

from . import cose, names
from .envelope import Envelope, all_commands, check_digests, digest_of
from .keys import Key, kid_text
from .lint import Finding, Subject, lint
from .phrases import joined, safe
from .problem import Problem
from .words import Summary, summary

SIGNATURE_LEN = 64
OUTPUT_MAX = 4096  # bytes read of what a command says


@dataclass(frozen=True)
class Request:
    """What a signer is asked for.

    envelope   as it was read; nothing is read again
    key        public half at least: whose signature it will be
    kid        name of the key in the block
    protected  encoded protected header of the block
    message    the bytes to sign
    """

    envelope: Envelope
    key: Key
    kid: bytes | None
    protected: bytes
    message: bytes


def request(envelope: Envelope, key: Key, kid: bytes | None = None) -> Request:
    """Raises Problem for an envelope that no device would take with another block, or whose
    parts are not those that the signature would cover."""
    kid = key.kid if kid is None else kid
    try:
        if not cose.is_signer(key):
            raise Problem(f"{key.name} is no key to sign with; Ed25519 and HMAC 256/256 are")
        check_digests(envelope)
        if len(envelope.blocks) >= cose.BLOCKS_MAX:
            raise envelope.wrapper.fail(f"has {len(envelope.blocks)} authentication blocks, "
                                        f"devices take {cose.BLOCKS_MAX}")  # fmt: skip
        protected = cose.protected_header(key.alg, kid)
        _check_new(envelope, key)
    except Problem as e:
        raise e.within(envelope.file or "the envelope") from None
    message = cose.message(key.alg, protected, envelope.digest.encoded)
    return Request(envelope, key, kid, protected, message)


def _check_new(envelope: Envelope, key: Key) -> None:
    """A second block by the same key would say nothing."""
    for item in envelope.blocks:
        if item.value not in (cose.SIGN1, cose.MAC0):
            continue
        block = envelope.block(item)
        if block.alg == key.alg:
            message = cose.message(key.alg, block.protected, envelope.digest.encoded)
            if key.verifies(block.signature, message):
                whose = f" ({kid_text(block.kid)})" if block.kid else ""
                raise item.fail(f"this key has signed the envelope already{whose}")


def rights_needed(envelope: Envelope) -> list[str]:
    """What the key has to be allowed on a device, as far as the manifest tells. A device may ask
    for `keys`, too: for components that hold key sets."""
    sections = {key: section for key in (names.SHARED, *names.SECTIONS)
                if (section := envelope.section(key)) is not None}  # fmt: skip
    used = {key: {command.number for command in all_commands(section)}
            for key, section in sections.items()}  # fmt: skip
    starts = any(names.INVOKE_COMMAND in found for found in used.values())
    checks = {names.VENDOR_CHECK, names.CLASS_CHECK} <= used.get(names.SHARED, set())
    return [right for right, is_needed in (
        ("update", not starts or {16, 20} & used.keys()), ("invoke", starts),
        ("any-device", not checks),
    ) if is_needed]  # fmt: skip


def findings(envelope: Envelope) -> list[Finding]:
    """What an author should not have written, whatever the device: `check` knows more."""
    return [found for found in lint(Subject(envelope)) if found.name != "unsigned"]


def shown(envelope: Envelope) -> Summary:
    """What a signer agrees to, and should think about."""
    known = summary(envelope)
    try:
        needs, found = rights_needed(envelope), findings(envelope)
    except Problem as e:
        raise e.within(envelope.file or "the envelope") from None
    rows = [*known.rows, ("needs", f"a key with the right {joined(needs, 'and')}")]
    for finding in found:
        place = "" if finding.offset is None else f" at byte {finding.offset}"
        rows.append((finding.severity, safe(f"{finding.what}{place} [{finding.name}]")))
    data = {"needs": needs, "findings": [
        {"name": f.name, "severity": f.severity, "what": f.what, "offset": f.offset}
        for f in found]}  # fmt: skip
    return Summary({**known.data, **data}, rows)


def statement(request: Request) -> str:
    """What an offline signer should read before signing; goes with the bytes."""
    key = request.key
    rows = [*shown(request.envelope).rows]
    rows += [("key", f"{key.name}, thumbprint {(key.thumbprint or b'').hex()}"),
             ("kid", "none" if request.kid is None else kid_text(request.kid)),
             ("to sign", f"{len(request.message)} bytes, "
                         f"SHA-256 {digest_of(request.message).hex()}")]  # fmt: skip
    return "\n".join(f"{heading:12}{text}" for heading, text in rows) + "\n"


def signed(request: Request, value: bytes) -> bytes:
    """The envelope with one block more; `value` is the signature or MAC tag. Raises Problem if
    it does not verify."""
    key, envelope = request.key, request.envelope
    if not key.verifies(value, request.message):
        raise Problem("the signature does not verify under the public key",
                      hint="another key, another kid or other bytes were signed")  # fmt: skip
    blocks = [block.encoded for block in envelope.blocks]
    return envelope.rebuilt(blocks=[*blocks, cose.block(key.alg, request.protected, value)])


def sign(envelope: Envelope, key: Key, kid: bytes | None = None) -> bytes:
    """The envelope with one block more, by a private or HMAC key."""
    asked = request(envelope, key, kid)
    return signed(asked, key.sign(asked.message))


def by_command(command: str, message: bytes, timeout: float) -> bytes:
    """Signature by an external program: the bytes to sign on its standard input, the 64 bytes
    of the signature on its standard output. No shell is in between.

    timeout  seconds after which it is killed

    Both are files, so that programs which ask for the size of their input work, and none of
    them can block.
    """
    try:
        arguments = shlex.split(command)
    except ValueError as e:
        raise Problem(f"the command cannot be split into words: {e}") from None
    if not arguments:
        raise Problem("the command is empty")
    with (tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out,
          tempfile.TemporaryFile() as err):  # fmt: skip
        given.write(message)
        given.seek(0)
        try:
            process = subprocess.Popen(arguments, stdin=given, stdout=out, stderr=err)
        except OSError as e:
            raise Problem(f"cannot start {arguments[0]}: {e.strerror}") from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Problem(f"{arguments[0]} did not end in {timeout:g} s",
                          hint="--timeout") from None  # fmt: skip
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        out.seek(0)
        err.seek(0)
        value = out.read(OUTPUT_MAX)
        said = " ".join(err.read(OUTPUT_MAX).decode(errors="replace").split())
    if status != 0:
        ending = f"failed with status {status}" if status > 0 else f"was ended by signal {-status}"
        raise Problem(f"{arguments[0]} {ending}", hint=f"it says: {said}" if said else None)
    check_signature_len(value, f"{arguments[0]} wrote", f"it says: {said}" if said else None)
    return value


def check_signature_len(value: bytes, what: str, hint: str | None = None) -> None:
    if len(value) != SIGNATURE_LEN:
        count = f"{len(value)} bytes or more" if len(value) >= OUTPUT_MAX else f"{len(value)} bytes"
        raise Problem(f"{what} {count}; a raw Ed25519 signature has {SIGNATURE_LEN}", hint=hint)
