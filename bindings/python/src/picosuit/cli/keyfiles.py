# SPDX-License-Identifier: MIT
"""What the commands that read keys share: options, passphrases, arguments."""
from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from ..author import keys, names
from ..author.problem import Problem

PASSPHRASE = "PICOSUIT_PASSPHRASE"
TYPES = {"ed25519": names.ED25519, "eddsa": names.EDDSA, "x25519": names.ECDH_ES_A128KW,
         "a128kw": names.A128KW, "hmac256": names.HMAC256}  # fmt: skip

insecure_option = click.option(
    "--insecure-permissions", "insecure", is_flag=True,
    help="Take secret keys from files that others may read.")  # fmt: skip


class Kid(click.ParamType[bytes]):
    name = "kid"

    def convert(self, value: Any, param: Any, ctx: Any) -> bytes:
        return value if isinstance(value, bytes) else keys.read_kid(value)


class Rights(click.ParamType[int]):
    name = "rights"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        return value if isinstance(value, int) else keys.read_rights(value)


def ask(path: str) -> Callable[[], bytes]:
    """The passphrase of a file, from the environment or the terminal, when it is needed."""

    def passphrase() -> bytes:
        text = os.environ.get(PASSPHRASE)
        if text is None:
            if not sys.stdin.isatty():
                raise Problem("the key is protected by a passphrase", file=path,
                              hint=f"set {PASSPHRASE}")  # fmt: skip
            text = click.prompt(f"Passphrase of {path}", hide_input=True, err=True)
        return str(text).encode()

    return passphrase


def new_passphrase(path: str) -> bytes:
    """The passphrase that a new file gets: asked twice, or from the environment."""
    text = os.environ.get(PASSPHRASE)
    if text is None:
        if not sys.stdin.isatty():
            raise Problem("no terminal to ask for a passphrase", hint=f"set {PASSPHRASE}")
        text = str(click.prompt(f"Passphrase for {path}", hide_input=True, err=True,
                                confirmation_prompt=True))  # fmt: skip
    if not text:
        raise Problem("the passphrase is empty")
    return text.encode()


def load_private(path: str, insecure: bool) -> keys.Key:
    return keys.load_private(path, ask(path), insecure=insecure)


def facts(key: keys.Key) -> dict[str, Any]:
    """What --json says of a key; never the secret."""
    return {
        "type": key.name, "alg": key.alg, "private": key.secret is not None,
        "kid": None if key.kid is None else keys.kid_text(key.kid),
        "rights": key.rights, "public": key.public, "thumbprint": key.thumbprint,
    }  # fmt: skip
