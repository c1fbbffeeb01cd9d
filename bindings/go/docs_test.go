// SPDX-License-Identifier: MIT

package picosuit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each Go block of docs/go.md stands in an example, which is compiled and run.
func TestDocument(t *testing.T) {
	document, err := os.ReadFile("../../docs/go.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("example*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	examples := `import "picosuit.example/go" // package picosuit` + "\n"
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples += string(text)
	}
	blocks := strings.Split(string(document), "\n```go\n")[1:]
	for i, block := range blocks {
		code := block[:strings.Index(block, "```")]
		if !strings.Contains(examples, code) {
			t.Errorf("block %d of docs/go.md is in no example:\n%s", i+1, code)
		}
	}
	if len(blocks) < 8 {
		t.Errorf("%d blocks", len(blocks))
	}
}
