"""libfal and the official CLI share the configuration file: each reads what the other wrote.

    python tests/official/config_roundtrip.py target/debug/libfal.so

Runs where `fal` of requirements.txt is installed. Uses no network.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tomli
from fal.config import Config

KEY = "fake-id:fake-secret-1"

# Files as users and the CLI write them. Each must be valid TOML 1.0, since the CLI reads nothing else.
FILES = {
    "nothing": "",
    "comments": "# mine\n\n[a] # first\nkey = 'other:fake-secret-2' # old\n# end\n",
    "windows": "[a]\r\nkey = 'other:fake-secret-2'\r\n\r\n[__internal__]\r\nprofile = 'a'\r\n",
    "inline": "team = { host = 'h', n = [1, {x = 2}] }\n[a]\n",
    "inline, with a key": "team = { key = 'old:fake-secret-3', host = 'h' }\n",
    "dotted": "team.host = 'h'\nother.key = 'x'\n[a]\n",
    "only a part of it": "[team.part]\nx = 1\n\n[a]\n",
    "settings": "check_updates = false\nwhen = 1979-05-27T07:32:00Z\n[a]\nf = 1e3\ni = 0x10\n",
    "multi-line": '[a]\ntext = """\n[team]\nkey = "no"\n"""\n[team]\nkey = """\\\n  old:fake-secret-4"""\n',
    "no line end": "[team]\nhost = 'h'",
    "a team is chosen": "[__internal__]\nteam = 'crew'\n\n[team]\n",
}
NAMES = ["team", "with space", 'quo"te\\', "größe", "a.b"]

checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"config_roundtrip: {what}")


class Library:
    """The key store of libfal, called through the C interface."""

    NUL = ctypes.c_size_t(-1)

    def __init__(self, path, config):
        self.lib = ctypes.CDLL(os.path.abspath(path))
        for name in ("fal_options_new", "fal_error_message", "fal_profiles_name", "fal_profiles_key_id"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.options = ctypes.c_void_p(self.lib.fal_options_new())
        self.call("fal_options_set_config_path", str(config).encode(), self.NUL)

    def call(self, function, *arguments):
        error = ctypes.c_void_p()
        if getattr(self.lib, function)(self.options, *arguments, ctypes.byref(error)) != 0:
            message = ctypes.string_at(self.lib.fal_error_message(error, None)).decode()
            sys.exit(f"config_roundtrip: {function}: {message}")

    def store(self, profile, key, activate):
        self.call("fal_profiles_store_key", profile.encode(), self.NUL, key.encode(), self.NUL, activate)

    def remove(self, profile):
        self.call("fal_profiles_remove_key", profile.encode(), self.NUL)

    def profiles(self):
        """Returns {name: (key id, active)}, in the order of the file."""
        profiles = ctypes.c_void_p()
        self.call("fal_profiles_list", ctypes.byref(profiles))

        def text(function, index):
            found = getattr(self.lib, function)(profiles, ctypes.c_size_t(index), None)
            return None if found is None else ctypes.string_at(found).decode()

        def active(index):
            return bool(self.lib.fal_profiles_is_active(profiles, ctypes.c_size_t(index)) & 1)

        listed = {
            text("fal_profiles_name", index): (text("fal_profiles_key_id", index), active(index))
            for index in range(self.lib.fal_profiles_count(profiles))
        }
        self.lib.fal_profiles_free(profiles)
        return listed


def cli_reads_what_libfal_wrote(library, config, before, name):
    old = tomli.loads(before)
    library.store(name, KEY, True)
    new = tomli.loads(config.read_bytes().decode())
    old.setdefault(name, {})["key"] = KEY
    old.setdefault("__internal__", {})["profile"] = name
    check(new == old, f"{config.read_text()!r} says more, or less, than {before!r} and the key")
    read = Config()
    check(read.profile == name and read.get("key") == KEY, f"the CLI does not find the key in {config.read_text()!r}")
    check(Config(profile=name).get("key") == KEY, "the CLI does not find the profile by its name")


def libfal_reads_what_the_cli_wrote(library, config, name):
    with Config().edit() as cli:
        cli._config["from-cli"] = {}
        cli.set_internal("profile", "from-cli")
        cli._profile = "from-cli"
        cli.set("key", "cli-id:fake-secret-5")
    listed = library.profiles()
    check(listed[name] == ("fake-id", False), f"libfal lost {name}: {listed}")
    check(listed["from-cli"] == ("cli-id", True), f"libfal does not see the CLI's profile: {listed}")
    rewritten = config.read_text()
    library.store("again", KEY, False)
    library.remove("again")
    check(config.read_text() == rewritten, "storing and removing changed what the CLI wrote")
    library.remove(name)
    check(Config(profile=name).get("key") is None, "the CLI still finds a key that was removed")
    check(Config().get("key") == "cli-id:fake-secret-5", "the CLI lost its own key")


def the_program_itself_agrees(library, config):
    """`fal profile`, as a user runs it."""

    def fal(*arguments):
        command = [sys.executable, "-m", "fal", "profile", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        check(done.returncode == 0, f"fal profile {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    # Otherwise the program would look for its newest version on the network.
    config.write_text("check_updates = false\n")
    library.store("one", KEY, True)
    library.store("two", "two-id:fake-secret-6", False)
    listed = json.loads(fal("list", "--output", "json"))["profiles"]
    is_set = {profile["profile"]: profile["is_set"] for profile in listed}
    check(is_set == {"one": True, "two": False}, f"fal profile list: {listed}")
    fal("set", "two")
    check(library.profiles() == {"one": ("fake-id", False), "two": ("two-id", True)}, "fal profile set")
    fal("delete", "one")
    check(library.profiles() == {"two": ("two-id", True)}, "fal profile delete")
    check(oct(config.stat().st_mode & 0o777) == "0o600", "the CLI's rewriting changed the permissions")


def main():
    library_path = sys.argv[1]
    for name in [name for name in os.environ if name.startswith("FAL_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        os.environ.update(FAL_CONFIG_PATH=str(config), HOME=folder)
        library = Library(library_path, config)
        for before in FILES.values():
            for name in NAMES:
                config.write_bytes(before.encode())
                cli_reads_what_libfal_wrote(library, config, before, name)
                libfal_reads_what_the_cli_wrote(library, config, name)
        the_program_itself_agrees(library, config)
    print(f"config_roundtrip: {checks} checks passed")


if __name__ == "__main__":
    main()
