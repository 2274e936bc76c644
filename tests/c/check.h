/* The test harness: counts checks, names tests, and prints one line for each program. */

#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fal/fal.h>

struct test {
    const char *name;
    void (*run)(void);
};

static int check_passed;
static int check_failed;
static const char *check_test = "";

/* Records a check; any thread may call it. Returns the condition, so that a test can stop early. */
static inline bool check_record(bool holds, const char *file, int line, const char *what, const char *detail)
{
    (void)__sync_fetch_and_add(holds ? &check_passed : &check_failed, 1);
    if (!holds)
        fprintf(stderr, "%s:%d: %s: %s%s%s\n", file, line, check_test, what, *detail ? "\n    " : "", detail);
    return holds;
}

static inline bool check_int(long long actual, long long expected, const char *file, int line, const char *what)
{
    char detail[80];
    snprintf(detail, sizeof detail, "%lld instead of %lld", actual, expected);
    return check_record(actual == expected, file, line, what, actual == expected ? "" : detail);
}

static inline bool check_text(const char *actual, const char *expected, const char *file, int line, const char *what)
{
    bool same = actual && expected ? strcmp(actual, expected) == 0 : actual == expected;
    return check_record(same, file, line, what, same ? "" : actual ? actual : "(NULL)");
}

static inline bool check_part(const char *text, const char *part, bool wanted, const char *file, int line,
                              const char *what)
{
    bool holds = text && (strstr(text, part) != NULL) == wanted;
    return check_record(holds, file, line, what, holds ? "" : text ? text : "(NULL)");
}

/* Checks that the returned status and the error agree. Does not free the error. */
static inline bool check_status(fal_status actual, fal_status expected, fal_error *err, const char *file, int line,
                                const char *what)
{
    char detail[1024];
    snprintf(detail, sizeof detail, "%s instead of %s: %s", fal_status_name(actual), fal_status_name(expected),
             err ? fal_error_message(err, NULL) : "no error");
    bool agree = actual >= 0 ? err == NULL : fal_error_code(err) == actual;
    return check_record(actual == expected && agree, file, line, what, actual == expected && agree ? "" : detail);
}

#define CHECK(condition) check_record((condition) ? true : false, __FILE__, __LINE__, #condition, "")
#define CHECK_INT(actual, expected) \
    check_int((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual " == " #expected)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), __FILE__, __LINE__, #actual " is " #expected)
#define CHECK_HAS(text, part) check_part((text), (part), true, __FILE__, __LINE__, #text " has " #part)
#define CHECK_LACKS(text, part) check_part((text), (part), false, __FILE__, __LINE__, #text " lacks " #part)

/* For calls whose last argument is &err, where err is a variable of the test. The call is evaluated once; err is not freed. */
#define CHECK_STATUS(call, expected) check_status_of((call), (expected), &err, __FILE__, __LINE__, #call)
#define CHECK_OK(call) check_status_of((call), FAL_OK, &err, __FILE__, __LINE__, #call)
/* Like CHECK_STATUS, but frees the error. */
#define CHECK_FAILS(call, expected) check_fails((call), (expected), &err, __FILE__, __LINE__, #call)

static inline bool check_status_of(fal_status actual, fal_status expected, fal_error **err, const char *file, int line,
                                   const char *what)
{
    return check_status(actual, expected, *err, file, line, what);
}

static inline bool check_fails(fal_status actual, fal_status expected, fal_error **err, const char *file, int line,
                               const char *what)
{
    bool holds = check_status(actual, expected, *err, file, line, what);
    fal_error_free(*err);
    *err = NULL;
    return holds;
}

/* Runs the tests whose names contain the first argument, or all tests without one. */
static inline int check_main(int argc, char **argv, const struct test *tests, size_t count, void (*before)(void))
{
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1]))
            continue;
        check_test = tests[i].name;
        int failed_before = check_failed;
        if (before)
            before();
        tests[i].run();
        if (check_failed != failed_before)
            fprintf(stderr, "FAILED %s\n", tests[i].name);
    }
    const char *slash = strrchr(argv[0], '/');
    printf("%-12s %6d passed, %d failed\n", slash ? slash + 1 : argv[0], check_passed, check_failed);
    return check_failed == 0 && check_passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define TEST(function) {#function, function}
#define RUN_TESTS(tests, before) check_main(argc, argv, (tests), sizeof(tests) / sizeof *(tests), (before))

#endif
