"""Prints a change of fal's configuration file, and what it means for the programs that use it."""

from __future__ import annotations

import contextlib

from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libfal

_NAMES = "path", "written", "table", "previous_key_id", "active", "tightened_from"

NAMES = "'libfal profiles' lists the names, and 'libfal profiles store NAME' adds or replaces a key."


def show(change: libfal.Change, line: str, out: Output) -> None:
    if change.tightened_from is not None:
        out.note(f"note: other users could read {change.path}; now only its owner can")
    out.answer({name: getattr(change, name) for name in _NAMES}, [line])


def refuse_another(profile: str, replace: bool) -> None:
    """Raises an error if the profile has a key, which would be lost."""
    from .. import profiles
    from ._errors import UsageError

    if not replace and any(one.name == profile and (one.key_id or one.problem) for one in profiles()):
        raise UsageError(f"the profile {profile!r} has a key", "Choose another name, or add --replace.")


@contextlib.contextmanager
def known(profile: str) -> Iterator[None]:
    """Lets an error about a name that no stored key has say where the names are."""
    from .. import FalClientError, profiles

    try:
        yield
    except FalClientError as error:
        if all(one.name != profile for one in profiles()):
            error.remedy = NAMES
        raise


def choice() -> str:
    """Returns the command that makes a stored key the active one; empty if there is none."""
    from shlex import quote

    from .. import FalClientError, profiles

    try:
        names = [quote(one.name) for one in profiles() if one.key_id]
    except FalClientError:
        return ""
    return f"libfal profiles use {' | '.join(names)}" if names else ""


def note_use(profile: str, active: str | None, out: Output) -> None:
    """Says whether programs use the profile, if they do not."""
    from shlex import quote

    from .. import explain

    if active != profile:
        out.note(f"note: programs do not use it yet\ndo:    libfal profiles use {quote(profile)}")
        return
    used = explain().used
    if used is not None and used.source != "profile":
        out.note(f"note: {used.source} goes before it: programs that have {used.source} use {used.key_id}\ndo:    unset {used.source.replace(' + ', ' ')}")
