// SPDX-License-Identifier: MIT

//go:build !cgo

package raw

// The core is C: without cgo there is nothing. This name is the message of the compiler.
var _ = picosuit_needs_cgo__set_CGO_ENABLED_1_and_install_a_C_compiler
