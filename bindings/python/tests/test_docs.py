# SPDX-License-Identifier: MIT
"""The examples of docs/python.md: run in order as one program, and print what the page says."""
from __future__ import annotations

import contextlib
import io
import re

import pytest
from vectorfile import VECTORS

ROOT = VECTORS.parent
PAGE = ROOT / "docs" / "python.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_examples_of_python_md(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = PAGE.read_text()
    scope: dict[str, object] = {"__name__": "example"}
    printed, run = "", 0
    for block in BLOCK.finditer(page):
        language, text = block.groups()
        line = page.count("\n", 0, block.start()) + 2
        if language == "python":
            assert printed == "", f"line {line}: the example before prints {printed!r}"
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = compile("\n" * (line - 1) + text, str(PAGE), "exec")
                exec(code, scope)
            printed, run = out.getvalue(), run + 1
        elif printed:
            assert printed == text, f"line {line}"
            printed = ""
    assert printed == ""
    assert run >= 12
