# SPDX-License-Identifier: MIT
"""Builds the text files of crypto/, byte for byte. usage: crypto.py SHARED [--check]

SHARED is the folder that holds vectors/crypto/*.json: published vectors, quoted from RFCs and
FIPS. The rest is computed here, by plain Python integers and pyca/cryptography, never by core/.
--check writes nothing, compares with the files in place and exits 1 on any difference.
"""
from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from curve import BASE, D, L, P, add, encode, root, times

CRYPTO = Path(__file__).resolve().parent.parent / "crypto"


def le(number: int, size: int = 32) -> str:
    return number.to_bytes(size, "little").hex()


def pattern(name: str, size: int) -> bytes:
    """Bytes without meaning that anybody can compute again."""
    return hashlib.shake_128(b"picosuit crypto vector " + name.encode()).digest(size)


def slug(text: str) -> str:
    """A label of a standard as part of a test's name: 'Appendix A.2 #1' becomes a_2_1."""
    text = text.split("(block")[0].lower().replace("appendix ", "").replace("test ", "")
    return "_".join("".join(c if c.isalnum() else " " for c in text).split())


class Text:
    def __init__(self, *about: str) -> None:
        self.parts = ["\n".join(f"# {line}" for line in about)]

    def add(self, **values: object) -> None:
        self.parts.append("\n".join(f"{key} = {value}".rstrip() for key, value in values.items()))

    def bytes(self) -> bytes:
        return ("\n\n".join(self.parts) + "\n").encode()


# -- published vectors ---------------------------------------------------------------------------


def sha2(source: dict) -> Text:
    text = Text("SHA-256 and SHA-512 of a message, `repeat` times. FIPS 180-4, sample messages;",
                "the last ones sit at the ends of blocks, by hashlib.")
    names = ["empty", "abc", "two_blocks_256", "two_blocks_512", "million_a"]
    for name, v in zip(names, source["vectors"]):
        text.add(name=name, data=v["message_ascii"].encode().hex(), repeat=v["repeat"],
                 sha256=v["sha256"], sha512=v["sha512"])
    for size in (55, 56, 57, 63, 64, 65, 111, 112, 113, 119, 120, 127, 128, 129, 255, 256, 1000):
        data = pattern("sha2", size)
        text.add(name=f"{size}_bytes", data=data.hex(), repeat=1,
                 sha256=hashlib.sha256(data).hexdigest(), sha512=hashlib.sha512(data).hexdigest())
    return text


def hkdf(source: dict) -> Text:
    text = Text("HKDF-SHA-256. RFC 5869 appendix A.1 to A.3; the core gives the first 32 bytes.",
                "The last ones have salts and keys around one block, by Python's hmac.")
    for v in source["vectors"]:
        text.add(name="rfc5869_" + slug(v["test_case"]), ikm=v["ikm"], salt=v["salt"],
                 info=v["info"], prk=v["prk"], okm=v["okm"][:64])
    for salt_len, ikm_len, info_len in ((0, 32, 80), (31, 0, 0), (64, 63, 64), (65, 64, 55),
                                        (131, 65, 63), (32, 200, 300)):
        salt, ikm, info = (pattern(n, k) for n, k in
                           (("salt", salt_len), ("ikm", ikm_len), ("info", info_len)))
        prk = hmac.digest(salt, ikm, "sha256")
        text.add(name=f"lengths_{salt_len}_{ikm_len}_{info_len}", ikm=ikm.hex(), salt=salt.hex(),
                 info=info.hex(), prk=prk.hex(), okm=hmac.digest(prk, info + b"\1", "sha256").hex())
    return text


def chacha20(source: dict) -> Text:
    text = Text("ChaCha20. RFC 8439 2.3.2, 2.4.2, appendix A.2.")
    for v in source["chacha20"]:
        text.add(name="rfc8439_" + slug(v["section"]), key=v["key"], nonce=v["nonce"],
                 counter=v["counter"], data=v["plaintext"], out=v["ciphertext"])
    return text


