# SPDX-License-Identifier: MIT
"""Refusals while commands run, of encrypted payloads, and of transient components."""
from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from accept import C0, C1, DEVICE_ID, SECOND, URI, T, U, fetch, several
from encrypted import STORES, decrypting, p256_recipient, sealed
from record import Blob, blob, blocks
from refuse import SMALL, base, in_manifest, refuse, working
from suit import (
    CLASS, COMPATIBLE, DEVICE, ENC_PROTECTED, IDENTITY, KEK, OTHER_DEVICE, OTHER_KEK,
    VENDOR, Pairs, Raw, Tag, Wrap, cbor, cek_of, change, derive, digest_of,
    digest_of_bstr, ecdh_recipient, encrypt, encryption_info, envelope, image, indefinite,
    iv_of, kw_recipient, manifest, not_shortest, too_long, trailing, with_image,
)

BEGIN: Any = {"stage": "begin"}
RUN: Any = {"stage": "run"}
LIKE_SMALL = blob("like-small", 100)  # not SMALL, but of its size
NO, YES = Wrap([14, 15]), Wrap([1, 15])


def run(rule: int, case: str, source: str, body: Any, expect: str, at: str, **more: Any) -> None:
    in_manifest(rule, case, source, body, expect, at, **more, **RUN)


# -- 17: conditions, and parameters that are missing -------------------------------------------


