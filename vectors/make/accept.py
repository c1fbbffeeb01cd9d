# SPDX-License-Identifier: MIT
"""Envelopes that must be carried out: one for each feature of the manifest draft."""
from __future__ import annotations

import uuid
from typing import Any

import cbor2

from record import Blob, Vector, blob, blocks, features
from suit import (
    ANY, CLASS, COMPATIBLE, ED25519, EDDSA_KEY, IDENTITY, ROOT, STRANGER, UPDATER, VENDOR,
    Key, Pairs, Tag, Wrap, cbor, digest_of_bstr, end_of, envelope, image, mac0, manifest,
    sign1, with_image,
)

C0, C1, C2 = [b"\0"], [b"\1"], [b"\2"]
STAGE, T, TRUSTED, KEY_STORE, DENIED, U = (
    [name] for name in (b"stage", b"t", b"trusted", b"keys", b"denied", b"u")
)
DEVICE_ID = uuid.uuid5(uuid.UUID(bytes=VENDOR), "device-1").bytes
URI = "http://example.com/file.bin"

FIRMWARE = blob("firmware", 1000)
SECOND = blob("second", 300)
THIRD = blob("third", 100)
OTHER = blob("other", 1000)  # not FIRMWARE, but of its size

VECTORS: list[Vector] = []


def accept(name: str, source: str, body: Any, **more: Any) -> Vector:
    """A vector from a manifest description. Arguments of envelope() and fields of Vector."""
    parts = {k: more.pop(k) for k in ("keys", "members", "blocks", "pairs") if k in more}
    data = envelope(body, **parts)
    assert end_of(data, 0) == len(data) and cbor2.loads(data).tag == 107
    more["needs"] = features(data, more.get("needs", ()))
    vector = Vector(name, source, data, **more)
    VECTORS.append(vector)
    return vector


def add_refusal(
    name: str, source: str, data: bytes, expect: str, at: str, **more: Any
) -> None:
    """A vector of this folder that is refused all the same."""
    more["needs"] = features(data, more.get("needs", ()))
    VECTORS.append(Vector(name, source, data, expect=expect, at=at, **more))


def installs(name: str, source: str, body: Any, **more: Any) -> Vector:
    """The envelope carries FIRMWARE as #fw and ends with it in component 0."""
    more.setdefault("after", {0: FIRMWARE})
    more.setdefault("writes", blocks(FIRMWARE))
    members = {"#fw": FIRMWARE.data, **more.pop("members", {})}
    return accept(name, source, body, members=members, **more)


def fetch(uri: str) -> list[Any]:
    return [20, {21: uri}, 21, 2]


def simple(install: list[Any] | None = None, **more: Any) -> dict[Any, Any]:
    """One component that becomes FIRMWARE; by default from the payload #fw."""
    more.setdefault("shared", with_image(FIRMWARE.data))
    more.setdefault("validate", [3, 15])
    return manifest(install=install or [*fetch("#fw"), 3, 15], **more)


def several(*targets: tuple[Any, Blob | None], **more: Any) -> dict[Any, Any]:
    """Several components, each with the digest and size of what it will hold (None: without)."""
    shared: list[Any] = [12, True, 20, IDENTITY, *COMPATIBLE]
    for index, (_, payload) in enumerate(targets):
        if payload is not None:
            shared += [12, index, 20, image(payload.data)]
    return manifest(shared, [component for component, _ in targets], **more)


# -- members -----------------------------------------------------------------------------------


