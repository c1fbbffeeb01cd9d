// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"picosuit.example/go"
)

// How an envelope is handed over: in pieces of so many bytes, or
const (
	whole  = 0
	inOpen = -1 // by Processor.Open
)

// result is what came of a record: equal for every way in which it can arrive.
type result struct {
	err      picosuit.Error // zero: none
	contents [boardSlots]string
	invoked  int
	writes   int
	args     string
}

// feeder takes an envelope through a Processor as the loop of a device does.
type feeder struct {
	t        testing.TB
	r        record
	p        *picosuit.Processor
	b        *board
	envelope []byte
	at       int
	piece    int
	stage    string
}

// status is what a call said; a failure as the Code it has.
func (f *feeder) status(st picosuit.Status, err error) int {
	if err != nil {
		var e *picosuit.Error
		if !errors.As(err, &e) || e.Code >= 0 {
			f.t.Fatalf("%s: %v", f.r["name"], err)
		}
		return int(e.Code)
	}
	return int(st)
}

// until repeats a call while the device is not ready.
func (f *feeder) until(call func() (picosuit.Status, error)) int {
	for n := 0; n < 1000000; n++ {
		if st, err := call(); err != nil || st != picosuit.Again {
			return f.status(st, err)
		}
	}
	f.t.Fatalf("%s: it never ends", f.r["name"])
	return 0
}

// give hands over the next piece of data and returns what is left of it.
func (f *feeder) give(data []byte, call func([]byte) (picosuit.Status, int, error)) ([]byte, int) {
	n := f.piece
	if n <= 0 || n > len(data) {
		n = len(data)
	}
	piece := append([]byte(nil), data[:n]...)
	st := f.until(func() (picosuit.Status, error) {
		st, used, err := call(piece)
		if used < 0 || used > len(piece) || st == picosuit.More && used != len(piece) {
			f.t.Fatalf("%s: %d of %d bytes taken, %v", f.r["name"], used, len(piece), st)
		}
		piece = piece[used:]
		return st, err
	})
	return data[n-len(piece):], st
}

func (f *feeder) feed() int {
	if f.at == len(f.envelope) {
		return f.until(f.p.FeedEnd)
	}
	rest, st := f.give(f.envelope[f.at:], f.p.Feed)
	f.at = len(f.envelope) - len(rest)
	return st
}

func (f *feeder) beginAndRun(procedure picosuit.Procedure) int {
	info, err := f.p.Info()
	if err != nil {
		f.t.Fatal(err)
	}
	f.b.want = info.Digest
	if f.piece != inOpen && f.at < len(f.envelope) { // payloads follow, or too many bytes
		if st := f.feed(); st != int(picosuit.Ready) {
			return st
		}
	}
	f.stage, f.b.procedure = "begin", procedure
	st := f.until(func() (picosuit.Status, error) { return f.p.Begin(procedure) })
	if st != int(picosuit.OK) {
		return st
	}
	f.stage = "run"
	f.b.armed = true
	return f.until(f.p.Run)
}

// served finds the payload of a URI in the record: lines "payload.K = URI FILE".
func served(t testing.TB, r record, uri string) ([]byte, bool) {
	t.Helper()
	for key, value := range r {
		cut := strings.LastIndexByte(value, ' ')
		if strings.HasPrefix(key, "payload.") && strings.TrimSpace(value[:cut]) == uri {
			return load(t, value[cut+1:]), true
		}
	}
	return nil, false
}

