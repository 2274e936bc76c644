# Builds the C programs and libfal with a sanitizer. gcc and LLVM call a sanitizer's runtime by the same functions, so the
# runtime of rustc serves both languages. gcc's own runtime must not be in the same process.

SANITIZED_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
RUNTIMES = $(shell rustc --print sysroot)/lib/rustlib/$(SANITIZED_HOST)/lib
# Without scarce and stack, which limit the address space and the stack: a sanitizer needs more. Without allocations: a sanitizer
# has an allocator of its own. Without locale, in which nothing is to be found.
SANITIZED_PROGRAMS := $(filter-out scarce stack allocations locale,$(PROGRAMS)) plugin

# The runtime is linked into the program, and the library finds it there, as LLVM requires.
sanitized_link = -Wl,--whole-archive $(RUNTIMES)/librustc-stable_rt.$(1).a -Wl,--no-whole-archive -rdynamic \
	-L$(BUILD)/$(1)/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/$(1)/lib -lrt -lm -ldl

# $(call sanitizer,DIRECTORY,NAME FOR RUSTC,NAMES FOR CC,CARGO'S VARIABLES,CARGO'S FLAGS): the rules for
# build/DIRECTORY/PROGRAM. The flags are unstable, which needs RUSTC_BOOTSTRAP. An explicit --target keeps them from build
# scripts.
define sanitizer
.PHONY: $(1)-library
$(1)-library: tools
	@mkdir -p $(BUILD)/$(1)/lib
	RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$(TARGET)/$(1)" RUSTFLAGS="-Zsanitizer=$(2) -Cforce-frame-pointers=yes" $(4) \
		$$(CARGO) rustc $$(LOCKED) -p libfal --lib --profile sanitized --target $$(SANITIZED_HOST) --crate-type cdylib $(5)
	ln -sf "$(TARGET)/$(1)/$$(SANITIZED_HOST)/sanitized/libfal.so" $(BUILD)/$(1)/lib/$$(SONAME)
	ln -sf $$(SONAME) $(BUILD)/$(1)/lib/libfal.so

$(BUILD)/$(1)/%.o: tests/c/%.c $$(HARNESS) tests/sanitizers/rules.mk
	mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_TEST) -fsanitize=$(3) $$(SANITIZED_CFLAGS) -c $$< -o $$@

$(BUILD)/$(1)/planted.o: tests/sanitizers/planted.c $$(HARNESS) tests/sanitizers/rules.mk
	mkdir -p $$(@D)
	$$(CC) $$(CFLAGS_TEST) -fsanitize=$(3) $$(SANITIZED_CFLAGS) -c $$< -o $$@

$(BUILD)/$(1)/%: $(BUILD)/$(1)/%.o | $(1)-library
	$$(CXX) -pthread $$< -o $$@ $$(call sanitized_link,$(1))
endef
# rustc's runtime does not support C++ classes (vptr).
SANITIZED_CFLAGS = -fno-omit-frame-pointer -fno-sanitize-recover=undefined -fno-sanitize=vptr \
	-ULIBRARY -DLIBRARY='"$(ROOT)/$(@D)/lib/libfal.so"'
comma := ,
$(eval $(call sanitizer,asan,address,address$(comma)undefined,,))

# ThreadSanitizer ignores the order that an uninstrumented lock creates, so std is instrumented too.
RUST_WITH_STD := $(ROOT)/$(BUILD)/rust
$(eval $(call sanitizer,tsan,thread,thread,\
	RUSTC="$(RUST_WITH_STD)/usr/bin/rustc" LD_LIBRARY_PATH="$(RUST_WITH_STD)/usr/lib/$(shell $(CC) -print-multiarch)",\
	-Zbuild-std=std$(comma)panic_unwind))

.PHONY: rust-with-std
rust-with-std: tools
	@.ci/rust-of-debian "$(RUST_WITH_STD)"
	cp "$(RUNTIMES)/librustc-stable_rt.tsan.a" "$(RUST_WITH_STD)/usr/lib/rustlib/$(SANITIZED_HOST)/lib/"

tsan-library: rust-with-std

