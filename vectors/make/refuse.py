# SPDX-License-Identifier: MIT
"""What the refusals share: how one is described, and the manifest they start from."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accept import fetch
from record import Vector, blob, features
from suit import change, envelope, manifest, with_image

SMALL = blob("small", 100)
VECTORS: list[Vector] = []


def base(**more: Any) -> dict[Any, Any]:
    """One component that becomes SMALL, from the payload #p."""
    more.setdefault("shared", with_image(SMALL.data))
    more.setdefault("validate", [3, 15])
    return manifest(**more)


def working(**more: Any) -> dict[Any, Any]:
    more.setdefault("install", [*fetch("#p"), 3, 15])
    return base(**more)


def refuse(
    rule: int, case: str, source: str, data: bytes, expect: str, at: str | int, **more: Any
) -> Vector:
    """A refusal: error code, place of the error, fields of Vector."""
    name = f"refuse_{rule}_{case}"
    if more.get("stage") in ("feed", "begin"):
        more.setdefault("writes", 0)
    if isinstance(at, str) and more.get("stage") in ("begin", "run"):
        more.setdefault("section", section_of(at))
    more["needs"] = features(data, more.get("needs", ()))
    more.setdefault("file", f"refuse/{rule:02}_{case}.suit")
    vector = Vector(name, source, data, expect=expect, at=at, **more)
    VECTORS.append(vector)
    return vector


def section_of(path: str) -> int | None:
    """Manifest key of the command sequence in which a path ends."""
    steps = path.split("/")
    if steps[:3] == ["3", "3", "4"] and len(steps) > 3:
        return 3
    if steps[0] == "3" and len(steps) > 2 and steps[1] in ("7", "8", "9", "16", "20"):
        return int(steps[1])
    if steps[0] in ("16", "20") and len(steps) > 1:
        return int(steps[0])
    return None


def in_manifest(
    rule: int, case: str, source: str, body: Any, expect: str, at: str, **more: Any
) -> Vector:
    """A refusal that lies in the manifest: `at` is a path in it."""
    parts = {k: more.pop(k) for k in ("keys", "members", "blocks", "pairs") if k in more}
    return refuse(rule, case, source, envelope(body, **parts), expect, f"3/{at}", **more)


def changed(
    rule: int, case: str, source: str, body: Any, path: str, new: Any | Callable[[Any], Any],
    expect: str, at: str | None = None, **more: Any,
) -> Vector:
    """A refusal made by changing one item of a manifest; the error is there, unless `at`."""
    return in_manifest(rule, case, source, change(body, path, new), expect,
                       path if at is None else at, **more)
