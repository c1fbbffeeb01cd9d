# SPDX-License-Identifier: MIT
from __future__ import annotations

import re
from pathlib import Path

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..author import encrypt, ids, keys, names, profile
from ..author.envelope import Envelope, digest_of
from ..author.problem import Problem
from . import keyfiles
from .output import Output, read_file

PORTABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")  # a file name that is one everywhere


@click.command("encrypt")
@click.argument("file", type=click.Path())
@click.option("-o", "--output", "target", required=True, metavar="FILE", type=click.Path(),
              help="The encrypted envelope, unsigned.")  # fmt: skip
@click.option("--to", "public", multiple=True, metavar="[KID=]FILE",
              help="X25519 public key of a device; one option for each.")  # fmt: skip
@click.option("--to-kek", "shared", multiple=True, metavar="[KID=]FILE",
              help="A128KW key that devices share.")  # fmt: skip
@click.option("--payload", "payloads", multiple=True, metavar="[URI=]FILE",
              help="A payload in plain that is not in FILE; found by its digest.")  # fmt: skip
@click.option("--out-dir", metavar="DIR", type=click.Path(),
              help="Where ciphertexts go that devices fetch from a "
              "URI, named by its last part; default: beside the envelope.")  # fmt: skip
@click.option("--save", multiple=True, metavar="URI=FILE", help="Another name for one of them.")
@click.option("--via", multiple=True, metavar="PART", help="Component that ciphertext goes "
              "through, part by part of its identifier; default: the transient one of the "
              "profile, or 't'.")  # fmt: skip
@click.option("--sequence", type=click.IntRange(min=0), metavar="N", help="Sequence number; "
              "default: one higher, or that of a plain envelope nobody has signed.")  # fmt: skip
@click.option("--profile", "profiles", multiple=True, metavar="FILE", type=click.Path(),
              help="A device that must have the memory for it.")  # fmt: skip
@click.option("--signer-kid", type=keyfiles.Kid(), metavar="KID",
              help="Kid that the signature will have; it takes memory, too.")  # fmt: skip
@keyfiles.insecure_option
@click.pass_obj
def command(
    output: Output, file: str, target: str, public: tuple[str, ...], shared: tuple[str, ...],
    payloads: tuple[str, ...], out_dir: str | None, save: tuple[str, ...], via: tuple[str, ...],
    sequence: int | None, profiles: tuple[str, ...], signer_kid: bytes | None, insecure: bool,
) -> None:  # fmt: skip
    """Encrypt the payloads of an envelope for one or many devices.

    Each payload gets a content key of its own, wrapped for each recipient. FILE may be encrypted
    already: with the payloads in plain it is made anew, for other devices.
    """
    envelope = Envelope.parse(read_file(file), file)
    files = [_payload(text) for text in payloads]
    recipients = [_recipient(text, insecure, is_kek=False) for text in public]
    recipients += [_recipient(text, insecure, is_kek=True) for text in shared]
    devices = [profile.load(path) for path in profiles]
    try:
        is_again = encrypt.is_encrypted(envelope)
    except Problem as e:
        raise e.within(file) from None
    result = encrypt.encrypt(envelope, recipients, files, sequence=sequence, signer_kid=signer_kid,
                             via=_via(via, [] if is_again else devices))  # fmt: skip
    _check_room(result, devices)
    written = _named(result, target, out_dir, _pairs(save))
    output.write({target: result.envelope.data, **written}, inputs=[
        file, *(plain.file for plain in files), *profiles,
        *(_split(text)[1] for text in public + shared)])  # fmt: skip
    output.emit(_data(result, target, written, devices), _text(result, target, devices))
    for note in result.notes:
        output.note(f"note: {note}")


# -- Arguments ---------------------------------------------------------------------------------


def _split(text: str) -> tuple[str | None, str]:
    """[NAME=]FILE; a file whose name has an equals sign is taken as it is, unless both are there:
    a key that somebody has put under such a name must not replace another."""
    name, mark, path = text.rpartition("=")
    if not mark or not Path(text).exists():
        return (name, path) if mark else (None, text)
    if Path(path).exists():
        raise Problem(f"is a file, and so is {path}: which is meant?", file=text,
                      hint="rename one of them")  # fmt: skip
    return None, text


def _payload(text: str) -> encrypt.Plain:
    uri, path = _split(text)
    return encrypt.Plain(read_file(path), path, uri)


