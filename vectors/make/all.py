# SPDX-License-Identifier: MIT
"""Builds keys.txt, suit/, refuse/ and boot/ again, byte for byte. usage: all.py [--check]

crypto/ has a script of its own, crypto.py, which quotes published vectors; only the expanded
keys in it are built here.
--check writes nothing, compares with the files in place and exits 1 on any difference.
"""
from __future__ import annotations

import sys
from pathlib import Path

import accept
import boot
import draft
import encrypted
import expanded
import refuse
import refuse_envelope
import refuse_manifest
import refuse_run
from record import Files, write_index
from suit import KEYS

VECTORS = Path(__file__).resolve().parent.parent
OWN = ("suit", "refuse", "boot")  # folders that hold nothing else

KEYS_TITLE = """\
Test keys, never to be used for anything else: secret = SHA-256("picosuit test key " + name).
alg is the COSE algorithm to which a key is bound, rights are PICOSUIT_RIGHT_*. A key without id
is not on the device. The device offers its keys in this order; one without kid fits every kid.
"""
FIELDS = "Built by vectors/make/all.py; vectors/README.md explains the fields and the device.\n"
SUIT_TITLE = "Envelopes that are carried out, or end where the draft's examples must.\n" + FIELDS
REFUSE_TITLE = "Envelopes that are refused: code, offset, and no effect before.\n" + FIELDS


def keys_text() -> bytes:
    records = []
    for key in KEYS:
        values = {
            "name": key.name, "id": key.id, "alg": key.alg, "rights": key.rights,
            "kid": key.kid and key.kid.decode(), "public": key.public and key.public.hex(),
            "private" if key.public else "key": key.secret.hex(),
        }
        records.append("".join(f"{k} = {v}\n" for k, v in values.items() if v is not None))
    title = "".join(f"# {line}\n" for line in KEYS_TITLE.splitlines())
    return (title + "\n" + "\n".join(records)).encode()


def build() -> Files:
    for module in (accept, encrypted, draft, refuse_envelope, refuse_manifest, refuse_run):
        module.build()
    files: Files = {"keys.txt": keys_text()}
    write_index("suit", SUIT_TITLE, accept.VECTORS, files)
    write_index("refuse", REFUSE_TITLE, refuse.VECTORS, files)
    boot.build(files)
    expanded.build(files)
    return files


def in_place() -> set[str]:
    return {str(path.relative_to(VECTORS))
            for folder in OWN for path in (VECTORS / folder).rglob("*") if path.is_file()}


def check(files: Files) -> int:
    wrong = sorted(in_place() - files.keys())
    wrong += [name for name, data in files.items()
              if not (VECTORS / name).is_file() or (VECTORS / name).read_bytes() != data]
    for name in wrong:
        print(f"vectors/{name}: not what vectors/make/all.py builds")
    return 1 if wrong else 0


def write(files: Files) -> int:
    for name in in_place() - files.keys():
        (VECTORS / name).unlink()
    for name, data in files.items():
        path = VECTORS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
    return 0


def main(args: list[str]) -> int:
    if args not in ([], ["--check"]):
        print(__doc__)
        return 2
    files = build()
    status = check(files) if args else write(files)
    print(f"{len(accept.VECTORS)} records in suit/, {len(refuse.VECTORS)} in refuse/, "
          f"{len(boot.VECTORS)} in boot/, {len(files)} files, "
          f"{sum(map(len, files.values()))} bytes")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
