// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"

	"picosuit.example/go"
)

// rootKey is a test key of vectors/keys.txt.
const rootKey = "3d097e535923685b39994f5f3204a551fd3a4df6b23e2762805ef9c990a12f6e"

func ExampleVerify() {
	envelope, err := os.ReadFile("../../vectors/suit/fetch_uri.suit")
	if err != nil {
		log.Fatal(err)
	}
	public, err := hex.DecodeString(rootKey) // 32 bytes, Ed25519
	if err != nil {
		log.Fatal(err)
	}
	info, err := picosuit.Verify(envelope, []picosuit.Key{{
		Key:    public,
		Alg:    picosuit.Ed25519,
		Rights: picosuit.RightUpdate,
		ID:     1,
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sequence %d, %d component, signed by key %d\n", info.Sequence, info.Components,
		info.Signer)
	// Output: sequence 1, 1 component, signed by key 1
}

func ExampleError() {
	envelope, err := os.ReadFile("../../vectors/suit/fetch_uri.suit")
	if err != nil {
		log.Fatal(err)
	}
	public, err := hex.DecodeString(rootKey)
	if err != nil {
		log.Fatal(err)
	}
	envelope[len(envelope)-1] ^= 1
	_, err = picosuit.Verify(envelope, []picosuit.Key{{Key: public, Alg: picosuit.Ed25519}})

	var refused *picosuit.Error
	switch {
	case err == nil:
		fmt.Println("authentic")
	case errors.Is(err, picosuit.ErrAuth):
		fmt.Println("signed by nobody we know")
	case errors.As(err, &refused):
		fmt.Println(refused.Code, "at byte", refused.Offset)
	default:
		log.Fatal(err) // not about the envelope
	}
	// Output: E_DIGEST: digest mismatch at byte 122
}

// The loop that Process runs, for a program whose bytes come in pieces: from a radio, or by
// callbacks.
func ExampleProcessor_Feed() {
	envelope, err := os.ReadFile("../../vectors/suit/fetch_integrated.suit") // payload inside
	if err != nil {
		log.Fatal(err)
	}
	public, err := hex.DecodeString(rootKey)
	if err != nil {
		log.Fatal(err)
	}
	keys := []picosuit.Key{{Key: public, Alg: picosuit.Ed25519, Rights: picosuit.RightUpdate}}
	device := &disk{}
	p, err := picosuit.NewProcessor(device, keys, &picosuit.Options{Work: 1024})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	st := picosuit.More
	for st != picosuit.OK && err == nil {
		switch st {
		case picosuit.More, picosuit.Fetch: // the next piece: an envelope's, or its payload's
			n := 20
			if n > len(envelope) {
				n = len(envelope)
			}
			var used int
			st, used, err = p.Feed(envelope[:n])
			envelope = envelope[used:]
		case picosuit.Ready:
			if st, err = p.Begin(picosuit.Update); err == nil {
				st, err = p.Run()
			}
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(device.image), "bytes stored")
	// Output: 1000 bytes stored
}
