# SPDX-License-Identifier: MIT
"""The story of the author's tool: each step from a description to an update that runs is a command
`picosuit ...`, and what it writes is held against an independent builder, the device, and the
model of its flash."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cbor2
import device_envelope as build
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from demo_board import (
    E_ROLLBACK, IMAGES, NAMES, OUT, PAGE, ROOT, Board, Demo, console,
)  # fmt: skip
from device_envelope import Update
from device_link import PACKAGE, Cut, LinkError

PROFILE = "device.toml"
SILENCE = "2"  # seconds without an answer after which push asks again


class Tool:
    """The command, in the directory of the images and of what it writes."""

    def __init__(self, board: Board) -> None:
        self.board, self.demo = board, board.demo
        self.folder = (OUT / "m0").resolve()
        for name in ("v1.toml", "v2.toml", PROFILE):
            shutil.copy(ROOT / "bench/m0" / name, self.folder)
        write_keys(self.folder)

    def path(self, name: str) -> Path:
        return self.folder / name

    def run(self, *arguments: str, status: int = 0) -> Any:
        """One command, which must end with this status. Its output is shown; with --json first
        it is returned instead, decoded."""
        self.board.qemu.command("stop")  # an idle device would keep a whole core busy
        done = subprocess.run(
            self.command(arguments), cwd=self.folder, env=os.environ | {"PYTHONPATH": str(PACKAGE)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        self.board.qemu.run()
        return self.ended(done, arguments, status)

    def talk(self, *arguments: str, cuts: Sequence[Cut] = (), status: int = 0) -> Any:
        """The same for a command that speaks to the device. It runs in the directory of QEMU, two
        below that of the images, where the UART is a socket."""
        arguments += ("--port", "unix:port", "--timeout", SILENCE)
        done = self.board.device.lend(self.command(arguments), cuts)
        return self.ended(done, arguments, status)

    @staticmethod
    def command(arguments: Sequence[str]) -> list[str]:
        console.print(f"  [bold]$ picosuit {' '.join(arguments)}[/]")
        return [sys.executable, "-m", "picosuit.cli", *arguments]

    def ended(
        self, done: subprocess.CompletedProcess[str], arguments: Sequence[str], status: int
    ) -> Any:
        is_data = arguments[0] == "--json"
        for line in [] if is_data else done.stdout.splitlines():
            self.demo.says(line)
        what = arguments[is_data]
        if not self.demo.equal(done.returncode, status, f"{what}: exit status {status}"):
            raise LinkError(f"{what} cannot go on: {done.stderr.strip()}")
        return json.loads(done.stdout) if is_data else None


def write_keys(folder: Path) -> None:
    """The test keys as files: private PEM of the signer, COSE_Key of the device."""
    signer = Ed25519PrivateKey.from_private_bytes(build.ROOT.secret)
    pem = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "root.pem"
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
        f.write(pem)
    device = {1: 1, 2: build.DEVICE.kid, 3: build.DEVICE.alg, -1: 4, -2: build.DEVICE.public}
    (folder / "device-1.key").write_bytes(cbor2.dumps(device))


def story_tool(demo: Demo, _seed: int) -> None:
    """v1, plain, into safe mode; v2, encrypted, while v1 runs, with two power cuts that push
    survives; refusals; v1 again under a newer number."""
    with Board(demo, "tool: picosuit create, encrypt, sign, check, push", 0xFF) as board:
        tool = Tool(board)
        board.waits()
        v1 = first(tool)
        board.reset()
        board.boots("1", 0, 1)
        second(tool)
        board.reset()
        board.boots("2", 1, 2)
        board.check_state("v2 is confirmed")
        refused(tool, v1)
        third(tool)


def first(tool: Tool) -> Update:
    """v1: the tool's bytes are those of the independent builder."""
    demo, board = tool.demo, tool.board
    v1 = build.plain(IMAGES["1"], 1)
    tool.run("create", "v1.toml", "-o", "v1.unsigned")
    made = tool.path("v1.unsigned").read_bytes()
    demo.check(v1.manifest in made, "the manifest is that of vectors/make/suit.py")
    tool.run("sign", "v1.unsigned", "-o", "v1.suit", "--key", "root.pem")
    demo.equal(tool.path("v1.suit").read_bytes(), v1.envelope, "and so is the signed envelope")
    tool.run("check", "v1.suit", "--profile", PROFILE)
    tool.talk("push", "../../v1.suit")
    board.check_installed(v1, 0, "v1, plain, by push")
    return v1


