# SPDX-License-Identifier: MIT
# Sourced by .ci/test and .ci/run: named steps, counted. A skip is a failure when CI is set.
passed=0 failed=0 skipped=0
export O="${O:-build}"
mkdir -p "$O"

# step NAME COMMAND...: runs, prints PASS or FAIL with the time taken
step() {
    local name=$1 from=$SECONDS
    shift
    echo "== $name: $*"
    if "$@"; then
        passed=$((passed + 1))
        echo "PASS $name ($((SECONDS - from)) s)"
    else
        failed=$((failed + 1))
        echo "FAIL $name ($((SECONDS - from)) s)"
    fi
}

# skip NAME REASON
skip() {
    if [ -n "${CI:-}" ]; then
        failed=$((failed + 1))
        echo "FAIL $1: $2 (skips are failures under CI)"
    else
        skipped=$((skipped + 1))
        echo "SKIP $1: $2"
    fi
}

# step_if NAME "tool..." COMMAND...: a step that needs programs
step_if() {
    local name=$1 tool missing=
    for tool in $2; do
        command -v "$tool" >/dev/null || [ -e "$tool" ] || missing="$missing $tool"
    done
    shift 2
    if [ -n "$missing" ]; then
        skip "$name" "needs$missing, see make setup"
    else
        step "$name" "$@"
    fi
}

# finish: the closing line and the exit status
finish() {
    [ "$skipped" = 0 ] || echo "$skipped skipped"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
    exit
}
