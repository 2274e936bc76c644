# `make help` lists the targets. GNU make, on Linux.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Only $(SIDE_BY_SIDE) runs several commands at once, for targets whose commands are apart.
ifndef APART
.NOTPARALLEL:
endif
.ONESHELL:
.SUFFIXES:

# The caller's key and hosts must not reach a test or the demo.
unexport $(filter FAL_%,$(.VARIABLES)) VIRTUAL_ENV MAKEFLAGS MFLAGS

ifneq ($(words $(CURDIR) $(CARGO_TARGET_DIR)),$(if $(CARGO_TARGET_DIR),2,1))
$(error make cannot handle a path with a space: move the sources, or set CARGO_TARGET_DIR to another folder)
endif

# The inner make knows no override of the outer one.
SIDE_BY_SIDE = $(MAKE) --no-print-directory --jobs="$(shell nproc)" APART=1 BUILD="$(BUILD)" CLANG="$(CLANG)"

CC ?= cc
CXX ?= c++

ROOT := $(CURDIR)
BUILD := build
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET)/release
# What packaging/build makes of the libraries of cargo.
LIBRARIES ?= $(RELEASE)/lib
CARGO := cargo
LOCKED := --locked
VERSION := $(shell packaging/version)
SONAME := libfal.so.0

EMULATOR := $(TARGET)/debug/fal-emulator
VENV := $(ROOT)/$(BUILD)/venv
PYTHON := $(VENV)/bin/python
HOME_OF_TESTS := $(ROOT)/$(BUILD)/home
# Receives the logs of the clients and the output of passed tests, to be searched for secrets.
LOGS := $(ROOT)/$(BUILD)/logs
# The whole environment of a test. A program that needs the emulator gets its variables from `fal-emulator exec`.
ISOLATED := env -i PATH="$$PATH" HOME="$(HOME_OF_TESTS)" LANG=C.UTF-8 TEST_LOGS="$(LOGS)"
# Cargo and rustup find their directories although HOME differs.
ISOLATED_RUST := env -u http_proxy -u https_proxy -u all_proxy -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY \
	CARGO_HOME="$${CARGO_HOME:-$$HOME/.cargo}" RUSTUP_HOME="$${RUSTUP_HOME:-$$HOME/.rustup}" HOME="$(HOME_OF_TESTS)" TEST_LOGS="$(LOGS)"

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Werror
# $(call flags,HEADERS,LIBRARIES): how the C programs are compiled.
flags = -std=c99 -O1 -g $(WARNINGS) -D_GNU_SOURCE -pthread -I$(1) -DEXPECTED_VERSION='"$(VERSION)"' \
	-DHEADER='"$(1)/fal/fal.h"' -DLIBRARY='"$(2)/libfal.so"'
CFLAGS_TEST := $(call flags,$(ROOT)/include,$(LIBRARIES))
CXXFLAGS_TEST := $(subst -std=c99,-std=c++17,$(CFLAGS_TEST))

# The suites and the examples use libfal as its users do: installed, and found by pkg-config.
CLANG := clang
INSTALLED := $(ROOT)/$(BUILD)/prefix
PKG_CONFIG := PKG_CONFIG_PATH="$(INSTALLED)/lib/pkgconfig" pkg-config
CFLAGS_INSTALLED := $(call flags,$(INSTALLED)/include,$(INSTALLED)/lib)
SHARED_FAL = $$($(PKG_CONFIG) --cflags --libs fal) -Wl,-rpath,$(INSTALLED)/lib
STATIC_FAL = $$($(PKG_CONFIG) --cflags --libs fal-static)

.PHONY: help
help: ## this list
	@echo "libfal $(VERSION): make TARGET"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# ---- Building -------------------------------------------------------------------------------------------------------

include packaging/rules.mk
include packaging/python/rules.mk

.PHONY: installed
installed:
	@$(MAKE) --no-print-directory install PREFIX="$(INSTALLED)" DESTDIR= >/dev/null

$(INSTALLED)/lib/libfal.so $(INSTALLED)/lib/libfal.a: installed
	@:

