// SPDX-License-Identifier: MIT

package picosuit

import (
	"fmt"

	"picosuit.example/go/internal/raw"
)

// Status says what a call of a Processor ended with, if it did not fail.
type Status int

// The numbers are those of the core.
const (
	OK    Status = 0 // done
	More  Status = 1 // give me more bytes
	Ready Status = 2 // authenticated: look at the Info, then Begin
	Fetch Status = 3 // payload bytes are wanted: Wanted says which
	Again Status = 4 // the Device was not ready: repeat this very call later
	Safe  Status = 5 // Boot.Select: nothing can be started, an update is wanted
)

var statusNames = [...]string{"OK", "More", "Ready", "Fetch", "Again", "Safe"}

// String is the name of the constant.
func (s Status) String() string {
	if s >= 0 && int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Code is the reason of a refusal. It is an error value: compare with errors.Is.
type Code int

// The numbers are those of the core; they are stable and never reused.
const (
	// Use of this library.
	ErrState Code = -1 // call not allowed now, by another goroutine, or from inside the Device
	ErrArg   Code = -2 // an argument that cannot be
	ErrRoom  Code = -3 // work buffer too small; Error.Label = bytes it needs so far

	// Encoding (RFC 8949; deterministic encoding only).
	ErrCBOR      Code = -10 // malformed, indefinite or not the shortest form
	ErrType      Code = -11 // well-formed, but another type is expected here
	ErrOrder     Code = -12 // map key not above the one before it, or twice
	ErrBounds    Code = -13 // item longer than what contains it
	ErrTruncated Code = -14 // the envelope ends inside an item
	ErrTrailing  Code = -15 // bytes after the end of an item or of the envelope
	ErrLimit     Code = -16 // beyond a limit of the core
	ErrValue     Code = -17 // right type, but not a value allowed here

	// Envelope and manifest members.
	ErrTag     Code = -20 // the envelope does not start with tag 107
	ErrMember  Code = -21 // unknown or unsupported member; Error.Label = its key
	ErrMissing Code = -22 // required member absent; Error.Label = its key
	ErrVersion Code = -23 // manifest-version is not 1
	ErrSevered Code = -24 // severed member needed but absent, or not referenced

	// Authenticity.
	ErrCOSE     Code = -30 // COSE structure or header not acceptable
	ErrAlg      Code = -31 // algorithm not supported
	ErrAuth     Code = -32 // no authentication block verifies under a known key
	ErrDigest   Code = -33 // manifest, severed member or payload differs from its digest
	ErrRights   Code = -34 // no verified key has the rights for this
	ErrRollback Code = -35 // sequence number below what the device has confirmed
	ErrKeys     Code = -36 // key set malformed, or it would lock the device out
	ErrRejected Code = -37 // this sequence number was tried and rejected
	ErrTrial    Code = -38 // the running image is not confirmed, or never was

	// Manifest, found by Begin before the first effect.
	ErrCompat    Code = -40 // no vendor and class check in the shared sequence
	ErrComponent Code = -41 // component not known to the Device, or twice
	ErrIndex     Code = -42 // component index out of range, or not set first
	ErrCommand   Code = -43 // command not supported; Error.Label = the command
	ErrShared    Code = -44 // command not allowed in the shared sequence
	ErrParam     Code = -45 // parameter not supported; Error.Label = the parameter
	ErrSequence  Code = -46 // sequence or list of sequences with too few elements
	ErrSoft      Code = -47 // soft-failure set outside try-each and run-sequence

	// Execution.
	ErrCondition   Code = -50 // a condition is false; Error.Label = the condition
	ErrTry         Code = -51 // no alternative of a try-each succeeded
	ErrUnset       Code = -52 // directive without a parameter it needs, in Error.Label
	ErrTransient   Code = -53 // not possible with a transient component
	ErrSteps       Code = -54 // step budget used up
	ErrUnsupported Code = -55 // the Device has no method for this command
	ErrInvoke      Code = -56 // the invocation ended and nothing was invoked

	// Payload; Error.Platform = position in it.
	ErrFetch    Code = -60 // the payload could not be got
	ErrLength   Code = -61 // payload length differs from the size that was set
	ErrDecrypt  Code = -62 // wrong key, wrap or tag: one code for all
	ErrCapacity Code = -63 // larger than the component can hold

	// Platform and primitives.
	ErrPlatform Code = -70 // a method of the Device failed; Error.Platform = its answer
	ErrCrypto   Code = -80 // a primitive refused its input
)

var codeNames = map[Code]string{
	ErrState: "E_STATE", ErrArg: "E_ARG", ErrRoom: "E_ROOM",
	ErrCBOR: "E_CBOR", ErrType: "E_TYPE", ErrOrder: "E_ORDER", ErrBounds: "E_BOUNDS",
	ErrTruncated: "E_TRUNCATED", ErrTrailing: "E_TRAILING", ErrLimit: "E_LIMIT",
	ErrValue: "E_VALUE",
	ErrTag:   "E_TAG", ErrMember: "E_MEMBER", ErrMissing: "E_MISSING", ErrVersion: "E_VERSION",
	ErrSevered: "E_SEVERED",
	ErrCOSE:    "E_COSE", ErrAlg: "E_ALG", ErrAuth: "E_AUTH", ErrDigest: "E_DIGEST",
	ErrRights: "E_RIGHTS", ErrRollback: "E_ROLLBACK", ErrKeys: "E_KEYS",
	ErrRejected: "E_REJECTED", ErrTrial: "E_TRIAL",
	ErrCompat: "E_COMPAT", ErrComponent: "E_COMPONENT", ErrIndex: "E_INDEX",
	ErrCommand: "E_COMMAND", ErrShared: "E_SHARED", ErrParam: "E_PARAM",
	ErrSequence: "E_SEQUENCE", ErrSoft: "E_SOFT",
	ErrCondition: "E_CONDITION", ErrTry: "E_TRY", ErrUnset: "E_UNSET",
	ErrTransient: "E_TRANSIENT", ErrSteps: "E_STEPS", ErrUnsupported: "E_UNSUPPORTED",
	ErrInvoke: "E_INVOKE",
	ErrFetch:  "E_FETCH", ErrLength: "E_LENGTH", ErrDecrypt: "E_DECRYPT",
	ErrCapacity: "E_CAPACITY",
	ErrPlatform: "E_PLATFORM", ErrCrypto: "E_CRYPTO",
}

// String is the name of the code in the core, without PICOSUIT_: "E_AUTH".
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("Code(%d)", int(c))
}

