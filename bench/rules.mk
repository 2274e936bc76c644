# libfal as a user gets it, beside the clients that do the same work. See bench/README.md.

BENCH := $(ROOT)/$(BUILD)/bench
BENCH_C := $(addprefix $(BENCH)/, libfal-c curl-c raw-c)
BENCH_CFLAGS := -std=c11 -O2 $(WARNINGS) -D_GNU_SOURCE -Iinclude

$(BENCH)/libfal.so: libs
	@mkdir -p "$(BENCH)"
	install -m 755 "$(RELEASE)/libfal.so" "$(BENCH)/$(SONAME)"
	install -m 644 "$(RELEASE)/libfal.a" "$(BENCH)/libfal.a"
	ln -sf $(SONAME) "$@"

$(BENCH)/libfal-c: bench/c/libfal.c bench/c/measure.h $(BENCH)/libfal.so
	$(CC) $(BENCH_CFLAGS) $< -o $@ -L"$(BENCH)" -lfal

$(BENCH)/curl-c: bench/c/curl.c bench/c/measure.h
	@mkdir -p "$(BENCH)"
	.ci/tools bench
	$(CC) $(BENCH_CFLAGS) $< -o $@ -lcurl

$(BENCH)/raw-c: bench/c/raw.c bench/c/measure.h
	@mkdir -p "$(BENCH)"
	$(CC) $(BENCH_CFLAGS) $< -o $@

$(BENCH)/venv/made: bench/python/requirements.txt
	@mkdir -p "$(BENCH)"
	python3 -m venv "$(BENCH)/venv"
	"$(BENCH)/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: bench-programs
bench-programs: tools libs $(BENCH_C) $(BENCH)/venv/made
	$(CARGO) build --quiet $(LOCKED) --release -p fal-bench
	install -m 755 "$(RELEASE)/bench-server" "$(RELEASE)/bench-peer" "$(BENCH)"

# The parts of bench/run.py; none is all of them.
BENCH_PARTS ?=
.PHONY: bench bench-c bench-python bench-memory
bench: wheel bench-programs ## BENCH_PARTS=: libfal beside its peers, into bench/results.md
	@"$(BENCH)/venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$(BUILD)"/wheels/*.whl
	"$(BENCH)/venv/bin/python" bench/run.py "$(BENCH)" "$(BENCH)/venv" $(BENCH_PARTS)

bench-c: BENCH_PARTS := c tls growth ## the C programs only
bench-c: bench
bench-python: BENCH_PARTS := python start ## the Python programs only
bench-python: bench
bench-memory: BENCH_PARTS := counts size ## instructions, allocations and sizes only
bench-memory: bench
