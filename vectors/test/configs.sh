#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds and runs the tests of the core in many configurations, two at a time (JOBS=n). Splits are
# sampled (TEST_QUICK): plain test-core tries them all.
# usage: configs.sh [name or group...]   groups: lang switch san; default lang switch
# The last line is `configs: N passed, N failed`; skips are named, and failures under CI.
set -u
cd "$(dirname "$0")/../.." || exit 2
DIR=${O:-build}/cfg
JOBS=${JOBS:-2}
switches="ENCRYPTION MAC SEVERED INTEGRATED SLOTS SWAP REPORT BOOT STRINGS"

table() { # group, name, compiler to try, make variables
    cxx="-x c++ -std=c++17 -fno-exceptions -Wno-deprecated"
    rolled="-DPICOSUIT_FIELD_32=1 -DPICOSUIT_FIELD_UNROLLED=0"
    e=-DPICOSUIT_ED25519_EXPANDED=1 x="ed25519 expanded expanded_envelope"
    cat <<END
lang|gcc-c99|gcc|CC=gcc CSTD=-std=c99 CFLAGS=-O3
lang|gcc-c11|gcc|CC=gcc CSTD=-std=c11 CFLAGS=-Os
lang|gcc-cxx17|g++ $cxx|CC=gcc CFLAGS=-O1 "COMPILE_CORE=g++ $cxx"
lang|clang-c99|clang|CC=clang CSTD=-std=c99 CFLAGS=-O2
lang|clang-c11|clang|CC=clang CSTD=-std=c11 CFLAGS=-Os
lang|clang-cxx17|clang++ $cxx|CC=clang CFLAGS=-O1 "COMPILE_CORE=clang++ $cxx"
lang|m32|gcc -m32|CC="gcc -m32" CFLAGS="-O2 -DPICOSUIT_ED25519_HALVES=1"
lang|expanded|clang|CC=clang SUITES="$x" CFLAGS="-O2 $e"
lang|expanded-cxx17|g++ $cxx|CC=gcc SUITES="$x" CFLAGS="-O1 $e" "COMPILE_CORE=g++ $cxx"
lang|expanded-m32|gcc -m32|CC="gcc -m32" SUITES="$x" CFLAGS="-O2 $e"
lang|small|gcc|CC=gcc CFLAGS="-O1 -DPICOSUIT_AES_SLICED=0 -DPICOSUIT_ED25519_HALVES=0"
lang|field-32|gcc|CC=gcc SUITES="aead field sha2" CFLAGS="-O2 -DPICOSUIT_FIELD_32=1"
lang|rolled|gcc|CC=gcc SUITES="field ed25519 kdf" CFLAGS="-O2 $rolled"
END
    none="" all=""
    for s in $switches; do
        v=0
        [ "$s" = SWAP ] && v=1
        echo "switch|flip-$s|gcc|CC=gcc CFLAGS=-O1 CPPFLAGS=-DPICOSUIT_WITH_$s=$v"
        none="$none -DPICOSUIT_WITH_$s=0" all="$all -DPICOSUIT_WITH_$s=1"
    done
    a="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -fsanitize="
    au=${a}address,undefined
    s='TEST_ENV="TEST_SANITIZED=1 TEST_QUICK=1"'
    cat <<END
switch|all-off|gcc|CC=gcc CFLAGS=-O1 "CPPFLAGS=$none"
switch|all-on|gcc|CC=gcc CFLAGS=-O1 "CPPFLAGS=$all"
san|asan-gcc|gcc -fsanitize=address,undefined|CC=gcc "CFLAGS=$au" $s
san|asan-clang|clang -fsanitize=address,undefined|CC=clang "CFLAGS=$au $e" $s
san|msan-clang|clang -fsanitize=memory|CC=clang "CFLAGS=${a}memory $e" $s
san|asan-m32|gcc -m32 -fsanitize=address,undefined|CC="gcc -m32" "CFLAGS=$au $e" $s
END
}

one() { # one line of the table
    IFS='|' read -r _ name try vars <<<"$1"
    log=$DIR/$name.log
    mkdir -p "$DIR/$name"
    echo 'int main(void) { return 0; }' >"$DIR/$name/try.c"
    # shellcheck disable=SC2086
    if ! $try -o "$DIR/$name/try" "$DIR/$name/try.c" >"$log" 2>&1; then
        verdict=SKIP
        [ -z "${CI:-}" ] || verdict=FAIL
        echo "$verdict $name: cannot run '$try', see make setup"
        return
    fi
    from=$SECONDS
    vars="TEST_ENV=TEST_QUICK=1 O=$DIR/$name $vars"
    if eval "make -s --no-print-directory test-core $vars" >"$log" 2>&1 &&
        ! grep -q 'warning:' "$log"; then
        echo "PASS $name ($((SECONDS - from)) s): $(tail -n 1 "$log")"
    else
        echo "FAIL $name ($((SECONDS - from)) s), last lines of $log:"
        grep -v '^make' "$log" | tail -n 15 | sed 's/^/    /'
    fi
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit
fi
[ $# -gt 0 ] || set -- lang switch
mkdir -p "$DIR"
unset MAKEFLAGS MAKELEVEL MFLAGS
wanted=" $* "
table | while IFS='|' read -r group name rest; do
    case "$wanted" in
    *" $group "* | *" $name "*) printf '%s|%s|%s\0' "$group" "$name" "$rest" ;;
    esac
done | xargs -0 -n 1 -P "$JOBS" "$0" --one | tee "$DIR/summary.txt"
count() { grep -c "^$1" "$DIR/summary.txt"; }
[ "$(count SKIP)" = 0 ] || echo "$(count SKIP) skipped"
echo "configs: $(count PASS) passed, $(count FAIL) failed"
[ "$(count FAIL)" = 0 ] && [ "$(count PASS)" -gt 0 ]
