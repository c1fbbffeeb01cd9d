# SPDX-License-Identifier: MIT
"""`picosuit push` into a device that runs the C core on flash in memory, through power cuts.

The device does with each frame what bench/m0/boot_serve.c does, but for the boot state.
"""
from __future__ import annotations

import random
import struct

import pytest
from fake_device import OK, Answer, Clock, Device, Port

import picosuit
from picosuit import Status, Where
from picosuit.author import describe, ids, keys, names, sign, virtual
from picosuit.author.envelope import Envelope
from picosuit.author.push import Outcome, Payloads, Push
from picosuit.author.virtual import Component, Geometry, PowerLost, VirtualDevice

NONE = 255
SIGNER = keys.generate(names.ED25519)
FILES = {name: random.Random(name).randbytes(size)
         for name, size in (("app.bin", 900), ("radio.bin", 500), ("map.bin", 300))}  # fmt: skip
URI = "coap://u.example/app.bin"
DESCRIPTION = f"""
sequence = 1
vendor-domain = "example.com"
class = "sensor"
severable = ["install"]
[[component]]
id = "radio"
file = "radio.bin"
FIRST
[[component]]
id = "app"
file = "app.bin"
uri = "{URI}"
boot = true
[[component]]
id = "map"
file = "map.bin"
SECOND
"""


class CoreDevice(Device):
    """Components radio, app, map; flash is programmed in blocks of 64 bytes."""

    def __init__(self) -> None:
        vendor = ids.vendor("example.com")
        self.flash_device = VirtualDevice(
            [Component((name,), n, 1024) for n, name in enumerate((b"radio", b"app", b"map"))],
            ids=virtual.Ids((vendor,), (ids.class_of(vendor, "sensor"),)),
            geometry=Geometry(256, 64),
        )  # fmt: skip
        assert SIGNER.public is not None
        key = picosuit.Key(SIGNER.public, SIGNER.alg)
        self.core = picosuit.Processor(self.flash_device, keys=[key], work=4096)
        super().__init__(0)
        self.respond = self.serve

    def lose_power(self) -> None:
        self.flash_device.power()
        self.resets += 1
        self.out = self.out[: len(self.out) // 2]
        self.power_on()

    def serve(self, kind: bytes, data: bytes) -> Answer | None:
        if kind == b"Q" or (kind != b"S" and not self.is_open):
            return self.answer(kind, data)
        if kind == b"S":
            self.core.reset()
            self.is_open, self.at, self.given = True, 0, 0
            return self.ack(OK)
        try:
            return self.step(kind, data)
        except PowerLost:
            self.lose_power()
            return None
        except picosuit.Error as e:
            self.is_open = False
            return b"R", struct.pack("<hBBIii", e.code, e.section or 0, NONE, e.offset,
                                     e.label or 0, e.platform)  # fmt: skip

    def step(self, kind: bytes, data: bytes) -> Answer:
        """Goes on with the frame until the core wants something else."""
        status, used = Status.MORE, 0
        while True:
            if status == Status.READY:
                status = self.core.begin(picosuit.Procedure.UPDATE)
                status = self.core.run() if status == Status.OK else status
            elif status == Status.OK:
                return self.result(0)
            elif status == Status.FETCH and self.core.fetch().where == Where.URI:
                fetch = self.core.fetch()
                self.n = fetch.component
                return self.need_of(fetch.offset, fetch.size, fetch.uri.encode())
            elif kind in (b"E", b"P") and data:
                give = self.core.feed if kind == b"E" else self.core.payload
                status, used = give(data)
                data = data[used:]
                self.at += used  # of both kinds
            elif kind in (b"E", b"P"):
                return self.ack(status)
            else:
                status = self.core.feed_end() if kind == b"Z" else self.core.payload_end()
                if status == Status.FETCH and self.core.fetch().where == Where.ENVELOPE:
                    return self.ack(status)
                kind = b"E"

    def contents(self) -> list[bytes | None]:
        return [self.flash_device.content(n) for n in range(3)]


def update(first: str = "", second: str = "") -> bytes:
    """A signed envelope. first, second: URI of the payloads inside, as lines of TOML."""
    text = DESCRIPTION.replace("FIRST", first).replace("SECOND", second)
    made = describe.create(text.encode(), "x.toml", read=lambda path: FILES[path.name])
    asked = sign.request(Envelope(made.envelope), SIGNER, None)
    return sign.signed(asked, SIGNER.sign(asked.message))


def push_to(device: CoreDevice, data: bytes, envelope: Envelope | None = None) -> Outcome:
    clock = Clock()
    envelope = envelope or Envelope(data)
    inside = {key: item.content for key, item in envelope.payloads.items()}
    return Push(lambda: Port(device, clock), data, Payloads(inside | {URI: FILES["app.bin"]}),
                clock=clock, sleep=clock.sleep).run()  # fmt: skip


WANTED = [FILES["radio.bin"], FILES["app.bin"], FILES["map.bin"]]


def test_push_into_the_core_payloads_inside_and_outside() -> None:
    device, data = CoreDevice(), update()
    outcome = push_to(device, data)
    assert outcome.is_installed and device.contents() == WANTED
    # The core looks for the URI among the payloads inside, too: #b goes by and is asked for.
    assert [need.uri for need in outcome.needs] == [URI, "#b"]
    assert outcome.sent == len(data) + len(FILES["app.bin"]) + len(FILES["map.bin"])


def test_push_into_the_core_payloads_in_another_order() -> None:
    """#z is wanted first and stands behind #a."""
    device = CoreDevice()
    outcome = push_to(device, update('uri = "#z"', 'uri = "#a"'))
    assert outcome.is_installed and device.contents() == WANTED
    assert [need.uri for need in outcome.needs] == [URI, "#a"]


def operations() -> int:
    device = CoreDevice()
    push_to(device, update())
    return device.flash_device.operations


@pytest.mark.parametrize("n", range(operations()))
def test_push_into_the_core_survives_a_power_cut_at_every_flash_operation(n: int) -> None:
    device, data = CoreDevice(), update()
    device.flash_device.cut_power(n, tears=n % 2 == 1)
    outcome = push_to(device, data)
    assert outcome.is_installed and device.contents() == WANTED and device.resets == 1
    assert outcome.attempts == 2


def test_push_into_the_core_is_refused_where_it_is_wrong() -> None:
    data = bytearray(update())
    envelope = Envelope(bytes(data))
    data[envelope.payloads["#a"].end - 1] ^= 1
    outcome = push_to(CoreDevice(), bytes(data))
    result = outcome.result
    assert (result.code, result.section, result.label) == (picosuit.Code.E_CONDITION, 20, 3)
    data = bytearray(envelope.data)
    data[envelope.manifest_bstr.body + 3] ^= 1
    device = CoreDevice()
    # Parsed is the envelope as it was: a damaged one may be none.
    outcome = push_to(device, bytes(data), envelope)
    assert outcome.result.code == picosuit.Code.E_DIGEST
    assert outcome.result.offset == envelope.manifest_bstr.start
    assert device.flash_device.operations == 0
