// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"picosuit.example/go"
)

// Every envelope for the boot state is authentic under the keys that its record names, and under no
// other.
func TestVectorsBootIndex(t *testing.T) {
	for _, r := range records(t, "boot/index.txt") {
		data := load(t, r["file"])
		for _, name := range []string{"boot-a", "boot-b", "boot-c"} {
			key := keyNamed(t, name)
			key.ID = 1
			info, err := picosuit.Verify(data, []picosuit.Key{key})
			if !strings.Contains(r["signers"], name) {
				if !errors.Is(err, picosuit.ErrAuth) {
					t.Errorf("%s: verifies under %s: %v", r["name"], name, err)
				}
				continue
			}
			if err != nil || info.Sequence != r.unsigned(t, "sequence") ||
				info.Rights != key.Rights || int(info.EnvelopeLen) != len(data) || info.Signer != 1 {
				t.Errorf("%s under %s: %+v, %v", r["name"], name, info, err)
			}
		}
	}
}

func TestVectorsKeySets(t *testing.T) {
	for _, r := range records(t, "boot/keysets.txt") {
		keys, err := picosuit.KeySet(r.hex(t, "set"))
		if r["expect"] != "ok" {
			if !errors.Is(err, codeOf(t, r["expect"])) || keys != nil {
				t.Errorf("%s: %v, expected %s", r["name"], err, r["expect"])
			}
			continue
		}
		if err != nil || len(keys) == 0 || r.has(fmt.Sprintf("x.%d", len(keys))) {
			t.Errorf("%s: %d keys, %v", r["name"], len(keys), err)
		}
		for i, k := range keys {
			field := func(name string) string { return fmt.Sprintf("%s.%d", name, i) }
			if !bytes.Equal(k.Key, r.hex(t, field("x"))) || int(k.ID) != i+1 ||
				int64(k.Alg) != r.number(t, field("alg"), 0) ||
				int64(k.Rights) != r.number(t, field("rights"), 0) {
				t.Errorf("%s: key %d is %+v", r["name"], i, k)
			}
		}
	}
}

// imageOf is what the URI "i" of a record gives.
func imageOf(t testing.TB, r record) []byte {
	var length, seed int
	if n, err := fmt.Sscan(r["image"], &length, &seed); n != 2 {
		t.Fatalf("%s: %v", r["name"], err)
	}
	data := make([]byte, length)
	for i := range data {
		data[i] = byte(seed*31 + i*7 + (i>>8)*13)
	}
	return data
}

// machine is a device with two slots in the making: what outlives a reset, and what does not.
type machine struct {
	t     testing.TB
	flash *picosuit.Flash
	boot  *picosuit.Boot
	p     *picosuit.Processor
	dev   *slots
	index map[string]record
}

const (
	machinePage  = 256
	machineUnit  = 4
	machineBytes = 3328
)

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{t: t, index: map[string]record{}}
	for _, r := range read(t, "boot/index.txt") {
		m.index[r["name"]] = r
	}
	var err error
	if m.flash, err = picosuit.NewFlash(machineBytes, machinePage, machineUnit, 0xff); err != nil {
		t.Fatal(err)
	}
	m.reset()
	return m
}

// reset forgets what is in memory.
func (m *machine) reset() {
	m.t.Helper()
	m.close()
	g := picosuit.Geometry{Slot: [2]uint32{0, 1024}, SlotSize: 1024, ManifestSize: 512,
		Journal: 2048, JournalPages: 3, Keys: 2816, Tries: 3, Factory: load(m.t, "boot/set_a.cbor"),
		Component: []byte("\x81\x41\x00")}
	var err error
	if m.boot, err = picosuit.NewBoot(m.flash, g); err != nil {
		m.t.Fatal(err)
	}
	m.dev = &slots{boot: m.boot, flash: m.flash, g: g, page: machinePage, unit: machineUnit,
		blank: 0xff, closed: map[picosuit.Area]part{}}
	if m.p, err = picosuit.NewProcessor(m.dev, nil, nil); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) close() {
	if m.p != nil {
		m.p.Close()
		m.boot.Close()
	}
}