.SECONDARY: $(foreach of,asan tsan,$(SANITIZED_PROGRAMS:%=$(BUILD)/$(of)/%.o) $(BUILD)/$(of)/planted.o)

.PHONY: test-sanitizers
test-sanitizers: sanitized test-asan test-tsan ## the C programs under AddressSanitizer and ThreadSanitizer

# What the tests need, side by side.
.PHONY: sanitized
sanitized: tools
	$(SIDE_BY_SIDE) $(TSAN_PROGRAMS) $(ASAN_PROGRAMS)

# The fuzzer of fal.h (fuzz/api): replays the stored inputs, which call every function a few times. abuse passes junk to each.
API := $(patsubst fuzz/api/%.cpp,$(BUILD)/asan/api/%.o,$(filter-out fuzz/api/abuse.cpp,$(wildcard fuzz/api/*.cpp)))
API_INPUTS := $(wildcard fuzz/corpus/api/* fuzz/crashes/api/*)

$(BUILD)/asan/api/rows.inc: tests/abi/fal.symbols
	@mkdir -p $(@D)
	sed 's/.*/ROW(&)/' $< > $@

$(BUILD)/asan/api/%.o: fuzz/api/%.cpp $(BUILD)/asan/api/rows.inc $(wildcard fuzz/api/*.hpp) $(HARNESS)
	$(CXX) $(CXXFLAGS_TEST) -fsanitize=address,undefined $(SANITIZED_CFLAGS) -I$(BUILD)/asan/api -c $< -o $@

$(BUILD)/asan/api/replay: $(API) | asan-library
	$(CXX) -pthread $^ -o $@ $(call sanitized_link,asan)

$(BUILD)/asan/api/abuse: $(ABUSE:fuzz/api/%.cpp=$(BUILD)/asan/api/%.o) | asan-library
	$(CXX) -pthread $^ -o $@ $(call sanitized_link,asan)

# These programs leak by design: a forked child loses the memory of its parent's threads, a process that exits in the middle of
# calls loses theirs, and an unloaded library loses the statics that arc-swap keeps for each thread.
LOSES := fork rude plugin
ASAN_PROGRAMS = $(SANITIZED_PROGRAMS:%=$(BUILD)/asan/%) $(addprefix $(BUILD)/asan/,planted api/replay api/abuse cpp/suite)
.PHONY: test-asan
test-asan: emulator
	$(SIDE_BY_SIDE) $(ASAN_PROGRAMS)
	$(ISOLATED) tests/sanitizers/planted $(BUILD)/asan/planted interior freed overflow lost shift
	$(ISOLATED) tests/c/run "$(EMULATOR)" -- $(patsubst %,$(BUILD)/asan/%,$(filter-out $(LOSES),$(SANITIZED_PROGRAMS)))
	$(ISOLATED) ASAN_OPTIONS=detect_leaks=0 tests/c/run "$(EMULATOR)" -- $(LOSES:%=$(BUILD)/asan/%)
	$(ISOLATED) tests/c/run "$(EMULATOR)" -- $(BUILD)/asan/api/abuse "$(BUILD)/asan/api/replay $(API_INPUTS)" $(BUILD)/asan/cpp/suite

# Without fork, because ThreadSanitizer ends a forked child that starts a thread, and without cut, whose deadlines are too short
# for it.
WATCHED_THREADS := $(filter-out fork rude cut,$(SANITIZED_PROGRAMS))
# An absolute path, since some programs run without PATH.
TSAN := external_symbolizer_path=$(shell command -v addr2line) suppressions=$(ROOT)/tests/sanitizers/tsan.supp
TSAN_PROGRAMS := $(WATCHED_THREADS:%=$(BUILD)/tsan/%) $(BUILD)/tsan/planted
.PHONY: test-tsan
test-tsan: emulator
	$(SIDE_BY_SIDE) $(TSAN_PROGRAMS)
	$(ISOLATED) tests/sanitizers/planted $(BUILD)/tsan/planted race shared
	$(ISOLATED) TSAN_OPTIONS="$(TSAN)" tests/c/run "$(EMULATOR)" -- $(WATCHED_THREADS:%=$(BUILD)/tsan/%)