def poly1305(source: dict) -> Text:
    text = Text("Poly1305. RFC 8439 2.5.2, appendix A.3; #7 to #11 are about the last carries.")
    for v in source["poly1305"]:
        text.add(name="rfc8439_" + slug(v["section"]), key=v["key"], data=v["message"],
                 tag=v["tag"])
    for below in range(2, 12):  # r = 1: two blocks add up to 2^130 - below, p is at 5
        blocks = (2**128 - 1, 2**128 + 1 - below)
        data = "".join(le(b, 16) for b in blocks)
        text.add(name=f"sum_2_130_minus_{below}", key=le(1), data=data,
                 tag=le((2**130 - below) % (2**130 - 5) % 2**128, 16))
    return text


def poly1305_keys(source: dict) -> Text:
    text = Text("One-time keys of the AEAD. RFC 8439 2.6.2, appendix A.4.")
    for v in source["poly1305_key_gen"]:
        text.add(name="rfc8439_" + slug(v["section"]), key=v["key"], nonce=v["nonce"],
                 once=v["one_time_key"])
    return text


def aead(source: dict) -> Text:
    text = Text("ChaCha20-Poly1305. RFC 8439 2.8.2, appendix A.5; then all lengths that matter to",
                "blocks of 16 and 64 bytes, by pyca/cryptography. data: ciphertext, then tag.")
    for v in source["aead"]:
        text.add(name="rfc8439_" + slug(v["section"]), key=v["key"], nonce=v["nonce"],
                 aad=v["aad"], plain=v["plaintext"], data=v["ciphertext"] + v["tag"])
    for size, aad_size in ((0, 0), (0, 1), (1, 0), (15, 15), (16, 16), (17, 17), (63, 20), (64, 20),
                           (65, 20), (127, 31), (128, 32), (129, 33), (300, 100)):
        name = f"lengths_{size}_{aad_size}"
        key, nonce = pattern(name + "key", 32), pattern(name + "nonce", 12)
        plain, aad_data = pattern(name + "plain", size), pattern(name + "aad", aad_size)
        text.add(name=name, key=key.hex(), nonce=nonce.hex(), aad=aad_data.hex(), plain=plain.hex(),
                 data=ChaCha20Poly1305(key).encrypt(nonce, plain, aad_data).hex())
    return text


def aeskw(source: dict) -> Text:
    text = Text("AES-128 key wrap. RFC 3394 4.1; then each length from 16 to 64 bytes,",
                "by pyca/cryptography.")
    v = source["vectors"][0]
    text.add(name="rfc3394_4_1", kek=v["kek"], key=v["key_data"], data=v["wrapped"])
    for size in range(16, 72, 8):
        kek, key = pattern(f"kek{size}", 16), pattern(f"wrapped{size}", size)
        text.add(name=f"{size}_bytes", kek=kek.hex(), key=key.hex(),
                 data=aes_key_wrap(kek, key).hex())
    for name, byte in (("zeros", b"\0"), ("ones", b"\xff")):
        text.add(name=name, kek=(16 * byte).hex(), key=(16 * byte).hex(),
                 data=aes_key_wrap(16 * byte, 16 * byte).hex())
    return text


def x25519(source: dict) -> Text:
    text = Text("X25519. RFC 7748 5.2, 6.1; then points near 0, p and 2^255, reduced or not, by",
                "pyca/cryptography. No `out`: the result is zero, to be refused.")
    for v in source["vectors"]:
        text.add(name="rfc7748_" + slug(v["section"]), scalar=v["scalar"], point=v["u"],
                 out=v["output"])
    v = source["iterated"]
    text.add(name="rfc7748_5_2_repeat_1", scalar=v["start_scalar_and_u"],
             point=v["start_scalar_and_u"], out=v["after_1"])
    text.add(name="rfc7748_5_2_repeat_1000", scalar=v["start_scalar_and_u"],
             point=v["start_scalar_and_u"], repeat=1000, out=v["after_1000"])
    order8 = 325606250916557431795983626356110631294008115727848805560023387167927233504
    for name, u in (("0", 0), ("1", 1), ("2", 2), ("order_8", order8), ("minus_2", P - 2),
                    ("minus_1", P - 1), ("p", P), ("p_plus_1", P + 1), ("p_plus_2", P + 2),
                    ("p_plus_18", P + 18), ("bit_255", 2**255), ("bit_255_and_9", 2**255 + 9),
                    ("all_ones", 2**256 - 1), ("bit_255_and_p", 2**255 + P)):
        scalar = pattern("scalar " + name, 32)
        values = {"name": "point_" + name, "scalar": scalar.hex(), "point": le(u)}
        try:
            private = X25519PrivateKey.from_private_bytes(scalar)
            values["out"] = private.exchange(X25519PublicKey.from_public_bytes(
                bytes.fromhex(le(u)))).hex()
        except ValueError:
            pass
        text.add(**values)
    return text