.PHONY: emulator
emulator:
	@$(CARGO) build $(LOCKED) --workspace --bin fal-emulator --bin fal-chaos --example picture --example lighthouse

.PHONY: header
header: ## write include/fal/fal.h from src/ffi
	FAL_UPDATE=1 $(CARGO) test $(LOCKED) -p libfal --test header

.PHONY: symbols
symbols: libs abi ## write the list of exported symbols and the description of the ABI
	tests/abi/exported "$(LIBRARIES)/libfal.so" > tests/abi/fal.symbols

.PHONY: clean
clean: ## remove everything that was built
	rm -rf "$(BUILD)" fuzz/target
	$(CARGO) clean

# ---- Testing --------------------------------------------------------------------------------------------------------

.PHONY: test
test: ## everything; ends with "all passed"
	@mkdir -p "$(BUILD)"
	rm -rf "$(LOGS)"
	$(MAKE) --no-print-directory test-all 2>&1 | tee "$(BUILD)/test.log"
	tests/secrets/search "$(LOGS)" "$(BUILD)"/*.log
	echo "all passed"

PARTS := tools test-steps lint-and-libs test-header test-rust test-fuzz test-keyring test-abi test-install test-c test-cpp test-memory test-chaos test-sanitizers test-python \
	docs test-examples test-browser test-official

.PHONY: test-all
test-all:
	@took=()
	for part in $(PARTS); do
		began=$$SECONDS
		$(MAKE) --no-print-directory $$part
		took+=("$$part $$((SECONDS - began)) s")
	done
	printf '%s\n' "$${took[@]}" "together $$SECONDS s"

# Each occupies one processor most of the time.
.PHONY: lint-and-libs
lint-and-libs: tools
	@$(SIDE_BY_SIDE) lint libs

.PHONY: tools
tools:
	@.ci/tools
	@mkdir -p "$(HOME_OF_TESTS)" "$(LOGS)"

# What a machine that runs the tests needs to know first: what the steps that install something print when they fail, and that every
# client of the tests logs.
.PHONY: test-steps
test-steps: tools
	tests/steps/says
	tests/secrets/search

.PHONY: check
check: lint test-header ## before a commit: lint, the unit tests of the core, and whether documents and header are up to date
	$(CARGO) test --quiet $(LOCKED) --workspace --lib
	$(CARGO) test --quiet $(LOCKED) --workspace --test documents --test unknowns --test header
	$(CARGO) test --quiet $(LOCKED) --workspace --test platform -- documents

.PHONY: fmt
fmt: ## format all Rust code
	$(CARGO) fmt --all

.PHONY: doc
doc: tools ## the documentation: of Rust in target/doc/fal/index.html, of C in build/doc/c/html/index.html
	$(CARGO) doc $(LOCKED) --workspace --no-deps
	tests/header/documented

.PHONY: deny
deny: ## licences, bans, sources and advisories of all dependencies; needs cargo-deny and, for advisories, a network
	$(CARGO) deny --all-features check

.PHONY: lint
lint: ## format, clippy, documentation and licences; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	# No test asks whether the C ABI is there.
	$(CARGO) clippy $(LOCKED) -p libfal --no-default-features --lib -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps
	$(CARGO) test --quiet $(LOCKED) --workspace --test documents -- dependencies

.PHONY: test-header
test-header: tools ## fal.h alone, in each standard of C and C++, and its documentation
	tests/header/compiles
	tests/header/documented

.PHONY: test-rust
test-rust: tools ## the Rust tests and examples in documentation
	if $(CARGO) nextest --version >/dev/null 2>&1; then
		$(CARGO) nextest run $(LOCKED) --workspace --no-run
		# Most tests wait more than they compute.
		$(ISOLATED_RUST) $(CARGO) nextest run $(LOCKED) --workspace --no-fail-fast --test-threads "$$((2 * $$(nproc)))"
		cp "$(TARGET)/nextest/default/junit.xml" "$(LOGS)/nextest.xml"
		$(ISOLATED_RUST) $(CARGO) test $(LOCKED) --workspace --doc
	else
		echo "cargo-nextest is not there: cargo test instead"
		$(CARGO) test $(LOCKED) --workspace --no-run
		$(ISOLATED_RUST) $(CARGO) test $(LOCKED) --workspace --no-fail-fast -- --show-output
	fi

# Replays the fuzzers' initial inputs and their findings, in the test build and so without instrumentation.
.PHONY: test-fuzz
test-fuzz: tools ## replay the fuzzers' initial inputs and findings
	$(CARGO) metadata $(LOCKED) --manifest-path fuzz/Cargo.toml --format-version 1 >/dev/null || {
		echo "fuzz/Cargo.lock is out of date; run: cargo metadata --manifest-path fuzz/Cargo.toml" >&2
		exit 1
	}
	$(ISOLATED_RUST) $(CARGO) test --quiet $(LOCKED) --workspace --lib -- fuzz::replay

# Runs each target for SECONDS, starting from the files in fuzz/corpus. New inputs go to build/fuzz. Once the cause of a failure
# is fixed, its input belongs in fuzz/crashes/TARGET.
FUZZ := $(ROOT)/$(BUILD)/fuzz
FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(FUZZ)/tools/bin/cargo-fuzz
TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
SECONDS ?= 60
# With "none" a parser runs about ten times as often, but faults that only a sanitizer detects are missed.
SANITIZER ?= address
RUNS ?= -1
FUZZ_OPTIONS ?= -max_len=4096 -rss_limit_mb=4096
# cargo-fuzz requires a sanitizer, which the stable compiler accepts only with this variable.
INSTRUMENTED := RUSTC_BOOTSTRAP=1 $(CARGO_FUZZ)

$(CARGO_FUZZ):
	$(CARGO) install --quiet --locked --root "$(FUZZ)/tools" --target-dir "$(FUZZ)/tools/target" --version $(FUZZ_VERSION) cargo-fuzz

.PHONY: fuzz
fuzz: $(CARGO_FUZZ) emulator ## SECONDS=60 RUNS= TARGETS= SANITIZER=address: fuzz every parser and the functions of fal.h
	@for target in $(TARGETS); do
		$(INSTRUMENTED) build --sanitizer "$(SANITIZER)" --fuzz-dir fuzz $$target
	done
	for target in $(TARGETS); do
		echo "---- $$target"
		mkdir -p "$(FUZZ)/corpus/$$target" "$(FUZZ)/crashes/$$target" "fuzz/corpus/$$target"
		# A call may wait for its response or its deadline; a parser never waits.
		limit=10
		[ $$target != api ] || limit=60
		$(ISOLATED) "$(EMULATOR)" exec -- fuzz/target/*/release/$$target "$(FUZZ)/corpus/$$target" "fuzz/corpus/$$target" \
			-max_total_time=$(SECONDS) -runs=$(RUNS) -artifact_prefix="$(FUZZ)/crashes/$$target/" -timeout=$$limit $(FUZZ_OPTIONS) 2>&1 |
			tee "$(FUZZ)/$$target.log" | grep -v -e '\(NEW\|REDUCE\|RELOAD\) ' -e '^INFO:' || { tail -n 40 "$(FUZZ)/$$target.log"; exit 1; }
	done

