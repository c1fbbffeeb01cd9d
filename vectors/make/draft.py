# SPDX-License-Identifier: MIT
"""The six examples of draft-ietf-suit-manifest-37, Appendix B, rebuilt from their description.

The SHA-256 of each manifest (in its byte string) must be the published one, or this fails. The
images of the draft are unknown, so the first image-match or fetch decides. `like_ex*` are the
same manifests for images that exist: they run to their end.
"""
from __future__ import annotations

from typing import Any

from accept import C0, C1, C2, FIRMWARE, OTHER, accept, add_refusal
from record import Blob, blocks
from suit import IDENTITY, Pairs, Wrap, cbor, digest_of_bstr, envelope, image

FILE = "http://example.com/file.bin"
FILE1, FILE2 = "http://example.com/file1.bin", "http://example.com/file2.bin"
LONG = "http://example.com/very/long/path/to/file/file.bin"
REFERENCE = "https://git.io/JJYoj"

DIGESTS = (
    "6658ea560262696dd1f13b782239a064da7c6c5cbaf52fded428a6fc83c7e5af",
    "1f2e7acca0dc2786f2fe4eb947f50873a6a3cfaa98866c5b02e621f42074daf2",
    "6a5197ed8f9dccf733d1c89a359441708e070b4c6dcb9a1c2c82c6165f609b90",
    "f6d44a62ec906b392500c242e78e908e9cc5057f3f04104a06a8566200da2ee0",
    "5b5f6586b1e6cdf19ee479a5adabf206581000bd584b0832a9bdaf4f72cdbdd6",
    "15ce60f77657e4531dc329155f8b0ed78f94bdc6d165b2665473693dcc34f470",
)

DESCRIPTION = "\n    ".join((
    "## Example 2: Simultaneous Download, Installation, Secure Boot, Severed Fields\n",
    "This example covers the following templates:",
    "",
    "* Compatibility Check ({{template-compatibility-check}})",
    "* Secure Boot ({{template-secure-boot}})",
    "* Firmware Download ({{firmware-download-template}})",
    "",
    "This example also demonstrates severable elements ({{ovr-severable}}), and text "
    "({{manifest-digest-text}}).",
))
COMPONENT_TEXT = ("This component is a demonstration. The digest is a sample pattern, not a real "
                  "one.")
TEXT = cbor({"en-US": Pairs([
    (1, DESCRIPTION), (C0, {3: "arm.com", 5: COMPONENT_TEXT})])})

Image = dict[int, Any]


def example(number: int, first: Image, second: Image) -> tuple[dict[int, Any], dict[Any, bytes]]:
    """Manifest and severed members, for the images given as digest and size."""
    match, compatible = [3, 15], [1, 15, 2, 15]
    one = {2: [C0], 4: Wrap([20, IDENTITY | first, *compatible])}
    head: dict[int, Any] = {1: 1, 2: number, 3: Wrap(one)}
    if number == 0:
        return head | {7: Wrap(match), 9: Wrap([23, 2])}, {}
    if number == 1:
        install = [20, {21: FILE}, 21, 2, *match]
        return head | {7: Wrap(match), 20: Wrap(install)}, {}
    if number == 2:
        severed = {20: cbor([20, {21: LONG}, 21, 2, *match]), 23: TEXT}
        return head | {4: REFERENCE, 7: Wrap(match), 9: Wrap([23, 2])} | {
            key: digest_of_bstr(content) for key, content in severed.items()}, severed
    if number == 3:
        images = [Wrap([20, {5: slot}, 5, 5, 20, params])
                  for slot, params in enumerate((first, second))]
        sources = [Wrap([20, {5: slot}, 5, 5, 20, {21: uri}])
                   for slot, uri in enumerate((FILE1, FILE2))]
        shared = [20, IDENTITY, 15, images, *compatible]
        return {1: 1, 2: 3, 3: Wrap({2: [C0], 4: Wrap(shared)}), 7: Wrap(match),
                20: Wrap([15, sources, 21, 2, *match])}, {}
    if number == 4:
        shared = [12, 0, 20, IDENTITY | first, *compatible]
        return {
            1: 1, 2: 4, 3: Wrap({2: [C0, C2, C1], 4: Wrap(shared)}),
            7: Wrap([12, 0, *match]),
            8: Wrap([12, 2, 20, second | {22: 0}, 22, 2, *match]),
            9: Wrap([12, 2, 23, 2]),
            16: Wrap([12, 1, 20, {3: first[3], 21: FILE}, 21, 2, *match]),
            20: Wrap([12, 0, 20, {22: 1}, 22, 2, *match]),
        }, {}
    shared = [12, 0, 20, IDENTITY | first, *compatible, 12, 1, 20, second]
    return {
        1: 1, 2: 5, 3: Wrap({2: [C0, C1], 4: Wrap(shared)}),
        7: Wrap([12, 0, *match, 12, 1, *match]),
        9: Wrap([12, 0, 23, 2]),
        20: Wrap([12, 0, 20, {21: FILE1}, 21, 2, *match,
                  12, 1, 20, {21: FILE2}, 21, 2, *match]),
    }, {}


def published(digest: str, size: int) -> Image:
    return {3: Wrap([-16, bytes.fromhex(digest)]), 14: size}


