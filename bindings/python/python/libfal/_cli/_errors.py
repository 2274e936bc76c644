"""What ends a command early, and how it is reported."""

from __future__ import annotations

import signal
import sys

from . import _codes
from ._output import Output, OutputError, masked

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

_FACTS = "code", "status_code", "error_type", "request_id", "may_have_executed", "is_retryable", "retry_after", "needed_scope"


class UsageError(Exception):
    """The command line is wrong."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class CommandError(Exception):
    """The command failed, and libfal has no error of its own for it."""

    def __init__(self, message: str, remedy: str = "", exit_code: int = _codes.FAILED) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.exit_code = exit_code


class Terminated(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def report(error: BaseException, out: Output) -> int:
    """Prints an error and returns the exit code. Raises what only the interpreter can handle."""
    from .. import FalClientError

    if isinstance(error, KeyboardInterrupt):
        return _print(out, "interrupted", "", _codes.INTERRUPTED)
    if isinstance(error, Terminated):
        return _print(out, f"ended by {signal.Signals(error.number).name}", "", 128 + error.number)
    if isinstance(error, FalClientError):
        return _print(out, error.message, error.remedy, _codes.of(error.code, error.may_have_executed), _facts(error))
    if isinstance(error, UsageError):
        return _print(out, str(error), error.remedy, _codes.USAGE)
    if isinstance(error, CommandError):
        return _print(out, str(error), error.remedy, error.exit_code)
    if isinstance(error, OutputError):
        return _print(out, str(error), "", _codes.FAILED)
    if isinstance(error, OSError):
        place = f" {error.filename!r}" if error.filename is not None else ""
        return _print(out, f"cannot use{place or ' a file'}: {error.strerror or error}", "", _codes.FAILED)
    if sys.flags.dev_mode or not isinstance(error, Exception):
        raise error
    what = f"a defect in the command line: {type(error).__name__}: {error}"
    return _print(out, what, "Please report it. 'python -X dev -m libfal ...' shows the place.", _codes.FAILED)


def _print(out: Output, message: str, remedy: str, code: int, facts: dict[str, Any] | None = None) -> int:
    message, remedy = masked(message), masked(remedy)
    out.error(message, remedy, {**(facts or {}), "message": message, "remedy": remedy, "exit_code": code})
    return code


def _facts(error: Any) -> dict[str, Any]:
    return {**{name: getattr(error, name, None) for name in _FACTS}, "body": _body(error)}


def _body(error: Any) -> Any:
    """Returns the body of the response as JSON, if it is that: it names what is wrong with an input."""
    import json

    try:
        return json.loads(error.response.content)
    except (AttributeError, ValueError):
        return None
