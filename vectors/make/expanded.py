# SPDX-License-Identifier: MIT
"""Builds crypto/ed25519_expanded.txt: keys, and what expand_key.py makes of them. From all.py."""
from __future__ import annotations

import hashlib

from crypto import Text, challenge, pattern, sign, small_points
from curve import BASE, L, P, add, encode, root, times
from expand_key import expand
from record import Files
from suit import KEYS

SEED = bytes(range(32))
NONCE = int.from_bytes(pattern("expanded nonce", 32), "little") % L


def secret_scalar(seed: bytes) -> int:
    """[RFC8032 5.1.5]"""
    a = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return a & ~7 & (1 << 254) - 1 | 1 << 254


def keys() -> dict[str, tuple[bytes, int]]:
    """Keys by name: usual ones, some with a part of small order, and all kinds of bad ones.
    With the scalar that signs for the part of large order; 0: there is none, or nobody knows."""
    scalar = int.from_bytes(pattern("expanded", 32), "little") % L
    point = times(scalar, BASE)
    seeds = {key.name: key.secret for key in KEYS if key.name in ("root", "eddsa")}
    found = {}
    for name, seed in (seeds | {"seed_00_to_1f": SEED}).items():
        a = secret_scalar(seed)
        found[name] = encode(times(a, BASE)), a
    found |= {"base": (encode(BASE), 1), "minus_base": (encode((P - BASE[0], BASE[1])), L - 1)}
    small = small_points()
    found |= {f"mixed_{i}": (encode(add(point, t)), scalar) for i, t in enumerate(small)}
    found |= {f"small_{i}": (encode(t), 0) for i, t in enumerate(small)}
    for y in (P, P + 1, P + 3, 2**255 - 1):
        for bit in (0, 1):
            found[f"p_plus_{y - P}_sign_{bit}"] = (y | bit << 255).to_bytes(32, "little"), 0
    for name, y in (("1", 1), ("minus_1", P - 1)):
        found[f"{name}_with_sign"] = (y | 1 << 255).to_bytes(32, "little"), 0
    y = next(y for y in range(2, 100) if root(y, 0) is None)
    found["not_on_curve"] = y.to_bytes(32, "little"), 0
    return found


def signature(key: bytes, scalar: int) -> tuple[bytes, bytes]:
    """Message and signature: S B = R + k A, whatever part of small order A has."""
    r = encode(times(NONCE, BASE))
    message = next(bytes([n]) for n in range(256) if challenge(r, key, bytes([n])) % 8 == 0)
    return message, sign(scalar, key, message, NONCE)


def build(files: Files) -> None:
    text = Text("Expanded keys: blob is what make/expand_key.py writes for a key. Without one the",
                "tool refuses the key, and so does the core. mixed_n: with a part of small order.",
                "sig is good under key and blob. Under the other keys it is to be refused: those",
                "of small order would take it if they were taken themselves.")
    for name, (key, scalar) in keys().items():
        message, sig = signature(key, scalar)
        values = {"name": name, "key": key.hex(), "data": message.hex(), "sig": sig.hex()}
        try:
            values["blob"] = expand(key).hex()
        except ValueError:
            pass
        text.add(**values)
    files["crypto/ed25519_expanded.txt"] = text.bytes()
