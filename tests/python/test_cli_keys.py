"""The commands about keys. No secret is printed but that of a new key, and only where a person asked for it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command import COMMAND, fal
from conftest import Emulator

KEY = "fake-id:fake-secret-of-the-test"


def admin(emulator: Emulator) -> dict[str, str]:
    return {**emulator.environment(), "FAL_KEY": emulator.admin_key}


def test_a_key_is_created_stored_used_listed_and_revoked(emulator: Emulator, home: Path) -> None:
    created = fal("keys", "create", "for ci", "--store", "ci", "--use", env=admin(emulator))
    config = home / ".fal" / "config.toml"
    assert (created.code, created.err) == (0, "") and config.stat().st_mode & 0o777 == 0o600
    key = created.out.split()[1].rstrip(",")
    without_key = {"FAL_EMULATOR_HOST": emulator.address}
    assert fal("run", "emulator/echo", "--json", env=without_key).json["key_id"] == key
    listed = fal("keys", "list", env=admin(emulator))
    assert key in listed.out and "for ci" in listed.out
    assert key in [one["key_id"] for one in fal("keys", "list", "--json", env=admin(emulator)).json]
    assert fal("profiles").out == f"* ci  {key}\n"
    # fal answers 204 for an unknown id, too: after a slip the key would live on.
    slip = fal("keys", "revoke", f"{key[:-1]}x", "--json", env=admin(emulator))
    assert slip.code == 4 and slip.json["error"]["code"] == "FAL_E_NOT_FOUND" and "keys list" in slip.err
    assert fal("keys", "revoke", key, env=admin(emulator)).code == 0
    assert fal("check", env=without_key).code == 3
    assert fal("keys", "list", env=emulator.environment()).code == 3


def test_a_secret_is_shown_to_a_person_or_on_demand_only(emulator: Emulator, home: Path) -> None:
    for words in ([], ["--json"], ["--use"], ["--replace"]):
        assert fal("keys", "create", "lost", *words, env=admin(emulator)).code == 2
    assert emulator.arrivals() == []
    shown = fal("keys", "create", "shown", "--show-secret", shows_secret=True, env=admin(emulator))
    assert shown.code == 0 and ":fake-secret-" in shown.out
    document = fal("keys", "create", "shown", "--show-secret", "--json", shows_secret=True, env=admin(emulator)).json
    assert document["key"].startswith(f"{document['key_id']}:fake-secret-")
    master, terminal = pty.openpty()
    with subprocess.Popen([*COMMAND, "keys", "create", "me"], stdout=terminal, env={**os.environ, **admin(emulator)}) as process:
        os.close(terminal)
        assert b":fake-secret-" in os.read(master, 4096) and process.wait(timeout=60) == 0
    os.close(master)


def test_a_stored_key_is_not_lost(emulator: Emulator, home: Path) -> None:
    assert fal("profiles", "store", "ci", stdin=f"{KEY}\n".encode()).code == 0
    config = home / ".fal" / "config.toml"
    before = config.read_bytes()
    refused = fal("keys", "create", "x", "--store", "ci", env=admin(emulator))
    assert refused.code == 2 and "--replace" in refused.err
    assert fal("profiles", "store", "ci", stdin=b"fake-id2:fake-secret-two").code == 2
    assert config.read_bytes() == before and emulator.arrivals() == []
    replaced = fal("keys", "create", "x", "--store", "ci", "--replace", env=admin(emulator))
    assert replaced.code == 0 and "libfal profiles use ci" in replaced.err
    assert config.read_bytes() != before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_key_that_cannot_be_stored_is_revoked(emulator: Emulator, tmp_path: Path) -> None:
    # No folder can be made there.
    ended = fal("keys", "create", "x", "--store", "ci", env={**admin(emulator), "FAL_CONFIG_PATH": "/proc/nothing/config.toml"})
    assert ended.code == 1 and "it is revoked" in ended.err
    assert [(one["method"], one["outcome"]) for one in emulator.arrivals() if one["method"] != "GET"] == [("POST", 201), ("DELETE", 204)]
    emulator.control("DELETE", "requests")
    (tmp_path / "file").write_text("")
    ended = fal("keys", "create", "x", "--store", "ci", env={**admin(emulator), "FAL_CONFIG_PATH": str(tmp_path / "file" / "config.toml")})
    assert ended.code == 3 and emulator.arrivals() == []


def test_profiles_are_stored_listed_chosen_and_removed(home: Path) -> None:
    assert "libfal profiles store" in fal("profiles").err and fal("profiles", "--json").json == []
    stored = fal("profiles", "store", "one", "--use", "--json", stdin=KEY.encode())
    assert stored.code == 0 and stored.json["active"] == "one"
    assert stored.err == ""
    added = fal("profiles", "store", "two", stdin=b"fake-id2:fake-secret-two\n")
    assert added.code == 0 and "libfal profiles use two" in added.err
    assert fal("profiles").out == fal("profiles", "list").out == "* one  fake-id\n  two  fake-id2\n"
    used = fal("profiles", "use", "two")
    assert (used.code, used.err) == (0, "")
    hidden = fal("profiles", "use", "two", env={"FAL_KEY": "fake-id3:fake-secret-three"})
    assert hidden.code == 0 and "FAL_KEY" in hidden.err and "fake-id3" in hidden.err
    assert fal("explain", "--json").json["used"]["key_id"] == "fake-id2"
    assert fal("explain", "--json", "--profile", "one").json["used"]["key_id"] == "fake-id"
    removed = fal("profiles", "remove", "two")
    assert removed.code == 0 and "no profile is active now" in removed.err and "libfal profiles use one" in removed.err
    keyless = fal("run", "a/b")
    assert keyless.code == 3 and "libfal profiles use one" in keyless.err
    again = fal("profiles", "remove", "two")
    assert again.code == 2 and "'libfal profiles' lists" in again.err
    unknown = fal("run", "a/b", "--profile", "two")
    assert unknown.code == 3 and "'libfal profiles' lists" in unknown.err
    assert [one["name"] for one in fal("profiles", "--json").json] == ["one"]
    assert fal("profiles", "use", "none").code == 2
    assert fal("profiles", "store", "\u65e5", "--replace", stdin=KEY.encode()).code == 0
    assert fal("profiles", env={"PYTHONIOENCODING": "ascii"}).out.endswith("  \\u65e5  fake-id\n")
    assert fal("profiles", "store", "bad", stdin=b"fake-secret-half").code == 3
    empty = fal("profiles", "store", "bad", stdin=b"")
    assert empty.code == 2 and "libfal profiles store bad" in empty.err


def test_a_typed_key_is_not_shown(home: Path) -> None:
    def in_terminal() -> None:
        os.setsid()
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    master, terminal = pty.openpty()
    words = [*COMMAND, "profiles", "store", "typed"]
    with subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=in_terminal) as process:
        os.close(terminal)
        shown = b""
        while b"not shown" not in shown:
            shown += os.read(master, 4096)
        os.write(master, f"{KEY}\n".encode())
        while b"stored as" not in shown:
            shown += os.read(master, 4096)
        assert process.wait(timeout=60) == 0
    os.close(master)
    assert b"fake-secret" not in shown and "fake-secret" in (home / ".fal" / "config.toml").read_text()
    assert fal("profiles", "--json").json[0]["name"] == "typed"
