# SPDX-License-Identifier: MIT
"""The command `picosuit`. Each subcommand is a module of this package, loaded when it is used.

Exit status: 0 done; 1 the answer is no (refused by the device or the core, or something differs);
2 bad input, with one line on standard error that says what, where and why.
"""
from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence

try:
    import click

    from .output import Output
except ModuleNotFoundError as e:  # the facade alone needs none of this
    print(f"picosuit: {e.name} is not installed (pip install 'picosuit[author]')", file=sys.stderr)
    sys.exit(2)

from ..author.problem import Problem, shown

COMMANDS = {
    "keygen": "make a key pair",
    "key": "show a key, or convert it",
    "create": "make an unsigned envelope from a description",
    "encrypt": "encrypt the payloads of an envelope for devices",
    "sign": "sign an envelope: key file, external command, or in two steps",
    "sever": "take severable members or payloads out of an envelope",
    "inspect": "explain an envelope byte by byte, or draw it",
    "diff": "what differs between two envelopes",
    "check": "run an envelope on a virtual device: would it be accepted?",
    "push": "send an update to a device",
    "report": "explain a report of a device",
    "completion": "print the completion script of a shell",
}


def _as_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_object(Output).as_json = True  # type: ignore[union-attr]


def _with_json(command: click.Command) -> click.Command:
    """The subcommand, and those below it, with --json behind its name, too."""
    if not any(param.name == "as_json" for param in command.params):
        command.params.append(click.Option(
            ["--json", "as_json"], is_flag=True, expose_value=False, callback=_as_json,
            help="Print data instead of text."))  # fmt: skip
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_json(below)
    return command


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name}", __name__)
        return _with_json(module.command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without loading a single one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from picosuit import version

        click.echo(f"picosuit {version}")
        ctx.exit()


@click.group(
    cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--json", "as_json", is_flag=True, help="Print data instead of text.")
@click.option("--color/--no-color", default=None, help="Colours, also where no terminal is.")
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
              help="Print the version and exit.")  # fmt: skip
@click.pass_context
def group(ctx: click.Context, as_json: bool, color: bool | None) -> None:
    """Create, encrypt, sign, check and push SUIT firmware updates.

    From a description to a device: create, encrypt, sign, check, push. Nothing here uses a
    network but push and report --port, and nothing is written before all of it is known.
    As FILE, - is standard input or output.

    Exit status: 0 done; 1 the answer is no (refused, or something differs); 2 bad input, with
    one line that says what, where and what to do.
    """
    ctx.obj = Output(as_json, color)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script."""
    _prepare()
    try:
        status = group.main(arguments, prog_name="picosuit", standalone_mode=False)
    except Problem as e:
        _die(str(e))
    except click.exceptions.Abort:
        _die("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as e:
        e.show()
        sys.exit(2)
    except click.UsageError as e:
        where = e.ctx.command_path if e.ctx is not None else "picosuit"
        _die(f"{e.format_message().rstrip('.')} (see {where} --help)")
    except click.ClickException as e:
        _die(e.format_message())
    except BrokenPipeError:
        # Whoever read the output has gone: nothing more to say, and no complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as e:
        _die(str(Problem(e.strerror or str(e), file=e.filename and str(e.filename))))
    sys.exit(status if isinstance(status, int) else 0)


def _prepare() -> None:
    """A shell may have closed the streams; to be ended by a signal takes the temporary files
    away, as any other error does."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is None:
        _die("standard output is closed")
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _ended)


def _ended(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _die(what: str, status: int = 2) -> None:
    print(f"picosuit: {shown(what)}", file=sys.stderr)
    sys.exit(status)
