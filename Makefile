# SPDX-License-Identifier: MIT
# picosuit: `make help` lists the targets. Output goes to build/.
#
# Variables are for the command line (make CC=clang CFLAGS=-Os test-core); none is forced.

O ?= build
CC ?= cc
CLANG ?= clang
CLANG_FORMAT ?= clang-format
CROSS ?= arm-none-eabi-
QEMU ?= qemu-system-arm
PYTHON ?= python3
CSTD ?= -std=c99
CFLAGS ?= -O2 -g
WARN ?= -pedantic -Wall -Wextra -Wshadow
SUITES ?=
FUZZ_SECONDS ?= 60

CORE = core/picosuit.h core/picosuit.c
VENV = $(O)/venv/bin/python

.PHONY: help all setup test check test-core test-m0 m0-twins test-drafts test-vectors \
	test-docs configs \
	san demo power power-doc lint ct format size stack sizes sizes-check work cycles fuzz \
	bench-doc bench-doc-check fuzz-smoke targets targets-check targets-update dist clean FORCE

all: $(O)/libpicosuit.a ## the library, for this machine

$(O)/libpicosuit.a: $(CORE)
	@mkdir -p $(O)
	$(CC) $(CSTD) $(WARN) $(CFLAGS) $(CPPFLAGS) -Icore -c -o $(O)/picosuit.o core/picosuit.c
	$(AR) rcs $@ $(O)/picosuit.o

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1|/p' Makefile bench/m0/device.mk | \
		while IFS='|' read -r name what; do printf '%-15s %s\n' "$$name" "$$what"; done

setup: ## install the Debian and Python packages that other targets use
	@O=$(O) PYTHON=$(PYTHON) .ci/setup

test: ## everything below down to demo, with setup first
	@O=$(O) .ci/test

check: test ## the same

# -- tests of the core ---------------------------------------------------------------------------

# Test files that need more than a C compiler have targets of their own.
HOST_TESTS = vectors/test/test_drafts.c
TESTS ?= $(filter-out $(HOST_TESTS),$(wildcard vectors/test/test_*.c))
WHITE = $(shell sed -n 's/^.include "\(test_[a-z0-9_]*\.c\)"/\1/p' vectors/test/white.c)
BLACK = $(filter-out $(addprefix vectors/test/,$(WHITE)),$(TESTS)) \
	vectors/test/main.c vectors/test/guard.c $(wildcard vectors/test/simdev.c vectors/test/bootdev.c)
T = $(O)/test
TEST_WARN = $(WARN) -Wno-missing-field-initializers
# Compiles white.c, and with it the core: C++ in some configurations.
COMPILE_CORE ?= $(CC) $(CSTD)
TEST_CPPFLAGS = -Icore -Ivectors/test -I$(T) -DPICOSUIT_EXPOSE_PRIMITIVES=1 $(CPPFLAGS)
TEST_OBJECTS = $(BLACK:vectors/test/%.c=$(T)/%.o) $(T)/white.o

test-core: $(T)/all ## tests of the core; SUITES="sha2 aead" runs these only
	@$(TEST_ENV) $(T)/all $(SUITES)

.PHONY: test-objects
test-objects: $(TEST_OBJECTS)

$(T)/all: $(TEST_OBJECTS)
	@$(CC) $(CFLAGS) -o $@ $(TEST_OBJECTS) $(LDFLAGS) $(LDLIBS)

$(T)/white.o: vectors/test/white.c $(CORE) $(T)/suites.h $(T)/flags
	@$(COMPILE_CORE) $(TEST_WARN) $(CFLAGS) $(TEST_CPPFLAGS) -MMD -MP -c -o $@ vectors/test/white.c

$(T)/%.o: vectors/test/%.c $(T)/suites.h $(T)/flags
	@$(CC) $(CSTD) $(TEST_WARN) $(CFLAGS) $(TEST_CPPFLAGS) -MMD -MP -c -o $@ $<

