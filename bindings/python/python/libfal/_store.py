"""Storing keys: in the profiles of the configuration file, and in the system keyring."""

from __future__ import annotations

import json
from dataclasses import dataclass

from . import _libfal, _waiting
from ._libfal import Failure, Task
from ._values import Path, maybe_text, path, text


@dataclass(frozen=True)
class Profile:
    """A profile of the configuration file."""

    name: str
    """Its name; "(name not shown)" if it may be a key in the wrong place."""
    key_id: str | None
    """The public half of its key, if it has a good one."""
    problem: str | None
    """Why its key cannot be used."""
    host: str | None
    """The host that it sets for the official CLI. libfal does not use it."""
    active: bool
    """Whether it is used where FAL_PROFILE names none."""
    line: int
    """The line of its name in the file, from 1."""


@dataclass(frozen=True)
class Change:
    """What a change of the configuration file did."""

    path: str
    """The file."""
    written: bool
    """Whether the file was written; not, if it was already as wished."""
    table: str
    """What became of the profile: "kept", "created" or "removed"."""
    previous_key_id: str | None
    """The public half of the key that the profile had before."""
    active: str | None
    """The active profile after the change."""
    tightened_from: int | None
    """The permission bits that the file had, if others than its owner had any and no longer have."""



def change(task: Task | Failure) -> Change:
    """The change that the task makes."""
    return Change(**json.loads(_waiting.text(task)))


def profiles(config_path: Path | None = None) -> list[Profile]:
    """Every profile of the configuration file, in its order; none if there is no file.

    The file is config_path, else that of FAL_CONFIG_PATH, else ~/.fal/config.toml.
    """
    found = _waiting.text(_libfal.profiles(path("config_path", config_path)))
    return [Profile(**profile) for profile in json.loads(found)]


def store_key(profile: str, key: str, *, activate: bool = False, config_path: Path | None = None) -> Change:
    """Put a key into a profile, in the place of one that is there, for every program on the machine.

    Makes the profile, the file and its folder if they are missing; whatever else is in the file stays. activate makes
    the profile the one that programs use where FAL_PROFILE names none. Waits up to 20 seconds for another program that
    changes the file. Ctrl-C ends the waiting, and the key may be stored all the same.
    """
    place = path("config_path", config_path)
    return change(_libfal.store_key(text("profile", profile), text("key", key), activate, place))


def remove_key(profile: str, *, config_path: Path | None = None) -> Change:
    """Remove the key of a profile; and the profile, if then nothing is left in it. Waits as store_key() does."""
    return change(_libfal.remove_key(text("profile", profile), path("config_path", config_path)))


def set_active_profile(profile: str | None, *, config_path: Path | None = None) -> Change:
    """Make a profile the one that programs use where FAL_PROFILE names none; None: no profile. Waits as store_key() does."""
    return change(_libfal.set_active_profile(maybe_text("profile", profile), path("config_path", config_path)))


def store_in_keyring(account: str, key: str) -> None:
    """Put a key into the system keyring, in the place of one that is there, for every program of the user.

    account: a profile's name, or "default", which is what is read where FAL_PROFILE names none. It may ask the user to
    unlock the keyring, takes a minute at the most, and raises ResourceError if there is no keyring or it refuses. Ctrl-C
    ends the waiting, and the key may be stored all the same.
    """
    _waiting.work(_libfal.store_in_keyring(text("account", account), text("key", key)))


def remove_from_keyring(account: str) -> bool:
    """Remove the account's key from the system keyring; False if there is none. Raises as store_in_keyring() does."""
    return bool(_waiting.work(_libfal.remove_from_keyring(text("account", account))))


# The name to show and to pickle is the public one.
for _public in (Profile, Change, profiles, store_key, remove_key, set_active_profile, store_in_keyring, remove_from_keyring):
    _public.__module__ = "libfal"
