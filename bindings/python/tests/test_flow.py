# SPDX-License-Identifier: MIT
"""The picture of the command flow: well-formed, the same each time, nothing overlaps."""
from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import clirun
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from picosuit.author import cbor, flow
from picosuit.author.cbor import Wrap
from picosuit.author.envelope import Envelope, build
from picosuit.author.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "vectors"
DEMO = VECTORS / "suit/demo_encrypted_ab.suit"
SVG = "{http://www.w3.org/2000/svg}"


def picture(path: Path) -> ET.Element:
    return ET.fromstring(flow.draw(Envelope(path.read_bytes(), path.name)))


def boxes(root: ET.Element) -> Iterator[tuple[float, float, float, float, str]]:
    """Where each text stands: left, top, right, bottom. Turned ones are left out."""
    for item in root.iter(f"{SVG}text"):
        if "transform" in item.attrib:
            continue
        text = item.text or "".join(part.tail or "" for part in item)
        width = cell_len(text) * flow.CELL
        x, y = float(item.attrib["x"]), float(item.attrib["y"])
        left = {"start": x, "middle": x - width / 2, "end": x - width}[item.attrib["text-anchor"]]
        yield left, y - flow.FONT_SIZE, left + width, y + 2, text


def check(root: ET.Element) -> None:
    found = list(boxes(root))
    height = float(root.attrib["height"])
    assert found
    for left, top, right, bottom, text in found:
        assert left >= 0 and right <= flow.WIDTH + 1, text
        assert top >= 0 and bottom <= height, text
    found.sort(key=lambda box: box[1])
    for n, one in enumerate(found):
        for other in found[n + 1 :]:
            if other[1] >= one[3] - 2:
                break
            assert other[2] <= one[0] + 1 or other[0] >= one[2] - 1, (one, other)


def test_every_vector_can_be_drawn_without_overlaps() -> None:
    for path in sorted((VECTORS / "suit").glob("*.suit")):
        check(picture(path))


def test_the_same_envelope_gives_the_same_bytes() -> None:
    data = DEMO.read_bytes()
    assert flow.draw(Envelope(data)) == flow.draw(Envelope(data))


def test_the_encrypted_ab_update() -> None:
    root = picture(DEMO)
    texts = [box[4] for box in boxes(root)]
    for text in ("#a", "#b", "t", "[h'00']", "way 1", "way 2", "check slot 0", "else way 2",
                 "copy, decrypting it", "(20)", "start"):  # fmt: skip
        assert text in texts
    arrows = [e for e in root.iter(f"{SVG}path") if e.attrib.get("stroke-dasharray")]
    assert len(arrows) == 3  # two copies, and the legend
    turned = [e.text for e in root.iter(f"{SVG}text") if "transform" in e.attrib]
    assert turned == ["ALWAYS", "UPDATE", "INVOKE"]


def test_what_refused_envelopes_look_like() -> None:
    drawn = 0
    for path in sorted((VECTORS / "refuse").glob("*.suit"))[::7]:
        try:
            envelope = Envelope(path.read_bytes(), path.name)
        except Problem:
            continue
        check(ET.fromstring(flow.draw(envelope)))
        drawn += 1
    assert drawn > 80


def test_severed_sections_are_shown_as_such() -> None:
    texts = [box[4] for box in boxes(picture(VECTORS / "suit/draft_ex2_severed.suit"))]
    assert "severed: taken out of the envelope" in texts


def test_long_sequences_are_cut() -> None:
    path = VECTORS / "suit/steps_2000.suit"
    assert len(flow.draw(Envelope(path.read_bytes())).splitlines()) < 3000


TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=80)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.lists(st.lists(st.binary(max_size=12), max_size=3), min_size=1, max_size=20))
def test_hostile_texts_stay_text(uri: str, components: list[list[bytes]]) -> None:
    manifest = cbor.encode({
        1: 1, 2: 2**64 - 1, 3: Wrap({2: components}), 4: uri,
        20: Wrap([12, True, 20, {21: uri + "</text>&<script>", 5: 1}, 21, 2,
                  15, [Wrap([5, 0, 12, 0, 21, 0]), Wrap([-9, uri])]]),
    })  # fmt: skip
    root = ET.fromstring(flow.draw(Envelope(build(manifest))))
    check(root)
    assert not list(root.iter(f"{SVG}script"))


def test_command(tmp_path: Path) -> None:
    target = tmp_path / "flow.svg"
    result = clirun.run("inspect", "--svg", str(target), str(DEMO))
    assert result.status == 0 and target.read_text() == flow.draw(Envelope(DEMO.read_bytes()))
    manifest = tmp_path / "manifest.cbor"
    manifest.write_bytes(Envelope(DEMO.read_bytes()).manifest.encoded)
    result = clirun.run("inspect", "--svg", str(tmp_path / "other.svg"), str(manifest))
    assert result.status == 2 and "no envelope but a manifest" in result.err
    assert not (tmp_path / "other.svg").exists()


def test_the_picture_of_the_documents_is_that_of_today() -> None:
    """picosuit inspect vectors/suit/demo_encrypted_ab.suit --svg docs/encrypted-ab.svg"""
    assert (ROOT / "docs/encrypted-ab.svg").read_text() == flow.draw(Envelope(DEMO.read_bytes()))


@pytest.mark.parametrize("text", ["", "a" * 500, "\u4e16\u754c " * 60, "http://x/" + "\u200b" * 90])
def test_wide_and_long_texts_fit(text: str) -> None:
    manifest = cbor.encode({
        1: 1, 2: 1, 3: Wrap({2: [[b"a"]]}), 20: Wrap([20, {21: text}, 21, 2]),
    })  # fmt: skip
    check(ET.fromstring(flow.draw(Envelope(build(manifest)))))