func (f *feeder) fetch() int {
	want, err := f.p.Fetch()
	if err != nil {
		f.t.Fatal(err)
	}
	if want.Where == picosuit.InEnvelope {
		return f.feed()
	}
	data, ok := served(f.t, f.r, want.URI)
	if !ok && want.Passed != 0 && f.piece != inOpen {
		if err := f.p.Rewind(); err != nil {
			f.t.Fatal(err)
		}
		f.at = 0
		return f.feed()
	}
	st := int(picosuit.More)
	for data = data[min(int(want.Offset), len(data)):]; len(data) > 0 && st == int(picosuit.More); {
		data, st = f.give(data, f.p.Payload)
	}
	if st == int(picosuit.More) {
		st = f.until(func() (picosuit.Status, error) { return f.p.PayloadEnd(ok) })
	}
	return st
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func (f *feeder) procedure(procedure picosuit.Procedure) int {
	st := int(picosuit.More)
	f.at, f.stage, f.b.armed = 0, "feed", false
	if f.piece == inOpen {
		st = f.until(func() (picosuit.Status, error) { return f.p.Open(f.envelope) })
	}
	for st > 0 {
		switch picosuit.Status(st) {
		case picosuit.More:
			st = f.feed()
		case picosuit.Ready:
			st = f.beginAndRun(procedure)
		case picosuit.Fetch:
			st = f.fetch()
		default:
			f.t.Fatalf("%s: status %d", f.r["name"], st)
		}
		for f.piece != inOpen && st == int(picosuit.OK) && f.at < len(f.envelope) {
			st = f.feed() // the rest of the envelope must still be one
		}
	}
	if f.piece != inOpen && st == int(picosuit.OK) {
		st = f.until(f.p.FeedEnd)
	}
	return st
}

// sticks expects that after a failure every call repeats it and nothing else happens.
func (f *feeder) sticks(want error) {
	f.t.Helper()
	calls := f.b.calls
	for name, call := range map[string]func() error{
		"Run":        func() error { _, err := f.p.Run(); return err },
		"Begin":      func() error { _, err := f.p.Begin(picosuit.Update); return err },
		"Feed":       func() error { _, _, err := f.p.Feed([]byte{0}); return err },
		"FeedEnd":    func() error { _, err := f.p.FeedEnd(); return err },
		"Open":       func() error { _, err := f.p.Open(nil); return err },
		"Payload":    func() error { _, _, err := f.p.Payload([]byte{0}); return err },
		"PayloadEnd": func() error { _, err := f.p.PayloadEnd(true); return err },
		"Rewind":     f.p.Rewind,
		"Err":        f.p.Err,
	} {
		if err := call(); !reflect.DeepEqual(err, want) {
			f.t.Errorf("%s: after %v, %s said %v", f.r["name"], want, name, err)
		}
	}
	if f.b.calls != calls {
		f.t.Errorf("%s: the device was asked after the failure", f.r["name"])
	}
}

// way is one way for an envelope to arrive on a device.
type way struct {
	piece int  // bytes at a time, whole or inOpen
	asks  bool // keys are asked for one by one
	again bool // every method says ErrAgain first
}

func (w way) String() string {
	how := fmt.Sprintf("in pieces of %d", w.piece)
	switch w.piece {
	case whole:
		how = "whole"
	case inOpen:
		how = "by Open"
	}
	if w.asks {
		how += ", keys asked for"
	}
	if w.again {
		how += ", with ErrAgain"
	}
	return how
}

// carryOut takes a record through all its procedures, each with a new Processor.
func carryOut(t testing.TB, r record, w way) (result, string) {
	t.Helper()
	f := feeder{t: t, r: r, b: boardOf(t, r), envelope: load(t, r["file"]), piece: w.piece}
	f.b.again = w.again
	device, keys := picosuit.Device(f.b), f.b.keys
	if w.asks {
		device, keys = asking{f.b}, nil
	}
	st := 0
	for _, word := range strings.Split(r["procedure"], ",") {
		procedure := map[string]picosuit.Procedure{
			"": picosuit.Update, "update": picosuit.Update, "invoke": picosuit.Invoke}[word]
		p, err := picosuit.NewProcessor(device, keys,
			&picosuit.Options{Work: int(r.number(t, "work", 0))})
		if err != nil {
			t.Fatal(err)
		}
		f.p = p
		st = f.procedure(procedure)
		if last := p.Err(); st < 0 {
			f.sticks(last)
			break
		} else if last != nil {
			t.Errorf("%s: an error without a failure: %v", r["name"], last)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := result{contents: f.b.contents(), invoked: f.b.invoked, writes: f.b.writes,
		args: string(f.b.args)}
	if st < 0 {
		var e *picosuit.Error
		if !errors.As(f.p.Err(), &e) || int(e.Code) != st {
			t.Fatalf("%s: status %d, error %v", r["name"], st, f.p.Err())
		}
		got.err = picosuit.Error{Code: e.Code, Offset: e.Offset, Label: e.Label,
			Platform: e.Platform, Section: e.Section, Component: e.Component}
		if err := f.p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if f.b.open >= 0 || f.b.begins != f.b.ends {
		t.Errorf("%s %v: a component was left open", r["name"], w)
	}
	for _, why := range f.b.broken {
		t.Errorf("%s %v: %s", r["name"], w, why)
	}
	return got, f.stage
}

// expect compares a result with what the record says.
func expect(t testing.TB, r record, w way, got result, stage string) {
	t.Helper()
	fail := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s %v: %s is %v, expected %v", r["name"], w, what, got, want)
	}
	if want := codeOf(t, r["expect"]); got.err.Code != want {
		fail("error", &got.err, want)
		return
	}
	if got.err.Code != 0 {
		if want := uint32(r.number(t, "offset", int64(got.err.Offset))); got.err.Offset != want {
			fail("offset", got.err.Offset, want)
		}
		if want := int32(r.number(t, "label", int64(got.err.Label))); got.err.Label != want {
			fail("label", got.err.Label, want)
		}
		if want := uint8(r.number(t, "section", int64(got.err.Section))); got.err.Section != want {
			fail("section", got.err.Section, want)
		}
		if r.has("stage") && w.piece != inOpen && stage != r["stage"] {
			fail("stage", stage, r["stage"])
		}
		return
	}
	for i, sum := range got.contents {
		if want, ok := r[fmt.Sprintf("component.%d", i)]; ok && sum != want {
			fail(fmt.Sprintf("component %d", i), sum, want)
		}
	}
	if want := int(r.number(t, "writes", int64(got.writes))); got.writes != want {
		fail("writes", got.writes, want)
	}
	if want := int(r.number(t, "invoked", int64(got.invoked))); got.invoked != want {
		fail("invoked", got.invoked, want)
	}
}

// ways of a record; the first is what the others are compared with. Byte by byte takes the longest
// and so does every record that way once; the frame lengths take turns.
func waysOf(i int) []way {
	frames := []int{2, 3, 7, 9, 63, 64, 65, 100}
	return []way{
		{piece: whole},
		{piece: 1, asks: i%2 == 0},
		{piece: frames[i%len(frames)], asks: true, again: i%4 == 0},
		{piece: inOpen, again: i%4 == 1},
	}
}

func testIndex(t *testing.T, index string, least int) {
	all := records(t, index)
	if len(all) < least {
		t.Fatalf("%d records, at least %d were there", len(all), least)
	}
	names := map[string]result{}
	for i, r := range all {
		if testing.Short() && i%8 != 0 && !r.has("equivalent") {
			continue
		}
		var first result
		for n, w := range waysOf(i) {
			if w.piece == inOpen && r["expect"] == "E_ROOM" {
				continue // in memory, less work is needed
			}
			got, stage := carryOut(t, r, w)
			expect(t, r, w, got, stage)
			switch {
			case n == 0:
				first = got
			case w.piece == inOpen:
				// where the caller's order of calls decides, the stage may differ, not the rest
			case !reflect.DeepEqual(got, first):
				t.Errorf("%s %v: %+v, but whole: %+v", r["name"], w, got, first)
			}
		}
		if codeOf(t, r["expect"]) != 0 {
			if s := r["stage"]; (s == "feed" || s == "begin") && (first.writes > 0 ||
				first.invoked >= 0 && !strings.Contains(r["procedure"], ",")) {
				t.Errorf("%s: an effect before begin has answered", r["name"])
			}
		}
		names[r["name"]] = first
	}
	for _, r := range all {
		if other := r["equivalent"]; other != "" {
			a, b := names[r["name"]], names[other]
			if testing.Short() {
				continue
			}
			if a.err.Code != b.err.Code || a.contents[0] != b.contents[0] {
				t.Errorf("%s and %s differ", r["name"], other)
			}
		}
	}
}

func TestVectorsSuit(t *testing.T) { testIndex(t, "suit/index.txt", 200) }

func TestVectorsRefuse(t *testing.T) { testIndex(t, "refuse/index.txt", 900) }