# -- Ed25519 -------------------------------------------------------------------------------------


def ed25519(source: dict) -> Text:
    text = Text("Ed25519, to be accepted. RFC 8032 7.1; then messages around SHA-512 blocks, by",
                "pyca/cryptography.")
    for v in source["vectors"]:
        text.add(name="rfc8032_" + slug(v["name"]), key=v["public_key"], data=v["message"],
                 sig=v["signature"])
    for size in (47, 48, 55, 63, 64, 65, 150, 191, 192, 300):
        private = Ed25519PrivateKey.from_private_bytes(pattern(f"ed25519 {size}", 32))
        data = pattern("signed", size)
        text.add(name=f"{size}_bytes", data=data.hex(), sig=private.sign(data).hex(),
                 key=private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex())
    return text


# ed25519-speccheck, cases.txt at 2297da7 (novifinancial, Apache-2.0), the table of "Taming the
# many EdDSAs" (ePrint 2020/1244): message, key, signature, and what the case is about.
Y8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
F7 = "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43"
CD = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d"
AA = "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623"
EC = "ec" + 31 * "ff"
M1 = "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79"
M4 = "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c"
M6 = "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40"
M8 = "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41"
S1 = "a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04"
R10 = "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dc"
SPECCHECK = [
    ("small_a_small_r", "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
     Y8 + "fa", Y8 + "7a" + 64 * "0"),
    ("small_a", M1, Y8 + "fa", F7 + S1),
    ("small_r", "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab", F7,
     Y8 + "fa" + "8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e"),
    ("mixed_a_mixed_r", M1, CD,
     "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f"
     "87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009"),
    ("only_with_cofactor", M4, CD,
     "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed512"
     "5ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09"),
    ("only_with_cofactor_unreduced", M4, CD,
     "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7"
     "e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405"),
    ("s_above_l", M6, AA,
     "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e"
     "547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514"),
    ("s_far_above_l", M6, AA,
     "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa1942"
     "7e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22"),
    ("r_not_canonical", M8, F7,
     EC + "03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f"),
    ("r_not_canonical_reduced", M8, F7,
     EC + "ca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908"),
    ("a_not_canonical_reduced",
     "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b", EC, R10 + S1),
    ("a_not_canonical", "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f", EC,
     R10 + S1),
]


def challenge(r: bytes, key: bytes, data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + data).digest(), "little") % L


def sign(scalar: int, key: bytes, data: bytes, nonce: int, extra: int = 0) -> bytes:
    """S B = R + k A for A = scalar B, whatever `key` says; extra * L is added to S."""
    r = encode(times(nonce, BASE))
    s = (nonce + challenge(r, key, data) * scalar) % L + extra * L
    return r + s.to_bytes(32, "little")


def small_points() -> list[tuple[int, int]]:
    """The eight points whose order divides 8, as multiples of one of order 8."""
    y = 2
    while True:
        x = root(y, 0)
        if x is not None:
            t = times(L, (x, y))
            if times(4, t) != (0, 1):
                return [times(i, t) for i in range(8)]
        y += 1


