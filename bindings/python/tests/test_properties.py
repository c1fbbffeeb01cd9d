# SPDX-License-Identifier: MIT
"""Whatever byte of an envelope changes: it is refused, or nothing comes of the change.

Changes of what is signed are refused before the manifest is believed. What is not signed is listed
by `free`: unprotected headers and whole blocks beside the one that verifies, keys and contents of
payloads in the envelope. Their contents are bound by digest or tag when they are used.
"""
from __future__ import annotations

import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_vectors import find, run
from vectorfile import VECTORS, Record, device_keys, records

import picosuit
from picosuit.author.virtual import WHOLE, Outcome

sys.path.append(str(VECTORS / "make"))
from suit import Item, end_of  # type: ignore[import-not-found]
from suit import find as place

WRAPPER, MANIFEST = 2, 3
# All but one, whose manifest binds its payload by nothing: without digest, size and encryption.
ACCEPTED = [r for r in records("suit/index.txt")
            if r["expect"] == "ok" and len(r.data()) < 2000 and str(r) != "payload_size_unset"]
# Each byte, each bit: by signature, by MAC with its kid outside, severed members, several blocks,
# payloads in the envelope, encrypted ones.
EXHAUSTIVE = ("fetch_uri", "auth_mac0_kid", "install_severed", "auth_good_then_unknown",
              "fetch_integrated", "enc_transient_kw")  # fmt: skip


class Changed(Record):
    """A record with another envelope."""

    envelope: bytes

    def data(self, key: str = "file") -> bytes:
        return self.envelope if key == "file" else super().data(key)


def free(data: bytes) -> dict[str, range]:
    """Places that no signature covers, by name. By the walker of vectors/make, not by the core."""
    found = {"number of members": range(2, Item(data, 2).body)}  # behind tag 107
    wrapper = place(data, "2/<")
    for n in range(1, Item(data, wrapper).value):
        block = place(data, f"2/[{n}]")
        unprotected = place(data, f"2/[{n}]/[1]")
        found[f"unprotected header {n}"] = range(unprotected, end_of(data, unprotected))
        if Item(data, wrapper).value > 2:
            found[f"block {n}"] = range(block, end_of(data, block))
    pos = place(data, "3/$")
    while pos < len(data):
        if Item(data, pos).major == 3:
            value = end_of(data, pos)
            found[f"payload at {pos}"] = range(pos, end_of(data, value))
        pos = end_of(data, end_of(data, pos))
    return found


def is_free(data: bytes, at: int) -> bool:
    return any(at in places for places in free(data).values())


@cache
def expected(record: Record) -> tuple[Outcome, dict[int, bytes | None]]:
    outcome, device = run(record, WHOLE)
    return outcome, {handle: device.content(handle) for handle in device.components}


def expect_nothing_comes_of_it(record: Record, at: int, flip: int) -> bool:
    """Runs the record with one byte changed. Whether it was refused."""
    data = bytearray(record.data())
    data[at] ^= flip
    changed = Changed(record.path, record.number, record.lines)
    object.__setattr__(changed, "envelope", bytes(data))
    outcome, device = run(changed, WHOLE)
    whole, contents = expected(record)
    where = f"byte {at} of {record}, {flip:#04x}"
    if not is_free(record.data(), at):
        assert outcome.error is not None, where
        assert outcome.stage == "feed", where  # authentic parts do not begin
        assert outcome.counters.begins + outcome.counters.reads == 0, where
    if outcome.error is None:
        assert {h: device.content(h) for h in device.components} == contents, where
        assert outcome.invoked == whole.invoked, where
    else:
        assert outcome.counters.ends_good + outcome.counters.ends_bad == outcome.counters.begins
        assert outcome.invoked is None, where
    return outcome.error is not None


@pytest.mark.parametrize("name", EXHAUSTIVE)
def test_each_bit_of_signed_content(name: str) -> None:
    """By `verify` alone, which is a feed up to READY: severed members and payloads behind the
    manifest are for the procedures."""
    record = find(name)
    data = bytearray(record.data())
    end = place(record.data(), "3/$")
    picosuit.verify(bytes(data), device_keys())
    accepted = set()
    for at in range(end):
        for bit in range(8):
            data[at] ^= 1 << bit
            try:
                picosuit.verify(bytes(data), device_keys())
                accepted.add(at)
            except picosuit.Error:
                pass
            data[at] ^= 1 << bit
    assert all(is_free(record.data(), at) for at in accepted), sorted(accepted)


@pytest.mark.parametrize("name", EXHAUSTIVE)
def test_each_byte_of_an_envelope(name: str) -> None:
    record = find(name)
    refused = [expect_nothing_comes_of_it(record, at, 1 << at % 8)
               for at in range(len(record.data()))]  # fmt: skip
    assert sum(refused) > len(refused) // 2


@settings(max_examples=600)
@given(st.sampled_from(ACCEPTED), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_byte_of_any_envelope(record: Record, place_: float, flip: int) -> None:
    expect_nothing_comes_of_it(record, int(place_ * len(record.data())), flip)
