# SPDX-License-Identifier: MIT
"""Compares the records that C, Python and Go have run. usage: counts.py C_FILE PYTHON_FILE GO_FILE

Each file has lines `path records`, written by the tests with COUNTS=FILE in the environment. Exit
status 1 if one of them differs from another, from vectors/counts.txt or from the records that are
in the file, or if a text vector is not listed there.
"""
from __future__ import annotations

import sys
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent
FOLDERS = ("boot", "crypto", "refuse", "suit")  # whose text files hold records


def records(path: Path) -> list[dict[str, str]]:
    """Records of `key = value` lines, an empty line between them, # for comments."""
    found: list[dict[str, str]] = [{}]
    for line in map(str.strip, path.read_text().splitlines()):
        if line == "" and found[-1]:
            found.append({})
        elif line != "" and line[0] != "#":
            key, _, value = line.partition("=")
            found[-1][key.strip()] = value.strip()
    return [record for record in found if record]


def ran(path: str) -> dict[str, int]:
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {name: int(count) for name, count in lines}


def main(args: list[str]) -> int:
    if len(args) != 3:
        print(__doc__)
        return 2
    names = ("C", "Python", "Go")
    counts = dict(zip(names, map(ran, args)))
    listed = {record["file"]: record for record in records(VECTORS / "counts.txt")}
    files = {str(path.relative_to(VECTORS))
             for folder in FOLDERS for path in (VECTORS / folder).glob("*.txt")}
    bad = [f"{name}: in vectors/, not in counts.txt" for name in sorted(files - listed.keys())]
    bad += [f"{name}: in counts.txt, not in vectors/" for name in sorted(listed.keys() - files)]
    print(f"{'records':31} {'there':>6} {'C':>6} {'Python':>6} {'Go':>6}")
    for name, record in listed.items():
        there = len(records(VECTORS / name)) if name in files else 0
        only_c = record.get("only") == "c"
        row = [counts[who].get(name, 0) for who in names]
        want = [there, 0, 0] if only_c else [there] * 3
        print(f"{name:31} {there:6} {row[0]:6} {row[1]:6} {row[2]:6}",
              f"  {record['why']}" if only_c else "")
        if row != want or there != int(record["records"]):
            bad.append(f"{name}: {there} records, counts.txt says {record['records']}, run: " +
                       ", ".join(f"{who} {count}" for who, count in zip(names, row)))
    for line in bad:
        print("FAIL", line)
    if not bad:
        print(f"counts: {sum(int(r['records']) for r in listed.values() if 'only' not in r)} "
              "records, run by C, Python and Go alike")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
