// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"picosuit.example/go"
)

// The device that the vectors assume: vectors/README.md has its table. Its flash has erase pages
// and write units, and keeps to the rules of flash: every breach is noted in broken, and every test
// expects none.

const (
	boardPage  = 256
	boardUnit  = 4
	boardSlots = 64
)

var (
	vendorID = unhex("fa6b4a53d5ad5fdfbe9de663e4d41ffe")
	classID  = unhex("1492af1425695e48bf429b2d51f2ab45")
	deviceID = unhex("86fb4da071ef5837a97f292e427cc78f") // UUIDv5(vendor, "device-1")
)

func unhex(text string) (id [16]byte) {
	if n, err := hex.Decode(id[:], []byte(text)); err != nil || n != 16 {
		panic(text)
	}
	return id
}

// cells is the storage of one component.
type cells struct {
	kind     picosuit.Kind
	capacity uint32
	cells    []byte
	done     []bool   // unit was programmed since its page was erased
	id       [32]byte // identity of the transfer that was begun
	begun    bool
	length   uint32 // of what was closed
	closed   bool
}

// parts lists identifiers (encoded), kinds and capacities by handle.
var parts = []struct {
	id       string
	kind     picosuit.Kind
	capacity uint32
}{
	{"\x81\x41\x00", picosuit.Stored, 8192},
	{"\x81\x41\x01", picosuit.Stored, 8192},
	{"\x81\x41\x02", picosuit.Stored, 8192},
	{"\x81\x45stage", picosuit.Stored, 16384},
	{"\x81\x41t", picosuit.Transient, 0},
	{"\x81\x47trusted", picosuit.Trusted, 8192},
	{"\x81\x44keys", picosuit.Stored | picosuit.KindKeys, 1024},
	{"\x81\x46denied", picosuit.Stored, 1024},
	{"\x81\x41u", picosuit.Transient, 0},
	{"\x80", picosuit.Stored, 1024},
	{"\x84\x43usr\x43bin\x43env\x58\x40" + ascending(64), picosuit.Stored, 1024},
	{"\x81\x40", picosuit.Stored, 1024},
	{"\x82\x42ab\x41c", picosuit.Stored, 1024},
	{"\x82\x41a\x42bc", picosuit.Stored, 1024},
}

func ascending(n int) string {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return string(data)
}

// board is the device. The zero value has no storage: see newBoard.
type board struct {
	parts    [boardSlots]cells
	slot     uint32
	pen      []byte
	hasFloor bool
	floor    uint64
	digest   [32]byte // of the floor
	keys     []picosuit.Key

	procedure picosuit.Procedure // under way; 0: not known

	armed  bool     // Begin of the processor has answered: effects are allowed
	want   [32]byte // digest that Writer.Begin must be given
	open   int      // handle, -1: none
	at     uint32   // next byte expected of what is open
	size   uint32   // announced
	short  bool     // a block of less than 64 bytes has passed
	again  bool     // every method says ErrAgain first
	asked  string   // what was answered by ErrAgain
	trusts bool     // `want` is not known: Begin may be given any id

	calls   int
	writes  int
	begins  int
	ends    int
	reads   int
	invoked int // handle, -1: nothing
	args    []byte
	records []picosuit.Record
	broken  []string
}

func newBoard() *board {
	b := &board{open: -1, invoked: -1}
	for i := range b.parts {
		p := &b.parts[i]
		switch {
		case i < len(parts):
			p.kind, p.capacity = parts[i].kind, parts[i].capacity
		case i >= 32:
			p.kind, p.capacity = picosuit.Stored, 1024
		}
		p.erase(0)
	}
	return b
}

func (p *cells) erase(from uint32) {
	if p.cells == nil {
		p.cells = make([]byte, p.capacity)
		p.done = make([]bool, p.capacity/boardUnit)
	}
	for i := from; i < p.capacity; i++ {
		p.cells[i] = 0xff
		p.done[i/boardUnit] = false
	}
}

func (b *board) rule(holds bool, what string, args ...any) {
	if !holds {
		b.broken = append(b.broken, fmt.Sprintf(what, args...))
	}
}

// store puts content into a component, as an earlier update would have.
func (b *board) store(handle int, data []byte) {
	p := &b.parts[handle]
	p.erase(0)
	copy(p.cells, data)
	for i := range data {
		p.done[i/boardUnit] = true
	}
	p.length, p.closed, p.begun = uint32(len(data)), true, false
}