def members() -> None:
    accept("fetch_uri", "the smallest update: fetch from a URI, image-match",
           simple([*fetch(URI), 3, 15]),
           payloads={URI: FIRMWARE}, after={0: FIRMWARE}, writes=blocks(FIRMWARE))
    installs("fetch_integrated", "the same from a payload in the envelope", simple())
    for slot, payload in enumerate((FIRMWARE, OTHER)):
        accept(f"plain_320{'_slot1' * slot}", "plain A/B update of one component, manifest of "
               f"about 320 bytes; the device writes slot {slot}", plain_320(),
               file="suit/plain_320.suit", slot=slot, payloads=PLAIN_320, needs=("SLOTS",),
               after={0: payload}, writes=blocks(payload))
    accept("no_sections", "no section at all: nothing to do", manifest(),
           after={0: None}, writes=0)
    accept("no_components", "no components, no shared sequence: allowed by the grammar",
           manifest(common={}), keys=[ANY], writes=0)
    accept("sequence_0", "sequence number 0, no floor", manifest(sequence=0), writes=0)
    accept("sequence_max", "sequence number and floor of 64 bits", manifest(sequence=2**64 - 1),
           floor=2**64 - 2, floor_digest=bytes(32), writes=0)
    accept("sequence_above", "sequence number above the floor", manifest(sequence=24),
           floor=23, floor_digest=bytes(32), writes=0)
    careful = simple([15, [Wrap([3, 15]), Wrap(fetch("#fw"))], 3, 15])
    confirmed = digest_of_bstr(cbor(careful))[1]
    installs("rerun", "number and digest are the floor's: a re-run, which finds its work done",
             careful, floor=1, floor_digest=confirmed, initial={0: FIRMWARE}, writes=0)
    installs("rerun_lost", "the same when the component was lost meanwhile", careful,
             file="suit/rerun.suit", floor=1, floor_digest=confirmed)
    installs("rerun_blind", "a re-run of a manifest that does not look first", simple(),
             file="suit/fetch_integrated.suit", floor=1, initial={0: FIRMWARE}, writes=None,
             floor_digest=digest_of_bstr(cbor(simple()))[1])
    accept("match_size_unset", "image-match without image-size: all that is stored is hashed",
           manifest([20, {**IDENTITY, 3: image(FIRMWARE.data)[3]}, *COMPATIBLE], validate=[3, 15]),
           initial={0: FIRMWARE}, writes=0)
    accept("rerun_invoke", "the confirmed manifest is invoked", simple(invoke=[23, 2]),
           procedure="invoke", floor=1, initial={0: FIRMWARE}, writes=0, invoked=0,
           floor_digest=digest_of_bstr(cbor(simple(invoke=[23, 2])))[1])
    installs("reference_uri", "reference-uri", simple(reference_uri="https://git.io/JJYoj"))
    installs("reference_uri_255", "reference-uri of the greatest length",
             simple(reference_uri="coap://" + "u" * 248))

    text = cbor({"en": Pairs([(1, "An update"), (C0, {3: "arm.com", 6: "1.2"})])})
    installs("text_inline", "text in the manifest", simple(text=text))
    installs("text_severed", "text severed and present", simple(text=digest_of_bstr(text)),
             members={23: text})
    installs("text_absent", "text severed and gone", simple(text=digest_of_bstr(text)))
    installs("text_opaque", "text is hashed, not parsed: here it is not CBOR",
             simple(text=digest_of_bstr(b"\xff\xff")), members={23: b"\xff\xff"})
    novel = blob("text", 3000).data
    installs("text_long", "text longer than the work buffer: hashed and dropped",
             simple(text=digest_of_bstr(novel)), members={23: novel}, work=1024)
    swid = cbor({0: "id", 1: "name"})
    installs("coswid_inline", "coswid in the manifest", simple(coswid=swid))
    installs("coswid_severed", "coswid severed and present",
             simple(coswid=digest_of_bstr(swid)), members={14: swid})
    installs("coswid_absent", "coswid severed and gone", simple(coswid=digest_of_bstr(swid)))

    work, check = cbor([*fetch("#fw"), 3, 15]), cbor([3, 15])
    severed = simple(None, validate=[3, 15], invoke=[23, 2])
    severed[20] = digest_of_bstr(work)
    installs("install_severed", "install severed and present", severed, members={20: work})
    accept("install_absent", "install severed and gone: INVOKE does not need it", severed,
           procedure="invoke", initial={0: FIRMWARE}, writes=0, invoked=0,
           needs=("SEVERED",))
    both = manifest(with_image(FIRMWARE.data), validate=[3, 15],
                    fetch=digest_of_bstr(work))
    installs("payload_fetch_severed", "payload-fetch severed and present", both,
             members={16: work})
    installs("all_severed", "coswid, payload-fetch, install and text severed and present",
             simple(reference_uri="coap://u", coswid=digest_of_bstr(swid),
                    fetch=digest_of_bstr(work), text=digest_of_bstr(text))
             | {20: digest_of_bstr(check)},
             members={14: swid, 16: work, 20: check, 23: text})
    installs("sections_not_run", "UPDATE does not look into load and invoke, whatever is there",
             simple(load=[4, 15], invoke=[25, 15]))
    installs("every_member", "every member of the manifest, in place", simple(
        reference_uri="coap://u", load=[3, 15], invoke=[3, 15], coswid=swid,
        fetch=[1, 15], text=text))


