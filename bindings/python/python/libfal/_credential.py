"""The caller's function that delivers a credential, and what may be delivered besides a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Optional, Union

if TYPE_CHECKING:
    from ._libfal import Question


class AppToken:
    """A short-lived token that opens some apps and nothing else, for programs that ship without a key.

    It is a secret: only text shows it.
    """

    __slots__ = ("_expires_in", "_text")

    def __init__(self, text: str, expires_in: float | None = None) -> None:
        if not isinstance(text, str):
            raise TypeError(f"the text of a token is a str, not {type(text).__name__}")
        self._text = text
        self._expires_in = expires_in

    @property
    def text(self) -> str:
        """The token itself."""
        return self._text

    @property
    def expires_in(self) -> float | None:
        """For how many seconds it was good when it was made; None if that is unknown."""
        return self._expires_in

    def __repr__(self) -> str:
        return f"libfal.AppToken('****', expires_in={self._expires_in!r})"

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
        raise TypeError("a libfal.AppToken is a secret and cannot be pickled; pass its text on where it is needed")


Delivered = Union[str, tuple[str, Optional[float]], AppToken]
"""A key; a key and for how many seconds it is good; a token."""


@dataclass(frozen=True)
class Check:
    """What a check of the credential found."""

    accepted: bool
    """Whether fal knows the key."""
    scope: str | None
    """What the key may do, "API" or "ADMIN", where fal tells."""
    account: str | None
    """The account that the key or login belongs to, where fal tells: not every key may ask."""
    locked: str | None
    """Why the account is locked, if it is: its key is accepted, and good for nothing."""
    key_id: str | None
    """The public half of the key."""
    source: str | None
    """The source of the key, as in explain()."""


def check_from(told: bytes) -> Check:
    """The check of an answer of the core."""
    return Check(**json.loads(told))


def token_from(told: bytes) -> AppToken:
    """The token of an answer of the core."""
    facts = json.loads(told)
    return AppToken(facts["token"], facts["expires_in"])


def answer(function: Callable[[], Delivered], question: Question) -> None:
    """Ask the function, and answer the question whatever comes of it: calls wait for that."""
    why = "the function did not come to its end"
    try:
        _deliver(function(), question)
    except BaseException as error:
        why = reason(error)
    finally:
        # The first answer counts.
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


# Of what an exception says, so many characters are passed on.
_LONGEST = 1000


def reason(error: BaseException) -> str:
    """What an exception says, in one line of bounded length that is Unicode text."""
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


# The name to show and to pickle is the public one.
for _class in (AppToken, Check):
    _class.__module__ = "libfal"