// Error is the name and the core's text: "E_AUTH: no authentication block verifies ...".
func (c Code) Error() string {
	return c.String() + ": " + raw.Bind_strerror(int32(c))
}

// Procedure is what a manifest is asked to do.
type Procedure int

// Procedures of the manifest.
const (
	Update Procedure = 1 // payload-fetch, install, validate
	Invoke Procedure = 2 // validate, load, invoke
)

// Rights are what a key may authorise.
type Rights uint32

// Rights of a key; those of different keys never add up.
const (
	RightUpdate    Rights = 1
	RightInvoke    Rights = 2
	RightUninstall Rights = 4
	RightKeys      Rights = 8  // may write a component of kind KindKeys
	RightAnyDevice Rights = 16 // the manifest needs no vendor and class check
)

// Algorithm is a COSE algorithm number.
type Algorithm int32

// Algorithms of the core. Others may be served by a Verifier.
const (
	HMAC256      Algorithm = 5
	A128KW       Algorithm = -3
	EdDSA        Algorithm = -8 // only if the key says so
	Ed25519      Algorithm = -19
	ECDHESA128KW Algorithm = -29 // ECDH-ES+A128KW over X25519
)

// Purpose is what the core wants a key for.
type Purpose int

// Purposes of a key.
const (
	PurposeVerify  Purpose = 1 // signatures: Ed25519 and others
	PurposeMAC     Purpose = 2 // COSE_Mac0: HMAC256
	PurposeDecrypt Purpose = 3 // recipients: ECDHESA128KW, A128KW
)

// Kind says what a component is.
type Kind uint8

// Kinds of a component; KindKeys is added to one of the others.
const (
	Stored    Kind = 0 // image-match reads it back
	Trusted   Kind = 1 // the digest computed while writing may answer instead
	Transient Kind = 2 // stores nothing: fetch into it is done by the copy from it
	KindKeys  Kind = 8 // writing it needs RightKeys
)

// Identifier names what a Device is asked to assert: label of the parameter in the manifest.
type Identifier int

// Identifiers.
const (
	VendorID Identifier = 1   // 16-byte UUID
	ClassID  Identifier = 2   // 16-byte UUID
	DeviceID Identifier = 24  // 16-byte UUID
	PEN      Identifier = 112 // vendor as relative OID: length (1..15), the bytes, rest zero
)

const (
	// Fixed is the stored length of a component that does not record it, like plain memory.
	Fixed uint32 = 0xffffffff
	// Unknown is a size that is not known beforehand.
	Unknown uint32 = 0xffffffff
	// NoSlot is the slot that a boot loader runs from.
	NoSlot = 255
	// SectionShared is the shared sequence in Error.Section and Record.Section.
	SectionShared = 3
	// NoComponent in Error.Component: no component was selected.
	NoComponent = 255
	// WorkSize is the size of the work buffer unless Options say another one, in bytes.
	WorkSize = 4096
)
