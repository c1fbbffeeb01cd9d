// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"picosuit.example/go"
)

// find is a record of an index.
func find(t testing.TB, index, name string) record {
	t.Helper()
	for _, r := range read(t, index) {
		if r["name"] == name {
			return r
		}
	}
	t.Fatalf("%s: no record %s", index, name)
	return nil
}

// newProcessor is one with the keys of the vectors, closed at the end of the test.
func newProcessor(t testing.TB, device picosuit.Device) *picosuit.Processor {
	t.Helper()
	p, err := picosuit.NewProcessor(device, deviceKeys(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// sourceOf gives the payloads of a record.
func sourceOf(t testing.TB, r record) picosuit.Source {
	return func(uri string, offset uint32) (io.ReadCloser, error) {
		data, ok := served(t, r, uri)
		if !ok {
			return nil, fmt.Errorf("not served: %s", uri)
		}
		return io.NopCloser(bytes.NewReader(data[offset:])), nil
	}
}

// process carries a record out by Process.
func process(t testing.TB, r record, b *board, device picosuit.Device, envelope io.Reader) error {
	t.Helper()
	p := newProcessor(t, device)
	b.armed, b.trusts = true, true
	return p.Process(context.Background(), picosuit.Update, envelope, sourceOf(t, r))
}

// eager says with its last byte that it is the last.
type eager struct{ *bytes.Reader }

func (e eager) Read(buf []byte) (int, error) {
	n, err := e.Reader.Read(buf)
	if err == nil && e.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// What Process makes of a record is what the loop of a device makes of it.
func TestProcessVectors(t *testing.T) {
	for _, index := range []string{"suit/index.txt", "refuse/index.txt"} {
		for i, r := range read(t, index) {
			procedure, ok := r["procedure"]
			if r.has("work") || testing.Short() && i%8 != 0 || ok && procedure != "update" {
				continue
			}
			envelope := load(t, r["file"])
			processVector(t, r, bytes.NewReader(envelope))
			processVector(t, r, eager{bytes.NewReader(envelope)})
		}
	}
}

func processVector(t *testing.T, r record, envelope io.Reader) {
	b := boardOf(t, r)
	err := process(t, r, b, b, envelope)
	got := result{contents: b.contents(), invoked: b.invoked, writes: b.writes,
		args: string(b.args)}
	var e *picosuit.Error
	if errors.As(err, &e) {
		got.err = picosuit.Error{Code: e.Code, Offset: e.Offset, Label: e.Label,
			Platform: e.Platform, Section: e.Section, Component: e.Component}
	} else if err != nil {
		t.Fatalf("%s: %v", r["name"], err)
	}
	expect(t, r, way{piece: inOpen}, got, "")
	if len(b.broken) > 0 {
		t.Errorf("%s: %s", r["name"], b.broken[0])
	}
}

// A byte too few or too many is found, also behind the last one that the procedure needs.
func TestProcessEnds(t *testing.T) {
	for i, r := range read(t, "suit/index.txt") {
		procedure, ok := r["procedure"]
		if r.has("work") || ok && procedure != "update" || r["expect"] != "ok" ||
			testing.Short() && i%8 != 0 {
			continue
		}
		envelope := load(t, r["file"])
		for _, c := range []struct {
			envelope []byte
			want     error
		}{
			{envelope[:len(envelope)-1], picosuit.ErrTruncated},
			{append(envelope[:len(envelope):len(envelope)], 0), picosuit.ErrTrailing},
		} {
			for _, reader := range []io.Reader{bytes.NewReader(c.envelope),
				eager{bytes.NewReader(c.envelope)}} {
				b := boardOf(t, r)
				if err := process(t, r, b, b, reader); !errors.Is(err, c.want) {
					t.Errorf("%s, %T: %v, expected %v", r["name"], reader, err, c.want)
				}
			}
		}
	}
}

func TestProcessReaders(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	envelope := load(t, r["file"])
	more := append(envelope[:len(envelope):len(envelope)], 0)
	lost := errors.New("connection lost")
	half := io.MultiReader(bytes.NewReader(envelope[:200]), iotest.ErrReader(lost))
	for name, c := range map[string]struct {
		envelope io.Reader
		want     error
		writes   int
	}{
		"one byte at a time":   {iotest.OneByteReader(bytes.NewReader(envelope)), nil, 16},
		"data with the end":    {iotest.DataErrReader(bytes.NewReader(envelope)), nil, 16},
		"half a buffer":        {iotest.HalfReader(bytes.NewReader(envelope)), nil, 16},
		"cut off":              {bytes.NewReader(envelope[:40]), picosuit.ErrTruncated, 0},
		"nothing":              {bytes.NewReader(nil), picosuit.ErrTruncated, 0},
		"a byte too many":      {bytes.NewReader(more), picosuit.ErrTrailing, 0},
		"unreadable":           {iotest.ErrReader(lost), lost, 0},
		"unreadable in middle": {half, lost, 0},
	} {
		b := boardOf(t, r)
		if err := process(t, r, b, b, c.envelope); !errors.Is(err, c.want) ||
			err != nil && c.want == nil {
			t.Errorf("%s: %v, expected %v", name, err, c.want)
		}
		if b.writes != c.writes {
			t.Errorf("%s: %d writes, expected %d", name, b.writes, c.writes)
		}
	}
}

func TestProcessSource(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	lost := errors.New("connection lost")
	part := func(uri string, offset uint32) (io.ReadCloser, error) {
		body := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(lost))
		return io.NopCloser(body), nil
	}
	refuses := func(string, uint32) (io.ReadCloser, error) { return nil, lost }
	for name, source := range map[string]picosuit.Source{"part": part, "refuses": refuses} {
		b := boardOf(t, r)
		b.armed, b.trusts = true, true
		p := newProcessor(t, b)
		err := p.Process(context.Background(), picosuit.Update, bytes.NewReader(load(t, r["file"])),
			source)
		if !errors.Is(err, picosuit.ErrFetch) || !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
		if b.held(0) != nil || b.open >= 0 {
			t.Errorf("%s: something is stored", name)
		}
	}
	p := newProcessor(t, boardOf(t, r))
	err := p.Process(context.Background(), picosuit.Update, bytes.NewReader(load(t, r["file"])), nil)
	if !errors.Is(err, picosuit.ErrFetch) || !strings.Contains(err.Error(), "no source for") {
		t.Errorf("no source: %v", err)
	}
}

func TestProcessContext(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	ctx, cancel := context.WithCancel(context.Background())
	b := boardOf(t, r)
	b.armed, b.trusts = true, true
	p := newProcessor(t, b)
	source := func(uri string, offset uint32) (io.ReadCloser, error) {
		cancel()
		return sourceOf(t, r)(uri, offset)
	}
	err := p.Process(ctx, picosuit.Update, bytes.NewReader(load(t, r["file"])), source)
	if !errors.Is(err, context.Canceled) || p.Err() != nil {
		t.Fatalf("%v, %v", err, p.Err())
	}
	if want, err := p.Fetch(); err != nil || want.Offset != 0 || want.Size != 1000 {
		t.Errorf("what is wanted after that: %+v, %v", want, err)
	}
	if st, err := p.Reset(); st != picosuit.OK || err != nil || b.open >= 0 {
		t.Errorf("reset: %v, %v", st, err)
	}
	if err := process(t, r, b, b, bytes.NewReader(load(t, r["file"]))); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// never is a device that is never ready.
type never struct{ *board }

func (never) Sequence() (uint64, [32]byte, bool, error) {
	return 0, [32]byte{}, false, picosuit.ErrAgain
}

func TestProcessWaits(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	b := boardOf(t, r)
	b.again = true
	if err := process(t, r, b, b, bytes.NewReader(load(t, r["file"]))); err != nil || b.writes != 16 {
		t.Errorf("%v, %d writes", err, b.writes)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	b = boardOf(t, r)
	p := newProcessor(t, never{b})
	err := p.Process(ctx, picosuit.Update, bytes.NewReader(load(t, r["file"])), nil)
	if !errors.Is(err, context.DeadlineExceeded) || p.Err() != nil {
		t.Errorf("%v, %v", err, p.Err())
	}
}

// A caller's bytes may stand in memory with pointers; cgo must not refuse that.
func TestBytesBesidePointers(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	envelope := load(t, r["file"])
	message := &struct {
		next *board
		data [4096]byte
	}{next: newBoard()}
	data := message.data[:copy(message.data[:], envelope)]
	if _, err := picosuit.Verify(data, deviceKeys(t)); err != nil {
		t.Error(err)
	}
	key := &struct {
		next *board
		key  [32]byte
	}{next: message.next}
	k := deviceKeys(t)[0]
	copy(key.key[:], k.Key)
	k.Key = key.key[:]
	if _, err := picosuit.Verify(data, []picosuit.Key{k}); err != nil {
		t.Error(err)
	}
	p := newProcessor(t, boardOf(t, r))
	if st, used, err := p.Feed(data); st != picosuit.Ready || used != len(data) || err != nil {
		t.Errorf("%v, %d, %v", st, used, err)
	}
	if picosuit.SHA256(data) != sha256.Sum256(envelope) {
		t.Error("another digest")
	}
	flash, err := picosuit.NewFlash(8192, 256, 4, 0xff)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flash.WriteAt(message.data[:], 0); err != nil {
		t.Error(err)
	}
	if n, err := flash.ReadAt(message.data[:], 4096); n != 4096 || err != nil || data[0] != 0xff {
		t.Error(n, err)
	}
}

// calling is a device that does something inside Component.
type calling struct {
	*board
	inside func()
}

func (c calling) Component(signer uint16, id []byte) (uint8, picosuit.Kind, bool, error) {
	c.inside()
	return c.board.Component(signer, id)
}

func TestConcurrentUseIsRefused(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	b := boardOf(t, r)
	var p *picosuit.Processor
	asked := 0
	refused := func(what string, err error) {
		if !errors.Is(err, picosuit.ErrState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p = newProcessor(t, calling{b, func() {
		asked++
		_, err := p.Run()
		refused("Run inside the device", err)
		refused("Close inside the device", p.Close())
		refused("Err inside the device", p.Err())
		_, _, err = p.Feed(nil)
		refused("Feed inside the device", err)
		done := make(chan error)
		go func() { _, err := p.Info(); done <- err }()
		refused("Info by another goroutine", <-done)
	}})
	if st, _, err := p.Feed(load(t, r["file"])); st != picosuit.Ready || err != nil {
		t.Fatal(st, err)
	}
	if st, err := p.Begin(picosuit.Update); st != picosuit.OK || err != nil || asked == 0 {
		t.Errorf("%v, %v, asked %d times", st, err, asked)
	}
}

// Two goroutines at one Processor: each call works or is refused, and nothing is damaged.
func TestManyGoroutines(t *testing.T) {
	envelope, keys := load(t, "suit/fetch_uri.suit"), deviceKeys(t)
	p := newProcessor(t, nil)
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < 40; n++ {
				if _, err := picosuit.Verify(envelope, keys); err != nil {
					t.Errorf("a Processor of its own: %v", err)
				}
				if _, err := p.Reset(); err != nil && !errors.Is(err, picosuit.ErrState) {
					t.Errorf("Reset: %v", err)
				}
				_, _, err := p.Feed(envelope[:1+n])
				if err != nil && !errors.Is(err, picosuit.ErrState) && p.Err() == nil {
					t.Errorf("Feed: %v", err)
				}
			}
		}()
	}
	group.Wait()
	if _, err := p.Reset(); err != nil {
		t.Fatal(err)
	}
	if st, err := p.Open(envelope); st != picosuit.Ready || err != nil {
		t.Errorf("afterwards: %v, %v", st, err)
	}
}

func TestPanicInTheDevice(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	b := boardOf(t, r)
	panics := true
	p := newProcessor(t, calling{b, func() {
		if panics {
			panic("in the device")
		}
	}})
	if _, _, err := p.Feed(load(t, r["file"])); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if got := recover(); got != "in the device" {
				t.Errorf("recovered %v", got)
			}
		}()
		p.Begin(picosuit.Update)
	}()
	panics = false
	if st, err := p.Begin(picosuit.Update); st != picosuit.OK || err != nil {
		t.Errorf("the same call again: %v, %v", st, err)
	}
}

func TestClose(t *testing.T) {
	p := newProcessor(t, nil)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Feed":     func() error { _, _, err := p.Feed([]byte{1}); return err },
		"Open":     func() error { _, err := p.Open([]byte{1}); return err },
		"Reset":    func() error { _, err := p.Reset(); return err },
		"Info":     func() error { _, err := p.Info(); return err },
		"Report":   func() error { _, err := p.Report(); return err },
		"WorkUsed": func() error { _, err := p.WorkUsed(); return err },
		"Err":      p.Err,
	} {
		if err := call(); !errors.Is(err, picosuit.ErrState) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	var zero picosuit.Processor
	if _, err := zero.Run(); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("a Processor that nobody made: %v", err)
	}
}

// holding is a device that refers to the Processor which asks it.
type holding struct {
	*board
	p *picosuit.Processor
}

// Without Close the memory of C comes back by the finalizer.
func TestFinalizer(t *testing.T) {
	resident := func() (pages int) {
		debug.FreeOSMemory() // what Go has not given back yet
		data, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skip("no /proc/self/statm")
		}
		var all int
		if _, err := fmt.Sscan(string(data), &all, &pages); err != nil {
			t.Fatal(err)
		}
		return pages * os.Getpagesize() >> 20
	}
	envelope := bytes.Repeat([]byte{0xd8}, 1<<20)
	before := resident()
	for i := 0; i < 200; i++ {
		device := &holding{board: &board{}}
		p, err := picosuit.NewProcessor(device, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		device.p = p
		if _, err := p.Open(envelope); err == nil {
			t.Fatal("accepted")
		}
		if i%20 == 0 {
			runtime.GC()
		}
	}
	if after := resident(); after > before+120 {
		t.Errorf("%d MiB before, %d MiB after 200 processors that were forgotten", before, after)
	}
}

var errBroken = errors.New("the flash is broken")

// broken is a device whose Write fails.
type broken struct {
	*board
	err error
}

func (b broken) Write(uint8, uint32, []byte) error { return b.err }

func TestErrorOfTheDevice(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	for _, c := range []struct {
		err      error
		platform int32
	}{
		{errBroken, -1},
		{picosuit.Answer(-5), -5},
		{picosuit.Answer(7), -1},
		{fmt.Errorf("page 3: %w", picosuit.Answer(-9)), -9},
		{picosuit.ErrCapacity, -63},
		{fmt.Errorf("boot: %w", &picosuit.Error{Code: picosuit.ErrTrial}), -38},
		{&picosuit.Error{Code: picosuit.ErrPlatform, Platform: -7}, -7},
	} {
		b := boardOf(t, r)
		err := process(t, r, b, broken{b, c.err}, bytes.NewReader(load(t, r["file"])))
		var e *picosuit.Error
		if !errors.As(err, &e) || !errors.Is(err, picosuit.ErrPlatform) || !errors.Is(err, c.err) ||
			e.Platform != c.platform || e.Offset == 0 {
			t.Errorf("%v: %v", c.err, err)
		}
		if errors.Is(err, picosuit.ErrAuth) {
			t.Errorf("%v is another code, too", err)
		}
	}
}

// What failed before Reset is no reason for what fails afterwards.
func TestResetForgets(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	b := boardOf(t, r)
	b.armed, b.trusts = true, true
	p := newProcessor(t, broken{b, errBroken})
	for i, source := range []picosuit.Source{sourceOf(t, r), nil} {
		if _, err := p.Reset(); err != nil {
			t.Fatal(err)
		}
		err := p.Process(context.Background(), picosuit.Update,
			bytes.NewReader(load(t, r["file"])), source)
		if err == nil || errors.Is(err, errBroken) != (i == 0) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// What a device does not implement is not offered to the core.
func TestMissingMethods(t *testing.T) {
	b := newBoard()
	type facts struct{ picosuit.Device }
	type storage struct {
		picosuit.Device
		picosuit.Storage
	}
	for name, c := range map[string]struct {
		device picosuit.Device
		index  string
		record string
		want   picosuit.Code
	}{
		"no Writer": {storage{b, b}, "suit/index.txt", "fetch_uri", picosuit.ErrUnsupported},
		"facts":     {facts{b}, "suit/index.txt", "fetch_uri", picosuit.ErrUnsupported},
		"no Slots":  {storage{b, b}, "suit/index.txt", "plain_320", picosuit.ErrUnsupported},
	} {
		r := find(t, c.index, c.record)
		b.writes = 0
		err := process(t, r, b, c.device, bytes.NewReader(load(t, r["file"])))
		if !errors.Is(err, c.want) || b.writes != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resigned puts another authentication block around the manifest of an envelope.
func resigned(t testing.TB, envelope []byte, alg byte, sig []byte) []byte {
	t.Helper()
	at := bytes.Index(envelope, []byte{0x03, 0x58})
	if long := bytes.Index(envelope, []byte{0x03, 0x59}); at < 0 || long >= 0 && long < at {
		at = long
	}
	manifest := envelope[at+1:]
	sum := sha256.Sum256(manifest)
	block := append([]byte{0xd2, 0x84, 0x43, 0xa1, 0x01, alg, 0xa0, 0xf6, 0x40 + byte(len(sig))},
		sig...)
	wrapper := append([]byte{0x82, 0x58, 0x24, 0x82, 0x2f, 0x58, 0x20}, sum[:]...)
	wrapper = append(append(wrapper, 0x40+byte(len(block))), block...)
	out := append([]byte{0xd8, 0x6b, 0xa2, 0x02, 0x58, byte(len(wrapper))}, wrapper...)
	return append(append(out, 0x03), manifest...)
}

// anyKey is of another algorithm, and longer than the keys of the core.
var anyKey = &picosuit.Key{Key: bytes.Repeat([]byte("any"), 700), Alg: -9, ID: 9,
	Rights: picosuit.RightUpdate | picosuit.RightAnyDevice}

// verifying is a device that knows one more algorithm: -9, signed by the word "good".
type verifying struct {
	*board
	keys []picosuit.Key // that Verify was asked about
	said [][]byte
	err  error
}

func (v *verifying) Key(purpose picosuit.Purpose, n int, kid []byte) (*picosuit.Key, error) {
	if purpose != picosuit.PurposeVerify || n > 0 {
		return nil, nil
	}
	return anyKey, nil
}

func (v *verifying) Verify(key picosuit.Key, data, sig []byte) (bool, error) {
	key.Key = append([]byte(nil), key.Key...)
	v.keys = append(v.keys, key)
	v.said = append(v.said, append([]byte(nil), data...))
	return string(sig) == "good", v.err
}

func TestVerifier(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	good := resigned(t, load(t, r["file"]), 0x28, []byte("good"))
	for _, c := range []struct {
		envelope []byte
		fails    error
		want     error
	}{
		{good, nil, nil},
		{resigned(t, load(t, r["file"]), 0x28, []byte("evil")), nil, picosuit.ErrAuth},
		{good, errBroken, errBroken},
	} {
		v := &verifying{board: boardOf(t, r), err: c.fails}
		v.armed, v.trusts = true, true
		p, err := picosuit.NewProcessor(v, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Process(context.Background(), picosuit.Update, bytes.NewReader(c.envelope),
			sourceOf(t, r))
		if !errors.Is(err, c.want) || err != nil && c.want == nil || (v.writes > 0) != (c.want == nil) {
			t.Errorf("%v, expected %v, %d writes", err, c.want, v.writes)
		}
		if len(v.keys) != 1 || !reflect.DeepEqual(&v.keys[0], anyKey) ||
			!bytes.Contains(v.said[0], []byte("Signature1")) {
			t.Errorf("asked about %+v, %q", v.keys, v.said)
		}
		if info, err := p.Info(); c.want == nil && (err != nil || info.Signer != 9) {
			t.Errorf("%+v, %v", info, err)
		}
		p.Close()
	}
}

// Fetch-arguments, and invoke-args that are not there.
func TestArguments(t *testing.T) {
	for _, c := range []struct {
		parameters string // of the fetch: URI, or URI and arguments
		want       []byte
	}{{"\xa1\x15\x61u", nil}, {"\xa2\x15\x61u\x18\x19\x43abc", []byte("abc")}} {
		sequence := "\x86\x0c\x00\x14" + c.parameters + "\x15\x02"
		manifest := "\xa4\x01\x01\x02\x01\x03\x46\xa1\x02\x81\x81\x41\x00\x10" +
			string([]byte{0x40 + byte(len(sequence))}) + sequence
		envelope := resigned(t, append([]byte{0x03, 0x58, byte(len(manifest))}, manifest...), 0x28,
			[]byte("good"))
		p, err := picosuit.NewProcessor(&verifying{board: newBoard()}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Open(envelope); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Begin(picosuit.Update); err != nil {
			t.Fatal(err)
		}
		if st, err := p.Run(); st != picosuit.Fetch || err != nil {
			t.Fatal(st, err)
		}
		r, err := p.Fetch()
		if err != nil || r.URI != "u" || !reflect.DeepEqual(r.Args, c.want) ||
			r.Size != picosuit.Unknown || r.Where != picosuit.AtURI {
			t.Errorf("%+v, %v", r, err)
		}
		p.Close()
	}
	for name, want := range map[string]bool{"invoke_args": true, "invoke": false} {
		r := find(t, "suit/index.txt", name)
		b := boardOf(t, r)
		b.armed, b.trusts = true, true
		p := newProcessor(t, b)
		if _, err := p.Open(load(t, r["file"])); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Begin(picosuit.Invoke); err != nil {
			t.Fatal(err)
		}
		if st, err := p.Run(); st != picosuit.OK || err != nil || (b.args != nil) != want {
			t.Errorf("%s: %v, %v, arguments %q", name, st, err, b.args)
		}
	}
}

func TestRecords(t *testing.T) {
	seen := 0
	for _, r := range read(t, "suit/index.txt") {
		if procedure := r["procedure"]; procedure != "" && procedure != "update" || r.has("work") {
			continue
		}
		b := boardOf(t, r)
		err := process(t, r, b, b, bytes.NewReader(load(t, r["file"])))
		for _, one := range b.records {
			seen++
			if one.Policy == 0 || one.Policy > 15 || one.Label == 0 || one.Section == 0 ||
				err == nil && one.Code != 0 && one.Code > -10 {
				t.Errorf("%s: %+v", r["name"], one)
			}
		}
	}
	if seen == 0 {
		t.Error("no record was seen")
	}
}

func TestVerify(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_uri")
	envelope := load(t, r["file"])
	info, err := picosuit.Verify(envelope, deviceKeys(t))
	if err != nil || info.Components != 1 || info.Sections == 0 || info.Digest == [32]byte{} ||
		info.Signer == 0 || info.Rights&picosuit.RightUpdate == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	var e *picosuit.Error
	_, err = picosuit.Verify(envelope, nil)
	if !errors.As(err, &e) || e.Code != picosuit.ErrAuth || e.Offset != 4 ||
		e.Component != picosuit.NoComponent || e.Unwrap() != nil {
		t.Errorf("%+v", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "picosuit: E_AUTH at byte 4, label 2: ") ||
		strings.Contains(text, "\n") || len(text) < 40 {
		t.Error(text)
	}
	for at := range envelope {
		bad := append([]byte(nil), envelope...)
		bad[at] ^= 1
		if _, err := picosuit.Verify(bad, deviceKeys(t)); err == nil {
			t.Errorf("byte %d changed, and accepted", at)
		}
	}
	more := append(envelope[:len(envelope):len(envelope)], 0)
	for _, data := range [][]byte{nil, {}, envelope[:len(envelope)-1], more} {
		if _, err := picosuit.Verify(data, deviceKeys(t)); !errors.As(err, &e) || e.Code == 0 {
			t.Errorf("%d bytes: %v", len(data), err)
		}
	}
	if _, err := picosuit.Verify(envelope, []picosuit.Key{{}}); !errors.Is(err, picosuit.ErrArg) ||
		!strings.Contains(err.Error(), "key 0") {
		t.Errorf("an empty key: %v", err)
	}
}

func TestWhatAProcessorSays(t *testing.T) {
	r := find(t, "suit/index.txt", "fetch_integrated")
	b := boardOf(t, r)
	b.armed, b.trusts = true, true
	p := newProcessor(t, b)
	envelope := load(t, r["file"])
	if _, err := p.Info(); !errors.Is(err, picosuit.ErrState) || p.Err() != nil {
		t.Errorf("info before Ready: %v, %v", err, p.Err())
	}
	if _, err := p.Envelope(); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("envelope before Ready: %v", err)
	}
	if _, err := p.Fetch(); !errors.Is(err, picosuit.ErrState) {
		t.Errorf("fetch before Ready: %v", err)
	}
	err := p.Process(context.Background(), picosuit.Update, bytes.NewReader(envelope), nil)
	if err != nil {
		t.Fatal(err)
	}
	severed, err := p.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.Info()
	if err != nil || int(info.EnvelopeLen) != len(severed) || len(severed) >= len(envelope) {
		t.Errorf("%d of %d bytes, %+v, %v", len(severed), len(envelope), info, err)
	}
	stored, err := picosuit.Verify(severed, deviceKeys(t))
	if err != nil || stored.Digest != info.Digest {
		t.Errorf("the severed envelope: %v", err)
	}
	if report, err := p.Report(); err != nil || len(report) < 32 || report[0]>>5 != 5 {
		t.Errorf("report %x, %v", report, err)
	}
	if used, err := p.WorkUsed(); err != nil || used < len(severed)/2 || used > picosuit.WorkSize {
		t.Errorf("%d bytes of work, %v", used, err)
	}
	if report, err := picosuit.Capabilities(); err != nil || len(report) == 0 {
		t.Errorf("capabilities %x, %v", report, err)
	}
	if picosuit.Version() == 0 || picosuit.Features() != 0x1ff {
		t.Errorf("version %x, features %x", picosuit.Version(), picosuit.Features())
	}
	_, err = picosuit.NewProcessor(nil, nil, &picosuit.Options{Work: -1})
	if !errors.Is(err, picosuit.ErrArg) {
		t.Errorf("work of -1: %v", err)
	}
}

func TestNames(t *testing.T) {
	header, err := os.ReadFile("internal/raw/picosuit.h")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, line := range strings.Split(strings.ReplaceAll(string(header), "\\\n", " "), "\n") {
		var name string
		var number int
		line = strings.NewReplacer("(", " ", ")", " ").Replace(line)
		if n, _ := fmt.Sscanf(line, "#define PICOSUIT_E_%s %d", &name, &number); n == 2 {
			names++
			if got := picosuit.Code(number).String(); got != "E_"+name {
				t.Errorf("%d is %s, in the core E_%s", number, got, name)
			}
			text := picosuit.Code(number).Error()
			if !strings.HasPrefix(text, "E_"+name+": ") || len(text) < len(name)+6 {
				t.Error(text)
			}
		}
	}
	if names < 40 {
		t.Errorf("%d names in the header", names)
	}
	if picosuit.Code(-999).String() != "Code(-999)" || picosuit.Status(9).String() != "Status(9)" ||
		picosuit.Ready.String() != "Ready" {
		t.Error("names of what has none")
	}
}

func BenchmarkVerify(b *testing.B) {
	envelope, keys := load(b, "suit/plain_320.suit"), deviceKeys(b)[:1]
	b.SetBytes(int64(len(envelope)))
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := picosuit.Verify(envelope, keys); err != nil {
			b.Fatal(err)
		}
	}
}
