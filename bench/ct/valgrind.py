#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Constant time on the host, by memcheck: every primitive, and whole envelopes through the
processor, with all keys and all data undefined (host.c), built by gcc and clang at four levels
for 64 and at two for 32 bits. The answer of ct_equal is declared public, for the callers that are
named below: another one fails, and so does one of them that was not seen. That is the only
change to the core. The mutants of the portable core have to be found as well."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import arm
import ct
import mutants
import vectors

HERE = Path("bench/ct")
DIR = arm.OUT / "ct"
# Whose answer of ct_equal is public though it comes from secrets, and why.
VERDICTS = {
    "picosuit_aead_open": "the tag: success or failure is seen from outside",
    "pay_tag": "the tag of a payload",
    "aes128_unwrap": "the integrity value of a wrapped key",
    "x25519": "whether the shared secret is zero: a point of small order, which is public",
    "cose_check": "the MAC of an envelope",
    "man_match": "whether what was decrypted has the digest of the signed manifest: the outcome",
}
ANSWER = "    return 0 - ((diff - 1) >> 31); /* diff is at most 255 */\n"
HOOK = """    uint32_t verdict = 0 - ((diff - 1) >> 31), secret = 0;
    (void)VALGRIND_GET_VBITS(&verdict, &secret, sizeof secret);
    if (secret != 0) {
        VALGRIND_PRINTF_BACKTRACE("verdict\\n");
    }
    (void)VALGRIND_MAKE_MEM_DEFINED(&verdict, sizeof verdict);
    return verdict;
"""
COMMON = ["-std=c99", "-gdwarf-4", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-Icore",
          "-DPICOSUIT_EXPOSE_PRIMITIVES=1"]
LINK = ["-nostdlib", "-static", "-no-pie"]
NOLIBC = ["-O1", "-fno-builtin", "-D_start=unused_start"]
CC = (os.environ.get("CC") or "cc").split()
CLANG = (os.environ.get("CLANG") or "clang").split()
BUILDS = [(tool, [level]) for tool in (CC, CLANG) for level in ("-O0", "-O2", "-Os", "-O3")]
BUILDS += [(tool, [level, "-m32"]) for tool in (CC, CLANG) for level in ("-Os", "-O2")]


def build(tool, flags, plan, text):
    """The program of one build of the core, statically linked and without a C library."""
    source = DIR / "host_core.c"
    if text.count(ANSWER) != 1:
        sys.exit(f"ct: FAIL the answer of ct_equal stands {text.count(ANSWER)} times in the core")
    source.write_text("#include <valgrind/memcheck.h>\n" + text.replace(ANSWER, HOOK))
    (DIR / "ct_plan.h").write_text(ct.plan_header(plan))
    word = [f for f in flags if f == "-m32"]
    nolibc, path = DIR / "host_nolibc.o", DIR / "host"
    ct.tool(*tool, *COMMON, *word, *NOLIBC, "-c", "bench/nolibc.c", "-o", nolibc)
    ct.tool(*tool, *COMMON, *LINK, *flags, f"-I{DIR}", source, HERE / "cases.c", HERE / "host.c",
            nolibc, "-lgcc", "-o", path)
    return path


def memcheck(path, *args):
    """(callers to which ct_equal told a secret, findings)"""
    r = subprocess.run(["valgrind", "--error-exitcode=9", "--leak-check=no", path,
                        *map(str, args)], capture_output=True, text=True)
    callers, found, block = set(), r.stdout.splitlines(), []
    title, is_verdict = "", False
    for line in [*r.stderr.splitlines(), "== =="]:
        line = re.sub(r"^(==|\*\*)\d+(==|\*\*) ?", "", line)
        if m := re.match(r" +(?:at|by) 0x\w+: (\S+) ", line):
            block.append(arm.base(m[1]) if is_verdict else line)
            continue
        if block:
            skip = {"VALGRIND_PRINTF_BACKTRACE", "ct_equal", "fe_is_zero"}
            if is_verdict:
                callers.add(next((f for f in block if f not in skip), "?"))
            else:
                found.append("\n".join([title, *block]))
        title, is_verdict, block = line, line.startswith("verdict"), []
    return callers, found or ([f"status {r.returncode}\n{r.stderr}"] if r.returncode else [])


def check_mutants():
    rows = [row for row in mutants.MUTANTS if row.flavour == "portable"]
    text = mutants.patched(arm.SOURCE.read_text(), "portable")
    plan = [(ct.Case(*row.case).number, i, 2) for i, row in enumerate(rows, 1)]
    path = build(CC, ["-m32", "-Os", "-DPICOSUIT_AES_SLICED=0"], plan, text)
    for i, row in enumerate(rows, 1):
        if not row.is_seen:
            continue
        _, found = memcheck(path, i)
        print(f"valgrind, mutant {row.name}: {len(found) or 'NOT FOUND'}", flush=True)
        if not found:
            yield f"mutant {row.name}: not found by memcheck"


def main():
    if not shutil.which("valgrind"):
        sys.exit("ct: FAIL needs valgrind, see make setup")
    DIR.mkdir(parents=True, exist_ok=True)
    (DIR / "ct_vectors.h").write_text(vectors.header())
    plan = [(c.number, 0, 2) for c in ct.cases() if c.seeds]
    text, seen, problems = arm.SOURCE.read_text(), set(), []
    for tool, flags in BUILDS:
        name = f"{Path(tool[0]).name} {' '.join(flags)}"
        callers, found = memcheck(build(tool, flags, plan, text))
        seen |= callers
        problems += [f"{name}: {f}" for f in found]
        print(f"valgrind, {name}: {len(plan)} cases, {len(found)} findings", flush=True)
    problems += [f"{f} asks ct_equal about a secret: not declared" for f in sorted(
        seen - set(VERDICTS))]
    problems += [f"{f}: declared, but nowhere seen" for f in sorted(set(VERDICTS) - seen)]
    problems += check_mutants()
    for p in problems:
        print(f"ct: FAIL {p}")
    print(f"ct: {len(problems)} problems under valgrind")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
