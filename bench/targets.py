#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares measured figures with bench/targets.csv (see bench/README.md).

usage: targets.py check    measured is not worse than accepted, no row is gone; for CI
       targets.py list     what misses its target; exit status 1 while there is any
       targets.py update   writes `now`, and `accepted` where it became better
       targets.py diff     one line against the accepted figures, for commit messages
"""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = "bench/targets.csv"
OUT = Path(os.environ.get("O") or "build")
# Seconds of some machine: told, but never a reason to fail.
TIMED = {"make bench-host", "make bench-bindings"}

os.chdir(ROOT)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def committed():
    """The rows at HEAD, none when there is no repository."""
    r = subprocess.run(["git", "show", f"HEAD:{TABLE}"], capture_output=True, text=True)
    return rows(r.stdout) if r.returncode == 0 else []


def measured(table):
    """{name: value}: build/now/*.csv (the largest if several tell), files, and sums."""
    now = {}
    for path in sorted((OUT / "now").glob("*.csv")):
        for line in path.read_text().splitlines():
            name, value = line.split(",")
            now[name] = max(int(value), now.get(name, 0))
    for row in table:
        command = row["command"]
        if command.startswith("ls "):
            now[row["name"]] = len(list(ROOT.glob(command[3:])))
        elif "+" in command and all(p in now for p in command.split(" + ")):
            now[row["name"]] = sum(now[p] for p in command.split(" + "))
    return now


def is_worse(row, value, limit):
    """Whether a value is beyond a limit, by the row's direction; no limit is never worse."""
    if limit == "":
        return False
    return value > int(limit) if row["better"] == "low" else value < int(limit)


def misses(table, now):
    """[(row, value)]: targets that are not reached by what was measured, or else recorded."""
    for row in table:
        value = now.get(row["name"], row["now"])
        if value == "" or is_worse(row, int(value), row["target"]):
            yield row, "not measured" if value == "" else value


def check(table, now):
    problems = []
    for old in committed():
        if old["name"] not in {row["name"] for row in table}:
            problems.append(f"{old['name']}: the row is gone")
    for row in table:
        name, value = row["name"], now.get(row["name"])
        if value is None and row["accepted"] != "":
            problems.append(f"{name}: not measured, run `{row['command']}`")
        elif value is not None and is_worse(row, value, row["accepted"]):
            problems.append(f"{name}: {value} is worse than accepted {row['accepted']}")
    for row, value in misses(table, now):
        print(f"TARGET MISSED {row['name']} {value} {row['target']}")
    for p in problems:
        print(f"targets: FAIL {p}")
    return 1 if problems else 0


def list_missed(table, now):
    missed = list(misses(table, now))
    for row, value in missed:
        print(f"TARGET MISSED {row['name']} {value} {row['target']} ({row['command']})")
    print(f"{len(table) - len(missed)} of {len(table)} targets reached")
    return 1 if missed else 0


def update(table, now):
    for row in table:
        value = now.get(row["name"])
        if value is None:
            print(f"{row['name']}: not measured, left as it is")
            continue
        row["now"] = value
        if row["command"] in TIMED:
            row["accepted"] = ""
        elif row["accepted"] == "" or not is_worse(row, value, row["accepted"]):
            row["accepted"] = value
        else:
            print(f"{row['name']}: {value} is worse than accepted {row['accepted']}")
    with open(TABLE, "w", newline="") as f:
        writer = csv.DictWriter(f, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return 0


def diff(table, now):
    def change(name):
        accepted = next(row["accepted"] for row in table if row["name"] == name)
        return f"{now[name] - int(accepted or 0):+d}".replace("+0", "0") if name in now else "?"

    print(f"text {change('text_all')}  ctx {change('sizeof_picosuit')}  "
          f"stack {change('stack_worst')}")
    return 0


def main():
    verbs = {"check": check, "list": list_missed, "update": update, "diff": diff}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    table = rows(Path(TABLE).read_text())
    now = measured(table)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "targets.json").write_text(json.dumps(now, indent=2, sort_keys=True) + "\n")
    sys.exit(verbs[sys.argv[1]](table, now))


if __name__ == "__main__":
    main()
