# SPDX-License-Identifier: MIT
"""How long a Cortex-M0 takes for what an update makes it do.

A linear model: so much for each signature, byte, command, page. Its constants are in cost.json,
which bench/cost_fit.py makes from what `make bench` has counted (bench/counts.csv). docs/author.md
says how good it is.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from .profile import Processor


@dataclass
class Effort:
    """What was done. Bytes, if nothing else is said."""

    signatures: int = 0  # Ed25519 checks, good or not
    macs: int = 0  # COSE_Mac0 checks
    agreements: int = 0  # X25519, HKDF and key unwrap for a recipient
    unwraps: int = 0  # key unwrap alone, A128KW
    procedures: int = 0  # envelopes that were received and carried out
    kept: int = 0  # of the envelope, received and hashed: all but payloads
    commands: int = 0  # executed
    components: int = 0  # of the manifest
    pairs: int = 0  # of component identifiers, compared with each other
    fed: int = 0  # payload that came in the envelope, taken or passed by
    given: int = 0  # payload from URIs
    copied: int = 0  # from another component
    hashed: int = 0  # on the way to `write`
    decrypted: int = 0
    read: int = 0  # read back and hashed
    programmed: int = 0  # in flash
    erased: int = 0  # pages

    def __add__(self, other: Effort) -> Effort:
        return Effort(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def items(self) -> Mapping[str, int]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


# Parts of an estimate, for people: name, members of Effort.
PARTS = (
    ("signatures", ("signatures", "macs")),
    ("receive and parse", ("procedures", "kept", "components", "pairs")),
    ("run commands", ("commands",)),
    ("key agreement", ("agreements", "unwraps")),
    ("payload on its way", ("fed", "given", "copied", "hashed")),
    ("decrypt", ("decrypted",)),
    ("read back and hash", ("read",)),
    ("flash driver", ("programmed", "erased")),
)


@dataclass(frozen=True)
class Estimate:
    """Cycles, in parts; waits of the flash controller are not in them."""

    parts: Mapping[str, int]
    mhz: float

    @property
    def cycles(self) -> int:
        return sum(self.parts.values())

    @property
    def seconds(self) -> float:
        return self.cycles / (self.mhz * 1e6)


@cache
def table() -> dict[str, Any]:
    """cost.json: `command`; `cycles` by build, core and member of Effort; `stack` by build."""
    data: dict[str, Any] = json.loads((files(__package__) / "cost.json").read_text())
    return data


def estimate(effort: Effort, processor: Processor) -> Estimate:
    unit = table()["cycles"][processor.build][processor.core]
    done = effort.items()
    return Estimate({name: round(sum(done[key] * unit[key] for key in keys))
                     for name, keys in PARTS}, processor.mhz)  # fmt: skip


def stack(processor: Processor) -> int:
    """Bytes of the deepest call of the core, callbacks not counted: docs/sizes.md."""
    return int(table()["stack"][processor.build])