PLAIN_320 = {"http://example.com/file1.bin": FIRMWARE, "http://example.com/file2.bin": OTHER}


def plain_320() -> dict[Any, Any]:
    """Example 3 of the draft with all it lacks for a product: reference-uri, invoke."""
    images = [
        Wrap([20, {5: slot}, 5, 5, 20, image(payload.data)])
        for slot, payload in enumerate((FIRMWARE, OTHER))
    ]
    sources = [
        Wrap([20, {5: slot}, 5, 5, 20, {21: uri}]) for slot, uri in enumerate(PLAIN_320)
    ]
    return manifest(
        [20, IDENTITY, 15, images, *COMPATIBLE],
        sequence=1700000000,
        reference_uri="https://example.com/suit/1700000000",
        validate=[3, 15],
        invoke=[23, 2],
        install=[15, sources, 21, 2, 3, 15],
    )


# -- payloads in the envelope ------------------------------------------------------------------


def payloads() -> None:
    two = [(C0, FIRMWARE), (C1, SECOND)]
    result: dict[str, Any] = {"after": {0: FIRMWARE, 1: SECOND},
                              "writes": blocks(FIRMWARE, SECOND)}
    validate = [12, True, 3, 15]
    in_order = [12, 0, *fetch("#a"), 12, 1, *fetch("#b")]
    accept("payloads_in_order", "two payloads, wanted in the order in which they stand",
           several(*two, install=in_order, validate=validate),
           members={"#a": FIRMWARE.data, "#b": SECOND.data}, **result)
    accept("payloads_out_of_order", "two payloads; the first wanted is the second to come: "
           "rewind, or open",
           several(*two, install=[12, 0, *fetch("#b"), 12, 1, *fetch("#a")], validate=validate),
           members={"#a": SECOND.data, "#b": FIRMWARE.data}, **result)
    accept("payload_twice", "one payload for two components: the second fetch comes too late "
           "for a stream", several((C0, SECOND), (C1, SECOND), validate=validate,
                                   install=[12, 0, *fetch("#a"), 12, 1, *fetch("#a")]),
           members={"#a": SECOND.data}, after={0: SECOND, 1: SECOND},
           writes=blocks(SECOND, SECOND))
    accept("payload_by_all", "fetch with index true: once for each component",
           several((C0, SECOND), (C1, SECOND), validate=validate,
                   install=[12, True, *fetch("coap://host/b")]),
           payloads={"coap://host/b": SECOND}, after={0: SECOND, 1: SECOND},
           writes=blocks(SECOND, SECOND))
    installs("payload_http", "a payload whose key is a full URI: the envelope comes first",
             simple([*fetch(URI), 3, 15]), members={URI: FIRMWARE.data},
             payloads={URI: OTHER})
    installs("payload_unused", "payloads that nobody wants, before and after",
             simple(), members={"#a": b"", "#a0": b"skipped", "#z": b"skipped", "#zz": b""})
    accept("payload_last_of_three", "only the last of three payloads is wanted",
           simple([*fetch("#c"), 3, 15]), members={"#a": b"A", "#b": b"B", "#c": FIRMWARE.data},
           after={0: FIRMWARE}, writes=blocks(FIRMWARE))
    key = "#" + "k" * 254
    accept("payload_key_255", "URI and payload key of the greatest length",
           simple([*fetch(key), 3, 15]), members={key: FIRMWARE.data},
           after={0: FIRMWARE}, writes=blocks(FIRMWARE))
    accept("payload_mixed", "one payload in the envelope, one behind a URI",
           several(*two, install=[12, 1, *fetch(URI), 12, 0, *fetch("#fw")], validate=validate),
           members={"#fw": FIRMWARE.data}, payloads={URI: SECOND}, **result)
    for size in (1, 63, 64, 65, 128, 4000):
        payload = blob(f"size{size}", size)
        accept(f"payload_{size}", f"payload of {size} bytes",
               manifest(with_image(payload.data), install=fetch("#p"), validate=[3, 15]),
               members={"#p": payload.data}, after={0: payload}, writes=blocks(payload))
    full = blob("size1024", 1024)
    accept("payload_capacity", "a payload that just fits into its component",
           manifest(with_image(full.data), [[]], install=fetch("#p"), validate=[3, 15]),
           members={"#p": full.data}, after={9: full}, writes=blocks(full))
    accept("payload_size_unset", "fetch without image-size and digest",
           manifest(install=fetch("#p")), members={"#p": SECOND.data}, after={0: SECOND},
           writes=blocks(SECOND))
    accept("payload_uri_size_unset", "the same from a URI", manifest(install=fetch(URI)),
           payloads={URI: SECOND}, after={0: SECOND}, writes=blocks(SECOND))
    accept("fetch_arguments", "fetch-arguments",
           simple([20, {21: URI, 25: b"\1\2\3"}, 21, 2, 3, 15]), payloads={URI: FIRMWARE},
           after={0: FIRMWARE}, writes=blocks(FIRMWARE))


