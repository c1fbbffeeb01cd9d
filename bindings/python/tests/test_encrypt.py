# SPDX-License-Identifier: MIT
"""Encryption: what an independent reader makes of it, and what is refused."""
from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cbor2
import pytest
from clirun import good, listing, refused
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from picosuit.author import cbor, encrypt, keys, names
from picosuit.author.cbor import Wrap
from picosuit.author.encrypt import Plain
from picosuit.author.envelope import Envelope, all_commands, build, digest_value
from picosuit.author.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bench/m0"), str(ROOT / "vectors/make")]

import device_envelope  # type: ignore[import-not-found]  # noqa: E402
import record  # type: ignore[import-not-found]  # noqa: E402

IMAGES = tuple(hashlib.shake_256(bytes([n])).digest(5000) for n in range(2))
DEVICE = keys.generate(names.ECDH_ES_A128KW, b"device-1")
KEK = keys.generate(names.A128KW, b"kek-1")
PLAIN = device_envelope.plain(IMAGES, 2, signers=[]).envelope

# -- An independent reader ---------------------------------------------------------------------


def content_key(info: Any, key: keys.Key) -> bytes:
    """By RFC 9052, RFC 9053 and draft-ietf-suit-firmware-encryption, read anew: other CBOR, no
    line of the tool."""
    assert info.tag == 96
    protected, unprotected, ciphertext, recipients = info.value
    assert cbor2.loads(protected) == {1: 24} and list(unprotected) == [5] and ciphertext is None
    for head, header, wrapped in recipients:
        if header.get(4) != key.kid:
            continue
        if key.alg == -3:
            assert head == b"" and header[1] == -3 and key.secret is not None
            return aes_key_unwrap(key.secret, wrapped)
        assert cbor2.loads(head) == {1: -29} and set(header) <= {4, -1} and key.secret is not None
        ephemeral = header[-1]
        assert ephemeral == {1: 1, -1: 4, -2: ephemeral[-2]}
        shared = X25519PrivateKey.from_private_bytes(key.secret).exchange(
            X25519PublicKey.from_public_bytes(ephemeral[-2]))
        context = cbor2.dumps([-3, [None] * 3, [None] * 3, [128, head, b"SUIT Payload Encryption"]])
        kek = HKDF(hashes.SHA256(), 16, None, context).derive(shared)
        return aes_key_unwrap(kek, wrapped)
    raise KeyError(key.kid)


def pairs(sequence: list[Any]) -> Iterator[tuple[int, Any]]:
    """Commands in order, nested ones in place."""
    for label, argument in zip(sequence[::2], sequence[1::2], strict=True):
        yield label, argument
        if label == 15:
            for inner in argument:
                yield from pairs(cbor2.loads(inner)) if inner is not None else ()
        if label == 32:
            yield from pairs(cbor2.loads(argument))