def conditions() -> None:
    def false(name: str, source: str, commands: list[Any], at: int, **more: Any) -> None:
        """`commands` in validate of a component that holds SMALL; the condition fails."""
        label = commands[at]
        more.setdefault("initial", {0: SMALL})
        run(17, name, source, base(validate=commands), "E_CONDITION", f"7/[{at}]", label=label,
            writes=0, needs=("SLOTS",) * (label == 5), **more)

    for name, key, label in (("vendor", 1, 1), ("class", 2, 2), ("device", 24, 24)):
        false(f"{name}_other", f"another {name} identifier", [20, {key: bytes(16)}, label, 15], 2)
        false(f"{name}_last_byte", f"{name} identifier that differs in its last byte",
              [20, {key: {1: VENDOR, 2: CLASS, 24: DEVICE_ID}[key][:15] + b"\0"}, label, 15], 2)
    false("vendor_is_class", "the class as vendor", [20, {1: CLASS}, 1, 15], 2)
    pen = bytes.fromhex("d845")
    false("pen_none", "a private enterprise number, which the device does not assert",
          [20, {1: Tag(112, pen)}, 1, 15], 2)
    false("pen_other", "another private enterprise number", [20, {1: Tag(112, b"\1")}, 1, 15], 2,
          pen=pen)
    false("pen_longer", "a private enterprise number with a byte more",
          [20, {1: Tag(112, pen + b"\0")}, 1, 15], 2, pen=pen)
    false("slot_other", "another slot", [20, {5: 1}, 5, 15], 2)
    false("slot_256", "slot 256 on a device that writes slot 0", [20, {5: 256}, 5, 15], 2)
    false("abort", "abort", [14, 15], 0)
    false("image_empty", "image-match on a component that holds nothing", [3, 15], 0, initial={})
    false("image_other", "image-match with other content", [3, 15], 0, initial={0: LIKE_SMALL})
    false("image_longer", "image-match with content that goes on",
          [3, 15], 0, initial={0: Blob("small_longer", SMALL.data + b"\0")})
    false("image_shorter", "image-match with content that ends early",
          [3, 15], 0, initial={0: Blob("small_shorter", SMALL.data[:-1])})
    false("image_size_smaller", "image-size smaller than the stored content; its digest is right",
          [20, {3: Wrap(digest_of(SMALL.data[:50])), 14: 50}, 3, 15], 2)
    false("content_other", "check-content with other content",
          [20, {18: SMALL.data[:-1] + b"\0"}, 6, 15], 2)
    false("content_prefix", "check-content with the beginning of the content",
          [20, {18: SMALL.data[:-1]}, 6, 15], 2)
    false("content_longer", "check-content with more than the content",
          [20, {18: SMALL.data + b"\0"}, 6, 15], 2)
    false("content_empty", "check-content on a component that holds nothing",
          [20, {18: b"x"}, 6, 15], 2, initial={})

    plain = [12, 0, 20, IDENTITY, *COMPATIBLE]
    for label, name in ((1, "vendor"), (2, "class"), (3, "image"), (5, "slot"), (6, "content"),
                        (24, "device")):
        run(17, f"{name}_unset", f"condition {label}: its parameter is set for another component",
            manifest([*plain, 20, {5: 0, 18: SMALL.data, 24: DEVICE_ID, **image(SMALL.data)}],
                     [C0, C1], validate=[12, 1, label, 15]), "E_CONDITION", "7/[2]",
            label=label, initial={0: SMALL, 1: SMALL}, writes=0, needs=("SLOTS",))
    run(17, "image_digest_unset", "image-match without digest",
        manifest([20, {**IDENTITY, 14: 100}, *COMPATIBLE], validate=[3, 15]), "E_CONDITION",
        "7/[0]", label=3, initial={0: SMALL}, writes=0)
    run(17, "image_size_unset", "image-match without size: all that is stored is hashed",
        manifest([20, {**IDENTITY, 3: image(SMALL.data)[3]}, *COMPATIBLE], validate=[3, 15]),
        "E_CONDITION", "7/[0]", label=3, initial={0: Blob("small_longer", SMALL.data + b"\0")},
        writes=0)
    run(17, "image_size_unset_empty", "the same when nothing is stored",
        manifest([20, {**IDENTITY, 3: Wrap(digest_of(b""))}, *COMPATIBLE], validate=[3, 15]),
        "E_CONDITION", "7/[0]", label=3, writes=0)

    for name, identity, at, label in (
        ("vendor", {1: bytes(16), 2: CLASS}, 2, 1), ("class", {1: VENDOR, 2: bytes(16)}, 4, 2),
    ):
        run(17, f"shared_{name}", f"a manifest for another {name}",
            working(shared=[20, {**identity, **image(SMALL.data)}, *COMPATIBLE]), "E_CONDITION",
            f"3/4/[{at}]", label=label, members={"#p": SMALL.data}, writes=0)
        run(17, f"shared_{name}_invoke", f"a manifest for another {name}, INVOKE",
            base(shared=[20, {**identity, **image(SMALL.data)}, *COMPATIBLE], invoke=[23, 2]),
            "E_CONDITION", f"3/4/[{at}]", label=label, procedure="invoke", initial={0: SMALL},
            writes=0)
    run(17, "after_fetch", "wrong bytes arrive: image-match is false", working(), "E_CONDITION",
        "20/[4]", label=3, members={"#p": LIKE_SMALL.data}, writes=blocks(SMALL))
    run(17, "after_fetch_trusted", "the same where the digest of the transfer answers",
        working(components=[[b"trusted"]]), "E_CONDITION", "20/[4]", label=3,
        members={"#p": LIKE_SMALL.data}, writes=blocks(SMALL))
    run(17, "trusted_later", "a trusted component that was written in another procedure",
        base(components=[[b"trusted"]]), "E_CONDITION", "7/[0]", label=3,
        initial={5: LIKE_SMALL}, writes=0)
    work = cbor([*fetch("#p"), 14, 15])
    refuse(17, "in_severed", "a condition in a severed section is false",
           envelope(base() | {20: digest_of_bstr(work)}, members={20: work, "#p": SMALL.data}),
           "E_CONDITION", "20/[4]", label=14, writes=blocks(SMALL), **RUN)
    run(17, "second_of_list", "a condition fails for the second component of a list",
        several((C0, SMALL), (C1, SMALL), validate=[12, [0, 1], 3, 15]), "E_CONDITION",
        "7/[2]", label=3, initial={0: SMALL}, writes=0)
    run(17, "second_of_true", "a condition fails for the second component of all",
        several((C0, SMALL), (C1, SMALL), validate=[12, True, 3, 15]), "E_CONDITION", "7/[2]",
        label=3, initial={0: SMALL}, writes=0)
    run(17, "run", "a condition in a run-sequence is false", base(validate=[32, Wrap([1, 15, 32,
        Wrap([14, 15])])]), "E_CONDITION", "7/[1]/[3]/[0]", label=14, writes=0)
    run(17, "invoke_stops", "validate is false: nothing is invoked", base(invoke=[23, 2]),
        "E_CONDITION", "7/[0]", label=3, procedure="invoke", initial={0: LIKE_SMALL}, writes=0)
    run(17, "load_stops", "load is false: nothing is invoked",
        base(load=[14, 15], invoke=[23, 2]), "E_CONDITION", "8/[0]", label=14,
        procedure="invoke", initial={0: SMALL}, writes=0)

    def unset(name: str, source: str, commands: list[Any], at: int, label: int,
              **more: Any) -> None:
        run(17, name, source, base(install=commands), "E_UNSET", f"20/[{at}]", label=label,
            writes=0, **more)

    unset("fetch_unset", "fetch without uri", [21, 2], 0, 21)
    unset("copy_unset", "copy without source-component", [22, 2], 0, 22)
    unset("write_unset", "write without content", [18, 2], 0, 18)
    unset("swap_unset", "swap without source-component", [31, 2], 0, 22, needs=("SWAP",))
    unset("fetch_unset_arguments", "fetch with arguments and without uri", [20, {25: b""}, 21, 2],
          2, 21)
    run(17, "fetch_unset_try", "a directive without its parameter aborts in an alternative too",
        base(install=[15, [Wrap([21, 2]), YES]]), "E_UNSET", "20/[1]/[0]/[0]", label=21, writes=0)
    run(17, "fetch_unset_other", "uri is set for another component only",
        several((C0, None), (C1, None), install=[12, 0, 20, {21: "#p"}, 12, 1, 21, 2]),
        "E_UNSET", "20/[6]", label=21, writes=0)
    run(17, "not_from_nested_set", "set-parameters does not replace what is there",
        working(install=[20, {24: bytes(16)}, 19, {24: DEVICE_ID}, 24, 15]), "E_CONDITION",
        "20/[4]", label=24, writes=0)


# -- 18: directives that fail ------------------------------------------------------------------


