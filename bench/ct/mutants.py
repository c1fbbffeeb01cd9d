# SPDX-License-Identifier: MIT
"""Builds of the core that are not constant time: both checks of ct.py have to find each flaw.

Those of the portable core are built into one image and chosen when a case runs: in the
replacement, BAD stands for "this one runs". Flaws in assembly are all there at once, each in a
primitive of its own. A patch that does not fit exactly once is an error."""

from collections import namedtuple

# case: what shows it (ct.Case); seeds: runs under QEMU; kind: what the interpreter has to say;
# is_seen: by memcheck on the host, to which a division is like any other operation
Mutant = namedtuple("Mutant", "name flavour case seeds kind old new is_seen", defaults=[True])

MUTANTS = [
    Mutant("branch in fe_select", "portable", ["x25519"], 2, "branch",
           "    for (unsigned i = 0; i < 16; i++) {\n        r->v[i] ^= ",
           "    for (unsigned i = 0; i < 16 && (!BAD || mask != 0); i++) {\n        r->v[i] ^= "),
    Mutant("S-box of AES from a table", "portable", ["unwrap", 24], 3, "load",
           "    uint32_t t1 = aes_turn(a);",
           "    uint32_t t1 = BAD ? ((const uint8_t *)sha_k)[a & 0xff] : aes_turn(a);"),
    Mutant("comparison that ends early", "portable", ["aead", 33, 12 << 2], 36, "branch",
           "static uint32_t ct_equal(const uint8_t *a, const uint8_t *b, size_t len) {\n"
           "    volatile uint32_t diff = 0;\n"
           "    for (size_t i = 0; i < len; i++) {",
           # inlined: what is declared is the statement that calls it, not what is in it
           "static inline __attribute__((always_inline)) uint32_t\n"
           "ct_equal(const uint8_t *a, const uint8_t *b, size_t len) {\n"
           "    volatile uint32_t diff = 0;\n"
           "    for (size_t i = 0; i < len && (!BAD || diff == 0); i++) {"),
    Mutant("memcmp on the tag", "portable", ["aead", 33, 12 << 2], 36, "branch",
           "if (ct_equal(tag, data + len, 16) == 0xffffffff) {",
           "if (BAD ? memcmp(tag, data + len, 16) == 0 : "
           "ct_equal(tag, data + len, 16) == 0xffffffff) {"),
    Mutant("division in Poly1305", "portable", ["poly1305", 64], 3, "branch",
           "        z[i] = c & 0x1fff;\n        c >>= 13;\n    }\n    c = c * 5",
           "        z[i] = c & 0x1fff;\n        c = BAD ? c / (h[0] + 1u) : c >> 13;\n    }\n"
           "    c = c * 5", False),
    Mutant("store at a place that the key says", "portable", ["hkdf", 32, 32], 3, "store",
           "        s->buf[i] ^= key[i];",
           "        s->buf[BAD ? key[i] & 63 : i] ^= key[i];"),
    Mutant("switch on a word of ChaCha20", "portable", ["chacha20", 64], 4, "jump",
           "static void chacha_rounds(uint32_t x[16]) {\n",
           "static void chacha_rounds(uint32_t x[16]) {\n"
           "    switch (BAD ? x[4] & 7 : 8) {\n"
           "    case 0: x[1] += x[2]; break;\n    case 1: x[2] ^= 77; break;\n"
           "    case 2: x[3] *= 5; break;\n    case 3: x[4] -= x[9]; break;\n"
           "    case 4: x[5] >>= 1; break;\n    case 5: x[6] <<= 2; break;\n"
           "    case 6: x[7] += 1; break;\n    case 7: x[8] |= 3; break;\n"
           "    default: break;\n    }\n"),
    Mutant("branch in fe_select", "assembly", ["x25519"], 2, "branch",
           '"1: ldr r3, [r0]; ldr r4, [r0, #4]; ldm r1!,',
           '"tst r2, r2; bne 1f; pop {r4, r5, r6, pc}\\n"\n'
           '            "1: ldr r3, [r0]; ldr r4, [r0, #4]; ldm r1!,'),
    Mutant("branch in a round of ChaCha20", "assembly", ["chacha20", 64], 4, "branch",
           '"1: ldr r0, [sp]\\n mov r2, r8\\n',
           '"1: ldr r0, [sp]\\n cmp r0, #0\\n bpl 4f\\n nop\\n 4: mov r2, r8\\n'),
    Mutant("load from a table in Poly1305", "assembly", ["poly1305", 64], 3, "load",
           '"adcs r1, r5\\n ldm r7!, {r5}\\n adcs r2, r5\\n',
           '"adcs r1, r5\\n uxtb r5, r1\\n ldrb r5, [r6, r5]\\n ldm r7!, {r5}\\n adcs r2, r5\\n'),
    Mutant("multiplication only where a bit is set", "assembly", ["unwrap", 24], 3, "branch",
           "        r0 ^= a & m;\n        r1 ^= b & m;",
           "        if (m != 0) r0 ^= a & m;\n        r1 ^= b & m;"),
]


def patched(text, flavour):
    """The source with all flaws of a flavour; ct_mutant = 1, 2, .. chooses a portable one."""
    for number, row in enumerate((row for row in MUTANTS if row.flavour == flavour), 1):
        if text.count(row.old) != 1:
            raise SystemExit(f"ct: mutant '{row.name}' fits {text.count(row.old)} times")
        text = text.replace(row.old, row.new.replace("BAD", f"(ct_mutant == {number})"))
    return "extern volatile int ct_mutant;\n" + text
