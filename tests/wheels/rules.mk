# The wheels and the source distribution as users get them.

WHEELS_USED := $(ROOT)/$(BUILD)/wheels-used

# After `make wheels`. Installs nothing but these files and, from the registry, pytest.
.PHONY: test-wheels
test-wheels: tools ## after make wheels: the wheels and sdist as a user installs them
	@tests/wheels/check "$(DISTRIBUTIONS)"/*.whl
	tests/wheels/sources "$(DISTRIBUTIONS)/libfal-$(VERSION).tar.gz"
	$(ISOLATED) tests/wheels/installed python3 "$(DISTRIBUTIONS)" "$(WHEELS_USED)"
	$(ISOLATED_RUST) tests/wheels/from-source "$(DISTRIBUTIONS)/libfal-$(VERSION).tar.gz" "$(DISTRIBUTIONS)" "$(WHEELS_USED)"

# One debug wheel for all. What a version cannot install, such as tools that need a newer Python, it goes without.
PYTHONS ?= $(wildcard $(addprefix $(HOME)/.pyenv/versions/,3.9.*/bin/python 3.1[0-9].*/bin/python))
test-pythons: WHEEL_PROFILE := dev
.PHONY: test-pythons
test-pythons: wheel emulator ## PYTHONS=: the Python tests on each CPython
	@$(ISOLATED) FAL_EMULATOR_BIN="$(EMULATOR)" tests/wheels/pythons "$(BUILD)"/wheels/*.whl "$(BUILD)/pythons" $(PYTHONS)
