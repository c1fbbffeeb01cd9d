# SPDX-License-Identifier: MIT
"""Builds SUIT envelopes from a readable description, and finds items in their bytes.

Independent of core/: CBOR by cbor2, cryptography by pyca/cryptography. Descriptions are plain
Python values (int, str, bytes, bool, None, list, dict) plus a few markers:

    Wrap(v)    byte string that holds the encoding of v
    Tag(n, v)  tag n on v
    Pairs([])  map in the order given, duplicates kept
    Raw(b)     these very bytes: what a correct encoder would not write

A dict is written in deterministic order (RFC 8949 4.2.1). A command sequence is a flat list.
"""
from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# -- CBOR --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raw:
    data: bytes


@dataclass(frozen=True)
class Wrap:
    value: Any


@dataclass(frozen=True)
class Tag:
    number: int
    value: Any


@dataclass(frozen=True)
class Pairs:
    pairs: Sequence[tuple[Any, Any]]


def head(major: int, value: int) -> bytes:
    """The shortest head of a major type."""
    with io.BytesIO() as out:
        cbor2.CBOREncoder(out).encode_length(major, value)
        return out.getvalue()


def cbor(value: Any) -> bytes:
    """Deterministic encoding of a description."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Wrap):
        content = cbor(value.value)
        return head(2, len(content)) + content
    if isinstance(value, Tag):
        return head(6, value.number) + cbor(value.value)
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        pairs = sorted((cbor(k), cbor(v)) for k, v in value.items())
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    if isinstance(value, Pairs):
        return head(5, len(value.pairs)) + b"".join(cbor(k) + cbor(v) for k, v in value.pairs)
    return cbor2.dumps(value)


# -- Finding an item ---------------------------------------------------------------------------


class Item:
    """Head of the item at `pos`: major type, argument, and where what follows begins."""

    def __init__(self, data: bytes, pos: int) -> None:
        first = data[pos]
        size = {24: 1, 25: 2, 26: 4, 27: 8}.get(first & 31, 0)
        if first & 31 > 27:
            raise ValueError(f"no definite head at {pos}")
        self.major = first >> 5
        self.body = pos + 1 + size
        self.value = int.from_bytes(data[pos + 1 : self.body], "big") if size else first & 31


def end_of(data: bytes, pos: int) -> int:
    """First byte after the item at `pos`."""
    item = Item(data, pos)
    if item.major in (2, 3):
        return item.body + item.value
    children = {4: item.value, 5: 2 * item.value, 6: 1}.get(item.major, 0)
    end = item.body
    for _ in range(children):
        end = end_of(data, end)
    return end


def find(data: bytes, path: str) -> int:
    """Byte offset of an item of an envelope. Steps of `path`, parted by a slash:

    3      value of key 3 in a map        @3   the key itself
    #a     value of text key "#a"         @#a  the key itself
    [1]    element 1 of an array          {1}  key of the pair 1 of a map, as it stands
    {1}=   value of that pair             <    first byte inside a byte string or tag
    $      first byte after the item

    Steps into a map or array pass through tags and byte strings on their own.
    """
    pos = 0
    for step in path.split("/"):
        if step == "":
            continue
        if step == "$":
            pos = end_of(data, pos)
            continue
        if step == "<":
            pos = Item(data, pos).body
            continue
        item = Item(data, pos)
        while item.major in (2, 6):
            pos = item.body
            item = Item(data, pos)
        pos = item.body
        if step[0] == "[":
            for _ in range(int(step[1:-1])):
                pos = end_of(data, pos)
        elif step[0] == "{":
            number, is_value = step[1:].split("}")
            for _ in range(2 * int(number) + len(is_value)):
                pos = end_of(data, pos)
        else:
            wanted = step.removeprefix("@")
            key = cbor(wanted if wanted[0] == "#" else int(wanted))
            while data[pos : pos + len(key)] != key:
                pos = end_of(data, end_of(data, pos))
            if step[0] != "@":
                pos = end_of(data, pos)
    return pos


# -- Keys --------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def derive(name: str) -> bytes:
    """32 bytes that look random and are always the same: keys, initial vectors, salts."""
    return sha256(b"picosuit test key " + name.encode())


@dataclass(frozen=True)
class Key:
    name: str
    alg: int
    id: int | None = None  # None: not on the device
    rights: int | None = None
    kid: bytes | None = None

    @property
    def secret(self) -> bytes:
        return derive(self.name)[: 16 if self.alg == A128KW else 32]

    @property
    def public(self) -> bytes | None:
        if self.alg in (ED25519, EDDSA):
            private: Any = Ed25519PrivateKey.from_private_bytes(self.secret)
        elif self.alg == ECDH_ES_A128KW:
            private = X25519PrivateKey.from_private_bytes(self.secret)
        else:
            return None
        raw: bytes = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return raw


SHA256, HMAC256, CHACHA20_POLY1305 = -16, 5, 24
ED25519, EDDSA, A128KW, ECDH_ES_A128KW = -19, -8, -3, -29

ROOT = Key("root", ED25519, 1, 3)
UPDATER = Key("updater", ED25519, 2, 1)
ANY = Key("any", ED25519, 3, 27)
EDDSA_KEY = Key("eddsa", EDDSA, 4, 3)
MAC = Key("mac", HMAC256, 5, 3, b"mac-1")
DEVICE = Key("device", ECDH_ES_A128KW, 6, None, b"device-1")
KEK = Key("kek", A128KW, 7, None, b"kek-1")
STRANGER = Key("stranger", ED25519)
OTHER_DEVICE = Key("other-device", ECDH_ES_A128KW, None, None, b"device-2")
OTHER_KEK = Key("other-kek", A128KW, None, None, b"kek-2")
KEEPER = Key("keeper", ED25519, 8, 10)  # may invoke and write KEYS, not update
ROAMER = Key("roamer", ED25519, 9, 18)  # may invoke anywhere, not update
BOOT_A, BOOT_B, BOOT_C = (  # of the key sets in boot/
    Key(f"boot-{n}", ED25519, None, 11, b"boot-" + n.encode()) for n in "abc")
KEYS = (ROOT, UPDATER, ANY, EDDSA_KEY, MAC, DEVICE, KEK, KEEPER, ROAMER,
        STRANGER, OTHER_DEVICE, OTHER_KEK, BOOT_A, BOOT_B, BOOT_C)

# -- Envelope ----------------------------------------------------------------------------------

VENDOR = bytes.fromhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
CLASS = bytes.fromhex("1492af1425695e48bf429b2d51f2ab45")

def digest_of(data: bytes) -> tuple[int, bytes]:
    """SUIT_Digest of bytes; a tuple, so that it is not taken for a command sequence."""
    return SHA256, sha256(data)


def digest_of_bstr(content: bytes) -> tuple[int, bytes]:
    """SUIT_Digest of a member: over the byte string with its head."""
    return digest_of(cbor(content))


def to_sign(context: str, protected: bytes, payload: bytes) -> bytes:
    return cbor([context, protected, b"", payload])


def sign1(
    digest: bytes,
    key: Key = ROOT,
    protected: Any = None,
    unprotected: Any = None,
    signature: bytes | None = None,
) -> Tag:
    """COSE_Sign1 with detached payload, over the encoded SUIT_Digest."""
    header = {1: key.alg} if protected is None else protected
    header_bytes = header if isinstance(header, bytes) else cbor(header)
    if signature is None:
        private = Ed25519PrivateKey.from_private_bytes(key.secret)
        signature = private.sign(to_sign("Signature1", header_bytes, digest))
    return Tag(18, [header_bytes, {} if unprotected is None else unprotected, None, signature])


def mac0(
    digest: bytes, key: Key = MAC, protected: Any = None, unprotected: Any = None
) -> Tag:
    """COSE_Mac0 with HMAC 256/256 and detached payload."""
    header_bytes = cbor({1: key.alg} if protected is None else protected)
    tag = hmac.digest(key.secret, to_sign("MAC0", header_bytes, digest), "sha256")
    return Tag(17, [header_bytes, {} if unprotected is None else unprotected, None, tag])


def authenticate(digest: bytes, key: Key) -> Tag:
    return mac0(digest, key) if key.alg == HMAC256 else sign1(digest, key)


def envelope(
    manifest: Any,
    keys: Iterable[Key] = (ROOT,),
    members: Mapping[Any, Any] | None = None,
    **change: Any,
) -> bytes:
    """Tagged, signed envelope.

    manifest  description of the manifest map
    keys      one authentication block each
    members   severed members and payloads: key -> content
    change    digest: content of element 0 (signed as it is); blocks: list of blocks, or a
              function of the encoded digest that gives it; wrapper: function of the digest's
              content and the blocks; pairs: function of the list of pairs; tag: head bytes
    """
    content = cbor(manifest)
    digest = cbor(change.get("digest", digest_of_bstr(content)))
    blocks = change.get("blocks", [Wrap(authenticate(digest, key)) for key in keys])
    if callable(blocks):
        blocks = blocks(digest)
    wrapper = [digest, *blocks]
    if "wrapper" in change:
        wrapper = change["wrapper"](wrapper)
    extra = sorted((members or {}).items(), key=lambda pair: cbor(pair[0]))
    pairs = [(2, Wrap(wrapper)), (3, Wrap(Raw(content))), *extra]
    if "pairs" in change:
        pairs = change["pairs"](pairs)
    encoded: bytes = change.get("tag", head(6, 107)) + cbor(Pairs(pairs))
    return encoded


# -- Manifest ----------------------------------------------------------------------------------

COMPATIBLE = [1, 15, 2, 15]
IDENTITY = {1: VENDOR, 2: CLASS}


def image(data: bytes) -> dict[int, Any]:
    """Parameters image-digest and image-size."""
    return {3: Wrap(digest_of(data)), 14: len(data)}


def manifest(
    shared: Any = None,
    components: Any = ((b"\0",),),
    sequence: Any = 1,
    common: Any = None,
    **sections: Any,
) -> dict[Any, Any]:
    """Manifest map. `shared` is the whole shared sequence; without it: the vendor and class
    check alone. Sections by name; a list is a command sequence, all else the value itself."""
    if shared is None:
        start = [12, 0] if len(components) > 1 else []
        shared = [*start, 20, IDENTITY, *COMPATIBLE]
    if common is None:
        common = {2: list(components), 4: Wrap(shared)}
    result: dict[Any, Any] = {1: 1, 2: sequence, 3: Wrap(common)}
    for name, value in sections.items():
        key = MEMBERS[name]
        is_sequence = isinstance(value, list) and key not in (4, 14, 23)
        result[key] = Wrap(value) if is_sequence else value
    return result


MEMBERS = {
    "reference_uri": 4,
    "validate": 7,
    "load": 8,
    "invoke": 9,
    "coswid": 14,
    "fetch": 16,
    "install": 20,
    "text": 23,
}


def with_image(data: bytes, **more: Any) -> list[Any]:
    """Shared sequence for one component that will hold `data`."""
    return [20, {**IDENTITY, **image(data), **more}, *COMPATIBLE]


# -- Encryption --------------------------------------------------------------------------------

ENC_PROTECTED = cbor({1: CHACHA20_POLY1305})
ECDH_PROTECTED = cbor({1: ECDH_ES_A128KW})


def encrypt(plain: bytes, name: str) -> bytes:
    """Ciphertext and tag under the content key and initial vector of `name`."""
    aad = cbor(["Encrypt", ENC_PROTECTED, b""])
    return ChaCha20Poly1305(derive("cek " + name)).encrypt(iv_of(name), plain, aad)


def iv_of(name: str) -> bytes:
    return derive("iv " + name)[:12]


def cek_of(name: str) -> bytes:
    return derive("cek " + name)


def kw_recipient(
    cek: bytes, key: Key = KEK, kid: bytes | None = b"", protected: bytes = b""
) -> list[Any]:
    """A128KW recipient. kid b"": the key's own; None: none."""
    name = key.kid if kid == b"" else kid
    header = {1: A128KW} if name is None else {1: A128KW, 4: name}
    return [protected, header, aes_key_wrap(key.secret, cek)]