# -- authentication ----------------------------------------------------------------------------


def authentication() -> None:
    def with_blocks(name: str, source: str, *makers: Any, **more: Any) -> None:
        installs(f"auth_{name}", source, simple(), **more,
                 blocks=lambda digest: [Wrap(make(digest)) for make in makers])

    def by(key: Key) -> Any:
        return lambda digest: sign1(digest, key)

    def es256(digest: bytes) -> Tag:
        return sign1(digest, STRANGER, protected={1: -7})

    def cose_sign(digest: bytes) -> Tag:
        return Tag(98, [b"", {}, None, [[cbor({1: ED25519}), {}, bytes(64)]]])

    with_blocks("updater", "a key that may update but not invoke", by(UPDATER))
    with_blocks("eddsa", "a key bound to EdDSA (-8)", by(EDDSA_KEY))
    with_blocks("mac0", "COSE_Mac0 with HMAC 256/256", mac0)
    with_blocks("mac0_kid", "COSE_Mac0 with a kid",
                lambda d: mac0(d, unprotected={4: b"mac-1"}), needs=("MAC",))
    with_blocks("kid", "kid in the unprotected header",
                lambda d: sign1(d, unprotected={4: b"root"}))
    with_blocks("kid_protected", "kid in the protected header",
                lambda d: sign1(d, protected={1: ED25519, 4: b"root"}))
    with_blocks("protected_64", "a protected header of the greatest length",
                lambda d: sign1(d, protected={1: ED25519, 4: bytes(58)}))
    with_blocks("headers", "other header parameters of simple type", lambda d: sign1(
        d, protected={1: ED25519, 3: "a/b", 15: 7}, unprotected={16: b"x", 260: True, -70: None}))
    with_blocks("unknown_then_good", "an unknown key, then a good one", by(STRANGER), by(ROOT))
    with_blocks("good_then_unknown", "a good key, then an unknown one", by(ROOT), by(STRANGER))
    with_blocks("unsupported_then_good", "ES256 without a verifier, then a good block",
                es256, by(ROOT))
    with_blocks("sign_then_good", "COSE_Sign is skipped, then a good block",
                cose_sign, by(ROOT))
    with_blocks("four", "four blocks, the last is good", by(STRANGER), es256, cose_sign,
                by(ROOT))
    with_blocks("four_good", "four blocks, all good", by(UPDATER), by(ROOT), by(EDDSA_KEY),
                by(ANY))
    with_blocks("mac_and_sign", "two kinds of block, both good", mac0, by(ROOT))
    invoke = simple(invoke=[23, 2])
    accept("auth_second_has_right", "the first key may not invoke, the second may", invoke,
           keys=[UPDATER, ROOT], procedure="invoke", initial={0: FIRMWARE}, writes=0, invoked=0)
    accept("auth_any_device", "no vendor and class check, signed for any device",
           manifest([20, image(FIRMWARE.data)], install=fetch("#fw"), validate=[3, 15]),
           keys=[ANY], members={"#fw": FIRMWARE.data}, after={0: FIRMWARE},
           writes=blocks(FIRMWARE))
    accept("auth_any_device_second", "the same; the first key has the right for the procedure "
           "only", manifest([20, image(FIRMWARE.data)], install=fetch("#fw"), validate=[3, 15]),
           keys=[ROOT, ANY], members={"#fw": FIRMWARE.data}, after={0: FIRMWARE},
           writes=blocks(FIRMWARE))
    accept("auth_compat_nested", "vendor and class check inside nested sequences", manifest(
        [20, IDENTITY, 15, [Wrap([1, 15]), Wrap([14, 15])], 32, Wrap([2, 15])]), writes=0)


