/* SPDX-License-Identifier: MIT */
/* picosuit - see picosuit.h for what it is and how it is used.
 *
 *  1  Bytes                                   b_ ct_ wipe
 *  2  SHA-256, SHA-512                        sha256_ sha512_
 *  3  HMAC, HKDF                              hmac_ hkdf_
 *  4  ChaCha20, Poly1305, AEAD in steps       chacha_ poly_ aead_
 *  5  AES-128 decryption, key unwrap          aes_ aes128_
 *  6  Field 2^255-19                          fe_
 *  7  X25519                                  x25519
 *  8  Ed25519 verification                    sc_ ge_ ed25519_
 *  9  Errors and the device                   fail dev_
 * 10  CBOR reading, deterministic only        cbor_
 * 11  CBOR writing                            put_
 * 12  COSE: keys, signatures, recipients      cose_
 * 13  Manifest model                          man_
 * 14  Payload pipe                            pay_
 * 15  Static checks of sequences              chk_
 * 16  Interpreter                             run_
 * 17  Receiver                                rx_
 * 18  Report, public functions                rep_ picosuit_
 * 19  Boot state                              boot_ picosuit_boot_
 *
 * A section calls only sections above it, and of those only the ones on its "uses" line.
 * No function is declared before it is defined, so the compiler holds most of this rule.
 *
 * Short names of the standards, as cited below:
 *   [M n]        draft-ietf-suit-manifest-37, section n
 *   [FE n]       draft-ietf-suit-firmware-encryption
 *   [FIPS180]    FIPS 180-4, secure hash standard
 *   [FIPS197]    FIPS 197, AES
 *   [RFC2104]    HMAC                          [RFC3394]  AES key wrap
 *   [RFC5869]    HKDF                          [RFC7748]  X25519
 *   [RFC8032]    Ed25519                       [RFC8439]  ChaCha20-Poly1305
 *   [RFC8949]    CBOR                          [RFC9052]  COSE structures
 *   [HWCD]       Hisil, Wong, Carter, Dawson, ePrint 2008/522: points on twisted Edwards
 *                curves
 *   [MOF]        Okeya, Schmidt-Samoa, Spahn, Takagi, CRYPTO 2004: signed digits from the
 *                left
 *   [DIV]        Bernstein, Yang, ePrint 2019/266: inversion in constant time
 *   [HALVES]     Antipa, Brown, Gallant, Lambert, Struik, Vanstone, SAC 2005: half-size
 *                scalars; Pornin, ePrint 2020/454: short vectors by shift and subtract
 */
#include "picosuit.h"

#include <string.h>

/* What is compiled only where somebody calls it. */
#define B_WITH_CIPHERS (PICOSUIT_WITH_ENCRYPTION || PICOSUIT_EXPOSE_PRIMITIVES)
#define B_WITH_HMAC (B_WITH_CIPHERS || PICOSUIT_WITH_MAC)

/* Keeps the stack frames of two steps apart, so that they follow each other in the same
 * memory instead of adding up in the frame of their caller; or the code smaller: what is
 * called once is inlined even where the registers then run short. */
#if defined(__GNUC__) || defined(__clang__)
#define B_NOINLINE __attribute__((noinline))
#define B_FALLTHROUGH __attribute__((fallthrough))
#else
#define B_NOINLINE
#define B_FALLTHROUGH
#endif

/* Thumb-1 assembly for ARMv6-M, each routine beside a C twin that computes the same:
 * -DPICOSUIT_ASM=0 takes the twins. bench/m0/sym_twin.c compares them. */
#ifndef PICOSUIT_ASM
#if defined(__GNUC__) && defined(__ARM_ARCH_6M__) && !defined(__ARM_BIG_ENDIAN)
#define PICOSUIT_ASM 1
#else
#define PICOSUIT_ASM 0
#endif
#endif

/* Arithmetic modulo 2^255 - 19 and 2^130 - 5 for parts that multiply 32 by 32 to 32 bits,
 * or for those that multiply 64 by 64 to 128 bits: -DPICOSUIT_FIELD_32=1 or 0 forces one.
 */
#ifndef PICOSUIT_FIELD_32
#ifdef __SIZEOF_INT128__
#define PICOSUIT_FIELD_32 0
#else
#define PICOSUIT_FIELD_32 1
#endif
#endif

/* ====================================================================================
 * 1  Bytes (b_, ct_, wipe)
 *
 * Loads and stores of any alignment and byte order, constant-time comparison, wiping.
 * uses: nothing
 * ==================================================================================== */

#if !PICOSUIT_ASM
static uint32_t b_load32be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
#endif

static void b_store32be(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

#if B_WITH_CIPHERS
static uint32_t b_load32le(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void b_store32le(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
    p[2] = (uint8_t)(x >> 16);
    p[3] = (uint8_t)(x >> 24);
}
#endif

#if !PICOSUIT_FIELD_32
__extension__ typedef unsigned __int128 b_wide;

static uint64_t b_load64le(const uint8_t *p) {
    return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
           (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
           (uint64_t)p[1] << 8 | p[0];
}
#endif

#if B_WITH_CIPHERS || !PICOSUIT_ASM
/* n = 1..31; compilers know this form as one instruction. */
static uint32_t b_rotr32(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}
#endif

#if PICOSUIT_ASM
typedef uint32_t __attribute__((may_alias)) b_word;
#endif

/* The pointer is volatile, so that the stores stay although nobody reads them. */
static void wipe(void *buf, size_t len) {
    volatile uint8_t *p = (volatile uint8_t *)buf;
#if PICOSUIT_ASM
    for (; len >= 4 && ((uintptr_t)p & 3) == 0; len -= 4, p += 4) {
        *(volatile b_word *)(volatile void *)p = 0;
    }
#else
    for (; len >= 4; len -= 4, p += 4) {
        p[0] = 0;
        p[1] = 0;
        p[2] = 0;
        p[3] = 0;
    }
#endif
    while (len > 0) {
        p[--len] = 0;
    }
}

#define CT_YES                                                                           \
    0xffffffffu /* what ct_equal says of equal bytes; nothing else is a yes              \
                 */

/* Constant time in the contents. All ones if equal. The accumulator is volatile, so that
 * the loop has no early end, and two calls are really two comparisons. */
static uint32_t ct_equal(const uint8_t *a, const uint8_t *b, size_t len) {
    volatile uint32_t diff = 0;
    for (size_t i = 0; i < len; i++) {
        diff = diff | (uint32_t)(a[i] ^ b[i]);
    }
    return 0 - ((diff - 1) >> 31); /* diff is at most 255 */
}

/* ====================================================================================
 * 2  SHA-256, SHA-512 (sha256_, sha512_)
 *
 * Streaming hashes. SHA-512 serves Ed25519 only: on 32-bit parts small before fast.
 * source: [FIPS180]
 * limits: SHA-256 2^61 bytes, SHA-512 2^61 bytes
 * uses: 1
 * ==================================================================================== */

/* First 64 bits of the fractional parts of the cube roots of the first 80 primes. The
 * upper halves of the first 64 are the constants of SHA-256 [FIPS180 4.2.2, 4.2.3]. */
static const uint64_t sha_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* The same of the square roots of the first 8 primes. The upper halves are the initial
 * value of SHA-256 [FIPS180 5.3.3, 5.3.5]. */
static const uint64_t sha_h0[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

#if PICOSUIT_ASM
/* clang-format off */
/* Sigma functions as nested rotations, see the twin below. x is lost. */
#define SHA256_S(to, from, x, n1, n2, n3)                                                \
    "movs " to ", " from "\n movs " x ", #" n1 "\n rors " to ", " x "\n"                 \
    "eors " to ", " from "\n movs " x ", #" n2 "\n rors " to ", " x "\n"                 \
    "eors " to ", " from "\n movs " x ", #" n3 "\n rors " to ", " x "\n"

/* One round, 41 cycles. Low registers: a, b, e in r2, the sum in r3, K at r7; v is b ^ c
 * and u becomes a ^ b, which the next round needs. The others are high; s is free. The
 * new e, f, c, a come to stand in the old e, s, d, b; the caller turns the names. */
#define SHA256_ROUND(a, b, c, d, f, g, h, s, u, v, i)                                    \
    SHA256_S("r3", "r2", "r6", "14", "5", "6")                                           \
    "add r3, " h "\n mov " u ", " f "\n mov r6, " g "\n eors " u ", r6\n"                \
    "ands " u ", r2\n eors " u ", r6\n adds r3, " u "\n"                                 \
    "ldr " u ", [r7, #8 * " i " + 4]\n adds r3, " u "\n pop {" u "}\n"                   \
    "adds r3, " u "\n mov " s ", r2\n mov r2, " d "\n adds r2, r3\n"                     \
    SHA256_S(u, a, "r6", "9", "11", "2")                                                 \
    "adds r3, " u "\n movs " u ", " a "\n eors " u ", " b "\n"                           \
    "ands " v ", " u "\n eors " v ", " b "\n mov " d ", " b "\n"                         \
    "adds " b ", r3, " v "\n"

/* The schedule of 64 words lies on the stack, and the rounds pop it: what is above the
 * stack pointer is safe from interrupts. r7 may be a frame pointer, and is saved here. */
static B_NOINLINE void sha256_block(uint32_t s[8], const uint8_t *data) {
    register uint32_t *r0 __asm__("r0") = s;
    register const uint8_t *r1 __asm__("r1") = data;
    __asm__ volatile(
        ".syntax unified\n"
        "push {r0, r7}\n sub sp, #256\n mov r0, sp\n movs r7, r0\n adds r7, #64\n"
        "lsls r2, r1, #30\n bne 2f\n"
        "1: ldm r1!, {r2, r3, r4, r5}\n rev r2, r2\n rev r3, r3\n rev r4, r4\n"
        "rev r5, r5\n stm r0!, {r2, r3, r4, r5}\n cmp r0, r7\n bne 1b\n b 3f\n"
        "2: ldrb r2, [r1]\n ldrb r3, [r1, #1]\n ldrb r4, [r1, #2]\n ldrb r5, [r1, #3]\n"
        "lsls r2, #24\n lsls r3, #16\n lsls r4, #8\n orrs r2, r3\n orrs r2, r4\n"
        "orrs r2, r5\n stm r0!, {r2}\n adds r1, #4\n cmp r0, r7\n bne 2b\n"
        /* Two words of the schedule: r0 is at the one 16 before the new one. */
        "3: mov r0, sp\n movs r1, #192\n add r1, sp\n mov r8, r1\n movs r4, #11\n"
        "movs r5, #7\n movs r6, #2\n movs r7, #17\n"
        "4: .rept 2\n ldr r2, [r0, #4]\n movs r3, r2\n rors r3, r4\n eors r3, r2\n"
        "rors r3, r5\n lsrs r2, r2, #3\n eors r3, r2\n ldm r0!, {r2}\n adds r3, r2\n"
        "ldr r2, [r0, #32]\n adds r3, r2\n ldr r2, [r0, #52]\n movs r1, r2\n"
        "rors r1, r6\n eors r1, r2\n rors r1, r7\n lsrs r2, r2, #10\n eors r1, r2\n"
        "adds r3, r1\n str r3, [r0, #60]\n .endr\n cmp r0, r8\n bne 4b\n"
        "ldr r7, [sp, #256]\n ldm r7!, {r0, r1, r2, r3, r4, r5, r6}\n ldr r7, [r7]\n"
        "mov r8, r2\n mov r9, r3\n mov r10, r5\n mov r11, r6\n mov r12, r7\n"
        "movs r5, r2\n eors r5, r1\n movs r2, r4\n ldr r7, 7f\n"
        "5:\n" /* four rounds, until the constants end */
        SHA256_ROUND("r0", "r1", "r8", "r9", "r10", "r11", "r12", "lr", "r4", "r5", "0")
        SHA256_ROUND("r1", "r0", "r9", "r8", "lr", "r10", "r11", "r12", "r5", "r4", "1")
        SHA256_ROUND("r0", "r1", "r8", "r9", "r12", "lr", "r10", "r11", "r4", "r5", "2")
        SHA256_ROUND("r1", "r0", "r9", "r8", "r11", "r12", "lr", "r10", "r5", "r4", "3")
        "adds r7, #32\n ldr r6, 8f\n cmp r7, r6\n beq 6f\n b 5b\n"
        ".balign 4\n 7: .word %c2\n 8: .word %c3\n"
        "6: pop {r3, r7}\n ldr r4, [r3]\n ldr r5, [r3, #4]\n adds r0, r4\n adds r1, r5\n"
        "stm r3!, {r0, r1}\n ldr r4, [r3]\n ldr r5, [r3, #4]\n add r4, r8\n"
        "add r5, r9\n stm r3!, {r4, r5}\n ldr r4, [r3]\n ldr r5, [r3, #4]\n"
        "adds r4, r2\n add r5, r10\n stm r3!, {r4, r5}\n ldr r4, [r3]\n"
        "ldr r5, [r3, #4]\n add r4, r11\n add r5, r12\n stm r3!, {r4, r5}\n"
        : "+r"(r0), "+r"(r1)
        : "i"(sha_k), "i"(sha_k + 64)
        : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}
/* clang-format on */
#else
/* Sigma functions as nested rotations, of which fewer are needed: big 1 rotates by 6, 11,
 * 25, big 0 by 2, 13, 22, small 0 by 7, 18, small 1 by 17, 19 [FIPS180 4.1.2]. */
#define SHA256_S1(x) b_rotr32((x) ^ b_rotr32((x) ^ b_rotr32(x, 14), 5), 6)
#define SHA256_S0(x) b_rotr32((x) ^ b_rotr32((x) ^ b_rotr32(x, 9), 11), 2)
#define SHA256_T1(x) (b_rotr32((x) ^ b_rotr32(x, 2), 17) ^ (x) >> 10)
#define SHA256_T0(x) (b_rotr32((x) ^ b_rotr32(x, 11), 7) ^ (x) >> 3)

/* One round; instead of moving eight words, the caller turns their names. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, i)                                          \
    h += SHA256_S1(e) + ((((f) ^ (g)) & (e)) ^ (g)) + (uint32_t)(k[i] >> 32) + v[i];     \
    d += h;                                                                              \
    h += SHA256_S0(a) + ((((a) ^ (b)) & ((b) ^ (c))) ^ (b))

static void sha256_block(uint32_t s[8], const uint8_t *data) {
    const uint64_t *k = sha_k;
    uint32_t w[64], *v = w;
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3];
    uint32_t e = s[4], f = s[5], g = s[6], h = s[7];
    for (; v < w + 16; v++, data += 4) {
        *v = b_load32be(data);
    }
    for (; v < w + 64; v++) {
        uint32_t x = v[-15], y = v[-2];
        *v = v[-16] + SHA256_T0(x) + v[-7] + SHA256_T1(y);
    }
    for (v = w; v < w + 64; v += 8, k += 8) {
        SHA256_ROUND(a, b, c, d, e, f, g, h, 0);
        SHA256_ROUND(h, a, b, c, d, e, f, g, 1);
        SHA256_ROUND(g, h, a, b, c, d, e, f, 2);
        SHA256_ROUND(f, g, h, a, b, c, d, e, 3);
        SHA256_ROUND(e, f, g, h, a, b, c, d, 4);
        SHA256_ROUND(d, e, f, g, h, a, b, c, 5);
        SHA256_ROUND(c, d, e, f, g, h, a, b, 6);
        SHA256_ROUND(b, c, d, e, f, g, h, a, 7);
    }
    s[0] += a;
    s[1] += b;
    s[2] += c;
    s[3] += d;
    s[4] += e;
    s[5] += f;
    s[6] += g;
    s[7] += h;
}
#endif

static void sha256_init(picosuit_sha256_ctx *s) {
    s->len = 0;
    for (unsigned i = 0; i < 8; i++) {
        s->h[i] = (uint32_t)(sha_h0[i] >> 32);
    }
}

static void sha256_update(picosuit_sha256_ctx *s, const uint8_t *data, size_t len) {
    size_t fill = (size_t)s->len & 63;
    s->len += len;
    while (len > 0) {
        size_t n = 64 - fill;
        if (n > len) {
            n = len;
        }
        if (n == 64) {
            sha256_block(s->h, data);
        } else {
            memcpy(s->buf + fill, data, n);
            fill += n;
            if (fill == 64) {
                sha256_block(s->h, s->buf);
                fill = 0;
            }
        }
        data += n;
        len -= n;
    }
}

/* Padding [FIPS180 5.1.1]. The context is used up. */
static void sha256_final(picosuit_sha256_ctx *s, uint8_t out[32]) {
    size_t fill = (size_t)s->len & 63;
    s->buf[fill++] = 0x80;
    if (fill > 56) {
        memset(s->buf + fill, 0, 64 - fill);
        sha256_block(s->h, s->buf);
        fill = 0;
    }
    memset(s->buf + fill, 0, 56 - fill);
    b_store32be(s->buf + 56, (uint32_t)(s->len >> 29));
    b_store32be(s->buf + 60, (uint32_t)s->len << 3);
    sha256_block(s->h, s->buf);
    for (unsigned i = 0; i < 8; i++) {
        b_store32be(out + 4 * i, s->h[i]);
    }
}

typedef struct {
    uint64_t len;     /* bytes absorbed */
    uint64_t h[8];    /* chaining value */
    uint8_t buf[128]; /* bytes of the block being filled: len % 128 of them */
} sha512_ctx;

#if PICOSUIT_ASM
/* clang-format off */
/* to = low word of y:x >> n, and to ^= the same; r6 is lost. From 32 on, x and y change
 * places. A rotation is this for both words. */
#define SHA512_MOVE(to, x, y, n)                                                         \
    "lsrs " to ", " x ", #" n "\n lsls r6, " y ", #32 - " n "\n eors " to ", r6\n"
#define SHA512_TURN(to, x, y, n) SHA512_SHIFT(to, x, n)                                  \
    "lsls r6, " y ", #32 - " n "\n eors " to ", r6\n"
#define SHA512_SHIFT(to, x, n) "lsrs r6, " x ", #" n "\n eors " to ", r6\n"
#define SHA512_ADD(x, y) "adds r0, " x "\n adcs r1, " y "\n"

/* State and schedule move down by one word each round, so that places relative to the
 * stack pointer stay: a to h from 0, then w[i - 1] to w[i - 16]. The new a is pushed, the
 * new e comes to stand where d was, w[i] where h was. After 16 rounds all moves back up.
 * r8 is at the constant, r9 at the data, r10:r11 is b ^ c, r12 where sp turns, lr what
 * makes w[i]. data is aligned for words. */
static B_NOINLINE void sha512_block(uint64_t s[8], const uint8_t *data) {
    register uint64_t *r0 __asm__("r0") = s;
    register const uint8_t *r1 __asm__("r1") = data;
    __asm__ volatile(
        ".syntax unified\n"
        "push {r0, r7}\n sub sp, #320\n mov r2, sp\n mov r12, r2\n add sp, #128\n"
        "mov r2, sp\n .rept 4\n ldm r0!, {r3, r4, r5, r6}\n stm r2!, {r3, r4, r5, r6}\n"
        ".endr\n mov r9, r1\n ldr r0, [sp, #8]\n ldr r1, [sp, #12]\n ldr r2, [sp, #16]\n"
        "ldr r3, [sp, #20]\n eors r0, r2\n eors r1, r3\n mov r10, r0\n mov r11, r1\n"
        "ldr r0, 7f\n mov r8, r0\n adr r0, 1f\n adds r0, #1\n mov lr, r0\n .balign 4\n"
        "1: mov r7, r9\n ldm r7!, {r2, r3}\n mov r9, r7\n rev r1, r2\n rev r0, r3\n"
        "b 3f\n"
        "2: mov r7, sp\n adds r7, #176\n ldm r7!, {r2, r3, r4, r5}\n"
        SHA512_MOVE("r0", "r2", "r3", "1") SHA512_TURN("r0", "r2", "r3", "8")
        SHA512_TURN("r0", "r2", "r3", "7") SHA512_MOVE("r1", "r3", "r2", "1")
        SHA512_TURN("r1", "r3", "r2", "8") SHA512_SHIFT("r1", "r3", "7")
        SHA512_ADD("r4", "r5") "ldr r2, [sp, #112]\n ldr r3, [sp, #116]\n"
        SHA512_ADD("r2", "r3") "ldr r2, [sp, #72]\n ldr r3, [sp, #76]\n"
        SHA512_MOVE("r4", "r2", "r3", "19") SHA512_TURN("r4", "r3", "r2", "29")
        SHA512_TURN("r4", "r2", "r3", "6") SHA512_MOVE("r5", "r3", "r2", "19")
        SHA512_TURN("r5", "r2", "r3", "29") SHA512_SHIFT("r5", "r3", "6")
        SHA512_ADD("r4", "r5")
        "3: ldr r2, [sp, #56]\n ldr r3, [sp, #60]\n str r0, [sp, #56]\n"
        "str r1, [sp, #60]\n"
        SHA512_ADD("r2", "r3") "mov r7, r8\n ldm r7!, {r2, r3}\n mov r8, r7\n"
        SHA512_ADD("r2", "r3") "mov r7, sp\n adds r7, #32\n"
        "ldm r7, {r2, r3, r4, r5, r6, r7}\n eors r4, r6\n eors r5, r7\n ands r4, r2\n"
        "ands r5, r3\n eors r4, r6\n eors r5, r7\n" SHA512_ADD("r4", "r5")
        SHA512_MOVE("r4", "r2", "r3", "14") SHA512_TURN("r4", "r2", "r3", "18")
        SHA512_TURN("r4", "r3", "r2", "9") SHA512_MOVE("r5", "r3", "r2", "14")
        SHA512_TURN("r5", "r3", "r2", "18") SHA512_TURN("r5", "r2", "r3", "9")
        SHA512_ADD("r4", "r5") "ldr r2, [sp, #24]\n ldr r3, [sp, #28]\n adds r2, r0\n"
        "adcs r3, r1\n str r2, [sp, #24]\n str r3, [sp, #28]\n mov r7, sp\n"
        "ldm r7!, {r2, r3, r4, r5}\n movs r6, r2\n eors r6, r4\n mov r7, r10\n"
        "mov r10, r6\n ands r7, r6\n eors r7, r4\n movs r4, r3\n eors r4, r5\n"
        "mov r6, r11\n mov r11, r4\n ands r6, r4\n eors r6, r5\n" SHA512_ADD("r7", "r6")
        SHA512_MOVE("r4", "r2", "r3", "28") SHA512_TURN("r4", "r3", "r2", "2")
        SHA512_TURN("r4", "r3", "r2", "7") SHA512_MOVE("r5", "r3", "r2", "28")
        SHA512_TURN("r5", "r2", "r3", "2") SHA512_TURN("r5", "r2", "r3", "7")
        SHA512_ADD("r4", "r5") "push {r0, r1}\n mov r2, sp\n cmp r2, r12\n beq 4f\n"
        "bx lr\n"
        "4: ldr r0, 8f\n cmp r8, r0\n beq 5f\n"
        "movs r6, #168\n add r6, sp\n movs r7, #128\n adds r7, r6\n"
        "6: ldm r6!, {r0, r1, r2, r3, r4, r5}\n stm r7!, {r0, r1, r2, r3, r4, r5}\n"
        "subs r6, #48\n subs r7, #48\n cmp r6, r12\n bhs 6b\n add sp, #128\n ldr r0, 9f\n"
        "mov lr, r0\n bx lr\n .balign 4\n 7: .word %c2\n 8: .word %c3\n 9: .word 2b + 1\n"
        "5: ldr r0, [sp, #320]\n movs r1, #64\n adds r1, r0\n"
        "6: pop {r2, r3}\n ldr r4, [r0]\n ldr r5, [r0, #4]\n adds r2, r4\n adcs r3, r5\n"
        "stm r0!, {r2, r3}\n cmp r0, r1\n bne 6b\n add sp, #256\n pop {r0, r7}\n"
        : "+r"(r0), "+r"(r1)
        : "i"(sha_k), "i"(sha_k + 80)
        : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}
/* clang-format on */

/* What sha512_block reads without a copy: whole words. */
#define SHA512_TAKES(data) (((uintptr_t)(data)&3) == 0)
#else
#define SHA512_TAKES(data) 0

static uint64_t sha512_rotr(uint64_t x, unsigned n) {
    return x >> n | x << (64 - n);
}

/* Word j of the eight, counted from a: they stand still and the index turns. Where code
 * size does not matter, 16 rounds are unrolled, which makes all indices constant. */
#define SHA512_V(j) v[((j)-i) & 7]
#if PICOSUIT_FIELD_32
#define SHA512_ROUNDS(i) for (unsigned i = 0; i < 80; i++)
#else
#define SHA512_ROUNDS(i)                                                                 \
    for (unsigned n = 0; n < 80; n += 16)                                                \
    _Pragma("GCC unroll 16") for (unsigned i = n; i < n + 16; i++)
#endif

static void sha512_block(uint64_t s[8], const uint8_t *data) {
    uint64_t w[16], v[8];
    memcpy(v, s, sizeof v);
    SHA512_ROUNDS(i) {
        uint64_t x, t;
        if (i < 16) {
            t = (uint64_t)b_load32be(data + 8 * i) << 32 | b_load32be(data + 8 * i + 4);
        } else {
            x = w[(i + 1) & 15];
            t = sha512_rotr(x, 1) ^ sha512_rotr(x, 8) ^ x >> 7;
            x = w[(i + 14) & 15];
            t += sha512_rotr(x, 19) ^ sha512_rotr(x, 61) ^ x >> 6;
            t += w[i & 15] + w[(i + 9) & 15];
        }
        w[i & 15] = t;
        x = SHA512_V(4);
        t += SHA512_V(7) + sha_k[i] + (((SHA512_V(5) ^ SHA512_V(6)) & x) ^ SHA512_V(6));
        t += sha512_rotr(x, 14) ^ sha512_rotr(x, 18) ^ sha512_rotr(x, 41);
        SHA512_V(3) += t;
        x = SHA512_V(0);
        t += sha512_rotr(x, 28) ^ sha512_rotr(x, 34) ^ sha512_rotr(x, 39);
        SHA512_V(7) = t + ((x & SHA512_V(1)) | ((x | SHA512_V(1)) & SHA512_V(2)));
    }
    for (unsigned i = 0; i < 8; i++) {
        s[i] += v[i];
    }
}
#endif

static void sha512_init(sha512_ctx *s) {
    s->len = 0;
    memcpy(s->h, sha_h0, sizeof s->h);
}

static void sha512_update(sha512_ctx *s, const uint8_t *data, size_t len) {
    size_t fill = (size_t)s->len & 127;
    s->len += len;
    while (len > 0) {
        size_t n = 128 - fill;
        if (n > len) {
            n = len;
        }
        if (n == 128 && SHA512_TAKES(data)) {
            sha512_block(s->h, data);
        } else {
            memcpy(s->buf + fill, data, n);
            fill += n;
            if (fill == 128) {
                sha512_block(s->h, s->buf);
                fill = 0;
            }
        }
        data += n;
        len -= n;
    }
}

/* Padding [FIPS180 5.1.2]; the upper 64 bits of the length are zero. */
static void sha512_final(sha512_ctx *s, uint8_t out[64]) {
    size_t fill = (size_t)s->len & 127;
    s->buf[fill++] = 0x80;
    if (fill > 112) {
        memset(s->buf + fill, 0, 128 - fill);
        sha512_block(s->h, s->buf);
        fill = 0;
    }
    memset(s->buf + fill, 0, 120 - fill);
    b_store32be(s->buf + 120, (uint32_t)(s->len >> 29));
    b_store32be(s->buf + 124, (uint32_t)s->len << 3);
    sha512_block(s->h, s->buf);
    for (unsigned i = 0; i < 8; i++) {
        b_store32be(out + 8 * i, (uint32_t)(s->h[i] >> 32));
        b_store32be(out + 8 * i + 4, (uint32_t)s->h[i]);
    }
}

#if PICOSUIT_EXPOSE_PRIMITIVES
void picosuit_sha256(uint8_t out[32], const uint8_t *data, size_t len) {
    picosuit_sha256_ctx s;
    sha256_init(&s);
    sha256_update(&s, data, len);
    sha256_final(&s, out);
}

void picosuit_sha512(uint8_t out[64], const uint8_t *data, size_t len) {
    sha512_ctx s;
    sha512_init(&s);
    sha512_update(&s, data, len);
    sha512_final(&s, out);
}
#endif

/* ====================================================================================
 * 3  HMAC, HKDF (hmac_, hkdf_)
 *
 * HMAC-SHA-256 over one piece of data, and HKDF for one output block: no key in this
 * product is longer than 32 bytes.
 * source: [RFC2104], [RFC5869]
 * uses: 1 2
 * ==================================================================================== */

#if B_WITH_HMAC
/* Starts a hash with the key block XOR pad; key_len is at most 64. The block is made in
 * the context's own buffer. */
static void hmac_pad(picosuit_sha256_ctx *s, const uint8_t *key, size_t key_len,
                     uint8_t pad) {
    sha256_init(s);
    memset(s->buf, pad, 64);
    for (size_t i = 0; i < key_len; i++) {
        s->buf[i] ^= key[i];
    }
    sha256_block(s->h, s->buf);
    s->len = 64;
}

/* Ends the inner hash and does the outer one. */
static void hmac_final(picosuit_sha256_ctx *s, uint8_t out[32], const uint8_t *key,
                       size_t key_len) {
    sha256_final(s, out);
    hmac_pad(s, key, key_len, 0x5c);
    sha256_update(s, out, 32);
    sha256_final(s, out);
    wipe(s, sizeof *s);
}

/* data and an optional suffix byte; key_len at most 64. out is not key. */
static B_NOINLINE void hmac_short(uint8_t out[32], const uint8_t *key, size_t key_len,
                                  const uint8_t *data, size_t len,
                                  const uint8_t *suffix) {
    picosuit_sha256_ctx s;
    hmac_pad(&s, key, key_len, 0x36);
    sha256_update(&s, data, len);
    if (suffix != NULL) {
        sha256_update(&s, suffix, 1);
    }
    hmac_final(&s, out, key, key_len);
}

/* A key longer than a block is replaced by its hash [RFC2104 2]. */
static B_NOINLINE void hmac_hash_key(uint8_t out[32], const uint8_t *key, size_t len) {
    picosuit_sha256_ctx s;
    sha256_init(&s);
    sha256_update(&s, key, len);
    sha256_final(&s, out);
    wipe(&s, sizeof s);
}

/* out is not key. */
static B_NOINLINE void hmac_sha256(uint8_t out[32], const uint8_t *key, size_t key_len,
                                   const uint8_t *data, size_t len) {
    uint8_t hash[32];
    if (key_len <= 64) {
        hmac_short(out, key, key_len, data, len, NULL);
    } else {
        hmac_hash_key(hash, key, key_len);
        hmac_short(out, hash, sizeof hash, data, len, NULL);
        wipe(hash, sizeof hash);
    }
}
#endif

#if B_WITH_CIPHERS
/* Extract, then T(1) only: out_len is at most 32. No salt means 32 zero bytes, which as a
 * padded key is the same as a key of length 0 [RFC5869 2.2, 2.3]. */
PICOSUIT_MUST_CHECK static B_NOINLINE int
hkdf_sha256(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
            const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len) {
    static const uint8_t one = 1;
    int st = PICOSUIT_E_CRYPTO;
    uint8_t prk[32], t[32];
    if (out_len <= sizeof t) {
        hmac_sha256(prk, salt, salt_len, ikm, ikm_len);
        hmac_short(t, prk, sizeof prk, info, info_len, &one);
        memcpy(out, t, out_len);
        wipe(prk, sizeof prk);
        wipe(t, sizeof t);
        st = PICOSUIT_OK;
    }
    return st;
}
#endif

#if PICOSUIT_EXPOSE_PRIMITIVES
int picosuit_hkdf_sha256(uint8_t *out, size_t out_len, const uint8_t *salt,
                         size_t salt_len, const uint8_t *ikm, size_t ikm_len,
                         const uint8_t *info, size_t info_len) {
    return hkdf_sha256(out, out_len, salt, salt_len, ikm, ikm_len, info, info_len);
}
#endif

/* ====================================================================================
 * 4  ChaCha20, Poly1305, AEAD in steps (chacha_, poly_, aead_)
 *
 * The caller decides the order: aead_init, then aead_auth over the ciphertext, aead_xor
 * to decrypt, aead_tag at the end. Constant time in keys and data.
 * source: [RFC8439]
 * limits: AAD and ciphertext below 2^32 bytes each
 * uses: 1
 * ==================================================================================== */

#if B_WITH_CIPHERS
static const uint32_t chacha_sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

#if PICOSUIT_ASM
/* clang-format off */
/* Quarter round [RFC8439 2.1] of r0 to r3; r4 to r7 hold the rotations to the right. */
#define CHACHA_QUARTER                                                                   \
    "adds r0, r1\n eors r3, r0\n rors r3, r4\n adds r2, r3\n eors r1, r2\n"             \
    "rors r1, r5\n adds r0, r1\n eors r3, r0\n rors r3, r6\n adds r2, r3\n"              \
    "eors r1, r2\n rors r1, r7\n"

/* XORs the 64 bytes at buf, which is aligned for words, with one block of key stream. Of
 * the state, words 8, 9, 10, 12, 13, 14 are in r8 to r12 and lr, 0 to 7 and 11 on the
 * stack, then a place for 14, and 15. Words 4 and 15 stay in r1 and r3 where two quarter
 * rounds in turn use them. Rotations count modulo 32, so r7 counts the rounds, too. */
static B_NOINLINE void chacha_block(const picosuit_aead_ctx *a, uint32_t counter,
                                    uint8_t *buf) {
    register const uint32_t *r0 __asm__("r0") = a->key; /* the nonce follows */
    register uint32_t r1 __asm__("r1") = counter;
    register uint8_t *r2 __asm__("r2") = buf;
    __asm__ volatile(
        ".syntax unified\n"
        "push {r0, r2, r7}\n adds r0, #32\n ldm r0!, {r4, r5, r6}\n"
        "push {r1, r4, r5, r6}\n sub sp, #44\n subs r0, #44\n mov r11, r1\n mov r12, r4\n"
        "mov lr, r5\n str r6, [sp, #40]\n mov r2, sp\n ldr r3, 8f\n"
        "ldm r3!, {r4, r5, r6, r7}\n stm r2!, {r4, r5, r6, r7}\n"
        "ldm r0!, {r4, r5, r6, r7}\n stm r2!, {r4, r5, r6, r7}\n movs r1, r4\n"
        "ldm r0!, {r4, r5, r6, r7}\n mov r8, r4\n mov r9, r5\n mov r10, r6\n"
        "str r7, [sp, #32]\n movs r4, #16\n movs r5, #20\n movs r6, #24\n"
        "movs r7, #255\n adds r7, #58\n" /* 25 + 9 * 32 */
        "1: ldr r0, [sp]\n mov r2, r8\n mov r3, r11\n" CHACHA_QUARTER
        "str r0, [sp]\n str r1, [sp, #16]\n mov r8, r2\n mov r11, r3\n"
        "ldr r0, [sp, #4]\n ldr r1, [sp, #20]\n mov r2, r9\n mov r3, r12\n" CHACHA_QUARTER
        "str r0, [sp, #4]\n str r1, [sp, #20]\n mov r9, r2\n mov r12, r3\n"
        "ldr r0, [sp, #8]\n ldr r1, [sp, #24]\n mov r2, r10\n mov r3, lr\n" CHACHA_QUARTER
        "str r0, [sp, #8]\n str r1, [sp, #24]\n mov r10, r2\n mov lr, r3\n"
        "ldr r0, [sp, #12]\n ldr r1, [sp, #28]\n ldr r2, [sp, #32]\n"
        "ldr r3, [sp, #40]\n" CHACHA_QUARTER
        "str r0, [sp, #12]\n str r1, [sp, #28]\n str r2, [sp, #32]\n"
        "ldr r0, [sp]\n ldr r1, [sp, #20]\n mov r2, r10\n" CHACHA_QUARTER
        "str r0, [sp]\n str r1, [sp, #20]\n mov r10, r2\n str r3, [sp, #40]\n"
        "ldr r0, [sp, #4]\n ldr r1, [sp, #24]\n ldr r2, [sp, #32]\n"
        "mov r3, r11\n" CHACHA_QUARTER
        "str r0, [sp, #4]\n str r1, [sp, #24]\n str r2, [sp, #32]\n mov r11, r3\n"
        "ldr r0, [sp, #8]\n ldr r1, [sp, #28]\n mov r2, r8\n mov r3, r12\n" CHACHA_QUARTER
        "str r0, [sp, #8]\n str r1, [sp, #28]\n mov r8, r2\n mov r12, r3\n"
        "ldr r0, [sp, #12]\n ldr r1, [sp, #16]\n mov r2, r9\n mov r3, lr\n" CHACHA_QUARTER
        "str r0, [sp, #12]\n mov r9, r2\n mov lr, r3\n"
        "subs r7, #32\n bcc 2f\n b 1b\n"
        "2: str r1, [sp, #16]\n mov r0, lr\n str r0, [sp, #36]\n ldr r0, 8f\n"
        "ldr r1, [sp, #64]\n pop {r2, r3, r4, r5}\n bl 9f\n ldr r0, [sp, #44]\n"
        "pop {r2, r3, r4, r5}\n bl 9f\n mov r2, r8\n mov r3, r9\n mov r4, r10\n"
        "pop {r5}\n bl 9f\n mov r2, r11\n mov r3, r12\n pop {r4, r5}\n mov r0, sp\n"
        "bl 9f\n"
        /* Wipes the state, of which nothing is above the stack pointer any more. */
        "movs r2, #0\n movs r3, #0\n movs r4, #0\n movs r5, #0\n movs r6, #0\n"
        "mov r8, r2\n mov r9, r2\n mov r10, r2\n mov r11, r2\n mov r12, r2\n mov r0, sp\n"
        "subs r0, #44\n stm r0!, {r2, r3, r4, r5, r6}\n stm r0!, {r2, r3, r4, r5, r6}\n"
        "str r2, [r0]\n add sp, #24\n pop {r7}\n b 3f\n"
        /* Adds the four words at r0 to r2 to r5, and XORs to memory at r1. */
        "9: ldm r0!, {r6, r7}\n adds r2, r6\n adds r3, r7\n ldm r0!, {r6, r7}\n"
        "adds r4, r6\n adds r5, r7\n ldr r6, [r1]\n ldr r7, [r1, #4]\n eors r2, r6\n"
        "eors r3, r7\n ldr r6, [r1, #8]\n ldr r7, [r1, #12]\n eors r4, r6\n eors r5, r7\n"
        "stm r1!, {r2, r3, r4, r5}\n bx lr\n .balign 4\n 8: .word %c3\n 3:\n"
        : "+r"(r0), "+r"(r1), "+r"(r2)
        : "i"(chacha_sigma)
        : "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}
/* clang-format on */

/* XORs len <= 64 bytes with the key stream of one block [RFC8439 2.3, 2.4]. */
static B_NOINLINE void chacha_xor(const picosuit_aead_ctx *a, uint32_t counter,
                                  uint8_t *buf, size_t len) {
    if (len == 64 && ((uintptr_t)buf & 3) == 0) {
        chacha_block(a, counter, buf);
    } else {
        uint32_t x[16] = {0};
        chacha_block(a, counter, (uint8_t *)x);
        for (size_t i = 0; i < len; i++) {
            buf[i] ^= ((const uint8_t *)x)[i];
        }
        wipe(x, sizeof x);
    }
}
#else
/* Quarter round [RFC8439 2.1]; rotations to the left by 16, 12, 8, 7. */
#define CHACHA_QUARTER(a, b, c, d)                                                       \
    x[a] += x[b];                                                                        \
    x[d] = b_rotr32(x[d] ^ x[a], 16);                                                    \
    x[c] += x[d];                                                                        \
    x[b] = b_rotr32(x[b] ^ x[c], 20);                                                    \
    x[a] += x[b];                                                                        \
    x[d] = b_rotr32(x[d] ^ x[a], 24);                                                    \
    x[c] += x[d];                                                                        \
    x[b] = b_rotr32(x[b] ^ x[c], 25)

static void chacha_rounds(uint32_t x[16]) {
    for (unsigned i = 0; i < 10; i++) {
        CHACHA_QUARTER(0, 4, 8, 12);
        CHACHA_QUARTER(1, 5, 9, 13);
        CHACHA_QUARTER(2, 6, 10, 14);
        CHACHA_QUARTER(3, 7, 11, 15);
        CHACHA_QUARTER(0, 5, 10, 15);
        CHACHA_QUARTER(1, 6, 11, 12);
        CHACHA_QUARTER(2, 7, 8, 13);
        CHACHA_QUARTER(3, 4, 9, 14);
    }
}

/* XORs len <= 64 bytes with the key stream of one block [RFC8439 2.3, 2.4]. */
static B_NOINLINE void chacha_xor(const picosuit_aead_ctx *a, uint32_t counter,
                                  uint8_t *buf, size_t len) {
    uint32_t x[16];
    size_t i;
    memcpy(x, chacha_sigma, 16);
    memcpy(x + 4, a->key, 32);
    x[12] = counter;
    memcpy(x + 13, a->nonce, 12);
    chacha_rounds(x);
    for (i = 0; i < 4; i++) {
        x[i] += chacha_sigma[i];
    }
    for (i = 0; i < 8; i++) {
        x[4 + i] += a->key[i];
    }
    x[12] += counter;
    for (i = 0; i < 3; i++) {
        x[13 + i] += a->nonce[i];
    }
    for (i = 0; len >= 4; i++, buf += 4, len -= 4) {
        buf[0] ^= (uint8_t)x[i];
        buf[1] ^= (uint8_t)(x[i] >> 8);
        buf[2] ^= (uint8_t)(x[i] >> 16);
        buf[3] ^= (uint8_t)(x[i] >> 24);
    }
    for (; len > 0; len--, x[i] >>= 8) {
        *buf++ ^= (uint8_t)x[i];
    }
    wipe(x, sizeof x);
}
#endif

static void chacha_key(picosuit_aead_ctx *a, const uint8_t key[32],
                       const uint8_t nonce[12]) {
    for (unsigned i = 0; i < 8; i++) {
        a->key[i] = b_load32le(key + 4 * i);
    }
    for (unsigned i = 0; i < 3; i++) {
        a->nonce[i] = b_load32le(nonce + 4 * i);
    }
}

#if PICOSUIT_ASM
/* clang-format off */
/* One of four products for a word of h * r: that of h[..] at r6 and of a factor at r5,
 * which is y1 * 2^14 + y0, as four products of halves, in r4, r0, r2, r3. */
#define POLY_TERM(h, y)                                                                  \
    "ldr r0, [r6, #" h "]\n lsrs r1, r0, #16\n uxth r0, r0\n ldr r2, [r5, #" y "]\n"     \
    "lsrs r3, r2, #16\n uxth r2, r2\n movs r4, r0\n muls r4, r2\n muls r0, r3\n"         \
    "muls r2, r1\n muls r3, r1\n"
#define POLY_ADD "add r8, r4\n add r9, r0\n add r10, r2\n add r11, r3\n"

/* r1:r4 += x * 2^n, x in a low register */
#define POLY_SHIFT(x, n, m)                                                              \
    "lsls r7, " x ", #" n "\n lsrs " x ", " x ", #" m "\n adds r4, r7\n adcs r1, " x "\n"

/* Absorbs n > 0 blocks at data, which is aligned for words. f is
 *    0  h[5], the sum with the block      13  z[4], the product    18  bit
 *    5  0, s1, s2, s3, r0, r1, r2, r3     17  r0                   19  n, 20  data
 * and z[k] = h[0] r[k] + .. + h[4] s[k] with s = 5/4 r, since r1, r2, r3 are multiples of
 * four [RFC8439 2.5] and 2^130 = 5; h[4] r0 belongs to bit 128. The eight factors have
 * their 14 low bits below, the others from bit 16 on.
 * Bounds: r < 2^28, s < 5/4 2^28, h[4] < 8. All four products with y0 < 2^14 and h[4] y0
 * add up below 2^32; of those with y1 < 5/4 2^14 three do, so the fourth is kept apart.
 * Afterwards h < 2^130 + 2^32. */
static void poly_loop(uint32_t f[21]) {
    register uint32_t *r6 __asm__("r6") = f;
    __asm__ volatile(
        ".syntax unified\n push {r7}\n mov r7, r6\n ldm r7!, {r0, r1, r2, r3, r4}\n"
        "movs r7, #36\n adds r7, r6\n mov lr, r7\n"
        "1: ldr r7, [r6, #80]\n ldm r7!, {r5}\n adds r0, r5\n ldm r7!, {r5}\n"
        "adcs r1, r5\n ldm r7!, {r5}\n adcs r2, r5\n ldm r7!, {r5}\n adcs r3, r5\n"
        "str r7, [r6, #80]\n ldr r5, [r6, #72]\n adcs r4, r5\n mov r7, r6\n"
        "stm r7!, {r0, r1, r2, r3, r4}\n mov r5, r7\n movs r0, #0\n mov r12, r0\n"
        "2:\n" POLY_TERM("0", "16")
        "mov r8, r4\n mov r9, r0\n mov r10, r2\n mov r11, r3\n"
        POLY_TERM("4", "12") POLY_ADD POLY_TERM("8", "8") POLY_ADD POLY_TERM("12", "4")
        "add r4, r8\n add r2, r10\n"
        "ldr r1, [r6, #16]\n ldr r7, [r5]\n mov r8, r7\n uxth r7, r7\n muls r7, r1\n"
        "adds r4, r7\n mov r7, r8\n lsrs r7, r7, #16\n muls r7, r1\n adds r0, r7\n"
        "mov r7, r12\n movs r1, #0\n adds r4, r7\n adcs r1, r1\n"
        POLY_SHIFT("r0", "14", "18") POLY_SHIFT("r2", "16", "16")
        POLY_SHIFT("r3", "30", "2") "mov r0, r9\n" POLY_SHIFT("r0", "14", "18")
        "mov r3, r11\n" POLY_SHIFT("r3", "30", "2")
        "str r4, [r5, #32]\n mov r12, r1\n adds r5, #4\n cmp r5, lr\n bne 2b\n"
        "ldr r1, [r6, #16]\n ldr r2, [r6, #68]\n muls r1, r2\n add r1, r12\n"
        "movs r4, #3\n ands r4, r1\n lsrs r1, r1, #2\n movs r5, #5\n muls r5, r1\n"
        "mov r7, r6\n adds r7, #52\n ldm r7!, {r0, r1, r2, r3}\n adds r0, r5\n"
        "movs r5, #0\n adcs r1, r5\n adcs r2, r5\n adcs r3, r5\n adcs r4, r5\n"
        "ldr r5, [r6, #76]\n subs r5, #1\n str r5, [r6, #76]\n beq 3f\n b 1b\n"
        "3: stm r6!, {r0, r1, r2, r3, r4}\n pop {r7}\n"
        : "+r"(r6)
        :
        : "r0", "r1", "r2", "r3", "r4", "r5", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}
/* clang-format on */

/* What poly_loop reads: whole words. */
#define POLY_TAKES(data) (((uintptr_t)(data)&3) == 0)

static uint32_t poly_factor(uint32_t y) {
    return y >> 14 << 16 | (y & 0x3fff);
}

/* Absorbs n blocks, as its twin does. */
static B_NOINLINE void poly_blocks(picosuit_aead_ctx *a, const uint8_t *data, size_t n,
                                   uint32_t bit) {
    uint32_t f[21];
    for (unsigned i = 0; i < 5; i++) { /* a call of memcpy takes longer */
        f[i] = a->h[i];
    }
    for (unsigned i = 0; i < 4; i++) {
        f[5 + i] = i > 0 ? poly_factor(a->r[i] + (a->r[i] >> 2)) : 0;
        f[9 + i] = poly_factor(a->r[i]);
    }
    f[17] = a->r[0];
    f[18] = bit;
    f[19] = (uint32_t)n;
    f[20] = (uint32_t)(uintptr_t)data;
    poly_loop(f);
    for (unsigned i = 0; i < 5; i++) {
        a->h[i] = f[i];
    }
    wipe(f, sizeof f);
}
#elif !PICOSUIT_FIELD_32
#define POLY_TAKES(data) 1

/* Absorbs n blocks; bit is the 2^128 of each, 0 only for the padded end of a message that
 * is not an AEAD's [RFC8439 2.5]. h = h2 2^128 + h1 2^64 + h0, and r1 is a multiple of 4,
 * so h1 r1 2^128 = h1 (r1 / 4) 2^130 = h1 (5/4 r1).
 * Bounds: r0, r1 < 2^60, so s1 < 5/4 2^60; h2 <= 4 before a block is added, 6 after it.
 * h2 s1 and h2 r0 are below 2^63, the columns below 2^126, and the new h2 below 2^63 +
 * 2^62. What it has above 2^130 counts 5 times: h2 / 4 * 5 is (h2 / 4 * 4) + h2 / 4. */
static B_NOINLINE void poly_blocks(picosuit_aead_ctx *a, const uint8_t *data, size_t n,
                                   uint32_t bit) {
    uint64_t r0 = (uint64_t)a->r[1] << 32 | a->r[0];
    uint64_t r1 = (uint64_t)a->r[3] << 32 | a->r[2], s1 = r1 + (r1 >> 2);
    uint64_t h0 = (uint64_t)a->h[1] << 32 | a->h[0];
    uint64_t h1 = (uint64_t)a->h[3] << 32 | a->h[2], h2 = a->h[4];
    for (; n > 0; n--, data += 16) {
        b_wide low = (b_wide)h0 + b_load64le(data), high;
        h0 = (uint64_t)low;
        high = (b_wide)h1 + b_load64le(data + 8) + (uint64_t)(low >> 64);
        h1 = (uint64_t)high;
        h2 += (uint64_t)(high >> 64) + bit;
        low = (b_wide)h0 * r0 + (b_wide)h1 * s1;
        high = (b_wide)h0 * r1 + (b_wide)h1 * r0 + h2 * s1 + (uint64_t)(low >> 64);
        h2 = h2 * r0 + (uint64_t)(high >> 64);
        low = (b_wide)(uint64_t)low + (h2 >> 2) + (h2 & ~(uint64_t)3);
        high = (b_wide)(uint64_t)high + (uint64_t)(low >> 64);
        h0 = (uint64_t)low;
        h1 = (uint64_t)high;
        h2 = (h2 & 3) + (uint64_t)(high >> 64);
    }
    a->h[0] = (uint32_t)h0;
    a->h[1] = (uint32_t)(h0 >> 32);
    a->h[2] = (uint32_t)h1;
    a->h[3] = (uint32_t)(h1 >> 32);
    a->h[4] = (uint32_t)h2;
}
#else
#define POLY_TAKES(data) 1

/* Poly1305 counts in ten limbs of 13 bits, so that the sum of ten products of a column
 * fits 32 bits and the 32-bit multiplier of a small part is enough. In the context h and
 * r are packed into 32-bit words. */
static void poly_unpack(uint16_t l[10], const uint32_t *w, uint32_t top) {
    l[0] = w[0] & 0x1fff;
    l[1] = w[0] >> 13 & 0x1fff;
    l[2] = (w[0] >> 26 | w[1] << 6) & 0x1fff;
    l[3] = w[1] >> 7 & 0x1fff;
    l[4] = (w[1] >> 20 | w[2] << 12) & 0x1fff;
    l[5] = w[2] >> 1 & 0x1fff;
    l[6] = w[2] >> 14 & 0x1fff;
    l[7] = (w[2] >> 27 | w[3] << 5) & 0x1fff;
    l[8] = w[3] >> 8 & 0x1fff;
    l[9] = (uint16_t)(w[3] >> 21 | top << 11);
}

/* The limbs may exceed 13 bits, their value is below 2^131. */
static void poly_pack(uint32_t w[5], uint16_t l[10]) {
    for (unsigned i = 0; i < 9; i++) {
        l[i + 1] = (uint16_t)(l[i + 1] + (l[i] >> 13));
        l[i] &= 0x1fff;
    }
    w[0] = l[0] | (uint32_t)l[1] << 13 | (uint32_t)l[2] << 26;
    w[1] = (uint32_t)l[2] >> 6 | (uint32_t)l[3] << 7 | (uint32_t)l[4] << 20;
    w[2] = (uint32_t)l[4] >> 12 | (uint32_t)l[5] << 1 | (uint32_t)l[6] << 14 |
           (uint32_t)l[7] << 27;
    w[3] = (uint32_t)l[7] >> 5 | (uint32_t)l[8] << 8 | (uint32_t)l[9] << 21;
    w[4] = (uint32_t)l[9] >> 11;
}

/* z = h * r mod 2^130 - 5, not fully reduced. s holds 5 r, then r, so that limb i of the
 * product is the sum of h[j] * s[10 + i - j], where the 5 comes from 2^130 = 5.
 * Bounds: h[0..8] < 2^13, h[9] < 2^14; r < 2^13 and clamped, so its limbs add up to 65531
 * at most and a sum of products stays below 2^13 * (8191 + 5 * 57340) + 2^29 < 2^32.
 * Then z[1] < 2^13 + 2^8, all others < 2^13. */
static B_NOINLINE void poly_multiply(uint16_t z[10], const uint16_t h[10],
                                     const uint16_t s[20]) {
    uint32_t c = 0;
    for (unsigned i = 0; i < 10; i++, s++) {
        c += (uint32_t)h[0] * s[10];
        c += (uint32_t)h[1] * s[9];
        c += (uint32_t)h[2] * s[8];
        c += (uint32_t)h[3] * s[7];
        c += (uint32_t)h[4] * s[6];
        c += (uint32_t)h[5] * s[5];
        c += (uint32_t)h[6] * s[4];
        c += (uint32_t)h[7] * s[3];
        c += (uint32_t)h[8] * s[2];
        c += (uint32_t)h[9] * s[1];
        z[i] = c & 0x1fff;
        c >>= 13;
    }
    c = c * 5 + z[0]; /* c was below 2^19 */
    z[0] = c & 0x1fff;
    z[1] = (uint16_t)(z[1] + (c >> 13));
}

/* Absorbs n blocks; bit is the 2^128 of each, 0 only for the padded end of a message that
 * is not an AEAD's [RFC8439 2.5]. */
static B_NOINLINE void poly_blocks(picosuit_aead_ctx *a, const uint8_t *data, size_t n,
                                   uint32_t bit) {
    uint16_t s[20], h[10], m[10];
    uint32_t w[4], c;
    poly_unpack(s + 10, a->r, 0);
    for (unsigned i = 0; i < 10; i++) {
        s[i] = (uint16_t)(5 * s[10 + i]);
    }
    poly_unpack(h, a->h, a->h[4]);
    for (; n > 0; n--, data += 16) {
        for (unsigned i = 0; i < 4; i++) {
            w[i] = b_load32le(data + 4 * i);
        }
        poly_unpack(m, w, bit);
        c = 0;
        for (unsigned i = 0; i < 9; i++) {
            c += (uint32_t)h[i] + m[i];
            m[i] = c & 0x1fff;
            c >>= 13;
        }
        m[9] = (uint16_t)(m[9] + h[9] + c);
        poly_multiply(h, m, s);
    }
    poly_pack(a->h, h);
    wipe(s, sizeof s);
}
#endif

/* Key is r, then s [RFC8439 2.5]. */
static void poly_init(picosuit_aead_ctx *a, const uint8_t key[32]) {
    for (unsigned i = 0; i < 4; i++) {
        a->r[i] = b_load32le(key + 4 * i) & (i == 0 ? 0x0fffffff : 0x0ffffffc);
        a->s[i] = b_load32le(key + 16 + 4 * i);
        a->h[i] = 0;
    }
    a->h[4] = 0;
}

/* Any split: a->len counts the bytes, len % 16 of them wait in the buffer. */
static void poly_update(picosuit_aead_ctx *a, const uint8_t *data, size_t len) {
    size_t fill = a->len & 15;
    a->len += (uint32_t)len;
    while (len > 0) {
        size_t n = 16 - fill;
        if (fill == 0 && len >= 16 && POLY_TAKES(data)) {
            n = len & ~(size_t)15;
            poly_blocks(a, data, n / 16, 1);
        } else {
            if (n > len) {
                n = len;
            }
            memcpy(a->buf + fill, data, n);
            fill += n;
            if (fill == 16) {
                poly_blocks(a, a->buf, 1, 1);
                fill = 0;
            }
        }
        data += n;
        len -= n;
    }
}

/* Zero bytes up to the end of a block [RFC8439 2.8.1]. */
static void poly_pad(picosuit_aead_ctx *a) {
    size_t fill = a->len & 15;
    if (fill > 0) {
        memset(a->buf + fill, 0, 16 - fill);
        poly_blocks(a, a->buf, 1, 1);
    }
}

/* tag = (h mod 2^130 - 5) + s mod 2^128. h + 5 reaches 2^130 exactly if h >= 2^130 - 5,
 * and then its low bits are the reduced h; h stays below 2 * (2^130 - 5). */
static void poly_tag(const picosuit_aead_ctx *a, uint8_t tag[16]) {
    uint64_t c = 5;
    uint32_t mask;
    for (unsigned i = 0; i < 4; i++) {
        c = (c + a->h[i]) >> 32;
    }
    mask = 0 - (uint32_t)((c + a->h[4]) >> 2);
    c = 5 & mask;
    for (unsigned i = 0; i < 4; i++) {
        c += (uint64_t)a->h[i] + a->s[i];
        b_store32le(tag + 4 * i, (uint32_t)c);
        c >>= 32;
    }
}

/* Takes the one-time key from block 0 [RFC8439 2.6], absorbs the AAD and its padding. */
static B_NOINLINE void aead_start(picosuit_aead_ctx *a, const uint8_t *aad,
                                  size_t aad_len) {
    uint8_t once[32];
    memset(once, 0, sizeof once);
    chacha_xor(a, 0, once, sizeof once);
    poly_init(a, once);
    wipe(once, sizeof once);
    a->len = 0;
    poly_update(a, aad, aad_len);
    poly_pad(a);
    a->aad_len = (uint32_t)aad_len;
    a->len = 0;
}

/* The same, for a new key. */
static void aead_init(picosuit_aead_ctx *a, const uint8_t key[32],
                      const uint8_t nonce[12], const uint8_t *aad, size_t aad_len) {
    chacha_key(a, key, nonce);
    aead_start(a, aad, aad_len);
}

/* The next ciphertext bytes, any split. */
static void aead_auth(picosuit_aead_ctx *a, const uint8_t *data, size_t len) {
    poly_update(a, data, len);
}

/* Decrypts in place: len <= 64 bytes at offset off, a multiple of 64, of the payload,
 * whose key stream starts at block 1 [RFC8439 2.8]. Offsets may come in any order. */
static void aead_xor(const picosuit_aead_ctx *a, uint8_t *buf, size_t len, uint32_t off) {
    chacha_xor(a, 1 + off / 64, buf, len);
}

/* The tag over all that was absorbed. aead_xor may still be called; the caller wipes the
 * context in the end. */
static void aead_tag(picosuit_aead_ctx *a, uint8_t tag[16]) {
    poly_pad(a);
    memset(a->buf, 0, 16);
    b_store32le(a->buf, a->aad_len);
    b_store32le(a->buf + 8, a->len);
    poly_blocks(a, a->buf, 1, 1);
    poly_tag(a, tag);
}
#endif

#if PICOSUIT_EXPOSE_PRIMITIVES
void picosuit_chacha20(uint8_t *out, const uint8_t *data, size_t len,
                       const uint8_t key[32], const uint8_t nonce[12], uint32_t counter) {
    picosuit_aead_ctx a;
    chacha_key(&a, key, nonce);
    while (len > 0) {
        size_t n = len < 64 ? len : 64;
        if (out != data) {
            memmove(out, data, n);
        }
        chacha_xor(&a, counter++, out, n);
        out += n;
        data += n;
        len -= n;
    }
    wipe(&a, sizeof a);
}

void picosuit_poly1305(uint8_t tag[16], const uint8_t *data, size_t len,
                       const uint8_t key[32]) {
    picosuit_aead_ctx a;
    size_t fill;
    poly_init(&a, key);
    a.len = 0;
    poly_update(&a, data, len);
    fill = len & 15;
    if (fill > 0) { /* the last block carries its own 1 bit behind the data */
        memset(a.buf + fill, 0, 16 - fill);
        a.buf[fill] = 1;
        poly_blocks(&a, a.buf, 1, 0);
    }
    poly_tag(&a, tag);
    wipe(&a, sizeof a);
}

int picosuit_aead_open(uint8_t *out, const uint8_t *data, size_t len,
                       const uint8_t key[32], const uint8_t nonce[12], const uint8_t *aad,
                       size_t aad_len) {
    int st = PICOSUIT_E_CRYPTO;
    picosuit_aead_ctx a;
    uint8_t tag[16];
    if (len >= 16) {
        len -= 16;
        aead_init(&a, key, nonce, aad, aad_len);
        aead_auth(&a, data, len);
        aead_tag(&a, tag);
        if (ct_equal(tag, data + len, 16) == 0xffffffff) {
            for (size_t off = 0; off < len; off += 64) {
                size_t n = len - off < 64 ? len - off : 64;
                memmove(out + off, data + off, n);
                aead_xor(&a, out + off, n, (uint32_t)off);
            }
            st = PICOSUIT_OK;
        }
        wipe(&a, sizeof a);
        wipe(tag, sizeof tag);
    }
    return st;
}
#endif

/* ====================================================================================
 * 5  AES-128 decryption, key unwrap (aes_, aes128_)
 *
 * No address and no branch depends on a secret. Two versions with the same functions.
 * Sliced: word b of four holds bits b and b + 4 of all bytes of the state. Byte r of it
 * is for row r; there, column c has bits c and c + 4. The S-box is computed as inverse in
 * a tower of fields, on all 16 bytes at once. Small, a sixth as fast: four columns, first
 * row in the lowest byte; the S-box is computed in GF(2^8) on four bytes at once, and the
 * key schedule runs backwards beside the rounds, so that no schedule is stored.
 * PICOSUIT_AES_SLICED = 0 or 1 forces one.
 * source: [FIPS197], [RFC3394]; Wolkerstorfer, Oswald, Lamberger, CT-RSA 2002: inversion
 *         in GF(16)[y]; Paar 1997: sums that linear maps share
 * limits: wraps of 16 to 64 bytes of key
 * uses: 1
 * ==================================================================================== */

#ifndef PICOSUIT_AES_SLICED
#if defined(__ARM_ARCH_6M__) && !PICOSUIT_ASM
#define PICOSUIT_AES_SLICED 0
#else
#define PICOSUIT_AES_SLICED 1
#endif
#endif

#if B_WITH_CIPHERS
#if PICOSUIT_AES_SLICED
#define AES_KEYS 44 /* words of aes_keys */

/* GF(16) is GF(2)[w] / (w^4 + w + 1), an element one bit in each of four words. */
static B_NOINLINE void aes_multiply(uint32_t r[4], const uint32_t x[4],
                                    const uint32_t y[4]) {
    uint32_t a = x[0], b = x[1], c = x[2], d = x[3];
    uint32_t m = y[0], t;
    uint32_t r0 = a & m, r1 = b & m, r2 = c & m, r3 = d & m;
    for (unsigned i = 1; i < 4; i++) {
        m = y[i];
        t = d; /* times w */
        d = c;
        c = b;
        b = a ^ t;
        a = t;
        r0 ^= a & m;
        r1 ^= b & m;
        r2 ^= c & m;
        r3 ^= d & m;
    }
    r[0] = r0;
    r[1] = r1;
    r[2] = r2;
    r[3] = r3;
}

/* Inverse in GF(16), 0 for 0, as polynomials in the four bits. */
static void aes_invert(uint32_t d[4]) {
    uint32_t a = d[0], b = d[1], c = d[2], e = d[3];
    uint32_t ab = a & b, ac = a & c, bc = b & c, ae = a & e, be = b & e;
    uint32_t t = b ^ c ^ e ^ (bc & e);
    d[0] = a ^ t ^ ac ^ bc ^ (ab & c);
    d[1] = ab ^ ac ^ bc ^ e ^ be ^ (ab & e);
    d[2] = ab ^ c ^ ac ^ e ^ ae ^ (ac & e);
    d[3] = t ^ ae ^ be ^ (c & e);
}

/* The lower half of each byte */
#define AES_LOW 0x0f0f0f0fu
#define AES_PACK(low, high) (((low)&AES_LOW) | ((high)&AES_LOW) << 4)

/* Affine part of the inverse S-box [FIPS197 5.3.2], and the way into GF(16)[y] / (y^2 + y
 * + w^3 + 1), where x is 4 y + 9: of h y + l, l in r[0..3] and h in r[4..7]. The upper
 * half of each byte is undefined from here to aes_leave. */
static void aes_enter(uint32_t r[8], const uint32_t x[4]) {
    uint32_t x4 = x[0] >> 4, x5 = x[1] >> 4, x6 = x[2] >> 4, x7 = x[3] >> 4;
    uint32_t a = x[1] ^ x[2], b = x7 ^ a, c = x4 ^ x5, d = x[3] ^ b;
    uint32_t e = c ^ x[0] ^ x6;
    r[0] = d ^ e;
    r[1] = x7 ^ x[2] ^ x4;
    r[2] = ~(x[1] ^ x[3]);
    r[3] = x5 ^ a;
    r[4] = ~b;
    r[5] = ~e;
    r[6] = c ^ d;
    r[7] = x6 ^ b;
}

/* And back to GF(2)[x] / (x^8 + x^4 + x^3 + x + 1); l is in the lower, h in the upper
 * half of each byte. */
static void aes_leave(uint32_t x[4]) {
    uint32_t x4 = x[0] >> 4, x5 = x[1] >> 4, x6 = x[2] >> 4, x7 = x[3] >> 4;
    uint32_t a = x[2] ^ x7, b = x5 ^ x6, c = x[1] ^ x7, e = b ^ x[3] ^ a;
    uint32_t f = x6 ^ x[2] ^ x[3], g = a ^ x[1] ^ x5;
    x[0] = AES_PACK(b ^ x[0] ^ x[1], x4 ^ a);
    x[1] = AES_PACK(x4 ^ b, x[1]);
    x[2] = AES_PACK(f, g);
    x[3] = AES_PACK(e, c);
}

/* Inverse S-box of all bytes. 1 / (h y + l) is
 * (h y + h + l) / (l^2 + l h + (w^3 + 1) h^2). */
static B_NOINLINE void aes_unsub(uint32_t x[4]) {
    uint32_t d[4], l[8], *h = l + 4;
    aes_enter(l, x);
    aes_multiply(d, l, h);
    d[0] ^= l[0] ^ l[2] ^ h[0];
    d[1] ^= l[2] ^ h[1] ^ h[3];
    d[2] ^= l[1] ^ l[3] ^ h[3];
    d[3] ^= l[3] ^ h[0] ^ h[2];
    aes_invert(d);
    for (unsigned i = 0; i < 4; i++) { /* both products at once */
        x[i] = AES_PACK(l[i] ^ h[i], h[i]);
        d[i] = AES_PACK(d[i], d[i]);
    }
    aes_multiply(x, x, d);
    aes_leave(x);
}

/* Row r moves r columns to the right: two for rows 2 and 3, then one for 1 and 3. */
static void aes_unshift(uint32_t x[4]) {
    for (unsigned i = 0; i < 4; i++) {
        uint32_t a = x[i];
        a = (a & 0xffff) | (a << 2 & 0xcccc0000) | (a >> 2 & 0x33330000);
        x[i] = (a & 0x00ff00ff) | (a << 1 & 0xee00ee00) | (a >> 3 & 0x11001100);
    }
}

/* InvMixColumns [FIPS197 5.3.3], which is MixColumns after adding 4 (a[r] + a[r+2]). */
static B_NOINLINE void aes_unmix(uint32_t x[4]) {
    uint32_t t0 = x[0] ^ b_rotr32(x[0], 16), t1 = x[1] ^ b_rotr32(x[1], 16);
    uint32_t t2 = x[2] ^ b_rotr32(x[2], 16), t3 = x[3] ^ b_rotr32(x[3], 16);
    uint32_t a = t2 >> 4 & AES_LOW, b = t3 >> 4 & AES_LOW; /* x^8 is 1b, x^9 36 */
    uint32_t x0 = x[0] ^ AES_PACK(a, t2 ^ a ^ b), x1 = x[1] ^ AES_PACK(a ^ b, t3 ^ b);
    uint32_t x2 = x[2] ^ t0 ^ b, x3 = x[3] ^ t1 ^ a;
    t0 = x0 ^ b_rotr32(x0, 8); /* 2 (a + a') + a' + (a + a')'' */
    t1 = x1 ^ b_rotr32(x1, 8);
    t2 = x2 ^ b_rotr32(x2, 8);
    t3 = x3 ^ b_rotr32(x3, 8);
    a = t3 >> 4 & AES_LOW;
    x[0] = x0 ^ t0 ^ b_rotr32(t0, 16) ^ AES_PACK(a, t3 ^ a);
    x[1] = x1 ^ t1 ^ b_rotr32(t1, 16) ^ t0 ^ a;
    x[2] = x2 ^ t2 ^ b_rotr32(t2, 16) ^ t1;
    x[3] = x3 ^ t3 ^ b_rotr32(t3, 16) ^ t2 ^ a;
}

/* From columns, and back; the results may be the arguments. */
static B_NOINLINE void aes_slice(uint32_t x[4], const uint32_t w[4]) {
    const uint32_t m = 0x11111111;
    uint32_t a = w[0], b = w[1], c = w[2], d = w[3];
    for (unsigned i = 0; i < 4; i++) {
        x[i] = (a >> i & m) | (b >> i & m) << 1 | (c >> i & m) << 2 | (d >> i & m) << 3;
    }
}

/* Affine part of the S-box on four bytes: sum of five rotations and 63 [FIPS197 5.1.1].
 */
static uint32_t aes_affine(uint32_t a) {
    uint32_t r = a;
    for (unsigned i = 0; i < 4; i++) {
        a = (a & 0x7f7f7f7f) << 1 | (a >> 7 & 0x01010101);
        r ^= a;
    }
    return r ^ 0x63636363;
}

/* Four S-boxes. The inverse is what aes_unsub makes after this affine part. */
static uint32_t aes_sub(uint32_t a) {
    uint32_t x[4] = {0};
    x[0] = aes_affine(a);
    aes_slice(x, x);
    aes_unsub(x);
    aes_slice(x, x);
    a = aes_affine(x[0]);
    wipe(x, sizeof x);
    return a;
}

/* The 11 round keys [FIPS197 5.2], sliced. */
static B_NOINLINE void aes_keys(uint32_t k[AES_KEYS], const uint8_t key[16]) {
    uint32_t w[4], t, rcon = 1;
    for (unsigned c = 0; c < 4; c++) {
        w[c] = b_load32le(key + 4 * c);
    }
    aes_slice(k, w);
    for (unsigned i = 4; i < 44; i += 4) {
        t = aes_sub(b_rotr32(w[3], 8)) ^ rcon;
        rcon = rcon << 1 ^ (rcon >> 7) * 0x11b;
        for (unsigned c = 0; c < 4; c++) {
            t ^= w[c];
            w[c] = t;
        }
        aes_slice(k + i, w);
    }
    wipe(w, sizeof w);
}

static void aes_add(uint32_t x[4], const uint32_t k[4]) {
    for (unsigned i = 0; i < 4; i++) {
        x[i] ^= k[i];
    }
}

/* Inverse cipher [FIPS197 5.3] */
static B_NOINLINE void aes_decrypt(const uint32_t k[AES_KEYS], uint8_t block[16]) {
    uint32_t x[4];
    for (unsigned c = 0; c < 4; c++) {
        x[c] = b_load32le(block + 4 * c);
    }
    aes_slice(x, x);
    aes_add(x, k + 40);
    for (unsigned i = 40; i > 0;) {
        i -= 4;
        aes_unshift(x);
        aes_unsub(x);
        aes_add(x, k + i);
        if (i > 0) {
            aes_unmix(x);
        }
    }
    aes_slice(x, x);
    for (unsigned c = 0; c < 4; c++) {
        b_store32le(block + 4 * c, x[c]);
    }
    wipe(x, sizeof x);
}
#else
#define AES_KEYS 4 /* words of aes_keys */

/* Four products by x modulo x^8 + x^4 + x^3 + x + 1. */
static uint32_t aes_double(uint32_t a) {
    return (a & 0x7f7f7f7f) << 1 ^ (a >> 7 & 0x01010101) * 0x1b;
}

static uint32_t aes_multiply(uint32_t a, uint32_t b) {
    uint32_t r = 0;
    for (unsigned i = 0; i < 8; i++) {
        r ^= a & (b & 0x01010101) * 0xff;
        a = aes_double(a);
        b >>= 1;
    }
    return r;
}

/* Four squares: bit i goes to x^(2i), and x^8, x^10, x^12, x^14 are 1b, 6c, ab, 9a. */
static uint32_t aes_square(uint32_t a) {
    const uint32_t m = 0x01010101;
    return ((a & m) | (a >> 1 & m) << 2 | (a >> 2 & m) << 4 | (a >> 3 & m) << 6) ^
           (a >> 4 & m) * 0x1b ^ (a >> 5 & m) * 0x6c ^ (a >> 6 & m) * 0xab ^
           (a >> 7 & m) * 0x9a;
}

/* Four inverses, 0 for 0: a^254 by a^3, a^15, a^240. */
static uint32_t aes_invert(uint32_t a) {
    uint32_t a2 = aes_square(a);
    uint32_t a12 = aes_square(aes_square(aes_multiply(a2, a)));
    uint32_t r = aes_multiply(a12, aes_multiply(a2, a));
    for (unsigned i = 0; i < 4; i++) {
        r = aes_square(r);
    }
    return aes_multiply(aes_multiply(r, a12), a2);
}

/* Each byte rotated to the left by one. */
static uint32_t aes_turn(uint32_t a) {
    return (a & 0x7f7f7f7f) << 1 | (a >> 7 & 0x01010101);
}

/* Four S-boxes: inverse, then the sum of five rotations and 63 [FIPS197 5.1.1]. */
static uint32_t aes_sub(uint32_t a) {
    uint32_t r = aes_invert(a), t = r;
    for (unsigned i = 0; i < 4; i++) {
        t = aes_turn(t);
        r ^= t;
    }
    return r ^ 0x63636363;
}

/* Four inverse S-boxes: rotations by 1, 3, 6 and 05, then the inverse [FIPS197 5.3.2]. */
static uint32_t aes_unsub(uint32_t a) {
    uint32_t t1 = aes_turn(a);
    uint32_t t3 = aes_turn(aes_turn(t1));
    uint32_t t6 = aes_turn(aes_turn(aes_turn(t3)));
    return aes_invert(t1 ^ t3 ^ t6 ^ 0x05050505);
}

/* One column of InvMixColumns, which is MixColumns after adding 4 (a[i] + a[i+2]). */
static uint32_t aes_unmix(uint32_t a) {
    uint32_t t = aes_double(aes_double(a ^ b_rotr32(a, 16)));
    a ^= t;
    t = b_rotr32(a, 8);
    return aes_double(a ^ t) ^ t ^ b_rotr32(a, 16) ^ b_rotr32(a, 24);
}

static const uint8_t aes_rcon[10] = {1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36};

/* From one round key to the next [FIPS197 5.2]. */
static void aes_key_next(uint32_t k[4], unsigned i) {
    k[0] ^= aes_sub(b_rotr32(k[3], 8)) ^ aes_rcon[i];
    k[1] ^= k[0];
    k[2] ^= k[1];
    k[3] ^= k[2];
}

static void aes_key_back(uint32_t k[4], unsigned i) {
    k[3] ^= k[2];
    k[2] ^= k[1];
    k[1] ^= k[0];
    k[0] ^= aes_sub(b_rotr32(k[3], 8)) ^ aes_rcon[i];
}

/* Inverse cipher [FIPS197 5.3]; last is the round key of round 10. */
static B_NOINLINE void aes_decrypt(const uint32_t last[AES_KEYS], uint8_t block[16]) {
    uint32_t k[4], s[4], t[4];
    memcpy(k, last, sizeof k);
    for (unsigned c = 0; c < 4; c++) {
        s[c] = b_load32le(block + 4 * c) ^ k[c];
    }
    for (unsigned i = 10; i-- > 0;) {
        aes_key_back(k, i);
        for (unsigned c = 0; c < 4; c++) { /* row r moves r columns to the right */
            t[c] =
                aes_unsub((s[c] & 0xff) | (s[(c + 3) & 3] & 0xff00) |
                          (s[(c + 2) & 3] & 0xff0000) | (s[(c + 1) & 3] & 0xff000000)) ^
                k[c];
        }
        for (unsigned c = 0; c < 4; c++) {
            s[c] = i > 0 ? aes_unmix(t[c]) : t[c];
        }
    }
    for (unsigned c = 0; c < 4; c++) {
        b_store32le(block + 4 * c, s[c]);
    }
    wipe(k, sizeof k);
    wipe(s, sizeof s);
    wipe(t, sizeof t);
}

/* Key schedule [FIPS197 5.2], of which the last round key is kept. */
static void aes_keys(uint32_t k[AES_KEYS], const uint8_t key[16]) {
    for (unsigned c = 0; c < 4; c++) {
        k[c] = b_load32le(key + 4 * c);
    }
    for (unsigned i = 0; i < 10; i++) {
        aes_key_next(k, i);
    }
}
#endif

/* Unwraps len bytes, 24..72 and a multiple of 8, to len - 8 [RFC3394 2.2.2]. One code for
 * every failure, and out is wiped then. out may be data, or lie at data + 8. */
PICOSUIT_MUST_CHECK static B_NOINLINE int
aes128_unwrap(uint8_t *out, const uint8_t kek[16], const uint8_t *data, size_t len) {
    static const uint8_t iv[8] = {0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6};
    int st = PICOSUIT_E_CRYPTO;
    uint32_t k[AES_KEYS];
    uint8_t block[16]; /* A, then R[i] */
    if (len < 24 || len > 72 || (len & 7) != 0) {
        return st;
    }
    aes_keys(k, kek);
    len -= 8;
    memcpy(block, data, 8);
    memmove(out, data + 8, len);
    for (unsigned t = 6 * (unsigned)(len / 8), j = 0; j < 6; j++) {
        for (size_t i = len; i > 0; i -= 8, t--) { /* t is n * j + i, at most 48 */
            block[7] = (uint8_t)(block[7] ^ t);
            memcpy(block + 8, out + i - 8, 8);
            aes_decrypt(k, block);
            memcpy(out + i - 8, block + 8, 8);
        }
    }
    if (ct_equal(block, iv, 8) == 0xffffffff) {
        st = PICOSUIT_OK;
    } else {
        wipe(out, len);
    }
    wipe(k, sizeof k);
    wipe(block, sizeof block);
    return st;
}
#endif

#if PICOSUIT_EXPOSE_PRIMITIVES
int picosuit_aes128_unwrap(uint8_t *out, const uint8_t kek[16], const uint8_t *data,
                           size_t len) {
    return aes128_unwrap(out, kek, data, len);
}
#endif

/* ====================================================================================
 * 6  Field 2^255-19 (fe_)
 *
 * Two representations with the same functions. 64-bit machines: five limbs of 51 bits
 * and a 128-bit product. All others: sixteen limbs of 16 bits, for parts that multiply 32
 * by 32 to 32 bits only (Cortex-M0): every product of two limbs fits.
 * PICOSUIT_FIELD_32 = 0 or 1 forces one. Constant time. Results may be arguments too.
 * source: [RFC7748 4.1], [RFC8032 5.1]
 * uses: 1
 * ==================================================================================== */

#if PICOSUIT_FIELD_32

/* Little-endian limbs. Between functions v[15] <= 0x8001, so that the value is below
 * 2^255 + 2^241 [bound A]; products take all values below 2^256. */
typedef union {
    uint16_t v[16];
    uint32_t word; /* aligns, for the assembly */
} fe;

/* A constant of four words, the low one first, as an initialiser. */
#define FE_OF_WORD(w)                                                                    \
    (uint16_t)(w), (uint16_t)((w) >> 16), (uint16_t)((w) >> 32), (uint16_t)((w) >> 48)
#define FE_OF(w0, w1, w2, w3)                                                            \
    {                                                                                    \
        { FE_OF_WORD(w0), FE_OF_WORD(w1), FE_OF_WORD(w2), FE_OF_WORD(w3) }               \
    }

#define FE_ASM (PICOSUIT_ASM && PICOSUIT_FIELD_32)
#if FE_ASM
#if defined(__clang__)
#define FE_NAKED __attribute__((naked, noinline, used))
#else
#define FE_NAKED __attribute__((naked, noipa, used))
#endif
#define FE_UNUSED __attribute__((unused)) /* by name: they are in r0 .. r2 */
#endif

/* Unrolled, since a small part spends as long on a loop as on the limb;
 * PICOSUIT_FIELD_UNROLLED=0 has loops: 1.1 KB less of flash, where there is no assembly.
 */
#ifndef PICOSUIT_FIELD_UNROLLED
#define PICOSUIT_FIELD_UNROLLED 1
#endif
#if PICOSUIT_FIELD_UNROLLED
#define FE_15(STEP)                                                                      \
    STEP(0)                                                                              \
    STEP(1)                                                                              \
    STEP(2)                                                                              \
    STEP(3)                                                                              \
    STEP(4)                                                                              \
    STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14)
#else
#define FE_15(STEP)                                                                      \
    for (unsigned i_ = 0; i_ < 15; i_++) {                                               \
        STEP(i_)                                                                         \
    }
#endif
#define FE_OUT(limb)                                                                     \
    limb = (uint16_t)c;                                                                  \
    c >>= 16;

#if FE_ASM
/* clang-format off */
/* Shared by both: sum or difference of words 0 .. 6 of [r1] and [r2], then 19 * q in lr
 * (r0 keeps its sign), and the top word in r12 without q * 2^255. */
#define FE_WORDS(op)                                                                     \
    "mov r12, r3; movs r4, #19; muls r5, r4; mov lr, r5; ldr r0, [r1, #24]\n"            \
    "push {r0}; ldm r1, {r1, r3, r4, r5, r6, r7}; ldr r0, [r2]; " op "s r1, r0\n"
#define FE_WORDS_ON(op)                                                                  \
    "ldr r0, [r2, #4]; " op " r3, r0; ldr r0, [r2, #8]; " op " r4, r0\n"                 \
    "ldr r0, [r2, #12]; " op " r5, r0; ldr r0, [r2, #16]; " op " r6, r0\n"               \
    "ldr r0, [r2, #20]; " op " r7, r0; ldr r0, [r2, #24]; ldr r2, [sp]; " op " r2, r0\n"
#define FE_WORDS_END                                                                     \
    "add r12, r0; mov r0, lr; mov lr, r2; ldr r2, [sp, #4]; adds r1, r0\n"               \
    "rev16 r0, r0; sxtb r0, r0; adcs r3, r0; adcs r4, r0; adcs r5, r0; adcs r6, r0\n"    \
    "adcs r7, r0; stm r2!, {r1, r3, r4, r5, r6, r7}; mov r1, lr; adcs r1, r0\n"          \
    "mov r3, r12; adcs r3, r0; stm r2!, {r1, r3}; add sp, #8; pop {r4, r5, r6, r7, pc}\n"

/* As the C twin. q = 0 .. 2 is what the top words have above bit 31. */
FE_NAKED static void fe_add(FE_UNUSED fe *r, FE_UNUSED const fe *a,
                            FE_UNUSED const fe *b) {
    __asm__(".syntax unified\n"
            "push {r0, r4, r5, r6, r7, lr}; ldr r3, [r1, #28]; ldr r4, [r2, #28]\n"
            "movs r5, #0; adds r3, r4; adcs r5, r5; lsls r3, r3, #1; adcs r5, r5\n"
            "lsrs r3, r3, #1\n" FE_WORDS("add") FE_WORDS_ON("adcs")
            "movs r0, #0; adcs r0, r0\n" FE_WORDS_END);
}

/* q = -2 .. 1 leaves a top word of 2 .. 2^31 + 1, so that neither the borrow into it nor
 * 19 q makes the result negative. */
FE_NAKED static void fe_sub(FE_UNUSED fe *r, FE_UNUSED const fe *a,
                            FE_UNUSED const fe *b) {
    __asm__(".syntax unified\n"
            "push {r0, r4, r5, r6, r7, lr}; ldr r3, [r1, #28]; ldr r4, [r2, #28]\n"
            "movs r6, #0; subs r3, r4; sbcs r5, r5; subs r3, #2; sbcs r5, r6\n"
            "lsls r3, r3, #1; adcs r5, r5; lsrs r3, r3, #1; adds r3, #2\n"
            FE_WORDS("sub") FE_WORDS_ON("sbcs") "sbcs r0, r0\n" FE_WORDS_END);
}
/* clang-format on */
#else
/* The top limb of a sum is known but for the carry into it. So what is above bit 255 is
 * taken from it first and comes back as 19 times that much at the bottom, and one pass is
 * enough: carries of at most 2 then leave v[15] <= 0x8001. */
#define FE_ADD(i)                                                                        \
    c += (uint32_t)a->v[i] + b->v[i];                                                    \
    FE_OUT(r->v[i])

static void fe_add(fe *r, const fe *a, const fe *b) {
    uint32_t top = (uint32_t)a->v[15] + b->v[15];
    uint32_t c = 19 * (top >> 15);
    FE_15(FE_ADD)
    r->v[15] = (uint16_t)((top & 0x7fff) + c);
}

/* a - b + 2^257, each limb with a bias of 0x1fffe to stay positive: they make 2^257 - 2.
 * 2^257 is 4 * 19 too much; c starts at -36 or more, which the bias of limb 0 covers,
 * since top >= 0x1fffe - 0x8001 holds 2^255 twice at least. */
#define FE_SUB(i)                                                                        \
    c += (uint32_t)a->v[i] + 0x1fffe - b->v[i];                                          \
    FE_OUT(r->v[i])

static void fe_sub(fe *r, const fe *a, const fe *b) {
    uint32_t top = (uint32_t)a->v[15] + 0x1fffe - b->v[15];
    uint32_t c = 19 * (top >> 15) + 2 - 76;
    FE_15(FE_SUB)
    r->v[15] = (uint16_t)((top & 0x7fff) + c);
}
/* r = z + c * 2^256, c < 2^22, brought below bound A: afterwards v[15] <= 0x8000. */
#define FE_FOLD(i)                                                                       \
    c += z[i];                                                                           \
    FE_OUT(r->v[i])

static void fe_fold(fe *r, const uint16_t z[16], uint32_t c) {
    uint32_t top = z[15];
    c = 19 * (c << 1 | top >> 15);
    FE_15(FE_FOLD)
    r->v[15] = (uint16_t)((top & 0x7fff) + c);
}
#endif

#if FE_ASM
/* clang-format off */
/* Thumb-1 has a 32-bit product only, of which one operand is lost, and eight registers
 * that it can compute with. What helps: MULS, moves, loads and UXTH leave the carry
 * alone. So products of 16 by 16 bits whose places differ by 32 bits make a row that one
 * chain of ADCS adds; rows at odd places (16 bits higher) are gathered apart and shifted
 * once. A product of 64 bits takes 16 such products; one of 128 bits three of those, and
 * one of 256 bits three of these (Karatsuba). Arguments may be any number below 2^256;
 * results keep bound A. No branch and no address depends on data.
 *
 * The frame of fe_mul and fe_sq, which fe_close ends, in bytes from sp:
 *    0  scratch: differences
 *   32  low product, 64 high product: together the 16 words of the result
 *   96  product of the differences
 *  128  address of r, 132 of a, 136 of b, later the sign of the product at 96 */
#define FE_ENTER                                                                         \
    ".syntax unified\n"                                                                  \
    "push {r4, r5, r6, r7, lr}; mov r4, r8; mov r5, r9; mov r6, r10; mov r7, r11\n"      \
    "push {r4, r5, r6, r7}; push {r0, r1, r2}; sub sp, #128\n"

/* |low - high| of the four-word halves at r1 to r5!; r7 = all ones if negative. */
#define FE_DIFF                                                                          \
    "ldm r1!, {r2, r3, r4}; ldm r1!, {r5}\n"                                             \
    "ldr r6, [r1]; subs r2, r6; ldr r6, [r1, #4]; sbcs r3, r6\n"                         \
    "ldr r6, [r1, #8]; sbcs r4, r6; ldr r6, [r1, #12]; sbcs r5, r6; sbcs r7, r7\n"       \
    "eors r2, r7; eors r3, r7; eors r4, r7; eors r5, r7\n"                               \
    "subs r2, r7; sbcs r3, r7; sbcs r4, r7; sbcs r5, r7\n"

#define FE_ADD_AT(op, w, at) "ldr r5, [" at "]; " op " " w ", r5\n"
#define FE_SIGNED_AT(op, w, at) "ldr r5, [" at "]; eors r5, r7; " op " " w ", r5\n"

/* r2 + 38 * r4 + r3 -> r3, above it r2; r6 = 0, r7 = 38. 38 * 2^16 + r2 < 2^22. */
#define FE_TIMES_38                                                                      \
    "lsrs r5, r4, #16; muls r5, r7; uxth r4, r4; muls r4, r7; adds r4, r2\n"             \
    "lsrs r2, r5, #16; lsls r5, r5, #16; adds r3, r4; adcs r2, r6; adds r3, r5\n"        \
    "adcs r2, r6\n"
#define FE_WORD_38(above) above "; ldm r0!, {r3}\n" FE_TIMES_38 "stm r1!, {r3}\n"

/* With l, h, m the products at 32, 64, 96 and w = l[4..7] + h[0..3]: the words of the
 * product are l[0..3], w + l[0..3] + m[0..3], w + h[4..7] + m[4..7], h[4..7], where m has
 * its sign. Then 2^256 = 38; the top word is known but for the carry into it, so what is
 * above bit 255 goes in at the bottom at once, as in fe_add. */
FE_NAKED static void fe_close(void) {
    __asm__(".syntax unified\n"
            "add r0, sp, #48; ldm r0!, {r1, r2, r3, r4}; ldm r0!, {r5, r6, r7}\n"
            "adds r1, r5; adcs r2, r6; adcs r3, r7; ldm r0!, {r5}; adcs r4, r5\n" /* w */
            "movs r6, #0; adcs r6, r6; mov lr, r6\n" /* its carry, twice */
            "mov r8, r1; mov r9, r2; mov r10, r3; mov r11, r4\n"
            FE_ADD_AT("adds", "r1", "sp, #32") FE_ADD_AT("adcs", "r2", "sp, #36")
            FE_ADD_AT("adcs", "r3", "sp, #40") FE_ADD_AT("adcs", "r4", "sp, #44")
            "movs r6, #0; adcs r6, r6\n"
            "ldr r7, [sp, #136]; lsrs r5, r7, #1\n" /* 1 if -m */
            FE_SIGNED_AT("adcs", "r1", "sp, #96") FE_SIGNED_AT("adcs", "r2", "sp, #100")
            FE_SIGNED_AT("adcs", "r3", "sp, #104") FE_SIGNED_AT("adcs", "r4", "sp, #108")
            "movs r5, #0; adcs r5, r5\n" /* two carries, in r6 and r5 */
            "str r1, [sp, #48]; str r2, [sp, #52]; str r3, [sp, #56]; str r4, [sp, #60]\n"
            "mov r1, r8; mov r2, r9; mov r3, r10; mov r4, r11; lsrs r6, r6, #1\n"
            "ldm r0!, {r6}; adcs r1, r6; ldm r0!, {r6}; adcs r2, r6\n"
            "ldm r0!, {r6}; adcs r3, r6; ldm r0!, {r6}; adcs r4, r6\n"
            "movs r6, #0; adcs r6, r6; lsrs r5, r5, #1\n"
            FE_SIGNED_AT("adcs", "r1", "sp, #112") FE_SIGNED_AT("adcs", "r2", "sp, #116")
            FE_SIGNED_AT("adcs", "r3", "sp, #120") FE_SIGNED_AT("adcs", "r4", "sp, #124")
            "mov r5, lr; adcs r6, r5; adds r6, r7\n" /* -1 .. 3 */
            "mov r8, r1; mov r9, r2; mov r10, r3; mov r11, r4\n"
            "subs r0, #16; ldm r0!, {r1, r2, r3, r4}; asrs r5, r6, #31\n"
            "adds r1, r6; adcs r2, r5; adcs r3, r5; adcs r4, r5\n"
            "subs r0, #16; stm r0!, {r1, r2, r3}\n"
            "movs r6, #0; movs r7, #38; movs r2, #0; ldr r3, [sp, #60]\n"
            FE_TIMES_38
            "lsls r3, r3, #1; adcs r2, r2; lsrs r3, r3, #1; mov r12, r3\n"
            "movs r3, #19; muls r2, r3; mov r3, lr; muls r3, r7; adds r2, r3\n"
            "add r0, sp, #32; ldr r1, [sp, #128]\n"
            FE_WORD_38("mov r4, r8") FE_WORD_38("mov r4, r9") FE_WORD_38("mov r4, r10")
            FE_WORD_38("mov r4, r11") FE_WORD_38("ldr r4, [r0, #32]")
            FE_WORD_38("ldr r4, [r0, #32]") FE_WORD_38("ldr r4, [r0, #32]")
            "mov r3, r12; adds r3, r2; str r3, [r1]\n"
            "add sp, #140; pop {r4, r5, r6, r7}; mov r8, r4; mov r9, r5; mov r10, r6\n"
            "mov r11, r7; pop {r4, r5, r6, r7, pc}");
}

/* r3 .. r6 = (r2 : r0) * (r5 : r3), 16 products of halves: those at odd places make a sum
 * of four words, which is shifted, then those at even places come to it. Halves a0 .. a2
 * are in r0 .. r2, a3 in r12, b0 .. b3 in r8 .. r11. A product and two carries are below
 * 2^32. */
#define FE_MAC(op, w, b, a) "mov r7, " b "; muls r7, " a "; " op " " w ", r7\n"
#define FE_MAC_LAST(op, w, b, a) "mov r7, " b "; muls " a ", r7; " op " " w ", " a "\n"
#define FE_SHIFT(w, below)                                                               \
    "lsls " w ", " w ", #16; lsrs r7, " below ", #16; orrs " w ", r7\n"
#define FE_PRODUCT_64                                                                    \
    "lsrs r1, r0, #16; uxth r0, r0; lsrs r6, r2, #16; uxth r2, r2; mov r12, r6\n"        \
    "uxth r7, r3; mov r8, r7; lsrs r3, r3, #16; mov r9, r3\n"                            \
    "uxth r4, r5; mov r10, r4; lsrs r5, r5, #16; mov r11, r5\n"                          \
    "muls r3, r0; muls r7, r1; adds r3, r7; muls r4, r1\n"                               \
    FE_MAC("adcs", "r4", "r11", "r0") "muls r5, r2; movs r7, #0; adcs r5, r7\n"          \
    FE_MAC("adds", "r4", "r9", "r2") "movs r7, #0; adcs r5, r7\n"                        \
    FE_MAC("adds", "r4", "r8", "r6") FE_MAC_LAST("adcs", "r5", "r10", "r6")              \
    "movs r6, #0; adcs r6, r6\n"                                                         \
    FE_SHIFT("r6", "r5") FE_SHIFT("r5", "r4") FE_SHIFT("r4", "r3") "lsls r3, r3, #16\n"  \
    FE_MAC("adds", "r3", "r8", "r0") FE_MAC_LAST("adcs", "r4", "r10", "r0")              \
    "mov r7, r11; mov r0, r12; muls r0, r7; muls r7, r1; adcs r5, r7; adcs r6, r0\n"     \
    "mov r7, r9; mov r0, r12; muls r0, r7; muls r1, r7; adds r4, r1; adcs r5, r0\n"      \
    "movs r0, #0; adcs r6, r0\n"                                                         \
    FE_MAC("adds", "r4", "r8", "r2") FE_MAC_LAST("adcs", "r5", "r10", "r2")              \
    "adcs r6, r0\n"

/* |a - b| in a, all ones in b1 if negative. */
#define FE_DIFF_64(a0, a1, b0, b1)                                                       \
    "subs " a0 ", " b0 "; sbcs " a1 ", " b1 "; sbcs " b1 ", " b1 "\n"                    \
    "eors " a0 ", " b1 "; eors " a1 ", " b1 "; subs " a0 ", " b1 "; sbcs " a1 ", " b1 "\n"
/* Adds r1, r2 twice and the carry to r7. */
#define FE_ADD_TWICE                                                                     \
    "ldm r0!, {r1, r2}; adds r3, r1; adcs r4, r2; adcs r5, r1; adcs r6, r2\n"            \
    "movs r1, #0; adcs r7, r1\n"

/* Eight words at r5 = four words at r7 * four words at r6, which are elsewhere: low and
 * high product, then that of the differences with its sign, as in fe_close. */
#define FE_PRODUCT_128                                                                   \
    "push {r5, r6, r7, lr}; ldm r7!, {r0, r2}; ldm r6!, {r3, r5}\n" FE_PRODUCT_64        \
    "ldr r0, [sp]; stm r0!, {r3, r4, r5, r6}\n"                                          \
    "ldr r7, [sp, #8]; ldr r0, [r7, #8]; ldr r2, [r7, #12]\n"                            \
    "ldr r7, [sp, #4]; ldr r3, [r7, #8]; ldr r5, [r7, #12]\n" FE_PRODUCT_64              \
    "ldr r0, [sp]; adds r0, #16; stm r0!, {r3, r4, r5, r6}\n"                            \
    "ldr r7, [sp, #8]; ldm r7!, {r0, r2, r3, r4}\n" FE_DIFF_64("r0", "r2", "r3", "r4")   \
    "mvns r4, r4; mov lr, r4; ldr r7, [sp, #4]; ldm r7, {r3, r5, r6, r7}\n"              \
    FE_DIFF_64("r3", "r5", "r6", "r7") "mov r6, lr; eors r7, r6; mov lr, r7\n"           \
    FE_PRODUCT_64                                                                        \
    "mov r7, lr; eors r3, r7; eors r4, r7; eors r5, r7; eors r6, r7\n"                   \
    "ldr r0, [sp]; lsrs r1, r7, #1; ldm r0!, {r1, r2}; adcs r3, r1; adcs r4, r2\n"       \
    "ldr r1, [r0, #16]; ldr r2, [r0, #20]; adcs r5, r1; adcs r6, r2\n"                   \
    "movs r1, #0; adcs r7, r1\n"                                                         \
    FE_ADD_TWICE FE_ADD_TWICE                                                            \
    "ldm r0!, {r1, r2}; adds r1, r7; movs r7, #0; adcs r2, r7\n"                         \
    "subs r0, #24; stm r0!, {r3, r4, r5, r6}; stm r0!, {r1, r2}; add sp, #12; pop {pc}\n"

/* r = a * b */
FE_NAKED static void fe_mul(FE_UNUSED fe *r, FE_UNUSED const fe *a,
                            FE_UNUSED const fe *b) {
    __asm__(FE_ENTER
            "mov r7, r1; mov r6, r2; add r5, sp, #32; bl 1f\n"
            "ldr r7, [sp, #132]; ldr r6, [sp, #136]; adds r7, #16; adds r6, #16\n"
            "add r5, sp, #64; bl 1f\n"
            "ldr r1, [sp, #132]\n" FE_DIFF
            "mov r0, sp; stm r0!, {r2, r3, r4, r5}; mov r8, r7\n"
            "ldr r1, [sp, #136]\n" FE_DIFF
            "stm r0!, {r2, r3, r4, r5}; mov r6, r8; eors r7, r6; mvns r7, r7\n"
            "str r7, [sp, #136]\n" /* - (a low - a high) (b low - b high) */
            "mov r7, sp; add r6, sp, #16; add r5, sp, #96; bl 1f\n"
            "bl fe_close\n"
            "1:" FE_PRODUCT_128);
}

/* r1 : r0 squared to r9, r3, r4, r5: a^2 + 2^64 b^2 + 2^33 a b, products of halves. */
#define FE_SQUARE_64                                                                     \
    "uxth r2, r0; lsrs r3, r0, #16; mov r4, r2; muls r4, r3; muls r2, r2\n"              \
    "muls r3, r3; lsls r5, r4, #17; lsrs r4, r4, #15; adds r2, r5; adcs r3, r4\n"        \
    "uxth r4, r1; lsrs r5, r1, #16; mov r6, r4; muls r6, r5; muls r4, r4\n"              \
    "muls r5, r5; lsls r7, r6, #17; lsrs r6, r6, #15; adds r4, r7; adcs r5, r6\n"        \
    "mov r9, r2; uxth r6, r0; lsrs r0, r0, #16; lsrs r7, r1, #16; uxth r1, r1\n"         \
    "mov r2, r6; muls r6, r1; muls r1, r0; muls r0, r7; muls r7, r2\n"                   \
    "lsls r2, r1, #16; lsrs r1, r1, #16; adds r6, r2; adcs r0, r1\n"                     \
    "lsls r2, r7, #16; lsrs r7, r7, #16; adds r6, r2; adcs r0, r7\n"                     \
    "movs r2, #0; adds r3, r6; adcs r4, r0; adcs r5, r2; adds r3, r6; adcs r4, r0\n"     \
    "adcs r5, r2\n"

/* Eight words at r5 = square of the four words at r7: twice the product of the halves, to
 * lr : r12 : r11 : r10 : r8, then it comes to the squares of the halves. */
#define FE_SQUARE_128                                                                    \
    "push {r5, r7, lr}; ldm r7!, {r0, r2, r3, r5}\n" FE_PRODUCT_64                       \
    "adds r3, r3; adcs r4, r4; adcs r5, r5; adcs r6, r6; movs r7, #0; adcs r7, r7\n"     \
    "mov r8, r3; mov r10, r4; mov r11, r5; mov r12, r6; mov lr, r7\n"                    \
    "ldr r7, [sp, #4]; ldm r7!, {r0, r1}\n" FE_SQUARE_64                                 \
    "mov r2, r9; mov r6, r8; adds r4, r6; mov r6, r10; adcs r5, r6\n"                    \
    "movs r6, #0; adcs r6, r6; mov r8, r6; ldr r0, [sp]; stm r0!, {r2, r3, r4, r5}\n"    \
    "ldr r7, [sp, #4]; ldr r0, [r7, #8]; ldr r1, [r7, #12]\n" FE_SQUARE_64               \
    "mov r2, r9; mov r6, r8; lsrs r6, r6, #1; mov r6, r11; adcs r2, r6; mov r6, r12\n"   \
    "adcs r3, r6; mov r6, lr; adcs r4, r6; movs r6, #0; adcs r5, r6\n"                   \
    "ldr r0, [sp]; adds r0, #16; stm r0!, {r2, r3, r4, r5}; add sp, #8; pop {pc}\n"

/* r = a * a; the product of the differences has a minus always. */
FE_NAKED static void fe_sq(FE_UNUSED fe *r, FE_UNUSED const fe *a) {
    __asm__(FE_ENTER
            "mov r7, r1; add r5, sp, #32; bl 1f\n"
            "ldr r7, [sp, #132]; adds r7, #16; add r5, sp, #64; bl 1f\n"
            "ldr r1, [sp, #132]\n" FE_DIFF
            "mov r0, sp; mov r7, sp; stm r0!, {r2, r3, r4, r5}; add r5, sp, #96; bl 1f\n"
            "movs r0, #0; mvns r0, r0; str r0, [sp, #136]\n"
            "bl fe_close\n"
            "1:" FE_SQUARE_128);
}
/* clang-format on */
#else /* C twins */

/* z = x * y, row by row, as by hand: x * y + limb + carry is at most 2^32 - 1 if all are
 * 16 bits. A function of its own: where z might be y, compilers do not fetch all of y
 * ahead of the loop, only to spill it. */
#define FE_ZERO(j) z[j] = 0;
#define FE_ROW(j)                                                                        \
    c += limb * y[j] + z[j];                                                             \
    FE_OUT(z[j])

static B_NOINLINE void fe_product(uint16_t z[32], const uint16_t *x, const uint16_t *y) {
    FE_15(FE_ZERO)
    FE_ZERO(15)
    for (unsigned i = 0; i < 16; i++, z++) {
        uint32_t c = 0, limb = x[i];
        FE_15(FE_ROW)
        FE_ROW(15)
        z[16] = (uint16_t)c;
    }
}

/* The same for x = y. The products of different limbs occur twice: row i starts at limb
 * i + 1, and fe_sq doubles. */
#define FE_ROW_FROM(i)                                                                   \
    case i:                                                                              \
        FE_ROW((i) + 1) B_FALLTHROUGH;

static B_NOINLINE void fe_product_half(uint16_t z[32], const uint16_t *y) {
    FE_15(FE_ZERO)
    FE_ZERO(15)
    FE_ZERO(31)
    for (unsigned i = 0; i < 15; i++, z++) {
        uint32_t c = 0, limb = y[i];
#if PICOSUIT_FIELD_UNROLLED
        switch (i) {
            FE_15(FE_ROW_FROM)
        default: break;
        }
#else
        for (unsigned j = i + 1; j < 16; j++) {
            FE_ROW(j)
        }
#endif
        z[16] = (uint16_t)c;
    }
}

/* r = z mod p with 2^256 = 38; c stays below 2^22. */
#define FE_REDUCE(i)                                                                     \
    c += z[i] + 38 * (uint32_t)z[(i) + 16];                                              \
    FE_OUT(z[i])

static B_NOINLINE void fe_reduce(fe *r, uint16_t z[32]) {
    uint32_t c = 0;
    FE_15(FE_REDUCE)
    FE_REDUCE(15)
    fe_fold(r, z, c);
}

static void fe_mul(fe *r, const fe *a, const fe *b) {
    uint16_t z[32];
    fe_product(z, a->v, b->v);
    fe_reduce(r, z);
}

/* Twice the sum of fe_product_half, plus the squares of the limbs, two of them and so
 * four limbs of the product at a time; reduced as in fe_reduce. */
static B_NOINLINE void fe_reduce_half(fe *r, uint16_t z[32], const uint16_t *y) {
    uint32_t c = 0;
    for (unsigned i = 0; i < 16; i += 2, y++) {
        uint32_t high = (uint32_t)y[8] * y[8];
        uint32_t low = (uint32_t)y[0] * y[0];
        uint32_t next = 38 * (2u * z[i + 17] + (high >> 16)) + (low >> 16);
        c += 38 * (2u * z[i + 16] + (high & 0xffff)) + (low & 0xffff);
        c += 2u * z[i];
        FE_OUT(z[i])
        c += 2u * z[i + 1] + next;
        FE_OUT(z[i + 1])
    }
    fe_fold(r, z, c);
}

static void fe_sq(fe *r, const fe *a) {
    uint16_t z[32];
    fe_product_half(z, a->v);
    fe_reduce_half(r, z, a->v);
}
#endif

/* 32 bytes, little-endian; bit 255 is ignored. */
static void fe_load(fe *r, const uint8_t b[32]) {
    for (unsigned i = 0; i < 16; i++) {
        r->v[i] = (uint16_t)(b[2 * i] | b[2 * i + 1] << 8);
    }
    r->v[15] &= 0x7fff;
}

/* The canonical 32 bytes. By bound A the value is below 2p, and it is p or more exactly
 * if value + 19 reaches 2^255; adding 19 then and dropping bit 255 subtracts p. */
static void fe_store(uint8_t b[32], const fe *a) {
    uint32_t c = 19;
    for (unsigned i = 0; i < 15; i++) {
        c = (c + a->v[i]) >> 16;
    }
    c = 19 * ((c + a->v[15]) >> 15);
    for (unsigned i = 0; i < 16; i++) {
        c += a->v[i];
        b[2 * i] = (uint8_t)c;
        b[2 * i + 1] = (uint8_t)(c >> 8);
        c >>= 16;
    }
    b[31] &= 0x7f;
}

static void fe_small(fe *r, unsigned x) { /* x < 2^16 */
    memset(r, 0, sizeof *r);
    r->v[0] = (uint16_t)x;
}

#if B_WITH_CIPHERS
#if FE_ASM
/* clang-format off */
/* Word r3 times 121665 = 2^16 + 0xdb41 (r6) plus r2: word r3, above it r2 < 2^17 - 2^13.
 * 0xdb41 * 0xffff leaves room for r2, at first 19 * 2^18, and for a half of the word. */
#define FE_TIMES_A24                                                                     \
    "lsrs r4, r3, #16; uxth r3, r3; movs r5, r4; muls r5, r6; adds r5, r3\n"             \
    "muls r3, r6; adds r3, r2; lsrs r2, r5, #16; lsls r5, r5, #16; adds r3, r5\n"        \
    "adcs r2, r4\n"

/* a * 121665; the top word first, as in fe_close. */
FE_NAKED static void fe_mul_a24(FE_UNUSED fe *r, FE_UNUSED const fe *a) {
    __asm__(".syntax unified\n"
            "push {r4, r5, r6, r7, lr}; movs r6, #0xdb; lsls r6, r6, #8; adds r6, #0x41\n"
            "ldr r3, [r1, #28]; movs r2, #0\n" FE_TIMES_A24
            "lsls r3, r3, #1; adcs r2, r2; lsrs r7, r3, #1; movs r3, #19; muls r2, r3\n"
            "mov lr, r1; movs r3, #28; add lr, r3\n"
            "1: ldm r1!, {r3}\n" FE_TIMES_A24 "stm r0!, {r3}; cmp r1, lr; bne 1b\n"
            "adds r7, r2; str r7, [r0]; pop {r4, r5, r6, r7, pc}");
}

FE_NAKED static void fe_select(FE_UNUSED fe *r, FE_UNUSED const fe *a,
                               FE_UNUSED uint32_t mask) {
    __asm__(".syntax unified\n"
            "push {r4, r5, r6, lr}; mov lr, r0; movs r3, #32; add lr, r3\n"
            "1: ldr r3, [r0]; ldr r4, [r0, #4]; ldm r1!, {r5, r6}; eors r5, r3\n"
            "eors r6, r4; ands r5, r2; ands r6, r2; eors r5, r3; eors r6, r4\n"
            "stm r0!, {r5, r6}; cmp r0, lr; bne 1b; pop {r4, r5, r6, pc}");
}
/* clang-format on */
#else
/* a * 121665, which is 2^16 + 56129: one product and the limb below. c stays below 2^17,
 * and 56129 * (2^16 - 1) + 2^16 + 2^17 < 2^32. */
static void fe_mul_a24(fe *r, const fe *a) {
    uint32_t c = 0, below = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint32_t limb = a->v[i];
        c += 56129 * limb + below;
        below = limb;
        FE_OUT(r->v[i])
    }
    fe_fold(r, r->v, c + below);
}

/* r = a if mask is all ones. */
static B_NOINLINE void fe_select(fe *r, const fe *a, uint32_t mask) {
    for (unsigned i = 0; i < 16; i++) {
        r->v[i] ^= (uint16_t)(mask & (uint32_t)(a->v[i] ^ r->v[i]));
    }
}
#endif
#endif

#else /* 64 bits */

#define FE_MASK 0x7ffffffffffffu

/* Limb i counts 2^(51 i). Between functions all are below 2^51 + 2^13 [bound A]. */
typedef struct {
    uint64_t v[5];
} fe;

/* A constant of four words, the low one first, as an initialiser. */
#define FE_OF_BITS(w, v, n)                                                              \
    (((uint64_t)(w) >> (n) | (uint64_t)(v) << (64 - (n))) & FE_MASK)
#define FE_OF(w0, w1, w2, w3)                                                            \
    {                                                                                    \
        {                                                                                \
            (w0) & FE_MASK, FE_OF_BITS(w0, w1, 51), FE_OF_BITS(w1, w2, 38),              \
                FE_OF_BITS(w2, w3, 25), (w3) >> 12                                       \
        }                                                                                \
    }

/* What limbs have above bit 51 goes one limb up, from the top one 19 times to the bottom.
 * If all were below 2^59, bound A holds. */
static void fe_carry(fe *r, uint64_t v0, uint64_t v1, uint64_t v2, uint64_t v3,
                     uint64_t v4) {
    r->v[0] = (v0 & FE_MASK) + 19 * (v4 >> 51);
    r->v[1] = (v1 & FE_MASK) + (v0 >> 51);
    r->v[2] = (v2 & FE_MASK) + (v1 >> 51);
    r->v[3] = (v3 & FE_MASK) + (v2 >> 51);
    r->v[4] = (v4 & FE_MASK) + (v3 >> 51);
}

static void fe_add(fe *r, const fe *a, const fe *b) {
    const uint64_t *x = a->v, *y = b->v;
    fe_carry(r, x[0] + y[0], x[1] + y[1], x[2] + y[2], x[3] + y[3], x[4] + y[4]);
}

/* a - b + 4p, limb by limb. */
static void fe_sub(fe *r, const fe *a, const fe *b) {
    const uint64_t *x = a->v, *y = b->v, p = 4 * FE_MASK;
    fe_carry(r, x[0] + p - 72 - y[0], x[1] + p - y[1], x[2] + p - y[2], x[3] + p - y[3],
             x[4] + p - y[4]);
}

/* The five columns of a product, each below 77 * 2^103 < 2^110, the top one, in which
 * nothing counts 19 times, below 5 * 2^103: so what goes up is below 2^59. */
#define FE_LOW(z) ((uint64_t)(z)&FE_MASK)
#define FE_HIGH(z) ((uint64_t)((z) >> 64) << 13 | (uint64_t)(z) >> 51)

static inline void fe_reduce(fe *r, b_wide z0, b_wide z1, b_wide z2, b_wide z3,
                             b_wide z4) {
    fe_carry(r, FE_LOW(z0) + 19 * FE_HIGH(z4), FE_LOW(z1) + FE_HIGH(z0),
             FE_LOW(z2) + FE_HIGH(z1), FE_LOW(z3) + FE_HIGH(z2),
             FE_LOW(z4) + FE_HIGH(z3));
}

/* 2^255 = 19: what is above limb 4 counts 19 times. */
#define FE_X(i, y) ((b_wide)x[i] * (y))

static void fe_mul(fe *r, const fe *a, const fe *b) {
    const uint64_t *x = a->v, *y = b->v;
    uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
    fe_reduce(r, FE_X(0, y[0]) + FE_X(1, y4) + FE_X(2, y3) + FE_X(3, y2) + FE_X(4, y1),
              FE_X(0, y[1]) + FE_X(1, y[0]) + FE_X(2, y4) + FE_X(3, y3) + FE_X(4, y2),
              FE_X(0, y[2]) + FE_X(1, y[1]) + FE_X(2, y[0]) + FE_X(3, y4) + FE_X(4, y3),
              FE_X(0, y[3]) + FE_X(1, y[2]) + FE_X(2, y[1]) + FE_X(3, y[0]) + FE_X(4, y4),
              FE_X(0, y[4]) + FE_X(1, y[3]) + FE_X(2, y[2]) + FE_X(3, y[1]) +
                  FE_X(4, y[0]));
}

static void fe_sq(fe *r, const fe *a) {
    const uint64_t *x = a->v;
    uint64_t d0 = 2 * x[0], d1 = 2 * x[1], x3 = 19 * x[3], x4 = 19 * x[4];
    fe_reduce(r, FE_X(0, x[0]) + FE_X(1, 2 * x4) + FE_X(2, 2 * x3),
              FE_X(1, d0) + FE_X(2, 2 * x4) + FE_X(3, x3),
              FE_X(2, d0) + FE_X(1, x[1]) + FE_X(3, 2 * x4),
              FE_X(3, d0) + FE_X(2, d1) + FE_X(4, x4),
              FE_X(4, d0) + FE_X(3, d1) + FE_X(2, x[2]));
}

static void fe_load(fe *r, const uint8_t b[32]) {
    const uint64_t w0 = b_load64le(b), w1 = b_load64le(b + 8), w2 = b_load64le(b + 16);
    const uint64_t w3 = b_load64le(b + 24) & 0x7fffffffffffffff;
    const fe t = FE_OF(w0, w1, w2, w3);
    *r = t;
}

/* The canonical 32 bytes: value + 19 reaches 2^255 exactly if the value is p or more; by
 * bound A it is below 2p. */
static void fe_store(uint8_t b[32], const fe *a) {
    uint64_t c = 19, x = 0;
    unsigned bits = 0;
    for (unsigned i = 0; i < 5; i++) {
        c = (c + a->v[i]) >> 51;
    }
    c *= 19;
    for (unsigned i = 0, j = 0; i < 5; i++) {
        c += a->v[i];
        x |= (c & FE_MASK) << bits; /* bits <= 7 */
        c >>= 51;
        for (bits += 51; bits >= 8; bits -= 8) {
            b[j++] = (uint8_t)x;
            x >>= 8;
        }
    }
    b[31] = (uint8_t)x;
}

static void fe_small(fe *r, unsigned x) {
    memset(r, 0, sizeof *r);
    r->v[0] = x;
}

#if B_WITH_CIPHERS
static void fe_mul_a24(fe *r, const fe *a) {
    const uint64_t *x = a->v, y = 121665;
    fe_reduce(r, FE_X(0, y), FE_X(1, y), FE_X(2, y), FE_X(3, y), FE_X(4, y));
}

static void fe_select(fe *r, const fe *a, uint32_t mask) {
    for (unsigned i = 0; i < 5; i++) {
        r->v[i] ^= (0 - (uint64_t)(mask & 1)) & (a->v[i] ^ r->v[i]);
    }
}
#endif

#endif /* 64 bits */

/* The following do not know the representation. */

/* All ones if a = 0 mod p. */
static uint32_t fe_is_zero(const fe *a) {
    static const uint8_t zero[32] = {0};
    uint8_t b[32];
    fe_store(b, a);
    return ct_equal(b, zero, sizeof b);
}

/* n squarings. */
static void fe_sq_times(fe *r, const fe *a, unsigned n) {
    fe_sq(r, a);
    while (--n > 0) {
        fe_sq(r, r);
    }
}

/* z^(2^252 - 3), which is (p - 5) / 8. By e(2 n) = e(n) 2^n + e(n) and e(n + 1) = 2 e(n)
 * + 1 the exponent of a is e(n) = 2^n - 1, n = 1 .. 250. Neither r nor a is z. */
static void fe_pow252(fe *r, const fe *z, fe *a) {
    *a = *z;
    for (unsigned n = 1; n < 250;) {
        fe_sq_times(r, a, n);
        fe_mul(a, r, a);
        n *= 2;
        if (n != 62 && n != 250) { /* 250 = 11111010 in base 2 */
            fe_sq(a, a);
            fe_mul(a, a, z);
            n++;
        }
    }
    fe_sq_times(r, a, 2);
    fe_mul(r, r, z); /* 2^252 - 4 + 1 */
}

#if B_WITH_CIPHERS
#if FE_ASM
/* Two numbers of 17 limbs of 15 bits, |x| <= p; [0] is scratch, [17] counts from -2^15.
 */
typedef struct {
    int16_t a[18];
    int16_t b[18];
} fe_pair;

/* clang-format off */
/* k = c / 19 modulo 2^15, for a sum c of lowest limbs: 2^15 divides c + k p. */
#define FE_PAIR_K(c, at)                                                                 \
    "ldr r6, 3f; muls r6, " c "; lsls r6, r6, #17; lsrs r6, r6, #17\n"                   \
    "str r6, [sp, #" at "]; movs r4, #19; muls r4, r6; subs " c ", r4\n"
#define FE_PAIR_LIMB(c, at)                                                              \
    "lsls r6, " c ", #17; lsrs r6, r6, #17; asrs " c ", " c ", #15\n"                    \
    "strh r6, [r0, #" at "]\n"
/* The top limb, c - m0 - m1 + k + 2^15, below 2^16 + 2^15. p is taken off where that is
 * 2^16 or, with r2 = 1, where the number might be p. */
#define FE_PAIR_TOP(c, k, m0, m1, at, low)                                               \
    "ldr r4, [sp, #" k "]; adds " c ", r4; ldr r4, [sp, #" m0 "]; subs " c ", r4\n"      \
    "ldr r4, [sp, #" m1 "]; subs " c ", r4; adds " c ", r5\n"                            \
    "adds r4, " c ", r2; lsrs r4, r4, #16; lsls r6, r4, #15; subs " c ", r6\n"           \
    "strh " c ", [r0, #" at "]; movs r6, #19; muls r6, r4\n"                             \
    "ldrh r4, [r7, #" low "]; adds r4, r6; strh r4, [r7, #" low "]\n"

/* 2^15 (a, b) becomes (u a + v b, q a + r b), where m holds u, v, q, r and |u| + |v| and
 * |q| + |r| are 2^15 at most: exactly, if 2^15 divides that, else modulo p. With is_mod,
 * |a| and |b| stay below p; without, a = p is kept. */
FE_NAKED static void fe_pair_step(FE_UNUSED fe_pair *p, FE_UNUSED const int32_t m[4],
                                  FE_UNUSED uint32_t is_mod) {
    __asm__(".syntax unified\n"
            "push {r4, r5, r6, r7, lr}; ldm r1!, {r4, r5, r6, r7}; sub sp, #8\n"
            "push {r4, r5, r6, r7}; movs r7, r0; movs r1, #0; movs r3, #0\n"
            "mov lr, r0; movs r4, #34; add lr, r4\n"
            "1: ldrh r4, [r0, #2]; ldrh r5, [r0, #38]\n"
            "ldr r6, [sp]; muls r6, r4; adds r1, r6; ldr r6, [sp, #4]; muls r6, r5\n"
            "adds r1, r6; ldr r6, [sp, #8]; muls r4, r6; adds r3, r4\n"
            "ldr r6, [sp, #12]; muls r5, r6; adds r3, r5; cmp r0, r7; beq 4f\n"
            "2:" FE_PAIR_LIMB("r1", "0") FE_PAIR_LIMB("r3", "36")
            "adds r0, #2; cmp r0, lr; bne 1b\n"
            "movs r5, #1; lsls r5, r5, #15\n"
            FE_PAIR_TOP("r1", "16", "0", "4", "0", "2")
            FE_PAIR_TOP("r3", "20", "8", "12", "36", "38")
            "add sp, #24; pop {r4, r5, r6, r7, pc}\n"
            "4:" FE_PAIR_K("r1", "16") FE_PAIR_K("r3", "20") "b 2b\n"
            ".balign 4\n3: .word 0x4a1b\n");
}
/* clang-format on */

/* u and v, 1 - 2^15 .. 2^15, from u + 2^16 v */
static void fe_unpack(int32_t m[2], uint32_t x) {
    m[0] = 0x8000 - (int32_t)((0x8000 - x) & 0xffff);
    m[1] = -((int32_t)((uint32_t)m[0] - x) >> 16);
}

/* 15 division steps [DIV], with delta from 1/2 on and zeta = -delta - 1/2. They look at
 * the lowest limbs f and g only; m is what they do to the pair. */
static int32_t fe_steps(int32_t m[4], int32_t zeta, uint32_t f, uint32_t g) {
    uint32_t u = 1, q = 0x10000; /* two in one */
    for (unsigned i = 0; i < 15; i++) {
        uint32_t swap = (uint32_t)(zeta >> 31), odd = 0 - (g & 1);
        g += ((f ^ swap) - swap) & odd;
        q += ((u ^ swap) - swap) & odd;
        swap &= odd;
        zeta = (zeta ^ (int32_t)swap) - 1;
        f += g & swap;
        u += q & swap;
        g >>= 1;
        u *= 2;
    }
    fe_unpack(m, u);
    fe_unpack(m + 2, q);
    return zeta;
}

/* 1 / z, 0 for 0, below 2 p. 600 division steps take a = p and b = z to 1 or -1 and 0:
 * 590 are enough for 256 bits, starting from 1/2. The second pair is the first one
 * divided by z, modulo p. */
static B_NOINLINE void fe_invert(fe *r, const fe *z) {
    fe_pair x, y;
    int32_t m[4], zeta = -1, c = 0, sign;
    memset(&y, 0, sizeof y);
    fe_store((uint8_t *)r, z);
    for (unsigned i = 0; i < 16; i++) {
        c |= (int32_t)r->v[i] << i;
        x.a[i + 1] = 0x7fff;
        x.b[i + 1] = c & 0x7fff;
        c >>= 15;
    }
    x.a[1] = 0x7fff - 18;
    x.a[17] = -1;
    x.b[17] = (int16_t)(c - 0x8000);
    y.a[17] = -0x8000;
    y.b[1] = 1;
    y.b[17] = -0x8000;
    for (unsigned i = 0; i < 40; i++) {
        zeta = fe_steps(m, zeta, (uint32_t)x.a[1], (uint32_t)x.b[1]);
        fe_pair_step(&x, m, 0);
        fe_pair_step(&y, m, 1);
    }
    sign = 1 - (x.a[1] & 2); /* the first a; for z = 0 any sign will do */
    y.a[17] -= 0x8000;
    c = sign * (uint16_t)y.a[1] - 19;
    for (unsigned i = 0; i < 16; i++) {
        c += sign * y.a[i + 2] * (1 << (15 - i));
        r->v[i] = (uint16_t)c;
        c >>= 16;
    }
    r->v[15] ^= 0x8000; /* with the 19 above, p: the sum is positive */
    wipe(&y, sizeof y); /* 1 / z or its negative; x ends as what it ends as for all z */
}
#else
/* 1 / z, 0 for 0: z^(p - 2) and p - 2 = 8 * (2^252 - 3) + 3. r is not z. */
static B_NOINLINE void fe_invert(fe *r, const fe *z) {
    fe a;
    fe_pow252(r, z, &a);
    fe_sq_times(r, r, 3);
    fe_mul(r, r, z);
    fe_mul(r, r, z);
    fe_mul(r, r, z);
    wipe(&a, sizeof a);
}
#endif
#endif

/* ====================================================================================
 * 7  X25519 (x25519)
 *
 * Montgomery ladder, constant time in scalar and point.
 * source: [RFC7748 5]
 * uses: 1 6
 * ==================================================================================== */

#if B_WITH_CIPHERS
typedef struct {
    fe x1, x2, z2, x3, z3, t, u;
    uint8_t scalar[32];
} x25519_state;

/* One step, in the names of [RFC7748 5]: (x2, z2) becomes the double of itself or, if
 * mask is all ones, of (x3, z3), and (x3, z3) the sum of both. An exchange of the two
 * before changes only which sum and difference are squared, for D A and C B change
 * places. The last three steps do without the sum: bits 2 .. 0 are 0, so the first of
 * them chooses, the others take (x2, z2). */
static void x25519_step(x25519_state *s, uint32_t mask, int with_sum) {
    fe_add(&s->t, &s->x2, &s->z2);  /* A */
    fe_sub(&s->z2, &s->x2, &s->z2); /* B */
    fe_add(&s->x2, &s->x3, &s->z3); /* C */
    fe_sub(&s->x3, &s->x3, &s->z3); /* D */
    if (with_sum) {
        fe_mul(&s->z3, &s->x3, &s->t); /* DA */
        fe_mul(&s->u, &s->x2, &s->z2); /* CB */
    }
    fe_select(&s->t, &s->x2, mask);
    fe_select(&s->z2, &s->x3, mask);
    if (with_sum) {
        fe_add(&s->x3, &s->z3, &s->u);
        fe_sub(&s->z3, &s->z3, &s->u);
        fe_sq(&s->x3, &s->x3); /* (DA + CB)^2 */
        fe_sq(&s->z3, &s->z3);
        fe_mul(&s->z3, &s->z3, &s->x1); /* x1 (DA - CB)^2 */
    }
    fe_sq(&s->x2, &s->t);          /* AA */
    fe_sq(&s->t, &s->z2);          /* BB */
    fe_sub(&s->z2, &s->x2, &s->t); /* E */
    fe_mul_a24(&s->u, &s->z2);
    fe_add(&s->u, &s->u, &s->x2);
    fe_mul(&s->x2, &s->x2, &s->t); /* AA BB */
    fe_mul(&s->z2, &s->z2, &s->u); /* E (AA + a24 E) */
}

/* Every point is taken, bit 255 ignored and the rest reduced [RFC7748 5]. A result of
 * zero, that is a point of small order, is refused; out holds zeroes then [RFC7748 6.1].
 */
PICOSUIT_MUST_CHECK static B_NOINLINE int
x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]) {
    int st = PICOSUIT_E_CRYPTO;
    uint32_t mask = 0, bit;
    x25519_state s;
    memcpy(s.scalar, scalar, 32);
    s.scalar[0] &= 0xf8;
    s.scalar[31] = (uint8_t)((s.scalar[31] & 0x7f) | 0x40);
    fe_load(&s.x1, point);
    fe_small(&s.x2, 1);
    fe_small(&s.z2, 0);
    s.x3 = s.x1;
    fe_small(&s.z3, 1);
    for (unsigned i = 255; i-- > 0;) {
        bit = 0 - ((uint32_t)s.scalar[i >> 3] >> (i & 7) & 1);
        x25519_step(&s, mask ^ bit, i > 2);
        mask = bit;
    }
    /* bits 2 .. 0 are 0: the steps doubled, and (x2, z2) is the result */
    fe_invert(&s.x3, &s.z2);
    fe_mul(&s.x2, &s.x2, &s.x3);
    fe_store(out, &s.x2);
    if (fe_is_zero(&s.x2) == 0) {
        st = PICOSUIT_OK;
    }
    wipe(&s, sizeof s);
    return st;
}
#endif

#if PICOSUIT_EXPOSE_PRIMITIVES
int picosuit_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32]) {
    return x25519(out, scalar, point);
}
#endif

/* ====================================================================================
 * 8  Ed25519 verification: scalars, points (sc_, ge_, ed25519_)
 *
 * CHOICE: strict, as decided in docs/choices.md: S < L; A and R canonical and not of
 * small order; the equation S B = R + k A itself, not 8 times it; k over R and A as
 * received, reduced modulo L first. Of the twelve cases of "Taming the many EdDSAs"
 * (ePrint 2020/1244) only number 3 is accepted (vectors/crypto/ed25519-edge.txt).
 * VARTIME: inputs are public.
 * source: [RFC8032 5.1.7], [HWCD]
 * uses: 1 2 6
 * ==================================================================================== */

/* Scalars of half the size: faster, for 1.3 KiB more of text, and 420 bytes more of stack
 * on Cortex-M0. Parts that want the least, without assembly, do without. */
#ifndef PICOSUIT_ED25519_HALVES
#define PICOSUIT_ED25519_HALVES (!PICOSUIT_FIELD_32 || PICOSUIT_ASM)
#endif
#define SC_HALVES PICOSUIT_ED25519_HALVES

/* Scalars are 16-bit limbs, the low one first: parts that multiply to 32 bits only take
 * two of these, a limb and a carry. L = 2^252 + 27742317777372353535851937790883648493.
 */
static const uint16_t sc_l[16] = {0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7,
                                  0xf9de, 0x14de, 0,      0,      0,      0,
                                  0,      0,      0,      0x1000};

static void sc_load(uint16_t *r, const uint8_t *b, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        r[i] = (uint16_t)(b[2 * i] | b[2 * i + 1] << 8);
    }
}

/* r += f a, n limbs, and what goes above them is returned; |f| < 2^16. With a negative f
 * it is the complement of r that grows. All fits: (2^16 - 1)^2 + 2 (2^16 - 1) = 2^32 - 1.
 */
#if FE_ASM
/* clang-format off */
FE_NAKED static uint32_t sc_row(FE_UNUSED uint16_t *r, FE_UNUSED const uint16_t *a,
                                FE_UNUSED unsigned n, FE_UNUSED int32_t f) {
    __asm__(".syntax unified\n"
            "push {r4, r5, r6, r7, lr}; asrs r7, r3, #31; eors r3, r7; subs r3, r7\n"
            "uxth r7, r7; lsls r2, r2, #1; adds r0, r2; adds r1, r2; rsbs r2, r2, #0\n"
            "movs r4, #0; 1: ldrh r5, [r1, r2]; ldrh r6, [r0, r2]; muls r5, r3\n"
            "eors r6, r7; adds r4, r6; adds r4, r5; movs r6, r4; eors r6, r7\n"
            "strh r6, [r0, r2]; lsrs r4, r4, #16; adds r2, #2; bne 1b\n"
            "movs r0, r4; pop {r4, r5, r6, r7, pc}");
}
/* clang-format on */
#else
static B_NOINLINE uint32_t sc_row(uint16_t *r, const uint16_t *a, unsigned n, int32_t f) {
    uint32_t c = 0, flip = f < 0 ? 0xffff : 0, g = (uint32_t)(f < 0 ? -f : f);
    for (const uint16_t *end = a + n; a != end; a++, r++) {
        c += (*r ^ flip) + g * *a;
        *r = (uint16_t)(c ^ flip);
        c >>= 16;
    }
    return c;
}
#endif

/* All ones if s < L: the sign of s - L. */
static uint32_t sc_is_reduced(const uint16_t s[16]) {
    uint32_t borrow = 0;
    for (unsigned i = 0; i < 16; i++) {
        borrow = ((uint32_t)s[i] - sc_l[i] - borrow) >> 31;
    }
    return 0 - borrow;
}

/* x = x mod L, from 32 limbs to 16; x[32] is 0. Long division: what stands above the
 * limbs r is below L, so q, the bits from 2^252 on, is the quotient or, L being a little
 * more than 2^252, one more: then L is added back. */
static void sc_reduce(uint16_t x[33]) {
    for (unsigned i = 17; i-- > 0;) {
        uint16_t *r = x + i;
        int32_t q = r[16] << 4 | r[15] >> 12;
        q = q > 0xffff ? 0xffff : q; /* 2^16 if what stands above is 2^252 or more */
        if (sc_row(r, sc_l, 16, -q) != r[16]) {
            (void)sc_row(r, sc_l, 16, 1);
        }
    }
}

/* Bits i .. i - 16 of s at the top of a word; i >= 16. */
static uint32_t sc_word(const uint16_t *s, unsigned i) {
    s += i / 16;
    return ((uint32_t)s[0] << 16 | s[-1]) << (15 - i % 16);
}

/* The first position from i down to 16 whose bit differs from the one below; 15 if there
 * is none. */
static unsigned sc_change(const uint16_t *s, unsigned i) {
    for (; i >= 16; i--) {
        uint32_t x = sc_word(s, i);
        if ((x ^ x << 1) >> 31 != 0) {
            break;
        }
    }
    return i;
}

/* The scalars of one verification, each above a limb of 0 (ge_next). */
#define SC_T (SC_HALVES ? 10 : 1)
typedef struct {
    uint16_t zero_k, k[16];   /* of A */
    uint16_t zero_c, c[SC_T]; /* of R */
    uint16_t zero_s, s[17];   /* of B; or [0..7] of B, then 0, [9..16] of 2^128 B */
    uint16_t is_minus;        /* 1: k counts with a minus */
} sc_scalars;

#if SC_HALVES
/* An odd c > 0 and d = c k or -c k mod 8 L, both of about 128 bits: to h->c, h->k and
 * h->is_minus. 0 if there are none, for 1 k in 8,000. [HALVES]
 * Vectors (t, r) with r = t k mod 8 L, each as one number r 2^160 + t with its sign,
 * begin with (0, 8 L) and (1, k). The one with the longer r loses or gains the other one
 * as often, by a power of two, as makes both equally long, so r gets shorter by a bit or
 * more. One t of the two is odd, for t0 r1 - t1 r0 stays 8 L or -8 L and only one of them
 * can be even. The first odd one with |r| <= 2^128 is taken; its t is rarely longer.
 * Bound: with n bits in the longer r of (t, r), let b = |t'| 2^n / 8 L for the other t'.
 * After a step |t r'| <= 8 L + |t' r| <= (1 + b / 2) 8 L, so the next b is at most 2 + b,
 * and at most 560 after the 280 steps for which there are bits. |r'| >= 2^115 then makes
 * |t| < 281 * 2^(256 - 115) < 2^150. */
static B_NOINLINE void sc_halve(sc_scalars *h) {
    uint16_t v[2][SC_T + 17], *x = v[1], *y = v[0], *z;
    unsigned n = 16 * SC_T + 256, m = n, k;
    int32_t f;
    memset(v, 0, sizeof v);
    (void)sc_row(y + SC_T, sc_l, 16, 8);
    memcpy(x + SC_T, h->k, 32);
    x[0] = 1;
    while (n = sc_change(x, n), n > 16 * SC_T + 128 || (x[0] & 1) == 0) {
        if (n < m) {
            z = x;
            x = y;
            y = z;
            k = n;
            n = m;
            m = k;
        }
        if (m < 16 * SC_T + 116) {
            return;
        }
        f = 1 << (n - m) % 16;
        if (((sc_word(x, n) ^ sc_word(y, m)) >> 31) == 0) {
            f = -f;
        }
        k = (n - m) / 16;
        (void)sc_row(x + k, y, n / 16 + 1 - k, f);
    }
    if (x[SC_T - 1] >> 15 != 0) { /* t < 0: the negative vector is as good */
        (void)sc_row(x, x, SC_T + 9, -2);
    }
    h->is_minus = (uint16_t)(x[SC_T + 8] >> 15);
    memcpy(h->c, x, sizeof h->c);
    x += SC_T;
    if (h->is_minus) {
        (void)sc_row(x, x, 9, -2);
    }
    memset(h->k, 0, sizeof h->k);
    memcpy(h->k, x, 18); /* 2^128 has a bit in the ninth limb */
}

/* c S mod L, in two halves. */
static B_NOINLINE void sc_split(sc_scalars *h) {
    uint16_t x[33] = {0};
    for (unsigned i = 0; i < SC_T; i++) {
        x[i + 16] = (uint16_t)sc_row(x + i, h->s, 16, h->c[i]);
    }
    sc_reduce(x);
    memcpy(h->s, x, 16);
    h->s[8] = 0;
    memcpy(h->s + 9, x + 8, 16);
}
#endif

/* A point in extended coordinates: x = X / Z, y = Y / Z, T = X Y / Z. */
typedef struct {
    fe x, y, z, t;
} ge;

/* A point prepared for adding is an array: Y + X, Y - X, 2 d T; Z stands before them,
 * unless it is 1. */

/* d and the square root of -1 [RFC8032 5.1] */
static const fe ge_d =
    FE_OF(0x75eb4dca135978a3, 0x00700a4d4141d8ab, 0x8cc740797779e898, 0x52036cee2b6ffe73);
static const fe ge_sqrtm1 =
    FE_OF(0xc4ee1b274a0ea0b0, 0x2f431806ad2fe478, 0x2b4d00993dfbd7a7, 0x2b8324804fc1df0b);

/* B, 3 B .. 15 B: y + x, y - x, 2 d x y (vectors/make/crypto.py computes them again). */
static const fe ge_base[8 * 3] = {
    FE_OF(0x2fbc93c6f58c3b85, 0xcf932dc6fb8c0e19, 0x270b4898643d42c2, 0x07cf9d3a33d4ba65),
    FE_OF(0x9d103905d740913e, 0xfd399f05d140beb3, 0xa5c18434688f8a09, 0x44fd2f9298f81267),
    FE_OF(0xabc91205877aaa68, 0x26d9e823ccaac49e, 0x5a1b7dcbdd43598c, 0x6f117b689f0c65a8),
    FE_OF(0xaf25b0a84cee9730, 0x025a8430e8864b8a, 0xc11b50029f016732, 0x7a164e1b9a80f8f4),
    FE_OF(0x56611fe8a4fcd265, 0x3bd353fde5c1ba7d, 0x8131f31a214bd6bd, 0x2ab91587555bda62),
    FE_OF(0x14ae933f0dd0d889, 0x589423221c35da62, 0xd170e5458cf2db4c, 0x5a2826af12b9b4c6),
    FE_OF(0xa212bc4408a5bb33, 0x8d5048c3c75eed02, 0xdd1beb0c5abfec44, 0x2945ccf146e206eb),
    FE_OF(0x7f9182c3a447d6ba, 0xd50014d14b2729b7, 0xe33cf11cb864a087, 0x154a7e73eb1b55f3),
    FE_OF(0xbcbbdbf1812a8285, 0x270e0807d0bdd1fc, 0xb41b670b1bbda72d, 0x43aabe696b3bb69a),
    FE_OF(0x6b1a5cd0944ea3bf, 0x7470353ab39dc0d2, 0x71b2528228542e49, 0x461bea69283c927e),
    FE_OF(0xba6f2c9aaa3221b1, 0x6ca021533bba23a7, 0x9dea764f92192c3a, 0x1d6edd5d2e5317e0),
    FE_OF(0xf1836dc801b8b3a2, 0xb3035f47053ea49a, 0x529c41ba5877adf3, 0x7a9fbb1c6a0f90a7),
    FE_OF(0x9b2e678aa6a8632f, 0xa6509e6f51bc46c5, 0xceb233c9c686f5b5, 0x34b9ed338add7f59),
    FE_OF(0xf36e217e039d8064, 0x98a081b6f520419b, 0x96cbc608e75eb044, 0x49c05a51fadc9c8f),
    FE_OF(0x06b4e8bf9045af1b, 0xe2ff83e8a719d22f, 0xaaf6fc2993d4cf16, 0x73c172021b008b06),
    FE_OF(0x2fbf00848a802ade, 0xe5d9fecf02302e27, 0x113e847117703406, 0x4275aae2546d8faf),
    FE_OF(0x315f5b0249864348, 0x3ed6b36977088381, 0xa3a075556a8deb95, 0x18ab598029d5c77f),
    FE_OF(0xd82b2cc5fd6089e9, 0x031eb4a13282e4a4, 0x44311199b51a8622, 0x3dc65522b53df948),
    FE_OF(0xbf70c222a2007f6d, 0xbf84b39ab5bcdedb, 0x537a0e12fb07ba07, 0x234fd7eec346f241),
    FE_OF(0x506f013b327fbf93, 0xaefcebc99b776f6b, 0x9d12b232aaad5968, 0x0267882d176024a7),
    FE_OF(0x5360a119732ea378, 0x2437e6b1df8dd471, 0xa2ef37f891a7e533, 0x497ba6fdaa097863),
    FE_OF(0x24cecc0313cfeaa0, 0x8648c28d189c246d, 0x2dbdbdfac1f2d4d0, 0x61e22917f12de72b),
    FE_OF(0x040bcd86468ccf0b, 0xd3829ba42a9910d6, 0x7508300807b25192, 0x43b5cd4218d05ebf),
    FE_OF(0x5d9a762f9bd0b516, 0xeb38af4e373fdeee, 0x032e5a7d93d64270, 0x511d61210ae4d842),
};

#if SC_HALVES
/* The same multiples of 2^128 B. */
static const fe ge_base_high[8 * 3] = {
    FE_OF(0x583b04bfacad8ea2, 0x29b743e8148be884, 0x2b1e583b0810c5db, 0x2b5449e58eb3bbaa),
    FE_OF(0x5f3a7562eb3dbe47, 0xf7ea38548ebda0b8, 0x00c3e53145747299, 0x1304e9e71627d551),
    FE_OF(0x789814d26adc9cfe, 0x3c1bab3f8b48dd0b, 0xda0fe1fff979c60a, 0x4468de2d7c2dd693),
    FE_OF(0x4b5a64bf710ecdf6, 0xb14ce538462c293c, 0x3643d056d50b3ab9, 0x6af93724185b4870),
    FE_OF(0xe90ecfab8de73e68, 0x54036f9f377e76a5, 0xf0495b0bbe015982, 0x577629c4a7f41e36),
    FE_OF(0x3220024509c6a888, 0xd2e036134b558973, 0x83e236233c33289f, 0x701f25bb0caec18f),
    FE_OF(0x8dee9bd55db1beee, 0xc9c3ab370a723fb9, 0x44a8f1bf1c68d791, 0x366d44191cfd3cde),
    FE_OF(0xfbbad48ffb5720ad, 0xee81916bdbf90d0e, 0xd4813152635543bf, 0x221104eb3f337bd8),
    FE_OF(0x9e3c1743f2bc8c14, 0x2eda26fcb5856c3b, 0xccb82f0e68a7fb97, 0x4167a4e6bc593244),
    FE_OF(0xdb90e28949770eb8, 0x98fbcc2aacf440a3, 0x21354ffeded7879b, 0x1f6a3e54f26906b6),
    FE_OF(0xb4af6cd05b9c619b, 0x2ddfc9f4b2a58480, 0x3d4fa502ebe94dc4, 0x08fc3a4c677d5f34),
    FE_OF(0x60a4c199d30734ea, 0x40c085b631165cd6, 0xe2333e23f7598295, 0x4f2fad0116b900d1),
    FE_OF(0x47c27ef70e37c8cb, 0xc972aa11b971fa79, 0x67da92c7870bd336, 0x3bc6a10aa583b073),
    FE_OF(0xafcbc5db45dc2c78, 0x2d66ab42806e07a3, 0x2a520c99411d105e, 0x3fd86de2aebd0a00),
    FE_OF(0x02343d82f773aecb, 0xcc30c4661fa8c695, 0x5bce16df21a65a0c, 0x5326ccb69408342c),
    FE_OF(0xc227f192a0d2da41, 0xf65a5d746ed81d6e, 0xb0d4e4ecc1c7b08d, 0x4d4ec054daefe339),
    FE_OF(0x9f521df92dcc5416, 0xbb1ad727e13e83da, 0x5b146093d21d62c4, 0x336d296b4cdca8fd),
    FE_OF(0xc4d6fc516536cb46, 0x176f722358d0fb2c, 0xe4f2bc4f8317bc29, 0x15e397726486fcb8),
    FE_OF(0x914d3e4ea7c67900, 0xad1f81931add3b95, 0xc46ad91bfc4e0fab, 0x22751f67f4f51f2a),
    FE_OF(0x964ab749181b45c7, 0xe5e24f183103a2ce, 0x2a75a7b63321404c, 0x306cf6d5c4b1bf10),
    FE_OF(0xac3366fa22060ed4, 0x6602d9eb416be258, 0xd802d0d1cf524dee, 0x71bd6e5254388c2f),
    FE_OF(0x847832923fa62600, 0x5f65a79925947f83, 0xb340d20b7f4803d4, 0x63585a3c041f3ddc),
    FE_OF(0x0a788e93d9457638, 0xd8bbb343ae9689d8, 0x6841d34023ee4103, 0x0ff6d3f433920dba),
    FE_OF(0x4f234ee871911c90, 0x1adc7a18cd4173f0, 0x84cd1f0e6306af3f, 0x311875e37124b98d),
};
#endif

/* p = 2 p; T only if wanted [HWCD 3.3]. */
static void ge_double(ge *p, int with_t) {
    fe h;
    fe_add(&p->t, &p->x, &p->y);
    fe_sq(&p->t, &p->t);
    fe_sq(&p->x, &p->x);
    fe_sq(&p->y, &p->y);
    fe_sq(&p->z, &p->z);
    fe_add(&p->z, &p->z, &p->z);
    fe_add(&h, &p->y, &p->x);
    fe_sub(&p->y, &p->y, &p->x); /* G */
    fe_sub(&p->t, &p->t, &h);    /* E */
    fe_sub(&p->z, &p->z, &p->y); /* F */
    fe_mul(&p->x, &p->t, &p->z);
    fe_mul(&p->z, &p->z, &p->y);
    fe_mul(&p->y, &p->y, &h);
    if (with_t) {
        fe_mul(&p->t, &p->t, &h);
    }
}

/* p = p + q, or p - q if negative; needs T of p, gives T only if wanted. is_affine: Z of
 * q is 1 and not stored [HWCD 3.1]. */
static void ge_add(ge *p, const fe *q, int is_negative, int is_affine, int with_t) {
    fe f;
    fe_sub(&f, &p->y, &p->x);
    fe_add(&p->y, &p->y, &p->x);
    fe_mul(&f, &f, &q[is_negative ? 0 : 1]);       /* A */
    fe_mul(&p->y, &p->y, &q[is_negative ? 1 : 0]); /* B */
    fe_mul(&p->t, &p->t, &q[2]);                   /* C or -C */
    if (!is_affine) {
        fe_mul(&p->z, &p->z, &q[-1]);
    }
    fe_add(&p->z, &p->z, &p->z); /* D */
    fe_sub(&p->x, &p->y, &f);    /* E */
    fe_add(&p->y, &p->y, &f);    /* H */
    if (is_negative) {
        fe_add(&f, &p->z, &p->t);
        fe_sub(&p->z, &p->z, &p->t);
    } else {
        fe_sub(&f, &p->z, &p->t);
        fe_add(&p->z, &p->z, &p->t);
    }
    if (with_t) {
        fe_mul(&p->t, &p->x, &p->y);
    }
    fe_mul(&p->x, &p->x, &f);
    fe_mul(&p->y, &p->y, &p->z);
    fe_mul(&p->z, &p->z, &f);
}

static void ge_cache(fe q[3], const ge *p) {
    fe_add(&q[0], &p->y, &p->x);
    fe_sub(&q[1], &p->y, &p->x);
    fe_mul(&q[2], &p->t, &ge_d);
    fe_add(&q[2], &q[2], &q[2]);
}

/* Decodes a point, or its negative if so wanted. Refused with 0: not canonical, not on
 * the curve [RFC8032 5.1.3]; x = 0 with the sign set is left to ge_begin, as all small
 * orders. x is the square root of u / v, v not 0: with x = u (u v)^((p - 5) / 8), v x^2 =
 * u (u v)^((p - 1) / 4), and that power is 1 or -1 if u v is a square, as u / v. */
static int ge_load(ge *p, const uint8_t key[32], unsigned is_negative, fe spare[2]) {
    uint8_t b[32];
    fe *u = &p->t, *v = &p->z, *w = spare;
    fe_load(&p->y, key);
    fe_store(b, &p->y);
    b[31] = (uint8_t)(b[31] | (key[31] & 0x80));
    if (ct_equal(b, key, 32) == 0) {
        return 0;
    }
    fe_small(w, 1);
    fe_sq(u, &p->y);
    fe_mul(v, u, &ge_d);
    fe_sub(u, u, w); /* y^2 - 1 */
    fe_add(v, v, w); /* d y^2 + 1 */
    fe_mul(w, u, v);
    fe_pow252(&p->x, w, spare + 1);
    fe_mul(&p->x, &p->x, u);
    fe_sq(w, &p->x);
    fe_mul(w, w, v);
    fe_sub(v, w, u);
    if (fe_is_zero(v) == 0) {
        fe_add(v, w, u);
        if (fe_is_zero(v) == 0) {
            return 0;
        }
        fe_mul(&p->x, &p->x, &ge_sqrtm1); /* v x^2 = -u */
    }
    fe_store(b, &p->x);
    if (((b[0] ^ key[31] >> 7 ^ is_negative) & 1) != 0) { /* take the other x */
        fe_small(v, 0);
        fe_sub(&p->x, v, &p->x);
    }
    fe_small(&p->z, 1);
    fe_mul(&p->t, &p->x, &p->y);
    return 1;
}

/* Prepares the point p, with Z = 1, and doubles it; 0 if its order is small. The order
 * divides 8 exactly if that of 2 p divides 4, and exactly these have x y = 0. */
static int ge_begin(fe q[3], ge *p) {
    ge_cache(q, p);
    ge_double(p, 1);
    return fe_is_zero(&p->t) == 0;
}

#define GE_TABLE 15 /* elements */

/* The table of p, 3 p, 5 p, 7 p; p is used up. 0 if its order is small. */
static int ge_table(fe table[GE_TABLE], ge *p) {
    if (!ge_begin(table, p)) {
        return 0;
    }
    ge_cache(table + 12, p); /* 2 p, until 7 p is known */
    table[11] = p->z;
    for (unsigned i = 4; i <= 12; i += 4) {
        ge_add(p, i == 4 ? table : table + 12, 0, i == 4, 1);
        ge_cache(table + i, p);
        table[i - 1] = p->z;
    }
    return 1;
}

/* One product of a sum: the odd multiples of a point, and its scalar, which is read from
 * the left as signed odd digits with zeros between them [MOF]: as few as a wNAF has, and
 * nothing to store. Positions count from the limb of 0 below the scalar: bit 0 is at 16.
 */
typedef struct {
    const uint16_t *scalar; /* with that limb */
    const fe *table;
    uint16_t next;       /* first position that no digit covers yet */
    uint16_t at;         /* position of the digit, below 16 if there is none left */
    uint8_t half;        /* of the digit, whose size is 2 half + 1 < 2^(width-1) */
    uint8_t is_negative; /* the digit */
    uint8_t size;        /* elements of a point of the table: 3 if all have Z = 1, or 4 */
    uint8_t unused;
} ge_term;

/* A window starts where bit i differs from the bit below. Its bits i .. i - width + 1 as
 * a two's complement number plus the bit below them are its value; trailing zeros move
 * the digit to the right. */
static void ge_next(ge_term *t) {
    unsigned width = 8u - t->size, i = sc_change(t->scalar, t->next);
    uint32_t x;
    t->at = (uint16_t)i;
    if (i < 16) {
        return;
    }
    x = sc_word(t->scalar, i) >> (31 - width);
    t->is_negative = (uint8_t)(x >> width);
    x = (x + 1) >> 1;
    if (t->is_negative) {
        x = (1u << width) - x;
    }
    i -= width;
    t->next = (uint16_t)i;
    for (i++; (x & 1) == 0; i++) {
        x >>= 1;
    }
    t->at = (uint16_t)i;
    t->half = (uint8_t)(x >> 1);
}

static B_NOINLINE void ge_set(ge_term *t, const uint16_t *scalar, unsigned limbs,
                              const fe *table, unsigned size) {
    t->scalar = scalar;
    t->table = table;
    t->size = (uint8_t)size;
    t->next = (uint16_t)(16 * limbs + 15);
    ge_next(t);
}

/* p = the sum of the terms, with one chain of doublings for all (Straus). */
static B_NOINLINE void ge_combine(ge *p, ge_term *t, unsigned n) {
    unsigned i = 16, left;
    memset(p, 0, sizeof *p);
    fe_small(&p->y, 1);
    fe_small(&p->z, 1);
    for (unsigned j = 0; j < n; j++) {
        i = t[j].at > i ? t[j].at : i;
    }
    for (int is_first = 1;; is_first = 0) {
        left = 0;
        for (unsigned j = 0; j < n; j++) {
            left += t[j].at == i;
        }
        if (!is_first) { /* 2 * 0 */
            ge_double(p, left != 0);
        }
        for (ge_term *now = t; left != 0; now++) {
            if (now->at == i) {
                left--;
                ge_add(p, now->table + now->half * now->size, now->is_negative,
                       now->size == 3 || now->half == 0, left != 0);
                ge_next(now);
            }
        }
        if (--i < 16) {
            break;
        }
    }
}

/* All ones if p = 0 as the result of a sum, y - z then in y. A sum starts with Z = 1; if
 * that is still there, nothing was added, and Z = 0 is no point, but stays 0 and takes X
 * and Y along. Both are what skipped instructions leave, for any signature: refused. */
static uint32_t ge_is_zero(ge *p) {
    uint32_t mask = fe_is_zero(&p->x);
    fe_sub(&p->y, &p->y, &p->z);
    fe_sq(&p->t, &p->z);
    fe_sub(&p->t, &p->t, &p->z);
    return mask & fe_is_zero(&p->y) & ~fe_is_zero(&p->t);
}

/* k = SHA-512(R, A, M) mod L. */
static B_NOINLINE void ed25519_hash(uint16_t k[16], const uint8_t r[32],
                                    const uint8_t key[32], const uint8_t *data,
                                    size_t len) {
    union {
        sha512_ctx s;
        uint16_t x[33];
    } u;
    uint8_t h[64];
    sha512_init(&u.s);
    sha512_update(&u.s, r, 32);
    sha512_update(&u.s, key, 32);
    sha512_update(&u.s, data, len);
    sha512_final(&u.s, h);
    sc_load(u.x, h, 32);
    u.x[32] = 0;
    sc_reduce(u.x);
    memcpy(k, u.x, 32);
}

typedef struct {
    ge_term t[3 + SC_HALVES];
    ge p;
    fe a[GE_TABLE];
#if SC_HALVES
    fe r[GE_TABLE];
#else
    fe r[3];
#endif
} ge_work;

/* w->p = c (S B - R - k A); 0 if A or R is refused: not canonical or of small order. */
static int ed25519_sum(ge_work *w, const uint8_t r[32], const uint8_t key[32],
                       const sc_scalars *h) {
#if SC_HALVES
    if (!ge_load(&w->p, r, 1, w->a) || !ge_table(w->r, &w->p) ||
        !ge_load(&w->p, key, 1u ^ h->is_minus, w->a) || !ge_table(w->a, &w->p)) {
        return 0;
    }
    ge_set(&w->t[3], &h->s[8], 8, ge_base_high, 3);
#else
    if (!ge_load(&w->p, r, 1, w->a) || !ge_begin(w->r, &w->p) ||
        !ge_load(&w->p, key, 1, w->a) || !ge_table(w->a, &w->p)) {
        return 0;
    }
#endif
    ge_set(&w->t[0], &h->zero_k, 16, w->a, 4);
    ge_set(&w->t[1], &h->zero_c, SC_T, w->r, 4);
    ge_set(&w->t[2], &h->zero_s, SC_HALVES ? 9 : 16, ge_base, 3);
    ge_combine(&w->p, w->t, 3 + SC_HALVES);
    return 1;
}

/* Is c (S B - R - k A) = 0, and neither A nor R refused? c is 1, or odd and no multiple
 * of L: as the order of every point divides 8 L, then it takes no point but 0 to 0, and c
 * k may be reduced modulo 8 L. So the verdict is that of the equation itself, without a
 * cofactor. It takes two comparisons, so that one skipped branch does not make it. */
PICOSUIT_MUST_CHECK static B_NOINLINE int
ed25519_check(const uint8_t r[32], const uint8_t key[32], const sc_scalars *h) {
    int st = PICOSUIT_E_CRYPTO;
    ge_work w;
    uint32_t mask;
    if (!ed25519_sum(&w, r, key, h)) {
        return st;
    }
    mask = ge_is_zero(&w.p);
    if (mask == 0xffffffff && fe_is_zero(&w.p.y) == mask) {
        st = PICOSUIT_OK;
    }
    return st;
}

PICOSUIT_MUST_CHECK static B_NOINLINE int ed25519_verify(const uint8_t sig[64],
                                                         const uint8_t key[32],
                                                         const uint8_t *data,
                                                         size_t len) {
    int st = PICOSUIT_E_CRYPTO;
    sc_scalars h;
    memset(&h, 0, sizeof h);
    h.c[0] = 1;
    sc_load(h.s, sig + 32, 16);
    if (sc_is_reduced(h.s) == 0xffffffff) {
        ed25519_hash(h.k, sig, key, data, len);
#if SC_HALVES
        sc_halve(&h);
        sc_split(&h);
#endif
        st = ed25519_check(sig, key, &h);
    }
    return st;
}

#if PICOSUIT_ED25519_EXPANDED
/* The canonical encoding [RFC8032 5.1.2]. */
static void ge_store(uint8_t b[32], const ge *p) {
    fe t, inverse;
    unsigned sign;
    fe_invert(&inverse, &p->z);
    fe_mul(&t, &p->x, &inverse);
    fe_store(b, &t);
    sign = b[0] & 1u;
    fe_mul(&t, &p->y, &inverse);
    fe_store(b, &t);
    b[31] = (uint8_t)(b[31] | sign << 7);
}

/* A comb of five teeth: the bits i, i + 51 .. i + 204 of a scalar make one digit, i = 50
 * .. 0, each after a doubling. Bits count as 1 or -1; so digits are odd, -31 .. 31, and a
 * table has an entry for each pair of them. Entry d, the digit 2 d + 1, is 2^204 P +-
 * 2^153 P +- 2^102 P +- 2^51 P +- P, a plus for each bit of d, the lowest for the last.
 */
#define SC_TOOTH 51u
#define SC_ALL 31 /* the digit of five bits 1 */

/* Words in memory are what the assembly takes, so aligned bytes need no copy. */
#if PICOSUIT_FIELD_32 && FE_ASM
#define GE_IN_PLACE(b) (((uintptr_t)(b)&3) == 0)
#else
#define GE_IN_PLACE(b) 0
#endif

/* Of B. It is the table of an expanded key, too. */
static const fe ge_base_comb[16 * 3] = {
    FE_OF(0x8eba61b90c27e968, 0xde6b832562c20866, 0xee9ef016cc161575, 0x53af08345dadcfde),
    FE_OF(0x16db9261948767a5, 0x6133e34d3469a68a, 0x1dc88dcdee40c11b, 0x422de448991acfe7),
    FE_OF(0x1b78a3fd96e5cc93, 0x16c2b8657a4a68cc, 0x3b685390ffcc98f6, 0x2e76c88f3f1c6be8),
    FE_OF(0x75e92411c7ec9a68, 0xd83132b47c93b1c3, 0x2d026c2940ec68d8, 0x33325b4f2a5b2d1f),
    FE_OF(0x0123ac6283e41bb9, 0x6c597569790b011f, 0x9676347cf1e94f01, 0x7ba0dc7c651e9dc7),
    FE_OF(0xf35cbb750a03533f, 0xefb78fb663737730, 0xb5f705fe59c0e398, 0x16df5dad8acdde99),
    FE_OF(0x171ced28b270a9f8, 0x64cd4b742db90490, 0xa3a7761ab0f8daed, 0x0f39997132502e33),
    FE_OF(0x4aa52d09022cba46, 0x43014c61776c9a99, 0xe5cd8bf0b3e9e196, 0x3b6f8f9c4538d6ba),
    FE_OF(0xf8df967816d2974d, 0x6c03bb59b1fc2a6e, 0xf485ea2a5f7dd711, 0x0f09baf79df38597),
    FE_OF(0x52107787ee752d89, 0x9c704bed49fd2945, 0xb28c543803ffb762, 0x57cf8904bda13946),
    FE_OF(0xbad32ec1271972d1, 0x7446f41af49058f6, 0x04c7f8a9041bef43, 0x1e9c31f2bc856478),
    FE_OF(0x90a0ee585507a444, 0x46634c5545488e1a, 0x077bc0b21198381a, 0x2975c41917128969),
    FE_OF(0x265e3eeb832bf317, 0x81650bc12d691a37, 0xd0a8c363f699d11d, 0x096eb0811f488523),
    FE_OF(0x5119578c617f4b3c, 0x029bbe6e4d0484db, 0xe0770c61c1226518, 0x4d7116c15d724827),
    FE_OF(0x65e0ca3e659b07ce, 0xa8f89379546d0da3, 0x6c3111538ea8f875, 0x3f6a5bccd790b802),
    FE_OF(0xd1c304d7b801174f, 0x594bbff0091537e3, 0x4d93d956f73b3159, 0x3a8176f00cf3155c),
    FE_OF(0x67d84dec4b7ff890, 0xdcb75aa7b4eba910, 0x289a140ca540dccb, 0x7b510c1215905970),
    FE_OF(0x36e171d173ac9057, 0x65371244b5a07116, 0x1890c4097a7c644e, 0x56461e312e9aca8d),
    FE_OF(0xae38f7cb21a20e0f, 0xd78e1410ea866b3d, 0x082547cec16072e5, 0x75b7b4de56328b64),
    FE_OF(0x7b350d37e5923fed, 0x1af81a9cebd78443, 0xf2fdc6a74591840b, 0x79a07f9daa4103e4),
    FE_OF(0xda1db26c6f5385af, 0x4a640eee33a2ba1b, 0x1db7e64e83746fea, 0x21b8cb887dc93d77),
    FE_OF(0x430fd59bf3cbd79c, 0xf870812965ab011b, 0x1b72d49b2b6d6c0b, 0x6eea0e68274a71e0),
    FE_OF(0xd13d5fd9f3a95fb0, 0x3859ca73bfe95f67, 0x56c69a350c1beafd, 0x04f6f0eeaa2ad869),
    FE_OF(0x3c5ff2d334fd58da, 0xfd4ef10733ab00c2, 0x8d732afedf2bb296, 0x1908a252bd4b7722),
    FE_OF(0x61a15202f7bc1f8c, 0x3b4bff1abc211db5, 0xfbdf25ffc6f4be23, 0x2035e02b1c34bc2e),
    FE_OF(0x8ae2f3d4700e4c73, 0xb8681f0e7565b539, 0x5a0fb91724d2c62b, 0x57b58e0afa441670),
    FE_OF(0xe41d156561fa6bef, 0x533b0ff44cf7741c, 0xc18fa32da4a877f2, 0x58d877e3fee08e51),
    FE_OF(0xfe73c14bb1efd64c, 0xf3bd6f625af9e10b, 0x92c7a70815c27ec4, 0x2d7f437e36d93614),
    FE_OF(0x65e3822ecdabac8b, 0x692595bc9e28fcdf, 0x39b861b68d70f4a6, 0x1d37f1efd515743a),
    FE_OF(0x260d015f62c4142b, 0x328212be8077df69, 0x82e7f193a049ba24, 0x452b2d584cec6e30),
    FE_OF(0x5202fe35b198a05d, 0xb5d03ef83bc13464, 0x67029f10b7328bc3, 0x265c446f7568f3bb),
    FE_OF(0x8f795bfbe0cff420, 0x2bb8c656c3f6c23a, 0xf72bcbe046a3416e, 0x47a0d7b81cf9bff1),
    FE_OF(0x277c1c528fde5d32, 0xded21bce584a55cd, 0x846a7da2812357de, 0x7727407f8bf8f5d2),
    FE_OF(0x01f79bf364593ce0, 0x18bc336991805b04, 0xab069f2af9a60b9c, 0x36d93b6dab6c4047),
    FE_OF(0xcd64ef2422ae69fb, 0x7626878315e885b4, 0xb62d6609632508f1, 0x4555a463ebb6d3fd),
    FE_OF(0xb9e92d872f05a2a3, 0x54def414908715e4, 0x03a9c5b09edc1d18, 0x61eb06cb95fdec66),
    FE_OF(0xd122fd2df9e90bf8, 0xcd2341ace4f88463, 0xa5751cb18bbebf4c, 0x59f9cee1ab7186f1),
    FE_OF(0x2a4fe339d8046d53, 0x630b3c7aefafa437, 0x51f7236b6b4f5450, 0x16e6ce9d38e8569a),
    FE_OF(0xe3fbcb0004f9e3a8, 0x8a30ff48e4ebb160, 0x96424cd47f65ceb4, 0x09c75b204810bad9),
    FE_OF(0x60a684667d67218e, 0x729d9848b9cc2018, 0xd947bb847e6d4cc9, 0x479ee9ca73f6a06b),
    FE_OF(0xb58d439c8698b1a6, 0x5706b651e15eda51, 0x0aa32cd82fa8e77a, 0x07dcd6d39f1e2463),
    FE_OF(0x2302c3a5a1ccf2d2, 0x1423935cc049f8c7, 0x7fa0fc7aa36cb9c2, 0x4d33aba22d867249),
    FE_OF(0x4d153e828b83be06, 0x1690531b4331c785, 0xf21f1dd5ad012248, 0x3f370805deb4f397),
    FE_OF(0xffd1ad7e54943e7c, 0x654cca6a0e10576c, 0x6350addc4bc9808d, 0x24fb2b02aa6d6943),
    FE_OF(0x18ab72474af05a9f, 0x90c059f10f708cf2, 0x578a1602f5916c50, 0x4a7d3c1e50ebcdfd),
    FE_OF(0x10fd567b045ec7f4, 0xd6b76cc547b7cbb7, 0x4013f58b66b5ed68, 0x5e3829b37304f1d6),
    FE_OF(0x9fbe7e5070e2d0a6, 0x130de0f073f7ffff, 0x9157feb871e802d0, 0x4cbb7dcd3d17046b),
    FE_OF(0x1cddc2efc67ef7e1, 0xfe02d579c4411cd8, 0x7dea81f0658fd849, 0x2a6dfe58b5bad8dc),
};

/* An odd s < 2^255 is the sum of 2^i or -2^i, i = 0 .. 254: a plus for 254, and for i if
 * bit i + 1 of s is set. An even one, < 2^253, first gets the digit SC_ALL at 0 added,
 * and 1 is returned. */
static int sc_sign(uint16_t out[16], const uint16_t s[16]) {
    int is_even = 1 - (s[0] & 1);
    memcpy(out, s, 32);
    for (unsigned i = 0; is_even && i < 5 * SC_TOOTH; i += SC_TOOTH) {
        uint32_t c = 1u << i % 16;
        for (unsigned j = i / 16; c != 0; j++) {
            c += out[j];
            out[j] = (uint16_t)c;
            c >>= 16;
        }
    }
    out[15] |= 0x8000;
    return is_even;
}

static int32_t sc_column(const uint16_t s[16], unsigned i) {
    int32_t d = 0;
    for (unsigned j = i + 4 * SC_TOOTH + 1; j <= 255 && j > i; j -= SC_TOOTH) {
        d = 2 * d + (s[j / 16] >> j % 16 & 1);
    }
    return 2 * d - SC_ALL;
}

/* p = p + digit A, from the table of an expanded key. */
static void ge_add_bytes(ge *p, const uint8_t *table, int32_t digit, int with_t) {
    fe q[3];
    const fe *entry = q;
    table += 96 * ((digit < 0 ? -digit : digit) >> 1);
    if (GE_IN_PLACE(table)) {
        entry = (const fe *)(const void *)table;
    } else {
        for (unsigned i = 0; i < 3; i++) {
            fe_load(&q[i], table + 32 * i);
        }
    }
    ge_add(p, entry, digit < 0, 1, with_t);
}

static void ge_add_comb(ge *p, int32_t digit, int with_t) {
    ge_add(p, ge_base_comb + 3 * ((digit < 0 ? -digit : digit) >> 1), digit < 0, 1,
           with_t);
}

/* p = s B - k A */
static void ge_combine_combs(ge *p, const uint16_t s[16], const uint16_t k[16],
                             const uint8_t *table) {
    uint16_t b[16], a[16];
    int is_b_more = sc_sign(b, s), is_a_more = sc_sign(a, k);
    fe_small(&p->x, 0);
    fe_small(&p->y, 1);
    fe_small(&p->z, 1);
    fe_small(&p->t, 0);
    for (unsigned i = SC_TOOTH; i-- > 0;) {
        ge_add_bytes(p, table, -sc_column(a, i), 1);
        ge_add_comb(p, sc_column(b, i), i == 0);
        if (i > 0) {
            ge_double(p, 1);
        }
    }
    if (is_a_more) {
        ge_add_bytes(p, table, SC_ALL, 1);
    }
    if (is_b_more) {
        ge_add_comb(p, -SC_ALL, 0);
    }
}

/* As ed25519_check; what that refuses in A, the maker of the table has refused. */
PICOSUIT_MUST_CHECK static B_NOINLINE int ed25519_check_expanded(const uint8_t r[32],
                                                                 const uint8_t *key,
                                                                 const uint16_t s[16],
                                                                 const uint16_t k[16]) {
    int st = PICOSUIT_E_CRYPTO;
    ge p;
    uint8_t b[32];
    uint32_t mask;
    ge_combine_combs(&p, s, k, key + 32);
    ge_store(b, &p);
    ge_double(&p, 1); /* x y = 0: R is of small order, as in ge_begin */
    mask = ct_equal(b, r, 32) & ~fe_is_zero(&p.t);
    if (mask == 0xffffffff && ct_equal(b, r, 32) == mask) {
        st = PICOSUIT_OK;
    }
    return st;
}

PICOSUIT_MUST_CHECK static B_NOINLINE int ed25519_verify_expanded(const uint8_t sig[64],
                                                                  const uint8_t *key,
                                                                  const uint8_t *data,
                                                                  size_t len) {
    int st = PICOSUIT_E_CRYPTO;
    uint16_t s[16], k[16];
    sc_load(s, sig + 32, 16);
    if (sc_is_reduced(s) == 0xffffffff) {
        ed25519_hash(k, sig, key, data, len);
        st = ed25519_check_expanded(sig, key, s, k);
    }
    return st;
}

/* The two forms of a key differ in length; all else is refused. */
PICOSUIT_MUST_CHECK static int ed25519_verify_any(const uint8_t sig[64],
                                                  const uint8_t *key, size_t key_len,
                                                  const uint8_t *data, size_t len) {
    int st = PICOSUIT_E_CRYPTO;
    if (key_len == 32) {
        st = ed25519_verify(sig, key, data, len);
    } else if (key_len == PICOSUIT_EXPANDED_LEN) {
        st = ed25519_verify_expanded(sig, key, data, len);
    }
    return st;
}
#else
PICOSUIT_MUST_CHECK static int ed25519_verify_any(const uint8_t sig[64],
                                                  const uint8_t *key, size_t key_len,
                                                  const uint8_t *data, size_t len) {
    return key_len == 32 ? ed25519_verify(sig, key, data, len) : PICOSUIT_E_CRYPTO;
}
#endif

#if PICOSUIT_EXPOSE_PRIMITIVES
int picosuit_ed25519_verify(const uint8_t sig[64], const uint8_t key[32],
                            const uint8_t *data, size_t len) {
    return ed25519_verify(sig, key, data, len);
}

#if PICOSUIT_ED25519_EXPANDED
int picosuit_ed25519_verify_expanded(const uint8_t sig[64],
                                     const uint8_t key[PICOSUIT_EXPANDED_LEN],
                                     const uint8_t *data, size_t len) {
    return ed25519_verify_expanded(sig, key, data, len);
}
#endif
#endif
/* ====================================================================================
 * 9  Errors and the device (fail, dev_)
 *
 * Gives: the only place that sets an error, and the only place that calls the platform.
 * A wrapper returns 0 or the documented answer, PICOSUIT_AGAIN, or the error it has set.
 * uses: 1
 * ==================================================================================== */

#define ST_EMPTY 0u   /* never initialised */
#define ST_RECEIVE 1u /* up to the last member before the payloads */
#define ST_READY 2u   /* authenticated */
#define ST_BEGIN 3u   /* begin said AGAIN */
#define ST_RUN 4u     /* procedure under way */
#define ST_DONE 5u    /* procedure finished */
#define ST_FAILED 6u  /* error sticks */
#define ST_BIT(state) (1u << (state))
#define ST_ANY 0x3fu /* but ST_FAILED */

#define NO_COMPONENT 255u
#define DEV_MAGIC 0x50534954u    /* "PSIT": an initialised context */
#define MAN_VERIFIED 0x5a96c3e1u /* signature and digest were right (glitch pattern) */

/* Sets the error; the first one sticks. `code` is given without its sign, which Thumb
 * loads in one instruction: fail(p, -PICOSUIT_E_X, ...). What was read last becomes zero.
 */
static int fail(picosuit *p, int code, uint32_t offset, int32_t label) {
    picosuit_error *e = &p->error;

    if (p->state != ST_FAILED) {
        e->offset = offset;
        e->label = label;
        e->code = (int16_t)-code;
        e->section = p->section;
        e->component = p->component;
        p->state = ST_FAILED;
    }
    p->r.val = 0;
    return e->code;
}

static int is_failed(const picosuit *p) {
    return p->state == ST_FAILED;
}

/* Failure of the command being checked or executed, or of the item being received. */
static int fail_here(picosuit *p, int code) {
    return fail(p, code, p->at, p->label);
}

/* Classifies a callback's answer: 0 and `answer` are documented, all else is a failure.
 */
static int dev_result(picosuit *p, int st, int answer) {
    if (st == PICOSUIT_OK || st == PICOSUIT_AGAIN || st == answer) {
        return st;
    }
    if (!is_failed(p)) {
        p->error.platform = st;
    }
    return fail_here(p, -PICOSUIT_E_PLATFORM);
}

/* A callback that is needed is not there. */
static int dev_missing(picosuit *p) {
    return fail_here(p, -PICOSUIT_E_UNSUPPORTED);
}

static int dev_key(picosuit *p, int purpose, const uint8_t *kid, size_t kid_len,
                   picosuit_key *out) {
    memset(out, 0, sizeof *out);
    if (p->platform->key == NULL) {
        return 0;
    }
    return dev_result(p, p->platform->key(p->dev, purpose, p->sub, kid, kid_len, out), 1);
}

static int dev_component(picosuit *p, const uint8_t *id, size_t id_len, uint8_t *handle,
                         uint8_t *kind) {
    int st = 0;

    *handle = NO_COMPONENT;
    *kind = 0;
    if (p->platform->component != NULL) {
        st = p->platform->component(p->dev, p->signer[p->chosen], id, id_len, handle,
                                    kind);
    }
    return st == PICOSUIT_E_RIGHTS ? st : dev_result(p, st, 1);
}

static int dev_identity(picosuit *p, int what, uint8_t *buf) {
    memset(buf, 0, 16);
    if (p->platform->identity == NULL) {
        return 0;
    }
    return dev_result(p, p->platform->identity(p->dev, p->handle, what, p->step_off, buf),
                      1);
}

#if PICOSUIT_WITH_SLOTS
static int dev_slot(picosuit *p, uint32_t *out) {
    *out = 0;
    if (p->platform->slot == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->slot(p->dev, p->handle, p->procedure, out), 0);
}
#endif

static int dev_size(picosuit *p, unsigned handle, uint32_t *stored, uint32_t *capacity) {
    *stored = 0;
    *capacity = 0;
    if (p->platform->size == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->size(p->dev, handle, stored, capacity), 0);
}

static int dev_read(picosuit *p, unsigned handle, uint32_t off, uint8_t *buf,
                    size_t cap) {
    if (p->platform->read == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->read(p->dev, handle, off, buf, cap), 0);
}

/* begin, write and end come together: with one of them missing nothing is ever opened. */
static int dev_begin(picosuit *p, uint32_t *have) {
    const picosuit_platform *f = p->platform;

    *have = 0;
    if (f->begin == NULL || f->write == NULL || f->end == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, f->begin(p->dev, p->handle, p->pay_size, p->digest, have), 0);
}

static int dev_write(picosuit *p, uint32_t off) {
    int st = p->platform->write(p->dev, p->open, off, p->block, p->block_n);

    return dev_result(p, st, 0);
}

/* Closes what is open; also when it failed: it is called once. */
static int dev_end(picosuit *p, int good) {
    int st = dev_result(p, p->platform->end(p->dev, p->open, good), 0);

    if (st != PICOSUIT_AGAIN) {
        p->open = NO_COMPONENT;
    }
    return st;
}

static int dev_invoke(picosuit *p, const uint8_t *data, size_t len) {
    if (p->platform->invoke == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->invoke(p->dev, p->handle, data, len), 0);
}

static int dev_sequence(picosuit *p, uint64_t *floor, uint8_t *digest) {
    *floor = 0;
    memset(digest, 0, 32);
    if (p->platform->sequence == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->sequence(p->dev, floor, digest), PICOSUIT_NO_FLOOR);
}

#if PICOSUIT_WITH_SWAP
static int dev_swap(picosuit *p, unsigned source) {
    if (p->platform->swap == NULL) {
        return dev_missing(p);
    }
    return dev_result(p, p->platform->swap(p->dev, p->handle, source), 0);
}
#endif

static int dev_verify(picosuit *p, const picosuit_key *key, const uint8_t *data,
                      size_t len, const uint8_t *sig, size_t sig_len) {
    int st = p->platform->verify(p->dev, key, data, len, sig, sig_len);

    return dev_result(p, st, PICOSUIT_VERIFIED);
}

static void dev_record(picosuit *p, const picosuit_record *record) {
    if (p->platform->record != NULL) {
        (void)p->platform->record(p->dev, record);
    }
}

/* ====================================================================================
 * 10  CBOR reading (cbor_)
 *
 * Gives: a sticky reader, p->r, over bytes in memory. The first error ends every loop:
 * after it all reads give zero. An error is set where the last head began, with p->label
 * (the member, command or parameter being read). One thing is read at a time, so one
 * reader is enough; whoever reads starts with cbor_start.
 * Source: [RFC8949 4.2], deterministic encoding only: definite lengths, shortest heads.
 * Limits: lengths and counts below 2^32; integers up to 64 bits where asked for.
 * uses: 9
 * ==================================================================================== */

#define CBOR_UINT 0u
#define CBOR_NINT 1u
#define CBOR_BSTR 2u
#define CBOR_TSTR 3u
#define CBOR_ARRAY 4u
#define CBOR_MAP 5u
#define CBOR_TAG 6u
#define CBOR_SIMPLE 7u
#define CBOR_NONE 8u /* what a failed read gives */
#define CBOR_FALSE 20u
#define CBOR_TRUE 21u
#define CBOR_NULL 22u
#define CBOR_NIL 0xf6u          /* null as a byte */
#define CBOR_NO_END 0xffffffffu /* end of a reader that sees only a head */

/* Reads data[pos .. end); `delta` is the envelope offset of data[0] (modulo 2^32). */
static void cbor_start(picosuit *p, const uint8_t *data, uint32_t pos, uint32_t end,
                       uint32_t delta) {
    p->r.data = data;
    p->r.pos = pos;
    p->r.end = end;
    p->r.delta = delta;
}

static void cbor_fail_at(picosuit *p, int code, uint32_t pos) {
    (void)fail(p, code, pos + p->r.delta, p->label);
}

static void cbor_fail(picosuit *p, int code) {
    cbor_fail_at(p, code, p->r.head);
}

/* Bytes of the argument that follow the first byte of a head; 0 also if it has none. */
static uint32_t cbor_more(uint8_t first) {
    uint32_t ai = first & 31u;

    return ai >= 24 && ai < 28 ? (uint32_t)1 << (ai - 24) : 0;
}

/* The same for a value in its shortest form. [RFC8949 4.2.1] */
static uint32_t cbor_size(uint32_t val) {
    return val < 24 ? 0 : val < 0x100 ? 1 : val < 0x10000 ? 2 : 4;
}

/* Reads a head's argument, n bytes after the first one; all are present. */
static B_NOINLINE void cbor_argument(picosuit *p, uint32_t n) {
    const uint8_t *d = p->r.data + p->r.pos;

    p->r.pos += n + 1u;
    if (n == 0) {
        p->r.val = *d & 31u;
    }
    while (n > 0) {
        d++;
        n--;
        p->r.hi = p->r.hi << 8 | p->r.val >> 24;
        p->r.val = p->r.val << 8 | *d;
    }
}

/* What is wrong with a head whose argument (n bytes) was read: 0, or a code as for fail.
 */
static int cbor_wrong(const picosuit *p, uint32_t major, uint32_t n) {
    if (major == CBOR_SIMPLE && n != 0) { /* nothing here is a float */
        return n == 1 && p->r.val < 32 ? -PICOSUIT_E_CBOR : -PICOSUIT_E_TYPE;
    }
    if (n != (p->r.hi != 0 ? 8 : cbor_size(p->r.val))) {
        return -PICOSUIT_E_CBOR; /* too long, or a value that is reserved or indefinite */
    }
    if (major == CBOR_BSTR || major == CBOR_TSTR) {
        if (p->r.hi != 0 || p->r.val > p->r.end - p->r.pos) {
            return p->r.end == CBOR_NO_END ? -PICOSUIT_E_LIMIT : -PICOSUIT_E_BOUNDS;
        }
    }
    return p->r.hi != 0 && major > CBOR_NINT ? -PICOSUIT_E_LIMIT : 0;
}

/* Reads a head: returns its major type, leaves the argument in val and hi. Strings are
 * checked to lie within their container; their bytes are not consumed. */
static uint32_t cbor_head(picosuit *p) {
    uint32_t left = p->r.end - p->r.pos;
    uint32_t major, n;
    int wrong = -PICOSUIT_E_BOUNDS;

    p->r.head = p->r.pos;
    p->r.val = 0;
    p->r.hi = 0;
    if (is_failed(p)) {
        return CBOR_NONE;
    }
    n = left > 0 ? cbor_more(p->r.data[p->r.pos]) : 0;
    if (n < left) {
        major = (uint32_t)p->r.data[p->r.pos] >> 5;
        cbor_argument(p, n);
        wrong = cbor_wrong(p, major, n);
        if (wrong == 0) {
            return major;
        }
    }
    cbor_fail(p, wrong);
    return CBOR_NONE;
}

/* The next byte, to see what comes; 0 at the end. */
static uint32_t cbor_peek(const picosuit *p) {
    return p->r.pos < p->r.end ? p->r.data[p->r.pos] : 0u;
}

/* Reads a head that must be of one major type; returns its argument. */
static uint32_t cbor_expect(picosuit *p, uint32_t major) {
    if (cbor_head(p) != major) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
    return p->r.val;
}

/* Reads an integer label or algorithm; what does not fit 31 bits is no known label. */
static int32_t cbor_int(picosuit *p) {
    uint32_t major = cbor_head(p);

    if (major > CBOR_NINT) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    } else if (p->r.hi != 0 || p->r.val > 0x7ffffffeu) {
        cbor_fail(p, -PICOSUIT_E_LIMIT);
    }
    return major == CBOR_NINT ? -1 - (int32_t)p->r.val : (int32_t)p->r.val;
}

/* Reads a map key. Deterministic order of integer keys: 0, 1, 2, ... then -1, -2, ...
 * `last` keeps the order of the key before, from 1; 0: none. [RFC8949 4.2.1] */
static int32_t cbor_key(picosuit *p, uint32_t *last) {
    int32_t label = cbor_int(p);
    uint32_t order = 1u + (label < 0 ? 0x7fffffffu - (uint32_t)label : (uint32_t)label);

    if (order <= *last) {
        cbor_fail(p, -PICOSUIT_E_ORDER);
    }
    *last = order;
    return label;
}

/* Reads a whole string; returns the position of its bytes, their number is in val. */
static B_NOINLINE uint32_t cbor_string(picosuit *p, uint32_t major) {
    uint32_t len = cbor_expect(p, major);
    uint32_t pos = p->r.pos;

    p->r.pos += len;
    return pos;
}

static uint32_t cbor_bytes(picosuit *p) {
    return cbor_string(p, CBOR_BSTR);
}

/* Skips one item of any kind. `left` counts items still to come, so nesting costs no
 * memory; every item is at least one byte, so the loop ends. */
static void cbor_skip(picosuit *p) {
    uint32_t left = 1;

    while (left > 0 && !is_failed(p)) {
        uint32_t major = cbor_head(p);
        uint32_t more = 0;

        if (major == CBOR_BSTR || major == CBOR_TSTR) {
            p->r.pos += p->r.val;
        } else if (major == CBOR_TAG) {
            more = 1;
        } else if (major == CBOR_ARRAY || major == CBOR_MAP) {
            more = p->r.val << (major - CBOR_ARRAY);
            if (p->r.val > p->r.end - p->r.pos) {
                cbor_fail(p, -PICOSUIT_E_BOUNDS);
            }
        }
        left += more - 1u;
    }
}

/* Nothing may stand before the end of the container. */
static void cbor_end(picosuit *p) {
    if (p->r.pos != p->r.end) {
        cbor_fail_at(p, -PICOSUIT_E_TRAILING, p->r.pos);
    }
}

/* Enters a byte string that wraps an item; returns what cbor_close needs. */
static uint32_t cbor_open(picosuit *p) {
    uint32_t outer = p->r.end;
    uint32_t len = cbor_expect(p, CBOR_BSTR);

    p->r.end = p->r.pos + len;
    return outer;
}

static void cbor_close(picosuit *p, uint32_t outer) {
    cbor_end(p);
    p->r.end = outer;
}

/* The base of all positions: the caller's envelope, or what was kept of it in work. */
static const uint8_t *cbor_base(const picosuit *p) {
    return p->data != NULL ? p->data : p->work;
}

/* Bytes of a string below 64 KiB that was read before, by the position of its head; NULL
 * and 0 for position 0. Leaves the reader alone. */
static const uint8_t *cbor_text(const picosuit *p, uint32_t pos, uint32_t *len) {
    const uint8_t *d = cbor_base(p);
    uint32_t n;

    *len = 0;
    if (pos == 0) {
        return NULL;
    }
    d += pos;
    n = cbor_more(*d);
    *len = n == 0 ? *d & 31u : n == 1 ? d[1] : (uint32_t)d[1] << 8 | d[2];
    return d + 1 + n;
}

/* ====================================================================================
 * 11  CBOR writing (put_)
 *
 * Gives: heads and strings into a window of the output, which may be smaller than the
 * output: `len` counts on, so the caller learns the size it needs.
 * Source: [RFC8949 4.2]
 * uses: 10
 * ==================================================================================== */

typedef struct {
    uint8_t *buf;
    size_t cap;
    size_t off; /* first byte of the output that is wanted */
    size_t len; /* bytes put so far */
} put_writer;

static void put_start(put_writer *w, uint8_t *buf, size_t cap, size_t off) {
    w->buf = buf;
    w->cap = cap;
    w->off = off;
    w->len = 0;
}

static void put_bytes(put_writer *w, const uint8_t *data, size_t len) {
    size_t i;

    for (i = 0; i < len; i++) {
        size_t at = w->len - w->off; /* huge before the window */

        if (at < w->cap) {
            w->buf[at] = data[i];
        }
        w->len++;
    }
}

static void put_head(put_writer *w, uint32_t major, uint32_t val) {
    uint32_t n = cbor_size(val);
    uint8_t head[5];
    uint32_t i;

    head[0] = (uint8_t)(major << 5 | (n == 0 ? val : 23u + (n + 2u) / 2u));
    for (i = n; i > 0; i--) {
        head[i] = (uint8_t)val;
        val >>= 8;
    }
    put_bytes(w, head, n + 1);
}

static void put_string(put_writer *w, uint32_t major, const uint8_t *data, uint32_t len) {
    put_head(w, major, len);
    put_bytes(w, data, len);
}
/* ====================================================================================
 * 12  COSE (cose_)
 *
 * Gives: the authentication wrapper (the only parser that sees bytes before a signature
 * is known to be good, together with sections 10 and 17), and encryption-info.
 * Source: [RFC9052 3, 4.2, 5.1, 6.2], [M 8.3], [FE 3.3]; Ed25519 [RFC9864].
 * Limits: 4 blocks, 64 bytes of protected header; header values that are maps or arrays
 * are refused, except the ephemeral key of a recipient.
 * uses: 1 3 4 5 7 8 9 10 11
 * ==================================================================================== */

#define COSE_SIGN1 18u
#define COSE_MAC0 17u
#define COSE_SIGN 98u
#define COSE_MAC 97u
#define COSE_ENCRYPT 96u
#define COSE_CHACHA20_POLY1305 24

/* Header labels we know, and their indices in cose_item.at. */
static const int8_t cose_labels[] = {1, 4, 5, -1, -20};

#define COSE_ALG 0u
#define COSE_KID 1u
#define COSE_IV 2u
#define COSE_EPHEMERAL 3u
#define COSE_SALT 4u
#define COSE_KNOWN 5u

/* What an authentication block, an encryption-info or a recipient says. */
typedef struct {
    int32_t alg;             /* 0: none, or nothing for us */
    uint32_t tag;            /* of a block */
    uint32_t prot_pos;       /* protected header: its byte string, head included */
    uint32_t prot_len;       /* bytes */
    uint32_t body_pos;       /* signature, or wrapped key */
    uint32_t body_len;       /* bytes */
    uint32_t iv_pos;         /* recipient: the 12 bytes of the encryption-info's IV */
    uint32_t at[COSE_KNOWN]; /* positions of the values of known labels, 0: absent */
} cose_item;

/* Values of labels we do not know are skipped if they are simple; "crit" would have to
 * name them if they mattered, and "crit" is refused. */
static void cose_skip_value(picosuit *p) {
    uint32_t major = cbor_head(p);

    if (major == CBOR_BSTR || major == CBOR_TSTR) {
        p->r.pos += p->r.val;
    } else if (major > CBOR_TSTR && (major != CBOR_SIMPLE || p->r.val < CBOR_FALSE)) {
        cbor_fail(p, -PICOSUIT_E_COSE);
    }
}

/* Whether the protected header map at pos, which was read before, has a label. */
static B_NOINLINE int cose_has_label(picosuit *p, uint32_t pos, int32_t label) {
    uint32_t back = p->r.pos;
    uint32_t n;
    int is_there = 0;

    p->r.pos = pos;
    for (n = cbor_expect(p, CBOR_MAP); n > 0 && !is_failed(p); n--) {
        is_there |= cbor_int(p) == label;
        cbor_skip(p);
    }
    p->r.pos = back;
    return is_there;
}

/* Skips a COSE_Key: its members ascend, too. */
static void cose_skip_key(picosuit *p) {
    uint32_t last = 0;
    uint32_t n = cbor_expect(p, CBOR_MAP);

    for (; n > 0 && !is_failed(p); n--) {
        (void)cbor_key(p, &last);
        cbor_skip(p);
    }
}

/* Reads one header map. `allowed` has the labels that mean something in this bucket; no
 * label may stand in the other one (at `other`, 0: none) as well. [RFC9052 3] */
static void cose_header_map(picosuit *p, cose_item *c, uint32_t allowed, uint32_t other) {
    uint32_t last = 0;
    uint32_t n = cbor_expect(p, CBOR_MAP);

    for (; n > 0 && !is_failed(p); n--) {
        int32_t label = cbor_key(p, &last);
        uint32_t at = p->r.head;
        uint32_t i = 0;

        while (i < COSE_KNOWN && cose_labels[i] != label) {
            i++;
        }
        if (label == 2 || (label == 1 && (allowed & 1u << COSE_ALG) == 0)) {
            /* crit: whatever it names, it is more than we need; alg: in the wrong place
             */
            cbor_fail(p, -PICOSUIT_E_COSE);
        } else if (other != 0 && cose_has_label(p, other, label)) {
            cbor_fail_at(p, -PICOSUIT_E_ORDER, at);
        }
        if ((allowed >> i & 1u) == 0) {
            cose_skip_value(p);
            continue;
        }
        c->at[i] = p->r.pos;
        if (i == COSE_ALG) {
            c->alg = cbor_int(p);
        } else if (i == COSE_EPHEMERAL) {
            cose_skip_key(p);
        } else {
            (void)cbor_bytes(p);
        }
    }
}

/* Reads an array of n up to its third element: protected headers (a byte string, perhaps
 * empty) and unprotected ones. */
static void cose_read(picosuit *p, cose_item *c, uint32_t n, uint32_t unprotect) {
    uint32_t outer;
    uint32_t map = 0;

    memset(c, 0, sizeof *c);
    if (cbor_expect(p, CBOR_ARRAY) != n) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
    c->prot_pos = p->r.pos;
    outer = cbor_open(p);
    if (p->r.val > PICOSUIT_MAX_PROTECTED) {
        cbor_fail(p, -PICOSUIT_E_LIMIT);
    }
    if (p->r.pos != p->r.end) {
        map = p->r.pos;
        cose_header_map(p, c, 1u << COSE_ALG | (unprotect & 1u << COSE_KID), 0);
    }
    cbor_close(p, outer);
    c->prot_len = p->r.pos - c->prot_pos;
    if (c->at[COSE_ALG] == 0 && (unprotect & 1u << COSE_ALG) == 0) {
        cbor_fail_at(p, -PICOSUIT_E_COSE, c->prot_pos); /* it has to be protected */
    }
    cose_header_map(p, c, unprotect, map);
}

static void cose_null(picosuit *p) {
    if (cbor_expect(p, CBOR_SIMPLE) != CBOR_NULL) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
}

/* A type that does not fit into a COSE structure is a COSE error. */
static B_NOINLINE void cose_retype(picosuit *p) {
    if (p->error.code == PICOSUIT_E_TYPE) {
        p->error.code = PICOSUIT_E_COSE;
    }
}

/* SUIT_Digest: array of 2, SHA-256, 32 bytes; returns their position. [M 10] */
static uint32_t cose_digest(picosuit *p) {
    uint32_t pos;

    if (cbor_expect(p, CBOR_ARRAY) != 2) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
    if (cbor_int(p) != -16) {
        cbor_fail(p, -PICOSUIT_E_ALG);
    }
    pos = cbor_bytes(p);
    if (p->r.val != 32) {
        cbor_fail(p, -PICOSUIT_E_VALUE);
    }
    return pos;
}

static int cose_is_ed25519(int32_t alg) {
    return alg == PICOSUIT_ALG_ED25519 || alg == PICOSUIT_ALG_EDDSA;
}

/* Whether anything here can check a block: 0, or the purpose of the key it needs. */
static int cose_purpose(const picosuit *p, const cose_item *b) {
    if (b->tag == COSE_SIGN1 &&
        (cose_is_ed25519(b->alg) || p->platform->verify != NULL)) {
        return PICOSUIT_PURPOSE_VERIFY;
    }
    if (PICOSUIT_WITH_MAC && b->tag == COSE_MAC0 && b->alg == PICOSUIT_ALG_HMAC256) {
        return PICOSUIT_PURPOSE_MAC;
    }
    return 0;
}

/* Reads a block: bstr wrapping a tagged COSE_Sign1 or COSE_Mac0. COSE_Sign and COSE_Mac
 * are well known but not supported: their content is skipped. [M 8.3] */
static void cose_read_block(picosuit *p, cose_item *b) {
    uint32_t outer = cbor_open(p);
    uint32_t tag;

    memset(b, 0, sizeof *b);
    if (is_failed(p)) {
        return;
    }
    tag = cbor_expect(p, CBOR_TAG);
    if (tag == COSE_SIGN || tag == COSE_MAC) {
        p->r.pos = p->r.end;
    } else {
        if (tag != COSE_SIGN1 && tag != COSE_MAC0) {
            cbor_fail(p, -PICOSUIT_E_COSE);
        }
        cose_read(p, b, 4, 1u << COSE_KID);
        cose_null(p); /* the payload is detached: it is the SUIT_Digest */
        b->body_pos = cbor_bytes(p);
        b->body_len = p->r.val;
    }
    b->tag = tag;
    cbor_close(p, outer);
    cose_retype(p);
}

/* Builds the Sig_structure or MAC_structure in p->u.msg; returns its length, at most
 * 1 + 11 + 66 + 1 + 2 + 36 = 117. [RFC9052 4.4, 6.3] */
static size_t cose_message(picosuit *p, const cose_item *b) {
    put_writer w;

    put_start(&w, p->u.msg, sizeof p->u.msg, 0);
    if (b->tag == COSE_SIGN1) {
        put_bytes(&w, (const uint8_t *)"\x84\x6aSignature1", 12);
    } else {
        put_bytes(&w, (const uint8_t *)"\x84\x64MAC0", 6);
    }
    put_bytes(&w, p->r.data + b->prot_pos, b->prot_len);
    put_bytes(&w, (const uint8_t *)"\x40\x58\x24\x82\x2f\x58\x20", 7);
    put_bytes(&w, p->digest, 32);
    return w.len;
}

/* Tries a key on a block: PICOSUIT_VERIFIED, 0 (no), AGAIN or an error. */
static int cose_check(picosuit *p, const cose_item *b, const picosuit_key *key) {
    const uint8_t *sig = p->r.data + b->body_pos;
    size_t len = cose_message(p, b);
    int is_good = 0;

#if PICOSUIT_WITH_MAC
    if (b->tag == COSE_MAC0) {
        hmac_sha256(p->block, key->key, key->key_len, p->u.msg, len);
        is_good = b->body_len == 32 && ct_equal(p->block, sig, 32) == CT_YES;
        return is_good ? PICOSUIT_VERIFIED : 0;
    }
#endif
    if (!cose_is_ed25519(b->alg)) {
        return dev_verify(p, key, p->u.msg, len, sig, b->body_len);
    }
    is_good = b->body_len == 64 && ed25519_verify_any(sig, key->key, key->key_len,
                                                      p->u.msg, len) == PICOSUIT_OK;
    return is_good ? PICOSUIT_VERIFIED : 0;
}

#if PICOSUIT_WITH_ENCRYPTION
/* Enc_structure ["Encrypt", h'a1011818', h'']. [RFC9052 5.3] */
static const uint8_t cose_aad[15] = {0x83, 0x67, 'E',  'n',  'c',  'r',  'y', 'p',
                                     't',  0x44, 0xa1, 0x01, 0x18, 0x18, 0x40};

/* Start of an ephemeral COSE_Key {1: 1 (OKP), -1: 4 (X25519), -2: x}; x follows. Another
 * key type or curve is for another device. [RFC9053 7.2] */
static const uint8_t cose_okp[8] = {0xa3, 0x01, 0x01, 0x20, 0x04, 0x21, 0x58, 0x20};

/* KEK by ECDH-ES over X25519 and HKDF. The KDF context is constant, since the recipient's
 * protected header is. [FE 3.3], [RFC9053 6.4.1] */
static int cose_agree(picosuit *p, const cose_item *c, const picosuit_key *key,
                      uint8_t *kek) {
    static const uint8_t info[42] = {0x84, 0x22, 0x83, 0xf6, 0xf6, 0xf6, 0x83, 0xf6, 0xf6,
                                     0xf6, 0x83, 0x18, 0x80, 0x44, 0xa1, 0x01, 0x38, 0x1c,
                                     0x57, 'S',  'U',  'I',  'T',  ' ',  'P',  'a',  'y',
                                     'l',  'o',  'a',  'd',  ' ',  'E',  'n',  'c',  'r',
                                     'y',  'p',  't',  'i',  'o',  'n'};
    uint32_t salt_len;
    const uint8_t *salt = cbor_text(p, c->at[COSE_SALT], &salt_len);
    const uint8_t *point = p->r.data + c->at[COSE_EPHEMERAL] + sizeof cose_okp;
    int st = x25519(p->block, key->key, point);

    if (st == PICOSUIT_OK) {
        st = hkdf_sha256(kek, 16, salt, salt_len, p->block, 32, info, sizeof info);
    }
    return st;
}

/* Tries a key on a recipient: PICOSUIT_VERIFIED and p->u.aead is started, or 0. The block
 * has room for the secrets, since no payload byte has come yet. */
static int cose_unwrap(picosuit *p, const cose_item *c, const picosuit_key *key) {
    uint8_t *kek = p->block + 32;
    int st = PICOSUIT_E_CRYPTO;

    if (c->alg == PICOSUIT_ALG_A128KW) {
        if (key->key_len == 16) {
            memcpy(kek, key->key, 16);
            st = PICOSUIT_OK;
        }
    } else if (key->key_len == 32) {
        st = cose_agree(p, c, key, kek);
    }
    if (st == PICOSUIT_OK) {
        st = aes128_unwrap(p->block, kek, p->r.data + c->body_pos, 40);
    }
    if (st == PICOSUIT_OK) {
        aead_init(&p->u.aead, p->block, p->r.data + c->iv_pos, cose_aad, sizeof cose_aad);
    }
    wipe(p->block, sizeof p->block);
    return st == PICOSUIT_OK ? PICOSUIT_VERIFIED : 0;
}
#endif

/* Tries keys on item i, if it is the one whose turn it is: number p->step_off, key
 * p->sub. PICOSUIT_VERIFIED, 0 (none fits), AGAIN or an error. */
static int cose_try(picosuit *p, const cose_item *c, uint32_t i, int purpose) {
    uint32_t kid_len;
    const uint8_t *kid = cbor_text(p, c->at[COSE_KID], &kid_len);
    picosuit_key key;
    int st = 0;

    if (i != p->step_off) {
        return 0;
    }
    while (purpose != 0 && st == 0) {
        st = dev_key(p, purpose, kid, kid_len, &key);
        if (st != 1) {
            break;
        }
        st = 0;
        if (key.alg == c->alg) {
#if PICOSUIT_WITH_ENCRYPTION
            st = purpose == PICOSUIT_PURPOSE_DECRYPT ? cose_unwrap(p, c, &key)
                                                     : cose_check(p, c, &key);
#else
            st = cose_check(p, c, &key);
#endif
        }
        if (st == 0 && ++p->sub == 0) { /* 256 keys: the platform does not stop */
            return fail_here(p, -PICOSUIT_E_LIMIT);
        }
    }
    if (st == PICOSUIT_VERIFIED && purpose != PICOSUIT_PURPOSE_DECRYPT) {
        p->signer[p->signers] = key.id;
        p->rights[p->signers] = (uint8_t)key.rights;
        p->signers++;
    }
    if (st == 0 || st == PICOSUIT_VERIFIED) {
        p->step_off++;
        p->sub = 0;
    }
    return st;
}

/* Reads the wrapper. First whole, before any of it is believed: leaves the (not yet
 * authentic) digest in p->digest, and whether any block can be checked in p->phase. Then
 * again to verify: all blocks are tried, at least one must verify; resumes after AGAIN.
 */
static int cose_wrapper(picosuit *p, int is_verifying) {
    uint32_t n = cbor_expect(p, CBOR_ARRAY);
    uint32_t digest, outer, i;
    cose_item b;
    int st = PICOSUIT_E_STATE;

    if (n == 0) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
    outer = cbor_open(p);
    digest = cose_digest(p);
    cbor_close(p, outer);
    for (i = 1; i < n && !is_failed(p); i++) {
        int purpose;

        if (i > PICOSUIT_MAX_BLOCKS) {
            cbor_fail_at(p, -PICOSUIT_E_LIMIT, p->r.pos);
        }
        cose_read_block(p, &b);
        purpose = cose_purpose(p, &b);
        if (is_verifying) {
            st = cose_try(p, &b, i - 1u, purpose);
            if (st != 0 && st != PICOSUIT_VERIFIED) {
                return st;
            }
        } else if (purpose != 0) {
            p->phase = 1;
        }
    }
    cbor_end(p);
    if (is_failed(p)) {
        return p->error.code;
    }
    memcpy(p->digest, p->r.data + digest, 32);
    if (is_verifying && p->signers == 0) {
        return fail_here(p, n > 1 && p->phase == 0 ? -PICOSUIT_E_ALG : -PICOSUIT_E_AUTH);
    }
    return PICOSUIT_OK;
}

#if PICOSUIT_WITH_ENCRYPTION
/* Whether the protected header is exactly {1: alg}, as the constants above have it. */
static int cose_is_protected(const picosuit *p, const cose_item *c, const void *want) {
    return c->prot_len == 5 && memcmp(p->r.data + c->prot_pos, want, 5) == 0;
}

/* Reads a recipient; c->alg becomes 0 if it is of a kind that is not for us. */
static void cose_recipient(picosuit *p, cose_item *c) {
    uint32_t okp;

    cose_read(p, c, 3,
              1u << COSE_ALG | 1u << COSE_KID | 1u << COSE_EPHEMERAL | 1u << COSE_SALT);
    c->body_pos = cbor_bytes(p);
    okp = c->at[COSE_EPHEMERAL];
    if (is_failed(p)) {
        c->alg = 0;
    } else if (c->alg == PICOSUIT_ALG_ECDH_ES_A128KW) {
        if (!cose_is_protected(p, c, "\x44\xa1\x01\x38\x1c") || okp == 0) {
            cbor_fail_at(p, -PICOSUIT_E_COSE, c->prot_pos);
        } else if (p->r.pos - okp < 40 || memcmp(p->r.data + okp, cose_okp, 8) != 0) {
            c->alg = 0;
        }
    } else if (c->alg != PICOSUIT_ALG_A128KW) {
        if (c->at[COSE_ALG] == 0) {
            cbor_fail_at(p, -PICOSUIT_E_COSE, c->prot_pos);
        }
        c->alg = 0;
    } else if (p->r.data[c->prot_pos] > 0x41) { /* with -3 nothing can be protected */
        cbor_fail_at(p, -PICOSUIT_E_COSE, c->prot_pos);
    }
    if (c->alg != 0 && p->r.pos - c->body_pos != 40) {
        cbor_fail(p, -PICOSUIT_E_VALUE);
    }
}

/* Walks an encryption-info; the reader is inside its byte string. For `begin` all of it
 * is checked. When the command runs, finds the content key: OK, AGAIN or an error. All
 * that can go wrong then is E_DECRYPT: no oracle. [FE 3.2] */
static B_NOINLINE int cose_encrypt(picosuit *p, int is_running) {
    uint32_t i, n, iv;
    int is_known = 0;
    cose_item c;
    int st = PICOSUIT_E_STATE;

    if (is_failed(p)) {
        return p->error.code;
    }
    if (cbor_expect(p, CBOR_TAG) != COSE_ENCRYPT) {
        cbor_fail(p, -PICOSUIT_E_COSE);
    }
    cose_read(p, &c, 4, 1u << COSE_ALG | 1u << COSE_IV | 1u << COSE_KID);
    if (c.at[COSE_ALG] != 0 && c.alg != COSE_CHACHA20_POLY1305) {
        (void)fail_here(p, -PICOSUIT_E_ALG);
    }
    /* The additional data covers the protected header. */
    if (!cose_is_protected(p, &c, cose_aad + 9)) {
        cbor_fail_at(p, -PICOSUIT_E_COSE, c.prot_pos);
    }
    iv = c.at[COSE_IV];
    if (iv == 0) {
        cbor_fail_at(p, -PICOSUIT_E_COSE, c.prot_pos + 5u);
    } else if (p->r.data[iv] != 0x4c) { /* 12 bytes */
        cbor_fail_at(p, -PICOSUIT_E_VALUE, iv);
    }
    cose_null(p); /* the ciphertext is detached: it is the payload */
    n = cbor_expect(p, CBOR_ARRAY);
    if (n == 0) {
        cbor_fail(p, -PICOSUIT_E_COSE);
    }
    for (i = 0; i < n && !is_failed(p); i++) {
        cose_recipient(p, &c);
        is_known |= c.alg != 0;
        c.iv_pos = iv + 1u;
        if (is_running) {
            st = cose_try(p, &c, i, c.alg != 0 ? PICOSUIT_PURPOSE_DECRYPT : 0);
            if (st != 0) {
                return st == PICOSUIT_VERIFIED ? PICOSUIT_OK : st;
            }
        }
    }
    cose_retype(p);
    if (is_running) {
        return fail_here(p, -PICOSUIT_E_DECRYPT);
    }
    return is_known ? PICOSUIT_OK : fail_here(p, -PICOSUIT_E_ALG);
}
#endif

/* ====================================================================================
 * 13  Manifest model (man_)
 *
 * Gives: where the parts of an authenticated manifest are, and the table of components
 * with their parameters. Nothing is copied: a parameter is the position of its value.
 * Source: [M 8.4], [M 8.4.5], [M 8.4.8]; design: docs/design.md "Memory".
 * Limits: positions are 16 bits: the manifest and its severed sequences end below 64 KiB.
 * uses: 1 2 9 10 12
 * ==================================================================================== */

/* Members that are byte strings, and their indices in sec_pos: validate, load, invoke,
 * payload-fetch, install, the shared sequence (inside common); not executed: CoSWID and
 * text. From payload-fetch on they may be severed (but not the shared sequence): sec_pos
 * is then the position of the digest, and the bit in `sections` is 0. */
static const uint8_t man_members[] = {7, 8, 9, 16, 20, PICOSUIT_SECTION_SHARED, 14, 23};

#define MAN_VALIDATE 0u
#define MAN_LOAD 1u
#define MAN_INVOKE 2u
#define MAN_FETCH 3u
#define MAN_INSTALL 4u
#define MAN_SHARED 5u
#define MAN_SECTIONS 6u
#define MAN_MEMBERS 8u

/* Parameters that belong to a component, in the order of its table entry. The first place
 * is that of the command that spoiled it (closed it with other bytes than image-digest
 * says); an image-match afterwards has taken notice. */
static const uint8_t man_labels[] = {0, 1, 2, 3, 5, 14, 18, 19, 21, 22, 23, 24, 25};

#define MAN_LABELS 13u
#define MAN_SPOILED 0
#define MAN_VENDOR 1
#define MAN_CLASS 2
#define MAN_DIGEST 3
#define MAN_SLOT 5
#define MAN_STRICT_ORDER 12
#define MAN_SOFT_FAILURE 13
#define MAN_SIZE 14
#define MAN_CONTENT 18
#define MAN_ENCRYPTION 19
#define MAN_URI 21
#define MAN_SOURCE 22
#define MAN_ARGS 23
#define MAN_DEVICE 24
#define MAN_FETCH_ARGS 25

/* Envelope offset of a position (of the first byte of an item). */
static uint32_t man_offset(const picosuit *p, uint32_t pos) {
    uint32_t i;

    if (p->data != NULL) {
        return pos;
    }
    for (i = MAN_INSTALL; i >= MAN_FETCH; i--) {
        uint32_t delta = p->sec_delta[i - MAN_FETCH];

        if (delta != 0 && pos - p->sec_pos[i] <= p->sec_len[i]) {
            return pos + delta;
        }
    }
    return p->man_base + (pos - p->man_pos);
}

/* Envelope offset of the head of the manifest's byte string. */
static uint32_t man_head(const picosuit *p) {
    return p->man_base - 1u - cbor_size(p->man_len);
}

/* Reads len bytes at a position. */
static void man_start(picosuit *p, uint32_t pos, uint32_t len) {
    cbor_start(p, cbor_base(p), pos, pos + len, man_offset(p, pos) - pos);
}

/* Reads a value whose extent was checked before. */
static void man_value(picosuit *p, uint32_t pos) {
    man_start(p, pos, PICOSUIT_MAX_STORED);
}

/* Index in man_members, or MAN_MEMBERS. */
static uint32_t man_index(uint32_t key) {
    uint32_t i = 0;

    while (i < MAN_MEMBERS && man_members[i] != key) {
        i++;
    }
    return i;
}

static int man_has_section(const picosuit *p, uint32_t i) {
    return p->sections >> i & 1;
}

/* Whether the manifest has a digest in the place of member i, and the member did not
 * come. */
static int man_is_severed(const picosuit *p, uint32_t i) {
    return i >= MAN_FETCH && i < MAN_MEMBERS && p->sec_pos[i] != 0 &&
           !man_has_section(p, i);
}

/* Reads one component identifier; returns its position. [M 8.4.5] */
static uint32_t man_read_id(picosuit *p) {
    uint32_t pos = p->r.pos;
    uint32_t n = cbor_expect(p, CBOR_ARRAY);

    for (; n > 0 && !is_failed(p); n--) {
        (void)cbor_bytes(p);
    }
    return pos;
}

/* Reads the components array; the same identifier twice would make two parameter sets
 * for one thing. */
static void man_read_components(picosuit *p) {
    uint32_t i, pos, end, first;
    uint32_t n = cbor_expect(p, CBOR_ARRAY);

    p->comp_pos = (uint16_t)p->r.pos;
    p->components = (uint8_t)n;
    if (n == 0) {
        cbor_fail(p, -PICOSUIT_E_VALUE);
    }
    if (n > PICOSUIT_MAX_COMPONENTS) {
        cbor_fail(p, -PICOSUIT_E_LIMIT);
    }
    first = p->r.pos;
    for (i = 0; i < n && !is_failed(p); i++) {
        pos = man_read_id(p);
        end = p->r.pos;
        p->r.pos = first;
        while (p->r.pos < pos && !is_failed(p)) {
            uint32_t other = man_read_id(p);

            if (p->r.pos - other == end - pos &&
                memcmp(p->r.data + other, p->r.data + pos, end - pos) == 0) {
                cbor_fail_at(p, -PICOSUIT_E_COMPONENT, pos);
            }
        }
        p->r.pos = end;
    }
}

/* Reads a member that is a byte string, or (if severable) a digest. */
static B_NOINLINE void man_read_member(picosuit *p, uint32_t i) {
    uint32_t pos = p->r.pos;

    if (i == MAN_MEMBERS) {
        cbor_fail(p, -PICOSUIT_E_MEMBER);
    } else if (i >= MAN_FETCH && i != MAN_SHARED && cbor_peek(p) >> 5 == CBOR_ARRAY) {
        p->sec_pos[i] = (uint16_t)pos;
        (void)cose_digest(p);
    } else {
        pos = cbor_bytes(p);
        if (i < MAN_SECTIONS) {
            p->sec_pos[i] = (uint16_t)pos;
            p->sec_len[i] = (uint16_t)p->r.val;
            p->sections = (uint8_t)(p->sections | 1u << i);
        }
    }
}

/* Reads the content of common. [M 8.4.5] */
static void man_read_common(picosuit *p) {
    uint32_t outer = cbor_open(p);
    uint32_t last = 0;
    uint32_t n = cbor_expect(p, CBOR_MAP);

    for (; n > 0 && !is_failed(p); n--) {
        p->label = cbor_key(p, &last);
        if (p->label == 2) {
            man_read_components(p);
        } else if (p->label == 4) {
            man_read_member(p, MAN_SHARED);
        } else {
            cbor_fail(p, -PICOSUIT_E_MEMBER);
        }
    }
    cbor_close(p, outer);
}

/* Reads the value of manifest member `key`. [M 8.4] */
static void man_read_value(picosuit *p, int32_t key) {
    uint32_t pos = p->r.pos;

    switch (key) {
    case 1:
        if (cbor_expect(p, CBOR_UINT) != 1 || p->r.hi != 0) {
            cbor_fail(p, -PICOSUIT_E_VERSION);
        }
        break;
    case 2:
        p->seq_pos = (uint16_t)pos;
        (void)cbor_expect(p, CBOR_UINT);
        p->sequence = (uint64_t)p->r.hi << 32 | p->r.val;
        break;
    case 3: man_read_common(p); break;
    case 4:
        (void)cbor_string(p, CBOR_TSTR);
        if (p->r.val > PICOSUIT_MAX_URI) {
            cbor_fail_at(p, -PICOSUIT_E_LIMIT, pos - 1u); /* at the key */
        }
        p->uri_pos = (uint16_t)(is_failed(p) ? 0 : pos);
        break;
    default: man_read_member(p, man_index((uint32_t)key)); break;
    }
}

/* Reads the manifest, after signature and digest were right. Members 1, 2, 3 must come
 * first: they are required and keys ascend. [M 8.4], [M 6.1] */
static B_NOINLINE int man_read(picosuit *p) {
    uint32_t last = 0;
    uint32_t i, n;

    man_start(p, p->man_pos, p->man_len);
    p->label = 0;
    n = cbor_expect(p, CBOR_MAP);
    for (i = 1; (i <= n || i <= 3) && !is_failed(p); i++) {
        int32_t key = 0;

        if (i <= n) {
            key = cbor_key(p, &last);
        } else {
            p->r.head = p->r.pos; /* the map ended too early */
        }
        p->label = key;
        if (i <= 3 && key != (int32_t)i && !is_failed(p)) {
            p->label = (int32_t)i;
            cbor_fail(p, -PICOSUIT_E_MISSING);
        }
        man_read_value(p, key);
    }
    cbor_end(p);
    return p->error.code;
}

/* ---- Components in work, after the envelope: 13 positions, handle, kind ---------------
 */

static B_NOINLINE uint8_t *man_entry(const picosuit *p, uint32_t component) {
    return p->work + p->used + component * PICOSUIT_COMPONENT_SIZE;
}

#define MAN_HANDLE 26u /* in an entry, after the positions */
#define MAN_KIND 27u

static B_NOINLINE uint32_t man_place(int32_t label) {
    uint32_t i = 0;

    while (i < MAN_LABELS && man_labels[i] != label) {
        i++;
    }
    return 2 * i;
}

/* Position of a parameter's value, 0 if it is not set. */
static uint32_t man_get_of(const picosuit *p, uint32_t component, int32_t label) {
    const uint8_t *e = man_entry(p, component) + man_place(label);

    return (uint32_t)e[0] | (uint32_t)e[1] << 8;
}

static uint32_t man_get(const picosuit *p, int32_t label) {
    return man_get_of(p, p->component, label);
}

static void man_set(const picosuit *p, uint32_t component, int32_t label, uint32_t pos) {
    uint8_t *e = man_entry(p, component) + man_place(label);

    e[0] = (uint8_t)pos;
    e[1] = (uint8_t)(pos >> 8);
}

static int man_is_transient(uint32_t kind) {
    return (kind & 3u) == PICOSUIT_TRANSIENT;
}

/* A fetch into a transient component is recorded in the places of four parameters that
 * no command could use with it (docs/design.md "Transient components"). */
#define MAN_REC_URI MAN_CONTENT
#define MAN_REC_ARGS MAN_SOURCE
#define MAN_REC_SIZE MAN_ARGS
#define MAN_REC_CMD MAN_ENCRYPTION

static int man_is_record(int32_t label) {
    return label == MAN_REC_URI || label == MAN_REC_ARGS || label == MAN_REC_SIZE ||
           label == MAN_REC_CMD;
}

/* Value of an unsigned parameter that is set. */
static uint32_t man_uint(picosuit *p, uint32_t pos) {
    man_value(p, pos);
    return cbor_expect(p, CBOR_UINT);
}

/* The 32 bytes of the image-digest parameter, NULL if it is not set. Its form was
 * checked: 58 24 82 2f 58 20, then the bytes. */
static const uint8_t *man_digest(const picosuit *p) {
    uint32_t pos = man_get(p, MAN_DIGEST);

    return pos == 0 ? NULL : cbor_base(p) + pos + 6;
}

#define MAN_FALSE 0x100 /* a condition is false */

/* Whether the component stores exactly these bytes (content), or those with the digest
 * that is set (NULL): OK, MAN_FALSE, AGAIN or an error. Hashes exactly size bytes, read
 * back from storage; of storage that records its length the whole, never a part. Resumes
 * after AGAIN (p->sub, p->step_off). [M 8.4.9.2], [M 8.4.9.3]
 * CHOICE: without image-size the recorded length counts; with neither there is no match
 * (docs/choices.md). */
static int man_match(picosuit *p, const uint8_t *content, uint32_t size) {
    const uint8_t *want = man_digest(p);
    uint8_t *have = p->block;
    uint32_t n, stored, capacity;
    int st = PICOSUIT_E_STATE;

    if (p->sub == 0) {
        st = dev_size(p, p->handle, &stored, &capacity);
        if (st != PICOSUIT_OK) {
            return st;
        }
        if (size == PICOSUIT_UNKNOWN && stored != 0) {
            size = stored;
        }
        if (stored == PICOSUIT_FIXED ? size > capacity : size != stored) {
            return MAN_FALSE;
        }
        sha256_init(&p->sha);
        p->limit = size;
        p->sub = 1;
    }
    size = p->limit;
    if (content == NULL && p->trusted == p->component && p->trusted_len == size) {
        have = p->running;
    } else {
        for (; p->step_off < size; p->step_off += n) {
            n = size - p->step_off < 64 ? size - p->step_off : 64;
            st = dev_read(p, p->handle, p->step_off, p->block, n);
            if (st != PICOSUIT_OK) {
                return st;
            }
            sha256_update(&p->sha, p->block, n);
        }
        sha256_final(&p->sha, have);
    }
    if (content != NULL) { /* the same bytes have the same digest */
        sha256_init(&p->sha);
        sha256_update(&p->sha, content, size);
        sha256_final(&p->sha, p->block + 32);
        want = p->block + 32;
    }
    /* Twice, and only the full mask counts: one skipped instruction says no. */
    st = MAN_FALSE;
    if (ct_equal(have, want, 32) == CT_YES) {
        if (ct_equal(have, want, 32) == CT_YES) {
            st = PICOSUIT_OK;
        }
    }
    return st;
}

/* Whether what is stored has the digest and size that are set. */
static int man_is_installed(picosuit *p) {
    uint32_t pos = man_get(p, MAN_SIZE);
    uint32_t size = pos != 0 ? man_uint(p, pos) : PICOSUIT_UNKNOWN;

    return man_get(p, MAN_DIGEST) != 0 ? man_match(p, NULL, size) : MAN_FALSE;
}

/* ====================================================================================
 * 14  Payload pipe (pay_)
 *
 * Gives: bytes from the caller, the manifest or a component, through decryption, in
 * blocks of 64 into a component; resuming; refusing. One phase after another, each of
 * which may answer AGAIN and is then entered again.
 * Source: [FE 3], docs/design.md "Payload".
 * Limits: payloads below 4 GiB.
 * uses: 1 2 4 9 10 12 13
 * ==================================================================================== */

/* p->phase; a phase that the payload does not need is passed. */
#define PAY_START 0u   /* parameters are looked at */
#define PAY_MATCH 1u   /* is the destination right already? */
#define PAY_KEY 2u     /* encrypted: unwrap the content key */
#define PAY_AUTH 3u    /* and stored: first pass over the ciphertext */
#define PAY_FIND 4u    /* from the caller: is the payload in the envelope? */
#define PAY_ROOM 5u    /* does it fit? */
#define PAY_BEGIN 6u   /* open the component */
#define PAY_REBUILD 7u /* read back what is there from an earlier attempt */
#define PAY_STREAM 8u  /* bytes flow */
#define PAY_FLUSH 9u   /* the last block; tag or digest */
#define PAY_CLOSE 10u  /* end */
#define PAY_DONE 11u

/* p->pay_flags */
#define PAY_ENCRYPTED 1u
#define PAY_RUNNING 2u /* compute the digest of the plaintext on the way */
#define PAY_PUSH 4u    /* the caller brings the bytes */
#define PAY_CONTENT 8u /* they are parameter content */
#define PAY_READY 16u  /* the block was hashed and decrypted, it waits for write */
#define PAY_GOOD 32u   /* verdict for end */

/* p->want */
#define WANT_NONE 0u
#define WANT_ENVELOPE 1u /* search the envelope's payload members */
#define WANT_FOUND 2u    /* the payload is the current member */
#define WANT_URI 3u      /* the caller opens the URI */

static int pay_is(const picosuit *p, uint32_t flag) {
    return (p->pay_flags & flag) != 0;
}

static int pay_fail(picosuit *p, int code) {
    if (!is_failed(p)) {
        p->error.platform = (int32_t)p->pay_off;
    }
    return fail_here(p, code);
}

/* Reads n source bytes at off: parameter content, or the source component. */
static int pay_source(picosuit *p, uint32_t off, uint8_t *buf, uint32_t n) {
    uint32_t len;

    if (pay_is(p, PAY_CONTENT)) {
        memcpy(buf, cbor_text(p, man_get(p, MAN_CONTENT), &len) + off, n);
        return PICOSUIT_OK;
    }
    return dev_read(p, p->pay_source, off, buf, n);
}

/* Bytes that the wire has more than the plaintext: the tag. */
static uint32_t pay_extra(const picosuit *p) {
    return pay_is(p, PAY_ENCRYPTED) ? 16 : 0;
}

/* Bytes on the wire, or PICOSUIT_UNKNOWN. */
static uint32_t pay_wire(const picosuit *p) {
    return p->pay_size == PICOSUIT_UNKNOWN ? p->pay_size : p->pay_size + pay_extra(p);
}

/* The wire length is known: derive and check the plaintext length. */
static int pay_set_wire(picosuit *p, uint32_t wire) {
    uint32_t size = wire - pay_extra(p);

    if (size > wire || (p->pay_size != PICOSUIT_UNKNOWN && size != p->pay_size)) {
        return pay_fail(p, -PICOSUIT_E_LENGTH);
    }
    p->pay_size = size;
    return PICOSUIT_OK;
}

/* fetch into a transient component: nothing happens until the copy from it. */
static void pay_record(picosuit *p, uint32_t uri) {
    uint32_t size = man_get(p, MAN_SIZE);

    man_set(p, p->component, MAN_REC_URI, uri);
    man_set(p, p->component, MAN_REC_ARGS, man_get(p, MAN_FETCH_ARGS));
    man_set(p, p->component, MAN_REC_SIZE, size);
    man_set(p, p->component, MAN_REC_CMD, p->f.pos);
}

/* copy: finds out about the source, and the length of what it has. From a transient
 * component: the recorded fetch happens now; the record is used up. */
static B_NOINLINE int pay_copy(picosuit *p, uint32_t source, uint32_t *wire) {
    uint32_t stored, pos;
    int st = PICOSUIT_E_STATE;

    if (source == p->component) {
        return fail_here(p, -PICOSUIT_E_INDEX);
    }
    if (man_is_transient(man_entry(p, source)[MAN_KIND])) {
        p->fetch_uri = (uint16_t)man_get_of(p, source, MAN_REC_URI);
        p->fetch_args = (uint16_t)man_get_of(p, source, MAN_REC_ARGS);
        pos = man_get_of(p, source, MAN_REC_SIZE);
        *wire = pos != 0 ? man_uint(p, pos) : PICOSUIT_UNKNOWN;
        man_set(p, source, MAN_REC_URI, 0);
        p->pay_flags |= PAY_PUSH;
        p->limit = PICOSUIT_UNKNOWN - 1u; /* one of the sizes must be known */
        return p->fetch_uri != 0 ? PICOSUIT_OK : fail_here(p, -PICOSUIT_E_TRANSIENT);
    }
    p->pay_source = man_entry(p, source)[MAN_HANDLE];
    st = dev_size(p, p->pay_source, &stored, &p->limit);
    if (stored != PICOSUIT_FIXED) {
        *wire = stored;
        p->limit = stored;
    }
    return st == PICOSUIT_OK && stored == 0 ? pay_fail(p, -PICOSUIT_E_LENGTH) : st;
}

/* The lengths of plaintext and wire, from what the source has and from image-size. */
static int pay_sizes(picosuit *p, uint32_t wire) {
    uint32_t pos = man_get(p, MAN_SIZE);
    int st = PICOSUIT_OK;

    p->pay_size = PICOSUIT_UNKNOWN;
    if (pos != 0) {
        p->pay_size = man_uint(p, pos);
        if (p->pay_size > 0xffffffffu - 17u) {
            return pay_fail(p, -PICOSUIT_E_CAPACITY);
        }
    }
    if (wire != PICOSUIT_UNKNOWN) {
        st = pay_set_wire(p, wire);
    }
    if (p->label == MAN_SOURCE && pay_wire(p) > p->limit) { /* the source is shorter */
        return pay_is(p, PAY_PUSH) ? fail_here(p, -PICOSUIT_E_TRANSIENT)
                                   : pay_fail(p, -PICOSUIT_E_LENGTH);
    }
    return st;
}

/* Start of fetch, copy and write. The parameter each of them needs (uri,
 * source-component, content) has the number of the directive. */
static int pay_start(picosuit *p) {
    uint32_t pos = man_get(p, p->label);
    uint32_t wire = PICOSUIT_UNKNOWN;
    int st = PICOSUIT_OK;

    if (pos == 0) {
        return fail_here(p, -PICOSUIT_E_UNSET);
    }
    if (man_is_transient(p->kind)) { /* fetch: the only one that comes here */
        pay_record(p, pos);
        p->phase = PAY_CLOSE; /* was the last one */
        return PICOSUIT_OK;
    }
    p->pay_off = 0;
    p->block_n = 0;
    p->pay_flags = 0;
    if (p->label == MAN_URI) {
        p->fetch_uri = (uint16_t)pos;
        p->fetch_args = (uint16_t)man_get(p, MAN_FETCH_ARGS);
        p->pay_flags = PAY_PUSH;
    } else if (man_get(p, MAN_ENCRYPTION) != 0) {
        p->pay_flags = PAY_ENCRYPTED;
    }
    if (p->label == MAN_CONTENT) {
        (void)cbor_text(p, pos, &wire);
        p->pay_flags |= PAY_CONTENT;
    } else if (p->label == MAN_SOURCE) {
        st = pay_copy(p, man_uint(p, pos), &wire);
    }
    /* The tag, or image-match over storage, answers what a running digest would. */
    if ((p->kind & 3u) == PICOSUIT_TRUSTED ||
        (!pay_is(p, PAY_ENCRYPTED) && man_get(p, MAN_DIGEST) != 0)) {
        p->pay_flags |= PAY_RUNNING;
    }
    return st == PICOSUIT_OK ? pay_sizes(p, wire) : st;
}

/* What is there already need not be fetched or copied again. [M 8.4.10.4], [M 8.4.10.5]
 */
static int pay_match(picosuit *p) {
    int st = MAN_FALSE;

    if (!pay_is(p, PAY_CONTENT) && man_get(p, MAN_SIZE) != 0) {
        st = man_is_installed(p);
    }

    if (st == PICOSUIT_OK) {
        p->phase = PAY_CLOSE; /* was the last one */
    }
    return st == MAN_FALSE ? PICOSUIT_OK : st;
}

static int pay_room(picosuit *p) {
    uint32_t stored;
    int st = dev_size(p, p->handle, &stored, &p->limit);

    if (st == PICOSUIT_OK && p->pay_size != PICOSUIT_UNKNOWN && p->pay_size > p->limit) {
        st = pay_fail(p, -PICOSUIT_E_CAPACITY);
    }
    return st;
}

static int pay_begin(picosuit *p) {
    uint32_t have;
    int st = PICOSUIT_E_STATE;

    if (p->trusted == p->component || pay_is(p, PAY_RUNNING)) {
        p->trusted = NO_COMPONENT;
    }
    st = dev_begin(p, &have);
    if (st == PICOSUIT_OK) {
        p->open = p->handle;
        if (have % 64 != 0 || have > p->pay_size) {
            p->error.platform = (int32_t)have;
            st = fail_here(p, -PICOSUIT_E_PLATFORM);
        }
        sha256_init(&p->sha);
        p->pay_off = have;
    }
    return st;
}

/* Bytes [0, pay_off) lie in storage from an earlier attempt with the same manifest: bring
 * digest and tag to where they were. Ciphertext comes back from plaintext by XOR. */
static int pay_rebuild(picosuit *p) {
    int st = PICOSUIT_E_STATE;

    for (; p->step_off < p->pay_off && pay_is(p, PAY_RUNNING | PAY_ENCRYPTED);
         p->step_off += 64) {
        st = dev_read(p, p->handle, p->step_off, p->block, 64);
        if (st != PICOSUIT_OK) {
            return st;
        }
        if (pay_is(p, PAY_RUNNING)) {
            sha256_update(&p->sha, p->block, 64);
        }
#if PICOSUIT_WITH_ENCRYPTION
        if (pay_is(p, PAY_ENCRYPTED)) {
            aead_xor(&p->u.aead, p->block, 64, p->step_off);
            aead_auth(&p->u.aead, p->block, 64);
        }
#endif
    }
    return PICOSUIT_OK;
}

/* Writes the block. Decrypting and hashing happen once, write is asked until it answers.
 * In the first pass over stored ciphertext it is only authenticated. */
static int pay_block(picosuit *p) {
    uint32_t done = p->pay_off < p->pay_size ? p->pay_off : p->pay_size;
    uint32_t off = done - p->block_n;
    int st = PICOSUIT_E_STATE;

    if (!pay_is(p, PAY_READY)) {
#if PICOSUIT_WITH_ENCRYPTION
        if (pay_is(p, PAY_ENCRYPTED)) {
            aead_auth(&p->u.aead, p->block, p->block_n);
            if (p->phase == PAY_AUTH) {
                p->block_n = 0;
                return PICOSUIT_OK;
            }
            aead_xor(&p->u.aead, p->block, p->block_n, off);
        }
#endif
        if (pay_is(p, PAY_RUNNING)) {
            sha256_update(&p->sha, p->block, p->block_n);
        }
        p->pay_flags |= PAY_READY;
    }
    if (done > p->limit) {
        return pay_fail(p, -PICOSUIT_E_CAPACITY);
    }
    st = dev_write(p, off);
    if (st == PICOSUIT_OK) {
        p->block_n = 0;
        p->pay_flags &= (uint8_t)~PAY_READY;
    }
    return st;
}

/* Pulls all wire bytes from content or a component. */
static int pay_pull(picosuit *p) {
    int st = PICOSUIT_E_STATE;

    while (p->pay_off < p->pay_size || p->block_n != 0) {
        if (p->block_n != 0) {
            st = pay_block(p);
        } else {
            uint32_t n = p->pay_size - p->pay_off;

            n = n < sizeof p->block ? n : (uint32_t)sizeof p->block;
            st = pay_source(p, p->pay_off, p->block, n);
            if (st == PICOSUIT_OK) {
                p->block_n = (uint8_t)n;
                p->pay_off += n;
            }
        }
        if (st != PICOSUIT_OK) {
            return st;
        }
    }
    p->pay_off = pay_wire(p);
    return pay_is(p, PAY_ENCRYPTED) ? pay_source(p, p->pay_size, p->tag, sizeof p->tag)
                                    : PICOSUIT_OK;
}

#if PICOSUIT_WITH_ENCRYPTION
static int pay_key(picosuit *p) {
    man_value(p, man_get(p, MAN_ENCRYPTION));
    (void)cbor_open(p);
    return cose_encrypt(p, 1);
}

static int pay_tag(picosuit *p) {
    aead_tag(&p->u.aead, p->block);
    return ct_equal(p->block, p->tag, 16) == CT_YES ? PICOSUIT_OK
                                                    : pay_fail(p, -PICOSUIT_E_DECRYPT);
}

/* First pass over ciphertext that is stored: the whole tag is right before anything of
 * the destination is touched. The second pass computes it again. */
static int pay_auth(picosuit *p) {
    int st = pay_pull(p);

    if (st == PICOSUIT_OK) {
        p->pay_off = 0;
        st = pay_tag(p);
        aead_start(&p->u.aead, cose_aad, sizeof cose_aad);
    }
    return st;
}
#endif

/* Takes wire bytes from the caller: plaintext or ciphertext into the block, the last 16
 * of an encrypted payload into the tag. A full block is written when the next byte comes,
 * so AGAIN never loses one. */
static int pay_push(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = PICOSUIT_MORE;

    while (*used < len) {
        uint32_t n = p->pay_size - p->pay_off;
        uint32_t room = (uint32_t)sizeof p->block - p->block_n;

        if (p->pay_off >= pay_wire(p)) {
            return pay_fail(p, -PICOSUIT_E_LENGTH);
        }
        if (room == 0) {
            st = pay_block(p);
            if (st != PICOSUIT_OK) {
                return st;
            }
        } else if (p->pay_off >= p->pay_size) { /* unknown size: never */
            p->tag[p->pay_off++ - p->pay_size] = data[(*used)++];
        } else {
            n = n < room ? n : room;
            n = n < len - *used ? n : (uint32_t)(len - *used);
            memcpy(p->block + p->block_n, data + *used, n);
            p->block_n = (uint8_t)(p->block_n + n);
            p->pay_off += n;
            *used += n;
        }
    }
    return PICOSUIT_MORE;
}

/* The last block, then the verdict, once. A wrong tag fails; a wrong digest only marks
 * the component bad, so that image-match is false and try-each may take the next source.
 */
static int pay_flush(picosuit *p) {
    const uint8_t *want = man_digest(p);
    int st = PICOSUIT_OK;

    if (p->pay_size == PICOSUIT_UNKNOWN) {
        p->pay_size = p->pay_off;
    }
    if (p->pay_off != pay_wire(p)) {
        return pay_fail(p, -PICOSUIT_E_LENGTH);
    }
    if (p->block_n != 0) {
        st = pay_block(p);
        if (st != PICOSUIT_OK) {
            return st;
        }
    }
#if PICOSUIT_WITH_ENCRYPTION
    if (pay_is(p, PAY_ENCRYPTED)) {
        st = pay_tag(p);
    }
#endif
    p->pay_flags |= PAY_GOOD;
    if (pay_is(p, PAY_RUNNING)) {
        sha256_final(&p->sha, p->running);
        if (want != NULL && ct_equal(p->running, want, 32) != CT_YES) {
            p->pay_flags &= (uint8_t)~PAY_GOOD;
        }
    }
    return st;
}

static int pay_close(picosuit *p) {
    int st = dev_end(p, pay_is(p, PAY_GOOD));

    if (st == PICOSUIT_OK) {
        wipe(&p->u, sizeof p->u);
        man_set(p, p->component, MAN_SPOILED, pay_is(p, PAY_GOOD) ? 0 : p->f.pos);
        if (pay_is(p, PAY_GOOD) && (p->kind & 3u) == PICOSUIT_TRUSTED) {
            p->trusted = p->component;
            p->trusted_len = p->pay_size;
        }
        p->want = WANT_NONE;
    }
    return st;
}

/* The current phase: OK, FETCH, AGAIN or an error. */
static B_NOINLINE int pay_phase(picosuit *p) {
    switch (p->phase) {
    case PAY_START: return pay_start(p);
    case PAY_MATCH: return pay_match(p);
#if PICOSUIT_WITH_ENCRYPTION
    case PAY_KEY: return pay_is(p, PAY_ENCRYPTED) ? pay_key(p) : PICOSUIT_OK;
    case PAY_AUTH:
        return (p->pay_flags & (PAY_ENCRYPTED | PAY_PUSH)) == PAY_ENCRYPTED ? pay_auth(p)
                                                                            : PICOSUIT_OK;
#endif
    case PAY_FIND:
        if (!pay_is(p, PAY_PUSH) || p->want > WANT_ENVELOPE) {
            return PICOSUIT_OK;
        }
        if (p->want == WANT_NONE) {
            p->want = WANT_ENVELOPE;
            p->searched = 0;
        }
        return PICOSUIT_FETCH;
    case PAY_ROOM: return pay_room(p);
    case PAY_BEGIN: return pay_begin(p);
    case PAY_REBUILD: return pay_rebuild(p);
    case PAY_STREAM: return pay_is(p, PAY_PUSH) ? PICOSUIT_FETCH : pay_pull(p);
    case PAY_FLUSH: return pay_flush(p);
    case PAY_CLOSE: return pay_close(p);
    default: return PICOSUIT_OK;
    }
}

/* Runs the phases until the payload is in place (OK), or FETCH, AGAIN, or an error. */
static int pay_run(picosuit *p) {
    int st = PICOSUIT_OK;

    while (st == PICOSUIT_OK && p->phase != PAY_DONE) {
        st = pay_phase(p);
        if (st == PICOSUIT_OK) {
            p->phase++;
            p->sub = 0;
            p->step_off = 0;
        }
    }
    return st;
}

/* ====================================================================================
 * 15  Static checks of sequences (chk_)
 *
 * Gives: a walk over a whole section, every alternative included, before anything of the
 * procedure has an effect. What passes here, the interpreter need not check again.
 * Source: [M 8.4.6] to [M 8.4.10], [M 6.2], [FE 3]; every rule has files in
 * vectors/refuse. Limits: PICOSUIT_MAX_DEPTH nested sequences. uses: 9 10 12 13
 * ==================================================================================== */

/* A sequence being walked. */
typedef struct {
    uint32_t index; /* components that are selected: one bit each */
    uint16_t end;   /* its end */
    uint16_t left;  /* elements still to come */
    uint16_t outer; /* end of the list or argument it stands in */
    uint16_t alts;  /* alternatives after it in a try-each list */
} chk_frame;

#define CHK_VENDOR 1u /* p->sub: identifier conditions met in the shared sequence */
#define CHK_CLASS 2u
#define CHK_COMPATIBLE 3u /* both */

/* Classes of commands. */
#define CHK_UNKNOWN 0u
#define CHK_CONDITION 1u
#define CHK_DIRECTIVE 2u /* argument is a reporting policy */
#define CHK_WRITE 3u     /* the same; writes the selected components */
#define CHK_SET 4u
#define CHK_OVERRIDE 5u
#define CHK_INDEX 6u
#define CHK_TRY 7u
#define CHK_RUN 8u

static B_NOINLINE uint32_t chk_class(int32_t label) {
    static const uint8_t classes[33] = {
        0,
        CHK_CONDITION,
        CHK_CONDITION,
        CHK_CONDITION,
        0,
#if PICOSUIT_WITH_SLOTS
        CHK_CONDITION,
#else
        0,
#endif
        CHK_CONDITION,
        0,
        0,
        0,
        0,
        0,
        CHK_INDEX,
        0,
        CHK_CONDITION,
        CHK_TRY,
        0,
        0,
        CHK_WRITE,
        CHK_SET,
        CHK_OVERRIDE,
        CHK_WRITE,
        CHK_WRITE,
        CHK_DIRECTIVE,
        CHK_CONDITION,
        0,
        0,
        0,
        0,
        0,
        0,
#if PICOSUIT_WITH_SWAP
        CHK_WRITE,
#else
        0,
#endif
        CHK_RUN
    };

    return label < 0 || label > 32 ? CHK_UNKNOWN : classes[label];
}

/* The bit of the component whose index was read. */
static uint32_t chk_component(picosuit *p) {
    if (p->r.hi != 0 || p->r.val >= p->components) {
        (void)fail_here(p, -PICOSUIT_E_INDEX);
    }
    return (uint32_t)1 << (p->r.val & 31u);
}

/* Argument of set-component-index: the components as bits. [M 8.4.10.1] */
static uint32_t chk_index(picosuit *p) {
    uint32_t major = cbor_head(p);
    uint32_t mask = 0;
    uint32_t n;

    if (major == CBOR_UINT) {
        mask = chk_component(p);
    } else if (major == CBOR_SIMPLE && p->r.val <= CBOR_TRUE) {
        mask = p->r.val == CBOR_TRUE ? 0xffffffffu : 0;
    } else if (major == CBOR_ARRAY) {
        if (p->r.val > PICOSUIT_MAX_COMPONENTS) {
            (void)fail_here(p, -PICOSUIT_E_LIMIT);
        }
        for (n = p->r.val; n > 0 && !is_failed(p); n--) {
            (void)cbor_expect(p, CBOR_UINT);
            mask |= chk_component(p);
        }
    } else {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    }
    if (mask == 0) { /* false, or an empty list */
        (void)fail_here(p, -PICOSUIT_E_INDEX);
    }
    return mask;
}

/* A string parameter of min to max bytes. */
static void chk_string(picosuit *p, uint32_t major, uint32_t min, uint32_t max) {
    (void)cbor_string(p, major);
    if (p->r.val < min) {
        (void)fail_here(p, -PICOSUIT_E_VALUE);
    }
    if (p->r.val > max) {
        (void)fail_here(p, major == CBOR_TSTR ? -PICOSUIT_E_LIMIT : -PICOSUIT_E_VALUE);
    }
}

static void chk_digest(picosuit *p) {
    uint32_t outer = cbor_open(p);

    (void)cose_digest(p);
    if (p->error.code == PICOSUIT_E_ALG || p->error.code == PICOSUIT_E_VALUE) {
        p->error.offset = p->at;
    }
    cbor_close(p, outer);
}

/* The value of parameter p->label, whose key is at p->at. What is wrong with a value is
 * reported there, what is wrong with its encoding where it is. */
static void chk_parameter(picosuit *p, int is_nested) {
    switch (p->label) {
    case MAN_VENDOR:
        if (cbor_peek(p) >> 5 == CBOR_TAG) {
            if (cbor_expect(p, CBOR_TAG) != PICOSUIT_ID_PEN) {
                cbor_fail(p, -PICOSUIT_E_TYPE);
            }
            chk_string(p, CBOR_BSTR, 1, 15);
            break;
        }
        B_FALLTHROUGH;
    case MAN_CLASS:
    case MAN_DEVICE: chk_string(p, CBOR_BSTR, 16, 16); break;
    case MAN_DIGEST: chk_digest(p); break;
#if PICOSUIT_WITH_ENCRYPTION
    case MAN_ENCRYPTION: {
        uint32_t outer = cbor_open(p);

        (void)cose_encrypt(p, 0);
        cbor_close(p, outer);
        break;
    }
#endif
    case MAN_SOFT_FAILURE:
    case MAN_STRICT_ORDER:
        if (cbor_expect(p, CBOR_SIMPLE) >> 1 != CBOR_FALSE >> 1) {
            cbor_fail(p, -PICOSUIT_E_TYPE);
        }
        if (p->label == MAN_SOFT_FAILURE && !is_nested) {
            (void)fail_here(p, -PICOSUIT_E_SOFT);
        }
        break;
#if PICOSUIT_WITH_SLOTS
    case MAN_SLOT:
#endif
    case MAN_SIZE:
        (void)cbor_expect(p, CBOR_UINT);
        if (p->r.hi != 0) {
            (void)fail_here(p, -PICOSUIT_E_LIMIT);
        }
        break;
    case MAN_SOURCE:
        (void)cbor_expect(p, CBOR_UINT);
        (void)chk_component(p);
        break;
    case MAN_URI: chk_string(p, CBOR_TSTR, 1, PICOSUIT_MAX_URI); break;
    case MAN_CONTENT:
    case MAN_ARGS:
    case MAN_FETCH_ARGS: (void)cbor_bytes(p); break;
    default: cbor_fail(p, -PICOSUIT_E_PARAM); break;
    }
}

static void chk_override(picosuit *p, int is_nested) {
    uint32_t last = 0;
    uint32_t n = cbor_expect(p, CBOR_MAP);

    if (n == 0) {
        cbor_fail(p, -PICOSUIT_E_VALUE);
    }
    for (; n > 0 && !is_failed(p); n--) {
        p->label = cbor_key(p, &last);
        p->at = p->r.head + p->r.delta;
        chk_parameter(p, is_nested);
    }
}

/* Enters the sequence at p->r.pos (up to p->r.end) as frame f. */
static void chk_enter(picosuit *p, chk_frame *f, uint32_t outer, uint32_t alts) {
    uint32_t n = cbor_expect(p, CBOR_ARRAY);

    if (n - 2u >= PICOSUIT_MAX_STORED || n % 2 != 0) {
        cbor_fail(p, -PICOSUIT_E_SEQUENCE);
    }
    f->left = (uint16_t)n;
    f->outer = (uint16_t)outer;
    f->alts = (uint16_t)alts;
}

/* Opens the argument of try-each or run-sequence down to its first sequence, frame f. */
static void chk_nest(picosuit *p, chk_frame *f, uint32_t class_) {
    uint32_t n = 2;

    if (class_ == CHK_TRY) { /* two or more sequences, then perhaps nil */
        uint32_t at, back;

        n = cbor_expect(p, CBOR_ARRAY);
        at = p->r.head;
        back = p->r.pos;
        if (n == 2) {
            cbor_skip(p);
            n -= cbor_peek(p) == CBOR_NIL;
            p->r.pos = back;
        }
        if (n < 2) {
            cbor_fail_at(p, -PICOSUIT_E_SEQUENCE, at);
        } else if (n > p->r.end - back) { /* counts are kept in 16 bits */
            cbor_fail_at(p, -PICOSUIT_E_BOUNDS, at);
        }
    }
    f->index = f[-1].index;
    chk_enter(p, f, cbor_open(p), n - (class_ == CHK_TRY ? 1u : 2u));
}

/* The sequence of frame f has ended: 1 if the next alternative was entered. */
static uint32_t chk_leave(picosuit *p, chk_frame *f) {
    cbor_close(p, f->outer);
    if (f->alts == 1 && cbor_peek(p) == CBOR_NIL) {
        p->r.pos++; /* the end of the list */
        return 0;
    }
    if (f->alts == 0 || is_failed(p)) {
        return 0;
    }
    f->index = f[-1].index;
    chk_enter(p, f, cbor_open(p), f->alts - 1u);
    return 1;
}

static void chk_policy(picosuit *p) {
    if (cbor_expect(p, CBOR_UINT) > 15 || p->r.hi != 0) {
        cbor_fail(p, -PICOSUIT_E_VALUE);
    }
}

/* Checks label and argument of one command of frame f; returns its class. Nested
 * sequences are left to the caller. */
static B_NOINLINE uint32_t chk_command(picosuit *p, chk_frame *f, int is_nested) {
    int32_t label = cbor_int(p);
    uint32_t class_ = chk_class(label);
    int is_shared = p->section == PICOSUIT_SECTION_SHARED;

    p->label = label;
    p->at = p->r.head + p->r.delta;
    if (class_ == CHK_UNKNOWN) {
        (void)fail_here(p, -PICOSUIT_E_COMMAND);
    } else if (is_shared && class_ >= CHK_DIRECTIVE && class_ <= CHK_SET) {
        (void)fail_here(p, -PICOSUIT_E_SHARED);
    } else if (class_ == CHK_INDEX) {
        f->index = chk_index(p);
    } else if (f->index == 0) { /* more than one component, none selected */
        (void)fail_here(p, -PICOSUIT_E_INDEX);
    } else if (class_ <= CHK_WRITE) {
        chk_policy(p);
        if (class_ == CHK_WRITE) {
            p->written |= PICOSUIT_WITH_SWAP && label == 31 ? 0xffffffffu : f->index;
        } else if (label == 23) {
            p->need |= PICOSUIT_INVOKE;
        } else if (is_shared && label <= MAN_CLASS) {
            p->sub = (uint8_t)(p->sub | (uint32_t)label); /* CHK_VENDOR, CHK_CLASS */
        }
    } else if (class_ <= CHK_OVERRIDE) {
        chk_override(p, is_nested);
    }
    return class_;
}

/* Walks section i, if it is there; p->depth_max grows to the deepest nesting,
 * p->trusted_len by the components that may be written, p->need by the right to invoke.
 */
static int chk_section(picosuit *p, uint32_t i) {
    chk_frame frames[PICOSUIT_MAX_DEPTH];
    uint32_t depth = 1;

    if (!man_has_section(p, i)) {
        return PICOSUIT_OK;
    }
    p->section = man_members[i];
    man_start(p, p->sec_pos[i], p->sec_len[i]);
    p->label = 0;
    frames[0].index = p->components == 1;
    chk_enter(p, frames, p->r.end, 0);
    while (depth > 0 && !is_failed(p)) {
        chk_frame *f = &frames[depth - 1u];
        uint32_t class_;

        if (f->left == 0) {
            depth += chk_leave(p, f) - 1u;
            continue;
        }
        f->left = (uint16_t)(f->left - 2u);
        class_ = chk_command(p, f, depth > 1);
        if (class_ < CHK_TRY) {
            continue;
        }
        if (depth == PICOSUIT_MAX_DEPTH) {
            return fail_here(p, -PICOSUIT_E_LIMIT);
        }
        chk_nest(p, f + 1, class_);
        depth++;
        p->depth_max = (uint8_t)(depth > p->depth_max ? depth : p->depth_max);
    }
    return p->error.code;
}

/* ====================================================================================
 * 16  Interpreter (run_)
 *
 * Gives: the execution of one procedure, a command for one component at a time. The frame
 * of the current sequence is p->f; those it is nested in live in work, so nesting costs
 * no stack. docs/design.md draws the states.
 * Source: [M 6.4], [M 6.5], [M 8.4.10]
 * Limits: PICOSUIT_MAX_STEPS commands in a procedure.
 * uses: 1 9 10 13 14 15
 * ==================================================================================== */

/* p->f.flags */
#define RUN_SELECT 3u /* mask: how components are selected */
#define RUN_INT 0u    /* f.index is the component */
#define RUN_ALL 1u
#define RUN_LIST 2u  /* f.index is the position of the array */
#define RUN_SOFT 4u  /* soft-failure */
#define RUN_TRY 8u   /* an alternative of try-each */
#define RUN_NEST 16u /* the argument of run-sequence */

/* has_invoked (glitch patterns) */
#define RUN_INVOKED 0x3cu
#define RUN_INVOKED_MATCHED 0xa5u /* what image-match had found right */

static uint8_t *run_saved(const picosuit *p) {
    return man_entry(p, p->components) + (p->depth - 1u) * PICOSUIT_FRAME_SIZE;
}

/* The component that the current command works on; returns how many are selected. */
static uint32_t run_select(picosuit *p) {
    uint32_t n = 1;
    uint32_t i = p->f.index;

    if ((p->f.flags & RUN_ALL) != 0) {
        n = p->components;
        i = p->f.at;
    } else if ((p->f.flags & RUN_LIST) != 0) {
        man_value(p, i);
        n = cbor_expect(p, CBOR_ARRAY);
        for (i = 0; i < p->f.at; i++) {
            cbor_skip(p);
        }
        i = cbor_expect(p, CBOR_UINT);
    }
    p->component = (uint8_t)i;
    return n;
}

/* Enters a sequence with the index preset to one component. */
static void run_enter(picosuit *p, uint32_t pos, uint32_t len, uint32_t flags) {
    man_start(p, pos, len);
    (void)cbor_expect(p, CBOR_ARRAY);
    p->f.pos = (uint16_t)p->r.pos;
    p->f.end = (uint16_t)p->r.end;
    p->f.index = p->f.preset;
    p->f.at = 0;
    p->f.flags = (uint8_t)flags;
    p->started = 0;
}

/* On to the next command. */
static void run_next(picosuit *p) {
    man_value(p, p->f.pos);
    cbor_skip(p);
    cbor_skip(p);
    p->f.pos = (uint16_t)p->r.pos;
    p->f.at = 0;
    p->started = 0;
}

/* On to the next selected component, or the next command. */
static void run_advance(picosuit *p) {
    uint32_t n = run_select(p);

    p->started = 0;
    p->f.at++;
    if (p->f.at >= n) {
        run_next(p);
    }
}

/* Back to the frame of the sequence that the current one is nested in. */
static void run_pop(picosuit *p) {
    p->depth--;
    memcpy(&p->f, run_saved(p), sizeof p->f);
}

/* Leaves a nested sequence that succeeded (or whose failure is to be ignored). */
static void run_leave(picosuit *p) {
    run_pop(p);
    run_advance(p);
}

/* Offers an event of a command with a reporting policy to the port's log, once. Which of
 * the policy's bits count is the log's business. [M 8.4.7] */
static void run_record(picosuit *p, int code) {
    picosuit_record record;

    if (p->policy == 0) {
        return;
    }
    memset(&record, 0, sizeof record);
    record.offset = (uint32_t)p->f.pos - p->sec_pos[man_index(p->section)];
    record.label = p->label;
    record.code = code;
    record.section = p->section;
    record.component = p->component;
    record.policy = p->policy;
    p->policy = 0;
    dev_record(p, &record);
}

/* Takes the next alternative of a try-each. The index is the one preset at the start
 * again; parameters stay as they are. [M 8.4.10.2] */
static int run_alternative(picosuit *p) {
    if (p->f.alts == 0) {
        run_pop(p);
        return fail(p, -PICOSUIT_E_TRY, man_offset(p, p->f.pos), 15);
    }
    man_value(p, p->f.alt);
    if (cbor_head(p) != CBOR_BSTR) { /* nil: all may fail */
        run_leave(p);
        return PICOSUIT_OK;
    }
    p->f.alt = (uint16_t)(p->r.pos + p->r.val);
    p->f.alts--;
    run_enter(p, p->r.pos, p->r.val, RUN_TRY | RUN_SOFT);
    return PICOSUIT_OK;
}

/* A condition is false: finds the sequence that may go on. [M 8.4.8.15], [M 8.4.10.8] */
static int run_false(picosuit *p) {
    run_record(p, PICOSUIT_E_CONDITION);
    for (;;) {
        uint32_t flags = p->f.flags & (RUN_SOFT | RUN_TRY | RUN_NEST);

        if (flags == (RUN_TRY | RUN_SOFT)) {
            return run_alternative(p);
        }
        if (flags == (RUN_NEST | RUN_SOFT)) {
            run_leave(p);
            return PICOSUIT_OK;
        }
        if (flags != RUN_NEST) {
            return fail_here(p, -PICOSUIT_E_CONDITION);
        }
        run_pop(p); /* run-sequence forwards the failure of its condition */
    }
}

/* ---- Conditions
 * ------------------------------------------------------------------------ */

/* Any of the identifiers that the device asserts may be equal. [M 8.4.9.1] */
static int run_identity(picosuit *p) {
    uint32_t pos = man_get(p, p->label);
    uint8_t want[16];
    uint8_t have[16];
    int what = (int)p->label;
    int st = 0;

    if (pos == 0) {
        return MAN_FALSE;
    }
    memset(want, 0, sizeof want);
    man_value(p, pos);
    if (cbor_head(p) == CBOR_TAG) {
        what = PICOSUIT_ID_PEN;
        (void)cbor_head(p);
        want[0] = (uint8_t)p->r.val;
        memcpy(want + 1, p->r.data + p->r.pos, p->r.val);
    } else {
        memcpy(want, p->r.data + p->r.pos, sizeof want);
    }
    for (;;) {
        st = dev_identity(p, what, have);
        if (st != 1) {
            return st == 0 ? MAN_FALSE : st;
        }
        if (ct_equal(want, have, sizeof want) == CT_YES) {
            return PICOSUIT_OK;
        }
        p->step_off++;
        if (p->step_off == 256) {
            return fail_here(p, -PICOSUIT_E_LIMIT);
        }
    }
}

static int run_image_match(picosuit *p) {
    int st = man_is_installed(p);

    if (st == PICOSUIT_OK || st == MAN_FALSE) {
        man_set(p, p->component, MAN_SPOILED, 0);
        p->matched = st == PICOSUIT_OK ? p->component : NO_COMPONENT;
    }
    return st;
}

#if PICOSUIT_WITH_SLOTS
static int run_slot(picosuit *p) {
    uint32_t pos = man_get(p, MAN_SLOT);
    uint32_t have;
    int st = PICOSUIT_E_STATE;

    if (pos == 0) {
        return MAN_FALSE;
    }
    st = dev_slot(p, &have);
    return st == PICOSUIT_OK && man_uint(p, pos) != have ? MAN_FALSE : st;
}
#endif

static int run_check_content(picosuit *p) {
    uint32_t len;
    const uint8_t *content = cbor_text(p, man_get(p, MAN_CONTENT), &len);

    return content == NULL ? MAN_FALSE : man_match(p, content, len);
}

/* ---- Directives
 * ------------------------------------------------------------------------ */

/* Asked again before every command with an effect: the manifest is authentic, and a key
 * set is written only by who may. */
static B_NOINLINE int run_may_write(picosuit *p, uint32_t kind) {
    if (p->verified != MAN_VERIFIED) {
        return fail_here(p, -PICOSUIT_E_AUTH);
    }
    if ((kind & PICOSUIT_KIND_KEYS) != 0 &&
        (p->rights[p->chosen] & PICOSUIT_RIGHT_KEYS) == 0) {
        return fail_here(p, -PICOSUIT_E_RIGHTS);
    }
    return PICOSUIT_OK;
}

static int run_payload(picosuit *p) {
    int st = run_may_write(p, p->kind);

    p->matched = NO_COMPONENT;
    return st == PICOSUIT_OK ? pay_run(p) : st;
}

static int run_invoke(picosuit *p) {
    uint32_t len;
    const uint8_t *args = cbor_text(p, man_get(p, MAN_ARGS), &len);
    int st = run_may_write(p, 0);

    p->has_invoked = p->matched == p->component ? RUN_INVOKED_MATCHED : RUN_INVOKED;
    return st == PICOSUIT_OK ? dev_invoke(p, args, len) : st;
}

#if PICOSUIT_WITH_SWAP
static int run_swap(picosuit *p) {
    uint32_t pos = man_get(p, MAN_SOURCE);
    const uint8_t *other;
    uint32_t source;
    int st = PICOSUIT_E_STATE;

    if (pos == 0) {
        return fail(p, -PICOSUIT_E_UNSET, p->at, MAN_SOURCE);
    }
    source = man_uint(p, pos);
    if (source == p->component) {
        return fail(p, -PICOSUIT_E_INDEX, p->at, MAN_SOURCE);
    }
    other = man_entry(p, source);
    if (man_is_transient(other[MAN_KIND])) {
        return fail_here(p, -PICOSUIT_E_TRANSIENT);
    }
    st = run_may_write(p, p->kind | other[MAN_KIND]);
    if (st == PICOSUIT_OK) {
        p->trusted = NO_COMPONENT;
        p->matched = NO_COMPONENT;
        st = dev_swap(p, other[MAN_HANDLE]);
    }
    if (st == PICOSUIT_OK) {
        pos = man_get_of(p, source, MAN_SPOILED);
        man_set(p, source, MAN_SPOILED, man_get(p, MAN_SPOILED));
        man_set(p, p->component, MAN_SPOILED, pos);
    }
    return st;
}
#endif

/* override-parameters; set-parameters keeps what is set already. [M 8.4.10.3] */
static void run_override(picosuit *p, int is_override) {
    uint32_t n = cbor_expect(p, CBOR_MAP);

    for (; n > 0; n--) {
        int32_t label = cbor_int(p);
        uint32_t pos = p->r.pos;

        cbor_skip(p);
        if (label == MAN_SOFT_FAILURE) {
            p->f.flags &= (uint8_t)~RUN_SOFT;
            p->f.flags |= (uint8_t)(p->r.val == CBOR_TRUE ? RUN_SOFT : 0);
        } else if (label != MAN_STRICT_ORDER &&
                   !(man_is_transient(p->kind) && man_is_record(label)) &&
                   (is_override || man_get(p, label) == 0)) {
            man_set(p, p->component, label, pos);
        }
    }
}

static void run_set_index(picosuit *p) {
    uint32_t major = cbor_head(p);

    p->f.flags &= (uint8_t)~RUN_SELECT;
    p->f.index = (uint16_t)p->r.val;
    if (major == CBOR_SIMPLE) {
        p->f.flags |= RUN_ALL;
    } else if (major == CBOR_ARRAY) {
        p->f.flags |= RUN_LIST;
        p->f.index = (uint16_t)p->r.head;
    }
    run_next(p); /* the command itself is not repeated for each component */
}

/* Enters the argument of try-each or run-sequence. */
static void run_nest(picosuit *p, uint32_t class_) {
    uint32_t n = class_ == CHK_TRY ? cbor_expect(p, CBOR_ARRAY) : 1;

    memcpy(run_saved(p), &p->f, sizeof p->f);
    p->depth++;
    p->f.preset = p->component;
    p->f.alts = (uint16_t)(n - 1u);
    (void)cbor_expect(p, CBOR_BSTR);
    p->f.alt = (uint16_t)(p->r.pos + p->r.val);
    run_enter(p, p->r.pos, p->r.val, class_ == CHK_TRY ? RUN_TRY | RUN_SOFT : RUN_NEST);
}

/* Commands that are possible with a transient component, as bits: conditions on facts,
 * abort, fetch. */
#define RUN_TRANSIENT (1u << 1 | 1u << 2 | 1u << 5 | 1u << 14 | 1u << 21 | 1u << 24)

/* Executes a command whose argument is a reporting policy. */
static B_NOINLINE int run_command(picosuit *p) {
    if (man_is_transient(p->kind) && (RUN_TRANSIENT >> p->label & 1u) == 0) {
        return fail_here(p, -PICOSUIT_E_TRANSIENT);
    }
    switch (p->label) {
    case 1:
    case 2:
    case 24: return run_identity(p);
    case 3: return run_image_match(p);
#if PICOSUIT_WITH_SLOTS
    case 5: return run_slot(p);
#endif
    case 6: return run_check_content(p);
    case 14: return MAN_FALSE;
    case 23: return run_invoke(p);
#if PICOSUIT_WITH_SWAP
    case 31: return run_swap(p);
#endif
    default: return run_payload(p);
    }
}

/* Executes the current command of p->f for one component. */
static int run_step(picosuit *p) {
    uint32_t class_;
    const uint8_t *entry;
    int st = PICOSUIT_OK;

    (void)run_select(p);
    entry = man_entry(p, p->component);
    p->handle = entry[MAN_HANDLE];
    p->kind = entry[MAN_KIND];
    p->at = man_offset(p, p->f.pos);
    man_value(p, p->f.pos);
    p->label = cbor_int(p);
    class_ = chk_class(p->label);
    p->policy = 0;
    if (p->started == 0) {
        if (p->steps == 0) {
            return fail_here(p, -PICOSUIT_E_STEPS);
        }
        p->steps--;
        p->started = 1;
        p->phase = 0;
        p->sub = 0;
        p->step_off = 0;
    }
    switch (class_) {
    case CHK_INDEX: run_set_index(p); return PICOSUIT_OK;
    case CHK_TRY:
    case CHK_RUN: run_nest(p, class_); return PICOSUIT_OK;
    case CHK_OVERRIDE:
    case CHK_SET: run_override(p, class_ == CHK_OVERRIDE); break;
    default:
        p->policy = (uint8_t)cbor_expect(p, CBOR_UINT);
        st = run_command(p);
        if (st == MAN_FALSE) {
            return run_false(p);
        }
        if (st == PICOSUIT_OK) {
            run_record(p, st);
        }
        break;
    }
    if (st == PICOSUIT_OK) {
        run_advance(p);
    }
    return st;
}

/* Fails at a command that was executed before, in whichever section it stands. */
static int run_fail_at(picosuit *p, int code, uint32_t pos) {
    uint32_t i;

    for (i = 0; i < MAN_SECTIONS; i++) {
        if (pos - p->sec_pos[i] < p->sec_len[i]) {
            p->section = man_members[i];
        }
    }
    man_value(p, pos);
    return fail(p, code, man_offset(p, pos), cbor_int(p));
}

/* A procedure that would succeed: nothing may be left over. An update ends in a state
 * that was checked or in an error, an invocation in an invoked image or in an error.
 * [M 6.3] */
static int run_check_end(picosuit *p) {
    uint32_t i;

    for (i = 0; i < p->components; i++) {
        p->component = (uint8_t)i;
        if (man_is_transient(man_entry(p, i)[MAN_KIND]) && man_get(p, MAN_REC_URI) != 0) {
            /* a fetch that no copy used up */
            return run_fail_at(p, -PICOSUIT_E_TRANSIENT, man_get(p, MAN_REC_CMD));
        }
        if (man_get(p, MAN_SPOILED) != 0) {
            return run_fail_at(p, -PICOSUIT_E_DIGEST, man_get(p, MAN_SPOILED));
        }
    }
    p->component = NO_COMPONENT;
    p->section = 0;
    if (p->procedure == PICOSUIT_INVOKE && !p->has_invoked) {
        return fail(p, -PICOSUIT_E_INVOKE, man_head(p), 23);
    }
    p->state = ST_DONE;
    return PICOSUIT_OK;
}

/* The i-th section of a procedure. [M 8.4.6] */
static uint32_t run_section(const picosuit *p, uint32_t i) {
    static const uint8_t order[2][3] = {{MAN_FETCH, MAN_INSTALL, MAN_VALIDATE},
                                        {MAN_VALIDATE, MAN_LOAD, MAN_INVOKE}};

    return order[p->procedure - 1u][i];
}

/* Enters the next sequence of the procedure: before each section that is there, the
 * shared sequence. p->place counts 0..5. */
static int run_next_section(picosuit *p) {
    while (p->place < 6) {
        uint32_t i = run_section(p, p->place / 2u);
        int is_there = man_has_section(p, i);

        if (p->place % 2 == 0) {
            i = MAN_SHARED;
            is_there &= man_has_section(p, i);
        }
        p->place++;
        if (is_there) {
            p->section = man_members[i];
            p->depth = 1;
            p->f.preset = 0;
            run_enter(p, p->sec_pos[i], p->sec_len[i], 0);
            return PICOSUIT_OK;
        }
    }
    return run_check_end(p);
}

/* Runs until done (OK), FETCH, AGAIN, or an error. */
static B_NOINLINE int run_all(picosuit *p) {
    int st = PICOSUIT_OK;

    while (st == PICOSUIT_OK && p->state == ST_RUN) {
        if (p->depth == 0) {
            st = run_next_section(p);
        } else if (p->f.pos != p->f.end) {
            st = run_step(p);
        } else if (p->depth == 1) {
            p->depth = 0;
        } else {
            run_leave(p);
        }
    }
    return st;
}

/* ====================================================================================
 * 17  Receiver (rx_)
 *
 * Gives: the envelope as a stream of bytes in any split: tag, map head, and for each
 * member key, head and content. Content is kept (wrapper, manifest, severed sequences),
 * hashed away (text), skipped, or handed on (payload).
 * Source: [M 8.2], [M 8.3], [M 5.4], [M 8.1]; error offsets: picosuit.h.
 * Limits: PICOSUIT_MAX_STORED, PICOSUIT_MAX_URI; envelopes below 4 GiB.
 * uses: 1 2 9 10 12 13 14
 * ==================================================================================== */

#define RX_TAG 0u
#define RX_MAP 1u
#define RX_KEY 2u
#define RX_TEXT 3u    /* bytes of a payload key */
#define RX_VALUE 4u   /* head of a member's value */
#define RX_BODY 5u    /* its content */
#define RX_VERIFY 6u  /* the wrapper is complete; keys may have to be waited for */
#define RX_PAYLOAD 7u /* content of the wanted payload: whoever asked takes it */
#define RX_END 8u     /* the map is complete */

#define RX_FOUND 0x200   /* the wanted payload begins */
#define RX_ENDED 0x201   /* no more members */
#define RX_WRAPPER 0x202 /* the wrapper is complete: rx_verify comes next */

/* p->rx_sink */
#define RX_HASH 1u
#define RX_KEEP 2u

/* p->key_order: the current payload key against the one before */
#define RX_EQUAL 0u
#define RX_ABOVE 1u
#define RX_BELOW 2u

#define RX_TEXT_MEMBER 255u /* p->member: a payload */

/* Failure at the head that was read last. */
static int rx_fail(picosuit *p, int code, int32_t label) {
    return fail(p, code, p->rx_head, label);
}

/* Wrapper, then manifest have to come first: the key that is missing. */
static int rx_missing(picosuit *p, uint32_t offset) {
    return fail(p, -PICOSUIT_E_MISSING, offset, p->member == 0 ? 2 : 3);
}

/* Starts at the first byte of the envelope; with `skip` only payloads are looked for. */
static B_NOINLINE void rx_start(picosuit *p, int skip) {
    p->rx_state = RX_TAG;
    p->rx_skip = (uint8_t)skip;
    p->rx_off = 0;
    p->rx_left = 0;
    p->head_n = 0;
    p->member = 0;
    p->key_len = 0;
    p->passed = 0;
}

/* Collects a head byte by byte: OK when it is complete (the reader is at it), or MORE. */
static int rx_take_head(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    while (*used < len) {
        if (p->head_n == 0) {
            p->rx_head = p->rx_off;
        }
        p->head[p->head_n++] = data[(*used)++];
        p->rx_off++;
        if (p->head_n > cbor_more(p->head[0])) {
            cbor_start(p, p->head, 0, CBOR_NO_END, p->rx_head);
            p->head_n = 0;
            return PICOSUIT_OK;
        }
    }
    return PICOSUIT_MORE;
}

/* Takes bytes of an item, as many as there are: their number. */
static uint32_t rx_take(picosuit *p, size_t len, size_t *used) {
    uint32_t n = len - *used < p->rx_left ? (uint32_t)(len - *used) : p->rx_left;

    *used += n;
    p->rx_off += n;
    p->rx_left -= n;
    return n;
}

static int rx_tag(picosuit *p) {
    if (cbor_head(p) != CBOR_TAG || p->r.val != 107) {
        cbor_fail(p, -PICOSUIT_E_TAG);
    }
    if (p->head[0] >> 5 != CBOR_TAG || p->error.code == PICOSUIT_E_LIMIT) {
        p->error.code =
            PICOSUIT_E_TAG; /* malformed, but no tag that we look for either */
    }
    p->rx_state = RX_MAP;
    return p->error.code;
}

/* After a member, or at the start of an empty map. */
static int rx_next(picosuit *p) {
    p->rx_state = RX_KEY;
    if (p->members == 0) {
        p->rx_state = RX_END;
        if (p->member < 3) {
            return rx_missing(p, p->rx_off);
        }
    }
    return PICOSUIT_OK;
}

static int rx_map(picosuit *p) {
    uint32_t n = cbor_expect(p, CBOR_MAP);

    if (n > PICOSUIT_MAX_STORED) {
        cbor_fail(p, -PICOSUIT_E_LIMIT);
    }
    p->members = (uint16_t)n;
    return is_failed(p) ? p->error.code : rx_next(p);
}

/* An integer key. 2 and 3 come first; what else is known is severable, and is believed
 * only if the manifest has its digest. [M 8.2], [M 5.4] */
static B_NOINLINE int rx_int_key(picosuit *p, int32_t key) {
    uint32_t i = man_index((uint32_t)key);

    if (p->member != 0 && key >= 0 && key <= p->member) {
        return rx_fail(p, -PICOSUIT_E_ORDER, key);
    }
    if (p->member < 3) {
        if (key != (p->member == 0 ? 2 : 3)) {
            return rx_missing(p, p->rx_head);
        }
    } else if (i < MAN_FETCH || i == MAN_MEMBERS) {
        return rx_fail(p, -PICOSUIT_E_MEMBER, key);
    } else if (!p->rx_skip && (!PICOSUIT_WITH_SEVERED || !man_is_severed(p, i))) {
        return rx_fail(p, -PICOSUIT_E_SEVERED, key);
    }
    p->member = (uint8_t)key;
    p->rx_state = RX_VALUE;
    return PICOSUIT_OK;
}

/* A text key: the name of a payload. Keys ascend: shorter first, then by bytes; the one
 * before is kept in work (if another may follow) to be compared with. [RFC8949 4.2.1] */
static int rx_text_key(picosuit *p, uint32_t len) {
    uint32_t need = (uint32_t)p->key_pos + len;
    const uint8_t *want;
    uint32_t want_len;

    if (p->member < 3) {
        return rx_missing(p, p->rx_head);
    }
    if (len > PICOSUIT_MAX_URI) {
        return rx_fail(p, -PICOSUIT_E_LIMIT, 0);
    }
    if (len < p->key_len) { /* 0 before the first */
        return rx_fail(p, -PICOSUIT_E_ORDER, 0);
    }
    if (p->data == NULL && p->members > 1 && need > p->work_len) {
        return rx_fail(p, -PICOSUIT_E_ROOM, (int32_t)need);
    }
    p->key_order = RX_EQUAL;
    if (p->member != RX_TEXT_MEMBER || len > p->key_len) {
        p->key_order = RX_ABOVE;
    }
    want = cbor_text(p, p->want == WANT_ENVELOPE ? p->fetch_uri : 0, &want_len);
    p->key_match = want != NULL && want_len == len;
    p->key_len = (uint8_t)len;
    p->member = RX_TEXT_MEMBER;
    p->rx_left = len;
    p->rx_state = RX_TEXT;
    return PICOSUIT_OK;
}

static int rx_key(picosuit *p) {
    uint32_t major = cbor_head(p);
    uint32_t val = p->r.val;

    if (major == CBOR_TSTR) {
        return rx_text_key(p, val);
    }
    if (p->member == RX_TEXT_MEMBER && major < CBOR_TSTR) {
        cbor_fail(p, -PICOSUIT_E_ORDER);
    } else if (major > CBOR_NINT) {
        cbor_fail(p, -PICOSUIT_E_TYPE);
    } else if (p->r.hi != 0) {
        cbor_fail(p, -PICOSUIT_E_MEMBER);
    }
    if (is_failed(p)) {
        return p->error.code;
    }
    val = val < 0x7fffffffu ? val : 0x7fffffffu; /* no such key is known */
    return rx_int_key(p, major == CBOR_NINT ? -1 - (int32_t)val : (int32_t)val);
}

/* Bytes of a payload key: compared with the wanted URI and with the key before, which
 * they replace as they come. */
static int rx_text(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    const uint8_t *old = p->work + p->key_pos;
    uint32_t i = p->key_len - p->rx_left;
    uint32_t n = rx_take(p, len, used);
    uint32_t want_len;
    int order;

    data += *used - n;
    if (p->data != NULL) { /* open: it is still there, and as long as this one */
        old = p->data + p->rx_key + 1 + cbor_size(p->key_len);
    }
    if (p->key_order == RX_EQUAL) {
        order = memcmp(data, old + i, n);
        p->key_order = order > 0 ? RX_ABOVE : order < 0 ? RX_BELOW : RX_EQUAL;
    }
    if (p->key_match && memcmp(data, cbor_text(p, p->fetch_uri, &want_len) + i, n) != 0) {
        p->key_match = 0;
    }
    if (p->data == NULL && p->members > 1) {
        memcpy(p->work + p->key_pos + i, data, n);
    }
    if (p->rx_left > 0) {
        return PICOSUIT_MORE;
    }
    p->rx_key = p->rx_head;
    p->rx_state = RX_VALUE;
    return p->key_order == RX_ABOVE ? PICOSUIT_OK : rx_fail(p, -PICOSUIT_E_ORDER, 0);
}

/* Where the next byte that is kept has its position. */
static uint32_t rx_place(const picosuit *p) {
    return p->data != NULL ? p->rx_off : p->used;
}

/* Head of the value of a member that is not a payload, first time: the wrapper, manifest
 * and command sequences are kept. */
static int rx_member(picosuit *p, uint32_t len, uint32_t head_n) {
    uint32_t place = rx_place(p);

    p->at = p->rx_head;
    if (p->member != 2) {
        /* the digest covers the byte string with its head: [M 8.3], [M 8.4.12] */
        p->rx_sink = RX_HASH;
        sha256_init(&p->sha);
        sha256_update(&p->sha, p->head, head_n);
    }
    if (p->member > 3 && man_index(p->member) >= MAN_SECTIONS) {
        return PICOSUIT_OK;
    }
    if (p->rx_off > PICOSUIT_MAX_STORED || len > PICOSUIT_MAX_STORED - p->rx_off) {
        return fail_here(p, -PICOSUIT_E_LIMIT);
    }
    if (p->data == NULL && place + len > p->work_len) {
        return rx_fail(p, -PICOSUIT_E_ROOM, (int32_t)(place + len));
    }
    p->rx_sink |= RX_KEEP;
    p->body_pos = (uint16_t)place;
    return PICOSUIT_OK;
}

static int rx_value(picosuit *p) {
    uint32_t len = cbor_expect(p, CBOR_BSTR);

    if (len > 0xffffffffu - p->rx_off) {
        cbor_fail(p, -PICOSUIT_E_LIMIT);
    }
    if (is_failed(p)) {
        return p->error.code;
    }
    p->rx_left = len;
    p->rx_sink = 0;
    p->rx_state = RX_BODY;
    if (p->member != RX_TEXT_MEMBER) {
        return p->rx_skip ? PICOSUIT_OK : rx_member(p, len, p->r.pos);
    }
    if (p->passed == 0) {
        p->passed = p->rx_key;
    }
    if (PICOSUIT_WITH_INTEGRATED && p->key_match) {
        p->rx_state = RX_PAYLOAD;
        return RX_FOUND;
    }
    return PICOSUIT_OK;
}

/* The digest of a manifest or severed member against the one that was signed. */
static int rx_check_digest(picosuit *p, const uint8_t *want) {
    sha256_final(&p->sha, p->block);
    return ct_equal(p->block, want, 32) == CT_YES ? PICOSUIT_OK
                                                  : fail_here(p, -PICOSUIT_E_DIGEST);
}

/* The content of a member is complete. */
static int rx_member_end(picosuit *p) {
    uint32_t end = rx_place(p);
    uint32_t len = end - p->body_pos;
    uint32_t i = man_index(p->member);
    int st = PICOSUIT_OK;

    p->members--;
    if (p->rx_skip) {
        return rx_next(p);
    }
    if (p->member == 2) {
        p->wrap_pos = p->body_pos;
        p->wrap_len = (uint16_t)len;
        cbor_start(p, cbor_base(p), p->body_pos, end, p->rx_off - end);
        st = cose_wrapper(p, 0);
        p->has_digest = st == PICOSUIT_OK;
        p->rx_state = RX_VERIFY;
        return st;
    }
    if (p->member == 3) {
        p->man_pos = p->body_pos;
        p->man_len = (uint16_t)len;
        p->man_base = (uint16_t)(p->rx_off - len);
        st = rx_check_digest(p, p->digest);
        if (st == PICOSUIT_OK) {
            st = man_read(p);
        }
    } else { /* its digest has the form 82 2f 58 20, then the bytes */
        st = rx_check_digest(p, cbor_base(p) + p->sec_pos[i] + 4);
        if (i < MAN_SECTIONS) {
            p->sec_pos[i] = p->body_pos;
            p->sec_len[i] = (uint16_t)len;
            p->sec_delta[i - MAN_FETCH] = (uint16_t)(p->rx_off - end);
            p->sections = (uint8_t)(p->sections | 1u << i);
        }
    }
    return st == PICOSUIT_OK ? rx_next(p) : st;
}

static int rx_verify(picosuit *p) {
    int st = PICOSUIT_E_STATE;

    cbor_start(p, cbor_base(p), p->wrap_pos, (uint32_t)p->wrap_pos + p->wrap_len, 0);
    st = cose_wrapper(p, 1);
    if (st == PICOSUIT_OK) {
        p->verified = MAN_VERIFIED;
        st = rx_next(p);
    }
    return st;
}

static int rx_body(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    uint32_t n = rx_take(p, len, used);

    data += *used - n;
    if ((p->rx_sink & RX_HASH) != 0) {
        sha256_update(&p->sha, data, n);
    }
    if ((p->rx_sink & RX_KEEP) != 0 && p->data == NULL && n > 0) {
        memcpy(p->work + p->used, data, n);
        p->used = (uint16_t)(p->used + n);
        p->key_pos = p->used;
    }
    return p->rx_left == 0 ? rx_member_end(p) : PICOSUIT_MORE;
}

/* A state that begins with a head. */
static int rx_item(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = rx_take_head(p, data, len, used);

    if (st != PICOSUIT_OK) {
        return st;
    }
    p->label = 0;
    switch (p->rx_state) {
    case RX_TAG: return rx_tag(p);
    case RX_MAP: return rx_map(p);
    case RX_KEY: return rx_key(p);
    default: p->label = p->member == RX_TEXT_MEMBER ? 0 : p->member; return rx_value(p);
    }
}

/* Whether everything is there that a procedure needs: the map is over, or the first byte
 * of a payload key is next. [M 8.1]: integer keys come before text keys. */
static int rx_is_ready(const picosuit *p, const uint8_t *data, size_t left) {
    if (p->rx_skip || p->member < 3) {
        return 0;
    }
    return p->rx_state == RX_END || (p->rx_state == RX_KEY && p->head_n == 0 &&
                                     left > 0 && *data >> 5 == CBOR_TSTR);
}

/* Takes bytes: MORE (all were taken), WRAPPER and READY (once each), FOUND, ENDED, or an
 * error. */
static int rx_run(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = PICOSUIT_OK;

    while (st == PICOSUIT_OK) {
        if (rx_is_ready(p, data + *used, len - *used)) {
            p->rx_skip = 1;
            return PICOSUIT_READY;
        }
        switch (p->rx_state) {
        case RX_VERIFY: return RX_WRAPPER;
        case RX_TEXT: st = rx_text(p, data, len, used); break;
        case RX_BODY: st = rx_body(p, data, len, used); break;
        case RX_END:
            /* while a procedure runs they wait: what it comes to must not depend on how
             * the bytes were cut */
            st = *used < len && p->state != ST_RUN
                     ? fail(p, -PICOSUIT_E_TRAILING, p->rx_off, 0)
                     : RX_ENDED;
            break;
        default: st = rx_item(p, data, len, used); break;
        }
    }
    return st;
}

/* ====================================================================================
 * 18  Report and public functions (rep_, picosuit_)
 *
 * Gives: what picosuit.h declares. The only section that knows receiver and interpreter.
 * Source: draft-ietf-suit-report [R 4, 5, 6]
 * uses: 1 9 10 11 12 13 14 15 16 17
 * ==================================================================================== */

/* The severed envelope: tag, wrapper and manifest. */
static void rep_envelope(const picosuit *p, put_writer *w) {
    put_bytes(w, (const uint8_t *)"\xd8\x6b\xa2\x02", 4);
    put_string(w, CBOR_BSTR, cbor_base(p) + p->wrap_pos, p->wrap_len);
    put_head(w, CBOR_UINT, 3);
    put_string(w, CBOR_BSTR, cbor_base(p) + p->man_pos, p->man_len);
}

#if PICOSUIT_WITH_REPORT
/* Which of the thirteen reasons an error is. [R 4.2]; docs/choices.md has the table. */
static uint32_t rep_reason(int code) {
    static const uint8_t reasons[] = {
        1,  1,  1,  1,  1,  1,
        1,  1,  0,  0, /* CBOR to VALUE: parse error */
        1,  1,  1,  1,  9,  0,
        0,  0,  0,  0, /* TAG MEMBER MISSING VERSION SEVERED */
        2,  3,  4,  4,  7,  11,
        11, 11, 11, 0, /* COSE ALG AUTH DIGEST RIGHTS ROLLBACK KEYS REJECTED TRIAL */
        11, 6,  6,  5,  5,  8,
        1,  8,  0,  0,          /* COMPAT COMPONENT INDEX COMMAND SHARED PARAM
                                  SEQUENCE SOFT */
        10, 10, 11, 11, 11, 5}; /* CONDITION TRY UNSET TRANSIENT STEPS UNSUPPORTED */
    uint32_t i = (uint32_t)(PICOSUIT_E_CBOR - code);

    return i < sizeof reasons ? reasons[i] : 11;
}

/* Code, record and the label of the reason, which follows. */
static void rep_record(put_writer *w, int code, uint32_t section, uint32_t offset,
                       uint32_t component) {
    put_bytes(w, (const uint8_t *)"\xa3\x05", 2);
    put_head(w, code < 0 ? CBOR_NINT : CBOR_UINT, (uint32_t)(code < 0 ? -1 - code : 0));
    put_bytes(w, (const uint8_t *)"\x06\x85\x80", 3); /* in the root manifest */
    put_head(w, CBOR_UINT, section);
    put_head(w, CBOR_UINT, offset);
    put_head(w, CBOR_UINT, component);
    put_bytes(w, (const uint8_t *)"\xa0\x07", 2);
}

/* Result of the procedure: true, or where it stands or failed. Before any section:
 * section 0 and the offset in the envelope. */
static void rep_result(const picosuit *p, put_writer *w) {
    const picosuit_error *e = &p->error;
    int is_invoking = p->state == ST_RUN && p->procedure == PICOSUIT_INVOKE;
    uint32_t offset = e->code != 0 ? e->offset : p->at;
    uint32_t section = e->code != 0 ? e->section : p->section;
    uint32_t component = e->code != 0 ? e->component : p->component;
    uint32_t i = man_index(section);

    if (p->state == ST_DONE) {
        put_head(w, CBOR_SIMPLE, CBOR_TRUE);
        return;
    }
    if (section != 0) {
        uint32_t start = man_offset(p, p->sec_pos[i]);

        if (offset - start <= p->sec_len[i]) {
            offset -= start;
        } else {
            section = 0; /* an error of the envelope while the procedure ran */
        }
    }
    rep_record(w, e->code, section, offset, component == NO_COMPONENT ? 0 : component);
    put_head(w, CBOR_UINT, e->code != 0 ? rep_reason(e->code) : is_invoking ? 12 : 0);
}

static B_NOINLINE int rep_done(const put_writer *w, size_t *len) {
    *len = w->len;
    return w->len <= w->cap ? PICOSUIT_OK : PICOSUIT_E_ROOM;
}

/* SUIT_Capability_Report. Components are the platform's: the wildcard stands for them. */
static const uint8_t rep_capabilities[] = {
    0xa4, 1, 0x81, 0x81, 0xf5,
    /* commands */
    2, 0x8f + PICOSUIT_WITH_SLOTS + PICOSUIT_WITH_SWAP, 1, 2, 3,
#if PICOSUIT_WITH_SLOTS
    5,
#endif
    6, 12, 14, 15, 18, 19, 20, 21, 22, 23, 0x18, 24,
#if PICOSUIT_WITH_SWAP
    0x18, 31,
#endif
    0x18, 32,
    /* parameters */
    3, 0x8c + PICOSUIT_WITH_SLOTS + PICOSUIT_WITH_ENCRYPTION, 1, 2, 3,
#if PICOSUIT_WITH_SLOTS
    5,
#endif
    12, 13, 14, 18,
#if PICOSUIT_WITH_ENCRYPTION
    19,
#endif
    21, 22, 23, 0x18, 24, 0x18, 25,
    /* algorithms: SHA-256, Ed25519, EdDSA */
    4, 0x83 + PICOSUIT_WITH_MAC + 3 * PICOSUIT_WITH_ENCRYPTION, 0x2f, 0x32, 0x27,
#if PICOSUIT_WITH_MAC
    5, /* HMAC 256/256 */
#endif
#if PICOSUIT_WITH_ENCRYPTION
    0x38, 28, 0x22, 0x18, 24, /* ECDH-ES+A128KW, A128KW, ChaCha20/Poly1305 */
#endif
};
#endif

/* Called at the end of every public function that may have failed: the component being
 * written gets end(good = 0), once, whatever went wrong; secrets go. */
static int picosuit_settle(picosuit *p) {
    if (p->open != NO_COMPONENT && dev_end(p, 0) == PICOSUIT_AGAIN) {
        return PICOSUIT_AGAIN;
    }
    wipe(&p->u, sizeof p->u);
    wipe(p->block, sizeof p->block);
    return p->error.code;
}

static int picosuit_leave(picosuit *p, int st) {
    if (is_failed(p)) {
        run_record(p, p->error.code);
        st = picosuit_settle(p);
    }
    if (st != PICOSUIT_AGAIN) {
        p->ending = 0;
    }
    p->busy = 0;
    return st;
}

/* Opens a public function that is allowed in `states` (bits): OK, or what to return. An
 * error that sticks comes first. */
static int picosuit_enter(picosuit *p, uint32_t states) {
    if (p == NULL || p->magic != DEV_MAGIC || p->busy) {
        return PICOSUIT_E_STATE;
    }
    p->busy = 1;
    if ((states >> p->state & 1u) == 0) {
        return picosuit_leave(p, PICOSUIT_E_STATE);
    }
    return PICOSUIT_OK;
}

int picosuit_init(picosuit *p, const picosuit_platform *platform, void *dev,
                  uint8_t *work, size_t work_len) {
    if (p == NULL || platform == NULL || (work == NULL && work_len > 0)) {
        return PICOSUIT_E_ARG;
    }
    if (p->magic == DEV_MAGIC) {
        if (p->busy) {
            return PICOSUIT_E_STATE;
        }
        p->busy = 1;
        if (picosuit_settle(p) == PICOSUIT_AGAIN) {
            p->busy = 0;
            return PICOSUIT_AGAIN;
        }
    }
    memset(p, 0, sizeof *p);
    p->magic = DEV_MAGIC;
    p->platform = platform;
    p->dev = dev;
    p->work = work;
    p->work_len = work_len < 0x00ffffffu ? (uint32_t)work_len : 0x00ffffffu;
    p->state = ST_RECEIVE;
    p->open = NO_COMPONENT;
    p->trusted = NO_COMPONENT;
    p->component = NO_COMPONENT;
    return PICOSUIT_OK;
}

void picosuit_relocate(picosuit *p, const picosuit_platform *platform, void *dev,
                       uint8_t *work, const uint8_t *data) {
    p->platform = platform;
    p->dev = dev;
    p->work = work;
    p->data = p->data != NULL ? data : NULL;
}

/* Union of the rights of all verified keys. */
static B_NOINLINE uint32_t picosuit_rights(const picosuit *p) {
    uint32_t rights = 0;
    uint32_t i;

    for (i = 0; i < p->signers; i++) {
        rights |= p->rights[i];
    }
    return rights;
}

/* Component table, frames and (if another may follow) the last payload key, behind the
 * parts of the envelope in work. */
static int picosuit_layout(picosuit *p) {
    uint32_t end = p->used + p->components * PICOSUIT_COMPONENT_SIZE +
                   p->depth_max * PICOSUIT_FRAME_SIZE;
    uint32_t key_len = 0;

    if (p->data == NULL && p->members > (p->rx_state == RX_KEY ? 0 : 1)) {
        key_len = p->key_len;
    }
    if (end + key_len > PICOSUIT_MAX_STORED) {
        return fail_here(p, -PICOSUIT_E_LIMIT);
    }
    if (end + key_len > p->work_len) {
        return fail(p, -PICOSUIT_E_ROOM, p->at, (int32_t)(end + key_len));
    }
    memmove(p->work + end, p->work + p->key_pos, key_len);
    p->key_pos = (uint16_t)end;
    memset(p->work + p->used, 0, end - p->used);
    return PICOSUIT_OK;
}

/* First part of begin: what needs no callback. Section by section, in the order of the
 * procedure, the shared sequence first. */
static B_NOINLINE int picosuit_check(picosuit *p) {
    uint32_t i;
    int st = PICOSUIT_E_STATE;

    if ((picosuit_rights(p) & p->procedure) == 0) { /* both have the same bits */
        return fail_here(p, -PICOSUIT_E_RIGHTS);
    }
    for (i = MAN_FETCH; p->procedure == PICOSUIT_UPDATE && i <= MAN_INSTALL; i++) {
        if (man_is_severed(p, i)) {
            return fail(p, -PICOSUIT_E_SEVERED, man_offset(p, p->sec_pos[i] - 1u),
                        man_members[i]);
        }
    }
    p->depth_max = 1;
    p->written = 0;
    p->need = p->procedure;
    st = chk_section(p, MAN_SHARED);
    for (i = 0; i < 3 && st == PICOSUIT_OK; i++) {
        st = chk_section(p, run_section(p, i));
    }
    p->section = 0;
    p->at = man_head(p);
    p->label = 0;
    return st == PICOSUIT_OK ? picosuit_layout(p) : st;
}

/* Asks the platform for the components as the chosen signer: OK, AGAIN, an error, or
 * E_RIGHTS (not set as an error: another signer may do). */
static int picosuit_components(picosuit *p) {
    while (p->step_off < p->components) {
        uint8_t *entry = man_entry(p, p->step_off);
        uint32_t i, pos;
        int st = PICOSUIT_E_STATE;

        man_value(p, p->comp_pos);
        for (i = 0; i < p->step_off; i++) {
            cbor_skip(p);
        }
        pos = man_read_id(p);
        st = dev_component(p, p->r.data + pos, p->r.pos - pos, entry + MAN_HANDLE,
                           entry + MAN_KIND);
        if (st == 0) {
            p->component = (uint8_t)i;
            return fail(p, -PICOSUIT_E_COMPONENT, man_offset(p, pos), 0);
        }
        if (st != 1) {
            return st;
        }
        if ((entry[MAN_KIND] & PICOSUIT_KIND_KEYS) != 0 && (p->written >> i & 1u) != 0 &&
            (p->rights[p->chosen] & PICOSUIT_RIGHT_KEYS) == 0) {
            return PICOSUIT_E_RIGHTS;
        }
        p->step_off++;
    }
    return PICOSUIT_OK;
}

/* p->sub, beside what the static checks have left there: why a key was not chosen */
#define BEGIN_NO_CHECKS 4u
#define BEGIN_NO_RIGHTS 8u

/* Chooses the first verified key that may do all of it. */
static int picosuit_choose(picosuit *p) {
    for (; p->chosen < p->signers; p->chosen++) {
        uint32_t rights = p->rights[p->chosen];
        int st = PICOSUIT_E_RIGHTS;

        if ((p->need & ~rights) != 0) {
            continue;
        }
        if ((p->sub & CHK_COMPATIBLE) != CHK_COMPATIBLE &&
            (rights & PICOSUIT_RIGHT_ANY_DEVICE) == 0) {
            p->sub |= BEGIN_NO_CHECKS;
            continue;
        }
        st = picosuit_components(p);
        if (st != PICOSUIT_E_RIGHTS || is_failed(p)) {
            return st;
        }
        p->sub |= BEGIN_NO_RIGHTS;
        p->step_off = 0;
    }
    return fail_here(p, (p->sub & ~CHK_COMPATIBLE) == BEGIN_NO_CHECKS
                            ? -PICOSUIT_E_COMPAT
                            : -PICOSUIT_E_RIGHTS);
}

/* Rollback: below the floor never; at the floor only the manifest that was confirmed.
 * [M 6.1], [M 8.4.2] */
static int picosuit_floor(picosuit *p) {
    uint64_t floor;
    uint8_t digest[32];
    int st = dev_sequence(p, &floor, digest);

    if (st == PICOSUIT_OK &&
        (p->sequence < floor ||
         (p->sequence == floor && ct_equal(digest, p->digest, 32) != CT_YES))) {
        return fail(p, -PICOSUIT_E_ROLLBACK, man_offset(p, p->seq_pos), 2);
    }
    return st == PICOSUIT_NO_FLOOR ? PICOSUIT_OK : st;
}

/* begin, from where it is (p->phase): OK, AGAIN or an error. */
static B_NOINLINE int picosuit_prepare(picosuit *p) {
    int st = PICOSUIT_OK;

    if (p->phase == 0) {
        st = picosuit_check(p);
        p->phase = 1;
        p->step_off = 0;
        p->chosen = 0;
    }
    if (st == PICOSUIT_OK && p->phase == 1) {
        st = picosuit_choose(p);
        p->phase = (uint8_t)(st == PICOSUIT_OK ? 2 : 1);
    }
    if (st == PICOSUIT_OK) {
        st = picosuit_floor(p);
    }
    if (st == PICOSUIT_OK) {
        p->state = ST_RUN;
        p->place = 0;
        p->depth = 0;
        p->want = WANT_NONE;
        p->trusted = NO_COMPONENT;
        p->has_invoked = 0;
        p->matched = NO_COMPONENT;
        p->steps = PICOSUIT_MAX_STEPS;
    }
    return st;
}

int picosuit_begin(picosuit *p, int procedure) {
    int st = picosuit_enter(p, ST_BIT(ST_READY) | ST_BIT(ST_BEGIN) | ST_BIT(ST_DONE));

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (p->state == ST_BEGIN && p->procedure != procedure) {
        st = PICOSUIT_E_STATE;
    } else if (procedure == PICOSUIT_UNINSTALL) {
        st = fail(p, -PICOSUIT_E_MEMBER, man_head(p), 24);
    } else if (procedure != PICOSUIT_UPDATE && procedure != PICOSUIT_INVOKE) {
        st = PICOSUIT_E_ARG;
    } else {
        if (p->state != ST_BEGIN) {
            p->procedure = (uint8_t)procedure;
            p->state = ST_BEGIN;
            p->phase = 0;
            p->sub = 0;
            p->at = man_head(p);
            p->label = 0;
        }
        st = picosuit_prepare(p);
    }
    return picosuit_leave(p, st);
}

/* Whether the pipe waits for bytes. */
static int picosuit_is_streaming(const picosuit *p) {
    return p->state == ST_RUN && p->want > WANT_ENVELOPE && p->phase == PAY_STREAM;
}

/* Moves bytes of a payload member into the pipe; those before an offset to resume from
 * are passed over. */
static int picosuit_pipe(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    uint32_t pos = pay_wire(p) - p->rx_left;
    size_t from = *used;
    size_t left = len - from < p->rx_left ? len - from : p->rx_left;
    int st = PICOSUIT_MORE;

    if (pos < p->pay_off) {
        *used += left < p->pay_off - pos ? left : p->pay_off - pos;
    } else {
        st = pay_push(p, data, from + left, used);
    }
    p->rx_off += (uint32_t)(*used - from);
    p->rx_left -= (uint32_t)(*used - from);
    if (st == PICOSUIT_MORE && p->rx_left == 0) {
        st = rx_member_end(p);
        p->phase = PAY_FLUSH;
    }
    return st;
}

/* One move of a running procedure: OK to go on. */
static B_NOINLINE int picosuit_move(picosuit *p, const uint8_t *data, size_t len,
                                    size_t *used) {
    int32_t label = p->label;
    int st = PICOSUIT_OK;

    if (p->want == WANT_ENVELOPE) {
        st = rx_run(p, data, len, used);
        if (!is_failed(p)) {
            p->label = label; /* of the command again */
        }
        if (st == RX_FOUND) {
            p->want = WANT_FOUND;
            st = pay_set_wire(p, p->rx_left);
        } else if (st == RX_ENDED) {
            p->want = WANT_URI;
            st = PICOSUIT_OK;
        }
        return st;
    }
    if (picosuit_is_streaming(p) && p->want == WANT_FOUND) {
        return picosuit_pipe(p, data, len, used);
    }
    st = run_all(p);
    if (st == PICOSUIT_FETCH && p->want != WANT_URI) {
        if (p->want == WANT_ENVELOPE && p->data != NULL) {
            rx_start(p, 1);
            p->searched = 1;
        }
        return PICOSUIT_OK;
    }
    return st;
}

/* Runs the procedure with the bytes there are: MORE, FETCH, AGAIN, OK or an error. */
static int picosuit_drive(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = PICOSUIT_OK;

    do {
        if (p->data != NULL) { /* open: the bytes are all there, rx_off is the place */
            data = p->data;
            len = p->data_len;
            *used = p->rx_off;
        }
        if (p->state == ST_RUN) {
            st = picosuit_move(p, data, len, used);
        } else if (*used < len) { /* the rest of the envelope */
            st = rx_run(p, data, len, used);
            st = st < 0 ? st : PICOSUIT_OK;
        } else {
            break;
        }
    } while (st == PICOSUIT_OK || (st == PICOSUIT_MORE && *used < len));
    return st;
}

/* Goes on without new bytes, and leaves. */
static int picosuit_go(picosuit *p) {
    size_t used = 0;
    int st = picosuit_drive(p, p->head, 0, &used);

    return picosuit_leave(p, st == PICOSUIT_MORE ? PICOSUIT_FETCH : st);
}

int picosuit_run(picosuit *p) {
    int st = picosuit_enter(p, ST_BIT(ST_RUN) | ST_BIT(ST_DONE));

    return st == PICOSUIT_OK ? picosuit_go(p) : st;
}

/* Opens a public function that takes bytes. */
static B_NOINLINE int picosuit_take(picosuit *p, const uint8_t *data, size_t len,
                                    size_t *used) {
    if (used == NULL || (data == NULL && len > 0)) {
        return PICOSUIT_E_ARG;
    }
    *used = 0;
    return picosuit_enter(p, ST_ANY);
}

static int picosuit_receive(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = rx_run(p, data, len, used);

    if (st == RX_WRAPPER) { /* not inside rx_run: a running procedure calls that, too, and
                               the deepest stack is below one of the two only */
        st = rx_verify(p);
        if (st == PICOSUIT_OK) {
            st = rx_run(p, data, len, used);
        }
    }
    if (st == PICOSUIT_READY) {
        p->state = ST_READY;
        p->label = 0;
    }
    return st;
}

int picosuit_feed(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = picosuit_take(p, data, len, used);

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (len == 0) {
        data = p->head; /* never read; keeps pointer arithmetic defined */
    }
    if (p->data != NULL) {
        st = PICOSUIT_E_STATE;
    } else if (p->state == ST_RECEIVE) {
        st = picosuit_receive(p, data, len, used);
    } else if (p->state >= ST_RUN) {
        st = picosuit_drive(p, data, len, used);
    } else if (p->rx_state == RX_END && len > 0) {
        st = fail(p, -PICOSUIT_E_TRAILING, p->rx_off, 0);
    } else {
        st = PICOSUIT_READY;
    }
    return picosuit_leave(p, st);
}

int picosuit_feed_end(picosuit *p) {
    int st = picosuit_enter(p, ST_ANY);

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (p->data != NULL) {
        st = PICOSUIT_E_STATE;
    } else if (p->rx_state != RX_END) {
        p->component = p->state == ST_RUN ? p->component : NO_COMPONENT;
        st = fail(p, -PICOSUIT_E_TRUNCATED, p->rx_off, 0);
    } else {
        st = p->state == ST_DONE  ? PICOSUIT_OK
             : p->state == ST_RUN ? PICOSUIT_FETCH
                                  : PICOSUIT_READY;
    }
    return picosuit_leave(p, st);
}

int picosuit_open(picosuit *p, const uint8_t *data, size_t len) {
    size_t used = 0;
    int st = PICOSUIT_E_ARG;

    if (data == NULL || len > 0xffffffffu) {
        return st;
    }
    st = picosuit_enter(p, ST_BIT(ST_RECEIVE));
    if (st != PICOSUIT_OK) {
        return st;
    }
    used = p->rx_off;
    if (p->data == NULL && used != 0) {
        return picosuit_leave(p, PICOSUIT_E_STATE);
    }
    p->data = data;
    p->data_len = (uint32_t)len;
    st = picosuit_receive(p, data, len, &used);
    while (st ==
           PICOSUIT_READY) { /* the structure of the rest, before anything is done */
        st = rx_run(p, data, len, &used);
    }
    if (st == PICOSUIT_MORE) {
        st = fail(p, -PICOSUIT_E_TRUNCATED, p->rx_off, 0);
    } else if (st == RX_ENDED) {
        st = PICOSUIT_READY;
    }
    return picosuit_leave(p, st);
}

static int picosuit_is_ready(const picosuit *p) {
    return p->state >= ST_READY && p->state <= ST_DONE;
}

int picosuit_get_envelope(const picosuit *p, uint32_t off, uint8_t *buf, size_t cap,
                          size_t *len) {
    put_writer w;

    *len = 0;
    if (!picosuit_is_ready(p)) {
        return PICOSUIT_E_STATE;
    }
    put_start(&w, buf, cap, off);
    rep_envelope(p, &w);
    if (off < w.len) {
        *len = w.len - off < cap ? w.len - off : cap;
    }
    return PICOSUIT_OK;
}

int picosuit_get_info(const picosuit *p, picosuit_info *info) {
    put_writer w;

    memset(info, 0, sizeof *info);
    if (!picosuit_is_ready(p)) {
        return PICOSUIT_E_STATE;
    }
    put_start(&w, info->digest, 0, 0);
    rep_envelope(p, &w);
    info->sequence = p->sequence;
    memcpy(info->digest, p->digest, 32);
    info->envelope_len = (uint32_t)w.len;
    info->rights = picosuit_rights(p);
    info->signer = p->signer[p->chosen < p->signers ? p->chosen : 0];
    info->components = p->components;
    info->sections = p->sections & 31u;
    return PICOSUIT_OK;
}

int picosuit_get_fetch(const picosuit *p, picosuit_fetch *fetch) {
    uint32_t len;

    memset(fetch, 0, sizeof *fetch);
    if (p->state != ST_RUN || p->want == WANT_NONE) {
        return PICOSUIT_E_STATE;
    }
    fetch->uri = cbor_text(p, p->fetch_uri, &len);
    fetch->uri_len = (uint16_t)len;
    fetch->args = cbor_text(p, p->fetch_args, &len);
    fetch->args_len = (uint16_t)len;
    fetch->offset = p->pay_off;
    fetch->size = pay_wire(p);
    fetch->where = PICOSUIT_WHERE_ENVELOPE;
    if (p->want == WANT_URI) {
        fetch->where = PICOSUIT_WHERE_URI;
        fetch->passed = p->searched ? 0 : p->passed;
    }
    fetch->component = p->component;
    return PICOSUIT_OK;
}

int picosuit_payload(picosuit *p, const uint8_t *data, size_t len, size_t *used) {
    int st = picosuit_take(p, data, len, used);

    if (st != PICOSUIT_OK) {
        return st;
    }
    st = PICOSUIT_E_STATE;
    if (picosuit_is_streaming(p) && p->want == WANT_URI) {
        st = pay_push(p, data, len, used);
    }
    return picosuit_leave(p, st);
}

int picosuit_payload_end(picosuit *p, int good) {
    int st = picosuit_enter(p, ST_BIT(ST_RUN));

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (p->ending ? !good : !picosuit_is_streaming(p) || p->want != WANT_URI) {
        return picosuit_leave(p, PICOSUIT_E_STATE);
    }
    if (!good) {
        return picosuit_leave(p, pay_fail(p, -PICOSUIT_E_FETCH));
    }
    if (!p->ending) {
        p->phase = PAY_FLUSH;
        p->ending = 1; /* AGAIN: repeat this very call */
    }
    return picosuit_go(p);
}

int picosuit_rewind(picosuit *p) {
    int st = picosuit_enter(p, ST_BIT(ST_RUN));

    if (st != PICOSUIT_OK) {
        return st;
    }
    if (p->data != NULL || (p->want != WANT_ENVELOPE && !picosuit_is_streaming(p))) {
        st = PICOSUIT_E_STATE;
    } else {
        rx_start(p, 1);
        p->want = WANT_ENVELOPE;
        p->searched = 1;
    }
    return picosuit_leave(p, st);
}

const picosuit_error *picosuit_last_error(const picosuit *p) {
    return &p->error;
}

int picosuit_report(const picosuit *p, uint8_t *buf, size_t cap, size_t *len) {
#if PICOSUIT_WITH_REPORT
    uint32_t uri_len;
    const uint8_t *uri = cbor_text(p, p->uri_pos, &uri_len);
    put_writer w;

    *len = 0;
    if (p->magic != DEV_MAGIC) {
        return PICOSUIT_E_STATE;
    }
    put_start(&w, buf, cap, 0);
    put_bytes(&w, (const uint8_t *)"\xa3\x03\x80\x04",
              4); /* records went to the platform */
    rep_result(p, &w);
    /* [uri, SUIT_Digest], exactly as in the manifest and the wrapper. [R 4] CHOICE: empty
     * text without reference-uri, an empty digest before one was received. */
    put_bytes(&w, (const uint8_t *)"\x18\x63\x82", 3);
    put_string(&w, CBOR_TSTR, uri, uri_len);
    put_bytes(&w, (const uint8_t *)"\x82\x2f", 2);
    put_string(&w, CBOR_BSTR, p->digest, p->has_digest ? 32 : 0);
    return rep_done(&w, len);
#else
    (void)p;
    (void)buf;
    (void)cap;
    *len = 0;
    return PICOSUIT_E_UNSUPPORTED;
#endif
}

int picosuit_capabilities(uint8_t *buf, size_t cap, size_t *len) {
#if PICOSUIT_WITH_REPORT
    put_writer w;

    put_start(&w, buf, cap, 0);
    put_bytes(&w, rep_capabilities, sizeof rep_capabilities);
    return rep_done(&w, len);
#else
    (void)buf;
    (void)cap;
    *len = 0;
    return PICOSUIT_E_UNSUPPORTED;
#endif
}

const char *picosuit_strerror(int code) {
#if PICOSUIT_WITH_STRINGS
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {PICOSUIT_OK, "ok"},
        {PICOSUIT_MORE, "more bytes wanted"},
        {PICOSUIT_READY, "authenticated"},
        {PICOSUIT_FETCH, "payload wanted"},
        {PICOSUIT_AGAIN, "platform busy, repeat"},
        {PICOSUIT_SAFE, "nothing to start, safe mode"},
        {PICOSUIT_E_STATE, "call not allowed now"},
        {PICOSUIT_E_ARG, "bad argument"},
        {PICOSUIT_E_ROOM, "work buffer too small"},
        {PICOSUIT_E_CBOR, "malformed or non-deterministic CBOR"},
        {PICOSUIT_E_TYPE, "unexpected CBOR type"},
        {PICOSUIT_E_ORDER, "map keys out of order"},
        {PICOSUIT_E_BOUNDS, "item longer than its container"},
        {PICOSUIT_E_TRUNCATED, "envelope truncated"},
        {PICOSUIT_E_TRAILING, "trailing bytes"},
        {PICOSUIT_E_LIMIT, "limit exceeded"},
        {PICOSUIT_E_VALUE, "value not allowed"},
        {PICOSUIT_E_TAG, "not a tagged SUIT envelope"},
        {PICOSUIT_E_MEMBER, "unsupported member"},
        {PICOSUIT_E_MISSING, "required member missing"},
        {PICOSUIT_E_VERSION, "unsupported manifest version"},
        {PICOSUIT_E_SEVERED, "severed member absent or not referenced"},
        {PICOSUIT_E_COSE, "COSE structure not acceptable"},
        {PICOSUIT_E_ALG, "unsupported algorithm"},
        {PICOSUIT_E_AUTH, "not signed by a known key"},
        {PICOSUIT_E_DIGEST, "digest mismatch"},
        {PICOSUIT_E_RIGHTS, "signer lacks the right"},
        {PICOSUIT_E_ROLLBACK, "older than the confirmed manifest"},
        {PICOSUIT_E_KEYS, "key set not acceptable"},
        {PICOSUIT_E_REJECTED, "tried before and rejected"},
        {PICOSUIT_E_TRIAL, "running image not confirmed"},
        {PICOSUIT_E_COMPAT, "no vendor and class check"},
        {PICOSUIT_E_COMPONENT, "unknown or repeated component"},
        {PICOSUIT_E_INDEX, "component index out of range or not set"},
        {PICOSUIT_E_COMMAND, "unsupported command"},
        {PICOSUIT_E_SHARED, "command not allowed in shared sequence"},
        {PICOSUIT_E_PARAM, "unsupported parameter"},
        {PICOSUIT_E_SEQUENCE, "malformed command sequence"},
        {PICOSUIT_E_SOFT, "soft-failure outside a nested sequence"},
        {PICOSUIT_E_CONDITION, "condition is false"},
        {PICOSUIT_E_TRY, "no alternative succeeded"},
        {PICOSUIT_E_UNSET, "parameter not set"},
        {PICOSUIT_E_TRANSIENT, "not possible with a transient component"},
        {PICOSUIT_E_STEPS, "too many commands"},
        {PICOSUIT_E_UNSUPPORTED, "not supported by this device"},
        {PICOSUIT_E_INVOKE, "nothing was invoked"},
        {PICOSUIT_E_FETCH, "payload not available"},
        {PICOSUIT_E_LENGTH, "payload length wrong"},
        {PICOSUIT_E_DECRYPT, "payload cannot be decrypted"},
        {PICOSUIT_E_CAPACITY, "payload too large for component"},
        {PICOSUIT_E_PLATFORM, "platform failure"},
        {PICOSUIT_E_CRYPTO, "primitive refused its input"},
    };
    size_t i;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].code == code) {
            return texts[i].text;
        }
    }
    return "unknown status";
#else
    (void)code;
    return "";
#endif
}

uint32_t picosuit_version(void) {
    return PICOSUIT_VERSION;
}

uint32_t picosuit_features(void) {
    return PICOSUIT_WITH_ENCRYPTION | PICOSUIT_WITH_MAC << 1 |
           PICOSUIT_WITH_SEVERED << 2 | PICOSUIT_WITH_INTEGRATED << 3 |
           PICOSUIT_WITH_SLOTS << 4 | PICOSUIT_WITH_SWAP << 5 |
           PICOSUIT_WITH_REPORT << 6 | PICOSUIT_WITH_BOOT << 7 |
           PICOSUIT_WITH_STRINGS << 8;
}

#if PICOSUIT_WITH_BOOT
/* ====================================================================================
 * 19  Boot state (boot_, picosuit_boot_, picosuit_keyset_)
 *
 * Gives: the journal and what may be done with it: select, candidate, confirm; key sets;
 * the boot report. docs/boot.md has the states drawn and the reason of each rule (J1 to
 * J10); vectors/test/power.c cuts the power at every flash operation.
 * Limits: two slots, two pages of key sets, 4 keys in a set.
 * uses: 1 2 9 10 11 13 16 18
 * ==================================================================================== */

#define BOOT_VERSION 1u
#define BOOT_NO_PAGE 255u       /* factory keys; keys stay */
#define BOOT_PASSED 0x3c69a5d2u /* the slot passed (glitch pattern), xor its number */
#define BOOT_KEY_MAX 74u        /* bytes of a COSE_Key */
#define BOOT_SET_MAX (1u + 4u * BOOT_KEY_MAX)
#define BOOT_IDENTITY 32u /* bytes of the manifest area that the port programs */

/* flags */
#define BOOT_CHECK 1u    /* a check is under way: it said AGAIN */
#define BOOT_SIZES 2u    /* candidate asks for sizes: one of them said AGAIN */
#define BOOT_PREPARED 4u /* the manifest area was erased, and is blank but for its id */
#define BOOT_RERUN 8u    /* the manifest being processed is the confirmed one */
#define BOOT_STORED 16u  /* candidate has written to the manifest area */
#define BOOT_SEALED 32u  /* and to the key page */
#define BOOT_ATTEMPT                                                                     \
    64u                  /* what select looks at: candidate, confirmed, again, fallback  \
                          */
#define BOOT_ATTEMPTS 3u /* the last one */

/* ---- Flash ------------------------------------------------------------------------- */

static int boot_read(const picosuit_boot *b, uint32_t off, void *buf, size_t cap) {
    return b->flash->read(b->dev, off, (uint8_t *)buf, cap) == 0 ? PICOSUIT_OK
                                                                 : PICOSUIT_E_PLATFORM;
}

static int boot_write(const picosuit_boot *b, uint32_t off, const void *data,
                      size_t len) {
    return b->flash->write(b->dev, off, (const uint8_t *)data, len) == 0
               ? PICOSUIT_OK
               : PICOSUIT_E_PLATFORM;
}

static int boot_erase(const picosuit_boot *b, uint32_t off, uint32_t end) {
    for (; off < end; off += b->flash->page) {
        if (b->flash->erase(b->dev, off) != 0) {
            return PICOSUIT_E_PLATFORM;
        }
    }
    return PICOSUIT_OK;
}

/* Reads from off to end. With sha: hashes it. Without: OK if nothing was ever programmed
 * there, E_TRAILING if something was. */
static int boot_walk(const picosuit_boot *b, picosuit_sha256_ctx *sha, uint32_t off,
                     uint32_t end) {
    uint8_t buf[24]; /* at the end of the deepest path: small */
    uint32_t i, n;

    for (; off < end; off += n) {
        n = end - off < sizeof buf ? end - off : (uint32_t)sizeof buf;
        if (boot_read(b, off, buf, n) != PICOSUIT_OK) {
            return PICOSUIT_E_PLATFORM;
        }
        if (sha != NULL) {
            sha256_update(sha, buf, n);
            continue;
        }
        for (i = 0; i < n; i++) {
            if (buf[i] != b->flash->erased) {
                return PICOSUIT_E_TRAILING;
            }
        }
    }
    return PICOSUIT_OK;
}

/* Half a digest: 128 bits select, the signature still decides. */
static int boot_same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, 16) == 0;
}

static void boot_copy(uint8_t *to, const uint8_t *from) {
    memcpy(to, from, 16);
}

/* ---- The journal ------------------------------------------------------------------- */

/* CRC-32 of a record but for its last word. It never reads as all-erased: `version` is
 * neither 0x00 nor 0xff. */
static uint32_t boot_crc(const picosuit_boot_record *r) {
    const uint8_t *d = (const uint8_t *)r;
    uint32_t crc = 0xffffffffu;
    uint32_t i, k;

    for (i = 0; i < sizeof *r - 4u; i++) {
        crc ^= d[i];
        for (k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* A record that was written whole, by this code: nothing it says has to be doubted again.
 */
static int boot_is_valid(const picosuit_boot_record *r) {
    return r->version == BOOT_VERSION && r->crc == boot_crc(r) && r->counter != 0 &&
           r->phase - 1u < PICOSUIT_BOOT_FRESH && r->slot < 2 &&
           (uint8_t)(r->confirmed + 1u) < 3 && (uint8_t)(r->keys + 1u) < 3 &&
           (uint8_t)(r->new_keys + 1u) < 3;
}

/* Reads all pages. *best: the newest valid record, all zero if there is none. *page: the
 * one for the next record: an invalid one, else the oldest, so that the two newest stand
 * (J1). Not simply the page after the newest: a record that was cut while written may be
 * valid at one boot and not at the next. */
static int boot_scan(const picosuit_boot *b, picosuit_boot_record *best, uint32_t *page) {
    picosuit_boot_record r;
    uint32_t oldest = 0;
    uint32_t i;

    memset(best, 0, sizeof *best);
    for (i = 0; i < b->flash->journal_pages; i++) {
        uint32_t off = b->flash->journal + i * b->flash->page;

        if (boot_read(b, off, &r, sizeof r) != PICOSUIT_OK) {
            return PICOSUIT_E_PLATFORM;
        }
        if (!boot_is_valid(&r)) {
            r.counter = 0; /* records count from 1 */
        }
        if (i == 0 || r.counter < oldest) {
            oldest = r.counter;
            *page = off;
        }
        if (r.counter > best->counter) {
            *best = r;
        }
    }
    return PICOSUIT_OK;
}

/* ---- Key sets ---------------------------------------------------------------------- */

static uint32_t boot_keys_page(const picosuit_boot *b, uint32_t page) {
    return b->flash->keys + page * b->flash->page;
}

/* The page that is not in force. */
static uint32_t boot_keys_other(const picosuit_boot *b) {
    return b->rec.keys == 0;
}

typedef struct {
    uint32_t epoch;
    uint32_t len;
    uint8_t sha[32]; /* SHA-256 of the set, then of the two numbers */
} boot_keys;

/* SHA-256 of the set in a page, under the epoch and length in k: goes to k, or is what k
 * has. */
static B_NOINLINE int boot_keys_hash(const picosuit_boot *b, uint32_t page, boot_keys *k,
                                     int is_new) {
    uint32_t off = boot_keys_page(b, page) + PICOSUIT_KEYS_SET;
    picosuit_sha256_ctx sha;
    int st = PICOSUIT_E_PLATFORM;

    sha256_init(&sha);
    st = boot_walk(b, &sha, off, off + k->len);
    sha256_update(&sha, (const uint8_t *)k, 8);
    sha256_final(&sha, sha.buf); /* the block is done with */
    if (is_new) {
        memcpy(k->sha, sha.buf, sizeof k->sha);
    }
    return st == PICOSUIT_OK && ct_equal(sha.buf, k->sha, sizeof k->sha) != CT_YES
               ? PICOSUIT_E_KEYS
               : st;
}

/* One COSE_Key: {1: 1, 2: kid, 3: alg, -1: 6, -2: x, -65537: rights}, with a mark for
 * what differs from key to key. [RFC9053 7.2], docs/boot.md */
#define BOOT_KID 0xe1u
#define BOOT_ALG 0xe2u
#define BOOT_X 0xe3u
static const uint8_t boot_key_form[] = {0xa6,     1,    1, 2,    BOOT_KID, 3,
                                        BOOT_ALG, 0x20, 6, 0x21, 0x58,     0x20,
                                        BOOT_X,   0x3a, 0, 1,    0,        0};

/* Its length, 0 if it is not exactly that, with a kid of 1 to 23 bytes. */
static size_t boot_cose_key(const uint8_t *data, size_t len, picosuit_key *key) {
    size_t pos = 0;
    uint32_t i, c;

    key->key_len = 32;
    for (i = 0; i <= sizeof boot_key_form; i++, pos++) {
        if (pos >= len) {
            return 0;
        }
        c = data[pos];
        if (i == sizeof boot_key_form) {
            break;
        }
        switch (boot_key_form[i]) {
        case BOOT_KID:
            if (c <= 0x40 || c >= 0x58) {
                return 0;
            }
            pos += c - 0x40u;
            break;
        case BOOT_ALG:
            if (c != 0x32 && c != 0x27) {
                return 0;
            }
            key->alg = 0x1f - (int32_t)c;
            break;
        case BOOT_X:
            key->key = data + pos;
            pos += 31;
            break;
        default:
            if (c != boot_key_form[i]) {
                return 0;
            }
        }
    }
    if (c == 0x18 && pos + 1 < len) {
        pos++;
        c = data[pos] + (data[pos] < 24 ? 32u : 0);
    } else if (c > 23) {
        return 0;
    }
    key->rights = c;
    return c - 1u < 31 ? pos + 1 : 0;
}

/* A set to read keys from: in memory, or in flash through a window. */
typedef struct {
    const uint8_t *data; /* NULL: in flash */
    const picosuit_boot *b;
    uint32_t off; /* in flash */
    uint32_t len; /* bytes */
    uint8_t window[BOOT_KEY_MAX];
    uint8_t reserved[2];
} boot_set;

/* The n-th key, and its kid's head: 1, 0 when there are no more, or E_KEYS. */
static int boot_set_key(boot_set *s, unsigned n, picosuit_key *key, const uint8_t **kid) {
    uint32_t left = 0; /* keys still to come */
    uint32_t pos = 0;
    uint32_t size, used;

    for (;;) {
        const uint8_t *d = s->window;

        size = s->len - pos < BOOT_KEY_MAX ? s->len - pos : BOOT_KEY_MAX;
        if (size == 0) {
            return PICOSUIT_E_KEYS;
        }
        if (s->data != NULL) {
            d = s->data + pos;
        } else if (boot_read(s->b, s->off + pos, s->window, size) != PICOSUIT_OK) {
            return PICOSUIT_E_PLATFORM;
        }
        if (pos == 0) {
            used = 1;
            left = d[0] - 0x80u;
            if (left - 1u > 3) {
                return PICOSUIT_E_KEYS;
            }
        } else {
            used = (uint32_t)boot_cose_key(d, size, key);
            if (used == 0) {
                return PICOSUIT_E_KEYS;
            }
            key->id++;
            if (key->id > n) {
                *kid = d + 4;
                return 1;
            }
            left--;
        }
        pos += used;
        if (left == 0) {
            return pos == s->len ? 0 : PICOSUIT_E_KEYS;
        }
    }
}

static int boot_set_check(boot_set *s) {
    const uint32_t rights = PICOSUIT_RIGHT_UPDATE | PICOSUIT_RIGHT_KEYS;
    const uint8_t *kid;
    picosuit_key key;
    unsigned n = 0;
    int has = 0;
    int st = 1;

    while (st == 1) {
        key.id = 0;
        st = boot_set_key(s, n, &key, &kid);
        has |= st == 1 && (key.rights & rights) == rights;
        n++;
    }
    return st == 0 && !has ? PICOSUIT_E_KEYS : st;
}

/* A set in memory; 0: it cannot be one. */
static int boot_set_memory(boot_set *s, const uint8_t *data, size_t len) {
    s->data = data;
    s->len = (uint32_t)len;
    return data != NULL && len <= BOOT_SET_MAX;
}

int picosuit_keyset_key(const uint8_t *data, size_t len, unsigned n, picosuit_key *key) {
    const uint8_t *kid;
    boot_set s;

    key->id = 0;
    return boot_set_memory(&s, data, len) ? boot_set_key(&s, n, key, &kid)
                                          : PICOSUIT_E_KEYS;
}

int picosuit_keyset_check(const uint8_t *data, size_t len) {
    boot_set s;

    return boot_set_memory(&s, data, len) ? boot_set_check(&s) : PICOSUIT_E_KEYS;
}

/* The set in a page, by its length. */
static B_NOINLINE void boot_set_open(boot_set *s, const picosuit_boot *b, uint32_t page,
                                     uint32_t len) {
    s->data = NULL;
    s->b = b;
    s->off = boot_keys_page(b, page) + PICOSUIT_KEYS_SET;
    s->len = len <= b->flash->page - PICOSUIT_KEYS_SET ? len : 0;
}

/* The set in a page, its length given, in itself. */
static B_NOINLINE int boot_keys_check(const picosuit_boot *b, uint32_t page,
                                      uint32_t len) {
    boot_set s;

    boot_set_open(&s, b, page, len);
    return boot_set_check(&s);
}

/* Reads the head of a page: OK if a set is in it, whole, and the one with this digest;
 * NULL: any. */
static B_NOINLINE int boot_keys_valid(const picosuit_boot *b, uint32_t page, boot_keys *k,
                                      const uint8_t *digest) {
    int st = boot_read(b, boot_keys_page(b, page), k, sizeof *k);

    if (st == PICOSUIT_OK &&
        (k->epoch + 1u == 0 || (digest != NULL && !boot_same(k->sha, digest)))) {
        st = PICOSUIT_E_KEYS;
    }
    if (st == PICOSUIT_OK) {
        st = boot_keys_check(b, page, k->len);
    }
    return st == PICOSUIT_OK ? boot_keys_hash(b, page, k, 0) : st;
}

/* The set in force: the one that the journal names, if its page is what it was. Else, as
 * after the loss of the journal, the valid page with the highest epoch; the factory set
 * if neither is valid. The epoch never falls. */
static int boot_keys_load(picosuit_boot *b) {
    picosuit_boot_record *r = &b->rec;
    boot_keys k;
    uint32_t i;
    uint32_t epoch = 0;
    int st = PICOSUIT_OK;

    if (r->keys != BOOT_NO_PAGE) {
        st = boot_keys_valid(b, r->keys, &k, r->keys_digest);
    }
    if (r->phase != PICOSUIT_BOOT_NONE && st != PICOSUIT_E_KEYS) {
        return st;
    }
    r->keys = BOOT_NO_PAGE;
    for (i = 0; i < 2; i++) {
        st = boot_keys_valid(b, i, &k, NULL);
        if (st == PICOSUIT_OK && k.epoch > epoch) {
            epoch = k.epoch;
            r->keys = (uint8_t)i;
            boot_copy(r->keys_digest, k.sha);
        }
        if (st == PICOSUIT_E_PLATFORM) {
            return st;
        }
    }
    r->epoch = epoch > r->epoch ? epoch : r->epoch;
    return PICOSUIT_OK;
}

/* The record in memory becomes the newest one in flash. If flash cannot be read, memory
 * has no version: nothing is committed or accepted on the strength of it. */
static int boot_load(picosuit_boot *b) {
    picosuit_boot_record *r = &b->rec;
    uint32_t page = 0;
    int st = boot_scan(b, r, &page);

    if (st == PICOSUIT_OK && r->phase == PICOSUIT_BOOT_NONE) {
        r->version = BOOT_VERSION;
        r->confirmed = PICOSUIT_NO_SLOT;
        r->new_keys = BOOT_NO_PAGE;
    }
    if (st == PICOSUIT_OK) {
        st = boot_keys_load(b);
    }
    if (st != PICOSUIT_OK) {
        memset(r, 0, sizeof *r);
        r->confirmed = PICOSUIT_NO_SLOT;
    }
    b->set = r->keys;
    if (r->phase == PICOSUIT_BOOT_TRY && b->running == r->slot &&
        r->new_keys != BOOT_NO_PAGE) {
        b->set = r->new_keys; /* the trial runs, and only under these keys */
    }
    return st;
}

/* Writes the record in memory to the journal: erased first whatever the page looks like
 * (J2), one record a page (J3), CRC last, read back. */
static B_NOINLINE int boot_record(picosuit_boot *b) {
    picosuit_boot_record r;
    uint32_t page = 0;
    int st = boot_scan(b, &r, &page);

    if (r.counter != b->rec.counter || b->rec.version != BOOT_VERSION ||
        r.counter + 1u == 0) {
        st = PICOSUIT_E_PLATFORM; /* memory is not the newest: a record was misread */
    }
    b->rec.counter++;
    b->rec.crc = boot_crc(&b->rec);
    if (st == PICOSUIT_OK) {
        st = boot_erase(b, page, page + 1u);
    }
    if (st == PICOSUIT_OK) {
        st = boot_write(b, page, &b->rec, sizeof b->rec);
    }
    if (st == PICOSUIT_OK) {
        st = boot_read(b, page, &r, sizeof r);
    }
    if (st == PICOSUIT_OK && memcmp(&r, &b->rec, sizeof r) != 0) {
        st = PICOSUIT_E_PLATFORM;
    }
    return st;
}

/* Commits the record in memory, in a phase. If that fails, memory goes back to what flash
 * says. */
static int boot_commit(picosuit_boot *b, uint32_t phase) {
    int st = PICOSUIT_E_PLATFORM;

    b->rec.phase = (uint8_t)phase;
    st = boot_record(b);
    if (st != PICOSUIT_OK) {
        (void)boot_load(b);
    }
    return st;
}

/* There is a candidate. */
static int boot_is_tried(const picosuit_boot_record *r) {
    return r->phase == PICOSUIT_BOOT_CAND || r->phase == PICOSUIT_BOOT_TRY;
}

/* Confirmed image and other image change places. */
static void boot_swap(picosuit_boot_record *r, uint32_t confirmed) {
    uint32_t i;

    for (i = 0; i < 16; i++) {
        uint8_t old = r->confirmed_digest[i];

        r->confirmed_digest[i] = r->other_digest[i];
        r->other_digest[i] = old;
    }
    r->confirmed = (uint8_t)confirmed;
}

/* The candidate is one no more. If it had a slot of its own, that holds nothing now. */
static int boot_drop(picosuit_boot *b) {
    b->rec.new_keys = BOOT_NO_PAGE;
    b->rec.tries = 0;
    if (b->rec.slot != b->rec.confirmed) {
        memset(b->rec.other_digest, 0, sizeof b->rec.other_digest);
    }
    return boot_commit(b, PICOSUIT_BOOT_IDLE);
}

/* The n-th key of the set that verifies now, among those with the kid: 1, 0 or an error.
 */
static B_NOINLINE int boot_find_key(picosuit_boot *b, unsigned n, const uint8_t *kid,
                                    size_t kid_len, picosuit_key *out) {
    const uint8_t *have;
    uint32_t head[2]; /* epoch, length */
    boot_set s;
    unsigned i = 0;
    int st = 0;

    if (b->set == BOOT_NO_PAGE) {
        s.data = b->flash->factory;
        s.len = b->flash->factory_len;
        if (s.data == NULL) {
            return 0;
        }
    } else {
        if (boot_read(b, boot_keys_page(b, b->set), head, sizeof head) != PICOSUIT_OK) {
            return PICOSUIT_E_PLATFORM;
        }
        boot_set_open(&s, b, b->set, head[1]);
    }
    for (;; i++) {
        out->id = 0;
        st = boot_set_key(&s, i, out, &have);
        if (st != 1) {
            return st;
        }
        if (kid != NULL &&
            (have[0] - 0x40u != kid_len || memcmp(have + 1, kid, kid_len) != 0)) {
            continue;
        }
        if (n == 0) {
            memcpy(b->x, out->key, sizeof b->x);
            out->key = b->x;
            return 1;
        }
        n--;
    }
}

int picosuit_boot_key(picosuit_boot *b, int purpose, unsigned n, const uint8_t *kid,
                      size_t kid_len, picosuit_key *out) {
    if (purpose != PICOSUIT_PURPOSE_VERIFY) {
        return 0;
    }
    if (b->rec.version == 0 && boot_load(b) != PICOSUIT_OK) {
        return PICOSUIT_E_PLATFORM; /* no journal, no keys: never an older set */
    }
    return boot_find_key(b, n, kid, kid_len, out);
}

/* ---- Slots ------------------------------------------------------------------------- */

/* The manifest area of a slot. */
static uint32_t boot_area(const picosuit_boot *b, uint32_t slot) {
    return b->flash->slot[slot & 1u] + b->flash->slot_size - b->flash->manifest_size;
}

typedef struct {
    uint32_t image_len;
    uint32_t not_image_len;
    uint32_t envelope_len;
    uint32_t not_envelope_len;
} boot_head;

/* Reads what the manifest area says: OK if it is whole and possible. */
static int boot_head_read(const picosuit_boot *b, uint32_t slot, boot_head *h) {
    const picosuit_flash *f = b->flash;
    int st = PICOSUIT_E_TRUNCATED;

    if (slot < 2) {
        st = boot_read(b, boot_area(b, slot) + PICOSUIT_MANIFEST_LEN, h, sizeof *h);
    }
    if (st == PICOSUIT_OK &&
        (h->image_len != ~h->not_image_len || h->envelope_len != ~h->not_envelope_len ||
         h->image_len > f->slot_size - f->manifest_size ||
         h->envelope_len > f->manifest_size - PICOSUIT_MANIFEST_ENVELOPE)) {
        st = PICOSUIT_E_TRUNCATED;
    }
    return st;
}

/* Where an update goes: never to the slot that runs; if none does, not to the confirmed
 * one. */
static B_NOINLINE uint8_t boot_target(const picosuit_boot *b) {
    uint32_t slot = b->running < 2 ? b->running : b->rec.confirmed;

    return (uint8_t)(slot < 2 ? slot ^ 1u : 0);
}

/* The next bytes of the stored envelope, fed like those of one that arrives. Once more
 * without any if the last one was answered with AGAIN. */
static B_NOINLINE int boot_feed(const picosuit_boot *b, picosuit *p, uint32_t end) {
    uint8_t buf[32];
    size_t used;
    size_t n = end - p->rx_off;
    int st = PICOSUIT_E_STATE;

    n = n < sizeof buf ? n : sizeof buf;
    st = boot_read(b, boot_area(b, b->slot) + PICOSUIT_MANIFEST_ENVELOPE + p->rx_off, buf,
                   n);
    if (st == PICOSUIT_OK) {
        st = picosuit_feed(p, buf, n, &used);
    }
    return st == PICOSUIT_MORE && p->rx_off == end ? PICOSUIT_E_TRUNCATED : st;
}

/* Authentic: is it all of what is stored, and the very manifest that the journal means?
 */
static int boot_begin(const picosuit_boot *b, picosuit *p, uint32_t end) {
    const picosuit_boot_record *r = &b->rec;

    if (p->rx_off != end) {
        return PICOSUIT_E_TRAILING;
    }
    if (!boot_same(p->digest,
                   b->slot == r->confirmed ? r->confirmed_digest : r->other_digest)) {
        return PICOSUIT_E_DIGEST;
    }
    return picosuit_begin(p, PICOSUIT_INVOKE);
}

/* Is a component of the manifest the image? */
static int boot_is_image(const picosuit_boot *b, picosuit *p, uint32_t component) {
    uint32_t pos;

    man_value(p, p->comp_pos);
    for (; component > 0; component--) {
        cbor_skip(p);
    }
    pos = man_read_id(p);
    return p->r.pos - pos == b->flash->component_len &&
           memcmp(p->r.data + pos, b->flash->component, b->flash->component_len) == 0;
}

/* INVOKE went well: what it invoked was matched with its digest over flash, and there is
 * nothing else in the slot. [THREAT.IMG.EXTRA] */
static int boot_end(picosuit_boot *b, picosuit *p, const boot_head *h) {
    uint32_t area = boot_area(b, b->slot);
    int st = PICOSUIT_E_DIGEST;

    if (p->has_invoked == RUN_INVOKED_MATCHED && boot_is_image(b, p, p->matched) &&
        h->image_len != 0) {
        st = boot_walk(b, NULL, b->flash->slot[b->slot & 1u] + h->image_len, area);
    }
    if (st == PICOSUIT_OK) {
        st = boot_walk(b, NULL, area + PICOSUIT_MANIFEST_ENVELOPE + h->envelope_len,
                       area + b->flash->manifest_size);
    }
    b->bootable = st == PICOSUIT_OK ? BOOT_PASSED ^ b->slot : 0;
    return st;
}

/* A check begins, or goes on after AGAIN, under the keys it is about. */
static int boot_check_enter(picosuit_boot *b, picosuit *p) {
    const picosuit_boot_record *r = &b->rec;
    int st = PICOSUIT_OK;

    if ((b->flags & BOOT_CHECK) == 0) {
        b->bootable = 0;
        st = picosuit_init(p, p->platform, p->dev, p->work, p->work_len);
    }
    if (st == PICOSUIT_OK) {
        b->flags |= BOOT_CHECK;
        b->set = r->keys;
        if (b->flags < BOOT_ATTEMPT && r->new_keys != BOOT_NO_PAGE) {
            b->set = r->new_keys; /* the candidate's */
        }
    }
    return st;
}

/* Checks slot b->slot as every boot does, a candidate under its own keys: OK, AGAIN (call
 * again), or an error, which then is p's, too. */
static int boot_check(picosuit_boot *b, picosuit *p) {
    boot_head h;
    int st = boot_check_enter(b, p);

    if (st != PICOSUIT_OK) {
        return st;
    }
    st = boot_head_read(b, b->slot, &h);
    while (st >= 0 && st <= PICOSUIT_READY && p->state != ST_DONE) {
        st = p->state == ST_RECEIVE ? boot_feed(b, p, h.envelope_len)
             : p->state < ST_RUN    ? boot_begin(b, p, h.envelope_len)
                                    : picosuit_run(p);
    }
    if (st != PICOSUIT_OK) {
        b->set = b->rec.keys; /* nobody else verifies with the candidate's */
    }
    if (st == PICOSUIT_AGAIN) {
        return st;
    }
    b->flags = (uint8_t)(b->flags & ~BOOT_CHECK);
    if (st >= 0) { /* FETCH: an image that is not there yet */
        st = st == PICOSUIT_OK ? boot_end(b, p, &h) : PICOSUIT_E_FETCH;
    }
    return st == PICOSUIT_OK ? st : fail(p, -st, p->rx_off, 0);
}

/* ---- Starting ---------------------------------------------------------------------- */

int picosuit_boot_init(picosuit_boot *b, const picosuit_flash *flash, void *dev,
                       unsigned running) {
    memset(b, 0, sizeof *b);
    b->flash = flash;
    b->dev = dev;
    b->running = (uint8_t)running;
    b->slot = PICOSUIT_NO_SLOT;
    return boot_load(b);
}

/* The candidate will never be started again, nor its sequence number be installed. */
static B_NOINLINE void boot_reject(picosuit_boot *b, int code) {
    b->rec.rejected = b->rec.sequence;
    b->rec.has_rejected = 1;
    b->rec.result = PICOSUIT_RESULT_REJECTED;
    b->rec.code = (int16_t)code;
    (void)boot_drop(b); /* not committed: tried, and rejected, at the next boot */
}

/* Whether the candidate's key page is no longer what was sealed. */
static B_NOINLINE int boot_keys_lost(const picosuit_boot *b) {
    const picosuit_boot_record *r = &b->rec;
    boot_keys k;

    return r->new_keys != BOOT_NO_PAGE &&
           boot_keys_valid(b, r->new_keys, &k, r->new_keys_digest) == PICOSUIT_E_KEYS;
}

/* Chooses the slot of an attempt. Returns 0 if there is nothing to check. */
static int boot_aim(picosuit_boot *b, uint32_t attempt) {
    const picosuit_boot_record *r = &b->rec;
    int is_tried = boot_is_tried(r);
    int is_other = r->slot != r->confirmed; /* the candidate has a slot of its own */
    static const uint8_t none[16] = {0};

    b->slot = r->confirmed;
    if (attempt == 0) {
        b->slot = r->slot;
        if (is_tried && r->tries >= b->flash->tries) {
            boot_reject(b, PICOSUIT_E_TRIAL);
            return 0;
        }
        if (is_tried && boot_keys_lost(b)) {
            boot_reject(b, PICOSUIT_E_KEYS);
            return 0;
        }
        return is_tried;
    }
    if (attempt == BOOT_ATTEMPTS) { /* the old image, if it is not the candidate's (J9) */
        b->slot ^= 1u;
        if ((is_tried && is_other) || boot_same(r->other_digest, none)) {
            return 0;
        }
    }
    return r->confirmed < 2;
}

/* The candidate was checked: counts a try before it starts (J5), or rejects it. What the
 * platform could not do says nothing about the image, but counts, so that it ends. */
static int boot_try(picosuit_boot *b, int st) {
    int done = PICOSUIT_OK;

    if (st == PICOSUIT_OK || st == PICOSUIT_E_PLATFORM) {
        b->rec.tries++;
        done = boot_commit(b, PICOSUIT_BOOT_TRY);
    } else {
        boot_reject(b, st);
    }
    return st != PICOSUIT_OK ? st : done;
}

/* Before anything relies on the journal: a page that was cut while written or erased may
 * read as valid at a later boot, so it is erased (J11); and what says IDLE stands twice
 * before anything is erased on the strength of it (J6). Returns 0 if a copy is missing.
 */
static B_NOINLINE int boot_settled(const picosuit_boot *b) {
    uint32_t phase = b->rec.phase;
    picosuit_boot_record r;
    uint32_t i, off;
    int has_copy = phase != PICOSUIT_BOOT_IDLE && phase != PICOSUIT_BOOT_FRESH;

    for (i = 0; i < b->flash->journal_pages; i++) {
        off = b->flash->journal + i * b->flash->page;
        if (boot_read(b, off, &r, sizeof r) != PICOSUIT_OK) {
            return 1; /* nothing will be committed, either */
        }
        if (!boot_is_valid(&r)) {
            if (boot_walk(b, NULL, off, off + sizeof r) != PICOSUIT_OK &&
                boot_read(b, off, &r, sizeof r) == PICOSUIT_OK && !boot_is_valid(&r)) {
                (void)boot_erase(b, off, off + 1u);
            }
        } else if (r.counter != b->rec.counter) {
            r.phase = (uint8_t)phase;
            r.keys = b->rec.keys; /* may be another than was written: boot_keys_load */
            r.epoch = b->rec.epoch;
            boot_copy(r.keys_digest, b->rec.keys_digest);
            r.counter = b->rec.counter;
            r.crc = b->rec.crc;
            has_copy |= memcmp(&r, &b->rec, sizeof r) == 0;
        }
    }
    return has_copy;
}

int picosuit_boot_select(picosuit_boot *b, picosuit *p) {
    int st = PICOSUIT_E_STATE;
    uint32_t attempt = 0;

    b->running = PICOSUIT_NO_SLOT;
    if (p->magic != DEV_MAGIC) {
        return st;
    }
    if ((b->flags & (BOOT_CHECK | BOOT_ATTEMPTS * BOOT_ATTEMPT)) == 0 &&
        !boot_settled(b)) {
        (void)boot_commit(b, PICOSUIT_BOOT_IDLE);
    }
    for (;;) {
        attempt = b->flags / BOOT_ATTEMPT;
        if ((b->flags & BOOT_CHECK) != 0 || boot_aim(b, attempt)) {
            st = boot_check(b, p);
            if (st == PICOSUIT_AGAIN) {
                return st;
            }
            if (attempt == 0) {
                st = boot_try(b, st);
            }
            if (st == PICOSUIT_OK) {
                b->running = b->slot;
                break;
            }
        }
        if (attempt == BOOT_ATTEMPTS) {
            break;
        }
        b->flags = (uint8_t)(b->flags + BOOT_ATTEMPT);
    }
    b->flags = 0;
    return b->running < 2 ? PICOSUIT_OK : PICOSUIT_SAFE;
}

/* Whether every pattern says that the running slot passed. */
static int boot_is_bootable(const volatile picosuit_boot *b, const volatile picosuit *p) {
    return b->running < 2 && b->bootable == (BOOT_PASSED ^ b->running) &&
           p->verified == MAN_VERIFIED && p->state == ST_DONE &&
           p->procedure == PICOSUIT_INVOKE && p->has_invoked == RUN_INVOKED_MATCHED;
}

uint32_t picosuit_boot_address(const picosuit_boot *b, const picosuit *p) {
    uint32_t address = PICOSUIT_NO_ADDRESS;

    if (boot_is_bootable(b, p)) {
        if (boot_is_bootable(b, p)) { /* one skipped branch is not enough */
            address = b->flash->slot[b->running & 1u];
        }
    }
    return address;
}

/* ---- Updates ----------------------------------------------------------------------- */

/* Is the manifest one that was installed before: confirmed and running, or waiting? */
static int boot_is_known(const picosuit_boot *b, const picosuit *p) {
    const picosuit_boot_record *r = &b->rec;

    return (b->running == r->confirmed && boot_same(p->digest, r->confirmed_digest)) ||
           (r->phase == PICOSUIT_BOOT_CAND && r->slot != r->confirmed &&
            boot_same(p->digest, r->other_digest));
}

/* The trial of an image runs. (In safe mode nothing does, and an update may end it.) */
static B_NOINLINE int boot_on_trial(const picosuit_boot *b) {
    return b->rec.phase == PICOSUIT_BOOT_TRY && b->running < 2;
}

/* No update while an image is on trial, none that was tried, and none older than the one
 * that waits: its envelope alone would withdraw the newer one. */
static int boot_admit(const picosuit_boot *b, picosuit *p) {
    const picosuit_boot_record *r = &b->rec;
    int code = 0;

    if (boot_on_trial(b)) {
        code = -PICOSUIT_E_TRIAL;
    } else if (r->has_rejected && p->sequence == r->rejected) {
        code = -PICOSUIT_E_REJECTED;
    } else if (r->phase == PICOSUIT_BOOT_CAND && p->sequence < r->sequence &&
               !boot_is_known(b, p)) {
        code = -PICOSUIT_E_ROLLBACK;
    }
    return code == 0 ? PICOSUIT_OK : fail(p, code, man_offset(p, p->seq_pos), 2);
}

int picosuit_boot_begin(picosuit_boot *b, picosuit *p) {
    const picosuit_boot_record *r = &b->rec;
    int st = PICOSUIT_OK;

    if (!picosuit_is_ready(p)) {
        return picosuit_begin(p, PICOSUIT_UPDATE);
    }
    if ((b->flags & BOOT_CHECK) != 0) { /* a candidate's check was given up */
        b->flags = 0;
        st = boot_load(b);
    }
    if (st == PICOSUIT_OK) {
        st = boot_admit(b, p);
    }
    if (st != PICOSUIT_OK) {
        return st;
    }
    b->flags = (uint8_t)(b->flags & BOOT_PREPARED);
    b->bootable = 0;
    b->slot = boot_target(b);
    if (boot_same(p->digest, r->confirmed_digest)) {
        b->flags |= BOOT_RERUN;
    }
    st = picosuit_begin(p, PICOSUIT_UPDATE);
    if (st == PICOSUIT_OK && boot_is_known(b, p)) {
        p->state = ST_DONE; /* there is nothing to do */
    }
    return st;
}

int picosuit_boot_prepare(picosuit_boot *b, unsigned area, uint32_t *off) {
    uint32_t page = 0;
    int st = PICOSUIT_OK;

    *off = 0;
    if (boot_on_trial(b)) {
        return PICOSUIT_E_TRIAL;
    }
    if (b->slot >= 2 || b->slot == b->running || (b->flags & BOOT_CHECK) != 0) {
        return PICOSUIT_E_STATE;
    }
    if (boot_is_tried(&b->rec)) {
        st = boot_drop(b);
    }
    if (st != PICOSUIT_OK) {
        return st;
    }
    if (area == PICOSUIT_AREA_KEYS) {
        page = boot_keys_page(b, boot_keys_other(b));
        *off = page + PICOSUIT_KEYS_SET;
        return boot_erase(b, page, page + 1u);
    }
    *off = b->flash->slot[b->slot];
    page = boot_area(b, b->slot);
    st = boot_erase(b, page, page + b->flash->manifest_size);
    if (st == PICOSUIT_OK) {
        b->flags |= BOOT_PREPARED;
    }
    return st;
}

/* Stores the envelope of the update, and the length of its image. */
static B_NOINLINE int boot_store(picosuit_boot *b, const picosuit *p, uint32_t len) {
    uint32_t area = boot_area(b, b->slot);
    uint32_t off, unit = b->flash->unit;
    uint8_t buf[64];
    size_t n;
    boot_head h;
    put_writer w;
    int st = PICOSUIT_OK;

    put_start(&w, buf, 0, 0);
    rep_envelope(p, &w);
    if (w.len > b->flash->manifest_size - PICOSUIT_MANIFEST_ENVELOPE) {
        return PICOSUIT_E_LIMIT;
    }
    st = boot_read(b, area, buf, BOOT_IDENTITY);
    if (st == PICOSUIT_OK &&
        ((b->flags & BOOT_PREPARED) == 0 || memcmp(buf, p->digest, BOOT_IDENTITY) != 0)) {
        /* Another manifest's; or who knows what a reset has interrupted here. */
        st = boot_erase(b, area, area + b->flash->manifest_size);
        if (st == PICOSUIT_OK) {
            st = boot_write(b, area, p->digest, BOOT_IDENTITY);
        }
    }
    b->flags = (uint8_t)((b->flags & ~BOOT_PREPARED) | BOOT_STORED);
    h.image_len = len;
    h.not_image_len = ~len;
    h.envelope_len = (uint32_t)w.len;
    h.not_envelope_len = ~h.envelope_len;
    for (off = 0; off < h.envelope_len && st == PICOSUIT_OK; off += (uint32_t)n) {
        memset(buf, b->flash->erased, sizeof buf);
        st = picosuit_get_envelope(p, off, buf, sizeof buf, &n);
        if (st == PICOSUIT_OK) {
            st = boot_write(b, area + PICOSUIT_MANIFEST_ENVELOPE + off, buf,
                            (n + unit - 1u) & ~(size_t)(unit - 1u));
        }
    }
    return st == PICOSUIT_OK ? boot_write(b, area + PICOSUIT_MANIFEST_LEN, &h, sizeof h)
                             : st;
}

/* Seals that page under the next epoch, and makes it the candidate's. */
static B_NOINLINE int boot_keys_seal(picosuit_boot *b, uint32_t len) {
    uint32_t page = boot_keys_other(b);
    uint32_t off = boot_keys_page(b, page);
    boot_keys k;
    int st = boot_keys_check(b, page, len);

    k.epoch = b->rec.epoch + 1u;
    k.len = len;
    if (st == PICOSUIT_OK) {
        st = boot_walk(b, NULL, off, off + PICOSUIT_KEYS_SET);
    }
    if (st == PICOSUIT_OK) {
        st = boot_keys_hash(b, page, &k, 1);
    }
    if (st == PICOSUIT_OK) {
        b->flags |= BOOT_SEALED;
        st = boot_write(b, off, &k, sizeof k);
    }
    if (st == PICOSUIT_OK) {
        st = boot_keys_valid(b, page, &k, NULL);
    }
    b->rec.new_keys = (uint8_t)page;
    boot_copy(b->rec.new_keys_digest, k.sha);
    return st;
}

/* Keys in flash are those that the manifest means, whether it has asked or not (J8):
 * there is no later check of them. p->step_off is the component. */
static int boot_keys_match(const picosuit_boot *b, picosuit *p, uint32_t len) {
    uint32_t off = boot_keys_page(b, boot_keys_other(b)) + PICOSUIT_KEYS_SET;
    const uint8_t *want;

    p->component = (uint8_t)p->step_off;
    want = man_digest(p);
    if (want == NULL || len > BOOT_SET_MAX) {
        return PICOSUIT_E_KEYS;
    }
    sha256_init(&p->sha);
    if (boot_walk(b, &p->sha, off, off + len) != PICOSUIT_OK) {
        return PICOSUIT_E_PLATFORM;
    }
    sha256_final(&p->sha, p->block);
    return ct_equal(p->block, want, 32) == CT_YES ? PICOSUIT_OK : PICOSUIT_E_KEYS;
}

/* What the update has written: p->limit bytes of image and p->pay_size bytes of keys, as
 * the platform has them; 0: not written. OK, AGAIN or an error. */
static int boot_written(picosuit_boot *b, picosuit *p) {
    uint32_t len, capacity;
    int st = PICOSUIT_OK;

    if ((b->flags & BOOT_SIZES) == 0) {
        b->flags |= BOOT_SIZES;
        p->step_off = 0;
        p->limit = 0;
        p->pay_size = 0;
    }
    for (; p->step_off < p->components; p->step_off++) {
        const uint8_t *e = man_entry(p, p->step_off);
        int is_keys = (e[MAN_KIND] & PICOSUIT_KIND_KEYS) != 0;

        if ((p->written >> p->step_off & 1u) == 0 ||
            (!is_keys && !boot_is_image(b, p, p->step_off))) {
            continue;
        }
        st = dev_size(p, e[MAN_HANDLE], &len, &capacity);
        if (st != PICOSUIT_OK || len == 0) {
            return st != PICOSUIT_OK ? st : PICOSUIT_E_STATE;
        }
        if (is_keys) {
            p->pay_size = len;
            st = boot_keys_match(b, p, len);
            if (st != PICOSUIT_OK) {
                return st;
            }
        } else {
            p->limit = len;
        }
    }
    b->flags = (uint8_t)(b->flags & ~BOOT_SIZES);
    return (p->limit | p->pay_size) != 0 ? PICOSUIT_OK : PICOSUIT_E_STATE;
}

/* The record in memory says what will be tried; it is not committed yet. */
static void boot_arrange(picosuit_boot *b, const picosuit *p) {
    picosuit_boot_record *r = &b->rec;

    r->sequence = p->sequence;
    if (p->limit == 0) { /* only keys: what is confirmed is to run with them */
        b->slot = r->confirmed;
    } else {
        if (b->running < 2 && b->running != r->confirmed) {
            boot_swap(r, b->running); /* the fallback: what there is to go back to */
        }
        boot_copy(r->other_digest, p->digest);
    }
    r->slot = b->slot;
}

/* First part of candidate: everything is put in its place, and in the record in memory.
 */
static int boot_install(picosuit_boot *b, picosuit *p) {
    picosuit_boot_record *r = &b->rec;
    int st = boot_written(b, p);

    if (st == PICOSUIT_OK && p->limit == 0 &&
        (b->running != r->confirmed || b->running >= 2)) {
        st = PICOSUIT_E_STATE; /* only keys, and it does not run: repair it first */
    }
    if (st == PICOSUIT_OK && boot_is_tried(r)) {
        st = boot_drop(b);
    }
    if (st == PICOSUIT_OK && p->pay_size != 0) {
        st = boot_keys_seal(b, p->pay_size);
    }
    if (st == PICOSUIT_OK && p->limit != 0) {
        st = boot_store(b, p, p->limit);
    }
    if (st != PICOSUIT_OK) {
        return st;
    }
    boot_arrange(b, p);
    return st;
}

/* What looks installed, but is not good: the next attempt starts over. */
static void boot_discard(picosuit_boot *b) {
    uint32_t page = boot_area(b, b->slot);

    if ((b->flags & BOOT_STORED) != 0) {
        (void)boot_erase(b, page, page + 1u);
    }
    page = boot_keys_page(b, boot_keys_other(b));
    if ((b->flags & BOOT_SEALED) != 0) {
        (void)boot_erase(b, page, page + 1u);
    }
    (void)boot_load(b);
}

/* Is this the end of an update that picosuit_boot_begin has let begin? */
static int boot_is_update(const picosuit_boot *b, const picosuit *p) {
    return p->state == ST_DONE && p->procedure == PICOSUIT_UPDATE &&
           p->verified == MAN_VERIFIED && b->slot == boot_target(b) &&
           ((b->flags & BOOT_RERUN) == 0 ||
            boot_same(p->digest, b->rec.confirmed_digest));
}

int picosuit_boot_candidate(picosuit_boot *b, picosuit *p) {
    int st = PICOSUIT_E_STATE;

    if ((b->flags & BOOT_CHECK) == 0) {
        if (!boot_is_update(b, p)) {
            return st;
        }
        st = boot_admit(b, p);
        if (st != PICOSUIT_OK || boot_is_known(b, p)) {
            return st;
        }
        st = boot_install(b, p);
    }
    if (st == PICOSUIT_OK || (b->flags & BOOT_CHECK) != 0) {
        st = boot_check(b, p); /* J8: digest over flash, and all else that a boot asks */
    }
    if (st == PICOSUIT_AGAIN) {
        return st;
    }
    b->bootable = 0; /* not at this boot */
    if (st != PICOSUIT_OK) {
        boot_discard(b);
    } else {
        b->rec.tries = 0;
        st = boot_commit(b, PICOSUIT_BOOT_CAND);
    }
    b->flags = 0;
    b->set = b->rec.keys;
    b->slot = b->running;
    return st;
}

/* The one writer of floor, confirmed slot and key epoch (J4). */
int picosuit_boot_confirm(picosuit_boot *b) {
    picosuit_boot_record *r = &b->rec;

    if (r->phase != PICOSUIT_BOOT_TRY) {
        return b->running < 2 && b->running == r->confirmed ? PICOSUIT_OK
                                                            : PICOSUIT_E_STATE;
    }
    if (b->running != r->slot || (r->new_keys != BOOT_NO_PAGE && b->set != r->new_keys)) {
        return PICOSUIT_E_STATE; /* it was passed over at this boot */
    }
    if (boot_keys_lost(b)) {
        return PICOSUIT_E_KEYS;
    }
    r->floor = r->sequence > r->floor ? r->sequence : r->floor;
    if (r->slot != r->confirmed) {
        boot_swap(r, r->slot);
    }
    if (r->new_keys != BOOT_NO_PAGE) {
        boot_copy(r->keys_digest, r->new_keys_digest);
        r->keys = r->new_keys;
        r->new_keys = BOOT_NO_PAGE;
        r->epoch++;
    }
    r->tries = 0;
    r->result = PICOSUIT_RESULT_CONFIRMED;
    r->code = 0;
    return boot_commit(b, PICOSUIT_BOOT_FRESH);
}

/* ---- Facts for the platform -------------------------------------------------------- */

int picosuit_boot_sequence(const picosuit_boot *b, uint64_t *floor, uint8_t *digest) {
    uint64_t least = b->flash->floor;

    *floor = b->rec.floor;
    memset(digest, 0, 32);
    if (b->rec.version == 0) {
        return PICOSUIT_E_PLATFORM; /* the journal could not be read */
    }
    if ((b->flags & (BOOT_CHECK | BOOT_RERUN)) != 0) {
        return PICOSUIT_NO_FLOOR; /* its digest is the one that the journal has */
    }
    if (least > *floor) {
        *floor = least - 1u; /* nothing of this number was confirmed: it is allowed */
    }
    return least == 0 && b->rec.confirmed >= 2 ? PICOSUIT_NO_FLOOR : PICOSUIT_OK;
}

unsigned picosuit_boot_slot(const picosuit_boot *b) {
    return b->slot;
}

int picosuit_boot_stored(const picosuit_boot *b, unsigned area, uint32_t *off,
                         uint32_t *len) {
    int st = PICOSUIT_OK;

    *len = 0;
    if (area == PICOSUIT_AREA_KEYS) {
        uint32_t page = boot_keys_other(b);
        uint32_t head[2] = {0, 0}; /* epoch, length */

        if ((b->flags & BOOT_CHECK) != 0 && b->set != BOOT_NO_PAGE) {
            page = b->set; /* found whole before the check began */
            st = boot_read(b, boot_keys_page(b, page), head, sizeof head);
        }
        *len = head[1];
        *off = boot_keys_page(b, page) + PICOSUIT_KEYS_SET;
    } else {
        boot_head h;

        *off = b->flash->slot[b->slot & 1u];
        st = boot_head_read(b, b->slot, &h);
        if (st == PICOSUIT_OK) {
            *len = h.image_len;
        }
    }
    return st == PICOSUIT_E_PLATFORM ? st : PICOSUIT_OK;
}

/* ---- Report ------------------------------------------------------------------------ */

#if PICOSUIT_WITH_REPORT
static void boot_put64(put_writer *w, uint64_t val) {
    uint8_t d[9];
    uint32_t i;

    if (val >> 32 == 0) {
        put_head(w, CBOR_UINT, (uint32_t)val);
        return;
    }
    d[0] = 0x1b;
    for (i = 8; i > 0; i--) {
        d[i] = (uint8_t)val;
        val >>= 8;
    }
    put_bytes(w, d, 9);
}

static void boot_put_maybe(put_writer *w, uint64_t val, int is_there) {
    if (is_there) {
        boot_put64(w, val);
    } else {
        put_head(w, CBOR_SIMPLE, CBOR_NULL);
    }
}

/* The running image as it lies in flash: {0: identifier, 3: digest, 14: size}. */
static B_NOINLINE int boot_put_claims(const picosuit_boot *b, const boot_head *h,
                                      put_writer *w) {
    uint32_t off = b->flash->slot[b->running & 1u];
    picosuit_sha256_ctx sha;
    uint8_t digest[32];
    int st = PICOSUIT_E_PLATFORM;

    sha256_init(&sha);
    st = boot_walk(b, &sha, off, off + h->image_len);
    sha256_final(&sha, digest);
    put_bytes(w, (const uint8_t *)"\xa3\x00", 2);
    put_bytes(w, b->flash->component, b->flash->component_len);
    put_bytes(w, (const uint8_t *)"\x03\x58\x24\x82\x2f\x58\x20", 7);
    put_bytes(w, digest, 32);
    put_head(w, CBOR_UINT, 14);
    put_head(w, CBOR_UINT, h->image_len);
    return st;
}

/* Result of the last update: true, or code and reason as in picosuit_report. */
static void boot_put_result(const picosuit_boot_record *r, put_writer *w) {
    int code = boot_is_tried(r) ? 0 : r->code;

    if (code == 0 && !boot_is_tried(r)) {
        put_head(w, CBOR_SIMPLE, CBOR_TRUE);
        return;
    }
    rep_record(w, code, 0, 0, 0);
    put_head(w, CBOR_UINT, code != 0 ? rep_reason(code) : 12);
}

static void boot_put_state(const picosuit_boot *b, put_writer *w) {
    const picosuit_boot_record *r = &b->rec;

    put_bytes(w, (const uint8_t *)"\x20\x87", 2);
    put_head(w, CBOR_UINT, r->phase);
    put_head(w, CBOR_UINT, b->running);
    put_head(w, CBOR_UINT, r->tries);
    boot_put64(w, r->floor);
    put_head(w, CBOR_UINT, r->epoch);
    boot_put_maybe(w, r->sequence, boot_is_tried(r));
    boot_put_maybe(w, r->rejected, r->has_rejected);
}
#endif

int picosuit_boot_report(const picosuit_boot *b, uint8_t *buf, size_t cap, size_t *len) {
#if PICOSUIT_WITH_REPORT
    const picosuit_boot_record *r = &b->rec;
    uint8_t id[BOOT_IDENTITY];
    boot_head h;
    put_writer w;
    uint32_t has_claims = 0;
    int st = PICOSUIT_OK;

    *len = 0;
    put_start(&w, buf, cap, 0);
    put_bytes(&w, (const uint8_t *)"\xa4\x03", 2);
    st = boot_head_read(b, b->running, &h);
    has_claims = st == PICOSUIT_OK;
    put_head(&w, CBOR_ARRAY, has_claims);
    memset(id, 0, sizeof id);
    if (has_claims) {
        st = boot_put_claims(b, &h, &w);
        if (st == PICOSUIT_OK) {
            st = boot_read(b, boot_area(b, b->running), id, sizeof id);
        }
    }
    if (st == PICOSUIT_E_PLATFORM) {
        return st;
    }
    put_head(&w, CBOR_UINT, 4);
    boot_put_result(r, &w);
    put_bytes(&w, (const uint8_t *)"\x18\x63\x82\x60\x82\x2f", 6);
    put_string(&w, CBOR_BSTR, id,
               has_claims &&
                       boot_same(id, b->running == r->confirmed ? r->confirmed_digest
                                                                : r->other_digest)
                   ? sizeof id
                   : 0);
    boot_put_state(b, &w);
    return rep_done(&w, len);
#else
    (void)b;
    (void)buf;
    (void)cap;
    *len = 0;
    return PICOSUIT_E_UNSUPPORTED;
#endif
}
#endif
