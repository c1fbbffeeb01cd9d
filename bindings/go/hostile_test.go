// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"picosuit.example/go"
)

// idle is a reader that gives nothing, says nothing, and ends the context when that goes on.
type idle struct {
	cancel context.CancelFunc
	reads  int
}

func (r *idle) Read([]byte) (int, error) {
	if r.reads++; r.reads == 3 {
		r.cancel()
	}
	if r.reads > 1000 {
		return 0, errors.New("asked a thousand times after the context had ended")
	}
	return 0, nil
}

func (r *idle) Close() error { return nil }

// "ctx is looked at between calls" holds when nothing is read, too.
func TestProcessIdleReaders(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	for _, isSource := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		envelope, source := io.Reader(&idle{cancel: cancel}), sourceOf(t, r)
		if isSource {
			envelope = bytes.NewReader(load(t, r["file"]))
			source = func(string, uint32) (io.ReadCloser, error) {
				return &idle{cancel: cancel}, nil
			}
		}
		b := boardOf(t, r)
		b.armed, b.trusts = true, true
		p := newProcessor(t, b)
		err := p.Process(ctx, picosuit.Update, envelope, source)
		if !errors.Is(err, context.Canceled) || p.Err() != nil {
			t.Errorf("source %v: %v, %v", isSource, err, p.Err())
		}
	}
}

// choosy is a device that does not let the first signer have its components, and whose flash is
// broken.
type choosy struct {
	*board
	first *uint16
}

func (c choosy) Component(signer uint16, id []byte) (uint8, picosuit.Kind, bool, error) {
	if *c.first == 0 {
		*c.first = signer
	}
	if *c.first == signer {
		return 0, 0, false, picosuit.ErrRights
	}
	return c.board.Component(signer, id)
}

func (choosy) Write(uint8, uint32, []byte) error { return errBroken }

// What a device answered on the way, and what stopped nothing, is no reason for what stops it
// later.
func TestCauseIsTheLast(t *testing.T) {
	r := find(t, "suit/index.txt", "auth_mac_and_sign")
	b := boardOf(t, r)
	err := process(t, r, b, choosy{b, new(uint16)}, bytes.NewReader(load(t, r["file"])))
	if !errors.Is(err, errBroken) || errors.Is(err, picosuit.ErrRights) {
		t.Errorf("%v, expected %v", err, errBroken)
	}
}

// An error is never a success, whatever number it has.
func TestErrorsThatCountAsNone(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	for _, code := range []picosuit.Code{0, 1, 4} {
		b := boardOf(t, r)
		err := process(t, r, b, broken{b, code}, bytes.NewReader(load(t, r["file"])))
		var e *picosuit.Error
		if !errors.As(err, &e) || e.Code != picosuit.ErrPlatform || e.Platform != -1 {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// far is a device with a handle that cannot be.
type far struct{ *board }

func (f far) Component(uint16, []byte) (uint8, picosuit.Kind, bool, error) {
	return 255, picosuit.Stored, true, nil
}

// An answer that cannot be stops the procedure, and says which it was.
func TestAnswersThatCannotBe(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	b := boardOf(t, r)
	p := newProcessor(t, far{b})
	if _, err := p.Open(load(t, r["file"])); err != nil {
		t.Fatal(err)
	}
	_, err := p.Begin(picosuit.Update)
	if !errors.Is(err, picosuit.ErrPlatform) || !errors.Is(err, picosuit.ErrArg) ||
		!strings.Contains(err.Error(), "Component") {
		t.Errorf("%v", err)
	}
	if p.Err() == nil {
		t.Error("it does not stick")
	}
}

// A kid of no bytes is one, and fits no key of the set; no kid fits all.
func TestBootKeyEmptyKID(t *testing.T) {
	flash, err := picosuit.NewFlash(21*1024, 1024, 4, 0xff)
	if err != nil {
		t.Fatal(err)
	}
	defer flash.Close()
	boot, err := picosuit.NewBoot(flash, picosuit.Geometry{Slot: [2]uint32{0, 8192}, SlotSize: 8192,
		ManifestSize: 1024, Journal: 16384, JournalPages: 3, Keys: 19 * 1024, Tries: 3,
		Factory: load(t, "boot/set_ab.cbor")})
	if err != nil {
		t.Fatal(err)
	}
	defer boot.Close()
	if err := boot.Init(picosuit.NoSlot); err != nil {
		t.Fatal(err)
	}
	if k, err := boot.Key(picosuit.PurposeVerify, 0, nil); k == nil || err != nil {
		t.Errorf("no kid: %v, %v", k, err)
	}
	if k, err := boot.Key(picosuit.PurposeVerify, 0, []byte{}); k != nil || err != nil {
		t.Errorf("empty kid: %v, %v", k, err)
	}
}
