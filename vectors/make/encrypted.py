# SPDX-License-Identifier: MIT
"""Encrypted payloads and transient components that must be carried out.

Most come in pairs: `enc_stage_*` stages the ciphertext in ['stage'] and copies from there,
`enc_transient_*` is the same manifest with ['t'], which stores nothing.
"""
from __future__ import annotations

from typing import Any

from accept import C0, C1, C2, FIRMWARE, OTHER, SECOND, STAGE, THIRD, T, U, accept, fetch
from record import Blob, blob, blocks
from suit import (
    COMPATIBLE, ECDH_ES_A128KW, IDENTITY, OTHER_DEVICE, OTHER_KEK, Wrap, cbor, cek_of,
    digest_of_bstr, ecdh_recipient, encrypt, encryption_info, image, kw_recipient, manifest,
)

STORES: Any = (("stage", STAGE), ("transient", T))


def sealed(payload: Blob, name: str | None = None) -> Blob:
    """Ciphertext of a payload, under the content key of `name`."""
    name = name or payload.name
    return Blob(f"{payload.name}_{name}_sealed", encrypt(payload.data, name))


def decrypting(
    payload: Blob, store: Any, info: Any, before: Any = (), more: Any = None, **sections: Any
) -> dict[Any, Any]:
    """[h'00'] becomes `payload`: fetched as #ct into `store`, copied from there."""
    shared = [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(payload.data), *before]
    copy = [12, 0, 20, {19: Wrap(info), 22: 1}, 22, 2, 3, 15]
    sections.setdefault("install", [12, 1, *fetch("#ct"), *copy])
    sections.setdefault("validate", [12, 0, 3, 15])
    return manifest(shared, [C0, store], **sections)


def both(name: str, source: str, payload: Blob, make: Any, cipher: Blob | None = None,
         **more: Any) -> None:
    """The pair of vectors; make(store) gives the manifest."""
    cipher = cipher or sealed(payload)
    members = more.pop("members", {"#ct": cipher.data})
    for kind, store in STORES:
        writes = blocks(payload) + (blocks(cipher) if kind == "stage" else 0)
        held = {3: cipher} if kind == "stage" else {}
        accept(f"enc_{kind}_{name}", f"{source} ({'staged' if held else 'transient'})",
               make(store), members=members, **{
                   "after": {0: payload, **held}, "writes": writes,
                   "equivalent": None if held else f"enc_stage_{name}", **more})


def recipients() -> None:
    name, payload = FIRMWARE.name, FIRMWARE
    cek = cek_of(name)
    lists: dict[str, tuple[str, list[Any]]] = {
        "ecdh": ("ECDH-ES+A128KW over X25519, with kid", [ecdh_recipient(cek)]),
        "ecdh_no_kid": ("ECDH-ES+A128KW without kid", [ecdh_recipient(cek, kid=None)]),
        "ecdh_salt": ("ECDH-ES+A128KW with salt", [ecdh_recipient(cek, salt=b"NaCl" * 4)]),
        "ecdh_salt_empty": ("ECDH-ES+A128KW with an empty salt", [ecdh_recipient(cek, salt=b"")]),
        "kw": ("A128KW, with kid", [kw_recipient(cek)]),
        "kw_no_kid": ("A128KW without kid", [kw_recipient(cek, kid=None)]),
        "kw_protected_map": ("A128KW, protected header an empty map in its byte string",
                             [kw_recipient(cek, protected=b"\xa0")]),
        "other_first": ("the first recipient is another device",
                        [ecdh_recipient(cek, OTHER_DEVICE, seed="o"), ecdh_recipient(cek)]),
        "other_no_kid": ("the same without kid: all are tried",
                         [ecdh_recipient(cek, OTHER_DEVICE, kid=None, seed="o"),
                          ecdh_recipient(cek, kid=None)]),
        "other_last": ("the last recipient is another device",
                       [ecdh_recipient(cek), ecdh_recipient(cek, OTHER_DEVICE, seed="o")]),
        "kinds": ("recipients of both kinds, the first for others",
                  [kw_recipient(cek, OTHER_KEK), ecdh_recipient(cek)]),
        "kinds_kw": ("recipients of both kinds, the last is A128KW",
                     [ecdh_recipient(cek, OTHER_DEVICE, seed="o"), kw_recipient(cek)]),
        "four": ("four recipients",
                 [ecdh_recipient(cek, OTHER_DEVICE, seed="o"), kw_recipient(cek, OTHER_KEK),
                  kw_recipient(cek, OTHER_KEK, kid=None), ecdh_recipient(cek, kid=None)]),
        "unsupported_first": ("a recipient with A256KW, then a good one",
                              [[b"", {1: -5, 4: b"x"}, bytes(40)], ecdh_recipient(cek)]),
        "p256_first": ("a recipient on P-256, then a good one",
                       [p256_recipient(), ecdh_recipient(cek)]),
    }
    for key, (source, items) in lists.items():
        both(key, source, payload,
             lambda store: decrypting(payload, store, encryption_info(name, items)))


