// SPDX-License-Identifier: MIT

package picosuit

import (
	"encoding/binary"
	"errors"
	"fmt"

	"picosuit.example/go/internal/raw"
)

// Processor takes one envelope at a time through verification and its procedures.
//
// The loop of a device, in words: Feed bytes until Ready; look at the Info; Begin a procedure; Run.
// On Fetch either feed on (Request.Where is InEnvelope) or open the URI and give its bytes to
// Payload (AtURI), then PayloadEnd. On Again come back later with the same call. On OK the
// procedure is done. Process is that loop, for an io.Reader.
//
// The first error sticks: every later call returns it until Reset.
type Processor struct {
	*handle
	device   Device
	question []byte  // the question being answered
	block    []byte  // for Storage.Read
	cause    error   // of the device or a Source, that made the call fail
	lent     handles // Boot and Flash that the call under way works on
}

// Options of NewProcessor; nil or zero fields mean what is said there.
type Options struct {
	Work int // bytes of the work buffer, as a device has; 0: WorkSize
}

// ptr is the first byte of a slice, nil of an empty one: what C is given.
func ptr(b []byte) *byte {
	if len(b) == 0 {
		return nil
	}
	return &b[0]
}

func size(b []byte) uintptr { return uintptr(len(b)) }

func word(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }

// NewProcessor makes a Processor over a device, which may be nil if nothing but Verify's part is
// wanted. keys are tried before a KeySource is asked. Errors: ErrArg for a key or option that
// cannot be.
func NewProcessor(device Device, keys []Key, options *Options) (*Processor, error) {
	p, err := newProcessor(device, keys, options)
	if err != nil {
		return nil, err
	}
	p.finalized()
	return p, nil
}