# -- components --------------------------------------------------------------------------------


PATH = [b"usr", b"bin", b"env", bytes(range(64))]


def components() -> None:
    def one(name: str, source: str, component: Any, handle: int, **more: Any) -> None:
        installs(f"component_{name}", source,
                 simple(components=[component]), after={handle: FIRMWARE}, **more)

    one("empty", "identifier without an element", [], 9)
    one("empty_element", "identifier of one empty element", [b""], 11)
    one("path", "long identifier of four elements", PATH, 10)
    one("trusted", "image-match is answered by the digest computed while writing", TRUSTED, 5)
    one("denied", "a component for one signer only", DENIED, 7, keys=[ANY])
    one("keys", "a component of kind KEYS, signed with the right", KEY_STORE, 6, keys=[ANY])
    accept("component_keys_read", "a component of kind KEYS that is read only, by a key without "
           "the right", several((C0, FIRMWARE), (KEY_STORE, SECOND), validate=[12, True, 3, 15],
                                install=[12, 0, *fetch("#fw")]),
           members={"#fw": FIRMWARE.data}, initial={6: SECOND},
           after={0: FIRMWARE, 6: SECOND}, writes=blocks(FIRMWARE))
    accept("component_boundaries", "identifiers that differ in their boundaries only",
           several(([b"ab", b"c"], SECOND), ([b"a", b"bc"], THIRD), validate=[12, True, 3, 15],
                   install=[12, 0, *fetch("#s"), 12, 1, *fetch("#t")]),
           members={"#s": SECOND.data, "#t": THIRD.data}, after={12: SECOND, 13: THIRD},
           writes=blocks(SECOND, THIRD))
    many = [[bytes([n])] for n in range(32, 64)]
    accept("component_32", "as many components as are allowed; the last is written, and all",
           manifest(components=many, install=[12, 31, 20, {18: b"last"}, 18, 2,
                                              12, [0, 30], 20, {18: b"two"}, 18, 2]),
           after={32: Blob("", b"two"), 33: None, 62: Blob("", b"two"), 63: Blob("", b"last")},
           writes=3)


# -- conditions --------------------------------------------------------------------------------


