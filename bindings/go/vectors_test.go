// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	"picosuit.example/go"
)

// counts holds how many records of each vector file were run. With COUNTS=file they are written
// there, one line "suit/index.txt 232" for each file, so that C, Python and Go can be compared.
var counts = struct {
	sync.Mutex
	of map[string]int
}{of: map[string]int{}}

func TestMain(m *testing.M) {
	status := m.Run()
	if file := os.Getenv("COUNTS"); file != "" && testing.Short() {
		fmt.Fprintln(os.Stderr, "COUNTS: not with -short, which leaves records out")
		status = 2
	} else if file != "" {
		var lines []string
		for name, n := range counts.of {
			lines = append(lines, fmt.Sprintf("%s %d\n", name, n))
		}
		sort.Strings(lines)
		if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o666); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// vectors is the folder of the vectors; another one with VECTORS=folder.
func vectors(name string) string {
	root := os.Getenv("VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "vectors")
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(vectors(name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// record is one record of a text file: lines "key = value".
type record map[string]string

// records reads a file of records and counts them as run: its caller runs them all.
func records(t testing.TB, name string) []record {
	t.Helper()
	all := read(t, name)
	counts.Lock()
	counts.of[name] = len(all)
	counts.Unlock()
	return all
}

func read(t testing.TB, name string) []record {
	t.Helper()
	var all []record
	var one record
	lines := bufio.NewScanner(bytes.NewReader(load(t, name)))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "":
			one = nil
		case line[0] == '#':
		default:
			eq := strings.IndexByte(line, '=')
			if eq < 0 {
				t.Fatalf("%s:%d: no '=' in %q", name, n, line)
			}
			if one == nil {
				one = record{}
				all = append(all, one)
			}
			one[strings.TrimSpace(line[:eq])] = strings.TrimSpace(line[eq+1:])
		}
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d records, %v", name, len(all), err)
	}
	return all
}

func (r record) has(key string) bool { _, ok := r[key]; return ok }

func (r record) hex(t testing.TB, key string) []byte {
	t.Helper()
	value, ok := r[key]
	data, err := hex.DecodeString(value)
	if !ok || err != nil {
		t.Fatalf("%s: %s = %q is not hexadecimal", r["name"], key, value)
	}
	return data
}

// number is an integer, or what is meant when the record has none.
func (r record) number(t testing.TB, key string, otherwise int64) int64 {
	t.Helper()
	value, ok := r[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(value, 0, 64)
	if err != nil {
		t.Fatalf("%s: %s: %v", r["name"], key, err)
	}
	return n
}

// unsigned is a number of up to 64 bits.
func (r record) unsigned(t testing.TB, key string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(r[key], 10, 64)
	if err != nil {
		t.Fatalf("%s: %s: %v", r["name"], key, err)
	}
	return n
}

// codeOf finds the code that a record names; "ok" is 0.
func codeOf(t testing.TB, name string) picosuit.Code {
	t.Helper()
	if name == "ok" {
		return 0
	}
	for code := picosuit.Code(-1); code > -100; code-- {
		if code.String() == name {
			return code
		}
	}
	t.Fatalf("no code %s", name)
	return 0
}

// testKeys are the keys of vectors/keys.txt that are on the device, in its order.
var testKeys = struct {
	once sync.Once
	keys []picosuit.Key
}{}

func deviceKeys(t testing.TB) []picosuit.Key {
	t.Helper()
	testKeys.once.Do(func() {
		for _, r := range read(t, "keys.txt") {
			if r.has("id") {
				testKeys.keys = append(testKeys.keys, keyOf(t, r))
			}
		}
	})
	return testKeys.keys
}

func keyOf(t testing.TB, r record) picosuit.Key {
	t.Helper()
	key := picosuit.Key{
		Alg:    picosuit.Algorithm(r.number(t, "alg", 0)),
		Rights: picosuit.Rights(r.number(t, "rights", 0)),
		ID:     uint16(r.number(t, "id", 0)),
	}
	part := "public"
	if r.has("key") {
		part = "key"
	} else if key.Alg == picosuit.ECDHESA128KW {
		part = "private"
	}
	key.Key = r.hex(t, part)
	if r.has("kid") {
		key.KID = []byte(strings.Trim(r["kid"], "'"))
	}
	return key
}

func keyNamed(t testing.TB, name string) picosuit.Key {
	t.Helper()
	for _, r := range read(t, "keys.txt") {
		if r["name"] == name {
			return keyOf(t, r)
		}
	}
	t.Fatalf("no key %s", name)
	return picosuit.Key{}
}
