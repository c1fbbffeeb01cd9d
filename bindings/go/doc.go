// SPDX-License-Identifier: MIT

// Package picosuit verifies and carries out SUIT firmware updates (draft-ietf-suit-manifest-37)
// with the C core of picosuit: the same code, and the same verdicts, as on a microcontroller.
//
// [Verify] answers whether an envelope is authentic. A [Processor] takes an envelope through a
// whole update on a [Device], which is whatever you make of it: a virtual one in a test, the flash
// of a board behind a debug probe, or the storage of this machine. [Flash] and [Boot] are the boot
// state: two slots, a journal, trial, confirmation and fall-back.
//
// # Errors
//
// What the core refuses is an [*Error]: a [Code], the byte of the envelope where it stands, and the
// section, label and component of the manifest as far as they are known. A Code is an error value
// itself, so that errors.Is(err, picosuit.ErrAuth) works. What a Device's method returned can be
// found by errors.Is and errors.As, too.
//
// # Threads
//
// A Processor, a Flash and a Boot are each for one goroutine at a time; use by two at once, or from
// inside a method of the Device, is refused with [ErrState]. Different ones do not know of each
// other: there is no global state. Functions of the package may be called by any goroutine.
//
// # Memory
//
// A Processor, a Flash and a Boot hold memory of C. Close gives it back; a finalizer does it when
// Close was forgotten. No Go pointer is kept in C, and C never calls Go.
package picosuit
