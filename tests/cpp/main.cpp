// The framework, compiled once. Before each test, the emulator forgets faults and requests.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <fal/fal.hpp>

#include <control.h>

namespace {

struct fresh_emulator : doctest::IReporter {
    explicit fresh_emulator(const doctest::ContextOptions &) {}

    void test_case_start(const doctest::TestCaseData &) override { control_reset(); }

    void report_query(const doctest::QueryData &) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats &) override {}
    void test_case_reenter(const doctest::TestCaseData &) override {}
    void test_case_end(const doctest::CurrentTestCaseStats &) override {}
    void test_case_exception(const doctest::TestCaseException &) override {}
    void subcase_start(const doctest::SubcaseSignature &) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData &) override {}
    void log_message(const doctest::MessageData &) override {}
    void test_case_skipped(const doctest::TestCaseData &) override {}
};

} // namespace

REGISTER_LISTENER("fresh emulator", 1, fresh_emulator);