def second(tool: Tool) -> None:
    """v2: a cut that nobody sees but the device, then one that takes the port with it."""
    demo, board = tool.demo, tool.board
    device = board.device
    tool.run("create", "v2.toml", "-o", "v2.plain")
    tool.run("encrypt", "v2.plain", "-o", "v2.unsigned", "--to", "device-1.key",
             "--payload", "fw-2a.bin", "--payload", "fw-2b.bin", "--profile", PROFILE)  # fmt: skip
    tool.run("sign", "v2.unsigned", "-o", "v2.suit", "--key", "root.pem")
    told = tool.run("--json", "check", "v2.suit", "--profile", PROFILE, "--payload-dir", ".")
    envelope = tool.path("v2.suit").read_bytes()
    v2 = Update(envelope, IMAGES["2"], 2, [], [], {}, True)
    size = len(IMAGES["2"][1])
    cuts = [Cut(len(envelope) + 2 * PAGE + 300, False), Cut(len(envelope) + 2 * PAGE, True)]
    data = tool.talk("--json", "push", "../../v2.suit", "--payload-dir", "../..", cuts=cuts)
    for _ in cuts:
        records = board.state.start(True)
    device.expect("slot A: starting sequence 1")  # after the last one
    device.expect("[fw v1/A] confirm: 0")
    starts = sum("slot A: starting sequence 1" in line for line in device.lines)
    demo.equal(starts, 1 + len(cuts), f"v1 was started again {len(cuts)} times meanwhile")
    needs = data["payloads"]
    demo.equal([need["uri"] for need in needs], ["coap://u.example/2b"] * 3,
               "asks three times for the image of slot B")  # fmt: skip
    have = [need["offset"] for need in needs]
    demo.check(have[0] == 0 < have[1] < have[2] and not any(at % PAGE for at in have),
               f"from byte {have[0]}, {have[1]} and {have[2]} on", str(needs))
    again = data["sent"] - 3 * len(envelope) - size - 16
    demo.check(0 <= again <= 2 * PAGE, f"{data['sent']} bytes sent in {data['attempts']} "
               f"attempts: {again} of the payload twice", str(data))  # fmt: skip
    board.before = None  # counted since the last cut
    board.check_installed(v2, 1, "v2, encrypted, by push", have[-1], records)
    status = board.before
    demo.equal(status and (status.context, status.work_used),
               (told["memory"]["context"], told["memory"]["work"]),
               "context and work buffer used are what check has foretold")  # fmt: skip
    board.check_state("v2 waits for its first start")
    board.check_report(v2, 0)
    same_state(tool, data["boot_report"], "push")
    board.check_ram()


def same_state(tool: Tool, report: dict[str, Any], who: str) -> None:
    """What a command has read in the boot report is what the model says."""
    names = ("phase", "slot", "tries", "floor", "epoch", "candidate", "rejected")
    tool.demo.equal([report["boot"][name] for name in names], tool.board.state.report()[-1],
                    f"{who} says the same of the boot state")  # fmt: skip


def refused(tool: Tool, v1: Update) -> None:
    """The older update: known before by check, said by the device, explained by push."""
    demo, board = tool.demo, tool.board
    console.print("  offered to the running v2:")
    now = "device-v2.toml"  # the profile of a device that has confirmed v2
    text = tool.path(PROFILE).read_text() + "\n[sequence]\nfloor = 2\n"
    tool.path(now).write_text(text)
    tool.run("check", "v1.suit", "--profile", now, status=1)
    old = board.status()
    data = tool.talk("--json", "push", "../../v1.suit", status=1)
    new = board.account("v1 once more, by push")
    result = data["result"]
    demo.says(f"there: {result['there']}")
    demo.equal((result["code"], result["offset"], new.programmed, new.erased),
               (E_ROLLBACK, v1.at_sequence(), old.programmed, old.erased),
               f"v1 once more: {NAMES[E_ROLLBACK]} at {v1.at_sequence()}, no flash work")
    demo.says(board.device.expect("refused: "))
    board.check_alive("2", 1)
    board.check_slots("nothing touched")


def third(tool: Tool) -> None:
    """v1 once more under a newer number, and push starts it."""
    board = tool.board
    tool.run("create", "v1.toml", "-o", "v3.unsigned", "--sequence", "3", "--previous", "v2.suit")
    tool.run("sign", "v3.unsigned", "-o", "v3.suit", "--key", "root.pem")
    data = tool.talk("--json", "push", "../../v3.suit", "--reset")
    board.installed(0, Update(tool.path("v3.suit").read_bytes(), IMAGES["1"], 3, [], [], {}, False))
    tool.demo.says(board.device.expect("update complete: sequence 3"))
    board.boots("1", 0, 3)
    board.check_state("v1 is confirmed under a newer number")
    same_state(tool, data["boot_report"], "push --reset")
    same_state(tool, tool.talk("--json", "report")["boot"], "report")
    board.check_slots("slots read back")
