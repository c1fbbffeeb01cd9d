#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documents are tested, too. In README.md and docs/*.md:
#   - a C block whose first line is `/* name.c ... */` is compiled against core/ (and with the
#     slots of bench/m0, if it includes them); blocks with the same name make one file; a file
#     with main() is linked and run as the console blocks say
#   - in a console block, each line `$ ./name ...` is run and must print what follows it
#   - a relative link leads to a file; `make target` names a target of the Makefile; `test_name` and
#     `refuse_name` name a test (names with ... or other signs are not looked at)
# The last line counts. usage: vectors/test/readme.sh (CC and O as for make)
set -u
cd "$(dirname "$0")/../.." || exit 2
O=${O:-build}
dir=$O/readme
checks=0 failed=0
read -ra cc <<<"${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Wshadow -Werror -O2 -Icore -Ibench/m0"
documents=(README.md docs/*.md)

# check WHAT COMMAND...: counts, and says what failed
check() {
    local what=$1
    shift
    checks=$((checks + 1))
    if ! "$@"; then
        failed=$((failed + 1))
        echo "FAIL readme: $what"
    fi
}

same() { diff "$1" "$2"; }
is_target() { grep -q "^$1:\|^\.PHONY:.* $1\( \|$\)" Makefile; }

# A refusal of the index, a record that test_receive runs, a row of test_commands, a literal, or
# a function or file of the Python tests.
is_test() {
    grep -qs "^name = $1\$" vectors/refuse/index.txt && return
    grep -qs "^name = ${1#test_receive_}\$" vectors/suit/index.txt && return
    grep -qs "{\"${1#test_commands_}\"" vectors/test/*.c && return
    grep -qs "\"$1\"" vectors/test/*.c && return
    grep -qs "^def $1(" bindings/python/tests/*.py && return
    [ -f "bindings/python/tests/$1.py" ]
}

rm -rf "$dir"
mkdir -p "$dir"
awk -v dir="$dir" '
    FNR == 1 { name = ""; is_c = 0; is_console = 0 }
    /^```/ { if (is_c || is_console) { is_c = 0; is_console = 0 }
             else { is_c = /^```c$/; is_console = /^```console$/ }
             name = ""; out = ""; next }
    is_c && name == "" { name = "-"
        if ($0 ~ /^\/\* [a-z_]+\.c/) { sub(/,.*/, "", $2); name = dir "/" $2 } }
    is_c && name != "-" { print >>name }
    is_console && /^\$ / { out = ""
        if ($2 ~ /^\.\//) { out = dir "/" ++n ".want"; print substr($0, 3) >(dir "/" n ".run")
                            printf "" >out }
        next }
    is_console && out != "" { print >>out }
' "${documents[@]}"

for source in "$dir"/*.c; do
    program=${source%.c}
    parts=(core/picosuit.c)
    grep -q '"device_slots.h"' "$source" && parts+=(bench/m0/device_slots.c)
    if grep -q '^int main(' "$source"; then
        check "$source" "${cc[@]}" -o "$program" "$source" "${parts[@]}"
    else
        check "$source" "${cc[@]}" -c -o "$program.o" "$source"
    fi
done
check "README.md holds example.c" test -f "$dir/example.o"
check "example.c is shorter than 40 lines" test "$(grep -c '' "$dir/example.c")" -lt 40
check "README.md has at most 200 lines" test "$(grep -c '' README.md)" -le 200

for run in "$dir"/*.run; do
    [ -f "$run" ] || continue
    sed "s|^\./|$dir/|" "$run" >"$run.sh"
    bash "$run.sh" >"${run%.run}.got" 2>&1
    check "output of: $(cat "$run")" same "${run%.run}.want" "${run%.run}.got"
done

for document in "${documents[@]}" docs/changes/*.md; do
    while read -r link; do
        check "$document: link to $link" test -e "$(dirname "$document")/$link"
    done < <(grep -so '](\([^)#:]*\)[)#]' "$document" | sed 's/^](//; s/[)#]$//' | sort -u | grep .)
    while read -r target; do
        check "$document: make $target" is_target "$target"
    done < <(grep -so '`make [a-z0-9-]*' "$document" | sed 's/.* //' | sort -u | grep .)
    case $document in */conformance.md) continue ;; esac # conformance.py does
    while read -r name; do
        check "$document: test $name" is_test "$name"
    done < <(grep -so "\`\(test\|refuse\)_[a-z0-9_]*\`" "$document" | tr -d '`' | sort -u | grep .)
done
echo "readme: $checks checks, $failed failed"
[ "$failed" = 0 ]
