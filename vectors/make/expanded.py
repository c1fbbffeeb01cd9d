# SPDX-License-Identifier: MIT
"""Builds crypto/ed25519_expanded.txt: keys, and what expand_key.py makes of them. From all.py."""
from __future__ import annotations

from crypto import Text, pattern, small_points
from curve import BASE, L, P, add, encode, root, times
from expand_key import expand
from record import Files
from suit import KEYS


def keys() -> dict[str, bytes]:
    """Keys by name: usual ones, some with a part of small order, and all kinds of bad ones."""
    scalar = int.from_bytes(pattern("expanded", 32), "little") % L
    point = times(scalar, BASE)
    found = {key.name: key.public for key in KEYS if key.name in ("root", "eddsa")}
    found |= {"seed_00_to_1f": bytes.fromhex(
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")}
    found |= {"base": encode(BASE), "minus_base": encode((P - BASE[0], BASE[1]))}
    small = small_points()
    found |= {f"mixed_{i}": encode(add(point, t)) for i, t in enumerate(small)}
    found |= {f"small_{i}": encode(t) for i, t in enumerate(small)}
    for y in (P, P + 1, P + 3, 2**255 - 1):
        for sign in (0, 1):
            found[f"p_plus_{y - P}_sign_{sign}"] = (y | sign << 255).to_bytes(32, "little")
    for name, y in (("1", 1), ("minus_1", P - 1)):
        found[f"{name}_with_sign"] = (y | 1 << 255).to_bytes(32, "little")
    y = next(y for y in range(2, 100) if root(y, 0) is None)
    found["not_on_curve"] = y.to_bytes(32, "little")
    return found


def build(files: Files) -> None:
    text = Text("Expanded keys: blob is what make/expand_key.py writes for a key. Without one the",
                "tool refuses the key, and so does the core. mixed_n: with a part of small order.")
    for name, key in keys().items():
        values = {"name": name, "key": key.hex()}
        try:
            values["blob"] = expand(key).hex()
        except ValueError:
            pass
        text.add(**values)
    files["crypto/ed25519_expanded.txt"] = text.bytes()
