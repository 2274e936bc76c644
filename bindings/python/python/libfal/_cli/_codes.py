"""The exit codes, and the code of each error."""

from __future__ import annotations

OK, FAILED, USAGE, CREDENTIALS, REFUSED, LATER, UNKNOWN = range(7)
INTERRUPTED, BROKEN_PIPE = 130, 141

MEANINGS = {
    OK: "done",
    FAILED: "failed",
    USAGE: "wrong command line or argument; nothing was sent",
    CREDENTIALS: "no key, or fal refused it: unknown, without the scope, account locked",
    REFUSED: "fal refused the input, or knows no such model, job or object",
    LATER: "not now: the same command may succeed later",
    UNKNOWN: "no answer in time: the request may have been executed and billed",
    INTERRUPTED: "Ctrl-C; 128 + signal after another signal (143: SIGTERM)",
    BROKEN_PIPE: "the reader of the output went away",
}

_CODES = {
    "FAL_E_INVALID_ARGUMENT": USAGE,
    "FAL_E_FOREIGN_ORIGIN": USAGE,
    "FAL_E_NO_CREDENTIALS": CREDENTIALS,
    "FAL_E_MALFORMED_CREDENTIALS": CREDENTIALS,
    "FAL_E_CREDENTIALS_FAILED": CREDENTIALS,
    "FAL_E_UNAUTHENTICATED": CREDENTIALS,
    "FAL_E_FORBIDDEN": CREDENTIALS,
    "FAL_E_ACCOUNT_LOCKED": CREDENTIALS,
    "FAL_E_NOT_FOUND": REFUSED,
    "FAL_E_INVALID_INPUT": REFUSED,
    "FAL_E_CONNECT": LATER,
    "FAL_E_CONNECTION_LOST": LATER,
    "FAL_E_DEADLINE": LATER,
    "FAL_E_RATE_LIMITED": LATER,
    "FAL_E_SERVICE_UNAVAILABLE": LATER,
    "FAL_E_NOT_READY": LATER,
}
# What ended without an answer.
_UNANSWERED = {"FAL_E_CONNECTION_LOST", "FAL_E_DEADLINE", "FAL_E_CANCELLED", "FAL_E_SHUT_DOWN"}


def of(code: str, may_have_executed: bool) -> int:
    """Returns the exit code of an error of libfal."""
    if may_have_executed and code in _UNANSWERED:
        return UNKNOWN
    return _CODES.get(code, FAILED)