// start resets, selects as a loader does, and wakes as the firmware: the slot, or NoSlot.
func (m *machine) start() int {
	m.t.Helper()
	m.reset()
	if err := m.boot.Init(picosuit.NoSlot); err != nil {
		m.t.Fatal(err)
	}
	st, err := m.boot.Select(m.p)
	if err != nil {
		m.t.Fatal(err)
	}
	address, ok := m.boot.Address(m.p)
	if ok != (st == picosuit.OK) || ok && address != 0 && address != 1024 {
		m.t.Fatalf("select said %v, address %d", st, address)
	}
	if !ok {
		return picosuit.NoSlot
	}
	m.reset()
	if err := m.boot.Init(int(address / 1024)); err != nil {
		m.t.Fatal(err)
	}
	return int(address / 1024)
}

func (m *machine) update(name string) error {
	r, ok := m.index[name]
	if !ok {
		m.t.Fatalf("no envelope %s", name)
	}
	if _, err := m.p.Reset(); err != nil {
		return err
	}
	source := func(uri string, offset uint32) (io.ReadCloser, error) {
		data := []byte(nil)
		switch uri {
		case "i":
			data = imageOf(m.t, r)
		case "k":
			data = load(m.t, r["keys"])
		default:
			return nil, fmt.Errorf("no such URI: %s", uri)
		}
		return io.NopCloser(bytes.NewReader(data[offset:])), nil
	}
	return m.boot.Update(context.Background(), m.p, bytes.NewReader(load(m.t, r["file"])), source)
}

