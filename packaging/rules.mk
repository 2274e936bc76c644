# The C libraries: building, installing, archives, and the description of their ABI.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
CMAKEDIR ?= $(LIBDIR)/cmake/fal
LICENSEDIR ?= $(PREFIX)/share/licenses/fal
DESTDIR ?=
# A nested make installs where it is told to. After the definitions, since make takes a name in this list for defined.
unexport PREFIX BINDIR LIBDIR INCLUDEDIR CMAKEDIR LICENSEDIR DESTDIR

# Cargo features in addition to the default ones, such as FEATURES=keyring.
FEATURES ?=
NATIVE := $(LIBRARIES)/native-static-libs

.PHONY: libs
libs: ## FEATURES=: libfal.so and libfal.a, in target/release/lib
	@CARGO="$(CARGO)" packaging/build "$(TARGET)" release "$(FEATURES)"
	CARGO="$(CARGO)" packaging/notices libfal "$(FEATURES)" > "$(RELEASE)/lib/THIRD-PARTY"

$(RELEASE)/lib/libfal.so $(RELEASE)/lib/libfal.a: libs
	@:

# WITH_EMULATOR=1 installs the emulator beside the libraries.
WITH_EMULATOR ?=

.PHONY: install
install: libs install-built $(if $(WITH_EMULATOR),install-emulator) ## PREFIX=/usr/local LIBDIR= INCLUDEDIR= DESTDIR= FEATURES= WITH_EMULATOR=: headers, libraries, pkg-config, CMake, licences

.PHONY: install-emulator
install-emulator: ## PREFIX=/usr/local BINDIR= DESTDIR=: the program fal-emulator and the licences of its crates
	@$(CARGO) build --quiet $(LOCKED) --release -p fal-emulator
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LICENSEDIR)-emulator"
	install -m 755 -s "$(RELEASE)/fal-emulator" "$(DESTDIR)$(BINDIR)"
	install -m 644 LICENSE-* "$(DESTDIR)$(LICENSEDIR)-emulator"
	CARGO="$(CARGO)" packaging/notices fal-emulator "" > "$(DESTDIR)$(LICENSEDIR)-emulator/THIRD-PARTY"

# The paths in the files for pkg-config and CMake are relative, so that the installed tree can be moved.
from = $(shell realpath -m -s --relative-to="$(1)" "$(2)")
filled = sed -e 's|@PREFIX@|$(call from,$(1),$(PREFIX))|' -e 's|@LIBDIR@|$(call from,$(PREFIX),$(LIBDIR))|' \
	-e 's|@INCLUDEDIR@|$(call from,$(PREFIX),$(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|'

# Installs the libraries in LIBRARIES and builds nothing. THIRD-PARTY is what every dependency demands of those who pass its code on.
.PHONY: install-built
install-built:
	@native=$$(cat "$(NATIVE)")
	install -d "$(DESTDIR)$(INCLUDEDIR)/fal" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(CMAKEDIR)" "$(DESTDIR)$(LICENSEDIR)"
	install -C -m 644 include/fal/*.h* "$(DESTDIR)$(INCLUDEDIR)/fal"
	install -m 644 LICENSE-* "$(LIBRARIES)/THIRD-PARTY" "$(DESTDIR)$(LICENSEDIR)"
	install -C -m 755 "$(LIBRARIES)/libfal.so.$(VERSION)" "$(DESTDIR)$(LIBDIR)"
	ln -sf libfal.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libfal.so"
	install -C -m 644 "$(LIBRARIES)/libfal.a" "$(DESTDIR)$(LIBDIR)"
	$(call filled,$(LIBDIR)/pkgconfig) -e 's|@LIBS@|-L$${libdir} -lfal|' packaging/fal.pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/fal.pc"
	$(call filled,$(LIBDIR)/pkgconfig) -e "s|@LIBS@|\$${libdir}/libfal.a $$native|" packaging/fal.pc.in \
		> "$(DESTDIR)$(LIBDIR)/pkgconfig/fal-static.pc"
	for file in falConfig.cmake falConfigVersion.cmake; do
		$(call filled,$(CMAKEDIR)) -e "s|@NATIVE@|$$native|" packaging/cmake/$$file.in > "$(DESTDIR)$(CMAKEDIR)/$$file"
	done
	install -m 644 packaging/cmake/falTargets.cmake "$(DESTDIR)$(CMAKEDIR)"
	chmod 644 "$(DESTDIR)$(LIBDIR)"/pkgconfig/fal{,-static}.pc "$(DESTDIR)$(CMAKEDIR)"/falConfig{,Version}.cmake

.PHONY: uninstall
uninstall: ## PREFIX=/usr/local LIBDIR= INCLUDEDIR= BINDIR= DESTDIR=: remove what install installs
	rm -rf "$(DESTDIR)$(BINDIR)/fal-emulator" "$(DESTDIR)$(LICENSEDIR)-emulator" "$(DESTDIR)$(INCLUDEDIR)/fal" "$(DESTDIR)$(LIBDIR)"/libfal.{a,so,so.*} "$(DESTDIR)$(LIBDIR)"/pkgconfig/fal{,-static}.pc \
		"$(DESTDIR)$(CMAKEDIR)" "$(DESTDIR)$(LICENSEDIR)"

DIST := $(ROOT)/$(BUILD)/dist
SOURCE := $(DIST)/libfal-$(VERSION).tar.gz
BINARY := $(DIST)/libfal-$(VERSION)-linux-$(shell uname -m).tar.gz
.PHONY: dist dist-source dist-binary
dist: dist-source dist-binary ## the archives of a release, in build/dist
dist-source: ## a source archive that builds without a network
	@CARGO="$(CARGO)" packaging/dist source "$(VERSION)" "$(DIST)"
dist-binary: libs ## FEATURES=: headers and libraries, to be unpacked anywhere
	@packaging/dist binary "$(VERSION)" "$(DIST)"

.PHONY: abi
abi: ## write the description of the ABI that fal.h declares
	@.ci/tools abi
	tests/abi/describe include/fal/fal.h > tests/abi/fal.abi

.PHONY: abi-check
abi-check: ## whether programs built with the committed ABI still run
	@.ci/tools abi
	tests/abi/compare include/fal/fal.h
	tests/abi/doctored include/fal/fal.h
