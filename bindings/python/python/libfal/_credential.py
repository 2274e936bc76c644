"""Calls the credential function of the program, and defines what it may return besides a key."""

from __future__ import annotations

import sys

from ._typing import fill

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass
    from typing import Any, NoReturn, Optional, Union

    from ._libfal import Question

    _Delivered = Union[str, tuple[str, Optional[float]], "AppToken"]
    """A key; a key and its lifetime in seconds; a token."""
else:
    from ._typing import Any, Callable, NoReturn, dataclass


class AppToken:
    """A short-lived token that permits calls of some apps, for programs that ship without a key.

    It is a secret: repr() does not show it.
    """

    __slots__ = ("_expires_in", "_text")

    def __init__(self, text: str, expires_in: float | None = None) -> None:
        try:
            self._expires_in = expires_in
            if not isinstance(text, str):
                raise TypeError(f"the text of a token is a str, not {type(text).__name__}")
            self._text = text
        except BaseException:
            # So that no report with the variables of each function has the token.
            del text
            raise

    @property
    def text(self) -> str:
        """The token."""
        return self._text

    @property
    def expires_in(self) -> float | None:
        """The lifetime of the token in seconds when it was created; None if unknown."""
        return self._expires_in

    def __repr__(self) -> str:
        # A report of an error may show one that is being made.
        return f"libfal.AppToken('****', expires_in={getattr(self, '_expires_in', None)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AppToken):
            return NotImplemented
        return (self._text, self._expires_in) == (other._text, other._expires_in)

    def __hash__(self) -> int:
        return hash((self._text, self._expires_in))

    def __copy__(self) -> AppToken:
        return self

    def __deepcopy__(self, _memo: object, /) -> AppToken:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.AppToken is a secret and cannot be pickled; pass its text explicitly")


if not TYPE_CHECKING:
    _Delivered = str | tuple[str, float | None] | AppToken if sys.version_info >= (3, 10) else object


@dataclass(frozen=True)
class Check:
    """The result of a check of the credential."""

    accepted: bool
    """Whether fal accepts the key."""
    scope: str | None
    """The scope of the key, "API" or "ADMIN", if fal reports it."""
    account: str | None
    """The account of the key or login, if fal reports it. Not all keys have access to it."""
    locked: str | None
    """Why the account is locked, if it is. fal then accepts the key, but refuses all calls."""
    key_id: str | None
    """The public half of the key."""
    source: str | None
    """The source of the key, as in explain()."""

    def __init__(
        self, accepted: bool, scope: str | None, account: str | None, locked: str | None, key_id: str | None, source: str | None
    ) -> None:
        fill(self, locals())


def token_from(facts: dict[str, Any]) -> AppToken:
    """Returns the token in a response of the core."""
    return AppToken(facts["token"], facts["expires_in"])


def answer(function: Callable[[], _Delivered], question: Question) -> None:
    """Calls the function and answers the question in any case, because calls are waiting for it."""
    why = "the function did not return"
    try:
        _deliver(function(), question)
    except BaseException as error:
        why = reason(error)
    finally:
        # Has no effect if the question was answered before.
        question.fail(why)


def _deliver(credential: object, question: Question) -> None:
    expires_in: object = None
    if isinstance(credential, tuple) and len(credential) == 2:
        credential, expires_in = credential
    elif isinstance(credential, AppToken):
        expires_in = credential.expires_in
    if expires_in is not None and not isinstance(expires_in, (int, float)):
        question.fail(f"expires_in is a number of seconds, not {type(expires_in).__name__}")
    elif isinstance(credential, AppToken):
        question.app_token(credential.text, expires_in)
    elif isinstance(credential, str):
        question.key(credential, expires_in)
    else:
        kind = type(credential).__name__
        question.fail(f"the function returned {kind}, not a key, a pair of key and seconds, or a libfal.AppToken")


# The most characters of an exception's text.
_LONGEST = 1000


def reason(error: BaseException) -> str:
    """Returns the type and text of an exception, as one line of bounded length and valid Unicode."""
    kind = type(error).__name__
    try:
        text = str(getattr(error, "message", error))
        message = " ".join(text[: 2 * _LONGEST].split())
    except BaseException:
        message = ""
    said = f"{kind}: {message}" if message else kind
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]}…"
    return said.encode(errors="backslashreplace").decode()


# So that repr() and pickle use the public name.
for _class in (AppToken, Check):
    _class.__module__ = "libfal"
