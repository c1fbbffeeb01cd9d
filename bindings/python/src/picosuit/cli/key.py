# SPDX-License-Identifier: MIT
from __future__ import annotations

import re

import click
from rich.text import Text

from ..author import keys, names
from ..author.problem import Problem
from . import keyfiles
from .output import Output

EXPANDED_LEN = 1568  # PICOSUIT_EXPANDED_LEN


@click.group("key")
def command() -> None:
    """Show a key, convert it, or build the key set of a device."""


@command.command()
@click.argument("file", type=click.Path())
@click.option("--c-array", metavar="NAME", help="Print it for the device: a constant in C. A "
              "public key has 32 bytes; a key set is taken as it is.")  # fmt: skip
@click.option("--secret", is_flag=True, help="With --c-array: the secret half.")
@keyfiles.insecure_option
@click.pass_obj
def show(output: Output, file: str, c_array: str | None, secret: bool, insecure: bool) -> None:
    """Show a key or a key set: type, public half, thumbprint, kid, rights."""
    if secret and c_array is None:
        raise Problem("--secret goes with --c-array: secrets are not shown")
    loaded = keys.load_any(file, keyfiles.ask(file), insecure=insecure)
    is_set = isinstance(loaded, list)
    found = loaded if isinstance(loaded, list) else [loaded]
    if c_array is not None:
        data = _device_bytes(file, found, is_set, secret)
        output.emit({"name": c_array, "bytes": data}, Text(_c_array(c_array, data)))
        return
    facts = [keyfiles.facts(key) for key in found]
    lines = (Text.assemble((f"{name:12}", "bold"), value)
             for key in found for name, value in _rows(key))  # fmt: skip
    output.emit({"file": file, "keys": facts} if is_set else {"file": file, **facts[0]},
                Text("\n").join(lines))  # fmt: skip


def _rows(key: keys.Key) -> list[tuple[str, str]]:
    rows = [("type", f"{key.name}, {'private' if key.secret else 'public'}"
             if key.public else f"{key.name}, secret")]  # fmt: skip
    rows.append(("algorithm", f"{names.name_of(names.ALGORITHMS, key.alg)} ({key.alg})"))
    rows.append(("kid", "none" if key.kid is None else keys.kid_text(key.kid)))
    if key.alg != names.ECDH_ES_A128KW and key.alg != names.A128KW:
        rows.append(("rights", keys.rights_text(key.rights)))
    if key.public is not None and key.thumbprint is not None:
        rows += [("public", key.public.hex()), ("thumbprint", key.thumbprint.hex())]
    if key.alg in keys.SIGNS:
        rows.append(("expanded", f"{EXPANDED_LEN:,} bytes, to verify in half the time: see "
                     "PICOSUIT_ED25519_EXPANDED in picosuit.h"))  # fmt: skip
    return rows


def _device_bytes(file: str, found: list[keys.Key], is_set: bool, secret: bool) -> bytes:
    if is_set:
        return keys.key_set(found)
    key = found[0]
    data = key.secret if secret else key.public
    if data is None:
        have, want = ("public", "private") if secret else ("secret", "public")
        raise Problem(f"holds a {have} key, wanted is a {want} one", file=file,
                      hint=None if secret else "--secret prints it")  # fmt: skip
    return data


def _c_array(name: str, data: bytes) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise Problem(f"{name!r} is no name in C")
    rows = [data[i : i + 12] for i in range(0, len(data), 12)]
    body = ",\n    ".join(", ".join(f"0x{b:02x}" for b in row) for row in rows)
    return f"static const uint8_t {name}[{len(data)}] = {{\n    {body},\n}};"


@command.command()
@click.argument("file", type=click.Path())
@click.option("-o", "--output", "target", required=True, metavar="FILE", type=click.Path(),
              help="Where to.")
@click.option("--public", is_flag=True, help="The public half only.")
@click.option("--cose/--pem", "is_cose", default=True, help="Form of the result.",
              show_default=True)  # fmt: skip
@click.option("--kid", type=keyfiles.Kid(), help="Set the kid.")
@click.option("--rights", type=keyfiles.Rights(), help="Set the rights.")
@click.option("--eddsa/--ed25519", default=None,
              help="Bind an Ed25519 key to EdDSA (-8) or to Ed25519 (-19).")  # fmt: skip
@click.option("--raw", type=click.Choice(list(keyfiles.TYPES)), help="FILE holds the bare bytes, "
              "or their hexadecimal digits: a public key, or a symmetric one.")  # fmt: skip
@click.option("--passphrase", is_flag=True, help="Protect the private PEM file.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@keyfiles.insecure_option
@click.pass_obj
def convert(
    output: Output, file: str, target: str, public: bool, is_cose: bool,
    kid: bytes | None, rights: int | None, eddsa: bool | None, raw: str | None,
    passphrase: bool, force: bool, insecure: bool,
) -> None:  # fmt: skip
    """Convert a key between PEM and COSE_Key, name it, or take its public half."""
    if raw is not None:
        key = keys.load_raw(file, keyfiles.TYPES[raw], insecure=insecure)
    else:
        key = keys.load(file, keyfiles.ask(file), insecure=insecure)
    if public:
        if key.public is None:
            raise Problem(f"a symmetric key ({key.name}) has no public half", file=file)
        key = key.public_half()
    key = keys.changed(key, kid, rights, eddsa)
    if not is_cose and (key.kid is not None or key.rights is not None or key.alg == names.EDDSA):
        output.note("PEM has no place for kid, rights and algorithm: they are left out")
    if passphrase and (is_cose or key.secret is None):
        raise Problem("only a private PEM file has a passphrase")
    secret = keyfiles.new_passphrase(target) if passphrase else None
    output.write({target: key.cose() if is_cose else key.pem(secret)},
                 private=key.secret is not None, force=force)  # fmt: skip
    output.emit({"file": target, **keyfiles.facts(key)}, f"{key.name} key: {target}")


@command.command("set")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path())
@click.option("-o", "--output", "target", required=True, metavar="FILE", type=click.Path(),
              help="Where to.")
@click.option("--key", "named", multiple=True, type=(keyfiles.Kid(), keyfiles.Rights(), str),
              metavar="KID RIGHTS FILE", help="A public key, its kid and its rights.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.pass_obj
def build_set(
    output: Output, files: tuple[str, ...], target: str,
    named: tuple[tuple[bytes, int, str], ...], force: bool,
) -> None:  # fmt: skip
    """Build a COSE_KeySet, the content of a key-set component.

    Each FILE is a public COSE_Key that has a kid and rights.
    """
    chosen = [keys.load_public(file) for file in files]
    chosen += [keys.changed(keys.load_public(file), kid, rights) for kid, rights, file in named]
    data = keys.key_set(chosen)
    output.write({target: data}, force=force)
    output.emit({"file": target, "bytes": len(data), "keys": [keyfiles.facts(k) for k in chosen]},
                f"key set, {len(data)} bytes: {target}")  # fmt: skip