def edges() -> Text:
    text = Text("Ed25519 at the edges; accept = 1 or 0.",
                "speccheck_n: ed25519-speccheck (Apache-2.0), the cases of ePrint 2020/1244;",
                "accepted is exactly what is strict and has no point of small order: number 3.",
                "The others are made with Python integers, from a known private scalar.")
    for i, (about, data, key, sig) in enumerate(SPECCHECK):
        text.add(name=f"speccheck_{i}_{about}", key=key, data=data, sig=sig, accept=int(i == 3))
    scalar = int.from_bytes(pattern("scalar", 32), "little") % L
    point, data = times(scalar, BASE), pattern("edge", 55)
    key, n = encode(point), 123456789
    good = sign(scalar, key, data, n)
    s = int.from_bytes(good[32:], "little")

    def case(name: str, accept: int, sig: bytes, key: bytes = key) -> None:
        text.add(name=name, key=key.hex(), data=data.hex(), sig=sig.hex(), accept=accept)

    case("good", 1, good)
    for extra in range(1, 16):
        case(f"s_plus_{extra}_l", 0, sign(scalar, key, data, n, extra))
    for name, value in (("0", 0), ("l", L), ("l_minus_1", L - 1), ("l_plus_1", L + 1),
                        ("top_bits", s | 7 << 253), ("all_ones", 2**256 - 1)):
        case("s_is_" + name, 0, good[:32] + value.to_bytes(32, "little"))
    for i, small in enumerate(small_points()):
        a = encode(small)
        case(f"small_a_{i}", 0, encode(times(n, BASE)) + n.to_bytes(32, "little"), a)
        case(f"small_r_{i}", 0, encode(small) + (challenge(encode(small), key, data) * scalar
                                                 % L).to_bytes(32, "little"))
        mixed = encode(add(point, small))
        for nonce in range(n, n + 99):  # where 8 divides k, the small part of A vanishes
            r = encode(times(nonce, BASE))
            k = challenge(r, mixed, data)
            if nonce == n or k % 8 == 0:
                sig = r + ((nonce + k * scalar) % L).to_bytes(32, "little")
                case(f"mixed_a_{i}_nonce_{nonce - n}", int(k * i % 8 == 0), sig, mixed)
            if k % 8 == 0:
                break
        r = encode(add(times(n, BASE), small))
        sig = r + ((n + challenge(r, key, data) * scalar) % L).to_bytes(32, "little")
        case(f"mixed_r_{i}", int(i == 0), sig)
    for y in range(P, 2**255):  # all encodings that are not canonical
        for bit in (0, 1):
            bad = (y | bit << 255).to_bytes(32, "little")
            case(f"a_is_p_plus_{y - P}_sign_{bit}", 0, sign(scalar, bad, data, n), bad)
            case(f"r_is_p_plus_{y - P}_sign_{bit}", 0, bad + good[32:])
    for name, y in (("1", 1), ("minus_1", P - 1)):
        case(f"a_is_{name}_with_sign", 0, good, (y | 1 << 255).to_bytes(32, "little"))
    y = next(y for y in range(2, 100) if root(y, 0) is None)
    case("a_not_on_curve", 0, good, y.to_bytes(32, "little"))
    case("a_negated", 0, good, encode((P - point[0], point[1])))
    case("r_negated", 0, bytes(good[:31]) + bytes([good[31] ^ 0x80]) + good[32:])
    case("a_zero", 0, good, bytes(32))
    case("all_zero", 0, bytes(64), bytes(32))
    case("all_ones", 0, b"\xff" * 64, b"\xff" * 32)
    return text


