"""Keys in the configuration file."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import logs
import pytest
from conftest import Emulator

import libfal

KEY = "fake-id:fake-secret-of-the-test"


def test_a_stored_key_is_there_for_every_program(emulator: Emulator, home: Path) -> None:
    path = home / ".fal" / "config.toml"
    assert libfal.profiles() == []
    change = libfal.store_key("work", emulator.api_key, activate=True)
    assert change == libfal.Change(str(path), True, "created", None, "work", None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert logs.client(emulator_host=emulator.address).run("emulator/echo", {})["key_id"] == emulator.key_id
    again = libfal.store_key("work", KEY)
    assert (again.table, again.previous_key_id, again.active) == ("kept", emulator.key_id, "work")
    assert not libfal.store_key("work", KEY).written
    (profile,) = libfal.profiles()
    assert (profile.name, profile.key_id, profile.problem, profile.active) == ("work", "fake-id", None, True)
    assert path.read_text().splitlines()[profile.line - 1] == "[work]"
    removed = libfal.remove_key("work")
    assert (removed.table, removed.previous_key_id, removed.active) == ("removed", "fake-id", None)
    assert libfal.profiles() == []


def test_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('# mine\n[one]\nkey = "fake-secret-half"\nhost = "api.example.com"\n\n[two] # empty\n')
    path.chmod(0o644)
    one, two = libfal.profiles(path)
    assert (one.name, one.key_id, one.host, one.active, one.line) == ("one", None, "api.example.com", False, 2)
    assert one.problem and "fake-secret" not in one.problem
    assert (two.name, two.key_id, two.problem, two.line) == ("two", None, None, 6)
    change = libfal.store_key("two", KEY, config_path=str(path))
    assert change.tightened_from == 0o644 and path.stat().st_mode & 0o777 == 0o600
    assert libfal.set_active_profile("two", config_path=path).active == "two"
    assert [profile.active for profile in libfal.profiles(path)] == [False, True]
    used = libfal.explain(config_path=path).used
    assert used and (used.source, used.key_id) == ("profile", "fake-id")
    assert libfal.set_active_profile(None, config_path=path).active is None
    text = path.read_text()
    assert text.startswith('# mine\n[one]\nkey = "fake-secret-half"\nhost = "api.example.com"\n\n[two] # empty\n')


def test_what_cannot_be_stored_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for name in ("", "a\nb", "__internal__", KEY):
        with pytest.raises(libfal.InvalidArgumentError) as caught:
            libfal.store_key(name, KEY, config_path=path)
        assert "fake-secret" not in str(caught.value) and caught.value.remedy
    with pytest.raises(libfal.CredentialsError, match="half a key") as half:
        libfal.store_key("a", "fake-secret-half", config_path=path)
    assert "fake-secret" not in str(half.value)
    for change in (libfal.remove_key, libfal.set_active_profile):
        with pytest.raises(libfal.InvalidArgumentError, match="no profile named a"):
            change("a", config_path=path)
    assert not path.exists()
    path.write_text("not [ toml")
    with pytest.raises(libfal.CredentialsError, match="config.toml") as broken:
        libfal.store_key("a", KEY, config_path=path)
    assert broken.value.code == "FAL_E_MALFORMED_CREDENTIALS"
    with pytest.raises(libfal.CredentialsError, match="config.toml"):
        libfal.profiles(path)
    assert path.read_text() == "not [ toml"
    with pytest.raises(libfal.ResourceError):
        libfal.store_key("a", KEY, config_path=path / "below")


def test_they_are_values(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    values = [libfal.store_key("a", KEY, config_path=path), *libfal.profiles(path)]
    assert len(values) == 2
    for value in values:
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
        assert "fake-secret" not in repr(value)
