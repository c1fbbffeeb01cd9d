#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything that the Python package must pass, one line for each step: `make python`.

A tool that is not there skips its step by name; under CI that is a failure. What is built goes to
$O/python, the environment is that of this Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = Path(os.environ.get("O", "build"))
OUT = (OUT if OUT.is_absolute() else ROOT / OUT) / "python"
BIN = Path(sys.executable).parent
NAME = re.compile(r"picosuit-[0-9.]+-cp311-abi3-\w+\.whl")


class Failed(Exception):
    """The step found something: its output."""


class Skipped(Exception):
    """Its tool is not there."""


def run(*command: str | Path, cwd: Path = HERE, **env: str) -> str:
    """Standard output and error of a command that succeeds."""
    name = Path(command[0])
    if not name.exists() and shutil.which(name) is None:
        raise Skipped(f"{name.name} is not there")
    found = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if found.returncode != 0:
        raise Failed(found.stdout)
    return found.stdout


def last(text: str) -> str:
    return (text.strip().splitlines() or ["-"])[-1]


def modules() -> Iterator[Path]:
    """Python files that people write."""
    for folder in ("src", "tests"):
        yield from (p for p in sorted((HERE / folder).rglob("*.py")) if p.name != "_raw.py")


def check_tests() -> str:
    """pytest, a share of the files for each processor of this machine."""
    files = sorted((HERE / "tests").glob("test_*.py"), key=lambda file: -file.stat().st_size)
    n = os.cpu_count() or 1
    shares = [share for share in (files[i::n] for i in range(n)) if share]
    with ThreadPoolExecutor(n) as pool:
        texts = pool.map(
            lambda share: run(sys.executable, "-m", "pytest", *share, PYTHONPATH=str(HERE / "src")),
            shares,
        )
        summary = " ".join(last(text) for text in texts)
    totals: dict[str, int] = {}
    for count, what in re.findall(r"(\d+) (\w+)", summary):
        totals[what] = totals.get(what, 0) + int(count)
    return ", ".join(f"{count} {what}" for what, count in totals.items())


def check_types() -> str:
    return last(run(BIN / "mypy", *modules()))


def check_stub() -> str:
    return last(run(BIN / "stubtest", "picosuit._raw", PYTHONPATH="src", MYPYPATH="src"))


def check_lint() -> str:
    return last(run(BIN / "ruff", "check", "src", "tests", "setup.py", "check.py"))


def sdist() -> Path:
    [found] = OUT.glob("picosuit-*.tar.gz")
    return found


def wheel() -> Path:
    [found] = OUT.glob("picosuit-*.whl")
    return found


def check_build() -> str:
    """sdist, and from it, outside of the repository, the wheel: a C compiler is enough."""
    shutil.rmtree(OUT, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", OUT, SOURCE_DATE_EPOCH="0")
    if not NAME.fullmatch(wheel().name):
        raise Failed(f"{wheel().name} is no wheel for the stable ABI of 3.11")
    return f"{sdist().name}, {wheel().name}"


def check_again() -> str:
    """The wheel of the tree is the one of the sdist, byte for byte."""
    with tempfile.TemporaryDirectory() as folder:
        run(
            *(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder),
            SOURCE_DATE_EPOCH="0",
        )
        [other] = Path(folder).iterdir()
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (wheel(), other)]
    if digests[0] != digests[1]:
        raise Failed(f"two builds differ: {digests}")
    return f"sha256 {digests[0][:16]}"


def check_abi() -> str:
    run(BIN / "abi3audit", "--strict", wheel())
    return "stable ABI"


SMOKE = """
import importlib.metadata, pathlib, sys, picosuit
from picosuit import Key
assert pathlib.Path(picosuit.__file__).is_relative_to(sys.prefix), picosuit.__file__
assert pathlib.Path(picosuit.__file__).with_name("py.typed").exists()
assert picosuit.version == importlib.metadata.version("picosuit")
envelope = pathlib.Path(sys.argv[1]).read_bytes()
info = picosuit.verify(envelope, [Key(bytes.fromhex(sys.argv[2]), picosuit.ALG_ED25519)])
assert info.components == 1
try:
    picosuit.verify(envelope, [])
except picosuit.AuthenticityError:
    print(f"picosuit {picosuit.version} verifies")
"""


def check_install() -> str:
    """The wheel in a clean environment, with nothing else."""
    keys = (ROOT / "vectors/keys.txt").read_text()
    root = re.search(r"name = root\n.*?public = (\w+)", keys, re.S)
    assert root is not None
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        run(python, "-m", "pip", "install", "--no-index", "--no-deps", "-q", wheel())
        envelope = ROOT / "vectors/suit/fetch_uri.suit"
        text = run(python, "-c", SMOKE, envelope, root[1], cwd=Path(folder))
        tool = subprocess.run(
            [Path(folder) / "bin" / "picosuit", "--help"], capture_output=True, text=True
        )
        if tool.returncode != 2 or tool.stderr.count("\n") != 1 or "[author]" not in tool.stderr:
            raise Failed(f"the command without its extra: {tool.returncode}\n{tool.stderr}")
    return last(text)


STEPS: list[Callable[[], str]] = [
    check_tests,
    check_types,
    check_stub,
    check_lint,
    check_build,
    check_again,
    check_abi,
    check_install,
]


def main() -> int:
    """Runs the steps named on the command line (tests, types, ...), or all."""
    wrong = 0
    for step in STEPS:
        name = step.__name__.removeprefix("check_")
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        start = time.monotonic()
        try:
            result = f"ok    {step()}"
        except Skipped as reason:
            result = f"SKIP  {reason}"
            wrong += "CI" in os.environ
        except Failed as reason:
            print(reason)
            result = "FAIL"
            wrong += 1
        print(f"python: {name:8}{result} ({time.monotonic() - start:.1f} s)", flush=True)
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