# The feature `keyring` is off by default and on in the wheel. The tests use a real keyring daemon on a bus of their own. The C
# library is the debug build that the Rust tests use.
KEYRING := $(ROOT)/$(BUILD)/keyring
WITH_KEYRING := $(LOCKED) -p libfal --features keyring
.PHONY: test-keyring
test-keyring: tools emulator wheel $(BUILD)/abi/untouched ## the system keyring, in Rust, C and Python
	# All that asks for the feature.
	$(CARGO) clippy $(WITH_KEYRING) --lib --test credentials -- -D warnings
	$(CARGO) clippy $(WITH_KEYRING) --lib --profile test -- -D warnings
	# All at once, so that they are compiled side by side.
	$(CARGO) test --quiet $(WITH_KEYRING) --lib --test credentials --no-run
	$(ISOLATED_RUST) $(CARGO) test --quiet $(WITH_KEYRING) --lib -- credentials::keyring
	$(ISOLATED_RUST) $(CARGO) test --quiet $(WITH_KEYRING) --test credentials -- order keyring
	# With a test, whose dependencies have other features than the library alone.
	$(CARGO) build --quiet $(WITH_KEYRING) --lib --test credentials
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

# In MB. The library contains paths of the machine that builds it, whose length differs.
LARGEST_SO := 6.1
LARGEST_A := 25
.PHONY: test-abi
test-abi: tools libs abi-check $(BUILD)/abi/untouched ## exported symbols, and that loading the library touches nothing
	tests/abi/check "$(LIBRARIES)/libfal.so" include/fal/fal.h
	tests/abi/archive "$(LIBRARIES)/libfal.a"
	tests/abi/size "$(LIBRARIES)/libfal.so" $(LARGEST_SO) "$(LIBRARIES)/libfal.a" $(LARGEST_A)
	tests/abi/untouched "$(BUILD)/abi/untouched" "$(LIBRARIES)/libfal.so"

