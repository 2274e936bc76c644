"""Stores keys in the profiles of the configuration file and in the system keyring."""

from __future__ import annotations

from . import _libfal, _waiting
from ._typing import fill
from ._values import _Path, maybe_text, path, text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from dataclasses import dataclass

    from ._libfal import Failure, Task
else:
    from ._typing import dataclass


@dataclass(frozen=True)
class Profile:
    """A profile of the configuration file."""

    name: str
    """The name; "(name not shown)" if it may be a misplaced key."""
    key_id: str | None
    """The public half of the key, if the profile has a valid key."""
    problem: str | None
    """Why the key cannot be used."""
    host: str | None
    """The host that the profile sets for the official CLI. libfal does not use it."""
    active: bool
    """Whether libfal uses the profile if FAL_PROFILE is not set."""
    line: int
    """The line of the name in the file, from 1."""

    def __init__(self, name: str, key_id: str | None, problem: str | None, host: str | None, active: bool, line: int) -> None:
        fill(self, locals())


@dataclass(frozen=True)
class Change:
    """The result of a change of the configuration file."""

    path: str
    """The path of the file."""
    written: bool
    """Whether the file was written. False if it needed no change."""
    table: str
    """The change of the profile: "kept", "created" or "removed"."""
    previous_key_id: str | None
    """The public half of the profile's previous key."""
    active: str | None
    """The active profile after the change."""
    tightened_from: int | None
    """The previous permission bits of the file, if they were restricted to its owner."""

    def __init__(
        self, path: str, written: bool, table: str, previous_key_id: str | None, active: str | None, tightened_from: int | None
    ) -> None:
        fill(self, locals())


def change(task: Task | Failure) -> Change:
    """Waits for a change and returns it."""
    return Change(**_waiting.work(task))


def profiles(config_path: _Path | None = None) -> list[Profile]:
    """Return the profiles of the configuration file, in order; an empty list if there is no file.

    The file is config_path, or FAL_CONFIG_PATH, or ~/.fal/config.toml.
    """
    found = _waiting.work(_libfal.profiles(path("config_path", config_path)))
    return [Profile(**profile) for profile in found]


def store_key(profile: str, key: str, *, activate: bool = False, config_path: _Path | None = None) -> Change:
    """Store a key in a profile, and replace the profile's previous key. All programs of the user can use it.

    Creates the profile, the file and its directory if they do not exist. All other content of the file stays. With
    activate, programs use the profile if FAL_PROFILE is not set. Waits up to 20 seconds for another program that changes
    the file. Ctrl-C ends the wait, but the key may still be stored.
    """
    try:
        place = path("config_path", config_path)
        return change(_libfal.store_key(text("profile", profile), text("key", key), activate, place))
    except BaseException as error:
        # So that no report with the variables of each function has the key.
        del key
        raise error.with_traceback(None)


def remove_key(profile: str, *, config_path: _Path | None = None) -> Change:
    """Remove the key of a profile, and the profile if it is then empty. Waits as store_key() does."""
    return change(_libfal.remove_key(text("profile", profile), path("config_path", config_path)))


def set_active_profile(profile: str | None, *, config_path: _Path | None = None) -> Change:
    """Make a profile the one that programs use if FAL_PROFILE is not set; None: no profile. Waits as store_key() does."""
    return change(_libfal.set_active_profile(maybe_text("profile", profile), path("config_path", config_path)))


def store_in_keyring(account: str, key: str) -> None:
    """Store a key in the system keyring, and replace the account's previous key. All programs of the user can use it.

    account: the name of a profile, or "default", which is used if FAL_PROFILE is not set. The keyring may ask the user to
    unlock it. The call takes at most one minute, and raises ResourceError if there is no keyring or it denies access.
    Ctrl-C ends the wait, but the key may still be stored.
    """
    try:
        _waiting.work(_libfal.store_in_keyring(text("account", account), text("key", key)))
    except BaseException as error:
        # As in store_key().
        del key
        raise error.with_traceback(None)


def remove_from_keyring(account: str) -> bool:
    """Remove the account's key from the system keyring; False if there is none. Raises as store_in_keyring() does."""
    return bool(_waiting.work(_libfal.remove_from_keyring(text("account", account))))


# So that repr() and pickle use the public name.
for _public in (Profile, Change, profiles, store_key, remove_key, set_active_profile, store_in_keyring, remove_from_keyring):
    _public.__module__ = "libfal"