def opened(data: bytes, key: keys.Key, outside: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """Plaintexts by URI, each under the one encryption-info that fits. Which of them the commands
    would take is for the core, in test_encrypt_core.py."""
    envelope = cbor2.loads(data).value
    manifest = cbor2.loads(envelope[3])
    infos: dict[bytes, Any] = {}
    uris: set[str] = set()
    for number in (3, 16, 20):
        member = manifest.get(number)
        content = cbor2.loads(member)[4] if number == 3 else (
            envelope[number] if isinstance(member, list) else member)  # fmt: skip
        for label, argument in pairs(cbor2.loads(content)) if content is not None else ():
            if label in (19, 20):
                infos |= {argument[19]: cbor2.loads(argument[19])} if 19 in argument else {}
                uris |= {argument[21]} if 21 in argument else set()
    contents = {info: content_key(value, key) for info, value in infos.items()}
    found: dict[str, bytes] = {}
    for uri in uris:
        sealed = envelope[uri] if uri in envelope else (outside or {})[uri]
        for info, value in infos.items():
            aad = cbor2.dumps(["Encrypt", value.value[0], b""])
            with suppress(InvalidTag):
                found[uri] = ChaCha20Poly1305(contents[info]).decrypt(
                    value.value[1][5], sealed, aad)
    return found


def unwraps_nothing(data: bytes, key: keys.Key) -> bool:
    try:
        opened(data, key)
    except (InvalidUnwrap, KeyError):
        return True
    return False


def make(data: bytes = PLAIN, *recipients: keys.Key, **more: Any) -> encrypt.Encrypted:
    to = [key.public_half() if key.public else key for key in recipients or (DEVICE,)]
    return encrypt.encrypt(Envelope.parse(data), to, more.pop("files", ()), **more)


# -- What comes out ----------------------------------------------------------------------------


def test_demo_manifest_is_as_small_as_by_hand() -> None:
    """Byte for byte that of bench/m0/device_envelope.py, but for the random parts."""
    new = make().envelope
    by_hand = device_envelope.encrypted(IMAGES, 2, "x").envelope
    assert len(new.manifest_bstr.content) == len(Envelope.parse(by_hand).manifest_bstr.content)

    def commands(envelope: Envelope) -> list[Any]:
        return [(c.number, sorted(c.argument.plain()) if c.number == 20 else None)
                for key in (names.SHARED, 20, 7, 9) if (s := envelope.section(key)) is not None
                for c in all_commands(s)]  # fmt: skip

    assert commands(new) == commands(Envelope.parse(by_hand))


@pytest.mark.parametrize("recipients", [(DEVICE,), (KEK,), (KEK, DEVICE), (DEVICE, KEK)])
def test_each_recipient_reads_it(recipients: tuple[keys.Key, ...]) -> None:
    data = make(PLAIN, *recipients).envelope.data
    for key in recipients:
        assert opened(data, key) == {"#a": IMAGES[0], "#b": IMAGES[1]}
    assert unwraps_nothing(data, keys.generate(names.ECDH_ES_A128KW, b"device-1"))


def test_without_kid() -> None:
    key = keys.generate(names.ECDH_ES_A128KW)
    result = make(PLAIN, key)
    assert opened(result.envelope.data, key)["#a"] == IMAGES[0] and not result.notes
    assert "tries its key on each" in make(PLAIN, key, DEVICE).notes[0]


def test_nothing_is_used_twice() -> None:
    """Content keys, initial vectors and ephemeral keys: of each payload and each run."""
    values = []
    for _ in range(2):
        data = make(PLAIN, DEVICE).envelope
        for command in all_commands(data.section(20) or data.manifest):
            info = command.argument.get(19) if command.number == 20 else None
            if info is not None:
                decoded = cbor2.loads(info.content)
                values += [content_key(decoded, DEVICE), decoded.value[1][5],
                           decoded.value[3][0][1][-1][-2]]  # fmt: skip
    assert len(values) == 12 and len(set(values)) == 12


def test_ciphertext_shows_nothing_of_the_image() -> None:
    data = make().envelope.data
    for image in IMAGES:
        assert not any(image[n : n + 16] in data for n in range(0, len(image) - 16, 16))


def test_plaintext_digests_stay() -> None:
    def digests(data: bytes) -> list[Any]:
        envelope = Envelope.parse(data)
        shared = envelope.section(names.SHARED)
        assert shared is not None
        return [argument[3] for label, argument in pairs(shared.plain())
                if label == 20 and 3 in argument]  # fmt: skip

    assert digests(make().envelope.data) == digests(PLAIN) != []


def test_cost_of_recipients() -> None:
    one, two = make(PLAIN, DEVICE), make(PLAIN, DEVICE, KEK)
    grown = len(two.envelope.manifest_bstr.content) - len(one.envelope.manifest_bstr.content)
    assert [count for _, count in one.recipients] == [2 * 100]
    assert [count for _, count in two.recipients] == [2 * 100, 2 * 54]
    assert grown == two.work - one.work == 2 * 54


# -- Again, for others -------------------------------------------------------------------------

FILES = [Plain(image, f"{n}.bin") for n, image in enumerate(IMAGES)]


def test_again_for_other_devices() -> None:
    first = make().envelope
    other = keys.generate(names.ECDH_ES_A128KW, b"device-2")
    second = make(first.data, other, files=FILES).envelope
    assert second.sequence == first.sequence + 1 and not second.blocks
    assert opened(second.data, other) == {"#a": IMAGES[0], "#b": IMAGES[1]}
    assert unwraps_nothing(second.data, DEVICE)
    assert first.payloads["#a"].content != second.payloads["#a"].content
    assert len(second.manifest_bstr.content) == len(first.manifest_bstr.content)


@pytest.mark.parametrize("is_encrypted, is_signed, sequence, number", [
    (False, False, None, 2), (False, False, 2, 2), (False, False, 9, 9), (False, True, None, 3),
    (False, True, 2, None), (True, False, None, 3), (True, False, 2, None), (True, False, 4, 4),
    (False, False, 1, None), (False, False, 2**64 - 1, None), (True, True, 2**64 - 2, 2**64 - 2),
])  # fmt: skip
def test_sequence_number(
    is_encrypted: bool, is_signed: bool, sequence: int | None, number: int | None
) -> None:
    """Only a plain draft that nobody has signed may keep its number."""
    from picosuit.author.sign import sign

    data = make().envelope.data if is_encrypted else PLAIN
    data = sign(Envelope.parse(data), keys.generate(names.ED25519)) if is_signed else data
    if number is None:
        with pytest.raises(Problem, match=r"too low|could never be followed"):
            make(data, files=FILES, sequence=sequence)
    else:
        new = make(data, files=FILES, sequence=sequence).envelope
        assert new.sequence == number and not new.blocks and new.is_digest_right


VECTORS = sorted((ROOT / "vectors/suit").glob("enc_*.suit"))
DATA = [Plain(path.read_bytes(), path.name)
        for path in sorted((ROOT / "vectors/suit/data").iterdir()) if "sealed" not in path.name]
DATA += [Plain(record.blob(f"size{n}", n).data, f"size{n}") for n in (1, 63, 64, 65, 4000)]
NOT_AGAIN = {"copy_stored", "load", "stage_cipher_size_only", "transient_cipher_size_only",
             "stage_plain", "transient_plain", "transient_plain_sizes"}  # fmt: skip


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem[4:])
def test_vectors_again(path: Path) -> None:
    """Encrypted vectors of the core, for another device."""
    envelope = Envelope.parse(path.read_bytes())
    wanted = {digest for digest in (hashlib.sha256(p.data).digest() for p in DATA)
              if digest in envelope.manifest_bstr.content}  # fmt: skip
    files = [p for p in DATA if hashlib.sha256(p.data).digest() in wanted]
    if path.stem[4:] in NOT_AGAIN or path.stem.startswith("enc_write"):
        with pytest.raises(Problem):
            make(envelope.data, files=files)
        return
    if path.stem.endswith("by_uri"):  # a payload that nothing fetches
        with pytest.raises(Problem, match="'#x': it would stay readable"):
            make(envelope.data, files=files)
        envelope = Envelope.parse(envelope.rebuilt(payloads={}))
    result = make(envelope.data, files=files)
    assert {hashlib.sha256(p.plain).digest() for p in result.payloads} == wanted
    for payload in result.payloads:
        assert (payload.uri in result.envelope.payloads) == payload.is_inside


