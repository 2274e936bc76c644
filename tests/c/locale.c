/* A host whose locale writes numbers with a decimal comma, set before or during calls: JSON keeps its point. */

#include <locale.h>

#include "calls.h"

static char folder[] = "/tmp/fal-locale-XXXXXX";

/* Makes the locale in a folder of the test, because few systems have it. */
static void make_locale(void)
{
    char command[128];
    if (!mkdtemp(folder))
        control_die(folder);
    snprintf(command, sizeof command, "localedef --no-archive -i de_DE -f UTF-8 %s/de_DE.UTF-8", folder);
    if (system(command) != 0)
        control_die(command);
    setenv("LOCPATH", folder, 1);
}

static void remove_locale(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_INT(system(command), 0);
}

static void numbers_have_a_comma(void)
{
    char number[16];
    snprintf(number, sizeof number, "%.1f", 0.5);
    CHECK_TEXT(number, "0,5");
}

static void calls_of_every_kind(void)
{
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    make_locale();
    CHECK_TEXT(setlocale(LC_ALL, "de_DE.UTF-8"), "de_DE.UTF-8");
    numbers_have_a_comma();
    for (int i = 0; i < CALLS; i++)
        calls[i].make(client);
    fal_error *err = NULL;
    CHECK_FAILS(fal_request_set_json(request, "a", FAL_NUL, "0,5", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_request_set_json(request, "a", FAL_NUL, "1e5", FAL_NUL, &err));
    numbers_have_a_comma();
    CHECK_TEXT(setlocale(LC_ALL, NULL), "de_DE.UTF-8");
    fal_request_free(request);
    fal_client_release(client);
    remove_locale();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(calls_of_every_kind)};
    return RUN_TESTS(tests, control_reset);
}