def directives() -> None:
    run(18, "fetch_lost", "the source of a URI is lost", working(install=fetch(URI)), "E_FETCH",
        "20/[2]", writes=0)
    run(18, "fetch_not_in_envelope", "no payload under this name", working(), "E_FETCH",
        "20/[2]", writes=0)
    run(18, "fetch_other_name", "payloads, but none under this name", working(), "E_FETCH",
        "20/[2]", members={"#": SMALL.data, "#P": SMALL.data, "#p0": SMALL.data}, writes=0)
    run(18, "fetch_lost_try", "a lost source aborts in an alternative too",
        working(install=[15, [Wrap(fetch(URI)), Wrap(fetch("#p"))]]), "E_FETCH",
        "20/[1]/[0]/[2]", members={"#p": SMALL.data}, writes=0)
    for name, payload in (("short", SMALL.data[:-1]), ("long", SMALL.data + b"\0"),
                          ("empty", b"")):
        run(18, f"fetch_{name}", f"a payload that is too {name}", working(), "E_LENGTH",
            "20/[2]", members={"#p": payload})
        if payload:
            run(18, f"fetch_{name}_uri", f"a payload from a URI that is too {name}",
                working(install=fetch(URI)), "E_LENGTH", "20/[2]",
                payloads={URI: Blob(f"small_{name}", payload)})
    full = blob("size1025", 1025)
    run(18, "fetch_capacity", "a payload larger than its component, size stated",
        manifest(with_image(full.data), [[]], install=fetch("#p")), "E_CAPACITY", "20/[2]",
        members={"#p": full.data}, writes=0)
    run(18, "fetch_capacity_unknown", "a payload larger than its component, size not stated",
        manifest(components=[[]], install=fetch("#p")), "E_CAPACITY", "20/[2]",
        members={"#p": full.data})
    run(18, "fetch_capacity_uri", "a payload from a URI larger than its component",
        manifest(components=[[]], install=fetch(URI)), "E_CAPACITY", "20/[2]",
        payloads={URI: full})
    run(18, "fetch_capacity_32", "image-size of 2^32 - 2", manifest(
        [20, {**IDENTITY, 14: 2**32 - 2}, *COMPATIBLE], install=fetch("#p")), "E_CAPACITY",
        "20/[2]", members={"#p": SMALL.data}, writes=0)
    run(18, "write_capacity", "content larger than its component", manifest(
        components=[[]], install=[20, {18: full.data}, 18, 2]), "E_CAPACITY", "20/[2]", writes=0)
    run(18, "write_length", "content whose length is not the image-size",
        base(install=[20, {18: SMALL.data[:-1]}, 18, 2]), "E_LENGTH", "20/[2]", writes=0)
    copy = [12, 0, 20, {22: 1}, 22, 2]
    run(18, "copy_length", "copy of more than the image-size",
        several((C0, SMALL), (C1, None), install=copy), "E_LENGTH", "20/[4]",
        initial={1: SECOND}, writes=0)
    run(18, "copy_length_short", "copy of less than the image-size",
        several((C0, SECOND), (C1, None), install=copy), "E_LENGTH", "20/[4]",
        initial={1: SMALL}, writes=0)
    run(18, "copy_nothing", "copy of a component that holds nothing",
        several((C0, SECOND), (C1, None), install=copy), "E_LENGTH", "20/[4]", writes=0)
    run(18, "copy_capacity", "copy of more than the component holds",
        several(([], None), (C1, None), install=copy), "E_CAPACITY", "20/[4]",
        initial={1: full}, writes=0)

    def exhausted(name: str, source: str, commands: list[Any], at: str, **more: Any) -> None:
        run(18, name, source, base(validate=commands), "E_TRY", f"7/{at}", writes=0, **more)

    exhausted("try", "no alternative works", [15, [NO, NO]], "[0]")
    exhausted("try_inner", "an inner try-each is exhausted: no outer alternative counts",
              [15, [Wrap([15, [NO, NO]]), YES]], "[1]/[0]/[0]")
    exhausted("try_run", "a try-each in a run-sequence in an alternative is exhausted",
              [15, [Wrap([32, Wrap([15, [NO, NO]])]), YES]], "[1]/[0]/[1]/[0]")
    exhausted("try_soft", "soft-failure does not cover an exhausted try-each",
              [32, Wrap([20, {13: True}, 15, [NO, NO]])], "[1]/[2]")
    run(18, "try_list", "the second component of a list has no alternative",
        several((C0, SMALL), (C1, SMALL), validate=[
            12, [0, 1], 15, [Wrap([3, 15]), Wrap([3, 15])]]), "E_TRY", "7/[2]",
        initial={0: SMALL}, writes=0)
    run(18, "try_slot", "the A/B template on a device with a third slot",
        base(validate=[15, [Wrap([20, {5: slot}, 5, 15]) for slot in (0, 1)]]), "E_TRY", "7/[0]",
        slot=2, writes=0, needs=("SLOTS",))
    run(18, "try_shared", "the same in the shared sequence", base(shared=[
        *with_image(SMALL.data), 15, [Wrap([20, {5: slot}, 5, 15]) for slot in (0, 1)]]),
        "E_TRY", "3/4/[6]", slot=2, writes=0, needs=("SLOTS",))

    def hard(name: str, source: str, commands: list[Any], at: str) -> None:
        run(18, name, source, base(validate=commands), "E_CONDITION", f"7/{at}", label=14,
            writes=0)

    hard("try_hard", "soft-failure off in an alternative: no other is tried",
         [15, [Wrap([20, {13: False}, 14, 15]), YES]], "[1]/[0]/[2]")
    hard("try_hard_nil", "nor does nil help", [15, [Wrap([20, {13: False}, 14, 15]), NO, None]],
         "[1]/[0]/[2]")
    hard("try_hard_inner", "soft-failure off in an inner alternative: the outer one ends too",
         [15, [Wrap([15, [Wrap([20, {13: False}, 14, 15]), YES]]), YES]], "[1]/[0]/[1]/[0]/[2]")
    hard("try_soft_hard", "soft-failure on, then off again",
         [15, [Wrap([20, {13: True}, 20, {13: False}, 14, 15]), YES]], "[1]/[0]/[4]")
    hard("run_hard_try", "soft-failure off in an alternative that runs a sequence which fails",
         [15, [Wrap([20, {13: False}, 32, NO]), YES]], "[1]/[0]/[3]/[0]")
    hard("run_soft_ended", "soft-failure ends with the sequence that set it",
         [32, Wrap([20, {13: True}, 1, 15]), 14, 15], "[2]")
    hard("run_soft_next", "soft-failure is not kept for the next sequence",
         [32, Wrap([20, {13: True}, 14, 15]), 32, NO], "[3]/[0]")
    run(18, "run_soft_directive", "soft-failure does not cover a directive",
        base(install=[32, Wrap([20, {13: True}, 21, 2])]), "E_UNSET", "20/[1]/[2]", label=21,
        writes=0)
    run(18, "two_sources_bad", "both sources have wrong bytes",
        working(install=[15, [Wrap([*fetch("#a"), 3, 15]), Wrap([*fetch("#b"), 3, 15])]]),
        "E_TRY", "20/[0]", members={"#a": LIKE_SMALL.data, "#b": LIKE_SMALL.data},
        writes=2 * blocks(SMALL))
    run(18, "second_fetch", "the first fetch works, the second is lost",
        several((C0, SMALL), (C1, SMALL), install=[12, 0, *fetch("#a"), 12, 1, *fetch("#b")]),
        "E_FETCH", "20/[10]", members={"#a": SMALL.data}, writes=blocks(SMALL))


