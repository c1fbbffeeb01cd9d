# SPDX-License-Identifier: MIT
"""What the subcommands share: the bar of `check`."""
from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from picosuit.cli.output import WATCHED_MIN, Output


@pytest.mark.parametrize(
    ("is_terminal", "as_json", "total", "is_shown"),
    [(True, False, WATCHED_MIN, True), (True, False, WATCHED_MIN - 1, False),
     (True, True, WATCHED_MIN, False), (False, False, WATCHED_MIN, False)],
)  # fmt: skip
def test_bar(is_terminal: bool, as_json: bool, total: int, is_shown: bool) -> None:
    """Shown for much work on a terminal; asked for from a thread until the work is done."""
    out, screen, asked = Output(as_json, None), io.StringIO(), threading.Event()
    out.errors = Console(file=screen, force_terminal=is_terminal)

    def done() -> int:
        asked.set()
        return total // 2

    with out.watching("checking", total, done):
        assert asked.wait(10) if is_shown else not asked.is_set()
    assert ("checking" in screen.getvalue()) == is_shown