def conditions() -> None:
    installs("condition_slot", "component-slot", simple([20, {5: 1, 21: "#fw"}, 5, 15, 21, 2]),
             slot=1, needs=("SLOTS",))
    installs("condition_device", "device-identifier",
             simple([20, {24: DEVICE_ID}, 24, 15, *fetch("#fw")]))
    accept("condition_content", "check-content", manifest(validate=[20, {18: SECOND.data}, 6, 15]),
           initial={0: SECOND}, after={0: SECOND}, writes=0)
    installs("condition_abort", "abort ends an alternative",
             simple([15, [Wrap([14, 15]), Wrap(fetch("#fw"))], 3, 15]))
    pen = bytes.fromhex("d845")  # 11205 as a relative OID arc
    installs("condition_pen", "vendor as private enterprise number",
             simple(shared=[20, {1: Tag(112, pen), 2: CLASS, **image(FIRMWARE.data)},
                            *COMPATIBLE]), pen=pen)
    installs("condition_pen_15", "a private enterprise number of the greatest length",
             simple(shared=[20, {1: Tag(112, b"\x81" * 14 + b"\1"), 2: CLASS,
                                 **image(FIRMWARE.data)}, *COMPATIBLE]),
             pen=b"\x81" * 14 + b"\1")
    for policy in (0, 1, 8):
        accept(f"policy_{policy}", f"reporting policy {policy}",
               manifest(validate=[1, policy, 3, policy], shared=with_image(THIRD.data)),
               initial={0: THIRD}, writes=0)


# -- directives and parameters -----------------------------------------------------------------


def directives() -> None:
    for size in (1, 64, 65):
        payload = blob(f"size{size}", size)
        accept(f"write_{size}", f"write of {size} bytes of content",
               manifest(with_image(payload.data),
                        install=[20, {18: payload.data}, 18, 2, 3, 15, 6, 15]),
               after={0: payload}, writes=blocks(payload))
    copied = several((C0, FIRMWARE), (C1, FIRMWARE), validate=[12, 0, 3, 15],
                     install=[12, 0, 20, {22: 1}, 22, 2, 3, 15])
    accept("copy", "copy from a stored component", copied, initial={1: FIRMWARE},
           after={0: FIRMWARE, 1: FIRMWARE}, writes=blocks(FIRMWARE))
    accept("copy_staged", "payload-fetch into a staging component, install copies",
           several((C0, FIRMWARE), (STAGE, FIRMWARE), fetch=[12, 1, *fetch("#fw"), 3, 15],
                   install=[12, 0, 20, {22: 1}, 22, 2, 3, 15], validate=[12, 0, 3, 15]),
           members={"#fw": FIRMWARE.data}, after={0: FIRMWARE, 3: FIRMWARE},
           writes=2 * blocks(FIRMWARE))
    accept("copy_size_unset", "copy without digest and size: all that the source holds",
           several((C0, None), (C1, None), install=[12, 0, 20, {22: 1}, 22, 2]),
           initial={1: SECOND}, after={0: SECOND, 1: SECOND}, writes=blocks(SECOND))
    accept("swap", "swap of two components",
           several((C0, FIRMWARE), (C1, None), install=[12, 0, 20, {22: 1}, 31, 2, 3, 15]),
           initial={0: SECOND, 1: FIRMWARE}, after={0: FIRMWARE, 1: SECOND}, writes=0,
           needs=("SWAP",))
    accept("invoke", "secure boot: image-match, then invoke", simple(invoke=[23, 2]),
           procedure="invoke", initial={0: FIRMWARE}, writes=0, invoked=0)
    accept("invoke_args", "invoke with arguments", simple(invoke=[20, {23: b"-v"}, 23, 2]),
           procedure="invoke", initial={0: FIRMWARE}, writes=0, invoked=0)
    installs("update_then_invoke", "the same envelope is installed, then invoked",
             simple(invoke=[23, 2]), procedure="update,invoke", invoked=0)
    accept("load_copy", "load copies to another component, which is invoked",
           several((C0, FIRMWARE), (C2, FIRMWARE), validate=[12, 0, 3, 15],
                   load=[12, 1, 20, {22: 0}, 22, 2, 3, 15], invoke=[12, 1, 23, 2]),
           procedure="invoke", initial={0: FIRMWARE}, after={2: FIRMWARE},
           writes=blocks(FIRMWARE), invoked=2)
    installs("set_parameters", "set-parameters keeps what is set and sets what is not",
             simple([20, {21: "#fw"}, 19, {21: "#no", 24: DEVICE_ID}, 24, 15, 21, 2, 3, 15]))
    installs("set_parameters_first", "set-parameters, then override-parameters",
             simple([19, {21: "#no", 24: DEVICE_ID}, 20, {21: "#fw"}, 24, 15, 21, 2, 3, 15]))
    installs("override_twice", "the later value of a parameter counts",
             simple([20, {21: "#no"}, 20, {21: "#fw"}, 21, 2, 3, 15]))
    installs("parameters_survive", "parameters live on from one section to the next",
             manifest(fetch=[20, {**image(FIRMWARE.data), 21: "#fw"}], install=[21, 2],
                      validate=[3, 15]))
    for value in (True, False):
        installs(f"strict_order_{str(value).lower()}", f"strict-order {value}",
                 simple([20, {12: value, 21: "#fw"}, 21, 2, 3, 15]))
    installs("every_parameter", "every parameter of the draft in one map", simple(
        [20, {**IDENTITY, **image(FIRMWARE.data), 5: 0, 12: True, 18: b"c", 21: "#fw", 22: 0,
              23: b"", 24: DEVICE_ID, 25: b""}, 21, 2, 3, 15]), needs=("SLOTS",))
    sources = [Wrap([*fetch(uri), 3, 15]) for uri in ("#bad", "#fw")]
    installs("two_sources", "the first source has wrong bytes: image-match is false, the next "
             "is taken", simple([15, sources]), members={"#bad": OTHER.data},
             writes=blocks(OTHER, FIRMWARE))


