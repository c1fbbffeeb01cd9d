# SPDX-License-Identifier: MIT
"""Envelopes and key sets for the boot state: what a device with two slots installs, boots and
must refuse. Everything is small, so that hundreds of thousands of power cuts stay cheap.

Images are not stored: byte i of the image `length seed` is seed*31 + i*7 + (i>>8)*13, modulo 256.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cbor2

from record import Files
from suit import (
    BOOT_A, BOOT_B, BOOT_C, COMPATIBLE, ED25519, EDDSA, IDENTITY, Key, Pairs, Raw, Wrap, cbor,
    envelope, image, indefinite, manifest, not_shortest, sign1, trailing,
)

IMAGE, KEY_STORE, OTHER = [b"\0"], [b"keys"], [b"x"]
UPDATE, INVOKE, KEYS = 1, 2, 8
ALL = UPDATE | INVOKE | KEYS
SMALL, BIG = 500, 6000  # bytes of an image
BOOT_D = Key("boot-d", ED25519, kid=b"boot-d")  # only in key sets: it signs nothing

TITLE = """\
Envelopes for the boot state: what they carry, by whom they are signed (kid in the protected
header), and what is fetched. The URI "i" gives the image, "k" the key set.
Built by vectors/make/all.py; vectors/README.md explains the fields.
"""
SETS_TITLE = """\
Key sets (COSE_KeySet): those with expect = ok and what they hold, those that are refused.
Built by vectors/make/all.py; vectors/README.md explains the fields.
"""

# -- key sets ----------------------------------------------------------------------------------


def cose_key(key: Key, rights: int = ALL, alg: int = ED25519, kid: bytes | None = None) -> Any:
    return {1: 1, 2: key.kid if kid is None else kid, 3: alg, -1: 6, -2: key.public, -65537: rights}


def keyset(*keys: tuple[Key, int]) -> bytes:
    return cbor([cose_key(key, rights) for key, rights in keys])


# Sets that are well-formed; the names say which keys, and which rights differ from ALL.
SETS = {
    "a": keyset((BOOT_A, ALL)),
    "b": keyset((BOOT_B, ALL)),
    "c": keyset((BOOT_C, ALL)),
    "ab": keyset((BOOT_A, ALL), (BOOT_B, ALL)),
    "ac": keyset((BOOT_A, ALL), (BOOT_C, ALL)),
    "bc": keyset((BOOT_B, ALL), (BOOT_C, ALL)),
    "abc": keyset((BOOT_A, ALL), (BOOT_B, ALL), (BOOT_C, ALL)),
    "abcd": keyset((BOOT_A, ALL), (BOOT_B, ALL), (BOOT_C, ALL), (BOOT_D, ALL)),
    "page": cbor([cose_key(BOOT_A), *(cose_key(key, INVOKE, kid=key.name[-1:].encode() * 3)
                                      for key in (BOOT_B, BOOT_C, BOOT_D))]),  # 216 bytes
    "a_invoke_b": keyset((BOOT_A, INVOKE), (BOOT_B, ALL)),  # a may no longer update
    "a_update_b": keyset((BOOT_A, UPDATE), (BOOT_B, ALL)),  # nor start what it signed
}
# Well-formed, but the device could never be updated, or never get other keys.
LOCKING = {
    "no_update": keyset((BOOT_A, INVOKE | KEYS)),
    "no_keys": keyset((BOOT_A, UPDATE | INVOKE)),
    "split_rights": keyset((BOOT_A, UPDATE | INVOKE), (BOOT_B, INVOKE | KEYS)),
    "invoke_only": keyset((BOOT_A, INVOKE), (BOOT_B, INVOKE)),
}


@dataclass
class Set:
    name: str
    data: bytes
    keys: list[dict[int, Any]] = field(default_factory=list)  # empty: refused

    def lines(self) -> list[str]:
        values: list[tuple[str, Any]] = [
            ("name", self.name), ("set", self.data.hex()),
            ("expect", "ok" if self.keys else "E_KEYS"),
        ]
        for n, key in enumerate(self.keys):
            values += [(f"kid.{n}", key[2].hex()), (f"alg.{n}", key[3]), (f"x.{n}", key[-2].hex()),
                       (f"rights.{n}", key[-65537])]
        return [f"{key} = {value}" for key, value in values]


def good_sets() -> list[Set]:
    """Sets that keyset_check accepts."""
    good = [Set(name, data) for name, data in SETS.items()]
    good += [Set(name, cbor(keys)) for name, keys in {
        "eddsa": [cose_key(BOOT_A, alg=EDDSA)],
        "kid_1": [cose_key(BOOT_A, kid=b"a")],
        "kid_23": [cose_key(BOOT_A, kid=b"k" * 23)],
        "rights_9": [cose_key(BOOT_A, UPDATE | KEYS)],
        "rights_31": [cose_key(BOOT_A, 31)],
        "rights_24_beside": [cose_key(BOOT_A), cose_key(BOOT_B, 24)],
        "rights_23_beside": [cose_key(BOOT_A), cose_key(BOOT_B, 23)],
        "rights_2_beside": [cose_key(BOOT_A), cose_key(BOOT_B, INVOKE)],
    }.items()]
    for one in good:
        one.keys = cbor2.loads(one.data)
    return good


def one_wrong(**change: Any) -> bytes:
    """A set of one key with members changed, by name; None: left out."""
    labels = {"kty": 1, "kid": 2, "alg": 3, "crv": -1, "x": -2, "rights": -65537}
    key = cose_key(BOOT_A)
    for name, value in change.items():
        key[labels[name]] = value
        if value is None:
            del key[labels[name]]
    return cbor([key])


def bad_sets() -> list[Set]:
    """Sets that keyset_check refuses."""
    a = cose_key(BOOT_A)
    pairs = sorted(a.items(), key=lambda pair: cbor(pair[0]))
    x = BOOT_A.public or b""
    bad = {
        "empty_string": b"",
        "no_array": cbor(a),
        "no_key": cbor([]),
        "five_keys": cbor([cose_key(k) for k in (BOOT_A, BOOT_B, BOOT_C, BOOT_D, BOOT_A)]),
        "key_no_map": cbor([[1, 2]]),
        "key_empty": cbor([{}]),
        "indefinite_array": cbor(indefinite([a])),
        "indefinite_map": cbor([indefinite(a)]),
        "array_not_shortest": cbor(not_shortest([a])),
        "map_not_shortest": cbor([not_shortest(a)]),
        "kty_not_shortest": one_wrong(kty=not_shortest(1)),
        "rights_not_shortest": one_wrong(rights=not_shortest(ALL)),
        "kid_not_shortest": one_wrong(kid=not_shortest(b"boot-a")),
        "x_not_shortest": one_wrong(x=not_shortest(x)),
        "trailing_byte": cbor(trailing([a])),
        "trailing_key": cbor([a]) + cbor(a),
        "tagged": cbor(Raw(b"\xd2" + cbor([a]))),
        "order_reversed": cbor([Pairs(pairs[::-1])]),
        "order_swapped": cbor([Pairs([pairs[1], pairs[0], *pairs[2:]])]),
        "label_twice": cbor([Pairs([pairs[0], *pairs])]),
        "label_more": cbor([{**a, 4: 1}]),
        "label_private": cbor([{**a, -4: bytes(32)}]),
        "label_text": cbor([{**a, "x": 1}]),
        "kty_missing": one_wrong(kty=None),
        "kid_missing": one_wrong(kid=None),
        "alg_missing": one_wrong(alg=None),
        "crv_missing": one_wrong(crv=None),
        "x_missing": one_wrong(x=None),
        "rights_missing": one_wrong(rights=None),
        "kty_2": one_wrong(kty=2),
        "kty_text": one_wrong(kty="OKP"),
        "kid_empty": one_wrong(kid=b""),
        "kid_24": one_wrong(kid=b"k" * 24),
        "kid_head_58": one_wrong(kid=Raw(b"\x58" + b"k" * 24)),
        "kid_text": one_wrong(kid="boot-a"),
        "kid_int": one_wrong(kid=7),
        **{f"kid_simple_{n}": one_wrong(kid=Raw(bytes([0xE0 + n]))) for n in range(4)},
        **{f"alg_simple_{n}": one_wrong(alg=Raw(bytes([0xE0 + n]))) for n in range(4)},
        "alg_es256": one_wrong(alg=-7),
        "alg_hmac": one_wrong(alg=5),
        "alg_x25519": one_wrong(alg=-29),
        "alg_positive_19": one_wrong(alg=19),
        "alg_text": one_wrong(alg="Ed25519"),
        "crv_p256": one_wrong(crv=1),
        "crv_x25519": one_wrong(crv=4),
        "crv_ed448": one_wrong(crv=7),
        "x_31": one_wrong(x=x[:31]),
        "x_33": one_wrong(x=x + b"\0"),
        "x_empty": one_wrong(x=b""),
        "x_text": one_wrong(x="x" * 32),
        "rights_0": one_wrong(rights=0),
        "rights_32": one_wrong(rights=32),
        "rights_43": one_wrong(rights=32 + ALL),
        "rights_267": one_wrong(rights=256 + ALL),
        "rights_32_bits": one_wrong(rights=2**32 + ALL),
        "rights_negative": one_wrong(rights=-ALL),
        "rights_true": one_wrong(rights=True),
        "second_bad": cbor([a, {**cose_key(BOOT_B), 1: 2}]),
        "second_rights_0": cbor([a, cose_key(BOOT_B, 0)]),
        "count_1_of_2": b"\x81" + keyset((BOOT_A, ALL), (BOOT_B, ALL))[1:],
        "count_2_of_1": b"\x82" + keyset((BOOT_A, ALL))[1:],
        **LOCKING,
    }
    return [Set(name, data) for name, data in bad.items()]


# -- envelopes ---------------------------------------------------------------------------------


def image_bytes(length: int, seed: int) -> bytes:
    return bytes(seed * 31 + i * 7 + (i >> 8) * 13 & 0xFF for i in range(length))


@dataclass
class Boot:
    """An envelope for the boot state."""

    name: str
    source: str
    data: bytes
    sequence: int
    keys: tuple[Key, ...]
    image: tuple[int, int] | None = None
    keyset: str | None = None

    def lines(self) -> list[str]:
        values: list[tuple[str, Any]] = [
            ("name", self.name),
            ("file", f"boot/{self.name}.suit"),
            ("source", self.source),
            ("sequence", self.sequence),
            ("signers", " ".join(key.name for key in self.keys)),
            ("image", self.image and "{} {}".format(*self.image)),
            ("keys", self.keyset and f"boot/set_{self.keyset}.cbor"),
        ]
        return [f"{key} = {value}" for key, value in values if value is not None]


VECTORS: list[Boot] = []
A, B, C, AB = (BOOT_A,), (BOOT_B,), (BOOT_C,), (BOOT_A, BOOT_B)


def blocks(keys: tuple[Key, ...]) -> Any:
    """One block for each key, with its kid in the protected header."""
    return lambda digest: [Wrap(sign1(digest, key, {1: key.alg, 4: key.kid})) for key in keys]


def add(name: str, source: str, body: Any, keys: tuple[Key, ...], **more: Any) -> None:
    data = envelope(body, blocks=blocks(keys))
    VECTORS.append(Boot(name, source, data, body[2], keys, **more))


FETCH_IMAGE, FETCH_KEYS = [20, {21: "i"}, 21, 2], [20, {21: "k"}, 21, 2]


def set_data(name: str) -> bytes:
    return BROKEN[name] if name in BROKEN else {**SETS, **LOCKING}[name]


BROKEN = {"broken": one_wrong(crv=None)}


def image_manifest(sequence: int, data: bytes, **more: Any) -> dict[Any, Any]:
    """One image: fetched, matched in validate, invoked."""
    sections = {"install": FETCH_IMAGE, "validate": [3, 15], "invoke": [23, 2], **more}
    shared = sections.pop("shared", [20, {**IDENTITY, **image(data)}, *COMPATIBLE])
    return manifest(shared, [IMAGE], sequence,
                    **{name: part for name, part in sections.items() if part is not None})


def one_image(name: str, source: str, sequence: int, keys: tuple[Key, ...] = A,
              seed: int | None = None, length: int = SMALL, **more: Any) -> None:
    seed = sequence if seed is None else seed
    body = image_manifest(sequence, image_bytes(length, seed), **more)
    add(name, source, body, keys, image=(length, seed))


def only_keys(name: str, source: str, sequence: int, new: str, keys: tuple[Key, ...] = A) -> None:
    """Keys-only manifest: checked when they are installed, nothing to validate at a boot."""
    shared = [20, {**IDENTITY, **image(set_data(new))}, *COMPATIBLE]
    body = manifest(shared, [KEY_STORE], sequence, install=[*FETCH_KEYS, 3, 15])
    add(name, source, body, keys, keyset=new)


def image_and_keys(name: str, source: str, sequence: int, new: str, keys: tuple[Key, ...],
                   **more: Any) -> None:
    """Image and keys. A boot matches the image alone: later key sets are other ones."""
    data = image_bytes(SMALL, sequence)
    shared = [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(data),
              12, 1, 20, image(set_data(new))]
    sections = {
        "install": [12, 0, *FETCH_IMAGE, 12, 1, *FETCH_KEYS, 3, 15],
        "validate": [12, 0, 3, 15], "invoke": [12, 0, 23, 2], **more,
    }
    body = manifest(shared, [IMAGE, KEY_STORE], sequence, **sections)
    add(name, source, body, keys, image=(SMALL, sequence), keyset=new)


def other_component(name: str, source: str, sequence: int, has_image: bool) -> None:
    """Content for the component ['x'], with or without an image."""
    data = image_bytes(SMALL, 2)
    shared = [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(data)]
    install = [12, 1, 20, {18: b"settings"}, 18, 2]
    if has_image:
        body = manifest(shared, [IMAGE, OTHER], sequence, install=[*install, 12, 0, *FETCH_IMAGE],
                        validate=[12, 0, 3, 15], invoke=[12, 0, 23, 2])
    else:
        body = manifest(shared, [IMAGE, OTHER], sequence, install=install)
    add(name, source, body, A, image=(SMALL, 2))


def images() -> None:
    for n in range(1, 7):
        one_image(f"v{n}", f"image {n}", n)
        one_image(f"v{n}w", f"image {n}, signed twice", n, AB)
        one_image(f"v{n}b", f"image {n}, signed by b", n, B)
    for n in range(1, 5):
        one_image(f"big{n}", f"image {n} of several pages", n, length=BIG)
    one_image("v0", "sequence number 0", 0)
    one_image("v2x", "the number of v2, another manifest", 2, seed=9)
    one_image("v3c", "signed by c", 3, C)
    one_image("v3cb", "signed by c, then by b", 3, C + B)
    one_image("v3same", "the image of v2 under another number", 3, seed=2)
    one_image("v3last", "an image whose last byte reads erased, 0xff", 3, seed=3, length=388)
    one_image("v64", "sequence number of 64 bits", 2**64 - 1, seed=7)
    one_image("v63", "the number below it", 2**64 - 2, seed=8)
    one_image("slot", "an image of 512 bytes", 2, length=512)
    one_image("slot_more", "an image of 513 bytes", 2, length=513)
    one_image("area", "an envelope of 464 bytes", 2, reference_uri="coap://" + "u" * 198)
    one_image("area_more", "an envelope of 465 bytes", 2, reference_uri="coap://" + "u" * 199)
    one_image("long", "a reference-uri that makes the envelope larger than a page", 2,
              reference_uri="coap://" + "u" * 240)
    data = image_bytes(SMALL, 2)
    one_image("size_unset", "image-digest without image-size", 2,
              shared=[20, {**IDENTITY, 3: image(data)[3]}, *COMPATIBLE])
    one_image("match_in_invoke", "image-match stands in the invoke section", 2,
              validate=None, invoke=[3, 15, 23, 2])
    one_image("match_in_load", "image-match stands in the load section", 2,
              validate=None, load=[3, 15])


def invocations() -> None:
    """Installed without an error; a boot must not start them."""
    one_image("no_match", "no image-match in what a boot runs", 2,
              install=[*FETCH_IMAGE, 3, 15], validate=None)
    one_image("match_late", "image-match behind the invocation", 2,
              validate=None, invoke=[23, 2, 3, 15])
    one_image("match_caught", "image-match is false, and a try-each has caught it", 2,
              install=FETCH_IMAGE, validate=None,
              invoke=[20, image(image_bytes(SMALL, 3)), 15, [Wrap([3, 15]), Wrap([3, 15]), None],
                      23, 2])
    one_image("no_invoke_section", "no invoke section", 2, invoke=None)
    one_image("no_invoke", "an invoke section that invokes nothing", 2, invoke=[3, 15])
    one_image("no_device", "a device identifier at boot that is another device's", 2,
              invoke=[20, {24: bytes(16)}, 24, 15, 23, 2])
    one_image("slot_0", "boots from slot 0 only", 2, invoke=[20, {5: 0}, 5, 15, 23, 2])
    one_image("slot_1", "boots from slot 1 only", 2, invoke=[20, {5: 1}, 5, 15, 23, 2])
    one_image("empty", "image-match with nothing in the image", 2, length=0)
    one_image("load_writes", "writes to the image in its load section", 2,
              load=[20, {14: 1, 18: b"x"}, 18, 2])
    one_image("load_mends", "fetches the image again in its load section, if it is bad", 2,
              validate=None, load=[15, [Wrap([3, 15]), Wrap(FETCH_IMAGE)], 3, 15])
    one_image("load_fetches", "fetches another image in its load section", 2,
              load=[20, {**image(image_bytes(SMALL, 3)), 21: "i"}, 21, 2])
    other_component("other_only", "writes a component that is neither image nor keys", 3, False)
    other_component("other_too", "writes the image, and such a component", 2, True)
    image_and_keys("invokes_keys", "invokes the key set", 2, "ab", A,
                   invoke=[12, 0, 3, 15, 12, 1, 23, 2])
    image_and_keys("starts_keys", "matches and invokes the key set", 2, "ab", A,
                   validate=[12, 1, 3, 15], invoke=[12, 1, 23, 2])
    image_and_keys("matches_keys", "matches the key set, invokes the image", 2, "ab", A,
                   validate=[12, 1, 3, 15])
    image_and_keys("matches_first", "matches keys, then image: bound to these keys for ever", 2,
                   "ab", A, validate=[12, 1, 3, 15, 12, 0, 3, 15])
    image_and_keys("matches_both", "matches image, then keys: bound to these keys for ever", 2,
                   "ab", A, validate=[12, 0, 3, 15, 12, 1, 3, 15])


def rotations() -> None:
    for name, sequence, new, keys in (
        ("k2", 2, "ab", A), ("k3", 3, "ab", A), ("k3w", 3, "ab", AB), ("k4", 4, "b", A),
        ("k4w", 4, "b", AB), ("k4b", 4, "b", B), ("k5", 5, "ab", A), ("k5b", 5, "bc", B),
        ("k6c", 6, "c", C),
        ("k2abcd", 2, "abcd", A), ("k2ac", 2, "ac", A), ("k2a", 2, "a", A),
        ("k2_invoke_b", 2, "a_invoke_b", A), ("k2_update_b", 2, "a_update_b", A),
        ("k2page", 2, "page", A), ("k3ac", 3, "ac", A),
    ):
        signers = " and ".join(key.name for key in keys)
        only_keys(name, f"keys only: set {new}, by {signers}", sequence, new, keys)
    for new in (*LOCKING, *BROKEN):
        only_keys(f"k2_{new}", f"keys only: set {new}, which is refused", 2, new)
    shared = [20, IDENTITY, *COMPATIBLE]
    body = manifest(shared, [KEY_STORE], 2, install=FETCH_KEYS)
    add("k2_no_digest", "keys only, and no image-digest for them", body, A, keyset="ab")
    image_and_keys("ik2", "image 2 and set ab, by a", 2, "ab", A)
    image_and_keys("ik3", "image 3 and set b, by a only: refused", 3, "b", A)
    image_and_keys("ik5", "image 5 and set b, by a and b", 5, "b", AB)
    image_and_keys("ik6", "image 6 and set bc, by b", 6, "bc", B)
    image_and_keys("ik2_no_keys", "image 2 and a set that is refused", 2, "no_keys", A)


def text_of(title: str, records: list[list[str]]) -> bytes:
    lines = [f"# {line}" for line in title.splitlines()]
    for record in records:
        lines += ["", *record]
    return ("\n".join(lines) + "\n").encode()


def build(files: Files) -> None:
    """Adds boot/ to `files`."""
    for part in (images, invocations, rotations):
        part()
    assert len({vector.name for vector in VECTORS}) == len(VECTORS)
    for vector in VECTORS:
        files[f"boot/{vector.name}.suit"] = vector.data
        if vector.keyset:
            files[f"boot/set_{vector.keyset}.cbor"] = set_data(vector.keyset)
    for name, data in SETS.items():
        files[f"boot/set_{name}.cbor"] = data
    sets = good_sets() + bad_sets()
    assert len({one.name for one in sets}) == len(sets)
    files["boot/index.txt"] = text_of(TITLE, [vector.lines() for vector in VECTORS])
    files["boot/keysets.txt"] = text_of(SETS_TITLE, [one.lines() for one in sets])
