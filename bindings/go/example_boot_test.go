// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"picosuit.example/go"
)

// slots is a device with two image slots and a key set over a boot state, as the one of
// bench/m0/device_slots.c in C, but for resuming: an update that was cut off begins again.
type slots struct {
	boot  *picosuit.Boot
	flash *picosuit.Flash
	g     picosuit.Geometry
	page  uint32
	unit  int
	blank byte // value of an erased byte

	base, length uint32                 // of what is open: flash offset, bytes so far
	closed       map[picosuit.Area]part // what End has closed since the reset
}

// part is where something stands in the flash.
type part struct{ base, length uint32 }

func (s *slots) Component(signer uint16, id []byte) (uint8, picosuit.Kind, bool, error) {
	switch string(id) {
	case "\x81\x41\x00":
		return uint8(picosuit.AreaImage), picosuit.Stored, true, nil
	case "\x81\x44keys":
		return uint8(picosuit.AreaKeys), picosuit.Stored | picosuit.KindKeys, true, nil
	}
	return 0, 0, false, nil
}

func (s *slots) Identity(_ uint8, what picosuit.Identifier, n int) (id [16]byte, ok bool,
	err error) {
	switch {
	case n == 0 && what == picosuit.VendorID:
		return vendorID, true, nil
	case n == 0 && what == picosuit.ClassID:
		return classID, true, nil
	}
	return id, false, nil
}

func (s *slots) Key(purpose picosuit.Purpose, n int, kid []byte) (*picosuit.Key, error) {
	return s.boot.Key(purpose, n, kid)
}

func (s *slots) Sequence() (uint64, [32]byte, bool, error) { return s.boot.Sequence() }

func (s *slots) Slot(uint8, picosuit.Procedure) (uint32, error) { return s.boot.Slot() }

func (s *slots) capacity(component uint8) uint32 {
	if picosuit.Area(component) == picosuit.AreaKeys {
		return s.page - 40 // PICOSUIT_KEYS_SET: what stands before the set
	}
	return s.g.SlotSize - s.g.ManifestSize
}

func (s *slots) Size(component uint8) (uint32, uint32, error) {
	off, stored, err := s.boot.Stored(picosuit.Area(component))
	if c := s.closed[picosuit.Area(component)]; c.length != 0 && c.base == off {
		stored = c.length // complete, but not sealed yet
	}
	return stored, s.capacity(component), err
}

func (s *slots) Read(component uint8, off uint32, buf []byte) error {
	base, _, err := s.boot.Stored(picosuit.Area(component))
	if err != nil {
		return err
	}
	_, err = s.flash.ReadAt(buf, int64(base+off))
	return err
}

func (s *slots) Begin(component uint8, _ uint32, id [32]byte) (uint32, error) {
	base, err := s.boot.Prepare(picosuit.Area(component)) // erases manifest area or key-set page
	if err != nil {
		return 0, err
	}
	s.base, s.length = base, 0
	delete(s.closed, picosuit.Area(component))
	if picosuit.Area(component) == picosuit.AreaKeys {
		return 0, nil
	}
	end := base + s.capacity(component)
	if err := s.erase(base, end); err != nil {
		return 0, err
	}
	_, err = s.flash.WriteAt(id[:], int64(end))
	return 0, err
}

func (s *slots) erase(from, to uint32) error {
	for ; from < to; from += s.page {
		if err := s.flash.Erase(from); err != nil {
			return err
		}
	}
	return nil
}

func (s *slots) Write(_ uint8, off uint32, data []byte) error {
	s.length = off + uint32(len(data))
	rest := (s.unit - len(data)%s.unit) % s.unit
	whole := append(append([]byte(nil), data...), bytes.Repeat([]byte{s.blank}, rest)...)
	_, err := s.flash.WriteAt(whole, int64(s.base+off))
	return err
}

func (s *slots) End(component uint8, good bool) error {
	if good {
		s.closed[picosuit.Area(component)] = part{s.base, s.length}
		return nil
	}
	_, err := s.Begin(component, picosuit.Unknown, [32]byte{}) // erases it, and belongs to nobody
	return err
}

func (s *slots) Invoke(uint8, []byte) error { return nil } // the jump follows Boot.Address

func Example_boot() {
	flash, err := picosuit.NewFlash(3328, 256, 4, 0xff) // bytes, page, unit, erased byte
	if err != nil {
		log.Fatal(err)
	}
	factory, err := os.ReadFile("../../vectors/boot/set_a.cbor") // COSE_KeySet
	if err != nil {
		log.Fatal(err)
	}
	g := picosuit.Geometry{Slot: [2]uint32{0, 1024}, SlotSize: 1024, ManifestSize: 512,
		Journal: 2048, JournalPages: 3, Keys: 2816, Tries: 3,
		Factory: factory, Component: []byte{0x81, 0x41, 0x00}}
	boot, err := picosuit.NewBoot(flash, g)
	if err != nil {
		log.Fatal(err)
	}
	defer boot.Close()
	device := &slots{boot: boot, flash: flash, g: g, page: 256, unit: 4, blank: 0xff,
		closed: map[picosuit.Area]part{}}
	p, err := picosuit.NewProcessor(device, nil, nil) // keys: those of the boot state
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	reset := func() picosuit.Status { // what a boot loader does
		if err := boot.Init(picosuit.NoSlot); err != nil {
			log.Fatal(err)
		}
		if _, err := p.Reset(); err != nil {
			log.Fatal(err)
		}
		st, err := boot.Select(p)
		if err != nil {
			log.Fatal(err)
		}
		return st
	}
	fmt.Println("empty:", reset())

	envelope, err := os.Open("../../vectors/boot/v1.suit")
	if err != nil {
		log.Fatal(err)
	}
	defer envelope.Close()
	source := func(uri string, offset uint32) (io.ReadCloser, error) {
		image := make([]byte, 500) // image 1 of the vectors
		for i := range image {
			image[i] = byte(31 + i*7 + (i>>8)*13)
		}
		return io.NopCloser(bytes.NewReader(image[offset:])), nil
	}
	if _, err := p.Reset(); err != nil {
		log.Fatal(err)
	}
	if err := boot.Update(context.Background(), p, envelope, source); err != nil {
		log.Fatal(err)
	}
	fmt.Println("installed:", reset())
	if address, ok := boot.Address(p); ok { // the loader jumps; the firmware wakes up
		if err := boot.Init(int(address / 1024)); err != nil {
			log.Fatal(err)
		}
	}
	if err := boot.Confirm(); err != nil { // it knows that it works
		log.Fatal(err)
	}
	record, err := boot.Record()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("confirmed: slot", record.Confirmed, "floor", record.Floor)
	// Output:
	// empty: Safe
	// installed: OK
	// confirmed: slot 0 floor 1
}
