// SPDX-License-Identifier: MIT

package picosuit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Source opens the payload of a URI from an offset on. The error, or one of Read before io.EOF,
// says that the payload cannot be got: ErrFetch, with the error inside. A source that is to outlive
// a lost connection opens it again by itself.
type Source func(uri string, offset uint32) (io.ReadCloser, error)

// pause is how long Process waits before it asks a device again that was not ready.
const pause = time.Millisecond

// Process takes one envelope, read from its first byte to io.EOF, through a procedure. p is new, or
// was Reset. source may be nil if no payload comes from a URI. Payloads in the envelope that are
// wanted in another order than they stand in it are found only if envelope is an io.Seeker.
//
// ctx is looked at between calls. When it ends, when the envelope cannot be read, or when the
// Device panics, p stays where it is: go on with its other methods, or Reset it.
func (p *Processor) Process(ctx context.Context, procedure Procedure, envelope io.Reader,
	source Source) error {
	f := flow{ctx: ctx, p: p, envelope: envelope, source: source,
		begin: func() (Status, error) { return p.Begin(procedure) }}
	return f.run()
}

// flow is a Process under way.
type flow struct {
	ctx      context.Context
	p        *Processor
	envelope io.Reader
	source   Source
	begin    func() (Status, error)
	buf      [4096]byte
	rest     []byte // of buf, not yet taken
	ended    bool   // the envelope was read to its end
	whole    bool   // and FeedEnd said that this is all of it
}

func (f *flow) run() error {
	st, err := More, error(nil)
	for err == nil && (st != OK || !f.whole) {
		switch st {
		case More, OK: // OK: what follows must still be an envelope
			st, err = f.feed()
		case Ready: // what follows must be payloads, before anything is done
			if st, err = f.feed(); err == nil && st == Ready {
				if st, err = f.until(f.begin); err == nil {
					st, err = f.until(f.p.Run)
				}
			}
		case Fetch:
			st, err = f.fetch()
		default:
			return refusal(ErrState, fmt.Sprintf("status %v", st))
		}
	}
	return err
}

// until repeats a call while the device is not ready.
func (f *flow) until(call func() (Status, error)) (Status, error) {
	for {
		if err := f.ctx.Err(); err != nil {
			return 0, err
		}
		st, err := call()
		if err != nil || st != Again {
			return st, err
		}
		select {
		case <-f.ctx.Done():
		case <-time.After(pause):
		}
	}
}

// give is until for bytes; it says what is left of them.
func (f *flow) give(data []byte, call func([]byte) (Status, int, error)) ([]byte, Status, error) {
	st, err := f.until(func() (Status, error) {
		st, used, err := call(data)
		data = data[used:]
		return st, err
	})
	return data, st, err
}

// feed gives the next bytes of the envelope, or says that there are no more.
func (f *flow) feed() (Status, error) {
	if len(f.rest) == 0 && !f.ended {
		n, err := f.envelope.Read(f.buf[:])
		f.rest = f.buf[:n]
		f.ended = errors.Is(err, io.EOF)
		if err != nil && !f.ended {
			return 0, fmt.Errorf("picosuit: reading the envelope: %w", err)
		}
	}
	if len(f.rest) == 0 && f.ended {
		st, err := f.until(f.p.FeedEnd)
		f.whole = err == nil
		return st, err
	}
	rest, st, err := f.give(f.rest, f.p.Feed)
	f.rest = rest
	return st, err
}

// fetch gives the payload that is wanted.
func (f *flow) fetch() (Status, error) {
	want, err := f.p.Fetch()
	if err != nil {
		return 0, err
	}
	if want.Where == InEnvelope {
		return f.feed()
	}
	body, err := f.open(want)
	if err != nil {
		if again, st, err := f.rewind(want); again {
			return st, err
		}
		return f.lost(err)
	}
	defer body.Close()
	buf := make([]byte, 4096)
	for f.ctx.Err() == nil { // also while nothing is read
		n, err := body.Read(buf)
		if n > 0 {
			if _, st, err := f.give(buf[:n], f.p.Payload); err != nil || st != More {
				return st, err
			}
		}
		if errors.Is(err, io.EOF) {
			return f.until(func() (Status, error) { return f.p.PayloadEnd(true) })
		}
		if err != nil {
			return f.lost(err)
		}
	}
	return 0, f.ctx.Err()
}

func (f *flow) open(want Request) (io.ReadCloser, error) {
	if f.source == nil {
		return nil, fmt.Errorf("no source for %q", want.URI)
	}
	return f.source(want.URI, want.Offset)
}

// rewind sends the envelope again, if that can help; after that the core says no more that it can.
func (f *flow) rewind(want Request) (bool, Status, error) {
	seeker, ok := f.envelope.(io.Seeker)
	if !ok || want.Passed == 0 {
		return false, 0, nil
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return true, 0, fmt.Errorf("picosuit: seeking in the envelope: %w", err)
	}
	if err := f.p.Rewind(); err != nil {
		return true, 0, err
	}
	f.rest, f.ended, f.whole = nil, false, false
	return true, More, nil
}

// lost says that a payload cannot be got, and keeps why.
func (f *flow) lost(cause error) (Status, error) {
	return f.until(func() (Status, error) {
		if err := f.p.blame(cause); err != nil {
			return 0, err
		}
		return f.p.PayloadEnd(false)
	})
}

// blame keeps the reason of a failure that is to come.
func (p *Processor) blame(cause error) error {
	if err := p.enter(); err != nil {
		return err
	}
	defer p.leave()
	p.keep(cause)
	return nil
}
