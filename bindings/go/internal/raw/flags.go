// SPDX-License-Identifier: MIT

//go:build cgo

package raw

// The switches of the Python build, so that both run all vectors.

// #cgo CFLAGS: -std=c99 -O2 -DPICOSUIT_EXPOSE_PRIMITIVES=1 -DPICOSUIT_WITH_SWAP=1
// #cgo CFLAGS: -DPICOSUIT_ED25519_EXPANDED=1
import "C"
