// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"errors"
	"testing"

	"picosuit.example/go"
)

// is expects bytes, or the error if want is nil.
func is(t testing.TB, r record, got []byte, err error, want []byte, code picosuit.Code) {
	t.Helper()
	if want == nil {
		if !errors.Is(err, code) || got != nil {
			t.Errorf("%s: %x and %v, expected %v", r["name"], got, err, code)
		}
	} else if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %x and %v, expected %x", r["name"], got, err, want)
	}
}

// optional is nil if a record has no such value: then its input must be refused.
func (r record) optional(t testing.TB, key string) []byte {
	t.Helper()
	if !r.has(key) {
		return nil
	}
	return append([]byte{}, r.hex(t, key)...)
}

func TestVectorsSHA2(t *testing.T) {
	for _, r := range records(t, "crypto/sha2.txt") {
		data := bytes.Repeat(r.hex(t, "data"), int(r.number(t, "repeat", 1)))
		sum, long := picosuit.SHA256(data), picosuit.SHA512(data)
		is(t, r, sum[:], nil, r.hex(t, "sha256"), 0)
		is(t, r, long[:], nil, r.hex(t, "sha512"), 0)
	}
}

func TestVectorsHKDF(t *testing.T) {
	for _, r := range records(t, "crypto/hkdf.txt") {
		want := r.hex(t, "okm")
		if len(want) > 32 {
			want = want[:32]
		}
		okm, err := picosuit.HKDFSHA256(r.hex(t, "salt"), r.hex(t, "ikm"), r.hex(t, "info"),
			len(want))
		is(t, r, okm, err, want, 0)
	}
}

func TestVectorsChaCha20(t *testing.T) {
	for _, r := range records(t, "crypto/chacha20.txt") {
		out, err := picosuit.ChaCha20(r.hex(t, "key"), r.hex(t, "nonce"),
			uint32(r.number(t, "counter", 0)), r.hex(t, "data"))
		is(t, r, out, err, r.hex(t, "out"), 0)
	}
	// The key of a tag is the first half of block 0 (RFC 8439 2.6).
	for _, r := range records(t, "crypto/poly1305_key.txt") {
		once, err := picosuit.ChaCha20(r.hex(t, "key"), r.hex(t, "nonce"), 0, make([]byte, 32))
		is(t, r, once, err, r.hex(t, "once"), 0)
	}
}

func TestVectorsPoly1305(t *testing.T) {
	for _, r := range records(t, "crypto/poly1305.txt") {
		tag, err := picosuit.Poly1305(r.hex(t, "key"), r.hex(t, "data"))
		is(t, r, tag[:], err, r.hex(t, "tag"), 0)
	}
}

func TestVectorsAEAD(t *testing.T) {
	for _, r := range records(t, "crypto/aead.txt") {
		key, nonce, aad, data := r.hex(t, "key"), r.hex(t, "nonce"), r.hex(t, "aad"), r.hex(t, "data")
		plain, err := picosuit.AEADOpen(key, nonce, aad, data)
		is(t, r, plain, err, r.hex(t, "plain"), 0)
		for _, at := range []int{0, len(data) - 16, len(data) - 1} {
			bad := append([]byte(nil), data...)
			bad[at] ^= 0x80
			plain, err = picosuit.AEADOpen(key, nonce, aad, bad)
			is(t, r, plain, err, nil, picosuit.ErrCrypto)
		}
	}
}

func TestVectorsAESKW(t *testing.T) {
	for _, r := range records(t, "crypto/aeskw.txt") {
		kek, data := r.hex(t, "kek"), r.hex(t, "data")
		key, err := picosuit.AES128Unwrap(kek, data)
		is(t, r, key, err, r.optional(t, "key"), picosuit.ErrCrypto)
		data[len(data)/2] ^= 1
		key, err = picosuit.AES128Unwrap(kek, data)
		is(t, r, key, err, nil, picosuit.ErrCrypto)
	}
}