# -- 20: encryption ----------------------------------------------------------------------------


NAME = SMALL.name
GOOD = encryption_info(NAME)
CIPHER = sealed(SMALL)
COPY = "20/[10]"  # label of the copy in what `decrypting` gives
INFO = "20/[9]/19"


def encryption_static() -> None:
    def bad(name: str, source: str, info: Any, expect: str, at: str | None) -> None:
        """at: path in the encryption-info; None: the parameter's key."""
        in_manifest(20, name, source, decrypting(SMALL, T, info), expect,
                    "20/[9]/@19" if at is None else f"{INFO}/{at}", members={"#ct": CIPHER.data},
                    needs=("ENCRYPTION",), **BEGIN)

    def item(name: str, source: str, path: str, new: Any, expect: str,
             at: str | None = "") -> None:
        bad(name, source, change(GOOD, path, new), expect, path if at == "" else at)

    in_manifest(20, "info_unwrapped", "encryption-info not wrapped", change(
        decrypting(SMALL, T, GOOD), "20/[9]/19", GOOD), "E_TYPE", INFO,
        members={"#ct": CIPHER.data}, needs=("ENCRYPTION",), **BEGIN)
    bad("untagged", "COSE_Encrypt without its tag", GOOD.value, "E_COSE", "<")
    for tag in (16, 18, 97):
        bad(f"tag_{tag}", f"tag {tag} instead of 96", Tag(tag, GOOD.value), "E_COSE", "<")
    bad("array_3", "COSE_Encrypt of three elements", Tag(96, GOOD.value[:3]), "E_COSE", "</<")
    bad("array_5", "COSE_Encrypt of five elements", Tag(96, [*GOOD.value, b""]), "E_COSE", "</<")
    bad("trailing", "bytes after COSE_Encrypt", trailing(GOOD), "E_TRAILING", "</$")
    bad("tag_not_shortest", "tag 96: head too long", Raw(b"\xd9\x00\x60" + cbor(GOOD.value)),
        "E_CBOR", "<")
    bad("array_not_shortest", "array of COSE_Encrypt: head too long",
        Tag(96, not_shortest(GOOD.value)), "E_CBOR", "</<")
    item("protected_map", "protected header not wrapped", "[0]", {1: 24}, "E_COSE")
    item("protected_too_long", "protected header longer than encryption-info", "[0]", too_long,
         "E_BOUNDS")
    item("no_alg", "no algorithm", "[0]", b"", "E_COSE")
    item("no_alg_map", "no algorithm: an empty map", "[0]", b"\xa0", "E_COSE")
    for name, alg in (("a128gcm", 1), ("a256gcm", 3), ("aes_ccm", 10), ("a128ctr", -65534)):
        item(name, f"payload cipher {name}", "[0]", Wrap({1: alg}), "E_ALG", None)
    ctr = Tag(96, [b"", {1: -65534, 5: bytes(16)}, *GOOD.value[2:]])
    bad("a128ctr_form", "A128CTR as the draft has it: no protected header", ctr, "E_ALG", None)
    item("crit", "crit", "[0]", Wrap({1: 24, 2: [5]}), "E_COSE", "[0]/@2")
    item("crit_unprotected", "crit, unprotected", "[1]", {2: [5], 5: iv_of(NAME)}, "E_COSE",
         "[1]/@2")
    item("alg_both", "alg in both headers", "[1]", {1: 24, 5: iv_of(NAME)}, "E_ORDER",
         "[1]/@1")
    item("protected_order", "protected header: alg twice", "[0]",
         Wrap(Pairs([(1, 24), (1, 24)])), "E_ORDER", "[0]/{1}")
    item("iv_missing", "no initial vector", "[1]", {}, "E_COSE")
    for size in (0, 11, 13, 16):
        item(f"iv_{size}", f"initial vector of {size} bytes", "[1]/5", bytes(size), "E_VALUE")
    item("iv_twice", "initial vector twice", "[1]", Pairs([(5, iv_of(NAME)), (5, iv_of(NAME))]),
         "E_ORDER", "[1]/{1}")
    item("attached", "ciphertext inside", "[2]", CIPHER.data, "E_COSE")
    item("attached_empty", "an empty ciphertext inside", "[2]", b"", "E_COSE")
    item("no_recipients", "an empty list of recipients", "[3]", [], "E_COSE")
    item("recipients_nil", "nil instead of recipients", "[3]", None, "E_COSE")
    item("recipients_indefinite", "recipients without length", "[3]", indefinite, "E_CBOR")
    item("recipient_array_2", "recipient of two elements", "[3]/[0]", lambda r: r[:2], "E_COSE")
    item("recipient_array_4", "recipient of four elements", "[3]/[0]", lambda r: [*r, []],
         "E_COSE")
    item("recipient_not_array", "recipient not an array", "[3]/[0]", b"", "E_COSE")
    item("recipient_protected_nil", "recipient: protected header nil", "[3]/[0]/[0]", None,
         "E_COSE")
    item("recipient_unprotected_nil", "recipient: unprotected header nil", "[3]/[0]/[1]", None,
         "E_COSE")
    cek = cek_of(NAME)
    for name, alg in (("a192kw", -4), ("a256kw", -5), ("direct", -6)):
        item(f"recipient_{name}", f"the only recipient has {name}", "[3]",
             [[b"", {1: alg, 4: b"kek-1"}, bytes(40)]], "E_ALG", None)
    for name, alg in (("ecdh_hkdf", -25), ("ecdh_a256kw", -31), ("ecdh_ss", -32)):
        item(f"recipient_{name}", f"the only recipient has {name}", "[3]/[0]/[0]",
             Wrap({1: alg}), "E_ALG", None)
    item("recipient_p256", "the only recipient is on P-256", "[3]", [p256_recipient()], "E_ALG",
         None)
    item("recipient_x448", "the only recipient is on X448", "[3]/[0]/[1]/-1",
         {1: 1, -1: 5, -2: bytes(56)}, "E_ALG", None)
    item("recipients_unsupported", "three recipients, all unsupported", "[3]",
         [p256_recipient(), [b"", {1: -5}, bytes(40)], [b"", {1: -6}, b""]], "E_ALG", None)
    for size in (0, 24, 32, 39, 41, 48):
        item(f"cek_{size}", f"wrapped key of {size} bytes", "[3]/[0]/[2]", bytes(size), "E_VALUE")
        if size == 24:
            kw = encryption_info(NAME, [kw_recipient(cek)])
            bad("cek_24_kw", "A128KW: wrapped key of 24 bytes, for a 16-byte key",
                change(kw, "[3]/[0]/[2]", aes_key_wrap(KEK.secret, bytes(16))), "E_VALUE",
                "[3]/[0]/[2]")
    item("cek_nil", "wrapped key nil", "[3]/[0]/[2]", None, "E_COSE")
    item("cek_not_shortest", "wrapped key: head too long", "[3]/[0]/[2]", not_shortest, "E_CBOR")
    item("cek_too_long", "wrapped key longer than encryption-info", "[3]/[0]/[2]", too_long,
         "E_BOUNDS")
    item("recipient_order", "recipient: salt before the key", "[3]/[0]/[1]",
         lambda h: Pairs([(-20, b"s"), (-1, h[-1])]), "E_ORDER", "[3]/[0]/[1]/{1}")
    item("recipient_twice", "recipient: kid twice", "[3]/[0]/[1]",
         lambda h: Pairs([(4, b"a"), (4, b"b"), (-1, h[-1])]), "E_ORDER", "[3]/[0]/[1]/{1}")
    item("recipient_crit", "recipient: crit", "[3]/[0]/[1]",
         lambda h: {2: [4], **h}, "E_COSE", "[3]/[0]/[1]/@2")
    for size in (0, 31, 33):
        item(f"point_{size}", f"the only recipient has a point of {size} bytes",
             "[3]/[0]/[1]/-1/-2", bytes(size), "E_ALG", None)
    item("key_order", "members of the ephemeral key not sorted", "[3]/[0]/[1]/-1",
         lambda k: Pairs([(-1, 4), (1, 1), (-2, k[-2])]), "E_ORDER", "[3]/[0]/[1]/-1/{1}")
    item("kid_text", "recipient: kid a text", "[3]/[0]/[1]/4", "device-1", "E_COSE")
    item("salt_text", "recipient: salt a text", "[3]/[0]/[1]",
         lambda h: {**h, -20: "s"}, "E_COSE", "[3]/[0]/[1]/-20")
    header = "[3]/[0]/[1]"
    for name, path, make, expect in (
        ("iv_not_shortest", "[1]/5", not_shortest, "E_CBOR"),
        ("iv_indefinite", "[1]/5", indefinite, "E_CBOR"),
        ("iv_too_long", "[1]/5", too_long, "E_BOUNDS"),
        ("unprotected_indefinite", "[1]", indefinite, "E_CBOR"),
        ("unprotected_not_shortest", "[1]", not_shortest, "E_CBOR"),
        ("protected_indefinite", "[0]", indefinite, "E_CBOR"),
        ("recipients_not_shortest", "[3]", not_shortest, "E_CBOR"),
        ("recipient_not_shortest", "[3]/[0]", not_shortest, "E_CBOR"),
        ("recipient_indefinite", "[3]/[0]", indefinite, "E_CBOR"),
        ("recipient_protected_too_long", "[3]/[0]/[0]", too_long, "E_BOUNDS"),
        ("recipient_header_not_shortest", header, not_shortest, "E_CBOR"),
        ("recipient_header_indefinite", header, indefinite, "E_CBOR"),
        ("kid_not_shortest", f"{header}/4", not_shortest, "E_CBOR"),
        ("kid_too_long", f"{header}/4", too_long, "E_BOUNDS"),
        ("key_not_shortest", f"{header}/-1", not_shortest, "E_CBOR"),
        ("key_indefinite", f"{header}/-1", indefinite, "E_CBOR"),
        ("point_not_shortest", f"{header}/-1/-2", not_shortest, "E_CBOR"),
        ("point_too_long", f"{header}/-1/-2", too_long, "E_BOUNDS"),
    ):
        item(name, f"{name.replace('_', ' ')}, in encryption-info", path, make, expect)
    item("protected_trailing", "bytes after the map of the protected header", "[0]",
         Wrap(trailing({1: 24})), "E_TRAILING", "[0]/</$")
    item("recipient_protected_trailing", "bytes after the map of a recipient's protected header",
         "[3]/[0]/[0]", Wrap(trailing({1: -29})), "E_TRAILING", "[3]/[0]/[0]/</$")
    in_manifest(20, "in_shared", "broken encryption-info in the shared sequence",
                base(shared=[*with_image(SMALL.data), 20, {19: Wrap(GOOD.value)}]), "E_COSE",
                "3/4/[7]/19/<", needs=("ENCRYPTION",), **BEGIN)
    in_manifest(20, "not_taken", "broken encryption-info in an alternative that is not taken",
                base(install=[15, [YES, Wrap([20, {19: Wrap(GOOD.value)}])]]), "E_COSE",
                "20/[1]/[1]/[1]/19/<", needs=("ENCRYPTION",), **BEGIN)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if at >= 0 else flipped(
        data, len(data) + at)


