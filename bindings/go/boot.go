// SPDX-License-Identifier: MIT

package picosuit

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"picosuit.example/go/internal/raw"
)

// Flash is a flash in memory with the rules of NOR: a unit is programmed once between two erases of
// its page. What breaks a rule fails and is counted. After Close a Boot over it is refused, too.
type Flash struct {
	*handle
	length uint32
}

// Geometry says where the areas of a boot state are; all begin and end at erase pages. Offsets and
// sizes in bytes.
type Geometry struct {
	Slot         [2]uint32 // first byte of each slot
	SlotSize     uint32    // image, then the manifest area
	ManifestSize uint32    // of the manifest area
	Journal      uint32    // first journal page
	JournalPages uint32    // 2 or 3
	Keys         uint32    // first of two key-set pages
	Tries        uint32    // times that a candidate is started, 1..255
	Floor        uint32    // sequence number below which nothing is ever accepted
	Factory      []byte    // COSE_KeySet used while no key-set page is valid
	Component    []byte    // encoded identifier of the image, for the report
}

// Area is one of the two that updates write.
type Area uint32

// Areas.
const (
	AreaImage Area = 0 // the slot that the image component stands for
	AreaKeys  Area = 1 // the key-set page: the set being installed, or in use
)

// Phase is what the journal says about the candidate.
type Phase uint8

// Phases.
const (
	PhaseNone  Phase = 0 // no journal: safe mode until an update was confirmed
	PhaseIdle  Phase = 1
	PhaseCand  Phase = 2 // installed, will be tried
	PhaseTry   Phase = 3 // being tried, not confirmed
	PhaseFresh Phase = 4 // confirmed, not booted since
)

// BootRecord is the newest journal record, and what runs. docs/boot.md has its rules.
type BootRecord struct {
	Running         uint8 // slot that was started at this boot, or NoSlot
	Phase           Phase
	Tries           uint8 // starts of the candidate so far
	Confirmed       uint8 // slot, or NoSlot
	Slot            uint8 // of the candidate
	Keys            uint8 // page of the key set in force; 255: factory
	NewKeys         uint8 // of the candidate's; 255: keys stay
	Result          uint8 // how the last update ended: 0 none, 1 confirmed, 2 rejected
	Code            Code  // why it was rejected
	HasRejected     bool  // Rejected counts
	Counter         uint32
	Epoch           uint32 // key epoch; factory: 0
	Floor           uint64 // highest confirmed sequence number
	Sequence        uint64 // of the candidate
	Rejected        uint64 // last rejected sequence number
	ConfirmedDigest [16]byte
	OtherDigest     [16]byte
	KeysDigest      [16]byte
	NewKeysDigest   [16]byte
}

// FlashCounts is what a Flash has seen.
type FlashCounts struct {
	Reads, Programs, Erases, Operations, Breaches uint32
	Lost                                          bool // there is no power
}

// NewFlash makes a flash of length bytes, all erased: pages of at least 128 bytes, units of 1, 2, 4
// or 8, erased bytes 0x00 or 0xff. Errors: ErrArg.
func NewFlash(length, page, unit uint32, erased byte) (*Flash, error) {
	at := raw.Bind_flash_new(length, page, unit, uint32(erased))
	if at == 0 {
		return nil, refusal(ErrArg, fmt.Sprintf(
			"no flash of %d bytes in pages of %d and units of %d", length, page, unit))
	}
	f := &Flash{newHandle(at, "Flash", raw.Bind_flash_free), length}
	f.finalized()
	return f, nil
}

// operate does something with bytes at an offset, which is refused outside the flash.
func (f *Flash) operate(b []byte, off int64, what string,
	call func(uintptr, uint32, *byte, uintptr) int32) (int, error) {
	if err := f.enter(); err != nil {
		return 0, err
	}
	defer f.leave()
	if off < 0 || off > int64(f.length) || int64(len(b)) > int64(f.length)-off {
		return 0, refusal(ErrArg, fmt.Sprintf("%s of %d bytes at %d: outside the flash", what,
			len(b), off))
	}
	if st := call(f.at, uint32(off), ptr(b), size(b)); st != 0 {
		return 0, &Error{Code: ErrPlatform, Platform: st, Component: NoComponent,
			what: fmt.Sprintf("%s of %d bytes at %d failed", what, len(b), off)}
	}
	return len(b), nil
}

