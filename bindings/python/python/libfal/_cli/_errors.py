"""What ends a command early, and how it is reported."""

from __future__ import annotations

import signal
import sys

from . import _codes
from ._output import Output, OutputError, masked

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    import libfal

_FACTS = "status_code", "error_type", "request_id", "may_have_executed", "is_retryable", "retry_after", "needed_scope"


class UsageError(Exception):
    """The command line is wrong."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class CommandError(Exception):
    """The command failed, and libfal has no error of its own for it."""

    def __init__(self, message: str, remedy: str, code: str) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code


class Terminated(BaseException):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def report(error: BaseException, out: Output) -> int:
    """Prints an error and returns the exit code. Raises what only the interpreter can handle."""
    from .. import FalClientError

    if isinstance(error, KeyboardInterrupt):
        return _print(out, "FAL_E_CANCELLED", "interrupted", "", _codes.INTERRUPTED)
    if isinstance(error, Terminated):
        return _print(out, "FAL_E_CANCELLED", f"ended by {signal.Signals(error.number).name}", "", 128 + error.number)
    if isinstance(error, FalClientError):
        exit_code = _codes.of(error.code, error.may_have_executed)
        return _print(out, error.code, error.message, _remedy(error), exit_code, _facts(error), _sources(error))
    if isinstance(error, UsageError):
        return _print(out, "FAL_E_INVALID_ARGUMENT", str(error), error.remedy)
    if isinstance(error, CommandError):
        return _print(out, error.code, str(error), error.remedy)
    if isinstance(error, OutputError):
        return _print(out, "FAL_E_IO", str(error), "")
    if isinstance(error, OSError):
        place = f" {error.filename!r}" if error.filename is not None else ""
        return _print(out, "FAL_E_IO", f"cannot use{place or ' a file'}: {error.strerror or error}", "")
    if sys.flags.dev_mode or not isinstance(error, Exception):
        raise error
    what = f"a defect in the command line: {type(error).__name__}: {error}"
    return _print(out, "FAL_E_PANIC", what, "Please report it. 'python -X dev -m libfal ...' shows the place.")


def _print(
    out: Output, code: str, message: str, remedy: str, exit_code: int | None = None, facts: dict[str, Any] | None = None, more: str = ""
) -> int:
    message, remedy = masked(message), masked(remedy)
    if exit_code is None:
        exit_code = _codes.of(code, False)
    document = {"code": code, **(facts or {}), "message": message, "remedy": remedy, "exit_code": exit_code}
    out.error(message, remedy, more, document)
    return exit_code


def _remedy(error: libfal.FalClientError) -> str:
    """Returns what to do, by means of the command."""
    from . import _change

    if error.code == "FAL_E_NO_CREDENTIALS":
        stored = _change.choice()
        return f"{error.remedy} Or use a stored key: {stored}" if stored else error.remedy
    if error.explanation and error.explanation.problem and error.explanation.problem.source == "explicit profile":
        return _change.NAMES
    if error.code == "FAL_E_INVALID_INPUT":
        return "Correct the input. With --json the whole answer of the model is a part of the error."
    return error.remedy.replace("docs/platform.md", "'libfal platform'")


def _sources(error: libfal.FalClientError) -> str:
    """Returns the table of the sources, if no key was found in them."""
    from .. import CredentialsError

    if error.explanation is None or not isinstance(error, CredentialsError):
        return ""
    # Its last line repeats the message.
    return error.explanation.table.rstrip("\n").removesuffix(error.message)


def _facts(error: libfal.FalClientError) -> dict[str, Any]:
    explanation = error.explanation.to_dict() if error.explanation else None
    return {**{name: getattr(error, name, None) for name in _FACTS}, "body": _body(error), "explanation": explanation}


def _body(error: Any) -> Any:
    """Returns the body of the response as JSON, if it is that: it names what is wrong with an input."""
    import json

    try:
        return json.loads(error.response.content)
    except (AttributeError, ValueError):
        return None