def points() -> Text:
    text = Text("Decoding of a key A as the core does it, to -A. x and y of -A if it is a point in",
                "canonical encoding, else nothing; small = 1 if its order divides 8.")
    values = [*range(32), *range(P - 20, 2**255), pow(2, 254), (P - 1) // 2]
    values += [int.from_bytes(pattern(f"point {i}", 32), "little") % P for i in range(20)]
    values += [y for _, y in small_points()[:5]]
    for y in values:
        for sign_bit in (0, 1):
            known = {"name": f"{len(text.parts) - 1}", "key": le(y | sign_bit << 255)}
            x = root(y, sign_bit) if y < P else None
            if x is not None and x & 1 == sign_bit:  # 0 has no odd twin
                known.update(x=le(-x % P), y=le(y), small=int(times(8, (x, y)) == (0, 1)))
            text.add(**known)
    return text


def base_table() -> Text:
    text = Text("The tables of odd multiples of B and of 2^128 B, the base point, in section 8:",
                "y + x, y - x, 2 d x y.")
    for kind, start in (("b", BASE), ("high", times(2**128, BASE))):
        point = start
        for i in range(1, 16, 2):
            x, y = point
            text.add(name=f"{kind}_{i}", sum=le((y + x) % P), diff=le((y - x) % P),
                     t2d=le(2 * D * x * y % P))
            point = add(point, times(2, start))
    return text


# -- field and scalars ---------------------------------------------------------------------------


def field() -> Text:
    text = Text("Arithmetic mod 2^255 - 19 on values at the ends of limbs of 16, 51 and 64 bits,",
                "and on some without meaning. inv is 0 for 0; a24 is a * 121665.")
    values = [0, 1, 2, 18, 19, 20, 38, 121665, P - 1, P - 2, P - 19, (P - 1) // 2, (P + 1) // 2,
              pow(2, (P - 1) // 4, P), D, 2**255 - 20]
    for bits in (13, 16, 26, 32, 51, 64, 102, 128, 153, 204, 240, 254):
        values += [2**bits - 1, 2**bits, P - 2**bits]
    for size in (16, 51, 64):  # limbs of zeros and ones in turn
        ones = sum((2**size - 1) << i for i in range(0, 255, 2 * size)) % P
        values += [ones, (2**255 - 1 - ones) % P]
    values += [int.from_bytes(pattern(f"field {i}", 32), "little") % P for i in range(20)]
    for i, a in enumerate(values):
        b = values[(i * 7 + 5) % len(values)]
        text.add(name=f"{i}", a=le(a), b=le(b), sum=le((a + b) % P), diff=le((a - b) % P),
                 product=le(a * b % P), square=le(a * a % P), a24=le(a * 121665 % P),
                 inv=le(pow(a, P - 2, P)), pow252=le(pow(a, 2**252 - 3, P)))
    return text


def scalars() -> Text:
    text = Text("64 bytes modulo L; below = 1 if the lower 32 of them are below L themselves.")
    values = [0, 1, L - 1, L, L + 1, 2 * L - 1, 2 * L, 2**252 - 1, 2**252, 2**253 - 1, 2**255,
              2**256 - 1, 2**512 - 1, (2**512 // L) * L, (2**512 // L) * L - 1, L << 256,
              (L << 256) - 1, 15 * L, 16 * L - 1, L * L, L * L - 1]
    values += [L + (1 << 8 * i) for i in range(0, 32, 5)]
    values += [L - (1 << 8 * i) for i in range(0, 32, 5)]
    values += [int.from_bytes(pattern(f"scalar {i}", 64), "little") for i in range(12)]
    for i, x in enumerate(values):
        text.add(name=f"{i}", x=le(x, 64), reduced=le(x % L), below=int(x % 2**256 < L))
    return text


# -- the program ---------------------------------------------------------------------------------


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    published = Path(sys.argv[1]) / "vectors" / "crypto"
    files = {"ed25519_edge": edges(), "ed25519_base": base_table(),
             "ed25519_point": points(), "field": field(),
             "scalar": scalars()}
    for name, (build, source) in {
        "sha2": (sha2, "fips180-sha256-sha512"), "hkdf": (hkdf, "rfc5869-hkdf-sha256"),
        "chacha20": (chacha20, "rfc8439-chacha20-poly1305"),
        "poly1305": (poly1305, "rfc8439-chacha20-poly1305"),
        "poly1305_key": (poly1305_keys, "rfc8439-chacha20-poly1305"),
        "aead": (aead, "rfc8439-chacha20-poly1305"), "aeskw": (aeskw, "rfc3394-aes-kw"),
        "x25519": (x25519, "rfc7748-x25519"), "ed25519": (ed25519, "rfc8032-ed25519"),
    }.items():
        files[name] = build(json.loads((published / f"{source}.json").read_text()))
    different = []
    CRYPTO.mkdir(exist_ok=True)
    for name, text in sorted(files.items()):
        path = CRYPTO / f"{name}.txt"
        if not path.exists() or path.read_bytes() != text.bytes():
            different.append(path.name)
            if "--check" not in sys.argv:
                path.write_bytes(text.bytes())
    print(f"crypto: {len(files)} files, {len(different)} different: {' '.join(different)}")
    return int("--check" in sys.argv and bool(different))


if __name__ == "__main__":
    sys.exit(main())
