# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import click

from ..author import keys, sign
from ..author.envelope import Envelope
from ..author.problem import Problem
from . import keyfiles
from .output import Output, read_file


@click.command("sign")
@click.argument("file", type=click.Path())
@click.option("-o", "--output", "target", metavar="FILE", type=click.Path(),
              help="The signed envelope.")
@click.option("--key", "private", multiple=True, metavar="FILE", type=click.Path(),
              help="Private key, or HMAC key; several sign one after the other.")  # fmt: skip
@click.option("--public", metavar="FILE", type=click.Path(),
              help="Public key of an external signer.")
@click.option("--command", "program", metavar="COMMAND", help="External signer: gets the bytes "
              "to sign on standard input, writes the 64 bytes of the signature.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=120.0,
              show_default=True, help="Seconds that the command may take.")  # fmt: skip
@click.option("--export", "exported", metavar="FILE", type=click.Path(),
              help="Write the bytes to sign, and FILE.txt "
              "which says what they are.")  # fmt: skip
@click.option("--import", "imported", metavar="FILE", type=click.Path(),
              help="Take the signature over exported "
              "bytes: 64 raw bytes.")  # fmt: skip
@click.option("--kid", type=keyfiles.Kid(), help="Name of the key in the block; default: what "
              "the key file says.")  # fmt: skip
@keyfiles.insecure_option
@click.pass_obj
def command(
    output: Output, file: str, target: str | None, private: tuple[str, ...], public: str | None,
    program: str | None, timeout: float, exported: str | None, imported: str | None,
    kid: bytes | None, insecure: bool,
) -> None:  # fmt: skip
    """Sign an envelope: with a key file, an external command, or in two steps.

    \b
    picosuit sign FILE -o SIGNED --key root.pem
    picosuit sign FILE -o SIGNED --public root.pub --command "pkcs11-tool ..."
    picosuit sign FILE --public root.pub --export tbs.bin
    picosuit sign FILE -o SIGNED --public root.pub --import sig.bin
    """
    ways = {"--key": private, "--command": program, "--export": exported, "--import": imported}
    _check_ways([way for way, given in ways.items() if given], target, public)
    if kid is not None and len(private) > 1:
        raise click.UsageError("--kid goes with one key")
    envelope = Envelope.parse(read_file(file), file)
    if public is None:
        signers = [keyfiles.load_private(path, insecure) for path in private]
    else:
        signers = [keys.load_public(public)]
    inputs = [path for path in (*private, public, imported) if path is not None]
    asked = sign.request(envelope, signers[0], kid)
    shown = sign.shown(envelope)
    if program is not None:
        output.note(shown)  # before a token asks for a finger on it
    if exported is not None:
        _export(output, asked, exported, [file, *inputs])
        return
    done = []
    for key in signers:
        asked = sign.request(envelope, key, kid)
        if program is not None:
            value = sign.by_command(program, asked.message, timeout)
        elif imported is not None:
            value = _imported(imported)
        else:
            value = key.sign(asked.message)
        envelope = Envelope.parse(sign.signed(asked, value), file)
        done.append(_signer(asked))
    assert target is not None
    output.write({target: envelope.data}, inputs=inputs)
    if program is None:
        output.note(shown)
    output.emit(
        {"file": target, "signed": shown.data, "blocks": len(envelope.blocks), "signers": done},
        f"{target}: signed: {len(envelope.blocks)} authentication "
        f"block{'s' * (len(envelope.blocks) > 1)}",
    )  # fmt: skip


def _check_ways(ways: list[str], target: str | None, public: str | None) -> None:
    if len(ways) != 1:
        raise click.UsageError("one of --key, --command, --export and --import is needed"
                               + (f", not {' and '.join(ways)}" if ways else ""))  # fmt: skip
    if (public is None) != (ways == ["--key"]):
        raise click.UsageError(f"--public {'is needed' if public is None else 'does not go'} "
                               f"with {ways[0]}")  # fmt: skip
    if (target is None) != (ways == ["--export"]):
        raise click.UsageError(f"-o {'does not go' if target else 'is needed'} with {ways[0]}")


def _imported(file: str) -> bytes:
    value = read_file(file)
    try:
        sign.check_signature_len(value, "has")
    except Problem as e:
        raise e.within(file) from None
    return value


def _signer(asked: sign.Request) -> dict[str, object]:
    kid = None if asked.kid is None else keys.kid_text(asked.kid)
    return {**keyfiles.facts(asked.key), "kid": kid}


def _export(output: Output, asked: sign.Request, target: str, inputs: list[str]) -> None:
    files: dict[str | Path, bytes] = {target: asked.message}
    text_file = None if target == "-" else f"{target}.txt"
    if text_file is not None:
        files[text_file] = sign.statement(asked).encode()
    output.write(files, inputs=inputs)
    output.note(sign.shown(asked.envelope))
    says = "" if text_file is None else f"; {text_file} says what it is"
    output.emit(
        {"file": target, "text_file": text_file, "signed": sign.shown(asked.envelope).data,
         "to_sign": asked.message, "signer": _signer(asked)},
        f"to be signed with Ed25519: {target}, {len(asked.message)} bytes{says}",
    )  # fmt: skip