def p256_recipient() -> list[Any]:
    key = {1: 2, -1: 1, -2: bytes(range(32)), -3: bytes(range(32, 64))}
    return [cbor({1: ECDH_ES_A128KW}), {-1: key}, bytes(40)]


def sizes() -> None:
    for size in (1, 63, 64, 65, 4000):
        payload = blob(f"size{size}", size)
        both(f"size_{size}", f"plaintext of {size} bytes", payload,
             lambda store: decrypting(payload, store, encryption_info(payload.name)))
    info = Wrap(encryption_info(FIRMWARE.name))
    cipher = sealed(FIRMWARE)
    both("by_uri", "ciphertext from a URI", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value), members={"#x": b""},
         payloads={"#ct": cipher})
    both("cipher_size", "size of the ciphertext stated too", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value, before=[
             12, 1, 20, {14: len(cipher)}]))
    both("cipher_size_only", "only the size of the ciphertext stated", FIRMWARE,
         lambda store: manifest(
             [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, {3: image(FIRMWARE.data)[3]},
              12, 1, 20, {14: len(cipher)}], [C0, store],
             install=[12, 1, *fetch("#ct"), 12, 0, 20, {19: info, 22: 1}, 22, 2]))
    both("sections", "payload-fetch fetches, install copies", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value, fetch=[12, 1, *fetch("#ct")],
                                  install=[12, 0, 20, {19: info, 22: 1}, 22, 2, 3, 15]))
    both("severed", "the same with both sections severed", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value,
                                  fetch=digest_of_bstr(PARTS[0]),
                                  install=digest_of_bstr(PARTS[1])),
         members={"#ct": cipher.data, 16: PARTS[0], 20: PARTS[1]})
    both("already", "the destination already holds the plaintext ",
         FIRMWARE, lambda store: decrypting(FIRMWARE, store, info.value, install=[
             12, 0, 15, [Wrap([3, 15]), Wrap([12, 1, *fetch("#ct"), 12, 0,
                                              20, {19: info, 22: 1}, 22, 2])]]),
         initial={0: FIRMWARE}, writes=0, after={0: FIRMWARE})
    both("second_source", "the first alternative fails before its fetch, the second works",
         FIRMWARE, lambda store: decrypting(FIRMWARE, store, info.value, install=[
             12, 0, 15, [Wrap([14, 15, 12, 1, *fetch("#no")]),
                         Wrap([12, 1, *fetch("#ct"), 12, 0, 20, {19: info, 22: 1}, 22, 2])]]))
    both("replaced", "a second fetch replaces the first", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value, install=[
             12, 1, *fetch("#a"), *fetch("#ct"), 12, 0, 20, {19: info, 22: 1}, 22, 2]),
         members={"#a": sealed(OTHER).data, "#ct": cipher.data}, writes=None)
    both("plain", "copy without encryption-info", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value, install=[
             12, 1, *fetch("#ct"), 12, 0, 20, {22: 1}, 22, 2]), cipher=FIRMWARE)
    both("plain_sizes", "the same with the size stated for both", FIRMWARE,
         lambda store: decrypting(FIRMWARE, store, info.value, before=[
             12, 1, 20, image(FIRMWARE.data)], install=[
             12, 1, *fetch("#ct"), 12, 0, 20, {22: 1}, 22, 2]), cipher=FIRMWARE)
    accept("enc_transient_skipped", "the destination matches already: fetch and copy are both "
           "left out", decrypting(FIRMWARE, T, info.value), members={"#ct": cipher.data},
           initial={0: FIRMWARE}, after={0: FIRMWARE}, writes=0)
    accept("enc_transient_facts", "vendor, class and device conditions on a transient component",
           decrypting(FIRMWARE, T, info.value, validate=[12, 1, 1, 15, 2, 15]),
           members={"#ct": cipher.data}, after={0: FIRMWARE}, writes=blocks(FIRMWARE))
    accept("enc_copy_stored", "copy from ciphertext that is there already",
           decrypting(FIRMWARE, C1, info.value, install=[
               12, 0, 20, {19: info, 22: 1}, 22, 2, 3, 15]),
           initial={1: cipher}, after={0: FIRMWARE, 1: cipher}, writes=blocks(FIRMWARE))
    accept("enc_load", "load decrypts the stored image into another component",
           manifest([12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(cipher.data),
                     12, 1, 20, image(FIRMWARE.data)], [C0, C2], validate=[12, 0, 3, 15],
                    load=[12, 1, 20, {19: info, 22: 0}, 22, 2, 3, 15], invoke=[12, 1, 23, 2]),
           procedure="invoke", initial={0: cipher}, after={0: cipher, 2: FIRMWARE},
           writes=blocks(FIRMWARE), invoked=2)


PARTS = (cbor([12, 1, *fetch("#ct")]), cbor([
    12, 0, 20, {19: Wrap(encryption_info(FIRMWARE.name)), 22: 1}, 22, 2, 3, 15]))


