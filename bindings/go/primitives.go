// SPDX-License-Identifier: MIT

package picosuit

import "picosuit.example/go/internal/raw"

// The primitives of the core, for boot loaders, tests and tools. Lengths in bytes; a wrong length
// is ErrArg. They may change with any version.

func primitive(st int32) error {
	if int(st) == raw.BIND_E_MEMORY {
		return errMemory
	}
	if st != 0 {
		return refusal(Code(st), "")
	}
	return nil
}

// SHA256 is FIPS 180-4.
func SHA256(data []byte) (sum [32]byte) {
	raw.Bind_sha256(ptr(data), size(data), &sum[0], 32)
	return sum
}

// SHA512 is FIPS 180-4.
func SHA512(data []byte) (sum [64]byte) {
	raw.Bind_sha512(ptr(data), size(data), &sum[0], 64)
	return sum
}

// Ed25519Verify is RFC 8032 5.1.7, strict: S < L, canonical A and R of large order, no cofactor.
// The key has 32 bytes, or 1568 if it is expanded (vectors/make/expand_key.py); the signature 64.
// Errors: ErrCrypto if the signature is not good.
func Ed25519Verify(key, data, sig []byte) error {
	return primitive(raw.Bind_ed25519_verify(ptr(sig), size(sig), ptr(key), size(key), ptr(data),
		size(data)))
}

// X25519 is RFC 7748 with scalar and point of 32 bytes; an all-zero result is ErrCrypto.
func X25519(scalar, point []byte) ([]byte, error) {
	out := make([]byte, 32)
	st := raw.Bind_x25519(ptr(scalar), size(scalar), ptr(point), size(point), &out[0], 32)
	if err := primitive(st); err != nil {
		return nil, err
	}
	return out, nil
}

// HKDFSHA256 is RFC 5869; length is 1..32.
func HKDFSHA256(salt, key, info []byte, length int) ([]byte, error) {
	if length < 1 || length > 32 {
		return nil, refusal(ErrArg, "HKDF gives 1 to 32 bytes")
	}
	out := make([]byte, length)
	st := raw.Bind_hkdf_sha256(ptr(salt), size(salt), ptr(key), size(key), ptr(info), size(info),
		ptr(out), size(out))
	if err := primitive(st); err != nil {
		return nil, err
	}
	return out, nil
}

// AES128Unwrap is RFC 3394 with a key of 16 bytes; data has 24..72, a multiple of 8.
func AES128Unwrap(key, data []byte) ([]byte, error) {
	if len(data) < 24 {
		return nil, refusal(ErrArg, "a wrapped key has 24 bytes or more")
	}
	out := make([]byte, len(data)-8)
	st := raw.Bind_aes128_unwrap(ptr(key), size(key), ptr(data), size(data), ptr(out), size(out))
	if err := primitive(st); err != nil {
		return nil, err
	}
	return out, nil
}

// ChaCha20 is RFC 8439 with a key of 32 bytes and a nonce of 12.
func ChaCha20(key, nonce []byte, counter uint32, data []byte) ([]byte, error) {
	out := make([]byte, len(data))
	st := raw.Bind_chacha20(ptr(key), size(key), ptr(nonce), size(nonce), counter, ptr(data),
		size(data), ptr(out), size(out))
	if err := primitive(st); err != nil {
		return nil, err
	}
	return out, nil
}

// Poly1305 is RFC 8439 with a key of 32 bytes.
func Poly1305(key, data []byte) (tag [16]byte, err error) {
	st := raw.Bind_poly1305(ptr(key), size(key), ptr(data), size(data), &tag[0], 16)
	return tag, primitive(st)
}

// AEADOpen is ChaCha20-Poly1305 of RFC 8439: data is ciphertext, then the tag of 16 bytes; key 32,
// nonce 12. Errors: ErrCrypto if the tag is not right.
func AEADOpen(key, nonce, aad, data []byte) ([]byte, error) {
	if len(data) < 16 {
		return nil, refusal(ErrArg, "data has no room for a tag")
	}
	out := make([]byte, len(data)-16)
	st := raw.Bind_aead_open(ptr(key), size(key), ptr(nonce), size(nonce), ptr(aad), size(aad),
		ptr(data), size(data), ptr(out), size(out))
	if err := primitive(st); err != nil {
		return nil, err
	}
	return out, nil
}