def _recipient(text: str, insecure: bool, *, is_kek: bool) -> keys.Key:
    kid, path = _split(text)
    key = keyfiles.load_private(path, insecure) if is_kek else keys.load_public(path)
    want = names.A128KW if is_kek else names.ECDH_ES_A128KW
    if key.alg != want:
        raise Problem(f"holds a key of type {key.name}, wanted is "
                      f"{'A128KW' if is_kek else 'X25519'}", file=path)  # fmt: skip
    return key if kid is None else keys.changed(key, keys.read_kid(kid))


def _via(parts: tuple[str, ...], devices: list[profile.Profile]) -> ids.Identifier | None:
    if parts:
        return ids.component(list(parts), "--via")
    found = {c.id for device in devices for c in device.components if c.is_transient}
    return found.pop() if len(found) == 1 else None


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        uri, mark, path = text.rpartition("=")
        if not mark or not path:
            raise click.UsageError(f"--save takes URI=FILE, not {text!r}")
        found[uri] = path
    return found


def _named(
    result: encrypt.Encrypted, target: str, out_dir: str | None, save: dict[str, str]
) -> dict[str | Path, bytes]:
    """Files for the ciphertexts that are not in the envelope."""
    folder = Path(out_dir) if out_dir is not None else Path(target).parent
    outside = [payload for payload in result.payloads if not payload.is_inside]
    found: dict[str | Path, bytes] = {}
    for payload in outside:
        path = save.pop(payload.uri, None)
        if path is None:
            name = re.sub(r"[?#].*", "", payload.uri).rpartition("/")[2]
            if not PORTABLE.fullmatch(name):
                raise Problem(f"no file name can be made of the URI {payload.uri!r}",
                              hint="--save URI=FILE")  # fmt: skip
            path = str(folder / name)
        if found.setdefault(path, payload.ciphertext) != payload.ciphertext:
            raise Problem("two payloads would go into this file", file=path,
                          hint="--save URI=FILE")  # fmt: skip
    if save:
        raise Problem(f"--save: no payload outside of the envelope has the URI {min(save)!r}")
    return found


def _check_room(result: encrypt.Encrypted, devices: list[profile.Profile]) -> None:
    for device in devices:
        if result.work > device.work:
            total = sum(count for _, count in result.recipients)
            raise Problem(
                f"the manifest of {result.envelope.manifest_bstr.value} bytes needs "
                f"{result.work} bytes of work buffer, {device.name} has {device.work}",
                hint=f"{total} of them are for recipients: encrypt for fewer devices at a time",
            )  # fmt: skip


# -- Result ------------------------------------------------------------------------------------


def _data(
    result: encrypt.Encrypted, target: str, written: dict[str | Path, bytes],
    devices: list[profile.Profile],
) -> dict[str, object]:  # fmt: skip
    return {
        "file": target, "sequence": result.envelope.sequence,
        "manifest": result.envelope.manifest_bstr.value, "work": result.work,
        "recipients": [{**keyfiles.facts(key), "bytes": count}
                       for key, count in result.recipients],
        "payloads": [{"uri": p.uri, "sha256": digest_of(p.plain), "bytes": len(p.plain),
                      "ciphertext_bytes": len(p.ciphertext), "inside": p.is_inside}
                     for p in result.payloads],
        "files": [str(path) for path in written],
        "devices": [{"name": device.name, "work": device.work} for device in devices],
        "notes": list(result.notes),
    }  # fmt: skip


def _text(result: encrypt.Encrypted, target: str, devices: list[profile.Profile]) -> Group:
    envelope = result.envelope
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("recipient")
    table.add_column("key")
    table.add_column("RAM, bytes", justify="right")
    for key, count in result.recipients:
        name = "without kid" if key.kid is None else keys.kid_text(key.kid)
        table.add_row(Text(name), key.name, f"{count:,}")
    rooms = "".join(f"; {device.name} has {device.work:,}" for device in devices)
    inside = len({p.ciphertext for p in result.payloads if p.is_inside})
    images = len({p.ciphertext for p in result.payloads})
    return Group(
        Text(f"{target}: update {envelope.sequence:,}, not signed yet; {images} "
             f"payload{'s' * (images > 1)} encrypted, {inside} in the envelope"),
        table,
        Text(f"manifest {envelope.manifest_bstr.value:,} bytes, "
             f"work buffer {result.work:,} bytes{rooms}"),
    )  # fmt: skip