def ecdh_recipient(
    cek: bytes, key: Key = DEVICE, kid: bytes | None = b"", salt: bytes | None = None,
    seed: str = "1", point: bytes | None = None,
) -> list[Any]:
    """ECDH-ES+A128KW recipient over X25519; the ephemeral key comes from `seed`."""
    ephemeral = X25519PrivateKey.from_private_bytes(derive("ephemeral " + seed))
    assert key.public is not None
    z = ephemeral.exchange(X25519PublicKey.from_public_bytes(key.public))
    kek = HKDF(hashes.SHA256(), 16, salt, kdf_context(ECDH_PROTECTED)).derive(z)
    if point is None:
        point = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    header: dict[int, Any] = {-1: {1: 1, -1: 4, -2: point}}
    name = key.kid if kid == b"" else kid
    if name is not None:
        header[4] = name
    if salt is not None:
        header[-20] = salt
    return [ECDH_PROTECTED, header, aes_key_wrap(kek, cek)]


def kdf_context(protected: bytes) -> bytes:
    nobody = [None, None, None]
    return cbor([A128KW, nobody, nobody, [128, protected, b"SUIT Payload Encryption"]])


def encryption_info(name: str, recipients: Sequence[Any] | None = None) -> Tag:
    """COSE_Encrypt for what `encrypt(.., name)` gives; default: the device's X25519 key."""
    if recipients is None:
        recipients = [ecdh_recipient(cek_of(name), seed=name)]
    return Tag(96, [ENC_PROTECTED, {5: iv_of(name)}, None, list(recipients)])

