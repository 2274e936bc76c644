"""The sources of the key, and the errors without a key."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import logs
import pytest
from conftest import Emulator

import libfal

KEY = "fake-id:fake-secret-of-the-test"
ORDER = [
    "explicit key",
    "explicit token",
    "explicit profile",
    "explicit callback",
    "FAL_KEY",
    "FAL_KEY_ID + FAL_KEY_SECRET",
    "FAL_KEY_FILE",
    "FAL_KEY_COMMAND",
    "profile",
    "keyring",
    "login",
]

World = tuple[pytest.MonkeyPatch, Path]


def explicit(_world: World) -> dict[str, Any]:
    return {"key": KEY}


def config(world: World) -> Path:
    path = world[1] / ".fal" / "config.toml"
    path.parent.mkdir()
    path.write_text(f'[work]\nkey = "{KEY}"\n')
    path.chmod(0o600)
    return path


def explicit_profile(world: World) -> dict[str, Any]:
    config(world)
    return {"profile": "work"}


def explicit_config(world: World) -> dict[str, Any]:
    return {"profile": "work", "config_path": config(world).rename(world[1] / "other.toml")}


def variable(world: World) -> dict[str, Any]:
    world[0].setenv("FAL_KEY", KEY)
    return {}


def pair(world: World) -> dict[str, Any]:
    for name, half in zip(("FAL_KEY_ID", "FAL_KEY_SECRET"), KEY.split(":")):
        world[0].setenv(name, half)
    return {}


def file(world: World) -> dict[str, Any]:
    path = world[1] / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o600)
    world[0].setenv("FAL_KEY_FILE", str(path))
    return {}


def chosen_profile(world: World) -> dict[str, Any]:
    config(world)
    world[0].setenv("FAL_PROFILE", "work")
    return {}


SOURCES: dict[Callable[[World], dict[str, Any]], tuple[str, str]] = {
    explicit: ("explicit key", ""),
    explicit_profile: ("explicit profile", "~/.fal/config.toml:2 [work]"),
    explicit_config: ("explicit profile", "~/other.toml:2 [work]"),
    variable: ("FAL_KEY", "FAL_KEY"),
    pair: ("FAL_KEY_ID + FAL_KEY_SECRET", "FAL_KEY_ID + FAL_KEY_SECRET"),
    file: ("FAL_KEY_FILE", "~/key:1"),
    chosen_profile: ("profile", "~/.fal/config.toml:2 [work]"),
}


@pytest.mark.parametrize("set_up", SOURCES, ids=lambda set_up: set_up.__name__)
def test_each_source_is_found_and_named(
    set_up: Callable[[World], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    options = set_up((monkeypatch, home))
    source, location = SOURCES[set_up]
    for explanation in (libfal.explain(**options), logs.client(**options).explain()):
        used = explanation.used
        assert used and explanation.problem is None
        assert (used.source, used.state, used.key_id) == (source, "used", "fake-id")
        assert (used.location or "").replace(str(home), "~") == location
        assert [one.source for one in explanation.sources] == ORDER
        assert {one.state for one in explanation.sources if one is not used} == {"absent"}
        assert f"using {source}" in str(explanation)


def by_command(emulator: Emulator, home: Path) -> dict[str, str]:
    path = home / "printed"
    path.write_text(emulator.api_key)
    return {"FAL_KEY_COMMAND": f"cat '{path}'"}


def by_profile_command(emulator: Emulator, home: Path) -> dict[str, str]:
    path = home / "printed"
    path.write_text(json.dumps({"key": emulator.api_key, "expires_in": 3600}))
    (home / ".fal").mkdir()
    (home / ".fal" / "config.toml").write_text(f"[work]\nkey_command = ['cat', '{path}']\n")
    return {"FAL_PROFILE": "work"}


def by_login(emulator: Emulator, home: Path) -> dict[str, str]:
    login = emulator.control("POST", "logins", {"account": "acme", "access_token_seconds": 3600})
    (home / ".fal").mkdir()
    (home / ".fal" / "auth0_token").write_text(login["refresh_token"])
    return {}


@pytest.mark.parametrize(
    ("set_up", "source"),
    [(by_command, "FAL_KEY_COMMAND"), (by_profile_command, "profile"), (by_login, "login")],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_a_source_that_delivers_when_a_key_is_needed(
    set_up: Callable[[Emulator, Path], dict[str, str]],
    source: str,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
) -> None:
    for name, value in set_up(emulator, home).items():
        monkeypatch.setenv(name, value)
    client = logs.client(emulator_host=emulator.address)
    before = client.explain().used
    assert before and (before.source, before.key_id) == (source, None)
    assert emulator.arrivals() == []
    for _ in range(3):
        client.run("emulator/echo", {"word": "hello"})
    after = client.explain().used
    assert after and after.key_id == (None if source == "login" else emulator.key_id)
    assert len(emulator.arrivals(host="auth.fal.ai")) == (1 if source == "login" else 0)
    assert not any(secret in str(client.explain()) for secret in emulator.secrets)


def test_a_program_of_the_desktop_has_only_the_profile(emulator: Emulator, home: Path) -> None:
    """No variable except HOME, as when a desktop starts a program."""
    code = f"""
