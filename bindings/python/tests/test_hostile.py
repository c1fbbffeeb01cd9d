# SPDX-License-Identifier: MIT
"""Every command on files that somebody made to hurt it: one line, status 2, nothing left behind."""
from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
import pytest
from clirun import Result, good, listing, run

from picosuit.author import cbor, files, keys
from picosuit.cli import COMMANDS, group, output

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
SECONDS = 2.0  # of the processor: a refusal takes no more

DESCRIPTION = """sequence = 2
vendor-domain = "example.com"
class = "sensor-v1"
severable = ["text"]

[[component]]
id = ["app"]
file = "app.bin"
boot = true

[text.en]
update-description = "fewer crashes"
"""
PROFILE = """vendor-domain = "example.com"
class = "sensor-v1"
[memory]
work = 1024
[[component]]
id = ["app"]
capacity = 4096
[[trust-anchor]]
kid = "root"
file = "root.pub"
rights = ["update", "invoke"]
"""

# What is tried: {bad} is the hostile file, {out} must not appear.
TOML = [
    "create {bad} -o {out}",
    "check signed.suit --profile {bad}",
    "encrypt update.suit --to device.pub -o {out} --profile {bad}",
]
ENVELOPES = [
    "create update.toml --previous {bad} -o {out}",
    "encrypt {bad} --to device.pub -o {out}",
    "sign {bad} --key root.pem -o {out}",
    "sign {bad} --public root.pub --export {out}",
    "sever {bad} --all -o {out}",
    "inspect {bad}",
    "inspect {bad} --svg {out}",
    "diff {bad} signed.suit",
    "diff signed.suit {bad}",
    "check {bad} --profile device.toml",
    "check signed.suit --profile device.toml --previous {bad}",
    "push {bad} --port unix:nowhere",
]
KEYS = [
    "encrypt update.suit --to {bad} -o {out}",
    "encrypt update.suit --to-kek {bad} -o {out}",
    "sign update.suit --key {bad} -o {out}",
    "sign update.suit --public {bad} --import sig.bin -o {out}",
    "inspect signed.suit --key {bad}",
    "check signed.suit --profile device.toml --device-key {bad}",
    "key show {bad}",
    "key convert {bad} -o {out}",
    "key convert {bad} --raw ed25519 -o {out}",
    "key set {bad} -o {out}",
    "key set --key a update {bad} -o {out}",
]
OTHERS = [
    "sign update.suit --public root.pub --import {bad} -o {out}",
    "sever bare.suit --add text={bad} -o {out}",
    "check signed.suit --profile device.toml --capabilities {bad}",
    "report {bad}",
]
ALL = TOML + ENVELOPES + KEYS + OTHERS


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sound file of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("update.toml").write_text(DESCRIPTION)
        Path("device.toml").write_text(PROFILE)
        Path("app.bin").write_bytes(bytes(range(100)))
        Path("sig.bin").write_bytes(bytes(64))
        good("keygen", "root.pem")
        good("keygen", "device.pem", "--type", "x25519")
        good("keygen", "kek.cose", "--type", "a128kw")
        good("create", "update.toml")
        good("sign", "update.suit", "--key", "root.pem", "-o", "signed.suit")
        good("sever", "signed.suit", "--all", "-o", "bare.suit")
        good("check", "signed.suit", "--profile", "device.toml")
    return folder