def encryption_run() -> None:
    def pair(name: str, source: str, info: Any = GOOD, cipher: bytes = CIPHER.data,
             expect: str = "E_DECRYPT", **more: Any) -> None:
        for kind, store in STORES:
            stored = kind == "stage"
            run(20, f"{name}_{kind}", f"{source} ({'staged' if stored else 'transient'})",
                decrypting(SMALL, store, info), expect, COPY, members={"#ct": cipher},
                equivalent=None if stored else f"refuse_20_{name}_stage",
                writes=blocks(cipher) if stored else None, needs=("ENCRYPTION",), **more)

    cek = cek_of(NAME)

    def to(*recipients: Any) -> Tag:
        return encryption_info(NAME, recipients)

    pair("tag_flipped", "last bit of the tag flipped", cipher=flipped(CIPHER.data, -1))
    pair("tag_first", "first byte of the tag flipped", cipher=flipped(CIPHER.data, -16))
    pair("tag_zero", "tag of zeroes", cipher=CIPHER.data[:-16] + bytes(16))
    pair("first_byte", "first byte of the ciphertext flipped", cipher=flipped(CIPHER.data, 0))
    pair("last_byte", "last byte of the ciphertext flipped", cipher=flipped(CIPHER.data, -17))
    pair("other_payload", "ciphertext of another payload",
         cipher=encrypt(LIKE_SMALL.data, LIKE_SMALL.name))
    pair("plaintext", "plaintext instead of ciphertext", cipher=SMALL.data + bytes(16))
    pair("iv_other", "another initial vector", change(GOOD, "[1]/5", iv_of("other")))
    pair("aad_encrypt0", "encrypted as COSE_Encrypt0", cipher=ChaCha20Poly1305(cek).encrypt(
        iv_of(NAME), SMALL.data, cbor(["Encrypt0", ENC_PROTECTED, b""])))
    pair("aad_empty", "encrypted without additional data",
         cipher=ChaCha20Poly1305(cek).encrypt(iv_of(NAME), SMALL.data, None))
    pair("wrap_flipped", "one bit of the wrapped key flipped",
         change(GOOD, "[3]/[0]/[2]", lambda k: flipped(k, 20)))
    pair("wrap_zero", "wrapped key of zeroes", change(GOOD, "[3]/[0]/[2]", bytes(40)))
    pair("key_other", "the right wrap of another content key", to(ecdh_recipient(cek_of("x"))))
    pair("other_device", "for another device, which the kid says",
         to(ecdh_recipient(cek, OTHER_DEVICE)))
    pair("other_device_no_kid", "for another device, without kid",
         to(ecdh_recipient(cek, OTHER_DEVICE, kid=None)))
    pair("other_device_our_kid", "for another device, under the kid of this one",
         to(ecdh_recipient(cek, OTHER_DEVICE, kid=DEVICE.kid)))
    pair("our_key_other_kid", "for this device, under the kid of another",
         to(ecdh_recipient(cek, kid=b"device-2")))
    pair("other_kek", "A128KW by another key, which the kid says",
         to(kw_recipient(cek, OTHER_KEK)))
    pair("other_kek_no_kid", "A128KW by another key, without kid",
         to(kw_recipient(cek, OTHER_KEK, kid=None)))
    pair("two_others", "two recipients, both other devices",
         to(ecdh_recipient(cek, OTHER_DEVICE), kw_recipient(cek, OTHER_KEK)))
    pair("salt_ignored", "salt in the header, but not in the derivation",
         change(GOOD, "[3]/[0]/[1]", lambda h: {**h, -20: b"salt"}))
    pair("salt_other", "another salt than in the derivation",
         to(change(ecdh_recipient(cek, salt=b"salt"), "[1]/-20", b"SALT")))
    pair("salt_lost", "salt in the derivation, but not in the header",
         to(change(ecdh_recipient(cek, salt=b"salt"), "[1]",
                   lambda h: {k: v for k, v in h.items() if k != -20})))
    for name, point in (("zero", bytes(32)), ("one", b"\1" + bytes(31)),
                        ("order_8", bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46a"
                                                  "da098deb9c32b1fd866205165f49b800")),
                        ("other", derive("point"))):
        pair(f"point_{name}", f"ephemeral point {name}", to(ecdh_recipient(cek, point=point)))
    for name, cipher in (("short", CIPHER.data[:-1]), ("long", CIPHER.data + b"\0"),
                         ("no_tag", CIPHER.data[:-16]), ("tag_only", CIPHER.data[-16:]),
                         ("one", b"x")):
        pair(f"length_{name}", f"ciphertext of the wrong length: {name}", cipher=cipher,
             expect="E_LENGTH")

    def written(name: str, source: str, content: bytes, info: Any = GOOD,
                expect: str = "E_DECRYPT", **more: Any) -> None:
        run(20, f"write_{name}", source, base(install=[
            20, {18: content, 19: Wrap(info)}, 18, 2]), expect, "20/[2]", needs=("ENCRYPTION",),
            **more)

    written("tag", "write: last bit of the tag flipped", flipped(CIPHER.data, -1))
    written("wrap", "write: one bit of the wrapped key flipped", CIPHER.data,
            change(GOOD, "[3]/[0]/[2]", lambda k: flipped(k, 0)), writes=0)
    written("other_device", "write: for another device", CIPHER.data,
            to(ecdh_recipient(cek, OTHER_DEVICE)), writes=0)
    written("short", "write: content shorter than size and tag", CIPHER.data[:-1],
            expect="E_LENGTH", writes=0)
    written("tag_only", "write: content shorter than a tag", CIPHER.data[:15],
            expect="E_LENGTH", writes=0)
    run(20, "other_plaintext", "a good tag, but another image than the author's",
        decrypting(SMALL, T, encryption_info(LIKE_SMALL.name)), "E_CONDITION", "20/[12]",
        label=3, members={"#ct": encrypt(LIKE_SMALL.data, LIKE_SMALL.name)},
        writes=blocks(SMALL), needs=("ENCRYPTION",))
    run(20, "stored_bad", "copy from stored ciphertext with a wrong tag: authenticated first, "
        "nothing is written", decrypting(SMALL, C1, GOOD, install=[
            12, 0, 20, {19: Wrap(GOOD), 22: 1}, 22, 2]), "E_DECRYPT", "20/[4]",
        initial={1: Blob("small_bad_tag", flipped(CIPHER.data, -1))}, writes=0,
        needs=("ENCRYPTION",))


