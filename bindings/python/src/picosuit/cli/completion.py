# SPDX-License-Identifier: MIT
from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    For bash: picosuit completion bash >>~/.bashrc
    """
    from . import group

    found = get_completion_class(shell)
    assert found is not None  # one of the three above
    click.echo(found(group, {}, "picosuit", "_PICOSUIT_COMPLETE").source())
