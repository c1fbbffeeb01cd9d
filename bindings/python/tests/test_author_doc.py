# SPDX-License-Identifier: MIT
"""docs/author.md is run: its files written, its commands executed, their output compared."""
from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from picosuit.author import describe, script
from picosuit.author.tables import Table

ROOT = Path(__file__).resolve().parents[3]
DOC = (ROOT / "docs/author.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_document(tmp_path: Path) -> None:
    """`sh` runs, `sh device` does not; `toml NAME` is a file; `text` after a run is what it must
    have printed, line by line, with * for anything."""
    shim = tmp_path / "bin" / "picosuit"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m picosuit.cli "$@"\n')
    shim.chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    environment = os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    printed: list[str] | None = None
    ran = compared = 0
    for kind, name, content in BLOCK.findall(DOC):
        if kind == "toml" and name:
            (folder / name).write_text(content, encoding="utf-8")
        elif kind == "sh" and not name:
            done = subprocess.run(["sh", "-e", "-c", content], cwd=folder, env=environment,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            assert done.returncode == 0, f"{content}\n{done.stdout}{done.stderr}"
            printed = done.stdout.splitlines()
            ran += 1
        elif kind == "text" and printed is not None:
            wanted = [line.replace("[", "[[]") for line in content.splitlines()]
            assert len(wanted) == len(printed) and all(
                fnmatch.fnmatchcase(got, want) for got, want in zip(printed, wanted, strict=True)
            ), "\n".join(printed)  # fmt: skip
            compared += 1
        if kind != "sh":
            printed = None
    assert ran >= 7 and compared >= 5


def test_reference_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key that a description may have is named in the document."""
    asked: set[str] = set()
    has = Table.has

    def spy(table: Table, key: str) -> bool:
        if not (table.place[:1] == ("payloads",) or table.place[-1:] == ("component",)):
            asked.add(key)
        return has(table, key)

    monkeypatch.setattr(Table, "has", spy)
    text = """
        sequence = 1
        vendor-domain = "a"
        class = "b"
        install = [{ set-index = 0 }, { override = { uri = "x" } }]
        [[component]]
        id = "app"
        slots = ["x", "y"]
        [[component]]
        id = "other"
        [text.en]
        update-description = "x"
        [text.en.component.app]
        model-name = "x"
    """
    describe.create(text.encode(), "x.toml", read=lambda path: b"x")
    assert len(asked) > 50
    named = set(re.findall(r'[\w-]+', " ".join(re.findall(r"`([^`\n]+)`", DOC))))
    assert asked | set(script.COMMANDS) | set(script.POLICY) <= named
