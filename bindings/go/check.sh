#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All checks of the Go module, one line each (`make go`). Nothing is downloaded. What needs a tool
# that is not there is skipped by name; with CI set that is a failure. usage: check.sh
set -u
cd "$(dirname "$0")" || exit 2
module=picosuit.example/go
old=${GO119:-/usr/lib/go-1.19/bin/go} # Debian's; the oldest that go.mod allows
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT
export GOFLAGS=-buildvcs=false GOPROXY=off GOSUMDB=off GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=1
passed=0 failed=0 skipped=0

# step NAME COMMAND...: runs it, shows what it says if it fails
step() {
    local name=$1 from=$SECONDS
    shift
    if ("$@") >"$out/log" 2>&1; then
        passed=$((passed + 1))
        echo "go: PASS $name ($((SECONDS - from)) s)"
    else
        failed=$((failed + 1))
        sed 's/^/    /' "$out/log" | tail -40
        echo "go: FAIL $name: $*"
    fi
}

# skip NAME REASON
skip() {
    if [ -n "${CI:-}" ]; then
        failed=$((failed + 1))
        echo "go: FAIL $1: $2 (skips are failures under CI)"
    else
        skipped=$((skipped + 1))
        echo "go: SKIP $1: $2"
    fi
}

formatted() {
    local files
    files=$(gofmt -l ./*.go internal/raw/flags.go internal/raw/nocgo.go internal/bench) || return
    [ -z "$files" ] || { echo "not formatted: $files"; return 1; }
}

# The C files and the licence are copies, because a Go module has all that it needs in its folder.
copies() {
    local raw=internal/raw
    cmp ../../core/picosuit.c $raw/picosuit.c && cmp ../../core/picosuit.h $raw/picosuit.h &&
        cmp ../shim.c $raw/shim.c && cmp ../shim.h $raw/shim.h && cmp ../../LICENSE LICENSE
}

# Without cgo the compiler's message says what to do.
without_cgo() {
    CGO_ENABLED=0 go build . >"$out/nocgo" 2>&1
    cat "$out/nocgo"
    grep -q 'picosuit_needs_cgo__set_CGO_ENABLED_1_and_install_a_C_compiler' "$out/nocgo"
}

# consumer FOLDER: a program of somebody else, which verifies the file that it is given
consumer() {
    mkdir -p "$1"
    cat >"$1/main.go" <<'EOF'
package main

import (
	"encoding/hex"
	"fmt"
	"os"

	"picosuit.example/go"
)

func main() {
	envelope, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	key, err := hex.DecodeString("3d097e535923685b39994f5f3204a551fd3a4df6b23e2762805ef9c990a12f6e")
	if err != nil {
		panic(err)
	}
	info, err := picosuit.Verify(envelope, []picosuit.Key{{Key: key, Alg: picosuit.Ed25519}})
	fmt.Println(info.Sequence, err)
}
EOF
    (cd "$1" && go mod init consumer.example/app)
}

# The program of a consumer, built from what its folder says, accepts an envelope.
runs() {
    (cd "$1" && go build -o app . && rm -rf "$2") || return
    [ "$("$1/app" "$PWD/../../vectors/suit/fetch_uri.suit")" = "1 <nil>" ]
}

# A consumer that has the module in vendor/: built when the module itself is no longer there.
vendored() {
    local app=$out/vendored copy=$out/copy
    mkdir -p "$copy" && cp -r . "$copy" && consumer "$app" || return
    (cd "$app" && go mod edit -require "$module@v0.0.0" -replace "$module=$copy" &&
        go mod vendor && ls "vendor/$module/internal/raw/picosuit.c") || return
    rm -rf "$copy"
    export GOFLAGS="$GOFLAGS -mod=vendor"
    runs "$app" "$copy"
}

# A consumer that gets the module from a proxy, into an empty module cache.
fetched() {
    local app=$out/fetched proxy=$out/proxy version=v0.1.0
    local at=$proxy/$module/@v
    mkdir -p "$at" && consumer "$app" || return
    echo "$version" >"$at/list"
    echo "{\"Version\": \"$version\"}" >"$at/$version.info"
    cp go.mod "$at/$version.mod"
    python3 - "$at/$version.zip" "$module@$version" <<'EOF' || return
import subprocess, sys, zipfile
files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "."], check=True,
                       capture_output=True, text=True).stdout.split()
with zipfile.ZipFile(sys.argv[1], "w") as archive:
    for name in sorted(files):
        archive.write(name, f"{sys.argv[2]}/{name}")
EOF
    export GOPROXY=file://$proxy GOMODCACHE=$out/cache GOFLAGS="$GOFLAGS -modcacherw"
    (cd "$app" && go get "$module@$version" && go mod verify) && runs "$app" "$proxy"
}

can_race() { go env GOARCH | grep -q 'amd64\|arm64\|ppc64le\|s390x'; }
can_m32() {
    echo 'int main(void) { return 0; }' >"$out/m32.c"
    ${CC:-cc} -m32 -o "$out/m32" "$out/m32.c" 2>/dev/null && "$out/m32"
}
can_asan() {
    can_race && echo 'int main(void) { return 0; }' >"$out/asan.c" &&
        ${CC:-cc} -fsanitize=address -o "$out/asan" "$out/asan.c" 2>/dev/null && "$out/asan"
}
raced() { go test -count=1 -short -race .; }

# C's memory, its leaks included: every call of the shim is made by these tests.
sanitized() { go test -count=1 -short -asan -run 'Vectors|Boot|Process|Verif|Arguments' .; }

# cgo's strictest check of pointers: until Go 1.20 a setting, then a build of its own.
checked() {
    if GOEXPERIMENT=cgocheck2 go version >/dev/null 2>&1; then
        export GOEXPERIMENT=cgocheck2 GODEBUG=cgocheck=1
    else
        export GODEBUG=cgocheck=2
    fi
    go test -count=1 -short .
}

narrow() { GOARCH=386 go test -count=1 .; }

oldest() {
    export PATH="${old%/*}:$PATH"
    go version && checked
}

if ! command -v go >/dev/null; then
    skip go "needs go, see make setup"
else
    step format formatted
    step copies copies
    step vet go vet ./...
    step test go test -count=1 .
    if can_race; then step race raced; else skip race "not on this machine"; fi
    step cgocheck checked
    if can_asan; then step asan sanitized; else skip asan "needs libasan"; fi
    if can_m32; then step 386 narrow; else skip 386 "needs gcc-multilib"; fi
    if [ -x "$old" ]; then step go1.19 oldest; else skip go1.19 "needs golang-1.19-go"; fi
    step nocgo without_cgo
    step vendor vendored
    if command -v python3 >/dev/null; then step proxy fetched; else skip proxy "needs python3"; fi
fi
[ "$skipped" = 0 ] || echo "go: $skipped skipped"
echo "go: $passed passed, $failed failed"
[ "$failed" = 0 ]
