# SPDX-License-Identifier: MIT
"""Reports: what is read is what stands there, and hostile bytes give one clear line.

The reports are built with cbor2, as docs/boot.md and the report draft have them.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picosuit import Code
from picosuit.author import report as reports
from picosuit.author.problem import Problem
from picosuit.author.report import BootState, Capabilities, Claims, Failure, Place
from picosuit.cli import main

DIGEST = bytes(range(32))
FAILED = {5: -62, 6: [[], 20, 34, 1, {}], 7: 11}


def transfer(result: Any = True, records: Any = ()) -> dict[int, Any]:
    return {3: list(records), 4: result, 99: ["coap://u.example/2", [-16, DIGEST]]}


def boot(result: Any = True, state: Any = (1, 0, 0, 7, 0, None, None)) -> dict[int, Any]:
    claims = {0: [b"\0"], 3: cbor2.dumps([-16, DIGEST]), 14: 3352}
    return {3: [claims], 4: result, 99: ["", [-16, DIGEST]], -1: list(state)}


def words(data: dict[int, Any]) -> dict[str, str]:
    return dict(reports.in_words(reports.read(cbor2.dumps(data))))


def test_report_of_a_transfer() -> None:
    report = reports.read_report(cbor2.dumps(transfer(FAILED)))
    assert (report.uri, report.digest, report.nonce) == ("coap://u.example/2", DIGEST, None)
    assert report.failure == Failure(-62, 11, Place(20, 34, 1, {}))
    assert words(transfer(FAILED)) == {
        "manifest": f"coap://u.example/2, SHA-256 {DIGEST.hex()}",
        "result": "refused: E_DECRYPT (-62), payload cannot be decrypted",
        "where": "byte 34 of install, component 1", "reason": "operation failed",
    }  # fmt: skip
    assert words(transfer())["result"] == "done"
    under_way = {5: 0, 6: [[], 16, 0, 0, {}], 7: 0}
    assert words(transfer(under_way))["result"] == "not over"


def test_report_with_everything() -> None:
    data = {
        2: b"\1\2", 3: [[[], 3, 7, 0, {1: b"v"}], {0: [b"app", b"\0"], 5: 1}], 4: FAILED,
        8: {1: [[b"app"], [True]], 2: [1, 21, 99], 3: [3], 4: [-16]},
        99: ["x", cbor2.dumps([-16, DIGEST])],
    }  # fmt: skip
    report = reports.read_report(cbor2.dumps(data))
    assert report.nonce == b"\1\2" and report.digest == DIGEST
    assert report.records == [Place(3, 7, 0, {1: b"v"}),
                              Claims((b"app", b"\0"), b"", None, {5: 1})]  # fmt: skip
    assert report.capabilities == Capabilities(
        [((b"app",), False), ((), True)], {2: [1, 21, 99], 3: [3], 4: [-16]})  # fmt: skip
    rows = words(data)
    assert rows["record"] == "byte 7 of shared-sequence, component 0, vendor-identifier b'v'"
    assert rows["image"] == "['app', h'00'], component-slot 1"
    assert rows["commands"] == "condition-vendor-identifier, directive-fetch, 99"
    assert rows["components"] == "['app'], [] and all below"
    assert json.loads(json.dumps(reports.as_data(report), default=bytes.hex))["nonce"] == "0102"


@pytest.mark.parametrize("result, state, want", [
    (True, (1, 0, 0, 7, 0, None, None),
     {"runs": "slot 0", "state": "idle", "last update": "none, or confirmed"}),
    (True, (0, 255, 0, 0, 0, None, None), {"runs": "nothing, safe mode", "state": "no journal"}),
    ({5: 0, 6: [[], 0, 0, 0, {}], 7: 12}, (3, 1, 2, 7, 1, 8, 3),
     {"state": "candidate on trial: sequence number 8, started 2 times; rejected before: "
      "sequence number 3", "last update": "not over, invoke pending",
      "accepts": "sequence numbers from 7 on; key set 1"}),
    ({5: -38, 6: [[], 0, 0, 0, {}], 7: 11}, (1, 0, 0, 7, 0, None, 8),
     {"last update": "rejected: E_TRIAL (-38), running image not confirmed"}),
])  # fmt: skip
def test_report_of_the_boot_state(result: Any, state: Any, want: dict[str, str]) -> None:
    assert reports.read_report(cbor2.dumps(boot(result, state))).boot == BootState(*state)
    rows = words(boot(result, state))
    assert rows["image"] == f"[h'00'], 3352 bytes, SHA-256 {DIGEST.hex()}"
    assert {key: rows[key] for key in want} == want


def test_report_of_a_device_that_has_nothing() -> None:
    data = {3: [], 4: True, 99: ["", [-16, b""]], -1: [0, 255, 0, 0, 0, None, None]}
    assert words(data) == {
        "runs": "nothing, safe mode", "state": "no journal", "last update": "none, or confirmed",
        "accepts": "sequence numbers from 0 on; key set 0",
    }  # fmt: skip


def changed(data: dict[int, Any], **changes: Any) -> dict[int, Any]:
    """With other members: k99 replaces key 99, None takes it away."""
    data = dict(data)
    for name, value in changes.items():
        key = int(name.removeprefix("k").replace("m", "-"))
        if value is None:
            del data[key]
        else:
            data[key] = value
    return data


@pytest.mark.parametrize("data, what", [
    (b"", "CBOR ends where an item is expected"),
    (b"\x80", "the report is an array, not a map"),
    (b"\xbf\xff", "indefinite length"),
    (b"\x81" * 100, "nested deeper"),
    (b"\xa2\x01\x80\x01\x80", "map key twice"),
    (changed(transfer(), k4=None), "no result"),
    (changed(transfer(), k3=None), "no list of records"),
    ({3: [], 4: True, 7: 1} | transfer(), "unknown member 7"),
    (changed(transfer(), k99=[b"x", [-16, DIGEST]]), "reference URI is a byte string"),
    (changed(transfer(), k99=["x"]), "the reference has 1 elements, not 2"),
    (changed(transfer(), k99=["x", [-16, DIGEST[:31]]]), "a digest of 31 bytes is not SHA-256"),
    (changed(transfer(), k99=["x", [-44, bytes(64)]]), "algorithm -44, not SHA-256"),
    (changed(transfer(), k99=["x", b"\xff"]), "indefinite length"),
    (transfer(False), "the result is a simple value, not a map"),
    (transfer({5: -62, 7: 11}), "no record of the result"),
    (transfer(FAILED | {7: 13}), "reason 13"),
    (transfer(FAILED | {8: 1}), "unknown member 8"),
    (transfer(FAILED | {6: [[], 20, 34, 1]}), "a record has 4 elements, not 5"),
    (transfer(FAILED | {6: [[1], 20, 34, 1, {}]}), "record of a dependency"),
    (transfer(FAILED | {6: [[], -20, 34, 1, {}]}), "section of a record is a negative integer"),
    (transfer(FAILED | {5: "x"}), "the code is no integer"),
    (transfer(records=[1]), "claims or a record is an unsigned integer"),
    (transfer(records=[{3: b""}]), "no component identifier"),
    (transfer(records=[{0: ["a"]}]), "part of a component identifier is a text"),
    (boot(state=(1, 0, 0, 7, 0, None)), "the boot state has 6 elements, not 7"),
    (boot(state=(5, 0, 0, 7, 0, None, None)), "phase 5"),
    (boot(state=(1, 0, 0, -7, 0, None, None)), "number of the boot state is a negative"),
    (boot(state=(1, 0, 0, 7, 0, "x", None)), "a sequence number is a text"),
    ({1: [], 2: [], 3: []}, "no algorithms (key 4)"),
    ({1: [[1]], 2: [], 3: [], 4: []}, "part of a component identifier"),
    ({1: [], 2: ["x"], 3: [], 4: []}, "a capability is no integer"),
])  # fmt: skip
def test_report_that_is_none(data: Any, what: str) -> None:
    data = data if isinstance(data, bytes) else cbor2.dumps(data)
    with pytest.raises(Problem) as error:
        reports.read(data, "file")
    assert what in str(error.value)
    assert str(error.value).startswith("file: byte ") and "\n" not in str(error.value)


def test_report_capabilities_are_no_report() -> None:
    with pytest.raises(Problem, match="a capability report"):
        reports.read_report(cbor2.dumps({1: [], 2: [], 3: [], 4: []}))


SAMPLES = [cbor2.dumps(data) for data in (
    transfer(FAILED), boot({5: -38, 6: [[], 0, 0, 0, {}], 7: 11}, (3, 1, 2, 7, 1, 8, 3)),
    {1: [[b"app"], [True]], 2: [1, 21, 99], 3: [3], 4: [-16]})]  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(SAMPLES), st.data())
def test_report_changed_anywhere_is_read_or_refused(data: bytes, draw: st.DataObject) -> None:
    """Never another exception; and what is read can be shown."""
    hostile = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        hostile[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    end = draw.draw(st.integers(0, len(data)))
    try:
        report = reports.read(bytes(hostile[: end or None]))
    except Problem as problem:
        assert "\n" not in str(problem)
        return
    assert all("\n" not in title for title, _ in reports.in_words(report))
    json.dumps(reports.as_data(report), default=bytes.hex)


def test_command_explains_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report"
    path.write_bytes(SAMPLES[0])
    with pytest.raises(SystemExit) as ended:
        main(["report", str(path)])
    assert ended.value.code == 0
    assert "refused: E_DECRYPT (-62)" in capsys.readouterr().out
    path.write_bytes(SAMPLES[0][:-1])
    with pytest.raises(SystemExit) as ended:
        main(["report", str(path)])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.startswith(f"picosuit: {path}: byte ") and captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["x", "--port", "unix:x"]])
def test_command_wants_one_source(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments])
    assert ended.value.code == 2
    assert "either a file or --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "label", "section", "name"),
    [(Code.E_AUTH, 2, 0, "authentication-wrapper"), (Code.E_ROLLBACK, 2, 0, "sequence-number"),
     (Code.E_CONDITION, 2, 3, "condition-class-identifier"),
     (Code.E_INDEX, 12, 20, "directive-set-component-index"),
     (Code.E_PARAM, 19, 20, "encryption-info"), (Code.E_DIGEST, 22, 20, "directive-copy"),
     (Code.E_DIGEST, 3, 0, "manifest"), (Code.E_MEMBER, 2, 0, None)],
)  # fmt: skip
def test_what_a_label_is_depends_on_the_code(
    code: Code, label: int, section: int, name: str | None
) -> None:
    assert reports.label_name(code, label, section) == name
