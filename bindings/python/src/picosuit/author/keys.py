# SPDX-License-Identifier: MIT
"""Keys in files: PEM (PKCS#8, SubjectPublicKeyInfo) and COSE_Key, told apart by content.

A PEM file has a key alone. A COSE_Key also says which algorithm it is bound to, its kid and its
rights on a device; symmetric keys have no other form here. Private files are readable by their
owner only, and are refused if they are not.

Sources: RFC 8410 (PEM), RFC 9052 7 and RFC 9053 7 (COSE_Key), RFC 9679 (thumbprint),
docs/boot.md (rights, key sets).
"""
from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519

from . import cbor, ids, names
from .cbor import ARRAY, BYTES, MAP, Item
from .envelope import digest_of
from .files import read_file, read_with_mode
from .problem import Problem

FILE_MAX = 1 << 16  # bytes of a key file; a set of four keys has 297 at most
KTY, KID, ALG, CRV, X, D, K, RIGHTS = 1, 2, 3, -1, -2, -4, -1, -65537
OKP, SYMMETRIC = 1, 4
X25519_CURVE, ED25519_CURVE = 4, 6
# Algorithm a key is bound to -> length of its secret; the first for a curve is the default.
SECRET_LEN = {names.ED25519: 32, names.EDDSA: 32, names.ECDH_ES_A128KW: 32, names.A128KW: 16,
              names.HMAC256: 32}  # fmt: skip
CURVE = {names.ED25519: ED25519_CURVE, names.EDDSA: ED25519_CURVE,
         names.ECDH_ES_A128KW: X25519_CURVE}  # fmt: skip
SIGNS = (names.ED25519, names.EDDSA)
RIGHTS_MAX = 31  # all of names.RIGHTS
SET_KEYS_MAX, SET_KID_MAX = 4, 23  # picosuit_keyset_check
SET_RIGHTS = 1 | 8  # UPDATE and KEYS: one key of a set has both, or the device is locked out

Passphrase = Callable[[], bytes]  # asked only if a file needs one

