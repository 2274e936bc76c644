# The C++ suite: a specification of fal.hpp that runs. It is built by each compiler, with another standard by each.

CXX_SUITE := $(basename $(notdir $(wildcard tests/cpp/*.cpp)))
CXX_HEADERS := $(wildcard include/fal/*.h*) $(wildcard tests/cpp/*.hpp) $(HARNESS) tests/cpp/rules.mk $(INSTALLED)/lib/libfal.so
# The helpers of the C programs are included as a system's, because they are C.
CXXFLAGS_SUITE := $(filter-out -std=% -O%,$(CFLAGS_INSTALLED)) -O0 -Wshadow -Wold-style-cast -isystem tests/c
SUITES := $(BUILD)/cpp/gcc/shared $(BUILD)/cpp/gcc/static $(BUILD)/cpp/clang/shared

.PHONY: test-cpp
test-cpp: tools emulator ## fal.hpp: the C++ suite, with gcc and clang, both libraries and valgrind
	$(SIDE_BY_SIDE) $(SUITES) $(BUILD)/cpp/modes $(BUILD)/cpp/cost
	tests/cpp/complete include/fal/fal.h include/fal/fal.hpp
	tests/cpp/alone "$(CXX)" "$(CLANG)++" -- $(WARNINGS) -Wshadow -Wold-style-cast -Iinclude
	tests/cpp/refused "$(CXX)" "$(CLANG)++"
	$(ISOLATED) tests/c/run "$(EMULATOR)" -- $(SUITES) $(BUILD)/cpp/modes
	$(ISOLATED) "$(EMULATOR)" exec -- $(MEMCHECK) $(BUILD)/cpp/gcc/shared --minimal
	tests/cpp/cost/compare $(BUILD)/cpp/cost

# $(call compiled,COMPILER AND FLAGS,FOLDER): all files of the suite, as many at once as there are processors.
compiled = mkdir -p $(2) && printf '%s\n' $(CXX_SUITE) | xargs -P "$$(nproc)" -I{} $(1) -c tests/cpp/{}.cpp -o $(2)/{}.o

$(BUILD)/cpp/gcc/objects: $(wildcard tests/cpp/*.cpp) $(CXX_HEADERS)
	$(call compiled,$(CXX) -std=c++17 $(CXXFLAGS_SUITE),$(@D))
	touch $@

$(BUILD)/cpp/clang/objects: $(wildcard tests/cpp/*.cpp) $(CXX_HEADERS)
	$(call compiled,$(CLANG)++ -std=c++20 $(CXXFLAGS_SUITE),$(@D))
	touch $@

$(BUILD)/cpp/%/shared: $(BUILD)/cpp/%/objects
	$(CXX) -pthread $(CXX_SUITE:%=$(@D)/%.o) -o $@ $(SHARED_FAL)

$(BUILD)/cpp/%/static: $(BUILD)/cpp/%/objects
	$(CXX) -pthread $(CXX_SUITE:%=$(@D)/%.o) -o $@ $(STATIC_FAL)

# A part without exceptions and one with them, by different standards, in one program.
$(BUILD)/cpp/modes: tests/cpp/modes/first.cpp tests/cpp/modes/second.cpp $(CXX_HEADERS)
	mkdir -p $(@D)/parts
	$(CXX) -std=c++17 $(CXXFLAGS_SUITE) -fno-exceptions -fno-rtti -c tests/cpp/modes/first.cpp -o $(@D)/parts/first.o
	$(CXX) -std=c++20 $(CXXFLAGS_SUITE) -c tests/cpp/modes/second.cpp -o $(@D)/parts/second.o
	$(CXX) -pthread $(@D)/parts/*.o -o $@ $(SHARED_FAL)

$(BUILD)/cpp/cost: tests/cpp/cost/cost.cpp $(CXX_HEADERS)
	mkdir -p $(@D)
	$(CXX) -std=c++17 $(CXXFLAGS_SUITE) -O2 $< -o $@ $(SHARED_FAL)

# For the sanitizers.
$(BUILD)/asan/cpp/suite: $(wildcard tests/cpp/*.cpp) $(CXX_HEADERS) | asan-library
	$(call compiled,$(CXX) -std=c++23 $(CXXFLAGS_SUITE) -fsanitize=address$(comma)undefined $(SANITIZED_CFLAGS),$(@D))
	$(CXX) -pthread $(CXX_SUITE:%=$(@D)/%.o) -o $@ $(call sanitized_link,asan)
