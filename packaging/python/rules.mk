# The wheels and the source distribution of the Python package, and the wheels of the emulator: in build/dist/python.

DISTRIBUTIONS := $(DIST)/python
WHEEL_TOOLS := $(ROOT)/$(BUILD)/venv-wheels
# rustc knows the first; for the others it needs a standard library, which is built if rustup has none.
WHEEL_TARGETS ?= x86_64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-gnu aarch64-unknown-linux-musl

$(WHEEL_TOOLS)/made: packaging/python/requirements.txt
	python3 -m venv "$(WHEEL_TOOLS)"
	"$(WHEEL_TOOLS)/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: wheels
wheels: sdist $(WHEEL_TOOLS)/made ## WHEEL_TARGETS=: the wheels of libfal and of the emulator for other Linux systems, and sdist, in build/dist/python
	@export PATH="$(WHEEL_TOOLS)/bin:$$PATH" CARGO="$(CARGO)" RUST_WITH_STD="$(RUST_WITH_STD)"
	for target in $(WHEEL_TARGETS); do
		packaging/python/wheel bindings/python libfal-python keyring $$target "$(DISTRIBUTIONS)"
		packaging/python/wheel tests/emulator fal-emulator "" $$target "$(DISTRIBUTIONS)"
	done
	tests/wheels/check "$(DISTRIBUTIONS)"/*.whl

.PHONY: sdist
sdist: $(VENV)/made ## the source distribution of the Python package, in build/dist/python
	@mkdir -p "$(DISTRIBUTIONS)"
	"$(VENV)/bin/maturin" sdist --manifest-path bindings/python/Cargo.toml --out "$(DISTRIBUTIONS)" > "$(BUILD)/sdist.log" 2>&1 || {
		cat "$(BUILD)/sdist.log"
		exit 1
	}
	tests/wheels/sources "$(DISTRIBUTIONS)/libfal-$(VERSION).tar.gz"