# -- Changing one item of a description --------------------------------------------------------


def change(tree: Any, path: str, new: Any) -> Any:
    """The description with one item replaced; `new` is a value or a function of the old one.
    Paths as in `find`, without < and $."""
    if path == "":
        return new(tree) if callable(new) else new
    if isinstance(tree, Wrap):
        return Wrap(change(tree.value, path, new))
    if isinstance(tree, Tag):
        return Tag(tree.number, change(tree.value, path, new))
    step, _, rest = path.partition("/")
    if step[0] == "[":
        items = list(tree)
        items[int(step[1:-1])] = change(items[int(step[1:-1])], rest, new)
        return items
    pairs = list(tree.pairs) if isinstance(tree, Pairs) else sorted(
        tree.items(), key=lambda pair: cbor(pair[0]))
    wanted = step.removeprefix("@")
    key = cbor(wanted if wanted[0] == "#" else int(wanted))
    where = [cbor(k) for k, _ in pairs].index(key)
    k, v = pairs[where]
    pairs[where] = (change(k, rest, new), v) if step[0] == "@" else (k, change(v, rest, new))
    return Pairs(pairs)


# -- Encodings that must be refused ------------------------------------------------------------


def not_shortest(value: Any) -> Raw:
    """The item with a head that is one size longer than needed."""
    data = cbor(value)
    item = Item(data, 0)
    size = (item.body - 1) * 2 or 1
    info = {1: 24, 2: 25, 4: 26, 8: 27}[size]
    return Raw(bytes([item.major << 5 | info]) + item.value.to_bytes(size, "big")
               + data[item.body :])


def indefinite(value: Any) -> Raw:
    """The string, array or map with indefinite length."""
    data = cbor(value)
    item = Item(data, 0)
    chunk = data if item.major in (2, 3) else data[item.body :]
    return Raw(bytes([item.major << 5 | 31]) + chunk + b"\xff")


def reserved(value: Any) -> Raw:
    """The item with additional information 28 in its head."""
    data = cbor(value)
    return Raw(bytes([data[0] & 0xE0 | 28]) + data[1:])


def too_long(value: Any) -> Raw:
    """The string with a head that announces more than any container holds."""
    data = cbor(value)
    item = Item(data, 0)
    return Raw(head(item.major, 60000) + data[item.body :])


def count(value: Any, more: int) -> Raw:
    """The array or map with a count that is wrong by `more`."""
    data = cbor(value)
    item = Item(data, 0)
    return Raw(head(item.major, item.value + more) + data[item.body :])


def trailing(value: Any, more: bytes = b"\0") -> Raw:
    """The item, and bytes after it."""
    return Raw(cbor(value) + more)
