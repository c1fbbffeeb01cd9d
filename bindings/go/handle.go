// SPDX-License-Identifier: MIT

package picosuit

import (
	"errors"
	"runtime"
	"sync/atomic"
)

// handle is something of C: one goroutine at a time uses it, and it is freed once. It is an object
// of its own so that its finalizer runs when a Device refers to the Processor that asks it: a cycle
// with a finalizer in it would never be freed.
type handle struct {
	busy atomic.Int32
	at   uintptr // 0: it was freed
	free func(uintptr)
	name string
}

var errMemory = errors.New("picosuit: out of memory")

func newHandle(at uintptr, name string, free func(uintptr)) *handle {
	return &handle{at: at, name: name, free: free}
}

// finalized is for a handle that leaves this package, where Close may be forgotten.
func (h *handle) finalized() { runtime.SetFinalizer(h, (*handle).release) }

func (h *handle) release() {
	if h.at != 0 {
		h.free(h.at)
		h.at = 0
	}
}

func (h *handle) take() error {
	if h == nil {
		return refusal(ErrState, "not made by its New function")
	}
	if !h.busy.CompareAndSwap(0, 1) {
		return refusal(ErrState, "the "+h.name+
			" is in use by another goroutine, or by the call that asks this Device")
	}
	return nil
}

// enter begins a call: nobody else is in one, and the handle was not freed.
func (h *handle) enter() error {
	if err := h.take(); err != nil {
		return err
	}
	if h.at == 0 {
		h.leave()
		return refusal(ErrState, "the "+h.name+" was closed")
	}
	return nil
}

func (h *handle) leave() { h.busy.Store(0) }

// Close gives the memory of C back. Later calls are refused, but Close may be repeated. Storage
// stays as a power cut would leave it.
func (h *handle) Close() error {
	if err := h.take(); err != nil {
		return err
	}
	defer h.leave()
	h.release()
	runtime.SetFinalizer(h, nil)
	return nil
}

// handles are entered and left together.
type handles []*handle

func (all handles) enter() error {
	for i, h := range all {
		if err := h.enter(); err != nil {
			all[:i].leave()
			return err
		}
	}
	return nil
}

func (all handles) leave() {
	for _, h := range all {
		h.leave()
	}
}
