"""Prints a change of fal's configuration file."""

from __future__ import annotations

from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    import libfal

_NAMES = "path", "written", "table", "previous_key_id", "active", "tightened_from"


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
