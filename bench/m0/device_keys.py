# SPDX-License-Identifier: MIT
"""Prints the C header with the keys of the reference device, from vectors/keys.txt.

These are test keys: everybody has the private halves. A product has its own header.
"""
import sys


def records(path):
    for block in open(path, encoding="ascii").read().split("\n\n"):
        lines = [line for line in block.splitlines() if " = " in line and line[0] != "#"]
        if lines:
            yield {k.strip(): v.strip() for k, v in (line.split(" = ", 1) for line in lines)}


def array(name, data):
    rows = [data[i : i + 12] for i in range(0, len(data), 12)]
    text = ",\n    ".join(", ".join(f"0x{b:02x}" for b in row) for row in rows)
    return f"static const uint8_t {name}[{len(data)}] = {{\n    {text},\n}};\n"


def main():
    keys = {record["name"]: record for record in records(sys.argv[1])}
    print("/* SPDX-License-Identifier: MIT */")
    print("/* Generated from vectors/keys.txt: TEST KEYS, known to everybody. */")
    print("#include <stdint.h>\n")
    print("/* Trust anchor `root`, Ed25519 public key */")
    print(array("device_key_root", bytes.fromhex(keys["root"]["public"])))
    print("/* The device's own X25519 private key, kid device-1 */")
    print(array("device_key_device", bytes.fromhex(keys["device"]["private"])), end="")


main()