import os, logs
print(sorted(set(os.environ) - {{"LC_CTYPE"}}))
client = logs.client(emulator_host="{emulator.address}")
print(client.run("emulator/echo", {{}})["key_id"], client.explain().used.source)
"""
    path = home / ".fal" / "config.toml"
    libfal.store_key("work", emulator.api_key, activate=True, config_path=path)
    # The directory of logs.py.
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n{code}"]
    done = subprocess.run(command, env={"HOME": str(home)}, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"['HOME']\n{emulator.key_id} profile\n", "")


def test_the_key_found_is_the_key_sent(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    path = home / "key"
    path.write_text(emulator.admin_key)
    path.chmod(0o600)
    monkeypatch.setenv("FAL_KEY_FILE", str(path))
    answer = logs.client(emulator_host=emulator.address).run("emulator/echo", {})
    assert answer["key_id"] == emulator.admin_key.partition(":")[0]


def test_without_a_key_every_source_is_told_in_order(emulator: Emulator) -> None:
    client = logs.client(emulator_host=emulator.address)
    with pytest.raises(libfal.CredentialsError) as caught:
        client.run("fal-ai/flux/schnell", {"prompt": "a"})
    error = caught.value
    assert error.code == "FAL_E_NO_CREDENTIALS"
    assert error.explanation and [source.source for source in error.explanation.sources] == ORDER
    assert error.explanation.problem and error.explanation.problem.kind == "not_found"
    text = str(error)
    places = [text.index(f"\n  {source}:") for source in ORDER]
    assert places == sorted(places)
    assert error.remedy in text and "FAL_KEY=" in error.remedy
    assert not error.may_have_executed
    assert emulator.arrivals() == []


def test_a_key_set_later_is_found(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    client = logs.client(emulator_host=emulator.address)
    with pytest.raises(libfal.CredentialsError):
        client.run("emulator/echo", {})
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id


def test_a_key_corrected_later_is_found(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    old = emulator.control("POST", "keys", {})
    monkeypatch.setenv("FAL_KEY", old["key"])
    client = logs.client(emulator_host=emulator.address)
    assert client.run("emulator/echo", {})["key_id"] == old["key_id"]
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    used = client.explain().used
    assert used and used.key_id == emulator.key_id
    assert f"calls keep using key {old['key_id']}, which was found earlier" in used.notes
    assert client.run("emulator/echo", {})["key_id"] == old["key_id"]
    emulator.control("DELETE", f"keys/{old['key_id']}")
    assert client.run("emulator/echo", {})["key_id"] == emulator.key_id
    assert [one["outcome"] for one in emulator.arrivals()] == [200, 200, 401, 200]


@pytest.mark.parametrize(
    "text",
    ["fake-secret-half", "", "your-key", "fake-id:fake-secret\x1b[2J", "a b:fake-secret"],
    # By default pytest would name each test after its text.
    ids=["half", "empty", "example", "control character", "white space"],
)
def test_a_malformed_key_is_never_passed_over(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    with pytest.raises(libfal.CredentialsError) as caught:
        emulator.client(key=text).run("emulator/echo", {})
    error = caught.value
    assert error.code == "FAL_E_MALFORMED_CREDENTIALS"
    assert error.explanation and error.explanation.sources[0].state == "malformed"
    assert "fake-secret" not in str(error)
    assert emulator.arrivals() == []


def test_sources_that_differ_are_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", KEY)
    explanation = libfal.explain("fake-other:fake-secret")
    shadowed = explanation.sources[ORDER.index("FAL_KEY")]
    assert (shadowed.state, shadowed.key_id) == ("shadowed", "fake-id")
    assert shadowed.notes == ("another key than the one in use",)
    assert explanation.used and explanation.used.notes == ("FAL_KEY holds another key",)


def test_anonymous_sends_no_key(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", emulator.api_key)
    client = logs.client(anonymous=True, emulator_host=emulator.address)
    assert client.run("acme/public", {})["key_id"] is None
    with pytest.raises(libfal.AuthenticationError, match="no key"):
        client.run("emulator/echo", {})
    assert not any(arrival["had_key"] for arrival in emulator.arrivals())


def test_an_explanation_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", KEY)
    explanation = libfal.explain()
    assert explanation.to_dict() == json.loads(explanation.to_json())
    assert explanation.to_dict()["used"] == {"source": "FAL_KEY", "location": "FAL_KEY", "key_id": "fake-id"}
    assert libfal.Explanation((), None, '{"a": 1e19}', "").to_dict() == {"a": 1e19}
    with pytest.raises(libfal.DecodeError, match="the body is not JSON"):
        libfal.Explanation((), None, "{", "").to_dict()
    assert explanation == libfal.explain() and hash(explanation) == hash(libfal.explain())
    for twin in (pickle.loads(pickle.dumps(explanation)), copy.deepcopy(explanation)):
        assert twin == explanation
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.sources[0].state = "used"  # type: ignore[misc]


def test_what_is_taken_for_a_source_and_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DEBUG=1\nFAL_KEY={KEY}\n")
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAL_API_KEY", KEY)
    explanation = libfal.explain()
    assert explanation.used is None and explanation.problem
    (unread,) = [source for source in explanation.sources if source.source == ".env"]
    assert (unread.state, unread.location, unread.key_id) == ("skipped", f"{tmp_path}/.env:2", "fake-id")
    for text in (str(explanation), explanation.problem.message, "\n".join(unread.notes)):
        assert f"FAL_KEY_FILE={tmp_path}/.env" in text
    assert "FAL_API_KEY is set, but libfal reads only FAL_KEY" in explanation.problem.message
    with pytest.raises(libfal.CredentialsError, match="FAL_API_KEY is set, but libfal reads only FAL_KEY") as caught:
        logs.client().run("fal-ai/any", {})
    assert "FAL_KEY_FILE=" in caught.value.message and "fake-secret" not in str(caught.value)
    monkeypatch.setenv("FAL_KEY_FILE", f"{tmp_path}/.env")
    used = libfal.explain().used
    assert used and (used.source, used.key_id) == ("FAL_KEY_FILE", "fake-id")
    assert all(source.source != ".env" for source in libfal.explain().sources)
