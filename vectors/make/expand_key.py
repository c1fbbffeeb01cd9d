#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Expands a public Ed25519 key for PICOSUIT_ED25519_EXPANDED: the key, then a table of it.

The table is trusted as the key is: make it from a key that you trust, and provision both together.
Refused is every key that the core refuses. The same key always gives the same bytes.

Format, 1,568 bytes: the 32 bytes of the key A; then for d = 0 .. 15 the point
    (2^204 + s[3] 2^153 + s[2] 2^102 + s[1] 2^51 + s[0]) A,  s[j] = 1 if bit j of d is set, else -1
as y + x, y - x, 2 d x y (that d is the constant of the curve), each modulo 2^255 - 19 in 32 bytes,
little-endian. Another format will have another length.
"""
from __future__ import annotations

import argparse
import base64
import binascii
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from curve import D, P, add, root, times

TEETH, TOOTH = 5, 51
LENGTH = 32 + 96 * 2 ** (TEETH - 1)
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what precedes the key in DER
MOST = 4096  # bytes that are read of a file: more is no key


def decode(key: bytes) -> tuple[int, int]:
    """The point of a key. ValueError for what the core refuses."""
    if len(key) != 32:
        raise ValueError(f"an Ed25519 key is 32 bytes, not {len(key)}")
    y, sign = int.from_bytes(key, "little") % 2**255, key[31] >> 7
    if y >= P:
        raise ValueError("not canonical: y is 2^255 - 19 or more")
    x = root(y, sign)
    if x is None:
        raise ValueError("not a point of the curve")
    if x & 1 != sign:
        raise ValueError("not canonical: x is 0, but its sign is set")
    if times(8, (x, y)) == (0, 1):
        raise ValueError("a point of small order: any signature could pass")
    return x, y


def comb(point: tuple[int, int]) -> bytes:
    """The table of a point."""
    teeth = [point]
    while len(teeth) < TEETH:
        teeth.append(times(2**TOOTH, teeth[-1]))
    table = b""
    for d in range(2 ** (TEETH - 1)):
        x, y = teeth[-1]
        for j, (a, b) in enumerate(teeth[:-1]):
            x, y = add((x, y), (a if d >> j & 1 else P - a, b))
        table += b"".join((v % P).to_bytes(32, "little") for v in (y + x, y - x, 2 * D * x * y))
    return table


def expand(key: bytes) -> bytes:
    return key + comb(decode(key))


def key_of(data: bytes) -> bytes:
    """The 32 bytes of a public key: raw, in hex, DER or PEM."""
    text = data.decode("ascii", "replace").strip()
    if match := re.fullmatch(r"-----BEGIN ([A-Z0-9 ]+)-----(.*)-----END \1-----", text, re.S):
        if match[1] != "PUBLIC KEY":
            raise ValueError(f"PEM holds {match[1]}, wanted is PUBLIC KEY")
        try:
            data = base64.b64decode("".join(match[2].split()), validate=True)
        except binascii.Error:
            raise ValueError("PEM is not valid base64") from None
        if not data.startswith(SPKI):
            raise ValueError("PEM holds a key, but not one of Ed25519")
    elif re.fullmatch(r"[0-9a-fA-F]*", text) and len(text) > 32:
        if len(text) != 64:
            raise ValueError(f"64 hex digits are wanted, not {len(text)}")
        return bytes.fromhex(text)
    if data.startswith(SPKI):
        data = data[len(SPKI):]
    if len(data) != 32:
        raise ValueError(f"not a key: {len(data)} bytes; wanted: 32, 64 hex digits or a PEM file")
    return data


def c_array(name: str, blob: bytes) -> bytes:
    """`name.byte` in C and C++; the other member aligns it."""
    rows = [", ".join(f"0x{c:02x}" for c in blob[i : i + 14]) for i in range(0, len(blob), 14)]
    return (f"/* Ed25519 key {blob[:32].hex()},\n * expanded by vectors/make/expand_key.py */\n"
            f"static const union {{\n    uint8_t byte[{len(blob)}];\n    uint32_t word;\n"
            f"}} {name} = {{{{\n    " + ",\n    ".join(rows) + ",\n}};\n").encode()


KEYWORDS = """auto break case char const continue default do double else enum extern float for goto
    if inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while""".split()  # of C99


def read(path: Path) -> bytes:
    with path.open("rb") as f:
        return f.read(MOST)


def write(path: Path, blob: bytes) -> None:
    """All of it or nothing; what was there stays until then."""
    if path.exists() and not path.is_file():
        path.write_bytes(blob)
        return
    path = path.resolve()  # a link stays one
    part = path.with_name(f"{path.name}.new")
    try:
        part.write_bytes(blob)
        part.replace(path)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise OSError(e.errno, os.strerror(e.errno), str(path)) from None


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        sys.exit(refuse(message))


def refuse(message: str) -> int:
    print(f"expand_key: {message}", file=sys.stderr)
    return 2


def arguments(args: list[str]) -> argparse.Namespace:
    parser = Parser(prog="expand_key.py", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("key", help="64 hex digits, or a file: raw, hex digits, DER or PEM")
    parser.add_argument("-o", "--output", help="file to write, else standard output")
    parser.add_argument("--c", metavar="NAME", help="write C: a constant, NAME.byte its bytes")
    return parser.parse_args(args)


def main(args: list[str]) -> int:
    a = arguments(args)
    if a.c is not None and (not re.fullmatch(r"[A-Za-z_]\w*", a.c, re.A) or a.c in KEYWORDS):
        return refuse(f"not a name in C: {a.c!r}")
    if a.output is None and (sys.stdout is None or a.c is None and sys.stdout.isatty()):
        return refuse("bytes do not go to a terminal: -o FILE or --c NAME")
    try:
        is_hex = re.fullmatch(r"[0-9a-fA-F]{33,}", a.key) and not Path(a.key).exists()
        blob = expand(key_of(a.key.encode() if is_hex else read(Path(a.key))))
        if a.c is not None:
            blob = c_array(a.c, blob)
        if a.output is not None:
            write(Path(a.output), blob)
        else:
            sys.stdout.buffer.write(blob)
            sys.stdout.buffer.flush()
    except (OSError, ValueError) as e:
        if isinstance(e, OSError):
            return refuse(f"{e.filename or 'standard output'}: {os.strerror(e.errno)}")
        return refuse(str(e))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
