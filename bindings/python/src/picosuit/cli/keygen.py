# SPDX-License-Identifier: MIT
from __future__ import annotations

from pathlib import Path

import click

from ..author import keys, names
from ..author.problem import Problem
from . import keyfiles
from .output import Output


@click.command("keygen")
@click.argument("file", type=click.Path())
@click.option("--type", "kind", type=click.Choice(list(keyfiles.TYPES)), default="ed25519",
              show_default=True, help="What it is for: signing; decrypting; wrapping content "
              "keys; authenticating with a shared secret.")  # fmt: skip
@click.option("--public", metavar="FILE", type=click.Path(),
              help="Public half; default: FILE with the ending .pub.")
@click.option("--cose", "is_cose", is_flag=True,
              help="COSE_Key instead of PEM; symmetric keys always are.")  # fmt: skip
@click.option("--kid", type=keyfiles.Kid(), help="Name of the key in envelopes; with --cose.")
@click.option("--rights", type=keyfiles.Rights(), help="What the key may authorise on devices, "
              "such as update,invoke,keys; with --cose.")  # fmt: skip
@click.option("--passphrase", is_flag=True, help="Protect the private PEM file; asks, or takes "
              f"{keyfiles.PASSPHRASE}.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.pass_obj
def command(
    output: Output, file: str, kind: str, public: str | None, is_cose: bool, kid: bytes | None,
    rights: int | None, passphrase: bool, force: bool,
) -> None:  # fmt: skip
    """Make a key pair, or a symmetric key.

    FILE gets the private half, readable by its owner only.
    """
    alg = keyfiles.TYPES[kind]
    is_cose = is_cose or alg not in keys.CURVE
    if not is_cose and (kid is not None or rights is not None or alg == names.EDDSA):
        raise Problem("PEM has no place for kid, rights or algorithm", hint="add --cose")
    if is_cose and passphrase:
        raise Problem("COSE_Key has no passphrase", hint="only PEM files have")
    if public is None:
        if file == "-" and alg in keys.CURVE:
            raise click.UsageError("a key on standard output needs --public FILE")
        if not Path(file).name:
            raise Problem("is a folder", file=file, hint="give the name of a file in it")
        public = str(Path(file).with_suffix(".pub"))
    key = keys.generate(alg, kid, rights)
    secret = keyfiles.new_passphrase(file) if passphrase else None
    files: dict[str | Path, bytes] = {file: key.cose() if is_cose else key.pem(secret)}
    if key.public is not None:
        if Path(public) == Path(file):
            raise Problem("both halves would go to the same file", file=file)
        half = key.public_half()
        files[public] = half.cose() if is_cose else half.pem()
    output.write(files, private={file}, force=force)
    text = f"{key.name} key: {file}"
    if key.thumbprint is not None:
        text += f", public half: {public}\nthumbprint {key.thumbprint.hex()}"
    output.emit({"file": file, "public_file": public if key.public else None,
                 **keyfiles.facts(key)}, text)  # fmt: skip