func TestVectorsX25519(t *testing.T) {
	for _, r := range records(t, "crypto/x25519.txt") {
		scalar, point := r.hex(t, "scalar"), r.hex(t, "point")
		var out []byte
		var err error
		for i := r.number(t, "repeat", 1); i > 0 && err == nil; i-- {
			out, err = picosuit.X25519(scalar, point)
			scalar, point = out, scalar
		}
		is(t, r, out, err, r.optional(t, "out"), picosuit.ErrCrypto)
	}
}

func TestVectorsEd25519(t *testing.T) {
	for _, r := range records(t, "crypto/ed25519.txt") {
		key, data, sig := r.hex(t, "key"), r.hex(t, "data"), r.hex(t, "sig")
		if err := picosuit.Ed25519Verify(key, data, sig); err != nil {
			t.Errorf("%s: %v", r["name"], err)
		}
		for _, at := range []int{0, 31, 32, 63} {
			sig[at] ^= 1
			if err := picosuit.Ed25519Verify(key, data, sig); !errors.Is(err, picosuit.ErrCrypto) {
				t.Errorf("%s: byte %d of the signature changed: %v", r["name"], at, err)
			}
			sig[at] ^= 1
		}
	}
	for _, r := range records(t, "crypto/ed25519_edge.txt") {
		err := picosuit.Ed25519Verify(r.hex(t, "key"), r.hex(t, "data"), r.hex(t, "sig"))
		if good := r.number(t, "accept", -1) == 1; good != (err == nil) ||
			err != nil && !errors.Is(err, picosuit.ErrCrypto) {
			t.Errorf("%s: %v, accept = %s", r["name"], err, r["accept"])
		}
	}
}

func TestVectorsEd25519Expanded(t *testing.T) {
	for _, r := range records(t, "crypto/ed25519_expanded.txt") {
		key, data, sig := r.hex(t, "key"), r.hex(t, "data"), r.hex(t, "sig")
		err := picosuit.Ed25519Verify(key, data, sig)
		if !r.has("blob") {
			if !errors.Is(err, picosuit.ErrCrypto) {
				t.Errorf("%s: a key that must be refused: %v", r["name"], err)
			}
			continue
		}
		blob := r.hex(t, "blob")
		if again := picosuit.Ed25519Verify(blob, data, sig); err != nil || again != nil {
			t.Errorf("%s: %v, expanded: %v", r["name"], err, again)
		}
		sig[40] ^= 4
		if err := picosuit.Ed25519Verify(blob, data, sig); !errors.Is(err, picosuit.ErrCrypto) {
			t.Errorf("%s: expanded, the signature changed: %v", r["name"], err)
		}
	}
}

func TestPrimitivesRefuseLengths(t *testing.T) {
	b := func(n int) []byte { return make([]byte, n) }
	call := func(_ []byte, err error) error { return err }
	for name, err := range map[string]error{
		"signature of 63": picosuit.Ed25519Verify(b(32), nil, b(63)),
		"key of 31":       picosuit.Ed25519Verify(b(31), nil, b(64)),
		"scalar of 31":    call(picosuit.X25519(b(31), b(32))),
		"point of 33":     call(picosuit.X25519(b(32), b(33))),
		"okm of 0":        call(picosuit.HKDFSHA256(nil, nil, nil, 0)),
		"okm of 33":       call(picosuit.HKDFSHA256(nil, nil, nil, 33)),
		"kek of 15":       call(picosuit.AES128Unwrap(b(15), b(24))),
		"wrapped 16":      call(picosuit.AES128Unwrap(b(16), b(16))),
		"wrapped 25":      call(picosuit.AES128Unwrap(b(16), b(25))),
		"wrapped 80":      call(picosuit.AES128Unwrap(b(16), b(80))),
		"chacha key":      call(picosuit.ChaCha20(b(16), b(12), 0, nil)),
		"chacha nonce":    call(picosuit.ChaCha20(b(32), b(8), 0, nil)),
		"poly1305 key":    func() error { _, err := picosuit.Poly1305(b(31), nil); return err }(),
		"aead nothing":    call(picosuit.AEADOpen(b(32), b(12), nil, nil)),
		"aead nonce":      call(picosuit.AEADOpen(b(32), b(11), nil, b(16))),
	} {
		if !errors.Is(err, picosuit.ErrArg) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