func (m *machine) record() picosuit.BootRecord {
	m.t.Helper()
	r, err := m.boot.Record()
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// install updates, starts, confirms and starts again.
func (m *machine) install(name string, want int) {
	m.t.Helper()
	if err := m.update(name); err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	if got := m.start(); got != want {
		m.t.Fatalf("%s: slot %d starts, expected %d", name, got, want)
	}
	if r := m.record(); r.Phase != picosuit.PhaseTry || r.Tries != 1 || int(r.Running) != want {
		m.t.Fatalf("%s: on trial: %+v", name, r)
	}
	if err := m.boot.Confirm(); err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	if got := m.start(); got != want || m.record().Phase != picosuit.PhaseIdle {
		m.t.Fatalf("%s: slot %d starts, %+v", name, got, m.record())
	}
	if floor := m.index[name].unsigned(m.t, "sequence"); m.record().Floor != floor {
		m.t.Fatalf("%s: floor %d, expected %d", name, m.record().Floor, floor)
	}
}

func (m *machine) unbroken() {
	m.t.Helper()
	if n, err := m.flash.Counts(); err != nil || n.Breaches != 0 {
		m.t.Errorf("%d breaches of the rules of flash, %v", n.Breaches, err)
	}
}

func TestBootLife(t *testing.T) {
	m := newMachine(t)
	if slot := m.start(); slot != picosuit.NoSlot || m.record().Phase != picosuit.PhaseNone {
		t.Fatalf("an empty device starts slot %d", slot)
	}
	if err := m.boot.Init(picosuit.NoSlot); err != nil {
		t.Fatal(err)
	}
	m.install("v1", 0)
	if err := m.update("v2"); err != nil {
		t.Fatal(err)
	}
	for try := 1; try <= 3; try++ { // never confirmed
		if slot := m.start(); slot != 1 || int(m.record().Tries) != try {
			t.Fatalf("try %d: slot %d, %+v", try, slot, m.record())
		}
	}
	if slot := m.start(); slot != 0 {
		t.Fatalf("after three tries slot %d starts", slot)
	}
	r := m.record()
	if !r.HasRejected || r.Rejected != 2 || r.Code != picosuit.ErrTrial || r.Result != 2 {
		t.Errorf("rejected: %+v", r)
	}
	if err := m.update("v2"); !errors.Is(err, picosuit.ErrRejected) {
		t.Errorf("what was rejected is installed again: %v", err)
	}
	m.install("v3", 1)
	if err := m.update("v1"); !errors.Is(err, picosuit.ErrRollback) {
		t.Errorf("roll back: %v", err)
	}
	report, err := m.boot.Report()
	if err != nil || len(report) == 0 || report[0]>>5 != 5 {
		t.Errorf("report %x, %v", report, err)
	}
	m.unbroken()
}

func TestBootKeysChange(t *testing.T) {
	m := newMachine(t)
	m.start()
	m.install("v1", 0)
	if err := m.update("v2b"); !errors.Is(err, picosuit.ErrAuth) {
		t.Fatalf("signed by b, before b is known: %v", err)
	}
	m.install("ik2", 1) // image 2 and the key set ab
	if r := m.record(); r.Epoch == 0 || r.Keys > 1 {
		t.Errorf("key set: %+v", r)
	}
	m.unbroken()
}

// Power is lost in each flash operation of an update: the device always starts, and the update can
// then be done.
func TestBootPower(t *testing.T) {
	m := newMachine(t)
	m.start()
	m.install("v1", 0)
	saved := make([]byte, machineBytes)
	if err := m.flash.Peek(saved, 0); err != nil {
		t.Fatal(err)
	}
	done := false
	for cut := uint32(1); !done; cut++ {
		if err := m.flash.Poke(saved, 0); err != nil {
			t.Fatal(err)
		}
		if slot := m.start(); slot != 0 {
			t.Fatalf("slot %d", slot)
		}
		if err := m.flash.Cut(cut); err != nil {
			t.Fatal(err)
		}
		err := m.update("v2")
		if done = err == nil; !done && !errors.Is(err, picosuit.ErrPlatform) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if err := m.flash.Power(); err != nil {
			t.Fatal(err)
		}
		slot := m.start()
		if slot != 0 && (slot != 1 || m.record().Phase != picosuit.PhaseTry) {
			t.Fatalf("cut %d: slot %d starts, %+v", cut, slot, m.record())
		}
		if slot == 0 {
			m.install("v2", 1)
		}
		if cut > 200 {
			t.Fatal("it never ends")
		}
	}
}

// While a device is asked by a boot call, it may use the boot state; nobody else's call gets lost.
func TestBootInsideTheDevice(t *testing.T) {
	m := newMachine(t)
	m.start()
	m.install("v1", 0)
	m.reset()
	inside := 0
	p, err := picosuit.NewProcessor(&peeping{m.dev, func() {
		inside++
		if _, err := m.boot.Record(); err != nil {
			t.Errorf("the boot state, inside: %v", err)
		}
		if err := m.p.Close(); err != nil {
			t.Errorf("another processor, inside: %v", err)
		}
	}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := m.boot.Init(picosuit.NoSlot); err != nil {
		t.Fatal(err)
	}
	if st, err := m.boot.Select(p); st != picosuit.OK || err != nil || inside == 0 {
		t.Errorf("%v, %v, asked %d times", st, err, inside)
	}
	if err := m.flash.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.boot.Record(); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("over a closed flash: %v", err)
	}
}

// peeping does something whenever it is asked for the slot's size.
type peeping struct {
	*slots
	inside func()
}

func (p *peeping) Size(component uint8) (uint32, uint32, error) {
	p.inside()
	return p.slots.Size(component)
}

func TestBootRefuses(t *testing.T) {
	if _, err := picosuit.NewFlash(1000, 256, 4, 0xff); !errors.Is(err, picosuit.ErrArg) {
		t.Errorf("a flash that ends inside a page: %v", err)
	}
	m := newMachine(t)
	if _, err := picosuit.NewBoot(m.flash, picosuit.Geometry{}); !errors.Is(err, picosuit.ErrArg) {
		t.Errorf("no geometry: %v", err)
	}
	for _, off := range []int64{-1, machineBytes, 1 << 40} {
		if _, err := m.flash.ReadAt(make([]byte, 1), off); !errors.Is(err, picosuit.ErrArg) {
			t.Errorf("read at %d: %v", off, err)
		}
	}
	if _, err := m.flash.WriteAt(make([]byte, 4), 0); err != nil {
		t.Error(err)
	}
	var e *picosuit.Error
	if _, err := m.flash.WriteAt(make([]byte, 4), 0); !errors.As(err, &e) || e.Platform >= 0 {
		t.Errorf("a unit programmed twice: %v", err)
	}
	if n, err := m.flash.Counts(); err != nil || n.Breaches != 1 || n.Programs != 2 {
		t.Errorf("%+v, %v", n, err)
	}
	if err := m.boot.Confirm(); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("confirm without a trial: %v", err)
	}
	if _, err := picosuit.KeySet(nil); !errors.Is(err, picosuit.ErrKeys) {
		t.Errorf("no key set: %v", err)
	}
	if err := m.boot.Close(); err != nil {
		t.Error(err)
	}
	if err := m.boot.Init(0); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("after Close: %v", err)
	}
}