# -- index -------------------------------------------------------------------------------------


def index() -> None:
    three: list[Any] = [(C0, FIRMWARE), (C1, SECOND), (C2, THIRD)]
    empty: list[Any] = [(C0, None), (C1, None), (C2, None)]
    held = {0: FIRMWARE, 1: SECOND, 2: THIRD}
    accept("index_true", "index true: all components", several(*three, validate=[12, True, 3, 15]),
           initial=held, writes=0)
    accept("index_list", "index list, in its own order",
           several(*three, validate=[12, [2, 0], 3, 15]),
           initial={0: FIRMWARE, 2: THIRD}, writes=0)
    accept("index_list_of_one", "index list with one element",
           several(*three, validate=[12, [1], 3, 15]), initial={1: SECOND}, writes=0)
    accept("index_single", "one component: set-component-index may be left out, and may stand",
           simple([12, 0, *fetch("#fw"), 12, True, 3, 15, 12, [0], 3, 15]),
           members={"#fw": FIRMWARE.data}, after={0: FIRMWARE}, writes=blocks(FIRMWARE))
    accept("index_restored", "a nested sequence that sets the index does not change it outside",
           several(*three, validate=[12, 0, 32, Wrap([12, 1, 3, 15]), 3, 15,
                                     15, [Wrap([12, 2, 3, 15]), Wrap([14, 15])], 3, 15]),
           initial=held, writes=0)
    accept("index_preset", "in a nested sequence the index is the outer one",
           several(*three, validate=[12, 1, 32, Wrap([3, 15]),
                                     15, [Wrap([3, 15]), Wrap([14, 15])]]),
           initial={1: SECOND}, writes=0)
    accept("index_loop", "a nested sequence runs once for each component of the index",
           several(*empty, install=[12, [0, 1], 20, {18: b"x"},
                                    32, Wrap([18, 2, 6, 15])]),
           after={0: Blob("", b"x"), 1: Blob("", b"x"), 2: None}, writes=2)
    accept("index_loop_try", "try-each runs once for each component: each takes its own "
           "alternative",
           several((C0, FIRMWARE), (C1, None), (C2, THIRD), install=[
               12, True, 15, [Wrap([3, 15]), Wrap([20, {18: b"new"}, 18, 2])]]),
           initial={0: FIRMWARE, 2: THIRD}, after={0: FIRMWARE, 1: Blob("", b"new"), 2: THIRD},
           writes=1)
    accept("index_parameters", "parameters belong to a component: override with a list sets "
           "several, and one alone differs",
           several(*empty, install=[
               12, [0, 2], 20, {18: b"even"}, 12, 1, 20, {18: b"odd"}, 12, True, 18, 2]),
           after={0: Blob("", b"even"), 1: Blob("", b"odd"), 2: Blob("", b"even")}, writes=3)