// ReadAt is io.ReaderAt.
func (f *Flash) ReadAt(b []byte, off int64) (int, error) {
	return f.operate(b, off, "read", raw.Bind_flash_read)
}

// WriteAt is io.WriterAt: programs whole units that are erased.
func (f *Flash) WriteAt(b []byte, off int64) (int, error) {
	return f.operate(b, off, "program", raw.Bind_flash_write)
}

// Erase erases the page that begins at off.
func (f *Flash) Erase(off uint32) error {
	_, err := f.operate(nil, int64(off), "erase",
		func(h uintptr, off uint32, _ *byte, _ uintptr) int32 {
			return raw.Bind_flash_erase(h, off)
		})
	return err
}

// Peek is ReadAt without counts, also when power is lost.
func (f *Flash) Peek(b []byte, off int64) error {
	_, err := f.operate(b, off, "peek", raw.Bind_flash_peek)
	return err
}

// Poke sets bytes whatever the rules say: to load an image, or to damage one.
func (f *Flash) Poke(b []byte, off int64) error {
	_, err := f.operate(b, off, "poke", raw.Bind_flash_poke)
	return err
}

// Cut loses power in the middle of the n-th operation (program, erase) from now; 0: never. All
// fails then until Power.
func (f *Flash) Cut(n uint32) error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.leave()
	raw.Bind_flash_cut(f.at, n)
	return nil
}

// Power brings power back.
func (f *Flash) Power() error {
	if err := f.enter(); err != nil {
		return err
	}
	defer f.leave()
	raw.Bind_flash_power(f.at)
	return nil
}

// Counts says what happened since NewFlash.
func (f *Flash) Counts() (FlashCounts, error) {
	if err := f.enter(); err != nil {
		return FlashCounts{}, err
	}
	defer f.leave()
	b := make([]byte, raw.BIND_FLASH_LEN)
	raw.Bind_flash_counts(f.at, ptr(b), size(b))
	return FlashCounts{word(b, 0), word(b, 1), word(b, 2), word(b, 3), word(b, 4),
		word(b, 5) != 0}, nil
}

// Boot is the boot state over a Flash: which of two slots starts, trial, confirm, fall back. The
// loader calls Init, Select and Address; an update is Update; the firmware calls Confirm.
//
// The Device of the Processor answers from it: Key, Sequence, Slot, Stored, Prepare may be called
// from inside its methods.
type Boot struct {
	*handle
	flash *Flash
}

// NewBoot makes a boot state; Init comes next. Errors: ErrArg for areas that are not whole pages
// inside the flash.
func NewBoot(flash *Flash, g Geometry) (*Boot, error) {
	if err := flash.enter(); err != nil {
		return nil, err
	}
	defer flash.leave()
	at := raw.Bind_boot_new(flash.at, g.Slot[0], g.Slot[1], g.SlotSize, g.ManifestSize, g.Journal,
		g.JournalPages, g.Keys, g.Tries, g.Floor)
	if at == 0 {
		return nil, refusal(ErrArg, "areas of the boot state that are not whole pages of the flash")
	}
	b := &Boot{newHandle(at, "Boot", raw.Bind_boot_free), flash}
	b.finalized()
	st := raw.Bind_boot_factory(b.at, ptr(g.Factory), size(g.Factory))
	if st == 0 {
		st = raw.Bind_boot_component(b.at, ptr(g.Component), size(g.Component))
	}
	if st != 0 {
		b.release()
		return nil, refusal(Code(st), "key set or component identifier")
	}
	return b, nil
}