@pytest.fixture
def here(sound: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder is the current one, and is the same afterwards."""
    monkeypatch.chdir(sound)
    monkeypatch.setattr(files, "PIPE_WAIT", 0.01)
    before = listing(sound)
    yield sound
    Path("bad").unlink(missing_ok=True)
    assert listing(sound) == before


def hostile(line: str, bad: str | Path = "bad", out: str = "out", stdin: bytes = b"") -> Result:
    start = time.process_time()
    result = run(*line.format(bad=bad, out=out).split(), stdin=stdin)
    seconds = time.process_time() - start
    assert seconds < SECONDS, (line, seconds)
    return result


def is_refusal(result: Result, line: str) -> str:
    """Status 2, one line, nothing for a terminal to obey."""
    assert result.status == 2, (line, result)
    assert result.out == b"", line
    assert result.err.startswith("picosuit: "), (line, result.err)
    assert result.err.endswith("\n"), (line, result.err)
    text = result.err[:-1]
    assert text.isprintable(), (line, text)
    assert len(text) < 1300, (line, len(text))
    return text


# -- content -----------------------------------------------------------------------------------


def bombs() -> dict[str, bytes]:
    noise = random.Random(5).randbytes
    deep = b"\x00"
    for _ in range(300):
        deep = cbor.encode(deep)
    long_text = cbor.encode("\x1b[31m" + "x" * 200_000)
    return {
        "empty": b"",
        "zero": b"\0",
        "random": noise(4096),
        "random envelope": b"\xd8\x6b" + noise(4096),
        "text": b"It is a text.\n",
        "not UTF-8": b'sequence = "\xff\xfe"\n',
        "arrays": b"\x81" * 100_000 + b"\0",
        "maps": b"\xa1\x00" * 50_000 + b"\0",
        "tags": b"\xd8\x6b" * 50_000 + b"\0",
        "nested strings": b"\xd8\x6b\xa2\x02" + deep + b"\x03" + deep,
        "long string": b"\xd8\x6b\xa1\x02\x5b" + b"\xff" * 8,
        "long array": b"\xd8\x6b\x9b\x00\x00\x00\xff" + b"\xff" * 4,
        "long map": b"\xd8\x6b\xbb" + b"\xff" * 8,
        "indefinite": b"\xd8\x6b\xbf\x02\x40\xff",
        "many items": b"\xd8\x6b\x9a\x00\x01\x86\xa0" + b"\0" * 100_000,
        "twice": b"\xd8\x6b\xa3\x02\x40\x03\x40\x03\x40",
        "long key": b"\xd8\x6b\xa1" + long_text + b"\x40",
        "control characters": b"\xd8\x6b\xa1\x65\x1b[2J\x07\x00",
        "long pem": b"-----BEGIN PRIVATE KEY-----\n" + b"A" * 70_000,
        "pem": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "pem of \x1b": b"-----BEGIN \x1b[31m-----\n",
        "two pems": 2 * b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "key with wrong point": cbor.encode({1: 1, 3: -19, -1: 6, -2: bytes(32)}),
        "key set of nothing": b"\x80",
        "toml twice": b"sequence = 1\nsequence = 2\n",
        "toml deep": b"a = " + b"[" * 100_000,
        "toml deep table": b"a" + b".a" * 50_000 + b" = 1\n",
        "toml keys": b"".join(b"k%d = 1\n" % n for n in range(70_000)),
        "toml tables": b"[[component]]\n" * 30_000,
        "toml long key": b"sequense" * 60_000 + b" = 1\n",
        "toml lines": DESCRIPTION.encode() + b"x = [\n" + b"1,\n" * 20_000 + b"]\n",
        "toml number": b"sequence = 0x" + b"f" * 9000 + b"\n",
        "toml digits": b"sequence = " + b"9" * 9000 + b"\n",
        "toml date": b"sequence = 2026-11-21\n",
        "toml escape": b'sequence = "\\u001b[31m"\n',
        "toml of 2 MB": b"# " + b"x" * 2_000_000,
    }


BOMBS = bombs()


@pytest.mark.parametrize("name", BOMBS)
def test_content(here: Path, name: str) -> None:
    Path("bad").write_bytes(BOMBS[name])
    Path("bad").chmod(0o600)
    for line in ALL:
        is_refusal(hostile(line), line)


def truncated(data: bytes) -> Iterator[bytes]:
    step = max(1, len(data) // 25)
    for end in range(0, len(data), step):
        yield data[:end]


@pytest.mark.parametrize("line", ENVELOPES)
def test_truncated_envelope(here: Path, line: str) -> None:
    for data in truncated(Path("signed.suit").read_bytes()):
        Path("bad").write_bytes(data)
        is_refusal(hostile(line), line)


@pytest.mark.parametrize("line", [line for line in KEYS if "--raw" not in line])
def test_truncated_key(here: Path, line: str) -> None:
    for name in ("root.pem", "kek.cose"):
        for data in truncated(Path(name).read_bytes().rstrip()):
            Path("bad").write_bytes(data)
            Path("bad").chmod(0o600)
            is_refusal(hostile(line), line)


def test_trailing_byte(here: Path) -> None:
    Path("bad").write_bytes(Path("signed.suit").read_bytes() + b"\0")
    for line in ENVELOPES:
        is_refusal(hostile(line), line)


def test_refusal_vectors(here: Path) -> None:
    """What the core refuses, the tool reads or refuses; it never falls over."""
    vectors = sorted((VECTORS / "refuse").glob("*.suit"))[::20]
    assert len(vectors) >= 50
    statuses = set()
    for path in vectors:
        for line in ("inspect {bad}", "diff {bad} signed.suit"):
            result = hostile(line, path)
            statuses.add(result.status)
            if result.status == 2:
                is_refusal(result, line)
            else:
                assert result.status in (0, 1), (path, result)
                assert result.err == "", (path, result)
    assert statuses == {0, 1, 2}


@pytest.mark.parametrize("part", range(2))
def test_refusal_vectors_written(here: Path, tmp_path: Path, part: int) -> None:
    """The same for commands that write: a file, or a refusal and none."""
    target = tmp_path / "out"
    for path in sorted((VECTORS / "refuse").glob("*.suit"))[part::50]:
        for line in ENVELOPES:
            result = hostile(line, path, str(target))
            if result.status == 2:
                is_refusal(result, line)
                assert listing(tmp_path) == {}, line
            else:
                assert result.status in (0, 1), (path, result)
            for left in tmp_path.iterdir():
                assert left.name in ("out", "out.txt"), left
                left.unlink()


def test_description_names_bad_files(here: Path) -> None:
    os.mkfifo("pipe")
    try:
        for name, why in (("none", "No such file"), (".", "Is a directory"), ("pipe", "pipe"),
                          ("a\\u0000b", "zero byte"), ("x" * 300, "too long"),
                          ("\\u001b[31m", "No such file")):  # fmt: skip
            Path("bad").write_text(DESCRIPTION.replace("app.bin", name))
            assert why in is_refusal(hostile("create {bad} -o {out}"), name)
    finally:
        Path("pipe").unlink()


# -- kinds of files ----------------------------------------------------------------------------


@pytest.mark.parametrize("line", ALL)
def test_no_file(here: Path, line: str) -> None:
    assert "No such file" in is_refusal(hostile(line, "none"), line)
    assert "directory" in is_refusal(hostile(line, "."), line)
    is_refusal(hostile(line, "-"), line)
    os.mkfifo("pipe")
    try:
        assert "nobody writes to this pipe" in is_refusal(hostile(line, "pipe"), line)
    finally:
        Path("pipe").unlink()


def test_pipe_with_a_slow_writer(here: Path) -> None:
    os.mkfifo("bad")
    writer = subprocess.Popen(["sh", "-c", "exec >bad; sleep 0.3; cat signed.suit"])
    try:
        for _ in range(100):  # until it has opened the pipe
            result = run("inspect", "bad", "--summary")
            if "nobody writes" not in result.err:
                break
        assert result.status == 0, result.err
    finally:
        writer.wait(10)


WRITERS = [
    "create update.toml -o {out}",
    "encrypt update.suit --to device.pub -o {out}",
    "sign update.suit --key root.pem -o {out}",
    "sign update.suit --public root.pub --export {out}",
    "sever signed.suit --all -o {out}",
    "sever bare.suit --add text=text.cbor -o {out}",
    "inspect signed.suit --svg {out}",
    "keygen {out}",
    "keygen key.new --public {out} --force",
    "key convert root.pem --public -o {out}",
    "key convert root.pem -o {out} --force",
    "key set --key a update,keys root.pub -o {out}",
]


@pytest.fixture
def text(here: Path, sound: Path) -> Iterator[None]:
    good("sever", "signed.suit", "--text", "--extract", "parts", "-o", "less.suit")
    Path("parts/text.cbor").rename("text.cbor")
    yield
    for name in ("text.cbor", "less.suit"):
        Path(name).unlink()
    Path("parts").rmdir()


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("line", WRITERS)
def test_output_to_nowhere(here: Path, line: str) -> None:
    before = listing(here)
    for out in ("none/out", ".", "parts", "x" * 300):
        is_refusal(hostile(line, out=out), line)
        assert listing(here) == before, (line, out)


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("line", WRITERS)
def test_disk_full(here: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file is still there, and nothing else."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = listing(here)
    assert "No space left" in is_refusal(hostile(line), line)
    assert listing(here) == before, line
    if "keygen" not in line:
        Path("bad").write_bytes(b"old")
        is_refusal(hostile(line, out="bad"), line)
        assert Path("bad").read_bytes() == b"old"


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("line", [w for w in WRITERS if "key" not in w.partition(" ")[0]])
def test_devices_as_output(here: Path, line: str) -> None:
    """They are written to, not replaced, whoever asks."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full")
    if "--export" not in line:
        assert "No space left" in is_refusal(hostile(line, out="/dev/full"), line)
        assert hostile(line, out="/dev/null").status == 0
    for name in ("full", "null"):
        assert stat.S_ISCHR(os.stat(f"/dev/{name}").st_mode)