# The list of suites, and a record of the flags: written only when they change.
$(T)/suites.h $(T)/flags: FORCE
	@mkdir -p $(T)
	@for s in $(sort $(TESTS:vectors/test/test_%.c=%)); do \
		echo "SUITE($$s)"; done >$@.new.$$$$; \
	case $@ in *flags) echo '$(COMPILE_CORE) $(CC) $(CSTD) $(WARN) $(CFLAGS) $(TEST_CPPFLAGS)' \
		>$@.new.$$$$ ;; esac; \
	cmp -s $@ $@.new.$$$$ && rm $@.new.$$$$ || mv $@.new.$$$$ $@

-include $(wildcard $(T)/*.d)

configs: ## test-core as C99, C11, C++17, 32 bits, and with each switch flipped
	@O=$(O) vectors/test/configs.sh lang switch

san: ## test-core under ASan, UBSan and MSan, also with -m32
	@O=$(O) vectors/test/configs.sh san

test-m0: ## the same tests compiled for ARMv6-M, under QEMU
	@O=$(O) CROSS=$(CROSS) QEMU=$(QEMU) CLANG="$(CLANG)" $(PYTHON) vectors/test/m0_run.py

m0-twins: ## Ed25519 by half-size scalars against the equation itself; ED25519_TWINS=1000
	@O=$(O) CROSS=$(CROSS) QEMU=$(QEMU) $(PYTHON) vectors/test/m0_twins.py

power: ## power is cut at every flash operation of the boot state; V=1 names each run
	@O=$(O) CC="$(CC)" $(PYTHON) vectors/test/power_run.py

power-doc: ## the same, and its summary goes to docs/boot.md
	@O=$(O) CC="$(CC)" $(PYTHON) vectors/test/power_run.py --doc

# In C with every switch on that a record needs, and with the table of ed25519_base.txt.
COUNTS_CPPFLAGS = -DPICOSUIT_WITH_SWAP=1 -DPICOSUIT_ED25519_EXPANDED=1 -DPICOSUIT_ED25519_HALVES=1
COUNTS_C = $(abspath $(O))/counts/c.txt
COUNTS_PYTHON = $(abspath $(O))/counts/python.txt
COUNTS_GO = $(abspath $(O))/counts/go.txt

.PHONY: counts
counts: python-dev ## C, Python and Go run the same records of vectors/, and all of them
	@mkdir -p $(O)/counts && rm -f $(O)/counts/*.txt
	@TEST_QUICK=16 COUNTS=$(COUNTS_C) $(MAKE) -s test-core O=$(O)/counts \
		CPPFLAGS="$(COUNTS_CPPFLAGS)"
	@COUNTS=$(COUNTS_PYTHON) PYTHONPATH=bindings/python/src $(VENV) -m pytest -q \
		bindings/python/tests/test_vectors.py
	@cd bindings/go && COUNTS=$(COUNTS_GO) go test -count=1 .
	@$(PYTHON) vectors/test/counts.py $(COUNTS_C) $(COUNTS_PYTHON) $(COUNTS_GO)

test-drafts: ## the drafts' own examples, P-256 by OpenSSL
	@$(MAKE) -s test-core O=$(O)/drafts TESTS=vectors/test/test_drafts.c LDLIBS="$(LDLIBS) -lcrypto"

test-vectors: ## the scripts of vectors/make rebuild every vector byte for byte
	@$(VENV) vectors/make/all.py --check

test-docs: ## examples, links, names and requirements in README.md and docs/
	@O=$(O) CC="$(CC)" vectors/test/readme.sh
	@$(PYTHON) vectors/test/conformance.py

include bench/m0/device.mk

demo: setup ## the reference device takes real updates under QEMU, made with the author's tool
	@$(MAKE) -s python-dev
	@O=$(O) CROSS=$(CROSS) QEMU=$(QEMU) $(VENV) bench/m0/demo.py

# -- checks of the source ------------------------------------------------------------------------

lint: ## warnings, layering, complexity, frames, names, licences
	@O=$(O) CC="$(CC)" CLANG="$(CLANG)" CROSS=$(CROSS) $(PYTHON) vectors/test/lint.py

format: ## rewrite the C files, but for the hand-set header, in the house style
	@$(CLANG_FORMAT) -i core/picosuit.c $(wildcard vectors/test/*.[ch] bench/*.c bench/m0/*.[ch] \
		bench/host/*.[ch] bench/ct/*.[ch] fuzz/*.[ch])

ct: ## constant time: object code for Cortex-M0, traces under QEMU, memcheck on the host
	@O=$(O) CC="$(CC)" CLANG="$(CLANG)" CROSS=$(CROSS) QEMU=$(QEMU) $(PYTHON) bench/ct/ct.py
	@O=$(O) CC="$(CC)" CLANG="$(CLANG)" CROSS=$(CROSS) $(PYTHON) bench/ct/valgrind.py

# -- numbers: bench/README.md --------------------------------------------------------------------

size: ## flash by section, context, externals, on Cortex-M0
	@O=$(O) CROSS=$(CROSS) $(PYTHON) bench/size.py
	@O=$(O) CROSS=$(CROSS) $(PYTHON) bench/stack.py --quiet
	@O=$(O) $(PYTHON) bench/targets.py diff

stack: ## worst stack of each public function, on Cortex-M0
	@O=$(O) CROSS=$(CROSS) $(PYTHON) bench/stack.py

sizes: ## write docs/sizes.md
	@O=$(O) CROSS=$(CROSS) $(PYTHON) bench/sizes.py

sizes-check: ## docs/sizes.md is up to date
	@O=$(O) CROSS=$(CROSS) $(PYTHON) bench/sizes.py --check

work: ## work buffer of the updates that targets.csv names
	@mkdir -p $(O)/now && rm -f $(O)/now/work.csv
	@WORK_CSV=$(O)/now/work.csv $(MAKE) -s test-core SUITES=work
	@cat $(O)/now/work.csv

cycles: ## cycles and painted stack of the primitives, on Cortex-M0 under QEMU
	@O=$(O) CC="$(CC)" CROSS=$(CROSS) QEMU=$(QEMU) $(PYTHON) bench/m0/cycles.py

.PHONY: bench bench-accept
bench: ## counts of primitives, updates and growth on Cortex-M0, against bench/counts.csv
	@$(BENCH)

bench-accept: ## the same, and what was counted is what is expected from now on
	@$(BENCH) --accept

BENCH = [ -x $(VENV) ] || { echo "bench: FAIL needs $(VENV), see make setup"; exit 1; }; \
	O=$(O) CC="$(CC)" CROSS=$(CROSS) QEMU=$(QEMU) $(VENV) bench/m0/bench.py

.PHONY: bench-host bench-host-record
bench-host: ## speed beside libsodium on this machine; ROUNDS=60
	@O=$(O) CC="$(CC)" $(PYTHON) bench/host/host.py

bench-host-record: ## the same, and bench/host/recorded.json is what was measured
	@O=$(O) CC="$(CC)" $(PYTHON) bench/host/host.py --record

bench-doc: ## write docs/performance.md and its plots from what bench measured
	@O=$(O) $(VENV) bench/performance.py

bench-doc-check: ## docs/performance.md is up to date; after bench
	@O=$(O) $(VENV) bench/performance.py --check

cost: $(PY_MODULE) ## constants of picosuit check's estimate, from bench/counts.csv
	@$(VENV) bench/cost_fit.py

cost-check: $(PY_MODULE) ## they are made from counts.csv as it is
	@$(VENV) bench/cost_fit.py --check

bench-bindings: $(PY_MODULE) ## Python, Go and the author's tool beside C, on this machine
	@O=$(O) CC="$(CC)" $(VENV) bench/bindings.py

asm-check: asm-check-sym asm-check-field ## assembly against its C twins, under QEMU

.PHONY: asm-check asm-check-sym asm-check-field
asm-check-sym:
	@O=$(O) CLANG="$(CLANG)" CROSS=$(CROSS) QEMU=$(QEMU) $(PYTHON) bench/m0/sym_check.py

asm-check-field:
	@O=$(O) CC="$(CC)" CLANG="$(CLANG)" CROSS=$(CROSS) QEMU=$(QEMU) $(PYTHON) bench/m0/asm_check.py

targets: ## demanded figures that are missed
	@O=$(O) $(PYTHON) bench/targets.py list

targets-check: ## no figure is worse than accepted
	@O=$(O) $(PYTHON) bench/targets.py check

targets-update: ## write the measured figures to bench/targets.csv
	@O=$(O) $(PYTHON) bench/targets.py update

# -- bindings ------------------------------------------------------------------------------------

PY = bindings/python
PY_MODULE = $(PY)/src/picosuit/_picosuit.abi3.so

.PHONY: bindings bindings-check python-dev python
bindings: ## generate the raw modules of Python and Go, with the pinned SWIG
	@$(VENV) bindings/generate.py

bindings-check: ## what is committed is what it generates
	@$(VENV) bindings/generate.py --check

.PHONY: go
go: ## the Go module: vectors, race, ASan, pointer checks, 386, Go 1.19, consumers; docs/go.md
	@bindings/go/check.sh

python-dev: $(PY_MODULE) ## the extension module in place: PYTHONPATH=bindings/python/src

$(PY_MODULE): $(PY)/setup.py $(PY)/src/picosuit/_picosuit_wrap.c bindings/shim.h bindings/shim.c \
		$(CORE)
	@cd $(PY) && $(abspath $(VENV)) setup.py -q build_ext --inplace
	@touch $@

python: python-dev ## tests, types, stub, lint, sdist, wheel, stable ABI, clean install
	@O=$(O) $(VENV) $(PY)/check.py $(STEPS)

# -- fuzzing -------------------------------------------------------------------------------------

FUZZ = $(patsubst fuzz/fuzz_%.c,%,$(wildcard fuzz/fuzz_*.c))
FUZZ_SEEDS = vectors/suit vectors/refuse
FUZZ_CFLAGS = -std=c99 -O1 -g -Icore -Ifuzz -Ivectors/test -fno-sanitize-recover=all

fuzz: ## libFuzzer with ASan and UBSan: FUZZ_SECONDS=60 for each target
	@mkdir -p $(O)/fuzz
	@for t in $(FUZZ); do mkdir -p $(O)/fuzz/corpus/$$t && \
		$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $(O)/fuzz/$$t \
			fuzz/fuzz_$$t.c core/picosuit.c && \
		$(O)/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-dict=fuzz/suit.dict -artifact_prefix=$(O)/fuzz/ \
			$(O)/fuzz/corpus/$$t $(FUZZ_SEEDS) || exit 1; done

fuzz-smoke: ## the stand-alone driver, any compiler: FUZZ_SECONDS=60 on the envelope target
	@mkdir -p $(O)/fuzz
	@$(CC) $(FUZZ_CFLAGS) -fsanitize=address,undefined -o $(O)/fuzz/smoke \
		fuzz/fuzz_envelope.c fuzz/standalone.c core/picosuit.c
	@$(O)/fuzz/smoke -t $(FUZZ_SECONDS) $(FUZZ_SEEDS)

# ------------------------------------------------------------------------------------------------

dist: ## what is committed, as a tar archive
	@mkdir -p $(O)
	@git archive --format=tar --prefix=picosuit/ HEAD | gzip -n >$(O)/picosuit.tar.gz
	@echo $(O)/picosuit.tar.gz

clean: ## remove build/
	@rm -rf $(O)