# -- 21: transient components ------------------------------------------------------------------


def transients() -> None:
    info = Wrap(GOOD)
    copy: list[Any] = [12, 0, 20, {19: info, 22: 1}, 22, 2]
    get = [12, 1, *fetch("#ct")]

    def case(name: str, source: str, install: list[Any], at: int | str,
             expect: str = "E_TRANSIENT", **more: Any) -> None:
        at = f"[{at}]" if isinstance(at, int) else at
        before = more.pop("before", ())
        more.setdefault("members", {"#ct": CIPHER.data})
        run(21, name, source, decrypting(SMALL, T, GOOD, install=install, before=before), expect,
            f"20/{at}", needs=("ENCRYPTION", *more.pop("needs", ())), **more)

    match = [12, 1, 20, image(CIPHER.data), 3, 15]
    case("image_match", "image-match on a transient component", [*get, *match], 10, writes=0)
    case("image_match_first", "the same before anything was fetched", match, 4, writes=0)
    case("image_match_unset", "the same without a digest", [12, 1, 3, 15], 2, writes=0)
    case("image_match_try", "the same in an alternative: abort, no other is tried",
         [12, 1, 15, [Wrap([20, image(CIPHER.data), 3, 15]), YES]], "[3]/[0]/[2]", writes=0)
    case("check_content", "check-content on a transient component",
         [12, 1, 20, {18: b"x"}, 6, 15], 4, writes=0)
    case("write", "write to a transient component", [12, 1, 20, {18: b"x"}, 18, 2], 4, writes=0)
    case("copy_into", "copy into a transient component", [12, 1, 20, {22: 0}, 22, 2], 4,
         initial={0: SMALL}, writes=0)
    case("swap", "swap on a transient component", [12, 1, 20, {22: 0}, 31, 2], 4,
         initial={0: SMALL}, writes=0, needs=("SWAP",))
    case("swap_source", "swap from a transient component", [12, 0, 20, {22: 1}, 31, 2], 4,
         initial={0: SMALL}, writes=0, needs=("SWAP",))
    run(21, "invoke", "invoke on a transient component", decrypting(
        SMALL, T, GOOD, install=[*get, *copy], invoke=[12, 1, 23, 2]), "E_TRANSIENT", "9/[2]",
        procedure="invoke", initial={0: SMALL}, writes=0, needs=("ENCRYPTION",))
    run(21, "validate", "image-match on a transient component in validate", decrypting(
        SMALL, T, GOOD, install=[*get, *copy], validate=[12, True, 3, 15]), "E_TRANSIENT",
        "7/[2]", members={"#ct": CIPHER.data}, writes=blocks(SMALL), needs=("ENCRYPTION",))
    case("no_record", "copy from a transient component into which nothing was fetched", copy, 4,
         writes=0)
    case("second_copy", "a second copy of the same fetch",
         [*get, *copy, 20, {**image(LIKE_SMALL.data)}, 22, 2], 14, writes=blocks(SMALL))
    case("record_lost", "the record does not outlive its use: fetch, copy, copy in validate",
         [*get, *copy, 20, image(LIKE_SMALL.data), 32, Wrap([22, 2])], "[15]/[0]",
         writes=blocks(SMALL))
    run(21, "list", "one fetch for two components of a list", manifest(
        [12, True, 20, IDENTITY, *COMPATIBLE, 12, [0, 1], 20, image(SMALL.data)], [C0, C1, T],
        install=[12, 2, *fetch("#ct"), 12, [0, 1], 20, {19: info, 22: 2}, 22, 2]), "E_TRANSIENT",
        "20/[10]", members={"#ct": CIPHER.data}, writes=blocks(SMALL), needs=("ENCRYPTION",))
    case("unread", "a record that nobody reads: abort at its fetch", get, 4,
         initial={0: SMALL}, writes=0)
    case("unread_second", "the same after another one was read", [*get, *copy, *get], 16,
         writes=blocks(SMALL))
    case("unread_replaced", "the second of two fetches is not read, nor is the first",
         [*get, *fetch("#x")], 8, initial={0: SMALL}, writes=0)
    case("unread_try", "the fetch stands in an alternative that failed afterwards",
         [12, 1, 15, [Wrap([*fetch("#ct"), 14, 15]), YES]], "[3]/[0]/[2]",
         initial={0: SMALL}, writes=0)
    run(21, "unread_payload_fetch", "a record of payload-fetch that install does not read",
        decrypting(SMALL, T, GOOD, fetch=get, install=[12, 0, 1, 15], validate=[12, 0, 1, 15]),
        "E_TRANSIENT", "16/[4]", members={"#ct": CIPHER.data}, writes=0,
        needs=("ENCRYPTION",))
    run(21, "unread_one_of_two", "two transient components, one is not read", manifest(
        [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, image(SMALL.data)], [C0, T, U],
        install=[12, 2, *fetch("#u"), *get, *copy]), "E_TRANSIENT", "20/[4]",
        members={"#ct": CIPHER.data, "#u": b"u"}, writes=blocks(SMALL),
        needs=("ENCRYPTION",))
    case("no_uri", "fetch into a transient component without uri", [12, 1, 21, 2], 2,
         expect="E_UNSET", label=21, writes=0)
    for name, size in (("smaller", len(CIPHER) - 1), ("larger", len(CIPHER) + 1),
                       ("plain", len(SMALL))):
        case(f"size_{name}", f"sizes that do not fit: {name} than size and tag",
             [*get, *copy], 10, before=[12, 1, 20, {14: size}], expect="E_LENGTH", writes=0)
    for name, install, at in (("encrypted", [*get, *copy], 10),
                              ("plain", [*get, 12, 0, 20, {22: 1}, 22, 2], 10)):
        run(21, f"no_size_{name}", f"no size at all: {name}", manifest(
            [12, True, 20, IDENTITY, *COMPATIBLE], [C0, T], install=install), "E_TRANSIENT",
            f"20/[{at}]", members={"#ct": CIPHER.data}, writes=0,
            needs=("ENCRYPTION",))
    case("plain_size", "copy without encryption-info: sizes that differ",
         [*get, 12, 0, 20, {22: 1}, 22, 2], 10, before=[12, 1, 20, {14: len(CIPHER)}],
         expect="E_LENGTH", writes=0)
    case("plain_wire", "copy without encryption-info: the payload is longer than stated",
         [*get, 12, 0, 20, {22: 1}, 22, 2], 10, expect="E_LENGTH")
    case("lost", "the source is lost: it is the copy that fails", [*get, *copy], 10,
         expect="E_FETCH", members={"#other": b""}, writes=0)
    run(21, "capacity", "the destination is too small", manifest(
        [12, True, 20, IDENTITY, *COMPATIBLE, 12, 0, 20, {14: 1025}], [[], T],
        install=[*get, *copy]), "E_CAPACITY", "20/[10]", members={"#ct": bytes(1041)}, writes=0,
        needs=("ENCRYPTION",))


# -- 18: the end of a procedure that has done everything and achieved nothing --------------------


def endings() -> None:
    held: Any = {"initial": {0: SMALL}, "procedure": "invoke", "label": 23, "writes": 0}
    for name, source, body in (
        ("no_sections", "no section at all", manifest()),
        ("no_invoke", "validate alone", base()),
        ("not_reached", "invoke in an alternative that is not taken",
         base(invoke=[15, [NO, NO, None]])),
    ):
        refuse(18, f"invoke_{name}", f"INVOKE that invokes nothing: {source}", envelope(body),
               "E_INVOKE", "3", **held, **RUN)
    unchecked = {"validate": [1, 15]}
    run(18, "fetch_spoiled", "other bytes than image-digest says, and no image-match",
        base(install=fetch("#other"), **unchecked), "E_DIGEST", "20/[2]",
        members={"#other": LIKE_SMALL.data}, label=21, writes=2)
    run(18, "write_spoiled", "the same for write",
        base(install=[20, {18: LIKE_SMALL.data}, 18, 2], **unchecked), "E_DIGEST", "20/[2]",
        label=18, writes=2)


def build() -> None:
    for part in (endings, conditions, directives, encryption_static, encryption_run, transients):
        part()
