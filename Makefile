# `make help` lists the targets. GNU make, on Linux.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.ONESHELL:
.SUFFIXES:

# Neither the caller's key nor his hosts reach a test or the demo.
unexport $(filter FAL_%,$(.VARIABLES)) VIRTUAL_ENV MAKEFLAGS MFLAGS

PREFIX ?= /usr/local
DESTDIR ?=
CC ?= cc
CXX ?= c++

ROOT := $(CURDIR)
BUILD := build
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET)/release
CARGO := cargo
LOCKED := --locked
VERSION := $(shell sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SONAME := libfal.so.0

EMULATOR := $(TARGET)/debug/fal-emulator
NATIVE := $(RELEASE)/native-static-libs
VENV := $(ROOT)/$(BUILD)/venv
PYTHON := $(VENV)/bin/python
HOME_OF_TESTS := $(ROOT)/$(BUILD)/home
# Into which the tests' clients log, and the output of tests that passed is put, to be searched for secrets.
LOGS := $(ROOT)/$(BUILD)/logs
# A test's whole environment; programs that need the emulator get its variables from `fal-emulator exec`.
ISOLATED := env -i PATH="$$PATH" HOME="$(HOME_OF_TESTS)" LANG=C.UTF-8 TEST_LOGS="$(LOGS)"
# Rust needs its own directories where HOME is another.
ISOLATED_RUST := env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY \
	CARGO_HOME="$${CARGO_HOME:-$$HOME/.cargo}" RUSTUP_HOME="$${RUSTUP_HOME:-$$HOME/.rustup}" HOME="$(HOME_OF_TESTS)" TEST_LOGS="$(LOGS)"

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Werror
CFLAGS_TEST := -std=c99 -O1 -g $(WARNINGS) -D_GNU_SOURCE -pthread -Iinclude -DEXPECTED_VERSION='"$(VERSION)"' \
	-DHEADER='"$(ROOT)/include/fal/fal.h"' -DLIBRARY='"$(RELEASE)/libfal.so"'
CXXFLAGS_TEST := $(subst -std=c99,-std=c++17,$(CFLAGS_TEST))

.PHONY: help
help: ## this list
	@echo "libfal $(VERSION): make TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# ---- Building -------------------------------------------------------------------------------------------------------

# Cargo features beyond the default ones, such as FEATURES=keyring.
FEATURES ?=
.PHONY: libs
libs: ## FEATURES=: libfal.so and libfal.a, in target/release
	@$(CARGO) rustc $(LOCKED) --release -p libfal --features "$(FEATURES)" --lib -- --print native-static-libs="$(NATIVE)"

$(RELEASE)/libfal.so $(RELEASE)/libfal.a: libs
	@:

.PHONY: emulator
emulator:
	@$(CARGO) build $(LOCKED) --workspace --bin fal-emulator --example picture --example lighthouse

.PHONY: header
header: ## write include/fal/fal.h anew from src/ffi
	FAL_UPDATE=1 $(CARGO) test $(LOCKED) -p libfal --test header

.PHONY: symbols
symbols: libs ## write the list of exported symbols anew
	tests/abi/exported "$(RELEASE)/libfal.so" > tests/abi/fal.symbols

.PHONY: clean
clean: ## remove everything that was built
	rm -rf "$(BUILD)" fuzz/target
	$(CARGO) clean

# ---- Installing -----------------------------------------------------------------------------------------------------

.PHONY: install
install: libs ## PREFIX=/usr/local DESTDIR= FEATURES=: header, shared and static library, pkg-config file
	install -d "$(DESTDIR)$(PREFIX)/include/fal" "$(DESTDIR)$(PREFIX)/lib/pkgconfig"
	install -m 644 include/fal/*.h* "$(DESTDIR)$(PREFIX)/include/fal/"
	install -m 755 "$(RELEASE)/libfal.so" "$(DESTDIR)$(PREFIX)/lib/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(PREFIX)/lib/libfal.so"
	install -m 644 "$(RELEASE)/libfal.a" "$(DESTDIR)$(PREFIX)/lib/"
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e "s|@PRIVATE@|$$(cat "$(NATIVE)")|" fal.pc.in \
		> "$(DESTDIR)$(PREFIX)/lib/pkgconfig/fal.pc"

# ---- Testing --------------------------------------------------------------------------------------------------------

.PHONY: test
test: ## everything; ends with "all passed"
	@mkdir -p "$(BUILD)"
	rm -rf "$(LOGS)"
	$(MAKE) --no-print-directory test-all 2>&1 | tee "$(BUILD)/test.log"
	tests/secrets/search "$(LOGS)" "$(BUILD)"/*.log
	echo "all passed"

PARTS := tools test-steps lint test-rust test-fuzz test-keyring test-abi test-c test-memory test-chaos test-sanitizers test-python \
	test-examples test-browser test-official

.PHONY: test-all
test-all:
	@took=()
	for part in $(PARTS); do
		began=$$SECONDS
		$(MAKE) --no-print-directory $$part
		took+=("$$part $$((SECONDS - began)) s")
	done
	printf '%s\n' "$${took[@]}" "together $$SECONDS s"

.PHONY: tools
tools:
	@.ci/tools
	@mkdir -p "$(HOME_OF_TESTS)" "$(LOGS)"

# What the steps that install something say when they cannot.
.PHONY: test-steps
test-steps: tools
	tests/steps/says

.PHONY: check
check: lint ## before a commit: lint, the unit tests of the core, and whether documents and header are up to date
	$(CARGO) test --quiet $(LOCKED) -p libfal --lib
	$(CARGO) test --quiet $(LOCKED) -p libfal --test documents --test unknowns --test header
	$(CARGO) test --quiet $(LOCKED) -p libfal --test platform -- documents

.PHONY: fmt
fmt: ## format all Rust code
	$(CARGO) fmt --all

.PHONY: doc
doc: ## the Rust documentation, in target/doc/fal/index.html
	$(CARGO) doc $(LOCKED) --workspace --no-deps

.PHONY: deny
deny: ## licences, bans, sources and advisories of all dependencies; needs cargo-deny and, for advisories, a network
	$(CARGO) deny --all-features check

.PHONY: lint
lint: ## format, clippy, documentation and licences; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) -p libfal --no-default-features --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps
	$(CARGO) test --quiet $(LOCKED) -p libfal --test documents -- dependencies

.PHONY: test-rust
test-rust: tools ## the Rust tests and examples in documentation
	if $(CARGO) nextest --version >/dev/null 2>&1; then
		$(CARGO) nextest run $(LOCKED) --workspace --no-run
		$(ISOLATED_RUST) $(CARGO) nextest run $(LOCKED) --workspace --no-fail-fast
		cp "$(TARGET)/nextest/default/junit.xml" "$(LOGS)/nextest.xml"
		$(ISOLATED_RUST) $(CARGO) test $(LOCKED) --workspace --doc
	else
		echo "cargo-nextest is not there: cargo test instead"
		$(CARGO) test $(LOCKED) --workspace --no-run
		$(ISOLATED_RUST) $(CARGO) test $(LOCKED) --workspace --no-fail-fast -- --show-output
	fi

# What the fuzzers were given first, and what they found, once more: in the test build, so nothing is instrumented.
.PHONY: test-fuzz
test-fuzz: tools ## what the fuzzers began with and found, once more
	$(CARGO) metadata $(LOCKED) --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null || {
		echo "write fuzz/Cargo.lock anew: cargo metadata --manifest-path fuzz/Cargo.toml" >&2
		exit 1
	}
	$(ISOLATED_RUST) $(CARGO) test --quiet $(LOCKED) -p libfal --lib -- fuzz::replay

# Each target for so long, beginning with the files in fuzz/corpus. What is new stays in build/fuzz; a file that made a target fail
# belongs into fuzz/crashes/TARGET once the cause is mended.
FUZZ := $(ROOT)/$(BUILD)/fuzz
FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(FUZZ)/tools/bin/cargo-fuzz
TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
SECONDS ?= 60
# With "none" a parser is run some ten times as often, and what only a sanitizer sees is missed.
SANITIZER ?= address
RUNS ?= -1
FUZZ_OPTIONS ?= -max_len=4096 -rss_limit_mb=4096
# cargo-fuzz asks for a sanitizer, which the stable compiler has behind this switch only.
INSTRUMENTED := RUSTC_BOOTSTRAP=1 $(CARGO_FUZZ)

$(CARGO_FUZZ):
	$(CARGO) install --quiet --locked --root "$(FUZZ)/tools" --target-dir "$(FUZZ)/tools/target" --version $(FUZZ_VERSION) cargo-fuzz

.PHONY: fuzz
fuzz: $(CARGO_FUZZ) emulator ## SECONDS=60 RUNS= TARGETS= SANITIZER=address: feed every parser, and the functions of fal.h, with anything
	@for target in $(TARGETS); do
		$(INSTRUMENTED) build --sanitizer "$(SANITIZER)" --fuzz-dir fuzz $$target
	done
	for target in $(TARGETS); do
		echo "---- $$target"
		mkdir -p "$(FUZZ)/corpus/$$target" "$(FUZZ)/crashes/$$target" "fuzz/corpus/$$target"
		# A call waits for an answer or its end; a parser does not wait.
		limit=10
		[ $$target != api ] || limit=60
		$(ISOLATED) "$(EMULATOR)" exec -- fuzz/target/*/release/$$target "$(FUZZ)/corpus/$$target" "fuzz/corpus/$$target" \
			-max_total_time=$(SECONDS) -runs=$(RUNS) -artifact_prefix="$(FUZZ)/crashes/$$target/" -timeout=$$limit $(FUZZ_OPTIONS) 2>&1 |
			tee "$(FUZZ)/$$target.log" | grep -v -e '\(NEW\|REDUCE\|RELOAD\) ' -e '^INFO:' || { tail -n 40 "$(FUZZ)/$$target.log"; exit 1; }
	done

# The system keyring is a feature that is off by default, and on in the wheel; a real daemon on a bus of the tests' own
# answers. The C library with it is a debug build, which needs no dependency that the Rust tests do not build anyway.
KEYRING := $(ROOT)/$(BUILD)/keyring
.PHONY: test-keyring
test-keyring: tools emulator wheel $(BUILD)/abi/untouched ## the system keyring, in Rust, C and Python
	$(CARGO) clippy $(LOCKED) -p libfal --features keyring --all-targets -- -D warnings
	$(ISOLATED_RUST) $(CARGO) test --quiet $(LOCKED) -p libfal --features keyring --lib -- credentials::keyring
	$(ISOLATED_RUST) $(CARGO) test --quiet $(LOCKED) -p libfal --features keyring --test core -- a_keyring
	$(ISOLATED_RUST) $(CARGO) test --quiet $(LOCKED) -p libfal --features keyring --test credentials -- order
	$(CARGO) build --quiet $(LOCKED) -p libfal --features keyring --lib
	mkdir -p "$(KEYRING)"
	cp "$(TARGET)/debug/libfal.so" "$(KEYRING)/$(SONAME)"
	tests/abi/untouched "$(BUILD)/abi/untouched" "$(KEYRING)/$(SONAME)"
	$(CC) $(CFLAGS_TEST) tests/c/keyring.c -o "$(KEYRING)/keyring" "$(KEYRING)/$(SONAME)" -Wl,-rpath,"$(KEYRING)"
	$(ISOLATED) "$(EMULATOR)" exec -- tests/keyring/bus keyring "$(KEYRING)/keyring"
	$(ISOLATED) "$(EMULATOR)" exec -- tests/keyring/bus bare "$(KEYRING)/keyring" bare
	cd tests/python
	$(ISOLATED) FAL_EMULATOR_BIN="$(EMULATOR)" KEYRING_PROGRAM="$(KEYRING)/keyring" \
		"$(PYTHON)" -m pytest -q test_keyring.py \
		--junitxml="$(LOGS)/pytest-keyring.xml" -o junit_logging=all

.PHONY: test-abi
test-abi: tools libs $(BUILD)/abi/untouched ## exported symbols, and an environment that is left alone
	tests/abi/check "$(RELEASE)/libfal.so" include/fal/fal.h
	tests/abi/untouched "$(BUILD)/abi/untouched" "$(RELEASE)/libfal.so"

# It opens the library itself, as plugin does.
$(BUILD)/abi/untouched: tests/abi/untouched.c include/fal/fal.h Makefile
	mkdir -p $(@D)
	$(CC) -std=c99 -O1 -g $(WARNINGS) -D_GNU_SOURCE -Iinclude $< -o $@ -ldl

# The C programs, once with each library; what is about the shared object itself only with that one.
PROGRAMS := $(filter-out plugin keyring, $(basename $(notdir $(wildcard tests/c/*.c))))
SHARED := $(PROGRAMS:%=$(BUILD)/c/shared/%) $(BUILD)/c/shared/plugin $(BUILD)/c/shared/cpp
STATIC := $(PROGRAMS:%=$(BUILD)/c/static/%)
HARNESS := $(wildcard tests/c/*.h) include/fal/fal.h Makefile

.PHONY: test-c
test-c: tools emulator $(SHARED) $(STATIC) ## the C and C++ programs, with both libraries
	$(ISOLATED) tests/c/run "$(EMULATOR)" $(SHARED) $(STATIC)

# Memory that representative programs leave behind, or misuse.
WATCHED := $(addprefix $(BUILD)/c/shared/, memory queue stream realtime channel storage transfers webhook platform)

.PHONY: test-memory
test-memory: tools emulator $(WATCHED) $(BUILD)/c/shared/cut ## C programs under valgrind
	for program in $(WATCHED) "$(BUILD)/c/shared/cut cancelled"; do
		$(ISOLATED) "$(EMULATOR)" exec -- valgrind --quiet --error-exitcode=9 --leak-check=full \
			--suppressions=tests/c/valgrind.supp --show-leak-kinds=definite --errors-for-leak-kinds=definite $$program
	done

$(BUILD)/c/shared/lib/libfal.so: $(RELEASE)/libfal.so
	mkdir -p $(@D)
	ln -sf $< $(@D)/$(SONAME)
	ln -sf $(SONAME) $@

$(BUILD)/c/shared/%: tests/c/%.c $(HARNESS) $(BUILD)/c/shared/lib/libfal.so
	$(CC) $(CFLAGS_TEST) $< -o $@ -L$(BUILD)/c/shared/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/c/shared/lib

# It opens the library itself.
$(BUILD)/c/shared/plugin: tests/c/plugin.c $(HARNESS) $(BUILD)/c/shared/lib/libfal.so
	$(CC) $(CFLAGS_TEST) $< -o $@ -ldl

$(BUILD)/c/shared/cpp: tests/c/cpp.cpp $(HARNESS) $(BUILD)/c/shared/lib/libfal.so
	$(CXX) $(CXXFLAGS_TEST) $< -o $@ -L$(BUILD)/c/shared/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/c/shared/lib

$(BUILD)/c/static/%: tests/c/%.c $(HARNESS) $(RELEASE)/libfal.a
	mkdir -p $(@D)
	$(CC) $(CFLAGS_TEST) $< -o $@ $(RELEASE)/libfal.a $$(cat $(NATIVE))

include tests/sanitizers/rules.mk

# Everything at once, under faults. What a seed decides is the same each time; when it happens is not.
CHAOS := $(TARGET)/debug/fal-chaos
REQUESTS ?= 20000
.PHONY: chaos
chaos: ## REQUESTS=20000 SEED=: so many operations under random faults, and whether the books balance
	@$(CARGO) build $(LOCKED) --workspace --bin fal-chaos
	"$(CHAOS)" --requests "$(REQUESTS)" $(if $(SEED),--seed "$(SEED)")

.PHONY: test-chaos
test-chaos: tools ## a short round of chaos, and saboteurs that it has to find
	$(CARGO) build --quiet $(LOCKED) --workspace --bin fal-chaos
	# No log: it shows the key that a saboteur printed.
	$(ISOLATED) "$(CHAOS)" --sabotage all --seed 1 > "$(BUILD)/sabotage.txt" || {
		cat "$(BUILD)/sabotage.txt"
		exit 1
	}
	$(ISOLATED) "$(CHAOS)" --requests 2400 --seed 1

# The examples, built as a stranger builds them: from an installed library, by pkg-config.
INSTALLED := $(ROOT)/$(BUILD)/prefix
EXAMPLES := $(ROOT)/$(BUILD)/examples
PKG_CONFIG := PKG_CONFIG_PATH="$(INSTALLED)/lib/pkgconfig" pkg-config

.PHONY: examples
examples: tools
	@$(MAKE) --no-print-directory install PREFIX="$(INSTALLED)" DESTDIR= >/dev/null
	mkdir -p "$(EXAMPLES)"
	echo "compiling examples/c and examples/cpp against $(INSTALLED)"
	$(CC) -std=c99 $(WARNINGS) examples/c/lighthouse.c -o "$(EXAMPLES)/lighthouse-c" \
		$$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,"$(INSTALLED)/lib"
	$(CC) -std=c99 $(WARNINGS) examples/c/picture.c -o "$(EXAMPLES)/picture-c" \
		$$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,"$(INSTALLED)/lib"
	$(CC) -std=c99 $(WARNINGS) examples/c/keys.c -o "$(EXAMPLES)/keys-c" \
		$$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,"$(INSTALLED)/lib"
	$(CXX) -std=c++17 $(WARNINGS) examples/cpp/picture.cpp -o "$(EXAMPLES)/picture-cpp" \
		$$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,"$(INSTALLED)/lib"
	$(CC) -std=c99 $(WARNINGS) examples/c/subscribe.c -o "$(EXAMPLES)/subscribe-c" \
		$$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,"$(INSTALLED)/lib"
	# The linker prefers the shared library of the two, unless the file is named.
	static=$$($(PKG_CONFIG) --static --libs fal)
	$(CC) -std=c99 $(WARNINGS) examples/c/picture.c -o "$(EXAMPLES)/picture-c-static" \
		$$($(PKG_CONFIG) --cflags fal) $${static/-lfal/-l:libfal.a}
	if ldd "$(EXAMPLES)/picture-c-static" | grep libfal; then exit 1; fi

# What each language's example is run by. Python's comes with its wheel.
PICTURES := C="$(EXAMPLES)/picture-c"
ifneq ($(wildcard examples/python/picture.py),)
PICTURES += Python="$(PYTHON) $(ROOT)/examples/python/picture.py"
endif
PICTURES += C++="$(EXAMPLES)/picture-cpp" Rust="$(TARGET)/debug/examples/picture"

# A key is made, used, listed and revoked.
KEYS := "keys in C"="$(EXAMPLES)/keys-c" "keys in Python"="$(PYTHON) $(ROOT)/examples/python/keys.py"

# The programs of the README.
LIGHTHOUSES := "$(EXAMPLES)/lighthouse-c" "$(TARGET)/debug/examples/lighthouse" "$(PYTHON) $(ROOT)/examples/python/lighthouse.py"

.PHONY: test-examples
test-examples: examples emulator wheel ## the programs of README and examples/
	@for program in $(LIGHTHOUSES); do
		printed=$$($(ISOLATED) "$(EMULATOR)" exec -- $$program)
		[[ $$printed == https://*.png ]] || {
			echo "$$program printed: $$printed" >&2
			exit 1
		}
	done
	$(ISOLATED) tests/demo/run "$(EMULATOR)" "$(BUILD)/demo" $(PICTURES) $(KEYS) C-static="$(EXAMPLES)/picture-c-static" \
		> "$(BUILD)/demo.log" 2>&1 || {
		cat "$(BUILD)/demo.log"
		exit 1
	}
	$(ISOLATED) "$(EMULATOR)" exec -- python3 -B tests/demo/subscribe.py "$(EXAMPLES)/subscribe-c" \
		> "$(BUILD)/subscribe.log" 2>&1 || {
		cat "$(BUILD)/subscribe.log"
		exit 1
	}
	echo "examples: every picture made, every job seen through or cancelled, every error as it should be"

# The page of keys, in a real browser.
.PHONY: test-browser
test-browser: examples emulator ## the page of keys, in a real browser
	@$(ISOLATED) python3 -B tests/browser/keys.py "$(EMULATOR)" "$(EXAMPLES)/picture-c" "$(BUILD)/browser"

.PHONY: demo
demo: examples emulator wheel ## pictures and errors from C, Python, C++ and Rust, against the emulator
	@$(ISOLATED) tests/demo/run "$(EMULATOR)" "$(BUILD)/demo" $(PICTURES) $(KEYS)

# ---- Python ---------------------------------------------------------------------------------------------------------

REQUIREMENTS := $(wildcard bindings/python/requirements-dev.txt)

$(VENV)/made: $(REQUIREMENTS)
	python3 -m venv "$(VENV)"
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	touch $@

# Tests and the demo need no optimized wheel, and not the minutes that one takes to build.
WHEEL_PROFILE := release
test-keyring test-python test-examples test-browser test-official demo: WHEEL_PROFILE := dev

.PHONY: wheel
wheel: ## the Python wheel, in build/wheels, installed into build/venv
ifneq ($(REQUIREMENTS),)
wheel: tools $(VENV)/made
	rm -rf "$(BUILD)/wheels"
	"$(VENV)/bin/maturin" build --quiet $(LOCKED) --profile $(WHEEL_PROFILE) --manifest-path bindings/python/Cargo.toml \
		--interpreter "$(PYTHON)" --out "$(BUILD)/wheels"
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$(BUILD)"/wheels/*.whl
endif

.PHONY: test-python
test-python: wheel emulator ## the Python tests
ifneq ($(REQUIREMENTS),)
	cd tests/python && $(ISOLATED) FAL_EMULATOR_BIN="$(EMULATOR)" "$(PYTHON)" -m pytest -q --ignore=test_keyring.py \
		--junitxml="$(LOGS)/pytest.xml" -o junit_logging=all
endif

# ---- The official clients -------------------------------------------------------------------------------------------

OFFICIAL := $(ROOT)/$(BUILD)/venv-official

$(OFFICIAL)/made: tests/official/requirements.txt
	python3 -m venv "$(OFFICIAL)"
	"$(OFFICIAL)/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

OFFICIAL_JS := $(ROOT)/$(BUILD)/official-js

$(OFFICIAL_JS)/made: $(wildcard tests/official/calls/*.json tests/official/calls/.npmrc)
	mkdir -p "$(OFFICIAL_JS)"
	cp $^ "$(OFFICIAL_JS)"
	npm ci --prefix "$(OFFICIAL_JS)" --loglevel=error --no-audit --no-fund
	touch $@

# Their own code beside ours: which key is found, who reads whose files, and who waits for whose locks.
.PHONY: test-official
test-official: tools libs emulator $(OFFICIAL)/made $(OFFICIAL_JS)/made ## fal's own clients beside libfal
	$(CARGO) build --quiet $(LOCKED) -p libfal --example explain
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/compare_keys.py --explain "$(TARGET)/debug/examples/explain" > "$(BUILD)/official.log" || {
		cat "$(BUILD)/official.log"
		exit 1
	}
	tail -n 1 "$(BUILD)/official.log"
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/config_roundtrip.py "$(RELEASE)/libfal.so"
	$(CARGO) test --quiet $(LOCKED) -p libfal --test login --no-run
	$(ISOLATED_RUST) FAL_OFFICIAL_PYTHON="$(OFFICIAL)/bin/python" \
		$(CARGO) test --quiet $(LOCKED) -p libfal --test login -- --ignored official::
	cp tests/official/calls/javascript_client.mjs "$(OFFICIAL_JS)"
	$(CARGO) build --quiet $(LOCKED) -p libfal --example calls
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/compare_calls.py --emulator "$(EMULATOR)" \
		--libfal "$(TARGET)/debug/examples/calls" --javascript "$(OFFICIAL_JS)" > "$(BUILD)/official-calls.log" || {
		cat "$(BUILD)/official-calls.log"
		exit 1
	}
	tail -n 1 "$(BUILD)/official-calls.log"
