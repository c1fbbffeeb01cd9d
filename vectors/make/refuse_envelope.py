# SPDX-License-Identifier: MIT
"""Refusals before and around the manifest: framing, wrapper, COSE, severed members, payloads."""
from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from accept import fetch
from refuse import SMALL, base, refuse, working
from suit import (
    ED25519, EDDSA_KEY, ROOT, STRANGER, Key, Pairs, Raw, Tag, Wrap, cbor, count, digest_of,
    digest_of_bstr, envelope, head, indefinite, mac0, not_shortest, reserved, sign1,
    to_sign, too_long, trailing,
)

ORDER = 2**252 + 27742317777372353535851937790883648493
BODY = base()


def feed(rule: int, case: str, source: str, data: bytes, expect: str, at: Any, **more: Any) -> None:
    refuse(rule, case, source, data, expect, at, stage="feed", **more)


def good() -> bytes:
    return envelope(BODY)


# -- 1: authentication -------------------------------------------------------------------------


def es256(digest: bytes) -> Tag:
    return sign1(digest, STRANGER, protected={1: -7})


def cose_sign(digest: bytes) -> Tag:
    return Tag(98, [b"", {}, None, [[cbor({1: ED25519}), {}, bytes(64)]]])


def cose_mac(digest: bytes) -> Tag:
    return Tag(97, [cbor({1: 5}), {}, None, bytes(32), [[b"", {1: -6}, b""]]])


