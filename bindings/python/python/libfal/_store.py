"""The profiles of the configuration file, as plain values without secrets."""

from __future__ import annotations

from dataclasses import dataclass


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


# The name to show and to pickle is the public one.
for _class in (Profile, Change):
    _class.__module__ = "libfal"
