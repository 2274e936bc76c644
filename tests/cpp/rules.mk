# The C++ suite: a specification of fal.hpp that runs. It is built by each compiler, with another standard by each.

CLANG := clang++
CXX_SUITE := $(basename $(notdir $(wildcard tests/cpp/*.cpp)))
CXX_HEADERS := $(wildcard include/fal/*.h*) $(wildcard tests/cpp/*.hpp) $(HARNESS) tests/cpp/rules.mk
# The helpers of the C programs are included as a system's, because they are C.
CXXFLAGS_SUITE := $(filter-out -std=% -O%,$(CFLAGS_TEST)) -O0 -Wshadow -Wold-style-cast -isystem tests/c
SUITES := $(BUILD)/cpp/gcc/shared $(BUILD)/cpp/gcc/static $(BUILD)/cpp/clang/shared

.PHONY: test-cpp
test-cpp: tools emulator $(SUITES) $(BUILD)/cpp/modes $(BUILD)/cpp/cost ## fal.hpp: the C++ suite, with gcc and clang, both libraries and valgrind
	tests/cpp/complete include/fal/fal.h include/fal/fal.hpp
	tests/cpp/alone "$(CXX)" "$(CLANG)" -- $(WARNINGS) -Wshadow -Wold-style-cast -Iinclude
	tests/cpp/refused "$(CXX)" "$(CLANG)"
	$(ISOLATED) tests/c/run "$(EMULATOR)" $(SUITES) $(BUILD)/cpp/modes
	$(ISOLATED) "$(EMULATOR)" exec -- valgrind --quiet --error-exitcode=9 --leak-check=full \
		--suppressions=tests/c/valgrind.supp --show-leak-kinds=definite --errors-for-leak-kinds=definite \
		$(BUILD)/cpp/gcc/shared --minimal
	tests/cpp/cost/compare $(BUILD)/cpp/cost

$(BUILD)/cpp/gcc/%.o: tests/cpp/%.cpp $(CXX_HEADERS)
	mkdir -p $(@D)
	$(CXX) -std=c++17 $(CXXFLAGS_SUITE) -c $< -o $@

$(BUILD)/cpp/clang/%.o: tests/cpp/%.cpp $(CXX_HEADERS)
	mkdir -p $(@D)
	$(CLANG) -std=c++20 $(CXXFLAGS_SUITE) -c $< -o $@

$(BUILD)/cpp/%/shared: $(BUILD)/c/shared/lib/libfal.so
	$(CXX) -pthread $(filter %.o,$^) -o $@ -L$(BUILD)/c/shared/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/c/shared/lib

$(BUILD)/cpp/%/static: $(RELEASE)/libfal.a
	$(CXX) -pthread $(filter %.o,$^) -o $@ $(RELEASE)/libfal.a $$(cat $(NATIVE))

$(BUILD)/cpp/gcc/shared $(BUILD)/cpp/gcc/static: $(CXX_SUITE:%=$(BUILD)/cpp/gcc/%.o)
$(BUILD)/cpp/clang/shared: $(CXX_SUITE:%=$(BUILD)/cpp/clang/%.o)

# A part without exceptions and one with them, by different standards, in one program.
$(BUILD)/cpp/modes: tests/cpp/modes/first.cpp tests/cpp/modes/second.cpp $(CXX_HEADERS) $(BUILD)/c/shared/lib/libfal.so
	mkdir -p $(@D)/parts
	$(CXX) -std=c++17 $(CXXFLAGS_SUITE) -fno-exceptions -fno-rtti -c tests/cpp/modes/first.cpp -o $(@D)/parts/first.o
	$(CXX) -std=c++20 $(CXXFLAGS_SUITE) -c tests/cpp/modes/second.cpp -o $(@D)/parts/second.o
	$(CXX) -pthread $(@D)/parts/*.o -o $@ -L$(BUILD)/c/shared/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/c/shared/lib

$(BUILD)/cpp/cost: tests/cpp/cost/cost.cpp $(CXX_HEADERS) $(BUILD)/c/shared/lib/libfal.so
	mkdir -p $(@D)
	$(CXX) -std=c++17 $(CXXFLAGS_SUITE) -O2 $< -o $@ -L$(BUILD)/c/shared/lib -lfal -Wl,-rpath,$(ROOT)/$(BUILD)/c/shared/lib

# With every access to memory watched.
.PHONY: test-asan-cpp
test-sanitizers: test-asan-cpp
test-asan-cpp: asan-library emulator $(BUILD)/asan/cpp/suite
	$(ISOLATED) tests/c/run "$(EMULATOR)" $(BUILD)/asan/cpp/suite

$(BUILD)/asan/cpp/%.o: tests/cpp/%.cpp $(CXX_HEADERS)
	mkdir -p $(@D)
	$(CXX) -std=c++20 $(CXXFLAGS_SUITE) -fsanitize=address,undefined $(SANITIZED_CFLAGS) -c $< -o $@

$(BUILD)/asan/cpp/suite: $(CXX_SUITE:%=$(BUILD)/asan/cpp/%.o) | asan-library
	$(CXX) -pthread $^ -o $@ $(call sanitized_link,asan)
