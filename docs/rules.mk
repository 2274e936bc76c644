# The documentation site, in build/site. A warning is an error: a link to nothing, a page outside the navigation, a name that is not
# in the package. tests/python/test_docs.py runs the samples.

SITE_TOOLS := $(ROOT)/$(BUILD)/venv-docs

$(SITE_TOOLS)/made: docs/requirements.txt
	python3 -m venv "$(SITE_TOOLS)"
	"$(SITE_TOOLS)/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The search needs it where a browser gives the pages of a folder no worker.
SITE_SCRIPTS := $(ROOT)/$(BUILD)/npm-docs

$(SITE_SCRIPTS)/made: docs/rules.mk
	npm install --prefix "$(SITE_SCRIPTS)" --no-save --ignore-scripts --loglevel=error --no-audit --no-fund iframe-worker@1.0.4
	touch $@

.PHONY: docs
docs: tools $(SITE_TOOLS)/made $(SITE_SCRIPTS)/made ## the documentation site, in build/site/index.html
	tests/header/documented
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet $(LOCKED) --workspace --no-deps
	rm -rf "$(BUILD)/doc/rust"
	cp -r "$(TARGET)/doc" "$(BUILD)/doc/rust"
	NO_MKDOCS_2_WARNING=1 "$(SITE_TOOLS)/bin/mkdocs" build --quiet
	echo "site: $(BUILD)/site/index.html"