@pytest.mark.parametrize("line, victim", [
    ("create update.toml -o {out}", "update.toml"),
    ("create update.toml -o {out}", "app.bin"),
    ("create update.toml -o {out}", "root.pem"),
    ("encrypt update.suit --to device.pub -o {out}", "update.suit"),
    ("encrypt update.suit --to device.pub -o {out}", "device.pub"),
    ("sign update.suit --key root.pem -o {out}", "root.pem"),
    ("sign update.suit --key root.pem -o {out}", "device.pem"),
    ("sign update.suit --key root.pem -o {out}", "kek.cose"),
    ("sign update.suit --public root.pub --export {out}", "update.suit"),
    ("sever signed.suit --all -o {out}", "signed.suit"),
    ("inspect signed.suit --svg {out}", "signed.suit"),
    ("inspect signed.suit --key root.pub --svg {out}", "root.pub"),
    ("keygen {out}", "root.pem"),
    ("keygen new.pem --public {out}", "root.pub"),
    ("key convert root.pem --public -o {out}", "root.pem"),
    ("key set --key a update,keys root.pub -o {out}", "root.pub"),
])  # fmt: skip
def test_nothing_precious_is_overwritten(here: Path, line: str, victim: str) -> None:
    is_refusal(hostile(line, out=victim), line)
    is_refusal(hostile(line, out=f"../{here.name}/{victim}"), line)
    Path("bad").symlink_to(victim)
    is_refusal(hostile(line, out="bad"), line)


