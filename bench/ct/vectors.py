# SPDX-License-Identifier: MIT
"""The vectors that the cases of bench/ct need, as a C header, from vectors/."""

from pathlib import Path

# One payload sent encrypted, one stored encrypted and copied, one as a parameter, one MAC.
ENVELOPES = ["enc_transient_size_65", "enc_stage_size_65", "enc_write_kw", "auth_mac0"]


def records(path):
    """[{key: value}] of a file of `key = value` lines, blank lines between the records."""
    for block in Path(path).read_text().split("\n\n"):
        rows = [line.split(" = ", 1) for line in block.splitlines()
                if " = " in line and line[0] != "#"]
        if rows:
            yield dict(rows)


def array(name, data):
    return f"static const uint8_t {name}[{len(data)}] = {{{','.join(map(str, data))}}};\n"


def header():
    keys = {r["name"]: r for r in records("vectors/keys.txt")}
    index = {r["name"]: r for r in records("vectors/suit/index.txt")}
    text = "/* Written by bench/ct/ct.py. */\n"
    for name, key, field in (("ct_root", "root", "public"), ("ct_device", "device", "private"),
                             ("ct_kek", "kek", "key"), ("ct_mac", "mac", "key")):
        text += array(name, bytes.fromhex(keys[key][field]))
    text += array("ct_vendor", bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe"))
    text += array("ct_class", bytes.fromhex("1492af1425695e48bf429b2d51f2ab45"))
    text += ("struct ct_wrap {\n    size_t len;\n    const uint8_t *kek, *key, *data;\n};\n"
             "struct ct_envelope {\n    const uint8_t *data;\n    size_t len;\n"
             "    uint8_t digest[32];\n};\n")
    wraps = ""
    for i, r in enumerate(list(records("vectors/crypto/aeskw.txt"))):
        for field in ("kek", "key", "data"):
            text += array(f"ct_{field}_{i}", bytes.fromhex(r[field]))
        wraps += f"    {{{len(r['data']) // 2}, ct_kek_{i}, ct_key_{i}, ct_data_{i}}},\n"
    rows = ""
    for i, name in enumerate(ENVELOPES):
        data = (Path("vectors") / index[name]["file"]).read_bytes()
        text += array(f"ct_suit_{i}", data)
        digest = ",".join(map(str, bytes.fromhex(index[name]["component.0"])))
        rows += f"    {{ct_suit_{i}, {len(data)}, {{{digest}}}}},\n"
    return (f"{text}static const struct ct_wrap ct_wraps[] = {{\n{wraps}}};\n"
            f"static const struct ct_envelope ct_envelope[] = {{\n{rows}}};\n")
