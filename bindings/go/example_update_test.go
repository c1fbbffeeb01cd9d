// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"os"

	"picosuit.example/go"
)

// disk is a device with one component, whose content is kept in memory.
type disk struct {
	image []byte // complete
	open  []byte // between Begin and End
}

// Found at compile time: a method with a wrong signature would count as missing.
var (
	_ picosuit.Device  = (*disk)(nil)
	_ picosuit.Storage = (*disk)(nil)
	_ picosuit.Writer  = (*disk)(nil)
)

func (d *disk) Component(signer uint16, id []byte) (uint8, picosuit.Kind, bool, error) {
	return 0, picosuit.Stored, bytes.Equal(id, []byte{0x81, 0x41, 0x00}), nil // [h'00']
}

func (d *disk) Identity(_ uint8, what picosuit.Identifier, n int) (id [16]byte, ok bool,
	err error) {
	text := map[picosuit.Identifier]string{
		picosuit.VendorID: "fa6b4a53d5ad5fdfbe9de663e4d41ffe",
		picosuit.ClassID:  "1492af1425695e48bf429b2d51f2ab45",
	}[what]
	if text == "" || n > 0 {
		return id, false, nil
	}
	_, err = hex.Decode(id[:], []byte(text))
	return id, err == nil, err
}

func (d *disk) Sequence() (floor uint64, digest [32]byte, ok bool, err error) {
	return 0, digest, false, nil // nothing was ever confirmed
}

func (d *disk) Size(uint8) (stored, capacity uint32, err error) {
	return uint32(len(d.image)), 8192, nil
}

func (d *disk) Read(_ uint8, off uint32, buf []byte) error {
	copy(buf, d.image[off:])
	return nil
}

func (d *disk) Begin(_ uint8, size uint32, id [32]byte) (have uint32, err error) {
	d.image, d.open = nil, nil
	return 0, nil // nothing is there from an earlier attempt
}

func (d *disk) Write(_ uint8, off uint32, data []byte) error {
	d.open = append(d.open, data...) // data is valid during the call only
	return nil
}

func (d *disk) End(_ uint8, good bool) error {
	if good {
		d.image = d.open
	}
	return nil
}

func ExampleProcessor_Process() {
	public, err := hex.DecodeString(rootKey)
	if err != nil {
		log.Fatal(err)
	}
	device := &disk{}
	keys := []picosuit.Key{{Key: public, Alg: picosuit.Ed25519, Rights: picosuit.RightUpdate}}
	p, err := picosuit.NewProcessor(device, keys, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	envelope, err := os.Open("../../vectors/suit/fetch_uri.suit") // any io.Reader
	if err != nil {
		log.Fatal(err)
	}
	defer envelope.Close()
	source := func(uri string, offset uint32) (io.ReadCloser, error) {
		fmt.Println("fetching", uri)
		f, err := os.Open("../../vectors/suit/data/firmware.bin") // http.Get in real life
		if err == nil {
			_, err = f.Seek(int64(offset), io.SeekStart)
		}
		return f, err
	}
	if err := p.Process(context.Background(), picosuit.Update, envelope, source); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(device.image), "bytes stored")
	// Output:
	// fetching http://example.com/file.bin
	// 1000 bytes stored
}