// both are the Boot and its Flash, which C reads and writes.
func (b *Boot) both() handles { return handles{b.handle, b.flash.handle} }

// status makes a call that has no processor.
func (b *Boot) status(call func() int32) error {
	if err := b.both().enter(); err != nil {
		return err
	}
	defer b.both().leave()
	if st := call(); st < 0 {
		return refusal(Code(st), "")
	}
	return nil
}

// with makes a call over a processor, which answers its questions.
func (b *Boot) with(p *Processor, call func(b, p uintptr) int32) (Status, error) {
	if err := p.enter(); err != nil {
		return 0, err
	}
	defer p.leave()
	if err := b.both().enter(); err != nil {
		return 0, err
	}
	p.lent = b.both()
	defer func() { p.lent.leave(); p.lent = nil }()
	return p.settle(call(b.at, p.at))
}

// Init reads the journal: first, and after each reset. running is the slot that this code runs
// from; a boot loader says NoSlot.
func (b *Boot) Init(running int) error {
	return b.status(func() int32 { return raw.Bind_boot_init(b.at, uint32(running)) })
}

// Select finds the slot to start now, and checks it; p was just reset. Returns OK: start what is at
// Address; Safe: nothing starts, serve updates; Again.
func (b *Boot) Select(p *Processor) (Status, error) { return b.with(p, raw.Bind_boot_select) }

// Address is the first byte of the slot that passed. ok = false: do not start anything.
func (b *Boot) Address(p *Processor) (address uint32, ok bool) {
	_, err := b.with(p, func(boot, p uintptr) int32 {
		address = raw.Bind_boot_address(boot, p)
		return 0
	})
	return address, err == nil && address != 0xffffffff
}

// Begin is Processor.Begin(Update) under the rules of the journal. Returns OK, Again.
func (b *Boot) Begin(p *Processor) (Status, error) { return b.with(p, raw.Bind_boot_begin) }

// Candidate makes what was installed the candidate: stores its envelope and checks all as a boot
// does. Returns OK: started by the next reset; Again.
func (b *Boot) Candidate(p *Processor) (Status, error) {
	return b.with(p, raw.Bind_boot_candidate)
}

// Update is Processor.Process for Update, with Begin and Candidate of the boot state.
func (b *Boot) Update(ctx context.Context, p *Processor, envelope io.Reader, source Source) error {
	f := flow{ctx: ctx, p: p, envelope: envelope, source: source,
		begin: func() (Status, error) { return b.Begin(p) }}
	if err := f.run(); err != nil {
		return err
	}
	_, err := f.until(func() (Status, error) { return b.Candidate(p) })
	return err
}

// Prepare is called by a Device's Begin before flash of an area is erased or programmed: it
// withdraws a candidate, and erases the manifest area or the key-set page. Returns the offset of
// the area's first payload byte.
func (b *Boot) Prepare(area Area) (off uint32, err error) {
	err = b.status(func() int32 {
		st := raw.Bind_boot_prepare(b.at, uint32(area))
		if st < 0 {
			return int32(st)
		}
		off = uint32(st)
		return 0
	})
	return off, err
}

// Confirm says that the running image is good: the only writer of floor and key epoch.
func (b *Boot) Confirm() error {
	return b.status(func() int32 { return raw.Bind_boot_confirm(b.at) })
}

// Key is for a KeySource: keys of the set that verifies now, for PurposeVerify.
func (b *Boot) Key(purpose Purpose, n int, kid []byte) (*Key, error) {
	given := int32(0)
	if kid != nil {
		given = 1
	}
	return b.oneKey(func(buf *byte, cap uintptr) int32 {
		return raw.Bind_boot_key(b.at, int32(purpose), uint32(n), given, ptr(kid), size(kid),
			buf, cap)
	})
}

func (b *Boot) oneKey(call func(*byte, uintptr) int32) (*Key, error) {
	if err := b.both().enter(); err != nil {
		return nil, err
	}
	defer b.both().leave()
	data, st := fill(128, call)
	return unpackKey(data, st)
}

