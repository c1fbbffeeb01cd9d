// SPDX-License-Identifier: MIT

//go:build linux && cgo

// Bench compares picosuit.Verify with the same call in C: one process, one build of the core, in
// turns. The last line is `go_verify_pct N`: median time in Go in percent of that in C.
//
// usage: bench VECTORS
package main

// #cgo CFLAGS: -std=c99 -O2 -D_POSIX_C_SOURCE=199309L
// #cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-all
// #include "verify.h"
import "C"

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
	"unsafe"

	"picosuit.example/go"
)

const (
	turns  = 2001
	rounds = 1 // verifications in a turn: short, so that what else runs here hits few of them
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bench VECTORS")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(vectors string) error {
	envelope, err := os.ReadFile(filepath.Join(vectors, "suit", "plain_320.suit"))
	if err != nil {
		return err
	}
	key, err := rootKey(filepath.Join(vectors, "keys.txt"))
	if err != nil {
		return err
	}
	keys := []picosuit.Key{{Key: key, Alg: picosuit.Ed25519, Rights: picosuit.RightUpdate, ID: 1}}
	var inC, inGo []float64
	for turn := 0; turn < turns; turn++ {
		ns := C.bench_verify((*C.uint8_t)(unsafe.Pointer(&envelope[0])), C.size_t(len(envelope)),
			(*C.uint8_t)(unsafe.Pointer(&key[0])), rounds)
		if ns < 0 {
			return fmt.Errorf("C refuses the envelope")
		}
		inC = append(inC, float64(ns)/rounds)
		from := time.Now()
		for i := 0; i < rounds; i++ {
			if _, err := picosuit.Verify(envelope, keys); err != nil {
				return err
			}
		}
		inGo = append(inGo, float64(time.Since(from).Nanoseconds())/rounds)
	}
	fmt.Printf("C %.1f us, Go %.1f us, median of %d turns of %d\n", median(inC)/1000,
		median(inGo)/1000, turns, rounds)
	fmt.Printf("go_verify_pct %.0f\n", 100*median(inGo)/median(inC))
	return nil
}

// rootKey is the public key that signed the envelope.
func rootKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, text2, found := strings.Cut(string(text), "name = root\n")
	_, text2, found2 := strings.Cut(text2, "public = ")
	if !found || !found2 || len(text2) < 64 {
		return nil, fmt.Errorf("%s: no key root", file)
	}
	return hex.DecodeString(text2[:64])
}

func median(all []float64) float64 {
	sort.Float64s(all)
	return all[len(all)/2]
}
