// SPDX-License-Identifier: MIT

package picosuit

import (
	"errors"
	"fmt"
	"strings"

	"picosuit.example/go/internal/raw"
)

// Error is a refusal of the core: the first failure of a Processor, which sticks until Reset.
//
// errors.Is(err, ErrAuth) compares the code. What a method of the Device, or a Source, returned is
// found by errors.Is and errors.As, too.
type Error struct {
	Code      Code
	Offset    uint32 // byte of the envelope; the core's header says of what
	Label     int32  // command, parameter or member; ErrRoom: bytes needed
	Platform  int32  // ErrPlatform: the Device's answer; payload errors: position in it
	Section   uint8  // manifest key of the section, SectionShared, or 0: none
	Component uint8  // index in the manifest, or NoComponent

	located bool   // Offset and the rest were set by the core
	what    string // in place of the core's text
	cause   error  // what the Device or the Source returned
}

// ErrAgain is returned by a method of a Device that is not ready: nothing happened, and it wants to
// be asked the same again. The Processor's call then returns the status Again.
var ErrAgain = errors.New("picosuit: not ready, ask again")

// Answer is an error of a Device's method that carries a number: it stands in Error.Platform. It is
// negative; other numbers, and errors that hold none, count as -1.
type Answer int32

// Error says which number it was.
func (a Answer) Error() string { return fmt.Sprintf("picosuit: the device answered %d", int32(a)) }

// refusal is an Error about the use of this package, not about an envelope.
func refusal(code Code, what string) *Error {
	return &Error{Code: code, Component: NoComponent, what: what}
}

// Error is one line: "picosuit: E_AUTH at byte 4: no authentication block ...".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("picosuit: " + e.Code.String())
	if e.located {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.Section != 0 {
		fmt.Fprintf(&b, ", section %d", e.Section)
	}
	if e.Label != 0 {
		fmt.Fprintf(&b, ", label %d", e.Label)
	}
	if e.Component != NoComponent {
		fmt.Fprintf(&b, ", component %d", e.Component)
	}
	if e.what != "" {
		fmt.Fprintf(&b, ": %s", e.what)
	} else {
		fmt.Fprintf(&b, ": %s", raw.Bind_strerror(int32(e.Code)))
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// Is compares the code with a Code, for errors.Is.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap is what a method of the Device, or a Source, returned; nil if it was neither.
func (e *Error) Unwrap() error { return e.cause }

// answer is the number by which the core learns that a method of the Device failed.
func answer(err error) int32 {
	var number Answer
	var code Code
	var inner *Error // of the Boot or Flash from which the device answers
	switch {
	case errors.Is(err, ErrAgain):
		return int32(Again)
	case errors.As(err, &number) && number < 0:
		return int32(number)
	case errors.As(err, &code) && code < 0:
		return int32(code)
	case errors.As(err, &inner) && inner.Platform < 0:
		return inner.Platform
	case inner != nil:
		return int32(inner.Code)
	}
	return -1
}
