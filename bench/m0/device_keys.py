# SPDX-License-Identifier: MIT
"""Prints the C header with the keys of the reference device, from vectors/keys.txt.

These are test keys: everybody has the private halves. A product has its own header.
"""
import sys

UPDATE, INVOKE, KEYS = 1, 2, 8  # PICOSUIT_RIGHT_*


def records(path):
    for block in open(path, encoding="ascii").read().split("\n\n"):
        lines = [line for line in block.splitlines() if " = " in line and line[0] != "#"]
        if lines:
            yield {k.strip(): v.strip() for k, v in (line.split(" = ", 1) for line in lines)}


def cose_key(kid, public, rights):
    """A COSE_Key as picosuit_keyset_key takes it, in deterministic CBOR: kid of at most 23
    bytes, rights below 24."""
    return (
        b"\xa6\x01\x01"  # kty: OKP
        + b"\x02" + bytes([0x40 + len(kid)]) + kid
        + b"\x03\x32"  # alg: Ed25519
        + b"\x20\x06"  # crv: Ed25519
        + b"\x21\x58\x20" + public
        + b"\x3a\x00\x01\x00\x00" + bytes([rights])
    )  # fmt: skip


def array(name, data):
    rows = [data[i : i + 12] for i in range(0, len(data), 12)]
    text = ",\n    ".join(", ".join(f"0x{b:02x}" for b in row) for row in rows)
    return f"static const uint8_t {name}[{len(data)}] = {{\n    {text},\n}};\n"


def main():
    keys = {record["name"]: record for record in records(sys.argv[1])}
    root = cose_key(b"root", bytes.fromhex(keys["root"]["public"]), UPDATE | INVOKE | KEYS)
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Generated from vectors/keys.txt: TEST KEYS, known to everybody. */")
    print("#include <stdint.h>\n")
    print("/* Factory key set: `root`, for everything */")
    print(array("device_factory", b"\x81" + root))
    print("/* The device's own X25519 private key, kid device-1 */")
    print(array("device_key_device", bytes.fromhex(keys["device"]["private"])), end="")


main()