// held is what a component holds, complete; nil: nothing.
func (b *board) held(handle int) []byte {
	if p := &b.parts[handle]; p.closed && p.length > 0 {
		return p.cells[:p.length]
	}
	return nil
}

// enter is called first by each method. format and args make up the question.
func (b *board) enter(format string, args ...any) error {
	question := fmt.Sprintf(format, args...)
	b.rule(b.asked == "" || b.asked == question, "%s, but %s was to be asked again", question,
		b.asked)
	b.calls++
	if b.again && b.asked == "" {
		b.asked = question
		return picosuit.ErrAgain
	}
	b.asked = ""
	return nil
}

func (b *board) storage(handle uint8) *cells {
	b.rule(int(handle) < boardSlots, "handle %d", handle)
	p := &b.parts[handle%boardSlots]
	b.rule(p.kind != picosuit.Transient, "storage of a transient component")
	return p
}

func (b *board) Component(signer uint16, id []byte) (uint8, picosuit.Kind, bool, error) {
	if err := b.enter("component %d %x", signer, id); err != nil {
		return 0, 0, false, err
	}
	handle := -1
	for i := range parts {
		if parts[i].id == string(id) {
			handle = i
		}
	}
	if len(id) == 3 && id[0] == 0x81 && id[1] == 0x41 && id[2] >= 32 && id[2] < 64 {
		handle = int(id[2])
	}
	switch {
	case handle < 0:
		return 0, 0, false, nil
	case handle == 7 && signer != 3:
		return 0, 0, false, picosuit.ErrRights
	}
	return uint8(handle), b.parts[handle].kind, true, nil
}

func (b *board) Identity(component uint8, what picosuit.Identifier, n int) (id [16]byte,
	ok bool, err error) {
	if err := b.enter("identity %d %d %d", component, what, n); err != nil {
		return id, false, err
	}
	if n > 0 {
		return id, false, nil
	}
	switch what {
	case picosuit.VendorID:
		return vendorID, true, nil
	case picosuit.ClassID:
		return classID, true, nil
	case picosuit.DeviceID:
		return deviceID, true, nil
	}
	if what == picosuit.PEN && b.pen != nil {
		id[0] = byte(len(b.pen))
		copy(id[1:], b.pen)
		return id, true, nil
	}
	return id, false, nil
}

func (b *board) Sequence() (uint64, [32]byte, bool, error) {
	err := b.enter("sequence")
	return b.floor, b.digest, b.hasFloor, err
}

func (b *board) Slot(component uint8, procedure picosuit.Procedure) (uint32, error) {
	b.rule(b.procedure == 0 || b.procedure == procedure, "slot for procedure %d", procedure)
	return b.slot, b.enter("slot %d %d", component, procedure)
}

func (b *board) Size(component uint8) (uint32, uint32, error) {
	if err := b.enter("size %d", component); err != nil {
		return 0, 0, err
	}
	p := b.storage(component)
	if !p.closed {
		return 0, p.capacity, nil
	}
	return p.length, p.capacity, nil
}

func (b *board) Read(component uint8, off uint32, buf []byte) error {
	if err := b.enter("read %d %d %d", component, off, len(buf)); err != nil {
		return err
	}
	b.reads++
	p := b.storage(component)
	end := p.length
	if b.open == int(component) {
		end = b.at
	}
	b.rule(len(buf) >= 1 && len(buf) <= 64, "a read of %d bytes", len(buf))
	if int64(off)+int64(len(buf)) > int64(end) {
		b.rule(false, "a read of what is not stored")
		return picosuit.Answer(-77)
	}
	copy(buf, p.cells[off:])
	return nil
}

func (b *board) Begin(component uint8, size uint32, id [32]byte) (uint32, error) {
	if err := b.enter("begin %d %d %x", component, size, id); err != nil {
		return 0, err
	}
	p := b.storage(component)
	b.begins++
	b.rule(b.armed && b.open < 0, "begin out of order")
	b.rule(size == picosuit.Unknown || size <= p.capacity, "begin beyond the capacity")
	b.rule(b.trusts || id == b.want, "begin with another id than the digest")
	have := uint32(0)
	if p.begun && !p.closed && p.id == id && p.lastUsed() < size {
		have = p.lastUsed()
	}
	p.erase(have)
	p.id, p.begun, p.closed, p.length = id, true, false, 0
	b.open, b.at, b.size, b.short = int(component), have, size, false
	return have, nil
}