# -- flow --------------------------------------------------------------------------------------


def flow() -> None:
    no, yes = Wrap([14, 15]), Wrap(fetch("#fw"))

    def flows(name: str, source: str, *install: Any, **more: Any) -> None:
        installs(name, source, simple([*install, 3, 15]), **more)

    flows("try_first", "the first alternative", 15, [yes, no])
    flows("try_second", "the second alternative", 15, [no, yes])
    flows("try_last_of_five", "the last of five alternatives", 15, [no, no, no, no, yes])
    flows("try_nil", "nil: no alternative, and success", 15, [no, no, None], *fetch("#fw"))
    flows("try_nested", "an alternative that is a try-each", 15,
          [no, Wrap([15, [no, Wrap([15, [no, yes]])]])])
    flows("try_condition_late", "an alternative fails after it has worked: nothing is undone",
          15, [Wrap([20, {21: "#fw"}, 14, 15]), Wrap([21, 2])])
    flows("try_ab", "the A/B template: slot set, then checked",
          15, [Wrap([20, {5: 0}, 5, 15, 20, {21: "#no"}]),
               Wrap([20, {5: 1}, 5, 15, 20, {21: "#fw"}])], 21, 2, slot=1, needs=("SLOTS",))
    flows("run", "run-sequence", 32, yes)
    flows("run_nested", "run-sequence in run-sequence", 32, Wrap([32, Wrap([32, yes])]))
    flows("run_forwards", "run-sequence forwards a false condition to the alternative",
          15, [Wrap([32, Wrap([32, no])]), yes])
    flows("run_soft", "soft-failure ends a run-sequence, the next command runs",
          32, Wrap([20, {13: True, 21: "#fw"}, 14, 15, 20, {21: "#no"}]), 21, 2)
    flows("run_soft_not_inherited", "a nested sequence starts with its own default: the inner "
          "run-sequence fails, which is soft in the outer one",
          32, Wrap([20, {13: True, 21: "#fw"}, 32, no, 20, {21: "#no"}]), 21, 2)
    flows("try_soft", "soft-failure set again to what it is in an alternative",
          15, [Wrap([20, {13: True}, 14, 15]), yes])
    flows("try_soft_hard_soft", "soft-failure off and on again", 15,
          [Wrap([20, {13: False}, 1, 15, 20, {13: True}, 14, 15]), yes])
    flows("try_soft_inner", "soft-failure off outside does not reach inside", 15,
          [Wrap([20, {13: False}, 15, [no, yes]]), no])
    deep: list[Any] = fetch("#fw")
    for _ in range(7):
        deep = [32, Wrap(deep)]
    flows("depth_8", "nesting of the greatest depth", *deep)
    deep = fetch("#fw")
    for _ in range(7):
        deep = [15, [no, Wrap(deep)]]
    flows("depth_8_try", "the same with try-each", *deep)
    accept("steps_2000", "as many commands as one procedure may execute",
           manifest(validate=[1, 0] * 1997), writes=0, work=8192)


def build() -> list[Vector]:
    for part in (members, payloads, authentication, components, conditions, directives, index,
                 flow):
        part()
    return VECTORS
