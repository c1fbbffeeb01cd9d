# SPDX-License-Identifier: MIT
"""`picosuit create`: the draft's own manifests, what a description can say, what it may not."""
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from picosuit.author import describe
from picosuit.author.envelope import Envelope

ROOT = Path(__file__).resolve().parents[3]
DRAFT = ROOT / "vectors/describe"
SHARED = ROOT.parent / "shared/vectors/suit"

# draft-ietf-suit-manifest-37, Appendix B: SHA-256 of each manifest in its byte string. The same as
# in vectors/make/draft.py, which builds them in another way.
PUBLISHED = (
    "6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af",
    "1f2e7acca0dc2786f2fe4eb947f50873a6a3cfaa98866c5b02e621f42074daf2",
    "6a5197ed8f9dccf733d1c89a359441708e070b4c6dcb9a1c2c82c6165f609b90",
    "f6d44a62ec906b392500c242e78e908e9cc5057f3f04104a06a8566200da2ee0",
    "5b5f6586b1e6cdf19ee479a5adabf206581000bd584b0832a9bdaf4f72cdbdd6",
    "15ce60f77657e4531dc329155f8b0ed78f94bdc6d165b2665473693dcc34f470",
)


def draft(number: int) -> describe.Created:
    path = DRAFT / f"ex{number}.toml"
    return describe.create(path.read_bytes(), str(path))


@pytest.mark.parametrize("number", range(6))
def test_draft_manifest(number: int) -> None:
    made = draft(number)
    assert made.digest.hex() == PUBLISHED[number]
    signed = Envelope((ROOT / f"vectors/suit/draft_ex{number}.suit").read_bytes())
    assert made.envelope == signed.rebuilt(blocks=[])


@pytest.mark.skipif(not SHARED.exists(), reason="the draft's files are not here")
@pytest.mark.parametrize("number", range(6))
def test_draft_envelope(number: int) -> None:
    made = draft(number)
    if number == 2:  # unsigned it was only published without its severable members
        signed = Envelope((SHARED / "manifest-ex2-esp256.suit").read_bytes())
        assert made.envelope == signed.rebuilt(blocks=[])
    else:
        assert made.envelope == (SHARED / f"manifest-ex{number}-unsigned.suit").read_bytes()


def test_demo_manifest(tmp_path: Path) -> None:
    """The plain A/B update of the demo: bench/m0/device_envelope.py builds the same."""
    for name in "ab":
        (tmp_path / f"{name}.bin").write_bytes(name.encode() * 1000)
    text = b"""
        sequence = 2
        vendor-domain = "arm.com"
        class-id = "1492af14-2569-5e48-bf42-9b2d51f2ab45"
        reference-uri = "coap://u.example/2"
        [[component]]
        id = "hex:00"
        slots = ["a.bin", "b.bin"]
        boot = true
    """
    made = describe.create(text, str(tmp_path / "update.toml"))
    assert len(made.manifest) == 238
    assert hashlib.sha256(made.manifest).hexdigest() == (
        "d76a126ca26a1a3003fdeaf24a4f87021a86437d0dac36147e3ed681f878cd85")