# Ed25519 points of small order: y without the sign of x. Every other canonical y of the curve
# has a large order. Source: vectors/crypto, ed25519-speccheck.
P = 2**255 - 19
SMALL_ORDER = {0, 1, P - 1, *(int.from_bytes(bytes.fromhex(y), "little") for y in (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """A key, and what it is for.

    alg     COSE algorithm to which it is bound: one of SECRET_LEN
    public  32 bytes; of a symmetric key None
    secret  seed, scalar or symmetric key; None: only the public half is known
    kid     name that envelopes use for it, rights on a device: None if the file has none
    """

    alg: int
    public: bytes | None
    secret: bytes | None = field(default=None, repr=False)
    kid: bytes | None = None
    rights: int | None = None

    @property
    def name(self) -> str:
        """What it is, for people: "Ed25519", "X25519", ..."""
        return {names.ECDH_ES_A128KW: "X25519", names.EDDSA: "Ed25519 for EdDSA"}.get(
            self.alg, names.name_of(names.ALGORITHMS, self.alg))  # fmt: skip

    @property
    def thumbprint(self) -> bytes | None:
        """SHA-256 over the required members. Source: RFC 9679. None for a symmetric key, about
        which nothing should be published."""
        if self.public is None:
            return None
        return digest_of(cbor.encode({KTY: OKP, CRV: CURVE[self.alg], X: self.public}))

    def public_half(self) -> Key:
        return replace(self, secret=None)

    def cose(self) -> bytes:
        """COSE_Key in deterministic CBOR; private if the secret is known."""
        members: dict[int, object] = {KTY: OKP, ALG: self.alg}
        if self.public is None:
            members |= {KTY: SYMMETRIC, K: self.secret}
        else:
            members |= {CRV: CURVE[self.alg], X: self.public}
            members |= {} if self.secret is None else {D: self.secret}
        members |= {} if self.kid is None else {KID: self.kid}
        members |= {} if self.rights is None else {RIGHTS: self.rights}
        return cbor.encode(members)

    def pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS#8 if the secret is known, else SubjectPublicKeyInfo. Raises Problem."""
        if self.public is None:
            raise Problem(f"PEM has no place for a symmetric key ({self.name})",
                          hint="use COSE_Key")  # fmt: skip
        if self.secret is None:
            point: ed25519.Ed25519PublicKey | x25519.X25519PublicKey = (
                ed25519.Ed25519PublicKey.from_public_bytes(self.public) if self.alg in SIGNS
                else x25519.X25519PublicKey.from_public_bytes(self.public))  # fmt: skip
            return point.public_bytes(
                pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
        encryption: pem.KeySerializationEncryption = (
            pem.NoEncryption() if passphrase is None else pem.BestAvailableEncryption(passphrase))
        private: ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey = (
            ed25519.Ed25519PrivateKey.from_private_bytes(self.secret) if self.alg in SIGNS
            else x25519.X25519PrivateKey.from_private_bytes(self.secret))  # fmt: skip
        return private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, encryption)

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature or HMAC-SHA-256, by `alg`."""
        assert self.secret is not None
        if self.alg == names.HMAC256:
            return hmac.digest(self.secret, data, "sha256")
        return ed25519.Ed25519PrivateKey.from_private_bytes(self.secret).sign(data)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        if self.alg == names.HMAC256:
            return hmac.compare_digest(self.sign(data), signature)
        assert self.public is not None
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, data)
        except InvalidSignature:
            return False
        return True


def generate(alg: int, kid: bytes | None = None, rights: int | None = None) -> Key:
    """A fresh key; the randomness is the operating system's."""
    return from_secret(alg, os.urandom(SECRET_LEN[alg]), kid, rights)


def from_secret(
    alg: int, secret: bytes, kid: bytes | None = None, rights: int | None = None
) -> Key:
    """From a seed, scalar or symmetric key of SECRET_LEN[alg] bytes."""
    public = None
    if alg in SIGNS:
        public = ed25519.Ed25519PrivateKey.from_private_bytes(
            secret).public_key().public_bytes_raw()
    elif alg == names.ECDH_ES_A128KW:
        public = x25519.X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return Key(alg, public, secret, kid, rights)


def from_public(
    alg: int, public: bytes, kid: bytes | None = None, rights: int | None = None
) -> Key:
    """Raises Problem for a point that the device refuses, or that nobody could use."""
    if len(public) != 32:
        raise Problem(f"a public key of {len(public)} bytes; it has 32")
    if alg in SIGNS:
        _check_ed25519(public)
    else:
        try:
            x25519.X25519PrivateKey.generate().exchange(
                x25519.X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise Problem("an X25519 point of small order: anybody could decrypt") from None
    return Key(alg, public, None, kid, rights)


def changed(
    key: Key, kid: bytes | None = None, rights: int | None = None, eddsa: bool | None = None
) -> Key:
    """The key with another kid, other rights, or bound to the other algorithm of its curve."""
    if eddsa is not None and key.alg not in SIGNS:
        raise Problem(f"{key.name} is bound to one algorithm: it is no Ed25519 key")
    alg = key.alg if eddsa is None else names.EDDSA if eddsa else names.ED25519
    return replace(key, alg=alg, kid=key.kid if kid is None else kid,
                   rights=key.rights if rights is None else rights)  # fmt: skip


def _check_ed25519(public: bytes) -> None:
    """The core's rules for a key. Source: RFC 8032 5.1.3; docs/security.md."""
    y = int.from_bytes(public, "little") % 2**255
    if y >= P:
        raise Problem("the Ed25519 key is not canonical: y is 2^255 - 19 or more")
    if y in SMALL_ORDER:
        raise Problem("an Ed25519 point of small order: any signature could pass")
    # x^2 = (y^2 - 1) / (d y^2 + 1), d = -121665 / 121666; multiplied by a square, it is
    square = (y * y - 1) * (121666 - 121665 * y * y) * 121666 % P
    if pow(square, (P - 1) // 2, P) != 1:
        raise Problem("the Ed25519 key is not a point of the curve")


# -- Files -------------------------------------------------------------------------------------


def load_any(
    path: str | Path, passphrase: Passphrase | None = None, *, insecure: bool = False
) -> Key | list[Key]:
    """The key in a file, or the keys of a key set; `-` is standard input.

    passphrase  gives the passphrase of an encrypted PEM file
    insecure    a file with a secret may be readable by others

    Raises Problem.
    """
    name = str(path)
    data, mode = read_with_mode(name, FILE_MAX)
    try:
        if data and data[0] >> 5 == ARRAY:
            return read_key_set(data)
        key = parse(data, passphrase)
        if key.secret is not None:
            _check_mode(mode, insecure)
    except Problem as e:
        raise e.within(name) from None
    return key


def load(
    path: str | Path, passphrase: Passphrase | None = None, *, insecure: bool = False
) -> Key:
    """The one key in a file, public or not, as `load_any`."""
    key = load_any(path, passphrase, insecure=insecure)
    if isinstance(key, list):
        raise Problem("holds a key set, wanted is one key", file=str(path))
    return key


def load_public(path: str | Path) -> Key:
    """The public key in a file. A private one is refused: it does not belong where a public
    one is enough."""
    name = str(path)
    data = read_file(name, FILE_MAX)
    try:
        if b"PRIVATE KEY-----" in data:
            raise Problem("holds a private key, wanted is a public one",
                          hint="picosuit key convert --public")  # fmt: skip
        key = parse(data)
        if key.public is None:
            raise Problem(f"holds a secret key ({key.name}), wanted is a public one")
        if key.secret is not None:
            raise Problem("holds a private key, wanted is a public one",
                          hint="picosuit key convert --public")  # fmt: skip
    except Problem as e:
        raise e.within(name) from None
    return key


def load_private(
    path: str | Path, passphrase: Passphrase | None = None, *, insecure: bool = False
) -> Key:
    """The private or symmetric key in a file, as `load`."""
    key = load(path, passphrase, insecure=insecure)
    if key.secret is None:
        raise Problem("holds a public key, wanted is a private one", file=str(path))
    return key


def load_raw(path: str | Path, alg: int, *, insecure: bool = False) -> Key:
    """A public or symmetric key without any frame: its bytes, or their hexadecimal digits."""
    name = str(path)
    data, mode = read_with_mode(name, FILE_MAX)
    want = SECRET_LEN[alg]
    if len(data) != want:
        try:
            data = bytes.fromhex(data.decode("ascii"))
        except ValueError:
            data = b""
    try:
        if len(data) != want:
            raise Problem(f"neither {want} bytes nor {2 * want} hexadecimal digits")
        if alg in CURVE:
            return from_public(alg, data)
        _check_mode(mode, insecure)
    except Problem as e:
        raise e.within(name) from None
    return from_secret(alg, data)


def _check_mode(mode: int, insecure: bool) -> None:
    if mode & 0o077 and not insecure:
        raise Problem(f"others may use this secret key: its mode is {mode & 0o777:04o}",
                      hint="chmod 600, or --insecure-permissions")  # fmt: skip


def is_secret(path: str | Path) -> bool:
    """Whether a file holds a private or symmetric key, as far as it can be read."""
    try:
        data = read_file(path, FILE_MAX)
        return b"PRIVATE KEY-----" in data or parse(data).secret is not None
    except Problem:
        return False


def parse(data: bytes, passphrase: Passphrase | None = None) -> Key:
    """A key from the content of a file."""
    if not data:
        raise Problem("the file is empty, wanted is a key")
    if b"-----BEGIN " in data:
        return _parse_pem(data, passphrase)
    if data[0] >> 5 == MAP:
        return from_item(cbor.read(data))
    if data[0] >> 5 == ARRAY:
        raise Problem("holds a key set, wanted is one key")
    raise Problem("neither PEM nor a COSE_Key",
                  hint="picosuit key convert --raw takes bare bytes")  # fmt: skip


def _parse_pem(data: bytes, passphrase: Passphrase | None) -> Key:
    labels = re.findall(rb"-----BEGIN ([^\r\n]*?)-----", data)
    label = labels[0].decode("ascii", "replace") if labels else ""
    if len(labels) != 1 or label not in ("PUBLIC KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"):
        what = f"PEM holds {label or 'nothing'}" if len(labels) < 2 else (
            f"PEM holds {len(labels)} things")  # fmt: skip
        raise Problem(f"{what}, wanted is one PUBLIC KEY or PRIVATE KEY (PKCS#8)")
    secret = None
    if label == "ENCRYPTED PRIVATE KEY":
        if passphrase is None:
            raise Problem("the key is protected by a passphrase")
        secret = passphrase()
    try:
        key = (pem.load_pem_public_key(data) if label == "PUBLIC KEY"
               else pem.load_pem_private_key(data, secret))  # fmt: skip
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "or the passphrase is wrong" if secret is not None else None
        raise Problem(f"{label} in PEM cannot be decoded", hint=hint) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return from_secret(names.ED25519, key.private_bytes_raw())
    if isinstance(key, x25519.X25519PrivateKey):
        return from_secret(names.ECDH_ES_A128KW, key.private_bytes_raw())
    if isinstance(key, ed25519.Ed25519PublicKey):
        return from_public(names.ED25519, key.public_bytes_raw())
    if isinstance(key, x25519.X25519PublicKey):
        return from_public(names.ECDH_ES_A128KW, key.public_bytes_raw())
    kind = type(key).__name__.replace("PublicKey", "").replace("PrivateKey", "")
    raise Problem(f"PEM holds a key of type {kind.lstrip('_')}; Ed25519 and X25519 are used here")


def from_item(item: Item) -> Key:
    """A COSE_Key. Members that are not used here are refused: they might restrict it."""
    members: dict[int, Item] = {}
    for label, value in item.want(MAP, "a COSE_Key").pairs:
        if label.number is None:
            raise label.fail("a COSE_Key member without a number")
        members[label.number] = value
    kty = members.get(KTY)
    if kty is None or kty.number not in (OKP, SYMMETRIC):
        raise (kty or item).fail("the COSE_Key is neither OKP (1) nor symmetric (4)")
    own = (CRV, X, D) if kty.number == OKP else (K,)
    for label, _ in item.pairs:
        if label.number not in (KTY, KID, ALG, RIGHTS, *own):
            name = names.name_of(names.COSE_KEY, label.number or 0)
            raise label.fail(f"COSE_Key member {name} is not supported")
    kid = members[KID].want(BYTES, "kid").content if KID in members else None
    rights = members[RIGHTS].number if RIGHTS in members else None
    if RIGHTS in members and (rights is None or not 0 < rights <= RIGHTS_MAX):
        raise members[RIGHTS].fail(f"rights are not a number from 1 to {RIGHTS_MAX}")
    try:
        return (_symmetric if kty.number == SYMMETRIC else _okp)(item, members, kid, rights)
    except Problem as e:
        e.offset = item.start if e.offset is None else e.offset
        raise


def _okp(item: Item, members: dict[int, Item], kid: bytes | None, rights: int | None) -> Key:
    crv, alg_item = members.get(CRV), members.get(ALG)
    allowed = [alg for alg, curve in CURVE.items() if crv is not None and curve == crv.number]
    if not allowed:
        raise (crv or item).fail("the curve is neither Ed25519 (6) nor X25519 (4)")
    alg = allowed[0] if alg_item is None else alg_item.number
    if alg not in allowed:
        raise (alg_item or item).fail(
            f"algorithm {names.name_of(names.ALGORITHMS, alg or 0)} does not fit the curve; "
            + "it takes " + " or ".join(names.ALGORITHMS[a] for a in allowed))  # fmt: skip
    public = members[X].want(BYTES, "x").content if X in members else None
    if D not in members:
        if public is None:
            raise item.fail("the COSE_Key has neither x nor d")
        return from_public(alg, public, kid, rights)
    secret = members[D].want(BYTES, "d").content
    if len(secret) != 32:
        raise members[D].fail(f"a private key of {len(secret)} bytes; it has 32")
    key = from_secret(alg, secret, kid, rights)
    if public not in (None, key.public):
        raise members[X].fail("x is not the public half of d")
    return key


def _symmetric(
    item: Item, members: dict[int, Item], kid: bytes | None, rights: int | None
) -> Key:
    alg = members[ALG].number if ALG in members else None
    if alg not in (names.A128KW, names.HMAC256):
        raise members.get(ALG, item).fail("a symmetric key is bound to A128KW (-3) or to HMAC "
                                          "256/256 (5), and says so")  # fmt: skip
    if K not in members:
        raise item.fail("the COSE_Key has no member k")
    secret = members[K].want(BYTES, "k").content
    if len(secret) != SECRET_LEN[alg]:
        raise members[K].fail(f"a key of {len(secret)} bytes for {names.ALGORITHMS[alg]}; it has "
                              f"{SECRET_LEN[alg]}")  # fmt: skip
    return from_secret(alg, secret, kid, rights)


# -- Key sets ----------------------------------------------------------------------------------


def key_set(keys: Iterable[Key]) -> bytes:
    """COSE_KeySet as a key-set component takes it. Raises Problem for what
    picosuit_keyset_check refuses, and for a kid or a key that is there twice."""
    chosen = [key.public_half() for key in keys]
    if not 1 <= len(chosen) <= SET_KEYS_MAX:
        raise Problem(f"a key set of {len(chosen)} keys: a device takes 1 to {SET_KEYS_MAX}")
    for key in chosen:
        what = f"key {kid_text(key.kid)}" if key.kid else "a key"
        if key.alg not in SIGNS:
            raise Problem(f"{what} is {key.name}: a key set has Ed25519 keys")
        if not key.kid or len(key.kid) > SET_KID_MAX:
            raise Problem(f"{what} has a kid of {len(key.kid or b'')} bytes: a key set takes 1 "
                          f"to {SET_KID_MAX}")  # fmt: skip
        if key.rights is None:
            raise Problem(f"{what} has no rights")
    if len({key.kid for key in chosen}) < len(chosen):
        raise Problem("two keys of the set have the same kid")
    if len({key.public for key in chosen}) < len(chosen):
        raise Problem("a key is in the set twice")
    if not any((key.rights or 0) & SET_RIGHTS == SET_RIGHTS for key in chosen):
        raise Problem("no key of the set has the rights update and keys",
                      hint="no device could ever change its keys again")  # fmt: skip
    return cbor.encode([cbor.Raw(key.cose()) for key in chosen])


def read_key_set(data: bytes) -> list[Key]:
    """The keys of a COSE_KeySet that `key_set` could have written."""
    item = cbor.read(data).want(ARRAY, "a key set")
    keys = [from_item(child) for child in item.children]
    if any(key.secret is not None for key in keys):
        raise item.fail("the key set holds a private key")
    key_set(keys)
    return keys


# -- Words -------------------------------------------------------------------------------------


def read_kid(text: str) -> bytes:
    """device-1, or bytes in hexadecimal: hex:0017"""
    kid = ids.component(text, "kid")[0]
    if not kid:
        raise Problem("the kid is empty")
    return kid


def kid_text(kid: bytes) -> str:
    """As `read_kid` takes it."""
    text = kid.decode("ascii", "replace")
    is_text = kid.isascii() and text.isprintable() and not text.startswith("hex:")
    return text if is_text else f"hex:{kid.hex()}"


def read_rights(text: str) -> int:
    """update,invoke,keys or a number."""
    known = {name.lower().replace("_", "-"): bit for bit, name in names.RIGHTS.items()}
    rights = 0
    for word in text.split(","):
        word = word.strip().lower()
        if word not in known and not (word.isdecimal() and 0 < int(word) <= RIGHTS_MAX):
            raise Problem(f"no right {word!r}", hint=", ".join(known))
        rights |= known[word] if word in known else int(word)
    return rights


def rights_text(rights: int | None) -> str:
    if rights is None:
        return "none stated"
    return ",".join(name.lower().replace("_", "-")
                    for bit, name in names.RIGHTS.items() if rights & bit)  # fmt: skip
