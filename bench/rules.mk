# libfal as a user gets it, beside the clients that do the same work. See bench/README.md.

BENCH := $(ROOT)/$(BUILD)/bench
BENCH_LIBFAL := $(addprefix $(BENCH)/, libfal-c poll-c subscribe-c waiting-c transfer-c)
BENCH_CFLAGS := -std=c11 -O2 $(WARNINGS) -D_GNU_SOURCE -Iinclude

$(BENCH)/libfal.so: libs
	@mkdir -p "$(BENCH)"
	install -m 755 "$(LIBRARIES)/libfal.so" "$(BENCH)/$(SONAME)"
	install -m 644 "$(LIBRARIES)/libfal.a" "$(BENCH)/libfal.a"
	ln -sf $(SONAME) "$@"

$(BENCH_LIBFAL): $(BENCH)/%-c: bench/c/%.c bench/c/client.h bench/c/measure.h $(BENCH)/libfal.so
	$(CC) $(BENCH_CFLAGS) $< -o $@ -L"$(BENCH)" -lfal

$(BENCH)/curl-c: bench/c/curl.c bench/c/measure.h
	@mkdir -p "$(BENCH)"
	.ci/tools bench
	$(CC) $(BENCH_CFLAGS) $< -o $@ -lcurl

$(BENCH)/raw-c $(BENCH)/process-c: $(BENCH)/%-c: bench/c/%.c bench/c/measure.h
	@mkdir -p "$(BENCH)"
	$(CC) $(BENCH_CFLAGS) $< -o $@

$(BENCH)/venv/made: bench/python/requirements.txt
	@mkdir -p "$(BENCH)"
	python3 -m venv "$(BENCH)/venv"
	"$(BENCH)/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: bench-programs
bench-programs: tools libs $(BENCH_LIBFAL) $(BENCH)/curl-c $(BENCH)/raw-c $(BENCH)/process-c $(BENCH)/venv/made

.PHONY: bench-peers
bench-peers:
	@mkdir -p "$(BENCH)"
	$(CARGO) build --quiet $(LOCKED) --target-dir "$(BENCH)/target" --profile peers -p fal-bench
	install -m 755 "$(BENCH)/target/peers/bench-server" "$(BENCH)/target/peers/bench-peer" "$(BENCH)"

# The peers beside libfal, because the optimizer of a whole program uses one core.
.PHONY: bench-build
bench-build: tools
	@$(MAKE) --no-print-directory bench-peers & peers=$$!
	trap 'kill $$peers 2>/dev/null || true' EXIT
	$(MAKE) --no-print-directory wheel bench-programs
	wait $$peers

# The parts of bench/run.py; none is all of them. The results of other parts stay.
BENCH_PARTS ?=
.PHONY: bench bench-c bench-python bench-memory
bench: bench-build ## BENCH_PARTS=: libfal beside its peers, into bench/results.md
	@"$(BENCH)/venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$(BUILD)"/wheels/*.whl
	"$(BENCH)/venv/bin/python" -B bench/run.py "$(BENCH)" "$(BENCH)/venv" $(BENCH_PARTS)

bench-c: BENCH_PARTS := c tls growth polling transfer ## the C programs only
bench-c: bench
bench-python: BENCH_PARTS := python start ## the Python programs only
bench-python: bench
bench-memory: BENCH_PARTS := counts queue size ## instructions, allocations, memory and sizes only
bench-memory: bench
