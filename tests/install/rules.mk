# Programs that use libfal as its users get it: from the binary archive, unpacked and moved, from packages, and as a part of a CMake
# project. All share the release libraries of `make libs`.

CONSUMERS := $(ROOT)/$(BUILD)/install
UNPACKED := $(CONSUMERS)/moved/libfal
FIND := -DEXAMPLES="$(ROOT)/examples"
CONAN := $(CONSUMERS)/venv/bin/conan
RUNS = $(ISOLATED) tests/install/works "$(EMULATOR)"

.PHONY: test-install
test-install: test-headers test-find test-subproject test-beside test-debian test-conan test-vcpkg ## consumers of the installed libraries

.PHONY: install-tools
install-tools: tools
	@.ci/tools install

# The same input makes the same archive, which works wherever it is unpacked.
.PHONY: unpacked
unpacked: install-tools dist-binary
	@packaging/dist binary "$(VERSION)" "$(CONSUMERS)/again" >/dev/null
	archive=$(notdir $(BINARY))
	cmp "$(DIST)/$$archive" "$(CONSUMERS)/again/$$archive"
	rm -rf "$(CONSUMERS)/moved"
	mkdir -p "$(CONSUMERS)/moved"
	tar -xf "$(DIST)/$$archive" -C "$(CONSUMERS)/moved"
	mv "$(CONSUMERS)/moved/$$(basename "$$archive" .tar.gz)" "$(UNPACKED)"

.PHONY: test-headers
test-headers: unpacked
	@tests/install/headers "$(UNPACKED)/include" gcc g++ clang clang++

.PHONY: test-find
test-find: unpacked emulator
	@tests/install/pkgconfig "$(UNPACKED)/lib" examples/c/lighthouse.c "$(CONSUMERS)/pkgconfig"
	tests/install/cmake Ninja tests/install/find "$(CONSUMERS)/find/ninja" $(FIND) -DCMAKE_PREFIX_PATH="$(UNPACKED)"
	tests/install/cmake "Unix Makefiles" tests/install/find "$(CONSUMERS)/find/make" $(FIND) -DCMAKE_PREFIX_PATH="$(UNPACKED)" \
		-Dfal_USE_STATIC_LIBS=ON
	if ldd "$(CONSUMERS)/find/make/cpp" | grep libfal; then exit 1; fi
	$(RUNS) "$(CONSUMERS)"/pkgconfig/{shared,static} "$(CONSUMERS)"/find/{ninja,make}/{shared,static,cpp,coroutine}
	echo "install: pkg-config and find_package find both libraries"

.PHONY: test-subproject
test-subproject: install-tools libs emulator
	@export CARGO_TARGET_DIR="$(TARGET)"
	tests/install/cmake Ninja tests/install/subproject "$(CONSUMERS)/subdirectory" -DFAL="$(ROOT)" -DHOW=subdirectory
	tests/install/cmake "Unix Makefiles" tests/install/subproject "$(CONSUMERS)/fetch" -DFAL="$(ROOT)" -DHOW=fetch
	$(RUNS) "$(CONSUMERS)"/{subdirectory,fetch}/{shared,static,cpp}
	tests/install/without-cargo tests/install/subproject "$(CONSUMERS)/without" -DFAL="$(ROOT)" -DHOW=subdirectory

.PHONY: test-beside
test-beside: unpacked emulator
	@$(CARGO) build --quiet $(LOCKED) --workspace --example neighbour
	programs=$$(tests/install/beside "$(UNPACKED)" "$(TARGET)/debug/examples/libneighbour.a" "$(CONSUMERS)/beside" gcc clang)
	$(RUNS) $$programs
	echo "install: libfal.a links beside another Rust library, another ring and OpenSSL"

.PHONY: test-debian
test-debian: install-tools libs emulator
	@packaging/tree copy "$(CONSUMERS)/debian/libfal-$(VERSION)"
	tests/install/debian "$(CONSUMERS)/debian/libfal-$(VERSION)" "$(LIBRARIES)" "$(CONSUMERS)/debian/root"
	libdir="$(CONSUMERS)/debian/root/usr/lib/$$($(CC) -print-multiarch)"
	tests/install/pkgconfig "$$libdir" examples/c/lighthouse.c "$(CONSUMERS)/debian/pkgconfig"
	tests/install/cmake Ninja tests/install/find "$(CONSUMERS)/debian/find" $(FIND) -DCMAKE_PREFIX_PATH="$(CONSUMERS)/debian/root/usr"
	$(RUNS) "$(CONSUMERS)"/debian/pkgconfig/{shared,static} "$(CONSUMERS)"/debian/find/{shared,static,cpp}
	echo "install: the Debian packages can be used"

$(CONSUMERS)/venv/made: tests/install/requirements.txt
	python3 -m venv "$(CONSUMERS)/venv"
	"$(CONSUMERS)/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The recipe builds by cargo only if the package is not there, so export-pkg packages what is built. It ends by testing the package.
.PHONY: test-conan
test-conan: install-tools libs $(CONSUMERS)/venv/made
	@packaging/tree copy "$(CONSUMERS)/conan/tree"
	export CONAN_HOME="$(CONSUMERS)/conan/home" LIBRARIES="$(LIBRARIES)"
	{
		"$(CONAN)" profile detect --force
		"$(CONAN)" export-pkg "$(CONSUMERS)/conan/tree/packaging/conan"
	} > "$(CONSUMERS)/conan/log" 2>&1 || {
		cat "$(CONSUMERS)/conan/log"
		exit 1
	}
	echo "install: the Conan package can be used"

# vcpkg itself is in no package of Debian's.
.PHONY: test-vcpkg
test-vcpkg: install-tools libs emulator
	@for linkage in dynamic static; do
		folder="$(CONSUMERS)/vcpkg-$$linkage"
		rm -rf "$$folder"
		LIBRARIES="$(LIBRARIES)" cmake -DPORT="$(ROOT)/packaging/vcpkg/fal" -DPACKAGES="$$folder/packages" -DLINKAGE=$$linkage \
			-P tests/install/vcpkg.cmake
		tests/install/cmake Ninja tests/install/find "$$folder/find" $(FIND) -DCMAKE_PREFIX_PATH="$$folder/packages"
	done
	$(RUNS) "$(CONSUMERS)"/vcpkg-dynamic/find/{shared,cpp} "$(CONSUMERS)"/vcpkg-static/find/{static,cpp}
	echo "install: what the vcpkg port installs can be used"

# Builds the source archive where no network and no crate of this machine can be reached, by the profile that takes the least time.
.PHONY: test-dist
test-dist: tools dist-source ## the source archive builds without a network
	@tests/install/offline "$(SOURCE)" "$(CONSUMERS)/offline"