func unpackKey(data []byte, st int32) (*Key, error) {
	if st < 0 {
		return nil, refusal(Code(st), "")
	}
	if len(data) == 0 {
		return nil, nil
	}
	return &Key{Alg: Algorithm(word(data, 0)), Rights: Rights(word(data, 1)),
		ID: uint16(word(data, 2)), Key: data[raw.BIND_KEY_LEN:]}, nil
}

// Sequence is for a Device: what was confirmed.
func (b *Boot) Sequence() (floor uint64, digest [32]byte, ok bool, err error) {
	data, err := b.get(40, raw.Bind_boot_sequence)
	if err != nil || len(data) == 0 {
		return 0, digest, false, err
	}
	copy(digest[:], data[8:])
	return binary.LittleEndian.Uint64(data), digest, true, nil
}

// get is fill for a Boot.
func (b *Boot) get(cap int, call func(uintptr, *byte, uintptr) int32) ([]byte, error) {
	if err := b.both().enter(); err != nil {
		return nil, err
	}
	defer b.both().leave()
	data, st := fill(cap, func(buf *byte, cap uintptr) int32 { return call(b.at, buf, cap) })
	if st < 0 {
		return nil, refusal(Code(st), "")
	}
	return data, nil
}

// Slot is for Slots and Storage: the slot that the image component stands for now.
func (b *Boot) Slot() (uint32, error) {
	slot := uint32(0)
	err := b.status(func() int32 { slot = raw.Bind_boot_slot(b.at); return 0 })
	return slot, err
}

// Stored is for Storage: offset of an area's first byte and the length recorded there, 0 if nothing
// complete is. What End has closed since the reset is the device's to know.
func (b *Boot) Stored(area Area) (off, length uint32, err error) {
	data, err := b.get(8, func(h uintptr, buf *byte, cap uintptr) int32 {
		return raw.Bind_boot_stored(h, uint32(area), buf, cap)
	})
	if err != nil {
		return 0, 0, err
	}
	return word(data, 0), word(data, 1), nil
}

// Record is the newest journal record, and what runs.
func (b *Boot) Record() (BootRecord, error) {
	data, err := b.get(int(raw.BIND_BOOT_LEN), raw.Bind_boot_record)
	if err != nil {
		return BootRecord{}, err
	}
	at := data[36:]
	r := BootRecord{Counter: word(data, 0), Code: Code(int32(word(data, 1))), Epoch: word(data, 2),
		Floor:    binary.LittleEndian.Uint64(data[12:]),
		Sequence: binary.LittleEndian.Uint64(data[20:]),
		Rejected: binary.LittleEndian.Uint64(data[28:]),
		Running:  at[0], Phase: Phase(at[1]), Tries: at[2], Confirmed: at[3], Slot: at[4],
		Keys: at[5], NewKeys: at[6], Result: at[7], HasRejected: at[8] != 0}
	for i, digest := range []*[16]byte{&r.ConfirmedDigest, &r.OtherDigest, &r.KeysDigest,
		&r.NewKeysDigest} {
		copy(digest[:], at[12+16*i:])
	}
	return r, nil
}

// Report is a SUIT_Report of what runs and how the last update ended, as CBOR.
func (b *Boot) Report() ([]byte, error) { return b.get(256, raw.Bind_boot_report) }

// KeySet reads a COSE_KeySet of 1..4 Ed25519 keys, one of them with RightUpdate and RightKeys.
// Errors: ErrKeys.
func KeySet(set []byte) ([]Key, error) {
	if st := raw.Bind_keyset_check(ptr(set), size(set)); st < 0 {
		return nil, refusal(Code(st), "")
	}
	var keys []Key
	for {
		data, st := fill(128, func(buf *byte, cap uintptr) int32 {
			return raw.Bind_keyset_key(ptr(set), size(set), uint32(len(keys)), buf, cap)
		})
		k, err := unpackKey(data, st)
		if k == nil {
			return keys, err
		}
		keys = append(keys, *k)
	}
}