FIRST = published("00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210", 34768)
SECOND = published("0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff", 76834)


def draft() -> None:
    bodies = []
    for number, digest in enumerate(DIGESTS):
        body, severed = example(number, FIRST, SECOND)
        found = digest_of_bstr(cbor(body))[1].hex()
        assert found == digest, f"example {number}: {found}"
        bodies.append((body, severed))

    def refuse(number: int, what: str, source: str, expect: str, at: str, *, severed: bool = False,
               **more: Any) -> None:
        body, members = bodies[number]
        name = f"draft_ex{number}{'_severed' * severed}"
        add_refusal(f"{name}{what}", f"draft-ietf-suit-manifest-37 example {number}: {source}",
                    envelope(body, members={} if severed else members), expect, at,
                    file=f"suit/{name}.suit", writes=more.pop("writes", 0), **more)

    capacity = "its image is larger than the component"
    match: Any = {"label": 3, "stage": "run"}
    refuse(0, "", "secure boot; its image is unknown", "E_CONDITION", "3/7/[0]", section=7,
           procedure="invoke", initial={0: FIRMWARE}, **match)
    refuse(0, "_update", "UPDATE has only validate to do", "E_CONDITION", "3/7/[0]", section=7,
           **match)
    refuse(1, "", capacity, "E_CAPACITY", "3/20/[2]", section=20, stage="run",
           payloads={FILE: FIRMWARE})
    refuse(2, "", f"install and text severed, both present; {capacity}", "E_CAPACITY", "20/[2]",
           section=20, stage="run", payloads={LONG: FIRMWARE})
    refuse(2, "_invoke", "INVOKE; its image is unknown", "E_CONDITION", "3/7/[0]", section=7,
           procedure="invoke", **match)
    refuse(2, "", "install and text severed and gone: UPDATE needs one", "E_SEVERED", "3/@20",
           severed=True, stage="begin", label=20, needs=("SEVERED",))
    refuse(2, "_invoke", "INVOKE does not need them; its image is unknown", "E_CONDITION",
           "3/7/[0]", severed=True, section=7, procedure="invoke", needs=("SEVERED",), **match)
    for slot in (0, 1):
        refuse(3, "_slot1" * slot, f"A/B, slot {slot}; {capacity}", "E_CAPACITY", "3/20/[2]",
               section=20, slot=slot, stage="run", payloads={FILE1: FIRMWARE, FILE2: OTHER},
               needs=("SLOTS",))
    refuse(3, "_slot2", "A/B on a device with a third slot", "E_TRY", "3/3/4/[2]", section=3,
           slot=2, stage="run", needs=("SLOTS",))
    refuse(4, "", "the staging component has a digest, but no size", "E_CONDITION", "3/16/[6]",
           section=16, payloads={FILE: FIRMWARE}, writes=blocks(FIRMWARE), **match)
    refuse(4, "_invoke", "INVOKE; its image is unknown", "E_CONDITION", "3/7/[2]", section=7,
           procedure="invoke", initial={0: FIRMWARE}, **match)
    refuse(5, "", capacity, "E_CAPACITY", "3/20/[4]", section=20, stage="run",
           payloads={FILE1: FIRMWARE, FILE2: OTHER})
    refuse(5, "_invoke", "INVOKE; its image is unknown", "E_CONDITION", "3/7/[2]", section=7,
           procedure="invoke", initial={0: FIRMWARE, 1: OTHER}, **match)


def like() -> None:
    first, second = image(FIRMWARE.data), image(OTHER.data)

    def runs(number: int, what: str, source: str, payloads: dict[str, Blob], **more: Any) -> None:
        body, members = example(number, first, second)
        if number == 4:  # the draft forgets the size of the staged file, and loads another image
            body[3].value[4].value.extend([12, 1, 20, {14: len(FIRMWARE)}])
            body[8] = Wrap([12, 2, 20, {**first, 22: 0}, 22, 2, 3, 15])
        held = {0: FIRMWARE} | more.pop("after", {})
        writes = more.pop("writes", blocks(*(held[n] for n in sorted(held))))
        accept(f"like_ex{number}{what}", f"example {number} of the draft with images that exist: "
               f"{source}", body, members=members, payloads=payloads, after=held, writes=writes,
               file=f"suit/like_ex{number}.suit", **more)

    runs(0, "", "secure boot", {}, procedure="invoke", initial={0: FIRMWARE}, writes=0, invoked=0)
    runs(1, "", "download and install", {FILE: FIRMWARE})
    runs(2, "", "severed, then booted", {LONG: FIRMWARE}, procedure="update,invoke", invoked=0)
    runs(3, "", "A/B, slot 0", {FILE1: FIRMWARE, FILE2: OTHER}, needs=("SLOTS",))
    runs(3, "_slot1", "A/B, slot 1", {FILE1: FIRMWARE, FILE2: OTHER}, needs=("SLOTS",), slot=1,
         after={0: OTHER})
    runs(4, "", "external storage, then loaded and booted", {FILE: FIRMWARE},
         procedure="update,invoke", after={1: FIRMWARE, 2: FIRMWARE}, invoked=1)
    runs(5, "", "two images, then booted", {FILE1: FIRMWARE, FILE2: OTHER},
         procedure="update,invoke", after={1: OTHER}, invoked=0)


def build() -> None:
    draft()
    like()