// lastUsed is the start of the last page that holds anything.
func (p *cells) lastUsed() uint32 {
	n := uint32(len(bytes.TrimRight(p.cells, "\xff")))
	if n == 0 {
		return 0
	}
	return (n - 1) / boardPage * boardPage
}

func (b *board) Write(component uint8, off uint32, data []byte) error {
	if err := b.enter("write %d %d %x", component, off, data); err != nil {
		return err
	}
	p := b.storage(component)
	b.writes++
	b.rule(b.armed && b.open == int(component), "a write to what is not open")
	b.rule(off == b.at && off%64 == 0, "a write out of order")
	b.rule(len(data) >= 1 && len(data) <= 64 && !b.short, "a block of %d bytes", len(data))
	end := int64(off) + int64(len(data))
	if end > int64(p.capacity) {
		b.rule(false, "a write beyond the capacity")
		return picosuit.Answer(-77)
	}
	b.rule(b.size == picosuit.Unknown || end <= int64(b.size), "a write beyond the size")
	for i := range data {
		at := off + uint32(i)
		if at%boardUnit == 0 {
			b.rule(!p.done[at/boardUnit], "a unit was programmed twice")
			p.done[at/boardUnit] = true
		}
	}
	copy(p.cells[off:], data)
	b.at = uint32(end)
	b.short = len(data) < 64
	return nil
}

func (b *board) End(component uint8, good bool) error {
	if err := b.enter("end %d %v", component, good); err != nil {
		return err
	}
	p := b.storage(component)
	b.ends++
	b.rule(b.open == int(component), "end of what is not open")
	b.rule(!good || b.size == picosuit.Unknown || b.at == b.size, "closed before it was complete")
	b.open = -1
	if good {
		p.length, p.closed = b.at, true
	} else {
		p.erase(0)
		p.begun = false
	}
	return nil
}

func (b *board) Invoke(component uint8, args []byte) error {
	if err := b.enter("invoke %d %x", component, args); err != nil {
		return err
	}
	b.rule(b.armed && b.open < 0, "invoke out of order")
	b.invoked = int(component)
	b.args = append([]byte(nil), args...) // nil if it is
	b.rule(args == nil || len(args) > 0, "arguments of no bytes")
	return nil
}

func (b *board) Swap(component, source uint8) error {
	if err := b.enter("swap %d %d", component, source); err != nil {
		return err
	}
	b.rule(b.armed && b.open < 0 && component != source, "swap out of order")
	b.parts[component], b.parts[source] = b.parts[source], b.parts[component]
	return nil
}

func (b *board) Record(r picosuit.Record) { b.records = append(b.records, r) }

// asking is a board whose keys are asked for one by one instead of being given beforehand.
type asking struct{ *board }

func (b asking) Key(purpose picosuit.Purpose, n int, kid []byte) (*picosuit.Key, error) {
	if err := b.enter("key %d %d %x", purpose, n, kid); err != nil {
		return nil, err
	}
	for i := range b.keys {
		k := &b.keys[i]
		if k.Alg.Purpose() == purpose && (kid == nil || k.KID == nil || bytes.Equal(kid, k.KID)) {
			if n == 0 {
				return k, nil
			}
			n--
		}
	}
	return nil, nil
}

// boardOf is the device of a record: facts and initial contents.
func boardOf(t testing.TB, r record) *board {
	t.Helper()
	b := newBoard()
	b.slot = uint32(r.number(t, "slot", 0))
	b.keys = deviceKeys(t)
	if r.has("pen") {
		b.pen = r.hex(t, "pen")
	}
	if r.has("floor") {
		b.hasFloor, b.floor = true, r.unsigned(t, "floor")
	}
	if r.has("floor_digest") {
		copy(b.digest[:], r.hex(t, "floor_digest"))
	}
	for i := 0; i < boardSlots; i++ {
		if file := r[fmt.Sprintf("initial.%d", i)]; file != "" {
			b.store(i, load(t, file))
		}
	}
	return b
}

// contents are the digests of all components, "-" for what holds nothing.
func (b *board) contents() (sums [boardSlots]string) {
	for i := range sums {
		sums[i] = "-"
		if data := b.held(i); data != nil {
			sum := sha256.Sum256(data)
			sums[i] = hex.EncodeToString(sum[:])
		}
	}
	return sums
}
