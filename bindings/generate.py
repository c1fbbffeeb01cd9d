#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generates the raw modules of Python and Go from picosuit.i, with the SWIG of this Python's
environment, and copies the C sources to where the Go tool looks for them.

    generate.py            writes them
    generate.py --check    compares: one line for each file that differs, exit status 1
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = Path("python/src/picosuit")
GO = Path("go/internal/raw")
PINNED = re.compile(r"^swig==(\S+)$", re.M)
SOURCES = [Path("../core/picosuit.c"), Path("../core/picosuit.h"), Path("shim.c"), Path("shim.h")]


def swig() -> Path:
    """The pinned SWIG: another version writes other files."""
    found = Path(sys.prefix) / "bin" / "swig"
    wanted = PINNED.search((HERE / "../vectors/make/requirements.txt").read_text())
    if wanted is None or not found.exists():
        sys.exit(f"bindings: no {found}: run make setup")
    text = subprocess.run([found, "-version"], capture_output=True, text=True, check=True).stdout
    if f"SWIG Version {wanted[1]}\n" not in text:
        sys.exit(f"bindings: {found} is not SWIG {wanted[1]}: run make setup")
    return found


def generate(to: Path) -> list[Path]:
    """All generated files below `to`, which stands for bindings/: their names."""
    tool = swig()
    python, go = to / PYTHON, to / GO
    for folder in (python, go):
        folder.mkdir(parents=True, exist_ok=True)
    # SWIG writes the name of its input into what it writes: it is called in its folder.
    for language in (
        ["-python", "-interface", "_picosuit",
         "-o", python / "_picosuit_wrap.c", "-outdir", python],
        ["-go", "-intgosize", "32", "-o", go / "raw_wrap.c", "-outdir", go],
    ):  # fmt: skip
        subprocess.run([tool, "-Wall", "-Werror", *language, "picosuit.i"], cwd=HERE, check=True)
    for source in SOURCES:
        shutil.copyfile(HERE / source, go / source.name)
    names = [PYTHON / "_picosuit_wrap.c", PYTHON / "_raw.py", GO / "raw_wrap.c", GO / "raw.go"]
    return names + [GO / source.name for source in SOURCES]


def check() -> int:
    with tempfile.TemporaryDirectory() as folder:
        names = generate(Path(folder))
        stale = [
            name
            for name in names
            if not (HERE / name).exists()
            or (HERE / name).read_bytes() != (Path(folder) / name).read_bytes()
        ]
    for name in stale:
        print(f"bindings: {name} is not what make bindings writes")
    print(f"bindings: {len(names)} generated files, {len(stale)} differ")
    return len(stale) > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        return check()
    print(f"bindings: {len(generate(HERE))} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