# The program opens the library itself, as plugin does.
$(BUILD)/abi/untouched: tests/abi/untouched.c include/fal/fal.h Makefile
	mkdir -p $(@D)
	$(CC) -std=c99 -O1 -g $(WARNINGS) -D_GNU_SOURCE -Iinclude $< -o $@ -ldl

# The C programs, built by gcc with the shared library and by clang with the static one. plugin, reloads and abuse are built with
# the shared library only.
PROGRAMS := $(filter-out plugin reloads keyring, $(basename $(notdir $(wildcard tests/c/*.c))))
SHARED := $(PROGRAMS:%=$(BUILD)/c/shared/%) $(addprefix $(BUILD)/c/shared/, plugin reloads abuse)
STATIC := $(PROGRAMS:%=$(BUILD)/c/static/%)
HARNESS := $(wildcard tests/c/*.h) include/fal/fal.h Makefile

.PHONY: test-c
test-c: tools emulator ## the C programs, with both libraries
	$(SIDE_BY_SIDE) $(SHARED) $(STATIC)
	$(ISOLATED) tests/c/run "$(EMULATOR)" -- $(SHARED) $(STATIC)

MEMCHECK := valgrind --quiet --error-exitcode=9 --leak-check=full \
	--suppressions=tests/c/valgrind.supp --show-leak-kinds=definite --errors-for-leak-kinds=definite
# Programs that cover all kinds of objects, for valgrind to check.
WATCHED := $(addprefix $(BUILD)/c/shared/, memory queue stream realtime channel storage transfers webhook platform)

.PHONY: test-memory
test-memory: tools emulator ## C programs under valgrind
	$(SIDE_BY_SIDE) $(WATCHED) $(BUILD)/c/shared/cut $(BUILD)/c/shared/abuse
	$(ISOLATED) tests/c/run "$(EMULATOR)" $(MEMCHECK) -- \
		$(WATCHED) "$(BUILD)/c/shared/cut cancelled" "$(BUILD)/c/shared/abuse on_a_thread_of_the_host"

$(BUILD)/c/shared/%: tests/c/%.c $(HARNESS) $(INSTALLED)/lib/libfal.so
	mkdir -p $(@D)
	$(CC) $(CFLAGS_INSTALLED) $< -o $@ $(SHARED_FAL)

# The programs open the library themselves. reloads defines a function in place of the C library's.
$(BUILD)/c/shared/plugin $(BUILD)/c/shared/reloads: $(BUILD)/c/shared/%: tests/c/%.c $(HARNESS) $(INSTALLED)/lib/libfal.so
	mkdir -p $(@D)
	$(CC) $(CFLAGS_INSTALLED) $< -o $@ -rdynamic -ldl

# Every function of fal.h with junk for each argument, by the objects of its fuzzer. Unoptimized, which takes half the time.
ABUSE := $(addprefix fuzz/api/, abuse.cpp callbacks.cpp givens.cpp server.cpp words.cpp world.cpp)
$(BUILD)/c/shared/abuse: $(ABUSE) $(wildcard fuzz/api/*.hpp) tests/abi/fal.symbols $(HARNESS) $(INSTALLED)/lib/libfal.so
	# In a folder of its own: the compiler would take a program of this one for a header of C++.
	mkdir -p $(@D) $(BUILD)/c/rows
	sed 's/.*/ROW(&)/' tests/abi/fal.symbols > $(BUILD)/c/rows/rows.inc
	$(CXX) $(subst -std=c99,-std=c++17,$(CFLAGS_INSTALLED)) -O0 -I$(BUILD)/c/rows $(ABUSE) -o $@ $(SHARED_FAL)

$(BUILD)/c/static/%: tests/c/%.c $(HARNESS) $(INSTALLED)/lib/libfal.a
	mkdir -p $(@D)
	$(CLANG) $(CFLAGS_INSTALLED) $< -o $@ $(STATIC_FAL)

include tests/install/rules.mk
include tests/sanitizers/rules.mk
include tests/cpp/rules.mk
include tests/wheels/rules.mk
include bench/rules.mk
include docs/rules.mk

# All operations at once, under faults. A seed determines what is done, and not when.
CHAOS := $(TARGET)/debug/fal-chaos
REQUESTS ?= 20000
.PHONY: chaos
chaos: emulator ## REQUESTS=20000 SEED=: operations under random faults, followed by an audit
	@"$(CHAOS)" --requests "$(REQUESTS)" $(if $(SEED),--seed "$(SEED)")

.PHONY: test-chaos
test-chaos: tools emulator ## a short round of chaos, and sabotage that the audit must find
	# Not a .log file, which would be searched for secrets: the output contains the key that a saboteur printed.
	$(ISOLATED) "$(CHAOS)" --sabotage all --seed 1 > "$(BUILD)/sabotage.txt" || {
		cat "$(BUILD)/sabotage.txt"
		exit 1
	}
	$(ISOLATED) "$(CHAOS)" --requests 2400 --seed 1

# The examples, built as a user builds them.
EXAMPLES := $(ROOT)/$(BUILD)/examples

# The programs that fal.h shows.
TUTORIAL := picture frames callbacks

.PHONY: examples
examples: tools installed
	@mkdir -p "$(EXAMPLES)"
	echo "compiling examples/c and examples/cpp against $(INSTALLED)"
	$(CC) -std=c99 $(WARNINGS) examples/c/lighthouse.c -o "$(EXAMPLES)/lighthouse-c" $(SHARED_FAL)
	for program in $(TUTORIAL); do
		$(CC) -std=c99 $(WARNINGS) examples/c/tutorial/$$program.c -o "$(EXAMPLES)/tutorial-$$program" $(SHARED_FAL)
	done
	$(CC) -std=c99 $(WARNINGS) examples/c/picture.c -o "$(EXAMPLES)/picture-c" $(SHARED_FAL)
	$(CC) -std=c99 $(WARNINGS) examples/c/keys.c -o "$(EXAMPLES)/keys-c" $(SHARED_FAL)
	for name in lighthouse picture frames coroutine; do
		$(CXX) -std=c++20 $(WARNINGS) examples/cpp/$$name.cpp -o "$(EXAMPLES)/$$name-cpp" $(SHARED_FAL)
	done
	$(CC) -std=c99 $(WARNINGS) examples/c/subscribe.c -o "$(EXAMPLES)/subscribe-c" $(SHARED_FAL)
	$(CC) -std=c99 $(WARNINGS) -fsyntax-only -I"$(INSTALLED)/include" docs/samples/*.c
	$(CXX) -std=c++20 $(WARNINGS) -fsyntax-only -I"$(INSTALLED)/include" docs/samples/*.cpp
	$(CC) -std=c99 $(WARNINGS) -shared -fPIC examples/c/plugin.c -o "$(EXAMPLES)/plugin.so" $(SHARED_FAL)
	$(CC) -std=c99 $(WARNINGS) examples/c/host.c -o "$(EXAMPLES)/host-c" -ldl
	$(CC) -std=c99 $(WARNINGS) examples/c/frames.c -o "$(EXAMPLES)/frames-c" \
		$$($(PKG_CONFIG) --cflags --libs fal sdl2) -Wl,-rpath,"$(INSTALLED)/lib"
	$(CC) -std=c99 $(WARNINGS) examples/c/picture.c -o "$(EXAMPLES)/picture-c-static" $(STATIC_FAL)
	if ldd "$(EXAMPLES)/picture-c-static" | grep libfal; then exit 1; fi

# The command of each language's example. Python uses the wheel.
PICTURES := C="$(EXAMPLES)/picture-c"
ifneq ($(wildcard examples/python/picture.py),)
PICTURES += Python="$(PYTHON) $(ROOT)/examples/python/picture.py"
endif
PICTURES += C++="$(EXAMPLES)/picture-cpp" Rust="$(TARGET)/debug/examples/picture"

# Programs that create, use, list and revoke a key.
KEYS := "keys in C"="$(EXAMPLES)/keys-c" "keys in Python"="$(PYTHON) $(ROOT)/examples/python/keys.py"

# The frame loop, without a screen.
FRAMES := SDL_VIDEODRIVER=dummy "$(EMULATOR)" exec -- "$(EXAMPLES)/frames-c" emulator/job '{"ms": 300}' emulator/realtime

# The programs of the README and of fal.h.
LIGHTHOUSES := $(TUTORIAL:%="$(EXAMPLES)/tutorial-%") "$(EXAMPLES)/lighthouse-c" "$(EXAMPLES)/lighthouse-cpp" "$(TARGET)/debug/examples/lighthouse" "$(PYTHON) $(ROOT)/examples/python/lighthouse.py"

.PHONY: test-examples
test-examples: examples emulator wheel ## the programs of README and examples/
	@for program in $(LIGHTHOUSES); do
		printed=$$($(ISOLATED) "$(EMULATOR)" exec -- $$program)
		[[ $$printed == *https://*.png ]] || {
			echo "$$program printed: $$printed" >&2
			exit 1
		}
	done
	pictures=$$($(ISOLATED) "$(EMULATOR)" exec -- "$(EXAMPLES)/frames-cpp" 10 2>&1)
	[ "$$(grep -c ': https://.*\.png$$' <<< "$$pictures")" -eq 10 ] || { echo "$$pictures" >&2; exit 1; }
	pictures=$$($(ISOLATED) "$(EMULATOR)" exec -- "$(EXAMPLES)/coroutine-cpp" a b c 2>&1)
	[ "$$(grep -c ': [0-9]* bytes$$' <<< "$$pictures")" -eq 3 ] || { echo "$$pictures" >&2; exit 1; }
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
	$(ISOLATED) "$(EMULATOR)" exec -- python3 -B tests/demo/host.py "$(EXAMPLES)/host-c" "$(EXAMPLES)/plugin.so" \
		> "$(BUILD)/host.log" 2>&1 || {
		cat "$(BUILD)/host.log"
		exit 1
	}
	$(ISOLATED) $(FRAMES)
	echo "examples: every program printed what it should"

.PHONY: test-browser
test-browser: examples emulator ## the emulator's pages of keys and of requests, in a real browser
	@$(ISOLATED) python3 -B tests/browser/keys.py "$(EMULATOR)" "$(EXAMPLES)/picture-c" "$(BUILD)/browser"
	$(ISOLATED) python3 -B tests/browser/requests.py "$(EMULATOR)" "$(BUILD)/browser"

.PHONY: demo
demo: examples emulator wheel ## pictures and errors from C, Python, C++ and Rust, against the emulator
	@$(ISOLATED) tests/demo/run "$(EMULATOR)" "$(BUILD)/demo" $(PICTURES) $(KEYS)

# ---- Python ---------------------------------------------------------------------------------------------------------

REQUIREMENTS := $(wildcard bindings/python/requirements-dev.txt)

$(VENV)/made: $(REQUIREMENTS)
	python3 -m venv "$(VENV)"
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	touch $@

# Tests and the demo use a debug wheel, because an optimized one takes minutes to build.
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

# mypy runs as one of the tests.
PYRIGHT := $(ROOT)/$(BUILD)/pyright

$(PYRIGHT)/made: $(wildcard tests/python/pyright/package*.json tests/python/pyright/.npmrc)
	mkdir -p "$(PYRIGHT)"
	cp $^ "$(PYRIGHT)"
	npm ci --prefix "$(PYRIGHT)" --loglevel=error --no-audit --no-fund
	touch $@

.PHONY: test-python
test-python: wheel sdist emulator $(PYRIGHT)/made ## the Python tests
ifneq ($(REQUIREMENTS),)
	$(ISOLATED) node "$(PYRIGHT)/node_modules/pyright" --project tests/python/pyright --pythonpath "$(PYTHON)"
	cd tests/python && $(ISOLATED) FAL_EMULATOR_BIN="$(EMULATOR)" "$(PYTHON)" -m pytest -q --ignore=test_keyring.py \
		--junitxml="$(LOGS)/pytest.xml" -o junit_logging=all
endif

# ---- The official clients -------------------------------------------------------------------------------------------

OFFICIAL := $(ROOT)/$(BUILD)/venv-official

$(OFFICIAL)/made: tests/official/requirements.txt
	python3 -m venv "$(OFFICIAL)"
	"$(OFFICIAL)/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The source distribution of fal_client.
THEIRS := $(ROOT)/$(BUILD)/theirs

$(THEIRS)/made: tests/official/source.txt $(OFFICIAL)/made
	rm -rf "$(THEIRS)"
	"$(OFFICIAL)/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes -r $< --dest "$(THEIRS)"
	tar -xzf "$(THEIRS)"/*.tar.gz -C "$(THEIRS)" --strip-components=1
	touch $@

OFFICIAL_JS := $(ROOT)/$(BUILD)/official-js

$(OFFICIAL_JS)/made: $(wildcard tests/official/calls/*.json tests/official/calls/.npmrc)
	mkdir -p "$(OFFICIAL_JS)"
	cp $^ "$(OFFICIAL_JS)"
	npm ci --prefix "$(OFFICIAL_JS)" --loglevel=error --no-audit --no-fund
	touch $@

# Compares the official clients' own code with libfal: the keys that they find, each other's files, and each other's locks.
.PHONY: test-official
test-official: tools libs emulator wheel $(OFFICIAL)/made $(THEIRS)/made $(OFFICIAL_JS)/made ## compare fal's own clients with libfal
	$(CARGO) build --quiet $(LOCKED) --workspace --example explain
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/compare_keys.py --explain "$(TARGET)/debug/examples/explain" > "$(BUILD)/official.log" || {
		cat "$(BUILD)/official.log"
		exit 1
	}
	tail -n 1 "$(BUILD)/official.log"
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/config_roundtrip.py "$(LIBRARIES)/libfal.so"
	$(CARGO) test --quiet $(LOCKED) --workspace --test login --no-run
	$(ISOLATED_RUST) FAL_OFFICIAL_PYTHON="$(OFFICIAL)/bin/python" \
		$(CARGO) test --quiet $(LOCKED) --workspace --test login -- --ignored official::
	cp tests/official/calls/javascript_client.mjs "$(OFFICIAL_JS)"
	$(CARGO) build --quiet $(LOCKED) --workspace --example calls
	$(ISOLATED) "$(OFFICIAL)/bin/python" tests/official/compare_calls.py --emulator "$(EMULATOR)" \
		--libfal "$(TARGET)/debug/examples/calls" --javascript "$(OFFICIAL_JS)" > "$(BUILD)/official-calls.log" || {
		cat "$(BUILD)/official-calls.log"
		exit 1
	}
	tail -n 1 "$(BUILD)/official-calls.log"
	"$(OFFICIAL)/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$(BUILD)"/wheels/*.whl
	$(ISOLATED) tests/official/drop_in/run "$(EMULATOR)" "$(THEIRS)" "$(ROOT)/$(BUILD)" "$(OFFICIAL)/bin/python"
