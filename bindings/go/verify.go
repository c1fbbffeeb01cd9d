// SPDX-License-Identifier: MIT

package picosuit

import "picosuit.example/go/internal/raw"

// Verify checks that an envelope is complete, authentic under one of the keys, and well formed, and
// says what it is. It asks no device, so rights and components are not looked at: see
// Processor.Begin.
func Verify(envelope []byte, keys []Key) (Info, error) {
	p, err := newProcessor(nil, keys, nil)
	if err != nil {
		return Info{}, err
	}
	defer p.release()
	if _, err := p.Open(envelope); err != nil {
		return Info{}, err
	}
	return p.Info()
}

// Capabilities is the SUIT_Capability_Report of what was compiled in, as CBOR.
func Capabilities() ([]byte, error) {
	b, st := fill(512, raw.Bind_capabilities)
	if st < 0 {
		return nil, refusal(Code(st), "")
	}
	return b, nil
}

// Version of the core: major, minor, patch, 8 bits each.
func Version() uint32 { return raw.Bind_version() }

// Features that were compiled in, as bits: 0 ENCRYPTION 1 MAC 2 SEVERED 3 INTEGRATED 4 SLOTS 5 SWAP
// 6 REPORT 7 BOOT 8 STRINGS.
func Features() uint32 { return raw.Bind_features() }
