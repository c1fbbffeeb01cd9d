// SPDX-License-Identifier: MIT

package picosuit

// Key is a key the Device holds, bound to one algorithm and to what it may authorise.
type Key struct {
	Key    []byte    // public key (32 bytes), or secret: X25519 scalar, KEK, HMAC key
	Alg    Algorithm // what it is for; others than the core's need a Verifier
	Rights Rights    // of keys that verify
	ID     uint16    // number of this key, given back as Info.Signer and to Component
	KID    []byte    // offered for envelopes with this kid, or with none; nil: for all
}

// Purpose is what a key of this algorithm is for.
func (a Algorithm) Purpose() Purpose {
	switch a {
	case HMAC256:
		return PurposeMAC
	case A128KW, ECDHESA128KW:
		return PurposeDecrypt
	}
	return PurposeVerify
}

// Device is what an update acts on: facts, never verdicts. Every Device has these three methods;
// what else it can do it says by implementing Storage, Writer, Slots, Invoker, KeySource, Swapper,
// Verifier and Recorder. What needs one that is missing is refused.
//
// A method returns nil, or ErrAgain ("nothing happened, ask me the same again"), or any other
// error, which stops the procedure: ErrPlatform, with the error inside. After ErrAgain the same
// question comes again when the Processor's call is repeated. Slices given to a method are valid
// during the call only; it must not call the Processor that asks.
type Device interface {
	// Component is the handle (0..254) and kind of the component with this encoded identifier, a
	// CBOR array of byte strings. signer is Key.ID of who signed. ok = false: it is not known.
	// The error ErrRights: not for this signer.
	Component(signer uint16, id []byte) (handle uint8, kind Kind, ok bool, err error)
	// Identity is the n-th (0..) identifier that the Device asserts for a component, which the core
	// compares. ok = false: there are no more.
	Identity(component uint8, what Identifier, n int) (id [16]byte, ok bool, err error)
	// Sequence is the highest confirmed sequence number and the digest of that manifest.
	// ok = false: nothing was ever confirmed.
	Sequence() (floor uint64, digest [32]byte, ok bool, err error)
}

// Storage is a Device whose components can be read: image-match, copy.
type Storage interface {
	// Size is the bytes stored (0: nothing complete; Fixed: not recorded) and the most that fits.
	Size(component uint8) (stored, capacity uint32, err error)
	// Read fills buf (1 to 64 bytes) with what is stored from off on.
	Read(component uint8, off uint32, buf []byte) error
}

// Writer is a Device whose components can be written: fetch, copy, write.
type Writer interface {
	// Begin prepares a component for size bytes (or Unknown), or resumes: id is the manifest digest,
	// have the bytes that are there from an attempt with the same id, a multiple of 64.
	Begin(component uint8, size uint32, id [32]byte) (have uint32, err error)
	// Write programs data in order: off is a multiple of 64, and 64 bytes come but for the last.
	Write(component uint8, off uint32, data []byte) error
	// End closes what Begin opened. good = false: what was written must not be used.
	End(component uint8, good bool) error
}

// Slots is a Device with more than one place for a component: component-slot.
type Slots interface {
	// Slot is, for Update, the slot that Begin will write, never the running one; for Invoke the one
	// whose manifest was opened. Constant within a procedure.
	Slot(component uint8, procedure Procedure) (uint32, error)
}

// Invoker is a Device that can start something: invoke.
type Invoker interface {
	// Invoke starts a component, or notes that it is to be started. args may be nil.
	Invoke(component uint8, args []byte) error
}

// KeySource is a Device with keys of its own, asked after those given to NewProcessor.
type KeySource interface {
	// Key is the n-th (0..) key for a purpose. kid nil: the sender gave none. nil: no more.
	Key(purpose Purpose, n int, kid []byte) (*Key, error)
}

// Swapper is a Device that can exchange two components, and resume that: swap.
type Swapper interface {
	// Swap exchanges the content of two components.
	Swap(component, source uint8) error
}

// Verifier is a Device that knows signature algorithms which the core lacks.
type Verifier interface {
	// Verify says whether sig is good for data, the COSE Sig_structure, under key.
	Verify(key Key, data, sig []byte) (bool, error)
}

// Recorder is a Device that keeps a log of commands with a reporting policy.
type Recorder interface {
	// Record takes one entry, in the order in which the commands were carried out.
	Record(Record)
}

// Record is one event: a command with a reporting policy was carried out, or failed.
type Record struct {
	Offset    uint32 // bytes into the section at which the command stands
	Label     int32  // command
	Code      Code   // 0: done
	Section   uint8  // manifest key of the section, or SectionShared
	Component uint8  // index in the manifest
	Policy    uint8  // the command's reporting policy, 0..15
}

// Info is what was authenticated.
type Info struct {
	Sequence    uint64   // manifest sequence number
	Digest      [32]byte // SHA-256 of the manifest, the head of its byte string included
	EnvelopeLen uint32   // bytes that Envelope delivers
	Rights      Rights   // union of the rights of the keys that verified
	Signer      uint16   // Key.ID of the chosen key after Begin; before: of the first that verified
	Components  uint8    // number of components
	Sections    uint8    // bits 0..4: validate, load, invoke, payload-fetch, install
}

// Where says where the payload comes from that is wanted.
type Where uint8

// Places of a payload.
const (
	InEnvelope Where = 1 // feed on: the payload may be in the envelope
	AtURI      Where = 2 // open Request.URI and give its bytes, from Request.Offset on, to Payload
)

// Request is what the status Fetch wants.
type Request struct {
	URI       string
	Args      []byte // fetch-arguments, nil if not set
	Offset    uint32 // first payload byte wanted now; not 0 after an interruption
	Size      uint32 // bytes of the whole payload on the wire, or Unknown
	Passed    uint32 // not 0: payloads went by in the envelope; sent again, Rewind finds them
	Where     Where
	Component uint8 // index in the manifest of the component that will be written
}