def signature(data: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(ROOT.secret).sign(data)


def authentication() -> None:
    protected = cbor({1: ED25519})

    def case(name: str, source: str, *makers: Any, expect: str = "E_AUTH", **more: Any) -> None:
        data = envelope(BODY, blocks=lambda d: [Wrap(make(d)) for make in makers], **more)
        feed(1, name, source, data, expect, "2")

    def signed(name: str, source: str, sign: Any) -> None:
        case(name, source, lambda d: sign1(d, signature=sign(d)))

    def flipped(digest: bytes) -> bytes:
        sig = bytearray(signature(to_sign("Signature1", protected, digest)))
        sig[0] ^= 1
        return bytes(sig)

    def malleable(digest: bytes) -> bytes:
        sig = signature(to_sign("Signature1", protected, digest))
        return sig[:32] + (int.from_bytes(sig[32:], "little") + ORDER).to_bytes(32, "little")

    case("no_block", "no authentication block")
    case("unknown_key", "signed by an unknown key", lambda d: sign1(d, STRANGER))
    case("four_unknown", "four blocks, none by a known key",
         *[lambda d: sign1(d, STRANGER)] * 4)
    signed("flipped", "one bit of the signature flipped", flipped)
    signed("malleable", "S of the signature raised by the group order", malleable)
    signed("short", "signature of 63 bytes",
           lambda d: signature(to_sign("Signature1", protected, d))[:63])
    signed("long", "signature of 65 bytes",
           lambda d: signature(to_sign("Signature1", protected, d)) + b"\0")
    signed("empty", "signature of 0 bytes", lambda d: b"")
    signed("zero", "signature of zeroes", lambda d: bytes(64))
    signed("other_context", "signed as COSE_Sign",
           lambda d: signature(to_sign("Signature", protected, d)))
    signed("double_wrap", "signed over the digest wrapped twice",
           lambda d: signature(to_sign("Signature1", protected, cbor(d))))
    signed("bare_digest", "signed over the 32 bytes of the digest alone",
           lambda d: signature(to_sign("Signature1", protected, d[4:])))
    signed("whole_manifest", "signed over the manifest",
           lambda d: signature(to_sign("Signature1", protected, cbor(Wrap(BODY)))))
    signed("other_aad", "signed with external data",
           lambda d: signature(cbor(["Signature1", protected, b"x", d])))
    signed("other_digest", "signature of another manifest",
           lambda d: signature(to_sign("Signature1", protected, cbor(digest_of(b"x")))))
    signed("other_protected", "signed with another protected header",
           lambda d: signature(to_sign("Signature1", cbor({1: -8}), d)))
    signed("empty_protected", "signed as if there were no protected header",
           lambda d: signature(to_sign("Signature1", b"", d)))
    case("eddsa_by_ed25519_key", "alg EdDSA by a key bound to Ed25519",
         lambda d: sign1(d, ROOT, protected={1: -8}))
    case("ed25519_by_eddsa_key", "alg Ed25519 by a key bound to EdDSA",
         lambda d: sign1(d, EDDSA_KEY, protected={1: ED25519}))
    case("mac_wrong", "MAC by another key", lambda d: mac0(d, Key("mac-2", 5)))
    case("mac_truncated", "MAC cut to 16 bytes", lambda d: Tag(17, [
        cbor({1: 5}), {}, None, mac0(d).value[3][:16]]))
    case("mac_unknown_kid", "MAC with the kid of an unknown key",
         lambda d: mac0(d, unprotected={4: b"mac-2"}))
    case("mac_empty", "MAC of 0 bytes", lambda d: Tag(17, [cbor({1: 5}), {}, None, b""]))
    case("bad_and_unsupported", "a bad signature and an unsupported algorithm",
         lambda d: sign1(d, STRANGER), es256)
    for name, alg in (("es256", -7), ("esp256", -9), ("ed448", -53), ("hss", -46), ("alg_0", 0)):
        case(f"only_{name}", f"the only block has alg {alg}",
             lambda d: sign1(d, STRANGER, protected={1: alg}), expect="E_ALG")
    case("only_hmac_64", "the only block is a MAC with HMAC 256/64",
         lambda d: mac0(d, protected={1: 4}), expect="E_ALG")
    case("only_sign", "the only block is COSE_Sign", cose_sign, expect="E_ALG")
    case("only_mac", "the only block is COSE_Mac", cose_mac, expect="E_ALG")
    case("only_unsupported", "four blocks, all unsupported", es256, cose_sign, cose_mac, es256,
         expect="E_ALG")


# -- 2: digest in the wrapper ------------------------------------------------------------------


def digests() -> None:
    data = bytearray(good())
    data[-1] ^= 1
    feed(2, "manifest_flipped", "last bit of the manifest flipped", bytes(data), "E_DIGEST", "3")
    feed(2, "without_head", "digest over the manifest without the head of its byte string",
         envelope(BODY, digest=digest_of(cbor(BODY))), "E_DIGEST", "3")
    feed(2, "other_manifest", "a right signature, but for another manifest",
         envelope(BODY, digest=digest_of_bstr(cbor(base(sequence=2)))), "E_DIGEST", "3")
    for name, alg, size in (("shake128", -18, 32), ("sha384", -43, 48), ("sha512", -44, 64),
                            ("shake256", -45, 64), ("alg_0", 0, 32), ("alg_16", 16, 32)):
        feed(2, f"wrapper_{name}", f"digest algorithm {alg} in the wrapper",
             envelope(BODY, digest=[alg, bytes(size)]), "E_ALG", "2/[0]/[0]")
    for size in (0, 31, 33, 64):
        feed(2, f"wrapper_length_{size}", f"SHA-256 digest of {size} bytes in the wrapper",
             envelope(BODY, digest=[-16, bytes(size)]), "E_VALUE", "2/[0]/[1]")


# -- 3: order of wrapper and manifest ----------------------------------------------------------


def order() -> None:
    def case(name: str, source: str, expect: str, at: Any, pairs: Any, label: Any = None,
             rule: int = 3) -> None:
        feed(rule, name, source, envelope(BODY, pairs=pairs), expect, at, label=label)

    case("wrapper_after", "wrapper after the manifest", "E_MISSING", "{0}",
         lambda p: [p[1], p[0]], 2)
    case("wrapper_missing", "no wrapper", "E_MISSING", "{0}", lambda p: [p[1]], 2)
    case("manifest_missing", "no manifest", "E_MISSING", "$", lambda p: [p[0]], 3)
    case("manifest_missing_install", "install in the place of the manifest", "E_MISSING", "{1}",
         lambda p: [p[0], (20, b"")], 3)
    case("manifest_missing_payload", "a payload in the place of the manifest", "E_MISSING",
         "{1}", lambda p: [p[0], ("#p", b"")], 3)
    case("empty_map", "an empty map", "E_MISSING", 3, lambda p: [], 2)
    case("payload_first", "a payload before the wrapper", "E_MISSING", "{0}",
         lambda p: [("#p", b""), *p], 2)
    case("delegation", "key 1, once delegation, before the wrapper", "E_MISSING", "{0}",
         lambda p: [(1, b""), *p], 2)
    case("wrapper_twice", "wrapper twice", "E_ORDER", "{1}", lambda p: [p[0], p[0], p[1]])
    case("manifest_twice", "manifest twice", "E_ORDER", "{2}", lambda p: [*p, p[1]])
    body = base() | {20: digest_of_bstr(b"x"), 23: digest_of_bstr(b"x")}
    feed(3, "members_order", "text before install",
         envelope(body, pairs=lambda p: [*p, (23, b"x"), (20, b"x")]), "E_ORDER", "{3}")
    for key in (4, 7, 15, 18, 24, 107, -1):
        case(f"envelope_member_{key}".replace("-", "m"), f"unknown envelope member {key}",
             "E_MEMBER", "{2}", lambda p: [*p, (key, b"x")], key, 12)


# -- 4: COSE -----------------------------------------------------------------------------------


def cose() -> None:
    def block(name: str, source: str, make: Any, expect: str, at: str) -> None:
        feed(4, name, source, envelope(BODY, blocks=lambda d: [make(d)]), expect, f"2/[1]/{at}")

    def header(name: str, source: str, expect: str, at: str, protected: Any = None,
               unprotected: Any = None) -> None:
        block(name, source, lambda d: Wrap(sign1(d, protected=protected, unprotected=unprotected)),
              expect, at)

    def part(name: str, source: str, number: int, value: Any, expect: str = "E_COSE") -> None:
        def make(digest: bytes) -> Wrap:
            items = list(sign1(digest).value)
            items[number] = value
            return Wrap(Tag(18, items))
        block(name, source, make, expect, f"[{number}]")

    block("untagged", "COSE_Sign1 without its tag", lambda d: Wrap(sign1(d).value), "E_COSE", "<")
    for tag in (16, 19, 96, 107):
        block(f"tag_{tag}", f"block with tag {tag}", lambda d: Wrap(Tag(tag, sign1(d).value)),
              "E_COSE", "<")
    block("map", "a map in the place of the tagged block", lambda d: Wrap({}), "E_COSE", "<")
    block("array_3", "COSE_Sign1 of three elements",
          lambda d: Wrap(Tag(18, sign1(d).value[:3])), "E_COSE", "</<")
    block("array_5", "COSE_Sign1 of five elements",
          lambda d: Wrap(Tag(18, [*sign1(d).value, b""])), "E_COSE", "</<")
    block("not_array", "tag 18 on a byte string", lambda d: Wrap(Tag(18, b"")), "E_COSE", "</<")
    block("mac0_array_5", "COSE_Mac0 of five elements",
          lambda d: Wrap(Tag(17, [*mac0(d).value, []])), "E_COSE", "</<")
    part("attached", "payload attached", 2, cbor(digest_of_bstr(cbor(BODY))))
    part("payload_empty", "payload an empty byte string", 2, b"")
    part("payload_undefined", "payload undefined instead of nil", 2, Raw(b"\xf7"))
    part("payload_false", "payload false instead of nil", 2, False)
    part("signature_text", "signature a text", 3, "s" * 64)
    part("signature_nil", "signature nil", 3, None)
    part("protected_map", "protected header not wrapped", 0, {1: ED25519})
    part("protected_nil", "protected header nil", 0, None)
    part("protected_text", "protected header a text", 0, "\u0001")
    part("unprotected_nil", "unprotected header nil", 1, None)
    part("unprotected_bstr", "unprotected header wrapped", 1, b"\xa0")
    header("protected_array", "protected header an array", "E_COSE", "[0]/<", [1, ED25519])
    header("no_alg", "no alg: protected header an empty map", "E_COSE", "[0]", {})
    header("no_alg_empty", "no alg: protected header an empty string", "E_COSE", "[0]", b"")
    header("no_alg_kid", "no alg, but a kid", "E_COSE", "[0]", {4: b"k"})
    header("alg_unprotected", "alg in the unprotected header only: missing from the protected "
           "one, which comes first", "E_COSE", "[0]", b"", {1: ED25519})
    header("alg_both", "alg in both headers", "E_COSE", "[1]/@1", {1: ED25519}, {1: ED25519})
    header("alg_other_unprotected", "another alg in the unprotected header", "E_COSE", "[1]/@1",
           {1: ED25519}, {1: -8})
    header("crit", "crit, protected", "E_COSE", "[0]/@2", {1: ED25519, 2: [4], 4: b"k"})
    header("crit_unknown", "crit that names an unknown parameter", "E_COSE", "[0]/@2",
           {1: ED25519, 2: [99], 99: 0})
    header("crit_unprotected", "crit, unprotected", "E_COSE", "[1]/@2", None, {2: [4], 4: b"k"})
    header("alg_twice", "alg twice", "E_ORDER", "[0]/{1}",
           Pairs([(1, ED25519), (1, ED25519)]))
    header("kid_twice", "kid twice, unprotected", "E_ORDER", "[1]/{1}", None,
           Pairs([(4, b"k"), (4, b"k")]))
    header("kid_both", "kid in both headers", "E_ORDER", "[1]/@4", {1: ED25519, 4: b"k"},
           {4: b"k"})
    header("protected_order", "protected labels not sorted", "E_ORDER", "[0]/{1}",
           Pairs([(4, b"k"), (1, ED25519)]))
    header("unprotected_order", "unprotected labels not sorted", "E_ORDER", "[1]/{1}", None,
           Pairs([(16, 0), (4, b"k")]))
    header("kid_text", "kid a text", "E_COSE", "[1]/4", None, {4: "k"})
    header("kid_int", "kid a number, protected", "E_COSE", "[0]/4", {1: ED25519, 4: 7})
    header("label_array", "other parameter an array", "E_COSE", "[1]/33", None, {33: [b"c"]})
    header("label_map", "other parameter a map, protected", "E_COSE", "[0]/5",
           {1: ED25519, 5: {}})
    header("label_tag", "other parameter tagged", "E_COSE", "[1]/16", None, {16: Tag(1, 0)})
    header("label_float", "other parameter a float", "E_COSE", "[1]/16", None, {16: 1.5})
    two = envelope(BODY, blocks=lambda d: [
        Wrap(sign1(d)), Wrap(sign1(d, unprotected={2: [4], 4: b"k"}))])
    feed(4, "second_block", "a good block, then a malformed one: all are parsed first", two,
         "E_COSE", "2/[2]/[1]/@2")
    two = envelope(BODY, blocks=lambda d: [Wrap(sign1(d)), Wrap([1])])
    feed(4, "second_untagged", "a good block, then something else", two, "E_COSE", "2/[2]/<")


# -- 5: framing and encoding -------------------------------------------------------------------


def framing() -> None:
    whole = good()
    body = whole[2:]
    feed(5, "untagged", "no tag", body, "E_TAG", 0)
    feed(5, "tag_106", "tag 106", b"\xd8\x6a" + body, "E_TAG", 0)
    feed(5, "tag_1070", "tag 1070, of a lone manifest", b"\xd9\x04\x2e" + cbor(BODY), "E_TAG", 0)
    feed(5, "tag_array", "an array", cbor([1, 2]), "E_TAG", 0)
    feed(5, "tag_text", "something that is not CBOR: text", b"GET / HTTP/1.1\r\n", "E_TAG", 0)
    feed(5, "tag_not_shortest", "tag 107 with a head of three bytes", b"\xd9\x00\x6b" + body,
         "E_CBOR", 0)
    feed(5, "tag_not_shortest_9", "tag 107 with a head of nine bytes",
         b"\xdb" + bytes(7) + b"\x6b" + body, "E_CBOR", 0)
    feed(5, "tag_twice", "tag 107 twice", b"\xd8\x6b" + whole, "E_TYPE", 2)
    feed(5, "envelope_array", "tag 107 on an array", b"\xd8\x6b\x82" + body[1:], "E_TYPE", 2)
    feed(5, "envelope_bstr", "tag 107 on a byte string", b"\xd8\x6b" + cbor(body), "E_TYPE", 2)
    feed(5, "envelope_indefinite", "map of the envelope without length",
         b"\xd8\x6b\xbf" + body[1:] + b"\xff", "E_CBOR", 2)
    feed(5, "envelope_not_shortest", "map head of the envelope too long",
         b"\xd8\x6b\xb8\x02" + body[1:], "E_CBOR", 2)
    feed(5, "envelope_reserved", "map head of the envelope with reserved length",
         b"\xd8\x6b\xbc" + body[1:], "E_CBOR", 2)
    for size in (1, 2, 3, 4, 6, 20, 80, 130, len(whole) - 1):
        feed(5, f"truncated_{size}", f"only the first {size} bytes", whole[:size], "E_TRUNCATED",
             size)
    feed(5, "truncated_count", "the map of the envelope announces one pair more",
         b"\xd8\x6b\xa3" + body[1:], "E_TRUNCATED", len(whole))
    feed(5, "truncated_key3", "the manifest announces one byte more than comes",
         envelope(BODY, pairs=lambda p: [p[0], (3, Raw(head(2, len(cbor(BODY)) + 1)
                                                       + cbor(BODY)))]),
         "E_TRUNCATED", len(whole))
    refuse(5, "trailing_envelope", "one byte after the envelope", whole + b"\0", "E_TRAILING", "$")
    refuse(5, "trailing_count", "the map of the envelope announces one pair less",
           b"\xd8\x6b\xa2" + envelope(BODY, members={"#p": b""})[3:], "E_TRAILING", "$")
    refuse(5, "trailing_twice", "the envelope twice", whole + whole, "E_TRAILING", "$")

    def key(name: str, source: str, expect: str, at: Any, pairs: Any) -> None:
        feed(5, name, source, envelope(BODY, pairs=pairs), expect, at)

    key("key2_not_shortest", "key 2 in two bytes", "E_CBOR", "{0}",
        lambda p: [(Raw(b"\x18\x02"), p[0][1]), p[1]])
    key("key3_not_shortest", "key 3 in two bytes", "E_CBOR", "{1}",
        lambda p: [p[0], (Raw(b"\x18\x03"), p[1][1])])
    key("key20_not_shortest", "key 20 in two bytes", "E_CBOR", "{2}",
        lambda p: [*p, (Raw(b"\x18\x14"), b"x")])
    key("key_bstr", "a byte string as key", "E_TYPE", "{2}", lambda p: [*p, (b"p", b"x")])
    key("key_array", "an array as key", "E_TYPE", "{2}", lambda p: [*p, ([1], b"x")])
    for name, make in (("not_shortest", not_shortest), ("indefinite", indefinite),
                       ("reserved", reserved)):
        key(f"wrapper_{name}", f"byte string of the wrapper: {name}", "E_CBOR", "2",
            lambda p: [(2, make(p[0][1])), p[1]])
        key(f"manifest_{name}", f"byte string of the manifest: {name}", "E_CBOR", "3",
            lambda p: [p[0], (3, make(p[1][1]))])
    for name, value in (("map", {}), ("text", "x"), ("nil", None), ("int", 7)):
        key(f"wrapper_type_{name}", f"wrapper not a byte string but {name}", "E_TYPE", "2",
            lambda p: [(2, value), p[1]])
        key(f"manifest_type_{name}", f"manifest not a byte string but {name}", "E_TYPE", "3",
            lambda p: [p[0], (3, value)])
    key("manifest_tagged", "manifest tagged inside the envelope", "E_TYPE", "3",
        lambda p: [p[0], (3, Tag(1070, p[1][1]))])

    def wrapper(name: str, source: str, expect: str, at: str, make: Any) -> None:
        feed(5, name, source, envelope(BODY, wrapper=make), expect, f"2/{at}")

    wrapper("auth_map", "wrapper holds a map", "E_TYPE", "<", lambda w: {1: w[0]})
    wrapper("auth_not_shortest", "array of the wrapper: head too long", "E_CBOR", "<",
            not_shortest)
    wrapper("auth_indefinite", "array of the wrapper: no length", "E_CBOR", "<", indefinite)
    wrapper("auth_trailing", "bytes after the array of the wrapper", "E_TRAILING", "</$", trailing)
    wrapper("auth_count", "array of the wrapper announces one block less", "E_TRAILING", "</$",
            lambda w: count(w, -1))
    wrapper("auth_count_more", "array of the wrapper announces one block more", "E_BOUNDS", "$",
            lambda w: count(w, 1))
    wrapper("digest_not_wrapped", "digest not wrapped", "E_TYPE", "[0]",
            lambda w: [digest_of_bstr(cbor(BODY)), w[1]])
    wrapper("digest_text", "digest wrapped in a text", "E_TYPE", "[0]",
            lambda w: [Raw(b"\x78\x24" + w[0]), w[1]])
    wrapper("digest_too_long", "digest longer than the wrapper", "E_BOUNDS", "[0]",
            lambda w: [too_long(w[0]), w[1]])
    wrapper("block_not_wrapped", "block not wrapped", "E_TYPE", "[1]",
            lambda w: [w[0], w[1].value])
    wrapper("block_text", "block a text", "E_TYPE", "[1]", lambda w: [w[0], "block"])
    wrapper("block_too_long", "block longer than the wrapper", "E_BOUNDS", "[1]",
            lambda w: [w[0], too_long(w[1])])
    wrapper("block_not_shortest", "byte string of a block: head too long", "E_CBOR", "[1]",
            lambda w: [w[0], not_shortest(w[1])])
    wrapper("block_indefinite", "byte string of a block without length", "E_CBOR", "[1]",
            lambda w: [w[0], indefinite(w[1])])
    wrapper("block_trailing", "bytes after the COSE structure of a block", "E_TRAILING",
            "[1]/</$", lambda w: [w[0], Wrap(trailing(w[1].value))])
    wrapper("cose_not_shortest", "array of COSE_Sign1: head too long", "E_CBOR", "[1]/</<",
            lambda w: [w[0], Wrap(Tag(18, not_shortest(w[1].value.value)))])
    wrapper("cose_tag_not_shortest", "tag of COSE_Sign1: head too long", "E_CBOR", "[1]/<",
            lambda w: [w[0], Wrap(Raw(b"\xd8\x12" + cbor(w[1].value.value)))])

    def digest(name: str, source: str, expect: str, at: str, value: Any) -> None:
        feed(5, name, source, envelope(BODY, digest=value), expect, f"2/[0]/{at}")

    right = digest_of_bstr(cbor(BODY))
    digest("digest_map", "digest a map", "E_TYPE", "<", {-16: right[1]})
    digest("digest_array_1", "digest of one element", "E_TYPE", "<", right[:1])
    digest("digest_array_3", "digest of three elements", "E_TYPE", "<", [*right, 0])
    digest("digest_array_0", "digest of no element", "E_TYPE", "<", [])
    digest("digest_not_shortest", "array of the digest: head too long", "E_CBOR", "<",
           not_shortest(right))
    digest("digest_indefinite", "array of the digest without length", "E_CBOR", "<",
           indefinite(right))
    digest("digest_trailing", "bytes after the array of the digest", "E_TRAILING", "</$",
           trailing(right))
    digest("digest_alg_text", "digest algorithm a text", "E_TYPE", "[0]", ["sha-256", right[1]])
    digest("digest_alg_not_shortest", "digest algorithm: head too long", "E_CBOR", "[0]",
           [not_shortest(-16), right[1]])
    digest("digest_bytes_text", "digest a text", "E_TYPE", "[1]", [-16, "d" * 32])
    digest("digest_bytes_not_shortest", "digest bytes: head too long", "E_CBOR", "[1]",
           [-16, not_shortest(right[1])])
    digest("digest_bytes_too_long", "digest bytes longer than what wraps them", "E_BOUNDS",
           "[1]", [-16, too_long(right[1])])

    def cose_item(name: str, source: str, expect: str, at: str, number: int, make: Any) -> None:
        def blocks(d: bytes) -> list[Any]:
            items = list(sign1(d).value)
            items[number] = make(items[number])
            return [Wrap(Tag(18, items))]
        feed(5, name, source, envelope(BODY, blocks=blocks), expect, f"2/[1]/[{number}]{at}")

    cose_item("protected_not_shortest", "protected header: head too long", "E_CBOR", "", 0,
              not_shortest)
    cose_item("protected_indefinite", "protected header without length", "E_CBOR", "", 0,
              indefinite)
    short = Raw(b"\xd2\x84\x58\x30\xa1\x01\x32\xa0\xf6\x40")
    feed(5, "protected_too_long", "protected header longer than the block",
         envelope(BODY, blocks=[Wrap(short)]), "E_BOUNDS", "2/[1]/[0]")
    cose_item("unprotected_indefinite", "unprotected header without length", "E_CBOR", "", 1,
              indefinite)
    cose_item("unprotected_not_shortest", "unprotected header: head too long", "E_CBOR", "", 1,
              not_shortest)
    cose_item("payload_not_shortest", "payload nil in two bytes", "E_CBOR", "", 2,
              lambda v: Raw(b"\xf8\x16"))
    cose_item("signature_not_shortest", "signature: head too long", "E_CBOR", "", 3, not_shortest)
    cose_item("signature_indefinite", "signature without length", "E_CBOR", "", 3, indefinite)
    cose_item("signature_too_long", "signature longer than the block", "E_BOUNDS", "", 3,
              too_long)

    def protected(name: str, source: str, expect: str, at: str, value: Any) -> None:
        feed(5, name, source, envelope(BODY, blocks=lambda d: [Wrap(sign1(d, protected=value))]),
             expect, f"2/[1]/[0]/{at}")

    protected("header_not_shortest", "map of the protected header: head too long", "E_CBOR", "<",
              not_shortest({1: ED25519}))
    protected("header_indefinite", "map of the protected header without length", "E_CBOR", "<",
              indefinite({1: ED25519}))
    protected("header_trailing", "bytes after the map of the protected header", "E_TRAILING",
              "</$", trailing({1: ED25519}))
    protected("header_label_not_shortest", "label alg in two bytes", "E_CBOR", "{0}",
              Pairs([(Raw(b"\x18\x01"), ED25519)]))
    protected("header_alg_not_shortest", "alg: head too long", "E_CBOR", "{0}=",
              {1: not_shortest(ED25519)})


# -- 9: severed members ------------------------------------------------------------------------


def severed() -> None:
    work = cbor([1, 15])
    for key, name in ((14, "coswid"), (16, "payload_fetch"), (20, "install"), (23, "text")):
        inside = base() | {key: digest_of_bstr(work)}
        other = cbor([2, 15])
        feed(9, f"{name}_other", f"severed {name} differs from its digest",
             envelope(inside, members={key: other}), "E_DIGEST", f"{key}")
        feed(9, f"{name}_not_referenced", f"{name} in the envelope, nothing in the manifest",
             envelope(base(), members={key: work}), "E_SEVERED", f"@{key}", label=key)
        feed(9, f"{name}_in_place", f"{name} in the manifest and in the envelope",
             envelope(base() | {key: work}, members={key: work}), "E_SEVERED", f"@{key}",
             label=key)
        feed(9, f"{name}_without_head", f"digest of {name} without the head of its byte string",
             envelope(base() | {key: digest_of(work)}, members={key: work}), "E_DIGEST",
             f"{key}")
        feed(9, f"{name}_type", f"severed {name} not a byte string",
             envelope(inside, members={key: [1, 15]}), "E_TYPE", f"{key}")
        feed(9, f"{name}_not_shortest", f"severed {name}: head too long",
             envelope(inside, members={key: not_shortest(work)}), "E_CBOR", f"{key}")
        feed(9, f"{name}_empty", f"severed {name}: an empty byte string",
             envelope(inside, members={key: b""}), "E_DIGEST", f"{key}")
        if key in (16, 20):
            refuse(9, f"{name}_absent", f"{name} severed and gone: UPDATE needs it",
                   envelope(inside), "E_SEVERED", f"3/@{key}", label=key, stage="begin",
                   needs=("SEVERED",))
    first, second = cbor([1, 15]), cbor([2, 15])
    feed(9, "exchanged", "payload-fetch and install exchanged: a digest is bound to its key",
         envelope(base() | {16: digest_of_bstr(first), 20: digest_of_bstr(second)},
                  members={16: second, 20: first}), "E_DIGEST", "16")
    feed(9, "twice", "severed install twice",
         envelope(base() | {20: digest_of_bstr(first)},
                  pairs=lambda p: [*p, (20, first), (20, first)]), "E_ORDER", "{3}")
    whole = envelope(base() | {20: digest_of_bstr(first)}, members={20: first})
    feed(9, "truncated", "the envelope ends inside severed install", whole[:-1], "E_TRUNCATED",
         len(whole) - 1)


# -- 22: payload members -----------------------------------------------------------------------


def payloads() -> None:
    def case(name: str, source: str, expect: str, at: Any, *extra: Any, rule: int = 22) -> None:
        data = envelope(working(install=[*fetch("#p"), 3, 15]), pairs=lambda p: [*p, *extra])
        refuse(rule, name, source, data, expect, at)

    good = ("#p", SMALL.data)
    case("order", "payload keys not sorted", "E_ORDER", "{3}", ("#b", b""), ("#a", b""), good)
    case("order_length", "a longer payload key before a shorter one", "E_ORDER", "{3}",
         ("#aa", b""), ("#b", b""), good)
    case("twice", "a payload key twice", "E_ORDER", "{3}", ("#a", b""), ("#a", b""), good)
    case("int_after", "a severed member after a payload", "E_ORDER", "{3}", ("#a", b""),
         (20, b""), good)
    case("bstr_after", "a byte string as key after a payload", "E_ORDER", "{3}", ("#a", b""),
         (b"#b", b""), good)
    case("value_text", "a payload that is a text", "E_TYPE", "{2}=", ("#a", "text"), good)
    case("value_map", "a payload that is a map", "E_TYPE", "{2}=", ("#a", {}), good)
    case("wanted_text", "the wanted payload is a text", "E_TYPE", "{2}=", ("#p", "text"))
    case("value_indefinite", "a payload without length", "E_CBOR", "{2}=",
         ("#a", indefinite(b"x")), good)
    case("value_not_shortest", "a payload: head too long", "E_CBOR", "{2}=",
         ("#a", not_shortest(b"x")), good)
    case("wanted_not_shortest", "the wanted payload: head too long", "E_CBOR", "{2}=",
         ("#p", not_shortest(SMALL.data)))
    case("wanted_indefinite", "the wanted payload without length", "E_CBOR", "{2}=",
         ("#p", indefinite(SMALL.data)))
    case("key_not_shortest", "payload key: head too long", "E_CBOR", "{2}",
         (not_shortest("#a"), b""), good)
    case("key_indefinite", "payload key without length", "E_CBOR", "{2}",
         (indefinite("#a"), b""), good)
    data = envelope(working(install=[*fetch("#" + "p" * 254), 3, 15]),
                    pairs=lambda p: [*p, ("#" + "k" * 255, b"")])
    refuse(22, "key_256", "payload key of 256 bytes", data, "E_LIMIT", "{2}")
    whole = envelope(working(), members={"#p": SMALL.data})
    for name, size in (("inside", len(whole) - 10), ("last", len(whole) - 1),
                       ("before", len(whole) - 100), ("key", len(whole) - 104)):
        refuse(22, f"truncated_{name}", f"the envelope ends in the wanted payload ({name})",
               whole[:size], "E_TRUNCATED", size)
    whole = envelope(working(), members={"#a": SMALL.data, "#p": SMALL.data})
    refuse(22, "truncated_other", "the envelope ends in a payload before the wanted one",
           whole[: len(whole) - 150], "E_TRUNCATED", len(whole) - 150)


def build() -> None:
    for part in (authentication, digests, order, cose, framing, severed, payloads):
        part()