func newProcessor(device Device, keys []Key, options *Options) (*Processor, error) {
	work := WorkSize
	if options != nil && options.Work != 0 {
		work = options.Work
	}
	if work < 0 || work > 1<<24 {
		return nil, refusal(ErrArg, fmt.Sprintf("a work buffer of %d bytes", work))
	}
	at := raw.Bind_processor_new(uint32(work), mask(device))
	if at == 0 {
		return nil, errMemory
	}
	p := &Processor{handle: newHandle(at, "Processor", raw.Bind_processor_free), device: device}
	for i, k := range keys {
		if err := p.add(k); err != nil {
			p.release()
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
	}
	return p, nil
}

// mask says which questions a device can answer.
func mask(device Device) uint32 {
	bits := uint32(0)
	can := func(does bool, questions ...int) {
		for _, q := range questions {
			if does {
				bits |= 1 << q
			}
		}
	}
	can(device != nil, raw.BIND_COMPONENT, raw.BIND_IDENTITY, raw.BIND_SEQUENCE)
	_, does := device.(Storage)
	can(does, raw.BIND_SIZE, raw.BIND_READ)
	_, does = device.(Writer)
	can(does, raw.BIND_BEGIN, raw.BIND_WRITE, raw.BIND_END)
	_, does = device.(Slots)
	can(does, raw.BIND_SLOT)
	_, does = device.(Invoker)
	can(does, raw.BIND_INVOKE)
	_, does = device.(KeySource)
	can(does, raw.BIND_KEY)
	_, does = device.(Swapper)
	can(does, raw.BIND_SWAP)
	_, does = device.(Verifier)
	can(does, raw.BIND_VERIFY)
	_, does = device.(Recorder)
	can(does, raw.BIND_RECORD)
	return bits
}

func (p *Processor) add(k Key) error {
	st := raw.Bind_key(p.at, int32(k.Alg), uint32(k.Rights), uint32(k.ID), ptr(k.Key),
		size(k.Key))
	if st >= 0 && k.KID != nil {
		st = raw.Bind_key_kid(p.at, ptr(k.KID), size(k.KID))
	}
	if st < 0 {
		return p.failure(st)
	}
	return nil
}

// do makes one call of the core and answers its questions.
func (p *Processor) do(call func() int32) (Status, error) {
	if err := p.enter(); err != nil {
		return 0, err
	}
	defer p.leave()
	return p.settle(call())
}

// give is do for bytes; it says how many were taken.
func (p *Processor) give(data []byte, call func(uintptr, *byte, uintptr) int32) (Status, int,
	error) {
	if err := p.enter(); err != nil {
		return 0, 0, err
	}
	defer p.leave()
	st, err := p.settle(call(p.at, ptr(data), size(data)))
	return st, int(raw.Bind_used(p.at)), err
}

// Reset starts over, with the same device and keys: the only way out of an error. A component that
// is open is closed with good = false. Returns OK, Again.
func (p *Processor) Reset() (Status, error) {
	return p.do(func() int32 {
		p.cause = nil
		return raw.Bind_reset(p.at)
	})
}

// Feed takes the next bytes of an envelope, in any split, and says how many it took: fewer than all
// only with Ready, Fetch, Again. During a Fetch from the envelope it takes the payload and goes on
// running the procedure. Returns More, Ready, Fetch, Again, OK (procedure done).
func (p *Processor) Feed(data []byte) (Status, int, error) { return p.give(data, raw.Bind_feed) }

// FeedEnd says that no more bytes will come. Returns what Feed returned last if the envelope is
// complete; ErrTruncated at the number of bytes received.
func (p *Processor) FeedEnd() (Status, error) {
	return p.do(func() int32 { return raw.Bind_feed_end(p.at) })
}

// Open does the same for a whole envelope, which is copied first: nobody can change it between
// check and use. Payloads in it are found in any order. Returns Ready, Again.
func (p *Processor) Open(envelope []byte) (Status, error) {
	return p.do(func() int32 { return raw.Bind_open(p.at, ptr(envelope), size(envelope)) })
}

// Begin chooses a procedure: rights, all sequences, components and the sequence number are checked,
// nothing is touched. After OK another one may follow. Returns OK, Again.
func (p *Processor) Begin(procedure Procedure) (Status, error) {
	return p.do(func() int32 { return raw.Bind_begin(p.at, int32(procedure)) })
}

// Run executes until done, until payload bytes are wanted, or until the device was not ready.
// Returns OK (done), Fetch, Again.
func (p *Processor) Run() (Status, error) {
	return p.do(func() int32 { return raw.Bind_run(p.at) })
}

// Payload takes the next payload bytes (Request.Where = AtURI), in any split, and says how many:
// fewer than all only with Again. Returns More, Again.
func (p *Processor) Payload(data []byte) (Status, int, error) {
	return p.give(data, raw.Bind_payload)
}

// PayloadEnd says that all bytes were given (good), or that the source is lost for good. Closes the
// component and goes on running. Returns as Run.
func (p *Processor) PayloadEnd(good bool) (Status, error) {
	flag := int32(0)
	if good {
		flag = 1
	}
	return p.do(func() int32 { return raw.Bind_payload_end(p.at, flag) })
}

// Rewind says that the envelope will be fed again from its first byte, where only payloads are
// looked for. Allowed while Fetch is pending.
func (p *Processor) Rewind() error {
	_, err := p.do(func() int32 { return raw.Bind_rewind(p.at) })
	return err
}

// settle answers questions until the call has a status that is not about one.
func (p *Processor) settle(st int32) (Status, error) {
	for st == int32(Again) {
		n := raw.Bind_question(p.at, ptr(p.question), size(p.question))
		if int(n) > len(p.question) {
			p.question = make([]byte, n+256)
			continue
		}
		if n <= 0 { // the device said ErrAgain
			break
		}
		var err error
		if st, err = p.ask(p.question[:n]); err != nil {
			return 0, err
		}
	}
	p.log()
	if st < 0 {
		return 0, p.failure(st)
	}
	return Status(st), nil
}

// ask has the device answer a question, and repeats the call with the answer. The Boot and the
// Flash that the call works on are free meanwhile: a device answers from them.
func (p *Processor) ask(question []byte) (int32, error) {
	lent := p.lent
	p.lent = nil // if the device panics, they are not ours
	lent.leave()
	r, err := p.dispatch(question)
	if taken := lent.enter(); taken != nil {
		return 0, taken // by somebody else; the call can be repeated
	}
	p.lent = lent
	if err == nil {
		st := raw.Bind_reply(p.at, r.st, r.a, r.b, r.c, ptr(r.data), size(r.data))
		if int(st) != raw.BIND_UNFIT {
			return st, nil
		}
		err = unfit(question, r)
	}
	if !errors.Is(err, ErrAgain) {
		p.keep(err)
	}
	return raw.Bind_reply(p.at, answer(err), 0, 0, 0, nil, 0), nil
}

// keep notes why a call is going to fail. What came before and stopped nothing, as ErrRights of
// Component for one of two signers, was no reason; once the core has failed, what follows is none.
func (p *Processor) keep(cause error) {
	if p.cause == nil || p.last() == nil {
		p.cause = cause
	}
}

// unfit says what a Device answered that cannot be.
func unfit(question []byte, r reply) error {
	if int(word(question, 0)) == raw.BIND_KEY {
		return refusal(ErrArg, fmt.Sprintf("the Device's Key has %d bytes", len(r.data)))
	}
	return refusal(ErrArg, fmt.Sprintf("the Device's Component has handle %d", r.a))
}

// reply is the answer to a question, as bind_reply wants it.
type reply struct {
	st      int32
	a, b, c uint32
	data    []byte
}

// dispatch calls the method that a question is for. Layouts: bindings/shim.h.
func (p *Processor) dispatch(q []byte) (reply, error) {
	x := func(i int) uint32 { return word(q, i+1) }
	data := q[raw.BIND_QUESTION_LEN:len(q):len(q)]
	component := uint8(x(0))
	switch int(word(q, 0)) {
	case raw.BIND_KEY:
		return p.key(Purpose(x(0)), int(x(1)), data, x(2) != 0)
	case raw.BIND_COMPONENT:
		handle, kind, ok, err := p.device.Component(uint16(x(0)), data)
		return reply{st: truth(ok), a: uint32(handle), b: uint32(kind)}, err
	case raw.BIND_IDENTITY:
		id, ok, err := p.device.Identity(component, Identifier(x(1)), int(x(2)))
		if !ok {
			return reply{}, err
		}
		return reply{st: 1, data: id[:]}, err
	case raw.BIND_SLOT:
		slot, err := p.device.(Slots).Slot(component, Procedure(x(1)))
		return reply{a: slot}, err
	case raw.BIND_SIZE:
		stored, capacity, err := p.device.(Storage).Size(component)
		return reply{a: stored, b: capacity}, err
	case raw.BIND_READ:
		if p.block == nil {
			p.block = make([]byte, 64)
		}
		block := p.block[:x(2)]
		return reply{data: block}, p.device.(Storage).Read(component, x(1), block)
	case raw.BIND_BEGIN:
		var id [32]byte
		copy(id[:], data)
		have, err := p.device.(Writer).Begin(component, x(1), id)
		return reply{a: have}, err
	case raw.BIND_WRITE:
		return reply{}, p.device.(Writer).Write(component, x(1), data)
	case raw.BIND_END:
		return reply{}, p.device.(Writer).End(component, x(1) == 1)
	case raw.BIND_INVOKE:
		if x(1) == 0 {
			data = nil
		}
		return reply{}, p.device.(Invoker).Invoke(component, data)
	case raw.BIND_SEQUENCE:
		floor, digest, ok, err := p.device.Sequence()
		if !ok {
			return reply{st: noFloor}, err
		}
		return reply{a: uint32(floor), b: uint32(floor >> 32), data: digest[:]}, err
	case raw.BIND_SWAP:
		return reply{}, p.device.(Swapper).Swap(component, uint8(x(1)))
	case raw.BIND_VERIFY:
		return p.verify(q, data)
	}
	panic(fmt.Sprintf("picosuit: question %d", word(q, 0))) // shim and facade do not fit
}

// Answers of the platform that are no error: PICOSUIT_NO_FLOOR, PICOSUIT_VERIFIED.
const (
	noFloor  = 0x0f10
	verified = 0x5afe
)

func truth(ok bool) int32 {
	if ok {
		return 1
	}
	return 0
}

func (p *Processor) key(purpose Purpose, n int, kid []byte, given bool) (reply, error) {
	if !given {
		kid = nil
	}
	k, err := p.device.(KeySource).Key(purpose, n, kid)
	if k == nil {
		return reply{}, err
	}
	return reply{st: 1, a: uint32(k.Alg), b: uint32(k.Rights), c: uint32(k.ID), data: k.Key}, err
}

func (p *Processor) verify(q, data []byte) (reply, error) {
	keyLen, dataLen := word(q, 4), word(q, 5)
	k := Key{Alg: Algorithm(word(q, 1)), Rights: Rights(word(q, 2)), ID: uint16(word(q, 3)),
		Key: data[:keyLen:keyLen]}
	data = data[keyLen:]
	good, err := p.device.(Verifier).Verify(k, data[:dataLen:dataLen], data[dataLen:])
	if !good {
		return reply{}, err
	}
	return reply{st: verified}, err
}

// log hands what was recorded to the device.
func (p *Processor) log() {
	recorder, ok := p.device.(Recorder)
	if !ok {
		return
	}
	b := make([]byte, raw.BIND_RECORD_LEN)
	for raw.Bind_record(p.at, ptr(b), size(b)) > 0 {
		recorder.Record(Record{Offset: word(b, 0), Label: int32(word(b, 1)),
			Code: Code(int32(word(b, 2))), Section: uint8(word(b, 3)),
			Component: uint8(word(b, 4)), Policy: uint8(word(b, 5))})
	}
}

// failure is the error that a negative status stands for: the one that sticks, or one about the
// call alone.
func (p *Processor) failure(st int32) error {
	if int(st) == raw.BIND_E_MEMORY {
		return errMemory
	}
	if e := p.last(); e != nil && int32(e.Code) == st {
		return e
	}
	return refusal(Code(st), "")
}

// last is the error that sticks; nil: none.
func (p *Processor) last() *Error {
	b := make([]byte, raw.BIND_ERROR_LEN)
	if raw.Bind_error(p.at, ptr(b), size(b)) <= 0 || word(b, 0) == 0 {
		return nil
	}
	e := &Error{Code: Code(int32(word(b, 0))), Offset: word(b, 1), Section: uint8(word(b, 2)),
		Label: int32(word(b, 3)), Component: uint8(word(b, 4)), Platform: int32(word(b, 5)),
		located: true}
	if e.Code == ErrPlatform || e.Code == ErrFetch {
		e.cause = p.cause
	}
	return e
}

// Err is the error that sticks, an *Error; nil if there is none.
func (p *Processor) Err() error {
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	if e := p.last(); e != nil {
		return e
	}
	return nil
}

// fill has C fill a buffer, a larger one if that was too small.
func fill(cap int, call func(buf *byte, cap uintptr) int32) ([]byte, int32) {
	for {
		buf := make([]byte, cap)
		n := call(ptr(buf), size(buf))
		if n < 0 {
			return nil, n
		}
		if int(n) <= len(buf) {
			return buf[:n], 0
		}
		cap = int(n)
	}
}

// get is fill for a Processor.
func (p *Processor) get(cap int, call func(uintptr, *byte, uintptr) int32) ([]byte, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	b, st := fill(cap, func(buf *byte, cap uintptr) int32 { return call(p.at, buf, cap) })
	if st < 0 {
		return nil, p.failure(st)
	}
	return b, nil
}

// Info is what was authenticated, from Ready on; before: ErrState.
func (p *Processor) Info() (Info, error) {
	b, err := p.get(int(raw.BIND_INFO_LEN), raw.Bind_info)
	if err != nil {
		return Info{}, err
	}
	i := Info{Sequence: binary.LittleEndian.Uint64(b), EnvelopeLen: word(b, 10),
		Rights: Rights(word(b, 11)), Signer: uint16(word(b, 12)), Components: uint8(word(b, 13)),
		Sections: uint8(word(b, 14))}
	copy(i.Digest[:], b[8:40])
	return i, nil
}

// Fetch is what the status Fetch wants, and from which offset on; ErrState: nothing.
func (p *Processor) Fetch() (Request, error) {
	b, err := p.get(int(raw.BIND_FETCH_LEN)+512, raw.Bind_fetch)
	if err != nil {
		return Request{}, err
	}
	text := b[raw.BIND_FETCH_LEN:]
	r := Request{Offset: word(b, 0), Size: word(b, 1), Passed: word(b, 2), Where: Where(word(b, 3)),
		Component: uint8(word(b, 4)), URI: string(text[:word(b, 6)])}
	if word(b, 5) != 0 {
		r.Args = text[word(b, 6):]
	}
	return r, nil
}

// Envelope is the severed envelope (tag, wrapper, manifest): what a device stores with the image
// and boots from. From Ready on, also after OK; before: ErrState.
func (p *Processor) Envelope() ([]byte, error) {
	info, err := p.Info()
	if err != nil {
		return nil, err
	}
	return p.get(int(info.EnvelopeLen), func(p uintptr, buf *byte, cap uintptr) int32 {
		return raw.Bind_envelope(p, 0, buf, cap)
	})
}

// Report is a SUIT_Report as CBOR, at any time.
func (p *Processor) Report() ([]byte, error) { return p.get(256, raw.Bind_report) }

// WorkUsed is the most bytes of the work buffer that were needed so far.
func (p *Processor) WorkUsed() (int, error) {
	if err := p.enter(); err != nil {
		return 0, err
	}
	defer p.leave()
	return int(raw.Bind_work_used(p.at)), nil
}