def write() -> None:
    for size in (1, 63, 64, 65, 300):
        payload = blob(f"size{size}", size)
        accept(f"enc_write_{size}", f"write of {size} encrypted bytes", manifest(
            [20, {**IDENTITY, **image(payload.data)}, *COMPATIBLE], validate=[3, 15],
            install=[20, {18: sealed(payload).data, 19: Wrap(encryption_info(payload.name))},
                     18, 2]), after={0: payload}, writes=blocks(payload))
    small = blob("size65", 65)
    accept("enc_write_kw", "write with an A128KW recipient", manifest(
        [20, {**IDENTITY, **image(small.data)}, *COMPATIBLE],
        install=[20, {18: sealed(small).data, 19: Wrap(encryption_info(
            small.name, [kw_recipient(cek_of(small.name))]))}, 18, 2, 3, 15]),
        after={0: small}, writes=blocks(small))
    accept("enc_write_set", "the same by set-parameters", manifest(
        [20, {**IDENTITY, **image(small.data)}, *COMPATIBLE],
        install=[19, {18: sealed(small).data, 19: Wrap(encryption_info(small.name))},
                 18, 2, 3, 15]), after={0: small}, writes=blocks(small))


def transients() -> None:
    first, second = sealed(SECOND), sealed(THIRD)

    def copy(to: int, source: int, payload: Blob) -> list[Any]:
        info = Wrap(encryption_info(payload.name))
        return [12, to, 20, {19: info, 22: source}, 22, 2, 3, 15]

    shared = [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(SECOND.data),
              12, 1, 20, image(THIRD.data)]
    for name, source, fetches, copies in (
        ("two", "two transient components, copied in the order of the payloads",
         [12, 2, *fetch("#a"), 12, 3, *fetch("#b")],
         [*copy(0, 2, SECOND), *copy(1, 3, THIRD)]),
        ("two_reversed", "fetched in another order than copied",
         [12, 3, *fetch("#b"), 12, 2, *fetch("#a")],
         [*copy(0, 2, SECOND), *copy(1, 3, THIRD)]),
        ("two_rewind", "copied in another order than the payloads stand",
         [12, 2, *fetch("#a"), 12, 3, *fetch("#b")],
         [*copy(1, 3, THIRD), *copy(0, 2, SECOND)]),
    ):
        accept(f"enc_transient_{name}", source,
               manifest(shared, [C0, C1, T, U], install=[*fetches, *copies]),
               members={"#a": first.data, "#b": second.data}, after={0: SECOND, 1: THIRD},
               writes=blocks(SECOND, THIRD))
    accept("enc_transient_again", "one transient component, used twice",
           manifest(shared, [C0, C1, T], install=[
               12, 2, *fetch("#a"), *copy(0, 2, SECOND),
               12, 2, *fetch("#b"), *copy(1, 2, THIRD)]),
           members={"#a": first.data, "#b": second.data}, after={0: SECOND, 1: THIRD},
           writes=blocks(SECOND, THIRD))


def demo() -> None:
    images = (FIRMWARE, OTHER)
    sealed_images = [sealed(payload) for payload in images]
    slots = [Wrap([20, {5: slot}, 5, 5, 20, image(payload.data)])
             for slot, payload in enumerate(images)]
    sources = [
        Wrap([20, {5: slot}, 5, 5, 15, [
            Wrap([3, 15]),
            Wrap([12, 1, 20, {21: f"#{'ab'[slot]}"}, 21, 2,
                  12, 0, 20, {19: Wrap(encryption_info(payload.name)), 22: 1}, 22, 2]),
        ]])
        for slot, payload in enumerate(images)
    ]
    body = manifest(
        [12, 0, 20, IDENTITY, *COMPATIBLE, 15, slots], [C0, T], sequence=2,
        validate=[12, 0, 3, 15], invoke=[12, 0, 23, 2],
        install=[12, 0, 15, sources, 3, 15],
    )
    assert len(cbor(body)) <= 580, len(cbor(body))
    members = {"#a": sealed_images[0].data, "#b": sealed_images[1].data}
    for slot, payload in enumerate(images):
        accept(f"demo_encrypted_ab{'_slot1' * slot}", "the demo's update: encrypted to the "
               "device, A/B, two components, three levels, "
               f"no staging area; the device writes slot {slot}", body,
               file="suit/demo_encrypted_ab.suit", members=members, slot=slot, needs=("SLOTS",),
               after={0: payload}, writes=blocks(payload))
    accept("demo_encrypted_ab_again", "the same once more: nothing is left to do", body,
           file="suit/demo_encrypted_ab.suit", members=members, initial={0: FIRMWARE}, floor=2,
           floor_digest=digest_of_bstr(cbor(body))[1], needs=("SLOTS",), after={0: FIRMWARE},
           writes=0)
    accept("demo_encrypted_ab_invoke", "the same, invoked after the update", body,
           file="suit/demo_encrypted_ab.suit", procedure="update,invoke", members=members,
           needs=("SLOTS",), after={0: FIRMWARE}, writes=blocks(FIRMWARE), invoked=0)


def build() -> None:
    for part in (recipients, sizes, write, transients, demo):
        part()