def test_link_is_followed(here: Path, tmp_path: Path) -> None:
    Path("bad").symlink_to(tmp_path / "real")
    good("create", "update.toml", "-o", "bad")
    assert Path("bad").is_symlink()
    assert (tmp_path / "real").read_bytes() == Path("update.suit").read_bytes()


# -- interrupted -------------------------------------------------------------------------------

# Whoever started the tests, in the background or by nohup, may have had signals ignored.
SLOW = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
real = os.fsync
def fsync(handle):
    real(handle)
    print("here", flush=True)
    time.sleep(30)
os.fsync = fsync
from picosuit.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_while_writing(here: Path, number: signal.Signals) -> None:
    Path("bad").write_bytes(b"old")
    before = listing(here)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, "sign", "update.suit", "--key", "root.pem", "-o", "bad"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"here\n"
        assert listing(here) != before
        process.send_signal(number)
        assert process.wait(10) == (130 if number == signal.SIGINT else 128 + number)
        assert b"Traceback" not in process.stderr.read()
    assert listing(here) == before


def shell(line: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m picosuit.cli"
    return subprocess.run(["bash", "-c", line.replace("picosuit", command, 1)], check=False,
                          capture_output=True, text=True, timeout=20)  # fmt: skip


@pytest.mark.parametrize("line", [
    "picosuit inspect signed.suit >/dev/full",
    "picosuit --json inspect signed.suit >/dev/full",
    "picosuit create update.toml -o - >/dev/full",
    "picosuit inspect signed.suit >&-",
    "picosuit inspect - <&-",
    "picosuit inspect none",
])  # fmt: skip
def test_streams_that_are_full_or_closed(here: Path, line: str) -> None:
    done = shell(line)
    is_refusal(Result(done.returncode, done.stdout.encode(), done.stderr), line)


def test_nothing_is_said_where_nobody_listens(here: Path) -> None:
    done = shell("picosuit inspect none 2>&-")
    assert (done.returncode, done.stdout) == (2, "")
    done = shell("picosuit inspect signed.suit | head -n 1")
    assert done.stderr == "" and done.stdout.count("\n") == 1


def test_character_set(here: Path) -> None:
    """A terminal that knows less than the text."""
    Path("bad").write_text(DESCRIPTION.replace("fewer", "wenig \u00e4rger \u2192"))
    good("create", "bad", "-o", "update.new")
    with mock.patch.dict(os.environ, {"PYTHONIOENCODING": "ascii"}):
        done = shell("picosuit inspect update.new")
    Path("update.new").unlink()
    assert done.returncode == 0 and "wenig \\xe4rger \\u2192" in done.stdout, done


# -- results for scripts -----------------------------------------------------------------------


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("line", [
    *WRITERS, "inspect signed.suit", "inspect signed.suit --summary", "inspect signed.suit --at 9",
    "diff signed.suit update.suit", "check signed.suit --profile device.toml", "key show root.pem",
    "key show root.pem --c-array root", "key show kek.cose",
])  # fmt: skip
def test_json(here: Path, tmp_path: Path, line: str) -> None:
    """JSON, and nothing else on either stream; no secret in it."""
    if line.startswith("key convert root.pem -o"):
        line += " --pem"
    line = line.replace("key.new", str(tmp_path / "key.new"))
    result = run("--json", *line.format(out=tmp_path / "out").split())
    assert result.status in (0, 1) and result.err == "", result
    data = result.data
    assert isinstance(data, dict) and data
    if "{out}" in line and "--public {out}" not in line:
        assert str(tmp_path / "out") in (data.get("file"), data.get("svg")), data
    for name in ("root.pem", "device.pem", "kek.cose"):
        secret = keys.load(name).secret
        assert secret is not None and secret.hex().encode() not in result.out


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize("line", WRITERS)
def test_standard_output_has_the_file_alone(here: Path, tmp_path: Path, line: str) -> None:
    if line.startswith("keygen"):
        line = line.replace("keygen {out}", f"keygen {{out}} --public {tmp_path}/public").replace(
            "key.new", f"{tmp_path}/key.new")  # fmt: skip
    result = good(*line.format(out="-").split())
    as_json = good("--json", *line.replace("--public /", "--force --public /")
                   .format(out="-").split())  # fmt: skip
    if "encrypt" not in line and "keygen" not in line:
        assert as_json.out == result.out
    assert result.out and b"signed: 1" not in result.out and not result.out.startswith(b"{")
    json.loads(as_json.err)


def test_keys_with_a_passphrase_or_open_to_others(here: Path, tmp_path: Path) -> None:
    """Each command that takes a secret key takes it the same way."""
    secret = {"PICOSUIT_PASSPHRASE": "correct horse"}
    root, device = tmp_path / "root.pem", tmp_path / "device.pem"
    for name, kind in ((root, "ed25519"), (device, "x25519")):
        good("keygen", name, "--type", kind, "--passphrase", env=secret)
    for line in (
        f"sign update.suit --key {root} -o {tmp_path}/out",
        f"inspect signed.suit --key {root} --summary",
        f"check signed.suit --profile device.toml --device-key {device}",
        f"key show {root}",
    ):
        result = run(*line.split())
        assert "set PICOSUIT_PASSPHRASE" in is_refusal(result, line)
        assert run(*line.split(), env=secret).status != 2, line  # inspect: not by this key
        for name in (root, device):
            name.chmod(0o644)
        assert "--insecure-permissions" in is_refusal(run(*line.split(), env=secret), line)
        assert run(*line.split(), "--insecure-permissions", env=secret).status != 2, line
        for name in (root, device):
            name.chmod(0o600)


def test_private_files(here: Path, tmp_path: Path) -> None:
    """0600 from the first byte on, whatever the umask."""
    modes = []
    real = output._beside

    def beside(*arguments: object) -> str:
        name = real(*arguments)  # type: ignore[arg-type]
        modes.append(stat.S_IMODE(os.stat(name).st_mode))
        return name

    old = os.umask(0)
    try:
        with mock.patch.object(output, "_beside", beside):
            good("keygen", tmp_path / "a")
            good("key", "convert", "root.pem", "-o", tmp_path / "b")
            good("keygen", tmp_path / "a", "--force")
    finally:
        os.umask(old)
    assert modes == [0o600, 0o666, 0o600, 0o600, 0o666]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


# -- help and completion -----------------------------------------------------------------------


def complete(*words: str) -> list[str]:
    """What bash is told."""
    env = {"_PICOSUIT_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words),
           "COMP_CWORD": str(len(words) - 1)}  # fmt: skip
    return run(env=env).out.decode().splitlines()


def test_completion() -> None:
    assert complete("picosuit", "s") == ["plain,sign", "plain,sever"]
    assert complete("picosuit", "") == [f"plain,{name}" for name in COMMANDS]
    assert "plain,--public" in complete("picosuit", "sign", "--pu")
    assert complete("picosuit", "keygen", "--type", "x") == ["plain,x25519"]
    assert complete("picosuit", "key", "c") == ["plain,convert"]


def parameters() -> list[tuple[str, str]]:
    """Those that name a file or a folder."""
    found = []

    def walk(command: click.Command, words: str) -> None:
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                below = command.get_command(click.Context(command), name)
                assert below is not None
                walk(below, f"{words} {name}")
            return
        assert command.help, words
        for parameter in command.params:
            hint = f"{parameter.metavar or ''}"
            if isinstance(parameter, click.Option):
                assert parameter.help, (words, parameter.name)
            is_option = isinstance(parameter, click.Option)
            if hint in ("FILE", "DIR") or (not is_option and parameter.name != "shell"):
                found.append((words, parameter.opts[0] if is_option else ""))

    walk(group, "picosuit")
    return found


@pytest.mark.parametrize("words, option", parameters())
def test_names_of_files_are_completed(words: str, option: str) -> None:
    said = complete(*words.split(), *([option] if option else []), "")
    assert said and said[0].startswith(("file,", "dir,")), (words, option, said)


def test_without_arguments() -> None:
    result = run()
    assert result.status == 2 and result.out == b"" and "Commands:" in result.err
    assert "picosuit:" not in result.err
