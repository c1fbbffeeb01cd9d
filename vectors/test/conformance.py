#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks docs/conformance.md: usage conformance.py [folder with a draft's text]...

Every function it names is defined in core/picosuit.c (or is a callback of picosuit_platform),
every test is a record of vectors/*/index.txt or stands in vectors/test/*.c, no cell is empty,
and no statement is listed twice. With the text of a draft (draft-ietf-suit-manifest.md, ... in
the folder, or at the head of a git repository there) the statements listed are the ones in it:
key words of BCP 14 are counted section by section."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/conformance.md"
WORDS = {"MUST": r"\b(MUST|SHALL|REQUIRED)\b", "SHOULD": r"\b(SHOULD|(NOT )?RECOMMENDED)\b"}
HEADING = re.compile(r"## draft-ietf-suit-([a-z-]+)-\d+: (MUST|SHOULD)$")
COLUMNS = ["Statement", "Says", "Kept by", "Shown by"]
BOUND = ("port", "author", "not applicable")  # who keeps it, when the core does not
problems = []


def problem(line, what):
    problems.append(f"{PAGE}:{line}: {what}")


# -- the page --------------------------------------------------------------------------------


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def rows(text):
    """(number of the line, draft, key word, cells) of each row; cells are never empty."""
    draft = word = None
    header = []
    for n, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            m = HEADING.match(line)
            draft, word, header = (m[1], m[2], []) if m else (None, None, [])
        if not line.startswith("|"):
            header = []
            continue
        row = cells(line)
        if not all(row):
            problem(n, "an empty cell")
        if not header:
            header = row
            if draft and header != COLUMNS:
                problem(n, f"the columns are not {COLUMNS}")
        elif len(row) != len(header):
            problem(n, f"{len(row)} cells, not {len(header)}")
        elif draft and set("".join(row)) - set("-: "):
            yield n, draft, word, row


def statements(n, cell):
    """"6.2/1 8.5/3-5" as a list of (section, ordinal)."""
    found = []
    for part in cell.split():
        m = re.fullmatch(r"([0-9A-Z][0-9.]*)/(\d+)(?:-(\d+))?", part)
        if not m:
            problem(n, f"'{part}' is not section/number")
            continue
        found += [(m[1], i) for i in range(int(m[2]), int(m[3] or m[2]) + 1)]
    return found


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


# -- what may be named -----------------------------------------------------------------------


def functions():
    core = (ROOT / "core/picosuit.c").read_text()
    table = (ROOT / "core/picosuit.h").read_text()
    found = set(re.findall(r"^[A-Za-z_][\w \t*]*[ \t\n*](\w+)\([^;{]*\)\s*\{", core, re.M))
    return found | set(re.findall(r"^\s+\w[\w \t]*\(\*(\w+)\)\(", table, re.M))


class Tests:
    """Names of tests: records, literals, and literals with %s around a record or a row."""

    def __init__(self):
        self.plain, self.rows, self.forms = set(), set(), []
        for index in sorted(ROOT.glob("vectors/*/index.txt")):
            self.plain |= set(re.findall(r"^name *= *(\S+)", index.read_text(), re.M))
        self.rows |= self.plain
        for source in sorted(ROOT.glob("vectors/test/*.c")):
            text = source.read_text()
            self.plain.add(source.name)
            self.rows |= set(re.findall(r'\{\s*"(\w+)",', text))
            self.rows |= set(re.findall(r"^\s+[A-Z]+\((\w+),", text, re.M))
            for form in re.findall(r'"(test_[\w%]+)"', text):
                self.add(form)

    def add(self, form):
        if "%" not in form:
            self.plain.add(form)
            return
        form = re.sub(r"%\d*[ux]", "[0-9a-f]+", form)
        self.forms.append(re.compile(form.replace("%s", r"(\w*)")))

    def has(self, name):
        if name in self.plain:
            return True
        found = [m for f in self.forms if (m := f.fullmatch(name))]
        return any(set(m.groups()) & self.rows for m in found)


# -- the texts -------------------------------------------------------------------------------


def text_of(folder, draft):
    """Markdown source of a draft, or None."""
    name = f"draft-ietf-suit-{draft}.md"
    if (folder / name).is_file():
        return (folder / name).read_text()
    r = subprocess.run(["git", "-C", str(folder), "show", f"HEAD:{name}"], capture_output=True,
                       text=True)
    return r.stdout if r.returncode == 0 else None


def body(text):
    """(section, line) from the introduction on; code is left out."""
    depth, section, is_back, is_code, has_begun = [], "", False, False, False
    for line in text.splitlines():
        if line.startswith("--- "):
            is_back, has_begun, depth = line == "--- back", line != "--- abstract", []
        elif line.startswith("~~~"):
            is_code = not is_code
        elif has_begun and not is_code:
            m = re.match(r"(#+)[ \u00a0]", line)
            if m:
                depth = depth[: len(m[1])] + [0] * (len(m[1]) - len(depth))
                depth[-1] += 1
                first = chr(64 + depth[0]) if is_back else str(depth[0])
                section = ".".join([first] + [str(d) for d in depth[1:]])
            yield section, line


def counted(text, word):
    """{section: statements}; words in quotes are spoken about, not used."""
    found = {}
    for section, line in body(text):
        n = len(re.findall(WORDS[word], re.sub(r'"[A-Z ]+"', "", line)))
        if n:
            found[section] = found.get(section, 0) + n
    return found


def compare(listed, text, draft, word):
    want = counted(text, word)
    have = {}
    for section, ordinal in listed:
        have.setdefault(section, []).append(ordinal)
    for section in sorted(set(want) | set(have)):
        ordinals = sorted(have.get(section, []))
        if ordinals != list(range(1, want.get(section, 0) + 1)):
            problems.append(f"{PAGE}: {draft} {section}: {want.get(section, 0)} times {word} in "
                            f"the text, listed: {ordinals}")


# -- all of it -------------------------------------------------------------------------------


def check_row(n, row, known, tests, named):
    kept, shown = names(row[2]), names(row[3])
    for f in kept:
        if f not in known:
            problem(n, f"core/picosuit.c has no function '{f}'")
    for t in shown:
        if not tests.has(t):
            problem(n, f"no test or vector '{t}'")
    if not kept and not row[2].startswith(BOUND):
        problem(n, f"kept by neither a function nor {', '.join(BOUND)}")
    if not shown and not row[2].startswith(BOUND):
        problem(n, "no test named")
    named |= set(shown)


def main():
    known, tests = functions(), Tests()
    listed, named = {}, set()
    for n, draft, word, row in rows((ROOT / PAGE).read_text()):
        at = listed.setdefault((draft, word), [])
        for s in statements(n, row[0]):
            if s in at:
                problem(n, f"{s[0]}/{s[1]} is listed twice")
            at.append(s)
        check_row(n, row, known, tests, named)
    if not listed:
        problems.append(f"{PAGE}: no table found")
    for folder in sys.argv[1:]:
        for draft, word in listed:
            text = text_of(Path(folder), draft) if Path(folder).is_dir() else None
            if text is not None:
                compare(listed[draft, word], text, draft, word)
                print(f"compared with the text: {draft}, {word}")
    for p in problems:
        print(p)
    print(f"conformance: {sum(map(len, listed.values()))} requirements, "
          f"{len(named)} tests named")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
