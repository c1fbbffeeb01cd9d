# SPDX-License-Identifier: MIT
"""Refusals in the manifest that are found before the first effect."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accept import C0, C1, DENIED, KEY_STORE, fetch
from refuse import SMALL, base, changed, in_manifest, refuse, working
from suit import (
    ANY, CLASS, COMPATIBLE, ED25519, IDENTITY, KEEPER, ROAMER, ROOT, UPDATER, VENDOR, Pairs,
    Raw, Tag, Wrap, cbor, count, digest_of_bstr, envelope, head, indefinite, manifest,
    not_shortest, reserved, sign1, too_long, trailing, with_image,
)

FEED: Any = {"stage": "feed"}
BEGIN: Any = {"stage": "begin"}
TWO = [C0, C1]


def two(**more: Any) -> dict[Any, Any]:
    return manifest(components=TWO, **more)


# -- 2: digests of severable members -----------------------------------------------------------


def digests() -> None:
    for key, name in ((14, "coswid"), (16, "payload_fetch"), (20, "install"), (23, "text")):
        for what, value, expect, at in (
            ("alg", [-43, bytes(48)], "E_ALG", "/[0]"),
            ("length", [-16, bytes(31)], "E_VALUE", "/[1]"),
            ("array_1", [-16], "E_TYPE", ""),
            ("array_3", [-16, bytes(32), 0], "E_TYPE", ""),
        ):
            in_manifest(2, f"{name}_{what}", f"digest of {name}: wrong {what.split('_')[0]}",
                        base() | {key: value}, expect, f"{key}{at}", **FEED)


# -- 5: encoding -------------------------------------------------------------------------------


def encoding() -> None:
    def each(path: str, what: str, stage: Any, *kinds: str, body: Any = None) -> None:
        """The item at `path`, encoded as it must not be."""
        makers: dict[str, tuple[str, Any, str]] = {
            "not_shortest": ("head too long", not_shortest, "E_CBOR"),
            "indefinite": ("without length", indefinite, "E_CBOR"),
            "reserved": ("reserved additional information", reserved, "E_CBOR"),
            "too_long": ("longer than what contains it", too_long, "E_BOUNDS"),
        }
        for kind in kinds:
            source, make, expect = makers[kind]
            changed(5, f"{what}_{kind}", f"{what.replace('_', ' ')}: {source}",
                    body or RICH, path, make, expect, **stage)

    def typed(path: str, what: str, stage: Any, **values: Any) -> None:
        for kind, value in values.items():
            changed(5, f"{what}_{kind}", f"{what.replace('_', ' ')}: {kind} instead",
                    RICH, path, value, "E_TYPE", **stage)

    def extra(path: str, what: str, stage: Any) -> None:
        """Bytes behind an item that fills a byte string."""
        changed(5, f"{what}_trailing", f"bytes after {what.replace('_', ' ')}", RICH, path,
                lambda old: Wrap(trailing(old.value)), "E_TRAILING", f"{path}/</$", **stage)

    def counts(path: str, what: str, stage: Any, less: bool = True, more: bool = True) -> None:
        """A map or array that fills a byte string, with a wrong count."""
        if less:
            changed(5, f"{what}_count_less", f"{what.replace('_', ' ')} announces less", RICH,
                    path, lambda old: Wrap(count(old.value, -1 - LONG.get(path, 0))),
                    "E_TRAILING", f"{path}/</$", **stage)
        if more:
            changed(5, f"{what}_count_more", f"{what.replace('_', ' ')} announces more", RICH,
                    path, lambda old: Wrap(count(old.value, 1 + LONG.get(path, 0))),
                    "E_BOUNDS", f"{path}/$", **stage)

    LONG = {"3/4": 1, "7": 1}  # sequences: by two, to stay even

    # manifest map
    refuse(5, "manifest_map_trailing", "bytes after the manifest map",
           envelope(trailing(RICH)), "E_TRAILING", "3/</$", **FEED)
    refuse(5, "manifest_map_array", "manifest an array", envelope([1, 2]), "E_TYPE", "3/<", **FEED)
    refuse(5, "manifest_map_tagged", "manifest tagged inside its byte string",
           envelope(Tag(1070, RICH)), "E_TYPE", "3/<", **FEED)
    refuse(5, "manifest_map_not_shortest", "manifest map: head too long",
           envelope(not_shortest(RICH)), "E_CBOR", "3/<", **FEED)
    refuse(5, "manifest_map_indefinite", "manifest map without length",
           envelope(indefinite(RICH)), "E_CBOR", "3/<", **FEED)
    refuse(5, "manifest_map_count_less", "manifest map announces less",
           envelope(count(RICH, -1)), "E_TRAILING", "3/</$", **FEED)
    refuse(5, "manifest_map_count_more", "manifest map announces more",
           envelope(count(RICH, 1)), "E_BOUNDS", "3/$", **FEED)
    changed(5, "manifest_key_not_shortest", "a manifest key in two bytes", RICH, "@7",
            not_shortest, "E_CBOR", "{4}", **FEED)
    changed(5, "manifest_key_text", "a manifest key that is a text", RICH, "@20", "install",
            "E_TYPE", "{5}", **FEED)
    pairs = sorted(RICH.items())
    in_manifest(5, "manifest_order", "manifest keys not sorted",
                Pairs([*pairs[:4], pairs[5], pairs[4]]), "E_ORDER", "{5}", **FEED)
    in_manifest(5, "manifest_twice", "a manifest key twice",
                Pairs([*pairs[:5], pairs[4], pairs[5]]), "E_ORDER", "{5}", **FEED)
    in_manifest(5, "manifest_order_negative", "a negative manifest key before a positive one",
                Pairs([*pairs[:4], (-1, b""), *pairs[4:]]), "E_MEMBER", "{4}", label=-1, **FEED)
    # its members
    each("2", "sequence_number", FEED, "reserved",
         body=RICH)
    each("2", "sequence_number", FEED, "not_shortest")
    each("1", "version", FEED, "not_shortest")
    typed("1", "version", FEED, text="1", negative=-1, bstr=b"\1", nil=None)
    typed("2", "sequence_number", FEED, text="1", negative=-2, bignum=Tag(2, bytes(8) + b"\1"),
          float=1.5, tagged=Tag(1, 5))
    each("3", "common", FEED, "not_shortest", "indefinite", "too_long")
    typed("3", "common", FEED, unwrapped=RICH[3].value, digest=[-16, bytes(32)], text="c")
    each("4", "reference_uri", FEED, "not_shortest", "indefinite", "too_long")
    typed("4", "reference_uri", FEED, bstr=b"coap://u", tagged=Tag(32, "coap://u"), nil=None)
    for key, name in ((7, "validate"), (20, "install")):
        each(str(key), name, FEED, "not_shortest", "indefinite", "too_long")
        typed(str(key), name, FEED, unwrapped=RICH[key].value if key == 7 else {}, text="v", int=1)
    for key, name in ((7, "validate"), (8, "load"), (9, "invoke")):
        in_manifest(5, f"{name}_digest", f"{name} severed: not a member that can be",
                    base() | {key: digest_of_bstr(b"x")}, "E_TYPE", str(key), **FEED)
    for key, name in ((14, "coswid"), (16, "payload_fetch"), (23, "text")):
        for kind, value in (("map", {}), ("nil", None), ("int", 7)):
            in_manifest(5, f"{name}_{kind}", f"{name}: {kind} instead", base() | {key: value},
                        "E_TYPE", str(key), **FEED)
    # common
    extra("3", "common_map", FEED)
    counts("3", "common_map", FEED)
    changed(5, "common_map_array", "common an array", RICH, "3", Wrap([1]), "E_TYPE", "3/<", **FEED)
    changed(5, "common_map_not_shortest", "common map: head too long", RICH, "3",
            lambda old: Wrap(not_shortest(old.value)), "E_CBOR", "3/<", **FEED)
    common = RICH[3].value
    changed(5, "common_order", "common: shared sequence before components", RICH, "3",
            Wrap(Pairs([(4, common[4]), (2, common[2])])), "E_ORDER", "3/{1}", **FEED)
    changed(5, "common_twice", "common: components twice", RICH, "3",
            Wrap(Pairs([(2, common[2]), (2, common[2]), (4, common[4])])), "E_ORDER", "3/{1}",
            **FEED)
    changed(5, "common_key_text", "common: a text as key", RICH, "3",
            Wrap({2: common[2], 4: common[4], "a": 1}), "E_TYPE", "3/{2}", **FEED)
    each("3/2", "components", FEED, "not_shortest", "indefinite")
    typed("3/2", "components", FEED, map={}, bstr=b"\0", int=1)
    changed(5, "components_empty", "no component in the list", RICH, "3/2", [], "E_VALUE", **FEED)
    each("3/2/[0]", "component", FEED, "not_shortest", "indefinite")
    typed("3/2/[0]", "component", FEED, bstr=b"\0", text="a", map={})
    each("3/2/[0]/[0]", "component_element", FEED, "not_shortest", "indefinite", "too_long")
    typed("3/2/[0]/[0]", "component_element", FEED, text="a", int=0, array=[b"\0"])
    each("3/4", "shared", FEED, "not_shortest", "indefinite", "too_long")
    typed("3/4", "shared", FEED, unwrapped=common[4].value, nil=None)
    # sequences
    extra("3/4", "shared_sequence", BEGIN)
    extra("7", "sequence", BEGIN)
    counts("3/4", "shared_sequence", BEGIN)
    counts("7", "sequence", BEGIN)
    changed(5, "sequence_map", "a sequence that is a map", RICH, "7", Wrap({3: 15}), "E_TYPE",
            "7/<", section=7, **BEGIN)
    changed(5, "sequence_not_shortest", "sequence: head too long", RICH, "7",
            lambda old: Wrap(not_shortest(old.value)), "E_CBOR", "7/<", section=7, **BEGIN)
    changed(5, "sequence_indefinite", "sequence without length", RICH, "7",
            lambda old: Wrap(indefinite(old.value)), "E_CBOR", "7/<", section=7, **BEGIN)
    each("7/[0]", "command", BEGIN, "not_shortest", "reserved")
    typed("7/[0]", "command", BEGIN, text="3", bstr=b"\3", nil=None, tagged=Tag(1, 3))
    each("7/[3]", "policy", BEGIN, "not_shortest")
    for path, where in (("20/[5]", "nested"), ("20/[7]/[0]", "alternative")):
        each(path, where, BEGIN, "not_shortest", "indefinite", "too_long")
        extra(path, f"{where}_sequence", BEGIN)
        changed(5, f"{where}_label_not_shortest", f"a label in a {where} sequence: head too long",
                RICH, f"{path}/[0]", not_shortest, "E_CBOR", **BEGIN)
    each("20/[7]", "try_each", BEGIN, "not_shortest", "indefinite")
    # parameters
    each("3/4/[1]", "parameters", BEGIN, "not_shortest", "indefinite")
    changed(5, "parameter_key_not_shortest", "parameter label in two bytes", RICH,
            "3/4/[1]/@14", lambda old: Raw(b"\x18\x0e"), "E_CBOR", "3/4/[1]/{3}", **BEGIN)
    changed(5, "parameter_key_text", "parameter label a text", RICH,
            "3/4/[1]/@14", "size", "E_TYPE", "3/4/[1]/{3}", **BEGIN)
    changed(5, "parameter_order", "parameters not sorted", RICH, "3/4/[1]",
            Pairs([(2, CLASS), (1, VENDOR)]), "E_ORDER", "3/4/[1]/{1}", **BEGIN)
    changed(5, "parameter_twice", "a parameter twice", RICH, "3/4/[1]",
            Pairs([(1, VENDOR), (2, CLASS), (2, CLASS)]), "E_ORDER", "3/4/[1]/{2}", **BEGIN)
    each("3/4/[1]/1", "vendor", BEGIN, "not_shortest", "indefinite", "too_long")
    each("3/4/[1]/14", "image_size", BEGIN, "not_shortest")
    each("20/[1]/21", "uri", BEGIN, "not_shortest", "indefinite", "too_long")
    each("3/4/[1]/3", "image_digest", BEGIN, "not_shortest", "indefinite", "too_long")
    extra("3/4/[1]/3", "image_digest", BEGIN)
    changed(5, "image_digest_array_not_shortest", "array of image-digest: head too long", RICH,
            "3/4/[1]/3", lambda old: Wrap(not_shortest(old.value)), "E_CBOR", "3/4/[1]/3/<",
            **BEGIN)
    changed(5, "image_digest_bytes_too_long", "bytes of image-digest longer than it", RICH,
            "3/4/[1]/3/[1]", too_long, "E_BOUNDS", **BEGIN)
    changed(5, "image_digest_alg_not_shortest", "algorithm of image-digest: head too long", RICH,
            "3/4/[1]/3/[0]", not_shortest, "E_CBOR", **BEGIN)


RICH = working(
    validate=[20, {1: VENDOR}, 1, 15, 3, 15],
    install=[20, {21: "#p"}, 21, 2, 32, Wrap([3, 15]), 15, [Wrap([3, 15]), Wrap([14, 15])]],
    reference_uri="coap://u",
)


# -- 6: version and required members -----------------------------------------------------------


def required() -> None:
    for version in (0, 2, 3, 2**32 + 1):
        changed(6, f"version_{version}", f"manifest-version {version}", base(), "1", version,
                "E_VERSION", **FEED)
    for key, at, label in ((1, "{0}", 1), (2, "{1}", 2), (3, "{2}", 3)):
        body = {k: v for k, v in base().items() if k != key}
        in_manifest(6, f"missing_{key}", f"manifest without member {key}", body, "E_MISSING", at,
                    label=label, **FEED)
    in_manifest(6, "missing_all", "an empty manifest", {}, "E_MISSING", "$", label=1, **FEED)
    in_manifest(6, "missing_2_end", "a manifest that ends after its version", {1: 1},
                "E_MISSING", "$", label=2, **FEED)
    in_manifest(6, "missing_3_end", "a manifest that ends after its number", {1: 1, 2: 1},
                "E_MISSING", "$", label=3, **FEED)


# -- 7: sequence number ------------------------------------------------------------------------


def rollback() -> None:
    def case(name: str, source: str, number: int, floor: int, **more: Any) -> None:
        in_manifest(7, name, source, base(sequence=number), "E_ROLLBACK", "2", floor=floor,
                    floor_digest=bytes(32), **more, **BEGIN)

    case("below", "number below the floor", 4, 5)
    case("below_invoke", "number below the floor, INVOKE", 4, 5, procedure="invoke")
    case("zero", "number 0, floor 1", 0, 1)
    case("equal_other", "number equal to the floor, another manifest", 5, 5)
    case("64_bits", "number below a floor of more than 32 bits", 2**31, 2**32 + 1)
    case("64_bits_high", "both above 32 bits, higher low half", 2**32 + 9, 2**33)
    case("max", "floor of 64 ones", 2**64 - 2, 2**64 - 1)


# -- 8: components and rights ------------------------------------------------------------------


def components() -> None:
    def unknown(name: str, source: str, *list_: Any, at: int = 0) -> None:
        in_manifest(8, f"unknown_{name}", source, manifest(components=list(list_)),
                    "E_COMPONENT", f"3/2/[{at}]", **BEGIN)

    unknown("component", "a component that the device does not have", [b"nowhere"])
    unknown("second", "the second component is unknown", C0, [b"nowhere"], at=1)
    unknown("longer", "a known identifier with one element more", [b"\0", b""])
    unknown("joined", "the elements of a known identifier, joined",
            [b"usrbinenv" + bytes(range(64))])
    unknown("split", "a known identifier, cut in two", [b"sta", b"ge"])
    unknown("prefix", "the beginning of a known identifier", [b"stag"])
    for name, list_, at in (("twice", [C0, C0], 1), ("twice_third", [C0, C1, C0], 2),
                            ("twice_empty", [[], C0, []], 2)):
        in_manifest(8, name, "the same component again", manifest(components=list_),
                    "E_COMPONENT", f"3/2/[{at}]", writes=0)

    def rights(name: str, source: str, body: Any, **more: Any) -> None:
        refuse(8, name, source, envelope(body, more.pop("keys", [ROOT])),
               more.pop("expect", "E_RIGHTS"), "3", **more, **BEGIN)

    rights("denied", "a component that is not for this signer", manifest(components=[DENIED]))
    rights("denied_second", "the second component is not for this signer",
           manifest(components=[C0, DENIED]))
    rights("invoke", "a key that may only update", base(invoke=[23, 2]), keys=[UPDATER],
           procedure="invoke")
    for name, install in (
        ("fetch", fetch("#k")), ("write", [20, {18: b"k"}, 18, 2]),
        ("nested", [32, Wrap([32, Wrap([20, {18: b"k"}, 18, 2])])]),
        ("alternative", [15, [Wrap([1, 15]), Wrap([20, {18: b"k"}, 18, 2])]]),
    ):
        rights(f"keys_{name}", f"component of kind KEYS written by a key without the right: {name}",
               manifest(components=[KEY_STORE], install=install))
    for name, install in (
        ("copy", [12, 1, 20, {22: 0}, 22, 2]),
        ("true", [12, True, 20, {18: b"k"}, 18, 2]),
        ("list", [12, [0, 1], 20, {18: b"k"}, 18, 2]),
        ("preset", [12, 1, 20, {18: b"k"}, 32, Wrap([18, 2])]),
        ("restored", [12, 1, 20, {18: b"k"}, 32, Wrap([12, 0, 1, 15]), 18, 2]),
        ("alternative_index", [12, 0, 15, [Wrap([12, 1, 20, {18: b"k"}, 18, 2]), Wrap([1, 15])]]),
    ):
        rights(f"keys_{name}", f"component of kind KEYS written by a key without the right: {name}",
               manifest(components=[C0, KEY_STORE], install=install))
    rights("keys_swap", "component of kind KEYS swapped by a key without the right",
           manifest(components=[C0, KEY_STORE], install=[12, 1, 20, {22: 0}, 31, 2]),
           needs=("SWAP",))
    rights("rights_not_added", "one key may update, another may write KEYS: they do not add up",
           manifest(components=[KEY_STORE], install=fetch("#k")), keys=[UPDATER, KEEPER])
    for name, shared in (
        ("none", [20, IDENTITY, 3, 15]), ("no_class", [20, IDENTITY, 1, 15]),
        ("no_vendor", [20, IDENTITY, 2, 15]), ("device_only", [20, IDENTITY, 1, 15, 24, 15]),
    ):
        rights(f"compat_{name}", f"vendor and class check in the shared sequence: {name}",
               manifest(shared), expect="E_COMPAT")
    rights("compat_not_added", "one key may update, another needs no check: they do not add up",
           manifest([20, IDENTITY, 1, 15]), keys=[UPDATER, ROAMER], expect="E_COMPAT")
    rights("compat_no_shared", "no shared sequence", manifest(common={2: [C0]}),
           expect="E_COMPAT")
    rights("compat_in_section", "vendor and class check in the section only",
           manifest(common={2: [C0]}, validate=[20, IDENTITY, 1, 15, 2, 15]), expect="E_COMPAT")
    rights("compat_invoke", "no vendor and class check, INVOKE", manifest([20, IDENTITY, 1, 15]),
           expect="E_COMPAT", procedure="invoke")


# -- 10: dependencies --------------------------------------------------------------------------


def dependencies() -> None:
    common = {1: {1: {1: [b"d"]}}, 2: [C0], 4: Wrap(with_image(SMALL.data))}
    in_manifest(10, "dependencies", "a manifest with dependencies", base(common=common),
                "E_MEMBER", "3/@1", label=1, **FEED)
    in_manifest(10, "dependencies_empty", "an empty map of dependencies",
                base(common=common | {1: {}}), "E_MEMBER", "3/@1", label=1, **FEED)
    for command, name in ((7, "integrity"), (8, "is_dependency"), (11, "process"), (33, "unlink")):
        in_manifest(10, f"command_{name}", f"command {command} of trust domains",
                    base(validate=[command, 15]), "E_COMMAND", "7/[0]", label=command, **BEGIN)


# -- 11: shape of sequences and arguments ------------------------------------------------------


def shapes() -> None:
    kind: str
    value: Any
    nested: Any

    def section(name: str, source: str, body: Any, expect: str, at: str, **more: Any) -> None:
        in_manifest(11, name, source, base(validate=body), expect, f"7/{at}",
                    **more, **BEGIN)

    section("empty", "an empty sequence", [], "E_SEQUENCE", "<", section=7)
    section("odd", "an odd number of elements", [3, 15, 1], "E_SEQUENCE", "<", section=7)
    section("label_only", "one element", [3], "E_SEQUENCE", "<", section=7)
    in_manifest(11, "empty_shared", "an empty shared sequence", manifest([]), "E_SEQUENCE",
                "3/4/<", section=3, keys=[ANY], **BEGIN)
    in_manifest(11, "odd_shared", "an odd number of elements in the shared sequence",
                manifest([20, IDENTITY, *COMPATIBLE, 1]), "E_SEQUENCE", "3/4/<", section=3,
                **BEGIN)
    in_manifest(11, "empty_invoke", "an empty sequence that only INVOKE looks at",
                base(invoke=[]), "E_SEQUENCE", "9/<", section=9, procedure="invoke", **BEGIN)
    for name, nested, at in (("run", [32, Wrap([])], "[1]/<"), ("try", [15, [Wrap([1, 15]),
                             Wrap([])]], "[1]/[1]/<")):
        section(f"empty_{name}", f"an empty nested sequence: {name}", nested, "E_SEQUENCE", at)
    section("odd_run", "an odd number of elements in a nested sequence",
            [32, Wrap([1, 15, 1])], "E_SEQUENCE", "[1]/<")
    work = cbor([1, 15, 3])
    refuse(11, "odd_severed", "an odd number of elements in a severed sequence",
           envelope(base() | {20: digest_of_bstr(work)}, members={20: work}), "E_SEQUENCE",
           "20/<", section=20, **BEGIN)
    for command in (1, 2, 3, 5, 6, 14, 24, 18, 21, 22, 23):
        needs = ("SLOTS",) if command == 5 else ()
        for kind, value in (("bstr", b"\2"), ("negative", -1)):
            section(f"policy_{kind}_{command}", f"command {command}: {kind} as policy",
                    [command, value], "E_TYPE", "[1]", needs=needs)
    for kind, value in (("text", "2"), ("nil", None), ("true", True), ("map", {}),
                        ("array", [2]), ("tagged", Tag(1, 2))):
        section(f"policy_{kind}", f"{kind} as policy", [3, value], "E_TYPE", "[1]")
    for value in (16, 255, 2**32):
        section(f"policy_{value}", f"policy {value}", [3, value], "E_VALUE", "[1]")
    for kind, value in (("array", []), ("nil", None), ("bstr", b"\xa0")):
        for command, name in ((20, "override"), (19, "set")):
            section(f"{name}_{kind}", f"{kind} instead of a map of parameters", [command, value],
                    "E_TYPE", "[1]")
    section("override_empty", "no parameter to override", [20, {}], "E_VALUE", "[1]")
    section("set_empty", "no parameter to set", [19, {}], "E_VALUE", "[1]")
    one = Wrap([1, 15])
    section("try_empty", "try-each without alternatives", [15, []], "E_SEQUENCE", "[1]")
    section("try_one", "try-each with one alternative", [15, [one]], "E_SEQUENCE", "[1]")
    section("try_one_nil", "try-each with one alternative and nil", [15, [one, None]],
            "E_SEQUENCE", "[1]")
    section("try_nil_first", "nil before the last alternative", [15, [one, None, one]],
            "E_TYPE", "[1]/[1]")
    section("try_two_nil", "nil twice", [15, [one, one, None, None]], "E_TYPE", "[1]/[2]")
    section("try_bstr", "try-each on a byte string", [15, one], "E_TYPE", "[1]")
    section("try_unwrapped", "an alternative that is not wrapped", [15, [one, [1, 15]]],
            "E_TYPE", "[1]/[1]")
    section("try_false", "false instead of nil", [15, [one, one, False]], "E_TYPE", "[1]/[2]")
    section("try_undefined", "undefined instead of nil", [15, [one, one, Raw(b"\xf7")]],
            "E_TYPE", "[1]/[2]")
    section("run_unwrapped", "run-sequence on an array", [32, [1, 15]], "E_TYPE", "[1]")
    section("run_nil", "run-sequence on nil", [32, None], "E_TYPE", "[1]")
    for kind, value in (("bstr", b"\0"), ("text", "0"), ("nil", None), ("map", {}),
                        ("negative", -1)):
        section(f"index_{kind}", f"index: {kind}", [12, value, 3, 15], "E_TYPE", "[1]")
    section("index_array_bstr", "index: an array with a byte string", [12, [0, b"\0"], 3, 15],
            "E_TYPE", "[1]/[1]")
    section("index_array_true", "index: an array with true", [12, [True], 3, 15],
            "E_TYPE", "[1]/[0]")

    def parameter(name: str, source: str, key: int, value: Any, expect: str, at: str,
                  needs: tuple[str, ...] = ()) -> None:
        section(f"parameter_{name}", source, [20, {key: value}, 3, 15], expect, f"[1]/{at}",
                needs=needs)

    wrong: dict[int, dict[str, Any]] = {
        1: {"text": "v" * 16, "other_tag": Tag(37, VENDOR), "int": 1},
        2: {"text": "c" * 16, "tagged": Tag(112, b"\x81")},
        3: {"unwrapped": [-16, bytes(32)], "text": "d"},
        5: {"bstr": b"\0", "negative": -1},
        12: {"int": 1, "nil": None},
        14: {"bstr": b"\x64", "negative": -100, "float": 100.0, "bignum": Tag(2, b"\x64")},
        18: {"text": "content", "map": {}},
        21: {"bstr": b"#p", "tagged": Tag(32, "#p")},
        22: {"bstr": b"\0", "negative": -1, "array": [0]},
        23: {"text": "-v"},
        24: {"text": "d" * 16, "tagged": Tag(37, bytes(16))},
        25: {"text": "a", "array": [1]},
    }
    for key, values in wrong.items():
        for kind, value in values.items():
            parameter(f"{key}_{kind}", f"parameter {key}: {kind} instead of its type", key, value,
                      "E_TYPE", str(key), ("SLOTS",) if key == 5 else ())
    section("parameter_13_int", "parameter 13: int instead of its type",
            [32, Wrap([20, {13: 1}, 1, 15])], "E_TYPE", "[1]/[1]/13")
    for key, name in ((1, "vendor"), (2, "class"), (24, "device")):
        for size in (0, 15, 17):
            parameter(f"{name}_{size}", f"{name} identifier of {size} bytes", key, bytes(size),
                      "E_VALUE", f"@{key}")
    parameter("pen_0", "private enterprise number of 0 bytes", 1, Tag(112, b""), "E_VALUE", "@1")
    parameter("pen_16", "private enterprise number of 16 bytes", 1, Tag(112, bytes(16)),
              "E_VALUE", "@1")
    parameter("uri_empty", "an empty URI", 21, "", "E_VALUE", "@21")
    for name, alg, size in (("sha384", -43, 48), ("sha512", -44, 64), ("shake128", -18, 32)):
        parameter(f"digest_{name}", f"image-digest with {name}", 3, Wrap([alg, bytes(size)]),
                  "E_ALG", "@3")
    for size in (0, 31, 33):
        parameter(f"digest_{size}", f"image-digest of {size} bytes", 3, Wrap([-16, bytes(size)]),
                  "E_VALUE", "@3")
    parameter("digest_array_1", "image-digest of one element", 3, Wrap([-16]), "E_TYPE", "3/<")
    parameter("digest_array_3", "image-digest of three elements", 3,
              Wrap([-16, bytes(32), 0]), "E_TYPE", "3/<")
    parameter("digest_map", "image-digest holds a map", 3, Wrap({-16: bytes(32)}), "E_TYPE",
              "3/<")
    parameter("digest_alg_text", "image-digest with an algorithm by name", 3,
              Wrap(["sha-256", bytes(32)]), "E_TYPE", "3/[0]")
    parameter("digest_bytes_text", "image-digest with a text", 3, Wrap([-16, "d" * 32]),
              "E_TYPE", "3/[1]")
    for value in (1, 255):
        parameter(f"source_{value}", f"source-component {value} of one component", 22, value,
                  "E_INDEX", "@22")


# -- 12: not supported -------------------------------------------------------------------------


def unsupported() -> None:
    for key in (5, 6, 10, 11, 12, 13, 15, 17, 18, 19, 21, 22, 24, 25, 256, -1, -257):
        value = {5: [b"m"], 6: b"\x81\x01"}.get(key, Wrap([1, 15]))
        in_manifest(12, f"member_{key}".replace("-", "m"), f"manifest member {key}",
                    base() | {key: value}, "E_MEMBER", f"@{key}", label=key, **FEED)
    for key in (0, 1, 3, 5, 6, -1):
        if key == 1:
            continue
        common = {2: [C0], 4: Wrap(with_image(SMALL.data)), key: b""}
        in_manifest(12, f"common_{key}".replace("-", "m"), f"member {key} of common",
                    base(common=common), "E_MEMBER", f"3/@{key}", label=key, **FEED)
    for command in (0, 4, 9, 10, 13, 16, 17, 25, 26, 27, 28, 29, 30, 34, 35, 36, 255, 256,
                    -1, -256, -257):
        name = str(command).replace("-", "m")
        argument = {34: {0: {1: VENDOR}}, 35: {0: [1]}}.get(command, 15)
        in_manifest(12, f"command_{name}", f"command {command}",
                    base(validate=[3, 15, command, argument]), "E_COMMAND", "7/[2]",
                    label=command, **BEGIN)
    for name, argument in (("bstr", b""), ("text", ""), ("nil", None)):
        in_manifest(12, f"custom_{name}", f"custom command with {name}",
                    base(validate=[-300, argument]), "E_COMMAND", "7/[0]", label=-300, **BEGIN)
    places: dict[str, tuple[Any, str, Any]] = {
        "shared": (manifest([20, IDENTITY, *COMPATIBLE, 4, 15]), "3/4/[6]", {}),
        "payload_fetch": (base(fetch=[4, 15]), "16/[0]", {}),
        "install": (base(install=[1, 15, 4, 15]), "20/[2]", {}),
        "run": (base(validate=[32, Wrap([4, 15])]), "7/[1]/[0]", {}),
        "alternative_not_taken": (base(validate=[15, [Wrap([1, 15]), Wrap([4, 15])]]),
                                  "7/[1]/[1]/[0]", {}),
        "load": (base(load=[4, 15]), "8/[0]", {"procedure": "invoke"}),
        "invoke": (base(invoke=[4, 15]), "9/[0]", {"procedure": "invoke"}),
        "validate_invoke": (base(validate=[4, 15]), "7/[0]", {"procedure": "invoke"}),
    }
    for name, (body, at, more) in places.items():
        in_manifest(12, f"command_in_{name}", f"unsupported command in {name}", body, "E_COMMAND",
                    at, label=4, **more, **BEGIN)
    work = cbor([1, 15, 4, 15])
    for key, name in ((16, "payload_fetch"), (20, "install")):
        refuse(12, f"command_in_severed_{name}", f"unsupported command in severed {name}",
               envelope(base() | {key: digest_of_bstr(work)}, members={key: work}), "E_COMMAND",
               f"{key}/[2]", label=4, **BEGIN)
    in_manifest(12, "first_in_order", "two errors: the shared sequence is looked at first",
                base(shared=[*with_image(SMALL.data), 4, 15], validate=[25, 15]), "E_COMMAND",
                "3/4/[6]", label=4, **BEGIN)
    in_manifest(12, "first_in_procedure", "two errors: install is looked at before validate",
                base(install=[26, 15], validate=[25, 15]), "E_COMMAND", "20/[0]", label=26,
                **BEGIN)
    for key in (0, 4, 6, 7, 8, 11, 15, 16, 17, 20, 26, 27, 28, 29, 30, 31, 255, -1, -257):
        name = str(key).replace("-", "m")
        content = b"\x82\x01\x81\x01" if key in (28, 29, 30) else 1
        in_manifest(12, f"parameter_{name}", f"parameter {key}",
                    base(validate=[20, {key: content}, 3, 15]), "E_PARAM", f"7/[1]/@{key}",
                    label=key, **BEGIN)
    for name, body, at in (
        ("shared", manifest([20, {**IDENTITY, -1: 0}, *COMPATIBLE]), "3/4/[1]/@-1"),
        ("set", base(validate=[19, {-1: 0}]), "7/[1]/@-1"),
        ("alternative", base(validate=[15, [Wrap([1, 15]), Wrap([20, {-1: 0}])]]),
         "7/[1]/[1]/[1]/@-1"),
    ):
        in_manifest(12, f"parameter_in_{name}", f"custom parameter in {name}", body, "E_PARAM",
                    at, label=-1, **BEGIN)


# -- 13 to 16 ----------------------------------------------------------------------------------


def indices() -> None:
    check = [20, IDENTITY, *COMPATIBLE]
    in_manifest(13, "shared", "two components, shared sequence without index",
                two(shared=check), "E_INDEX", "3/4/[0]", **BEGIN)
    for key, name, procedure in ((16, "fetch", "update"), (20, "install", "update"),
                                 (7, "validate", "update"), (7, "validate", "invoke"),
                                 (8, "load", "invoke"), (9, "invoke", "invoke")):
        in_manifest(13, f"{name}{'_invoke' * (name == 'validate' and procedure == 'invoke')}",
                    f"two components, {name} without index", two(**{name: [1, 15, 12, 0]}),
                    "E_INDEX", f"{key}/[0]", procedure=procedure, **BEGIN)
    in_manifest(13, "first_run", "the index is only set inside a nested sequence",
                two(validate=[32, Wrap([12, 0, 1, 15])]), "E_INDEX", "7/[0]", **BEGIN)
    in_manifest(13, "no_components", "a command and no components",
                manifest(common={}, validate=[3, 15]), "E_INDEX", "7/[0]", keys=[ANY], **BEGIN)

    for command in (18, 19, 21, 22, 23):
        argument: Any = {21: "#p"} if command == 19 else 2
        in_manifest(14, f"command_{command}", f"command {command} in the shared sequence",
                    manifest([*check, command, argument]), "E_SHARED", "3/4/[6]", **BEGIN)
    in_manifest(14, "swap", "swap in the shared sequence", manifest([*check, 31, 2]), "E_SHARED",
                "3/4/[6]", needs=("SWAP",), **BEGIN)
    in_manifest(14, "run", "fetch in a nested sequence of the shared sequence",
                manifest([*check, 32, Wrap([1, 15, 21, 2])]), "E_SHARED", "3/4/[7]/[2]", **BEGIN)
    in_manifest(14, "try", "write in an alternative of the shared sequence",
                manifest([*check, 15, [Wrap([1, 15]), Wrap([18, 2])]]), "E_SHARED",
                "3/4/[7]/[1]/[0]", **BEGIN)
    in_manifest(14, "deep", "copy deep in the shared sequence",
                manifest([*check, 32, Wrap([32, Wrap([15, [Wrap([22, 2]), Wrap([1, 15])]])])]),
                "E_SHARED", "3/4/[7]/[1]/[1]/[0]/[0]", **BEGIN)

    def index(name: str, source: str, value: Any) -> None:
        in_manifest(15, name, source, two(validate=[12, value, 1, 15]), "E_INDEX", "7/[0]",
                    **BEGIN)

    index("out_of_range", "index 2 of two components", 2)
    index("out_of_range_256", "index 256: not 0", 256)
    index("out_of_range_2_32", "index 2^32: not 0", 2**32)
    index("false", "index false", False)
    index("list_empty", "an empty list", [])
    index("list_out_of_range", "a list whose last index is out of range", [0, 1, 2])
    in_manifest(15, "one", "index 1 of one component", base(validate=[12, 1, 3, 15]), "E_INDEX",
                "7/[0]", **BEGIN)
    in_manifest(15, "shared", "index out of range in the shared sequence",
                two(shared=[12, 0, *check, 12, 2, 1, 15]), "E_INDEX", "3/4/[8]", **BEGIN)
    in_manifest(15, "nested", "index out of range in a nested sequence",
                two(validate=[12, 0, 32, Wrap([12, 7, 1, 15])]), "E_INDEX", "7/[3]/[0]", **BEGIN)
    in_manifest(15, "source", "source-component out of range",
                two(install=[12, 0, 20, {22: 2}, 22, 2]), "E_INDEX", "20/[3]/@22", **BEGIN)
    in_manifest(15, "source_2_32", "source-component 2^32: not 0",
                two(install=[12, 1, 20, {22: 2**32}, 22, 2]), "E_INDEX", "20/[3]/@22", **BEGIN)

    for value in (True, False):
        in_manifest(16, f"section_{str(value).lower()}", f"soft-failure {value} in a section",
                    base(validate=[20, {13: value}, 3, 15]), "E_SOFT", "7/[1]/@13", **BEGIN)
    in_manifest(16, "shared", "soft-failure in the shared sequence",
                manifest([20, {**IDENTITY, 13: True}, *COMPATIBLE]), "E_SOFT", "3/4/[1]/@13",
                **BEGIN)
    in_manifest(16, "set", "soft-failure by set-parameters in a section",
                base(validate=[19, {13: True}, 3, 15]), "E_SOFT", "7/[1]/@13", **BEGIN)
    in_manifest(16, "after_run", "soft-failure after a nested sequence has ended",
                base(validate=[32, Wrap([1, 15]), 20, {13: True}]), "E_SOFT", "7/[3]/@13",
                **BEGIN)
    work = cbor([20, {13: True}, 3, 15])
    refuse(16, "severed", "soft-failure in a severed section",
           envelope(base() | {20: digest_of_bstr(work)}, members={20: work}), "E_SOFT",
           "20/[1]/@13", **BEGIN)


# -- 19: limits --------------------------------------------------------------------------------


def limits() -> None:
    many = [[bytes([n])] for n in range(32, 65)]
    in_manifest(19, "components_33", "33 components", manifest(components=many), "E_LIMIT",
                "3/2", **FEED)
    refuse(19, "blocks_5", "five authentication blocks",
           envelope(base(), blocks=lambda d: [Wrap(sign1(d))] * 5), "E_LIMIT", "2/[5]", **FEED)
    refuse(19, "protected_65", "a protected header of 65 bytes",
           envelope(base(), blocks=lambda d: [
               Wrap(sign1(d, protected={1: ED25519, 4: bytes(59)}))]), "E_LIMIT", "2/[1]/[0]",
           **FEED)
    in_manifest(19, "reference_uri_256", "reference-uri of 256 bytes",
                base(reference_uri="coap://" + "u" * 249), "E_LIMIT", "@4", **FEED)
    in_manifest(19, "uri_256", "URI of 256 bytes",
                base(install=fetch("coap://" + "u" * 249)), "E_LIMIT", "20/[1]/@21", **BEGIN)
    for key, name in ((2, "wrapper"), (3, "manifest")):
        refuse(19, f"{name}_4g", f"{name} of 4 GiB", envelope(base(), pairs=lambda p: [
            (k, Raw(HEAD_4G + cbor(v)) if k == key else v) for k, v in p]), "E_LIMIT", str(key),
            **FEED)
    text = base(text=digest_of_bstr(b"text"))
    refuse(19, "text_4g", "severed text of 4 GiB: beyond what an envelope may hold",
           envelope(text, members={23: Raw(HEAD_4G + b"text")}), "E_LIMIT", "23", **FEED)
    refuse(19, "payload_4g", "a payload of 4 GiB", envelope(
        working(shared=None), members={"#p": Raw(HEAD_4G + b"payload")}), "E_LIMIT", "#p")
    refuse(19, "room_wrapper", "work buffer smaller than the wrapper", envelope(base()),
           "E_ROOM", "2", work=100, **FEED)
    refuse(19, "room_manifest", "work buffer smaller than wrapper and manifest",
           envelope(base()), "E_ROOM", "3", work=200, **FEED)
    for key, name in ((14, "size"), (5, "slot")):
        for value in (2**32, 2**64 - 1):
            in_manifest(19, f"{name}_{value:x}", f"{name} of more than 32 bits",
                        base(validate=[20, {key: value}, 3, 15]), "E_LIMIT", f"7/[1]/@{key}",
                        needs=("SLOTS",) * (key == 5), **BEGIN)
    nests: list[tuple[str, Callable[[Any], Any], str]] = [
        ("run", lambda inner: [32, Wrap(inner)], "[1]/"),
        ("try", lambda inner: [15, [Wrap([1, 15]), Wrap(inner)]], "[1]/[1]/"),
        ("mixed", lambda inner: [32, Wrap([15, [Wrap(inner), Wrap([1, 15])]])], "[1]/[1]/[0]/"),
    ]
    for name, nest, path in nests:
        step = 2 if name == "mixed" else 1
        deep: Any = [1, 15]
        for _ in range(8 // step):
            deep = nest(deep)
        at = "7/" + path * (7 // step) + ("[1]/" if name == "mixed" else "") + "[0]"
        in_manifest(19, f"depth_9_{name}", f"nine levels of sequences: {name}",
                    base(validate=deep), "E_LIMIT", at, **BEGIN)
    shared: Any = [1, 15]
    for _ in range(8):
        shared = [32, Wrap(shared)]
    in_manifest(19, "depth_9_shared", "nine levels in the shared sequence",
                manifest([20, IDENTITY, *COMPATIBLE, *shared]), "E_LIMIT",
                "3/4/[7]/" + "[1]/" * 6 + "[0]", **BEGIN)
    in_manifest(19, "steps_2001", "one command more than a procedure may execute",
                manifest(validate=[1, 0] * 1998), "E_STEPS", f"7/[{2 * 1997}]", work=8192,
                writes=0, stage="run")


HEAD_4G = b"\x5b\0\0\0\1\0\0\0\0"


def build() -> None:
    for part in (digests, encoding, required, rollback, components, dependencies, shapes,
                 unsupported, indices, limits):
        part()