# -- Plain manifests of other shapes -----------------------------------------------------------

IDENTITY = {1: bytes(16), 2: bytes(range(16))}
A, B = (hashlib.shake_256(name).digest(200) for name in (b"a", b"b"))


def image(data: bytes) -> dict[int, Any]:
    return {3: Wrap(digest_value(data)), 14: len(data)}


def manifest(
    install: list[Any], shared: list[Any] | None = None, components: int = 2, first: bytes = A,
    **more: Any,
) -> bytes:  # fmt: skip
    """Unsigned; component 0 is to hold A, 1 is to hold B. first: what is there under #a"""
    start = [12, 0, 20, IDENTITY, 1, 15, 2, 15, 20, image(A), 12, 1, 20, image(B)]
    common = {2: [[bytes([n])] for n in range(components)],
              4: Wrap(start if shared is None else shared)}  # fmt: skip
    members = {1: 1, 2: 5, 3: Wrap(common), 20: Wrap(install), **more.pop("members", {})}
    return build(cbor.encode(members), (), more.pop("severed", {}), {"#a": first, "#b": B})


def fetch(component: int, uri: str) -> list[Any]:
    return [12, component, 20, {21: uri}, 21, 2, 3, 15]


GOOD = {
    "one after the other": [*fetch(0, "#a"), *fetch(1, "#b")],
    "twice": [*fetch(0, "#a"), *fetch(1, "#b"), *fetch(0, "#a")],
    "set-parameters once": [12, 0, 19, {21: "#a"}, 21, 2, *fetch(1, "#b")],
    "alternatives": [12, 0, 15, [Wrap([14, 15, 20, {21: "#a"}]), Wrap([20, {21: "#a"}])], 21, 2,
                     *fetch(1, "#b")],
    "unless it is there": [12, 0, 15, [Wrap([3, 15]), Wrap([20, {21: "#a"}, 21, 2])],
                           *fetch(1, "#b")],
    "run-sequence": [12, 0, 32, Wrap([20, {21: "#a"}, 21, 2]), 12, 1, 32, Wrap([
        20, {21: "#b"}, 21, 2, 12, 0, 3, 15])],
    "nil": [12, 0, 20, {21: "#a"}, 15, [Wrap([21, 2, 3, 15]), None], *fetch(1, "#b")],
    "conditions on all": [12, True, 20, {23: b"x"}, *fetch(0, "#a"), *fetch(1, "#b"), 12, [1, 0],
                          3, 15],
    "arguments": [12, 0, 20, {21: "#a", 25: b"x"}, 21, 2, 12, 1, 20, {21: "#b", 25: b""}, 21, 2],
    "another image inside": [
        *fetch(1, "#b"), *fetch(0, "#a"), 32, Wrap([20, image(B) | {21: "#b"}, 21, 2, 3, 15]),
        20, image(A) | {21: "#a"}, 21, 2, 3, 15],
    "set-parameters without effect": [
        *fetch(1, "#b"), 12, 0, 20, image(B) | {21: "#b"}, 21, 2, 19, {21: "#a"},
        20, image(A) | {21: "#a"}, 21, 2, 3, 15],
    "another source in between": [*fetch(1, "#b"), *fetch(0, "#a"), 20, {22: 1}, *fetch(0, "#a")],
    "index in an alternative": [12, 0, 15, [Wrap([12, 1, 14, 15]), Wrap([3, 15, 20, {21: "#a"}])],
                                20, {21: "#a"}, 21, 2, *fetch(1, "#b")],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_rewritten(name: str) -> None:
    result = make(manifest(GOOD[name]))
    assert opened(result.envelope.data, DEVICE) == {"#a": A, "#b": B}
    assert result.envelope.components == [(b"\0",), (b"\1",), (b"t",)]
    chosen = [command.argument.plain() for key in (names.SHARED, 20)
              if (sequence := result.envelope.section(key)) is not None
              for command in all_commands(sequence) if command.number == names.SET_INDEX]
    assert not any(one is True for one in chosen)  # it would now be one more


BAD = {
    "uri of the other at the fetch": (
        [12, 0, 20, {21: "#a"}, 12, 1, 20, {21: "#b"}, 12, 0, 21, 2, 12, 1, 21, 2],
        "this would not do the same"),
    "set-parameters second": ([*fetch(0, "#a"), 12, 1, 19, {21: "#b"}, 21, 2],
                              "this would not do the same"),
    "arguments of the other": (
        [12, 0, 20, {21: "#a", 25: b"x"}, 21, 2, 12, 1, 20, {21: "#b"}, 21, 2],
        "this would not do the same"),
    "copied afterwards": ([*fetch(0, "#a"), *fetch(1, "#b"), 12, 1, 20, {22: 0}, 22, 2],
                          "'#a' would not be decrypted once, by its own key"),
    "written afterwards": ([*fetch(0, "#a"), *fetch(1, "#b"), 20, {18: b"x"}, 18, 2],
                           "what was not encrypted would be decrypted"),
    "fetch on two": ([*fetch(1, "#b"), 12, 0, 20, {21: "#a"}, 12, [0, 1], 21, 2], "select one"),
    "uri on all": ([12, True, 20, {21: "#a"}, 12, 0, 21, 2, *fetch(1, "#b")], "select one"),
    "no uri": ([12, 0, 21, 2], "a fetch whose uri is not set"),
    "nothing fetched": ([12, 0, 3, 15], "nothing is fetched"),
    "one is not fetched": (fetch(0, "#a"), "nothing fetches the payload '#b'"),
    "uri without fetch": ([*fetch(0, "#a"), *fetch(1, "#b"), 20, {21: "#c"}], "no fetch uses"),
    "no component selected": ([20, {21: "#a"}, 21, 2, *fetch(1, "#b")], "must be selected first"),
    "no such component": ([*fetch(0, "#a"), *fetch(1, "#b"), 12, 7, 3, 15], "not the index"),
    "not a pair": ([12], "made of pairs"),
    "swapped payloads": ([*fetch(0, "#b"), *fetch(1, "#a")],
                         "payload '#b' is not what image-digest says"),
    "elsewhere": ([*fetch(0, "#a"), *fetch(1, "coap://x/b"), *fetch(1, "#b"), *fetch(
        0, "#b")], "two different payloads"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_not_rewritten(name: str) -> None:
    install, what = BAD[name]
    with pytest.raises(Problem, match=what) as e:
        make(manifest(install))
    assert e.value.offset is not None


def test_digest_and_size_are_needed() -> None:
    shared = [12, 0, 20, IDENTITY, 1, 15, 2, 15]
    install = [12, 0, 20, {21: "#a"}, 21, 2, 12, 1, 20, {21: "#b"}, 21, 2]
    for missing, what in ((image(A) | image(B), "image-digest"), ({3: image(A)[3]}, "image-size")):
        with pytest.raises(Problem, match=f"{what} of component 0 is not set"):
            make(manifest(install, shared + ([20, missing] if what == "image-size" else [3, 15])))
    with pytest.raises(Problem, match="has 200 bytes, image-size is 199"):
        make(manifest(install, [*shared, 20, image(A) | {14: 199}, 12, 1, 20, image(B)]))
    with pytest.raises(Problem, match="the payload '#a' is empty"):
        make(manifest(install, [*shared, 20, image(b""), 12, 1, 20, image(B)], first=b""))


def test_mirrors_share_ciphertext_and_info() -> None:
    """Two URIs of the same image: one content key, and its encryption-info once."""
    one = [*fetch(1, "#b"), 12, 0, 20, {21: "#a"}, 21, 2, 3, 15]
    both = [*fetch(1, "#b"), 12, 0, 15, [Wrap([20, {21: u}, 21, 2, 3, 15]) for u in ("#a", "x:a")]]
    small, large = make(manifest(one)), make(manifest(both))
    assert large.work < small.work + 60
    assert [count for _, count in large.recipients] == [2 * 100]
    by_uri = {payload.uri: payload for payload in large.payloads}
    assert by_uri["#a"].ciphertext == by_uri["x:a"].ciphertext
    assert by_uri["#a"].is_inside and not by_uri["x:a"].is_inside


def test_index_is_set_again_after_a_nested_sequence() -> None:
    """Drafts do not say whose index counts then."""
    install = [12, 0, 15, [Wrap([12, 1, 14, 15]), Wrap([3, 15, 20, {21: "#a"}])], 3, 15,
               *fetch(0, "#a"), *fetch(1, "#b")]  # fmt: skip
    sequence = make(manifest(install)).envelope.section(20)
    assert sequence is not None
    plain = sequence.plain()
    assert (plain[:2], plain[2], plain[4:8]) == ([12, 0], 15, [12, 0, 3, 15])


def test_info_is_set_for_the_component_that_needs_it() -> None:
    """Two alternatives work on another component than the one they stand in."""
    choice = Wrap([12, 1, 20, {21: "#b"}, 21, 2, 3, 15])
    result = make(manifest([12, 0, 15, [choice, choice], *fetch(0, "#a")]))
    assert [count for _, count in result.recipients] == [3 * 100]


@pytest.mark.parametrize("before, what", [
    ([12, 2, 20, {3: Wrap(digest_value(b"ciphertext"))}], "the digest of ciphertext, which will"),
    ([12, 0, 20, {19: Wrap(cbor.Tag(96, [b"", {}, None, []]))}], "nothing uses this encryption"),
])  # fmt: skip
def test_not_again(before: list[Any], what: str) -> None:
    first = make(manifest(GOOD["one after the other"])).envelope
    install = first.section(20)
    assert install is not None
    tree = first.manifest.plain() | {20: Wrap([*before, *install.plain()])}
    payloads = {key: item.content for key, item in first.payloads.items()}
    data = build(cbor.encode(tree), (), {}, payloads)
    with pytest.raises(Problem, match=what):
        make(data, files=[Plain(A, "a"), Plain(B, "b")])
    assert make(first.data, files=[Plain(A, "a"), Plain(B, "b")]).envelope.sequence == 6


def test_severed_install_and_payload_fetch() -> None:
    parts = {16: cbor.encode(fetch(0, "#a")), 20: cbor.encode(fetch(1, "#b"))}
    references = {key: digest_value(cbor.encode(part)) for key, part in parts.items()}
    new = make(manifest([], members=references, severed=parts)).envelope
    assert set(new.members) == {16, 20}
    for key, member in new.members.items():
        assert new.severed(key) == (-16, hashlib.sha256(member.encoded).digest())
    assert opened(new.data, DEVICE) == {"#a": A, "#b": B}
    gone = Envelope.parse(new.data).rebuilt(members={})
    with pytest.raises(Problem, match="severed, and not there"):
        make(gone, files=FILES)


def test_via() -> None:
    new = make(manifest(GOOD["twice"]), via=(b"stage", b"\0")).envelope
    assert new.components[2] == (b"stage", b"\0")
    with pytest.raises(Problem, match="component that ciphertext is to go through"):
        make(manifest(GOOD["twice"]), via=(b"\1",))
    with pytest.raises(Problem, match="encrypted already"):
        make(make().envelope.data, files=FILES, via=(b"stage",))


def test_33_components() -> None:
    with pytest.raises(Problem, match=r"has 32 components, there is no room for \['t'\]"):
        make(manifest(GOOD["twice"], components=32))
    assert len(make(manifest(GOOD["twice"], components=31)).envelope.components) == 32


def test_copy_of_what_was_there_before() -> None:
    """Parameters stay set: a copy into a component that was decrypted once decrypts again."""
    install = [*fetch(0, "#a"), *fetch(1, "#b"), 12, 1, 20, {22: 2}, 22, 2]
    with pytest.raises(Problem, match="what was not encrypted would be decrypted"):
        make(manifest(install, components=3))
    assert make(manifest([12, 2, 20, {22: 1}, 22, 2, *fetch(0, "#a"), *fetch(1, "#b")],
                         components=3)).envelope.components[3] == (b"t",)  # fmt: skip


def test_extensions_are_refused() -> None:
    with pytest.raises(Problem, match="candidate-verification cannot be rewritten"):
        make(manifest(GOOD["twice"], members={18: Wrap([12, 0, 3, 15])}))


def test_again_leaves_no_payload_that_nothing_fetches() -> None:
    once = make().envelope
    inside = {key: item.content for key, item in once.payloads.items()}
    more = Envelope.parse(once.rebuilt(payloads={**inside, "#stray": IMAGES[0]}))
    with pytest.raises(Problem, match="'#stray': it would stay readable"):
        encrypt.encrypt(more, [keys.generate(names.ECDH_ES_A128KW)])


def test_content_in_the_manifest_is_noted() -> None:
    write = [12, 0, 20, {18: b"text"}, 18, 2]
    assert make(manifest([*write, *fetch(0, "#a"), *fetch(1, "#b")])).notes == (
        "content that stands in the manifest (directive-write) stays readable",)


@pytest.mark.parametrize("recipients, what", [
    ([], "no recipient"),
    ([DEVICE, DEVICE], "two recipients have the kid device-1"),
    ([DEVICE, keys.changed(KEK, b"device-1")], "two recipients have the kid device-1"),
    ([DEVICE, keys.changed(DEVICE, b"other")], "a recipient is given twice"),
    ([keys.generate(names.ED25519)], "Ed25519 is no key to encrypt to"),
    ([keys.generate(names.HMAC256)], "HMAC 256/256 is no key to encrypt to"),
])  # fmt: skip
def test_recipients_refused(recipients: list[keys.Key], what: str) -> None:
    with pytest.raises(Problem, match=what):
        encrypt.encrypt(Envelope.parse(PLAIN), recipients)


# -- The command -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in (("plain.suit", PLAIN), ("d.pub", DEVICE.public_half().cose()),
                       ("d.pem", DEVICE.public_half().pem()), ("kek", KEK.cose()),
                       ("a.bin", IMAGES[0]), ("b.bin", IMAGES[1]),
                       ("ed.pub", keys.generate(names.ED25519).public_half().cose())):  # fmt: skip
        (tmp_path / name).write_bytes(data)
    (tmp_path / "kek").chmod(0o600)
    return tmp_path


def test_command(folder: Path) -> None:
    out = folder / "out.suit"
    shown = good("encrypt", folder / "plain.suit", "-o", out, "--to", folder / "d.pub",
                 "--to-kek", folder / "kek").out.decode()  # fmt: skip
    assert opened(out.read_bytes(), DEVICE) == {"#a": IMAGES[0], "#b": IMAGES[1]}
    assert "device-1" in shown and "200" in shown and "kek-1" in shown and "108" in shown
    data = good("--json", "encrypt", folder / "plain.suit", "-o", out, "--to",
                f"device-1={folder / 'd.pem'}").data  # fmt: skip
    assert opened(out.read_bytes(), DEVICE)["#b"] == IMAGES[1]
    assert [(r["kid"], r["bytes"]) for r in data["recipients"]] == [("device-1", 200)]
    assert data["payloads"][0]["ciphertext_bytes"] == 5016 and data["work"] == 727


def uris(folder: Path, *names_: str) -> Path:
    shared = [12, 0, 20, IDENTITY, 1, 15, 2, 15, 20, image(IMAGES[0]), 12, 1, 20, image(IMAGES[1])]
    install = [*fetch(0, names_[0]), *fetch(1, names_[1])]
    common = {2: [[b"\0"], [b"\1"]], 4: Wrap(shared)}
    path = folder / "uris.suit"
    path.write_bytes(build(cbor.encode({1: 1, 2: 5, 3: Wrap(common), 20: Wrap(install)})))
    return path


def test_a_file_called_like_an_argument_replaces_no_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    stranger = keys.generate(names.ECDH_ES_A128KW).public_half()
    Path("x=d.pub").write_bytes(stranger.cose())
    said = refused("encrypt", "plain.suit", "-o", "o.suit", "--to", "x=d.pub")
    assert "which is meant?" in said
    Path("x=only.pub").write_bytes(stranger.cose())
    good("encrypt", "plain.suit", "-o", "o.suit", "--to", "x=only.pub")


def test_profile_says_through_which_component(folder: Path) -> None:
    """The transient one, if there is one of them; what is encrypted already keeps its own."""
    profile = folder / "device.toml"
    text = (ROOT / "bench/m0/device.toml").read_text().replace('"t"', '"pipe"')
    profile.write_text(text)
    arguments: list[str | Path] = ["-o", folder / "o.suit", "--to", folder / "d.pub",
                                   "--profile", profile]  # fmt: skip
    good("encrypt", folder / "plain.suit", *arguments)
    assert Envelope.parse((folder / "o.suit").read_bytes()).components == [(b"\0",), (b"pipe",)]
    (folder / "first.suit").write_bytes(make().envelope.data)
    good("encrypt", folder / "first.suit", *arguments, "--payload", folder / "a.bin",
         "--payload", folder / "b.bin")  # fmt: skip
    assert Envelope.parse((folder / "o.suit").read_bytes()).components == [(b"\0",), (b"t",)]


def test_payloads_by_uri(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    good("encrypt", uris(folder, "coap://h/fw/a.bin?x=1", "coap://h/b"), "-o", out / "o.suit",
         "--to", folder / "d.pub", "--payload", f"coap://h/fw/a.bin?x=1={folder / 'a.bin'}",
         "--payload", folder / "b.bin", "--save", f"coap://h/b={out / 'named'}")  # fmt: skip
    assert set(listing(out)) == {"o.suit", "a.bin", "named"}
    outside = {"coap://h/fw/a.bin?x=1": (out / "a.bin").read_bytes(),
               "coap://h/b": (out / "named").read_bytes()}  # fmt: skip
    assert opened((out / "o.suit").read_bytes(), DEVICE, outside) == {
        "coap://h/fw/a.bin?x=1": IMAGES[0], "coap://h/b": IMAGES[1]}  # fmt: skip


REFUSED = {
    "no such key": (["--to", "none.pub"], "none.pub: No such file"),
    "wrong key": (["--to", "ed.pub"], "ed.pub: holds a key of type Ed25519, wanted is X25519"),
    "public key as kek": (["--to-kek", "d.pub"], "holds a public key, wanted is a private one"),
    "no recipient": ([], "no recipient (--to, --to-kek)"),
    "plaintext not there": (["--to", "d.pub"], "the payload 'coap://h/a.bin' is not there"),
    "wrong file": (["--to", "d.pub", "--payload", "kek"], "kek: no image of this manifest"),
    "wrong file for the uri": (["--to", "d.pub", "--payload", "coap://h/b=a.bin"],
                               "a.bin: not what image-digest says of 'coap://h/b'"),
    "no such uri": (["--to", "d.pub", "--payload", "coap://h/c=a.bin"], "no payload has the URI"),
    "overwrites the plaintext": (["--to", "d.pub", "--payload", "a.bin", "--payload", "b.bin"],
                                 "a.bin: is an input: it would be overwritten"),
    "save of nothing": (["--to", "d.pub", "--payload", "a.bin", "--payload", "b.bin", "--save",
                         "coap://h/c=c"], "no payload outside of the envelope has the URI"),
    "saved twice": (["--to", "d.pub", "--payload", "a.bin", "--payload", "b.bin", "--save",
                     "coap://h/a.bin=x", "--save", "coap://h/b=x"], "two payloads would go into"),
    "folder": (["--to", "d.pub", "--payload", "a.bin", "--payload", "b.bin", "--out-dir", "none"],
               "No such file or directory"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_command_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With one line, and nothing written: not even one of several files."""
    arguments, what = REFUSED[name]
    uris(folder, "coap://h/a.bin", "coap://h/b")
    monkeypatch.chdir(folder)
    before = listing(folder)
    assert what in refused("encrypt", "uris.suit", "-o", "out.suit", *arguments)
    assert listing(folder) == before


@pytest.mark.parametrize("uri", ["coap://h/", "coap://h/.hidden", "coap://h/a%2fb", "coap://h/é"])
def test_uri_that_gives_no_file_name(folder: Path, uri: str) -> None:
    assert "no file name can be made of the URI" in refused(
        "encrypt", uris(folder, uri, "coap://h/x"), "-o", folder / "o", "--to", folder / "d.pub",
        "--payload", folder / "a.bin", "--payload", folder / "b.bin")  # fmt: skip


def test_kek_that_others_may_read(folder: Path) -> None:
    (folder / "kek").chmod(0o640)
    arguments: list[str | Path] = ["encrypt", folder / "plain.suit", "-o", folder / "o",
                                   "--to-kek", folder / "kek"]  # fmt: skip
    assert "others may use this secret key" in refused(*arguments)
    good(*arguments, "--insecure-permissions")


def test_too_large_for_the_device(folder: Path) -> None:
    """The reference device has 832 bytes of work: one recipient more fits, two do not."""
    profile = ROOT / "bench/m0/device.toml"
    arguments: list[str | Path] = ["encrypt", folder / "plain.suit", "-o", folder / "o.suit",
                                   "--profile", profile, "--to", folder / "d.pub"]  # fmt: skip
    assert "work buffer 727 bytes; reference device has 832" in good(*arguments).out.decode()
    (folder / "o.suit").unlink()
    before = listing(folder)
    assert "the manifest of 634 bytes needs 835 bytes of work buffer, reference device has 832" in (
        refused(*arguments, "--to-kek", folder / "kek"))  # fmt: skip
    assert listing(folder) == before
